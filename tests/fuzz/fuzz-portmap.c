/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a router may answer about a mapped port: the codec, and the machine with questions open. The
 * input is a row of datagrams: a byte for what the machine does before, two for the length, then so
 * many bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "crypto/hn-crypto.h"
#include "path/hn-portmap.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct
{
  guint8 nonce[HN_PCP_NONCE_LEN]; /* of the last request; a router knows it */
  guint sent;
} World;

static void
world_send (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len)
{
  World *world = user;

  if (len == HN_PCP_MAP_LEN)
    memcpy (world->nonce, data + 24, sizeof world->nonce);
  world->sent++;
}

static void
world_map (gpointer user, const char *url, const HnIp *local, guint16 port, guint32 lifetime_s)
{
  g_assert (g_str_has_prefix (url, "http://192.168.1.1:"));
}

static void
world_unmap (gpointer user, gboolean reachable)
{
}

static void
world_changed (gpointer user)
{
}

static void
check_codec (const guint8 *data, gsize len)
{
  HnPortmapAnswer answer;
  char path[HN_SSDP_PATH_MAX];
  guint16 port;

  hn_portmap_parse_answer (data, len, &answer);
  if (hn_ssdp_parse_answer (data, len, &port, path))
    {
      g_assert (port != 0 && path[0] == '/');
      for (const char *at = path; *at != '\0'; at++)
        g_assert (*at > ' ' && *at <= '~');
    }
}

static void
check_machine (const HnPortmap *portmap)
{
  HnEndpoint outer;

  if (hn_portmap_get_mapping (portmap, &outer) != HN_PORTMAP_NONE)
    g_assert (hn_portmap_is_public (&outer.ip) && outer.port != 0);
  else
    g_assert (outer.ip.family == 0 && outer.port == 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const HnPortmapOps ops = { world_send, world_map, world_unmap, world_changed };
  World world = { { 0 } };
  g_autoptr (HnPortmap) portmap = hn_portmap_new (&ops, &world);
  HnEndpoint gateway, search, local, outer;
  gint64 now = 1;

  if (!hn_crypto_init (NULL))
    return 0;
  check_codec (data, size);
  hn_endpoint_parse ("192.168.1.1:5351", &gateway);
  hn_endpoint_parse ("192.168.1.1:1900", &search);
  hn_endpoint_parse ("192.168.1.7:41641", &local);
  hn_endpoint_parse ("45.67.89.10:41641", &outer);
  hn_portmap_start (portmap, &gateway.ip, &local.ip, local.port, now);
  while (size >= 3)
    {
      guint8 act = data[0];
      gsize len = MIN ((gsize) (data[1] << 8 | data[2]), size - 3);
      g_autofree guint8 *copy = g_memdup2 (data + 3, len);

      if (act & 1)
        now += 100 * 1000;
      if (act & 2)
        hn_portmap_tick (portmap, now = MAX (now, MIN (hn_portmap_get_deadline (portmap),
                                                       now + 7200 * (gint64) G_USEC_PER_SEC)));
      if (act & 4)
        hn_portmap_upnp_done (portmap, act & 8 ? &outer : NULL, 7200, now);
      if ((act & 16) && len >= HN_PCP_MAP_LEN)
        memcpy (copy + 24, world.nonce, sizeof world.nonce);
      if ((act & 0x60) == 0x60)
        hn_portmap_start (portmap, &gateway.ip, &local.ip, local.port, now);
      hn_portmap_receive (portmap, act & 0x80 ? &search : &gateway, copy, len, now);
      check_machine (portmap);
      /* nothing answered makes us send without end */
      g_assert (world.sent <= 64);
      world.sent = 0;
      data += 3 + len;
      size -= 3 + len;
    }
  hn_portmap_stop (portmap, TRUE);
  check_machine (portmap);
  return 0;
}
