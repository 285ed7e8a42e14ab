/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rtnetlink messages that Headnet speaks: links, addresses, routes and policy rules, each built
 * from and parsed into plain values. No socket here.
 */
#pragma once

#include <glib.h>
#include <netlink/msg.h>

#include "base/hn-ip.h"

typedef struct
{
  int ifindex;
  guint flags; /* IFF_ */
  guint mtu;
  char name[16];
  gboolean has_ipv6;    /* the device takes IPv6 addresses */
  gboolean makes_local; /* the kernel would give it a link-local address by itself */
} HnLinkInfo;

typedef struct
{
  int ifindex;
  HnPrefix prefix;
  guint8 scope;  /* RT_SCOPE_ */
  guint32 flags; /* IFA_F_ */
} HnAddressInfo;

typedef struct
{
  HnPrefix destination;
  guint32 table;
  guint32 metric;
  int ifindex;  /* of the only next hop, 0 otherwise */
  HnIp gateway; /* of the only next hop, family 0 without one */
  guint8 protocol;
  guint8 type; /* RTN_ */
} HnRouteInfo;

typedef struct
{
  guint8 family; /* 4 or 6 */
  guint32 priority;
  guint32 table;
  guint32 mark;
  guint32 mask;
  guint8 protocol;
  gboolean inverted;
  gboolean plain; /* no other selector, and the action is a look-up */
} HnRuleInfo;

/* FALSE for messages of another type, or malformed ones. */
gboolean hn_link_info_parse (struct nlmsghdr *message, HnLinkInfo *out);
gboolean hn_address_info_parse (struct nlmsghdr *message, HnAddressInfo *out);
gboolean hn_route_info_parse (struct nlmsghdr *message, HnRouteInfo *out);
gboolean hn_rule_info_parse (struct nlmsghdr *message, HnRuleInfo *out);

/* Requests; each returns a message that the caller owns. */
struct nl_msg *hn_link_message_query (int ifindex);
struct nl_msg *hn_link_message_dump (void);
struct nl_msg *hn_link_message_set (int ifindex, guint mtu, gboolean up);
/* The kernel shall not make link-local addresses. */
struct nl_msg *hn_link_message_set_quiet (int ifindex);
struct nl_msg *hn_address_message_dump (int ifindex); /* 0: all */
struct nl_msg *hn_address_message_change (gboolean add, int ifindex, const HnPrefix *prefix);
/* @table, @protocol: 0 for any; older kernels ignore both. */
struct nl_msg *hn_route_message_dump (guint8 family, guint32 table, guint8 protocol);
struct nl_msg *hn_route_message_query (const HnIp *ip, guint32 mark);
/* A route of ours. @ifindex 0: whatever device, when removing. */
struct nl_msg *hn_route_message_change (gboolean add, int ifindex, guint32 table,
                                        const HnPrefix *destination);
struct nl_msg *hn_rule_message_dump (guint8 family);
/* Our one rule: everything but our own packets looks into @table. */
struct nl_msg *hn_rule_message_add (guint8 family, guint32 priority, guint32 table);
struct nl_msg *hn_rule_message_remove (const HnRuleInfo *rule);
