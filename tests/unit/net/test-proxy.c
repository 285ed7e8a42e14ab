/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dialling through an HTTP proxy that GProxyResolver names, with a resolver of the test's own. */
#include <gio/gio.h>
#include <string.h>

#include "base/hn-error.h"
#include "net/hn-dialer.h"

static char *proxy_uri;        /* what the resolver says */
static char *asked_uri;        /* what it was asked for last */
static char *proxy_seen;       /* the CONNECT line */
static const char *proxy_says; /* the proxy's answer */

#define TEST_TYPE_RESOLVER (test_resolver_get_type ())
G_DECLARE_FINAL_TYPE (TestResolver, test_resolver, TEST, RESOLVER, GObject)
struct _TestResolver
{
  GObject parent_instance;
};
static void test_resolver_iface_init (GProxyResolverInterface *iface);
G_DEFINE_FINAL_TYPE_WITH_CODE (
    TestResolver, test_resolver, G_TYPE_OBJECT,
    G_IMPLEMENT_INTERFACE (G_TYPE_PROXY_RESOLVER, test_resolver_iface_init)
        g_io_extension_point_implement (G_PROXY_RESOLVER_EXTENSION_POINT_NAME, g_define_type_id,
                                        "headnet-test", 1000))

static gboolean
is_supported (GProxyResolver *resolver)
{
  return TRUE;
}

static char **
lookup (GProxyResolver *resolver, const char *uri, GCancellable *cancellable, GError **error)
{
  char **uris = g_new0 (char *, 2);

  g_free (asked_uri);
  asked_uri = g_strdup (uri);
  uris[0] = g_strdup (proxy_uri);
  return uris;
}

static void
lookup_async (GProxyResolver *resolver, const char *uri, GCancellable *cancellable,
              GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (resolver, cancellable, callback, data);

  g_task_return_pointer (task, lookup (resolver, uri, NULL, NULL), (GDestroyNotify) g_strfreev);
}

static char **
lookup_finish (GProxyResolver *resolver, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
test_resolver_iface_init (GProxyResolverInterface *iface)
{
  iface->is_supported = is_supported;
  iface->lookup = lookup;
  iface->lookup_async = lookup_async;
  iface->lookup_finish = lookup_finish;
}

static void
test_resolver_class_init (TestResolverClass *klass)
{
}

static void
test_resolver_init (TestResolver *self)
{
}

/* Answers one CONNECT as told, and then speaks as the server behind. */
static gboolean
on_run (GThreadedSocketService *service, GSocketConnection *connection, GObject *source,
        gpointer data)
{
  GInputStream *input = g_io_stream_get_input_stream (G_IO_STREAM (connection));
  GOutputStream *output = g_io_stream_get_output_stream (G_IO_STREAM (connection));
  g_autoptr (GString) request = g_string_new (NULL);
  char c;

  while (!g_str_has_suffix (request->str, "\r\n\r\n")
         && g_input_stream_read (input, &c, 1, NULL, NULL) == 1)
    g_string_append_c (request, c);
  proxy_seen = g_strndup (request->str, strcspn (request->str, "\r"));
  g_output_stream_write_all (output, proxy_says, strlen (proxy_says), NULL, NULL, NULL);
  while (g_input_stream_read (input, &c, 1, NULL, NULL) == 1)
    ;
  return TRUE;
}

typedef struct
{
  GIOStream *stream;
  GError *error;
  char *detail;
  gboolean done;
} Outcome;

static void
on_progress (HnDialStep step, gint64 elapsed_us, const char *detail, gpointer data)
{
  Outcome *outcome = data;

  if (step == HN_DIAL_CONNECT)
    outcome->detail = g_strdup (detail);
}

static void
on_dialled (GObject *source, GAsyncResult *result, gpointer data)
{
  Outcome *outcome = data;

  outcome->stream = hn_dialer_connect_finish (HN_DIALER (source), result, &outcome->error);
  outcome->done = TRUE;
}

/* @code -1: it works. */
static void
expect (const char *says, gboolean with_literal, int code)
{
  g_autoptr (GSocketService) service = g_threaded_socket_service_new (2);
  g_autoptr (HnDialer) dialer = hn_dialer_new (NULL, 0, NULL);
  HnDialTarget target = { .host = "hs.invalid", .port = 8080, .timeout_s = 5 };
  Outcome outcome = { 0 };
  HnIp literal;
  guint16 port = g_socket_listener_add_any_inet_port (G_SOCKET_LISTENER (service), NULL, NULL);
  g_autofree char *address = g_strdup_printf ("127.0.0.1:%u", port);

  g_signal_connect (service, "run", G_CALLBACK (on_run), NULL);
  g_free (proxy_uri);
  proxy_uri = g_strconcat ("http://", address, NULL);
  proxy_says = says != NULL ? says : "";
  if (says == NULL)
    {
      g_socket_service_stop (service);
      g_socket_listener_close (G_SOCKET_LISTENER (service));
    }
  g_assert_true (hn_ip_parse ("192.0.2.1", &literal));
  if (with_literal)
    {
      target.literals = &literal;
      target.n_literals = 1;
    }
  hn_dialer_connect_async (dialer, &target, on_progress, &outcome, NULL, on_dialled, &outcome);
  while (!outcome.done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (asked_uri, ==, "http://hs.invalid:8080");
  if (code < 0)
    {
      g_assert_no_error (outcome.error);
      g_assert_cmpstr (proxy_seen, ==, "CONNECT hs.invalid:8080 HTTP/1.0");
      g_assert_cmpstr (outcome.detail, ==, address);
    }
  else
    {
      g_assert_error (outcome.error, HN_ERROR, code);
      g_assert_nonnull (strstr (outcome.error->message, "hs.invalid"));
      g_assert_nonnull (strstr (outcome.error->message, address));
    }
  g_clear_object (&outcome.stream);
  g_clear_error (&outcome.error);
  g_free (outcome.detail);
  g_clear_pointer (&proxy_seen, g_free);
  g_socket_service_stop (service);
  g_socket_listener_close (G_SOCKET_LISTENER (service));
}

static void
test_proxy (void)
{
  expect ("HTTP/1.0 200 Connection established\r\n\r\n", FALSE, -1);
  expect ("HTTP/1.0 200 Connection established\r\n\r\n", TRUE, -1);
  expect ("HTTP/1.0 403 Forbidden\r\n\r\n", FALSE, HN_ERROR_PROXY);
  expect ("HTTP/1.0 407 Proxy Authentication Required\r\n\r\n", FALSE, HN_ERROR_PROXY);
  expect (NULL, FALSE, HN_ERROR_PROXY); /* nobody there */
}

int
main (int argc, char **argv)
{
  int status;

  g_setenv ("GIO_USE_PROXY_RESOLVER", "headnet-test", TRUE);
  g_test_init (&argc, &argv, NULL);
  /* GIO registers its extension points when one is asked for. */
  g_assert_nonnull (g_vfs_get_default ());
  g_type_ensure (TEST_TYPE_RESOLVER);
  g_test_add_func ("/net/proxy/connect", test_proxy);
  status = g_test_run ();
  g_free (proxy_uri);
  g_free (asked_uri);
  return status;
}
