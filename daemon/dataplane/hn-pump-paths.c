/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-pump.h"

#include <errno.h>
#include <string.h>

#include "dataplane/hn-pump-private.h"

/* What the path machine asks for. */

static int
paths_send_udp (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len)
{
  HnPump *self = user;

  return self->ops.send_udp (self->user, to, data, len);
}

static int
paths_send_relay (gpointer user, int region, const HnNodePublic *peer, const guint8 *data,
                  gsize len)
{
  HnPump *self = user;

  return self->ops.send (self->user, region, peer, data, len);
}

static void
paths_refresh_endpoints (gpointer user)
{
  HnPump *self = user;

  if (self->ops.refresh_endpoints != NULL)
    self->ops.refresh_endpoints (self->user);
}

static void
paths_path_changed (gpointer user, HnPathPeer *path_peer, const HnEndpoint *endpoint)
{
  HnPump *self = user;
  HnPumpLink *link = hn_pump_ensure_link (hn_path_peer_get_data (path_peer));
  HnPeerPath path = { HN_PATH_NONE, 0, { { 0 } } };

  if (endpoint != NULL)
    {
      path.kind = HN_PATH_DIRECT;
      path.endpoint = *endpoint;
    }
  else if (link->wg != NULL && !link->gone)
    {
      /* what goes out next goes over the relay, and says so if that is another one */
      path.relay = hn_node_get (link->peer->node)->home_derp;
      path.kind = path.relay != 0 ? HN_PATH_RELAY : HN_PATH_NONE;
    }
  hn_pump_set_path (self, link, &path);
}

static void
paths_ping_done (gpointer user, gpointer token, const HnPathPong *pong)
{
  hn_pump_take_pong (user, token, pong);
}

void
hn_pump_init_paths (HnPump *self)
{
  static const HnPathOps ops = {
    .send_udp = paths_send_udp,
    .send_relay = paths_send_relay,
    .refresh_endpoints = paths_refresh_endpoints,
    .path_changed = paths_path_changed,
    .ping_done = paths_ping_done,
  };

  if (self->ops.send_udp != NULL)
    self->paths = hn_paths_new (&ops, self);
}

void
hn_pump_flush_udp (HnPump *self)
{
  if (self->ops.flush_udp != NULL)
    self->ops.flush_udp (self->user);
}

void
hn_pump_send_datagram (HnPump *self, HnPumpLink *link, const guint8 *datagram, gsize len)
{
  HnPumpPeer *peer = link->peer;
  const HnNodeFields *node = hn_node_get (peer->node);
  HnPathRoute route = { .relay = TRUE };
  gboolean sent = FALSE;
  int region;

  if (peer->path != NULL)
    hn_paths_route (self->paths, peer->path, self->now_us, &route);
  if (route.direct)
    {
      int error = self->ops.send_udp (self->user, &route.endpoint, datagram, len);

      sent = error == 0;
      if (!sent)
        {
          hn_paths_send_failed (self->paths, peer->path, &route.endpoint, error, self->now_us);
          route.relay = TRUE;
        }
    }
  if (!route.relay)
    {
      self->sent_direct = TRUE;
      return;
    }
  region = self->ops.send (self->user, node->home_derp, &node->key, datagram, len);
  if (region == 0 && !sent)
    {
      self->counters.out_no_path++;
      hn_pump_set_relay (self, link, 0);
    }
  else if (region != 0 && !link->gone && link->path.kind != HN_PATH_DIRECT)
    {
      hn_pump_set_relay (self, link, region);
    }
}

void
hn_pump_send_back (HnPump *self, const guint8 *datagram, gsize len)
{
  /* Called while something is received only: whom it came from is at hand. */
  if (self->source != NULL)
    self->ops.send (self->user, self->source_region, self->source, datagram, len);
  else if (self->from != NULL)
    self->ops.send_udp (self->user, self->from, datagram, len);
}

void
hn_pump_send_failed (HnPump *self, const HnEndpoint *to, int error)
{
  HnPathPeer *peer = self->paths != NULL ? hn_paths_lookup (self->paths, to) : NULL;

  if (peer != NULL)
    hn_paths_send_failed (self->paths, peer, to, error, hn_pump_update_now (self));
}

static void
set_path_keys (HnPump *self)
{
  if (self->paths != NULL && self->has_key && !hn_disco_private_is_zero (&self->disco_key))
    hn_paths_set_keys (self->paths, &self->disco_key, &self->own_key);
}

void
hn_pump_set_private_key (HnPump *self, const HnNodePrivate *key)
{
  self->has_key = !hn_node_private_is_zero (key);
  hn_wg_set_private_key (self->wg, key->bytes);
  hn_node_private_get_public (key, &self->own_key);
  set_path_keys (self);
}

void
hn_pump_set_disco_key (HnPump *self, const HnDiscoPrivate *key)
{
  self->disco_key = *key;
  set_path_keys (self);
}

void
hn_pump_set_endpoints (HnPump *self, const HnEndpoint *endpoints, gsize n)
{
  if (self->paths == NULL)
    return;
  hn_paths_set_endpoints (self->paths, endpoints, n, hn_pump_update_now (self));
  hn_pump_flush_udp (self);
}

void
hn_pump_network_changed (HnPump *self, gboolean available)
{
  if (self->paths == NULL)
    return;
  hn_paths_network_changed (self->paths, available, hn_pump_update_now (self));
  hn_pump_flush_udp (self);
}
