/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-filter.h"

#include <string.h>

#include "dataplane/hn-filter-program.h"
#include "dataplane/hn-flow-table.h"

typedef struct
{
  HnIp ip;
  HnFilterTable *table; /* owned; NULL before there is a program */
} Own;

struct _HnFilter
{
  Own *own; /* owned */
  gsize n_own;
  HnFilterProgram *program; /* owned, nullable */
  HnFlowTable *flows;       /* owned */
  guint64 counters[HN_FILTER_N_VERDICTS];
};

HnFilter *
hn_filter_new (void)
{
  HnFilter *self = g_new0 (HnFilter, 1);

  self->flows = hn_flow_table_new (HN_FLOW_TABLE_SIZE);
  return self;
}

static void
clear_own (HnFilter *self)
{
  for (gsize i = 0; i < self->n_own; i++)
    g_clear_pointer (&self->own[i].table, hn_filter_table_unref);
  g_clear_pointer (&self->own, g_free);
  self->n_own = 0;
}

void
hn_filter_free (HnFilter *self)
{
  clear_own (self);
  g_clear_pointer (&self->program, hn_filter_program_unref);
  hn_flow_table_free (self->flows);
  g_free (self);
}

static void
bind_tables (HnFilter *self)
{
  for (gsize i = 0; i < self->n_own; i++)
    {
      g_clear_pointer (&self->own[i].table, hn_filter_table_unref);
      if (self->program != NULL)
        self->own[i].table = hn_filter_program_dup_table (self->program, &self->own[i].ip);
    }
}

void
hn_filter_set_addresses (HnFilter *self, const HnPrefix *addresses, gsize n)
{
  clear_own (self);
  self->own = g_new0 (Own, n);
  self->n_own = n;
  for (gsize i = 0; i < n; i++)
    self->own[i].ip = addresses[i].ip;
  bind_tables (self);
}

void
hn_filter_set_program (HnFilter *self, HnFilterProgram *program)
{
  hn_filter_program_ref (program);
  g_clear_pointer (&self->program, hn_filter_program_unref);
  self->program = program;
  bind_tables (self);
}

const HnIp *
hn_filter_get_address (const HnFilter *self, guint8 family)
{
  for (gsize i = 0; i < self->n_own; i++)
    if (self->own[i].ip.family == family)
      return &self->own[i].ip;
  return NULL;
}

static const Own *
find_own (const HnFilter *self, guint8 family, const guint8 *address)
{
  for (gsize i = 0; i < self->n_own; i++)
    if (self->own[i].ip.family == family
        && memcmp (self->own[i].ip.bytes, address, family == 4 ? 4 : 16) == 0)
      return &self->own[i];
  return NULL;
}

gboolean
hn_filter_is_own (const HnFilter *self, guint8 family, const guint8 *address)
{
  return find_own (self, family, address) != NULL;
}

/* Destinations that no tunnel carries, either way. */
static HnFilterVerdict
judge_destination (const HnIpPacket *packet)
{
  static const guint8 cloud_metadata[4] = { 169, 254, 169, 254 };
  const guint8 *to = packet->destination;

  if (packet->family == 6)
    {
      if (to[0] == 0xff)
        return HN_FILTER_MULTICAST;
      return to[0] == 0xfe && (to[1] & 0xc0) == 0x80 ? HN_FILTER_LINK_LOCAL : HN_FILTER_PASS;
    }
  if (to[0] >> 4 == 0xe)
    return HN_FILTER_MULTICAST;
  /* The name server of one cloud, which nodes there may offer to others. */
  if (to[0] == 169 && to[1] == 254 && memcmp (to, cloud_metadata, sizeof cloud_metadata) != 0)
    return HN_FILTER_LINK_LOCAL;
  return HN_FILTER_PASS;
}

static gboolean
has_flows (const HnIpPacket *packet)
{
  return packet->protocol == HN_IP_PROTOCOL_UDP || packet->protocol == HN_IP_PROTOCOL_SCTP;
}

HnFilterVerdict
hn_filter_outbound (HnFilter *self, const HnIpPacket *packet, gint64 now_us)
{
  const HnFilterVerdict verdict = judge_destination (packet);
  HnFlowKey key;

  if (verdict != HN_FILTER_PASS)
    return verdict;
  /* The peer would drop what comes from an address that is not ours. */
  if (!hn_filter_is_own (self, packet->family, packet->source))
    return HN_FILTER_NOT_OURS;
  /* TSMP is between daemons; the host has no part in it. */
  if (packet->protocol == HN_IP_PROTOCOL_TSMP)
    return HN_FILTER_PROTOCOL;
  if (has_flows (packet) && packet->fragment != HN_FRAGMENT_LATER)
    {
      hn_flow_key_init (&key, packet, TRUE);
      hn_flow_table_note_outbound (self->flows, &key, 0, now_us);
    }
  return HN_FILTER_PASS;
}

/* Whether it may be a reply, whatever the rules say. TCP needs no memory of our connections: nobody
 * can begin one without a SYN. */
static gboolean
is_reply (HnFilter *self, const HnIpPacket *packet, gint64 now_us)
{
  HnFlowKey key;

  if (packet->protocol == HN_IP_PROTOCOL_TCP)
    return (packet->tcp_flags & (HN_TCP_SYN | HN_TCP_ACK)) != HN_TCP_SYN;
  if (has_flows (packet))
    {
      hn_flow_key_init (&key, packet, FALSE);
      return hn_flow_table_note_inbound (self->flows, &key, 0, now_us);
    }
  return packet->icmp_kind == HN_ICMP_ECHO_REPLY || packet->icmp_kind == HN_ICMP_ERROR;
}

static gboolean
has_rules_by_default (const HnIpPacket *packet)
{
  return packet->protocol == HN_IP_PROTOCOL_TCP || has_flows (packet)
         || packet->protocol == (packet->family == 4 ? HN_IP_PROTOCOL_ICMP : HN_IP_PROTOCOL_ICMP6);
}

static HnFilterVerdict
judge_inbound (HnFilter *self, const HnIpPacket *packet, gboolean jailed, gint64 now_us)
{
  const HnFilterVerdict verdict = judge_destination (packet);
  const Own *own;

  if (verdict != HN_FILTER_PASS)
    return verdict;
  own = find_own (self, packet->family, packet->destination);
  /* Upstream lets later pieces through to anywhere; to others than us they would be of no use. */
  if (packet->fragment == HN_FRAGMENT_LATER)
    return own != NULL ? HN_FILTER_PASS : HN_FILTER_FRAGMENT;
  if (own == NULL)
    return HN_FILTER_NOT_LOCAL;
  if (packet->protocol == HN_IP_PROTOCOL_TSMP || is_reply (self, packet, now_us))
    return HN_FILTER_PASS;
  if (jailed || (self->program != NULL && hn_filter_program_is_shields_up (self->program)))
    return HN_FILTER_SHIELDS_UP;
  if (own->table != NULL
      && hn_filter_table_allows (own->table, packet->source, packet->protocol,
                                 packet->destination_port))
    return HN_FILTER_PASS;
  return has_rules_by_default (packet) ? HN_FILTER_NO_RULE : HN_FILTER_PROTOCOL;
}

HnFilterVerdict
hn_filter_inbound (HnFilter *self, const HnIpPacket *packet, gboolean jailed, gint64 now_us)
{
  const HnFilterVerdict verdict
      = packet != NULL ? judge_inbound (self, packet, jailed, now_us) : HN_FILTER_MALFORMED;

  self->counters[verdict]++;
  return verdict;
}

const guint64 *
hn_filter_get_counters (const HnFilter *self)
{
  return self->counters;
}
