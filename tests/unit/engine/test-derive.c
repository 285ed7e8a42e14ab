/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hn-error.h"
#include "engine/hn-derive.h"
#include "model/hn-map-update.h"

#define NOW 1800000000

static HnNode *
make_node (gint64 id, const char *name, const char *address, gint64 key_expiry)
{
  g_autofree char *stable_id = g_strdup_printf ("%" G_GINT64_FORMAT, id);
  HnPrefix prefix;
  HnNodeFields fields = {
    .id = id,
    .stable_id = stable_id,
    .name = name,
    .user_id = 7,
    .key_expiry = key_expiry,
    .machine_authorized = TRUE,
    .host_name = "",
    .os = "",
    .addresses = &prefix,
    .n_addresses = 1,
    .allowed_ips = &prefix,
    .n_allowed_ips = 1,
  };

  g_assert_true (hn_prefix_parse (address, TRUE, &prefix));
  memset (fields.key.bytes, (int) id, sizeof fields.key.bytes);
  return hn_node_new (&fields);
}

static HnNetmap *
make_netmap (gint64 self_expiry)
{
  g_autoptr (HnNetmap) netmap = hn_netmap_new ();
  g_autoptr (HnMapUpdate) update = hn_map_update_new ();
  g_autoptr (HnNetmapChange) change = NULL;

  update->node = make_node (1, "box.lab.test", "100.64.0.1/32", self_expiry);
  update->peers = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  g_ptr_array_add (update->peers, make_node (2, "alpha.lab.test", "100.64.0.2/32", 0));
  g_ptr_array_add (update->peers,
                   make_node (3, "beta.lab.test", "fd7a:115c:a1e0::3/128", NOW + 60));
  change = hn_netmap_apply (netmap, update, NOW);
  g_assert_true (change->full);
  g_assert_cmpuint (hn_netmap_get_n_peers (netmap), ==, 2);
  return g_steal_pointer (&netmap);
}

static HnDeriveInput
running_input (HnNetmap *netmap)
{
  return (HnDeriveInput){
    .wall = NOW,
    .wanted = TRUE,
    .enrolled = TRUE,
    .network_available = TRUE,
    .phase = HN_CONTROL_MAPPED,
    .reachable = TRUE,
    .netmap = netmap,
    .interface = "headnet0",
  };
}

static void
expect (const HnDeriveInput *input, HnTailnetState state, const char *reason)
{
  g_autoptr (HnStatus) status = hn_derive_status (input);
  gboolean explained = reason[0] == '\0';

  g_assert_cmpstr (hn_tailnet_state_to_string (status->state), ==,
                   hn_tailnet_state_to_string (state));
  g_assert_cmpstr (status->state_reason, ==, reason);
  for (guint i = 0; i < status->health->len; i++)
    {
      HnHealthItem *item = g_ptr_array_index (status->health, i);

      explained = explained || strcmp (item->id, reason) == 0;
      g_assert_cmpstr (item->text, !=, "");
    }
  /* whoever reads the reason finds the sentence that explains it */
  g_assert_true (explained);
}

static void
test_states (void)
{
  g_autoptr (HnNetmap) netmap = make_netmap (0);
  HnDeriveInput input = running_input (netmap);

  expect (&input, HN_TAILNET_RUNNING, "");

  input.wanted = FALSE;
  expect (&input, HN_TAILNET_STOPPED, "");

  input.enrolled = FALSE;
  expect (&input, HN_TAILNET_NEEDS_LOGIN, "not-enrolled");

  input = running_input (NULL);
  input.phase = HN_CONTROL_CONNECTING;
  input.reachable = FALSE;
  input.interface = NULL;
  expect (&input, HN_TAILNET_STARTING, "");

  input.network_available = FALSE;
  expect (&input, HN_TAILNET_STARTING, "no-network");

  /* the map is there, the device not yet */
  input = running_input (netmap);
  input.interface = NULL;
  expect (&input, HN_TAILNET_STARTING, "");
}

static void
test_login_reasons (void)
{
  static const struct
  {
    int code;
    const char *reason;
  } rows[] = {
    { HN_ERROR_NODE_UNKNOWN, "node-deleted" },
    { HN_ERROR_NODE_KEY_EXPIRED, "key-expired" },
    { HN_ERROR_AUTH_KEY_REFUSED, "auth-key-refused" },
    { HN_ERROR_SERVER_REFUSED, "server-refused" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = g_error_new (HN_ERROR, rows[i].code, "what the server said");
      HnDeriveInput input = running_input (NULL);

      input.phase = HN_CONTROL_NEEDS_LOGIN;
      input.control_error = error;
      input.interface = NULL;
      expect (&input, HN_TAILNET_NEEDS_LOGIN, rows[i].reason);
      input.login_pending = TRUE;
      expect (&input, HN_TAILNET_NEEDS_LOGIN, "login-pending");
    }
}

static void
test_self_expiry (void)
{
  g_autoptr (HnNetmap) netmap = make_netmap (NOW + 100);
  HnDeriveInput input = running_input (netmap);
  g_autoptr (HnStatus) status = NULL;

  g_assert_true (hn_derive_device_wanted (&input));
  status = hn_derive_status (&input);
  g_assert_cmpint (status->state, ==, HN_TAILNET_RUNNING);
  g_assert_cmpint (status->key_expiry, ==, NOW + 100);
  g_assert_cmpstr (
      ((HnHealthItem *) g_ptr_array_index (status->health, status->health->len - 1))->id, ==,
      "key-expires-soon");

  input.wall = NOW + 99;
  g_assert_true (hn_derive_device_wanted (&input));
  /* the moment it expires the state changes and nothing stays connected */
  input.wall = NOW + 100;
  g_assert_false (hn_derive_device_wanted (&input));
  expect (&input, HN_TAILNET_NEEDS_LOGIN, "key-expired");

  /* signed in again: the old map still says so, and must neither hold us nor be used */
  input.phase = HN_CONTROL_CONNECTING;
  input.interface = NULL;
  expect (&input, HN_TAILNET_STARTING, "");
  g_assert_false (hn_derive_device_wanted (&input));
}

static void
test_server_lost (void)
{
  g_autoptr (HnNetmap) netmap = make_netmap (0);
  g_autoptr (GError) error
      = g_error_new (HN_ERROR, HN_ERROR_CONNECTION_REFUSED, "Nobody listens there");
  HnDeriveInput input = running_input (netmap);

  input.reachable = FALSE;
  input.control_error = error;
  expect (&input, HN_TAILNET_RUNNING, "control-unreachable");
  g_assert_true (hn_derive_device_wanted (&input));

  input = running_input (NULL);
  input.phase = HN_CONTROL_CONNECTING;
  input.reachable = FALSE;
  input.control_error = error;
  expect (&input, HN_TAILNET_STARTING, "connection-refused");
}

/* The title says of what kind the trouble is: who answers with an error can be reached. */
static void
test_server_title (void)
{
  static const struct
  {
    int code;
    const char *title;
  } rows[] = {
    { HN_ERROR_UNKNOWN_HOST, "The server can not be reached" },
    { HN_ERROR_CONNECTION_REFUSED, "The server can not be reached" },
    { HN_ERROR_CONNECTION_LOST, "The server can not be reached" },
    { HN_ERROR_FAILED, "The server can not be reached" },
    { HN_ERROR_TIMEOUT, "The server does not answer" },
    { HN_ERROR_TLS_EXPIRED, "No secure connection to the server" },
    { HN_ERROR_TLS, "No secure connection to the server" },
    { HN_ERROR_NOT_A_SERVER, "The server does not answer as it should" },
    { HN_ERROR_VERSION_REFUSED, "The server does not answer as it should" },
    { HN_ERROR_PROTOCOL, "The server does not answer as it should" },
    { HN_ERROR_SERVER_KEY, "The server has another key" },
    { HN_ERROR_SERVER_REFUSED, "The server answers with an error" },
    { HN_ERROR_RATE_LIMITED, "The server asks to wait" },
  };
  g_autoptr (HnNetmap) netmap = make_netmap (0);

  for (gsize i = 0; i < 2 * G_N_ELEMENTS (rows); i++)
    {
      gsize row = i / 2;
      g_autoptr (GError) error = g_error_new (HN_ERROR, rows[row].code, "why");
      HnDeriveInput input = running_input (i % 2 == 0 ? netmap : NULL);
      g_autoptr (HnStatus) status = NULL;
      const HnHealthItem *item;

      if (i % 2 == 1)
        input.phase = HN_CONTROL_CONNECTING;
      input.reachable = FALSE;
      input.control_error = error;
      status = hn_derive_status (&input);
      item = g_ptr_array_index (status->health, 0);
      g_assert_cmpstr (item->title, ==, rows[row].title);
      g_assert_cmpstr (item->text, ==, "why");
    }
}

static void
test_relay_lost (void)
{
  g_autoptr (HnNetmap) netmap = make_netmap (0);
  HnDeriveInput input = running_input (netmap);

  /* with a relay chosen, the first answer is waited for */
  input.home_relay = 999;
  input.home_state = HN_RELAY_CONNECTING;
  expect (&input, HN_TAILNET_STARTING, "");
  input.home_tried = TRUE;
  input.home_state = HN_RELAY_CONNECTED;
  expect (&input, HN_TAILNET_RUNNING, "");
  input.home_state = HN_RELAY_LOST;
  expect (&input, HN_TAILNET_RUNNING, "no-path");
}

static gboolean
has_health (const HnDeriveInput *input, const char *id)
{
  g_autoptr (HnStatus) status = hn_derive_status (input);

  for (guint i = 0; i < status->health->len; i++)
    if (strcmp (((HnHealthItem *) g_ptr_array_index (status->health, i))->id, id) == 0)
      return TRUE;
  return FALSE;
}

/* That UDP is blocked is said when relays were asked, and not beside a direct path. */
static void
test_udp_blocked (void)
{
  g_autoptr (HnNetmap) netmap = make_netmap (0);
  HnDeriveInput input = running_input (netmap);
  HnNetReport report = { .mapping_varies = -1 };

  input.report = &report;
  g_assert_false (has_health (&input, "udp-blocked"));
  report.asked = TRUE;
  g_assert_true (has_health (&input, "udp-blocked"));
  input.has_direct_path = TRUE;
  g_assert_false (has_health (&input, "udp-blocked"));
  input.has_direct_path = FALSE;
  report.captive_portal = TRUE;
  g_assert_false (has_health (&input, "udp-blocked"));
  g_assert_true (has_health (&input, "captive-portal"));
  report.captive_portal = FALSE;
  report.udp = TRUE;
  g_assert_false (has_health (&input, "udp-blocked"));
}

static HnDerpMap *
make_derp_map (void)
{
  HnDerpRegion *regions = g_new0 (HnDerpRegion, 3);

  for (gsize i = 0; i < 3; i++)
    {
      regions[i].id = (int) (10 * (i + 1));
      regions[i].code = g_strdup_printf ("r%" G_GSIZE_FORMAT, i);
      regions[i].name = g_strdup ("Region");
      regions[i].score = 1;
      regions[i].nodes = g_new0 (HnDerpNode, 1);
      regions[i].n_nodes = 1;
      regions[i].nodes[0].name = g_strdup ("1");
      regions[i].nodes[0].host_name = g_strdup ("relay.test");
      regions[i].nodes[0].derp_port = 443;
    }
  regions[0].no_measure_no_home = TRUE;
  return hn_derp_map_new_take (regions, 3);
}

static void
test_home_relay (void)
{
  g_autoptr (HnDerpMap) map = make_derp_map ();
  g_autoptr (GHashTable) failed = g_hash_table_new (NULL, NULL);

  g_assert_cmpint (hn_derive_home_relay (NULL, 5, 0, failed), ==, 0);
  g_assert_cmpint (hn_derive_home_relay (map, 20, 30, failed), ==, 30);
  g_assert_cmpint (hn_derive_home_relay (map, 30, 10, failed), ==, 30);
  /* region 10 must never be a home */
  g_assert_cmpint (hn_derive_home_relay (map, 0, 0, failed), ==, 20);
  g_assert_cmpint (hn_derive_home_relay (map, 10, 0, failed), ==, 20);
  /* what works is kept */
  g_assert_cmpint (hn_derive_home_relay (map, 30, 0, failed), ==, 30);
  g_hash_table_add (failed, GINT_TO_POINTER (30));
  g_assert_cmpint (hn_derive_home_relay (map, 30, 0, failed), ==, 20);
  /* all failed: trying the first again beats having none */
  g_hash_table_add (failed, GINT_TO_POINTER (20));
  g_assert_cmpint (hn_derive_home_relay (map, 20, 0, failed), ==, 20);
}

static void
test_routes (void)
{
  g_autoptr (HnNetmap) netmap = make_netmap (0);
  g_autoptr (GArray) now = hn_derive_routes (netmap, FALSE, NOW);
  g_autoptr (GArray) later = hn_derive_routes (netmap, FALSE, NOW + 60);
  g_autoptr (GArray) own = hn_derive_addresses (netmap);
  char text[HN_IP_TEXT_MAX];

  g_assert_cmpuint (now->len, ==, 2);
  /* an expired peer has no route */
  g_assert_cmpuint (later->len, ==, 1);
  g_assert_cmpstr (hn_prefix_format (&g_array_index (later, HnPrefix, 0), text), ==,
                   "100.64.0.2/32");
  g_assert_cmpuint (own->len, ==, 1);

  /* many peers share two routes, and do not change over with each that comes and goes */
  g_clear_pointer (&now, g_array_unref);
  now = hn_derive_routes (netmap, TRUE, NOW);
  g_assert_cmpuint (now->len, ==, 2);
  g_assert_cmpstr (hn_prefix_format (&g_array_index (now, HnPrefix, 0), text), ==, "100.64.0.0/10");
  g_assert_false (hn_derive_routes_shared (10000, FALSE));
  g_assert_true (hn_derive_routes_shared (10001, FALSE));
  g_assert_true (hn_derive_routes_shared (9001, TRUE));
  g_assert_false (hn_derive_routes_shared (9000, TRUE));

  g_assert_cmpint (hn_derive_next_expiry (netmap, NOW), ==, NOW + 60);
  g_assert_cmpint (hn_derive_next_expiry (netmap, NOW + 60), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/derive/states", test_states);
  g_test_add_func ("/engine/derive/login-reasons", test_login_reasons);
  g_test_add_func ("/engine/derive/self-expiry", test_self_expiry);
  g_test_add_func ("/engine/derive/server-lost", test_server_lost);
  g_test_add_func ("/engine/derive/server-title", test_server_title);
  g_test_add_func ("/engine/derive/relay-lost", test_relay_lost);
  g_test_add_func ("/engine/derive/udp-blocked", test_udp_blocked);
  g_test_add_func ("/engine/derive/home-relay", test_home_relay);
  g_test_add_func ("/engine/derive/routes", test_routes);
  return g_test_run ();
}
