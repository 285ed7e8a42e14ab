/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "noise-responder.h"

#include <string.h>

gboolean
noise_respond (const guint8 initiation[HN_NOISE_INITIATION_SIZE], const guint8 server_private[32],
               const guint8 *ephemeral, guint8 response[HN_NOISE_RESPONSE_SIZE], HnNoiseKeys *keys)
{
  guint version = ((guint) initiation[0] << 8) | initiation[1];
  g_autofree char *prologue = g_strdup_printf ("Tailscale Control Protocol v%u", version);
  guint8 server_public[32], machine[32], own[32], nothing[1];
  HnNoiseSymmetric symmetric;

  hn_x25519_base (server_private, server_public);
  hn_noise_symmetric_init (&symmetric, "Noise_IK_25519_ChaChaPoly_BLAKE2s");
  hn_noise_symmetric_mix_hash (&symmetric, prologue, strlen (prologue));
  hn_noise_symmetric_mix_hash (&symmetric, server_public, 32);
  hn_noise_symmetric_mix_hash (&symmetric, initiation + 5, 32);
  if (initiation[2] != 1 || initiation[3] != 0 || initiation[4] != 96
      || !hn_noise_symmetric_mix_dh (&symmetric, server_private, initiation + 5)
      || !hn_noise_symmetric_open (&symmetric, initiation + 37, 48, machine)
      || !hn_noise_symmetric_mix_dh (&symmetric, server_private, machine)
      || !hn_noise_symmetric_open (&symmetric, initiation + 85, 16, nothing))
    return FALSE;

  if (ephemeral != NULL)
    memcpy (own, ephemeral, sizeof own);
  else
    hn_x25519_generate (own);
  response[0] = 2;
  response[1] = 0;
  response[2] = 48;
  hn_x25519_base (own, response + 3);
  hn_noise_symmetric_mix_hash (&symmetric, response + 3, 32);
  if (!hn_noise_symmetric_mix_dh (&symmetric, own, initiation + 5)
      || !hn_noise_symmetric_mix_dh (&symmetric, own, machine))
    return FALSE;
  hn_noise_symmetric_seal (&symmetric, "", 0, response + 35);
  hn_noise_symmetric_split (&symmetric, keys->receive, keys->send);
  hn_noise_symmetric_clear (&symmetric);
  return TRUE;
}
