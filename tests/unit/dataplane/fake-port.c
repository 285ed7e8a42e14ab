/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-port.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STRIDE (HN_PACKET_HEADROOM + 2048 + HN_PACKET_TAILROOM)

/* The queues are locked: the data plane's thread is on their other side. */
struct _FakePort
{
  GObject parent_instance;

  int fd;
  gint broken;
  gint n_writes;
  GAsyncQueue *in;  /* of GBytes */
  GAsyncQueue *out; /* of GBytes */
  guint8 *buffers;
};

static void fake_port_interface_init (HnPacketPortInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (FakePort, fake_port, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (HN_TYPE_PACKET_PORT,
                                                      fake_port_interface_init))

static int
fake_port_get_fd (HnPacketPort *port)
{
  return FAKE_PORT (port)->fd;
}

static HnPortOffloads
fake_port_get_offloads (HnPacketPort *port)
{
  return 0;
}

static int
fake_port_read_batch (HnPacketPort *port, HnPacketBatch *batch)
{
  FakePort *self = FAKE_PORT (port);
  guint64 n;

  batch->n = 0;
  if (g_atomic_int_get (&self->broken))
    return -EBADFD;
  while (batch->n < HN_PACKET_BATCH_MAX && read (self->fd, &n, sizeof n) == sizeof n)
    {
      g_autoptr (GBytes) bytes = g_async_queue_pop (self->in);
      HnPacket *packet = &batch->packets[batch->n];
      gsize len;
      gconstpointer data = g_bytes_get_data (bytes, &len);

      *packet = (HnPacket){ .data = self->buffers + batch->n * STRIDE + HN_PACKET_HEADROOM,
                            .len = (guint32) len };
      memcpy (packet->data, data, len);
      batch->n++;
    }
  return (int) batch->n;
}

static guint
fake_port_write_batch (HnPacketPort *port, const HnPacketBatch *batch)
{
  FakePort *self = FAKE_PORT (port);

  g_atomic_int_inc (&self->n_writes);
  for (guint i = 0; i < batch->n; i++)
    {
      const HnPacket *packet = &batch->packets[i];

      /* The room in front is the port's. */
      memset (packet->data - 10, 0xaa, 10);
      g_async_queue_push (self->out, g_bytes_new (packet->data, packet->len));
    }
  return batch->n;
}

static void
fake_port_interface_init (HnPacketPortInterface *iface)
{
  iface->get_fd = fake_port_get_fd;
  iface->get_offloads = fake_port_get_offloads;
  iface->read_batch = fake_port_read_batch;
  iface->write_batch = fake_port_write_batch;
}

static void
fake_port_finalize (GObject *object)
{
  FakePort *self = FAKE_PORT (object);

  close (self->fd);
  g_async_queue_unref (self->in);
  g_async_queue_unref (self->out);
  g_free (self->buffers);
  G_OBJECT_CLASS (fake_port_parent_class)->finalize (object);
}

static void
fake_port_class_init (FakePortClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = fake_port_finalize;
}

static void
fake_port_init (FakePort *self)
{
  /* One count a packet: it polls readable as long as some wait. */
  self->fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
  g_assert_cmpint (self->fd, >=, 0);
  self->in = g_async_queue_new_full ((GDestroyNotify) g_bytes_unref);
  self->out = g_async_queue_new_full ((GDestroyNotify) g_bytes_unref);
  self->buffers = g_malloc ((gsize) HN_PACKET_BATCH_MAX * STRIDE);
}

FakePort *
fake_port_new (void)
{
  return g_object_new (FAKE_TYPE_PORT, NULL);
}

static void
ring (FakePort *self)
{
  guint64 one = 1;

  g_assert_cmpint (write (self->fd, &one, sizeof one), ==, sizeof one);
}

void
fake_port_put (FakePort *self, const guint8 *data, gsize len)
{
  g_async_queue_push (self->in, g_bytes_new (data, len));
  ring (self);
}

GBytes *
fake_port_take (FakePort *self)
{
  return g_async_queue_try_pop (self->out);
}

void
fake_port_break (FakePort *self)
{
  g_atomic_int_set (&self->broken, 1);
  ring (self);
}

guint
fake_port_get_n_writes (FakePort *self)
{
  return (guint) g_atomic_int_get (&self->n_writes);
}
