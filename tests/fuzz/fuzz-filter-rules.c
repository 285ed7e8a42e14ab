/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any rules, compiled, against a plain reading of them. Addresses are few, so that sources nest,
 * touch and repeat. The input is read byte by byte; behind its end all are 0.
 */
#include <stdint.h>
#include <string.h>

#include "../unit/dataplane/filter-rules.h"
#include "crypto/hn-crypto.h"
#include "dataplane/hn-filter-table.h"

#define MAX_RULES 64

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct
{
  const uint8_t *data;
  size_t left;
} Input;

static guint8
take (Input *input)
{
  if (input->left == 0)
    return 0;
  input->left--;
  return *input->data++;
}

/* The byte's bits: family, from which end of the space, how far. */
static HnIp
address_of (guint8 byte)
{
  HnIp ip = { .family = byte & 1 ? 6 : 4 };
  const gsize len = ip.family == 4 ? 4 : 16;

  memset (ip.bytes, byte & 2 ? 0xff : 0, len);
  ip.bytes[len - 1] ^= byte >> 3;
  if (byte & 4)
    ip.bytes[0] ^= 100;
  return ip;
}

static HnIpRange
take_range (Input *input)
{
  HnIpRange range = { .first = address_of (take (input)) };
  const HnIp last = address_of ((guint8) ((take (input) & ~1) | (range.first.family == 6)));

  range.last = hn_ip_compare (&last, &range.first) > 0 ? last : range.first;
  return range;
}

static void
take_rule (Input *input, HnFilterRule *rule)
{
  const guint8 head = take (input);

  rule->n_sources = head & 7;
  rule->n_destinations = 1 + (head >> 3 & 3);
  rule->n_protocols = 1 + (head >> 5 & 1);
  rule->sources = g_new (HnIpRange, rule->n_sources);
  rule->destinations = g_new (HnFilterDestination, rule->n_destinations);
  rule->protocols = g_new (guint8, rule->n_protocols);
  for (gsize i = 0; i < rule->n_sources; i++)
    rule->sources[i] = take_range (input);
  for (gsize i = 0; i < rule->n_destinations; i++)
    {
      const guint8 ports = take (input);

      rule->destinations[i]
          = (HnFilterDestination){ take_range (input), ports & 15, (ports & 15) + (ports >> 4) };
      if (ports == 0xf0)
        rule->destinations[i].last_port = G_MAXUINT16;
    }
  for (gsize i = 0; i < rule->n_protocols; i++)
    rule->protocols[i] = take (input);
  if (head & 64)
    {
      rule->source_capabilities = g_new0 (char *, 2);
      rule->source_capabilities[0] = g_strdup (head & 128 ? "a" : "b");
    }
}

static void
ask (const HnFilterRules *rules, GPtrArray *peers, GHashTable *capabilities, const HnIp *ours)
{
  static const guint8 protocols[] = { 1, 6, 17, 58, 132, 0 };
  static const guint16 ports[] = { 0, 1, 14, 15, 16, 30, 65535 };
  g_autoptr (HnFilterTable) table = hn_filter_table_new (rules, capabilities, ours);

  for (guint byte = 0; byte < 256; byte++)
    {
      const HnIp source = address_of ((guint8) byte);
      const guint8 protocol = protocols[byte % G_N_ELEMENTS (protocols)];
      const guint16 port = ports[byte % G_N_ELEMENTS (ports)];

      if (source.family == ours->family)
        g_assert_true (hn_filter_table_allows (table, source.bytes, protocol, port)
                       == rules_allow (rules, peers, &source, ours, protocol, port));
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  Input input = { data, size };
  g_autoptr (GPtrArray) peers = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  g_autoptr (GHashTable) capabilities
      = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) g_array_unref);
  g_autoptr (HnFilterRules) rules = NULL;
  HnFilterRule *rule = g_new0 (HnFilterRule, MAX_RULES);
  static char names[][2] = { "a", "b" };
  const HnIp ours4 = address_of (take (&input) & ~1);
  const HnIp ours6 = address_of (take (&input) | 1);
  gsize n = 0;

  g_assert_true (hn_crypto_init (NULL));
  for (guint i = 0; i < 2; i++)
    {
      const HnIp ip = address_of (take (&input));
      char *name = names[i];
      GArray *addresses = g_array_new (FALSE, FALSE, sizeof (HnIp));
      char text[HN_IP_TEXT_MAX];

      g_array_append_val (addresses, ip);
      g_hash_table_insert (capabilities, name, addresses);
      g_ptr_array_add (peers, make_peer (i + 1, hn_ip_format (&ip, text), name, FALSE));
    }
  while (input.left > 0 && n < MAX_RULES)
    take_rule (&input, &rule[n++]);
  rules = hn_filter_rules_new_take (rule, n);
  ask (rules, peers, capabilities, &ours4);
  ask (rules, peers, capabilities, &ours6);
  return 0;
}
