/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wireguard/hn-wg.h"

#include <string.h>
#include <time.h>

#include "base/hn-hash.h"
#include "base/hn-secret.h"
#include "wireguard/hn-wg-private.h"
#include "wireguard/hn-wg-timers.h"

#define WAKE_GRANULE_US (50 * 1000)

/* What is remembered of removed peers; with more of them, some are forgotten. */
#define MAX_OLD_STAMPS 4096

typedef struct
{
  guint8 public_key[32];
  guint8 stamp[HN_WG_STAMP_SIZE];
} OldStamp;

/* Not a part of the key as it is: a server may call anything a key. */
static guint
hash_key (gconstpointer key)
{
  return hn_hash_bytes (key, 32);
}

static gboolean
equal_key (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, 32) == 0;
}

static gint64
default_wall_us (gpointer data)
{
  struct timespec ts;

  clock_gettime (CLOCK_REALTIME, &ts);
  return (gint64) ts.tv_sec * G_USEC_PER_SEC + ts.tv_nsec / 1000;
}

static void
free_peer (HnWgPeer *peer)
{
  hn_wg_allowed_clear (&peer->allowed);
  hn_wipe (peer, sizeof *peer);
  g_free (peer);
}

void
hn_wg_enter (HnWg *self, gint64 now_us)
{
  self->depth++;
  self->now_us = now_us;
}

void
hn_wg_leave (HnWg *self)
{
  if (--self->depth > 0)
    return;
  while (self->dead != NULL)
    {
      HnWgPeer *peer = self->dead;

      self->dead = peer->next_dead;
      free_peer (peer);
    }
}

static void
keep_stamp (HnWg *self, const HnWgPeer *peer)
{
  static const guint8 none[HN_WG_STAMP_SIZE];
  OldStamp *old;

  if (memcmp (peer->received_stamp, none, sizeof none) == 0)
    return;
  if (g_hash_table_size (self->old_stamps) >= MAX_OLD_STAMPS)
    {
      GHashTableIter iter;

      g_hash_table_iter_init (&iter, self->old_stamps);
      if (g_hash_table_iter_next (&iter, NULL, NULL))
        g_hash_table_iter_remove (&iter);
    }
  old = g_new (OldStamp, 1);
  memcpy (old->public_key, peer->public_key, sizeof old->public_key);
  memcpy (old->stamp, peer->received_stamp, sizeof old->stamp);
  g_hash_table_replace (self->old_stamps, old->public_key, old);
}

static void
recall_stamp (HnWg *self, HnWgPeer *peer)
{
  OldStamp *old = g_hash_table_lookup (self->old_stamps, peer->public_key);

  if (old == NULL)
    return;
  memcpy (peer->received_stamp, old->stamp, sizeof old->stamp);
  g_hash_table_remove (self->old_stamps, peer->public_key);
}

HnWg *
hn_wg_new (const HnWgOps *ops, gpointer user)
{
  HnWg *self = g_new0 (HnWg, 1);

  self->ops = *ops;
  self->user = user;
  self->wall_us = default_wall_us;
  self->peers = g_hash_table_new (hash_key, equal_key);
  self->old_stamps = g_hash_table_new_full (hash_key, equal_key, g_free, NULL);
  self->jitter_state = hn_random_u32 () | 1;
  self->load_window_us = HN_WG_NEVER;
  self->loaded_until_us = HN_WG_NEVER;
  hn_wg_cookie_checker_clear (&self->checker);
  return self;
}

static void
forget_static_static (HnWgPeer *peer)
{
  hn_wipe (peer->static_static, sizeof peer->static_static);
  peer->has_static_static = FALSE;
  peer->reachable = FALSE;
}

/* Everything of the peer but its memory goes. */
static void
retire_peer (HnWgPeer *peer)
{
  hn_wg_peer_clear_sessions (peer);
  hn_wg_peer_clear_handshake (peer);
  hn_wg_peer_drop_staged (peer);
  hn_wg_timers_stop (peer);
  forget_static_static (peer);
  peer->removed = TRUE;
}

void
hn_wg_free (HnWg *self)
{
  GHashTableIter iter;
  gpointer peer;

  if (self == NULL)
    return;
  g_return_if_fail (self->depth == 0);

  g_hash_table_iter_init (&iter, self->peers);
  while (g_hash_table_iter_next (&iter, NULL, &peer))
    {
      g_hash_table_iter_steal (&iter);
      retire_peer (peer);
      free_peer (peer);
    }
  g_hash_table_unref (self->peers);
  g_hash_table_unref (self->old_stamps);
  hn_wg_index_table_clear (&self->indices);
  hn_wg_limiter_free (self->limiter);
  g_free (self->wakes);
  hn_wipe (self, sizeof *self);
  g_free (self);
}

static void
delete_session (HnWgPeer *peer, HnWgSession **slot)
{
  if (*slot == NULL)
    return;
  hn_wg_index_table_remove (&peer->device->indices, (*slot)->local_index);
  g_clear_pointer (slot, hn_wg_session_free);
}

void
hn_wg_peer_clear_sessions (HnWgPeer *peer)
{
  delete_session (peer, &peer->previous);
  delete_session (peer, &peer->current);
  delete_session (peer, &peer->next);
}

void
hn_wg_peer_clear_handshake (HnWgPeer *peer)
{
  if (peer->handshake.active)
    hn_wg_index_table_remove (&peer->device->indices, peer->handshake.local_index);
  hn_wg_handshake_clear (&peer->handshake);
}

void
hn_wg_peer_begin_session (HnWgPeer *peer, const HnWgKeys *keys, guint32 local_index,
                          guint32 remote_index, gboolean initiator, gint64 now_us)
{
  HnWgSession *session = hn_wg_session_new (keys, local_index, remote_index, initiator, now_us);

  hn_wg_index_table_set (&peer->device->indices, local_index, peer, session);
  delete_session (peer, &peer->previous);
  if (initiator)
    {
      if (peer->next != NULL)
        {
          peer->previous = g_steal_pointer (&peer->next);
          peer->previous->crossed = TRUE;
          delete_session (peer, &peer->current);
        }
      else
        peer->previous = g_steal_pointer (&peer->current);
      peer->current = session;
    }
  else
    {
      delete_session (peer, &peer->next);
      peer->next = session;
    }
  hn_wg_timers_session_derived (peer, now_us);
}

gboolean
hn_wg_peer_session_used (HnWgPeer *peer, HnWgSession *session)
{
  if (session == peer->next)
    {
      delete_session (peer, &peer->previous);
      peer->previous = g_steal_pointer (&peer->current);
      peer->current = g_steal_pointer (&peer->next);
      return TRUE;
    }

  /* Both sides began at the same time and both handshakes ended well. Either session would do, but
   * with a different one on each side each renewal would cut off the other's packets: the one
   * begun by the larger key stays. */
  if (session == peer->previous && session->crossed
      && memcmp (peer->public_key, peer->device->public_key, 32) > 0)
    {
      session->crossed = FALSE;
      peer->previous = peer->current;
      peer->current = session;
    }
  return FALSE;
}

gboolean
hn_wg_peer_is_reachable (HnWgPeer *peer)
{
  HnWg *self = peer->device;

  if (peer->has_static_static || peer->removed || !self->has_key)
    return peer->reachable;

  peer->has_static_static = TRUE;
  peer->reachable = memcmp (self->public_key, peer->public_key, 32) != 0
                    && hn_x25519 (self->private_key, peer->public_key, peer->static_static);
  return peer->reachable;
}

void
hn_wg_set_private_key (HnWg *self, const guint8 private_key[32])
{
  static const guint8 zero[32];
  guint8 clamped[32];
  GHashTableIter iter;
  gpointer peer;

  memcpy (clamped, private_key, sizeof clamped);
  if (!hn_equal_constant_time (private_key, zero, sizeof zero))
    {
      clamped[0] &= 248;
      clamped[31] = (clamped[31] & 127) | 64;
    }
  if (hn_equal_constant_time (clamped, self->private_key, sizeof clamped))
    {
      hn_wipe (clamped, sizeof clamped);
      return;
    }

  memcpy (self->private_key, clamped, sizeof clamped);
  hn_wipe (clamped, sizeof clamped);
  self->has_key = !hn_equal_constant_time (self->private_key, zero, sizeof zero);
  hn_wipe (self->public_key, sizeof self->public_key);
  hn_wg_cookie_checker_clear (&self->checker);
  if (self->has_key)
    {
      hn_x25519_base (self->private_key, self->public_key);
      hn_wg_cookie_checker_init (&self->checker, self->public_key);
    }

  /* Nobody can replay to the new key what was sent to the old. */
  g_hash_table_remove_all (self->old_stamps);
  g_hash_table_iter_init (&iter, self->peers);
  while (g_hash_table_iter_next (&iter, NULL, &peer))
    {
      HnWgPeer *p = peer;

      hn_wg_peer_clear_sessions (p);
      hn_wg_peer_clear_handshake (p);
      hn_wg_peer_drop_staged (p);
      hn_wg_timers_stop (p);
      hn_wg_cookie_signer_reset (&p->cookie);
      p->handshake_sent_us = HN_WG_NEVER;
      forget_static_static (p);
    }
}

void
hn_wg_set_mtu (HnWg *self, guint mtu)
{
  self->mtu = mtu;
}

void
hn_wg_set_wall_clock (HnWg *self, gint64 (*wall_us) (gpointer), gpointer data)
{
  self->wall_us = wall_us != NULL ? wall_us : default_wall_us;
  self->wall_data = data;
}

const HnWgCounters *
hn_wg_get_counters (const HnWg *self)
{
  return &self->counters;
}

HnWgPeer *
hn_wg_get_peer (HnWg *self, const guint8 public_key[32])
{
  return g_hash_table_lookup (self->peers, public_key);
}

HnWgPeer *
hn_wg_add_peer (HnWg *self, const guint8 public_key[32], gpointer data)
{
  HnWgPeer *peer = hn_wg_get_peer (self, public_key);

  if (peer != NULL)
    return peer;
  if (g_hash_table_size (self->peers) >= HN_WG_MAX_PEERS
      || (self->has_key && memcmp (public_key, self->public_key, 32) == 0))
    return NULL;

  peer = g_new0 (HnWgPeer, 1);
  peer->device = self;
  peer->data = data;
  memcpy (peer->public_key, public_key, sizeof peer->public_key);
  peer->initiation_accepted_us = HN_WG_NEVER;
  peer->handshake_sent_us = HN_WG_NEVER;
  g_queue_init (&peer->staged);
  hn_wg_timers_init (peer);
  hn_wg_cookie_signer_init (&peer->cookie, public_key);
  recall_stamp (self, peer);
  g_hash_table_insert (self->peers, peer->public_key, peer);
  return peer;
}

void
hn_wg_remove_peer (HnWg *self, HnWgPeer *peer)
{
  if (peer->removed)
    return;
  g_hash_table_remove (self->peers, peer->public_key);
  keep_stamp (self, peer);
  retire_peer (peer);
  if (self->depth == 0)
    {
      free_peer (peer);
      return;
    }
  peer->next_dead = self->dead;
  self->dead = peer;
}

gpointer
hn_wg_peer_get_data (HnWgPeer *peer)
{
  return peer->data;
}

const guint8 *
hn_wg_peer_get_public_key (HnWgPeer *peer)
{
  return peer->public_key;
}

void
hn_wg_peer_set_allowed_ips (HnWgPeer *peer, const HnWgAllowedIp *ips, gsize n_ips)
{
  if (!peer->removed)
    hn_wg_allowed_set (&peer->allowed, ips, n_ips);
}

void
hn_wg_peer_reset (HnWg *self, HnWgPeer *peer)
{
  gboolean waiting = !g_queue_is_empty (&peer->staged);

  if (peer->removed)
    return;
  hn_wg_peer_clear_sessions (peer);
  hn_wg_peer_clear_handshake (peer);
  hn_wg_timers_stop (peer);
  hn_wg_cookie_signer_reset (&peer->cookie);
  peer->handshake_sent_us = HN_WG_NEVER;
  peer->early_initiations = 0;
  if (waiting)
    hn_wg_timers_initiate_soon (peer);
}

void
hn_wg_peer_get_stats (HnWgPeer *peer, gint64 now_us, HnWgPeerStats *stats)
{
  stats->last_handshake_us = peer->handshake_done_us;
  stats->rx_bytes = peer->rx_bytes;
  stats->tx_bytes = peer->tx_bytes;
  stats->has_session = hn_wg_session_is_usable (peer->current, now_us);
}

gint64
hn_wg_get_deadline (const HnWg *self)
{
  gint64 at;

  if (self->n_wakes == 0)
    return G_MAXINT64;
  at = self->wakes[0].at;
  return (at + WAKE_GRANULE_US - 1) / WAKE_GRANULE_US * WAKE_GRANULE_US;
}

void
hn_wg_tick (HnWg *self, gint64 now_us)
{
  /* A peer that an op gives something to do at once may come up again; a bound keeps that from
   * holding the caller here. What is left is due still, and the caller comes back. */
  gsize left = 2 * self->n_wakes + 16;

  hn_wg_enter (self, now_us);
  while (self->n_wakes > 0 && self->wakes[0].at <= now_us && left-- > 0)
    hn_wg_timers_fire (self->wakes[0].peer, now_us);
  hn_wg_leave (self);
}
