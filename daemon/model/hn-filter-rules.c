/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/hn-filter-rules.h"

#include <string.h>

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
hn_filter_rules_unref (HnFilterRules *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  for (gsize i = 0; i < self->n_rules; i++)
    hn_filter_rule_clear (&self->rules[i]);
  g_free (self->rules);
  g_free (self);
}

HnFilterRules *
hn_filter_rules_concat (HnFilterRules *const *parts, gsize n_parts)
{
  HnFilterRule *rules;
  gsize n_rules = 0;

  if (n_parts == 1)
    return hn_filter_rules_ref (parts[0]);
  for (gsize i = 0; i < n_parts; i++)
    n_rules += parts[i]->n_rules;
  rules = g_new0 (HnFilterRule, n_rules);
  n_rules = 0;
  for (gsize i = 0; i < n_parts; i++)
    for (gsize k = 0; k < parts[i]->n_rules; k++)
      {
        const HnFilterRule *from = &parts[i]->rules[k];
        HnFilterRule *to = &rules[n_rules++];

        *to = *from;
        to->sources = g_memdup2 (from->sources, from->n_sources * sizeof *from->sources);
        to->source_capabilities = g_strdupv (from->source_capabilities);
        to->destinations
            = g_memdup2 (from->destinations, from->n_destinations * sizeof *from->destinations);
        to->protocols = g_memdup2 (from->protocols, from->n_protocols);
      }
  return hn_filter_rules_new_take (rules, n_rules);
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
  return n;
}

static gboolean
same_range (const HnIpRange *a, const HnIpRange *b)
{
  return hn_ip_equal (&a->first, &b->first) && hn_ip_equal (&a->last, &b->last);
}

static gboolean
rule_equal (const HnFilterRule *a, const HnFilterRule *b)
{
  if (a->n_sources != b->n_sources || a->n_destinations != b->n_destinations
      || a->n_protocols != b->n_protocols
      || (a->source_capabilities == NULL) != (b->source_capabilities == NULL))
    return FALSE;
  if (a->source_capabilities != NULL
      && !g_strv_equal ((const char *const *) a->source_capabilities,
                        (const char *const *) b->source_capabilities))
    return FALSE;
  for (gsize i = 0; i < a->n_sources; i++)
    if (!same_range (&a->sources[i], &b->sources[i]))
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
  if (a->n_rules != b->n_rules)
    return FALSE;
  for (gsize i = 0; i < a->n_rules; i++)
    if (!rule_equal (&a->rules[i], &b->rules[i]))
      return FALSE;
  return TRUE;
}
