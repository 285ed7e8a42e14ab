/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "crypto/hn-crypto.h"
#include "path/hn-derp-queue.h"
#include "path/hn-derp-routes.h"

static HnNodePublic
make_peer (guint8 fill)
{
  HnNodePublic peer;

  memset (peer.bytes, fill, sizeof peer.bytes);
  return peer;
}

/* Packets are told apart by their fourth byte. */
static gboolean
add (HnDerpQueue *queue, guint8 peer_fill, guint8 number, gsize len)
{
  HnNodePublic peer = make_peer (peer_fill);
  g_autofree guint8 *data = g_malloc0 (len);

  data[0] = 4;
  data[3] = number;
  return hn_derp_queue_add_packet (queue, &peer, data, len, 0);
}

static gboolean
add_handshake (HnDerpQueue *queue, guint8 peer_fill, guint8 type, gsize len)
{
  HnNodePublic peer = make_peer (peer_fill);
  g_autofree guint8 *data = g_malloc0 (len);

  data[0] = type;
  return hn_derp_queue_add_packet (queue, &peer, data, len, 0);
}

/* Everything that would be written now, as one block. */
static GByteArray *
drain (HnDerpQueue *queue)
{
  GByteArray *all = g_byte_array_new ();
  const guint8 *data;
  gsize len;

  while ((data = hn_derp_queue_get_write (queue, &len)) != NULL)
    {
      g_byte_array_append (all, data, len);
      hn_derp_queue_wrote (queue, len);
    }
  g_assert_false (hn_derp_queue_has_write (queue));
  g_assert_cmpuint (hn_derp_queue_get_bytes (queue), ==, 0);
  return all;
}

/* The packets in @all: for each the first byte of the peer, and the number or 0x100 + type. */
static GArray *
split (GByteArray *all)
{
  GArray *found = g_array_new (FALSE, FALSE, sizeof (guint32));
  HnDerpParser parser = { 0 };
  HnDerpFrame frame;
  gsize start = 0, consumed;

  while (hn_derp_parser_next (&parser, all->data + start, all->len - start, &consumed, &frame)
         == HN_DERP_PARSE_FRAME)
    {
      guint32 value = frame.type << 24;

      start += consumed;
      if (frame.type == HN_DERP_FRAME_SEND_PACKET)
        value |= frame.payload[0] << 16
                 | (frame.payload[32] == 4 ? frame.payload[35] : 0x100u + frame.payload[32]);
      g_array_append_val (found, value);
    }
  g_assert_cmpuint (start, ==, all->len);
  return found;
}

#define PACKET(peer, number) (0x04000000u | (peer) << 16 | (number))

static void
stall (HnDerpQueue *queue)
{
  gsize len;

  /* Handed out and not taken by the stream: nothing may touch it from here on. */
  add (queue, 0xff, 0, 100);
  g_assert_nonnull (hn_derp_queue_get_write (queue, &len));
}

static void
test_direct (void)
{
  g_autoptr (HnDerpQueue) queue = hn_derp_queue_new ();
  const guint8 *data;
  gsize len;

  hn_derp_queue_open (queue, 0, 0);
  g_assert_null (hn_derp_queue_get_write (queue, &len));

  /* Three packets are one write. */
  for (guint i = 0; i < 3; i++)
    g_assert_true (add (queue, 1, i, 1000));
  data = hn_derp_queue_get_write (queue, &len);
  g_assert_nonnull (data);
  g_assert_cmpuint (len, ==, 3 * (HN_DERP_PACKET_HEADER_SIZE + 1000));

  /* A write that took a part goes on behind it; what came meanwhile is the next write. */
  hn_derp_queue_wrote (queue, 10);
  g_assert_false (hn_derp_queue_has_room (queue, 10));
  g_assert_true (add (queue, 1, 3, 1000));
  g_assert_true (hn_derp_queue_get_write (queue, &len) == data + 10);
  g_assert_cmpuint (len, ==, 3 * (HN_DERP_PACKET_HEADER_SIZE + 1000) - 10);
  hn_derp_queue_wrote (queue, len);
  g_assert_nonnull (hn_derp_queue_get_write (queue, &len));
  g_assert_cmpuint (len, ==, HN_DERP_PACKET_HEADER_SIZE + 1000);
  hn_derp_queue_wrote (queue, len);
  g_assert_cmpuint (hn_derp_queue_get_bytes (queue), ==, 0);
  g_assert_cmpuint (hn_derp_queue_get_dropped (queue), ==, 0);
}

static void
test_drop_oldest (void)
{
  g_autoptr (HnDerpQueue) queue = hn_derp_queue_new ();
  g_autoptr (GByteArray) all = NULL;
  g_autoptr (GArray) found = NULL;
  const guint8 *pinned;
  g_autofree guint8 *copy = NULL;
  gsize len;

  hn_derp_queue_open (queue, 0, 0);
  stall (queue);
  pinned = hn_derp_queue_get_write (queue, &len);
  copy = g_memdup2 (pinned, len);
  for (guint i = 0; i < 2 * HN_DERP_QUEUE_PACKETS; i++)
    add (queue, 1, i, 1000);
  g_assert_cmpuint (hn_derp_queue_get_dropped (queue), ==, HN_DERP_QUEUE_PACKETS);
  g_assert_cmpuint (hn_derp_queue_get_bytes (queue), ==,
                    len + HN_DERP_QUEUE_PACKETS * (HN_DERP_PACKET_HEADER_SIZE + 1000));

  /* The write under way is what it was. */
  g_assert_cmpmem (pinned, len, copy, len);
  all = drain (queue);
  found = split (all);
  g_assert_cmpuint (found->len, ==, 1 + HN_DERP_QUEUE_PACKETS);
  for (guint i = 0; i < HN_DERP_QUEUE_PACKETS; i++)
    g_assert_cmpuint (g_array_index (found, guint32, 1 + i), ==,
                      PACKET (1u, HN_DERP_QUEUE_PACKETS + i));
}

static void
test_fair (void)
{
  g_autoptr (HnDerpQueue) queue = hn_derp_queue_new ();
  g_autoptr (GByteArray) all = NULL;
  g_autoptr (GArray) found = NULL;
  guint small = 0;

  hn_derp_queue_open (queue, 0, 0);
  stall (queue);
  /* A quiet peer's packets come first and would be the oldest. */
  for (guint i = 0; i < 4; i++)
    add (queue, 2, i, 200);
  for (guint i = 0; i < 200; i++)
    add (queue, 1, i, 1000);
  all = drain (queue);
  found = split (all);
  for (guint i = 0; i < found->len; i++)
    if ((g_array_index (found, guint32, i) >> 16 & 0xff) == 2)
      small++;
  g_assert_cmpuint (small, ==, 4);
}

static void
test_handshakes_stay (void)
{
  g_autoptr (HnDerpQueue) queue = hn_derp_queue_new ();
  g_autoptr (GByteArray) all = NULL;
  g_autoptr (GArray) found = NULL;

  hn_derp_queue_open (queue, 0, 0);
  stall (queue);
  add_handshake (queue, 1, 1, 148);
  add_handshake (queue, 1, 2, 92);
  add_handshake (queue, 1, 3, 64);
  /* The type alone, with another length, is none. */
  add_handshake (queue, 1, 1, 149);
  for (guint i = 0; i < 200; i++)
    add (queue, 1, i, 1000);
  all = drain (queue);
  found = split (all);
  g_assert_cmpuint (found->len, ==, 1 + HN_DERP_QUEUE_PACKETS);
  g_assert_cmpuint (g_array_index (found, guint32, 1), ==, PACKET (1u, 0x101u));
  g_assert_cmpuint (g_array_index (found, guint32, 2), ==, PACKET (1u, 0x102u));
  g_assert_cmpuint (g_array_index (found, guint32, 3), ==, PACKET (1u, 0x103u));
  g_assert_cmpuint (g_array_index (found, guint32, 4), !=, PACKET (1u, 0x101u));

  /* Nothing but handshakes: data gives way to them, and they to newer ones. */
  stall (queue);
  for (guint i = 0; i < HN_DERP_QUEUE_PACKETS; i++)
    g_assert_true (add_handshake (queue, 1, 1, 148));
  g_assert_false (add (queue, 2, 0, 100));
  g_assert_true (add_handshake (queue, 2, 2, 92));
  g_clear_pointer (&all, g_byte_array_unref);
  g_clear_pointer (&found, g_array_unref);
  all = drain (queue);
  found = split (all);
  g_assert_cmpuint (found->len, ==, 1 + HN_DERP_QUEUE_PACKETS);
  g_assert_cmpuint (g_array_index (found, guint32, HN_DERP_QUEUE_PACKETS), ==, PACKET (2u, 0x102u));
}

static void
test_large (void)
{
  g_autoptr (HnDerpQueue) queue = hn_derp_queue_new ();
  g_autoptr (GByteArray) all = NULL;
  g_autoptr (GArray) found = NULL;

  hn_derp_queue_open (queue, 0, 0);
  g_assert_true (add (queue, 1, 1, HN_DERP_MAX_PACKET));
  g_assert_false (hn_derp_queue_has_room (queue, 10));
  for (guint i = 0; i < 20; i++)
    g_assert_true (add (queue, 1, i, HN_DERP_MAX_PACKET));
  g_assert_cmpuint (hn_derp_queue_get_bytes (queue), <=,
                    HN_DERP_QUEUE_BYTES + HN_DERP_PACKET_HEADER_SIZE + HN_DERP_MAX_PACKET);
  all = drain (queue);
  found = split (all);
  g_assert_cmpuint (found->len, ==, 1 + 3);
  g_assert_cmpuint (g_array_index (found, guint32, 3), ==, PACKET (1u, 19u));
}

static void
test_login_first (void)
{
  g_autoptr (HnDerpQueue) queue = hn_derp_queue_new ();
  const guint8 login[] = { 0x02, 0, 0, 0, 1, 0xaa };
  HnNodePublic peer = make_peer (1);
  guint8 data[40] = { 4 };
  g_autoptr (GByteArray) all = NULL;
  g_autoptr (GArray) found = NULL;
  gsize len;

  /* Before the login packets wait, and old ones are forgotten. */
  hn_derp_queue_add_packet (queue, &peer, data, sizeof data, 1000);
  data[3] = 1;
  hn_derp_queue_add_packet (queue, &peer, data, sizeof data, 2000);
  g_assert_null (hn_derp_queue_get_write (queue, &len));
  g_assert_false (hn_derp_queue_has_write (queue));
  g_assert_true (hn_derp_queue_add_control (queue, login, sizeof login, 0));
  hn_derp_queue_open (queue, 5000, 3000);
  all = drain (queue);
  found = split (all);
  g_assert_cmpuint (found->len, ==, 2);
  g_assert_cmpuint (g_array_index (found, guint32, 0), ==, 0x02000000u);
  g_assert_cmpuint (g_array_index (found, guint32, 1), ==, PACKET (1u, 1u));
  g_assert_cmpuint (hn_derp_queue_get_dropped (queue), ==, 1);
}

static void
test_control_bounded (void)
{
  g_autoptr (HnDerpQueue) queue = hn_derp_queue_new ();
  guint8 pong[13] = { 0x13, 0, 0, 0, 8 };
  guint n = 0;

  hn_derp_queue_open (queue, 0, 0);
  stall (queue);
  while (hn_derp_queue_add_control (queue, pong, sizeof pong, 128))
    g_assert_cmpuint (++n, <, 1000);
  g_assert_cmpuint (n, >, 2);
  /* There is room kept for our own. */
  g_assert_true (hn_derp_queue_add_control (queue, pong, sizeof pong, 0));
}

static void
test_routes (void)
{
  g_autoptr (HnDerpRoutes) routes = hn_derp_routes_new ();
  HnNodePublic a = make_peer (1), b = make_peer (2);

  g_assert_cmpint (hn_derp_routes_get (routes, &a), ==, 0);
  hn_derp_routes_add (routes, &a, 5, 1);
  hn_derp_routes_add (routes, &b, 6, 1);
  g_assert_cmpint (hn_derp_routes_get (routes, &a), ==, 5);
  hn_derp_routes_add (routes, &a, 6, 2);
  g_assert_cmpint (hn_derp_routes_get (routes, &a), ==, 6);
  /* Gone from where it no longer is. */
  hn_derp_routes_remove (routes, &a, 5);
  g_assert_cmpint (hn_derp_routes_get (routes, &a), ==, 6);
  hn_derp_routes_remove (routes, &a, 6);
  g_assert_cmpint (hn_derp_routes_get (routes, &a), ==, 0);
  hn_derp_routes_remove_region (routes, 6);
  g_assert_cmpint (hn_derp_routes_get (routes, &b), ==, 0);

  /* A flood is bounded and the newest is always found. */
  for (guint i = 0; i < 20 * HN_DERP_ROUTES_MAX; i++)
    {
      HnNodePublic peer = make_peer (0);

      memcpy (peer.bytes, &i, sizeof i);
      hn_derp_routes_add (routes, &peer, 7, i);
      g_assert_cmpint (hn_derp_routes_get (routes, &peer), ==, 7);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/path/derp-queue/direct", test_direct);
  g_test_add_func ("/path/derp-queue/drop-oldest", test_drop_oldest);
  g_test_add_func ("/path/derp-queue/fair", test_fair);
  g_test_add_func ("/path/derp-queue/handshakes-stay", test_handshakes_stay);
  g_test_add_func ("/path/derp-queue/large", test_large);
  g_test_add_func ("/path/derp-queue/login-first", test_login_first);
  g_test_add_func ("/path/derp-queue/control-bounded", test_control_bounded);
  g_test_add_func ("/path/derp-queue/routes", test_routes);
  return g_test_run ();
}
