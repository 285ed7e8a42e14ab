/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TS2021's handshake and records without I/O, byte for byte by a computed vector of version 113. */
#include "control/hn-noise-handshake.h"
#include "control/hn-noise-record.h"

#include <string.h>

#include "base/hn-bytes.h"
#include "base/hn-error.h"
#include "noise-responder.h"

#define INITIATION                                                                                 \
  "0071010060358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254ad5b8febedeb97415be5" \
  "3612205e6bfab385e34cb127dd8854c4f9afb10f9b0e600b9f09df004acc34c72a234b0edfe512fde66660db25fa49" \
  "750fa07a714dc8"
#define HEADER_VALUE                                                                               \
  "AHEBAGA1gHLWNliA0a7qMprfkSE4OFHtIaKOO3XpZdDSzRZiVK1bj+vt65dBW+U2EiBea/qzheNMsSfdiFTE+a+xD5sOYA" \
  "ufCd8ASsw0xyojSw7f5RL95mZg2yX6SXUPoHpxTcg="
#define RESPONSE                                                                                   \
  "020030675dd574ed7789310b3d2e7681f3790b466c773b1521fecf36577958371ea52f04a855d028335246f01c17f3" \
  "ff44e121"
#define K1 "1ffa520b7b784b83355f4ca5754d333f51f53ff31d9d98f697c22e8f79b66e22"
#define K2 "1657d025486888648386e46e37e6722a42c605d3f1b0ec24454190a645355089"

static void
unhex (const char *text, guint8 *out, gsize len)
{
  g_assert_true (hn_hex_decode (text, strlen (text), out, len));
}

static void
count_up (guint8 key[32], guint8 from)
{
  for (guint i = 0; i < 32; i++)
    key[i] = (guint8) (from + i);
  key[0] &= 248;
  key[31] = (key[31] & 127) | 64;
}

static void
start (HnNoiseHandshake *handshake, guint8 initiation[HN_NOISE_INITIATION_SIZE])
{
  HnMachinePrivate machine;
  HnMachinePublic server;
  guint8 server_private[32], ephemeral[32];

  count_up (machine.bytes, 0x00);
  count_up (ephemeral, 0x20);
  count_up (server_private, 0x40);
  hn_x25519_base (server_private, server.bytes);
  g_assert_true (
      hn_noise_handshake_start (handshake, 113, &machine, &server, ephemeral, initiation));
}

static void
test_vector (void)
{
  guint8 initiation[HN_NOISE_INITIATION_SIZE], expected[HN_NOISE_INITIATION_SIZE];
  guint8 response[HN_NOISE_RESPONSE_SIZE], given[HN_NOISE_RESPONSE_SIZE];
  guint8 server_private[32], server_ephemeral[32], key[32];
  g_autofree char *header = NULL;
  g_autoptr (GError) error = NULL;
  HnNoiseHandshake handshake;
  HnNoiseKeys keys, theirs;

  start (&handshake, initiation);
  unhex (INITIATION, expected, sizeof expected);
  g_assert_cmpmem (initiation, sizeof initiation, expected, sizeof expected);
  header = g_base64_encode (initiation, sizeof initiation);
  g_assert_cmpstr (header, ==, HEADER_VALUE);

  count_up (server_private, 0x40);
  count_up (server_ephemeral, 0x60);
  g_assert_true (noise_respond (initiation, server_private, server_ephemeral, response, &theirs));
  unhex (RESPONSE, given, sizeof given);
  g_assert_cmpmem (response, sizeof response, given, sizeof given);

  g_assert_cmpuint (hn_noise_handshake_get_answer_size (given, &error), ==, sizeof given);
  g_assert_true (hn_noise_handshake_finish (&handshake, given, sizeof given, &keys, &error));
  g_assert_no_error (error);
  unhex (K1, key, sizeof key);
  g_assert_cmpmem (keys.send, 32, key, 32);
  g_assert_cmpmem (theirs.receive, 32, key, 32);
  unhex (K2, key, sizeof key);
  g_assert_cmpmem (keys.receive, 32, key, 32);
  g_assert_cmpmem (theirs.send, 32, key, 32);
  /* nothing secret stays */
  for (gsize i = 0; i < sizeof handshake.ephemeral; i++)
    g_assert_cmpuint (handshake.ephemeral[i] | handshake.machine[i], ==, 0);
}

static void
expect_refusal (const guint8 *answer, gsize len, int code, const char *part)
{
  guint8 initiation[HN_NOISE_INITIATION_SIZE];
  g_autoptr (GError) error = NULL;
  HnNoiseHandshake handshake;
  HnNoiseKeys keys;

  start (&handshake, initiation);
  g_assert_false (hn_noise_handshake_finish (&handshake, answer, len, &keys, &error));
  g_assert_error (error, HN_ERROR, code);
  if (part != NULL)
    g_assert_nonnull (strstr (error->message, part));
}

static void
test_bad_answers (void)
{
  guint8 response[HN_NOISE_RESPONSE_SIZE], long_error[4096];
  static const guint8 bad_length[] = { 2, 0, 47 }, bad_type[] = { 4, 0, 48 };
  g_autoptr (GError) error = NULL;

  /* every bit of it counts */
  for (gsize bit = 8; bit < 8 * sizeof response; bit++)
    {
      unhex (RESPONSE, response, sizeof response);
      response[bit / 8] ^= (guint8) (1 << (bit % 8));
      /* X25519 ignores the highest bit of a public key, but the hash does not. */
      expect_refusal (response, sizeof response, HN_ERROR_PROTOCOL, NULL);
    }
  unhex (RESPONSE, response, sizeof response);
  expect_refusal (response, sizeof response - 1, HN_ERROR_PROTOCOL, NULL);
  memset (response + 3, 0, 32); /* a point of small order */
  expect_refusal (response, sizeof response, HN_ERROR_PROTOCOL, NULL);

  expect_refusal ((const guint8 *) "\003\000\013too\033[31mold", 14, HN_ERROR_SERVER_REFUSED,
                  "too [31mold");
  expect_refusal ((const guint8 *) "\003\000\000", 3, HN_ERROR_SERVER_REFUSED, "no reason");
  expect_refusal ((const guint8 *) "\003\000\002\xff\xfe", 5, HN_ERROR_SERVER_REFUSED, NULL);
  memset (long_error, 'x', sizeof long_error);
  memcpy (long_error, "\003\x0f\xfd", 3);
  expect_refusal (long_error, sizeof long_error, HN_ERROR_SERVER_REFUSED, "xxx");
  g_assert_cmpuint (hn_noise_handshake_get_answer_size ((const guint8 *) "\003\x0f\xfe", &error),
                    ==, 0);
  g_clear_error (&error);
  g_assert_cmpuint (hn_noise_handshake_get_answer_size (bad_length, &error), ==, 0);
  g_clear_error (&error);
  g_assert_cmpuint (hn_noise_handshake_get_answer_size (bad_type, &error), ==, 0);
}

static void
test_bad_server_key (void)
{
  guint8 initiation[HN_NOISE_INITIATION_SIZE];
  HnNoiseHandshake handshake;
  HnMachinePrivate machine;
  HnMachinePublic zero = { 0 };

  hn_machine_private_generate (&machine);
  g_assert_false (hn_noise_handshake_start (&handshake, 130, &machine, &zero, NULL, initiation));
}

static void
expect_record (HnNoiseSealer *sealer, const char *plain, const char *hex)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  guint8 expected[64];

  unhex (hex, expected, strlen (hex) / 2);
  hn_noise_sealer_seal (sealer, (const guint8 *) plain, strlen (plain), out);
  g_assert_cmpmem (out->data, out->len, expected, strlen (hex) / 2);
}

static void
test_record_vector (void)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  g_autoptr (GError) error = NULL;
  guint8 key[32], record[64];
  HnNoiseSealer sealer;
  HnNoiseOpener opener;

  unhex (K1, key, sizeof key);
  hn_noise_sealer_init (&sealer, key);
  expect_record (&sealer, "client>server",
                 "04001dd710219d13696754e96129b1ae6275976f2d5c829093dcfc1cff38a8de");
  expect_record (&sealer, "client>server",
                 "04001dd93d0fd8e58bad0c1ef473bed7b088e6a4cb5a9732edc1715180ab2b5e");

  unhex (K2, key, sizeof key);
  hn_noise_opener_init (&opener, key);
  unhex ("04001d1b90995528a48938882f68ac1512e1a9e1292433d81150bd7eb7b564d8", record, 32);
  g_assert_true (hn_noise_opener_feed (&opener, record, 32, plain, &error));
  g_assert_cmpmem (plain->data, plain->len, "server>client", 13);
  /* a counter of two bytes, and an empty record */
  opener.counter = 258;
  g_byte_array_set_size (plain, 0);
  unhex ("040010ad8c09f2d61cb3a515cd11edc31edb73", record, 19);
  g_assert_true (hn_noise_opener_feed (&opener, record, 19, plain, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (plain->len, ==, 0);
  g_assert_true (hn_noise_opener_is_idle (&opener));
}

static void
test_record_sizes (void)
{
  static const gsize sizes[] = { 0, 1, 4076, 4077, 4078, 8154, 8155, 100000 };
  guint8 key[32] = { 1 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GByteArray) sealed = g_byte_array_new ();
      g_autoptr (GByteArray) opened = g_byte_array_new ();
      g_autofree guint8 *plain = g_malloc (sizes[i] + 1);
      gsize records = (sizes[i] + 4076) / 4077;
      HnNoiseSealer sealer;
      HnNoiseOpener opener;

      for (gsize n = 0; n < sizes[i]; n++)
        plain[n] = (guint8) (n * 7);
      hn_noise_sealer_init (&sealer, key);
      hn_noise_opener_init (&opener, key);
      hn_noise_sealer_seal (&sealer, plain, sizes[i], sealed);
      g_assert_cmpuint (sealed->len, ==, sizes[i] + records * HN_NOISE_RECORD_OVERHEAD);
      g_assert_cmpuint (sealer.counter, ==, records);
      /* in pieces of odd lengths */
      for (gsize at = 0, piece = 1; at < sealed->len; at += piece, piece = piece * 3 % 5000 + 1)
        g_assert_true (hn_noise_opener_feed (&opener, sealed->data + at,
                                             MIN (piece, sealed->len - at), opened, NULL));
      g_assert_cmpmem (opened->data, opened->len, plain, sizes[i]);
      g_assert_true (hn_noise_opener_is_idle (&opener));
    }
}

static void
expect_broken (const guint8 *data, gsize len)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_autoptr (GError) error = NULL;
  guint8 key[32] = { 1 };
  HnNoiseOpener opener;

  hn_noise_opener_init (&opener, key);
  g_assert_false (hn_noise_opener_feed (&opener, data, len, out, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_PROTOCOL);
  g_assert_cmpuint (out->len, ==, 0);
  g_clear_error (&error);
  /* and so it stays */
  g_assert_false (hn_noise_opener_feed (&opener, data, 0, out, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_PROTOCOL);
}

static void
test_record_broken (void)
{
  g_autoptr (GByteArray) sealed = g_byte_array_new ();
  guint8 key[32] = { 1 };
  HnNoiseSealer sealer;

  expect_broken ((const guint8 *) "\004\x0f\xfe", 3); /* one more than fits */
  expect_broken ((const guint8 *) "\004\xff\xff", 3);
  expect_broken ((const guint8 *) "\004\000\017", 3); /* shorter than a tag */
  expect_broken ((const guint8 *) "\005\000\020", 3);
  expect_broken ((const guint8 *) "\002\000\060", 3);
  hn_noise_sealer_init (&sealer, key);
  hn_noise_sealer_seal (&sealer, (const guint8 *) "hello", 5, sealed);
  for (gsize i = 3; i < sealed->len; i++)
    {
      sealed->data[i] ^= 0x10;
      expect_broken (sealed->data, sealed->len);
      sealed->data[i] ^= 0x10;
    }
  /* the second of two, played again */
  g_byte_array_set_size (sealed, 0);
  hn_noise_sealer_seal (&sealer, (const guint8 *) "hello", 5, sealed);
  expect_broken (sealed->data, sealed->len);
}

static void
expect_early (const guint8 *data, gsize len, const guint8 *rest, gsize rest_len)
{
  for (gsize cut = 0; cut <= len; cut++)
    {
      g_autoptr (GByteArray) out = g_byte_array_new ();
      HnNoiseEarly early = { 0 };

      g_assert_true (hn_noise_early_feed (&early, data, cut, out, NULL));
      g_assert_true (hn_noise_early_feed (&early, data + cut, len - cut, out, NULL));
      g_assert_cmpmem (out->data, out->len, rest, rest_len);
    }
}

static void
test_early (void)
{
  static const guint8 settings[] = { 0, 0, 0, 4, 0, 0, 0, 0, 0, 'x', 'y' };
  static const guint8 with[]
      = { 0xff, 0xff, 0xff, 'T', 'S', 0, 0, 0, 4, '{', ' ', ' ', '}', 0, 0, 0, 4 };
  static const guint8 empty[] = { 0xff, 0xff, 0xff, 'T', 'S', 0, 0, 0, 0, 'z' };
  static const guint8 odd[] = { 0xff, 0xff, 0xff, 'T', 'X', 1 };
  static const guint8 large[] = { 0xff, 0xff, 0xff, 'T', 'S', 0, 1, 0, 1 };
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_autoptr (GError) error = NULL;
  HnNoiseEarly early = { 0 };

  expect_early (settings, sizeof settings, settings, sizeof settings);
  expect_early (with, sizeof with, with + 13, 4);
  expect_early (empty, sizeof empty, empty + 9, 1);
  expect_early (odd, sizeof odd, odd, sizeof odd);
  g_assert_false (hn_noise_early_feed (&early, large, sizeof large, out, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_PROTOCOL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/control/noise/vector", test_vector);
  g_test_add_func ("/control/noise/bad-answers", test_bad_answers);
  g_test_add_func ("/control/noise/bad-server-key", test_bad_server_key);
  g_test_add_func ("/control/noise/record/vector", test_record_vector);
  g_test_add_func ("/control/noise/record/sizes", test_record_sizes);
  g_test_add_func ("/control/noise/record/broken", test_record_broken);
  g_test_add_func ("/control/noise/early", test_early);
  return g_test_run ();
}
