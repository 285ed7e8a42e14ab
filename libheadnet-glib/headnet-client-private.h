/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The small client that headnetctl uses: the tailnets that headnetd publishes on the system bus,
 * their properties and signals, and calls with errors told apart. Private: it has no stable API.
 *
 * Reading and watching never start the service; a call that a person asked for does.
 */
#pragma once

#include <gio/gio.h>

#define HEADNET_BUS_NAME "org.headnet.Headnet1"
#define HEADNET_MANAGER_PATH "/org/headnet/Headnet1"
#define HEADNET_MANAGER_INTERFACE "org.headnet.Headnet1.Manager"
#define HEADNET_TAILNET_INTERFACE "org.headnet.Headnet1.Tailnet"

#define HEADNET_ERROR (headnet_error_quark ())

/* One code for each error name of the bus contract, and one for a service that is not there. */
typedef enum
{
  HEADNET_ERROR_FAILED,
  HEADNET_ERROR_INVALID_ARGUMENT,
  HEADNET_ERROR_NOT_AUTHORIZED,
  HEADNET_ERROR_NOT_FOUND,
  HEADNET_ERROR_EXISTS,
  HEADNET_ERROR_NOT_CONNECTED,
  HEADNET_ERROR_NEEDS_LOGIN,
  HEADNET_ERROR_SERVER_UNREACHABLE,
  HEADNET_ERROR_SERVER_REFUSED,
  HEADNET_ERROR_TIMEOUT,
  HEADNET_ERROR_NOT_SUPPORTED,
  HEADNET_ERROR_BUSY,
  HEADNET_ERROR_NO_SERVICE,
} HeadnetError;

GQuark headnet_error_quark (void);

#define HEADNET_TYPE_CLIENT (headnet_client_get_type ())
G_DECLARE_FINAL_TYPE (HeadnetClient, headnet_client, HEADNET, CLIENT, GObject)

/* Signals:
 *   "changed" (const char *path)     a tailnet's properties changed, it came or it went
 *   "peers-changed" (const char *path, GVariant *parameters)  as the bus signal has them
 *   "running-changed" ()             the service came or went, or the bus did
 */

/* Connects to the system bus and loads what is published. A service that does not run is no error.
 */
HeadnetClient *headnet_client_new_sync (GCancellable *cancellable, GError **error);
gboolean headnet_client_is_running (HeadnetClient *self);
/* Whether the connection to the bus is gone. It does not come back: begin with a new client. */
gboolean headnet_client_is_closed (HeadnetClient *self);
/* Starts the service unless it runs, and loads what it publishes. */
gboolean headnet_client_start_sync (HeadnetClient *self, GCancellable *cancellable, GError **error);
/* Object paths, sorted by the tailnets' names. (transfer full) (element-type utf8) */
GPtrArray *headnet_client_list_tailnets (HeadnetClient *self);
gboolean headnet_client_has_tailnet (HeadnetClient *self, const char *path);
/* A cached property; NULL when there is none. (transfer full) */
GVariant *headnet_client_get_property (HeadnetClient *self, const char *path, const char *name);
/* The same as text, "" when there is none. (transfer full) */
char *headnet_client_get_string (HeadnetClient *self, const char *path, const char *name);
/* All properties as one a{sv}. (transfer full) (nullable) */
GVariant *headnet_client_dup_properties (HeadnetClient *self, const char *path);

/* A property of the manager, asked for now, without starting the service; NULL when it can not be
 * had. (transfer full) */
GVariant *headnet_client_get_manager_property (HeadnetClient *self, const char *name);

/*
 * headnet_client_call_sync:
 * @path: (nullable): a tailnet, or NULL for the manager
 * @start: whether the service may be started for this call
 * @timeout_ms: -1 for the usual one
 *
 * Errors are of HEADNET_ERROR, their messages without the bus's decoration. Signals that came before
 * the reply are dispatched before this returns, so the cached properties are as new as the reply.
 *
 * Returns: (transfer full): the reply's tuple
 */
GVariant *headnet_client_call_sync (HeadnetClient *self, const char *path, const char *method,
                                    GVariant *parameters, gboolean start, int timeout_ms,
                                    GCancellable *cancellable, GError **error);
/* The same without waiting; ends with headnet_client_call_finish(). */
void headnet_client_call_async (HeadnetClient *self, const char *path, const char *method,
                                GVariant *parameters, gboolean start, int timeout_ms,
                                GCancellable *cancellable, GAsyncReadyCallback callback,
                                gpointer data);
GVariant *headnet_client_call_finish (HeadnetClient *self, GAsyncResult *result, GError **error);
