/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The path machine as its owner sees it: who we are, traffic and time. */
#include "path/hn-paths.h"

#include <errno.h>
#include <string.h>

#include "base/hn-hash.h"
#include "base/hn-secret.h"
#include "path/hn-paths-private.h"

/* For each packet: hn_endpoint_equal() without calls. What IPv4 does not use is zero. */
static inline gboolean
is_same (const HnEndpoint *a, const HnEndpoint *b)
{
  return a->port == b->port && a->ip.family == b->ip.family
         && memcmp (a->ip.bytes, b->ip.bytes, sizeof a->ip.bytes) == 0;
}

static guint
hash_endpoint (gconstpointer key)
{
  const HnEndpoint *endpoint = key;
  guint8 bytes[18];

  memcpy (bytes, endpoint->ip.bytes, 16);
  memcpy (bytes + 16, &endpoint->port, 2);
  return hn_hash_bytes (bytes, sizeof bytes);
}

static gboolean
equal_endpoint (gconstpointer a, gconstpointer b)
{
  return is_same (a, b);
}

static guint
hash_key (gconstpointer key)
{
  return hn_hash_bytes (key, HN_KEY_SIZE);
}

static gboolean
equal_key (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, HN_KEY_SIZE) == 0;
}

static guint
hash_tx_id (gconstpointer key)
{
  return hn_hash_bytes (key, HN_DISCO_TX_ID_SIZE);
}

static gboolean
equal_tx_id (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, HN_DISCO_TX_ID_SIZE) == 0;
}

static void
free_key (gpointer data)
{
  HnPathKey *key = data;

  hn_wipe (key, sizeof *key);
  g_free (key);
}

static void
free_peer (gpointer data)
{
  HnPathPeer *peer = data;

  hn_node_unref (peer->node);
  hn_paths_talk_destroy (peer->talk);
  g_free (peer);
}

HnPaths *
hn_paths_new (const HnPathOps *ops, gpointer user)
{
  HnPaths *self = g_new0 (HnPaths, 1);

  self->ops = *ops;
  self->user = user;
  self->available = TRUE;
  self->keys = g_hash_table_new_full (hash_key, equal_key, NULL, free_key);
  self->addresses = g_hash_table_new_full (hash_endpoint, equal_endpoint, NULL, g_free);
  self->pings = g_hash_table_new_full (hash_tx_id, equal_tx_id, NULL, g_free);
  g_queue_init (&self->pings_by_age);
  self->asks = g_ptr_array_new_with_free_func (g_free);
  self->queue = g_ptr_array_new ();
  self->changes = g_ptr_array_new ();
  self->graveyard = g_ptr_array_new_with_free_func (free_peer);
  return self;
}

void
hn_paths_free (HnPaths *self)
{
  if (self == NULL)
    return;
  /* Nobody is told any more. */
  self->depth++;
  while (self->peers != NULL)
    hn_paths_remove (self, self->peers);
  g_ptr_array_unref (self->graveyard);
  g_ptr_array_unref (self->changes);
  g_ptr_array_unref (self->queue);
  g_ptr_array_unref (self->asks);
  g_hash_table_unref (self->pings);
  g_hash_table_unref (self->addresses);
  g_hash_table_unref (self->keys);
  g_free (self->own);
  g_free (self->former);
  g_free (self->forbidden);
  hn_disco_private_clear (&self->disco);
  g_free (self);
}

/* --- the end of public functions --- */

void
hn_paths_enter (HnPaths *self)
{
  self->depth++;
}

void
hn_paths_leave (HnPaths *self)
{
  /* What the owner does from within the callbacks is told in the next turn of this loop. */
  if (self->depth > 1)
    {
      self->depth--;
      return;
    }
  while (self->want_refresh || self->asks_done || self->changes->len > 0)
    {
      if (self->want_refresh)
        {
          self->want_refresh = FALSE;
          self->ops.refresh_endpoints (self->user);
        }
      if (self->changes->len > 0)
        {
          HnPathPeer *peer = g_ptr_array_index (self->changes, 0);
          HnEndpoint endpoint = { 0 };

          g_ptr_array_remove_index (self->changes, 0);
          peer->changed = FALSE;
          if (peer->talk != NULL)
            endpoint = peer->talk->published;
          self->ops.path_changed (self->user, peer, endpoint.ip.family != 0 ? &endpoint : NULL);
        }
      hn_paths_asks_tell (self);
    }
  self->depth--;
  if (self->graveyard->len > 0)
    g_ptr_array_set_size (self->graveyard, 0);
}

/* --- keys --- */

void
hn_paths_set_keys (HnPaths *self, const HnDiscoPrivate *disco, const HnNodePublic *node)
{
  GHashTableIter iter;
  gpointer value;

  self->node = *node;
  if (self->has_keys && memcmp (self->disco.bytes, disco->bytes, sizeof disco->bytes) == 0)
    return;
  self->disco = *disco;
  self->has_keys = TRUE;
  hn_disco_private_get_public (disco, &self->disco_public);
  hn_paths_drop_pings (self, NULL);
  g_hash_table_iter_init (&iter, self->keys);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      HnPathKey *key = value;

      key->has_shared = FALSE;
      hn_wipe (key->shared, sizeof key->shared);
    }
}

/* --- ourselves --- */

/* Those in conversation, copied: the queue changes its order on the way. */
static GPtrArray *
collect_talks (HnPaths *self)
{
  GPtrArray *peers = g_ptr_array_new ();

  for (guint i = 0; i < self->queue->len; i++)
    g_ptr_array_add (peers, ((HnPathTalk *) g_ptr_array_index (self->queue, i))->peer);
  return peers;
}

void
hn_paths_set_endpoints (HnPaths *self, const HnEndpoint *endpoints, gsize n, gint64 now_us)
{
  gboolean changed = !self->own_known;
  g_autoptr (GPtrArray) peers = NULL;
  HnEndpoint *own;

  n = MIN (n, HN_PATHS_MAX_OWN);
  if (n != self->n_own)
    changed = TRUE;
  for (gsize i = 0; !changed && i < n; i++)
    changed = !hn_endpoint_equal (&endpoints[i], &self->own[i]);

  own = n > 0 ? g_memdup2 (endpoints, n * sizeof *endpoints) : NULL;
  g_free (self->own);
  self->own = own;
  self->n_own = (guint) n;
  self->own_us = now_us;
  self->own_known = TRUE;
  self->refreshing = FALSE;
  self->own_loopback_only = n > 0;
  self->own_link_local = FALSE;
  for (gsize i = 0; i < n; i++)
    {
      if (!hn_ip_is_loopback (&own[i].ip))
        self->own_loopback_only = FALSE;
      if (own[i].ip.family == 4 && hn_ip_is_link_local (&own[i].ip))
        self->own_link_local = TRUE;
    }

  hn_paths_enter (self);
  peers = collect_talks (self);
  for (guint i = 0; i < peers->len; i++)
    {
      HnPathPeer *peer = g_ptr_array_index (peers, i);

      if (peer->talk == NULL || !peer->talk->call_pending)
        continue;
      peer->talk->call_pending = FALSE;
      if (changed || !peer->talk->told)
        hn_paths_call (self, peer, now_us);
    }
  hn_paths_leave (self);
}

void
hn_paths_network_changed (HnPaths *self, gboolean available, gint64 now_us)
{
  g_autoptr (GPtrArray) peers = NULL;

  hn_paths_enter (self);
  self->available = available;
  if (self->own_known)
    {
      g_free (self->former);
      self->former = g_steal_pointer (&self->own);
      self->n_former = self->n_own;
      self->n_own = 0;
      self->own_known = FALSE;
    }
  peers = collect_talks (self);
  for (guint i = 0; i < peers->len; i++)
    {
      HnPathPeer *peer = g_ptr_array_index (peers, i);

      if (peer->talk == NULL)
        continue;
      if (peer->talk->active && (peer->talk->told || peer->talk->published.ip.family != 0))
        hn_paths_retract (self, peer, now_us);
      hn_paths_restart (self, peer->talk, now_us);
    }
  hn_paths_leave (self);
}

void
hn_paths_set_forbidden (HnPaths *self, const HnPrefix *prefixes, gsize n)
{
  g_free (self->forbidden);
  self->forbidden = n > 0 ? g_memdup2 (prefixes, n * sizeof *prefixes) : NULL;
  self->n_forbidden = n;

  hn_paths_enter (self);
  for (guint i = 0; i < self->queue->len; i++)
    hn_paths_recheck (self, g_ptr_array_index (self->queue, i));
  hn_paths_leave (self);
}

/* --- traffic --- */

/* Nothing answers for data sent directly yet: looks again in a moment. */
static void
note_sent (HnPaths *self, HnPathTalk *talk, gint64 now_us)
{
  talk->sent_us = now_us;
  if (talk->unanswered_us != 0)
    return;
  talk->unanswered_us = now_us;
  if (talk->watch_us == G_MAXINT64)
    {
      talk->watch_us = now_us + hn_paths_get_silence (talk);
      hn_paths_queue_update (self, talk);
    }
}

/* Such peers know neither relays nor disco: where they were heard, or else what the map says. */
static void
route_plain (HnPaths *self, HnPathPeer *peer, HnPathRoute *out)
{
  const HnNodeFields *fields = hn_node_get (peer->node);

  out->relay = FALSE;
  if (!self->available)
    return;
  if (peer->talk != NULL && peer->talk->heard_from.ip.family != 0)
    {
      out->direct = TRUE;
      out->endpoint = peer->talk->heard_from;
    }
  for (gsize i = 0; i < fields->n_endpoints && !out->direct; i++)
    {
      out->direct = hn_paths_is_candidate (self, &fields->endpoints[i]);
      out->endpoint = fields->endpoints[i];
    }
}

static void
route_unsure (HnPaths *self, HnPathPeer *peer, gint64 now_us, HnPathRoute *out)
{
  HnPathTalk *talk;

  memset (out, 0, sizeof *out);
  out->relay = TRUE;
  if (peer->key == NULL)
    {
      if (hn_node_get (peer->node)->wireguard_only)
        route_plain (self, peer, out);
      return;
    }
  hn_paths_enter (self);
  talk = hn_paths_talk_ensure (self, peer, now_us);
  talk->sent_us = now_us;
  hn_paths_activate (self, talk, now_us);
  if (talk->best.ip.family != 0 && now_us <= talk->trust_until_us)
    {
      note_sent (self, talk, now_us);
      out->direct = TRUE;
      out->relay = FALSE;
      out->endpoint = talk->best;
    }
  else
    {
      if (talk->best.ip.family != 0 && self->available)
        {
          out->direct = TRUE;
          out->endpoint = talk->best;
          hn_paths_probe (self, talk, now_us);
        }
      /* A late pong is no reason yet to look everywhere. */
      if (talk->tries == 0)
        hn_paths_seek (self, talk, now_us);
    }
  hn_paths_leave (self);
}

void
hn_paths_route (HnPaths *self, HnPathPeer *peer, gint64 now_us, HnPathRoute *out)
{
  HnPathTalk *talk = peer->talk;

  if (G_LIKELY (talk != NULL && talk->active && now_us <= talk->trust_until_us))
    {
      out->direct = TRUE;
      out->relay = FALSE;
      out->endpoint = talk->best;
      note_sent (self, talk, now_us);
    }
  else
    route_unsure (self, peer, now_us, out);
}

void
hn_paths_send_failed (HnPaths *self, HnPathPeer *peer, const HnEndpoint *endpoint, int error,
                      gint64 now_us)
{
  HnPathTalk *talk = peer->talk;
  HnPathCandidate *candidate;

  /* A local firewall's refusal (EPERM) or a full queue is a loss like any other. */
  if (talk == NULL
      || !(error == EHOSTUNREACH || error == ENETUNREACH || error == ENETDOWN || error == EHOSTDOWN
           || error == EADDRNOTAVAIL || error == EAFNOSUPPORT))
    return;
  hn_paths_enter (self);
  candidate = hn_paths_find_candidate (talk, endpoint);
  if (candidate != NULL)
    {
      candidate->answered = FALSE;
      candidate->latency_us = 0;
    }
  if (hn_endpoint_equal (&talk->best, endpoint))
    hn_paths_lose_best (self, talk, now_us);
  hn_paths_leave (self);
}

void
hn_paths_heard_over_relay (HnPaths *self, HnPathPeer *peer, gint64 now_us)
{
  HnPathTalk *talk = peer->talk;

  if (talk == NULL)
    return;
  talk->relayed_us = now_us;
  hn_paths_doubt (self, talk, now_us);
}

void
hn_paths_authenticated (HnPaths *self, HnPathPeer *peer, const HnEndpoint *from, gint64 now_us)
{
  HnPathTalk *talk = peer->talk != NULL ? peer->talk : hn_paths_talk_ensure (self, peer, now_us);

  talk->heard_us = now_us;
  if (talk->heard_best)
    talk->unanswered_us = 0;
  if (is_same (&talk->heard_from, from))
    return;
  hn_paths_map_address (self, talk, from, TRUE);
  talk->heard_from = *from;
  talk->heard_best = hn_endpoint_equal (&talk->best, from);
  if (!talk->heard_best)
    /* It moved, or sends another way than we do. */
    hn_paths_doubt (self, talk, now_us);
}

HnPathPeer *
hn_paths_lookup (HnPaths *self, const HnEndpoint *from)
{
  if (self->address != NULL && is_same (&self->address->endpoint, from))
    return self->address->peer;
  self->address = g_hash_table_lookup (self->addresses, from);
  return self->address != NULL ? self->address->peer : NULL;
}

void
hn_paths_get_stats (HnPaths *self, HnPathPeer *peer, gint64 now_us, HnPathStats *out)
{
  HnPathTalk *talk = peer->talk;

  memset (out, 0, sizeof *out);
  if (talk == NULL)
    return;
  out->relay_latency_us = talk->relay_latency_us;
  out->n_candidates = talk->n_candidates;
  if (talk->best.ip.family == 0 || now_us > talk->trust_until_us)
    return;
  out->direct = TRUE;
  out->endpoint = talk->best;
  out->latency_us = talk->latency_us;
}

const HnPathCounters *
hn_paths_get_counters (const HnPaths *self)
{
  return &self->counters;
}

/* --- time --- */

gint64
hn_paths_get_deadline (HnPaths *self)
{
  HnPathTalk *talk = hn_paths_queue_peek (self);

  return MIN (talk != NULL ? talk->due_us : G_MAXINT64, hn_paths_asks_get_deadline (self));
}

void
hn_paths_tick (HnPaths *self, gint64 now_us)
{
  HnPathTalk *talk;

  hn_paths_enter (self);
  hn_paths_expire_pings (self, now_us);
  while ((talk = hn_paths_queue_peek (self)) != NULL && talk->due_us <= now_us)
    hn_paths_talk_tick (self, talk, now_us);
  hn_paths_asks_tick (self, now_us);
  hn_paths_leave (self);
}
