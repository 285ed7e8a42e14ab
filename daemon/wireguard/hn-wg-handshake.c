/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wireguard/hn-wg-handshake.h"

#include <string.h>

#include "base/hn-secret.h"

#define CONSTRUCTION "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
#define IDENTIFIER "WireGuard v1 zx2c4 Jason@zx2c4.com"

/* Offsets into the messages. */
#define AT_SENDER 4
#define INIT_EPHEMERAL 8
#define INIT_STATIC 40
#define INIT_STAMP 88
#define RESP_RECEIVER 8
#define RESP_EPHEMERAL 12
#define RESP_EMPTY 44

#define TAI64_BASE G_GUINT64_CONSTANT (0x400000000000000a)
#define STAMP_GRANULE 0x1000000u
#define NSEC_PER_SEC 1000000000u

guint32
hn_wg_get_le32 (const guint8 *p)
{
  guint32 value;

  memcpy (&value, p, sizeof value);
  return GUINT32_FROM_LE (value);
}

guint64
hn_wg_get_le64 (const guint8 *p)
{
  guint64 value;

  memcpy (&value, p, sizeof value);
  return GUINT64_FROM_LE (value);
}

void
hn_wg_put_le32 (guint8 *p, guint32 value)
{
  value = GUINT32_TO_LE (value);
  memcpy (p, &value, sizeof value);
}

void
hn_wg_put_le64 (guint8 *p, guint64 value)
{
  value = GUINT64_TO_LE (value);
  memcpy (p, &value, sizeof value);
}

static void
begin (HnNoiseSymmetric *noise, const guint8 responder_public[32])
{
  hn_noise_symmetric_init (noise, CONSTRUCTION);
  hn_noise_symmetric_mix_hash (noise, IDENTIFIER, strlen (IDENTIFIER));
  hn_noise_symmetric_mix_hash (noise, responder_public, 32);
}

static void
mix_ephemeral (HnNoiseSymmetric *noise, const guint8 ephemeral_public[32])
{
  hn_noise_symmetric_mix_chain (noise, ephemeral_public, 32);
  hn_noise_symmetric_mix_hash (noise, ephemeral_public, 32);
}

gboolean
hn_wg_handshake_create_initiation (HnWgHandshake *self, const guint8 own_public[32],
                                   const guint8 peer_public[32], const guint8 static_static[32],
                                   const guint8 ephemeral[32], guint32 index,
                                   const guint8 stamp[HN_WG_STAMP_SIZE],
                                   guint8 msg[HN_WG_INITIATION_SIZE])
{
  memset (msg, 0, HN_WG_INITIATION_SIZE);
  hn_wg_put_le32 (msg, HN_WG_TYPE_INITIATION);
  hn_wg_put_le32 (msg + AT_SENDER, index);
  hn_x25519_base (ephemeral, msg + INIT_EPHEMERAL);

  begin (&self->noise, peer_public);
  mix_ephemeral (&self->noise, msg + INIT_EPHEMERAL);
  if (!hn_noise_symmetric_mix_dh (&self->noise, ephemeral, peer_public))
    {
      hn_wg_handshake_clear (self);
      return FALSE;
    }
  hn_noise_symmetric_seal (&self->noise, own_public, 32, msg + INIT_STATIC);
  hn_noise_symmetric_mix_key (&self->noise, static_static, 32);
  hn_noise_symmetric_seal (&self->noise, stamp, HN_WG_STAMP_SIZE, msg + INIT_STAMP);

  memcpy (self->ephemeral, ephemeral, sizeof self->ephemeral);
  self->local_index = index;
  self->active = TRUE;
  return TRUE;
}

gboolean
hn_wg_handshake_consume_response (const HnWgHandshake *self, const guint8 own_private[32],
                                  const guint8 psk[32], const guint8 msg[HN_WG_RESPONSE_SIZE],
                                  HnWgKeys *keys)
{
  HnNoiseSymmetric noise;
  guint8 nothing[1];
  gboolean ok;

  if (!self->active || hn_wg_get_le32 (msg) != HN_WG_TYPE_RESPONSE
      || hn_wg_get_le32 (msg + RESP_RECEIVER) != self->local_index)
    return FALSE;

  noise = self->noise;
  /* The order of the two mixes of the ephemeral does not matter: one goes to the chaining key, the
   * other to the hash. */
  mix_ephemeral (&noise, msg + RESP_EPHEMERAL);
  ok = hn_noise_symmetric_mix_dh (&noise, self->ephemeral, msg + RESP_EPHEMERAL)
       && hn_noise_symmetric_mix_dh (&noise, own_private, msg + RESP_EPHEMERAL);
  if (ok)
    {
      hn_noise_symmetric_mix_key_and_hash (&noise, psk, 32);
      ok = hn_noise_symmetric_open (&noise, msg + RESP_EMPTY, HN_AEAD_TAG_SIZE, nothing);
    }
  if (ok)
    hn_noise_symmetric_split (&noise, keys->send, keys->receive);
  hn_noise_symmetric_clear (&noise);
  return ok;
}

void
hn_wg_handshake_clear (HnWgHandshake *self)
{
  hn_wipe (self, sizeof *self);
}

gboolean
hn_wg_incoming_open_static (HnWgIncoming *self, const guint8 own_private[32],
                            const guint8 own_public[32], const guint8 msg[HN_WG_INITIATION_SIZE])
{
  if (hn_wg_get_le32 (msg) != HN_WG_TYPE_INITIATION)
    return FALSE;

  self->remote_index = hn_wg_get_le32 (msg + AT_SENDER);
  memcpy (self->remote_ephemeral, msg + INIT_EPHEMERAL, 32);
  begin (&self->noise, own_public);
  mix_ephemeral (&self->noise, self->remote_ephemeral);
  return hn_noise_symmetric_mix_dh (&self->noise, own_private, self->remote_ephemeral)
         && hn_noise_symmetric_open (&self->noise, msg + INIT_STATIC, 32 + HN_AEAD_TAG_SIZE,
                                     self->remote_static);
}

gboolean
hn_wg_incoming_open_stamp (HnWgIncoming *self, const guint8 static_static[32],
                           const guint8 msg[HN_WG_INITIATION_SIZE])
{
  hn_noise_symmetric_mix_key (&self->noise, static_static, 32);
  return hn_noise_symmetric_open (&self->noise, msg + INIT_STAMP,
                                  HN_WG_STAMP_SIZE + HN_AEAD_TAG_SIZE, self->stamp);
}

gboolean
hn_wg_incoming_respond (HnWgIncoming *self, const guint8 psk[32], const guint8 ephemeral[32],
                        guint32 index, guint8 msg[HN_WG_RESPONSE_SIZE], HnWgKeys *keys)
{
  memset (msg, 0, HN_WG_RESPONSE_SIZE);
  hn_wg_put_le32 (msg, HN_WG_TYPE_RESPONSE);
  hn_wg_put_le32 (msg + AT_SENDER, index);
  hn_wg_put_le32 (msg + RESP_RECEIVER, self->remote_index);
  hn_x25519_base (ephemeral, msg + RESP_EPHEMERAL);

  mix_ephemeral (&self->noise, msg + RESP_EPHEMERAL);
  if (!hn_noise_symmetric_mix_dh (&self->noise, ephemeral, self->remote_ephemeral)
      || !hn_noise_symmetric_mix_dh (&self->noise, ephemeral, self->remote_static))
    return FALSE;
  hn_noise_symmetric_mix_key_and_hash (&self->noise, psk, 32);
  hn_noise_symmetric_seal (&self->noise, "", 0, msg + RESP_EMPTY);
  hn_noise_symmetric_split (&self->noise, keys->receive, keys->send);
  return TRUE;
}

void
hn_wg_incoming_clear (HnWgIncoming *self)
{
  hn_wipe (self, sizeof *self);
}

static void
write_stamp (guint64 seconds, guint32 nanoseconds, guint8 out[HN_WG_STAMP_SIZE])
{
  seconds = GUINT64_TO_BE (seconds);
  nanoseconds = GUINT32_TO_BE (nanoseconds);
  memcpy (out, &seconds, 8);
  memcpy (out + 8, &nanoseconds, 4);
}

void
hn_wg_stamp_from_wall (gint64 wall_us, guint8 out[HN_WG_STAMP_SIZE])
{
  /* A clock before 1970 counts as 1970: the stamp must not wrap. */
  guint64 us = (guint64) MAX (wall_us, 0);
  guint32 nanoseconds = (guint32) (us % G_USEC_PER_SEC) * 1000;

  write_stamp (TAI64_BASE + us / G_USEC_PER_SEC, nanoseconds & ~(STAMP_GRANULE - 1), out);
}

void
hn_wg_stamp_increment (guint8 stamp[HN_WG_STAMP_SIZE])
{
  guint64 seconds;
  guint32 nanoseconds;

  memcpy (&seconds, stamp, 8);
  memcpy (&nanoseconds, stamp + 8, 4);
  seconds = GUINT64_FROM_BE (seconds);
  nanoseconds = GUINT32_FROM_BE (nanoseconds) + STAMP_GRANULE;
  if (nanoseconds >= NSEC_PER_SEC)
    {
      nanoseconds = 0;
      seconds++;
    }
  write_stamp (seconds, nanoseconds, stamp);
}
