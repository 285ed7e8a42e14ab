/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bus/hn-peer-monitors.h"

#include "base/hn-error.h"
#include "base/hn-source.h"
#include "bus/hn-variants.h"

#define MAX_MONITORS 64
#define INTERFACE "org.headnet.Headnet1.Tailnet"

struct _HnPeerMonitors
{
  HnTailnet *tailnet; /* owned */
  char *path;
  GHashTable *monitors; /* client -> Monitor, both owned */
};

typedef struct
{
  HnPeerMonitors *monitors;    /* borrowed */
  GDBusConnection *connection; /* owned */
  char *client;                /* unique name */
  char **ids;                  /* stable ids */
  guint name_watch;
  GSource *timer;            /* owned */
  GCancellable *cancellable; /* owned; of the question under way */
  gboolean asking;
} Monitor;

static void
monitor_free (gpointer data)
{
  Monitor *monitor = data;

  g_cancellable_cancel (monitor->cancellable);
  g_object_unref (monitor->cancellable);
  g_bus_unwatch_name (monitor->name_watch);
  hn_source_clear (&monitor->timer);
  g_object_unref (monitor->connection);
  g_strfreev (monitor->ids);
  g_free (monitor->client);
  g_free (monitor);
}

typedef struct
{
  HnDictionaryWriter *writer;
  const HnPeerCounters *counters;
} Row;

static void
write_row (const HnPeerView *peer, gpointer data)
{
  const Row *row = data;

  hn_variants_write_peer_stats (row->writer, peer, row->counters);
}

static void
on_counters (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Monitor *monitor = user_data;
  HnTailnet *tailnet = HN_TAILNET (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) counters = hn_tailnet_get_many_counters_finish (tailnet, result, &error);
  g_autoptr (HnDictionaryWriter) writer = NULL;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* and the monitor is gone */
  monitor->asking = FALSE;
  if (counters == NULL)
    return;
  writer = hn_dictionary_writer_new ();
  for (guint i = 0; monitor->ids[i] != NULL; i++)
    {
      Row row = { writer, &g_array_index (counters, HnPeerCounters, i) };

      hn_tailnet_with_peer (tailnet, monitor->ids[i], write_row, &row, NULL);
    }
  g_dbus_connection_emit_signal (
      monitor->connection, monitor->client, monitor->monitors->path, INTERFACE, "PeerStats",
      g_variant_new ("(@aa{sv})", hn_dictionary_writer_finish (writer)), NULL);
}

static gboolean
on_tick (gpointer user_data)
{
  Monitor *monitor = user_data;

  if (monitor->asking)
    return G_SOURCE_CONTINUE;
  monitor->asking = TRUE;
  hn_tailnet_get_many_counters_async (monitor->monitors->tailnet,
                                      (const char *const *) monitor->ids, monitor->cancellable,
                                      on_counters, monitor);
  return G_SOURCE_CONTINUE;
}

static void
on_client_gone (GDBusConnection *connection, const char *name, gpointer user_data)
{
  Monitor *monitor = user_data;

  g_hash_table_remove (monitor->monitors->monitors, monitor->client);
}

HnPeerMonitors *
hn_peer_monitors_new (HnTailnet *tailnet, const char *path)
{
  HnPeerMonitors *self = g_new0 (HnPeerMonitors, 1);

  self->tailnet = g_object_ref (tailnet);
  self->path = g_strdup (path);
  self->monitors = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, monitor_free);
  return self;
}

void
hn_peer_monitors_free (HnPeerMonitors *self)
{
  g_hash_table_unref (self->monitors);
  g_object_unref (self->tailnet);
  g_free (self->path);
  g_free (self);
}

static void
note_id (const HnPeerView *peer, gpointer data)
{
  g_ptr_array_add (data, g_strdup (hn_node_get (peer->node)->stable_id));
}

static char **
find_ids (HnPeerMonitors *self, const char *const *targets, GError **error)
{
  g_autoptr (GPtrArray) ids = g_ptr_array_new_with_free_func (g_free);

  if (g_strv_length ((char **) targets) > HN_PEER_MONITOR_MAX_PEERS)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT, "At most %d peers can be watched",
                   HN_PEER_MONITOR_MAX_PEERS);
      return NULL;
    }
  for (guint i = 0; targets[i] != NULL; i++)
    if (!hn_tailnet_with_peer (self->tailnet, targets[i], note_id, ids, error))
      return NULL;
  g_ptr_array_add (ids, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&ids), FALSE);
}

gboolean
hn_peer_monitors_start (HnPeerMonitors *self, GDBusConnection *connection, const char *client,
                        const char *const *targets, guint interval_ms, GError **error)
{
  g_auto (GStrv) ids = NULL;
  Monitor *monitor;

  if (interval_ms < HN_PEER_MONITOR_MIN_MS || interval_ms > HN_PEER_MONITOR_MAX_MS)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                   "The interval is %d to %d milliseconds", HN_PEER_MONITOR_MIN_MS,
                   HN_PEER_MONITOR_MAX_MS);
      return FALSE;
    }
  ids = find_ids (self, targets, error);
  if (ids == NULL)
    return FALSE;
  if (!g_hash_table_contains (self->monitors, client)
      && g_hash_table_size (self->monitors) >= MAX_MONITORS)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_BUSY, "Too many programs watch peers already");
      return FALSE;
    }

  monitor = g_new0 (Monitor, 1);
  monitor->monitors = self;
  monitor->connection = g_object_ref (connection);
  monitor->client = g_strdup (client);
  monitor->ids = g_steal_pointer (&ids);
  monitor->cancellable = g_cancellable_new ();
  monitor->name_watch = g_bus_watch_name_on_connection (
      connection, client, G_BUS_NAME_WATCHER_FLAGS_NONE, NULL, on_client_gone, monitor, NULL);
  monitor->timer = g_timeout_source_new (interval_ms);
  g_source_set_callback (monitor->timer, on_tick, monitor, NULL);
  g_source_attach (monitor->timer, g_main_context_get_thread_default ());
  g_hash_table_replace (self->monitors, monitor->client, monitor);
  on_tick (monitor);
  return TRUE;
}

void
hn_peer_monitors_stop (HnPeerMonitors *self, const char *client)
{
  g_hash_table_remove (self->monitors, client);
}
