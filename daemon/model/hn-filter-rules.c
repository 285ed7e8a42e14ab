/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/hn-filter-rules.h"

#include <string.h>

#include "base/hn-hash.h"

/* Of the text of values, as much as a source or destination takes. */
#define BYTES_PER_PART 64

/**
 * hn_filter_rules_new_take:
 * @rules: (transfer full) (nullable): a g_new() array
 * @n_rules: its length
 *
 * Returns: (transfer full): the rules; none at all means that nothing may come in
 */
HnFilterRules *
hn_filter_rules_new_take (HnFilterRule *rules, gsize n_rules)
{
  HnFilterRules *self = g_new0 (HnFilterRules, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->rules = rules;
  self->n_rules = n_rules;
  return self;
}

void
hn_filter_rules_take_grants (HnFilterRules *self, HnFilterGrant *grants, gsize n_grants)
{
  self->grants = grants;
  self->n_grants = n_grants;
}

HnFilterRules *
hn_filter_rules_ref (HnFilterRules *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
hn_filter_rule_clear (HnFilterRule *rule)
{
  g_free (rule->sources);
  g_strfreev (rule->source_capabilities);
  g_free (rule->destinations);
  g_free (rule->protocols);
  *rule = (HnFilterRule){ 0 };
}

void
hn_filter_grant_clear (HnFilterGrant *grant)
{
  g_free (grant->sources);
  g_free (grant->destinations);
  g_strfreev (grant->names);
  g_strfreev (grant->values);
  *grant = (HnFilterGrant){ 0 };
}

void
hn_filter_rules_unref (HnFilterRules *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  for (gsize i = 0; i < self->n_rules; i++)
    hn_filter_rule_clear (&self->rules[i]);
  g_free (self->rules);
  for (gsize i = 0; i < self->n_grants; i++)
    hn_filter_grant_clear (&self->grants[i]);
  g_free (self->grants);
  g_free (self);
}

static void
copy_rule (HnFilterRule *to, const HnFilterRule *from)
{
  *to = *from;
  to->sources = g_memdup2 (from->sources, from->n_sources * sizeof *from->sources);
  to->source_capabilities = g_strdupv (from->source_capabilities);
  to->destinations
      = g_memdup2 (from->destinations, from->n_destinations * sizeof *from->destinations);
  to->protocols = g_memdup2 (from->protocols, from->n_protocols);
}

static void
copy_grant (HnFilterGrant *to, const HnFilterGrant *from)
{
  *to = *from;
  to->sources = g_memdup2 (from->sources, from->n_sources * sizeof *from->sources);
  to->destinations
      = g_memdup2 (from->destinations, from->n_destinations * sizeof *from->destinations);
  to->names = g_strdupv (from->names);
  to->values = g_strdupv (from->values);
}

HnFilterRules *
hn_filter_rules_concat (HnFilterRules *const *parts, gsize n_parts)
{
  HnFilterRules *self;
  HnFilterGrant *grants;
  HnFilterRule *rules;
  gsize n_rules = 0;
  gsize n_grants = 0;

  if (n_parts == 1)
    return hn_filter_rules_ref (parts[0]);
  for (gsize i = 0; i < n_parts; i++)
    {
      n_rules += parts[i]->n_rules;
      n_grants += parts[i]->n_grants;
    }
  rules = g_new0 (HnFilterRule, n_rules);
  grants = g_new0 (HnFilterGrant, n_grants);
  n_rules = n_grants = 0;
  for (gsize i = 0; i < n_parts; i++)
    {
      for (gsize k = 0; k < parts[i]->n_rules; k++)
        copy_rule (&rules[n_rules++], &parts[i]->rules[k]);
      for (gsize k = 0; k < parts[i]->n_grants; k++)
        copy_grant (&grants[n_grants++], &parts[i]->grants[k]);
    }
  self = hn_filter_rules_new_take (rules, n_rules);
  hn_filter_rules_take_grants (self, grants, n_grants);
  return self;
}

gsize
hn_filter_grant_count_parts (const HnFilterGrant *grant)
{
  gsize n = grant->n_sources + grant->n_destinations;

  for (gsize i = 0; grant->names[i] != NULL; i++)
    n += 1 + (strlen (grant->names[i]) + strlen (grant->values[i])) / BYTES_PER_PART;
  return n;
}

gsize
hn_filter_rules_count_parts (const HnFilterRules *self)
{
  gsize n = 0;

  for (gsize i = 0; i < self->n_rules; i++)
    {
      const HnFilterRule *rule = &self->rules[i];

      n += rule->n_sources + rule->n_destinations;
      if (rule->source_capabilities != NULL)
        n += g_strv_length (rule->source_capabilities);
    }
  for (gsize i = 0; i < self->n_grants; i++)
    n += hn_filter_grant_count_parts (&self->grants[i]);
  return n;
}

static gboolean
same_range (const HnIpRange *a, const HnIpRange *b)
{
  return hn_ip_equal (&a->first, &b->first) && hn_ip_equal (&a->last, &b->last);
}

static gboolean
same_ranges (const HnIpRange *a, const HnIpRange *b, gsize n)
{
  for (gsize i = 0; i < n; i++)
    if (!same_range (&a[i], &b[i]))
      return FALSE;
  return TRUE;
}

static gboolean
same_names (char **a, char **b)
{
  return g_strv_equal ((const char *const *) a, (const char *const *) b);
}

static gboolean
grant_equal (const HnFilterGrant *a, const HnFilterGrant *b)
{
  return a->n_sources == b->n_sources && a->n_destinations == b->n_destinations
         && same_ranges (a->sources, b->sources, a->n_sources)
         && same_ranges (a->destinations, b->destinations, a->n_destinations)
         && same_names (a->names, b->names) && same_names (a->values, b->values);
}

static gboolean
rule_equal (const HnFilterRule *a, const HnFilterRule *b)
{
  if (a->n_sources != b->n_sources || a->n_destinations != b->n_destinations
      || a->n_protocols != b->n_protocols
      || (a->source_capabilities == NULL) != (b->source_capabilities == NULL))
    return FALSE;
  if (a->source_capabilities != NULL
      && !same_names (a->source_capabilities, b->source_capabilities))
    return FALSE;
  if (!same_ranges (a->sources, b->sources, a->n_sources))
    return FALSE;
  for (gsize i = 0; i < a->n_destinations; i++)
    if (!same_range (&a->destinations[i].range, &b->destinations[i].range)
        || a->destinations[i].first_port != b->destinations[i].first_port
        || a->destinations[i].last_port != b->destinations[i].last_port)
      return FALSE;
  return a->n_protocols == 0 || memcmp (a->protocols, b->protocols, a->n_protocols) == 0;
}

gboolean
hn_filter_rules_equal (const HnFilterRules *a, const HnFilterRules *b)
{
  if (a == b)
    return TRUE;
  if (a->n_rules != b->n_rules || a->n_grants != b->n_grants)
    return FALSE;
  for (gsize i = 0; i < a->n_rules; i++)
    if (!rule_equal (&a->rules[i], &b->rules[i]))
      return FALSE;
  for (gsize i = 0; i < a->n_grants; i++)
    if (!grant_equal (&a->grants[i], &b->grants[i]))
      return FALSE;
  return TRUE;
}

static gboolean
is_within (const HnIpRange *ranges, gsize n, const HnIp *ip)
{
  for (gsize i = 0; i < n; i++)
    if (ranges[i].first.family == ip->family && hn_ip_compare (&ranges[i].first, ip) <= 0
        && hn_ip_compare (ip, &ranges[i].last) <= 0)
      return TRUE;
  return FALSE;
}

/* @granted: name -> GString, an array without its end. */
static void
add_values (GHashTable *granted, const char *name, const char *values)
{
  GString *all = g_hash_table_lookup (granted, name);

  if (all == NULL)
    {
      all = g_string_new ("[");
      g_hash_table_insert (granted, g_strdup (name), all);
    }
  if (values[0] != '\0')
    g_string_append_printf (all, "%s%s", all->len > 1 ? "," : "", values);
}

GHashTable *
hn_filter_rules_dup_peer_capabilities (const HnFilterRules *self, const HnIp *source,
                                       const HnIp *destination)
{
  g_autoptr (GHashTable) granted = g_hash_table_new_full (hn_hash_text, g_str_equal, NULL, NULL);
  GHashTable *out = g_hash_table_new_full (hn_hash_text, g_str_equal, g_free, g_free);
  GHashTableIter iter;
  gpointer name, all;

  for (gsize i = 0; i < self->n_grants; i++)
    {
      const HnFilterGrant *grant = &self->grants[i];

      if (is_within (grant->sources, grant->n_sources, source)
          && is_within (grant->destinations, grant->n_destinations, destination))
        for (gsize k = 0; grant->names[k] != NULL; k++)
          add_values (granted, grant->names[k], grant->values[k]);
    }
  g_hash_table_iter_init (&iter, granted);
  while (g_hash_table_iter_next (&iter, &name, &all))
    {
      g_string_append_c (all, ']');
      g_hash_table_insert (out, name, g_string_free (all, FALSE));
    }
  return out;
}
