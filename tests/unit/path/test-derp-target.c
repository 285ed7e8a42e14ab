/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "path/hn-derp-target.h"

static GPtrArray *
get_targets (HnDerpNode *nodes, gsize n, const char *server_url)
{
  HnDerpRegion region = { .id = 1, .nodes = nodes, .n_nodes = n };

  return hn_derp_targets_new (&region, server_url);
}

static void
check_one (const char *host, int port, const char *server_url, const char *expected_host,
           int expected_port, gboolean expected_tls)
{
  HnDerpNode node = { .name = (char *) "n", .host_name = (char *) host, .derp_port = port };
  g_autoptr (GPtrArray) targets = get_targets (&node, 1, server_url);
  const HnDerpTarget *target;

  if (expected_host == NULL)
    {
      g_assert_cmpuint (targets->len, ==, 0);
      return;
    }
  g_assert_cmpuint (targets->len, ==, 1);
  target = g_ptr_array_index (targets, 0);
  g_assert_cmpstr (target->host, ==, expected_host);
  g_assert_cmpint (target->port, ==, expected_port);
  g_assert_cmpint (target->tls, ==, expected_tls);
}

static void
test_scheme (void)
{
  /* At the coordination server's own host and port: its scheme. */
  check_one ("hs.test", 8080, "http://hs.test:8080", "hs.test", 8080, FALSE);
  check_one ("HS.test", 8080, "http://hs.TEST:8080/", "HS.test", 8080, FALSE);
  check_one ("hs.test", 80, "http://hs.test", "hs.test", 80, FALSE);
  check_one ("hs.test", 443, "https://hs.test", "hs.test", 443, TRUE);
  check_one ("10.0.0.1", 8080, "http://10.0.0.1:8080", "10.0.0.1", 8080, FALSE);
  check_one ("[fd00::1]", 8080, "http://[fd00::1]:8080", "fd00::1", 8080, FALSE);
  check_one ("hs.test.", 8080, "http://hs.test:8080", "hs.test", 8080, FALSE);
  /* Another port or host: TLS. */
  check_one ("hs.test", 443, "http://hs.test:8080", "hs.test", 443, TRUE);
  check_one ("relay.test", 8080, "http://hs.test:8080", "relay.test", 8080, TRUE);
  check_one ("hs.test", 8080, NULL, "hs.test", 8080, TRUE);
  check_one ("hs.test", 0, "http://hs.test:8080", "hs.test", 443, TRUE);
  /* No host of its own, or no possible port: the coordination server itself. */
  check_one ("", 0, "http://hs.test:8080", "hs.test", 8080, FALSE);
  check_one (NULL, 443, "https://hs.test:8443", "hs.test", 8443, TRUE);
  check_one ("hs.test", 70000, "http://hs.test:8080", "hs.test", 8080, FALSE);
  check_one ("hs.test", -1, "https://hs.test", "hs.test", 443, TRUE);
  check_one ("relay.test", 70000, "http://hs.test:8080", NULL, 0, FALSE);
  check_one ("", 443, NULL, NULL, 0, FALSE);
  check_one ("", 443, "no url", NULL, 0, FALSE);
}

static void
test_order (void)
{
  HnDerpNode nodes[] = {
    { .name = (char *) "stun", .host_name = (char *) "s.test", .stun_only = TRUE },
    { .name = (char *) "1a", .host_name = (char *) "a.test", .derp_port = 443 },
    { .name = (char *) "off",
      .host_name = (char *) "o.test",
      .ipv4_disabled = TRUE,
      .ipv6_disabled = TRUE },
    { .name = (char *) "1b", .host_name = (char *) "b.test", .cert_name = (char *) "cert.test" },
    { .name = (char *) "1c",
      .host_name = (char *) "192.0.2.7",
      .cert_name = (char *) "sha256-raw:00",
      .insecure_for_tests = TRUE },
  };
  g_autoptr (GPtrArray) targets = NULL;
  const HnDerpTarget *target;
  HnDialTarget dial;

  g_assert_true (hn_ip_parse ("192.0.2.1", &nodes[1].ipv4));
  g_assert_true (hn_ip_parse ("2001:db8::1", &nodes[1].ipv6));
  g_assert_true (hn_ip_parse ("192.0.2.7", &nodes[4].ipv4));
  targets = get_targets (nodes, G_N_ELEMENTS (nodes), NULL);

  /* a by its literals, b, c, and a once more by name; c's host is a literal itself. */
  g_assert_cmpuint (targets->len, ==, 4);
  target = g_ptr_array_index (targets, 0);
  g_assert_cmpstr (target->host, ==, "a.test");
  g_assert_cmpuint (target->n_literals, ==, 2);
  g_assert_null (target->ideal_node);
  hn_derp_target_get_dial (target, 7, &dial);
  g_assert_cmpuint (dial.n_literals, ==, 2);
  g_assert_cmpuint (dial.timeout_s, ==, 7);
  g_assert_null (dial.tls_name);

  target = g_ptr_array_index (targets, 1);
  g_assert_cmpstr (target->host, ==, "b.test");
  g_assert_cmpstr (target->tls_name, ==, "cert.test");
  g_assert_cmpstr (target->ideal_node, ==, "1a");
  target = g_ptr_array_index (targets, 2);
  g_assert_null (target->tls_name);
  g_assert_cmpstr (target->tls_pin, ==, "sha256-raw:00");
  g_assert_true (target->tls_insecure);
  target = g_ptr_array_index (targets, 3);
  g_assert_cmpstr (target->host, ==, "a.test");
  g_assert_cmpuint (target->n_literals, ==, 0);
  g_assert_null (target->ideal_node);
}

static void
test_hostile_names (void)
{
  HnDerpNode nodes[] = {
    { .name = (char *) "a\r\nX: y", .host_name = (char *) "a.test" },
    { .name = NULL, .host_name = (char *) "b.test" },
    { .name = (char *) "c", .host_name = (char *) "c.test" },
  };
  g_autoptr (GPtrArray) targets = get_targets (nodes, 3, NULL);
  g_autoptr (GPtrArray) others = get_targets (nodes + 1, 2, NULL);

  g_assert_cmpuint (targets->len, ==, 3);
  for (guint i = 0; i < 3; i++)
    g_assert_null (((HnDerpTarget *) g_ptr_array_index (targets, i))->ideal_node);
  g_assert_cmpuint (others->len, ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/path/derp-target/scheme", test_scheme);
  g_test_add_func ("/path/derp-target/order", test_order);
  g_test_add_func ("/path/derp-target/hostile-names", test_hostile_names);
  return g_test_run ();
}
