/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "crypto/hn-crypto.h"
#include "netcheck-world.h"

/* One relay, one answer: done as soon as it is there. */
static void
test_single (void)
{
  World world;
  const HnRelayLatency *relay;

  world_open (&world);
  g_assert_cmpint (hn_netcheck_get_deadline (world.netcheck), ==, G_MAXINT64);
  g_assert_cmpint (hn_netcheck_get_home (world.netcheck), ==, 0);
  world_use_regions (&world, world_make_regions (1, FALSE), 1);
  g_assert_cmpint (hn_netcheck_get_home (world.netcheck), ==, 1);
  world_add_server (&world, "10.0.0.1:3478", 7 * MS, "203.0.113.9:41641");
  g_assert_cmpint (world_run (&world, FALSE), ==, 7 * MS);
  g_assert_cmpuint (world.sent, ==, 1);
  g_assert_cmpuint (world.resolved, ==, 0);
  g_assert_true (world.report->udp);
  g_assert_true (world.report->ipv4);
  g_assert_false (world.report->ipv6);
  /* One server can not tell. */
  g_assert_cmpint (world.report->mapping_varies, ==, -1);
  world_check_endpoint (&world.report->global_v4, "203.0.113.9:41641");
  g_assert_cmpuint (world.report->global_v6.ip.family, ==, 0);
  g_assert_cmpuint (world.report->n_mappings, ==, 1);
  g_assert_cmpint (world.report->preferred, ==, 1);
  g_assert_cmpint (world.report->wall, ==, 1005);
  g_assert_cmpuint (world.report->n_relays, ==, 1);
  relay = hn_net_report_get_relay (world.report, 1);
  g_assert_cmpint (relay->latency_us, ==, 7 * MS);
  g_assert_cmpint (relay->v4_latency_us, ==, 7 * MS);
  g_assert_cmpint (relay->v6_latency_us, ==, 0);
  g_assert_null (hn_net_report_get_relay (world.report, 2));
  g_assert_cmpuint (world.measured->len, ==, 0);
  world_close (&world);
}

static void
test_mapping_varies (void)
{
  for (guint same = 0; same < 2; same++)
    {
      World world;

      world_open (&world);
      world_use_regions (&world, world_make_regions (2, FALSE), 2);
      world_add_server (&world, "10.0.0.1:3478", 7 * MS, "203.0.113.9:41641");
      world_add_server (&world, "10.0.0.2:3478", 9 * MS,
                        same ? "203.0.113.9:41641" : "203.0.113.9:41642");
      g_assert_cmpint (world_run (&world, TRUE), ==, 9 * MS);
      g_assert_cmpint (world.report->mapping_varies, ==, same ? 0 : 1);
      g_assert_cmpuint (world.report->n_mappings, ==, same ? 1 : 2);
      g_assert_cmpuint (world.report->mapping_counts[0], ==, same ? 2 : 1);
      world_check_endpoint (&world.report->mappings[0], "203.0.113.9:41641");
      world_close (&world);
    }
}

/* The mapping seen by two comes before the one seen first. */
static void
test_mapping_order (void)
{
  World world;

  world_open (&world);
  world_use_regions (&world, world_make_regions (3, FALSE), 3);
  world_add_server (&world, "10.0.0.1:3478", 7 * MS, "203.0.113.9:1");
  world_add_server (&world, "10.0.0.2:3478", 8 * MS, "203.0.113.9:2");
  world_add_server (&world, "10.0.0.3:3478", 9 * MS, "203.0.113.9:2");
  world_run (&world, TRUE);
  world_check_endpoint (&world.report->global_v4, "203.0.113.9:1");
  world_check_endpoint (&world.report->mappings[0], "203.0.113.9:2");
  g_assert_cmpuint (world.report->mapping_counts[0], ==, 2);
  world_close (&world);
}

static void
test_both_families (void)
{
  World world;
  const HnRelayLatency *relay;

  world_open (&world);
  hn_netcheck_set_families (world.netcheck, TRUE, TRUE);
  world_use_regions (&world, world_make_regions (1, TRUE), 1);
  world_add_server (&world, "10.0.0.1:3478", 7 * MS, "203.0.113.9:41641");
  world_add_server (&world, "[fd00::1]:3478", 5 * MS, "[2001:db8::5]:41641");
  g_assert_cmpint (world_run (&world, TRUE), ==, 7 * MS);
  g_assert_true (world.report->ipv4);
  g_assert_true (world.report->ipv6);
  world_check_endpoint (&world.report->global_v6, "[2001:db8::5]:41641");
  relay = hn_net_report_get_relay (world.report, 1);
  g_assert_cmpint (relay->latency_us, ==, 5 * MS);
  g_assert_cmpint (relay->v4_latency_us, ==, 7 * MS);
  g_assert_cmpint (relay->v6_latency_us, ==, 5 * MS);

  /* IPv6 goes into a black hole: asked three times, waited for a little, then left. */
  world_get_server (&world, 1)->rtt_us = 0;
  world_get_server (&world, 1)->asked = 0;
  g_assert_cmpint (world_run (&world, TRUE), <=, 120 * MS);
  g_assert_false (world.report->ipv6);
  g_assert_cmpuint (world_get_server (&world, 1)->asked, >=, 1);
  /* It did not work: once is enough. */
  world_get_server (&world, 1)->asked = 0;
  g_assert_cmpint (world_run (&world, FALSE), <=, 60 * MS);
  g_assert_cmpuint (world_get_server (&world, 1)->asked, ==, 1);

  /* No route: not waited for at all. */
  world.send_error_v6 = ENETUNREACH;
  g_assert_cmpint (world_run (&world, TRUE), ==, 7 * MS);
  /* The same, when the error comes later. */
  world.send_error_v6 = 0;
  hn_netcheck_start (world.netcheck, TRUE, world.now, 0);
  hn_netcheck_send_failed (world.netcheck, &world_get_server (&world, 1)->at, world.now);
  world_run_until (&world, world.now + 7 * MS);
  g_assert_false (hn_netcheck_is_running (world.netcheck));

  /* No socket: not even tried. */
  hn_netcheck_set_families (world.netcheck, TRUE, FALSE);
  world.sent = 0;
  world_run (&world, TRUE);
  g_assert_cmpuint (world.sent, ==, 1);
  world_close (&world);
}

/* An address of the other family than the question's is a lie. */
static void
test_wrong_mappings (void)
{
  static const char *const lies[]
      = { "[2001:db8::5]:41641", "224.0.0.1:41641",   "0.0.0.0:41641",
          "127.0.0.1:41641",     "169.254.1.1:41641", "255.255.255.255:1" };

  for (guint i = 0; i < G_N_ELEMENTS (lies); i++)
    {
      World world;

      world_open (&world);
      world_use_regions (&world, world_make_regions (1, FALSE), 1);
      world_add_server (&world, "10.0.0.1:3478", 7 * MS, lies[i]);
      world_run (&world, TRUE);
      g_assert_true (world.report->udp);
      g_assert_cmpuint (world.report->n_mappings, ==, 0);
      g_assert_cmpuint (world.report->global_v4.ip.family, ==, 0);
      g_assert_cmpuint (world.report->global_v6.ip.family, ==, 0);
      world_close (&world);
    }
}

static void
test_retransmit (void)
{
  World world;

  world_open (&world);
  world_use_regions (&world, world_make_regions (1, FALSE), 1);
  world_add_server (&world, "10.0.0.1:3478", 7 * MS, "203.0.113.9:41641")->lose = 1;
  g_assert_cmpint (world_run (&world, TRUE), ==, 107 * MS);
  g_assert_cmpuint (world.sent, ==, 2);
  g_assert_cmpint (hn_net_report_get_relay (world.report, 1)->latency_us, ==, 7 * MS);

  /* The home is asked four times before it is given up. */
  world.sent = 0;
  world_get_server (&world, 0)->lose = 3;
  world_add_name (&world, "r1.test", "10.0.0.1");
  world_run (&world, FALSE);
  g_assert_cmpuint (world.sent, ==, 4);
  g_assert_true (world.report->udp);
  world_close (&world);
}

/* A late answer to the first request, after the second went out, counts from the first. */
static void
test_late (void)
{
  World world;

  world_open (&world);
  world_use_regions (&world, world_make_regions (1, FALSE), 1);
  world_add_server (&world, "10.0.0.1:3478", 150 * MS, "203.0.113.9:41641");
  g_assert_cmpint (world_run (&world, TRUE), ==, 150 * MS);
  g_assert_cmpuint (world.sent, ==, 2);
  g_assert_cmpint (hn_net_report_get_relay (world.report, 1)->latency_us, ==, 150 * MS);
  g_assert_cmpuint (world.report->mapping_counts[0], ==, 1);
  world_close (&world);
}

/* Three of many are enough, with a little patience for the others. */
static void
test_early_stop (void)
{
  World world;

  world_open (&world);
  world_use_regions (&world, world_make_regions (10, FALSE), 10);
  for (guint i = 0; i < 10; i++)
    {
      g_autofree char *at = g_strdup_printf ("10.0.0.%u:3478", i + 1);

      world_add_server (&world, at, (i + 1) * 40 * MS, "203.0.113.9:41641");
    }
  /* The third after 120 ms, then twice as long. */
  g_assert_cmpint (world_run (&world, TRUE), ==, 360 * MS);
  g_assert_cmpuint (world.report->n_relays, ==, 10);
  g_assert_cmpint (hn_net_report_get_relay (world.report, 8)->latency_us, ==, 320 * MS);
  g_assert_cmpint (hn_net_report_get_relay (world.report, 10)->latency_us, ==, 0);
  g_assert_cmpint (world.report->preferred, ==, 1);
  g_assert_cmpint (world.report->mapping_varies, ==, 0);

  /* Then the three nearest only, and those that are silent cost no more than a second. */
  world.sent = 0;
  g_assert_cmpint (world_run (&world, FALSE), ==, 120 * MS);
  g_assert_cmpuint (world.report->n_relays, ==, 3);
  g_assert_cmpuint (world.sent, <=, 5);
  world_close (&world);
}

static void
test_one_dead (void)
{
  World world;
  gint64 took;

  world_open (&world);
  world_use_regions (&world, world_make_regions (2, FALSE), 2);
  world_add_server (&world, "10.0.0.1:3478", 0, "203.0.113.9:41641");
  world_add_server (&world, "10.0.0.2:3478", 10 * MS, "203.0.113.9:41641");
  world_add_name (&world, "r1.test", "10.0.0.1");
  took = world_run (&world, TRUE);
  g_assert_cmpint (took, <=, 1300 * MS);
  g_assert_cmpint (world.report->preferred, ==, 2);
  /* Next time it is not waited for. */
  g_assert_cmpint (world_run (&world, FALSE), <=, 100 * MS);
  world_close (&world);
}

static void
test_names (void)
{
  World world;
  HnDerpRegion *regions = world_make_regions (2, FALSE);

  world_open (&world);
  memset (&regions[0].nodes[0].ipv4, 0, sizeof (HnIp));
  /* An address in the place of a name. */
  memset (&regions[1].nodes[0].ipv4, 0, sizeof (HnIp));
  g_free (regions[1].nodes[0].host_name);
  regions[1].nodes[0].host_name = g_strdup ("10.0.0.2");
  world_use_regions (&world, regions, 2);
  world_add_server (&world, "10.9.9.9:3478", 10 * MS, "203.0.113.9:41641");
  world_add_server (&world, "10.0.0.2:3478", 10 * MS, "203.0.113.9:41641");
  world_add_name (&world, "r1.test", "10.9.9.9");
  g_assert_cmpint (world_run (&world, TRUE), ==, 10 * MS);
  g_assert_cmpuint (world.resolved, ==, 1);
  g_assert_cmpint (hn_net_report_get_relay (world.report, 1)->latency_us, ==, 10 * MS);

  /* Known until the next full run. */
  world_run (&world, FALSE);
  g_assert_cmpuint (world.resolved, ==, 1);
  world_run (&world, TRUE);
  g_assert_cmpuint (world.resolved, ==, 2);

  /* Slow names: sent as soon as the answer is there. */
  world.resolve_later = TRUE;
  world_get_server (&world, 1)->rtt_us = 0;
  hn_netcheck_start (world.netcheck, TRUE, world.now, 0);
  world_run_until (&world, world.now + 500 * MS);
  g_assert_true (hn_netcheck_is_running (world.netcheck));
  g_assert_cmpuint (world.to_resolve->len, ==, 1);
  world_resolve (&world, "r1.test");
  world_resolve (&world, "r1.test");
  world_resolve (&world, "never-asked.test");
  world_run_until (&world, world.now + 5 * S);
  g_assert_cmpint (hn_net_report_get_relay (world.report, 1)->latency_us, ==, 10 * MS);

  /* No answer at all, and one that comes when all is over. */
  hn_netcheck_start (world.netcheck, TRUE, world.now, 0);
  world_run_until (&world, world.now + 6 * S);
  g_assert_false (hn_netcheck_is_running (world.netcheck));
  world_resolve (&world, "r1.test");
  g_assert_cmpint (hn_netcheck_get_deadline (world.netcheck), ==, G_MAXINT64);
  world_close (&world);
}

/* IPv6 here but not there: nothing to wait for. */
static void
test_one_family_there (void)
{
  World world;
  HnDerpRegion *regions = world_make_regions (1, FALSE);

  world_open (&world);
  regions[0].nodes[0].ipv6_disabled = FALSE;
  hn_netcheck_set_families (world.netcheck, TRUE, TRUE);
  world_use_regions (&world, regions, 1);
  world_add_server (&world, "10.0.0.1:3478", 10 * MS, "203.0.113.9:41641");
  world_add_name (&world, "r1.test", "10.0.0.1");
  g_assert_cmpint (world_run (&world, TRUE), ==, 10 * MS);
  g_assert_cmpuint (world.sent, ==, 1);
  world_close (&world);
}

/* The relay inside the coordination server, without a name of its own. */
static void
test_server_host (void)
{
  World world;
  HnDerpRegion *regions = world_make_regions (1, FALSE);

  world_open (&world);
  memset (&regions[0].nodes[0].ipv4, 0, sizeof (HnIp));
  g_free (regions[0].nodes[0].host_name);
  regions[0].nodes[0].host_name = g_strdup ("");
  world_use_regions (&world, regions, 1);
  world_add_server (&world, "10.9.9.9:3478", 10 * MS, "203.0.113.9:41641");
  world_add_name (&world, "hs.test", "10.9.9.9");
  world_run (&world, TRUE);
  g_assert_false (world.report->udp);
  hn_netcheck_set_server_host (world.netcheck, "hs.test");
  world_run (&world, TRUE);
  g_assert_true (world.report->udp);
  hn_netcheck_set_server_host (world.netcheck, "10.9.9.9");
  world.resolved = 0;
  world_run (&world, TRUE);
  g_assert_true (world.report->udp);
  g_assert_cmpuint (world.resolved, ==, 0);
  world_close (&world);
}

/* A literal address copied from an example: the name helps out, and is tried first from then on. */
static void
test_wrong_literal (void)
{
  World world;

  world_open (&world);
  world_use_regions (&world, world_make_regions (1, FALSE), 1);
  world_add_server (&world, "10.9.9.9:3478", 10 * MS, "203.0.113.9:41641");
  world_add_name (&world, "r1.test", "10.9.9.9");
  g_assert_cmpint (world_run (&world, TRUE), ==, 210 * MS);
  g_assert_true (world.report->udp);
  g_assert_cmpint (world_run (&world, FALSE), ==, 10 * MS);
  g_assert_cmpint (world_run (&world, TRUE), ==, 10 * MS);
  world_close (&world);
}

static void
test_ports (void)
{
  World world;
  HnDerpRegion *regions = world_make_regions (4, FALSE);

  world_open (&world);
  regions[0].nodes[0].stun_port = -1;
  regions[1].nodes[0].stun_port = 0;
  regions[2].nodes[0].stun_port = 70000;
  regions[3].nodes[0].stun_port = 99;
  world_use_regions (&world, regions, 4);
  world_add_server (&world, "10.0.0.2:3478", 10 * MS, "203.0.113.9:41641");
  world_add_server (&world, "10.0.0.4:99", 10 * MS, "203.0.113.9:41641");
  g_assert_cmpint (world_run (&world, TRUE), ==, 10 * MS);
  g_assert_cmpuint (world.sent, ==, 2);
  g_assert_cmpuint (world.report->n_relays, ==, 2);
  world_close (&world);
}

static void
test_not_measured (void)
{
  World world;
  HnDerpRegion *regions = world_make_regions (4, FALSE);

  world_open (&world);
  regions[0].no_measure_no_home = TRUE;
  regions[1].avoid = TRUE;
  regions[2].nodes[0].stun_only = TRUE;
  world_use_regions (&world, regions, 4);
  for (guint i = 0; i < 4; i++)
    {
      g_autofree char *at = g_strdup_printf ("10.0.0.%u:3478", i + 1);

      world_add_server (&world, at, (i + 1) * 10 * MS, "203.0.113.9:41641");
    }
  world_run (&world, TRUE);
  g_assert_cmpuint (world_get_server (&world, 0)->asked, ==, 0);
  g_assert_cmpuint (world_get_server (&world, 1)->asked, ==, 0);
  g_assert_cmpuint (world_get_server (&world, 2)->asked, >, 0);
  /* Good for STUN, but no relay. */
  g_assert_cmpint (world.report->preferred, ==, 4);
  world_close (&world);
}

/* UDP does not pass: HTTP says which relay is near. */
static void
test_blocked (void)
{
  World world;

  world_open (&world);
  world_use_regions (&world, world_make_regions (3, FALSE), 3);
  world.http_us = 20 * MS;
  g_assert_cmpint (world_run (&world, TRUE), ==, 3 * S);
  g_assert_false (world.report->udp);
  g_assert_cmpint (world.report->mapping_varies, ==, -1);
  g_assert_cmpuint (world.measured->len, ==, 3);
  g_assert_cmpint (hn_net_report_get_relay (world.report, 2)->tcp_latency_us, ==, 40 * MS);
  g_assert_cmpint (hn_net_report_get_relay (world.report, 2)->latency_us, ==, 0);
  g_assert_cmpint (world.report->preferred, ==, 1);
  g_assert_false (world.report->captive_portal);

  /* No answer there either: by 5 s it is over, and home stays. */
  world.http_later = TRUE;
  g_assert_cmpint (world_run (&world, TRUE), ==, 5 * S);
  g_assert_cmpint (world.report->preferred, ==, 1);
  g_assert_cmpint (hn_net_report_get_relay (world.report, 2)->tcp_latency_us, ==, 0);
  /* What comes when nobody waits any more, or was never asked for. */
  hn_netcheck_measured (world.netcheck, 2, 5, FALSE, world.now);
  hn_netcheck_start (world.netcheck, TRUE, world.now, 0);
  world_run_until (&world, world.now + 3500 * MS);
  hn_netcheck_measured (world.netcheck, 77, 5, FALSE, world.now);
  hn_netcheck_measured (world.netcheck, 3, 30 * MS, FALSE, world.now);
  hn_netcheck_measured (world.netcheck, 3, 10 * MS, FALSE, world.now);
  world_run_until (&world, world.now + 3500 * MS);
  g_assert_cmpint (hn_net_report_get_relay (world.report, 3)->tcp_latency_us, ==, 30 * MS);
  g_assert_cmpint (world.report->preferred, ==, 3);

  /* A portal answers for everybody; that is no latency, and the next run is a full one. */
  world.http_later = FALSE;
  world.portal = TRUE;
  world_run (&world, TRUE);
  g_assert_true (world.report->captive_portal);
  g_assert_cmpint (hn_net_report_get_relay (world.report, 1)->tcp_latency_us, ==, 0);
  world.portal = FALSE;
  world.measured->len = 0;
  world_run (&world, FALSE);
  g_assert_cmpuint (world.measured->len, ==, 3);
  g_assert_false (world.report->captive_portal);
  world_close (&world);
}

static void
test_fallback (void)
{
  World world;

  world_open (&world);
  world_use_regions (&world, world_make_regions (3, FALSE), 3);
  g_assert_cmpint (hn_netcheck_get_home (world.netcheck), ==, 0);
  world_run (&world, TRUE);
  g_assert_cmpint (world.report->preferred, ==, 1);
  world_close (&world);
}

/* The home is silent to STUN, but its frames say that it is there. */
static void
test_heard (void)
{
  World world;

  world_open (&world);
  world_use_regions (&world, world_make_regions (2, FALSE), 2);
  world_add_server (&world, "10.0.0.1:3478", 10 * MS, "203.0.113.9:41641");
  world_add_server (&world, "10.0.0.2:3478", 50 * MS, "203.0.113.9:41641");
  world_run (&world, TRUE);
  g_assert_cmpint (world.report->preferred, ==, 1);
  world_get_server (&world, 0)->rtt_us = 0;
  hn_netcheck_start (world.netcheck, TRUE, world.now, 0);
  hn_netcheck_heard (world.netcheck, 1, world.now);
  hn_netcheck_heard (world.netcheck, 99, world.now);
  world_run_until (&world, world.now + 20 * S);
  g_assert_cmpint (world.report->preferred, ==, 1);
  world_run (&world, TRUE);
  g_assert_cmpint (world.report->preferred, ==, 2);
  world_close (&world);
}

static void
test_home_moves (void)
{
  World world;

  world_open (&world);
  world_use_regions (&world, world_make_regions (2, FALSE), 2);
  world_add_server (&world, "10.0.0.1:3478", 100 * MS, "203.0.113.9:41641");
  world_add_server (&world, "10.0.0.2:3478", 120 * MS, "203.0.113.9:41641");
  world_run (&world, TRUE);
  g_assert_cmpint (world.report->preferred, ==, 1);
  /* A bit better is not enough; much better is, but not behind the server's back. */
  world_get_server (&world, 1)->rtt_us = 80 * MS;
  world_run (&world, TRUE);
  g_assert_cmpint (world.report->preferred, ==, 1);
  world_get_server (&world, 1)->rtt_us = 30 * MS;
  hn_netcheck_set_control_reachable (world.netcheck, FALSE);
  world_run (&world, TRUE);
  g_assert_cmpint (world.report->preferred, ==, 1);
  hn_netcheck_set_control_reachable (world.netcheck, TRUE);
  world_run (&world, TRUE);
  g_assert_cmpint (world.report->preferred, ==, 2);
  /* One slow answer is forgiven for five minutes. */
  world_get_server (&world, 1)->rtt_us = 250 * MS;
  world_run (&world, TRUE);
  g_assert_cmpint (world.report->preferred, ==, 2);
  world_run_until (&world, world.now + 306 * S);
  world_run (&world, TRUE);
  g_assert_cmpint (world.report->preferred, ==, 1);

  hn_netcheck_set_forced_home (world.netcheck, 2);
  world_run (&world, TRUE);
  g_assert_cmpint (world.report->preferred, ==, 2);
  hn_netcheck_set_forced_home (world.netcheck, 0);

  /* Gone from the map. */
  world_use_regions (&world, world_make_regions (1, FALSE), 1);
  g_assert_cmpint (hn_netcheck_get_home (world.netcheck), ==, 1);
  world_close (&world);
}

static void
test_full_interval (void)
{
  World world;

  world_open (&world);
  world_use_regions (&world, world_make_regions (6, FALSE), 6);
  for (guint i = 0; i < 6; i++)
    {
      g_autofree char *at = g_strdup_printf ("10.0.0.%u:3478", i + 1);

      world_add_server (&world, at, 20 * MS, "203.0.113.9:41641");
    }
  world_run (&world, FALSE);
  g_assert_cmpuint (world.report->n_relays, ==, 6);
  world_run_until (&world, world.now + 200 * S);
  world_run (&world, FALSE);
  g_assert_cmpuint (world.report->n_relays, ==, 3);
  world_run_until (&world, world.now + 100 * S);
  world_run (&world, FALSE);
  g_assert_cmpuint (world.report->n_relays, ==, 6);
  world_close (&world);
}

static void
test_coalesce (void)
{
  World world;

  world_open (&world);
  world_use_regions (&world, world_make_regions (1, FALSE), 1);
  world_add_server (&world, "10.0.0.1:3478", 10 * MS, "203.0.113.9:41641");
  for (guint i = 0; i < 5; i++)
    hn_netcheck_start (world.netcheck, i == 2, world.now, 0);
  world_run_until (&world, world.now + 10 * S);
  g_assert_cmpuint (world.done, ==, 2);
  g_assert_cmpuint (world.sent, ==, 2);

  world.restart = TRUE;
  hn_netcheck_start (world.netcheck, FALSE, world.now, 0);
  hn_netcheck_start (world.netcheck, FALSE, world.now, 0);
  world_run_until (&world, world.now + 10 * S);
  g_assert_cmpuint (world.done, ==, 5);

  hn_netcheck_start (world.netcheck, FALSE, world.now, 0);
  hn_netcheck_start (world.netcheck, FALSE, world.now, 0);
  hn_netcheck_cancel (world.netcheck);
  g_assert_cmpint (hn_netcheck_get_deadline (world.netcheck), ==, G_MAXINT64);
  world_run_until (&world, world.now + 10 * S);
  g_assert_cmpuint (world.done, ==, 5);

  /* From within. */
  world.cancel_on_send = TRUE;
  hn_netcheck_start (world.netcheck, TRUE, world.now, 0);
  g_assert_false (hn_netcheck_is_running (world.netcheck));
  g_assert_cmpuint (world.done, ==, 5);
  world_close (&world);
}

static void
test_no_map (void)
{
  World world;

  world_open (&world);
  hn_netcheck_start (world.netcheck, FALSE, world.now, 0);
  g_assert_cmpuint (world.done, ==, 1);
  g_assert_false (world.report->udp);
  g_assert_cmpint (world.report->preferred, ==, 0);
  g_assert_cmpuint (world.report->n_relays, ==, 0);
  world_close (&world);
}

/* From another address, with another id, again, to nobody: nothing happens. */
static void
test_forged (void)
{
  World world;
  Answer real, forged;

  world_open (&world);
  world_use_regions (&world, world_make_regions (1, FALSE), 1);
  world_add_server (&world, "10.0.0.1:3478", 50 * MS, "203.0.113.9:41641");
  hn_netcheck_start (world.netcheck, TRUE, world.now, 0);
  real = g_array_index (world.answers, Answer, 0);
  g_array_set_size (world.answers, 0);

  forged = real;
  forged.from = world_endpoint ("10.0.0.2:3478");
  hn_netcheck_receive (world.netcheck, &forged.from, forged.data, forged.len, world.now);
  forged.from = world_endpoint ("10.0.0.1:3479");
  hn_netcheck_receive (world.netcheck, &forged.from, forged.data, forged.len, world.now);
  for (guint i = 0; i < 100000; i++)
    {
      memcpy (real.data + 8, &i, sizeof i);
      hn_netcheck_receive (world.netcheck, &real.from, real.data, real.len, world.now);
    }
  for (gsize len = 0; len < forged.len; len++)
    hn_netcheck_receive (world.netcheck, &real.from, forged.data, len, world.now);
  g_assert_true (hn_netcheck_is_running (world.netcheck));
  world.now += 20 * MS;
  hn_netcheck_receive (world.netcheck, &real.from, forged.data, forged.len, world.now);
  g_assert_cmpuint (world.done, ==, 1);
  g_assert_cmpint (hn_net_report_get_relay (world.report, 1)->latency_us, ==, 20 * MS);
  hn_netcheck_receive (world.netcheck, &real.from, forged.data, forged.len, world.now);
  g_assert_cmpuint (world.done, ==, 1);
  world_close (&world);
}

/* A map of thousands of regions and nodes. */
static void
test_hostile_map (void)
{
  World world;
  const guint n = 4000;
  HnDerpRegion *regions = world_make_regions (n, FALSE);

  world_open (&world);
  for (guint i = 0; i < n; i++)
    memset (&regions[i].nodes[0].ipv4, 0, sizeof (HnIp));
  world_use_regions (&world, regions, n);
  world_run (&world, TRUE);
  g_assert_cmpuint (world.resolved, <=, 64);
  g_assert_cmpuint (world.measured->len, <=, 32);

  regions = world_make_regions (n, TRUE);
  for (guint i = 0; i < n; i++)
    {
      regions[i].nodes = g_renew (HnDerpNode, regions[i].nodes, 100);
      memset (regions[i].nodes + 1, 0, 99 * sizeof (HnDerpNode));
      regions[i].n_nodes = 100;
    }
  hn_netcheck_set_families (world.netcheck, TRUE, TRUE);
  world_use_regions (&world, regions, n);
  world.sent = 0;
  world_run (&world, TRUE);
  g_assert_cmpuint (world.sent, <=, 64 * 6);
  g_assert_cmpuint (world.report->n_relays, <=, 64);
  for (guint i = 0; i < n; i++)
    hn_netcheck_heard (world.netcheck, i, world.now);
  world_run (&world, FALSE);
  world_close (&world);
}

/* A map that names what must not be asked. */
static void
test_hostile_addresses (void)
{
  static const char *const addresses[] = { "224.0.0.1", "255.255.255.255", "0.0.0.0" };

  for (guint i = 0; i < G_N_ELEMENTS (addresses); i++)
    {
      World world;
      HnDerpRegion *regions = world_make_regions (1, FALSE);

      world_open (&world);
      regions[0].nodes[0].ipv4 = world_ip (addresses[i]);
      world_use_regions (&world, regions, 1);
      world_run (&world, TRUE);
      g_assert_cmpuint (world.sent, ==, 0);
      world_close (&world);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/path/netcheck/single", test_single);
  g_test_add_func ("/path/netcheck/mapping-varies", test_mapping_varies);
  g_test_add_func ("/path/netcheck/mapping-order", test_mapping_order);
  g_test_add_func ("/path/netcheck/both-families", test_both_families);
  g_test_add_func ("/path/netcheck/wrong-mappings", test_wrong_mappings);
  g_test_add_func ("/path/netcheck/retransmit", test_retransmit);
  g_test_add_func ("/path/netcheck/late", test_late);
  g_test_add_func ("/path/netcheck/early-stop", test_early_stop);
  g_test_add_func ("/path/netcheck/one-dead", test_one_dead);
  g_test_add_func ("/path/netcheck/names", test_names);
  g_test_add_func ("/path/netcheck/one-family-there", test_one_family_there);
  g_test_add_func ("/path/netcheck/server-host", test_server_host);
  g_test_add_func ("/path/netcheck/wrong-literal", test_wrong_literal);
  g_test_add_func ("/path/netcheck/ports", test_ports);
  g_test_add_func ("/path/netcheck/not-measured", test_not_measured);
  g_test_add_func ("/path/netcheck/blocked", test_blocked);
  g_test_add_func ("/path/netcheck/fallback", test_fallback);
  g_test_add_func ("/path/netcheck/heard", test_heard);
  g_test_add_func ("/path/netcheck/home-moves", test_home_moves);
  g_test_add_func ("/path/netcheck/full-interval", test_full_interval);
  g_test_add_func ("/path/netcheck/coalesce", test_coalesce);
  g_test_add_func ("/path/netcheck/no-map", test_no_map);
  g_test_add_func ("/path/netcheck/forged", test_forged);
  g_test_add_func ("/path/netcheck/hostile-map", test_hostile_map);
  g_test_add_func ("/path/netcheck/hostile-addresses", test_hostile_addresses);
  return g_test_run ();
}
