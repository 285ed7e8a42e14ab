/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rest of the daemon makes of a map that parses: the list of peers, the device's addresses
 * and routes, the status, what is dialled for a relay, and the dictionaries of the bus, which must
 * be well-formed whatever a server wrote. The input is JSON, one response up to each zero byte.
 */
#include <stdint.h>
#include <string.h>

#include "bus/hn-variants.h"
#include "control/hn-map-codec.h"
#include "engine/hn-derive.h"
#include "engine/hn-peer-list.h"
#include "path/hn-derp-target.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define NOW 1800000000

typedef struct
{
  HnNetmap *map;
  HnPeerList *peers;
  HnPreferences *preferences;
  int home_relay;
} Engine;

static void
on_update (HnMapUpdate *update, gpointer user)
{
  Engine *engine = user;
  g_autoptr (HnNetmapChange) change = hn_netmap_apply (engine->map, update, NOW);
  g_autoptr (GPtrArray) changed = NULL, removed = NULL;

  hn_map_update_free (update);
  hn_peer_list_apply (engine->peers, engine->map, change);
  g_assert_cmpuint (hn_peer_list_get_size (engine->peers), ==, hn_netmap_get_n_peers (engine->map));
  hn_peer_list_take_changes (engine->peers, &changed, &removed);
  g_assert_cmpuint (changed->len + removed->len, <=, 2 * HN_PEER_CHANGES_MAX);
}

/* Looks at a dictionary as a reader who trusts nothing. */
static void
check_variant (GVariant *floating)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (floating);
  gsize size = g_variant_get_size (value);
  g_autofree guint8 *bytes = g_malloc (MAX (size, 1));
  g_autoptr (GVariant) read = NULL;

  g_variant_store (value, bytes);
  read = g_variant_ref_sink (
      g_variant_new_from_data (g_variant_get_type (value), bytes, size, FALSE, NULL, NULL));
  g_assert_true (g_variant_is_normal_form (read));
}

static void
check_peers (Engine *engine)
{
  g_autoptr (HnDictionaryWriter) writer = hn_dictionary_writer_new ();
  GPtrArray *sorted = hn_peer_list_get_sorted (engine->peers);

  for (guint i = 0; i < sorted->len; i++)
    {
      const HnPeerEntry *entry = g_ptr_array_index (sorted, i);
      const HnNodeFields *node = hn_node_get (entry->node);
      const HnUser *user = hn_netmap_get_user (engine->map, node->user_id);
      const HnPeerView view = {
        .node = entry->node,
        .user_login = user != NULL ? user->login_name : "",
        .user_display = user != NULL ? user->display_name : "",
        .expired = hn_node_is_expired (entry->node, NOW),
        .path = "none",
        .endpoint = "",
        .relay_code = "",
      };
      const HnPeerCounters counters = { 1, 2, 3, 4 };

      hn_variants_write_peer (writer, &view, i % 2 == 0 ? &counters : NULL);
      g_assert_true (hn_peer_list_get_by_stable_id (engine->peers, node->stable_id) != NULL);
      hn_peer_list_find (engine->peers, node->name, NULL);
    }
  check_variant (hn_dictionary_writer_finish (writer));
}

static void
check_relays (Engine *engine)
{
  HnDerpMap *map = hn_netmap_get_derp_map (engine->map);
  g_autoptr (GHashTable) failed = g_hash_table_new (NULL, NULL);
  HnDialTarget dial;

  if (map == NULL)
    return;
  engine->home_relay = hn_derive_home_relay (map, 0, (int) map->n_regions, failed);
  g_assert_true (engine->home_relay == 0
                 || hn_derp_map_get_region (map, engine->home_relay) != NULL);
  for (gsize i = 0; i < map->n_regions; i++)
    {
      g_autoptr (GPtrArray) targets = hn_derp_targets_new (&map->regions[i], "https://hs.test");

      for (guint k = 0; k < targets->len; k++)
        {
          hn_derp_target_get_dial (g_ptr_array_index (targets, k), 10, &dial);
          g_assert_true (dial.host != NULL && dial.port != 0);
        }
    }
}

static void
check_derived (Engine *engine)
{
  const HnDeriveInput input = {
    .wall = NOW,
    .wanted = TRUE,
    .enrolled = TRUE,
    .network_available = TRUE,
    .preferences = engine->preferences,
    .phase = HN_CONTROL_MAPPED,
    .reachable = TRUE,
    .netmap = engine->map,
    .interface = "headnet0",
    .home_relay = engine->home_relay,
    .home_tried = TRUE,
  };
  g_autoptr (HnStatus) status = hn_derive_status (&input);
  g_autoptr (GArray) addresses = NULL;
  g_autoptr (GArray) routes = NULL;

  check_variant (
      hn_variants_format_user (status->user_id, status->user_login, status->user_display));
  check_variant (hn_variants_format_home_relay (status));
  check_variant (hn_variants_format_health (status->health));
  hn_derive_next_expiry (engine->map, NOW);
  if (!hn_derive_device_wanted (&input))
    return;
  addresses = hn_derive_addresses (engine->map);
  routes = hn_derive_routes (engine->map, FALSE, NOW);
  /* A server may name addresses, never all of the internet. */
  for (guint i = 0; i < routes->len; i++)
    g_assert_cmpuint (g_array_index (routes, HnPrefix, i).bits, >, 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (HnNetmap) map = hn_netmap_new ();
  g_autoptr (HnPeerList) peers = hn_peer_list_new ();
  g_autoptr (HnPreferences) preferences = hn_preferences_new ();
  Engine engine = { map, peers, preferences, 0 };
  g_autoptr (HnMapDecoder) decoder = hn_map_decoder_new (on_update, &engine);

  while (size > 0)
    {
      const uint8_t *zero = memchr (data, 0, size);
      gsize len = zero != NULL ? (gsize) (zero - data) : size;
      const guint32 frame = GUINT32_TO_LE ((guint32) len);

      if (!hn_map_decoder_feed (decoder, (const guint8 *) &frame, sizeof frame, NULL)
          || !hn_map_decoder_feed (decoder, data, len, NULL))
        break;
      len += zero != NULL;
      data += len;
      size -= len;
    }
  check_peers (&engine);
  check_relays (&engine);
  check_derived (&engine);
  return 0;
}
