/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "bus/hn-bus-service.h"
#include "crypto/hn-crypto.h"
#include "engine/hn-engine.h"

#define IDLE_TIMEOUT_S 30

static gboolean verbose;

typedef struct
{
  GMainLoop *loop;
  HnEngine *engine;
  int exit_code;
} Daemon;

/* Messages for people always, what happens inside only when asked for; debug text as GLib does it. */
static GLogWriterOutput
write_log (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
  if ((level & G_LOG_LEVEL_INFO) != 0 && verbose)
    return g_log_writer_is_journald (STDERR_FILENO)
               ? g_log_writer_journald (level, fields, n_fields, user_data)
               : g_log_writer_standard_streams (level, fields, n_fields, user_data);
  return g_log_writer_default (level, fields, n_fields, user_data);
}

static gboolean
on_signal (gpointer user_data)
{
  g_main_loop_quit (((Daemon *) user_data)->loop);
  return G_SOURCE_CONTINUE;
}

static void
on_ready (HnBusService *service, gpointer user_data)
{
  sd_notify (0, "READY=1");
}

static void
on_failed (HnBusService *service, gpointer user_data)
{
  Daemon *daemon = user_data;

  daemon->exit_code = EXIT_FAILURE;
  g_main_loop_quit (daemon->loop);
}

static void
on_idle (HnBusService *service, gpointer user_data)
{
  g_info ("Nobody needs the daemon any more");
  g_main_loop_quit (((Daemon *) user_data)->loop);
}

static const char *
directory_from (const char *variable, const char *fallback)
{
  const char *value = g_getenv (variable);

  return value != NULL && value[0] != '\0' ? value : fallback;
}

static gboolean
run (Daemon *daemon, gboolean exit_when_idle, GError **error)
{
  g_autoptr (GDBusConnection) bus = g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, error);
  g_autoptr (HnBusService) service = NULL;

  if (bus == NULL)
    {
      g_prefix_error (error, _ ("The system bus can not be reached: "));
      return FALSE;
    }
  g_dbus_connection_set_exit_on_close (bus, FALSE);

  daemon->engine = hn_engine_new (directory_from ("STATE_DIRECTORY", "/var/lib/headnet"),
                                  directory_from ("RUNTIME_DIRECTORY", "/run/headnet"), error);
  if (daemon->engine == NULL)
    return FALSE;
  hn_engine_start (daemon->engine);

  service = hn_bus_service_new (bus, daemon->engine);
  g_signal_connect (service, "ready", G_CALLBACK (on_ready), daemon);
  g_signal_connect (service, "failed", G_CALLBACK (on_failed), daemon);
  g_signal_connect (service, "idle", G_CALLBACK (on_idle), daemon);
  hn_bus_service_set_idle_timeout (service, exit_when_idle ? IDLE_TIMEOUT_S : 0);
  if (!hn_bus_service_start (service, error))
    return FALSE;

  g_main_loop_run (daemon->loop);
  sd_notify (0, "STOPPING=1");
  hn_engine_stop (daemon->engine);
  return TRUE;
}

int
main (int argc, char **argv)
{
  gboolean exit_when_idle = FALSE;
  gboolean show_version = FALSE;
  const GOptionEntry entries[] = {
    { "exit-when-idle", 0, 0, G_OPTION_ARG_NONE, &exit_when_idle,
      N_ ("End when no tailnet is wanted and nobody calls for 30 seconds"), NULL },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, N_ ("Say what happens"), NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &show_version, N_ ("Print the version and end"), NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  Daemon daemon = { NULL };
  guint sources[2];

  setlocale (LC_ALL, "");
  bindtextdomain (HN_GETTEXT_PACKAGE, HN_LOCALEDIR);
  bind_textdomain_codeset (HN_GETTEXT_PACKAGE, "UTF-8");
  textdomain (HN_GETTEXT_PACKAGE);

  /* few arenas and a low threshold, so that the memory of a large map goes back to the system */
  mallopt (M_ARENA_MAX, 2);
  mallopt (M_MMAP_THRESHOLD, 64 * 1024);
  mallopt (M_TRIM_THRESHOLD, 128 * 1024);
  /* a system service has no desktop settings; asking for a proxy would start dconf's threads */
  g_setenv ("GSETTINGS_BACKEND", "memory", FALSE);
  g_setenv ("GIO_USE_VFS", "local", FALSE);

  g_option_context_set_summary (context, _ ("The Headnet service: tailnets on the system bus."));
  g_option_context_add_main_entries (context, entries, HN_GETTEXT_PACKAGE);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("headnetd: %s\n", error->message);
      return 2;
    }
  if (show_version)
    {
      g_print ("headnetd %s\n", HN_VERSION);
      return EXIT_SUCCESS;
    }
  g_log_set_writer_func (write_log, NULL, NULL);
  g_log_writer_default_set_use_stderr (TRUE);
  if (!hn_crypto_init (&error))
    {
      g_printerr ("headnetd: %s\n", error->message);
      return EXIT_FAILURE;
    }

  signal (SIGPIPE, SIG_IGN);
  daemon.loop = g_main_loop_new (NULL, FALSE);
  sources[0] = g_unix_signal_add (SIGTERM, on_signal, &daemon);
  sources[1] = g_unix_signal_add (SIGINT, on_signal, &daemon);
  if (!run (&daemon, exit_when_idle, &error))
    {
      g_printerr ("headnetd: %s\n", error->message);
      daemon.exit_code = EXIT_FAILURE;
    }
  g_source_remove (sources[0]);
  g_source_remove (sources[1]);
  g_clear_object (&daemon.engine);
  g_main_loop_unref (daemon.loop);
  return daemon.exit_code;
}
