/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the data plane costs besides the tunnel: judging a packet, finding its peer among ten
 * thousand, the memory of peers at rest, and ten thousand routes in the kernel (in a name space of
 * its own, where that is allowed).
 */
#include <malloc.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "crypto/hn-crypto.h"
#include "dataplane/hn-filter.h"
#include "dataplane/hn-pump.h"
#include "system/hn-links.h"
#include "tun/hn-tun.h"

#define ROUND_US (300 * 1000)
#define N_PEERS 10000

static guint8 packet_out[40]
    = { 0x45, 0, 0, 40,  0,  0, 0x40, 0,    64,   6, 0,  0,           100,
        64,   0, 1, 100, 64, 0, 2,    0x0f, 0xa0, 0, 80, [32] = 0x50, 0x10 };
static guint8 packet_in[40]
    = { 0x45, 0, 0, 40,  0,  0, 0x40, 0, 64, 6,    0,    0,           100,
        64,   0, 2, 100, 64, 0, 1,    0, 80, 0x0f, 0xa0, [32] = 0x50, 0x10 };

static double
judge (gboolean outbound, guint n_flows)
{
  g_autoptr (HnFilter) filter = hn_filter_new ();
  gint64 start, end;
  guint64 n = 0;
  HnIpPacket packet;
  HnPrefix own;

  g_assert_true (hn_prefix_parse ("100.64.0.1/32", FALSE, &own));
  hn_filter_set_addresses (filter, &own, 1);
  start = g_get_monotonic_time ();
  do
    for (guint i = 0; i < 1024; i++, n++)
      {
        guint port = (guint) (n % n_flows);

        packet_out[20] = packet_in[22] = (guint8) (port >> 8);
        packet_out[21] = packet_in[23] = (guint8) port;
        if (outbound || n < n_flows)
          {
            g_assert_true (hn_ip_packet_parse (&packet, packet_out, sizeof packet_out));
            hn_filter_outbound (filter, &packet, start);
          }
        else
          {
            g_assert_true (hn_ip_packet_parse (&packet, packet_in, sizeof packet_in));
            hn_filter_inbound (filter, &packet, FALSE, start);
          }
      }
  while ((end = g_get_monotonic_time ()) - start < ROUND_US);
  return (double) (end - start) * 1000 / (double) n;
}

/* A port that never has a packet. */
typedef GObject NullPort;
typedef GObjectClass NullPortClass;

static int
null_get_fd (HnPacketPort *port)
{
  return -1;
}

static HnPortOffloads
null_get_offloads (HnPacketPort *port)
{
  return 0;
}

static int
null_read_batch (HnPacketPort *port, HnPacketBatch *batch)
{
  batch->n = 0;
  return 0;
}

static guint
null_write_batch (HnPacketPort *port, const HnPacketBatch *batch)
{
  return batch->n;
}

static void
null_port_interface_init (HnPacketPortInterface *iface)
{
  iface->get_fd = null_get_fd;
  iface->get_offloads = null_get_offloads;
  iface->read_batch = null_read_batch;
  iface->write_batch = null_write_batch;
}

static GType null_port_get_type (void);
G_DEFINE_TYPE_WITH_CODE (NullPort, null_port, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (HN_TYPE_PACKET_PORT, null_port_interface_init))

static void
null_port_class_init (NullPortClass *klass)
{
}

static void
null_port_init (NullPort *self)
{
}

static void
measure_peers (void)
{
  static const HnPumpOps ops = { 0 };
  g_autoptr (HnPacketPort) port = HN_PACKET_PORT (g_object_new (null_port_get_type (), NULL));
  g_autoptr (GPtrArray) nodes = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  g_autoptr (HnPump) pump = NULL;
  struct mallinfo2 before, after;
  gint64 start, full, single;

  for (guint i = 0; i < N_PEERS; i++)
    {
      g_autofree char *ip4 = g_strdup_printf ("100.70.%u.%u", i >> 8, i & 255);
      g_autofree char *ip6 = g_strdup_printf ("fd7a:115c:a1e0::7:%x", i + 1);
      HnPrefix addresses[2];
      HnNodeFields fields = { .id = i + 1,
                              .stable_id = "",
                              .name = "",
                              .host_name = "",
                              .os = "",
                              .home_derp = 1,
                              .addresses = addresses,
                              .n_addresses = 2,
                              .allowed_ips = addresses,
                              .n_allowed_ips = 2 };

      g_assert_true (hn_prefix_parse (ip4, TRUE, &addresses[0]));
      g_assert_true (hn_prefix_parse (ip6, TRUE, &addresses[1]));
      hn_random_bytes (fields.key.bytes, sizeof fields.key.bytes);
      g_ptr_array_add (nodes, hn_node_new (&fields));
    }
  pump = hn_pump_new (port, &ops, NULL, 0);
  before = mallinfo2 ();
  start = g_get_monotonic_time ();
  hn_pump_update_peers (pump, nodes, NULL, TRUE);
  full = g_get_monotonic_time () - start;
  after = mallinfo2 ();
  printf ("%d peers at rest: %zu bytes each, taken over in %.1f ms\n", N_PEERS,
          (after.uordblks + after.hblkhd - before.uordblks - before.hblkhd) / N_PEERS,
          (double) full / 1000);

  g_ptr_array_set_size (nodes, 1);
  start = g_get_monotonic_time ();
  hn_pump_update_peers (pump, nodes, NULL, FALSE);
  single = g_get_monotonic_time () - start;
  printf ("one of them changed: %d us\n", (int) single);
}

static void
measure_routes (void)
{
  g_autofree HnPrefix *routes = g_new0 (HnPrefix, N_PEERS);
  g_autoptr (GError) error = NULL;
  g_autoptr (HnLinks) links = NULL;
  g_autoptr (HnTun) tun = NULL;
  HnPrefix own;
  HnLinkSettings settings = { .mtu = 1280,
                              .table = HN_ROUTE_TABLE_BASE,
                              .addresses = &own,
                              .n_addresses = 1,
                              .routes = routes,
                              .n_routes = N_PEERS };
  gint64 start, applied, again, changed, cleared;

  if (unshare (CLONE_NEWNET) != 0 || (tun = hn_tun_new ("headnet0", &error)) == NULL
      || (links = hn_links_new (&error)) == NULL)
    {
      printf ("routes: not measured, %s\n", error != NULL ? error->message : "no name space");
      return;
    }
  g_assert_true (hn_prefix_parse ("100.64.0.1/32", FALSE, &own));
  for (guint i = 0; i < N_PEERS; i++)
    routes[i] = (HnPrefix){ { 4, { 100, 70, (guint8) (i >> 8), (guint8) i } }, 32 };
  settings.ifindex = hn_tun_get_ifindex (tun);
  start = g_get_monotonic_time ();
  g_assert_true (hn_links_apply (links, &settings, NULL));
  applied = g_get_monotonic_time ();
  g_assert_true (hn_links_apply (links, &settings, NULL));
  again = g_get_monotonic_time ();
  g_assert_true (hn_links_change_routes (links, settings.ifindex, settings.table, NULL, 0,
                                         &routes[7], 1, NULL));
  changed = g_get_monotonic_time ();
  g_assert_true (hn_links_clear (links, settings.table, NULL));
  cleared = g_get_monotonic_time ();
  printf ("%d routes: applied in %.1f ms, compared in %.1f ms, one removed in %d us, all in %.1f "
          "ms\n",
          N_PEERS, (double) (applied - start) / 1000, (double) (again - applied) / 1000,
          (int) (changed - again), (double) (cleared - changed) / 1000);
}

int
main (void)
{
  g_assert_true (hn_crypto_init (NULL));
  printf ("filter, outbound: %.0f ns a packet with 1 flow, %.0f with 4096\n", judge (TRUE, 1),
          judge (TRUE, 4096));
  printf ("filter, inbound: %.0f ns a packet with 1 flow, %.0f with 4096\n", judge (FALSE, 1),
          judge (FALSE, 4096));
  measure_peers ();
  measure_routes ();
  return 0;
}
