/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/hn-udp.h"

#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/hn-error.h"
#include "base/hn-source.h"

/* Of Linux 4.18 and 5.0; the headers of the C library may be older. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define SOCKET_BUFFER (7 << 20)

/* Room in front of and behind each datagram read. */
#define ROOM 64
/* Merged datagrams need 64 KiB each; single ones are read into slots just above any frame's size. */
#define BIG_SLOT (ROOM + 65536 + ROOM)
#define SMALL_SLOT (ROOM + 10240 + ROOM)
#define N_BIG_SLOTS 6
#define N_SMALL_SLOTS 38
#define ARENA (N_BIG_SLOTS * BIG_SLOT)
G_STATIC_ASSERT (N_SMALL_SLOTS *SMALL_SLOT <= ARENA);

/* A turn ends after this many datagrams, or after this many merged ones, so that what they lead to
 * goes out and the other directions get theirs. */
#define TURN_DATAGRAMS 64
#define TURN_MERGED 2

#define MAX_SEGMENTS 64
#define MAX_PAYLOAD 65507 /* of IPv4; a bit more would go with IPv6 */
#define MAX_FAILURES 16
#define MAX_READ_ERRORS 64
#define BIND_TRIES 8

typedef struct
{
  HnUdp *owner;
  guint8 family;
  int fd; /* -1 none */
  guint16 port;
  guint16 former_port; /* the last one bound, kept over closing */
  gboolean gso;
  gboolean gro;
  gboolean merged; /* the last read gave merged datagrams */
  guint read_errors;
  /* Segments of this size or above were refused for this address: above its path's MTU. */
  HnEndpoint refused_to;
  guint16 refused_segment;
  GSource *source;
} Socket;

/* One slot's bookkeeping for recvmmsg(). */
typedef struct
{
  struct sockaddr_storage name;
  struct iovec iov;
  union
  {
    struct cmsghdr align;
    char bytes[CMSG_SPACE (sizeof (int)) + 40];
  } control;
} Slot;

typedef struct
{
  guint8 arena[ARENA];
  struct mmsghdr messages[N_SMALL_SLOTS];
  Slot slots[N_SMALL_SLOTS];
  guint8 out[MAX_PAYLOAD];
  struct mmsghdr pieces[MAX_SEGMENTS];
  struct iovec piece_iovs[MAX_SEGMENTS];
} Buffers;

typedef struct
{
  HnEndpoint to;
  int error;
} Failure;

struct _HnUdp
{
  HnUdpOps ops;
  gpointer user;
  guint32 mark;
  GMainContext *context;
  HnUdpOffloads wanted;
  Socket sockets[2];
  guint generation; /* goes up whenever sockets are closed, so that a read in progress notices */
  Buffers *buffers; /* from the first bind on */

  /* The open batch, in buffers->out: all of one size but a shorter last one. */
  HnEndpoint to;
  gsize out_len;
  guint16 segment;
  guint n_segments;
  gboolean closed; /* by a shorter one */

  Failure failures[MAX_FAILURES];
  guint n_failures;
  HnUdpCounters counters;
};

HnUdpOffloads
hn_udp_offloads_of_kernel (const char *release)
{
  HnUdpOffloads offloads = HN_UDP_GSO;
  guint major = 0, minor = 0, patch = 0;

  if (sscanf (release, "%u.%u.%u", &major, &minor, &patch) < 2)
    return 0;
  /* Merging lost and damaged datagrams before 5.12. */
  if (major > 5 || (major == 5 && minor >= 12))
    offloads |= HN_UDP_GRO;
  /* 7.0 to 7.1.4 send batches of equal datagrams wrongly. */
  if (major == 7 && (minor == 0 || (minor == 1 && patch <= 4)))
    offloads &= ~HN_UDP_GSO;
  return offloads;
}

static Socket *
get_socket (HnUdp *self, guint8 family)
{
  return &self->sockets[family == 6 ? 1 : 0];
}

static void
set_slots (HnUdp *self, gboolean big, guint n)
{
  Buffers *b = self->buffers;
  gsize stride = big ? BIG_SLOT : SMALL_SLOT;

  for (guint i = 0; i < n; i++)
    {
      struct msghdr *header = &b->messages[i].msg_hdr;

      b->slots[i].iov.iov_base = b->arena + i * stride + ROOM;
      b->slots[i].iov.iov_len = stride - 2 * ROOM;
      header->msg_name = &b->slots[i].name;
      header->msg_namelen = sizeof b->slots[i].name;
      header->msg_iov = &b->slots[i].iov;
      header->msg_iovlen = 1;
      header->msg_control = big ? &b->slots[i].control : NULL;
      header->msg_controllen = big ? sizeof b->slots[i].control : 0;
      header->msg_flags = 0;
    }
}

/* The size of the datagrams merged into this one; its own when it is single. */
static gsize
get_segment (struct msghdr *header, gsize len)
{
  for (struct cmsghdr *c = CMSG_FIRSTHDR (header); c != NULL; c = CMSG_NXTHDR (header, c))
    if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO
        && c->cmsg_len >= CMSG_LEN (sizeof (int)))
      {
        int size;

        memcpy (&size, CMSG_DATA (c), sizeof size);
        return size > 0 && (gsize) size < len ? (gsize) size : len;
      }
  return len;
}

/* Hands over what one slot holds; FALSE: the sockets were closed meanwhile. */
static gboolean
deliver (HnUdp *self, guint i, guint generation, guint *n_datagrams, gboolean *merged)
{
  struct mmsghdr *message = &self->buffers->messages[i];
  guint8 *data = message->msg_hdr.msg_iov->iov_base;
  gsize len = message->msg_len;
  gsize segment;
  HnEndpoint from;

  if ((message->msg_hdr.msg_flags & MSG_TRUNC) != 0)
    {
      self->counters.cut++;
      ++*n_datagrams;
      return TRUE;
    }
  if (!hn_endpoint_from_sockaddr (message->msg_hdr.msg_name, &from))
    return TRUE;
  segment = get_segment (&message->msg_hdr, len);
  if (segment < len)
    *merged = TRUE;
  if (len == 0)
    ++*n_datagrams;
  while (len > 0)
    {
      gsize n = MIN (segment, len);

      ++*n_datagrams;
      self->counters.received++;
      self->ops.receive (self->user, &from, data, n);
      if (self->generation != generation)
        return FALSE;
      data += n;
      len -= n;
    }
  return TRUE;
}

static gboolean
on_readable (int fd, GIOCondition condition G_GNUC_UNUSED, gpointer user)
{
  Socket *sock = user;
  HnUdp *self = sock->owner;
  guint generation = self->generation;
  guint n_datagrams = 0;
  gboolean given = FALSE;
  gboolean keep = G_SOURCE_CONTINUE;

  while (n_datagrams < TURN_DATAGRAMS)
    {
      guint vlen = !sock->gro ? N_SMALL_SLOTS : sock->merged ? TURN_MERGED : N_BIG_SLOTS;
      gboolean merged = FALSE;
      int n;

      set_slots (self, sock->gro, vlen);
      n = recvmmsg (fd, self->buffers->messages, vlen, MSG_DONTWAIT, NULL);
      if (n < 0)
        {
          if (errno == EAGAIN)
            break;
          /* What a router or a peer's host says about a datagram sent earlier is no news about
           * this socket; reading it took it away. The limit is for a socket that is broken. */
          if (errno != EINTR && ++sock->read_errors >= MAX_READ_ERRORS)
            {
              g_message ("reading from the IPv%u socket fails: %s", sock->family,
                         g_strerror (errno));
              g_clear_pointer (&sock->source, g_source_unref);
              keep = G_SOURCE_REMOVE;
              break;
            }
          n_datagrams++;
          continue;
        }
      sock->read_errors = 0;
      self->counters.reads++;
      given = TRUE;
      for (int i = 0; i < n; i++)
        if (!deliver (self, i, generation, &n_datagrams, &merged))
          goto out;
      sock->merged = merged;
      if ((guint) n < vlen)
        break;
      if (merged)
        break;
    }

out:
  if (given && self->ops.received_all != NULL)
    self->ops.received_all (self->user);
  return keep;
}

static void
add_failure (HnUdp *self, const HnEndpoint *to, int error)
{
  if (self->n_failures > 0 && self->failures[self->n_failures - 1].error == error
      && hn_endpoint_equal (&self->failures[self->n_failures - 1].to, to))
    return;
  if (self->n_failures < MAX_FAILURES)
    self->failures[self->n_failures++] = (Failure){ *to, error };
}

/* Sends the batch one by one. */
static void
send_pieces (HnUdp *self, Socket *sock, struct msghdr *whole)
{
  Buffers *b = self->buffers;
  guint done = 0;

  for (guint i = 0; i < self->n_segments; i++)
    {
      gsize start = (gsize) i * self->segment;

      b->piece_iovs[i].iov_base = b->out + start;
      b->piece_iovs[i].iov_len = MIN (self->segment, self->out_len - start);
      b->pieces[i].msg_hdr = (struct msghdr){ .msg_name = whole->msg_name,
                                              .msg_namelen = whole->msg_namelen,
                                              .msg_iov = &b->piece_iovs[i],
                                              .msg_iovlen = 1 };
    }
  while (done < self->n_segments)
    {
      int n = sendmmsg (sock->fd, b->pieces + done, self->n_segments - done, MSG_DONTWAIT);

      if (n > 0)
        {
          self->counters.writes++;
          self->counters.sent += n;
          done += n;
          continue;
        }
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno == EMSGSIZE)
        {
          /* The last one may be short enough. */
          add_failure (self, &self->to, errno);
          self->counters.dropped++;
          done++;
          continue;
        }
      if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM)
        add_failure (self, &self->to, errno);
      self->counters.dropped += self->n_segments - done;
      return;
    }
}

/* TRUE: the kernel has the batch, or it is lost; FALSE: to be sent one by one. */
static gboolean
send_whole (HnUdp *self, Socket *sock, struct msghdr *header)
{
  union
  {
    struct cmsghdr align;
    char bytes[CMSG_SPACE (sizeof (guint16))];
  } control = { 0 };
  struct cmsghdr *c;
  int error;

  if (!sock->gso
      || (sock->refused_segment != 0 && self->segment >= sock->refused_segment
          && hn_endpoint_equal (&self->to, &sock->refused_to)))
    return FALSE;

  header->msg_control = &control;
  header->msg_controllen = sizeof control;
  c = CMSG_FIRSTHDR (header);
  c->cmsg_level = IPPROTO_UDP;
  c->cmsg_type = UDP_SEGMENT;
  c->cmsg_len = CMSG_LEN (sizeof (guint16));
  memcpy (CMSG_DATA (c), &self->segment, sizeof self->segment);

  while (sendmsg (sock->fd, header, MSG_DONTWAIT) < 0)
    {
      error = errno;
      if (error == EINTR)
        continue;
      if (error == EIO)
        {
          g_debug ("IPv%u: the device can not segment; sending one by one", sock->family);
          sock->gso = FALSE;
          return FALSE;
        }
      if (error == EMSGSIZE || error == EINVAL)
        {
          sock->refused_to = self->to;
          sock->refused_segment = self->segment;
          return FALSE;
        }
      if (error != EAGAIN && error != ENOBUFS && error != ENOMEM)
        add_failure (self, &self->to, error);
      self->counters.dropped += self->n_segments;
      return TRUE;
    }
  self->counters.writes++;
  self->counters.sent += self->n_segments;
  return TRUE;
}

static void
send_batch (HnUdp *self)
{
  Socket *sock = get_socket (self, self->to.ip.family);
  struct sockaddr_storage name;
  struct iovec iov;
  struct msghdr header = { 0 };

  if (self->n_segments == 0)
    return;
  if (sock->fd >= 0)
    {
      iov.iov_base = self->buffers->out;
      iov.iov_len = self->out_len;
      header.msg_namelen = hn_endpoint_to_sockaddr (&self->to, &name);
      header.msg_name = &name;
      header.msg_iov = &iov;
      header.msg_iovlen = 1;
      if (self->n_segments == 1 || !send_whole (self, sock, &header))
        send_pieces (self, sock, &header);
    }
  else
    self->counters.dropped += self->n_segments;
  self->n_segments = 0;
  self->out_len = 0;
  self->closed = FALSE;
}

int
hn_udp_send (HnUdp *self, const HnEndpoint *to, const guint8 *data, gsize len)
{
  if ((to->ip.family != 4 && to->ip.family != 6) || to->port == 0 || len == 0)
    return EINVAL;
  if (len > MAX_PAYLOAD)
    return EMSGSIZE;
  if (get_socket (self, to->ip.family)->fd < 0)
    return EAFNOSUPPORT;

  if (self->n_segments > 0
      && (self->closed || len > self->segment || self->n_segments == MAX_SEGMENTS
          || self->out_len + len > MAX_PAYLOAD || !hn_endpoint_equal (to, &self->to)))
    send_batch (self);
  if (self->n_segments == 0)
    {
      self->to = *to;
      self->segment = len;
    }
  memcpy (self->buffers->out + self->out_len, data, len);
  self->out_len += len;
  self->n_segments++;
  self->closed = len < self->segment;
  return 0;
}

void
hn_udp_flush (HnUdp *self)
{
  Failure failures[MAX_FAILURES];
  guint n;

  send_batch (self);
  n = self->n_failures;
  if (n == 0)
    return;
  /* A copy: the callback may send, flush and fail again. */
  memcpy (failures, self->failures, n * sizeof *failures);
  self->n_failures = 0;
  for (guint i = 0; i < n && self->ops.send_failed != NULL; i++)
    self->ops.send_failed (self->user, &failures[i].to, failures[i].error);
  /* What was sent in its place must not wait for something else to happen; how that ended is told
   * the next time, so that this never goes round. */
  send_batch (self);
}

static void
set_option (int fd, int level, int option, int value)
{
  if (setsockopt (fd, level, option, &value, sizeof value) != 0)
    g_debug ("socket option %d/%d: %s", level, option, g_strerror (errno));
}

static void
set_buffer (int fd, int force, int plain)
{
  int size = SOCKET_BUFFER;

  if (setsockopt (fd, SOL_SOCKET, force, &size, sizeof size) != 0)
    setsockopt (fd, SOL_SOCKET, plain, &size, sizeof size);
}

/* A bound socket, or -1 with errno. */
static int
open_socket (HnUdp *self, guint8 family, guint16 port)
{
  HnEndpoint any = { .ip = { .family = family }, .port = port };
  struct sockaddr_storage name;
  socklen_t name_len = hn_endpoint_to_sockaddr (&any, &name);
  int fd = socket (family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0)
    return -1;
  if (self->mark != 0)
    set_option (fd, SOL_SOCKET, SO_MARK, self->mark);
  if (family == 6)
    set_option (fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  set_buffer (fd, SO_RCVBUFFORCE, SO_RCVBUF);
  set_buffer (fd, SO_SNDBUFFORCE, SO_SNDBUF);
  if (bind (fd, (struct sockaddr *) &name, name_len) != 0)
    {
      int error = errno;

      close (fd);
      errno = error;
      return -1;
    }
  return fd;
}

static void
set_offloads (Socket *sock, HnUdpOffloads offloads)
{
  int value = 0;
  socklen_t len = sizeof value;

  sock->gso = (offloads & HN_UDP_GSO) != 0
              && getsockopt (sock->fd, IPPROTO_UDP, UDP_SEGMENT, &value, &len) == 0;
  value = 1;
  sock->gro = (offloads & HN_UDP_GRO) != 0
              && setsockopt (sock->fd, IPPROTO_UDP, UDP_GRO, &value, sizeof value) == 0;
}

static guint16
get_bound_port (int fd)
{
  struct sockaddr_storage name;
  socklen_t len = sizeof name;
  HnEndpoint bound;

  if (getsockname (fd, (struct sockaddr *) &name, &len) != 0
      || !hn_endpoint_from_sockaddr ((struct sockaddr *) &name, &bound))
    return 0;
  return bound.port;
}

static void
take_socket (HnUdp *self, guint8 family, int fd)
{
  Socket *sock = get_socket (self, family);
  struct utsname uts;

  sock->fd = fd;
  sock->port = sock->former_port = get_bound_port (fd);
  sock->read_errors = 0;
  sock->merged = FALSE;
  sock->refused_segment = 0;
  set_offloads (sock,
                uname (&uts) == 0 ? self->wanted & hn_udp_offloads_of_kernel (uts.release) : 0);
  sock->source = g_unix_fd_source_new (fd, G_IO_IN);
  g_source_set_callback (sock->source, G_SOURCE_FUNC (on_readable), sock, NULL);
  g_source_set_static_name (sock->source, family == 6 ? "headnet-udp6" : "headnet-udp4");
  g_source_attach (sock->source, self->context);
}

static void
close_sockets (HnUdp *self)
{
  self->generation++;
  for (guint i = 0; i < G_N_ELEMENTS (self->sockets); i++)
    {
      Socket *sock = &self->sockets[i];

      hn_source_clear (&sock->source);
      if (sock->fd >= 0)
        close (sock->fd);
      sock->fd = -1;
      sock->port = 0;
    }
}

/* Both on given ports, 0: that of the other family. FALSE: they are not to be had. */
static gboolean
open_pair (HnUdp *self, guint16 port4, guint16 port6, int *fd4, int *fd6)
{
  if (port4 == 0 && port6 == 0)
    return FALSE;
  *fd4 = open_socket (self, 4, port4 != 0 ? port4 : port6);
  if (*fd4 < 0 && errno != EAFNOSUPPORT)
    return FALSE;
  *fd6 = open_socket (self, 6, port6 != 0 ? port6 : port4);
  if (*fd6 < 0 && errno == EADDRINUSE)
    *fd6 = open_socket (self, 6, 0);
  return *fd4 >= 0 || *fd6 >= 0;
}

/* Any port that is free in both families, or else different ones. */
static gboolean
open_any (HnUdp *self, int *fd4, int *fd6)
{
  for (guint i = 0; i < BIND_TRIES; i++)
    {
      *fd4 = open_socket (self, 4, 0);
      if (*fd4 < 0)
        break;
      *fd6 = open_socket (self, 6, get_bound_port (*fd4));
      if (*fd6 >= 0 || errno != EADDRINUSE)
        return TRUE;
      if (i + 1 < BIND_TRIES)
        close (*fd4);
    }
  *fd6 = open_socket (self, 6, 0);
  return *fd4 >= 0 || *fd6 >= 0;
}

gboolean
hn_udp_bind (HnUdp *self, guint16 port, GError **error)
{
  int fd4 = -1, fd6 = -1;
  int saved;

  close_sockets (self);
  if (!open_pair (self, port, port, &fd4, &fd6)
      && !open_pair (self, self->sockets[0].former_port, self->sockets[1].former_port, &fd4, &fd6)
      && !open_any (self, &fd4, &fd6))
    {
      saved = errno;
      g_set_error (error, HN_ERROR, HN_ERROR_FAILED, "No UDP socket: %s", g_strerror (saved));
      return FALSE;
    }

  if (self->buffers == NULL)
    self->buffers = g_malloc (sizeof *self->buffers);
  if (fd4 >= 0)
    take_socket (self, 4, fd4);
  if (fd6 >= 0)
    take_socket (self, 6, fd6);
  g_debug ("bound to %u (IPv4) and %u (IPv6)", self->sockets[0].port, self->sockets[1].port);
  return TRUE;
}

gboolean
hn_udp_rebind (HnUdp *self, GError **error)
{
  return hn_udp_bind (self, 0, error);
}

void
hn_udp_close (HnUdp *self)
{
  close_sockets (self);
  self->n_segments = 0;
  self->out_len = 0;
  self->closed = FALSE;
  self->n_failures = 0;
}

guint16
hn_udp_get_port (const HnUdp *self, guint8 family)
{
  return self->sockets[family == 6 ? 1 : 0].port;
}

void
hn_udp_set_offloads (HnUdp *self, HnUdpOffloads offloads)
{
  self->wanted = offloads;
}

HnUdpOffloads
hn_udp_get_offloads (const HnUdp *self, guint8 family)
{
  const Socket *sock = &self->sockets[family == 6 ? 1 : 0];

  if (sock->fd < 0)
    return 0;
  return (sock->gso ? HN_UDP_GSO : 0) | (sock->gro ? HN_UDP_GRO : 0);
}

const HnUdpCounters *
hn_udp_get_counters (const HnUdp *self)
{
  return &self->counters;
}

HnUdp *
hn_udp_new (guint32 mark, const HnUdpOps *ops, gpointer user)
{
  HnUdp *self = g_new0 (HnUdp, 1);

  self->ops = *ops;
  self->user = user;
  self->mark = mark;
  self->wanted = HN_UDP_GSO | HN_UDP_GRO;
  self->context = g_main_context_ref_thread_default ();
  for (guint i = 0; i < G_N_ELEMENTS (self->sockets); i++)
    {
      self->sockets[i].owner = self;
      self->sockets[i].family = i == 0 ? 4 : 6;
      self->sockets[i].fd = -1;
    }
  return self;
}

void
hn_udp_free (HnUdp *self)
{
  if (self == NULL)
    return;
  close_sockets (self);
  g_main_context_unref (self->context);
  g_free (self->buffers);
  g_free (self);
}
