/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks whether a caller on the bus has a right: the administrator and the daemon's own user always,
 * everybody else if polkit says so. Without polkit everybody else has only what is open.
 */
#pragma once

#include "bus/hn-permissions.h"
#include <gio/gio.h>

#define HN_TYPE_AUTHORITY (hn_authority_get_type ())
G_DECLARE_FINAL_TYPE (HnAuthority, hn_authority, HN, AUTHORITY, GObject)

HnAuthority *hn_authority_new (GDBusConnection *connection);

/*
 * hn_authority_check_async:
 * @sender: unique bus name of the caller
 * @right: what the caller wants to do
 * @interactive: whether the caller agreed to have its user asked for a password; the answer may
 *   then take as long as a person takes
 * @cancellable: (nullable): ends the check
 */
void hn_authority_check_async (HnAuthority *self, const char *sender, HnRight right,
                               gboolean interactive, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer data);

/*
 * hn_authority_check_finish:
 * @error: return location for an error
 *
 * Returns: %TRUE when the caller may; else %FALSE with HN_ERROR_NOT_AUTHORIZED, also when polkit
 *   can not be asked or the caller has left the bus
 */
gboolean hn_authority_check_finish (HnAuthority *self, GAsyncResult *result, GError **error);
