/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A port on the router by UPnP's internet gateway device, through miniupnpc. The library blocks, so
 * each exchange runs in a thread of its own; what comes of it is told on the GMainContext that was
 * thread-default when this was made. A thread that nobody waits for any more takes away what it made.
 */
#pragma once

#include "base/hn-ip.h"

typedef struct _HnUpnp HnUpnp;

/* @outer: NULL when there is no mapping, and checked to be public; @lifetime_s as asked for. */
typedef void (*HnUpnpFunc) (gpointer user, const HnEndpoint *outer, guint32 lifetime_s);

HnUpnp *hn_upnp_new (HnUpnpFunc done, gpointer user);
/* Takes the mapping away, and waits for that half a second at most. */
void hn_upnp_free (HnUpnp *self);
/* Maps a UDP port of @local, or renews that. @url: of the device's description; only its host is
 * talked to. The answer to an earlier call that is still open does not come then. */
void hn_upnp_map (HnUpnp *self, const char *url, const HnIp *local, guint16 port,
                  guint32 lifetime_s);
/* Takes the mapping away; no answer comes. */
void hn_upnp_unmap (HnUpnp *self);
/* Forgets it: its router is no longer there. */
void hn_upnp_forget (HnUpnp *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnUpnp, hn_upnp_free)
