/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's error domain and its stable reason codes. */
#include "base/hn-error.h"

/* clang-format off */
G_DEFINE_QUARK (hn-error-quark, hn_error)
/* clang-format on */

const char *
hn_error_get_reason (const GError *error)
{
  if (error == NULL)
    return "";
  if (error->domain != HN_ERROR)
    return "failed";

  switch ((HnError) error->code)
    {
    case HN_ERROR_FAILED:
      return "failed";
    case HN_ERROR_INVALID_ARGUMENT:
      return "invalid-argument";
    case HN_ERROR_NOT_AUTHORIZED:
      return "not-authorized";
    case HN_ERROR_NOT_FOUND:
      return "not-found";
    case HN_ERROR_EXISTS:
      return "exists";
    case HN_ERROR_NOT_CONNECTED:
      return "not-connected";
    case HN_ERROR_NEEDS_LOGIN:
      return "needs-login";
    case HN_ERROR_NOT_SUPPORTED:
      return "not-supported";
    case HN_ERROR_BUSY:
      return "busy";
    case HN_ERROR_TIMEOUT:
      return "timeout";
    case HN_ERROR_PROTOCOL:
      return "protocol";
    case HN_ERROR_UNKNOWN_HOST:
      return "unknown-host";
    case HN_ERROR_CONNECTION_REFUSED:
      return "connection-refused";
    case HN_ERROR_UNREACHABLE:
      return "unreachable";
    case HN_ERROR_CONNECTION_LOST:
      return "connection-lost";
    case HN_ERROR_PROXY:
      return "proxy";
    case HN_ERROR_TLS_UNKNOWN_CA:
      return "tls-unknown-ca";
    case HN_ERROR_TLS_WRONG_NAME:
      return "tls-wrong-name";
    case HN_ERROR_TLS_EXPIRED:
      return "tls-expired";
    case HN_ERROR_TLS:
      return "tls";
    case HN_ERROR_NOT_A_SERVER:
      return "not-a-server";
    case HN_ERROR_UPGRADE_REFUSED:
      return "upgrade-refused";
    case HN_ERROR_VERSION_REFUSED:
      return "version-refused";
    case HN_ERROR_SERVER_KEY:
      return "server-key-changed";
    case HN_ERROR_SERVER_REFUSED:
      return "server-refused";
    case HN_ERROR_AUTH_KEY_REFUSED:
      return "auth-key-refused";
    case HN_ERROR_NODE_KEY_EXPIRED:
      return "node-key-expired";
    case HN_ERROR_NODE_UNKNOWN:
      return "node-unknown";
    case HN_ERROR_RATE_LIMITED:
      return "rate-limited";
    }
  return "failed";
}

gboolean
hn_error_is_unreachable (const GError *error)
{
  if (error == NULL || error->domain != HN_ERROR)
    return FALSE;
  return error->code == HN_ERROR_TIMEOUT
         || (error->code >= HN_ERROR_UNKNOWN_HOST && error->code <= HN_ERROR_SERVER_KEY);
}
