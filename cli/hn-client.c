/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hn-client.h"

#include <string.h>

#define LOAD_TIMEOUT_S 10

struct _HnClient
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

G_DEFINE_FINAL_TYPE (HnClient, hn_client, G_TYPE_OBJECT)

static void
hn_client_dispose (GObject *object)
{
  HnClient *self = HN_CLIENT (object);

  if (self->peers_subscription != 0)
    g_dbus_connection_signal_unsubscribe (self->connection, self->peers_subscription);
  self->peers_subscription = 0;
  if (self->manager != NULL)
    g_signal_handlers_disconnect_by_data (self->manager, self);
  if (self->connection != NULL)
    g_signal_handlers_disconnect_by_data (self->connection, self);
  g_clear_object (&self->manager);
  g_clear_object (&self->connection);
  G_OBJECT_CLASS (hn_client_parent_class)->dispose (object);
}

static void
hn_client_class_init (HnClientClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = hn_client_dispose;

  signals[CHANGED] = g_signal_new ("changed", HN_TYPE_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  signals[PEERS_CHANGED]
      = g_signal_new ("peers-changed", HN_TYPE_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                      G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_VARIANT);
  signals[RUNNING_CHANGED] = g_signal_new ("running-changed", HN_TYPE_CLIENT, G_SIGNAL_RUN_LAST, 0,
                                           NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
hn_client_init (HnClient *self)
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
  HnClient *self = user_data;
  gboolean running = hn_client_is_running (self);

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
  HnClient *self = user_data;

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

HnClient *
hn_client_new_sync (GCancellable *cancellable, GError **error)
{
  g_autoptr (HnClient) self = g_object_new (HN_TYPE_CLIENT, NULL);
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
  self->running = hn_client_is_running (self);
  return g_steal_pointer (&self);
}

gboolean
hn_client_is_closed (HnClient *self)
{
  return g_dbus_connection_is_closed (self->connection);
}

gboolean
hn_client_is_running (HnClient *self)
{
  g_autofree char *owner
      = g_dbus_object_manager_client_get_name_owner (G_DBUS_OBJECT_MANAGER_CLIENT (self->manager));

  return owner != NULL && !hn_client_is_closed (self);
}

static GDBusProxy *
get_proxy (HnClient *self, const char *path)
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
hn_client_list_tailnets (HnClient *self)
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
      item.name = hn_client_get_string (self, path, "Name");
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
hn_client_has_tailnet (HnClient *self, const char *path)
{
  g_autoptr (GDBusProxy) proxy = get_proxy (self, path);

  return proxy != NULL;
}

GVariant *
hn_client_get_property (HnClient *self, const char *path, const char *name)
{
  g_autoptr (GDBusProxy) proxy = get_proxy (self, path);

  return proxy != NULL ? g_dbus_proxy_get_cached_property (proxy, name) : NULL;
}

char *
hn_client_get_string (HnClient *self, const char *path, const char *name)
{
  g_autoptr (GVariant) value = hn_client_get_property (self, path, name);

  return value != NULL && g_variant_is_of_type (value, G_VARIANT_TYPE_STRING)
             ? g_variant_dup_string (value, NULL)
             : g_strdup ("");
}

GVariant *
hn_client_dup_properties (HnClient *self, const char *path)
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
hn_client_get_manager_property (HnClient *self, const char *name)
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

/* Takes @remote. */
static void
propagate (GError **error, GError *remote)
{
  g_propagate_error (error, headnet_error_new_from_bus (remote));
  g_error_free (remote);
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
hn_client_call_sync (HnClient *self, const char *path, const char *method, GVariant *parameters,
                     gboolean start, int timeout_ms, GCancellable *cancellable, GError **error)
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
hn_client_start_sync (HnClient *self, GCancellable *cancellable, GError **error)
{
  GError *local = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GSource) source = NULL;
  gboolean expired = FALSE;

  if (hn_client_is_running (self))
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
  while (!hn_client_is_running (self) && !hn_client_is_closed (self) && !expired)
    g_main_context_iteration (NULL, TRUE);
  g_source_destroy (source);
  if (hn_client_is_running (self))
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
hn_client_call_async (HnClient *self, const char *path, const char *method, GVariant *parameters,
                      gboolean start, int timeout_ms, GCancellable *cancellable,
                      GAsyncReadyCallback callback, gpointer data)
{
  GTask *task = g_task_new (self, cancellable, callback, data);
  const char *object, *interface;

  g_task_set_source_tag (task, hn_client_call_async);
  target (path, &object, &interface);
  g_dbus_connection_call (self->connection, HEADNET_BUS_NAME, object, interface, method, parameters,
                          NULL, call_flags (start), timeout_ms, cancellable, on_called, task);
}

GVariant *
hn_client_call_finish (HnClient *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
