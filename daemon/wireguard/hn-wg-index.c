/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wireguard/hn-wg-index.h"

#define MIN_SIZE 16

/* The slot that holds @index, or the free one where it would go. */
static HnWgIndexEntry *
find (HnWgIndexEntry *slots, gsize size, guint32 index)
{
  gsize i = index & (size - 1);

  while (slots[i].peer != NULL && slots[i].index != index)
    i = (i + 1) & (size - 1);
  return &slots[i];
}

static void
resize (HnWgIndexTable *self, gsize size)
{
  HnWgIndexEntry *slots = g_new0 (HnWgIndexEntry, size);

  for (gsize i = 0; i < self->size; i++)
    if (self->slots[i].peer != NULL)
      *find (slots, size, self->slots[i].index) = self->slots[i];
  g_free (self->slots);
  self->slots = slots;
  self->size = size;
}

guint32
hn_wg_index_table_choose (const HnWgIndexTable *self)
{
  guint32 index;

  do
    index = hn_random_u32 ();
  while (hn_wg_index_table_get (self, index) != NULL);
  return index;
}

void
hn_wg_index_table_set (HnWgIndexTable *self, guint32 index, HnWgPeer *peer, HnWgSession *session)
{
  HnWgIndexEntry *entry;

  /* At most half full, so that probing stays short and always ends. */
  if ((self->used + 1) * 2 > self->size)
    resize (self, MAX (self->size * 2, MIN_SIZE));

  entry = find (self->slots, self->size, index);
  if (entry->peer == NULL)
    self->used++;
  entry->index = index;
  entry->peer = peer;
  entry->session = session;
}

const HnWgIndexEntry *
hn_wg_index_table_get (const HnWgIndexTable *self, guint32 index)
{
  const HnWgIndexEntry *entry;

  if (self->size == 0)
    return NULL;
  entry = find (self->slots, self->size, index);
  return entry->peer != NULL ? entry : NULL;
}

void
hn_wg_index_table_remove (HnWgIndexTable *self, guint32 index)
{
  HnWgIndexEntry *entry;
  gsize mask = self->size - 1;
  gsize hole;

  if (self->size == 0)
    return;
  entry = find (self->slots, self->size, index);
  if (entry->peer == NULL)
    return;

  /* Close the gap: every entry behind it that could not be found across a hole moves up. */
  hole = (gsize) (entry - self->slots);
  for (gsize i = (hole + 1) & mask; self->slots[i].peer != NULL; i = (i + 1) & mask)
    {
      gsize home = self->slots[i].index & mask;

      if (((i - home) & mask) >= ((i - hole) & mask))
        {
          self->slots[hole] = self->slots[i];
          hole = i;
        }
    }
  self->slots[hole] = (HnWgIndexEntry){ 0 };
  self->used--;

  if (self->size > MIN_SIZE && self->used * 8 < self->size)
    resize (self, self->size / 2);
}

void
hn_wg_index_table_clear (HnWgIndexTable *self)
{
  g_free (self->slots);
  *self = (HnWgIndexTable){ 0 };
}
