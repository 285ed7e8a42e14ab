/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/hn-control-connection.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "base/hn-source.h"
#include "control/hn-control-codec.h"
#include "control/hn-noise-handshake.h"
#include "control/hn-noise-stream.h"
#include "net/hn-http-upgrade.h"

#define DIAL_TIMEOUT_S 5
#define TALK_TIMEOUT_S 5
#define MAX_KEY_BODY (64 * 1024)
#define MAX_PLAIN_BODY 4096
#define MAX_URL 2048
#define UPGRADE_PROTOCOL "tailscale-control-protocol"

const char *
hn_control_step_to_string (HnControlStep step)
{
  switch (step)
    {
    case HN_STEP_NAME:
      return "name";
    case HN_STEP_CONNECT:
      return "connect";
    case HN_STEP_TLS:
      return "tls";
    case HN_STEP_KEY:
      return "key";
    case HN_STEP_UPGRADE:
      return "upgrade";
    case HN_STEP_NOISE:
      return "noise";
    case HN_STEP_HTTP2:
      return "http2";
    }
  g_return_val_if_reached ("");
}

/* Addresses */

static HnServerAddress *
bad_url (GError **error, const char *message)
{
  g_set_error_literal (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT, message);
  return NULL;
}

static gboolean
host_is_usable (const char *host)
{
  if (*host == '\0' || strlen (host) > 253)
    return FALSE;
  for (const char *p = host; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p) && strchr (".-_:", *p) == NULL)
      return FALSE;
  return strchr (host, ':') == NULL || g_hostname_is_ip_address (host);
}

HnServerAddress *
hn_server_address_new (const char *url, GError **error)
{
  g_autoptr (GUri) uri = NULL;
  g_autoptr (HnServerAddress) self = NULL;
  g_autofree char *host = NULL;
  const char *scheme, *path;
  gsize path_len;
  int port;

  if (strlen (url) > MAX_URL)
    return bad_url (error, _ ("The server's URL is too long"));
  /* GUri would leave them out, and quietly use another URL. */
  for (const char *p = url; *p != '\0'; p++)
    if ((guchar) *p <= ' ' || *p == 0x7f)
      return bad_url (error, _ ("The server's URL must not hold spaces or control characters"));
  uri = g_uri_parse (url, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_ENCODED_PATH, NULL);
  if (uri == NULL || g_uri_get_host (uri) == NULL)
    return bad_url (error, _ ("The server's URL is malformed; it looks like "
                              "https://headscale.example.org"));
  scheme = g_uri_get_scheme (uri);
  if (!g_str_equal (scheme, "https") && !g_str_equal (scheme, "http"))
    return bad_url (error, _ ("The server's URL must start with https:// or http://"));
  if (g_uri_get_userinfo (uri) != NULL || g_uri_get_query (uri) != NULL
      || g_uri_get_fragment (uri) != NULL)
    return bad_url (error, _ ("The server's URL must not hold a user name, a query or a fragment"));
  host = g_hostname_to_ascii (g_uri_get_host (uri));
  if (host == NULL || !host_is_usable (host))
    return bad_url (error, _ ("The host name in the server's URL is malformed"));
  port = g_uri_get_port (uri);
  if (port == 0 || port > 65535)
    return bad_url (error, _ ("The port in the server's URL is out of range"));
  path = g_uri_get_path (uri);
  path_len = strlen (path);
  while (path_len > 0 && path[path_len - 1] == '/')
    path_len--;
  for (gsize i = 0; i < path_len; i++)
    if (!g_ascii_isgraph (path[i]))
      return bad_url (error, _ ("The path in the server's URL is malformed"));

  self = g_new0 (HnServerAddress, 1);
  self->tls = g_str_equal (scheme, "https");
  self->host = g_ascii_strdown (host, -1);
  self->port = port > 0 ? (guint16) port : self->tls ? 443 : 80;
  self->path = g_strndup (path, path_len);
  self->authority = hn_http_format_host (self->host, self->port, self->tls);
  return g_steal_pointer (&self);
}

void
hn_server_address_free (HnServerAddress *self)
{
  if (self == NULL)
    return;
  g_free (self->host);
  g_free (self->path);
  g_free (self->authority);
  g_free (self);
}

/* What the conversations have in common: a dial, then a talk over what it gave, each with a time
 * limit of its own. It is the data of the task. */

typedef struct
{
  HnDialer *dialer;
  char *host;
  char *authority;
  char *url;  /* of what is asked for, for messages */
  char *path; /* of it, behind the authority */
  char *method;
  guint16 port;
  gboolean tls;
  guint version;

  HnControlProgress progress;
  gpointer progress_data;
  HnControlStep step; /* the one that runs */
  gint64 step_us;     /* when it began */

  GCancellable *inner;
  GSource *outer_source;
  GSource *timeout_source;
  gboolean timed_out;

  GIOStream *stream;
  HnMachinePublic key; /* fetched, or the one to connect with */
  HnNoiseHandshake handshake;
  char header[4 * ((HN_NOISE_INITIATION_SIZE + 2) / 3) + 1];
  guint8 answer[HN_NOISE_ANSWER_MAX];
  gsize answer_size;
} Talk;

static void
talk_end (Talk *talk)
{
  hn_source_clear (&talk->outer_source);
  hn_source_clear (&talk->timeout_source);
  talk->progress = NULL;
}

static void
talk_free (gpointer data)
{
  Talk *talk = data;

  talk_end (talk);
  hn_noise_handshake_clear (&talk->handshake);
  g_clear_object (&talk->dialer);
  g_clear_object (&talk->inner);
  g_clear_object (&talk->stream);
  g_free (talk->host);
  g_free (talk->authority);
  g_free (talk->url);
  g_free (talk->path);
  g_free (talk->method);
  g_free (talk);
}

/* The running step succeeded; @next begins. */
static void
step_done (Talk *talk, HnControlStep next, const char *detail)
{
  gint64 now_us = hn_clock_now_us ();

  if (talk->progress != NULL)
    talk->progress (talk->step, now_us - talk->step_us, NULL, detail, talk->progress_data);
  talk->step = next;
  talk->step_us = now_us;
}

/* Which step of a dial an error belongs to. */
static HnControlStep
dial_step_of_error (const Talk *talk, const GError *error)
{
  if (error->domain == HN_ERROR)
    {
      if (error->code == HN_ERROR_UNKNOWN_HOST)
        return HN_STEP_NAME;
      if (error->code >= HN_ERROR_TLS_UNKNOWN_CA && error->code <= HN_ERROR_TLS)
        return HN_STEP_TLS;
    }
  /* A name that resolves to an address that fails is no fault of the name. */
  return talk->step == HN_STEP_NAME && !g_error_matches (error, HN_ERROR, HN_ERROR_TIMEOUT)
             ? HN_STEP_CONNECT
             : talk->step;
}

/* Takes @error. */
static void
talk_fail (GTask *task, GError *error)
{
  Talk *talk = g_task_get_task_data (task);
  GCancellable *outer = g_task_get_cancellable (task);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) && talk->timed_out
      && !(outer != NULL && g_cancellable_is_cancelled (outer)))
    {
      g_error_free (error);
      error = g_error_new (HN_ERROR, HN_ERROR_TIMEOUT,
                           _ ("%s accepts connections but does not answer within %u s"),
                           talk->authority, TALK_TIMEOUT_S);
    }
  if (talk->progress != NULL)
    talk->progress (talk->step, hn_clock_now_us () - talk->step_us, error, NULL,
                    talk->progress_data);
  talk_end (talk);
  g_task_return_error (task, error);
}

static gboolean
on_talk_timeout (gpointer data)
{
  Talk *talk = data;

  talk->timed_out = TRUE;
  g_cancellable_cancel (talk->inner);
  return G_SOURCE_REMOVE;
}

static gboolean
on_outer_cancelled (GCancellable *cancellable, gpointer data)
{
  Talk *talk = data;

  g_cancellable_cancel (talk->inner);
  return G_SOURCE_REMOVE;
}

static void
on_dial_progress (HnDialStep step, gint64 elapsed_us, const char *detail, gpointer data)
{
  Talk *talk = data;

  switch (step)
    {
    case HN_DIAL_NAME:
      step_done (talk, HN_STEP_CONNECT, detail);
      break;
    case HN_DIAL_CONNECT:
      step_done (talk, talk->tls ? HN_STEP_TLS : HN_STEP_KEY, detail);
      break;
    case HN_DIAL_TLS:
      step_done (talk, HN_STEP_KEY, detail);
      break;
    }
}

/* TRUE: the stream is there, and the clock of the talk runs. */
static gboolean
dial_finish (GTask *task, GAsyncResult *result, HnControlStep next)
{
  Talk *talk = g_task_get_task_data (task);
  GError *error = NULL;

  talk->stream = hn_dialer_connect_finish (talk->dialer, result, &error);
  if (talk->stream == NULL)
    {
      talk->step = dial_step_of_error (talk, error);
      talk_fail (task, error);
      return FALSE;
    }
  talk->step = next;
  talk->timeout_source = hn_clock_timer_new (TALK_TIMEOUT_S * G_USEC_PER_SEC);
  g_source_set_callback (talk->timeout_source, on_talk_timeout, talk, NULL);
  g_source_attach (talk->timeout_source, g_main_context_get_thread_default ());
  return TRUE;
}

static void
talk_start (GTask *task, HnDialer *dialer, const HnServerAddress *server, const char *method,
            char *path, HnControlProgress progress, gpointer progress_data,
            GAsyncReadyCallback on_dialled)
{
  Talk *talk = g_new0 (Talk, 1);
  GCancellable *outer = g_task_get_cancellable (task);
  HnDialTarget target = { 0 };

  g_task_set_task_data (task, talk, talk_free);
  g_task_set_check_cancellable (task, FALSE);
  talk->dialer = g_object_ref (dialer);
  talk->host = g_strdup (server->host);
  talk->authority = g_strdup (server->authority);
  talk->method = g_strdup (method);
  talk->path = path;
  talk->url = g_strconcat (server->tls ? "https://" : "http://", server->authority, path, NULL);
  talk->port = server->port;
  talk->tls = server->tls;
  talk->progress = progress;
  talk->progress_data = progress_data;
  talk->step = HN_STEP_NAME;
  talk->step_us = hn_clock_now_us ();
  talk->inner = g_cancellable_new ();
  if (outer != NULL)
    {
      talk->outer_source = g_cancellable_source_new (outer);
      g_source_set_callback (talk->outer_source, G_SOURCE_FUNC (on_outer_cancelled), talk, NULL);
      g_source_attach (talk->outer_source, g_main_context_get_thread_default ());
    }
  target.host = talk->host;
  target.port = talk->port;
  target.tls = talk->tls;
  target.timeout_s = DIAL_TIMEOUT_S;
  hn_dialer_connect_async (dialer, &target, on_dial_progress, talk, talk->inner, on_dialled,
                           g_object_ref (task));
}

/* The server's key */

static GError *
not_a_server (const Talk *talk, guint status)
{
  /* The query only carries our version. */
  const char *query = strchr (talk->url, '?');
  int len = query != NULL ? (int) (query - talk->url) : (int) strlen (talk->url);

  if (status >= 500)
    return g_error_new (HN_ERROR, HN_ERROR_NOT_A_SERVER,
                        _ ("%.*s fails with status %u; the coordination server, or the proxy in "
                           "front of it, does not work"),
                        len, talk->url, status);
  if (status == 200)
    return g_error_new (HN_ERROR, HN_ERROR_NOT_A_SERVER,
                        _ ("%.*s is not the key of a coordination server; check the server URL"),
                        len, talk->url);
  return g_error_new (HN_ERROR, HN_ERROR_NOT_A_SERVER,
                      _ ("%.*s answers with status %u, so this is no coordination server; check "
                         "the server URL, its port, and whether it starts with https:// or "
                         "http://"),
                      len, talk->url, status);
}

static void
on_key_answer (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  Talk *talk = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (HnHttpResponse) response = hn_http_request_finish (result, &error);
  const char *text;
  gsize len;

  if (response == NULL)
    {
      if (g_error_matches (error, HN_ERROR, HN_ERROR_PROTOCOL))
        talk_fail (task, g_error_new (HN_ERROR, HN_ERROR_NOT_A_SERVER,
                                      _ ("%s is no coordination server: %s; check the server URL, "
                                         "its port, and whether it starts with https:// or "
                                         "http://"),
                                      talk->authority, error->message));
      else
        talk_fail (task, g_steal_pointer (&error));
      return;
    }
  if (response->status != 200)
    {
      talk_fail (task, not_a_server (talk, response->status));
      return;
    }
  text = g_bytes_get_data (response->body, &len);
  if (!hn_control_codec_parse_key (text != NULL ? text : "", len, &talk->key, &error))
    {
      g_debug ("%s: %s", talk->url, error->message);
      talk_fail (task, not_a_server (talk, 200));
      return;
    }
  step_done (talk, HN_STEP_UPGRADE, NULL);
  talk_end (talk);
  g_task_return_boolean (task, TRUE);
}

static void
on_key_dialled (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  Talk *talk = g_task_get_task_data (task);

  if (dial_finish (task, result, HN_STEP_KEY))
    hn_http_request_async (talk->stream, talk->method, talk->path, talk->authority, MAX_KEY_BODY,
                           talk->inner, on_key_answer, g_steal_pointer (&task));
}

void
hn_control_fetch_key_async (HnDialer *dialer, const HnServerAddress *server, guint version,
                            HnControlProgress progress, gpointer progress_data,
                            GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);

  g_task_set_source_tag (task, hn_control_fetch_key_async);
  talk_start (task, dialer, server, "GET", g_strdup_printf ("%s/key?v=%u", server->path, version),
              progress, progress_data, on_key_dialled);
}

gboolean
hn_control_fetch_key_finish (GAsyncResult *result, HnMachinePublic *key, GError **error)
{
  Talk *talk;

  g_return_val_if_fail (g_async_result_is_tagged (result, hn_control_fetch_key_async), FALSE);
  if (!g_task_propagate_boolean (G_TASK (result), error))
    return FALSE;
  talk = g_task_get_task_data (G_TASK (result));
  *key = talk->key;
  return TRUE;
}

/* The connection */

static void
noise_done (GTask *task)
{
  Talk *talk = g_task_get_task_data (task);
  g_autoptr (GIOStream) noise = NULL;
  GError *error = NULL;
  HnNoiseKeys keys;
  HnHttp2 *http2;

  if (!hn_noise_handshake_finish (&talk->handshake, talk->answer, talk->answer_size, &keys, &error))
    {
      talk_fail (task, error);
      return;
    }
  noise = hn_noise_stream_new (talk->stream, &keys);
  hn_noise_keys_clear (&keys);
  step_done (talk, HN_STEP_HTTP2, NULL);
  http2 = hn_http2_new (g_steal_pointer (&noise), talk->authority);
  step_done (talk, HN_STEP_HTTP2, NULL);
  talk_end (talk);
  g_task_return_pointer (task, http2, g_object_unref);
}

/* Reads the rest of the answer, @have bytes of which came. */
static gboolean
answer_part_came (GTask *task, GObject *source, GAsyncResult *result, gsize want, gsize before)
{
  Talk *talk = g_task_get_task_data (task);
  GError *error = NULL;
  gsize n = 0;

  if (!g_input_stream_read_all_finish (G_INPUT_STREAM (source), result, &n, &error))
    {
      if (error->domain == G_IO_ERROR && error->code != G_IO_ERROR_CANCELLED && before + n == 0)
        {
          /* A reset says the same as an end. */
          g_clear_error (&error);
        }
      else
        {
          if (error->domain == G_IO_ERROR && error->code != G_IO_ERROR_CANCELLED)
            {
              GError *lost = g_error_new (HN_ERROR, HN_ERROR_CONNECTION_LOST,
                                          _ ("The connection to %s broke in the handshake: %s"),
                                          talk->authority, error->message);

              g_error_free (error);
              error = lost;
            }
          talk_fail (task, error);
          return FALSE;
        }
    }
  if (n == want)
    return TRUE;
  /* The server throws away its answer when it does not want our version or can not read our
   * message: what is seen of it is an end of stream. */
  if (before + n == 0)
    error = g_error_new (HN_ERROR, HN_ERROR_VERSION_REFUSED,
                         _ ("%s ended the handshake without a word: it does not take this "
                            "client's protocol version (%u), or the key that was fetched from "
                            "there is another server's"),
                         talk->authority, talk->version);
  else
    error = g_error_new (HN_ERROR, HN_ERROR_CONNECTION_LOST,
                         _ ("%s closed the connection in the handshake"), talk->authority);
  talk_fail (task, error);
  return FALSE;
}

static void
on_answer_rest (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  Talk *talk = g_task_get_task_data (task);

  if (answer_part_came (task, source, result, talk->answer_size - HN_NOISE_FRAME_HEADER,
                        HN_NOISE_FRAME_HEADER))
    noise_done (task);
}

static void
on_answer_header (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  Talk *talk = g_task_get_task_data (task);
  GError *error = NULL;

  if (!answer_part_came (task, source, result, HN_NOISE_FRAME_HEADER, 0))
    return;
  talk->answer_size = hn_noise_handshake_get_answer_size (talk->answer, &error);
  if (talk->answer_size == 0)
    talk_fail (task, error);
  else if (talk->answer_size == HN_NOISE_FRAME_HEADER)
    noise_done (task);
  else
    g_input_stream_read_all_async (G_INPUT_STREAM (source), talk->answer + HN_NOISE_FRAME_HEADER,
                                   talk->answer_size - HN_NOISE_FRAME_HEADER, G_PRIORITY_DEFAULT,
                                   talk->inner, on_answer_rest, g_steal_pointer (&task));
}

static void
on_upgraded (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  Talk *talk = g_task_get_task_data (task);
  GError *error = NULL;
  GIOStream *upgraded = hn_http_upgrade_finish (result, NULL, &error);

  if (upgraded == NULL)
    {
      g_prefix_error (&error, "%s: ", talk->url);
      talk_fail (task, error);
      return;
    }
  g_object_unref (talk->stream);
  talk->stream = upgraded;
  step_done (talk, HN_STEP_NOISE, NULL);
  g_input_stream_read_all_async (g_io_stream_get_input_stream (upgraded), talk->answer,
                                 HN_NOISE_FRAME_HEADER, G_PRIORITY_DEFAULT, talk->inner,
                                 on_answer_header, g_steal_pointer (&task));
}

static void
on_connect_dialled (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  Talk *talk = g_task_get_task_data (task);
  const char *headers[] = { "X-Tailscale-Handshake", talk->header, NULL };

  if (dial_finish (task, result, HN_STEP_UPGRADE))
    hn_http_upgrade_async (talk->stream, "POST", talk->path, talk->authority, UPGRADE_PROTOCOL,
                           headers, talk->inner, on_upgraded, g_steal_pointer (&task));
}

void
hn_control_connect_async (HnDialer *dialer, const HnServerAddress *server, guint version,
                          const HnMachinePrivate *machine, const HnMachinePublic *server_key,
                          HnControlProgress progress, gpointer progress_data,
                          GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);
  guint8 initiation[HN_NOISE_INITIATION_SIZE];
  HnNoiseHandshake handshake;
  g_autofree char *header = NULL;
  Talk *talk;

  g_task_set_source_tag (task, hn_control_connect_async);
  if (!hn_noise_handshake_start (&handshake, (guint16) version, machine, server_key, NULL,
                                 initiation))
    {
      g_task_return_new_error (task, HN_ERROR, HN_ERROR_NOT_A_SERVER,
                               _ ("The key of %s is not a usable key"), server->authority);
      return;
    }
  talk_start (task, dialer, server, "POST", g_strconcat (server->path, "/ts2021", NULL), progress,
              progress_data, on_connect_dialled);
  talk = g_task_get_task_data (task);
  talk->version = version;
  talk->handshake = handshake;
  hn_noise_handshake_clear (&handshake);
  header = g_base64_encode (initiation, sizeof initiation);
  g_strlcpy (talk->header, header, sizeof talk->header);
}

HnHttp2 *
hn_control_connect_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, hn_control_connect_async), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* Plain requests */

static void
on_plain_answer (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  Talk *talk = g_task_get_task_data (task);
  GError *error = NULL;
  g_autoptr (HnHttpResponse) response = hn_http_request_finish (result, &error);

  if (response == NULL)
    {
      talk_fail (task, error);
      return;
    }
  talk_end (talk);
  g_task_return_int (task, response->status);
}

static void
on_plain_dialled (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  Talk *talk = g_task_get_task_data (task);

  if (dial_finish (task, result, HN_STEP_HTTP2))
    hn_http_request_async (talk->stream, talk->method, talk->path, talk->authority, MAX_PLAIN_BODY,
                           talk->inner, on_plain_answer, g_steal_pointer (&task));
}

void
hn_control_plain_request_async (HnDialer *dialer, const HnServerAddress *server, const char *method,
                                const char *path, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);

  g_task_set_source_tag (task, hn_control_plain_request_async);
  talk_start (task, dialer, server, method, g_strdup (path), NULL, NULL, on_plain_dialled);
}

gboolean
hn_control_plain_request_finish (GAsyncResult *result, guint *status, GError **error)
{
  gssize value;

  g_return_val_if_fail (g_async_result_is_tagged (result, hn_control_plain_request_async), FALSE);
  value = g_task_propagate_int (G_TASK (result), error);
  if (value < 0)
    return FALSE;
  if (status != NULL)
    *status = (guint) value;
  return TRUE;
}
