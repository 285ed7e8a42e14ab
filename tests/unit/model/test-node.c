/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nodes: everything is copied, shared texts are counted, equality sees every field. */
#include <string.h>

#include "model/hn-node.h"
#include "model/hn-string-pool.h"

typedef struct
{
  HnNodeFields fields;
  HnPrefix prefixes[2];
  HnEndpoint endpoints[1];
  const char *tags[3];
  const char *capabilities[2];
} Source;

static void
init_source (Source *self)
{
  *self = (Source){ 0 };
  g_assert_true (hn_prefix_parse ("100.64.0.1/32", FALSE, &self->prefixes[0]));
  g_assert_true (hn_prefix_parse ("fd7a::1/128", FALSE, &self->prefixes[1]));
  g_assert_true (hn_endpoint_parse ("1.2.3.4:5", &self->endpoints[0]));
  self->tags[0] = "tag:a";
  self->tags[1] = "tag:b";
  self->capabilities[0] = "is-admin";
  self->fields = (HnNodeFields){
    .id = 1,
    .stable_id = "s1",
    .name = "n1.x.test.",
    .user_id = 7,
    .host_name = "n1",
    .os = "linux",
    .tags = self->tags,
    .capabilities = self->capabilities,
    .addresses = self->prefixes,
    .n_addresses = 2,
    .allowed_ips = self->prefixes,
    .n_allowed_ips = 2,
    .endpoints = self->endpoints,
    .n_endpoints = 1,
  };
}

static void
test_copy (void)
{
  g_autoptr (HnNode) node = NULL;
  const HnNodeFields *fields;
  Source source;
  char buf[8];

  init_source (&source);
  node = hn_node_new (&source.fields);
  memset (&source, 0xee, sizeof source);
  fields = hn_node_get (node);
  g_assert_true (hn_node_from_fields (fields) == node);
  g_assert_cmpstr (fields->name, ==, "n1.x.test");
  g_assert_cmpstr (fields->stable_id, ==, "s1");
  g_assert_cmpstr (fields->os, ==, "linux");
  g_assert_cmpstr (fields->tags[1], ==, "tag:b");
  g_assert_null (fields->tags[2]);
  g_assert_cmpint (fields->addresses[1].bits, ==, 128);
  /* Equal lists are one. */
  g_assert_true (fields->addresses == fields->allowed_ips);
  g_assert_cmpint (fields->endpoints[0].port, ==, 5);
  g_assert_cmpstr (hn_node_get_short_name (node, buf, sizeof buf), ==, "n1");
  g_assert_cmpstr (hn_node_get_short_name (node, buf, 2), ==, "n");
  g_assert_true (hn_node_has_capability (node, "is-admin"));
  g_assert_false (hn_node_has_capability (node, "is"));
}

static void
test_empty (void)
{
  const HnNodeFields nothing = { 0 };
  g_autoptr (HnNode) node = hn_node_new (&nothing);

  g_assert_cmpstr (hn_node_get (node)->name, ==, "");
  g_assert_cmpstr (hn_node_get (node)->host_name, ==, "");
  g_assert_cmpstr (hn_node_get (node)->os, ==, "");
  g_assert_null (hn_node_get (node)->tags);
  g_assert_false (hn_node_has_capability (node, "x"));
}

static void
test_pool (void)
{
  g_autoptr (HnNode) a = NULL;
  g_autoptr (HnNode) b = NULL;
  const guint before = hn_string_pool_get_size ();
  Source source;

  init_source (&source);
  a = hn_node_new (&source.fields);
  b = hn_node_new (&source.fields);
  g_assert_true (hn_node_get (a)->os == hn_node_get (b)->os);
  g_assert_cmpuint (hn_string_pool_get_size (), ==, before + 4);
  g_clear_pointer (&a, hn_node_unref);
  g_assert_cmpstr (hn_node_get (b)->tags[0], ==, "tag:a");
  g_assert_cmpuint (hn_string_pool_get_size (), ==, before + 4);
  g_clear_pointer (&b, hn_node_unref);
  g_assert_cmpuint (hn_string_pool_get_size (), ==, before);
}

/* Changes one thing at a time. */
#define ASSERT_DIFFERS(change)                                                                     \
  G_STMT_START                                                                                     \
  {                                                                                                \
    Source other;                                                                                  \
    g_autoptr (HnNode) node = NULL;                                                                \
    init_source (&other);                                                                          \
    change;                                                                                        \
    node = hn_node_new (&other.fields);                                                            \
    g_assert_false (hn_node_equal (same, node));                                                   \
    g_assert_false (hn_node_equal (node, same));                                                   \
  }                                                                                                \
  G_STMT_END

static void
test_equal (void)
{
  g_autoptr (HnNode) same = NULL;
  g_autoptr (HnNode) twin = NULL;
  Source source;

  init_source (&source);
  same = hn_node_new (&source.fields);
  twin = hn_node_new (&source.fields);
  g_assert_true (hn_node_equal (same, same));
  g_assert_true (hn_node_equal (same, twin));
  ASSERT_DIFFERS (other.fields.id = 2);
  ASSERT_DIFFERS (other.fields.stable_id = "s2");
  ASSERT_DIFFERS (other.fields.name = "n2.x.test");
  ASSERT_DIFFERS (other.fields.user_id = 8);
  ASSERT_DIFFERS (other.fields.key.bytes[31] = 1);
  ASSERT_DIFFERS (other.fields.machine.bytes[0] = 1);
  ASSERT_DIFFERS (other.fields.disco.bytes[0] = 1);
  ASSERT_DIFFERS (other.fields.key_expiry = 1);
  ASSERT_DIFFERS (other.fields.last_seen = 1);
  ASSERT_DIFFERS (other.fields.created = 1);
  ASSERT_DIFFERS (other.fields.online = HN_ONLINE_NO);
  ASSERT_DIFFERS (other.fields.machine_authorized = TRUE);
  ASSERT_DIFFERS (other.fields.expired = TRUE);
  ASSERT_DIFFERS (other.fields.wireguard_only = TRUE);
  ASSERT_DIFFERS (other.fields.jailed = TRUE);
  ASSERT_DIFFERS (other.fields.unsigned_peer_api_only = TRUE);
  ASSERT_DIFFERS (other.fields.home_derp = 1);
  ASSERT_DIFFERS (other.fields.cap = 1);
  ASSERT_DIFFERS (other.fields.host_name = "n2");
  ASSERT_DIFFERS (other.fields.os = "windows");
  ASSERT_DIFFERS (other.fields.tags = NULL);
  ASSERT_DIFFERS (other.tags[1] = NULL);
  ASSERT_DIFFERS (other.tags[1] = "tag:c");
  ASSERT_DIFFERS (other.capabilities[0] = "ssh");
  ASSERT_DIFFERS (other.fields.n_addresses = 1);
  ASSERT_DIFFERS (other.prefixes[0].ip.bytes[3] = 2);
  ASSERT_DIFFERS (other.fields.n_allowed_ips = 1);
  ASSERT_DIFFERS (
      (other.fields.primary_routes = other.prefixes, other.fields.n_primary_routes = 1));
  ASSERT_DIFFERS (other.fields.n_endpoints = 0);
  ASSERT_DIFFERS (other.endpoints[0].port = 6);
}

static void
test_expired (void)
{
  HnNodeFields fields = { .key_expiry = 100 };
  const HnNodeFields flagged = { .expired = TRUE };
  const HnNodeFields never = { 0 };
  g_autoptr (HnNode) by_time = hn_node_new (&fields);
  g_autoptr (HnNode) by_flag = hn_node_new (&flagged);
  g_autoptr (HnNode) not_at_all = hn_node_new (&never);

  g_assert_false (hn_node_is_expired (by_time, 99));
  g_assert_true (hn_node_is_expired (by_time, 100));
  g_assert_true (hn_node_is_expired (by_flag, 0));
  g_assert_false (hn_node_is_expired (not_at_all, G_MAXINT64));
}

/* Nodes are dropped by the data plane's thread while the main one makes new ones. */
static gpointer
churn (gpointer data)
{
  Source source;

  init_source (&source);
  for (guint i = 0; i < 5000; i++)
    hn_node_unref (hn_node_new (&source.fields));
  return NULL;
}

static void
test_threads (void)
{
  const guint before = hn_string_pool_get_size ();
  GThread *thread = g_thread_new ("churn", churn, NULL);

  churn (NULL);
  g_thread_join (thread);
  g_assert_cmpuint (hn_string_pool_get_size (), ==, before);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/node/copy", test_copy);
  g_test_add_func ("/node/empty", test_empty);
  g_test_add_func ("/node/pool", test_pool);
  g_test_add_func ("/node/equal", test_equal);
  g_test_add_func ("/node/expired", test_expired);
  g_test_add_func ("/node/threads", test_threads);
  return g_test_run ();
}
