/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/hn-netmap.h"

#include <string.h>

#include "base/hn-hash.h"
#include "model/hn-map-update.h"
#include "model/hn-netmap-private.h"

static guint
hash_id (gint64 id)
{
  return hn_hash_bytes (&id, sizeof id);
}

static guint
fields_hash_id (gconstpointer fields)
{
  return hash_id (((const HnNodeFields *) fields)->id);
}

static gboolean
fields_equal_id (gconstpointer a, gconstpointer b)
{
  return ((const HnNodeFields *) a)->id == ((const HnNodeFields *) b)->id;
}

static guint
fields_hash_key (gconstpointer fields)
{
  return hn_node_public_hash (&((const HnNodeFields *) fields)->key);
}

static gboolean
fields_equal_key (gconstpointer a, gconstpointer b)
{
  return hn_node_public_equal (&((const HnNodeFields *) a)->key, &((const HnNodeFields *) b)->key);
}

static void
fields_unref (gpointer fields)
{
  hn_node_unref (hn_node_from_fields (fields));
}

void
hn_peer_table_init (HnPeerTable *self)
{
  self->by_id = g_hash_table_new_full (fields_hash_id, fields_equal_id, fields_unref, NULL);
  self->by_key = g_hash_table_new (fields_hash_key, fields_equal_key);
  self->bytes = 0;
  self->by_address = g_hash_table_new ((GHashFunc) hn_ip_hash, (GEqualFunc) hn_ip_equal);
}

void
hn_peer_table_clear (HnPeerTable *self)
{
  /* These point into the nodes, which go with by_id. */
  g_clear_pointer (&self->by_address, g_hash_table_unref);
  g_clear_pointer (&self->by_key, g_hash_table_unref);
  g_clear_pointer (&self->by_id, g_hash_table_unref);
}

static HnNode *
node_or_null (const HnNodeFields *fields)
{
  return fields != NULL ? hn_node_from_fields (fields) : NULL;
}

HnNode *
hn_peer_table_get (const HnPeerTable *self, gint64 id)
{
  HnNodeFields wanted;

  wanted.id = id;
  return node_or_null (g_hash_table_lookup (self->by_id, &wanted));
}

HnNode *
hn_peer_table_get_by_key (const HnPeerTable *self, const HnNodePublic *key)
{
  HnNodeFields wanted;

  wanted.key = *key;
  return node_or_null (g_hash_table_lookup (self->by_key, &wanted));
}

HnNode *
hn_peer_table_get_by_address (const HnPeerTable *self, const HnIp *address)
{
  return node_or_null (g_hash_table_lookup (self->by_address, address));
}

void
hn_peer_table_add (HnPeerTable *self, HnNode *node)
{
  HnNodeFields *fields = (HnNodeFields *) hn_node_get (node);

  hn_node_ref (node);
  self->bytes += hn_node_get_size (node);
  g_hash_table_add (self->by_id, fields);
  g_hash_table_add (self->by_key, fields);
  for (gsize i = 0; i < fields->n_addresses; i++)
    g_hash_table_insert (self->by_address, (gpointer) &fields->addresses[i].ip, fields);
}

void
hn_peer_table_remove (HnPeerTable *self, HnNode *node)
{
  const HnNodeFields *fields = hn_node_get (node);

  for (gsize i = 0; i < fields->n_addresses; i++)
    g_hash_table_remove (self->by_address, &fields->addresses[i].ip);
  g_hash_table_remove (self->by_key, fields);
  self->bytes -= hn_node_get_size (node);
  g_hash_table_remove (self->by_id, fields);
}

/**
 * hn_user_new:
 * @id: the server's number of the user
 * @login_name: (nullable): such as an address of mail
 * @display_name: (nullable): for people
 *
 * Returns: (transfer full): the user; its texts are never NULL
 */
HnUser *
hn_user_new (gint64 id, const char *login_name, const char *display_name)
{
  const gsize login_size = strlen (login_name != NULL ? login_name : "") + 1;
  const gsize display_size = strlen (display_name != NULL ? display_name : "") + 1;
  HnUser *user = g_malloc (sizeof (HnUser) + login_size + display_size);

  user->id = id;
  user->login_name = (char *) (user + 1);
  user->display_name = user->login_name + login_size;
  memcpy (user->login_name, login_name != NULL ? login_name : "", login_size);
  memcpy (user->display_name, display_name != NULL ? display_name : "", display_size);
  return user;
}

void
hn_user_free (HnUser *user)
{
  g_free (user);
}

static guint
user_hash (gconstpointer user)
{
  return hash_id (((const HnUser *) user)->id);
}

static gboolean
user_equal_id (gconstpointer a, gconstpointer b)
{
  return ((const HnUser *) a)->id == ((const HnUser *) b)->id;
}

static GPtrArray *
new_items (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) hn_health_item_free);
}

/**
 * hn_netmap_new:
 *
 * Returns: (transfer full): an empty accumulator, for a new stream
 */
HnNetmap *
hn_netmap_new (void)
{
  HnNetmap *self = g_new0 (HnNetmap, 1);

  g_atomic_ref_count_init (&self->ref_count);
  hn_peer_table_init (&self->peers);
  self->derp_scores = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self->filters = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                         (GDestroyNotify) hn_filter_rules_unref);
  self->users
      = g_hash_table_new_full (user_hash, user_equal_id, (GDestroyNotify) hn_user_free, NULL);
  self->domain = g_strdup ("");
  self->texts = new_items ();
  self->messages = new_items ();
  self->remarks = new_items ();
  self->blames = g_array_new (FALSE, FALSE, sizeof (HnMapBlame));
  self->health = new_items ();
  return self;
}

HnNetmap *
hn_netmap_ref (HnNetmap *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
hn_netmap_unref (HnNetmap *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  g_clear_pointer (&self->self_node, hn_node_unref);
  hn_peer_table_clear (&self->peers);
  g_clear_pointer (&self->derp, hn_derp_map_unref);
  g_hash_table_unref (self->derp_scores);
  g_clear_pointer (&self->dns, hn_dns_config_unref);
  g_hash_table_unref (self->filters);
  g_clear_pointer (&self->filter, hn_filter_rules_unref);
  g_hash_table_unref (self->users);
  g_free (self->domain);
  g_ptr_array_unref (self->texts);
  g_ptr_array_unref (self->messages);
  g_ptr_array_unref (self->remarks);
  g_array_unref (self->blames);
  g_ptr_array_unref (self->health);
  g_free (self);
}

void
hn_netmap_change_free (HnNetmapChange *change)
{
  if (change == NULL)
    return;
  g_ptr_array_unref (change->changed);
  g_ptr_array_unref (change->removed);
  g_free (change);
}

HnNode *
hn_netmap_get_self (const HnNetmap *self)
{
  return self->self_node;
}

guint
hn_netmap_get_n_peers (const HnNetmap *self)
{
  return g_hash_table_size (self->peers.by_id);
}

/**
 * hn_netmap_get_peer:
 * @self: a netmap
 * @id: a node's number
 *
 * Returns: (transfer none) (nullable): the peer
 */
HnNode *
hn_netmap_get_peer (const HnNetmap *self, gint64 id)
{
  return hn_peer_table_get (&self->peers, id);
}

void
hn_netmap_foreach_peer (const HnNetmap *self, GFunc func, gpointer data)
{
  GHashTableIter iter;
  gpointer fields;

  g_hash_table_iter_init (&iter, self->peers.by_id);
  while (g_hash_table_iter_next (&iter, &fields, NULL))
    func (hn_node_from_fields (fields), data);
}

HnDerpMap *
hn_netmap_get_derp_map (const HnNetmap *self)
{
  return self->derp;
}

HnDnsConfig *
hn_netmap_get_dns (const HnNetmap *self)
{
  return self->dns;
}

HnFilterRules *
hn_netmap_get_filter (const HnNetmap *self)
{
  return self->filter;
}

/**
 * hn_netmap_get_user:
 * @self: a netmap
 * @id: a user's number
 *
 * Returns: (transfer none) (nullable): the user
 */
const HnUser *
hn_netmap_get_user (const HnNetmap *self, gint64 id)
{
  const HnUser wanted = { .id = id };

  return g_hash_table_lookup (self->users, &wanted);
}

const char *
hn_netmap_get_domain (const HnNetmap *self)
{
  return self->domain;
}

gboolean
hn_netmap_get_tka_enabled (const HnNetmap *self)
{
  return self->tka_enabled;
}

GPtrArray *
hn_netmap_get_health (const HnNetmap *self)
{
  return self->health;
}

gint64
hn_netmap_get_clock_offset (const HnNetmap *self)
{
  return self->clock_offset;
}
