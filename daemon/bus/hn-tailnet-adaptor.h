/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bus face of one tailnet: copies its state into the properties, its events into the signals,
 * and passes calls that the gate let through into the engine.
 */
#pragma once

#include "bus/hn-gate.h"
#include "engine/hn-tailnet.h"

#define HN_BUS_PATH "/org/headnet/Headnet1"
#define HN_BUS_TAILNET_PATH HN_BUS_PATH "/tailnet/"

#define HN_TYPE_TAILNET_ADAPTOR (hn_tailnet_adaptor_get_type ())
G_DECLARE_FINAL_TYPE (HnTailnetAdaptor, hn_tailnet_adaptor, HN, TAILNET_ADAPTOR, GObject)

HnTailnetAdaptor *hn_tailnet_adaptor_new (HnTailnet *tailnet, HnGate *gate);

/* The object to export; borrowed. */
GDBusObjectSkeleton *hn_tailnet_adaptor_get_object (HnTailnetAdaptor *self);
const char *hn_tailnet_adaptor_get_path (HnTailnetAdaptor *self);
HnTailnet *hn_tailnet_adaptor_get_tailnet (HnTailnetAdaptor *self);

/* While a tailnet is being removed, calls that would change it answer Busy. */
gboolean hn_tailnet_adaptor_get_removing (HnTailnetAdaptor *self);
void hn_tailnet_adaptor_set_removing (HnTailnetAdaptor *self, gboolean removing);

/* The tailnet is gone: stops following it and ends the calls under way. The adaptor itself goes
 * with its last reference, which such a call may hold. */
void hn_tailnet_adaptor_close (HnTailnetAdaptor *self);
