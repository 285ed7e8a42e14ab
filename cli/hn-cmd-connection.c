/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs up and down. */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "hn-cli.h"

/* Enough for a slow server; a person who has to act gets all the time. */
#define DEFAULT_TIMEOUT_S 60

typedef struct
{
  char *server;
  char *key_file;
  char *ca_file;
  char *host_name;
  int timeout; /* seconds, 0 for no limit, -1 for the default */
} UpOptions;

static void
up_options_clear (UpOptions *options)
{
  g_free (options->server);
  g_free (options->key_file);
  g_free (options->ca_file);
  g_free (options->host_name);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (UpOptions, up_options_clear)

typedef struct
{
  const char *path;
  const char *key;
  gint64 end; /* monotonic, 0 for no limit */
  gboolean login_tried;
  gboolean url_shown;
  gboolean stop_after_login; /* a sign-in that is over ends the wait */
  char *told;                /* the last reason that was printed */
  const char *before;        /* the reason of old, which may not be true any more */
  HnExit code;
} Progress;

static int
remaining_ms (const Progress *progress)
{
  gint64 left;

  if (progress->end == 0)
    return HN_CLI_CALL_TIMEOUT_MS;
  left = (progress->end - g_get_monotonic_time ()) / 1000;
  return (int) CLAMP (left, 1, HN_CLI_CALL_TIMEOUT_MS);
}

/* Reasons that waiting does not heal, but a person does. */
static gboolean
is_final (const char *reason)
{
  static const char *const final[]
      = { "tls-unknown-ca",  "tls-wrong-name",     "tls-expired",   "not-a-server",
          "version-refused", "server-key-changed", "device-failed", NULL };

  return g_strv_contains (final, reason);
}

/* Says on stderr what keeps us waiting, once a reason. Whether to give up. */
static gboolean
tell_reason (HnCli *cli, Progress *progress)
{
  g_autofree char *reason = hn_client_get_string (cli->client, progress->path, "StateReason");
  g_autofree char *text = NULL;

  if (reason[0] == '\0' || g_strcmp0 (reason, progress->told) == 0)
    return FALSE;
  g_free (progress->told);
  progress->told = g_strdup (reason);
  text = hn_cli_explain_state (cli, progress->path);
  if (!is_final (reason) || g_strcmp0 (reason, progress->before) == 0)
    {
      g_printerr ("%s\n", text);
      return FALSE;
    }
  hn_cli_complain ("%s", text);
  g_printerr ("%s\n", _ ("The service goes on trying; “headnetctl down” ends that."));
  progress->code = HN_EXIT_FAILED;
  return TRUE;
}

static gboolean
needs_login (HnCli *cli, Progress *progress)
{
  if (hn_cli_login_is_pending (cli, progress->path))
    {
      if (!progress->url_shown)
        progress->code = hn_cli_show_login_url (cli, progress->path);
      progress->url_shown = TRUE;
      return progress->code != HN_EXIT_DONE;
    }
  if (progress->login_tried)
    {
      g_autofree char *text = hn_cli_explain_state (cli, progress->path);

      hn_cli_complain ("%s", text);
      progress->code = HN_EXIT_NEEDS_LOGIN;
      return TRUE;
    }
  progress->login_tried = TRUE;
  progress->code
      = hn_cli_login (cli, progress->path, progress->key, FALSE, remaining_ms (progress));
  /* its effect is in the properties already, and may be no news any more */
  cli->news = TRUE;
  return progress->code != HN_EXIT_DONE;
}

static gboolean
is_up (HnCli *cli, gpointer data)
{
  Progress *progress = data;
  g_autofree char *state = hn_cli_get_state (cli, progress->path);

  if (!hn_client_is_running (cli->client))
    {
      hn_cli_complain (_ ("The service headnetd ended"));
      progress->code = HN_EXIT_NO_SERVICE;
      return TRUE;
    }
  if (!hn_client_has_tailnet (cli->client, progress->path))
    {
      hn_cli_complain (_ ("Somebody removed the tailnet"));
      progress->code = HN_EXIT_NOT_FOUND;
      return TRUE;
    }
  if (strcmp (state, "running") == 0)
    return TRUE;
  if (strcmp (state, "stopped") == 0)
    {
      hn_cli_complain (_ ("Somebody disconnected the tailnet"));
      progress->code = HN_EXIT_NOT_CONNECTED;
      return TRUE;
    }
  if (strcmp (state, "needs-login") == 0)
    return needs_login (cli, progress);
  if (tell_reason (cli, progress))
    return TRUE;
  return progress->stop_after_login && !hn_cli_login_is_pending (cli, progress->path);
}

static HnExit
timed_out (HnCli *cli, const char *path)
{
  g_autofree char *text = NULL;
  g_autofree char *state = NULL;

  if (hn_client_is_closed (cli->client))
    {
      hn_cli_complain (_ ("The system bus went away"));
      return HN_EXIT_NO_SERVICE;
    }
  text = hn_cli_explain_state (cli, path);
  state = hn_cli_get_state (cli, path);
  if (text[0] != '\0')
    hn_cli_complain (_ ("Not connected in time: %s"), text);
  else
    hn_cli_complain (_ ("Not connected in time, the state is “%s”"), state);
  if (strcmp (state, "starting") == 0)
    g_printerr ("%s\n", _ ("The service goes on trying; “headnetctl down” ends that."));
  return hn_cli_code_of_state (state) == HN_EXIT_NEEDS_LOGIN ? HN_EXIT_NEEDS_LOGIN
                                                             : HN_EXIT_TIMEOUT;
}

static void
print_connected (HnCli *cli, const char *path)
{
  g_autofree char *name = hn_client_get_string (cli->client, path, "NodeName");
  g_autoptr (GVariant) all = hn_client_dup_properties (cli->client, path);
  g_autofree char *addresses = all != NULL ? hn_dict_join (all, "Addresses", ", ") : g_strdup ("");
  g_autofree char *text = g_strdup_printf (_ ("Connected as %s (%s)"), name, addresses);
  g_autofree char *clean = hn_clean (text);

  if (cli->json && all != NULL)
    hn_cli_print_json (all);
  else if (!cli->json)
    g_print ("%s\n", clean);
}

/* Whether the server never accepted this tailnet's key, so that nothing is lost with it. */
static gboolean
was_never_enrolled (HnCli *cli, const char *path)
{
  g_autofree char *reason = hn_client_get_string (cli->client, path, "StateReason");
  g_autofree char *node = hn_client_get_string (cli->client, path, "NodeName");

  return hn_cli_state_is (cli, path, "needs-login") && !hn_cli_login_is_pending (cli, path)
         && node[0] == '\0' && strcmp (reason, "key-expired") != 0
         && strcmp (reason, "node-deleted") != 0;
}

/* A CA belongs to a tailnet from the beginning. Who forgot it at the first try gives it at the
 * second: then the tailnet is added again, with its settings. */
static char *
add_again (HnCli *cli, const char *path, const UpOptions *options, HnExit *code)
{
  g_autoptr (GVariant) old = hn_client_get_property (cli->client, path, "Preferences");
  g_autofree char *name = hn_client_get_string (cli->client, path, "Name");
  g_auto (GVariantDict) rest = G_VARIANT_DICT_INIT (old);
  g_autofree char *host_name = NULL;
  g_autofree char *added = NULL;

  g_variant_dict_lookup (&rest, "HostName", "s", &host_name);
  g_variant_dict_remove (&rest, "Name");
  g_variant_dict_remove (&rest, "HostName");
  *code = hn_cli_call (cli, NULL, "RemoveTailnet", g_variant_new ("(o)", path));
  if (*code != HN_EXIT_DONE)
    return NULL;
  added = hn_cli_add_tailnet (cli, options->server, name, options->ca_file, host_name, code);
  if (added == NULL)
    return NULL;
  *code = hn_cli_call (cli, added, "SetPreferences",
                       g_variant_new ("(@a{sv})", g_variant_dict_end (&rest)));
  return *code == HN_EXIT_DONE ? g_steal_pointer (&added) : NULL;
}

/* The tailnet that "up" means: found by server or name, added when a server is given. */
static char *
pick_or_add (HnCli *cli, const UpOptions *options, gboolean *is_new, HnExit *code)
{
  g_autoptr (GPtrArray) found = NULL;
  g_autofree char *path = NULL;

  if (options->server == NULL)
    return hn_cli_pick (cli, code);
  found = hn_cli_find_by_server (cli, options->server);
  if (cli->tailnet != NULL)
    {
      path = hn_cli_find_tailnet (cli, cli->tailnet);
      if (path != NULL && !g_ptr_array_find_with_equal_func (found, path, g_str_equal, NULL))
        {
          g_autofree char *url = hn_client_get_string (cli->client, path, "ServerUrl");

          hn_cli_complain (_ ("The tailnet “%s” belongs to the server %s"), cli->tailnet, url);
          *code = HN_EXIT_USAGE;
          return NULL;
        }
    }
  else if (found->len > 1)
    {
      hn_cli_complain (
          _ ("There are %u tailnets of that server: say which one with --tailnet NAME"),
          found->len);
      *code = HN_EXIT_USAGE;
      return NULL;
    }
  else if (found->len == 1)
    {
      path = g_strdup (g_ptr_array_index (found, 0));
    }
  *is_new = path == NULL;
  if (path == NULL)
    return hn_cli_add_tailnet (cli, options->server, cli->tailnet, options->ca_file,
                               options->host_name, code);
  if (options->ca_file != NULL && was_never_enrolled (cli, path))
    return add_again (cli, path, options, code);
  return g_steal_pointer (&path);
}

/* Waits until it is up. The time runs anew after a sign-in that had no limit. */
static HnExit
wait_until_up (HnCli *cli, Progress *progress, int timeout)
{
  guint limit = timeout < 0 ? DEFAULT_TIMEOUT_S : (guint) timeout;
  gboolean met;

  if (progress->end != 0)
    limit = MAX (1, ((guint) remaining_ms (progress) + 999) / 1000);
  met = hn_cli_wait (cli, is_up, progress, limit);
  if (!met && timeout < 0 && hn_cli_login_is_pending (cli, progress->path))
    {
      progress->end = 0;
      progress->stop_after_login = TRUE;
      met = hn_cli_wait (cli, is_up, progress, 0);
      progress->stop_after_login = FALSE;
      if (met && progress->code == HN_EXIT_DONE)
        met = hn_cli_wait (cli, is_up, progress, DEFAULT_TIMEOUT_S);
    }
  if (!met)
    return timed_out (cli, progress->path);
  if (progress->code == HN_EXIT_DONE)
    print_connected (cli, progress->path);
  return progress->code;
}

/* A server that was mistyped is a tailnet all the same, which then stands in the way of the right
 * one: two of them have to be told apart. */
static void
say_it_stays (HnCli *cli, const char *path)
{
  g_autofree char *name = hn_client_get_string (cli->client, path, "Name");

  hn_cli_complain (
      _ ("The tailnet “%s” was added; “headnetctl tailnet remove %s” removes it if that "
         "is not the right server"),
      name, name);
}

static HnExit
bring_up (HnCli *cli, const UpOptions *options, const char *key)
{
  g_autofree char *path = NULL;
  g_autofree char *before = NULL;
  gboolean is_new = FALSE;
  Progress progress = { NULL };
  HnExit code;

  if ((code = hn_cli_connect (cli, TRUE)) != HN_EXIT_DONE
      || (path = pick_or_add (cli, options, &is_new, &code)) == NULL)
    return code;
  if (options->host_name != NULL
      && (code = hn_cli_set_string (cli, path, "HostName", options->host_name)) != HN_EXIT_DONE)
    return code;

  progress.path = path;
  progress.key = key;
  if (options->timeout != 0)
    progress.end = g_get_monotonic_time ()
                   + (options->timeout < 0 ? DEFAULT_TIMEOUT_S : options->timeout) * G_USEC_PER_SEC;
  /* an enrolled node connects; another enrols first, so that a refusal leaves nothing wanted */
  if (hn_cli_state_is (cli, path, "needs-login") && !hn_cli_login_is_pending (cli, path))
    {
      progress.login_tried = TRUE;
      code = hn_cli_login (cli, path, key, FALSE, remaining_ms (&progress));
      if (code == HN_EXIT_FAILED && is_new)
        say_it_stays (cli, path);
      if (code != HN_EXIT_DONE)
        return code;
    }
  before = hn_client_get_string (cli->client, path, "StateReason");
  progress.before = before;
  code = hn_cli_call (
      cli, path, "Connect",
      g_variant_new ("(@a{sv})", g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0)));
  if (code == HN_EXIT_DONE)
    code = wait_until_up (cli, &progress, options->timeout);
  g_free (progress.told);
  return code;
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
      N_ ("The CA that a new server's certificate comes from, in PEM format"), N_ ("FILE") },
    { "hostname", 0, 0, G_OPTION_ARG_STRING, &options.host_name,
      N_ ("This computer's name in the tailnet"), N_ ("NAME") },
    { "timeout", 0, 0, G_OPTION_ARG_INT, &options.timeout,
      N_ ("Give up after so many seconds (60, and no limit while you sign in)"), N_ ("S") },
    G_OPTION_ENTRY_NULL,
  };
  char *key = NULL;
  HnExit code = HN_EXIT_DONE;

  options.timeout = -1;
  if (!hn_cli_parse (cli, verb, entries, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc > 1)
    return hn_cli_usage (verb, _ ("Too many arguments"));
  if (options.timeout < -1 || options.timeout > G_MAXINT / 1000)
    return hn_cli_usage (verb, _ ("That is no time to wait"));
  if (options.ca_file != NULL && options.server == NULL)
    return hn_cli_usage (verb, _ ("--ca belongs to a new --server"));
  if (options.key_file != NULL && (key = hn_cli_read_key (options.key_file, &code)) == NULL)
    return code;
  code = bring_up (cli, &options, key);
  hn_cli_wipe (&key);
  return code;
}

static HnExit
run_down (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("down");
  g_autoptr (GPtrArray) paths = NULL;
  g_autofree char *path = NULL;
  HnExit code;

  if (!hn_cli_parse (cli, verb, NULL, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc > 1)
    return hn_cli_usage (verb, _ ("Too many arguments"));
  if ((code = hn_cli_connect (cli, FALSE)) != HN_EXIT_DONE)
    return code;
  if (!hn_client_is_running (cli->client))
    return HN_EXIT_DONE; /* what does not run is down */
  paths = hn_client_list_tailnets (cli->client);
  if (paths->len == 0 && cli->tailnet == NULL)
    return HN_EXIT_DONE;
  path = hn_cli_pick (cli, &code);
  return path != NULL ? hn_cli_call (cli, path, "Disconnect", NULL) : code;
}

const HnVerb hn_connection_verbs[] = {
  { "up", "[--server URL] [--auth-key-file FILE|-] [--ca FILE] [--hostname NAME] [--timeout S]",
    N_ ("Enrols if needed, connects and waits until the tailnet runs"), run_up },
  { "down", "", N_ ("Disconnects; the enrolment stays"), run_down },
  { NULL },
};
