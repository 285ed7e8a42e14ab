/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/hn-pacer.h"

#define NOW 5000000

static void
test_burst (void)
{
  HnPacer pacer = HN_PACER_INIT (100, 3);

  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (hn_pacer_take (&pacer, NOW), ==, 0);
  g_assert_cmpint (hn_pacer_take (&pacer, NOW), ==, 100);
  g_assert_cmpint (hn_pacer_take (&pacer, NOW + 99), ==, 1);
  g_assert_cmpint (hn_pacer_take (&pacer, NOW + 100), ==, 0);
  g_assert_cmpint (hn_pacer_take (&pacer, NOW + 100), ==, 100);
  /* After a rest there is a whole burst, and no more. */
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (hn_pacer_take (&pacer, 2 * NOW), ==, 0);
  g_assert_cmpint (hn_pacer_take (&pacer, 2 * NOW), ==, 100);
}

/* However often somebody tries. */
static void
test_flood (void)
{
  HnPacer pacer = HN_PACER_INIT (100000, 8);
  guint n = 0;

  for (gint64 now = NOW; now < NOW + 10 * G_USEC_PER_SEC; now += 1000)
    n += hn_pacer_take (&pacer, now) == 0 ? 1 : 0;
  g_assert_cmpuint (n, ==, 8 + 99);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pacer/burst", test_burst);
  g_test_add_func ("/pacer/flood", test_flood);
  return g_test_run ();
}
