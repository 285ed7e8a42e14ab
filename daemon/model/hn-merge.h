/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of hn_netmap_apply(): what hn-map-update.c and the part that merges the peers share.
 */
#pragma once

#include "model/hn-map-update.h"
#include "model/hn-netmap-private.h"

/* What guards of the merge refuse; one health item each. */
typedef enum
{
  HN_REFUSED_PEER,
  HN_REFUSED_KEY,
  HN_REFUSED_ADDRESS,
  HN_REFUSED_COUNT,
  HN_REFUSED_SELF,
  HN_REFUSED_USERS,
  HN_REFUSED_RULES,
  HN_N_REFUSED,
} HnRefused;

/* One run of hn_netmap_apply(). */
typedef struct
{
  HnNetmap *map;
  HnNetmapChange *change;
  HnPeerTable *old_peers; /* set while the whole list is replaced */
  GHashTable *touched;    /* id -> HnNode before this run, or NULL */
  guint n_refused[HN_N_REFUSED];
  char *first_refused[HN_N_REFUSED];
  gint64 wall;
  GPtrArray *forgotten; /* of ids of remarks */
  gboolean health_changed;
} HnMerge;

/* Counts something that the guards refuse; the first example of a kind is kept. @node: the one that is
 * left out, 0: none or unknown */
void hn_merge_refuse (HnMerge *merge, HnRefused kind, gint64 node, const char *format, ...)
    G_GNUC_PRINTF (4, 5);
/* A node came anew or went: remarks that were about no other are forgotten. */
void hn_merge_absolve (HnMerge *merge, gint64 node);
/* The part that a remark of former runs was about came anew: unless it is made again, it goes. @id
 * is a constant text. */
void hn_merge_forget_remark (HnMerge *merge, const char *id);

/* hn-merge-peers.c */
void hn_merge_self (HnMerge *merge, HnNode *node);
void hn_merge_peers (HnMerge *merge, const HnMapUpdate *update);

/* Runs over the items of a GArray that may be NULL. */
#define HN_FOREACH_IN(array, Type, item)                                                           \
  for (const Type *item = (array) != NULL ? (const Type *) (gpointer) (array)->data : NULL,        \
                  *item##_end = item != NULL && (array)->len > 0 ? item + (array)->len : item;     \
       item < item##_end; item++)
