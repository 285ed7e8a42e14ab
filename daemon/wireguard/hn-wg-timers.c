/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wireguard/hn-wg-timers.h"

#define JITTER_US (333 * 1000)
/* More than the gap that the other side asks for between two initiations. */
#define SOON_US (50 * 1000)
#define NO_SLOT G_MAXSIZE

/* Spreads retries of two sides apart; needs no secrecy, and must not cost a system call a packet. */
static gint64
jitter (HnWg *self)
{
  guint32 x = self->jitter_state;

  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  self->jitter_state = x;
  return x % (JITTER_US + 1);
}

static void
place (HnWg *self, gsize slot, HnWgWake wake)
{
  self->wakes[slot] = wake;
  wake.peer->wake_slot = slot;
}

static void
sift_up (HnWg *self, gsize slot, HnWgWake wake)
{
  while (slot > 0 && self->wakes[(slot - 1) / 2].at > wake.at)
    {
      place (self, slot, self->wakes[(slot - 1) / 2]);
      slot = (slot - 1) / 2;
    }
  place (self, slot, wake);
}

static void
sift_down (HnWg *self, gsize slot, HnWgWake wake)
{
  for (;;)
    {
      gsize child = 2 * slot + 1;

      if (child >= self->n_wakes)
        break;
      if (child + 1 < self->n_wakes && self->wakes[child + 1].at < self->wakes[child].at)
        child++;
      if (self->wakes[child].at >= wake.at)
        break;
      place (self, slot, self->wakes[child]);
      slot = child;
    }
  place (self, slot, wake);
}

/* Puts the peer into the heap at @at, moves it there, or takes it out (HN_WG_UNARMED). */
static void
set_wake (HnWgPeer *peer, gint64 at)
{
  HnWg *self = peer->device;
  gint64 old = peer->wake_at;
  HnWgWake wake = { at, peer };

  peer->wake_at = at;
  if (peer->wake_slot == NO_SLOT)
    {
      if (at == HN_WG_UNARMED)
        return;
      if (self->n_wakes == self->wakes_size)
        {
          self->wakes_size = MAX (self->wakes_size * 2, 16);
          self->wakes = g_renew (HnWgWake, self->wakes, self->wakes_size);
        }
      sift_up (self, self->n_wakes++, wake);
    }
  else if (at == HN_WG_UNARMED)
    {
      gsize slot = peer->wake_slot;
      HnWgWake last = self->wakes[--self->n_wakes];

      peer->wake_slot = NO_SLOT;
      if (slot == self->n_wakes)
        return;
      if (slot > 0 && last.at < self->wakes[(slot - 1) / 2].at)
        sift_up (self, slot, last);
      else
        sift_down (self, slot, last);
    }
  else if (at < old)
    sift_up (self, peer->wake_slot, wake);
  else
    sift_down (self, peer->wake_slot, wake);
}

static void
arm (HnWgPeer *peer, gint64 *timer, gint64 at)
{
  *timer = at;
  if (at < peer->wake_at)
    set_wake (peer, at);
}

static gint64
earliest (const HnWgPeer *peer)
{
  return MIN (MIN (peer->retransmit_at, peer->keepalive_at),
              MIN (peer->silence_at, peer->zero_keys_at));
}

/* Whether the timer is due; it is disarmed then. */
static gboolean
take (gint64 *timer, gint64 now_us)
{
  if (*timer > now_us)
    return FALSE;
  *timer = HN_WG_UNARMED;
  return TRUE;
}

void
hn_wg_timers_init (HnWgPeer *peer)
{
  peer->retransmit_at = HN_WG_UNARMED;
  peer->keepalive_at = HN_WG_UNARMED;
  peer->silence_at = HN_WG_UNARMED;
  peer->zero_keys_at = HN_WG_UNARMED;
  peer->wake_at = HN_WG_UNARMED;
  peer->wake_slot = NO_SLOT;
}

void
hn_wg_timers_stop (HnWgPeer *peer)
{
  set_wake (peer, HN_WG_UNARMED);
  hn_wg_timers_init (peer);
  peer->need_keepalive = FALSE;
  peer->attempts = 0;
}

static void
retransmit (HnWgPeer *peer, gint64 now_us)
{
  if (peer->attempts > HN_WG_MAX_RETRIES)
    {
      /* Silence until somebody has something new to send. */
      peer->keepalive_at = HN_WG_UNARMED;
      hn_wg_peer_drop_staged (peer);
      if (peer->zero_keys_at == HN_WG_UNARMED)
        arm (peer, &peer->zero_keys_at, now_us + HN_WG_ZERO_KEYS_US);
      return;
    }
  peer->attempts++;
  hn_wg_peer_initiate (peer, now_us, TRUE);
}

void
hn_wg_timers_fire (HnWgPeer *peer, gint64 now_us)
{
  /* Every action may remove the peer (through an op); a removed one has all timers unarmed. */
  if (take (&peer->zero_keys_at, now_us))
    {
      hn_wg_peer_clear_sessions (peer);
      hn_wg_peer_clear_handshake (peer);
    }
  if (take (&peer->retransmit_at, now_us))
    retransmit (peer, now_us);
  if (take (&peer->keepalive_at, now_us))
    {
      gboolean again = peer->need_keepalive; /* sending clears it */

      hn_wg_peer_send_keepalive (peer, now_us);
      if (again && !peer->removed)
        arm (peer, &peer->keepalive_at, now_us + HN_WG_KEEPALIVE_TIMEOUT_US);
    }
  if (take (&peer->silence_at, now_us))
    hn_wg_peer_initiate (peer, now_us, FALSE);

  if (!peer->removed)
    set_wake (peer, earliest (peer));
}

void
hn_wg_timers_data_sent (HnWgPeer *peer, gint64 now_us)
{
  if (peer->silence_at == HN_WG_UNARMED)
    arm (peer, &peer->silence_at,
         now_us + HN_WG_KEEPALIVE_TIMEOUT_US + HN_WG_REKEY_TIMEOUT_US + jitter (peer->device));
}

void
hn_wg_timers_data_received (HnWgPeer *peer, gint64 now_us)
{
  if (peer->keepalive_at == HN_WG_UNARMED)
    arm (peer, &peer->keepalive_at, now_us + HN_WG_KEEPALIVE_TIMEOUT_US);
  else
    peer->need_keepalive = TRUE;
}

void
hn_wg_timers_any_sent (HnWgPeer *peer)
{
  peer->keepalive_at = HN_WG_UNARMED;
  peer->need_keepalive = FALSE;
}

void
hn_wg_timers_any_received (HnWgPeer *peer)
{
  peer->silence_at = HN_WG_UNARMED;
}

gint64
hn_wg_timers_get_retry_wait (const HnWgPeer *peer)
{
  switch (peer->early_initiations)
    {
    case 1:
      return 1 * G_USEC_PER_SEC;
    case 2:
      return 2 * G_USEC_PER_SEC;
    default:
      return HN_WG_REKEY_TIMEOUT_US;
    }
}

void
hn_wg_timers_initiation_sent (HnWgPeer *peer, gint64 now_us)
{
  arm (peer, &peer->retransmit_at,
       now_us + hn_wg_timers_get_retry_wait (peer) + jitter (peer->device));
}

void
hn_wg_timers_initiation_held (HnWgPeer *peer)
{
  if (peer->retransmit_at == HN_WG_UNARMED)
    arm (peer, &peer->retransmit_at,
         peer->handshake_sent_us + hn_wg_timers_get_retry_wait (peer) + jitter (peer->device));
}

void
hn_wg_timers_handshake_complete (HnWgPeer *peer, gint64 now_us)
{
  peer->retransmit_at = HN_WG_UNARMED;
  peer->attempts = 0;
  peer->early_initiations = HN_WG_EARLY_INITIATIONS;
  peer->renewed_by_receiving = FALSE;
  /* Zero means never. */
  peer->handshake_done_us = MAX (now_us, 1);
}

void
hn_wg_timers_session_derived (HnWgPeer *peer, gint64 now_us)
{
  arm (peer, &peer->zero_keys_at, now_us + HN_WG_ZERO_KEYS_US);
}

void
hn_wg_timers_initiate_soon (HnWgPeer *peer)
{
  arm (peer, &peer->retransmit_at, peer->device->now_us + SOON_US);
}
