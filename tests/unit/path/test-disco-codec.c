/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hn-bytes.h"
#include "path/hn-disco-codec.h"

/* The ephemeral pairs of the WireGuard vectors are the disco keys of these. */
#define SHARED "042553410cbab5d3d7f9e2085f73a0a258ac2088f4c18bfa50e7fb62f9b53a60"
#define PING_MESSAGE                                                                               \
  "0100101112131415161718191a1b07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c"
#define PING                                                                                       \
  "5453f09f92ac883186b800b41d5cf0429695da9b3cc4f328ebcd184a6e482fa578c103f06c77000102030405060708" \
  "090a0b0c0d0e0f1011121314151617e2ffffe33a9170aa50a14437c9e1bbe0a505c096879bec2c30fcff6a598f30dd" \
  "281bd0ce21a61f73ff51bcacb9ed86115234e705686a7b9c5f879f4a142b"
#define PONG_MESSAGE "0200101112131415161718191a1b00000000000000000000ffffcb007109a2a9"
#define PONG                                                                                       \
  "5453f09f92ac3a553d74792d727efa9b9a4cde3da1ad93f1a2d0c09cb639b1a3c0fda14cbe24000102030405060708" \
  "090a0b0c0d0e0f101112131415161795528db6928d1e4058173c1700a451d8a605c096879bec2c30fcff6a598f377e" \
  "54a7c4eeb26ea826dcb56744a450028f"

static gsize
from_hex (const char *text, guint8 *out)
{
  g_assert_true (hn_hex_decode (text, strlen (text), out, strlen (text) / 2));
  return strlen (text) / 2;
}

static void
get_vector_parts (guint8 shared[32], guint8 nonce[24], guint8 tx_id[12])
{
  from_hex (SHARED, shared);
  for (guint i = 0; i < 24; i++)
    nonce[i] = i;
  for (guint i = 0; i < 12; i++)
    tx_id[i] = 0x10 + i;
}

static void
test_ping (void)
{
  guint8 shared[32], nonce[24], tx_id[12];
  guint8 message[HN_DISCO_PING_SIZE], expected[HN_DISCO_PING_SIZE];
  guint8 packet[124], out[124];
  const guint8 *opened;
  gsize opened_len;
  HnDiscoPublic sender;
  HnNodePublic node;
  HnDiscoMessage parsed;

  get_vector_parts (shared, nonce, tx_id);
  from_hex (PING_MESSAGE, expected);
  memcpy (node.bytes, expected + 14, 32);
  g_assert_cmpmem (message, hn_disco_build_ping (message, tx_id, &node), expected, 46);

  g_assert_cmpuint (from_hex (PING, packet), ==, sizeof packet);
  g_assert_true (hn_disco_is_packet (packet, sizeof packet));
  hn_disco_get_sender (packet, &sender);
  g_assert_cmpmem (out, hn_disco_seal (&sender, shared, nonce, message, sizeof message, out),
                   packet, sizeof packet);

  g_assert_true (hn_disco_open (shared, packet, sizeof packet, &opened, &opened_len));
  g_assert_cmpmem (opened, opened_len, expected, 46);
  g_assert_true (hn_disco_parse (opened, opened_len, &parsed));
  g_assert_cmpuint (parsed.type, ==, HN_DISCO_PING);
  g_assert_cmpmem (parsed.tx_id, 12, tx_id, 12);
  g_assert_true (hn_node_public_equal (&parsed.node, &node));
}

static void
test_pong (void)
{
  guint8 shared[32], nonce[24], tx_id[12];
  guint8 message[HN_DISCO_PONG_SIZE], expected[HN_DISCO_PONG_SIZE];
  guint8 packet[110], out[110];
  const guint8 *opened;
  gsize opened_len;
  HnDiscoPublic sender;
  HnDiscoMessage parsed;
  HnEndpoint source;

  get_vector_parts (shared, nonce, tx_id);
  from_hex (PONG_MESSAGE, expected);
  g_assert_true (hn_endpoint_parse ("203.0.113.9:41641", &source));
  g_assert_cmpmem (message, hn_disco_build_pong (message, tx_id, &source), expected, 32);

  g_assert_cmpuint (from_hex (PONG, packet), ==, sizeof packet);
  hn_disco_get_sender (packet, &sender);
  g_assert_cmpmem (out, hn_disco_seal (&sender, shared, nonce, message, sizeof message, out),
                   packet, sizeof packet);
  g_assert_true (hn_disco_open (shared, packet, sizeof packet, &opened, &opened_len));
  g_assert_true (hn_disco_parse (opened, opened_len, &parsed));
  g_assert_cmpuint (parsed.type, ==, HN_DISCO_PONG);
  g_assert_true (hn_endpoint_equal (&parsed.source, &source));
}

static void
test_key (void)
{
  guint8 a_private[32], b_private[32], a_public[32], b_public[32], a[32], b[32];

  hn_x25519_generate (a_private);
  hn_x25519_generate (b_private);
  hn_x25519_base (a_private, a_public);
  hn_x25519_base (b_private, b_public);
  g_assert_true (hn_box_precompute (a_private, b_public, a));
  g_assert_true (hn_box_precompute (b_private, a_public, b));
  g_assert_cmpmem (a, 32, b, 32);
}

static void
test_call_me_maybe (void)
{
  HnEndpoint endpoints[3], endpoint;
  guint8 message[2 + 3 * HN_DISCO_ENDPOINT_SIZE];
  HnDiscoMessage parsed;

  g_assert_true (hn_endpoint_parse ("192.0.2.1:1", &endpoints[0]));
  g_assert_true (hn_endpoint_parse ("[2001:db8::7]:65535", &endpoints[1]));
  g_assert_true (hn_endpoint_parse ("255.255.255.255:256", &endpoints[2]));
  g_assert_cmpuint (hn_disco_build_call_me_maybe (message, endpoints, 3), ==, sizeof message);
  g_assert_true (hn_disco_parse (message, sizeof message, &parsed));
  g_assert_cmpuint (parsed.n_endpoints, ==, 3);
  for (guint i = 0; i < 3; i++)
    {
      hn_disco_get_endpoint (&parsed, i, &endpoint);
      g_assert_true (hn_endpoint_equal (&endpoint, &endpoints[i]));
    }
  /* An empty list is one. */
  g_assert_true (hn_disco_parse (message, 2, &parsed));
  g_assert_cmpuint (parsed.n_endpoints, ==, 0);
  /* Half an endpoint, or another version, is none. */
  g_assert_false (hn_disco_parse (message, sizeof message - 1, &parsed));
  message[1] = 1;
  g_assert_false (hn_disco_parse (message, sizeof message, &parsed));
}

static void
test_lax_and_short (void)
{
  guint8 message[80] = { HN_DISCO_PING, 7 };
  HnDiscoMessage parsed;

  memset (message + 2, 0x5a, sizeof message - 2);
  g_assert_true (hn_disco_parse (message, sizeof message, &parsed));
  g_assert_cmpuint (parsed.node.bytes[31], ==, 0x5a);
  /* The node key may be missing, the transaction may not. */
  g_assert_true (hn_disco_parse (message, 14, &parsed));
  g_assert_true (hn_node_public_is_zero (&parsed.node));
  g_assert_true (hn_disco_parse (message, 45, &parsed));
  g_assert_true (hn_node_public_is_zero (&parsed.node));
  g_assert_false (hn_disco_parse (message, 13, &parsed));

  message[0] = HN_DISCO_PONG;
  g_assert_true (hn_disco_parse (message, sizeof message, &parsed));
  g_assert_true (hn_disco_parse (message, 32, &parsed));
  g_assert_false (hn_disco_parse (message, 31, &parsed));

  message[0] = 0xee;
  g_assert_true (hn_disco_parse (message, 2, &parsed));
  g_assert_cmpuint (parsed.type, ==, 0xee);
  g_assert_false (hn_disco_parse (message, 1, &parsed));
  g_assert_false (hn_disco_parse (message, 0, &parsed));
}

static void
test_damaged (void)
{
  guint8 shared[32], original[124], packet[124];
  const guint8 *opened;
  gsize opened_len;

  from_hex (SHARED, shared);
  from_hex (PING, original);
  /* The sender's key is what chooses the shared one, so it is not covered by the box. */
  for (guint i = 0; i < sizeof packet; i++)
    {
      if (i >= 6 && i < 38)
        continue;
      memcpy (packet, original, sizeof packet);
      packet[i] ^= 1;
      g_assert_false (hn_disco_open (shared, packet, sizeof packet, &opened, &opened_len));
    }
  for (guint len = 0; len < sizeof packet; len++)
    {
      memcpy (packet, original, sizeof packet);
      g_assert_false (hn_disco_open (shared, packet, len, &opened, &opened_len));
    }
  g_assert_false (hn_disco_is_packet (original, HN_DISCO_OVERHEAD + 1));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/disco-codec/ping", test_ping);
  g_test_add_func ("/disco-codec/pong", test_pong);
  g_test_add_func ("/disco-codec/key", test_key);
  g_test_add_func ("/disco-codec/call-me-maybe", test_call_me_maybe);
  g_test_add_func ("/disco-codec/lax-and-short", test_lax_and_short);
  g_test_add_func ("/disco-codec/damaged", test_damaged);
  return g_test_run ();
}
