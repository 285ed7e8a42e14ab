/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much a near relay is sent ahead of what it has taken in. A relay keeps 32 packets a client and
 * drops the rest: a burst that it reads faster than it writes is lost, and a tunnelled TCP flow
 * collapses. So a small window of bytes goes out, then a Ping; its Pong opens the next window. The
 * wait is bounded, and far relays, whom the network paces, are not held up at all. Pure.
 */
#pragma once

#include "path/hn-derp-codec.h"

/* A part of what a relay keeps, since up to twice as much is on the way when it waits. */
#define HN_DERP_WINDOW_BYTES 6144
/* A relay whose fastest Pong took no longer is near. */
#define HN_DERP_WINDOW_NEAR_US 1000
/* A Pong that is late or lost holds us up no longer than this. */
#define HN_DERP_WINDOW_HOLD_US 2000

typedef struct
{
  gint64 rtt_us;  /* the shortest so far; 0: none measured */
  gsize used;     /* bytes since the window was opened */
  gboolean asked; /* a Ping of ours is out */
  gint64 asked_us;
  guint8 ping[HN_DERP_PING_SIZE];
} HnDerpWindow;

gboolean hn_derp_window_is_near (const HnDerpWindow *self);
/* Whether a Ping should go out now. */
gboolean hn_derp_window_wants_ping (const HnDerpWindow *self);
/* A Ping goes out, to measure or to ask. */
void hn_derp_window_ask (HnDerpWindow *self, const guint8 ping[HN_DERP_PING_SIZE], gint64 now_us);
void hn_derp_window_sent (HnDerpWindow *self, gsize bytes);
/* FALSE when @pong answers none of our Pings that counts. */
gboolean hn_derp_window_got_pong (HnDerpWindow *self, const guint8 pong[HN_DERP_PING_SIZE],
                                  gint64 now_us);
/* Nothing more may be sent until a Pong or the deadline. */
gboolean hn_derp_window_holds (const HnDerpWindow *self);
/* G_MAXINT64 unless it holds. */
gint64 hn_derp_window_get_deadline (const HnDerpWindow *self);
void hn_derp_window_check (HnDerpWindow *self, gint64 now_us);
