/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "headnet-client-private.h"

#include <string.h>

#define LOAD_TIMEOUT_S 10
#define ERROR_PREFIX "org.headnet.Headnet1.Error."

struct _HeadnetClient
{
  GObject parent_instance;

  GDBusConnection *connection; /* owned */
  GDBusObjectManager *manager; /* owned */
  guint peers_subscription;
  gboolean running; /* as the last signal told */
};

enum
{
  CHANGED,
  PEERS_CHANGED,
  RUNNING_CHANGED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (HeadnetClient, headnet_client, G_TYPE_OBJECT)
G_DEFINE_QUARK (headnet - error - quark, headnet_error)

static void
headnet_client_dispose (GObject *object)
{
  HeadnetClient *self = HEADNET_CLIENT (object);

  if (self->peers_subscription != 0)
    g_dbus_connection_signal_unsubscribe (self->connection, self->peers_subscription);
  self->peers_subscription = 0;
  if (self->manager != NULL)
    g_signal_handlers_disconnect_by_data (self->manager, self);
  if (self->connection != NULL)
    g_signal_handlers_disconnect_by_data (self->connection, self);
  g_clear_object (&self->manager);
  g_clear_object (&self->connection);
  G_OBJECT_CLASS (headnet_client_parent_class)->dispose (object);
}

static void
headnet_client_class_init (HeadnetClientClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = headnet_client_dispose;

  signals[CHANGED] = g_signal_new ("changed", HEADNET_TYPE_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  signals[PEERS_CHANGED]
      = g_signal_new ("peers-changed", HEADNET_TYPE_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                      G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_VARIANT);
  signals[RUNNING_CHANGED] = g_signal_new ("running-changed", HEADNET_TYPE_CLIENT,
                                           G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
headnet_client_init (HeadnetClient *self)
{
}

static void
on_properties_changed (GDBusObjectManagerClient *manager, GDBusObjectProxy *object,
                       GDBusProxy *proxy, GVariant *changed, const char *const *invalidated,
                       gpointer user_data)
{
  g_signal_emit (user_data, signals[CHANGED], 0,
                 g_dbus_object_get_object_path (G_DBUS_OBJECT (object)));
}

static void
on_object_changed (GDBusObjectManager *manager, GDBusObject *object, gpointer user_data)
{
  g_signal_emit (user_data, signals[CHANGED], 0, g_dbus_object_get_object_path (object));
}

static void
on_name_owner_changed (GObject *manager, GParamSpec *pspec, gpointer user_data)
{
  HeadnetClient *self = user_data;
  gboolean running = headnet_client_is_running (self);

  /* the manager may tell the same owner more than once */
  if (running == self->running)
    return;
  self->running = running;
  g_signal_emit (self, signals[RUNNING_CHANGED], 0);
}

static void
on_closed (GDBusConnection *connection, gboolean remote_peer_vanished, GError *error,
           gpointer user_data)
{
  HeadnetClient *self = user_data;

  self->running = FALSE;
  g_signal_emit (self, signals[RUNNING_CHANGED], 0);
}

static void
on_peers_changed (GDBusConnection *connection, const char *sender, const char *path,
                  const char *interface, const char *signal, GVariant *parameters,
                  gpointer user_data)
{
  if (g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(taa{sv}as)")))
    g_signal_emit (user_data, signals[PEERS_CHANGED], 0, path, parameters);
}

HeadnetClient *
headnet_client_new_sync (GCancellable *cancellable, GError **error)
{
  g_autoptr (HeadnetClient) self = g_object_new (HEADNET_TYPE_CLIENT, NULL);
  g_autoptr (GError) local = NULL;

  self->connection = g_bus_get_sync (G_BUS_TYPE_SYSTEM, cancellable, &local);
  if (self->connection != NULL)
    {
      /* a bus that ends is for the program to explain, it shall not be killed by it */
      g_dbus_connection_set_exit_on_close (self->connection, FALSE);
      g_signal_connect (self->connection, "closed", G_CALLBACK (on_closed), self);
    }
  if (self->connection != NULL)
    self->manager = g_dbus_object_manager_client_new_sync (
        self->connection, G_DBUS_OBJECT_MANAGER_CLIENT_FLAGS_DO_NOT_AUTO_START, HEADNET_BUS_NAME,
        HEADNET_MANAGER_PATH, NULL, NULL, NULL, cancellable, &local);
  if (self->manager == NULL)
    {
      g_set_error (error, HEADNET_ERROR, HEADNET_ERROR_NO_SERVICE,
                   "The system bus can not be reached: %s", local->message);
      return NULL;
    }
  g_signal_connect (self->manager, "interface-proxy-properties-changed",
                    G_CALLBACK (on_properties_changed), self);
  g_signal_connect (self->manager, "object-added", G_CALLBACK (on_object_changed), self);
  g_signal_connect (self->manager, "object-removed", G_CALLBACK (on_object_changed), self);
  g_signal_connect (self->manager, "notify::name-owner", G_CALLBACK (on_name_owner_changed), self);
  self->peers_subscription = g_dbus_connection_signal_subscribe (
      self->connection, HEADNET_BUS_NAME, HEADNET_TAILNET_INTERFACE, "PeersChanged", NULL, NULL,
      G_DBUS_SIGNAL_FLAGS_NONE, on_peers_changed, self, NULL);
  self->running = headnet_client_is_running (self);
  return g_steal_pointer (&self);
}

gboolean
headnet_client_is_closed (HeadnetClient *self)
{
  return g_dbus_connection_is_closed (self->connection);
}

gboolean
headnet_client_is_running (HeadnetClient *self)
{
  g_autofree char *owner
      = g_dbus_object_manager_client_get_name_owner (G_DBUS_OBJECT_MANAGER_CLIENT (self->manager));

  return owner != NULL && !headnet_client_is_closed (self);
}

static GDBusProxy *
get_proxy (HeadnetClient *self, const char *path)
{
  g_autoptr (GDBusInterface) interface = g_dbus_object_manager_get_interface (
      self->manager, path, HEADNET_TAILNET_INTERFACE);

  return interface != NULL ? G_DBUS_PROXY (g_steal_pointer (&interface)) : NULL;
}

typedef struct
{
  char *name;
  char *path;
} Named;

static gint
compare_named (gconstpointer a, gconstpointer b)
{
  const Named *first = a;
  const Named *second = b;
  int order = g_utf8_collate (first->name, second->name);

  return order != 0 ? order : strcmp (first->path, second->path);
}

GPtrArray *
headnet_client_list_tailnets (HeadnetClient *self)
{
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GArray) named = g_array_new (FALSE, FALSE, sizeof (Named));
  GList *objects = g_dbus_object_manager_get_objects (self->manager);

  for (GList *l = objects; l != NULL; l = l->next)
    {
      const char *path = g_dbus_object_get_object_path (l->data);
      g_autoptr (GDBusProxy) proxy = get_proxy (self, path);
      Named item;

      if (proxy == NULL)
        continue;
      item.name = headnet_client_get_string (self, path, "Name");
      item.path = g_strdup (path);
      g_array_append_val (named, item);
    }
  g_list_free_full (objects, g_object_unref);
  g_array_sort (named, compare_named);
  for (guint i = 0; i < named->len; i++)
    {
      g_ptr_array_add (paths, g_array_index (named, Named, i).path);
      g_free (g_array_index (named, Named, i).name);
    }
  return paths;
}

gboolean
headnet_client_has_tailnet (HeadnetClient *self, const char *path)
{
  g_autoptr (GDBusProxy) proxy = get_proxy (self, path);

  return proxy != NULL;
}

GVariant *
headnet_client_get_property (HeadnetClient *self, const char *path, const char *name)
{
  g_autoptr (GDBusProxy) proxy = get_proxy (self, path);

  return proxy != NULL ? g_dbus_proxy_get_cached_property (proxy, name) : NULL;
}

char *
headnet_client_get_string (HeadnetClient *self, const char *path, const char *name)
{
  g_autoptr (GVariant) value = headnet_client_get_property (self, path, name);

  return value != NULL && g_variant_is_of_type (value, G_VARIANT_TYPE_STRING)
             ? g_variant_dup_string (value, NULL)
             : g_strdup ("");
}

GVariant *
headnet_client_dup_properties (HeadnetClient *self, const char *path)
{
  g_autoptr (GDBusProxy) proxy = get_proxy (self, path);
  g_auto (GStrv) names = NULL;
  GVariantBuilder builder;

  if (proxy == NULL)
    return NULL;
  names = g_dbus_proxy_get_cached_property_names (proxy);
  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  for (guint i = 0; names != NULL && names[i] != NULL; i++)
    {
      g_autoptr (GVariant) value = g_dbus_proxy_get_cached_property (proxy, names[i]);

      if (value != NULL)
        g_variant_builder_add (&builder, "{sv}", names[i], value);
    }
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

GVariant *
headnet_client_get_manager_property (HeadnetClient *self, const char *name)
{
  g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
      self->connection, HEADNET_BUS_NAME, HEADNET_MANAGER_PATH, "org.freedesktop.DBus.Properties",
      "Get", g_variant_new ("(ss)", HEADNET_MANAGER_INTERFACE, name), G_VARIANT_TYPE ("(v)"),
      G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, NULL);
  GVariant *value = NULL;

  if (reply != NULL)
    g_variant_get (reply, "(v)", &value);
  return value;
}

/* ---- calls ---- */

static const struct
{
  const char *name;
  HeadnetError code;
} error_names[] = {
  { "Failed", HEADNET_ERROR_FAILED },
  { "InvalidArgument", HEADNET_ERROR_INVALID_ARGUMENT },
  { "NotAuthorized", HEADNET_ERROR_NOT_AUTHORIZED },
  { "NotFound", HEADNET_ERROR_NOT_FOUND },
  { "Exists", HEADNET_ERROR_EXISTS },
  { "NotConnected", HEADNET_ERROR_NOT_CONNECTED },
  { "NeedsLogin", HEADNET_ERROR_NEEDS_LOGIN },
  { "ServerUnreachable", HEADNET_ERROR_SERVER_UNREACHABLE },
  { "ServerRefused", HEADNET_ERROR_SERVER_REFUSED },
  { "Timeout", HEADNET_ERROR_TIMEOUT },
  { "NotSupported", HEADNET_ERROR_NOT_SUPPORTED },
  { "Busy", HEADNET_ERROR_BUSY },
};

static HeadnetError
code_of (const GError *error, const char *remote)
{
  if (remote != NULL && g_str_has_prefix (remote, ERROR_PREFIX))
    for (gsize i = 0; i < G_N_ELEMENTS (error_names); i++)
      if (strcmp (remote + strlen (ERROR_PREFIX), error_names[i].name) == 0)
        return error_names[i].code;
  if (error->domain == G_DBUS_ERROR)
    switch (error->code)
      {
      case G_DBUS_ERROR_SERVICE_UNKNOWN:
      case G_DBUS_ERROR_NAME_HAS_NO_OWNER:
      case G_DBUS_ERROR_NO_REPLY:
      case G_DBUS_ERROR_DISCONNECTED:
      case G_DBUS_ERROR_NO_SERVER:
      case G_DBUS_ERROR_SPAWN_EXEC_FAILED:
      case G_DBUS_ERROR_SPAWN_CHILD_EXITED:
      case G_DBUS_ERROR_SPAWN_FAILED:
        return HEADNET_ERROR_NO_SERVICE;
      case G_DBUS_ERROR_ACCESS_DENIED:
      case G_DBUS_ERROR_AUTH_FAILED:
        return HEADNET_ERROR_NOT_AUTHORIZED;
      case G_DBUS_ERROR_UNKNOWN_OBJECT:
        return HEADNET_ERROR_NOT_FOUND;
      case G_DBUS_ERROR_INVALID_ARGS:
        return HEADNET_ERROR_INVALID_ARGUMENT;
      case G_DBUS_ERROR_TIMEOUT:
      case G_DBUS_ERROR_TIMED_OUT:
        return HEADNET_ERROR_TIMEOUT;
      default:
        return HEADNET_ERROR_FAILED;
      }
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    return HEADNET_ERROR_TIMEOUT;
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED))
    return HEADNET_ERROR_NO_SERVICE;
  return HEADNET_ERROR_FAILED;
}

/* Whether the bus could not find or start it, rather than it ending in the middle of a call. */
static gboolean
is_failed_start (const GError *error)
{
  return error->domain == G_DBUS_ERROR && error->code != G_DBUS_ERROR_NO_REPLY
         && error->code != G_DBUS_ERROR_DISCONNECTED;
}

static void
propagate (GError **error, GError *remote_error)
{
  g_autoptr (GError) local = remote_error;
  g_autofree char *remote = g_dbus_error_get_remote_error (local);
  HeadnetError code;
  gboolean ours; /* said by the service, and not by the bus or by GIO */

  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return;
    }
  code = code_of (local, remote);
  ours = remote != NULL && g_str_has_prefix (remote, ERROR_PREFIX);
  g_dbus_error_strip_remote_error (local);
  if (code == HEADNET_ERROR_NO_SERVICE && is_failed_start (local))
    g_set_error (error, HEADNET_ERROR, code,
                 "The service headnetd does not run and could not be started: %s", local->message);
  else if (code == HEADNET_ERROR_NO_SERVICE)
    g_set_error_literal (error, HEADNET_ERROR, code,
                         "The service headnetd ended before it answered");
  else if (code == HEADNET_ERROR_NOT_AUTHORIZED && !ours)
    g_set_error (error, HEADNET_ERROR, code, "The system bus does not allow that: %s",
                 local->message);
  else if (code == HEADNET_ERROR_TIMEOUT && !ours)
    g_set_error_literal (error, HEADNET_ERROR, code, "The service headnetd did not answer in time");
  else
    g_set_error_literal (error, HEADNET_ERROR, (int) code, local->message);
}

static void
target (const char *path, const char **object, const char **interface)
{
  *object = path != NULL ? path : HEADNET_MANAGER_PATH;
  *interface = path != NULL ? HEADNET_TAILNET_INTERFACE : HEADNET_MANAGER_INTERFACE;
}

static GDBusCallFlags
call_flags (gboolean start)
{
  return G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION
         | (start ? G_DBUS_CALL_FLAGS_NONE : G_DBUS_CALL_FLAGS_NO_AUTO_START);
}

GVariant *
headnet_client_call_sync (HeadnetClient *self, const char *path, const char *method,
                          GVariant *parameters, gboolean start, int timeout_ms,
                          GCancellable *cancellable, GError **error)
{
  const char *object, *interface;
  GError *local = NULL;
  GVariant *reply;

  target (path, &object, &interface);
  reply = g_dbus_connection_call_sync (self->connection, HEADNET_BUS_NAME, object, interface,
                                       method, parameters, NULL, call_flags (start), timeout_ms,
                                       cancellable, &local);
  if (reply == NULL)
    propagate (error, local);
  /* the signals that came before the reply wait in the main context: whoever reads a property now
   * shall see what the call changed */
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  return reply;
}

static gboolean
on_load_timeout (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
  return G_SOURCE_REMOVE;
}

gboolean
headnet_client_start_sync (HeadnetClient *self, GCancellable *cancellable, GError **error)
{
  GError *local = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GSource) source = NULL;
  gboolean expired = FALSE;

  if (headnet_client_is_running (self))
    return TRUE;
  reply = g_dbus_connection_call_sync (
      self->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
      "StartServiceByName", g_variant_new ("(su)", HEADNET_BUS_NAME, 0), NULL,
      G_DBUS_CALL_FLAGS_NONE, -1, cancellable, &local);
  if (reply == NULL)
    {
      propagate (error, local);
      return FALSE;
    }
  /* the manager has heard of the new owner, and asks it for all that there is */
  source = g_timeout_source_new_seconds (LOAD_TIMEOUT_S);
  g_source_set_callback (source, on_load_timeout, &expired, NULL);
  g_source_attach (source, NULL);
  while (!headnet_client_is_running (self) && !headnet_client_is_closed (self) && !expired)
    g_main_context_iteration (NULL, TRUE);
  g_source_destroy (source);
  if (headnet_client_is_running (self))
    return TRUE;
  g_set_error_literal (error, HEADNET_ERROR, HEADNET_ERROR_NO_SERVICE,
                       "The service headnetd ended as soon as it was started");
  return FALSE;
}

static void
on_called (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *local = NULL;
  GError *error = NULL;
  GVariant *reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &local);

  if (reply != NULL)
    {
      g_task_return_pointer (task, reply, (GDestroyNotify) g_variant_unref);
      return;
    }
  propagate (&error, local);
  g_task_return_error (task, error);
}

void
headnet_client_call_async (HeadnetClient *self, const char *path, const char *method,
                           GVariant *parameters, gboolean start, int timeout_ms,
                           GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  GTask *task = g_task_new (self, cancellable, callback, data);
  const char *object, *interface;

  g_task_set_source_tag (task, headnet_client_call_async);
  target (path, &object, &interface);
  g_dbus_connection_call (self->connection, HEADNET_BUS_NAME, object, interface, method, parameters,
                          NULL, call_flags (start), timeout_ms, cancellable, on_called, task);
}

GVariant *
headnet_client_call_finish (HeadnetClient *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
