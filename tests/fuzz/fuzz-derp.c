/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a relay may send. The first byte chooses how far the login is done for it (0: nothing, 1: the
 * relay's key was shown, 2: and ServerInfo, whose JSON is what stands up to the next zero byte); the
 * second the size of the pieces; the rest is the stream.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "crypto/hn-crypto.h"
#include "path/hn-derp-session.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
on_ready (gpointer user)
{
}

static void
on_packet (gpointer user, const HnNodePublic *source, guint8 *data, gsize len)
{
  g_assert (len <= HN_DERP_MAX_PACKET);
  memset (data - HN_DERP_ROOM, 0xdd, HN_DERP_ROOM + len + HN_DERP_ROOM);
  hn_derp_session_send (*(HnDerpSession **) user, source, data, len, 0);
}

static void
on_peer_gone (gpointer user, const HnNodePublic *peer)
{
}

static void
on_health (gpointer user, const char *text)
{
  g_assert (g_utf8_validate (text, -1, NULL));
}

static const HnDerpSessionOps ops = { on_ready, on_packet, on_peer_gone, on_health };

static gboolean
feed (HnDerpSession *session, const uint8_t *data, size_t size, size_t step)
{
  while (size > 0)
    {
      gsize space_len, len;
      guint8 *space = hn_derp_session_get_space (session, &space_len);
      gsize n = MIN (MIN (size, step), space_len);

      g_assert (space_len >= 16384);
      memcpy (space, data, n);
      if (!hn_derp_session_received (session, n, 1, NULL))
        return FALSE;
      /* Written in part only, as a slow stream would. */
      if (hn_derp_session_get_write (session, 1, &len) != NULL)
        hn_derp_session_wrote (session, (len + 1) / 2);
      data += n;
      size -= n;
    }
  return TRUE;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const guint8 server_private[32] = { 8, 1, 2, 3, [31] = 0x41 };
  HnNodePrivate key = { { 16, 3, 2, 1, [31] = 0x42 } };
  g_autoptr (HnDerpSession) session = NULL;
  guint8 frame[4096] = { 0x01, 0, 0, 0, 40, 'D', 'E', 'R', 'P', 0xf0, 0x9f, 0x94, 0x91 };
  gboolean running = TRUE;
  size_t step;

  if (size < 2 || !hn_crypto_init (NULL))
    return 0;

  session = hn_derp_session_new (&key, TRUE, &ops, &session);
  hn_derp_session_start (session, 0);
  step = 1 + data[1] * 64;
  hn_x25519_base (server_private, frame + 13);
  if (data[0] >= 1)
    running = feed (session, frame, 45, 45);
  if (data[0] >= 2)
    {
      const uint8_t *end = memchr (data + 2, 0, size - 2);
      size_t len = MIN (end != NULL ? (size_t) (end - data - 2) : size - 2, 2048);
      HnNodePublic client;
      guint8 shared[32];

      hn_node_private_get_public (&key, &client);
      if (!hn_box_precompute (server_private, client.bytes, shared))
        return 0;
      frame[0] = 0x03;
      frame[3] = (24 + 16 + len) >> 8 & 0xff;
      frame[4] = (24 + 16 + len) & 0xff;
      memset (frame + 5, 7, 24);
      hn_box_seal (shared, frame + 5, data + 2, len, frame + 29);
      running = feed (session, frame, 5 + 24 + 16 + len, step);
      len += end != NULL && len == (size_t) (end - data - 2) ? 1 : 0;
      data += len;
      size -= len;
    }
  if (running)
    feed (session, data + 2, size - 2, step);
  hn_derp_session_check (session, 200 * G_USEC_PER_SEC, NULL);
  return 0;
}
