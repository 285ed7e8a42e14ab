/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream over another one whose input first gives bytes that were read already. Only the
 * asynchronous calls are meant to be used; closing it closes the stream below.
 */
#pragma once

#include <gio/gio.h>

#define HN_TYPE_PREFIXED_STREAM (hn_prefixed_stream_get_type ())
G_DECLARE_FINAL_TYPE (HnPrefixedStream, hn_prefixed_stream, HN, PREFIXED_STREAM, GIOStream)

/* References @base. @prefix is nullable and may be empty: then the streams are the base's own. */
GIOStream *hn_prefixed_stream_new (GIOStream *base, GBytes *prefix);
/* Returns: (transfer none) */
GIOStream *hn_prefixed_stream_get_base (HnPrefixedStream *self);
