/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The merge of peers and of our own node, with the guards that keep out what can not be. */
#include <string.h>

#include "model/hn-merge.h"

/* Remarks, ours and the codec's, that are about peers. */
static const char *const peer_remarks[] = {
  "map-bad-peer",
  "map-duplicate-key",
  "map-duplicate-address",
  "map-too-many-peers",
  "map-unreadable-peer",
  "map-bad-address",
  "map-cut",
};

static const char *
describe (const HnNodeFields *fields)
{
  return fields->name[0] != '\0' ? fields->name : "without a name";
}

/* Whether a node can really have this address: one address, of a host. */
static gboolean
is_host_address (const HnPrefix *prefix)
{
  static const guint8 zeros[16];
  static const guint8 ones[4] = { 255, 255, 255, 255 };
  const HnIp *ip = &prefix->ip;

  return ip->family != 0 && hn_prefix_is_single (prefix) && !hn_ip_is_loopback (ip)
         && !hn_ip_is_multicast (ip) && memcmp (ip->bytes, zeros, sizeof zeros) != 0
         && !(ip->family == 4 && memcmp (ip->bytes, ones, sizeof ones) == 0);
}

static const HnPrefix *
find_bad_address (const HnNodeFields *fields)
{
  for (gsize i = 0; i < fields->n_addresses; i++)
    if (!is_host_address (&fields->addresses[i]))
      return &fields->addresses[i];
  return NULL;
}

static gboolean
has_address (const HnNodeFields *fields, const HnIp *ip)
{
  for (gsize i = 0; i < fields->n_addresses; i++)
    if (hn_ip_equal (&fields->addresses[i].ip, ip))
      return TRUE;
  return FALSE;
}

/* Remembers what a peer was before this run. */
static void
touch (HnMerge *merge, gint64 id)
{
  HnNode *old;

  if (merge->old_peers != NULL || g_hash_table_contains (merge->touched, &id))
    return;
  old = hn_peer_table_get (&merge->map->peers, id);
  g_hash_table_insert (merge->touched, g_memdup2 (&id, sizeof id),
                       old != NULL ? hn_node_ref (old) : NULL);
}

static void
remove_peer (HnMerge *merge, gint64 id)
{
  HnNode *old = hn_peer_table_get (&merge->map->peers, id);

  if (old == NULL)
    return;
  touch (merge, id);
  hn_peer_table_remove (&merge->map->peers, old);
}

static gboolean
check_peer (HnMerge *merge, const HnNodeFields *fields)
{
  const HnNodeFields *own
      = merge->map->self_node != NULL ? hn_node_get (merge->map->self_node) : NULL;
  const HnPrefix *bad = find_bad_address (fields);
  char text[HN_IP_TEXT_MAX];

  if (fields->id <= 0)
    hn_merge_refuse (merge, HN_REFUSED_PEER, fields->id, "the peer %s has no number",
                     describe (fields));
  else if (hn_node_public_is_zero (&fields->key))
    hn_merge_refuse (merge, HN_REFUSED_PEER, fields->id, "the peer %s has no key",
                     describe (fields));
  else if (own != NULL && hn_node_public_equal (&own->key, &fields->key))
    hn_merge_refuse (merge, HN_REFUSED_KEY, fields->id, "the peer %s has this machine's own key",
                     describe (fields));
  else if (bad != NULL)
    hn_merge_refuse (merge, HN_REFUSED_PEER, fields->id, "the peer %s has the address %s",
                     describe (fields), hn_prefix_format (bad, text));
  else
    {
      for (gsize i = 0; own != NULL && i < fields->n_addresses; i++)
        if (has_address (own, &fields->addresses[i].ip))
          {
            hn_merge_refuse (merge, HN_REFUSED_ADDRESS, fields->id,
                             "the peer %s has this machine's own address %s", describe (fields),
                             hn_ip_format (&fields->addresses[i].ip, text));
            return FALSE;
          }
      return TRUE;
    }
  return FALSE;
}

/* The peer that stands in the way of a new form: it has the key or the address. */
static HnNode *
other_than (HnNode *found, const HnNodeFields *fields)
{
  return found != NULL && hn_node_get (found)->id != fields->id ? found : NULL;
}

/*
 * Settles that two peers claim one key or address. In a whole list the first one stays. In a delta
 * the newer word counts, and the peer that had it before goes: servers reuse addresses, and may say
 * of the deletion only later.
 */
static gboolean
make_room (HnMerge *merge, const HnNodeFields *fields, HnNode *other, HnRefused kind,
           const char *what)
{
  const HnNodeFields *before = hn_node_get (other);
  gint64 loser = merge->old_peers != NULL ? fields->id : before->id;

  hn_merge_refuse (merge, kind, loser, "%s is that of %s and of %s", what, describe (before),
                   describe (fields));
  if (merge->old_peers != NULL)
    return FALSE;
  remove_peer (merge, loser);
  return TRUE;
}

static gboolean
has_room (const HnPeerTable *peers, const HnNode *old, const HnNode *node)
{
  gsize others = peers->bytes - (old != NULL ? hn_node_get_size (old) : 0);

  return others + hn_node_get_size (node) <= HN_NETMAP_MAX_BYTES;
}

/* Adds or replaces one peer, if it makes sense. */
static void
put_peer (HnMerge *merge, HnNode *node)
{
  HnPeerTable *peers = &merge->map->peers;
  const HnNodeFields *fields = hn_node_get (node);
  HnNode *other;
  HnNode *old;
  HnNode *before;

  if (merge->map->self_node != NULL && fields->id == hn_node_get (merge->map->self_node)->id)
    return;
  if (!check_peer (merge, fields))
    return;

  old = hn_peer_table_get (peers, fields->id);
  if (old != NULL && hn_node_equal (old, node))
    return;
  if (old == NULL && g_hash_table_size (peers->by_id) >= HN_NETMAP_MAX_PEERS)
    {
      hn_merge_refuse (merge, HN_REFUSED_COUNT, fields->id, "there are more than %d peers",
                       HN_NETMAP_MAX_PEERS);
      return;
    }

  if (!has_room (peers, old, node))
    {
      hn_merge_refuse (merge, HN_REFUSED_COUNT, fields->id, "the peers take more than %d bytes",
                       HN_NETMAP_MAX_BYTES);
      return;
    }

  other = other_than (hn_peer_table_get_by_key (peers, &fields->key), fields);
  if (other != NULL && !make_room (merge, fields, other, HN_REFUSED_KEY, "one key"))
    return;
  for (gsize i = 0; i < fields->n_addresses; i++)
    {
      const HnIp *ip = &fields->addresses[i].ip;
      char text[HN_IP_TEXT_MAX];

      other = other_than (hn_peer_table_get_by_address (peers, ip), fields);
      if (other != NULL
          && !make_room (merge, fields, other, HN_REFUSED_ADDRESS, hn_ip_format (ip, text)))
        return;
    }

  touch (merge, fields->id);
  if (old != NULL)
    hn_peer_table_remove (peers, old);
  before = merge->old_peers != NULL ? hn_peer_table_get (merge->old_peers, fields->id) : NULL;
  hn_peer_table_add (peers, before != NULL && hn_node_equal (before, node) ? before : node);
}

/* Lists one peer by what it was and is. */
static void
note_difference (HnNetmapChange *change, HnNode *old, HnNode *now)
{
  if (now != NULL && (old == NULL || !hn_node_equal (old, now)))
    g_ptr_array_add (change->changed, hn_node_ref (now));
  if (old != NULL
      && (now == NULL || !hn_node_public_equal (&hn_node_get (old)->key, &hn_node_get (now)->key)))
    g_ptr_array_add (change->removed, hn_node_ref (old));
}

static void
replace_peers (HnMerge *merge, GPtrArray *list)
{
  HnPeerTable old = merge->map->peers;
  GHashTableIter iter;
  gpointer fields;

  /* What was skipped before is gone with the list it was in. */
  for (gsize i = 0; i < G_N_ELEMENTS (peer_remarks); i++)
    hn_merge_forget_remark (merge, peer_remarks[i]);
  hn_peer_table_init (&merge->map->peers);
  merge->old_peers = &old;
  for (guint i = 0; i < list->len; i++)
    put_peer (merge, list->pdata[i]);
  merge->old_peers = NULL;
  merge->change->full = TRUE;

  g_hash_table_iter_init (&iter, merge->map->peers.by_id);
  while (g_hash_table_iter_next (&iter, &fields, NULL))
    note_difference (merge->change, hn_peer_table_get (&old, ((HnNodeFields *) fields)->id),
                     hn_node_from_fields (fields));
  g_hash_table_iter_init (&iter, old.by_id);
  while (g_hash_table_iter_next (&iter, &fields, NULL))
    if (hn_peer_table_get (&merge->map->peers, ((HnNodeFields *) fields)->id) == NULL)
      note_difference (merge->change, hn_node_from_fields (fields), NULL);
  hn_peer_table_clear (&old);
}

/* A peer in a form that differs in some fields. */
static void
put_fields (HnMerge *merge, const HnNodeFields *fields)
{
  g_autoptr (HnNode) node = hn_node_new (fields);

  put_peer (merge, node);
}

static void
set_seen (HnMerge *merge, const HnPeerFlag *flag)
{
  HnNode *old = hn_peer_table_get (&merge->map->peers, flag->id);
  HnNodeFields fields;

  if (old == NULL)
    return;
  fields = *hn_node_get (old);
  fields.last_seen = flag->value ? merge->wall + merge->map->clock_offset : 0;
  put_fields (merge, &fields);
}

static void
set_online (HnMerge *merge, const HnPeerFlag *flag)
{
  HnNode *old = hn_peer_table_get (&merge->map->peers, flag->id);
  HnNodeFields fields;

  if (old == NULL)
    return;
  fields = *hn_node_get (old);
  fields.online = flag->value ? HN_ONLINE_YES : HN_ONLINE_NO;
  put_fields (merge, &fields);
}

/* A patch may name our own id (when our key expires); that is no peer, and Node says it as well. */
static void
patch_peer (HnMerge *merge, const HnPeerPatch *patch)
{
  HnNode *old = hn_peer_table_get (&merge->map->peers, patch->id);
  HnNodeFields fields;

  if (old == NULL)
    return;
  fields = *hn_node_get (old);
  if (patch->present & HN_PATCH_DERP)
    fields.home_derp = patch->home_derp;
  if (patch->present & HN_PATCH_KEY)
    fields.key = patch->key;
  if (patch->present & HN_PATCH_DISCO)
    fields.disco = patch->disco;
  if (patch->present & HN_PATCH_ONLINE)
    fields.online = patch->online;
  if (patch->present & HN_PATCH_LAST_SEEN)
    fields.last_seen = patch->last_seen;
  if (patch->present & HN_PATCH_KEY_EXPIRY)
    fields.key_expiry = patch->key_expiry;
  if (patch->present & HN_PATCH_ENDPOINTS)
    {
      fields.endpoints = patch->endpoints;
      fields.n_endpoints = patch->n_endpoints;
    }
  if (patch->present & HN_PATCH_CAPABILITIES)
    fields.capabilities = (const char *const *) patch->capabilities;
  put_fields (merge, &fields);
}

/* What our own node came to have, no peer can keep; what came in this response was not let in. */
static void
evict_doubles (HnMerge *merge)
{
  const HnNodeFields *own = hn_node_get (merge->map->self_node);
  HnPeerTable *peers = &merge->map->peers;
  HnNode *other = hn_peer_table_get_by_key (peers, &own->key);
  char text[HN_IP_TEXT_MAX];

  if (other != NULL)
    {
      hn_merge_refuse (merge, HN_REFUSED_KEY, hn_node_get (other)->id,
                       "the peer %s has this machine's own key", describe (hn_node_get (other)));
      remove_peer (merge, hn_node_get (other)->id);
    }
  for (gsize i = 0; i < own->n_addresses; i++)
    {
      const HnIp *ip = &own->addresses[i].ip;

      other = hn_peer_table_get_by_address (peers, ip);
      if (other == NULL)
        continue;
      hn_merge_refuse (merge, HN_REFUSED_ADDRESS, hn_node_get (other)->id,
                       "the peer %s has this machine's own address %s",
                       describe (hn_node_get (other)), hn_ip_format (ip, text));
      remove_peer (merge, hn_node_get (other)->id);
    }
}

void
hn_merge_peers (HnMerge *merge, const HnMapUpdate *update)
{
  GHashTableIter iter;
  gpointer id;
  gpointer old;

  if (update->peers != NULL && update->peers->len > 0)
    {
      replace_peers (merge, update->peers);
      return;
    }

  HN_FOREACH_IN (update->peers_removed, gint64, removed)
  {
    hn_merge_absolve (merge, *removed);
    remove_peer (merge, *removed);
  }
  for (guint i = 0; update->peers_changed != NULL && i < update->peers_changed->len; i++)
    {
      hn_merge_absolve (merge, hn_node_get (update->peers_changed->pdata[i])->id);
      put_peer (merge, update->peers_changed->pdata[i]);
    }
  HN_FOREACH_IN (update->peer_seen, HnPeerFlag, seen)
  set_seen (merge, seen);
  HN_FOREACH_IN (update->online, HnPeerFlag, online)
  set_online (merge, online);
  HN_FOREACH_IN (update->patches, HnPeerPatch, patch)
  patch_peer (merge, patch);
  if (merge->change->parts & HN_NETMAP_SELF)
    evict_doubles (merge);

  g_hash_table_iter_init (&iter, merge->touched);
  while (g_hash_table_iter_next (&iter, &id, &old))
    note_difference (merge->change, old, hn_peer_table_get (&merge->map->peers, *(gint64 *) id));
}

void
hn_merge_self (HnMerge *merge, HnNode *node)
{
  HnNetmap *map = merge->map;
  const HnPrefix *bad = find_bad_address (hn_node_get (node));
  char text[HN_IP_TEXT_MAX];

  if (bad != NULL)
    {
      hn_merge_refuse (merge, HN_REFUSED_SELF, 0, "it has the address %s",
                       hn_prefix_format (bad, text));
      return;
    }
  hn_merge_forget_remark (merge, "map-bad-self");
  hn_merge_absolve (merge, hn_node_get (node)->id);
  if (map->self_node != NULL && hn_node_equal (map->self_node, node))
    return;
  g_clear_pointer (&map->self_node, hn_node_unref);
  map->self_node = hn_node_ref (node);
  remove_peer (merge, hn_node_get (node)->id);
  merge->change->parts |= HN_NETMAP_SELF;
}
