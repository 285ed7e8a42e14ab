/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-pump.h"

#include <string.h>

#include "dataplane/hn-pump-private.h"

#define SWEEP_INTERVAL_US (60 * G_USEC_PER_SEC)
/* Longer than a session lives (180 s), so that only what would begin anew anyway is dropped. */
#define IDLE_US (300 * G_USEC_PER_SEC)

static void
deactivate (HnPump *self, HnPumpLink *link)
{
  HnWgPeerStats stats;

  if (link->wg == NULL)
    return;
  hn_wg_peer_get_stats (link->wg, self->now_us, &stats);
  link->rx_bytes += stats.rx_bytes;
  link->tx_bytes += stats.tx_bytes;
  link->last_handshake_us = MAX (link->last_handshake_us, stats.last_handshake_us);
  hn_wg_remove_peer (self->wg, link->wg);
  link->wg = NULL;
  g_queue_unlink (&self->active, &link->active);
  if (self->active.length == 0)
    self->sweep_us = G_MAXINT64;
}

static gsize
fill_allowed_ips (const HnNodeFields *node, HnWgAllowedIp *out, gsize max)
{
  gsize n = MIN (node->n_addresses, max);

  for (gsize i = 0; i < n; i++)
    {
      const HnPrefix *prefix = &node->addresses[i];

      out[i].family = prefix->ip.family;
      out[i].bits = prefix->bits;
      memcpy (out[i].address, prefix->ip.bytes, sizeof out[i].address);
    }
  return n;
}

/* Only a peer's own addresses: routes of others are not accepted. */
static void
set_allowed_ips (HnWgPeer *wg, const HnNode *node)
{
  HnWgAllowedIp ips[16];

  hn_wg_peer_set_allowed_ips (wg, ips,
                              fill_allowed_ips (hn_node_get (node), ips, G_N_ELEMENTS (ips)));
}

HnPumpLink *
hn_pump_ensure_link (HnPumpPeer *peer)
{
  HnPumpLink *link = peer->link;

  if (link != NULL)
    return link;
  link = peer->link = g_new0 (HnPumpLink, 1);
  link->peer = peer;
  link->active.data = link;
  return link;
}

HnPumpLink *
hn_pump_activate (HnPump *self, HnPumpPeer *peer)
{
  HnPumpLink *link = hn_pump_ensure_link (peer);

  if (link->wg != NULL)
    return link;
  link->wg = hn_wg_add_peer (self->wg, hn_node_get (peer->node)->key.bytes, link);
  if (link->wg == NULL)
    return NULL;
  set_allowed_ips (link->wg, peer->node);
  link->last_packet_us = self->now_us;
  g_queue_push_tail_link (&self->active, &link->active);
  if (self->sweep_us == G_MAXINT64)
    self->sweep_us = self->now_us + SWEEP_INTERVAL_US;
  return link;
}

void
hn_pump_set_path (HnPump *self, HnPumpLink *link, const HnPeerPath *path)
{
  if (link->path.kind == path->kind && link->path.relay == path->relay
      && hn_endpoint_equal (&link->path.endpoint, &path->endpoint))
    return;
  link->path = *path;
  self->ops.path_changed (self->user, &hn_node_get (link->peer->node)->key, path);
}

void
hn_pump_set_relay (HnPump *self, HnPumpLink *link, int region)
{
  HnPeerPath path = { region != 0 ? HN_PATH_RELAY : HN_PATH_NONE, region, { { 0 } } };

  /* once a packet while there is no direct path: so no more than this when nothing changes */
  if (link->path.kind != path.kind || link->path.relay != region)
    hn_pump_set_path (self, link, &path);
}

void
hn_pump_sweep (HnPump *self)
{
  GList *next;

  for (GList *item = self->active.head; item != NULL; item = next)
    {
      HnPumpLink *link = item->data;
      HnWgPeerStats stats;

      next = item->next;
      if (self->now_us - link->last_packet_us < IDLE_US)
        continue;
      hn_wg_peer_get_stats (link->wg, self->now_us, &stats);
      if (stats.has_session)
        continue;
      deactivate (self, link);
      hn_pump_set_relay (self, link, 0);
    }
  if (self->active.length > 0)
    self->sweep_us = self->now_us + SWEEP_INTERVAL_US;
}

static void
insert_addresses (HnPump *self, HnPumpPeer *peer)
{
  const HnNodeFields *node = hn_node_get (peer->node);

  for (gsize i = 0; i < node->n_addresses; i++)
    {
      const HnPrefix *prefix = &node->addresses[i];
      HnPumpPeer *other;

      if (!hn_prefix_is_single (prefix))
        continue;
      other = hn_address_map_lookup (self->addresses, prefix->ip.family, prefix->ip.bytes);
      if (other != NULL && other != peer)
        {
          /* Two peers, one address: the older node has it (tailscale: net/routemanager). */
          self->has_conflicts = TRUE;
          if (hn_node_get (other->node)->id < node->id)
            continue;
        }
      hn_address_map_insert (self->addresses, &prefix->ip, peer);
    }
}

static void
remove_addresses (HnPump *self, HnPumpPeer *peer)
{
  const HnNodeFields *node = hn_node_get (peer->node);

  for (gsize i = 0; i < node->n_addresses; i++)
    if (hn_prefix_is_single (&node->addresses[i]))
      hn_address_map_remove (self->addresses, &node->addresses[i].ip, peer);
}

/* The peer is out of the table of peers already. */
static void
drop_peer (HnPump *self, HnPumpPeer *peer)
{
  remove_addresses (self, peer);
  if (peer->path != NULL)
    hn_paths_remove (self->paths, peer->path);
  if (peer->link != NULL)
    deactivate (self, peer->link);
  g_free (peer->link);
  hn_node_unref (peer->node);
  g_slice_free (HnPumpPeer, peer);
}

static gboolean
same_addresses (const HnNodeFields *a, const HnNodeFields *b)
{
  if (a->n_addresses != b->n_addresses)
    return FALSE;
  for (gsize i = 0; i < a->n_addresses; i++)
    if (!hn_prefix_equal (&a->addresses[i], &b->addresses[i]))
      return FALSE;
  return TRUE;
}

static void
replace_node (HnPump *self, HnPumpPeer *peer, HnNode *node)
{
  g_autoptr (HnNode) old = peer->node;
  const HnNodeFields *before = hn_node_get (old);
  const HnNodeFields *after = hn_node_get (node);
  gboolean moved = !same_addresses (before, after);

  if (moved)
    remove_addresses (self, peer);
  peer->node = hn_node_ref (node);
  g_hash_table_replace (self->peers, (gpointer) &after->key, peer);
  if (peer->path != NULL)
    hn_paths_update (self->paths, peer->path, node, self->now_us);
  if (moved)
    insert_addresses (self, peer);
  if (peer->link == NULL || peer->link->wg == NULL)
    return;
  if (moved)
    set_allowed_ips (peer->link->wg, node);
  /* Another disco key means a restart: its side of our sessions is gone (tailscale:
   * wgengine/userspace.go). */
  if (!hn_disco_public_equal (&before->disco, &after->disco))
    hn_wg_peer_reset (self->wg, peer->link->wg);
}

static void
add_peer (HnPump *self, HnNode *node)
{
  HnPumpPeer *peer = g_slice_new0 (HnPumpPeer);

  peer->node = hn_node_ref (node);
  g_hash_table_insert (self->peers, (gpointer) &hn_node_get (node)->key, peer);
  if (self->paths != NULL)
    peer->path = hn_paths_add (self->paths, node, peer);
  insert_addresses (self, peer);
}

static void
remove_all_but (HnPump *self, GPtrArray *changed)
{
  g_autoptr (GHashTable) kept
      = g_hash_table_new ((GHashFunc) hn_node_public_hash, (GEqualFunc) hn_node_public_equal);
  GHashTableIter iter;
  gpointer key, value;

  for (guint i = 0; changed != NULL && i < changed->len; i++)
    g_hash_table_add (kept, (gpointer) &hn_node_get (g_ptr_array_index (changed, i))->key);
  g_hash_table_iter_init (&iter, self->peers);
  while (g_hash_table_iter_next (&iter, &key, &value))
    if (!g_hash_table_contains (kept, key))
      {
        g_hash_table_iter_remove (&iter);
        drop_peer (self, value);
      }
}

/* Whoever lost an address to another peer may have it now. */
static void
resolve_conflicts (HnPump *self)
{
  GHashTableIter iter;
  gpointer value;

  if (!self->has_conflicts)
    return;
  self->has_conflicts = FALSE;
  hn_address_map_remove_all (self->addresses);
  g_hash_table_iter_init (&iter, self->peers);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    insert_addresses (self, value);
}

void
hn_pump_update_peers (HnPump *self, GPtrArray *changed, GPtrArray *removed, gboolean full)
{
  hn_pump_update_now (self);
  if (full)
    remove_all_but (self, changed);
  for (guint i = 0; removed != NULL && i < removed->len; i++)
    {
      const HnNodeFields *node = hn_node_get (g_ptr_array_index (removed, i));
      gpointer value;

      if (g_hash_table_steal_extended (self->peers, &node->key, NULL, &value))
        drop_peer (self, value);
    }
  for (guint i = 0; changed != NULL && i < changed->len; i++)
    {
      HnNode *node = g_ptr_array_index (changed, i);
      HnPumpPeer *peer = g_hash_table_lookup (self->peers, &hn_node_get (node)->key);

      if (peer != NULL)
        replace_node (self, peer, node);
      else
        add_peer (self, node);
    }
  resolve_conflicts (self);
}

void
hn_pump_peer_gone (HnPump *self, int region, const HnNodePublic *key)
{
  HnPumpPeer *peer = g_hash_table_lookup (self->peers, key);

  if (peer == NULL || peer->link == NULL || peer->link->path.kind != HN_PATH_RELAY
      || peer->link->path.relay != region)
    return;
  peer->link->gone = TRUE;
  hn_pump_set_relay (self, peer->link, 0);
}

gboolean
hn_pump_get_stats (HnPump *self, const HnNodePublic *key, HnPeerStats *stats)
{
  HnPumpPeer *peer = g_hash_table_lookup (self->peers, key);
  gint64 now_us = hn_pump_update_now (self);
  gint64 handshake_us;
  HnPumpLink *link;

  memset (stats, 0, sizeof *stats);
  if (peer == NULL)
    return FALSE;
  link = peer->link;
  if (link == NULL)
    return TRUE;
  stats->path = link->path;
  stats->latency_us = link->latency_us;
  if (peer->path != NULL && link->path.kind == HN_PATH_DIRECT)
    {
      HnPathStats direct;

      hn_paths_get_stats (self->paths, peer->path, now_us, &direct);
      if (direct.latency_us > 0)
        stats->latency_us = direct.latency_us;
    }
  stats->rx_bytes = link->rx_bytes;
  stats->tx_bytes = link->tx_bytes;
  handshake_us = link->last_handshake_us;
  if (link->wg != NULL)
    {
      HnWgPeerStats wg;

      hn_wg_peer_get_stats (link->wg, now_us, &wg);
      stats->rx_bytes += wg.rx_bytes;
      stats->tx_bytes += wg.tx_bytes;
      handshake_us = MAX (handshake_us, wg.last_handshake_us);
    }
  if (handshake_us != 0)
    stats->last_handshake = (hn_pump_wall_us (self) - (now_us - handshake_us)) / G_USEC_PER_SEC;
  return TRUE;
}

void
hn_pump_init_peers (HnPump *self)
{
  self->peers
      = g_hash_table_new ((GHashFunc) hn_node_public_hash, (GEqualFunc) hn_node_public_equal);
  self->addresses = hn_address_map_new ();
  self->sweep_us = G_MAXINT64;
}

void
hn_pump_clear_peers (HnPump *self)
{
  remove_all_but (self, NULL);
  g_clear_pointer (&self->peers, g_hash_table_unref);
  g_clear_pointer (&self->addresses, hn_address_map_free);
}

guint
hn_pump_get_n_active (const HnPump *self)
{
  return self->active.length;
}
