/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TS2021 from the server: the first byte picks the answer to the handshake, the true answer with a
 * few bytes changed, records as they are, records sealed here (so that the opener's inside is
 * reached), or the early payload.
 */
#include <stdint.h>
#include <string.h>

#include "control/hn-noise-handshake.h"
#include "control/hn-noise-record.h"
#include "noise-responder.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* @who: another server each; a fuzzer sees what is compared, and learned a true answer so. */
static void
start_handshake (HnNoiseHandshake *handshake, guint8 who,
                 guint8 initiation[HN_NOISE_INITIATION_SIZE], guint8 server_private[32])
{
  static const HnMachinePrivate machine = { .bytes = { 8, 1, 2 } };
  static const guint8 ephemeral[32] = { 24, 5, 6 };
  HnMachinePrivate server = { .bytes = { 16, who, 4 } };
  HnMachinePublic server_public;

  hn_machine_private_get_public (&server, &server_public);
  memcpy (server_private, server.bytes, 32);
  g_assert (
      hn_noise_handshake_start (handshake, 130, &machine, &server_public, ephemeral, initiation));
}

static void
fuzz_answer (const uint8_t *data, size_t size)
{
  guint8 initiation[HN_NOISE_INITIATION_SIZE], server[32];
  g_autoptr (GError) error = NULL;
  HnNoiseHandshake handshake;
  HnNoiseKeys keys;
  gsize want;

  if (size < HN_NOISE_FRAME_HEADER)
    return;
  start_handshake (&handshake, 5, initiation, server);
  want = hn_noise_handshake_get_answer_size (data, NULL);
  g_assert (want <= HN_NOISE_ANSWER_MAX);
  /* Nobody guesses a tag. */
  g_assert (!hn_noise_handshake_finish (&handshake, data, MIN (want != 0 ? want : size, size),
                                        &keys, &error));
  g_assert (g_utf8_validate (error->message, -1, NULL));
}

/* Pairs of place and change; what is not the true answer any more must be refused. */
static void
fuzz_changed_answer (const uint8_t *data, size_t size)
{
  static const guint8 ephemeral[32] = { 32, 7, 8 };
  guint8 initiation[HN_NOISE_INITIATION_SIZE], server[32];
  guint8 response[HN_NOISE_RESPONSE_SIZE], changed[HN_NOISE_RESPONSE_SIZE];
  HnNoiseHandshake handshake;
  HnNoiseKeys theirs, ours;
  gboolean same;

  start_handshake (&handshake, 3, initiation, server);
  g_assert (noise_respond (initiation, server, ephemeral, response, &theirs));
  memcpy (changed, response, sizeof changed);
  for (; size >= 2; data += 2, size -= 2)
    changed[data[0] % sizeof changed] ^= data[1];
  /* X25519 ignores the highest bit of a point, but the hash of the handshake does not. */
  same = memcmp (changed, response, sizeof changed) == 0;
  g_assert (hn_noise_handshake_finish (&handshake, changed, sizeof changed, &ours, NULL) == same);
  g_assert (!same
            || (memcmp (ours.send, theirs.receive, 32) == 0
                && memcmp (ours.receive, theirs.send, 32) == 0));
}

static void
fuzz_records (const uint8_t *data, size_t size, gboolean sealed)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_autoptr (GByteArray) wire = g_byte_array_new ();
  static const guint8 key[32] = { 7 };
  HnNoiseSealer sealer;
  HnNoiseOpener opener;
  gsize cut = size / 3;

  hn_noise_opener_init (&opener, key);
  if (!sealed)
    {
      if (hn_noise_opener_feed (&opener, data, cut, out, NULL))
        hn_noise_opener_feed (&opener, data + cut, size - cut, out, NULL);
      return;
    }
  hn_noise_sealer_init (&sealer, key);
  hn_noise_sealer_seal (&sealer, data, size, wire);
  if (wire->len == 0)
    return;
  cut = wire->len / 3;
  g_assert (hn_noise_opener_feed (&opener, wire->data, cut, out, NULL));
  g_assert (hn_noise_opener_feed (&opener, wire->data + cut, wire->len - cut, out, NULL));
  g_assert (out->len == size && (size == 0 || memcmp (out->data, data, size) == 0));
}

static void
fuzz_early (const uint8_t *data, size_t size)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  HnNoiseEarly early = { 0 };
  gsize cut = size / 2;

  if (hn_noise_early_feed (&early, data, cut, out, NULL))
    hn_noise_early_feed (&early, data + cut, size - cut, out, NULL);
  g_assert (out->len <= size);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static gboolean ready;

  if (!ready)
    ready = hn_crypto_init (NULL);
  if (size < 1)
    return 0;
  switch (data[0] % 5)
    {
    case 0:
      fuzz_answer (data + 1, size - 1);
      break;
    case 1:
      fuzz_records (data + 1, size - 1, FALSE);
      break;
    case 2:
      fuzz_records (data + 1, size - 1, TRUE);
      break;
    case 3:
      fuzz_early (data + 1, size - 1);
      break;
    default:
      fuzz_changed_answer (data + 1, size - 1);
      break;
    }
  return 0;
}
