/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a client does with a tailnet: it makes it, and brings it what the bus says.
 */
#pragma once

#include "headnet-tailnet.h"

/* Empty until it is updated. (transfer full) */
HeadnetTailnet *headnet_tailnet_new (GDBusConnection *connection, const char *path);
/* (transfer none) */
GDBusConnection *headnet_tailnet_get_connection (HeadnetTailnet *self);
/* Takes properties over, those that the a{sv} has. */
void headnet_tailnet_update (HeadnetTailnet *self, GVariant *dict);
/* The service is gone: it is stopped and has no peers. */
void headnet_tailnet_set_stopped (HeadnetTailnet *self);
/* A signal of its interface. */
void headnet_tailnet_handle_signal (HeadnetTailnet *self, const char *name, GVariant *parameters);
/* Asks for the whole list of peers. */
gboolean headnet_tailnet_load_peers_sync (HeadnetTailnet *self, GCancellable *cancellable,
                                          GError **error);
/* The same without waiting; @callback, nullable, is called when the answer is in, whatever it is. */
void headnet_tailnet_load_peers (HeadnetTailnet *self, GAsyncReadyCallback callback,
                                 gpointer user_data);
/* The peer that GetPeer answered with: that of the list, if it is there. (transfer full) */
HeadnetPeer *headnet_tailnet_take_peer (HeadnetTailnet *self, GVariant *reply, GError **error);
