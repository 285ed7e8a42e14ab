/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A port on the router that leads to our UDP socket, by NAT-PMP, PCP or UPnP: which of them the
 * gateway speaks, the mapping, its renewals and its end (tailscale: net/portmapper/portmapper.go).
 * No socket, no thread and no clock: the owner sends what it is told to, hands in what came, and
 * ticks. Nothing is sent while there is neither a question nor a mapping, and an answer counts only
 * while its question is open, from the gateway's own address.
 */
#pragma once

#include "path/hn-portmap-codec.h"

typedef struct _HnPortmap HnPortmap;

typedef struct
{
  /* From a socket of its own, not the tunnel's. */
  void (*send) (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len);
  /* Map @port of @local for @lifetime_s by the device described at @url, in the background;
   * hn_portmap_upnp_done() answers, never from within. The same again renews. Nullable. */
  void (*upnp_map) (gpointer user, const char *url, const HnIp *local, guint16 port,
                    guint32 lifetime_s);
  /* Take away what upnp_map() made or is making; no answer is wanted any more. @reachable FALSE: its
   * router is gone, and it is forgotten only. With upnp_map. */
  void (*upnp_unmap) (gpointer user, gboolean reachable);
  /* hn_portmap_get_mapping() says something else now. */
  void (*changed) (gpointer user);
} HnPortmapOps;

/* Takes a copy of @ops. The callbacks may call everything here but hn_portmap_free(). */
HnPortmap *hn_portmap_new (const HnPortmapOps *ops, gpointer user);
/* Says nothing to the gateway; see hn_portmap_stop(). */
void hn_portmap_free (HnPortmap *self);
/* The network is there, or has changed: verify the mapping with the same gateway, else look for one.
 * @gateway: where the default route leads; if it is not a private IPv4 address nothing is done.
 * @local: our address towards it. @port: of our UDP socket, 0 none. */
void hn_portmap_start (HnPortmap *self, const HnIp *gateway, const HnIp *local, guint16 port,
                       gint64 now_us);
/* A good moment to look again if nothing was found long ago. */
void hn_portmap_refresh (HnPortmap *self, gint64 now_us);
/* Ends everything; @release: the gateway is still there, and told. Does not call changed(). */
void hn_portmap_stop (HnPortmap *self, gboolean release);
void hn_portmap_receive (HnPortmap *self, const HnEndpoint *from, const guint8 *data, gsize len,
                         gint64 now_us);
/* @outer: NULL when there is no mapping. */
void hn_portmap_upnp_done (HnPortmap *self, const HnEndpoint *outer, guint32 lifetime_s,
                           gint64 now_us);
/* What is mapped, HN_PORTMAP_NONE and family 0 for nothing. */
HnPortmapProtocol hn_portmap_get_mapping (const HnPortmap *self, HnEndpoint *outer);
/* Whether answers may come: a socket is needed. */
gboolean hn_portmap_is_open (const HnPortmap *self);

/* When hn_portmap_tick() is due; G_MAXINT64: no timer needed. */
gint64 hn_portmap_get_deadline (const HnPortmap *self);
/* Does what is due; calling it too early does no harm. */
void hn_portmap_tick (HnPortmap *self, gint64 now_us);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnPortmap, hn_portmap_free)
