/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A router that speaks what a test lets it speak, and a clock that the test moves. */
#include <string.h>

#include "base/hn-bytes.h"
#include "crypto/hn-crypto.h"
#include "path/hn-portmap.h"

#define SECOND ((gint64) G_USEC_PER_SEC)
#define PORT 41641
#define OUTER "45.67.89.10"

typedef struct
{
  HnPortmap *portmap;
  gint64 now;
  gint64 began; /* when the router started */
  HnEndpoint gateway;
  HnEndpoint local;

  gboolean speaks_pmp;
  gboolean speaks_pcp;
  gboolean speaks_upnp;
  const char *outer; /* address */
  guint16 outer_port;
  guint32 lifetime;
  guint result;

  guint sent;    /* datagrams */
  guint asked;   /* for a mapping or its renewal */
  guint deleted; /* likewise */
  guint changes;
  guint maps; /* by UPnP, and likewise */
  guint unmaps;
  guint forgets;
  gboolean map_open;
  GPtrArray *answers; /* of GBytes: on their way to us */
  guint8 nonce[HN_PCP_NONCE_LEN];
} World;

static void
answer (World *world, const guint8 *data, gsize len)
{
  g_ptr_array_add (world->answers, g_bytes_new (data, len));
}

static void
write_address (HnWriter *writer, const char *text)
{
  HnIp ip;

  g_assert_true (hn_ip_parse (text, &ip));
  hn_writer_bytes (writer, ip.bytes, 4);
}

static guint32
epoch (World *world)
{
  return (guint32) ((world->now - world->began) / SECOND);
}

static void
answer_pmp (World *world, const guint8 *data, gsize len)
{
  guint8 buffer[16];
  HnWriter writer;

  hn_writer_init (&writer, buffer, sizeof buffer);
  hn_writer_u8 (&writer, 0);
  hn_writer_u8 (&writer, 0x80 | data[1]);
  hn_writer_be16 (&writer, (guint16) world->result);
  hn_writer_be32 (&writer, epoch (world));
  if (len == HN_PMP_ADDRESS_REQUEST_LEN)
    {
      write_address (&writer, world->outer);
    }
  else
    {
      hn_writer_be16 (&writer, PORT);
      hn_writer_be16 (&writer, world->outer_port);
      hn_writer_be32 (&writer, world->lifetime);
    }
  answer (world, buffer, writer.len);
}

static void
answer_pcp (World *world, const guint8 *data, gsize len)
{
  guint8 buffer[HN_PCP_MAP_LEN];
  HnWriter writer;

  hn_writer_init (&writer, buffer, sizeof buffer);
  hn_writer_u8 (&writer, 2);
  hn_writer_u8 (&writer, 0x80 | data[1]);
  hn_writer_u8 (&writer, 0);
  hn_writer_u8 (&writer, (guint8) world->result);
  hn_writer_be32 (&writer, world->lifetime);
  hn_writer_be32 (&writer, epoch (world));
  hn_writer_be64 (&writer, 0);
  hn_writer_be32 (&writer, 0);
  if (len == HN_PCP_MAP_LEN)
    {
      hn_writer_bytes (&writer, world->nonce, sizeof world->nonce);
      hn_writer_be32 (&writer, 17 << 24);
      hn_writer_be16 (&writer, PORT);
      hn_writer_be16 (&writer, world->outer_port);
      hn_writer_be64 (&writer, 0);
      hn_writer_be32 (&writer, 0xffff);
      write_address (&writer, world->outer);
    }
  answer (world, buffer, writer.len);
}

static void
answer_search (World *world)
{
  static const char text[] = "HTTP/1.1 200 OK\r\n"
                             "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
                             "LOCATION: http://127.0.0.1:5000/root.xml\r\n\r\n";

  answer (world, (const guint8 *) text, strlen (text));
}

static void
world_send (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len)
{
  World *world = user;
  gboolean map = len == HN_PMP_MAP_REQUEST_LEN || len == HN_PCP_MAP_LEN;

  world->sent++;
  if (to->port == HN_SSDP_PORT)
    {
      if (world->speaks_upnp)
        answer_search (world);
      return;
    }
  g_assert_true (hn_endpoint_equal (to, &world->gateway));
  if (len == HN_PCP_MAP_LEN)
    memcpy (world->nonce, data + 24, sizeof world->nonce);
  if (map)
    {
      guint32 lifetime;

      memcpy (&lifetime, data + (data[0] == 0 ? 8 : 4), sizeof lifetime);
      if (lifetime == 0)
        {
          world->deleted++;
          return;
        }
      world->asked++;
    }
  if (data[0] == 0 && world->speaks_pmp)
    answer_pmp (world, data, len);
  if (data[0] == 2 && world->speaks_pcp)
    answer_pcp (world, data, len);
}

static void
world_map (gpointer user, const char *url, const HnIp *local, guint16 port, guint32 lifetime_s)
{
  World *world = user;

  /* whatever the answer says: it is the gateway that is asked */
  g_assert_cmpstr (url, ==, "http://192.168.1.1:5000/root.xml");
  g_assert_true (hn_ip_equal (local, &world->local.ip));
  g_assert_cmpuint (port, ==, PORT);
  g_assert_cmpuint (lifetime_s, ==, 7200);
  world->maps++;
  world->map_open = TRUE;
}

static void
world_unmap (gpointer user, gboolean reachable)
{
  World *world = user;

  if (reachable)
    world->unmaps++;
  else
    world->forgets++;
  world->map_open = FALSE;
}

static void
world_changed (gpointer user)
{
  World *world = user;

  world->changes++;
}

static void
world_init (World *world)
{
  static const HnPortmapOps ops = { world_send, world_map, world_unmap, world_changed };

  *world = (World){ .now = 1000 * SECOND, .outer = OUTER, .outer_port = PORT, .lifetime = 7200 };
  world->answers = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_assert_true (hn_endpoint_parse ("192.168.1.1:5351", &world->gateway));
  g_assert_true (hn_endpoint_parse ("192.168.1.7:41641", &world->local));
  world->portmap = hn_portmap_new (&ops, world);
}

static void
world_clear (World *world)
{
  hn_portmap_free (world->portmap);
  g_ptr_array_unref (world->answers);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (World, world_clear)

/* Hands in what is under way, and what that leads to. */
static void
deliver (World *world)
{
  while (world->answers->len > 0)
    {
      g_autoptr (GBytes) bytes = g_ptr_array_steal_index (world->answers, 0);
      HnEndpoint from = world->gateway;
      gsize len;
      const guint8 *data = g_bytes_get_data (bytes, &len);

      if (data[0] == 'H')
        from.port = HN_SSDP_PORT;
      hn_portmap_receive (world->portmap, &from, data, len, world->now);
    }
}

static void
start (World *world)
{
  hn_portmap_start (world->portmap, &world->gateway.ip, &world->local.ip, PORT, world->now);
  deliver (world);
}

/* Lets time pass, with all that is due in it. */
static void
run_until (World *world, gint64 end)
{
  while (hn_portmap_get_deadline (world->portmap) <= end)
    {
      g_assert_cmpint (hn_portmap_get_deadline (world->portmap), >=, world->now);
      world->now = hn_portmap_get_deadline (world->portmap);
      hn_portmap_tick (world->portmap, world->now);
      deliver (world);
    }
  world->now = end;
}

static void
check_held (World *world, HnPortmapProtocol protocol, const char *expected)
{
  HnEndpoint outer;
  char text[HN_IP_TEXT_MAX];

  g_assert_cmpint (hn_portmap_get_mapping (world->portmap, &outer), ==, protocol);
  g_assert_cmpstr (hn_endpoint_format (&outer, text), ==, expected);
}

static void
check_none (World *world)
{
  HnEndpoint outer;

  g_assert_cmpint (hn_portmap_get_mapping (world->portmap, &outer), ==, HN_PORTMAP_NONE);
  g_assert_cmpuint (outer.ip.family, ==, 0);
}

static void
test_pmp (void)
{
  g_auto (World) world;

  world_init (&world);
  world.speaks_pmp = world.speaks_pcp = TRUE;
  world.outer_port = 1234;
  start (&world);
  check_held (&world, HN_PORTMAP_PMP, OUTER ":1234");
  g_assert_cmpuint (world.changes, ==, 1);

  /* Quiet until half of it is over; then it is as long again, and nothing is news. */
  g_assert_cmpint (hn_portmap_get_deadline (world.portmap), ==, world.now + 3600 * SECOND);
  world.sent = 0;
  run_until (&world, world.now + 3600 * SECOND - 1);
  g_assert_cmpuint (world.sent, ==, 0);
  run_until (&world, world.now + 1);
  g_assert_cmpuint (world.sent, ==, 2);
  g_assert_cmpint (hn_portmap_get_deadline (world.portmap), ==, world.now + 3600 * SECOND);
  g_assert_cmpuint (world.changes, ==, 1);

  /* Another outer address by then. */
  world.outer = "45.67.89.99";
  run_until (&world, world.now + 3600 * SECOND);
  check_held (&world, HN_PORTMAP_PMP, "45.67.89.99:1234");
  g_assert_cmpuint (world.changes, ==, 2);

  hn_portmap_stop (world.portmap, TRUE);
  g_assert_cmpuint (world.deleted, ==, 1);
  check_none (&world);
  g_assert_cmpint (hn_portmap_get_deadline (world.portmap), ==, G_MAXINT64);
  g_assert_false (hn_portmap_is_open (world.portmap));
}

static void
test_pcp (void)
{
  g_auto (World) world;
  guint8 nonce[HN_PCP_NONCE_LEN];

  world_init (&world);
  world.speaks_pcp = TRUE;
  start (&world);
  /* The window is for those that are better. */
  check_none (&world);
  g_assert_cmpint (hn_portmap_get_deadline (world.portmap), ==, world.now + SECOND / 4);
  run_until (&world, world.now + SECOND / 4);
  check_held (&world, HN_PORTMAP_PCP, OUTER ":41641");
  memcpy (nonce, world.nonce, sizeof nonce);
  run_until (&world, world.now + 3600 * SECOND);
  g_assert_cmpuint (world.asked, ==, 2);
  g_assert_cmpmem (nonce, sizeof nonce, world.nonce, sizeof world.nonce);
  hn_portmap_stop (world.portmap, TRUE);
  g_assert_cmpuint (world.deleted, ==, 1);
  g_assert_cmpmem (nonce, sizeof nonce, world.nonce, sizeof world.nonce);
}

static void
test_upnp (void)
{
  g_auto (World) world;
  HnEndpoint outer;

  world_init (&world);
  world.speaks_upnp = TRUE;
  start (&world);
  run_until (&world, world.now + SECOND / 4);
  g_assert_cmpuint (world.maps, ==, 1);
  g_assert_true (hn_endpoint_parse (OUTER ":5555", &outer));
  hn_portmap_upnp_done (world.portmap, &outer, 7200, world.now + SECOND);
  check_held (&world, HN_PORTMAP_UPNP, OUTER ":5555");
  run_until (&world, world.now + 3601 * SECOND);
  g_assert_cmpuint (world.maps, ==, 2);
  /* A renewal that fails leaves what there is, for as long as that lasts. */
  hn_portmap_upnp_done (world.portmap, NULL, 0, world.now);
  check_held (&world, HN_PORTMAP_UPNP, OUTER ":5555");
  run_until (&world, world.now + 7200 * SECOND);
  check_none (&world);
  hn_portmap_stop (world.portmap, TRUE);

  /* It takes too long: what it still makes is not wanted. */
  world.maps = world.unmaps = 0;
  start (&world);
  run_until (&world, world.now + 30 * SECOND);
  g_assert_cmpuint (world.maps, ==, 1);
  g_assert_cmpuint (world.unmaps, ==, 1);
  hn_portmap_upnp_done (world.portmap, &outer, 7200, world.now);
  check_none (&world);

  /* The network goes away with a question open. */
  hn_portmap_stop (world.portmap, FALSE);
  start (&world);
  run_until (&world, world.now + SECOND / 4);
  g_assert_true (world.map_open);
  hn_portmap_stop (world.portmap, FALSE);
  g_assert_cmpuint (world.forgets, ==, 1);
  g_assert_cmpuint (world.unmaps, ==, 1);
}

/* What one way refuses the next may do. */
static void
test_next (void)
{
  g_auto (World) world;
  HnEndpoint outer;

  world_init (&world);
  world.speaks_pcp = world.speaks_upnp = TRUE;
  start (&world);
  world.result = 2;
  run_until (&world, world.now + SECOND);
  g_assert_cmpuint (world.asked, ==, 1);
  g_assert_cmpuint (world.maps, ==, 1);
  g_assert_true (hn_endpoint_parse ("192.168.1.1:5555", &outer));
  hn_portmap_upnp_done (world.portmap, &outer, 7200, world.now);
  check_none (&world);
  g_assert_cmpuint (world.unmaps, ==, 1);
  g_assert_cmpuint (world.changes, ==, 0);
  g_assert_cmpint (hn_portmap_get_deadline (world.portmap), ==, G_MAXINT64);
}

/* Nobody answers: a probe, once again, and silence; a new look only after ten minutes. */
static void
test_nobody (void)
{
  g_auto (World) world;

  world_init (&world);
  start (&world);
  run_until (&world, world.now + 3600 * SECOND);
  g_assert_cmpuint (world.sent, ==, 10);
  g_assert_cmpint (hn_portmap_get_deadline (world.portmap), ==, G_MAXINT64);
  g_assert_false (hn_portmap_is_open (world.portmap));
  hn_portmap_refresh (world.portmap, world.now);
  g_assert_cmpuint (world.sent, ==, 15);
  run_until (&world, world.now + 10 * SECOND);
  g_assert_cmpuint (world.sent, ==, 20);
  run_until (&world, world.now + 589 * SECOND);
  hn_portmap_refresh (world.portmap, world.now);
  g_assert_cmpuint (world.sent, ==, 20);
  world.speaks_pmp = TRUE;
  run_until (&world, world.now + SECOND);
  hn_portmap_refresh (world.portmap, world.now);
  deliver (&world);
  check_held (&world, HN_PORTMAP_PMP, OUTER ":41641");
  hn_portmap_refresh (world.portmap, world.now + 4000 * SECOND);
  g_assert_cmpuint (world.asked, ==, 1);
}

static void
test_no_gateway (void)
{
  static const char *const others[]
      = { "45.67.89.1", "127.0.0.1", "169.254.0.1", "0.0.0.0", "100.64.0.1", "fe80::1" };
  g_auto (World) world;
  HnIp none = { 0 };

  world_init (&world);
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    {
      HnIp gateway;

      g_assert_true (hn_ip_parse (others[i], &gateway));
      hn_portmap_start (world.portmap, &gateway, &world.local.ip, PORT, world.now);
    }
  hn_portmap_start (world.portmap, &none, &none, PORT, world.now);
  hn_portmap_start (world.portmap, &world.gateway.ip, &none, PORT, world.now);
  hn_portmap_start (world.portmap, &world.gateway.ip, &world.local.ip, 0, world.now);
  hn_portmap_refresh (world.portmap, world.now + 3600 * SECOND);
  g_assert_cmpuint (world.sent, ==, 0);
  g_assert_cmpint (hn_portmap_get_deadline (world.portmap), ==, G_MAXINT64);
}

/* The router is silent at the renewal: the mapping lasts to its end, and is then looked for anew. */
static void
test_silent (void)
{
  g_auto (World) world;
  gint64 begin;

  world_init (&world);
  world.speaks_pmp = TRUE;
  start (&world);
  begin = world.now;
  world.speaks_pmp = FALSE;
  world.sent = 0;
  run_until (&world, begin + 7000 * SECOND);
  check_held (&world, HN_PORTMAP_PMP, OUTER ":41641");
  /* few questions, each of few datagrams */
  g_assert_cmpuint (world.sent, <, 100);
  run_until (&world, begin + 7210 * SECOND);
  check_none (&world);
  g_assert_cmpuint (world.changes, ==, 2);
  run_until (&world, begin + 8000 * SECOND);
  g_assert_cmpint (hn_portmap_get_deadline (world.portmap), ==, G_MAXINT64);
}

/* The network changed. The same router knows the mapping; another one does not. */
static void
test_network (void)
{
  g_auto (World) world;
  HnEndpoint other;

  world_init (&world);
  world.speaks_pmp = TRUE;
  start (&world);
  run_until (&world, world.now + 100 * SECOND);
  start (&world);
  check_held (&world, HN_PORTMAP_PMP, OUTER ":41641");
  g_assert_cmpuint (world.asked, ==, 2);
  g_assert_cmpuint (world.changes, ==, 1);

  /* One with the same address, but that maps nothing. */
  world.speaks_pmp = FALSE;
  start (&world);
  check_held (&world, HN_PORTMAP_PMP, OUTER ":41641");
  run_until (&world, world.now + 5 * SECOND);
  check_none (&world);
  g_assert_cmpuint (world.changes, ==, 2);

  world.speaks_pmp = TRUE;
  start (&world);
  check_held (&world, HN_PORTMAP_PMP, OUTER ":41641");
  g_assert_true (hn_endpoint_parse ("10.0.0.1:5351", &other));
  world.speaks_pmp = FALSE;
  world.gateway = other;
  start (&world);
  check_none (&world);
  g_assert_cmpuint (world.deleted, ==, 0);
  g_assert_cmpuint (world.changes, ==, 4);
}

/* Another port of ours: the old one's mapping goes. */
static void
test_port (void)
{
  g_auto (World) world;

  world_init (&world);
  world.speaks_pcp = TRUE;
  start (&world);
  run_until (&world, world.now + SECOND);
  check_held (&world, HN_PORTMAP_PCP, OUTER ":41641");
  hn_portmap_start (world.portmap, &world.gateway.ip, &world.local.ip, 4000, world.now);
  check_none (&world);
  g_assert_cmpuint (world.deleted, ==, 1);
  /* an answer about the old one is none about the new one */
  run_until (&world, world.now + SECOND);
  check_none (&world);
}

/* The router restarted and forgot: what it says next counts. */
static void
test_restart (void)
{
  g_auto (World) world;

  world_init (&world);
  world.speaks_pmp = TRUE;
  start (&world);
  run_until (&world, world.now + 3000 * SECOND);
  world.began = world.now;
  world.outer_port = 1111;
  start (&world);
  check_held (&world, HN_PORTMAP_PMP, OUTER ":1111");
  g_assert_cmpuint (world.asked, ==, 2);
  /* void, and made anew */
  g_assert_cmpuint (world.changes, ==, 3);
}

static void
test_useless (void)
{
  static const struct
  {
    const char *outer;
    guint16 port;
    guint32 lifetime;
  } cases[] = {
    { "192.168.7.1", PORT, 7200 }, { "10.1.2.3", PORT, 7200 },
    { "127.0.0.1", PORT, 7200 },   { "0.0.0.0", PORT, 7200 },
    { "100.64.0.9", PORT, 7200 },  { "239.1.2.3", PORT, 7200 },
    { "169.254.3.4", PORT, 7200 }, { OUTER, 0, 7200 },
    { OUTER, PORT, 119 },          { OUTER, PORT, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint pcp = 0; pcp < 2; pcp++)
      {
        g_auto (World) world;

        world_init (&world);
        world.speaks_pmp = !pcp;
        world.speaks_pcp = pcp;
        world.outer = cases[i].outer;
        world.outer_port = cases[i].port;
        world.lifetime = cases[i].lifetime;
        start (&world);
        run_until (&world, world.now + 100 * SECOND);
        check_none (&world);
        g_assert_cmpuint (world.changes, ==, 0);
        g_assert_cmpuint (world.sent, <, 30);
        g_assert_cmpint (hn_portmap_get_deadline (world.portmap), ==, G_MAXINT64);
      }
}

/* A lifetime without end is not believed. */
static void
test_endless (void)
{
  g_auto (World) world;

  world_init (&world);
  world.speaks_pmp = TRUE;
  world.lifetime = G_MAXUINT32;
  start (&world);
  g_assert_cmpint (hn_portmap_get_deadline (world.portmap), ==, world.now + 3600 * SECOND);
}

static void
receive_pmp (World *world, const char *from, guint16 inner_port)
{
  guint8 data[] = { 0, 0x81, 0, 0, 0, 0, 0, 100, 0, 0, 0x11, 0x11, 0, 0, 0x1c, 0x20 };
  HnEndpoint source;

  data[8] = (guint8) (inner_port >> 8);
  data[9] = (guint8) inner_port;
  g_assert_true (hn_endpoint_parse (from, &source));
  hn_portmap_receive (world->portmap, &source, data, sizeof data, world->now);
}

static void
receive_address (World *world, const char *from)
{
  static const guint8 data[] = { 0, 0x80, 0, 0, 0, 0, 0, 100, 45, 67, 89, 66 };
  HnEndpoint source;

  g_assert_true (hn_endpoint_parse (from, &source));
  hn_portmap_receive (world->portmap, &source, data, sizeof data, world->now);
}

static void
test_forged (void)
{
  g_auto (World) world;
  guint8 pcp[] = { 2,          0x81, 0,    0,           0,    0,         0x1c,
                   0x20,       0,    0,    0,           100,  [36] = 17, [40] = PORT >> 8,
                   PORT & 255, 0x11, 0x11, [54] = 0xff, 0xff, 45,        67,
                   89,         66 };

  world_init (&world);
  /* Before anybody asked. */
  receive_address (&world, "192.168.1.1:5351");
  receive_pmp (&world, "192.168.1.1:5351", PORT);
  start (&world);
  /* Of others, or from another port of the gateway, or about what was not asked yet. */
  receive_address (&world, "192.168.1.2:5351");
  receive_address (&world, "192.168.1.1:5350");
  receive_address (&world, "[fe80::1]:5351");
  receive_pmp (&world, "192.168.1.1:5351", PORT);
  g_assert_cmpuint (world.asked, ==, 0);
  check_none (&world);

  receive_address (&world, "192.168.1.1:5351");
  g_assert_cmpuint (world.asked, ==, 1);
  receive_pmp (&world, "192.168.1.2:5351", PORT);
  receive_pmp (&world, "192.168.1.1:1900", PORT);
  receive_pmp (&world, "192.168.1.1:5351", PORT + 1);
  check_none (&world);
  receive_pmp (&world, "192.168.1.1:5351", PORT);
  check_held (&world, HN_PORTMAP_PMP, "45.67.89.66:4369");

  /* Nothing is asked now: neither another address nor a router that began anew is believed. */
  receive_pmp (&world, "192.168.1.1:5351", PORT);
  receive_address (&world, "192.168.1.1:5351");
  g_assert_cmpuint (world.changes, ==, 1);
  hn_portmap_stop (world.portmap, TRUE);

  /* Without our nonce. */
  world.speaks_pcp = TRUE;
  start (&world);
  world.speaks_pcp = FALSE;
  run_until (&world, world.now + SECOND / 4);
  g_assert_cmpuint (world.asked, ==, 2);
  g_assert_cmpuint (sizeof pcp, ==, HN_PCP_MAP_LEN);
  hn_portmap_receive (world.portmap, &world.gateway, pcp, sizeof pcp, world.now);
  check_none (&world);
  memcpy (pcp + 24, world.nonce, sizeof world.nonce);
  hn_portmap_receive (world.portmap, &world.gateway, pcp, sizeof pcp, world.now);
  check_held (&world, HN_PORTMAP_PCP, "45.67.89.66:4369");
}

/* An answer was lost, or comes late. */
static void
test_loss (void)
{
  g_auto (World) world;
  gint64 begin;

  world_init (&world);
  start (&world);
  begin = world.now;
  run_until (&world, begin + SECOND);
  /* after the window whoever comes first is taken */
  world.speaks_pcp = TRUE;
  {
    static const guint8 announce[24] = { 2, 0x80, [11] = 100 };

    hn_portmap_receive (world.portmap, &world.gateway, announce, sizeof announce, world.now);
  }
  deliver (&world);
  check_held (&world, HN_PORTMAP_PCP, OUTER ":41641");

  /* Questions come again, slower and slower, for five seconds. */
  hn_portmap_stop (world.portmap, FALSE);
  world.asked = 0;
  start (&world);
  world.speaks_pcp = FALSE;
  run_until (&world, world.now + 2 * SECOND);
  g_assert_cmpuint (world.asked, ==, 4);
  world.speaks_pcp = TRUE;
  run_until (&world, world.now + 2 * SECOND + SECOND / 2);
  check_held (&world, HN_PORTMAP_PCP, OUTER ":41641");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/portmap/pmp", test_pmp);
  g_test_add_func ("/portmap/pcp", test_pcp);
  g_test_add_func ("/portmap/upnp", test_upnp);
  g_test_add_func ("/portmap/next", test_next);
  g_test_add_func ("/portmap/nobody", test_nobody);
  g_test_add_func ("/portmap/no-gateway", test_no_gateway);
  g_test_add_func ("/portmap/silent", test_silent);
  g_test_add_func ("/portmap/network", test_network);
  g_test_add_func ("/portmap/port", test_port);
  g_test_add_func ("/portmap/restart", test_restart);
  g_test_add_func ("/portmap/useless", test_useless);
  g_test_add_func ("/portmap/endless", test_endless);
  g_test_add_func ("/portmap/forged", test_forged);
  g_test_add_func ("/portmap/loss", test_loss);
  return g_test_run ();
}
