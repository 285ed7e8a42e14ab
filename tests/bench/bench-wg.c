/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a packet costs in the WireGuard core: sealed by one core and opened by another in the same
 * buffer, without sockets, and how much of that is the AEAD alone; and what a handshake costs.
 */
#include <stdio.h>
#include <string.h>

#include "crypto/hn-crypto.h"
#include "wireguard/hn-wg.h"

#define ROUND_US (400 * 1000)

typedef struct _Side
{
  HnWg *wg;
  HnWgPeer *peer;
  struct _Side *other;
  guint64 delivered;
} Side;

static gint64 now_us = G_USEC_PER_SEC;

static void
on_send (gpointer user, HnWgPeer *peer, const guint8 *datagram, gsize len, gboolean handshake)
{
  static const HnWgPath path = { 0, { 192, 0, 2, 1, 1, 1 }, 6 };
  Side *side = user;

  /* The datagram lies in this program's own buffer, or in one that the core is done with. */
  hn_wg_receive (side->other->wg, &path, (guint8 *) datagram, len, now_us);
}

static void
on_deliver (gpointer user, HnWgPeer *peer, guint8 *packet, gsize len)
{
  ((Side *) user)->delivered++;
}

static void
bench_core (gsize len)
{
  static const HnWgOps ops = { .send = on_send, .deliver = on_deliver };
  static const HnWgAllowedIp any = { .family = 4 };
  Side sides[2] = { 0 };
  guint8 public_keys[2][32];
  guint8 buffer[HN_WG_HEADROOM + 1500 + HN_WG_TAILROOM];
  guint8 *packet = buffer + HN_WG_HEADROOM;
  guint64 n = 0;
  gint64 start, end;

  for (guint i = 0; i < 2; i++)
    {
      guint8 key[32];

      hn_x25519_generate (key);
      hn_x25519_base (key, public_keys[i]);
      sides[i].wg = hn_wg_new (&ops, &sides[i]);
      sides[i].other = &sides[!i];
      hn_wg_set_private_key (sides[i].wg, key);
      hn_wg_set_mtu (sides[i].wg, 1280);
    }
  for (guint i = 0; i < 2; i++)
    {
      sides[i].peer = hn_wg_add_peer (sides[i].wg, public_keys[!i], NULL);
      hn_wg_peer_set_allowed_ips (sides[i].peer, &any, 1);
    }
  hn_wg_initiate (sides[0].wg, sides[0].peer, now_us);

  start = end = g_get_monotonic_time ();
  while (end - start < ROUND_US)
    {
      for (guint i = 0; i < 1000; i++, n++)
        {
          memset (packet, 0, 20);
          packet[0] = 0x45;
          packet[2] = (guint8) (len >> 8);
          packet[3] = (guint8) len;
          hn_wg_send (sides[0].wg, sides[0].peer, packet, len, now_us);
        }
      end = g_get_monotonic_time ();
    }
  if (sides[1].delivered != n)
    g_error ("%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " packets came through",
             sides[1].delivered, n);
  printf ("core, seal and open, %4zu bytes: %6.0f ns a packet, %.2f Gbit/s\n", len,
          (double) (end - start) * 1000 / (double) n,
          (double) n * (double) len * 8 / (double) (end - start) / 1000);
  hn_wg_free (sides[0].wg);
  hn_wg_free (sides[1].wg);
}

static void
bench_aead (gsize len)
{
  guint8 key[32], buffer[1500 + 16] = { 0 };
  guint64 n = 0;
  gint64 start, end;

  hn_random_bytes (key, sizeof key);
  start = end = g_get_monotonic_time ();
  while (end - start < ROUND_US)
    {
      for (guint i = 0; i < 1000; i++, n++)
        {
          hn_aead_seal (key, n, FALSE, NULL, 0, buffer, len, buffer);
          if (!hn_aead_open (key, n, FALSE, NULL, 0, buffer, len + 16, buffer))
            g_error ("a packet did not open");
        }
      end = g_get_monotonic_time ();
    }
  printf ("AEAD alone,          %4zu bytes: %6.0f ns a packet\n", len,
          (double) (end - start) * 1000 / (double) n);
}

static void
bench_handshake (void)
{
  static const HnWgOps ops = { .send = on_send, .deliver = on_deliver };
  Side sides[2] = { 0 };
  guint8 public_keys[2][32];
  guint n = 0;
  gint64 start, end;

  for (guint i = 0; i < 2; i++)
    {
      guint8 key[32];

      hn_x25519_generate (key);
      hn_x25519_base (key, public_keys[i]);
      sides[i].wg = hn_wg_new (&ops, &sides[i]);
      sides[i].other = &sides[!i];
      hn_wg_set_private_key (sides[i].wg, key);
    }
  for (guint i = 0; i < 2; i++)
    sides[i].peer = hn_wg_add_peer (sides[i].wg, public_keys[!i], NULL);

  start = end = g_get_monotonic_time ();
  for (; end - start < ROUND_US; n++)
    {
      HnWgPeerStats stats;

      now_us += G_USEC_PER_SEC;
      hn_wg_peer_reset (sides[0].wg, sides[0].peer);
      hn_wg_initiate (sides[0].wg, sides[0].peer, now_us);
      hn_wg_peer_get_stats (sides[1].peer, now_us, &stats);
      if (stats.last_handshake_us != now_us)
        g_error ("a handshake failed");
      end = g_get_monotonic_time ();
    }
  printf ("handshake, both sides:           %6.0f us\n", (double) (end - start) / n);
  hn_wg_free (sides[0].wg);
  hn_wg_free (sides[1].wg);
}

int
main (void)
{
  if (!hn_crypto_init (NULL))
    g_error ("no crypto library");
  bench_core (1280);
  bench_core (64);
  bench_aead (1280);
  bench_aead (64);
  bench_handshake ();
  return 0;
}
