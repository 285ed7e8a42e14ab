/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "headnet-call-private.h"

#include "headnet-error.h"

static GDBusCallFlags
flags_of (const HeadnetCall *call)
{
  if (!call->start)
    return G_DBUS_CALL_FLAGS_NO_AUTO_START;
  return G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION;
}

GVariant *
headnet_call_sync (const HeadnetCall *call, GVariant *parameters, GCancellable *cancellable,
                   GError **error)
{
  g_autoptr (GError) local = NULL;
  GVariant *reply = g_dbus_connection_call_sync (call->connection, HEADNET_BUS_NAME, call->path,
                                                 call->interface, call->method, parameters,
                                                 G_VARIANT_TYPE (call->reply_type), flags_of (call),
                                                 HEADNET_CALL_TIMEOUT_MS, cancellable, &local);

  if (reply == NULL)
    g_propagate_error (error, headnet_error_new_from_bus (local));
  return reply;
}

static void
on_called (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = G_TASK (user_data);
  g_autoptr (GError) error = NULL;
  GVariant *reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);

  if (reply != NULL)
    g_task_return_pointer (task, reply, (GDestroyNotify) g_variant_unref);
  else
    g_task_return_error (task, headnet_error_new_from_bus (error));
}

void
headnet_call_async (const HeadnetCall *call, GVariant *parameters, gpointer source, gpointer tag,
                    GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (source, cancellable, callback, user_data);

  g_task_set_source_tag (task, tag);
  g_dbus_connection_call (call->connection, HEADNET_BUS_NAME, call->path, call->interface,
                          call->method, parameters, G_VARIANT_TYPE (call->reply_type),
                          flags_of (call), HEADNET_CALL_TIMEOUT_MS, cancellable, on_called, task);
}

GVariant *
headnet_call_finish (gpointer source, gpointer tag, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, source), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, tag), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

GVariant *
headnet_call_options (GVariant *options)
{
  return options != NULL ? options : g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0);
}
