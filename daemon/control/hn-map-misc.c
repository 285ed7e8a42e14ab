/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything of a map response but nodes and filters. */
#include <stdlib.h>
#include <string.h>

#include "control/hn-map-parser.h"

#define MAX_PING_PAYLOAD (256 * 1024)
#define DEFAULT_STUN_PORT 3478
#define DEFAULT_DERP_PORT 443

static gboolean
read_flag (HnJsonReader *reader)
{
  gboolean value;

  return hn_json_reader_boolean (reader, &value) && value;
}

/* 0 stands for the default. FALSE: no port number. */
static gboolean
read_port (HnJsonReader *reader, int fallback, gboolean may_be_off, int *out)
{
  gint64 value;

  if (!hn_json_reader_int64 (reader, &value) || value > G_MAXUINT16 || value < -1
      || (value == -1 && !may_be_off))
    return FALSE;
  *out = value == 0 ? fallback : (int) value;
  return TRUE;
}

/* "" is no literal; what is no address at all, such as "none", turns the family off. */
static void
read_literal (HnJsonReader *reader, guint8 family, HnIp *ip, gboolean *disabled)
{
  char text[HN_MAP_TEXT_SIZE];

  *ip = (HnIp){ 0 };
  *disabled = FALSE;
  if (!hn_map_read_text (reader, text, sizeof text) || text[0] == '\0')
    return;
  if (!hn_ip_parse (text, ip) || ip->family != family)
    {
      *ip = (HnIp){ 0 };
      *disabled = TRUE;
    }
}

/* Headscale takes the host from its own URL and leaves the brackets on. */
static void
strip_brackets (char *host)
{
  const gsize len = strlen (host);

  if (len >= 2 && host[0] == '[' && host[len - 1] == ']')
    {
      memmove (host, host + 1, len - 2);
      host[len - 2] = '\0';
    }
}

static gboolean
read_derp_node (HnJsonReader *reader, HnDerpNode *node)
{
  char host[HN_MAP_TEXT_SIZE] = "";
  char cert[HN_MAP_TEXT_SIZE] = "";
  char label[HN_MAP_TEXT_SIZE] = "";
  gboolean ok = TRUE;
  char name[32];

  *node = (HnDerpNode){ .stun_port = DEFAULT_STUN_PORT, .derp_port = DEFAULT_DERP_PORT };
  if (!hn_json_reader_begin_object (reader))
    return FALSE;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      if (strcmp (name, "Name") == 0)
        hn_map_read_text (reader, label, sizeof label);
      else if (strcmp (name, "HostName") == 0)
        ok = hn_map_read_text (reader, host, sizeof host) && ok;
      else if (strcmp (name, "CertName") == 0)
        ok = (hn_map_read_null (reader) || hn_map_read_text (reader, cert, sizeof cert)) && ok;
      else if (strcmp (name, "IPv4") == 0)
        read_literal (reader, 4, &node->ipv4, &node->ipv4_disabled);
      else if (strcmp (name, "IPv6") == 0)
        read_literal (reader, 6, &node->ipv6, &node->ipv6_disabled);
      else if (strcmp (name, "STUNPort") == 0)
        ok = read_port (reader, DEFAULT_STUN_PORT, TRUE, &node->stun_port) && ok;
      else if (strcmp (name, "DERPPort") == 0)
        ok = read_port (reader, DEFAULT_DERP_PORT, FALSE, &node->derp_port) && ok;
      else if (strcmp (name, "STUNOnly") == 0)
        node->stun_only = read_flag (reader);
      else if (strcmp (name, "InsecureForTests") == 0)
        node->insecure_for_tests = read_flag (reader);
      else if (strcmp (name, "CanPort80") == 0)
        node->can_port_80 = read_flag (reader);
      else
        hn_json_reader_skip (reader);
    }
  strip_brackets (host);
  if (!ok || host[0] == '\0' || strchr (host, ' ') != NULL)
    return FALSE;
  node->name = g_strdup (label);
  node->host_name = g_strdup (host);
  node->cert_name = cert[0] != '\0' ? g_strdup (cert) : NULL;
  return TRUE;
}

static void
read_derp_nodes (HnMapParser *self, HnJsonReader *reader, HnDerpRegion *region)
{
  g_autoptr (GArray) nodes = g_array_new (FALSE, FALSE, sizeof (HnDerpNode));

  if (region->nodes != NULL || !hn_json_reader_begin_array (reader))
    {
      hn_json_reader_skip (reader);
      return;
    }
  while (hn_json_reader_next_element (reader))
    {
      HnDerpNode node;

      if (nodes->len == HN_MAP_MAX_DERP_NODES)
        hn_json_reader_skip (reader);
      else if (read_derp_node (reader, &node))
        g_array_append_val (nodes, node);
      else
        hn_map_parser_remark (self, HN_MAP_REMARK_RELAY, "a relay of region %d has no sane address",
                              region->id);
    }
  region->n_nodes = nodes->len;
  region->nodes = (HnDerpNode *) (gpointer) g_array_free (g_steal_pointer (&nodes), FALSE);
}

static void
read_derp_region (HnMapParser *self, HnJsonReader *reader, HnDerpRegion *region)
{
  char code[HN_MAP_TEXT_SIZE] = "";
  char label[HN_MAP_TEXT_SIZE] = "";
  char name[32];

  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      if (strcmp (name, "RegionCode") == 0)
        hn_map_read_text (reader, code, sizeof code);
      else if (strcmp (name, "RegionName") == 0)
        hn_map_read_text (reader, label, sizeof label);
      else if (strcmp (name, "Avoid") == 0)
        region->avoid = read_flag (reader);
      else if (strcmp (name, "NoMeasureNoHome") == 0)
        region->no_measure_no_home = read_flag (reader);
      else if (strcmp (name, "Nodes") == 0 && hn_json_reader_peek (reader) == HN_JSON_ARRAY)
        read_derp_nodes (self, reader, region);
      else
        hn_json_reader_skip (reader);
    }
  region->code = g_strdup (code);
  region->name = g_strdup (label);
}

/* Region ids are decimal texts where they are names of members. */
static gboolean
parse_region_id (const char *text, int *out)
{
  guint64 value;

  if (!g_ascii_string_to_unsigned (text, 10, 1, G_MAXINT, &value, NULL))
    return FALSE;
  *out = (int) value;
  return TRUE;
}

static void
read_regions (HnMapParser *self, HnJsonReader *reader)
{
  HnMapUpdate *update = self->update;
  g_autoptr (GArray) regions = g_array_new (FALSE, TRUE, sizeof (HnDerpRegion));
  char id[32];

  hn_json_reader_begin_object (reader);
  while (hn_json_reader_next_member (reader, id, sizeof id))
    {
      HnDerpRegion region = { .score = 1 };
      gboolean again = FALSE;

      if (hn_map_read_null (reader))
        continue;
      if (!parse_region_id (id, &region.id))
        {
          hn_map_parser_remark (self, HN_MAP_REMARK_RELAY, "\"%s\" is no number of a region", id);
          hn_json_reader_skip (reader);
          continue;
        }
      for (guint i = 0; i < regions->len && regions->len < HN_MAP_MAX_DERP_REGIONS; i++)
        again = again || g_array_index (regions, HnDerpRegion, i).id == region.id;
      if (again || regions->len == HN_MAP_MAX_DERP_REGIONS || !hn_json_reader_begin_object (reader))
        {
          hn_map_parser_remark (self, HN_MAP_REMARK_RELAY, "region %d makes no sense", region.id);
          if (again || regions->len == HN_MAP_MAX_DERP_REGIONS)
            hn_json_reader_skip (reader);
          continue;
        }
      read_derp_region (self, reader, &region);
      g_array_append_val (regions, region);
    }
  update->has_derp_regions = TRUE;
  update->n_derp_regions = regions->len;
  update->derp_regions
      = (HnDerpRegion *) (gpointer) g_array_free (g_steal_pointer (&regions), FALSE);
}

static void
read_home_params (HnMapParser *self, HnJsonReader *reader)
{
  HnMapUpdate *update = self->update;
  char name[32];
  char id[32];

  if (!hn_json_reader_begin_object (reader))
    return;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      if (strcmp (name, "RegionScore") != 0 || hn_json_reader_peek (reader) != HN_JSON_OBJECT)
        {
          hn_json_reader_skip (reader);
          continue;
        }
      g_clear_pointer (&update->derp_scores, g_hash_table_unref);
      update->has_derp_scores = TRUE;
      update->derp_scores = g_hash_table_new_full (NULL, NULL, NULL, g_free);
      hn_json_reader_begin_object (reader);
      while (hn_json_reader_next_member (reader, id, sizeof id))
        {
          double score;
          int region;

          if (hn_json_reader_double (reader, &score) && score > 0 && parse_region_id (id, &region)
              && g_hash_table_size (update->derp_scores) < HN_MAP_MAX_DERP_REGIONS)
            g_hash_table_insert (update->derp_scores, GINT_TO_POINTER (region),
                                 g_memdup2 (&score, sizeof score));
        }
    }
}

/* tailscale: tailcfg/derpmap.go, DERPMap. Absent and null parts stay as they were. */
void
hn_map_read_derp_map (HnMapParser *self, HnJsonReader *reader)
{
  HnMapUpdate *update = self->update;
  char name[32];

  hn_derp_regions_free (update->derp_regions, update->n_derp_regions);
  update->derp_regions = NULL;
  update->n_derp_regions = 0;
  update->has_derp_regions = FALSE;
  g_clear_pointer (&update->derp_scores, g_hash_table_unref);
  update->has_derp_scores = FALSE;

  if (hn_map_read_null (reader) || !hn_json_reader_begin_object (reader))
    return;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      if (strcmp (name, "Regions") == 0 && !update->has_derp_regions
          && hn_json_reader_peek (reader) == HN_JSON_OBJECT)
        read_regions (self, reader);
      else if (strcmp (name, "HomeParams") == 0)
        read_home_params (self, reader);
      else
        hn_json_reader_skip (reader);
    }
}

/* A list of texts; with @member, of objects of which that member counts. Without final dots if
 * @domains. */
static char **
read_list (HnMapParser *self, HnJsonReader *reader, const char *member, gboolean domains)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func (g_free);
  char text[HN_MAP_URL_SIZE];
  char name[32];

  if (hn_json_reader_begin_array (reader))
    while (hn_json_reader_next_element (reader))
      {
        gsize len;

        text[0] = '\0';
        if (member == NULL)
          hn_map_read_text (reader, text, sizeof text);
        else if (hn_json_reader_begin_object (reader))
          while (hn_json_reader_next_member (reader, name, sizeof name))
            {
              if (strcmp (name, member) == 0)
                hn_map_read_text (reader, text, sizeof text);
              else
                hn_json_reader_skip (reader);
            }
        len = strlen (text);
        if (domains && len > 0 && text[len - 1] == '.')
          text[--len] = '\0';
        if (len > 0 && list->len < HN_MAP_MAX_DNS_ENTRIES)
          g_ptr_array_add (list, g_strdup (text));
        else
          hn_map_parser_remark (self, HN_MAP_REMARK_CUT, "a list of DNS settings is odd or long");
      }
  g_ptr_array_add (list, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&list), FALSE);
}

static void
replace_list (char ***list, char **with)
{
  g_strfreev (*list);
  *list = with;
}

static int
compare_routes (const void *a, const void *b)
{
  return strcmp (((const HnDnsRoute *) a)->suffix, ((const HnDnsRoute *) b)->suffix);
}

static void
read_dns_routes (HnMapParser *self, HnJsonReader *reader, HnDnsConfig *dns)
{
  g_autoptr (GArray) routes = g_array_new (FALSE, FALSE, sizeof (HnDnsRoute));
  char suffix[HN_MAP_TEXT_SIZE];

  hn_json_reader_begin_object (reader);
  while (hn_json_reader_next_member (reader, suffix, sizeof suffix))
    {
      const gsize len = strlen (suffix);
      HnDnsRoute route;

      if (len > 0 && suffix[len - 1] == '.')
        suffix[len - 1] = '\0';
      if (suffix[0] == '\0' || routes->len == HN_MAP_MAX_DNS_ROUTES)
        {
          hn_map_parser_remark (self, HN_MAP_REMARK_CUT, "a route of DNS is odd, or one too many");
          hn_json_reader_skip (reader);
          continue;
        }
      route.suffix = g_strdup (suffix);
      route.resolvers = read_list (self, reader, "Addr", FALSE);
      g_array_append_val (routes, route);
    }
  dns->n_routes = routes->len;
  dns->routes = (HnDnsRoute *) (gpointer) g_array_free (g_steal_pointer (&routes), FALSE);
  if (dns->n_routes > 1)
    qsort (dns->routes, dns->n_routes, sizeof *dns->routes, compare_routes);
}

static void
read_dns_records (HnMapParser *self, HnJsonReader *reader, HnDnsConfig *dns)
{
  g_autoptr (GArray) records = g_array_new (FALSE, FALSE, sizeof (HnDnsRecord));

  hn_json_reader_begin_array (reader);
  while (hn_json_reader_next_element (reader))
    {
      char owner[HN_MAP_TEXT_SIZE] = "";
      char type[32] = "";
      char value[HN_MAP_TEXT_SIZE] = "";
      HnDnsRecord record;
      char name[32];

      if (hn_json_reader_begin_object (reader))
        while (hn_json_reader_next_member (reader, name, sizeof name))
          {
            if (strcmp (name, "Name") == 0)
              hn_map_read_text (reader, owner, sizeof owner);
            else if (strcmp (name, "Type") == 0)
              hn_map_read_text (reader, type, sizeof type);
            else if (strcmp (name, "Value") == 0)
              hn_map_read_text (reader, value, sizeof value);
            else
              hn_json_reader_skip (reader);
          }
      if (owner[0] == '\0' || value[0] == '\0' || records->len == HN_MAP_MAX_DNS_RECORDS)
        {
          hn_map_parser_remark (self, HN_MAP_REMARK_CUT, "a record of DNS is odd, or one too many");
          continue;
        }
      record.name = g_strdup (owner);
      record.type = g_strdup (type);
      record.value = g_strdup (value);
      g_array_append_val (records, record);
    }
  dns->n_extra_records = records->len;
  dns->extra_records = (HnDnsRecord *) (gpointer) g_array_free (g_steal_pointer (&records), FALSE);
}

/* tailscale: tailcfg/tailcfg.go, DNSConfig. */
void
hn_map_read_dns (HnMapParser *self, HnJsonReader *reader)
{
  HnDnsConfig *dns;
  char name[32];

  g_clear_pointer (&self->update->dns, hn_dns_config_unref);
  if (hn_map_read_null (reader) || !hn_json_reader_begin_object (reader))
    return;
  dns = hn_dns_config_new ();
  self->update->dns = dns;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      if (hn_map_read_null (reader))
        continue;
      if (strcmp (name, "Resolvers") == 0)
        replace_list (&dns->resolvers, read_list (self, reader, "Addr", FALSE));
      else if (strcmp (name, "FallbackResolvers") == 0)
        replace_list (&dns->fallback_resolvers, read_list (self, reader, "Addr", FALSE));
      else if (strcmp (name, "Domains") == 0)
        replace_list (&dns->domains, read_list (self, reader, NULL, TRUE));
      else if (strcmp (name, "Proxied") == 0)
        dns->magic_dns = read_flag (reader);
      else if (strcmp (name, "Routes") == 0 && dns->routes == NULL
               && hn_json_reader_peek (reader) == HN_JSON_OBJECT)
        read_dns_routes (self, reader, dns);
      else if (strcmp (name, "ExtraRecords") == 0 && dns->extra_records == NULL
               && hn_json_reader_peek (reader) == HN_JSON_ARRAY)
        read_dns_records (self, reader, dns);
      else
        hn_json_reader_skip (reader);
    }
}

HnUser *
hn_map_read_user (HnJsonReader *reader)
{
  char login[HN_MAP_TEXT_SIZE] = "";
  char display[HN_MAP_TEXT_SIZE] = "";
  gint64 id = 0;
  char name[32];

  if (!hn_json_reader_begin_object (reader))
    return NULL;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      if (strcmp (name, "ID") == 0)
        hn_json_reader_int64 (reader, &id);
      else if (strcmp (name, "LoginName") == 0)
        hn_map_read_text (reader, login, sizeof login);
      else if (strcmp (name, "DisplayName") == 0)
        hn_map_read_text (reader, display, sizeof display);
      else
        hn_json_reader_skip (reader);
    }
  return hn_json_reader_ok (reader) && id != 0 ? hn_user_new (id, login, display) : NULL;
}

/* Health: null leaves all as it is, a list (also an empty one) replaces. */
void
hn_map_read_health (HnMapParser *self, HnJsonReader *reader)
{
  char text[HN_MAP_URL_SIZE];
  GPtrArray *list;

  g_clear_pointer (&self->update->health, g_ptr_array_unref);
  if (!hn_json_reader_begin_array (reader))
    return;
  list = g_ptr_array_new_with_free_func (g_free);
  self->update->health = list;
  while (hn_json_reader_next_element (reader))
    {
      const gboolean ok = hn_map_read_text (reader, text, sizeof text);

      if (!ok || list->len == HN_MAP_MAX_MESSAGES)
        hn_map_parser_remark (self, HN_MAP_REMARK_CUT, "a health text is odd, or one too many");
      else
        g_ptr_array_add (list, g_strdup (text));
    }
}

static HnSeverity
parse_severity (const char *text)
{
  if (strcmp (text, "high") == 0)
    return HN_SEVERITY_ERROR;
  if (strcmp (text, "low") == 0)
    return HN_SEVERITY_INFO;
  return HN_SEVERITY_WARNING;
}

gboolean
hn_map_is_web_address (const char *url)
{
  if (!g_str_has_prefix (url, "https://") && !g_str_has_prefix (url, "http://"))
    return FALSE;
  for (; *url != '\0'; url++)
    if ((guchar) *url <= ' ' || (guchar) *url >= 0x7f)
      return FALSE;
  return TRUE;
}

/* The URL of { "URL", "Label" } as an action, or "". */
static void
read_action (HnJsonReader *reader, char *action, gsize size)
{
  char url[HN_MAP_URL_SIZE] = "";
  char name[32];

  action[0] = '\0';
  if (!hn_json_reader_begin_object (reader))
    return;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      if (strcmp (name, "URL") == 0)
        hn_map_read_text (reader, url, sizeof url);
      else
        hn_json_reader_skip (reader);
    }
  if (hn_map_is_web_address (url))
    g_snprintf (action, size, "url:%s", url);
}

static HnHealthItem *
read_message (HnJsonReader *reader, const char *id)
{
  char title[HN_MAP_TEXT_SIZE] = "";
  char text[HN_MAP_URL_SIZE] = "";
  char severity[16] = "";
  char action[HN_MAP_URL_SIZE + 8] = "";
  char name[32];

  if (!hn_json_reader_begin_object (reader))
    return NULL;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      if (strcmp (name, "Title") == 0)
        hn_map_read_text (reader, title, sizeof title);
      else if (strcmp (name, "Text") == 0)
        hn_map_read_text (reader, text, sizeof text);
      else if (strcmp (name, "Severity") == 0)
        hn_map_read_text (reader, severity, sizeof severity);
      else if (strcmp (name, "PrimaryAction") == 0)
        read_action (reader, action, sizeof action);
      else
        hn_json_reader_skip (reader);
    }
  return hn_health_item_new (id, parse_severity (severity), title, text, action);
}

/* tailscale: tailcfg/tailcfg.go, MapResponse.DisplayMessages: a patch by id. */
void
hn_map_read_messages (HnMapParser *self, HnJsonReader *reader)
{
  HnMapUpdate *update = self->update;
  char id[65];

  g_clear_pointer (&update->messages, g_ptr_array_unref);
  g_clear_pointer (&update->messages_removed, g_ptr_array_unref);
  update->clear_messages = FALSE;
  if (hn_map_read_null (reader) || !hn_json_reader_begin_object (reader))
    return;
  update->messages = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_health_item_free);
  update->messages_removed = g_ptr_array_new_with_free_func (g_free);
  while (hn_json_reader_next_member (reader, id, sizeof id))
    {
      HnHealthItem *item;

      for (char *p = id; *p != '\0'; p++)
        if (!g_ascii_isgraph (*p))
          *p = '_';
      if (hn_map_read_null (reader))
        {
          if (strcmp (id, "*") == 0)
            update->clear_messages = TRUE;
          else if (update->messages_removed->len < HN_MAP_MAX_MESSAGES)
            g_ptr_array_add (update->messages_removed, g_strdup (id));
          continue;
        }
      item = read_message (reader, id);
      if (item != NULL && id[0] != '\0' && update->messages->len < HN_MAP_MAX_MESSAGES)
        g_ptr_array_add (update->messages, g_steal_pointer (&item));
      else
        hn_map_parser_remark (self, HN_MAP_REMARK_CUT, "a message is odd, or one too many");
      hn_health_item_free (item);
    }
}

/* tailscale: tailcfg/tailcfg.go, PingRequest. */
void
hn_map_read_ping (HnMapParser *self, HnJsonReader *reader)
{
  HnMapUpdate *update = self->update;
  char text[HN_MAP_URL_SIZE];
  char name[32];

  g_clear_pointer (&update->ping_url, g_free);
  g_clear_pointer (&update->ping_types, g_free);
  g_clear_pointer (&update->ping_payload, g_free);
  update->ping_payload_len = 0;
  update->ping_is_noise = FALSE;
  if (hn_map_read_null (reader) || !hn_json_reader_begin_object (reader))
    return;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      if (strcmp (name, "URL") == 0)
        {
          if (hn_map_read_text (reader, text, sizeof text) && hn_map_is_web_address (text))
            {
              g_free (update->ping_url);
              update->ping_url = g_strdup (text);
            }
        }
      else if (strcmp (name, "URLIsNoise") == 0)
        update->ping_is_noise = read_flag (reader);
      else if (strcmp (name, "Types") == 0)
        {
          g_free (update->ping_types);
          update->ping_types = hn_map_dup_text (reader, HN_MAP_TEXT_SIZE);
        }
      else if (strcmp (name, "Payload") == 0)
        {
          g_autofree char *base64 = hn_json_reader_dup_string (reader, MAX_PING_PAYLOAD);

          g_clear_pointer (&update->ping_payload, g_free);
          update->ping_payload_len = 0;
          if (base64 != NULL && base64[0] != '\0')
            update->ping_payload = g_base64_decode (base64, &update->ping_payload_len);
        }
      else
        hn_json_reader_skip (reader);
    }
}
