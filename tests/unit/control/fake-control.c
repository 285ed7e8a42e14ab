/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-control.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <string.h>

#include "control/hn-noise-record.h"
#include "noise-responder.h"

#define WAIT_US (2 * G_USEC_PER_SEC)

typedef struct
{
  FakeControl *server;
  GSocketConnection *stream;
  GCancellable *cancellable;
  GString *head;
  gboolean upgraded;
  nghttp2_session *session;
  HnNoiseSealer sealer;
  HnNoiseOpener opener;
  guint8 buffer[4096];
} Connection;

struct _FakeRequest
{
  Connection *connection; /* NULL once it is gone */
  gint32 id;
  char *path;
  GString *body;
  GByteArray *out;
  gboolean finished;
  gboolean answered;
};

struct _FakeControl
{
  GSocketService *service;
  char *url;
  guint8 private_key[32];
  HnMachinePublic key;
  gboolean refuse;
  gboolean send_away;
  FakeControlHealth health;
  GSocketAddress *address;
  guint n_connections;
  guint n_handshakes;
  guint n_keys;
  guint n_heads;
  GPtrArray *connections; /* of Connection */
  GPtrArray *requests;    /* of FakeRequest: all of them */
  GQueue incoming;        /* of FakeRequest: complete, not yet taken */
};

/* ---- HTTP/2 ---- */

static void
send_raw (Connection *connection, const void *data, gsize len)
{
  GOutputStream *output = g_io_stream_get_output_stream (G_IO_STREAM (connection->stream));

  g_output_stream_write_all (output, data, len, NULL, NULL, NULL);
}

static void
flush (Connection *connection)
{
  g_autoptr (GByteArray) sealed = g_byte_array_new ();
  const uint8_t *data;
  ssize_t n;

  while ((n = nghttp2_session_mem_send (connection->session, &data)) > 0)
    hn_noise_sealer_seal (&connection->sealer, data, (gsize) n, sealed);
  send_raw (connection, sealed->data, sealed->len);
}

static int
on_begin (nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
  Connection *connection = data;
  FakeRequest *request = g_new0 (FakeRequest, 1);

  if (frame->hd.type != NGHTTP2_HEADERS)
    {
      g_free (request);
      return 0;
    }
  request->connection = connection;
  request->id = frame->hd.stream_id;
  request->body = g_string_new (NULL);
  request->out = g_byte_array_new ();
  g_ptr_array_add (connection->server->requests, request);
  nghttp2_session_set_stream_user_data (session, request->id, request);
  return 0;
}

static int
on_header (nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
           size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *data)
{
  FakeRequest *request = nghttp2_session_get_stream_user_data (session, frame->hd.stream_id);

  if (request != NULL && name_len == 5 && memcmp (name, ":path", 5) == 0)
    request->path = g_strndup ((const char *) value, value_len);
  return 0;
}

static int
on_chunk (nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len,
          void *data)
{
  FakeRequest *request = nghttp2_session_get_stream_user_data (session, id);

  if (request != NULL)
    g_string_append_len (request->body, (const char *) bytes, (gssize) len);
  return 0;
}

static int
on_frame (nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
  Connection *connection = data;
  FakeRequest *request = nghttp2_session_get_stream_user_data (session, frame->hd.stream_id);

  if (request != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
      && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA))
    g_queue_push_tail (&connection->server->incoming, request);
  return 0;
}

static int
on_stream_close (nghttp2_session *session, int32_t id, uint32_t code, void *data)
{
  FakeRequest *request = nghttp2_session_get_stream_user_data (session, id);

  if (request != NULL)
    request->connection = NULL;
  return 0;
}

static void
start_http2 (Connection *connection)
{
  nghttp2_session_callbacks *callbacks;

  nghttp2_session_callbacks_new (&callbacks);
  nghttp2_session_callbacks_set_on_begin_headers_callback (callbacks, on_begin);
  nghttp2_session_callbacks_set_on_header_callback (callbacks, on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback (callbacks, on_chunk);
  nghttp2_session_callbacks_set_on_frame_recv_callback (callbacks, on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback (callbacks, on_stream_close);
  nghttp2_session_server_new (&connection->session, callbacks, connection);
  nghttp2_session_callbacks_del (callbacks);
  nghttp2_submit_settings (connection->session, NGHTTP2_FLAG_NONE, NULL, 0);
  if (connection->server->send_away)
    nghttp2_submit_goaway (connection->session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
  flush (connection);
}

static ssize_t
on_read_body (nghttp2_session *session, int32_t id, uint8_t *buffer, size_t size, uint32_t *flags,
              nghttp2_data_source *source, void *data)
{
  FakeRequest *request = source->ptr;
  gsize n = MIN (size, request->out->len);

  if (n == 0 && !request->finished)
    return NGHTTP2_ERR_DEFERRED;
  if (n > 0)
    {
      memcpy (buffer, request->out->data, n);
      g_byte_array_remove_range (request->out, 0, (guint) n);
    }
  if (request->finished && request->out->len == 0)
    *flags |= NGHTTP2_DATA_FLAG_EOF;
  return (ssize_t) n;
}

static void
respond (FakeRequest *request, guint status)
{
  char text[8];
  nghttp2_nv field = { .name = (uint8_t *) ":status",
                       .value = (uint8_t *) text,
                       .namelen = 7,
                       .valuelen = 3,
                       .flags = NGHTTP2_NV_FLAG_NONE };
  nghttp2_data_provider provider = { .source.ptr = request, .read_callback = on_read_body };

  g_assert_false (request->answered);
  request->answered = TRUE;
  g_snprintf (text, sizeof text, "%03u", status);
  if (request->connection == NULL)
    return;
  nghttp2_submit_response (request->connection->session, request->id, &field, 1, &provider);
  flush (request->connection);
}

/* ---- the connection ---- */

static void
connection_close (Connection *connection)
{
  FakeControl *self = connection->server;

  for (guint i = 0; i < self->requests->len; i++)
    {
      FakeRequest *request = self->requests->pdata[i];

      if (request->connection == connection)
        request->connection = NULL;
    }
  g_cancellable_cancel (connection->cancellable);
  g_io_stream_close (G_IO_STREAM (connection->stream), NULL, NULL);
  g_ptr_array_remove (self->connections, connection);
}

static void
connection_free (gpointer data)
{
  Connection *connection = data;

  if (connection->session != NULL)
    nghttp2_session_del (connection->session);
  g_object_unref (connection->stream);
  g_object_unref (connection->cancellable);
  g_string_free (connection->head, TRUE);
  g_free (connection);
}

/* FALSE: the connection is to be closed. */
static gboolean
on_head (Connection *connection)
{
  static const char switching[] = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                                  "Upgrade: tailscale-control-protocol\r\n\r\n";
  FakeControl *self = connection->server;
  const char *head = connection->head->str;
  guint8 response[HN_NOISE_RESPONSE_SIZE];
  g_autofree guint8 *initiation = NULL;
  g_autofree char *text = NULL;
  HnNoiseKeys keys;
  gsize len;

  if (g_str_has_prefix (head, "GET /key"))
    {
      char key[HN_KEY_TEXT_MAX];
      g_autofree char *body
          = g_strdup_printf ("{\"publicKey\":\"%s\"}", hn_machine_public_format (&self->key, key));
      g_autofree char *answer = g_strdup_printf ("HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n%s",
                                                 (guint) strlen (body), body);

      self->n_keys++;
      send_raw (connection, answer, strlen (answer));
      return FALSE;
    }
  if (g_str_has_prefix (head, "HEAD "))
    {
      self->n_heads++;
      send_raw (connection, "HTTP/1.1 200 OK\r\n\r\n", 19);
      return FALSE;
    }

  g_assert_true (g_str_has_prefix (head, "POST /ts2021 "));
  text = g_strdup (strstr (head, "X-Tailscale-Handshake: ") + 23);
  text[strcspn (text, "\r")] = '\0';
  initiation = g_base64_decode (text, &len);
  send_raw (connection, switching, sizeof switching - 1);
  if (self->refuse || !noise_respond (initiation, self->private_key, NULL, response, &keys))
    return FALSE;
  self->n_handshakes++;
  send_raw (connection, response, sizeof response);
  hn_noise_sealer_init (&connection->sealer, keys.send);
  hn_noise_opener_init (&connection->opener, keys.receive);
  connection->upgraded = TRUE;
  start_http2 (connection);
  return TRUE;
}

static gboolean
take (Connection *connection, const guint8 *data, gsize len)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();

  if (!connection->upgraded)
    {
      /* A client says nothing more before it was answered. */
      g_string_append_len (connection->head, (const char *) data, (gssize) len);
      return strstr (connection->head->str, "\r\n\r\n") == NULL || on_head (connection);
    }
  if (!hn_noise_opener_feed (&connection->opener, data, len, plain, NULL)
      || nghttp2_session_mem_recv (connection->session, plain->data, plain->len) < 0)
    return FALSE;
  flush (connection);
  return TRUE;
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer data)
{
  Connection *connection = data;
  g_autoptr (GError) error = NULL;
  gssize n = g_input_stream_read_finish (G_INPUT_STREAM (source), result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      connection_free (connection);
      return;
    }
  if (n <= 0
      || (connection->server->health != FAKE_CONTROL_SILENT
          && !take (connection, connection->buffer, (gsize) n)))
    {
      connection_close (connection);
      connection_free (connection);
      return;
    }
  g_input_stream_read_async (G_INPUT_STREAM (source), connection->buffer, sizeof connection->buffer,
                             G_PRIORITY_DEFAULT, connection->cancellable, on_read, connection);
}

static gboolean
on_incoming (GSocketService *service, GSocketConnection *stream, GObject *source, gpointer data)
{
  FakeControl *self = data;
  Connection *connection;

  self->n_connections++;
  if (self->health == FAKE_CONTROL_CLOSES)
    {
      g_io_stream_close (G_IO_STREAM (stream), NULL, NULL);
      return TRUE;
    }
  connection = g_new0 (Connection, 1);
  g_socket_set_option (g_socket_connection_get_socket (stream), IPPROTO_TCP, TCP_NODELAY, 1, NULL);
  connection->server = self;
  connection->stream = g_object_ref (stream);
  connection->cancellable = g_cancellable_new ();
  connection->head = g_string_new (NULL);
  g_ptr_array_add (self->connections, connection);
  g_input_stream_read_async (g_io_stream_get_input_stream (G_IO_STREAM (stream)),
                             connection->buffer, sizeof connection->buffer, G_PRIORITY_DEFAULT,
                             connection->cancellable, on_read, connection);
  return TRUE;
}

/* ---- for the test ---- */

/* From the second time on at the port of the first. */
static void
start_listening (FakeControl *self)
{
  GSocketAddress *bound = NULL;
  g_autoptr (GError) error = NULL;

  self->service = g_socket_service_new ();
  g_socket_listener_add_address (G_SOCKET_LISTENER (self->service), self->address,
                                 G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL, &bound, &error);
  g_assert_no_error (error);
  g_object_unref (self->address);
  self->address = bound;
  g_signal_connect (self->service, "incoming", G_CALLBACK (on_incoming), self);
}

FakeControl *
fake_control_new (void)
{
  FakeControl *self = g_new0 (FakeControl, 1);

  self->connections = g_ptr_array_new ();
  self->requests = g_ptr_array_new ();
  g_queue_init (&self->incoming);
  fake_control_new_key (self);
  self->address = g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  start_listening (self);
  self->url
      = g_strdup_printf ("http://127.0.0.1:%u",
                         g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (self->address)));
  return self;
}

static void
stop_listening (FakeControl *self)
{
  if (self->service == NULL)
    return;
  g_socket_service_stop (self->service);
  g_socket_listener_close (G_SOCKET_LISTENER (self->service));
  g_clear_object (&self->service);
}

void
fake_control_set_health (FakeControl *self, FakeControlHealth health)
{
  self->health = health;
  if (health == FAKE_CONTROL_GONE)
    stop_listening (self);
  else if (self->service == NULL)
    start_listening (self);
}

void
fake_control_drop (FakeControl *self)
{
  while (self->connections->len > 0)
    connection_close (self->connections->pdata[0]);
}

void
fake_control_free (FakeControl *self)
{
  stop_listening (self);
  fake_control_drop (self);
  /* What was cancelled frees itself in the loop. */
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_object_unref (self->address);
  for (guint i = 0; i < self->requests->len; i++)
    {
      FakeRequest *request = self->requests->pdata[i];

      g_free (request->path);
      g_string_free (request->body, TRUE);
      g_byte_array_unref (request->out);
      g_free (request);
    }
  g_ptr_array_unref (self->requests);
  g_ptr_array_unref (self->connections);
  g_queue_clear (&self->incoming);
  g_free (self->url);
  g_free (self);
}

const char *
fake_control_get_url (FakeControl *self)
{
  return self->url;
}

HnControlClient *
fake_control_new_client (FakeControl *self, const HnControlClientEvents *events, gpointer user)
{
  HnMachinePrivate machine;
  HnNodePrivate key;
  HnControlClientConfig config
      = { .server_url = fake_control_get_url (self), .machine_key = &machine, .node_key = &key };
  g_autoptr (GError) error = NULL;
  HnControlClient *client;

  hn_machine_private_generate (&machine);
  hn_node_private_generate (&key);
  client = hn_control_client_new (&config, events, user, &error);
  g_assert_no_error (error);
  return client;
}

void
fake_control_new_key (FakeControl *self)
{
  hn_x25519_generate (self->private_key);
  hn_x25519_base (self->private_key, self->key.bytes);
}

void
fake_control_refuse_version (FakeControl *self, gboolean refuse)
{
  self->refuse = refuse;
}

void
fake_control_send_away (FakeControl *self, gboolean send_away)
{
  self->send_away = send_away;
}

guint
fake_control_get_n_connections (FakeControl *self)
{
  return self->n_connections;
}

guint
fake_control_get_n_handshakes (FakeControl *self)
{
  return self->n_handshakes;
}

guint
fake_control_get_n_keys (FakeControl *self)
{
  return self->n_keys;
}

guint
fake_control_get_n_heads (FakeControl *self)
{
  return self->n_heads;
}

static gboolean
on_tick (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

FakeRequest *
fake_control_take (FakeControl *self, const char *path)
{
  for (GList *l = self->incoming.head; l != NULL; l = l->next)
    {
      FakeRequest *request = l->data;

      if (strcmp (request->path, path) != 0)
        continue;
      g_queue_delete_link (&self->incoming, l);
      return request;
    }
  return NULL;
}

FakeRequest *
fake_control_next (FakeControl *self, const char *path)
{
  gint64 end = g_get_monotonic_time () + WAIT_US;
  guint tick = g_timeout_add (100, on_tick, NULL);
  FakeRequest *found;

  while ((found = fake_control_take (self, path)) == NULL)
    {
      if (g_get_monotonic_time () > end)
        g_error ("no request for %s came", path);
      g_main_context_iteration (NULL, TRUE);
    }
  g_source_remove (tick);
  return found;
}

void
fake_control_expect_quiet (FakeControl *self, guint ms)
{
  gint64 end = g_get_monotonic_time () + (gint64) ms * 1000;
  guint tick = g_timeout_add (5, on_tick, NULL);

  while (g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (tick);
  if (!g_queue_is_empty (&self->incoming))
    {
      FakeRequest *request = g_queue_peek_head (&self->incoming);

      g_error ("an unexpected request for %s: %s", request->path, request->body->str);
    }
}

void
fake_control_wait_gone (FakeControl *self, FakeRequest *request)
{
  gint64 end = g_get_monotonic_time () + WAIT_US;
  guint tick = g_timeout_add (20, on_tick, NULL);

  while (!fake_request_is_gone (request))
    {
      if (g_get_monotonic_time () > end)
        g_error ("the request for %s is still there", request->path);
      g_main_context_iteration (NULL, TRUE);
    }
  g_source_remove (tick);
}

const char *
fake_request_get_body (FakeRequest *request)
{
  return request->body->str;
}

gboolean
fake_request_is_gone (FakeRequest *request)
{
  return request->connection == NULL;
}

void
fake_request_reply (FakeRequest *request, guint status, const char *body)
{
  g_byte_array_append (request->out, (const guint8 *) body, (guint) strlen (body));
  request->finished = TRUE;
  respond (request, status);
}

void
fake_request_open (FakeRequest *request)
{
  respond (request, 200);
}

static void
resume (FakeRequest *request)
{
  if (request->connection == NULL)
    return;
  nghttp2_session_resume_data (request->connection->session, request->id);
  flush (request->connection);
}

void
fake_request_frame (FakeRequest *request, const char *json)
{
  guint32 len = GUINT32_TO_LE ((guint32) strlen (json));

  g_byte_array_append (request->out, (const guint8 *) &len, sizeof len);
  g_byte_array_append (request->out, (const guint8 *) json, (guint) strlen (json));
  resume (request);
}

void
fake_request_bytes (FakeRequest *request, const void *data, gsize len)
{
  g_byte_array_append (request->out, data, (guint) len);
  resume (request);
}

void
fake_request_end (FakeRequest *request)
{
  request->finished = TRUE;
  resume (request);
}
