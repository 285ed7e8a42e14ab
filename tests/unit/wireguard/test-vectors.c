/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pure parts against published bytes, and their behaviour at the edges. */
#include <string.h>

#include "base/hn-bytes.h"
#include "hn-test-wg-vectors.h"
#include "wireguard/hn-wg-allowed.h"
#include "wireguard/hn-wg-cookie.h"
#include "wireguard/hn-wg-index.h"
#include "wireguard/hn-wg-limiter.h"
#include "wireguard/hn-wg-session.h"

static const guint8 no_psk[32];

static void
unhex (const char *text, guint8 *out, gsize len)
{
  g_assert_true (hn_hex_decode (text, strlen (text), out, len));
}

static void
assert_hex (const guint8 *data, gsize len, const char *expected)
{
  g_autofree char *text = g_malloc (2 * len + 1);

  hn_hex_encode (data, len, text);
  g_assert_cmpstr (text, ==, expected);
}

typedef struct
{
  guint8 si[32], sr[32], ei[32], er[32];
  guint8 si_public[32], sr_public[32];
  guint8 secret[32];
  guint8 stamp[12];
  HnWgHandshake handshake;
  guint8 initiation[HN_WG_INITIATION_SIZE];
} Fixture;

static void
setup (Fixture *f, gconstpointer data)
{
  HnWgCookieSigner signer;

  unhex (VECTOR_SI_PRIVATE, f->si, 32);
  unhex (VECTOR_SR_PRIVATE, f->sr, 32);
  unhex (VECTOR_EI_PRIVATE, f->ei, 32);
  unhex (VECTOR_ER_PRIVATE, f->er, 32);
  unhex ("400000006a0000000c000000", f->stamp, 12);
  hn_x25519_base (f->si, f->si_public);
  hn_x25519_base (f->sr, f->sr_public);
  g_assert_true (hn_x25519 (f->si, f->sr_public, f->secret));
  g_assert_true (hn_wg_handshake_create_initiation (&f->handshake, f->si_public, f->sr_public,
                                                    f->secret, f->ei, 0x11223344, f->stamp,
                                                    f->initiation));
  hn_wg_cookie_signer_init (&signer, f->sr_public);
  hn_wg_cookie_signer_sign (&signer, f->initiation, sizeof f->initiation, 0);
}

static void
test_public_keys (Fixture *f, gconstpointer data)
{
  guint8 key[32];

  assert_hex (f->si_public, 32, VECTOR_SI_PUBLIC);
  assert_hex (f->sr_public, 32, VECTOR_SR_PUBLIC);
  hn_x25519_base (f->ei, key);
  assert_hex (key, 32, VECTOR_EI_PUBLIC);
  hn_x25519_base (f->er, key);
  assert_hex (key, 32, VECTOR_ER_PUBLIC);
}

/* The rows of wireguard-go's device/kdf_test.go. */
static void
test_kdf (Fixture *f, gconstpointer data)
{
  static const char *rows[][5] = {
    { "test-key", "test-input", "6f0e5ad38daba1bea8a0d213688736f19763239305e0f58aba697f9ffc41c633",
      "df1194df20802a4fe594cde27e92991c8cae66c366e8106aaa937a55fa371e8a",
      "fac6e2745a325f5dc5d11a5b165aad08b0ada28e7b4e666b7c077934a4d76c24" },
    { "wireguard", "wireguard", "491d43bbfdaa8750aaf535e334ecbfe5129967cd64635101c566d4caefda96e8",
      "1e71a379baefd8a79aa4662212fcafe19a23e2b609a3db7d6bcba8f560e3d25f",
      "31e1ae48bddfbe5de38f295e5452b1909a1b4e38e183926af3780b0c1e1f0160" },
    { "", "", "8387b46bf43eccfcf349552a095d8315c4055beb90208fb1be23b894bc2ed5d0",
      "58a0e5f6faefccf4807bff1f05fa8a9217945762040bcec2f4b4a62bdfe0e86e",
      "0ce6ea98ec548f8e281e93e32db65621c45eb18dc6f0a7ad94178610a2f7338e" },
  };

  /* HMAC pads its key with zeros, so a shorter key and its padded form are the same. */
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      guint8 chain[32] = { 0 };
      guint8 out[3][32];

      memcpy (chain, rows[i][0], strlen (rows[i][0]));
      hn_kdf (chain, rows[i][1], strlen (rows[i][1]), out[0], out[1], out[2]);
      for (guint j = 0; j < 3; j++)
        assert_hex (out[j], 32, rows[i][2 + j]);
    }
}

static void
test_initiation (Fixture *f, gconstpointer data)
{
  HnNoiseSymmetric noise;
  HnWgIncoming in = { 0 };

  hn_noise_symmetric_init (&noise, "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s");
  assert_hex (noise.ck, 32, VECTOR_INITIAL_C);
  hn_noise_symmetric_mix_hash (&noise, "WireGuard v1 zx2c4 Jason@zx2c4.com", 34);
  assert_hex (noise.h, 32, VECTOR_INITIAL_H);

  assert_hex (f->initiation, sizeof f->initiation, VECTOR_INITIATION);
  assert_hex (f->handshake.noise.ck, 32, VECTOR_C_INITIATION);
  assert_hex (f->handshake.noise.h, 32, VECTOR_H_INITIATION);
  assert_hex (f->handshake.noise.k, 32, VECTOR_KEY_STAMP);

  g_assert_true (hn_wg_incoming_open_static (&in, f->sr, f->sr_public, f->initiation));
  assert_hex (in.noise.k, 32, VECTOR_KEY_STATIC);
  assert_hex (in.remote_static, 32, VECTOR_SI_PUBLIC);
  g_assert_true (hn_wg_incoming_open_stamp (&in, f->secret, f->initiation));
  g_assert_cmpmem (in.stamp, 12, f->stamp, 12);
  g_assert_cmpuint (in.remote_index, ==, 0x11223344);
  assert_hex (in.noise.ck, 32, VECTOR_C_INITIATION);
  assert_hex (in.noise.h, 32, VECTOR_H_INITIATION);
}

static void
answer (Fixture *f, const guint8 psk[32], guint8 msg[HN_WG_RESPONSE_SIZE], HnWgKeys *keys,
        HnWgIncoming *in)
{
  HnWgCookieSigner signer;

  g_assert_true (hn_wg_incoming_open_static (in, f->sr, f->sr_public, f->initiation));
  g_assert_true (hn_wg_incoming_open_stamp (in, f->secret, f->initiation));
  g_assert_true (hn_wg_incoming_respond (in, psk, f->er, 0x55667788, msg, keys));
  hn_wg_cookie_signer_init (&signer, f->si_public);
  hn_wg_cookie_signer_sign (&signer, msg, HN_WG_RESPONSE_SIZE, 0);
}

static void
test_response (Fixture *f, gconstpointer data)
{
  guint8 msg[HN_WG_RESPONSE_SIZE];
  HnWgIncoming in = { 0 };
  HnWgKeys r, i;

  answer (f, no_psk, msg, &r, &in);
  assert_hex (msg, sizeof msg, VECTOR_RESPONSE);
  assert_hex (in.noise.h, 32, VECTOR_H_RESPONSE);
  assert_hex (in.noise.ck, 32, VECTOR_C_RESPONSE);
  assert_hex (r.receive, 32, VECTOR_KEY_IR);
  assert_hex (r.send, 32, VECTOR_KEY_RI);
  g_assert_true (hn_wg_handshake_consume_response (&f->handshake, f->si, no_psk, msg, &i));
  assert_hex (i.send, 32, VECTOR_KEY_IR);
  assert_hex (i.receive, 32, VECTOR_KEY_RI);

  hn_wg_incoming_clear (&in);
  g_assert_true (in.remote_index == 0);
}

static void
test_response_psk (Fixture *f, gconstpointer data)
{
  guint8 msg[HN_WG_RESPONSE_SIZE];
  guint8 psk[32];
  HnWgIncoming in = { 0 };
  HnWgKeys r, i;

  for (guint n = 0; n < 32; n++)
    psk[n] = (guint8) n;
  answer (f, psk, msg, &r, &in);
  assert_hex (msg, sizeof msg, VECTOR_PSK_RESPONSE);
  assert_hex (r.receive, 32, VECTOR_PSK_KEY_IR);
  assert_hex (r.send, 32, VECTOR_PSK_KEY_RI);
  g_assert_false (hn_wg_handshake_consume_response (&f->handshake, f->si, no_psk, msg, &i));
  g_assert_true (hn_wg_handshake_consume_response (&f->handshake, f->si, psk, msg, &i));
  assert_hex (i.send, 32, VECTOR_PSK_KEY_IR);
}

/* No bit of a handshake message may change unnoticed (the MACs aside, which are not its business),
 * and a failed response must not spoil the handshake. */
static void
test_tampered (Fixture *f, gconstpointer data)
{
  guint8 msg[HN_WG_RESPONSE_SIZE];
  HnWgIncoming in = { 0 };
  HnWgKeys keys;

  answer (f, no_psk, msg, &keys, &in);
  for (gsize at = 0; at < sizeof msg - 32; at += 3)
    {
      /* The sender's index is not part of the transcript, and the top bit of a key is ignored. */
      if (at >= 4 && at < 8)
        continue;
      msg[at] ^= 1;
      g_assert_false (hn_wg_handshake_consume_response (&f->handshake, f->si, no_psk, msg, &keys));
      msg[at] ^= 1;
    }
  g_assert_true (hn_wg_handshake_consume_response (&f->handshake, f->si, no_psk, msg, &keys));

  for (gsize at = 8; at < sizeof f->initiation - 32; at += 5)
    {
      HnWgIncoming bad = { 0 };

      f->initiation[at] ^= 1;
      g_assert_false (hn_wg_incoming_open_static (&bad, f->sr, f->sr_public, f->initiation)
                      && hn_wg_incoming_open_stamp (&bad, f->secret, f->initiation));
      f->initiation[at] ^= 1;
    }
  /* An ephemeral key of low order. */
  memset (f->initiation + 8, 0, 32);
  g_assert_false (hn_wg_incoming_open_static (&in, f->sr, f->sr_public, f->initiation));
  hn_wg_handshake_clear (&f->handshake);
  g_assert_false (hn_wg_handshake_consume_response (&f->handshake, f->si, no_psk, msg, &keys));
}

static void
test_transport (Fixture *f, gconstpointer data)
{
  guint8 buffer[64] = { 0 };
  guint8 bad[64];
  guint8 plain[16] = { 0, 1, 2, 3, 4 };
  HnWgKeys i, r;
  HnWgSession *initiator, *responder;

  unhex (VECTOR_KEY_IR, i.send, 32);
  unhex (VECTOR_KEY_RI, i.receive, 32);
  memcpy (r.send, i.receive, 32);
  memcpy (r.receive, i.send, 32);
  initiator = hn_wg_session_new (&i, 0x11223344, 0x55667788, TRUE, 0);
  responder = hn_wg_session_new (&r, 0x55667788, 0x11223344, FALSE, 0);

  g_assert_cmpuint (hn_wg_session_seal (initiator, buffer + 16, 0), ==, 32);
  assert_hex (buffer, 32, VECTOR_KEEPALIVE);
  g_assert_cmpint (hn_wg_session_open (responder, buffer, 32, 1), ==, HN_WG_OPEN_OK);
  g_assert_cmpint (hn_wg_session_open (responder, buffer, 32, 1), ==, HN_WG_OPEN_REPLAYED);

  responder->send_counter = 1;
  memcpy (buffer + 16, plain, 16);
  g_assert_cmpuint (hn_wg_session_seal (responder, buffer + 16, 16), ==, 48);
  assert_hex (buffer, 48, VECTOR_DATA_RI);
  /* What is opened in place is gone when it fails. */
  memcpy (bad, buffer, sizeof bad);
  bad[40] ^= 1;
  g_assert_cmpint (hn_wg_session_open (initiator, bad, 48, 1), ==, HN_WG_OPEN_BAD_TAG);
  g_assert_cmpint (hn_wg_session_open (initiator, buffer, 48, HN_WG_REJECT_AFTER_US + 1), ==,
                   HN_WG_OPEN_STALE);
  g_assert_cmpint (hn_wg_session_open (initiator, buffer, 48, HN_WG_REJECT_AFTER_US), ==,
                   HN_WG_OPEN_OK);
  g_assert_cmpmem (buffer + 16, 16, plain, 16);

  g_assert_true (hn_wg_session_is_usable (initiator, HN_WG_REJECT_AFTER_US - 1));
  g_assert_false (hn_wg_session_is_usable (initiator, HN_WG_REJECT_AFTER_US));
  initiator->send_counter = HN_WG_REJECT_AFTER_MESSAGES;
  g_assert_false (hn_wg_session_is_usable (initiator, 0));
  g_assert_cmpuint (HN_WG_REJECT_AFTER_MESSAGES, ==, G_GUINT64_CONSTANT (0xffffffffffffdfff));
  hn_wg_put_le64 (buffer + 8, HN_WG_REJECT_AFTER_MESSAGES);
  g_assert_cmpint (hn_wg_session_open (responder, buffer, 48, 1), ==, HN_WG_OPEN_REPLAYED);
  hn_wg_session_free (initiator);
  hn_wg_session_free (responder);
}

static void
test_cookie (Fixture *f, gconstpointer data)
{
  guint8 source[6], nonce[24], reply[HN_WG_COOKIE_SIZE], cookie[16];
  HnWgCookieChecker checker;
  HnWgCookieSigner signer;
  gint64 now = 1000;

  unhex ("c0000207a9a2", source, 6);
  for (guint i = 0; i < 24; i++)
    nonce[i] = (guint8) i;
  hn_wg_cookie_checker_init (&checker, f->sr_public);
  for (guint i = 0; i < 32; i++)
    checker.secret[i] = (guint8) (0xa0 + i);
  checker.secret_us = now;
  assert_hex (checker.mac1_key, 32, VECTOR_MAC1_KEY_SR);
  assert_hex (checker.cookie_key, 32, VECTOR_COOKIE_KEY_SR);
  hn_mac (checker.secret, 32, source, sizeof source, cookie);
  assert_hex (cookie, 16, VECTOR_COOKIE);

  assert_hex (f->initiation + 116, 16, VECTOR_MAC1);
  g_assert_true (hn_wg_cookie_checker_check_mac1 (&checker, f->initiation, 148));
  g_assert_false (hn_wg_cookie_checker_check_mac2 (&checker, f->initiation, 148, source, 6, now));
  hn_wg_cookie_checker_create_reply (&checker, f->initiation, 148, source, 6, nonce, now, reply);
  assert_hex (reply, sizeof reply, VECTOR_COOKIE_REPLY);

  hn_wg_cookie_signer_init (&signer, f->sr_public);
  g_assert_false (hn_wg_cookie_signer_consume_reply (&signer, reply, now));
  hn_wg_cookie_signer_sign (&signer, f->initiation, 148, now);
  reply[40] ^= 1;
  g_assert_false (hn_wg_cookie_signer_consume_reply (&signer, reply, now));
  reply[40] ^= 1;
  g_assert_true (hn_wg_cookie_signer_consume_reply (&signer, reply, now));
  hn_wg_cookie_signer_sign (&signer, f->initiation, 148, now);
  assert_hex (f->initiation + 132, 16, VECTOR_MAC2);
  g_assert_true (hn_wg_cookie_checker_check_mac2 (&checker, f->initiation, 148, source, 6, now));
  source[5] ^= 1;
  g_assert_false (hn_wg_cookie_checker_check_mac2 (&checker, f->initiation, 148, source, 6, now));
  source[5] ^= 1;

  /* Both sides forget after 120 s. */
  g_assert_false (hn_wg_cookie_checker_check_mac2 (&checker, f->initiation, 148, source, 6,
                                                   now + HN_WG_COOKIE_FRESH_US + 1));
  hn_wg_cookie_signer_sign (&signer, f->initiation, 148, now + HN_WG_COOKIE_FRESH_US);
  assert_hex (f->initiation + 132, 16, "00000000000000000000000000000000");
  f->initiation[0] ^= 2;
  g_assert_false (hn_wg_cookie_checker_check_mac1 (&checker, f->initiation, 148));
}

static void
test_stamp (void)
{
  guint8 a[12], b[12];

  hn_wg_stamp_from_wall (0, a);
  assert_hex (a, 12, "400000000000000a00000000");
  hn_wg_stamp_from_wall (-5, a);
  assert_hex (a, 12, "400000000000000a00000000");
  hn_wg_stamp_from_wall (G_GINT64_CONSTANT (1700000000123456), a);
  /* 123456000 ns = 0x75bca00 */
  assert_hex (a, 12, "400000006553f10a07000000");
  memcpy (b, a, 12);
  hn_wg_stamp_increment (b);
  assert_hex (b, 12, "400000006553f10a08000000");
  for (guint i = 0; i < 200; i++)
    {
      memcpy (a, b, 12);
      hn_wg_stamp_increment (b);
      g_assert_cmpint (memcmp (b, a, 12), >, 0);
      g_assert_cmpuint (b[8], <, 0x3c);
    }
}

static void
test_replay (void)
{
  HnWgReplay window = { 0 };
  const guint64 size = HN_WG_REPLAY_WINDOW;
  const guint64 last = HN_WG_REJECT_AFTER_MESSAGES;

  g_assert_true (hn_wg_replay_accept (&window, 0));
  g_assert_false (hn_wg_replay_accept (&window, 0));
  g_assert_true (hn_wg_replay_accept (&window, 1));
  g_assert_true (hn_wg_replay_accept (&window, 9));
  g_assert_true (hn_wg_replay_accept (&window, 8));
  g_assert_false (hn_wg_replay_accept (&window, 9));
  g_assert_true (hn_wg_replay_accept (&window, size));
  g_assert_true (hn_wg_replay_accept (&window, 2));
  g_assert_true (hn_wg_replay_accept (&window, size + 3));
  g_assert_false (hn_wg_replay_accept (&window, 2));
  g_assert_true (hn_wg_replay_accept (&window, 3));
  g_assert_false (hn_wg_replay_accept (&window, 3));

  /* A jump over the whole ring clears it, so no old bit is taken for a new packet. */
  g_assert_true (hn_wg_replay_accept (&window, 50 * size));
  for (guint64 i = 1; i <= size; i++)
    g_assert_true (hn_wg_replay_accept (&window, 50 * size - i));
  for (guint64 i = 0; i <= size; i++)
    g_assert_false (hn_wg_replay_accept (&window, 50 * size - i));
  g_assert_false (hn_wg_replay_accept (&window, 49 * size - 1));

  g_assert_true (hn_wg_replay_accept (&window, last));
  g_assert_true (hn_wg_replay_accept (&window, last - 1));
  g_assert_false (hn_wg_replay_accept (&window, last));
  g_assert_false (hn_wg_replay_accept (&window, 0));
}

/* Against the plainest possible window. */
static void
test_replay_random (void)
{
  HnWgReplay window = { 0 };
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  guint64 last = 0;

  for (guint i = 0; i < 40000; i++)
    {
      guint64 step = (guint64) g_test_rand_int_range (0, 9000);
      guint64 counter = g_test_rand_int_range (0, 4) == 0 ? last + step / 4
                        : last > step                     ? last - step
                                                          : step;
      gboolean fresh = (counter > last || last - counter <= HN_WG_REPLAY_WINDOW)
                       && !g_hash_table_contains (seen, &counter);

      g_assert_cmpint (hn_wg_replay_accept (&window, counter), ==, fresh);
      if (fresh)
        g_hash_table_add (seen, g_memdup2 (&counter, sizeof counter));
      last = MAX (last, counter);
    }
}

static void
test_padding (void)
{
  g_assert_cmpuint (hn_wg_padding (0, 1280), ==, 0);
  g_assert_cmpuint (hn_wg_padding (1, 1280), ==, 15);
  g_assert_cmpuint (hn_wg_padding (16, 1280), ==, 0);
  g_assert_cmpuint (hn_wg_padding (1280, 1280), ==, 0);
  g_assert_cmpuint (hn_wg_padding (1419, 1420), ==, 1);
  g_assert_cmpuint (hn_wg_padding (1420, 1420), ==, 0);
  g_assert_cmpuint (hn_wg_padding (1415, 1420), ==, 5);
  g_assert_cmpuint (hn_wg_padding (1421, 1420), ==, 15);
  g_assert_cmpuint (hn_wg_padding (33, 0), ==, 15);
  for (gsize mtu = 0; mtu < 70; mtu++)
    for (gsize len = 0; len < 300; len++)
      g_assert_cmpuint (hn_wg_padding (len, mtu), <=, 15);
}

static void
test_index (void)
{
  HnWgIndexTable table = { 0 };
  g_autoptr (GArray) present = g_array_new (FALSE, FALSE, sizeof (guint32));
  HnWgPeer *peer = GSIZE_TO_POINTER (16); /* never looked into */

  g_assert_null (hn_wg_index_table_get (&table, 7));
  hn_wg_index_table_remove (&table, 7);
  for (guint round = 0; round < 20000; round++)
    {
      gboolean grow = (round / 3000) % 2 == 0;

      if (grow || g_test_rand_bit ())
        {
          /* Few low bits, so that runs of neighbours form and wrap. */
          guint32 index = hn_wg_index_table_choose (&table) & 0xff00000f;

          if (hn_wg_index_table_get (&table, index) == NULL)
            g_array_append_val (present, index);
          hn_wg_index_table_set (&table, index, peer, NULL);
        }
      if (present->len > 0 && (!grow || round % 3 == 0))
        for (guint n = 0; n < (grow ? 1u : 2u) && present->len > 0; n++)
          {
            guint at = (guint) g_test_rand_int_range (0, (gint32) present->len);

            hn_wg_index_table_remove (&table, g_array_index (present, guint32, at));
            g_assert_null (hn_wg_index_table_get (&table, g_array_index (present, guint32, at)));
            g_array_remove_index_fast (present, at);
          }
      g_assert_cmpuint (table.used, ==, present->len);
      if (round % 500 == 0)
        for (guint i = 0; i < present->len; i++)
          g_assert_nonnull (hn_wg_index_table_get (&table, g_array_index (present, guint32, i)));
    }
  while (present->len > 0)
    {
      hn_wg_index_table_remove (&table, g_array_index (present, guint32, present->len - 1));
      g_array_set_size (present, present->len - 1);
    }
  g_assert_cmpuint (table.used, ==, 0);
  g_assert_cmpuint (table.size, <=, 32);
  hn_wg_index_table_clear (&table);
}

static void
test_limiter (void)
{
  HnWgLimiter *limiter = hn_wg_limiter_new ();
  guint8 address[16] = { 10, 1, 1, 1 };
  guint allowed = 0;
  gint64 now = 5;

  for (guint i = 0; i < 20; i++)
    allowed += hn_wg_limiter_allow (limiter, address, 4, now);
  g_assert_cmpuint (allowed, ==, 5);
  address[3] = 2;
  g_assert_true (hn_wg_limiter_allow (limiter, address, 4, now));
  address[3] = 1;
  now += G_USEC_PER_SEC / 20;
  g_assert_true (hn_wg_limiter_allow (limiter, address, 4, now));
  g_assert_false (hn_wg_limiter_allow (limiter, address, 4, now));
  for (allowed = 0; now < 11 * (gint64) G_USEC_PER_SEC; now += 1000)
    allowed += hn_wg_limiter_allow (limiter, address, 4, now);
  g_assert_cmpuint (allowed, >=, 210);
  g_assert_cmpuint (allowed, <=, 225);

  /* However many sources come, the table does not grow, and refuses. */
  allowed = 0;
  for (guint i = 0; i < 10000; i++)
    {
      memcpy (address, &i, sizeof i);
      allowed += hn_wg_limiter_allow (limiter, address, 16, now);
    }
  g_assert_cmpuint (allowed, <=, 2048);
  g_assert_cmpuint (allowed, >, 1500);
  now += 2 * G_USEC_PER_SEC;
  g_assert_true (hn_wg_limiter_allow (limiter, address, 16, now));
  hn_wg_limiter_free (limiter);
}

static gsize
check4 (const HnWgAllowed *allowed, guint8 a, guint8 b, guint8 c, guint8 d)
{
  guint8 packet[32] = { 0x45, 0, 0, 20 };

  packet[12] = a;
  packet[13] = b;
  packet[14] = c;
  packet[15] = d;
  return hn_wg_allowed_check (allowed, packet, sizeof packet);
}

static void
test_allowed (void)
{
  HnWgAllowed allowed = { 0 };
  HnWgAllowedIp many[40];
  const HnWgAllowedIp some[] = { { 4, 32, { 100, 64, 0, 7 } },
                                 { 4, 8, { 10, 99, 9, 9 } },
                                 { 4, 16, { 10, 2, 0, 0 } },
                                 { 6, 64, { 0xfd, 0x7a, 1 } },
                                 { 6, 128, { 0xfd, 0x7a, 1 } },
                                 { 6, 128, { [15] = 9 } },
                                 { 4, 33, { 1, 1, 1, 1 } },
                                 { 5, 0, { 0 } },
                                 { 6, 129, { 0 } },
                                 { 6, 127, { 0xfe, [15] = 5 } } };
  guint8 packet[64] = { 0x60 };

  g_assert_cmpuint (check4 (&allowed, 0, 0, 0, 0), ==, 0);
  hn_wg_allowed_set (&allowed, some, G_N_ELEMENTS (some));
  g_assert_cmpuint (allowed.n_v4, ==, 2);
  g_assert_cmpuint (allowed.n_v6, ==, 3);
  g_assert_cmpuint (check4 (&allowed, 100, 64, 0, 7), ==, 20);
  g_assert_cmpuint (check4 (&allowed, 100, 64, 0, 8), ==, 0);
  g_assert_cmpuint (check4 (&allowed, 100, 64, 0, 6), ==, 0);
  g_assert_cmpuint (check4 (&allowed, 10, 0, 0, 0), ==, 20);
  g_assert_cmpuint (check4 (&allowed, 10, 255, 255, 255), ==, 20);
  g_assert_cmpuint (check4 (&allowed, 11, 0, 0, 0), ==, 0);
  g_assert_cmpuint (check4 (&allowed, 9, 255, 255, 255), ==, 0);

  g_assert_cmpuint (hn_wg_allowed_check (&allowed, packet, 64), ==, 0);
  packet[23] = 9;
  g_assert_cmpuint (hn_wg_allowed_check (&allowed, packet, 64), ==, 40);
  packet[5] = 24;
  g_assert_cmpuint (hn_wg_allowed_check (&allowed, packet, 64), ==, 64);
  packet[5] = 25;
  g_assert_cmpuint (hn_wg_allowed_check (&allowed, packet, 64), ==, 0);
  packet[5] = 0;
  g_assert_cmpuint (hn_wg_allowed_check (&allowed, packet, 39), ==, 0);
  packet[8] = 0xfe;
  packet[23] = 4;
  g_assert_cmpuint (hn_wg_allowed_check (&allowed, packet, 64), ==, 40);
  packet[23] = 6;
  g_assert_cmpuint (hn_wg_allowed_check (&allowed, packet, 64), ==, 0);
  memcpy (packet + 8, (const guint8[]){ 0xfd, 0x7a, 1, 0, 0, 0, 0, 0, 0xff }, 9);
  g_assert_cmpuint (hn_wg_allowed_check (&allowed, packet, 64), ==, 40);
  packet[15] = 1;
  g_assert_cmpuint (hn_wg_allowed_check (&allowed, packet, 64), ==, 0);

  /* Lengths that lie, and what is no IP at all. */
  memset (packet, 0, sizeof packet);
  memcpy (packet, (const guint8[]){ 0x45, 0, 0, 20 }, 4);
  packet[12] = 10;
  g_assert_cmpuint (hn_wg_allowed_check (&allowed, packet, 20), ==, 20);
  g_assert_cmpuint (hn_wg_allowed_check (&allowed, packet, 19), ==, 0);
  packet[3] = 19;
  g_assert_cmpuint (hn_wg_allowed_check (&allowed, packet, 64), ==, 0);
  packet[3] = 65;
  g_assert_cmpuint (hn_wg_allowed_check (&allowed, packet, 64), ==, 0);
  packet[3] = 20;
  packet[0] = 0x75;
  g_assert_cmpuint (hn_wg_allowed_check (&allowed, packet, 64), ==, 0);

  /* Long lists are searched, not walked. */
  for (guint i = 0; i < G_N_ELEMENTS (many); i++)
    many[i] = (HnWgAllowedIp){ i % 2 ? 4 : 6, 32, { (guint8) ((i * 37) % 200), 7, 0, 1 } };
  hn_wg_allowed_set (&allowed, many, G_N_ELEMENTS (many));
  for (guint i = 0; i < G_N_ELEMENTS (many); i++)
    {
      guint8 first = many[i].address[0];

      if (many[i].family == 4)
        {
          g_assert_cmpuint (check4 (&allowed, first, 7, 0, 1), ==, 20);
          g_assert_cmpuint (check4 (&allowed, first, 7, 0, 2), ==, 0);
          g_assert_cmpuint (check4 (&allowed, first, 6, 0, 1), ==, 0);
        }
      else
        {
          guint8 v6[40] = { 0x60, [8] = first, 7, 0, 1, [23] = 77 };

          g_assert_cmpuint (hn_wg_allowed_check (&allowed, v6, 40), ==, 40);
          v6[11] = 2;
          g_assert_cmpuint (hn_wg_allowed_check (&allowed, v6, 40), ==, 0);
        }
    }
  many[0] = (HnWgAllowedIp){ .family = 4 };
  many[1] = (HnWgAllowedIp){ .family = 6 };
  hn_wg_allowed_set (&allowed, many, G_N_ELEMENTS (many));
  g_assert_cmpuint (allowed.n_v4 + allowed.n_v6, ==, 2);
  g_assert_cmpuint (check4 (&allowed, 255, 255, 255, 255), ==, 20);
  hn_wg_allowed_clear (&allowed);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));

#define ADD(path, func) g_test_add (path, Fixture, NULL, setup, func, NULL)
  ADD ("/wireguard/vectors/public-keys", test_public_keys);
  ADD ("/wireguard/vectors/kdf", test_kdf);
  ADD ("/wireguard/vectors/initiation", test_initiation);
  ADD ("/wireguard/vectors/response", test_response);
  ADD ("/wireguard/vectors/response-psk", test_response_psk);
  ADD ("/wireguard/vectors/tampered", test_tampered);
  ADD ("/wireguard/vectors/transport", test_transport);
  ADD ("/wireguard/vectors/cookie", test_cookie);
  g_test_add_func ("/wireguard/stamp", test_stamp);
  g_test_add_func ("/wireguard/replay", test_replay);
  g_test_add_func ("/wireguard/replay-random", test_replay_random);
  g_test_add_func ("/wireguard/padding", test_padding);
  g_test_add_func ("/wireguard/index", test_index);
  g_test_add_func ("/wireguard/limiter", test_limiter);
  g_test_add_func ("/wireguard/allowed", test_allowed);
  return g_test_run ();
}
