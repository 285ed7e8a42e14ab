/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IP addresses, prefixes and address-port pairs as plain values. IPv4-mapped IPv6 addresses are
 * unmapped on parse. Text forms are those of Go's net/netip: "1.2.3.4:5", "[2001:db8::1]:5".
 */
#pragma once

#include <glib.h>
#include <sys/socket.h>

typedef struct
{
  guint8 family;    /* 0 (unset), 4 or 6 */
  guint8 bytes[16]; /* network order; IPv4 uses the first four, the rest is zero */
} HnIp;

typedef struct
{
  HnIp ip;
  guint8 bits;
} HnPrefix;

typedef struct
{
  HnIp ip;
  guint16 port;
} HnEndpoint;

#define HN_IP_TEXT_MAX 64

gboolean hn_ip_parse (const char *text, HnIp *out);
/* Writes the text form into @buf (HN_IP_TEXT_MAX bytes) and returns it; "" for an unset address. */
const char *hn_ip_format (const HnIp *ip, char *buf);
gboolean hn_ip_equal (const HnIp *a, const HnIp *b);
int hn_ip_compare (const HnIp *a, const HnIp *b);
guint hn_ip_hash (const HnIp *ip);
HnIp hn_ip_from_bytes (const guint8 *bytes, gsize len); /* 4 or 16 bytes */
guint8 hn_ip_max_bits (const HnIp *ip);                 /* 32 or 128 */
gboolean hn_ip_is_loopback (const HnIp *ip);
gboolean hn_ip_is_link_local (const HnIp *ip);
gboolean hn_ip_is_multicast (const HnIp *ip);

/* "a.b.c.d/n"; a bare address is a full-length prefix when @allow_bare. Host bits may be set. */
gboolean hn_prefix_parse (const char *text, gboolean allow_bare, HnPrefix *out);
const char *hn_prefix_format (const HnPrefix *prefix, char *buf);
gboolean hn_prefix_equal (const HnPrefix *a, const HnPrefix *b);
int hn_prefix_compare (const HnPrefix *a, const HnPrefix *b);
gboolean hn_prefix_contains (const HnPrefix *prefix, const HnIp *ip);
gboolean hn_prefix_is_single (const HnPrefix *prefix);
HnPrefix hn_prefix_masked (const HnPrefix *prefix);
gboolean hn_prefix_has_host_bits (const HnPrefix *prefix);

gboolean hn_endpoint_parse (const char *text, HnEndpoint *out);
const char *hn_endpoint_format (const HnEndpoint *endpoint, char *buf);
gboolean hn_endpoint_equal (const HnEndpoint *a, const HnEndpoint *b);
/* Returns the length of the address written to @out, 0 for an unset one. */
socklen_t hn_endpoint_to_sockaddr (const HnEndpoint *endpoint, struct sockaddr_storage *out);
gboolean hn_endpoint_from_sockaddr (const struct sockaddr *address, HnEndpoint *out);
