/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hn-bytes.h"
#include "base/hn-error.h"
#include "path/hn-derp-codec.h"

/* The pairs of the WireGuard vectors: the client and the relay. */
#define CLIENT_PRIVATE "0002030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f60"
#define CLIENT_PUBLIC "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c"
#define SERVER_PRIVATE "4042434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60"
#define SERVER_PUBLIC "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466"
#define CLIENT_INFO                                                                                \
  "020000006807a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c000102030405060708"   \
  "090a0b0c0d0e0f1011121314151617adae4041b70fe715a2dcf63c8ac02df1e4e99f7e03896c0d8df02f11f38281e1" \
  "fd9e1b60e2040edd9003eadd2e2a72bf"

static void
from_hex (const char *text, guint8 *out, gsize len)
{
  g_assert_true (hn_hex_decode (text, strlen (text), out, len));
}

static void
test_client_info (void)
{
  HnNodePublic client;
  guint8 private_key[32], server[32], shared[32], nonce[HN_BOX_NONCE_SIZE];
  guint8 frame[HN_DERP_CLIENT_INFO_SIZE], expected[HN_DERP_CLIENT_INFO_SIZE];

  from_hex (CLIENT_PRIVATE, private_key, 32);
  from_hex (CLIENT_PUBLIC, client.bytes, 32);
  from_hex (SERVER_PUBLIC, server, 32);
  from_hex (CLIENT_INFO, expected, sizeof expected);
  for (guint i = 0; i < sizeof nonce; i++)
    nonce[i] = i;
  g_assert_true (hn_box_precompute (private_key, server, shared));
  g_assert_cmpuint (hn_derp_build_client_info (frame, &client, shared, nonce), ==, sizeof frame);
  g_assert_cmpmem (frame, sizeof frame, expected, sizeof expected);
}

static void
test_builders (void)
{
  const guint8 eight[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
  const guint8 ping[] = { 0x12, 0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8 };
  const guint8 preferred[] = { 0x07, 0, 0, 0, 1, 1 };
  HnNodePublic peer;
  guint8 out[64];

  g_assert_cmpmem (out, hn_derp_build_ping (out, HN_DERP_FRAME_PING, eight), ping, sizeof ping);
  g_assert_cmpmem (out, hn_derp_build_note_preferred (out, TRUE), preferred, sizeof preferred);
  hn_derp_build_note_preferred (out, FALSE);
  g_assert_cmpuint (out[5], ==, 0);

  memset (peer.bytes, 0xee, sizeof peer.bytes);
  hn_derp_build_packet_header (out, &peer, 0x1234);
  g_assert_cmpuint (out[0], ==, 4);
  g_assert_cmpuint (out[3], ==, 0x12);
  g_assert_cmpuint (out[4], ==, 0x34 + 32);
  g_assert_cmpmem (out + 5, 32, peer.bytes, 32);
}

/* Every cut of a stream of frames gives the same frames. */
static void
test_partial (void)
{
  guint8 stream[]
      = { 0x06, 0, 0, 0, 0, 0x14, 0, 0, 0, 2, 'h', 'i', 0x7f, 0, 0, 0, 1, 0xaa, 0x13, 0, 0, 0, 0 };
  const guint8 types[] = { 0x06, 0x14, 0x7f, 0x13 };

  for (gsize step = 1; step <= sizeof stream; step++)
    {
      HnDerpParser parser = { 0 };
      gsize start = 0, end = 0;
      guint n = 0;

      while (end < sizeof stream)
        {
          HnDerpFrame frame;
          HnDerpParseResult result;
          gsize consumed;

          end = MIN (end + step, sizeof stream);
          while ((result
                  = hn_derp_parser_next (&parser, stream + start, end - start, &consumed, &frame))
                 == HN_DERP_PARSE_FRAME)
            {
              g_assert_cmpuint (n, <, G_N_ELEMENTS (types));
              g_assert_cmpuint (frame.type, ==, types[n]);
              start += consumed;
              n++;
            }
          g_assert_cmpint (result, ==, HN_DERP_PARSE_MORE);
          start += consumed;
        }
      g_assert_cmpuint (n, ==, G_N_ELEMENTS (types));
      g_assert_cmpuint (start, ==, sizeof stream);
      g_assert_cmpuint (parser.frames, ==, 4);
    }
}

static void
test_oversize (void)
{
  /* One byte over what is kept: skipped over several calls, then a KeepAlive. */
  const gsize payload = HN_DERP_MAX_PAYLOAD + 1;
  g_autofree guint8 *data = g_malloc0 (HN_DERP_HEADER_SIZE + payload + HN_DERP_HEADER_SIZE);
  HnDerpParser parser = { 0 };
  HnDerpFrame frame;
  gsize consumed;

  data[0] = 0x05;
  data[1] = 0;
  data[2] = payload >> 16 & 0xff;
  data[3] = payload >> 8 & 0xff;
  data[4] = payload & 0xff;
  data[HN_DERP_HEADER_SIZE + payload] = 0x06;

  g_assert_cmpint (hn_derp_parser_next (&parser, data, 100, &consumed, &frame), ==,
                   HN_DERP_PARSE_MORE);
  g_assert_cmpuint (consumed, ==, 100);
  g_assert_cmpint (hn_derp_parser_next (&parser, data + 100, payload + 10 - 100, &consumed, &frame),
                   ==, HN_DERP_PARSE_FRAME);
  g_assert_cmpuint (consumed, ==, payload + 10 - 100);
  g_assert_cmpuint (frame.type, ==, 0x06);

  /* The longest that is kept is handed over. */
  data[4]--;
  parser.skip = 0;
  g_assert_cmpint (hn_derp_parser_next (&parser, data, 5 + payload - 1, &consumed, &frame), ==,
                   HN_DERP_PARSE_FRAME);
  g_assert_cmpuint (frame.len, ==, HN_DERP_MAX_PAYLOAD);

  /* One over the limit of all frames, known by its header alone. */
  data[1] = 0;
  data[2] = 0x10;
  data[3] = 0;
  data[4] = 1;
  g_assert_cmpint (hn_derp_parser_next (&parser, data, 5, &consumed, &frame), ==,
                   HN_DERP_PARSE_TOO_LARGE);
  data[4] = 0;
  g_assert_cmpint (hn_derp_parser_next (&parser, data, 5, &consumed, &frame), ==,
                   HN_DERP_PARSE_MORE);
}

static void
test_fields (void)
{
  guint8 key_frame[8 + 32 + 3] = { 'D', 'E', 'R', 'P', 0xf0, 0x9f, 0x94, 0x91, 7 };
  guint8 gone_frame[33] = { 9 };
  guint8 restart_frame[9] = { 0, 0, 1, 0, 0, 0, 0, 2, 0xff };
  guint8 health_frame[] = { ' ', 'b', 'a', 0xff, 'd', '\n', 'd', 'u', 'p' };
  guint8 packet_frame[34] = { 5 };
  HnDerpFrame frame = { HN_DERP_FRAME_SERVER_KEY, key_frame, sizeof key_frame };
  g_autofree char *text = NULL;
  g_autofree char *empty = NULL;
  HnNodePublic key;
  guint32 reconnect_ms, try_for_ms;
  guint8 *data;
  guint8 reason;
  gsize len;

  /* Longer than expected is fine, shorter or another magic is not. */
  g_assert_true (hn_derp_parse_server_key (&frame, &key));
  g_assert_cmpuint (key.bytes[0], ==, 7);
  frame.len = 39;
  g_assert_false (hn_derp_parse_server_key (&frame, &key));
  frame.len = 40;
  g_assert_true (hn_derp_parse_server_key (&frame, &key));
  key_frame[7]++;
  g_assert_false (hn_derp_parse_server_key (&frame, &key));

  frame = (HnDerpFrame){ HN_DERP_FRAME_PEER_GONE, gone_frame, 32 };
  g_assert_true (hn_derp_parse_peer_gone (&frame, &key, &reason));
  g_assert_cmpuint (reason, ==, 0);
  gone_frame[32] = 1;
  frame.len = 33;
  g_assert_true (hn_derp_parse_peer_gone (&frame, &key, &reason));
  g_assert_cmpuint (reason, ==, 1);
  frame.len = 31;
  g_assert_false (hn_derp_parse_peer_gone (&frame, &key, &reason));

  frame = (HnDerpFrame){ HN_DERP_FRAME_RESTARTING, restart_frame, 9 };
  g_assert_true (hn_derp_parse_restarting (&frame, &reconnect_ms, &try_for_ms));
  g_assert_cmpuint (reconnect_ms, ==, 256);
  g_assert_cmpuint (try_for_ms, ==, 2);
  frame.len = 7;
  g_assert_false (hn_derp_parse_restarting (&frame, &reconnect_ms, &try_for_ms));

  frame = (HnDerpFrame){ HN_DERP_FRAME_HEALTH, health_frame, sizeof health_frame };
  text = hn_derp_parse_health (&frame);
  g_assert_cmpstr (text, ==,
                   "ba\xef\xbf\xbd"
                   "d dup");
  frame.len = 0;
  empty = hn_derp_parse_health (&frame);
  g_assert_cmpstr (empty, ==, "");

  frame = (HnDerpFrame){ HN_DERP_FRAME_RECV_PACKET, packet_frame, 34 };
  g_assert_true (hn_derp_parse_packet (&frame, &key, &data, &len));
  g_assert_true (data == packet_frame + 32);
  g_assert_cmpuint (len, ==, 2);
  frame.len = 31;
  g_assert_false (hn_derp_parse_packet (&frame, &key, &data, &len));
}

static void
check_server_info (const char *json, gboolean expected, gint64 rate, gint64 burst)
{
  guint8 private_key[32], server[32], shared[32];
  guint8 payload[512] = { 0 };
  HnDerpFrame frame = { HN_DERP_FRAME_SERVER_INFO, payload, 24 + 16 + strlen (json) };
  HnDerpServerInfo info;
  g_autoptr (GError) error = NULL;
  gboolean ok;

  /* The relay computes the same key from the other halves. */
  from_hex (SERVER_PRIVATE, private_key, 32);
  from_hex (CLIENT_PUBLIC, server, 32);
  g_assert_true (hn_box_precompute (private_key, server, shared));
  hn_box_seal (shared, payload, json, strlen (json), payload + 24);

  from_hex (CLIENT_PRIVATE, private_key, 32);
  from_hex (SERVER_PUBLIC, server, 32);
  g_assert_true (hn_box_precompute (private_key, server, shared));
  ok = hn_derp_parse_server_info (&frame, shared, &info, &error);
  g_assert_cmpint (ok, ==, expected);
  if (!expected)
    {
      g_assert_error (error, HN_ERROR, HN_ERROR_PROTOCOL);
      return;
    }
  g_assert_no_error (error);
  g_assert_cmpint (info.bytes_per_second, ==, rate);
  g_assert_cmpint (info.bytes_burst, ==, burst);

  payload[30] ^= 1;
  g_assert_false (hn_derp_parse_server_info (&frame, shared, &info, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_PROTOCOL);
}

static void
test_server_info (void)
{
  check_server_info ("{\"version\":2}", TRUE, 0, 0);
  check_server_info ("{\"version\":2,\"TokenBucketBytesPerSecond\":1000,"
                     "\"TokenBucketBytesBurst\":2000,\"New\":{\"a\":[1]}}",
                     TRUE, 1000, 2000);
  check_server_info ("{\"version\":\"2\",\"TokenBucketBytesPerSecond\":-1}", TRUE, 0, 0);
  check_server_info ("{\"version\":2", FALSE, 0, 0);
  check_server_info ("[]", FALSE, 0, 0);
  check_server_info ("", FALSE, 0, 0);
}

static void
test_limiter (void)
{
  HnDerpLimiter limiter = { 0 };
  gint64 now_us = 1000;
  gsize burst = 100000;

  /* No limit before the relay named one, and with rate 0. */
  g_assert_true (hn_derp_limiter_take (&limiter, 1 << 30, now_us));
  hn_derp_limiter_init (&limiter, 0, 5, now_us);
  g_assert_true (hn_derp_limiter_take (&limiter, 1 << 30, now_us));

  hn_derp_limiter_init (&limiter, 1000, burst, now_us);
  g_assert_true (hn_derp_limiter_take (&limiter, burst, now_us));
  g_assert_false (hn_derp_limiter_take (&limiter, 1, now_us));
  /* A thousand bytes a second, however often one asks. */
  for (guint i = 0; i < 999; i++)
    g_assert_false (hn_derp_limiter_take (&limiter, 1000, now_us += 1000));
  g_assert_true (hn_derp_limiter_take (&limiter, 1000, now_us += 1000));
  /* A long rest fills it to the burst and no further; the clock may stand still. */
  now_us += G_GINT64_CONSTANT (1) << 50;
  g_assert_false (hn_derp_limiter_take (&limiter, burst + 1, now_us));
  g_assert_true (hn_derp_limiter_take (&limiter, burst, now_us));
  g_assert_false (hn_derp_limiter_take (&limiter, 1, now_us - 5000));

  /* Absurd figures neither overflow nor silence us. */
  hn_derp_limiter_init (&limiter, G_MAXINT64, G_MAXINT64, now_us);
  g_assert_true (hn_derp_limiter_take (&limiter, 1 << 30, now_us + G_USEC_PER_SEC));
  hn_derp_limiter_init (&limiter, 1, 1, now_us);
  g_assert_true (hn_derp_limiter_take (&limiter, HN_DERP_MAX_PACKET, now_us));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/path/derp-codec/client-info", test_client_info);
  g_test_add_func ("/path/derp-codec/builders", test_builders);
  g_test_add_func ("/path/derp-codec/partial", test_partial);
  g_test_add_func ("/path/derp-codec/oversize", test_oversize);
  g_test_add_func ("/path/derp-codec/fields", test_fields);
  g_test_add_func ("/path/derp-codec/server-info", test_server_info);
  g_test_add_func ("/path/derp-codec/limiter", test_limiter);
  return g_test_run ();
}
