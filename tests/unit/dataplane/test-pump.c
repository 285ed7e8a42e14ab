/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-pump.h"

#include <string.h>

#include "base/hn-error.h"
#include "craft.h"
#include "crypto/hn-crypto.h"
#include "dataplane/hn-ip-packet.h"
#include "dataplane/hn-ip-reply.h"
#include "fake-port.h"
#include "wireguard/hn-wg.h"

#define HOME 7

/* A node: a pump with its port, and what it told. */
typedef struct _Side
{
  HnPump *pump;
  FakePort *port;
  HnNodePrivate key;
  HnNode *node;
  const char *ip4;
  const char *ip6;
  struct _World *world;
  int reachable; /* region that takes what it sends, 0 none */

  gboolean jammed;
  guint n_flushes;
  guint n_sent;
  guint8 last_type; /* of the datagrams it sent */
  HnPathKind path;
  int relay;
  guint n_path_changes;
  gboolean port_lost;
  gpointer ping;
  gint64 ping_latency_us;
  HnPeerStats ping_stats;
} Side;

typedef struct
{
  Side *from;
  Side *to; /* NULL: somebody else */
  GByteArray *datagram;
} Flight;

typedef struct _World
{
  Side a, b;
  GQueue flights;
  gint64 now_us;
} World;

static void
free_flight (gpointer data)
{
  Flight *flight = data;

  g_byte_array_unref (flight->datagram);
  g_free (flight);
}

static int
side_send (gpointer user, int region, const HnNodePublic *peer, const guint8 *data, gsize len)
{
  Side *side = user;
  World *world = side->world;
  Side *other = side == &world->a ? &world->b : &world->a;
  Flight *flight;

  g_assert_cmpint (region, ==, HOME);
  if (side->reachable == 0)
    return 0;
  side->n_sent++;
  side->last_type = data[0];
  flight = g_new0 (Flight, 1);
  flight->from = side;
  if (hn_node_public_equal (peer, &hn_node_get (other->node)->key))
    flight->to = other;
  flight->datagram = g_byte_array_new ();
  g_byte_array_append (flight->datagram, data, (guint) len);
  g_queue_push_tail (&world->flights, flight);
  return side->reachable;
}

static gboolean
side_flush (gpointer user)
{
  Side *side = user;

  side->n_flushes++;
  return side->jammed;
}

static void
side_path_changed (gpointer user, const HnNodePublic *peer, const HnPeerPath *path)
{
  Side *side = user;

  side->path = path->kind;
  side->relay = path->relay;
  side->n_path_changes++;
}

static void
side_port_lost (gpointer user, const GError *error)
{
  ((Side *) user)->port_lost = TRUE;
}

static void
side_ping_done (gpointer user, gpointer ping, const HnPeerStats *stats, gint64 latency_us)
{
  Side *side = user;

  side->ping = ping;
  side->ping_latency_us = latency_us;
  side->ping_stats = *stats;
}

static gint64
side_now (gpointer user)
{
  return ((Side *) user)->world->now_us;
}

static gint64
side_wall (gpointer user)
{
  return G_GINT64_CONSTANT (1795000000000000) + ((Side *) user)->world->now_us;
}

static HnNode *
make_node (gint64 id, const HnNodePublic *key, const char *ip4, const char *ip6, guint8 disco)
{
  HnPrefix addresses[2];
  HnNodeFields fields = { .id = id,
                          .stable_id = "",
                          .name = "node.tail.test",
                          .key = *key,
                          .home_derp = HOME,
                          .host_name = "",
                          .os = "",
                          .addresses = addresses,
                          .n_addresses = ip6 != NULL ? 2 : 1,
                          .allowed_ips = addresses,
                          .n_allowed_ips = ip6 != NULL ? 2 : 1 };

  memset (fields.disco.bytes, disco, sizeof fields.disco.bytes);
  g_assert_true (hn_prefix_parse (ip4, TRUE, &addresses[0]));
  if (ip6 != NULL)
    g_assert_true (hn_prefix_parse (ip6, TRUE, &addresses[1]));
  return hn_node_new (&fields);
}

/* Everybody may ping: a rule for one protocol, which is all that ICMP asks of rules. */
static void
allow_ping (HnPump *pump)
{
  HnFilterRule *rule = g_new0 (HnFilterRule, 1);
  g_autoptr (HnFilterRules) rules = NULL;
  g_autoptr (HnFilterProgram) program = NULL;
  const HnIpRange all[] = {
    { { 4, { 0 } }, { 4, { 255, 255, 255, 255 } } },
    { { 6, { 0 } },
      { 6, { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 } } },
  };

  rule->sources = g_memdup2 (all, sizeof all);
  rule->n_sources = G_N_ELEMENTS (all);
  rule->destinations = g_new0 (HnFilterDestination, G_N_ELEMENTS (all));
  rule->n_destinations = G_N_ELEMENTS (all);
  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    rule->destinations[i] = (HnFilterDestination){ all[i], 0, 0 };
  rule->protocols = g_memdup2 ((guint8[]){ HN_IP_PROTOCOL_ICMP }, 1);
  rule->n_protocols = 1;
  rules = hn_filter_rules_new_take (rule, 1);
  program = hn_filter_program_new (rules, NULL, FALSE);
  hn_pump_set_filter (pump, program);
}

static void
side_start (Side *side)
{
  static const HnPumpOps ops = { .send = side_send,
                                 .flush = side_flush,
                                 .path_changed = side_path_changed,
                                 .port_lost = side_port_lost,
                                 .ping_done = side_ping_done,
                                 .now_us = side_now,
                                 .wall_us = side_wall };
  HnPrefix own[2];

  side->port = fake_port_new ();
  side->pump = hn_pump_new (HN_PACKET_PORT (side->port), &ops, side, 0);
  hn_pump_set_private_key (side->pump, &side->key);
  g_assert_true (hn_prefix_parse (side->ip4, TRUE, &own[0]));
  g_assert_true (hn_prefix_parse (side->ip6, TRUE, &own[1]));
  hn_pump_set_addresses (side->pump, own, 2);
  allow_ping (side->pump);
}

static void
side_init (Side *side, World *world, gint64 id, const char *ip4, const char *ip6)
{
  HnNodePublic public_key;

  side->world = world;
  side->reachable = HOME;
  side->ip4 = ip4;
  side->ip6 = ip6;
  hn_node_private_generate (&side->key);
  hn_node_private_get_public (&side->key, &public_key);
  side->node = make_node (id, &public_key, ip4, ip6, 1);
  side_start (side);
}

static void
introduce (Side *side, HnNode *node, gboolean full)
{
  g_autoptr (GPtrArray) changed = g_ptr_array_new ();

  g_ptr_array_add (changed, node);
  hn_pump_update_peers (side->pump, changed, NULL, full);
}

static void
world_init (World *world, gconstpointer data)
{
  world->now_us = 1000 * (gint64) G_USEC_PER_SEC;
  side_init (&world->a, world, 1, "100.64.0.1", "fd7a:115c:a1e0::1");
  side_init (&world->b, world, 2, "100.64.0.2", "fd7a:115c:a1e0::2");
  introduce (&world->a, world->b.node, TRUE);
  introduce (&world->b, world->a.node, TRUE);
}

static void
side_stop (Side *side)
{
  hn_pump_free (side->pump);
  g_object_unref (side->port);
}

static void
side_clear (Side *side)
{
  side_stop (side);
  hn_node_unref (side->node);
}

static void
world_clear (World *world, gconstpointer data)
{
  side_clear (&world->a);
  side_clear (&world->b);
  g_queue_clear_full (&world->flights, free_flight);
}

static void
hand_over (Side *to, int region, const HnNodePublic *source, const guint8 *data, gsize len)
{
  g_autofree guint8 *buffer = g_malloc (64 + len + 64);

  memcpy (buffer + 64, data, len);
  hn_pump_receive (to->pump, region, source, buffer + 64, len);
}

/* Lets both sides work and their datagrams fly until all is quiet. Each flight takes 1 ms. */
static void
run (World *world)
{
  for (;;)
    {
      Flight *flight;

      while (g_main_context_iteration (NULL, FALSE))
        ;
      flight = g_queue_pop_head (&world->flights);
      if (flight == NULL)
        return;
      world->now_us += 1000;
      if (flight->to != NULL)
        hand_over (flight->to, HOME, &hn_node_get (flight->from->node)->key, flight->datagram->data,
                   flight->datagram->len);
      free_flight (flight);
    }
}

static void
put (Side *side, const Craft *craft)
{
  guint8 packet[CRAFT_MAX];

  fake_port_put (side->port, packet, craft_packet (craft, packet));
}

/* The host of @side received exactly this packet, and nothing else. */
static void
assert_received (Side *side, const Craft *craft)
{
  g_autoptr (GBytes) bytes = fake_port_take (side->port);
  guint8 packet[CRAFT_MAX];
  gsize len = craft_packet (craft, packet);

  g_assert_nonnull (bytes);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), packet, len);
  g_assert_null (fake_port_take (side->port));
}

static void
drop_received (Side *side)
{
  GBytes *bytes;

  while ((bytes = fake_port_take (side->port)) != NULL)
    g_bytes_unref (bytes);
}

static void
test_echo (World *world, gconstpointer data)
{
  Craft there4
      = { world->a.ip4, world->b.ip4, HN_IP_PROTOCOL_ICMP, .source_port = 9, .icmp_type = 8 };
  Craft back4 = { world->b.ip4, world->a.ip4, HN_IP_PROTOCOL_ICMP, .source_port = 9 };
  Craft there6
      = { world->a.ip6, world->b.ip6, HN_IP_PROTOCOL_ICMP6, .source_port = 9, .icmp_type = 128 };
  Craft back6
      = { world->b.ip6, world->a.ip6, HN_IP_PROTOCOL_ICMP6, .source_port = 9, .icmp_type = 129 };
  HnPeerStats stats;

  put (&world->a, &there4);
  run (world);
  assert_received (&world->b, &there4);
  put (&world->b, &back4);
  run (world);
  assert_received (&world->a, &back4);
  put (&world->a, &there6);
  run (world);
  assert_received (&world->b, &there6);
  put (&world->b, &back6);
  run (world);
  assert_received (&world->a, &back6);

  g_assert_cmpint (world->a.path, ==, HN_PATH_RELAY);
  g_assert_cmpint (world->a.relay, ==, HOME);
  g_assert_cmpuint (world->a.n_path_changes, ==, 1);
  g_assert_cmpuint (world->b.n_path_changes, ==, 1);
  g_assert_true (hn_pump_get_stats (world->a.pump, &hn_node_get (world->b.node)->key, &stats));
  g_assert_cmpint (stats.path.kind, ==, HN_PATH_RELAY);
  g_assert_cmpuint (stats.tx_bytes, ==, 28 + 48);
  g_assert_cmpuint (stats.rx_bytes, ==, 28 + 48);
  g_assert_cmpint (stats.last_handshake, >, 0);
  g_assert_false (hn_pump_get_stats (world->a.pump, &hn_node_get (world->a.node)->key, &stats));
}

static void
test_connection (World *world, gconstpointer data)
{
  Craft syn = { world->a.ip4, world->b.ip4, HN_IP_PROTOCOL_TCP, 4000, 80, HN_TCP_SYN };
  Craft answer
      = { world->b.ip4, world->a.ip4, HN_IP_PROTOCOL_TCP, 80, 4000, HN_TCP_SYN | HN_TCP_ACK };

  /* A session first: then the SYN arrives, and is not let in. */
  put (&world->a, &syn);
  run (world);
  g_assert_null (fake_port_take (world->b.port));
  g_assert_cmpuint (hn_pump_get_counters (world->b.pump)->in_refused, ==, 1);
  /* What B's host sends goes out, and is an answer for A. */
  put (&world->b, &answer);
  run (world);
  assert_received (&world->a, &answer);
}

/* A whole batch goes in one turn and in order. */
static void
test_batch (World *world, gconstpointer data)
{
  Craft craft
      = { world->a.ip4, world->b.ip4, HN_IP_PROTOCOL_ICMP, .source_port = 0, .icmp_type = 8 };

  for (guint i = 0; i < 100; i++)
    {
      craft.source_port = (guint16) i;
      put (&world->a, &craft);
    }
  run (world);
  for (guint i = 0; i < 100; i++)
    {
      g_autoptr (GBytes) bytes = fake_port_take (world->b.port);
      HnIpPacket packet;

      g_assert_nonnull (bytes);
      g_assert_true (
          hn_ip_packet_parse (&packet, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes)));
      g_assert_cmpuint (packet.source_port, ==, i);
    }
}

/* A jam reaches the host: no more is read, until it is over or has lasted too long. */
static void
test_jam (World *world, gconstpointer data)
{
  Craft craft
      = { world->a.ip4, world->b.ip4, HN_IP_PROTOCOL_ICMP, .source_port = 9, .icmp_type = 8 };

  put (&world->a, &craft);
  run (world);
  drop_received (&world->b);
  g_assert_cmpuint (world->a.n_flushes, ==, 1);

  world->a.jammed = TRUE;
  for (guint i = 0; i < HN_PACKET_BATCH_MAX + 1; i++)
    put (&world->a, &craft);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (world->a.n_flushes, ==, 2);
  g_assert_cmpuint (world->flights.length, ==, HN_PACKET_BATCH_MAX);
  world->a.jammed = FALSE;
  hn_pump_resume (world->a.pump);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (world->flights.length, ==, HN_PACKET_BATCH_MAX + 1);

  world->a.jammed = TRUE;
  put (&world->a, &craft);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  put (&world->a, &craft);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (world->flights.length, ==, HN_PACKET_BATCH_MAX + 2);
  world->now_us += 50 * 1000;
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (world->flights.length, ==, HN_PACKET_BATCH_MAX + 3);
  /* A device that goes meanwhile is noticed then. */
  fake_port_break (world->a.port);
  world->now_us += 50 * 1000;
  run (world);
  g_assert_true (world->a.port_lost);
}

static void
test_ping (World *world, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) request = NULL;
  g_autofree guint8 *reply = NULL;
  guint8 address[4];
  HnIp target, nobody;
  gsize len;
  int token;

  g_assert_true (hn_ip_parse (world->b.ip4, &target));
  g_assert_true (hn_ip_parse ("100.64.0.77", &nobody));
  g_assert_false (hn_pump_ping (world->a.pump, HN_PING_ICMP, &nobody, 1000, &token, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_NOT_FOUND);

  g_assert_true (hn_pump_ping (world->a.pump, HN_PING_ICMP, &target, 1000, &token, NULL));
  run (world);
  request = fake_port_take (world->b.port);
  g_assert_nonnull (request);
  len = g_bytes_get_size (request);
  reply = g_memdup2 (g_bytes_get_data (request, NULL), len);
  g_assert_cmphex (hn_ip_sum (reply, 20, 0), ==, 0xffff);
  g_assert_cmphex (hn_ip_sum (reply + 20, len - 20, 0), ==, 0xffff);
  memcpy (address, reply + 12, 4);
  memcpy (reply + 12, reply + 16, 4);
  memcpy (reply + 16, address, 4);
  reply[20] = 0;
  /* An answer with another content is not to a ping of ours: the host may know it. */
  reply[28] ^= 1;
  fake_port_put (world->b.port, reply, len);
  run (world);
  g_assert_null (world->a.ping);
  drop_received (&world->a);
  reply[28] ^= 1;
  world->now_us += 5000;
  fake_port_put (world->b.port, reply, len);
  run (world);
  g_assert_true (world->a.ping == &token);
  g_assert_cmpint (world->a.ping_latency_us, >, 5000);
  g_assert_cmpint (world->a.ping_latency_us, <, 50000);
  g_assert_cmpint (world->a.ping_stats.path.kind, ==, HN_PATH_RELAY);
  g_assert_null (fake_port_take (world->a.port)); /* the host does not see it */

  /* Without an answer: the time-out. */
  world->a.ping = NULL;
  g_assert_true (hn_pump_ping (world->a.pump, HN_PING_ICMP, &target, 1000, &token, NULL));
  run (world);
  g_assert_null (world->a.ping);
  world->now_us += G_USEC_PER_SEC;
  run (world);
  g_assert_true (world->a.ping == &token);
  g_assert_cmpint (world->a.ping_latency_us, <, 0);

  world->a.ping = NULL;
  g_assert_true (hn_pump_ping (world->a.pump, HN_PING_ICMP, &target, 1000, &token, NULL));
  hn_pump_cancel_ping (world->a.pump, &token);
  world->now_us += G_USEC_PER_SEC;
  run (world);
  g_assert_null (world->a.ping);
}

static void
test_unreachable (World *world, gconstpointer data)
{
  Craft nobody4 = { world->a.ip4, "100.64.0.99", HN_IP_PROTOCOL_TCP, 4000, 80, HN_TCP_SYN };
  Craft nobody6 = { world->a.ip6, "fd7a:115c:a1e0::99", HN_IP_PROTOCOL_TCP, 4000, 80, HN_TCP_SYN };
  Craft never[] = {
    { world->a.ip4, "100.100.100.100", HN_IP_PROTOCOL_UDP, 4000, 53 },
    { world->a.ip6, "fd7a:115c:a1e0::53", HN_IP_PROTOCOL_UDP, 4000, 53 },
    { world->a.ip4, "224.0.0.251", HN_IP_PROTOCOL_UDP, 4000, 53 },
    { world->a.ip6, "ff02::2", HN_IP_PROTOCOL_ICMP6, .icmp_type = 133 },
    { "192.168.1.1", world->b.ip4, HN_IP_PROTOCOL_UDP, 4000, 53 },
    { "192.168.1.1", "100.64.0.99", HN_IP_PROTOCOL_UDP, 4000, 53 },
  };
  g_autoptr (GBytes) answer4 = NULL;
  g_autoptr (GBytes) answer6 = NULL;
  const guint8 *bytes;
  guint n = 0;

  put (&world->a, &nobody4);
  put (&world->a, &nobody6);
  run (world);
  answer4 = fake_port_take (world->a.port);
  g_assert_nonnull (answer4);
  bytes = g_bytes_get_data (answer4, NULL);
  g_assert_cmpuint (g_bytes_get_size (answer4), ==, 20 + 8 + 40);
  g_assert_cmphex (hn_ip_sum (bytes, 20, 0), ==, 0xffff);
  g_assert_cmphex (hn_ip_sum (bytes + 20, 48, 0), ==, 0xffff);
  g_assert_cmpuint (bytes[20], ==, 3);
  answer6 = fake_port_take (world->a.port);
  g_assert_nonnull (answer6);
  bytes = g_bytes_get_data (answer6, NULL);
  g_assert_cmpuint (bytes[40], ==, 1);
  g_assert_cmphex (hn_ip_sum (bytes + 40, 68, hn_ip_sum (bytes + 8, 32, 68 + 58)), ==, 0xffff);

  for (guint i = 0; i < G_N_ELEMENTS (never); i++)
    put (&world->a, &never[i]);
  run (world);
  g_assert_null (fake_port_take (world->a.port));
  g_assert_cmpuint (hn_pump_get_counters (world->a.pump)->out_refused, ==, G_N_ELEMENTS (never));
  g_assert_cmpuint (world->a.n_sent, ==, 0);

  /* No more than ten a second. */
  world->now_us += G_USEC_PER_SEC;
  for (guint i = 0; i < 50; i++)
    put (&world->a, &nobody4);
  run (world);
  for (;; n++)
    {
      g_autoptr (GBytes) answer = fake_port_take (world->a.port);

      if (answer == NULL)
        break;
    }
  g_assert_cmpuint (n, ==, 10);
}

static void
test_idle (World *world, gconstpointer data)
{
  Craft craft
      = { world->a.ip4, world->b.ip4, HN_IP_PROTOCOL_ICMP, .source_port = 9, .icmp_type = 8 };
  HnPeerStats before, after;
  const HnNodePublic *peer = &hn_node_get (world->b.node)->key;

  put (&world->a, &craft);
  run (world);
  g_assert_cmpuint (hn_pump_get_n_active (world->a.pump), ==, 1);
  g_assert_cmpuint (hn_pump_get_n_active (world->b.pump), ==, 1);
  g_assert_true (hn_pump_get_stats (world->a.pump, peer, &before));
  for (guint i = 0; i < 60; i++)
    {
      world->now_us += 15 * (gint64) G_USEC_PER_SEC;
      run (world);
    }
  g_assert_cmpuint (hn_pump_get_n_active (world->a.pump), ==, 0);
  g_assert_cmpuint (hn_pump_get_n_active (world->b.pump), ==, 0);
  g_assert_cmpint (world->a.path, ==, HN_PATH_NONE);
  g_assert_true (hn_pump_get_stats (world->a.pump, peer, &after));
  g_assert_cmpuint (after.tx_bytes, ==, before.tx_bytes);
  g_assert_cmpint (ABS (after.last_handshake - before.last_handshake), <, 1000);

  /* And it begins anew. */
  drop_received (&world->b);
  put (&world->a, &craft);
  run (world);
  assert_received (&world->b, &craft);
}

/* One side starts anew with its old keys. The other does not know, and what it sends under the old
 * session is lost; that is answered by a handshake, not by fifteen seconds of silence. */
static void
test_restart (World *world, gconstpointer data)
{
  Craft craft
      = { world->a.ip4, world->b.ip4, HN_IP_PROTOCOL_ICMP, .source_port = 9, .icmp_type = 8 };

  put (&world->a, &craft);
  run (world);
  assert_received (&world->b, &craft);

  side_stop (&world->b);
  side_start (&world->b);
  introduce (&world->b, world->a.node, TRUE);
  world->b.n_sent = 0;
  put (&world->a, &craft);
  run (world);
  g_assert_cmpuint (world->b.n_sent, >=, 1);
  put (&world->a, &craft);
  run (world);
  assert_received (&world->b, &craft);
}

/* Somebody forges packets of one peer by the hundred: another that did start anew is answered. */
static void
test_forged_loss (World *world, gconstpointer data)
{
  HnNodePublic third = { { 3 } };
  g_autoptr (HnNode) node = make_node (3, &third, "100.64.0.3", NULL, 3);
  const HnNodePublic *victim = &hn_node_get (world->b.node)->key;
  guint8 buffer[64 + 64 + 64];

  introduce (&world->a, node, FALSE);
  for (guint second = 0; second < 4; second++)
    {
      world->a.n_sent = 0;
      for (guint i = 0; i < 500; i++)
        {
          memset (buffer, 0, sizeof buffer);
          buffer[64] = 4;
          hn_pump_receive (world->a.pump, HOME, victim, buffer + 64, 64);
        }
      g_assert_cmpuint (world->a.n_sent, ==, second == 0 ? 1 : 0);
      world->now_us += G_USEC_PER_SEC;
    }
  hn_pump_receive (world->a.pump, HOME, victim, buffer + 64, 64);
  for (guint i = 0; i < 500; i++)
    {
      memset (buffer, 0, sizeof buffer);
      buffer[64] = 4;
      hn_pump_receive (world->a.pump, HOME, victim, buffer + 64, 64);
    }
  memset (buffer, 0, sizeof buffer);
  buffer[64] = 4;
  world->a.n_sent = 0;
  hn_pump_receive (world->a.pump, HOME, &third, buffer + 64, 64);
  g_assert_cmpuint (world->a.n_sent, ==, 1);
  g_assert_cmpuint (world->a.last_type, ==, 1);
}

static void
test_peer_changes (World *world, gconstpointer data)
{
  Craft craft
      = { world->a.ip4, world->b.ip4, HN_IP_PROTOCOL_ICMP, .source_port = 9, .icmp_type = 8 };
  Craft moved
      = { world->a.ip4, "100.64.0.22", HN_IP_PROTOCOL_ICMP, .source_port = 9, .icmp_type = 8 };
  const HnNodePublic *key = &hn_node_get (world->b.node)->key;
  g_autoptr (HnNode) restarted = make_node (2, key, world->b.ip4, world->b.ip6, 2);
  g_autoptr (HnNode) elsewhere = make_node (2, key, "100.64.0.22", NULL, 2);
  g_autoptr (GPtrArray) removed = g_ptr_array_new ();
  HnPeerStats stats;
  guint n;

  put (&world->a, &craft);
  run (world);
  drop_received (&world->b);
  put (&world->a, &craft);
  run (world);
  assert_received (&world->b, &craft);
  g_assert_cmpuint (world->a.last_type, ==, 4);

  /* The same disco key: nothing happens. Another one: a handshake comes first. */
  introduce (&world->a, world->b.node, FALSE);
  n = world->a.n_sent;
  put (&world->a, &craft);
  run (world);
  assert_received (&world->b, &craft);
  g_assert_cmpuint (world->a.n_sent, ==, n + 1);
  introduce (&world->a, restarted, FALSE);
  n = world->a.n_sent;
  world->now_us += 6 * G_USEC_PER_SEC; /* handshakes have a pace of their own */
  put (&world->a, &craft);
  run (world);
  assert_received (&world->b, &craft);
  g_assert_cmpuint (world->a.n_sent, ==, n + 2);

  /* Another address: the old one leads nowhere. */
  introduce (&world->a, elsewhere, FALSE);
  put (&world->a, &craft);
  run (world);
  g_assert_cmpuint (hn_pump_get_counters (world->a.pump)->out_no_peer, ==, 1);
  n = world->a.n_sent;
  put (&world->a, &moved);
  run (world);
  g_assert_cmpuint (world->a.n_sent, ==, n + 1);

  /* Gone; a relay that still brings its packets is not believed. */
  g_ptr_array_add (removed, elsewhere);
  hn_pump_update_peers (world->a.pump, NULL, removed, FALSE);
  g_assert_cmpuint (hn_pump_get_n_active (world->a.pump), ==, 0);
  g_assert_false (hn_pump_get_stats (world->a.pump, key, &stats));
  world->now_us += 200 * (gint64) G_USEC_PER_SEC;
  craft.source = world->b.ip4;
  craft.destination = world->a.ip4;
  put (&world->b, &craft);
  run (world);
  g_assert_cmpuint (hn_pump_get_counters (world->a.pump)->in_unknown_source, >=, 1);
}

static void
test_conflict (World *world, gconstpointer data)
{
  Craft craft
      = { world->a.ip4, world->b.ip4, HN_IP_PROTOCOL_ICMP, .source_port = 9, .icmp_type = 8 };
  HnNodePrivate key;
  HnNodePublic public_key;
  g_autoptr (HnNode) rival = NULL;

  /* A younger node claims B's address: B keeps it. */
  hn_node_private_generate (&key);
  hn_node_private_get_public (&key, &public_key);
  rival = make_node (99, &public_key, world->b.ip4, NULL, 1);
  introduce (&world->a, rival, FALSE);
  put (&world->a, &craft);
  run (world);
  assert_received (&world->b, &craft);
  /* When B goes, the other has it. */
  introduce (&world->a, rival, TRUE);
  put (&world->a, &craft);
  run (world);
  g_assert_null (fake_port_take (world->b.port));
  g_assert_cmpuint (hn_pump_get_counters (world->a.pump)->out_no_peer, ==, 0);
}

static void
test_paths (World *world, gconstpointer data)
{
  Craft craft
      = { world->a.ip4, world->b.ip4, HN_IP_PROTOCOL_ICMP, .source_port = 9, .icmp_type = 8 };
  const HnNodePublic *peer = &hn_node_get (world->b.node)->key;
  static const guint8 disco[] = { 'T', 'S', 0xf0, 0x9f, 0x92, 0xac, 1, 2, 3, 4 };
  static const guint8 nonsense[] = { 4, 0, 0, 0, 1, 2, 3 };

  world->a.reachable = 0;
  put (&world->a, &craft);
  run (world);
  g_assert_cmpint (world->a.path, ==, HN_PATH_NONE);
  g_assert_cmpuint (hn_pump_get_counters (world->a.pump)->out_no_path, >=, 1);
  world->a.reachable = 3; /* by the way it last came from */
  world->now_us += 6 * G_USEC_PER_SEC;
  run (world);
  assert_received (&world->b, &craft);
  g_assert_cmpint (world->a.path, ==, HN_PATH_RELAY);
  g_assert_cmpint (world->a.relay, ==, 3);

  hn_pump_peer_gone (world->a.pump, 2, peer);
  g_assert_cmpint (world->a.path, ==, HN_PATH_RELAY);
  hn_pump_peer_gone (world->a.pump, 3, peer);
  g_assert_cmpint (world->a.path, ==, HN_PATH_NONE);
  /* Sending into the void is no path; an answer is. */
  world->b.reachable = 0;
  put (&world->a, &craft);
  run (world);
  g_assert_cmpint (world->a.path, ==, HN_PATH_NONE);
  world->b.reachable = HOME;
  craft.source = world->b.ip4;
  craft.destination = world->a.ip4;
  put (&world->b, &craft);
  run (world);
  g_assert_cmpint (world->a.path, ==, HN_PATH_RELAY);

  hand_over (&world->a, HOME, peer, disco, sizeof disco);
  g_assert_cmpuint (hn_pump_get_counters (world->a.pump)->in_disco, ==, 1);
  hand_over (&world->a, HOME, peer, nonsense, sizeof nonsense);
  hand_over (&world->a, HOME, peer, nonsense, 0);
}

static void
test_port_lost (World *world, gconstpointer data)
{
  fake_port_break (world->a.port);
  run (world);
  g_assert_true (world->a.port_lost);
  /* What comes in still does no harm. */
  world->a.port_lost = FALSE;
  run (world);
  g_assert_false (world->a.port_lost);
}

/* A peer made of the WireGuard core alone, which sends what no honest one would. */
typedef struct
{
  Side *side;
  HnWg *wg;
  HnWgPeer *peer;
  HnNodePublic key;
  GByteArray *datagram; /* the last it sent */
  GByteArray *delivered;
} Rogue;

static void
rogue_send (gpointer user, HnWgPeer *peer, const guint8 *datagram, gsize len, gboolean handshake)
{
  Rogue *rogue = user;

  hand_over (rogue->side, HOME, &rogue->key, datagram, len);
}

static void
rogue_send_reply (gpointer user, const HnWgPath *path, const guint8 *datagram, gsize len)
{
}

static void
rogue_deliver (gpointer user, HnWgPeer *peer, guint8 *packet, gsize len)
{
  Rogue *rogue = user;

  g_byte_array_set_size (rogue->delivered, 0);
  g_byte_array_append (rogue->delivered, packet, (guint) len);
}

static void
rogue_say (World *world, Rogue *rogue, const Craft *craft)
{
  guint8 buffer[64 + CRAFT_MAX + 64];
  gsize len = craft_packet (craft, buffer + 64);

  hn_wg_send (rogue->wg, rogue->peer, buffer + 64, len, world->now_us);
  /* What A sends to it takes the way of a stranger's datagrams. */
  for (;;)
    {
      Flight *flight;

      while (g_main_context_iteration (NULL, FALSE))
        ;
      flight = g_queue_pop_head (&world->flights);
      if (flight == NULL)
        return;
      if (flight->to == NULL)
        {
          HnWgPath path = { .token = 1, .source_len = 1 };
          g_autofree guint8 *copy = g_malloc (64 + flight->datagram->len + 64);

          memcpy (copy + 64, flight->datagram->data, flight->datagram->len);
          hn_wg_receive (rogue->wg, &path, copy + 64, flight->datagram->len, world->now_us);
        }
      free_flight (flight);
    }
}

static void
test_rogue (World *world, gconstpointer data)
{
  static const HnWgOps ops
      = { .send = rogue_send, .send_reply = rogue_send_reply, .deliver = rogue_deliver };
  static const guint8 ping[9] = { 'p', 1, 2, 3, 4, 5, 6, 7, 8 };
  static const guint8 advert[33] = { 'a', 1, 2, 3 };
  Rogue rogue = { .side = &world->a };
  HnNodePrivate key;
  HnWgAllowedIp any = { .family = 4, .bits = 0 };
  g_autoptr (HnNode) node = NULL;
  Craft echo
      = { "100.64.0.3", world->a.ip4, HN_IP_PROTOCOL_ICMP, .source_port = 9, .icmp_type = 8 };
  Craft spoofed
      = { "100.64.0.2", world->a.ip4, HN_IP_PROTOCOL_ICMP, .source_port = 9, .icmp_type = 8 };
  Craft elsewhere
      = { "100.64.0.3", "192.168.1.1", HN_IP_PROTOCOL_ICMP, .source_port = 9, .icmp_type = 8 };
  Craft tsmp = { "100.64.0.3", world->a.ip4, HN_IP_PROTOCOL_TSMP, .payload = ping,
                 .payload_len = sizeof ping };
  Craft disco = { "100.64.0.3", world->a.ip4, HN_IP_PROTOCOL_TSMP, .payload = advert,
                  .payload_len = sizeof advert };
  HnIpPacket packet;

  hn_node_private_generate (&key);
  hn_node_private_get_public (&key, &rogue.key);
  rogue.wg = hn_wg_new (&ops, &rogue);
  rogue.delivered = g_byte_array_new ();
  hn_wg_set_private_key (rogue.wg, key.bytes);
  rogue.peer = hn_wg_add_peer (rogue.wg, hn_node_get (world->a.node)->key.bytes, NULL);
  hn_wg_peer_set_allowed_ips (rogue.peer, &any, 1);
  node = make_node (3, &rogue.key, "100.64.0.3", NULL, 1);
  introduce (&world->a, node, FALSE);

  rogue_say (world, &rogue, &echo);
  assert_received (&world->a, &echo);
  /* Another's address, another's destination. */
  rogue_say (world, &rogue, &spoofed);
  rogue_say (world, &rogue, &elsewhere);
  g_assert_null (fake_port_take (world->a.port));
  g_assert_cmpuint (hn_pump_get_counters (world->a.pump)->in_refused, ==, 1);

  /* TSMP: a ping is answered, an advert swallowed; the host sees neither. */
  g_byte_array_set_size (rogue.delivered, 0);
  rogue_say (world, &rogue, &tsmp);
  g_assert_true (hn_ip_packet_parse (&packet, rogue.delivered->data, rogue.delivered->len));
  g_assert_cmpuint (packet.protocol, ==, HN_IP_PROTOCOL_TSMP);
  g_assert_cmpuint (packet.len - packet.header_len, ==, 11);
  g_assert_cmpuint (packet.data[packet.header_len], ==, 'o');
  g_assert_cmpmem (packet.data + packet.header_len + 1, 8, ping + 1, 8);
  rogue_say (world, &rogue, &disco);
  g_assert_null (fake_port_take (world->a.port));
  g_assert_cmpuint (hn_pump_get_counters (world->a.pump)->in_consumed, ==, 2);

  hn_wg_free (rogue.wg);
  g_byte_array_unref (rogue.delivered);
}

/* Ten thousand peers at rest. */
static void
test_many_peers (World *world, gconstpointer data)
{
  g_autoptr (GPtrArray) nodes = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  HnNodePublic key = { { 0 } };
  gint64 start;

  for (guint i = 0; i < 10000; i++)
    {
      g_autofree char *ip4 = g_strdup_printf ("100.70.%u.%u", i >> 8, i & 255);
      g_autofree char *ip6 = g_strdup_printf ("fd7a:115c:a1e0::7:%x", i + 1);

      hn_random_bytes (key.bytes, sizeof key.bytes);
      g_ptr_array_add (nodes, make_node (100 + i, &key, ip4, ip6, 1));
    }
  start = g_get_monotonic_time ();
  hn_pump_update_peers (world->a.pump, nodes, NULL, TRUE);
  g_test_message ("10000 peers in %" G_GINT64_FORMAT " us", g_get_monotonic_time () - start);
  g_assert_cmpuint (hn_pump_get_n_active (world->a.pump), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
#define ADD(path, function)                                                                        \
  g_test_add ("/dataplane/pump/" path, World, NULL, world_init, function, world_clear)
  ADD ("echo", test_echo);
  ADD ("connection", test_connection);
  ADD ("batch", test_batch);
  ADD ("jam", test_jam);
  ADD ("ping", test_ping);
  ADD ("unreachable", test_unreachable);
  ADD ("idle", test_idle);
  ADD ("restart", test_restart);
  ADD ("forged-loss", test_forged_loss);
  ADD ("peer-changes", test_peer_changes);
  ADD ("conflict", test_conflict);
  ADD ("paths", test_paths);
  ADD ("port-lost", test_port_lost);
  ADD ("rogue", test_rogue);
  ADD ("many-peers", test_many_peers);
#undef ADD
  return g_test_run ();
}
