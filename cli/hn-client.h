/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small client that headnetctl uses: the tailnets that headnetd publishes on the system bus,
 * their properties and signals, and calls with errors told apart. Private: it has no stable API.
 *
 * Reading and watching never start the service; a call that a person asked for does.
 */
#pragma once

#include "headnet-glib.h"

#define HEADNET_BUS_NAME "org.headnet.Headnet1"
#define HEADNET_MANAGER_PATH "/org/headnet/Headnet1"
#define HEADNET_MANAGER_INTERFACE "org.headnet.Headnet1.Manager"
#define HEADNET_TAILNET_INTERFACE "org.headnet.Headnet1.Tailnet"

#define HN_TYPE_CLIENT (hn_client_get_type ())
G_DECLARE_FINAL_TYPE (HnClient, hn_client, HN, CLIENT, GObject)

/* Signals:
 *   "changed" (const char *path)     a tailnet's properties changed, it came or it went
 *   "peers-changed" (const char *path, GVariant *parameters)  as the bus signal has them
 *   "running-changed" ()             the service came or went, or the bus did
 */

/* Connects to the system bus and loads what is published. A service that does not run is no error.
 */
HnClient *hn_client_new_sync (GCancellable *cancellable, GError **error);
gboolean hn_client_is_running (HnClient *self);
/* Whether the connection to the bus is gone. It does not come back: begin with a new client. */
gboolean hn_client_is_closed (HnClient *self);
/* Starts the service unless it runs, and loads what it publishes. */
gboolean hn_client_start_sync (HnClient *self, GCancellable *cancellable, GError **error);
/* Object paths, sorted by the tailnets' names. (transfer full) (element-type utf8) */
GPtrArray *hn_client_list_tailnets (HnClient *self);
gboolean hn_client_has_tailnet (HnClient *self, const char *path);
/* A cached property; NULL when there is none. (transfer full) */
GVariant *hn_client_get_property (HnClient *self, const char *path, const char *name);
/* The same as text, "" when there is none. (transfer full) */
char *hn_client_get_string (HnClient *self, const char *path, const char *name);
/* All properties as one a{sv}. (transfer full) (nullable) */
GVariant *hn_client_dup_properties (HnClient *self, const char *path);

/* A property of the manager, asked for now, without starting the service; NULL when it can not be
 * had. (transfer full) */
GVariant *hn_client_get_manager_property (HnClient *self, const char *name);

/*
 * hn_client_call_sync:
 * @path: (nullable): a tailnet, or NULL for the manager
 * @start: whether the service may be started for this call
 * @timeout_ms: -1 for the usual one
 *
 * Errors are of HEADNET_ERROR, their messages without the bus's decoration. Signals that came before
 * the reply are dispatched before this returns, so the cached properties are as new as the reply.
 *
 * Returns: (transfer full): the reply's tuple
 */
GVariant *hn_client_call_sync (HnClient *self, const char *path, const char *method,
                               GVariant *parameters, gboolean start, int timeout_ms,
                               GCancellable *cancellable, GError **error);
/* The same without waiting; ends with hn_client_call_finish(). */
void hn_client_call_async (HnClient *self, const char *path, const char *method,
                           GVariant *parameters, gboolean start, int timeout_ms,
                           GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data);
GVariant *hn_client_call_finish (HnClient *self, GAsyncResult *result, GError **error);
