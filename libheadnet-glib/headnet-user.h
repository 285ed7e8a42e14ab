/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whom a machine of the tailnet belongs to, as the server has it.
 */
#pragma once

#include "headnet-enums.h"

G_BEGIN_DECLS

#define HEADNET_TYPE_USER (headnet_user_get_type ())

/**
 * HeadnetUser:
 *
 * Whom a machine belongs to.
 *
 * Since: 1.0
 */
typedef struct _HeadnetUser HeadnetUser;

HEADNET_AVAILABLE GType headnet_user_get_type (void) G_GNUC_CONST;
HEADNET_AVAILABLE HeadnetUser *headnet_user_ref (HeadnetUser *self);
HEADNET_AVAILABLE void headnet_user_unref (HeadnetUser *self);
HEADNET_AVAILABLE gint64 headnet_user_get_id (HeadnetUser *self);
HEADNET_AVAILABLE const char *headnet_user_get_login_name (HeadnetUser *self);
HEADNET_AVAILABLE const char *headnet_user_get_display_name (HeadnetUser *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HeadnetUser, headnet_user_unref)

G_END_DECLS
