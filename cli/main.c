/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "hn-cli.h"

static void
print_verbs (const char *title, const HnVerb *verbs)
{
  g_print ("%s\n", title);
  for (const HnVerb *verb = verbs; verb->name != NULL; verb++)
    {
      g_autofree char *left = g_strdup_printf ("%s %s", verb->name, verb->arguments);

      if (g_utf8_strlen (left, -1) <= 30)
        g_print ("  %-30s  %s\n", left, _ (verb->summary));
      else
        g_print ("  %s\n  %-30s  %s\n", left, "", _ (verb->summary));
    }
}

static void
print_help (void)
{
  g_print ("%s\n\n", _ ("Usage: headnetctl VERB [OPTION…] [ARGUMENT…]"));
  print_verbs (_ ("Connection:"), hn_connection_verbs);
  print_verbs (_ ("Looking:"), hn_show_verbs);
  print_verbs (_ ("Trying and waiting:"), hn_live_verbs);
  print_verbs (_ ("Settings:"), hn_settings_verbs);
  g_print ("\n%s\n",
           _ ("All verbs take --tailnet NAME to pick one of several, and --help.\n"
              "Exit codes: 0 done, 1 failed, 2 usage, 3 not connected, 4 needs login or approval,\n"
              "5 not authorised, 6 no such tailnet or peer, 7 timeout, 8 no service."));
}

int
main (int argc, char **argv)
{
  HnCli cli = { NULL };
  const HnVerb *verb;
  g_autoptr (GError) error = NULL;
  HnExit code;

  setlocale (LC_ALL, "");
  bindtextdomain (HN_GETTEXT_PACKAGE, HN_LOCALEDIR);
  bind_textdomain_codeset (HN_GETTEXT_PACKAGE, "UTF-8");
  textdomain (HN_GETTEXT_PACKAGE);
  g_set_prgname ("headnetctl");

  if (argc < 2)
    {
      print_help ();
      return HN_EXIT_USAGE;
    }
  if (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0
      || strcmp (argv[1], "help") == 0)
    {
      print_help ();
      return HN_EXIT_DONE;
    }
  verb = hn_cli_find_verb (strcmp (argv[1], "--version") == 0 ? "version" : argv[1]);
  if (verb == NULL)
    {
      hn_cli_complain (_ ("There is no verb “%s”; “headnetctl --help” lists them"), argv[1]);
      return HN_EXIT_USAGE;
    }

  cli.client = headnet_client_new_sync (NULL, &error);
  for (int i = 2; cli.client == NULL && i < argc; i++)
    if (strcmp (argv[i], "--help") == 0 || strcmp (argv[i], "-h") == 0)
      verb->run (&cli, argc - 1, argv + 1); /* prints and exits, needs no bus */
  if (cli.client == NULL && strcmp (verb->name, "version") != 0)
    return hn_cli_fail (error);
  code = verb->run (&cli, argc - 1, argv + 1);
  fflush (stdout);
  g_clear_object (&cli.client);
  g_free (cli.tailnet);
  return code;
}
