/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nodes and patches of nodes: the part of the map that is large, so nothing is allocated here but
 * the result. */
#include <string.h>

#include "control/hn-map-parser.h"

#define LEGACY_DERP_PREFIX "127.3.3.40:"
/* Prefix and port of an address text. */
#define ADDRESS_TEXT_SIZE 72

/* What was on the wire, beside the fields themselves. */
typedef struct
{
  gboolean has_allowed_ips;
  int legacy_derp;
} Seen;

/* A prefix list of which odd entries are left out. */
static gsize
read_prefixes (HnMapParser *self, HnJsonReader *reader, HnPrefix *out, gsize max, gboolean routes)
{
  char text[ADDRESS_TEXT_SIZE];
  gsize n = 0;

  if (!hn_json_reader_begin_array (reader))
    return 0;
  while (hn_json_reader_next_element (reader))
    {
      HnPrefix prefix;

      if (n == max)
        {
          hn_map_parser_remark (self, HN_MAP_REMARK_CUT, "a node has more than %u prefixes",
                                (guint) max);
          hn_json_reader_skip (reader);
          continue;
        }
      if (!hn_json_reader_string (reader, text, sizeof text)
          || !hn_prefix_parse (text, FALSE, &prefix))
        {
          hn_map_parser_remark (self, HN_MAP_REMARK_ADDRESS, "%s is no prefix", text);
          continue;
        }
      if (routes && prefix.bits > 0
          && (hn_ip_is_loopback (&prefix.ip) || hn_ip_is_multicast (&prefix.ip)))
        {
          hn_map_parser_remark (self, HN_MAP_REMARK_ADDRESS, "%s is nothing to route to a node",
                                text);
          continue;
        }
      out[n++] = prefix;
    }
  return n;
}

static gsize
read_endpoints (HnMapParser *self, HnJsonReader *reader, HnEndpoint *out)
{
  char text[ADDRESS_TEXT_SIZE];
  gsize n = 0;

  if (!hn_json_reader_begin_array (reader))
    return 0;
  while (hn_json_reader_next_element (reader))
    {
      HnEndpoint endpoint;

      if (n == HN_MAP_MAX_ENDPOINTS)
        {
          hn_map_parser_remark (self, HN_MAP_REMARK_CUT, "a node has more than %d endpoints",
                                HN_MAP_MAX_ENDPOINTS);
          hn_json_reader_skip (reader);
          continue;
        }
      /* "" stands for an address that is not set. */
      if (!hn_json_reader_string (reader, text, sizeof text) || text[0] == '\0')
        continue;
      if (!hn_endpoint_parse (text, &endpoint) || endpoint.port == 0
          || hn_ip_is_multicast (&endpoint.ip))
        {
          hn_map_parser_remark (self, HN_MAP_REMARK_ADDRESS, "%s is no endpoint", text);
          continue;
        }
      out[n++] = endpoint;
    }
  return n;
}

/* A copy of a text in the scratch room; NULL when that is full. */
static const char *
keep_text (HnMapNodeScratch *scratch, const char *text)
{
  const gsize size = strlen (text) + 1;
  char *kept = scratch->texts + scratch->texts_used;

  if (size > sizeof scratch->texts - scratch->texts_used)
    return NULL;
  memcpy (kept, text, size);
  scratch->texts_used += size;
  return kept;
}

/* Appends to a list that ends with NULL. */
static void
add_text (HnMapParser *self, const char **list, gsize *n, gsize max, const char *text)
{
  const char *kept = NULL;

  if (text[0] == '\0')
    return;
  /* A full list is not searched: that would be a long time for each of a million texts. */
  for (gsize i = 0; i < *n && *n < max; i++)
    if (strcmp (list[i], text) == 0)
      return;
  if (*n < max)
    kept = keep_text (self->scratch, text);
  if (kept == NULL)
    {
      hn_map_parser_remark (self, HN_MAP_REMARK_CUT, "a node has too many tags or capabilities");
      return;
    }
  list[(*n)++] = kept;
  list[*n] = NULL;
}

static void
read_texts (HnMapParser *self, HnJsonReader *reader, const char **list, gsize *n, gsize max)
{
  char text[HN_MAP_TEXT_SIZE];

  if (!hn_json_reader_begin_array (reader))
    return;
  while (hn_json_reader_next_element (reader))
    if (hn_map_read_text (reader, text, sizeof text))
      add_text (self, list, n, max, text);
}

/* Of capabilities only the names count; what stands behind them is list, null or anything. */
static void
read_cap_map (HnMapParser *self, HnJsonReader *reader, gsize *n)
{
  char name[HN_MAP_TEXT_SIZE];

  if (!hn_json_reader_begin_object (reader))
    return;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      add_text (self, self->scratch->capabilities, n, HN_MAP_MAX_CAPABILITIES, name);
      hn_json_reader_skip (reader);
    }
}

static void
read_hostinfo (HnMapParser *self, HnJsonReader *reader)
{
  char name[32];

  if (!hn_json_reader_begin_object (reader))
    return;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    {
      if (strcmp (name, "Hostname") == 0)
        hn_map_read_text (reader, self->scratch->host_name, sizeof self->scratch->host_name);
      else if (strcmp (name, "OS") == 0)
        hn_map_read_text (reader, self->scratch->os, sizeof self->scratch->os);
      else
        hn_json_reader_skip (reader);
    }
}

static void
read_flag (HnJsonReader *reader, gboolean *out)
{
  gboolean value;

  if (hn_json_reader_boolean (reader, &value))
    *out = value;
}

static void
read_online (HnJsonReader *reader, HnOnline *out)
{
  gboolean value;

  if (hn_json_reader_boolean (reader, &value))
    *out = value ? HN_ONLINE_YES : HN_ONLINE_NO;
}

static void
read_int (HnJsonReader *reader, int *out)
{
  gint64 value;

  if (hn_json_reader_int64 (reader, &value) && value >= 0 && value <= G_MAXINT)
    *out = (int) value;
}

static void
read_id (HnJsonReader *reader, gint64 *out)
{
  gint64 value;

  if (hn_json_reader_int64 (reader, &value))
    *out = value;
}

static void
read_time (HnJsonReader *reader, gint64 *out)
{
  gint64 value;

  if (hn_map_read_time (reader, &value))
    *out = value;
}

static void
read_node_key (HnJsonReader *reader, HnNodePublic *out)
{
  char text[HN_KEY_TEXT_MAX];

  if (!hn_json_reader_string (reader, text, sizeof text) || !hn_node_public_parse (text, out))
    *out = (HnNodePublic){ 0 };
}

static void
read_machine_key (HnJsonReader *reader, HnMachinePublic *out)
{
  char text[HN_KEY_TEXT_MAX];

  if (!hn_json_reader_string (reader, text, sizeof text) || !hn_machine_public_parse (text, out))
    *out = (HnMachinePublic){ 0 };
}

static void
read_disco_key (HnJsonReader *reader, HnDiscoPublic *out)
{
  char text[HN_KEY_TEXT_MAX];

  if (!hn_json_reader_string (reader, text, sizeof text) || !hn_disco_public_parse (text, out))
    *out = (HnDiscoPublic){ 0 };
}

/* The form of older servers: a made-up address whose port is the region. */
static int
read_legacy_derp (HnJsonReader *reader)
{
  char text[32];
  guint64 region = 0;

  if (hn_json_reader_string (reader, text, sizeof text)
      && g_str_has_prefix (text, LEGACY_DERP_PREFIX))
    g_ascii_string_to_unsigned (text + strlen (LEGACY_DERP_PREFIX), 10, 0, G_MAXUINT16, &region,
                                NULL);
  return (int) region;
}

/* The first letter sorts the members, or looking up their names would cost more than all else. */
static void
read_member (HnMapParser *self, HnJsonReader *reader, const char *name, HnNodeFields *fields,
             gsize *n_tags, gsize *n_capabilities, Seen *seen)
{
  HnMapNodeScratch *scratch = self->scratch;

#define IS(text) (strcmp (name, text) == 0)
  switch (name[0])
    {
    case 'A':
      if (IS ("Addresses"))
        fields->n_addresses
            = read_prefixes (self, reader, scratch->addresses, HN_MAP_MAX_ADDRESSES, FALSE);
      else if (IS ("AllowedIPs"))
        {
          seen->has_allowed_ips = hn_json_reader_peek (reader) == HN_JSON_ARRAY;
          fields->n_allowed_ips
              = read_prefixes (self, reader, scratch->allowed_ips, HN_MAP_MAX_ROUTES, TRUE);
        }
      else
        break;
      return;
    case 'C':
      if (IS ("CapMap"))
        read_cap_map (self, reader, n_capabilities);
      else if (IS ("Capabilities"))
        read_texts (self, reader, scratch->capabilities, n_capabilities, HN_MAP_MAX_CAPABILITIES);
      else if (IS ("Created"))
        read_time (reader, &fields->created);
      else if (IS ("Cap"))
        read_int (reader, &fields->cap);
      else
        break;
      return;
    case 'D':
      if (IS ("DiscoKey"))
        read_disco_key (reader, &fields->disco);
      else if (IS ("DERP"))
        seen->legacy_derp = read_legacy_derp (reader);
      else
        break;
      return;
    case 'E':
      if (IS ("Endpoints"))
        fields->n_endpoints = read_endpoints (self, reader, scratch->endpoints);
      else if (IS ("Expired"))
        read_flag (reader, &fields->expired);
      else
        break;
      return;
    case 'H':
      if (IS ("Hostinfo"))
        read_hostinfo (self, reader);
      else if (IS ("HomeDERP"))
        read_int (reader, &fields->home_derp);
      else
        break;
      return;
    case 'I':
      if (IS ("ID"))
        read_id (reader, &fields->id);
      else if (IS ("IsWireGuardOnly"))
        read_flag (reader, &fields->wireguard_only);
      else if (IS ("IsJailed"))
        read_flag (reader, &fields->jailed);
      else
        break;
      return;
    case 'K':
      if (IS ("Key"))
        read_node_key (reader, &fields->key);
      else if (IS ("KeyExpiry"))
        read_time (reader, &fields->key_expiry);
      else
        break;
      return;
    case 'L':
      if (!IS ("LastSeen"))
        break;
      read_time (reader, &fields->last_seen);
      return;
    case 'M':
      if (IS ("Machine"))
        read_machine_key (reader, &fields->machine);
      else if (IS ("MachineAuthorized"))
        read_flag (reader, &fields->machine_authorized);
      else
        break;
      return;
    case 'N':
      if (!IS ("Name"))
        break;
      hn_map_read_text (reader, scratch->name, sizeof scratch->name);
      return;
    case 'O':
      if (!IS ("Online"))
        break;
      read_online (reader, &fields->online);
      return;
    case 'P':
      if (!IS ("PrimaryRoutes"))
        break;
      fields->n_primary_routes
          = read_prefixes (self, reader, scratch->primary_routes, HN_MAP_MAX_ROUTES, TRUE);
      return;
    case 'S':
      if (!IS ("StableID"))
        break;
      hn_map_read_text (reader, scratch->stable_id, sizeof scratch->stable_id);
      return;
    case 'T':
      if (!IS ("Tags"))
        break;
      *n_tags = 0;
      read_texts (self, reader, scratch->tags, n_tags, HN_MAP_MAX_TAGS);
      return;
    case 'U':
      if (IS ("User"))
        read_id (reader, &fields->user_id);
      else if (IS ("UnsignedPeerAPIOnly"))
        read_flag (reader, &fields->unsigned_peer_api_only);
      else
        break;
      return;
    default:
      break;
    }
#undef IS
  hn_json_reader_skip (reader);
}

static void
begin_scratch (HnMapParser *self)
{
  HnMapNodeScratch *scratch;

  if (self->scratch == NULL)
    self->scratch = g_new (HnMapNodeScratch, 1);
  scratch = self->scratch;
  scratch->name[0] = '\0';
  scratch->stable_id[0] = '\0';
  scratch->host_name[0] = '\0';
  scratch->os[0] = '\0';
  scratch->tags[0] = NULL;
  scratch->capabilities[0] = NULL;
  scratch->texts_used = 0;
}

/* tailscale: tailcfg/tailcfg.go, Node; and control/controlclient/map.go, upgradeNode. */
HnNode *
hn_map_read_node (HnMapParser *self, HnJsonReader *reader, gboolean own)
{
  HnNodeFields fields = { 0 };
  HnMapNodeScratch *scratch;
  Seen seen = { 0 };
  gsize n_tags = 0;
  gsize n_capabilities = 0;
  char name[32];

  begin_scratch (self);
  scratch = self->scratch;
  if (!hn_json_reader_begin_object (reader))
    return NULL;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    read_member (self, reader, name, &fields, &n_tags, &n_capabilities, &seen);
  if (!hn_json_reader_ok (reader))
    return NULL;

  if (fields.home_derp == 0)
    fields.home_derp = seen.legacy_derp;
  fields.stable_id = scratch->stable_id;
  fields.name = scratch->name;
  fields.host_name = scratch->host_name;
  fields.os = scratch->os;
  fields.tags = scratch->tags;
  fields.capabilities = scratch->capabilities;
  fields.addresses = scratch->addresses;
  fields.allowed_ips = scratch->allowed_ips;
  fields.primary_routes = scratch->primary_routes;
  fields.endpoints = scratch->endpoints;
  if (!seen.has_allowed_ips || (fields.unsigned_peer_api_only && !own))
    {
      fields.allowed_ips = fields.addresses;
      fields.n_allowed_ips = fields.n_addresses;
    }
  return hn_node_new (&fields);
}

/* The list members of a patch. An empty list sets, null changes nothing. */
static void
read_patch_lists (HnMapParser *self, HnJsonReader *reader, const char *name, HnPeerPatch *patch)
{
  HnMapNodeScratch *scratch = self->scratch;
  gsize n = 0;

  if (strcmp (name, "Endpoints") == 0 && hn_json_reader_peek (reader) == HN_JSON_ARRAY)
    {
      g_free (patch->endpoints);
      patch->n_endpoints = read_endpoints (self, reader, scratch->endpoints);
      patch->endpoints
          = g_memdup2 (scratch->endpoints, patch->n_endpoints * sizeof *patch->endpoints);
      patch->present |= HN_PATCH_ENDPOINTS;
    }
  else if (strcmp (name, "CapMap") == 0 && hn_json_reader_peek (reader) == HN_JSON_OBJECT)
    {
      scratch->capabilities[0] = NULL;
      read_cap_map (self, reader, &n);
      g_strfreev (patch->capabilities);
      patch->capabilities = g_strdupv ((GStrv) scratch->capabilities);
      patch->present |= HN_PATCH_CAPABILITIES;
    }
  else
    hn_json_reader_skip (reader);
}

static void
read_patch_member (HnMapParser *self, HnJsonReader *reader, const char *name, HnPeerPatch *patch)
{
  if (strcmp (name, "NodeID") == 0)
    read_id (reader, &patch->id);
  else if (strcmp (name, "DERPRegion") == 0)
    {
      read_int (reader, &patch->home_derp);
      if (patch->home_derp != 0)
        patch->present |= HN_PATCH_DERP;
    }
  else if (strcmp (name, "Key") == 0)
    {
      read_node_key (reader, &patch->key);
      patch->present |= HN_PATCH_KEY;
    }
  else if (strcmp (name, "DiscoKey") == 0)
    {
      read_disco_key (reader, &patch->disco);
      patch->present |= HN_PATCH_DISCO;
    }
  else if (strcmp (name, "Online") == 0)
    {
      read_online (reader, &patch->online);
      if (patch->online != HN_ONLINE_UNKNOWN)
        patch->present |= HN_PATCH_ONLINE;
    }
  else if (strcmp (name, "LastSeen") == 0)
    {
      if (hn_map_read_time (reader, &patch->last_seen))
        patch->present |= HN_PATCH_LAST_SEEN;
    }
  else if (strcmp (name, "KeyExpiry") == 0)
    {
      if (hn_map_read_time (reader, &patch->key_expiry))
        patch->present |= HN_PATCH_KEY_EXPIRY;
    }
  else
    read_patch_lists (self, reader, name, patch);
}

/* tailscale: tailcfg/tailcfg.go, PeerChange. What is absent or null stays as it is. */
gboolean
hn_map_read_patch (HnMapParser *self, HnJsonReader *reader, HnPeerPatch *patch)
{
  char name[32];

  begin_scratch (self);
  if (!hn_json_reader_begin_object (reader))
    return FALSE;
  while (hn_json_reader_next_member (reader, name, sizeof name))
    if (!hn_map_read_null (reader))
      read_patch_member (self, reader, name, patch);
  return hn_json_reader_ok (reader);
}
