/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "system/hn-links.h"

#include <errno.h>
#include <net/if.h>

#include "base/hn-error.h"
#include "system/hn-links-private.h"
#include "system/hn-routes.h"

/* One rule a tailnet: its priority is the first one plus the tailnet's number. */
#define N_TABLES (HN_RULE_LAST - HN_RULE_FIRST + 1)

static const guint8 families[] = { 4, 6 };

static gboolean
is_own_table (guint32 table)
{
  return table >= HN_ROUTE_TABLE_BASE && table < HN_ROUTE_TABLE_BASE + N_TABLES;
}

static guint32
priority_of (guint32 table)
{
  return HN_RULE_FIRST + (table - HN_ROUTE_TABLE_BASE);
}

static guint
prefix_hash (gconstpointer key)
{
  const HnPrefix *prefix = key;

  return hn_ip_hash (&prefix->ip) * 131 + prefix->bits;
}

static gboolean
prefix_equal (gconstpointer a, gconstpointer b)
{
  return hn_prefix_equal (a, b);
}

static void
visit_link (struct nlmsghdr *message, gpointer user)
{
  HnLinkInfo link;

  if (hn_link_info_parse (message, &link))
    *(HnLinkInfo *) user = link;
}

static gboolean
query_link (HnLinks *self, int ifindex, HnLinkInfo *out, GError **error)
{
  int result;

  out->ifindex = 0;
  result = hn_netlink_query (self->netlink, hn_link_message_query (ifindex), visit_link, out);
  if (result == 0 && out->ifindex != ifindex)
    result = -ENODEV;
  if (result < 0)
    hn_netlink_set_error (error, result, "find the tunnel's network device");
  return result == 0;
}

static gboolean
apply_link (HnLinks *self, const HnLinkSettings *settings, HnLinkInfo *link, GError **error)
{
  if (!query_link (self, settings->ifindex, link, error))
    return FALSE;
  if (settings->mtu != 0 && link->mtu != settings->mtu)
    {
      hn_netlink_queue (self->netlink,
                        hn_link_message_set (settings->ifindex, settings->mtu, FALSE), 0,
                        "set the device's MTU");
      /* The kernel takes IPv6 away below 1280 and gives it back above: ask again. */
      if (!hn_netlink_flush (self->netlink, error)
          || !query_link (self, settings->ifindex, link, error))
        return FALSE;
    }
  if (link->has_ipv6 && link->makes_local)
    /* A cosmetic wish; kernels that can not do it make one more address, no more. */
    hn_netlink_queue (self->netlink, hn_link_message_set_quiet (settings->ifindex), EOPNOTSUPP,
                      "set up the device");
  return TRUE;
}

typedef struct
{
  HnLinks *links;
  int ifindex;
  GHashTable *wanted; /* HnPrefix; what is found is taken out */
} AddressDiff;

static void
visit_address (struct nlmsghdr *message, gpointer user)
{
  AddressDiff *diff = user;
  HnAddressInfo address;

  if (!hn_address_info_parse (message, &address) || address.ifindex != diff->ifindex)
    return;
  if (g_hash_table_remove (diff->wanted, &address.prefix))
    return;
  if (!hn_ip_is_link_local (&address.prefix.ip))
    hn_netlink_queue (diff->links->netlink,
                      hn_address_message_change (FALSE, diff->ifindex, &address.prefix),
                      EADDRNOTAVAIL, "remove an address");
}

static gboolean
apply_addresses (HnLinks *self, const HnLinkSettings *settings, const HnLinkInfo *link,
                 GError **error)
{
  g_autoptr (GHashTable) wanted = g_hash_table_new (prefix_hash, prefix_equal);
  AddressDiff diff = { self, settings->ifindex, wanted };

  if (settings->leave_addresses)
    return TRUE;
  for (gsize i = 0; i < settings->n_addresses; i++)
    if (settings->addresses[i].ip.family == 4 || link->has_ipv6)
      g_hash_table_add (wanted, (gpointer) &settings->addresses[i]);
  if (!hn_netlink_dump (self->netlink, hn_address_message_dump (settings->ifindex), visit_address,
                        &diff, error))
    return FALSE;
  /* In the order given: the first one becomes the source of what leaves. */
  for (gsize i = 0; i < settings->n_addresses; i++)
    if (g_hash_table_contains (wanted, &settings->addresses[i]))
      hn_netlink_queue (
          self->netlink,
          hn_address_message_change (TRUE, settings->ifindex, &settings->addresses[i]), 0,
          "add an address");
  return TRUE;
}

typedef struct
{
  HnLinks *links;
  guint32 table;
  int ifindex;
  GHashTable *wanted; /* HnPrefix; what is found is taken out */
} RouteDiff;

static void
visit_route (struct nlmsghdr *message, gpointer user)
{
  RouteDiff *diff = user;
  HnRouteInfo route;

  if (!hn_route_info_parse (message, &route) || route.table != diff->table
      || route.protocol != HN_ROUTE_PROTOCOL)
    return;
  if (route.ifindex == diff->ifindex && g_hash_table_remove (diff->wanted, &route.destination))
    return;
  hn_netlink_queue (diff->links->netlink,
                    hn_route_message_change (FALSE, route.ifindex, route.table, &route.destination),
                    ESRCH, "remove a route");
}

static void
free_prefix (gpointer data)
{
  g_slice_free (HnPrefix, data);
}

static gboolean
apply_routes (HnLinks *self, const HnLinkSettings *settings, const HnLinkInfo *link, GError **error)
{
  g_autoptr (GHashTable) wanted
      = g_hash_table_new_full (prefix_hash, prefix_equal, free_prefix, NULL);
  RouteDiff diff = { self, settings->table, settings->ifindex, wanted };
  GHashTableIter iter;
  gpointer key;

  for (gsize i = 0; i < settings->n_routes; i++)
    if (settings->routes[i].ip.family == 4 || link->has_ipv6)
      {
        HnPrefix masked = hn_prefix_masked (&settings->routes[i]);

        g_hash_table_add (wanted, g_slice_dup (HnPrefix, &masked));
      }
  for (guint i = 0; i < G_N_ELEMENTS (families); i++)
    if (!hn_netlink_dump (self->netlink,
                          hn_route_message_dump (families[i], settings->table, HN_ROUTE_PROTOCOL),
                          visit_route, &diff, error))
      return FALSE;
  g_hash_table_iter_init (&iter, wanted);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    /* Somebody else's route to the same place stays; theirs is the say. */
    hn_netlink_queue (self->netlink,
                      hn_route_message_change (TRUE, settings->ifindex, settings->table, key),
                      EEXIST, "add a route");
  return TRUE;
}

typedef struct
{
  HnLinks *links;
  guint32 table; /* 0: all of ours, but for @keep */
  const guint *keep;
  gsize n_keep;
  gboolean keep_right; /* the rule as we would make it stays */
  gboolean found;
} RuleDiff;

/* Ours are in our range of priorities and lead to one of our tables. */
static gboolean
is_own_rule (const HnRuleInfo *rule)
{
  return rule->priority >= HN_RULE_FIRST && rule->priority <= HN_RULE_LAST
         && is_own_table (rule->table) && rule->plain;
}

static void
visit_rule (struct nlmsghdr *message, gpointer user)
{
  RuleDiff *diff = user;
  HnRuleInfo rule;

  if (!hn_rule_info_parse (message, &rule) || !is_own_rule (&rule))
    return;
  if (diff->table != 0 && rule.table != diff->table)
    return;
  for (gsize i = 0; i < diff->n_keep; i++)
    if (diff->keep[i] == rule.table)
      return;
  if (diff->keep_right && !diff->found && rule.inverted && rule.mark == HN_MARK
      && rule.mask == HN_MARK_MASK && rule.priority == priority_of (rule.table)
      && rule.protocol == HN_ROUTE_PROTOCOL)
    {
      diff->found = TRUE;
      return;
    }
  hn_netlink_queue (diff->links->netlink, hn_rule_message_remove (&rule), ENOENT,
                    "remove a policy rule");
}

static gboolean
apply_rules (HnLinks *self, guint32 table, gboolean has_ipv6, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (families); i++)
    {
      RuleDiff diff = { .links = self, .table = table, .keep_right = TRUE };

      if (families[i] == 6 && !has_ipv6)
        continue;
      if (!hn_netlink_dump (self->netlink, hn_rule_message_dump (families[i]), visit_rule, &diff,
                            error))
        return FALSE;
      if (!diff.found)
        hn_netlink_queue (self->netlink,
                          hn_rule_message_add (families[i], priority_of (table), table), EEXIST,
                          "add a policy rule");
    }
  return TRUE;
}

gboolean
hn_links_apply (HnLinks *self, const HnLinkSettings *settings, GError **error)
{
  g_autoptr (GError) failure = NULL;
  HnLinkInfo link;
  gboolean ok;

  g_return_val_if_fail (HN_IS_LINKS (self), FALSE);
  g_return_val_if_fail (is_own_table (settings->table), FALSE);

  /* Each step is sent even if one before it failed to be read, so that nothing stays queued. */
  ok = apply_link (self, settings, &link, &failure)
       && apply_addresses (self, settings, &link, &failure);
  if (ok && !(link.flags & IFF_UP))
    hn_netlink_queue (self->netlink, hn_link_message_set (settings->ifindex, 0, TRUE), 0,
                      "set the device up");
  /* Routes can only be added, and are only listed rightly, on a device that is up. */
  ok = hn_netlink_flush (self->netlink, ok ? &failure : NULL) && ok;
  ok = ok && apply_routes (self, settings, &link, &failure)
       && apply_rules (self, settings->table, link.has_ipv6, &failure);
  ok = hn_netlink_flush (self->netlink, ok ? &failure : NULL) && ok;
  if (!ok)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  g_hash_table_insert (self->applied, GUINT_TO_POINTER (settings->table),
                       GINT_TO_POINTER (settings->ifindex));
  return TRUE;
}

gboolean
hn_links_change_routes (HnLinks *self, int ifindex, guint table, const HnPrefix *added,
                        gsize n_added, const HnPrefix *removed, gsize n_removed, GError **error)
{
  gboolean has_ipv6 = TRUE;
  gboolean any_ipv6 = FALSE;

  g_return_val_if_fail (HN_IS_LINKS (self), FALSE);
  g_return_val_if_fail (is_own_table (table), FALSE);

  for (gsize i = 0; i < n_added; i++)
    any_ipv6 = any_ipv6 || added[i].ip.family == 6;
  if (any_ipv6)
    {
      HnLinkInfo link;

      if (!query_link (self, ifindex, &link, error))
        return FALSE;
      has_ipv6 = link.has_ipv6;
    }
  for (gsize i = 0; i < n_removed; i++)
    hn_netlink_queue (self->netlink, hn_route_message_change (FALSE, ifindex, table, &removed[i]),
                      ESRCH, "remove a route");
  for (gsize i = 0; i < n_added; i++)
    if (added[i].ip.family == 4 || has_ipv6)
      hn_netlink_queue (self->netlink, hn_route_message_change (TRUE, ifindex, table, &added[i]),
                        EEXIST, "add a route");
  return hn_netlink_flush (self->netlink, error);
}

typedef struct
{
  HnLinks *links;
  guint32 table; /* 0: all of ours, but for @keep */
  const guint *keep;
  gsize n_keep;
} RouteSweep;

static void
visit_left_route (struct nlmsghdr *message, gpointer user)
{
  RouteSweep *sweep = user;
  HnRouteInfo route;

  if (!hn_route_info_parse (message, &route) || route.protocol != HN_ROUTE_PROTOCOL
      || !is_own_table (route.table) || (sweep->table != 0 && route.table != sweep->table))
    return;
  for (gsize i = 0; i < sweep->n_keep; i++)
    if (sweep->keep[i] == route.table)
      return;
  hn_netlink_queue (sweep->links->netlink,
                    hn_route_message_change (FALSE, route.ifindex, route.table, &route.destination),
                    ESRCH, "remove a route");
}

static gboolean
sweep (HnLinks *self, guint32 table, const guint *keep, gsize n_keep, GError **error)
{
  g_autoptr (GError) failure = NULL;
  gboolean ok = TRUE;

  for (guint i = 0; ok && i < G_N_ELEMENTS (families); i++)
    {
      RuleDiff rules = { .links = self, .table = table, .keep = keep, .n_keep = n_keep };
      RouteSweep routes = { .links = self, .table = table, .keep = keep, .n_keep = n_keep };

      /* Rules first: from then on nothing is led to a table that is being emptied. */
      ok = hn_netlink_dump (self->netlink, hn_rule_message_dump (families[i]), visit_rule, &rules,
                            &failure)
           && hn_netlink_dump (self->netlink,
                               hn_route_message_dump (families[i], table, HN_ROUTE_PROTOCOL),
                               visit_left_route, &routes, &failure);
    }
  ok = hn_netlink_flush (self->netlink, ok ? &failure : NULL) && ok;
  if (!ok)
    g_propagate_error (error, g_steal_pointer (&failure));
  return ok;
}

gboolean
hn_links_clear (HnLinks *self, guint table, GError **error)
{
  g_return_val_if_fail (HN_IS_LINKS (self), FALSE);
  g_return_val_if_fail (is_own_table (table), FALSE);

  g_hash_table_remove (self->applied, GUINT_TO_POINTER (table));
  return sweep (self, table, NULL, 0, error);
}

gboolean
hn_links_clean_up (HnLinks *self, const guint *keep, gsize n_keep, GError **error)
{
  g_return_val_if_fail (HN_IS_LINKS (self), FALSE);

  return sweep (self, 0, keep, n_keep, error);
}

static void
visit_used_rule (struct nlmsghdr *message, gpointer user)
{
  gboolean *used = user;
  HnRuleInfo rule;

  if (hn_rule_info_parse (message, &rule) && is_own_table (rule.table))
    used[rule.table - HN_ROUTE_TABLE_BASE] = TRUE;
}

guint
hn_links_find_free_number (HnLinks *self)
{
  gboolean used[N_TABLES] = { FALSE };

  g_return_val_if_fail (HN_IS_LINKS (self), 0);

  for (guint i = 0; i < G_N_ELEMENTS (families); i++)
    hn_netlink_dump (self->netlink, hn_rule_message_dump (families[i]), visit_used_rule, used,
                     NULL);
  for (guint n = 0; n < N_TABLES; n++)
    {
      char name[IF_NAMESIZE];

      g_snprintf (name, sizeof name, "headnet%u", n);
      if (!used[n] && if_nametoindex (name) == 0)
        return n;
    }
  return N_TABLES;
}
