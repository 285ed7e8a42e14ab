/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hn-secret.h"
#include "wireguard/hn-wg-private.h"
#include "wireguard/hn-wg-timers.h"

#define STAGED_MAX_PACKETS 128
/* Super-packets are large; so count bytes too, per peer and for all of them. */
#define STAGED_MAX_PEER_BYTES (512 * 1024)
#define STAGED_MAX_BYTES (16 * 1024 * 1024)
#define MAX_INNER (HN_WG_MAX_DATAGRAM - HN_WG_HEADROOM - HN_WG_TAILROOM)

/* A packet that waits for a session. */
typedef struct
{
  gsize len;
  guint8 data[]; /* headroom, packet, tailroom */
} Staged;

static Staged *
pop_staged (HnWgPeer *peer)
{
  Staged *staged = g_queue_pop_head (&peer->staged);

  if (staged != NULL)
    {
      peer->staged_bytes -= staged->len;
      peer->device->staged_bytes -= staged->len;
    }
  return staged;
}

static void
drop_oldest (HnWgPeer *peer)
{
  g_free (pop_staged (peer));
  peer->device->counters.staged_dropped++;
}

void
hn_wg_peer_drop_staged (HnWgPeer *peer)
{
  while (!g_queue_is_empty (&peer->staged))
    drop_oldest (peer);
}

static void
stage (HnWgPeer *peer, const guint8 *packet, gsize len)
{
  HnWg *self = peer->device;
  Staged *staged;

  while (!g_queue_is_empty (&peer->staged)
         && (peer->staged.length >= STAGED_MAX_PACKETS
             || peer->staged_bytes + len > STAGED_MAX_PEER_BYTES
             || self->staged_bytes + len > STAGED_MAX_BYTES))
    drop_oldest (peer);
  if (self->staged_bytes + len > STAGED_MAX_BYTES)
    {
      self->counters.staged_dropped++;
      return;
    }

  staged = g_malloc (sizeof *staged + HN_WG_HEADROOM + len + HN_WG_TAILROOM);
  staged->len = len;
  memcpy (staged->data + HN_WG_HEADROOM, packet, len);
  g_queue_push_tail (&peer->staged, staged);
  peer->staged_bytes += len;
  self->staged_bytes += len;
}

/* Seals and sends under the current session, which is usable. @len 0 is a keepalive. */
static void
send_packet (HnWgPeer *peer, guint8 *packet, gsize len, gint64 now_us)
{
  HnWg *self = peer->device;
  HnWgSession *session = peer->current;
  gsize padding = hn_wg_padding (len, self->mtu);
  gboolean renew;
  gsize size;

  memset (packet + len, 0, padding);
  size = hn_wg_session_seal (session, packet, len + padding);
  renew = session->send_counter > HN_WG_REKEY_AFTER_MESSAGES
          || (session->initiator && now_us - session->created_us > HN_WG_REKEY_AFTER_US);

  hn_wg_timers_any_sent (peer);
  if (len > 0)
    {
      peer->tx_bytes += len;
      hn_wg_timers_data_sent (peer, now_us);
    }
  self->ops.send (self->user, peer, packet - HN_WG_HEADROOM, size, FALSE);
  if (renew && !peer->removed)
    hn_wg_peer_initiate (peer, now_us, FALSE);
}

void
hn_wg_peer_send_staged (HnWgPeer *peer, gint64 now_us)
{
  /* The ops may end the session or remove the peer, which empties the queue. */
  while (hn_wg_session_is_usable (peer->current, now_us))
    {
      Staged *staged = pop_staged (peer);

      if (staged == NULL)
        return;
      send_packet (peer, staged->data + HN_WG_HEADROOM, staged->len, now_us);
      g_free (staged);
    }
}

void
hn_wg_peer_send_keepalive (HnWgPeer *peer, gint64 now_us)
{
  guint8 buffer[HN_WG_HEADROOM + HN_WG_TAILROOM];

  if (hn_wg_session_is_usable (peer->current, now_us))
    send_packet (peer, buffer + HN_WG_HEADROOM, 0, now_us);
  else
    hn_wg_peer_initiate (peer, now_us, FALSE);
}

/* The wall clock, but always more than what anybody was told: a peer that was removed and added
 * again, and so forgot what it sent, would otherwise be taken for a replay. */
static void
next_stamp (HnWgPeer *peer)
{
  HnWg *self = peer->device;
  guint8 stamp[HN_WG_STAMP_SIZE];

  hn_wg_stamp_from_wall (self->wall_us (self->wall_data), stamp);
  if (memcmp (stamp, self->last_stamp, sizeof stamp) <= 0)
    {
      memcpy (stamp, self->last_stamp, sizeof stamp);
      hn_wg_stamp_increment (stamp);
    }
  memcpy (peer->sent_stamp, stamp, sizeof stamp);
  memcpy (self->last_stamp, stamp, sizeof stamp);
}

void
hn_wg_peer_initiate (HnWgPeer *peer, gint64 now_us, gboolean retry)
{
  HnWg *self = peer->device;
  guint8 msg[HN_WG_INITIATION_SIZE];
  guint8 ephemeral[32];
  guint32 index;
  gboolean ok;

  if (!retry)
    peer->attempts = 0;
  if (!hn_wg_peer_is_reachable (peer))
    return;
  if (now_us - peer->handshake_sent_us < hn_wg_timers_get_retry_wait (peer))
    {
      if (retry || !g_queue_is_empty (&peer->staged))
        hn_wg_timers_initiation_held (peer);
      return;
    }

  hn_wg_peer_clear_handshake (peer);
  next_stamp (peer);
  index = hn_wg_index_table_choose (&self->indices);
  hn_x25519_generate (ephemeral);
  ok = hn_wg_handshake_create_initiation (&peer->handshake, self->public_key, peer->public_key,
                                          peer->static_static, ephemeral, index, peer->sent_stamp,
                                          msg);
  hn_wipe (ephemeral, sizeof ephemeral);
  if (!ok)
    return;

  hn_wg_index_table_set (&self->indices, index, peer, NULL);
  hn_wg_cookie_signer_sign (&peer->cookie, msg, sizeof msg, now_us);
  peer->handshake_sent_us = now_us;
  if (peer->early_initiations < HN_WG_EARLY_INITIATIONS)
    peer->early_initiations++;
  hn_wg_timers_any_sent (peer);
  hn_wg_timers_initiation_sent (peer, now_us);
  self->ops.send (self->user, peer, msg, sizeof msg, TRUE);
}

void
hn_wg_initiate (HnWg *self, HnWgPeer *peer, gint64 now_us)
{
  if (peer->removed || hn_wg_session_is_usable (peer->current, now_us))
    return;
  hn_wg_enter (self, now_us);
  hn_wg_peer_initiate (peer, now_us, FALSE);
  hn_wg_leave (self);
}

void
hn_wg_send (HnWg *self, HnWgPeer *peer, guint8 *packet, gsize len, gint64 now_us)
{
  if (peer->removed || len == 0 || len > MAX_INNER)
    return;

  hn_wg_enter (self, now_us);
  if (hn_wg_session_is_usable (peer->current, now_us))
    send_packet (peer, packet, len, now_us);
  else if (hn_wg_peer_is_reachable (peer))
    {
      stage (peer, packet, len);
      hn_wg_peer_initiate (peer, now_us, FALSE);
    }
  else
    self->counters.staged_dropped++;
  hn_wg_leave (self);
}
