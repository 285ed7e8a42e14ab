/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/hn-map-update.h"

#include <string.h>

#include "model/hn-netmap-private.h"

/* A difference to the server's clock below this is taken for none. */
#define CLOCK_TOLERANCE_S 60
/* And a known difference changes only by more than this, or each response would change it. */
#define CLOCK_JITTER_S 5
#define MAX_MESSAGES 100
#define MAX_FILTERS 1000

/* What guards of the merge refuse; one health item each. */
typedef enum
{
  REFUSED_PEER,
  REFUSED_KEY,
  REFUSED_ADDRESS,
  REFUSED_COUNT,
  REFUSED_SELF,
  REFUSED_USERS,
  N_REFUSED,
} Refused;

static const struct
{
  const char *id;
  const char *title;
} refused_kinds[N_REFUSED] = {
  [REFUSED_PEER] = { "map-bad-peer", "The server sent peers that can not be" },
  [REFUSED_KEY] = { "map-duplicate-key", "Two peers claim one key" },
  [REFUSED_ADDRESS] = { "map-duplicate-address", "Two peers claim one address" },
  [REFUSED_COUNT] = { "map-too-many-peers", "The tailnet is too large" },
  [REFUSED_SELF] = { "map-bad-self", "The server's word about this machine makes no sense" },
  [REFUSED_USERS] = { "map-too-many-users", "The tailnet has too many users" },
};

/* One run of hn_netmap_apply(). */
typedef struct
{
  HnNetmap *map;
  HnNetmapChange *change;
  HnPeerTable *old_peers; /* set while the whole list is replaced */
  GHashTable *touched;    /* id -> HnNode before this run, or NULL */
  guint n_refused[N_REFUSED];
  char *first_refused[N_REFUSED];
  gint64 wall;
  gboolean health_changed;
} Merge;

HnMapUpdate *
hn_map_update_new (void)
{
  return g_new0 (HnMapUpdate, 1);
}

static void
clear_array (GArray **array)
{
  g_clear_pointer (array, g_array_unref);
}

static void
clear_list (GPtrArray **list)
{
  g_clear_pointer (list, g_ptr_array_unref);
}

void
hn_map_update_free (HnMapUpdate *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->node, hn_node_unref);
  clear_list (&self->peers);
  clear_list (&self->peers_changed);
  clear_array (&self->peers_removed);
  clear_array (&self->peer_seen);
  clear_array (&self->online);
  clear_array (&self->patches);
  hn_derp_regions_free (self->derp_regions, self->n_derp_regions);
  g_clear_pointer (&self->derp_scores, g_hash_table_unref);
  g_clear_pointer (&self->dns, hn_dns_config_unref);
  g_free (self->domain);
  g_clear_pointer (&self->packet_filter, hn_filter_rules_unref);
  clear_array (&self->packet_filters);
  clear_list (&self->users);
  clear_list (&self->health);
  clear_list (&self->messages);
  clear_list (&self->messages_removed);
  g_free (self->pop_browser_url);
  g_free (self->ping_url);
  g_free (self->ping_types);
  g_free (self->ping_payload);
  clear_list (&self->remarks);
  g_free (self);
}

void
hn_peer_patch_clear (HnPeerPatch *patch)
{
  g_clear_pointer (&patch->endpoints, g_free);
  g_clear_pointer (&patch->capabilities, g_strfreev);
}

void
hn_named_filter_clear (HnNamedFilter *filter)
{
  g_clear_pointer (&filter->name, g_free);
  g_clear_pointer (&filter->rules, hn_filter_rules_unref);
}

static void G_GNUC_PRINTF (3, 4) refuse (Merge *merge, Refused kind, const char *format, ...)
{
  if (merge->n_refused[kind]++ == 0)
    {
      va_list args;

      va_start (args, format);
      merge->first_refused[kind] = g_strdup_vprintf (format, args);
      va_end (args);
    }
}

/* Sets an item in a list by its id, keeping the time of an equal one. */
static gboolean
set_item (GPtrArray *items, HnHealthItem *item, gint64 wall)
{
  g_autoptr (HnHealthItem) owned = item;

  for (guint i = 0; i < items->len; i++)
    {
      HnHealthItem *there = items->pdata[i];

      if (!g_str_equal (there->id, item->id))
        continue;
      if (hn_health_item_equal (there, item))
        return FALSE;
      owned->since = there->since;
      items->pdata[i] = g_steal_pointer (&owned);
      hn_health_item_free (there);
      return TRUE;
    }
  if (owned->since == 0)
    owned->since = wall;
  g_ptr_array_add (items, g_steal_pointer (&owned));
  return TRUE;
}

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
touch (Merge *merge, gint64 id)
{
  HnNode *old;

  if (merge->old_peers != NULL || g_hash_table_contains (merge->touched, &id))
    return;
  old = hn_peer_table_get (&merge->map->peers, id);
  g_hash_table_insert (merge->touched, g_memdup2 (&id, sizeof id),
                       old != NULL ? hn_node_ref (old) : NULL);
}

static void
remove_peer (Merge *merge, gint64 id)
{
  HnNode *old = hn_peer_table_get (&merge->map->peers, id);

  if (old == NULL)
    return;
  touch (merge, id);
  hn_peer_table_remove (&merge->map->peers, old);
}

static gboolean
check_peer (Merge *merge, const HnNodeFields *fields)
{
  const HnNodeFields *own
      = merge->map->self_node != NULL ? hn_node_get (merge->map->self_node) : NULL;
  const HnPrefix *bad = find_bad_address (fields);
  char text[HN_IP_TEXT_MAX];

  if (fields->id <= 0)
    refuse (merge, REFUSED_PEER, "the peer %s has no number", describe (fields));
  else if (hn_node_public_is_zero (&fields->key))
    refuse (merge, REFUSED_PEER, "the peer %s has no key", describe (fields));
  else if (own != NULL && hn_node_public_equal (&own->key, &fields->key))
    refuse (merge, REFUSED_KEY, "the peer %s has this machine's own key", describe (fields));
  else if (bad != NULL)
    refuse (merge, REFUSED_PEER, "the peer %s has the address %s", describe (fields),
            hn_prefix_format (bad, text));
  else
    {
      for (gsize i = 0; own != NULL && i < fields->n_addresses; i++)
        if (has_address (own, &fields->addresses[i].ip))
          {
            refuse (merge, REFUSED_ADDRESS, "the peer %s has this machine's own address %s",
                    describe (fields), hn_ip_format (&fields->addresses[i].ip, text));
            return FALSE;
          }
      return TRUE;
    }
  return FALSE;
}

/*
 * Whether another peer stands in the way of a new form. In a whole list the first one stays. In a
 * delta the newer word counts, and the peer that had the key or address before goes: servers reuse
 * addresses, and may say of the deletion only later.
 */
static gboolean
make_room (Merge *merge, const HnNodeFields *fields, HnNode *other, Refused kind, const char *what)
{
  if (other == NULL || hn_node_get (other)->id == fields->id)
    return TRUE;
  refuse (merge, kind, "%s is that of %s and of %s", what, describe (hn_node_get (other)),
          describe (fields));
  if (merge->old_peers != NULL)
    return FALSE;
  remove_peer (merge, hn_node_get (other)->id);
  return TRUE;
}

/* Adds or replaces one peer, if it makes sense. */
static void
put_peer (Merge *merge, HnNode *node)
{
  HnPeerTable *peers = &merge->map->peers;
  const HnNodeFields *fields = hn_node_get (node);
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
      refuse (merge, REFUSED_COUNT, "there are more than %d peers", HN_NETMAP_MAX_PEERS);
      return;
    }

  if (!make_room (merge, fields, hn_peer_table_get_by_key (peers, &fields->key), REFUSED_KEY,
                  "one key"))
    return;
  for (gsize i = 0; i < fields->n_addresses; i++)
    {
      const HnIp *ip = &fields->addresses[i].ip;
      char text[HN_IP_TEXT_MAX];

      if (!make_room (merge, fields, hn_peer_table_get_by_address (peers, ip), REFUSED_ADDRESS,
                      hn_ip_format (ip, text)))
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
replace_peers (Merge *merge, GPtrArray *list)
{
  HnPeerTable old = merge->map->peers;
  GHashTableIter iter;
  gpointer fields;

  /* What was skipped before is gone with the list it was in. */
  if (merge->map->remarks->len > 0)
    {
      g_ptr_array_set_size (merge->map->remarks, 0);
      merge->health_changed = TRUE;
    }
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
put_fields (Merge *merge, const HnNodeFields *fields)
{
  g_autoptr (HnNode) node = hn_node_new (fields);

  put_peer (merge, node);
}

static void
set_seen (Merge *merge, const HnPeerFlag *flag)
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
set_online (Merge *merge, const HnPeerFlag *flag)
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
patch_peer (Merge *merge, const HnPeerPatch *patch)
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

#define FOREACH_IN(array, Type, item)                                                              \
  for (const Type *item = (array) != NULL ? (const Type *) (gpointer) (array)->data : NULL,        \
                  *item##_end = (array) != NULL ? item + (array)->len : NULL;                      \
       item < item##_end; item++)

static void
merge_peers (Merge *merge, const HnMapUpdate *update)
{
  GHashTableIter iter;
  gpointer id;
  gpointer old;

  if (update->peers != NULL && update->peers->len > 0)
    {
      replace_peers (merge, update->peers);
      return;
    }

  FOREACH_IN (update->peers_removed, gint64, removed)
  remove_peer (merge, *removed);
  for (guint i = 0; update->peers_changed != NULL && i < update->peers_changed->len; i++)
    put_peer (merge, update->peers_changed->pdata[i]);
  FOREACH_IN (update->peer_seen, HnPeerFlag, seen)
  set_seen (merge, seen);
  FOREACH_IN (update->online, HnPeerFlag, online)
  set_online (merge, online);
  FOREACH_IN (update->patches, HnPeerPatch, patch)
  patch_peer (merge, patch);

  g_hash_table_iter_init (&iter, merge->touched);
  while (g_hash_table_iter_next (&iter, &id, &old))
    note_difference (merge->change, old, hn_peer_table_get (&merge->map->peers, *(gint64 *) id));
}

static void
merge_self (Merge *merge, HnNode *node)
{
  HnNetmap *map = merge->map;
  const HnPrefix *bad = find_bad_address (hn_node_get (node));
  char text[HN_IP_TEXT_MAX];

  if (bad != NULL)
    {
      refuse (merge, REFUSED_SELF, "it has the address %s", hn_prefix_format (bad, text));
      return;
    }
  if (map->self_node != NULL && hn_node_equal (map->self_node, node))
    return;
  g_clear_pointer (&map->self_node, hn_node_unref);
  map->self_node = hn_node_ref (node);
  remove_peer (merge, hn_node_get (node)->id);
  merge->change->parts |= HN_NETMAP_SELF;
}

static void
merge_derp (Merge *merge, HnMapUpdate *update)
{
  HnNetmap *map = merge->map;
  g_autoptr (HnDerpMap) derp = NULL;
  HnDerpRegion *regions = NULL;
  gsize n_regions = 0;

  if (!update->has_derp_regions && !update->has_derp_scores)
    return;
  if (update->has_derp_scores && update->derp_scores != NULL)
    {
      g_hash_table_unref (map->derp_scores);
      map->derp_scores = g_steal_pointer (&update->derp_scores);
    }
  else if (update->has_derp_scores)
    g_hash_table_remove_all (map->derp_scores);

  if (update->has_derp_regions)
    {
      regions = g_steal_pointer (&update->derp_regions);
      n_regions = update->n_derp_regions;
      update->n_derp_regions = 0;
    }
  else if (map->derp != NULL)
    {
      regions = hn_derp_map_copy_regions (map->derp);
      n_regions = map->derp->n_regions;
    }
  else
    return;

  for (gsize i = 0; i < n_regions; i++)
    {
      const double *score = g_hash_table_lookup (map->derp_scores, GINT_TO_POINTER (regions[i].id));

      regions[i].score = score != NULL && *score > 0 ? *score : 1;
    }
  derp = hn_derp_map_new_take (regions, n_regions);
  if (map->derp != NULL && hn_derp_map_equal (map->derp, derp))
    return;
  g_clear_pointer (&map->derp, hn_derp_map_unref);
  map->derp = g_steal_pointer (&derp);
  merge->change->parts |= HN_NETMAP_DERP;
}

static gboolean
set_filter (HnNetmap *map, const char *name, HnFilterRules *rules)
{
  HnFilterRules *there = g_hash_table_lookup (map->filters, name);

  if (rules == NULL)
    return g_hash_table_remove (map->filters, name);
  if (there != NULL ? hn_filter_rules_equal (there, rules)
                    : g_hash_table_size (map->filters) >= MAX_FILTERS)
    return FALSE;
  g_hash_table_insert (map->filters, g_strdup (name), hn_filter_rules_ref (rules));
  return TRUE;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static void
merge_filters (Merge *merge, const HnMapUpdate *update)
{
  HnNetmap *map = merge->map;
  g_autofree gpointer *names = NULL;
  g_autofree HnFilterRules **parts = NULL;
  g_autoptr (HnFilterRules) filter = NULL;
  gboolean changed = FALSE;
  guint n;

  if (update->packet_filter == NULL && update->packet_filters == NULL && !update->clear_filters)
    return;
  if (update->packet_filter != NULL)
    changed = set_filter (map, "base", update->packet_filter);
  if (update->clear_filters && g_hash_table_size (map->filters) > 0)
    {
      g_hash_table_remove_all (map->filters);
      changed = TRUE;
    }
  FOREACH_IN (update->packet_filters, HnNamedFilter, named)
  changed = set_filter (map, named->name, named->rules) || changed;
  if (!changed && map->filter != NULL)
    return;

  names = g_hash_table_get_keys_as_array (map->filters, &n);
  qsort (names, n, sizeof *names, compare_names);
  parts = g_new (HnFilterRules *, n);
  for (guint i = 0; i < n; i++)
    parts[i] = g_hash_table_lookup (map->filters, names[i]);
  filter = hn_filter_rules_concat (parts, n);
  /* Cleared and set again to the same: no change. */
  if (map->filter != NULL && hn_filter_rules_equal (map->filter, filter))
    return;
  g_clear_pointer (&map->filter, hn_filter_rules_unref);
  map->filter = g_steal_pointer (&filter);
  merge->change->parts |= HN_NETMAP_FILTER;
}

static void
merge_users (Merge *merge, HnMapUpdate *update)
{
  HnNetmap *map = merge->map;

  for (guint i = 0; update->users != NULL && i < update->users->len; i++)
    {
      const HnUser *user = update->users->pdata[i];
      const HnUser *there = g_hash_table_lookup (map->users, user);

      if (there != NULL && g_str_equal (there->login_name, user->login_name)
          && g_str_equal (there->display_name, user->display_name))
        continue;
      if (there == NULL && g_hash_table_size (map->users) >= HN_NETMAP_MAX_USERS)
        {
          refuse (merge, REFUSED_USERS, "there are more than %d users", HN_NETMAP_MAX_USERS);
          continue;
        }
      g_hash_table_add (map->users, hn_user_new (user->id, user->login_name, user->display_name));
      merge->change->parts |= HN_NETMAP_USERS;
    }
}

static void
merge_settings (Merge *merge, HnMapUpdate *update)
{
  HnNetmap *map = merge->map;

  if (update->dns != NULL && (map->dns == NULL || !hn_dns_config_equal (map->dns, update->dns)))
    {
      g_clear_pointer (&map->dns, hn_dns_config_unref);
      map->dns = hn_dns_config_ref (update->dns);
      merge->change->parts |= HN_NETMAP_DNS;
    }
  if (update->domain != NULL && update->domain[0] != '\0'
      && !g_str_equal (map->domain, update->domain))
    {
      g_free (map->domain);
      map->domain = g_strdup (update->domain);
      merge->change->parts |= HN_NETMAP_DOMAIN;
    }
  if (update->has_ssh_policy && !map->has_ssh_policy)
    {
      map->has_ssh_policy = TRUE;
      merge->change->parts |= HN_NETMAP_SSH;
    }
  if (update->has_tka && !update->tka_enabled != !map->tka_enabled)
    {
      map->tka_enabled = update->tka_enabled;
      merge->change->parts |= HN_NETMAP_HEALTH;
    }
}

static void
merge_clock (Merge *merge, gint64 control_time)
{
  HnNetmap *map = merge->map;
  const gint64 difference = control_time - merge->wall;
  gint64 offset = ABS (difference) > CLOCK_TOLERANCE_S ? difference : 0;

  if (control_time == 0 || offset == map->clock_offset)
    return;
  if (offset != 0 && map->clock_offset != 0 && ABS (offset - map->clock_offset) <= CLOCK_JITTER_S)
    return;
  map->clock_offset = offset;
  merge->change->parts |= HN_NETMAP_CLOCK;
}

/* Plain texts have no ids: theirs comes from the text, so that it stays while the text does. */
static void
merge_texts (Merge *merge, GPtrArray *texts)
{
  g_autoptr (GPtrArray) old = g_steal_pointer (&merge->map->texts);
  GPtrArray *items = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_health_item_free);
  gboolean changed = FALSE;

  for (guint i = 0; i < texts->len && items->len < MAX_MESSAGES; i++)
    {
      g_autofree char *id = g_strdup_printf ("health-%08x", g_str_hash (texts->pdata[i]));
      HnHealthItem *item = hn_health_item_new (id, HN_SEVERITY_WARNING, "A message of the server",
                                               texts->pdata[i], NULL);
      gboolean known = FALSE;

      for (guint k = 0; k < old->len && !known; k++)
        if (hn_health_item_equal (old->pdata[k], item))
          {
            item->since = ((HnHealthItem *) old->pdata[k])->since;
            known = TRUE;
          }
      changed = !known || changed;
      set_item (items, item, merge->wall);
    }
  if (items->len != old->len)
    changed = TRUE;
  merge->map->texts = items;
  merge->health_changed = merge->health_changed || changed;
}

static void
remove_message (Merge *merge, const char *id)
{
  GPtrArray *messages = merge->map->messages;

  for (guint i = 0; i < messages->len; i++)
    if (g_str_equal (((HnHealthItem *) messages->pdata[i])->id, id))
      {
        g_ptr_array_remove_index (messages, i);
        merge->health_changed = TRUE;
        return;
      }
}

static void
merge_health (Merge *merge, HnMapUpdate *update)
{
  HnNetmap *map = merge->map;

  if (update->health != NULL)
    merge_texts (merge, update->health);
  if (update->clear_messages && map->messages->len > 0)
    {
      g_ptr_array_set_size (map->messages, 0);
      merge->health_changed = TRUE;
    }
  for (guint i = 0; update->messages_removed != NULL && i < update->messages_removed->len; i++)
    remove_message (merge, update->messages_removed->pdata[i]);
  for (guint i = 0; update->messages != NULL && i < update->messages->len; i++)
    if (map->messages->len < MAX_MESSAGES
        && set_item (map->messages, hn_health_item_copy (update->messages->pdata[i]), merge->wall))
      merge->health_changed = TRUE;
}

static void
merge_remarks (Merge *merge, HnMapUpdate *update)
{
  HnNetmap *map = merge->map;

  for (guint i = 0; update->remarks != NULL && i < update->remarks->len; i++)
    if (map->remarks->len < MAX_MESSAGES
        && set_item (map->remarks, hn_health_item_copy (update->remarks->pdata[i]), merge->wall))
      merge->health_changed = TRUE;
  for (int kind = 0; kind < N_REFUSED; kind++)
    {
      g_autofree char *text = NULL;

      if (merge->n_refused[kind] == 0)
        continue;
      text = g_strdup_printf ("Skipped %u, the first because %s. Ask whoever runs the server.",
                              merge->n_refused[kind], merge->first_refused[kind]);
      if (set_item (
              map->remarks,
              hn_health_item_new (refused_kinds[kind].id,
                                  kind == REFUSED_SELF ? HN_SEVERITY_ERROR : HN_SEVERITY_WARNING,
                                  refused_kinds[kind].title, text, NULL),
              merge->wall))
        merge->health_changed = TRUE;
    }
}

static void
show_items (GPtrArray *shown, GPtrArray *items, const char *prefix)
{
  for (guint i = 0; i < items->len; i++)
    {
      HnHealthItem *item = hn_health_item_copy (items->pdata[i]);
      char *id = g_strconcat (prefix, item->id, NULL);

      g_free (item->id);
      item->id = id;
      g_ptr_array_add (shown, item);
    }
}

static void
rebuild_health (HnNetmap *map)
{
  g_ptr_array_set_size (map->health, 0);
  show_items (map->health, map->texts, "server-");
  show_items (map->health, map->messages, "server-");
  show_items (map->health, map->remarks, "");
}

static void
append_peer (gpointer node, gpointer list)
{
  g_ptr_array_add (list, hn_node_ref (node));
}

/* The first response with our own node makes the map: all of it is new to whoever looks. */
static void
start (Merge *merge)
{
  g_ptr_array_set_size (merge->change->changed, 0);
  hn_netmap_foreach_peer (merge->map, append_peer, merge->change->changed);
  merge->map->started = TRUE;
  merge->change->full = TRUE;
  merge->change->parts = HN_NETMAP_ALL;
}

static void
unref_node_or_null (gpointer node)
{
  if (node != NULL)
    hn_node_unref (node);
}

static HnNetmapChange *
change_new (void)
{
  HnNetmapChange *change = g_new0 (HnNetmapChange, 1);

  change->changed = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  change->removed = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  return change;
}

HnNetmapChange *
hn_netmap_apply (HnNetmap *self, HnMapUpdate *update, gint64 wall)
{
  Merge merge = { .map = self, .change = change_new (), .wall = wall };

  merge_clock (&merge, update->control_time);
  if (update->keep_alive)
    return merge.change;

  merge.touched = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, unref_node_or_null);
  if (update->node != NULL)
    merge_self (&merge, update->node);
  merge_derp (&merge, update);
  merge_peers (&merge, update);
  merge_settings (&merge, update);
  merge_filters (&merge, update);
  merge_users (&merge, update);
  merge_health (&merge, update);
  merge_remarks (&merge, update);

  if (merge.change->changed->len > 0 || merge.change->removed->len > 0)
    merge.change->parts |= HN_NETMAP_PEERS;
  if (merge.health_changed)
    {
      rebuild_health (self);
      merge.change->parts |= HN_NETMAP_HEALTH;
    }
  if (!self->started && self->self_node != NULL)
    start (&merge);

  g_hash_table_unref (merge.touched);
  for (int kind = 0; kind < N_REFUSED; kind++)
    g_free (merge.first_refused[kind]);
  return merge.change;
}
