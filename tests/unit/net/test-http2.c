/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The HTTP/2 client against a server of nghttp2's on a socket pair. */
#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hn-error.h"
#include "h2-server.h"
#include "net/hn-http2.h"

typedef struct
{
  HnHttp2 *http2;
  H2Server *server;
  GThread *thread;
  int fd; /* the server's end */
  guint closed;
  GError *closed_error;
  const guint8 *script; /* sent in place of what the server would say */
  gsize script_len;
} Rig;

static gpointer
serve (gpointer data)
{
  Rig *rig = data;
  g_autoptr (GByteArray) out = g_byte_array_new ();
  guint8 buffer[16384];
  ssize_t n;

  while ((n = recv (rig->fd, buffer, sizeof buffer, 0)) > 0)
    {
      const guint8 *bytes;
      gsize left;

      g_byte_array_set_size (out, 0);
      if (!h2_server_feed (rig->server, buffer, (gsize) n, out))
        break;
      bytes = rig->script != NULL ? rig->script : out->data;
      left = rig->script != NULL ? rig->script_len : out->len;
      rig->script_len = 0;
      while (left > 0 && (n = send (rig->fd, bytes, left, MSG_NOSIGNAL)) > 0)
        {
          bytes += n;
          left -= (gsize) n;
        }
    }
  shutdown (rig->fd, SHUT_RDWR);
  return NULL;
}

static void
on_closed (HnHttp2 *http2, const GError *error, gpointer data)
{
  Rig *rig = data;

  rig->closed++;
  g_clear_error (&rig->closed_error);
  rig->closed_error = g_error_copy (error);
}

static void
rig_init_full (Rig *rig, guint window, const guint8 *script, gsize script_len)
{
  g_autoptr (GSocket) socket = NULL;
  int fds[2];

  memset (rig, 0, sizeof *rig);
  rig->script = script;
  rig->script_len = script_len;
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  socket = g_socket_new_from_fd (fds[0], NULL);
  rig->fd = fds[1];
  rig->server = h2_server_new (window);
  rig->thread = g_thread_new ("server", serve, rig);
  rig->http2 = hn_http2_new (G_IO_STREAM (g_socket_connection_factory_create_connection (socket)),
                             "hs.test");
  g_signal_connect (rig->http2, "closed", G_CALLBACK (on_closed), rig);
}

static void
rig_init (Rig *rig)
{
  rig_init_full (rig, 65535, NULL, 0);
}

static void
rig_clear (Rig *rig)
{
  if (rig->http2 != NULL)
    {
      g_object_add_weak_pointer (G_OBJECT (rig->http2), (gpointer *) &rig->http2);
      hn_http2_close (rig->http2, NULL);
      g_object_unref (rig->http2);
      g_assert_null (rig->http2);
    }
  /* The stream's end reaches the server only when the client's side is really closed. */
  while (g_main_context_iteration (NULL, FALSE))
    ;
  for (int i = 0; i < 10; i++)
    {
      g_usleep (1000);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
  g_thread_join (rig->thread);
  close (rig->fd);
  h2_server_free (rig->server);
  g_clear_error (&rig->closed_error);
}

typedef struct
{
  Rig *rig;
  GBytes *body;
  GError *error;
  guint status;
  guint retry_after_s;
  gboolean done;
  gboolean close; /* the session, from within the callback */
} Reply;

static void
on_reply (GObject *source, GAsyncResult *result, gpointer data)
{
  Reply *reply = data;

  g_assert_false (reply->done);
  reply->body = hn_http2_request_finish (HN_HTTP2 (source), result, &reply->status,
                                         &reply->retry_after_s, &reply->error);
  reply->done = TRUE;
  if (reply->close)
    hn_http2_close (HN_HTTP2 (source), NULL);
}

static void
ask_full (Rig *rig, const char *path, gsize body_len, gsize max, guint timeout_s,
          GCancellable *cancellable, Reply *reply)
{
  static const char *const headers[] = { "content-type", "application/json", NULL };
  g_autoptr (GBytes) body = NULL;

  memset (reply, 0, sizeof *reply);
  reply->rig = rig;
  if (body_len > 0)
    body = g_bytes_new_take (g_strnfill (body_len, 'b'), body_len);
  hn_http2_request_async (rig->http2, body_len > 0 ? "POST" : "GET", path, headers, body, max,
                          timeout_s, cancellable, on_reply, reply);
}

static void
ask (Rig *rig, const char *path, gsize body_len, gsize max, Reply *reply)
{
  ask_full (rig, path, body_len, max, 0, NULL, reply);
}

static void
wait_reply (Reply *reply)
{
  while (!reply->done)
    g_main_context_iteration (NULL, TRUE);
}

static void
reply_clear (Reply *reply)
{
  g_clear_pointer (&reply->body, g_bytes_unref);
  g_clear_error (&reply->error);
}

static void
expect_body (Reply *reply, guint status, gsize len)
{
  wait_reply (reply);
  g_assert_no_error (reply->error);
  g_assert_cmpuint (reply->status, ==, status);
  g_assert_cmpuint (g_bytes_get_size (reply->body), ==, len);
  reply_clear (reply);
}

static void
expect_error (Reply *reply, GQuark domain, int code)
{
  wait_reply (reply);
  g_assert_error (reply->error, domain, code);
  g_assert_null (reply->body);
  reply_clear (reply);
}

static void
test_several (void)
{
  Reply a, b, c, d, e;
  Rig rig;

  rig_init (&rig);
  ask (&rig, "/hello", 0, 100, &a);
  ask (&rig, "/echo", 200000, 1 << 20, &b);
  ask (&rig, "/big/3000000", 0, 1 << 24, &c);
  ask (&rig, "/status/429", 0, 100, &d);
  ask (&rig, "/interim", 0, 100, &e);
  wait_reply (&d);
  g_assert_cmpuint (d.retry_after_s, ==, 7);
  expect_body (&a, 200, 5);
  expect_body (&b, 200, 200000);
  expect_body (&c, 200, 3000000);
  expect_body (&d, 429, 0);
  expect_body (&e, 200, 5);
  /* one after the other, and an empty body */
  ask (&rig, "/status/404", 0, 0, &a);
  expect_body (&a, 404, 0);
  g_assert_true (hn_http2_is_open (rig.http2));
  g_assert_cmpuint (rig.closed, ==, 0);
  rig_clear (&rig);
}

/* More than the connection's window in all, so it is updated as data is taken. */
static void
test_windows (void)
{
  Reply replies[3];
  Rig rig;

  rig_init (&rig);
  for (gsize i = 0; i < G_N_ELEMENTS (replies); i++)
    ask (&rig, "/big/9000000", 0, 10000000, &replies[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (replies); i++)
    expect_body (&replies[i], 200, 9000000);
  rig_clear (&rig);
}

static void
test_limits (void)
{
  Reply a, b;
  Rig rig;

  rig_init (&rig);
  ask (&rig, "/big/100001", 0, 100000, &a);
  ask (&rig, "/big/100000", 0, 100000, &b);
  expect_error (&a, HN_ERROR, HN_ERROR_PROTOCOL);
  expect_body (&b, 200, 100000);
  ask (&rig, "/length", 0, 100, &a);
  expect_error (&a, HN_ERROR, HN_ERROR_PROTOCOL);
  ask (&rig, "/fat", 0, 100, &a);
  wait_reply (&a);
  g_assert_nonnull (a.error);
  reply_clear (&a);
  ask (&rig, "/hello", 0, 100, &a);
  expect_body (&a, 200, 5);
  rig_clear (&rig);
}

static void
test_resets (void)
{
  Reply a, b, c;
  Rig rig;

  rig_init (&rig);
  /* Half an answer is none, whatever the server calls it. */
  ask (&rig, "/cut", 0, 100, &a);
  expect_error (&a, HN_ERROR, HN_ERROR_CONNECTION_LOST);
  ask (&rig, "/rst", 0, 100, &a);
  ask (&rig, "/refuse", 0, 100, &b);
  ask (&rig, "/hello", 0, 100, &c);
  expect_error (&a, HN_ERROR, HN_ERROR_PROTOCOL);
  expect_error (&b, HN_ERROR, HN_ERROR_CONNECTION_LOST);
  expect_body (&c, 200, 5);
  rig_clear (&rig);
}

static gboolean
on_cancel (gpointer data)
{
  g_cancellable_cancel (data);
  return G_SOURCE_REMOVE;
}

static void
test_cancel (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Reply a, b, c;
  Rig rig;

  rig_init (&rig);
  ask_full (&rig, "/never", 0, 100, 0, cancellable, &a);
  ask_full (&rig, "/never", 0, 100, 1, NULL, &b);
  ask (&rig, "/hello", 0, 100, &c);
  expect_body (&c, 200, 5);
  g_timeout_add (20, on_cancel, cancellable);
  expect_error (&a, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  expect_error (&b, HN_ERROR, HN_ERROR_TIMEOUT);
  /* cancelled before it began, and before it was sent */
  ask_full (&rig, "/never", 0, 100, 0, cancellable, &a);
  expect_error (&a, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_cancellable_reset (cancellable);
  ask_full (&rig, "/never", 100, 100, 0, cancellable, &a);
  g_cancellable_cancel (cancellable);
  expect_error (&a, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  ask (&rig, "/hello", 0, 100, &c);
  expect_body (&c, 200, 5);
  while (h2_server_get_resets (rig.server) < 2)
    g_main_context_iteration (NULL, FALSE);
  rig_clear (&rig);
}

/* A server that opens no window stalls the upload, and nothing else; an answer that comes before
 * the upload is through is an answer. */
static void
test_window_stall (void)
{
  Reply a, b, c;
  Rig rig;

  rig_init_full (&rig, 0, NULL, 0);
  ask (&rig, "/hello", 0, 100, &b); /* learns the window of 0 */
  expect_body (&b, 200, 5);
  ask_full (&rig, "/echo", 1000, 10000, 1, NULL, &a);
  ask (&rig, "/hello", 0, 100, &b);
  ask (&rig, "/early", 1000, 100, &c);
  expect_body (&b, 200, 5);
  expect_body (&c, 200, 5);
  expect_error (&a, HN_ERROR, HN_ERROR_TIMEOUT);
  rig_clear (&rig);
}

/* An answer to a PING comes whatever the requests wait for. */
static void
test_ping (void)
{
  guint64 received;
  Reply a, b;
  Rig rig;

  rig_init_full (&rig, 0, NULL, 0);
  ask (&rig, "/hello", 0, 100, &b);
  expect_body (&b, 200, 5);
  ask_full (&rig, "/echo", 1000, 10000, 1, NULL, &a);
  received = hn_http2_get_received (rig.http2);
  g_assert_cmpuint (received, >, 0);
  hn_http2_ping (rig.http2);
  /* a frame's head and eight bytes */
  while (hn_http2_get_received (rig.http2) < received + 17)
    g_main_context_iteration (NULL, TRUE);
  g_assert_false (a.done);
  hn_http2_close (rig.http2, NULL);
  hn_http2_ping (rig.http2);
  wait_reply (&a);
  reply_clear (&a);
  rig_clear (&rig);
}

static void
test_goaway (void)
{
  Reply a, b, c;
  Rig rig;

  rig_init (&rig);
  ask (&rig, "/goaway", 0, 100, &a);
  ask (&rig, "/hello", 0, 100, &b); /* a higher number than the last that counts, or served */
  expect_body (&a, 200, 5);
  wait_reply (&b);
  reply_clear (&b);
  while (rig.closed == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (rig.closed, ==, 1);
  g_assert_error (rig.closed_error, HN_ERROR, HN_ERROR_CONNECTION_LOST);
  g_assert_false (hn_http2_is_open (rig.http2));
  ask (&rig, "/hello", 0, 100, &c);
  expect_error (&c, HN_ERROR, HN_ERROR_CONNECTION_LOST);
  rig_clear (&rig);
}

static void
test_drop (void)
{
  Reply a, b;
  Rig rig;

  rig_init (&rig);
  ask (&rig, "/never", 0, 100, &a);
  ask (&rig, "/drop", 0, 100, &b);
  expect_error (&a, HN_ERROR, HN_ERROR_CONNECTION_LOST);
  expect_error (&b, HN_ERROR, HN_ERROR_CONNECTION_LOST);
  g_assert_cmpuint (rig.closed, ==, 1);
  g_assert_false (hn_http2_is_open (rig.http2));
  rig_clear (&rig);
}

static void
test_close (void)
{
  g_autoptr (GError) why = g_error_new (HN_ERROR, HN_ERROR_UNREACHABLE, "links changed");
  Reply a, b, c;
  Rig rig;

  rig_init (&rig);
  ask (&rig, "/never", 0, 100, &a);
  hn_http2_close (rig.http2, why); /* nothing was sent yet */
  expect_error (&a, HN_ERROR, HN_ERROR_UNREACHABLE);
  g_assert_cmpuint (rig.closed, ==, 0);
  rig_clear (&rig);

  /* from within a callback, while others wait */
  rig_init (&rig);
  ask (&rig, "/never", 0, 100, &a);
  ask (&rig, "/hello", 0, 100, &b);
  b.close = TRUE;
  ask (&rig, "/big/1000000", 0, 10000000, &c);
  wait_reply (&b);
  reply_clear (&b);
  expect_error (&a, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  wait_reply (&c);
  reply_clear (&c);
  rig_clear (&rig);
}

static void
test_not_http2 (void)
{
  static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
  Reply a;
  Rig rig;

  rig_init_full (&rig, 65535, (const guint8 *) text, strlen (text));
  ask (&rig, "/hello", 0, 100, &a);
  expect_error (&a, HN_ERROR, HN_ERROR_PROTOCOL);
  g_assert_cmpuint (rig.closed, ==, 1);
  rig_clear (&rig);
}

/* Streams */

typedef struct
{
  Rig *rig;
  HnHttp2Request *request;
  guint status;
  gsize bytes;
  guint ends;
  gboolean clean;
  gsize cancel_at; /* cancel in the data callback */
  gboolean refuse; /* return FALSE at the header */
  gboolean unref;  /* drop the session in the end callback */
} Flow;

static gboolean
on_flow_headers (gpointer user, guint status)
{
  Flow *flow = user;

  flow->status = status;
  return !flow->refuse;
}

static gboolean
on_flow_data (gpointer user, const guint8 *data, gsize len)
{
  Flow *flow = user;

  flow->bytes += len;
  if (flow->cancel_at > 0 && flow->bytes >= flow->cancel_at)
    {
      hn_http2_request_cancel (flow->request);
      flow->request = NULL;
      flow->cancel_at = 0;
    }
  return TRUE;
}

static void
on_flow_end (gpointer user, const GError *error)
{
  Flow *flow = user;

  flow->ends++;
  flow->clean = error == NULL;
  if (flow->unref)
    g_clear_object (&flow->rig->http2);
}

static const HnHttp2StreamOps flow_ops = { on_flow_headers, on_flow_data, on_flow_end };

static void
flow_start (Flow *flow, Rig *rig, const char *path)
{
  flow->rig = rig;
  flow->request = hn_http2_request_stream (rig->http2, "POST", path, NULL, NULL, &flow_ops, flow);
  g_assert_nonnull (flow->request);
}

static void
test_stream (void)
{
  Flow whole = { 0 }, cancelled = { .cancel_at = 1000 }, refused = { .refuse = TRUE }, open = { 0 };
  Reply a;
  Rig rig;

  rig_init (&rig);
  flow_start (&whole, &rig, "/big/5000000");
  flow_start (&cancelled, &rig, "/big/5000000");
  flow_start (&refused, &rig, "/hello");
  flow_start (&open, &rig, "/open");
  while (whole.ends == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (whole.clean);
  g_assert_cmpuint (whole.status, ==, 200);
  g_assert_cmpuint (whole.bytes, ==, 5000000);
  g_assert_cmpuint (open.status, ==, 200);
  g_assert_cmpuint (cancelled.ends + refused.ends + open.ends, ==, 0);
  g_assert_cmpuint (cancelled.bytes, <, 100000);
  g_assert_cmpuint (refused.bytes, ==, 0);
  hn_http2_request_cancel (open.request);
  ask (&rig, "/hello", 0, 100, &a);
  expect_body (&a, 200, 5);
  rig_clear (&rig);
  g_assert_cmpuint (whole.ends, ==, 1);
  g_assert_cmpuint (cancelled.ends + refused.ends + open.ends, ==, 0);
}

/* The last reference goes inside a callback, with another request still open. */
static void
test_unref_inside (void)
{
  Flow first = { .unref = TRUE }, other = { 0 };
  Rig rig;

  rig_init (&rig);
  flow_start (&other, &rig, "/never");
  flow_start (&first, &rig, "/hello");
  while (first.ends == 0)
    g_main_context_iteration (NULL, TRUE);
  while (other.ends == 0)
    g_main_context_iteration (NULL, FALSE);
  g_assert_false (other.clean);
  g_assert_cmpuint (first.ends, ==, 1);
  rig_clear (&rig);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/net/http2/several", test_several);
  g_test_add_func ("/net/http2/windows", test_windows);
  g_test_add_func ("/net/http2/limits", test_limits);
  g_test_add_func ("/net/http2/resets", test_resets);
  g_test_add_func ("/net/http2/cancel", test_cancel);
  g_test_add_func ("/net/http2/window-stall", test_window_stall);
  g_test_add_func ("/net/http2/ping", test_ping);
  g_test_add_func ("/net/http2/goaway", test_goaway);
  g_test_add_func ("/net/http2/drop", test_drop);
  g_test_add_func ("/net/http2/close", test_close);
  g_test_add_func ("/net/http2/not-http2", test_not_http2);
  g_test_add_func ("/net/http2/stream", test_stream);
  g_test_add_func ("/net/http2/unref-inside", test_unref_inside);
  return g_test_run ();
}
