/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "hn-cli.h"

static GVariant *
get_preferences (HnCli *cli, const char *path)
{
  g_autoptr (GVariant) value = hn_client_get_property (cli->client, path, "Preferences");

  if (value != NULL && g_variant_is_of_type (value, G_VARIANT_TYPE_VARDICT))
    return g_steal_pointer (&value);
  return g_variant_ref_sink (g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0));
}

/* "host-name" and "hostname" mean HostName. */
static gboolean
key_matches (const char *key, const char *typed)
{
  while (*key != '\0' && *typed != '\0')
    {
      if (*typed == '-' || *typed == '_')
        {
          typed++;
          continue;
        }
      if (g_ascii_tolower (*key) != g_ascii_tolower (*typed))
        return FALSE;
      key++;
      typed++;
    }
  return *key == '\0' && *typed == '\0';
}

static char *
find_key (GVariant *preferences, const char *typed)
{
  GVariantIter iter;
  const char *key;

  g_variant_iter_init (&iter, preferences);
  while (g_variant_iter_next (&iter, "{&sv}", &key, NULL))
    if (key_matches (key, typed))
      return g_strdup (key);
  return NULL;
}

static GVariant *
parse_boolean (const char *text)
{
  static const char *const yes[] = { "true", "yes", "on", "1", NULL };
  static const char *const no[] = { "false", "no", "off", "0", NULL };
  g_autofree char *lower = g_ascii_strdown (text, -1);

  if (g_strv_contains (yes, lower))
    return g_variant_new_boolean (TRUE);
  return g_strv_contains (no, lower) ? g_variant_new_boolean (FALSE) : NULL;
}

/* @text as a value of the type that the preference has now; NULL when it is none. */
static GVariant *
parse_value (GVariant *present, const char *text)
{
  guint64 number = 0;

  switch (g_variant_classify (present))
    {
    case G_VARIANT_CLASS_BOOLEAN:
      return parse_boolean (text);
    case G_VARIANT_CLASS_STRING:
      return g_utf8_validate (text, -1, NULL) ? g_variant_new_string (text) : NULL;
    case G_VARIANT_CLASS_UINT32:
      return g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT32, &number, NULL)
                 ? g_variant_new_uint32 ((guint32) number)
                 : NULL;
    case G_VARIANT_CLASS_UINT16:
      return g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT16, &number, NULL)
                 ? g_variant_new_uint16 ((guint16) number)
                 : NULL;
    case G_VARIANT_CLASS_ARRAY:
      {
        g_auto (GStrv) items = g_strsplit (text, ",", -1);

        return g_variant_is_of_type (present, G_VARIANT_TYPE_STRING_ARRAY)
                       && g_utf8_validate (text, -1, NULL)
                   ? g_variant_new_strv ((const char *const *) items, text[0] != '\0' ? -1 : 0)
                   : NULL;
      }
    default:
      return NULL;
    }
}

static const char *
expected (GVariant *present)
{
  switch (g_variant_classify (present))
    {
    case G_VARIANT_CLASS_BOOLEAN:
      return _ ("true or false");
    case G_VARIANT_CLASS_UINT32:
    case G_VARIANT_CLASS_UINT16:
      return _ ("a number");
    default:
      return _ ("text");
    }
}

static char *
format_value (GVariant *value)
{
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    return g_variant_dup_string (value, NULL);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING_ARRAY))
    {
      g_autofree const char **items = g_variant_get_strv (value, NULL);

      return g_strjoinv (",", (char **) items);
    }
  return g_variant_print (value, FALSE);
}

static HnExit
run_set (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("set");
  g_autofree char *path = NULL;
  g_autoptr (GVariant) preferences = NULL;
  GVariantDict dict;
  HnExit code = HN_EXIT_DONE;

  if (!hn_cli_parse (cli, verb, NULL, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc < 2)
    return hn_cli_usage (verb, _ ("Say what to set: KEY=VALUE"));
  for (int i = 1; i < argc; i++)
    if (strchr (argv[i], '=') == NULL)
      return hn_cli_usage (verb, _ ("A setting is KEY=VALUE"));
  if ((code = hn_cli_connect (cli, TRUE)) != HN_EXIT_DONE
      || (path = hn_cli_pick (cli, &code)) == NULL)
    return code;
  preferences = get_preferences (cli, path);
  g_variant_dict_init (&dict, NULL);
  for (int i = 1; i < argc; i++)
    {
      const char *equals = strchr (argv[i], '=');
      g_autofree char *typed = g_strndup (argv[i], (gsize) (equals - argv[i]));
      g_autofree char *key = find_key (preferences, typed);
      g_autoptr (GVariant) present = NULL;
      GVariant *value;

      if (key == NULL)
        {
          g_variant_dict_clear (&dict);
          hn_cli_complain (_ ("There is no setting “%s”; “headnetctl get” lists them"), typed);
          return HN_EXIT_USAGE;
        }
      present = g_variant_lookup_value (preferences, key, NULL);
      value = parse_value (present, equals + 1);
      if (value == NULL)
        {
          g_variant_dict_clear (&dict);
          hn_cli_complain (_ ("“%s” is no value for %s: it takes %s"), equals + 1, key,
                           expected (present));
          return HN_EXIT_USAGE;
        }
      g_variant_dict_insert_value (&dict, key, value);
    }
  return hn_cli_call (cli, path, "SetPreferences",
                      g_variant_new ("(@a{sv})", g_variant_dict_end (&dict)));
}

static HnExit
run_get (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("get");
  g_autofree char *path = NULL;
  g_autofree char *wanted = NULL;
  g_autoptr (GVariant) preferences = NULL;
  GVariantIter iter;
  const char *key;
  GVariant *value;
  HnExit code = HN_EXIT_DONE;

  if (!hn_cli_parse (cli, verb, NULL, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc > 2)
    return hn_cli_usage (verb, _ ("Too many arguments"));
  if ((code = hn_cli_connect (cli, FALSE)) != HN_EXIT_DONE
      || (path = hn_cli_pick (cli, &code)) == NULL)
    return code;
  preferences = get_preferences (cli, path);
  if (argc > 1 && (wanted = find_key (preferences, argv[1])) == NULL)
    {
      hn_cli_complain (_ ("There is no setting “%s”; “headnetctl get” lists them"), argv[1]);
      return HN_EXIT_USAGE;
    }
  if (cli->json)
    {
      g_autoptr (GVariant) one
          = wanted != NULL ? g_variant_lookup_value (preferences, wanted, NULL) : NULL;

      hn_cli_print_json (one != NULL ? one : preferences);
      return HN_EXIT_DONE;
    }
  g_variant_iter_init (&iter, preferences);
  while (g_variant_iter_loop (&iter, "{&sv}", &key, &value))
    {
      g_autofree char *text = format_value (value);
      g_autofree char *clean = hn_clean (text);

      if (wanted == NULL)
        g_print ("%s=%s\n", key, clean);
      else if (strcmp (key, wanted) == 0)
        g_print ("%s\n", clean);
    }
  return HN_EXIT_DONE;
}

/* ---- tailnet add, list, remove, rename ---- */

static HnExit
tailnet_list (HnCli *cli)
{
  g_autoptr (GPtrArray) paths = hn_client_list_tailnets (cli->client);
  GVariantBuilder all;
  g_autoptr (GVariant) list = NULL;

  g_variant_builder_init (&all, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; i < paths->len; i++)
    {
      const char *path = g_ptr_array_index (paths, i);
      g_autoptr (GVariant) properties = hn_client_dup_properties (cli->client, path);
      g_autofree char *line = NULL;
      g_autofree char *name = NULL;
      g_autofree char *rest = NULL;

      if (properties == NULL)
        continue;
      g_variant_builder_add_value (&all, properties);
      if (cli->json)
        continue;
      name = hn_clean (hn_dict_string (properties, "Name"));
      line = g_strdup_printf ("%-14s  %s", hn_dict_string (properties, "State"),
                              hn_dict_string (properties, "ServerUrl"));
      rest = hn_clean (line);
      hn_cli_print_padded (name, 24);
      g_print ("  %s\n", rest);
    }
  list = g_variant_ref_sink (g_variant_builder_end (&all));
  if (cli->json)
    hn_cli_print_json (list);
  return HN_EXIT_DONE;
}

/* Adding what is there already is fine. */
static HnExit
tailnet_add (HnCli *cli, const char *url, const char *name, const char *ca_file,
             const char *host_name)
{
  g_autoptr (GPtrArray) found = hn_cli_find_by_server (cli, url);
  g_autofree char *path = NULL;
  g_autofree char *added = NULL;
  g_autofree char *clean = NULL;
  HnExit code = HN_EXIT_DONE;

  for (guint i = 0; i < found->len; i++)
    {
      const char *other = g_ptr_array_index (found, i);
      g_autofree char *other_name = hn_client_get_string (cli->client, other, "Name");

      if (name == NULL || strcmp (name, other_name) == 0)
        {
          if (!cli->json)
            {
              clean = hn_clean (other_name);
              g_print (_ ("The tailnet “%s” is there already\n"), clean);
            }
          return HN_EXIT_DONE;
        }
    }
  path = hn_cli_add_tailnet (cli, url, name, ca_file, host_name, &code);
  if (path == NULL)
    return code;
  added = hn_client_get_string (cli->client, path, "Name");
  clean = hn_clean (added);
  if (!cli->json)
    g_print (_ ("Added “%s”; “headnetctl up --tailnet %s” connects\n"), clean, clean);
  return HN_EXIT_DONE;
}

static HnExit
run_tailnet (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("tailnet");
  g_autofree char *name = NULL;
  g_autofree char *ca_file = NULL;
  g_autofree char *host_name = NULL;
  const GOptionEntry entries[] = {
    { "name", 0, 0, G_OPTION_ARG_STRING, &name, N_ ("What the new tailnet is called here"),
      N_ ("NAME") },
    { "ca", 0, 0, G_OPTION_ARG_FILENAME, &ca_file,
      N_ ("The CA that a new server's certificate comes from, in PEM format"), N_ ("FILE") },
    { "hostname", 0, 0, G_OPTION_ARG_STRING, &host_name, N_ ("This computer's name in the tailnet"),
      N_ ("NAME") },
    G_OPTION_ENTRY_NULL,
  };
  const char *what;
  int arguments;
  g_autofree char *path = NULL;
  HnExit code;

  if (!hn_cli_parse (cli, verb, entries, &argc, &argv))
    return HN_EXIT_USAGE;
  what = argc > 1 ? argv[1] : "list";
  arguments = strcmp (what, "list") == 0                                  ? 2
              : strcmp (what, "rename") == 0                              ? 4
              : strcmp (what, "add") == 0 || strcmp (what, "remove") == 0 ? 3
                                                                          : 0;
  if (arguments == 0)
    return hn_cli_usage (verb, _ ("It is add, list, remove or rename"));
  if (argc != arguments && argc != 1)
    return hn_cli_usage (verb, argc > arguments ? _ ("Too many arguments")
                                                : _ ("An argument is missing"));
  if (strcmp (what, "add") != 0 && (name != NULL || ca_file != NULL || host_name != NULL))
    return hn_cli_usage (verb, _ ("Those options belong to add"));
  if ((code = hn_cli_connect (cli, arguments != 2)) != HN_EXIT_DONE)
    return code;
  if (arguments == 2)
    return hn_client_is_running (cli->client) ? tailnet_list (cli) : hn_cli_no_service ();
  if (strcmp (what, "add") == 0)
    return tailnet_add (cli, argv[2], name != NULL ? name : cli->tailnet, ca_file, host_name);
  path = hn_cli_find_tailnet (cli, argv[2]);
  if (path == NULL)
    {
      hn_cli_complain (_ ("There is no tailnet “%s”; “headnetctl tailnet list” shows them"),
                       argv[2]);
      return HN_EXIT_NOT_FOUND;
    }
  if (arguments == 4)
    return hn_cli_set_string (cli, path, "Name", argv[3]);
  return hn_cli_call (cli, NULL, "RemoveTailnet", g_variant_new ("(o)", path));
}

const HnVerb hn_settings_verbs[] = {
  { "set", "KEY=VALUE…", N_ ("Changes settings; what is not named stays as it is"), run_set },
  { "get", "[KEY]", N_ ("Shows settings"), run_get },
  { "tailnet",
    "add URL [--name NAME] [--ca FILE] [--hostname NAME] | list | remove NAME | rename NAME NEW",
    N_ ("Manages the tailnets of this computer"), run_tailnet },
  { NULL },
};
