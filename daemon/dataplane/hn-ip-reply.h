/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that the data plane makes by itself: "unreachable" to the host, echo requests of our own,
 * and TSMP, the small protocol that nodes speak inside the tunnel (tailscale: net/packet/tsmp.go).
 * All are written into buffers of the caller's.
 */
#pragma once

#include "base/hn-ip.h"
#include "crypto/hn-keys.h"
#include "dataplane/hn-ip-packet.h"
#include "dataplane/hn-packet-port.h"

#define HN_IP_REPLY_MAX 1280
#define HN_IP_ECHO_COOKIE_SIZE 8

/* The one's complement sum of RFC 1071, folded but not inverted; @sum continues an earlier one. */
guint32 hn_ip_sum (const guint8 *data, gsize len, guint32 sum);

/* ICMP "no route to host" for @packet, sent from @packet's own destination, into @out
 * (HN_IP_REPLY_MAX). Returns its length, or 0 for packets that must not be answered. */
gsize hn_ip_reply_unreachable (const HnIpPacket *packet, guint8 *out);
/* An echo request with a cookie as its content. Returns its length. */
gsize hn_ip_make_echo_request (const HnIp *source, const HnIp *destination, guint16 id,
                               guint16 sequence, const guint8 cookie[HN_IP_ECHO_COOKIE_SIZE],
                               guint8 *out);

typedef enum
{
  HN_TSMP_REJECT, /* a connection of ours was refused */
  HN_TSMP_PING,
  HN_TSMP_PONG,
  HN_TSMP_DISCO, /* the sender's disco key */
} HnTsmpKind;

/* Why a connection was refused. Others may come that we do not know. */
typedef enum
{
  HN_TSMP_REASON_RULES = 'A',
  HN_TSMP_REASON_SHIELDS_UP = 'S',
  HN_TSMP_REASON_FORWARDING = 'F',
  HN_TSMP_REASON_FIREWALL = 'W',
} HnTsmpReason;

typedef struct
{
  HnTsmpKind kind;
  guint8 cookie[HN_IP_ECHO_COOKIE_SIZE]; /* of pings and pongs */
  guint16 peer_api_port;                 /* of pongs; 0: none */
  HnDiscoPublic disco;
  /* Of rejects: the refused flow, as its first packet went. */
  HnEndpoint source;
  HnEndpoint destination;
  guint8 protocol;
  guint8 reason;         /* HnTsmpReason, or anything */
  gboolean maybe_broken; /* not final: the connection may come about all the same */
} HnTsmp;

/* FALSE: no TSMP, cut short, or of a kind that we do not know. That @packet came from the peer whose
 * address it bears was checked by the WireGuard core; of a reject, that the flow is ours was not. */
gboolean hn_tsmp_parse (HnTsmp *self, const HnIpPacket *packet);
/* The pong to a TSMP ping, or 0 if @packet is none. */
gsize hn_ip_reply_tsmp (const HnIpPacket *packet, guint8 *out);
/* Tells the sender of a TCP SYN over IPv4 why it got no further; 0 for other packets, which upstream
 * drops in silence. */
gsize hn_ip_reply_tsmp_reject (const HnIpPacket *packet, HnTsmpReason reason, guint8 *out);
/* Returns its length. */
gsize hn_ip_make_tsmp_ping (const HnIp *source, const HnIp *destination,
                            const guint8 cookie[HN_IP_ECHO_COOKIE_SIZE], guint8 *out);
/* Completes a checksum that the port left open. FALSE when its place lies outside the packet. */
gboolean hn_packet_finish_checksum (HnPacket *packet);
