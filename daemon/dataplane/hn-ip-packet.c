/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-ip-packet.h"

#include <string.h>

#define IPV6_HEADER 40
#define IPV6_FRAGMENT_HEADER 8
/* A fragment that begins within the first 80 bytes could write over a transport header that has
 * been looked at already. */
#define FRAGMENT_MIN_OFFSET 80

#define NEXT_FRAGMENT 44
/* Upstream's marks for what it does not know and for later fragments; neither is a protocol. */
#define PROTOCOL_UNKNOWN 0
#define PROTOCOL_FRAGMENT 0xff
#define PROTOCOL_IGMP 2
#define TSMP_MIN 7

static guint16
be16 (const guint8 *data)
{
  return (guint16) (data[0] << 8 | data[1]);
}

static guint32
be32 (const guint8 *data)
{
  return (guint32) data[0] << 24 | (guint32) data[1] << 16 | (guint32) data[2] << 8 | data[3];
}

/* @offset in bytes. */
static gboolean
note_fragment (HnIpPacket *self, guint offset, gboolean more)
{
  if (offset == 0)
    {
      self->fragment = more ? HN_FRAGMENT_FIRST : HN_FRAGMENT_NONE;
      return TRUE;
    }
  self->fragment = HN_FRAGMENT_LATER;
  return offset >= FRAGMENT_MIN_OFFSET;
}

static gboolean
parse_ipv4 (HnIpPacket *self, gsize len, gboolean quoted)
{
  const guint8 *data = self->data;
  guint16 fragment;

  if (len < 20)
    return FALSE;
  self->family = 4;
  self->header_len = (data[0] & 0xf) * 4;
  self->len = be16 (data + 2);
  if (self->header_len < 20 || self->len < self->header_len || self->header_len > len)
    return FALSE;
  if (self->len > len)
    {
      if (!quoted)
        return FALSE;
      self->len = (guint32) len;
    }
  self->fragment_id = be16 (data + 4);
  fragment = be16 (data + 6);
  self->protocol = data[9];
  self->source = data + 12;
  self->destination = data + 16;
  return note_fragment (self, (fragment & 0x1fffu) * 8u, (fragment & 0x2000) != 0);
}

static gboolean
parse_ipv6 (HnIpPacket *self, gsize len, gboolean quoted)
{
  const guint8 *data = self->data;

  if (len < IPV6_HEADER)
    return FALSE;
  self->family = 6;
  self->header_len = IPV6_HEADER;
  self->len = (guint32) be16 (data + 4) + IPV6_HEADER;
  if (self->len > len)
    {
      if (!quoted)
        return FALSE;
      self->len = (guint32) len;
    }
  self->protocol = data[6];
  self->source = data + 8;
  self->destination = data + 24;
  if (self->protocol == NEXT_FRAGMENT)
    {
      const guint8 *header = data + IPV6_HEADER;
      guint16 fragment;

      if (self->len < IPV6_HEADER + IPV6_FRAGMENT_HEADER)
        return FALSE;
      self->protocol = header[0];
      fragment = be16 (header + 2);
      self->fragment_id = be32 (header + 4);
      self->header_len += IPV6_FRAGMENT_HEADER;
      if (!note_fragment (self, fragment & 0xfff8, (fragment & 1) != 0))
        return FALSE;
    }
  return TRUE;
}

static HnIcmpKind
icmp_kind (guint8 family, guint8 type, guint8 code)
{
  if (family == 4)
    switch (type)
      {
      case 0:
        return code == 0 ? HN_ICMP_ECHO_REPLY : HN_ICMP_OTHER;
      case 8:
        return code == 0 ? HN_ICMP_ECHO_REQUEST : HN_ICMP_OTHER;
      case 3:
      case 11:
      case 12:
        return HN_ICMP_ERROR;
      default:
        return HN_ICMP_OTHER;
      }
  switch (type)
    {
    case 129:
      return code == 0 ? HN_ICMP_ECHO_REPLY : HN_ICMP_OTHER;
    case 128:
      return code == 0 ? HN_ICMP_ECHO_REQUEST : HN_ICMP_OTHER;
    case 1:
    case 2:
    case 3:
    case 4:
      return HN_ICMP_ERROR;
    default:
      return HN_ICMP_OTHER;
    }
}

static gboolean
parse_transport (HnIpPacket *self, gboolean quoted)
{
  const guint8 *data = self->data + self->header_len;
  guint32 left = self->len - self->header_len;

  if (self->fragment == HN_FRAGMENT_LATER)
    return !quoted;
  switch (self->protocol)
    {
    case HN_IP_PROTOCOL_TCP:
      if (left < (quoted ? 8 : 20))
        return FALSE;
      if (!quoted)
        self->tcp_flags = data[13];
      break;
    case HN_IP_PROTOCOL_UDP:
      if (left < 8)
        return FALSE;
      break;
    case HN_IP_PROTOCOL_SCTP:
      if (left < (quoted ? 8 : 12))
        return FALSE;
      break;
    case HN_IP_PROTOCOL_ICMP:
    case HN_IP_PROTOCOL_ICMP6:
      if ((self->protocol == HN_IP_PROTOCOL_ICMP) != (self->family == 4))
        return TRUE; /* of the other family it is a protocol like any */
      if (left < 8)
        return FALSE;
      self->icmp_kind = icmp_kind (self->family, data[0], data[1]);
      if (self->icmp_kind == HN_ICMP_ECHO_REQUEST || self->icmp_kind == HN_ICMP_ECHO_REPLY)
        self->source_port = self->destination_port = be16 (data + 4);
      return TRUE;
    case HN_IP_PROTOCOL_TSMP:
      return self->fragment == HN_FRAGMENT_NONE && left >= TSMP_MIN;
    case PROTOCOL_IGMP:
      return self->family == 6 || left >= 8;
    case PROTOCOL_UNKNOWN:
    case PROTOCOL_FRAGMENT:
      return FALSE;
    default:
      return TRUE;
    }
  self->source_port = be16 (data);
  self->destination_port = be16 (data + 2);
  return TRUE;
}

static gboolean
parse (HnIpPacket *self, const guint8 *data, gsize len, gboolean quoted)
{
  gboolean ok;

  memset (self, 0, sizeof *self);
  self->data = data;
  if (len == 0)
    return FALSE;
  switch (data[0] >> 4)
    {
    case 4:
      ok = parse_ipv4 (self, len, quoted);
      break;
    case 6:
      ok = parse_ipv6 (self, len, quoted);
      break;
    default:
      return FALSE;
    }
  return ok && parse_transport (self, quoted);
}

gboolean
hn_ip_packet_parse (HnIpPacket *self, const guint8 *data, gsize len)
{
  return parse (self, data, len, FALSE);
}

gboolean
hn_ip_packet_parse_quoted (HnIpPacket *self, const guint8 *data, gsize len)
{
  return parse (self, data, len, TRUE);
}

gboolean
hn_ip_packet_is_local_scope (const HnIpPacket *self)
{
  static const guint8 loopback6[16] = { [15] = 1 };
  static const guint8 unspecified[16] = { 0 };
  const guint8 *to = self->destination;

  if (self->family == 4)
    return to[0] >= 224 || to[0] == 127 || to[0] == 0 || (to[0] == 169 && to[1] == 254);
  return to[0] == 0xff || (to[0] == 0xfe && (to[1] & 0xc0) == 0x80)
         || memcmp (to, loopback6, sizeof loopback6) == 0
         || memcmp (to, unspecified, sizeof unspecified) == 0;
}
