/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/hn-preferences.h"

#include <string.h>

#include "base/hn-error.h"

#define URL_MAX 2048
#define LABEL_MAX 63
#define HOST_NAME_MAX_LENGTH 253

/**
 * hn_preferences_new:
 *
 * Returns: (transfer full): the defaults of a new profile: no name, no server, DNS and automatic
 *   connection on
 */
HnPreferences *
hn_preferences_new (void)
{
  HnPreferences *self = g_new0 (HnPreferences, 1);

  self->name = g_strdup ("");
  self->server_url = g_strdup ("");
  self->host_name = g_strdup ("");
  self->accept_dns = TRUE;
  self->auto_connect = TRUE;
  return self;
}

HnPreferences *
hn_preferences_copy (const HnPreferences *self)
{
  HnPreferences *copy = g_new (HnPreferences, 1);

  *copy = *self;
  copy->name = g_strdup (self->name);
  copy->server_url = g_strdup (self->server_url);
  copy->ca_certificate = g_strdup (self->ca_certificate);
  copy->host_name = g_strdup (self->host_name);
  return copy;
}

void
hn_preferences_free (HnPreferences *self)
{
  if (self == NULL)
    return;
  g_free (self->name);
  g_free (self->server_url);
  g_free (self->ca_certificate);
  g_free (self->host_name);
  g_free (self);
}

gboolean
hn_preferences_equal (const HnPreferences *a, const HnPreferences *b)
{
  return g_strcmp0 (a->name, b->name) == 0 && g_strcmp0 (a->server_url, b->server_url) == 0
         && g_strcmp0 (a->ca_certificate, b->ca_certificate) == 0
         && g_strcmp0 (a->host_name, b->host_name) == 0
         && a->capability_version == b->capability_version && !a->accept_routes == !b->accept_routes
         && !a->accept_dns == !b->accept_dns && !a->shields_up == !b->shields_up
         && !a->auto_connect == !b->auto_connect && a->mtu == b->mtu && a->port == b->port;
}

static gboolean
refuse_url (GError **error, const char *why)
{
  g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
               "The server's address %s; it looks like https://headscale.example.com", why);
  return FALSE;
}

static gboolean
check_uri (GUri *uri, GError **error)
{
  const char *scheme = g_uri_get_scheme (uri);
  const char *host = g_uri_get_host (uri);

  if (!g_str_equal (scheme, "https") && !g_str_equal (scheme, "http"))
    return refuse_url (error, "must begin with https:// or http://");
  if (host == NULL || host[0] == '\0')
    return refuse_url (error, "has no host");
  if (g_uri_get_userinfo (uri) != NULL)
    return refuse_url (error, "must not hold a user name");
  if (g_uri_get_query (uri) != NULL || g_uri_get_fragment (uri) != NULL)
    return refuse_url (error, "must not have a query or fragment");
  if (g_uri_get_port (uri) == 0)
    return refuse_url (error, "has port 0");
  return TRUE;
}

/* Whatever the address may not hold as it stands, its host may not hold behind percent signs, or what
 * is stored could not be read again. */
static gboolean
host_is_possible (const char *host)
{
  for (const char *p = host; *p != '\0'; p++)
    if (!g_ascii_isgraph (*p))
      return FALSE;
  return strlen (host) <= HOST_NAME_MAX_LENGTH && strpbrk (host, "/?#@%[]\\\"<>") == NULL
         && (strchr (host, ':') == NULL || g_hostname_is_ip_address (host));
}

/**
 * hn_preferences_normalize_url:
 * @url: what a person entered
 * @error: return location; HN_ERROR_INVALID_ARGUMENT
 *
 * Returns: (transfer full) (nullable): scheme and host in lower case, the port as given, the path
 *   without trailing slashes
 */
char *
hn_preferences_normalize_url (const char *url, GError **error)
{
  g_autoptr (GError) parse_error = NULL;
  g_autoptr (GUri) uri = NULL;
  g_autofree char *host = NULL;
  g_autofree char *path = NULL;
  gsize len = strlen (url);

  if (len > URL_MAX)
    {
      refuse_url (error, "is too long");
      return NULL;
    }
  if (!g_utf8_validate (url, -1, NULL))
    {
      refuse_url (error, "is no text");
      return NULL;
    }
  for (const char *p = url; *p != '\0'; p++)
    if ((guchar) *p <= ' ' || *p == 0x7f || *p == '\\' || *p == '"' || *p == '<' || *p == '>')
      {
        refuse_url (error, "holds a character that no address has");
        return NULL;
      }

  uri = g_uri_parse (url, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_ENCODED_PATH, &parse_error);
  if (uri == NULL)
    {
      refuse_url (error, "can not be understood");
      return NULL;
    }
  if (!check_uri (uri, error))
    return NULL;

  host = g_hostname_to_ascii (g_uri_get_host (uri));
  if (host == NULL || !host_is_possible (host))
    {
      refuse_url (error, "has a host name that can not be");
      return NULL;
    }
  for (char *p = host; *p != '\0'; p++)
    *p = g_ascii_tolower (*p);
  path = g_strdup (g_uri_get_path (uri));
  for (len = strlen (path); len > 0 && path[len - 1] == '/'; len--)
    path[len - 1] = '\0';
  return g_uri_join (G_URI_FLAGS_ENCODED, g_uri_get_scheme (uri), NULL, host, g_uri_get_port (uri),
                     path, NULL, NULL);
}

/**
 * hn_preferences_check_host_name:
 * @name: what a person entered; a full name counts by its first label
 * @error: return location; HN_ERROR_INVALID_ARGUMENT
 *
 * Returns: whether servers take it: letters, digits and hyphens, 1 to 63 of them
 */
gboolean
hn_preferences_check_host_name (const char *name, GError **error)
{
  const gsize label = strcspn (name, ".");

  if (label == 0 || label > LABEL_MAX || strlen (name) > HOST_NAME_MAX_LENGTH || name[0] == '-'
      || name[label - 1] == '-')
    goto refuse;
  for (const char *p = name; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p) && *p != '-' && *p != '.')
      goto refuse;
  return TRUE;

refuse:
  g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
               "A host name has 1 to %d letters, digits and hyphens, with a letter or digit at "
               "both ends",
               LABEL_MAX);
  return FALSE;
}
