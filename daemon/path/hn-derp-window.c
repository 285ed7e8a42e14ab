/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-derp-window.h"

#include <string.h>

gboolean
hn_derp_window_is_near (const HnDerpWindow *self)
{
  return self->rtt_us > 0 && self->rtt_us <= HN_DERP_WINDOW_NEAR_US;
}

gboolean
hn_derp_window_wants_ping (const HnDerpWindow *self)
{
  return hn_derp_window_is_near (self) && !self->asked && self->used >= HN_DERP_WINDOW_BYTES;
}

void
hn_derp_window_ask (HnDerpWindow *self, const guint8 ping[HN_DERP_PING_SIZE], gint64 now_us)
{
  memcpy (self->ping, ping, sizeof self->ping);
  self->asked = TRUE;
  self->asked_us = now_us;
  /* Half a window more may go out meanwhile, so that the line is not idle for a round trip. */
  self->used = MIN (self->used, HN_DERP_WINDOW_BYTES / 2);
}

void
hn_derp_window_sent (HnDerpWindow *self, gsize bytes)
{
  self->used = MIN (self->used + bytes, (gsize) G_MAXINT32);
}

gboolean
hn_derp_window_got_pong (HnDerpWindow *self, const guint8 pong[HN_DERP_PING_SIZE], gint64 now_us)
{
  gint64 rtt_us = MAX (now_us - self->asked_us, 1);

  if (!self->asked || memcmp (self->ping, pong, sizeof self->ping) != 0)
    return FALSE;

  if (self->rtt_us == 0 || rtt_us < self->rtt_us)
    self->rtt_us = rtt_us;
  self->asked = FALSE;
  self->used = 0;
  return TRUE;
}

gboolean
hn_derp_window_holds (const HnDerpWindow *self)
{
  return hn_derp_window_is_near (self) && self->asked && self->used >= HN_DERP_WINDOW_BYTES;
}

gint64
hn_derp_window_get_deadline (const HnDerpWindow *self)
{
  return hn_derp_window_holds (self) ? self->asked_us + HN_DERP_WINDOW_HOLD_US : G_MAXINT64;
}

void
hn_derp_window_check (HnDerpWindow *self, gint64 now_us)
{
  if (now_us < hn_derp_window_get_deadline (self))
    return;

  self->asked = FALSE;
  self->used = 0;
}
