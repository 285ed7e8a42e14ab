/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-derp-queue.h"

#include <string.h>

/* A tunnel packet of the usual size and its header; longer ones are allocated. */
#define SLOT_SIZE 2048
#define CONTROL_SIZE 256

typedef struct
{
  guint8 *frame; /* in the slab, or owned when longer than SLOT_SIZE */
  gsize len;
  guint64 flow; /* start of the peer's key */
  gint64 queued_us;
  gboolean urgent;
} Slot;

struct _HnDerpQueue
{
  guint8 *out; /* owned; the next write */
  gsize out_size;
  gsize out_len;
  gsize out_pos;
  gsize write_size;
  gboolean pinned; /* handed out for writing: must not change */
  gboolean open;

  guint8 control[CONTROL_SIZE];
  gsize control_len;

  guint8 *slab; /* owned; NULL until the stream stalls for the first time */
  Slot slots[HN_DERP_QUEUE_PACKETS];
  guint8 order[HN_DERP_QUEUE_PACKETS]; /* oldest first, then the free ones */
  guint n_waiting;
  gsize waiting_bytes;

  guint64 dropped;
};

G_STATIC_ASSERT (HN_DERP_QUEUE_PACKETS <= G_MAXUINT8);

HnDerpQueue *
hn_derp_queue_new (void)
{
  HnDerpQueue *self = g_new0 (HnDerpQueue, 1);

  self->out_size = self->write_size = HN_DERP_QUEUE_WRITE;
  self->out = g_malloc (self->out_size);
  for (guint i = 0; i < HN_DERP_QUEUE_PACKETS; i++)
    self->order[i] = i;
  return self;
}

static void
release_slot (HnDerpQueue *self, Slot *slot)
{
  self->waiting_bytes -= slot->len;
  if (slot->len > SLOT_SIZE)
    g_free (slot->frame);
  slot->frame = NULL;
}

/* Takes the packet at @position out of the order. Its slot is the next to be used: few are touched
 * while few packets wait. */
static void
remove_waiting (HnDerpQueue *self, guint position)
{
  guint8 slot = self->order[position];

  release_slot (self, &self->slots[slot]);
  self->n_waiting--;
  memmove (self->order + position, self->order + position + 1, self->n_waiting - position);
  self->order[self->n_waiting] = slot;
}

void
hn_derp_queue_free (HnDerpQueue *self)
{
  while (self->n_waiting > 0)
    remove_waiting (self, self->n_waiting - 1);
  g_free (self->slab);
  g_free (self->out);
  g_free (self);
}

void
hn_derp_queue_open (HnDerpQueue *self, gint64 now_us, gint64 max_age_us)
{
  self->open = TRUE;
  while (self->n_waiting > 0 && now_us - self->slots[self->order[0]].queued_us > max_age_us)
    {
      remove_waiting (self, 0);
      self->dropped++;
    }
}

/* Handshakes and cookies of WireGuard (their type and size), and discovery messages (their magic):
 * losing one costs seconds, losing a data packet costs a retransmission. */
static gboolean
is_urgent (const guint8 *data, gsize len)
{
  static const guint8 disco_magic[6] = { 0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac };

  if (len >= sizeof disco_magic && memcmp (data, disco_magic, sizeof disco_magic) == 0)
    return TRUE;
  if (len < 4 || data[1] != 0 || data[2] != 0 || data[3] != 0)
    return FALSE;
  return (data[0] == 1 && len == 148) || (data[0] == 2 && len == 92) || (data[0] == 3 && len == 64);
}

static gboolean
fits_write (const HnDerpQueue *self, gsize len)
{
  if (self->pinned)
    return FALSE;
  /* A frame longer than a whole write goes alone. */
  return self->out_len == 0 || self->out_len + len <= self->write_size;
}

static guint8 *
reserve_write (HnDerpQueue *self, gsize len)
{
  guint8 *at;

  if (self->out_len + len > self->out_size)
    {
      self->out_size = self->out_len + len;
      self->out = g_realloc (self->out, self->out_size);
    }
  at = self->out + self->out_len;
  self->out_len += len;
  return at;
}

void
hn_derp_queue_set_write_size (HnDerpQueue *self, gsize size)
{
  self->write_size = MIN (size, HN_DERP_QUEUE_WRITE);
}

gboolean
hn_derp_queue_is_writing (const HnDerpQueue *self)
{
  return self->pinned;
}

gboolean
hn_derp_queue_add_control (HnDerpQueue *self, const guint8 *frame, gsize len, gsize reserve)
{
  if (self->control_len + len + reserve > CONTROL_SIZE)
    return FALSE;

  memcpy (self->control + self->control_len, frame, len);
  self->control_len += len;
  return TRUE;
}

gboolean
hn_derp_queue_has_room (const HnDerpQueue *self, gsize len)
{
  return self->open && self->n_waiting == 0 && fits_write (self, HN_DERP_PACKET_HEADER_SIZE + len);
}

/* Where the next packet to be dropped stands in the order: the oldest of the peer with most bytes
 * waiting; -1 when all are urgent. */
static int
choose_victim (const HnDerpQueue *self)
{
  struct
  {
    guint64 flow;
    gsize bytes;
    int oldest;
  } flows[HN_DERP_QUEUE_PACKETS];
  guint n_flows = 0;
  gsize most = 0;
  int victim = -1;

  for (guint i = 0; i < self->n_waiting; i++)
    {
      const Slot *slot = &self->slots[self->order[i]];
      guint j = 0;

      if (slot->urgent)
        continue;
      while (j < n_flows && flows[j].flow != slot->flow)
        j++;
      if (j == n_flows)
        {
          flows[j].flow = slot->flow;
          flows[j].bytes = 0;
          flows[j].oldest = i;
          n_flows++;
        }
      flows[j].bytes += slot->len;
      if (flows[j].bytes > most)
        {
          most = flows[j].bytes;
          victim = flows[j].oldest;
        }
    }
  return victim;
}

static void
build_frame (guint8 *out, const HnNodePublic *peer, const guint8 *data, gsize len)
{
  hn_derp_build_packet_header (out, peer, len);
  memcpy (out + HN_DERP_PACKET_HEADER_SIZE, data, len);
}

gboolean
hn_derp_queue_add_packet (HnDerpQueue *self, const HnNodePublic *peer, const guint8 *data,
                          gsize len, gint64 now_us)
{
  gsize frame_len = HN_DERP_PACKET_HEADER_SIZE + len;
  gboolean urgent;
  guint8 index;
  Slot *slot;

  g_return_val_if_fail (len <= HN_DERP_MAX_PACKET, FALSE);

  if (hn_derp_queue_has_room (self, len))
    {
      build_frame (reserve_write (self, frame_len), peer, data, len);
      return TRUE;
    }

  urgent = is_urgent (data, len);
  while (self->n_waiting == HN_DERP_QUEUE_PACKETS
         || (self->n_waiting > 0 && self->waiting_bytes + frame_len > HN_DERP_QUEUE_BYTES))
    {
      int victim = choose_victim (self);

      self->dropped++;
      if (victim < 0 && !urgent)
        return FALSE;
      remove_waiting (self, MAX (victim, 0));
    }

  index = self->order[self->n_waiting];
  slot = &self->slots[index];
  if (frame_len > SLOT_SIZE)
    slot->frame = g_malloc (frame_len);
  else
    {
      if (self->slab == NULL)
        self->slab = g_malloc (HN_DERP_QUEUE_PACKETS * SLOT_SIZE);
      slot->frame = self->slab + index * SLOT_SIZE;
    }
  build_frame (slot->frame, peer, data, len);
  slot->len = frame_len;
  memcpy (&slot->flow, peer->bytes, sizeof slot->flow);
  slot->queued_us = now_us;
  slot->urgent = urgent;
  self->waiting_bytes += frame_len;
  self->n_waiting++;
  return TRUE;
}

/* Fills the write from what waits. */
static void
refill (HnDerpQueue *self)
{
  if (self->control_len > 0 && fits_write (self, self->control_len))
    {
      memcpy (reserve_write (self, self->control_len), self->control, self->control_len);
      self->control_len = 0;
    }

  while (self->open && self->n_waiting > 0)
    {
      const Slot *slot = &self->slots[self->order[0]];

      if (!fits_write (self, slot->len))
        break;
      memcpy (reserve_write (self, slot->len), slot->frame, slot->len);
      remove_waiting (self, 0);
    }
}

const guint8 *
hn_derp_queue_get_write (HnDerpQueue *self, gsize *len)
{
  if (!self->pinned)
    {
      refill (self);
      if (self->out_len == 0)
        return NULL;
      self->pinned = TRUE;
    }

  *len = self->out_len - self->out_pos;
  return self->out + self->out_pos;
}

gboolean
hn_derp_queue_has_write (const HnDerpQueue *self)
{
  return self->out_len > 0 || self->control_len > 0 || (self->open && self->n_waiting > 0);
}

void
hn_derp_queue_wrote (HnDerpQueue *self, gsize len)
{
  g_return_if_fail (self->pinned && len <= self->out_len - self->out_pos);

  self->out_pos += len;
  if (self->out_pos < self->out_len)
    return;

  self->out_pos = self->out_len = 0;
  self->pinned = FALSE;
}

gsize
hn_derp_queue_get_bytes (const HnDerpQueue *self)
{
  return self->out_len - self->out_pos + self->control_len + self->waiting_bytes;
}

guint64
hn_derp_queue_get_dropped (const HnDerpQueue *self)
{
  return self->dropped;
}
