/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tun/hn-tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/hn-error.h"

#define CLONE_DEVICE "/dev/net/tun"

/* Each packet has its own buffer, whole pages apart: what a short packet does not reach is never
 * touched and costs no memory. */
#define BUFFER_STRIDE                                                                              \
  ((HN_PACKET_HEADROOM + HN_PACKET_MAX + HN_PACKET_TAILROOM + 4095) / 4096 * 4096)

struct _HnTun
{
  GObject parent_instance;

  int fd; /* owned */
  int ifindex;
  char name[IFNAMSIZ];
  guint8 *buffers; /* HN_PACKET_BATCH_MAX of BUFFER_STRIDE */
};

static void hn_tun_packet_port_init (HnPacketPortInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (HnTun, hn_tun, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (HN_TYPE_PACKET_PORT, hn_tun_packet_port_init))

static void
hn_tun_finalize (GObject *object)
{
  HnTun *self = HN_TUN (object);

  if (self->fd >= 0)
    close (self->fd);
  g_free (self->buffers);
  G_OBJECT_CLASS (hn_tun_parent_class)->finalize (object);
}

static void
hn_tun_class_init (HnTunClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = hn_tun_finalize;
}

static void
hn_tun_init (HnTun *self)
{
  self->fd = -1;
}

static int
hn_tun_get_fd (HnPacketPort *port)
{
  return HN_TUN (port)->fd;
}

static HnPortOffloads
hn_tun_get_offloads (HnPacketPort *port)
{
  return 0;
}

/* FALSE for a header that no packet of this length can have. */
static gboolean
take_header (const struct virtio_net_hdr *header, HnPacket *packet)
{
  packet->needs_csum = (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
  packet->csum_start = packet->needs_csum ? header->csum_start : 0;
  packet->csum_offset = packet->needs_csum ? header->csum_offset : 0;
  if (packet->needs_csum
      && (guint32) packet->csum_start + packet->csum_offset + sizeof (guint16) > packet->len)
    return FALSE;

  packet->segment_size = 0;
  packet->gso_type = HN_GSO_NONE;
  switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN)
    {
    case VIRTIO_NET_HDR_GSO_NONE:
      return TRUE;
    case VIRTIO_NET_HDR_GSO_TCPV4:
      packet->gso_type = HN_GSO_TCP4;
      break;
    case VIRTIO_NET_HDR_GSO_TCPV6:
      packet->gso_type = HN_GSO_TCP6;
      break;
    case HN_GSO_UDP:
      packet->gso_type = HN_GSO_UDP;
      break;
    default:
      return FALSE;
    }
  packet->segment_size = header->gso_size;
  return packet->segment_size > 0;
}

static int
hn_tun_read_batch (HnPacketPort *port, HnPacketBatch *batch)
{
  HnTun *self = HN_TUN (port);

  batch->n = 0;
  while (batch->n < HN_PACKET_BATCH_MAX)
    {
      HnPacket *packet = &batch->packets[batch->n];
      struct virtio_net_hdr header;
      struct iovec parts[2];
      gssize n;

      packet->data = self->buffers + (gsize) batch->n * BUFFER_STRIDE + HN_PACKET_HEADROOM;
      parts[0] = (struct iovec){ &header, sizeof header };
      parts[1] = (struct iovec){ packet->data, HN_PACKET_MAX };
      n = readv (self->fd, parts, G_N_ELEMENTS (parts));
      if (n < 0)
        {
          if (errno == EINTR)
            continue;
          if (errno == EAGAIN || batch->n > 0)
            break; /* a lasting error comes again, on the next call */
          return -errno;
        }
      if (n <= (gssize) sizeof header)
        continue;
      packet->len = (guint32) (n - (gssize) sizeof header);
      if (take_header (&header, packet))
        batch->n++;
    }
  return (int) batch->n;
}

static void
fill_header (const HnPacket *packet, struct virtio_net_hdr *header)
{
  memset (header, 0, sizeof *header);
  if (packet->needs_csum)
    {
      header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
      header->csum_start = packet->csum_start;
      header->csum_offset = packet->csum_offset;
    }
  header->gso_type = packet->gso_type;
  if (packet->gso_type == HN_GSO_NONE)
    return;
  header->gso_size = packet->segment_size;
  /* A hint to the kernel how much to keep in one piece: up to the end of the transport header. */
  if (packet->gso_type == HN_GSO_UDP)
    header->hdr_len = (guint16) (packet->csum_start + 8);
  else if ((guint32) packet->csum_start + 12 < packet->len)
    header->hdr_len
        = (guint16) (packet->csum_start + (packet->data[packet->csum_start + 12] >> 4) * 4);
}

static guint
hn_tun_write_batch (HnPacketPort *port, const HnPacketBatch *batch)
{
  HnTun *self = HN_TUN (port);
  guint taken = 0;

  for (guint i = 0; i < batch->n; i++)
    {
      const HnPacket *packet = &batch->packets[i];
      struct virtio_net_hdr header;
      struct iovec parts[2];
      gssize n;

      fill_header (packet, &header);
      parts[0] = (struct iovec){ &header, sizeof header };
      parts[1] = (struct iovec){ packet->data, packet->len };
      do
        n = writev (self->fd, parts, G_N_ELEMENTS (parts));
      while (n < 0 && errno == EINTR);
      if (n >= 0)
        taken++;
    }
  return taken;
}

static void
hn_tun_packet_port_init (HnPacketPortInterface *iface)
{
  iface->get_fd = hn_tun_get_fd;
  iface->get_offloads = hn_tun_get_offloads;
  iface->read_batch = hn_tun_read_batch;
  iface->write_batch = hn_tun_write_batch;
}

static void
set_open_error (GError **error, int code)
{
  switch (code)
    {
    case EACCES:
    case EPERM:
      g_set_error (error, HN_ERROR, HN_ERROR_NOT_AUTHORIZED,
                   "Cannot open %s: %s (making a network device needs CAP_NET_ADMIN)", CLONE_DEVICE,
                   g_strerror (code));
      break;
    case ENOENT:
    case ENODEV:
    case ENXIO:
      g_set_error (error, HN_ERROR, HN_ERROR_NOT_SUPPORTED,
                   "Cannot open %s: %s. Load the kernel's module with \"modprobe tun\"",
                   CLONE_DEVICE, g_strerror (code));
      break;
    default:
      g_set_error (error, HN_ERROR, HN_ERROR_FAILED, "Cannot open %s: %s", CLONE_DEVICE,
                   g_strerror (code));
    }
}

static gboolean
make_device (HnTun *self, const char *name, GError **error)
{
  struct ifreq request = { 0 };
  int header_size = sizeof (struct virtio_net_hdr);
  int code;

  g_strlcpy (request.ifr_name, name, sizeof request.ifr_name);
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  /* Asked first: the kernel would attach us to somebody's persistent device of that name. */
  if (if_nametoindex (name) != 0)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_EXISTS, "There is a network device \"%s\" already",
                   name);
      return FALSE;
    }
  if (ioctl (self->fd, TUNSETIFF, &request) < 0)
    {
      code = errno;
      if (code == EPERM || code == EACCES)
        g_set_error (error, HN_ERROR, HN_ERROR_NOT_AUTHORIZED,
                     "Cannot make the network device \"%s\": %s (it needs CAP_NET_ADMIN)", name,
                     g_strerror (code));
      else
        g_set_error (error, HN_ERROR,
                     code == EBUSY || code == EEXIST ? HN_ERROR_EXISTS : HN_ERROR_FAILED,
                     "Cannot make the network device \"%s\": %s", name, g_strerror (code));
      return FALSE;
    }
  g_strlcpy (self->name, request.ifr_name, sizeof self->name);
  self->ifindex = (int) if_nametoindex (self->name);
  if (ioctl (self->fd, TUNSETVNETHDRSZ, &header_size) < 0 || ioctl (self->fd, TUNSETOFFLOAD, 0) < 0)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_FAILED, "Cannot set up the network device \"%s\": %s",
                   name, g_strerror (errno));
      return FALSE;
    }
  return TRUE;
}

HnTun *
hn_tun_new (const char *name, GError **error)
{
  g_autoptr (HnTun) self = g_object_new (HN_TYPE_TUN, NULL);

  g_return_val_if_fail (name != NULL && *name != '\0' && strlen (name) < IFNAMSIZ, NULL);

  self->fd = open (CLONE_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (self->fd < 0)
    {
      set_open_error (error, errno);
      return NULL;
    }
  if (!make_device (self, name, error))
    return NULL;
  self->buffers = g_malloc ((gsize) HN_PACKET_BATCH_MAX * BUFFER_STRIDE);
  return g_steal_pointer (&self);
}

const char *
hn_tun_get_name (HnTun *self)
{
  g_return_val_if_fail (HN_IS_TUN (self), NULL);
  return self->name;
}

int
hn_tun_get_ifindex (HnTun *self)
{
  g_return_val_if_fail (HN_IS_TUN (self), 0);
  return self->ifindex;
}
