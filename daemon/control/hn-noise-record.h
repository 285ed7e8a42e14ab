/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TS2021's records (tailscale: control/controlbase/conn.go): type 4, length, ciphertext; at most
 * 4096 bytes on the wire; ChaCha20-Poly1305 with a big-endian counter. One direction each. No I/O:
 * a sealer splits plain bytes into records, an opener takes bytes in any pieces.
 */
#pragma once

#include "crypto/hn-crypto.h"

#define HN_NOISE_RECORD_MAX 4096
#define HN_NOISE_RECORD_OVERHEAD (3 + HN_AEAD_TAG_SIZE)
#define HN_NOISE_RECORD_PLAIN_MAX (HN_NOISE_RECORD_MAX - HN_NOISE_RECORD_OVERHEAD)

typedef struct
{
  guint8 key[32];
  guint64 counter;
} HnNoiseSealer;

void hn_noise_sealer_init (HnNoiseSealer *self, const guint8 key[32]);
/* Appends @len bytes as full records and a last shorter one; nothing for no bytes. */
void hn_noise_sealer_seal (HnNoiseSealer *self, const guint8 *plain, gsize len, GByteArray *out);
void hn_noise_sealer_clear (HnNoiseSealer *self);

typedef struct
{
  guint8 key[32];
  guint64 counter;
  gboolean failed;
  gsize have; /* bytes of the record that is being collected */
  guint8 record[HN_NOISE_RECORD_MAX];
} HnNoiseOpener;

void hn_noise_opener_init (HnNoiseOpener *self, const guint8 key[32]);
/*
 * hn_noise_opener_feed:
 * @out: where plain bytes are appended; empty records append none and are no end of stream
 *
 * Returns: FALSE with HN_ERROR_PROTOCOL on any record that is not as it must be; the connection is
 *   of no use then, and so is the opener. Records in front of the bad one have been appended.
 */
gboolean hn_noise_opener_feed (HnNoiseOpener *self, const guint8 *data, gsize len, GByteArray *out,
                               GError **error);
/* Whether the stream stands between two records. */
gboolean hn_noise_opener_is_idle (const HnNoiseOpener *self);
void hn_noise_opener_clear (HnNoiseOpener *self);

/*
 * What a server may put in front of its HTTP/2 bytes (tailscale: control/ts2021/conn.go): a magic,
 * a length and JSON, which is of no use to us and is left out.
 */
typedef struct
{
  gboolean done; /* everything from here on is HTTP/2 */
  guint8 head[9];
  gsize have;
  guint32 to_skip;
} HnNoiseEarly;

#define HN_NOISE_EARLY_MAX (64 * 1024)

/* Appends to @out what of the plain bytes belongs to HTTP/2. FALSE with HN_ERROR_PROTOCOL when the
 * early payload says it is longer than HN_NOISE_EARLY_MAX. */
gboolean hn_noise_early_feed (HnNoiseEarly *self, const guint8 *data, gsize len, GByteArray *out,
                              GError **error);
