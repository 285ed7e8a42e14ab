/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The generic cell rate algorithm: one number says how much of the burst is used up. */
#include "base/hn-pacer.h"

gint64
hn_pacer_take (HnPacer *self, gint64 now_us)
{
  gint64 full_us = MAX (self->full_us, now_us);
  gint64 room_us = (gint64) (self->burst - 1) * self->pace_us;

  if (full_us - now_us > room_us)
    return full_us - now_us - room_us;
  self->full_us = full_us + self->pace_us;
  return 0;
}
