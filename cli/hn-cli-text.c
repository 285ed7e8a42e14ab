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
  /* stripping moves the text and leaves a part of it behind */
  explicit_bzero (data + strlen (data), max + 1 - strlen (data));
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

/* Whether a terminal may take the character for an order, or a person not see it for what it is. */
static gboolean
is_harmful (gunichar c)
{
  switch (g_unichar_type (c))
    {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
    case G_UNICODE_SURROGATE:
      return TRUE;
    default:
      return FALSE;
    }
}

char *
hn_clean (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autoptr (GString) out = g_string_new (NULL);

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      g_string_append_unichar (out, is_harmful (c) ? '?' : c);
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

void
hn_cli_print_padded (const char *text, int columns)
{
  int width = 0;

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      width += g_unichar_iszerowidth (c) ? 0 : g_unichar_iswide (c) ? 2 : 1;
    }
  g_print ("%s%*s", text, MAX (0, columns - width), "");
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

void
hn_cli_print_qr (const char *text)
{
  QRcode *code = QRcode_encodeString8bit (text, 0, QR_ECLEVEL_L);
  struct winsize size = { 0 };
  int width;

  if (code == NULL || !g_get_charset (NULL))
    {
      QRcode_free (code);
      return;
    }
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
