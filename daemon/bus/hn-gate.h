/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one door for method calls: counts them, bounds how many a caller may have under way, looks up
 * the right and has it checked, and only then lets the generated dispatcher have the call. Handlers
 * behind a guarded skeleton need no check of their own; a method without a row in the table never
 * reaches one.
 */
#pragma once

#include "bus/hn-authority.h"

#define HN_TYPE_GATE (hn_gate_get_type ())
G_DECLARE_FINAL_TYPE (HnGate, hn_gate, HN, GATE, GObject)

/* How many calls of one bus connection may be under way. */
#define HN_GATE_MAX_PENDING 64
/* How long the arguments of one call may be, in bytes; those under way of one bus connection together
 * may be twice as long. Certificates are the longest that any method takes. */
#define HN_GATE_MAX_ARGUMENTS (512 * 1024)

/* Signals: "activity" (): a call came in or was answered. */

HnGate *hn_gate_new (HnAuthority *authority);

/*
 * hn_gate_guard_class:
 * @klass: a class derived from a generated skeleton, in its class_init
 *
 * Puts the gate in front of the generated dispatcher. (The signal "g-authorize-method" would not
 * do: GDBus emits it in a thread of its own, one a call, and expects the answer from there.)
 */
void hn_gate_guard_class (GDBusInterfaceSkeletonClass *klass);

/* Has @self decide about the calls of @skeleton, whose class is guarded; without a gate it refuses
 * them all. The skeleton keeps the gate alive. */
void hn_gate_guard (HnGate *self, GDBusInterfaceSkeleton *skeleton);

/* Calls that came in and have no answer yet. */
guint hn_gate_get_pending (HnGate *self);
/* Calls that ever came in, refused ones too. */
guint64 hn_gate_get_calls (HnGate *self);
/* When the last call came in or was answered, monotonic microseconds; 0 for never. */
gint64 hn_gate_get_last_activity_us (HnGate *self);
