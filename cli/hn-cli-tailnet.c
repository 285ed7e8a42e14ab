/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adding tailnets, and signing in to them: what more than one verb does. */
#include "config.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hn-cli.h"

#define MAX_KEY 1024
#define PUBLISH_TIMEOUT_S 10

static char *
strip_slashes (const char *url)
{
  char *copy = g_strdup (url);

  for (gsize len = strlen (copy); len > 0 && copy[len - 1] == '/'; len--)
    copy[len - 1] = '\0';
  return copy;
}

GPtrArray *
hn_cli_find_by_server (HnCli *cli, const char *server)
{
  GPtrArray *found = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) paths = hn_client_list_tailnets (cli->client);
  g_autofree char *wanted = strip_slashes (server);

  for (guint i = 0; i < paths->len; i++)
    {
      const char *path = g_ptr_array_index (paths, i);
      g_autofree char *url = hn_client_get_string (cli->client, path, "ServerUrl");

      if (g_ascii_strcasecmp (url, wanted) == 0)
        g_ptr_array_add (found, g_strdup (path));
    }
  return found;
}

static gboolean
is_published (HnCli *cli, gpointer data)
{
  return hn_client_has_tailnet (cli->client, data);
}

char *
hn_cli_add_tailnet (HnCli *cli, const char *server, const char *name, const char *ca_file,
                    const char *host_name, HnExit *code)
{
  GVariantBuilder settings;
  g_autofree char *ca = NULL;
  g_autofree char *path = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;

  if (ca_file != NULL)
    {
      ca = hn_cli_read_file (ca_file, HN_CLI_CA_MAX, &error);
      if (ca == NULL || !g_utf8_validate (ca, -1, NULL))
        {
          hn_cli_complain ("%s", ca == NULL ? error->message
                                            : _ ("The CA has to be in PEM format, which is text"));
          *code = HN_EXIT_USAGE;
          return NULL;
        }
    }
  g_variant_builder_init (&settings, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&settings, "{sv}", "ServerUrl", g_variant_new_string (server));
  if (name != NULL)
    g_variant_builder_add (&settings, "{sv}", "Name", g_variant_new_string (name));
  if (ca != NULL)
    g_variant_builder_add (&settings, "{sv}", "CaCertificate", g_variant_new_string (ca));
  if (host_name != NULL)
    g_variant_builder_add (&settings, "{sv}", "HostName", g_variant_new_string (host_name));
  reply
      = hn_client_call_sync (cli->client, NULL, "AddTailnet", g_variant_new ("(a{sv})", &settings),
                             TRUE, HN_CLI_CALL_TIMEOUT_MS, NULL, &error);
  if (reply == NULL)
    {
      *code = hn_cli_fail (error);
      return NULL;
    }
  g_variant_get (reply, "(o)", &path);
  if (!hn_cli_wait (cli, is_published, path, PUBLISH_TIMEOUT_S))
    {
      hn_cli_complain (_ ("The service added the tailnet but does not show it"));
      *code = HN_EXIT_FAILED;
      return NULL;
    }
  return g_steal_pointer (&path);
}

gboolean
hn_cli_login_is_pending (HnCli *cli, const char *path)
{
  g_autoptr (GVariant) pending = hn_client_get_property (cli->client, path, "LoginPending");

  return pending != NULL && g_variant_is_of_type (pending, G_VARIANT_TYPE_BOOLEAN)
         && g_variant_get_boolean (pending);
}

HnExit
hn_cli_login (HnCli *cli, const char *path, const char *key, gboolean accept_server_key,
              int timeout_ms)
{
  GVariantBuilder options;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;
  gint64 begin = g_get_monotonic_time ();

  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  if (key != NULL)
    g_variant_builder_add (&options, "{sv}", "AuthKey", g_variant_new_string (key));
  if (accept_server_key)
    g_variant_builder_add (&options, "{sv}", "AcceptServerKey", g_variant_new_boolean (TRUE));
  reply = hn_client_call_sync (cli->client, path, "Login", g_variant_new ("(a{sv})", &options),
                               TRUE, timeout_ms, NULL, &error);
  if (reply != NULL)
    return HN_EXIT_DONE;
  if (g_error_matches (error, HEADNET_ERROR, HEADNET_ERROR_TIMEOUT)
      && g_get_monotonic_time () - begin >= (gint64) timeout_ms * 1000)
    {
      g_autofree char *server = hn_client_get_string (cli->client, path, "ServerUrl");

      hn_cli_complain (_ ("The server did not answer in time; “headnetctl check-server %s” shows "
                          "how far one gets"),
                       server);
      return HN_EXIT_TIMEOUT;
    }
  if (g_error_matches (error, HEADNET_ERROR, HEADNET_ERROR_SERVER_REFUSED))
    {
      hn_cli_fail (error);
      return HN_EXIT_NEEDS_LOGIN;
    }
  return hn_cli_fail (error);
}

HnExit
hn_cli_show_login_url (HnCli *cli, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = hn_client_call_sync (cli->client, path, "GetLoginUrl", NULL, FALSE,
                                                    HN_CLI_CALL_TIMEOUT_MS, NULL, &error);
  g_autofree char *clean = NULL;
  const char *url;

  if (reply == NULL)
    {
      /* approved between the news and the question: there is nothing to show any more */
      if (!hn_cli_login_is_pending (cli, path))
        return HN_EXIT_DONE;
      return hn_cli_fail (error);
    }
  g_variant_get (reply, "(&s)", &url);
  /* only a page on the web is shown, whatever the server says */
  if (!g_str_has_prefix (url, "https://") && !g_str_has_prefix (url, "http://"))
    {
      hn_cli_complain (_ ("The server sent a sign-in address that is no web page"));
      return HN_EXIT_FAILED;
    }
  clean = hn_clean (url);
  if (cli->json)
    {
      /* standard output is for the JSON that follows */
      g_printerr (_ ("To sign in, open:\n\n    %s\n\n"), clean);
      return HN_EXIT_DONE;
    }
  g_print (_ ("To sign in, open:\n\n    %s\n\n"), clean);
  if (isatty (STDOUT_FILENO))
    hn_cli_print_qr (clean);
  fflush (stdout);
  return HN_EXIT_DONE;
}

char *
hn_cli_read_key (const char *file, HnExit *code)
{
  g_autoptr (GError) error = NULL;
  char *key;

  if (strcmp (file, "-") == 0 && isatty (STDIN_FILENO))
    g_printerr ("%s\n", _ ("Type the pre-auth key, then Enter and Ctrl-D:"));
  key = hn_cli_read_file (file, MAX_KEY, &error);
  if (key != NULL && key[0] != '\0' && g_utf8_validate (key, -1, NULL))
    return key;
  hn_cli_complain ("%s", key == NULL      ? error->message
                         : key[0] == '\0' ? _ ("There is no key in that file")
                                          : _ ("The key is no valid text"));
  hn_cli_wipe (&key);
  *code = HN_EXIT_USAGE;
  return NULL;
}

void
hn_cli_wipe (char **secret)
{
  if (*secret != NULL)
    explicit_bzero (*secret, strlen (*secret));
  g_clear_pointer (secret, g_free);
}
