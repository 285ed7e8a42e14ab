/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of HnTailnet share: its fields, and the parts that each file owns. Not for others
 * but the engine, which makes tailnets and tells them about the network.
 */
#pragma once

#include "base/hn-backoff.h"
#include "base/hn-pacer.h"
#include "control/hn-control-client.h"
#include "dataplane/hn-dataplane.h"
#include "engine/hn-derive.h"
#include "engine/hn-expiry-timer.h"
#include "engine/hn-peer-list.h"
#include "engine/hn-profile-store.h"
#include "engine/hn-tailnet.h"
#include "system/hn-links.h"
#include "tun/hn-tun.h"

/* Shared by all tailnets of an engine; borrowed, outlives them. */
typedef struct
{
  HnLinks *links;
  HnProfileStore *store;
  const char *runtime_directory;
} HnTailnetServices;

/* The device and everything that lives and goes with it. */
typedef struct
{
  HnTun *tun;             /* owned; NULL: no device */
  HnDataplane *dataplane; /* owned */
  guint number;           /* headnetN, and the routing table */
  gboolean routes_shared; /* by the peers, because they are many */
  GError *error;          /* owned; why there is none */
  HnBackoff backoff;
  GSource *retry; /* owned */
  int home;
  HnRelayState home_state;
  gboolean home_tried;
  char *home_health;
  char *relay_told; /* owned; the last problem of the home relay that the log has */
  guint home_failures;
  GHashTable *failed_relays;  /* region -> when it failed, seconds on our clock */
  HnNetReport *report;        /* owned; the last look at the network, NULL none yet */
  GArray *endpoints;          /* owned; of HnTypedEndpoint; where we may be reached, NULL unknown */
  gint64 home_latency_us;     /* as shown; 0 unknown */
  gboolean control_reachable; /* as the data plane was told */
  gboolean filter_asks_for_peers; /* what is compiled depends on more than the rules */
  guint64 refused_by_rules;       /* packets of peers */
  guint64 refused_else;
  guint filter_skipped; /* rules that are not fully in force */
} HnTailnetDevice;

struct _HnTailnet
{
  GObject parent_instance;

  HnTailnetServices services;
  HnProfile *profile;       /* owned */
  HnControlClient *control; /* owned; NULL while nothing is wanted of the server */
  gboolean control_started;
  HnPeerList *peers; /* owned */
  HnStatus *status;  /* owned */
  GHashTable *since; /* health id -> gint64* seconds */

  GError *save_error; /* owned; why the node key in use is not on disk */
  gboolean wanted;
  gboolean network_manager;
  gboolean network_available;
  gboolean server_key_changed;
  gboolean disposed;
  gboolean trim; /* a big map came: memory is to be given back in the next turn */
  guint busy;
  char *network_config; /* owned; what NetworkConfigChanged told last, as text */
  GError *login_error;  /* owned; why the last sign-in failed, until the next attempt */

  HnTailnetDevice device;

  GSource *reconcile; /* owned; pending turn */
  GSource *flush;     /* owned; pending peers-changed */
  HnExpiryTimer expiry;
  HnPacer pacer;    /* of status-changed, where the server sets the pace */
  GSource *publish; /* owned; what waits for it */
};

HnTailnet *hn_tailnet_new (const HnTailnetServices *services, HnProfile *profile);
/* Profile and its preferences; borrowed. */
const HnProfile *hn_tailnet_get_profile (HnTailnet *self);
/* Connects a profile with AutoConnect unless somebody disconnected it since boot. */
void hn_tailnet_auto_connect (HnTailnet *self);
/* Takes device and connection down, the wish stays on disk. No signal comes afterwards. */
void hn_tailnet_shut_down (HnTailnet *self);
/* The kernel's view changed. */
void hn_tailnet_network_changed (HnTailnet *self, gboolean major);
void hn_tailnet_routes_lost (HnTailnet *self, int table);

/* Runs the derive functions in the next main loop turn. */
void hn_tailnet_queue_reconcile (HnTailnet *self);
/* Derives the status now and emits status-changed if it differs: whoever gets an answer to a call
 * must find what the call did in the properties. */
void hn_tailnet_publish (HnTailnet *self);
/* Emits peers-changed soon, once for a burst. */
void hn_tailnet_queue_peers_changed (HnTailnet *self);
void hn_tailnet_get_input (HnTailnet *self, HnDeriveInput *input);
/* The map in force, borrowed; NULL when there is none. */
HnNetmap *hn_tailnet_get_netmap (HnTailnet *self);
/* Now by the server's clock, seconds since 1970. */
gint64 hn_tailnet_server_now (HnTailnet *self);
/* Makes the control client if there is none. */
gboolean hn_tailnet_ensure_control (HnTailnet *self, GError **error);
void hn_tailnet_drop_control (HnTailnet *self);
/* Tells the control client what we are. */
void hn_tailnet_update_hostinfo (HnTailnet *self);
void hn_tailnet_set_busy (HnTailnet *self, gboolean busy);

/* hn-tailnet-device.c */
void hn_tailnet_device_init (HnTailnet *self);
void hn_tailnet_device_finalize (HnTailnet *self);
/* The tunnel's inner MTU: the preference, or the default. */
guint hn_tailnet_device_get_mtu (HnTailnet *self);
/* Makes the device if there is none; on failure device.error says why. */
void hn_tailnet_device_up (HnTailnet *self);
void hn_tailnet_device_down (HnTailnet *self);
/* Carries over what one response of the map changed; called before the peer list takes it. */
void hn_tailnet_device_netmap_changed (HnTailnet *self, HnNetmap *netmap,
                                       const HnNetmapChange *change);
/* Applies addresses, routes and peers anew, as a whole. */
void hn_tailnet_device_refresh (HnTailnet *self);
void hn_tailnet_device_node_key_changed (HnTailnet *self);
/* The relay that peers reach us by, chosen anew from what is known. */
void hn_tailnet_choose_home (HnTailnet *self);

/* hn-tailnet-reach.c */
void hn_tailnet_push_filter (HnTailnet *self, HnNetmap *netmap);
/* Tells the data plane whether the server hears of another home relay. */
void hn_tailnet_push_reachable (HnTailnet *self);
/* Whether peers that changed may mean something for the filter. */
gboolean hn_tailnet_filter_minds (HnTailnet *self, const HnNetmapChange *change);
void hn_tailnet_push_local_addresses (HnTailnet *self);
void hn_tailnet_take_endpoints (HnTailnet *self, const HnTypedEndpoint *endpoints, gsize n);
void hn_tailnet_take_report (HnTailnet *self, HnNetReport *report);
void hn_tailnet_fill_net_info (HnTailnet *self, HnHostinfo *hostinfo);
