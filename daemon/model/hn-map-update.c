/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/hn-map-update.h"

#include <string.h>

#include "base/hn-hash.h"
#include "model/hn-merge.h"

/* A difference to the server's clock below this is taken for none. */
#define CLOCK_TOLERANCE_S 60
/* And a known difference changes only by more than this, or each response would change it. */
#define CLOCK_JITTER_S 5
#define MAX_MESSAGES 100
#define MAX_FILTERS 1000
#define MAX_BLAMES 256

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
  g_clear_pointer (&self->blames, g_array_unref);
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

static const struct
{
  const char *id;
  const char *title;
} refused_kinds[HN_N_REFUSED] = {
  [HN_REFUSED_PEER] = { "map-bad-peer", "The server sent peers that can not be" },
  [HN_REFUSED_KEY] = { "map-duplicate-key", "Two peers claim one key" },
  [HN_REFUSED_ADDRESS] = { "map-duplicate-address", "Two peers claim one address" },
  [HN_REFUSED_COUNT] = { "map-too-many-peers", "The tailnet is too large" },
  [HN_REFUSED_SELF] = { "map-bad-self", "The server's word about this machine makes no sense" },
  [HN_REFUSED_USERS] = { "map-too-many-users", "The tailnet has too many users" },
  [HN_REFUSED_RULES] = { "map-too-many-rules", "The tailnet has too many access rules" },
};

static void
blame (HnMerge *merge, const char *remark, gint64 node)
{
  GArray *blames = merge->map->blames;
  HnMapBlame new = { remark, node > 0 && blames->len < MAX_BLAMES ? node : 0 };

  for (guint i = 0; i < blames->len; i++)
    {
      const HnMapBlame *there = &g_array_index (blames, HnMapBlame, i);

      if (there->node == new.node && g_str_equal (there->remark, new.remark))
        return;
    }
  g_array_append_val (blames, new);
}

static gboolean
is_blamed (const GArray *blames, const char *remark)
{
  for (guint i = 0; i < blames->len; i++)
    if (g_str_equal (g_array_index (blames, HnMapBlame, i).remark, remark))
      return TRUE;
  return FALSE;
}

void
hn_merge_absolve (HnMerge *merge, gint64 node)
{
  GArray *blames = merge->map->blames;

  for (guint i = blames->len; node > 0 && i > 0; i--)
    {
      HnMapBlame old = g_array_index (blames, HnMapBlame, i - 1);

      if (old.node != node)
        continue;
      g_array_remove_index_fast (blames, i - 1);
      if (!is_blamed (blames, old.remark))
        hn_merge_forget_remark (merge, old.remark);
    }
}

void
hn_merge_refuse (HnMerge *merge, HnRefused kind, gint64 node, const char *format, ...)
{
  blame (merge, refused_kinds[kind].id, node);
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

static gboolean
remove_item (GPtrArray *items, const char *id)
{
  for (guint i = 0; i < items->len; i++)
    if (g_str_equal (((HnHealthItem *) items->pdata[i])->id, id))
      {
        g_ptr_array_remove_index (items, i);
        return TRUE;
      }
  return FALSE;
}

void
hn_merge_forget_remark (HnMerge *merge, const char *id)
{
  GArray *blames = merge->map->blames;

  for (guint i = blames->len; i > 0; i--)
    if (g_str_equal (g_array_index (blames, HnMapBlame, i - 1).remark, id))
      g_array_remove_index_fast (blames, i - 1);
  g_ptr_array_add (merge->forgotten, (gpointer) id);
}

static void
merge_derp (HnMerge *merge, HnMapUpdate *update)
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
      hn_merge_forget_remark (merge, "map-bad-relay");
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

/* Deltas add up: each may bring as much as a whole map. */
static gboolean
has_room_for_filter (HnNetmap *map, const char *name, const HnFilterRules *rules)
{
  gsize n = hn_filter_rules_count_parts (rules);
  GHashTableIter iter;
  gpointer other, value;

  g_hash_table_iter_init (&iter, map->filters);
  while (g_hash_table_iter_next (&iter, &other, &value))
    if (!g_str_equal (other, name))
      n += hn_filter_rules_count_parts (value);
  return n <= HN_FILTER_RULES_MAX_PARTS;
}

static gboolean
set_filter (HnMerge *merge, const char *name, HnFilterRules *rules)
{
  HnNetmap *map = merge->map;
  HnFilterRules *there = g_hash_table_lookup (map->filters, name);

  if (rules != NULL && !has_room_for_filter (map, name, rules))
    {
      /* What is left out is closed. */
      hn_merge_refuse (merge, HN_REFUSED_RULES, 0, "all have more than %d sources and destinations",
                       HN_FILTER_RULES_MAX_PARTS);
      rules = NULL;
    }
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
merge_filters (HnMerge *merge, const HnMapUpdate *update)
{
  HnNetmap *map = merge->map;
  g_autofree gpointer *names = NULL;
  g_autofree HnFilterRules **parts = NULL;
  g_autoptr (HnFilterRules) filter = NULL;
  gboolean changed = FALSE;
  guint n;

  if (update->packet_filter == NULL && update->packet_filters == NULL && !update->clear_filters)
    return;
  hn_merge_forget_remark (merge, "map-bad-rule");
  hn_merge_forget_remark (merge, "map-too-many-rules");
  if (update->packet_filter != NULL)
    changed = set_filter (merge, "base", update->packet_filter);
  if (update->clear_filters && g_hash_table_size (map->filters) > 0)
    {
      g_hash_table_remove_all (map->filters);
      changed = TRUE;
    }
  HN_FOREACH_IN (update->packet_filters, HnNamedFilter, named)
  changed = set_filter (merge, named->name, named->rules) || changed;
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
merge_users (HnMerge *merge, HnMapUpdate *update)
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
          hn_merge_refuse (merge, HN_REFUSED_USERS, 0, "there are more than %d users",
                           HN_NETMAP_MAX_USERS);
          continue;
        }
      g_hash_table_add (map->users, hn_user_new (user->id, user->login_name, user->display_name));
      merge->change->parts |= HN_NETMAP_USERS;
    }
}

static void
merge_settings (HnMerge *merge, HnMapUpdate *update)
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
merge_clock (HnMerge *merge, gint64 control_time)
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
merge_texts (HnMerge *merge, GPtrArray *texts)
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
remove_message (HnMerge *merge, const char *id)
{
  merge->health_changed = remove_item (merge->map->messages, id) || merge->health_changed;
}

static void
merge_health (HnMerge *merge, HnMapUpdate *update)
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
set_remark (HnMerge *merge, HnHealthItem *item)
{
  GPtrArray *remarks = merge->map->remarks;

  for (guint i = merge->forgotten->len; i > 0; i--)
    if (g_str_equal (merge->forgotten->pdata[i - 1], item->id))
      g_ptr_array_remove_index (merge->forgotten, i - 1);
  if (remarks->len < MAX_MESSAGES)
    merge->health_changed = set_item (remarks, item, merge->wall) || merge->health_changed;
  else
    hn_health_item_free (item);
}

static void
merge_remarks (HnMerge *merge, HnMapUpdate *update)
{
  for (guint i = 0; update->remarks != NULL && i < update->remarks->len; i++)
    set_remark (merge, hn_health_item_copy (update->remarks->pdata[i]));
  HN_FOREACH_IN (update->blames, HnMapBlame, blamed)
  blame (merge, blamed->remark, blamed->node);
  for (int kind = 0; kind < HN_N_REFUSED; kind++)
    {
      g_autofree char *text = NULL;

      if (merge->n_refused[kind] == 0)
        continue;
      text = g_strdup_printf ("Skipped %u, the first because %s. Ask whoever runs the server.",
                              merge->n_refused[kind], merge->first_refused[kind]);
      set_remark (merge, hn_health_item_new (refused_kinds[kind].id,
                                             kind == HN_REFUSED_SELF ? HN_SEVERITY_ERROR
                                                                     : HN_SEVERITY_WARNING,
                                             refused_kinds[kind].title, text, NULL));
    }
  for (guint i = 0; i < merge->forgotten->len; i++)
    merge->health_changed
        = remove_item (merge->map->remarks, merge->forgotten->pdata[i]) || merge->health_changed;
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
start (HnMerge *merge)
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

static guint
hash_int64 (gconstpointer number)
{
  return hn_hash_bytes (number, sizeof (gint64));
}

HnNetmapChange *
hn_netmap_apply (HnNetmap *self, HnMapUpdate *update, gint64 wall)
{
  HnMerge merge = { .map = self, .change = change_new (), .wall = wall };

  merge_clock (&merge, update->control_time);
  if (update->keep_alive)
    return merge.change;

  merge.touched = g_hash_table_new_full (hash_int64, g_int64_equal, g_free, unref_node_or_null);
  merge.forgotten = g_ptr_array_new ();
  if (update->node != NULL)
    hn_merge_self (&merge, update->node);
  merge_derp (&merge, update);
  hn_merge_peers (&merge, update);
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
  g_ptr_array_unref (merge.forgotten);
  for (int kind = 0; kind < HN_N_REFUSED; kind++)
    g_free (merge.first_refused[kind]);
  return merge.change;
}
