/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/hn-http-upgrade.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/hn-error.h"
#include "net/hn-http-parser.h"
#include "net/hn-prefixed-stream.h"

#define MAX_REFUSAL_BODY 4096
#define MAX_REFUSAL_TEXT 160
#define READ_SIZE 4096

/* One exchange; the data of its task. */
typedef struct
{
  GIOStream *stream;
  char *protocol; /* NULL for a plain request */
  GBytes *request;
  HnHttpParser *parser;
  HnHttpResponse *response;
  guint8 buffer[READ_SIZE];
} Exchange;

static void
exchange_free (gpointer data)
{
  Exchange *exchange = data;

  g_clear_object (&exchange->stream);
  g_free (exchange->protocol);
  g_clear_pointer (&exchange->request, g_bytes_unref);
  g_clear_pointer (&exchange->parser, hn_http_parser_free);
  g_clear_pointer (&exchange->response, hn_http_response_free);
  g_free (exchange);
}

char *
hn_http_format_host (const char *host, guint16 port, gboolean tls)
{
  gboolean v6 = strchr (host, ':') != NULL;

  if (port == (tls ? 443 : 80))
    return g_strdup_printf (v6 ? "[%s]" : "%s", host);
  return g_strdup_printf (v6 ? "[%s]:%u" : "%s:%u", host, port);
}

/* The start of what a refusing server says, as one short line; NULL when it is not for people. */
static char *
refusal_text (HnHttpResponse *response)
{
  gsize len;
  const char *data = g_bytes_get_data (response->body, &len);
  g_autofree char *valid = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  gboolean space = FALSE;

  if (data == NULL)
    return NULL;
  valid = g_utf8_make_valid (data, (gssize) MIN (len, MAX_REFUSAL_TEXT * 4));
  g_strstrip (valid);
  if (*valid == '\0' || *valid == '<')
    return NULL;
  for (const char *p = valid; *p != '\0' && text->len < MAX_REFUSAL_TEXT; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (!g_unichar_isprint (c) || g_unichar_isspace (c))
        {
          space = text->len > 0;
          continue;
        }
      if (space)
        g_string_append_c (text, ' ');
      space = FALSE;
      g_string_append_unichar (text, c);
    }
  return text->len > 0 ? g_string_free (g_steal_pointer (&text), FALSE) : NULL;
}

static GError *
refusal_error (const char *protocol, HnHttpResponse *response)
{
  g_autofree char *text = refusal_text (response);

  if (response->status == 101)
    return g_error_new (HN_ERROR, HN_ERROR_UPGRADE_REFUSED,
                        _ ("The server switched to another protocol than %s; check the URL and any "
                           "proxy in front of the server"),
                        protocol);
  if (text != NULL)
    return g_error_new (HN_ERROR, HN_ERROR_UPGRADE_REFUSED,
                        _ ("The server refused the upgrade to %s with status %u: %s"), protocol,
                        response->status, text);
  return g_error_new (HN_ERROR, HN_ERROR_UPGRADE_REFUSED,
                      _ ("The server refused the upgrade to %s with status %u; check the URL, and "
                         "that a proxy in front of the server lets upgrades through"),
                      protocol, response->status);
}

/* The answer is complete; @rest is what came behind it. */
static void
finish (GTask *task, const guint8 *rest, gsize rest_len)
{
  Exchange *exchange = g_task_get_task_data (task);
  g_autoptr (GBytes) prefix = NULL;
  const char *upgrade;

  exchange->response = hn_http_parser_steal (exchange->parser);
  if (exchange->protocol == NULL)
    {
      g_task_return_pointer (task, g_steal_pointer (&exchange->response),
                             (GDestroyNotify) hn_http_response_free);
      return;
    }
  upgrade = g_hash_table_lookup (exchange->response->headers, "upgrade");
  if (exchange->response->status != 101 || upgrade == NULL
      || g_ascii_strcasecmp (upgrade, exchange->protocol) != 0)
    {
      g_task_return_error (task, refusal_error (exchange->protocol, exchange->response));
      return;
    }
  prefix = g_bytes_new (rest, rest_len);
  g_task_return_pointer (task, hn_prefixed_stream_new (exchange->stream, prefix), g_object_unref);
}

static void
fail (GTask *task, GError *error)
{
  Exchange *exchange = g_task_get_task_data (task);
  guint status = hn_http_parser_get_status (exchange->parser);

  /* A refusal stays one even when its body does not end well. */
  if (exchange->protocol != NULL && status != 0)
    {
      g_error_free (error);
      finish (task, NULL, 0);
      return;
    }
  if (error->domain == G_IO_ERROR && error->code != G_IO_ERROR_CANCELLED)
    {
      GError *lost
          = g_error_new (HN_ERROR, HN_ERROR_CONNECTION_LOST,
                         _ ("The connection broke before the server's answer: %s"), error->message);

      g_error_free (error);
      error = lost;
    }
  g_task_return_error (task, error);
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  Exchange *exchange = g_task_get_task_data (task);
  GError *error = NULL;
  gsize used = 0;
  gssize n = g_input_stream_read_finish (G_INPUT_STREAM (source), result, &error);

  if (n < 0)
    {
      fail (task, error);
      return;
    }
  if (n == 0 ? !hn_http_parser_end (exchange->parser, &error)
             : !hn_http_parser_feed (exchange->parser, exchange->buffer, (gsize) n, &used, &error))
    {
      fail (task, error);
      return;
    }
  if (hn_http_parser_is_done (exchange->parser))
    {
      finish (task, exchange->buffer + used, (gsize) n - used);
      return;
    }
  g_input_stream_read_async (G_INPUT_STREAM (source), exchange->buffer, sizeof exchange->buffer,
                             G_PRIORITY_DEFAULT, g_task_get_cancellable (task), on_read,
                             g_object_ref (task));
}

static void
on_written (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  Exchange *exchange = g_task_get_task_data (task);
  GError *error = NULL;

  if (!g_output_stream_write_all_finish (G_OUTPUT_STREAM (source), result, NULL, &error))
    {
      fail (task, error);
      return;
    }
  g_input_stream_read_async (g_io_stream_get_input_stream (exchange->stream), exchange->buffer,
                             sizeof exchange->buffer, G_PRIORITY_DEFAULT,
                             g_task_get_cancellable (task), on_read, g_object_ref (task));
}

static gboolean
is_safe (const char *text, gboolean allow_space)
{
  for (; *text != '\0'; text++)
    if ((guchar) *text < 0x20 || *text == 0x7f || (*text == ' ' && !allow_space))
      return FALSE;
  return TRUE;
}

/* Takes @task. @request ends with its last line break, the empty line is added here. */
static void
start (GTask *task, GIOStream *stream, const char *protocol, GString *request, HnHttpParser *parser)
{
  Exchange *exchange = g_new0 (Exchange, 1);
  gsize len;
  const void *bytes;

  g_task_set_task_data (task, exchange, exchange_free);
  g_task_set_check_cancellable (task, FALSE);
  exchange->stream = g_object_ref (stream);
  exchange->protocol = g_strdup (protocol);
  exchange->parser = parser;
  g_string_append (request, "\r\n");
  exchange->request = g_string_free_to_bytes (request);
  bytes = g_bytes_get_data (exchange->request, &len);
  g_output_stream_write_all_async (g_io_stream_get_output_stream (stream), bytes, len,
                                   G_PRIORITY_DEFAULT, g_task_get_cancellable (task), on_written,
                                   task);
}

static GString *
new_request (const char *method, const char *path, const char *host, GError **error)
{
  GString *request;

  if (!is_safe (method, FALSE) || !is_safe (path, FALSE) || *path != '/' || !is_safe (host, FALSE))
    {
      g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT, _ ("“%s” is no usable path"), path);
      return NULL;
    }
  request = g_string_new (NULL);
  g_string_append_printf (request, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, host);
  if (g_str_equal (method, "POST"))
    g_string_append (request, "Content-Length: 0\r\n");
  return request;
}

void
hn_http_upgrade_async (GIOStream *stream, const char *method, const char *path, const char *host,
                       const char *protocol, const char *const *headers, GCancellable *cancellable,
                       GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);
  GError *error = NULL;
  GString *request;

  g_task_set_source_tag (task, hn_http_upgrade_async);
  request = new_request (method, path, host, &error);
  if (request == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  g_string_append_printf (request, "Upgrade: %s\r\nConnection: Upgrade\r\n", protocol);
  for (; headers != NULL && headers[0] != NULL; headers += 2)
    {
      if (g_ascii_strcasecmp (headers[0], "content-length") == 0)
        continue;
      if (!is_safe (headers[0], FALSE) || !is_safe (headers[1], TRUE))
        {
          g_string_free (request, TRUE);
          g_task_return_new_error (task, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                                   _ ("A header of the request is malformed"));
          return;
        }
      g_string_append_printf (request, "%s: %s\r\n", headers[0], headers[1]);
    }
  start (g_steal_pointer (&task), stream, protocol, request,
         hn_http_parser_new (FALSE, MAX_REFUSAL_BODY, TRUE));
}

GIOStream *
hn_http_upgrade_finish (GAsyncResult *result, HnHttpResponse **response, GError **error)
{
  Exchange *exchange;

  g_return_val_if_fail (g_async_result_is_tagged (result, hn_http_upgrade_async), NULL);
  exchange = g_task_get_task_data (G_TASK (result));
  if (response != NULL)
    *response = exchange != NULL ? g_steal_pointer (&exchange->response) : NULL;
  return g_task_propagate_pointer (G_TASK (result), error);
}

void
hn_http_request_async (GIOStream *stream, const char *method, const char *path, const char *host,
                       gsize max_body, GCancellable *cancellable, GAsyncReadyCallback callback,
                       gpointer data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);
  GError *error = NULL;
  GString *request;

  g_task_set_source_tag (task, hn_http_request_async);
  request = new_request (method, path, host, &error);
  if (request == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  g_string_append (request, "Connection: close\r\n");
  start (g_steal_pointer (&task), stream, NULL, request,
         hn_http_parser_new (g_str_equal (method, "HEAD"), max_body, FALSE));
}

HnHttpResponse *
hn_http_request_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, hn_http_request_async), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}
