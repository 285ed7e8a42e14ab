/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/hn-error.h"
#include "system/hn-links-private.h"
#include "system/hn-links.h"
#include "system/hn-routes.h"

#define TABLE HN_ROUTE_TABLE_BASE

static const char *skip_reason;

static void
write_text (const char *path, const char *text)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC);

  if (fd < 0)
    return;
  if (write (fd, text, strlen (text)) < 0)
    g_test_message ("%s: %s", path, g_strerror (errno));
  close (fd);
}

/* A network of our own: by root's right, or else as root of a user name space of our own. */
static void
enter_namespace (void)
{
  g_autofree char *uid_map = g_strdup_printf ("0 %u 1", getuid ());
  g_autofree char *gid_map = g_strdup_printf ("0 %u 1", getgid ());

  if (unshare (CLONE_NEWNET) == 0)
    return;
  if (unshare (CLONE_NEWUSER | CLONE_NEWNET) != 0)
    {
      skip_reason = "no network name space can be made here";
      return;
    }
  write_text ("/proc/self/setgroups", "deny");
  write_text ("/proc/self/uid_map", uid_map);
  write_text ("/proc/self/gid_map", gid_map);
}

/* Runs ip(8), which says in words what a person would type. */
static gboolean
ip (const char *arguments)
{
  g_autofree char *line = g_strconcat ("ip ", arguments, NULL);
  g_autofree char *output = NULL;
  g_autoptr (GError) error = NULL;
  int status = -1;

  g_spawn_command_line_sync (line, &output, NULL, &status, &error);
  g_assert_no_error (error);
  return status == 0;
}

static char *
ip_output (const char *arguments)
{
  g_autofree char *line = g_strconcat ("ip ", arguments, NULL);
  g_autoptr (GError) error = NULL;
  char *output = NULL;

  g_spawn_command_line_sync (line, &output, NULL, NULL, &error);
  g_assert_no_error (error);
  return output;
}

static guint
count_lines (const char *arguments)
{
  g_autofree char *output = ip_output (arguments);
  guint n = 0;

  for (const char *p = output; *p != '\0'; p++)
    n += *p == '\n';
  return n;
}

static HnPrefix
prefix (const char *text)
{
  HnPrefix result;

  g_assert_true (hn_prefix_parse (text, TRUE, &result));
  return result;
}

typedef struct
{
  HnLinks *links;
  int ifindex;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  if (skip_reason != NULL)
    return;
  ip ("link set lo up");
  /* Ends of a cable stand in for devices: a kernel may lack the dummy driver. */
  g_assert_true (ip ("link add headnet0 type veth peer name cable0"));
  g_assert_true (ip ("link set cable0 addrgenmode none up"));
  fixture->ifindex = (int) if_nametoindex ("headnet0");
  fixture->links = hn_links_new (&error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  if (skip_reason != NULL)
    return;
  hn_links_clean_up (fixture->links, NULL, 0, NULL);
  g_object_unref (fixture->links);
  ip ("link del headnet0");
}

static gboolean
skipped (void)
{
  if (skip_reason != NULL)
    g_test_skip (skip_reason);
  return skip_reason != NULL;
}

static void
apply (Fixture *fixture, const HnPrefix *addresses, gsize n_addresses, const HnPrefix *routes,
       gsize n_routes)
{
  HnLinkSettings settings = { .ifindex = fixture->ifindex,
                              .mtu = 1280,
                              .table = TABLE,
                              .addresses = addresses,
                              .n_addresses = n_addresses,
                              .routes = routes,
                              .n_routes = n_routes };
  g_autoptr (GError) error = NULL;

  hn_links_apply (fixture->links, &settings, &error);
  g_assert_no_error (error);
}

static void
test_apply (Fixture *fixture, gconstpointer data)
{
  HnPrefix addresses[] = { prefix ("100.64.0.1/32"), prefix ("fd7a:115c:a1e0::1/128") };
  HnPrefix others[] = { prefix ("100.64.0.9/32"), prefix ("fd7a:115c:a1e0::1/128") };
  HnPrefix routes[]
      = { prefix ("100.64.0.2/32"), prefix ("100.64.0.3/32"), prefix ("fd7a:115c:a1e0::/48") };
  HnPrefix fewer[] = { prefix ("100.64.0.3/32"), prefix ("100.64.0.4/32") };
  g_autofree char *link = NULL;
  g_autofree char *address = NULL;
  g_autofree char *route = NULL;
  g_autofree char *rule = NULL;
  guint64 before;

  if (skipped ())
    return;
  apply (fixture, addresses, 2, routes, 3);
  link = ip_output ("-o link show headnet0");
  g_assert_nonnull (strstr (link, "mtu 1280"));
  g_assert_nonnull (strstr (link, "UP"));
  address = ip_output ("-o address show dev headnet0");
  g_assert_nonnull (strstr (address, "100.64.0.1/32"));
  g_assert_nonnull (strstr (address, "fd7a:115c:a1e0::1/128"));
  g_assert_null (strstr (address, "fe80"));
  g_assert_null (strstr (address, "tentative"));
  route = ip_output ("route show table 26728");
  g_assert_cmpstr (route, ==,
                   "100.64.0.2 dev headnet0 proto 104 scope link \n"
                   "100.64.0.3 dev headnet0 proto 104 scope link \n");
  g_assert_cmpuint (count_lines ("-6 route show table 26728 proto 104"), ==, 1);
  rule = ip_output ("rule show");
  g_assert_nonnull (
      strstr (rule, "5300:\tnot from all fwmark 0x680000/0xff0000 lookup 26728 proto 104"));
  g_assert_cmpuint (count_lines ("-6 rule show priority 5300"), ==, 1);

  /* A second time nothing is sent. */
  before = hn_netlink_get_n_changes (fixture->links->netlink);
  apply (fixture, addresses, 2, routes, 3);
  g_assert_cmpuint (hn_netlink_get_n_changes (fixture->links->netlink), ==, before);

  /* Differences only: one address and two routes go, one of each comes. */
  apply (fixture, others, 2, fewer, 2);
  g_assert_cmpuint (hn_netlink_get_n_changes (fixture->links->netlink), ==, before + 5);
  g_assert_cmpuint (count_lines ("route show table 26728"), ==, 2);
  g_assert_cmpuint (count_lines ("-6 route show table 26728 proto 104"), ==, 0);
  g_assert_cmpuint (count_lines ("-o address show dev headnet0"), ==, 2);

  /* One peer more and one less. */
  before = hn_netlink_get_n_changes (fixture->links->netlink);
  g_assert_true (hn_links_change_routes (fixture->links, fixture->ifindex, TABLE, &routes[0], 1,
                                         &fewer[1], 1, NULL));
  g_assert_cmpuint (hn_netlink_get_n_changes (fixture->links->netlink), ==, before + 2);
  g_assert_true (ip ("-o route get 100.64.0.2"));
  /* Repeated: there already, gone already. */
  g_assert_true (hn_links_change_routes (fixture->links, fixture->ifindex, TABLE, &routes[0], 1,
                                         &fewer[1], 1, NULL));
}

static void
test_clean_up (Fixture *fixture, gconstpointer data)
{
  HnPrefix address = prefix ("100.64.0.1/32");
  HnPrefix routes[] = { prefix ("100.64.0.2/32"), prefix ("fd7a:115c:a1e0::/48") };
  guint keep = TABLE;
  guint rules;

  if (skipped ())
    return;
  rules = count_lines ("rule show");
  apply (fixture, &address, 1, routes, 2);
  /* Foreign: a route in our table, a rule in our range, a rule to our table elsewhere. */
  g_assert_true (ip ("route add 198.51.100.0/24 dev headnet0 table 26728 proto static"));
  g_assert_true (ip ("route add 198.51.100.0/24 dev headnet0 table 77 proto 104"));
  g_assert_true (ip ("rule add priority 5310 lookup 77"));
  g_assert_true (ip ("rule add priority 5301 from 192.0.2.1 lookup 26729"));
  g_assert_true (ip ("rule add priority 6000 lookup 26728"));
  /* Left over by a daemon that was killed: other tables of ours. */
  g_assert_true (ip ("route add 100.64.0.7/32 dev headnet0 table 26730 proto 104"));
  g_assert_true (ip ("rule add not fwmark 0x680000/0xff0000 priority 5302 lookup 26730"));

  g_assert_true (hn_links_clean_up (fixture->links, &keep, 1, NULL));
  g_assert_cmpuint (count_lines ("route show table 26730"), ==, 0);
  g_assert_cmpuint (count_lines ("rule show priority 5302"), ==, 0);
  g_assert_cmpuint (count_lines ("rule show priority 5300"), ==, 1);
  g_assert_cmpuint (count_lines ("route show table 26728"), ==, 2);

  g_assert_true (hn_links_clear (fixture->links, TABLE, NULL));
  g_assert_cmpuint (count_lines ("rule show priority 5300"), ==, 0);
  g_assert_cmpuint (count_lines ("-6 rule show priority 5300"), ==, 0);
  g_assert_cmpuint (count_lines ("route show table 26728"), ==, 1);
  g_assert_cmpuint (count_lines ("-6 route show table 26728 proto 104"), ==, 0);
  g_assert_cmpuint (count_lines ("route show table 77"), ==, 1);
  g_assert_cmpuint (count_lines ("rule show"), ==, rules + 3);
  /* A foreign route at a place that we want stays theirs. */
  g_assert_true (ip ("route add 100.64.0.2/32 dev headnet0 table 26728 proto static scope link"));
  apply (fixture, &address, 1, routes, 2);
  g_assert_cmpuint (count_lines ("route show table 26728 proto static"), ==, 2);

  g_assert_cmpuint (hn_links_find_free_number (fixture->links), ==, 2);
  ip ("rule del priority 5310");
  ip ("rule del priority 5301");
  ip ("rule del priority 6000");
  ip ("route flush table 77");
}

static void
test_find_free_number (Fixture *fixture, gconstpointer data)
{
  if (skipped ())
    return;
  g_assert_cmpuint (hn_links_find_free_number (fixture->links), ==, 1);
  g_assert_true (ip ("-6 rule add priority 5301 lookup 26729"));
  g_assert_cmpuint (hn_links_find_free_number (fixture->links), ==, 2);
  g_assert_true (hn_links_clean_up (fixture->links, NULL, 0, NULL));
  g_assert_cmpuint (hn_links_find_free_number (fixture->links), ==, 1);
}

static void
test_device_gone (Fixture *fixture, gconstpointer data)
{
  HnPrefix address = prefix ("100.64.0.1/32");
  HnLinkSettings settings
      = { .ifindex = 4711, .mtu = 1280, .table = TABLE, .addresses = &address, .n_addresses = 1 };
  g_autoptr (GError) error = NULL;

  if (skipped ())
    return;
  g_assert_false (hn_links_apply (fixture->links, &settings, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_NOT_FOUND);
  g_assert_cmpuint (count_lines ("rule show priority 5300"), ==, 0);
}

static void
test_without_ipv6 (Fixture *fixture, gconstpointer data)
{
  HnPrefix addresses[] = { prefix ("100.64.0.1/32"), prefix ("fd7a:115c:a1e0::1/128") };
  HnPrefix routes[] = { prefix ("100.64.0.2/32"), prefix ("fd7a:115c:a1e0::/48") };
  guint64 before;

  if (skipped ())
    return;
  write_text ("/proc/sys/net/ipv6/conf/headnet0/disable_ipv6", "1");
  apply (fixture, addresses, 2, routes, 2);
  g_assert_cmpuint (count_lines ("-o address show dev headnet0"), ==, 1);
  g_assert_cmpuint (count_lines ("-6 rule show priority 5300"), ==, 0);
  before = hn_netlink_get_n_changes (fixture->links->netlink);
  apply (fixture, addresses, 2, routes, 2);
  g_assert_cmpuint (hn_netlink_get_n_changes (fixture->links->netlink), ==, before);
  g_assert_true (hn_links_change_routes (fixture->links, fixture->ifindex, TABLE, &routes[1], 1,
                                         NULL, 0, NULL));
}

static void
test_many_routes (Fixture *fixture, gconstpointer data)
{
  HnPrefix address = prefix ("100.64.0.1/32");
  g_autofree HnPrefix *routes = g_new0 (HnPrefix, 10000);
  gint64 start, applied, again, cleared;

  if (skipped ())
    return;
  for (guint i = 0; i < 10000; i++)
    {
      routes[i].ip = (HnIp){ .family = 4, .bytes = { 100, 65, (guint8) (i >> 8), (guint8) i } };
      routes[i].bits = 32;
    }
  start = g_get_monotonic_time ();
  apply (fixture, &address, 1, routes, 10000);
  applied = g_get_monotonic_time ();
  apply (fixture, &address, 1, routes, 10000);
  again = g_get_monotonic_time ();
  g_assert_cmpuint (count_lines ("route show table 26728"), ==, 10000);
  cleared = g_get_monotonic_time ();
  g_assert_true (hn_links_clear (fixture->links, TABLE, NULL));
  g_test_message ("10000 routes: applied in %" G_GINT64_FORMAT " us, again in %" G_GINT64_FORMAT
                  " us, cleared in %" G_GINT64_FORMAT " us",
                  applied - start, again - applied, g_get_monotonic_time () - cleared);
  g_assert_cmpuint (count_lines ("route show table 26728"), ==, 0);
}

typedef struct
{
  guint changed;
  guint major;
  int lost_table;
} Events;

static void
on_changed (HnLinks *links, gboolean major, gpointer data)
{
  Events *events = data;

  events->changed++;
  events->major += major;
}

static void
on_routes_lost (HnLinks *links, int table, gpointer data)
{
  ((Events *) data)->lost_table = table;
}

static gboolean
on_timeout (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_REMOVE;
}

/* Runs the main loop for a burst and a little more. */
static void
settle (void)
{
  gboolean over = FALSE;

  g_timeout_add (320, on_timeout, &over);
  while (!over)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_events (Fixture *fixture, gconstpointer data)
{
  HnPrefix address = prefix ("100.64.0.1/32");
  HnPrefix route = prefix ("100.64.0.2/32");
  Events events = { 0 };
  HnIp ip_out = prefix ("192.0.2.77").ip;
  HnIp gateway;
  char text[HN_IP_TEXT_MAX];
  g_autoptr (GArray) usable = NULL;

  if (skipped ())
    return;
  /* The other end of the cable notices this, and tells. */
  g_assert_true (ip ("link set headnet0 up"));
  settle ();
  g_signal_connect (fixture->links, "changed", G_CALLBACK (on_changed), &events);
  g_signal_connect (fixture->links, "routes-lost", G_CALLBACK (on_routes_lost), &events);

  /* What we do ourselves is no news. */
  apply (fixture, &address, 1, &route, 1);
  settle ();
  g_assert_cmpuint (events.changed, ==, 0);
  g_assert_cmpint (events.lost_table, ==, 0);
  g_assert_false (hn_links_has_address (fixture->links));
  g_assert_false (hn_links_has_route (fixture->links, &ip_out));

  /* A burst is one event. */
  g_assert_true (ip ("link add up0 type veth peer name cable1"));
  g_assert_true (ip ("link set cable1 addrgenmode none up"));
  g_assert_true (ip ("link set up0 addrgenmode none up"));
  g_assert_true (ip ("address add 192.0.2.1/24 dev up0"));
  g_assert_true (hn_links_has_address (fixture->links));
  g_assert_true (hn_links_has_route (fixture->links, &ip_out));
  settle ();
  g_assert_cmpuint (events.changed, ==, 1);
  g_assert_cmpuint (events.major, ==, 1);
  usable = hn_links_dup_addresses (fixture->links);
  g_assert_cmpuint (usable->len, ==, 1);

  /* Our table is not asked: a peer is not "the network". */
  ip_out = route.ip;
  g_assert_false (hn_links_has_route (fixture->links, &ip_out));
  g_assert_true (ip ("-o route get 100.64.0.2"));
  ip_out = prefix ("127.0.0.1").ip;
  g_assert_true (hn_links_has_route (fixture->links, &ip_out));
  ip_out = prefix ("::1").ip;
  g_assert_true (hn_links_has_route (fixture->links, &ip_out));

  /* A minor one. */
  g_assert_true (ip ("link set up0 mtu 1400"));
  settle ();
  g_assert_cmpuint (events.changed, ==, 2);
  g_assert_cmpuint (events.major, ==, 1);
  g_assert_true (ip ("route add default dev up0"));
  settle ();
  g_assert_cmpuint (events.major, ==, 2);

  /* The way out that the kernel prefers has a router, or none. */
  gateway = hn_links_get_default_gateway (fixture->links, 4);
  g_assert_cmpuint (gateway.family, ==, 0);
  g_assert_true (ip ("route replace default via 192.0.2.8 dev up0 metric 20"));
  g_assert_true (ip ("route replace default via 192.0.2.9 dev up0 metric 10"));
  g_assert_cmpuint (hn_links_get_default_gateway (fixture->links, 4).family, ==, 0);
  g_assert_true (ip ("route del default metric 0"));
  gateway = hn_links_get_default_gateway (fixture->links, 4);
  g_assert_cmpstr (hn_ip_format (&gateway, text), ==, "192.0.2.9");
  g_assert_cmpuint (hn_links_get_default_gateway (fixture->links, 6).family, ==, 0);

  /* Somebody removes what is ours. */
  g_assert_true (ip ("route del 100.64.0.2/32 table 26728"));
  settle ();
  g_assert_cmpint (events.lost_table, ==, TABLE);
  events.lost_table = 0;
  apply (fixture, &address, 1, &route, 1);
  g_assert_true (ip ("rule del priority 5300"));
  settle ();
  g_assert_cmpint (events.lost_table, ==, TABLE);
  apply (fixture, &address, 1, &route, 1);
  g_assert_cmpuint (count_lines ("rule show priority 5300"), ==, 1);
  ip ("link del up0");
}

int
main (int argc, char **argv)
{
  g_autofree char *program = NULL;

  g_test_init (&argc, &argv, NULL);
  enter_namespace ();
  program = g_find_program_in_path ("ip");
  if (program == NULL)
    skip_reason = "ip (package iproute2) is not installed";
#define ADD(path, function)                                                                        \
  g_test_add ("/system/links/" path, Fixture, NULL, set_up, function, tear_down)
  ADD ("apply", test_apply);
  ADD ("clean-up", test_clean_up);
  ADD ("find-free-number", test_find_free_number);
  ADD ("device-gone", test_device_gone);
  ADD ("without-ipv6", test_without_ipv6);
  ADD ("many-routes", test_many_routes);
  ADD ("events", test_events);
#undef ADD
  return g_test_run ();
}
