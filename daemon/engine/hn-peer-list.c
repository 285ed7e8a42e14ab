/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/hn-peer-list.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/hn-error.h"
#include "base/hn-hash.h"

struct _HnPeerList
{
  GHashTable *by_stable_id; /* borrowed from the node -> HnPeerEntry, owned */
  GHashTable *by_key;       /* HnNodePublic borrowed from the node -> HnPeerEntry, borrowed */
  GPtrArray *sorted;        /* nullable: made when asked for */
  GHashTable *changed;      /* set of stable ids, owned */
  GHashTable *removed;
  gboolean overflow;
  guint n_direct; /* peers with a direct path */
  guint64 generation;
};

static void
entry_free (gpointer data)
{
  HnPeerEntry *entry = data;

  hn_node_unref (entry->node);
  g_free (entry);
}

static guint
key_hash (gconstpointer key)
{
  return hn_node_public_hash (key);
}

static gboolean
key_equal (gconstpointer a, gconstpointer b)
{
  return hn_node_public_equal (a, b);
}

HnPeerList *
hn_peer_list_new (void)
{
  HnPeerList *self = g_new0 (HnPeerList, 1);

  self->by_stable_id = g_hash_table_new_full (hn_hash_text, g_str_equal, NULL, entry_free);
  self->by_key = g_hash_table_new (key_hash, key_equal);
  self->changed = g_hash_table_new_full (hn_hash_text, g_str_equal, g_free, NULL);
  self->removed = g_hash_table_new_full (hn_hash_text, g_str_equal, g_free, NULL);
  return self;
}

void
hn_peer_list_free (HnPeerList *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->sorted, g_ptr_array_unref);
  g_hash_table_unref (self->by_key);
  g_hash_table_unref (self->by_stable_id);
  g_hash_table_unref (self->changed);
  g_hash_table_unref (self->removed);
  g_free (self);
}

static void
note_change (HnPeerList *self, const char *stable_id, gboolean removed)
{
  GHashTable *into = removed ? self->removed : self->changed;

  g_clear_pointer (&self->sorted, g_ptr_array_unref);
  if (self->overflow)
    return;
  g_hash_table_remove (removed ? self->changed : self->removed, stable_id);
  g_hash_table_add (into, g_strdup (stable_id));
  if (g_hash_table_size (self->changed) + g_hash_table_size (self->removed) > HN_PEER_CHANGES_MAX)
    {
      self->overflow = TRUE;
      g_hash_table_remove_all (self->changed);
      g_hash_table_remove_all (self->removed);
    }
}

static void
drop_entry (HnPeerList *self, HnPeerEntry *entry)
{
  const HnNodeFields *fields = hn_node_get (entry->node);

  if (entry->path.kind == HN_PATH_DIRECT)
    self->n_direct--;
  /* two nodes may for a moment claim one key: only the holder takes it along */
  if (g_hash_table_lookup (self->by_key, &fields->key) == entry)
    g_hash_table_remove (self->by_key, &fields->key);
  g_hash_table_remove (self->by_stable_id, fields->stable_id);
}

static void
set_path (HnPeerList *self, HnPeerEntry *entry, const HnPeerPath *path)
{
  if (entry->path.kind == HN_PATH_DIRECT)
    self->n_direct--;
  if (path->kind == HN_PATH_DIRECT)
    self->n_direct++;
  entry->path = *path;
}

static void
upsert (HnPeerList *self, HnNode *node)
{
  const HnNodeFields *fields = hn_node_get (node);
  HnPeerEntry *old = g_hash_table_lookup (self->by_stable_id, fields->stable_id);
  HnPeerEntry *entry;

  if (old != NULL && old->node == node)
    return;
  entry = g_new0 (HnPeerEntry, 1);
  entry->node = hn_node_ref (node);
  if (old != NULL)
    {
      if (hn_node_public_equal (&hn_node_get (old->node)->key, &fields->key))
        {
          set_path (self, entry, &old->path);
          entry->latency_us = old->latency_us;
        }
      drop_entry (self, old);
    }
  /* both tables borrow their keys from the node, so an equal key is replaced with its node */
  g_hash_table_replace (self->by_stable_id, (gpointer) fields->stable_id, entry);
  g_hash_table_replace (self->by_key, (gpointer) &fields->key, entry);
  note_change (self, fields->stable_id, FALSE);
}

static void
collect_peer (gpointer data, gpointer user_data)
{
  const HnNode *node = data;

  g_hash_table_add (user_data, (gpointer) hn_node_get (node)->stable_id);
}

static void
upsert_peer (gpointer data, gpointer user_data)
{
  upsert (user_data, data);
}

static void
apply_full (HnPeerList *self, HnNetmap *netmap)
{
  g_autoptr (GHashTable) there = g_hash_table_new (hn_hash_text, g_str_equal);
  g_autoptr (GPtrArray) gone = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  hn_netmap_foreach_peer (netmap, collect_peer, there);
  g_hash_table_iter_init (&iter, self->by_stable_id);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      HnPeerEntry *entry = value;

      if (!g_hash_table_contains (there, hn_node_get (entry->node)->stable_id))
        g_ptr_array_add (gone, entry);
    }
  for (guint i = 0; i < gone->len; i++)
    {
      HnPeerEntry *entry = g_ptr_array_index (gone, i);

      note_change (self, hn_node_get (entry->node)->stable_id, TRUE);
      drop_entry (self, entry);
    }
  hn_netmap_foreach_peer (netmap, upsert_peer, self);
}

void
hn_peer_list_apply (HnPeerList *self, HnNetmap *netmap, const HnNetmapChange *change)
{
  if (change->full)
    {
      apply_full (self, netmap);
      return;
    }
  for (guint i = 0; change->removed != NULL && i < change->removed->len; i++)
    {
      HnNode *node = g_ptr_array_index (change->removed, i);
      const char *stable_id = hn_node_get (node)->stable_id;
      HnPeerEntry *entry = g_hash_table_lookup (self->by_stable_id, stable_id);

      /* the old form of a node whose key changed: the new form follows in the other list */
      if (entry == NULL || hn_netmap_get_peer (netmap, hn_node_get (node)->id) != NULL)
        continue;
      note_change (self, stable_id, TRUE);
      drop_entry (self, entry);
    }
  for (guint i = 0; change->changed != NULL && i < change->changed->len; i++)
    upsert (self, g_ptr_array_index (change->changed, i));
}

void
hn_peer_list_clear (HnPeerList *self)
{
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, self->by_stable_id);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    note_change (self, key, TRUE);
  g_hash_table_remove_all (self->by_key);
  g_hash_table_remove_all (self->by_stable_id);
  self->n_direct = 0;
}

gboolean
hn_peer_list_set_path (HnPeerList *self, const HnNodePublic *key, const HnPeerPath *path)
{
  HnPeerEntry *entry = g_hash_table_lookup (self->by_key, key);

  if (entry == NULL
      || (entry->path.kind == path->kind && entry->path.relay == path->relay
          && hn_endpoint_equal (&entry->path.endpoint, &path->endpoint)))
    return FALSE;
  set_path (self, entry, path);
  note_change (self, hn_node_get (entry->node)->stable_id, FALSE);
  return TRUE;
}

void
hn_peer_list_clear_paths (HnPeerList *self)
{
  const HnPeerPath none = { HN_PATH_NONE, 0, { { 0 } } };
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->by_key);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      HnPeerEntry *entry = value;

      if (entry->path.kind == HN_PATH_NONE)
        continue;
      set_path (self, entry, &none);
      note_change (self, hn_node_get (entry->node)->stable_id, FALSE);
    }
}

void
hn_peer_list_touch (HnPeerList *self, const char *stable_id)
{
  if (g_hash_table_contains (self->by_stable_id, stable_id))
    note_change (self, stable_id, FALSE);
}

void
hn_peer_list_touch_all (HnPeerList *self)
{
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, self->by_stable_id);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    note_change (self, key, FALSE);
}

gboolean
hn_peer_list_has_direct (HnPeerList *self)
{
  return self->n_direct > 0;
}

guint
hn_peer_list_get_size (HnPeerList *self)
{
  return g_hash_table_size (self->by_stable_id);
}

static gint
compare_entries (gconstpointer a, gconstpointer b)
{
  const HnNodeFields *first = hn_node_get ((*(HnPeerEntry *const *) a)->node);
  const HnNodeFields *second = hn_node_get ((*(HnPeerEntry *const *) b)->node);
  int order = strcmp (first->name, second->name);

  return order != 0 ? order : (first->id > second->id) - (first->id < second->id);
}

GPtrArray *
hn_peer_list_get_sorted (HnPeerList *self)
{
  GHashTableIter iter;
  gpointer value;

  if (self->sorted != NULL)
    return self->sorted;
  self->sorted = g_ptr_array_sized_new (g_hash_table_size (self->by_stable_id));
  g_hash_table_iter_init (&iter, self->by_stable_id);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    g_ptr_array_add (self->sorted, value);
  g_ptr_array_sort (self->sorted, compare_entries);
  return self->sorted;
}

HnPeerEntry *
hn_peer_list_get_by_stable_id (HnPeerList *self, const char *stable_id)
{
  return g_hash_table_lookup (self->by_stable_id, stable_id);
}

static gboolean
has_address (const HnNodeFields *fields, const HnIp *ip)
{
  for (gsize i = 0; i < fields->n_addresses; i++)
    if (hn_ip_equal (&fields->addresses[i].ip, ip))
      return TRUE;
  return FALSE;
}

HnPeerEntry *
hn_peer_list_find (HnPeerList *self, const char *target, GError **error)
{
  HnPeerEntry *entry = g_hash_table_lookup (self->by_stable_id, target);
  HnPeerEntry *short_match = NULL;
  g_autofree char *name = g_ascii_strdown (target, -1);
  gsize len = strlen (name);
  gboolean several = FALSE;
  GHashTableIter iter;
  gpointer value;
  HnIp ip;
  gboolean is_ip;

  if (entry != NULL)
    return entry;
  is_ip = hn_ip_parse (target, &ip);
  if (len > 0 && name[len - 1] == '.')
    name[len - 1] = '\0';

  g_hash_table_iter_init (&iter, self->by_stable_id);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      HnPeerEntry *candidate = value;
      const HnNodeFields *fields = hn_node_get (candidate->node);
      char first_label[256];

      if (is_ip)
        {
          if (has_address (fields, &ip))
            return candidate;
          continue;
        }
      if (g_ascii_strcasecmp (fields->name, name) == 0)
        return candidate;
      hn_node_get_short_name (candidate->node, first_label, sizeof first_label);
      if (g_ascii_strcasecmp (first_label, name) == 0)
        {
          several = several || short_match != NULL;
          short_match = candidate;
        }
    }
  if (short_match == NULL && !is_ip)
    {
      g_hash_table_iter_init (&iter, self->by_stable_id);
      while (g_hash_table_iter_next (&iter, NULL, &value))
        {
          HnPeerEntry *candidate = value;

          if (g_ascii_strcasecmp (hn_node_get (candidate->node)->host_name, name) != 0)
            continue;
          several = several || short_match != NULL;
          short_match = candidate;
        }
    }
  if (several)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                   _ ("Several peers are called “%s”: use the full name or an address"), target);
      return NULL;
    }
  if (short_match == NULL)
    g_set_error (error, HN_ERROR, HN_ERROR_NOT_FOUND, _ ("There is no peer “%s” in this tailnet"),
                 target);
  return short_match;
}

gboolean
hn_peer_list_has_changes (HnPeerList *self)
{
  return self->overflow || g_hash_table_size (self->changed) > 0
         || g_hash_table_size (self->removed) > 0;
}

static GPtrArray *
take_set (GHashTable *set)
{
  GPtrArray *list = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, set);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    {
      g_hash_table_iter_steal (&iter);
      g_ptr_array_add (list, key);
    }
  return list;
}

guint64
hn_peer_list_take_changes (HnPeerList *self, GPtrArray **changed, GPtrArray **removed)
{
  *changed = take_set (self->changed);
  *removed = take_set (self->removed);
  self->overflow = FALSE;
  return ++self->generation;
}

guint64
hn_peer_list_get_generation (HnPeerList *self)
{
  return self->generation;
}
