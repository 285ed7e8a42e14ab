/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two clocks. Protocol code takes time as an argument; only the glue asks these.
 */
#pragma once

#include <glib.h>

/* Microseconds that also pass while the machine sleeps (CLOCK_BOOTTIME); never steps. */
gint64 hn_clock_now_us (void);
/* Microseconds since 1970 UTC; may step. */
gint64 hn_clock_wall_us (void);
