/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which relays a netcheck asks, how often and when (tailscale: net/netcheck/netcheck.go,
 * makeProbePlan). Pure.
 */
#pragma once

#include "model/hn-derp-map.h"

/* A map may hold any number; more than these are not measured in one run. */
#define HN_NETCHECK_MAX_REGIONS 64
#define HN_NETCHECK_MAX_NODES 4 /* of a region */

typedef struct
{
  const HnDerpRegion *region;
  gint64 latency_us; /* when it was last measured; 0 unknown */
  gboolean home;
  /* Its names answered when its literal addresses did not: those are tried first. */
  gboolean by_name;
} HnNetcheckTarget;

typedef struct
{
  guint target; /* index */
  const HnDerpNode *node;
  guint8 family;
  gboolean by_name; /* resolve the name even if there is a literal address */
  gint64 delay_us;
} HnNetcheckProbe;

typedef struct
{
  gboolean full;
  gboolean ipv4;
  gboolean ipv6;
  gboolean had_ipv6; /* it worked in the last run */
} HnNetcheckPlan;

/* Whether the region may be measured at all; @home: the present one, 0 none. */
gboolean hn_netcheck_is_measurable (const HnDerpRegion *region, int home);
/* Whether the region may be home; @home as above. */
gboolean hn_netcheck_can_be_home (const HnDerpRegion *region, int home);
/* The port a node answers STUN on; 0 none. */
guint16 hn_netcheck_get_stun_port (const HnDerpNode *node);
/* Puts the nearest first, those never measured last. */
void hn_netcheck_sort_targets (GArray *targets);
/* @targets: (element-type HnNetcheckTarget): sorted; of an incremental run the first few and the home
 * are used. Returns: (transfer full) (element-type HnNetcheckProbe): in no order. */
GArray *hn_netcheck_make_plan (const HnNetcheckPlan *plan, const GArray *targets);
