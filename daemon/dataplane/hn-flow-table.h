/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flows that began on this host, so that their replies can be told from unasked packets. Of
 * fixed size and made once: sixteen places a bucket, and when a bucket is full, what is least
 * likely to be missed goes: finished and unanswered flows, then datagrams, then the longest idle
 * connection. So a connection that is idle for days lives as long as there is room.
 */
#pragma once

#include <glib.h>

#include "dataplane/hn-ip-packet.h"

typedef struct _HnFlowTable HnFlowTable;

#define HN_FLOW_TABLE_SIZE 16384

/* A flow as seen from here, whichever way the packet goes. */
typedef struct
{
  guint8 local[16]; /* IPv4 uses the first four, the rest is zero */
  guint8 remote[16];
  guint16 local_port;
  guint16 remote_port;
  guint8 protocol;
  guint8 family;
  guint8 zero[2];
} HnFlowKey;

void hn_flow_key_init (HnFlowKey *self, const HnIpPacket *packet, gboolean outbound);

/* @n_flows: a power of two, at least 16. */
HnFlowTable *hn_flow_table_new (guint n_flows);
void hn_flow_table_free (HnFlowTable *self);
/* A packet of the flow left; the flow begins with the first one. @tcp_flags: 0 for others. */
void hn_flow_table_note_outbound (HnFlowTable *self, const HnFlowKey *key, guint8 tcp_flags,
                                  gint64 now_us);
/* Whether a packet that came in belongs to a flow; notes that the flow is answered. */
gboolean hn_flow_table_note_inbound (HnFlowTable *self, const HnFlowKey *key, guint8 tcp_flags,
                                     gint64 now_us);
/* The same question, without leaving a trace. */
gboolean hn_flow_table_contains (HnFlowTable *self, const HnFlowKey *key, gint64 now_us);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnFlowTable, hn_flow_table_free)
