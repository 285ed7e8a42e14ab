/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other side of HTTP/2 for tests: bytes in, bytes out, and the path says what the answer is.
 *
 *   /hello        200 "hello"              /never       nothing at all
 *   /echo         200, the request's body  /open        header 200, then nothing
 *   /big/N        200, N bytes             /rst         RST_STREAM (INTERNAL_ERROR)
 *   /status/N     status N, retry-after 7  /refuse      RST_STREAM (REFUSED_STREAM)
 *   /interim      103, then 200 "hello"    /goaway      200 "hello", GOAWAY that counts it in
 *   /length       a wrong content-length   /early       answers before the request's body came
 *   /fat          20 KiB of header         /drop        the connection ends
 *   /cut          header 200, then RST_STREAM (NO_ERROR)
 */
#pragma once

#include <glib.h>

typedef struct _H2Server H2Server;

/* @window: what a client may send on each stream before it is told more, which it never is when 0 */
H2Server *h2_server_new (guint window);
void h2_server_free (H2Server *self);
/* Appends what is to be sent to @out; FALSE: the connection is to be closed. */
gboolean h2_server_feed (H2Server *self, const guint8 *data, gsize len, GByteArray *out);
/* How many streams the client has reset. */
guint h2_server_get_resets (const H2Server *self);
