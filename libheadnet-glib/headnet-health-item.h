/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Something that is wrong with a tailnet, and what a person can do about it.
 */
#pragma once

#include "headnet-enums.h"

G_BEGIN_DECLS

#define HEADNET_TYPE_HEALTH_ITEM (headnet_health_item_get_type ())

HEADNET_AVAILABLE
G_DECLARE_FINAL_TYPE (HeadnetHealthItem, headnet_health_item, HEADNET, HEALTH_ITEM, GObject)

HEADNET_AVAILABLE const char *headnet_health_item_get_id (HeadnetHealthItem *self);
HEADNET_AVAILABLE HeadnetSeverity headnet_health_item_get_severity (HeadnetHealthItem *self);
HEADNET_AVAILABLE const char *headnet_health_item_get_title (HeadnetHealthItem *self);
HEADNET_AVAILABLE const char *headnet_health_item_get_text (HeadnetHealthItem *self);
HEADNET_AVAILABLE const char *headnet_health_item_get_action (HeadnetHealthItem *self);
HEADNET_AVAILABLE gint64 headnet_health_item_get_since (HeadnetHealthItem *self);

G_END_DECLS
