/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may do what: one table, one row a method, for SetPreferences one row a key. What has no row
 * may not be called by anybody. Pure, no I/O: HnGate asks it before each call.
 */
#pragma once

#include <glib.h>

/* From lax to strict; a call that needs several needs the last of them. */
typedef enum
{
  HN_RIGHT_OPEN, /* every local user */
  HN_RIGHT_CONNECT,
  HN_RIGHT_PREFERENCES,
  HN_RIGHT_ENROL,
} HnRight;

/*
 * hn_permissions_get_right:
 * @interface_name: full name of a D-Bus interface
 * @method_name: one of its methods
 * @parameters: (nullable): the arguments of the call, a tuple; looked at for SetPreferences
 * @right: (out): what the caller must have
 * @error: return location for an error
 *
 * Returns: %FALSE with HN_ERROR_NOT_AUTHORIZED when there is no row for the method, or with
 *   HN_ERROR_INVALID_ARGUMENT when there is none for a key of SetPreferences
 */
gboolean hn_permissions_get_right (const char *interface_name, const char *method_name,
                                   GVariant *parameters, HnRight *right, GError **error);

/*
 * hn_permissions_get_preference_right:
 * @key: a key of SetPreferences
 * @right: (out): what is needed to change it
 *
 * Returns: %FALSE when there is no such key
 */
gboolean hn_permissions_get_preference_right (const char *key, HnRight *right);

/*
 * hn_permissions_get_action:
 * @right: a right
 *
 * Returns: (transfer none) (nullable): the polkit action, NULL for what is open
 */
const char *hn_permissions_get_action (HnRight right);
