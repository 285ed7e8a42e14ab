/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-ip-reply.h"

#include <string.h>

#define TTL 64
#define TSMP_REJECT '!'
#define TSMP_PING 'p'
#define TSMP_PONG 'o'
#define TSMP_DISCO 'a'
#define TSMP_REJECT_SIZE 7
#define TSMP_PING_SIZE (1 + HN_IP_ECHO_COOKIE_SIZE)
#define TSMP_PONG_SIZE (TSMP_PING_SIZE + 2)
#define TSMP_MAYBE_BROKEN 0x1

guint32
hn_ip_sum (const guint8 *data, gsize len, guint32 sum)
{
  guint64 wide = sum;
  gsize i;

  for (i = 0; i + 1 < len; i += 2)
    wide += (guint32) data[i] << 8 | data[i + 1];
  if (i < len)
    wide += (guint32) data[i] << 8;
  while (wide >> 16)
    wide = (wide & 0xffff) + (wide >> 16);
  return (guint32) wide;
}

static void
put16 (guint8 *out, guint32 value)
{
  out[0] = (guint8) (value >> 8);
  out[1] = (guint8) value;
}

/* Writes an IP header without options; returns where the payload goes. */
static guint8 *
put_header (guint8 *out, guint8 family, guint8 protocol, const guint8 *source,
            const guint8 *destination, gsize payload_len)
{
  if (family == 4)
    {
      memset (out, 0, 20);
      out[0] = 0x45;
      put16 (out + 2, (guint32) (20 + payload_len));
      out[6] = 0x40; /* never fragmented: identification 0 is fine (RFC 6864) */
      out[8] = TTL;
      out[9] = protocol;
      memcpy (out + 12, source, 4);
      memcpy (out + 16, destination, 4);
      put16 (out + 10, ~hn_ip_sum (out, 20, 0));
      return out + 20;
    }
  memset (out, 0, 8);
  out[0] = 0x60;
  put16 (out + 4, (guint32) payload_len);
  out[6] = protocol;
  out[7] = TTL;
  memcpy (out + 8, source, 16);
  memcpy (out + 24, destination, 16);
  return out + 40;
}

/* Fills the checksum of an ICMP message that lies behind a header of put_header(). */
static void
finish_icmp (guint8 *packet, guint8 family, guint8 *icmp, gsize len)
{
  guint32 sum = 0;

  /* ICMPv6 sums a pseudo header too: addresses, length, protocol. */
  if (family == 6)
    sum = hn_ip_sum (packet + 8, 32, (guint32) len + HN_IP_PROTOCOL_ICMP6);
  put16 (icmp + 2, ~hn_ip_sum (icmp, len, sum));
}

gsize
hn_ip_reply_unreachable (const HnIpPacket *packet, guint8 *out)
{
  gsize header = packet->family == 4 ? 20 : 40;
  gsize room = (packet->family == 4 ? 576 : HN_IP_REPLY_MAX) - header - 8;
  gsize quote = MIN (packet->len, room);
  guint8 *icmp;

  /* RFC 1122 3.2.2, RFC 4443 2.4: not about ICMP errors, pieces, or what has many receivers. */
  if (packet->fragment == HN_FRAGMENT_LATER || packet->icmp_kind == HN_ICMP_ERROR
      || hn_ip_packet_is_local_scope (packet))
    return 0;
  icmp = put_header (out, packet->family,
                     packet->family == 4 ? HN_IP_PROTOCOL_ICMP : HN_IP_PROTOCOL_ICMP6,
                     packet->destination, packet->source, 8 + quote);
  memset (icmp, 0, 8);
  icmp[0] = packet->family == 4 ? 3 : 1; /* destination unreachable */
  icmp[1] = packet->family == 4 ? 1 : 3; /* host, address unreachable */
  memcpy (icmp + 8, packet->data, quote);
  finish_icmp (out, packet->family, icmp, 8 + quote);
  return header + 8 + quote;
}

gsize
hn_ip_make_echo_request (const HnIp *source, const HnIp *destination, guint16 id, guint16 sequence,
                         const guint8 cookie[HN_IP_ECHO_COOKIE_SIZE], guint8 *out)
{
  gsize len = 8 + HN_IP_ECHO_COOKIE_SIZE;
  guint8 *icmp = put_header (out, source->family,
                             source->family == 4 ? HN_IP_PROTOCOL_ICMP : HN_IP_PROTOCOL_ICMP6,
                             source->bytes, destination->bytes, len);

  memset (icmp, 0, 8);
  icmp[0] = source->family == 4 ? 8 : 128;
  put16 (icmp + 4, id);
  put16 (icmp + 6, sequence);
  memcpy (icmp + 8, cookie, HN_IP_ECHO_COOKIE_SIZE);
  finish_icmp (out, source->family, icmp, len);
  return (gsize) (icmp - out) + len;
}

static HnEndpoint
endpoint (guint8 family, const guint8 *address, const guint8 *port)
{
  const HnEndpoint out
      = { hn_ip_from_bytes (address, family == 4 ? 4 : 16), (guint16) (port[0] << 8 | port[1]) };

  return out;
}

gboolean
hn_tsmp_parse (HnTsmp *self, const HnIpPacket *packet)
{
  const guint8 *data = packet->data + packet->header_len;
  const gsize len = packet->len - packet->header_len;

  memset (self, 0, sizeof *self);
  if (packet->protocol != HN_IP_PROTOCOL_TSMP || packet->fragment != HN_FRAGMENT_NONE || len == 0)
    return FALSE;
  switch (data[0])
    {
    case TSMP_REJECT:
      if (len < TSMP_REJECT_SIZE)
        return FALSE;
      self->kind = HN_TSMP_REJECT;
      self->protocol = data[1];
      self->reason = data[2];
      /* The refused packet went the other way. */
      self->source = endpoint (packet->family, packet->destination, data + 3);
      self->destination = endpoint (packet->family, packet->source, data + 5);
      self->maybe_broken = len > TSMP_REJECT_SIZE && (data[7] & TSMP_MAYBE_BROKEN);
      return TRUE;
    case TSMP_PING:
    case TSMP_PONG:
      if (len < TSMP_PING_SIZE)
        return FALSE;
      self->kind = data[0] == TSMP_PING ? HN_TSMP_PING : HN_TSMP_PONG;
      memcpy (self->cookie, data + 1, sizeof self->cookie);
      if (self->kind == HN_TSMP_PONG && len >= TSMP_PONG_SIZE)
        self->peer_api_port = (guint16) (data[9] << 8 | data[10]);
      return TRUE;
    case TSMP_DISCO:
      if (len < 1 + sizeof self->disco.bytes)
        return FALSE;
      self->kind = HN_TSMP_DISCO;
      memcpy (self->disco.bytes, data + 1, sizeof self->disco.bytes);
      return TRUE;
    default:
      return FALSE;
    }
}

gsize
hn_ip_reply_tsmp (const HnIpPacket *packet, guint8 *out)
{
  guint8 *payload;
  HnTsmp tsmp;

  if (!hn_tsmp_parse (&tsmp, packet) || tsmp.kind != HN_TSMP_PING)
    return 0;
  payload = put_header (out, packet->family, HN_IP_PROTOCOL_TSMP, packet->destination,
                        packet->source, TSMP_PONG_SIZE);
  payload[0] = TSMP_PONG;
  memcpy (payload + 1, tsmp.cookie, sizeof tsmp.cookie);
  put16 (payload + TSMP_PING_SIZE, 0); /* no PeerAPI here */
  return (gsize) (payload - out) + TSMP_PONG_SIZE;
}

gsize
hn_ip_reply_tsmp_reject (const HnIpPacket *packet, HnTsmpReason reason, guint8 *out)
{
  guint8 *payload;

  if (packet->family != 4 || packet->protocol != HN_IP_PROTOCOL_TCP
      || packet->fragment == HN_FRAGMENT_LATER || !(packet->tcp_flags & HN_TCP_SYN)
      || hn_ip_packet_is_local_scope (packet))
    return 0;
  payload = put_header (out, packet->family, HN_IP_PROTOCOL_TSMP, packet->destination,
                        packet->source, TSMP_REJECT_SIZE);
  payload[0] = TSMP_REJECT;
  payload[1] = packet->protocol;
  payload[2] = (guint8) reason;
  put16 (payload + 3, packet->source_port);
  put16 (payload + 5, packet->destination_port);
  return (gsize) (payload - out) + TSMP_REJECT_SIZE;
}

gsize
hn_ip_make_tsmp_ping (const HnIp *source, const HnIp *destination,
                      const guint8 cookie[HN_IP_ECHO_COOKIE_SIZE], guint8 *out)
{
  guint8 *payload = put_header (out, source->family, HN_IP_PROTOCOL_TSMP, source->bytes,
                                destination->bytes, TSMP_PING_SIZE);

  payload[0] = TSMP_PING;
  memcpy (payload + 1, cookie, HN_IP_ECHO_COOKIE_SIZE);
  return (gsize) (payload - out) + TSMP_PING_SIZE;
}

gboolean
hn_packet_finish_checksum (HnPacket *packet)
{
  guint32 place = (guint32) packet->csum_start + packet->csum_offset;
  guint32 sum;

  if (!packet->needs_csum)
    return TRUE;
  if (place + 2 > packet->len)
    return FALSE;
  /* The field holds the pseudo header's sum already and is summed with the rest. */
  sum = hn_ip_sum (packet->data + packet->csum_start, packet->len - packet->csum_start, 0);
  sum = ~sum & 0xffff;
  /* A UDP checksum of 0 would say "none"; in one's complement 0xffff is the same number. */
  put16 (packet->data + place, sum == 0 ? 0xffff : sum);
  packet->needs_csum = FALSE;
  return TRUE;
}
