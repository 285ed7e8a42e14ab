/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-disco-codec.h"

#include <string.h>

#include "base/hn-bytes.h"

#define MIN_MESSAGE 2 /* type and version */

static const guint8 magic[6] = { 0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac };

gboolean
hn_disco_is_packet (const guint8 *data, gsize len)
{
  return len >= HN_DISCO_OVERHEAD + MIN_MESSAGE && memcmp (data, magic, sizeof magic) == 0;
}

void
hn_disco_get_sender (const guint8 *data, HnDiscoPublic *out)
{
  memcpy (out->bytes, data + sizeof magic, sizeof out->bytes);
}

static void
put_endpoint (guint8 *out, const HnEndpoint *endpoint)
{
  memset (out, 0, HN_DISCO_ENDPOINT_SIZE);
  if (endpoint->ip.family == 4)
    {
      out[10] = out[11] = 0xff;
      memcpy (out + 12, endpoint->ip.bytes, 4);
    }
  else
    memcpy (out, endpoint->ip.bytes, 16);
  out[16] = endpoint->port >> 8;
  out[17] = endpoint->port & 0xff;
}

static void
get_endpoint (const guint8 *data, HnEndpoint *out)
{
  memset (out, 0, sizeof *out);
  out->ip = hn_ip_from_bytes (data, 16);
  out->port = (guint16) (data[16] << 8 | data[17]);
}

gsize
hn_disco_build_ping (guint8 out[HN_DISCO_PING_SIZE], const guint8 *tx_id, const HnNodePublic *node)
{
  out[0] = HN_DISCO_PING;
  out[1] = 0;
  memcpy (out + 2, tx_id, HN_DISCO_TX_ID_SIZE);
  memcpy (out + 2 + HN_DISCO_TX_ID_SIZE, node->bytes, sizeof node->bytes);
  return HN_DISCO_PING_SIZE;
}

gsize
hn_disco_build_pong (guint8 out[HN_DISCO_PONG_SIZE], const guint8 *tx_id, const HnEndpoint *source)
{
  out[0] = HN_DISCO_PONG;
  out[1] = 0;
  memcpy (out + 2, tx_id, HN_DISCO_TX_ID_SIZE);
  put_endpoint (out + 2 + HN_DISCO_TX_ID_SIZE, source);
  return HN_DISCO_PONG_SIZE;
}

gsize
hn_disco_build_call_me_maybe (guint8 *out, const HnEndpoint *endpoints, gsize n)
{
  out[0] = HN_DISCO_CALL_ME_MAYBE;
  out[1] = 0;
  for (gsize i = 0; i < n; i++)
    put_endpoint (out + 2 + i * HN_DISCO_ENDPOINT_SIZE, &endpoints[i]);
  return 2 + n * HN_DISCO_ENDPOINT_SIZE;
}

gsize
hn_disco_seal (const HnDiscoPublic *sender, const guint8 shared[32],
               const guint8 nonce[HN_BOX_NONCE_SIZE], const guint8 *message, gsize len, guint8 *out)
{
  memcpy (out, magic, sizeof magic);
  memcpy (out + sizeof magic, sender->bytes, sizeof sender->bytes);
  memcpy (out + sizeof magic + sizeof sender->bytes, nonce, HN_BOX_NONCE_SIZE);
  hn_box_seal (shared, nonce, message, len, out + HN_DISCO_HEADER_SIZE);
  return HN_DISCO_OVERHEAD + len;
}

gboolean
hn_disco_open (const guint8 shared[32], guint8 *data, gsize len, const guint8 **message,
               gsize *message_len)
{
  guint8 *out = data + HN_DISCO_OVERHEAD;

  if (!hn_disco_is_packet (data, len)
      || !hn_box_open (shared, data + HN_DISCO_HEADER_SIZE - HN_BOX_NONCE_SIZE,
                       data + HN_DISCO_HEADER_SIZE, len - HN_DISCO_HEADER_SIZE, out))
    return FALSE;
  *message = out;
  *message_len = len - HN_DISCO_OVERHEAD;
  return TRUE;
}

gboolean
hn_disco_parse (const guint8 *message, gsize len, HnDiscoMessage *out)
{
  HnReader reader;
  const guint8 *endpoint;
  guint8 version;

  memset (out, 0, sizeof *out);
  hn_reader_init (&reader, message, len);
  out->type = hn_reader_u8 (&reader);
  version = hn_reader_u8 (&reader);
  switch (out->type)
    {
    /* What follows in later versions of these two is ignored, as upstream does. */
    case HN_DISCO_PING:
      hn_reader_copy (&reader, out->tx_id, sizeof out->tx_id);
      if (hn_reader_left (&reader) >= sizeof out->node.bytes)
        hn_reader_copy (&reader, out->node.bytes, sizeof out->node.bytes);
      break;
    case HN_DISCO_PONG:
      hn_reader_copy (&reader, out->tx_id, sizeof out->tx_id);
      endpoint = hn_reader_take (&reader, HN_DISCO_ENDPOINT_SIZE);
      if (endpoint != NULL)
        get_endpoint (endpoint, &out->source);
      break;
    case HN_DISCO_CALL_ME_MAYBE:
      /* A list that is not understood must not count as an empty one, which takes endpoints back. */
      if (version != 0 || hn_reader_left (&reader) % HN_DISCO_ENDPOINT_SIZE != 0)
        return FALSE;
      out->n_endpoints = hn_reader_left (&reader) / HN_DISCO_ENDPOINT_SIZE;
      out->endpoints = hn_reader_take (&reader, hn_reader_left (&reader));
      break;
    default:
      break;
    }
  return hn_reader_ok (&reader);
}

void
hn_disco_get_endpoint (const HnDiscoMessage *message, gsize i, HnEndpoint *out)
{
  g_assert (i < message->n_endpoints);
  get_endpoint (message->endpoints + i * HN_DISCO_ENDPOINT_SIZE, out);
}
