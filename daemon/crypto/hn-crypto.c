/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The primitives over libsodium, and BLAKE2s after RFC 7693. */
#include "crypto/hn-crypto.h"

#include <sodium.h>
#include <string.h>

#include "base/hn-error.h"
#include "base/hn-secret.h"

#define BLAKE2S_BLOCK 64

gboolean
hn_crypto_init (GError **error)
{
  if (sodium_init () < 0)
    {
      g_set_error_literal (error, HN_ERROR, HN_ERROR_FAILED, "Cannot initialise libsodium");
      return FALSE;
    }
  return TRUE;
}

void
hn_random_bytes (void *out, gsize len)
{
  randombytes_buf (out, len);
}

double
hn_random_double (void)
{
  guint64 bits = 0;

  randombytes_buf (&bits, sizeof bits);
  return (double) (bits >> 11) / 9007199254740992.0; /* 2^53 */
}

guint32
hn_random_u32 (void)
{
  return randombytes_random ();
}

/* --- BLAKE2s --- */

static const guint32 blake2s_iv[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

static inline guint32
load_le32 (const guint8 *p)
{
  guint32 value;

  memcpy (&value, p, sizeof value);
  return GUINT32_FROM_LE (value);
}

static inline guint32
rotate_right (guint32 value, guint by)
{
  return value >> by | value << (32 - by);
}

#define G(a, b, c, d, x, y)                                                                        \
  do                                                                                               \
    {                                                                                              \
      a += b + (x);                                                                                \
      d = rotate_right (d ^ a, 16);                                                                \
      c += d;                                                                                      \
      b = rotate_right (b ^ c, 12);                                                                \
      a += b + (y);                                                                                \
      d = rotate_right (d ^ a, 8);                                                                 \
      c += d;                                                                                      \
      b = rotate_right (b ^ c, 7);                                                                 \
    }                                                                                              \
  while (0)

/* One round with its row of the message schedule spelt out, so that everything stays in registers:
 * a handshake costs some forty blocks. */
#define ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15)                \
  do                                                                                               \
    {                                                                                              \
      G (v[0], v[4], v[8], v[12], m[s0], m[s1]);                                                   \
      G (v[1], v[5], v[9], v[13], m[s2], m[s3]);                                                   \
      G (v[2], v[6], v[10], v[14], m[s4], m[s5]);                                                  \
      G (v[3], v[7], v[11], v[15], m[s6], m[s7]);                                                  \
      G (v[0], v[5], v[10], v[15], m[s8], m[s9]);                                                  \
      G (v[1], v[6], v[11], v[12], m[s10], m[s11]);                                                \
      G (v[2], v[7], v[8], v[13], m[s12], m[s13]);                                                 \
      G (v[3], v[4], v[9], v[14], m[s14], m[s15]);                                                 \
    }                                                                                              \
  while (0)

static void
blake2s_compress (HnBlake2s *self, const guint8 block[BLAKE2S_BLOCK], gboolean last)
{
  guint32 m[16];
  guint32 v[16];

  for (guint i = 0; i < 16; i++)
    m[i] = load_le32 (block + 4 * i);
  for (guint i = 0; i < 8; i++)
    {
      v[i] = self->h[i];
      v[i + 8] = blake2s_iv[i];
    }
  v[12] ^= (guint32) self->count;
  v[13] ^= (guint32) (self->count >> 32);
  if (last)
    v[14] = ~v[14];

  ROUND (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  ROUND (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3);
  ROUND (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4);
  ROUND (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8);
  ROUND (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13);
  ROUND (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9);
  ROUND (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11);
  ROUND (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10);
  ROUND (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5);
  ROUND (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0);

  for (guint i = 0; i < 8; i++)
    self->h[i] ^= v[i] ^ v[i + 8];
}

void
hn_blake2s_init (HnBlake2s *self, gsize out_len, const void *key, gsize key_len)
{
  g_assert (out_len >= 1 && out_len <= HN_HASH_SIZE && key_len <= 32);

  memset (self, 0, sizeof *self);
  memcpy (self->h, blake2s_iv, sizeof blake2s_iv);
  /* The parameter block: digest length, key length, fan-out 1, depth 1. */
  self->h[0] ^= 0x01010000u ^ (guint32) key_len << 8 ^ (guint32) out_len;
  self->out_len = (guint8) out_len;
  if (key_len > 0)
    {
      memcpy (self->buf, key, key_len);
      self->buf_len = BLAKE2S_BLOCK;
    }
}

void
hn_blake2s_update (HnBlake2s *self, const void *data, gsize len)
{
  const guint8 *p = data;

  while (len > 0)
    {
      gsize n;

      /* A full buffer is compressed only when more follows: the last block is marked as such. */
      if (self->buf_len == BLAKE2S_BLOCK)
        {
          self->count += BLAKE2S_BLOCK;
          blake2s_compress (self, self->buf, FALSE);
          self->buf_len = 0;
        }
      n = MIN (len, (gsize) (BLAKE2S_BLOCK - self->buf_len));
      memcpy (self->buf + self->buf_len, p, n);
      self->buf_len = (guint8) (self->buf_len + n);
      p += n;
      len -= n;
    }
}

void
hn_blake2s_final (HnBlake2s *self, guint8 *out)
{
  guint8 full[HN_HASH_SIZE];

  self->count += self->buf_len;
  memset (self->buf + self->buf_len, 0, BLAKE2S_BLOCK - self->buf_len);
  blake2s_compress (self, self->buf, TRUE);
  for (guint i = 0; i < 8; i++)
    {
      guint32 word = GUINT32_TO_LE (self->h[i]);

      memcpy (full + 4 * i, &word, sizeof word);
    }
  memcpy (out, full, self->out_len);
  hn_wipe (full, sizeof full);
  hn_wipe (self, sizeof *self);
}

void
hn_hash2 (const void *a, gsize a_len, const void *b, gsize b_len, guint8 out[HN_HASH_SIZE])
{
  HnBlake2s state;

  hn_blake2s_init (&state, HN_HASH_SIZE, NULL, 0);
  hn_blake2s_update (&state, a, a_len);
  hn_blake2s_update (&state, b, b_len);
  hn_blake2s_final (&state, out);
}

void
hn_mac (const void *key, gsize key_len, const void *data, gsize len, guint8 out[HN_MAC_SIZE])
{
  HnBlake2s state;

  hn_blake2s_init (&state, HN_MAC_SIZE, key, key_len);
  hn_blake2s_update (&state, data, len);
  hn_blake2s_final (&state, out);
}

/* HMAC over the concatenation of two pieces. */
static void
hmac2 (const guint8 *key, gsize key_len, const void *a, gsize a_len, const void *b, gsize b_len,
       guint8 out[HN_HASH_SIZE])
{
  guint8 pad[BLAKE2S_BLOCK] = { 0 };
  guint8 inner[HN_HASH_SIZE];
  HnBlake2s state;

  if (key_len > BLAKE2S_BLOCK)
    hn_hash2 (key, key_len, NULL, 0, pad);
  else if (key_len > 0)
    memcpy (pad, key, key_len);

  for (guint i = 0; i < BLAKE2S_BLOCK; i++)
    pad[i] ^= 0x36;
  hn_blake2s_init (&state, HN_HASH_SIZE, NULL, 0);
  hn_blake2s_update (&state, pad, sizeof pad);
  hn_blake2s_update (&state, a, a_len);
  hn_blake2s_update (&state, b, b_len);
  hn_blake2s_final (&state, inner);

  for (guint i = 0; i < BLAKE2S_BLOCK; i++)
    pad[i] ^= 0x36 ^ 0x5c;
  hn_hash2 (pad, sizeof pad, inner, sizeof inner, out);
  hn_wipe (pad, sizeof pad);
  hn_wipe (inner, sizeof inner);
}

void
hn_hmac (const void *key, gsize key_len, const void *data, gsize len, guint8 out[HN_HASH_SIZE])
{
  hmac2 (key, key_len, data, len, NULL, 0, out);
}

void
hn_kdf (const guint8 chain[HN_HASH_SIZE], const void *input, gsize input_len, guint8 *out1,
        guint8 *out2, guint8 *out3)
{
  guint8 prk[HN_HASH_SIZE];
  guint8 t[HN_HASH_SIZE];
  guint8 counter = 1;

  hmac2 (chain, HN_HASH_SIZE, input, input_len, NULL, 0, prk);
  hmac2 (prk, sizeof prk, &counter, 1, NULL, 0, t);
  if (out1 != NULL)
    memcpy (out1, t, sizeof t);
  if (out2 != NULL || out3 != NULL)
    {
      counter = 2;
      hmac2 (prk, sizeof prk, t, sizeof t, &counter, 1, t);
      if (out2 != NULL)
        memcpy (out2, t, sizeof t);
    }
  if (out3 != NULL)
    {
      counter = 3;
      hmac2 (prk, sizeof prk, t, sizeof t, &counter, 1, out3);
    }
  hn_wipe (prk, sizeof prk);
  hn_wipe (t, sizeof t);
}

/* --- Curve25519 --- */

gboolean
hn_x25519 (const guint8 private_key[32], const guint8 public_key[32], guint8 out[32])
{
  return crypto_scalarmult_curve25519 (out, private_key, public_key) == 0;
}

void
hn_x25519_base (const guint8 private_key[32], guint8 out[32])
{
  crypto_scalarmult_curve25519_base (out, private_key);
}

void
hn_x25519_generate (guint8 private_key[32])
{
  randombytes_buf (private_key, 32);
  private_key[0] &= 248;
  private_key[31] = (guint8) ((private_key[31] & 127) | 64);
}

/* --- AEAD --- */

static inline void
make_nonce (guint64 counter, gboolean big_endian, guint8 nonce[12])
{
  guint64 wire = big_endian ? GUINT64_TO_BE (counter) : GUINT64_TO_LE (counter);

  memset (nonce, 0, 4);
  memcpy (nonce + 4, &wire, sizeof wire);
}

void
hn_aead_seal (const guint8 key[32], guint64 counter, gboolean big_endian, const void *ad,
              gsize ad_len, const void *in, gsize len, guint8 *out)
{
  guint8 nonce[12];

  make_nonce (counter, big_endian, nonce);
  crypto_aead_chacha20poly1305_ietf_encrypt (out, NULL, in, len, ad, ad_len, NULL, nonce, key);
}

gboolean
hn_aead_open (const guint8 key[32], guint64 counter, gboolean big_endian, const void *ad,
              gsize ad_len, const void *in, gsize len, guint8 *out)
{
  guint8 nonce[12];

  if (len < HN_AEAD_TAG_SIZE)
    return FALSE;
  make_nonce (counter, big_endian, nonce);
  return crypto_aead_chacha20poly1305_ietf_decrypt (out, NULL, NULL, in, len, ad, ad_len, nonce,
                                                    key)
         == 0;
}

void
hn_xaead_seal (const guint8 key[32], const guint8 nonce[HN_XAEAD_NONCE_SIZE], const void *ad,
               gsize ad_len, const void *in, gsize len, guint8 *out)
{
  crypto_aead_xchacha20poly1305_ietf_encrypt (out, NULL, in, len, ad, ad_len, NULL, nonce, key);
}

gboolean
hn_xaead_open (const guint8 key[32], const guint8 nonce[HN_XAEAD_NONCE_SIZE], const void *ad,
               gsize ad_len, const void *in, gsize len, guint8 *out)
{
  if (len < HN_AEAD_TAG_SIZE)
    return FALSE;
  return crypto_aead_xchacha20poly1305_ietf_decrypt (out, NULL, NULL, in, len, ad, ad_len, nonce,
                                                     key)
         == 0;
}

/* --- box --- */

gboolean
hn_box_precompute (const guint8 private_key[32], const guint8 public_key[32], guint8 shared[32])
{
  return crypto_box_beforenm (shared, public_key, private_key) == 0;
}

void
hn_box_seal (const guint8 shared[32], const guint8 nonce[HN_BOX_NONCE_SIZE], const void *in,
             gsize len, guint8 *out)
{
  crypto_box_easy_afternm (out, in, len, nonce, shared);
}

gboolean
hn_box_open (const guint8 shared[32], const guint8 nonce[HN_BOX_NONCE_SIZE], const void *in,
             gsize len, guint8 *out)
{
  return crypto_box_open_easy_afternm (out, in, len, nonce, shared) == 0;
}
