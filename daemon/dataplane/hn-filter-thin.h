/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which inner packets pass. This filter knows no rules of the tailnet: in come replies to flows
 * that began here, ICMP echo requests, and ICMP errors about our own flows; out goes everything
 * from our own addresses. The source of what comes in was checked by the WireGuard core.
 */
#pragma once

#include "base/hn-ip.h"
#include "dataplane/hn-ip-packet.h"

typedef struct _HnFilterThin HnFilterThin;

HnFilterThin *hn_filter_thin_new (void);
void hn_filter_thin_free (HnFilterThin *self);
/* Our own addresses; flows of others are forgotten by not being asked for any more. */
void hn_filter_thin_set_addresses (HnFilterThin *self, const HnPrefix *addresses, gsize n);
/* Our address of @family (4 or 6), or NULL. */
const HnIp *hn_filter_thin_get_address (const HnFilterThin *self, guint8 family);
/* Whether these 4 or 16 bytes are an address of ours. */
gboolean hn_filter_thin_is_own (const HnFilterThin *self, guint8 family, const guint8 *address);

/* Notes the flow of a packet that leaves. FALSE: it must not. */
gboolean hn_filter_thin_outbound (HnFilterThin *self, const HnIpPacket *packet, gint64 now_us);
/* Whether a packet from a peer may reach the host. */
gboolean hn_filter_thin_inbound (HnFilterThin *self, const HnIpPacket *packet, gint64 now_us);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnFilterThin, hn_filter_thin_free)
