/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tun/hn-tun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hn-error.h"

static const char *skip_reason;

static gboolean
skipped (void)
{
  if (skip_reason != NULL)
    g_test_skip (skip_reason);
  return skip_reason != NULL;
}

/* Sets address 10.9.0.1/24 and up. */
static void
configure (const char *name)
{
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = { 0 };
  struct sockaddr_in address = { .sin_family = AF_INET };

  g_strlcpy (request.ifr_name, name, sizeof request.ifr_name);
  address.sin_addr.s_addr = inet_addr ("10.9.0.1");
  memcpy (&request.ifr_addr, &address, sizeof address);
  g_assert_cmpint (ioctl (fd, SIOCSIFADDR, &request), ==, 0);
  address.sin_addr.s_addr = inet_addr ("255.255.255.0");
  memcpy (&request.ifr_netmask, &address, sizeof address);
  g_assert_cmpint (ioctl (fd, SIOCSIFNETMASK, &request), ==, 0);
  g_assert_cmpint (ioctl (fd, SIOCGIFFLAGS, &request), ==, 0);
  request.ifr_flags |= IFF_UP;
  g_assert_cmpint (ioctl (fd, SIOCSIFFLAGS, &request), ==, 0);
  close (fd);
}

static guint16
checksum (const guint8 *data, gsize len)
{
  guint32 sum = 0;

  for (gsize i = 0; i + 1 < len; i += 2)
    sum += (guint32) data[i] << 8 | data[i + 1];
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  return (guint16) ~sum;
}

/* Turns a UDP packet round; its checksum stays right, for addresses and ports only change places. */
static void
turn_round (guint8 *packet)
{
  guint8 address[4], port[2];

  memcpy (address, packet + 12, 4);
  memcpy (packet + 12, packet + 16, 4);
  memcpy (packet + 16, address, 4);
  memcpy (port, packet + 20, 2);
  memcpy (packet + 20, packet + 22, 2);
  memcpy (packet + 22, port, 2);
}

/* Reads until @n UDP packets came; others (neighbour discovery) are left aside. */
static guint
read_udp (HnPacketPort *port, HnPacketBatch *udp, guint n)
{
  static HnPacketBatch batch;
  guint found = 0;

  udp->n = 0;
  while (found < n)
    {
      struct pollfd poll_fd = { hn_packet_port_get_fd (port), POLLIN, 0 };

      if (poll (&poll_fd, 1, 1000) <= 0)
        break;
      g_assert_cmpint (hn_packet_port_read_batch (port, &batch), >=, 0);
      for (guint i = 0; i < batch.n; i++)
        if (batch.packets[i].data[0] == 0x45 && batch.packets[i].data[9] == IPPROTO_UDP)
          udp->packets[found++] = batch.packets[i];
    }
  udp->n = found;
  return found;
}

static void
test_there_and_back (void)
{
  static HnPacketBatch batch;
  g_autoptr (GError) error = NULL;
  g_autoptr (HnTun) tun = NULL;
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons (4000) };
  char text[32];
  int fd;

  if (skipped ())
    return;
  tun = hn_tun_new ("headnet7", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (hn_tun_get_name (tun), ==, "headnet7");
  g_assert_cmpint (hn_tun_get_ifindex (tun), ==, (int) if_nametoindex ("headnet7"));
  g_assert_cmpint (hn_packet_port_get_offloads (HN_PACKET_PORT (tun)), ==, 0);
  g_assert_cmpint (hn_packet_port_read_batch (HN_PACKET_PORT (tun), &batch), ==, 0);
  configure ("headnet7");

  fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  to.sin_addr.s_addr = inet_addr ("10.9.0.2");
  g_assert_cmpint (connect (fd, (struct sockaddr *) &to, sizeof to), ==, 0);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (send (fd, "headnet!", 8, 0), ==, 8);
  g_assert_cmpuint (read_udp (HN_PACKET_PORT (tun), &batch, 3), ==, 3);
  for (guint i = 0; i < 3; i++)
    {
      HnPacket *packet = &batch.packets[i];

      g_assert_cmpuint (packet->len, ==, 36);
      g_assert_false (packet->needs_csum);
      g_assert_cmpint (packet->gso_type, ==, HN_GSO_NONE);
      g_assert_cmpuint (checksum (packet->data, 20), ==, 0);
      /* The room around it is ours. */
      memset (packet->data - HN_PACKET_HEADROOM, 0xaa, HN_PACKET_HEADROOM);
      memset (packet->data + packet->len, 0xaa, HN_PACKET_TAILROOM);
      turn_round (packet->data);
    }
  /* The second leaves its checksum to the kernel, as a coalesced packet would. */
  batch.packets[1].needs_csum = TRUE;
  batch.packets[1].csum_start = 20;
  batch.packets[1].csum_offset = 6;
  {
    guint8 *udp = batch.packets[1].data + 20;
    guint32 sum = IPPROTO_UDP + 16;

    for (guint i = 12; i < 20; i += 2)
      sum += (guint32) batch.packets[1].data[i] << 8 | batch.packets[1].data[i + 1];
    while (sum >> 16)
      sum = (sum & 0xffff) + (sum >> 16);
    udp[6] = (guint8) (sum >> 8);
    udp[7] = (guint8) sum;
  }
  g_assert_cmpuint (hn_packet_port_write_batch (HN_PACKET_PORT (tun), &batch), ==, 3);
  for (guint i = 0; i < 3; i++)
    {
      struct pollfd poll_fd = { fd, POLLIN, 0 };

      g_assert_cmpint (poll (&poll_fd, 1, 1000), ==, 1);
      g_assert_cmpint (recv (fd, text, sizeof text, 0), ==, 8);
      g_assert_cmpmem (text, 8, "headnet!", 8);
    }
  close (fd);
}

static void
test_large (void)
{
  static HnPacketBatch batch;
  g_autoptr (HnTun) tun = NULL;
  g_autofree guint8 *data = g_malloc0 (1472);
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons (4000) };
  int fd;

  if (skipped ())
    return;
  tun = hn_tun_new ("headnet7", NULL);
  g_assert_nonnull (tun);
  configure ("headnet7");
  fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  to.sin_addr.s_addr = inet_addr ("10.9.0.2");
  /* More than a batch: the rest comes with the next. */
  for (guint i = 0; i < HN_PACKET_BATCH_MAX + 5; i++)
    sendto (fd, data, 1472, 0, (struct sockaddr *) &to, sizeof to);
  g_assert_cmpint (hn_packet_port_read_batch (HN_PACKET_PORT (tun), &batch), ==,
                   HN_PACKET_BATCH_MAX);
  g_assert_cmpint (hn_packet_port_read_batch (HN_PACKET_PORT (tun), &batch), >=, 5);
  g_assert_cmpint (hn_packet_port_read_batch (HN_PACKET_PORT (tun), &batch), ==, 0);
  close (fd);
}

static void
test_name_in_use (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HnTun) tun = NULL;
  g_autoptr (HnTun) other = NULL;

  if (skipped ())
    return;
  tun = hn_tun_new ("headnet7", NULL);
  g_assert_nonnull (tun);
  other = hn_tun_new ("headnet7", &error);
  g_assert_error (error, HN_ERROR, HN_ERROR_EXISTS);
  g_assert_null (other);
  /* It goes with its last reference. */
  g_clear_object (&tun);
  g_assert_cmpuint (if_nametoindex ("headnet7"), ==, 0);
}

static void
test_deleted (void)
{
  static HnPacketBatch batch;
  g_autoptr (GError) error = NULL;
  g_autoptr (HnTun) tun = NULL;
  struct pollfd poll_fd;
  int status;

  if (skipped ())
    return;
  tun = hn_tun_new ("headnet7", NULL);
  g_assert_nonnull (tun);
  if (!g_spawn_command_line_sync ("ip link del headnet7", NULL, NULL, &status, &error))
    {
      g_test_skip ("ip (package iproute2) is not installed");
      return;
    }
  g_assert_cmpint (status, ==, 0);
  /* Whoever polls wakes up and learns it. */
  poll_fd = (struct pollfd){ hn_packet_port_get_fd (HN_PACKET_PORT (tun)), POLLIN, 0 };
  g_assert_cmpint (poll (&poll_fd, 1, 1000), ==, 1);
  g_assert_cmpint (hn_packet_port_read_batch (HN_PACKET_PORT (tun), &batch), <, 0);
}

int
main (int argc, char **argv)
{
  g_autoptr (HnTun) probe = NULL;
  g_autoptr (GError) error = NULL;

  g_test_init (&argc, &argv, NULL);
  if (unshare (CLONE_NEWNET) != 0 && unshare (CLONE_NEWUSER | CLONE_NEWNET) != 0)
    skip_reason = "no network name space can be made here";
  else
    {
      probe = hn_tun_new ("headnet9", &error);
      if (probe == NULL)
        skip_reason = error->message;
    }
  g_clear_object (&probe);
  g_test_add_func ("/tun/there-and-back", test_there_and_back);
  g_test_add_func ("/tun/large", test_large);
  g_test_add_func ("/tun/name-in-use", test_name_in_use);
  g_test_add_func ("/tun/deleted", test_deleted);
  return g_test_run ();
}
