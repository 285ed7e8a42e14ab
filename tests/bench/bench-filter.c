/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the access filter costs: a packet that a rule has to let in, by the number of rules, and the
 * compilation. The rules are those of a real policy: each lets one or some nodes in to some ports.
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "crypto/hn-crypto.h"
#include "dataplane/hn-filter.h"

#define N_ROUNDS 40
#define N_PACKETS 4096

typedef struct
{
  HnIp source;
  guint16 port;
} Asked;

static HnIp
node_ip (guint8 family, guint number)
{
  HnIp ip = { .family = family };
  /* As control servers spread them: not in order. */
  const guint32 spread = (number * 2654435761u) >> 10;

  if (family == 4)
    memcpy (
        ip.bytes,
        (guint8[]){ 100, (guint8) (64 | spread >> 16), (guint8) (spread >> 8), (guint8) spread },
        4);
  else
    memcpy (ip.bytes,
            (guint8[16]){ 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, [13] = (guint8) (spread >> 16),
                          [14] = (guint8) (spread >> 8), [15] = (guint8) spread },
            16);
  return ip;
}

/* Rule i: nodes i and 0, TCP and UDP, two ports of its own; and once for all the echo of everybody. */
static HnFilterRules *
make_rules (guint n, const HnIp *own, Asked *asked)
{
  static const guint8 usual[] = { 6, 17, 1, 58 };
  HnFilterRule *rules = g_new0 (HnFilterRule, n);

  for (guint i = 0; i < n; i++)
    {
      HnFilterRule *rule = &rules[i];
      const guint16 port = (guint16) (1000 + 2 * i);

      rule->n_sources = 4;
      rule->sources = g_new0 (HnIpRange, 4);
      rule->n_destinations = 4;
      rule->destinations = g_new0 (HnFilterDestination, 4);
      for (guint k = 0; k < 4; k++)
        {
          const guint8 family = k % 2 == 0 ? 4 : 6;
          const HnIp node = node_ip (family, k < 2 ? i : 0);
          const guint16 open = (guint16) (port + (k < 2 ? 0 : 20));

          rule->sources[k] = (HnIpRange){ node, node };
          rule->destinations[k] = (HnFilterDestination){ { own[k % 2], own[k % 2] }, open, open };
        }
      rule->n_protocols = G_N_ELEMENTS (usual);
      rule->protocols = g_memdup2 (usual, sizeof usual);
    }
  for (guint i = 0; i < N_PACKETS; i++)
    {
      const guint rule = hn_random_u32 () % n;

      asked[i].source = node_ip (own[i % 2].family, rule);
      asked[i].port = (guint16) (1000 + 2 * rule);
    }
  return hn_filter_rules_new_take (rules, n);
}

static gsize
make_packet (guint8 *out, const HnIp *source, const HnIp *destination, guint8 protocol,
             guint16 port)
{
  const gsize header = source->family == 4 ? 20 : 40;
  guint8 *transport = out + header;

  memset (out, 0, 60);
  if (source->family == 4)
    {
      out[0] = 0x45;
      out[3] = 40;
      out[9] = protocol;
      memcpy (out + 12, source->bytes, 4);
      memcpy (out + 16, destination->bytes, 4);
    }
  else
    {
      out[0] = 0x60;
      out[5] = 20;
      out[6] = protocol;
      memcpy (out + 8, source->bytes, 16);
      memcpy (out + 24, destination->bytes, 16);
    }
  transport[0] = 0x9c;
  transport[2] = (guint8) (port >> 8);
  transport[3] = (guint8) port;
  transport[13] = 0x02; /* SYN, if it is TCP */
  return header + 20;
}

/* The processor's time, so that what else runs here counts less. */
static double
now_ns (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return (double) now.tv_sec * 1e9 + (double) now.tv_nsec;
}

/* Nanoseconds a packet, the best of many rounds; @n_peers: how many of the sources talk. */
static double
measure (HnFilter *filter, const HnIp *own, const Asked *asked, guint n_peers, guint family_of,
         guint8 protocol)
{
  g_autofree guint8 (*packets)[60] = g_malloc (N_PACKETS * sizeof *packets);
  double best = G_MAXDOUBLE;
  gsize len = 0;

  for (guint i = 0; i < N_PACKETS; i++)
    {
      const Asked *one = &asked[(i % n_peers) * 2 + family_of];

      len = make_packet (packets[i], &one->source, &own[family_of], protocol, one->port);
    }
  for (guint round = 0; round < N_ROUNDS; round++)
    {
      const double start = now_ns ();

      for (guint i = 0; i < N_PACKETS; i++)
        {
          HnIpPacket packet;

          if (!hn_ip_packet_parse (&packet, packets[i], len)
              || hn_filter_inbound (filter, &packet, FALSE, 0) != HN_FILTER_PASS)
            g_error ("A packet that a rule lets in did not pass");
        }
      best = MIN (best, (now_ns () - start) / N_PACKETS);
    }
  return best;
}

int
main (void)
{
  static const guint n_rules[] = { 10, 1000, 10000 };
  static const struct
  {
    const char *name;
    guint family_of;
    guint8 protocol;
  } kinds[] = {
    { "SYN, IPv4", 0, 6 }, { "SYN, IPv6", 1, 6 }, { "UDP, IPv4", 0, 17 }, { "UDP, IPv6", 1, 17 }
  };
  HnPrefix own[2];
  HnIp ips[2];

  g_assert_true (hn_crypto_init (NULL));
  g_assert_true (hn_prefix_parse ("100.64.0.1/32", FALSE, &own[0]));
  g_assert_true (hn_prefix_parse ("fd7a:115c:a1e0::1/128", FALSE, &own[1]));
  ips[0] = own[0].ip;
  ips[1] = own[1].ip;
  printf ("An inbound packet that a rule lets in, parsed and judged, ns, from 10 and from 2,048 "
          "peers\n");
  for (guint i = 0; i < G_N_ELEMENTS (n_rules); i++)
    {
      g_autofree Asked *asked = g_new0 (Asked, N_PACKETS);
      g_autoptr (HnFilterRules) rules = make_rules (n_rules[i], ips, asked);
      g_autoptr (HnFilter) filter = hn_filter_new ();
      const gsize before = mallinfo2 ().uordblks + mallinfo2 ().hblkhd;
      const double start = now_ns ();
      g_autoptr (HnFilterProgram) program = hn_filter_program_new (rules, NULL, FALSE);
      double end;

      hn_filter_program_prepare (program, own, G_N_ELEMENTS (own));
      end = now_ns ();
      g_assert_cmpuint (hn_filter_program_get_skipped (program), ==, 0);
      printf ("%u rules: compiled in %.1f ms, %.0f KiB\n", n_rules[i], (end - start) / 1e6,
              (double) (mallinfo2 ().uordblks + mallinfo2 ().hblkhd - before) / 1024);
      hn_filter_set_addresses (filter, own, G_N_ELEMENTS (own));
      hn_filter_set_program (filter, program);
      for (guint k = 0; k < G_N_ELEMENTS (kinds); k++)
        printf ("  %s: %.1f, %.1f\n", kinds[k].name,
                measure (filter, ips, asked, 10, kinds[k].family_of, kinds[k].protocol),
                measure (filter, ips, asked, N_PACKETS / 2, kinds[k].family_of, kinds[k].protocol));
    }
  return 0;
}
