/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between daemons inside the tunnel, ours and others'. */
#include <string.h>

#include "craft.h"
#include "dataplane/hn-ip-reply.h"

#define US4 "100.64.0.1"
#define US6 "fd7a:115c:a1e0::1"
#define PEER4 "100.64.0.2"
#define PEER6 "fd7a:115c:a1e0::2"
#define TCP HN_IP_PROTOCOL_TCP

static const guint8 zeros[64];

/* Each length up to the whole message and beyond. */
static gboolean
parses (gboolean ipv6, const guint8 *payload, gsize len, HnTsmp *out)
{
  const Craft craft = { .source = ipv6 ? PEER6 : PEER4,
                        .destination = ipv6 ? US6 : US4,
                        .protocol = HN_IP_PROTOCOL_TSMP,
                        .payload = payload,
                        .payload_len = len };
  guint8 bytes[CRAFT_MAX];
  gsize total = craft_packet (&craft, bytes);
  HnIpPacket packet;

  return hn_ip_packet_parse (&packet, bytes, total) && hn_tsmp_parse (out, &packet);
}

static void
assert_endpoint (const HnEndpoint *endpoint, const char *text)
{
  char buf[HN_IP_TEXT_MAX];

  g_assert_cmpstr (hn_endpoint_format (endpoint, buf), ==, text);
}

static void
test_parse (void)
{
  static const guint8 reject[] = { '!', 6, 'A', 0x9c, 0x40, 0, 22, 0x1 };
  static const guint8 ping[] = { 'p', 1, 2, 3, 4, 5, 6, 7, 8 };
  static const guint8 pong[] = { 'o', 1, 2, 3, 4, 5, 6, 7, 8, 0x12, 0x34 };
  static const guint8 disco[33] = { 'a', 9, [32] = 7 };
  static const guint8 other[] = { 'x', 1, 2, 3, 4, 5, 6, 7, 8 };
  HnTsmp tsmp;

  for (guint ipv6 = 0; ipv6 < 2; ipv6++)
    {
      for (gsize len = 0; len <= sizeof reject; len++)
        g_assert_true (parses (ipv6, reject, len, &tsmp) == (len >= 7));
      g_assert_cmpint (tsmp.kind, ==, HN_TSMP_REJECT);
      g_assert_cmpint (tsmp.reason, ==, HN_TSMP_REASON_RULES);
      g_assert_cmpint (tsmp.protocol, ==, TCP);
      g_assert_true (tsmp.maybe_broken);
      assert_endpoint (&tsmp.source, ipv6 ? "[" US6 "]:40000" : US4 ":40000");
      assert_endpoint (&tsmp.destination, ipv6 ? "[" PEER6 "]:22" : PEER4 ":22");
      g_assert_true (parses (ipv6, reject, 7, &tsmp));
      g_assert_false (tsmp.maybe_broken);

      for (gsize len = 0; len <= sizeof ping; len++)
        g_assert_true (parses (ipv6, ping, len, &tsmp) == (len >= 9));
      g_assert_cmpint (tsmp.kind, ==, HN_TSMP_PING);
      g_assert_cmpmem (tsmp.cookie, 8, ping + 1, 8);
      /* Old versions leave the port out. */
      for (gsize len = 0; len <= sizeof pong; len++)
        {
          g_assert_true (parses (ipv6, pong, len, &tsmp) == (len >= 9));
          if (len >= 9)
            g_assert_cmpint (tsmp.peer_api_port, ==, len >= 11 ? 0x1234 : 0);
        }
      g_assert_cmpint (tsmp.kind, ==, HN_TSMP_PONG);
      g_assert_cmpmem (tsmp.cookie, 8, pong + 1, 8);
      for (gsize len = 0; len <= sizeof disco; len++)
        g_assert_true (parses (ipv6, disco, len, &tsmp) == (len >= 33));
      g_assert_cmpint (tsmp.kind, ==, HN_TSMP_DISCO);
      g_assert_cmpmem (tsmp.disco.bytes, 32, disco + 1, 32);
      g_assert_false (parses (ipv6, other, sizeof other, &tsmp));
    }
}

static void
test_ping (void)
{
  static const guint8 cookie[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
  guint8 ping[HN_IP_REPLY_MAX], pong[HN_IP_REPLY_MAX];
  HnIpPacket packet;
  HnIp us, peer;
  HnTsmp tsmp;
  gsize len;

  for (guint ipv6 = 0; ipv6 < 2; ipv6++)
    {
      g_assert_true (hn_ip_parse (ipv6 ? US6 : US4, &us));
      g_assert_true (hn_ip_parse (ipv6 ? PEER6 : PEER4, &peer));
      len = hn_ip_make_tsmp_ping (&us, &peer, cookie, ping);
      g_assert_cmpuint (len, ==, (ipv6 ? 40 : 20) + 9);
      g_assert_true (hn_ip_packet_parse (&packet, ping, len));
      g_assert_cmpuint (packet.len, ==, len);
      g_assert_cmpmem (packet.source, ipv6 ? 16 : 4, us.bytes, ipv6 ? 16 : 4);
      len = hn_ip_reply_tsmp (&packet, pong);
      g_assert_cmpuint (len, ==, (ipv6 ? 40 : 20) + 11);
      g_assert_true (hn_ip_packet_parse (&packet, pong, len));
      g_assert_cmpmem (packet.destination, ipv6 ? 16 : 4, us.bytes, ipv6 ? 16 : 4);
      g_assert_true (hn_tsmp_parse (&tsmp, &packet));
      g_assert_cmpint (tsmp.kind, ==, HN_TSMP_PONG);
      g_assert_cmpmem (tsmp.cookie, 8, cookie, 8);
      /* A pong is not answered. */
      g_assert_cmpuint (hn_ip_reply_tsmp (&packet, ping), ==, 0);
    }
}

static void
test_reject (void)
{
  const Craft syn = { PEER4, US4, TCP, 40000, 22, HN_TCP_SYN };
  /* As upstream writes it, but for the identification and the TTL. */
  static const guint8 expected[] = { '!', 6, 'S', 0x9c, 0x40, 0, 22 };
  const Craft silent[] = {
    { PEER4, US4, TCP, 40000, 22, HN_TCP_ACK },
    { PEER4, US4, HN_IP_PROTOCOL_UDP, 40000, 22 },
    { PEER6, US6, TCP, 40000, 22, HN_TCP_SYN },
    { PEER4, "224.0.0.1", TCP, 40000, 22, HN_TCP_SYN },
    { PEER4, US4, TCP, .fragment_offset = 80, .payload = zeros, .payload_len = 64 },
    { PEER4, US4, HN_IP_PROTOCOL_ICMP, 7, .icmp_type = 8 },
    { PEER4, US4, HN_IP_PROTOCOL_TSMP, .payload = zeros, .payload_len = 9 },
  };
  guint8 bytes[CRAFT_MAX], out[HN_IP_REPLY_MAX];
  HnIpPacket packet;
  HnTsmp tsmp;
  gsize len = craft_packet (&syn, bytes);

  g_assert_true (hn_ip_packet_parse (&packet, bytes, len));
  len = hn_ip_reply_tsmp_reject (&packet, HN_TSMP_REASON_SHIELDS_UP, out);
  g_assert_cmpuint (len, ==, 27);
  g_assert_cmpmem (out + 20, 7, expected, sizeof expected);
  g_assert_cmphex (hn_ip_sum (out, 20, 0), ==, 0xffff);
  g_assert_true (hn_ip_packet_parse (&packet, out, len));
  g_assert_true (hn_tsmp_parse (&tsmp, &packet));
  g_assert_cmpint (tsmp.kind, ==, HN_TSMP_REJECT);
  g_assert_cmpint (tsmp.reason, ==, HN_TSMP_REASON_SHIELDS_UP);
  assert_endpoint (&tsmp.source, PEER4 ":40000");
  assert_endpoint (&tsmp.destination, US4 ":22");
  g_assert_false (tsmp.maybe_broken);
  for (guint i = 0; i < G_N_ELEMENTS (silent); i++)
    {
      len = craft_packet (&silent[i], bytes);
      g_assert_true (hn_ip_packet_parse (&packet, bytes, len));
      g_assert_cmpuint (hn_ip_reply_tsmp_reject (&packet, HN_TSMP_REASON_RULES, out), ==, 0);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dataplane/tsmp/parse", test_parse);
  g_test_add_func ("/dataplane/tsmp/ping", test_ping);
  g_test_add_func ("/dataplane/tsmp/reject", test_reject);
  return g_test_run ();
}
