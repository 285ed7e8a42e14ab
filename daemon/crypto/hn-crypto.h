/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The primitives that the protocols are made of, thin over libsodium, and BLAKE2s, which libsodium
 * lacks (RFC 7693). No function here allocates. hn_crypto_init() comes first, once a process.
 */
#pragma once

#include <glib.h>

#define HN_HASH_SIZE 32
#define HN_MAC_SIZE 16
#define HN_AEAD_TAG_SIZE 16
#define HN_XAEAD_NONCE_SIZE 24
#define HN_BOX_NONCE_SIZE 24
#define HN_BOX_OVERHEAD 16

gboolean hn_crypto_init (GError **error);
void hn_random_bytes (void *out, gsize len);
double hn_random_double (void); /* in [0, 1) */
guint32 hn_random_u32 (void);

/* BLAKE2s: digest of 1 to 32 bytes, key of 0 to 32 bytes (the native keyed mode). */
typedef struct
{
  guint32 h[8];
  guint64 count;
  guint8 buf[64];
  guint8 buf_len;
  guint8 out_len;
} HnBlake2s;

void hn_blake2s_init (HnBlake2s *self, gsize out_len, const void *key, gsize key_len);
void hn_blake2s_update (HnBlake2s *self, const void *data, gsize len);
void hn_blake2s_final (HnBlake2s *self, guint8 *out);
/* Unkeyed, 32 bytes, over the concatenation of @a and @b (either may be empty). */
void hn_hash2 (const void *a, gsize a_len, const void *b, gsize b_len, guint8 out[HN_HASH_SIZE]);
/* Keyed mode with a 16-byte digest: WireGuard's MAC. */
void hn_mac (const void *key, gsize key_len, const void *data, gsize len, guint8 out[HN_MAC_SIZE]);
/* RFC 2104 over BLAKE2s-256, block 64. */
void hn_hmac (const void *key, gsize key_len, const void *data, gsize len,
              guint8 out[HN_HASH_SIZE]);
/* HKDF as WireGuard and Noise have it: one to three outputs, any may be NULL when not wanted. @out1
 * may be @chain. */
void hn_kdf (const guint8 chain[HN_HASH_SIZE], const void *input, gsize input_len, guint8 *out1,
             guint8 *out2, guint8 *out3);

/* X25519; FALSE when the result is all zeros (the handshake must abort then). */
gboolean hn_x25519 (const guint8 private_key[32], const guint8 public_key[32], guint8 out[32]);
void hn_x25519_base (const guint8 private_key[32], guint8 out[32]);
void hn_x25519_generate (guint8 private_key[32]); /* clamped */

/* ChaCha20-Poly1305 (IETF): 12-byte nonce made of four zero bytes and @counter. @out may be @in.
 * seal writes @len + 16 bytes; open reads @len including the tag and fails on a bad one. */
void hn_aead_seal (const guint8 key[32], guint64 counter, gboolean big_endian, const void *ad,
                   gsize ad_len, const void *in, gsize len, guint8 *out);
gboolean hn_aead_open (const guint8 key[32], guint64 counter, gboolean big_endian, const void *ad,
                       gsize ad_len, const void *in, gsize len, guint8 *out);
/* XChaCha20-Poly1305, for cookies. */
void hn_xaead_seal (const guint8 key[32], const guint8 nonce[HN_XAEAD_NONCE_SIZE], const void *ad,
                    gsize ad_len, const void *in, gsize len, guint8 *out);
gboolean hn_xaead_open (const guint8 key[32], const guint8 nonce[HN_XAEAD_NONCE_SIZE],
                        const void *ad, gsize ad_len, const void *in, gsize len, guint8 *out);

/* NaCl box: @out is tag and ciphertext (crypto_box_easy). */
gboolean hn_box_precompute (const guint8 private_key[32], const guint8 public_key[32],
                            guint8 shared[32]);
void hn_box_seal (const guint8 shared[32], const guint8 nonce[HN_BOX_NONCE_SIZE], const void *in,
                  gsize len, guint8 *out);
gboolean hn_box_open (const guint8 shared[32], const guint8 nonce[HN_BOX_NONCE_SIZE],
                      const void *in, gsize len, guint8 *out);
