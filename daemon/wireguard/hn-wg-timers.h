/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The four timers of each peer, one function per event of the protocol (wireguard-go:
 * device/timers.go), and the heap that knows who is due next. Cancelling or moving a timer back
 * leaves the heap alone: the peer wakes early once, looks again and sleeps on. So packets cost
 * comparisons only.
 */
#pragma once

#include "wireguard/hn-wg-private.h"

void hn_wg_timers_init (HnWgPeer *peer);
/* Disarms all and leaves the heap. */
void hn_wg_timers_stop (HnWgPeer *peer);
/* Carries out what is due. */
void hn_wg_timers_fire (HnWgPeer *peer, gint64 now_us);

/* How long after the last initiation (or response) the next initiation may go, microseconds. */
gint64 hn_wg_timers_get_retry_wait (const HnWgPeer *peer);

void hn_wg_timers_data_sent (HnWgPeer *peer, gint64 now_us);
void hn_wg_timers_data_received (HnWgPeer *peer, gint64 now_us);
/* Authenticated: anything but a cookie reply. */
void hn_wg_timers_any_sent (HnWgPeer *peer);
void hn_wg_timers_any_received (HnWgPeer *peer);
void hn_wg_timers_initiation_sent (HnWgPeer *peer, gint64 now_us);
/* An initiation was wanted but may not be sent yet, and packets wait for it. */
void hn_wg_timers_initiation_held (HnWgPeer *peer);
void hn_wg_timers_handshake_complete (HnWgPeer *peer, gint64 now_us);
void hn_wg_timers_session_derived (HnWgPeer *peer, gint64 now_us);
/* An initiation as soon as the other side may take it. */
void hn_wg_timers_initiate_soon (HnWgPeer *peer);
