/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A manual tool: the control client alone against a real server, driven by lines on its standard
 * input, every event a line with the milliseconds since the start. Keys live in the directory given.
 *
 *   control-probe URL STATE-DIRECTORY [CA-FILE]
 *
 * Commands: start, stop, login [AUTH-KEY], accept [AUTH-KEY], logout, check, host NAME, relay ID,
 * network on|off|major, status, peers, quit.
 */
#include <gio/gunixinputstream.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "base/hn-file.h"
#include "control/hn-control-client.h"
#include "crypto/hn-crypto.h"

typedef struct
{
  GMainLoop *loop;
  HnControlClient *client;
  HnHostinfo *hostinfo;
  char *directory;
  gint64 since_us;
} Probe;

G_GNUC_PRINTF (2, 3)
static void
say (Probe *probe, const char *format, ...)
{
  va_list args;

  printf ("%8.1f ", (double) (hn_clock_now_us () - probe->since_us) / 1000);
  va_start (args, format);
  vprintf (format, args);
  va_end (args);
  printf ("\n");
  fflush (stdout);
}

static void
load (Probe *probe, const char *name, char *text)
{
  g_autofree char *path = g_build_filename (probe->directory, name, NULL);
  g_autofree guint8 *data = NULL;
  gsize len;

  text[0] = '\0';
  if (hn_file_read (path, HN_KEY_TEXT_MAX - 1, &data, &len, NULL))
    memcpy (text, data, len + 1);
}

static void
save (Probe *probe, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (probe->directory, name, NULL);
  g_autoptr (GError) error = NULL;

  if (!hn_file_write_atomic (path, text, strlen (text), &error))
    g_error ("%s", error->message);
}

static void
show_status (Probe *probe)
{
  static const char *const phases[] = { "idle", "connecting", "needs-login", "mapped" };
  const GError *error = hn_control_client_get_error (probe->client);
  g_autoptr (HnSecretText) url = hn_control_client_dup_login_url (probe->client);

  say (probe, "phase %s%s%s%s%s%s", phases[hn_control_client_get_phase (probe->client)],
       hn_control_client_is_reachable (probe->client) ? " reachable" : "",
       url != NULL ? " url=" : "", url != NULL ? hn_secret_text_reveal (url) : "",
       error != NULL ? " error=" : "", error != NULL ? hn_error_get_reason (error) : "");
  if (error != NULL)
    say (probe, "  %s", error->message);
}

static void
on_phase (gpointer user)
{
  show_status (user);
}

static void
on_node_key (gpointer user, const HnNodePrivate *key)
{
  Probe *probe = user;
  char text[HN_KEY_TEXT_MAX] = "";

  if (!hn_node_private_is_zero (key))
    hn_node_private_format_for_file (key, text);
  save (probe, "node", text);
  say (probe, "node key %s", text[0] != '\0' ? "stored" : "wiped");
}

static void
on_server_key (gpointer user, const HnMachinePublic *key, gboolean changed)
{
  char text[HN_KEY_TEXT_MAX];

  save (user, "server", hn_machine_public_format (key, text));
  say (user, "server key%s", changed ? " CHANGED" : "");
}

static void
show_node (const HnNode *node, Probe *probe)
{
  const HnNodeFields *fields = hn_node_get (node);
  char address[HN_IP_TEXT_MAX] = "";

  if (fields->n_addresses > 0)
    hn_prefix_format (&fields->addresses[0], address);
  say (probe, "  %" G_GINT64_FORMAT " %s %s online=%d derp=%d endpoints=%zu%s", fields->id,
       fields->name, address, fields->online, fields->home_derp, fields->n_endpoints,
       fields->expired ? " EXPIRED" : "");
}

static void
on_netmap (gpointer user, HnNetmap *netmap, const HnNetmapChange *change)
{
  Probe *probe = user;

  say (probe, "netmap%s parts=%#x peers=%u changed=%u removed=%u", change->full ? " FULL" : "",
       change->parts, hn_netmap_get_n_peers (netmap),
       change->changed != NULL ? change->changed->len : 0,
       change->removed != NULL ? change->removed->len : 0);
  if (change->parts & HN_NETMAP_SELF)
    show_node (hn_netmap_get_self (netmap), probe);
  if (change->full)
    hn_netmap_foreach_peer (netmap, (GFunc) show_node, probe);
  else if (change->changed != NULL)
    g_ptr_array_foreach (change->changed, (GFunc) show_node, probe);
}

static void
on_login (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;

  if (hn_control_client_login_finish (HN_CONTROL_CLIENT (source), result, &error))
    say (data, "login: %s",
         hn_control_client_get_has_login_url (HN_CONTROL_CLIENT (source)) ? "URL pending" : "done");
  else
    say (data, "login FAILED: [%s] %s", hn_error_get_reason (error), error->message);
}

static void
on_logout (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;

  if (hn_control_client_logout_finish (HN_CONTROL_CLIENT (source), result, &error))
    say (data, "logout: done");
  else
    say (data, "logout FAILED: [%s] %s", hn_error_get_reason (error), error->message);
}

static void
command (Probe *probe, char **words)
{
  const char *argument = words[1];

  if (strcmp (words[0], "start") == 0)
    hn_control_client_start (probe->client);
  else if (strcmp (words[0], "stop") == 0)
    hn_control_client_stop (probe->client);
  else if (strcmp (words[0], "login") == 0 || strcmp (words[0], "accept") == 0)
    {
      g_autoptr (HnSecretText) key = argument != NULL ? hn_secret_text_new (argument) : NULL;

      hn_control_client_login_async (probe->client, key, words[0][0] == 'a', NULL, on_login, probe);
    }
  else if (strcmp (words[0], "logout") == 0)
    hn_control_client_logout_async (probe->client, NULL, on_logout, probe);
  else if (strcmp (words[0], "check") == 0)
    hn_control_client_check_registration (probe->client);
  else if (strcmp (words[0], "host") == 0 && argument != NULL)
    {
      g_free (probe->hostinfo->host_name);
      probe->hostinfo->host_name = g_strdup (argument);
      hn_control_client_set_hostinfo (probe->client, probe->hostinfo);
    }
  else if (strcmp (words[0], "relay") == 0 && argument != NULL)
    {
      probe->hostinfo->has_net_info = TRUE;
      probe->hostinfo->preferred_derp = atoi (argument);
      hn_control_client_set_hostinfo (probe->client, probe->hostinfo);
    }
  else if (strcmp (words[0], "network") == 0 && argument != NULL)
    hn_control_client_network_changed (probe->client, strcmp (argument, "off") != 0,
                                       strcmp (argument, "major") == 0);
  else if (strcmp (words[0], "status") == 0)
    show_status (probe);
  else if (strcmp (words[0], "peers") == 0)
    {
      HnNetmap *netmap = hn_control_client_get_netmap (probe->client);

      if (netmap != NULL)
        hn_netmap_foreach_peer (netmap, (GFunc) show_node, probe);
    }
  else if (strcmp (words[0], "quit") == 0)
    g_main_loop_quit (probe->loop);
  else
    say (probe, "what is \"%s\"?", words[0]);
}

static void
on_line (GObject *source, GAsyncResult *result, gpointer data)
{
  Probe *probe = data;
  g_autofree char *line
      = g_data_input_stream_read_line_finish (G_DATA_INPUT_STREAM (source), result, NULL, NULL);
  g_auto (GStrv) words = line != NULL ? g_strsplit (g_strstrip (line), " ", 3) : NULL;

  if (line == NULL)
    {
      g_main_loop_quit (probe->loop);
      return;
    }
  if (words[0] != NULL && words[0][0] != '\0')
    {
      say (probe, "> %s", words[0]);
      command (probe, words);
    }
  g_data_input_stream_read_line_async (G_DATA_INPUT_STREAM (source), G_PRIORITY_DEFAULT, NULL,
                                       on_line, probe);
}

int
main (int argc, char **argv)
{
  static const HnControlClientEvents events = { on_phase, on_node_key, on_server_key, on_netmap };
  Probe probe = { .since_us = hn_clock_now_us () };
  g_autoptr (GError) error = NULL;
  g_autoptr (GInputStream) standard_input = g_unix_input_stream_new (STDIN_FILENO, FALSE);
  g_autoptr (GDataInputStream) lines = g_data_input_stream_new (standard_input);
  g_autofree char *ca = NULL;
  char text[HN_KEY_TEXT_MAX];
  HnMachinePrivate machine;
  HnNodePrivate node;
  HnMachinePublic server;
  HnControlClientConfig config = {
    .machine_key = &machine,
    .node_key = &node,
    .known_server_key = &server,
  };

  if (argc < 3 || argc > 4)
    {
      fprintf (stderr, "usage: %s URL STATE-DIRECTORY [CA-FILE]\n", argv[0]);
      return 2;
    }
  probe.directory = argv[2];
  if (!hn_crypto_init (&error) || !hn_file_ensure_private_directory (probe.directory, &error)
      || (argc == 4 && !g_file_get_contents (argv[3], &ca, NULL, &error)))
    g_error ("%s", error->message);

  load (&probe, "machine", text);
  if (!hn_machine_private_parse (text, &machine))
    {
      hn_machine_private_generate (&machine);
      hn_machine_private_format_for_file (&machine, text);
      save (&probe, "machine", text);
    }
  load (&probe, "node", text);
  hn_node_private_parse (text, &node);
  load (&probe, "server", text);
  hn_machine_public_parse (text, &server);

  config.server_url = argv[1];
  config.ca_certificate = ca;
  probe.loop = g_main_loop_new (NULL, FALSE);
  probe.client = hn_control_client_new (&config, &events, &probe, &error);
  if (probe.client == NULL)
    g_error ("%s", error->message);
  probe.hostinfo = hn_hostinfo_new (NULL);
  hn_random_bytes (probe.hostinfo->disco.bytes, sizeof probe.hostinfo->disco.bytes);
  hn_control_client_set_hostinfo (probe.client, probe.hostinfo);
  g_data_input_stream_read_line_async (lines, G_PRIORITY_DEFAULT, NULL, on_line, &probe);
  g_main_loop_run (probe.loop);

  hn_control_client_stop (probe.client);
  g_clear_object (&probe.client);
  hn_hostinfo_free (probe.hostinfo);
  g_main_loop_unref (probe.loop);
  return 0;
}
