/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-home.h"

#define MS 1000
#define S G_USEC_PER_SEC
#define NEVER G_MININT64

static int
choose (int home, const HnHomeRegion *regions, gsize n)
{
  HnHomeQuestion question
      = { .home = home, .control_reachable = TRUE, .started_us = 1000 * S, .now_us = 1003 * S };

  return hn_home_choose (&question, regions, n);
}

static HnHomeRegion
region (int id, gint64 latency_us, gint64 best_us)
{
  return (HnHomeRegion){ id, 0, latency_us, best_us, NEVER, FALSE };
}

static void
test_nearest (void)
{
  HnHomeRegion regions[]
      = { region (1, 30 * MS, 30 * MS), region (2, 40 * MS, 20 * MS), region (3, 0, 1 * MS) };

  /* By the best of the history, among those that answered now. */
  g_assert_cmpint (choose (0, regions, 3), ==, 2);
  regions[1].barred = TRUE;
  g_assert_cmpint (choose (0, regions, 3), ==, 1);
  g_assert_cmpint (choose (2, regions, 3), ==, 1);
  g_assert_cmpint (choose (0, regions, 0), ==, 0);
}

static void
test_score (void)
{
  HnHomeRegion regions[] = { region (1, 30 * MS, 30 * MS), region (2, 50 * MS, 50 * MS) };

  regions[1].score = 0.5;
  g_assert_cmpint (choose (0, regions, 2), ==, 2);
  regions[1].score = -1;
  g_assert_cmpint (choose (0, regions, 2), ==, 1);
  regions[0].score = 1e300;
  g_assert_cmpint (choose (0, regions, 2), ==, 2);
}

static void
test_sticky (void)
{
  HnHomeRegion regions[] = { region (1, 100 * MS, 100 * MS), region (2, 100 * MS, 67 * MS) };

  /* Better by a third at least, and by 10 ms at least. */
  g_assert_cmpint (choose (1, regions, 2), ==, 1);
  regions[1].best_us = 66 * MS;
  g_assert_cmpint (choose (1, regions, 2), ==, 2);
  regions[0].latency_us = regions[0].best_us = 15 * MS;
  regions[1].best_us = 5 * MS + 1;
  g_assert_cmpint (choose (1, regions, 2), ==, 1);
  regions[1].best_us = 5 * MS;
  g_assert_cmpint (choose (1, regions, 2), ==, 2);

  /* No answer, but frames: since the start, or within 8 s. */
  regions[0].latency_us = 0;
  g_assert_cmpint (choose (1, regions, 2), ==, 2);
  regions[0].heard_us = 995 * S;
  g_assert_cmpint (choose (1, regions, 2), ==, 1);
  regions[0].heard_us = 995 * S - 1;
  g_assert_cmpint (choose (1, regions, 2), ==, 2);
}

static void
test_silence (void)
{
  HnHomeRegion regions[] = { region (7, 0, 0), region (3, 0, 0), region (5, 0, 0) };

  /* Nobody answers: the old one, else always the same. */
  g_assert_cmpint (choose (0, regions, 3), ==, 3);
  g_assert_cmpint (choose (9, regions, 3), ==, 3);
  g_assert_cmpint (choose (5, regions, 3), ==, 5);
  regions[2].heard_us = 900 * S;
  g_assert_cmpint (choose (5, regions, 3), ==, 5);
  regions[2].barred = TRUE;
  g_assert_cmpint (choose (5, regions, 3), ==, 3);
}

static void
test_control (void)
{
  HnHomeRegion regions[] = { region (1, 200 * MS, 200 * MS), region (2, 10 * MS, 10 * MS) };
  HnHomeQuestion question = { .home = 1, .now_us = 10 * S };

  /* A change that nobody would learn of. */
  g_assert_cmpint (hn_home_choose (&question, regions, 2), ==, 1);
  question.home = 0;
  g_assert_cmpint (hn_home_choose (&question, regions, 2), ==, 2);
  question.home = 1;
  question.control_reachable = TRUE;
  g_assert_cmpint (hn_home_choose (&question, regions, 2), ==, 2);
}

static void
test_forced (void)
{
  HnHomeRegion regions[] = { region (1, 200 * MS, 200 * MS), region (2, 10 * MS, 10 * MS) };
  HnHomeQuestion question
      = { .home = 2, .forced = 1, .control_reachable = TRUE, .now_us = 100 * S };

  g_assert_cmpint (hn_home_choose (&question, regions, 2), ==, 1);
  regions[0].latency_us = 0;
  g_assert_cmpint (hn_home_choose (&question, regions, 2), ==, 2);
  regions[0].heard_us = 95 * S;
  question.started_us = 99 * S;
  g_assert_cmpint (hn_home_choose (&question, regions, 2), ==, 1);
  question.forced = 77;
  g_assert_cmpint (hn_home_choose (&question, regions, 2), ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/path/home/nearest", test_nearest);
  g_test_add_func ("/path/home/score", test_score);
  g_test_add_func ("/path/home/sticky", test_sticky);
  g_test_add_func ("/path/home/silence", test_silence);
  g_test_add_func ("/path/home/control", test_control);
  g_test_add_func ("/path/home/forced", test_forced);
  return g_test_run ();
}
