/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-pump.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "crypto/hn-crypto.h"
#include "dataplane/hn-pump-private.h"

#define WG_TYPE_DATA 4 /* the first byte of WireGuard's transport messages */
#define DEFAULT_MTU 1280
#define UNREACHABLE_PER_SECOND 10
#define RENEWALS_PER_SECOND 20
#define RENEWAL_GAP_US (5 * G_USEC_PER_SEC) /* of one peer: the core begins no more handshakes */
/* How long one jam may hold up everybody else's packets. */
#define HOLD_US (50 * 1000)

/* The tailnet's own service, which is answered on this host or not at all. */
static const guint8 service4[4] = { 100, 100, 100, 100 };
static const guint8 service6[16] = { 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, [15] = 0x53 };

gint64
hn_pump_update_now (HnPump *self)
{
  self->now_us = self->ops.now_us != NULL ? self->ops.now_us (self->user) : hn_clock_now_us ();
  return self->now_us;
}

gint64
hn_pump_wall_us (gpointer pump)
{
  HnPump *self = pump;

  return self->ops.wall_us != NULL ? self->ops.wall_us (self->user) : hn_clock_wall_us ();
}

static void
flush_out (HnPump *self)
{
  guint taken;

  if (self->out.n == 0)
    return;
  taken = hn_packet_port_write_batch (self->port, &self->out);
  self->counters.port_dropped += self->out.n - taken;
  self->out.n = 0;
}

/* Queues a packet for the host; it must stay where it is until flush_out(). */
static void
queue_out (HnPump *self, guint8 *data, gsize len)
{
  if (self->out.n == HN_PACKET_BATCH_MAX)
    flush_out (self);
  self->out.packets[self->out.n++] = (HnPacket){ .data = data, .len = (guint32) len };
}

/* Tells the host that nobody has the address, at a bounded rate. */
static void
answer_unreachable (HnPump *self, const HnIpPacket *packet)
{
  guint8 *reply = self->scratch + HN_PACKET_HEADROOM;
  gsize len;

  if (!hn_pump_rate_has_room (&self->unreachables, UNREACHABLE_PER_SECOND, self->now_us))
    return;
  len = hn_ip_reply_unreachable (packet, reply);
  if (len == 0)
    return;
  self->unreachables.n++;
  queue_out (self, reply, len);
  flush_out (self);
}

static gboolean
is_service (const HnIpPacket *packet)
{
  return packet->family == 4 ? memcmp (packet->destination, service4, sizeof service4) == 0
                             : memcmp (packet->destination, service6, sizeof service6) == 0;
}

static void
send_packet (HnPump *self, HnPacket *packet)
{
  HnIpPacket ip;
  HnPumpPeer *peer;
  HnPumpLink *link;

  /* Super-packets are not offered by any port yet; one would be a bug of the port's. */
  if (packet->gso_type != HN_GSO_NONE || !hn_packet_finish_checksum (packet)
      || !hn_ip_packet_parse (&ip, packet->data, packet->len))
    {
      self->counters.out_malformed++;
      return;
    }
  if (hn_ip_packet_is_local_scope (&ip) || is_service (&ip)
      || !hn_filter_is_own (self->filter, ip.family, ip.source))
    {
      self->counters.out_refused++;
      return;
    }
  peer = hn_address_map_lookup (self->addresses, ip.family, ip.destination);
  if (peer == NULL)
    {
      self->counters.out_no_peer++;
      answer_unreachable (self, &ip);
      return;
    }
  if (!self->has_key || hn_filter_outbound (self->filter, &ip, self->now_us) != HN_FILTER_PASS)
    {
      self->counters.out_refused++;
      return;
    }
  link = hn_pump_activate (self, peer);
  if (link == NULL)
    {
      self->counters.out_refused++;
      return;
    }
  link->last_packet_us = self->now_us;
  hn_wg_send (self->wg, link->wg, packet->data, ip.len, self->now_us);
}

/* The port: polled unless held, which needs no call and no wake-up to change. */

typedef struct
{
  GSource source;
  GPollFD poll;
  HnPump *pump; /* borrowed */
} PortSource;

static void
lose_port (HnPump *self, int code)
{
  g_autoptr (GError) error = g_error_new (
      HN_ERROR, HN_ERROR_FAILED, "The tunnel's network device is gone: %s", g_strerror (code));

  g_source_destroy (self->port_source);
  g_clear_pointer (&self->port_source, g_source_unref);
  self->ops.port_lost (self->user, error);
}

static gboolean
port_prepare (GSource *source, int *timeout_ms)
{
  PortSource *port = (PortSource *) source;

  port->poll.events = port->pump->held_until_us == G_MAXINT64 ? G_IO_IN : 0;
  *timeout_ms = -1;
  return FALSE;
}

static gboolean
port_check (GSource *source)
{
  PortSource *port = (PortSource *) source;

  return (port->poll.revents & (port->poll.events | G_IO_ERR | G_IO_HUP | G_IO_NVAL)) != 0;
}

/* One batch a turn, so that what comes in is never kept waiting by what goes out. */
static gboolean
port_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  PortSource *port = (PortSource *) source;
  HnPump *self = port->pump;
  int n;

  hn_pump_update_now (self);
  n = hn_packet_port_read_batch (self->port, &self->in);
  if (n < 0 || (n == 0 && (port->poll.revents & (G_IO_ERR | G_IO_HUP | G_IO_NVAL))))
    {
      lose_port (self, n < 0 ? -n : ENODEV);
      return G_SOURCE_REMOVE;
    }
  self->sent_direct = FALSE;
  for (guint i = 0; i < self->in.n; i++)
    send_packet (self, &self->in.packets[i]);
  hn_pump_flush_udp (self);
  if (n > 0 && self->ops.flush != NULL && self->ops.flush (self->user) && !self->sent_direct)
    self->held_until_us = self->now_us + HOLD_US;
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs port_funcs = { port_prepare, port_check, port_dispatch };

void
hn_pump_resume (HnPump *self)
{
  self->held_until_us = G_MAXINT64;
}

/* What the WireGuard core asks for. */

static void
wg_send (gpointer user, HnWgPeer *wg, const guint8 *datagram, gsize len, gboolean handshake)
{
  HnPump *self = user;

  hn_pump_send_datagram (self, hn_wg_peer_get_data (wg), datagram, len);
}

static void
wg_send_reply (gpointer user, const HnWgPath *path, const guint8 *datagram, gsize len)
{
  hn_pump_send_back (user, datagram, len);
}

static void
wg_deliver (gpointer user, HnWgPeer *wg, guint8 *data, gsize len)
{
  HnPump *self = user;
  HnPumpLink *link = hn_wg_peer_get_data (wg);
  const HnNodeFields *node;
  HnFilterVerdict verdict;
  HnIpPacket ip;

  link->last_packet_us = self->now_us;
  if (!hn_ip_packet_parse (&ip, data, len))
    {
      self->counters.in_malformed++;
      return;
    }
  if (ip.protocol == HN_IP_PROTOCOL_TSMP)
    {
      hn_pump_take_tsmp (self, link, &ip);
      return;
    }
  if (hn_pump_take_ping_reply (self, &ip))
    {
      self->counters.in_consumed++;
      return;
    }
  node = hn_node_get (link->peer->node);
  verdict = hn_filter_inbound (self->filter, &ip, node->jailed || node->unsigned_peer_api_only,
                               self->now_us);
  if (verdict != HN_FILTER_PASS)
    {
      hn_pump_refuse (self, link, &ip, verdict);
      return;
    }
  queue_out (self, data, ip.len);
}

static HnWgPeer *
wg_find_peer (gpointer user, const guint8 public_key[32])
{
  HnPump *self = user;
  HnPumpPeer *peer = g_hash_table_lookup (self->peers, public_key);
  HnPumpLink *link = peer != NULL ? hn_pump_activate (self, peer) : NULL;

  return link != NULL ? link->wg : NULL;
}

static void
wg_authenticated (gpointer user, HnWgPeer *wg, const HnWgPath *path)
{
  HnPump *self = user;
  HnPumpLink *link = hn_wg_peer_get_data (wg);

  if (self->from != NULL)
    {
      hn_paths_authenticated (self->paths, link->peer->path, self->from, self->now_us);
      return;
    }
  link->gone = FALSE;
  if (link->peer->path != NULL)
    hn_paths_heard_over_relay (self->paths, link->peer->path, self->now_us);
  /* Which way it goes back is known when something does. */
  if (link->path.kind == HN_PATH_NONE)
    hn_pump_set_relay (self, link, (int) path->token);
}

/* A peer still sends under a session from before our restart, and would for up to 15 s; a handshake of
 * ours ends that at once. A relay, or whoever can forge an address, can send such packets in any peer's
 * name, so there is a limit for all peers, and one for each so that none uses up the share of all. */
static void
renew_lost_session (HnPump *self, HnPumpPeer *peer)
{
  HnPumpLink *link = peer->link;

  if (link != NULL && link->renewed_us != 0 && self->now_us - link->renewed_us < RENEWAL_GAP_US)
    return;
  if (!hn_pump_rate_has_room (&self->renewals, RENEWALS_PER_SECOND, self->now_us))
    return;
  self->renewals.n++;
  link = hn_pump_activate (self, peer);
  if (link == NULL)
    return;
  link->renewed_us = self->now_us;
  hn_wg_initiate (self->wg, link->wg, self->now_us);
}

/* Hands a datagram to the tunnel. @peer: who sends from there, as far as known; NULL else. */
static void
receive_tunnel (HnPump *self, const HnWgPath *path, HnPumpPeer *peer, guint8 *data, gsize len)
{
  const HnWgCounters *counters = hn_wg_get_counters (self->wg);
  guint64 lost = counters->unknown_index;
  gboolean is_data = len > 0 && data[0] == WG_TYPE_DATA;

  hn_wg_receive (self->wg, path, data, len, self->now_us);
  if (is_data && peer != NULL && counters->unknown_index != lost)
    renew_lost_session (self, peer);
  flush_out (self);
}

void
hn_pump_receive (HnPump *self, int region, const HnNodePublic *source, guint8 *data, gsize len)
{
  HnWgPath path = { .token = (guint64) region, .source_len = sizeof path.source };
  HnPumpPeer *peer = g_hash_table_lookup (self->peers, source);

  hn_pump_update_now (self);
  if (hn_paths_is_disco (data, len))
    {
      if (self->paths == NULL)
        self->counters.in_disco++;
      else
        hn_paths_receive_relay (self->paths, region, peer != NULL ? peer->path : NULL, data, len,
                                self->now_us);
    }
  else if (!self->has_key || peer == NULL)
    {
      self->counters.in_unknown_source++;
    }
  else
    {
      /* A relay's packets have no address; the key that it vouches for stands in its place. */
      memcpy (path.source, source->bytes, sizeof path.source);
      self->source = source;
      self->source_region = region;
      receive_tunnel (self, &path, peer, data, len);
      self->source = NULL;
    }
  hn_pump_flush_udp (self);
}

void
hn_pump_receive_udp (HnPump *self, const HnEndpoint *from, guint8 *data, gsize len)
{
  gsize address_len = from->ip.family == 4 ? 4 : 16;
  HnWgPath path = { .source_len = (guint8) (address_len + 2) };
  HnPathPeer *known;

  g_return_if_fail (self->paths != NULL);

  hn_pump_update_now (self);
  if (hn_paths_is_disco (data, len))
    {
      hn_paths_receive_udp (self->paths, from, data, len, self->now_us);
      return;
    }
  if (!self->has_key)
    return;
  memcpy (path.source, from->ip.bytes, address_len);
  path.source[address_len] = (guint8) (from->port >> 8);
  path.source[address_len + 1] = (guint8) from->port;
  known = hn_paths_lookup (self->paths, from);
  self->from = from;
  receive_tunnel (self, &path, known != NULL ? hn_path_peer_get_data (known) : NULL, data, len);
  self->from = NULL;
}

/* The timer: its deadline is asked for in each turn of the loop, which costs no system call and no
 * wake-up, however often a packet moves it. */

typedef struct
{
  GSource source;
  HnPump *pump; /* borrowed */
} TimerSource;

static gint64
next_deadline (HnPump *self)
{
  gint64 deadline_us = MIN (hn_wg_get_deadline (self->wg), self->sweep_us);

  deadline_us = MIN (deadline_us, self->held_until_us);
  if (self->paths != NULL)
    deadline_us = MIN (deadline_us, hn_paths_get_deadline (self->paths));
  if (self->pings->len > 0)
    deadline_us = MIN (deadline_us, hn_pump_get_ping_deadline (self));
  return deadline_us;
}

static gboolean
timer_prepare (GSource *source, int *timeout_ms)
{
  HnPump *self = ((TimerSource *) source)->pump;
  gint64 deadline_us = next_deadline (self);
  gint64 left_ms;

  *timeout_ms = -1;
  if (deadline_us == G_MAXINT64)
    return FALSE;
  left_ms = (deadline_us - hn_pump_update_now (self) + 999) / 1000;
  *timeout_ms = (int) CLAMP (left_ms, 0, G_MAXINT);
  return left_ms <= 0;
}

static gboolean
timer_check (GSource *source)
{
  HnPump *self = ((TimerSource *) source)->pump;
  gint64 deadline_us = next_deadline (self);

  return deadline_us != G_MAXINT64 && deadline_us <= hn_pump_update_now (self);
}

static gboolean
timer_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  HnPump *self = ((TimerSource *) source)->pump;

  hn_pump_update_now (self);
  if (hn_wg_get_deadline (self->wg) <= self->now_us)
    hn_wg_tick (self->wg, self->now_us);
  if (self->sweep_us <= self->now_us)
    hn_pump_sweep (self);
  if (self->held_until_us <= self->now_us)
    hn_pump_resume (self);
  hn_pump_expire_pings (self);
  if (self->paths != NULL && hn_paths_get_deadline (self->paths) <= self->now_us)
    hn_paths_tick (self->paths, self->now_us);
  hn_pump_flush_udp (self);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs timer_funcs = { timer_prepare, timer_check, timer_dispatch };

HnPump *
hn_pump_new (HnPacketPort *port, const HnPumpOps *ops, gpointer user, guint mtu)
{
  static const HnWgOps wg_ops = {
    .send = wg_send,
    .send_reply = wg_send_reply,
    .deliver = wg_deliver,
    .find_peer = wg_find_peer,
    .authenticated = wg_authenticated,
  };
  HnPump *self = g_new0 (HnPump, 1);

  self->ops = *ops;
  self->user = user;
  self->port = g_object_ref (port);
  self->wg = hn_wg_new (&wg_ops, self);
  hn_wg_set_wall_clock (self->wg, hn_pump_wall_us, self);
  hn_wg_set_mtu (self->wg, mtu != 0 ? mtu : DEFAULT_MTU);
  self->filter = hn_filter_new ();
  hn_pump_init_paths (self);
  hn_pump_init_peers (self);
  self->pings = g_array_new (FALSE, FALSE, sizeof (HnPumpPing));
  hn_random_bytes (&self->ping_id, sizeof self->ping_id);

  self->held_until_us = G_MAXINT64;
  self->port_source = g_source_new (&port_funcs, sizeof (PortSource));
  ((PortSource *) self->port_source)->pump = self;
  ((PortSource *) self->port_source)->poll.fd = hn_packet_port_get_fd (port);
  ((PortSource *) self->port_source)->poll.events = G_IO_IN;
  g_source_add_poll (self->port_source, &((PortSource *) self->port_source)->poll);
  g_source_attach (self->port_source, g_main_context_get_thread_default ());
  self->timer = g_source_new (&timer_funcs, sizeof (TimerSource));
  ((TimerSource *) self->timer)->pump = self;
  g_source_attach (self->timer, g_main_context_get_thread_default ());
  return self;
}

void
hn_pump_free (HnPump *self)
{
  if (self->port_source != NULL)
    {
      g_source_destroy (self->port_source);
      g_source_unref (self->port_source);
    }
  g_source_destroy (self->timer);
  g_source_unref (self->timer);
  hn_pump_clear_peers (self);
  hn_wg_free (self->wg);
  g_clear_pointer (&self->paths, hn_paths_free);
  hn_filter_free (self->filter);
  hn_disco_private_clear (&self->disco_key);
  g_array_unref (self->pings);
  g_object_unref (self->port);
  g_free (self);
}

void
hn_pump_set_addresses (HnPump *self, const HnPrefix *addresses, gsize n)
{
  hn_filter_set_addresses (self->filter, addresses, n);
  if (self->paths != NULL)
    hn_paths_set_forbidden (self->paths, addresses, n);
}

void
hn_pump_set_filter (HnPump *self, HnFilterProgram *program)
{
  hn_filter_set_program (self->filter, program);
}

const guint64 *
hn_pump_get_verdicts (const HnPump *self)
{
  return hn_filter_get_counters (self->filter);
}

const HnPumpCounters *
hn_pump_get_counters (const HnPump *self)
{
  return &self->counters;
}
