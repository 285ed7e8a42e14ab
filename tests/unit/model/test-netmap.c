/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the network's map may take of our memory. How responses are merged is tested with the codec. */
#include <string.h>

#include "model/hn-map-update.h"

#define N_ROUTES 1000

/* A peer with so many routes that it takes @n * 36 bytes and some hundred. */
static HnNode *
make_node (gint64 id, gsize n)
{
  static const HnPrefix routes[N_ROUTES];
  HnPrefix address = { .ip = { 4, { 100, 64, (guint8) (id >> 8), (guint8) id } }, .bits = 32 };
  HnNodeFields fields = { .id = id,
                          .stable_id = "s",
                          .name = "peer",
                          .host_name = "",
                          .os = "",
                          .addresses = &address,
                          .n_addresses = 1,
                          .allowed_ips = routes,
                          .n_allowed_ips = n,
                          .primary_routes = routes,
                          .n_primary_routes = n };

  memcpy (fields.key.bytes, &id, sizeof id);
  return hn_node_new (&fields);
}

static void
apply (HnNetmap *map, HnNode *self_node, gint64 first, gint64 last, gsize n_routes)
{
  HnMapUpdate *update = hn_map_update_new ();

  update->node = self_node;
  update->peers_changed = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  for (gint64 id = first; id <= last; id++)
    g_ptr_array_add (update->peers_changed, make_node (id, n_routes));
  hn_netmap_change_free (hn_netmap_apply (map, update, 1000000));
  hn_map_update_free (update);
}

static const char *
find_text (HnNetmap *map, const char *id)
{
  GPtrArray *health = hn_netmap_get_health (map);

  for (guint i = 0; i < health->len; i++)
    if (g_str_equal (((HnHealthItem *) health->pdata[i])->id, id))
      return ((HnHealthItem *) health->pdata[i])->text;
  return NULL;
}

/* Each delta is within all limits; together they are not. */
static void
test_room (void)
{
  g_autoptr (HnNetmap) map = hn_netmap_new ();
  const gsize each = N_ROUTES * 2 * sizeof (HnPrefix);
  const gint64 n_fit = HN_NETMAP_MAX_BYTES / (each + 500);

  for (gint64 done = 0; done < n_fit; done += 200)
    apply (map, done == 0 ? make_node (65000, 0) : NULL, done + 1, MIN (done + 200, n_fit),
           N_ROUTES);
  g_assert_cmpuint (hn_netmap_get_n_peers (map), ==, n_fit);
  g_assert_null (find_text (map, "map-too-many-peers"));
  apply (map, NULL, n_fit + 1, n_fit + 500, N_ROUTES);
  g_assert_cmpuint (hn_netmap_get_n_peers (map), >=, n_fit);
  g_assert_cmpuint (hn_netmap_get_n_peers (map), <, n_fit + 200);
  g_assert_nonnull (strstr (find_text (map, "map-too-many-peers"), "bytes"));
  /* What gets smaller makes room for others. */
  apply (map, NULL, 1, 500, 1);
  apply (map, NULL, n_fit + 1, n_fit + 300, N_ROUTES);
  g_assert_cmpuint (hn_netmap_get_n_peers (map), >=, n_fit + 300);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/netmap/room", test_room);
  return g_test_run ();
}
