/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the data plane looks at in an IP packet, read once into a plain struct: addresses, protocol,
 * ports, fragmentation. Strict: what is not understood does not parse, and is dropped.
 */
#pragma once

#include <glib.h>

#define HN_IP_PROTOCOL_ICMP 1
#define HN_IP_PROTOCOL_TCP 6
#define HN_IP_PROTOCOL_UDP 17
#define HN_IP_PROTOCOL_ICMP6 58
#define HN_IP_PROTOCOL_TSMP 99
#define HN_IP_PROTOCOL_SCTP 132

#define HN_TCP_FIN 0x01
#define HN_TCP_SYN 0x02
#define HN_TCP_RST 0x04
#define HN_TCP_ACK 0x10

typedef enum
{
  HN_FRAGMENT_NONE,
  HN_FRAGMENT_FIRST, /* has the transport header */
  HN_FRAGMENT_LATER, /* has none: ports are 0 */
} HnFragment;

typedef enum
{
  HN_ICMP_OTHER,
  HN_ICMP_ECHO_REQUEST,
  HN_ICMP_ECHO_REPLY,
  HN_ICMP_ERROR, /* quotes a packet */
} HnIcmpKind;

typedef struct
{
  const guint8 *data; /* borrowed; the IP header */
  const guint8 *source;
  const guint8 *destination; /* 4 or 16 bytes */
  guint32 len;               /* as the IP header says, at most what is there */
  guint32 fragment_id;
  guint16 header_len; /* up to the transport header */
  /* Of TCP, UDP and SCTP; both are the identifier of an ICMP echo; else 0. */
  guint16 source_port;
  guint16 destination_port;
  guint8 family; /* 4 or 6 */
  guint8 protocol;
  guint8 fragment;  /* HnFragment */
  guint8 icmp_kind; /* HnIcmpKind, of ICMP in its family */
  guint8 tcp_flags;
} HnIpPacket;

/* FALSE for anything malformed or not understood: cut short, hop-by-hop options, a first fragment
 * without its whole transport header, a later one that could overlap such a header. Of IPv6
 * extension headers only a fragment header right after the fixed one is followed; any other stands
 * as the protocol, whatever comes behind it (tailscale: net/packet/packet.go). */
gboolean hn_ip_packet_parse (HnIpPacket *self, const guint8 *data, gsize len);
/* The packet quoted in an ICMP error: only its beginning is there, 8 bytes past the IP header. */
gboolean hn_ip_packet_parse_quoted (HnIpPacket *self, const guint8 *data, gsize len);
/* Whether the destination is one that no tunnel carries: multicast, broadcast, link-local,
 * loopback, unspecified. */
gboolean hn_ip_packet_is_local_scope (const HnIpPacket *self);
