/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bus face of the engine. */
#include "bus/hn-manager-adaptor.h"

#include "base/hn-error.h"
#include "bus/hn-arguments.h"
#include "bus/hn-bus-errors.h"
#include "bus/hn-guarded-skeletons.h"
#include "bus/hn-pending-call.h"
#include "bus/hn-tailnet-adaptor.h"
#include "bus/hn-variants.h"
#include "config.h"

/* Each dials a server; more at once serve nobody. */
#define MAX_CHECKS 8

struct _HnManagerAdaptor
{
  GObject parent_instance;

  HnEngine *engine;                  /* owned */
  HnGate *gate;                      /* owned */
  HnDbusManager *skeleton;           /* owned */
  GDBusObjectManagerServer *objects; /* owned */
  GHashTable *adaptors;              /* owned: object path -> HnTailnetAdaptor, owned */
  guint checks;                      /* CheckServer calls under way */
};

G_DEFINE_FINAL_TYPE (HnManagerAdaptor, hn_manager_adaptor, G_TYPE_OBJECT)

static void
hn_manager_adaptor_dispose (GObject *object)
{
  HnManagerAdaptor *self = HN_MANAGER_ADAPTOR (object);

  if (self->engine != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->engine, self);
      hn_manager_adaptor_unexport (self);
    }
  g_clear_pointer (&self->adaptors, g_hash_table_unref);
  g_clear_object (&self->objects);
  g_clear_object (&self->skeleton);
  g_clear_object (&self->gate);
  g_clear_object (&self->engine);
  G_OBJECT_CLASS (hn_manager_adaptor_parent_class)->dispose (object);
}

static void
hn_manager_adaptor_class_init (HnManagerAdaptorClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = hn_manager_adaptor_dispose;
}

static void
release_adaptor (gpointer data)
{
  HnTailnetAdaptor *adaptor = data;

  hn_tailnet_adaptor_close (adaptor);
  g_object_unref (adaptor);
}

static void
hn_manager_adaptor_init (HnManagerAdaptor *self)
{
  self->adaptors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, release_adaptor);
}

static int
compare_paths (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static void
update_tailnets (HnManagerAdaptor *self)
{
  g_autoptr (GPtrArray) paths = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer path;

  g_hash_table_iter_init (&iter, self->adaptors);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    g_ptr_array_add (paths, path);
  g_ptr_array_sort (paths, compare_paths);
  g_ptr_array_add (paths, NULL);
  hn_dbus_manager_set_tailnets (self->skeleton, (const char *const *) paths->pdata);
}

static char *
make_path (HnTailnet *tailnet)
{
  return g_strconcat (HN_BUS_TAILNET_PATH, hn_tailnet_get_id (tailnet), NULL);
}

static void
on_tailnet_added (HnManagerAdaptor *self, HnTailnet *tailnet)
{
  g_autofree char *path = make_path (tailnet);
  HnTailnetAdaptor *adaptor;

  if (g_hash_table_contains (self->adaptors, path))
    return;
  adaptor = hn_tailnet_adaptor_new (tailnet, self->gate);
  g_dbus_object_manager_server_export (self->objects, hn_tailnet_adaptor_get_object (adaptor));
  g_hash_table_insert (self->adaptors, g_steal_pointer (&path), adaptor);
  update_tailnets (self);
}

static void
on_tailnet_removed (HnManagerAdaptor *self, HnTailnet *tailnet)
{
  g_autofree char *path = make_path (tailnet);

  g_dbus_object_manager_server_unexport (self->objects, path);
  g_hash_table_remove (self->adaptors, path);
  update_tailnets (self);
}

static gboolean
on_add_tailnet (HnManagerAdaptor *self, GDBusMethodInvocation *invocation, GVariant *settings)
{
  g_autoptr (HnPreferences) preferences = NULL;
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  HnTailnet *tailnet = NULL;

  preferences = hn_arguments_parse_settings (settings, &error);
  if (preferences != NULL)
    tailnet = hn_engine_add_tailnet (self->engine, preferences, &error);
  if (tailnet == NULL)
    {
      hn_bus_return_error (invocation, error);
      return TRUE;
    }

  /* The object must be there before its path is known. */
  on_tailnet_added (self, tailnet);
  path = make_path (tailnet);
  g_dbus_interface_skeleton_flush (G_DBUS_INTERFACE_SKELETON (self->skeleton));
  hn_dbus_manager_complete_add_tailnet (self->skeleton, invocation, path);
  return TRUE;
}

static void
on_removed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (HnPendingCall) call = user_data;
  HnManagerAdaptor *self = call->adaptor;
  g_autoptr (GError) error = NULL;
  HnTailnetAdaptor *adaptor;

  if (!hn_engine_remove_tailnet_finish (HN_ENGINE (source), result, &error))
    {
      adaptor = g_hash_table_lookup (self->adaptors, call->subject);
      if (adaptor != NULL)
        hn_tailnet_adaptor_set_removing (adaptor, FALSE);
      hn_bus_return_error (call->invocation, error);
      return;
    }
  g_dbus_interface_skeleton_flush (G_DBUS_INTERFACE_SKELETON (self->skeleton));
  hn_dbus_manager_complete_remove_tailnet (self->skeleton, call->invocation);
}

static gboolean
on_remove_tailnet (HnManagerAdaptor *self, GDBusMethodInvocation *invocation, const char *path)
{
  HnTailnetAdaptor *adaptor = g_hash_table_lookup (self->adaptors, path);
  g_autoptr (GError) error = NULL;

  if (adaptor == NULL)
    g_set_error (&error, HN_ERROR, HN_ERROR_NOT_FOUND, "There is no tailnet %.256s", path);
  else if (hn_tailnet_adaptor_get_removing (adaptor))
    g_set_error_literal (&error, HN_ERROR, HN_ERROR_BUSY, "The tailnet is being removed already");
  if (error != NULL)
    {
      hn_bus_return_error (invocation, error);
      return TRUE;
    }

  hn_tailnet_adaptor_set_removing (adaptor, TRUE);
  hn_engine_remove_tailnet_async (self->engine, hn_tailnet_adaptor_get_tailnet (adaptor), NULL,
                                  on_removed, hn_pending_call_new (self, invocation, path));
  return TRUE;
}

static void
on_server_checked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (HnPendingCall) call = user_data;
  HnManagerAdaptor *self = call->adaptor;
  g_autoptr (GPtrArray) steps = NULL;
  g_autoptr (GError) error = NULL;

  self->checks--;
  steps = hn_engine_check_server_finish (HN_ENGINE (source), result, &error);
  if (steps == NULL)
    hn_bus_return_error (call->invocation, error);
  else
    hn_dbus_manager_complete_check_server (self->skeleton, call->invocation,
                                           hn_variants_format_check_steps (steps));
}

static gboolean
on_check_server (HnManagerAdaptor *self, GDBusMethodInvocation *invocation, const char *url,
                 GVariant *options)
{
  g_autofree char *normalized_url = NULL;
  g_autofree char *ca_certificate = NULL;
  g_autoptr (GError) error = NULL;

  if (self->checks >= MAX_CHECKS)
    g_set_error_literal (&error, HN_ERROR, HN_ERROR_BUSY,
                         "Other servers are being checked; try again when they are done");
  else
    hn_arguments_parse_check_server (url, options, &normalized_url, &ca_certificate, &error);
  if (error != NULL)
    {
      hn_bus_return_error (invocation, error);
      return TRUE;
    }

  self->checks++;
  hn_engine_check_server_async (self->engine, normalized_url, ca_certificate, NULL,
                                on_server_checked, hn_pending_call_new (self, invocation, NULL));
  return TRUE;
}

HnManagerAdaptor *
hn_manager_adaptor_new (HnEngine *engine, HnGate *gate)
{
  HnManagerAdaptor *self = g_object_new (HN_TYPE_MANAGER_ADAPTOR, NULL);
  GPtrArray *tailnets = hn_engine_get_tailnets (engine);

  self->engine = g_object_ref (engine);
  self->gate = g_object_ref (gate);
  self->objects = g_dbus_object_manager_server_new (HN_BUS_PATH);
  self->skeleton = hn_guarded_manager_new (gate);
  g_signal_connect_object (self->skeleton, "handle-add-tailnet", G_CALLBACK (on_add_tailnet), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->skeleton, "handle-remove-tailnet", G_CALLBACK (on_remove_tailnet),
                           self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->skeleton, "handle-check-server", G_CALLBACK (on_check_server),
                           self, G_CONNECT_SWAPPED);

  hn_dbus_manager_set_version (self->skeleton, HN_VERSION);
  update_tailnets (self);
  g_signal_connect_swapped (engine, "tailnet-added", G_CALLBACK (on_tailnet_added), self);
  g_signal_connect_swapped (engine, "tailnet-removed", G_CALLBACK (on_tailnet_removed), self);
  for (guint i = 0; i < tailnets->len; i++)
    on_tailnet_added (self, g_ptr_array_index (tailnets, i));
  return self;
}

gboolean
hn_manager_adaptor_export (HnManagerAdaptor *self, GDBusConnection *connection, GError **error)
{
  if (!g_dbus_interface_skeleton_export (G_DBUS_INTERFACE_SKELETON (self->skeleton), connection,
                                         HN_BUS_PATH, error))
    return FALSE;
  g_dbus_object_manager_server_set_connection (self->objects, connection);
  return TRUE;
}

void
hn_manager_adaptor_unexport (HnManagerAdaptor *self)
{
  g_dbus_object_manager_server_set_connection (self->objects, NULL);
  if (g_dbus_interface_skeleton_get_object_path (G_DBUS_INTERFACE_SKELETON (self->skeleton))
      != NULL)
    g_dbus_interface_skeleton_unexport (G_DBUS_INTERFACE_SKELETON (self->skeleton));
}
