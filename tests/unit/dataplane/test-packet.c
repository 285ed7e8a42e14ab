/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "craft.h"
#include "dataplane/hn-ip-packet.h"

#define US4 "100.64.0.1"
#define US6 "fd7a:115c:a1e0::1"
#define PEER4 "100.64.0.2"
#define PEER6 "fd7a:115c:a1e0::2"
#define TCP HN_IP_PROTOCOL_TCP
#define UDP HN_IP_PROTOCOL_UDP

static const guint8 zeros[64];

static void
test_malformed (void)
{
  Craft good4 = { PEER4, US4, TCP, 1, 2, HN_TCP_ACK };
  Craft good6 = { PEER6, US6, TCP, 1, 2, HN_TCP_ACK };
  Craft pieces[] = {
    /* The first one without its whole TCP header, the second over it. */
    { PEER4, US4, UDP, .fragment_offset = 8, .fragment_id = 1, .payload = zeros, .payload_len = 8 },
    { PEER4, US4, UDP, .fragment_offset = 72, .fragment_id = 1, .payload = zeros,
      .payload_len = 8 },
    { PEER6, US6, UDP, .fragment_offset = 72, .fragment_id = 1, .payload = zeros,
      .payload_len = 8 },
    { PEER4, US4, HN_IP_PROTOCOL_TSMP, .more_fragments = TRUE, .payload = zeros,
      .payload_len = 64 },
    { PEER4, US4, 0xff, .payload = zeros, .payload_len = 64 },
    { PEER6, US6, 0xff, .payload = zeros, .payload_len = 64 },
    { PEER4, US4, 0, .payload = zeros, .payload_len = 64 },
    { PEER6, US6, 0, .payload = zeros, .payload_len = 64 }, /* hop-by-hop options */
    { PEER6, US6, 0, .more_fragments = TRUE, .payload = zeros, .payload_len = 64 },
    { PEER4, US4, HN_IP_PROTOCOL_TSMP, .payload = zeros, .payload_len = 6 },
    { PEER6, US6, HN_IP_PROTOCOL_TSMP, .payload = zeros, .payload_len = 6 },
    { PEER6, US6, HN_IP_PROTOCOL_TSMP, .more_fragments = TRUE, .payload = zeros,
      .payload_len = 64 },
  };
  static const guint8 extensions[] = { 43, 44, 51, 59, 60, 135, 139, 140 };
  guint8 bytes[CRAFT_MAX];
  HnIpPacket packet;
  gsize len = craft_packet (&good4, bytes);

  g_assert_true (hn_ip_packet_parse (&packet, bytes, len));
  g_assert_cmpuint (packet.len, ==, 40);
  /* What a link layer padded behind it does not belong to it. */
  g_assert_true (hn_ip_packet_parse (&packet, bytes, len + 6));
  g_assert_cmpuint (packet.len, ==, 40);
  for (gsize cut = 0; cut < len; cut++)
    g_assert_false (hn_ip_packet_parse (&packet, bytes, cut));
  bytes[0] = 0x44; /* a header of 16 bytes */
  g_assert_false (hn_ip_packet_parse (&packet, bytes, len));
  bytes[0] = 0x4f; /* a header longer than the packet */
  g_assert_false (hn_ip_packet_parse (&packet, bytes, len));
  bytes[0] = 0x55;
  g_assert_false (hn_ip_packet_parse (&packet, bytes, len));

  len = craft_packet (&good6, bytes);
  g_assert_true (hn_ip_packet_parse (&packet, bytes, len));
  for (gsize cut = 0; cut < len; cut++)
    g_assert_false (hn_ip_packet_parse (&packet, bytes, cut));
  /* Extensions are not followed: what lies behind them is not seen. */
  for (guint i = 0; i < G_N_ELEMENTS (extensions); i++)
    {
      gboolean fragment = extensions[i] == 44; /* its offset is the ports, far behind 80 */

      bytes[6] = extensions[i];
      g_assert_true (hn_ip_packet_parse (&packet, bytes, len) != fragment);
      if (!fragment)
        {
          g_assert_cmpuint (packet.protocol, ==, extensions[i]);
          g_assert_cmpuint (packet.destination_port, ==, 0);
          g_assert_cmpuint (packet.tcp_flags, ==, 0);
        }
    }
  for (guint i = 0; i < G_N_ELEMENTS (pieces); i++)
    {
      len = craft_packet (&pieces[i], bytes);
      g_assert_false (hn_ip_packet_parse (&packet, bytes, len));
    }
}

/* IPv4 options move the ports, and are followed. */
static void
test_options (void)
{
  Craft craft = { PEER4, US4, UDP, 53, 4000 };
  guint8 plain[CRAFT_MAX], bytes[CRAFT_MAX] = { 0 };
  gsize len = craft_packet (&craft, plain);
  HnIpPacket packet;

  memcpy (bytes, plain, 20);
  memcpy (bytes + 28, plain + 20, len - 20);
  bytes[0] = 0x47;
  bytes[3] = (guint8) (len + 8);
  g_assert_true (hn_ip_packet_parse (&packet, bytes, len + 8));
  g_assert_cmpuint (packet.header_len, ==, 28);
  g_assert_cmpuint (packet.source_port, ==, 53);
  g_assert_cmpuint (packet.destination_port, ==, 4000);
}

/* A first piece that lacks part of the transport header, whatever the protocol. */
static void
test_short_headers (void)
{
  static const struct
  {
    guint8 protocol;
    guint len;
  } headers[] = { { HN_IP_PROTOCOL_TCP, 20 },
                  { HN_IP_PROTOCOL_UDP, 8 },
                  { HN_IP_PROTOCOL_SCTP, 12 },
                  { HN_IP_PROTOCOL_ICMP, 8 },
                  { HN_IP_PROTOCOL_ICMP6, 8 },
                  { HN_IP_PROTOCOL_TSMP, 7 },
                  { 2, 8 } };
  guint8 bytes[CRAFT_MAX];
  HnIpPacket packet;

  for (guint i = 0; i < G_N_ELEMENTS (headers); i++)
    for (guint family = 4; family <= 6; family += 2)
      for (guint pieces = 0; pieces < 2; pieces++)
        for (guint len = 0; len < 24; len++)
          {
            /* The transport header is made by hand, so that it can be too short. */
            Craft craft
                = { family == 4 ? PEER4 : PEER6,   family == 4 ? US4 : US6, 253,
                    .more_fragments = pieces == 1, .payload = zeros,        .payload_len = len };
            gsize total = craft_packet (&craft, bytes);
            gboolean other_family
                = headers[i].protocol == (family == 4 ? HN_IP_PROTOCOL_ICMP6 : HN_IP_PROTOCOL_ICMP);
            gboolean igmp6 = headers[i].protocol == 2 && family == 6;
            gboolean fine = other_family || igmp6 || len >= headers[i].len;

            if (headers[i].protocol == HN_IP_PROTOCOL_TSMP && pieces == 1)
              fine = FALSE;
            bytes[family == 4 ? 9 : pieces == 1 ? 40 : 6] = headers[i].protocol;
            g_assert_true (hn_ip_packet_parse (&packet, bytes, total) == fine);
          }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dataplane/packet/malformed", test_malformed);
  g_test_add_func ("/dataplane/packet/options", test_options);
  g_test_add_func ("/dataplane/packet/short-headers", test_short_headers);
  return g_test_run ();
}
