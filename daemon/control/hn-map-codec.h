/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map stream: bytes in, map updates out. Frames (u32 little-endian length and body, zstd or
 * plain JSON), decompressed and parsed piece by piece: never a whole frame's JSON at once, each
 * peer as soon as it is there. Limits on frame, decompressed size, counts and depths. One bad
 * element is skipped with a remark; only a broken frame is an error.
 */
#pragma once

#include "model/hn-map-update.h"

#define HN_MAP_MAX_FRAME (32 * 1024 * 1024)
#define HN_MAP_MAX_JSON (256 * 1024 * 1024)
#define HN_MAP_MAX_PEERS 100000

typedef struct _HnMapDecoder HnMapDecoder;

/* One update was complete; the callee may keep it (transfer full). */
typedef void (*HnMapUpdateFunc) (HnMapUpdate *update, gpointer user);

HnMapDecoder *hn_map_decoder_new (HnMapUpdateFunc func, gpointer user);
void hn_map_decoder_free (HnMapDecoder *self);
/* Feeds a chunk of the response body. FALSE: the stream is broken, start a new one. */
gboolean hn_map_decoder_feed (HnMapDecoder *self, const guint8 *data, gsize len, GError **error);
/* Whether the stream stands between two frames (a clean place to end). */
gboolean hn_map_decoder_is_idle (const HnMapDecoder *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnMapDecoder, hn_map_decoder_free)
