/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * STUN as far as relays speak it: binding requests that they answer and the addresses they saw us
 * at (RFC 8489; tailscale: net/stun/stun.go). Bytes and values only.
 */
#pragma once

#include "base/hn-ip.h"

#define HN_STUN_ID_LEN 12
#define HN_STUN_REQUEST_LEN 40

/* A binding request. The relays of this ecosystem answer only those that name this software and end
 * with the checksum. */
void hn_stun_write_request (const guint8 id[HN_STUN_ID_LEN], guint8 out[HN_STUN_REQUEST_LEN]);
/* Whether it can be told from everything else that comes to the same sockets. */
gboolean hn_stun_is_stun (const guint8 *data, gsize len);
/*
 * hn_stun_parse_response:
 * @id: (out): which request it answers; the caller knows which are outstanding
 * @mapped: (out): where the request came from as the server saw it; never without a port, and an
 *   IPv4 address whichever way it was written
 *
 * Returns: FALSE when this is no success response with an address
 */
gboolean hn_stun_parse_response (const guint8 *data, gsize len, guint8 id[HN_STUN_ID_LEN],
                                 HnEndpoint *mapped);
