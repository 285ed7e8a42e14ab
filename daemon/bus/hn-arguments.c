/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dictionaries to values, by tables of keys. */
#include "bus/hn-arguments.h"

#include <string.h>

#include "base/hn-error.h"

#define TEXT_MAX 256
#define URL_MAX 2048
#define CA_MAX (256 * 1024)
#define AUTH_KEY_MAX 1024
#define LIST_MAX 1024
#define CAPABILITY_VERSION_MAX 9999
#define NAME_MAX_CHARS 64
#define PING_TIMEOUT_MAX_MS 60000
/* The least that IPv6 allows, and what still fits into a frame of a relay when encrypted. */
#define MTU_MIN 1280
#define MTU_MAX 65400

typedef gboolean (*Setter) (const char *key, GVariant *value, gpointer target, GError **error);

typedef struct
{
  const char *name;
  const char *type;
  gsize max; /* bytes of a string, elements of an array */
  Setter set;
} Key;

static gboolean invalid (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
invalid (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error != NULL)
    *error = g_error_new_valist (HN_ERROR, HN_ERROR_INVALID_ARGUMENT, format, args);
  va_end (args);
  return FALSE;
}

static gboolean
not_supported (GError **error, const char *key)
{
  g_set_error (error, HN_ERROR, HN_ERROR_NOT_SUPPORTED,
               "This version can not do that yet: %s has no effect", key);
  return FALSE;
}

static gboolean
has_control_characters (const char *value)
{
  for (const char *c = value; *c != '\0'; c = g_utf8_next_char (c))
    if (g_unichar_iscntrl (g_utf8_get_char (c)))
      return TRUE;
  return FALSE;
}

static const Key *
find_key (const Key *keys, gsize n_keys, const char *name)
{
  for (gsize i = 0; i < n_keys; i++)
    if (g_str_equal (keys[i].name, name))
      return &keys[i];
  return NULL;
}

static gboolean
check_value (const Key *key, GVariant *value, GError **error)
{
  gsize length;

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE (key->type)))
    return invalid (error, "%s must be of the type “%s”, not “%.32s”", key->name, key->type,
                    g_variant_get_type_string (value));
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    {
      g_variant_get_string (value, &length);
      if (length > key->max)
        return invalid (error, "%s is longer than %" G_GSIZE_FORMAT " bytes", key->name, key->max);
    }
  else if (g_variant_type_is_array (g_variant_get_type (value))
           && g_variant_n_children (value) > key->max)
    return invalid (error, "%s has more than %" G_GSIZE_FORMAT " elements", key->name, key->max);
  return TRUE;
}

/* Checks each key of @dictionary against the table and hands it to its setter. */
static gboolean
parse (GVariant *dictionary, const Key *keys, gsize n_keys, gpointer target, GError **error)
{
  GVariantIter iter;
  const char *name;
  GVariant *borrowed;
  guint64 seen = 0;

  g_return_val_if_fail (n_keys <= 64, FALSE);
  g_variant_iter_init (&iter, dictionary);
  while (g_variant_iter_next (&iter, "{&sv}", &name, &borrowed))
    {
      g_autoptr (GVariant) value = borrowed;
      const Key *key = find_key (keys, n_keys, name);
      guint64 bit;

      if (key == NULL)
        return invalid (error, "There is no key named “%.64s” here", name);
      bit = G_GUINT64_CONSTANT (1) << (key - keys);
      if (seen & bit)
        return invalid (error, "%s is given twice", name);
      seen |= bit;
      if (!check_value (key, value, error) || !key->set (name, value, target, error))
        return FALSE;
    }
  return TRUE;
}

/* Keys that have no effect yet: only how things are anyway is accepted. */
static gboolean
set_must_be_false (const char *key, GVariant *value, gpointer target, GError **error)
{
  return !g_variant_get_boolean (value) || not_supported (error, key);
}

static gboolean
set_must_be_true (const char *key, GVariant *value, gpointer target, GError **error)
{
  return g_variant_get_boolean (value) || not_supported (error, key);
}

static gboolean
set_must_be_empty (const char *key, GVariant *value, gpointer target, GError **error)
{
  gboolean empty = g_variant_is_of_type (value, G_VARIANT_TYPE_STRING)
                       ? *g_variant_get_string (value, NULL) == '\0'
                       : g_variant_n_children (value) == 0;

  return empty || not_supported (error, key);
}

static gboolean
set_port (const char *key, GVariant *value, gpointer target, GError **error)
{
  HnPreferences *preferences = target;

  preferences->port = g_variant_get_uint16 (value);
  return TRUE;
}

static gboolean
set_shields_up (const char *key, GVariant *value, gpointer target, GError **error)
{
  HnPreferences *preferences = target;

  preferences->shields_up = g_variant_get_boolean (value);
  return TRUE;
}

static gboolean
set_mode (const char *key, GVariant *value, gpointer target, GError **error)
{
  const char *mode = g_variant_get_string (value, NULL);

  if (g_str_equal (mode, "tun"))
    return TRUE;
  if (g_str_equal (mode, "userspace"))
    return not_supported (error, "Mode “userspace”");
  return invalid (error, "Mode is “tun” or “userspace”");
}

/* Keys of preferences that work. */
static gboolean
set_name (const char *key, GVariant *value, gpointer target, GError **error)
{
  HnPreferences *preferences = target;
  g_autofree char *name = g_strstrip (g_variant_dup_string (value, NULL));

  if (*name == '\0' || g_utf8_strlen (name, -1) > NAME_MAX_CHARS || has_control_characters (name))
    return invalid (error, "A name has 1 to %d printable characters", NAME_MAX_CHARS);
  g_free (preferences->name);
  preferences->name = g_steal_pointer (&name);
  return TRUE;
}

static gboolean
set_host_name (const char *key, GVariant *value, gpointer target, GError **error)
{
  HnPreferences *preferences = target;
  const char *name = g_variant_get_string (value, NULL);

  if (*name != '\0' && !hn_preferences_check_host_name (name, error))
    return FALSE;
  g_free (preferences->host_name);
  preferences->host_name = g_strdup (name);
  return TRUE;
}

static gboolean
set_mtu (const char *key, GVariant *value, gpointer target, GError **error)
{
  HnPreferences *preferences = target;
  guint mtu = g_variant_get_uint32 (value);

  if (mtu != 0 && (mtu < MTU_MIN || mtu > MTU_MAX))
    return invalid (error, "Mtu is %d to %d, or 0 for the default", MTU_MIN, MTU_MAX);
  preferences->mtu = mtu;
  return TRUE;
}

static gboolean
set_auto_connect (const char *key, GVariant *value, gpointer target, GError **error)
{
  HnPreferences *preferences = target;

  preferences->auto_connect = g_variant_get_boolean (value);
  return TRUE;
}

HnPreferences *
hn_arguments_parse_preferences (GVariant *changes, const HnPreferences *present, GError **error)
{
  static const Key keys[] = {
    { "Name", "s", TEXT_MAX, set_name },
    { "HostName", "s", TEXT_MAX, set_host_name },
    { "AcceptRoutes", "b", 0, set_must_be_false },
    { "AcceptDns", "b", 0, set_must_be_true },
    { "ExitNode", "s", TEXT_MAX, set_must_be_empty },
    { "AllowLanAccess", "b", 0, set_must_be_false },
    { "AdvertiseRoutes", "as", LIST_MAX, set_must_be_empty },
    { "AdvertiseExitNode", "b", 0, set_must_be_false },
    { "ShieldsUp", "b", 0, set_shields_up },
    { "Mtu", "u", 0, set_mtu },
    { "Port", "q", 0, set_port },
    { "Mode", "s", TEXT_MAX, set_mode },
    { "AutoConnect", "b", 0, set_auto_connect },
  };
  g_autoptr (HnPreferences) preferences = hn_preferences_copy (present);

  if (!parse (changes, keys, G_N_ELEMENTS (keys), preferences, error))
    return NULL;
  return g_steal_pointer (&preferences);
}

static gboolean
check_certificate (const char *pem, GError **error)
{
  g_autoptr (GTlsCertificate) certificate = NULL;
  g_autoptr (GError) tls_error = NULL;

  if (strstr (pem, "-----BEGIN CERTIFICATE-----") == NULL)
    return invalid (error, "CaCertificate must be the text of a certificate, with the line "
                           "“-----BEGIN CERTIFICATE-----”, not the name of a file");
  if (strstr (pem, "PRIVATE KEY-----") != NULL)
    return invalid (error, "CaCertificate has a private key in it; give the certificate alone");
  if (!g_tls_backend_supports_tls (g_tls_backend_get_default ()))
    return TRUE; /* whoever dials will say what is missing */
  certificate = g_tls_certificate_new_from_pem (pem, -1, &tls_error);
  if (certificate == NULL)
    return invalid (error, "CaCertificate can not be read: %s", tls_error->message);
  return TRUE;
}

static gboolean
set_ca_certificate (const char *key, GVariant *value, gpointer target, GError **error)
{
  char **ca_certificate = target;
  const char *pem = g_variant_get_string (value, NULL);

  if (!check_certificate (pem, error))
    return FALSE;
  g_free (*ca_certificate);
  *ca_certificate = g_strdup (pem);
  return TRUE;
}

static gboolean
set_settings_ca_certificate (const char *key, GVariant *value, gpointer target, GError **error)
{
  HnPreferences *settings = target;

  return set_ca_certificate (key, value, &settings->ca_certificate, error);
}

static gboolean
set_server_url (const char *key, GVariant *value, gpointer target, GError **error)
{
  HnPreferences *settings = target;
  char *url = hn_preferences_normalize_url (g_variant_get_string (value, NULL), error);

  if (url == NULL)
    return FALSE;
  g_free (settings->server_url);
  settings->server_url = url;
  return TRUE;
}

static gboolean
set_capability_version (const char *key, GVariant *value, gpointer target, GError **error)
{
  HnPreferences *settings = target;
  guint version = g_variant_get_uint32 (value);

  if (version > CAPABILITY_VERSION_MAX)
    return invalid (error, "There is no CapabilityVersion %u", version);
  settings->capability_version = version;
  return TRUE;
}

/* For a new tailnet "" means: make one up. */
static gboolean
set_new_name (const char *key, GVariant *value, gpointer target, GError **error)
{
  return *g_variant_get_string (value, NULL) == '\0' || set_name (key, value, target, error);
}

HnPreferences *
hn_arguments_parse_settings (GVariant *settings, GError **error)
{
  static const Key keys[] = {
    { "Name", "s", TEXT_MAX, set_new_name },
    { "ServerUrl", "s", URL_MAX, set_server_url },
    { "CaCertificate", "s", CA_MAX, set_settings_ca_certificate },
    { "HostName", "s", TEXT_MAX, set_host_name },
    { "CapabilityVersion", "u", 0, set_capability_version },
  };
  g_autoptr (HnPreferences) preferences = hn_preferences_new ();

  if (!parse (settings, keys, G_N_ELEMENTS (keys), preferences, error))
    return NULL;
  if (preferences->server_url == NULL || *preferences->server_url == '\0')
    {
      invalid (error, "ServerUrl is missing: the address of the coordination server");
      return NULL;
    }
  return g_steal_pointer (&preferences);
}

static gboolean
set_configuration (const char *key, GVariant *value, gpointer target, GError **error)
{
  gboolean *network_manager = target;
  const char *configuration = g_variant_get_string (value, NULL);

  *network_manager = g_str_equal (configuration, "networkmanager");
  if (!*network_manager && !g_str_equal (configuration, "self"))
    return invalid (error, "Configuration is “self” or “networkmanager”");
  return TRUE;
}

gboolean
hn_arguments_parse_connect (GVariant *options, gboolean *network_manager, GError **error)
{
  static const Key keys[] = {
    { "Configuration", "s", TEXT_MAX, set_configuration },
  };

  *network_manager = FALSE;
  return parse (options, keys, G_N_ELEMENTS (keys), network_manager, error);
}

typedef struct
{
  HnSecretText *auth_key;
  gboolean accept_server_key;
} LoginOptions;

static gboolean
set_auth_key (const char *key, GVariant *value, gpointer target, GError **error)
{
  LoginOptions *login = target;
  const char *auth_key = g_variant_get_string (value, NULL);

  if (*auth_key == '\0')
    return invalid (error, "AuthKey is empty; leave it out to log in as a person");
  for (const char *c = auth_key; *c != '\0'; c++)
    if (!g_ascii_isgraph (*c))
      return invalid (error, "AuthKey has a space or another character that keys never have");
  login->auth_key = hn_secret_text_new (auth_key);
  return TRUE;
}

static gboolean
set_accept_server_key (const char *key, GVariant *value, gpointer target, GError **error)
{
  LoginOptions *login = target;

  login->accept_server_key = g_variant_get_boolean (value);
  return TRUE;
}

/* The message is nobody's any more but ours, so its copy of each key can go. */
static void
wipe_auth_keys (GVariant *options)
{
  GVariantIter iter;
  const char *name;
  GVariant *borrowed;

  g_variant_iter_init (&iter, options);
  while (g_variant_iter_next (&iter, "{&sv}", &name, &borrowed))
    {
      g_autoptr (GVariant) value = borrowed;

      if (g_str_equal (name, "AuthKey") && g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
        {
          gsize length;
          const char *auth_key = g_variant_get_string (value, &length);

          hn_wipe ((gpointer) auth_key, length);
        }
    }
}

gboolean
hn_arguments_parse_login (GVariant *options, HnSecretText **auth_key, gboolean *accept_server_key,
                          GError **error)
{
  static const Key keys[] = {
    { "AuthKey", "s", AUTH_KEY_MAX, set_auth_key },
    { "AcceptServerKey", "b", 0, set_accept_server_key },
  };
  LoginOptions login = { NULL, FALSE };
  gboolean ok = parse (options, keys, G_N_ELEMENTS (keys), &login, error);

  wipe_auth_keys (options);
  if (!ok)
    {
      g_clear_pointer (&login.auth_key, hn_secret_text_unref);
      return FALSE;
    }
  *auth_key = login.auth_key;
  *accept_server_key = login.accept_server_key;
  return TRUE;
}

typedef struct
{
  HnPingKind kind;
  guint timeout_ms;
} PingOptions;

static gboolean
set_kind (const char *key, GVariant *value, gpointer target, GError **error)
{
  PingOptions *ping = target;

  return hn_ping_kind_parse (g_variant_get_string (value, NULL), &ping->kind)
         || invalid (error, "Kind is “icmp”, “disco” or “tsmp”");
}

static gboolean
set_timeout_ms (const char *key, GVariant *value, gpointer target, GError **error)
{
  PingOptions *ping = target;

  ping->timeout_ms = g_variant_get_uint32 (value);
  if (ping->timeout_ms < 1 || ping->timeout_ms > PING_TIMEOUT_MAX_MS)
    return invalid (error, "TimeoutMs is 1 to %d", PING_TIMEOUT_MAX_MS);
  return TRUE;
}

gboolean
hn_arguments_parse_ping (GVariant *options, HnPingKind *kind, guint *timeout_ms, GError **error)
{
  static const Key keys[] = {
    { "Kind", "s", TEXT_MAX, set_kind },
    { "TimeoutMs", "u", 0, set_timeout_ms },
  };

  PingOptions ping = { HN_PING_ICMP, 0 };

  if (!parse (options, keys, G_N_ELEMENTS (keys), &ping, error))
    return FALSE;
  *kind = ping.kind;
  *timeout_ms = ping.timeout_ms;
  return TRUE;
}

gboolean
hn_arguments_parse_check_server (const char *url, GVariant *options, char **normalized_url,
                                 char **ca_certificate, GError **error)
{
  static const Key keys[] = {
    { "CaCertificate", "s", CA_MAX, set_ca_certificate },
  };
  g_autofree char *good_url = NULL;
  g_autofree char *certificate = NULL;

  if (strlen (url) > URL_MAX)
    return invalid (error, "The address is longer than %d bytes", URL_MAX);
  good_url = hn_preferences_normalize_url (url, error);
  if (good_url == NULL || !parse (options, keys, G_N_ELEMENTS (keys), &certificate, error))
    return FALSE;
  *normalized_url = g_steal_pointer (&good_url);
  *ca_certificate = g_steal_pointer (&certificate);
  return TRUE;
}

gboolean
hn_arguments_check_target (const char *target, GError **error)
{
  if (*target == '\0' || strlen (target) > TEXT_MAX || has_control_characters (target))
    return invalid (error, "A peer is named by its name, address or id");
  return TRUE;
}
