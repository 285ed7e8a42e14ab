/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes in. Everything here is hostile until its box opened, and limited after that. */
#include "path/hn-paths-private.h"

#include <string.h>

#define SENDER_INTERVAL_US (10 * HN_PATHS_MS)
#define SENDER_BURST 300
#define ALL_INTERVAL_US 100
#define ALL_BURST 20000
/* Boxes that do not open, from strangers: somebody plays with the keys of others. */
#define BAD_BOX_INTERVAL_US 500
#define BAD_BOX_BURST 4000

#define BIG_PING (HN_DISCO_OVERHEAD + HN_DISCO_PONG_SIZE)
#define MAX_CALLED 64 /* of one CallMeMaybe */
#define CALL_GAP_US (500 * HN_PATHS_MS)
#define PING_BACK_GAP_US (500 * HN_PATHS_MS)
#define GOOD_LATENCY_US (5 * HN_PATHS_MS)

/* Opens a datagram of somebody known. @from NULL: it came over a relay, from a peer of @key. */
static gboolean
open_datagram (HnPaths *self, HnPathKey *key, const HnEndpoint *from, guint8 *data, gsize len,
               gint64 now_us, HnDiscoMessage *out)
{
  const guint8 *message;
  gsize message_len;

  if (from != NULL)
    {
      HnPathPeer *known = hn_paths_lookup (self, from);

      /* Somebody who forges senders must not keep their own datagrams out. */
      if ((known == NULL || known->key != key) && self->bad_boxes > now_us + G_USEC_PER_SEC)
        {
          self->counters.limited++;
          return FALSE;
        }
    }
  if (!hn_paths_make_shared (self, key)
      || !hn_disco_open (key->shared, data, len, &message, &message_len))
    {
      hn_path_bucket_take (&self->bad_boxes, now_us, BAD_BOX_INTERVAL_US, BAD_BOX_BURST);
      self->counters.bad_box++;
      return FALSE;
    }
  if (!hn_path_bucket_take (&key->received, now_us, SENDER_INTERVAL_US, SENDER_BURST)
      || !hn_path_bucket_take (&self->received, now_us, ALL_INTERVAL_US, ALL_BURST))
    {
      self->counters.limited++;
      return FALSE;
    }
  if (!hn_disco_parse (message, message_len, out))
    {
      self->counters.malformed++;
      return FALSE;
    }
  return TRUE;
}

/* Whether this transaction was answered already; notes it. */
static gboolean
is_repeated (HnPathTalk *talk, const guint8 *tx_id)
{
  for (guint i = 0; i < talk->n_recent; i++)
    if (memcmp (talk->recent[i], tx_id, HN_DISCO_TX_ID_SIZE) == 0)
      return TRUE;
  memcpy (talk->recent[talk->next_recent], tx_id, HN_DISCO_TX_ID_SIZE);
  talk->next_recent = (talk->next_recent + 1) % HN_PATHS_RECENT_PINGS;
  talk->n_recent = MIN (talk->n_recent + 1, HN_PATHS_RECENT_PINGS);
  return FALSE;
}

/* Which of those with this key pings. */
static HnPathPeer *
find_pinging (HnPathKey *key, const HnNodePublic *node)
{
  for (HnPathPeer *peer = key->peers; peer != NULL; peer = peer->next_same)
    if (hn_node_public_equal (&hn_node_get (peer->node)->key, node))
      return peer;
  return key->peers != NULL && key->peers->next_same == NULL ? key->peers : NULL;
}

/* Upstream waits for its next round. Here the peer's first ping is reason enough: it came through,
 * so that ours, which follows it at once, mostly does as well. */
static void
ping_back (HnPaths *self, HnPathTalk *talk, const HnEndpoint *from, gint64 now_us)
{
  HnPathCandidate *candidate = hn_paths_find_candidate (talk, from);
  const HnPathAddress *address = g_hash_table_lookup (self->addresses, from);
  gboolean trusted = talk->best.ip.family != 0 && now_us <= talk->trust_until_us;

  if (candidate == NULL || !talk->active)
    return;
  if (trusted && !hn_endpoint_equal (from, &talk->best))
    hn_paths_doubt (self, talk, now_us);
  if (trusted && (candidate->answered || talk->latency_us <= GOOD_LATENCY_US))
    return;
  /* With the pong it would be more than came; who is not known to be there waits for the round. */
  if (candidate->sources == HN_PATH_FROM_PEER && !(address != NULL && address->proven))
    return;
  /* However lately it was pinged: that may have been lost at a NAT which opened with this one. */
  if (candidate->pinged_back_us != 0 && now_us - candidate->pinged_back_us < PING_BACK_GAP_US)
    return;
  candidate->pinged_us = candidate->pinged_back_us = now_us;
  hn_paths_send_ping (self, talk->peer, from, NULL, now_us);
}

static void
on_ping (HnPaths *self, HnPathKey *key, const HnEndpoint *from, gsize len,
         const HnDiscoMessage *message, gint64 now_us)
{
  HnPathPeer *peer = find_pinging (key, &message->node);
  HnPathTalk *talk;

  if (peer == NULL)
    {
      self->counters.unknown_sender++;
      return;
    }
  if (!hn_paths_is_candidate (self, from))
    {
      self->counters.bad_candidates++;
      return;
    }
  /* The source may be forged: nobody is sent more than was sent in the name of him. */
  if (len < BIG_PING)
    {
      self->counters.limited++;
      return;
    }
  talk = hn_paths_talk_ensure (self, peer, now_us);
  if (is_repeated (talk, message->tx_id))
    {
      self->counters.limited++;
      return;
    }
  talk->contact_us = now_us;
  hn_paths_map_address (self, talk, from, FALSE);
  hn_paths_add_candidate (self, talk, from, HN_PATH_FROM_PEER, now_us);
  for (HnPathPeer *other = key->peers; other != NULL; other = other->next_same)
    if (other != peer && other->talk != NULL)
      hn_paths_add_candidate (self, other->talk, from, HN_PATH_FROM_PEER, now_us);
  hn_paths_send_pong (self, peer, message->tx_id, from, from, 0);
  if (peer->talk != NULL)
    ping_back (self, peer->talk, from, now_us);
}

static void
on_pong (HnPaths *self, HnPathKey *key, const HnEndpoint *from, const HnDiscoMessage *message,
         gint64 now_us)
{
  HnPathPing *ping = hn_paths_find_ping (self, message->tx_id);
  HnPathCandidate *candidate;
  HnPathTalk *talk;
  gint64 latency;

  if (ping == NULL || ping->peer->key != key)
    {
      self->counters.unexpected++;
      return;
    }
  if ((from == NULL) != (ping->to.ip.family == 0))
    {
      self->counters.wrong_way++;
      return;
    }
  talk = ping->peer->talk;
  latency = MAX (now_us - ping->sent_us, 1);
  talk->contact_us = now_us;
  if (ping->ask != NULL)
    hn_paths_ask_answered (self, ping->ask, ping, latency);
  if (from == NULL)
    talk->relay_latency_us = latency;
  else
    {
      if (message->source.ip.family != 0 && message->source.port != 0)
        hn_paths_learn_mapped (self, talk, &ping->to, &message->source, now_us);
      if (hn_paths_is_candidate (self, from))
        hn_paths_map_address (self, talk, from, TRUE);
      /* The address that was pinged counts, not the one that answered. */
      candidate = hn_paths_find_candidate (talk, &ping->to);
      if (candidate != NULL)
        hn_paths_answered (self, talk, candidate, latency, now_us);
    }
  hn_paths_drop_ping (self, ping);
}

static void
on_call_me_maybe (HnPaths *self, HnPathPeer *peer, const HnDiscoMessage *message, gint64 now_us)
{
  HnPathTalk *talk = hn_paths_talk_ensure (self, peer, now_us);
  HnPathCandidate *best;
  gboolean best_was_called;

  talk->contact_us = now_us;
  best = talk->best.ip.family != 0 ? hn_paths_find_candidate (talk, &talk->best) : NULL;
  best_was_called = best != NULL && (best->sources & HN_PATH_FROM_CALL) != 0;
  for (guint i = 0; i < talk->n_candidates; i++)
    talk->candidates[i].sources &= ~HN_PATH_FROM_CALL;
  for (gsize i = 0; i < message->n_endpoints; i++)
    {
      HnEndpoint endpoint;

      if (i == MAX_CALLED)
        {
          self->counters.limited++;
          break;
        }
      hn_disco_get_endpoint (message, i, &endpoint);
      hn_paths_add_candidate (self, talk, &endpoint, HN_PATH_FROM_CALL, now_us);
    }
  best = talk->best.ip.family != 0 ? hn_paths_find_candidate (talk, &talk->best) : NULL;
  if (best_was_called && (best == NULL || (best->sources & HN_PATH_FROM_CALL) == 0))
    {
      /* The peer takes it back: it noticed before us that nothing comes through. */
      hn_paths_lose_best (self, talk, now_us);
    }
  hn_paths_prune_candidates (self, talk, now_us);
  if (message->n_endpoints > 0)
    hn_paths_round (self, talk, CALL_GAP_US, now_us);
}

static HnPathKey *
find_key (HnPaths *self, const guint8 *data)
{
  HnDiscoPublic sender;

  hn_disco_get_sender (data, &sender);
  return g_hash_table_lookup (self->keys, &sender);
}

void
hn_paths_receive_udp (HnPaths *self, const HnEndpoint *from, guint8 *data, gsize len, gint64 now_us)
{
  HnDiscoMessage message;
  HnPathKey *key;

  if (!hn_disco_is_packet (data, len))
    {
      self->counters.malformed++;
      return;
    }
  key = find_key (self, data);
  if (key == NULL)
    {
      self->counters.unknown_sender++;
      return;
    }
  if (!open_datagram (self, key, from, data, len, now_us, &message))
    return;
  hn_paths_enter (self);
  switch (message.type)
    {
    case HN_DISCO_PING:
      on_ping (self, key, from, len, &message, now_us);
      break;
    case HN_DISCO_PONG:
      on_pong (self, key, from, &message, now_us);
      break;
    case HN_DISCO_CALL_ME_MAYBE:
    case HN_DISCO_CALL_ME_MAYBE_VIA:
    case HN_DISCO_ALLOCATE:
    case HN_DISCO_ALLOCATED:
      self->counters.wrong_way++;
      break;
    default:
      break;
    }
  hn_paths_leave (self);
}

void
hn_paths_receive_relay (HnPaths *self, int region, HnPathPeer *source, guint8 *data, gsize len,
                        gint64 now_us)
{
  static const guint8 relay_ip[4] = { 127, 3, 3, 40 };
  HnDiscoMessage message;
  HnEndpoint from = { 0 };
  HnPathKey *key;

  if (!hn_disco_is_packet (data, len))
    {
      self->counters.malformed++;
      return;
    }
  key = find_key (self, data);
  if (source == NULL || key == NULL)
    {
      self->counters.unknown_sender++;
      return;
    }
  if (source->key != key)
    {
      self->counters.wrong_way++;
      return;
    }
  if (!open_datagram (self, key, NULL, data, len, now_us, &message))
    return;
  hn_paths_enter (self);
  switch (message.type)
    {
    case HN_DISCO_PING:
      if (is_repeated (hn_paths_talk_ensure (self, source, now_us), message.tx_id))
        {
          self->counters.limited++;
          break;
        }
      /* How upstream writes a relay as an address. */
      from.ip = hn_ip_from_bytes (relay_ip, sizeof relay_ip);
      from.port = (guint16) region;
      source->talk->contact_us = now_us;
      hn_paths_send_pong (self, source, message.tx_id, &from, NULL, region);
      break;
    case HN_DISCO_PONG:
      on_pong (self, key, NULL, &message, now_us);
      break;
    case HN_DISCO_CALL_ME_MAYBE:
      on_call_me_maybe (self, source, &message, now_us);
      break;
    case HN_DISCO_BIND:
    case HN_DISCO_BIND_CHALLENGE:
    case HN_DISCO_BIND_ANSWER:
      self->counters.wrong_way++;
      break;
    default:
      break;
    }
  hn_paths_leave (self);
}

gboolean
hn_paths_is_disco (const guint8 *data, gsize len)
{
  /* Also what is too short to be one: nothing else begins like this. */
  static const guint8 magic[6] = { 0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac };

  return len >= sizeof magic && memcmp (data, magic, sizeof magic) == 0;
}
