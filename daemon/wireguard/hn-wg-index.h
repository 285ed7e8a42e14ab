/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the 32-bit index in a datagram to the handshake or session it belongs to: open addressing
 * with linear probing. Indices are random and chosen here, so they are their own hash.
 */
#pragma once

#include "wireguard/hn-wg-session.h"

typedef struct _HnWgPeer HnWgPeer;

typedef struct
{
  HnWgPeer *peer;       /* borrowed; NULL for a free slot */
  HnWgSession *session; /* borrowed; NULL: the peer's handshake */
  guint32 index;
} HnWgIndexEntry;

typedef struct
{
  HnWgIndexEntry *slots; /* owned */
  gsize size;            /* a power of two, or 0 */
  gsize used;
} HnWgIndexTable;

/* A random index that nobody has. */
guint32 hn_wg_index_table_choose (const HnWgIndexTable *self);
/* Adds it, or points an existing entry to something else. */
void hn_wg_index_table_set (HnWgIndexTable *self, guint32 index, HnWgPeer *peer,
                            HnWgSession *session);
/* NULL when unknown; valid until the table changes. */
const HnWgIndexEntry *hn_wg_index_table_get (const HnWgIndexTable *self, guint32 index);
/* Nothing happens when it is unknown. */
void hn_wg_index_table_remove (HnWgIndexTable *self, guint32 index);
void hn_wg_index_table_clear (HnWgIndexTable *self);
