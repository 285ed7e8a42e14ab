/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packet filter rules. They only ever allow, so that leaving out what is odd keeps things closed. */
#include <string.h>

#include "control/hn-map-parser.h"

#define RANGE_TEXT_SIZE 128
#define CAPABILITY_PREFIX "cap:"

static const guint8 default_protocols[] = { 6, 17, 1, 58 };

/* A rule while it is read. */
typedef struct
{
  GArray *sources; /* of HnIpRange */
  GPtrArray *capabilities;
  GArray *destinations; /* of HnFilterDestination */
  GArray *protocols;    /* of guint8 */
  gboolean has_protocols;
  gboolean refused;
} Draft;

static HnIpRange
range_of_prefix (const HnPrefix *prefix)
{
  const HnPrefix masked = hn_prefix_masked (prefix);
  HnIpRange range = { .first = masked.ip, .last = masked.ip };
  const guint max = hn_ip_max_bits (&masked.ip);

  for (guint bit = prefix->bits; bit < max; bit++)
    range.last.bytes[bit / 8] |= 0x80 >> (bit % 8);
  return range;
}

static HnIpRange
whole_family (guint8 family)
{
  const HnPrefix all = { .ip.family = family };

  return range_of_prefix (&all);
}

/* One address, a prefix, or "first-last". Returns how many ranges (0: it is none of these). */
static guint
parse_ranges (const char *text, HnIpRange out[2])
{
  const char *dash = strchr (text, '-');
  HnPrefix prefix;

  if (strcmp (text, "*") == 0)
    {
      out[0] = whole_family (4);
      out[1] = whole_family (6);
      return 2;
    }
  if (dash != NULL)
    {
      g_autofree char *first = g_strndup (text, dash - text);

      if (!hn_ip_parse (first, &out[0].first) || !hn_ip_parse (dash + 1, &out[0].last)
          || out[0].first.family != out[0].last.family
          || hn_ip_compare (&out[0].first, &out[0].last) > 0)
        return 0;
      return 1;
    }
  if (!hn_prefix_parse (text, TRUE, &prefix) || hn_prefix_has_host_bits (&prefix))
    return 0;
  out[0] = range_of_prefix (&prefix);
  return 1;
}

/* Whether there is room for @n more sources or destinations. Without some of them a rule opens less. */
static gboolean
take_parts (HnMapParser *self, guint n)
{
  if (n > HN_FILTER_RULES_MAX_PARTS - self->n_rule_parts)
    {
      hn_map_parser_remark (self, HN_MAP_REMARK_CUT,
                            "filter rules have more than %d sources and destinations",
                            HN_FILTER_RULES_MAX_PARTS);
      return FALSE;
    }
  self->n_rule_parts += n;
  return TRUE;
}

static void
read_sources (HnMapParser *self, HnJsonReader *reader, Draft *draft)
{
  char text[HN_MAP_TEXT_SIZE];
  HnIpRange ranges[2];
  guint n;

  if (!hn_json_reader_begin_array (reader))
    return;
  while (hn_json_reader_next_element (reader))
    {
      const gboolean is_text = hn_json_reader_string (reader, text, sizeof text);

      if (is_text && g_str_has_prefix (text, CAPABILITY_PREFIX)
          && text[strlen (CAPABILITY_PREFIX)] != '\0')
        {
          if (take_parts (self, 1))
            g_ptr_array_add (draft->capabilities, g_strdup (text + strlen (CAPABILITY_PREFIX)));
          continue;
        }
      n = is_text ? parse_ranges (text, ranges) : 0;
      if (n == 0)
        hn_map_parser_remark (self, HN_MAP_REMARK_RULE, "%s is no source", text);
      else if (take_parts (self, n))
        g_array_append_vals (draft->sources, ranges, n);
    }
}

/* { "First": 0, "Last": 65535 }; ports are 0 where they are absent. */
static gboolean
read_ports (HnJsonReader *reader, HnFilterDestination *to)
{
  gint64 first = 0;
  gint64 last = 0;
  gboolean ok = TRUE;
  char name[16];

  if (!hn_json_reader_begin_object (reader))
    return FALSE;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      if (strcmp (name, "First") == 0)
        ok = hn_json_reader_int64 (reader, &first) && ok;
      else if (strcmp (name, "Last") == 0)
        ok = hn_json_reader_int64 (reader, &last) && ok;
      else
        hn_json_reader_skip (reader);
    }
  if (!ok || first < 0 || last < first || last > G_MAXUINT16)
    return FALSE;
  to->first_port = (guint16) first;
  to->last_port = (guint16) last;
  return TRUE;
}

static void
read_destination (HnMapParser *self, HnJsonReader *reader, Draft *draft)
{
  char text[RANGE_TEXT_SIZE] = "";
  HnFilterDestination to = { 0 };
  HnIpRange ranges[2];
  gboolean ok = FALSE;
  gboolean odd = FALSE;
  char name[16];
  guint n;

  if (hn_json_reader_begin_object (reader))
    while (hn_json_reader_next_member (reader, name, sizeof name))
      {
        if (strcmp (name, "IP") == 0)
          odd = !hn_json_reader_string (reader, text, sizeof text) || odd;
        else if (strcmp (name, "Ports") == 0)
          ok = read_ports (reader, &to);
        else if (strcmp (name, "Bits") == 0)
          {
            odd = hn_json_reader_peek (reader) != HN_JSON_NULL || odd;
            hn_json_reader_skip (reader);
          }
        else
          hn_json_reader_skip (reader);
      }

  n = ok && !odd && hn_json_reader_ok (reader) ? parse_ranges (text, ranges) : 0;
  if (n == 0)
    hn_map_parser_remark (self, HN_MAP_REMARK_RULE, "%s is no destination", text);
  for (guint i = 0; i < n && take_parts (self, 1); i++)
    {
      to.range = ranges[i];
      g_array_append_val (draft->destinations, to);
    }
}

static void
read_protocols (HnJsonReader *reader, Draft *draft)
{
  gint64 value;

  g_array_set_size (draft->protocols, 0);
  draft->has_protocols = FALSE;
  if (!hn_json_reader_begin_array (reader))
    return;
  while (hn_json_reader_next_element (reader))
    {
      draft->has_protocols = TRUE;
      if (hn_json_reader_int64 (reader, &value) && value >= 0 && value <= G_MAXUINT8)
        {
          const guint8 protocol = (guint8) value;

          if (draft->protocols->len <= G_MAXUINT8)
            g_array_append_val (draft->protocols, protocol);
        }
    }
}

static void
read_draft (HnMapParser *self, HnJsonReader *reader, Draft *draft)
{
  char name[16];

  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      if (strcmp (name, "SrcIPs") == 0)
        {
          g_array_set_size (draft->sources, 0);
          g_ptr_array_set_size (draft->capabilities, 0);
          read_sources (self, reader, draft);
        }
      else if (strcmp (name, "DstPorts") == 0)
        {
          g_array_set_size (draft->destinations, 0);
          if (!hn_json_reader_begin_array (reader))
            continue;
          while (hn_json_reader_next_element (reader))
            read_destination (self, reader, draft);
        }
      else if (strcmp (name, "IPProto") == 0)
        read_protocols (reader, draft);
      else if (strcmp (name, "SrcBits") == 0 && hn_json_reader_peek (reader) == HN_JSON_ARRAY)
        {
          /* Of an older form of rules, in which SrcIPs mean something else. */
          hn_json_reader_begin_array (reader);
          while (hn_json_reader_next_element (reader))
            {
              draft->refused = TRUE;
              hn_json_reader_skip (reader);
            }
        }
      else
        hn_json_reader_skip (reader);
    }
}

/* Whether the draft opens anything; a rule that only grants capabilities does not. */
static gboolean
finish_draft (HnMapParser *self, Draft *draft, HnFilterRule *rule)
{
  if (draft->refused)
    {
      hn_map_parser_remark (self, HN_MAP_REMARK_RULE, "it has the form of old servers");
      return FALSE;
    }
  if (!draft->has_protocols)
    g_array_append_vals (draft->protocols, default_protocols, G_N_ELEMENTS (default_protocols));
  if (draft->destinations->len == 0 || draft->protocols->len == 0
      || draft->sources->len + draft->capabilities->len == 0)
    return FALSE;

  rule->sources = g_memdup2 (draft->sources->data, draft->sources->len * sizeof (HnIpRange));
  rule->n_sources = draft->sources->len;
  if (draft->capabilities->len > 0)
    {
      g_ptr_array_add (draft->capabilities, NULL);
      rule->source_capabilities = g_strdupv ((GStrv) draft->capabilities->pdata);
    }
  rule->destinations = g_memdup2 (draft->destinations->data,
                                  draft->destinations->len * sizeof (HnFilterDestination));
  rule->n_destinations = draft->destinations->len;
  rule->protocols = g_memdup2 (draft->protocols->data, draft->protocols->len);
  rule->n_protocols = draft->protocols->len;
  return TRUE;
}

/* Each rule has a reader of its own: a number that does not fit costs this rule alone. */
static gboolean
read_rule (HnMapParser *self, const char *text, gsize len, HnFilterRule *rule)
{
  HnJsonReader own;
  HnJsonReader *reader = &own;
  Draft draft = { 0 };
  gboolean opens;

  hn_json_reader_init (reader, text, len);
  if (!hn_json_reader_begin_object (reader))
    {
      hn_map_parser_remark (self, HN_MAP_REMARK_RULE, "it is no rule at all");
      return FALSE;
    }
  draft.sources = g_array_new (FALSE, FALSE, sizeof (HnIpRange));
  draft.capabilities = g_ptr_array_new_with_free_func (g_free);
  draft.destinations = g_array_new (FALSE, FALSE, sizeof (HnFilterDestination));
  draft.protocols = g_array_new (FALSE, FALSE, sizeof (guint8));

  read_draft (self, reader, &draft);
  opens = hn_json_reader_ok (reader) && finish_draft (self, &draft, rule);
  if (!hn_json_reader_ok (reader))
    hn_map_parser_remark (self, HN_MAP_REMARK_RULE, "a number in it is out of range");

  g_array_unref (draft.sources);
  g_ptr_array_unref (draft.capabilities);
  g_array_unref (draft.destinations);
  g_array_unref (draft.protocols);
  return opens;
}

/* tailscale: tailcfg/tailcfg.go, FilterRule; wgengine/filter/tailcfg.go. NULL: no list came. */
HnFilterRules *
hn_map_read_rules (HnMapParser *self, HnJsonReader *reader)
{
  g_autoptr (GArray) rules = NULL;
  gsize n_rules;

  if (!hn_json_reader_begin_array (reader))
    return NULL;
  rules = g_array_new (FALSE, TRUE, sizeof (HnFilterRule));
  while (hn_json_reader_next_element (reader))
    {
      HnFilterRule rule = { 0 };
      const char *text;
      gsize len;

      if (!hn_json_reader_raw (reader, &text, &len))
        break;
      if (rules->len == HN_MAP_MAX_RULES)
        hn_map_parser_remark (self, HN_MAP_REMARK_CUT, "there are more than %d filter rules",
                              HN_MAP_MAX_RULES);
      else if (read_rule (self, text, len, &rule))
        g_array_append_val (rules, rule);
    }
  n_rules = rules->len;
  return hn_filter_rules_new_take (
      (HnFilterRule *) (gpointer) g_array_free (g_steal_pointer (&rules), FALSE), n_rules);
}

/* tailscale: tailcfg/tailcfg.go, MapResponse.PacketFilters. A name whose value is neither list nor
 * null is left as it was. */
void
hn_map_read_packet_filters (HnMapParser *self, HnJsonReader *reader)
{
  HnMapUpdate *update = self->update;
  char name[HN_MAP_TEXT_SIZE];

  g_clear_pointer (&update->packet_filters, g_array_unref);
  update->clear_filters = FALSE;
  if (hn_map_read_null (reader) || !hn_json_reader_begin_object (reader))
    return;
  update->packet_filters = g_array_new (FALSE, TRUE, sizeof (HnNamedFilter));
  g_array_set_clear_func (update->packet_filters, (GDestroyNotify) hn_named_filter_clear);
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      HnNamedFilter filter = { 0 };

      if (update->packet_filters->len >= HN_MAP_MAX_FILTERS)
        {
          hn_map_parser_remark (self, HN_MAP_REMARK_CUT, "there are more than %d filters",
                                HN_MAP_MAX_FILTERS);
          hn_json_reader_skip (reader);
          continue;
        }
      if (hn_map_read_null (reader))
        {
          if (strcmp (name, "*") == 0)
            {
              update->clear_filters = TRUE;
              continue;
            }
        }
      else
        {
          filter.rules = hn_map_read_rules (self, reader);
          if (filter.rules == NULL)
            continue;
        }
      filter.name = g_strdup (name);
      g_array_append_val (update->packet_filters, filter);
    }
}
