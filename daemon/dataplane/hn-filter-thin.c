/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-filter-thin.h"

#include <string.h>

#include "dataplane/hn-flow-table.h"

/* Datagrams in pieces whose first piece was let in. The table is small: pieces follow each other
 * closely, and whoever is pushed out sends again. */
#define N_FRAGMENTS 256
#define FRAGMENT_LIFE_US (15 * G_USEC_PER_SEC)

typedef struct
{
  HnFlowKey key; /* without ports */
  guint32 id;
  gint64 until_us;
} Fragment;

struct _HnFilterThin
{
  HnIp *addresses; /* owned */
  gsize n_addresses;
  HnFlowTable *flows;              /* owned */
  Fragment fragments[N_FRAGMENTS]; /* by the low bits of their id */
};

HnFilterThin *
hn_filter_thin_new (void)
{
  HnFilterThin *self = g_new0 (HnFilterThin, 1);

  self->flows = hn_flow_table_new (HN_FLOW_TABLE_SIZE);
  return self;
}

void
hn_filter_thin_free (HnFilterThin *self)
{
  hn_flow_table_free (self->flows);
  g_free (self->addresses);
  g_free (self);
}

void
hn_filter_thin_set_addresses (HnFilterThin *self, const HnPrefix *addresses, gsize n)
{
  g_free (self->addresses);
  self->addresses = g_new0 (HnIp, n);
  self->n_addresses = n;
  for (gsize i = 0; i < n; i++)
    self->addresses[i] = addresses[i].ip;
}

const HnIp *
hn_filter_thin_get_address (const HnFilterThin *self, guint8 family)
{
  for (gsize i = 0; i < self->n_addresses; i++)
    if (self->addresses[i].family == family)
      return &self->addresses[i];
  return NULL;
}

gboolean
hn_filter_thin_is_own (const HnFilterThin *self, guint8 family, const guint8 *address)
{
  for (gsize i = 0; i < self->n_addresses; i++)
    if (self->addresses[i].family == family
        && memcmp (self->addresses[i].bytes, address, family == 4 ? 4 : 16) == 0)
      return TRUE;
  return FALSE;
}

gboolean
hn_filter_thin_outbound (HnFilterThin *self, const HnIpPacket *packet, gint64 now_us)
{
  HnFlowKey key;

  /* The peer would drop what comes from an address that is not ours. TSMP is between daemons. */
  if (!hn_filter_thin_is_own (self, packet->family, packet->source)
      || packet->protocol == HN_IP_PROTOCOL_TSMP)
    return FALSE;
  if (packet->fragment == HN_FRAGMENT_LATER)
    return TRUE;
  /* Of ICMP only an echo request begins something: our reply to a peer's must not open the way for
   * echo replies. */
  if ((packet->protocol == HN_IP_PROTOCOL_ICMP || packet->protocol == HN_IP_PROTOCOL_ICMP6)
      && packet->icmp_kind != HN_ICMP_ECHO_REQUEST)
    return TRUE;
  hn_flow_key_init (&key, packet, TRUE);
  hn_flow_table_note_outbound (self->flows, &key, packet->tcp_flags, now_us);
  return TRUE;
}

static Fragment *
fragment_slot (HnFilterThin *self, const HnIpPacket *packet, HnFlowKey *key)
{
  hn_flow_key_init (key, packet, FALSE);
  key->local_port = key->remote_port = 0;
  return &self->fragments[packet->fragment_id % N_FRAGMENTS];
}

static gboolean
is_known_fragment (HnFilterThin *self, const HnIpPacket *packet, gint64 now_us)
{
  HnFlowKey key;
  const Fragment *fragment = fragment_slot (self, packet, &key);

  return fragment->id == packet->fragment_id && now_us < fragment->until_us
         && memcmp (&fragment->key, &key, sizeof key) == 0;
}

static void
note_fragment (HnFilterThin *self, const HnIpPacket *packet, gint64 now_us)
{
  HnFlowKey key;
  Fragment *fragment = fragment_slot (self, packet, &key);

  fragment->key = key;
  fragment->id = packet->fragment_id;
  fragment->until_us = now_us + FRAGMENT_LIFE_US;
}

/* An error counts when it quotes a packet that we sent. */
static gboolean
admit_icmp_error (HnFilterThin *self, const HnIpPacket *packet, gint64 now_us)
{
  gsize offset = packet->header_len + 8u;
  HnIpPacket quoted;
  HnFlowKey key;

  if (packet->fragment != HN_FRAGMENT_NONE || packet->len <= offset
      || !hn_ip_packet_parse_quoted (&quoted, packet->data + offset, packet->len - offset)
      || quoted.family != packet->family)
    return FALSE;
  if ((quoted.protocol == HN_IP_PROTOCOL_ICMP || quoted.protocol == HN_IP_PROTOCOL_ICMP6)
      && quoted.icmp_kind != HN_ICMP_ECHO_REQUEST)
    return FALSE;
  hn_flow_key_init (&key, &quoted, TRUE);
  return hn_flow_table_contains (self->flows, &key, now_us);
}

static gboolean
admit_whole (HnFilterThin *self, const HnIpPacket *packet, gint64 now_us)
{
  HnFlowKey key;

  if (packet->protocol == HN_IP_PROTOCOL_ICMP || packet->protocol == HN_IP_PROTOCOL_ICMP6)
    switch ((HnIcmpKind) packet->icmp_kind)
      {
      case HN_ICMP_ECHO_REQUEST:
        return TRUE;
      case HN_ICMP_ERROR:
        return admit_icmp_error (self, packet, now_us);
      case HN_ICMP_OTHER:
        return FALSE;
      case HN_ICMP_ECHO_REPLY:
        break;
      }
  hn_flow_key_init (&key, packet, FALSE);
  return hn_flow_table_note_inbound (self->flows, &key, packet->tcp_flags, now_us);
}

gboolean
hn_filter_thin_inbound (HnFilterThin *self, const HnIpPacket *packet, gint64 now_us)
{
  if (!hn_filter_thin_is_own (self, packet->family, packet->destination)
      || packet->protocol == HN_IP_PROTOCOL_TSMP)
    return FALSE;
  if (packet->fragment == HN_FRAGMENT_LATER)
    return is_known_fragment (self, packet, now_us);
  if (!admit_whole (self, packet, now_us))
    return FALSE;
  if (packet->fragment == HN_FRAGMENT_FIRST)
    note_fragment (self, packet, now_us);
  return TRUE;
}
