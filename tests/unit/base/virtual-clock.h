/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A clock that stands still until a test moves it, in place of base/hn-clock.c: a test program that
 * compiles virtual-clock.c in has it, and so has everything that it links. Sockets and GLib's own
 * timers keep to real time, so a test may wait for an answer over loopback while no time passes.
 */
#pragma once

#include <glib.h>

/*
 * Moves the clock by @us, from timer to timer of the default main context, and lets each come at its
 * own moment. Whatever the loop has to do is done before it moves on.
 */
void virtual_clock_advance (gint64 us);
/* Moves it to the next timer, whichever that is; fails the test if there is none. Returns the time that
 * passed. */
gint64 virtual_clock_next (void);
/* Lets the loop do what there is to do; no time passes. */
void virtual_clock_settle (void);
/* Steps the wall clock alone, as a person or a time server does. */
void virtual_clock_step_wall (gint64 us);
/* How many timers are attached. */
guint virtual_clock_get_n_timers (void);
