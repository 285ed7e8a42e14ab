/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two clocks and their timers. */
#include "base/hn-clock.h"

#include <time.h>

#define WHOLE_SECONDS_MS 20000

gint64
hn_clock_now_us (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_BOOTTIME, &ts);
  return (gint64) ts.tv_sec * G_USEC_PER_SEC + ts.tv_nsec / 1000;
}

gint64
hn_clock_wall_us (void)
{
  return g_get_real_time ();
}

GSource *
hn_clock_timer_new (gint64 delay_us)
{
  guint delay_ms = (guint) CLAMP (delay_us / 1000 + (delay_us % 1000 > 0), 0, G_MAXINT);

  return delay_ms >= WHOLE_SECONDS_MS ? g_timeout_source_new_seconds (delay_ms / 1000)
                                      : g_timeout_source_new (delay_ms);
}
