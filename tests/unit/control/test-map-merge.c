/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every rule by which responses of the map stream are merged. */
#include <string.h>

#include "map-helper.h"

#define NODE(id, digit, rest)                                                                      \
  "{\"ID\":" #id ",\"StableID\":\"s" #id "\",\"Name\":\"n" #id                                     \
  ".x.test.\",\"Key\":\"" KEY (digit) "\",\"Addresses\":[\"100.64.0." #id "/32\"]" rest "}"
#define SELF "\"Node\":" NODE (9, "9", "")
#define FIRST "{" SELF ",\"Peers\":[" NODE (1, "1", "") "," NODE (2, "2", "") "]}"

static HnNetmap *
new_map (const char *first)
{
  HnNetmap *map = hn_netmap_new ();
  g_autoptr (HnNetmapChange) change = merge (map, first);

  g_assert_cmpuint (change->parts, ==, HN_NETMAP_ALL);
  g_assert_true (change->full);
  return map;
}

static const HnNodeFields *
peer (HnNetmap *map, gint64 id)
{
  HnNode *node = hn_netmap_get_peer (map, id);

  g_assert_nonnull (node);
  return hn_node_get (node);
}

/* Merges, and checks the parts and the numbers of peers that it calls changed and removed. */
static void
check (HnNetmap *map, const char *json, guint parts, guint n_changed, guint n_removed)
{
  g_autoptr (HnNetmapChange) change = merge (map, json);

  g_assert_cmpuint (change->parts, ==, parts);
  g_assert_cmpuint (change->changed->len, ==, n_changed);
  g_assert_cmpuint (change->removed->len, ==, n_removed);
}

static void
test_first (void)
{
  g_autoptr (HnNetmap) map = new_map (FIRST);
  g_autoptr (HnNetmap) alone = new_map ("{" SELF "}");

  g_assert_cmpuint (hn_netmap_get_n_peers (map), ==, 2);
  g_assert_cmpstr (hn_node_get (hn_netmap_get_self (map))->name, ==, "n9.x.test");
  g_assert_cmpuint (hn_netmap_get_n_peers (alone), ==, 0);
  g_assert_null (hn_netmap_get_filter (alone));
  g_assert_null (hn_netmap_get_derp_map (alone));
  g_assert_cmpstr (hn_netmap_get_domain (alone), ==, "");
}

/* Some servers let a delta race ahead of the first map: nothing is said before Node is there, and
 * then all of it. */
static void
test_delta_first (void)
{
  g_autoptr (HnNetmap) map = hn_netmap_new ();
  g_autoptr (HnNetmapChange) early = merge (map, "{\"PeersChanged\":[" NODE (1, "1", "") "]}");
  g_autoptr (HnNetmapChange) first = NULL;

  g_assert_null (hn_netmap_get_self (map));
  g_assert_false (early->full);
  first = merge (map, "{" SELF "}");
  g_assert_true (first->full);
  g_assert_cmpuint (first->parts, ==, HN_NETMAP_ALL);
  g_assert_cmpuint (first->changed->len, ==, 1);
}

static void
test_equal_is_no_change (void)
{
  g_autoptr (HnNetmap) map = new_map (FIRST);
  g_autoptr (HnNetmapChange) change = merge (map, FIRST);

  g_assert_cmpuint (change->parts, ==, 0);
  g_assert_cmpuint (change->changed->len, ==, 0);
  g_assert_cmpuint (change->removed->len, ==, 0);
  check (map, "{" SELF "}", 0, 0, 0);
  check (map, "{}", 0, 0, 0);
  check (map, "{\"ControlTime\":\"2027-01-15T08:00:00Z\"}", 0, 0, 0);
}

static void
test_self (void)
{
  g_autoptr (HnNetmap) map = new_map (FIRST);

  check (map, "{\"Node\":" NODE (9, "9", ",\"Expired\":true") "}", HN_NETMAP_SELF, 0, 0);
  g_assert_true (hn_node_get (hn_netmap_get_self (map))->expired);
  check (map, "{\"Node\":null}", 0, 0, 0);
  /* Our own id among the peers is no peer. */
  check (map, "{\"PeersChanged\":[" NODE (9, "8", "") "]}", 0, 0, 0);
  check (map, "{\"PeersChangedPatch\":[{\"NodeID\":9,\"KeyExpiry\":\"2020-01-01T00:00:00Z\"}]}", 0,
         0, 0);
  g_assert_cmpuint (hn_netmap_get_n_peers (map), ==, 2);
  g_assert_cmpint (hn_node_get (hn_netmap_get_self (map))->key_expiry, ==, 0);
}

static void
test_peers_replace (void)
{
  g_autoptr (HnNetmap) map = new_map (FIRST);
  HnNode *kept = hn_netmap_get_peer (map, 1);
  g_autoptr (HnNetmapChange) change = NULL;

  /* With a full list the other peer members of a message do not count. */
  change = merge (
      map,
      "{\"Peers\":[" NODE (1, "1", "") "," NODE (
          3, "3",
          "") "],\"PeersRemoved\":[1],\"PeersChanged\":[" NODE (4, "4",
                                                                "") "],\"OnlineChange\":{\"1\":"
                                                                    "true},\"PeersChangedPatch\":[{"
                                                                    "\"NodeID\":1,"
                                                                    "\"DERPRegion\":7}]}");
  g_assert_cmpuint (change->parts, ==, HN_NETMAP_PEERS);
  g_assert_true (change->full);
  g_assert_cmpuint (change->changed->len, ==, 1);
  g_assert_cmpint (hn_node_get (change->changed->pdata[0])->id, ==, 3);
  g_assert_cmpuint (change->removed->len, ==, 1);
  g_assert_cmpint (hn_node_get (change->removed->pdata[0])->id, ==, 2);
  g_assert_true (hn_netmap_get_peer (map, 1) == kept);
  g_assert_null (hn_netmap_get_peer (map, 2));
  g_assert_null (hn_netmap_get_peer (map, 4));
}

static void
test_peers_empty (void)
{
  g_autoptr (HnNetmap) map = new_map (FIRST);

  check (map, "{\"Peers\":[]}", 0, 0, 0);
  check (map, "{\"Peers\":null}", 0, 0, 0);
  g_assert_cmpuint (hn_netmap_get_n_peers (map), ==, 2);
  check (map, "{\"Peers\":[],\"PeersRemoved\":[1]}", HN_NETMAP_PEERS, 0, 1);
}

static void
test_peers_removed (void)
{
  g_autoptr (HnNetmap) map = new_map (FIRST);

  check (map, "{\"PeersRemoved\":[2,77]}", HN_NETMAP_PEERS, 0, 1);
  g_assert_cmpuint (hn_netmap_get_n_peers (map), ==, 1);
  check (map, "{\"PeersRemoved\":[2]}", 0, 0, 0);
  check (map, "{\"PeersRemoved\":null}", 0, 0, 0);
}

static void
test_peers_changed (void)
{
  g_autoptr (HnNetmap) map = new_map (FIRST);

  check (map, "{\"PeersChanged\":[" NODE (3, "3", "") "," NODE (1, "1", "") "]}", HN_NETMAP_PEERS,
         1, 0);
  /* The whole node is replaced: what is absent is gone. */
  check (map, "{\"PeersChanged\":[" NODE (1, "1", ",\"Tags\":[\"tag:a\"],\"HomeDERP\":3") "]}",
         HN_NETMAP_PEERS, 1, 0);
  g_assert_cmpstr (peer (map, 1)->tags[0], ==, "tag:a");
  g_assert_cmpint (peer (map, 1)->home_derp, ==, 3);
  check (map, "{\"PeersChanged\":[" NODE (1, "1", "") "]}", HN_NETMAP_PEERS, 1, 0);
  g_assert_null (peer (map, 1)->tags);
  g_assert_cmpint (peer (map, 1)->home_derp, ==, 0);
}

/* Removed, then changed, seen, online, patched: in this order, and one entry a peer. */
static void
test_order (void)
{
  g_autoptr (HnNetmap) map = new_map (FIRST);
  g_autoptr (HnNetmapChange) change = merge (
      map, "{\"PeersChangedPatch\":[{\"NodeID\":1,\"Online\":false,\"DERPRegion\":5}],"
           "\"OnlineChange\":{\"1\":true},\"PeerSeenChange\":{\"1\":true},"
           "\"PeersChanged\":[" NODE (1, "1", ",\"HomeDERP\":2") "],\"PeersRemoved\":[1]}");

  g_assert_cmpuint (change->changed->len, ==, 1);
  g_assert_cmpuint (change->removed->len, ==, 0);
  g_assert_true (change->changed->pdata[0] == hn_netmap_get_peer (map, 1));
  g_assert_cmpint (peer (map, 1)->online, ==, HN_ONLINE_NO);
  g_assert_cmpint (peer (map, 1)->home_derp, ==, 5);
  g_assert_cmpint (peer (map, 1)->last_seen, ==, 1800000000);
}

static void
test_seen_and_online (void)
{
  g_autoptr (HnNetmap) map = new_map (FIRST);

  g_assert_cmpint (peer (map, 1)->online, ==, HN_ONLINE_UNKNOWN);
  check (map, "{\"OnlineChange\":{\"1\":true,\"2\":false,\"50\":true}}", HN_NETMAP_PEERS, 2, 0);
  g_assert_cmpint (peer (map, 1)->online, ==, HN_ONLINE_YES);
  g_assert_cmpint (peer (map, 2)->online, ==, HN_ONLINE_NO);
  check (map, "{\"OnlineChange\":{\"1\":true,\"2\":false}}", 0, 0, 0);
  check (map, "{\"PeerSeenChange\":{\"2\":true}}", HN_NETMAP_PEERS, 1, 0);
  g_assert_cmpint (peer (map, 2)->last_seen, ==, 1800000000);
  check (map, "{\"PeerSeenChange\":{\"2\":false}}", HN_NETMAP_PEERS, 1, 0);
  g_assert_cmpint (peer (map, 2)->last_seen, ==, 0);
  check (map, "{\"OnlineChange\":null,\"PeerSeenChange\":null}", 0, 0, 0);
}

static void
test_patch (void)
{
  g_autoptr (HnNetmap) map
      = new_map ("{" SELF ",\"Peers\":[" NODE (1, "1",
                                               ",\"HomeDERP\":4,\"Endpoints\":[\"1.2.3.4:5\"],"
                                               "\"CapMap\":{\"a\":null}") "]}");

  check (map, "{\"PeersChangedPatch\":[{\"NodeID\":88,\"DERPRegion\":5}]}", 0, 0, 0);
  check (map,
         "{\"PeersChangedPatch\":[{\"NodeID\":1,\"DERPRegion\":0,\"Endpoints\":null,"
         "\"CapMap\":null,\"Key\":null,\"DiscoKey\":null,\"Online\":null,\"LastSeen\":null,"
         "\"KeyExpiry\":null}]}",
         0, 0, 0);
  check (
      map,
      "{\"PeersChangedPatch\":[{\"NodeID\":1,\"DERPRegion\":5,\"Endpoints\":[\"1.2.3.4:6\","
      "\"[2001:db8::1]:7\"],\"CapMap\":{\"b\":[]},\"DiscoKey\":\"discokey:" KEY64 (
          "d") "\",\"LastSeen\":\"2026-01-02T03:04:05Z\",\"KeyExpiry\":\"2027-01-02T03:04:05Z\"}]}",
      HN_NETMAP_PEERS, 1, 0);
  g_assert_cmpint (peer (map, 1)->home_derp, ==, 5);
  g_assert_cmpuint (peer (map, 1)->n_endpoints, ==, 2);
  g_assert_cmpstr (peer (map, 1)->capabilities[0], ==, "b");
  g_assert_null (peer (map, 1)->capabilities[1]);
  g_assert_cmpint (peer (map, 1)->disco.bytes[0], ==, 0xdd);
  g_assert_cmpint (peer (map, 1)->last_seen, ==, 1767323045);
  g_assert_cmpint (peer (map, 1)->key_expiry, ==, 1798859045);
  /* The zero time means that the key does not expire; an empty list of endpoints is a list. */
  check (map,
         "{\"PeersChangedPatch\":[{\"NodeID\":1,\"KeyExpiry\":\"0001-01-01T00:00:00Z\","
         "\"Endpoints\":[]}]}",
         HN_NETMAP_PEERS, 1, 0);
  g_assert_cmpint (peer (map, 1)->key_expiry, ==, 0);
  g_assert_cmpuint (peer (map, 1)->n_endpoints, ==, 0);
}

/* The data plane must hear of the old key. */
static void
test_patch_key (void)
{
  g_autoptr (HnNetmap) map = new_map (FIRST);
  g_autoptr (HnNode) old = hn_node_ref (hn_netmap_get_peer (map, 1));
  g_autoptr (HnNetmapChange) change
      = merge (map, "{\"PeersChangedPatch\":[{\"NodeID\":1,\"Key\":\"" KEY ("a") "\"}]}");

  g_assert_cmpuint (change->changed->len, ==, 1);
  g_assert_cmpuint (change->removed->len, ==, 1);
  g_assert_true (change->removed->pdata[0] == old);
  g_assert_cmpint (peer (map, 1)->key.bytes[0], ==, 0xaa);
  /* The old one is free for another peer now. */
  check (map, "{\"PeersChanged\":[" NODE (3, "1", "") "]}", HN_NETMAP_PEERS, 1, 0);
}

static void
test_guards (void)
{
  g_autoptr (HnNetmap) map = new_map ("{" SELF ",\"Peers\":[" NODE (
      1, "1",
      "") ","
          "{\"ID\":2,\"Name\":\"nokey\",\"Addresses\":[\"100.64.0.2/32\"]},"
          "{\"Name\":\"noid\",\"Key\":\"" KEY ("3") "\"}," NODE (3, "9", "") "," NODE (4, "1", "") ",{\"ID\":5,\"Name\":\"taken\",\"Key\":\"" KEY (
              "5") "\",\"Addresses\":[\"100.64.0.1/32\"]},"
                   "{\"ID\":6,\"Name\":\"ours\",\"Key\":\"" KEY (
                       "6") "\",\"Addresses\":[\"100.64.0.9/32\"]},"
                            "{\"ID\":7,\"Key\":\"" KEY (
                                "7") "\",\"Addresses\":[\"127.0.0.1/32\"]},"
                                     "{\"ID\":8,\"Key\":\"" KEY (
                                         "8") "\",\"Addresses\":[\"0.0.0.0/0\"]},"
                                              "{\"ID\":10,\"Key\":\"" KEY (
                                                  "a") "\",\"Addresses\":[\"ff02::1/128\"]},"
                                                       "{\"ID\":11,\"Key\":\"" KEY (
                                                           "b") "\",\"Addresses\":[\"::/128\"]},"
                                                                "{\"ID\":12,\"Key\":\"" KEY (
                                                                    "c") "\",\"Addresses\":[\"192."
                                                                         "168.1.5/32\",\"fd00::5/"
                                                                         "128\"]}"
                                                                         "]}");

  g_assert_cmpuint (hn_netmap_get_n_peers (map), ==, 2);
  peer (map, 1);
  peer (map, 12);
  g_assert_nonnull (strstr (health_text (map, "map-bad-peer"), "nokey has no key"));
  g_assert_nonnull (strstr (health_text (map, "map-bad-peer"), "Skipped 6"));
  g_assert_nonnull (strstr (health_text (map, "map-duplicate-key"), "Skipped 2"));
  g_assert_nonnull (strstr (health_text (map, "map-duplicate-address"), "Skipped 2"));

  /* A good list takes the remarks back. */
  check (map, "{\"Peers\":[" NODE (1, "1", "") "]}", HN_NETMAP_PEERS | HN_NETMAP_HEALTH, 0, 1);
  g_assert_cmpuint (hn_netmap_get_health (map)->len, ==, 0);
}

/* A server that repeats what is odd says nothing new; and what it mends is forgotten. */
static void
test_remarks (void)
{
  g_autoptr (HnNetmap) map = new_map ("{" SELF "}");
  const char *odd = "{\"PacketFilters\":{\"base\":[{\"SrcIPs\":[\"x\"]}]}}";

  check (map, odd, HN_NETMAP_FILTER | HN_NETMAP_HEALTH, 0, 0);
  g_assert_nonnull (health_text (map, "map-bad-rule"));
  check (map, odd, 0, 0, 0);
  check (map, "{\"DERPMap\":{\"Regions\":{}}}", HN_NETMAP_DERP, 0, 0);
  check (map, "{\"PacketFilters\":{\"base\":[]}}", HN_NETMAP_HEALTH, 0, 0);
  g_assert_null (health_text (map, "map-bad-rule"));
  check (map, "{\"Node\":{\"ID\":9,\"Addresses\":[\"127.0.0.1/32\"]}}", HN_NETMAP_HEALTH, 0, 0);
  g_assert_nonnull (health_text (map, "map-bad-self"));
  check (map, "{" SELF "}", HN_NETMAP_HEALTH, 0, 0);
  g_assert_cmpuint (hn_netmap_get_health (map)->len, ==, 0);
}

#define BAD_ADDRESS(id) NODE (id, #id, ",\"AllowedIPs\":[\"nonsense\"]")
#define CHANGED(peers) "{\"PeersChanged\":[" peers "]}"

/* A remark about peers goes with the last of them that it is about, replaced or removed. */
static void
test_mended_peers (void)
{
  g_autoptr (HnNetmap) map = new_map ("{" SELF ",\"Peers\":[" NODE (1, "1", "") "," BAD_ADDRESS (
      2) "," BAD_ADDRESS (3) ",{\"ID\":4,\"Name\":\"nokey\"}]}");

  g_assert_nonnull (health_text (map, "map-bad-address"));
  g_assert_nonnull (health_text (map, "map-bad-peer"));
  check (map, CHANGED (NODE (1, "1", ",\"Hostinfo\":{\"OS\":\"linux\"}")), HN_NETMAP_PEERS, 1, 0);
  check (map, CHANGED (NODE (2, "2", ",\"AllowedIPs\":[]")), 0, 0, 0);
  g_assert_nonnull (health_text (map, "map-bad-address"));
  /* One that is still bad stays so, alone now. */
  check (map, CHANGED (BAD_ADDRESS (3)), HN_NETMAP_HEALTH, 0, 0);
  g_assert_nonnull (health_text (map, "map-bad-address"));
  check (map, "{\"PeersRemoved\":[3]}", HN_NETMAP_PEERS | HN_NETMAP_HEALTH, 0, 1);
  g_assert_null (health_text (map, "map-bad-address"));
  g_assert_nonnull (health_text (map, "map-bad-peer"));
  check (map, CHANGED (NODE (4, "4", "")), HN_NETMAP_PEERS | HN_NETMAP_HEALTH, 1, 0);
  g_assert_cmpuint (hn_netmap_get_health (map)->len, ==, 0);

  /* One that nobody knows a number of stays until a list comes. */
  check (map, CHANGED ("{\"Name\":\"noid\"}"), HN_NETMAP_HEALTH, 0, 0);
  check (map, CHANGED (NODE (4, "4", "")), 0, 0, 0);
  check (map, "{\"PeersRemoved\":[0,4]}", HN_NETMAP_PEERS, 0, 1);
  g_assert_nonnull (health_text (map, "map-bad-peer"));
  check (map, "{\"Peers\":[" NODE (1, "1", "") "]}", HN_NETMAP_PEERS | HN_NETMAP_HEALTH, 1, 1);
  g_assert_cmpuint (hn_netmap_get_health (map)->len, ==, 0);
}

/* Of two with one key the newer has it; once the server says where the older went, all is well. */
static void
test_mended_duplicate (void)
{
  g_autoptr (HnNetmap) map = new_map (FIRST);

  check (map, CHANGED (NODE (3, "1", "")), HN_NETMAP_PEERS | HN_NETMAP_HEALTH, 1, 1);
  g_assert_nonnull (health_text (map, "map-duplicate-key"));
  check (map, CHANGED (NODE (3, "1", "")), 0, 0, 0);
  g_assert_nonnull (health_text (map, "map-duplicate-key"));
  check (map, "{\"PeersRemoved\":[1]}", HN_NETMAP_HEALTH, 0, 0);
  g_assert_cmpuint (hn_netmap_get_health (map)->len, ==, 0);

  /* What is wrong with our own node, and with a patch. */
  check (map, "{\"Node\":" BAD_ADDRESS (9) "}", HN_NETMAP_SELF | HN_NETMAP_HEALTH, 0, 0);
  check (map, "{" SELF "}", HN_NETMAP_SELF | HN_NETMAP_HEALTH, 0, 0);
  check (map, "{\"PeersChangedPatch\":[{\"NodeID\":2,\"Endpoints\":[\"x\"]}]}", HN_NETMAP_HEALTH, 0,
         0);
  g_assert_nonnull (health_text (map, "map-bad-address"));
  check (map, CHANGED (NODE (2, "2", "")), HN_NETMAP_HEALTH, 0, 0);
  g_assert_cmpuint (hn_netmap_get_health (map)->len, ==, 0);
}

/* More culprits than are remembered: then the remark stays until a list comes. */
static void
test_many_culprits (void)
{
  g_autoptr (HnNetmap) map = new_map (FIRST);
  g_autoptr (GString) bad = g_string_new ("{\"PeersChanged\":[");
  g_autoptr (GString) removed = g_string_new ("{\"PeersRemoved\":[");

  for (guint i = 10; i < 610; i++)
    {
      g_string_append_printf (bad, "%s{\"ID\":%u}", i > 10 ? "," : "", i);
      g_string_append_printf (removed, "%s%u", i > 10 ? "," : "", i);
    }
  g_string_append (bad, "]}");
  g_string_append (removed, "]}");
  check (map, bad->str, HN_NETMAP_HEALTH, 0, 0);
  check (map, removed->str, 0, 0, 0);
  g_assert_nonnull (strstr (health_text (map, "map-bad-peer"), "Skipped 600"));
}

/* In a delta the newer peer has the address: the server may say only later that the older is gone. */
static void
test_takeover (void)
{
  g_autoptr (HnNetmap) map = new_map (FIRST);
  g_autoptr (HnNetmapChange) change
      = merge (map, "{\"PeersChanged\":[{\"ID\":5,\"Key\":\"" KEY (
                        "5") "\",\"Addresses\":[\"100.64.0.1/32\"]}]}");

  g_assert_cmpuint (change->changed->len, ==, 1);
  g_assert_cmpuint (change->removed->len, ==, 1);
  g_assert_cmpint (hn_node_get (change->removed->pdata[0])->id, ==, 1);
  g_assert_null (hn_netmap_get_peer (map, 1));
  check (map, "{\"PeersRemoved\":[1]}", HN_NETMAP_HEALTH, 0, 0);
  peer (map, 5);
  /* Two that swap keys in one message are both there afterwards. */
  check (map,
         "{\"PeersChanged\":[{\"ID\":5,\"Key\":\"" KEY ("2") "\"},{\"ID\":2,\"Key\":\"" KEY (
             "5") "\"}]}",
         HN_NETMAP_PEERS | HN_NETMAP_HEALTH, 2, 2);
  g_assert_cmpuint (hn_netmap_get_n_peers (map), ==, 2);
}

static void
test_derp (void)
{
  g_autoptr (HnNetmap) map = new_map ("{" SELF "}");
  const HnDerpRegion *region;

  check (map,
         "{\"DERPMap\":{\"Regions\":{\"999\":{\"RegionID\":999,\"RegionCode\":\"t\",\"Nodes\":["
         "{\"Name\":\"999\",\"HostName\":\"[fd00::1]\",\"IPv4\":\"10.0.0.1\",\"IPv6\":\"none\","
         "\"STUNPort\":-1,\"DERPPort\":8080}]},\"5\":{\"RegionName\":\"five\"},\"7\":null,"
         "\"0\":{\"RegionID\":0}}}}",
         HN_NETMAP_DERP | HN_NETMAP_HEALTH, 0, 0);
  g_assert_cmpuint (hn_netmap_get_derp_map (map)->n_regions, ==, 2);
  g_assert_cmpint (hn_netmap_get_derp_map (map)->regions[0].id, ==, 5);
  region = hn_derp_map_get_region (hn_netmap_get_derp_map (map), 999);
  g_assert_cmpstr (region->nodes[0].host_name, ==, "fd00::1");
  g_assert_cmpint (region->nodes[0].ipv4.family, ==, 4);
  g_assert_false (region->nodes[0].ipv4_disabled);
  g_assert_true (region->nodes[0].ipv6_disabled);
  g_assert_cmpint (region->nodes[0].stun_port, ==, -1);
  g_assert_cmpint (region->nodes[0].derp_port, ==, 8080);
  g_assert_cmpfloat (region->score, ==, 1);

  /* Absent or null regions stay; scores are merged on their own. */
  check (map, "{\"DERPMap\":{\"Regions\":null}}", 0, 0, 0);
  check (map, "{\"DERPMap\":{}}", 0, 0, 0);
  check (map, "{\"DERPMap\":null}", 0, 0, 0);
  check (map, "{\"DERPMap\":{\"HomeParams\":{\"RegionScore\":{\"999\":0.5,\"5\":-1}}}}",
         HN_NETMAP_DERP, 0, 0);
  region = hn_derp_map_get_region (hn_netmap_get_derp_map (map), 999);
  g_assert_cmpfloat (region->score, ==, 0.5);
  g_assert_cmpstr (region->nodes[0].host_name, ==, "fd00::1");
  check (map, "{\"DERPMap\":{\"HomeParams\":{\"RegionScore\":null}}}", 0, 0, 0);
  /* New regions keep the scores, and take back what was said of the old ones. */
  check (map, "{\"DERPMap\":{\"Regions\":{\"999\":{\"Nodes\":[{\"HostName\":\"h\"}]}}}}",
         HN_NETMAP_DERP | HN_NETMAP_HEALTH, 0, 0);
  region = hn_derp_map_get_region (hn_netmap_get_derp_map (map), 999);
  g_assert_cmpfloat (region->score, ==, 0.5);
  g_assert_cmpint (region->nodes[0].stun_port, ==, 3478);
  g_assert_cmpint (region->nodes[0].derp_port, ==, 443);
  check (map, "{\"DERPMap\":{\"HomeParams\":{\"RegionScore\":{}}}}", HN_NETMAP_DERP, 0, 0);
  g_assert_cmpfloat (hn_netmap_get_derp_map (map)->regions[0].score, ==, 1);
}

static void
test_dns (void)
{
  g_autoptr (HnNetmap) map = new_map ("{" SELF "}");
  const HnDnsConfig *dns;
  const char *full
      = "{\"DNSConfig\":{\"Proxied\":true,\"Domains\":[\"x.test.\",\"corp\"],\"Resolvers\":["
        "{\"Addr\":\"1.1.1.1\"}],\"FallbackResolvers\":null,\"Routes\":{\"z.test\":[{\"Addr\":"
        "\"10.0.0.1:53\"}],\"64.100.in-addr.arpa.\":null,\"a.test\":[]},\"ExtraRecords\":[{"
        "\"Name\":\"e.x.test\",\"Value\":\"100.64.0.7\"}]}}";

  check (map, full, HN_NETMAP_DNS, 0, 0);
  check (map, full, 0, 0, 0);
  check (map, "{\"DNSConfig\":null}", 0, 0, 0);
  dns = hn_netmap_get_dns (map);
  g_assert_true (dns->magic_dns);
  g_assert_cmpstr (dns->domains[0], ==, "x.test");
  g_assert_cmpstr (dns->resolvers[0], ==, "1.1.1.1");
  g_assert_null (dns->fallback_resolvers[0]);
  g_assert_cmpuint (dns->n_routes, ==, 3);
  g_assert_cmpstr (dns->routes[0].suffix, ==, "64.100.in-addr.arpa");
  g_assert_null (dns->routes[0].resolvers[0]);
  g_assert_cmpstr (dns->routes[2].resolvers[0], ==, "10.0.0.1:53");
  g_assert_cmpstr (dns->extra_records[0].type, ==, "");
  /* Replaced as a whole. */
  check (map, "{\"DNSConfig\":{}}", HN_NETMAP_DNS, 0, 0);
  g_assert_false (hn_netmap_get_dns (map)->magic_dns);
  g_assert_cmpuint (hn_netmap_get_dns (map)->n_routes, ==, 0);
}

static void
test_domain_and_users (void)
{
  g_autoptr (HnNetmap) map = new_map ("{" SELF "}");

  check (map, "{\"Domain\":\"x.test\"}", HN_NETMAP_DOMAIN, 0, 0);
  check (map, "{\"Domain\":\"\"}", 0, 0, 0);
  g_assert_cmpstr (hn_netmap_get_domain (map), ==, "x.test");

  check (map,
         "{\"UserProfiles\":[{\"ID\":1,\"LoginName\":\"a@x\",\"DisplayName\":\"A\"},"
         "{\"ID\":2,\"LoginName\":\"b@x\"}]}",
         HN_NETMAP_USERS, 0, 0);
  check (map, "{\"UserProfiles\":[{\"ID\":1,\"LoginName\":\"a@x\",\"DisplayName\":\"A\"}]}", 0, 0,
         0);
  check (map, "{\"UserProfiles\":[{\"ID\":1,\"LoginName\":\"c@x\"}]}", HN_NETMAP_USERS, 0, 0);
  g_assert_cmpstr (hn_netmap_get_user (map, 1)->login_name, ==, "c@x");
  /* Merged by id, never removed. */
  g_assert_cmpstr (hn_netmap_get_user (map, 2)->login_name, ==, "b@x");
  g_assert_null (hn_netmap_get_user (map, 3));
}

#define RULE(ip)                                                                                   \
  "{\"SrcIPs\":[\"" ip "\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,\"Last\":65535}}]}"

static gsize
n_rules (HnNetmap *map)
{
  return hn_netmap_get_filter (map)->n_rules;
}

static void
test_filters (void)
{
  g_autoptr (HnNetmap) map = new_map ("{" SELF "}");

  g_assert_null (hn_netmap_get_filter (map));
  check (map, "{\"PacketFilter\":null,\"PacketFilters\":null}", 0, 0, 0);
  g_assert_null (hn_netmap_get_filter (map));
  check (map, "{\"PacketFilter\":[" RULE ("1.0.0.1") "]}", HN_NETMAP_FILTER, 0, 0);
  check (map, "{\"PacketFilter\":null}", 0, 0, 0);
  check (map, "{\"PacketFilters\":{}}", 0, 0, 0);
  check (map, "{\"PacketFilters\":{\"base\":[" RULE ("1.0.0.1") "]}}", 0, 0, 0);
  g_assert_cmpuint (n_rules (map), ==, 1);
  /* In the order of their names. */
  check (map, "{\"PacketFilters\":{\"z\":[" RULE ("1.0.0.3") "],\"a\":[" RULE ("1.0.0.2") "]}}",
         HN_NETMAP_FILTER, 0, 0);
  g_assert_cmpuint (n_rules (map), ==, 3);
  g_assert_cmpint (hn_netmap_get_filter (map)->rules[0].sources[0].first.bytes[3], ==, 2);
  g_assert_cmpint (hn_netmap_get_filter (map)->rules[1].sources[0].first.bytes[3], ==, 1);
  g_assert_cmpint (hn_netmap_get_filter (map)->rules[2].sources[0].first.bytes[3], ==, 3);
  /* null deletes a name, an empty list sets it. */
  check (map, "{\"PacketFilters\":{\"a\":null}}", HN_NETMAP_FILTER, 0, 0);
  check (map, "{\"PacketFilters\":{\"z\":[]}}", HN_NETMAP_FILTER, 0, 0);
  g_assert_cmpuint (n_rules (map), ==, 1);
  /* "*" clears what was there before anything is set, whatever the order of the members. */
  check (map, "{\"PacketFilters\":{\"n\":[" RULE ("1.0.0.9") "],\"*\":null}}", HN_NETMAP_FILTER, 0,
         0);
  g_assert_cmpuint (n_rules (map), ==, 1);
  g_assert_cmpint (hn_netmap_get_filter (map)->rules[0].sources[0].first.bytes[3], ==, 9);
  check (map, "{\"PacketFilters\":{\"*\":null,\"n\":[" RULE ("1.0.0.9") "]}}", 0, 0, 0);
  check (map, "{\"PacketFilter\":[]}", 0, 0, 0);
  check (map, "{\"PacketFilters\":{\"*\":null}}", HN_NETMAP_FILTER, 0, 0);
  g_assert_cmpuint (n_rules (map), ==, 0);
}

/* A policy that allows nothing: rules came, and there are none. */
static void
test_filters_block (void)
{
  g_autoptr (HnNetmap) map = new_map ("{" SELF ",\"PacketFilters\":{\"base\":null}}");
  g_autoptr (HnNetmap) other = new_map ("{" SELF ",\"PacketFilter\":[]}");

  g_assert_cmpuint (n_rules (map), ==, 0);
  g_assert_cmpuint (n_rules (other), ==, 0);
}

static void
test_health (void)
{
  g_autoptr (HnNetmap) map = new_map ("{" SELF "}");

  check (map, "{\"Health\":[\"one\",\"two\"]}", HN_NETMAP_HEALTH, 0, 0);
  g_assert_cmpuint (hn_netmap_get_health (map)->len, ==, 2);
  g_assert_true (
      g_str_has_prefix (((HnHealthItem *) hn_netmap_get_health (map)->pdata[0])->id, "server-"));
  check (map, "{\"Health\":null}", 0, 0, 0);
  check (map, "{\"Health\":[\"one\",\"two\"]}", 0, 0, 0);
  check (map, "{\"Health\":[]}", HN_NETMAP_HEALTH, 0, 0);

  check (map,
         "{\"DisplayMessages\":{\"m1\":{\"Title\":\"T\",\"Text\":\"x\",\"Severity\":\"high\","
         "\"PrimaryAction\":{\"URL\":\"https://a.test/\",\"Label\":\"l\"}},\"m2\":{\"Text\":\"y\","
         "\"Severity\":\"low\"}}}",
         HN_NETMAP_HEALTH, 0, 0);
  g_assert_cmpstr (health_text (map, "server-m1"), ==, "x");
  g_assert_cmpstr (((HnHealthItem *) hn_netmap_get_health (map)->pdata[0])->action, ==,
                   "url:https://a.test/");
  g_assert_cmpint (((HnHealthItem *) hn_netmap_get_health (map)->pdata[0])->severity, ==,
                   HN_SEVERITY_ERROR);
  g_assert_cmpint (((HnHealthItem *) hn_netmap_get_health (map)->pdata[0])->since, ==, 1800000000);
  check (map, "{\"DisplayMessages\":{\"m1\":null}}", HN_NETMAP_HEALTH, 0, 0);
  g_assert_null (health_text (map, "server-m1"));
  g_assert_cmpstr (health_text (map, "server-m2"), ==, "y");
  check (map, "{\"DisplayMessages\":{\"m3\":{\"Text\":\"z\"},\"*\":null}}", HN_NETMAP_HEALTH, 0, 0);
  g_assert_cmpuint (hn_netmap_get_health (map)->len, ==, 1);
  g_assert_cmpstr (health_text (map, "server-m3"), ==, "z");
}

static void
test_clock (void)
{
  g_autoptr (HnNetmap) map = new_map ("{" SELF "}");
  g_autoptr (HnNetmapChange) fine = NULL;
  g_autoptr (HnNetmapChange) off = NULL;
  g_autoptr (HnNetmapChange) jitter = NULL;
  g_autoptr (HnNetmapChange) back = NULL;
  const gint64 noon = 1767268800;

  fine = merge_at (map, "{\"ControlTime\":\"2026-01-01T12:00:00Z\"}", noon + 60);
  g_assert_cmpuint (fine->parts, ==, 0);
  g_assert_cmpint (hn_netmap_get_clock_offset (map), ==, 0);
  /* With keep-alives too, and nothing else of those counts. */
  off = merge_at (map,
                  "{\"KeepAlive\":true,\"ControlTime\":\"2026-01-01T12:00:00.5Z\",\"Domain\":"
                  "\"no\",\"PeersRemoved\":[1]}",
                  noon + 61);
  g_assert_cmpuint (off->parts, ==, HN_NETMAP_CLOCK);
  g_assert_cmpint (hn_netmap_get_clock_offset (map), ==, -61);
  g_assert_cmpstr (hn_netmap_get_domain (map), ==, "");
  jitter = merge_at (map, "{\"ControlTime\":\"2026-01-01T12:00:00+00:00\"}", noon + 63);
  g_assert_cmpuint (jitter->parts, ==, 0);
  back = merge_at (map, "{\"ControlTime\":\"2026-01-01T14:00:00+02:00\"}", noon);
  g_assert_cmpuint (back->parts, ==, HN_NETMAP_CLOCK);
  g_assert_cmpint (hn_netmap_get_clock_offset (map), ==, 0);
}

static void
test_tka_and_ssh (void)
{
  g_autoptr (HnNetmap) map = new_map ("{" SELF "}");

  g_assert_false (hn_netmap_get_tka_enabled (map));
  check (map, "{\"TKAInfo\":{\"Head\":\"abc\"}}", HN_NETMAP_HEALTH, 0, 0);
  g_assert_true (hn_netmap_get_tka_enabled (map));
  check (map, "{\"TKAInfo\":null}", 0, 0, 0);
  check (map, "{\"TKAInfo\":{\"Disabled\":true}}", HN_NETMAP_HEALTH, 0, 0);
  g_assert_false (hn_netmap_get_tka_enabled (map));
  check (map, "{\"SSHPolicy\":null}", 0, 0, 0);
  check (map, "{\"SSHPolicy\":{\"rules\":null}}", HN_NETMAP_SSH, 0, 0);
}

/* One delta with a named filter of @n sources, each a few bytes long. */
static void
merge_wide_filter (HnNetmap *map, const char *name, guint n)
{
  g_autoptr (GString) json = g_string_new (NULL);
  g_autoptr (HnNetmapChange) change = NULL;

  g_string_append_printf (json, "{\"PacketFilters\":{\"%s\":[{\"SrcIPs\":[", name);
  for (guint i = 0; i < n; i++)
    g_string_append (json, i > 0 ? ",\"*\"" : "\"*\"");
  g_string_append (json, "],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{}}]}]}}");
  change = merge (map, json->str);
}

/* What is small on the wire and large in memory has a limit, in one response and over all of them. */
static void
test_filters_limit (void)
{
  g_autoptr (HnNetmap) map = new_map (FIRST);

  merge_wide_filter (map, "a", HN_FILTER_RULES_MAX_PARTS / 2 + 1000);
  g_assert_cmpuint (hn_filter_rules_count_parts (hn_netmap_get_filter (map)), <=,
                    HN_FILTER_RULES_MAX_PARTS);
  g_assert_nonnull (strstr (health_text (map, "map-cut"), "sources and destinations"));

  merge_wide_filter (map, "a", HN_FILTER_RULES_MAX_PARTS / 4 + 1000);
  g_assert_null (health_text (map, "map-too-many-rules"));
  merge_wide_filter (map, "b", HN_FILTER_RULES_MAX_PARTS / 4 + 1000);
  g_assert_cmpuint (hn_netmap_get_filter (map)->n_rules, ==, 1);
  g_assert_nonnull (strstr (health_text (map, "map-too-many-rules"), "Skipped 1"));
  merge_wide_filter (map, "b", 10);
  g_assert_cmpuint (hn_netmap_get_filter (map)->n_rules, ==, 2);
  g_assert_null (health_text (map, "map-too-many-rules"));
}

/* Our own node comes to have what a peer has: the peer goes, as one that comes later would not be let
 * in. */
static void
test_self_takes (void)
{
  g_autoptr (HnNetmap) map = new_map (FIRST);

  check (map,
         "{\"Node\":{\"ID\":9,\"StableID\":\"s9\",\"Name\":\"n9\",\"Key\":\"" KEY (
             "9") "\",\"Addresses\":[\"100.64.0.1/32\"]}}",
         HN_NETMAP_SELF | HN_NETMAP_PEERS | HN_NETMAP_HEALTH, 0, 1);
  g_assert_null (hn_netmap_get_peer (map, 1));
  g_assert_nonnull (strstr (health_text (map, "map-duplicate-address"), "own address 100.64.0.1"));
  check (map,
         "{\"Node\":{\"ID\":9,\"StableID\":\"s9\",\"Name\":\"n9\",\"Key\":\"" KEY (
             "2") "\",\"Addresses\":[\"100.64.0.9/32\"]}}",
         HN_NETMAP_SELF | HN_NETMAP_PEERS | HN_NETMAP_HEALTH, 0, 1);
  g_assert_null (hn_netmap_get_peer (map, 2));
  g_assert_nonnull (strstr (health_text (map, "map-duplicate-key"), "own key"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/map-merge/first", test_first);
  g_test_add_func ("/map-merge/delta-first", test_delta_first);
  g_test_add_func ("/map-merge/equal", test_equal_is_no_change);
  g_test_add_func ("/map-merge/self", test_self);
  g_test_add_func ("/map-merge/self-takes", test_self_takes);
  g_test_add_func ("/map-merge/peers-replace", test_peers_replace);
  g_test_add_func ("/map-merge/peers-empty", test_peers_empty);
  g_test_add_func ("/map-merge/peers-removed", test_peers_removed);
  g_test_add_func ("/map-merge/peers-changed", test_peers_changed);
  g_test_add_func ("/map-merge/order", test_order);
  g_test_add_func ("/map-merge/seen-and-online", test_seen_and_online);
  g_test_add_func ("/map-merge/patch", test_patch);
  g_test_add_func ("/map-merge/patch-key", test_patch_key);
  g_test_add_func ("/map-merge/guards", test_guards);
  g_test_add_func ("/map-merge/remarks", test_remarks);
  g_test_add_func ("/map-merge/mended-peers", test_mended_peers);
  g_test_add_func ("/map-merge/mended-duplicate", test_mended_duplicate);
  g_test_add_func ("/map-merge/many-culprits", test_many_culprits);
  g_test_add_func ("/map-merge/takeover", test_takeover);
  g_test_add_func ("/map-merge/derp", test_derp);
  g_test_add_func ("/map-merge/dns", test_dns);
  g_test_add_func ("/map-merge/domain-and-users", test_domain_and_users);
  g_test_add_func ("/map-merge/filters", test_filters);
  g_test_add_func ("/map-merge/filters-block", test_filters_block);
  g_test_add_func ("/map-merge/filters-limit", test_filters_limit);
  g_test_add_func ("/map-merge/health", test_health);
  g_test_add_func ("/map-merge/clock", test_clock);
  g_test_add_func ("/map-merge/tka-and-ssh", test_tka_and_ssh);
  return g_test_run ();
}
