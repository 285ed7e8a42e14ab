/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words that daemons have for each other inside the tunnel; the host never sees them. */
#include "dataplane/hn-pump-private.h"

#define REJECTS_PER_SECOND 50
#define TELL_REFUSALS_US (60 * G_USEC_PER_SEC)

static void
say (HnPump *self, HnPumpLink *link, guint8 *packet, gsize len)
{
  if (len > 0)
    hn_wg_send (self->wg, link->wg, packet, len, self->now_us);
}

void
hn_pump_take_tsmp (HnPump *self, HnPumpLink *link, const HnIpPacket *packet)
{
  guint8 *reply = self->scratch + HN_PACKET_HEADROOM;
  HnTsmp tsmp;

  self->counters.in_consumed++;
  if (!hn_filter_is_own (self->filter, packet->family, packet->destination)
      || !hn_tsmp_parse (&tsmp, packet))
    return;
  switch (tsmp.kind)
    {
    case HN_TSMP_PING:
      say (self, link, reply, hn_ip_reply_tsmp (packet, reply));
      break;
    case HN_TSMP_PONG:
      hn_pump_take_tsmp_pong (self, packet, tsmp.cookie);
      break;
    case HN_TSMP_DISCO:
      if (link->peer->path != NULL)
        hn_paths_advert (self->paths, link->peer->path, &tsmp.disco, self->now_us);
      break;
    case HN_TSMP_REJECT:
      self->counters.rejects_received++;
      break;
    }
}

void
hn_pump_refuse (HnPump *self, HnPumpLink *link, const HnIpPacket *packet, HnFilterVerdict verdict)
{
  guint8 *reply = self->scratch + HN_PACKET_HEADROOM;
  gsize len;

  self->counters.in_refused++;
  if (self->ops.refused != NULL
      && (self->refusals_told_us == 0 || self->now_us - self->refusals_told_us >= TELL_REFUSALS_US))
    {
      self->refusals_told_us = self->now_us;
      self->ops.refused (self->user, hn_filter_get_counters (self->filter));
    }
  if (verdict != HN_FILTER_NO_RULE && verdict != HN_FILTER_PROTOCOL
      && verdict != HN_FILTER_SHIELDS_UP)
    return;
  if (!hn_pump_rate_has_room (&self->rejects, REJECTS_PER_SECOND, self->now_us))
    return;
  len = hn_ip_reply_tsmp_reject (
      packet, verdict == HN_FILTER_SHIELDS_UP ? HN_TSMP_REASON_SHIELDS_UP : HN_TSMP_REASON_RULES,
      reply);
  if (len == 0)
    return;
  self->rejects.n++;
  self->counters.rejects_sent++;
  say (self, link, reply, len);
}
