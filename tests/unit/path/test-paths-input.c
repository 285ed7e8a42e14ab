/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hostile networks, relays and peers may send to the path machine, and what it must cost them
 * and us. The machine under test has one peer whose keys the test holds.
 */
#include <errno.h>
#include <string.h>

#include "base/hn-error.h"
#include "path/hn-disco-codec.h"
#include "path/hn-paths.h"

#define SECOND G_USEC_PER_SEC
#define NOW (1000 * SECOND)

typedef struct
{
  HnPaths *paths;
  HnPathPeer *peer;
  HnDiscoPrivate own, disco;
  HnDiscoPublic own_public, disco_public;
  HnNodePublic key;
  guint8 shared[32];
  guint8 tx_id;

  guint n_udp, n_relay;
  gsize udp_bytes;
  HnEndpoint last_to;
  int last_region;
  guint8 last[2000];
  gsize last_len;
  GHashTable *targets; /* address texts that something was sent to over UDP */
  guint n_changes, n_pongs;
  HnPathPong pong;
  HnPathPeer *to_remove; /* by the next callback */
} Fixture;

static int
on_send_udp (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len)
{
  Fixture *f = user;
  char text[HN_IP_TEXT_MAX];

  f->n_udp++;
  f->udp_bytes += len;
  f->last_to = *to;
  memcpy (f->last, data, len);
  f->last_len = len;
  g_hash_table_add (f->targets, g_strdup (hn_endpoint_format (to, text)));
  if (f->to_remove != NULL)
    hn_paths_remove (f->paths, g_steal_pointer (&f->to_remove));
  return 0;
}

static int
on_send_relay (gpointer user, int region, const HnNodePublic *peer, const guint8 *data, gsize len)
{
  Fixture *f = user;

  f->n_relay++;
  f->last_region = region;
  g_assert_cmpuint (len, <=, sizeof f->last);
  memcpy (f->last, data, len);
  f->last_len = len;
  return region != 0 ? region : 1;
}

static void
on_refresh_endpoints (gpointer user)
{
}

static void
on_path_changed (gpointer user, HnPathPeer *peer, const HnEndpoint *endpoint)
{
  Fixture *f = user;

  f->n_changes++;
  if (f->to_remove != NULL)
    hn_paths_remove (f->paths, g_steal_pointer (&f->to_remove));
}

static void
on_ping_done (gpointer user, gpointer token, const HnPathPong *pong)
{
  Fixture *f = user;

  f->n_pongs++;
  f->pong = *pong;
}

static const HnPathOps ops
    = { on_send_udp, on_send_relay, on_refresh_endpoints, on_path_changed, on_ping_done };

static HnEndpoint
at (const char *text)
{
  HnEndpoint endpoint;

  g_assert_true (hn_endpoint_parse (text, &endpoint));
  return endpoint;
}

static HnNode *
make_node (guint8 key, const HnDiscoPublic *disco, const HnEndpoint *endpoints, gsize n)
{
  HnNodeFields fields = { .id = key, .stable_id = "n", .name = "n", .home_derp = 3 };

  fields.host_name = fields.os = "";
  memset (fields.key.bytes, key, sizeof fields.key.bytes);
  if (disco != NULL)
    fields.disco = *disco;
  fields.endpoints = endpoints;
  fields.n_endpoints = n;
  return hn_node_new (&fields);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  HnEndpoint own = at ("192.0.2.1:41641");
  g_autoptr (HnNode) node = NULL;
  HnNodePublic own_key;

  hn_disco_private_generate (&f->own);
  hn_disco_private_get_public (&f->own, &f->own_public);
  hn_disco_private_generate (&f->disco);
  hn_disco_private_get_public (&f->disco, &f->disco_public);
  g_assert_true (hn_box_precompute (f->disco.bytes, f->own_public.bytes, f->shared));
  memset (own_key.bytes, 0x77, sizeof own_key.bytes);
  memset (f->key.bytes, 0x22, sizeof f->key.bytes);
  f->targets = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  f->paths = hn_paths_new (&ops, f);
  hn_paths_set_keys (f->paths, &f->own, &own_key);
  hn_paths_set_endpoints (f->paths, &own, 1, NOW);
  node = make_node (0x22, &f->disco_public, NULL, 0);
  f->peer = hn_paths_add (f->paths, node, f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  hn_paths_free (f->paths);
  g_hash_table_unref (f->targets);
}

/* --- what the peer sends --- */

static gsize
seal (Fixture *f, const guint8 *message, gsize len, guint8 *out)
{
  guint8 nonce[HN_BOX_NONCE_SIZE];

  hn_random_bytes (nonce, sizeof nonce);
  return hn_disco_seal (&f->disco_public, f->shared, nonce, message, len, out);
}

static void
send_message (Fixture *f, const HnEndpoint *from, const guint8 *message, gsize len, gint64 now_us)
{
  guint8 *datagram = g_malloc (HN_DISCO_OVERHEAD + len);
  gsize size = seal (f, message, len, datagram);

  if (from != NULL)
    hn_paths_receive_udp (f->paths, from, datagram, size, now_us);
  else
    hn_paths_receive_relay (f->paths, 3, f->peer, datagram, size, now_us);
  g_free (datagram);
}

static gsize
make_ping (Fixture *f, guint8 *out)
{
  guint8 tx_id[HN_DISCO_TX_ID_SIZE];
  guint8 message[HN_DISCO_PING_SIZE];

  hn_random_bytes (tx_id, sizeof tx_id);
  hn_disco_build_ping (message, tx_id, &f->key);
  return seal (f, message, sizeof message, out);
}

static void
send_ping (Fixture *f, const HnEndpoint *from, gint64 now_us)
{
  guint8 datagram[HN_DISCO_OVERHEAD + HN_DISCO_PING_SIZE];

  make_ping (f, datagram);
  hn_paths_receive_udp (f->paths, from, datagram, sizeof datagram, now_us);
}

static void
send_call (Fixture *f, const HnEndpoint *endpoints, gsize n, gint64 now_us)
{
  guint8 *message = g_malloc (2 + n * HN_DISCO_ENDPOINT_SIZE);

  hn_disco_build_call_me_maybe (message, endpoints, n);
  send_message (f, NULL, message, 2 + n * HN_DISCO_ENDPOINT_SIZE, now_us);
  g_free (message);
}

/* What we sent last, opened by the peer. */
static void
open_last (Fixture *f, HnDiscoMessage *out)
{
  static guint8 copy[2000];
  const guint8 *message;
  gsize len;

  memcpy (copy, f->last, f->last_len);
  g_assert_true (hn_disco_open (f->shared, copy, f->last_len, &message, &len));
  g_assert_true (hn_disco_parse (message, len, out));
}

/* Answers the last ping of ours. */
static void
answer (Fixture *f, const HnEndpoint *from, gint64 now_us)
{
  HnDiscoMessage ping;
  guint8 message[HN_DISCO_PONG_SIZE];
  HnEndpoint seen = at ("192.0.2.1:41641");

  open_last (f, &ping);
  g_assert_cmpuint (ping.type, ==, HN_DISCO_PING);
  hn_disco_build_pong (message, ping.tx_id, &seen);
  send_message (f, from, message, sizeof message, now_us);
}

static void
route (Fixture *f, gint64 now_us, HnPathRoute *out)
{
  hn_paths_route (f->paths, f->peer, now_us, out);
}

/* Makes @endpoint the trusted path. */
static void
make_direct (Fixture *f, const HnEndpoint *endpoint, gint64 now_us)
{
  HnPathRoute out;

  route (f, now_us, &out);
  send_ping (f, endpoint, now_us);
  g_assert_true (hn_endpoint_equal (&f->last_to, endpoint));
  answer (f, endpoint, now_us + 1000);
  route (f, now_us + 1000, &out);
  g_assert_true (out.direct);
  g_assert_false (out.relay);
}

/* --- tests --- */

static void
test_pong (Fixture *f, gconstpointer data)
{
  HnEndpoint from = at ("198.51.100.7:1234");
  guint8 datagram[HN_DISCO_OVERHEAD + HN_DISCO_PING_SIZE], copy[sizeof datagram];
  HnDiscoMessage pong;

  make_ping (f, datagram);
  memcpy (copy, datagram, sizeof copy);
  hn_paths_receive_udp (f->paths, &from, datagram, sizeof datagram, NOW);
  g_assert_cmpuint (f->n_udp, ==, 1);
  g_assert_cmpuint (f->n_relay, ==, 0);
  g_assert_true (hn_endpoint_equal (&f->last_to, &from));
  g_assert_cmpuint (f->last_len, <=, sizeof datagram);
  open_last (f, &pong);
  g_assert_cmpuint (pong.type, ==, HN_DISCO_PONG);
  g_assert_true (hn_endpoint_equal (&pong.source, &from));
  g_assert_true (hn_paths_lookup (f->paths, &from) == f->peer);

  /* The same again, from there or from elsewhere: nobody is answered twice. */
  memcpy (datagram, copy, sizeof copy);
  hn_paths_receive_udp (f->paths, &from, datagram, sizeof datagram, NOW);
  from = at ("203.0.113.200:53");
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

  make_ping (f, datagram);
  hn_paths_receive_relay (f->paths, 9, f->peer, datagram, sizeof datagram, NOW);
  g_assert_cmpuint (f->n_udp, ==, 0);
  g_assert_cmpuint (f->n_relay, ==, 1);
  g_assert_cmpint (f->last_region, ==, 9);
  open_last (f, &pong);
  g_assert_cmpuint (pong.type, ==, HN_DISCO_PONG);
  g_assert_cmpuint (pong.source.port, ==, 9);
  hn_paths_get_stats (f->paths, f->peer, NOW, &stats);
  g_assert_cmpuint (stats.n_candidates, ==, 0);
}

/* Answers that are bigger than what was sent would help whoever forges sources. */
static void
test_no_amplification (Fixture *f, gconstpointer data)
{
  HnEndpoint from = at ("198.51.100.7:1234");
  guint8 message[HN_DISCO_PING_SIZE + 100] = { 0 };

  for (gsize len = 2 + HN_DISCO_TX_ID_SIZE; len <= sizeof message; len++)
    {
      gsize before = f->udp_bytes;

      hn_random_bytes (message, sizeof message);
      message[0] = HN_DISCO_PING;
      message[1] = 0;
      send_message (f, &from, message, len, NOW);
      g_assert_cmpuint (f->udp_bytes - before, <=, HN_DISCO_OVERHEAD + len);
    }
  g_assert_cmpuint (f->n_udp, >, 0);
}

static void
test_strangers (Fixture *f, gconstpointer data)
{
  const HnPathCounters *counters = hn_paths_get_counters (f->paths);
  HnEndpoint from = at ("198.51.100.7:1234");
  guint8 datagram[HN_DISCO_OVERHEAD + HN_DISCO_PING_SIZE];
  guint8 junk[300];

  /* A key that nobody has. */
  make_ping (f, datagram);
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
      make_ping (f, datagram);
      datagram[i] ^= 0x40;
      hn_paths_receive_udp (f->paths, &from, datagram, sizeof datagram, NOW);
      g_assert_cmpuint (counters->bad_box, ==, i - 37);
    }
  /* Cut off. */
  for (guint len = 0; len < HN_DISCO_OVERHEAD + 2; len++)
    {
      make_ping (f, datagram);
      hn_paths_receive_udp (f->paths, &from, datagram, len, NOW);
      g_assert_cmpuint (counters->malformed, ==, len + 1);
    }
  make_ping (f, datagram);
  g_assert_true (hn_paths_is_disco (datagram, sizeof datagram));
  g_assert_false (hn_paths_is_disco (datagram, 5));
  hn_random_bytes (junk, sizeof junk);
  junk[0] = 4;
  g_assert_false (hn_paths_is_disco (junk, sizeof junk));
  hn_paths_receive_udp (f->paths, &from, junk, sizeof junk, NOW);
  /* Over the relay: from nobody, or in another's name. */
  make_ping (f, datagram);
  hn_paths_receive_relay (f->paths, 3, NULL, datagram, sizeof datagram, NOW);
  {
    g_autoptr (HnNode) node = make_node (0x33, &f->own_public, NULL, 0);
    HnPathPeer *other = hn_paths_add (f->paths, node, f);

    make_ping (f, datagram);
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
  HnEndpoint from = at ("198.51.100.7:1234");
  guint8 message[200] = { 0 };

  for (guint type = 0; type < 256; type++)
    {
      gboolean relay_only = type == 3 || (type >= 7 && type <= 9);
      guint64 before = counters->wrong_way;

      if (type == HN_DISCO_PING || type == HN_DISCO_PONG)
        continue;
      message[0] = (guint8) type;
      send_message (f, &from, message, type == 3 ? 2 + 18 * 4 : sizeof message,
                    NOW + type * SECOND);
      g_assert_cmpuint (counters->wrong_way - before, ==, relay_only ? 1 : 0);
      before = counters->wrong_way;
      if (type != 3)
        send_message (f, NULL, message, sizeof message, NOW + type * SECOND);
      g_assert_cmpuint (counters->wrong_way - before, ==, type >= 4 && type <= 6 ? 1 : 0);
    }
  g_assert_cmpuint (f->n_udp + f->n_relay, ==, 0);
}

static void
test_pongs (Fixture *f, gconstpointer data)
{
  const HnPathCounters *counters = hn_paths_get_counters (f->paths);
  HnEndpoint from = at ("198.51.100.7:1234");
  guint8 message[HN_DISCO_PONG_SIZE] = { 0 };
  HnPathRoute out;

  /* Never asked. */
  message[0] = HN_DISCO_PONG;
  send_message (f, &from, message, sizeof message, NOW);
  send_message (f, NULL, message, sizeof message, NOW);
  g_assert_cmpuint (counters->unexpected, ==, 2);

  /* Asked over UDP, answered over the relay. */
  send_ping (f, &from, NOW);
  route (f, NOW, &out);
  g_assert_true (out.relay);
  g_assert_false (out.direct);
  send_ping (f, &from, NOW + SECOND);
  answer (f, NULL, NOW + SECOND);
  g_assert_cmpuint (counters->wrong_way, ==, 1);
  route (f, NOW + SECOND, &out);
  g_assert_false (out.direct);

  /* Too late. */
  answer (f, &from, NOW + 7 * SECOND);
  hn_paths_tick (f->paths, NOW + 12 * SECOND);
  g_assert_cmpuint (f->n_changes, <=, 1);
}

/* The address that was pinged counts, whatever the pong comes from; twice is once. */
static void
test_pong_source (Fixture *f, gconstpointer data)
{
  HnEndpoint pinged = at ("198.51.100.7:1234");
  HnEndpoint other = at ("198.51.100.8:4321");
  HnPathRoute out;

  send_ping (f, &pinged, NOW);
  route (f, NOW, &out);
  send_ping (f, &pinged, NOW + SECOND);
  answer (f, &other, NOW + SECOND + 1000);
  route (f, NOW + SECOND + 1000, &out);
  g_assert_true (out.direct);
  g_assert_true (hn_endpoint_equal (&out.endpoint, &pinged));
  g_assert_true (hn_paths_lookup (f->paths, &other) == f->peer);
  answer (f, &other, NOW + SECOND + 2000);
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
    list[n++] = at (bad[i]);
  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    list[n++] = at (good[i]);

  /* By the peer itself, by the map, and as the source of a ping. */
  send_call (f, list, n, NOW);
  g_assert_cmpuint (hn_paths_get_counters (f->paths)->bad_candidates, ==, G_N_ELEMENTS (bad));
  node = make_node (0x22, &f->disco_public, list, n);
  hn_paths_update (f->paths, f->peer, node, NOW + SECOND);
  route (f, NOW + SECOND, &out);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      guint before = f->n_udp;

      send_ping (f, &list[i], NOW + 2 * SECOND);
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
  HnEndpoint own = at ("127.0.0.1:41641");
  HnEndpoint list[2] = { at ("127.0.0.1:5555"), at ("169.254.7.7:5") };

  hn_paths_set_endpoints (f->paths, &own, 1, NOW);
  send_call (f, list, 2, NOW);
  g_assert_true (was_pinged (f, "127.0.0.1:5555"));
  g_assert_false (was_pinged (f, "169.254.7.7:5"));
  own = at ("169.254.1.1:41641");
  hn_paths_set_endpoints (f->paths, &own, 1, NOW);
  send_call (f, list, 2, NOW + SECOND);
  g_assert_true (was_pinged (f, "169.254.7.7:5"));
}

/* The peer names our own address: of a network like ours, but we would only talk to ourselves. */
static void
test_own_as_candidate (Fixture *f, gconstpointer data)
{
  HnEndpoint own = at ("192.0.2.1:41641");

  send_call (f, &own, 1, NOW);
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
  HnEndpoint good = at ("198.51.100.50:50");

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
      send_call (f, list, 1000, NOW + round * SECOND);
    }
  hn_paths_get_stats (f->paths, f->peer, NOW, &stats);
  g_assert_cmpuint (stats.n_candidates, <=, 100);
  /* 120 at once and 25 a second. */
  g_assert_cmpuint (f->n_udp, <=, 120 + 60 * 25 + 25);

  node = make_node (0x22, &f->disco_public, list, 1000);
  hn_paths_update (f->paths, f->peer, node, NOW + 100 * SECOND);
  hn_paths_get_stats (f->paths, f->peer, NOW, &stats);
  g_assert_cmpuint (stats.n_candidates, <=, 100);
  /* What really comes from somewhere still finds room. */
  send_ping (f, &good, NOW + 200 * SECOND);
  f->n_udp = 0;
  route (f, NOW + 200 * SECOND, &out);
  g_assert_cmpuint (f->n_udp, <=, 100);
  send_ping (f, &good, NOW + 201 * SECOND);
  g_assert_true (hn_endpoint_equal (&f->last_to, &good));
  answer (f, &good, NOW + 201 * SECOND + 10);
  route (f, NOW + 201 * SECOND + 10, &out);
  g_assert_true (out.direct);
}

/* A CallMeMaybe that points at the LAN's router: one small datagram, and again not before it is
 * named again, at most twice a second. */
static void
test_router (Fixture *f, gconstpointer data)
{
  HnEndpoint router = at ("192.168.1.1:53");

  for (guint i = 0; i < 1000; i++)
    send_call (f, &router, 1, NOW + i * 10000);
  g_assert_cmpuint (f->n_udp, <=, 21);
  g_assert_cmpuint (f->udp_bytes, <=, 21 * 124);
}

static void
test_flood (Fixture *f, gconstpointer data)
{
  const HnPathCounters *counters = hn_paths_get_counters (f->paths);
  HnEndpoint from = at ("198.51.100.7:1234"), stranger = at ("203.0.113.66:6");
  guint8 datagram[HN_DISCO_OVERHEAD + HN_DISCO_PING_SIZE];
  HnPathStats stats;
  guint before;

  /* Ten thousand pings of a peer within a second, each from elsewhere. */
  for (guint i = 0; i < 10000; i++)
    {
      from.port = (guint16) (1 + i);
      send_ping (f, &from, NOW + i * 100);
    }
  g_assert_cmpuint (f->n_udp, <=, 300 + 101);
  g_assert_cmpuint (counters->limited, >=, 9000);
  hn_paths_get_stats (f->paths, f->peer, NOW, &stats);
  g_assert_cmpuint (stats.n_candidates, <=, 100);

  /* Somebody forges the peer's name: its real words still come in, from where it was heard. */
  from = at ("198.51.100.7:1234");
  send_ping (f, &from, NOW + 100 * SECOND);
  for (guint i = 0; i < 20000; i++)
    {
      make_ping (f, datagram);
      datagram[100] ^= 1;
      hn_paths_receive_udp (f->paths, &stranger, datagram, sizeof datagram, NOW + 100 * SECOND + i);
    }
  g_assert_cmpuint (counters->bad_box, <=, 4000);
  before = f->n_udp;
  send_ping (f, &from, NOW + 100 * SECOND + 20000);
  g_assert_cmpuint (f->n_udp, ==, before + 1);
}

/* A replayed ping must not take an address away from whom it was proven to belong to. */
static void
test_stolen_address (Fixture *f, gconstpointer data)
{
  HnEndpoint from = at ("198.51.100.7:1234");
  g_autoptr (HnNode) node = make_node (0x33, NULL, NULL, 0);
  HnPathPeer *other = hn_paths_add (f->paths, node, f);

  hn_paths_authenticated (f->paths, other, &from, NOW);
  send_ping (f, &from, NOW);
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
  HnEndpoint from = at ("198.51.100.7:1");
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
  HnEndpoint from = at ("198.51.100.7:1234"), other_from = at ("198.51.100.7:4321");
  g_autoptr (HnNode) node = make_node (0x33, &f->disco_public, NULL, 0);
  HnPathPeer *other = hn_paths_add (f->paths, node, f);
  HnNodePublic key = f->key;

  send_ping (f, &from, NOW);
  memset (f->key.bytes, 0x33, sizeof f->key.bytes);
  send_ping (f, &other_from, NOW);
  g_assert_true (hn_paths_lookup (f->paths, &from) == f->peer);
  g_assert_true (hn_paths_lookup (f->paths, &other_from) == other);
  g_assert_cmpuint (f->n_udp, ==, 2);
  /* Nobody of them: no answer. */
  memset (f->key.bytes, 0x44, sizeof f->key.bytes);
  send_ping (f, &from, NOW);
  g_assert_cmpuint (f->n_udp, ==, 2);
  hn_paths_remove (f->paths, other);
  /* The only one left. */
  send_ping (f, &from, NOW);
  g_assert_cmpuint (f->n_udp, ==, 3);
  f->key = key;
}

/* What a peer takes back is not used any more. */
static void
test_taken_back (Fixture *f, gconstpointer data)
{
  HnEndpoint endpoint = at ("198.51.100.7:1234");
  HnPathRoute out;

  send_call (f, &endpoint, 1, NOW);
  answer (f, &endpoint, NOW + 1000);
  route (f, NOW + 1000, &out);
  g_assert_true (out.direct);
  g_assert_cmpuint (f->n_changes, ==, 1);
  send_call (f, NULL, 0, NOW + SECOND);
  route (f, NOW + SECOND, &out);
  g_assert_false (out.direct);
  g_assert_cmpuint (f->n_changes, ==, 2);
}

/* Tells a path's latency by a ping and its pong. */
static void
measure (Fixture *f, const HnEndpoint *endpoint, gint64 latency_us, gint64 now_us)
{
  HnPathRoute out;

  route (f, now_us, &out);
  send_ping (f, endpoint, now_us);
  g_assert_true (hn_endpoint_equal (&f->last_to, endpoint));
  answer (f, endpoint, now_us + latency_us);
}

/* The faster, except that a LAN, IPv6 and what is in use are worth some. */
static void
test_preference (Fixture *f, gconstpointer data)
{
  HnEndpoint far = at ("198.51.100.7:1"), near = at ("198.51.100.8:1"),
             six = at ("[2001:db8::1]:1");
  HnEndpoint lan = at ("192.168.3.3:1"), slow_lan = at ("10.0.0.9:1"), same = at ("198.51.100.9:1");
  const struct
  {
    const HnEndpoint *endpoint;
    gint64 latency_us;
    const HnEndpoint *best;
  } steps[] = {
    { &far, 100000, &far },  { &near, 60000, &near },    { &far, 59900, &near },
    { &same, 59700, &near }, { &six, 57000, &six },      { &near, 55000, &six },
    { &lan, 60000, &lan },   { &slow_lan, 90000, &lan }, { &six, 60000, &lan },
  };
  HnPathStats stats;

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      /* Within the trust of the first. */
      gint64 now = NOW + i * 600000;

      if (hn_paths_lookup (f->paths, steps[i].endpoint) == NULL)
        measure (f, steps[i].endpoint, steps[i].latency_us, now);
      hn_paths_get_stats (f->paths, f->peer, now + steps[i].latency_us, &stats);
      g_assert_true (stats.direct);
      g_assert_true (hn_endpoint_equal (&stats.endpoint, steps[i].best));
    }
  /* What the tailnet claims for itself is no path, however good it was. */
  {
    HnPrefix forbidden;

    g_assert_true (hn_prefix_parse ("192.168.3.0/24", FALSE, &forbidden));
    hn_paths_set_forbidden (f->paths, &forbidden, 1);
    hn_paths_get_stats (f->paths, f->peer, NOW + 5 * SECOND, &stats);
    g_assert_false (stats.direct);
  }
}

static void
test_wireguard_only (Fixture *f, gconstpointer data)
{
  HnEndpoint list[2] = { at ("127.0.0.1:7"), at ("198.51.100.7:51820") };
  HnEndpoint moved = at ("198.51.100.8:51820");
  HnNodeFields fields = { .id = 9, .stable_id = "n", .name = "n", .wireguard_only = TRUE };
  g_autoptr (HnNode) node = NULL;
  HnPathPeer *peer;
  HnPathRoute out;

  fields.host_name = fields.os = "";
  fields.endpoints = list;
  fields.n_endpoints = 2;
  memset (fields.key.bytes, 0x66, sizeof fields.key.bytes);
  node = hn_node_new (&fields);
  peer = hn_paths_add (f->paths, node, f);
  hn_paths_route (f->paths, peer, NOW, &out);
  g_assert_true (out.direct);
  g_assert_false (out.relay);
  g_assert_true (hn_endpoint_equal (&out.endpoint, &list[1]));
  hn_paths_authenticated (f->paths, peer, &moved, NOW);
  hn_paths_route (f->paths, peer, NOW, &out);
  g_assert_true (hn_endpoint_equal (&out.endpoint, &moved));
}

/* Over the relay although there is a path: the peer may know more, so the path is asked. */
static void
test_heard_over_relay (Fixture *f, gconstpointer data)
{
  HnEndpoint endpoint = at ("198.51.100.7:1234");

  make_direct (f, &endpoint, NOW);
  f->n_udp = 0;
  for (guint i = 0; i < 100; i++)
    hn_paths_heard_over_relay (f->paths, f->peer, NOW + SECOND + i * 1000);
  g_assert_cmpuint (f->n_udp, ==, 1);
  answer (f, &endpoint, NOW + SECOND + 100000);
  hn_paths_heard_over_relay (f->paths, f->peer, NOW + SECOND + 200000);
  g_assert_cmpuint (f->n_udp, ==, 1);
  hn_paths_heard_over_relay (f->paths, f->peer, NOW + 2 * SECOND);
  g_assert_cmpuint (f->n_udp, ==, 2);
}

/* --- pings that somebody asked for --- */

static void
test_ask (Fixture *f, gconstpointer data)
{
  HnEndpoint endpoint = at ("198.51.100.7:1234");
  g_autoptr (HnNode) node = NULL;
  g_autoptr (GError) error = NULL;
  HnPathPeer *mute;

  /* Nobody answers. */
  g_assert_true (hn_paths_ping (f->paths, f->peer, f, NOW + SECOND, NOW, NULL));
  g_assert_cmpuint (f->n_relay, >=, 1);
  g_assert_cmpint (hn_paths_get_deadline (f->paths), <=, NOW + SECOND);
  hn_paths_tick (f->paths, NOW + SECOND);
  g_assert_cmpuint (f->n_pongs, ==, 1);
  g_assert_cmpint (f->pong.latency_us, <, 0);

  /* Directly. */
  make_direct (f, &endpoint, NOW + 10 * SECOND);
  g_assert_true (hn_paths_ping (f->paths, f->peer, f, NOW + 14 * SECOND, NOW + 11 * SECOND, NULL));
  answer (f, &endpoint, NOW + 11 * SECOND + 7000);
  g_assert_cmpuint (f->n_pongs, ==, 2);
  g_assert_true (f->pong.direct);
  g_assert_true (hn_endpoint_equal (&f->pong.endpoint, &endpoint));
  g_assert_cmpint (f->pong.latency_us, ==, 7000);

  /* Taken back, and with a peer that goes away. */
  g_assert_true (hn_paths_ping (f->paths, f->peer, f, NOW + 20 * SECOND, NOW + 15 * SECOND, NULL));
  hn_paths_cancel_ping (f->paths, f);
  hn_paths_tick (f->paths, NOW + 20 * SECOND);
  g_assert_cmpuint (f->n_pongs, ==, 2);
  g_assert_true (hn_paths_ping (f->paths, f->peer, f, NOW + 30 * SECOND, NOW + 21 * SECOND, NULL));
  hn_paths_remove (f->paths, f->peer);
  g_assert_cmpuint (f->n_pongs, ==, 3);
  g_assert_cmpint (f->pong.latency_us, <, 0);

  node = make_node (0x55, NULL, NULL, 0);
  mute = hn_paths_add (f->paths, node, f);
  g_assert_false (hn_paths_ping (f->paths, mute, f, NOW + SECOND, NOW, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_NOT_SUPPORTED);
}

static void
test_ask_relay (Fixture *f, gconstpointer data)
{
  HnEndpoint endpoint = at ("198.51.100.7:1234");
  HnPathStats stats;

  /* It has no candidates: what goes out last is the CallMeMaybe of the search, before it the ping. */
  hn_paths_set_endpoints (f->paths, NULL, 0, NOW);
  g_assert_true (hn_paths_ping (f->paths, f->peer, f, NOW + SECOND, NOW, NULL));
  answer (f, NULL, NOW + 33000);
  g_assert_cmpuint (f->n_pongs, ==, 1);
  g_assert_false (f->pong.direct);
  g_assert_cmpint (f->pong.relay, ==, 3);
  g_assert_cmpint (f->pong.latency_us, ==, 33000);
  hn_paths_get_stats (f->paths, f->peer, NOW + SECOND, &stats);
  g_assert_cmpint (stats.relay_latency_us, ==, 33000);
  g_assert_false (stats.direct);

  /* A trusted path that just died: the relay is asked as well before the time is up. */
  make_direct (f, &endpoint, NOW + 10 * SECOND);
  f->n_relay = 0;
  g_assert_true (hn_paths_ping (f->paths, f->peer, f, NOW + 14 * SECOND, NOW + 11 * SECOND, NULL));
  g_assert_cmpuint (f->n_relay, ==, 0);
  hn_paths_tick (f->paths, NOW + 11 * SECOND + 600000);
  g_assert_cmpuint (f->n_relay, >=, 1);
}

static void
test_ask_limit (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  guint n;

  for (n = 0; n < 1000; n++)
    if (!hn_paths_ping (f->paths, f->peer, GUINT_TO_POINTER (n + 1), NOW + SECOND, NOW, &error))
      break;
  g_assert_cmpuint (n, ==, 64);
  g_assert_error (error, HN_ERROR, HN_ERROR_BUSY);
  hn_paths_tick (f->paths, NOW + SECOND);
  g_assert_cmpuint (f->n_pongs, ==, 64);
}

/* --- the owner --- */

/* Callbacks may take the peer away that they tell of, or that is being sent to. */
static void
test_removed_within (Fixture *f, gconstpointer data)
{
  HnEndpoint list[3] = { at ("198.51.100.1:1"), at ("198.51.100.2:1"), at ("198.51.100.3:1") };
  g_autoptr (HnNode) node = make_node (0x22, &f->disco_public, list, 3);
  HnPathRoute out;

  hn_paths_update (f->paths, f->peer, node, NOW);
  f->to_remove = f->peer;
  route (f, NOW, &out);
  g_assert_null (f->to_remove);
  g_assert_cmpuint (f->n_udp, ==, 1);
  g_assert_cmpint (hn_paths_get_deadline (f->paths), ==, G_MAXINT64);

  f->peer = hn_paths_add (f->paths, node, f);
  route (f, NOW + SECOND, &out);
  send_ping (f, &list[0], NOW + SECOND);
  f->to_remove = f->peer;
  answer (f, &list[0], NOW + SECOND + 1000);
  g_assert_null (f->to_remove);
  g_assert_cmpint (hn_paths_get_deadline (f->paths), ==, G_MAXINT64);
}

static void
test_new_keys (Fixture *f, gconstpointer data)
{
  HnEndpoint from = at ("198.51.100.7:1234");
  HnDiscoPrivate disco;

  send_ping (f, &from, NOW);
  g_assert_cmpuint (f->n_udp, ==, 1);
  hn_disco_private_generate (&disco);
  hn_paths_set_keys (f->paths, &disco, &f->key);
  send_ping (f, &from, NOW);
  g_assert_cmpuint (hn_paths_get_counters (f->paths)->bad_box, ==, 1);
  hn_paths_set_keys (f->paths, &f->own, &f->key);
  send_ping (f, &from, NOW);
  g_assert_cmpuint (f->n_udp, ==, 2);
}

/* A thousand peers: nothing to do for those that nobody talks to, and little memory. */
static void
test_thousand_peers (Fixture *f, gconstpointer data)
{
  HnPathPeer *peers[1000];
  HnEndpoint endpoint = at ("198.51.100.7:1234");
  guint wake_ups = 0;
  gint64 now = NOW;
  HnPathRoute out;

  for (guint i = 0; i < 1000; i++)
    {
      HnNodeFields fields = { .id = 1000 + i, .stable_id = "n", .name = "n", .home_derp = 1 };
      g_autoptr (HnNode) node = NULL;

      fields.host_name = fields.os = "";
      hn_random_bytes (&fields.key, sizeof fields.key);
      hn_random_bytes (&fields.disco, sizeof fields.disco);
      fields.endpoints = &endpoint;
      fields.n_endpoints = 1;
      node = hn_node_new (&fields);
      peers[i] = hn_paths_add (f->paths, node, f);
      hn_paths_update (f->paths, peers[i], node, now);
    }
  g_assert_cmpint (hn_paths_get_deadline (f->paths), ==, G_MAXINT64);
  hn_paths_network_changed (f->paths, TRUE, now);
  g_assert_cmpuint (f->n_udp + f->n_relay, ==, 0);
  g_assert_cmpint (hn_paths_get_deadline (f->paths), ==, G_MAXINT64);

  /* All of them at once: bounded, and they wake us up together. */
  for (guint i = 0; i < 1000; i++)
    hn_paths_route (f->paths, peers[i], now, &out);
  while (hn_paths_get_deadline (f->paths) < NOW + 40 * SECOND)
    {
      now = hn_paths_get_deadline (f->paths);
      hn_paths_tick (f->paths, now);
      wake_ups++;
    }
  g_assert_cmpuint (wake_ups, <=, 40);
  /* And after a while nothing is left of it. */
  while (hn_paths_get_deadline (f->paths) != G_MAXINT64)
    {
      now = hn_paths_get_deadline (f->paths);
      hn_paths_tick (f->paths, now);
      wake_ups++;
    }
  g_assert_cmpuint (wake_ups, <=, 60);
  g_assert_cmpint (now, <=, NOW + 400 * SECOND);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
#define ADD(name, function)                                                                        \
  g_test_add ("/paths-input/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("pong", test_pong);
  ADD ("relay-ping", test_relay_ping);
  ADD ("no-amplification", test_no_amplification);
  ADD ("strangers", test_strangers);
  ADD ("wrong-way", test_wrong_way);
  ADD ("pongs", test_pongs);
  ADD ("pong-source", test_pong_source);
  ADD ("bad-candidates", test_bad_candidates);
  ADD ("local-candidates", test_local_candidates);
  ADD ("own-as-candidate", test_own_as_candidate);
  ADD ("thousand", test_thousand);
  ADD ("router", test_router);
  ADD ("flood", test_flood);
  ADD ("stolen-address", test_stolen_address);
  ADD ("many-addresses", test_many_addresses);
  ADD ("shared-key", test_shared_key);
  ADD ("taken-back", test_taken_back);
  ADD ("preference", test_preference);
  ADD ("wireguard-only", test_wireguard_only);
  ADD ("heard-over-relay", test_heard_over_relay);
  ADD ("ask", test_ask);
  ADD ("ask-relay", test_ask_relay);
  ADD ("ask-limit", test_ask_limit);
  ADD ("removed-within", test_removed_within);
  ADD ("new-keys", test_new_keys);
  ADD ("thousand-peers", test_thousand_peers);
  return g_test_run ();
}
