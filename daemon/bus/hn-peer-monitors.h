/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who watches the figures of which peers: for each watching client a timer that asks the engine and
 * sends it a PeerStats signal of its own. Without a watcher there is none; one that leaves the bus
 * is forgotten, and one that is slower than its interval is not asked twice at a time.
 */
#pragma once

#include <gio/gio.h>

#include "engine/hn-tailnet.h"

typedef struct _HnPeerMonitors HnPeerMonitors;

#define HN_PEER_MONITOR_MAX_PEERS 200
#define HN_PEER_MONITOR_MIN_MS 200
#define HN_PEER_MONITOR_MAX_MS 60000

/* @path: of the tailnet's object. */
HnPeerMonitors *hn_peer_monitors_new (HnTailnet *tailnet, const char *path);
void hn_peer_monitors_free (HnPeerMonitors *self);

/* Begins, or replaces what the client watched before. @ids: peers as in hn_tailnet_with_peer().
 * HN_ERROR_NOT_FOUND, HN_ERROR_INVALID_ARGUMENT, HN_ERROR_BUSY with too many watchers. */
gboolean hn_peer_monitors_start (HnPeerMonitors *self, GDBusConnection *connection,
                                 const char *client, const char *const *ids, guint interval_ms,
                                 GError **error);
/* Idempotent. */
void hn_peer_monitors_stop (HnPeerMonitors *self, const char *client);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnPeerMonitors, hn_peer_monitors_free)
