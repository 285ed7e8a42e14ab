/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/hn-text.h"

char *
hn_text_make_printable (const void *data, gsize len)
{
  g_autofree char *valid = len > 0 ? g_utf8_make_valid (data, (gssize) len) : g_strdup ("");
  GString *text = g_string_sized_new (len);

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      const gunichar c = g_utf8_get_char (p);

      if (g_unichar_isprint (c) && !g_unichar_isspace (c))
        g_string_append_unichar (text, c);
      else if (text->len > 0)
        g_string_append_c (text, ' ');
    }
  while (text->len > 0 && text->str[text->len - 1] == ' ')
    g_string_truncate (text, text->len - 1);
  return g_string_free (text, FALSE);
}
