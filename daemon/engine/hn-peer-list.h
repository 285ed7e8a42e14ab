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

typedef struct _HnPeerList HnPeerList;

typedef struct
{
  HnNode *node; /* owned by the table */
  HnPeerPath path;
  gint64 latency_us; /* of the last ping somebody asked for, 0 unknown */
} HnPeerEntry;

HnPeerList *hn_peer_list_new (void);
void hn_peer_list_free (HnPeerList *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnPeerList, hn_peer_list_free)

/* Takes what one response changed. */
void hn_peer_list_apply (HnPeerList *self, HnNetmap *netmap, const HnNetmapChange *change);
/* Forgets all peers (which counts as a change when there were any). */
void hn_peer_list_clear (HnPeerList *self);
/* Notes the path in use; FALSE when nothing changed or there is no such peer. */
gboolean hn_peer_list_set_path (HnPeerList *self, const HnNodePublic *key, const HnPeerPath *path);
/* Whether any peer is reached directly. */
gboolean hn_peer_list_has_direct (HnPeerList *self);
/* All peers without a path again. */
void hn_peer_list_clear_paths (HnPeerList *self);
/* Marks a peer as changed although its node is not (its key expired, its user was renamed). */
void hn_peer_list_touch (HnPeerList *self, const char *stable_id);
void hn_peer_list_touch_all (HnPeerList *self);

guint hn_peer_list_get_size (HnPeerList *self);
/* Sorted by name; borrowed, of HnPeerEntry, valid until the next change. */
GPtrArray *hn_peer_list_get_sorted (HnPeerList *self);
HnPeerEntry *hn_peer_list_get_by_stable_id (HnPeerList *self, const char *stable_id);
/* By stable id, full name, short name, host name or address, in this order. HN_ERROR_NOT_FOUND;
 * HN_ERROR_INVALID_ARGUMENT when a short or host name fits several. */
HnPeerEntry *hn_peer_list_find (HnPeerList *self, const char *target, GError **error);

gboolean hn_peer_list_has_changes (HnPeerList *self);
/* Takes the gathered changes and counts the generation up. Both lists are empty when there were
 * more than HN_PEER_CHANGES_MAX. (transfer full), of stable ids. */
guint64 hn_peer_list_take_changes (HnPeerList *self, GPtrArray **changed, GPtrArray **removed);
guint64 hn_peer_list_get_generation (HnPeerList *self);
