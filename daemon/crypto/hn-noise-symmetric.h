/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The symmetric state of a Noise handshake (hash and chaining key, BLAKE2s and ChaChaPoly), shared
 * by TS2021's Noise_IK and WireGuard's Noise_IKpsk2. Each key encrypts once, so its nonce is zero.
 */
#pragma once

#include "crypto/hn-crypto.h"

typedef struct
{
  guint8 h[HN_HASH_SIZE];
  guint8 ck[HN_HASH_SIZE];
  guint8 k[HN_HASH_SIZE];
} HnNoiseSymmetric;

/* h = ck = the name, zero-padded, when it has at most 32 bytes, else its hash. */
void hn_noise_symmetric_init (HnNoiseSymmetric *self, const char *protocol_name);
void hn_noise_symmetric_mix_hash (HnNoiseSymmetric *self, const void *data, gsize len);
void hn_noise_symmetric_mix_key (HnNoiseSymmetric *self, const void *data, gsize len);
/* For psk: also mixes the middle output into the hash. */
void hn_noise_symmetric_mix_key_and_hash (HnNoiseSymmetric *self, const void *data, gsize len);
/* KDF1: replaces the chaining key only (WireGuard mixes its ephemeral so). */
void hn_noise_symmetric_mix_chain (HnNoiseSymmetric *self, const void *data, gsize len);
/* FALSE when X25519 gives all zeros. */
gboolean hn_noise_symmetric_mix_dh (HnNoiseSymmetric *self, const guint8 private_key[32],
                                    const guint8 public_key[32]);
void hn_noise_symmetric_seal (HnNoiseSymmetric *self, const void *in, gsize len, guint8 *out);
gboolean hn_noise_symmetric_open (HnNoiseSymmetric *self, const void *in, gsize len, guint8 *out);
/* The two transport keys; wipes nothing, hn_noise_symmetric_clear() does. */
void hn_noise_symmetric_split (const HnNoiseSymmetric *self, guint8 first[32], guint8 second[32]);
void hn_noise_symmetric_clear (HnNoiseSymmetric *self);
