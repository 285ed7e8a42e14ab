/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An HTTP/2 client over any GIOStream (prior knowledge, nghttp2): several requests at once, bodies
 * out at once, answers whole with a limit or as a stream of chunks. Takes the stream's ownership.
 * Runs on the context that is thread-default when it is made.
 */
#pragma once

#include <gio/gio.h>

#define HN_TYPE_HTTP2 (hn_http2_get_type ())
G_DECLARE_FINAL_TYPE (HnHttp2, hn_http2, HN, HTTP2, GObject)

/* Sends preface and SETTINGS at once (no push, stream window 4 MiB, connection window 16 MiB). */
HnHttp2 *hn_http2_new (GIOStream *stream, const char *authority);
/* Whether new requests can be made (no GOAWAY, no error, not closed). */
gboolean hn_http2_is_open (HnHttp2 *self);
/* Ends all requests with HN_ERROR_CONNECTION_LOST (or G_IO_ERROR_CANCELLED when @error is NULL) and
 * closes the stream. */
void hn_http2_close (HnHttp2 *self, const GError *error);
/* Asks for a sign of life: a PING, which the other side has to answer whatever its requests wait for
 * (RFC 9113, 6.7). */
void hn_http2_ping (HnHttp2 *self);
/* How many bytes ever came; more than before means that the other side lives. */
guint64 hn_http2_get_received (HnHttp2 *self);
/* Signal "closed" (GError *error): the connection ended or can take no further request. Once, and
 * not when the owner closes it. Requests that the server still answers may go on behind it. */

typedef struct _HnHttp2Request HnHttp2Request;

typedef struct
{
  /* Headers came. Return FALSE to cancel. */
  gboolean (*headers) (gpointer user, guint status);
  /* A chunk of the body; valid during the call. Return FALSE to cancel. */
  gboolean (*data) (gpointer user, const guint8 *data, gsize len);
  /* The end, exactly once unless cancelled by the caller; @error NULL for a clean end of stream. */
  void (*end) (gpointer user, const GError *error);
} HnHttp2StreamOps;

/*
 * hn_http2_request_stream:
 * @headers: NULL-terminated name, value ... in lower case, sent beside the pseudo-headers
 * @body: (nullable): sent with END_STREAM
 *
 * Returns: (transfer none): valid until its end callback or hn_http2_request_cancel(); NULL when the
 *   connection is closed (no callback then)
 */
HnHttp2Request *hn_http2_request_stream (HnHttp2 *self, const char *method, const char *path,
                                         const char *const *headers, GBytes *body,
                                         const HnHttp2StreamOps *ops, gpointer user);
/* RST_STREAM (CANCEL); no callback comes afterwards. */
void hn_http2_request_cancel (HnHttp2Request *request);

/* A request whose whole answer is wanted, at most @max_body bytes. Cancelling resets the stream.
 * @timeout_s 0: none. */
void hn_http2_request_async (HnHttp2 *self, const char *method, const char *path,
                             const char *const *headers, GBytes *body, gsize max_body,
                             guint timeout_s, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer data);
/* @retry_after_s: (out) (optional): of a Retry-After header in seconds, else 0 */
GBytes *hn_http2_request_finish (HnHttp2 *self, GAsyncResult *result, guint *status,
                                 guint *retry_after_s, GError **error);
