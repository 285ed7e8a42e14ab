/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text forms of keys (vectors: tailscale types/key). */
#include "crypto/hn-keys.h"

#include "crypto/hn-crypto.h"
#include "test-util.h"

#define PRIVATE "privkey:40ab1b58e9076c7a4d9d07291f5edf9d1aa017eb949624ba683317f48a640369"
#define HEX "50d20b455ecf12bc453f83c2cfdb2a24925d06cf2598dcaa54e91af82ce9f765"

static void
test_public_of_private (void)
{
  HnMachinePrivate machine;
  HnNodePrivate node;
  HnDiscoPrivate disco;
  HnMachinePublic machine_public;
  HnNodePublic node_public;
  HnDiscoPublic disco_public;
  char buf[HN_KEY_TEXT_MAX];

  g_assert_true (hn_machine_private_parse (PRIVATE, &machine));
  hn_machine_private_get_public (&machine, &machine_public);
  g_assert_cmpstr (hn_machine_public_format (&machine_public, buf), ==, "mkey:" HEX);
  hn_machine_private_format_for_file (&machine, buf);
  g_assert_cmpstr (buf, ==, PRIVATE);

  g_assert_true (hn_node_private_parse (PRIVATE, &node));
  hn_node_private_get_public (&node, &node_public);
  g_assert_cmpstr (hn_node_public_format (&node_public, buf), ==, "nodekey:" HEX);

  g_assert_true (hn_disco_private_parse (PRIVATE, &disco));
  hn_disco_private_get_public (&disco, &disco_public);
  g_assert_cmpstr (hn_disco_public_format (&disco_public, buf), ==, "discokey:" HEX);

  g_assert_false (hn_node_private_is_zero (&node));
  hn_node_private_clear (&node);
  g_assert_true (hn_node_private_is_zero (&node));
}

static void
test_parse_negative (void)
{
  static const char *const bad[] = {
    "",
    "nodekey:",
    "mkey:" HEX,
    "nodekey:" HEX "0",
    "nodekey:50d20b455ecf12bc453f83c2cfdb2a24925d06cf2598dcaa54e91af82ce9f76",
    "nodekey:g0d20b455ecf12bc453f83c2cfdb2a24925d06cf2598dcaa54e91af82ce9f765",
    "Nodekey:" HEX,
    " nodekey:" HEX,
    HEX,
    PRIVATE,
  };
  HnNodePublic key;

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      memset (&key, 0xff, sizeof key);
      g_assert_false (hn_node_public_parse (bad[i], &key));
      g_assert_true (hn_node_public_is_zero (&key));
    }
  g_assert_false (hn_node_public_parse (NULL, &key));
}

static void
test_parse_positive (void)
{
  HnNodePublic a, b;

  g_assert_true (hn_node_public_parse ("nodekey:" HEX, &a));
  g_assert_true (hn_node_public_parse (
      "nodekey:50D20B455ECF12BC453F83C2CFDB2A24925D06CF2598DCAA54E91AF82CE9F765", &b));
  g_assert_true (hn_node_public_equal (&a, &b));
  g_assert_cmpuint (hn_node_public_hash (&a), ==, hn_node_public_hash (&b));
  /* Each byte counts: whoever runs the server may choose keys. */
  for (guint i = 0; i < sizeof b.bytes; i++)
    {
      b = a;
      b.bytes[i] ^= 1;
      g_assert_false (hn_node_public_equal (&a, &b));
      g_assert_cmpuint (hn_node_public_hash (&a), !=, hn_node_public_hash (&b));
    }
  g_assert_true (hn_node_public_parse (
      "nodekey:0000000000000000000000000000000000000000000000000000000000000000", &a));
  g_assert_true (hn_node_public_is_zero (&a));
}

static void
test_generate (void)
{
  HnNodePrivate a, b;

  hn_node_private_generate (&a);
  hn_node_private_generate (&b);
  g_assert_false (hn_node_private_is_zero (&a));
  g_assert_true (memcmp (&a, &b, sizeof a) != 0);
  g_assert_cmpint (a.bytes[0] & 7, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/keys/public-of-private", test_public_of_private);
  g_test_add_func ("/keys/parse/negative", test_parse_negative);
  g_test_add_func ("/keys/parse/positive", test_parse_positive);
  g_test_add_func ("/keys/generate", test_generate);
  return g_test_run ();
}
