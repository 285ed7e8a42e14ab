/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two clocks, and the timers that go by them. Protocol code takes time as an argument; only the
 * glue asks these. Tests of the glue link a clock of their own in place of this file
 * (tests/unit/base/virtual-clock.h), so hours pass in milliseconds there.
 */
#pragma once

#include <glib.h>

/* Microseconds that also pass while the machine sleeps (CLOCK_BOOTTIME); never steps. */
gint64 hn_clock_now_us (void);
/* Microseconds since 1970 UTC; may step. */
gint64 hn_clock_wall_us (void);
/*
 * hn_clock_timer_new:
 * @delay_us: from now; negative counts as none
 *
 * By the clock of hn_clock_now_us(): a machine that slept past it finds it due when it wakes; it does
 * not wake the machine. From 20 s on it goes by whole seconds of that clock, so that ours come
 * together: up to one second late.
 *
 * Returns: (transfer full): a source to be attached; it comes again and again until it is removed
 */
GSource *hn_clock_timer_new (gint64 delay_us);
