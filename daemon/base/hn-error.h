/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's one error domain. A code exists because some caller acts on it: shows another
 * reason, retries or stops retrying. Everything else is HN_ERROR_FAILED with a good message.
 */
#pragma once

#include <glib.h>

#define HN_ERROR (hn_error_quark ())

typedef enum
{
  HN_ERROR_FAILED,
  HN_ERROR_INVALID_ARGUMENT,
  HN_ERROR_NOT_AUTHORIZED,
  HN_ERROR_NOT_FOUND,
  HN_ERROR_EXISTS,
  HN_ERROR_NOT_CONNECTED,
  HN_ERROR_NEEDS_LOGIN,
  HN_ERROR_NOT_SUPPORTED,
  HN_ERROR_BUSY,
  HN_ERROR_TIMEOUT,
  HN_ERROR_PROTOCOL, /* the other side sent what it must not */

  /* reaching a server */
  HN_ERROR_UNKNOWN_HOST,
  HN_ERROR_CONNECTION_REFUSED,
  HN_ERROR_UNREACHABLE,     /* no route, network down, host down */
  HN_ERROR_CONNECTION_LOST, /* end of stream or reset in mid-conversation */
  HN_ERROR_PROXY,
  HN_ERROR_TLS_UNKNOWN_CA,
  HN_ERROR_TLS_WRONG_NAME,
  HN_ERROR_TLS_EXPIRED,
  HN_ERROR_TLS,
  HN_ERROR_NOT_A_SERVER,    /* /key is no such page, or not what a coordination server says */
  HN_ERROR_UPGRADE_REFUSED, /* anything but 101 to the upgrade */
  HN_ERROR_VERSION_REFUSED, /* 101 and then close, with a fresh server key */
  HN_ERROR_SERVER_KEY,      /* the server's Noise key changed, and no TLS vouches for it */

  /* what a reached server says */
  HN_ERROR_SERVER_REFUSED,   /* a refusal in the server's own words */
  HN_ERROR_AUTH_KEY_REFUSED, /* the pre-auth key: wrong, used up or expired */
  HN_ERROR_NODE_KEY_EXPIRED, /* this node key may not be used any more */
  HN_ERROR_NODE_UNKNOWN,     /* the server does not know this node (deleted) */
  HN_ERROR_RATE_LIMITED,
} HnError;

GQuark hn_error_quark (void);

/*
 * hn_error_get_reason:
 * @error: (nullable): an error of any domain
 *
 * Returns: (transfer none): a stable code such as "unknown-host" or "tls-expired", as it appears in
 *   the D-Bus property StateReason; "failed" for everything without a code of its own, "" for NULL.
 */
const char *hn_error_get_reason (const GError *error);

/* hn_error_is_unreachable: whether @error says that the server could not be reached at all (from
 * HN_ERROR_UNKNOWN_HOST to HN_ERROR_SERVER_KEY, and HN_ERROR_TIMEOUT). */
gboolean hn_error_is_unreachable (const GError *error);
