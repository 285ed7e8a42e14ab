/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wireguard/hn-wg-replay.h"

#define MASK (HN_WG_REPLAY_BLOCKS - 1)

G_STATIC_ASSERT ((HN_WG_REPLAY_BLOCKS & MASK) == 0);

gboolean
hn_wg_replay_accept (HnWgReplay *self, guint64 counter)
{
  guint64 block = counter / 64;
  guint64 bit = G_GUINT64_CONSTANT (1) << (counter % 64);

  if (counter > self->last)
    {
      guint64 current = self->last / 64;
      guint64 n = MIN (block - current, (guint64) HN_WG_REPLAY_BLOCKS);

      for (guint64 i = 1; i <= n; i++)
        self->ring[(current + i) & MASK] = 0;
      self->last = counter;
    }
  else if (self->last - counter > HN_WG_REPLAY_WINDOW)
    return FALSE;

  if (self->ring[block & MASK] & bit)
    return FALSE;
  self->ring[block & MASK] |= bit;
  return TRUE;
}
