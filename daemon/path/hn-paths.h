/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The path machine of one tailnet: for each peer, which of its addresses answer, which is best, and
 * whether a packet goes there or over the relay, by disco pings (tailscale:
 * wgengine/magicsock/endpoint.go). No sockets and no clock: its owner hands in what arrives, sends
 * what it asks for, and calls hn_paths_tick() no later than hn_paths_get_deadline().
 *
 * A peer that nobody talks to costs an entry in two tables and no wake-up; what a conversation needs
 * is made with the first packet and given back when it fell silent. Not thread safe; the data
 * plane's thread owns it.
 */
#pragma once

#include "crypto/hn-keys.h"
#include "model/hn-node.h"

typedef struct _HnPaths HnPaths;
typedef struct _HnPathPeer HnPathPeer;

/* Where the packets of one peer go right now. */
typedef struct
{
  gboolean direct;     /* send to @endpoint */
  gboolean relay;      /* send over the peer's relay; with both, the receiver sees duplicates */
  HnEndpoint endpoint; /* with direct */
} HnPathRoute;

typedef struct
{
  gboolean direct;         /* a trusted direct path is in use */
  HnEndpoint endpoint;     /* of it */
  gint64 latency_us;       /* of it, by the last pong; 0 unknown */
  gint64 relay_latency_us; /* by the last pong that came over the relay; 0 unknown */
  guint n_candidates;
} HnPathStats;

/* How a disco ping that somebody asked for ended. */
typedef struct
{
  gboolean direct;
  HnEndpoint endpoint; /* where the ping that was answered first went */
  int relay;           /* or the region */
  gint64 latency_us;   /* < 0: no answer in time */
} HnPathPong;

typedef struct
{
  /* A disco datagram over UDP. Returns 0 or a positive errno. */
  int (*send_udp) (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len);
  /* A disco datagram over @region's relay (0: wherever the peer was last heard). Returns the region
   * it went to, 0: no way. */
  int (*send_relay) (gpointer user, int region, const HnNodePublic *peer, const guint8 *data,
                     gsize len);
  /* Our own endpoints are too old to tell a peer: the owner learns them anew and then calls
   * hn_paths_set_endpoints(), with an unchanged list too. Never called again before that. */
  void (*refresh_endpoints) (gpointer user);
  /* The direct path came, went or moved; @endpoint NULL: none. */
  void (*path_changed) (gpointer user, HnPathPeer *peer, const HnEndpoint *endpoint);
  /* The end of a ping of hn_paths_ping(). */
  void (*ping_done) (gpointer user, gpointer token, const HnPathPong *pong);
} HnPathOps;

/* Disco datagrams that went no further, and why; counters since the start. */
typedef struct
{
  guint64 malformed;
  guint64 unknown_sender; /* a disco key that nobody in the tailnet has */
  guint64 bad_box;
  guint64
      wrong_way; /* a message that must not come this way, or of another node than the relay says */
  guint64 limited;    /* over a rate limit or a table's size */
  guint64 unexpected; /* a pong that answers no ping of ours */
  guint64
      bad_candidates; /* addresses never to be pinged: loopback, multicast, the tailnet's own ... */
} HnPathCounters;

/* Takes a copy of @ops. They may call back into the machine, but not hn_paths_free(). */
HnPaths *hn_paths_new (const HnPathOps *ops, gpointer user);
void hn_paths_free (HnPaths *self);
/* Our disco key and node key (pings name the node); a change forgets all pings under way. */
void hn_paths_set_keys (HnPaths *self, const HnDiscoPrivate *disco, const HnNodePublic *node);
/* Our own endpoints, freshly learned at @now_us: what CallMeMaybe carries. */
void hn_paths_set_endpoints (HnPaths *self, const HnEndpoint *endpoints, gsize n, gint64 now_us);
/* @available FALSE: nothing is sent over UDP any more. Every peer's best path, latencies and trust
 * are forgotten; those with traffic are looked for at once. Our own endpoints count as unknown until
 * they are set anew: refresh_endpoints asks for them when a peer has to be told. */
void hn_paths_network_changed (HnPaths *self, gboolean available, gint64 now_us);
/* Prefixes that are never candidates beside the fixed ones: the tailnets' own addresses. */
void hn_paths_set_forbidden (HnPaths *self, const HnPrefix *prefixes, gsize n);

/* Adds a peer, by its node key; @data is the owner's. */
HnPathPeer *hn_paths_add (HnPaths *self, HnNode *node, gpointer data);
/* The same node key, other fields: endpoints, home relay, disco key (another one resets the peer). */
void hn_paths_update (HnPaths *self, HnPathPeer *peer, HnNode *node, gint64 now_us);
void hn_paths_remove (HnPaths *self, HnPathPeer *peer);
gpointer hn_path_peer_get_data (HnPathPeer *peer);

/* Where a packet for @peer goes, now: on the hot path, no allocation while a direct path is trusted.
 * Begins or continues the search for a direct path, and keeps its heartbeat going. */
void hn_paths_route (HnPaths *self, HnPathPeer *peer, gint64 now_us, HnPathRoute *out);
/* Sending to @endpoint failed with @error (errno). */
void hn_paths_send_failed (HnPaths *self, HnPathPeer *peer, const HnEndpoint *endpoint, int error,
                           gint64 now_us);
/* WireGuard authenticated a packet of @peer that came directly from @from. Also hot. */
void hn_paths_authenticated (HnPaths *self, HnPathPeer *peer, const HnEndpoint *from,
                             gint64 now_us);
/* WireGuard authenticated a packet of @peer that came over the relay: a peer that has a direct path
 * does that when it doubts it, so it is asked. Also hot. */
void hn_paths_heard_over_relay (HnPaths *self, HnPathPeer *peer, gint64 now_us);
/* Whose datagrams come from @from, as far as known; NULL: WireGuard finds out. */
HnPathPeer *hn_paths_lookup (HnPaths *self, const HnEndpoint *from);

gboolean hn_paths_is_disco (const guint8 *data, gsize len);
/* A disco datagram that came over UDP; @data may be changed in place. */
void hn_paths_receive_udp (HnPaths *self, const HnEndpoint *from, guint8 *data, gsize len,
                           gint64 now_us);
/* A disco datagram that @region's relay says is @source's; NULL: nobody we know. */
void hn_paths_receive_relay (HnPaths *self, int region, HnPathPeer *source, guint8 *data, gsize len,
                             gint64 now_us);
/* WireGuard proved that @peer now has this disco key (a TSMP advert inside the tunnel). */
void hn_paths_advert (HnPaths *self, HnPathPeer *peer, const HnDiscoPublic *key, gint64 now_us);

/* Pings over the relay and all candidates at once; ping_done tells of the first answer, or of none by
 * @deadline_us. HN_ERROR_NOT_SUPPORTED: the peer has no disco key. */
gboolean hn_paths_ping (HnPaths *self, HnPathPeer *peer, gpointer token, gint64 deadline_us,
                        gint64 now_us, GError **error);
void hn_paths_cancel_ping (HnPaths *self, gpointer token);
void hn_paths_get_stats (HnPaths *self, HnPathPeer *peer, gint64 now_us, HnPathStats *out);

gint64 hn_paths_get_deadline (HnPaths *self); /* G_MAXINT64: no timer is needed */
void hn_paths_tick (HnPaths *self, gint64 now_us);
const HnPathCounters *hn_paths_get_counters (const HnPaths *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnPaths, hn_paths_free)
