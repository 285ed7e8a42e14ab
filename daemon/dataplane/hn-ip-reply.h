/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that the data plane makes by itself: "unreachable" to the host, echo requests of our own,
 * pongs of TSMP, the small protocol that nodes speak inside the tunnel (tailscale:
 * net/packet/tsmp.go). All are written into buffers of the caller's.
 */
#pragma once

#include "base/hn-ip.h"
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
/* The pong to a TSMP ping, or 0 if @packet is none. */
gsize hn_ip_reply_tsmp (const HnIpPacket *packet, guint8 *out);
/* Completes a checksum that the port left open. FALSE when its place lies outside the packet. */
gboolean hn_packet_finish_checksum (HnPacket *packet);
