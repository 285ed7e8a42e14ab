/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-filter-thin.h"

#include <string.h>

#include "craft.h"
#include "crypto/hn-crypto.h"

#define US4 "100.64.0.1"
#define US6 "fd7a:115c:a1e0::1"
#define PEER4 "100.64.0.2"
#define PEER6 "fd7a:115c:a1e0::2"
#define TCP HN_IP_PROTOCOL_TCP
#define UDP HN_IP_PROTOCOL_UDP
#define ICMP4 HN_IP_PROTOCOL_ICMP
#define ICMP6 HN_IP_PROTOCOL_ICMP6
#define S G_USEC_PER_SEC

static HnFilterThin *
make_filter (void)
{
  HnFilterThin *filter = hn_filter_thin_new ();
  HnPrefix own[2];

  g_assert_true (hn_prefix_parse (US4 "/32", FALSE, &own[0]));
  g_assert_true (hn_prefix_parse (US6 "/128", FALSE, &own[1]));
  hn_filter_thin_set_addresses (filter, own, 2);
  return filter;
}

/* One step: a packet, which way it goes, when, and whether it passes. */
typedef struct
{
  gboolean out;
  gint64 at_s;
  Craft craft;
  gboolean pass;
} Step;

typedef struct
{
  const char *name;
  Step steps[8];
} Story;

#define OUT TRUE
#define IN FALSE

static const guint8 zeros[1400];

static const Story stories[] = {
  { "tcp4-reply",
    { { OUT, 1, { US4, PEER4, TCP, 4000, 80, HN_TCP_SYN }, TRUE },
      { IN, 1, { PEER4, US4, TCP, 80, 4000, HN_TCP_SYN | HN_TCP_ACK }, TRUE },
      { IN, 1, { PEER4, US4, TCP, 81, 4000, HN_TCP_ACK }, FALSE },
      { IN, 1, { PEER4, US4, TCP, 80, 4001, HN_TCP_ACK }, FALSE },
      { IN, 1, { "100.64.0.3", US4, TCP, 80, 4000, HN_TCP_ACK }, FALSE } } },
  { "tcp6-reply",
    { { OUT, 1, { US6, PEER6, TCP, 4000, 80, HN_TCP_SYN }, TRUE },
      { IN, 1, { PEER6, US6, TCP, 80, 4000, HN_TCP_SYN | HN_TCP_ACK }, TRUE },
      { IN, 1, { PEER6, US6, TCP, 80, 4001, HN_TCP_ACK }, FALSE } } },
  { "tcp-unasked",
    { { IN, 1, { PEER4, US4, TCP, 4000, 22, HN_TCP_SYN }, FALSE },
      { IN, 1, { PEER4, US4, TCP, 4000, 22, HN_TCP_ACK }, FALSE },
      { IN, 1, { PEER6, US6, TCP, 4000, 22, HN_TCP_SYN }, FALSE },
      /* What the host says to it would not open the way either. */
      { OUT, 1, { US4, PEER4, TCP, 22, 4000, HN_TCP_RST }, TRUE },
      { IN, 1, { PEER4, US4, TCP, 4000, 22, HN_TCP_ACK }, FALSE } } },
  /* An ssh that nobody touches for a month, without keep-alives. */
  { "tcp-idle",
    { { OUT, 1, { US4, PEER4, TCP, 4000, 22, HN_TCP_SYN }, TRUE },
      { IN, 2, { PEER4, US4, TCP, 22, 4000, HN_TCP_SYN | HN_TCP_ACK }, TRUE },
      { IN, 30 * 86400, { PEER4, US4, TCP, 22, 4000, HN_TCP_ACK }, TRUE } } },
  { "tcp-unanswered",
    { { OUT, 1, { US4, PEER4, TCP, 4000, 22, HN_TCP_SYN }, TRUE },
      { IN, 200, { PEER4, US4, TCP, 22, 4000, HN_TCP_SYN | HN_TCP_ACK }, FALSE } } },
  { "tcp-closed",
    { { OUT, 1, { US4, PEER4, TCP, 4000, 22, HN_TCP_SYN }, TRUE },
      { IN, 2, { PEER4, US4, TCP, 22, 4000, HN_TCP_SYN | HN_TCP_ACK }, TRUE },
      { OUT, 3, { US4, PEER4, TCP, 4000, 22, HN_TCP_ACK | HN_TCP_FIN }, TRUE },
      { IN, 3, { PEER4, US4, TCP, 22, 4000, HN_TCP_ACK | HN_TCP_FIN }, TRUE },
      { IN, 4, { PEER4, US4, TCP, 22, 4000, HN_TCP_ACK }, TRUE },
      { IN, 200, { PEER4, US4, TCP, 22, 4000, HN_TCP_ACK }, FALSE } } },
  /* One side may go on for long after the other has nothing more to say. */
  { "tcp-half-closed",
    { { OUT, 1, { US4, PEER4, TCP, 4000, 22, HN_TCP_SYN }, TRUE },
      { IN, 2, { PEER4, US4, TCP, 22, 4000, HN_TCP_SYN | HN_TCP_ACK }, TRUE },
      { OUT, 3, { US4, PEER4, TCP, 4000, 22, HN_TCP_ACK | HN_TCP_FIN }, TRUE },
      { IN, 4000, { PEER4, US4, TCP, 22, 4000, HN_TCP_ACK }, TRUE } } },
  { "udp",
    { { IN, 1, { PEER4, US4, UDP, 53, 4000 }, FALSE },
      { OUT, 1, { US4, PEER4, UDP, 4000, 53 }, TRUE },
      { IN, 2, { PEER4, US4, UDP, 53, 4000 }, TRUE },
      { IN, 2, { PEER4, US4, TCP, 53, 4000, HN_TCP_ACK }, FALSE },
      { IN, 250, { PEER4, US4, UDP, 53, 4000 }, TRUE },
      { IN, 90000, { PEER4, US4, UDP, 53, 4000 }, TRUE } } },
  { "echo",
    { { IN, 1, { PEER4, US4, ICMP4, 7, .icmp_type = 8 }, TRUE },
      { OUT, 1, { US4, PEER4, ICMP4, 7, .icmp_type = 0 }, TRUE },
      /* Our reply has not begun a flow. */
      { IN, 1, { PEER4, US4, ICMP4, 7, .icmp_type = 0 }, FALSE },
      { OUT, 1, { US4, PEER4, ICMP4, 8, .icmp_type = 8 }, TRUE },
      { IN, 1, { PEER4, US4, ICMP4, 8, .icmp_type = 0 }, TRUE },
      { IN, 1, { PEER4, US4, ICMP4, 9, .icmp_type = 0 }, FALSE },
      { IN, 1, { PEER4, US4, ICMP4, 8, .icmp_type = 13 }, FALSE },
      { IN, 1, { PEER4, US4, ICMP4, 8, .icmp_type = 5 }, FALSE } } },
  { "echo6",
    { { IN, 1, { PEER6, US6, ICMP6, 7, .icmp_type = 128 }, TRUE },
      { OUT, 1, { US6, PEER6, ICMP6, 8, .icmp_type = 128 }, TRUE },
      { IN, 1, { PEER6, US6, ICMP6, 8, .icmp_type = 129 }, TRUE },
      { IN, 1, { PEER6, US6, ICMP6, 7, .icmp_type = 129 }, FALSE },
      { IN, 1, { PEER6, US6, ICMP6, 7, .icmp_type = 135 }, FALSE },
      { IN, 1, { PEER6, US6, ICMP4, 7, .icmp_type = 8 }, FALSE } } },
  { "destination",
    { { IN, 1, { PEER4, "100.64.0.9", ICMP4, 7, .icmp_type = 8 }, FALSE },
      { IN, 1, { PEER4, "192.168.1.1", ICMP4, 7, .icmp_type = 8 }, FALSE },
      { IN, 1, { PEER4, "224.0.0.1", ICMP4, 7, .icmp_type = 8 }, FALSE },
      { IN, 1, { PEER6, "fd7a:115c:a1e0::9", ICMP6, 7, .icmp_type = 128 }, FALSE } } },
  { "source",
    { { OUT, 1, { "192.168.1.1", PEER4, TCP, 4000, 80, HN_TCP_SYN }, FALSE },
      { OUT, 1, { US4, PEER4, HN_IP_PROTOCOL_TSMP, .payload = zeros, .payload_len = 9 }, FALSE },
      { IN, 1, { PEER4, US4, HN_IP_PROTOCOL_TSMP, .payload = zeros, .payload_len = 9 }, FALSE } } },
  { "fragments4",
    { { IN, 1, { PEER4, US4, UDP, .fragment_offset = 1400, .fragment_id = 77 }, FALSE },
      { OUT, 1, { US4, PEER4, UDP, 4000, 53 }, TRUE },
      { IN,
        2,
        { PEER4, US4, UDP, 53, 4000, .more_fragments = TRUE, .fragment_id = 77, .payload = zeros,
          .payload_len = 1392 },
        TRUE },
      { IN, 2, { PEER4, US4, UDP, .fragment_offset = 1400, .fragment_id = 77 }, TRUE },
      { IN, 2, { PEER4, US4, UDP, .fragment_offset = 1400, .fragment_id = 78 }, FALSE },
      { IN, 2, { "100.64.0.3", US4, UDP, .fragment_offset = 1400, .fragment_id = 77 }, FALSE },
      { IN, 2, { PEER4, US4, TCP, .fragment_offset = 1400, .fragment_id = 77 }, FALSE },
      { IN, 60, { PEER4, US4, UDP, .fragment_offset = 1400, .fragment_id = 77 }, FALSE } } },
  { "fragments6",
    { { OUT, 1, { US6, PEER6, UDP, 4000, 53 }, TRUE },
      { IN,
        2,
        { PEER6, US6, UDP, 53, 4000, .more_fragments = TRUE, .fragment_id = 0x12345678,
          .payload = zeros, .payload_len = 1392 },
        TRUE },
      { IN, 2, { PEER6, US6, UDP, .fragment_offset = 1400, .fragment_id = 0x12345678 }, TRUE },
      { IN, 2, { PEER6, US6, UDP, .fragment_offset = 1400, .fragment_id = 0x12345679 }, FALSE },
      /* A first fragment of nothing known opens nothing. */
      { IN,
        2,
        { PEER6, US6, UDP, 54, 4000, .more_fragments = TRUE, .fragment_id = 5, .payload = zeros,
          .payload_len = 1392 },
        FALSE },
      { IN, 2, { PEER6, US6, UDP, .fragment_offset = 1400, .fragment_id = 5 }, FALSE } } },
};

static void
test_story (gconstpointer data)
{
  const Story *story = data;
  g_autoptr (HnFilterThin) filter = make_filter ();
  guint8 bytes[CRAFT_MAX];

  for (guint i = 0; i < G_N_ELEMENTS (story->steps) && story->steps[i].craft.source != NULL; i++)
    {
      const Step *step = &story->steps[i];
      gsize len = craft_packet (&step->craft, bytes);
      HnIpPacket packet;
      gboolean pass = hn_ip_packet_parse (&packet, bytes, len);

      if (pass && step->out)
        pass = hn_filter_thin_outbound (filter, &packet, step->at_s * S);
      else if (pass)
        pass = hn_filter_thin_inbound (filter, &packet, step->at_s * S);
      if (pass != step->pass)
        g_error ("%s, step %u: %s", story->name, i, pass ? "passed" : "did not pass");
    }
}

/* Whether an ICMP error that quotes @quoted passes, after one UDP packet from port 4000 to 53. */
static gboolean
error_passes (const Craft *quoted, gsize cut, guint8 type)
{
  g_autoptr (HnFilterThin) filter = make_filter ();
  gboolean ipv6 = strchr (quoted->source, ':') != NULL;
  Craft udp = { ipv6 ? US6 : US4, ipv6 ? PEER6 : PEER4, UDP, 4000, 53 };
  guint8 inner[CRAFT_MAX], outer[CRAFT_MAX];
  gsize inner_len = craft_packet (quoted, inner);
  Craft error = { .source = ipv6 ? PEER6 : PEER4,
                  .destination = ipv6 ? US6 : US4,
                  .protocol = ipv6 ? ICMP6 : ICMP4,
                  .icmp_type = type,
                  .payload = inner,
                  .payload_len = MIN (cut, inner_len) };
  HnIpPacket packet;
  gsize len;

  len = craft_packet (&udp, outer);
  g_assert_true (hn_ip_packet_parse (&packet, outer, len));
  g_assert_true (hn_filter_thin_outbound (filter, &packet, S));
  len = craft_packet (&error, outer);
  return hn_ip_packet_parse (&packet, outer, len)
         && hn_filter_thin_inbound (filter, &packet, 2 * S);
}

static void
test_icmp_errors (void)
{
  Craft ours4 = { US4, PEER4, UDP, 4000, 53, .payload = zeros, .payload_len = 500 };
  Craft other_port = { US4, PEER4, UDP, 4001, 53 };
  Craft turned = { PEER4, US4, UDP, 53, 4000 };
  Craft reply = { US4, PEER4, ICMP4, 7, .icmp_type = 0 };
  Craft ours6 = { US6, PEER6, UDP, 4000, 53, .payload = zeros, .payload_len = 500 };

  g_assert_true (error_passes (&ours4, G_MAXSIZE, 3));
  g_assert_true (error_passes (&ours4, 28, 3)); /* header and 8 bytes are what must be there */
  g_assert_true (error_passes (&ours4, 28, 11));
  g_assert_false (error_passes (&ours4, 27, 3));
  g_assert_false (error_passes (&ours4, 0, 3));
  g_assert_false (error_passes (&ours4, 28, 4));
  g_assert_false (error_passes (&ours4, 28, 5));
  g_assert_false (error_passes (&other_port, G_MAXSIZE, 3));
  g_assert_false (error_passes (&turned, G_MAXSIZE, 3));
  g_assert_false (error_passes (&reply, G_MAXSIZE, 3));
  g_assert_true (error_passes (&ours6, G_MAXSIZE, 2));
  g_assert_true (error_passes (&ours6, 48, 1));
  g_assert_false (error_passes (&ours6, 47, 1));
  g_assert_false (error_passes (&ours6, 48, 137));
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
  g_test_add_func ("/dataplane/filter/icmp-errors", test_icmp_errors);
  return g_test_run ();
}
