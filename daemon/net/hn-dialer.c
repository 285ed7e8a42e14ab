/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/hn-dialer.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "base/hn-source.h"
#include "net/hn-literal-addresses.h"
#include "net/hn-prefixed-stream.h"
#include "net/hn-tls-distrust.h"
#include "net/hn-tls-trust.h"

#define DEFAULT_TIMEOUT_S 10

struct _HnDialer
{
  GObject parent_instance;

  GTlsDatabase *authorities; /* owned; NULL: the system's store */
  guint32 mark;
};

G_DEFINE_FINAL_TYPE (HnDialer, hn_dialer, G_TYPE_OBJECT)

/* One dial. It lives as the task's data and dies with it; everything that could call back into it
 * is taken down in dial_end(), before the task returns. */
typedef struct
{
  HnDialer *dialer; /* owned by the task */
  char *host;
  char *where;    /* "host:port" for messages */
  char *tls_name; /* NULL: host */
  char *tls_pin;
  guint16 port;
  gboolean tls;
  gboolean tls_insecure;
  guint timeout_s;

  HnDialProgress progress;
  gpointer progress_data;
  gint64 step_us; /* when the step began that runs */

  GSocketClient *client;
  gulong event_id;
  GIOStream *base;         /* TCP, until TLS is done over it */
  GTlsConnection *secured; /* while its handshake runs */
  gulong accept_id;
  GSocketConnectable *identity;
  GTlsCertificate *accepted;  /* the certificate that was verified */
  GTlsCertificateFlags flags; /* what was wrong with it */
  GError *trust_error;        /* why it could not be told */

  GCancellable *inner;   /* what the steps listen to: the caller's wish or the timeout */
  GSource *outer_source; /* on the caller's cancellable */
  GSource *timeout_source;
  gboolean timed_out;
  gboolean name_reported;
  char *proxy; /* "host:port" of the proxy on the way, if any */
} Dial;

static void
dial_end (Dial *dial)
{
  hn_source_clear (&dial->outer_source);
  hn_source_clear (&dial->timeout_source);
  if (dial->client != NULL)
    g_clear_signal_handler (&dial->event_id, dial->client);
  if (dial->secured != NULL)
    g_clear_signal_handler (&dial->accept_id, dial->secured);
  dial->progress = NULL;
}

static void
dial_free (gpointer data)
{
  Dial *dial = data;

  dial_end (dial);
  g_clear_object (&dial->client);
  g_clear_object (&dial->secured);
  g_clear_object (&dial->base);
  g_clear_object (&dial->inner);
  g_clear_object (&dial->identity);
  g_clear_object (&dial->accepted);
  g_clear_error (&dial->trust_error);
  g_free (dial->host);
  g_free (dial->where);
  g_free (dial->tls_name);
  g_free (dial->tls_pin);
  g_free (dial->proxy);
  g_free (dial);
}

static void
report (Dial *dial, HnDialStep step, const char *detail)
{
  gint64 now_us = hn_clock_now_us ();

  if (dial->progress != NULL)
    dial->progress (step, now_us - dial->step_us, detail, dial->progress_data);
  dial->step_us = now_us;
}

static char *
describe_address (GSocketAddress *address)
{
  g_autofree char *ip = NULL;
  GInetAddress *inet;

  if (!G_IS_INET_SOCKET_ADDRESS (address))
    return NULL;
  inet = g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address));
  ip = g_inet_address_to_string (inet);
  return g_strdup_printf (g_inet_address_get_family (inet) == G_SOCKET_FAMILY_IPV6 ? "[%s]:%u"
                                                                                   : "%s:%u",
                          ip, g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)));
}

/* Ends the task with @error, or with what really lay behind a cancellation. */
static void
fail (GTask *task, GError *error)
{
  Dial *dial = g_task_get_task_data (task);
  GCancellable *outer = g_task_get_cancellable (task);

  dial_end (dial);
  if (outer != NULL && g_cancellable_is_cancelled (outer))
    {
      g_error_free (error);
      error = g_error_new (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("Connecting was cancelled"));
    }
  else if (dial->timed_out)
    {
      g_error_free (error);
      error = g_error_new (HN_ERROR, HN_ERROR_TIMEOUT,
                           dial->secured != NULL
                               ? _ ("%s does not complete a TLS handshake within %u s")
                               : _ ("%s does not answer within %u s; check the address and the "
                                    "firewalls on the way"),
                           dial->where, dial->timeout_s);
    }
  g_task_return_error (task, error);
}

static void
succeed (GTask *task, GIOStream *stream)
{
  Dial *dial = g_task_get_task_data (task);

  dial_end (dial);
  g_task_return_pointer (task, g_object_ref (stream), g_object_unref);
}

static GError *
map_tls_error (Dial *dial, const GError *error)
{
  const char *name = dial->tls_name != NULL ? dial->tls_name : dial->host;

  if (dial->trust_error != NULL)
    return g_error_copy (dial->trust_error);
  if (dial->flags != 0)
    return hn_tls_error_for_flags (dial->flags, dial->where, name);
  if (error->domain == HN_ERROR)
    return g_error_copy (error);
  if (g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_NOT_TLS))
    return g_error_new (HN_ERROR, HN_ERROR_TLS,
                        _ ("%s does not speak TLS; perhaps its URL starts with http://"),
                        dial->where);
  if (g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_EOF)
      || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED))
    return g_error_new (HN_ERROR, HN_ERROR_TLS, _ ("%s closed the connection in its TLS handshake"),
                        dial->where);
  return g_error_new (HN_ERROR, HN_ERROR_TLS,
                      _ ("TLS with %s failed: %s; check that it speaks TLS on this port"),
                      dial->where, error->message);
}

/* The connection itself trusts nobody, so this is asked about every certificate. */
static gboolean
on_accept_certificate (GTlsConnection *connection, GTlsCertificate *peer,
                       GTlsCertificateFlags flags, gpointer data)
{
  Dial *dial = data;

  /* A pin is checked behind the handshake, before a byte of ours goes out. */
  if (dial->tls_insecure || dial->tls_pin != NULL)
    return TRUE;
  g_clear_object (&dial->accepted);
  g_clear_error (&dial->trust_error);
  dial->flags = hn_tls_verify (dial->dialer->authorities, peer, dial->identity, &dial->trust_error);
  if (dial->flags != 0 || dial->trust_error != NULL)
    return FALSE;
  dial->accepted = g_object_ref (peer);
  return TRUE;
}

/* The handshake is through; whoever is at the other end must have been let in on purpose. */
static gboolean
check_peer (Dial *dial, GError **error)
{
  GTlsCertificate *peer = g_tls_connection_get_peer_certificate (dial->secured);
  const char *name = dial->tls_name != NULL ? dial->tls_name : dial->host;

  if (dial->tls_pin == NULL && dial->tls_insecure)
    return TRUE;
  if (peer == NULL)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_TLS, _ ("%s showed no certificate"), dial->where);
      return FALSE;
    }
  if (dial->tls_pin != NULL)
    {
      if (dial->tls_name == NULL && g_hostname_is_ip_address (dial->host))
        name = NULL;
      if (hn_tls_check_pin (peer, dial->tls_pin, name, error))
        return TRUE;
      g_prefix_error (error, "%s: ", dial->where);
      return FALSE;
    }
  if (dial->accepted != NULL && g_tls_certificate_is_same (dial->accepted, peer))
    return TRUE;
  g_set_error (error, HN_ERROR, HN_ERROR_TLS, _ ("The certificate of %s was not checked"),
               dial->where);
  return FALSE;
}

static void
on_handshake (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  Dial *dial = g_task_get_task_data (task);
  GTlsConnection *secured = G_TLS_CONNECTION (source);
  g_autoptr (GError) error = NULL;

  if (!g_tls_connection_handshake_finish (secured, result, &error))
    {
      fail (task, map_tls_error (dial, error));
      return;
    }
  if (!check_peer (dial, &error))
    {
      fail (task, g_steal_pointer (&error));
      return;
    }
  report (dial, HN_DIAL_TLS, NULL);
  succeed (task, G_IO_STREAM (secured));
}

static void
start_tls (GTask *task)
{
  Dial *dial = g_task_get_task_data (task);
  const char *name = dial->tls_name != NULL ? dial->tls_name : dial->host;
  g_autoptr (GIOStream) nameless = hn_prefixed_stream_new (dial->base, NULL);
  g_autoptr (GTlsDatabase) nobody = hn_tls_distrust_new ();
  g_autoptr (GIOStream) stream = NULL;
  g_autoptr (GError) error = NULL;

  dial->identity = g_network_address_new (name, dial->port);
  /* GIO resumes sessions by the socket's address and the name, and checks no certificate then: not
   * even one that was let in by another profile's authorities, by a pin or unseen. It can not be
   * told to leave that, but it does so where it sees no socket.
   *
   * Not g_tls_client_connection_new(): without a word about the database from the start GIO loads
   * the system's store, all of it, and keeps it for good. And without any database it counts the
   * chain that the server showed, for ever when two certificates are each other's issuer
   * (glib-networking before 2.90). */
  stream = g_initable_new (g_tls_backend_get_client_connection_type (g_tls_backend_get_default ()),
                           dial->inner, &error, "base-io-stream", nameless, "server-identity",
                           dial->identity, "database", nobody, NULL);
  if (stream == NULL)
    {
      fail (task, g_error_new (HN_ERROR, HN_ERROR_TLS, _ ("TLS is not available here: %s"),
                               error->message));
      return;
    }
  dial->secured = G_TLS_CONNECTION (g_steal_pointer (&stream));
  /* Records may end without a goodbye: what runs inside has its own end of stream. */
  g_tls_connection_set_require_close_notify (dial->secured, FALSE);
  dial->accept_id = g_signal_connect (dial->secured, "accept-certificate",
                                      G_CALLBACK (on_accept_certificate), dial);
  g_tls_connection_handshake_async (dial->secured, G_PRIORITY_DEFAULT, dial->inner, on_handshake,
                                    g_object_ref (task));
}

static GError *
map_connect_error (Dial *dial, const GError *error)
{
  if (error->domain == G_RESOLVER_ERROR)
    {
      if (g_error_matches (error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND))
        return g_error_new (HN_ERROR, HN_ERROR_UNKNOWN_HOST,
                            _ ("The name %s is not known; check its spelling (%s)"), dial->host,
                            error->message);
      return g_error_new (HN_ERROR, HN_ERROR_UNKNOWN_HOST,
                          _ ("The name %s can not be looked up; check this machine's DNS (%s)"),
                          dial->host, error->message);
    }
  if (error->domain == G_IO_ERROR
      && (dial->proxy != NULL || error->code == G_IO_ERROR_PROXY_FAILED
          || error->code == G_IO_ERROR_PROXY_AUTH_FAILED
          || error->code == G_IO_ERROR_PROXY_NEED_AUTH
          || error->code == G_IO_ERROR_PROXY_NOT_ALLOWED))
    return g_error_new (HN_ERROR, HN_ERROR_PROXY, _ ("Cannot reach %s through the proxy %s: %s"),
                        dial->where, dial->proxy != NULL ? dial->proxy : "", error->message);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
    return g_error_new (HN_ERROR, HN_ERROR_CONNECTION_REFUSED,
                        _ ("%s refuses connections; check the port and that the server runs"),
                        dial->where);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT))
    return g_error_new (HN_ERROR, HN_ERROR_INVALID_ARGUMENT, _ ("Cannot connect to %s: %s"),
                        dial->where, error->message);
  return g_error_new (HN_ERROR, HN_ERROR_UNREACHABLE,
                      _ ("%s can not be reached (%s); check this machine's network"), dial->where,
                      error->message);
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  Dial *dial = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketConnection) connection = NULL;
  g_autoptr (GSocketAddress) remote = NULL;
  g_autofree char *detail = NULL;

  connection = g_socket_client_connect_finish (dial->client, result, &error);
  if (connection == NULL)
    {
      fail (task, map_connect_error (dial, error));
      return;
    }
  dial->base = G_IO_STREAM (g_steal_pointer (&connection));
  /* A proxy that was asked puts a plain stream between; the socket below is the same. */
  if (G_IS_SOCKET_CONNECTION (dial->base))
    remote = g_socket_connection_get_remote_address (G_SOCKET_CONNECTION (dial->base), NULL);
  detail = describe_address (remote);
  report (dial, HN_DIAL_CONNECT, dial->proxy != NULL ? dial->proxy : detail);
  if (dial->tls)
    start_tls (task);
  else
    succeed (task, dial->base);
}

static void
prepare_socket (Dial *dial, GSocket *socket)
{
  g_autoptr (GError) error = NULL;

  /* Without the capability our packets follow the ordinary routes, which is right while no route of
   * ours points elsewhere. */
  if (dial->dialer->mark != 0
      && !g_socket_set_option (socket, SOL_SOCKET, SO_MARK, (gint) dial->dialer->mark, &error))
    g_debug ("cannot mark the socket to %s: %s", dial->where, error->message);
  g_clear_error (&error);
  if (!g_socket_set_option (socket, IPPROTO_TCP, TCP_NODELAY, 1, &error))
    g_debug ("cannot set TCP_NODELAY: %s", error->message);
}

static void
on_client_event (GSocketClient *client, GSocketClientEvent event, GSocketConnectable *connectable,
                 GIOStream *stream, gpointer data)
{
  Dial *dial = data;
  g_autoptr (GSocketAddress) remote = NULL;
  g_autofree char *detail = NULL;

  if (event != G_SOCKET_CLIENT_CONNECTING || !G_IS_SOCKET_CONNECTION (stream))
    return;
  prepare_socket (dial, g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream)));
  remote = g_socket_connection_get_remote_address (G_SOCKET_CONNECTION (stream), NULL);
  detail = describe_address (remote);
  if (G_IS_PROXY_ADDRESS (remote) && dial->proxy == NULL)
    dial->proxy = g_strdup (detail);
  if (!dial->name_reported)
    {
      dial->name_reported = TRUE;
      report (dial, HN_DIAL_NAME, detail);
    }
}

static gboolean
on_timeout (gpointer data)
{
  Dial *dial = data;

  dial->timed_out = TRUE;
  g_cancellable_cancel (dial->inner);
  return G_SOURCE_REMOVE;
}

static gboolean
on_outer_cancelled (GCancellable *cancellable, gpointer data)
{
  Dial *dial = data;

  g_cancellable_cancel (dial->inner);
  return G_SOURCE_REMOVE;
}

/* Sources live on the caller's context, where the dial's other callbacks run too. */
static void
arm (Dial *dial, GCancellable *outer)
{
  GMainContext *context = g_main_context_get_thread_default ();

  dial->timeout_source = hn_clock_timer_new ((gint64) dial->timeout_s * G_USEC_PER_SEC);
  g_source_set_callback (dial->timeout_source, on_timeout, dial, NULL);
  g_source_attach (dial->timeout_source, context);
  if (outer != NULL)
    {
      dial->outer_source = g_cancellable_source_new (outer);
      g_source_set_callback (dial->outer_source, G_SOURCE_FUNC (on_outer_cancelled), dial, NULL);
      g_source_attach (dial->outer_source, context);
    }
}

static GSocketConnectable *
make_connectable (const Dial *dial, const HnDialTarget *target, GError **error)
{
  const char *scheme = dial->tls ? "https" : "http";
  g_autofree char *uri = g_strdup_printf ("%s://%s", scheme, dial->where);

  if (target->n_literals > 0)
    return hn_literal_addresses_new (uri, target->literals, target->n_literals, dial->port);
  /* The scheme makes the proxy resolver answer for the right protocol. */
  return g_network_address_parse_uri (uri, dial->port, error);
}

static gboolean
target_is_valid (const HnDialTarget *target)
{
  if (target->host == NULL || *target->host == '\0' || target->port == 0
      || strlen (target->host) > 255)
    return FALSE;
  for (const char *p = target->host; *p != '\0'; p++)
    if (!g_ascii_isgraph (*p) || strchr ("/?#@[]\\", *p) != NULL)
      return FALSE;
  return target->tls_pin == NULL || hn_tls_pin_is_valid (target->tls_pin);
}

void
hn_dialer_connect_async (HnDialer *self, const HnDialTarget *target, HnDialProgress progress,
                         gpointer progress_data, GCancellable *cancellable,
                         GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);
  g_autoptr (GSocketConnectable) connectable = NULL;
  g_autoptr (GError) error = NULL;
  Dial *dial;

  g_return_if_fail (HN_IS_DIALER (self));
  g_return_if_fail (target != NULL);

  g_task_set_source_tag (task, hn_dialer_connect_async);
  g_task_set_check_cancellable (task, FALSE);
  if (!target_is_valid (target))
    {
      g_task_return_new_error (task, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                               _ ("“%s” port %u is no address to connect to"),
                               target->host != NULL ? target->host : "", target->port);
      return;
    }

  dial = g_new0 (Dial, 1);
  g_task_set_task_data (task, dial, dial_free);
  dial->dialer = self;
  dial->host = g_strdup (target->host);
  dial->where = g_strdup_printf (strchr (target->host, ':') != NULL ? "[%s]:%u" : "%s:%u",
                                 target->host, target->port);
  dial->port = target->port;
  dial->tls = target->tls;
  dial->tls_name = g_strdup (target->tls_name);
  dial->tls_pin = g_strdup (target->tls_pin);
  dial->tls_insecure = target->tls_insecure;
  dial->timeout_s = target->timeout_s != 0 ? target->timeout_s : DEFAULT_TIMEOUT_S;
  dial->progress = progress;
  dial->progress_data = progress_data;
  dial->step_us = hn_clock_now_us ();
  dial->inner = g_cancellable_new ();

  connectable = make_connectable (dial, target, &error);
  if (connectable == NULL)
    {
      fail (task,
            g_error_new (HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                         _ ("“%s” is no address to connect to: %s"), dial->where, error->message));
      return;
    }
  arm (dial, cancellable);
  dial->client = g_socket_client_new ();
  dial->event_id = g_signal_connect (dial->client, "event", G_CALLBACK (on_client_event), dial);
  g_socket_client_connect_async (dial->client, connectable, dial->inner, on_connected,
                                 g_steal_pointer (&task));
}

GIOStream *
hn_dialer_connect_finish (HnDialer *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

GSocket *
hn_dialer_get_socket (GIOStream *stream)
{
  g_autoptr (GIOStream) below = NULL;

  if (G_IS_TLS_CONNECTION (stream))
    {
      g_object_get (stream, "base-io-stream", &below, NULL);
      return hn_dialer_get_socket (below);
    }
  if (HN_IS_WRAPPED_STREAM (stream))
    return hn_dialer_get_socket (hn_wrapped_stream_get_base (HN_WRAPPED_STREAM (stream)));
  return G_IS_SOCKET_CONNECTION (stream)
             ? g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream))
             : NULL;
}

gboolean
hn_dialer_lost_address (GIOStream *stream)
{
  GSocket *socket_of = stream != NULL ? hn_dialer_get_socket (stream) : NULL;
  struct sockaddr_storage local = { 0 };
  socklen_t len = sizeof local;
  gboolean lost;
  int probe;

  if (socket_of == NULL
      || getsockname (g_socket_get_fd (socket_of), (struct sockaddr *) &local, &len) != 0)
    return FALSE;
  if (local.ss_family == AF_INET)
    ((struct sockaddr_in *) &local)->sin_port = 0;
  else if (local.ss_family == AF_INET6)
    ((struct sockaddr_in6 *) &local)->sin6_port = 0;
  else
    return FALSE;
  /* binding sends nothing, and only an address of this machine can be bound */
  probe = socket (local.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0)
    return FALSE;
  lost = bind (probe, (struct sockaddr *) &local, len) != 0 && errno == EADDRNOTAVAIL;
  close (probe);
  return lost;
}

static void
hn_dialer_dispose (GObject *object)
{
  HnDialer *self = HN_DIALER (object);

  g_clear_object (&self->authorities);
  G_OBJECT_CLASS (hn_dialer_parent_class)->dispose (object);
}

static void
hn_dialer_class_init (HnDialerClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = hn_dialer_dispose;
}

static void
hn_dialer_init (HnDialer *self)
{
}

HnDialer *
hn_dialer_new (const char *ca_pem, guint32 mark, GError **error)
{
  g_autoptr (HnDialer) self = g_object_new (HN_TYPE_DIALER, NULL);

  self->mark = mark;
  if (ca_pem != NULL)
    {
      self->authorities = hn_tls_database_new_for_pem (ca_pem, error);
      if (self->authorities == NULL)
        return NULL;
    }
  return g_steal_pointer (&self);
}
