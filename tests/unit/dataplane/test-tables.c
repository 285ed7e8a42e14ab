/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "crypto/hn-crypto.h"
#include "dataplane/hn-address-map.h"
#include "dataplane/hn-flow-table.h"
#include "dataplane/hn-ip-reply.h"

static HnFlowKey
flow (guint8 protocol, guint32 n)
{
  HnFlowKey key = { .local = { 100, 64, 0, 1 },
                    .remote = { 100, 65, (guint8) (n >> 24), (guint8) (n >> 16) },
                    .local_port = (guint16) n,
                    .remote_port = 80,
                    .protocol = protocol,
                    .family = 4 };

  return key;
}

/* Connections survive any number of unanswered attempts and of datagrams. */
static void
test_pressure (void)
{
  g_autoptr (HnFlowTable) table = hn_flow_table_new (1024);
  const guint connections = 256;
  guint alive = 0;
  gint64 now_us = G_USEC_PER_SEC;

  for (guint i = 0; i < connections; i++)
    {
      HnFlowKey key = flow (HN_IP_PROTOCOL_TCP, i);

      hn_flow_table_note_outbound (table, &key, HN_TCP_SYN, now_us);
      g_assert_true (hn_flow_table_note_inbound (table, &key, HN_TCP_SYN | HN_TCP_ACK, now_us));
    }
  now_us += G_GINT64_CONSTANT (36000) * G_USEC_PER_SEC;
  for (guint i = 0; i < 100000; i++)
    {
      HnFlowKey tried = flow (HN_IP_PROTOCOL_TCP, 0x10000 + i);
      HnFlowKey datagram = flow (HN_IP_PROTOCOL_UDP, 0x10000 + i);

      hn_flow_table_note_outbound (table, &tried, HN_TCP_SYN, now_us);
      hn_flow_table_note_outbound (table, &datagram, 0, now_us);
      g_assert_true (hn_flow_table_note_inbound (table, &datagram, 0, now_us));
      now_us += 1000;
    }
  for (guint i = 0; i < connections; i++)
    {
      HnFlowKey key = flow (HN_IP_PROTOCOL_TCP, i);

      alive += hn_flow_table_contains (table, &key, now_us);
    }
  g_assert_cmpuint (alive, ==, connections);
}

/* More connections than places: the longest idle ones go, the used ones stay. */
static void
test_overflow (void)
{
  g_autoptr (HnFlowTable) table = hn_flow_table_new (1024);
  guint alive = 0;

  for (guint i = 0; i < 10000; i++)
    {
      gint64 now_us = (gint64) (i + 1) * G_USEC_PER_SEC;
      HnFlowKey key = flow (HN_IP_PROTOCOL_TCP, i);
      HnFlowKey used = flow (HN_IP_PROTOCOL_TCP, 0);

      hn_flow_table_note_outbound (table, &key, HN_TCP_SYN, now_us);
      hn_flow_table_note_inbound (table, &key, HN_TCP_ACK, now_us);
      g_assert_true (hn_flow_table_note_inbound (table, &used, HN_TCP_ACK, now_us));
    }
  for (guint i = 0; i < 10000; i++)
    {
      HnFlowKey key = flow (HN_IP_PROTOCOL_TCP, i);

      alive += hn_flow_table_contains (table, &key, 10000 * (gint64) G_USEC_PER_SEC);
    }
  g_assert_cmpuint (alive, <=, 1024);
  g_assert_cmpuint (alive, >, 1000);
}

static HnIp
address (guint i)
{
  HnIp ip = { .family = i % 2 == 0 ? 4 : 6 };

  if (ip.family == 4)
    memcpy (ip.bytes, (guint8[]){ 100, 64, (guint8) (i >> 8), (guint8) i }, 4);
  else
    memcpy (ip.bytes,
            (guint8[]){ 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, [14] = (guint8) (i >> 8), (guint8) i },
            16);
  return ip;
}

static void
test_address_map (void)
{
  g_autoptr (HnAddressMap) map = hn_address_map_new ();
  static int values[20000];
  gint64 start;

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      HnIp ip = address (i);

      g_assert_null (hn_address_map_lookup (map, ip.family, ip.bytes));
      hn_address_map_insert (map, &ip, &values[i]);
    }
  g_assert_cmpuint (hn_address_map_get_size (map), ==, G_N_ELEMENTS (values));
  start = g_get_monotonic_time ();
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      HnIp ip = address (i);

      g_assert_true (hn_address_map_lookup (map, ip.family, ip.bytes) == &values[i]);
    }
  /* A poor hash makes this thousands of times slower. */
  g_assert_cmpint (g_get_monotonic_time () - start, <, 200000);
  g_test_message ("%u look-ups in %" G_GINT64_FORMAT " us", (guint) G_N_ELEMENTS (values),
                  g_get_monotonic_time () - start);
  /* Every third goes; another's claim to an address removes nothing. */
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      HnIp ip = address (i);

      hn_address_map_remove (map, &ip, i % 3 == 0 ? &values[i] : &values[(i + 1) % 20000]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      HnIp ip = address (i);

      g_assert_true (hn_address_map_lookup (map, ip.family, ip.bytes)
                     == (i % 3 == 0 ? NULL : &values[i]));
    }
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      HnIp ip = address (i);

      hn_address_map_remove (map, &ip, &values[i]);
    }
  g_assert_cmpuint (hn_address_map_get_size (map), ==, 0);
}

static void
test_finish_checksum (void)
{
  /* A UDP packet with the pseudo header's sum in its place, and what a kernel makes of it. */
  guint8 data[] = { 0x45, 0,  0, 32, 0, 0,    0x40, 0,    64, 17, 0, 0, 100, 64,  0,   1,
                    100,  64, 0, 2,  0, 0x35, 0x12, 0x34, 0,  12, 0, 0, 'a', 'b', 'c', 'd' };
  HnPacket packet = {
    .data = data, .len = sizeof data, .needs_csum = TRUE, .csum_start = 20, .csum_offset = 6
  };
  guint32 pseudo = hn_ip_sum (data + 12, 8, 17 + 12);

  data[26] = (guint8) (pseudo >> 8);
  data[27] = (guint8) pseudo;
  g_assert_true (hn_packet_finish_checksum (&packet));
  g_assert_false (packet.needs_csum);
  /* Right if all of it sums to ones. */
  g_assert_cmphex (hn_ip_sum (data + 20, 12, pseudo), ==, 0xffff);

  packet.needs_csum = TRUE;
  packet.csum_offset = 11;
  g_assert_false (hn_packet_finish_checksum (&packet));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/dataplane/flow-table/pressure", test_pressure);
  g_test_add_func ("/dataplane/flow-table/overflow", test_overflow);
  g_test_add_func ("/dataplane/address-map", test_address_map);
  g_test_add_func ("/dataplane/finish-checksum", test_finish_checksum);
  return g_test_run ();
}
