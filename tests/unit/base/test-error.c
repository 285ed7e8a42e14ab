/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every error code has a reason of its own. */
#include "base/hn-error.h"

#include <gio/gio.h>

static void
test_reasons (void)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GError) foreign = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, "x");

  for (int code = HN_ERROR_FAILED; code <= HN_ERROR_RATE_LIMITED; code++)
    {
      g_autoptr (GError) error = g_error_new_literal (HN_ERROR, code, "x");

      g_assert_true (g_hash_table_add (seen, (gpointer) hn_error_get_reason (error)));
    }
  g_assert_cmpstr (hn_error_get_reason (NULL), ==, "");
  g_assert_cmpstr (hn_error_get_reason (foreign), ==, "failed");
}

static void
test_unreachable (void)
{
  static const int yes[]
      = { HN_ERROR_TIMEOUT, HN_ERROR_UNKNOWN_HOST, HN_ERROR_TLS, HN_ERROR_SERVER_KEY };
  static const int no[] = { HN_ERROR_FAILED, HN_ERROR_PROTOCOL, HN_ERROR_SERVER_REFUSED };

  for (guint i = 0; i < G_N_ELEMENTS (yes); i++)
    {
      g_autoptr (GError) error = g_error_new_literal (HN_ERROR, yes[i], "x");

      g_assert_true (hn_error_is_unreachable (error));
    }
  for (guint i = 0; i < G_N_ELEMENTS (no); i++)
    {
      g_autoptr (GError) error = g_error_new_literal (HN_ERROR, no[i], "x");

      g_assert_false (hn_error_is_unreachable (error));
    }
  g_assert_false (hn_error_is_unreachable (NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/error/reasons", test_reasons);
  g_test_add_func ("/error/unreachable", test_unreachable);
  return g_test_run ();
}
