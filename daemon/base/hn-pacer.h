/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often something may be told: a few times at once, and then at an even pace, however often others
 * make it change. Time is an argument.
 */
#pragma once

#include <glib.h>

typedef struct
{
  gint64 pace_us; /* between two, in the long run */
  guint burst;    /* so many at once after a rest */
  gint64 full_us; /* when it would have rested enough; 0 at the beginning */
} HnPacer;

#define HN_PACER_INIT(pace, n)                                                                     \
  {                                                                                                \
    .pace_us = (pace), .burst = (n)                                                                \
  }

/* Returns: 0, and it is counted, or how many microseconds to wait before the next attempt. */
gint64 hn_pacer_take (HnPacer *self, gint64 now_us);
