/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "hn-cli.h"

/* As the help shows them. */
static const struct
{
  const char *title;
  const HnVerb *verbs;
} tables[] = {
  { N_ ("Connection:"), hn_connection_verbs }, { NULL, hn_login_verbs },
  { N_ ("Looking:"), hn_show_verbs },          { N_ ("Trying and waiting:"), hn_live_verbs },
  { N_ ("Settings:"), hn_settings_verbs },
};

const HnVerb *
hn_cli_find_verb (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (tables); i++)
    for (const HnVerb *verb = tables[i].verbs; verb->name != NULL; verb++)
      if (strcmp (verb->name, name) == 0)
        return verb;
  return NULL;
}

/* How many letters have to be added, dropped or changed to make one word of the other. */
static guint
distance (const char *a, const char *b)
{
  gsize len = strlen (b);
  g_autofree guint *row = g_new (guint, len + 1);

  for (gsize j = 0; j <= len; j++)
    row[j] = (guint) j;
  for (gsize i = 0; a[i] != '\0'; i++)
    {
      guint diagonal = row[0];

      row[0] = (guint) i + 1;
      for (gsize j = 0; j < len; j++)
        {
          guint changed = diagonal + (a[i] == b[j] ? 0 : 1);

          diagonal = row[j + 1];
          row[j + 1] = MIN (changed, 1 + MIN (row[j], diagonal));
        }
    }
  return row[len];
}

const HnVerb *
hn_cli_suggest_verb (const char *name)
{
  /* what other programs of the kind call it */
  static const struct
  {
    const char *other;
    const char *ours;
  } known[] = {
    { "connect", "up" },    { "start", "up" },    { "disconnect", "down" }, { "stop", "down" },
    { "list", "peers" },    { "ls", "peers" },    { "nodes", "peers" },     { "show", "status" },
    { "monitor", "watch" }, { "add", "tailnet" },
  };
  const HnVerb *best = NULL;
  guint least = 3;

  for (gsize i = 0; i < G_N_ELEMENTS (known); i++)
    if (strcmp (known[i].other, name) == 0)
      return hn_cli_find_verb (known[i].ours);
  if (strlen (name) > 32 || strlen (name) < 2)
    return NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (tables); i++)
    for (const HnVerb *verb = tables[i].verbs; verb->name != NULL; verb++)
      {
        guint far = g_str_has_prefix (verb->name, name) ? 1 : distance (name, verb->name);

        if (far < least && far < strlen (verb->name))
          {
            least = far;
            best = verb;
          }
      }
  return best;
}

static void
print_help (void)
{
  g_print ("%s\n", _ ("Usage: headnetctl VERB [OPTION…] [ARGUMENT…]"));
  for (gsize i = 0; i < G_N_ELEMENTS (tables); i++)
    {
      if (tables[i].title != NULL)
        g_print ("\n%s\n", _ (tables[i].title));
      for (const HnVerb *verb = tables[i].verbs; verb->name != NULL; verb++)
        {
          g_autofree char *left = g_strdup_printf ("%s %s", verb->name, verb->arguments);

          g_print ("  ");
          hn_cli_print_padded (left, 30);
          if (g_utf8_strlen (left, -1) > 30)
            g_print ("\n%32s", "");
          g_print ("  %s\n", _ (verb->summary));
        }
    }
  g_print ("\n%s\n",
           _ ("All verbs take --tailnet NAME to pick one of several, --json to print what the bus\n"
              "has, and --help.\n"
              "Exit codes: 0 done, 1 failed, 2 usage, 3 not connected, 4 needs login or approval,\n"
              "5 not authorised, 6 no such tailnet or peer, 7 timeout, 8 no service."));
}

/* Options that all verbs have may also stand before the verb: puts the verb first. Returns whether
 * there is one. */
static gboolean
put_verb_first (int argc, char **argv)
{
  int i = 1;

  while (i < argc)
    if (strcmp (argv[i], "--tailnet") == 0 || strcmp (argv[i], "-t") == 0)
      i += 2;
    else if (strcmp (argv[i], "--json") == 0 || g_str_has_prefix (argv[i], "--tailnet="))
      i++;
    else
      break;
  if (i >= argc)
    return FALSE;
  for (char *verb = argv[i]; i >= 1; i--)
    argv[i] = i > 1 ? argv[i - 1] : verb;
  return TRUE;
}

int
main (int argc, char **argv)
{
  static char help[] = "--help";
  HnCli cli = { NULL };
  const HnVerb *verb;
  HnExit code;

  setlocale (LC_ALL, "");
  bindtextdomain (HN_GETTEXT_PACKAGE, HN_LOCALEDIR);
  bind_textdomain_codeset (HN_GETTEXT_PACKAGE, "UTF-8");
  textdomain (HN_GETTEXT_PACKAGE);
  g_set_prgname ("headnetctl");

  if (!put_verb_first (argc, argv))
    {
      hn_cli_complain (_ ("Say what to do: “headnetctl --help” lists the verbs"));
      return HN_EXIT_USAGE;
    }
  if (strcmp (argv[1], "help") == 0 && argc == 3 && hn_cli_find_verb (argv[2]) != NULL)
    {
      argv[1] = argv[2];
      argv[2] = help;
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
      const HnVerb *meant = hn_cli_suggest_verb (argv[1]);

      if (meant != NULL)
        hn_cli_complain (_ ("There is no verb “%s”. Did you mean “%s”? “headnetctl --help” lists "
                            "them all"),
                         argv[1], meant->name);
      else
        hn_cli_complain (_ ("There is no verb “%s”; “headnetctl --help” lists them"), argv[1]);
      return HN_EXIT_USAGE;
    }

  code = verb->run (&cli, argc - 1, argv + 1);
  if ((fflush (stdout) != 0 || ferror (stdout)) && code == HN_EXIT_DONE)
    {
      hn_cli_complain (_ ("The output could not be written"));
      code = HN_EXIT_FAILED;
    }
  g_clear_object (&cli.client);
  g_free (cli.tailnet);
  return code;
}
