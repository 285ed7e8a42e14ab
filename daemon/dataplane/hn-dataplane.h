/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data plane of one tailnet, as the main thread sees it: a thread of its own with the packet
 * port, the tunnel, the relays and their sockets. This file is where the two threads meet: sealed
 * snapshots go down, messages come up as callbacks on the main context in which it was made.
 */
#pragma once

#include <gio/gio.h>

#include "base/hn-ip.h"
#include "crypto/hn-keys.h"
#include "dataplane/hn-packet-port.h"
#include "dataplane/hn-filter.h"
#include "model/hn-derp-map.h"
#include "model/hn-hostinfo.h"
#include "model/hn-node.h"
#include "model/hn-ping-kind.h"
#include "path/hn-netcheck.h"

#define HN_TYPE_DATAPLANE (hn_dataplane_get_type ())
G_DECLARE_FINAL_TYPE (HnDataplane, hn_dataplane, HN, DATAPLANE, GObject)

typedef enum
{
  HN_PATH_NONE,
  HN_PATH_RELAY,
  HN_PATH_DIRECT,
} HnPathKind;

/* Which way a peer's packets go. */
typedef struct
{
  HnPathKind kind;
  int relay;           /* region of the relay in use, 0 none */
  HnEndpoint endpoint; /* with HN_PATH_DIRECT */
} HnPeerPath;

/* What moves all the time, asked for one peer. */
typedef struct
{
  HnPeerPath path;
  gint64 last_handshake; /* seconds since 1970, 0 never */
  guint64 rx_bytes;
  guint64 tx_bytes;
  gint64 latency_us; /* of the path in use, or else of the last ping; 0 unknown */
} HnPeerStats;

typedef enum
{
  HN_RELAY_CONNECTING,
  HN_RELAY_CONNECTED,
  HN_RELAY_LOST,    /* see the error */
  HN_RELAY_REFUSED, /* it closes right after our login: control may not know our node key any more */
  HN_RELAY_CLOSED,  /* idle or no longer wanted */
} HnRelayState;

/* Called on the main context. */
typedef struct
{
  /* @health: what the relay itself says is wrong, or NULL. @error: nullable. */
  void (*relay_changed) (gpointer user, int region, HnRelayState state, const char *health,
                         const GError *error);
  /* A peer's path changed. */
  void (*path_changed) (gpointer user, const HnNodePublic *peer, const HnPeerPath *path);
  /* The packet port is gone (somebody deleted the device). */
  void (*port_lost) (gpointer user, const GError *error);
  /* Packets of peers were refused so far, by verdict; told once a minute at most. */
  void (*refused) (gpointer user, const guint64 verdicts[HN_FILTER_N_VERDICTS]);
  /* The addresses at which peers may reach us directly changed. */
  void (*endpoints_changed) (gpointer user, const HnTypedEndpoint *endpoints, gsize n);
  /* A look at the network ended; its preferred relay should be the home. */
  void (*network_checked) (gpointer user, HnNetReport *report);
} HnDataplaneEvents;

/* How to reach relays: made once from the profile. */
typedef struct
{
  const char *server_url;     /* a relay on the same host and port follows its scheme */
  const char *ca_certificate; /* PEM or NULL for the system's store */
  guint32 mark;               /* SO_MARK of our own sockets, 0 none */
  guint mtu;
  guint16 port; /* of our UDP sockets, 0 any */
} HnDataplaneConfig;

/* Starts the thread. @port is used by it alone from now on. */
HnDataplane *hn_dataplane_new (HnPacketPort *port, const HnDataplaneConfig *config,
                               const HnDataplaneEvents *events, gpointer user);
/* Stops the thread and waits for it (milliseconds); no callback comes afterwards. Idempotent. */
void hn_dataplane_stop (HnDataplane *self);

void hn_dataplane_set_private_key (HnDataplane *self, const HnNodePrivate *key);
/* Without one no direct path is looked for. */
void hn_dataplane_set_disco_key (HnDataplane *self, const HnDiscoPrivate *key);
/* What may come in; until the first one nothing but answers. */
void hn_dataplane_set_filter (HnDataplane *self, HnFilterProgram *program);
/* The addresses of this machine that peers near us might reach it by. */
void hn_dataplane_set_local_addresses (HnDataplane *self, const HnIp *addresses, gsize n);
/* Where the IPv4 default route leads, family 0 nowhere: a router that may map a port to us. Before
 * hn_dataplane_network_changed(). */
void hn_dataplane_set_gateway (HnDataplane *self, const HnIp *gateway);
/* While the server is not reachable the home relay stays, since nobody could be told of another. */
void hn_dataplane_set_control_reachable (HnDataplane *self, gboolean reachable);
/* Our own addresses: what the filter takes as destinations. */
void hn_dataplane_set_addresses (HnDataplane *self, const HnPrefix *addresses, gsize n);
void hn_dataplane_set_derp_map (HnDataplane *self, HnDerpMap *map);
/* Region that peers reach us by; it is opened at once and kept. 0: none. */
void hn_dataplane_set_home (HnDataplane *self, int region);
/* Both of HnNode, referenced, and nullable; @removed, of which only the node keys count, goes first.
 * Peers go by node key. A changed node whose disco key differs loses its sessions (it restarted); one
 * whose node key differs is a new peer, the old key must be in @removed. @full: all others go. */
void hn_dataplane_update_peers (HnDataplane *self, GPtrArray *changed, GPtrArray *removed,
                                gboolean full);
/* The network changed: sockets whose way is gone are made anew, back-offs start over. @available:
 * FALSE pauses all dialling. */
void hn_dataplane_network_changed (HnDataplane *self, gboolean available);

/* Completes with counters of one peer; HN_ERROR_NOT_FOUND for an unknown one. */
void hn_dataplane_get_stats_async (HnDataplane *self, const HnNodePublic *peer,
                                   GCancellable *cancellable, GAsyncReadyCallback callback,
                                   gpointer data);
gboolean hn_dataplane_get_stats_finish (HnDataplane *self, GAsyncResult *result, HnPeerStats *stats,
                                        GError **error);
/* The same of several at once; all zeros for those that are unknown. */
void hn_dataplane_get_many_stats_async (HnDataplane *self, const HnNodePublic *peers, gsize n,
                                        GCancellable *cancellable, GAsyncReadyCallback callback,
                                        gpointer data);
/* (transfer full), of HnPeerStats in the order of the peers */
GArray *hn_dataplane_get_many_stats_finish (HnDataplane *self, GAsyncResult *result,
                                            GError **error);
/* Asks a peer for a sign of life, by an address of its: see HnPingKind. HN_ERROR_TIMEOUT after
 * @timeout_ms; HN_ERROR_NOT_SUPPORTED: the peer does not speak that. */
void hn_dataplane_ping_async (HnDataplane *self, HnPingKind kind, const HnIp *target,
                              guint timeout_ms, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer data);
/* On success @stats has path and latency_us. */
gboolean hn_dataplane_ping_finish (HnDataplane *self, GAsyncResult *result, HnPeerStats *stats,
                                   GError **error);
/* Looks at the network anew, all relays. Completes with the report. */
void hn_dataplane_netcheck_async (HnDataplane *self, GCancellable *cancellable,
                                  GAsyncReadyCallback callback, gpointer data);
/* (transfer full) */
HnNetReport *hn_dataplane_netcheck_finish (HnDataplane *self, GAsyncResult *result, GError **error);
