/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "hn-cli.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <qrencode.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void
hn_cli_complain (const char *format, ...)
{
  g_autofree char *message = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  g_printerr ("headnetctl: %s\n", message);
}

HnExit
hn_cli_fail (const GError *error)
{
  g_autofree char *message = hn_clean (error->message);

  hn_cli_complain ("%s", message);
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

const HnVerb *
hn_cli_find_verb (const char *name)
{
  const HnVerb *tables[] = { hn_connection_verbs, hn_show_verbs, hn_settings_verbs, hn_live_verbs };

  for (gsize i = 0; i < G_N_ELEMENTS (tables); i++)
    for (const HnVerb *verb = tables[i]; verb->name != NULL; verb++)
      if (strcmp (verb->name, name) == 0)
        return verb;
  return NULL;
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
  return TRUE;
}

char *
hn_cli_find_tailnet (HnCli *cli, const char *name)
{
  g_autoptr (GPtrArray) paths = headnet_client_list_tailnets (cli->client);

  for (guint i = 0; i < paths->len; i++)
    {
      const char *path = g_ptr_array_index (paths, i);
      g_autofree char *shown = headnet_client_get_string (cli->client, path, "Name");
      g_autofree char *id = headnet_client_get_string (cli->client, path, "Id");

      if (strcmp (shown, name) == 0 || strcmp (id, name) == 0)
        return g_strdup (path);
    }
  return NULL;
}

char *
hn_cli_pick (HnCli *cli, HnExit *code)
{
  g_autoptr (GPtrArray) paths = headnet_client_list_tailnets (cli->client);

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
  else if (!headnet_client_is_running (cli->client))
    {
      hn_cli_complain (_ ("The service headnetd does not run"));
      *code = HN_EXIT_NO_SERVICE;
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
  while (!(met = done (cli, data)) && !deadline.expired)
    g_main_context_iteration (NULL, TRUE);
  if (source != NULL)
    g_source_destroy (source);
  return met;
}

char *
hn_cli_read_file (const char *path, gsize max, GError **error)
{
  g_autofree char *data = g_malloc (max + 1);
  gboolean standard = strcmp (path, "-") == 0;
  int fd = standard ? STDIN_FILENO : open (path, O_RDONLY | O_CLOEXEC);
  gsize len = 0;
  gssize got = -1;

  if (fd >= 0)
    while (len < max && (got = read (fd, data + len, max - len)) != 0)
      {
        if (got < 0 && errno == EINTR)
          continue;
        if (got < 0)
          break;
        len += (gsize) got;
      }
  if (got < 0 || len == max)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("Cannot read %s: %s"),
                 standard ? _ ("standard input") : path,
                 got < 0 ? g_strerror (errno) : _ ("it is too long"));
  if (fd > STDERR_FILENO)
    close (fd);
  if (got < 0 || len == max)
    {
      explicit_bzero (data, max + 1);
      return NULL;
    }
  data[len] = '\0';
  if (strlen (data) != len)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _ ("%s is no text"), path);
      explicit_bzero (data, max + 1);
      return NULL;
    }
  g_strstrip (data);
  return g_steal_pointer (&data);
}

const char *
hn_dict_string (GVariant *dict, const char *key)
{
  const char *value = "";

  g_variant_lookup (dict, key, "&s", &value);
  return value;
}

gint64
hn_dict_int (GVariant *dict, const char *key)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (dict, key, NULL);

  if (value == NULL)
    return 0;
  switch (g_variant_classify (value))
    {
    case G_VARIANT_CLASS_INT64:
      return g_variant_get_int64 (value);
    case G_VARIANT_CLASS_UINT64:
      return (gint64) MIN (g_variant_get_uint64 (value), (guint64) G_MAXINT64);
    case G_VARIANT_CLASS_UINT32:
      return g_variant_get_uint32 (value);
    case G_VARIANT_CLASS_UINT16:
      return g_variant_get_uint16 (value);
    default:
      return 0;
    }
}

gboolean
hn_dict_boolean (GVariant *dict, const char *key)
{
  gboolean value = FALSE;

  g_variant_lookup (dict, key, "b", &value);
  return value;
}

char *
hn_dict_join (GVariant *dict, const char *key, const char *separator)
{
  g_autofree const char **strings = NULL;

  if (!g_variant_lookup (dict, key, "^a&s", &strings))
    return g_strdup ("");
  return g_strjoinv (separator, (char **) strings);
}

char *
hn_clean (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autoptr (GString) out = g_string_new (NULL);

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      g_string_append_unichar (out, g_unichar_iscntrl (c) && c != '\n' ? '?' : c);
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

char *
hn_format_time (gint64 seconds)
{
  gint64 away = seconds - g_get_real_time () / G_USEC_PER_SEC;
  guint64 length = (guint64) ABS (away);
  g_autofree char *span = NULL;

  if (seconds == 0)
    return g_strdup (_ ("never"));
  if (length < 60)
    span = g_strdup_printf (g_dngettext (HN_GETTEXT_PACKAGE, "%d second", "%d seconds", length),
                            (int) length);
  else if (length < 3600)
    span
        = g_strdup_printf (g_dngettext (HN_GETTEXT_PACKAGE, "%d minute", "%d minutes", length / 60),
                           (int) (length / 60));
  else if (length < 2 * 86400)
    span = g_strdup_printf (g_dngettext (HN_GETTEXT_PACKAGE, "%d hour", "%d hours", length / 3600),
                            (int) (length / 3600));
  else
    span = g_strdup_printf (g_dngettext (HN_GETTEXT_PACKAGE, "%d day", "%d days", length / 86400),
                            (int) (length / 86400));
  return away < 0 ? g_strdup_printf (_ ("%s ago"), span) : g_strdup_printf (_ ("in %s"), span);
}

char *
hn_format_latency (gint64 microseconds)
{
  return g_strdup_printf (_ ("%.1f ms"), (double) microseconds / 1000.0);
}

char *
hn_cli_explain_state (HnCli *cli, const char *path)
{
  g_autofree char *reason = headnet_client_get_string (cli->client, path, "StateReason");
  g_autoptr (GVariant) health = headnet_client_get_property (cli->client, path, "Health");
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

void
hn_cli_print_qr (const char *text)
{
  QRcode *code = QRcode_encodeString8bit (text, 0, QR_ECLEVEL_L);
  struct winsize size = { 0 };
  int width;

  if (code == NULL)
    return;
  width = code->width;
  if (ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_col < width + 4)
    {
      QRcode_free (code);
      return;
    }
  /* two rows a line, light on dark as most terminals are; the quiet zone is two modules */
  for (int y = -2; y < width + 2; y += 2)
    {
      g_print ("  ");
      for (int x = -2; x < width + 2; x++)
        {
          gboolean upper
              = x >= 0 && x < width && y >= 0 && y < width && (code->data[y * width + x] & 1) != 0;
          gboolean lower = x >= 0 && x < width && y + 1 >= 0 && y + 1 < width
                           && (code->data[(y + 1) * width + x] & 1) != 0;

          g_print ("%s", upper ? (lower ? " " : "▄") : (lower ? "▀" : "█"));
        }
      g_print ("\n");
    }
  QRcode_free (code);
}
