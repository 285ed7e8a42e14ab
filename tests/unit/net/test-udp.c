/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/hn-udp.h"

/* In the place of the C library's: a kernel that refuses batches. */
static int refuse_batches;
static guint refused;

ssize_t sendmsg (int fd, const struct msghdr *message, int flags)
    __attribute__ ((visibility ("default")));

ssize_t
sendmsg (int fd, const struct msghdr *message, int flags)
{
  if (refuse_batches != 0)
    {
      refused++;
      errno = refuse_batches;
      return -1;
    }
  return syscall (SYS_sendmsg, fd, message, flags);
}

/* One end; it keeps what it got. */
typedef struct
{
  HnUdp *udp;
  HnUdp *echo;    /* nullable: sends each datagram back through this one */
  GPtrArray *got; /* of GBytes */
  HnEndpoint from;
  guint rounds; /* of received_all */
  guint most;   /* datagrams in one round */
  guint in_round;
  guint failures;
  int error;
  HnEndpoint failed_to;
  HnEndpoint instead; /* where to send after a failure; none: the same again */
  gboolean rebind;
  gboolean close;
} End;

static void
on_receive (gpointer user, const HnEndpoint *from, guint8 *data, gsize len)
{
  End *end = user;

  end->from = *from;
  end->in_round++;
  g_ptr_array_add (end->got, g_bytes_new (data, len));
  /* Whoever opens a sealed datagram writes over it. */
  memset (data, 0xdd, len);
  if (end->echo != NULL)
    g_assert_cmpint (hn_udp_send (end->echo, from, data, len), ==, 0);
  if (end->rebind)
    {
      end->rebind = FALSE;
      g_assert_true (hn_udp_rebind (end->udp, NULL));
    }
  if (end->close)
    hn_udp_close (end->udp);
}

static void
on_received_all (gpointer user)
{
  End *end = user;

  end->rounds++;
  end->most = MAX (end->most, end->in_round);
  end->in_round = 0;
  hn_udp_flush (end->udp);
}

static void
on_send_failed (gpointer user, const HnEndpoint *to, int error)
{
  End *end = user;

  end->failures++;
  end->error = error;
  end->failed_to = *to;
  /* Must not go round for ever. */
  if (end->failures < 100)
    hn_udp_send (end->udp, end->instead.ip.family != 0 ? &end->instead : to,
                 (const guint8 *) "again", 5);
}

static const HnUdpOps ops = { on_receive, on_received_all, on_send_failed };

static void
end_open (End *end, guint16 port, HnUdpOffloads offloads)
{
  g_autoptr (GError) error = NULL;

  memset (end, 0, sizeof *end);
  end->got = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  end->udp = hn_udp_new (0x680000, &ops, end);
  hn_udp_set_offloads (end->udp, offloads);
  hn_udp_bind (end->udp, port, &error);
  g_assert_no_error (error);
}

static void
end_close (End *end)
{
  hn_udp_free (end->udp);
  g_ptr_array_unref (end->got);
}

static HnEndpoint
local (const End *end, guint8 family)
{
  HnEndpoint endpoint = { 0 };

  g_assert_true (hn_ip_parse (family == 4 ? "127.0.0.1" : "::1", &endpoint.ip));
  endpoint.port = hn_udp_get_port (end->udp, family);
  return endpoint;
}

static gboolean
on_timeout (gpointer user)
{
  *(gboolean *) user = TRUE;
  return G_SOURCE_REMOVE;
}

/* Until @end got @n datagrams, for at most @ms. */
static void
wait_for (End *end, guint n, guint ms)
{
  gboolean over = FALSE;
  guint id = g_timeout_add (ms, on_timeout, &over);

  while (end->got->len < n && !over)
    g_main_context_iteration (NULL, TRUE);
  if (!over)
    g_source_remove (id);
}

static gboolean
has_ipv6 (void)
{
  End end;
  gboolean has;

  end_open (&end, 0, 0);
  has = hn_udp_get_port (end.udp, 6) != 0;
  end_close (&end);
  return has;
}

static void
fill (guint8 *data, gsize len, guint number)
{
  for (gsize i = 0; i < len; i++)
    data[i] = number * 31 + i * 7;
}

static void
assert_datagram (const End *end, guint i, gsize len, guint number)
{
  g_autofree guint8 *expected = g_malloc (len);
  gsize got_len;
  const guint8 *got = g_bytes_get_data (end->got->pdata[i], &got_len);

  fill (expected, len, number);
  g_assert_cmpmem (got, got_len, expected, len);
}

static void
send_many (End *from, End *to, guint8 family, guint n, gsize len, gsize last)
{
  HnEndpoint where = local (to, family);
  g_autofree guint8 *data = g_malloc (len);

  for (guint i = 0; i < n; i++)
    {
      gsize size = i + 1 == n ? last : len;

      fill (data, size, i);
      g_assert_cmpint (hn_udp_send (from->udp, &where, data, size), ==, 0);
    }
  hn_udp_flush (from->udp);
}

/* The same datagrams arrive, in order, whatever the kernel does for us on either side. */
static void
run_transfer (guint8 family)
{
  for (guint mode = 0; mode < 4; mode++)
    {
      End a, b;

      end_open (&a, 0, mode & HN_UDP_GSO);
      end_open (&b, 0, mode & HN_UDP_GRO);
      send_many (&a, &b, family, 40, 1312, 700);
      wait_for (&b, 40, 2000);
      g_assert_cmpuint (b.got->len, ==, 40);
      for (guint i = 0; i < 40; i++)
        assert_datagram (&b, i, i == 39 ? 700 : 1312, i);
      g_assert_cmpuint (b.from.port, ==, hn_udp_get_port (a.udp, family));
      g_assert_cmpuint (b.from.ip.family, ==, family);
      g_assert_cmpuint (hn_udp_get_counters (a.udp)->sent, ==, 40);
      g_assert_cmpuint (hn_udp_get_counters (b.udp)->received, ==, 40);
      g_assert_cmpuint (hn_udp_get_counters (a.udp)->writes, ==, 1);
      if (hn_udp_get_offloads (a.udp, family) & HN_UDP_GSO
          && hn_udp_get_offloads (b.udp, family) & HN_UDP_GRO)
        g_assert_cmpuint (hn_udp_get_counters (b.udp)->reads, ==, 1);
      end_close (&a);
      end_close (&b);
    }
}

static void
test_transfer_v4 (void)
{
  run_transfer (4);
}

static void
test_transfer_v6 (void)
{
  if (!has_ipv6 ())
    {
      g_test_skip ("no IPv6 here");
      return;
    }
  run_transfer (6);
}

/* What ends a batch: another address, a longer one, a shorter one, 64 of them, 64 KiB. */
static void
test_batches (void)
{
  End a, b, c;
  guint8 data[2000];
  HnEndpoint to_b, to_c;
  const HnUdpCounters *counters;

  end_open (&a, 0, HN_UDP_GSO);
  end_open (&b, 0, HN_UDP_GRO);
  end_open (&c, 0, 0);
  to_b = local (&b, 4);
  to_c = local (&c, 4);
  counters = hn_udp_get_counters (a.udp);

  fill (data, sizeof data, 0);
  hn_udp_send (a.udp, &to_b, data, 100);
  hn_udp_send (a.udp, &to_b, data, 100);
  hn_udp_send (a.udp, &to_b, data, 50); /* ends it */
  g_assert_cmpuint (counters->sent, ==, 0);
  hn_udp_send (a.udp, &to_b, data, 50);
  g_assert_cmpuint (counters->sent, ==, 3);
  hn_udp_send (a.udp, &to_b, data, 200); /* longer */
  g_assert_cmpuint (counters->sent, ==, 4);
  hn_udp_send (a.udp, &to_c, data, 200); /* elsewhere */
  g_assert_cmpuint (counters->sent, ==, 5);
  hn_udp_flush (a.udp);
  g_assert_cmpuint (counters->sent, ==, 6);
  g_assert_cmpuint (counters->writes, ==, 4);
  hn_udp_flush (a.udp);
  g_assert_cmpuint (counters->writes, ==, 4);

  for (guint i = 0; i < 65; i++)
    hn_udp_send (a.udp, &to_b, data, 20);
  g_assert_cmpuint (counters->sent, ==, 70);
  hn_udp_flush (a.udp);
  for (guint i = 0; i < 33; i++)
    hn_udp_send (a.udp, &to_b, data, 2000);
  g_assert_cmpuint (counters->sent, ==, 71 + 32);
  hn_udp_flush (a.udp);

  wait_for (&b, 103, 2000);
  wait_for (&c, 1, 2000);
  g_assert_cmpuint (b.got->len, ==, 103);
  g_assert_cmpuint (c.got->len, ==, 1);
  g_assert_cmpuint (g_bytes_get_size (b.got->pdata[2]), ==, 50);
  g_assert_cmpuint (g_bytes_get_size (b.got->pdata[4]), ==, 200);
  g_assert_cmpuint (counters->dropped, ==, 0);
  end_close (&a);
  end_close (&b);
  end_close (&c);
}

/* A turn is bounded, so that the other direction gets its own. */
static void
test_turns (void)
{
  for (guint gro = 0; gro < 2; gro++)
    {
      End a, b;

      end_open (&a, 0, HN_UDP_GSO);
      end_open (&b, 0, gro ? HN_UDP_GRO : 0);
      for (guint i = 0; i < 8; i++)
        send_many (&a, &b, 4, 60, 40, 40);
      wait_for (&b, 480, 2000);
      g_assert_cmpuint (b.got->len, ==, 480);
      g_assert_cmpuint (b.rounds, >=, 2);
      g_assert_cmpuint (b.most, <=, gro ? 6 * 60 : 64 + 38);
      end_close (&a);
      end_close (&b);
    }
}

static void
test_echo (void)
{
  End a, b;

  end_open (&a, 0, HN_UDP_GSO | HN_UDP_GRO);
  end_open (&b, 0, HN_UDP_GSO | HN_UDP_GRO);
  b.echo = b.udp;
  send_many (&a, &b, 4, 50, 1000, 10);
  wait_for (&a, 50, 2000);
  g_assert_cmpuint (a.got->len, ==, 50);
  g_assert_cmpuint (a.from.port, ==, hn_udp_get_port (b.udp, 4));
  end_close (&a);
  end_close (&b);
}

static void
test_port (void)
{
  End a, b;
  guint16 port;

  end_open (&a, 0, 0);
  port = hn_udp_get_port (a.udp, 4);
  g_assert_cmpuint (port, !=, 0);
  if (has_ipv6 ())
    g_assert_cmpuint (hn_udp_get_port (a.udp, 6), ==, port);

  for (guint i = 0; i < 3; i++)
    {
      g_assert_true (hn_udp_rebind (a.udp, NULL));
      g_assert_cmpuint (hn_udp_get_port (a.udp, 4), ==, port);
    }

  /* Taken: another one. Then the former one before any other. */
  end_open (&b, port, 0);
  g_assert_cmpuint (hn_udp_get_port (b.udp, 4), !=, port);
  g_assert_cmpuint (hn_udp_get_port (b.udp, 4), !=, 0);
  hn_udp_close (a.udp);
  g_assert_cmpuint (hn_udp_get_port (a.udp, 4), ==, 0);
  g_assert_cmpuint (hn_udp_get_port (a.udp, 6), ==, 0);
  g_assert_true (hn_udp_bind (a.udp, hn_udp_get_port (b.udp, 4), NULL));
  g_assert_cmpuint (hn_udp_get_port (a.udp, 4), ==, port);

  hn_udp_close (a.udp);
  g_assert_true (hn_udp_bind (a.udp, 0, NULL));
  g_assert_cmpuint (hn_udp_get_port (a.udp, 4), ==, port);

  /* Both families get the one that was asked for. */
  hn_udp_close (a.udp);
  g_assert_true (hn_udp_bind (b.udp, port, NULL));
  g_assert_cmpuint (hn_udp_get_port (b.udp, 4), ==, port);
  end_close (&a);
  end_close (&b);
}

/* The port is free in one family only: not half of a pair, but another port there. */
static void
test_half_taken (void)
{
  struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
  socklen_t len = sizeof name;
  const int one = 1;
  End a;
  int fd;

  if (!has_ipv6 ())
    {
      g_test_skip ("no IPv6 here");
      return;
    }
  fd = socket (AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one), ==, 0);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &name, len), ==, 0);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *) &name, &len), ==, 0);

  end_open (&a, ntohs (name.sin6_port), 0);
  g_assert_cmpuint (hn_udp_get_port (a.udp, 4), ==, ntohs (name.sin6_port));
  g_assert_cmpuint (hn_udp_get_port (a.udp, 6), !=, 0);
  g_assert_cmpuint (hn_udp_get_port (a.udp, 6), !=, ntohs (name.sin6_port));
  close (fd);
  end_close (&a);
}

/* What was queued or is on its way before a rebind arrives after it. */
static void
test_rebind_delivers (void)
{
  End a, b;
  HnEndpoint to_a, to_b;

  end_open (&a, 0, HN_UDP_GSO | HN_UDP_GRO);
  end_open (&b, 0, HN_UDP_GSO | HN_UDP_GRO);
  to_a = local (&a, 4);
  to_b = local (&b, 4);
  hn_udp_send (a.udp, &to_b, (const guint8 *) "queued", 6);
  g_assert_true (hn_udp_rebind (a.udp, NULL));
  hn_udp_flush (a.udp);
  wait_for (&b, 1, 2000);
  g_assert_cmpuint (b.got->len, ==, 1);
  g_assert_cmpuint (b.from.port, ==, to_a.port);

  /* From within a callback, in the middle of a batch: no more of that batch, but life goes on. */
  b.rebind = TRUE;
  send_many (&a, &b, 4, 10, 100, 100);
  wait_for (&b, 2, 2000);
  g_assert_cmpuint (b.got->len, ==, 2);
  send_many (&a, &b, 4, 10, 100, 100);
  wait_for (&b, 12, 2000);
  g_assert_cmpuint (b.got->len, ==, 12);

  b.close = TRUE;
  send_many (&a, &b, 4, 10, 100, 100);
  wait_for (&b, 13, 2000);
  wait_for (&b, 14, 50);
  g_assert_cmpuint (b.got->len, ==, 13);
  end_close (&a);
  end_close (&b);
}

/* An ICMP error for a closed port is no reason to stop, and nothing spins. */
static void
test_closed_port (void)
{
  End a, b, gone;
  HnEndpoint to;

  end_open (&gone, 0, 0);
  to = local (&gone, 4);
  end_close (&gone);
  end_open (&a, 0, HN_UDP_GSO | HN_UDP_GRO);
  end_open (&b, 0, HN_UDP_GSO | HN_UDP_GRO);
  for (guint i = 0; i < 5; i++)
    {
      g_assert_cmpint (hn_udp_send (a.udp, &to, (const guint8 *) "hello", 5), ==, 0);
      hn_udp_flush (a.udp);
      wait_for (&a, 1, 5);
    }
  g_assert_cmpuint (a.failures, ==, 0);
  send_many (&a, &b, 4, 3, 100, 100);
  wait_for (&b, 3, 2000);
  send_many (&b, &a, 4, 3, 100, 100);
  wait_for (&a, 3, 2000);
  g_assert_cmpuint (a.got->len, ==, 3);
  end_close (&a);
  end_close (&b);
}

static void
test_refusals (void)
{
  End a;
  HnEndpoint to;
  g_autofree guint8 *big = g_malloc0 (70000);

  end_open (&a, 0, HN_UDP_GSO);
  to = local (&a, 4);
  g_assert_cmpint (hn_udp_send (a.udp, &to, big, 65508), ==, EMSGSIZE);
  g_assert_cmpint (hn_udp_send (a.udp, &to, big, 0), ==, EINVAL);
  to.port = 0;
  g_assert_cmpint (hn_udp_send (a.udp, &to, big, 10), ==, EINVAL);
  to = (HnEndpoint){ .port = 1 };
  g_assert_cmpint (hn_udp_send (a.udp, &to, big, 10), ==, EINVAL);

  /* Told after the flush, once each, and not without end. A broadcast needs a permission that the
   * socket has not. */
  g_assert_true (hn_endpoint_parse ("255.255.255.255:9", &to));
  g_assert_cmpint (hn_udp_send (a.udp, &to, big, 10), ==, 0);
  g_assert_cmpint (hn_udp_send (a.udp, &to, big, 10), ==, 0);
  g_assert_cmpuint (a.failures, ==, 0);
  hn_udp_flush (a.udp);
  g_assert_cmpuint (a.failures, ==, 1);
  g_assert_cmpint (a.error, !=, 0);
  g_assert_true (hn_endpoint_equal (&a.failed_to, &to));
  g_assert_cmpuint (hn_udp_get_counters (a.udp)->dropped, ==, 3);

  hn_udp_close (a.udp);
  to = (HnEndpoint){ .ip = to.ip, .port = 9 };
  g_assert_cmpint (hn_udp_send (a.udp, &to, big, 10), ==, EAFNOSUPPORT);
  hn_udp_flush (a.udp);
  end_close (&a);
}

/* What is sent instead of something that failed goes out with the same flush. */
static void
test_instead (void)
{
  End a, b;
  HnEndpoint nowhere;

  end_open (&a, 0, 0);
  end_open (&b, 0, 0);
  a.instead = local (&b, 4);
  g_assert_true (hn_endpoint_parse ("255.255.255.255:9", &nowhere));
  g_assert_cmpint (hn_udp_send (a.udp, &nowhere, (const guint8 *) "lost", 4), ==, 0);
  hn_udp_flush (a.udp);
  g_assert_cmpuint (a.failures, ==, 1);
  wait_for (&b, 1, 2000);
  g_assert_cmpuint (b.got->len, ==, 1);
  g_assert_cmpuint (g_bytes_get_size (b.got->pdata[0]), ==, strlen ("again"));
  end_close (&a);
  end_close (&b);
}

/* What a kernel or a path can not do in one piece goes out one by one. */
static void
test_refused_batches (void)
{
  End a, b, c;

  end_open (&a, 0, HN_UDP_GSO);
  end_open (&b, 0, HN_UDP_GRO);
  end_open (&c, 0, HN_UDP_GRO);
  if ((hn_udp_get_offloads (a.udp, 4) & HN_UDP_GSO) == 0)
    {
      end_close (&a);
      end_close (&b);
      end_close (&c);
      g_test_skip ("no UDP_SEGMENT here");
      return;
    }
  refused = 0;

  /* Above the path's MTU: tried once with this address, and not with datagrams as long. */
  refuse_batches = EINVAL;
  send_many (&a, &b, 4, 10, 1000, 500);
  send_many (&a, &b, 4, 10, 1000, 500);
  g_assert_cmpuint (refused, ==, 1);
  refuse_batches = 0;
  send_many (&a, &b, 4, 10, 1000, 500);
  wait_for (&b, 30, 2000);
  g_assert_cmpuint (b.got->len, ==, 30);
  for (guint i = 0; i < 30; i++)
    assert_datagram (&b, i, i % 10 == 9 ? 500 : 1000, i % 10);
  g_assert_cmpuint (hn_udp_get_counters (a.udp)->sent, ==, 30);
  refuse_batches = EMSGSIZE;
  send_many (&a, &b, 4, 10, 900, 900);
  g_assert_cmpuint (refused, ==, 2);
  g_assert_cmpuint (hn_udp_get_offloads (a.udp, 4), ==, HN_UDP_GSO);

  /* A device that can not: never again with this socket. */
  refuse_batches = EIO;
  send_many (&a, &c, 4, 10, 1000, 500);
  send_many (&a, &c, 4, 10, 100, 100);
  g_assert_cmpuint (refused, ==, 3);
  wait_for (&c, 20, 2000);
  g_assert_cmpuint (c.got->len, ==, 20);
  g_assert_cmpuint (hn_udp_get_offloads (a.udp, 4), ==, 0);
  g_assert_true (hn_udp_rebind (a.udp, NULL));
  g_assert_cmpuint (hn_udp_get_offloads (a.udp, 4), ==, HN_UDP_GSO);
  g_assert_cmpuint (a.failures, ==, 0);

  /* Lost without a word, and with one. */
  refuse_batches = EAGAIN;
  send_many (&a, &c, 4, 10, 100, 100);
  g_assert_cmpuint (a.failures, ==, 0);
  g_assert_cmpuint (hn_udp_get_counters (a.udp)->dropped, ==, 10);
  refuse_batches = EPERM;
  send_many (&a, &c, 4, 10, 100, 100);
  g_assert_cmpuint (a.failures, ==, 1);
  g_assert_cmpint (a.error, ==, EPERM);
  g_assert_cmpuint (hn_udp_get_counters (a.udp)->dropped, ==, 20);
  refuse_batches = 0;
  end_close (&a);
  end_close (&b);
  end_close (&c);
}

/* Nothing takes them out: the queue of the other socket runs full, and sending goes on. */
static void
test_full_queue (void)
{
  End a, b;
  g_autofree guint8 *data = g_malloc0 (1300);

  end_open (&a, 0, HN_UDP_GSO);
  end_open (&b, 0, HN_UDP_GRO);
  for (guint i = 0; i < 20000; i++)
    {
      HnEndpoint to = local (&b, 4);

      g_assert_cmpint (hn_udp_send (a.udp, &to, data, 1300), ==, 0);
    }
  hn_udp_flush (a.udp);
  g_assert_cmpuint (a.failures, ==, 0);
  g_assert_cmpuint (hn_udp_get_counters (a.udp)->sent + hn_udp_get_counters (a.udp)->dropped, ==,
                    20000);
  wait_for (&b, 1, 2000);
  g_assert_cmpuint (b.got->len, >=, 1);
  end_close (&a);
  end_close (&b);
}

/* Longer than any frame: whole where merging needs such slots anyway, else counted. */
static void
test_long (void)
{
  End a, b;

  end_open (&a, 0, 0);
  end_open (&b, 0, 0);
  send_many (&a, &b, 4, 1, 20000, 20000);
  send_many (&a, &b, 4, 1, 10240, 10240);
  wait_for (&b, 1, 2000);
  g_assert_cmpuint (b.got->len, ==, 1);
  assert_datagram (&b, 0, 10240, 0);
  g_assert_cmpuint (hn_udp_get_counters (b.udp)->cut, ==, 1);
  end_close (&b);
  end_open (&b, 0, HN_UDP_GRO);
  send_many (&a, &b, 4, 1, 65507, 65507);
  if (hn_udp_get_offloads (b.udp, 4) & HN_UDP_GRO)
    {
      wait_for (&b, 1, 2000);
      g_assert_cmpuint (b.got->len, ==, 1);
      assert_datagram (&b, 0, 65507, 0);
    }
  end_close (&a);
  end_close (&b);
}

/* An empty datagram is none of ours and does no harm. */
static void
test_empty (void)
{
  End a;
  struct sockaddr_storage name;
  HnEndpoint to;
  socklen_t len;
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  end_open (&a, 0, HN_UDP_GRO);
  to = local (&a, 4);
  len = hn_endpoint_to_sockaddr (&to, &name);
  g_assert_cmpint (sendto (fd, "", 0, 0, (struct sockaddr *) &name, len), ==, 0);
  g_assert_cmpint (sendto (fd, "x", 1, 0, (struct sockaddr *) &name, len), ==, 1);
  wait_for (&a, 1, 2000);
  g_assert_cmpuint (a.got->len, ==, 1);
  close (fd);
  end_close (&a);
}

static void
test_kernels (void)
{
  const HnUdpOffloads both = HN_UDP_GSO | HN_UDP_GRO;

  g_assert_cmpuint (hn_udp_offloads_of_kernel ("6.18.44-fc-v595"), ==, both);
  g_assert_cmpuint (hn_udp_offloads_of_kernel ("6.1.0-18-amd64"), ==, both);
  g_assert_cmpuint (hn_udp_offloads_of_kernel ("5.12"), ==, both);
  g_assert_cmpuint (hn_udp_offloads_of_kernel ("5.11.99"), ==, HN_UDP_GSO);
  g_assert_cmpuint (hn_udp_offloads_of_kernel ("4.19.0"), ==, HN_UDP_GSO);
  g_assert_cmpuint (hn_udp_offloads_of_kernel ("7.0.0-rc1"), ==, HN_UDP_GRO);
  g_assert_cmpuint (hn_udp_offloads_of_kernel ("7.0.12"), ==, HN_UDP_GRO);
  g_assert_cmpuint (hn_udp_offloads_of_kernel ("7.1"), ==, HN_UDP_GRO);
  g_assert_cmpuint (hn_udp_offloads_of_kernel ("7.1.4-arch"), ==, HN_UDP_GRO);
  g_assert_cmpuint (hn_udp_offloads_of_kernel ("7.1.5"), ==, both);
  g_assert_cmpuint (hn_udp_offloads_of_kernel ("10.0.1"), ==, both);
  g_assert_cmpuint (hn_udp_offloads_of_kernel ("gnu"), ==, 0);
}

/* A context of one's own, as the data plane has; nothing is left in it afterwards. */
static void
test_context (void)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  End a, b;

  end_open (&b, 0, 0);
  g_main_context_push_thread_default (context);
  end_open (&a, 0, 0);
  g_main_context_pop_thread_default (context);
  send_many (&b, &a, 4, 1, 10, 10);
  wait_for (&a, 1, 20);
  g_assert_cmpuint (a.got->len, ==, 0);
  g_main_context_iteration (context, TRUE);
  g_assert_cmpuint (a.got->len, ==, 1);
  end_close (&a);
  g_assert_false (g_main_context_pending (context));
  end_close (&b);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/net/udp/transfer-v4", test_transfer_v4);
  g_test_add_func ("/net/udp/transfer-v6", test_transfer_v6);
  g_test_add_func ("/net/udp/instead", test_instead);
  g_test_add_func ("/net/udp/batches", test_batches);
  g_test_add_func ("/net/udp/turns", test_turns);
  g_test_add_func ("/net/udp/echo", test_echo);
  g_test_add_func ("/net/udp/port", test_port);
  g_test_add_func ("/net/udp/half-taken", test_half_taken);
  g_test_add_func ("/net/udp/rebind", test_rebind_delivers);
  g_test_add_func ("/net/udp/closed-port", test_closed_port);
  g_test_add_func ("/net/udp/refusals", test_refusals);
  g_test_add_func ("/net/udp/refused-batches", test_refused_batches);
  g_test_add_func ("/net/udp/full-queue", test_full_queue);
  g_test_add_func ("/net/udp/long", test_long);
  g_test_add_func ("/net/udp/empty", test_empty);
  g_test_add_func ("/net/udp/kernels", test_kernels);
  g_test_add_func ("/net/udp/context", test_context);
  return g_test_run ();
}
