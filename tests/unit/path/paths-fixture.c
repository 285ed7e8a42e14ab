/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "paths-fixture.h"

#include <string.h>

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

HnEndpoint
test_at (const char *text)
{
  HnEndpoint endpoint;

  g_assert_true (hn_endpoint_parse (text, &endpoint));
  return endpoint;
}

HnNode *
fixture_make_node (guint8 key, const HnDiscoPublic *disco, const HnEndpoint *endpoints, gsize n)
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

void
fixture_set_up (Fixture *f, gconstpointer data)
{
  HnEndpoint own = test_at ("192.0.2.1:41641");
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
  node = fixture_make_node (0x22, &f->disco_public, NULL, 0);
  f->peer = hn_paths_add (f->paths, node, f);
}

void
fixture_tear_down (Fixture *f, gconstpointer data)
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

void
fixture_send (Fixture *f, const HnEndpoint *from, const guint8 *message, gsize len, gint64 now_us)
{
  guint8 *datagram = g_malloc (HN_DISCO_OVERHEAD + len);
  gsize size = seal (f, message, len, datagram);

  if (from != NULL)
    hn_paths_receive_udp (f->paths, from, datagram, size, now_us);
  else
    hn_paths_receive_relay (f->paths, 3, f->peer, datagram, size, now_us);
  g_free (datagram);
}

gsize
fixture_make_ping (Fixture *f, guint8 *out)
{
  guint8 tx_id[HN_DISCO_TX_ID_SIZE];
  guint8 message[HN_DISCO_PING_SIZE];

  hn_random_bytes (tx_id, sizeof tx_id);
  hn_disco_build_ping (message, tx_id, &f->key);
  return seal (f, message, sizeof message, out);
}

void
fixture_ping (Fixture *f, const HnEndpoint *from, gint64 now_us)
{
  guint8 datagram[HN_DISCO_OVERHEAD + HN_DISCO_PING_SIZE];

  fixture_make_ping (f, datagram);
  hn_paths_receive_udp (f->paths, from, datagram, sizeof datagram, now_us);
}

void
fixture_call (Fixture *f, const HnEndpoint *endpoints, gsize n, gint64 now_us)
{
  guint8 *message = g_malloc (2 + n * HN_DISCO_ENDPOINT_SIZE);

  hn_disco_build_call_me_maybe (message, endpoints, n);
  fixture_send (f, NULL, message, 2 + n * HN_DISCO_ENDPOINT_SIZE, now_us);
  g_free (message);
}

void
fixture_open_last (Fixture *f, HnDiscoMessage *out)
{
  static guint8 copy[2000];
  const guint8 *message;
  gsize len;

  memcpy (copy, f->last, f->last_len);
  g_assert_true (hn_disco_open (f->shared, copy, f->last_len, &message, &len));
  g_assert_true (hn_disco_parse (message, len, out));
}

void
fixture_answer (Fixture *f, const HnEndpoint *from, gint64 now_us)
{
  HnDiscoMessage ping;
  guint8 message[HN_DISCO_PONG_SIZE];
  HnEndpoint seen = test_at ("192.0.2.1:41641");

  fixture_open_last (f, &ping);
  g_assert_cmpuint (ping.type, ==, HN_DISCO_PING);
  hn_disco_build_pong (message, ping.tx_id, &seen);
  fixture_send (f, from, message, sizeof message, now_us);
}

void
fixture_route (Fixture *f, gint64 now_us, HnPathRoute *out)
{
  hn_paths_route (f->paths, f->peer, now_us, out);
}

void
fixture_make_direct (Fixture *f, const HnEndpoint *endpoint, gint64 now_us)
{
  HnPathRoute out;

  fixture_route (f, now_us, &out);
  hn_paths_authenticated (f->paths, f->peer, endpoint, now_us);
  fixture_ping (f, endpoint, now_us);
  g_assert_true (hn_endpoint_equal (&f->last_to, endpoint));
  fixture_answer (f, endpoint, now_us + 1000);
  fixture_route (f, now_us + 1000, &out);
  g_assert_true (out.direct);
  g_assert_false (out.relay);
}
