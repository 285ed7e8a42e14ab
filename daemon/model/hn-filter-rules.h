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

/* What applications may grant to some peers for some of our addresses. It opens no port. */
typedef struct
{
  HnIpRange *sources;
  gsize n_sources;
  HnIpRange *destinations;
  gsize n_destinations;
  char **names;  /* of capabilities; NULL-terminated */
  char **values; /* as many: JSON values parted by commas, "" for none; NULL-terminated */
} HnFilterGrant;

typedef struct
{
  gatomicrefcount ref_count;
  HnFilterRule *rules;
  gsize n_rules;
  HnFilterGrant *grants;
  gsize n_grants;
} HnFilterRules;

/* Sources and destinations of all rules together that are kept: a few bytes on the wire are a
 * hundred here, and each copy has them again. Of grants their values count too. */
#define HN_FILTER_RULES_MAX_PARTS (1 << 20)

HnFilterRules *hn_filter_rules_new_take (HnFilterRule *rules, gsize n_rules);
/* Adds grants (a g_new() array, taken) to rules that nobody else has seen yet. */
void hn_filter_rules_take_grants (HnFilterRules *self, HnFilterGrant *grants, gsize n_grants);
HnFilterRules *hn_filter_rules_ref (HnFilterRules *self);
void hn_filter_rules_unref (HnFilterRules *self);
/* All rules of the parts in this order, as new rules (of a single part: a reference to it). */
HnFilterRules *hn_filter_rules_concat (HnFilterRules *const *parts, gsize n_parts);
/* How many sources and destinations the rules have, see HN_FILTER_RULES_MAX_PARTS. */
gsize hn_filter_rules_count_parts (const HnFilterRules *self);
/* The same of one grant. */
gsize hn_filter_grant_count_parts (const HnFilterGrant *grant);
gboolean hn_filter_rules_equal (const HnFilterRules *a, const HnFilterRules *b);
/* Frees what a rule owns, not the rule itself. */
void hn_filter_rule_clear (HnFilterRule *rule);
void hn_filter_grant_clear (HnFilterGrant *grant); /* likewise */
/* What @source may do with applications at @destination, our first address of its family: name ->
 * JSON array of all values granted, both owned by the table (tailscale: wgengine/filter/filter.go,
 * CapsWithValues). */
GHashTable *hn_filter_rules_dup_peer_capabilities (const HnFilterRules *self, const HnIp *source,
                                                   const HnIp *destination);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnFilterRules, hn_filter_rules_unref)
