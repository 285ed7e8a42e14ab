/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/hn-http-parser.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/hn-error.h"

#define MAX_FIELDS 100
#define MAX_INTERIM 8
#define MAX_CHUNK_LINE 256

typedef enum
{
  STATE_HEADER,
  STATE_LENGTH,     /* body of known length */
  STATE_TO_END,     /* body up to the end of the stream */
  STATE_CHUNK_SIZE, /* the line in front of a chunk */
  STATE_CHUNK_DATA,
  STATE_CHUNK_END, /* the line break behind a chunk */
  STATE_TRAILER,
  STATE_DONE,
  STATE_FAILED,
} State;

struct _HnHttpParser
{
  State state;
  gboolean head;
  gboolean cut;
  gsize max_body;
  guint interim;

  GString *block; /* header block, later a chunk's line or a trailer's */
  gsize trailer_len;
  guint64 left; /* of the body or the chunk */
  GByteArray *body;
  HnHttpResponse *response;
};

void
hn_http_response_free (HnHttpResponse *response)
{
  if (response == NULL)
    return;
  g_free (response->reason);
  g_clear_pointer (&response->headers, g_hash_table_unref);
  g_clear_pointer (&response->body, g_bytes_unref);
  g_free (response);
}

HnHttpParser *
hn_http_parser_new (gboolean head, gsize max_body, gboolean cut)
{
  HnHttpParser *self = g_new0 (HnHttpParser, 1);

  self->head = head;
  self->max_body = max_body;
  self->cut = cut;
  self->block = g_string_new (NULL);
  self->body = g_byte_array_new ();
  return self;
}

void
hn_http_parser_free (HnHttpParser *self)
{
  if (self == NULL)
    return;
  g_string_free (self->block, TRUE);
  g_byte_array_unref (self->body);
  hn_http_response_free (self->response);
  g_free (self);
}

static gboolean
fail (HnHttpParser *self, GError **error, const char *message)
{
  self->state = STATE_FAILED;
  g_set_error_literal (error, HN_ERROR, HN_ERROR_PROTOCOL, message);
  return FALSE;
}

/* tchar of RFC 9110, section 5.6.2 */
static gboolean
is_token_char (char c)
{
  return g_ascii_isalnum (c) || (c != '\0' && strchr ("!#$%&'*+-.^_`|~", c) != NULL);
}

static gboolean
is_text (const char *text)
{
  for (; *text != '\0'; text++)
    if ((guchar) *text < 0x20 ? *text != '\t' : *text == 0x7f)
      return FALSE;
  return TRUE;
}

static gboolean
parse_status_line (HnHttpParser *self, const char *line)
{
  const char *p = line;

  if (!g_str_has_prefix (p, "HTTP/1.") || (p[7] != '0' && p[7] != '1') || p[8] != ' ')
    return FALSE;
  p += 9;
  if (!g_ascii_isdigit (p[0]) || !g_ascii_isdigit (p[1]) || !g_ascii_isdigit (p[2]) || p[0] == '0'
      || (p[3] != '\0' && p[3] != ' ') || !is_text (p))
    return FALSE;
  self->response->status = (guint) ((p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0'));
  self->response->reason = g_utf8_make_valid (p[3] == ' ' ? p + 4 : "", -1);
  return TRUE;
}

static gboolean
parse_field (HnHttpParser *self, char *line)
{
  char *colon = strchr (line, ':');
  g_autofree char *name = NULL;
  const char *before;
  char *value;

  if (colon == NULL || colon == line || !is_text (line))
    return FALSE;
  for (const char *p = line; p < colon; p++)
    if (!is_token_char (*p))
      return FALSE;
  name = g_ascii_strdown (line, colon - line);
  value = g_strstrip (colon + 1);
  /* Two different lengths are how requests get smuggled; nothing honest sends them. */
  before = g_hash_table_lookup (self->response->headers, name);
  if (before != NULL && g_str_equal (name, "content-length") && !g_str_equal (before, value))
    return FALSE;
  g_hash_table_replace (self->response->headers, g_steal_pointer (&name), g_strdup (value));
  return TRUE;
}

static gboolean
parse_block (HnHttpParser *self)
{
  g_auto (GStrv) lines = NULL;
  guint n;

  g_clear_pointer (&self->response, hn_http_response_free);
  self->response = g_new0 (HnHttpResponse, 1);
  self->response->headers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (strlen (self->block->str) != self->block->len)
    return FALSE;
  g_string_truncate (self->block, self->block->len - 4);
  lines = g_strsplit (self->block->str, "\r\n", -1);
  n = g_strv_length (lines);
  if (n == 0 || n > MAX_FIELDS + 1 || !parse_status_line (self, lines[0]))
    return FALSE;
  for (guint i = 1; i < n; i++)
    if (!parse_field (self, lines[i]))
      return FALSE;
  return TRUE;
}

static gboolean
parse_decimal (const char *text, guint64 *out)
{
  if (!g_ascii_isdigit (*text))
    return FALSE;
  return g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT64, out, NULL);
}

/* The header is complete: what follows it? */
static gboolean
begin_body (HnHttpParser *self, GError **error)
{
  guint status = self->response->status;
  const char *coding = g_hash_table_lookup (self->response->headers, "transfer-encoding");
  const char *length = g_hash_table_lookup (self->response->headers, "content-length");

  if (status >= 100 && status < 200 && status != 101)
    {
      if (++self->interim > MAX_INTERIM)
        return fail (self, error, _ ("The server sends interim answers without end"));
      g_clear_pointer (&self->response, hn_http_response_free);
      g_string_truncate (self->block, 0);
      return TRUE;
    }
  g_string_truncate (self->block, 0);
  if (status == 101 || status == 204 || status == 304 || self->head)
    self->state = STATE_DONE;
  else if (coding != NULL)
    {
      if (g_ascii_strcasecmp (coding, "chunked") != 0)
        return fail (self, error, _ ("The server's answer has an unknown transfer coding"));
      self->state = STATE_CHUNK_SIZE;
    }
  else if (length != NULL)
    {
      if (!parse_decimal (length, &self->left))
        return fail (self, error, _ ("The server's answer has a malformed length"));
      if (self->left > self->max_body && !self->cut)
        return fail (self, error, _ ("The server's answer is too long"));
      self->state = self->left == 0 ? STATE_DONE : STATE_LENGTH;
    }
  else
    self->state = STATE_TO_END;
  return TRUE;
}

static gboolean
feed_header (HnHttpParser *self, const guint8 *data, gsize len, gsize *used, GError **error)
{
  gsize i;

  for (i = 0; i < len; i++)
    {
      GString *block = self->block;

      if (block->len >= HN_HTTP_MAX_HEADER)
        return fail (self, error, _ ("The header of the server's answer is too long"));
      g_string_append_c (block, (char) data[i]);
      /* Say early that it is something else, not after 8 KiB or never. */
      if (block->len <= 5 && block->str[block->len - 1] != "HTTP/"[block->len - 1])
        return fail (self, error, _ ("The server's answer is not HTTP"));
      if (data[i] == '\n' && block->len >= 4
          && memcmp (block->str + block->len - 4, "\r\n\r\n", 4) == 0)
        {
          *used = i + 1;
          if (!parse_block (self))
            {
              g_clear_pointer (&self->response, hn_http_response_free);
              return fail (self, error, _ ("The header of the server's answer is malformed"));
            }
          return begin_body (self, error);
        }
    }
  *used = i;
  return TRUE;
}

static gboolean
feed_body (HnHttpParser *self, const guint8 *data, gsize len, gsize *used, GError **error)
{
  gsize take = self->state == STATE_TO_END ? len : MIN ((guint64) len, self->left);
  gsize room = self->max_body - self->body->len;

  if (take > room)
    {
      if (!self->cut)
        return fail (self, error, _ ("The server's answer is too long"));
      g_byte_array_append (self->body, data, (guint) room);
      self->state = STATE_DONE;
      *used = len;
      return TRUE;
    }
  g_byte_array_append (self->body, data, (guint) take);
  *used = take;
  if (self->state == STATE_TO_END)
    return TRUE;
  self->left -= take;
  if (self->left == 0)
    self->state = self->state == STATE_CHUNK_DATA ? STATE_CHUNK_END : STATE_DONE;
  return TRUE;
}

static gboolean
end_chunk_line (HnHttpParser *self, GError **error)
{
  char *line = self->block->str;
  gsize digits = 0;

  if (self->state == STATE_CHUNK_END)
    {
      if (*line != '\0')
        return fail (self, error, _ ("A chunk of the server's answer has the wrong length"));
      self->state = STATE_CHUNK_SIZE;
      return TRUE;
    }
  if (self->state == STATE_TRAILER)
    {
      if (*line == '\0')
        self->state = STATE_DONE;
      return TRUE;
    }
  while (g_ascii_isxdigit (line[digits]))
    digits++;
  if (digits == 0 || digits > 15
      || (line[digits] != '\0' && line[digits] != ';' && line[digits] != ' '))
    return fail (self, error, _ ("A chunk of the server's answer is malformed"));
  self->left = g_ascii_strtoull (line, NULL, 16);
  self->state = self->left == 0 ? STATE_TRAILER : STATE_CHUNK_DATA;
  return TRUE;
}

static gboolean
feed_chunk_line (HnHttpParser *self, const guint8 *data, gsize len, gsize *used, GError **error)
{
  for (gsize i = 0; i < len; i++)
    {
      if (self->block->len >= MAX_CHUNK_LINE
          || (self->state == STATE_CHUNK_END && data[i] != '\r' && data[i] != '\n')
          || (self->state == STATE_TRAILER && ++self->trailer_len > HN_HTTP_MAX_HEADER))
        return fail (self, error, _ ("A chunk of the server's answer is malformed"));
      if (data[i] != '\n')
        {
          g_string_append_c (self->block, (char) data[i]);
          continue;
        }
      if (self->block->len == 0 || self->block->str[self->block->len - 1] != '\r')
        return fail (self, error, _ ("A chunk of the server's answer is malformed"));
      g_string_truncate (self->block, self->block->len - 1);
      *used = i + 1;
      if (!end_chunk_line (self, error))
        return FALSE;
      g_string_truncate (self->block, 0);
      return TRUE;
    }
  *used = len;
  return TRUE;
}

gboolean
hn_http_parser_feed (HnHttpParser *self, const guint8 *data, gsize len, gsize *used, GError **error)
{
  gsize total = 0;

  *used = 0;
  while (total < len && self->state != STATE_DONE)
    {
      gsize step = 0;
      gboolean ok = FALSE;

      switch (self->state)
        {
        case STATE_HEADER:
          ok = feed_header (self, data + total, len - total, &step, error);
          break;
        case STATE_LENGTH:
        case STATE_TO_END:
        case STATE_CHUNK_DATA:
          ok = feed_body (self, data + total, len - total, &step, error);
          break;
        case STATE_CHUNK_SIZE:
        case STATE_CHUNK_END:
        case STATE_TRAILER:
          ok = feed_chunk_line (self, data + total, len - total, &step, error);
          break;
        case STATE_FAILED:
          return fail (self, error, _ ("The server's answer is malformed"));
        case STATE_DONE:
          g_assert_not_reached ();
        }
      if (!ok)
        return FALSE;
      total += step;
    }
  *used = total;
  return TRUE;
}

gboolean
hn_http_parser_end (HnHttpParser *self, GError **error)
{
  if (self->state == STATE_TO_END)
    self->state = STATE_DONE;
  if (self->state == STATE_DONE)
    return TRUE;
  g_set_error_literal (error, HN_ERROR, HN_ERROR_CONNECTION_LOST,
                       self->state == STATE_HEADER
                           ? _ ("The server closed the connection without an answer")
                           : _ ("The server closed the connection in the middle of its answer"));
  return FALSE;
}

guint
hn_http_parser_get_status (const HnHttpParser *self)
{
  return self->response != NULL ? self->response->status : 0;
}

gboolean
hn_http_parser_is_done (const HnHttpParser *self)
{
  return self->state == STATE_DONE;
}

HnHttpResponse *
hn_http_parser_steal (HnHttpParser *self)
{
  if (self->response == NULL)
    return NULL;
  self->response->body = g_byte_array_free_to_bytes (self->body);
  self->body = g_byte_array_new ();
  return g_steal_pointer (&self->response);
}
