/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both handshake patterns, step by step, against published vectors. */
#include "crypto/hn-noise-symmetric.h"

#include "test-util.h"

typedef struct
{
  guint8 private_key[32];
  guint8 public_key[32];
} Pair;

static Pair
pair (const char *text)
{
  Pair pair;

  unhex (text, pair.private_key);
  hn_x25519_base (pair.private_key, pair.public_key);
  return pair;
}

/* Noise_IK_25519_ChaChaPoly_BLAKE2s as TS2021 uses it, both sides at once; returns the initiator's
 * state behind both messages. */
static void
run_ik (const char *prologue, gsize prologue_len, const Pair *is, const Pair *ie, const Pair *rs,
        const Pair *re, const char *payload1, const char *payload2, const char *message1,
        const char *message2, HnNoiseSymmetric *out)
{
  HnNoiseSymmetric i, r;
  guint8 one[256], two[256], scratch[256];
  gsize len1 = strlen (payload1), len2 = strlen (payload2);

  hn_noise_symmetric_init (&i, "Noise_IK_25519_ChaChaPoly_BLAKE2s");
  hn_noise_symmetric_mix_hash (&i, prologue, prologue_len);
  hn_noise_symmetric_mix_hash (&i, rs->public_key, 32);
  r = i;

  memcpy (one, ie->public_key, 32);
  hn_noise_symmetric_mix_hash (&i, one, 32);
  g_assert_true (hn_noise_symmetric_mix_dh (&i, ie->private_key, rs->public_key));
  hn_noise_symmetric_seal (&i, is->public_key, 32, one + 32);
  g_assert_true (hn_noise_symmetric_mix_dh (&i, is->private_key, rs->public_key));
  hn_noise_symmetric_seal (&i, payload1, len1, one + 80);
  assert_hex (one, 96 + len1, message1);

  hn_noise_symmetric_mix_hash (&r, one, 32);
  g_assert_true (hn_noise_symmetric_mix_dh (&r, rs->private_key, one));
  g_assert_true (hn_noise_symmetric_open (&r, one + 32, 48, scratch));
  g_assert_cmpmem (scratch, 32, is->public_key, 32);
  g_assert_true (hn_noise_symmetric_mix_dh (&r, rs->private_key, scratch));
  g_assert_true (hn_noise_symmetric_open (&r, one + 80, 16 + len1, scratch));
  g_assert_cmpmem (scratch, len1, payload1, len1);

  memcpy (two, re->public_key, 32);
  hn_noise_symmetric_mix_hash (&r, two, 32);
  g_assert_true (hn_noise_symmetric_mix_dh (&r, re->private_key, ie->public_key));
  g_assert_true (hn_noise_symmetric_mix_dh (&r, re->private_key, is->public_key));
  hn_noise_symmetric_seal (&r, payload2, len2, two + 32);
  assert_hex (two, 48 + len2, message2);

  hn_noise_symmetric_mix_hash (&i, two, 32);
  g_assert_true (hn_noise_symmetric_mix_dh (&i, ie->private_key, two));
  g_assert_true (hn_noise_symmetric_mix_dh (&i, is->private_key, two));
  /* A bad tag changes nothing, so that the caller may simply drop the message. */
  two[32 + len2] ^= 1;
  g_assert_false (hn_noise_symmetric_open (&i, two + 32, 16 + len2, scratch));
  two[32 + len2] ^= 1;
  g_assert_true (hn_noise_symmetric_open (&i, two + 32, 16 + len2, two + 32));
  g_assert_cmpmem (two + 32, len2, payload2, len2);
  g_assert_cmpmem (i.h, 32, r.h, 32);
  g_assert_cmpmem (i.ck, 32, r.ck, 32);
  *out = i;
}

static void
test_ik_cacophony (void)
{
  Pair is = pair ("e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1");
  Pair ie = pair ("893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a");
  Pair rs = pair ("4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893");
  Pair re = pair ("bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b");
  HnNoiseSymmetric state;
  guint8 k1[32], k2[32], out[64];

  run_ik ("John Galt", 9, &is, &ie, &rs, &re, "Ludwig von Mises", "Murray Rothbard",
          "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79440b03ddc7aac5123d06a1b23b"
          "71670e32e76c28239a7ca4ac8f784de7e44c1adbfc6e83fef7352a58d9d56157400c0a737b1d171ce368229c"
          "7b752ac25b8faf4eca690f6d896f543be02c996ab2b86b76",
          "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843d9b5a8927f0ac9655ef76833"
          "bc7e5561f42e691ac8404efd6fbd6308b6a27c",
          &state);
  assert_hex (state.h, 32, "48f3cb8bc9319da4ba1e9933991b1c4ed4034f1f126a76d3a1fbcfd7f94248d4");
  hn_noise_symmetric_split (&state, k1, k2);
  hn_aead_seal (k1, 0, TRUE, NULL, 0, "F. A. Hayek", 11, out);
  assert_hex (out, 27, "2c256ed08fcd08c2980f954ee4beaccb61c9581340f5dd2fd1cf3b");
  hn_aead_seal (k2, 0, TRUE, NULL, 0, "Carl Menger", 11, out);
  assert_hex (out, 27, "d6033f70eee20945c7c9dba304e397ee3b284ff5e00fd9efb095d3");
  /* The second record of the vector counts in little-endian, unlike TS2021. */
  hn_aead_seal (k1, 1, FALSE, NULL, 0, "Jean-Baptiste Say", 17, out);
  assert_hex (out, 33, "a9c068ca5d8babf72560652d8e851adbfac35c8a66e810d560863173e96adf4cfe");
}

static void
test_ik_ts2021 (void)
{
  Pair is = pair ("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  Pair ie = pair ("202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f");
  Pair rs = pair ("404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f");
  Pair re = pair ("606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f");
  HnNoiseSymmetric state;
  guint8 k1[32], k2[32];

  run_ik ("TEST HANDSHAKE", 14, &is, &ie, &rs, &re, "", "",
          "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254ad5b8febedeb97415be53612"
          "205e6bfab385e34cb127dd8854c4f9afb10f9b0e49075a6f14f9d5bc61412f096ae4950589aef8286944be93"
          "ca02ab76a5483b51",
          "675dd574ed7789310b3d2e7681f3790b466c773b1521fecf36577958371ea52f5ef5508032efff8066fc8584"
          "10f411e8",
          &state);
  assert_hex (state.h, 32, "cc737343755657114f2572461c9aae93a36a7b31714b60c7c0616d84438362dd");
  hn_noise_symmetric_split (&state, k1, k2);
  assert_hex (k1, 32, "1ffa520b7b784b83355f4ca5754d333f51f53ff31d9d98f697c22e8f79b66e22");
  assert_hex (k2, 32, "1657d025486888648386e46e37e6722a42c605d3f1b0ec24454190a645355089");

  run_ik ("Tailscale Control Protocol v113", 31, &is, &ie, &rs, &re, "", "",
          "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254ad5b8febedeb97415be53612"
          "205e6bfab385e34cb127dd8854c4f9afb10f9b0e600b9f09df004acc34c72a234b0edfe512fde66660db25fa"
          "49750fa07a714dc8",
          "675dd574ed7789310b3d2e7681f3790b466c773b1521fecf36577958371ea52f04a855d028335246f01c17f3"
          "ff44e121",
          &state);
  assert_hex (state.h, 32, "1d74d40023b5daf7cae5d0693113e84604e6be2b8d30b0ce53c031ae8d79819a");
  assert_hex (state.ck, 32, "6ee55813a6557d361b60fd95efba81c52257e66b3057fbbda39b608f47f2a4e7");

  hn_noise_symmetric_clear (&state);
  for (guint i = 0; i < 32; i++)
    g_assert_cmpint (state.k[i] | state.ck[i] | state.h[i], ==, 0);
}

/* WireGuard's initiator, with and without a pre-shared key. */
static void
check_wireguard (const guint8 psk[32], const char *empty, const char *first, const char *second)
{
  Pair si = pair ("0002030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f60");
  Pair sr = pair ("4042434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60");
  Pair ei = pair ("8082838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f60");
  Pair er = pair ("c0c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf60");
  HnNoiseSymmetric s;
  guint8 out[64], stamp[12], k1[32], k2[32];

  hn_noise_symmetric_init (&s, "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s");
  assert_hex (s.ck, 32, "60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36");
  hn_noise_symmetric_mix_hash (&s, "WireGuard v1 zx2c4 Jason@zx2c4.com", 34);
  assert_hex (s.h, 32, "2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3");
  hn_noise_symmetric_mix_hash (&s, sr.public_key, 32);
  hn_noise_symmetric_mix_chain (&s, ei.public_key, 32);
  hn_noise_symmetric_mix_hash (&s, ei.public_key, 32);
  g_assert_true (hn_noise_symmetric_mix_dh (&s, ei.private_key, sr.public_key));
  assert_hex (s.k, 32, "93d27c2926671b77b2e93d779f69b98b1eb121b52cb9b09c8188f5c4fc43c120");
  hn_noise_symmetric_seal (&s, si.public_key, 32, out);
  g_assert_true (hn_noise_symmetric_mix_dh (&s, si.private_key, sr.public_key));
  assert_hex (s.k, 32, "89cf75b8d15b4fd02c98e24777da00316ad88a32029b7f302cb48189f45eab91");
  unhex ("400000006a0000000c000000", stamp);
  hn_noise_symmetric_seal (&s, stamp, 12, out);
  assert_hex (s.ck, 32, "aaec92d463425cc9b31a7cb684e62d3b8802fb2b287ce175d6a853478571713c");
  assert_hex (s.h, 32, "99e9c1986ced19dbc3fbbea9c1cf58ed7e8fae70e3f6e4246205387ab8189ccf");

  hn_noise_symmetric_mix_hash (&s, er.public_key, 32);
  hn_noise_symmetric_mix_chain (&s, er.public_key, 32);
  g_assert_true (hn_noise_symmetric_mix_dh (&s, ei.private_key, er.public_key));
  g_assert_true (hn_noise_symmetric_mix_dh (&s, si.private_key, er.public_key));
  hn_noise_symmetric_mix_key_and_hash (&s, psk, 32);
  hn_noise_symmetric_seal (&s, NULL, 0, out);
  assert_hex (out, 16, empty);
  hn_noise_symmetric_split (&s, k1, k2);
  assert_hex (k1, 32, first);
  assert_hex (k2, 32, second);
}

static void
test_wireguard (void)
{
  guint8 psk[32] = { 0 };

  check_wireguard (psk, "3e07b573631413c0f2730b46627c831c",
                   "68d9a7877b387087ae50d6ba04dbd0f8063ef17104cbe181ae30407e32d83dee",
                   "81faf15f4c7bafeeac93edf3a0746b1c15bd06bfca5ea911d3abcaf7c5b6362a");
  for (guint i = 0; i < 32; i++)
    psk[i] = (guint8) i;
  check_wireguard (psk, "12c94ef0d1df961dab024cfdc2b475ec",
                   "b27a8c9cc39d02c5fdb8a57c3d71667681e589cce68da530a61d36decac95a3c",
                   "d15515ff8393c2a7859de7b97f1a50aa71ae9bebb8687dc25dc316f0534467c8");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/noise/ik/cacophony", test_ik_cacophony);
  g_test_add_func ("/noise/ik/ts2021", test_ik_ts2021);
  g_test_add_func ("/noise/wireguard", test_wireguard);
  return g_test_run ();
}
