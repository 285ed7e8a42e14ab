/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "system/hn-netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/hn-error.h"

/* Each failing message of a batch is answered; this many answers fit the smallest receive buffer
 * that a kernel gives out. */
#define BATCH_MAX 128
#define BATCH_BYTES 32768
#define RECEIVE_BYTES 65536
#define RECEIVE_BUFFER (1024 * 1024)
#define DUMP_TRIES 4

typedef struct
{
  guint32 sequence;
  int tolerated;
  const char *what; /* static */
} Queued;

struct _HnNetlink
{
  struct nl_sock *socket; /* owned */
  guint32 sequence;
  guint64 n_changes;

  GByteArray *batch;
  Queued queued[BATCH_MAX];
  guint n_queued;
  gsize last_offset; /* of the last message in the batch */
  int failed;        /* first errno since the last flush, 0 none */
  const char *failed_what;

  guint8 *receive_buffer; /* RECEIVE_BYTES */
};

void
hn_netlink_set_error (GError **error, int code, const char *what)
{
  HnError kind = HN_ERROR_FAILED;

  code = ABS (code);
  if (code == EPERM)
    kind = HN_ERROR_NOT_AUTHORIZED;
  else if (code == ENODEV)
    kind = HN_ERROR_NOT_FOUND;
  g_set_error (error, HN_ERROR, kind, "Cannot %s: %s", what, g_strerror (code));
}

HnNetlink *
hn_netlink_new (GError **error)
{
  g_autoptr (HnNetlink) self = g_new0 (HnNetlink, 1);
  struct timeval patience = { .tv_sec = 10 };
  int one = 1;
  int size = RECEIVE_BUFFER;
  int fd;
  int result;

  self->batch = g_byte_array_new ();
  self->receive_buffer = g_malloc (RECEIVE_BYTES);
  self->socket = nl_socket_alloc ();
  if (self->socket == NULL)
    {
      hn_netlink_set_error (error, ENOMEM, "open a netlink socket");
      return NULL;
    }
  result = nl_connect (self->socket, NETLINK_ROUTE);
  if (result < 0)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_FAILED, "Cannot open a netlink socket: %s",
                   nl_geterror (result));
      return NULL;
    }
  fd = nl_socket_get_fd (self->socket);
  if (setsockopt (fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
    (void) setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  (void) setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  /* Answers without the request inside, and dumps filtered by the kernel: both are savings only,
   * whoever reads a dump checks each object. */
  (void) setsockopt (fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
  (void) setsockopt (fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof one);
  return g_steal_pointer (&self);
}

void
hn_netlink_free (HnNetlink *self)
{
  g_clear_pointer (&self->socket, nl_socket_free);
  g_byte_array_unref (self->batch);
  g_free (self->receive_buffer);
  g_free (self);
}

guint32
hn_netlink_get_port (HnNetlink *self)
{
  return nl_socket_get_local_port (self->socket);
}

guint64
hn_netlink_get_n_changes (HnNetlink *self)
{
  return self->n_changes;
}

static int
send_bytes (HnNetlink *self, const void *data, gsize len)
{
  struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
  gssize n;

  do
    n = sendto (nl_socket_get_fd (self->socket), data, len, 0, (struct sockaddr *) &kernel,
                sizeof kernel);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : 0;
}

/* Returns the bytes received, or a negative errno. */
static int
receive_bytes (HnNetlink *self)
{
  struct sockaddr_nl from;
  socklen_t from_len;
  gssize n;

  do
    {
      from_len = sizeof from;
      n = recvfrom (nl_socket_get_fd (self->socket), self->receive_buffer, RECEIVE_BYTES, MSG_TRUNC,
                    (struct sockaddr *) &from, &from_len);
    }
  /* Only the kernel, which is port 0, answers. */
  while ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid != 0));
  if (n < 0)
    return errno == EAGAIN ? -ETIMEDOUT : -errno;
  if (n > RECEIVE_BYTES)
    return -EMSGSIZE;
  return (int) n;
}

static int
error_of (struct nlmsghdr *message)
{
  struct nlmsgerr *answer = nlmsg_data (message);

  if (nlmsg_datalen (message) < (int) sizeof answer->error)
    return -EPROTO;
  return answer->error;
}

/* Collects the objects of one dump, so that an inconsistent one can be thrown away. */
static int
collect_dump (HnNetlink *self, guint32 sequence, GByteArray *objects)
{
  gboolean interrupted = FALSE;

  for (;;)
    {
      struct nlmsghdr *message = (struct nlmsghdr *) (void *) self->receive_buffer;
      int left = receive_bytes (self);

      if (left < 0)
        return left;
      for (; nlmsg_ok (message, left); message = nlmsg_next (message, &left))
        {
          if (message->nlmsg_seq != sequence)
            continue;
          if (message->nlmsg_flags & NLM_F_DUMP_INTR)
            interrupted = TRUE;
          if (message->nlmsg_type == NLMSG_ERROR)
            return error_of (message);
          if (message->nlmsg_type == NLMSG_DONE)
            return interrupted ? -EINTR : 0;
          g_byte_array_append (objects, (guint8 *) message, NLMSG_ALIGN (message->nlmsg_len));
        }
    }
}

gboolean
hn_netlink_dump (HnNetlink *self, struct nl_msg *message, HnNetlinkVisit visit, gpointer user,
                 GError **error)
{
  struct nlmsghdr *header = nlmsg_hdr (message);
  g_autoptr (GByteArray) objects = g_byte_array_new ();
  int result = -EINTR;

  header->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
  header->nlmsg_pid = 0;
  for (guint i = 0; i < DUMP_TRIES && result == -EINTR; i++)
    {
      g_byte_array_set_size (objects, 0);
      header->nlmsg_seq = ++self->sequence;
      result = send_bytes (self, header, header->nlmsg_len);
      if (result == 0)
        result = collect_dump (self, header->nlmsg_seq, objects);
    }
  nlmsg_free (message);
  /* After several tries a dump that changes under our hands is still the best there is: the event
   * that made it so brings us here again. */
  if (result == -ENOENT)
    return TRUE; /* a routing table that does not exist is an empty one */
  if (result < 0 && result != -EINTR)
    {
      hn_netlink_set_error (error, result, "read the network's state");
      return FALSE;
    }

  if (objects->len > 0)
    {
      struct nlmsghdr *object = (struct nlmsghdr *) (void *) objects->data;
      int left = (int) objects->len;

      for (; nlmsg_ok (object, left); object = nlmsg_next (object, &left))
        visit (object, user);
    }
  return TRUE;
}

int
hn_netlink_query (HnNetlink *self, struct nl_msg *message, HnNetlinkVisit visit, gpointer user)
{
  struct nlmsghdr *header = nlmsg_hdr (message);
  guint32 sequence = ++self->sequence;
  int result;

  header->nlmsg_flags |= NLM_F_REQUEST;
  header->nlmsg_seq = sequence;
  header->nlmsg_pid = 0;
  result = send_bytes (self, header, header->nlmsg_len);
  nlmsg_free (message);
  while (result == 0)
    {
      struct nlmsghdr *answer = (struct nlmsghdr *) (void *) self->receive_buffer;
      int left = receive_bytes (self);

      if (left < 0)
        return left;
      for (; nlmsg_ok (answer, left); answer = nlmsg_next (answer, &left))
        {
          if (answer->nlmsg_seq != sequence)
            continue;
          if (answer->nlmsg_type == NLMSG_ERROR)
            return error_of (answer);
          visit (answer, user);
          return 0;
        }
    }
  return result;
}

static void
note_answer (HnNetlink *self, guint32 sequence, int code)
{
  for (guint i = 0; i < self->n_queued; i++)
    {
      const Queued *queued = &self->queued[i];

      if (queued->sequence != sequence)
        continue;
      if (code != 0 && -code != queued->tolerated && self->failed == 0)
        {
          self->failed = -code;
          self->failed_what = queued->what;
        }
      return;
    }
}

static void
send_batch (HnNetlink *self)
{
  struct nlmsghdr *last;
  guint32 last_sequence;
  gboolean done = FALSE;
  int result;

  if (self->n_queued == 0)
    return;
  last = (struct nlmsghdr *) (void *) (self->batch->data + self->last_offset);
  last->nlmsg_flags |= NLM_F_ACK;
  last_sequence = last->nlmsg_seq;
  result = send_bytes (self, self->batch->data, self->batch->len);
  while (result >= 0 && !done)
    {
      struct nlmsghdr *answer = (struct nlmsghdr *) (void *) self->receive_buffer;
      int left = result = receive_bytes (self);

      if (left < 0)
        break;
      for (; nlmsg_ok (answer, left); answer = nlmsg_next (answer, &left))
        {
          if (answer->nlmsg_type != NLMSG_ERROR)
            continue;
          note_answer (self, answer->nlmsg_seq, error_of (answer));
          if (answer->nlmsg_seq == last_sequence)
            done = TRUE;
        }
    }
  if (result < 0 && self->failed == 0)
    {
      self->failed = -result;
      self->failed_what = self->queued[0].what;
    }
  self->n_changes += self->n_queued;
  self->n_queued = 0;
  g_byte_array_set_size (self->batch, 0);
}

void
hn_netlink_queue (HnNetlink *self, struct nl_msg *message, int tolerated, const char *what)
{
  static const guint8 padding[NLMSG_ALIGNTO];
  struct nlmsghdr *header = nlmsg_hdr (message);
  guint aligned = NLMSG_ALIGN (header->nlmsg_len);

  if (self->n_queued == BATCH_MAX || self->batch->len + aligned > BATCH_BYTES)
    send_batch (self);
  header->nlmsg_flags |= NLM_F_REQUEST;
  header->nlmsg_seq = ++self->sequence;
  header->nlmsg_pid = 0;
  self->queued[self->n_queued++]
      = (Queued){ .sequence = header->nlmsg_seq, .tolerated = tolerated, .what = what };
  self->last_offset = self->batch->len;
  g_byte_array_append (self->batch, (guint8 *) header, header->nlmsg_len);
  g_byte_array_append (self->batch, padding, aligned - header->nlmsg_len);
  nlmsg_free (message);
}

gboolean
hn_netlink_flush (HnNetlink *self, GError **error)
{
  int failed;

  send_batch (self);
  failed = self->failed;
  self->failed = 0;
  if (failed == 0)
    return TRUE;
  hn_netlink_set_error (error, failed, self->failed_what);
  return FALSE;
}
