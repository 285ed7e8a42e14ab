/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Error codes to D-Bus error names. */
#include "bus/hn-bus-errors.h"

#include "base/hn-error.h"
#include "base/hn-text.h"

/* Longer messages can only come from a server that wants to annoy. */
#define MESSAGE_MAX 2048

static const char *
get_name (HnError code)
{
  switch (code)
    {
    case HN_ERROR_INVALID_ARGUMENT:
      return HN_BUS_ERROR_PREFIX "InvalidArgument";
    case HN_ERROR_NOT_AUTHORIZED:
      return HN_BUS_ERROR_PREFIX "NotAuthorized";
    case HN_ERROR_NOT_FOUND:
      return HN_BUS_ERROR_PREFIX "NotFound";
    case HN_ERROR_EXISTS:
      return HN_BUS_ERROR_PREFIX "Exists";
    case HN_ERROR_NOT_CONNECTED:
      return HN_BUS_ERROR_PREFIX "NotConnected";
    case HN_ERROR_NEEDS_LOGIN:
    case HN_ERROR_NODE_KEY_EXPIRED:
    case HN_ERROR_NODE_UNKNOWN:
      return HN_BUS_ERROR_PREFIX "NeedsLogin";
    case HN_ERROR_NOT_SUPPORTED:
      return HN_BUS_ERROR_PREFIX "NotSupported";
    case HN_ERROR_BUSY:
      return HN_BUS_ERROR_PREFIX "Busy";
    case HN_ERROR_TIMEOUT:
      return HN_BUS_ERROR_PREFIX "Timeout";
    case HN_ERROR_UNKNOWN_HOST:
    case HN_ERROR_CONNECTION_REFUSED:
    case HN_ERROR_UNREACHABLE:
    case HN_ERROR_CONNECTION_LOST:
    case HN_ERROR_PROXY:
    case HN_ERROR_TLS_UNKNOWN_CA:
    case HN_ERROR_TLS_WRONG_NAME:
    case HN_ERROR_TLS_EXPIRED:
    case HN_ERROR_TLS:
    case HN_ERROR_NOT_A_SERVER:
    case HN_ERROR_UPGRADE_REFUSED:
    case HN_ERROR_VERSION_REFUSED:
    case HN_ERROR_SERVER_KEY:
      return HN_BUS_ERROR_PREFIX "ServerUnreachable";
    case HN_ERROR_SERVER_REFUSED:
    case HN_ERROR_AUTH_KEY_REFUSED:
    case HN_ERROR_RATE_LIMITED:
      return HN_BUS_ERROR_PREFIX "ServerRefused";
    case HN_ERROR_PROTOCOL:
    case HN_ERROR_FAILED:
      break;
    }
  return HN_BUS_ERROR_PREFIX "Failed";
}

const char *
hn_bus_errors_get_name (const GError *error)
{
  if (error != NULL && error->domain == HN_ERROR)
    return get_name ((HnError) error->code);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    return get_name (HN_ERROR_TIMEOUT);
  return get_name (HN_ERROR_FAILED);
}

void
hn_bus_return_error (GDBusMethodInvocation *invocation, const GError *error)
{
  const char *text = error != NULL ? error->message : "Something went wrong";
  g_autofree char *message = hn_text_make_printable (text, strnlen (text, MESSAGE_MAX));

  g_dbus_method_invocation_return_dbus_error (invocation, hn_bus_errors_get_name (error), message);
}
