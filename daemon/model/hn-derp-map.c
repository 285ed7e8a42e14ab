/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/hn-derp-map.h"

#include <stdlib.h>

static void
node_clear (HnDerpNode *node)
{
  g_free (node->name);
  g_free (node->host_name);
  g_free (node->cert_name);
}

void
hn_derp_region_clear (HnDerpRegion *region)
{
  for (gsize i = 0; i < region->n_nodes; i++)
    node_clear (&region->nodes[i]);
  g_free (region->nodes);
  g_free (region->code);
  g_free (region->name);
  *region = (HnDerpRegion){ 0 };
}

void
hn_derp_regions_free (HnDerpRegion *regions, gsize n_regions)
{
  for (gsize i = 0; i < n_regions; i++)
    hn_derp_region_clear (&regions[i]);
  g_free (regions);
}

static int
compare_regions (const void *a, const void *b)
{
  const HnDerpRegion *x = a;
  const HnDerpRegion *y = b;

  return x->id < y->id ? -1 : x->id > y->id;
}

/**
 * hn_derp_map_new_take:
 * @regions: (transfer full) (nullable): a g_new() array
 * @n_regions: its length
 *
 * Returns: (transfer full): the map, its regions sorted by id
 */
HnDerpMap *
hn_derp_map_new_take (HnDerpRegion *regions, gsize n_regions)
{
  HnDerpMap *self = g_new0 (HnDerpMap, 1);

  g_atomic_ref_count_init (&self->ref_count);
  if (n_regions > 1)
    qsort (regions, n_regions, sizeof *regions, compare_regions);
  self->regions = regions;
  self->n_regions = n_regions;
  return self;
}

HnDerpMap *
hn_derp_map_ref (HnDerpMap *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
hn_derp_map_unref (HnDerpMap *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  hn_derp_regions_free (self->regions, self->n_regions);
  g_free (self);
}

HnDerpRegion *
hn_derp_map_copy_regions (const HnDerpMap *self)
{
  HnDerpRegion *copy = g_new0 (HnDerpRegion, self->n_regions);

  for (gsize i = 0; i < self->n_regions; i++)
    {
      const HnDerpRegion *region = &self->regions[i];

      copy[i] = *region;
      copy[i].code = g_strdup (region->code);
      copy[i].name = g_strdup (region->name);
      copy[i].nodes = g_new0 (HnDerpNode, region->n_nodes);
      for (gsize k = 0; k < region->n_nodes; k++)
        {
          copy[i].nodes[k] = region->nodes[k];
          copy[i].nodes[k].name = g_strdup (region->nodes[k].name);
          copy[i].nodes[k].host_name = g_strdup (region->nodes[k].host_name);
          copy[i].nodes[k].cert_name = g_strdup (region->nodes[k].cert_name);
        }
    }
  return copy;
}

/**
 * hn_derp_map_get_region:
 * @self: a map
 * @id: a region's id
 *
 * Returns: (transfer none) (nullable): the region
 */
const HnDerpRegion *
hn_derp_map_get_region (const HnDerpMap *self, int id)
{
  const HnDerpRegion wanted = { .id = id };

  if (self->n_regions == 0)
    return NULL;
  return bsearch (&wanted, self->regions, self->n_regions, sizeof wanted, compare_regions);
}

static gboolean
node_equal (const HnDerpNode *a, const HnDerpNode *b)
{
  return g_strcmp0 (a->name, b->name) == 0 && g_strcmp0 (a->host_name, b->host_name) == 0
         && g_strcmp0 (a->cert_name, b->cert_name) == 0 && hn_ip_equal (&a->ipv4, &b->ipv4)
         && hn_ip_equal (&a->ipv6, &b->ipv6) && a->ipv4_disabled == b->ipv4_disabled
         && a->ipv6_disabled == b->ipv6_disabled && a->stun_port == b->stun_port
         && a->derp_port == b->derp_port && a->stun_only == b->stun_only
         && a->insecure_for_tests == b->insecure_for_tests && a->can_port_80 == b->can_port_80;
}

gboolean
hn_derp_map_equal (const HnDerpMap *a, const HnDerpMap *b)
{
  if (a == b)
    return TRUE;
  if (a->n_regions != b->n_regions)
    return FALSE;
  for (gsize i = 0; i < a->n_regions; i++)
    {
      const HnDerpRegion *x = &a->regions[i];
      const HnDerpRegion *y = &b->regions[i];

      if (x->id != y->id || g_strcmp0 (x->code, y->code) != 0 || g_strcmp0 (x->name, y->name) != 0
          || x->avoid != y->avoid || x->no_measure_no_home != y->no_measure_no_home
          || x->score != y->score || x->n_nodes != y->n_nodes)
        return FALSE;
      for (gsize k = 0; k < x->n_nodes; k++)
        if (!node_equal (&x->nodes[k], &y->nodes[k]))
          return FALSE;
    }
  return TRUE;
}
