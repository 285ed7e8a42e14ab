/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a datagram costs on its way through a pair of our sockets, over loopback in one thread: sent
 * in batches of one address, read and thrown away, with and without the kernel's help.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net/hn-udp.h"

#define RUN_US (400 * 1000)
#define BATCH 48

typedef struct
{
  guint64 n;
  guint64 bytes;
} Sink;

static void
on_receive (gpointer user, const HnEndpoint *from G_GNUC_UNUSED, guint8 *data G_GNUC_UNUSED,
            gsize len)
{
  Sink *sink = user;

  sink->n++;
  sink->bytes += len;
}

static const HnUdpOps ops = { on_receive, NULL, NULL };

static double
get_cpu (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &ts);
  return ts.tv_sec + ts.tv_nsec / 1e9;
}

static gboolean
run (HnUdpOffloads offloads, gsize len)
{
  Sink sink = { 0 };
  HnUdp *from = hn_udp_new (0, &ops, &sink);
  HnUdp *to = hn_udp_new (0, &ops, &sink);
  HnEndpoint where = { 0 };
  guint8 data[1500] = { 4 };
  gint64 started;
  double cpu, seconds;
  const HnUdpCounters *sent = hn_udp_get_counters (from), *got = hn_udp_get_counters (to);

  hn_udp_set_offloads (from, offloads);
  hn_udp_set_offloads (to, offloads);
  if (!hn_udp_bind (from, 0, NULL) || !hn_udp_bind (to, 0, NULL) || hn_udp_get_port (to, 4) == 0)
    return FALSE;
  hn_ip_parse ("127.0.0.1", &where.ip);
  where.port = hn_udp_get_port (to, 4);

  cpu = get_cpu ();
  started = g_get_monotonic_time ();
  while (g_get_monotonic_time () - started < RUN_US)
    {
      for (guint i = 0; i < BATCH; i++)
        hn_udp_send (from, &where, data, len);
      hn_udp_flush (from);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
  cpu = get_cpu () - cpu;
  seconds = (g_get_monotonic_time () - started) / 1e6;
  printf ("udp %-8s %4zu B: %7.0f kpkt/s %6.2f Gbit/s %6.0f ns/pkt  %4.1f/write %4.1f/read  "
          "lost %" G_GUINT64_FORMAT "\n",
          offloads == 0            ? "plain"
          : offloads == HN_UDP_GSO ? "gso"
          : offloads == HN_UDP_GRO ? "gro"
                                   : "gso+gro",
          len, sink.n / seconds / 1e3, sink.bytes * 8 / seconds / 1e9, cpu * 1e9 / MAX (sink.n, 1),
          (double) sent->sent / MAX (sent->writes, 1), (double) got->received / MAX (got->reads, 1),
          sent->sent - sink.n);
  hn_udp_free (from);
  hn_udp_free (to);
  return sink.n > 0;
}

int
main (void)
{
  static const gsize sizes[] = { 96, 1312 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (guint offloads = 0; offloads < 4; offloads++)
      if (!run (offloads, sizes[i]))
        return 1;
  return 0;
}
