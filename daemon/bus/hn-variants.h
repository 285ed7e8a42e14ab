/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine knows, as the dictionaries of the bus. Keys are absent when the value is unknown;
 * text that is not UTF-8 is made so, for it may come from a server. All return floating references.
 */
#pragma once

#include "bus/hn-dictionary-writer.h"
#include "engine/hn-engine.h"

/* Appends a peer; with @counters (nullable) as GetPeer returns it, else as lists and signals have
 * it. */
void hn_variants_write_peer (HnDictionaryWriter *writer, const HnPeerView *peer,
                             const HnPeerCounters *counters);
/* The property User; empty when all is unknown. */
GVariant *hn_variants_format_user (gint64 id, const char *login, const char *display);
/* The property HomeRelay; empty without one. */
GVariant *hn_variants_format_home_relay (const HnStatus *status);
/* The property Health; @items: (element-type HnHealthItem) (nullable). */
GVariant *hn_variants_format_health (const GPtrArray *items);
/* The property Preferences: the keys that have an effect. */
GVariant *hn_variants_format_preferences (const HnPreferences *preferences);
/* What GetNetworkConfig returns. */
GVariant *hn_variants_format_network_config (const HnNetworkConfig *config);
/* What PeerStats tells of one peer: id, path and counters. */
void hn_variants_write_peer_stats (HnDictionaryWriter *writer, const HnPeerView *peer,
                                   const HnPeerCounters *counters);
/* What Ping returns. */
GVariant *hn_variants_format_ping (const HnPingResult *result);
/* What Netcheck returns. */
GVariant *hn_variants_format_netcheck (const HnNetcheckResult *result);
/* What CheckServer returns; @steps: (element-type HnCheckStep). */
GVariant *hn_variants_format_check_steps (const GPtrArray *steps);
