/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The primitives against published vectors. */
#include "crypto/hn-crypto.h"

#include "test-util.h"

static void
test_blake2s (void)
{
  guint8 out[32];

  hn_hash2 (NULL, 0, NULL, 0, out);
  assert_hex (out, 32, "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9");
  /* RFC 7693, appendix B */
  hn_hash2 ("a", 1, "bc", 2, out);
  assert_hex (out, 32, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
}

/* RFC 7693, appendix E: a hash over hashes of many lengths, keyed and not. */
static void
selftest_seq (guint8 *out, gsize len, guint32 seed)
{
  guint32 a = 0xDEAD4BAD * seed, b = 1;

  for (gsize i = 0; i < len; i++)
    {
      guint32 t = a + b;

      a = b;
      b = t;
      out[i] = (guint8) (t >> 24);
    }
}

static void
test_blake2s_rfc7693_selftest (void)
{
  static const gsize md_len[4] = { 16, 20, 28, 32 };
  static const gsize in_len[6] = { 0, 3, 64, 65, 255, 1024 };
  guint8 in[1024], md[32], key[32];
  HnBlake2s all;

  hn_blake2s_init (&all, 32, NULL, 0);
  for (guint i = 0; i < 4; i++)
    for (guint j = 0; j < 6; j++)
      {
        HnBlake2s one;

        selftest_seq (in, in_len[j], (guint32) in_len[j]);
        hn_blake2s_init (&one, md_len[i], NULL, 0);
        hn_blake2s_update (&one, in, in_len[j]);
        hn_blake2s_final (&one, md);
        hn_blake2s_update (&all, md, md_len[i]);

        selftest_seq (key, md_len[i], (guint32) md_len[i]);
        hn_blake2s_init (&one, md_len[i], key, md_len[i]);
        /* In two pieces, so that the buffering is tested as well. */
        hn_blake2s_update (&one, in, in_len[j] / 3);
        hn_blake2s_update (&one, in + in_len[j] / 3, in_len[j] - in_len[j] / 3);
        hn_blake2s_final (&one, md);
        hn_blake2s_update (&all, md, md_len[i]);
      }
  hn_blake2s_final (&all, md);
  assert_hex (md, 32, "6a411f08ce25adcdfb02aba641451cec53c598b24f4fc787fbdc88797f4c1dfe");
}

static void
test_hmac (void)
{
  guint8 key[32], out[32];

  memset (key, 'k', sizeof key);
  hn_hmac (key, sizeof key, "abc", 3, out);
  assert_hex (out, 32, "b70725d70c7e0930deea9820c9ef327868469e10a6c471d12e18d4c8fff0bc63");
}

static void
test_mac (void)
{
  guint8 message[148], label_key[32], cookie[16], mac[16], out[16], public_key[32];

  unhex ("64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466", public_key);
  hn_hash2 ("mac1----", 8, public_key, 32, label_key);
  assert_hex (label_key, 32, "376bf7166fcca639d72ff35a0fe5886cac5cd9bec3cce33285e4f865bf9b3008");
  unhex (
      "0100000044332211883186b800b41d5cf0429695da9b3cc4f328ebcd184a6e482fa578c103f06c77fa6ff1a712"
      "03eaf305dc6260f1911ba7d914db25d127ce39ef62f6c6467fb8a777377a28376c744882e58802dabbe0882d24"
      "40df1b33568543929ae079941d14e41df3f21064f6caac39be1a77e48885e90d1dbd5067c093b4eff5d5000000"
      "00000000000000000000000000",
      message);
  hn_mac (label_key, 32, message, 116, out);
  assert_hex (out, 16, "77e48885e90d1dbd5067c093b4eff5d5");
  unhex ("2b3ddb150bea50cd507fb0608b089fd3", cookie);
  hn_mac (cookie, 16, message, 132, mac);
  assert_hex (mac, 16, "e01f494fc7f08a201e8673e95ed3e35f");
}

static void
test_cookie (void)
{
  guint8 secret[32], nonce[24], key[32], public_key[32], cookie[16], mac1[16], sealed[32];
  guint8 opened[16];
  guint8 source[6] = { 0xc0, 0x00, 0x02, 0x07, 0xa9, 0xa2 };

  for (guint i = 0; i < 32; i++)
    secret[i] = (guint8) (0xa0 + i);
  for (guint i = 0; i < 24; i++)
    nonce[i] = (guint8) i;
  hn_mac (secret, 32, source, sizeof source, cookie);
  assert_hex (cookie, 16, "2b3ddb150bea50cd507fb0608b089fd3");
  unhex ("64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466", public_key);
  hn_hash2 ("cookie--", 8, public_key, 32, key);
  assert_hex (key, 32, "938c1de9d5d2d5d98c6e1c5723aedb083f0a17bad4a87a535f0f385f0003ed8b");
  unhex ("77e48885e90d1dbd5067c093b4eff5d5", mac1);
  hn_xaead_seal (key, nonce, mac1, 16, cookie, 16, sealed);
  assert_hex (sealed, 32, "d8f528d7bd2e22fb50a4da9752698449141431c7efbbe22d3340c9d12309cc44");
  g_assert_true (hn_xaead_open (key, nonce, mac1, 16, sealed, 32, opened));
  g_assert_cmpmem (opened, 16, cookie, 16);
  sealed[3] ^= 1;
  g_assert_false (hn_xaead_open (key, nonce, mac1, 16, sealed, 32, opened));
  g_assert_false (hn_xaead_open (key, nonce, mac1, 16, sealed, 15, opened));
}

static void
check_kdf (const char *chain, const char *input, const char *t1, const char *t2, const char *t3)
{
  guint8 padded[32] = { 0 };
  guint8 out1[32], out2[32], out3[32];

  /* HMAC pads short keys with zeros, so the text keys of the vectors may be padded here. */
  memcpy (padded, chain, strlen (chain));
  hn_kdf (padded, input, strlen (input), out1, out2, out3);
  assert_hex (out1, 32, t1);
  assert_hex (out2, 32, t2);
  assert_hex (out3, 32, t3);

  memset (out3, 0, 32);
  hn_kdf (padded, input, strlen (input), NULL, NULL, out3);
  assert_hex (out3, 32, t3);
  hn_kdf (padded, input, strlen (input), padded, NULL, NULL);
  assert_hex (padded, 32, t1);
}

static void
test_kdf (void)
{
  check_kdf ("test-key", "test-input",
             "6f0e5ad38daba1bea8a0d213688736f19763239305e0f58aba697f9ffc41c633",
             "df1194df20802a4fe594cde27e92991c8cae66c366e8106aaa937a55fa371e8a",
             "fac6e2745a325f5dc5d11a5b165aad08b0ada28e7b4e666b7c077934a4d76c24");
  check_kdf ("wireguard", "wireguard",
             "491d43bbfdaa8750aaf535e334ecbfe5129967cd64635101c566d4caefda96e8",
             "1e71a379baefd8a79aa4662212fcafe19a23e2b609a3db7d6bcba8f560e3d25f",
             "31e1ae48bddfbe5de38f295e5452b1909a1b4e38e183926af3780b0c1e1f0160");
  check_kdf ("", "", "8387b46bf43eccfcf349552a095d8315c4055beb90208fb1be23b894bc2ed5d0",
             "58a0e5f6faefccf4807bff1f05fa8a9217945762040bcec2f4b4a62bdfe0e86e",
             "0ce6ea98ec548f8e281e93e32db65621c45eb18dc6f0a7ad94178610a2f7338e");
}

static void
test_x25519 (void)
{
  guint8 a[32], b[32], a_public[32], b_public[32], shared[32], other[32], zero[32] = { 0 };

  /* RFC 7748, 5.2 */
  unhex ("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4", a);
  unhex ("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c", b_public);
  g_assert_true (hn_x25519 (a, b_public, shared));
  assert_hex (shared, 32, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");

  unhex ("0002030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f60", a);
  hn_x25519_base (a, a_public);
  assert_hex (a_public, 32, "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c");
  hn_x25519_generate (b);
  hn_x25519_base (b, b_public);
  g_assert_true (hn_x25519 (a, b_public, shared));
  g_assert_true (hn_x25519 (b, a_public, other));
  g_assert_cmpmem (shared, 32, other, 32);
  g_assert_false (hn_x25519 (a, zero, shared));

  hn_x25519_generate (a);
  g_assert_cmpint (a[0] & 7, ==, 0);
  g_assert_cmpint (a[31] & 0xc0, ==, 0x40);
}

static void
test_aead (void)
{
  /* Transport messages of WireGuard count in little-endian. */
  guint8 key[32], out[64], back[64];
  guint8 text[16] = { 0, 1, 2, 3, 4 };

  unhex ("68d9a7877b387087ae50d6ba04dbd0f8063ef17104cbe181ae30407e32d83dee", key);
  hn_aead_seal (key, 0, FALSE, NULL, 0, NULL, 0, out);
  assert_hex (out, 16, "f75471e3d14dfacf2813acabf72d497f");
  g_assert_true (hn_aead_open (key, 0, FALSE, NULL, 0, out, 16, back));
  g_assert_false (hn_aead_open (key, 1, FALSE, NULL, 0, out, 16, back));
  g_assert_false (hn_aead_open (key, 0, FALSE, NULL, 0, out, 15, back));

  unhex ("81faf15f4c7bafeeac93edf3a0746b1c15bd06bfca5ea911d3abcaf7c5b6362a", key);
  hn_aead_seal (key, 1, FALSE, NULL, 0, text, 16, out);
  assert_hex (out, 32, "26b1398b993845c102366f1e53f9cb99296493fdec1f434a79302274aa227edd");
  /* in place */
  memcpy (back, out, 32);
  g_assert_true (hn_aead_open (key, 1, FALSE, NULL, 0, back, 32, back));
  g_assert_cmpmem (back, 16, text, 16);
  out[31] ^= 0x80;
  g_assert_false (hn_aead_open (key, 1, FALSE, NULL, 0, out, 32, back));

  /* Records of the control protocol count in big-endian. */
  unhex ("1657d025486888648386e46e37e6722a42c605d3f1b0ec24454190a645355089", key);
  hn_aead_seal (key, 258, TRUE, NULL, 0, NULL, 0, out);
  assert_hex (out, 16, "ad8c09f2d61cb3a515cd11edc31edb73");
  hn_aead_seal (key, 0, TRUE, NULL, 0, "server>client", 13, out);
  assert_hex (out, 29, "1b90995528a48938882f68ac1512e1a9e1292433d81150bd7eb7b564d8");

  /* RFC 8439, appendix A.5 has the nonce 00000000 0102030405060708: the counter, big-endian. */
  unhex ("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0", key);
  {
    guint8 ad[12];
    guint8 cipher[281];
    guint8 plain[265];

    unhex ("f33388860000000000004e91", ad);
    unhex ("64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee9"
           "4e382d26b0bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d"
           "33bd60f982b1ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9"
           "166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b004771"
           "8cbc546a0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a"
           "1073a6727627097a1049e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad"
           "5cb4022b02709beead9d67890cbb22392336fea1851f38",
           cipher);
    g_assert_true (
        hn_aead_open (key, 0x0102030405060708, TRUE, ad, sizeof ad, cipher, sizeof cipher, plain));
    g_assert_true (memcmp (plain, "Internet-Drafts are draft documents", 35) == 0);
    ad[0] ^= 1;
    g_assert_false (
        hn_aead_open (key, 0x0102030405060708, TRUE, ad, sizeof ad, cipher, sizeof cipher, plain));
  }
}

static void
test_box (void)
{
  guint8 ei[32], er_public[32], shared[32], nonce[24], plain[46], sealed[62], opened[46];

  unhex ("8082838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f60", ei);
  unhex ("3a553d74792d727efa9b9a4cde3da1ad93f1a2d0c09cb639b1a3c0fda14cbe24", er_public);
  for (guint i = 0; i < 24; i++)
    nonce[i] = (guint8) i;
  g_assert_true (hn_box_precompute (ei, er_public, shared));
  assert_hex (shared, 32, "042553410cbab5d3d7f9e2085f73a0a258ac2088f4c18bfa50e7fb62f9b53a60");
  unhex (
      "0100101112131415161718191a1b07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c"
      "7c",
      plain);
  hn_box_seal (shared, nonce, plain, sizeof plain, sealed);
  assert_hex (sealed, sizeof sealed,
              "e2ffffe33a9170aa50a14437c9e1bbe0a505c096879bec2c30fcff6a598f30dd281bd0ce21a61f73ff51"
              "bcacb9ed86115234e705686a7b9c5f879f4a142b");
  g_assert_true (hn_box_open (shared, nonce, sealed, sizeof sealed, opened));
  g_assert_cmpmem (opened, sizeof opened, plain, sizeof plain);
  sealed[0] ^= 1;
  g_assert_false (hn_box_open (shared, nonce, sealed, sizeof sealed, opened));
  g_assert_false (hn_box_open (shared, nonce, sealed, 15, opened));
}

static void
test_random (void)
{
  double sum = 0;

  for (guint i = 0; i < 4096; i++)
    {
      double value = hn_random_double ();

      g_assert_cmpfloat (value, >=, 0.0);
      g_assert_cmpfloat (value, <, 1.0);
      sum += value;
    }
  /* The mean of 4,096 has a deviation of 0.0045. */
  g_assert_cmpfloat (sum / 4096, >, 0.45);
  g_assert_cmpfloat (sum / 4096, <, 0.55);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/crypto/blake2s", test_blake2s);
  g_test_add_func ("/crypto/blake2s/selftest", test_blake2s_rfc7693_selftest);
  g_test_add_func ("/crypto/hmac", test_hmac);
  g_test_add_func ("/crypto/mac", test_mac);
  g_test_add_func ("/crypto/cookie", test_cookie);
  g_test_add_func ("/crypto/kdf", test_kdf);
  g_test_add_func ("/crypto/x25519", test_x25519);
  g_test_add_func ("/crypto/aead", test_aead);
  g_test_add_func ("/crypto/box", test_box);
  g_test_add_func ("/crypto/random", test_random);
  return g_test_run ();
}
