/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-portmap-codec.h"

#include <string.h>

#include "base/hn-bytes.h"

#define PMP_VERSION 0
#define PMP_OP_ADDRESS 0
#define PMP_OP_MAP_UDP 1
#define PCP_VERSION 2
#define PCP_OP_ANNOUNCE 0
#define PCP_OP_MAP 1
#define OP_ANSWER 0x80
#define PCP_MAX 1100 /* RFC 6887, section 7 */
#define PROTOCOL_UDP 17

const char *
hn_portmap_protocol_to_string (HnPortmapProtocol protocol)
{
  switch (protocol)
    {
    case HN_PORTMAP_NONE:
      return "";
    case HN_PORTMAP_PMP:
      return "nat-pmp";
    case HN_PORTMAP_PCP:
      return "pcp";
    case HN_PORTMAP_UPNP:
      return "upnp";
    }
  g_return_val_if_reached ("");
}

/* ---- requests ---- */

void
hn_pmp_write_address_request (guint8 out[HN_PMP_ADDRESS_REQUEST_LEN])
{
  out[0] = PMP_VERSION;
  out[1] = PMP_OP_ADDRESS;
}

void
hn_pmp_write_map_request (guint16 inner_port, guint16 outer_port, guint32 lifetime_s,
                          guint8 out[HN_PMP_MAP_REQUEST_LEN])
{
  HnWriter writer;

  hn_writer_init (&writer, out, HN_PMP_MAP_REQUEST_LEN);
  hn_writer_u8 (&writer, PMP_VERSION);
  hn_writer_u8 (&writer, PMP_OP_MAP_UDP);
  hn_writer_be16 (&writer, 0);
  hn_writer_be16 (&writer, inner_port);
  hn_writer_be16 (&writer, outer_port);
  hn_writer_be32 (&writer, lifetime_s);
  g_assert (hn_writer_ok (&writer) && writer.len == HN_PMP_MAP_REQUEST_LEN);
}

/* PCP knows IPv6 addresses only; "no address" is the mapped 0.0.0.0. */
static void
write_mapped (HnWriter *writer, const HnIp *ip)
{
  static const guint8 prefix[12] = { [10] = 0xff, [11] = 0xff };

  hn_writer_bytes (writer, prefix, sizeof prefix);
  hn_writer_bytes (writer, ip->bytes, 4);
}

static void
write_pcp_header (HnWriter *writer, guint8 op, guint32 lifetime_s, const HnIp *client)
{
  hn_writer_u8 (writer, PCP_VERSION);
  hn_writer_u8 (writer, op);
  hn_writer_be16 (writer, 0);
  hn_writer_be32 (writer, lifetime_s);
  write_mapped (writer, client);
}

void
hn_pcp_write_announce (const HnIp *client, guint8 out[HN_PCP_ANNOUNCE_LEN])
{
  HnWriter writer;

  hn_writer_init (&writer, out, HN_PCP_ANNOUNCE_LEN);
  write_pcp_header (&writer, PCP_OP_ANNOUNCE, 0, client);
  g_assert (hn_writer_ok (&writer) && writer.len == HN_PCP_ANNOUNCE_LEN);
}

void
hn_pcp_write_map_request (const HnIp *client, const guint8 nonce[HN_PCP_NONCE_LEN],
                          guint16 inner_port, const HnEndpoint *outer, guint32 lifetime_s,
                          guint8 out[HN_PCP_MAP_LEN])
{
  HnWriter writer;

  hn_writer_init (&writer, out, HN_PCP_MAP_LEN);
  write_pcp_header (&writer, PCP_OP_MAP, lifetime_s, client);
  hn_writer_bytes (&writer, nonce, HN_PCP_NONCE_LEN);
  hn_writer_u8 (&writer, PROTOCOL_UDP);
  hn_writer_u8 (&writer, 0);
  hn_writer_be16 (&writer, 0);
  hn_writer_be16 (&writer, inner_port);
  hn_writer_be16 (&writer, outer->port);
  write_mapped (&writer, &outer->ip);
  g_assert (hn_writer_ok (&writer) && writer.len == HN_PCP_MAP_LEN);
}

/* ---- answers ---- */

static gboolean
parse_pmp (HnReader *reader, guint8 op, HnPortmapAnswer *out)
{
  if (op != (OP_ANSWER | PMP_OP_ADDRESS) && op != (OP_ANSWER | PMP_OP_MAP_UDP))
    return FALSE;
  out->kind = op == (OP_ANSWER | PMP_OP_ADDRESS) ? HN_PORTMAP_ANSWER_PMP_ADDRESS
                                                 : HN_PORTMAP_ANSWER_PMP_MAP;
  out->result = hn_reader_be16 (reader);
  out->epoch_s = hn_reader_be32 (reader);
  if (!hn_reader_ok (reader))
    return FALSE;
  if (out->kind == HN_PORTMAP_ANSWER_PMP_ADDRESS)
    {
      const guint8 *bytes = hn_reader_take (reader, 4);

      if (bytes != NULL)
        out->outer.ip = hn_ip_from_bytes (bytes, 4);
    }
  else
    {
      out->inner_port = hn_reader_be16 (reader);
      out->outer.port = hn_reader_be16 (reader);
      out->lifetime_s = hn_reader_be32 (reader);
    }
  return hn_reader_ok (reader) || out->result != 0;
}

static gboolean
parse_pcp (HnReader *reader, guint8 op, HnPortmapAnswer *out)
{
  const guint8 *bytes;
  guint8 protocol;

  if (op != (OP_ANSWER | PCP_OP_ANNOUNCE) && op != (OP_ANSWER | PCP_OP_MAP))
    return FALSE;
  out->kind = op == (OP_ANSWER | PCP_OP_ANNOUNCE) ? HN_PORTMAP_ANSWER_PCP_ANNOUNCE
                                                  : HN_PORTMAP_ANSWER_PCP_MAP;
  hn_reader_u8 (reader);
  out->result = hn_reader_u8 (reader);
  out->lifetime_s = hn_reader_be32 (reader);
  out->epoch_s = hn_reader_be32 (reader);
  hn_reader_take (reader, 12);
  if (out->kind == HN_PORTMAP_ANSWER_PCP_ANNOUNCE)
    return hn_reader_ok (reader);
  /* an answer that says no has the request's body, and by its nonce we know it */
  hn_reader_copy (reader, out->nonce, sizeof out->nonce);
  protocol = hn_reader_u8 (reader);
  hn_reader_take (reader, 3);
  out->inner_port = hn_reader_be16 (reader);
  out->outer.port = hn_reader_be16 (reader);
  bytes = hn_reader_take (reader, 16);
  if (bytes == NULL || protocol != PROTOCOL_UDP)
    return FALSE;
  out->outer.ip = hn_ip_from_bytes (bytes, 16);
  return TRUE;
}

gboolean
hn_portmap_parse_answer (const guint8 *data, gsize len, HnPortmapAnswer *out)
{
  HnReader reader;
  guint8 version, op;

  memset (out, 0, sizeof *out);
  if (len > PCP_MAX)
    return FALSE;
  hn_reader_init (&reader, data, len);
  version = hn_reader_u8 (&reader);
  op = hn_reader_u8 (&reader);
  if (!hn_reader_ok (&reader))
    return FALSE;
  switch (version)
    {
    case PMP_VERSION:
      return parse_pmp (&reader, op, out);
    case PCP_VERSION:
      return parse_pcp (&reader, op, out);
    default:
      return FALSE;
    }
}

/* ---- the search ---- */

gsize
hn_ssdp_write_search (gboolean all, char out[HN_SSDP_REQUEST_MAX])
{
  int len = g_snprintf (out, HN_SSDP_REQUEST_MAX,
                        "M-SEARCH * HTTP/1.1\r\n"
                        "HOST: 239.255.255.250:1900\r\n"
                        "ST: %s\r\n"
                        "MAN: \"ssdp:discover\"\r\n"
                        "MX: 2\r\n\r\n",
                        all ? "ssdp:all" : "urn:schemas-upnp-org:device:InternetGatewayDevice:1");

  g_assert (len > 0 && len < HN_SSDP_REQUEST_MAX);
  return (gsize) len;
}

/* The next line without its end; FALSE at the end of the headers. */
static gboolean
next_line (const char **data, gsize *left, const char **line, gsize *len)
{
  const char *end = *left > 0 ? memchr (*data, '\n', *left) : NULL;

  if (end == NULL)
    return FALSE;
  *line = *data;
  *len = (gsize) (end - *data);
  *left -= *len + 1;
  *data = end + 1;
  while (*len > 0 && (*line)[*len - 1] == '\r')
    --*len;
  return *len > 0;
}

/* The value of a header of that name, or NULL. */
static const char *
header_value (const char *line, gsize len, const char *name, gsize *value_len)
{
  gsize name_len = strlen (name);

  if (len <= name_len || line[name_len] != ':' || g_ascii_strncasecmp (line, name, name_len) != 0)
    return NULL;
  line += name_len + 1;
  len -= name_len + 1;
  for (; len > 0 && (*line == ' ' || *line == '\t'); line++)
    len--;
  for (; len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t');)
    len--;
  *value_len = len;
  return line;
}

/* "http://HOST[:PORT]/PATH", of which the host has to be an IPv4 address as a gateway's is. */
static gboolean
parse_location (const char *text, gsize len, guint16 *port, char path[HN_SSDP_PATH_MAX])
{
  static const char scheme[] = "http://";
  const gsize skip = sizeof scheme - 1;
  const char *slash, *colon;
  char host[HN_IP_TEXT_MAX];
  gsize host_len, path_len;
  guint64 number = 80;
  HnIp ip;

  if (len <= skip || g_ascii_strncasecmp (text, scheme, skip) != 0)
    return FALSE;
  text += skip;
  len -= skip;
  slash = memchr (text, '/', len);
  if (slash == NULL || slash == text || (gsize) (slash - text) >= sizeof host)
    return FALSE;
  host_len = (gsize) (slash - text);
  path_len = len - host_len;
  memcpy (host, text, host_len);
  host[host_len] = '\0';
  colon = strchr (host, ':');
  if (colon != NULL && (!g_ascii_string_to_unsigned (colon + 1, 10, 1, G_MAXUINT16, &number, NULL)))
    return FALSE;
  if (colon != NULL)
    host[colon - host] = '\0';
  if (!hn_ip_parse (host, &ip) || ip.family != 4 || path_len >= HN_SSDP_PATH_MAX)
    return FALSE;
  for (gsize i = 0; i < path_len; i++)
    if (slash[i] <= ' ' || slash[i] > '~' || slash[i] == '"' || slash[i] == '<' || slash[i] == '>')
      return FALSE;
  memcpy (path, slash, path_len);
  path[path_len] = '\0';
  *port = (guint16) number;
  return TRUE;
}

static gboolean
is_gateway_type (const char *value, gsize len)
{
  static const char *const kinds[]
      = { "InternetGatewayDevice:", "WANIPConnection:", "WANPPPConnection:" };

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (memmem (value, len, kinds[i], strlen (kinds[i])) != NULL)
      return TRUE;
  return FALSE;
}

gboolean
hn_ssdp_parse_answer (const guint8 *data, gsize len, guint16 *port, char path[HN_SSDP_PATH_MAX])
{
  const char *rest = (const char *) data;
  const char *line, *value;
  gsize line_len, value_len;
  gboolean gateway = FALSE, located = FALSE;

  if (!next_line (&rest, &len, &line, &line_len) || line_len < 12
      || memcmp (line, "HTTP/1.", 7) != 0 || memcmp (line + 8, " 200", 4) != 0)
    return FALSE;
  while (next_line (&rest, &len, &line, &line_len))
    {
      if ((value = header_value (line, line_len, "ST", &value_len)) != NULL)
        gateway = gateway || is_gateway_type (value, value_len);
      else if (!located && (value = header_value (line, line_len, "LOCATION", &value_len)) != NULL)
        located = parse_location (value, value_len, port, path);
    }
  return gateway && located;
}

/* ---- addresses ---- */

gboolean
hn_portmap_is_gateway (const HnIp *ip)
{
  const guint8 *b = ip->bytes;

  return ip->family == 4
         && (b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168));
}

gboolean
hn_portmap_is_public (const HnIp *ip)
{
  const guint8 *b = ip->bytes;

  return ip->family == 4 && !hn_portmap_is_gateway (ip) && b[0] != 0 && b[0] < 224
         && !hn_ip_is_loopback (ip)
         && !hn_ip_is_link_local (ip)
         /* shared by a provider's customers, or for its own use */
         && !(b[0] == 100 && (b[1] & 0xc0) == 64) && !(b[0] == 192 && b[1] == 0 && b[2] == 0)
         && !(b[0] == 198 && (b[1] & 0xfe) == 18);
}
