/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of paths, pings that somebody asked for, and what the owner may do when. */
#include <string.h>

#include "base/hn-error.h"
#include "paths-fixture.h"

/* Tells a path's latency by a ping and its pong. */
static void
measure (Fixture *f, const HnEndpoint *endpoint, gint64 latency_us, gint64 now_us)
{
  HnPathRoute out;

  fixture_route (f, now_us, &out);
  hn_paths_authenticated (f->paths, f->peer, endpoint, now_us);
  fixture_ping (f, endpoint, now_us);
  g_assert_true (hn_endpoint_equal (&f->last_to, endpoint));
  fixture_answer (f, endpoint, now_us + latency_us);
}

/* The faster, except that a LAN, IPv6 and what is in use are worth some. */
static void
test_preference (Fixture *f, gconstpointer data)
{
  HnEndpoint far = test_at ("198.51.100.7:1"), near = test_at ("198.51.100.8:1"),
             six = test_at ("[2001:db8::1]:1");
  HnEndpoint lan = test_at ("192.168.3.3:1"), slow_lan = test_at ("10.0.0.9:1"),
             same = test_at ("198.51.100.9:1");
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
  HnEndpoint list[2] = { test_at ("127.0.0.1:7"), test_at ("198.51.100.7:51820") };
  HnEndpoint moved = test_at ("198.51.100.8:51820");
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
  HnEndpoint endpoint = test_at ("198.51.100.7:1234");

  fixture_make_direct (f, &endpoint, NOW);
  f->n_udp = 0;
  for (guint i = 0; i < 100; i++)
    hn_paths_heard_over_relay (f->paths, f->peer, NOW + SECOND + i * 1000);
  g_assert_cmpuint (f->n_udp, ==, 1);
  fixture_answer (f, &endpoint, NOW + SECOND + 100000);
  hn_paths_heard_over_relay (f->paths, f->peer, NOW + SECOND + 200000);
  g_assert_cmpuint (f->n_udp, ==, 1);
  hn_paths_heard_over_relay (f->paths, f->peer, NOW + 2 * SECOND);
  g_assert_cmpuint (f->n_udp, ==, 2);
}

/* --- pings that somebody asked for --- */

static void
test_ask (Fixture *f, gconstpointer data)
{
  HnEndpoint endpoint = test_at ("198.51.100.7:1234");
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
  fixture_make_direct (f, &endpoint, NOW + 10 * SECOND);
  g_assert_true (hn_paths_ping (f->paths, f->peer, f, NOW + 14 * SECOND, NOW + 11 * SECOND, NULL));
  fixture_answer (f, &endpoint, NOW + 11 * SECOND + 7000);
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

  node = fixture_make_node (0x55, NULL, NULL, 0);
  mute = hn_paths_add (f->paths, node, f);
  g_assert_false (hn_paths_ping (f->paths, mute, f, NOW + SECOND, NOW, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_NOT_SUPPORTED);
}

static void
test_ask_relay (Fixture *f, gconstpointer data)
{
  HnEndpoint endpoint = test_at ("198.51.100.7:1234");
  HnPathStats stats;

  /* It has no candidates: what goes out last is the CallMeMaybe of the search, before it the ping. */
  hn_paths_set_endpoints (f->paths, NULL, 0, NOW);
  g_assert_true (hn_paths_ping (f->paths, f->peer, f, NOW + SECOND, NOW, NULL));
  fixture_answer (f, NULL, NOW + 33000);
  g_assert_cmpuint (f->n_pongs, ==, 1);
  g_assert_false (f->pong.direct);
  g_assert_cmpint (f->pong.relay, ==, 3);
  g_assert_cmpint (f->pong.latency_us, ==, 33000);
  hn_paths_get_stats (f->paths, f->peer, NOW + SECOND, &stats);
  g_assert_cmpint (stats.relay_latency_us, ==, 33000);
  g_assert_false (stats.direct);

  /* A trusted path that just died: the relay is asked as well before the time is up. */
  fixture_make_direct (f, &endpoint, NOW + 10 * SECOND);
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

static void
check_called (Fixture *f, guint n, const HnEndpoint *endpoint)
{
  HnDiscoMessage message;
  HnEndpoint first;

  fixture_open_last (f, &message);
  g_assert_cmpuint (message.type, ==, HN_DISCO_CALL_ME_MAYBE);
  g_assert_cmpuint (message.n_endpoints, ==, n);
  if (n == 0)
    return;
  hn_disco_get_endpoint (&message, 0, &first);
  g_assert_true (hn_endpoint_equal (&first, endpoint));
}

/* After a change of the network the peer is told to forget where we were, then where we are. */
static void
test_network_changed (Fixture *f, gconstpointer data)
{
  HnEndpoint endpoint = test_at ("198.51.100.7:1234"), old = test_at ("192.0.2.1:41641");
  HnEndpoint now_own = test_at ("192.0.2.99:41641");
  HnPathRoute out;
  gint64 now = NOW + SECOND;
  guint sent;

  fixture_make_direct (f, &endpoint, NOW);
  sent = f->n_udp;
  hn_paths_network_changed (f->paths, FALSE, now);
  check_called (f, 0, NULL);
  g_assert_cmpuint (f->n_udp, ==, sent);
  fixture_route (f, now, &out);
  g_assert_false (out.direct);
  hn_paths_tick (f->paths, now + SECOND);
  g_assert_cmpuint (f->n_udp, ==, sent);

  hn_paths_network_changed (f->paths, TRUE, now + 2 * SECOND);
  g_assert_cmpuint (f->n_udp, ==, sent + 1);
  hn_paths_set_endpoints (f->paths, &now_own, 1, now + 2 * SECOND);
  check_called (f, 1, &now_own);

  /* One who may know us from the map only is told first what there is to forget. */
  hn_paths_set_endpoints (f->paths, &old, 1, now + 2 * SECOND);
  hn_paths_tick (f->paths, now + 100 * SECOND);
  hn_paths_tick (f->paths, now + 400 * SECOND);
  g_assert_cmpint (hn_paths_get_deadline (f->paths), ==, G_MAXINT64);
  now += 500 * SECOND;
  hn_paths_set_endpoints (f->paths, NULL, 0, now);
  fixture_make_direct (f, &endpoint, now);
  hn_paths_set_endpoints (f->paths, &old, 1, now);
  f->n_relay = 0;
  hn_paths_network_changed (f->paths, TRUE, now + SECOND);
  g_assert_cmpuint (f->n_relay, ==, 1);
  hn_paths_tick (f->paths, now + SECOND + 30000);
  g_assert_cmpuint (f->n_relay, ==, 2);
  check_called (f, 0, NULL);
}

/* Callbacks may take the peer away that they tell of, or that is being sent to. */
static void
test_removed_within (Fixture *f, gconstpointer data)
{
  HnEndpoint list[3]
      = { test_at ("198.51.100.1:1"), test_at ("198.51.100.2:1"), test_at ("198.51.100.3:1") };
  g_autoptr (HnNode) node = fixture_make_node (0x22, &f->disco_public, list, 3);
  HnPathRoute out;

  hn_paths_update (f->paths, f->peer, node, NOW);
  f->to_remove = f->peer;
  fixture_route (f, NOW, &out);
  g_assert_null (f->to_remove);
  g_assert_cmpuint (f->n_udp, ==, 1);
  g_assert_cmpint (hn_paths_get_deadline (f->paths), ==, G_MAXINT64);

  f->peer = hn_paths_add (f->paths, node, f);
  fixture_route (f, NOW + SECOND, &out);
  fixture_ping (f, &list[0], NOW + SECOND);
  f->to_remove = f->peer;
  fixture_answer (f, &list[0], NOW + SECOND + 1000);
  g_assert_null (f->to_remove);
  g_assert_cmpint (hn_paths_get_deadline (f->paths), ==, G_MAXINT64);
}

static void
test_new_keys (Fixture *f, gconstpointer data)
{
  HnEndpoint from = test_at ("198.51.100.7:1234");
  HnDiscoPrivate disco;

  fixture_ping (f, &from, NOW);
  g_assert_cmpuint (f->n_udp, ==, 1);
  hn_disco_private_generate (&disco);
  hn_paths_set_keys (f->paths, &disco, &f->key);
  fixture_ping (f, &from, NOW);
  g_assert_cmpuint (hn_paths_get_counters (f->paths)->bad_box, ==, 1);
  hn_paths_set_keys (f->paths, &f->own, &f->key);
  fixture_ping (f, &from, NOW);
  g_assert_cmpuint (f->n_udp, ==, 2);
}

/* A thousand peers: nothing to do for those that nobody talks to, and little memory. */
static void
test_thousand_peers (Fixture *f, gconstpointer data)
{
  HnPathPeer *peers[1000];
  HnEndpoint endpoint = test_at ("198.51.100.7:1234");
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
  FIXTURE_ADD ("/paths-peers/preference", test_preference);
  FIXTURE_ADD ("/paths-peers/wireguard-only", test_wireguard_only);
  FIXTURE_ADD ("/paths-peers/heard-over-relay", test_heard_over_relay);
  FIXTURE_ADD ("/paths-peers/ask", test_ask);
  FIXTURE_ADD ("/paths-peers/ask-relay", test_ask_relay);
  FIXTURE_ADD ("/paths-peers/ask-limit", test_ask_limit);
  FIXTURE_ADD ("/paths-peers/removed-within", test_removed_within);
  FIXTURE_ADD ("/paths-peers/network-changed", test_network_changed);
  FIXTURE_ADD ("/paths-peers/new-keys", test_new_keys);
  FIXTURE_ADD ("/paths-peers/thousand-peers", test_thousand_peers);
  return g_test_run ();
}
