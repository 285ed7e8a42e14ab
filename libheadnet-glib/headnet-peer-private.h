/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the list of peers does with a peer.
 */
#pragma once

#include "headnet-peer.h"

/* A peer out of its dictionary, NULL when that has no Id. (transfer full) */
HeadnetPeer *headnet_peer_new_from_dict (GVariant *dict);
/* Takes over the whole dictionary, or with @partial only what it has, and notifies of what differs.
 */
void headnet_peer_update (HeadnetPeer *self, GVariant *dict, gboolean partial);
/* The order of the list: by name, then by id. */
int headnet_peer_compare (HeadnetPeer *a, HeadnetPeer *b);
