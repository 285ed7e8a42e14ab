/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compiled rules against a plain reading of what rules mean, over random rules in a small world,
 * where sources nest, touch and overlap all the time; and rules that a hostile server would send.
 */
#include <string.h>

#include "crypto/hn-crypto.h"
#include "dataplane/hn-filter-table.h"
#include "dataplane/hn-filter.h"
#include "filter-rules.h"

static const guint8 protocols[] = { 1, 2, 6, 17, 47, 58, 132, 250 };

static HnIp
small_ip (GRand *random, guint8 family)
{
  HnIp ip = { .family = family };
  const guint8 tail = (guint8) g_rand_int_range (random, 0, 32);

  if (family == 4)
    memcpy (ip.bytes, (guint8[]){ 100, 64, 0, tail }, 4);
  else
    memcpy (ip.bytes, (guint8[16]){ 0xfd, 0x7a, [15] = tail }, 16);
  /* The ends of the space, and the half of an IPv6 address that the other tails never touch. */
  if (g_rand_int_range (random, 0, 16) == 0)
    memset (ip.bytes, g_rand_boolean (random) ? 0 : 0xff, family == 4 ? 4 : 16);
  if (family == 6 && g_rand_int_range (random, 0, 8) == 0)
    memset (ip.bytes + 8, g_rand_boolean (random) ? 0 : 0xff, 8);
  return ip;
}

static HnIpRange
small_range (GRand *random)
{
  const guint8 family = g_rand_boolean (random) ? 4 : 6;
  HnIpRange range = { small_ip (random, family), small_ip (random, family) };

  if (g_rand_int_range (random, 0, 3) > 0)
    range.last = range.first;
  else if (hn_ip_compare (&range.first, &range.last) > 0)
    {
      const HnIp first = range.last;

      range.last = range.first;
      range.first = first;
    }
  return range;
}

static void
fill_rule (GRand *random, HnFilterRule *rule)
{
  static const char *const names[] = { "a", "b", "c" };
  const gint draw = g_rand_int_range (random, -4, 3);
  const guint n_capabilities = (guint) MAX (0, draw);

  rule->n_sources = (gsize) g_rand_int_range (random, n_capabilities > 0 ? 0 : 1, 5);
  rule->sources = g_new0 (HnIpRange, rule->n_sources);
  for (gsize i = 0; i < rule->n_sources; i++)
    rule->sources[i] = small_range (random);
  if (n_capabilities > 0)
    {
      rule->source_capabilities = g_new0 (char *, n_capabilities + 1);
      for (guint i = 0; i < n_capabilities; i++)
        rule->source_capabilities[i] = g_strdup (names[g_rand_int_range (random, 0, 3)]);
    }
  rule->n_destinations = (gsize) g_rand_int_range (random, 1, 4);
  rule->destinations = g_new0 (HnFilterDestination, rule->n_destinations);
  for (gsize i = 0; i < rule->n_destinations; i++)
    {
      HnFilterDestination *to = &rule->destinations[i];

      to->range = small_range (random);
      to->first_port = (guint16) g_rand_int_range (random, 0, 8);
      to->last_port = (guint16) g_rand_int_range (random, to->first_port, 8);
      if (g_rand_int_range (random, 0, 4) == 0)
        {
          to->first_port = 0;
          to->last_port = G_MAXUINT16;
        }
    }
  rule->n_protocols = (gsize) g_rand_int_range (random, 1, 5);
  rule->protocols = g_new (guint8, rule->n_protocols);
  for (gsize i = 0; i < rule->n_protocols; i++)
    rule->protocols[i] = protocols[g_rand_int_range (random, 0, G_N_ELEMENTS (protocols))];
}

static GHashTable *
capabilities_of (GPtrArray *peers)
{
  GHashTable *out
      = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) g_array_unref);

  for (guint i = 0; i < peers->len; i++)
    {
      const HnNodeFields *peer = hn_node_get (peers->pdata[i]);

      for (const char *const *name = peer->capabilities; *name != NULL; name++)
        {
          if (!g_hash_table_contains (out, *name))
            g_hash_table_insert (out, (char *) *name, g_array_new (FALSE, FALSE, sizeof (HnIp)));
          g_array_append_val (g_hash_table_lookup (out, *name), peer->addresses[0].ip);
        }
    }
  return out;
}

static void
compare (GRand *random, guint n_rules, guint n_packets)
{
  g_autoptr (GPtrArray) peers = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  g_autoptr (GHashTable) capabilities = NULL;
  HnFilterRule *rule = g_new0 (HnFilterRule, n_rules);
  g_autoptr (HnFilterRules) rules = NULL;

  for (guint i = 0; i < n_rules; i++)
    fill_rule (random, &rule[i]);
  rules = hn_filter_rules_new_take (rule, n_rules);
  for (guint i = 0; i < 6; i++)
    {
      const HnIp ip = small_ip (random, i % 2 == 0 ? 4 : 6);
      char text[HN_IP_TEXT_MAX];

      g_ptr_array_add (peers, make_peer (i, hn_ip_format (&ip, text),
                                         (const char *[]){ "a", "b", "c" }[i % 3], FALSE));
    }
  capabilities = capabilities_of (peers);
  for (guint k = 0; k < 2; k++)
    {
      const HnIp ours = small_ip (random, k == 0 ? 4 : 6);
      g_autoptr (HnFilterTable) table = hn_filter_table_new (rules, capabilities, &ours);

      g_assert_cmpuint (hn_filter_table_get_skipped (table), ==, 0);
      for (guint i = 0; i < n_packets; i++)
        {
          const HnIp source = small_ip (random, ours.family);
          const guint8 protocol = protocols[g_rand_int_range (random, 0, G_N_ELEMENTS (protocols))];
          const guint16 port = (guint16) (g_rand_int_range (random, 0, 16) == 0
                                              ? 65535
                                              : g_rand_int_range (random, 0, 10));
          const gboolean expected = rules_allow (rules, peers, &source, &ours, protocol, port);
          char from[HN_IP_TEXT_MAX], to[HN_IP_TEXT_MAX];

          if (hn_filter_table_allows (table, source.bytes, protocol, port) != expected)
            g_error ("%u rules, %s to %s, protocol %u, port %u: not %d", n_rules,
                     hn_ip_format (&source, from), hn_ip_format (&ours, to), protocol, port,
                     expected);
        }
    }
}

static void
test_random (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (g_test_rand_int () & G_MAXINT32);
  const gint64 end = g_get_monotonic_time () + (g_test_slow () ? 60 : 1) * G_USEC_PER_SEC;
  guint rounds = 0;

  while (g_get_monotonic_time () < end)
    {
      compare (random, (guint) g_rand_int_range (random, 0, 12), 200);
      if (rounds++ % 50 == 0)
        compare (random, 200, 200);
    }
  g_test_message ("%u rounds", rounds);
}

/* A rule for TCP on one port. */
static HnFilterRule
one_rule (const HnIp *from, const HnIp *to, gsize n_sources, gsize n_destinations)
{
  static const guint8 tcp = 6;
  HnFilterRule rule = { .n_sources = n_sources,
                        .n_destinations = n_destinations,
                        .n_protocols = 1,
                        .sources = g_new0 (HnIpRange, n_sources),
                        .destinations = g_new0 (HnFilterDestination, n_destinations),
                        .protocols = g_memdup2 (&tcp, 1) };

  for (gsize i = 0; i < n_sources; i++)
    rule.sources[i] = (HnIpRange){ *from, *from };
  for (gsize i = 0; i < n_destinations; i++)
    rule.destinations[i] = (HnFilterDestination){ { *to, *to }, 22, 22 };
  return rule;
}

static void
set_number (HnIp *ip, guint32 number)
{
  const guint32 big = GUINT32_TO_BE (number);

  memcpy (ip->bytes, &big, sizeof big);
}

typedef enum
{
  NESTED, /* each source within the one before it, each with a port of its own */
  PAIRS,  /* many sources, each in two of few rules with many ports */
  SHARED, /* one source in all rules, each with others and a port of its own */
  SAME,   /* the same sources in all rules */
  BROAD,  /* every rule with many sources and many ports */
  N_SHAPES,
} Shape;

static HnFilterRules *
hostile_rules (Shape shape, const HnIp *ours, guint n_rules)
{
  HnFilterRule *rules = g_new0 (HnFilterRule, n_rules);
  const HnIp from = { .family = 4 };

  for (guint i = 0; i < n_rules; i++)
    switch (shape)
      {
      case NESTED:
        rules[i] = one_rule (&from, ours, 1, 1);
        set_number (&rules[i].sources[0].first, 1000 + i);
        set_number (&rules[i].sources[0].last, 0x40000000 - i);
        rules[i].destinations[0].first_port = rules[i].destinations[0].last_port
            = (guint16) (2 * i);
        break;
      case PAIRS:
        rules[i] = one_rule (&from, ours, n_rules, 500);
        for (guint k = 0; k < n_rules; k++)
          {
            set_number (&rules[i].sources[k].first, 2 * (MIN (i, k) * n_rules + MAX (i, k)));
            rules[i].sources[k].last = rules[i].sources[k].first;
          }
        for (guint k = 0; k < 500; k++)
          rules[i].destinations[k].first_port = rules[i].destinations[k].last_port
              = (guint16) (2 * (k * n_rules + i));
        break;
      case SHARED:
        rules[i] = one_rule (&from, ours, 2, 1);
        set_number (&rules[i].sources[1].first, 10 + i);
        rules[i].sources[1].last = rules[i].sources[1].first;
        rules[i].destinations[0].first_port = rules[i].destinations[0].last_port = (guint16) i;
        break;
      case SAME:
        rules[i] = one_rule (&from, ours, 10, 1);
        for (guint k = 0; k < 10; k++)
          {
            set_number (&rules[i].sources[k].first, 7 * k);
            rules[i].sources[k].last = rules[i].sources[k].first;
          }
        rules[i].destinations[0].first_port = rules[i].destinations[0].last_port = (guint16) i;
        break;
      case BROAD:
        rules[i] = one_rule (&from, ours, 4000, 400);
        for (guint k = 0; k < 4000; k++)
          {
            set_number (&rules[i].sources[k].first, 2 * (k * 97 + i * 13));
            rules[i].sources[k].last = rules[i].sources[k].first;
          }
        for (guint k = 0; k < 400; k++)
          rules[i].destinations[k].first_port = rules[i].destinations[k].last_port
              = (guint16) (k * 150 + i);
        break;
      case N_SHAPES:
        g_assert_not_reached ();
      }
  return hn_filter_rules_new_take (rules, n_rules);
}

/* What is too much stays closed and is told; nothing is open that no rule opens; time is bounded. */
static void
test_hostile (void)
{
  static const guint n_rules[N_SHAPES] = { 4000, 120, 8000, 8000, 20 };
  g_autoptr (GPtrArray) nobody = g_ptr_array_new ();
  HnIp ours;

  g_assert_true (hn_ip_parse ("100.64.0.1", &ours));
  for (guint shape = 0; shape < N_SHAPES; shape++)
    {
      g_autoptr (HnFilterRules) rules = hostile_rules (shape, &ours, n_rules[shape]);
      const gint64 start = g_get_monotonic_time ();
      g_autoptr (HnFilterTable) table = hn_filter_table_new (rules, NULL, &ours);
      const gint64 end = g_get_monotonic_time ();
      guint closed = 0;

      for (guint i = 0; i < 300; i++)
        {
          const HnFilterRule *rule
              = &rules->rules[g_test_rand_int_range (0, (gint) rules->n_rules)];
          const HnIp *source
              = &rule->sources[g_test_rand_int_range (0, (gint) rule->n_sources)].first;
          const guint16 port = (guint16) (rule->destinations[g_test_rand_int_range (
                                                                 0, (gint) rule->n_destinations)]
                                              .first_port
                                          + g_test_rand_int_range (0, 2));
          const gboolean open = hn_filter_table_allows (table, source->bytes, 6, port);

          if (open != rules_allow (rules, nobody, source, &ours, 6, port))
            {
              g_assert_false (open);
              closed++;
            }
        }
      g_test_message ("shape %u: %" G_GINT64_FORMAT " us, %u rules not in force, %u of 300 closed",
                      shape, end - start, hn_filter_table_get_skipped (table), closed);
      if (closed > 0)
        g_assert_cmpuint (hn_filter_table_get_skipped (table), >, 0);
    }
}

/* A rule with more sources than there may be in all is not in force, the one behind it is. */
static void
test_too_much (void)
{
  HnFilterRule *rules = g_new0 (HnFilterRule, 2);
  g_autoptr (HnFilterRules) owner = NULL;
  g_autoptr (HnFilterTable) table = NULL;
  HnIp from = { .family = 4 };
  HnIp ours;

  g_assert_true (hn_ip_parse ("100.64.0.1", &ours));
  rules[0] = one_rule (&from, &ours, HN_FILTER_MAX_SOURCES + 1, 1);
  for (guint i = 0; i <= HN_FILTER_MAX_SOURCES; i++)
    {
      set_number (&rules[0].sources[i].first, 2 * i);
      rules[0].sources[i].last = rules[0].sources[i].first;
    }
  set_number (&from, 0x40000000);
  rules[1] = one_rule (&from, &ours, 1, 1);
  owner = hn_filter_rules_new_take (rules, 2);
  table = hn_filter_table_new (owner, NULL, &ours);
  g_assert_cmpuint (hn_filter_table_get_skipped (table), ==, 1);
  g_assert_true (hn_filter_table_allows (table, from.bytes, 6, 22));
  g_assert_false (hn_filter_table_allows (table, rules[0].sources[5].first.bytes, 6, 22));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/dataplane/filter/random", test_random);
  g_test_add_func ("/dataplane/filter/hostile", test_hostile);
  g_test_add_func ("/dataplane/filter/too-much", test_too_much);
  return g_test_run ();
}
