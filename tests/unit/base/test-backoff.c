/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting times grow with the square, stay under the cap, and scatter. */
#include "base/hn-backoff.h"

static void
test_growth (void)
{
  HnBackoff b = HN_BACKOFF_INIT (10 * 1000, 30 * G_USEC_PER_SEC);

  g_assert_cmpint (hn_backoff_next (&b, 0.5), ==, 10 * 1000);
  g_assert_cmpint (hn_backoff_next (&b, 0.5), ==, 40 * 1000);
  g_assert_cmpint (hn_backoff_next (&b, 0.0), ==, 45 * 1000);
  g_assert_cmpint (hn_backoff_next (&b, 0.75), ==, 200 * 1000);
  for (guint i = 0; i < 100; i++)
    hn_backoff_next (&b, 0.5);
  g_assert_cmpint (hn_backoff_next (&b, 0.5), ==, 30 * G_USEC_PER_SEC);
  b.failures = G_MAXUINT - 1;
  g_assert_cmpint (hn_backoff_next (&b, 0.0), ==, 15 * G_USEC_PER_SEC);
  g_assert_cmpint (hn_backoff_next (&b, 0.0), ==, 15 * G_USEC_PER_SEC);
  hn_backoff_reset (&b);
  g_assert_cmpint (hn_backoff_next (&b, 0.5), ==, 10 * 1000);
}

static void
test_credit (void)
{
  HnBackoff backoff = HN_BACKOFF_INIT (10000, 30000000);

  backoff.failures = 20;
  hn_backoff_credit (&backoff, 0, 10);
  g_assert_cmpuint (backoff.failures, ==, 20);
  hn_backoff_credit (&backoff, -5, 10);
  g_assert_cmpuint (backoff.failures, ==, 20);
  hn_backoff_credit (&backoff, 5, 10);
  g_assert_cmpuint (backoff.failures, ==, 10);
  hn_backoff_credit (&backoff, 1, 10);
  g_assert_cmpuint (backoff.failures, ==, 9);
  hn_backoff_credit (&backoff, 10, 10);
  g_assert_cmpuint (backoff.failures, ==, 0);
  backoff.failures = G_MAXUINT;
  hn_backoff_credit (&backoff, G_MAXINT64, 10);
  g_assert_cmpuint (backoff.failures, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/backoff/growth", test_growth);
  g_test_add_func ("/backoff/credit", test_credit);
  return g_test_run ();
}
