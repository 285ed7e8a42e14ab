/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answer to GetPeers, kept for as long as several callers are likely to ask for the same: after
 * a large change all clients do so at once, and with ten thousand peers making it takes a while.
 */
#pragma once

#include "engine/hn-tailnet.h"

typedef struct _HnPeersCache HnPeersCache;

HnPeersCache *hn_peers_cache_new (HnTailnet *tailnet);
void hn_peers_cache_free (HnPeersCache *self);

/* The peers (aa{sv}) as of now: (transfer none); valid until the main loop runs again. */
GVariant *hn_peers_cache_get (HnPeersCache *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnPeersCache, hn_peers_cache_free)
