/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/hn-text.h"

#include <string.h>

static void
test_printable (void)
{
  static const struct
  {
    const char *from;
    const char *to;
  } rows[] = {
    { "", "" },
    { " \r\n\t ", "" },
    { "well", "well" },
    { "\nMünchen 東京 🚀\r\n", "München 東京 🚀" },
    { "a\x1b[31mb\x7f", "a [31mb" },
    { "a\xc2\x9b"
      "31mb\xc2\x80",
      "a 31mb" },                                     /* C1: U+009B is as good as ESC [ */
    { "a\xe2\x80\xae\x62\xe2\x81\xa6\x63", "a b c" }, /* U+202E, U+2066 */
    { "a\xe2\x80\xa8\x62\xe2\x80\xa9\x63", "a b c" }, /* U+2028, U+2029 */
    { "a\xff\xc0\x80\xed\xa0\x80", "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                                   "\xef\xbf\xbd" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *text = hn_text_make_printable (rows[i].from, strlen (rows[i].from));

      g_assert_cmpstr (text, ==, rows[i].to);
    }
}

static void
test_length (void)
{
  g_autofree char *none = hn_text_make_printable (NULL, 0);
  g_autofree char *cut = hn_text_make_printable ("ab\xc3\xbc", 3);
  g_autofree char *zero = hn_text_make_printable ("a\0b", 3);

  g_assert_cmpstr (none, ==, "");
  g_assert_cmpstr (cut, ==, "ab\xef\xbf\xbd");
  g_assert_cmpstr (zero, ==,
                   "a\xef\xbf\xbd"
                   "b");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/text/printable", test_printable);
  g_test_add_func ("/text/length", test_length);
  return g_test_run ();
}
