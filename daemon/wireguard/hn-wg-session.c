/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wireguard/hn-wg-session.h"

#include <string.h>

#include "base/hn-secret.h"

#define HEADER_SIZE 16
#define PADDING_MULTIPLE 16

HnWgSession *
hn_wg_session_new (const HnWgKeys *keys, guint32 local_index, guint32 remote_index,
                   gboolean initiator, gint64 now_us)
{
  HnWgSession *self = g_new0 (HnWgSession, 1);

  memcpy (self->send_key, keys->send, sizeof self->send_key);
  memcpy (self->receive_key, keys->receive, sizeof self->receive_key);
  self->local_index = local_index;
  self->remote_index = remote_index;
  self->initiator = initiator;
  self->created_us = now_us;
  return self;
}

void
hn_wg_session_free (HnWgSession *self)
{
  if (self == NULL)
    return;
  hn_wipe (self, sizeof *self);
  g_free (self);
}

gboolean
hn_wg_session_is_usable (const HnWgSession *self, gint64 now_us)
{
  return self != NULL && now_us - self->created_us < HN_WG_REJECT_AFTER_US
         && self->send_counter < HN_WG_REJECT_AFTER_MESSAGES;
}

gsize
hn_wg_padding (gsize len, gsize mtu)
{
  gsize last = len;
  gsize padded;

  if (mtu > 0 && last > mtu)
    last %= mtu;
  padded = (last + PADDING_MULTIPLE - 1) & ~(gsize) (PADDING_MULTIPLE - 1);
  if (mtu > 0 && padded > mtu)
    padded = mtu;
  return padded - last;
}

gsize
hn_wg_session_seal (HnWgSession *self, guint8 *packet, gsize len)
{
  guint8 *header = packet - HEADER_SIZE;
  guint64 counter = self->send_counter++;

  hn_wg_put_le32 (header, HN_WG_TYPE_DATA);
  hn_wg_put_le32 (header + 4, self->remote_index);
  hn_wg_put_le64 (header + 8, counter);
  hn_aead_seal (self->send_key, counter, FALSE, NULL, 0, packet, len, packet);
  return HEADER_SIZE + len + HN_AEAD_TAG_SIZE;
}

HnWgOpenResult
hn_wg_session_open (HnWgSession *self, guint8 *datagram, gsize len, gint64 now_us)
{
  guint8 *packet = datagram + HEADER_SIZE;
  guint64 counter = hn_wg_get_le64 (datagram + 8);

  if (now_us - self->created_us > HN_WG_REJECT_AFTER_US)
    return HN_WG_OPEN_STALE;
  if (counter >= HN_WG_REJECT_AFTER_MESSAGES)
    return HN_WG_OPEN_REPLAYED;
  if (!hn_aead_open (self->receive_key, counter, FALSE, NULL, 0, packet, len - HEADER_SIZE, packet))
    return HN_WG_OPEN_BAD_TAG;
  if (!hn_wg_replay_accept (&self->replay, counter))
    return HN_WG_OPEN_REPLAYED;
  return HN_WG_OPEN_OK;
}
