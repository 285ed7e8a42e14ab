/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hn-error.h"
#include "engine/hn-peer-list.h"
#include "model/hn-map-update.h"

static HnNode *
make_node (gint64 id, const char *name, guint8 key)
{
  g_autofree char *stable_id = g_strdup_printf ("s%" G_GINT64_FORMAT, id);
  g_autofree char *address = g_strdup_printf ("100.64.%u.%u", (guint) id / 250, (guint) id % 250);
  HnPrefix prefix;
  HnNodeFields fields = {
    .id = id,
    .stable_id = stable_id,
    .name = name,
    .machine_authorized = TRUE,
    .host_name = "Host Name",
    .os = "linux",
    .addresses = &prefix,
    .n_addresses = 1,
    .allowed_ips = &prefix,
    .n_allowed_ips = 1,
  };

  g_assert_true (hn_prefix_parse (address, TRUE, &prefix));
  memset (fields.key.bytes, 0x11, sizeof fields.key.bytes);
  fields.key.bytes[0] = key;
  fields.key.bytes[1] = (guint8) (id >> 8);
  fields.key.bytes[2] = (guint8) id;
  return hn_node_new (&fields);
}

typedef struct
{
  HnNetmap *netmap;
  HnPeerList *table;
} Fixture;

static void
apply (Fixture *fixture, HnMapUpdate *update)
{
  g_autoptr (HnMapUpdate) owned = update;
  g_autoptr (HnNetmapChange) change = hn_netmap_apply (fixture->netmap, update, 1800000000);

  hn_peer_list_apply (fixture->table, fixture->netmap, change);
}

static HnMapUpdate *
first_map (guint n_peers)
{
  HnMapUpdate *update = hn_map_update_new ();

  update->node = make_node (1, "me.lab.test", 0xff);
  update->peers = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  for (guint i = 0; i < n_peers; i++)
    {
      g_autofree char *name = g_strdup_printf ("peer%03u.lab.test", n_peers - i);

      g_ptr_array_add (update->peers, make_node (2 + i, name, 1));
    }
  return update;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->netmap = hn_netmap_new ();
  fixture->table = hn_peer_list_new ();
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  hn_peer_list_free (fixture->table);
  hn_netmap_unref (fixture->netmap);
}

static void
take (Fixture *fixture, guint changed, guint removed)
{
  g_autoptr (GPtrArray) changed_ids = NULL;
  g_autoptr (GPtrArray) removed_ids = NULL;
  guint64 before = hn_peer_list_get_generation (fixture->table);

  g_assert_true (hn_peer_list_has_changes (fixture->table));
  g_assert_cmpuint (hn_peer_list_take_changes (fixture->table, &changed_ids, &removed_ids), ==,
                    before + 1);
  g_assert_cmpuint (changed_ids->len, ==, changed);
  g_assert_cmpuint (removed_ids->len, ==, removed);
  g_assert_false (hn_peer_list_has_changes (fixture->table));
}

static void
test_find (Fixture *fixture, gconstpointer data)
{
  static const char *const targets[]
      = { "s2", "peer003.lab.test", "PEER003.lab.test.", "peer003", "100.64.0.2" };
  g_autoptr (GError) error = NULL;

  apply (fixture, first_map (3));
  for (gsize i = 0; i < G_N_ELEMENTS (targets); i++)
    {
      HnPeerEntry *entry = hn_peer_list_find (fixture->table, targets[i], NULL);

      g_assert_nonnull (entry);
      g_assert_cmpint (hn_node_get (entry->node)->id, ==, 2);
    }
  g_assert_null (hn_peer_list_find (fixture->table, "nobody", &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_NOT_FOUND);
  g_clear_error (&error);
  /* all three have this host name */
  g_assert_null (hn_peer_list_find (fixture->table, "host name", &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT);
}

static void
test_sorted (Fixture *fixture, gconstpointer data)
{
  GPtrArray *sorted;

  apply (fixture, first_map (3));
  sorted = hn_peer_list_get_sorted (fixture->table);
  g_assert_cmpuint (sorted->len, ==, 3);
  for (guint i = 0; i < 3; i++)
    {
      g_autofree char *name = g_strdup_printf ("peer%03u.lab.test", i + 1);
      HnPeerEntry *entry = g_ptr_array_index (sorted, i);

      g_assert_cmpstr (hn_node_get (entry->node)->name, ==, name);
    }
}

static void
test_changes (Fixture *fixture, gconstpointer data)
{
  HnMapUpdate *update;
  gint64 gone = 3;
  HnPeerFlag online = { 2, TRUE };

  apply (fixture, first_map (3));
  take (fixture, 3, 0);

  update = hn_map_update_new ();
  update->online = g_array_new (FALSE, FALSE, sizeof (HnPeerFlag));
  g_array_append_val (update->online, online);
  apply (fixture, update);
  take (fixture, 1, 0);

  update = hn_map_update_new ();
  update->peers_removed = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_array_append_val (update->peers_removed, gone);
  apply (fixture, update);
  g_assert_cmpuint (hn_peer_list_get_size (fixture->table), ==, 2);
  take (fixture, 0, 1);

  /* a new stream with the same peers but one */
  g_clear_pointer (&fixture->netmap, hn_netmap_unref);
  fixture->netmap = hn_netmap_new ();
  apply (fixture, first_map (1));
  g_assert_cmpuint (hn_peer_list_get_size (fixture->table), ==, 1);
  {
    g_autoptr (GPtrArray) changed = NULL;
    g_autoptr (GPtrArray) removed = NULL;

    hn_peer_list_take_changes (fixture->table, &changed, &removed);
    g_assert_cmpuint (removed->len, ==, 1);
    g_assert_cmpstr (g_ptr_array_index (removed, 0), ==, "s4");
  }
}

static void
test_key_change_keeps_peer (Fixture *fixture, gconstpointer data)
{
  HnMapUpdate *update;
  const HnPeerPath relay = { HN_PATH_RELAY, 999, { { 0 } } };
  const HnPeerPath direct = { HN_PATH_DIRECT, 0, { { 4, { 192, 0, 2, 1 } }, 41641 } };
  HnPeerEntry *entry;
  HnNodePublic old_key;

  apply (fixture, first_map (2));
  entry = hn_peer_list_get_by_stable_id (fixture->table, "s2");
  old_key = hn_node_get (entry->node)->key;
  g_assert_true (hn_peer_list_set_path (fixture->table, &old_key, &relay));
  g_assert_false (hn_peer_list_set_path (fixture->table, &old_key, &relay));
  g_assert_false (hn_peer_list_has_direct (fixture->table));
  g_assert_true (hn_peer_list_set_path (fixture->table, &old_key, &direct));
  g_assert_true (hn_peer_list_has_direct (fixture->table));
  take (fixture, 2, 0);

  update = hn_map_update_new ();
  update->peers_changed = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  g_ptr_array_add (update->peers_changed, make_node (2, "peer002.lab.test", 9));
  apply (fixture, update);
  take (fixture, 1, 0);
  /* another key is another tunnel: the path is not known any more, and the old key means nobody */
  entry = hn_peer_list_get_by_stable_id (fixture->table, "s2");
  g_assert_cmpint (entry->path.kind, ==, HN_PATH_NONE);
  g_assert_false (hn_peer_list_has_direct (fixture->table));
  g_assert_false (hn_peer_list_set_path (fixture->table, &old_key, &relay));
}

static void
test_overflow (Fixture *fixture, gconstpointer data)
{
  apply (fixture, first_map (HN_PEER_CHANGES_MAX + 1));
  take (fixture, 0, 0);
  hn_peer_list_touch (fixture->table, "s2");
  take (fixture, 1, 0);
  hn_peer_list_clear (fixture->table);
  g_assert_cmpuint (hn_peer_list_get_size (fixture->table), ==, 0);
  take (fixture, 0, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add (name, Fixture, NULL, set_up, func, tear_down)
  ADD ("/engine/peer-list/find", test_find);
  ADD ("/engine/peer-list/sorted", test_sorted);
  ADD ("/engine/peer-list/changes", test_changes);
  ADD ("/engine/peer-list/key-change", test_key_change_keeps_peer);
  ADD ("/engine/peer-list/overflow", test_overflow);
  return g_test_run ();
}
