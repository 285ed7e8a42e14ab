/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The peers of a tailnet as a GListModel, sorted by name: a balanced tree with an index by id, so
 * that a change of one peer costs O(log n). The objects stay the same over everything, restarts of
 * the service included, as long as the ids do.
 */
#pragma once

#include "headnet-peer.h"

#define HEADNET_TYPE_PEER_LIST (headnet_peer_list_get_type ())
G_DECLARE_FINAL_TYPE (HeadnetPeerList, headnet_peer_list, HEADNET, PEER_LIST, GObject)

HeadnetPeerList *headnet_peer_list_new (void);
/* Makes it the peers of an aa{sv}, NULL for none. */
void headnet_peer_list_load (HeadnetPeerList *self, GVariant *peers);
/* Takes a delta over: an aa{sv} of new or different peers, and an as of the ids of those gone. */
void headnet_peer_list_apply (HeadnetPeerList *self, GVariant *changed, GVariant *removed);
/* The peer of that id, NULL when there is none. (transfer none) */
HeadnetPeer *headnet_peer_list_lookup (HeadnetPeerList *self, const char *id);
