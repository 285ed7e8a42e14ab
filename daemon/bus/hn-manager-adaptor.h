/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bus face of the engine: the Manager interface, and one object a tailnet, which it exports and
 * takes back as they come and go.
 */
#pragma once

#include "bus/hn-gate.h"
#include "engine/hn-engine.h"

#define HN_TYPE_MANAGER_ADAPTOR (hn_manager_adaptor_get_type ())
G_DECLARE_FINAL_TYPE (HnManagerAdaptor, hn_manager_adaptor, HN, MANAGER_ADAPTOR, GObject)

HnManagerAdaptor *hn_manager_adaptor_new (HnEngine *engine, HnGate *gate);

/* Puts all objects on @connection. To be done before the name is owned, so that nobody finds the
 * name without them. */
gboolean hn_manager_adaptor_export (HnManagerAdaptor *self, GDBusConnection *connection,
                                    GError **error);
/* Takes them off again. */
void hn_manager_adaptor_unexport (HnManagerAdaptor *self);
