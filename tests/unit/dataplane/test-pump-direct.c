/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two pumps with a network and a relay between them: direct paths, what they lose, what is refused. */
#include "dataplane/hn-pump.h"

#include <errno.h>
#include <string.h>

#include "craft.h"
#include "crypto/hn-crypto.h"
#include "dataplane/hn-ip-reply.h"
#include "fake-port.h"

#define HOME 7
#define MS 1000
#define SECOND ((gint64) G_USEC_PER_SEC)

typedef struct _Side
{
  struct _World *world;
  struct _Side *other;
  HnPump *pump;
  FakePort *port;
  HnNode *node;
  HnNodePrivate key;
  HnDiscoPrivate disco;
  HnEndpoint endpoint;
  const char *address;
  HnPeerPath path;
  guint n_direct; /* datagrams by each way */
  guint n_relay;
  gboolean relay_jammed;
  guint n_refused; /* how often it told of refused packets */
  gint64 ping_latency_us;
  HnPeerStats ping_stats;
} Side;

typedef struct
{
  Side *to;
  gboolean direct;
  GByteArray *datagram;
  gint64 arrives_us;
} Flight;

typedef struct _World
{
  Side a, b;
  GQueue flights;
  gint64 now_us;
  gboolean blocked; /* no UDP passes */
  int send_error;   /* what sending by UDP ends with */
} World;

static void
flight_free (gpointer data)
{
  Flight *flight = data;

  g_byte_array_unref (flight->datagram);
  g_free (flight);
}

static void
fly (Side *from, gboolean direct, const guint8 *data, gsize len)
{
  Flight *flight = g_new0 (Flight, 1);

  flight->to = from->other;
  flight->direct = direct;
  flight->datagram = g_byte_array_new ();
  g_byte_array_append (flight->datagram, data, (guint) len);
  flight->arrives_us = from->world->now_us + (direct ? 1 : 5) * MS;
  g_queue_push_tail (&from->world->flights, flight);
}

static int
side_send (gpointer user, int region, const HnNodePublic *peer, const guint8 *data, gsize len)
{
  Side *side = user;

  side->n_relay++;
  fly (side, FALSE, data, len);
  return HOME;
}

static int
side_send_udp (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len)
{
  Side *side = user;

  if (side->world->send_error != 0)
    return side->world->send_error;
  side->n_direct++;
  if (!side->world->blocked && hn_endpoint_equal (to, &side->other->endpoint))
    fly (side, TRUE, data, len);
  return 0;
}

static gboolean
side_flush (gpointer user)
{
  return ((Side *) user)->relay_jammed;
}

static void
side_path_changed (gpointer user, const HnNodePublic *peer, const HnPeerPath *path)
{
  ((Side *) user)->path = *path;
}

static void
side_port_lost (gpointer user, const GError *error)
{
  g_assert_not_reached ();
}

static void
side_ping_done (gpointer user, gpointer ping, const HnPeerStats *stats, gint64 latency_us)
{
  Side *side = user;

  side->ping_latency_us = latency_us;
  side->ping_stats = *stats;
}

static void
side_refused (gpointer user, const guint64 *verdicts)
{
  ((Side *) user)->n_refused++;
  g_assert_cmpuint (verdicts[HN_FILTER_NO_RULE], >, 0);
}

static void
side_refresh_endpoints (gpointer user)
{
  Side *side = user;

  hn_pump_set_endpoints (side->pump, &side->endpoint, 1);
}

static gint64
side_now (gpointer user)
{
  return ((Side *) user)->world->now_us;
}

static gint64
side_wall (gpointer user)
{
  return 1795000000 * SECOND + ((Side *) user)->world->now_us;
}

/* @protocol 0: no rule at all. */
static void
allow (Side *side, guint8 protocol, guint16 port)
{
  const HnIpRange all = { { 4, { 0 } }, { 4, { 255, 255, 255, 255 } } };
  HnFilterRule *rule = g_new0 (HnFilterRule, 1);
  g_autoptr (HnFilterRules) rules = NULL;
  g_autoptr (HnFilterProgram) program = NULL;

  rule->sources = g_memdup2 (&all, sizeof all);
  rule->n_sources = 1;
  rule->destinations = g_new0 (HnFilterDestination, 1);
  rule->destinations[0] = (HnFilterDestination){ all, port, port };
  rule->n_destinations = 1;
  rule->protocols = g_memdup2 (&protocol, 1);
  rule->n_protocols = 1;
  rules = hn_filter_rules_new_take (rule, 1);
  program = hn_filter_program_new (rules, NULL, FALSE);
  hn_pump_set_filter (side->pump, program);
}

static void
side_init (Side *side, World *world, Side *other, gint64 id, const char *address,
           const char *endpoint)
{
  static const HnPumpOps ops = {
    .send = side_send,
    .flush = side_flush,
    .send_udp = side_send_udp,
    .refresh_endpoints = side_refresh_endpoints,
    .path_changed = side_path_changed,
    .port_lost = side_port_lost,
    .refused = side_refused,
    .ping_done = side_ping_done,
    .now_us = side_now,
    .wall_us = side_wall,
  };
  HnPrefix own;
  HnNodeFields fields = { .id = id,
                          .stable_id = "",
                          .name = "node.tail.test",
                          .home_derp = HOME,
                          .host_name = "",
                          .os = "",
                          .addresses = &own,
                          .n_addresses = 1,
                          .allowed_ips = &own,
                          .n_allowed_ips = 1,
                          .endpoints = &side->endpoint,
                          .n_endpoints = 1 };

  side->world = world;
  side->other = other;
  side->address = address;
  g_assert_true (hn_prefix_parse (address, TRUE, &own));
  g_assert_true (hn_endpoint_parse (endpoint, &side->endpoint));
  hn_node_private_generate (&side->key);
  hn_disco_private_generate (&side->disco);
  hn_node_private_get_public (&side->key, &fields.key);
  hn_disco_private_get_public (&side->disco, &fields.disco);
  side->node = hn_node_new (&fields);
  side->port = fake_port_new ();
  side->pump = hn_pump_new (HN_PACKET_PORT (side->port), &ops, side, 0);
  hn_pump_set_private_key (side->pump, &side->key);
  hn_pump_set_disco_key (side->pump, &side->disco);
  hn_pump_set_addresses (side->pump, &own, 1);
  hn_pump_network_changed (side->pump, TRUE);
  hn_pump_set_endpoints (side->pump, &side->endpoint, 1);
  allow (side, HN_IP_PROTOCOL_ICMP, 0);
}

static void
introduce (Side *side)
{
  g_autoptr (GPtrArray) changed = g_ptr_array_new ();

  g_ptr_array_add (changed, side->other->node);
  hn_pump_update_peers (side->pump, changed, NULL, TRUE);
}

static void
world_init (World *world, gconstpointer data)
{
  world->now_us = 1000 * SECOND;
  side_init (&world->a, world, &world->b, 1, "100.64.0.1", "192.0.2.1:41641");
  side_init (&world->b, world, &world->a, 2, "100.64.0.2", "198.51.100.2:41642");
  introduce (&world->a);
  introduce (&world->b);
}

static void
side_clear (Side *side)
{
  hn_pump_free (side->pump);
  g_object_unref (side->port);
  hn_node_unref (side->node);
}

static void
world_clear (World *world, gconstpointer data)
{
  side_clear (&world->a);
  side_clear (&world->b);
  g_queue_clear_full (&world->flights, flight_free);
}

static void
arrive (Flight *flight)
{
  Side *to = flight->to;
  gsize len = flight->datagram->len;
  g_autofree guint8 *buffer = g_malloc (64 + len + 64);

  memcpy (buffer + 64, flight->datagram->data, len);
  if (flight->direct)
    hn_pump_receive_udp (to->pump, &to->other->endpoint, buffer + 64, len);
  else
    hn_pump_receive (to->pump, HOME, &hn_node_get (to->other->node)->key, buffer + 64, len);
  flight_free (flight);
}

/* Lets that much time pass, a millisecond at a time. */
static void
run_for (World *world, gint64 us)
{
  gint64 end_us = world->now_us + us;

  while (world->now_us < end_us)
    {
      guint waiting = world->flights.length;

      for (guint i = 0; i < waiting; i++)
        {
          Flight *flight = g_queue_pop_head (&world->flights);

          if (flight->arrives_us <= world->now_us)
            arrive (flight);
          else
            g_queue_push_tail (&world->flights, flight);
        }
      while (g_main_context_iteration (NULL, FALSE))
        ;
      world->now_us += MS;
    }
}

static void
put (Side *side, const Craft *craft)
{
  guint8 packet[CRAFT_MAX];

  fake_port_put (side->port, packet, craft_packet (craft, packet));
}

/* How many packets the host of @side got since the last call. */
static guint
take_all (Side *side)
{
  guint n = 0;
  GBytes *bytes;

  while ((bytes = fake_port_take (side->port)) != NULL)
    {
      g_bytes_unref (bytes);
      n++;
    }
  return n;
}

/* One echo request each 20 ms and its answer; returns how many answers A's host got. */
static guint
talk (World *world, guint n)
{
  guint answers = 0;

  for (guint i = 0; i < n; i++)
    {
      Craft ask = { world->a.address, world->b.address, HN_IP_PROTOCOL_ICMP,
                    .source_port = (guint16) i, .icmp_type = 8 };
      Craft answer
          = { world->b.address, world->a.address, HN_IP_PROTOCOL_ICMP, .source_port = (guint16) i };

      put (&world->a, &ask);
      run_for (world, 10 * MS);
      for (guint k = take_all (&world->b); k > 0; k--)
        put (&world->b, &answer);
      run_for (world, 10 * MS);
      answers += take_all (&world->a);
    }
  return answers;
}

static void
test_goes_direct (World *world, gconstpointer data)
{
  gpointer token = world;
  HnPeerStats stats;
  HnIp target;
  guint relayed;

  /* the first packets go over the relay at once, and none is lost at the change */
  g_assert_cmpuint (talk (world, 50), ==, 50);
  g_assert_cmpint (world->a.path.kind, ==, HN_PATH_DIRECT);
  g_assert_cmpint (world->b.path.kind, ==, HN_PATH_DIRECT);
  g_assert_true (hn_endpoint_equal (&world->a.path.endpoint, &world->b.endpoint));
  relayed = world->a.n_relay + world->b.n_relay;
  g_assert_cmpuint (talk (world, 50), ==, 50);
  g_assert_cmpuint (world->a.n_relay + world->b.n_relay, ==, relayed);

  g_assert_true (hn_pump_get_stats (world->a.pump, &hn_node_get (world->b.node)->key, &stats));
  g_assert_cmpint (stats.path.kind, ==, HN_PATH_DIRECT);
  g_assert_cmpint (stats.latency_us, >, 0);
  g_assert_cmpint (stats.latency_us, <, 10 * MS);

  g_assert_true (hn_ip_parse (world->b.address, &target));
  for (HnPingKind kind = HN_PING_ICMP; kind <= HN_PING_TSMP; kind++)
    {
      world->a.ping_latency_us = 0;
      g_assert_true (hn_pump_ping (world->a.pump, kind, &target, 1000, token, NULL));
      /* the system answers an echo request, which here is us */
      run_for (world, 5 * MS);
      if (kind == HN_PING_ICMP)
        {
          g_autoptr (GBytes) asked = fake_port_take (world->b.port);
          guint8 reply[128];
          gsize len = g_bytes_get_size (asked);
          guint8 address[4];

          memcpy (reply, g_bytes_get_data (asked, NULL), len);
          memcpy (address, reply + 12, 4);
          memmove (reply + 12, reply + 16, 4);
          memcpy (reply + 16, address, 4);
          reply[20] = 0;
          fake_port_put (world->b.port, reply, len);
        }
      run_for (world, 20 * MS);
      g_assert_cmpint (world->a.ping_latency_us, >, 0);
      g_assert_cmpint (world->a.ping_stats.path.kind, ==, HN_PATH_DIRECT);
    }
}

/* UDP ends in the middle of it: data flows again within two seconds, and comes back by itself. */
static void
test_blocked (World *world, gconstpointer data)
{
  guint lost = 0;

  talk (world, 50);
  g_assert_cmpint (world->a.path.kind, ==, HN_PATH_DIRECT);
  world->blocked = TRUE;
  while (talk (world, 5) == 0)
    lost++;
  g_assert_cmpuint (lost * 100, <=, 2000);
  g_test_message ("flows again after %u ms", lost * 100);
  g_assert_cmpuint (talk (world, 100), ==, 100);

  world->blocked = FALSE;
  g_assert_cmpuint (talk (world, 500), ==, 500);
  g_assert_cmpint (world->a.path.kind, ==, HN_PATH_DIRECT);
  g_assert_cmpint (world->b.path.kind, ==, HN_PATH_DIRECT);
}

/* A local firewall: what can not be sent goes over the relay, packet for packet. */
static void
test_send_error (World *world, gconstpointer data)
{
  talk (world, 50);
  g_assert_cmpint (world->a.path.kind, ==, HN_PATH_DIRECT);
  world->send_error = ENETUNREACH;
  g_assert_cmpuint (talk (world, 50), ==, 50);
  world->send_error = 0;
  g_assert_cmpuint (talk (world, 500), ==, 500);
  g_assert_cmpint (world->a.path.kind, ==, HN_PATH_DIRECT);
}

static void
test_no_network (World *world, gconstpointer data)
{
  talk (world, 50);
  hn_pump_network_changed (world->a.pump, FALSE);
  g_assert_cmpint (world->a.path.kind, !=, HN_PATH_DIRECT);
  world->blocked = TRUE;
  run_for (world, 3 * SECOND);
  world->blocked = FALSE;
  hn_pump_network_changed (world->a.pump, TRUE);
  talk (world, 250);
  g_assert_cmpint (world->a.path.kind, ==, HN_PATH_DIRECT);
}

/* Whoever knocks at a closed port hears that at once, at a bounded rate. */
static void
test_refused (World *world, gconstpointer data)
{
  Craft syn = { world->a.address,    world->b.address,       HN_IP_PROTOCOL_TCP,
                .source_port = 4000, .destination_port = 22, .tcp_flags = HN_TCP_SYN };
  const HnPumpCounters *at_a = hn_pump_get_counters (world->a.pump);
  const HnPumpCounters *at_b = hn_pump_get_counters (world->b.pump);

  talk (world, 20);
  put (&world->a, &syn);
  run_for (world, 20 * MS);
  g_assert_cmpuint (take_all (&world->b), ==, 0);
  g_assert_cmpuint (at_b->in_refused, ==, 1);
  g_assert_cmpuint (at_b->rejects_sent, ==, 1);
  g_assert_cmpuint (at_a->rejects_received, ==, 1);
  g_assert_cmpuint (take_all (&world->a), ==, 0);
  g_assert_cmpuint (hn_pump_get_verdicts (world->b.pump)[HN_FILTER_NO_RULE], ==, 1);

  for (guint i = 0; i < 200; i++)
    {
      syn.source_port++;
      put (&world->a, &syn);
    }
  run_for (world, 50 * MS);
  g_assert_cmpuint (at_b->in_refused, ==, 201);
  g_assert_cmpuint (at_b->rejects_sent, <=, 50);
  g_assert_cmpuint (world->b.n_refused, ==, 1);

  allow (&world->b, HN_IP_PROTOCOL_TCP, 22);
  put (&world->a, &syn);
  run_for (world, 20 * MS);
  g_assert_cmpuint (take_all (&world->b), ==, 1);
}

/* What is silent sends nothing, and needs no timer but that of the sweep. */
static void
test_idle (World *world, gconstpointer data)
{
  guint sent;

  talk (world, 50);
  run_for (world, 60 * SECOND);
  sent = world->a.n_direct + world->b.n_direct + world->a.n_relay + world->b.n_relay;
  run_for (world, 30 * SECOND);
  g_assert_cmpuint (world->a.n_direct + world->b.n_direct + world->a.n_relay + world->b.n_relay, ==,
                    sent);
  g_assert_cmpuint (talk (world, 50), ==, 50);
  g_assert_cmpint (world->a.path.kind, ==, HN_PATH_DIRECT);
}

/* What goes directly has no part in a jam of the relay. */
static void
test_jam (World *world, gconstpointer data)
{
  Craft craft = { world->a.address, world->b.address, HN_IP_PROTOCOL_ICMP, .icmp_type = 8 };
  guint before;

  talk (world, 50);
  g_assert_cmpint (world->a.path.kind, ==, HN_PATH_DIRECT);
  before = world->a.n_direct;
  world->a.relay_jammed = TRUE;
  for (guint i = 0; i < 3; i++)
    {
      put (&world->a, &craft);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
  g_assert_cmpuint (world->a.n_direct, ==, before + 3);
}

/* Datagrams of nobody: they are counted, answered by nothing and harm nothing. */
static void
test_strangers (World *world, gconstpointer data)
{
  HnEndpoint nobody;
  guint8 buffer[64 + 1500 + 64];
  guint before;

  g_assert_true (hn_endpoint_parse ("203.0.113.66:53", &nobody));
  talk (world, 20);
  run_for (world, 100 * MS);
  before = world->a.n_direct + world->a.n_relay;
  for (guint i = 0; i < 2000; i++)
    {
      gsize len = i % 1500;

      hn_random_bytes (buffer, sizeof buffer);
      if (i % 3 == 0)
        memcpy (buffer + 64, (guint8[]){ 4, 0, 0, 0 }, 4);
      if (i % 3 == 1)
        memcpy (buffer + 64, (guint8[]){ 'T', 'S', 0xf0, 0x9f, 0x92, 0xac }, 6);
      hn_pump_receive_udp (world->a.pump, &nobody, buffer + 64, len);
    }
  g_assert_cmpuint (world->a.n_direct + world->a.n_relay, ==, before);
  g_assert_cmpuint (take_all (&world->a), ==, 0);
  g_assert_cmpuint (talk (world, 20), ==, 20);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
#define ADD(path, function)                                                                        \
  g_test_add ("/dataplane/pump-direct/" path, World, NULL, world_init, function, world_clear)
  ADD ("goes-direct", test_goes_direct);
  ADD ("blocked", test_blocked);
  ADD ("send-error", test_send_error);
  ADD ("no-network", test_no_network);
  ADD ("refused", test_refused);
  ADD ("idle", test_idle);
  ADD ("jam", test_jam);
  ADD ("strangers", test_strangers);
#undef ADD
  return g_test_run ();
}
