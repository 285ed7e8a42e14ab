/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel says about the network, by rtnetlink: links, addresses and default routes, told
 * once per burst of changes (250 ms). And the settings of one tailnet on it: a device's addresses,
 * MTU and state, routes in the tailnet's own table, and the policy rules that lead there. What is
 * applied is compared with what the kernel has, so that applying twice changes nothing, and what
 * was left behind by a killed daemon is found and removed.
 */
#pragma once

#include <gio/gio.h>

#include "base/hn-ip.h"

#define HN_TYPE_LINKS (hn_links_get_type ())
G_DECLARE_FINAL_TYPE (HnLinks, hn_links, HN, LINKS, GObject)

/* HN_ROUTE_TABLE_BASE + n is the table of the n-th tailnet; headnetN is its device. */
#define HN_ROUTE_TABLE_BASE 26728
#define HN_MARK 0x680000u
#define HN_MARK_MASK 0xff0000u
#define HN_RULE_FIRST 5300 /* our priorities: 5300 to 5390 */
#define HN_RULE_LAST 5390
#define HN_ROUTE_PROTOCOL 104 /* rtm_protocol of our routes, so that we know them again */

/* One socket for events and one for requests, in the current network name space.
 * Signal "changed" (gboolean major): @major when the set of usable addresses or the default route
 * changed, our own devices left aside. Signal "routes-lost" (int table): somebody removed ours. */
HnLinks *hn_links_new (GError **error);

/* Whether the kernel has a route to @ip (loopback counts only for loopback). */
gboolean hn_links_has_route (HnLinks *self, const HnIp *ip);
/* Whether any interface but loopback and our own devices has an address. */
gboolean hn_links_has_address (HnLinks *self);
/* The router of the default route of @family (4 or 6) that the kernel prefers, our own devices left
 * aside; family 0 without one. */
HnIp hn_links_get_default_gateway (HnLinks *self, guint8 family);
/* Addresses of interfaces that are up, without loopback, link-local and our own devices. */
GArray *hn_links_dup_addresses (HnLinks *self); /* of HnIp, transfer full */

typedef struct
{
  int ifindex;
  guint mtu;
  guint table;               /* HN_ROUTE_TABLE_BASE + n */
  gboolean leave_addresses;  /* somebody else (NetworkManager) sets and keeps them */
  const HnPrefix *addresses; /* of the device, full length prefixes */
  gsize n_addresses;
  const HnPrefix *routes; /* through the device, in the table */
  gsize n_routes;
} HnLinkSettings;

/* Sets device up with exactly these addresses, MTU, routes and this tailnet's rules; only
 * differences are sent. IPv6 is skipped silently on a host without it. */
gboolean hn_links_apply (HnLinks *self, const HnLinkSettings *settings, GError **error);
/* Adds and removes single routes of an applied table, without looking at the rest: a peer's change
 * costs O(1). */
gboolean hn_links_change_routes (HnLinks *self, int ifindex, guint table, const HnPrefix *added,
                                 gsize n_added, const HnPrefix *removed, gsize n_removed,
                                 GError **error);
/* Removes rules and routes of @table, also those of an earlier run. */
gboolean hn_links_clear (HnLinks *self, guint table, GError **error);
/* Removes whatever an earlier daemon left: rules in our priority range that lead to our tables, and
 * routes of those tables, for tables not in @keep. */
gboolean hn_links_clean_up (HnLinks *self, const guint *keep, gsize n_keep, GError **error);
/* The first n such that neither device headnetN exists nor a rule leads to its table. */
guint hn_links_find_free_number (HnLinks *self);
