/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "system/hn-routes.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <string.h>

#include "system/hn-links.h"

static int
to_af (guint8 family)
{
  return family == 4 ? AF_INET : AF_INET6;
}

static guint8
from_af (int af)
{
  return af == AF_INET ? 4 : (af == AF_INET6 ? 6 : 0);
}

static gsize
address_len (guint8 family)
{
  return family == 4 ? 4 : 16;
}

static gboolean
get_ip (struct nlattr *attribute, guint8 family, HnIp *out)
{
  if (attribute == NULL || (gsize) nla_len (attribute) != address_len (family))
    return FALSE;
  /* Not hn_ip_from_bytes(): a mapped address must stay what the kernel says it is. */
  memset (out, 0, sizeof *out);
  out->family = family;
  memcpy (out->bytes, nla_data (attribute), address_len (family));
  return TRUE;
}

static guint32
get_u32 (struct nlattr *attribute, guint32 fallback)
{
  return attribute != NULL && nla_len (attribute) >= 4 ? nla_get_u32 (attribute) : fallback;
}

/* Whether the kernel has IPv6 on the device, and whether it makes link-local addresses there. */
static void
parse_af_spec (struct nlattr *spec, HnLinkInfo *out)
{
  struct nlattr *families[AF_INET6 + 1] = { NULL };
  struct nlattr *inet6[IFLA_INET6_MAX + 1] = { NULL };
  struct nlattr *conf;

  if (spec == NULL || nla_parse_nested (families, AF_INET6, spec, NULL) < 0
      || families[AF_INET6] == NULL
      || nla_parse_nested (inet6, IFLA_INET6_MAX, families[AF_INET6], NULL) < 0)
    return;
  out->has_ipv6 = TRUE;
  conf = inet6[IFLA_INET6_CONF];
  if (conf != NULL && nla_len (conf) >= (int) ((DEVCONF_DISABLE_IPV6 + 1) * sizeof (gint32)))
    {
      gint32 disabled;

      memcpy (&disabled, (guint8 *) nla_data (conf) + DEVCONF_DISABLE_IPV6 * sizeof disabled,
              sizeof disabled);
      out->has_ipv6 = disabled == 0;
    }
  out->makes_local = inet6[IFLA_INET6_ADDR_GEN_MODE] == NULL
                     || nla_get_u8 (inet6[IFLA_INET6_ADDR_GEN_MODE]) != IN6_ADDR_GEN_MODE_NONE;
}

gboolean
hn_link_info_parse (struct nlmsghdr *message, HnLinkInfo *out)
{
  struct nlattr *attributes[IFLA_MAX + 1] = { NULL };
  struct ifinfomsg *info;

  memset (out, 0, sizeof *out);
  if ((message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK)
      || !nlmsg_valid_hdr (message, sizeof *info)
      || nlmsg_parse (message, sizeof *info, attributes, IFLA_MAX, NULL) < 0)
    return FALSE;
  info = nlmsg_data (message);
  out->ifindex = info->ifi_index;
  out->flags = info->ifi_flags;
  out->mtu = get_u32 (attributes[IFLA_MTU], 0);
  if (attributes[IFLA_IFNAME] != NULL)
    nla_strlcpy (out->name, attributes[IFLA_IFNAME], sizeof out->name);
  parse_af_spec (attributes[IFLA_AF_SPEC], out);
  return TRUE;
}

gboolean
hn_address_info_parse (struct nlmsghdr *message, HnAddressInfo *out)
{
  struct nlattr *attributes[IFA_MAX + 1] = { NULL };
  struct ifaddrmsg *info;
  guint8 family;

  memset (out, 0, sizeof *out);
  if ((message->nlmsg_type != RTM_NEWADDR && message->nlmsg_type != RTM_DELADDR)
      || !nlmsg_valid_hdr (message, sizeof *info)
      || nlmsg_parse (message, sizeof *info, attributes, IFA_MAX, NULL) < 0)
    return FALSE;
  info = nlmsg_data (message);
  family = from_af (info->ifa_family);
  if (family == 0)
    return FALSE;
  /* On a point-to-point link IFA_ADDRESS is the other end; IFA_LOCAL is always ours. */
  if (!get_ip (attributes[IFA_LOCAL], family, &out->prefix.ip)
      && !get_ip (attributes[IFA_ADDRESS], family, &out->prefix.ip))
    return FALSE;
  out->prefix.bits = info->ifa_prefixlen;
  out->ifindex = (int) info->ifa_index;
  out->scope = info->ifa_scope;
  out->flags = get_u32 (attributes[IFA_FLAGS], info->ifa_flags);
  return TRUE;
}

gboolean
hn_route_info_parse (struct nlmsghdr *message, HnRouteInfo *out)
{
  struct nlattr *attributes[RTA_MAX + 1] = { NULL };
  struct rtmsg *info;
  guint8 family;

  memset (out, 0, sizeof *out);
  if ((message->nlmsg_type != RTM_NEWROUTE && message->nlmsg_type != RTM_DELROUTE)
      || !nlmsg_valid_hdr (message, sizeof *info)
      || nlmsg_parse (message, sizeof *info, attributes, RTA_MAX, NULL) < 0)
    return FALSE;
  info = nlmsg_data (message);
  family = from_af (info->rtm_family);
  if (family == 0 || (info->rtm_flags & RTM_F_CLONED))
    return FALSE;
  out->destination.bits = info->rtm_dst_len;
  if (!get_ip (attributes[RTA_DST], family, &out->destination.ip))
    {
      if (info->rtm_dst_len != 0)
        return FALSE;
      out->destination.ip.family = family;
    }
  out->table = get_u32 (attributes[RTA_TABLE], info->rtm_table);
  out->metric = get_u32 (attributes[RTA_PRIORITY], 0);
  out->ifindex = (int) get_u32 (attributes[RTA_OIF], 0);
  get_ip (attributes[RTA_GATEWAY], family, &out->gateway);
  out->protocol = info->rtm_protocol;
  out->type = info->rtm_type;
  return TRUE;
}

gboolean
hn_rule_info_parse (struct nlmsghdr *message, HnRuleInfo *out)
{
  static const guint8 selectors[]
      = { FRA_DST,    FRA_SRC,       FRA_IIFNAME,  FRA_OIFNAME,     FRA_FLOW,        FRA_TUN_ID,
          FRA_L3MDEV, FRA_UID_RANGE, FRA_IP_PROTO, FRA_SPORT_RANGE, FRA_DPORT_RANGE, FRA_GOTO };
  struct nlattr *attributes[FRA_MAX + 1] = { NULL };
  struct fib_rule_hdr *info;

  memset (out, 0, sizeof *out);
  if ((message->nlmsg_type != RTM_NEWRULE && message->nlmsg_type != RTM_DELRULE)
      || !nlmsg_valid_hdr (message, sizeof *info)
      || nlmsg_parse (message, sizeof *info, attributes, FRA_MAX, NULL) < 0)
    return FALSE;
  info = nlmsg_data (message);
  out->family = from_af (info->family);
  if (out->family == 0)
    return FALSE;
  out->priority = get_u32 (attributes[FRA_PRIORITY], 0);
  out->table = get_u32 (attributes[FRA_TABLE], info->table);
  out->mark = get_u32 (attributes[FRA_FWMARK], 0);
  out->mask = get_u32 (attributes[FRA_FWMASK], 0);
  if (attributes[FRA_PROTOCOL] != NULL)
    out->protocol = nla_get_u8 (attributes[FRA_PROTOCOL]);
  out->inverted = (info->flags & FIB_RULE_INVERT) != 0;
  out->plain
      = info->action == FR_ACT_TO_TBL && info->dst_len == 0 && info->src_len == 0 && info->tos == 0;
  for (guint i = 0; i < G_N_ELEMENTS (selectors); i++)
    if (attributes[selectors[i]] != NULL
        && !(selectors[i] == FRA_L3MDEV && nla_get_u8 (attributes[selectors[i]]) == 0))
      out->plain = FALSE;
  return TRUE;
}

static struct nl_msg *
message_new (int type, int flags, void *header, gsize header_len)
{
  struct nl_msg *message = nlmsg_alloc_size (256);

  if (message == NULL || nlmsg_put (message, 0, 0, type, 0, flags) == NULL
      || nlmsg_append (message, header, header_len, NLMSG_ALIGNTO) < 0)
    g_error ("out of memory for a netlink message");
  return message;
}

/* The messages are small and their room is fixed: running out of it is a bug of ours. */
static void
put (struct nl_msg *message, int type, const void *data, gsize len)
{
  if (nla_put (message, type, (int) len, data) < 0)
    g_error ("netlink message too small");
}

static void
put_u32 (struct nl_msg *message, int type, guint32 value)
{
  put (message, type, &value, sizeof value);
}

struct nl_msg *
hn_link_message_query (int ifindex)
{
  struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = ifindex };

  return message_new (RTM_GETLINK, 0, &info, sizeof info);
}

struct nl_msg *
hn_link_message_dump (void)
{
  struct ifinfomsg info = { .ifi_family = AF_UNSPEC };

  return message_new (RTM_GETLINK, 0, &info, sizeof info);
}

struct nl_msg *
hn_link_message_set (int ifindex, guint mtu, gboolean up)
{
  struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = ifindex };
  struct nl_msg *message;

  if (up)
    info.ifi_flags = info.ifi_change = IFF_UP;
  message = message_new (RTM_NEWLINK, 0, &info, sizeof info);
  if (mtu > 0)
    put_u32 (message, IFLA_MTU, mtu);
  return message;
}

struct nl_msg *
hn_link_message_set_quiet (int ifindex)
{
  struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = ifindex };
  struct nl_msg *message = message_new (RTM_NEWLINK, 0, &info, sizeof info);
  struct nlattr *spec = nla_nest_start (message, IFLA_AF_SPEC);
  struct nlattr *inet6 = nla_nest_start (message, AF_INET6);
  guint8 mode = IN6_ADDR_GEN_MODE_NONE;

  put (message, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
  nla_nest_end (message, inet6);
  nla_nest_end (message, spec);
  return message;
}

struct nl_msg *
hn_address_message_dump (int ifindex)
{
  struct ifaddrmsg info = { .ifa_family = AF_UNSPEC, .ifa_index = (guint32) ifindex };

  return message_new (RTM_GETADDR, 0, &info, sizeof info);
}

struct nl_msg *
hn_address_message_change (gboolean add, int ifindex, const HnPrefix *prefix)
{
  struct ifaddrmsg info = {
    .ifa_family = (guint8) to_af (prefix->ip.family),
    .ifa_prefixlen = prefix->bits,
    .ifa_index = (guint32) ifindex,
    .ifa_scope = RT_SCOPE_UNIVERSE,
  };
  struct nl_msg *message = message_new (add ? RTM_NEWADDR : RTM_DELADDR,
                                        add ? NLM_F_CREATE | NLM_F_REPLACE : 0, &info, sizeof info);

  put (message, IFA_LOCAL, prefix->ip.bytes, address_len (prefix->ip.family));
  put (message, IFA_ADDRESS, prefix->ip.bytes, address_len (prefix->ip.family));
  /* Nobody else can have the address, and all routes are made by us. */
  if (add)
    put_u32 (message, IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
  return message;
}

struct nl_msg *
hn_route_message_dump (guint8 family, guint32 table, guint8 protocol)
{
  struct rtmsg info = { .rtm_family = (guint8) to_af (family), .rtm_protocol = protocol };
  struct nl_msg *message = message_new (RTM_GETROUTE, 0, &info, sizeof info);

  if (table != 0)
    put_u32 (message, RTA_TABLE, table);
  return message;
}

struct nl_msg *
hn_route_message_query (const HnIp *ip, guint32 mark)
{
  struct rtmsg info
      = { .rtm_family = (guint8) to_af (ip->family), .rtm_dst_len = ip->family == 4 ? 32 : 128 };
  struct nl_msg *message = message_new (RTM_GETROUTE, 0, &info, sizeof info);

  put (message, RTA_DST, ip->bytes, address_len (ip->family));
  put_u32 (message, RTA_MARK, mark);
  return message;
}

struct nl_msg *
hn_route_message_change (gboolean add, int ifindex, guint32 table, const HnPrefix *destination)
{
  HnPrefix masked = hn_prefix_masked (destination);
  struct rtmsg info = {
    .rtm_family = (guint8) to_af (masked.ip.family),
    .rtm_dst_len = masked.bits,
    .rtm_table = RT_TABLE_UNSPEC,
    .rtm_protocol = HN_ROUTE_PROTOCOL,
    .rtm_scope = masked.ip.family == 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
    .rtm_type = RTN_UNICAST,
  };
  struct nl_msg *message;

  if (!add)
    info.rtm_scope = masked.ip.family == 4 ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE;
  message = message_new (add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_EXCL : 0,
                         &info, sizeof info);
  put (message, RTA_DST, masked.ip.bytes, address_len (masked.ip.family));
  put_u32 (message, RTA_TABLE, table);
  if (ifindex != 0)
    put_u32 (message, RTA_OIF, (guint32) ifindex);
  return message;
}

struct nl_msg *
hn_rule_message_dump (guint8 family)
{
  struct fib_rule_hdr info = { .family = (guint8) to_af (family) };

  return message_new (RTM_GETRULE, 0, &info, sizeof info);
}

struct nl_msg *
hn_rule_message_add (guint8 family, guint32 priority, guint32 table)
{
  struct fib_rule_hdr info = {
    .family = (guint8) to_af (family),
    .table = RT_TABLE_UNSPEC,
    .action = FR_ACT_TO_TBL,
    .flags = FIB_RULE_INVERT,
  };
  struct nl_msg *message = message_new (RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof info);
  guint8 protocol = HN_ROUTE_PROTOCOL;

  put_u32 (message, FRA_PRIORITY, priority);
  put_u32 (message, FRA_TABLE, table);
  put_u32 (message, FRA_FWMARK, HN_MARK);
  put_u32 (message, FRA_FWMASK, HN_MARK_MASK);
  put (message, FRA_PROTOCOL, &protocol, sizeof protocol);
  return message;
}

struct nl_msg *
hn_rule_message_remove (const HnRuleInfo *rule)
{
  struct fib_rule_hdr info = {
    .family = (guint8) to_af (rule->family),
    .table = RT_TABLE_UNSPEC,
    .action = FR_ACT_TO_TBL,
    .flags = rule->inverted ? FIB_RULE_INVERT : 0,
  };
  struct nl_msg *message = message_new (RTM_DELRULE, 0, &info, sizeof info);

  put_u32 (message, FRA_PRIORITY, rule->priority);
  put_u32 (message, FRA_TABLE, rule->table);
  if (rule->mask != 0)
    {
      put_u32 (message, FRA_FWMARK, rule->mark);
      put_u32 (message, FRA_FWMASK, rule->mask);
    }
  if (rule->protocol != 0)
    put (message, FRA_PROTOCOL, &rule->protocol, sizeof rule->protocol);
  return message;
}
