/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two clocks. */
#include "base/hn-clock.h"

#include <time.h>

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
