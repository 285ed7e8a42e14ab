/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding a direct path, keeping it, and doubting it (tailscale: wgengine/magicsock/endpoint.go, the
 * constants and the order of paths).
 *
 * Beside upstream: it notices a dead path only when the trust of a pong lapses after 6.5 s. Here a path
 * that carries data is asked as soon as nothing came back for a moment, and when the answer is late
 * the relay gets the packets as well.
 */
#include "path/hn-paths-private.h"

#include <string.h>

#define SESSION_US (45 * HN_PATHS_SECOND)
#define HEARTBEAT_US (3 * HN_PATHS_SECOND)
#define HEARTBEAT_GRID_US (500 * HN_PATHS_MS) /* of all peers: they wake us up together */
#define TRUST_US (6500 * HN_PATHS_MS)
#define GOOD_LATENCY_US (5 * HN_PATHS_MS)
#define UPGRADE_US (60 * HN_PATHS_SECOND)
#define RELEASE_US (300 * HN_PATHS_SECOND)

#define SILENCE_US (250 * HN_PATHS_MS)
#define PAIR_GAP_US (100 * HN_PATHS_MS)
#define MIN_PATIENCE_US (200 * HN_PATHS_MS)
#define MAX_PATIENCE_US (2 * HN_PATHS_SECOND)
#define REPEAT_US (500 * HN_PATHS_MS) /* between the pings of a path that fell silent */
#define DOUBT_GAP_US (500 * HN_PATHS_MS)
#define GIVE_UP_US (4 * HN_PATHS_SECOND) /* after that the relay has the packets to itself */
#define EAGER_US (10 * HN_PATHS_SECOND)  /* a path that answered once is asked often */
#define EARLY_US (2500 * HN_PATHS_MS)    /* early pings are lost: closed NATs, unknown keys */
#define FRUITLESS_US (120 * HN_PATHS_SECOND)

gint64
hn_paths_get_silence (const HnPathTalk *talk)
{
  return SILENCE_US + 2 * MIN (talk->patience_us, HN_PATHS_SECOND);
}

static gint64
get_patience (const HnPathTalk *talk)
{
  return CLAMP (3 * talk->patience_us, MIN_PATIENCE_US, MAX_PATIENCE_US);
}

static gboolean
is_trusted (const HnPathTalk *talk, gint64 now_us)
{
  return talk->best.ip.family != 0 && now_us <= talk->trust_until_us;
}

void
hn_paths_publish (HnPaths *self, HnPathTalk *talk, const HnEndpoint *endpoint)
{
  HnPathPeer *peer = talk->peer;

  if (endpoint == NULL ? talk->published.ip.family == 0
                       : hn_endpoint_equal (endpoint, &talk->published))
    return;
  if (endpoint != NULL)
    talk->published = *endpoint;
  else
    memset (&talk->published, 0, sizeof talk->published);
  if (!peer->changed && !peer->removed)
    {
      peer->changed = TRUE;
      g_ptr_array_add (self->changes, peer);
    }
}

/* --- which is better --- */

static gboolean
is_private (const HnIp *ip)
{
  if (ip->family == 4)
    return ip->bytes[0] == 10 || (ip->bytes[0] == 172 && (ip->bytes[1] & 0xf0) == 16)
           || (ip->bytes[0] == 192 && ip->bytes[1] == 168);
  return (ip->bytes[0] & 0xfe) == 0xfc;
}

static int
get_points (const HnEndpoint *endpoint)
{
  int points = 0;

  if (hn_ip_is_loopback (&endpoint->ip))
    points += 50;
  else if (hn_ip_is_link_local (&endpoint->ip))
    points += 30;
  else if (is_private (&endpoint->ip))
    points += 20;
  if (endpoint->ip.family == 6)
    points += 10;
  return points;
}

/* tailscale: betterAddr(), without wire MTUs and relays. */
static gboolean
is_better (const HnEndpoint *a, gint64 a_latency_us, const HnEndpoint *b, gint64 b_latency_us)
{
  int a_points, b_points;

  if (hn_endpoint_equal (a, b))
    return FALSE;
  a_points = get_points (a);
  b_points = get_points (b);
  if (a_latency_us < b_latency_us)
    a_points += 100 - (int) (100 * a_latency_us / b_latency_us);
  else if (b_latency_us < a_latency_us)
    b_points += 100 - (int) (100 * b_latency_us / a_latency_us);
  /* One per cent is no reason to move. */
  if (a_points <= 1 && b_points == 0)
    return FALSE;
  return a_points > b_points;
}

/* --- pings --- */

static gboolean
is_own (const HnPaths *self, const HnEndpoint *endpoint)
{
  for (guint i = 0; i < self->n_own; i++)
    if (hn_endpoint_equal (&self->own[i], endpoint))
      return TRUE;
  return FALSE;
}

/* A router gave us another mapping: our pings come through, and open it, but the peer goes on sending
 * to the old one, and notices only when its own trust ends. */
static void
notice_moved (HnPaths *self, HnPathTalk *talk, const HnEndpoint *mapped, gint64 now_us)
{
  HnEndpoint before = talk->best_mapped;

  talk->best_mapped = *mapped;
  if (before.ip.family == 0 || hn_endpoint_equal (&before, mapped) || !talk->active)
    return;
  talk->stale = before;
  hn_paths_retract (self, talk->peer, now_us);
}

void
hn_paths_learn_mapped (HnPaths *self, HnPathTalk *talk, const HnEndpoint *to,
                       const HnEndpoint *mapped, gint64 now_us)
{
  if (hn_endpoint_equal (to, &talk->best))
    notice_moved (self, talk, mapped, now_us);
  if (hn_endpoint_equal (&talk->mapped, mapped))
    return;
  talk->mapped = *mapped;
  if (!is_own (self, mapped))
    talk->told = FALSE;
}

static gint64
get_gap (const HnPathTalk *talk, const HnPathCandidate *candidate, gint64 now_us)
{
  gint64 sought_for = now_us - talk->sought_us;

  if ((candidate->answered && now_us < talk->eager_until_us)
      || (talk->seeking && sought_for < EARLY_US))
    return REPEAT_US - 50 * HN_PATHS_MS;
  if (candidate->answered)
    return 2500 * HN_PATHS_MS;
  return talk->seeking && sought_for > FRUITLESS_US ? 15 * HN_PATHS_SECOND : 5 * HN_PATHS_SECOND;
}

/* Pings what was not pinged within its gap, or @min_gap_us if that is not negative. */
void
hn_paths_round (HnPaths *self, HnPathTalk *talk, gint64 min_gap_us, gint64 now_us)
{
  HnPathPeer *peer = talk->peer;
  gboolean sent = FALSE;

  if (!self->available)
    return;
  hn_paths_prune_candidates (self, talk, now_us);
  for (guint i = 0; i < talk->n_candidates; i++)
    {
      HnPathCandidate *candidate = &talk->candidates[i];
      gint64 gap = min_gap_us >= 0 ? min_gap_us : get_gap (talk, candidate, now_us);
      HnEndpoint endpoint = candidate->endpoint;
      gint64 pinged = candidate->pinged_us;

      /* Somebody else's network may use the same addresses as ours: it is us who live here. */
      if ((pinged != 0 && now_us - pinged < gap) || is_own (self, &endpoint))
        continue;
      /* The source of a ping may be forged, or a victim's: it gets no more pings than came from it. */
      if (candidate->sources == HN_PATH_FROM_PEER && !candidate->answered)
        {
          if (candidate->credit == 0)
            continue;
          candidate->credit--;
        }
      candidate->pinged_us = now_us;
      if (hn_paths_send_ping (self, peer, &endpoint, NULL, now_us))
        sent = TRUE;
    }
  if (min_gap_us >= 0)
    return;
  talk->round_us = now_us;
  if ((talk->retract_us == G_MAXINT64 || talk->retract == HN_PATH_RETRACT_AGAIN)
      && (sent || talk->n_candidates == 0 || talk->called_us == 0))
    {
      gint64 sought_for = now_us - talk->sought_us;
      gint64 gap = sought_for < EARLY_US       ? 900 * HN_PATHS_MS
                   : sought_for < FRUITLESS_US ? 5 * HN_PATHS_SECOND
                                               : 15 * HN_PATHS_SECOND;

      if (talk->called_us == 0 || now_us - talk->called_us >= gap)
        hn_paths_call (self, peer, now_us);
    }
}

static void
schedule_seek (HnPathTalk *talk, gint64 now_us)
{
  if (!talk->seeking)
    talk->seek_us = G_MAXINT64;
  else if (now_us < talk->eager_until_us || now_us - talk->sought_us < EARLY_US)
    talk->seek_us = now_us + REPEAT_US;
  else
    talk->seek_us = G_MAXINT64; /* the heartbeat goes on with it */
}

/* Begins a search; one that goes on is not begun anew. */
void
hn_paths_seek (HnPaths *self, HnPathTalk *talk, gint64 now_us)
{
  if (talk->seeking || talk->peer->key == NULL || !self->available)
    return;
  talk->seeking = TRUE;
  talk->sought_us = now_us;
  hn_paths_round (self, talk, -1, now_us);
  schedule_seek (talk, now_us);
  hn_paths_queue_update (self, talk);
}

void
hn_paths_probe (HnPaths *self, HnPathTalk *talk, gint64 now_us)
{
  HnPathCandidate *candidate;
  HnEndpoint best = talk->best;

  if (talk->probe_us != G_MAXINT64 || best.ip.family == 0 || !self->available)
    return;
  talk->probed_us = now_us;
  talk->probe_us = now_us + get_patience (talk);
  talk->paired = talk->pair_sent = FALSE;
  candidate = hn_paths_find_candidate (talk, &best);
  if (candidate != NULL)
    candidate->pinged_us = now_us;
  hn_paths_send_ping (self, talk->peer, &best, NULL, now_us);
  hn_paths_queue_update (self, talk);
}

void
hn_paths_doubt (HnPaths *self, HnPathTalk *talk, gint64 now_us)
{
  if (!talk->active || !is_trusted (talk, now_us) || now_us - talk->doubted_us < DOUBT_GAP_US)
    return;
  talk->doubted_us = now_us;
  hn_paths_probe (self, talk, now_us);
}

void
hn_paths_activate (HnPaths *self, HnPathTalk *talk, gint64 now_us)
{
  if (talk->active)
    return;
  talk->active = TRUE;
  talk->heartbeat_us = (now_us + HEARTBEAT_US) / HEARTBEAT_GRID_US * HEARTBEAT_GRID_US;
  hn_paths_queue_update (self, talk);
}

/* --- best --- */

static void
forget_best (HnPaths *self, HnPathTalk *talk)
{
  memset (&talk->best, 0, sizeof talk->best);
  memset (&talk->best_mapped, 0, sizeof talk->best_mapped);
  talk->heard_best = FALSE;
  talk->trust_until_us = G_MININT64;
  talk->latency_us = talk->patience_us = 0;
  talk->tries = 0;
  talk->paired = talk->pair_sent = FALSE;
  talk->probe_us = talk->watch_us = G_MAXINT64;
  talk->unanswered_us = 0;
  hn_paths_publish (self, talk, NULL);
}

void
hn_paths_recheck (HnPaths *self, HnPathTalk *talk)
{
  guint kept = 0;

  for (guint i = 0; i < talk->n_candidates; i++)
    if (hn_paths_is_candidate (self, &talk->candidates[i].endpoint))
      talk->candidates[kept++] = talk->candidates[i];
  talk->n_candidates = kept;
  if (talk->best.ip.family != 0 && !hn_paths_is_candidate (self, &talk->best))
    forget_best (self, talk);
}

void
hn_paths_lose_best (HnPaths *self, HnPathTalk *talk, gint64 now_us)
{
  if (talk->best.ip.family == 0)
    return;
  forget_best (self, talk);
  talk->seeking = FALSE;
  talk->eager_until_us = now_us + EAGER_US;
  if (talk->active)
    hn_paths_seek (self, talk, now_us);
  hn_paths_queue_update (self, talk);
}

void
hn_paths_restart (HnPaths *self, HnPathTalk *talk, gint64 now_us)
{
  for (guint i = 0; i < talk->n_candidates; i++)
    {
      HnPathCandidate *candidate = &talk->candidates[i];

      candidate->answered = FALSE;
      candidate->pinged_us = candidate->latency_us = 0;
    }
  hn_paths_drop_pings (self, talk->peer);
  forget_best (self, talk);
  talk->relay_latency_us = 0;
  talk->told = FALSE;
  memset (&talk->mapped, 0, sizeof talk->mapped);
  talk->seeking = FALSE;
  talk->called_us = 0;
  talk->eager_until_us = 0;
  talk->seek_us = G_MAXINT64;
  if (talk->active)
    hn_paths_seek (self, talk, now_us);
  hn_paths_queue_update (self, talk);
}

void
hn_paths_answered (HnPaths *self, HnPathTalk *talk, HnPathCandidate *candidate, gint64 latency_us,
                   gint64 now_us)
{
  const HnEndpoint *endpoint = &candidate->endpoint;
  gboolean same = hn_endpoint_equal (endpoint, &talk->best);

  candidate->answered = TRUE;
  candidate->latency_us = MAX (latency_us, 1);
  if (!same && is_trusted (talk, now_us)
      && !is_better (endpoint, candidate->latency_us, &talk->best, MAX (talk->latency_us, 1)))
    return;

  if (!same)
    {
      talk->patience_us = 0;
      memset (&talk->best_mapped, 0, sizeof talk->best_mapped);
    }
  talk->best = *endpoint;
  talk->heard_best = hn_endpoint_equal (&talk->heard_from, endpoint);
  talk->latency_us = candidate->latency_us;
  talk->patience_us = MAX (candidate->latency_us, talk->patience_us * 7 / 8);
  talk->trust_until_us = now_us + TRUST_US;
  talk->tries = 0;
  talk->probe_us = G_MAXINT64;
  talk->unanswered_us = 0;
  talk->seeking = FALSE;
  talk->seek_us = G_MAXINT64;
  hn_paths_publish (self, talk, endpoint);
  hn_paths_queue_update (self, talk);
}

/* --- time --- */

static void
probe_tick (HnPaths *self, HnPathTalk *talk, gint64 now_us)
{
  talk->probe_us = G_MAXINT64;
  if (talk->paired && !talk->pair_sent)
    {
      HnEndpoint best = talk->best;

      talk->pair_sent = TRUE;
      talk->probe_us = talk->probed_us + get_patience (talk);
      hn_paths_send_ping (self, talk->peer, &best, NULL, now_us);
      return;
    }
  if (talk->tries == 0 && now_us - talk->probed_us < MAX_PATIENCE_US
      && now_us - talk->heard_us < MIN_PATIENCE_US && talk->heard_best)
    {
      /* A full queue somewhere, but data comes through it. */
      talk->probe_us = now_us + MIN_PATIENCE_US;
      return;
    }
  /* Two pings without an answer, and data without one. */
  talk->tries += talk->pair_sent && talk->unanswered_us != 0 ? 2 : 1;
  talk->trust_until_us = MIN (talk->trust_until_us, now_us - 1);
  if (talk->tries == 1)
    {
      /* One ping may get lost: the relay helps out until the next is answered. */
      hn_paths_probe (self, talk, now_us);
      return;
    }
  talk->paired = talk->pair_sent = FALSE;
  if (talk->published.ip.family != 0 || talk->tries == 2)
    {
      gboolean in_use = talk->published.ip.family != 0;

      hn_paths_publish (self, talk, NULL);
      talk->eager_until_us = now_us + EAGER_US;
      if (talk->active && in_use)
        {
          /* The peer sends into the same hole, and may notice much later. */
          hn_paths_retract (self, talk->peer, now_us);
          talk->seeking = FALSE;
          hn_paths_seek (self, talk, now_us);
        }
    }
  if (now_us - talk->trust_until_us > GIVE_UP_US || !talk->active)
    {
      forget_best (self, talk);
      return;
    }
  /* Its pings are part of the rounds of the search. */
  talk->probe_us = now_us + REPEAT_US;
}

static void
heartbeat_tick (HnPaths *self, HnPathTalk *talk, gint64 now_us)
{
  gboolean trusted = is_trusted (talk, now_us);

  if (now_us - talk->sent_us > SESSION_US)
    {
      talk->active = FALSE;
      talk->seeking = FALSE;
      talk->heartbeat_us = talk->seek_us = talk->watch_us = G_MAXINT64;
      /* Until then the path stands as trusted. */
      talk->release_us = trusted ? talk->trust_until_us + 1 : now_us + HN_PATHS_SECOND;
      return;
    }
  talk->heartbeat_us = (now_us + HEARTBEAT_US) / HEARTBEAT_GRID_US * HEARTBEAT_GRID_US;
  if (trusted)
    {
      hn_paths_probe (self, talk, now_us);
      if (talk->latency_us > GOOD_LATENCY_US && now_us - talk->round_us >= UPGRADE_US)
        hn_paths_round (self, talk, -1, now_us);
    }
  else
    {
      /* One late pong is not told to anybody. */
      if (talk->tries != 1)
        hn_paths_publish (self, talk, NULL);
      hn_paths_seek (self, talk, now_us);
      hn_paths_round (self, talk, -1, now_us);
    }
}

static void
watch_tick (HnPaths *self, HnPathTalk *talk, gint64 now_us)
{
  talk->watch_us = G_MAXINT64;
  if (talk->unanswered_us == 0 || !is_trusted (talk, now_us))
    return;
  if (now_us - talk->unanswered_us < hn_paths_get_silence (talk))
    talk->watch_us = talk->unanswered_us + hn_paths_get_silence (talk);
  else if (talk->probe_us == G_MAXINT64)
    {
      hn_paths_probe (self, talk, now_us);
      talk->paired = TRUE;
      talk->probe_us = MIN (talk->probe_us, now_us + PAIR_GAP_US);
    }
}

/* Silent for minutes: the memory is for others. */
static void
release_tick (HnPaths *self, HnPathTalk *talk, gint64 now_us)
{
  gint64 used = MAX (MAX (talk->sent_us, talk->heard_us), talk->contact_us);
  HnPathPeer *peer = talk->peer;

  talk->release_us = G_MAXINT64;
  if (talk->active)
    return;
  if (!is_trusted (talk, now_us))
    hn_paths_publish (self, talk, NULL);
  if (now_us - used < RELEASE_US)
    /* On a coarse grid, so that many who fall silent together wake us up once. */
    talk->release_us = ((used + RELEASE_US) / (30 * HN_PATHS_SECOND) + 1) * (30 * HN_PATHS_SECOND);
  else
    {
      hn_paths_talk_detach (self, talk);
      peer->talk = NULL;
      hn_paths_talk_destroy (talk);
    }
}

void
hn_paths_talk_tick (HnPaths *self, HnPathTalk *talk, gint64 now_us)
{
  HnPathPeer *peer = talk->peer;

  if (now_us >= talk->probe_us)
    probe_tick (self, talk, now_us);
  if (now_us >= talk->watch_us)
    watch_tick (self, talk, now_us);
  if (now_us >= talk->heartbeat_us)
    heartbeat_tick (self, talk, now_us);
  if (now_us >= talk->seek_us)
    {
      hn_paths_round (self, talk, -1, now_us);
      schedule_seek (talk, now_us);
    }
  if (now_us >= talk->retract_us)
    hn_paths_retract_tick (self, talk, now_us);
  if (now_us >= talk->release_us)
    release_tick (self, talk, now_us);
  if (peer->talk != NULL)
    hn_paths_queue_update (self, peer->talk);
}
