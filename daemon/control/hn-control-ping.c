/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests of the server to this node that ride on the map stream (tailscale: tailcfg.PingRequest
 * and ipn/ipnlocal/c2n.go): reachability probes, and small HTTP requests of which we know "/echo".
 */
#include "control/hn-control-client-private.h"

#include <string.h>

#include "base/hn-error.h"

#define PING_TIMEOUT_S 15
#define PING_BODY_MAX (64 * 1024)
#define PAYLOAD_MAX (64 * 1024)
/* Each is a connection of its own, or a stream: a server that asks faster is not answered. */
#define MAX_PINGS 4

char *
hn_control_ping_path (const HnServerAddress *server, const char *url)
{
  g_autoptr (GUri) uri = g_uri_parse (url, G_URI_FLAGS_ENCODED, NULL);
  const char *path;
  const char *query;
  gboolean tls;
  int port;

  if (uri == NULL || g_uri_get_host (uri) == NULL)
    return NULL;
  tls = g_ascii_strcasecmp (g_uri_get_scheme (uri), "https") == 0;
  if (!tls && g_ascii_strcasecmp (g_uri_get_scheme (uri), "http") != 0)
    return NULL;
  port = g_uri_get_port (uri);
  if (port < 0)
    port = tls ? 443 : 80;
  if (tls != server->tls || port != server->port
      || g_ascii_strcasecmp (g_uri_get_host (uri), server->host) != 0)
    return NULL;
  path = g_uri_get_path (uri);
  query = g_uri_get_query (uri);
  if (path[0] != '\0' && path[0] != '/')
    return NULL;
  /* It becomes part of a request line. */
  for (const char *p = url; *p != '\0'; p++)
    if ((guchar) *p <= 0x20 || (guchar) *p >= 0x7f)
      return NULL;
  return g_strconcat (path[0] != '\0' ? path : "/", query != NULL ? "?" : NULL, query, NULL);
}

static GBytes *
answer (const char *status, const char *body, gsize len)
{
  GString *text = g_string_new (NULL);

  g_string_append_printf (text,
                          "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                          "Content-Length: %" G_GSIZE_FORMAT "\r\n\r\n",
                          status, len);
  g_string_append_len (text, body, (gssize) len);
  return g_string_free_to_bytes (text);
}

GBytes *
hn_control_ping_answer (const guint8 *payload, gsize len)
{
  static const char unknown[] = "unknown c2n path\n";
  static const char not_allowed[] = "method not allowed\n";
  const char *text = (const char *) payload;
  const char *end
      = len > 0 ? g_strstr_len (text, (gssize) MIN (len, PAYLOAD_MAX), "\r\n\r\n") : NULL;
  g_autofree char *line = NULL;
  g_auto (GStrv) words = NULL;
  gsize head;
  char *query;

  if (end == NULL)
    return answer ("400 Bad Request", unknown, sizeof unknown - 1);
  head = (gsize) (end - text) + 4;
  line = g_strndup (text, (gsize) ((const char *) memchr (text, '\r', len) - text));
  words = g_strsplit (line, " ", 4);
  if (g_strv_length (words) != 3)
    return answer ("400 Bad Request", unknown, sizeof unknown - 1);
  query = strchr (words[1], '?');
  if (query != NULL)
    *query = '\0';
  if (strcmp (words[1], "/echo") != 0)
    return answer ("400 Bad Request", unknown, sizeof unknown - 1);
  if (strcmp (words[0], "POST") != 0 && strcmp (words[0], "GET") != 0)
    return answer ("405 Method Not Allowed", not_allowed, sizeof not_allowed - 1);
  return answer ("200 OK", text + head, MIN (len, PAYLOAD_MAX) - head);
}

static void
ping_done (gpointer data, const GError *error)
{
  g_autoptr (HnControlCall) call = data;
  g_autoptr (HnControlClient) self = g_weak_ref_get (&call->client);

  if (error != NULL)
    g_debug ("ping of the server: %s", error->message);
  if (self != NULL)
    self->map.pings--;
}

static void
on_plain_done (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;

  hn_control_plain_request_finish (result, NULL, &error);
  ping_done (data, error);
}

static void
on_noise_done (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) body = hn_http2_request_finish (HN_HTTP2 (source), result, NULL, NULL, &error);

  ping_done (data, error);
}

void
hn_control_ping_handle (HnControlClient *self, const HnMapUpdate *update)
{
  g_autofree char *path = NULL;
  g_autoptr (GBytes) body = NULL;
  gboolean c2n;

  if (update->ping_url == NULL || update->ping_url[0] == '\0'
      || g_strcmp0 (update->ping_url, self->map.last_ping_url) == 0)
    return;
  g_free (self->map.last_ping_url);
  self->map.last_ping_url = g_strdup (update->ping_url);

  path = hn_control_ping_path (self->server, update->ping_url);
  c2n = g_strcmp0 (update->ping_types, "c2n") == 0;
  if (path == NULL || (!c2n && update->ping_types != NULL && update->ping_types[0] != '\0')
      || self->map.pings >= MAX_PINGS)
    {
      g_debug ("a ping of the server that is not for us to answer");
      return;
    }
  if (c2n)
    body = hn_control_ping_answer (update->ping_payload, update->ping_payload_len);
  if (!c2n && !update->ping_is_noise)
    {
      self->map.pings++;
      hn_control_plain_request_async (self->dialer, self->server, "HEAD", path, NULL, on_plain_done,
                                      hn_control_call_new (self, 0));
    }
  else if (self->http2 != NULL)
    {
      self->map.pings++;
      hn_http2_request_async (self->http2, c2n ? "POST" : "HEAD", path, NULL, body, PING_BODY_MAX,
                              PING_TIMEOUT_S, NULL, on_noise_done, hn_control_call_new (self, 0));
    }
}
