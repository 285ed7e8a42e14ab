/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The next expiry of a key in the map, ours or a peer's: wakes its owner a moment after it.
 */
#pragma once

#include "model/hn-netmap.h"

typedef struct
{
  GSource *source; /* owned; NULL: nothing to wait for */
  gint64 at;       /* what it waits for, seconds since 1970 by our clock; 0 nothing */
  GSourceFunc func;
  gpointer user;
} HnExpiryTimer;

/* @func returns G_SOURCE_REMOVE and sets the timer again; it is called on the thread's default
 * context. It comes now and then for nothing: clocks step, and keys are renewed. */
void hn_expiry_timer_init (HnExpiryTimer *self, GSourceFunc func, gpointer user);
void hn_expiry_timer_clear (HnExpiryTimer *self);
/* @netmap: (nullable): all of whose keys count; NULL: nothing to wait for */
void hn_expiry_timer_set (HnExpiryTimer *self, HnNetmap *netmap);
/* A delta costs what it changes: an earlier expiry moves the timer, and one that went or moved away
 * only makes it look once for nothing. */
void hn_expiry_timer_advance (HnExpiryTimer *self, HnNetmap *netmap, const HnNetmapChange *change);
