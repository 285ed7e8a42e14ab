/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a table is made. Rules with the same sources become one group. The ends of all sources cut the
 * address space into leaves; a segment tree over the leaves gets each group at the few nodes that
 * make up its sources, so that wide and nested sources cost a logarithm and never a product. What a
 * leaf lets in is what lies on its way to the root.
 */
#include "dataplane/hn-filter-table.h"

#include <stdlib.h>
#include <string.h>

#include "base/hn-hash.h"
#include "dataplane/hn-filter-sets.h"
#include "dataplane/hn-filter-sources.h"

/* How many groups of one node may stand one behind the other. */
#define MAX_APART 16

struct _HnFilterTable
{
  gatomicrefcount ref_count;
  HnIp destination;
  guint n_skipped;
  HnFilterSources *sources; /* owned: source -> entry of: */
  HnFilterSets *sets;       /* owned */
};

typedef struct
{
  HnFilterAddress first;
  HnFilterAddress last;
} Span;

/* Rules with the same sources. */
typedef struct
{
  const HnIpRange *ranges; /* borrowed; else: */
  gsize n_ranges;
  char **capabilities; /* borrowed */
  GArray *ports[HN_FILTER_N_PORTED];
  HnFilterProtocols other;
  gboolean icmp;
  gboolean skipped;
  guint n_rules;
  guint32 set;
} Group;

/* A group at a node of the tree. */
typedef struct
{
  guint32 node;
  guint32 group;
} Piece;

typedef struct
{
  HnFilterTable *table;
  GHashTable *capabilities; /* borrowed, nullable */
  GPtrArray *groups;
  GHashTable *group_index;
  GArray *spans; /* of Span, of all groups; those of group i end at ends[i] */
  GArray *ends;  /* of guint */
  GArray *cuts;  /* of HnFilterAddress: where a leaf begins */
  GArray *pieces;
} Builder;

static void
group_free (Group *group)
{
  for (guint i = 0; i < HN_FILTER_N_PORTED; i++)
    g_array_unref (group->ports[i]);
  g_free (group);
}

static guint
group_hash (gconstpointer data)
{
  const Group *group = data;
  guint hash;

  if (group->capabilities == NULL)
    return hn_hash_bytes (group->ranges, group->n_ranges * sizeof *group->ranges);
  hash = 1;
  for (char **name = group->capabilities; *name != NULL; name++)
    hash = hash * 31 + hn_hash_text (*name);
  return hash;
}

static gboolean
group_equal (gconstpointer a, gconstpointer b)
{
  const Group *one = a;
  const Group *two = b;

  if ((one->capabilities == NULL) != (two->capabilities == NULL))
    return FALSE;
  if (one->capabilities != NULL)
    return g_strv_equal ((const char *const *) one->capabilities,
                         (const char *const *) two->capabilities);
  return one->n_ranges == two->n_ranges
         && memcmp (one->ranges, two->ranges, one->n_ranges * sizeof *one->ranges) == 0;
}

/* The group of these sources: @ranges, or @capabilities. */
static Group *
get_group (Builder *self, const HnIpRange *ranges, gsize n_ranges, char **capabilities)
{
  Group wanted = { .ranges = ranges, .n_ranges = n_ranges, .capabilities = capabilities };
  Group *group = g_hash_table_lookup (self->group_index, &wanted);

  if (group == NULL)
    {
      group = g_memdup2 (&wanted, sizeof wanted);
      for (guint i = 0; i < HN_FILTER_N_PORTED; i++)
        group->ports[i] = g_array_new (FALSE, FALSE, sizeof (HnFilterPorts));
      g_ptr_array_add (self->groups, group);
      g_hash_table_add (self->group_index, group);
    }
  group->n_rules++;
  return group;
}

static gboolean
range_contains (const HnIpRange *range, const HnIp *ip)
{
  return range->first.family == ip->family && hn_ip_compare (&range->first, ip) <= 0
         && hn_ip_compare (ip, &range->last) <= 0;
}

/* What @rule opens on our address goes into @group. */
static void
open_ports (Builder *self, const HnFilterRule *rule, const HnFilterProtocols *protocols,
            Group *group)
{
  static const guint8 with_ports[]
      = { HN_IP_PROTOCOL_TCP, HN_IP_PROTOCOL_UDP, HN_IP_PROTOCOL_SCTP };
  const HnIp *ours = &self->table->destination;

  for (gsize i = 0; i < rule->n_destinations; i++)
    {
      const HnFilterDestination *to = &rule->destinations[i];
      const HnFilterPorts ports = { to->first_port, to->last_port };

      /* As upstream does it: capabilities open ICMP wherever the rule leads. */
      if (group->capabilities != NULL && to->range.first.family == ours->family)
        group->icmp = TRUE;
      if (!range_contains (&to->range, ours))
        continue;
      group->icmp = TRUE;
      for (guint k = 0; k < HN_FILTER_N_PORTED; k++)
        if (hn_filter_protocols_contain (protocols, with_ports[k]))
          g_array_append_val (group->ports[k], ports);
      /* HnFilterProtocols without ports need a rule for all ports, and no capabilities count. */
      if (group->capabilities == NULL && ports.first == 0 && ports.last == G_MAXUINT16)
        for (guint k = 0; k < G_N_ELEMENTS (protocols->bits); k++)
          group->other.bits[k] |= protocols->bits[k];
    }
}

static gboolean
leads_here (const HnFilterRule *rule, const HnIp *ours, gboolean by_capability)
{
  for (gsize i = 0; i < rule->n_destinations; i++)
    if (by_capability ? rule->destinations[i].range.first.family == ours->family
                      : range_contains (&rule->destinations[i].range, ours))
      return TRUE;
  return FALSE;
}

static void
add_rule (Builder *self, const HnFilterRule *rule)
{
  const HnIp *ours = &self->table->destination;
  HnFilterProtocols protocols = { 0 };

  for (gsize i = 0; i < rule->n_protocols; i++)
    protocols.bits[rule->protocols[i] / 64] |= G_GUINT64_CONSTANT (1) << rule->protocols[i] % 64;
  if (rule->n_sources > 0 && leads_here (rule, ours, FALSE))
    open_ports (self, rule, &protocols, get_group (self, rule->sources, rule->n_sources, NULL));
  if (rule->source_capabilities != NULL && leads_here (rule, ours, TRUE))
    open_ports (self, rule, &protocols, get_group (self, NULL, 0, rule->source_capabilities));
}

static void
skip_group (Builder *self, Group *group)
{
  if (!group->skipped)
    self->table->n_skipped += group->n_rules;
  group->skipped = TRUE;
}

static int
compare_spans (gconstpointer a, gconstpointer b)
{
  return hn_filter_address_compare (&((const Span *) a)->first, &((const Span *) b)->first);
}

/* Sorts the spans from @start on and joins those that overlap or touch. */
static void
join_spans (Builder *self, guint start)
{
  Span *spans = (Span *) (gpointer) self->spans->data;
  guint n = start;

  if (self->spans->len > start)
    qsort (spans + start, self->spans->len - start, sizeof *spans, compare_spans);
  for (guint i = start; i < self->spans->len; i++)
    {
      HnFilterAddress behind = n > start ? spans[n - 1].last : (HnFilterAddress){ 0 };

      if (n == start
          || (hn_filter_address_next (self->table->destination.family, &behind)
              && hn_filter_address_compare (&spans[i].first, &behind) > 0))
        spans[n++] = spans[i];
      else if (hn_filter_address_compare (&spans[i].last, &spans[n - 1].last) > 0)
        spans[n - 1].last = spans[i].last;
    }
  g_array_set_size (self->spans, n);
}

static gboolean
add_span (Builder *self, const HnIp *first, const HnIp *last)
{
  const guint8 family = self->table->destination.family;
  Span span;

  if (first->family != family)
    return TRUE;
  if (self->spans->len == HN_FILTER_MAX_SOURCES)
    return FALSE;
  span.first = hn_filter_address_load (family, first->bytes);
  span.last = hn_filter_address_load (family, last->bytes);
  g_array_append_val (self->spans, span);
  return TRUE;
}

/* FALSE: too many. */
static gboolean
add_sources (Builder *self, const Group *group)
{
  for (gsize i = 0; i < group->n_ranges; i++)
    if (!add_span (self, &group->ranges[i].first, &group->ranges[i].last))
      return FALSE;
  for (char **name = group->capabilities; name != NULL && *name != NULL; name++)
    {
      const GArray *peers
          = self->capabilities != NULL ? g_hash_table_lookup (self->capabilities, *name) : NULL;

      for (guint i = 0; peers != NULL && i < peers->len; i++)
        {
          const HnIp *ip = &g_array_index (peers, HnIp, i);

          if (!add_span (self, ip, ip))
            return FALSE;
        }
    }
  return TRUE;
}

/* The groups' sets, and all sources one behind the other. */
static void
prepare_groups (Builder *self)
{
  for (guint i = 0; i < self->groups->len; i++)
    {
      Group *group = self->groups->pdata[i];
      const guint start = self->spans->len;
      gsize n_ports = 0;

      for (guint k = 0; k < HN_FILTER_N_PORTED; k++)
        n_ports += group->ports[k]->len;
      if (hn_filter_sets_has_room (self->table->sets, n_ports) && add_sources (self, group))
        {
          join_spans (self, start);
          group->set
              = hn_filter_sets_make (self->table->sets, group->ports, &group->other, group->icmp);
        }
      else
        {
          skip_group (self, group);
          g_array_set_size (self->spans, start);
        }
      g_array_append_val (self->ends, self->spans->len);
    }
}

static int
compare_cuts (gconstpointer a, gconstpointer b)
{
  return hn_filter_address_compare (a, b);
}

/* Where leaves begin: each first address, and each behind a last one. */
static void
make_cuts (Builder *self)
{
  HnFilterAddress *cuts;
  guint n = 0;

  for (guint i = 0; i < self->spans->len; i++)
    {
      HnFilterAddress behind = g_array_index (self->spans, Span, i).last;

      g_array_append_val (self->cuts, g_array_index (self->spans, Span, i).first);
      if (hn_filter_address_next (self->table->destination.family, &behind))
        g_array_append_val (self->cuts, behind);
    }
  g_array_sort (self->cuts, compare_cuts);
  cuts = (HnFilterAddress *) (gpointer) self->cuts->data;
  for (guint i = 0; i < self->cuts->len; i++)
    if (n == 0 || hn_filter_address_compare (&cuts[n - 1], &cuts[i]) != 0)
      cuts[n++] = cuts[i];
  g_array_set_size (self->cuts, n);
}

/* The nodes of the tree that make up the span; leaf i is node n_leaves + i, above node k is k / 2. */
static void
cut_span (Builder *self, const Span *span, guint32 group)
{
  const HnFilterAddress *cuts = (const HnFilterAddress *) (gconstpointer) self->cuts->data;
  guint low
      = self->cuts->len + hn_filter_address_count_up_to (cuts, self->cuts->len, &span->first) - 1;
  guint high = self->cuts->len + hn_filter_address_count_up_to (cuts, self->cuts->len, &span->last);

  for (; low < high; low /= 2, high /= 2)
    {
      if (low & 1)
        {
          const Piece piece = { low++, group };

          g_array_append_val (self->pieces, piece);
        }
      if (high & 1)
        {
          const Piece piece = { --high, group };

          g_array_append_val (self->pieces, piece);
        }
    }
}

static int
compare_pieces (gconstpointer a, gconstpointer b)
{
  const Piece *one = a;
  const Piece *two = b;

  if (one->node != two->node)
    return one->node < two->node ? -1 : 1;
  return one->group < two->group ? -1 : one->group > two->group;
}

static void
make_pieces (Builder *self)
{
  guint next = 0;

  for (guint i = 0; i < self->groups->len; i++)
    {
      const guint start = self->pieces->len;

      for (; next < g_array_index (self->ends, guint, i); next++)
        if (self->pieces->len < HN_FILTER_MAX_PIECES)
          cut_span (self, &g_array_index (self->spans, Span, next), i);
      if (self->pieces->len >= HN_FILTER_MAX_PIECES)
        {
          skip_group (self, self->groups->pdata[i]);
          g_array_set_size (self->pieces, start);
        }
    }
  g_array_sort (self->pieces, compare_pieces);
}

/* What the groups of @n pieces of one node open, beside @entry. They are added up while there is room
 * for the sum; some more can stand one behind the other; what is beyond stays closed. */
static guint32
add_groups (Builder *self, const Piece *pieces, guint n, guint32 entry)
{
  HnFilterSets *all = self->table->sets;
  g_autofree guint32 *sets = g_new (guint32, n);
  gsize n_ports = 0;
  guint n_sets = 0;
  guint n_apart = 0;

  for (guint i = 0; i < n; i++)
    {
      Group *group = self->groups->pdata[pieces[i].group];
      const guint size = hn_filter_sets_get_size (all, group->set);

      if (hn_filter_sets_has_room (all, n_ports + size))
        {
          n_ports += size;
          sets[n_sets++] = group->set;
        }
      else if (n_apart++ < MAX_APART)
        entry = hn_filter_sets_enter (all, group->set, entry);
      else
        skip_group (self, group);
    }
  return n_sets > 0 ? hn_filter_sets_enter (all, hn_filter_sets_add (all, sets, n_sets), entry)
                    : entry;
}

/* What each leaf lets in: as many entries as there are leaves. */
static guint32 *
make_leaves (Builder *self)
{
  const guint n_leaves = self->cuts->len;
  g_autofree guint32 *nodes = g_new0 (guint32, (gsize) 2 * n_leaves + 1);
  const Piece *pieces = (const Piece *) (gconstpointer) self->pieces->data;
  guint next = 0;

  for (guint node = 1; node < 2 * n_leaves; node++)
    {
      const guint start = next;

      while (next < self->pieces->len && pieces[next].node == node)
        next++;
      nodes[node] = nodes[node / 2];
      if (next > start)
        nodes[node] = add_groups (self, pieces + start, next - start, nodes[node]);
    }
  return g_memdup2 (nodes + n_leaves, n_leaves * sizeof *nodes);
}

HnFilterTable *
hn_filter_table_new (const HnFilterRules *rules, GHashTable *capabilities, const HnIp *destination)
{
  HnFilterTable *self = g_new0 (HnFilterTable, 1);
  g_autofree guint32 *leaves = NULL;
  Builder builder = {
    .table = self,
    .capabilities = capabilities,
    .groups = g_ptr_array_new_with_free_func ((GDestroyNotify) group_free),
    .group_index = g_hash_table_new (group_hash, group_equal),
    .spans = g_array_new (FALSE, FALSE, sizeof (Span)),
    .ends = g_array_new (FALSE, FALSE, sizeof (guint)),
    .cuts = g_array_new (FALSE, FALSE, sizeof (HnFilterAddress)),
    .pieces = g_array_new (FALSE, FALSE, sizeof (Piece)),
  };

  g_atomic_ref_count_init (&self->ref_count);
  self->destination = *destination;
  self->sets = hn_filter_sets_new (HN_FILTER_MAX_PORT_RANGES, HN_FILTER_MAX_WORK);
  for (gsize i = 0; rules != NULL && i < rules->n_rules; i++)
    add_rule (&builder, &rules->rules[i]);
  prepare_groups (&builder);
  make_cuts (&builder);
  make_pieces (&builder);
  leaves = make_leaves (&builder);
  hn_filter_sets_seal (self->sets);
  self->sources = hn_filter_sources_new (
      destination->family, (const HnFilterAddress *) (gconstpointer) builder.cuts->data, leaves,
      builder.cuts->len);
  g_hash_table_unref (builder.group_index);
  g_ptr_array_unref (builder.groups);
  g_array_unref (builder.spans);
  g_array_unref (builder.ends);
  g_array_unref (builder.cuts);
  g_array_unref (builder.pieces);
  return self;
}

HnFilterTable *
hn_filter_table_ref (HnFilterTable *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
hn_filter_table_unref (HnFilterTable *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  hn_filter_sources_free (self->sources);
  hn_filter_sets_free (self->sets);
  g_free (self);
}

const HnIp *
hn_filter_table_get_destination (const HnFilterTable *self)
{
  return &self->destination;
}

guint
hn_filter_table_get_skipped (const HnFilterTable *self)
{
  return self->n_skipped;
}

gboolean
hn_filter_table_allows (const HnFilterTable *self, const guint8 *source, guint8 protocol,
                        guint16 port)
{
  return hn_filter_sets_allow (self->sets, hn_filter_sources_find (self->sources, source),
                               self->destination.family, protocol, port);
}
