/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting times between attempts. */
#include "base/hn-backoff.h"

gint64
hn_backoff_next (HnBackoff *self, double random)
{
  gint64 n;
  gint64 wait;

  if (self->failures < G_MAXUINT)
    self->failures++;
  /* Beyond this many failures n^2 would overflow, and the cap was reached long ago. */
  n = MIN (self->failures, 30000);
  if (self->unit_us > 0 && n * n > self->cap_us / self->unit_us)
    wait = self->cap_us;
  else
    wait = MIN (n * n * self->unit_us, self->cap_us);
  return (gint64) ((double) wait * (0.5 + random));
}

void
hn_backoff_credit (HnBackoff *self, gint64 well_us, gint64 steady_us)
{
  gint64 left_us = steady_us - CLAMP (well_us, 0, steady_us);

  self->failures = (guint) ((double) self->failures * (double) left_us / (double) steady_us);
}

void
hn_backoff_reset (HnBackoff *self)
{
  self->failures = 0;
}
