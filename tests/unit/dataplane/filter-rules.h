/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filter rules for tests, from a few words, and a plain reading of what they mean. */
#pragma once

#include "model/hn-filter-rules.h"
#include "model/hn-node.h"

/* Words in order: "from" and sources ("1.2.3.4", "1.0.0.0/8", "a-b", "*", "cap:x"), "to" and
 * destinations ("ADDRESS PORT", PORT being "22", "1-9" or "*"), "proto" and numbers (none: the usual
 * four). Rules are parted by ";". */
HnFilterRules *make_rules (const char *text);
HnPrefix prefix (const char *text);
/* A peer with one address, and @capability unless it is NULL. */
HnNode *make_peer (gint64 id, const char *address, const char *capability, gboolean is_unsigned);
/* Whether the rules let this in, rule after rule, as the three matching functions of upstream do it.
 * @peers: of HnNode with one address each. */
gboolean rules_allow (const HnFilterRules *rules, GPtrArray *peers, const HnIp *source,
                      const HnIp *destination, guint8 protocol, guint16 port);
