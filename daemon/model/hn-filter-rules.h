/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packet filter rules in parsed form: allow only, default deny. Immutable, reference counted.
 * Compiling them into the data plane's look-up structure is the data plane's work.
 */
#pragma once

#include "base/hn-ip.h"

/* An inclusive range of addresses of one family. */
typedef struct
{
  HnIp first;
  HnIp last;
} HnIpRange;

typedef struct
{
  HnIpRange range;
  guint16 first_port;
  guint16 last_port;
} HnFilterDestination;

typedef struct
{
  HnIpRange *sources;
  gsize n_sources;
  char **source_capabilities; /* "cap:NAME" sources, names only; NULL when none */
  HnFilterDestination *destinations;
  gsize n_destinations;
  guint8 *protocols; /* defaulted to TCP, UDP, ICMP, ICMPv6 */
  gsize n_protocols;
} HnFilterRule;

typedef struct
{
  gatomicrefcount ref_count;
  HnFilterRule *rules;
  gsize n_rules;
} HnFilterRules;

/* Sources and destinations of all rules together that are kept: a few bytes on the wire are a
 * hundred here, and each copy has them again. */
#define HN_FILTER_RULES_MAX_PARTS (1 << 20)

HnFilterRules *hn_filter_rules_new_take (HnFilterRule *rules, gsize n_rules);
HnFilterRules *hn_filter_rules_ref (HnFilterRules *self);
void hn_filter_rules_unref (HnFilterRules *self);
/* All rules of the parts in this order, as new rules (of a single part: a reference to it). */
HnFilterRules *hn_filter_rules_concat (HnFilterRules *const *parts, gsize n_parts);
/* How many sources and destinations the rules have, see HN_FILTER_RULES_MAX_PARTS. */
gsize hn_filter_rules_count_parts (const HnFilterRules *self);
gboolean hn_filter_rules_equal (const HnFilterRules *a, const HnFilterRules *b);
/* Frees what a rule owns, not the rule itself. */
void hn_filter_rule_clear (HnFilterRule *rule);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnFilterRules, hn_filter_rules_unref)
