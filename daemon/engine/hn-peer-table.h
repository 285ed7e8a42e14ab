/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The peers of one tailnet as the bus shows them: nodes of the netmap with the path in use, found
 * by id, key, name or address, and the changes gathered until somebody takes them. A change costs
 * O(1); the order by name is made when it is asked for.
 */
#pragma once

#include "dataplane/hn-dataplane.h"
#include "model/hn-netmap.h"

/* A change of more peers than this is told as "ask for all". */
#define HN_PEER_CHANGES_MAX 200

typedef struct _HnPeerTable HnPeerTable;

typedef struct
{
  HnNode *node; /* owned by the table */
  HnPathKind path;
  int relay;
  gint64 latency_us; /* of the last ping somebody asked for, 0 unknown */
} HnPeerEntry;

HnPeerTable *hn_peer_table_new (void);
void hn_peer_table_free (HnPeerTable *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnPeerTable, hn_peer_table_free)

/* Takes what one response changed. */
void hn_peer_table_apply (HnPeerTable *self, HnNetmap *netmap, const HnNetmapChange *change);
/* Forgets all peers (which counts as a change when there were any). */
void hn_peer_table_clear (HnPeerTable *self);
/* Notes the path in use; FALSE when nothing changed or there is no such peer. */
gboolean hn_peer_table_set_path (HnPeerTable *self, const HnNodePublic *key, HnPathKind path,
                                 int relay);
/* All peers without a path again. */
void hn_peer_table_clear_paths (HnPeerTable *self);
/* Marks a peer as changed although its node is not (its key expired, its user was renamed). */
void hn_peer_table_touch (HnPeerTable *self, const char *stable_id);
void hn_peer_table_touch_all (HnPeerTable *self);

guint hn_peer_table_get_size (HnPeerTable *self);
/* Sorted by name; borrowed, of HnPeerEntry, valid until the next change. */
GPtrArray *hn_peer_table_get_sorted (HnPeerTable *self);
HnPeerEntry *hn_peer_table_get_by_stable_id (HnPeerTable *self, const char *stable_id);
/* By stable id, full name, short name, host name or address, in this order. HN_ERROR_NOT_FOUND;
 * HN_ERROR_INVALID_ARGUMENT when a short or host name fits several. */
HnPeerEntry *hn_peer_table_find (HnPeerTable *self, const char *target, GError **error);

gboolean hn_peer_table_has_changes (HnPeerTable *self);
/* Takes the gathered changes and counts the generation up. Both lists are empty when there were
 * more than HN_PEER_CHANGES_MAX. (transfer full), of stable ids. */
guint64 hn_peer_table_take_changes (HnPeerTable *self, GPtrArray **changed, GPtrArray **removed);
guint64 hn_peer_table_get_generation (HnPeerTable *self);
