/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is due next: a binary heap of the conversations that wait for something. */
#include "path/hn-paths-private.h"

static HnPathTalk *
get (HnPaths *self, guint i)
{
  return g_ptr_array_index (self->queue, i);
}

static void
put (HnPaths *self, guint i, HnPathTalk *talk)
{
  g_ptr_array_index (self->queue, i) = talk;
  talk->queue_index = i;
}

static void
settle (HnPaths *self, guint i)
{
  HnPathTalk *talk = get (self, i);

  while (i > 0 && get (self, (i - 1) / 2)->due_us > talk->due_us)
    {
      put (self, i, get (self, (i - 1) / 2));
      i = (i - 1) / 2;
    }
  for (;;)
    {
      guint child = 2 * i + 1;

      if (child + 1 < self->queue->len && get (self, child + 1)->due_us < get (self, child)->due_us)
        child++;
      if (child >= self->queue->len || get (self, child)->due_us >= talk->due_us)
        break;
      put (self, i, get (self, child));
      i = child;
    }
  put (self, i, talk);
}

void
hn_paths_queue_remove (HnPaths *self, HnPathTalk *talk)
{
  guint i = talk->queue_index;
  HnPathTalk *last;

  if (i == G_MAXUINT)
    return;
  last = get (self, self->queue->len - 1);
  g_ptr_array_set_size (self->queue, (int) self->queue->len - 1);
  if (last != talk)
    {
      put (self, i, last);
      settle (self, i);
    }
  talk->queue_index = G_MAXUINT;
}

void
hn_paths_queue_update (HnPaths *self, HnPathTalk *talk)
{
  gint64 due = MIN (talk->heartbeat_us, talk->watch_us);

  if (talk->peer->removed)
    return;
  due = MIN (due, MIN (talk->probe_us, talk->seek_us));
  due = MIN (due, MIN (talk->retract_us, talk->release_us));
  if (due == talk->due_us && talk->queue_index != G_MAXUINT)
    return;
  talk->due_us = due;
  if (talk->queue_index == G_MAXUINT)
    {
      g_ptr_array_add (self->queue, talk);
      talk->queue_index = self->queue->len - 1;
    }
  settle (self, talk->queue_index);
}

HnPathTalk *
hn_paths_queue_peek (HnPaths *self)
{
  return self->queue->len > 0 ? get (self, 0) : NULL;
}
