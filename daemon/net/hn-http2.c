/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/hn-http2.h"

#include <glib/gi18n.h>
#include <nghttp2/nghttp2.h>
#include <string.h>

#include "base/hn-error.h"
#include "base/hn-secret.h"
#include "base/hn-source.h"
#include "net/hn-http2-private.h"

#define STREAM_WINDOW (4 * 1024 * 1024)
#define CONNECTION_WINDOW (16 * 1024 * 1024)
#define MAX_HEADER_LIST (16 * 1024)
#define MAX_REQUEST_HEADERS 32
#define READ_SIZE (16 * 1024)
#define WRITE_BATCH (64 * 1024)
/* A batch and the frame that fills it up: the array never moves and leaves nothing unwiped behind. */
#define WRITE_ROOM (2 * WRITE_BATCH)
#define CLOSE_TIMEOUT_MS 1000

/*
 * The stream and the operations on it. A pending operation can not be taken back at once, so it holds
 * this and not the session, which may be gone when it ends.
 */
typedef struct
{
  grefcount refs;
  HnHttp2 *owner; /* NULL once the session is dead */
  GIOStream *stream;
  GCancellable *cancellable;
  GMainContext *context;
  GByteArray *out; /* what is being written */
  gboolean reading;
  gboolean writing;
  gboolean closing;
  GCancellable *close_cancellable;
  GSource *close_timer;
  guint8 in[READ_SIZE];
} Io;

struct _HnHttp2
{
  GObject parent_instance;

  Io *io;
  nghttp2_session *session;
  char *authority;
  GHashTable *requests; /* stream id -> HnHttp2Request, owned */
  GSource *flush_source;
  guint64 received;  /* bytes */
  GError *reason;    /* why no further request is taken, as the server said */
  gboolean closed;   /* no new requests */
  gboolean dead;     /* no I/O, no requests */
  gboolean notified; /* "closed" was emitted */
  guint busy;        /* inside nghttp2, which must not be entered again nor freed */
};

struct _HnHttp2Request
{
  HnHttp2 *http2; /* not owned: the session ends its requests before it goes */
  gint32 id;
  HnHttp2StreamOps ops;
  gpointer user;
  GBytes *body;
  gsize body_pos;
  guint status;
  guint retry_after_s;
  gsize header_bytes;
  gboolean got_headers;
  gboolean ended;
};

enum
{
  SIGNAL_CLOSED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (HnHttp2, hn_http2, G_TYPE_OBJECT)

static void pump (HnHttp2 *self);
static void start_read (Io *io);

/* The stream */

static Io *
io_ref (Io *io)
{
  g_ref_count_inc (&io->refs);
  return io;
}

static void
io_unref (Io *io)
{
  if (!g_ref_count_dec (&io->refs))
    return;
  hn_source_clear (&io->close_timer);
  g_clear_object (&io->close_cancellable);
  g_clear_object (&io->stream);
  g_clear_object (&io->cancellable);
  g_clear_pointer (&io->context, g_main_context_unref);
  g_byte_array_unref (io->out);
  g_free (io);
}

static void
on_stream_closed (GObject *source, GAsyncResult *result, gpointer data)
{
  Io *io = data;
  g_autoptr (GError) error = NULL;

  if (!g_io_stream_close_finish (G_IO_STREAM (source), result, &error))
    g_debug ("closing the connection: %s", error->message);
  hn_source_clear (&io->close_timer);
  io_unref (io);
}

static gboolean
on_close_timeout (gpointer data)
{
  Io *io = data;

  g_cancellable_cancel (io->close_cancellable);
  return G_SOURCE_REMOVE;
}

/* Closes the stream once nothing is pending on it. A TLS goodbye must not wait for a dead peer. */
static void
io_close_when_idle (Io *io)
{
  if (io->reading || io->writing || io->closing)
    return;
  io->closing = TRUE;
  io->close_cancellable = g_cancellable_new ();
  io->close_timer = g_timeout_source_new (CLOSE_TIMEOUT_MS);
  g_source_set_callback (io->close_timer, on_close_timeout, io, NULL);
  g_source_attach (io->close_timer, io->context);
  g_io_stream_close_async (io->stream, G_PRIORITY_DEFAULT, io->close_cancellable, on_stream_closed,
                           io_ref (io));
}

/* Requests */

static void
request_free (gpointer data)
{
  HnHttp2Request *request = data;

  g_clear_pointer (&request->body, g_bytes_unref);
  g_free (request);
}

static HnHttp2Request *
find_request (HnHttp2 *self, gint32 id)
{
  return g_hash_table_lookup (self->requests, GINT_TO_POINTER (id));
}

/* Takes the request out of the table first: its callback may do anything. */
static void
end_request (HnHttp2Request *request, const GError *error)
{
  g_hash_table_steal (request->http2->requests, GINT_TO_POINTER (request->id));
  request->ended = TRUE;
  if (request->ops.end != NULL)
    request->ops.end (request->user, error);
  request_free (request);
}

static void
notify_closed (HnHttp2 *self, const GError *error)
{
  self->closed = TRUE;
  if (self->notified)
    return;
  self->notified = TRUE;
  g_signal_emit (self, signals[SIGNAL_CLOSED], 0, error);
}

/* Ends it all. @by_owner: nobody has to be told. */
static void
die (HnHttp2 *self, const GError *error, gboolean by_owner)
{
  g_autoptr (GError) cause = NULL;
  GHashTableIter iter;
  gpointer value;

  if (self->dead)
    return;
  g_object_ref (self);
  /* The caller's error may belong to a request that ends here. */
  cause = error != NULL
              ? g_error_copy (error)
              : g_error_new (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The connection was closed"));
  self->dead = TRUE;
  self->closed = TRUE;
  if (by_owner)
    self->notified = TRUE;
  hn_source_clear (&self->flush_source);
  self->io->owner = NULL;
  g_cancellable_cancel (self->io->cancellable);
  io_close_when_idle (self->io);

  for (;;)
    {
      g_hash_table_iter_init (&iter, self->requests);
      if (!g_hash_table_iter_next (&iter, NULL, &value))
        break;
      end_request (value, cause);
    }
  notify_closed (self, cause);
  g_object_unref (self);
}

static gboolean
on_flush (gpointer data)
{
  HnHttp2 *self = data;

  hn_source_clear (&self->flush_source);
  pump (self);
  return G_SOURCE_REMOVE;
}

/* What callers ask for goes out in the next turn of the loop, together, and never while they are
 * still on the stack. */
static void
schedule_flush (HnHttp2 *self)
{
  if (self->dead || self->busy > 0 || self->flush_source != NULL)
    return;
  self->flush_source = g_idle_source_new ();
  g_source_set_priority (self->flush_source, G_PRIORITY_DEFAULT);
  g_source_set_callback (self->flush_source, on_flush, self, NULL);
  g_source_attach (self->flush_source, self->io->context);
}

static void
reset_stream (HnHttp2 *self, gint32 id)
{
  nghttp2_submit_rst_stream (self->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
  schedule_flush (self);
}

void
hn_http2_request_cancel (HnHttp2Request *request)
{
  HnHttp2 *self = request->http2;

  if (request->ended)
    return;
  g_hash_table_steal (self->requests, GINT_TO_POINTER (request->id));
  if (!self->dead)
    reset_stream (self, request->id);
  request_free (request);
}

/* nghttp2's callbacks. Each looks its request up by number: it may be gone. */

/* What a callback of the library says when an owner's callback ended the session. */
static int
go_on (HnHttp2 *self)
{
  return self->dead ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int
on_begin_headers (nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
  HnHttp2 *self = data;
  HnHttp2Request *request = find_request (self, frame->hd.stream_id);

  if (request != NULL)
    {
      if (!request->got_headers)
        request->status = 0;
      request->header_bytes = 0;
    }
  return 0;
}

static guint
parse_number (const guint8 *value, gsize len)
{
  guint number = 0;

  if (len == 0 || len > 8)
    return 0;
  for (gsize i = 0; i < len; i++)
    {
      if (!g_ascii_isdigit (value[i]))
        return 0;
      number = number * 10 + (guint) (value[i] - '0');
    }
  return number;
}

static int
on_header (nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
           size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *data)
{
  HnHttp2Request *request = find_request (data, frame->hd.stream_id);

  if (request == NULL || frame->hd.type != NGHTTP2_HEADERS)
    return 0;
  /* As HTTP/2 counts it (RFC 9113, 6.5.2). */
  request->header_bytes += name_len + value_len + 32;
  if (request->header_bytes > MAX_HEADER_LIST)
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  if (request->got_headers)
    return 0;
  if (name_len == 7 && memcmp (name, ":status", 7) == 0)
    request->status = parse_number (value, value_len);
  else if (name_len == 11 && memcmp (name, "retry-after", 11) == 0)
    request->retry_after_s = parse_number (value, value_len);
  return 0;
}

static int
on_data_chunk (nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
               size_t len, void *data)
{
  HnHttp2 *self = data;
  HnHttp2Request *request = find_request (self, id);

  if (request != NULL && request->ops.data != NULL
      && !request->ops.data (request->user, bytes, len))
    {
      request = find_request (self, id);
      if (request != NULL)
        hn_http2_request_cancel (request);
    }
  return go_on (self);
}

/* The whole answer is there. What of our body has not gone out is of no use any more. */
static void
end_of_answer (HnHttp2 *self, HnHttp2Request *request)
{
  gint32 id = request->id;

  if (request->body != NULL && request->body_pos < g_bytes_get_size (request->body))
    reset_stream (self, id);
  end_request (request, NULL);
}

static void
on_goaway (HnHttp2 *self, const nghttp2_goaway *goaway)
{
  if (self->reason == NULL)
    self->reason = g_error_new (HN_ERROR, HN_ERROR_CONNECTION_LOST,
                                _ ("The server is closing the connection (%s)"),
                                nghttp2_http2_strerror (goaway->error_code));
  notify_closed (self, self->reason);
}

static int
on_frame (nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
  HnHttp2 *self = data;
  gint32 id = frame->hd.stream_id;
  HnHttp2Request *request;

  if (frame->hd.type == NGHTTP2_GOAWAY)
    {
      on_goaway (self, &frame->goaway);
      return go_on (self);
    }
  if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
    return 0;
  request = find_request (self, id);
  if (request == NULL)
    return 0;
  /* 1xx are interim: the real header follows. */
  if (frame->hd.type == NGHTTP2_HEADERS && !request->got_headers && request->status >= 200)
    {
      request->got_headers = TRUE;
      if (request->ops.headers != NULL && !request->ops.headers (request->user, request->status))
        {
          request = find_request (self, id);
          if (request != NULL)
            hn_http2_request_cancel (request);
          return go_on (self);
        }
      request = find_request (self, id);
    }
  if (request != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && request->got_headers)
    end_of_answer (self, request);
  return go_on (self);
}

static GError *
stream_error (guint32 code)
{
  switch (code)
    {
    case NGHTTP2_PROTOCOL_ERROR:
    case NGHTTP2_INTERNAL_ERROR:
    case NGHTTP2_FLOW_CONTROL_ERROR:
    case NGHTTP2_STREAM_CLOSED:
    case NGHTTP2_FRAME_SIZE_ERROR:
    case NGHTTP2_COMPRESSION_ERROR:
      return g_error_new (HN_ERROR, HN_ERROR_PROTOCOL, _ ("The request failed in HTTP/2 (%s)"),
                          nghttp2_http2_strerror (code));
    case NGHTTP2_REFUSED_STREAM:
      return g_error_new (HN_ERROR, HN_ERROR_CONNECTION_LOST,
                          _ ("The server does not take this request now"));
    default:
      return g_error_new (HN_ERROR, HN_ERROR_CONNECTION_LOST,
                          _ ("The server ended the request (%s)"), nghttp2_http2_strerror (code));
    }
}

static int
on_stream_close (nghttp2_session *session, int32_t id, uint32_t code, void *data)
{
  HnHttp2 *self = data;
  HnHttp2Request *request = find_request (self, id);
  g_autoptr (GError) error = NULL;

  if (request == NULL)
    return 0;
  /* Whoever has his whole answer is not here any more: this is no end of one, even without a reason. */
  error = stream_error (code);
  end_request (request, error);
  return go_on (self);
}

/* A request that never went out, because the connection is on its way down. */
static int
on_frame_not_sent (nghttp2_session *session, const nghttp2_frame *frame, int code, void *data)
{
  HnHttp2 *self = data;
  HnHttp2Request *request;

  if (frame->hd.type != NGHTTP2_HEADERS)
    return 0;
  request = find_request (self, frame->hd.stream_id);
  if (request != NULL)
    {
      g_autoptr (GError) error
          = g_error_new (HN_ERROR, HN_ERROR_CONNECTION_LOST, _ ("The request was not sent (%s)"),
                         nghttp2_strerror (code));

      end_request (request, error);
    }
  return go_on (self);
}

static ssize_t
on_read_body (nghttp2_session *session, int32_t id, uint8_t *buffer, size_t len, uint32_t *flags,
              nghttp2_data_source *source, void *data)
{
  HnHttp2Request *request = find_request (data, id);
  const guint8 *bytes;
  gsize size, n;

  if (request == NULL)
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  bytes = g_bytes_get_data (request->body, &size);
  n = MIN (len, size - request->body_pos);
  memcpy (buffer, bytes + request->body_pos, n);
  request->body_pos += n;
  if (request->body_pos == size)
    *flags |= NGHTTP2_DATA_FLAG_EOF;
  return (ssize_t) n;
}

/* Moving bytes */

static void
on_written (GObject *source, GAsyncResult *result, gpointer data)
{
  Io *io = data;
  HnHttp2 *self = io->owner;
  g_autoptr (GError) error = NULL;
  gboolean done = g_output_stream_write_all_finish (G_OUTPUT_STREAM (source), result, NULL, &error);

  io->writing = FALSE;
  hn_wipe (io->out->data, io->out->len); /* a request may have held a pre-auth key */
  g_byte_array_set_size (io->out, 0);
  if (self == NULL)
    io_close_when_idle (io);
  else if (done)
    pump (self);
  else
    {
      g_autoptr (GError) lost
          = g_error_new (HN_ERROR, HN_ERROR_CONNECTION_LOST,
                         _ ("The connection to the server broke: %s"), error->message);

      die (self, lost, FALSE);
    }
  io_unref (io);
}

/* Collects what nghttp2 has to say. FALSE when the session died over it. */
static gboolean
collect_output (HnHttp2 *self)
{
  GByteArray *out = self->io->out;

  while (out->len < WRITE_BATCH)
    {
      const uint8_t *bytes = NULL;
      ssize_t n;

      self->busy++;
      n = nghttp2_session_mem_send (self->session, &bytes);
      self->busy--;
      if (self->dead)
        return FALSE;
      if (n < 0)
        {
          g_autoptr (GError) error
              = g_error_new (HN_ERROR, HN_ERROR_PROTOCOL, _ ("HTTP/2 with the server failed: %s"),
                             nghttp2_strerror ((int) n));

          die (self, error, FALSE);
          return FALSE;
        }
      if (n == 0)
        return TRUE;
      g_byte_array_append (out, bytes, (guint) n);
    }
  return TRUE;
}

/* One write at a time; what comes up meanwhile goes with the next. */
static void
pump (HnHttp2 *self)
{
  Io *io = self->io;

  if (self->dead || self->busy > 0 || io->writing)
    return;
  g_object_ref (self);
  if (collect_output (self))
    {
      if (io->out->len > 0)
        {
          io->writing = TRUE;
          g_output_stream_write_all_async (g_io_stream_get_output_stream (io->stream),
                                           io->out->data, io->out->len, G_PRIORITY_DEFAULT,
                                           io->cancellable, on_written, io_ref (io));
        }
      else if (!nghttp2_session_want_read (self->session)
               && !nghttp2_session_want_write (self->session))
        {
          g_autoptr (GError) error = self->reason != NULL
                                         ? g_error_copy (self->reason)
                                         : g_error_new (HN_ERROR, HN_ERROR_PROTOCOL,
                                                        _ ("The server's HTTP/2 is malformed"));

          die (self, error, FALSE);
        }
    }
  g_object_unref (self);
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer data)
{
  Io *io = data;
  g_autoptr (HnHttp2) self = io->owner != NULL ? g_object_ref (io->owner) : NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) lost = NULL;
  gssize n = g_input_stream_read_finish (G_INPUT_STREAM (source), result, &error);

  io->reading = FALSE;
  if (self == NULL)
    io_close_when_idle (io);
  else if (n > 0)
    {
      ssize_t used;

      self->received += (guint64) n;
      self->busy++;
      used = nghttp2_session_mem_recv (self->session, io->in, (size_t) n);
      self->busy--;
      if (!self->dead && used < 0)
        {
          lost = g_error_new (HN_ERROR, HN_ERROR_PROTOCOL,
                              _ ("The server's HTTP/2 is malformed: %s"),
                              nghttp2_strerror ((int) used));
          die (self, lost, FALSE);
        }
      pump (self);
      if (!self->dead)
        start_read (io);
      else
        io_close_when_idle (io);
    }
  else
    {
      if (n == 0)
        lost = self->reason != NULL ? g_error_copy (self->reason)
                                    : g_error_new (HN_ERROR, HN_ERROR_CONNECTION_LOST,
                                                   _ ("The server closed the connection"));
      else if (error->domain == HN_ERROR)
        lost = g_error_copy (error);
      else
        lost = g_error_new (HN_ERROR, HN_ERROR_CONNECTION_LOST,
                            _ ("The connection to the server broke: %s"), error->message);
      die (self, lost, FALSE);
    }
  io_unref (io);
}

static void
start_read (Io *io)
{
  io->reading = TRUE;
  g_input_stream_read_async (g_io_stream_get_input_stream (io->stream), io->in, sizeof io->in,
                             G_PRIORITY_DEFAULT, io->cancellable, on_read, io_ref (io));
}

/* The object */

gboolean
hn_http2_is_open (HnHttp2 *self)
{
  return !self->closed;
}

void
hn_http2_close (HnHttp2 *self, const GError *error)
{
  g_return_if_fail (HN_IS_HTTP2 (self));
  die (self, error, TRUE);
}

void
hn_http2_ping (HnHttp2 *self)
{
  g_return_if_fail (HN_IS_HTTP2 (self));
  if (self->dead)
    return;
  nghttp2_submit_ping (self->session, NGHTTP2_FLAG_NONE, NULL);
  schedule_flush (self);
}

guint64
hn_http2_get_received (HnHttp2 *self)
{
  g_return_val_if_fail (HN_IS_HTTP2 (self), 0);
  return self->received;
}

static nghttp2_nv
pair (const char *name, const char *value)
{
  return (nghttp2_nv){
    .name = (uint8_t *) name,
    .value = (uint8_t *) value,
    .namelen = strlen (name),
    .valuelen = strlen (value),
    .flags = NGHTTP2_NV_FLAG_NONE,
  };
}

HnHttp2Request *
hn_http2_request_stream (HnHttp2 *self, const char *method, const char *path,
                         const char *const *headers, GBytes *body, const HnHttp2StreamOps *ops,
                         gpointer user)
{
  nghttp2_nv fields[MAX_REQUEST_HEADERS];
  nghttp2_data_provider provider = { .read_callback = on_read_body };
  char length[24];
  gsize n = 0;
  HnHttp2Request *request;
  gint32 id;

  g_return_val_if_fail (HN_IS_HTTP2 (self), NULL);
  if (self->closed)
    return NULL;
  fields[n++] = pair (":method", method);
  fields[n++] = pair (":scheme", "https");
  fields[n++] = pair (":authority", self->authority);
  fields[n++] = pair (":path", path);
  if (body != NULL)
    {
      g_snprintf (length, sizeof length, "%" G_GSIZE_FORMAT, g_bytes_get_size (body));
      fields[n++] = pair ("content-length", length);
    }
  for (; headers != NULL && headers[0] != NULL; headers += 2)
    {
      g_return_val_if_fail (n < MAX_REQUEST_HEADERS, NULL);
      fields[n++] = pair (headers[0], headers[1]);
    }

  id = nghttp2_submit_request (self->session, NULL, fields, n, body != NULL ? &provider : NULL,
                               NULL);
  if (id < 0)
    {
      /* Out of stream numbers, or out of memory: this connection has had its time. */
      g_debug ("no further request: %s", nghttp2_strerror (id));
      self->closed = TRUE;
      return NULL;
    }
  request = g_new0 (HnHttp2Request, 1);
  request->http2 = self;
  request->id = id;
  request->ops = *ops;
  request->user = user;
  request->body = body != NULL ? g_bytes_ref (body) : NULL;
  g_hash_table_insert (self->requests, GINT_TO_POINTER (id), request);
  schedule_flush (self);
  return request;
}

guint
hn_http2_request_get_retry_after (const HnHttp2Request *request)
{
  return request->retry_after_s;
}

static void
hn_http2_dispose (GObject *object)
{
  HnHttp2 *self = HN_HTTP2 (object);

  if (self->io != NULL)
    die (self, NULL, TRUE);
  G_OBJECT_CLASS (hn_http2_parent_class)->dispose (object);
}

static void
hn_http2_finalize (GObject *object)
{
  HnHttp2 *self = HN_HTTP2 (object);

  g_clear_pointer (&self->session, nghttp2_session_del);
  g_clear_pointer (&self->io, io_unref);
  g_clear_pointer (&self->requests, g_hash_table_unref);
  g_clear_pointer (&self->authority, g_free);
  g_clear_error (&self->reason);
  G_OBJECT_CLASS (hn_http2_parent_class)->finalize (object);
}

static void
hn_http2_class_init (HnHttp2Class *klass)
{
  GObjectClass *object = G_OBJECT_CLASS (klass);

  object->dispose = hn_http2_dispose;
  object->finalize = hn_http2_finalize;
  signals[SIGNAL_CLOSED] = g_signal_new ("closed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0,
                                         NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_ERROR);
}

static void
hn_http2_init (HnHttp2 *self)
{
  self->requests = g_hash_table_new (NULL, NULL);
}

static nghttp2_session *
new_session (HnHttp2 *self)
{
  static const nghttp2_settings_entry settings[] = {
    { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
    { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
    { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, MAX_HEADER_LIST },
  };
  nghttp2_session_callbacks *callbacks;
  nghttp2_option *options;
  nghttp2_session *session = NULL;

  if (nghttp2_session_callbacks_new (&callbacks) != 0)
    g_error ("out of memory");
  nghttp2_session_callbacks_set_on_begin_headers_callback (callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback (callbacks, on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback (callbacks, on_data_chunk);
  nghttp2_session_callbacks_set_on_frame_recv_callback (callbacks, on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback (callbacks, on_stream_close);
  nghttp2_session_callbacks_set_on_frame_not_send_callback (callbacks, on_frame_not_sent);
  if (nghttp2_option_new (&options) != 0)
    g_error ("out of memory");
  /* Answers to floods of PING and SETTINGS that the peer does not read pile up to this number. */
  nghttp2_option_set_max_outbound_ack (options, 100);
  if (nghttp2_session_client_new2 (&session, callbacks, self, options) != 0)
    g_error ("out of memory");
  nghttp2_option_del (options);
  nghttp2_session_callbacks_del (callbacks);

  nghttp2_submit_settings (session, NGHTTP2_FLAG_NONE, settings, G_N_ELEMENTS (settings));
  nghttp2_session_set_local_window_size (session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
  return session;
}

HnHttp2 *
hn_http2_new (GIOStream *stream, const char *authority)
{
  HnHttp2 *self = g_object_new (HN_TYPE_HTTP2, NULL);
  Io *io = g_new0 (Io, 1);

  g_ref_count_init (&io->refs);
  io->owner = self;
  io->stream = stream;
  io->cancellable = g_cancellable_new ();
  io->context = g_main_context_ref_thread_default ();
  io->out = g_byte_array_sized_new (WRITE_ROOM);
  self->io = io;
  self->authority = g_strdup (authority);
  self->session = new_session (self);
  start_read (io);
  schedule_flush (self);
  return self;
}
