/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "paths-sim.h"

#include <errno.h>
#include <string.h>

#include "crypto/hn-crypto.h"

#define DATA_GAP_US 20000

typedef enum
{
  DISCO,
  DATA,
  ANSWER,
  REFRESHED,
} Kind;

typedef struct
{
  gint64 at_us;
  Kind kind;
  guint to;
  gboolean relay;
  HnEndpoint from;
  gsize len;
  guint8 data[1600];
} Event;

static int
compare_events (gconstpointer a, gconstpointer b, gpointer user)
{
  const Event *x = a, *y = b;

  return x->at_us < y->at_us ? -1 : x->at_us > y->at_us;
}

static void
post (Sim *self, gint64 delay_us, Kind kind, guint to, gboolean relay, const HnEndpoint *from,
      const guint8 *data, gsize len)
{
  Event *event = g_new0 (Event, 1);

  g_assert_cmpuint (len, <=, sizeof event->data);
  event->at_us = self->now_us + delay_us;
  event->kind = kind;
  event->to = to;
  event->relay = relay;
  if (from != NULL)
    event->from = *from;
  if (len > 0)
    memcpy (event->data, data, len);
  event->len = len;
  g_queue_insert_sorted (&self->events, event, compare_events, NULL);
}

static SimNode *
get_other (SimNode *node)
{
  return &node->sim->nodes[1 - node->index];
}

/* The source that the network sees; makes the hole for the answer. */
static HnEndpoint
translate_out (SimNode *node, const HnEndpoint *to)
{
  HnEndpoint source = node->nat == SIM_NAT_NONE ? node->local : node->outside;

  for (guint i = 0; i < node->n_holes; i++)
    if (hn_endpoint_equal (&node->holes[i].to, to))
      {
        source.port = node->holes[i].port;
        return source;
      }
  g_assert_cmpuint (node->n_holes, <, SIM_MAX_HOLES);
  if (node->nat == SIM_NAT_HARD)
    source.port = node->next_port++;
  node->holes[node->n_holes].to = *to;
  node->holes[node->n_holes++].port = source.port;
  return source;
}

static gboolean
translate_in (SimNode *node, const HnEndpoint *from, const HnEndpoint *to)
{
  if (node->nat == SIM_NAT_NONE)
    return hn_endpoint_equal (to, &node->local);
  if (!hn_ip_equal (&to->ip, &node->outside.ip))
    return FALSE;
  for (guint i = 0; i < node->n_holes; i++)
    if (node->holes[i].port == to->port && hn_endpoint_equal (&node->holes[i].to, from))
      return TRUE;
  return FALSE;
}

static gboolean
send_datagram (SimNode *node, Kind kind, const HnEndpoint *to, const guint8 *data, gsize len)
{
  Sim *sim = node->sim;
  SimNode *other = get_other (node);
  HnEndpoint source;

  if (node->nat == SIM_NAT_BLOCKED || other->nat == SIM_NAT_BLOCKED)
    return FALSE;
  if (sim->loss > 0 && hn_random_u32 () % 100 < sim->loss)
    return FALSE;
  if (node->site == other->site && hn_endpoint_equal (to, &other->local))
    {
      post (sim, 200, kind, other->index, FALSE, &node->local, data, len);
      return TRUE;
    }
  source = translate_out (node, to);
  if (!translate_in (other, &source, to))
    return FALSE;
  post (sim, sim->udp_us, kind, other->index, FALSE, &source, data, len);
  return TRUE;
}

static int
on_send_udp (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len)
{
  SimNode *node = user;

  g_assert_true (hn_paths_is_disco (data, len));
  node->n_udp++;
  send_datagram (node, DISCO, to, data, len);
  return 0;
}

static int
on_send_relay (gpointer user, int region, const HnNodePublic *peer, const guint8 *data, gsize len)
{
  SimNode *node = user;

  g_assert_true (hn_node_public_equal (peer, &get_other (node)->key));
  node->n_relay++;
  if (!node->sim->relay_down)
    post (node->sim, node->sim->relay_us, DISCO, 1 - node->index, TRUE, NULL, data, len);
  return region != 0 ? region : 1;
}

static void
on_refresh_endpoints (gpointer user)
{
  SimNode *node = user;

  node->n_refreshes++;
  if (!node->refuses_to_refresh)
    post (node->sim, node->refresh_us, REFRESHED, node->index, FALSE, NULL, NULL, 0);
}

static void
on_path_changed (gpointer user, HnPathPeer *peer, const HnEndpoint *endpoint)
{
  SimNode *node = user;

  g_assert_true (hn_path_peer_get_data (peer) == node);
  node->n_changes++;
  memset (&node->path, 0, sizeof node->path);
  if (endpoint != NULL)
    node->path = *endpoint;
  node->path_us = node->sim->now_us;
}

static void
on_ping_done (gpointer user, gpointer token, const HnPathPong *pong)
{
  SimNode *node = user;

  g_assert_true (token == node);
  node->n_pongs++;
  node->pong = *pong;
}

static const HnPathOps ops
    = { on_send_udp, on_send_relay, on_refresh_endpoints, on_path_changed, on_ping_done };

static void
set_address (SimNode *node, const char *local, const char *outside)
{
  g_assert_true (hn_endpoint_parse (local, &node->local));
  g_assert_true (hn_endpoint_parse (outside, &node->outside));
  node->n_holes = 0;
}

Sim *
sim_new (SimNat a, SimNat b)
{
  Sim *self = g_new0 (Sim, 1);

  self->now_us = 1000 * G_USEC_PER_SEC;
  self->udp_us = 5000;
  self->relay_us = 20000;
  for (guint i = 0; i < 2; i++)
    {
      SimNode *node = &self->nodes[i];

      node->sim = self;
      node->index = i;
      node->nat = i == 0 ? a : b;
      node->site = (int) i;
      node->next_port = 20000;
      node->refresh_us = 50000;
      hn_disco_private_generate (&node->disco);
      hn_disco_private_get_public (&node->disco, &node->disco_public);
      memset (node->key.bytes, 0x11 * (int) (i + 1), sizeof node->key.bytes);
      node->paths = hn_paths_new (&ops, node);
      hn_paths_set_keys (node->paths, &node->disco, &node->key);
    }
  set_address (&self->nodes[0], "192.168.1.2:41641", "198.51.100.1:11111");
  set_address (&self->nodes[1], "10.0.0.2:41641", "203.0.113.1:22222");
  return self;
}

void
sim_free (Sim *self)
{
  for (guint i = 0; i < 2; i++)
    hn_paths_free (self->nodes[i].paths);
  g_queue_clear_full (&self->events, g_free);
  g_free (self);
}

static guint
list_endpoints (SimNode *node, HnEndpoint out[2])
{
  guint n = 0;

  /* As STUN sees it: a hard NAT's mapping is of no use to others. */
  if (node->nat == SIM_NAT_EASY || node->nat == SIM_NAT_HARD)
    out[n++] = node->outside;
  out[n++] = node->local;
  return n;
}

HnNode *
sim_node_new (SimNode *node, gboolean endpoints)
{
  HnEndpoint list[2];
  HnNodeFields fields = { .id = node->index + 1, .stable_id = "n", .name = "n", .home_derp = 1 };

  fields.host_name = fields.os = "";
  fields.key = node->key;
  fields.disco = node->disco_public;
  fields.endpoints = list;
  fields.n_endpoints = endpoints ? list_endpoints (node, list) : 0;
  return hn_node_new (&fields);
}

void
sim_set_endpoints (SimNode *node)
{
  HnEndpoint list[2];
  guint n = list_endpoints (node, list);

  hn_paths_set_endpoints (node->paths, list, n, node->sim->now_us);
}

void
sim_introduce (Sim *self, gboolean endpoints)
{
  for (guint i = 0; i < 2; i++)
    {
      SimNode *node = &self->nodes[i];
      g_autoptr (HnNode) other = sim_node_new (get_other (node), endpoints);

      if (node->peer == NULL)
        node->peer = hn_paths_add (node->paths, other, node);
      else
        hn_paths_update (node->paths, node->peer, other, self->now_us);
      sim_set_endpoints (node);
    }
}

void
sim_move (SimNode *node, const char *local, const char *outside)
{
  set_address (node, local, outside);
}

void
sim_update (SimNode *node)
{
  SimNode *other = get_other (node);
  g_autoptr (HnNode) description = sim_node_new (node, TRUE);

  hn_paths_update (other->paths, other->peer, description, node->sim->now_us);
}

void
sim_restart (SimNode *node)
{
  g_autoptr (HnNode) other = sim_node_new (get_other (node), TRUE);

  hn_paths_free (node->paths);
  hn_disco_private_generate (&node->disco);
  hn_disco_private_get_public (&node->disco, &node->disco_public);
  node->paths = hn_paths_new (&ops, node);
  hn_paths_set_keys (node->paths, &node->disco, &node->key);
  node->peer = hn_paths_add (node->paths, other, node);
  sim_set_endpoints (node);
}

static void
send_data (SimNode *node, Kind kind)
{
  static const guint8 data[] = { 4, 0, 0, 0 };
  Sim *sim = node->sim;
  HnPathRoute route;
  gboolean sent = FALSE;

  hn_paths_route (node->paths, node->peer, sim->now_us, &route);
  g_assert_true (route.direct || route.relay);
  node->n_data_direct += route.direct && !route.relay;
  node->n_data_relay += route.relay && !route.direct;
  node->n_data_both += route.relay && route.direct;
  if (route.direct)
    sent = send_datagram (node, kind, &route.endpoint, data, sizeof data);
  if (route.relay && !sim->relay_down)
    {
      post (sim, sim->relay_us, kind, 1 - node->index, TRUE, NULL, data, sizeof data);
      sent = TRUE;
    }
  if (!sent)
    node->n_lost++;
}

static void
note_received (SimNode *node)
{
  gint64 now = node->sim->now_us;

  node->n_received++;
  node->worst_gap_us = MAX (node->worst_gap_us, now - node->last_received_us);
  node->last_received_us = now;
}

static void
handle (Sim *self, Event *event)
{
  SimNode *node = &self->nodes[event->to];

  switch (event->kind)
    {
    case DISCO:
      if (event->relay)
        hn_paths_receive_relay (node->paths, 1, node->peer, event->data, event->len, self->now_us);
      else
        hn_paths_receive_udp (node->paths, &event->from, event->data, event->len, self->now_us);
      break;
    case DATA:
    case ANSWER:
      if (!event->relay)
        hn_paths_authenticated (node->paths, node->peer, &event->from, self->now_us);
      note_received (node);
      if (event->kind == DATA && !get_other (node)->one_way)
        send_data (node, ANSWER);
      break;
    case REFRESHED:
      sim_set_endpoints (node);
      break;
    }
}

static gint64
get_deadline (SimNode *node)
{
  gint64 deadline = hn_paths_get_deadline (node->paths);

  return node->stubborn ? MAX (deadline, node->next_tick_us) : deadline;
}

static void
step (Sim *self, gint64 end_us)
{
  Event *event = g_queue_peek_head (&self->events);
  gint64 next = end_us;

  if (event != NULL)
    next = MIN (next, event->at_us);
  for (guint i = 0; i < 2; i++)
    {
      SimNode *node = &self->nodes[i];

      next = MIN (next, get_deadline (node));
      if (node->talks)
        next = MIN (next, node->next_data_us);
    }
  self->now_us = MAX (self->now_us, next);

  while ((event = g_queue_peek_head (&self->events)) != NULL && event->at_us <= self->now_us)
    {
      g_queue_pop_head (&self->events);
      handle (self, event);
      g_free (event);
    }
  for (guint i = 0; i < 2; i++)
    {
      SimNode *node = &self->nodes[i];

      if (node->talks && self->now_us >= node->next_data_us)
        {
          node->next_data_us = self->now_us + DATA_GAP_US;
          send_data (node, DATA);
        }
      if (self->now_us >= get_deadline (node))
        {
          node->next_tick_us = self->now_us + 3 * G_USEC_PER_SEC;
          hn_paths_tick (node->paths, self->now_us);
          g_assert_cmpint (hn_paths_get_deadline (node->paths), >, self->now_us);
        }
    }
}

void
sim_run (Sim *self, gint64 us)
{
  gint64 end = self->now_us + us;

  while (self->now_us < end)
    step (self, end);
}

gboolean
sim_is_direct (SimNode *node)
{
  HnPathStats stats;

  hn_paths_get_stats (node->paths, node->peer, node->sim->now_us, &stats);
  return stats.direct;
}

gint64
sim_run_until_direct (Sim *self, guint node, gint64 max_us)
{
  gint64 start = self->now_us;

  while (self->now_us < start + max_us)
    {
      if (sim_is_direct (&self->nodes[node]))
        return self->now_us - start;
      step (self, start + max_us);
    }
  return -1;
}

void
sim_mark (Sim *self)
{
  for (guint i = 0; i < 2; i++)
    {
      SimNode *node = &self->nodes[i];

      node->last_received_us = self->now_us;
      node->worst_gap_us = 0;
      node->n_udp = node->n_relay = node->n_lost = 0;
      node->n_data_direct = node->n_data_relay = node->n_data_both = 0;
      node->n_changes = node->n_received = 0;
    }
}

guint
sim_count_datagrams (Sim *self)
{
  guint n = 0;

  for (guint i = 0; i < 2; i++)
    n += self->nodes[i].n_udp + self->nodes[i].n_relay;
  return n;
}
