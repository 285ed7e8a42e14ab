/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs login and logout. */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "hn-cli.h"

typedef struct
{
  const char *path;
  gboolean url_shown;
  HnExit code;
} SignIn;

static gboolean
is_signed_in (HnCli *cli, gpointer data)
{
  SignIn *sign_in = data;

  if (!hn_client_is_running (cli->client))
    {
      hn_cli_complain (_ ("The service headnetd ended"));
      sign_in->code = HN_EXIT_NO_SERVICE;
      return TRUE;
    }
  if (!hn_client_has_tailnet (cli->client, sign_in->path))
    {
      hn_cli_complain (_ ("Somebody removed the tailnet"));
      sign_in->code = HN_EXIT_NOT_FOUND;
      return TRUE;
    }
  if (!hn_cli_login_is_pending (cli, sign_in->path))
    return TRUE;
  if (!sign_in->url_shown)
    {
      sign_in->url_shown = TRUE;
      sign_in->code = hn_cli_show_login_url (cli, sign_in->path);
    }
  return sign_in->code != HN_EXIT_DONE || !hn_cli_login_is_pending (cli, sign_in->path);
}

static HnExit
sign_in (HnCli *cli, const char *path, int timeout)
{
  SignIn state = { path, FALSE, HN_EXIT_DONE };

  if (!hn_cli_wait (cli, is_signed_in, &state, (guint) timeout))
    {
      hn_cli_complain (hn_client_is_closed (cli->client)
                           ? _ ("The system bus went away")
                           : _ ("Nobody approved in time; “headnetctl login” shows the address "
                                "again"));
      return hn_client_is_closed (cli->client) ? HN_EXIT_NO_SERVICE : HN_EXIT_NEEDS_LOGIN;
    }
  if (state.code != HN_EXIT_DONE)
    return state.code;
  if (hn_cli_state_is (cli, path, "needs-login"))
    {
      g_autofree char *text = hn_cli_explain_state (cli, path);

      hn_cli_complain ("%s", text);
      return HN_EXIT_NEEDS_LOGIN;
    }
  if (!cli->json && hn_cli_state_is (cli, path, "stopped"))
    g_print (_ ("Signed in. “headnetctl up” connects.\n"));
  else if (!cli->json)
    g_print (_ ("Signed in.\n"));
  return HN_EXIT_DONE;
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
    { "timeout", 0, 0, G_OPTION_ARG_INT, &timeout,
      N_ ("Give up after so many seconds (no limit while you sign in)"), N_ ("S") },
    G_OPTION_ENTRY_NULL,
  };
  g_autofree char *path = NULL;
  char *key = NULL;
  HnExit code = HN_EXIT_DONE;

  if (!hn_cli_parse (cli, verb, entries, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc > 1)
    return hn_cli_usage (verb, _ ("Too many arguments"));
  if (timeout < 0)
    return hn_cli_usage (verb, _ ("A time can not be negative"));
  if (key_file != NULL && (key = hn_cli_read_key (key_file, &code)) == NULL)
    return code;
  if ((code = hn_cli_connect (cli, TRUE)) == HN_EXIT_DONE
      && (path = hn_cli_pick (cli, &code)) != NULL)
    code = hn_cli_login (cli, path, key, accept,
                         timeout > 0 ? MIN (timeout, 600) * 1000 : HN_CLI_CALL_TIMEOUT_MS);
  hn_cli_wipe (&key);
  return code == HN_EXIT_DONE ? sign_in (cli, path, timeout) : code;
}

static HnExit
run_logout (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("logout");
  g_autofree char *path = NULL;
  HnExit code;

  if (!hn_cli_parse (cli, verb, NULL, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc > 1)
    return hn_cli_usage (verb, _ ("Too many arguments"));
  if ((code = hn_cli_connect (cli, TRUE)) != HN_EXIT_DONE
      || (path = hn_cli_pick (cli, &code)) == NULL)
    return code;
  return hn_cli_call (cli, path, "Logout", NULL);
}

const HnVerb hn_login_verbs[] = {
  { "login", "[--auth-key-file FILE|-] [--accept-server-key] [--timeout S]",
    N_ ("Signs in, or signs in again, without connecting"), run_login },
  { "logout", "", N_ ("Disconnects and gives the enrolment up"), run_logout },
  { NULL },
};
