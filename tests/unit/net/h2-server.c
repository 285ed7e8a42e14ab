/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "h2-server.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

struct _H2Server
{
  nghttp2_session *session;
  GHashTable *streams;
  gboolean drop;
  gint32 cut; /* the stream that ends before its answer does; 0 none */
  gint resets;
};

typedef struct
{
  char *path;
  GByteArray *body;
  gsize left; /* of a generated body */
  gsize pos;
  gboolean answered;
} Stream;

static void
stream_free (gpointer data)
{
  Stream *stream = data;

  g_free (stream->path);
  g_byte_array_unref (stream->body);
  g_free (stream);
}

static Stream *
get_stream (H2Server *self, gint32 id)
{
  Stream *stream = g_hash_table_lookup (self->streams, GINT_TO_POINTER (id));

  if (stream == NULL)
    {
      stream = g_new0 (Stream, 1);
      stream->body = g_byte_array_new ();
      g_hash_table_insert (self->streams, GINT_TO_POINTER (id), stream);
    }
  return stream;
}

static ssize_t
on_read (nghttp2_session *session, int32_t id, uint8_t *buffer, size_t len, uint32_t *flags,
         nghttp2_data_source *source, void *data)
{
  Stream *stream = get_stream (data, id);
  gsize n = MIN (len, stream->left);

  if (stream->body->len > 0)
    memcpy (buffer, stream->body->data + stream->pos, n);
  else
    memset (buffer, 'x', n);
  stream->pos += n;
  stream->left -= n;
  if (stream->left == 0)
    *flags |= NGHTTP2_DATA_FLAG_EOF;
  return (ssize_t) n;
}

static nghttp2_nv
pair (const char *name, const char *value)
{
  return (nghttp2_nv){ (uint8_t *) name, (uint8_t *) value, strlen (name), strlen (value), 0 };
}

static void
answer (H2Server *self, gint32 id, const char *status, const char *name, const char *value)
{
  nghttp2_nv fields[]
      = { pair (":status", status), name != NULL ? pair (name, value) : pair ("server", "test") };
  nghttp2_data_provider provider = { .read_callback = on_read };

  nghttp2_submit_response (self->session, id, fields, G_N_ELEMENTS (fields), &provider);
}

static void
set_body (Stream *stream, const char *text)
{
  g_byte_array_set_size (stream->body, 0);
  g_byte_array_append (stream->body, (const guint8 *) text, (guint) strlen (text));
  stream->left = strlen (text);
}

static void
act (H2Server *self, gint32 id, gboolean complete)
{
  Stream *stream = get_stream (self, id);
  const char *path = stream->path != NULL ? stream->path : "";

  if (stream->answered || (!complete && !g_str_equal (path, "/early")))
    return;
  stream->answered = TRUE;
  if (g_str_equal (path, "/echo"))
    {
      stream->left = stream->body->len;
      answer (self, id, "200", NULL, NULL);
    }
  else if (g_str_has_prefix (path, "/big/"))
    {
      stream->left = strtoul (path + 5, NULL, 10);
      answer (self, id, "200", NULL, NULL);
    }
  else if (g_str_has_prefix (path, "/status/"))
    answer (self, id, path + 8, "retry-after", "7");
  else if (g_str_equal (path, "/open") || g_str_equal (path, "/cut"))
    {
      nghttp2_nv field = pair (":status", "200");

      nghttp2_submit_headers (self->session, 0, id, NULL, &field, 1, NULL);
      if (g_str_equal (path, "/cut"))
        self->cut = id;
    }
  else if (g_str_equal (path, "/never"))
    return;
  else if (g_str_equal (path, "/rst"))
    nghttp2_submit_rst_stream (self->session, 0, id, NGHTTP2_INTERNAL_ERROR);
  else if (g_str_equal (path, "/refuse"))
    nghttp2_submit_rst_stream (self->session, 0, id, NGHTTP2_REFUSED_STREAM);
  else if (g_str_equal (path, "/drop"))
    self->drop = TRUE;
  else if (g_str_equal (path, "/fat"))
    {
      g_autofree char *fat = g_strnfill (20 * 1024, 'f');

      answer (self, id, "200", "x-fat", fat);
    }
  else if (g_str_equal (path, "/length"))
    {
      set_body (stream, "hello");
      answer (self, id, "200", "content-length", "10");
    }
  else
    {
      set_body (stream, "hello");
      if (g_str_equal (path, "/interim"))
        {
          nghttp2_nv field = pair (":status", "103");

          nghttp2_submit_headers (self->session, 0, id, NULL, &field, 1, NULL);
        }
      answer (self, id, "200", NULL, NULL);
      if (g_str_equal (path, "/goaway"))
        nghttp2_submit_goaway (self->session, 0, id, NGHTTP2_NO_ERROR, NULL, 0);
    }
}

static int
on_header (nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
           size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *data)
{
  if (name_len == 5 && memcmp (name, ":path", 5) == 0)
    get_stream (data, frame->hd.stream_id)->path = g_strndup ((const char *) value, value_len);
  return 0;
}

static int
on_data (nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len,
         void *data)
{
  g_byte_array_append (get_stream (data, id)->body, bytes, (guint) len);
  return 0;
}

static int
on_frame (nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
  H2Server *self = data;

  if (frame->hd.type == NGHTTP2_RST_STREAM)
    g_atomic_int_inc (&self->resets);
  else if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)
    act (self, frame->hd.stream_id, (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
  return 0;
}

static int
on_close (nghttp2_session *session, int32_t id, uint32_t code, void *data)
{
  g_hash_table_remove (((H2Server *) data)->streams, GINT_TO_POINTER (id));
  return 0;
}

H2Server *
h2_server_new (guint window)
{
  H2Server *self = g_new0 (H2Server, 1);
  nghttp2_settings_entry settings[] = {
    { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window },
  };
  nghttp2_session_callbacks *callbacks;

  self->streams = g_hash_table_new_full (NULL, NULL, NULL, stream_free);
  nghttp2_session_callbacks_new (&callbacks);
  nghttp2_session_callbacks_set_on_header_callback (callbacks, on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback (callbacks, on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback (callbacks, on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback (callbacks, on_close);
  nghttp2_session_server_new (&self->session, callbacks, self);
  nghttp2_session_callbacks_del (callbacks);
  nghttp2_submit_settings (self->session, 0, settings, G_N_ELEMENTS (settings));
  return self;
}

void
h2_server_free (H2Server *self)
{
  nghttp2_session_del (self->session);
  g_hash_table_unref (self->streams);
  g_free (self);
}

static gboolean
collect (H2Server *self, GByteArray *out)
{
  const uint8_t *bytes;
  ssize_t n;

  while ((n = nghttp2_session_mem_send (self->session, &bytes)) > 0)
    g_byte_array_append (out, bytes, (guint) n);
  return n == 0;
}

gboolean
h2_server_feed (H2Server *self, const guint8 *data, gsize len, GByteArray *out)
{
  if (nghttp2_session_mem_recv (self->session, data, len) < 0 || self->drop || !collect (self, out))
    return FALSE;
  if (self->cut == 0)
    return TRUE;
  /* Behind the header, which would not go out any more. */
  nghttp2_submit_rst_stream (self->session, 0, self->cut, NGHTTP2_NO_ERROR);
  self->cut = 0;
  return collect (self, out);
}

guint
h2_server_get_resets (const H2Server *self)
{
  return (guint) g_atomic_int_get (&self->resets);
}
