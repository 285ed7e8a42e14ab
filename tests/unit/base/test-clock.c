/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The timers on their real clock. */
#include "base/hn-clock.h"

#include <string.h>
#include <time.h>

#include "base/hn-source.h"

#define MS (gint64) 1000

typedef struct
{
  guint calls;
  guint remove_at; /* 0: never */
  gint64 last_us;
} Count;

static gboolean
on_time (gpointer data)
{
  Count *count = data;

  count->calls++;
  count->last_us = hn_clock_now_us ();
  return count->calls != count->remove_at;
}

static GSource *
start (gint64 delay_us, Count *count)
{
  GSource *source = hn_clock_timer_new (delay_us);

  g_source_set_callback (source, on_time, count, NULL);
  g_source_attach (source, NULL);
  return source;
}

/* Timerfds of the clock that also passes while the machine sleeps. */
static guint
count_boottime_timers (void)
{
  g_autofree char *clock = g_strdup_printf ("clockid: %d\n", CLOCK_BOOTTIME);
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fdinfo", 0, NULL);
  const char *name;
  guint n = 0;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/fdinfo", name, NULL);
      g_autofree char *text = NULL;

      if (g_file_get_contents (path, &text, NULL, NULL) && strstr (text, clock) != NULL)
        n++;
    }
  return n;
}

static void
test_comes_again (void)
{
  Count count = { 0 };
  gint64 begin = hn_clock_now_us ();
  GSource *source = start (10 * MS, &count);

  while (count.calls < 3)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (count.last_us - begin, >=, 30 * MS);
  hn_source_clear (&source);
  g_usleep (15 * MS);
  g_assert_false (g_main_context_iteration (NULL, FALSE));
}

static void
test_once (void)
{
  Count count = { .remove_at = 1 };
  g_autoptr (GSource) source = start (5 * MS, &count);

  while (!g_source_is_destroyed (source))
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (count.calls, ==, 1);
}

static void
test_no_delay (void)
{
  static const gint64 delays[] = { 0, -1, G_MININT64 };

  for (guint i = 0; i < G_N_ELEMENTS (delays); i++)
    {
      Count count = { .remove_at = 1 };
      gint64 begin = hn_clock_now_us ();
      g_autoptr (GSource) source = start (delays[i], &count);

      while (count.calls == 0)
        g_main_context_iteration (NULL, TRUE);
      g_assert_cmpint (count.last_us - begin, <, 1000 * MS);
    }
}

/* A machine that slept wakes to timers that are due. */
static void
test_sleep (void)
{
  static const gint64 delays[] = { 1000 * MS, 60 * 1000 * MS, G_MAXINT64 };

  for (guint i = 0; i < G_N_ELEMENTS (delays); i++)
    {
      Count count = { 0 };
      guint before = count_boottime_timers ();
      GSource *source = start (delays[i], &count);

      g_assert_cmpuint (count_boottime_timers (), ==, before + 1);
      g_assert_false (g_main_context_iteration (NULL, FALSE));
      hn_source_clear (&source);
      g_assert_cmpuint (count_boottime_timers (), ==, before);
      g_assert_cmpuint (count.calls, ==, 0);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/base/clock/comes-again", test_comes_again);
  g_test_add_func ("/base/clock/once", test_once);
  g_test_add_func ("/base/clock/no-delay", test_no_delay);
  g_test_add_func ("/base/clock/sleep", test_sleep);
  return g_test_run ();
}
