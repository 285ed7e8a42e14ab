/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-derp-codec.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/hn-bytes.h"
#include "base/hn-error.h"
#include "base/hn-json-reader.h"
#include "base/hn-text.h"

/* A ServerInfo is some tens of bytes; this leaves room for later versions. */
#define MAX_SERVER_INFO 4096

static const guint8 magic[8] = { 'D', 'E', 'R', 'P', 0xf0, 0x9f, 0x94, 0x91 };

/* The letter case of the names is the relay's: only "version" is lower case. */
static const char client_info[] = "{\"version\":2,\"CanAckPings\":true}";

G_STATIC_ASSERT (sizeof client_info - 1 == 32);

static void
put_header (guint8 *out, HnDerpFrameType type, gsize len)
{
  HnWriter writer;

  hn_writer_init (&writer, out, HN_DERP_HEADER_SIZE);
  hn_writer_u8 (&writer, type);
  hn_writer_be32 (&writer, len);
}

HnDerpParseResult
hn_derp_parser_next (HnDerpParser *self, guint8 *data, gsize len, gsize *consumed,
                     HnDerpFrame *frame)
{
  gsize pos = 0;

  for (;;)
    {
      HnReader reader;
      gsize payload;
      gsize n = MIN (self->skip, len - pos);

      self->skip -= n;
      pos += n;
      *consumed = pos;
      if (self->skip > 0 || len - pos < HN_DERP_HEADER_SIZE)
        return HN_DERP_PARSE_MORE;

      hn_reader_init (&reader, data + pos, HN_DERP_HEADER_SIZE);
      frame->type = hn_reader_u8 (&reader);
      payload = hn_reader_be32 (&reader);
      if (payload > HN_DERP_MAX_FRAME)
        return HN_DERP_PARSE_TOO_LARGE;

      if (payload > HN_DERP_MAX_PAYLOAD)
        {
          self->frames++;
          self->skip = payload;
          pos += HN_DERP_HEADER_SIZE;
          continue;
        }

      if (len - pos - HN_DERP_HEADER_SIZE < payload)
        return HN_DERP_PARSE_MORE;

      self->frames++;
      frame->payload = data + pos + HN_DERP_HEADER_SIZE;
      frame->len = payload;
      *consumed = pos + HN_DERP_HEADER_SIZE + payload;
      return HN_DERP_PARSE_FRAME;
    }
}

gboolean
hn_derp_parse_server_key (const HnDerpFrame *frame, HnNodePublic *key)
{
  if (frame->type != HN_DERP_FRAME_SERVER_KEY || frame->len < sizeof magic + HN_KEY_SIZE
      || frame->len > 1024 || memcmp (frame->payload, magic, sizeof magic) != 0)
    return FALSE;

  memcpy (key->bytes, frame->payload + sizeof magic, HN_KEY_SIZE);
  return TRUE;
}

gboolean
hn_derp_parse_packet (const HnDerpFrame *frame, HnNodePublic *source, guint8 **data, gsize *len)
{
  if (frame->type != HN_DERP_FRAME_RECV_PACKET || frame->len < HN_KEY_SIZE)
    return FALSE;

  memcpy (source->bytes, frame->payload, HN_KEY_SIZE);
  *data = frame->payload + HN_KEY_SIZE;
  *len = frame->len - HN_KEY_SIZE;
  return TRUE;
}

gboolean
hn_derp_parse_peer_gone (const HnDerpFrame *frame, HnNodePublic *peer, guint8 *reason)
{
  if (frame->type != HN_DERP_FRAME_PEER_GONE || frame->len < HN_KEY_SIZE)
    return FALSE;

  memcpy (peer->bytes, frame->payload, HN_KEY_SIZE);
  /* Old relays send no reason, which means "disconnected". */
  *reason = frame->len > HN_KEY_SIZE ? frame->payload[HN_KEY_SIZE] : 0;
  return TRUE;
}

gboolean
hn_derp_parse_restarting (const HnDerpFrame *frame, guint32 *reconnect_ms, guint32 *try_for_ms)
{
  HnReader reader;

  hn_reader_init (&reader, frame->payload, frame->len);
  *reconnect_ms = hn_reader_be32 (&reader);
  *try_for_ms = hn_reader_be32 (&reader);
  return frame->type == HN_DERP_FRAME_RESTARTING && hn_reader_ok (&reader);
}

char *
hn_derp_parse_health (const HnDerpFrame *frame)
{
  return hn_text_make_printable (frame->payload, MIN (frame->len, HN_DERP_MAX_HEALTH));
}

static gboolean
read_server_info (const char *text, gsize len, HnDerpServerInfo *info)
{
  HnJsonReader reader;
  char name[64];
  gint64 value;

  hn_json_reader_init (&reader, text, len);
  if (!hn_json_reader_begin_object (&reader))
    return FALSE;

  while (hn_json_reader_next_member (&reader, name, sizeof name))
    {
      if (g_str_equal (name, "version"))
        {
          if (hn_json_reader_int64 (&reader, &value))
            info->version = CLAMP (value, 0, G_MAXINT);
        }
      else if (g_str_equal (name, "TokenBucketBytesPerSecond"))
        {
          if (hn_json_reader_int64 (&reader, &value))
            info->bytes_per_second = MAX (value, 0);
        }
      else if (g_str_equal (name, "TokenBucketBytesBurst"))
        {
          if (hn_json_reader_int64 (&reader, &value))
            info->bytes_burst = MAX (value, 0);
        }
      else
        hn_json_reader_skip (&reader);
    }
  return hn_json_reader_ok (&reader) && hn_json_reader_at_end (&reader);
}

gboolean
hn_derp_parse_server_info (const HnDerpFrame *frame, const guint8 shared[32],
                           HnDerpServerInfo *info, GError **error)
{
  guint8 text[MAX_SERVER_INFO];
  gsize len;

  memset (info, 0, sizeof *info);
  if (frame->len < HN_BOX_NONCE_SIZE + HN_BOX_OVERHEAD
      || frame->len > HN_BOX_NONCE_SIZE + HN_BOX_OVERHEAD + sizeof text)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_PROTOCOL, _ ("The relay's ServerInfo has %u bytes"),
                   (guint) frame->len);
      return FALSE;
    }

  len = frame->len - HN_BOX_NONCE_SIZE - HN_BOX_OVERHEAD;
  if (!hn_box_open (shared, frame->payload, frame->payload + HN_BOX_NONCE_SIZE,
                    frame->len - HN_BOX_NONCE_SIZE, text))
    {
      g_set_error_literal (error, HN_ERROR, HN_ERROR_PROTOCOL,
                           _ ("The relay's ServerInfo does not decrypt with the key it showed"));
      return FALSE;
    }

  if (!read_server_info ((const char *) text, len, info))
    {
      g_set_error_literal (error, HN_ERROR, HN_ERROR_PROTOCOL,
                           _ ("The relay's ServerInfo is not the JSON it should be"));
      return FALSE;
    }
  return TRUE;
}

gsize
hn_derp_build_client_info (guint8 out[HN_DERP_CLIENT_INFO_SIZE], const HnNodePublic *client,
                           const guint8 shared[32], const guint8 nonce[HN_BOX_NONCE_SIZE])
{
  guint8 *p = out;

  put_header (p, HN_DERP_FRAME_CLIENT_INFO, HN_DERP_CLIENT_INFO_SIZE - HN_DERP_HEADER_SIZE);
  p += HN_DERP_HEADER_SIZE;
  memcpy (p, client->bytes, HN_KEY_SIZE);
  p += HN_KEY_SIZE;
  memcpy (p, nonce, HN_BOX_NONCE_SIZE);
  p += HN_BOX_NONCE_SIZE;
  hn_box_seal (shared, nonce, client_info, sizeof client_info - 1, p);
  return HN_DERP_CLIENT_INFO_SIZE;
}

gsize
hn_derp_build_note_preferred (guint8 out[HN_DERP_HEADER_SIZE + 1], gboolean preferred)
{
  put_header (out, HN_DERP_FRAME_NOTE_PREFERRED, 1);
  out[HN_DERP_HEADER_SIZE] = preferred ? 1 : 0;
  return HN_DERP_HEADER_SIZE + 1;
}

gsize
hn_derp_build_ping (guint8 out[HN_DERP_HEADER_SIZE + HN_DERP_PING_SIZE], HnDerpFrameType type,
                    const guint8 payload[HN_DERP_PING_SIZE])
{
  put_header (out, type, HN_DERP_PING_SIZE);
  memcpy (out + HN_DERP_HEADER_SIZE, payload, HN_DERP_PING_SIZE);
  return HN_DERP_HEADER_SIZE + HN_DERP_PING_SIZE;
}

void
hn_derp_build_packet_header (guint8 out[HN_DERP_PACKET_HEADER_SIZE], const HnNodePublic *peer,
                             gsize len)
{
  put_header (out, HN_DERP_FRAME_SEND_PACKET, HN_KEY_SIZE + len);
  memcpy (out + HN_DERP_HEADER_SIZE, peer->bytes, HN_KEY_SIZE);
}

void
hn_derp_limiter_init (HnDerpLimiter *self, gint64 rate, gint64 burst, gint64 now_us)
{
  /* Bounded so that nothing below can overflow. A burst that no packet fits into would silence us
   * for good. */
  self->rate = CLAMP (rate, 0, G_GINT64_CONSTANT (1) << 40);
  self->burst = G_USEC_PER_SEC
                * CLAMP (burst, HN_DERP_PACKET_HEADER_SIZE + HN_DERP_MAX_PACKET,
                         G_GINT64_CONSTANT (1) << 40);
  self->tokens = self->burst;
  self->filled_us = now_us;
}

gboolean
hn_derp_limiter_take (HnDerpLimiter *self, gsize bytes, gint64 now_us)
{
  gint64 missing_us;

  if (self->rate == 0)
    return TRUE;

  missing_us = (self->burst - self->tokens) / self->rate + 1;
  self->tokens += self->rate * CLAMP (now_us - self->filled_us, 0, missing_us);
  self->tokens = MIN (self->tokens, self->burst);
  self->filled_us = now_us;
  if (self->tokens < (gint64) bytes * G_USEC_PER_SEC)
    return FALSE;

  self->tokens -= (gint64) bytes * G_USEC_PER_SEC;
  return TRUE;
}
