/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon on the bus: owns the name org.headnet.Headnet1, has the adaptors exported, and knows
 * when nobody needs the daemon any more.
 */
#pragma once

#include "engine/hn-engine.h"

#define HN_BUS_NAME "org.headnet.Headnet1"

#define HN_TYPE_BUS_SERVICE (hn_bus_service_get_type ())
G_DECLARE_FINAL_TYPE (HnBusService, hn_bus_service, HN, BUS_SERVICE, GObject)

/* Signals:
 *   "ready" ()   the name is ours: callers find us
 *   "failed" ()  the name can not be had or was lost, or the bus is gone
 *   "idle" ()    see hn_bus_service_set_idle_timeout(); the name is given back already
 */

HnBusService *hn_bus_service_new (GDBusConnection *connection, HnEngine *engine);

/* Exports everything, then asks for the name. */
gboolean hn_bus_service_start (HnBusService *self, GError **error);

/*
 * hn_bus_service_set_idle_timeout:
 * @seconds: 0 never
 *
 * Has "idle" emitted when for that long no tailnet was active and no call under way. A call that
 * arrives while the name is given back is still served, and then the name is taken again: none is
 * lost, and whoever calls later starts a new daemon.
 */
void hn_bus_service_set_idle_timeout (HnBusService *self, guint seconds);

/* When the last call came in or was answered, monotonic microseconds; 0 for never. */
gint64 hn_bus_service_get_last_call_us (HnBusService *self);
