/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What netchecks leave behind for the next ones: how near each relay was, when it was last heard, and
 * which one is home. Part of HnNetcheck.
 */
#pragma once

#include "path/hn-netcheck.h"

typedef struct _HnNetcheckMemory HnNetcheckMemory;

HnNetcheckMemory *hn_netcheck_memory_new (void);
void hn_netcheck_memory_free (HnNetcheckMemory *self);

/* Forgets the regions that @map does not have. */
void hn_netcheck_memory_set_map (HnNetcheckMemory *self, const HnDerpMap *map);
/* A frame came; @map is nullable, and what it does not have is not remembered. Hot. */
void hn_netcheck_memory_hear (HnNetcheckMemory *self, const HnDerpMap *map, int region,
                              gint64 now_us);
/* Returns: the latency of the last run that asked @region, 0 none. @by_name: see HnNetcheckTarget */
gint64 hn_netcheck_memory_get_latency (HnNetcheckMemory *self, int region, gboolean *by_name);
void hn_netcheck_memory_set_latency (HnNetcheckMemory *self, int region, gint64 latency_us,
                                     gboolean by_name);
/* A run ended with @report. */
void hn_netcheck_memory_add (HnNetcheckMemory *self, HnNetReport *report, gint64 now_us);

typedef struct
{
  const HnDerpMap *map;      /* nullable */
  const HnNetReport *report; /* the last one added */
  int home;                  /* until now, 0 none */
  int forced;                /* 0 none */
  gboolean control_reachable;
  gint64 started_us; /* of the run */
  gint64 now_us;
} HnNetcheckHome;

/* Returns: the region, 0 none. */
int hn_netcheck_memory_choose_home (HnNetcheckMemory *self, const HnNetcheckHome *question);
