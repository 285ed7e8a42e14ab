/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pair of transport keys with its counters: sealing and opening of data messages in place.
 */
#pragma once

#include "wireguard/hn-wg-handshake.h"
#include "wireguard/hn-wg-replay.h"

#define HN_WG_REKEY_AFTER_MESSAGES (G_GUINT64_CONSTANT (1) << 60)
#define HN_WG_REJECT_AFTER_MESSAGES (G_MAXUINT64 - (1u << 13)) /* 2^64 - 2^13 - 1 */
#define HN_WG_REKEY_AFTER_US (120 * G_USEC_PER_SEC)
#define HN_WG_REJECT_AFTER_US (180 * G_USEC_PER_SEC)

typedef struct
{
  guint8 send_key[32];
  guint8 receive_key[32];
  guint64 send_counter; /* of the next packet */
  gint64 created_us;
  guint32 local_index;
  guint32 remote_index;
  gboolean initiator; /* we began it, so we renew it */
  gboolean crossed;   /* both began at once; see hn_wg_peer_session_used() */
  HnWgReplay replay;
} HnWgSession;

typedef enum
{
  HN_WG_OPEN_OK,
  HN_WG_OPEN_STALE,
  HN_WG_OPEN_BAD_TAG,
  HN_WG_OPEN_REPLAYED,
} HnWgOpenResult;

/* Copies @keys. */
HnWgSession *hn_wg_session_new (const HnWgKeys *keys, guint32 local_index, guint32 remote_index,
                                gboolean initiator, gint64 now_us);
/* Wipes and frees. Nullable. */
void hn_wg_session_free (HnWgSession *self);
/* Whether it may still send. Nullable. */
gboolean hn_wg_session_is_usable (const HnWgSession *self, gint64 now_us);
/* How many zero bytes go behind @len bytes: to a multiple of 16, but never beyond @mtu
 * (wireguard-go: device/send.go, calculatePaddingSize). */
gsize hn_wg_padding (gsize len, gsize mtu);
/* Encrypts @len bytes at @packet in place: 16 bytes in front of it become the header, the tag is
 * written behind. The session must be usable. Returns the datagram's length; it begins at
 * @packet - 16. */
gsize hn_wg_session_seal (HnWgSession *self, guint8 *packet, gsize len);
/* Decrypts a data message (at least HN_WG_DATA_MIN_SIZE bytes) in place; the plaintext is @len - 32
 * bytes at @datagram + 16. */
HnWgOpenResult hn_wg_session_open (HnWgSession *self, guint8 *datagram, gsize len, gint64 now_us);
