/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sources may reach: sets of ports and protocols, each kept once and known by a number, and
 * their sums. First it is filled, then sealed, and from then on only asked.
 */
#pragma once

#include "dataplane/hn-ip-packet.h"

typedef struct
{
  guint16 first;
  guint16 last;
} HnFilterPorts;

typedef struct
{
  guint64 bits[4];
} HnFilterProtocols;

enum
{
  HN_FILTER_TCP,
  HN_FILTER_UDP,
  HN_FILTER_SCTP,
  HN_FILTER_N_PORTED,
};

typedef struct _HnFilterSets HnFilterSets;

/* Whether the bit of @protocol is set. */
gboolean hn_filter_protocols_contain (const HnFilterProtocols *self, guint8 protocol);

/* @max_ports: of port ranges to be kept. @max_work: of port ranges to be looked at. */
HnFilterSets *hn_filter_sets_new (gsize max_ports, gsize max_work);
void hn_filter_sets_free (HnFilterSets *self);
/* Whether sets with so many port ranges still fit; to be asked before each of the next two. */
gboolean hn_filter_sets_has_room (const HnFilterSets *self, gsize n_ports);
/* The number of a set. @ports: arrays of HnFilterPorts in any order, which are sorted and joined. */
guint32 hn_filter_sets_make (HnFilterSets *self, GArray *const ports[HN_FILTER_N_PORTED],
                             const HnFilterProtocols *other, gboolean icmp);
/* The sum of @n sets. */
guint32 hn_filter_sets_add (HnFilterSets *self, const guint32 *sets, guint n);
/* How many port ranges a set has. */
guint hn_filter_sets_get_size (const HnFilterSets *self, guint32 set);
/* The number of what @set opens together with @wider, which is such a number too, or 0 for nothing;
 * it is never 0. Short sets are added up, long ones stay apart and are asked one after the other. */
guint32 hn_filter_sets_enter (HnFilterSets *self, guint32 set, guint32 wider);
/* Lets go what only filling needs. */
void hn_filter_sets_seal (HnFilterSets *self);
/* Whether @entry, of hn_filter_sets_enter() or 0, opens this. @port: for TCP, UDP and SCTP. */
gboolean hn_filter_sets_allow (const HnFilterSets *self, guint32 entry, guint8 family,
                               guint8 protocol, guint16 port);
