/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <fnmatch.h>
#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hn-cli.h"

static void
print_row (const char *label, const char *value)
{
  g_autofree char *clean = hn_clean (value);
  int pad = 14 - (int) g_utf8_strlen (label, -1);

  if (value[0] != '\0')
    g_print ("%s:%*s%s\n", label, pad > 1 ? pad : 1, "", clean);
}

static void
print_health (GVariant *properties)
{
  g_autoptr (GVariant) health
      = g_variant_lookup_value (properties, "Health", G_VARIANT_TYPE ("aa{sv}"));
  gsize n = health != NULL ? g_variant_n_children (health) : 0;

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) item = g_variant_get_child_value (health, i);
      g_autofree char *line = g_strdup_printf ("%s: %s", hn_dict_string (item, "Title"),
                                               hn_dict_string (item, "Text"));
      const char *severity = hn_dict_string (item, "Severity");

      print_row (strcmp (severity, "error") == 0     ? _ ("Error")
                 : strcmp (severity, "warning") == 0 ? _ ("Warning")
                                                     : _ ("Note"),
                 line);
    }
}

static HnExit
print_status (HnCli *cli, const char *path)
{
  g_autoptr (GVariant) all = hn_client_dup_properties (cli->client, path);
  g_autofree char *addresses = hn_dict_join (all, "Addresses", ", ");
  g_autoptr (GVariant) relay = g_variant_lookup_value (all, "HomeRelay", G_VARIANT_TYPE_VARDICT);
  g_autoptr (GVariant) user = g_variant_lookup_value (all, "User", G_VARIANT_TYPE_VARDICT);
  const char *state = hn_dict_string (all, "State");

  print_row (_ ("Tailnet"), hn_dict_string (all, "Name"));
  print_row (_ ("Server"), hn_dict_string (all, "ServerUrl"));
  print_row (_ ("State"), state);
  print_row (_ ("This node"), hn_dict_string (all, "NodeName"));
  print_row (_ ("Addresses"), addresses);
  if (user != NULL)
    print_row (_ ("User"), hn_dict_string (user, "LoginName"));
  print_row (_ ("Interface"), hn_dict_string (all, "Interface"));
  if (relay != NULL)
    print_row (_ ("Relay"), hn_dict_string (relay, "Name"));
  if (strcmp (state, "running") == 0)
    {
      g_autofree char *peers
          = g_strdup_printf ("%" G_GINT64_FORMAT, hn_dict_int (all, "PeerCount"));
      g_autofree char *expiry = hn_format_time (hn_dict_int (all, "KeyExpiry"));

      print_row (_ ("Peers"), peers);
      print_row (_ ("Key expires"), expiry);
    }
  print_health (all);
  return hn_cli_code_of_state (state);
}

static HnExit
run_status (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("status");
  g_autoptr (GPtrArray) paths = NULL;
  g_autofree char *path = NULL;
  HnExit code = HN_EXIT_DONE;

  if (!hn_cli_parse (cli, verb, NULL, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc > 1)
    return hn_cli_usage (verb, _ ("Too many arguments"));
  if ((code = hn_cli_connect (cli, FALSE)) != HN_EXIT_DONE)
    return code;
  if (!hn_client_is_running (cli->client))
    {
      /* an absent service is a stopped tailnet, and looking does not start it */
      if (cli->json)
        g_print ("{\"State\":\"stopped\"}\n");
      else
        print_row (_ ("State"), "stopped");
      return HN_EXIT_NOT_CONNECTED;
    }
  paths = hn_client_list_tailnets (cli->client);
  if (paths->len > 1 && cli->tailnet == NULL && !cli->json)
    {
      for (guint i = 0; i < paths->len; i++)
        {
          HnExit one;

          if (i > 0)
            g_print ("\n");
          one = print_status (cli, g_ptr_array_index (paths, i));
          code = MAX (code, one);
        }
      return code;
    }
  path = hn_cli_pick (cli, &code);
  if (path == NULL)
    return code;
  if (cli->json)
    {
      g_autoptr (GVariant) all = hn_client_dup_properties (cli->client, path);

      hn_cli_print_json (all);
      return hn_cli_code_of_state (hn_dict_string (all, "State"));
    }
  return print_status (cli, path);
}

static void
complain_not_connected (HnCli *cli, const char *path)
{
  g_autofree char *why = path != NULL ? hn_cli_explain_state (cli, path) : g_strdup ("");

  if (why[0] != '\0')
    hn_cli_complain (_ ("Not connected: %s"), why);
  else
    hn_cli_complain (_ ("Not connected; “headnetctl up” connects"));
}

/* What a failed call means: @code, of a tailnet that does not run, only that. */
static HnExit
fail_unless_down (HnCli *cli, const char *path, const GError *error, HeadnetError code)
{
  g_autofree char *state = hn_cli_get_state (cli, path);

  if (!g_error_matches (error, HEADNET_ERROR, code) || strcmp (state, "running") == 0)
    return hn_cli_fail (error);
  complain_not_connected (cli, path);
  return hn_cli_code_of_state (state);
}

/* The chosen tailnet. Without the service there are no peers, which is being not connected. */
static char *
pick_for_peers (HnCli *cli, HnExit *code)
{
  if ((*code = hn_cli_connect (cli, FALSE)) != HN_EXIT_DONE)
    return NULL;
  if (hn_client_is_running (cli->client))
    return hn_cli_pick (cli, code);
  complain_not_connected (cli, NULL);
  *code = HN_EXIT_NOT_CONNECTED;
  return NULL;
}

/* The list of peers; NULL, or an empty list, with an exit code other than 0 when there can be none. */
static GVariant *
get_peers (HnCli *cli, HnExit *code)
{
  GVariant *peers;
  g_autofree char *path = pick_for_peers (cli, code);
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;

  if (path == NULL)
    return NULL;
  reply = hn_client_call_sync (cli->client, path, "GetPeers", NULL, FALSE, -1, NULL, &error);
  if (reply == NULL)
    {
      *code = hn_cli_fail (error);
      return NULL;
    }
  peers = g_variant_get_child_value (reply, 1);
  /* who sees no peers shall know that this is no answer */
  if (g_variant_n_children (peers) == 0 && !hn_cli_state_is (cli, path, "running"))
    {
      g_autofree char *state = hn_cli_get_state (cli, path);

      *code = hn_cli_code_of_state (state);
      complain_not_connected (cli, path);
    }
  return peers;
}

static gboolean
peer_matches (GVariant *peer, const char *pattern)
{
  g_autofree const char **addresses = NULL;
  const char *name = hn_dict_string (peer, "Name");
  g_autofree char *wild = NULL;

  if (pattern == NULL)
    return TRUE;
  wild = strpbrk (pattern, "*?[") != NULL ? g_strdup (pattern) : g_strdup_printf ("*%s*", pattern);
  if (fnmatch (wild, name, FNM_CASEFOLD) == 0
      || fnmatch (wild, hn_dict_string (peer, "HostName"), FNM_CASEFOLD) == 0)
    return TRUE;
  g_variant_lookup (peer, "Addresses", "^a&s", &addresses);
  for (gsize i = 0; addresses != NULL && addresses[i] != NULL; i++)
    if (fnmatch (wild, addresses[i], FNM_CASEFOLD) == 0)
      return TRUE;
  return FALSE;
}

static char *
describe_path (GVariant *peer)
{
  const char *path = hn_dict_string (peer, "Path");

  if (strcmp (path, "direct") == 0)
    return g_strdup_printf (_ ("direct %s"), hn_dict_string (peer, "Endpoint"));
  if (strcmp (path, "relay") == 0)
    return g_strdup_printf (_ ("relay %s"), hn_dict_string (peer, "Relay"));
  return g_strdup ("-");
}

static char *
first_label (const char *name)
{
  const char *dot = strchr (name, '.');

  return dot != NULL ? g_strndup (name, (gsize) (dot - name)) : g_strdup (name);
}

static void
print_peer_row (const char *name, const char *address, const char *state, const char *os,
                const char *path)
{
  const char *cells[] = { name, address, state, os, path };
  static const int widths[] = { 24, 16, 8, 9, 0 };

  for (gsize i = 0; i < G_N_ELEMENTS (cells); i++)
    {
      g_autofree char *clean = hn_clean (cells[i]);

      hn_cli_print_padded (clean, widths[i]);
      g_print (i + 1 < G_N_ELEMENTS (cells) ? "  " : "\n");
    }
}

static HnExit
run_peers (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("peers");
  g_autoptr (GVariant) peers = NULL;
  GVariantBuilder matching;
  HnExit code = HN_EXIT_DONE;
  guint shown = 0;

  if (!hn_cli_parse (cli, verb, NULL, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc > 2)
    return hn_cli_usage (verb, _ ("Too many arguments"));
  peers = get_peers (cli, &code);
  if (peers == NULL)
    return code;

  g_variant_builder_init (&matching, G_VARIANT_TYPE ("aa{sv}"));
  for (gsize i = 0; i < g_variant_n_children (peers); i++)
    {
      g_autoptr (GVariant) peer = g_variant_get_child_value (peers, i);
      g_autofree const char **addresses = NULL;
      g_autofree char *name = NULL;
      g_autofree char *path = NULL;

      if (!peer_matches (peer, argc > 1 ? argv[1] : NULL))
        continue;
      g_variant_builder_add_value (&matching, peer);
      if (cli->json)
        continue;
      if (shown++ == 0)
        print_peer_row (_ ("NAME"), _ ("ADDRESS"), _ ("STATE"), _ ("OS"), _ ("PATH"));
      g_variant_lookup (peer, "Addresses", "^a&s", &addresses);
      name = first_label (hn_dict_string (peer, "Name"));
      path = describe_path (peer);
      print_peer_row (name, addresses != NULL && addresses[0] != NULL ? addresses[0] : "-",
                      hn_dict_boolean (peer, "Expired")  ? _ ("expired")
                      : hn_dict_boolean (peer, "Online") ? _ ("online")
                                                         : _ ("offline"),
                      hn_dict_string (peer, "Os"), path);
    }
  {
    g_autoptr (GVariant) list = g_variant_ref_sink (g_variant_builder_end (&matching));

    if (cli->json)
      hn_cli_print_json (list);
    if (code == HN_EXIT_DONE && argc > 1 && g_variant_n_children (list) == 0)
      {
        if (!cli->json)
          hn_cli_complain (_ ("No peer matches “%s”"), argv[1]);
        return HN_EXIT_NOT_FOUND;
      }
  }
  return code;
}

static void
print_peer (GVariant *peer)
{
  g_autofree char *addresses = hn_dict_join (peer, "Addresses", ", ");
  g_autofree char *tags = hn_dict_join (peer, "Tags", ", ");
  g_autofree char *routes = hn_dict_join (peer, "Routes", ", ");
  g_autofree char *path = describe_path (peer);
  g_autofree char *expiry = hn_format_time (hn_dict_int (peer, "KeyExpiry"));
  g_autofree char *handshake = hn_format_time (hn_dict_int (peer, "LastHandshake"));
  g_autofree char *received = g_format_size ((guint64) hn_dict_int (peer, "RxBytes"));
  g_autofree char *sent = g_format_size ((guint64) hn_dict_int (peer, "TxBytes"));
  g_autofree char *traffic = g_strdup_printf (_ ("%s received, %s sent"), received, sent);
  g_autoptr (GVariant) user = g_variant_lookup_value (peer, "User", G_VARIANT_TYPE_VARDICT);

  print_row (_ ("Name"), hn_dict_string (peer, "Name"));
  print_row (_ ("Host name"), hn_dict_string (peer, "HostName"));
  print_row (_ ("Addresses"), addresses);
  if (user != NULL)
    print_row (_ ("User"), hn_dict_string (user, "LoginName"));
  print_row (_ ("Tags"), tags);
  print_row (_ ("System"), hn_dict_string (peer, "Os"));
  print_row (_ ("State"), hn_dict_boolean (peer, "Expired")  ? _ ("expired")
                          : hn_dict_boolean (peer, "Online") ? _ ("online")
                                                             : _ ("offline"));
  if (!hn_dict_boolean (peer, "Online") && hn_dict_int (peer, "LastSeen") != 0)
    {
      g_autofree char *seen = hn_format_time (hn_dict_int (peer, "LastSeen"));

      print_row (_ ("Last seen"), seen);
    }
  print_row (_ ("Routes"), routes);
  print_row (_ ("Path"), path);
  if (hn_dict_int (peer, "Latency") > 0)
    {
      g_autofree char *latency = hn_format_latency (hn_dict_int (peer, "Latency"));

      print_row (_ ("Latency"), latency);
    }
  print_row (_ ("Handshake"), handshake);
  print_row (_ ("Traffic"), traffic);
  print_row (hn_dict_boolean (peer, "Expired") ? _ ("Key expired") : _ ("Key expires"), expiry);
}

static HnExit
run_peer (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("peer");
  g_autofree char *path = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) peer = NULL;
  g_autoptr (GError) error = NULL;
  HnExit code = HN_EXIT_DONE;

  if (!hn_cli_parse (cli, verb, NULL, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc != 2)
    return hn_cli_usage (verb, _ ("Say which peer: by name, address or id"));
  path = pick_for_peers (cli, &code);
  if (path == NULL)
    return code;
  reply = hn_client_call_sync (cli->client, path, "GetPeer", g_variant_new ("(s)", argv[1]), FALSE,
                               -1, NULL, &error);
  if (reply == NULL)
    return fail_unless_down (cli, path, error, HEADNET_ERROR_NOT_FOUND);
  peer = g_variant_get_child_value (reply, 0);
  if (cli->json)
    hn_cli_print_json (peer);
  else
    print_peer (peer);
  return HN_EXIT_DONE;
}

static HnExit
run_check_server (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("check-server");
  g_autofree char *ca_file = NULL;
  const GOptionEntry entries[] = {
    { "ca", 0, 0, G_OPTION_ARG_FILENAME, &ca_file,
      N_ ("The CA that the server's certificate comes from"), N_ ("FILE") },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) steps = NULL;
  g_autoptr (GError) error = NULL;
  GVariantBuilder options;
  gboolean ok = TRUE;
  HnExit code;

  if (!hn_cli_parse (cli, verb, entries, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc != 2)
    return hn_cli_usage (verb, _ ("Say which server: its URL"));
  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  if (ca_file != NULL)
    {
      g_autofree char *ca = hn_cli_read_file (ca_file, HN_CLI_CA_MAX, &error);

      if (ca == NULL || !g_utf8_validate (ca, -1, NULL))
        {
          g_variant_builder_clear (&options);
          return hn_cli_usage (verb, ca == NULL ? error->message
                                                : _ ("The CA has to be in PEM format, which is "
                                                     "text"));
        }
      g_variant_builder_add (&options, "{sv}", "CaCertificate", g_variant_new_string (ca));
    }
  if ((code = hn_cli_connect (cli, TRUE)) != HN_EXIT_DONE)
    {
      g_variant_builder_clear (&options);
      return code;
    }
  reply = hn_client_call_sync (cli->client, NULL, "CheckServer",
                               g_variant_new ("(sa{sv})", argv[1], &options), TRUE,
                               HN_CLI_CALL_TIMEOUT_MS, NULL, &error);
  if (reply == NULL)
    return hn_cli_fail (error);
  steps = g_variant_get_child_value (reply, 0);
  for (gsize i = 0; i < g_variant_n_children (steps); i++)
    {
      g_autoptr (GVariant) step = g_variant_get_child_value (steps, i);
      g_autofree char *text = hn_clean (hn_dict_string (step, "Text"));
      g_autofree char *name = hn_clean (hn_dict_string (step, "Step"));
      g_autofree char *latency = hn_format_latency (hn_dict_int (step, "Latency"));

      ok = ok && hn_dict_boolean (step, "Ok");
      if (!cli->json)
        {
          hn_cli_print_padded (hn_dict_boolean (step, "Ok") ? _ ("ok") : _ ("FAILED"), 6);
          g_print ("  %-8s  %10s  %s\n", name, latency, text);
        }
    }
  if (cli->json)
    hn_cli_print_json (steps);
  return ok ? HN_EXIT_DONE : HN_EXIT_FAILED;
}

static const char *
yes_or_no (GVariant *report, const char *key)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (report, key, G_VARIANT_TYPE_BOOLEAN);

  if (value == NULL)
    return _ ("unknown");
  return g_variant_get_boolean (value) ? _ ("yes") : _ ("no");
}

static void
print_found (const char *title, const char *text)
{
  g_autofree char *clean = hn_clean (text[0] != '\0' ? text : _ ("none"));

  hn_cli_print_padded (title, 26);
  g_print ("  %s\n", clean);
}

static const char *
name_port_mapping (GVariant *report)
{
  const char *name = hn_dict_string (report, "PortMapping");

  if (strcmp (name, "nat-pmp") == 0)
    return "NAT-PMP";
  if (strcmp (name, "pcp") == 0)
    return "PCP";
  if (strcmp (name, "upnp") == 0)
    return "UPnP";
  return _ ("none");
}

static void
print_netcheck (GVariant *report)
{
  g_autoptr (GVariant) relays
      = g_variant_lookup_value (report, "Relays", G_VARIANT_TYPE ("aa{sv}"));

  print_found (_ ("UDP passes"), yes_or_no (report, "Udp"));
  print_found (_ ("IPv4, as relays see us"), hn_dict_string (report, "Ipv4"));
  print_found (_ ("IPv6, as relays see us"), hn_dict_string (report, "Ipv6"));
  print_found (_ ("Port differs by target"), yes_or_no (report, "MappingVaries"));
  print_found (_ ("Port mapping"), name_port_mapping (report));
  if (hn_dict_boolean (report, "CaptivePortal"))
    print_found (_ ("Sign-in page in the way"), _ ("yes"));
  g_print ("\n");
  for (gsize i = 0; relays != NULL && i < g_variant_n_children (relays); i++)
    {
      g_autoptr (GVariant) relay = g_variant_get_child_value (relays, i);
      g_autofree char *code = hn_clean (hn_dict_string (relay, "Code"));
      g_autofree char *name = hn_clean (hn_dict_string (relay, "Name"));
      gint64 latency_us = hn_dict_int (relay, "Latency");
      g_autofree char *latency
          = latency_us > 0 ? hn_format_latency (latency_us) : g_strdup (_ ("no answer"));

      hn_cli_print_padded (code, 12);
      g_print ("  %12s  %s\n", latency, name);
    }
}

static HnExit
run_netcheck (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("netcheck");
  g_autofree char *path = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) report = NULL;
  g_autoptr (GError) error = NULL;
  HnExit code;

  if (!hn_cli_parse (cli, verb, NULL, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc > 1)
    return hn_cli_usage (verb, _ ("Too many arguments"));
  if ((code = hn_cli_connect (cli, FALSE)) != HN_EXIT_DONE)
    return code;
  if (!hn_client_is_running (cli->client))
    return hn_cli_no_service ();
  if ((path = hn_cli_pick (cli, &code)) == NULL)
    return code;
  if (!cli->json && isatty (STDERR_FILENO))
    g_printerr ("%s\n", _ ("Asking the relays, at most 5 seconds ..."));
  reply = hn_client_call_sync (cli->client, path, "Netcheck", NULL, FALSE, HN_CLI_CALL_TIMEOUT_MS,
                               NULL, &error);
  if (reply == NULL)
    return fail_unless_down (cli, path, error, HEADNET_ERROR_NOT_CONNECTED);
  report = g_variant_get_child_value (reply, 0);
  if (cli->json)
    hn_cli_print_json (report);
  else
    print_netcheck (report);
  return HN_EXIT_DONE;
}

static HnExit
run_version (HnCli *cli, int argc, char **argv)
{
  const HnVerb *verb = hn_cli_find_verb ("version");
  g_autofree char *service = NULL;

  if (!hn_cli_parse (cli, verb, NULL, &argc, &argv))
    return HN_EXIT_USAGE;
  if (argc > 1)
    return hn_cli_usage (verb, _ ("Too many arguments"));
  /* our own version needs no bus */
  cli->client = hn_client_new_sync (NULL, NULL);
  if (cli->client != NULL && hn_client_is_running (cli->client))
    {
      g_autoptr (GVariant) version = hn_client_get_manager_property (cli->client, "Version");

      if (version != NULL && g_variant_is_of_type (version, G_VARIANT_TYPE_STRING))
        service = hn_clean (g_variant_get_string (version, NULL));
    }
  if (cli->json)
    {
      GVariantBuilder builder;
      g_autoptr (GVariant) value = NULL;

      g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
      g_variant_builder_add (&builder, "{sv}", "Client", g_variant_new_string (HN_VERSION));
      if (service != NULL)
        g_variant_builder_add (&builder, "{sv}", "Version", g_variant_new_string (service));
      value = g_variant_ref_sink (g_variant_builder_end (&builder));
      hn_cli_print_json (value);
      return HN_EXIT_DONE;
    }
  g_print ("headnetctl %s\n", HN_VERSION);
  if (service != NULL)
    g_print ("headnetd %s\n", service);
  return HN_EXIT_DONE;
}

const HnVerb hn_show_verbs[] = {
  { "status", "", N_ ("Shows the state of the tailnet, and what is wrong"), run_status },
  { "peers", "[PATTERN]", N_ ("Lists the peers, or those whose name or address matches"),
    run_peers },
  { "peer", "NAME", N_ ("Shows everything about one peer"), run_peer },
  { "check-server", "URL [--ca FILE]",
    N_ ("Tries each step of reaching a server and names the one that fails"), run_check_server },
  { "netcheck", "", N_ ("Looks at the network: what it lets through, how far relays are"),
    run_netcheck },
  { "version", "", N_ ("Shows the versions of this program and of the service"), run_version },
  { NULL },
};
