/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the pump share: hn-pump.c moves packets, hn-pump-peers.c keeps the peers,
 * hn-pump-paths.c the ways to them, hn-pump-ping.c sends our own pings, hn-pump-tsmp.c talks to
 * other daemons inside the tunnel.
 */
#pragma once

#include "dataplane/hn-address-map.h"
#include "dataplane/hn-filter.h"
#include "dataplane/hn-ip-reply.h"
#include "dataplane/hn-pump.h"
#include "path/hn-paths.h"
#include "wireguard/hn-wg.h"

/* A limit by the second: what counts is added to n by whoever did it. */
typedef struct
{
  gint64 since_us; /* begin of the second */
  guint n;
} HnPumpRate;

static inline gboolean
hn_pump_rate_has_room (HnPumpRate *self, guint per_second, gint64 now_us)
{
  if (now_us - self->since_us >= G_USEC_PER_SEC)
    *self = (HnPumpRate){ now_us, 0 };
  return self->n < per_second;
}

/* What is remembered of a peer that was ever talked to. */
typedef struct
{
  struct _HnPumpPeer *peer; /* its owner */
  HnWgPeer *wg;             /* NULL while idle */
  GList active;             /* in HnPump.active while wg is there; data is this */
  gint64 last_packet_us;    /* either way */
  gint64 last_handshake_us; /* of sessions that are gone */
  gint64 renewed_us;        /* the last handshake because of a lost session; 0 never */
  gint64 latency_us;
  guint64 rx_bytes; /* of times in the tunnel that are over */
  guint64 tx_bytes;
  HnPeerPath path;
  gboolean gone; /* its relay said so, and nothing came since */
} HnPumpLink;

typedef struct _HnPumpPeer
{
  HnNode *node;     /* owned; the key of HnPump.peers lies in it */
  HnPathPeer *path; /* NULL when there are no direct paths */
  HnPumpLink *link; /* owned; NULL until the first packet */
} HnPumpPeer;

typedef struct
{
  gpointer token; /* the owner's */
  HnPingKind kind;
  HnNodePublic peer;
  HnIp target;
  gint64 sent_us;
  gint64 deadline_us;
  guint16 sequence;
  guint8 cookie[HN_IP_ECHO_COOKIE_SIZE];
} HnPumpPing;

struct _HnPump
{
  HnPumpOps ops;
  gpointer user;
  HnPacketPort *port;   /* owned */
  GSource *port_source; /* owned; NULL once the port is lost */
  GSource *timer;       /* owned */

  HnWg *wg; /* owned */
  gboolean has_key;
  HnFilter *filter; /* owned */
  HnPaths *paths;   /* owned; NULL when there are no direct paths */
  HnNodePublic own_key;
  HnDiscoPrivate disco_key; /* zero: none */

  GHashTable *peers;       /* HnNodePublic in the node -> HnPumpPeer, owned */
  HnAddressMap *addresses; /* -> HnPumpPeer */
  gboolean has_conflicts;  /* two peers claimed one address since the map was made */
  GQueue active;           /* of HnPumpLink */
  gint64 sweep_us;         /* next look for idle peers; G_MAXINT64 while none is active */

  GArray *pings; /* of HnPumpPing */
  guint16 ping_id;
  guint16 ping_sequence;

  gint64 held_until_us; /* the port is not read before; G_MAXINT64 while it is read */
  gboolean
      sent_direct; /* of what was read last, something needs no relay: nothing to hold it for */

  gint64 now_us; /* of the event being worked on */
  /* Of the datagram being received; both NULL else. */
  const HnNodePublic *source;
  int source_region;
  const HnEndpoint *from;

  HnPumpRate renewals;     /* of lost sessions */
  gint64 refusals_told_us; /* 0 never */
  HnPumpRate rejects;      /* words to those whose connection was refused */
  HnPumpRate unreachables; /* words to the host that nobody has an address */

  HnPumpCounters counters;
  HnPacketBatch in;  /* from the port */
  HnPacketBatch out; /* to the port */
  guint8 scratch[HN_PACKET_HEADROOM + HN_IP_REPLY_MAX + HN_PACKET_TAILROOM];
};

/* Reads the clock, once an event; returns what it wrote to now_us. */
gint64 hn_pump_update_now (HnPump *self);
/* The wall clock; a callback of the WireGuard core's too. */
gint64 hn_pump_wall_us (gpointer pump);

/* hn-pump-peers.c */
void hn_pump_init_peers (HnPump *self);
void hn_pump_clear_peers (HnPump *self);
/* The peer in the tunnel, put there if it is not; NULL when the tunnel is full or the key ours. */
HnPumpLink *hn_pump_activate (HnPump *self, HnPumpPeer *peer);
/* What is remembered of the peer, made if there is nothing yet. */
HnPumpLink *hn_pump_ensure_link (HnPumpPeer *peer);
void hn_pump_set_path (HnPump *self, HnPumpLink *link, const HnPeerPath *path);
/* By a relay's region; 0: no way at all. */
void hn_pump_set_relay (HnPump *self, HnPumpLink *link, int region);
/* Takes peers that fell silent out of the tunnel. */
void hn_pump_sweep (HnPump *self);

/* hn-pump-paths.c */
void hn_pump_init_paths (HnPump *self);
/* A sealed datagram, the way that the path machine says. */
void hn_pump_send_datagram (HnPump *self, HnPumpLink *link, const guint8 *datagram, gsize len);
/* To whoever sent what is being received. */
void hn_pump_send_back (HnPump *self, const guint8 *datagram, gsize len);
void hn_pump_flush_udp (HnPump *self);

/* hn-pump-tsmp.c */
/* A TSMP packet of the peer's. */
void hn_pump_take_tsmp (HnPump *self, HnPumpLink *link, const HnIpPacket *packet);
/* The filter refused a packet of the peer's: counted, and the peer told where that is customary. */
void hn_pump_refuse (HnPump *self, HnPumpLink *link, const HnIpPacket *packet,
                     HnFilterVerdict verdict);

/* hn-pump-ping.c */
/* Whether an inbound packet answers a ping of ours. */
gboolean hn_pump_take_ping_reply (HnPump *self, const HnIpPacket *packet);
gint64 hn_pump_get_ping_deadline (HnPump *self);
void hn_pump_expire_pings (HnPump *self);
/* The same of a TSMP pong. */
void hn_pump_take_tsmp_pong (HnPump *self, const HnIpPacket *packet,
                             const guint8 cookie[HN_IP_ECHO_COOKIE_SIZE]);
/* The answer to a ping of the path machine. */
void hn_pump_take_pong (HnPump *self, gpointer token, const HnPathPong *pong);
