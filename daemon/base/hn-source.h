/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What GLib has no function for: giving up a source that one keeps as a pointer.
 */
#pragma once

#include <glib.h>

/* Destroys and releases *@source, if any, and sets it to NULL. */
void hn_source_clear (GSource **source);
