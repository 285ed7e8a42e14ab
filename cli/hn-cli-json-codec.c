/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <json-glib/json-glib.h>
#include <stdio.h>

#include "hn-cli.h"

/* Whether a terminal could take it for an order; JSON may as well have it escaped. What is below
 * U+0020 is escaped already. */
static gboolean
needs_escape (gunichar c)
{
  GUnicodeType type = g_unichar_type (c);

  return c > 0x7e && c <= 0xffff
         && (type == G_UNICODE_CONTROL || type == G_UNICODE_FORMAT
             || type == G_UNICODE_LINE_SEPARATOR || type == G_UNICODE_PARAGRAPH_SEPARATOR);
}

void
hn_cli_print_json (GVariant *value)
{
  gsize len = 0;
  g_autofree char *text = json_gvariant_serialize_data (value, &len);
  g_autoptr (GString) out = g_string_sized_new (len + 1);

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (needs_escape (c))
        g_string_append_printf (out, "\\u%04x", c);
      else
        g_string_append_unichar (out, c);
    }
  g_string_append_c (out, '\n');
  /* not g_print(): JSON is UTF-8 in every locale */
  fwrite (out->str, 1, out->len, stdout);
  fflush (stdout);
}
