/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IP addresses, prefixes and address-port pairs as plain values. */
#include "base/hn-ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/hn-hash.h"

static const guint8 mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static HnIp
from_v6 (const guint8 bytes[16])
{
  HnIp ip = { 0 };

  if (memcmp (bytes, mapped_prefix, sizeof mapped_prefix) == 0)
    {
      ip.family = 4;
      memcpy (ip.bytes, bytes + sizeof mapped_prefix, 4);
    }
  else
    {
      ip.family = 6;
      memcpy (ip.bytes, bytes, 16);
    }
  return ip;
}

/* Decimal digits only, no leading zero, at most @max; moves nothing on failure. */
static gboolean
parse_number (const char *text, guint max, guint *out)
{
  guint value = 0;

  if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
    return FALSE;
  for (; *text != '\0'; text++)
    {
      if (!g_ascii_isdigit (*text))
        return FALSE;
      value = value * 10 + (guint) (*text - '0');
      if (value > max)
        return FALSE;
    }
  *out = value;
  return TRUE;
}

gboolean
hn_ip_parse (const char *text, HnIp *out)
{
  guint8 bytes[16];

  memset (out, 0, sizeof *out);
  if (text == NULL)
    return FALSE;
  if (strchr (text, ':') == NULL)
    {
      if (inet_pton (AF_INET, text, bytes) != 1)
        return FALSE;
      out->family = 4;
      memcpy (out->bytes, bytes, 4);
      return TRUE;
    }
  if (inet_pton (AF_INET6, text, bytes) != 1)
    return FALSE;
  *out = from_v6 (bytes);
  return TRUE;
}

/* RFC 5952. Not inet_ntop(): that writes the low 32 bits of ::/96 as IPv4, which Go does not. */
static void
format_v6 (const guint8 bytes[16], char *buf)
{
  guint groups[8];
  guint best = 8, best_len = 0;
  char *p = buf;
  gboolean separate = FALSE;

  for (guint i = 0; i < 8; i++)
    groups[i] = (guint) bytes[2 * i] << 8 | bytes[2 * i + 1];
  for (guint i = 0; i < 8;)
    {
      guint end = i;

      while (end < 8 && groups[end] == 0)
        end++;
      if (end - i >= 2 && end - i > best_len)
        {
          best = i;
          best_len = end - i;
        }
      i = end > i ? end : i + 1;
    }

  for (guint i = 0; i < 8; i++)
    {
      if (i == best)
        {
          *p++ = ':';
          *p++ = ':';
          i += best_len - 1;
          separate = FALSE;
          continue;
        }
      p += g_snprintf (p, 6, separate ? ":%x" : "%x", groups[i]);
      separate = TRUE;
    }
  *p = '\0';
}

const char *
hn_ip_format (const HnIp *ip, char *buf)
{
  if (ip->family == 4)
    g_snprintf (buf, HN_IP_TEXT_MAX, "%u.%u.%u.%u", ip->bytes[0], ip->bytes[1], ip->bytes[2],
                ip->bytes[3]);
  else if (ip->family == 6)
    format_v6 (ip->bytes, buf);
  else
    buf[0] = '\0';
  return buf;
}

gboolean
hn_ip_equal (const HnIp *a, const HnIp *b)
{
  return hn_ip_compare (a, b) == 0;
}

int
hn_ip_compare (const HnIp *a, const HnIp *b)
{
  if (a->family != b->family)
    return a->family < b->family ? -1 : 1;
  return memcmp (a->bytes, b->bytes, a->family == 4 ? 4 : 16);
}

guint
hn_ip_hash (const HnIp *ip)
{
  return hn_hash_bytes (ip->bytes, ip->family == 4 ? 4 : 16);
}

HnIp
hn_ip_from_bytes (const guint8 *bytes, gsize len)
{
  HnIp ip = { 0 };

  if (len == 16)
    return from_v6 (bytes);
  if (len == 4)
    {
      ip.family = 4;
      memcpy (ip.bytes, bytes, 4);
    }
  return ip;
}

guint8
hn_ip_max_bits (const HnIp *ip)
{
  return ip->family == 4 ? 32 : 128;
}

gboolean
hn_ip_is_loopback (const HnIp *ip)
{
  static const guint8 v6_loopback[16] = { [15] = 1 };

  if (ip->family == 4)
    return ip->bytes[0] == 127;
  return ip->family == 6 && memcmp (ip->bytes, v6_loopback, sizeof v6_loopback) == 0;
}

gboolean
hn_ip_is_link_local (const HnIp *ip)
{
  if (ip->family == 4)
    return ip->bytes[0] == 169 && ip->bytes[1] == 254;
  return ip->family == 6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

gboolean
hn_ip_is_multicast (const HnIp *ip)
{
  if (ip->family == 4)
    return (ip->bytes[0] & 0xf0) == 0xe0;
  return ip->family == 6 && ip->bytes[0] == 0xff;
}

/* --- prefixes --- */

gboolean
hn_prefix_parse (const char *text, gboolean allow_bare, HnPrefix *out)
{
  char address[HN_IP_TEXT_MAX];
  const char *slash;
  gsize len;
  guint bits;
  gboolean mapped;

  memset (out, 0, sizeof *out);
  if (text == NULL)
    return FALSE;
  slash = strchr (text, '/');
  if (slash == NULL)
    {
      if (!allow_bare || !hn_ip_parse (text, &out->ip))
        return FALSE;
      out->bits = hn_ip_max_bits (&out->ip);
      return TRUE;
    }

  len = (gsize) (slash - text);
  if (len >= sizeof address)
    return FALSE;
  memcpy (address, text, len);
  address[len] = '\0';
  if (!hn_ip_parse (address, &out->ip) || !parse_number (slash + 1, 128, &bits))
    goto bad;

  /* An unmapped address keeps the part of its length that lies within the IPv4 half. */
  mapped = out->ip.family == 4 && strchr (address, ':') != NULL;
  if (mapped)
    {
      if (bits < 96)
        goto bad;
      bits -= 96;
    }
  if (bits > hn_ip_max_bits (&out->ip))
    goto bad;
  out->bits = (guint8) bits;
  return TRUE;

bad:
  memset (out, 0, sizeof *out);
  return FALSE;
}

const char *
hn_prefix_format (const HnPrefix *prefix, char *buf)
{
  gsize len;

  hn_ip_format (&prefix->ip, buf);
  len = strlen (buf);
  if (len > 0)
    g_snprintf (buf + len, HN_IP_TEXT_MAX - len, "/%u", prefix->bits);
  return buf;
}

gboolean
hn_prefix_equal (const HnPrefix *a, const HnPrefix *b)
{
  return a->bits == b->bits && hn_ip_equal (&a->ip, &b->ip);
}

int
hn_prefix_compare (const HnPrefix *a, const HnPrefix *b)
{
  int order = hn_ip_compare (&a->ip, &b->ip);

  if (order != 0)
    return order;
  return a->bits == b->bits ? 0 : a->bits < b->bits ? -1 : 1;
}

gboolean
hn_prefix_contains (const HnPrefix *prefix, const HnIp *ip)
{
  guint whole = prefix->bits / 8;
  guint rest = prefix->bits % 8;

  if (prefix->ip.family != ip->family || ip->family == 0)
    return FALSE;
  if (memcmp (prefix->ip.bytes, ip->bytes, whole) != 0)
    return FALSE;
  return rest == 0 || (prefix->ip.bytes[whole] ^ ip->bytes[whole]) >> (8 - rest) == 0;
}

gboolean
hn_prefix_is_single (const HnPrefix *prefix)
{
  return prefix->ip.family != 0 && prefix->bits == hn_ip_max_bits (&prefix->ip);
}

HnPrefix
hn_prefix_masked (const HnPrefix *prefix)
{
  HnPrefix masked = *prefix;
  guint whole = prefix->bits / 8;
  guint rest = prefix->bits % 8;

  if (rest != 0)
    masked.ip.bytes[whole++] &= (guint8) (0xff << (8 - rest));
  if (whole < sizeof masked.ip.bytes)
    memset (masked.ip.bytes + whole, 0, sizeof masked.ip.bytes - whole);
  return masked;
}

gboolean
hn_prefix_has_host_bits (const HnPrefix *prefix)
{
  HnPrefix masked = hn_prefix_masked (prefix);

  return !hn_ip_equal (&masked.ip, &prefix->ip);
}

/* --- endpoints --- */

gboolean
hn_endpoint_parse (const char *text, HnEndpoint *out)
{
  char address[HN_IP_TEXT_MAX];
  const char *start;
  const char *end;
  const char *colon;
  gsize len;
  guint port;
  gboolean brackets;

  memset (out, 0, sizeof *out);
  if (text == NULL)
    return FALSE;
  colon = strrchr (text, ':');
  if (colon == NULL)
    return FALSE;
  brackets = text[0] == '[';
  start = brackets ? text + 1 : text;
  end = brackets ? colon - 1 : colon;
  if (brackets && (end <= start || *end != ']'))
    return FALSE;
  len = (gsize) (end - start);
  if (len >= sizeof address)
    return FALSE;
  memcpy (address, start, len);
  address[len] = '\0';
  if ((strchr (address, ':') != NULL) != brackets || !parse_number (colon + 1, 65535, &port)
      || !hn_ip_parse (address, &out->ip))
    {
      memset (out, 0, sizeof *out);
      return FALSE;
    }
  out->port = (guint16) port;
  return TRUE;
}

const char *
hn_endpoint_format (const HnEndpoint *endpoint, char *buf)
{
  char address[HN_IP_TEXT_MAX];

  hn_ip_format (&endpoint->ip, address);
  if (address[0] == '\0')
    buf[0] = '\0';
  else
    g_snprintf (buf, HN_IP_TEXT_MAX, endpoint->ip.family == 6 ? "[%s]:%u" : "%s:%u", address,
                endpoint->port);
  return buf;
}

gboolean
hn_endpoint_equal (const HnEndpoint *a, const HnEndpoint *b)
{
  return a->port == b->port && hn_ip_equal (&a->ip, &b->ip);
}

socklen_t
hn_endpoint_to_sockaddr (const HnEndpoint *endpoint, struct sockaddr_storage *out)
{
  memset (out, 0, sizeof *out);
  if (endpoint->ip.family == 4)
    {
      struct sockaddr_in *v4 = (struct sockaddr_in *) out;

      v4->sin_family = AF_INET;
      v4->sin_port = htons (endpoint->port);
      memcpy (&v4->sin_addr, endpoint->ip.bytes, 4);
      return sizeof *v4;
    }
  if (endpoint->ip.family == 6)
    {
      struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) out;

      v6->sin6_family = AF_INET6;
      v6->sin6_port = htons (endpoint->port);
      memcpy (&v6->sin6_addr, endpoint->ip.bytes, 16);
      return sizeof *v6;
    }
  return 0;
}

gboolean
hn_endpoint_from_sockaddr (const struct sockaddr *address, HnEndpoint *out)
{
  memset (out, 0, sizeof *out);
  if (address->sa_family == AF_INET)
    {
      struct sockaddr_in v4;

      memcpy (&v4, address, sizeof v4);
      out->ip = hn_ip_from_bytes ((const guint8 *) &v4.sin_addr, 4);
      out->port = ntohs (v4.sin_port);
      return TRUE;
    }
  if (address->sa_family == AF_INET6)
    {
      struct sockaddr_in6 v6;

      memcpy (&v6, address, sizeof v6);
      out->ip = hn_ip_from_bytes ((const guint8 *) &v6.sin6_addr, 16);
      out->port = ntohs (v6.sin6_port);
      return TRUE;
    }
  return FALSE;
}
