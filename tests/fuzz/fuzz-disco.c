/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes to the path machine of two peers. The input is a list of steps: a byte that chooses what
 * happens (see step()), one that says from whom or where, one for the length of what follows. Messages
 * are sealed here, as a peer that means no good would, and pongs answer the last ping if they like.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "crypto/hn-crypto.h"
#include "path/hn-disco-codec.h"
#include "path/hn-paths.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define MAX_STEPS 200

typedef struct
{
  HnPaths *paths;
  HnPathPeer *peers[2];
  HnDiscoPublic disco[2];
  guint8 shared[2][32];
  guint8 tx_id[HN_DISCO_TX_ID_SIZE]; /* of our last ping */
  gint64 now_us;
  gsize answered; /* by the datagram under way: never more out than in */
} World;

static void
look (World *world, const guint8 *data, gsize len)
{
  static guint8 copy[4096];
  const guint8 *message;
  HnDiscoMessage parsed;
  gsize message_len;

  g_assert (hn_disco_is_packet (data, len) && len <= sizeof copy);
  for (guint i = 0; i < 2; i++)
    {
      memcpy (copy, data, len);
      if (!hn_disco_open (world->shared[i], copy, len, &message, &message_len))
        continue;
      g_assert (hn_disco_parse (message, message_len, &parsed));
      if (parsed.type == HN_DISCO_PING)
        memcpy (world->tx_id, parsed.tx_id, sizeof world->tx_id);
      else if (parsed.type == HN_DISCO_PONG)
        world->answered += len;
      return;
    }
  g_assert_not_reached ();
}

static int
on_send_udp (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len)
{
  g_assert (to->port != 0 && (to->ip.family == 4 || to->ip.family == 6));
  g_assert (!hn_ip_is_loopback (&to->ip) && !hn_ip_is_multicast (&to->ip));
  look (user, data, len);
  return to->port == 13 ? 101 : 0;
}

static int
on_send_relay (gpointer user, int region, const HnNodePublic *peer, const guint8 *data, gsize len)
{
  look (user, data, len);
  return region;
}

static void
on_refresh_endpoints (gpointer user)
{
  World *world = user;
  HnEndpoint own = { { 4, { 192, 0, 2, 1 } }, 41641 };

  hn_paths_set_endpoints (world->paths, &own, 1, world->now_us);
}

static void
on_path_changed (gpointer user, HnPathPeer *peer, const HnEndpoint *endpoint)
{
  World *world = user;

  g_assert (peer == world->peers[0] || peer == world->peers[1]);
}

static void
on_ping_done (gpointer user, gpointer token, const HnPathPong *pong)
{
}

static const HnPathOps ops
    = { on_send_udp, on_send_relay, on_refresh_endpoints, on_path_changed, on_ping_done };

static HnNode *
make_node (World *world, guint i, const uint8_t *data, size_t size)
{
  HnNodeFields fields = { .id = i, .stable_id = "", .name = "", .host_name = "", .os = "" };
  HnEndpoint endpoints[16];

  memset (fields.key.bytes, 1 + (int) i, sizeof fields.key.bytes);
  fields.disco = world->disco[i];
  fields.home_derp = 1 + (int) i;
  for (; size >= 6 && fields.n_endpoints < G_N_ELEMENTS (endpoints); data += 6, size -= 6)
    {
      HnEndpoint *endpoint = &endpoints[fields.n_endpoints++];

      memset (endpoint, 0, sizeof *endpoint);
      endpoint->ip = hn_ip_from_bytes (data, 4);
      endpoint->port = (guint16) (data[4] << 8 | data[5]);
    }
  fields.endpoints = endpoints;
  return hn_node_new (&fields);
}

static void
receive (World *world, guint peer, gboolean relay, guint8 where, guint8 *datagram, gsize len)
{
  HnEndpoint from = { { 4, { 198, 51, 100, where } }, 1000 };

  if (where >= 0xf0)
    from = (HnEndpoint){ { 6, { 0x20, 1, 0xd, 0xb8, [15] = where } }, 1000 };
  world->answered = 0;
  if (relay)
    hn_paths_receive_relay (world->paths, where, where == 7 ? NULL : world->peers[peer], datagram,
                            len, world->now_us);
  else
    {
      hn_paths_receive_udp (world->paths, &from, datagram, len, world->now_us);
      g_assert (world->answered <= len);
    }
}

static void
step (World *world, guint8 what, guint8 where, const uint8_t *data, size_t size)
{
  guint peer = what >> 7;
  HnEndpoint from = { { 4, { 198, 51, 100, where } }, 1000 };
  guint8 message[256], datagram[HN_DISCO_OVERHEAD + sizeof message];
  guint8 nonce[HN_BOX_NONCE_SIZE] = { 0 };
  HnPathRoute route;
  gsize len;

  memcpy (message, data, size);
  switch (what & 0x0f)
    {
    case 0: /* as it is */
      memcpy (datagram, data, size);
      receive (world, peer, (what & 0x40) != 0, where, datagram, size);
      break;
    case 1: /* sealed */
    case 2: /* likewise, with the transaction of our last ping */
      if ((what & 0x0f) == 2 && size >= 2 + HN_DISCO_TX_ID_SIZE)
        memcpy (message + 2, world->tx_id, HN_DISCO_TX_ID_SIZE);
      len = hn_disco_seal (&world->disco[peer], world->shared[peer], nonce, message, size,
                           datagram);
      receive (world, (what & 0x20) != 0 ? 1 - peer : peer, (what & 0x40) != 0, where, datagram,
               len);
      break;
    case 3:
      hn_paths_route (world->paths, world->peers[peer], world->now_us, &route);
      g_assert (route.direct || route.relay);
      break;
    case 4: /* time passes */
      world->now_us += (gint64) where * where * 1000;
      break;
    case 5: /* as far as it must */
      if (hn_paths_get_deadline (world->paths) != G_MAXINT64)
        world->now_us = MAX (world->now_us, hn_paths_get_deadline (world->paths));
      break;
    case 6:
      hn_paths_network_changed (world->paths, (where & 1) == 0, world->now_us);
      break;
    case 7:
      {
        g_autoptr (HnNode) node = make_node (world, peer, data, size);

        hn_paths_update (world->paths, world->peers[peer], node, world->now_us);
        break;
      }
    case 8:
      {
        g_autoptr (HnNode) node = make_node (world, peer, data, size);

        hn_paths_remove (world->paths, world->peers[peer]);
        world->peers[peer] = hn_paths_add (world->paths, node, NULL);
        break;
      }
    case 9:
      hn_paths_authenticated (world->paths, world->peers[peer], &from, world->now_us);
      break;
    case 10:
      hn_paths_heard_over_relay (world->paths, world->peers[peer], world->now_us);
      break;
    case 11:
      hn_paths_ping (world->paths, world->peers[peer], world, world->now_us + 1000 * where,
                     world->now_us, NULL);
      break;
    case 12:
      hn_paths_send_failed (world->paths, world->peers[peer], &from, where, world->now_us);
      break;
    case 13:
      hn_paths_advert (world->paths, world->peers[peer], &world->disco[where & 1], world->now_us);
      break;
    default:
      hn_paths_cancel_ping (world->paths, world);
      break;
    }
  while (hn_paths_get_deadline (world->paths) <= world->now_us)
    {
      gint64 before = hn_paths_get_deadline (world->paths);

      hn_paths_tick (world->paths, world->now_us);
      /* It must not ask for the same again and again. */
      g_assert (hn_paths_get_deadline (world->paths) > before);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  HnDiscoPrivate own = { { 8, 1, 2, 3, [31] = 0x41 } };
  HnNodePublic node_key = { { 9 } };
  HnDiscoPublic own_public;
  World world = { .now_us = 1000 * G_USEC_PER_SEC };

  if (!hn_crypto_init (NULL))
    return 0;
  hn_disco_private_get_public (&own, &own_public);
  world.paths = hn_paths_new (&ops, &world);
  hn_paths_set_keys (world.paths, &own, &node_key);
  for (guint i = 0; i < 2; i++)
    {
      HnDiscoPrivate disco = { { 16, (guint8) i, [31] = 0x42 } };
      g_autoptr (HnNode) node = NULL;

      hn_disco_private_get_public (&disco, &world.disco[i]);
      if (!hn_box_precompute (disco.bytes, own_public.bytes, world.shared[i]))
        g_assert_not_reached ();
      node = make_node (&world, i, NULL, 0);
      world.peers[i] = hn_paths_add (world.paths, node, NULL);
    }
  for (guint n = 0; n < MAX_STEPS && size >= 3; n++)
    {
      size_t len = MIN (data[2], size - 3);

      step (&world, data[0], data[1], data + 3, len);
      data += 3 + len;
      size -= 3 + len;
    }
  hn_paths_free (world.paths);
  return 0;
}
