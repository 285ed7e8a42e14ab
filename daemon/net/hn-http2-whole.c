/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests whose whole answer is wanted, on top of the streaming ones. */
#include "net/hn-http2.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "base/hn-secret.h"
#include "base/hn-source.h"
#include "net/hn-http2-private.h"

typedef struct
{
  HnHttp2Request *request; /* NULL when it ended */
  guint8 *body;            /* owned; wiped: it may be the address of a sign-in */
  gsize len;
  gsize size;
  gsize max_body;
  guint timeout_s;
  guint status;
  guint retry_after_s;
  GSource *cancel_source;
  GSource *timeout_source;
} Whole;

typedef struct
{
  guint8 *data;
  gsize size;
} Wiped;

static void
wiped_free (gpointer data)
{
  Wiped *wiped = data;

  hn_wipe (wiped->data, wiped->size);
  g_free (wiped->data);
  g_free (wiped);
}

static GBytes *
take_body (Whole *whole)
{
  Wiped *wiped = g_new (Wiped, 1);
  gsize len = whole->len;

  wiped->size = whole->size;
  wiped->data = g_steal_pointer (&whole->body);
  whole->len = whole->size = 0;
  return g_bytes_new_with_free_func (wiped->data, len, wiped_free, wiped);
}

/* Not by realloc, which leaves copies behind. */
static void
append (Whole *whole, const guint8 *data, gsize len)
{
  if (len > whole->size - whole->len)
    {
      gsize size = MAX (2 * whole->size, whole->len + len);
      guint8 *body = g_malloc (size);

      if (whole->len > 0)
        {
          memcpy (body, whole->body, whole->len);
          hn_wipe (whole->body, whole->len);
        }
      g_free (whole->body);
      whole->body = body;
      whole->size = size;
    }
  if (len > 0)
    memcpy (whole->body + whole->len, data, len);
  whole->len += len;
}

static void
whole_free (gpointer data)
{
  Whole *whole = data;

  hn_source_clear (&whole->cancel_source);
  hn_source_clear (&whole->timeout_source);
  if (whole->len > 0)
    hn_wipe (whole->body, whole->len);
  g_free (whole->body);
  g_free (whole);
}

/* Takes the reference that the request held. */
static void
whole_end (GTask *task, GError *error)
{
  Whole *whole = g_task_get_task_data (task);

  whole->request = NULL;
  hn_source_clear (&whole->cancel_source);
  hn_source_clear (&whole->timeout_source);
  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_pointer (task, take_body (whole), (GDestroyNotify) g_bytes_unref);
  g_object_unref (task);
}

static gboolean
on_whole_headers (gpointer user, guint status)
{
  Whole *whole = g_task_get_task_data (user);

  whole->status = status;
  whole->retry_after_s = hn_http2_request_get_retry_after (whole->request);
  return TRUE;
}

static gboolean
on_whole_data (gpointer user, const guint8 *data, gsize len)
{
  Whole *whole = g_task_get_task_data (user);

  if (len <= whole->max_body - whole->len)
    append (whole, data, len);
  else
    {
      /* The request goes first: the task's callback may end the whole session. */
      hn_http2_request_cancel (whole->request);
      whole_end (user,
                 g_error_new (HN_ERROR, HN_ERROR_PROTOCOL, _ ("The server's answer is too long")));
    }
  return TRUE;
}

static void
on_whole_end (gpointer user, const GError *error)
{
  whole_end (user, error != NULL ? g_error_copy (error) : NULL);
}

static gboolean
on_whole_cancelled (GCancellable *cancellable, gpointer data)
{
  Whole *whole = g_task_get_task_data (data);

  hn_http2_request_cancel (whole->request);
  whole_end (data, g_error_new (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The request was cancelled")));
  return G_SOURCE_REMOVE;
}

static gboolean
on_whole_timeout (gpointer data)
{
  Whole *whole = g_task_get_task_data (data);

  hn_http2_request_cancel (whole->request);
  whole_end (data, g_error_new (HN_ERROR, HN_ERROR_TIMEOUT,
                                _ ("The server did not answer the request within %u s"),
                                whole->timeout_s));
  return G_SOURCE_REMOVE;
}

void
hn_http2_request_async (HnHttp2 *self, const char *method, const char *path,
                        const char *const *headers, GBytes *body, gsize max_body, guint timeout_s,
                        GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  static const HnHttp2StreamOps ops = {
    .headers = on_whole_headers,
    .data = on_whole_data,
    .end = on_whole_end,
  };
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);
  Whole *whole;

  g_return_if_fail (HN_IS_HTTP2 (self));
  g_task_set_source_tag (task, hn_http2_request_async);
  if (g_task_return_error_if_cancelled (task))
    return;
  g_task_set_check_cancellable (task, FALSE);
  whole = g_new0 (Whole, 1);
  whole->max_body = MIN (max_body, (gsize) G_MAXINT);
  whole->timeout_s = timeout_s;
  g_task_set_task_data (task, whole, whole_free);
  whole->request = hn_http2_request_stream (self, method, path, headers, body, &ops, task);
  if (whole->request == NULL)
    {
      g_task_return_new_error (task, HN_ERROR, HN_ERROR_CONNECTION_LOST,
                               _ ("The connection to the server is closed"));
      return;
    }
  if (cancellable != NULL)
    {
      whole->cancel_source = g_cancellable_source_new (cancellable);
      g_source_set_callback (whole->cancel_source, G_SOURCE_FUNC (on_whole_cancelled), task, NULL);
      g_source_attach (whole->cancel_source, g_task_get_context (task));
    }
  if (timeout_s > 0)
    {
      whole->timeout_source = hn_clock_timer_new ((gint64) timeout_s * G_USEC_PER_SEC);
      g_source_set_callback (whole->timeout_source, on_whole_timeout, task, NULL);
      g_source_attach (whole->timeout_source, g_task_get_context (task));
    }
  g_steal_pointer (&task); /* the request's until whole_end() */
}

GBytes *
hn_http2_request_finish (HnHttp2 *self, GAsyncResult *result, guint *status, guint *retry_after_s,
                         GError **error)
{
  Whole *whole;

  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  whole = g_task_get_task_data (G_TASK (result));
  if (status != NULL)
    *status = whole != NULL ? whole->status : 0;
  if (retry_after_s != NULL)
    *retry_after_s = whole != NULL ? whole->retry_after_s : 0;
  return g_task_propagate_pointer (G_TASK (result), error);
}
