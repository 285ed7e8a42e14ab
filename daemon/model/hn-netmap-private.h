/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hn-netmap.c and hn-map-update.c share: the accumulator's insides and its table of peers.
 */
#pragma once

#include "model/hn-netmap.h"

/*
 * The peers, found by id, by node key and by address. Each table points into the nodes; by_id holds
 * the references. Sets, where key and value are one pointer, take half the memory.
 */
typedef struct
{
  GHashTable *by_id;      /* set of HnNodeFields */
  GHashTable *by_key;     /* set of HnNodeFields */
  GHashTable *by_address; /* HnIp -> HnNodeFields */
  gsize bytes;            /* of the nodes */
} HnPeerTable;

void hn_peer_table_init (HnPeerTable *self);
void hn_peer_table_clear (HnPeerTable *self);
HnNode *hn_peer_table_get (const HnPeerTable *self, gint64 id); /* nullable, borrowed */
HnNode *hn_peer_table_get_by_key (const HnPeerTable *self, const HnNodePublic *key);
HnNode *hn_peer_table_get_by_address (const HnPeerTable *self, const HnIp *address);
/* Takes a reference. No other peer may have its id, key or addresses. */
void hn_peer_table_add (HnPeerTable *self, HnNode *node);
void hn_peer_table_remove (HnPeerTable *self, HnNode *node);

struct _HnNetmap
{
  gatomicrefcount ref_count;
  gboolean started; /* a response with our own node came */
  HnNode *self_node;
  HnPeerTable peers;
  HnDerpMap *derp;
  GHashTable *derp_scores; /* region id -> double, owned */
  HnDnsConfig *dns;
  GHashTable *filters;   /* name -> HnFilterRules */
  HnFilterRules *filter; /* all of them in the order of their names; NULL before any came */
  GHashTable *users;     /* set of HnUser, by id */
  char *domain;
  gboolean tka_enabled;
  gboolean has_ssh_policy;
  gint64 clock_offset;
  GPtrArray *texts;    /* of HnHealthItem, from the server's plain texts */
  GPtrArray *messages; /* of HnHealthItem, from its messages; their ids without "server-" */
  GPtrArray *remarks;  /* of HnHealthItem, ours */
  GArray *blames;      /* of HnMapBlame, for those about nodes */
  GPtrArray *health;   /* of HnHealthItem: the three together, as shown */
};
