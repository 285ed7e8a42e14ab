/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream made of an input and an output that work over another stream: what stacks of streams
 * (upgrade, Noise) have in common. Closing it closes the stream below. Only the asynchronous calls
 * are meant to be used.
 */
#pragma once

#include <gio/gio.h>

#define HN_TYPE_WRAPPED_STREAM (hn_wrapped_stream_get_type ())
G_DECLARE_FINAL_TYPE (HnWrappedStream, hn_wrapped_stream, HN, WRAPPED_STREAM, GIOStream)

/* References all three. */
GIOStream *hn_wrapped_stream_new (GIOStream *base, GInputStream *input, GOutputStream *output);
/* Returns: (transfer none) */
GIOStream *hn_wrapped_stream_get_base (HnWrappedStream *self);
