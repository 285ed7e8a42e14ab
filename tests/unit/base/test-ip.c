/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, prefixes and endpoints in the text forms of Go's net/netip. */
#include "base/hn-ip.h"

#include <netinet/in.h>
#include <string.h>

static void
check_round (const char *text, const char *expected)
{
  char buf[HN_IP_TEXT_MAX];
  HnIp ip;

  if (!hn_ip_parse (text, &ip))
    g_error ("refused: %s", text);
  g_assert_cmpstr (hn_ip_format (&ip, buf), ==, expected);
}

static void
test_ip (void)
{
  static const char *const bad[]
      = { "",        "1.2.3",     "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4",
          "1.2.3.x", "fe80::1%1", ":::",       "1::2::3",   "12345::",  "[::1]",    "::1/128" };
  HnIp ip = { .family = 4 };
  HnIp other;
  char buf[HN_IP_TEXT_MAX];

  check_round ("100.64.0.1", "100.64.0.1");
  check_round ("0.0.0.0", "0.0.0.0");
  check_round ("::", "::");
  check_round ("::1", "::1");
  check_round ("1::", "1::");
  check_round ("FD7A:115C:A1E0::1", "fd7a:115c:a1e0::1");
  check_round ("2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1");
  check_round ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1");
  check_round ("1:0:2:0:3:0:4:0", "1:0:2:0:3:0:4:0");
  check_round ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8");
  check_round ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
               "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  check_round ("::102:304", "::102:304");
  check_round ("::ffff:1.2.3.4", "1.2.3.4");
  check_round ("0:0:0:0:0:ffff:102:304", "1.2.3.4");

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      if (hn_ip_parse (bad[i], &ip))
        g_error ("taken: %s", bad[i]);
      g_assert_cmpuint (ip.family, ==, 0);
    }
  g_assert_false (hn_ip_parse (NULL, &ip));
  g_assert_cmpstr (hn_ip_format (&ip, buf), ==, "");

  g_assert_true (hn_ip_parse ("1.2.3.4", &ip));
  g_assert_true (hn_ip_parse ("1.2.3.5", &other));
  g_assert_cmpint (hn_ip_compare (&ip, &other), <, 0);
  g_assert_false (hn_ip_equal (&ip, &other));
  other = hn_ip_from_bytes ((const guint8 *) "\1\2\3\4", 4);
  g_assert_true (hn_ip_equal (&ip, &other));
  g_assert_cmpuint (hn_ip_hash (&ip), ==, hn_ip_hash (&other));
  g_assert_true (hn_ip_parse ("::1", &other));
  g_assert_cmpint (hn_ip_compare (&ip, &other), <, 0);
}

static void
test_kinds (void)
{
  HnIp ip;

  g_assert_true (hn_ip_parse ("127.3.2.1", &ip) && hn_ip_is_loopback (&ip));
  g_assert_true (hn_ip_parse ("::1", &ip) && hn_ip_is_loopback (&ip));
  g_assert_true (hn_ip_parse ("::2", &ip) && !hn_ip_is_loopback (&ip));
  g_assert_true (hn_ip_parse ("169.254.1.1", &ip) && hn_ip_is_link_local (&ip));
  g_assert_true (hn_ip_parse ("febf::1", &ip) && hn_ip_is_link_local (&ip));
  g_assert_true (hn_ip_parse ("fec0::1", &ip) && !hn_ip_is_link_local (&ip));
  g_assert_true (hn_ip_parse ("239.1.1.1", &ip) && hn_ip_is_multicast (&ip));
  g_assert_true (hn_ip_parse ("ff02::1", &ip) && hn_ip_is_multicast (&ip));
  g_assert_true (hn_ip_parse ("240.1.1.1", &ip) && !hn_ip_is_multicast (&ip));
}

static void
test_prefix (void)
{
  static const char *const bad[]
      = { "1.2.3.4", "1.2.3.4/",    "1.2.3.4/33", "1.2.3.4/+8",  "1.2.3.4/08",    "::/129",
          "/8",      "1.2.3.4/8/8", "::/ 1",      "1.2.3.4/300", "::ffff:0:0/95", "" };
  HnPrefix p, q;
  HnIp ip;
  char buf[HN_IP_TEXT_MAX];

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      if (hn_prefix_parse (bad[i], FALSE, &p))
        g_error ("taken: %s", bad[i]);
      g_assert_cmpuint (p.ip.family, ==, 0);
    }
  g_assert_true (hn_prefix_parse ("1.2.3.4", TRUE, &p));
  g_assert_true (hn_prefix_is_single (&p));
  g_assert_cmpstr (hn_prefix_format (&p, buf), ==, "1.2.3.4/32");

  g_assert_true (hn_prefix_parse ("10.1.2.3/12", FALSE, &p));
  g_assert_true (hn_prefix_has_host_bits (&p));
  q = hn_prefix_masked (&p);
  g_assert_cmpstr (hn_prefix_format (&q, buf), ==, "10.0.0.0/12");
  g_assert_false (hn_prefix_has_host_bits (&q));
  g_assert_false (hn_prefix_equal (&p, &q));
  g_assert_true (hn_ip_parse ("10.15.255.255", &ip) && hn_prefix_contains (&p, &ip));
  g_assert_true (hn_ip_parse ("10.16.0.0", &ip) && !hn_prefix_contains (&p, &ip));
  g_assert_true (hn_ip_parse ("::1", &ip) && !hn_prefix_contains (&p, &ip));

  g_assert_true (hn_prefix_parse ("0.0.0.0/0", FALSE, &p));
  g_assert_true (hn_ip_parse ("255.1.2.3", &ip) && hn_prefix_contains (&p, &ip));
  g_assert_true (hn_prefix_parse ("fd7a:115c:a1e0::/48", FALSE, &p));
  g_assert_true (hn_ip_parse ("fd7a:115c:a1e0:ffff::1", &ip) && hn_prefix_contains (&p, &ip));
  g_assert_true (hn_ip_parse ("fd7a:115c:a1e1::1", &ip) && !hn_prefix_contains (&p, &ip));
  g_assert_true (hn_prefix_parse ("::ffff:10.0.0.0/104", FALSE, &p));
  g_assert_cmpstr (hn_prefix_format (&p, buf), ==, "10.0.0.0/8");
  g_assert_true (hn_prefix_parse ("10.0.0.0/16", FALSE, &q));
  g_assert_cmpint (hn_prefix_compare (&p, &q), <, 0);
}

static void
test_endpoint (void)
{
  static const char *const bad[] = { "",        "1.2.3.4",      "1.2.3.4:",    "1.2.3.4:65536",
                                     "::1:5",   "[::1]",        "[::1]5",      "[::1:5",
                                     "[]:5",    ":5",           "[1.2.3.4]:5", "1.2.3.4:-1",
                                     "host:80", "[fe80::1%a]:5" };
  struct sockaddr_storage storage;
  HnEndpoint e, back;
  char buf[HN_IP_TEXT_MAX];

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    if (hn_endpoint_parse (bad[i], &e))
      g_error ("taken: %s", bad[i]);
  g_assert_cmpuint (hn_endpoint_to_sockaddr (&e, &storage), ==, 0);

  g_assert_true (hn_endpoint_parse ("203.0.113.9:41641", &e));
  g_assert_cmpstr (hn_endpoint_format (&e, buf), ==, "203.0.113.9:41641");
  g_assert_cmpuint (hn_endpoint_to_sockaddr (&e, &storage), ==, sizeof (struct sockaddr_in));
  g_assert_true (hn_endpoint_from_sockaddr ((struct sockaddr *) &storage, &back));
  g_assert_true (hn_endpoint_equal (&e, &back));

  g_assert_true (hn_endpoint_parse ("[2001:db8::1]:443", &e));
  g_assert_cmpstr (hn_endpoint_format (&e, buf), ==, "[2001:db8::1]:443");
  g_assert_cmpuint (hn_endpoint_to_sockaddr (&e, &storage), ==, sizeof (struct sockaddr_in6));
  g_assert_true (hn_endpoint_from_sockaddr ((struct sockaddr *) &storage, &back));
  g_assert_true (hn_endpoint_equal (&e, &back));

  g_assert_true (hn_endpoint_parse ("[::ffff:1.2.3.4]:1", &e));
  g_assert_cmpstr (hn_endpoint_format (&e, buf), ==, "1.2.3.4:1");
  storage.ss_family = AF_UNIX;
  g_assert_false (hn_endpoint_from_sockaddr ((struct sockaddr *) &storage, &back));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ip/address", test_ip);
  g_test_add_func ("/ip/kinds", test_kinds);
  g_test_add_func ("/ip/prefix", test_prefix);
  g_test_add_func ("/ip/endpoint", test_endpoint);
  return g_test_run ();
}
