/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One tailnet that this machine has joined or may join. The getters are named after the properties
 * of the bus, the methods after its methods.
 */
#pragma once

#include "headnet-enums.h"
#include "headnet-peer.h"
#include "headnet-relay.h"
#include "headnet-user.h"

G_BEGIN_DECLS

#define HEADNET_TYPE_TAILNET (headnet_tailnet_get_type ())

HEADNET_AVAILABLE
G_DECLARE_FINAL_TYPE (HeadnetTailnet, headnet_tailnet, HEADNET, TAILNET, GObject)

HEADNET_AVAILABLE const char *headnet_tailnet_get_object_path (HeadnetTailnet *self);
HEADNET_AVAILABLE const char *headnet_tailnet_get_id (HeadnetTailnet *self);
HEADNET_AVAILABLE const char *headnet_tailnet_get_name (HeadnetTailnet *self);
HEADNET_AVAILABLE const char *headnet_tailnet_get_server_url (HeadnetTailnet *self);
HEADNET_AVAILABLE HeadnetState headnet_tailnet_get_state (HeadnetTailnet *self);
HEADNET_AVAILABLE const char *headnet_tailnet_get_state_reason (HeadnetTailnet *self);
HEADNET_AVAILABLE gboolean headnet_tailnet_get_login_pending (HeadnetTailnet *self);
HEADNET_AVAILABLE const char *headnet_tailnet_get_domain (HeadnetTailnet *self);
HEADNET_AVAILABLE const char *headnet_tailnet_get_node_name (HeadnetTailnet *self);
HEADNET_AVAILABLE HeadnetUser *headnet_tailnet_get_user (HeadnetTailnet *self);
HEADNET_AVAILABLE const char *const *headnet_tailnet_get_addresses (HeadnetTailnet *self);
HEADNET_AVAILABLE const char *headnet_tailnet_get_interface (HeadnetTailnet *self);
HEADNET_AVAILABLE HeadnetRelay *headnet_tailnet_get_home_relay (HeadnetTailnet *self);
HEADNET_AVAILABLE gint64 headnet_tailnet_get_key_expiry (HeadnetTailnet *self);
HEADNET_AVAILABLE const char *headnet_tailnet_get_exit_node (HeadnetTailnet *self);
HEADNET_AVAILABLE GVariant *headnet_tailnet_get_preferences (HeadnetTailnet *self);
HEADNET_AVAILABLE guint headnet_tailnet_get_peer_count (HeadnetTailnet *self);
HEADNET_AVAILABLE guint64 headnet_tailnet_get_peers_generation (HeadnetTailnet *self);
HEADNET_AVAILABLE GListModel *headnet_tailnet_get_health (HeadnetTailnet *self);
HEADNET_AVAILABLE GListModel *headnet_tailnet_get_peers (HeadnetTailnet *self);
HEADNET_AVAILABLE HeadnetPeer *headnet_tailnet_find_peer (HeadnetTailnet *self, const char *id);

HEADNET_AVAILABLE void headnet_tailnet_connect_async (HeadnetTailnet *self, GVariant *options,
                                                      GCancellable *cancellable,
                                                      GAsyncReadyCallback callback,
                                                      gpointer user_data);
HEADNET_AVAILABLE gboolean headnet_tailnet_connect_finish (HeadnetTailnet *self,
                                                           GAsyncResult *result, GError **error);
HEADNET_AVAILABLE gboolean headnet_tailnet_connect_sync (HeadnetTailnet *self, GVariant *options,
                                                         GCancellable *cancellable, GError **error);

HEADNET_AVAILABLE void headnet_tailnet_disconnect_async (HeadnetTailnet *self,
                                                         GCancellable *cancellable,
                                                         GAsyncReadyCallback callback,
                                                         gpointer user_data);
HEADNET_AVAILABLE gboolean headnet_tailnet_disconnect_finish (HeadnetTailnet *self,
                                                              GAsyncResult *result, GError **error);
HEADNET_AVAILABLE gboolean headnet_tailnet_disconnect_sync (HeadnetTailnet *self,
                                                            GCancellable *cancellable,
                                                            GError **error);

HEADNET_AVAILABLE void headnet_tailnet_login_async (HeadnetTailnet *self, GVariant *options,
                                                    GCancellable *cancellable,
                                                    GAsyncReadyCallback callback,
                                                    gpointer user_data);
HEADNET_AVAILABLE gboolean headnet_tailnet_login_finish (HeadnetTailnet *self, GAsyncResult *result,
                                                         GError **error);
HEADNET_AVAILABLE gboolean headnet_tailnet_login_sync (HeadnetTailnet *self, GVariant *options,
                                                       GCancellable *cancellable, GError **error);

HEADNET_AVAILABLE void headnet_tailnet_get_login_url_async (HeadnetTailnet *self,
                                                            GCancellable *cancellable,
                                                            GAsyncReadyCallback callback,
                                                            gpointer user_data);
HEADNET_AVAILABLE char *headnet_tailnet_get_login_url_finish (HeadnetTailnet *self,
                                                              GAsyncResult *result, GError **error);
HEADNET_AVAILABLE char *headnet_tailnet_get_login_url_sync (HeadnetTailnet *self,
                                                            GCancellable *cancellable,
                                                            GError **error);

HEADNET_AVAILABLE void headnet_tailnet_logout_async (HeadnetTailnet *self,
                                                     GCancellable *cancellable,
                                                     GAsyncReadyCallback callback,
                                                     gpointer user_data);
HEADNET_AVAILABLE gboolean headnet_tailnet_logout_finish (HeadnetTailnet *self,
                                                          GAsyncResult *result, GError **error);
HEADNET_AVAILABLE gboolean headnet_tailnet_logout_sync (HeadnetTailnet *self,
                                                        GCancellable *cancellable, GError **error);

HEADNET_AVAILABLE void headnet_tailnet_set_preferences_async (HeadnetTailnet *self,
                                                              GVariant *preferences,
                                                              GCancellable *cancellable,
                                                              GAsyncReadyCallback callback,
                                                              gpointer user_data);
HEADNET_AVAILABLE gboolean headnet_tailnet_set_preferences_finish (HeadnetTailnet *self,
                                                                   GAsyncResult *result,
                                                                   GError **error);
HEADNET_AVAILABLE gboolean headnet_tailnet_set_preferences_sync (HeadnetTailnet *self,
                                                                 GVariant *preferences,
                                                                 GCancellable *cancellable,
                                                                 GError **error);

HEADNET_AVAILABLE void headnet_tailnet_get_peer_async (HeadnetTailnet *self, const char *peer,
                                                       GCancellable *cancellable,
                                                       GAsyncReadyCallback callback,
                                                       gpointer user_data);
HEADNET_AVAILABLE HeadnetPeer *
headnet_tailnet_get_peer_finish (HeadnetTailnet *self, GAsyncResult *result, GError **error);
HEADNET_AVAILABLE HeadnetPeer *headnet_tailnet_get_peer_sync (HeadnetTailnet *self,
                                                              const char *peer,
                                                              GCancellable *cancellable,
                                                              GError **error);

HEADNET_AVAILABLE void
headnet_tailnet_monitor_peers_async (HeadnetTailnet *self, const char *const *peers,
                                     guint interval_ms, GCancellable *cancellable,
                                     GAsyncReadyCallback callback, gpointer user_data);
HEADNET_AVAILABLE gboolean headnet_tailnet_monitor_peers_finish (HeadnetTailnet *self,
                                                                 GAsyncResult *result,
                                                                 GError **error);
HEADNET_AVAILABLE gboolean headnet_tailnet_monitor_peers_sync (HeadnetTailnet *self,
                                                               const char *const *peers,
                                                               guint interval_ms,
                                                               GCancellable *cancellable,
                                                               GError **error);

HEADNET_AVAILABLE void headnet_tailnet_stop_monitor_async (HeadnetTailnet *self,
                                                           GCancellable *cancellable,
                                                           GAsyncReadyCallback callback,
                                                           gpointer user_data);
HEADNET_AVAILABLE gboolean headnet_tailnet_stop_monitor_finish (HeadnetTailnet *self,
                                                                GAsyncResult *result,
                                                                GError **error);
HEADNET_AVAILABLE gboolean headnet_tailnet_stop_monitor_sync (HeadnetTailnet *self,
                                                              GCancellable *cancellable,
                                                              GError **error);

HEADNET_AVAILABLE void headnet_tailnet_ping_async (HeadnetTailnet *self, const char *target,
                                                   GVariant *options, GCancellable *cancellable,
                                                   GAsyncReadyCallback callback,
                                                   gpointer user_data);
HEADNET_AVAILABLE GVariant *headnet_tailnet_ping_finish (HeadnetTailnet *self, GAsyncResult *result,
                                                         GError **error);
HEADNET_AVAILABLE GVariant *headnet_tailnet_ping_sync (HeadnetTailnet *self, const char *target,
                                                       GVariant *options, GCancellable *cancellable,
                                                       GError **error);

HEADNET_AVAILABLE void headnet_tailnet_netcheck_async (HeadnetTailnet *self,
                                                       GCancellable *cancellable,
                                                       GAsyncReadyCallback callback,
                                                       gpointer user_data);
HEADNET_AVAILABLE GVariant *headnet_tailnet_netcheck_finish (HeadnetTailnet *self,
                                                             GAsyncResult *result, GError **error);
HEADNET_AVAILABLE GVariant *
headnet_tailnet_netcheck_sync (HeadnetTailnet *self, GCancellable *cancellable, GError **error);

HEADNET_AVAILABLE void headnet_tailnet_get_network_config_async (HeadnetTailnet *self,
                                                                 GCancellable *cancellable,
                                                                 GAsyncReadyCallback callback,
                                                                 gpointer user_data);
HEADNET_AVAILABLE GVariant *headnet_tailnet_get_network_config_finish (HeadnetTailnet *self,
                                                                       GAsyncResult *result,
                                                                       GError **error);
HEADNET_AVAILABLE GVariant *headnet_tailnet_get_network_config_sync (HeadnetTailnet *self,
                                                                     GCancellable *cancellable,
                                                                     GError **error);

G_END_DECLS
