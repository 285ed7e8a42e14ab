/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An engine without a network, behind the real one's headers: tests of the bus link it instead of
 * the real one and decide what happens when.
 */
#pragma once

#include "engine/hn-engine.h"

/* Replaces the peers by @n made-up ones ("peer-0" ... with ids "n0" ...) and tells. */
void hn_fake_tailnet_set_peers (HnTailnet *self, guint n);
/* The same with more than 16,000 bytes of tags each. */
void hn_fake_tailnet_set_large_peers (HnTailnet *self, guint n);
/* Takes one peer away, or changes one (its online flag turns), and tells. */
void hn_fake_tailnet_remove_peer (HnTailnet *self, guint index);
void hn_fake_tailnet_change_peer (HnTailnet *self, guint index);
void hn_fake_tailnet_set_state (HnTailnet *self, HnTailnetState state, const char *reason);
/* While on, login, ping and logout wait for hn_fake_tailnet_release(). */
void hn_fake_tailnet_hold (HnTailnet *self, gboolean hold);
void hn_fake_tailnet_release (HnTailnet *self);
/* Whether the last connect was for NetworkManager. */
gboolean hn_fake_tailnet_get_network_manager (HnTailnet *self);
/* The key of the last login, NULL without one. */
const char *hn_fake_tailnet_get_auth_key (HnTailnet *self);
/* While on, removing waits for hn_fake_engine_release(). */
void hn_fake_engine_hold (HnEngine *self, gboolean hold);
void hn_fake_engine_release (HnEngine *self);
