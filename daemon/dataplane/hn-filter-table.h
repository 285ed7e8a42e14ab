/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rules let in to one address of ours, made for asking once a packet: sources that are
 * single addresses lie in a hash table, all others in disjoint ranges, and both lead to the ports
 * that are open to them. So the cost of a question does not grow with the number of rules. Immutable
 * and reference counted; asking allocates nothing.
 */
#pragma once

#include "dataplane/hn-ip-packet.h"
#include "model/hn-filter-rules.h"

typedef struct _HnFilterTable HnFilterTable;

/* Bounds of what a hostile server can make us build; the rules of a tailnet with ten thousand nodes
 * need less than a tenth. What is beyond stays closed. */
#define HN_FILTER_MAX_SOURCES (1 << 20)
#define HN_FILTER_MAX_PIECES (1 << 20)
#define HN_FILTER_MAX_PORT_RANGES (1 << 20)
#define HN_FILTER_MAX_WORK (1 << 22)

/* @rules: nullable. @capabilities: name -> GArray of HnIp, the peers' addresses; nullable. */
HnFilterTable *hn_filter_table_new (const HnFilterRules *rules, GHashTable *capabilities,
                                    const HnIp *destination);
HnFilterTable *hn_filter_table_ref (HnFilterTable *self);
void hn_filter_table_unref (HnFilterTable *self);
const HnIp *hn_filter_table_get_destination (const HnFilterTable *self);
/* How many rules are not in force, or only in part, because the bounds were met. */
guint hn_filter_table_get_skipped (const HnFilterTable *self);
/* Whether a rule lets in a packet of @protocol from @source (4 or 16 bytes, of the destination's
 * family). @port: the destination's, of TCP, UDP and SCTP (tailscale: wgengine/filter/match.go). */
gboolean hn_filter_table_allows (const HnFilterTable *self, const guint8 *source, guint8 protocol,
                                 guint16 port);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnFilterTable, hn_filter_table_unref)
