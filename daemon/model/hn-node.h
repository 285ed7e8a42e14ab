/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A node of the tailnet as the server describes it: ourselves or a peer. Immutable once sealed,
 * reference counted across threads; a changed node is a new object. Compact: a tailnet may have ten
 * thousand.
 */
#pragma once

#include "base/hn-ip.h"
#include "crypto/hn-keys.h"

typedef struct _HnNode HnNode;

typedef enum
{
  HN_ONLINE_UNKNOWN,
  HN_ONLINE_NO,
  HN_ONLINE_YES,
} HnOnline;

/* What a node is built from. Strings and arrays are borrowed during hn_node_new() and copied. */
typedef struct
{
  gint64 id;             /* netmap-wide; the key of deltas */
  const char *stable_id; /* "" when absent */
  const char *name;      /* full name, with or without final dot as the server sent it */
  gint64 user_id;
  HnNodePublic key;
  HnMachinePublic machine;
  HnDiscoPublic disco; /* zero: none */
  gint64 key_expiry;   /* seconds since 1970, 0 = never */
  gint64 last_seen;    /* seconds since 1970, 0 = unknown */
  gint64 created;
  HnOnline online;
  gboolean machine_authorized;
  gboolean expired;
  gboolean wireguard_only;
  gboolean jailed;
  gboolean unsigned_peer_api_only;
  int home_derp; /* 0 = unknown; the legacy DERP string is already folded in */
  int cap;
  const char *host_name;           /* Hostinfo.Hostname; "" when absent */
  const char *os;                  /* Hostinfo.OS */
  const char *const *tags;         /* NULL-terminated, nullable; likewise below */
  const char *const *capabilities; /* keys of CapMap and Capabilities */
  const HnPrefix *addresses;
  gsize n_addresses;
  const HnPrefix *allowed_ips; /* already defaulted to the addresses when absent on the wire */
  gsize n_allowed_ips;
  const HnPrefix *primary_routes;
  gsize n_primary_routes;
  const HnEndpoint *endpoints;
  gsize n_endpoints;
} HnNodeFields;

HnNode *hn_node_new (const HnNodeFields *fields);
HnNode *hn_node_ref (HnNode *self);
void hn_node_unref (HnNode *self);
/* The node's content, valid as long as the node. The name has no final dot here. */
const HnNodeFields *hn_node_get (const HnNode *self);
/* The memory that it takes, in bytes. */
gsize hn_node_get_size (const HnNode *self);
/* The node whose content @fields is, as hn_node_get() returned it; borrowed. */
HnNode *hn_node_from_fields (const HnNodeFields *fields);
/* Whether anything that configuration or the bus shows differs (all fields). */
gboolean hn_node_equal (const HnNode *a, const HnNode *b);
/* Everything before the first dot of the name; into @buf, cut to its size. */
const char *hn_node_get_short_name (const HnNode *self, char *buf, gsize size);
gboolean hn_node_has_capability (const HnNode *self, const char *name);
/* Expired flag set or key expiry at or before @now (seconds since 1970, the server's clock). */
gboolean hn_node_is_expired (const HnNode *self, gint64 now);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnNode, hn_node_unref)
