/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of the map codec: JSON to frames, frames to updates, updates into a netmap.
 */
#pragma once

#include "control/hn-map-codec.h"

/* Two sane peers' keys and more: "nodekey:" and 64 times the digit. */
#define KEY(digit) "nodekey:" KEY64 (digit)
#define KEY16(d) d d d d d d d d d d d d d d d d
#define KEY64(d) KEY16 (d) KEY16 (d) KEY16 (d) KEY16 (d)

/* A decoder that collects its updates. */
typedef struct
{
  HnMapDecoder *decoder;
  GPtrArray *updates; /* of HnMapUpdate */
} Stream;

Stream *stream_new (void);
void stream_free (Stream *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Stream, stream_free)

/* Frames as the server writes them. */
GByteArray *make_frame (const void *body, gsize len);
GByteArray *make_zstd_frame (const char *json, gsize len);

/* Feeds in chunks of @chunk bytes (0: all at once). */
gboolean stream_feed (Stream *self, GByteArray *bytes, gsize chunk, GError **error);
/* One response that must be fine. */
HnMapUpdate *decode (const char *json);
/* One response that must break the stream. */
void assert_broken (const char *json);
/* Decodes and merges one response that must be fine; @wall: our clock, seconds. */
HnNetmapChange *merge_at (HnNetmap *map, const char *json, gint64 wall);
HnNetmapChange *merge (HnNetmap *map, const char *json);
/* The text of the item, NULL when there is none. */
const char *health_text (HnNetmap *map, const char *id);
gboolean update_has_remark (HnMapUpdate *update, const char *id);
