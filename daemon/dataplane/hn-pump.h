/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conductor of the data plane, on its thread: moves packets between the port and the tunnel,
 * asks the filter, knows the peers and the paths to them, and runs the one timer of it all.
 * Datagrams leave through operations of the owner's, so that relays and sockets can be real or a
 * test's.
 *
 * A peer that nobody talks to is a reference and two table entries; what a conversation needs is
 * made with the first packet, and the tunnel's part of it is given back when both sides fell
 * silent.
 */
#pragma once

#include "dataplane/hn-dataplane.h"
#include "dataplane/hn-packet-port.h"
#include "model/hn-node.h"

typedef struct _HnPump HnPump;

typedef struct
{
  /* Sends a datagram to @peer, whose relay is @region (0: unknown). Returns the region that took
   * it, 0 when there is no way. */
  int (*send) (gpointer user, int region, const HnNodePublic *peer, const guint8 *data, gsize len);
  /* Nullable: there are no direct paths. Sends a datagram to an address. Returns 0 or an errno. */
  int (*send_udp) (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len);
  /* Nullable. What went to send_udp() is to leave now. */
  void (*flush_udp) (gpointer user);
  /* Nullable. Our endpoints are to be learned anew: hn_pump_set_endpoints() answers. */
  void (*refresh_endpoints) (gpointer user);
  /* Nullable. A batch of the port's was sent; TRUE: it waits, and the port is not read again until
   * hn_pump_resume(), or for a moment. So a jam reaches the host's own queue instead of our drops. */
  gboolean (*flush) (gpointer user);
  void (*path_changed) (gpointer user, const HnNodePublic *peer, const HnPeerPath *path);
  void (*port_lost) (gpointer user, const GError *error);
  /* Nullable. Packets of peers were refused; @verdicts as hn_pump_get_verdicts(). At once for the first
   * one, then once a minute at most. */
  void (*refused) (gpointer user, const guint64 *verdicts);
  /* The end of a ping: @latency_us < 0 when no answer came in time. */
  void (*ping_done) (gpointer user, gpointer ping, const HnPeerStats *stats, gint64 latency_us);
  gint64 (*now_us) (gpointer user);  /* nullable: hn_clock_now_us() */
  gint64 (*wall_us) (gpointer user); /* nullable: hn_clock_wall_us() */
} HnPumpOps;

/* Packets that went no further, and why; counters since the start. */
typedef struct
{
  guint64 out_malformed;
  guint64 out_refused; /* not from our address, or never for a tunnel */
  guint64 out_no_peer;
  guint64 out_no_path;
  guint64 in_unknown_source; /* a relay's packet of nobody in the tailnet */
  guint64 in_disco;          /* while there are no direct paths */
  guint64 in_malformed;
  guint64 in_refused;   /* by the filter */
  guint64 in_consumed;  /* TSMP, and answers to our own pings */
  guint64 rejects_sent; /* TSMP words to senders whose connection the filter refused */
  guint64 rejects_received;
  guint64 port_dropped; /* the host did not take it */
} HnPumpCounters;

/* Takes a copy of @ops. Its sources are attached to the thread-default context. @mtu: of the inner
 * packets, 0 for 1280. */
HnPump *hn_pump_new (HnPacketPort *port, const HnPumpOps *ops, gpointer user, guint mtu);
void hn_pump_free (HnPump *self);
void hn_pump_set_private_key (HnPump *self, const HnNodePrivate *key);
void hn_pump_set_disco_key (HnPump *self, const HnDiscoPrivate *key);
void hn_pump_set_addresses (HnPump *self, const HnPrefix *addresses, gsize n);
void hn_pump_set_filter (HnPump *self, HnFilterProgram *program);
/* Freshly learned addresses at which we may be reached. */
void hn_pump_set_endpoints (HnPump *self, const HnEndpoint *endpoints, gsize n);
/* All direct paths are to be found anew; @available FALSE: there are none. */
void hn_pump_network_changed (HnPump *self, gboolean available);
/* Both of HnNode and nullable; of @removed only the node keys count, and it goes first. */
void hn_pump_update_peers (HnPump *self, GPtrArray *changed, GPtrArray *removed, gboolean full);
/* A datagram of @source came over the relay of @region. It is decrypted in place and has 64
 * writable bytes in front and behind. */
void hn_pump_receive (HnPump *self, int region, const HnNodePublic *source, guint8 *data,
                      gsize len);
/* The same of a datagram that came directly from @from, whoever that is. */
void hn_pump_receive_udp (HnPump *self, const HnEndpoint *from, guint8 *data, gsize len);
/* A datagram to @to could not be sent after all. */
void hn_pump_send_failed (HnPump *self, const HnEndpoint *to, int error);
/* What flush() said waits is on its way. */
void hn_pump_resume (HnPump *self);
/* A relay says that @peer is not there. */
void hn_pump_peer_gone (HnPump *self, int region, const HnNodePublic *peer);

/* FALSE for an unknown peer. */
gboolean hn_pump_get_stats (HnPump *self, const HnNodePublic *peer, HnPeerStats *stats);
/* Sends a ping; @ping is the owner's token, handed to ping_done() unless cancelled. */
gboolean hn_pump_ping (HnPump *self, HnPingKind kind, const HnIp *target, guint timeout_ms,
                       gpointer ping, GError **error);
void hn_pump_cancel_ping (HnPump *self, gpointer ping);

const HnPumpCounters *hn_pump_get_counters (const HnPump *self);
/* Inbound packets by the filter's verdict; see hn_filter_get_counters(). */
const guint64 *hn_pump_get_verdicts (const HnPump *self);
/* Peers that the tunnel knows at the moment. */
guint hn_pump_get_n_active (const HnPump *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnPump, hn_pump_free)
