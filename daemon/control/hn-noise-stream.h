/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The encrypted stream behind a TS2021 handshake, as a GIOStream over the stream that carried it.
 * Only the asynchronous reads, writes and close are offered; a failed write or a bad record ends it
 * for good. The server's early payload is left out of what is read.
 */
#pragma once

#include <gio/gio.h>

#include "control/hn-noise-handshake.h"

/* References @base, copies @keys. Returns: (transfer full) */
GIOStream *hn_noise_stream_new (GIOStream *base, const HnNoiseKeys *keys);
