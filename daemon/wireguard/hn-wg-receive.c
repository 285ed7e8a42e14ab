/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hn-secret.h"
#include "wireguard/hn-wg-private.h"
#include "wireguard/hn-wg-timers.h"

/* Handshake messages a second that are served without asking for cookies; it stays sticky for a
 * second. wireguard-go watches the length of a queue, which there is none of here. */
#define LOAD_PER_SECOND 128
#define LOAD_STICKY_US G_USEC_PER_SEC
#define INITIATION_GAP_US (G_USEC_PER_SEC / 50)
/* The limiter's table is given back when no load came for so long. */
#define LIMITER_KEEP_US (10 * G_USEC_PER_SEC)
/* An initiator that only receives renews the session before it ends. */
#define RENEW_RECEIVING_US                                                                         \
  (HN_WG_REJECT_AFTER_US - HN_WG_KEEPALIVE_TIMEOUT_US - HN_WG_REKEY_TIMEOUT_US)

/* Tailnets have no pre-shared keys. */
static const guint8 no_psk[32];

static gboolean
is_loaded (HnWg *self, gint64 now_us)
{
  if (now_us - self->load_window_us >= (gint64) G_USEC_PER_SEC)
    {
      self->load_window_us = now_us;
      self->load_count = 0;
    }
  if (++self->load_count > LOAD_PER_SECOND)
    self->loaded_until_us = now_us + LOAD_STICKY_US;
  if (self->limiter != NULL && now_us - self->loaded_until_us > LIMITER_KEEP_US)
    g_clear_pointer (&self->limiter, hn_wg_limiter_free);
  return now_us < self->loaded_until_us;
}

/* A port costs nothing, and neither do the addresses of one IPv6 network: neither may multiply
 * what a source gets. */
static gsize
limited_source_len (const HnWgPath *path)
{
  if (path->source_len == 4 + 2)
    return 4;
  if (path->source_len == 16 + 2)
    return 8;
  return MIN (path->source_len, sizeof path->source);
}

/* Whether a handshake message is worth the work of a handshake. */
static gboolean
admit (HnWg *self, const HnWgPath *path, const guint8 *msg, gsize len, gint64 now_us)
{
  guint8 reply[HN_WG_COOKIE_SIZE];
  guint8 nonce[HN_XAEAD_NONCE_SIZE];
  gsize source_len = MIN (path->source_len, sizeof path->source);

  if (!self->has_key || !hn_wg_cookie_checker_check_mac1 (&self->checker, msg, len))
    {
      self->counters.bad_mac++;
      return FALSE;
    }
  if (!is_loaded (self, now_us))
    return TRUE;

  if (!hn_wg_cookie_checker_check_mac2 (&self->checker, msg, len, path->source, source_len, now_us))
    {
      hn_random_bytes (nonce, sizeof nonce);
      hn_wg_cookie_checker_create_reply (&self->checker, msg, len, path->source, source_len, nonce,
                                         now_us, reply);
      self->counters.cookies_sent++;
      if (self->ops.send_reply != NULL)
        self->ops.send_reply (self->user, path, reply, sizeof reply);
      return FALSE;
    }

  if (self->limiter == NULL)
    self->limiter = hn_wg_limiter_new ();
  if (!hn_wg_limiter_allow (self->limiter, path->source, limited_source_len (path), now_us))
    {
      self->counters.rate_limited++;
      return FALSE;
    }
  return TRUE;
}

static void
authenticated (HnWgPeer *peer, const HnWgPath *path)
{
  HnWg *self = peer->device;

  if (self->ops.authenticated != NULL)
    self->ops.authenticated (self->user, peer, path);
}

static void
established (HnWgPeer *peer)
{
  HnWg *self = peer->device;

  if (self->ops.established != NULL)
    self->ops.established (self->user, peer);
}

/* Reads who sent an initiation and proves it. Returns NULL when it is nobody we know. The proof
 * comes before the owner is asked for a new peer: whoever knows two public keys can claim one. */
static HnWgPeer *
identify (HnWg *self, HnWgIncoming *in, const guint8 *msg)
{
  HnWgPeer *peer;
  guint8 secret[32];
  gboolean ok;

  if (!hn_wg_incoming_open_static (in, self->private_key, self->public_key, msg))
    {
      self->counters.bad_tag++;
      return NULL;
    }

  peer = hn_wg_get_peer (self, in->remote_static);
  if (peer == NULL && self->ops.find_peer == NULL)
    {
      self->counters.unknown_peer++;
      return NULL;
    }

  ok = peer != NULL ? hn_wg_peer_is_reachable (peer)
                    : hn_x25519 (self->private_key, in->remote_static, secret);
  if (!ok || !hn_wg_incoming_open_stamp (in, peer != NULL ? peer->static_static : secret, msg))
    {
      self->counters.bad_tag++;
      peer = NULL;
    }
  else if (peer == NULL)
    {
      peer = self->ops.find_peer (self->user, in->remote_static);
      /* The owner may return what it just removed, or have changed our key meanwhile, to which this
       * message was not sent. */
      if (peer == NULL || peer != hn_wg_get_peer (self, in->remote_static)
          || !hn_wg_peer_is_reachable (peer)
          || !hn_equal_constant_time (secret, peer->static_static, sizeof secret))
        {
          self->counters.unknown_peer++;
          peer = NULL;
        }
    }
  hn_wipe (secret, sizeof secret);
  return peer;
}

static void
answer (HnWgPeer *peer, HnWgIncoming *in, const HnWgPath *path, gint64 now_us)
{
  HnWg *self = peer->device;
  guint8 msg[HN_WG_RESPONSE_SIZE];
  guint8 ephemeral[32];
  HnWgKeys keys;
  guint32 index = hn_wg_index_table_choose (&self->indices);
  gboolean ok;

  hn_x25519_generate (ephemeral);
  ok = hn_wg_incoming_respond (in, no_psk, ephemeral, index, msg, &keys);
  hn_wipe (ephemeral, sizeof ephemeral);
  if (!ok)
    return;

  hn_wg_peer_begin_session (peer, &keys, index, in->remote_index, FALSE, now_us);
  hn_wipe (&keys, sizeof keys);
  hn_wg_cookie_signer_sign (&peer->cookie, msg, sizeof msg, now_us);
  peer->handshake_sent_us = now_us;
  hn_wg_timers_any_received (peer);
  hn_wg_timers_any_sent (peer);

  authenticated (peer, path);
  if (!peer->removed)
    self->ops.send (self->user, peer, msg, sizeof msg, TRUE);
}

static void
receive_initiation (HnWg *self, const HnWgPath *path, const guint8 *msg, gint64 now_us)
{
  HnWgIncoming in = { 0 };
  HnWgPeer *peer = identify (self, &in, msg);

  if (peer == NULL)
    ;
  else if (memcmp (in.stamp, peer->received_stamp, sizeof in.stamp) <= 0)
    self->counters.replayed++;
  else if (now_us - peer->initiation_accepted_us < (gint64) INITIATION_GAP_US)
    self->counters.rate_limited++;
  else
    {
      memcpy (peer->received_stamp, in.stamp, sizeof in.stamp);
      peer->initiation_accepted_us = now_us;
      answer (peer, &in, path, now_us);
    }
  hn_wg_incoming_clear (&in);
}

static void
receive_response (HnWg *self, const HnWgPath *path, const guint8 *msg, gint64 now_us)
{
  const HnWgIndexEntry *entry = hn_wg_index_table_get (&self->indices, hn_wg_get_le32 (msg + 8));
  HnWgPeer *peer;
  HnWgKeys keys;

  if (entry == NULL || entry->session != NULL)
    {
      self->counters.unknown_index++;
      return;
    }
  peer = entry->peer;
  if (!hn_wg_handshake_consume_response (&peer->handshake, self->private_key, no_psk, msg, &keys))
    {
      self->counters.bad_tag++;
      return;
    }

  /* The index moves from the handshake to the session; so clear the former by hand. */
  hn_wg_peer_begin_session (peer, &keys, peer->handshake.local_index, hn_wg_get_le32 (msg + 4),
                            TRUE, now_us);
  hn_wipe (&keys, sizeof keys);
  hn_wg_handshake_clear (&peer->handshake);
  hn_wg_timers_any_received (peer);
  hn_wg_timers_handshake_complete (peer, now_us);

  authenticated (peer, path);
  if (!peer->removed)
    established (peer);
  hn_wg_peer_send_staged (peer, now_us);
  /* The responder may not send before it has heard something under the new keys. */
  if (peer->current != NULL && peer->current->send_counter == 0)
    hn_wg_peer_send_keepalive (peer, now_us);
}

static void
receive_cookie (HnWg *self, const guint8 *msg, gint64 now_us)
{
  const HnWgIndexEntry *entry = hn_wg_index_table_get (&self->indices, hn_wg_get_le32 (msg + 4));

  if (entry == NULL)
    self->counters.unknown_index++;
  else if (!hn_wg_cookie_signer_consume_reply (&entry->peer->cookie, msg, now_us))
    self->counters.bad_tag++;
}

static void
receive_data (HnWg *self, const HnWgPath *path, guint8 *datagram, gsize len, gint64 now_us)
{
  const HnWgIndexEntry *entry
      = hn_wg_index_table_get (&self->indices, hn_wg_get_le32 (datagram + 4));
  guint8 *packet = datagram + 16;
  HnWgSession *session;
  HnWgPeer *peer;
  gboolean confirmed;

  if (entry == NULL || entry->session == NULL)
    {
      self->counters.unknown_index++;
      return;
    }
  peer = entry->peer;
  session = entry->session;
  switch (hn_wg_session_open (session, datagram, len, now_us))
    {
    case HN_WG_OPEN_STALE:
      self->counters.stale_key++;
      return;
    case HN_WG_OPEN_BAD_TAG:
      self->counters.bad_tag++;
      return;
    case HN_WG_OPEN_REPLAYED:
      self->counters.replayed++;
      return;
    case HN_WG_OPEN_OK:
      break;
    }
  len -= HN_WG_DATA_MIN_SIZE;

  confirmed = hn_wg_peer_session_used (peer, session);
  hn_wg_timers_any_received (peer);
  if (len > 0)
    hn_wg_timers_data_received (peer, now_us);
  if (confirmed)
    hn_wg_timers_handshake_complete (peer, now_us);
  if (session->initiator && !peer->renewed_by_receiving
      && now_us - session->created_us > (gint64) RENEW_RECEIVING_US)
    {
      peer->renewed_by_receiving = TRUE;
      hn_wg_peer_initiate (peer, now_us, FALSE);
    }

  /* From here on the session may be gone, and the peer removed. */
  if (!peer->removed)
    authenticated (peer, path);
  if (confirmed)
    {
      if (!peer->removed)
        established (peer);
      hn_wg_peer_send_staged (peer, now_us);
    }
  if (len == 0 || peer->removed)
    return;

  len = hn_wg_allowed_check (&peer->allowed, packet, len);
  if (len == 0)
    {
      self->counters.bad_source++;
      return;
    }
  peer->rx_bytes += len;
  self->ops.deliver (self->user, peer, packet, len);
}

void
hn_wg_receive (HnWg *self, const HnWgPath *path, guint8 *datagram, gsize len, gint64 now_us)
{
  guint32 type = len >= 4 ? hn_wg_get_le32 (datagram) : 0;

  hn_wg_enter (self, now_us);
  if (type == HN_WG_TYPE_DATA && len >= HN_WG_DATA_MIN_SIZE && len <= HN_WG_MAX_DATAGRAM)
    receive_data (self, path, datagram, len, now_us);
  else if (type == HN_WG_TYPE_INITIATION && len == HN_WG_INITIATION_SIZE)
    {
      if (admit (self, path, datagram, len, now_us))
        receive_initiation (self, path, datagram, now_us);
    }
  else if (type == HN_WG_TYPE_RESPONSE && len == HN_WG_RESPONSE_SIZE)
    {
      if (admit (self, path, datagram, len, now_us))
        receive_response (self, path, datagram, now_us);
    }
  else if (type == HN_WG_TYPE_COOKIE && len == HN_WG_COOKIE_SIZE)
    receive_cookie (self, datagram, now_us);
  else
    self->counters.bad_length++;
  hn_wg_leave (self);
}
