/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the server's filter rules is understood, and that the rest opens nothing. */
#include <string.h>

#include "map-helper.h"

static void
test_entries (void)
{
  g_autoptr (HnMapUpdate) update = decode (
      "{\"PacketFilter\":[{\"SrcIPs\":[\"100.64.0.1\",\"10.0.0.0/8\",\"1.0.0.5-1.0.0.9\",\"*\","
      "\"cap:c\"],\"DstPorts\":[{\"IP\":\"fd00::/8\",\"Ports\":{\"First\":22,\"Last\":23}}],"
      "\"IPProto\":[6,256,-1]},"
      /* only odd entries go */
      "{\"SrcIPs\":[\"nonsense\",\"10.0.0.1/8\",\"2.0.0.1-1.0.0.1\",5,\"1.0.0.1-fd00::1\","
      "\"1.1.1.1\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":5,\"Last\":4}},{\"IP\":\"*\","
      "\"Ports\":{\"First\":0,\"Last\":65536}},{\"IP\":\"cap:x\",\"Ports\":{\"First\":0,"
      "\"Last\":1}},{\"IP\":\"*\",\"Ports\":{\"First\":7,\"Last\":7}}],\"IPProto\":null},"
      /* these open nothing */
      "{\"SrcIPs\":[\"*\"],\"CapGrant\":[{\"Dsts\":[\"1.1.1.1/32\"],\"Caps\":[\"x\"]}]},"
      "{\"SrcIPs\":[\"*\"],\"SrcBits\":[8],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,"
      "\"Last\":1}}]},"
      "{\"SrcIPs\":[\"bad\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,\"Last\":1}}]},"
      "{\"SrcIPs\":[\"*\"],\"IPProto\":[999],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,"
      "\"Last\":1}}]},"
      "{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,"
      "\"Last\":99999999999999999999}}]},7,null]}");
  const HnFilterRules *rules = update->packet_filter;

  g_assert_cmpuint (rules->n_rules, ==, 2);
  g_assert_cmpuint (rules->rules[0].n_sources, ==, 5);
  g_assert_cmpint (rules->rules[0].sources[1].last.bytes[3], ==, 255);
  g_assert_cmpint (rules->rules[0].sources[2].first.bytes[3], ==, 5);
  g_assert_cmpint (rules->rules[0].sources[2].last.bytes[3], ==, 9);
  g_assert_cmpint (rules->rules[0].sources[4].last.bytes[15], ==, 255);
  g_assert_cmpstr (rules->rules[0].source_capabilities[0], ==, "c");
  g_assert_cmpuint (rules->rules[0].n_protocols, ==, 1);
  g_assert_cmpint (rules->rules[0].destinations[0].range.first.bytes[0], ==, 0xfd);
  g_assert_cmpint (rules->rules[0].destinations[0].range.last.bytes[1], ==, 255);
  g_assert_cmpint (rules->rules[0].destinations[0].last_port, ==, 23);
  g_assert_cmpuint (rules->rules[1].n_sources, ==, 1);
  /* "*" is two families */
  g_assert_cmpuint (rules->rules[1].n_destinations, ==, 2);
  g_assert_cmpint (rules->rules[1].destinations[0].first_port, ==, 7);
  g_assert_cmpuint (rules->rules[1].n_protocols, ==, 4);
  g_assert_true (update_has_remark (update, "map-bad-rule"));
}

/* One rule for 1.1.1.1 to port 7 with something changed. */
typedef struct
{
  const char *rule;
  guint n_rules;
  gboolean remark;
} Odd;

#define FROM "\"SrcIPs\":[\"1.1.1.1\"]"
#define TO "\"DstPorts\":[{\"IP\":\"2.2.2.2\",\"Ports\":{\"First\":7,\"Last\":7}}]"

static const Odd odd[] = {
  { "{" FROM "," TO "}", 1, FALSE },
  { "{" FROM "," TO ",\"IPProto\":[]}", 1, FALSE },
  { "{" FROM "," TO ",\"IPProto\":null}", 1, FALSE },
  { "{" FROM "," TO ",\"IPProto\":[300]}", 0, TRUE },
  { "{" FROM "," TO ",\"IPProto\":[300,6]}", 1, FALSE },
  { "{" FROM "," TO ",\"Unknown\":[{\"a\":1}]}", 1, FALSE },
  /* Of the old form nothing is left, whatever stands beside it. */
  { "{" FROM "," TO ",\"SrcBits\":null}", 1, FALSE },
  { "{" FROM "," TO ",\"SrcBits\":[]}", 1, FALSE },
  { "{" FROM "," TO ",\"SrcBits\":[32]}", 0, TRUE },
  { "{" FROM "," TO ",\"SrcBits\":32}", 0, TRUE },
  { "{" FROM ",\"DstPorts\":[{\"IP\":\"2.2.2.2\",\"Ports\":{\"First\":7,\"Last\":7}},"
    "{\"IP\":\"3.3.3.3\",\"Bits\":32,\"Ports\":{\"First\":7,\"Last\":7}}]}",
    0, TRUE },
  { "{" FROM ",\"DstPorts\":[{\"IP\":\"2.2.2.2\",\"Bits\":null,\"Ports\":{\"First\":7,"
    "\"Last\":7}}]}",
    1, FALSE },
  /* No ports are port 0. */
  { "{" FROM ",\"DstPorts\":[{\"IP\":\"2.2.2.2\"}]}", 1, FALSE },
  { "{" FROM ",\"DstPorts\":[{\"IP\":\"2.2.2.2\",\"Ports\":null}]}", 1, FALSE },
  { "{" FROM ",\"DstPorts\":[{\"IP\":\"2.2.2.2\",\"Ports\":7}]}", 0, TRUE },
  { "{" FROM ",\"DstPorts\":[{\"IP\":\"2.2.2.2\",\"Ports\":{\"First\":\"7\",\"Last\":7}}]}", 0,
    TRUE },
  { "{" FROM ",\"DstPorts\":[{\"Ports\":{\"First\":7,\"Last\":7}}]}", 0, TRUE },
  { "{" FROM ",\"DstPorts\":[]}", 0, FALSE },
  { "{" FROM "}", 0, FALSE },
  { "{\"SrcIPs\":null," TO "}", 0, FALSE },
  { "{\"SrcIPs\":[\"cap:\"]," TO "}", 0, TRUE },
  { "{\"SrcIPs\":[\"cap:x\"]," TO "}", 1, FALSE },
  { "{\"SrcIPs\":[\"::ffff:1.1.1.1\"]," TO "}", 0, TRUE },
  { "{\"SrcIPs\":[\"::ffff:1.1.1.0/120\"]," TO "}", 0, TRUE },
  { "{\"SrcIPs\":[\"::ffff:1.1.1.1-::ffff:1.1.1.9\"]," TO "}", 0, TRUE },
  { "{\"SrcIPs\":[\"fe80::1%eth0\"]," TO "}", 0, TRUE },
  { "{\"SrcIPs\":[\"1.1.1.1/33\"]," TO "}", 0, TRUE },
  { "{\"SrcIPs\":[\"1.1.1.1-1.1.1.2-1.1.1.3\"]," TO "}", 0, TRUE },
  { "{\"SrcIPs\":[\"\"]," TO "}", 0, TRUE },
};

#define RULE(n) "{\"SrcIPs\":[\"1.1.1." #n "\"]," TO "}"

/* Each costs itself: the rules before and after it stay. */
static void
test_odd_rules (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (odd); i++)
    {
      g_autofree char *json = g_strdup_printf (
          "{\"PacketFilters\":{\"base\":[{" FROM "," TO "},%s,{" FROM "," TO "}]}}", odd[i].rule);
      g_autoptr (HnMapUpdate) update = decode (json);
      const HnNamedFilter *filter = &g_array_index (update->packet_filters, HnNamedFilter, 0);

      if (filter->rules->n_rules != 2 + odd[i].n_rules
          || update_has_remark (update, "map-bad-rule") != odd[i].remark)
        g_error ("%s: %" G_GSIZE_FORMAT " rules", odd[i].rule, filter->rules->n_rules);
    }
}

static void
test_absent_ports (void)
{
  g_autoptr (HnMapUpdate) update
      = decode ("{\"PacketFilter\":[{" FROM ",\"DstPorts\":[{\"IP\":\"2.2.2.2\"}]}]}");
  const HnFilterRule *rule = &update->packet_filter->rules[0];

  g_assert_cmpint (rule->destinations[0].first_port, ==, 0);
  g_assert_cmpint (rule->destinations[0].last_port, ==, 0);
}

static void
assert_granted (const HnFilterRules *rules, const char *source, const char *destination,
                const char *name, const char *values)
{
  g_autoptr (GHashTable) granted = NULL;
  HnIp from, to;

  g_assert_true (hn_ip_parse (source, &from));
  g_assert_true (hn_ip_parse (destination, &to));
  granted = hn_filter_rules_dup_peer_capabilities (rules, &from, &to);
  g_assert_cmpstr (g_hash_table_lookup (granted, name), ==, values);
}

static void
test_grants (void)
{
  const char *json
      = "{\"PacketFilter\":["
        "{\"SrcIPs\":[\"1.1.1.1\",\"fd00::/16\",\"cap:x\"],\"CapGrant\":["
        "{\"Dsts\":[\"2.2.2.2/32\",\"3.3.3.9/24\"],\"Caps\":[\"old\",\"\",5]},"
        "{\"Dsts\":[\"2.2.2.2/32\",\"fd01::/128\",\"nonsense\",\"4.4.4.4\"],"
        "\"CapMap\":{\"drive\":[{\"a\":[1, 2]},\"t\"],\"none\":null,\"empty\":[],\"bad\":7}}]},"
        "{\"SrcIPs\":[\"1.1.1.0/24\"],\"CapGrant\":[{\"Dsts\":[\"2.2.2.0/24\"],"
        "\"CapMap\":{\"drive\":[7],\"none\":[true]}}]},"
        /* No source, no destination, no name, no object, and the old form. */
        "{\"SrcIPs\":[],\"CapGrant\":[{\"Dsts\":[\"2.2.2.2/32\"],\"Caps\":[\"z\"]}]},"
        "{\"SrcIPs\":[\"*\"],\"CapGrant\":[{\"Dsts\":[],\"Caps\":[\"z\"]}]},"
        "{\"SrcIPs\":[\"*\"],\"CapGrant\":[{\"Dsts\":[\"2.2.2.2/32\"]},7,null]},"
        "{\"SrcIPs\":[\"*\"],\"CapGrant\":7},"
        "{\"SrcIPs\":[\"*\"],\"SrcBits\":[0],\"CapGrant\":[{\"Dsts\":[\"2.2.2.2/32\"],"
        "\"Caps\":[\"z\"]}]}]}";
  g_autoptr (HnMapUpdate) update = decode (json);
  g_autoptr (HnMapUpdate) again = decode (json);
  g_autoptr (HnMapUpdate) other
      = decode ("{\"PacketFilter\":[{\"SrcIPs\":[\"*\"],\"CapGrant\":[{\"Dsts\":[\"2.2.2.2/32\"],"
                "\"CapMap\":{\"drive\":[8]}}]}]}");
  const HnFilterRules *rules = update->packet_filter;
  HnFilterRules *const parts[] = { other->packet_filter, update->packet_filter };
  g_autoptr (HnFilterRules) both = hn_filter_rules_concat (parts, G_N_ELEMENTS (parts));
  g_autoptr (GHashTable) none = NULL;
  HnIp ip;

  /* A grant opens no port. */
  g_assert_cmpuint (rules->n_rules, ==, 0);
  g_assert_cmpuint (rules->n_grants, ==, 3);
  g_assert_true (update_has_remark (update, "map-bad-rule"));
  assert_granted (rules, "1.1.1.1", "2.2.2.2", "old", "[]");
  assert_granted (rules, "1.1.1.1", "2.2.2.2", "drive", "[{\"a\":[1, 2]},\"t\",7]");
  assert_granted (rules, "1.1.1.1", "2.2.2.2", "none", "[true]");
  assert_granted (rules, "1.1.1.1", "2.2.2.2", "empty", "[]");
  assert_granted (rules, "1.1.1.1", "2.2.2.2", "bad", NULL);
  assert_granted (rules, "1.1.1.1", "2.2.2.2", "", NULL);
  assert_granted (rules, "1.1.1.1", "2.2.2.2", "z", NULL);
  assert_granted (rules, "1.1.1.1", "3.3.3.1", "old", "[]");
  assert_granted (rules, "1.1.1.1", "3.3.3.1", "drive", NULL);
  assert_granted (rules, "1.1.1.2", "2.2.2.2", "drive", "[7]");
  assert_granted (rules, "fd00::5", "fd01::", "drive", "[{\"a\":[1, 2]},\"t\"]");
  assert_granted (rules, "fd00::5", "2.2.2.2", "drive", "[{\"a\":[1, 2]},\"t\"]");
  assert_granted (rules, "1.1.1.1", "4.4.4.4", "drive", NULL);
  g_assert_true (hn_ip_parse ("9.9.9.9", &ip));
  none = hn_filter_rules_dup_peer_capabilities (rules, &ip, &ip);
  g_assert_cmpuint (g_hash_table_size (none), ==, 0);

  g_assert_true (hn_filter_rules_equal (rules, again->packet_filter));
  g_assert_false (hn_filter_rules_equal (rules, other->packet_filter));
  g_assert_cmpuint (both->n_grants, ==, 4);
  assert_granted (both, "1.1.1.2", "2.2.2.2", "drive", "[8,7]");
}

/* A rule may both open ports and grant. */
static void
test_both (void)
{
  g_autoptr (HnMapUpdate) update
      = decode ("{\"PacketFilter\":[{" FROM "," TO ",\"CapGrant\":[{\"Dsts\":[\"2.2.2.2/32\"],"
                "\"Caps\":[\"x\"]}]}]}");

  g_assert_cmpuint (update->packet_filter->n_rules, ==, 1);
  g_assert_cmpuint (update->packet_filter->n_grants, ==, 1);
}

/* Few bytes of sources and grants must not become many. */
static void
test_grant_bounds (void)
{
  g_autoptr (GString) json = g_string_new ("{\"PacketFilter\":[{\"SrcIPs\":[");
  g_autoptr (HnMapUpdate) update = NULL;

  for (guint i = 0; i < 20000; i++)
    g_string_append_printf (json, "%s\"1.%u.%u.1\"", i > 0 ? "," : "", i / 250, i % 250);
  g_string_append (json, "],\"CapGrant\":[");
  for (guint i = 0; i < 2000; i++)
    g_string_append_printf (json, "%s{\"Dsts\":[\"2.2.2.2/32\"],\"Caps\":[\"x\"]}",
                            i > 0 ? "," : "");
  g_string_append (json, "]}]}");
  update = decode (json->str);
  g_assert_cmpuint (hn_filter_rules_count_parts (update->packet_filter), <=,
                    HN_FILTER_RULES_MAX_PARTS);
  g_assert_cmpuint (update->packet_filter->n_grants, >, 10);
  g_assert_cmpuint (update->packet_filter->n_grants, <, 60);
  g_assert_true (update_has_remark (update, "map-cut"));
}

/* Which rules count after both members of one response, by their sources' last bytes. */
static void
assert_named (const char *members, const char *expected)
{
  g_autoptr (HnNetmap) map = hn_netmap_new ();
  g_autofree char *json = g_strdup_printf ("{\"Node\":{\"ID\":9,\"StableID\":\"9\",\"Key\":\"" KEY (
                                               "9") "\","
                                                    "\"Addresses\":[\"100.64.0.9/32\"]},%s}",
                                           members);
  g_autoptr (HnNetmapChange) first = NULL;
  g_autoptr (HnNetmapChange) second = NULL;
  g_autoptr (GString) seen = g_string_new (NULL);
  const HnFilterRules *rules;

  first = merge (map, "{\"Node\":{\"ID\":9,\"StableID\":\"9\",\"Key\":\"" KEY (
                          "9") "\","
                               "\"Addresses\":[\"100.64.0.9/32\"]},\"PacketFilters\":{"
                               "\"base\":[" RULE (1) "],\"m\":[" RULE (2) "]}}");
  second = merge (map, json);
  rules = hn_netmap_get_filter (map);
  for (gsize i = 0; i < rules->n_rules; i++)
    g_string_append_printf (seen, "%u", rules->rules[i].sources[0].first.bytes[3]);
  if (strcmp (seen->str, expected) != 0)
    g_error ("%s: %s instead of %s", members, seen->str, expected);
}

static void
test_named (void)
{
  assert_named ("\"PacketFilter\":null", "12");
  assert_named ("\"PacketFilter\":[]", "2");
  assert_named ("\"PacketFilter\":[" RULE (5) "]", "52");
  assert_named ("\"PacketFilters\":null", "12");
  assert_named ("\"PacketFilters\":{}", "12");
  assert_named ("\"PacketFilters\":{\"*\":null}", "");
  assert_named ("\"PacketFilters\":{\"base\":null}", "2");
  assert_named ("\"PacketFilters\":{\"base\":null,\"m\":[]}", "");
  assert_named ("\"PacketFilters\":{\"z\":[" RULE (3) "],\"a\":[" RULE (4) "]}", "4123");
  assert_named ("\"PacketFilters\":{\"z\":[" RULE (3) "],\"*\":null}", "3");
  /* PacketFilter comes first, wherever it stands. */
  assert_named ("\"PacketFilters\":{\"*\":null,\"z\":[" RULE (3) "]},"
                                                                 "\"PacketFilter\":[" RULE (5) "]",
                "3");
  assert_named ("\"PacketFilters\":{\"base\":[" RULE (6) "]},\"PacketFilter\":[" RULE (5) "]",
                "62");
  assert_named ("\"PacketFilters\":{\"base\":null},\"PacketFilter\":[" RULE (5) "]", "2");
  assert_named ("\"PacketFilters\":{\"m\":null},\"PacketFilter\":[" RULE (5) "]", "5");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/control/filter/entries", test_entries);
  g_test_add_func ("/control/filter/odd-rules", test_odd_rules);
  g_test_add_func ("/control/filter/absent-ports", test_absent_ports);
  g_test_add_func ("/control/filter/grants", test_grants);
  g_test_add_func ("/control/filter/both", test_both);
  g_test_add_func ("/control/filter/grant-bounds", test_grant_bounds);
  g_test_add_func ("/control/filter/named", test_named);
  return g_test_run ();
}
