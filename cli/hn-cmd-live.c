/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

#include "hn-cli.h"

/* ---- ping ---- */

static gboolean
on_pause_over (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
  return G_SOURCE_REMOVE;
}

static void
wait_a_second (void)
{
  gboolean over = FALSE;

  g_timeout_add_seconds (1, on_pause_over, &over);
  while (!over)
    g_main_context_iteration (NULL, TRUE);
}

static void
print_pong (HnCli *cli, const char *target, GVariant *pong)
{
  g_autofree char *latency = hn_format_latency (hn_dict_int (pong, "Latency"));
  const char *path = hn_dict_string (pong, "Path");
  g_autofree char *text = NULL;
  g_autofree char *clean = NULL;

  if (cli->json)
    {
      hn_cli_print_json (pong);
      return;
    }
  if (strcmp (path, "direct") == 0)
    text = g_strdup_printf (_ ("reply from %s: %s, direct %s"), target, latency,
                            hn_dict_string (pong, "Endpoint"));
  else
    text = g_strdup_printf (_ ("reply from %s: %s, by relay %s"), target, latency,
                            hn_dict_string (pong, "Relay"));
  clean = hn_clean (text);
  g_print ("%s\n", clean);
}

static HnExit
run_ping (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("ping");
  int count = 4;
  g_autofree char *kind = NULL;
  const GOptionEntry entries[] = {
    { "count", 'c', 0, G_OPTION_ARG_INT, &count, N_ ("How many (4)"), N_ ("N") },
    { "kind", 0, 0, G_OPTION_ARG_STRING, &kind,
      N_ ("Who answers: the peer's system (icmp), or its Headnet or Tailscale in the tunnel (tsmp) "
          "or "
          "beside it (disco)"),
      N_ ("KIND") },
    G_OPTION_ENTRY_NULL,
  };
  g_autofree char *path = NULL;
  HnExit code = HN_EXIT_DONE;
  HnExit result = HN_EXIT_TIMEOUT;
  g_autofree char *joined = NULL;

  /* "-c3", as with every other ping, which GOption does not know */
  for (int i = 1; i < argc && joined == NULL; i++)
    if (g_str_has_prefix (argv[i], "-c") && g_ascii_isdigit (argv[i][2]))
      argv[i] = joined = g_strdup_printf ("--count=%s", argv[i] + 2);
  if (!hn_cli_parse (cli, verb, entries, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc != 2)
    return hn_cli_usage (verb, _ ("Say whom: a peer's name or address"));
  if (count < 1)
    return hn_cli_usage (verb, _ ("The number of tries is at least 1"));
  if ((code = hn_cli_connect (cli, FALSE)) != HN_EXIT_DONE)
    return code;
  if (!hn_client_is_running (cli->client))
    {
      hn_cli_complain (_ ("Not connected; “headnetctl up” connects"));
      return HN_EXIT_NOT_CONNECTED;
    }
  if ((path = hn_cli_pick (cli, &code)) == NULL)
    return code;
  for (int i = 0; i < count; i++)
    {
      GVariantBuilder options;
      g_autoptr (GVariant) reply = NULL;
      g_autoptr (GVariant) pong = NULL;
      g_autoptr (GError) error = NULL;

      g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
      if (kind != NULL)
        g_variant_builder_add (&options, "{sv}", "Kind", g_variant_new_string (kind));
      reply = hn_client_call_sync (cli->client, path, "Ping",
                                   g_variant_new ("(sa{sv})", argv[1], &options), FALSE,
                                   HN_CLI_CALL_TIMEOUT_MS, NULL, &error);
      if (reply != NULL)
        {
          pong = g_variant_get_child_value (reply, 0);
          print_pong (cli, argv[1], pong);
          result = HN_EXIT_DONE;
        }
      else if (g_error_matches (error, HEADNET_ERROR, HEADNET_ERROR_TIMEOUT))
        {
          g_autofree char *message = hn_clean (error->message);

          g_printerr ("%s\n", message);
        }
      else if (g_error_matches (error, HEADNET_ERROR, HEADNET_ERROR_NOT_CONNECTED))
        {
          hn_cli_complain (_ ("Not connected; “headnetctl up” connects"));
          return HN_EXIT_NOT_CONNECTED;
        }
      else
        {
          return hn_cli_fail (error);
        }
      if (i + 1 < count)
        wait_a_second ();
    }
  return result;
}

/* ---- watch ---- */

typedef struct
{
  HnCli *cli;
  GHashTable *shown; /* path -> Shown */
  GHashTable *names; /* path and id of a peer -> its name, for when it is gone */
  gboolean running;  /* as the last line about it told */
  GMainLoop *loop;
} Watch;

typedef struct
{
  char *name; /* as it was when the tailnet was last heard of */
  char *line; /* the last line of its state */
} Shown;

static void
shown_free (gpointer data)
{
  Shown *shown = data;

  g_free (shown->name);
  g_free (shown->line);
  g_free (shown);
}

static gboolean
is_meant (Watch *watch, const char *path)
{
  g_autofree char *name = NULL;
  g_autofree char *id = NULL;

  if (watch->cli->tailnet == NULL)
    return TRUE;
  name = hn_client_get_string (watch->cli->client, path, "Name");
  id = hn_client_get_string (watch->cli->client, path, "Id");
  return strcmp (name, watch->cli->tailnet) == 0 || strcmp (id, watch->cli->tailnet) == 0;
}

static void
print_event (Watch *watch, const char *name, const char *event, GVariantDict *more,
             const char *text)
{
  if (watch->cli->json)
    {
      g_autoptr (GVariant) value = NULL;

      g_variant_dict_insert (more, "Event", "s", event);
      g_variant_dict_insert (more, "Tailnet", "s", name);
      value = g_variant_ref_sink (g_variant_dict_end (more));
      hn_cli_print_json (value);
    }
  else
    {
      g_autoptr (GDateTime) now = g_date_time_new_now_local ();
      g_autofree char *time = g_date_time_format (now, "%H:%M:%S");
      g_autofree char *clean = hn_clean (text);
      g_autofree char *clean_name = hn_clean (name);

      g_variant_dict_clear (more);
      g_print ("%s %s: %s\n", time, clean_name, clean);
    }
  fflush (stdout);
}

static void
print_state (Watch *watch, const char *path)
{
  g_autofree char *state = hn_client_get_string (watch->cli->client, path, "State");
  g_autofree char *reason = hn_client_get_string (watch->cli->client, path, "StateReason");
  g_autofree char *why = hn_cli_explain_state (watch->cli, path);
  g_autofree char *line = g_strdup_printf ("%s%s%s", state, why[0] != '\0' ? ": " : "", why);
  g_autofree char *name = hn_client_get_string (watch->cli->client, path, "Name");
  Shown *shown = g_hash_table_lookup (watch->shown, path);
  GVariantDict more;

  if (shown != NULL && strcmp (shown->line, line) == 0 && strcmp (shown->name, name) == 0)
    return;
  shown = g_new0 (Shown, 1);
  shown->name = g_strdup (name);
  shown->line = g_strdup (line);
  g_hash_table_replace (watch->shown, g_strdup (path), shown);
  g_variant_dict_init (&more, NULL);
  g_variant_dict_insert (&more, "State", "s", state);
  g_variant_dict_insert (&more, "StateReason", "s", reason);
  print_event (watch, name, "state", &more, line);
}

static void
print_running (Watch *watch, gboolean running)
{
  if (running == watch->running)
    return;
  watch->running = running;
  if (watch->cli->json)
    g_print ("{\"Event\":\"service\",\"Running\":%s}\n", running ? "true" : "false");
  else
    g_print ("%s\n", running ? _ ("The service runs") : _ ("The service does not run"));
  fflush (stdout);
}

static void
learn_name (Watch *watch, const char *path, GVariant *peer)
{
  g_hash_table_replace (watch->names, g_strdup_printf ("%s %s", path, hn_dict_string (peer, "Id")),
                        g_strdup (hn_dict_string (peer, "Name")));
}

static void
learn_names (Watch *watch, const char *path)
{
  g_autoptr (GVariant) reply
      = hn_client_call_sync (watch->cli->client, path, "GetPeers", NULL, FALSE, -1, NULL, NULL);
  g_autoptr (GVariant) peers = reply != NULL ? g_variant_get_child_value (reply, 1) : NULL;

  for (gsize i = 0; peers != NULL && i < g_variant_n_children (peers); i++)
    {
      g_autoptr (GVariant) peer = g_variant_get_child_value (peers, i);

      learn_name (watch, path, peer);
    }
}

static void
on_watch_changed (HnClient *client, const char *path, gpointer user_data)
{
  Watch *watch = user_data;
  Shown *shown = g_hash_table_lookup (watch->shown, path);
  GVariantDict more;

  if (hn_client_has_tailnet (client, path))
    {
      /* what a new service has is heard of before the service itself */
      print_running (watch, TRUE);
      if (is_meant (watch, path))
        print_state (watch, path);
      return;
    }
  /* where the service ended, that is said, and not that its tailnets are gone */
  if (shown != NULL && hn_client_is_running (client))
    {
      g_variant_dict_init (&more, NULL);
      print_event (watch, shown->name, "removed", &more, _ ("the tailnet was removed"));
    }
  g_hash_table_remove (watch->shown, path);
}

static void
on_watch_running (HnClient *client, gpointer user_data)
{
  Watch *watch = user_data;

  if (hn_client_is_closed (client))
    {
      g_main_loop_quit (watch->loop);
      return;
    }
  if (!hn_client_is_running (client))
    {
      g_hash_table_remove_all (watch->shown);
      g_hash_table_remove_all (watch->names);
    }
  print_running (watch, hn_client_is_running (client));
}

static void
on_watch_peers (HnClient *client, const char *path, GVariant *parameters, gpointer user_data)
{
  Watch *watch = user_data;
  g_autoptr (GVariant) changed = NULL;
  g_autofree const char **removed = NULL;
  g_autofree char *tailnet = hn_client_get_string (client, path, "Name");
  guint64 generation;
  GVariantDict more;

  if (!is_meant (watch, path))
    return;
  g_variant_get (parameters, "(t@aa{sv}^a&s)", &generation, &changed, &removed);
  if (g_variant_n_children (changed) == 0 && removed[0] == NULL)
    {
      g_variant_dict_init (&more, NULL);
      g_variant_dict_insert (&more, "PeersGeneration", "t", generation);
      print_event (watch, tailnet, "peers", &more, _ ("many peers changed"));
      learn_names (watch, path);
      return;
    }
  for (gsize i = 0; i < g_variant_n_children (changed); i++)
    {
      g_autoptr (GVariant) peer = g_variant_get_child_value (changed, i);
      const char *relay = hn_dict_string (peer, "Relay");
      const char *endpoint = hn_dict_string (peer, "Endpoint");
      g_autofree char *line
          = g_strdup_printf (_ ("peer %s: %s%s%s"), hn_dict_string (peer, "Name"),
                             hn_dict_boolean (peer, "Online") ? _ ("online") : _ ("offline"),
                             endpoint[0] != '\0' ? _ (", direct ")
                             : relay[0] != '\0'  ? _ (", by relay ")
                                                 : "",
                             endpoint[0] != '\0' ? endpoint : relay);

      learn_name (watch, path, peer);
      g_variant_dict_init (&more, NULL);
      g_variant_dict_insert_value (&more, "Peer", peer);
      print_event (watch, tailnet, "peer", &more, line);
    }
  for (gsize i = 0; removed[i] != NULL; i++)
    {
      g_autofree char *key = g_strdup_printf ("%s %s", path, removed[i]);
      g_autofree char *name = NULL;
      g_autofree char *line = NULL;

      g_hash_table_steal_extended (watch->names, key, NULL, (gpointer *) &name);
      /* a tailnet that stopped has no peers, which people know without a line for each */
      if (!watch->cli->json && !hn_cli_state_is (watch->cli, path, "running"))
        continue;
      line = name != NULL ? g_strdup_printf (_ ("peer %s: removed"), name)
                          : g_strdup_printf (_ ("peer with id %s: removed"), removed[i]);
      g_variant_dict_init (&more, NULL);
      g_variant_dict_insert (&more, "Id", "s", removed[i]);
      print_event (watch, tailnet, "peer-removed", &more, line);
    }
}

static HnExit
run_watch (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("watch");
  g_autoptr (GPtrArray) paths = NULL;
  g_autoptr (GMainLoop) loop = NULL;
  Watch watch = { cli, NULL, NULL, TRUE, NULL };
  HnExit code;

  if (!hn_cli_parse (cli, verb, NULL, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc > 1)
    return hn_cli_usage (verb, _ ("Too many arguments"));
  if ((code = hn_cli_connect (cli, FALSE)) != HN_EXIT_DONE)
    return code;
  watch.shown = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, shown_free);
  watch.names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  watch.loop = loop = g_main_loop_new (NULL, FALSE);
  if (!hn_client_is_running (cli->client))
    on_watch_running (cli->client, &watch);
  g_signal_connect (cli->client, "changed", G_CALLBACK (on_watch_changed), &watch);
  g_signal_connect (cli->client, "running-changed", G_CALLBACK (on_watch_running), &watch);
  g_signal_connect (cli->client, "peers-changed", G_CALLBACK (on_watch_peers), &watch);
  paths = hn_client_list_tailnets (cli->client);
  for (guint i = 0; i < paths->len; i++)
    {
      if (is_meant (&watch, g_ptr_array_index (paths, i)))
        learn_names (&watch, g_ptr_array_index (paths, i));
      on_watch_changed (cli->client, g_ptr_array_index (paths, i), &watch);
    }
  if (!hn_client_is_closed (cli->client))
    g_main_loop_run (loop); /* until a signal ends the program, or the bus */
  g_signal_handlers_disconnect_by_data (cli->client, &watch);
  g_hash_table_unref (watch.shown);
  g_hash_table_unref (watch.names);
  hn_cli_complain (_ ("The system bus went away"));
  return HN_EXIT_NO_SERVICE;
}

/* ---- wait ---- */

typedef struct
{
  const char *state;
  const char *peer;
  gboolean ask; /* something changed since the peer was last asked for */
} Wait;

static char *
only_tailnet (HnCli *cli)
{
  g_autoptr (GPtrArray) paths = NULL;

  if (cli->tailnet != NULL)
    return hn_cli_find_tailnet (cli, cli->tailnet);
  paths = hn_client_list_tailnets (cli->client);
  return paths->len == 1 ? g_strdup (g_ptr_array_index (paths, 0)) : NULL;
}

static gboolean
peer_is_online (HnCli *cli, const char *path, const char *name)
{
  g_autoptr (GVariant) reply = hn_client_call_sync (
      cli->client, path, "GetPeer", g_variant_new ("(s)", name), FALSE, -1, NULL, NULL);
  g_autoptr (GVariant) peer = reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;

  return peer != NULL && hn_dict_boolean (peer, "Online");
}

static gboolean
is_there (HnCli *cli, gpointer data)
{
  Wait *wait = data;
  g_autofree char *path = only_tailnet (cli);
  g_autofree char *state = path != NULL ? hn_client_get_string (cli->client, path, "State") : NULL;

  /* no service, or no tailnet, is a stopped one */
  if (g_strcmp0 (state != NULL ? state : "stopped", wait->state) != 0)
    return FALSE;
  if (wait->peer == NULL)
    return TRUE;
  if (path == NULL || !wait->ask)
    return FALSE;
  wait->ask = FALSE;
  return peer_is_online (cli, path, wait->peer);
}

static void
on_wait_peers (HnClient *client, const char *path, GVariant *parameters, gpointer user_data)
{
  ((Wait *) user_data)->ask = TRUE;
}

static void
on_wait_changed (HnClient *client, const char *path, gpointer user_data)
{
  ((Wait *) user_data)->ask = TRUE;
}

static HnExit
gave_up (HnCli *cli, Wait *wait)
{
  g_autofree char *path = NULL;
  g_autofree char *state = NULL;
  g_autofree char *why = NULL;

  if (hn_client_is_closed (cli->client))
    {
      hn_cli_complain (_ ("The system bus went away"));
      return HN_EXIT_NO_SERVICE;
    }
  path = only_tailnet (cli);
  state = path != NULL ? hn_cli_get_state (cli, path) : g_strdup ("stopped");
  why = path != NULL ? hn_cli_explain_state (cli, path) : g_strdup ("");
  if (strcmp (state, wait->state) == 0)
    hn_cli_complain (_ ("The peer “%s” did not come online in time"), wait->peer);
  else
    hn_cli_complain (_ ("Not “%s” in time, but “%s”%s%s"), wait->state, state,
                     why[0] != '\0' ? ": " : "", why);
  return HN_EXIT_TIMEOUT;
}

static HnExit
run_wait (HnCli *cli, int argc, char **argv)
{
  static const char *const states[]
      = { "stopped", "needs-login", "needs-approval", "starting", "running", NULL };
  const HnVerb *verb = hn_cli_find_verb ("wait");
  g_autofree char *state = NULL;
  g_autofree char *peer = NULL;
  int timeout = 0;
  const GOptionEntry entries[] = {
    { "state", 0, 0, G_OPTION_ARG_STRING, &state, N_ ("The state to wait for (running)"),
      N_ ("STATE") },
    { "peer", 0, 0, G_OPTION_ARG_STRING, &peer, N_ ("Also wait until this peer is online"),
      N_ ("NAME") },
    { "timeout", 0, 0, G_OPTION_ARG_INT, &timeout, N_ ("Give up after so many seconds"), N_ ("S") },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GPtrArray) paths = NULL;
  Wait wait = { NULL };
  HnExit code;
  gboolean met;

  if (!hn_cli_parse (cli, verb, entries, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc > 1)
    return hn_cli_usage (verb, _ ("Too many arguments"));
  if (timeout < 0)
    return hn_cli_usage (verb, _ ("A time can not be negative"));
  if (state != NULL && !g_strv_contains (states, state))
    return hn_cli_usage (
        verb, _ ("A state is stopped, needs-login, needs-approval, starting or running"));
  if ((code = hn_cli_connect (cli, FALSE)) != HN_EXIT_DONE)
    return code;
  paths = hn_client_list_tailnets (cli->client);
  /* a name that is wrong is better said than waited for; where the service is still to come, or the
   * first tailnet, nobody knows yet */
  if (paths->len > 1 || (paths->len == 1 && cli->tailnet != NULL))
    {
      g_autofree char *path = hn_cli_pick (cli, &code);

      if (path == NULL)
        return code;
    }
  wait.state = state != NULL ? state : "running";
  wait.peer = peer;
  wait.ask = TRUE;
  g_signal_connect (cli->client, "changed", G_CALLBACK (on_wait_changed), &wait);
  g_signal_connect (cli->client, "peers-changed", G_CALLBACK (on_wait_peers), &wait);
  met = hn_cli_wait (cli, is_there, &wait, (guint) timeout);
  g_signal_handlers_disconnect_by_data (cli->client, &wait);
  return met ? HN_EXIT_DONE : gave_up (cli, &wait);
}

const HnVerb hn_live_verbs[] = {
  { "ping", "TARGET [-c N] [--kind icmp|tsmp|disco]", N_ ("Asks a peer for an answer"), run_ping },
  { "watch", "[--json]", N_ ("Prints a line for each event, until interrupted"), run_watch },
  { "wait", "[--state STATE] [--peer NAME] [--timeout S]",
    N_ ("Waits until the tailnet is in a state, for scripts and units"), run_wait },
  { NULL },
};
