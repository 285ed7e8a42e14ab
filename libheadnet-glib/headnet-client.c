/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "headnet-client-private.h"

#include <string.h>

#include "headnet-call-private.h"
#include "headnet-error.h"
#include "headnet-tailnet-private.h"

#define TAILNET_PREFIX "/org/headnet/Headnet1/tailnet/"
#define OBJECTS_TYPE "(a{oa{sa{sv}}})"

/**
 * HeadnetClient:
 *
 * The service `headnetd` of this machine and the list of its tailnets, kept current over restarts of
 * the service.
 *
 * Looking never starts the service: while it does not run, [property@Headnet.Client:running] is
 * false. What a person asks for starts it.
 *
 * News come in the thread-default main context of the moment in which the client was made; that is
 * also the only one from which it and its objects may be used. All of a program's clients share GIO's
 * connection to the system bus, with which GIO ends the program unless
 * [method@Gio.DBusConnection.set_exit_on_close] says otherwise.
 *
 * Since: 1.0
 */
struct _HeadnetClient
{
  GObject parent_instance;

  GDBusConnection *connection; /* owned */
  GListStore *tailnets;        /* owned; of HeadnetTailnet, sorted by name */
  GHashTable *by_path;         /* path, the tailnet's own -> HeadnetTailnet */
  char *version;               /* owned; NULL while unknown */
  gboolean running;
  guint owner_subscription;
  guint signal_subscription;
  GCancellable *load; /* owned; NULL while nothing is loaded */
  guint pending;      /* lists of peers that the load waits for */
  GPtrArray *waiting; /* owned; of GTask, who wait for the end of it */
};

enum
{
  PROP_RUNNING = 1,
  PROP_VERSION,
  PROP_TAILNETS,
  N_PROPERTIES,
};

static GParamSpec *properties[N_PROPERTIES];

G_DEFINE_FINAL_TYPE (HeadnetClient, headnet_client, G_TYPE_OBJECT)

static void
headnet_client_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  HeadnetClient *self = HEADNET_CLIENT (object);

  switch (id)
    {
    case PROP_RUNNING:
      g_value_set_boolean (value, self->running);
      break;
    case PROP_VERSION:
      g_value_set_string (value, headnet_client_get_version (self));
      break;
    case PROP_TAILNETS:
      g_value_set_object (value, self->tailnets);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
headnet_client_dispose (GObject *object)
{
  HeadnetClient *self = HEADNET_CLIENT (object);

  if (self->connection != NULL)
    {
      g_dbus_connection_signal_unsubscribe (self->connection, self->owner_subscription);
      g_dbus_connection_signal_unsubscribe (self->connection, self->signal_subscription);
      g_signal_handlers_disconnect_by_data (self->connection, self);
    }
  g_clear_object (&self->connection);
  G_OBJECT_CLASS (headnet_client_parent_class)->dispose (object);
}

static void
headnet_client_finalize (GObject *object)
{
  HeadnetClient *self = HEADNET_CLIENT (object);

  g_clear_object (&self->load);
  g_ptr_array_unref (self->waiting);
  g_hash_table_unref (self->by_path);
  g_clear_object (&self->tailnets);
  g_free (self->version);
  G_OBJECT_CLASS (headnet_client_parent_class)->finalize (object);
}

static void
headnet_client_class_init (HeadnetClientClass *klass)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = headnet_client_get_property;
  object_class->dispose = headnet_client_dispose;
  object_class->finalize = headnet_client_finalize;

  /**
   * HeadnetClient:running: (getter get_running)
   *
   * Whether the service runs, and all that it has is loaded.
   *
   * Since: 1.0
   */
  properties[PROP_RUNNING]
      = g_param_spec_boolean ("running", NULL, "Whether the service runs", FALSE, flags);
  /**
   * HeadnetClient:version: (getter get_version)
   *
   * The version of the service, empty while it does not run.
   *
   * Since: 1.0
   */
  properties[PROP_VERSION]
      = g_param_spec_string ("version", NULL, "The version of the service", "", flags);
  /**
   * HeadnetClient:tailnets: (getter get_tailnets)
   *
   * A list of [class@Headnet.Tailnet], sorted by name.
   *
   * Since: 1.0
   */
  properties[PROP_TAILNETS]
      = g_param_spec_object ("tailnets", NULL, "The tailnets", G_TYPE_LIST_MODEL, flags);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
headnet_client_init (HeadnetClient *self)
{
  self->tailnets = g_list_store_new (HEADNET_TYPE_TAILNET);
  self->by_path = g_hash_table_new (g_str_hash, g_str_equal);
  self->waiting = g_ptr_array_new_with_free_func (g_object_unref);
}

GDBusConnection *
headnet_client_get_connection (HeadnetClient *self)
{
  return self->connection;
}

/* ---- the list ---- */

static int
compare_tailnets (gconstpointer a, gconstpointer b, gpointer user_data)
{
  HeadnetTailnet *first = (HeadnetTailnet *) a;
  HeadnetTailnet *second = (HeadnetTailnet *) b;
  int order = g_utf8_collate (headnet_tailnet_get_name (first), headnet_tailnet_get_name (second));

  return order != 0 ? order
                    : strcmp (headnet_tailnet_get_object_path (first),
                              headnet_tailnet_get_object_path (second));
}

/* A name that changed may have another place. */
static void
put_in_place (HeadnetClient *self, HeadnetTailnet *tailnet)
{
  GListModel *model = G_LIST_MODEL (self->tailnets);
  g_autoptr (HeadnetTailnet) held = g_object_ref (tailnet);
  guint at;

  if (!g_list_store_find (self->tailnets, tailnet, &at))
    return;
  for (guint i = 0; i + 1 < g_list_model_get_n_items (model); i++)
    {
      g_autoptr (HeadnetTailnet) first = g_list_model_get_item (model, i);
      g_autoptr (HeadnetTailnet) second = g_list_model_get_item (model, i + 1);

      if (compare_tailnets (first, second, NULL) > 0)
        {
          g_list_store_remove (self->tailnets, at);
          g_list_store_insert_sorted (self->tailnets, held, compare_tailnets, NULL);
          return;
        }
    }
}

HeadnetTailnet *
headnet_client_lookup_tailnet (HeadnetClient *self, const char *path)
{
  return g_hash_table_lookup (self->by_path, path);
}

HeadnetTailnet *
headnet_client_take_tailnet (HeadnetClient *self, const char *path, GVariant *dict)
{
  HeadnetTailnet *tailnet = headnet_client_lookup_tailnet (self, path);

  if (tailnet != NULL)
    {
      if (dict != NULL)
        headnet_tailnet_update (tailnet, dict);
      put_in_place (self, tailnet);
      return tailnet;
    }
  tailnet = headnet_tailnet_new (self->connection, path);
  if (dict != NULL)
    headnet_tailnet_update (tailnet, dict);
  g_hash_table_insert (self->by_path, (gpointer) headnet_tailnet_get_object_path (tailnet),
                       tailnet);
  g_list_store_insert_sorted (self->tailnets, tailnet, compare_tailnets, NULL);
  g_object_unref (tailnet);
  return tailnet;
}

static void
remove_tailnet (HeadnetClient *self, const char *path)
{
  HeadnetTailnet *known = headnet_client_lookup_tailnet (self, path);
  g_autoptr (HeadnetTailnet) tailnet = known != NULL ? g_object_ref (known) : NULL;
  guint position;

  if (tailnet == NULL)
    return;
  g_hash_table_remove (self->by_path, path);
  if (g_list_store_find (self->tailnets, tailnet, &position))
    g_list_store_remove (self->tailnets, position);
  headnet_tailnet_set_stopped (tailnet);
}

static void
set_running (HeadnetClient *self, gboolean running)
{
  if (self->running == running)
    return;
  self->running = running;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_RUNNING]);
}

static void
set_version (HeadnetClient *self, const char *version)
{
  if (g_strcmp0 (self->version, version) == 0)
    return;
  g_free (self->version);
  self->version = g_strdup (version);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_VERSION]);
}

/* ---- loading ---- */

/* Takes all objects over. What is known and not among them is gone. */
static void
take_objects (HeadnetClient *self, GVariant *reply)
{
  g_autoptr (GVariant) objects = g_variant_get_child_value (reply, 0);
  g_autoptr (GHashTable) present = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GPtrArray) gone = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter known;
  gpointer path;

  for (gsize i = 0; i < g_variant_n_children (objects); i++)
    {
      g_autoptr (GVariant) object = g_variant_get_child_value (objects, i);
      g_autoptr (GVariant) interfaces = NULL;
      g_autoptr (GVariant) tailnet = NULL;
      const char *at;

      g_variant_get (object, "{&o@a{sa{sv}}}", &at, &interfaces);
      tailnet
          = g_variant_lookup_value (interfaces, HEADNET_TAILNET_INTERFACE, G_VARIANT_TYPE_VARDICT);
      if (tailnet != NULL && g_str_has_prefix (at, TAILNET_PREFIX))
        g_hash_table_add (present, (gpointer) headnet_tailnet_get_object_path (
                                       headnet_client_take_tailnet (self, at, tailnet)));
    }
  g_hash_table_iter_init (&known, self->by_path);
  while (g_hash_table_iter_next (&known, &path, NULL))
    if (!g_hash_table_contains (present, path))
      g_ptr_array_add (gone, g_strdup (path));
  for (guint i = 0; i < gone->len; i++)
    remove_tailnet (self, g_ptr_array_index (gone, i));
}

static void
end_load (HeadnetClient *self, GError *error)
{
  g_autoptr (GPtrArray) waiting = g_steal_pointer (&self->waiting);

  self->waiting = g_ptr_array_new_with_free_func (g_object_unref);
  g_clear_object (&self->load);
  for (guint i = 0; i < waiting->len; i++)
    if (error != NULL)
      g_task_return_error (g_ptr_array_index (waiting, i), g_error_copy (error));
    else
      g_task_return_boolean (g_ptr_array_index (waiting, i), TRUE);
}

static void
on_service_gone (HeadnetClient *self)
{
  GListModel *model = G_LIST_MODEL (self->tailnets);

  if (self->load != NULL)
    g_cancellable_cancel (self->load);
  set_version (self, NULL);
  for (guint i = 0; i < g_list_model_get_n_items (model); i++)
    {
      g_autoptr (HeadnetTailnet) tailnet = g_list_model_get_item (model, i);

      headnet_tailnet_set_stopped (tailnet);
    }
  set_running (self, FALSE);
  end_load (self, NULL);
}

typedef struct
{
  HeadnetClient *client; /* owned */
  GCancellable *load;    /* owned; tells whether the load is still the one that asked */
} Loading;

static Loading *
loading_new (HeadnetClient *self)
{
  Loading *loading = g_new0 (Loading, 1);

  loading->client = g_object_ref (self);
  loading->load = g_object_ref (self->load);
  return loading;
}

static void
loading_free (Loading *loading)
{
  g_object_unref (loading->client);
  g_object_unref (loading->load);
  g_free (loading);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Loading, loading_free)

static void
finish_part (HeadnetClient *self)
{
  if (--self->pending > 0)
    return;
  set_running (self, TRUE);
  end_load (self, NULL);
}

static void
on_peers_loaded (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Loading) loading = user_data;

  if (loading->client->load == loading->load)
    finish_part (loading->client);
}

static gboolean
is_absent (const GError *error)
{
  return g_error_matches (error, HEADNET_ERROR, HEADNET_ERROR_NO_SERVICE);
}

static const HeadnetCall *
objects_call (HeadnetClient *self, HeadnetCall *call)
{
  *call = (HeadnetCall){
    .connection = self->connection,
    .path = HEADNET_MANAGER_PATH,
    .interface = "org.freedesktop.DBus.ObjectManager",
    .method = "GetManagedObjects",
    .reply_type = OBJECTS_TYPE,
  };
  return call;
}

/* The object manager does not list itself, nor what else its own object carries. */
static GVariant *
version_call (HeadnetClient *self, HeadnetCall *call)
{
  *call = (HeadnetCall){
    .connection = self->connection,
    .path = HEADNET_MANAGER_PATH,
    .interface = "org.freedesktop.DBus.Properties",
    .method = "Get",
    .reply_type = "(v)",
  };
  return g_variant_new ("(ss)", HEADNET_MANAGER_INTERFACE, "Version");
}

static void
take_version (HeadnetClient *self, GVariant *reply)
{
  g_autoptr (GVariant) value = NULL;

  g_variant_get (reply, "(v)", &value);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    set_version (self, g_variant_get_string (value, NULL));
}

static void
on_version (GObject *source, GAsyncResult *result, gpointer user_data)
{
  HeadnetClient *self = HEADNET_CLIENT (source);
  g_autoptr (Loading) loading = user_data;
  g_autoptr (GVariant) reply = headnet_call_finish (self, on_version, result, NULL);

  if (self->load != loading->load)
    return;
  if (reply != NULL)
    take_version (self, reply);
  finish_part (self);
}

static void
on_objects (GObject *source, GAsyncResult *result, gpointer user_data)
{
  HeadnetClient *self = HEADNET_CLIENT (source);
  g_autoptr (Loading) loading = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = headnet_call_finish (self, headnet_client_load, result, &error);
  GListModel *model = G_LIST_MODEL (self->tailnets);
  HeadnetCall call;
  GVariant *parameters;

  /* a restart of the service has begun another one */
  if (self->load != loading->load || self->connection == NULL)
    return;
  if (reply == NULL)
    {
      end_load (self, is_absent (error) ? NULL : error);
      return;
    }
  take_objects (self, reply);
  self->pending = 2;
  parameters = version_call (self, &call);
  headnet_call_async (&call, parameters, self, on_version, self->load, on_version,
                      loading_new (self));
  for (guint i = 0; i < g_list_model_get_n_items (model); i++)
    {
      g_autoptr (HeadnetTailnet) tailnet = g_list_model_get_item (model, i);

      self->pending++;
      headnet_tailnet_load_peers (tailnet, on_peers_loaded, loading_new (self));
    }
  finish_part (self);
}

static void
begin_load (HeadnetClient *self)
{
  HeadnetCall call;

  if (self->load != NULL)
    g_cancellable_cancel (self->load);
  g_clear_object (&self->load);
  self->load = g_cancellable_new ();
  headnet_call_async (objects_call (self, &call), NULL, self, headnet_client_load, self->load,
                      on_objects, loading_new (self));
}

void
headnet_client_load (HeadnetClient *self, GAsyncReadyCallback callback, gpointer user_data)
{
  g_ptr_array_add (self->waiting, g_task_new (self, NULL, callback, user_data));
  if (self->load == NULL)
    begin_load (self);
}

gboolean
headnet_client_load_finish (HeadnetClient *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

gboolean
headnet_client_load_sync (HeadnetClient *self, GCancellable *cancellable, GError **error)
{
  GListModel *model = G_LIST_MODEL (self->tailnets);
  HeadnetCall call;
  g_autoptr (GError) local = NULL;
  g_autoptr (GVariant) reply
      = headnet_call_sync (objects_call (self, &call), NULL, cancellable, &local);

  g_autoptr (GVariant) version = NULL;
  GVariant *parameters;

  if (reply == NULL && is_absent (local))
    return TRUE;
  if (reply == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  take_objects (self, reply);
  parameters = version_call (self, &call);
  version = headnet_call_sync (&call, parameters, cancellable, NULL);
  if (version != NULL)
    take_version (self, version);
  for (guint i = 0; i < g_list_model_get_n_items (model); i++)
    {
      g_autoptr (HeadnetTailnet) tailnet = g_list_model_get_item (model, i);
      g_autoptr (GError) problem = NULL;

      /* the other tailnets are not worse for it, and the next change asks again */
      if (!headnet_tailnet_load_peers_sync (tailnet, cancellable, &problem)
          && g_error_matches (problem, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        {
          g_propagate_error (error, g_steal_pointer (&problem));
          return FALSE;
        }
    }
  set_running (self, TRUE);
  return TRUE;
}

/* ---- what the bus says ---- */

static void
on_owner_changed (GDBusConnection *connection, const char *sender, const char *path,
                  const char *interface, const char *signal, GVariant *parameters,
                  gpointer user_data)
{
  g_autoptr (HeadnetClient) self = g_weak_ref_get (user_data);
  const char *old_owner;
  const char *new_owner;

  if (self == NULL || !g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(sss)")))
    return;
  g_variant_get (parameters, "(&s&s&s)", NULL, &old_owner, &new_owner);
  if (old_owner[0] != '\0')
    on_service_gone (self);
  if (new_owner[0] != '\0')
    begin_load (self);
}

static void
on_manager_signal (HeadnetClient *self, const char *signal, GVariant *parameters)
{
  g_autoptr (GVariant) second = NULL;
  g_autoptr (GVariant) dict = NULL;
  const char *path;

  if (strcmp (signal, "InterfacesAdded") == 0
      && g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(oa{sa{sv}})")))
    {
      gboolean known;

      g_variant_get (parameters, "(&o@a{sa{sv}})", &path, &second);
      dict = g_variant_lookup_value (second, HEADNET_TAILNET_INTERFACE, G_VARIANT_TYPE_VARDICT);
      if (dict == NULL || !g_str_has_prefix (path, TAILNET_PREFIX))
        return;
      known = headnet_client_lookup_tailnet (self, path) != NULL;
      headnet_client_take_tailnet (self, path, dict);
      if (!known)
        headnet_tailnet_load_peers (headnet_client_lookup_tailnet (self, path), NULL, NULL);
    }
  else if (strcmp (signal, "InterfacesRemoved") == 0
           && g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(oas)")))
    {
      g_autofree const char **interfaces = NULL;

      g_variant_get (parameters, "(&o^a&s)", &path, &interfaces);
      if (g_strv_contains (interfaces, HEADNET_TAILNET_INTERFACE))
        remove_tailnet (self, path);
    }
}

static void
on_properties (HeadnetClient *self, HeadnetTailnet *tailnet, GVariant *parameters)
{
  g_autoptr (GVariant) dict = NULL;
  const char *interface;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(sa{sv}as)")))
    return;
  g_variant_get (parameters, "(&s@a{sv}as)", &interface, &dict, NULL);
  if (strcmp (interface, HEADNET_TAILNET_INTERFACE) == 0)
    headnet_client_take_tailnet (self, headnet_tailnet_get_object_path (tailnet), dict);
}

static void
on_signal (GDBusConnection *connection, const char *sender, const char *path, const char *interface,
           const char *signal, GVariant *parameters, gpointer user_data)
{
  g_autoptr (HeadnetClient) self = g_weak_ref_get (user_data);
  g_autoptr (HeadnetTailnet) tailnet = NULL;

  if (self == NULL)
    return;
  if (strcmp (path, HEADNET_MANAGER_PATH) == 0)
    {
      if (strcmp (interface, "org.freedesktop.DBus.ObjectManager") == 0)
        on_manager_signal (self, signal, parameters);
      return;
    }
  tailnet = headnet_client_lookup_tailnet (self, path);
  if (tailnet == NULL)
    return;
  g_object_ref (tailnet);
  if (strcmp (interface, "org.freedesktop.DBus.Properties") == 0)
    on_properties (self, tailnet, parameters);
  else if (strcmp (interface, HEADNET_TAILNET_INTERFACE) == 0)
    headnet_tailnet_handle_signal (tailnet, signal, parameters);
}

static void
on_closed (HeadnetClient *self)
{
  on_service_gone (self);
}

static void
free_weak_ref (gpointer data)
{
  g_weak_ref_clear (data);
  g_free (data);
}

/* What a signal handler holds, that GIO may still call while the client ends in another thread. */
static GWeakRef *
make_weak_ref (HeadnetClient *self)
{
  GWeakRef *ref = g_new0 (GWeakRef, 1);

  g_weak_ref_init (ref, self);
  return ref;
}

static HeadnetClient *
make_client (GDBusConnection *connection)
{
  HeadnetClient *self = g_object_new (HEADNET_TYPE_CLIENT, NULL);

  self->connection = g_object_ref (connection);
  g_signal_connect_object (connection, "closed", G_CALLBACK (on_closed), self, G_CONNECT_SWAPPED);
  /* listening comes before asking: nothing falls in between */
  self->owner_subscription = g_dbus_connection_signal_subscribe (
      connection, "org.freedesktop.DBus", "org.freedesktop.DBus", "NameOwnerChanged",
      "/org/freedesktop/DBus", HEADNET_BUS_NAME, G_DBUS_SIGNAL_FLAGS_NONE, on_owner_changed,
      make_weak_ref (self), free_weak_ref);
  self->signal_subscription = g_dbus_connection_signal_subscribe (
      connection, HEADNET_BUS_NAME, NULL, NULL, NULL, NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_signal,
      make_weak_ref (self), free_weak_ref);
  return self;
}

/* ---- the constructors ---- */

static void
set_no_bus (GError **error, const GError *reason)
{
  if (g_error_matches (reason, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_propagate_error (error, g_error_copy (reason));
  else
    g_set_error (error, HEADNET_ERROR, HEADNET_ERROR_NO_SERVICE,
                 "The system bus can not be reached: %s", reason->message);
}

static void
on_loaded (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = G_TASK (user_data);
  g_autoptr (GError) error = NULL;

  if (!headnet_client_load_finish (HEADNET_CLIENT (source), result, &error))
    g_task_return_error (task, g_steal_pointer (&error));
  else
    g_task_return_pointer (task, g_object_ref (source), g_object_unref);
}

static void
on_bus (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = G_TASK (user_data);
  g_autoptr (GError) reason = NULL;
  g_autoptr (GDBusConnection) connection = g_bus_get_finish (result, &reason);
  g_autoptr (HeadnetClient) client = NULL;

  if (connection == NULL)
    {
      g_autoptr (GError) error = NULL;

      set_no_bus (&error, reason);
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  client = make_client (connection);
  headnet_client_load (client, on_loaded, g_steal_pointer (&task));
}

/**
 * headnet_client_new:
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when it is loaded
 * @user_data: for @callback
 *
 * Connects to the system bus and loads all tailnets with their peers. A service that does not run is
 * no error, and is not started.
 *
 * Since: 1.0
 */
void
headnet_client_new (GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, user_data);

  g_task_set_source_tag (task, headnet_client_new);
  g_bus_get (G_BUS_TYPE_SYSTEM, cancellable, on_bus, task);
}

/**
 * headnet_client_new_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [func@Headnet.Client.new].
 *
 * Returns: (transfer full): a client, loaded
 *
 * Since: 1.0
 */
HeadnetClient *
headnet_client_new_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, headnet_client_new), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * headnet_client_new_sync:
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Connects to the system bus and loads all tailnets with their peers, waiting for that. A service
 * that does not run is no error, and is not started.
 *
 * Returns: (transfer full): a client, loaded
 *
 * Since: 1.0
 */
HeadnetClient *
headnet_client_new_sync (GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) reason = NULL;
  g_autoptr (GDBusConnection) connection = g_bus_get_sync (G_BUS_TYPE_SYSTEM, cancellable, &reason);
  g_autoptr (HeadnetClient) self = NULL;

  if (connection == NULL)
    {
      set_no_bus (error, reason);
      return NULL;
    }
  self = make_client (connection);
  if (!headnet_client_load_sync (self, cancellable, error))
    return NULL;
  return g_steal_pointer (&self);
}

/**
 * headnet_client_get_running:
 * @self: a client
 *
 * Returns: whether the service runs, and all that it has is loaded
 *
 * Since: 1.0
 */
gboolean
headnet_client_get_running (HeadnetClient *self)
{
  g_return_val_if_fail (HEADNET_IS_CLIENT (self), FALSE);
  return self->running;
}

/**
 * headnet_client_get_version:
 * @self: a client
 *
 * Returns: (transfer none): the version of the service, empty while it does not run
 *
 * Since: 1.0
 */
const char *
headnet_client_get_version (HeadnetClient *self)
{
  g_return_val_if_fail (HEADNET_IS_CLIENT (self), "");
  return self->version != NULL ? self->version : "";
}

/**
 * headnet_client_get_tailnets:
 * @self: a client
 *
 * The tailnets, sorted by name. The list stays the same object and is kept current.
 *
 * Returns: (transfer none): a list of [class@Headnet.Tailnet]
 *
 * Since: 1.0
 */
GListModel *
headnet_client_get_tailnets (HeadnetClient *self)
{
  g_return_val_if_fail (HEADNET_IS_CLIENT (self), NULL);
  return G_LIST_MODEL (self->tailnets);
}

/**
 * headnet_client_find_tailnet:
 * @self: a client
 * @name: a name, or an id
 *
 * Looks for a tailnet by its name, and if there is none, by its id.
 *
 * Returns: (transfer none) (nullable): the tailnet, %NULL when there is none
 *
 * Since: 1.0
 */
HeadnetTailnet *
headnet_client_find_tailnet (HeadnetClient *self, const char *name)
{
  HeadnetTailnet *by_id = NULL;
  GHashTableIter iter;
  gpointer value;

  g_return_val_if_fail (HEADNET_IS_CLIENT (self), NULL);
  g_return_val_if_fail (name != NULL, NULL);
  g_hash_table_iter_init (&iter, self->by_path);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      if (strcmp (headnet_tailnet_get_name (value), name) == 0)
        return value;
      if (strcmp (headnet_tailnet_get_id (value), name) == 0)
        by_id = value;
    }
  return by_id;
}
