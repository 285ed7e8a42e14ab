/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where plain IP packets enter and leave: a kernel TUN device or a user-space stack. A port hands
 * over batches; each packet carries what a virtio header says, so that super-packets and unfinished
 * checksums can pass through this interface. A port that offers no offload sets gso_type to none.
 *
 * Not thread safe; used on the data plane's thread only.
 */
#pragma once

#include <glib-object.h>

#define HN_TYPE_PACKET_PORT (hn_packet_port_get_type ())
G_DECLARE_INTERFACE (HnPacketPort, hn_packet_port, HN, PACKET_PORT, GObject)

/* Bytes in front of and behind each packet that the receiver of a batch may write to. */
#define HN_PACKET_HEADROOM 64
#define HN_PACKET_TAILROOM 64
#define HN_PACKET_MAX 65535
#define HN_PACKET_BATCH_MAX 64

typedef enum
{
  HN_GSO_NONE = 0,
  HN_GSO_TCP4 = 1,
  HN_GSO_TCP6 = 4,
  HN_GSO_UDP = 5,
} HnGsoType;

typedef struct
{
  guint8 *data; /* the IP header */
  guint32 len;
  guint16 segment_size; /* payload bytes a segment; 0 unless gso_type is set */
  guint16 csum_start;   /* where an unfinished checksum begins, with needs_csum */
  guint16 csum_offset;
  guint8 gso_type; /* HnGsoType */
  gboolean needs_csum;
} HnPacket;

typedef struct
{
  guint n;
  HnPacket packets[HN_PACKET_BATCH_MAX];
} HnPacketBatch;

typedef enum
{
  HN_PORT_OFFLOAD_CSUM = 1 << 0,
  HN_PORT_OFFLOAD_TCP = 1 << 1,
  HN_PORT_OFFLOAD_UDP = 1 << 2,
} HnPortOffloads;

struct _HnPacketPortInterface
{
  GTypeInterface parent;

  int (*get_fd) (HnPacketPort *self);
  HnPortOffloads (*get_offloads) (HnPacketPort *self);
  int (*read_batch) (HnPacketPort *self, HnPacketBatch *batch);
  guint (*write_batch) (HnPacketPort *self, const HnPacketBatch *batch);
};

/* A descriptor that polls readable when packets wait; the port keeps it. */
int hn_packet_port_get_fd (HnPacketPort *self);
/* What this port may hand out, and takes. */
HnPortOffloads hn_packet_port_get_offloads (HnPacketPort *self);
/* Fills @batch with what waits, without blocking. The packets lie in the port's own buffers, with
 * head and tail room, until the next call. Returns the number of packets, 0 when none waits, or a
 * negative errno when the port is gone. */
int hn_packet_port_read_batch (HnPacketPort *self, HnPacketBatch *batch);
/* Hands packets to the host; each has head room. Returns how many were taken; the rest is dropped,
 * as a full queue of a network card would. */
guint hn_packet_port_write_batch (HnPacketPort *self, const HnPacketBatch *batch);
