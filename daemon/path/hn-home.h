/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which relay is our home: the nearest, but not a new one for every flutter of the network, because
 * each change must reach all peers (tailscale: net/netcheck/netcheck.go,
 * addReportHistoryAndSetPreferredDERP). Pure.
 */
#pragma once

#include <glib.h>

/* How long measurements count. */
#define HN_HOME_HISTORY_US (305 * G_USEC_PER_SEC)

typedef struct
{
  int id;
  double score;      /* factor for the best latency; 0 or less: none */
  gint64 latency_us; /* measured just now; 0 no answer */
  gint64 best_us;    /* the shortest of the history, with just now; 0 none */
  gint64 heard_us;   /* when its relay last sent a frame; G_MININT64 never */
  gboolean barred;   /* can not be home */
} HnHomeRegion;

typedef struct
{
  int home;                   /* until now; 0 none */
  int forced;                 /* wanted by a person or the server; 0 none */
  gboolean control_reachable; /* a change could be told */
  gint64 started_us;          /* of the measurement */
  gint64 now_us;
} HnHomeQuestion;

/* Returns: the region, 0 when there is none to choose. */
int hn_home_choose (const HnHomeQuestion *question, const HnHomeRegion *regions, gsize n_regions);
