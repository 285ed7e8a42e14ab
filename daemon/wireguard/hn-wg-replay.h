/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sliding window against replayed packets (RFC 6479: a ring of blocks, so that moving on never
 * shifts bits). It tolerates packets that come up to HN_WG_REPLAY_WINDOW behind the newest.
 */
#pragma once

#include <glib.h>

#define HN_WG_REPLAY_BLOCKS 128
#define HN_WG_REPLAY_WINDOW ((HN_WG_REPLAY_BLOCKS - 1) * 64)

/* All zeros is a fresh window. */
typedef struct
{
  guint64 last;
  guint64 ring[HN_WG_REPLAY_BLOCKS];
} HnWgReplay;

/* Whether @counter is seen for the first time and not too old; remembers it. Call it only for
 * packets whose tag was right: anyone can write any counter. */
gboolean hn_wg_replay_accept (HnWgReplay *self, guint64 counter);
