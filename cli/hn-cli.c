/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "hn-cli.h"

#include <glib/gi18n.h>
#include <signal.h>
#include <string.h>

void
hn_cli_complain (const char *format, ...)
{
  g_autofree char *message = NULL;
  g_autofree char *clean = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  clean = hn_clean (message);
  g_printerr ("headnetctl: %s\n", clean);
}

HnExit
hn_cli_fail (const GError *error)
{
  hn_cli_complain ("%s", error->message);
  if (error->domain != HEADNET_ERROR)
    return HN_EXIT_FAILED;
  switch ((HeadnetError) error->code)
    {
    case HEADNET_ERROR_INVALID_ARGUMENT:
      return HN_EXIT_USAGE;
    case HEADNET_ERROR_NOT_AUTHORIZED:
      return HN_EXIT_NOT_AUTHORIZED;
    case HEADNET_ERROR_NOT_FOUND:
      return HN_EXIT_NOT_FOUND;
    case HEADNET_ERROR_NOT_CONNECTED:
      return HN_EXIT_NOT_CONNECTED;
    case HEADNET_ERROR_NEEDS_LOGIN:
      return HN_EXIT_NEEDS_LOGIN;
    case HEADNET_ERROR_TIMEOUT:
      return HN_EXIT_TIMEOUT;
    case HEADNET_ERROR_NO_SERVICE:
      return HN_EXIT_NO_SERVICE;
    case HEADNET_ERROR_FAILED:
    case HEADNET_ERROR_EXISTS:
    case HEADNET_ERROR_SERVER_UNREACHABLE:
    case HEADNET_ERROR_SERVER_REFUSED:
    case HEADNET_ERROR_NOT_SUPPORTED:
    case HEADNET_ERROR_BUSY:
      return HN_EXIT_FAILED;
    }
  return HN_EXIT_FAILED;
}

HnExit
hn_cli_usage (const HnVerb *verb, const char *message)
{
  hn_cli_complain ("%s", message);
  g_printerr (_ ("Usage: headnetctl %s %s\nSee headnetctl %s --help.\n"), verb->name,
              verb->arguments, verb->name);
  return HN_EXIT_USAGE;
}

HnExit
hn_cli_no_service (void)
{
  hn_cli_complain (_ ("The service headnetd does not run; “headnetctl up” starts it"));
  return HN_EXIT_NO_SERVICE;
}

gboolean
hn_cli_parse (HnCli *cli, const HnVerb *verb, const GOptionEntry *entries, int *argc, char ***argv)
{
  GOptionEntry common[] = {
    { "tailnet", 't', 0, G_OPTION_ARG_STRING, &cli->tailnet, N_ ("The tailnet meant, by name"),
      N_ ("NAME") },
    { "json", 0, 0, G_OPTION_ARG_NONE, &cli->json, N_ ("Print JSON, with the names of the bus"),
      NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new (verb->arguments);
  g_autofree char *program = g_strdup_printf ("headnetctl %s", verb->name);
  g_autoptr (GError) error = NULL;

  g_option_context_set_translation_domain (context, HN_GETTEXT_PACKAGE);
  g_option_context_set_summary (context, _ (verb->summary));
  g_set_prgname (program);
  if (entries != NULL)
    g_option_context_add_main_entries (context, entries, HN_GETTEXT_PACKAGE);
  g_option_context_add_main_entries (context, common, HN_GETTEXT_PACKAGE);
  if (!g_option_context_parse (context, argc, argv, &error))
    {
      hn_cli_usage (verb, error->message);
      return FALSE;
    }
  /* GOption leaves a "--" that ended the options */
  if (*argc > 1 && strcmp ((*argv)[1], "--") == 0)
    {
      (*argv)[1] = (*argv)[0];
      (*argv)++;
      (*argc)--;
    }
  for (int i = 1; i < *argc; i++)
    if (!g_utf8_validate ((*argv)[i], -1, NULL))
      {
        hn_cli_usage (verb, _ ("An argument is no valid text"));
        return FALSE;
      }
  return TRUE;
}

static void
on_news (HnCli *cli)
{
  cli->news = TRUE;
}

HnExit
hn_cli_connect (HnCli *cli, gboolean start)
{
  g_autoptr (GError) error = NULL;

  cli->client = hn_client_new_sync (NULL, &error);
  if (cli->client == NULL)
    return hn_cli_fail (error);
  /* GIO ignores it, but whoever closes our output, such as "head", wants no more of it */
  signal (SIGPIPE, SIG_DFL);
  g_signal_connect_swapped (cli->client, "changed", G_CALLBACK (on_news), cli);
  g_signal_connect_swapped (cli->client, "peers-changed", G_CALLBACK (on_news), cli);
  g_signal_connect_swapped (cli->client, "running-changed", G_CALLBACK (on_news), cli);
  if (start && !hn_client_start_sync (cli->client, NULL, &error))
    return hn_cli_fail (error);
  return HN_EXIT_DONE;
}

char *
hn_cli_find_tailnet (HnCli *cli, const char *name)
{
  static const char *const properties[] = { "Name", "Id" };
  g_autoptr (GPtrArray) paths = hn_client_list_tailnets (cli->client);

  /* an id stays when the name changes: the name of one may be the id of another */
  for (gsize p = 0; p < G_N_ELEMENTS (properties); p++)
    for (guint i = 0; i < paths->len; i++)
      {
        const char *path = g_ptr_array_index (paths, i);
        g_autofree char *shown = hn_client_get_string (cli->client, path, properties[p]);

        if (strcmp (shown, name) == 0)
          return g_strdup (path);
      }
  return NULL;
}

char *
hn_cli_pick (HnCli *cli, HnExit *code)
{
  g_autoptr (GPtrArray) paths = hn_client_list_tailnets (cli->client);

  if (!hn_client_is_running (cli->client))
    {
      *code = hn_cli_no_service ();
      return NULL;
    }
  if (cli->tailnet != NULL)
    {
      char *path = hn_cli_find_tailnet (cli, cli->tailnet);

      if (path == NULL)
        {
          hn_cli_complain (_ ("There is no tailnet “%s”; “headnetctl tailnet list” shows them"),
                           cli->tailnet);
          *code = HN_EXIT_NOT_FOUND;
        }
      return path;
    }
  if (paths->len == 1)
    return g_strdup (g_ptr_array_index (paths, 0));
  if (paths->len > 1)
    {
      hn_cli_complain (_ ("There are %u tailnets: say which one with --tailnet NAME"), paths->len);
      *code = HN_EXIT_USAGE;
    }
  else
    {
      hn_cli_complain (_ ("There is no tailnet yet: “headnetctl up --server URL” adds one"));
      *code = HN_EXIT_NOT_FOUND;
    }
  return NULL;
}

typedef struct
{
  gboolean expired;
} Deadline;

static gboolean
on_deadline (gpointer user_data)
{
  ((Deadline *) user_data)->expired = TRUE;
  return G_SOURCE_REMOVE;
}

gboolean
hn_cli_wait (HnCli *cli, gboolean (*done) (HnCli *cli, gpointer data), gpointer data,
             guint timeout_s)
{
  Deadline deadline = { FALSE };
  g_autoptr (GSource) source = NULL;
  gboolean met;

  if (timeout_s > 0)
    {
      source = g_timeout_source_new_seconds (timeout_s);
      g_source_set_callback (source, on_deadline, &deadline, NULL);
      g_source_attach (source, NULL);
    }
  for (;;)
    {
      /* what comes while it is asked, in a call that it makes, is news again */
      cli->news = FALSE;
      met = done (cli, data);
      if (met || hn_client_is_closed (cli->client))
        break;
      if (deadline.expired)
        break;
      while (!cli->news && !deadline.expired)
        g_main_context_iteration (NULL, TRUE);
    }
  if (source != NULL)
    g_source_destroy (source);
  return met;
}

char *
hn_cli_get_state (HnCli *cli, const char *path)
{
  return hn_client_get_string (cli->client, path, "State");
}

gboolean
hn_cli_state_is (HnCli *cli, const char *path, const char *wanted)
{
  g_autofree char *state = hn_cli_get_state (cli, path);

  return strcmp (state, wanted) == 0;
}

HnExit
hn_cli_code_of_state (const char *state)
{
  if (strcmp (state, "running") == 0)
    return HN_EXIT_DONE;
  if (strcmp (state, "needs-login") == 0 || strcmp (state, "needs-approval") == 0)
    return HN_EXIT_NEEDS_LOGIN;
  return HN_EXIT_NOT_CONNECTED;
}

HnExit
hn_cli_call (HnCli *cli, const char *path, const char *method, GVariant *parameters)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = hn_client_call_sync (cli->client, path, method, parameters, TRUE,
                                                    HN_CLI_CALL_TIMEOUT_MS, NULL, &error);

  return reply != NULL ? HN_EXIT_DONE : hn_cli_fail (error);
}

HnExit
hn_cli_set_string (HnCli *cli, const char *path, const char *key, const char *value)
{
  GVariantBuilder preferences;

  g_variant_builder_init (&preferences, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&preferences, "{sv}", key, g_variant_new_string (value));
  return hn_cli_call (cli, path, "SetPreferences", g_variant_new ("(a{sv})", &preferences));
}

char *
hn_cli_explain_state (HnCli *cli, const char *path)
{
  g_autofree char *reason = hn_client_get_string (cli->client, path, "StateReason");
  g_autoptr (GVariant) health = hn_client_get_property (cli->client, path, "Health");
  gsize n = health != NULL ? g_variant_n_children (health) : 0;

  if (reason[0] == '\0')
    return g_steal_pointer (&reason);
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) item = g_variant_get_child_value (health, i);

      if (strcmp (hn_dict_string (item, "Id"), reason) == 0)
        {
          g_autofree char *text = g_strdup_printf ("%s: %s", hn_dict_string (item, "Title"),
                                                   hn_dict_string (item, "Text"));

          return hn_clean (text);
        }
    }
  return g_steal_pointer (&reason);
}
