/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/hn-tailnet-private.h"

#include <glib/gi18n.h>

#include "base/hn-error.h"

#define PING_TIMEOUT_MS 5000

static const char *
path_to_string (HnPathKind path)
{
  switch (path)
    {
    case HN_PATH_NONE:
      return "none";
    case HN_PATH_RELAY:
      return "relay";
    case HN_PATH_DIRECT:
      return "direct";
    }
  g_return_val_if_reached ("none");
}

static const char *
relay_code (HnNetmap *netmap, int relay)
{
  HnDerpMap *map = netmap != NULL ? hn_netmap_get_derp_map (netmap) : NULL;
  const HnDerpRegion *region = map != NULL ? hn_derp_map_get_region (map, relay) : NULL;

  return region != NULL ? region->code : "";
}

static gboolean
is_expired (HnTailnet *self, const HnPeerEntry *entry)
{
  return hn_node_is_expired (entry->node, hn_tailnet_server_now (self));
}

static void
hand_out (HnTailnet *self, const HnPeerEntry *entry, HnPeerFunc func, gpointer data)
{
  HnNetmap *netmap = hn_tailnet_get_netmap (self);
  char endpoint[HN_IP_TEXT_MAX];
  const HnUser *user
      = netmap != NULL ? hn_netmap_get_user (netmap, hn_node_get (entry->node)->user_id) : NULL;
  HnPeerView view = {
    .node = entry->node,
    .user_login = user != NULL ? user->login_name : "",
    .user_display = user != NULL ? user->display_name : "",
    .expired = is_expired (self, entry),
    .path = path_to_string (entry->path.kind),
    .endpoint = entry->path.kind == HN_PATH_DIRECT
                    ? hn_endpoint_format (&entry->path.endpoint, endpoint)
                    : "",
    .relay_code = entry->path.kind == HN_PATH_RELAY ? relay_code (netmap, entry->path.relay) : "",
  };

  func (&view, data);
}

void
hn_tailnet_foreach_peer (HnTailnet *self, HnPeerFunc func, gpointer data)
{
  GPtrArray *sorted = hn_peer_list_get_sorted (self->peers);

  for (guint i = 0; i < sorted->len; i++)
    hand_out (self, g_ptr_array_index (sorted, i), func, data);
}

gboolean
hn_tailnet_with_peer (HnTailnet *self, const char *target, HnPeerFunc func, gpointer data,
                      GError **error)
{
  HnPeerEntry *entry = hn_peer_list_find (self->peers, target, error);

  if (entry == NULL)
    return FALSE;
  hand_out (self, entry, func, data);
  return TRUE;
}

static HnPeerCounters
take_counters (const HnPeerStats *stats)
{
  return (HnPeerCounters){
    .latency_us = stats->latency_us,
    .last_handshake = stats->last_handshake,
    .rx_bytes = stats->rx_bytes,
    .tx_bytes = stats->tx_bytes,
  };
}

static void
on_stats (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  HnPeerStats stats = { 0 };
  HnPeerCounters *counters;
  g_autoptr (GError) error = NULL;

  if (!hn_dataplane_get_stats_finish (HN_DATAPLANE (source), result, &stats, &error)
      && !g_error_matches (error, HN_ERROR, HN_ERROR_NOT_FOUND))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  counters = g_new0 (HnPeerCounters, 1);
  *counters = take_counters (&stats);
  g_task_return_pointer (task, counters, g_free);
}

void
hn_tailnet_get_counters_async (HnTailnet *self, const char *stable_id, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer data)
{
  GTask *task = g_task_new (self, cancellable, callback, data);
  HnPeerEntry *entry = hn_peer_list_get_by_stable_id (self->peers, stable_id);

  g_task_set_source_tag (task, hn_tailnet_get_counters_async);
  if (entry == NULL)
    {
      g_task_return_new_error (task, HN_ERROR, HN_ERROR_NOT_FOUND, _ ("That peer is gone"));
      g_object_unref (task);
    }
  else if (self->device.dataplane == NULL)
    {
      g_task_return_pointer (task, g_new0 (HnPeerCounters, 1), g_free);
      g_object_unref (task);
    }
  else
    {
      hn_dataplane_get_stats_async (self->device.dataplane, &hn_node_get (entry->node)->key,
                                    cancellable, on_stats, task);
    }
}

gboolean
hn_tailnet_get_counters_finish (HnTailnet *self, GAsyncResult *result, HnPeerCounters *counters,
                                GError **error)
{
  g_autofree HnPeerCounters *got = g_task_propagate_pointer (G_TASK (result), error);

  if (got == NULL)
    return FALSE;
  *counters = *got;
  return TRUE;
}

static void
on_many_stats (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) stats
      = hn_dataplane_get_many_stats_finish (HN_DATAPLANE (source), result, &error);
  GArray *many;

  if (stats == NULL)
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  many = g_array_sized_new (FALSE, TRUE, sizeof (HnPeerCounters), stats->len);
  for (guint i = 0; i < stats->len; i++)
    {
      HnPeerCounters counters = take_counters (&g_array_index (stats, HnPeerStats, i));

      g_array_append_val (many, counters);
    }
  g_task_return_pointer (task, many, (GDestroyNotify) g_array_unref);
}

void
hn_tailnet_get_many_counters_async (HnTailnet *self, const char *const *stable_ids,
                                    GCancellable *cancellable, GAsyncReadyCallback callback,
                                    gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);
  g_autoptr (GArray) keys = g_array_new (FALSE, FALSE, sizeof (HnNodePublic));

  g_task_set_source_tag (task, hn_tailnet_get_many_counters_async);
  for (guint i = 0; stable_ids[i] != NULL; i++)
    {
      HnPeerEntry *entry = hn_peer_list_get_by_stable_id (self->peers, stable_ids[i]);
      HnNodePublic key = { { 0 } };

      if (entry != NULL)
        key = hn_node_get (entry->node)->key;
      g_array_append_val (keys, key);
    }
  if (self->device.dataplane == NULL)
    {
      GArray *none = g_array_sized_new (FALSE, TRUE, sizeof (HnPeerCounters), keys->len);

      g_array_set_size (none, keys->len);
      g_task_return_pointer (task, none, (GDestroyNotify) g_array_unref);
      return;
    }
  hn_dataplane_get_many_stats_async (self->device.dataplane,
                                     (const HnNodePublic *) (gpointer) keys->data, keys->len,
                                     cancellable, on_many_stats, g_steal_pointer (&task));
}

GArray *
hn_tailnet_get_many_counters_finish (HnTailnet *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* What a ping's answer is told with. */
typedef struct
{
  char *stable_id;
  HnPingKind kind;
} AskedPing;

static void
asked_ping_free (gpointer data)
{
  AskedPing *asked = data;

  g_free (asked->stable_id);
  g_free (asked);
}

static void
on_pong (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  HnTailnet *self = g_task_get_source_object (task);
  HnPeerStats stats = { 0 };
  HnPingResult *ping;
  const AskedPing *asked = g_task_get_task_data (task);
  HnPeerEntry *entry;
  char text[HN_IP_TEXT_MAX];
  g_autoptr (GError) error = NULL;

  if (!hn_dataplane_ping_finish (HN_DATAPLANE (source), result, &stats, &error))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  entry = hn_peer_list_get_by_stable_id (self->peers, asked->stable_id);
  if (entry != NULL)
    entry->latency_us = stats.latency_us;
  ping = g_new0 (HnPingResult, 1);
  ping->path = path_to_string (stats.path.kind);
  ping->endpoint = g_strdup (
      stats.path.kind == HN_PATH_DIRECT ? hn_endpoint_format (&stats.path.endpoint, text) : "");
  ping->relay_code
      = g_strdup (stats.path.kind == HN_PATH_RELAY && self->control != NULL
                      ? relay_code (hn_control_client_get_netmap (self->control), stats.path.relay)
                      : "");
  ping->latency_us = stats.latency_us;
  ping->kind = hn_ping_kind_to_string (asked->kind);
  g_task_return_pointer (task, ping, (GDestroyNotify) hn_ping_result_free);
}

/* The address to ping: the one that was asked for, else the first that we have a family for. */
static gboolean
ping_address (HnTailnet *self, const HnPeerEntry *entry, const char *target, HnIp *ip)
{
  HnNetmap *netmap = hn_control_client_get_netmap (self->control);
  const HnNodeFields *peer = hn_node_get (entry->node);
  const HnNodeFields *own = hn_node_get (hn_netmap_get_self (netmap));

  if (hn_ip_parse (target, ip))
    return TRUE;
  for (gsize i = 0; i < peer->n_addresses; i++)
    for (gsize k = 0; k < own->n_addresses; k++)
      if (peer->addresses[i].ip.family == own->addresses[k].ip.family)
        {
          *ip = peer->addresses[i].ip;
          return TRUE;
        }
  return FALSE;
}

void
hn_tailnet_ping_async (HnTailnet *self, const char *target, HnPingKind kind, guint timeout_ms,
                       GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);
  g_autoptr (GError) error = NULL;
  AskedPing *asked;
  HnPeerEntry *entry;
  HnIp ip;

  g_task_set_source_tag (task, hn_tailnet_ping_async);
  if (self->device.dataplane == NULL)
    {
      g_task_return_new_error (task, HN_ERROR, HN_ERROR_NOT_CONNECTED,
                               _ ("The tailnet is not connected: call Connect first"));
      return;
    }
  entry = hn_peer_list_find (self->peers, target, &error);
  if (entry == NULL)
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  if (!ping_address (self, entry, target, &ip))
    {
      g_task_return_new_error (task, HN_ERROR, HN_ERROR_NOT_FOUND,
                               _ ("That peer has no address of a family that this computer has"));
      return;
    }
  /* the tunnel does not know it, which would be said as if there were no such peer */
  if (is_expired (self, entry))
    {
      g_task_return_new_error (task, HN_ERROR, HN_ERROR_FAILED,
                               _ ("The key of that peer expired: it has to sign in again"));
      return;
    }
  asked = g_new (AskedPing, 1);
  *asked = (AskedPing){ g_strdup (hn_node_get (entry->node)->stable_id), kind };
  g_task_set_task_data (task, asked, asked_ping_free);
  hn_dataplane_ping_async (self->device.dataplane, kind, &ip,
                           timeout_ms != 0 ? timeout_ms : PING_TIMEOUT_MS, cancellable, on_pong,
                           g_steal_pointer (&task));
}

HnPingResult *
hn_tailnet_ping_finish (HnTailnet *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
