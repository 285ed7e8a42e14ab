/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network map of one streaming session: the accumulator that responses are merged into (owner:
 * the control client, main thread only), and what one response changed. Peers are looked up in O(1)
 * and a delta costs O(changes), whatever the size of the map.
 */
#pragma once

#include "model/hn-derp-map.h"
#include "model/hn-dns-config.h"
#include "model/hn-filter-rules.h"
#include "model/hn-health.h"
#include "model/hn-node.h"

typedef struct
{
  gint64 id;
  char *login_name;
  char *display_name;
} HnUser;

/* One allocation holds the user and its texts. */
HnUser *hn_user_new (gint64 id, const char *login_name, const char *display_name);
void hn_user_free (HnUser *user);

typedef struct _HnNetmap HnNetmap;

#define HN_NETMAP_MAX_PEERS 100000
#define HN_NETMAP_MAX_USERS 100000
/* Bytes of memory of all peers: a network of the largest size with a kilobyte each, which is more than
 * twice the usual. Routes, which are longer here than packed on the wire, can take many. */
#define HN_NETMAP_MAX_BYTES (128 * 1024 * 1024)

/* Which parts a response changed; peers are listed in HnNetmapChange. The first map of a stream
 * changes all parts: what it does not mention is gone. */
typedef enum
{
  HN_NETMAP_SELF = 1 << 0,
  HN_NETMAP_PEERS = 1 << 1, /* see the lists */
  HN_NETMAP_DERP = 1 << 2,
  HN_NETMAP_DNS = 1 << 3,
  HN_NETMAP_FILTER = 1 << 4,
  HN_NETMAP_USERS = 1 << 5,
  HN_NETMAP_DOMAIN = 1 << 6,
  HN_NETMAP_HEALTH = 1 << 7, /* the server's health texts and our remarks about bad elements */
  HN_NETMAP_SSH = 1 << 8,
  HN_NETMAP_CLOCK = 1 << 9, /* the offset to the server's clock */
  HN_NETMAP_ALL = (1 << 10) - 1,
} HnNetmapParts;

typedef struct
{
  HnNetmapParts parts;
  gboolean full;      /* the first map of a stream, or a full replacement of the peers */
  GPtrArray *changed; /* of HnNode: added or really different peers */
  /* of HnNode: the last known form of those that went; and of a peer that stays, but with another
   * node key, its former form, so that the old key goes too. Act on this list first. */
  GPtrArray *removed;
} HnNetmapChange;

void hn_netmap_change_free (HnNetmapChange *change);

HnNetmap *hn_netmap_new (void);
HnNetmap *hn_netmap_ref (HnNetmap *self);
void hn_netmap_unref (HnNetmap *self);

HnNode *hn_netmap_get_self (const HnNetmap *self); /* nullable until the first map */
guint hn_netmap_get_n_peers (const HnNetmap *self);
HnNode *hn_netmap_get_peer (const HnNetmap *self, gint64 id); /* nullable */
/* @func gets each peer, in no particular order. */
void hn_netmap_foreach_peer (const HnNetmap *self, GFunc func, gpointer data);
HnDerpMap *hn_netmap_get_derp_map (const HnNetmap *self);           /* nullable */
HnDnsConfig *hn_netmap_get_dns (const HnNetmap *self);              /* nullable */
HnFilterRules *hn_netmap_get_filter (const HnNetmap *self);         /* nullable: none ever came */
const HnUser *hn_netmap_get_user (const HnNetmap *self, gint64 id); /* nullable */
const char *hn_netmap_get_domain (const HnNetmap *self);            /* "" until known */
gboolean hn_netmap_get_tka_enabled (const HnNetmap *self);          /* tailnet lock is on */
/* Server's health as items (ids "server-..."), then remarks of the codec ("map-..."). */
GPtrArray *hn_netmap_get_health (const HnNetmap *self); /* of HnHealthItem, borrowed */
/* Seconds to add to our clock to have the server's; 0 when they agree within a minute. */
gint64 hn_netmap_get_clock_offset (const HnNetmap *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnNetmap, hn_netmap_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnNetmapChange, hn_netmap_change_free)
