/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-pump.h"

#include <string.h>

#include "base/hn-error.h"
#include "crypto/hn-crypto.h"
#include "dataplane/hn-pump-private.h"

#define MAX_PINGS 64
#define MAX_TIMEOUT_MS 60000

/* By the path machine, without the tunnel. */
static gboolean
ping_paths (HnPump *self, HnPumpPeer *peer, const HnPumpPing *ping, GError **error)
{
  if (peer->path == NULL)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_NOT_SUPPORTED,
                   "There are no direct paths here: use another kind of ping");
      return FALSE;
    }
  if (!hn_paths_ping (self->paths, peer->path, ping->token, ping->deadline_us, self->now_us, error))
    return FALSE;
  hn_pump_flush_udp (self);
  return TRUE;
}

/* Through the tunnel, to the peer's daemon or system. */
static gboolean
ping_tunnel (HnPump *self, HnPumpPeer *peer, HnPumpPing *ping, GError **error)
{
  const HnIp *source = hn_filter_get_address (self->filter, ping->target.family);
  guint8 *packet = self->scratch + HN_PACKET_HEADROOM;
  HnPumpLink *link;
  gsize len;

  if (source == NULL)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_FAILED, "This node has no IPv%u address to ping from",
                   ping->target.family);
      return FALSE;
    }
  link = self->has_key ? hn_pump_activate (self, peer) : NULL;
  if (link == NULL)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_NOT_CONNECTED, "The tunnel is not ready");
      return FALSE;
    }
  ping->sequence = ++self->ping_sequence;
  hn_random_bytes (ping->cookie, sizeof ping->cookie);
  g_array_append_vals (self->pings, ping, 1);
  if (ping->kind == HN_PING_TSMP)
    len = hn_ip_make_tsmp_ping (source, &ping->target, ping->cookie, packet);
  else
    len = hn_ip_make_echo_request (source, &ping->target, self->ping_id, ping->sequence,
                                   ping->cookie, packet);
  hn_wg_send (self->wg, link->wg, packet, len, self->now_us);
  hn_pump_flush_udp (self);
  return TRUE;
}

gboolean
hn_pump_ping (HnPump *self, HnPingKind kind, const HnIp *target, guint timeout_ms, gpointer token,
              GError **error)
{
  char text[HN_IP_TEXT_MAX];
  HnPumpPing ping = { .token = token, .kind = kind, .target = *target };
  HnPumpPeer *peer;

  hn_pump_update_now (self);
  peer = hn_address_map_lookup (self->addresses, target->family, target->bytes);
  if (peer == NULL)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_NOT_FOUND, "No peer has the address %s",
                   hn_ip_format (target, text));
      return FALSE;
    }
  if (self->pings->len >= MAX_PINGS)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_BUSY, "Too many pings at once");
      return FALSE;
    }
  ping.peer = hn_node_get (peer->node)->key;
  ping.sent_us = self->now_us;
  ping.deadline_us = self->now_us + (gint64) CLAMP (timeout_ms, 1, MAX_TIMEOUT_MS) * 1000;
  return kind == HN_PING_DISCO ? ping_paths (self, peer, &ping, error)
                               : ping_tunnel (self, peer, &ping, error);
}

void
hn_pump_cancel_ping (HnPump *self, gpointer token)
{
  for (guint i = 0; i < self->pings->len; i++)
    if (g_array_index (self->pings, HnPumpPing, i).token == token)
      {
        g_array_remove_index_fast (self->pings, i);
        break;
      }
  if (self->paths != NULL)
    hn_paths_cancel_ping (self->paths, token);
}

static void
finish_ping (HnPump *self, guint index, gint64 latency_us)
{
  HnPumpPing ping = g_array_index (self->pings, HnPumpPing, index);
  HnPumpPeer *peer = g_hash_table_lookup (self->peers, &ping.peer);
  HnPeerStats stats;

  g_array_remove_index_fast (self->pings, index);
  if (peer != NULL && peer->link != NULL && latency_us >= 0)
    peer->link->latency_us = latency_us;
  hn_pump_get_stats (self, &ping.peer, &stats);
  self->ops.ping_done (self->user, ping.token, &stats, latency_us);
}

void
hn_pump_take_pong (HnPump *self, gpointer token, const HnPathPong *pong)
{
  HnPeerStats stats = { 0 };

  stats.path.kind = pong->direct ? HN_PATH_DIRECT : HN_PATH_RELAY;
  stats.path.endpoint = pong->endpoint;
  stats.path.relay = pong->direct ? 0 : pong->relay;
  self->ops.ping_done (self->user, token, &stats, pong->latency_us);
}

/* Whether that ping was sent to whom @packet comes from, and is answered by @cookie. */
static gboolean
is_answer (const HnPumpPing *ping, HnPingKind kind, const HnIpPacket *packet,
           const guint8 cookie[HN_IP_ECHO_COOKIE_SIZE])
{
  return ping->kind == kind && ping->target.family == packet->family
         && memcmp (ping->target.bytes, packet->source, packet->family == 4 ? 4 : 16) == 0
         && memcmp (ping->cookie, cookie, sizeof ping->cookie) == 0;
}

static gboolean
take_answer (HnPump *self, HnPingKind kind, const HnIpPacket *packet,
             const guint8 cookie[HN_IP_ECHO_COOKIE_SIZE])
{
  for (guint i = 0; i < self->pings->len; i++)
    {
      const HnPumpPing *ping = &g_array_index (self->pings, HnPumpPing, i);

      if (!is_answer (ping, kind, packet, cookie))
        continue;
      finish_ping (self, i, self->now_us - ping->sent_us);
      return TRUE;
    }
  return FALSE;
}

void
hn_pump_take_tsmp_pong (HnPump *self, const HnIpPacket *packet,
                        const guint8 cookie[HN_IP_ECHO_COOKIE_SIZE])
{
  take_answer (self, HN_PING_TSMP, packet, cookie);
}

gboolean
hn_pump_take_ping_reply (HnPump *self, const HnIpPacket *packet)
{
  const guint8 *icmp = packet->data + packet->header_len;

  if (packet->icmp_kind != HN_ICMP_ECHO_REPLY || packet->fragment != HN_FRAGMENT_NONE
      || packet->source_port != self->ping_id
      || packet->len - packet->header_len < 8 + HN_IP_ECHO_COOKIE_SIZE)
    return FALSE;
  return take_answer (self, HN_PING_ICMP, packet, icmp + 8);
}

gint64
hn_pump_get_ping_deadline (HnPump *self)
{
  gint64 deadline_us = G_MAXINT64;

  for (guint i = 0; i < self->pings->len; i++)
    deadline_us = MIN (deadline_us, g_array_index (self->pings, HnPumpPing, i).deadline_us);
  return deadline_us;
}

void
hn_pump_expire_pings (HnPump *self)
{
  for (guint i = self->pings->len; i-- > 0;)
    if (g_array_index (self->pings, HnPumpPing, i).deadline_us <= self->now_us)
      finish_ping (self, i, -1);
}
