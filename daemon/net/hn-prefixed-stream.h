/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream over another one whose input first gives bytes that were read already.
 */
#pragma once

#include "net/hn-wrapped-stream.h"

/* References @base. @prefix is nullable and may be empty: then the streams are the base's own.
 * Returns: (transfer full): an HnWrappedStream */
GIOStream *hn_prefixed_stream_new (GIOStream *base, GBytes *prefix);
