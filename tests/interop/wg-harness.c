/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The WireGuard core on a real UDP socket, for trying it against other implementations: instead of
 * a tunnel device it has one address inside, answers ICMP echo there and can ping on its own.
 * Usage:
 *
 *   wg-harness --private HEX --peer HEX --own IPV4 --other IPV4 --listen PORT
 *              [--endpoint IPV4:PORT] [--ping N] [--interval MS] [--timeout S]
 *
 * With --ping it ends with status 0 once N replies came, 1 after the timeout. Without, it answers
 * until it is killed. It writes a line for each event.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hn-bytes.h"
#include "base/hn-clock.h"
#include "base/hn-ip.h"
#include "crypto/hn-crypto.h"
#include "wireguard/hn-wg.h"

#define ICMP_AT 20
#define ICMP_HEADER 8
#define MTU 1280

typedef struct
{
  HnWg *wg;
  HnWgPeer *peer;
  int fd;
  HnIp own, other;
  struct sockaddr_in remote;
  struct sockaddr_in source; /* of the datagram in hand */
  gboolean has_remote;
  guint requests;
  guint replies;
  guint16 sequence;
} Harness;

static guint16
checksum (const guint8 *data, gsize len)
{
  guint32 sum = 0;

  for (gsize i = 0; i < len; i++)
    sum += i % 2 ? data[i] : (guint32) data[i] << 8;
  while (sum > 0xffff)
    sum = (sum >> 16) + (sum & 0xffff);
  return (guint16) ~sum;
}

static void
put_checksum (guint8 *data, gsize len, gsize at)
{
  guint16 sum;

  data[at] = data[at + 1] = 0;
  sum = checksum (data, len);
  data[at] = (guint8) (sum >> 8);
  data[at + 1] = (guint8) sum;
}

static void
send_echo (Harness *self, guint8 type, const guint8 *body, gsize body_len)
{
  guint8 buffer[HN_WG_HEADROOM + MTU + HN_WG_TAILROOM] = { 0 };
  guint8 *packet = buffer + HN_WG_HEADROOM;
  gsize len = ICMP_AT + body_len;

  packet[0] = 0x45;
  packet[2] = (guint8) (len >> 8);
  packet[3] = (guint8) len;
  packet[8] = 64;
  packet[9] = IPPROTO_ICMP;
  memcpy (packet + 12, self->own.bytes, 4);
  memcpy (packet + 16, self->other.bytes, 4);
  put_checksum (packet, ICMP_AT, 10);
  memcpy (packet + ICMP_AT, body, body_len);
  packet[ICMP_AT] = type;
  put_checksum (packet + ICMP_AT, body_len, 2);
  hn_wg_send (self->wg, self->peer, packet, len, hn_clock_now_us ());
}

static void
send_ping (Harness *self)
{
  guint8 body[MTU] = { 0 };
  guint16 sequence = self->sequence++;
  /* Every length modulo the padding, up to the MTU. */
  gsize len = ICMP_HEADER + (sequence * 97u) % (MTU - ICMP_AT - ICMP_HEADER + 1);

  body[4] = 'h';
  body[6] = (guint8) (sequence >> 8);
  body[7] = (guint8) sequence;
  for (gsize i = ICMP_HEADER; i < len; i++)
    body[i] = (guint8) (i + sequence);
  send_echo (self, ICMP_ECHO, body, len);
}

static void
on_send (gpointer user, HnWgPeer *peer, const guint8 *datagram, gsize len, gboolean handshake)
{
  Harness *self = user;

  if (self->has_remote)
    (void) !sendto (self->fd, datagram, len, 0, (struct sockaddr *) &self->remote,
                    sizeof self->remote);
}

static void
on_deliver (gpointer user, HnWgPeer *peer, guint8 *packet, gsize len)
{
  Harness *self = user;
  guint8 *body = packet + ICMP_AT;
  guint16 sequence;

  if (packet[0] != 0x45 || len < ICMP_AT + ICMP_HEADER || len > MTU || packet[9] != IPPROTO_ICMP)
    return;
  len -= ICMP_AT;
  if (checksum (body, len) != 0)
    {
      printf ("damaged\n");
      return;
    }
  sequence = (guint16) (body[6] << 8 | body[7]);
  if (body[0] == ICMP_ECHO)
    {
      printf ("request %u\n", ++self->requests);
      send_echo (self, ICMP_ECHOREPLY, body, len);
    }
  else if (body[0] == ICMP_ECHOREPLY)
    printf ("reply %u to %u\n", ++self->replies, sequence);
}

static void
on_authenticated (gpointer user, HnWgPeer *peer, const HnWgPath *path)
{
  Harness *self = user;

  self->remote = self->source;
  self->has_remote = TRUE;
}

static void
on_established (gpointer user, HnWgPeer *peer)
{
  printf ("established\n");
}

static void
receive_all (Harness *self)
{
  guint8 buffer[2048];

  for (;;)
    {
      socklen_t source_len = sizeof self->source;
      HnWgPath path = { .source_len = 6 };
      ssize_t len = recvfrom (self->fd, buffer, sizeof buffer, MSG_DONTWAIT,
                              (struct sockaddr *) &self->source, &source_len);

      if (len < 0)
        return;
      memcpy (path.source, &self->source.sin_addr, 4);
      memcpy (path.source + 4, &self->source.sin_port, 2);
      hn_wg_receive (self->wg, &path, buffer, (gsize) len, hn_clock_now_us ());
    }
}

static void
setup (Harness *self, const char *private_hex, const char *peer_hex, const char *endpoint, int port)
{
  static const HnWgOps ops = { .send = on_send,
                               .deliver = on_deliver,
                               .authenticated = on_authenticated,
                               .established = on_established };
  struct sockaddr_in local = { .sin_family = AF_INET, .sin_port = htons ((guint16) port) };
  HnWgAllowedIp allowed = { 4, 32, { 0 } };
  guint8 private_key[32], peer_key[32];
  HnEndpoint remote;
  struct sockaddr_storage storage;

  if (!hn_hex_decode (private_hex, strlen (private_hex), private_key, 32)
      || !hn_hex_decode (peer_hex, strlen (peer_hex), peer_key, 32))
    g_error ("a key is not 64 hex digits");
  if (endpoint != NULL)
    {
      if (!hn_endpoint_parse (endpoint, &remote) || remote.ip.family != 4)
        g_error ("no endpoint: %s", endpoint);
      hn_endpoint_to_sockaddr (&remote, &storage);
      memcpy (&self->remote, &storage, sizeof self->remote);
      self->has_remote = TRUE;
    }
  self->fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (self->fd < 0 || bind (self->fd, (struct sockaddr *) &local, sizeof local) < 0)
    g_error ("no socket at port %d: %s", port, g_strerror (errno));

  self->wg = hn_wg_new (&ops, self);
  hn_wg_set_private_key (self->wg, private_key);
  hn_wg_set_mtu (self->wg, MTU);
  self->peer = hn_wg_add_peer (self->wg, peer_key, NULL);
  memcpy (allowed.address, self->other.bytes, 4);
  hn_wg_peer_set_allowed_ips (self->peer, &allowed, 1);
}

int
main (int argc, char **argv)
{
  g_autofree char *private_hex = NULL, *peer_hex = NULL, *own = NULL, *other = NULL;
  g_autofree char *endpoint = NULL;
  int port = 0, pings = 0, interval_ms = 100, timeout_s = 30;
  const GOptionEntry entries[] = {
    { "private", 0, 0, G_OPTION_ARG_STRING, &private_hex, NULL, NULL },
    { "peer", 0, 0, G_OPTION_ARG_STRING, &peer_hex, NULL, NULL },
    { "own", 0, 0, G_OPTION_ARG_STRING, &own, NULL, NULL },
    { "other", 0, 0, G_OPTION_ARG_STRING, &other, NULL, NULL },
    { "listen", 0, 0, G_OPTION_ARG_INT, &port, NULL, NULL },
    { "endpoint", 0, 0, G_OPTION_ARG_STRING, &endpoint, NULL, NULL },
    { "ping", 0, 0, G_OPTION_ARG_INT, &pings, NULL, NULL },
    { "interval", 0, 0, G_OPTION_ARG_INT, &interval_ms, NULL, NULL },
    { "timeout", 0, 0, G_OPTION_ARG_INT, &timeout_s, NULL, NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  Harness self = { 0 };
  gint64 now, end, next_ping;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    g_error ("%s", error->message);
  if (private_hex == NULL || peer_hex == NULL || own == NULL || other == NULL
      || !hn_ip_parse (own, &self.own) || !hn_ip_parse (other, &self.other))
    g_error ("--private, --peer, --own and --other are needed");
  if (!hn_crypto_init (&error))
    g_error ("%s", error->message);
  setvbuf (stdout, NULL, _IOLBF, 0);
  setup (&self, private_hex, peer_hex, endpoint, port);
  printf ("ready\n");

  now = hn_clock_now_us ();
  end = pings > 0 ? now + timeout_s * G_USEC_PER_SEC : G_MAXINT64;
  next_ping = pings > 0 ? now : G_MAXINT64;
  while (now < end && (pings == 0 || self.replies < (guint) pings))
    {
      struct pollfd pollfd = { .fd = self.fd, .events = POLLIN };
      gint64 wake = MIN (MIN (end, next_ping), hn_wg_get_deadline (self.wg));
      gint64 wait_ms = wake == G_MAXINT64 ? -1 : (MAX (wake - now, 0) + 999) / 1000;

      if (poll (&pollfd, 1, (int) MIN (wait_ms, G_MAXINT)) < 0 && errno != EINTR)
        break;
      receive_all (&self);
      now = hn_clock_now_us ();
      hn_wg_tick (self.wg, now);
      if (now >= next_ping)
        {
          send_ping (&self);
          next_ping = now + interval_ms * 1000;
        }
    }

  hn_wg_free (self.wg);
  close (self.fd);
  return pings > 0 && self.replies < (guint) pings;
}
