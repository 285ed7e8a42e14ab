/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers GetPeers. The list is kept for as long as several callers are likely to ask for the same:
 * after a large change all clients do so at once. GDBus takes a while to send a large one, so those
 * go out one a turn of the main loop, after everything else, and wait as pending calls until then:
 * that bounds what one caller can ask for.
 */
#pragma once

#include "engine/hn-tailnet.h"

typedef struct _HnPeersCache HnPeersCache;

HnPeersCache *hn_peers_cache_new (HnTailnet *tailnet);
/* Answers who still waits that the tailnet is gone. */
void hn_peers_cache_free (HnPeersCache *self);

/* @invocation: (transfer full): a call of GetPeers; answered now or soon, the list is that of when it
 * is answered, so no PeersChanged that belongs to a later list overtakes it. */
void hn_peers_cache_answer (HnPeersCache *self, GDBusMethodInvocation *invocation);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnPeersCache, hn_peers_cache_free)
