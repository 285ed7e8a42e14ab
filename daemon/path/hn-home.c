/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-home.h"

/* Not worth a move. */
#define NEAR_US (10 * 1000)
/* A frame this young says that the relay is there. */
#define ALIVE_US (8 * G_USEC_PER_SEC)
/* Two keep-alives of a relay. */
#define KEPT_ALIVE_US (120 * G_USEC_PER_SEC)

static const HnHomeRegion *
find (const HnHomeRegion *regions, gsize n, int id)
{
  for (gsize i = 0; i < n && id != 0; i++)
    if (regions[i].id == id && !regions[i].barred)
      return &regions[i];
  return NULL;
}

static gboolean
heard_since (const HnHomeRegion *region, gint64 since_us)
{
  return region->heard_us != G_MININT64 && region->heard_us >= since_us;
}

static gboolean
is_alive (const HnHomeRegion *region, const HnHomeQuestion *question)
{
  return heard_since (region, MIN (question->started_us, question->now_us - ALIVE_US));
}

static gint64
get_scored (const HnHomeRegion *region)
{
  gint64 best = region->best_us > 0 ? region->best_us : region->latency_us;

  /* A factor beyond all reason must not leave the range of the result. */
  return region->score > 0 ? (gint64) CLAMP (best * region->score, 0, 1e15) : best;
}

int
hn_home_choose (const HnHomeQuestion *question, const HnHomeRegion *regions, gsize n_regions)
{
  const HnHomeRegion *old = find (regions, n_regions, question->home);
  const HnHomeRegion *forced = find (regions, n_regions, question->forced);
  const HnHomeRegion *best = NULL;
  gint64 best_us = 0;

  if (old != NULL && !question->control_reachable)
    return old->id;
  if (forced != NULL && (forced->latency_us > 0 || is_alive (forced, question)))
    return forced->id;

  for (gsize i = 0; i < n_regions; i++)
    if (!regions[i].barred && regions[i].latency_us > 0)
      {
        gint64 us = get_scored (&regions[i]);

        if (best == NULL || us < best_us)
          {
            best = &regions[i];
            best_us = us;
          }
      }

  if (best != NULL && old != NULL && best != old
      && (old->latency_us > 0 || is_alive (old, question)))
    {
      /* Alive by its frames alone it counts as next door, and stays. */
      if (old->latency_us - best_us < NEAR_US || best_us > old->latency_us / 3 * 2)
        return old->id;
    }
  if (best != NULL)
    return best->id;
  if (old != NULL && heard_since (old, question->now_us - KEPT_ALIVE_US))
    return old->id;

  /* Nothing answers. Somewhere peers must find us when it does, and where they looked last is as
   * good as any; without that, the same region each time. */
  if (old != NULL)
    return old->id;
  for (gsize i = 0; i < n_regions; i++)
    if (!regions[i].barred && (best == NULL || regions[i].id < best->id))
      best = &regions[i];
  return best != NULL ? best->id : 0;
}
