/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dialling on loopback: which certificates are accepted, which steps are told, how failures end. */
#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/hn-error.h"
#include "net/hn-dialer.h"
#include "net/hn-tls-trust.h"

/* The leak check of GCC 12 crashes over the thread-local storage of TLS modules that were loaded at
 * run time; without this one book-keeping it works. */
const char *__asan_default_options (void) __attribute__ ((visibility ("default")));

const char *
__asan_default_options (void)
{
  return "intercept_tls_get_addr=0";
}

/* Two certificates that are each other's issuer hold each other, in GIO's module, for good. */
const char *__lsan_default_suppressions (void) __attribute__ ((visibility ("default")));

const char *
__lsan_default_suppressions (void)
{
  return "leak:libgiognutls.so";
}

/* A server on loopback that does TLS with a certificate file, or nothing at all with NULL. */
typedef struct
{
  GSocketService *service;
  GTlsCertificate *certificate;
  guint16 port;
  GPtrArray *connections;
  const char *talk; /* sent in place of TLS */
} Server;

static char *
read_cert (const char *name)
{
  g_autofree char *path = g_strdup_printf ("%s/%s", TEST_CERTS, name);
  g_autoptr (GError) error = NULL;
  char *text = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

static gboolean
on_incoming (GSocketService *service, GSocketConnection *connection, GObject *source, gpointer data)
{
  Server *server = data;
  GIOStream *stream;

  if (server->talk != NULL)
    g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (connection)),
                               server->talk, strlen (server->talk), NULL, NULL, NULL);
  if (server->certificate == NULL)
    {
      g_ptr_array_add (server->connections, g_object_ref (connection));
      return TRUE;
    }
  stream = g_tls_server_connection_new (G_IO_STREAM (connection), server->certificate, NULL);
  g_ptr_array_add (server->connections, stream);
  g_tls_connection_handshake_async (G_TLS_CONNECTION (stream), 0, NULL, NULL, NULL);
  return TRUE;
}

static void
server_init (Server *server, const char *certificate)
{
  g_autoptr (GError) error = NULL;

  memset (server, 0, sizeof *server);
  if (certificate != NULL)
    {
      g_autofree char *path = g_strdup_printf ("%s/%s", TEST_CERTS, certificate);

      server->certificate = g_tls_certificate_new_from_file (path, &error);
      g_assert_no_error (error);
    }
  server->connections = g_ptr_array_new_with_free_func (g_object_unref);
  server->service = g_socket_service_new ();
  server->port
      = g_socket_listener_add_any_inet_port (G_SOCKET_LISTENER (server->service), NULL, &error);
  g_assert_no_error (error);
  g_signal_connect (server->service, "incoming", G_CALLBACK (on_incoming), server);
}

static void
server_clear (Server *server)
{
  g_socket_service_stop (server->service);
  g_socket_listener_close (G_SOCKET_LISTENER (server->service));
  g_clear_object (&server->service);
  g_clear_pointer (&server->connections, g_ptr_array_unref);
  g_clear_object (&server->certificate);
}

typedef struct
{
  GIOStream *stream;
  GError *error;
  gboolean done;
  GString *steps;
} Outcome;

static void
outcome_clear (Outcome *outcome)
{
  g_clear_object (&outcome->stream);
  g_clear_error (&outcome->error);
  if (outcome->steps != NULL)
    g_string_free (outcome->steps, TRUE);
  memset (outcome, 0, sizeof *outcome);
}

static void
on_progress (HnDialStep step, gint64 elapsed_us, const char *detail, gpointer data)
{
  Outcome *outcome = data;

  g_assert_cmpint (elapsed_us, >=, 0);
  g_string_append_c (outcome->steps, "NCT"[step]);
}

static void
on_dialled (GObject *source, GAsyncResult *result, gpointer data)
{
  Outcome *outcome = data;

  outcome->stream = hn_dialer_connect_finish (HN_DIALER (source), result, &outcome->error);
  g_assert_false (hn_dialer_lost_address (outcome->stream));
  outcome->done = TRUE;
}

static void
dial (const char *ca, const HnDialTarget *target, GCancellable *cancellable, Outcome *outcome)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HnDialer) dialer = hn_dialer_new (ca, 0x680000, &error);

  g_assert_no_error (error);
  memset (outcome, 0, sizeof *outcome);
  outcome->steps = g_string_new (NULL);
  hn_dialer_connect_async (dialer, target, on_progress, outcome, cancellable, on_dialled, outcome);
  while (!outcome->done)
    g_main_context_iteration (NULL, TRUE);
}

/* @code -1: accepted. */
static void
expect_tls_with (const char *certificate, const char *ca, const HnDialTarget *wanted, int code)
{
  HnDialTarget target = *wanted;
  Outcome outcome;
  Server server;

  server_init (&server, certificate);
  target.port = server.port;
  target.tls = TRUE;
  dial (ca, &target, NULL, &outcome);
  if (code < 0)
    {
      g_assert_no_error (outcome.error);
      g_assert_true (G_IS_TLS_CONNECTION (outcome.stream));
      g_assert_nonnull (hn_dialer_get_socket (outcome.stream));
      g_assert_cmpstr (outcome.steps->str, ==, "NCT");
    }
  else
    {
      g_assert_error (outcome.error, HN_ERROR, code);
      g_assert_null (outcome.stream);
      g_assert_cmpstr (outcome.steps->str, ==, "NC");
    }
  outcome_clear (&outcome);
  server_clear (&server);
}

static void
expect_tls (const char *certificate, const char *ca_name, const char *tls_name, int code)
{
  g_autofree char *ca = read_cert (ca_name);
  HnDialTarget target = { .host = "127.0.0.1", .tls_name = tls_name };

  expect_tls_with (certificate, ca, &target, code);
}

static void
test_certificates (void)
{
  expect_tls ("good.pem", "root.pem", "hs.test", -1);
  expect_tls ("good.pem", "root.pem", NULL, -1); /* by the address in it */
  expect_tls ("chain.pem", "root.pem", "hs.test", -1);
  expect_tls ("self-signed.pem", "self-signed-ca.pem", "hs.test", -1); /* trusted itself */

  expect_tls ("good.pem", "other-root.pem", "hs.test", HN_ERROR_TLS_UNKNOWN_CA);
  expect_tls ("good.pem", "root.pem", "other.test", HN_ERROR_TLS_WRONG_NAME);
  expect_tls ("wrong-name.pem", "root.pem", "hs.test", HN_ERROR_TLS_WRONG_NAME);
  expect_tls ("wrong-name.pem", "root.pem", NULL, HN_ERROR_TLS_WRONG_NAME);
  expect_tls ("self-signed.pem", "self-signed-ca.pem", "other.test", HN_ERROR_TLS_WRONG_NAME);
  expect_tls ("expired.pem", "root.pem", "hs.test", HN_ERROR_TLS_EXPIRED);
  expect_tls ("future.pem", "root.pem", "hs.test", HN_ERROR_TLS_EXPIRED);
  expect_tls ("self-signed.pem", "root.pem", "hs.test", HN_ERROR_TLS_UNKNOWN_CA);
  expect_tls ("no-intermediate.pem", "root.pem", "hs.test", HN_ERROR_TLS_UNKNOWN_CA);
  expect_tls ("forged-issuer.pem", "root.pem", "hs.test", HN_ERROR_TLS_UNKNOWN_CA);
}

/* Which code it is matters less than that nothing gets through. */
static void
expect_refused (const char *certificate, const char *ca_name)
{
  g_autofree char *ca = read_cert (ca_name);
  HnDialTarget target = { .host = "127.0.0.1", .tls_name = "hs.test", .tls = TRUE };
  Outcome outcome;
  Server server;

  server_init (&server, certificate);
  target.port = server.port;
  dial (ca, &target, NULL, &outcome);
  g_assert_nonnull (outcome.error);
  g_assert_true (outcome.error->domain == HN_ERROR);
  g_assert_null (outcome.stream);
  g_test_message ("%s under %s: %s", certificate, ca_name, outcome.error->message);
  outcome_clear (&outcome);
  server_clear (&server);
}

static void
test_no_authority (void)
{
  expect_refused ("under-not-ca.pem", "root.pem");
  expect_refused ("under-not-ca.pem", "not-ca.pem");
  expect_refused ("expired-intermediate.pem", "root.pem");
}

/* What one dial accepted without a check must not let another one in. */
static void
test_no_resumption (void)
{
  g_autofree char *ca = read_cert ("root.pem");
  HnDialTarget target = { .host = "127.0.0.1", .tls_name = "hs.test", .tls = TRUE };
  Outcome outcome;
  Server server;

  server_init (&server, "self-signed.pem");
  target.port = server.port;
  for (int i = 0; i < 3; i++)
    {
      target.tls_insecure = TRUE;
      dial (ca, &target, NULL, &outcome);
      g_assert_no_error (outcome.error);
      /* Tickets come with the first data. */
      g_output_stream_write_all (g_io_stream_get_output_stream (outcome.stream), "x", 1, NULL, NULL,
                                 NULL);
      for (int n = 0; n < 50; n++)
        g_main_context_iteration (NULL, FALSE);
      outcome_clear (&outcome);

      target.tls_insecure = FALSE;
      dial (ca, &target, NULL, &outcome);
      g_assert_error (outcome.error, HN_ERROR, HN_ERROR_TLS_UNKNOWN_CA);
      outcome_clear (&outcome);
    }
  server_clear (&server);
}

/* Dialling again and again works, tickets or not. */
static void
test_again (void)
{
  g_autofree char *ca = read_cert ("root.pem");
  g_autofree char *other = read_cert ("other-root.pem");
  HnDialTarget target = { .host = "127.0.0.1", .tls_name = "hs.test", .tls = TRUE };
  Outcome outcome;
  Server server;

  server_init (&server, "good.pem");
  target.port = server.port;
  for (int i = 0; i < 4; i++)
    {
      dial (ca, &target, NULL, &outcome);
      g_assert_no_error (outcome.error);
      g_output_stream_write_all (g_io_stream_get_output_stream (outcome.stream), "x", 1, NULL, NULL,
                                 NULL);
      for (int n = 0; n < 50; n++)
        g_main_context_iteration (NULL, FALSE);
      outcome_clear (&outcome);
    }
  dial (other, &target, NULL, &outcome);
  g_assert_error (outcome.error, HN_ERROR, HN_ERROR_TLS_UNKNOWN_CA);
  outcome_clear (&outcome);
  server_clear (&server);
}

static void
expect_pin (const char *certificate, const char *hash_of, const char *host, const char *name,
            int code)
{
  g_autofree char *hash = read_cert (hash_of);
  g_autofree char *pin = g_strconcat ("sha256-raw:", g_strstrip (hash), NULL);
  HnDialTarget target = { .host = host, .tls_name = name, .tls_pin = pin };

  expect_tls_with (certificate, NULL, &target, code);
}

static void
test_pin (void)
{
  const HnDialTarget both = {
    .host = "127.0.0.1",
    .tls_pin = "sha256-raw:0000000000000000000000000000000000000000000000000000000000000000",
    .tls_insecure = TRUE,
  };

  expect_pin ("self-signed.pem", "self-signed.sha256", "127.0.0.1", "hs.test", -1);
  expect_pin ("self-signed.pem", "self-signed.sha256", "127.0.0.1", NULL, -1);
  expect_pin ("self-signed-meta.pem", "self-signed.sha256", "127.0.0.1", "hs.test", -1);
  expect_pin ("good.pem", "self-signed.sha256", "127.0.0.1", "hs.test", HN_ERROR_TLS_UNKNOWN_CA);
  expect_pin ("self-signed.pem", "self-signed.sha256", "127.0.0.1", "else.test",
              HN_ERROR_TLS_WRONG_NAME);
  expect_pin ("self-signed-expired.pem", "self-signed-expired.sha256", "127.0.0.1", "hs.test",
              HN_ERROR_TLS_EXPIRED);
  /* a pin holds for a relay that is marked insecure, too */
  expect_tls_with ("good.pem", NULL, &both, HN_ERROR_TLS_UNKNOWN_CA);
  g_assert_false (hn_tls_pin_is_valid ("sha256-raw:00"));
  g_assert_false (hn_tls_pin_is_valid ("sha256:00"));
}

/* Each certificate is the other's issuer: whoever follows that comes to no end. */
static void
test_loop (void)
{
  g_autofree char *path = g_strdup_printf ("%s/loop-root.pem", TEST_CERTS);
  HnDialTarget target = { .host = "127.0.0.1", .tls_name = "hs.test" };

  expect_tls ("loop.pem", "root.pem", "hs.test", HN_ERROR_TLS_UNKNOWN_CA);
  expect_tls ("loop.pem", "loop-root.pem", "hs.test", HN_ERROR_TLS_UNKNOWN_CA);
  g_setenv ("SSL_CERT_FILE", path, TRUE);
  expect_tls_with ("loop.pem", NULL, &target, HN_ERROR_TLS_UNKNOWN_CA);
  g_unsetenv ("SSL_CERT_FILE");
  expect_pin ("loop.pem", "loop.sha256", "127.0.0.1", "hs.test", HN_ERROR_TLS);
  target.tls_insecure = TRUE;
  expect_tls_with ("loop.pem", NULL, &target, -1);
}

static void
test_insecure (void)
{
  HnDialTarget target = { .host = "127.0.0.1", .tls_insecure = TRUE };

  expect_tls_with ("expired.pem", NULL, &target, -1);
}

static void
test_system_store (void)
{
  g_autofree char *path = g_strdup_printf ("%s/root.pem", TEST_CERTS);
  HnDialTarget target = { .host = "127.0.0.1", .tls_name = "hs.test" };

  g_setenv ("SSL_CERT_FILE", path, TRUE);
  expect_tls_with ("good.pem", NULL, &target, -1);
  expect_tls_with ("chain.pem", NULL, &target, -1);
  expect_tls_with ("self-signed.pem", NULL, &target, HN_ERROR_TLS_UNKNOWN_CA);
  expect_tls_with ("forged-issuer.pem", NULL, &target, HN_ERROR_TLS_UNKNOWN_CA);
  expect_tls_with ("expired.pem", NULL, &target, HN_ERROR_TLS_EXPIRED);
  expect_tls_with ("wrong-name.pem", NULL, &target, HN_ERROR_TLS_WRONG_NAME);
  g_setenv ("SSL_CERT_FILE", "/nonexistent", TRUE);
  expect_tls_with ("good.pem", NULL, &target, HN_ERROR_TLS);
  g_unsetenv ("SSL_CERT_FILE");
}

static void
test_ca_text (void)
{
  g_autofree char *root = read_cert ("root.pem");
  g_autofree char *other = read_cert ("other-root.pem");
  g_autofree char *both = g_strconcat ("a comment\n", other, "\n", root, NULL);
  g_autofree char *cut = g_strndup (root, strlen (root) - 40);
  const char *const bad[]
      = { "", "rubbish", cut, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" };
  HnDialTarget target = { .host = "127.0.0.1", .tls_name = "hs.test" };

  expect_tls_with ("good.pem", both, &target, -1);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (hn_dialer_new (bad[i], 0, &error));
      g_assert_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT);
    }
}

static void
expect_failure (const HnDialTarget *target, int code, const char *part)
{
  Outcome outcome;

  dial (NULL, target, NULL, &outcome);
  g_assert_error (outcome.error, HN_ERROR, code);
  g_assert_nonnull (strstr (outcome.error->message, part));
  outcome_clear (&outcome);
}

static void
test_failures (void)
{
  Server server;
  HnDialTarget target = { .host = "127.0.0.1", .tls = TRUE, .tls_insecure = TRUE };

  server_init (&server, NULL);
  server_clear (&server);
  target.port = server.port;
  expect_failure (&target, HN_ERROR_CONNECTION_REFUSED, "127.0.0.1");

  server_init (&server, NULL);
  server.talk = "SSH-2.0-test\r\n";
  target.port = server.port;
  expect_failure (&target, HN_ERROR_TLS, "127.0.0.1");
  server.talk = NULL;
  target.timeout_s = 1;
  expect_failure (&target, HN_ERROR_TIMEOUT, "127.0.0.1");
  server_clear (&server);

  target.host = "name.invalid";
  target.timeout_s = 5;
  expect_failure (&target, HN_ERROR_UNKNOWN_HOST, "name.invalid");
  target.host = "a b";
  expect_failure (&target, HN_ERROR_INVALID_ARGUMENT, "a b");
  target.host = "user@127.0.0.1";
  expect_failure (&target, HN_ERROR_INVALID_ARGUMENT, "user@");
  target.host = "127.0.0.1";
  target.port = 0;
  expect_failure (&target, HN_ERROR_INVALID_ARGUMENT, "port 0");
}

static void
test_plain (void)
{
  g_autoptr (GError) error = NULL;
  HnIp literals[2];
  HnDialTarget target = { .host = "relay.invalid", .literals = literals, .n_literals = 2 };
  Outcome outcome;
  Server server;
  int nodelay = 0;

  server_init (&server, NULL);
  g_assert_true (hn_ip_parse ("127.0.0.99", &literals[0]));
  g_assert_true (hn_ip_parse ("127.0.0.1", &literals[1]));
  /* The name is never looked up. The first address answers as well: all of 127/8 is this host. */
  target.port = server.port;
  dial (NULL, &target, NULL, &outcome);
  g_assert_no_error (outcome.error);
  g_assert_cmpstr (outcome.steps->str, ==, "NC");
  g_socket_get_option (g_socket_connection_get_socket (G_SOCKET_CONNECTION (outcome.stream)), 6, 1,
                       &nodelay, &error);
  g_assert_no_error (error);
  g_assert_cmpint (nodelay, !=, 0);
  outcome_clear (&outcome);
  server_clear (&server);
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
  HnDialTarget target = { .host = "127.0.0.1", .tls = TRUE, .tls_insecure = TRUE };
  Outcome outcome;
  Server server;

  server_init (&server, NULL);
  target.port = server.port;
  g_timeout_add (50, on_cancel, cancellable);
  dial (NULL, &target, cancellable, &outcome);
  g_assert_error (outcome.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  outcome_clear (&outcome);
  dial (NULL, &target, cancellable, &outcome); /* cancelled before it began */
  g_assert_error (outcome.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  outcome_clear (&outcome);
  server_clear (&server);
}

int
main (int argc, char **argv)
{
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/net/dialer/certificates", test_certificates);
  g_test_add_func ("/net/dialer/no-authority", test_no_authority);
  g_test_add_func ("/net/dialer/no-resumption", test_no_resumption);
  g_test_add_func ("/net/dialer/again", test_again);
  g_test_add_func ("/net/dialer/pin", test_pin);
  g_test_add_func ("/net/dialer/loop", test_loop);
  g_test_add_func ("/net/dialer/insecure", test_insecure);
  g_test_add_func ("/net/dialer/system-store", test_system_store);
  g_test_add_func ("/net/dialer/ca-text", test_ca_text);
  g_test_add_func ("/net/dialer/failures", test_failures);
  g_test_add_func ("/net/dialer/plain", test_plain);
  g_test_add_func ("/net/dialer/cancel", test_cancel);
  return g_test_run ();
}
