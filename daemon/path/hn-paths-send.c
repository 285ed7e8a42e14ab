/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes out: pings and which of them wait for an answer, pongs, CallMeMaybe. */
#include "path/hn-paths-private.h"

#include <string.h>

#define PING_TIMEOUT_US (5 * HN_PATHS_SECOND)
#define MAX_PINGS 8192
#define PEER_PING_INTERVAL_US (40 * HN_PATHS_MS)
#define PEER_PING_BURST 120
#define ALL_PING_INTERVAL_US 500
#define ALL_PING_BURST 4000
#define DOUBTED_FRESH_US (2 * HN_PATHS_SECOND)
#define RETRACT_GAP_US (30 * HN_PATHS_MS)
#define RETRACT_AGAIN_US (300 * HN_PATHS_MS)
#define RETRACT_REPEATS 3
#define ENDPOINTS_FRESH_US (27 * HN_PATHS_SECOND)

gboolean
hn_paths_make_shared (HnPaths *self, HnPathKey *key)
{
  if (!key->has_shared && self->has_keys)
    key->has_shared = hn_box_precompute (self->disco.bytes, key->key.bytes, key->shared);
  return key->has_shared;
}

HnPathKey *
hn_paths_get_key (HnPaths *self, HnPathPeer *peer)
{
  return peer->key != NULL && hn_paths_make_shared (self, peer->key) ? peer->key : NULL;
}

static gsize
seal (HnPaths *self, const HnPathKey *key, const guint8 *message, gsize len, guint8 *out)
{
  guint8 nonce[HN_BOX_NONCE_SIZE];

  hn_random_bytes (nonce, sizeof nonce);
  return hn_disco_seal (&self->disco_public, key->shared, nonce, message, len, out);
}

/* The region it went to, 0: nowhere. */
static int
send_relay (HnPaths *self, HnPathPeer *peer, int region, const guint8 *data, gsize len)
{
  const HnNodeFields *fields = hn_node_get (peer->node);

  return self->ops.send_relay (self->user, region, &fields->key, data, len);
}

/* --- pings --- */

HnPathPing *
hn_paths_find_ping (HnPaths *self, const guint8 *tx_id)
{
  return g_hash_table_lookup (self->pings, tx_id);
}

void
hn_paths_drop_ping (HnPaths *self, HnPathPing *ping)
{
  ping->peer->talk->n_pings--;
  g_queue_unlink (&self->pings_by_age, &ping->link);
  g_hash_table_remove (self->pings, ping->tx_id);
}

void
hn_paths_drop_pings (HnPaths *self, HnPathPeer *peer)
{
  if (peer != NULL && peer->talk->n_pings == 0)
    return;
  for (GList *l = self->pings_by_age.head, *next; l != NULL; l = next)
    {
      HnPathPing *ping = l->data;

      next = l->next;
      if (peer == NULL || ping->peer == peer)
        hn_paths_drop_ping (self, ping);
    }
}

void
hn_paths_expire_pings (HnPaths *self, gint64 now_us)
{
  HnPathPing *ping;

  while ((ping = g_queue_peek_head (&self->pings_by_age)) != NULL
         && now_us - ping->sent_us > PING_TIMEOUT_US)
    hn_paths_drop_ping (self, ping);
}

/* @to NULL: over the peer's relay. */
gboolean
hn_paths_send_ping (HnPaths *self, HnPathPeer *peer, const HnEndpoint *to, HnPathAsk *ask,
                    gint64 now_us)
{
  HnPathKey *key = hn_paths_get_key (self, peer);
  HnPathTalk *talk = peer->talk;
  guint8 message[HN_DISCO_PING_SIZE];
  guint8 datagram[HN_DISCO_OVERHEAD + HN_DISCO_PING_SIZE];
  guint8 tx_id[HN_DISCO_TX_ID_SIZE];
  HnPathPing *ping;
  gboolean sent = FALSE;
  int region = 0;
  gsize len;

  if (key == NULL || peer->removed || (to != NULL && !self->available))
    return FALSE;
  if (to != NULL
      && !(
          hn_path_bucket_take (&talk->pings, now_us, PEER_PING_INTERVAL_US, PEER_PING_BURST)
          && hn_path_bucket_take (&self->pings_sent, now_us, ALL_PING_INTERVAL_US, ALL_PING_BURST)))
    {
      self->counters.limited++;
      return FALSE;
    }
  hn_paths_expire_pings (self, now_us);
  if (g_hash_table_size (self->pings) >= MAX_PINGS)
    hn_paths_drop_ping (self, g_queue_peek_head (&self->pings_by_age));

  ping = g_new0 (HnPathPing, 1);
  hn_random_bytes (ping->tx_id, sizeof ping->tx_id);
  ping->peer = peer;
  ping->ask = ask;
  ping->sent_us = now_us;
  ping->link.data = ping;
  if (to != NULL)
    ping->to = *to;
  g_hash_table_insert (self->pings, ping->tx_id, ping);
  g_queue_push_tail_link (&self->pings_by_age, &ping->link);
  talk->n_pings++;

  memcpy (tx_id, ping->tx_id, sizeof tx_id);
  hn_disco_build_ping (message, tx_id, &self->node);
  len = seal (self, key, message, sizeof message, datagram);
  if (to != NULL)
    sent = self->ops.send_udp (self->user, to, datagram, len) == 0;
  else
    region = send_relay (self, peer, hn_node_get (peer->node)->home_derp, datagram, len);
  sent = to != NULL ? sent : region != 0;
  /* The owner may have dropped it meanwhile. */
  ping = hn_paths_find_ping (self, tx_id);
  if (ping != NULL && sent)
    ping->region = region;
  else if (ping != NULL)
    hn_paths_drop_ping (self, ping);
  return sent;
}

void
hn_paths_send_pong (HnPaths *self, HnPathPeer *peer, const guint8 *tx_id, const HnEndpoint *seen,
                    const HnEndpoint *to, int region)
{
  HnPathKey *key = hn_paths_get_key (self, peer);
  guint8 message[HN_DISCO_PONG_SIZE];
  guint8 datagram[HN_DISCO_OVERHEAD + HN_DISCO_PONG_SIZE];
  gsize len;

  if (key == NULL || (to != NULL && !self->available))
    return;
  hn_disco_build_pong (message, tx_id, seen);
  len = seal (self, key, message, sizeof message, datagram);
  if (to != NULL)
    self->ops.send_udp (self->user, to, datagram, len);
  else
    send_relay (self, peer, region, datagram, len);
}

/* --- CallMeMaybe --- */

static gboolean
send_endpoints (HnPaths *self, HnPathPeer *peer, const HnEndpoint *endpoints, gsize n)
{
  HnPathKey *key = hn_paths_get_key (self, peer);
  guint8 message[2 + (HN_PATHS_MAX_OWN + 2) * HN_DISCO_ENDPOINT_SIZE];
  guint8 datagram[HN_DISCO_OVERHEAD + sizeof message];
  gsize len;

  if (key == NULL || peer->removed)
    return FALSE;
  len = hn_disco_build_call_me_maybe (message, endpoints, n);
  len = seal (self, key, message, len, datagram);
  return send_relay (self, peer, hn_node_get (peer->node)->home_derp, datagram, len) != 0;
}

void
hn_paths_call (HnPaths *self, HnPathPeer *peer, gint64 now_us)
{
  HnPathTalk *talk = peer->talk;
  gboolean fresh = self->own_known && now_us - self->own_us <= ENDPOINTS_FRESH_US;

  if (!self->available || peer->key == NULL)
    return;
  if (!fresh)
    {
      talk->call_pending = TRUE;
      if (!self->refreshing)
        {
          self->refreshing = TRUE;
          self->want_refresh = TRUE;
        }
    }
  /* Old ones are mostly still right, and a late answer is a late path. */
  if (!self->own_known || self->n_own == 0)
    return;
  if (!send_endpoints (self, peer, self->own, self->n_own))
    return;
  talk->called_us = now_us;
  talk->told = TRUE;
}

/*
 * A peer forgets those of our endpoints that its last CallMeMaybe named and the next one does not, its
 * best path among them (tailscale: handleCallMeMaybe()). It works on each in a thread of its own:
 * messages that follow each other too closely may be taken in any order.
 */
void
hn_paths_retract_tick (HnPaths *self, HnPathTalk *talk, gint64 now_us)
{
  HnPathPeer *peer = talk->peer;
  const HnEndpoint *known = self->own_known ? self->own : self->former;
  guint n = self->own_known ? self->n_own : self->n_former;
  HnEndpoint list[HN_PATHS_MAX_OWN + 2];

  talk->retract_us = G_MAXINT64;
  switch (talk->retract)
    {
    case HN_PATH_RETRACT_NAME:
      if (n > 0)
        memcpy (list, known, n * sizeof *list);
      if (talk->mapped.ip.family != 0)
        list[n++] = talk->mapped;
      if (talk->stale.ip.family != 0)
        list[n++] = talk->stale;
      send_endpoints (self, peer, list, n);
      talk->retract = HN_PATH_RETRACT_EMPTY;
      talk->retract_us = now_us + RETRACT_GAP_US;
      break;
    case HN_PATH_RETRACT_EMPTY:
      send_endpoints (self, peer, NULL, 0);
      talk->retract = HN_PATH_RETRACT_CALL;
      talk->retract_us = now_us + RETRACT_GAP_US;
      break;
    case HN_PATH_RETRACT_CALL:
      hn_paths_call (self, peer, now_us);
      talk->retract = HN_PATH_RETRACT_AGAIN;
      talk->retract_us = now_us + RETRACT_AGAIN_US;
      break;
    case HN_PATH_RETRACT_AGAIN:
      /* What broke the path may have broken the relay's connection too, with the words in it. */
      if (talk->active && talk->retract_left > 0
          && MAX (talk->heard_us, talk->relayed_us) < talk->retracted_us)
        {
          talk->retract_left--;
          talk->retract = HN_PATH_RETRACT_NAME;
          hn_paths_retract_tick (self, talk, now_us);
          return;
        }
      memset (&talk->stale, 0, sizeof talk->stale);
      break;
    }
  hn_paths_queue_update (self, talk);
}

void
hn_paths_retract (HnPaths *self, HnPathPeer *peer, gint64 now_us)
{
  HnPathTalk *talk = peer->talk;

  if (talk->retract_us != G_MAXINT64 && talk->retract != HN_PATH_RETRACT_AGAIN)
    return;
  /* What broke the path may have given us other endpoints. */
  if (now_us - self->own_us > DOUBTED_FRESH_US)
    self->own_us = now_us - ENDPOINTS_FRESH_US - 1;
  talk->retracted_us = now_us;
  talk->retract_left = RETRACT_REPEATS;
  talk->retract
      = talk->told && talk->stale.ip.family == 0 ? HN_PATH_RETRACT_EMPTY : HN_PATH_RETRACT_NAME;
  talk->told = FALSE;
  hn_paths_retract_tick (self, talk, now_us);
}
