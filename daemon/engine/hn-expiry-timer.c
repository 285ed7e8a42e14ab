/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/hn-expiry-timer.h"

#include "base/hn-clock.h"
#include "base/hn-source.h"
#include "engine/hn-derive.h"

#define SLACK_S 10           /* after a key's expiry, as the reference client waits */
#define LONGEST_WAIT_S 86400 /* clocks step: look again at least once a day */

void
hn_expiry_timer_init (HnExpiryTimer *self, GSourceFunc func, gpointer user)
{
  *self = (HnExpiryTimer){ .func = func, .user = user };
}

void
hn_expiry_timer_clear (HnExpiryTimer *self)
{
  hn_source_clear (&self->source);
  self->at = 0;
}

static void
arm (HnExpiryTimer *self, gint64 next)
{
  gint64 wait = next - hn_clock_wall_us () / G_USEC_PER_SEC + SLACK_S;

  hn_expiry_timer_clear (self);
  if (next == 0)
    return;
  self->at = next;
  self->source = hn_clock_timer_new (CLAMP (wait, 0, LONGEST_WAIT_S) * G_USEC_PER_SEC);
  g_source_set_callback (self->source, self->func, self->user, NULL);
  g_source_attach (self->source, g_main_context_get_thread_default ());
}

void
hn_expiry_timer_set (HnExpiryTimer *self, HnNetmap *netmap)
{
  arm (self,
       netmap != NULL ? hn_derive_next_expiry (netmap, hn_clock_wall_us () / G_USEC_PER_SEC) : 0);
}

void
hn_expiry_timer_advance (HnExpiryTimer *self, HnNetmap *netmap, const HnNetmapChange *change)
{
  gint64 offset = hn_netmap_get_clock_offset (netmap);
  gint64 now = hn_clock_wall_us () / G_USEC_PER_SEC + offset;
  gint64 next = self->at;

  for (guint i = 0; i < change->changed->len; i++)
    {
      gint64 expiry = hn_node_get (g_ptr_array_index (change->changed, i))->key_expiry;

      if (expiry > now && (next == 0 || expiry - offset < next))
        next = expiry - offset;
    }
  if (next != self->at)
    arm (self, next);
}
