/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every step of the filter's decision, both families, and where upstream surprises. */
#include "dataplane/hn-filter.h"

#include <string.h>

#include "craft.h"
#include "crypto/hn-crypto.h"
#include "filter-rules.h"

#define US4 "100.64.0.1"
#define US6 "fd7a:115c:a1e0::1"
#define PEER4 "100.64.0.2"
#define PEER6 "fd7a:115c:a1e0::2"
#define TCP HN_IP_PROTOCOL_TCP
#define UDP HN_IP_PROTOCOL_UDP
#define SCTP HN_IP_PROTOCOL_SCTP
#define TSMP HN_IP_PROTOCOL_TSMP
#define ICMP4 HN_IP_PROTOCOL_ICMP
#define ICMP6 HN_IP_PROTOCOL_ICMP6
#define GRE 47
#define SYN HN_TCP_SYN
#define S G_USEC_PER_SEC

#define PASS HN_FILTER_PASS
#define MALFORMED HN_FILTER_MALFORMED
#define NO_RULE HN_FILTER_NO_RULE
#define PROTOCOL HN_FILTER_PROTOCOL
#define NOT_LOCAL HN_FILTER_NOT_LOCAL
#define SHIELDS_UP HN_FILTER_SHIELDS_UP

static const guint8 zeros[1400];

static HnFilter *
make_filter (const char *text, GPtrArray *peers, gboolean shields_up)
{
  HnFilter *filter = hn_filter_new ();
  const HnPrefix own[] = { prefix (US4), prefix (US6) };

  if (text != NULL)
    {
      g_autoptr (HnFilterRules) rules = make_rules (text);
      g_autoptr (HnFilterProgram) program = hn_filter_program_new (rules, peers, shields_up);

      hn_filter_set_program (filter, program);
    }
  hn_filter_set_addresses (filter, own, G_N_ELEMENTS (own));
  return filter;
}

static HnFilterVerdict
judge (HnFilter *filter, gboolean out, const Craft *craft, gboolean jailed, gint64 now_us)
{
  guint8 bytes[CRAFT_MAX];
  gsize len = craft_packet (craft, bytes);
  HnIpPacket packet;

  if (!hn_ip_packet_parse (&packet, bytes, len))
    return MALFORMED;
  return out ? hn_filter_outbound (filter, &packet, now_us)
             : hn_filter_inbound (filter, &packet, jailed, now_us);
}

typedef struct
{
  char way; /* '<' in, '>' out, 'j' in from a jailed peer */
  Craft craft;
  HnFilterVerdict verdict;
} Step;

typedef struct
{
  const char *name;
  const char *rules; /* NULL: no program yet */
  gboolean shields_up;
  Step steps[24];
} Story;

static const Story stories[] = {
  /* Steps 1 and 2. */
  { "destinations",
    "from * to * * proto 6 17 1 58 47",
    FALSE,
    { { '<', { PEER4, "224.0.0.251", UDP, 1, 5353 }, HN_FILTER_MULTICAST },
      { '<', { PEER4, "239.255.255.255", TCP, 1, 2, SYN }, HN_FILTER_MULTICAST },
      { '<', { PEER6, "ff02::fb", UDP, 1, 5353 }, HN_FILTER_MULTICAST },
      { '<', { PEER4, "169.254.1.1", UDP, 1, 53 }, HN_FILTER_LINK_LOCAL },
      { '<', { PEER6, "fe80::1", UDP, 1, 53 }, HN_FILTER_LINK_LOCAL },
      { '<', { PEER6, "febf::1", UDP, 1, 53 }, HN_FILTER_LINK_LOCAL },
      { '<', { PEER4, "169.254.169.254", UDP, 1, 53 }, NOT_LOCAL },
      { '<', { PEER6, "fec0::1", UDP, 1, 53 }, NOT_LOCAL },
      { '<', { PEER4, "255.255.255.255", UDP, 1, 53 }, NOT_LOCAL },
      { '<', { PEER4, "127.0.0.1", TCP, 1, 53, SYN }, NOT_LOCAL },
      { '<', { PEER4, "0.0.0.0", TCP, 1, 53, SYN }, NOT_LOCAL },
      { '<', { PEER6, "::1", TCP, 1, 53, SYN }, NOT_LOCAL },
      { '<', { PEER4, "192.168.1.1", TCP, 1, 53, SYN }, NOT_LOCAL },
      { '<', { PEER4, "100.64.0.9", TCP, 1, 53, HN_TCP_ACK }, NOT_LOCAL },
      { '<', { PEER4, "100.64.0.9", ICMP4, 1, .icmp_type = 0 }, NOT_LOCAL },
      { '<', { PEER6, "fd7a:115c:a1e0::9", UDP, 1, 53 }, NOT_LOCAL },
      { '>', { US4, "224.0.0.251", UDP, 1, 5353 }, HN_FILTER_MULTICAST },
      { '>', { US6, "ff02::2", ICMP6, .icmp_type = 133 }, HN_FILTER_MULTICAST },
      { '>', { US4, "169.254.1.1", UDP, 1, 53 }, HN_FILTER_LINK_LOCAL },
      { '>', { US4, "169.254.169.254", UDP, 1, 53 }, PASS },
      { '>', { US6, "fe80::1", UDP, 1, 53 }, HN_FILTER_LINK_LOCAL } } },
  /* Step 3: later pieces need no rule, first ones do. */
  { "fragments",
    "from * to * 53",
    FALSE,
    { { '<', { PEER4, US4, UDP, .fragment_offset = 80, .fragment_id = 7 }, PASS },
      { '<', { PEER4, US4, UDP, .fragment_offset = 72, .fragment_id = 7 }, MALFORMED },
      { '<', { PEER6, US6, UDP, .fragment_offset = 80, .fragment_id = 7 }, PASS },
      { '<', { PEER6, US6, UDP, .fragment_offset = 72, .fragment_id = 7 }, MALFORMED },
      { '<', { PEER4, "100.64.0.9", UDP, .fragment_offset = 80 }, HN_FILTER_FRAGMENT },
      { '<', { PEER6, "fd00::9", UDP, .fragment_offset = 80 }, HN_FILTER_FRAGMENT },
      { '<', { PEER4, "224.0.0.1", UDP, .fragment_offset = 80 }, HN_FILTER_MULTICAST },
      { '<', { PEER4, US4, UDP, 1, 53, .more_fragments = TRUE }, PASS },
      { '<', { PEER4, US4, UDP, 1, 54, .more_fragments = TRUE }, NO_RULE },
      { '<', { PEER6, US6, UDP, 1, 53, .more_fragments = TRUE }, PASS },
      { '<', { PEER6, US6, UDP, 1, 54, .more_fragments = TRUE }, NO_RULE },
      { '<', { PEER6, US6, TCP, 1, 53, SYN, .more_fragments = TRUE }, PASS },
      { '<', { PEER6, US6, TCP, 1, 54, SYN, .fragment_id = 9 }, NO_RULE },
      { '>', { US4, PEER4, UDP, .fragment_offset = 80 }, PASS },
      { '>', { "10.0.0.1", PEER4, UDP, .fragment_offset = 80 }, HN_FILTER_NOT_OURS } } },
  /* Step 5: any rule for the two addresses will do, of whatever protocol and port. */
  { "icmp4",
    "from 100.64.0.2 to " US4 " 22 proto 6",
    FALSE,
    { { '<', { PEER4, US4, ICMP4, 7, .icmp_type = 8 }, PASS },
      { '<', { PEER4, US4, ICMP4, 7, .icmp_type = 13 }, PASS },
      { '<', { PEER4, US4, ICMP4, 7, .icmp_type = 5 }, PASS },
      { '<', { "100.64.0.3", US4, ICMP4, 7, .icmp_type = 8 }, NO_RULE },
      { '<', { "100.64.0.3", US4, ICMP4, 7, .icmp_type = 8, .icmp_code = 1 }, NO_RULE },
      { '<', { "100.64.0.3", US4, ICMP4, 7, .icmp_type = 13 }, NO_RULE },
      { '<', { "100.64.0.3", US4, ICMP4, 7, .icmp_type = 0 }, PASS },
      { '<', { "100.64.0.3", US4, ICMP4, 7, .icmp_type = 0, .icmp_code = 1 }, NO_RULE },
      { '<', { "100.64.0.3", US4, ICMP4, .icmp_type = 3, .icmp_code = 4 }, PASS },
      { '<', { "100.64.0.3", US4, ICMP4, .icmp_type = 11 }, PASS },
      { '<', { "100.64.0.3", US4, ICMP4, .icmp_type = 12 }, PASS },
      { '<', { "100.64.0.3", US4, ICMP4, .icmp_type = 18 }, NO_RULE },
      { '<', { "100.64.0.3", US4, ICMP4, .icmp_type = 4 }, NO_RULE },
      { '<', { "100.64.0.3", US4, ICMP4, .icmp_type = 5 }, NO_RULE },
      /* ICMP of the other family is a protocol like any other. */
      { '<', { PEER4, US4, ICMP6, 7, .icmp_type = 129 }, PROTOCOL },
      { '<', { PEER6, US6, ICMP6, 7, .icmp_type = 128 }, NO_RULE } } },
  { "icmp6",
    "from " PEER6 " to " US6 " 9 proto 132",
    FALSE,
    { { '<', { PEER6, US6, ICMP6, 7, .icmp_type = 128 }, PASS },
      { '<', { PEER6, US6, ICMP6, 7, .icmp_type = 135 }, PASS },
      { '<', { "fd7a::3", US6, ICMP6, 7, .icmp_type = 128 }, NO_RULE },
      { '<', { "fd7a::3", US6, ICMP6, 7, .icmp_type = 135 }, NO_RULE },
      { '<', { "fd7a::3", US6, ICMP6, 7, .icmp_type = 129 }, PASS },
      { '<', { "fd7a::3", US6, ICMP6, .icmp_type = 1 }, PASS },
      { '<', { "fd7a::3", US6, ICMP6, .icmp_type = 2 }, PASS },
      { '<', { "fd7a::3", US6, ICMP6, .icmp_type = 3 }, PASS },
      { '<', { "fd7a::3", US6, ICMP6, .icmp_type = 4 }, PASS },
      { '<', { "fd7a::3", US6, ICMP6, .icmp_type = 5 }, NO_RULE },
      { '<', { PEER6, US6, ICMP4, 7, .icmp_type = 0 }, PROTOCOL },
      { '<', { PEER4, US4, ICMP4, 7, .icmp_type = 8 }, NO_RULE } } },
  { "icmp-of-the-other-family",
    "from * to * *",
    FALSE,
    { { '<', { PEER6, US6, ICMP4, 7, .icmp_type = 8 }, PASS },
      { '<', { PEER4, US4, ICMP6, 7, .icmp_type = 128 }, PASS } } },
  /* Step 6: what is no SYN passes without state. */
  { "tcp",
    "from 100.64.0.2 fd7a:115c:a1e0::2 to " US4 " 22 " US6 " 22-23",
    FALSE,
    { { '<', { PEER4, US4, TCP, 4000, 22, SYN }, PASS },
      { '<', { PEER4, US4, TCP, 4000, 23, SYN }, NO_RULE },
      { '<', { PEER4, US4, TCP, 22, 4000, SYN }, NO_RULE },
      { '<', { "100.64.0.3", US4, TCP, 4000, 22, SYN }, NO_RULE },
      { '<', { PEER6, US6, TCP, 4000, 22, SYN }, PASS },
      { '<', { PEER6, US6, TCP, 4000, 23, SYN }, PASS },
      { '<', { PEER6, US6, TCP, 4000, 21, SYN }, NO_RULE },
      { '<', { PEER6, US6, TCP, 4000, 24, SYN }, NO_RULE },
      { '<', { "fd7a::3", US6, TCP, 4000, 22, SYN }, NO_RULE },
      { '<', { "100.64.0.3", US4, TCP, 4000, 80, SYN | HN_TCP_ACK }, PASS },
      { '<', { "100.64.0.3", US4, TCP, 4000, 80, HN_TCP_ACK }, PASS },
      { '<', { "100.64.0.3", US4, TCP, 4000, 80, HN_TCP_RST }, PASS },
      { '<', { "100.64.0.3", US4, TCP, 4000, 80, HN_TCP_FIN }, PASS },
      { '<', { "100.64.0.3", US4, TCP, 4000, 80, 0 }, PASS },
      { '<', { "100.64.0.3", US4, TCP, 4000, 80, SYN | HN_TCP_RST }, NO_RULE },
      { '<', { "fd7a::3", US6, TCP, 4000, 80, SYN | HN_TCP_FIN }, NO_RULE },
      { '<', { "fd7a::3", US6, TCP, 4000, 80, HN_TCP_ACK }, PASS } } },
  /* Step 7. */
  { "udp",
    "from " PEER4 " to " US4 " 53",
    FALSE,
    { { '<', { PEER4, US4, UDP, 4000, 53 }, PASS },
      { '<', { PEER4, US4, UDP, 53, 4000 }, NO_RULE },
      { '<', { PEER6, US6, UDP, 53, 4000 }, NO_RULE },
      { '>', { US4, PEER4, UDP, 4000, 53 }, PASS },
      { '>', { US6, PEER6, UDP, 4000, 53 }, PASS },
      { '<', { PEER4, US4, UDP, 53, 4000 }, PASS },
      { '<', { PEER6, US6, UDP, 53, 4000 }, PASS },
      { '<', { PEER4, US4, UDP, 53, 4001 }, NO_RULE },
      { '<', { PEER4, US4, UDP, 54, 4000 }, NO_RULE },
      { '<', { "100.64.0.3", US4, UDP, 53, 4000 }, NO_RULE },
      { '<', { PEER4, US4, SCTP, 53, 4000 }, NO_RULE },
      { '<', { PEER4, US4, UDP, 53, 4000, .more_fragments = TRUE }, PASS } } },
  { "sctp",
    "from " PEER4 " to " US4 " 53 proto 132",
    FALSE,
    { { '<', { PEER4, US4, SCTP, 4000, 53 }, PASS },
      { '<', { PEER4, US4, SCTP, 4000, 54 }, NO_RULE },
      { '<', { PEER4, US4, UDP, 4000, 53 }, NO_RULE },
      { '<', { PEER4, US4, TCP, 4000, 53, SYN }, NO_RULE },
      { '<', { PEER6, US6, SCTP, 99, 4000 }, NO_RULE },
      { '>', { US6, PEER6, SCTP, 4000, 99 }, PASS },
      { '<', { PEER6, US6, SCTP, 99, 4000 }, PASS },
      { '<', { PEER6, US6, UDP, 99, 4000 }, NO_RULE } } },
  /* The usual four protocols are not all. */
  { "default-protocols",
    "from * to * *",
    FALSE,
    { { '<', { PEER4, US4, TCP, 1, 2, SYN }, PASS },
      { '<', { PEER4, US4, UDP, 1, 2 }, PASS },
      { '<', { PEER4, US4, ICMP4, 7, .icmp_type = 8 }, PASS },
      { '<', { PEER6, US6, ICMP6, 7, .icmp_type = 128 }, PASS },
      { '<', { PEER4, US4, SCTP, 1, 2 }, NO_RULE },
      { '<', { PEER4, US4, GRE, .payload = zeros, .payload_len = 8 }, PROTOCOL },
      { '<', { PEER6, US6, 50, .payload = zeros, .payload_len = 8 }, PROTOCOL } } },
  /* Step 8. */
  { "tsmp",
    "",
    FALSE,
    { { '<', { PEER4, US4, TSMP, .payload = zeros, .payload_len = 9 }, PASS },
      { '<', { PEER6, US6, TSMP, .payload = zeros, .payload_len = 9 }, PASS },
      { '<', { PEER4, US4, TSMP, .payload = zeros, .payload_len = 6 }, MALFORMED },
      { '<', { PEER4, "100.64.0.9", TSMP, .payload = zeros, .payload_len = 9 }, NOT_LOCAL },
      { '>', { US4, PEER4, TSMP, .payload = zeros, .payload_len = 9 }, PROTOCOL } } },
  /* Step 9. */
  { "other-protocols",
    "from " PEER4 " to " US4 " * proto 47;"
    "from " PEER6 " to " US6 " 0-65534 " US6 " 1-65535 proto 50;"
    "from 100.64.0.3 to " US4 " 22 " US4 " * proto 50 6",
    FALSE,
    { { '<', { PEER4, US4, GRE, .payload = zeros, .payload_len = 8 }, PASS },
      { '<', { PEER4, US4, 50, .payload = zeros, .payload_len = 8 }, PROTOCOL },
      { '<', { "100.64.0.3", US4, 50, .payload = zeros, .payload_len = 8 }, PASS },
      { '<', { "100.64.0.3", US4, GRE, .payload = zeros, .payload_len = 8 }, PROTOCOL },
      { '<', { PEER6, US6, 50, .payload = zeros, .payload_len = 8 }, PROTOCOL },
      { '<', { PEER6, US6, 60, .payload = zeros, .payload_len = 8 }, PROTOCOL },
      { '<', { PEER4, US4, 0, .payload = zeros, .payload_len = 8 }, MALFORMED },
      { '<', { PEER4, US4, 0xff, .payload = zeros, .payload_len = 8 }, MALFORMED } } },
  { "shields-up",
    "from * to * * proto 6 17 1 58 47 132",
    TRUE,
    { { '<', { PEER4, US4, TCP, 1, 22, SYN }, SHIELDS_UP },
      { '<', { PEER6, US6, UDP, 1, 22 }, SHIELDS_UP },
      { '<', { PEER4, US4, ICMP4, 7, .icmp_type = 8 }, SHIELDS_UP },
      { '<', { PEER4, US4, GRE, .payload = zeros, .payload_len = 8 }, SHIELDS_UP },
      { '<', { PEER4, US4, TCP, 1, 22, HN_TCP_ACK }, PASS },
      { '<', { PEER4, US4, ICMP4, 7, .icmp_type = 0 }, PASS },
      { '<', { PEER4, US4, TSMP, .payload = zeros, .payload_len = 9 }, PASS },
      { '>', { US6, PEER6, UDP, 22, 1 }, PASS },
      { '<', { PEER6, US6, UDP, 1, 22 }, PASS } } },
  { "jailed",
    "from * to * *",
    FALSE,
    { { 'j', { PEER4, US4, TCP, 1, 22, SYN }, SHIELDS_UP },
      { '<', { PEER4, US4, TCP, 1, 22, SYN }, PASS },
      { 'j', { PEER4, US4, UDP, 1, 22 }, SHIELDS_UP },
      { 'j', { PEER6, US6, ICMP6, 7, .icmp_type = 128 }, SHIELDS_UP },
      { 'j', { PEER4, US4, TCP, 1, 22, HN_TCP_ACK }, PASS },
      { '>', { US4, PEER4, UDP, 22, 1 }, PASS },
      { 'j', { PEER4, US4, UDP, 1, 22 }, PASS } } },
  { "no-program",
    NULL,
    FALSE,
    { { '<', { PEER4, US4, TCP, 1, 22, SYN }, NO_RULE },
      { '<', { PEER4, US4, ICMP4, 7, .icmp_type = 8 }, NO_RULE },
      { '<', { PEER4, US4, GRE, .payload = zeros, .payload_len = 8 }, PROTOCOL },
      { '<', { PEER4, US4, TCP, 1, 22, HN_TCP_ACK }, PASS },
      { '<', { PEER4, US4, ICMP4, 7, .icmp_type = 0 }, PASS } } },
  { "no-rules",
    "",
    FALSE,
    { { '<', { PEER4, US4, TCP, 1, 22, SYN }, NO_RULE },
      { '<', { PEER6, US6, UDP, 1, 22 }, NO_RULE },
      { '<', { PEER6, US6, ICMP6, 7, .icmp_type = 128 }, NO_RULE } } },
  /* Families never mix, even when a rule names both. */
  { "families",
    "from " PEER4 " to " US6 " *;from " PEER6 " to " US4 " *;"
    "from 100.64.0.3 fd7a::3 to " US4 " 1 " US6 " 2",
    FALSE,
    { { '<', { PEER4, US4, TCP, 1, 22, SYN }, NO_RULE },
      { '<', { PEER6, US6, TCP, 1, 22, SYN }, NO_RULE },
      { '<', { PEER4, US4, ICMP4, 7, .icmp_type = 8 }, NO_RULE },
      { '<', { "100.64.0.3", US4, UDP, 9, 1 }, PASS },
      { '<', { "100.64.0.3", US4, UDP, 9, 2 }, NO_RULE },
      { '<', { "fd7a::3", US6, UDP, 9, 1 }, NO_RULE },
      { '<', { "fd7a::3", US6, UDP, 9, 2 }, PASS } } },
  { "outbound",
    "",
    FALSE,
    { { '>', { US4, PEER4, TCP, 1, 22, SYN }, PASS },
      { '>', { US4, PEER4, GRE, .payload = zeros, .payload_len = 8 }, PASS },
      { '>', { US6, PEER6, ICMP6, 1, .icmp_type = 128 }, PASS },
      { '>', { "192.168.1.1", PEER4, TCP, 1, 22, SYN }, HN_FILTER_NOT_OURS },
      { '>', { PEER4, PEER4, TCP, 1, 22, SYN }, HN_FILTER_NOT_OURS },
      { '>', { "fe80::1", PEER6, TCP, 1, 22, SYN }, HN_FILTER_NOT_OURS },
      { '>', { "192.168.1.1", PEER4, UDP, 1, 22 }, HN_FILTER_NOT_OURS } } },
  /* Both ends of both spaces; ranges that nest, touch and overlap. */
  { "ranges",
    "from 0.0.0.0 255.255.255.255 ::-::5 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff to * 1;"
    "from 10.0.0.0/8 to * 10;from 10.1.0.0/16 to * 11;from 10.1.2.3 to * 12;"
    "from 10.1.2.4-10.1.2.9 to * 12;from 10.1.2.4 to * 0 to * 65535",
    FALSE,
    { { '<', { "0.0.0.0", US4, UDP, 9, 1 }, PASS },
      { '<', { "0.0.0.1", US4, UDP, 9, 1 }, NO_RULE },
      { '<', { "255.255.255.255", US4, UDP, 9, 1 }, PASS },
      { '<', { "255.255.255.254", US4, UDP, 9, 1 }, NO_RULE },
      { '<', { "::5", US6, UDP, 9, 1 }, PASS },
      { '<', { "::6", US6, UDP, 9, 1 }, NO_RULE },
      { '<', { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", US6, UDP, 9, 1 }, PASS },
      { '<', { "10.0.0.0", US4, UDP, 9, 10 }, PASS },
      { '<', { "9.255.255.255", US4, UDP, 9, 10 }, NO_RULE },
      { '<', { "11.0.0.0", US4, UDP, 9, 10 }, NO_RULE },
      { '<', { "10.1.2.3", US4, UDP, 9, 10 }, PASS },
      { '<', { "10.1.2.3", US4, UDP, 9, 11 }, PASS },
      { '<', { "10.1.2.3", US4, UDP, 9, 12 }, PASS },
      { '<', { "10.1.2.2", US4, UDP, 9, 12 }, NO_RULE },
      { '<', { "10.1.2.9", US4, UDP, 9, 12 }, PASS },
      { '<', { "10.1.2.10", US4, UDP, 9, 12 }, NO_RULE },
      { '<', { "10.1.2.10", US4, UDP, 9, 11 }, PASS },
      { '<', { "10.2.0.0", US4, UDP, 9, 11 }, NO_RULE },
      { '<', { "10.1.2.4", US4, UDP, 9, 0 }, PASS },
      { '<', { "10.1.2.4", US4, UDP, 9, 65535 }, PASS },
      { '<', { "10.1.2.4", US4, UDP, 9, 65534 }, NO_RULE },
      { '<', { "10.255.255.255", US4, UDP, 9, 10 }, PASS } } },
};

static void
test_story (gconstpointer data)
{
  const Story *story = data;
  g_autoptr (HnFilter) filter = make_filter (story->rules, NULL, story->shields_up);
  guint64 expected[HN_FILTER_N_VERDICTS] = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (story->steps) && story->steps[i].craft.source != NULL; i++)
    {
      const Step *step = &story->steps[i];
      HnFilterVerdict verdict = judge (filter, step->way == '>', &step->craft, step->way == 'j', S);

      if (verdict != step->verdict)
        g_error ("%s, step %u: %d instead of %d", story->name, i, verdict, step->verdict);
      if (step->way != '>' && verdict != MALFORMED)
        expected[verdict]++;
    }
  g_assert_cmpmem (hn_filter_get_counters (filter), sizeof expected, expected, sizeof expected);
}

/* Sources by capability: no other protocols, and ICMP wherever the rule leads. */
static void
test_capabilities (void)
{
  g_autoptr (GPtrArray) peers = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  g_autoptr (HnFilter) filter = NULL;
  g_autoptr (HnFilterRules) plain = make_rules ("from * to * *");
  g_autoptr (HnFilterRules) by_capability = make_rules ("from cap:a to * *");
  g_autoptr (HnFilterProgram) without = hn_filter_program_new (plain, NULL, FALSE);
  g_autoptr (HnFilterProgram) with = hn_filter_program_new (by_capability, NULL, TRUE);
  const Step steps[] = {
    { '<', { PEER4, US4, TCP, 1, 22, SYN }, PASS },
    { '<', { PEER4, US4, TCP, 1, 23, SYN }, NO_RULE },
    { '<', { "100.64.0.3", US4, TCP, 1, 22, SYN }, NO_RULE },
    { '<', { "100.64.0.4", US4, TCP, 1, 22, SYN }, NO_RULE },
    { '<', { PEER4, US4, GRE, .payload = zeros, .payload_len = 8 }, PROTOCOL },
    { '<', { PEER4, US4, ICMP4, 7, .icmp_type = 8 }, PASS },
    { '<', { "100.64.0.3", US4, ICMP4, 7, .icmp_type = 8 }, NO_RULE },
    { '<', { "100.64.0.3", US4, UDP, 7, 9 }, PASS },
    { '<', { PEER6, US6, TCP, 1, 22, SYN }, NO_RULE },
    /* The rule for "quirk" leads to another node; ICMP to us passes, nothing else does. */
    { '<', { PEER6, US6, ICMP6, 7, .icmp_type = 128 }, PASS },
    { '<', { PEER6, US6, TCP, 1, 77, SYN }, NO_RULE },
    { '<', { "100.64.0.5", US4, ICMP4, 7, .icmp_type = 8 }, NO_RULE },
  };

  g_assert_false (hn_filter_program_uses_capabilities (without));
  g_assert_true (hn_filter_program_uses_capabilities (with));
  g_ptr_array_add (peers, make_peer (1, PEER4, "a", FALSE));
  g_ptr_array_add (peers, make_peer (2, "100.64.0.3", "b", FALSE));
  g_ptr_array_add (peers, make_peer (3, "100.64.0.4", "a", TRUE));
  g_ptr_array_add (peers, make_peer (4, PEER6, "quirk", FALSE));
  g_ptr_array_add (peers, make_peer (5, "100.64.0.5", "quirk", FALSE));
  filter = make_filter ("from cap:a to " US4 " 22;from cap:b 1.2.3.4 to " US4 " 9 proto 17;"
                        "from cap:a to " US4 " * proto 47;from cap:quirk to fd7a::99 77",
                        peers, FALSE);
  /* "b" has a destination of ours, and with it ICMP. */
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      HnFilterVerdict verdict = judge (filter, FALSE, &steps[i].craft, FALSE, S);

      if (i == 6)
        g_assert_cmpint (verdict, ==, PASS);
      else if (verdict != steps[i].verdict)
        g_error ("step %u: %d instead of %d", i, verdict, steps[i].verdict);
    }
}

/* A rule that admits a peer nobody vouched for costs all rules. */
static void
test_unsigned (void)
{
  g_autoptr (GPtrArray) peers = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  const Craft syn = { "100.64.0.9", US4, TCP, 1, 22, SYN };
  g_autoptr (HnFilter) fine = NULL;
  g_autoptr (HnFilter) closed = NULL;

  g_ptr_array_add (peers, make_peer (1, PEER4, NULL, TRUE));
  fine = make_filter ("from 100.64.0.9 to " US4 " *", peers, FALSE);
  g_assert_cmpint (judge (fine, FALSE, &syn, FALSE, S), ==, PASS);
  g_test_expect_message ("headnet-dataplane", G_LOG_LEVEL_MESSAGE, "*not signed*");
  closed
      = make_filter ("from 100.64.0.9 to " US4 " *;from 100.64.0.0/30 to " US4 " 1", peers, FALSE);
  g_assert_cmpint (judge (closed, FALSE, &syn, FALSE, S), ==, NO_RULE);
}

/* A flow may be silent for days; among more flows than upstream keeps, too. */
static void
test_idle_flows (void)
{
  const gint64 later_us = G_GINT64_CONSTANT (900000) * S;
  g_autoptr (HnFilter) filter = make_filter ("", NULL, FALSE);

  for (guint port = 1; port <= 2000; port++)
    {
      const Craft out = { US4, PEER4, port % 2 == 0 ? UDP : SCTP, (guint16) port, 53 };

      g_assert_cmpint (judge (filter, TRUE, &out, FALSE, S), ==, PASS);
    }
  for (guint port = 1; port <= 2000; port++)
    {
      const Craft in = { PEER4, US4, port % 2 == 0 ? UDP : SCTP, 53, (guint16) port };
      const Craft other = { PEER4, US4, port % 2 == 0 ? SCTP : UDP, 53, (guint16) port };

      g_assert_cmpint (judge (filter, FALSE, &in, FALSE, later_us), ==, PASS);
      g_assert_cmpint (judge (filter, FALSE, &other, FALSE, later_us), ==, NO_RULE);
    }
}

/* Addresses before and after the program, prepared or not; flows outlive both. */
static void
test_order (void)
{
  g_autoptr (HnFilterRules) rules = make_rules ("from * to " US4 " 22;from * to 100.64.0.7 23");
  g_autoptr (HnFilterProgram) program = hn_filter_program_new (rules, NULL, FALSE);
  g_autoptr (HnFilter) filter = hn_filter_new ();
  const HnPrefix first[] = { prefix (US4) };
  const HnPrefix second[] = { prefix (US6), prefix ("100.64.0.7") };
  const Craft syn = { PEER4, US4, TCP, 1, 22, SYN };
  const Craft other = { PEER4, "100.64.0.7", TCP, 1, 23, SYN };
  const Craft ask = { US4, PEER4, UDP, 1, 2 };
  const Craft answer = { PEER4, US4, UDP, 2, 1 };

  g_assert_null (hn_filter_get_address (filter, 4));
  g_assert_cmpint (judge (filter, FALSE, &syn, FALSE, S), ==, NOT_LOCAL);
  hn_filter_set_addresses (filter, first, 1);
  g_assert_cmpint (judge (filter, FALSE, &syn, FALSE, S), ==, NO_RULE);
  g_assert_cmpint (judge (filter, TRUE, &ask, FALSE, S), ==, PASS);
  hn_filter_program_prepare (program, first, 1);
  g_assert_cmpuint (hn_filter_program_get_skipped (program), ==, 0);
  hn_filter_set_program (filter, program);
  g_assert_cmpint (judge (filter, FALSE, &syn, FALSE, S), ==, PASS);
  g_assert_cmpint (judge (filter, FALSE, &answer, FALSE, S), ==, PASS);
  hn_filter_set_addresses (filter, second, 2);
  g_assert_cmpint (judge (filter, FALSE, &syn, FALSE, S), ==, NOT_LOCAL);
  g_assert_cmpint (judge (filter, FALSE, &other, FALSE, S), ==, PASS);
  g_assert_true (hn_ip_equal (hn_filter_get_address (filter, 4), &second[1].ip));
  g_assert_true (hn_filter_is_own (filter, 6, second[0].ip.bytes));
  g_assert_false (hn_filter_is_own (filter, 4, first[0].ip.bytes));
  hn_filter_set_addresses (filter, first, 1);
  g_assert_cmpint (judge (filter, FALSE, &answer, FALSE, 2 * S), ==, PASS);
  /* A policy that allows nothing any more: what was begun here still gets its answers. */
  {
    g_autoptr (HnFilterProgram) nothing = hn_filter_program_new (NULL, NULL, FALSE);

    hn_filter_set_program (filter, nothing);
  }
  g_assert_cmpint (judge (filter, FALSE, &syn, FALSE, S), ==, NO_RULE);
  g_assert_cmpint (judge (filter, FALSE, &answer, FALSE, 2 * S), ==, PASS);
  g_assert_cmpint (hn_filter_inbound (filter, NULL, FALSE, S), ==, MALFORMED);
  g_assert_cmpuint (hn_filter_get_counters (filter)[MALFORMED], ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  for (guint i = 0; i < G_N_ELEMENTS (stories); i++)
    {
      g_autofree char *path = g_strconcat ("/dataplane/filter/", stories[i].name, NULL);

      g_test_add_data_func (path, &stories[i], test_story);
    }
  g_test_add_func ("/dataplane/filter/capabilities", test_capabilities);
  g_test_add_func ("/dataplane/filter/unsigned", test_unsigned);
  g_test_add_func ("/dataplane/filter/idle-flows", test_idle_flows);
  g_test_add_func ("/dataplane/filter/order", test_order);
  return g_test_run ();
}
