/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The four messages of the handshake Noise_IKpsk2 as pure functions: ephemeral keys, indices and
 * time stamps are arguments, no state but what is passed (wireguard-go: device/noise-protocol.go).
 * The two MAC fields at the end of a message belong to hn-wg-cookie.h.
 */
#pragma once

#include "crypto/hn-noise-symmetric.h"

#define HN_WG_TYPE_INITIATION 1
#define HN_WG_TYPE_RESPONSE 2
#define HN_WG_TYPE_COOKIE 3
#define HN_WG_TYPE_DATA 4

#define HN_WG_INITIATION_SIZE 148
#define HN_WG_RESPONSE_SIZE 92
#define HN_WG_COOKIE_SIZE 64
#define HN_WG_DATA_MIN_SIZE 32
#define HN_WG_STAMP_SIZE 12

/* Little-endian fields at any alignment. */
guint32 hn_wg_get_le32 (const guint8 *p);
guint64 hn_wg_get_le64 (const guint8 *p);
void hn_wg_put_le32 (guint8 *p, guint32 value);
void hn_wg_put_le64 (guint8 *p, guint64 value);

/* The transport keys as one side uses them. */
typedef struct
{
  guint8 send[32];
  guint8 receive[32];
} HnWgKeys;

/* An initiation of ours that waits for its response. */
typedef struct
{
  HnNoiseSymmetric noise;
  guint8 ephemeral[32]; /* private */
  guint32 local_index;
  gboolean active;
} HnWgHandshake;

/* An initiation of somebody else's, until it is answered. */
typedef struct
{
  HnNoiseSymmetric noise;
  guint8 remote_static[32];
  guint8 remote_ephemeral[32];
  guint32 remote_index;
  guint8 stamp[HN_WG_STAMP_SIZE];
} HnWgIncoming;

/* Fills @msg but for the MACs and makes @self active. @static_static is DH (own private, peer
 * public). FALSE (and @self cleared) when a key is of low order. */
gboolean hn_wg_handshake_create_initiation (HnWgHandshake *self, const guint8 own_public[32],
                                            const guint8 peer_public[32],
                                            const guint8 static_static[32],
                                            const guint8 ephemeral[32], guint32 index,
                                            const guint8 stamp[HN_WG_STAMP_SIZE],
                                            guint8 msg[HN_WG_INITIATION_SIZE]);
/* Completes @self with @msg. FALSE when the message does not fit; @self is then as before, so that
 * a forged response costs nothing. Does not clear @self. */
gboolean hn_wg_handshake_consume_response (const HnWgHandshake *self, const guint8 own_private[32],
                                           const guint8 psk[32],
                                           const guint8 msg[HN_WG_RESPONSE_SIZE], HnWgKeys *keys);
/* Wipes it; no longer active. */
void hn_wg_handshake_clear (HnWgHandshake *self);

/* First half of reading an initiation: who claims to send it. Nothing is proven yet. */
gboolean hn_wg_incoming_open_static (HnWgIncoming *self, const guint8 own_private[32],
                                     const guint8 own_public[32],
                                     const guint8 msg[HN_WG_INITIATION_SIZE]);
/* Second half: the sender holds the static key, and made the message at self->stamp. */
gboolean hn_wg_incoming_open_stamp (HnWgIncoming *self, const guint8 static_static[32],
                                    const guint8 msg[HN_WG_INITIATION_SIZE]);
/* Writes the response but for its MACs. FALSE when a key is of low order. */
gboolean hn_wg_incoming_respond (HnWgIncoming *self, const guint8 psk[32],
                                 const guint8 ephemeral[32], guint32 index,
                                 guint8 msg[HN_WG_RESPONSE_SIZE], HnWgKeys *keys);
void hn_wg_incoming_clear (HnWgIncoming *self);

/* TAI64N of @wall_us (microseconds since 1970 UTC), its low 24 bits of nanoseconds zeroed so that
 * it does not tell the exact clock (wireguard-go: tai64n/tai64n.go). */
void hn_wg_stamp_from_wall (gint64 wall_us, guint8 out[HN_WG_STAMP_SIZE]);
/* The smallest stamp of that granularity above @stamp, in place. */
void hn_wg_stamp_increment (guint8 stamp[HN_WG_STAMP_SIZE]);
