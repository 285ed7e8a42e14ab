/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hn-cli.h"

#define MAX_KEY 1024
#define MAX_CA (256 * 1024)
#define DEFAULT_TIMEOUT_S                                                                          \
  60 /* enough for a slow server; a person who has to act gets all the time */
#define LOGIN_TIMEOUT_MS 120000 /* the daemon's own limits come first */

static char *
state_of (HnCli *cli, const char *path)
{
  return headnet_client_get_string (cli->client, path, "State");
}

static gboolean
state_is (HnCli *cli, const char *path, const char *wanted)
{
  g_autofree char *state = state_of (cli, path);

  return strcmp (state, wanted) == 0;
}

static gboolean
login_is_pending (HnCli *cli, const char *path)
{
  g_autoptr (GVariant) pending = headnet_client_get_property (cli->client, path, "LoginPending");

  return pending != NULL && g_variant_is_of_type (pending, G_VARIANT_TYPE_BOOLEAN)
         && g_variant_get_boolean (pending);
}

static char *
strip_slashes (const char *url)
{
  char *copy = g_strdup (url);

  for (gsize len = strlen (copy); len > 0 && copy[len - 1] == '/'; len--)
    copy[len - 1] = '\0';
  return copy;
}

static char *
find_by_server (HnCli *cli, const char *server)
{
  g_autoptr (GPtrArray) paths = headnet_client_list_tailnets (cli->client);
  g_autofree char *wanted = strip_slashes (server);

  for (guint i = 0; i < paths->len; i++)
    {
      const char *path = g_ptr_array_index (paths, i);
      g_autofree char *url = headnet_client_get_string (cli->client, path, "ServerUrl");

      if (g_ascii_strcasecmp (url, wanted) == 0)
        return g_strdup (path);
    }
  return NULL;
}

static gboolean
is_published (HnCli *cli, gpointer data)
{
  return headnet_client_has_tailnet (cli->client, data);
}

typedef struct
{
  char *server;
  char *key_file;
  char *ca_file;
  char *host_name;
  char *name;
  int timeout;
  gboolean accept_server_key;
} UpOptions;

static void
up_options_clear (UpOptions *options)
{
  g_free (options->server);
  g_free (options->key_file);
  g_free (options->ca_file);
  g_free (options->host_name);
  g_free (options->name);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (UpOptions, up_options_clear)

/* Adds a tailnet and waits until the service shows it. */
static char *
add_tailnet (HnCli *cli, const UpOptions *options, HnExit *code)
{
  GVariantBuilder settings;
  g_autofree char *ca = NULL;
  g_autofree char *path = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;

  if (options->ca_file != NULL)
    {
      ca = hn_cli_read_file (options->ca_file, MAX_CA, &error);
      if (ca == NULL)
        {
          hn_cli_complain ("%s", error->message);
          *code = HN_EXIT_USAGE;
          return NULL;
        }
    }
  g_variant_builder_init (&settings, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&settings, "{sv}", "ServerUrl", g_variant_new_string (options->server));
  if (options->name != NULL)
    g_variant_builder_add (&settings, "{sv}", "Name", g_variant_new_string (options->name));
  if (ca != NULL)
    g_variant_builder_add (&settings, "{sv}", "CaCertificate", g_variant_new_string (ca));
  if (options->host_name != NULL)
    g_variant_builder_add (&settings, "{sv}", "HostName",
                           g_variant_new_string (options->host_name));
  reply = headnet_client_call_sync (cli->client, NULL, "AddTailnet",
                                    g_variant_new ("(a{sv})", &settings), TRUE, -1, NULL, &error);
  if (reply == NULL)
    {
      *code = hn_cli_fail (error);
      return NULL;
    }
  g_variant_get (reply, "(o)", &path);
  if (!hn_cli_wait (cli, is_published, path, 10))
    {
      hn_cli_complain (_ ("The service added the tailnet but does not show it"));
      *code = HN_EXIT_FAILED;
      return NULL;
    }
  return g_steal_pointer (&path);
}

static HnExit
set_host_name (HnCli *cli, const char *path, const char *host_name)
{
  GVariantBuilder preferences;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;

  g_variant_builder_init (&preferences, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&preferences, "{sv}", "HostName", g_variant_new_string (host_name));
  reply
      = headnet_client_call_sync (cli->client, path, "SetPreferences",
                                  g_variant_new ("(a{sv})", &preferences), TRUE, -1, NULL, &error);
  return reply != NULL ? HN_EXIT_DONE : hn_cli_fail (error);
}

static HnExit
call_login (HnCli *cli, const char *path, const char *key, gboolean accept_server_key)
{
  GVariantBuilder options;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;

  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  if (key != NULL)
    g_variant_builder_add (&options, "{sv}", "AuthKey", g_variant_new_string (key));
  if (accept_server_key)
    g_variant_builder_add (&options, "{sv}", "AcceptServerKey", g_variant_new_boolean (TRUE));
  reply = headnet_client_call_sync (cli->client, path, "Login", g_variant_new ("(a{sv})", &options),
                                    TRUE, LOGIN_TIMEOUT_MS, NULL, &error);
  if (reply != NULL)
    return HN_EXIT_DONE;
  if (g_error_matches (error, HEADNET_ERROR, HEADNET_ERROR_SERVER_REFUSED))
    {
      hn_cli_fail (error);
      return HN_EXIT_NEEDS_LOGIN;
    }
  return hn_cli_fail (error);
}

static HnExit
call_plain (HnCli *cli, const char *path, const char *method, GVariant *parameters)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = headnet_client_call_sync (cli->client, path, method, parameters,
                                                         TRUE, LOGIN_TIMEOUT_MS, NULL, &error);

  return reply != NULL ? HN_EXIT_DONE : hn_cli_fail (error);
}

/* Shows where to sign in: only a page on the web is shown, whatever the server says. */
static HnExit
show_login_url (HnCli *cli, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply
      = headnet_client_call_sync (cli->client, path, "GetLoginUrl", NULL, FALSE, -1, NULL, &error);
  g_autofree char *clean = NULL;
  const char *url;

  if (reply == NULL)
    return hn_cli_fail (error);
  g_variant_get (reply, "(&s)", &url);
  if (!g_str_has_prefix (url, "https://") && !g_str_has_prefix (url, "http://"))
    {
      hn_cli_complain (_ ("The server sent a sign-in address that is no web page"));
      return HN_EXIT_FAILED;
    }
  clean = hn_clean (url);
  g_print (_ ("To sign in, open:\n\n    %s\n\n"), clean);
  if (isatty (STDOUT_FILENO))
    hn_cli_print_qr (clean);
  fflush (stdout);
  return HN_EXIT_DONE;
}

typedef struct
{
  const char *path;
  const char *key;
  gboolean url_shown;
  char *told; /* the last reason that was printed */
  HnExit code;
  const char *until; /* "running", or NULL: until no login is pending */
} Progress;

/* Says on stderr what keeps us waiting, once a reason. */
static void
tell_reason (HnCli *cli, Progress *progress)
{
  g_autofree char *reason = headnet_client_get_string (cli->client, progress->path, "StateReason");
  g_autofree char *text = NULL;

  if (reason[0] == '\0' || strcmp (reason, "login-pending") == 0
      || g_strcmp0 (reason, progress->told) == 0)
    return;
  g_free (progress->told);
  progress->told = g_steal_pointer (&reason);
  text = hn_cli_explain_state (cli, progress->path);
  g_printerr ("%s\n", text);
}

static gboolean
is_up (HnCli *cli, gpointer data)
{
  Progress *progress = data;

  if (!headnet_client_is_running (cli->client))
    {
      hn_cli_complain (_ ("The service headnetd ended"));
      progress->code = HN_EXIT_NO_SERVICE;
      return TRUE;
    }
  if (!headnet_client_has_tailnet (cli->client, progress->path))
    {
      hn_cli_complain (_ ("The tailnet was removed"));
      progress->code = HN_EXIT_NOT_FOUND;
      return TRUE;
    }
  if (state_is (cli, progress->path, progress->until))
    return TRUE;
  if (login_is_pending (cli, progress->path))
    {
      if (!progress->url_shown)
        progress->code = show_login_url (cli, progress->path);
      progress->url_shown = TRUE;
      return progress->code != HN_EXIT_DONE;
    }
  if (state_is (cli, progress->path, "needs-login"))
    {
      g_autofree char *text = hn_cli_explain_state (cli, progress->path);

      if (progress->url_shown)
        {
          hn_cli_complain ("%s", text);
          progress->code = HN_EXIT_NEEDS_LOGIN;
          return TRUE;
        }
      progress->code = call_login (cli, progress->path, progress->key, FALSE);
      if (progress->code != HN_EXIT_DONE)
        return TRUE;
      progress->url_shown = progress->key != NULL;
      return FALSE;
    }
  tell_reason (cli, progress);
  return FALSE;
}

static HnExit
timed_out (HnCli *cli, const char *path)
{
  g_autofree char *text = hn_cli_explain_state (cli, path);

  if (text[0] != '\0')
    hn_cli_complain (_ ("Not connected in time: %s"), text);
  else
    hn_cli_complain (_ ("Not connected in time"));
  if (login_is_pending (cli, path) || state_is (cli, path, "needs-login")
      || state_is (cli, path, "needs-approval"))
    return HN_EXIT_NEEDS_LOGIN;
  return HN_EXIT_TIMEOUT;
}

static void
print_connected (HnCli *cli, const char *path)
{
  g_autofree char *name = headnet_client_get_string (cli->client, path, "NodeName");
  g_autoptr (GVariant) all = headnet_client_dup_properties (cli->client, path);
  g_autofree char *addresses = hn_dict_join (all, "Addresses", ", ");
  g_autofree char *clean = hn_clean (name);

  if (cli->json)
    hn_cli_print_json (all);
  else
    g_print (_ ("Connected as %s (%s)\n"), clean, addresses);
}

static char *
read_key (const char *file, HnExit *code)
{
  g_autoptr (GError) error = NULL;
  char *key = hn_cli_read_file (file, MAX_KEY, &error);

  if (key != NULL && key[0] != '\0')
    return key;
  hn_cli_complain ("%s", key == NULL ? error->message : _ ("There is no key in that file"));
  g_free (key);
  *code = HN_EXIT_USAGE;
  return NULL;
}

static void
wipe_key (char **key)
{
  if (*key != NULL)
    explicit_bzero (*key, strlen (*key));
  g_clear_pointer (key, g_free);
}

/* The tailnet that "up" means: found by server or name, added when a server is given. */
static char *
pick_or_add (HnCli *cli, UpOptions *options, HnExit *code)
{
  char *path = NULL;

  if (options->server == NULL)
    return hn_cli_pick (cli, code);
  if (cli->tailnet != NULL)
    {
      path = hn_cli_find_tailnet (cli, cli->tailnet);
      if (path != NULL)
        {
          g_autofree char *url = headnet_client_get_string (cli->client, path, "ServerUrl");
          g_autofree char *wanted = strip_slashes (options->server);

          if (g_ascii_strcasecmp (url, wanted) == 0)
            return path;
          hn_cli_complain (_ ("The tailnet “%s” belongs to the server %s"), cli->tailnet, url);
          *code = HN_EXIT_USAGE;
          g_free (path);
          return NULL;
        }
      options->name = g_strdup (cli->tailnet);
    }
  else
    {
      path = find_by_server (cli, options->server);
    }
  return path != NULL ? path : add_tailnet (cli, options, code);
}

static HnExit
run_up (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("up");
  g_auto (UpOptions) options = { NULL };
  const GOptionEntry entries[] = {
    { "server", 's', 0, G_OPTION_ARG_STRING, &options.server,
      N_ ("The coordination server's address; a new one is added"), N_ ("URL") },
    { "auth-key-file", 'k', 0, G_OPTION_ARG_FILENAME, &options.key_file,
      N_ ("A file with a pre-auth key, - for standard input"), N_ ("FILE") },
    { "ca", 0, 0, G_OPTION_ARG_FILENAME, &options.ca_file,
      N_ ("The CA that the server's certificate comes from, when it is added"), N_ ("FILE") },
    { "hostname", 0, 0, G_OPTION_ARG_STRING, &options.host_name,
      N_ ("This computer's name in the tailnet"), N_ ("NAME") },
    { "timeout", 0, 0, G_OPTION_ARG_INT, &options.timeout,
      N_ ("Give up after so many seconds (60, and no limit while you sign in)"), N_ ("S") },
    G_OPTION_ENTRY_NULL,
  };
  g_autofree char *path = NULL;
  char *key = NULL;
  HnExit code = HN_EXIT_DONE;
  Progress progress = { NULL };
  guint timeout;
  gboolean met;

  if (!hn_cli_parse (cli, verb, entries, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc > 1 || options.timeout < 0)
    return hn_cli_usage (verb, _ ("Too many arguments, or a negative time"));
  if (options.key_file != NULL && (key = read_key (options.key_file, &code)) == NULL)
    return code;
  if ((path = pick_or_add (cli, &options, &code)) == NULL)
    goto out;
  if (options.host_name != NULL
      && (code = set_host_name (cli, path, options.host_name)) != HN_EXIT_DONE)
    goto out;

  progress.path = path;
  progress.key = key;
  progress.until = "running";
  /* an enrolled node connects; another enrols first, so that a refusal leaves nothing wanted */
  if (state_is (cli, path, "needs-login") && !login_is_pending (cli, path))
    {
      code = call_login (cli, path, key, FALSE);
      if (code != HN_EXIT_DONE)
        goto out;
      progress.url_shown = key != NULL;
    }
  code = call_plain (
      cli, path, "Connect",
      g_variant_new ("(@a{sv})", g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0)));
  if (code != HN_EXIT_DONE)
    goto out;

  timeout = (guint) options.timeout;
  met = hn_cli_wait (cli, is_up, &progress, timeout != 0 ? timeout : DEFAULT_TIMEOUT_S);
  if (!met && timeout == 0 && login_is_pending (cli, path))
    met = hn_cli_wait (cli, is_up, &progress, 0);
  code = progress.code;
  if (!met)
    code = timed_out (cli, path);
  else if (code == HN_EXIT_DONE)
    print_connected (cli, path);

out:
  wipe_key (&key);
  g_free (progress.told);
  return code;
}

static HnExit
run_down (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("down");
  g_autofree char *path = NULL;
  HnExit code = HN_EXIT_DONE;

  if (!hn_cli_parse (cli, verb, NULL, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc > 1)
    return hn_cli_usage (verb, _ ("Too many arguments"));
  if (!headnet_client_is_running (cli->client))
    return HN_EXIT_DONE; /* what does not run is down */
  path = hn_cli_pick (cli, &code);
  return path != NULL ? call_plain (cli, path, "Disconnect", NULL) : code;
}

static gboolean
is_signed_in (HnCli *cli, gpointer data)
{
  Progress *progress = data;

  if (!headnet_client_is_running (cli->client)
      || !headnet_client_has_tailnet (cli->client, progress->path))
    {
      progress->code = HN_EXIT_NO_SERVICE;
      return TRUE;
    }
  if (!login_is_pending (cli, progress->path))
    return TRUE;
  if (!progress->url_shown)
    {
      progress->url_shown = TRUE;
      progress->code = show_login_url (cli, progress->path);
    }
  return progress->code != HN_EXIT_DONE;
}

static HnExit
run_login (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("login");
  g_autofree char *key_file = NULL;
  gboolean accept = FALSE;
  int timeout = 0;
  const GOptionEntry entries[] = {
    { "auth-key-file", 'k', 0, G_OPTION_ARG_FILENAME, &key_file,
      N_ ("A file with a pre-auth key, - for standard input"), N_ ("FILE") },
    { "accept-server-key", 0, 0, G_OPTION_ARG_NONE, &accept,
      N_ ("Trust the server although its key changed"), NULL },
    { "timeout", 0, 0, G_OPTION_ARG_INT, &timeout, N_ ("Wait at most so long for the approval"),
      N_ ("S") },
    G_OPTION_ENTRY_NULL,
  };
  g_autofree char *path = NULL;
  char *key = NULL;
  HnExit code = HN_EXIT_DONE;
  Progress progress = { NULL };

  if (!hn_cli_parse (cli, verb, entries, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc > 1 || timeout < 0)
    return hn_cli_usage (verb, _ ("Too many arguments, or a negative time"));
  if (key_file != NULL && (key = read_key (key_file, &code)) == NULL)
    return code;
  path = hn_cli_pick (cli, &code);
  if (path != NULL)
    code = call_login (cli, path, key, accept);
  wipe_key (&key);
  if (code != HN_EXIT_DONE)
    return code;
  progress.path = path;
  if (!hn_cli_wait (cli, is_signed_in, &progress, (guint) timeout))
    return HN_EXIT_NEEDS_LOGIN;
  if (progress.code == HN_EXIT_DONE && state_is (cli, path, "needs-login"))
    {
      g_autofree char *text = hn_cli_explain_state (cli, path);

      hn_cli_complain ("%s", text);
      return HN_EXIT_NEEDS_LOGIN;
    }
  if (progress.code == HN_EXIT_DONE)
    g_print (_ ("Signed in. “headnetctl up” connects.\n"));
  return progress.code;
}

static HnExit
run_logout (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("logout");
  g_autofree char *path = NULL;
  HnExit code = HN_EXIT_DONE;

  if (!hn_cli_parse (cli, verb, NULL, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc > 1)
    return hn_cli_usage (verb, _ ("Too many arguments"));
  path = hn_cli_pick (cli, &code);
  return path != NULL ? call_plain (cli, path, "Logout", NULL) : code;
}

const HnVerb hn_connection_verbs[] = {
  { "up", "[--server URL] [--auth-key-file FILE|-] [--ca FILE] [--hostname NAME] [--timeout S]",
    N_ ("Enrols if needed, connects and waits until the tailnet runs"), run_up },
  { "down", "", N_ ("Disconnects; the enrolment stays"), run_down },
  { "login", "[--auth-key-file FILE|-] [--accept-server-key] [--timeout S]",
    N_ ("Signs in, or signs in again, without connecting"), run_login },
  { "logout", "", N_ ("Disconnects and gives the enrolment up"), run_logout },
  { NULL },
};
