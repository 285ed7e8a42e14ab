/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads one HTTP/1.1 response out of bytes as they come (RFC 9112): bounded header, Content-Length,
 * chunked and read-to-end bodies. No I/O. Interim 1xx answers are passed over, 101 is final and has
 * no body: what follows it belongs to the protocol switched to.
 */
#pragma once

#include "net/hn-http-upgrade.h"

typedef struct _HnHttpParser HnHttpParser;

/*
 * hn_http_parser_new:
 * @head: the request was HEAD, so no body comes whatever the header says
 * @max_body: the most that is kept
 * @cut: a longer body is cut and ends the answer; else it is HN_ERROR_PROTOCOL
 */
HnHttpParser *hn_http_parser_new (gboolean head, gsize max_body, gboolean cut);
void hn_http_parser_free (HnHttpParser *self);

/*
 * hn_http_parser_feed:
 * @used: (out): how many of @len bytes belong to the answer; fewer than @len only when it is done
 *
 * Returns: FALSE with HN_ERROR_PROTOCOL when this is no HTTP; do not feed it again then
 */
gboolean hn_http_parser_feed (HnHttpParser *self, const guint8 *data, gsize len, gsize *used,
                              GError **error);
/* The stream ended: TRUE when that is where the answer ends, else HN_ERROR_CONNECTION_LOST. */
gboolean hn_http_parser_end (HnHttpParser *self, GError **error);

/* The status of a complete header, 0 before that. */
guint hn_http_parser_get_status (const HnHttpParser *self);
gboolean hn_http_parser_is_done (const HnHttpParser *self);
/* Returns: (transfer full) (nullable): the answer as far as it came, NULL before its header. */
HnHttpResponse *hn_http_parser_steal (HnHttpParser *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnHttpParser, hn_http_parser_free)
