/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server's side of TS2021's handshake, for tests: blocking and without mercy. */
#pragma once

#include "control/hn-noise-handshake.h"

/* Reads @initiation, checks it, writes the response. @ephemeral is nullable. Returns FALSE when the
 * initiation does not verify. */
gboolean noise_respond (const guint8 initiation[HN_NOISE_INITIATION_SIZE],
                        const guint8 server_private[32], const guint8 *ephemeral,
                        guint8 response[HN_NOISE_RESPONSE_SIZE], HnNoiseKeys *keys);
