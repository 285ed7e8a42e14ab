/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "path/hn-endpoints.h"

#define S G_USEC_PER_SEC

static HnEndpoint
endpoint (const char *text)
{
  HnEndpoint out;

  g_assert_true (hn_endpoint_parse (text, &out));
  return out;
}

/* "TYPE ADDRESS" of each, with spaces between. */
static char *
describe (const HnEndpointSources *sources)
{
  g_autoptr (GArray) list = hn_endpoints_new (sources);
  GString *text = g_string_new (NULL);

  g_assert_cmpuint (list->len, <=, HN_ENDPOINTS_MAX);
  g_assert_true (hn_endpoints_equal (list, list));
  for (guint i = 0; i < list->len; i++)
    {
      const HnTypedEndpoint *item = &g_array_index (list, HnTypedEndpoint, i);
      char buf[HN_IP_TEXT_MAX];

      g_string_append_printf (text, "%s%d %s", i > 0 ? ", " : "", item->type,
                              hn_endpoint_format (&item->endpoint, buf));
    }
  return g_string_free (text, FALSE);
}

static void
check (const HnEndpointSources *sources, const char *expected)
{
  g_autofree char *text = describe (sources);

  g_assert_cmpstr (text, ==, expected);
}

static void
set_local (HnEndpointSources *sources, HnIp *ips, const char *texts)
{
  g_auto (GStrv) parts = g_strsplit (texts, " ", -1);

  sources->local = ips;
  sources->n_local = 0;
  for (guint i = 0; parts[i] != NULL && *parts[i] != '\0'; i++)
    g_assert_true (hn_ip_parse (parts[i], &ips[sources->n_local++]));
}

static void
check_local (const char *texts, const char *expected)
{
  HnEndpointSources sources = { .port_v4 = 4, .port_v6 = 6 };
  HnIp ips[32];

  set_local (&sources, ips, texts);
  check (&sources, expected);
}

static void
test_local (void)
{
  check_local ("", "");
  check_local ("192.168.1.5 10.0.0.9 192.168.1.5", "1 10.0.0.9:4, 1 192.168.1.5:4");
  check_local ("2001:db8::1 10.0.0.9", "1 10.0.0.9:4, 1 [2001:db8::1]:6");
  /* Nobody reaches these. */
  check_local ("fe80::1 224.0.0.1 0.0.0.0 :: ff02::1", "");
  /* Of a tailnet. */
  check_local ("100.64.0.1 100.127.255.254 fd7a:115c:a1e0::1 100.128.0.1", "1 100.128.0.1:4");
  /* Only where there is nothing better. */
  check_local ("169.254.1.1 10.0.0.9 fd00::1 127.0.0.1 ::1", "1 10.0.0.9:4");
  check_local ("169.254.1.1 fd00::1 127.0.0.1", "1 169.254.1.1:4, 1 [fd00::1]:6");
  check_local ("127.0.0.1 ::1", "1 127.0.0.1:4, 1 [::1]:6");
  /* Two of a subnet. */
  check_local ("2001:db8::3 2001:db8::1 2001:db8::2 2001:db8:0:1::7 2001:db8::2",
               "1 [2001:db8::1]:6, 1 [2001:db8::2]:6, 1 [2001:db8:0:1::7]:6");
}

static void
test_sockets (void)
{
  HnEndpointSources sources = { .port_v4 = 4 };
  HnIp ips[8];

  set_local (&sources, ips, "10.0.0.9 2001:db8::1");
  check (&sources, "1 10.0.0.9:4");
  sources.port_v4 = 0;
  sources.port_v6 = 6;
  check (&sources, "1 [2001:db8::1]:6");
}

static HnNetReport
make_report (void)
{
  HnNetReport report = { .udp = TRUE, .mapping_varies = -1 };

  report.global_v4 = report.mappings[0] = endpoint ("203.0.113.9:1000");
  report.global_v6 = report.mappings[1] = endpoint ("[2001:db8::5]:2000");
  report.mappings[2] = endpoint ("203.0.113.9:1001");
  report.mappings[3] = endpoint ("203.0.113.9:1002");
  report.mapping_counts[0] = report.mapping_counts[1] = report.mapping_counts[2] = 1;
  report.mapping_counts[3] = 2;
  report.n_mappings = 4;
  return report;
}

static void
test_order (void)
{
  HnNetReport report = make_report ();
  HnSeenMappings seen = { 0 };
  HnEndpoint explicit[] = { endpoint ("198.51.100.1:5"), endpoint ("203.0.113.9:1000") };
  HnEndpointSources sources = { .port_v4 = 4,
                                .port_v6 = 6,
                                .report = &report,
                                .seen = &seen,
                                .explicit = explicit,
                                .n_explicit = 2,
                                .portmapped = endpoint ("203.0.113.9:7") };
  HnIp ips[8];

  set_local (&sources, ips, "10.0.0.9 127.0.0.1");
  hn_seen_mappings_note (&seen, &report, 0);
  report.mapping_counts[3] = 1;
  check (&sources, "3 203.0.113.9:7, 2 203.0.113.9:1000, 2 [2001:db8::5]:2000, "
                   "2 203.0.113.9:1002, 5 198.51.100.1:5, 1 10.0.0.9:4");

  /* A hard NAT and a port that somebody may have forwarded. */
  report.mapping_varies = 1;
  sources.seen = NULL;
  sources.n_explicit = 0;
  check (&sources, "3 203.0.113.9:7, 2 203.0.113.9:1000, 2 [2001:db8::5]:2000, 1 10.0.0.9:4");
  sources.fixed_port = 4;
  check (&sources, "3 203.0.113.9:7, 2 203.0.113.9:1000, 2 [2001:db8::5]:2000, "
                   "4 203.0.113.9:4, 1 10.0.0.9:4");
  /* It was taken. */
  sources.fixed_port = 5;
  check (&sources, "3 203.0.113.9:7, 2 203.0.113.9:1000, 2 [2001:db8::5]:2000, 1 10.0.0.9:4");

  /* Not behind any NAT: the same address both ways is one endpoint. */
  set_local (&sources, ips, "203.0.113.9");
  sources.port_v4 = 1000;
  sources.portmapped = (HnEndpoint){ 0 };
  check (&sources, "2 203.0.113.9:1000, 2 [2001:db8::5]:2000");
}

static void
test_lies (void)
{
  static const char *const lies[]
      = { "127.0.0.1:5", "224.0.0.1:5", "100.64.0.9:5", "255.255.255.255:5", "10.55.0.1:5" };

  for (guint i = 0; i < G_N_ELEMENTS (lies); i++)
    {
      HnNetReport report = { .n_mappings = 1 };
      HnPrefix forbidden;
      HnEndpointSources sources
          = { .port_v4 = 4, .report = &report, .forbidden = &forbidden, .n_forbidden = 1 };

      g_assert_true (hn_prefix_parse ("10.55.0.0/16", FALSE, &forbidden));
      report.global_v4 = report.mappings[0] = endpoint (lies[i]);
      check (&sources, "");
    }
}

static void
test_seen (void)
{
  HnSeenMappings seen = { 0 };
  HnNetReport report = { .n_mappings = 1 };
  HnEndpointSources sources = { .seen = &seen };

  report.global_v4 = report.mappings[0] = endpoint ("203.0.113.9:1");
  hn_seen_mappings_note (&seen, &report, 0);
  report.global_v4 = report.mappings[0] = endpoint ("203.0.113.9:2");
  hn_seen_mappings_note (&seen, &report, 100 * S);
  sources.now_us = 200 * S;
  check (&sources, "2 203.0.113.9:2, 2 203.0.113.9:1");
  /* Seen again: fresh, and in front. */
  report.global_v4 = report.mappings[0] = endpoint ("203.0.113.9:1");
  hn_seen_mappings_note (&seen, &report, 300 * S);
  sources.now_us = 410 * S - 1;
  check (&sources, "2 203.0.113.9:1, 2 203.0.113.9:2");
  sources.now_us = 410 * S;
  check (&sources, "2 203.0.113.9:1");
  sources.now_us = 610 * S;
  check (&sources, "");
  g_assert_cmpuint (seen.n, ==, 0);

  /* Six of one address, the newest; and not too many in all. */
  for (guint i = 1; i <= 10; i++)
    {
      report.global_v4.port = i;
      report.mappings[0] = report.global_v4;
      hn_seen_mappings_note (&seen, &report, 700 * S);
    }
  g_assert_cmpuint (seen.n, ==, 6);
  g_assert_cmpuint (seen.items[0].endpoint.port, ==, 10);
  g_assert_cmpuint (seen.items[5].endpoint.port, ==, 5);
  for (guint i = 0; i < 100; i++)
    {
      report.global_v4.ip.bytes[3] = i;
      report.mappings[0] = report.global_v4;
      hn_seen_mappings_note (&seen, &report, 700 * S);
    }
  g_assert_cmpuint (seen.n, ==, HN_SEEN_MAPPINGS_MAX);
  g_assert_cmpuint (seen.items[0].endpoint.ip.bytes[3], ==, 99);

  hn_seen_mappings_clear (&seen);
  sources.now_us = 700 * S;
  check (&sources, "");
}

static void
test_limit (void)
{
  HnIp ips[500];
  HnEndpointSources sources = { .local = ips, .n_local = 500, .port_v4 = 4 };
  g_autoptr (GArray) list = NULL;

  for (guint i = 0; i < 500; i++)
    ips[i] = hn_ip_from_bytes ((guint8[]){ 10, 0, i >> 8, i & 0xff }, 4);
  list = hn_endpoints_new (&sources);
  g_assert_cmpuint (list->len, ==, HN_ENDPOINTS_MAX);
}

static void
test_equal (void)
{
  HnTypedEndpoint items[] = { { endpoint ("10.0.0.1:1"), HN_ENDPOINT_LOCAL },
                              { endpoint ("10.0.0.2:1"), HN_ENDPOINT_STUN } };
  g_autoptr (GArray) a = g_array_new (FALSE, FALSE, sizeof *items);
  g_autoptr (GArray) b = g_array_new (FALSE, FALSE, sizeof *items);

  g_assert_true (hn_endpoints_equal (a, b));
  g_array_append_vals (a, items, 2);
  g_assert_false (hn_endpoints_equal (a, b));
  g_array_append_val (b, items[1]);
  g_array_append_val (b, items[0]);
  g_assert_true (hn_endpoints_equal (a, b));
  g_array_index (b, HnTypedEndpoint, 0).type = HN_ENDPOINT_LOCAL;
  g_assert_false (hn_endpoints_equal (a, b));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/path/endpoints/local", test_local);
  g_test_add_func ("/path/endpoints/sockets", test_sockets);
  g_test_add_func ("/path/endpoints/order", test_order);
  g_test_add_func ("/path/endpoints/lies", test_lies);
  g_test_add_func ("/path/endpoints/seen", test_seen);
  g_test_add_func ("/path/endpoints/limit", test_limit);
  g_test_add_func ("/path/endpoints/equal", test_equal);
  return g_test_run ();
}
