/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verdicts of upstream's own filter about random packets under random rules, which
 * tests/data/filter/main.go wrote down, against ours. Where we differ on purpose stands below.
 */
#include <string.h>

#include "control/hn-map-parser.h"
#include "crypto/hn-crypto.h"
#include "dataplane/hn-filter.h"
#include "filter-rules.h"

#define US4 "100.64.0.1"
#define US6 "fd7a:115c:a1e0::1"

static HnFilter *
make_filter (const char *json, GPtrArray *peers)
{
  const HnPrefix own[] = { prefix (US4), prefix (US6) };
  HnMapUpdate *update = hn_map_update_new ();
  HnMapParser parser = { .update = update };
  HnFilter *filter = hn_filter_new ();
  g_autoptr (HnFilterProgram) program = NULL;
  g_autoptr (HnFilterRules) rules = NULL;
  HnJsonReader reader;

  hn_json_reader_init (&reader, json, strlen (json));
  rules = hn_map_read_rules (&parser, &reader);
  g_assert_nonnull (rules);
  program = hn_filter_program_new (rules, peers, FALSE);
  hn_filter_set_addresses (filter, own, G_N_ELEMENTS (own));
  hn_filter_set_program (filter, program);
  hn_map_parser_clear (&parser);
  hn_map_update_free (update);
  return filter;
}

static gboolean
differs_on_purpose (const HnIpPacket *packet, gsize len, HnFilterVerdict verdict, gboolean out)
{
  const gboolean icmp
      = packet->protocol == (packet->family == 4 ? HN_IP_PROTOCOL_ICMP : HN_IP_PROTOCOL_ICMP6);
  const guint8 type = len > packet->header_len ? packet->data[packet->header_len] : 0;

  /* No ICMP is shorter than 8 bytes. */
  if (icmp && len - packet->header_len < 8)
    return TRUE;
  /* Upstream leaves this to others: sources that are not ours, TSMP from the host. */
  if (out)
    return verdict == HN_FILTER_NOT_OURS || packet->protocol == HN_IP_PROTOCOL_TSMP;
  /* Later pieces that are not for us, and TSMP in pieces over IPv6. */
  if (verdict == HN_FILTER_FRAGMENT
      || (packet->protocol == HN_IP_PROTOCOL_TSMP && packet->fragment != HN_FRAGMENT_NONE))
    return TRUE;
  /* "Parameter problem" is 12; upstream's number is 0x12. */
  return icmp && packet->family == 4 && (type == 12 || type == 18);
}

/* "I HEX VERDICT" or "O HEX VERDICT", 1 for passed. */
static gboolean
check_packet (HnFilter *filter, const char *line, gboolean *pass)
{
  const gboolean out = line[0] == 'O';
  HnFilterVerdict verdict = HN_FILTER_MALFORMED;
  HnIpPacket packet;
  guint8 bytes[256];
  gsize len = 0;

  for (line += 2; *line != ' '; line += 2)
    bytes[len++] = (guint8) (g_ascii_xdigit_value (line[0]) << 4 | g_ascii_xdigit_value (line[1]));
  if (hn_ip_packet_parse (&packet, bytes, len))
    verdict = out ? hn_filter_outbound (filter, &packet, 1)
                  : hn_filter_inbound (filter, &packet, FALSE, 1);
  *pass = verdict == HN_FILTER_PASS;
  return *pass == (line[1] == '1') || differs_on_purpose (&packet, len, verdict, out);
}

static void
test_upstream (void)
{
  g_autofree char *path
      = g_test_build_filename (G_TEST_DIST, "..", "..", "data", "filter", "verdicts", NULL);
  g_autoptr (GPtrArray) peers = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  g_autoptr (HnFilter) filter = NULL;
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  const char *rules = NULL;
  guint n_packets = 0;
  guint n_passed = 0;

  g_ptr_array_add (peers, make_peer (1, "100.64.0.2", "a", FALSE));
  g_ptr_array_add (peers, make_peer (2, "100.64.0.3", "b", FALSE));
  g_ptr_array_add (peers, make_peer (3, "fd7a:115c:a1e0::2", "a", FALSE));
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL && lines[i][0] != '\0'; i++)
    {
      gboolean pass;

      if (lines[i][0] == 'R')
        {
          rules = lines[i] + 2;
          g_clear_pointer (&filter, hn_filter_free);
          filter = make_filter (rules, peers);
          continue;
        }
      if (!check_packet (filter, lines[i], &pass))
        g_error ("%s: %s: not so", rules, lines[i]);
      n_packets++;
      n_passed += pass;
    }
  g_test_message ("%u packets, %u passed", n_packets, n_passed);
  g_assert_cmpuint (n_packets, >=, 1000);
  g_assert_cmpuint (n_passed, >=, 100);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/dataplane/filter/upstream", test_upstream);
  return g_test_run ();
}
