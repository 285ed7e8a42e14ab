/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A map from every address of a family to a number, for asking once a packet: single addresses lie
 * in a hash table, all others in disjoint ranges. Immutable.
 */
#pragma once

#include <glib.h>

/* In host order; IPv4 in the low 32 bits. */
typedef struct
{
  guint64 high;
  guint64 low;
} HnFilterAddress;

HnFilterAddress hn_filter_address_load (guint8 family, const guint8 *bytes);
int hn_filter_address_compare (const HnFilterAddress *a, const HnFilterAddress *b);
/* FALSE: there is none behind it. */
gboolean hn_filter_address_next (guint8 family, HnFilterAddress *address);
/* How many of the sorted @starts are at or before @address. */
guint hn_filter_address_count_up_to (const HnFilterAddress *starts, guint n,
                                     const HnFilterAddress *address);

typedef struct _HnFilterSources HnFilterSources;

/* @values[i] is for the addresses from @starts[i], which are sorted, up to the next one; 0 before
 * the first. */
HnFilterSources *hn_filter_sources_new (guint8 family, const HnFilterAddress *starts,
                                        const guint32 *values, guint n);
void hn_filter_sources_free (HnFilterSources *self);
/* @source: 4 or 16 bytes, of the family. */
guint32 hn_filter_sources_find (const HnFilterSources *self, const guint8 *source);
