/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP/1.1 upgrade and requests over a socket pair: splits, limits, malformed answers. */
#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/hn-error.h"
#include "net/hn-http-parser.h"
#include "net/hn-http-upgrade.h"

static GIOStream *
wrap (int fd)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, &error);

  g_assert_no_error (error);
  return G_IO_STREAM (g_socket_connection_factory_create_connection (socket));
}

typedef struct
{
  GIOStream *client;
  GIOStream *server;
  GIOStream *upgraded;
  HnHttpResponse *response;
  GError *error;
  gboolean done;
} Pair;

static void
pair_init (Pair *pair)
{
  int fds[2];

  memset (pair, 0, sizeof *pair);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  pair->client = wrap (fds[0]);
  pair->server = wrap (fds[1]);
}

static void
pair_clear (Pair *pair)
{
  g_clear_object (&pair->upgraded);
  g_clear_object (&pair->client);
  g_clear_object (&pair->server);
  g_clear_pointer (&pair->response, hn_http_response_free);
  g_clear_error (&pair->error);
}

static void
on_upgraded (GObject *source, GAsyncResult *result, gpointer data)
{
  Pair *pair = data;

  pair->upgraded = hn_http_upgrade_finish (result, &pair->response, &pair->error);
  pair->done = TRUE;
}

static void
on_requested (GObject *source, GAsyncResult *result, gpointer data)
{
  Pair *pair = data;

  pair->response = hn_http_request_finish (result, &pair->error);
  pair->done = TRUE;
}

static void
turn (void)
{
  for (int i = 0; i < 20; i++)
    g_main_context_iteration (NULL, FALSE);
}

static void
wait_done (Pair *pair)
{
  while (!pair->done)
    g_main_context_iteration (NULL, TRUE);
}

static void
say (Pair *pair, const char *text, gssize len)
{
  g_assert_true (g_output_stream_write_all (g_io_stream_get_output_stream (pair->server), text,
                                            len < 0 ? strlen (text) : (gsize) len, NULL, NULL,
                                            NULL));
}

static void
start_upgrade (Pair *pair)
{
  static const char *const headers[] = { "X-Test", "some value", NULL };

  hn_http_upgrade_async (pair->client, "POST", "/ts2021", "hs.test:8080", "proto-x", headers, NULL,
                         on_upgraded, pair);
}

static char *
read_some (GIOStream *stream)
{
  char buffer[4096];
  gssize n = g_input_stream_read (g_io_stream_get_input_stream (stream), buffer, sizeof buffer,
                                  NULL, NULL);

  g_assert_cmpint (n, >=, 0);
  return g_strndup (buffer, (gsize) n);
}

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\nUpgrade: Proto-X\r\nconnection: upgrade\r\n\r\n"

static void
test_request_text (void)
{
  Pair pair;
  g_autofree char *sent = NULL;

  pair_init (&pair);
  start_upgrade (&pair);
  turn ();
  sent = read_some (pair.server);
  g_assert_cmpstr (sent, ==,
                   "POST /ts2021 HTTP/1.1\r\nHost: hs.test:8080\r\nContent-Length: 0\r\n"
                   "Upgrade: proto-x\r\nConnection: Upgrade\r\nX-Test: some value\r\n\r\n");
  say (&pair, SWITCH, -1);
  wait_done (&pair);
  g_assert_no_error (pair.error);
  g_assert_nonnull (pair.upgraded);
  g_assert_cmpuint (pair.response->status, ==, 101);
  g_assert_cmpstr (g_hash_table_lookup (pair.response->headers, "connection"), ==, "upgrade");
  pair_clear (&pair);
}

static void
on_read_all (GObject *source, GAsyncResult *result, gpointer data)
{
  gsize n = 0;

  g_assert_true (g_input_stream_read_all_finish (G_INPUT_STREAM (source), result, &n, NULL));
  *(gssize *) data = (gssize) n;
}

/* The protocol's bytes in the same segment as the 101, and one byte at a time. */
static void
test_leftover (gconstpointer data)
{
  gboolean bytewise = GPOINTER_TO_INT (data);
  const char *all = SWITCH "first bytes";
  char buffer[64] = "";
  gssize n = -1;
  Pair pair;

  pair_init (&pair);
  start_upgrade (&pair);
  turn ();
  if (bytewise)
    for (const char *p = all; *p != '\0'; p++)
      {
        say (&pair, p, 1);
        turn ();
      }
  else
    say (&pair, all, -1);
  wait_done (&pair);
  g_assert_no_error (pair.error);
  say (&pair, " and more", -1);
  g_input_stream_read_all_async (g_io_stream_get_input_stream (pair.upgraded), buffer,
                                 strlen ("first bytes and more"), 0, NULL, on_read_all, &n);
  while (n < 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (buffer, ==, "first bytes and more");
  g_assert_true (g_output_stream_write_all (g_io_stream_get_output_stream (pair.upgraded), "back",
                                            4, NULL, NULL, NULL));
  pair_clear (&pair);
}

static void
expect_upgrade (const char *answer, gssize len, gboolean close, HnError code, const char *part)
{
  Pair pair;

  pair_init (&pair);
  start_upgrade (&pair);
  turn ();
  g_free (read_some (pair.server));
  say (&pair, answer, len);
  if (close)
    g_assert_true (g_io_stream_close (pair.server, NULL, NULL));
  wait_done (&pair);
  g_assert_error (pair.error, HN_ERROR, (gint) code);
  if (part != NULL)
    g_assert_nonnull (strstr (pair.error->message, part));
  g_assert_null (pair.upgraded);
  pair_clear (&pair);
}

static void
test_upgrade_refused (void)
{
  expect_upgrade ("HTTP/1.1 400 Bad Request\r\nContent-Length: 8\r\n\r\nmissing\n", -1, FALSE,
                  HN_ERROR_UPGRADE_REFUSED, "400: missing");
  /* control characters never reach a terminal */
  expect_upgrade ("HTTP/1.1 500 x\r\nContent-Length: 8\r\n\r\na\033[31m\nb", -1, FALSE,
                  HN_ERROR_UPGRADE_REFUSED, "500: a [31m b");
  expect_upgrade ("HTTP/1.1 404 Not Found\r\n\r\n<html>", -1, TRUE, HN_ERROR_UPGRADE_REFUSED,
                  "404;");
  expect_upgrade ("HTTP/1.1 302 Found\r\nLocation: x\r\nContent-Length: 0\r\n\r\n", -1, FALSE,
                  HN_ERROR_UPGRADE_REFUSED, "302");
  expect_upgrade ("HTTP/1.1 101 x\r\nUpgrade: other\r\n\r\n", -1, FALSE, HN_ERROR_UPGRADE_REFUSED,
                  "another protocol");
  expect_upgrade ("HTTP/1.1 101 x\r\n\r\n", -1, FALSE, HN_ERROR_UPGRADE_REFUSED, NULL);
  /* a body cut short does not hide the refusal */
  expect_upgrade ("HTTP/1.1 502 x\r\nContent-Length: 800\r\n\r\nbad", -1, TRUE,
                  HN_ERROR_UPGRADE_REFUSED, "502: bad");
}

static void
test_upgrade_malformed (void)
{
  g_autofree char *large = g_strnfill (9000, 'a');
  g_autofree char *header = g_strconcat ("HTTP/1.1 101 x\r\nA: ", large, NULL);

  expect_upgrade ("", 0, TRUE, HN_ERROR_CONNECTION_LOST, NULL);
  expect_upgrade ("HTTP/1.1 101", -1, TRUE, HN_ERROR_CONNECTION_LOST, NULL);
  expect_upgrade ("SSH-2.0-OpenSSH\r\n", -1, FALSE, HN_ERROR_PROTOCOL, "not HTTP");
  expect_upgrade (header, -1, FALSE, HN_ERROR_PROTOCOL, "too long");
  expect_upgrade ("HTTP/2.0 101 x\r\n\r\n", -1, FALSE, HN_ERROR_PROTOCOL, NULL);
  expect_upgrade ("HTTP/1.1 1x1 x\r\n\r\n", -1, FALSE, HN_ERROR_PROTOCOL, NULL);
  expect_upgrade ("HTTP/1.1 1011 x\r\n\r\n", -1, FALSE, HN_ERROR_PROTOCOL, NULL);
  expect_upgrade ("HTTP/1.1 101 x\r\nUpgrade : proto-x\r\n\r\n", -1, FALSE, HN_ERROR_PROTOCOL,
                  NULL);
  expect_upgrade ("HTTP/1.1 101 x\r\nA: b\r\n folded\r\n\r\n", -1, FALSE, HN_ERROR_PROTOCOL, NULL);
  expect_upgrade ("HTTP/1.1 101 x\r\nA: b\nc: d\r\n\r\n", -1, FALSE, HN_ERROR_PROTOCOL, NULL);
  expect_upgrade ("HTTP/1.1 101 x\r\nA: b\0c\r\n\r\n", 26, FALSE, HN_ERROR_PROTOCOL, NULL);
}

static void
test_upgrade_cancel (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Pair pair;

  pair_init (&pair);
  hn_http_upgrade_async (pair.client, "GET", "/derp", "x", "DERP", NULL, cancellable, on_upgraded,
                         &pair);
  turn ();
  g_cancellable_cancel (cancellable);
  wait_done (&pair);
  g_assert_error (pair.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  pair_clear (&pair);

  pair_init (&pair);
  hn_http_upgrade_async (pair.client, "GET", "/a\r\nb: c", "x", "DERP", NULL, NULL, on_upgraded,
                         &pair);
  wait_done (&pair);
  g_assert_error (pair.error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT);
  pair_clear (&pair);
}

/* @body NULL: the request must fail with @code. */
static void
expect_request (const char *method, const char *answer, gboolean close, const char *body, int code)
{
  Pair pair;

  pair_init (&pair);
  hn_http_request_async (pair.client, method, "/key?v=130", "h", 16, NULL, on_requested, &pair);
  turn ();
  g_free (read_some (pair.server));
  say (&pair, answer, -1);
  if (close)
    g_assert_true (g_io_stream_close (pair.server, NULL, NULL));
  wait_done (&pair);
  if (body == NULL)
    g_assert_error (pair.error, HN_ERROR, code);
  else
    {
      g_assert_no_error (pair.error);
      g_assert_cmpmem (g_bytes_get_data (pair.response->body, NULL),
                       g_bytes_get_size (pair.response->body), body, strlen (body));
    }
  pair_clear (&pair);
}

static void
test_request (void)
{
  expect_request ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", FALSE, "hello", 0);
  expect_request ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", FALSE, "", 0);
  expect_request ("GET", "HTTP/1.0 200\r\n\r\nhello", TRUE, "hello", 0);
  expect_request ("GET", "HTTP/1.1 204 x\r\n\r\n", FALSE, "", 0);
  expect_request ("HEAD", "HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\n", FALSE, "", 0);
  expect_request ("GET",
                  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\na",
                  FALSE, "a", 0);
  expect_request ("GET",
                  "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0A\r\n"
                  "0123456789\r\n0\r\nTrailer: x\r\n\r\n",
                  FALSE, "abc0123456789", 0);
  expect_request ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n", FALSE, NULL,
                  HN_ERROR_PROTOCOL);
  expect_request ("GET", "HTTP/1.1 200 OK\r\n\r\n12345678901234567", FALSE, NULL,
                  HN_ERROR_PROTOCOL);
  expect_request ("GET",
                  "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"
                  "12345678901234567",
                  FALSE, NULL, HN_ERROR_PROTOCOL);
  expect_request ("GET", "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab", FALSE, NULL,
                  HN_ERROR_PROTOCOL);
  expect_request ("GET", "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", FALSE, NULL,
                  HN_ERROR_PROTOCOL);
  expect_request ("GET", "HTTP/1.1 200 x\r\nTransfer-Encoding: gzip\r\n\r\n", FALSE, NULL,
                  HN_ERROR_PROTOCOL);
  expect_request ("GET", "HTTP/1.1 200 x\r\nContent-Length: -1\r\n\r\n", FALSE, NULL,
                  HN_ERROR_PROTOCOL);
  expect_request ("GET", "HTTP/1.1 200 x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", FALSE,
                  NULL, HN_ERROR_PROTOCOL);
  expect_request ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", TRUE, NULL,
                  HN_ERROR_CONNECTION_LOST);
}

/* Any split of the bytes gives the same answer. */
static void
test_splits (void)
{
  const char *text
      = "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nrest";
  gsize len = strlen (text);

  for (gsize cut = 0; cut <= len; cut++)
    {
      g_autoptr (HnHttpParser) parser = hn_http_parser_new (FALSE, 100, FALSE);
      g_autoptr (HnHttpResponse) response = NULL;
      gsize a = 0, b = 0;

      g_assert_true (hn_http_parser_feed (parser, (const guint8 *) text, cut, &a, NULL));
      g_assert_true (
          hn_http_parser_feed (parser, (const guint8 *) text + cut, len - cut, &b, NULL));
      g_assert_true (hn_http_parser_is_done (parser));
      g_assert_cmpuint (a + b, ==, len - 4);
      response = hn_http_parser_steal (parser);
      g_assert_cmpmem (g_bytes_get_data (response->body, NULL), g_bytes_get_size (response->body),
                       "abcde", 5);
    }
}

static void
test_format_host (void)
{
  g_autofree char *a = hn_http_format_host ("hs.test", 443, TRUE);
  g_autofree char *b = hn_http_format_host ("hs.test", 443, FALSE);
  g_autofree char *c = hn_http_format_host ("fd7a::1", 8080, FALSE);
  g_autofree char *d = hn_http_format_host ("fd7a::1", 80, FALSE);

  g_assert_cmpstr (a, ==, "hs.test");
  g_assert_cmpstr (b, ==, "hs.test:443");
  g_assert_cmpstr (c, ==, "[fd7a::1]:8080");
  g_assert_cmpstr (d, ==, "[fd7a::1]");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/net/http/request-text", test_request_text);
  g_test_add_data_func ("/net/http/leftover/one-segment", GINT_TO_POINTER (FALSE), test_leftover);
  g_test_add_data_func ("/net/http/leftover/bytewise", GINT_TO_POINTER (TRUE), test_leftover);
  g_test_add_func ("/net/http/upgrade-refused", test_upgrade_refused);
  g_test_add_func ("/net/http/upgrade-malformed", test_upgrade_malformed);
  g_test_add_func ("/net/http/upgrade-cancel", test_upgrade_cancel);
  g_test_add_func ("/net/http/request", test_request);
  g_test_add_func ("/net/http/splits", test_splits);
  g_test_add_func ("/net/http/format-host", test_format_host);
  return g_test_run ();
}
