/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "system/hn-links.h"

#include <errno.h>
#include <glib-unix.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hn-error.h"
#include "base/hn-source.h"
#include "system/hn-links-private.h"
#include "system/hn-routes.h"

#define SETTLE_MS 250
#define EVENT_BYTES 32768
#define OWN_NAME "headnet"

enum
{
  CHANGED,
  ROUTES_LOST,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (HnLinks, hn_links, G_TYPE_OBJECT)

gboolean
hn_links_is_own_name (const char *name)
{
  const char *digits;

  if (!g_str_has_prefix (name, OWN_NAME))
    return FALSE;
  digits = name + strlen (OWN_NAME);
  return *digits != '\0' && strspn (digits, "0123456789") == strlen (digits);
}

static void
hn_links_dispose (GObject *object)
{
  HnLinks *self = HN_LINKS (object);

  hn_source_clear (&self->event_source);
  hn_source_clear (&self->settle_source);
  G_OBJECT_CLASS (hn_links_parent_class)->dispose (object);
}

static void
hn_links_finalize (GObject *object)
{
  HnLinks *self = HN_LINKS (object);

  g_clear_pointer (&self->netlink, hn_netlink_free);
  if (self->event_fd >= 0)
    close (self->event_fd);
  g_clear_pointer (&self->lost, g_hash_table_unref);
  g_clear_pointer (&self->applied, g_hash_table_unref);
  g_clear_pointer (&self->links, g_array_unref);
  g_clear_pointer (&self->addresses, g_array_unref);
  g_free (self->signature);
  G_OBJECT_CLASS (hn_links_parent_class)->finalize (object);
}

static void
hn_links_class_init (HnLinksClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = hn_links_dispose;
  object_class->finalize = hn_links_finalize;
  signals[CHANGED] = g_signal_new ("changed", HN_TYPE_LINKS, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 1, G_TYPE_BOOLEAN);
  signals[ROUTES_LOST] = g_signal_new ("routes-lost", HN_TYPE_LINKS, G_SIGNAL_RUN_LAST, 0, NULL,
                                       NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
}

static void
hn_links_init (HnLinks *self)
{
  self->event_fd = -1;
  self->stale = TRUE;
  self->lost = g_hash_table_new (NULL, NULL);
  self->applied = g_hash_table_new (NULL, NULL);
  self->links = g_array_new (FALSE, FALSE, sizeof (HnLinkInfo));
  self->addresses = g_array_new (FALSE, FALSE, sizeof (HnAddressInfo));
}

static const HnLinkInfo *
find_link (HnLinks *self, int ifindex)
{
  for (guint i = 0; i < self->links->len; i++)
    {
      const HnLinkInfo *link = &g_array_index (self->links, HnLinkInfo, i);

      if (link->ifindex == ifindex)
        return link;
    }
  return NULL;
}

static gpointer
applied_table_of (HnLinks *self, int ifindex)
{
  GHashTableIter iter;
  gpointer table, value;

  g_hash_table_iter_init (&iter, self->applied);
  while (g_hash_table_iter_next (&iter, &table, &value))
    if (GPOINTER_TO_INT (value) == ifindex)
      return table;
  return NULL;
}

static gboolean
is_own_ifindex (HnLinks *self, int ifindex)
{
  const HnLinkInfo *link;

  if (applied_table_of (self, ifindex) != NULL)
    return TRUE;
  link = find_link (self, ifindex);
  return link != NULL && hn_links_is_own_name (link->name);
}

static void
visit_link (struct nlmsghdr *message, gpointer user)
{
  HnLinks *self = user;
  HnLinkInfo link;

  if (hn_link_info_parse (message, &link))
    g_array_append_val (self->links, link);
}

static void
visit_address (struct nlmsghdr *message, gpointer user)
{
  HnLinks *self = user;
  HnAddressInfo address;

  if (hn_address_info_parse (message, &address))
    g_array_append_val (self->addresses, address);
}

/* Reads links and addresses again if an event said that they changed. */
static void
refresh (HnLinks *self)
{
  g_autoptr (GError) error = NULL;

  if (!self->stale)
    return;
  self->stale = FALSE;
  g_array_set_size (self->links, 0);
  g_array_set_size (self->addresses, 0);
  if (!hn_netlink_dump (self->netlink, hn_link_message_dump (), visit_link, self, &error)
      || !hn_netlink_dump (self->netlink, hn_address_message_dump (0), visit_address, self, &error))
    {
      g_warning ("%s", error->message);
      self->stale = TRUE;
    }
}

/* Addresses that packets can leave from: neither of loopback nor link-local nor ours. */
static gboolean
is_usable (HnLinks *self, const HnAddressInfo *address)
{
  const HnLinkInfo *link = find_link (self, address->ifindex);

  return link != NULL && (link->flags & IFF_UP) && !(link->flags & IFF_LOOPBACK)
         && !is_own_ifindex (self, address->ifindex) && address->scope < RT_SCOPE_LINK
         && !(address->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED))
         && !hn_ip_is_link_local (&address->prefix.ip) && !hn_ip_is_loopback (&address->prefix.ip);
}

typedef struct
{
  HnLinks *links;
  GPtrArray *lines;
} Defaults;

static void
visit_default_route (struct nlmsghdr *message, gpointer user)
{
  Defaults *defaults = user;
  HnRouteInfo route;

  if (hn_route_info_parse (message, &route) && route.table == RT_TABLE_MAIN
      && route.destination.bits == 0 && route.type == RTN_UNICAST
      && !is_own_ifindex (defaults->links, route.ifindex))
    g_ptr_array_add (defaults->lines,
                     g_strdup_printf ("default %d %d %u", route.destination.ip.family,
                                      route.ifindex, route.metric));
}

static int
compare_lines (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* One text of all that makes a change a major one, to be compared with the last. */
static char *
make_signature (HnLinks *self)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  Defaults defaults = { self, lines };
  char text[HN_IP_TEXT_MAX];

  for (guint i = 0; i < self->addresses->len; i++)
    {
      const HnAddressInfo *address = &g_array_index (self->addresses, HnAddressInfo, i);

      if (is_usable (self, address))
        g_ptr_array_add (lines, g_strdup_printf ("%d %s", address->ifindex,
                                                 hn_ip_format (&address->prefix.ip, text)));
    }
  hn_netlink_dump (self->netlink, hn_route_message_dump (4, RT_TABLE_MAIN, 0), visit_default_route,
                   &defaults, NULL);
  hn_netlink_dump (self->netlink, hn_route_message_dump (6, RT_TABLE_MAIN, 0), visit_default_route,
                   &defaults, NULL);
  g_ptr_array_sort (lines, compare_lines);
  g_ptr_array_add (lines, NULL);
  return g_strjoinv ("\n", (char **) lines->pdata);
}

static gboolean
on_settled (gpointer user_data)
{
  g_autoptr (HnLinks) self = g_object_ref (user_data);
  g_autoptr (GHashTable) lost = g_steal_pointer (&self->lost);
  g_autofree char *signature = NULL;
  GHashTableIter iter;
  gpointer table;

  hn_source_clear (&self->settle_source);
  self->lost = g_hash_table_new (NULL, NULL);
  refresh (self);

  g_hash_table_iter_init (&iter, lost);
  while (g_hash_table_iter_next (&iter, &table, NULL))
    {
      int ifindex = GPOINTER_TO_INT (g_hash_table_lookup (self->applied, table));

      /* With its device gone there is nothing to restore, and the packet port tells that. */
      if (ifindex != 0 && find_link (self, ifindex) != NULL)
        g_signal_emit (self, signals[ROUTES_LOST], 0, GPOINTER_TO_INT (table));
    }

  if (self->event_pending)
    {
      gboolean major;

      self->event_pending = FALSE;
      signature = make_signature (self);
      major = strcmp (signature, self->signature) != 0;
      g_free (self->signature);
      self->signature = g_steal_pointer (&signature);
      g_debug ("network changed%s", major ? ", addresses or default route too" : "");
      g_signal_emit (self, signals[CHANGED], 0, major);
    }
  return G_SOURCE_REMOVE;
}

static void
note_lost (HnLinks *self, guint32 table)
{
  if (g_hash_table_contains (self->applied, GUINT_TO_POINTER (table)))
    g_hash_table_add (self->lost, GUINT_TO_POINTER (table));
}

/* Sorts one event: what is ours and was lost, what is ours and expected, what is the network's. */
static void
note_event (HnLinks *self, struct nlmsghdr *message)
{
  gboolean by_us = message->nlmsg_pid == hn_netlink_get_port (self->netlink);
  HnLinkInfo link;
  HnAddressInfo address;
  HnRouteInfo route;
  HnRuleInfo rule;
  gpointer table;

  if (hn_link_info_parse (message, &link))
    {
      self->stale = TRUE;
      table = applied_table_of (self, link.ifindex);
      /* A device that is set down loses its IPv4 routes without a word about each. */
      if (table != NULL && !by_us && !(link.flags & IFF_UP))
        note_lost (self, GPOINTER_TO_UINT (table));
      if (table == NULL && !hn_links_is_own_name (link.name))
        self->event_pending = TRUE;
    }
  else if (hn_address_info_parse (message, &address))
    {
      self->stale = TRUE;
      table = applied_table_of (self, address.ifindex);
      if (table != NULL && !by_us && message->nlmsg_type == RTM_DELADDR)
        note_lost (self, GPOINTER_TO_UINT (table));
      if (!is_own_ifindex (self, address.ifindex))
        self->event_pending = TRUE;
    }
  else if (hn_route_info_parse (message, &route))
    {
      if (route.protocol == HN_ROUTE_PROTOCOL)
        {
          if (!by_us && message->nlmsg_type == RTM_DELROUTE)
            note_lost (self, route.table);
        }
      else if (route.table == RT_TABLE_MAIN && route.destination.bits == 0)
        self->event_pending = TRUE;
    }
  else if (hn_rule_info_parse (message, &rule))
    {
      if (!by_us && message->nlmsg_type == RTM_DELRULE)
        note_lost (self, rule.table);
    }
}

/* Events were lost: everything may have changed. */
static void
note_overrun (HnLinks *self)
{
  GHashTableIter iter;
  gpointer table;

  self->stale = TRUE;
  self->event_pending = TRUE;
  g_hash_table_iter_init (&iter, self->applied);
  while (g_hash_table_iter_next (&iter, &table, NULL))
    g_hash_table_add (self->lost, table);
}

static void
drain_events (HnLinks *self)
{
  g_autofree guint8 *buffer = g_malloc (EVENT_BYTES);

  for (;;)
    {
      struct nlmsghdr *message = (struct nlmsghdr *) (void *) buffer;
      gssize n = recv (self->event_fd, buffer, EVENT_BYTES, 0);
      int left = (int) n;

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno == ENOBUFS)
        {
          note_overrun (self);
          continue;
        }
      if (n <= 0)
        break;
      for (; nlmsg_ok (message, left); message = nlmsg_next (message, &left))
        note_event (self, message);
    }

  if ((self->event_pending || g_hash_table_size (self->lost) > 0) && self->settle_source == NULL)
    {
      self->settle_source = g_timeout_source_new (SETTLE_MS);
      g_source_set_callback (self->settle_source, on_settled, self, NULL);
      g_source_attach (self->settle_source, g_main_context_get_thread_default ());
    }
}

static gboolean
on_event (int fd, GIOCondition condition, gpointer user_data)
{
  drain_events (HN_LINKS (user_data));
  return G_SOURCE_CONTINUE;
}

/* Thousands of routes of ours would fill the event socket; the kernel leaves them out. */
static void
filter_own_routes (int fd, guint32 port)
{
  struct sock_filter code[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct nlmsghdr, nlmsg_pid)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, GUINT32_TO_BE (port), 0, 4),
    BPF_STMT (BPF_LD | BPF_H | BPF_ABS, offsetof (struct nlmsghdr, nlmsg_type)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, GUINT16_TO_BE (RTM_NEWROUTE), 1, 0),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, GUINT16_TO_BE (RTM_DELROUTE), 0, 1),
    BPF_STMT (BPF_RET | BPF_K, 0),
    BPF_STMT (BPF_RET | BPF_K, G_MAXUINT32),
  };
  struct sock_fprog program = { G_N_ELEMENTS (code), code };

  if (setsockopt (fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
    g_debug ("no filter on route events: %s", g_strerror (errno));
}

static gboolean
open_events (HnLinks *self, GError **error)
{
  static const int groups[]
      = { RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
          RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE };
  struct sockaddr_nl address = { .nl_family = AF_NETLINK };
  int size = 1024 * 1024;

  self->event_fd = socket (AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (self->event_fd < 0 || bind (self->event_fd, (struct sockaddr *) &address, sizeof address) < 0)
    {
      hn_netlink_set_error (error, errno, "watch the network");
      return FALSE;
    }
  if (setsockopt (self->event_fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
    (void) setsockopt (self->event_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  filter_own_routes (self->event_fd, hn_netlink_get_port (self->netlink));
  for (guint i = 0; i < G_N_ELEMENTS (groups); i++)
    /* A kernel without IPv6 has no such groups. */
    if (setsockopt (self->event_fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
                    sizeof groups[i])
        < 0)
      g_debug ("no netlink group %d: %s", groups[i], g_strerror (errno));

  self->event_source = g_unix_fd_source_new (self->event_fd, G_IO_IN);
  g_source_set_callback (self->event_source, G_SOURCE_FUNC (on_event), self, NULL);
  g_source_attach (self->event_source, g_main_context_get_thread_default ());
  return TRUE;
}

HnLinks *
hn_links_new (GError **error)
{
  g_autoptr (HnLinks) self = g_object_new (HN_TYPE_LINKS, NULL);

  self->netlink = hn_netlink_new (error);
  if (self->netlink == NULL || !open_events (self, error))
    return NULL;
  refresh (self);
  self->signature = make_signature (self);
  return g_steal_pointer (&self);
}

typedef struct
{
  gboolean found;
  gboolean target_is_loopback;
  int loopback_ifindex;
} RouteAnswer;

static void
visit_route_answer (struct nlmsghdr *message, gpointer user)
{
  RouteAnswer *answer = user;
  struct nlattr *attributes[RTA_MAX + 1] = { NULL };
  struct rtmsg *info;
  int ifindex = 0;

  /* Not hn_route_info_parse(): the answer to a query is a cloned route. */
  if (message->nlmsg_type != RTM_NEWROUTE || !nlmsg_valid_hdr (message, sizeof *info)
      || nlmsg_parse (message, sizeof *info, attributes, RTA_MAX, NULL) < 0)
    return;
  info = nlmsg_data (message);
  if (attributes[RTA_OIF] != NULL && nla_len (attributes[RTA_OIF]) >= 4)
    ifindex = (int) nla_get_u32 (attributes[RTA_OIF]);
  /* An address of our own is reached over loopback and is there all the same. */
  answer->found = info->rtm_type == RTN_LOCAL
                  || (info->rtm_type == RTN_UNICAST
                      && (ifindex != answer->loopback_ifindex || answer->target_is_loopback));
}

gboolean
hn_links_has_route (HnLinks *self, const HnIp *ip)
{
  RouteAnswer answer = { FALSE };

  g_return_val_if_fail (HN_IS_LINKS (self), FALSE);
  g_return_val_if_fail (ip->family == 4 || ip->family == 6, FALSE);

  drain_events (self);
  refresh (self);
  answer.target_is_loopback = hn_ip_is_loopback (ip);
  for (guint i = 0; i < self->links->len; i++)
    if (g_array_index (self->links, HnLinkInfo, i).flags & IFF_LOOPBACK)
      answer.loopback_ifindex = g_array_index (self->links, HnLinkInfo, i).ifindex;
  if (hn_netlink_query (self->netlink, hn_route_message_query (ip, HN_MARK), visit_route_answer,
                        &answer)
      < 0)
    return FALSE;
  return answer.found;
}

gboolean
hn_links_has_address (HnLinks *self)
{
  g_return_val_if_fail (HN_IS_LINKS (self), FALSE);

  drain_events (self);
  refresh (self);
  for (guint i = 0; i < self->addresses->len; i++)
    {
      const HnAddressInfo *address = &g_array_index (self->addresses, HnAddressInfo, i);
      const HnLinkInfo *link = find_link (self, address->ifindex);

      if (link != NULL && (link->flags & IFF_UP) && !(link->flags & IFF_LOOPBACK)
          && !is_own_ifindex (self, address->ifindex))
        return TRUE;
    }
  return FALSE;
}

typedef struct
{
  HnLinks *links;
  gboolean found;
  HnRouteInfo best;
} BestDefault;

static void
visit_best_default (struct nlmsghdr *message, gpointer user)
{
  BestDefault *search = user;
  HnRouteInfo route;

  if (!hn_route_info_parse (message, &route) || route.table != RT_TABLE_MAIN
      || route.destination.bits != 0 || route.type != RTN_UNICAST
      || is_own_ifindex (search->links, route.ifindex)
      || (search->found && route.metric >= search->best.metric))
    return;
  search->found = TRUE;
  search->best = route;
}

HnIp
hn_links_get_default_gateway (HnLinks *self, guint8 family)
{
  static const HnIp none = { 0 };
  BestDefault search = { .links = self };

  g_return_val_if_fail (HN_IS_LINKS (self), none);
  g_return_val_if_fail (family == 4 || family == 6, none);

  drain_events (self);
  refresh (self);
  hn_netlink_dump (self->netlink, hn_route_message_dump (family, RT_TABLE_MAIN, 0),
                   visit_best_default, &search, NULL);
  return search.found ? search.best.gateway : none;
}

GArray *
hn_links_dup_addresses (HnLinks *self)
{
  GArray *usable;

  g_return_val_if_fail (HN_IS_LINKS (self), NULL);

  usable = g_array_new (FALSE, FALSE, sizeof (HnIp));
  drain_events (self);
  refresh (self);
  for (guint i = 0; i < self->addresses->len; i++)
    {
      const HnAddressInfo *address = &g_array_index (self->addresses, HnAddressInfo, i);

      if (is_usable (self, address))
        g_array_append_val (usable, address->prefix.ip);
    }
  return usable;
}
