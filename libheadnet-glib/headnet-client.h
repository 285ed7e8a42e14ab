/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The service of this machine: the list of its tailnets, kept current.
 */
#pragma once

#include "headnet-enums.h"
#include "headnet-tailnet.h"

G_BEGIN_DECLS

#define HEADNET_TYPE_CLIENT (headnet_client_get_type ())

HEADNET_AVAILABLE
G_DECLARE_FINAL_TYPE (HeadnetClient, headnet_client, HEADNET, CLIENT, GObject)

HEADNET_AVAILABLE void headnet_client_new (GCancellable *cancellable, GAsyncReadyCallback callback,
                                           gpointer user_data);
HEADNET_AVAILABLE HeadnetClient *headnet_client_new_finish (GAsyncResult *result, GError **error);
HEADNET_AVAILABLE HeadnetClient *headnet_client_new_sync (GCancellable *cancellable,
                                                          GError **error);

HEADNET_AVAILABLE gboolean headnet_client_get_running (HeadnetClient *self);
HEADNET_AVAILABLE const char *headnet_client_get_version (HeadnetClient *self);
HEADNET_AVAILABLE GListModel *headnet_client_get_tailnets (HeadnetClient *self);
HEADNET_AVAILABLE HeadnetTailnet *headnet_client_find_tailnet (HeadnetClient *self,
                                                               const char *name);

HEADNET_AVAILABLE void headnet_client_start_async (HeadnetClient *self, GCancellable *cancellable,
                                                   GAsyncReadyCallback callback,
                                                   gpointer user_data);
HEADNET_AVAILABLE gboolean headnet_client_start_finish (HeadnetClient *self, GAsyncResult *result,
                                                        GError **error);
HEADNET_AVAILABLE gboolean headnet_client_start_sync (HeadnetClient *self,
                                                      GCancellable *cancellable, GError **error);

HEADNET_AVAILABLE void headnet_client_add_tailnet_async (HeadnetClient *self, GVariant *settings,
                                                         GCancellable *cancellable,
                                                         GAsyncReadyCallback callback,
                                                         gpointer user_data);
HEADNET_AVAILABLE HeadnetTailnet *
headnet_client_add_tailnet_finish (HeadnetClient *self, GAsyncResult *result, GError **error);
HEADNET_AVAILABLE HeadnetTailnet *headnet_client_add_tailnet_sync (HeadnetClient *self,
                                                                   GVariant *settings,
                                                                   GCancellable *cancellable,
                                                                   GError **error);

HEADNET_AVAILABLE void headnet_client_remove_tailnet_async (HeadnetClient *self,
                                                            HeadnetTailnet *tailnet,
                                                            GCancellable *cancellable,
                                                            GAsyncReadyCallback callback,
                                                            gpointer user_data);
HEADNET_AVAILABLE gboolean headnet_client_remove_tailnet_finish (HeadnetClient *self,
                                                                 GAsyncResult *result,
                                                                 GError **error);
HEADNET_AVAILABLE gboolean headnet_client_remove_tailnet_sync (HeadnetClient *self,
                                                               HeadnetTailnet *tailnet,
                                                               GCancellable *cancellable,
                                                               GError **error);

HEADNET_AVAILABLE void headnet_client_check_server_async (HeadnetClient *self, const char *url,
                                                          GVariant *options,
                                                          GCancellable *cancellable,
                                                          GAsyncReadyCallback callback,
                                                          gpointer user_data);
HEADNET_AVAILABLE GVariant *
headnet_client_check_server_finish (HeadnetClient *self, GAsyncResult *result, GError **error);
HEADNET_AVAILABLE GVariant *headnet_client_check_server_sync (HeadnetClient *self, const char *url,
                                                              GVariant *options,
                                                              GCancellable *cancellable,
                                                              GError **error);

G_END_DECLS
