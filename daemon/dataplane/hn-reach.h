/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How we can be reached, on the data plane's thread: the tunnel's UDP sockets, the looks at the
 * network through them, a port on the router, and the list of our own endpoints that comes of it. Looks are taken when the
 * network or the map changed, when somebody asks, and now and then while traffic flows, so that what
 * peers are told stays true; never while all is quiet.
 */
#pragma once

#include "model/hn-derp-map.h"
#include "model/hn-hostinfo.h"
#include "net/hn-dialer.h"
#include "path/hn-netcheck.h"

typedef struct _HnReach HnReach;

typedef struct
{
  /* A datagram that is not STUN. */
  void (*receive) (gpointer user, const HnEndpoint *from, guint8 *data, gsize len);
  void (*send_failed) (gpointer user, const HnEndpoint *to, int error);
  /* The sockets are new, or gone: before anything else is told about the network. */
  void (*reopened) (gpointer user, gboolean available);
  /* A look ended; @changed: the list is another than the last one. */
  void (*endpoints) (gpointer user, const HnTypedEndpoint *endpoints, gsize n, gboolean changed);
  /* @asked: it is what hn_reach_check() promised. @report: then NULL when the network went away. */
  void (*checked) (gpointer user, HnNetReport *report, gboolean asked);
} HnReachOps;

/* @dialer: for measuring relays by HTTP, nullable. @port: of the sockets, 0 any. */
HnReach *hn_reach_new (HnDialer *dialer, const char *server_url, guint32 mark, guint16 port,
                       const HnReachOps *ops, gpointer user);
void hn_reach_free (HnReach *self);
void hn_reach_set_map (HnReach *self, HnDerpMap *map); /* nullable */
/* Addresses of this machine's own interfaces. */
void hn_reach_set_local_addresses (HnReach *self, const HnIp *addresses, gsize n);
/* Where the IPv4 default route leads, family 0 nowhere; counts from the next change of the network. */
void hn_reach_set_gateway (HnReach *self, const HnIp *gateway);
/* The tailnet's own addresses: never where we are reached. */
void hn_reach_set_forbidden (HnReach *self, const HnPrefix *prefixes, gsize n);
void hn_reach_set_control_reachable (HnReach *self, gboolean reachable);
/* @available FALSE: all is still. TRUE: new sockets on the same port, and a full look. */
void hn_reach_network_changed (HnReach *self, gboolean available);
/* A full look for somebody who wants to know; ops.checked() tells. FALSE: there is nothing to look
 * at. */
gboolean hn_reach_check (HnReach *self);
/* Endpoints are wanted fresh: a short look; ops.endpoints() tells. */
void hn_reach_refresh (HnReach *self);
/* A frame of that region's relay came. */
void hn_reach_heard (HnReach *self, int region, gint64 now_us);

/* Queues a datagram; see hn_udp_send(). */
int hn_reach_send (HnReach *self, const HnEndpoint *to, const guint8 *data, gsize len);
void hn_reach_flush (HnReach *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnReach, hn_reach_free)
