/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-stun.h"

#include <string.h>

#include "base/hn-bytes.h"

#define HEADER_LEN 20
#define COOKIE 0x2112a442u
#define BINDING_REQUEST 0x0001
#define BINDING_SUCCESS 0x0101
#define ATTR_MAPPED_ADDRESS 0x0001
#define ATTR_XOR_MAPPED_ADDRESS 0x0020
#define ATTR_XOR_MAPPED_ADDRESS_OLD 0x8020 /* before it got its number */
#define ATTR_SOFTWARE 0x8022
#define ATTR_FINGERPRINT 0x8028
#define FINGERPRINT_XOR 0x5354554eu
#define SOFTWARE "tailnode"
#define SOFTWARE_LEN 8
#define FAMILY_V4 1
#define FAMILY_V6 2

/* CRC-32 of IEEE 802.3 over a request's few bytes; no table is worth it. */
static guint32
crc32 (const guint8 *data, gsize len)
{
  guint32 crc = 0xffffffffu;

  for (gsize i = 0; i < len; i++)
    {
      crc ^= data[i];
      for (guint bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
    }
  return ~crc;
}

void
hn_stun_write_request (const guint8 id[HN_STUN_ID_LEN], guint8 out[HN_STUN_REQUEST_LEN])
{
  HnWriter writer;

  hn_writer_init (&writer, out, HN_STUN_REQUEST_LEN);
  hn_writer_be16 (&writer, BINDING_REQUEST);
  hn_writer_be16 (&writer, HN_STUN_REQUEST_LEN - HEADER_LEN);
  hn_writer_be32 (&writer, COOKIE);
  hn_writer_bytes (&writer, id, HN_STUN_ID_LEN);
  hn_writer_be16 (&writer, ATTR_SOFTWARE);
  hn_writer_be16 (&writer, SOFTWARE_LEN);
  hn_writer_bytes (&writer, SOFTWARE, SOFTWARE_LEN);
  /* The checksum covers all that stands before it, with the length that counts it. */
  hn_writer_be16 (&writer, ATTR_FINGERPRINT);
  hn_writer_be16 (&writer, 4);
  hn_writer_be32 (&writer, crc32 (out, HN_STUN_REQUEST_LEN - 8) ^ FINGERPRINT_XOR);
  g_assert (hn_writer_ok (&writer) && writer.len == HN_STUN_REQUEST_LEN);
}

gboolean
hn_stun_is_stun (const guint8 *data, gsize len)
{
  HnReader reader;
  guint16 type;

  if (len < HEADER_LEN)
    return FALSE;
  hn_reader_init (&reader, data, len);
  type = hn_reader_be16 (&reader);
  hn_reader_be16 (&reader);
  /* WireGuard's types have a zero where STUN's method 1 stands, and an index, which can be anything,
   * in the place of the cookie. */
  return (type & 0xc000) == 0 && (type & 0xff) != 0 && hn_reader_be32 (&reader) == COOKIE;
}

static gboolean
read_address (const guint8 *value, gsize len, gboolean is_xor, const guint8 *message,
              HnEndpoint *out)
{
  HnReader reader;
  guint8 family;
  guint8 bytes[16];
  gsize address_len;
  guint16 port;

  hn_reader_init (&reader, value, len);
  hn_reader_u8 (&reader);
  family = hn_reader_u8 (&reader);
  if (family != FAMILY_V4 && family != FAMILY_V6)
    return FALSE;
  address_len = family == FAMILY_V4 ? 4 : 16;
  port = hn_reader_be16 (&reader);
  hn_reader_copy (&reader, bytes, address_len);
  if (!hn_reader_ok (&reader))
    return FALSE;
  if (is_xor)
    {
      /* The cookie and the id stand one after the other in the header. */
      port ^= COOKIE >> 16;
      for (gsize i = 0; i < address_len; i++)
        bytes[i] ^= message[4 + i];
    }
  if (port == 0)
    return FALSE;
  /* Servers with one socket for both families write IPv4 as mapped IPv6. */
  out->ip = hn_ip_from_bytes (bytes, address_len);
  out->port = port;
  return TRUE;
}

gboolean
hn_stun_parse_response (const guint8 *data, gsize len, guint8 id[HN_STUN_ID_LEN],
                        HnEndpoint *mapped)
{
  HnReader reader;
  HnEndpoint plain = { 0 };
  gsize attributes_len;

  memset (mapped, 0, sizeof *mapped);
  hn_reader_init (&reader, data, len);
  if (hn_reader_be16 (&reader) != BINDING_SUCCESS)
    return FALSE;
  attributes_len = hn_reader_be16 (&reader);
  if (hn_reader_be32 (&reader) != COOKIE)
    return FALSE;
  hn_reader_copy (&reader, id, HN_STUN_ID_LEN);
  if (!hn_reader_ok (&reader) || attributes_len > hn_reader_left (&reader))
    return FALSE;

  hn_reader_init (&reader, data + HEADER_LEN, attributes_len);
  while (hn_reader_left (&reader) >= 4)
    {
      guint16 type = hn_reader_be16 (&reader);
      guint16 value_len = hn_reader_be16 (&reader);
      const guint8 *value = hn_reader_take (&reader, value_len);
      gsize padding = MIN ((4u - value_len % 4u) % 4u, hn_reader_left (&reader));

      if (value == NULL)
        break;
      hn_reader_take (&reader, padding);
      if ((type == ATTR_XOR_MAPPED_ADDRESS || type == ATTR_XOR_MAPPED_ADDRESS_OLD)
          && read_address (value, value_len, TRUE, data, mapped))
        return TRUE;
      if (type == ATTR_MAPPED_ADDRESS && plain.port == 0)
        read_address (value, value_len, FALSE, data, &plain);
    }
  /* What routers in between may have rewritten is better than nothing. */
  *mapped = plain;
  return plain.port != 0;
}
