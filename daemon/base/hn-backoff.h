/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting times between attempts: min (n^2 * unit, cap) * random (0.5 ... 1.5) for the n-th failure
 * in a row. Pure: the random number is an argument.
 */
#pragma once

#include <glib.h>

typedef struct
{
  gint64 unit_us;
  gint64 cap_us;
  guint failures;
} HnBackoff;

#define HN_BACKOFF_INIT(unit, cap)                                                                 \
  {                                                                                                \
    .unit_us = (unit), .cap_us = (cap)                                                             \
  }

/* Counts one failure; @random is in [0, 1). Returns microseconds to wait. */
gint64 hn_backoff_next (HnBackoff *self, double random);
void hn_backoff_reset (HnBackoff *self);
/* All was well for @well_us: forgets so many of the failures, all of them from @steady_us on. What
 * works for a while each time is tried again soon, what breaks at once ever more seldom. */
void hn_backoff_credit (HnBackoff *self, gint64 well_us, gint64 steady_us);
