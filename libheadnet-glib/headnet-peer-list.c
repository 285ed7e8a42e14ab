/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "headnet-peer-list-private.h"

#include <gio/gio.h>

#include "headnet-peer-private.h"

struct _HeadnetPeerList
{
  GObject parent_instance;

  GSequence *sequence; /* of HeadnetPeer, each a reference */
  GHashTable *by_id;   /* id, the peer's own -> GSequenceIter */
};

static void list_model_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (HeadnetPeerList, headnet_peer_list, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_init))

static GType
get_item_type (GListModel *model)
{
  return HEADNET_TYPE_PEER;
}

static guint
get_n_items (GListModel *model)
{
  return (guint) g_sequence_get_length (HEADNET_PEER_LIST (model)->sequence);
}

static gpointer
get_item (GListModel *model, guint position)
{
  HeadnetPeerList *self = HEADNET_PEER_LIST (model);
  GSequenceIter *iter;

  if (position >= get_n_items (model))
    return NULL;
  iter = g_sequence_get_iter_at_pos (self->sequence, (int) position);
  return g_object_ref (g_sequence_get (iter));
}

static void
list_model_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void
headnet_peer_list_finalize (GObject *object)
{
  HeadnetPeerList *self = HEADNET_PEER_LIST (object);

  g_hash_table_unref (self->by_id);
  g_sequence_free (self->sequence);
  G_OBJECT_CLASS (headnet_peer_list_parent_class)->finalize (object);
}

static void
headnet_peer_list_class_init (HeadnetPeerListClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = headnet_peer_list_finalize;
}

static void
headnet_peer_list_init (HeadnetPeerList *self)
{
  self->sequence = g_sequence_new (g_object_unref);
  self->by_id = g_hash_table_new (g_str_hash, g_str_equal);
}

HeadnetPeerList *
headnet_peer_list_new (void)
{
  return g_object_new (HEADNET_TYPE_PEER_LIST, NULL);
}

HeadnetPeer *
headnet_peer_list_lookup (HeadnetPeerList *self, const char *id)
{
  GSequenceIter *iter = g_hash_table_lookup (self->by_id, id);

  return iter != NULL ? g_sequence_get (iter) : NULL;
}

static int
compare_peers (gconstpointer a, gconstpointer b, gpointer user_data)
{
  return headnet_peer_compare ((HeadnetPeer *) a, (HeadnetPeer *) b);
}

static int
compare_pointers (gconstpointer a, gconstpointer b)
{
  return headnet_peer_compare (*(HeadnetPeer *const *) a, *(HeadnetPeer *const *) b);
}

/* The peers of @dicts, sorted, each once: objects that are known, brought up to date, and new ones. */
static GPtrArray *
make_sorted (HeadnetPeerList *self, GVariant *dicts)
{
  gsize n = dicts != NULL ? g_variant_n_children (dicts) : 0;
  GPtrArray *sorted = g_ptr_array_new_full ((guint) n, g_object_unref);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) dict = g_variant_get_child_value (dicts, i);
      g_autoptr (GVariant) id = g_variant_lookup_value (dict, "Id", G_VARIANT_TYPE_STRING);
      HeadnetPeer *peer;

      if (id == NULL || g_hash_table_contains (seen, g_variant_get_string (id, NULL)))
        continue;
      peer = headnet_peer_list_lookup (self, g_variant_get_string (id, NULL));
      if (peer != NULL)
        headnet_peer_update (g_object_ref (peer), dict, FALSE);
      else if ((peer = headnet_peer_new_from_dict (dict)) == NULL)
        continue;
      g_hash_table_add (seen, (gpointer) headnet_peer_get_id (peer));
      g_ptr_array_add (sorted, peer);
    }
  for (guint i = 1; i < sorted->len; i++)
    if (headnet_peer_compare (sorted->pdata[i - 1], sorted->pdata[i]) > 0)
      {
        g_ptr_array_sort (sorted, compare_pointers);
        break;
      }
  return sorted;
}

void
headnet_peer_list_load (HeadnetPeerList *self, GVariant *peers)
{
  g_autoptr (GPtrArray) sorted = make_sorted (self, peers);
  guint old = get_n_items (G_LIST_MODEL (self));
  guint front = 0;
  guint back = 0;
  GSequenceIter *iter = g_sequence_get_begin_iter (self->sequence);
  GSequenceIter *end = g_sequence_get_end_iter (self->sequence);

  /* what is the same at both ends is left alone */
  while (front < MIN (old, sorted->len) && g_sequence_get (iter) == sorted->pdata[front])
    {
      iter = g_sequence_iter_next (iter);
      front++;
    }
  while (back < MIN (old, sorted->len) - front
         && g_sequence_get (g_sequence_iter_prev (end)) == sorted->pdata[sorted->len - 1 - back])
    {
      end = g_sequence_iter_prev (end);
      back++;
    }
  for (GSequenceIter *i = iter; i != end; i = g_sequence_iter_next (i))
    g_hash_table_remove (self->by_id, headnet_peer_get_id (g_sequence_get (i)));
  g_sequence_remove_range (iter, end);
  for (guint i = front; i < sorted->len - back; i++)
    {
      HeadnetPeer *peer = sorted->pdata[i];

      g_hash_table_insert (self->by_id, (gpointer) headnet_peer_get_id (peer),
                           g_sequence_insert_before (end, g_object_ref (peer)));
    }
  if (old != front + back || sorted->len != front + back)
    g_list_model_items_changed (G_LIST_MODEL (self), front, old - front - back,
                                sorted->len - front - back);
}

static void
insert (HeadnetPeerList *self, HeadnetPeer *peer)
{
  GSequenceIter *iter = g_sequence_insert_sorted (self->sequence, peer, compare_peers, NULL);

  g_hash_table_insert (self->by_id, (gpointer) headnet_peer_get_id (peer), iter);
  g_list_model_items_changed (G_LIST_MODEL (self), (guint) g_sequence_iter_get_position (iter), 0,
                              1);
}

static void
take_out (HeadnetPeerList *self, GSequenceIter *iter)
{
  guint position = (guint) g_sequence_iter_get_position (iter);

  g_hash_table_remove (self->by_id, headnet_peer_get_id (g_sequence_get (iter)));
  g_sequence_remove (iter);
  g_list_model_items_changed (G_LIST_MODEL (self), position, 1, 0);
}

static gboolean
is_in_place (GSequenceIter *iter)
{
  HeadnetPeer *peer = g_sequence_get (iter);
  GSequenceIter *next = g_sequence_iter_next (iter);

  return (g_sequence_iter_is_begin (iter)
          || headnet_peer_compare (g_sequence_get (g_sequence_iter_prev (iter)), peer) < 0)
         && (g_sequence_iter_is_end (next)
             || headnet_peer_compare (peer, g_sequence_get (next)) < 0);
}

static void
apply_one (HeadnetPeerList *self, GVariant *dict)
{
  g_autoptr (GVariant) id = g_variant_lookup_value (dict, "Id", G_VARIANT_TYPE_STRING);
  g_autoptr (HeadnetPeer) peer = NULL;
  GSequenceIter *iter;

  if (id == NULL)
    return;
  iter = g_hash_table_lookup (self->by_id, g_variant_get_string (id, NULL));
  if (iter == NULL)
    {
      peer = headnet_peer_new_from_dict (dict);
      if (peer != NULL)
        insert (self, g_steal_pointer (&peer));
      return;
    }
  peer = g_object_ref (g_sequence_get (iter));
  headnet_peer_update (peer, dict, FALSE);
  /* whoever was notified may have done anything, running the main loop included */
  iter = g_hash_table_lookup (self->by_id, headnet_peer_get_id (peer));
  if (iter == NULL || is_in_place (iter))
    return;
  take_out (self, iter);
  insert (self, g_steal_pointer (&peer));
}

void
headnet_peer_list_apply (HeadnetPeerList *self, GVariant *changed, GVariant *removed)
{
  gsize n_changed = g_variant_n_children (changed);
  gsize n_removed = g_variant_n_children (removed);

  for (gsize i = 0; i < n_removed; i++)
    {
      g_autoptr (GVariant) id = g_variant_get_child_value (removed, i);
      GSequenceIter *iter = g_hash_table_lookup (self->by_id, g_variant_get_string (id, NULL));

      if (iter != NULL)
        take_out (self, iter);
    }
  for (gsize i = 0; i < n_changed; i++)
    {
      g_autoptr (GVariant) dict = g_variant_get_child_value (changed, i);

      apply_one (self, dict);
    }
}
