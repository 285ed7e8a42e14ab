/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-netcheck-memory.h"

#include "path/hn-home.h"
#include "path/hn-netcheck-plan.h"

#define MAX_HISTORY 64

typedef struct
{
  int region;
  gint64 latency_us; /* of the last run it was in; 0 none */
  gint64 heard_us;   /* G_MININT64 never */
  gboolean by_name;
} Record;

typedef struct
{
  HnNetReport *report; /* owned */
  gint64 at_us;
} Past;

struct _HnNetcheckMemory
{
  GArray *records; /* of Record, at most HN_NETCHECK_MAX_REGIONS */
  guint last_heard;
  GArray *history; /* of Past, oldest first */
};

static void
past_clear (gpointer data)
{
  Past *past = data;

  hn_net_report_unref (past->report);
}

HnNetcheckMemory *
hn_netcheck_memory_new (void)
{
  HnNetcheckMemory *self = g_new0 (HnNetcheckMemory, 1);

  self->records = g_array_new (FALSE, FALSE, sizeof (Record));
  self->history = g_array_new (FALSE, FALSE, sizeof (Past));
  g_array_set_clear_func (self->history, past_clear);
  return self;
}

void
hn_netcheck_memory_free (HnNetcheckMemory *self)
{
  g_array_unref (self->records);
  g_array_unref (self->history);
  g_free (self);
}

static Record *
find_record (HnNetcheckMemory *self, int region)
{
  for (guint i = 0; i < self->records->len; i++)
    {
      Record *record = &g_array_index (self->records, Record, i);

      if (record->region == region)
        return record;
    }
  return NULL;
}

/* NULL when there are too many. */
static Record *
ensure_record (HnNetcheckMemory *self, int region)
{
  Record *record = find_record (self, region);
  Record fresh = { .region = region, .heard_us = G_MININT64 };

  if (record != NULL || self->records->len >= HN_NETCHECK_MAX_REGIONS)
    return record;
  g_array_append_val (self->records, fresh);
  return &g_array_index (self->records, Record, self->records->len - 1);
}

void
hn_netcheck_memory_set_map (HnNetcheckMemory *self, const HnDerpMap *map)
{
  for (guint i = self->records->len; i > 0; i--)
    if (hn_derp_map_get_region (map, g_array_index (self->records, Record, i - 1).region) == NULL)
      g_array_remove_index (self->records, i - 1);
}

void
hn_netcheck_memory_hear (HnNetcheckMemory *self, const HnDerpMap *map, int region, gint64 now_us)
{
  Record *record;

  /* Called for each frame, mostly of the same region. */
  if (self->last_heard < self->records->len)
    {
      record = &g_array_index (self->records, Record, self->last_heard);
      if (record->region == region)
        {
          record->heard_us = now_us;
          return;
        }
    }
  if (map == NULL || hn_derp_map_get_region (map, region) == NULL)
    return;
  record = ensure_record (self, region);
  if (record == NULL)
    return;
  record->heard_us = now_us;
  self->last_heard = record - (Record *) (gpointer) self->records->data;
}

gint64
hn_netcheck_memory_get_latency (HnNetcheckMemory *self, int region, gboolean *by_name)
{
  const Record *record = find_record (self, region);

  *by_name = record != NULL && record->by_name;
  return record != NULL ? record->latency_us : 0;
}

void
hn_netcheck_memory_set_latency (HnNetcheckMemory *self, int region, gint64 latency_us,
                                gboolean by_name)
{
  Record *record = ensure_record (self, region);

  if (record == NULL)
    return;
  record->latency_us = latency_us;
  record->by_name = by_name;
}

void
hn_netcheck_memory_add (HnNetcheckMemory *self, HnNetReport *report, gint64 now_us)
{
  Past past = { hn_net_report_ref (report), now_us };

  while (self->history->len > 0
         && (self->history->len >= MAX_HISTORY
             || g_array_index (self->history, Past, 0).at_us < now_us - HN_HOME_HISTORY_US))
    g_array_remove_index (self->history, 0);
  g_array_append_val (self->history, past);
}

static gint64
get_latency (const HnNetReport *report, int region)
{
  const HnRelayLatency *relay = hn_net_report_get_relay (report, region);

  if (relay == NULL)
    return 0;
  return relay->latency_us > 0 ? relay->latency_us : relay->tcp_latency_us;
}

static gint64
get_best (HnNetcheckMemory *self, int region)
{
  gint64 best = 0;

  for (guint i = 0; i < self->history->len; i++)
    {
      gint64 us = get_latency (g_array_index (self->history, Past, i).report, region);

      if (us > 0 && (best == 0 || us < best))
        best = us;
    }
  return best;
}

int
hn_netcheck_memory_choose_home (HnNetcheckMemory *self, const HnNetcheckHome *question)
{
  HnHomeQuestion choice = { .home = question->home,
                            .forced = question->forced,
                            .control_reachable = question->control_reachable,
                            .started_us = question->started_us,
                            .now_us = question->now_us };
  g_autoptr (GArray) regions = g_array_new (FALSE, TRUE, sizeof (HnHomeRegion));

  for (gsize i = 0; question->map != NULL && i < question->map->n_regions; i++)
    {
      const HnDerpRegion *region = &question->map->regions[i];
      const Record *record = find_record (self, region->id);
      HnHomeRegion candidate = { .id = region->id, .score = region->score };

      if (!hn_netcheck_can_be_home (region, question->home))
        continue;
      /* Only an answer makes the history count. */
      candidate.latency_us = get_latency (question->report, region->id);
      if (candidate.latency_us > 0)
        candidate.best_us = get_best (self, region->id);
      candidate.heard_us = record != NULL ? record->heard_us : G_MININT64;
      g_array_append_val (regions, candidate);
    }
  return hn_home_choose (&choice, (gconstpointer) regions->data, regions->len);
}
