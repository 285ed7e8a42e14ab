/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map of relays: regions, each with its nodes in order of preference. Immutable, reference
 * counted.
 */
#pragma once

#include "base/hn-ip.h"

typedef struct
{
  char *name;
  char *host_name; /* brackets of an IPv6 literal already stripped */
  char *cert_name; /* NULL: host_name is verified */
  HnIp ipv4;       /* literal to dial instead of DNS; family 0: none given */
  HnIp ipv6;
  gboolean ipv4_disabled; /* a text that is no address, by convention "none" */
  gboolean ipv6_disabled;
  int stun_port; /* 3478 by default, -1 none */
  int derp_port; /* 443 by default */
  gboolean stun_only;
  gboolean insecure_for_tests;
  gboolean can_port_80;
} HnDerpNode;

typedef struct
{
  int id;
  char *code;
  char *name;
  gboolean avoid;
  gboolean no_measure_no_home;
  double score; /* factor for latency from HomeParams; 1 when none */
  HnDerpNode *nodes;
  gsize n_nodes;
} HnDerpRegion;

typedef struct
{
  gatomicrefcount ref_count;
  HnDerpRegion *regions; /* sorted by id */
  gsize n_regions;
} HnDerpMap;

/* Takes the regions, a g_new() array whose strings and nodes are g_malloc()ed; sorts them. */
HnDerpMap *hn_derp_map_new_take (HnDerpRegion *regions, gsize n_regions);
HnDerpMap *hn_derp_map_ref (HnDerpMap *self);
void hn_derp_map_unref (HnDerpMap *self);
const HnDerpRegion *hn_derp_map_get_region (const HnDerpMap *self, int id); /* nullable */
/* A deep copy of the regions, n_regions of them, to build a changed map from. */
HnDerpRegion *hn_derp_map_copy_regions (const HnDerpMap *self);
/* Frees what a region owns, not the region itself; and a whole array of them. */
void hn_derp_region_clear (HnDerpRegion *region);
void hn_derp_regions_free (HnDerpRegion *regions, gsize n_regions);
gboolean hn_derp_map_equal (const HnDerpMap *a, const HnDerpMap *b);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnDerpMap, hn_derp_map_unref)
