/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small HTTP/1.1 over a connected stream: an upgrade that leaves a raw stream, and a plain request
 * with a bounded answer. Bytes behind the header are never lost.
 */
#pragma once

#include <gio/gio.h>

#define HN_HTTP_MAX_HEADER 8192

typedef struct
{
  guint status;
  char *reason;
  GHashTable *headers; /* lower-case name -> value (last one wins) */
  GBytes *body;        /* of hn_http_request; what came of a refused upgrade, at most 4 KiB */
} HnHttpResponse;

void hn_http_response_free (HnHttpResponse *response);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnHttpResponse, hn_http_response_free)

/* "host" or "host:port" for a Host header: brackets round IPv6, default ports left out. */
char *hn_http_format_host (const char *host, guint16 port, gboolean tls);

/*
 * hn_http_upgrade_async:
 * @stream: a connected stream
 * @method: "GET" or "POST"
 * @headers: NULL-terminated name, value, name, value ...; Host and Connection: Upgrade are added
 *
 * Sends the request and reads the answer's header. 101 whose Upgrade header equals @protocol
 * (without regard to case) is success; any other answer is HN_ERROR_UPGRADE_REFUSED with status and
 * the start of the body's text in the message; no HTTP at all is HN_ERROR_PROTOCOL; end of stream
 * before an answer HN_ERROR_CONNECTION_LOST.
 */
void hn_http_upgrade_async (GIOStream *stream, const char *method, const char *path,
                            const char *host, const char *protocol, const char *const *headers,
                            GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data);
/* Returns: (transfer full): a stream that first gives the bytes already read behind the header.
 * @response: (out) (optional) (transfer full) */
GIOStream *hn_http_upgrade_finish (GAsyncResult *result, HnHttpResponse **response, GError **error);

/* One request with Connection: close; the body is at most @max_body bytes (more is
 * HN_ERROR_PROTOCOL). Content-Length, chunked and read-to-end bodies. The status is for the caller
 * to judge. */
void hn_http_request_async (GIOStream *stream, const char *method, const char *path,
                            const char *host, gsize max_body, GCancellable *cancellable,
                            GAsyncReadyCallback callback, gpointer data);
HnHttpResponse *hn_http_request_finish (GAsyncResult *result, GError **error);
