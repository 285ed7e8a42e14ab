/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-packet-port.h"

G_DEFINE_INTERFACE (HnPacketPort, hn_packet_port, G_TYPE_OBJECT)

static void
hn_packet_port_default_init (HnPacketPortInterface *iface)
{
}

int
hn_packet_port_get_fd (HnPacketPort *self)
{
  return HN_PACKET_PORT_GET_IFACE (self)->get_fd (self);
}

HnPortOffloads
hn_packet_port_get_offloads (HnPacketPort *self)
{
  return HN_PACKET_PORT_GET_IFACE (self)->get_offloads (self);
}

int
hn_packet_port_read_batch (HnPacketPort *self, HnPacketBatch *batch)
{
  return HN_PACKET_PORT_GET_IFACE (self)->read_batch (self, batch);
}

guint
hn_packet_port_write_batch (HnPacketPort *self, const HnPacketBatch *batch)
{
  return HN_PACKET_PORT_GET_IFACE (self)->write_batch (self, batch);
}
