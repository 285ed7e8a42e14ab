/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "craft.h"

#include <string.h>

#include "dataplane/hn-ip-reply.h"

static void
put16 (guint8 *out, guint value)
{
  out[0] = (guint8) (value >> 8);
  out[1] = (guint8) value;
}

static gsize
craft_transport (const Craft *craft, guint8 *out)
{
  gsize header = 0;

  if (craft->fragment_offset == 0)
    switch (craft->protocol)
      {
      case HN_IP_PROTOCOL_TCP:
        header = 20;
        memset (out, 0, header);
        put16 (out, craft->source_port);
        put16 (out + 2, craft->destination_port);
        out[12] = 0x50;
        out[13] = craft->tcp_flags;
        break;
      case HN_IP_PROTOCOL_UDP:
      case HN_IP_PROTOCOL_SCTP:
        header = craft->protocol == HN_IP_PROTOCOL_UDP ? 8 : 12;
        memset (out, 0, header);
        put16 (out, craft->source_port);
        put16 (out + 2, craft->destination_port);
        if (header == 8)
          put16 (out + 4, (guint) (header + craft->payload_len));
        break;
      case HN_IP_PROTOCOL_ICMP:
      case HN_IP_PROTOCOL_ICMP6:
        header = 8;
        memset (out, 0, header);
        out[0] = craft->icmp_type;
        out[1] = craft->icmp_code;
        put16 (out + 4, craft->source_port);
        break;
      default:
        break;
      }
  if (craft->payload_len > 0)
    memcpy (out + header, craft->payload, craft->payload_len);
  return header + craft->payload_len;
}

gsize
craft_packet (const Craft *craft, guint8 *out)
{
  gboolean fragment
      = craft->fragment_offset > 0 || craft->more_fragments || craft->fragment_id != 0;
  HnIp source, destination;
  guint8 *transport;
  gsize len;

  g_assert_true (hn_ip_parse (craft->source, &source));
  g_assert_true (hn_ip_parse (craft->destination, &destination));
  memset (out, 0, 48);
  if (source.family == 4)
    {
      transport = out + 20;
      len = craft_transport (craft, transport);
      out[0] = 0x45;
      put16 (out + 2, (guint) (20 + len));
      put16 (out + 4, craft->fragment_id);
      put16 (out + 6, (craft->more_fragments ? 0x2000u : 0) | craft->fragment_offset / 8);
      out[8] = 64;
      out[9] = craft->protocol;
      memcpy (out + 12, source.bytes, 4);
      memcpy (out + 16, destination.bytes, 4);
      put16 (out + 10, ~hn_ip_sum (out, 20, 0));
    }
  else
    {
      transport = out + (fragment ? 48 : 40);
      len = craft_transport (craft, transport);
      out[0] = 0x60;
      put16 (out + 4, (guint) ((gsize) (transport - out) - 40 + len));
      out[6] = fragment ? 44 : craft->protocol;
      out[7] = 64;
      memcpy (out + 8, source.bytes, 16);
      memcpy (out + 24, destination.bytes, 16);
      if (fragment)
        {
          out[40] = craft->protocol;
          put16 (out + 42, craft->fragment_offset | (craft->more_fragments ? 1 : 0));
          put16 (out + 44, craft->fragment_id >> 16);
          put16 (out + 46, craft->fragment_id);
        }
    }
  if (!fragment
      && (craft->protocol == HN_IP_PROTOCOL_ICMP || craft->protocol == HN_IP_PROTOCOL_ICMP6))
    {
      guint32 sum
          = source.family == 6 ? hn_ip_sum (out + 8, 32, (guint32) len + HN_IP_PROTOCOL_ICMP6) : 0;

      put16 (transport + 2, ~hn_ip_sum (transport, len, sum));
    }
  return (gsize) (transport - out) + len;
}
