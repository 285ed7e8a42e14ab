/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-netcheck-plan.h"

#define FULL_TRIES 3
#define FULL_SPACING_US (100 * 1000)
#define HOME_TRIES 4
#define FAST_TRIES 2
#define N_FAST 2
#define N_INCREMENTAL 3
#define DEFAULT_SPACING_US (200 * 1000)
/* Next door an answer is no surprise after this time; asking again sooner only doubles the traffic. */
#define MIN_SPACING_US (20 * 1000)
#define DEFAULT_STUN_PORT 3478

gboolean
hn_netcheck_is_measurable (const HnDerpRegion *region, int home)
{
  return region->id > 0 && !region->no_measure_no_home && (!region->avoid || region->id == home);
}

gboolean
hn_netcheck_can_be_home (const HnDerpRegion *region, int home)
{
  if (!hn_netcheck_is_measurable (region, home))
    return FALSE;
  for (gsize i = 0; i < region->n_nodes; i++)
    if (!region->nodes[i].stun_only)
      return TRUE;
  return FALSE;
}

guint16
hn_netcheck_get_stun_port (const HnDerpNode *node)
{
  if (node->stun_port == 0)
    return DEFAULT_STUN_PORT;
  return node->stun_port > 0 && node->stun_port <= G_MAXUINT16 ? node->stun_port : 0;
}

static int
compare_targets (gconstpointer a, gconstpointer b)
{
  const HnNetcheckTarget *x = a, *y = b;

  if (x->latency_us != y->latency_us)
    {
      if (x->latency_us == 0 || y->latency_us == 0)
        return x->latency_us == 0 ? 1 : -1;
      return x->latency_us < y->latency_us ? -1 : 1;
    }
  return x->region->id < y->region->id ? -1 : x->region->id > y->region->id;
}

void
hn_netcheck_sort_targets (GArray *targets)
{
  g_array_sort (targets, compare_targets);
}

static gboolean
may_have (const HnDerpNode *node, guint8 family)
{
  return family == 4 ? !node->ipv4_disabled : !node->ipv6_disabled;
}

static void
add_try (GArray *probes, const GArray *targets, guint index, guint try, guint tries,
         gint64 delay_us, gboolean ipv4, gboolean ipv6)
{
  const HnNetcheckTarget *target = &g_array_index (targets, HnNetcheckTarget, index);
  const HnDerpNode *nodes[HN_NETCHECK_MAX_NODES];
  guint n = 0;
  HnNetcheckProbe probe = { .target = index, .delay_us = delay_us };

  for (gsize i = 0; i < target->region->n_nodes && n < G_N_ELEMENTS (nodes); i++)
    if (hn_netcheck_get_stun_port (&target->region->nodes[i]) != 0)
      nodes[n++] = &target->region->nodes[i];
  if (n == 0)
    return;

  /* A literal address that somebody copied from an example answers to nobody, and a name may be
   * stale: the last try goes by whatever the others did not go by. */
  probe.by_name = target->by_name != (try > 0 && try + 1 == tries);
  probe.node = nodes[try % n];
  for (probe.family = 4; probe.family <= 6; probe.family += 2)
    if ((probe.family == 4 ? ipv4 : ipv6) && may_have (probe.node, probe.family))
      g_array_append_val (probes, probe);
}

GArray *
hn_netcheck_make_plan (const HnNetcheckPlan *plan, const GArray *targets)
{
  GArray *probes = g_array_new (FALSE, FALSE, sizeof (HnNetcheckProbe));

  for (guint i = 0; i < targets->len; i++)
    {
      const HnNetcheckTarget *target = &g_array_index (targets, HnNetcheckTarget, i);
      gboolean ipv4 = plan->ipv4, ipv6 = plan->ipv6;
      gint64 spacing_us;
      guint tries = 1;

      if (plan->full)
        {
          for (guint try = 0; try < FULL_TRIES; try++)
            add_try (probes, targets, i, try, FULL_TRIES, try * FULL_SPACING_US, ipv4, ipv6);
          continue;
        }
      if (i >= N_INCREMENTAL && !target->home)
        continue;

      if (i < N_FAST)
        tries = FAST_TRIES;
      else
        {
          /* Slower ones are asked over one family only. */
          if (ipv4 && ipv6)
            {
              ipv4 = i % 2 == 0;
              ipv6 = !ipv4;
            }
          if (!plan->had_ipv6)
            {
              ipv4 = plan->ipv4;
              ipv6 = plan->ipv6 && !plan->ipv4;
            }
        }
      if (target->home)
        tries = HOME_TRIES;
      spacing_us = target->latency_us > 0 ? MAX (target->latency_us * 6 / 5, MIN_SPACING_US)
                                          : DEFAULT_SPACING_US;
      for (guint try = 0; try < tries; try++)
        {
          gint64 delay_us = try * spacing_us + (try > 1 ? try * 50000 : 0);

          add_try (probes, targets, i, try, tries, delay_us, ipv4,
                   ipv6 && (try == 0 || plan->had_ipv6 || !plan->ipv4));
        }
    }
  return probes;
}
