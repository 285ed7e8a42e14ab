/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "hn-cli.h"

#define MAX_CA (256 * 1024)

static GVariant *
get_preferences (HnCli *cli, const char *path)
{
  g_autoptr (GVariant) value = headnet_client_get_property (cli->client, path, "Preferences");

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
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) changes = NULL;
  g_autoptr (GError) error = NULL;
  GVariantDict dict;
  HnExit code = HN_EXIT_DONE;

  if (!hn_cli_parse (cli, verb, NULL, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc < 2)
    return hn_cli_usage (verb, _ ("Say what to set: KEY=VALUE"));
  path = hn_cli_pick (cli, &code);
  if (path == NULL)
    return code;
  preferences = get_preferences (cli, path);
  g_variant_dict_init (&dict, NULL);
  for (int i = 1; i < argc; i++)
    {
      const char *equals = strchr (argv[i], '=');
      g_autofree char *typed
          = equals != NULL ? g_strndup (argv[i], (gsize) (equals - argv[i])) : g_strdup (argv[i]);
      g_autofree char *key = find_key (preferences, typed);
      g_autoptr (GVariant) present = NULL;
      GVariant *value;

      if (equals == NULL || key == NULL)
        {
          g_variant_dict_clear (&dict);
          if (equals == NULL)
            return hn_cli_usage (verb, _ ("A setting is KEY=VALUE"));
          hn_cli_complain (_ ("There is no setting “%s”; “headnetctl get” lists them"), typed);
          return HN_EXIT_USAGE;
        }
      present = g_variant_lookup_value (preferences, key, NULL);
      value = parse_value (present, equals + 1);
      if (value == NULL)
        {
          g_variant_dict_clear (&dict);
          hn_cli_complain (_ ("“%s” is no value for %s"), equals + 1, key);
          return HN_EXIT_USAGE;
        }
      g_variant_dict_insert_value (&dict, key, value);
    }
  changes = g_variant_ref_sink (g_variant_dict_end (&dict));
  reply = headnet_client_call_sync (cli->client, path, "SetPreferences",
                                    g_variant_new ("(@a{sv})", changes), TRUE, -1, NULL, &error);
  return reply != NULL ? HN_EXIT_DONE : hn_cli_fail (error);
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
  path = hn_cli_pick (cli, &code);
  if (path == NULL)
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
  g_autoptr (GPtrArray) paths = headnet_client_list_tailnets (cli->client);
  GVariantBuilder all;
  g_autoptr (GVariant) list = NULL;

  g_variant_builder_init (&all, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; i < paths->len; i++)
    {
      const char *path = g_ptr_array_index (paths, i);
      g_autoptr (GVariant) properties = headnet_client_dup_properties (cli->client, path);
      g_autofree char *name = NULL;

      if (properties == NULL)
        continue;
      g_variant_builder_add_value (&all, properties);
      if (cli->json)
        continue;
      name = hn_clean (hn_dict_string (properties, "Name"));
      g_print ("%-24s  %-14s  %s\n", name, hn_dict_string (properties, "State"),
               hn_dict_string (properties, "ServerUrl"));
    }
  list = g_variant_ref_sink (g_variant_builder_end (&all));
  if (cli->json)
    hn_cli_print_json (list);
  return HN_EXIT_DONE;
}

static HnExit
tailnet_add (HnCli *cli, const HnVerb *verb, const char *url, const char *name, const char *ca_file,
             const char *host_name)
{
  g_autofree char *ca = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;
  GVariantBuilder settings;

  if (ca_file != NULL && (ca = hn_cli_read_file (ca_file, MAX_CA, &error)) == NULL)
    return hn_cli_usage (verb, error->message);
  g_variant_builder_init (&settings, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&settings, "{sv}", "ServerUrl", g_variant_new_string (url));
  if (name != NULL)
    g_variant_builder_add (&settings, "{sv}", "Name", g_variant_new_string (name));
  if (ca != NULL)
    g_variant_builder_add (&settings, "{sv}", "CaCertificate", g_variant_new_string (ca));
  if (host_name != NULL)
    g_variant_builder_add (&settings, "{sv}", "HostName", g_variant_new_string (host_name));
  reply = headnet_client_call_sync (cli->client, NULL, "AddTailnet",
                                    g_variant_new ("(a{sv})", &settings), TRUE, -1, NULL, &error);
  return reply != NULL ? HN_EXIT_DONE : hn_cli_fail (error);
}

static HnExit
tailnet_remove (HnCli *cli, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = headnet_client_call_sync (
      cli->client, NULL, "RemoveTailnet", g_variant_new ("(o)", path), TRUE, 60000, NULL, &error);

  return reply != NULL ? HN_EXIT_DONE : hn_cli_fail (error);
}

static HnExit
tailnet_rename (HnCli *cli, const char *path, const char *name)
{
  GVariantBuilder preferences;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;

  g_variant_builder_init (&preferences, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&preferences, "{sv}", "Name", g_variant_new_string (name));
  reply
      = headnet_client_call_sync (cli->client, path, "SetPreferences",
                                  g_variant_new ("(a{sv})", &preferences), TRUE, -1, NULL, &error);
  return reply != NULL ? HN_EXIT_DONE : hn_cli_fail (error);
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
      N_ ("The CA that the server's certificate comes from"), N_ ("FILE") },
    { "hostname", 0, 0, G_OPTION_ARG_STRING, &host_name, N_ ("This computer's name in the tailnet"),
      N_ ("NAME") },
    G_OPTION_ENTRY_NULL,
  };
  const char *what;
  g_autofree char *path = NULL;

  if (!hn_cli_parse (cli, verb, entries, &argc, &argv))
    return HN_EXIT_USAGE;
  what = argc > 1 ? argv[1] : "list";
  if (strcmp (what, "list") == 0 && argc <= 2)
    return tailnet_list (cli);
  if (strcmp (what, "add") == 0 && argc == 3)
    return tailnet_add (cli, verb, argv[2], name != NULL ? name : cli->tailnet, ca_file, host_name);
  if (!(strcmp (what, "remove") == 0 && argc == 3) && !(strcmp (what, "rename") == 0 && argc == 4))
    return hn_cli_usage (verb, _ ("Wrong arguments"));
  path = hn_cli_find_tailnet (cli, argv[2]);
  if (path == NULL)
    {
      hn_cli_complain (_ ("There is no tailnet “%s”; “headnetctl tailnet list” shows them"),
                       argv[2]);
      return HN_EXIT_NOT_FOUND;
    }
  return argc == 3 ? tailnet_remove (cli, path) : tailnet_rename (cli, path, argv[3]);
}

const HnVerb hn_settings_verbs[] = {
  { "set", "KEY=VALUE…", N_ ("Changes settings; what is not named stays as it is"), run_set },
  { "get", "[KEY]", N_ ("Shows settings"), run_get },
  { "tailnet", "add URL [--name NAME] | list | remove NAME | rename NAME NEW",
    N_ ("Manages the tailnets of this computer"), run_tailnet },
  { NULL },
};
