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
  GArray *grants;       /* of HnFilterGrant, without sources */
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

/* An IPv4 address written as one of IPv6 is none that a packet can have. */
static gboolean
is_mapped (const char *text, const HnIp *ip)
{
  return ip->family == 4 && strchr (text, ':') != NULL;
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
          || hn_ip_compare (&out[0].first, &out[0].last) > 0 || is_mapped (text, &out[0].first))
        return 0;
      return 1;
    }
  if (!hn_prefix_parse (text, TRUE, &prefix) || hn_prefix_has_host_bits (&prefix)
      || is_mapped (text, &prefix.ip))
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
  gboolean ok = TRUE;
  gboolean odd = FALSE;
  char name[16];
  guint n;

  if (hn_json_reader_begin_object (reader))
    while (hn_json_reader_next_member (reader, name, sizeof name))
      {
        if (strcmp (name, "IP") == 0)
          odd = !hn_json_reader_string (reader, text, sizeof text) || odd;
        else if (strcmp (name, "Ports") == 0)
          ok = hn_map_read_null (reader) || read_ports (reader, &to);
        else if (strcmp (name, "Bits") == 0)
          {
            /* Of an older form of rules, in which IP means something else. */
            draft->refused = hn_json_reader_peek (reader) != HN_JSON_NULL || draft->refused;
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

/* Of an older form of rules, in which SrcIPs mean something else. An empty list is as none. */
static void
read_source_bits (HnJsonReader *reader, Draft *draft)
{
  if (hn_map_read_null (reader))
    return;
  if (!hn_json_reader_begin_array (reader))
    {
      draft->refused = TRUE;
      return;
    }
  while (hn_json_reader_next_element (reader))
    {
      draft->refused = TRUE;
      hn_json_reader_skip (reader);
    }
}

/* A grant while it is read. */
typedef struct
{
  GArray *destinations; /* of HnIpRange */
  GPtrArray *names;
  GPtrArray *values;
} GrantDraft;

static void
add_capability (GrantDraft *draft, const char *name, char *values)
{
  if (name[0] == '\0')
    {
      g_free (values);
      return;
    }
  g_ptr_array_add (draft->names, g_strdup (name));
  g_ptr_array_add (draft->values, values);
}

/* { "name": [value, ...] }; each value stays the text it is. */
static void
read_capability_map (HnMapParser *self, HnJsonReader *reader, GrantDraft *draft)
{
  char name[HN_MAP_TEXT_SIZE];

  if (!hn_json_reader_begin_object (reader))
    return;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      g_autoptr (GString) values = g_string_new (NULL);
      const char *text;
      gsize len;

      if (strlen (name) == sizeof name - 1)
        {
          hn_map_parser_remark (self, HN_MAP_REMARK_RULE, "the name of a capability is too long");
          hn_json_reader_skip (reader);
          continue;
        }
      if (!hn_map_read_null (reader))
        {
          if (!hn_json_reader_begin_array (reader))
            {
              hn_map_parser_remark (self, HN_MAP_REMARK_RULE, "%s has no list of values", name);
              continue;
            }
          while (hn_json_reader_next_element (reader) && hn_json_reader_raw (reader, &text, &len))
            {
              if (values->len > 0)
                g_string_append_c (values, ',');
              g_string_append_len (values, text, (gssize) len);
            }
        }
      add_capability (draft, name, g_string_free (g_steal_pointer (&values), FALSE));
    }
}

static void
read_capabilities (HnMapParser *self, HnJsonReader *reader, GrantDraft *draft)
{
  char name[HN_MAP_TEXT_SIZE];

  if (!hn_json_reader_begin_array (reader))
    return;
  while (hn_json_reader_next_element (reader))
    if (hn_json_reader_string (reader, name, sizeof name))
      add_capability (draft, name, g_strdup (""));
    else
      hn_map_parser_remark (self, HN_MAP_REMARK_RULE, "a capability has no name");
}

static void
read_grant_destinations (HnMapParser *self, HnJsonReader *reader, GrantDraft *draft)
{
  char text[RANGE_TEXT_SIZE];

  if (!hn_json_reader_begin_array (reader))
    return;
  while (hn_json_reader_next_element (reader))
    {
      HnPrefix prefix;

      if (hn_json_reader_string (reader, text, sizeof text)
          && hn_prefix_parse (text, FALSE, &prefix) && !is_mapped (text, &prefix.ip))
        {
          const HnIpRange range = range_of_prefix (&prefix);

          g_array_append_val (draft->destinations, range);
        }
      else
        hn_map_parser_remark (self, HN_MAP_REMARK_RULE, "%s is no destination of a grant", text);
    }
}

/* tailscale: tailcfg/tailcfg.go, CapGrant */
static void
read_grant (HnMapParser *self, HnJsonReader *reader, Draft *draft)
{
  GrantDraft grant
      = { g_array_new (FALSE, FALSE, sizeof (HnIpRange)), g_ptr_array_new (), g_ptr_array_new () };
  HnFilterGrant out = { 0 };
  char name[16];

  if (hn_json_reader_begin_object (reader))
    while (hn_json_reader_next_member (reader, name, sizeof name))
      {
        if (strcmp (name, "Dsts") == 0)
          read_grant_destinations (self, reader, &grant);
        else if (strcmp (name, "Caps") == 0)
          read_capabilities (self, reader, &grant);
        else if (strcmp (name, "CapMap") == 0)
          read_capability_map (self, reader, &grant);
        else
          hn_json_reader_skip (reader);
      }
  g_ptr_array_add (grant.names, NULL);
  g_ptr_array_add (grant.values, NULL);
  out.n_destinations = grant.destinations->len;
  out.destinations = (HnIpRange *) (gpointer) g_array_free (grant.destinations, FALSE);
  out.names = (char **) g_ptr_array_free (grant.names, FALSE);
  out.values = (char **) g_ptr_array_free (grant.values, FALSE);
  if (out.n_destinations > 0 && out.names[0] != NULL
      && take_parts (self, (guint) hn_filter_grant_count_parts (&out)))
    g_array_append_val (draft->grants, out);
  else
    hn_filter_grant_clear (&out);
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
      else if (strcmp (name, "SrcBits") == 0)
        read_source_bits (reader, draft);
      else if (strcmp (name, "CapGrant") == 0)
        {
          g_array_set_size (draft->grants, 0);
          if (!hn_json_reader_begin_array (reader))
            continue;
          while (hn_json_reader_next_element (reader))
            read_grant (self, reader, draft);
        }
      else
        hn_json_reader_skip (reader);
    }
}

/* The draft's grants, each with sources of its own. By capability nobody gets another one. */
static void
finish_grants (HnMapParser *self, Draft *draft, GArray *grants)
{
  for (guint i = 0; i < draft->grants->len && draft->sources->len > 0; i++)
    {
      HnFilterGrant *grant = &g_array_index (draft->grants, HnFilterGrant, i);

      if (!take_parts (self, draft->sources->len))
        return;
      grant->n_sources = draft->sources->len;
      grant->sources = g_memdup2 (draft->sources->data, draft->sources->len * sizeof (HnIpRange));
      g_array_append_val (grants, *grant);
      *grant = (HnFilterGrant){ 0 };
    }
}

/* Whether the draft opens anything; a rule that only grants capabilities does not. */
static gboolean
finish_draft (HnMapParser *self, Draft *draft, HnFilterRule *rule)
{
  if (!draft->has_protocols)
    g_array_append_vals (draft->protocols, default_protocols, G_N_ELEMENTS (default_protocols));
  else if (draft->protocols->len == 0)
    hn_map_parser_remark (self, HN_MAP_REMARK_RULE, "there are no such protocols");
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
read_rule (HnMapParser *self, const char *text, gsize len, HnFilterRule *rule, GArray *grants)
{
  HnJsonReader own;
  HnJsonReader *reader = &own;
  Draft draft = { 0 };
  gboolean opens = FALSE;

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
  draft.grants = g_array_new (FALSE, FALSE, sizeof (HnFilterGrant));
  g_array_set_clear_func (draft.grants, (GDestroyNotify) hn_filter_grant_clear);

  read_draft (self, reader, &draft);
  if (!hn_json_reader_ok (reader))
    hn_map_parser_remark (self, HN_MAP_REMARK_RULE, "a number in it is out of range");
  else if (draft.refused)
    hn_map_parser_remark (self, HN_MAP_REMARK_RULE, "it has the form of old servers");
  else
    {
      opens = finish_draft (self, &draft, rule);
      finish_grants (self, &draft, grants);
    }

  g_array_unref (draft.sources);
  g_ptr_array_unref (draft.capabilities);
  g_array_unref (draft.destinations);
  g_array_unref (draft.protocols);
  g_array_unref (draft.grants);
  return opens;
}

/* tailscale: tailcfg/tailcfg.go, FilterRule; wgengine/filter/tailcfg.go. NULL: no list came. */
HnFilterRules *
hn_map_read_rules (HnMapParser *self, HnJsonReader *reader)
{
  g_autoptr (GArray) rules = NULL;
  g_autoptr (GArray) grants = NULL;
  HnFilterRules *out;
  gsize n_rules;
  gsize n_grants;

  if (!hn_json_reader_begin_array (reader))
    return NULL;
  rules = g_array_new (FALSE, TRUE, sizeof (HnFilterRule));
  grants = g_array_new (FALSE, TRUE, sizeof (HnFilterGrant));
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
      else if (read_rule (self, text, len, &rule, grants))
        g_array_append_val (rules, rule);
    }
  n_rules = rules->len;
  n_grants = grants->len;
  out = hn_filter_rules_new_take (
      (HnFilterRule *) (gpointer) g_array_free (g_steal_pointer (&rules), FALSE), n_rules);
  hn_filter_rules_take_grants (
      out, (HnFilterGrant *) (gpointer) g_array_free (g_steal_pointer (&grants), FALSE), n_grants);
  return out;
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
