/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the methods of the client see of it.
 */
#pragma once

#include "headnet-client.h"

/* (transfer none) */
GDBusConnection *headnet_client_get_connection (HeadnetClient *self);
/* Loads what there is, if the service runs. FALSE when it runs and does not answer. */
gboolean headnet_client_load_sync (HeadnetClient *self, GCancellable *cancellable, GError **error);
/* Calls back when a load that is under way has ended, or one that is begun now. */
void headnet_client_load (HeadnetClient *self, GAsyncReadyCallback callback, gpointer user_data);
gboolean headnet_client_load_finish (HeadnetClient *self, GAsyncResult *result, GError **error);
/* The tailnet of that path with these properties, an a{sv} or NULL for those that it has; put into
 * the list when it is new. (transfer none) */
HeadnetTailnet *headnet_client_take_tailnet (HeadnetClient *self, const char *path,
                                             GVariant *properties);
/* The one that is known under that path, or NULL. (transfer none) */
HeadnetTailnet *headnet_client_lookup_tailnet (HeadnetClient *self, const char *path);
