/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/hn-hash.h"
#include "dataplane/hn-filter-program.h"

struct _HnFilterProgram
{
  gatomicrefcount ref_count;
  HnFilterRules *rules;     /* owned; NULL: none count */
  GHashTable *capabilities; /* name -> GArray of HnIp; NULL: the rules name none */
  GPtrArray *tables;        /* of HnFilterTable: those made beforehand */
  gboolean uses_capabilities;
  gboolean shields_up;
};

static GHashTable *
collect_names (const HnFilterRules *rules)
{
  GHashTable *names = NULL;

  for (gsize i = 0; i < rules->n_rules; i++)
    for (char **name = rules->rules[i].source_capabilities; name != NULL && *name != NULL; name++)
      {
        if (names == NULL)
          names = g_hash_table_new_full (hn_hash_text, g_str_equal, g_free,
                                         (GDestroyNotify) g_array_unref);
        if (!g_hash_table_contains (names, *name))
          g_hash_table_insert (names, g_strdup (*name), g_array_new (FALSE, FALSE, sizeof (HnIp)));
      }
  return names;
}

/* Who has the capabilities that rules name; of a peer only its own addresses count (tailscale:
 * ipn/ipnlocal/local.go, srcIPHasCapForFilter). */
static void
collect_peers (GHashTable *capabilities, GPtrArray *peers)
{
  for (guint i = 0; peers != NULL && i < peers->len; i++)
    {
      const HnNodeFields *peer = hn_node_get (peers->pdata[i]);

      if (peer->unsigned_peer_api_only || peer->capabilities == NULL)
        continue;
      for (const char *const *name = peer->capabilities; *name != NULL; name++)
        {
          GArray *addresses = g_hash_table_lookup (capabilities, *name);

          for (gsize k = 0; addresses != NULL && k < peer->n_addresses; k++)
            if (hn_prefix_is_single (&peer->addresses[k]))
              g_array_append_val (addresses, peer->addresses[k].ip);
        }
    }
}

static gboolean
range_meets_prefix (const HnIpRange *range, const HnPrefix *prefix)
{
  return range->first.family == prefix->ip.family
         && (hn_prefix_contains (prefix, &range->first)
             || (hn_ip_compare (&range->first, &prefix->ip) <= 0
                 && hn_ip_compare (&prefix->ip, &range->last) <= 0));
}

static gboolean
rules_admit (const HnFilterRules *rules, const HnNodeFields *peer)
{
  for (gsize i = 0; i < rules->n_rules; i++)
    for (gsize k = 0; k < rules->rules[i].n_sources; k++)
      for (gsize a = 0; a < peer->n_allowed_ips; a++)
        if (range_meets_prefix (&rules->rules[i].sources[k], &peer->allowed_ips[a]))
          return TRUE;
  return FALSE;
}

/* Whether the rules would let in a peer that nobody vouched for; then the server is not to be
 * believed at all (tailscale: ipn/ipnlocal/local.go, packetFilterPermitsUnlockedNodes). */
static gboolean
admits_unsigned (const HnFilterRules *rules, GPtrArray *peers)
{
  for (guint i = 0; peers != NULL && i < peers->len; i++)
    {
      const HnNodeFields *peer = hn_node_get (peers->pdata[i]);

      if (peer->unsigned_peer_api_only && rules_admit (rules, peer))
        return TRUE;
    }
  return FALSE;
}

HnFilterProgram *
hn_filter_program_new (const HnFilterRules *rules, GPtrArray *peers, gboolean shields_up)
{
  HnFilterProgram *self = g_new0 (HnFilterProgram, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->tables = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_filter_table_unref);
  self->shields_up = shields_up;
  if (rules == NULL)
    return self;
  self->capabilities = collect_names (rules);
  self->uses_capabilities = self->capabilities != NULL;
  if (shields_up)
    return self;
  if (admits_unsigned (rules, peers))
    {
      g_message ("The access rules would let in a peer that is not signed: nothing is let in");
      return self;
    }
  if (self->capabilities != NULL)
    collect_peers (self->capabilities, peers);
  self->rules = hn_filter_rules_ref ((HnFilterRules *) rules);
  return self;
}

HnFilterProgram *
hn_filter_program_ref (HnFilterProgram *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
hn_filter_program_unref (HnFilterProgram *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  g_clear_pointer (&self->rules, hn_filter_rules_unref);
  g_clear_pointer (&self->capabilities, g_hash_table_unref);
  g_ptr_array_unref (self->tables);
  g_free (self);
}

gboolean
hn_filter_program_uses_capabilities (const HnFilterProgram *self)
{
  return self->uses_capabilities;
}

gboolean
hn_filter_program_is_shields_up (const HnFilterProgram *self)
{
  return self->shields_up;
}

HnFilterTable *
hn_filter_program_dup_table (const HnFilterProgram *self, const HnIp *destination)
{
  for (guint i = 0; i < self->tables->len; i++)
    if (hn_ip_equal (hn_filter_table_get_destination (self->tables->pdata[i]), destination))
      return hn_filter_table_ref (self->tables->pdata[i]);
  return hn_filter_table_new (self->rules, self->capabilities, destination);
}

void
hn_filter_program_prepare (HnFilterProgram *self, const HnPrefix *addresses, gsize n)
{
  for (gsize i = 0; i < n; i++)
    g_ptr_array_add (self->tables, hn_filter_program_dup_table (self, &addresses[i].ip));
}

guint
hn_filter_program_get_skipped (const HnFilterProgram *self)
{
  guint skipped = 0;

  for (guint i = 0; i < self->tables->len; i++)
    skipped = MAX (skipped, hn_filter_table_get_skipped (self->tables->pdata[i]));
  return skipped;
}
