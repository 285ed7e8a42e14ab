/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filter-rules.h"

#include <string.h>

HnPrefix
prefix (const char *text)
{
  HnPrefix out;

  g_assert_true (hn_prefix_parse (text, TRUE, &out));
  return out;
}

static HnIpRange
range_of_prefix (const HnPrefix *from)
{
  HnIpRange range = { from->ip, from->ip };

  for (guint bit = from->bits; bit < hn_ip_max_bits (&from->ip); bit++)
    range.last.bytes[bit / 8] |= (guint8) (0x80 >> bit % 8);
  return range;
}

static void
add_ranges (GArray *ranges, const char *text)
{
  const char *dash = strchr (text, '-');
  HnIpRange range;

  if (strcmp (text, "*") == 0)
    {
      add_ranges (ranges, "0.0.0.0/0");
      add_ranges (ranges, "::/0");
      return;
    }
  if (dash != NULL)
    {
      g_autofree char *first = g_strndup (text, (gsize) (dash - text));

      g_assert_true (hn_ip_parse (first, &range.first));
      g_assert_true (hn_ip_parse (dash + 1, &range.last));
    }
  else
    {
      HnPrefix from = prefix (text);

      range = range_of_prefix (&from);
    }
  g_array_append_val (ranges, range);
}

static void
read_ports (const char *text, HnFilterDestination *to)
{
  const char *dash = strchr (text, '-');

  to->first_port = (guint16) g_ascii_strtoull (text, NULL, 10);
  to->last_port = dash != NULL ? (guint16) g_ascii_strtoull (dash + 1, NULL, 10) : to->first_port;
  if (strcmp (text, "*") == 0)
    to->last_port = G_MAXUINT16;
}

static void
read_rule (const char *text, HnFilterRule *rule)
{
  g_auto (GStrv) words = g_strsplit (text, " ", -1);
  GArray *sources = g_array_new (FALSE, FALSE, sizeof (HnIpRange));
  GArray *destinations = g_array_new (FALSE, FALSE, sizeof (HnFilterDestination));
  GArray *protocols = g_array_new (FALSE, FALSE, 1);
  GPtrArray *capabilities = g_ptr_array_new ();
  static const guint8 usual[] = { 6, 17, 1, 58 };
  char part = 0;

  for (guint i = 0; words[i] != NULL; i++)
    {
      g_autoptr (GArray) ranges = g_array_new (FALSE, FALSE, sizeof (HnIpRange));

      if (words[i][0] == '\0')
        continue;
      if (strcmp (words[i], "from") == 0 || strcmp (words[i], "to") == 0
          || strcmp (words[i], "proto") == 0)
        part = words[i][0];
      else if (part == 'f' && g_str_has_prefix (words[i], "cap:"))
        g_ptr_array_add (capabilities, g_strdup (words[i] + 4));
      else if (part == 'f')
        add_ranges (sources, words[i]);
      else if (part == 't')
        {
          add_ranges (ranges, words[i++]);
          for (guint k = 0; k < ranges->len; k++)
            {
              HnFilterDestination to = { .range = g_array_index (ranges, HnIpRange, k) };

              read_ports (words[i], &to);
              g_array_append_val (destinations, to);
            }
        }
      else
        {
          const guint8 protocol = (guint8) g_ascii_strtoull (words[i], NULL, 10);

          g_assert_cmpint (part, ==, 'p');
          g_array_append_val (protocols, protocol);
        }
    }
  if (protocols->len == 0)
    g_array_append_vals (protocols, usual, G_N_ELEMENTS (usual));
  if (capabilities->len > 0)
    g_ptr_array_add (capabilities, NULL);
  rule->n_sources = sources->len;
  rule->sources = (HnIpRange *) (gpointer) g_array_free (sources, FALSE);
  rule->n_destinations = destinations->len;
  rule->destinations = (HnFilterDestination *) (gpointer) g_array_free (destinations, FALSE);
  rule->n_protocols = protocols->len;
  rule->protocols = (guint8 *) g_array_free (protocols, FALSE);
  rule->source_capabilities = (char **) g_ptr_array_free (capabilities, FALSE);
}

HnFilterRules *
make_rules (const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text, ";", -1);
  GArray *rules = g_array_new (FALSE, TRUE, sizeof (HnFilterRule));
  gsize n;

  for (guint i = 0; parts[i] != NULL; i++)
    {
      HnFilterRule rule = { 0 };

      if (*g_strstrip (parts[i]) == '\0')
        continue;
      read_rule (parts[i], &rule);
      g_array_append_val (rules, rule);
    }
  n = rules->len;
  return hn_filter_rules_new_take ((HnFilterRule *) (gpointer) g_array_free (rules, FALSE), n);
}

HnNode *
make_peer (gint64 id, const char *address, const char *capability, gboolean is_unsigned)
{
  const char *const capabilities[] = { "other", capability, NULL };
  const HnPrefix addresses[] = { prefix (address) };
  HnNodeFields fields = { .id = id,
                          .stable_id = "s",
                          .name = "peer",
                          .host_name = "peer",
                          .os = "linux",
                          .capabilities = capabilities,
                          .addresses = addresses,
                          .n_addresses = 1,
                          .allowed_ips = addresses,
                          .n_allowed_ips = 1,
                          .unsigned_peer_api_only = is_unsigned };

  return hn_node_new (&fields);
}

static gboolean
in_range (const HnIpRange *range, const HnIp *ip)
{
  return range->first.family == ip->family && hn_ip_compare (&range->first, ip) <= 0
         && hn_ip_compare (ip, &range->last) <= 0;
}

static gboolean
in_sources (const HnFilterRule *rule, const HnIp *source)
{
  for (gsize i = 0; i < rule->n_sources; i++)
    if (in_range (&rule->sources[i], source))
      return TRUE;
  return FALSE;
}

static gboolean
has_capability (const HnFilterRule *rule, GPtrArray *peers, const HnIp *source)
{
  for (guint i = 0; i < peers->len; i++)
    {
      const HnNodeFields *peer = hn_node_get (peers->pdata[i]);

      if (!hn_ip_equal (&peer->addresses[0].ip, source))
        continue;
      for (char **name = rule->source_capabilities; name != NULL && *name != NULL; name++)
        if (hn_node_has_capability (peers->pdata[i], *name))
          return TRUE;
    }
  return FALSE;
}

gboolean
rules_allow (const HnFilterRules *rules, GPtrArray *peers, const HnIp *source,
             const HnIp *destination, guint8 protocol, guint16 port)
{
  const guint8 icmp = destination->family == 4 ? 1 : 58;
  const gboolean has_ports = protocol == 6 || protocol == 17 || protocol == 132;

  for (gsize i = 0; i < rules->n_rules; i++)
    {
      const HnFilterRule *rule = &rules->rules[i];
      const gboolean by_source = in_sources (rule, source);
      const gboolean by_capability = has_capability (rule, peers, source);

      for (gsize k = 0; k < rule->n_destinations; k++)
        {
          const HnFilterDestination *to = &rule->destinations[k];
          const gboolean here = in_range (&to->range, destination);
          const gboolean all = to->first_port == 0 && to->last_port == G_MAXUINT16;

          if (protocol == icmp)
            {
              if ((here && by_source)
                  || (by_capability && to->range.first.family == destination->family))
                return TRUE;
              continue;
            }
          if (!here || memchr (rule->protocols, protocol, rule->n_protocols) == NULL)
            continue;
          if (has_ports
                  ? (by_source || by_capability) && port >= to->first_port && port <= to->last_port
                  : by_source && all)
            return TRUE;
        }
    }
  return FALSE;
}
