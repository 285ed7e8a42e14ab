/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No dial rests on what another one accepted. GIO resumes TLS sessions, without a look at the
 * certificate, except in programs that use g_test_init(): so this one does not.
 */
#include <gio/gio.h>
#include <stdio.h>
#include <string.h>

#include "base/hn-error.h"
#include "net/hn-dialer.h"

/* See test-dialer.c. */
const char *__asan_default_options (void) __attribute__ ((visibility ("default")));

const char *
__asan_default_options (void)
{
  return "intercept_tls_get_addr=0";
}

static GTlsCertificate *
load (const char *name)
{
  g_autofree char *path = g_strdup_printf ("%s/%s", TEST_CERTS, name);
  g_autoptr (GError) error = NULL;
  GTlsCertificate *certificate = g_tls_certificate_new_from_file (path, &error);

  g_assert_no_error (error);
  return certificate;
}

/* Blocks in a thread of its own: TLS, one byte each way. */
static gboolean
on_run (GThreadedSocketService *service, GSocketConnection *connection, GObject *source,
        gpointer data)
{
  g_autoptr (GIOStream) stream = g_tls_server_connection_new (G_IO_STREAM (connection), data, NULL);
  char c = 'y';

  if (g_tls_connection_handshake (G_TLS_CONNECTION (stream), NULL, NULL)
      && g_input_stream_read (g_io_stream_get_input_stream (stream), &c, 1, NULL, NULL) == 1)
    g_output_stream_write_all (g_io_stream_get_output_stream (stream), &c, 1, NULL, NULL, NULL);
  return TRUE;
}

static void
on_dialled (GObject *source, GAsyncResult *result, gpointer data)
{
  *(GAsyncResult **) data = g_object_ref (result);
}

/* Dials, and exchanges a byte so that tickets arrive. */
static gboolean
dial (const char *ca, const HnDialTarget *target, GError **error)
{
  g_autoptr (HnDialer) dialer = hn_dialer_new (ca, 0, NULL);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GIOStream) stream = NULL;
  char c = 'x';

  hn_dialer_connect_async (dialer, target, NULL, NULL, NULL, on_dialled, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  stream = hn_dialer_connect_finish (dialer, result, error);
  if (stream == NULL)
    return FALSE;
  g_assert_true (
      g_output_stream_write_all (g_io_stream_get_output_stream (stream), &c, 1, NULL, NULL, error));
  g_assert_cmpint (g_input_stream_read (g_io_stream_get_input_stream (stream), &c, 1, NULL, error),
                   ==, 1);
  return TRUE;
}

int
main (void)
{
  g_autofree char *path = g_strdup_printf ("%s/root.pem", TEST_CERTS);
  g_autofree char *other_path = g_strdup_printf ("%s/other-root.pem", TEST_CERTS);
  g_autofree char *ca = NULL;
  g_autofree char *other_ca = NULL;
  g_autoptr (GTlsCertificate) certificate = load ("good.pem");
  g_autoptr (GSocketService) service = g_threaded_socket_service_new (2);
  HnDialTarget target = { .host = "127.0.0.1", .tls_name = "hs.test", .tls = TRUE };

  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  g_assert_true (g_file_get_contents (path, &ca, NULL, NULL));
  g_assert_true (g_file_get_contents (other_path, &other_ca, NULL, NULL));
  target.port = g_socket_listener_add_any_inet_port (G_SOCKET_LISTENER (service), NULL, NULL);
  g_signal_connect (service, "run", G_CALLBACK (on_run), certificate);
  printf ("1..3\n");
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (GError) error = NULL;

      target.tls_insecure = i == 2;
      g_assert_true (dial (ca, &target, &error));
      g_assert_no_error (error);
      target.tls_insecure = FALSE;
      g_assert_false (dial (other_ca, &target, &error));
      g_assert_error (error, HN_ERROR, HN_ERROR_TLS_UNKNOWN_CA);
      printf ("ok %d /net/resumption/%d\n", i + 1, i);
    }
  g_socket_service_stop (service);
  g_socket_listener_close (G_SOCKET_LISTENER (service));
  return 0;
}
