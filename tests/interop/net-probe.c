/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reaches a coordination server step by step and prints what each step took: name, TCP, TLS, key,
 * upgrade, Noise, HTTP/2, and a registration request of rubbish that must get an HTTP answer.
 * For people: net-probe URL [CA-FILE] [VERSION]
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "control/hn-control-connection.h"
#include "crypto/hn-crypto.h"

typedef struct
{
  GMainLoop *loop;
  HnDialer *dialer;
  HnServerAddress *server;
  HnMachinePrivate machine;
  HnMachinePublic key;
  HnHttp2 *http2;
  guint version;
  gint64 start_us;
  int status;
} Probe;

static void
on_progress (HnControlStep step, gint64 elapsed_us, const GError *error, const char *detail,
             gpointer data)
{
  printf ("%-8s %6.1f ms %s%s%s\n", hn_control_step_to_string (step), (double) elapsed_us / 1000.0,
          error == NULL ? "ok" : error->message, detail != NULL ? " " : "",
          detail != NULL ? detail : "");
}

static void
fail (Probe *probe, const GError *error)
{
  printf ("FAILED %s: %s\n", hn_error_get_reason (error), error->message);
  probe->status = 1;
  g_main_loop_quit (probe->loop);
}

static void
print_memory (const char *when)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents ("/proc/self/smaps_rollup", &text, NULL, NULL))
    return;
  lines = g_strsplit (text, "\n", -1);
  printf ("memory %s:", when);
  for (guint i = 0; lines[i] != NULL; i++)
    if (g_str_has_prefix (lines[i], "Rss:") || g_str_has_prefix (lines[i], "Anonymous:"))
      printf (" %s", lines[i]);
  printf ("\n");
}

static void
on_answer (GObject *source, GAsyncResult *result, gpointer data)
{
  Probe *probe = data;
  g_autoptr (GError) error = NULL;
  guint status = 0;
  g_autoptr (GBytes) body = hn_http2_request_finish (probe->http2, result, &status, NULL, &error);

  if (body == NULL)
    {
      fail (probe, error);
      return;
    }
  printf ("register %6.1f ms status %u, %" G_GSIZE_FORMAT " bytes: %.*s\n",
          (double) (hn_clock_now_us () - probe->start_us) / 1000.0, status, g_bytes_get_size (body),
          (int) MIN (g_bytes_get_size (body), 100),
          g_bytes_get_size (body) > 0 ? (const char *) g_bytes_get_data (body, NULL) : "");
  print_memory ("connected");
  malloc_trim (0);
  print_memory ("trimmed");
  hn_http2_close (probe->http2, NULL);
  g_main_loop_quit (probe->loop);
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer data)
{
  Probe *probe = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) body = g_bytes_new_static ("{rubbish", 8);

  probe->http2 = hn_control_connect_finish (result, &error);
  if (probe->http2 == NULL)
    {
      fail (probe, error);
      return;
    }
  printf ("open     %6.1f ms since the key came\n",
          (double) (hn_clock_now_us () - probe->start_us) / 1000.0);
  hn_http2_request_async (probe->http2, "POST", "/machine/register", NULL, body, 65536, 10, NULL,
                          on_answer, probe);
}

static void
on_key (GObject *source, GAsyncResult *result, gpointer data)
{
  Probe *probe = data;
  g_autoptr (GError) error = NULL;
  char text[HN_KEY_TEXT_MAX];

  if (!hn_control_fetch_key_finish (result, &probe->key, &error))
    {
      fail (probe, error);
      return;
    }
  printf ("key      %6.1f ms in all: %s\n",
          (double) (hn_clock_now_us () - probe->start_us) / 1000.0,
          hn_machine_public_format (&probe->key, text));
  if (g_getenv ("PROBE_WRONG_KEY") != NULL)
    hn_machine_private_get_public (&probe->machine, &probe->key);
  probe->start_us = hn_clock_now_us ();
  hn_control_connect_async (probe->dialer, probe->server, probe->version, &probe->machine,
                            &probe->key, on_progress, probe, NULL, on_connected, probe);
}

int
main (int argc, char **argv)
{
  Probe probe = { 0 };
  g_autofree char *ca = NULL;
  g_autoptr (GError) error = NULL;

  if (argc < 2 || argc > 4)
    {
      fprintf (stderr, "usage: net-probe URL [CA-FILE|-] [VERSION]\n");
      return 2;
    }
  if (argc > 2 && strcmp (argv[2], "-") != 0 && !g_file_get_contents (argv[2], &ca, NULL, &error))
    {
      fprintf (stderr, "%s\n", error->message);
      return 1;
    }
  if (!hn_crypto_init (&error))
    g_error ("%s", error->message);
  probe.version = argc > 3 ? (guint) atoi (argv[3]) : 130;
  probe.loop = g_main_loop_new (NULL, FALSE);
  probe.server = hn_server_address_new (argv[1], &error);
  if (probe.server != NULL)
    probe.dialer = hn_dialer_new (ca, 0x680000, &error);
  if (probe.dialer == NULL)
    {
      fprintf (stderr, "%s\n", error->message);
      return 1;
    }
  hn_machine_private_generate (&probe.machine);
  print_memory ("at start");
  probe.start_us = hn_clock_now_us ();
  hn_control_fetch_key_async (probe.dialer, probe.server, probe.version, on_progress, &probe, NULL,
                              on_key, &probe);
  g_main_loop_run (probe.loop);
  g_clear_object (&probe.http2);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  hn_machine_private_clear (&probe.machine);
  hn_server_address_free (probe.server);
  g_clear_object (&probe.dialer);
  g_main_loop_unref (probe.loop);
  return probe.status;
}
