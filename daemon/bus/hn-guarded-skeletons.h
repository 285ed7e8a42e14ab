/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The generated skeletons with the gate in front of their dispatcher. The adaptors use these and
 * never the generated constructors, so there is no way in beside the gate.
 */
#pragma once

#include "bus/hn-gate.h"
#include "hn-dbus-generated.h"

/* (transfer full) */
HnDbusManager *hn_guarded_manager_new (HnGate *gate);
/* (transfer full) */
HnDbusTailnet *hn_guarded_tailnet_new (HnGate *gate);
