/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arguments of D-Bus calls. The first byte picks the method, the second how the rest becomes its
 * arguments: GVariant's text, its serialized form (of the declared type, or as a type string up to a
 * zero byte and a value), or a whole message as it stands on the wire.
 */
#include <gio/gio.h>
#include <stdint.h>
#include <string.h>

#include "base/hn-error.h"
#include "bus/hn-arguments.h"
#include "bus/hn-permissions.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef enum
{
  ADD_TAILNET,
  CHECK_SERVER,
  CONNECT,
  LOGIN,
  SET_PREFERENCES,
  GET_PEER,
  PING,
  N_METHODS,
} Method;

#define MANAGER "org.headnet.Headnet1.Manager"
#define TAILNET "org.headnet.Headnet1.Tailnet"

static const struct
{
  const char *interface_name;
  const char *name;
  const char *type;
} methods[N_METHODS] = {
  [ADD_TAILNET] = { MANAGER, "AddTailnet", "(a{sv})" },
  [CHECK_SERVER] = { MANAGER, "CheckServer", "(sa{sv})" },
  [CONNECT] = { TAILNET, "Connect", "(a{sv})" },
  [LOGIN] = { TAILNET, "Login", "(a{sv})" },
  [SET_PREFERENCES] = { TAILNET, "SetPreferences", "(a{sv})" },
  [GET_PEER] = { TAILNET, "GetPeer", "(s)" },
  [PING] = { TAILNET, "Ping", "(sa{sv})" },
};

/* Each error goes to the caller in a message. */
static void
check_error (gboolean ok, const GError *error)
{
  g_assert_true (ok == (error == NULL));
  if (error == NULL)
    return;
  g_assert_true (error->domain == HN_ERROR);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
}

static gboolean
check_preferences (HnPreferences *preferences)
{
  if (preferences == NULL)
    return FALSE;
  g_assert_true (g_utf8_validate (preferences->name, -1, NULL));
  g_assert_true (preferences->mtu == 0 || (preferences->mtu >= 1280 && preferences->mtu <= 65400));
  hn_preferences_free (preferences);
  return TRUE;
}

static void
call (Method method, GVariant *arguments)
{
  g_autoptr (GVariant) first = g_variant_get_child_value (arguments, 0);
  g_autoptr (GVariant) second
      = g_variant_n_children (arguments) > 1 ? g_variant_get_child_value (arguments, 1) : NULL;
  g_autoptr (HnPreferences) present = hn_preferences_new ();
  g_autoptr (HnSecretText) auth_key = NULL;
  g_autofree char *url = NULL;
  g_autofree char *certificate = NULL;
  g_autoptr (GError) error = NULL;
  gboolean flag, ok;
  HnPingKind kind;
  guint timeout_ms;

  switch (method)
    {
    case ADD_TAILNET:
      ok = check_preferences (hn_arguments_parse_settings (first, &error));
      break;
    case CHECK_SERVER:
      ok = hn_arguments_parse_check_server (g_variant_get_string (first, NULL), second, &url,
                                            &certificate, &error);
      break;
    case CONNECT:
      ok = hn_arguments_parse_connect (first, &flag, &error);
      break;
    case LOGIN:
      ok = hn_arguments_parse_login (first, &auth_key, &flag, &error);
      break;
    case SET_PREFERENCES:
      ok = check_preferences (hn_arguments_parse_preferences (first, present, &error));
      break;
    case GET_PEER:
      ok = hn_arguments_check_target (g_variant_get_string (first, NULL), &error);
      break;
    case PING:
      ok = hn_arguments_check_target (g_variant_get_string (first, NULL), &error)
           && hn_arguments_parse_ping (second, &kind, &timeout_ms, &error);
      break;
    case N_METHODS:
    default:
      g_assert_not_reached ();
    }
  check_error (ok, error);
}

static GVariant *
from_message (const uint8_t *data, size_t size)
{
  g_autofree guchar *blob = g_memdup2 (data, size);
  g_autoptr (GDBusMessage) message
      = size > 0 ? g_dbus_message_new_from_blob (blob, size, 0, NULL) : NULL;
  GVariant *body = message != NULL ? g_dbus_message_get_body (message) : NULL;

  return body != NULL ? g_variant_ref (body) : NULL;
}

static GVariant *
from_bytes (const char *type, const uint8_t *data, size_t size)
{
  guint8 *copy = g_memdup2 (data, size);
  g_autoptr (GVariant) value = g_variant_ref_sink (
      g_variant_new_from_data (G_VARIANT_TYPE (type), copy, size, FALSE, g_free, copy));

  /* The bus hands on nothing else. */
  return g_variant_get_normal_form (value);
}

static GVariant *
from_typed_bytes (const uint8_t *data, size_t size)
{
  const uint8_t *zero = memchr (data, 0, MIN (size, 64));

  if (zero == NULL || !g_variant_type_string_is_valid ((const char *) data)
      || !g_variant_type_is_definite (G_VARIANT_TYPE ((const char *) data)))
    return NULL;
  return from_bytes ((const char *) data, zero + 1, size - (zero + 1 - data));
}

static GVariant *
make_arguments (Method method, guint8 how, const uint8_t *data, size_t size)
{
  switch (how % 4)
    {
    case 0:
      if (!g_utf8_validate ((const char *) data, size, NULL))
        return NULL;
      return g_variant_parse (G_VARIANT_TYPE (methods[method].type), (const char *) data,
                              (const char *) data + size, NULL, NULL);
    case 1:
      return from_bytes (methods[method].type, data, size);
    case 2:
      return from_typed_bytes (data, size);
    default:
      return from_message (data, size);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (GError) error = NULL;
  Method method;
  HnRight right;
  gboolean known;

  if (size < 2)
    return 0;
  method = data[0] % N_METHODS;
  arguments = make_arguments (method, data[1], data + 2, size - 2);
  if (arguments == NULL)
    return 0;
  /* The table of rights is asked first, with whatever came. */
  known = hn_permissions_get_right (methods[method].interface_name, methods[method].name, arguments,
                                    &right, &error);
  check_error (known, error);
  if (g_variant_is_of_type (arguments, G_VARIANT_TYPE (methods[method].type)))
    call (method, arguments);
  return 0;
}
