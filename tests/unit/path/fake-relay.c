/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-relay.h"

#include <string.h>

#include "crypto/hn-crypto.h"

#define MAX_CONNECTIONS 64

struct _FakeRelay
{
  GSocketService *service;
  GTlsCertificate *certificate; /* NULL: plain */
  guint16 port;
  guint8 private_key[32];
  guint8 public_key[32];

  GMutex mutex;
  GCond cond;
  FakeRelayMode mode;
  gboolean jammed;
  gboolean closing;
  guint running;
  guint logins;
  HnNodePublic last;
  char *request;
  GSocketConnection *open[MAX_CONNECTIONS];
  int preferred[MAX_CONNECTIONS]; /* -2: not logged in */
};

static gboolean
read_exactly (GInputStream *in, void *out, gsize len)
{
  gsize n;

  return g_input_stream_read_all (in, out, len, &n, NULL, NULL) && n == len;
}

static gboolean
write_slowly (GOutputStream *out, const guint8 *data, gsize len, gboolean bytewise)
{
  gsize step = bytewise ? 1 : len;

  for (gsize at = 0; at < len; at += step)
    if (!g_output_stream_write_all (out, data + at, MIN (step, len - at), NULL, NULL, NULL))
      return FALSE;
  return TRUE;
}

static gsize
put_frame (guint8 *out, guint8 type, const void *payload, gsize len)
{
  out[0] = type;
  out[1] = 0;
  out[2] = len >> 16 & 0xff;
  out[3] = len >> 8 & 0xff;
  out[4] = len & 0xff;
  memmove (out + 5, payload, len);
  return 5 + len;
}

/* Orders: "close", "gone", "ping", "health TEXT"; anything else is echoed. FALSE: close. */
static gboolean
obey (GOutputStream *out, guint8 *frame, gsize len)
{
  guint8 *payload = frame + 5;
  const char *text = (const char *) payload + 32;
  gsize text_len = len - 32;

  if (text_len == 5 && memcmp (text, "close", 5) == 0)
    return FALSE;
  if (text_len == 4 && memcmp (text, "gone", 4) == 0)
    {
      payload[32] = 1;
      len = put_frame (frame, 0x08, payload, 33);
    }
  else if (text_len == 4 && memcmp (text, "ping", 4) == 0)
    len = put_frame (frame, 0x12, "12345678", 8);
  else if (text_len >= 7 && memcmp (text, "health ", 7) == 0)
    len = put_frame (frame, 0x14, text + 7, text_len - 7);
  else
    len = put_frame (frame, 0x05, payload, len);
  return write_slowly (out, frame, len, FALSE);
}

static void
serve (FakeRelay *self, guint slot, GInputStream *in, GOutputStream *out)
{
  static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: derp\r\n"
                               "Connection: Upgrade\r\nDerp-Version: 2\r\n\r\n";
  g_autoptr (GString) request = g_string_new (NULL);
  g_autofree guint8 *frame = g_malloc (5 + 128 * 1024);
  guint8 first[512], info[24 + 16 + 13] = { 9, 9 }, shared[32], json[256];
  guint8 key[40] = { 'D', 'E', 'R', 'P', 0xf0, 0x9f, 0x94, 0x91 };
  FakeRelayMode mode;
  gsize len;

  while (!g_str_has_suffix (request->str, "\r\n\r\n"))
    {
      char c;

      if (!read_exactly (in, &c, 1) || request->len > 4096)
        return;
      g_string_append_c (request, c);
    }
  g_mutex_lock (&self->mutex);
  mode = self->mode;
  g_free (self->request);
  self->request = g_strdup (request->str);
  g_mutex_unlock (&self->mutex);

  if (mode == FAKE_RELAY_SILENT)
    {
      read_exactly (in, first, 1);
      return;
    }
  if (mode == FAKE_RELAY_NO_PAGE)
    {
      const char *no = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

      write_slowly (out, (const guint8 *) no, strlen (no), FALSE);
      return;
    }

  /* The key is glued to the answer, as real relays do it. */
  memcpy (first, answer, sizeof answer - 1);
  memcpy (key + 8, self->public_key, 32);
  len = sizeof answer - 1 + put_frame (first + sizeof answer - 1, 0x01, key, sizeof key);
  if (!write_slowly (out, first, len, mode == FAKE_RELAY_BYTEWISE))
    return;

  if (!read_exactly (in, frame, 5) || frame[0] != 0x02 || frame[4] < 72)
    return;
  len = frame[4];
  if (!read_exactly (in, frame + 5, len) || mode == FAKE_RELAY_REFUSE)
    return;
  if (!hn_box_precompute (self->private_key, frame + 5, shared)
      || !hn_box_open (shared, frame + 37, frame + 61, len - 56, json))
    return;

  g_mutex_lock (&self->mutex);
  memcpy (self->last.bytes, frame + 5, 32);
  self->logins++;
  self->preferred[slot] = -1;
  g_mutex_unlock (&self->mutex);
  hn_box_seal (shared, info, "{\"version\":2}", 13, info + 24);
  len = put_frame (frame, 0x03, info, sizeof info);
  if (!write_slowly (out, frame, len, mode == FAKE_RELAY_BYTEWISE))
    return;

  for (;;)
    {
      g_mutex_lock (&self->mutex);
      while (self->jammed && !self->closing)
        g_cond_wait (&self->cond, &self->mutex);
      g_mutex_unlock (&self->mutex);
      if (!read_exactly (in, frame, 5))
        return;
      len = frame[2] << 16 | frame[3] << 8 | frame[4];
      if (len > 100 * 1024 || !read_exactly (in, frame + 5, len))
        return;
      switch (frame[0])
        {
        case 0x04:
          if (!obey (out, frame, len))
            return;
          break;
        case 0x07:
          g_mutex_lock (&self->mutex);
          self->preferred[slot] = frame[5];
          g_mutex_unlock (&self->mutex);
          break;
        case 0x12:
          write_slowly (out, frame, put_frame (frame, 0x13, frame + 5, 8), FALSE);
          break;
        case 0x13:
          /* Seen by the other side as a packet of its own. */
          memcpy (frame + 5 + 32, "pong", 4);
          write_slowly (out, frame, put_frame (frame, 0x05, frame + 5, 36), FALSE);
          break;
        default:
          return;
        }
    }
}

static gboolean
on_run (GThreadedSocketService *service, GSocketConnection *connection, GObject *source,
        gpointer data)
{
  FakeRelay *self = data;
  g_autoptr (GIOStream) stream = NULL;
  guint slot = 0;

  g_mutex_lock (&self->mutex);
  self->running++;
  while (self->open[slot] != NULL)
    slot++;
  g_assert_cmpuint (slot, <, MAX_CONNECTIONS);
  self->open[slot] = connection;
  self->preferred[slot] = -2;
  g_mutex_unlock (&self->mutex);

  if (self->certificate != NULL)
    {
      stream = g_tls_server_connection_new (G_IO_STREAM (connection), self->certificate, NULL);
      if (!g_tls_connection_handshake (G_TLS_CONNECTION (stream), NULL, NULL))
        g_test_message ("TLS handshake failed");
    }
  else
    stream = g_object_ref (G_IO_STREAM (connection));
  serve (self, slot, g_io_stream_get_input_stream (stream), g_io_stream_get_output_stream (stream));

  g_mutex_lock (&self->mutex);
  self->open[slot] = NULL;
  self->running--;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->mutex);
  g_io_stream_close (G_IO_STREAM (connection), NULL, NULL);
  return TRUE;
}

FakeRelay *
fake_relay_new (const char *certificate)
{
  FakeRelay *self = g_new0 (FakeRelay, 1);
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new (loopback, 0);
  g_autoptr (GSocketAddress) bound = NULL;

  if (certificate != NULL)
    {
      self->certificate = g_tls_certificate_new_from_file (certificate, NULL);
      g_assert_nonnull (self->certificate);
    }
  g_mutex_init (&self->mutex);
  g_cond_init (&self->cond);
  hn_x25519_generate (self->private_key);
  hn_x25519_base (self->private_key, self->public_key);
  self->service = g_threaded_socket_service_new (MAX_CONNECTIONS);
  g_assert_true (g_socket_listener_add_address (G_SOCKET_LISTENER (self->service), any,
                                                G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL,
                                                &bound, NULL));
  self->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  g_signal_connect (self->service, "run", G_CALLBACK (on_run), self);
  g_socket_service_start (self->service);
  return self;
}

void
fake_relay_free (FakeRelay *self)
{
  g_socket_service_stop (self->service);
  g_socket_listener_close (G_SOCKET_LISTENER (self->service));
  g_mutex_lock (&self->mutex);
  self->closing = TRUE;
  g_cond_broadcast (&self->cond);
  while (self->running > 0)
    {
      for (guint i = 0; i < MAX_CONNECTIONS; i++)
        if (self->open[i] != NULL)
          g_socket_shutdown (g_socket_connection_get_socket (self->open[i]), TRUE, TRUE, NULL);
      g_cond_wait_until (&self->cond, &self->mutex, g_get_monotonic_time () + 10000);
    }
  g_mutex_unlock (&self->mutex);
  g_object_unref (self->service);
  g_clear_object (&self->certificate);
  g_free (self->request);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->cond);
  g_free (self);
}

guint16
fake_relay_get_port (FakeRelay *self)
{
  return self->port;
}

void
fake_relay_set_mode (FakeRelay *self, FakeRelayMode mode)
{
  g_mutex_lock (&self->mutex);
  self->mode = mode;
  g_mutex_unlock (&self->mutex);
}

void
fake_relay_set_jammed (FakeRelay *self, gboolean jammed)
{
  g_mutex_lock (&self->mutex);
  self->jammed = jammed;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->mutex);
}

guint
fake_relay_get_logins (FakeRelay *self, HnNodePublic *last)
{
  guint n;

  g_mutex_lock (&self->mutex);
  n = self->logins;
  if (last != NULL)
    *last = self->last;
  g_mutex_unlock (&self->mutex);
  return n;
}

guint
fake_relay_count (FakeRelay *self, int preferred)
{
  guint n = 0;

  g_mutex_lock (&self->mutex);
  for (guint i = 0; i < MAX_CONNECTIONS; i++)
    if (self->open[i] != NULL && self->preferred[i] == preferred)
      n++;
  g_mutex_unlock (&self->mutex);
  return n;
}

char *
fake_relay_dup_request (FakeRelay *self)
{
  char *request;

  g_mutex_lock (&self->mutex);
  request = g_strdup (self->request != NULL ? self->request : "");
  g_mutex_unlock (&self->mutex);
  return request;
}
