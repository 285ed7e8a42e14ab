/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pair of UDP sockets (IPv4, IPv6) of one tailnet, on the GMainContext that is thread-default
 * when it is made. Datagrams are read in batches with generic receive offload where the kernel has
 * it, and sent in batches: what is queued for one address leaves as one system call. Our firewall
 * mark is set on both.
 */
#pragma once

#include <gio/gio.h>

#include "base/hn-ip.h"

typedef struct _HnUdp HnUdp;

typedef struct
{
  /* A datagram; @data may be changed in place, is valid during the call, and has 64 writable bytes in
   * front and behind unless it is one of several merged ones (then what lies around is another). */
  void (*receive) (gpointer user, const HnEndpoint *from, guint8 *data, gsize len);
  /* Nullable. All datagrams of one wake-up were handed over: time to flush what they led to. */
  void (*received_all) (gpointer user);
  /* Nullable. A datagram could not be sent (errno); told at the end of a flush, never from within
   * hn_udp_send(). EPERM, a local firewall, is told too. What a full queue dropped is only counted.
   */
  void (*send_failed) (gpointer user, const HnEndpoint *to, int error);
} HnUdpOps;

typedef struct
{
  guint64 received; /* datagrams, after merged ones were taken apart */
  guint64 reads;    /* system calls that gave some */
  guint64 cut;      /* datagrams longer than any of ours may be */
  guint64 sent;     /* datagrams the kernel took */
  guint64 writes;   /* system calls it took them by */
  guint64 dropped;  /* datagrams it did not take, for whatever reason */
} HnUdpCounters;

typedef enum
{
  HN_UDP_GSO = 1 << 0, /* UDP_SEGMENT */
  HN_UDP_GRO = 1 << 1, /* UDP_GRO */
} HnUdpOffloads;

/* @mark: SO_MARK, 0 none; EPERM on it is ignored. Takes a copy of @ops. The callbacks may call
 * everything here but hn_udp_free(). */
HnUdp *hn_udp_new (guint32 mark, const HnUdpOps *ops, gpointer user);
void hn_udp_free (HnUdp *self);
/* What the next bind may use at all; both is the default. */
void hn_udp_set_offloads (HnUdp *self, HnUdpOffloads offloads);
/* Opens both sockets on @port, or another one when it is 0 or taken (the former port is tried first
 * then). IPv6 failing is no error. FALSE: no socket at all; UDP is then simply not there. */
gboolean hn_udp_bind (HnUdp *self, guint16 port, GError **error);
/* New sockets on the same port: after the network changed. */
gboolean hn_udp_rebind (HnUdp *self, GError **error);
void hn_udp_close (HnUdp *self);
guint16 hn_udp_get_port (const HnUdp *self, guint8 family); /* 0: that family has no socket */
/* Queues a datagram for the next flush; consecutive ones for one address and of one size go out as
 * one. Copies @data. Returns 0, or an errno that says it can not be sent at all: EAFNOSUPPORT (no
 * socket of that family), EMSGSIZE, EINVAL. */
int hn_udp_send (HnUdp *self, const HnEndpoint *to, const guint8 *data, gsize len);
void hn_udp_flush (HnUdp *self);

const HnUdpCounters *hn_udp_get_counters (const HnUdp *self);
/* What is in use now, by the socket of @family. */
HnUdpOffloads hn_udp_get_offloads (const HnUdp *self, guint8 family);
/* What a kernel can be trusted with, by what uname() calls it. */
HnUdpOffloads hn_udp_offloads_of_kernel (const char *release);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnUdp, hn_udp_free)
