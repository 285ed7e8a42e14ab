/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "path/hn-netcheck-http.h"

/* The leak check of GCC 12 crashes over the thread-local storage of TLS modules that were loaded at
 * run time; without this one book-keeping it works. */
const char *__asan_default_options (void) __attribute__ ((visibility ("default")));

const char *
__asan_default_options (void)
{
  return "intercept_tls_get_addr=0";
}

#define RELAY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* A server that says the same to everybody; NULL: nothing. */
typedef struct
{
  GSocketService *service;
  GTlsCertificate *certificate; /* nullable */
  guint16 port;
  const char *answer;
  GMutex mutex;
  GCond cond;
  guint running;
  guint asked;
  char request[512];
} Server;

typedef struct
{
  Server server;
  HnDialer *dialer;
  HnNetcheckHttp *http;
  guint done;
  int region;
  gint64 latency_us;
  gboolean portal;
  gboolean again;
} Fixture;

static gboolean
on_run (GThreadedSocketService *service, GSocketConnection *connection, GObject *source,
        gpointer data)
{
  Server *server = data;
  g_autoptr (GIOStream) stream = NULL;
  char request[512] = "";
  gsize len = 0;

  if (server->certificate != NULL)
    stream = g_tls_server_connection_new (G_IO_STREAM (connection), server->certificate, NULL);
  else
    stream = g_object_ref (G_IO_STREAM (connection));
  while (len + 1 < sizeof request && strstr (request, "\r\n\r\n") == NULL)
    {
      gssize n = g_input_stream_read (g_io_stream_get_input_stream (stream), request + len, 1, NULL,
                                      NULL);

      if (n <= 0)
        break;
      len += n;
    }
  g_mutex_lock (&server->mutex);
  memcpy (server->request, request, sizeof request);
  server->asked += len > 0 ? 1 : 0;
  g_mutex_unlock (&server->mutex);
  if (len > 0 && server->answer != NULL)
    g_output_stream_write_all (g_io_stream_get_output_stream (stream), server->answer,
                               strlen (server->answer), NULL, NULL, NULL);
  else
    g_input_stream_read (g_io_stream_get_input_stream (stream), request, 1, NULL, NULL);
  g_io_stream_close (G_IO_STREAM (connection), NULL, NULL);
  g_mutex_lock (&server->mutex);
  server->running--;
  g_cond_broadcast (&server->cond);
  g_mutex_unlock (&server->mutex);
  return TRUE;
}

/* In the main thread, before the worker has it. */
static gboolean
on_incoming (GSocketService *service, GSocketConnection *connection, GObject *source, gpointer data)
{
  Server *server = data;

  g_mutex_lock (&server->mutex);
  server->running++;
  g_mutex_unlock (&server->mutex);
  return FALSE;
}

static gboolean
server_open (Server *server, guint16 port, gboolean tls, const char *answer)
{
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (loopback, port);
  g_autoptr (GSocketAddress) bound = NULL;

  memset (server, 0, sizeof *server);
  server->answer = answer;
  server->service = g_threaded_socket_service_new (16);
  if (!g_socket_listener_add_address (G_SOCKET_LISTENER (server->service), address,
                                      G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL, &bound,
                                      NULL))
    {
      g_clear_object (&server->service);
      return FALSE;
    }
  server->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  if (tls)
    {
      server->certificate = g_tls_certificate_new_from_file (TEST_CERTS "/good.pem", NULL);
      g_assert_nonnull (server->certificate);
    }
  g_mutex_init (&server->mutex);
  g_cond_init (&server->cond);
  g_signal_connect (server->service, "incoming", G_CALLBACK (on_incoming), server);
  g_signal_connect (server->service, "run", G_CALLBACK (on_run), server);
  return TRUE;
}

static void
server_close (Server *server)
{
  if (server->service == NULL)
    return;
  g_socket_service_stop (server->service);
  g_socket_listener_close (G_SOCKET_LISTENER (server->service));
  g_mutex_lock (&server->mutex);
  while (server->running > 0)
    g_cond_wait (&server->cond, &server->mutex);
  g_mutex_unlock (&server->mutex);
  g_clear_object (&server->service);
  g_clear_object (&server->certificate);
  g_mutex_clear (&server->mutex);
  g_cond_clear (&server->cond);
}

static HnDerpRegion *
make_region (Fixture *f, gboolean port_80)
{
  HnDerpRegion *region = g_new0 (HnDerpRegion, 1);

  region->id = 7;
  region->n_nodes = 1;
  region->nodes = g_new0 (HnDerpNode, 1);
  region->nodes[0].name = g_strdup ("7a");
  region->nodes[0].host_name = g_strdup ("127.0.0.1");
  if (f->server.certificate != NULL)
    region->nodes[0].cert_name = g_strdup ("hs.test");
  region->nodes[0].derp_port = f->server.port;
  region->nodes[0].can_port_80 = port_80;
  return region;
}

static void
on_done (gpointer user, int region, gint64 latency_us, gboolean portal)
{
  Fixture *f = user;

  f->done++;
  f->region = region;
  f->latency_us = latency_us;
  f->portal = portal;
  if (f->again)
    {
      HnDerpRegion *again = make_region (f, FALSE);

      f->again = FALSE;
      hn_netcheck_http_measure (f->http, again);
      hn_derp_regions_free (again, 1);
    }
}

static void
fixture_open (Fixture *f, gboolean tls, gboolean trusted, const char *answer)
{
  g_autofree char *ca = NULL;
  g_autofree char *url = NULL;
  g_autoptr (GError) error = NULL;

  memset (f, 0, sizeof *f);
  g_assert_true (server_open (&f->server, 0, tls, answer));
  g_file_get_contents (trusted ? TEST_CERTS "/root.pem" : TEST_CERTS "/other-root.pem", &ca, NULL,
                       &error);
  g_assert_no_error (error);
  f->dialer = hn_dialer_new (ca, 0, &error);
  g_assert_no_error (error);
  url = g_strdup_printf ("%s://127.0.0.1:%u", tls ? "https" : "http", f->server.port);
  f->http = hn_netcheck_http_new (f->dialer, url, on_done, f);
}

static void
fixture_close (Fixture *f)
{
  hn_netcheck_http_free (f->http);
  /* Whatever was under way still comes back, to nobody. */
  while (g_main_context_iteration (NULL, FALSE))
    ;
  server_close (&f->server);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_clear_object (&f->dialer);
}

static void
measure (Fixture *f, gboolean port_80)
{
  HnDerpRegion *region = make_region (f, port_80);
  guint done = f->done;

  hn_netcheck_http_measure (f->http, region);
  hn_derp_regions_free (region, 1);
  while (f->done == done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (f->done, ==, done + 1);
  g_assert_cmpint (f->region, ==, 7);
}

static void
test_answers (void)
{
  static const struct
  {
    const char *answer;
    gboolean good;
    gboolean portal;
  } rows[] = {
    { RELAY, TRUE, FALSE },
    { "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n", TRUE, FALSE },
    { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", TRUE, FALSE },
    { "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", FALSE,
      TRUE },
    { "HTTP/1.1 302 Found\r\nLocation: http://login/\r\nContent-Length: 0\r\n\r\n", FALSE, TRUE },
    { "HTTP/1.1 511 Log in\r\nContent-Length: 0\r\n\r\n", FALSE, TRUE },
    { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", FALSE, FALSE },
    { "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", FALSE, FALSE },
    { "SSH-2.0-OpenSSH_9.2\r\n", FALSE, TRUE },
    { "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n<html>", FALSE, TRUE },
    { "", FALSE, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      Fixture f;

      fixture_open (&f, FALSE, TRUE, rows[i].answer);
      measure (&f, FALSE);
      if (rows[i].good)
        g_assert_cmpint (f.latency_us, >, 0);
      else
        g_assert_cmpint (f.latency_us, ==, 0);
      g_assert_cmpint (f.portal, ==, rows[i].portal);
      g_assert_true (g_str_has_prefix (f.server.request, "GET /derp/latency-check HTTP/1.1\r\n"));
      fixture_close (&f);
    }
}

static void
test_tls (void)
{
  Fixture f;

  fixture_open (&f, TRUE, TRUE, RELAY);
  measure (&f, FALSE);
  g_assert_cmpint (f.latency_us, >, 0);
  fixture_close (&f);

  /* It proved its name: what it says is its own, not a portal's. */
  fixture_open (&f, TRUE, TRUE, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n");
  measure (&f, FALSE);
  g_assert_cmpint (f.latency_us, ==, 0);
  g_assert_false (f.portal);
  fixture_close (&f);

  fixture_open (&f, TRUE, FALSE, RELAY);
  measure (&f, FALSE);
  g_assert_cmpint (f.latency_us, ==, 0);
  g_assert_false (f.portal);
  fixture_close (&f);
}

/* Somebody sits before the TLS port; on port 80 it shows. */
static void
test_portal (void)
{
  Fixture f;
  Server portal;

  fixture_open (&f, TRUE, FALSE, RELAY);
  if (!server_open (&portal, 80, FALSE, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"))
    {
      fixture_close (&f);
      g_test_skip ("port 80 is not to be had");
      return;
    }
  measure (&f, TRUE);
  g_assert_true (f.portal);
  g_assert_true (g_str_has_prefix (portal.request, "GET /generate_204 HTTP/1.1\r\n"));
  portal.answer = "HTTP/1.1 204 No Content\r\n\r\n";
  measure (&f, TRUE);
  g_assert_false (f.portal);
  g_assert_cmpint (f.latency_us, ==, 0);
  fixture_close (&f);
  server_close (&portal);
}

static void
test_refused (void)
{
  Fixture f;

  fixture_open (&f, FALSE, TRUE, RELAY);
  server_close (&f.server);
  measure (&f, FALSE);
  g_assert_cmpint (f.latency_us, ==, 0);
  g_assert_false (f.portal);
  fixture_close (&f);
}

/* Given up before and after the connection stands; nobody hears of it. */
static void
test_cancel (void)
{
  for (guint round = 0; round < 6; round++)
    {
      Fixture f;
      HnDerpRegion *region;
      const guint n = round % 2 == 0 ? 3 : 1;

      fixture_open (&f, round % 2, TRUE, NULL);
      region = make_region (&f, FALSE);
      for (guint i = 0; i < n; i++)
        hn_netcheck_http_measure (f.http, region);
      hn_derp_regions_free (region, 1);
      for (;;)
        {
          guint asked;

          g_mutex_lock (&f.server.mutex);
          asked = f.server.asked;
          g_mutex_unlock (&f.server.mutex);
          if (round < 2 || asked == n)
            break;
          if (!g_main_context_iteration (NULL, FALSE))
            g_usleep (500);
        }
      if (round < 4)
        hn_netcheck_http_cancel (f.http);
      fixture_close (&f);
      g_assert_cmpuint (f.done, ==, 0);
    }
}

static void
test_again (void)
{
  Fixture f;

  fixture_open (&f, FALSE, TRUE, RELAY);
  f.again = TRUE;
  measure (&f, FALSE);
  while (f.done < 2)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (f.latency_us, >, 0);
  fixture_close (&f);
}

/* No node to ask, and too many questions: answered at once. */
static void
test_bounded (void)
{
  Fixture f;
  HnDerpRegion nothing = { .id = 7 };
  HnDerpRegion *region;

  fixture_open (&f, FALSE, TRUE, NULL);
  hn_netcheck_http_measure (f.http, &nothing);
  g_assert_cmpuint (f.done, ==, 1);
  region = make_region (&f, FALSE);
  for (guint i = 0; i < 70; i++)
    hn_netcheck_http_measure (f.http, region);
  hn_derp_regions_free (region, 1);
  g_assert_cmpuint (f.done, ==, 1 + 6);
  g_assert_cmpint (f.latency_us, ==, 0);
  fixture_close (&f);
}

int
main (int argc, char **argv)
{
  g_setenv ("no_proxy", "*", TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/path/netcheck-http/answers", test_answers);
  g_test_add_func ("/path/netcheck-http/tls", test_tls);
  g_test_add_func ("/path/netcheck-http/portal", test_portal);
  g_test_add_func ("/path/netcheck-http/refused", test_refused);
  g_test_add_func ("/path/netcheck-http/cancel", test_cancel);
  g_test_add_func ("/path/netcheck-http/again", test_again);
  g_test_add_func ("/path/netcheck-http/bounded", test_bounded);
  return g_test_run ();
}
