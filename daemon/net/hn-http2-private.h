/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two files of the HTTP/2 client share beyond its public face.
 */
#pragma once

#include "net/hn-http2.h"

/* Seconds of the answer's Retry-After header, 0 without one; from the headers callback on. */
guint hn_http2_request_get_retry_after (const HnHttp2Request *request);
