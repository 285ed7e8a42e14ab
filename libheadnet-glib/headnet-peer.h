/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Another machine of a tailnet. The getters are named after the keys of the bus.
 */
#pragma once

#include "headnet-enums.h"
#include "headnet-user.h"

G_BEGIN_DECLS

#define HEADNET_TYPE_PEER (headnet_peer_get_type ())

HEADNET_AVAILABLE
G_DECLARE_FINAL_TYPE (HeadnetPeer, headnet_peer, HEADNET, PEER, GObject)

HEADNET_AVAILABLE const char *headnet_peer_get_id (HeadnetPeer *self);
HEADNET_AVAILABLE const char *headnet_peer_get_name (HeadnetPeer *self);
HEADNET_AVAILABLE const char *headnet_peer_get_host_name (HeadnetPeer *self);
HEADNET_AVAILABLE const char *const *headnet_peer_get_addresses (HeadnetPeer *self);
HEADNET_AVAILABLE HeadnetUser *headnet_peer_get_user (HeadnetPeer *self);
HEADNET_AVAILABLE const char *headnet_peer_get_os (HeadnetPeer *self);
HEADNET_AVAILABLE const char *const *headnet_peer_get_tags (HeadnetPeer *self);
HEADNET_AVAILABLE gboolean headnet_peer_get_online (HeadnetPeer *self);
HEADNET_AVAILABLE gint64 headnet_peer_get_last_seen (HeadnetPeer *self);
HEADNET_AVAILABLE gint64 headnet_peer_get_key_expiry (HeadnetPeer *self);
HEADNET_AVAILABLE gboolean headnet_peer_get_expired (HeadnetPeer *self);
HEADNET_AVAILABLE const char *const *headnet_peer_get_routes (HeadnetPeer *self);
HEADNET_AVAILABLE gboolean headnet_peer_get_exit_node_option (HeadnetPeer *self);
HEADNET_AVAILABLE HeadnetPath headnet_peer_get_path (HeadnetPeer *self);
HEADNET_AVAILABLE const char *headnet_peer_get_endpoint (HeadnetPeer *self);
HEADNET_AVAILABLE const char *headnet_peer_get_relay (HeadnetPeer *self);
HEADNET_AVAILABLE guint64 headnet_peer_get_latency (HeadnetPeer *self);
HEADNET_AVAILABLE gint64 headnet_peer_get_last_handshake (HeadnetPeer *self);
HEADNET_AVAILABLE guint64 headnet_peer_get_rx_bytes (HeadnetPeer *self);
HEADNET_AVAILABLE guint64 headnet_peer_get_tx_bytes (HeadnetPeer *self);
HEADNET_AVAILABLE gboolean headnet_peer_get_online_known (HeadnetPeer *self);

G_END_DECLS
