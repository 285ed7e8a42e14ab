/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Over which region a peer last reached us. Bounded: each peer has four places it can be in, and the
 * one heard of least recently gives way. Nothing is allocated after hn_derp_routes_new().
 */
#pragma once

#include "crypto/hn-keys.h"

#define HN_DERP_ROUTES_MAX 1024

typedef struct _HnDerpRoutes HnDerpRoutes;

HnDerpRoutes *hn_derp_routes_new (void);
void hn_derp_routes_free (HnDerpRoutes *self);

void hn_derp_routes_add (HnDerpRoutes *self, const HnNodePublic *peer, int region, gint64 now_us);
/* 0: not known. */
int hn_derp_routes_get (const HnDerpRoutes *self, const HnNodePublic *peer);
/* Only when it leads over @region. */
void hn_derp_routes_remove (HnDerpRoutes *self, const HnNodePublic *peer, int region);
void hn_derp_routes_remove_region (HnDerpRoutes *self, int region);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnDerpRoutes, hn_derp_routes_free)
