/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the mapping of a port on the router needs of this machine: a UDP socket with our mark while
 * there is something to ask or to keep, a timer, and the threads of UPnP. On the data plane's thread.
 */
#pragma once

#include "path/hn-portmap.h"

typedef struct _HnPortmapper HnPortmapper;

/* @changed: hn_portmapper_get_mapping() says something else now. */
HnPortmapper *hn_portmapper_new (guint32 mark, void (*changed) (gpointer user), gpointer user);
/* Takes the mapping away; half a second at most. */
void hn_portmapper_free (HnPortmapper *self);
/* Where the IPv4 default route leads, family 0 nowhere; counts from the next change of the network. */
void hn_portmapper_set_gateway (HnPortmapper *self, const HnIp *gateway);
/* @port: of our IPv4 socket, 0 none. */
void hn_portmapper_network_changed (HnPortmapper *self, gboolean available, guint16 port);
/* See hn_portmap_refresh(). */
void hn_portmapper_refresh (HnPortmapper *self);
HnPortmapProtocol hn_portmapper_get_mapping (const HnPortmapper *self, HnEndpoint *outer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnPortmapper, hn_portmapper_free)
