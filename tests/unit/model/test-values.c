/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Relays, DNS, filter rules, health items: building, comparing, letting go. */
#include "model/hn-derp-map.h"
#include "model/hn-dns-config.h"
#include "model/hn-filter-rules.h"
#include "model/hn-health.h"

static HnDerpMap *
make_derp_map (const char *host, double score)
{
  HnDerpRegion *regions = g_new0 (HnDerpRegion, 2);

  regions[0] = (HnDerpRegion){ .id = 999, .code = g_strdup ("b"), .score = score };
  regions[1] = (HnDerpRegion){ .id = 2, .name = g_strdup ("a"), .score = 1 };
  regions[0].nodes = g_new0 (HnDerpNode, 1);
  regions[0].n_nodes = 1;
  regions[0].nodes[0] = (HnDerpNode){ .host_name = g_strdup (host), .derp_port = 443 };
  return hn_derp_map_new_take (regions, 2);
}

static void
test_derp_map (void)
{
  g_autoptr (HnDerpMap) map = make_derp_map ("h", 1);
  g_autoptr (HnDerpMap) twin = make_derp_map ("h", 1);
  g_autoptr (HnDerpMap) other_host = make_derp_map ("i", 1);
  g_autoptr (HnDerpMap) other_score = make_derp_map ("h", 0.5);
  g_autoptr (HnDerpMap) empty = hn_derp_map_new_take (NULL, 0);
  g_autoptr (HnDerpMap) copy
      = hn_derp_map_new_take (hn_derp_map_copy_regions (map), map->n_regions);

  g_assert_cmpint (map->regions[0].id, ==, 2);
  g_assert_cmpstr (hn_derp_map_get_region (map, 999)->nodes[0].host_name, ==, "h");
  g_assert_null (hn_derp_map_get_region (map, 3));
  g_assert_null (hn_derp_map_get_region (empty, 3));
  g_assert_true (hn_derp_map_equal (map, twin));
  g_assert_true (hn_derp_map_equal (map, copy));
  g_assert_false (hn_derp_map_equal (map, other_host));
  g_assert_false (hn_derp_map_equal (map, other_score));
  g_assert_false (hn_derp_map_equal (map, empty));
}

static HnDnsConfig *
make_dns (const char *domain, const char *suffix)
{
  HnDnsConfig *dns = hn_dns_config_new ();
  const char *const domains[] = { domain, NULL };

  g_strfreev (dns->domains);
  dns->domains = g_strdupv ((GStrv) domains);
  dns->n_routes = 1;
  dns->routes = g_new0 (HnDnsRoute, 1);
  dns->routes[0].suffix = g_strdup (suffix);
  dns->routes[0].resolvers = g_new0 (char *, 1);
  return dns;
}

static void
test_dns (void)
{
  g_autoptr (HnDnsConfig) dns = make_dns ("x.test", "corp");
  g_autoptr (HnDnsConfig) twin = make_dns ("x.test", "corp");
  g_autoptr (HnDnsConfig) other = make_dns ("y.test", "corp");
  g_autoptr (HnDnsConfig) route = make_dns ("x.test", "lab");
  g_autoptr (HnDnsConfig) empty = hn_dns_config_new ();

  g_assert_true (hn_dns_config_equal (dns, twin));
  g_assert_false (hn_dns_config_equal (dns, other));
  g_assert_false (hn_dns_config_equal (dns, route));
  g_assert_false (hn_dns_config_equal (dns, empty));
  g_assert_null (empty->resolvers[0]);
}

static HnFilterRules *
make_rules (guint8 protocol, const char *capability)
{
  HnFilterRule *rules = g_new0 (HnFilterRule, 1);

  rules->n_sources = 1;
  rules->sources = g_new0 (HnIpRange, 1);
  g_assert_true (hn_ip_parse ("1.0.0.1", &rules->sources[0].first));
  g_assert_true (hn_ip_parse ("1.0.0.9", &rules->sources[0].last));
  rules->n_destinations = 1;
  rules->destinations = g_new0 (HnFilterDestination, 1);
  rules->n_protocols = 1;
  rules->protocols = g_memdup2 (&protocol, 1);
  if (capability != NULL)
    {
      rules->source_capabilities = g_new0 (char *, 2);
      rules->source_capabilities[0] = g_strdup (capability);
    }
  return hn_filter_rules_new_take (rules, 1);
}

static void
test_rules (void)
{
  g_autoptr (HnFilterRules) a = make_rules (6, NULL);
  g_autoptr (HnFilterRules) twin = make_rules (6, NULL);
  g_autoptr (HnFilterRules) b = make_rules (17, NULL);
  g_autoptr (HnFilterRules) c = make_rules (6, "cap");
  HnFilterRules *const parts[] = { a, b, c };
  g_autoptr (HnFilterRules) one = hn_filter_rules_concat (parts, 1);
  g_autoptr (HnFilterRules) all = hn_filter_rules_concat (parts, 3);
  g_autoptr (HnFilterRules) none = hn_filter_rules_concat (NULL, 0);

  g_assert_true (hn_filter_rules_equal (a, twin));
  g_assert_false (hn_filter_rules_equal (a, b));
  g_assert_false (hn_filter_rules_equal (a, c));
  g_assert_true (one == a);
  g_assert_cmpuint (all->n_rules, ==, 3);
  g_assert_cmpint (all->rules[1].protocols[0], ==, 17);
  g_assert_cmpstr (all->rules[2].source_capabilities[0], ==, "cap");
  g_assert_cmpuint (none->n_rules, ==, 0);
}

static void
test_health (void)
{
  g_autoptr (HnHealthItem) item
      = hn_health_item_new ("id", HN_SEVERITY_ERROR, "title", "text", NULL);
  g_autoptr (HnHealthItem) copy = NULL;

  item->since = 5;
  copy = hn_health_item_copy (item);
  g_assert_cmpint (copy->since, ==, 5);
  g_assert_cmpstr (copy->action, ==, "");
  copy->since = 6;
  g_assert_true (hn_health_item_equal (item, copy));
  copy->severity = HN_SEVERITY_INFO;
  g_assert_false (hn_health_item_equal (item, copy));
  g_assert_cmpstr (hn_severity_to_string (HN_SEVERITY_INFO), ==, "info");
  g_assert_cmpstr (hn_severity_to_string (HN_SEVERITY_WARNING), ==, "warning");
  g_assert_cmpstr (hn_severity_to_string (HN_SEVERITY_ERROR), ==, "error");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/values/derp-map", test_derp_map);
  g_test_add_func ("/values/dns", test_dns);
  g_test_add_func ("/values/rules", test_rules);
  g_test_add_func ("/values/health", test_health);
  return g_test_run ();
}
