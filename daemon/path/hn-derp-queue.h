/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What waits to be written to one relay. While the stream takes bytes, frames are built straight
 * into the next write; once it stalls, at most HN_DERP_QUEUE_PACKETS wait, and when they are full
 * the oldest packet of the peer that has most waiting goes: tunnelled TCP is told of the jam early,
 * one bulk flow does not push out the rest, and handshakes and discovery are the last to be lost.
 *
 * The caller writes what hn_derp_queue_get_write() gives, and after a write that took nothing it
 * repeats exactly that pointer and length, as TLS demands.
 */
#pragma once

#include "path/hn-derp-codec.h"

/* Two bursts of the data plane. The relay's own 32 are what makes flows collapse. */
#define HN_DERP_QUEUE_PACKETS 128
#define HN_DERP_QUEUE_BYTES (256 * 1024)
/* Enough for one TLS record; longer writes are cut there anyway. */
#define HN_DERP_QUEUE_WRITE 16384

typedef struct _HnDerpQueue HnDerpQueue;

HnDerpQueue *hn_derp_queue_new (void);
void hn_derp_queue_free (HnDerpQueue *self);

/* Packets are kept back until the login is written. Those older than @max_age_us by then are
 * dropped: nobody waits for them any more. */
void hn_derp_queue_open (HnDerpQueue *self, gint64 now_us, gint64 max_age_us);

/* How long one write may be, at most and to begin with HN_DERP_QUEUE_WRITE. */
void hn_derp_queue_set_write_size (HnDerpQueue *self, gsize size);

/* A short frame of our own, ahead of all packets; FALSE (nothing queued) when fewer than @reserve
 * bytes of the room for such frames would be left. */
gboolean hn_derp_queue_add_control (HnDerpQueue *self, const guint8 *frame, gsize len,
                                    gsize reserve);

/* TRUE when a packet of @len bytes would be built into the next write; else the caller should try
 * to write first. */
gboolean hn_derp_queue_has_room (const HnDerpQueue *self, gsize len);
/* Frames and queues a packet, at most HN_DERP_MAX_PACKET bytes; FALSE when it was dropped itself. */
gboolean hn_derp_queue_add_packet (HnDerpQueue *self, const HnNodePublic *peer, const guint8 *data,
                                   gsize len, gint64 now_us);

/* The next bytes to write, valid until hn_derp_queue_wrote(); NULL when there are none. */
const guint8 *hn_derp_queue_get_write (HnDerpQueue *self, gsize *len);
/* Whether hn_derp_queue_get_write() would give any. */
gboolean hn_derp_queue_has_write (const HnDerpQueue *self);
/* Whether a write was handed out that is not complete. */
gboolean hn_derp_queue_is_writing (const HnDerpQueue *self);
void hn_derp_queue_wrote (HnDerpQueue *self, gsize len);

/* All bytes not yet written. */
gsize hn_derp_queue_get_bytes (const HnDerpQueue *self);
/* Packets lost to a full queue, or to age. */
guint64 hn_derp_queue_get_dropped (const HnDerpQueue *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnDerpQueue, hn_derp_queue_free)
