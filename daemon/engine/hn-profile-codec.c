/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/hn-profile-codec.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/hn-error.h"

#define GROUP "profile"

gboolean
hn_profile_codec_parse_key_text (const guint8 *data, gsize len, char text[HN_KEY_TEXT_MAX])
{
  while (len > 0 && g_ascii_isspace ((char) data[len - 1]))
    len--;
  if (len == 0 || len >= HN_KEY_TEXT_MAX || memchr (data, '\0', len) != NULL)
    return FALSE;
  memcpy (text, data, len);
  text[len] = '\0';
  return TRUE;
}

static gboolean
key_file_boolean (GKeyFile *file, const char *key, gboolean fallback)
{
  g_autoptr (GError) error = NULL;
  gboolean value = g_key_file_get_boolean (file, GROUP, key, &error);

  return error == NULL ? value : fallback;
}

static guint
key_file_uint (GKeyFile *file, const char *key, guint max)
{
  gint value = g_key_file_get_integer (file, GROUP, key, NULL);

  return value > 0 && (guint) value <= max ? (guint) value : 0;
}

/* NULL without an error when it is not there and @optional. GKeyFile returns what it could make of a
 * value although it complains about it; half a value is none. */
static char *
key_file_string (GKeyFile *file, const char *key, gboolean optional, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autofree char *value = g_key_file_get_string (file, GROUP, key, &local);

  if (local == NULL)
    return g_steal_pointer (&value);
  if (!optional || !g_error_matches (local, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND))
    g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

HnPreferences *
hn_profile_codec_parse_settings (const char *data, gsize len, GError **error)
{
  g_autoptr (HnPreferences) preferences = hn_preferences_new ();
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autofree char *url = NULL;
  g_autoptr (GError) local = NULL;

  if (!g_key_file_load_from_data (file, data, len, G_KEY_FILE_NONE, error))
    return NULL;
  url = key_file_string (file, "server-url", FALSE, error);
  if (url == NULL)
    return NULL;
  g_free (preferences->server_url);
  preferences->server_url = hn_preferences_normalize_url (url, error);
  if (preferences->server_url == NULL)
    return NULL;
  g_free (preferences->name);
  preferences->name = key_file_string (file, "name", FALSE, error);
  if (preferences->name == NULL)
    return NULL;
  g_free (preferences->host_name);
  preferences->host_name = key_file_string (file, "host-name", TRUE, &local);
  g_free (preferences->ca_certificate);
  preferences->ca_certificate
      = local == NULL ? key_file_string (file, "ca-certificate", TRUE, &local) : NULL;
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  if (preferences->host_name == NULL)
    preferences->host_name = g_strdup ("");
  preferences->capability_version = key_file_uint (file, "capability-version", G_MAXUINT16);
  preferences->mtu = key_file_uint (file, "mtu", 65535);
  preferences->port = key_file_uint (file, "port", G_MAXUINT16);
  preferences->accept_routes = key_file_boolean (file, "accept-routes", preferences->accept_routes);
  preferences->accept_dns = key_file_boolean (file, "accept-dns", preferences->accept_dns);
  preferences->shields_up = key_file_boolean (file, "shields-up", preferences->shields_up);
  /* Always written, and last: without it the file was cut short, and saving it again would lose for
   * good what is missing. */
  preferences->auto_connect = g_key_file_get_boolean (file, GROUP, "auto-connect", &local);
  if (local != NULL)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_FAILED, _ ("The settings end early: %s"),
                   local->message);
      return NULL;
    }
  return g_steal_pointer (&preferences);
}

char *
hn_profile_codec_format_settings (const HnPreferences *preferences, gsize *len)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();

  g_key_file_set_string (file, GROUP, "name", preferences->name);
  g_key_file_set_string (file, GROUP, "server-url", preferences->server_url);
  if (preferences->host_name[0] != '\0')
    g_key_file_set_string (file, GROUP, "host-name", preferences->host_name);
  if (preferences->ca_certificate != NULL)
    g_key_file_set_string (file, GROUP, "ca-certificate", preferences->ca_certificate);
  if (preferences->capability_version != 0)
    g_key_file_set_integer (file, GROUP, "capability-version",
                            (gint) preferences->capability_version);
  if (preferences->mtu != 0)
    g_key_file_set_integer (file, GROUP, "mtu", (gint) preferences->mtu);
  if (preferences->port != 0)
    g_key_file_set_integer (file, GROUP, "port", (gint) preferences->port);
  g_key_file_set_boolean (file, GROUP, "accept-routes", preferences->accept_routes);
  g_key_file_set_boolean (file, GROUP, "accept-dns", preferences->accept_dns);
  g_key_file_set_boolean (file, GROUP, "shields-up", preferences->shields_up);
  g_key_file_set_boolean (file, GROUP, "auto-connect", preferences->auto_connect);
  return g_key_file_to_data (file, len, NULL);
}
