/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The result of a netcheck as a value; declared in hn-netcheck.h. */
#include "path/hn-netcheck.h"

HnNetReport *
hn_net_report_ref (HnNetReport *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
hn_net_report_unref (HnNetReport *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->ref_count))
    return;
  g_free (self->relays);
  g_free (self);
}

const HnRelayLatency *
hn_net_report_get_relay (const HnNetReport *self, int region)
{
  for (gsize i = 0; i < self->n_relays; i++)
    if (self->relays[i].region == region)
      return &self->relays[i];
  return NULL;
}
