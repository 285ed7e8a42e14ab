/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hostile networks, relays and peers may send, and what it must cost them and us. */
#include <string.h>

#include "paths-fixture.h"

static void
test_pong (Fixture *f, gconstpointer data)
{
  HnEndpoint from = test_at ("198.51.100.7:1234");
  guint8 datagram[HN_DISCO_OVERHEAD + HN_DISCO_PING_SIZE], copy[sizeof datagram];
  HnDiscoMessage pong;

  fixture_make_ping (f, datagram);
  memcpy (copy, datagram, sizeof copy);
  hn_paths_receive_udp (f->paths, &from, datagram, sizeof datagram, NOW);
  g_assert_cmpuint (f->n_udp, ==, 1);
  g_assert_cmpuint (f->n_relay, ==, 0);
  g_assert_true (hn_endpoint_equal (&f->last_to, &from));
  g_assert_cmpuint (f->last_len, <=, sizeof datagram);
  fixture_open_last (f, &pong);
  g_assert_cmpuint (pong.type, ==, HN_DISCO_PONG);
  g_assert_true (hn_endpoint_equal (&pong.source, &from));
  g_assert_true (hn_paths_lookup (f->paths, &from) == f->peer);

  /* The same again, from there or from elsewhere: nobody is answered twice. */
  memcpy (datagram, copy, sizeof copy);
  hn_paths_receive_udp (f->paths, &from, datagram, sizeof datagram, NOW);
  from = test_at ("203.0.113.200:53");
  hn_paths_receive_udp (f->paths, &from, copy, sizeof copy, NOW);
  g_assert_cmpuint (f->n_udp, ==, 1);
  g_assert_null (hn_paths_lookup (f->paths, &from));
  g_assert_cmpuint (hn_paths_get_counters (f->paths)->limited, ==, 2);
}

/* A ping over the relay is answered over the relay, and makes no path. */
static void
test_relay_ping (Fixture *f, gconstpointer data)
{
  guint8 datagram[HN_DISCO_OVERHEAD + HN_DISCO_PING_SIZE];
  HnDiscoMessage pong;
  HnPathStats stats;

  fixture_make_ping (f, datagram);
  hn_paths_receive_relay (f->paths, 9, f->peer, datagram, sizeof datagram, NOW);
  g_assert_cmpuint (f->n_udp, ==, 0);
  g_assert_cmpuint (f->n_relay, ==, 1);
  g_assert_cmpint (f->last_region, ==, 9);
  fixture_open_last (f, &pong);
  g_assert_cmpuint (pong.type, ==, HN_DISCO_PONG);
  g_assert_cmpuint (pong.source.port, ==, 9);
  hn_paths_get_stats (f->paths, f->peer, NOW, &stats);
  g_assert_cmpuint (stats.n_candidates, ==, 0);
}

/* Answers that are bigger than what was sent would help whoever forges sources. */
static void
test_no_amplification (Fixture *f, gconstpointer data)
{
  HnEndpoint from = test_at ("198.51.100.7:1234");
  guint8 message[HN_DISCO_PING_SIZE + 100] = { 0 };

  for (gsize len = 2 + HN_DISCO_TX_ID_SIZE; len <= sizeof message; len++)
    {
      gsize before = f->udp_bytes;

      hn_random_bytes (message, sizeof message);
      message[0] = HN_DISCO_PING;
      message[1] = 0;
      fixture_send (f, &from, message, len, NOW);
      g_assert_cmpuint (f->udp_bytes - before, <=, HN_DISCO_OVERHEAD + len);
    }
  g_assert_cmpuint (f->n_udp, >, 0);
}

/* While we look for a path, too: a forged source gets a pong, and later no more pings than came. */
static void
test_no_reflection (Fixture *f, gconstpointer data)
{
  HnEndpoint from = test_at ("198.51.100.7:1234");
  HnPathRoute out;
  gint64 now = NOW;
  guint before;

  fixture_route (f, now, &out);
  before = f->n_udp;
  fixture_ping (f, &from, now);
  g_assert_cmpuint (f->n_udp - before, ==, 1);
  g_assert_cmpuint (f->last_len, <=, HN_DISCO_OVERHEAD + HN_DISCO_PING_SIZE);
  before = f->n_udp;
  while (hn_paths_get_deadline (f->paths) < NOW + 40 * SECOND)
    {
      now = hn_paths_get_deadline (f->paths);
      fixture_route (f, now, &out);
      hn_paths_tick (f->paths, now);
    }
  g_assert_cmpuint (f->n_udp - before, ==, 1);
}

static void
test_strangers (Fixture *f, gconstpointer data)
{
  const HnPathCounters *counters = hn_paths_get_counters (f->paths);
  HnEndpoint from = test_at ("198.51.100.7:1234");
  guint8 datagram[HN_DISCO_OVERHEAD + HN_DISCO_PING_SIZE];
  guint8 junk[300];

  /* A key that nobody has. */
  fixture_make_ping (f, datagram);
  datagram[20] ^= 1;
  hn_paths_receive_udp (f->paths, &from, datagram, sizeof datagram, NOW);
  g_assert_cmpuint (counters->unknown_sender, ==, 1);
  /* Our own words come back. */
  memcpy (datagram + 6, f->own_public.bytes, 32);
  hn_paths_receive_udp (f->paths, &from, datagram, sizeof datagram, NOW);
  g_assert_cmpuint (counters->unknown_sender, ==, 2);
  /* The key of the peer, but not its hand. */
  for (guint i = 38; i < sizeof datagram; i++)
    {
      fixture_make_ping (f, datagram);
      datagram[i] ^= 0x40;
      hn_paths_receive_udp (f->paths, &from, datagram, sizeof datagram, NOW);
      g_assert_cmpuint (counters->bad_box, ==, i - 37);
    }
  /* Cut off. */
  for (guint len = 0; len < HN_DISCO_OVERHEAD + 2; len++)
    {
      fixture_make_ping (f, datagram);
      hn_paths_receive_udp (f->paths, &from, datagram, len, NOW);
      g_assert_cmpuint (counters->malformed, ==, len + 1);
    }
  fixture_make_ping (f, datagram);
  g_assert_true (hn_paths_is_disco (datagram, sizeof datagram));
  g_assert_false (hn_paths_is_disco (datagram, 5));
  hn_random_bytes (junk, sizeof junk);
  junk[0] = 4;
  g_assert_false (hn_paths_is_disco (junk, sizeof junk));
  hn_paths_receive_udp (f->paths, &from, junk, sizeof junk, NOW);
  /* Over the relay: from nobody, or in another's name. */
  fixture_make_ping (f, datagram);
  hn_paths_receive_relay (f->paths, 3, NULL, datagram, sizeof datagram, NOW);
  {
    g_autoptr (HnNode) node = fixture_make_node (0x33, &f->own_public, NULL, 0);
    HnPathPeer *other = hn_paths_add (f->paths, node, f);

    fixture_make_ping (f, datagram);
    hn_paths_receive_relay (f->paths, 3, other, datagram, sizeof datagram, NOW);
    g_assert_cmpuint (counters->wrong_way, ==, 1);
    hn_paths_remove (f->paths, other);
  }

  g_assert_cmpuint (f->n_udp + f->n_relay, ==, 0);
  g_assert_null (hn_paths_lookup (f->paths, &from));
  g_assert_cmpint (hn_paths_get_deadline (f->paths), ==, G_MAXINT64);
}

static void
test_wrong_way (Fixture *f, gconstpointer data)
{
  const HnPathCounters *counters = hn_paths_get_counters (f->paths);
  HnEndpoint from = test_at ("198.51.100.7:1234");
  guint8 message[200] = { 0 };

  for (guint type = 0; type < 256; type++)
    {
      gboolean relay_only = type == 3 || (type >= 7 && type <= 9);
      guint64 before = counters->wrong_way;

      if (type == HN_DISCO_PING || type == HN_DISCO_PONG)
        continue;
      message[0] = (guint8) type;
      fixture_send (f, &from, message, type == 3 ? 2 + 18 * 4 : sizeof message,
                    NOW + type * SECOND);
      g_assert_cmpuint (counters->wrong_way - before, ==, relay_only ? 1 : 0);
      before = counters->wrong_way;
      if (type != 3)
        fixture_send (f, NULL, message, sizeof message, NOW + type * SECOND);
      g_assert_cmpuint (counters->wrong_way - before, ==, type >= 4 && type <= 6 ? 1 : 0);
    }
  g_assert_cmpuint (f->n_udp + f->n_relay, ==, 0);
}

static void
test_pongs (Fixture *f, gconstpointer data)
{
  const HnPathCounters *counters = hn_paths_get_counters (f->paths);
  HnEndpoint from = test_at ("198.51.100.7:1234");
  guint8 message[HN_DISCO_PONG_SIZE] = { 0 };
  HnPathRoute out;

  /* Never asked. */
  message[0] = HN_DISCO_PONG;
  fixture_send (f, &from, message, sizeof message, NOW);
  fixture_send (f, NULL, message, sizeof message, NOW);
  g_assert_cmpuint (counters->unexpected, ==, 2);

  /* Asked over UDP, answered over the relay. */
  fixture_ping (f, &from, NOW);
  fixture_route (f, NOW, &out);
  g_assert_true (out.relay);
  g_assert_false (out.direct);
  hn_paths_authenticated (f->paths, f->peer, &from, NOW + SECOND);
  fixture_ping (f, &from, NOW + SECOND);
  fixture_answer (f, NULL, NOW + SECOND);
  g_assert_cmpuint (counters->wrong_way, ==, 1);
  fixture_route (f, NOW + SECOND, &out);
  g_assert_false (out.direct);

  /* Too late. */
  fixture_answer (f, &from, NOW + 7 * SECOND);
  hn_paths_tick (f->paths, NOW + 12 * SECOND);
  g_assert_cmpuint (f->n_changes, <=, 1);
}

/* The address that was pinged counts, whatever the pong comes from; twice is once. */
static void
test_pong_source (Fixture *f, gconstpointer data)
{
  HnEndpoint pinged = test_at ("198.51.100.7:1234");
  HnEndpoint other = test_at ("198.51.100.8:4321");
  HnPathRoute out;

  fixture_ping (f, &pinged, NOW);
  fixture_route (f, NOW, &out);
  hn_paths_authenticated (f->paths, f->peer, &pinged, NOW + SECOND);
  fixture_ping (f, &pinged, NOW + SECOND);
  fixture_answer (f, &other, NOW + SECOND + 1000);
  fixture_route (f, NOW + SECOND + 1000, &out);
  g_assert_true (out.direct);
  g_assert_true (hn_endpoint_equal (&out.endpoint, &pinged));
  g_assert_true (hn_paths_lookup (f->paths, &other) == f->peer);
  fixture_answer (f, &other, NOW + SECOND + 2000);
  g_assert_cmpuint (hn_paths_get_counters (f->paths)->unexpected, ==, 1);
}

static gboolean
was_pinged (Fixture *f, const char *text)
{
  return g_hash_table_contains (f->targets, text);
}

static void
test_bad_candidates (Fixture *f, gconstpointer data)
{
  static const char *const bad[] = {
    "127.0.0.1:22",
    "127.3.3.40:1",
    "[::1]:80",
    "0.0.0.0:9",
    "0.1.2.3:9",
    "[::]:9",
    "224.0.0.251:5353",
    "239.255.255.250:1900",
    "[ff02::1]:9",
    "[ff0e::1]:9",
    "255.255.255.255:67",
    "240.0.0.1:9",
    "[fe80::1]:41641",
    "169.254.1.1:9",
    "100.64.0.1:41641",
    "100.127.255.255:9",
    "[fd7a:115c:a1e0::1]:9",
    "198.51.100.1:0",
    "10.20.0.1:9",
    "[2001:db8:5::1]:9",
  };
  static const char *const good[]
      = { "192.168.1.1:53", "100.128.0.1:9", "[fd00::1]:9", "198.51.100.9:9" };
  HnEndpoint list[G_N_ELEMENTS (bad) + G_N_ELEMENTS (good)];
  HnPrefix forbidden[2];
  g_autoptr (HnNode) node = NULL;
  HnPathRoute out;
  HnPathStats stats;
  guint n = 0;

  g_assert_true (hn_prefix_parse ("10.20.0.0/16", FALSE, &forbidden[0]));
  g_assert_true (hn_prefix_parse ("2001:db8:5::/48", FALSE, &forbidden[1]));
  hn_paths_set_forbidden (f->paths, forbidden, 2);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    list[n++] = test_at (bad[i]);
  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    list[n++] = test_at (good[i]);

  /* By the peer itself, by the map, and as the source of a ping. */
  fixture_call (f, list, n, NOW);
  g_assert_cmpuint (hn_paths_get_counters (f->paths)->bad_candidates, ==, G_N_ELEMENTS (bad));
  node = fixture_make_node (0x22, &f->disco_public, list, n);
  hn_paths_update (f->paths, f->peer, node, NOW + SECOND);
  fixture_route (f, NOW + SECOND, &out);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      guint before = f->n_udp;

      fixture_ping (f, &list[i], NOW + 2 * SECOND);
      g_assert_cmpuint (f->n_udp, ==, before);
      g_assert_false (was_pinged (f, bad[i]));
    }
  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    g_assert_true (was_pinged (f, good[i]));
  hn_paths_get_stats (f->paths, f->peer, NOW + 2 * SECOND, &stats);
  g_assert_cmpuint (stats.n_candidates, ==, G_N_ELEMENTS (good));
}

/* With nothing but loopback ourselves, it is where the others are; likewise links without DHCP. */
static void
test_local_candidates (Fixture *f, gconstpointer data)
{
  HnEndpoint own = test_at ("127.0.0.1:41641");
  HnEndpoint list[2] = { test_at ("127.0.0.1:5555"), test_at ("169.254.7.7:5") };

  hn_paths_set_endpoints (f->paths, &own, 1, NOW);
  fixture_call (f, list, 2, NOW);
  g_assert_true (was_pinged (f, "127.0.0.1:5555"));
  g_assert_false (was_pinged (f, "169.254.7.7:5"));
  own = test_at ("169.254.1.1:41641");
  hn_paths_set_endpoints (f->paths, &own, 1, NOW);
  fixture_call (f, list, 2, NOW + SECOND);
  g_assert_true (was_pinged (f, "169.254.7.7:5"));
}

/* The peer names our own address: of a network like ours, but we would only talk to ourselves. */
static void
test_own_as_candidate (Fixture *f, gconstpointer data)
{
  HnEndpoint own = test_at ("192.0.2.1:41641");

  fixture_call (f, &own, 1, NOW);
  g_assert_false (was_pinged (f, "192.0.2.1:41641"));
}

/* A thousand endpoints, again and again: each round costs us a bounded number of pings. */
static void
test_thousand (Fixture *f, gconstpointer data)
{
  HnEndpoint list[1000] = { 0 };
  g_autoptr (HnNode) node = NULL;
  HnPathStats stats;
  HnPathRoute out;
  HnEndpoint good = test_at ("198.51.100.50:50");

  for (guint round = 0; round < 60; round++)
    {
      for (guint i = 0; i < 1000; i++)
        {
          list[i].ip.family = 4;
          list[i].ip.bytes[0] = 50 + round;
          list[i].ip.bytes[2] = i >> 8;
          list[i].ip.bytes[3] = i & 0xff;
          list[i].port = 7;
        }
      fixture_call (f, list, 1000, NOW + round * SECOND);
    }
  hn_paths_get_stats (f->paths, f->peer, NOW, &stats);
  g_assert_cmpuint (stats.n_candidates, <=, 100);
  /* 120 at once and 25 a second. */
  g_assert_cmpuint (f->n_udp, <=, 120 + 60 * 25 + 25);

  node = fixture_make_node (0x22, &f->disco_public, list, 1000);
  hn_paths_update (f->paths, f->peer, node, NOW + 100 * SECOND);
  hn_paths_get_stats (f->paths, f->peer, NOW, &stats);
  g_assert_cmpuint (stats.n_candidates, <=, 100);
  /* What really comes from somewhere still finds room. */
  fixture_ping (f, &good, NOW + 200 * SECOND);
  f->n_udp = 0;
  fixture_route (f, NOW + 200 * SECOND, &out);
  g_assert_cmpuint (f->n_udp, <=, 100);
  hn_paths_authenticated (f->paths, f->peer, &good, NOW + 201 * SECOND);
  fixture_ping (f, &good, NOW + 201 * SECOND);
  g_assert_true (hn_endpoint_equal (&f->last_to, &good));
  fixture_answer (f, &good, NOW + 201 * SECOND + 10);
  fixture_route (f, NOW + 201 * SECOND + 10, &out);
  g_assert_true (out.direct);
}

/* A CallMeMaybe that points at the LAN's router: one small datagram, and again not before it is
 * named again, at most twice a second. */
static void
test_router (Fixture *f, gconstpointer data)
{
  HnEndpoint router = test_at ("192.168.1.1:53");

  for (guint i = 0; i < 1000; i++)
    fixture_call (f, &router, 1, NOW + i * 10000);
  g_assert_cmpuint (f->n_udp, <=, 21);
  g_assert_cmpuint (f->udp_bytes, <=, 21 * 124);
}

static void
test_flood (Fixture *f, gconstpointer data)
{
  const HnPathCounters *counters = hn_paths_get_counters (f->paths);
  HnEndpoint from = test_at ("198.51.100.7:1234"), stranger = test_at ("203.0.113.66:6");
  guint8 datagram[HN_DISCO_OVERHEAD + HN_DISCO_PING_SIZE];
  HnPathStats stats;
  guint before;

  /* Ten thousand pings of a peer within a second, each from elsewhere. */
  for (guint i = 0; i < 10000; i++)
    {
      from.port = (guint16) (1 + i);
      fixture_ping (f, &from, NOW + i * 100);
    }
  g_assert_cmpuint (f->n_udp, <=, 300 + 101);
  g_assert_cmpuint (counters->limited, >=, 9000);
  hn_paths_get_stats (f->paths, f->peer, NOW, &stats);
  g_assert_cmpuint (stats.n_candidates, <=, 100);

  /* Somebody forges the peer's name: its real words still come in, from where it was heard. */
  from = test_at ("198.51.100.7:1234");
  fixture_ping (f, &from, NOW + 100 * SECOND);
  for (guint i = 0; i < 20000; i++)
    {
      fixture_make_ping (f, datagram);
      datagram[100] ^= 1;
      hn_paths_receive_udp (f->paths, &stranger, datagram, sizeof datagram, NOW + 100 * SECOND + i);
    }
  g_assert_cmpuint (counters->bad_box, <=, 4000);
  before = f->n_udp;
  fixture_ping (f, &from, NOW + 100 * SECOND + 20000);
  g_assert_cmpuint (f->n_udp, ==, before + 1);
}

/* A replayed ping must not take an address away from whom it was proven to belong to. */
static void
test_stolen_address (Fixture *f, gconstpointer data)
{
  HnEndpoint from = test_at ("198.51.100.7:1234");
  g_autoptr (HnNode) node = fixture_make_node (0x33, NULL, NULL, 0);
  HnPathPeer *other = hn_paths_add (f->paths, node, f);

  hn_paths_authenticated (f->paths, other, &from, NOW);
  fixture_ping (f, &from, NOW);
  g_assert_true (hn_paths_lookup (f->paths, &from) == other);
  /* WireGuard's word counts for more. */
  hn_paths_authenticated (f->paths, f->peer, &from, NOW);
  g_assert_true (hn_paths_lookup (f->paths, &from) == f->peer);
  hn_paths_remove (f->paths, f->peer);
  g_assert_null (hn_paths_lookup (f->paths, &from));
  f->peer = NULL;
}

static void
test_many_addresses (Fixture *f, gconstpointer data)
{
  HnEndpoint from = test_at ("198.51.100.7:1");
  guint found = 0;

  for (guint i = 1; i <= 5000; i++)
    {
      from.port = (guint16) i;
      hn_paths_authenticated (f->paths, f->peer, &from, NOW + i);
      g_assert_true (hn_paths_lookup (f->paths, &from) == f->peer);
    }
  for (guint i = 1; i <= 5000; i++)
    {
      from.port = (guint16) i;
      found += hn_paths_lookup (f->paths, &from) != NULL;
    }
  g_assert_cmpuint (found, ==, 32);
}

/* A key that two nodes share: the node that a ping names is whose address it is. */
static void
test_shared_key (Fixture *f, gconstpointer data)
{
  HnEndpoint from = test_at ("198.51.100.7:1234"), other_from = test_at ("198.51.100.7:4321");
  g_autoptr (HnNode) node = fixture_make_node (0x33, &f->disco_public, NULL, 0);
  HnPathPeer *other = hn_paths_add (f->paths, node, f);
  HnNodePublic key = f->key;

  fixture_ping (f, &from, NOW);
  memset (f->key.bytes, 0x33, sizeof f->key.bytes);
  fixture_ping (f, &other_from, NOW);
  g_assert_true (hn_paths_lookup (f->paths, &from) == f->peer);
  g_assert_true (hn_paths_lookup (f->paths, &other_from) == other);
  g_assert_cmpuint (f->n_udp, ==, 2);
  /* Nobody of them: no answer. */
  memset (f->key.bytes, 0x44, sizeof f->key.bytes);
  fixture_ping (f, &from, NOW);
  g_assert_cmpuint (f->n_udp, ==, 2);
  hn_paths_remove (f->paths, other);
  /* The only one left. */
  fixture_ping (f, &from, NOW);
  g_assert_cmpuint (f->n_udp, ==, 3);
  f->key = key;
}

/* What a peer takes back is not used any more. */
static void
test_taken_back (Fixture *f, gconstpointer data)
{
  HnEndpoint endpoint = test_at ("198.51.100.7:1234");
  HnPathRoute out;

  fixture_call (f, &endpoint, 1, NOW);
  fixture_answer (f, &endpoint, NOW + 1000);
  fixture_route (f, NOW + 1000, &out);
  g_assert_true (out.direct);
  g_assert_cmpuint (f->n_changes, ==, 1);
  fixture_call (f, NULL, 0, NOW + SECOND);
  fixture_route (f, NOW + SECOND, &out);
  g_assert_false (out.direct);
  g_assert_cmpuint (f->n_changes, ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  FIXTURE_ADD ("/paths-input/pong", test_pong);
  FIXTURE_ADD ("/paths-input/relay-ping", test_relay_ping);
  FIXTURE_ADD ("/paths-input/no-amplification", test_no_amplification);
  FIXTURE_ADD ("/paths-input/no-reflection", test_no_reflection);
  FIXTURE_ADD ("/paths-input/strangers", test_strangers);
  FIXTURE_ADD ("/paths-input/wrong-way", test_wrong_way);
  FIXTURE_ADD ("/paths-input/pongs", test_pongs);
  FIXTURE_ADD ("/paths-input/pong-source", test_pong_source);
  FIXTURE_ADD ("/paths-input/bad-candidates", test_bad_candidates);
  FIXTURE_ADD ("/paths-input/local-candidates", test_local_candidates);
  FIXTURE_ADD ("/paths-input/own-as-candidate", test_own_as_candidate);
  FIXTURE_ADD ("/paths-input/thousand", test_thousand);
  FIXTURE_ADD ("/paths-input/router", test_router);
  FIXTURE_ADD ("/paths-input/flood", test_flood);
  FIXTURE_ADD ("/paths-input/stolen-address", test_stolen_address);
  FIXTURE_ADD ("/paths-input/many-addresses", test_many_addresses);
  FIXTURE_ADD ("/paths-input/shared-key", test_shared_key);
  FIXTURE_ADD ("/paths-input/taken-back", test_taken_back);
  return g_test_run ();
}
