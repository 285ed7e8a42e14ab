/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Secrets live as long as their references. */
#include "base/hn-secret.h"

#include <string.h>

static void
test_text (void)
{
  g_autoptr (HnSecretText) a = hn_secret_text_new ("key");
  HnSecretText *b = hn_secret_text_ref (a);

  g_assert_cmpuint (hn_secret_text_length (b), ==, 3);
  hn_secret_text_unref (b);
  g_assert_cmpstr (hn_secret_text_reveal (a), ==, "key");
}

static void
test_wipe (void)
{
  guint8 buf[8];
  guint8 zero[8] = { 0 };

  memset (buf, 0xaa, sizeof buf);
  hn_wipe (buf, 7);
  g_assert_cmpmem (buf, 7, zero, 7);
  g_assert_cmpuint (buf[7], ==, 0xaa);
  hn_wipe (NULL, 0);
}

static void
test_equal (void)
{
  g_assert_true (hn_equal_constant_time ("abc", "abd", 2));
  g_assert_false (hn_equal_constant_time ("abc", "abd", 3));
  g_assert_false (hn_equal_constant_time ("bbc", "abc", 3));
  g_assert_true (hn_equal_constant_time ("a", "b", 0));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/secret/text", test_text);
  g_test_add_func ("/secret/wipe", test_wipe);
  g_test_add_func ("/secret/equal", test_equal);
  return g_test_run ();
}
