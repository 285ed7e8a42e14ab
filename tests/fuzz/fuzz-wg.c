/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The receive path of a WireGuard core with one known peer. The input is a list of datagrams, each
 * behind two bytes of length and one of flags; as random bytes never pass a MAC, flags ask for a
 * right mac1, for an index that exists, and for messages sealed with the session's own keys.
 */
#include <stdint.h>
#include <string.h>

#include "crypto/hn-crypto.h"
#include "wireguard/hn-wg-private.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

enum
{
  FLAG_MAC1 = 1 << 0,
  FLAG_INDEX = 1 << 1,
  FLAG_SEAL = 1 << 2,
  FLAG_SEND = 1 << 3,
  FLAG_WAIT = 1 << 4,
};

#define MAX_DATAGRAM 2048

static void
on_send (gpointer user, HnWgPeer *peer, const guint8 *datagram, gsize len, gboolean handshake)
{
  guint8 *sum = user;

  for (gsize i = 0; i < len; i++)
    *sum ^= datagram[i];
}

static void
on_send_reply (gpointer user, const HnWgPath *path, const guint8 *datagram, gsize len)
{
  g_assert_cmpuint (len, ==, 64);
}

static void
on_deliver (gpointer user, HnWgPeer *peer, guint8 *packet, gsize len)
{
  g_assert_cmpuint (len, >=, 20);
  packet[len - 1] ^= 1;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const HnWgOps ops = { on_send, on_send_reply, on_deliver };
  static const HnWgAllowedIp allowed[] = { { 4, 8, { 10 } }, { 6, 16, { 0xfd } } };
  static const HnWgKeys keys = { { 1 }, { 2 } };
  guint8 sum = 0;
  guint8 own[32] = { 8 }, other[32] = { 16 }, other_public[32], mac1_key[32];
  HnWg *wg;
  HnWgPeer *peer;
  gint64 now = G_USEC_PER_SEC;
  guint64 counter = 0;

  g_assert_true (hn_crypto_init (NULL));
  wg = hn_wg_new (&ops, &sum);
  hn_wg_set_private_key (wg, own);
  hn_x25519_base (other, other_public);
  peer = hn_wg_add_peer (wg, other_public, NULL);
  hn_wg_peer_set_allowed_ips (peer, allowed, G_N_ELEMENTS (allowed));
  hn_wg_initiate (wg, peer, now);
  hn_wg_peer_begin_session (peer, &keys, 77, 78, FALSE, now);
  hn_hash2 ("mac1----", 8, wg->public_key, 32, mac1_key);

  while (size >= 3)
    {
      gsize len = ((gsize) data[0] << 8 | data[1]) % MAX_DATAGRAM;
      guint8 flags = data[2];
      guint8 buffer[MAX_DATAGRAM + HN_WG_HEADROOM + HN_WG_TAILROOM] = { 0 };
      HnWgPath path = { flags, { flags }, (guint8) (flags % 32) };

      data += 3;
      size -= 3;
      len = MIN (len, size);
      if (flags & FLAG_SEAL)
        {
          HnWgSession *session = hn_wg_session_new (&keys, 78, 77, TRUE, now);

          memcpy (session->send_key, keys.receive, 32);
          session->send_counter = counter++;
          memcpy (buffer + HN_WG_HEADROOM, data, len);
          hn_wg_receive (wg, &path, buffer,
                         hn_wg_session_seal (session, buffer + HN_WG_HEADROOM, len), now);
          hn_wg_session_free (session);
        }
      else
        {
          memcpy (buffer, data, len);
          if (flags & FLAG_INDEX && len >= 12)
            {
              guint32 index = flags & FLAG_WAIT ? 77 : peer->handshake.local_index;

              hn_wg_put_le32 (buffer + (buffer[0] == HN_WG_TYPE_RESPONSE ? 8 : 4), index);
            }
          if (flags & FLAG_MAC1 && len > 32)
            hn_mac (mac1_key, 32, buffer, len - 32, buffer + len - 32);
          hn_wg_receive (wg, &path, buffer, len, now);
        }
      data += len;
      size -= len;

      if (flags & FLAG_SEND)
        hn_wg_send (wg, peer, buffer + HN_WG_HEADROOM, 40, now);
      if (flags & FLAG_WAIT)
        {
          now += G_USEC_PER_SEC * (1 + flags % 8);
          hn_wg_tick (wg, now);
        }
    }
  hn_wg_free (wg);
  return 0;
}
