/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inner packets, as a peer may send any: parsed, judged, and answered where they ask for it. The
 * first byte says which of our own packets went out before, the rest is the packet.
 */
#include <stdint.h>
#include <string.h>

#include "../unit/dataplane/filter-rules.h"
#include "crypto/hn-crypto.h"
#include "dataplane/hn-filter.h"
#include "dataplane/hn-ip-reply.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static HnFilter *
make_filter (void)
{
  g_autoptr (HnFilterRules) rules = make_rules (
      "from 100.64.0.0/24 fd7a:115c:a1e0::/64 to 100.64.0.1 22-80 to fd7a:115c:a1e0::1 53;"
      "from 100.64.0.2 to 100.64.0.1 * proto 47 6");
  g_autoptr (HnFilterProgram) program = hn_filter_program_new (rules, NULL, FALSE);
  const HnPrefix own[] = { prefix ("100.64.0.1"), prefix ("fd7a:115c:a1e0::1") };
  HnFilter *filter = hn_filter_new ();

  hn_filter_set_addresses (filter, own, G_N_ELEMENTS (own));
  hn_filter_set_program (filter, program);
  return filter;
}

static void
judge (HnFilter *filter, const HnIpPacket *packet, gboolean outbound, gboolean jailed,
       gint64 now_us)
{
  if (outbound)
    {
      /* What is not ours never goes out. */
      if (hn_filter_outbound (filter, packet, now_us) == HN_FILTER_PASS)
        g_assert_true (hn_filter_is_own (filter, packet->family, packet->source));
    }
  else if (hn_filter_inbound (filter, packet, jailed, now_us) == HN_FILTER_PASS)
    {
      /* Nothing for others ever comes in, and from a jailed peer nothing new. */
      g_assert_true (hn_filter_is_own (filter, packet->family, packet->destination));
      if (jailed && packet->protocol == HN_IP_PROTOCOL_TCP && packet->fragment != HN_FRAGMENT_LATER)
        g_assert_true ((packet->tcp_flags & (HN_TCP_SYN | HN_TCP_ACK)) != HN_TCP_SYN);
    }
}

static void
answer (const HnIpPacket *packet)
{
  static guint8 reply[HN_IP_REPLY_MAX];
  HnIpPacket again;
  HnTsmp tsmp;
  gsize len;

  g_assert_cmpuint (hn_ip_reply_unreachable (packet, reply), <=, sizeof reply);
  g_assert_cmpuint (hn_ip_reply_tsmp (packet, reply), <=, sizeof reply);
  hn_tsmp_parse (&tsmp, packet);
  len = hn_ip_reply_tsmp_reject (packet, HN_TSMP_REASON_RULES, reply);
  if (len == 0)
    return;
  g_assert_true (hn_ip_packet_parse (&again, reply, len));
  g_assert_true (hn_tsmp_parse (&tsmp, &again));
  g_assert_cmpint (tsmp.source.port, ==, packet->source_port);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static HnFilter *filter;
  static gint64 now_us;
  g_autofree guint8 *exact = NULL;
  HnIpPacket packet;

  if (filter == NULL)
    {
      g_assert_true (hn_crypto_init (NULL));
      filter = make_filter ();
    }
  if (size == 0)
    return 0;
  now_us += G_USEC_PER_SEC;
  size--;
  /* A copy of its exact size, so that a read past its end is seen. */
  exact = g_memdup2 (data + 1, size);

  if (hn_ip_packet_parse (&packet, exact, size))
    {
      g_assert_cmpuint (packet.header_len, <=, packet.len);
      g_assert_cmpuint (packet.len, <=, size);
      judge (filter, &packet, data[0] & 1, data[0] & 2, now_us);
      answer (&packet);
    }
  hn_ip_packet_parse_quoted (&packet, exact, size);
  return 0;
}
