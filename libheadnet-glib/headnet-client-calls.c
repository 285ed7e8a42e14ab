/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the service can be asked to do that is no tailnet's own matter. */
#include "headnet-call-private.h"
#include "headnet-client-private.h"
#include "headnet-error.h"
#include "headnet-tailnet-private.h"

static HeadnetCall
make_call (HeadnetClient *self, const char *method, const char *reply_type)
{
  return (HeadnetCall){
    .connection = headnet_client_get_connection (self),
    .path = HEADNET_MANAGER_PATH,
    .interface = HEADNET_MANAGER_INTERFACE,
    .method = method,
    .reply_type = reply_type,
    .start = TRUE,
  };
}

/* ---- start ---- */

/* A ping is a call like any other: the bus starts whom it is for. */
static HeadnetCall
start_call (HeadnetClient *self)
{
  HeadnetCall call = make_call (self, "Ping", "()");

  call.interface = "org.freedesktop.DBus.Peer";
  return call;
}

static void
set_ended (GError **error)
{
  g_set_error_literal (error, HEADNET_ERROR, HEADNET_ERROR_NO_SERVICE,
                       "The service headnetd ended as soon as it was started");
}

static void
on_start_loaded (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = G_TASK (user_data);
  HeadnetClient *self = HEADNET_CLIENT (source);
  g_autoptr (GError) error = NULL;

  if (headnet_client_load_finish (self, result, &error) && !headnet_client_get_running (self))
    set_ended (&error);
  if (error != NULL)
    g_task_return_error (task, g_steal_pointer (&error));
  else
    g_task_return_boolean (task, TRUE);
}

static void
on_started (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = G_TASK (user_data);
  HeadnetClient *self = HEADNET_CLIENT (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_client_start_async, result, &error);

  if (reply == NULL)
    g_task_return_error (task, g_steal_pointer (&error));
  else if (headnet_client_get_running (self))
    g_task_return_boolean (task, TRUE);
  else
    headnet_client_load (self, on_start_loaded, g_steal_pointer (&task));
}

/**
 * headnet_client_start_async:
 * @self: a client
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Starts the service unless it runs, and loads what it has.
 *
 * Since: 1.0
 */
void
headnet_client_start_async (HeadnetClient *self, GCancellable *cancellable,
                            GAsyncReadyCallback callback, gpointer user_data)
{
  HeadnetCall call;
  GTask *task;

  g_return_if_fail (HEADNET_IS_CLIENT (self));
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, headnet_client_start_async);
  call = start_call (self);
  headnet_call_async (&call, NULL, self, headnet_client_start_async, cancellable, on_started, task);
}

/**
 * headnet_client_start_finish:
 * @self: a client
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Client.start_async].
 *
 * Returns: %TRUE once the service runs and is loaded
 *
 * Since: 1.0
 */
gboolean
headnet_client_start_finish (HeadnetClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, headnet_client_start_async), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

/**
 * headnet_client_start_sync:
 * @self: a client
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Starts the service unless it runs, and loads what it has. Waits until it is done.
 *
 * Returns: %TRUE once the service runs and is loaded
 *
 * Since: 1.0
 */
gboolean
headnet_client_start_sync (HeadnetClient *self, GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) reply = NULL;
  HeadnetCall call;

  g_return_val_if_fail (HEADNET_IS_CLIENT (self), FALSE);
  call = start_call (self);
  reply = headnet_call_sync (&call, NULL, cancellable, error);
  if (reply == NULL)
    return FALSE;
  if (headnet_client_get_running (self))
    return TRUE;
  if (!headnet_client_load_sync (self, cancellable, error))
    return FALSE;
  if (!headnet_client_get_running (self))
    set_ended (error);
  return headnet_client_get_running (self);
}

/* ---- adding ---- */

static HeadnetCall
properties_call (HeadnetClient *self, const char *path)
{
  HeadnetCall call = make_call (self, "GetAll", "(a{sv})");

  call.path = path;
  call.interface = "org.freedesktop.DBus.Properties";
  call.start = FALSE;
  return call;
}

static HeadnetTailnet *
take_new (HeadnetClient *self, const char *path, GVariant *reply)
{
  g_autoptr (GVariant) dict = g_variant_get_child_value (reply, 0);

  return g_object_ref (headnet_client_take_tailnet (self, path, dict));
}

static void
on_new_properties (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = G_TASK (user_data);
  HeadnetClient *self = HEADNET_CLIENT (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = headnet_call_finish (self, on_new_properties, result, &error);

  if (reply == NULL)
    g_task_return_error (task, g_steal_pointer (&error));
  else
    g_task_return_pointer (task, take_new (self, g_task_get_task_data (task), reply),
                           g_object_unref);
}

static void
on_added (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = G_TASK (user_data);
  HeadnetClient *self = HEADNET_CLIENT (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_client_add_tailnet_async, result, &error);
  GCancellable *cancellable = g_task_get_cancellable (task);
  HeadnetCall call;
  char *path;

  if (reply == NULL)
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  g_variant_get (reply, "(o)", &path);
  g_task_set_task_data (task, path, g_free);
  call = properties_call (self, path);
  headnet_call_async (&call, g_variant_new ("(s)", HEADNET_TAILNET_INTERFACE), self,
                      on_new_properties, cancellable, on_new_properties, g_steal_pointer (&task));
}

/**
 * headnet_client_add_tailnet_async:
 * @self: a client
 * @settings: an `a{sv}` with the settings, named as on the bus; `ServerUrl` is required
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Remembers a new tailnet. It is neither enrolled nor connected by this.
 *
 * Since: 1.0
 */
void
headnet_client_add_tailnet_async (HeadnetClient *self, GVariant *settings,
                                  GCancellable *cancellable, GAsyncReadyCallback callback,
                                  gpointer user_data)
{
  HeadnetCall call;
  GTask *task;

  g_return_if_fail (HEADNET_IS_CLIENT (self));
  g_return_if_fail (settings != NULL);
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, headnet_client_add_tailnet_async);
  call = make_call (self, "AddTailnet", "(o)");
  headnet_call_async (&call, g_variant_new ("(@a{sv})", settings), self,
                      headnet_client_add_tailnet_async, cancellable, on_added, task);
}

/**
 * headnet_client_add_tailnet_finish:
 * @self: a client
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Client.add_tailnet_async].
 *
 * Returns: (transfer full): the new tailnet, which is in the list as well
 *
 * Since: 1.0
 */
HeadnetTailnet *
headnet_client_add_tailnet_finish (HeadnetClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, headnet_client_add_tailnet_async), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * headnet_client_add_tailnet_sync:
 * @self: a client
 * @settings: an `a{sv}` with the settings, named as on the bus; `ServerUrl` is required
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Remembers a new tailnet. It is neither enrolled nor connected by this. Waits until it is done.
 *
 * Returns: (transfer full): the new tailnet, which is in the list as well
 *
 * Since: 1.0
 */
HeadnetTailnet *
headnet_client_add_tailnet_sync (HeadnetClient *self, GVariant *settings, GCancellable *cancellable,
                                 GError **error)
{
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) added = NULL;
  const char *path;
  HeadnetCall call;

  g_return_val_if_fail (HEADNET_IS_CLIENT (self), NULL);
  g_return_val_if_fail (settings != NULL, NULL);
  call = make_call (self, "AddTailnet", "(o)");
  reply = headnet_call_sync (&call, g_variant_new ("(@a{sv})", settings), cancellable, error);
  if (reply == NULL)
    return NULL;
  g_variant_get (reply, "(&o)", &path);
  call = properties_call (self, path);
  added = headnet_call_sync (&call, g_variant_new ("(s)", HEADNET_TAILNET_INTERFACE), cancellable,
                             error);
  return added != NULL ? take_new (self, path, added) : NULL;
}

/* ---- removing ---- */

/**
 * headnet_client_remove_tailnet_async:
 * @self: a client
 * @tailnet: which one
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Disconnects a tailnet, logs out where the server can be reached, and forgets its keys and settings.
 *
 * Since: 1.0
 */
void
headnet_client_remove_tailnet_async (HeadnetClient *self, HeadnetTailnet *tailnet,
                                     GCancellable *cancellable, GAsyncReadyCallback callback,
                                     gpointer user_data)
{
  HeadnetCall call;

  g_return_if_fail (HEADNET_IS_CLIENT (self));
  g_return_if_fail (HEADNET_IS_TAILNET (tailnet));
  call = make_call (self, "RemoveTailnet", "()");
  headnet_call_async (&call, g_variant_new ("(o)", headnet_tailnet_get_object_path (tailnet)), self,
                      headnet_client_remove_tailnet_async, cancellable, callback, user_data);
}

/**
 * headnet_client_remove_tailnet_finish:
 * @self: a client
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Client.remove_tailnet_async].
 *
 * Returns: %TRUE once it is gone
 *
 * Since: 1.0
 */
gboolean
headnet_client_remove_tailnet_finish (HeadnetClient *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_client_remove_tailnet_async, result, error);

  return reply != NULL;
}

/**
 * headnet_client_remove_tailnet_sync:
 * @self: a client
 * @tailnet: which one
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Disconnects a tailnet, logs out where the server can be reached, and forgets its keys and settings.
 * Waits until it is done.
 *
 * Returns: %TRUE once it is gone
 *
 * Since: 1.0
 */
gboolean
headnet_client_remove_tailnet_sync (HeadnetClient *self, HeadnetTailnet *tailnet,
                                    GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) reply = NULL;
  HeadnetCall call;

  g_return_val_if_fail (HEADNET_IS_CLIENT (self), FALSE);
  g_return_val_if_fail (HEADNET_IS_TAILNET (tailnet), FALSE);
  call = make_call (self, "RemoveTailnet", "()");
  reply = headnet_call_sync (
      &call, g_variant_new ("(o)", headnet_tailnet_get_object_path (tailnet)), cancellable, error);
  return reply != NULL;
}

/* ---- checking ---- */

/**
 * headnet_client_check_server_async:
 * @self: a client
 * @url: address of a coordination server
 * @options: (nullable): an `a{sv}` with the options of the bus method, or %NULL
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is done
 * @user_data: for @callback
 *
 * Tries each step of reaching a server. A step that fails is an answer, not an error.
 *
 * Since: 1.0
 */
void
headnet_client_check_server_async (HeadnetClient *self, const char *url, GVariant *options,
                                   GCancellable *cancellable, GAsyncReadyCallback callback,
                                   gpointer user_data)
{
  HeadnetCall call;

  g_return_if_fail (HEADNET_IS_CLIENT (self));
  g_return_if_fail (url != NULL);
  call = make_call (self, "CheckServer", "(aa{sv})");
  headnet_call_async (&call, g_variant_new ("(s@a{sv})", url, headnet_call_options (options)), self,
                      headnet_client_check_server_async, cancellable, callback, user_data);
}

/**
 * headnet_client_check_server_finish:
 * @self: a client
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Headnet.Client.check_server_async].
 *
 * Returns: (transfer full): an `aa{sv}`, one dictionary a step that was tried, keys as on the bus
 *
 * Since: 1.0
 */
GVariant *
headnet_client_check_server_finish (HeadnetClient *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_client_check_server_async, result, error);

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

/**
 * headnet_client_check_server_sync:
 * @self: a client
 * @url: address of a coordination server
 * @options: (nullable): an `a{sv}` with the options of the bus method, or %NULL
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Tries each step of reaching a server. A step that fails is an answer, not an error. Waits until it
 * is done.
 *
 * Returns: (transfer full): an `aa{sv}`, one dictionary a step that was tried, keys as on the bus
 *
 * Since: 1.0
 */
GVariant *
headnet_client_check_server_sync (HeadnetClient *self, const char *url, GVariant *options,
                                  GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) reply = NULL;
  HeadnetCall call;

  g_return_val_if_fail (HEADNET_IS_CLIENT (self), NULL);
  g_return_val_if_fail (url != NULL, NULL);
  call = make_call (self, "CheckServer", "(aa{sv})");
  reply = headnet_call_sync (
      &call, g_variant_new ("(s@a{sv})", url, headnet_call_options (options)), cancellable, error);
  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}
