/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A token bucket per source address (20 handshake messages a second, bursts of 5), used while under
 * load (wireguard-go: ratelimiter/ratelimiter.go). The table has a fixed size: a source for which
 * there is no room is refused, and entries that have been silent for a second make room.
 */
#pragma once

#include <glib.h>

typedef struct _HnWgLimiter HnWgLimiter;

HnWgLimiter *hn_wg_limiter_new (void);
void hn_wg_limiter_free (HnWgLimiter *self);
/* @address: at most 16 bytes, or the rest is ignored. */
gboolean hn_wg_limiter_allow (HnWgLimiter *self, const guint8 *address, gsize len, gint64 now_us);
