/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/hn-engine.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/hn-error.h"
#include "base/hn-file.h"
#include "engine/hn-check-server.h"
#include "engine/hn-tailnet-private.h"
#include "system/hn-links.h"

#define LOGOUT_TIMEOUT_S 5 /* how long RemoveTailnet waits for a server */

struct _HnEngine
{
  GObject parent_instance;

  HnLinks *links;        /* owned */
  HnProfileStore *store; /* owned */
  char *runtime_directory;
  GPtrArray *tailnets; /* of HnTailnet, owned */
};

enum
{
  TAILNET_ADDED,
  TAILNET_REMOVED,
  ACTIVITY_CHANGED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (HnEngine, hn_engine, G_TYPE_OBJECT)

static void
hn_engine_dispose (GObject *object)
{
  HnEngine *self = HN_ENGINE (object);

  if (self->tailnets != NULL)
    hn_engine_stop (self);
  g_clear_pointer (&self->tailnets, g_ptr_array_unref);
  if (self->links != NULL)
    g_signal_handlers_disconnect_by_data (self->links, self);
  g_clear_object (&self->links);
  g_clear_pointer (&self->store, hn_profile_store_free);
  G_OBJECT_CLASS (hn_engine_parent_class)->dispose (object);
}

static void
hn_engine_finalize (GObject *object)
{
  HnEngine *self = HN_ENGINE (object);

  g_free (self->runtime_directory);
  G_OBJECT_CLASS (hn_engine_parent_class)->finalize (object);
}

static void
hn_engine_class_init (HnEngineClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = hn_engine_dispose;
  object_class->finalize = hn_engine_finalize;

  signals[TAILNET_ADDED] = g_signal_new ("tailnet-added", HN_TYPE_ENGINE, G_SIGNAL_RUN_LAST, 0,
                                         NULL, NULL, NULL, G_TYPE_NONE, 1, HN_TYPE_TAILNET);
  signals[TAILNET_REMOVED] = g_signal_new ("tailnet-removed", HN_TYPE_ENGINE, G_SIGNAL_RUN_LAST, 0,
                                           NULL, NULL, NULL, G_TYPE_NONE, 1, HN_TYPE_TAILNET);
  signals[ACTIVITY_CHANGED] = g_signal_new ("activity-changed", HN_TYPE_ENGINE, G_SIGNAL_RUN_LAST,
                                            0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
hn_engine_init (HnEngine *self)
{
  self->tailnets = g_ptr_array_new_with_free_func (g_object_unref);
}

static void
on_links_changed (HnLinks *links, gboolean major, gpointer user_data)
{
  HnEngine *self = user_data;

  for (guint i = 0; i < self->tailnets->len; i++)
    hn_tailnet_network_changed (g_ptr_array_index (self->tailnets, i), major);
}

static void
on_routes_lost (HnLinks *links, int table, gpointer user_data)
{
  HnEngine *self = user_data;

  for (guint i = 0; i < self->tailnets->len; i++)
    hn_tailnet_routes_lost (g_ptr_array_index (self->tailnets, i), table);
}

static void
on_status_changed (HnTailnet *tailnet, gpointer user_data)
{
  g_signal_emit (user_data, signals[ACTIVITY_CHANGED], 0);
}

static HnTailnet *
take_profile (HnEngine *self, HnProfile *profile)
{
  HnTailnetServices services = { self->links, self->store, self->runtime_directory };
  HnTailnet *tailnet = hn_tailnet_new (&services, profile);

  g_signal_connect (tailnet, "status-changed", G_CALLBACK (on_status_changed), self);
  g_ptr_array_add (self->tailnets, tailnet);
  return tailnet;
}

HnEngine *
hn_engine_new (const char *state_directory, const char *runtime_directory, GError **error)
{
  g_autoptr (HnEngine) self = g_object_new (HN_TYPE_ENGINE, NULL);
  g_autoptr (GPtrArray) profiles = NULL;
  g_autoptr (GPtrArray) damaged = NULL;

  self->store = hn_profile_store_new (state_directory, error);
  if (self->store == NULL || !hn_file_ensure_private_directory (runtime_directory, error))
    return NULL;
  self->runtime_directory = g_strdup (runtime_directory);
  self->links = hn_links_new (error);
  if (self->links == NULL)
    return NULL;
  g_signal_connect (self->links, "changed", G_CALLBACK (on_links_changed), self);
  g_signal_connect (self->links, "routes-lost", G_CALLBACK (on_routes_lost), self);

  profiles = hn_profile_store_load (self->store, &damaged);
  for (guint i = 0; i < damaged->len; i++)
    g_message ("A profile can not be read and is left alone: %s",
               (const char *) g_ptr_array_index (damaged, i));
  for (guint i = 0; i < profiles->len; i++)
    take_profile (self, g_ptr_array_index (profiles, i));
  g_ptr_array_set_free_func (profiles, NULL);
  return g_steal_pointer (&self);
}

void
hn_engine_start (HnEngine *self)
{
  g_autoptr (GError) error = NULL;

  /* nothing of ours runs yet, so every rule and route of ours was left by a killed daemon; another
   * daemon of the same machine lives in a name space of its own */
  if (!hn_links_clean_up (self->links, NULL, 0, &error))
    g_warning ("Cannot clean up after an earlier run: %s", error->message);
  for (guint i = 0; i < self->tailnets->len; i++)
    hn_tailnet_auto_connect (g_ptr_array_index (self->tailnets, i));
}

void
hn_engine_stop (HnEngine *self)
{
  for (guint i = 0; i < self->tailnets->len; i++)
    hn_tailnet_shut_down (g_ptr_array_index (self->tailnets, i));
}

GPtrArray *
hn_engine_get_tailnets (HnEngine *self)
{
  return self->tailnets;
}

HnTailnet *
hn_engine_get_tailnet (HnEngine *self, const char *id)
{
  for (guint i = 0; i < self->tailnets->len; i++)
    {
      HnTailnet *tailnet = g_ptr_array_index (self->tailnets, i);

      if (strcmp (hn_tailnet_get_id (tailnet), id) == 0)
        return tailnet;
    }
  return NULL;
}

HnTailnet *
hn_engine_add_tailnet (HnEngine *self, const HnPreferences *preferences, GError **error)
{
  g_autoptr (HnPreferences) wanted = hn_preferences_copy (preferences);
  g_autofree char *url = NULL;
  HnProfile *profile;
  HnTailnet *tailnet;

  url = hn_preferences_normalize_url (wanted->server_url != NULL ? wanted->server_url : "", error);
  if (url == NULL)
    return NULL;
  g_free (wanted->server_url);
  wanted->server_url = g_steal_pointer (&url);
  if (wanted->host_name[0] != '\0' && !hn_preferences_check_host_name (wanted->host_name, error))
    return NULL;
  if (strlen (wanted->name) > 128 || !g_utf8_validate (wanted->name, -1, NULL))
    {
      g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                   _ ("A tailnet's name has 1 to 128 bytes of text"));
      return NULL;
    }
  if (wanted->name[0] == '\0')
    {
      g_autoptr (GUri) uri = g_uri_parse (wanted->server_url, G_URI_FLAGS_NONE, NULL);
      const char *host = uri != NULL ? g_uri_get_host (uri) : "tailnet";

      g_free (wanted->name);
      wanted->name = g_strdup (host);
      for (guint n = 2; !hn_profile_store_name_is_free (self->store, wanted->name, NULL); n++)
        {
          g_free (wanted->name);
          wanted->name = g_strdup_printf ("%s-%u", host, n);
        }
    }

  profile = hn_profile_store_add (self->store, wanted, error);
  if (profile == NULL)
    return NULL;
  tailnet = take_profile (self, profile);
  g_signal_emit (self, signals[TAILNET_ADDED], 0, tailnet);
  return tailnet;
}

static void
forget (HnEngine *self, GTask *task, HnTailnet *tailnet)
{
  g_autoptr (HnTailnet) hold = g_object_ref (tailnet);
  g_autoptr (GError) error = NULL;

  if (!g_ptr_array_find (self->tailnets, tailnet, NULL))
    {
      g_task_return_new_error (task, HN_ERROR, HN_ERROR_NOT_FOUND,
                               _ ("That tailnet is gone already"));
      return;
    }
  if (!hn_profile_store_remove (self->store, hn_tailnet_get_profile (tailnet), &error))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  g_signal_handlers_disconnect_by_data (tailnet, self);
  hn_tailnet_shut_down (tailnet);
  g_ptr_array_remove (self->tailnets, tailnet);
  g_signal_emit (self, signals[TAILNET_REMOVED], 0, tailnet);
  g_signal_emit (self, signals[ACTIVITY_CHANGED], 0);
  g_task_return_boolean (task, TRUE);
}

typedef struct
{
  HnTailnet *tailnet;
  GCancellable *timeout;
  GSource *source;
} Removal;

static void
removal_free (gpointer data)
{
  Removal *removal = data;

  g_source_destroy (removal->source);
  g_source_unref (removal->source);
  g_object_unref (removal->timeout);
  g_object_unref (removal->tailnet);
  g_free (removal);
}

static gboolean
on_removal_timeout (gpointer user_data)
{
  g_cancellable_cancel (user_data);
  return G_SOURCE_REMOVE;
}

static void
on_removal_logged_out (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Removal *removal = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;

  if (!hn_tailnet_logout_finish (HN_TAILNET (source), result, &error))
    g_message ("%s: removed here, but the server may still list this computer: %s",
               hn_tailnet_get_id (removal->tailnet), error->message);
  forget (g_task_get_source_object (task), task, removal->tailnet);
}

void
hn_engine_remove_tailnet_async (HnEngine *self, HnTailnet *tailnet, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer data)
{
  GTask *task = g_task_new (self, cancellable, callback, data);
  Removal *removal = g_new0 (Removal, 1);

  g_task_set_source_tag (task, hn_engine_remove_tailnet_async);
  removal->tailnet = g_object_ref (tailnet);
  removal->timeout = g_cancellable_new ();
  removal->source = g_timeout_source_new_seconds (LOGOUT_TIMEOUT_S);
  g_source_set_callback (removal->source, on_removal_timeout, removal->timeout, NULL);
  g_source_attach (removal->source, g_main_context_get_thread_default ());
  g_task_set_task_data (task, removal, removal_free);
  /* not the caller's cancellable: what was begun here is carried through */
  hn_tailnet_logout_async (tailnet, removal->timeout, on_removal_logged_out, task);
}

gboolean
hn_engine_remove_tailnet_finish (HnEngine *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

gboolean
hn_engine_is_active (HnEngine *self)
{
  for (guint i = 0; i < self->tailnets->len; i++)
    {
      HnTailnet *tailnet = g_ptr_array_index (self->tailnets, i);

      if (hn_tailnet_is_wanted (tailnet) || hn_tailnet_is_busy (tailnet))
        return TRUE;
    }
  return FALSE;
}

static void
on_checked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  GPtrArray *steps = hn_check_server_finish (result, &error);

  if (steps != NULL)
    g_task_return_pointer (task, steps, (GDestroyNotify) g_ptr_array_unref);
  else
    g_task_return_error (task, g_steal_pointer (&error));
}

void
hn_engine_check_server_async (HnEngine *self, const char *url, const char *ca_certificate,
                              GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer data)
{
  GTask *task = g_task_new (self, cancellable, callback, data);

  g_task_set_source_tag (task, hn_engine_check_server_async);
  hn_check_server_async (url, ca_certificate, HN_MARK, cancellable, on_checked, task);
}

GPtrArray *
hn_engine_check_server_finish (HnEngine *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
