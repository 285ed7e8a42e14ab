/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the pump share: hn-pump.c moves packets, hn-pump-peers.c keeps the peers,
 * hn-pump-ping.c sends our own echo requests.
 */
#pragma once

#include "dataplane/hn-address-map.h"
#include "dataplane/hn-filter-thin.h"
#include "dataplane/hn-ip-reply.h"
#include "dataplane/hn-pump.h"
#include "wireguard/hn-wg.h"

/* What is remembered of a peer that was ever talked to. */
typedef struct
{
  struct _HnPumpPeer *peer; /* its owner */
  HnWgPeer *wg;             /* NULL while idle */
  GList active;             /* in HnPump.active while wg is there; data is this */
  gint64 last_packet_us;    /* either way */
  gint64 last_handshake_us; /* of sessions that are gone */
  gint64 latency_us;
  guint64 rx_bytes; /* of times in the tunnel that are over */
  guint64 tx_bytes;
  int relay; /* in use; 0 none */
  HnPathKind path;
  gboolean gone; /* its relay said so, and nothing came since */
} HnPumpLink;

typedef struct _HnPumpPeer
{
  HnNode *node;     /* owned; the key of HnPump.peers lies in it */
  HnPumpLink *link; /* owned; NULL until the first packet */
} HnPumpPeer;

typedef struct
{
  gpointer token; /* the owner's */
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
  HnFilterThin *filter; /* owned */

  GHashTable *peers;       /* HnNodePublic in the node -> HnPumpPeer, owned */
  HnAddressMap *addresses; /* -> HnPumpPeer */
  gboolean has_conflicts;  /* two peers claimed one address since the map was made */
  GQueue active;           /* of HnPumpLink */
  gint64 sweep_us;         /* next look for idle peers; G_MAXINT64 while none is active */

  GArray *pings; /* of HnPumpPing */
  guint16 ping_id;
  guint16 ping_sequence;

  gint64 held_until_us; /* the port is not read before; G_MAXINT64 while it is read */

  gint64 now_us;              /* of the event being worked on */
  const HnNodePublic *source; /* of the datagram being received, NULL else */
  int source_region;

  gint64 renewals_since_us; /* begin of the second in which renewed sessions are counted */
  guint renewals;
  gint64 unreachable_window_us; /* begin of the second in which answers are counted */
  guint n_unreachable;

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
void hn_pump_set_path (HnPump *self, HnPumpLink *link, HnPathKind path, int relay);
/* Takes peers that fell silent out of the tunnel. */
void hn_pump_sweep (HnPump *self);

/* hn-pump-ping.c */
/* Whether an inbound packet answers a ping of ours. */
gboolean hn_pump_take_ping_reply (HnPump *self, const HnIpPacket *packet);
gint64 hn_pump_get_ping_deadline (HnPump *self);
void hn_pump_expire_pings (HnPump *self);
