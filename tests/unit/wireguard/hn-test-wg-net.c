/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hn-test-wg-net.h"

#include <string.h>

#include "crypto/hn-crypto.h"

typedef struct
{
  gint64 at;
  guint to;
  gsize len;
  guint8 data[];
} Flight;

/* Among equals the last sent comes last: @b is the new one. */
static int
compare_flight (gconstpointer a, gconstpointer b, gpointer data)
{
  const Flight *x = a, *y = b;

  return x->at <= y->at ? -1 : 1;
}

static void
launch (TestNet *net, guint to, const guint8 *datagram, gsize len)
{
  Flight *flight;

  if (net->loss_percent > 0 && (guint) g_test_rand_int_range (0, 100) < net->loss_percent)
    return;
  flight = g_malloc (sizeof *flight + len);
  flight->at = net->now + net->delay_min
               + (gint64) (g_test_rand_double () * (double) (net->delay_max - net->delay_min));
  flight->to = to;
  flight->len = len;
  memcpy (flight->data, datagram, len);
  g_queue_insert_sorted (&net->flight, flight, compare_flight, NULL);
}

static void
transmit (TestNode *node, const guint8 *datagram, gsize len)
{
  TestNet *net = node->net;
  g_autofree guint8 *copy = g_memdup2 (datagram, len);

  g_assert_cmpuint (datagram[0], >=, 1);
  g_assert_cmpuint (datagram[0], <=, 4);
  node->sent[datagram[0]]++;
  if (net->tap != NULL && !net->tap (net, node->index, copy, len))
    return;
  launch (net, !node->index, copy, len);
  if (net->duplicate_percent > 0 && (guint) g_test_rand_int_range (0, 100) < net->duplicate_percent)
    launch (net, !node->index, copy, len);
}

static void
on_send (gpointer user, HnWgPeer *peer, const guint8 *datagram, gsize len, gboolean handshake)
{
  TestNode *node = user;

  g_assert_true (peer == node->peer);
  g_assert_cmpint (handshake, ==, datagram[0] != 4);
  transmit (node, datagram, len);
  if (node->on_send != NULL)
    node->on_send (node);
}

static void
on_send_reply (gpointer user, const HnWgPath *path, const guint8 *datagram, gsize len)
{
  TestNode *node = user;

  g_assert_cmpuint (path->token, ==, !node->index);
  g_assert_cmpuint (len, ==, 64);
  transmit (node, datagram, len);
}

static void
on_deliver (gpointer user, HnWgPeer *peer, guint8 *packet, gsize len)
{
  TestNode *node = user;

  g_assert_true (peer == node->peer);
  g_assert_cmpuint (len, >=, 24);
  node->delivered++;
  node->last_len = len;
  memcpy (&node->last_number, packet + 20, 4);
  for (gsize i = 24; i < len; i++)
    g_assert_cmpuint (packet[i], ==, (guint8) (i + node->last_number));
  if (node->on_delivered != NULL)
    node->on_delivered (node);
}

static HnWgPeer *
on_find_peer (gpointer user, const guint8 public_key[32])
{
  TestNode *node = user;

  if (!node->find_peer || memcmp (public_key, node->net->nodes[!node->index].public_key, 32) != 0)
    return NULL;
  node->found++;
  test_net_introduce (node->net, node->index);
  return node->peer;
}

static void
on_authenticated (gpointer user, HnWgPeer *peer, const HnWgPath *path)
{
  TestNode *node = user;

  g_assert_true (peer == node->peer);
  g_assert_cmpuint (path->token, ==, !node->index);
  node->authenticated++;
  if (node->on_authenticated != NULL)
    node->on_authenticated (node);
}

static void
on_established (gpointer user, HnWgPeer *peer)
{
  TestNode *node = user;

  g_assert_true (peer == node->peer);
  node->established++;
  if (node->on_established != NULL)
    node->on_established (node);
}

static gint64
on_wall (gpointer data)
{
  TestNode *node = data;

  return G_GINT64_CONSTANT (1700000000000000) + node->net->now + node->wall_offset_us;
}

TestNet *
test_net_new (void)
{
  static const HnWgOps ops
      = { on_send, on_send_reply, on_deliver, on_find_peer, on_authenticated, on_established };
  TestNet *self = g_new0 (TestNet, 1);

  self->now = START;
  self->delay_min = self->delay_max = 10000;
  g_queue_init (&self->flight);
  for (guint i = 0; i < 2; i++)
    {
      TestNode *node = &self->nodes[i];

      node->net = self;
      node->index = i;
      memcpy (node->address, (const guint8[]){ 100, 64, 0, (guint8) (i + 1) }, 4);
      hn_x25519_generate (node->private_key);
      hn_x25519_base (node->private_key, node->public_key);
      node->wg = hn_wg_new (&ops, node);
      hn_wg_set_private_key (node->wg, node->private_key);
      hn_wg_set_mtu (node->wg, 1280);
      hn_wg_set_wall_clock (node->wg, on_wall, node);
    }
  for (guint i = 0; i < 2; i++)
    test_net_introduce (self, i);
  return self;
}

void
test_net_free (TestNet *self)
{
  for (guint i = 0; i < 2; i++)
    hn_wg_free (self->nodes[i].wg);
  g_queue_clear_full (&self->flight, g_free);
  g_free (self);
}

void
test_net_introduce (TestNet *self, guint index)
{
  TestNode *node = &self->nodes[index];
  TestNode *other = &self->nodes[!index];
  HnWgAllowedIp allowed = { 4, 32, { 0 } };

  memcpy (allowed.address, other->address, 4);
  node->peer = hn_wg_add_peer (node->wg, other->public_key, other);
  g_assert_nonnull (node->peer);
  hn_wg_peer_set_allowed_ips (node->peer, &allowed, 1);
}

void
test_net_send (TestNet *self, guint from, guint32 number, gsize len)
{
  g_autofree guint8 *buffer = g_malloc (HN_WG_HEADROOM + len + HN_WG_TAILROOM);
  guint8 *packet = buffer + HN_WG_HEADROOM;
  TestNode *node = &self->nodes[from];

  g_assert_cmpuint (len, >=, 24);
  for (gsize i = 0; i < len; i++)
    packet[i] = (guint8) (i + number);
  memset (packet, 0, 20);
  packet[0] = 0x45;
  packet[2] = (guint8) (len >> 8);
  packet[3] = (guint8) len;
  memcpy (packet + 12, node->address, 4);
  memcpy (packet + 16, self->nodes[!from].address, 4);
  memcpy (packet + 20, &number, 4);
  hn_wg_send (node->wg, node->peer, packet, len, self->now);
}

void
test_net_receive (TestNet *self, guint at, const guint8 *datagram, gsize len)
{
  g_autofree guint8 *copy = g_memdup2 (datagram, len);
  HnWgPath path = { !at, { 192, 0, 2, 1, 0x10, 0x20 }, 6 };

  hn_wg_receive (self->nodes[at].wg, &path, copy, len, self->now);
}

void
test_net_run (TestNet *self, gint64 us)
{
  gint64 end = self->now + us;

  for (;;)
    {
      Flight *first = g_queue_peek_head (&self->flight);
      gint64 next = first != NULL ? first->at : G_MAXINT64;
      TestNode *due = NULL;

      for (guint i = 0; i < 2; i++)
        if (hn_wg_get_deadline (self->nodes[i].wg) < next)
          {
            next = hn_wg_get_deadline (self->nodes[i].wg);
            due = &self->nodes[i];
          }
      if (next > end)
        break;
      self->now = MAX (self->now, next);
      if (due != NULL)
        {
          due->ticks++;
          hn_wg_tick (due->wg, self->now);
        }
      else
        {
          g_autofree Flight *flight = g_queue_pop_head (&self->flight);

          test_net_receive (self, flight->to, flight->data, flight->len);
        }
    }
  self->now = end;
}

gboolean
test_net_has_session (TestNet *self, guint node)
{
  HnWgPeerStats stats;

  hn_wg_peer_get_stats (self->nodes[node].peer, self->now, &stats);
  return stats.has_session;
}
