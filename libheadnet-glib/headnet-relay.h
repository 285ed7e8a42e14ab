/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A relay, which carries packets where there is no direct way.
 */
#pragma once

#include "headnet-enums.h"

G_BEGIN_DECLS

#define HEADNET_TYPE_RELAY (headnet_relay_get_type ())

/**
 * HeadnetRelay:
 *
 * A relay, which carries packets where there is no direct way.
 *
 * Since: 1.0
 */
typedef struct _HeadnetRelay HeadnetRelay;

HEADNET_AVAILABLE GType headnet_relay_get_type (void) G_GNUC_CONST;
HEADNET_AVAILABLE HeadnetRelay *headnet_relay_ref (HeadnetRelay *self);
HEADNET_AVAILABLE void headnet_relay_unref (HeadnetRelay *self);
HEADNET_AVAILABLE guint headnet_relay_get_id (HeadnetRelay *self);
HEADNET_AVAILABLE const char *headnet_relay_get_code (HeadnetRelay *self);
HEADNET_AVAILABLE const char *headnet_relay_get_name (HeadnetRelay *self);
HEADNET_AVAILABLE guint64 headnet_relay_get_latency (HeadnetRelay *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HeadnetRelay, headnet_relay_unref)

G_END_DECLS
