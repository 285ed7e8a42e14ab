/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which inner packets pass, as the tailnet's policy says and upstream decides it (tailscale:
 * wgengine/filter/filter.go). A program is compiled once per change of the rules, on the main
 * thread, sealed and reference counted; what a packet costs does not grow with the number of rules.
 * The filter itself lives on the data plane's thread and keeps the flows. The source of what comes
 * in was checked by the WireGuard core.
 */
#pragma once

#include "base/hn-ip.h"
#include "dataplane/hn-ip-packet.h"
#include "model/hn-filter-rules.h"
#include "model/hn-node.h"

typedef struct _HnFilterProgram HnFilterProgram;
typedef struct _HnFilter HnFilter;

/* @rules: NULL: nothing but replies may come in. @peers: of HnNode, whose capabilities "cap:" sources
 * name; nullable. @shields_up: no rule counts. */
HnFilterProgram *hn_filter_program_new (const HnFilterRules *rules, GPtrArray *peers,
                                        gboolean shields_up);
HnFilterProgram *hn_filter_program_ref (HnFilterProgram *self);
void hn_filter_program_unref (HnFilterProgram *self);
/* Whether the rules name capabilities of peers: then a changed peer asks for a new program. */
gboolean hn_filter_program_uses_capabilities (const HnFilterProgram *self);
/* Does the work for these own addresses of ours here, where it holds up no packet, instead of where
 * the filter gets the program. Before the program is handed to anybody. */
void hn_filter_program_prepare (HnFilterProgram *self, const HnPrefix *addresses, gsize n);
/* Of what was prepared: how many rules are not fully in force, because there is too much of them.
 * What they do not open stays closed. */
guint hn_filter_program_get_skipped (const HnFilterProgram *self);

/* Why a packet did not pass; HN_FILTER_PASS: it did. */
typedef enum
{
  HN_FILTER_PASS,
  HN_FILTER_MALFORMED,
  HN_FILTER_MULTICAST,
  HN_FILTER_LINK_LOCAL,
  HN_FILTER_NOT_LOCAL, /* not to an address of ours */
  HN_FILTER_NO_RULE,
  HN_FILTER_SHIELDS_UP,
  HN_FILTER_PROTOCOL, /* a protocol that only a rule of its own could allow */
  HN_FILTER_FRAGMENT,
  HN_FILTER_NOT_OURS, /* out: not from an address of ours */
  HN_FILTER_N_VERDICTS,
} HnFilterVerdict;

HnFilter *hn_filter_new (void);
void hn_filter_free (HnFilter *self);
/* Our own addresses; flows of others are forgotten by not being asked for any more. */
void hn_filter_set_addresses (HnFilter *self, const HnPrefix *addresses, gsize n);
/* Until the first call nothing but replies passes. Flows stay. */
void hn_filter_set_program (HnFilter *self, HnFilterProgram *program);
/* Our address of @family (4 or 6), or NULL. */
const HnIp *hn_filter_get_address (const HnFilter *self, guint8 family);
/* Whether these 4 or 16 bytes are an address of ours. */
gboolean hn_filter_is_own (const HnFilter *self, guint8 family, const guint8 *address);

/* Notes the flow of a packet that leaves. */
HnFilterVerdict hn_filter_outbound (HnFilter *self, const HnIpPacket *packet, gint64 now_us);
/* Whether a packet from a peer may reach the host. @packet: NULL for one that can not be read, to
 * count it. @jailed: the peer may only answer. */
HnFilterVerdict hn_filter_inbound (HnFilter *self, const HnIpPacket *packet, gboolean jailed,
                                   gint64 now_us);
/* Inbound packets by verdict since the start, HN_FILTER_N_VERDICTS of them. */
const guint64 *hn_filter_get_counters (const HnFilter *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnFilter, hn_filter_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnFilterProgram, hn_filter_program_unref)
