/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an address of a peer to the peer: the look-up for each packet that leaves. Whole addresses
 * only, each in 24 bytes.
 */
#pragma once

#include <glib.h>

#include "base/hn-ip.h"

typedef struct _HnAddressMap HnAddressMap;

HnAddressMap *hn_address_map_new (void);
void hn_address_map_free (HnAddressMap *self);
/* Replaces what was there. @value is not NULL. */
void hn_address_map_insert (HnAddressMap *self, const HnIp *ip, gpointer value);
/* Removes the entry if it leads to @value. */
void hn_address_map_remove (HnAddressMap *self, const HnIp *ip, gpointer value);
void hn_address_map_remove_all (HnAddressMap *self);
/* @address: 4 or 16 bytes, as @family (4 or 6) says. NULL when nobody has it. */
gpointer hn_address_map_lookup (const HnAddressMap *self, guint8 family, const guint8 *address);
guint hn_address_map_get_size (const HnAddressMap *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnAddressMap, hn_address_map_free)
