/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The symmetric state of a Noise handshake. */
#include "crypto/hn-noise-symmetric.h"

#include <string.h>

#include "base/hn-secret.h"

void
hn_noise_symmetric_init (HnNoiseSymmetric *self, const char *protocol_name)
{
  gsize len = strlen (protocol_name);

  memset (self, 0, sizeof *self);
  if (len <= HN_HASH_SIZE)
    memcpy (self->h, protocol_name, len);
  else
    hn_hash2 (protocol_name, len, NULL, 0, self->h);
  memcpy (self->ck, self->h, HN_HASH_SIZE);
}

void
hn_noise_symmetric_mix_hash (HnNoiseSymmetric *self, const void *data, gsize len)
{
  hn_hash2 (self->h, HN_HASH_SIZE, data, len, self->h);
}

void
hn_noise_symmetric_mix_key (HnNoiseSymmetric *self, const void *data, gsize len)
{
  hn_kdf (self->ck, data, len, self->ck, self->k, NULL);
}

void
hn_noise_symmetric_mix_key_and_hash (HnNoiseSymmetric *self, const void *data, gsize len)
{
  guint8 middle[HN_HASH_SIZE];

  hn_kdf (self->ck, data, len, self->ck, middle, self->k);
  hn_noise_symmetric_mix_hash (self, middle, sizeof middle);
  hn_wipe (middle, sizeof middle);
}

void
hn_noise_symmetric_mix_chain (HnNoiseSymmetric *self, const void *data, gsize len)
{
  hn_kdf (self->ck, data, len, self->ck, NULL, NULL);
}

gboolean
hn_noise_symmetric_mix_dh (HnNoiseSymmetric *self, const guint8 private_key[32],
                           const guint8 public_key[32])
{
  guint8 shared[32];
  gboolean ok = hn_x25519 (private_key, public_key, shared);

  if (ok)
    hn_noise_symmetric_mix_key (self, shared, sizeof shared);
  hn_wipe (shared, sizeof shared);
  return ok;
}

void
hn_noise_symmetric_seal (HnNoiseSymmetric *self, const void *in, gsize len, guint8 *out)
{
  hn_aead_seal (self->k, 0, FALSE, self->h, HN_HASH_SIZE, in, len, out);
  hn_noise_symmetric_mix_hash (self, out, len + HN_AEAD_TAG_SIZE);
}

gboolean
hn_noise_symmetric_open (HnNoiseSymmetric *self, const void *in, gsize len, guint8 *out)
{
  guint8 next[HN_HASH_SIZE];

  /* Hashed first, because @out may be @in. */
  hn_hash2 (self->h, HN_HASH_SIZE, in, len, next);
  if (!hn_aead_open (self->k, 0, FALSE, self->h, HN_HASH_SIZE, in, len, out))
    return FALSE;
  memcpy (self->h, next, HN_HASH_SIZE);
  return TRUE;
}

void
hn_noise_symmetric_split (const HnNoiseSymmetric *self, guint8 first[32], guint8 second[32])
{
  hn_kdf (self->ck, NULL, 0, first, second, NULL);
}

void
hn_noise_symmetric_clear (HnNoiseSymmetric *self)
{
  hn_wipe (self, sizeof *self);
}
