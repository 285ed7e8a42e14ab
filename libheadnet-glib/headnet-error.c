/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "headnet-error.h"

#include <string.h>

#define ERROR_PREFIX "org.headnet.Headnet1.Error."

/**
 * headnet_error_quark:
 *
 * Returns: the domain of the library's errors
 *
 * Since: 1.0
 */
GQuark
headnet_error_quark (void)
{
  return g_quark_from_static_string ("headnet-error-quark");
}

static const struct
{
  const char *name;
  HeadnetError code;
} error_names[] = {
  { "Failed", HEADNET_ERROR_FAILED },
  { "InvalidArgument", HEADNET_ERROR_INVALID_ARGUMENT },
  { "NotAuthorized", HEADNET_ERROR_NOT_AUTHORIZED },
  { "NotFound", HEADNET_ERROR_NOT_FOUND },
  { "Exists", HEADNET_ERROR_EXISTS },
  { "NotConnected", HEADNET_ERROR_NOT_CONNECTED },
  { "NeedsLogin", HEADNET_ERROR_NEEDS_LOGIN },
  { "ServerUnreachable", HEADNET_ERROR_SERVER_UNREACHABLE },
  { "ServerRefused", HEADNET_ERROR_SERVER_REFUSED },
  { "Timeout", HEADNET_ERROR_TIMEOUT },
  { "NotSupported", HEADNET_ERROR_NOT_SUPPORTED },
  { "Busy", HEADNET_ERROR_BUSY },
};

static HeadnetError
code_of (const GError *error, const char *remote)
{
  if (remote != NULL && g_str_has_prefix (remote, ERROR_PREFIX))
    for (gsize i = 0; i < G_N_ELEMENTS (error_names); i++)
      if (strcmp (remote + strlen (ERROR_PREFIX), error_names[i].name) == 0)
        return error_names[i].code;
  if (error->domain == G_DBUS_ERROR)
    switch (error->code)
      {
      case G_DBUS_ERROR_SERVICE_UNKNOWN:
      case G_DBUS_ERROR_NAME_HAS_NO_OWNER:
      case G_DBUS_ERROR_NO_REPLY:
      case G_DBUS_ERROR_DISCONNECTED:
      case G_DBUS_ERROR_NO_SERVER:
      case G_DBUS_ERROR_SPAWN_EXEC_FAILED:
      case G_DBUS_ERROR_SPAWN_CHILD_EXITED:
      case G_DBUS_ERROR_SPAWN_FAILED:
        return HEADNET_ERROR_NO_SERVICE;
      case G_DBUS_ERROR_ACCESS_DENIED:
      case G_DBUS_ERROR_AUTH_FAILED:
        return HEADNET_ERROR_NOT_AUTHORIZED;
      case G_DBUS_ERROR_UNKNOWN_OBJECT:
        return HEADNET_ERROR_NOT_FOUND;
      case G_DBUS_ERROR_INVALID_ARGS:
        return HEADNET_ERROR_INVALID_ARGUMENT;
      case G_DBUS_ERROR_TIMEOUT:
      case G_DBUS_ERROR_TIMED_OUT:
        return HEADNET_ERROR_TIMEOUT;
      default:
        return HEADNET_ERROR_FAILED;
      }
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    return HEADNET_ERROR_TIMEOUT;
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED))
    return HEADNET_ERROR_NO_SERVICE;
  return HEADNET_ERROR_FAILED;
}

/* Whether the bus could not find or start it, rather than it ending in the middle of a call. */
static gboolean
is_failed_start (const GError *error)
{
  return error->domain == G_DBUS_ERROR && error->code != G_DBUS_ERROR_NO_REPLY
         && error->code != G_DBUS_ERROR_DISCONNECTED;
}

/**
 * headnet_error_new_from_bus:
 * @error: what a call to the service failed with
 *
 * Turns an error of GDBus into one of [error@Headnet.Error], its message without the bus's
 * decoration. For programs that call the service themselves; the library's own functions have done
 * so already. A call that was cancelled stays %G_IO_ERROR_CANCELLED.
 *
 * Returns: (transfer full): an error of [error@Headnet.Error]
 *
 * Since: 1.0
 */
GError *
headnet_error_new_from_bus (const GError *error)
{
  g_autoptr (GError) local = g_error_copy (error);
  g_autofree char *remote = g_dbus_error_get_remote_error (local);
  HeadnetError code;
  gboolean ours; /* said by the service, and not by the bus or by GIO */

  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return g_steal_pointer (&local);
  code = code_of (local, remote);
  ours = remote != NULL && g_str_has_prefix (remote, ERROR_PREFIX);
  g_dbus_error_strip_remote_error (local);
  if (code == HEADNET_ERROR_NO_SERVICE && is_failed_start (local))
    return g_error_new (HEADNET_ERROR, code,
                        "The service headnetd does not run and could not be started: %s",
                        local->message);
  if (code == HEADNET_ERROR_NO_SERVICE)
    return g_error_new_literal (HEADNET_ERROR, code,
                                "The service headnetd ended before it answered");
  if (code == HEADNET_ERROR_NOT_AUTHORIZED && !ours)
    return g_error_new (HEADNET_ERROR, code, "The system bus does not allow that: %s",
                        local->message);
  if (code == HEADNET_ERROR_TIMEOUT && !ours)
    return g_error_new_literal (HEADNET_ERROR, code, "The service headnetd did not answer in time");
  return g_error_new_literal (HEADNET_ERROR, (int) code, local->message);
}
