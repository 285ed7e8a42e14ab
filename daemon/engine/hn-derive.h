/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From facts to what should be: pure functions that turn the wish, the control client's phase, the
 * netmap and the links into the shown status, the device's settings and the home relay. No I/O, no
 * clock of their own, nothing kept between calls.
 */
#pragma once

#include "control/hn-control-client.h"
#include "dataplane/hn-dataplane.h"
#include "engine/hn-status.h"
#include "model/hn-netmap.h"
#include "model/hn-preferences.h"

/* So many peers share one route for each of the tailnet's ranges, until a good deal fewer are left:
 * to change over costs as much as all routes together. */
#define HN_MAX_PEER_ROUTES 10000
#define HN_FEW_PEER_ROUTES 9000

/* Everything the status depends on. Borrowed. */
typedef struct
{
  gint64 wall; /* seconds since 1970 by our clock */
  gboolean wanted;
  gboolean enrolled; /* a node key is stored */
  gboolean network_available;
  const HnPreferences *preferences;
  HnControlPhase phase;
  const GError *control_error; /* nullable */
  gboolean reachable;
  gboolean login_pending;
  gboolean server_key_changed; /* over TLS, accepted */
  HnNetmap *netmap;            /* nullable */
  const char *interface;       /* nullable: no device */
  const GError *device_error;  /* nullable */
  int home_relay;              /* 0: none chosen */
  HnRelayState home_state;
  gboolean home_tried;       /* connected or failed at least once since it was chosen */
  const char *home_health;   /* the relay's own words, nullable */
  gint64 home_latency_us;    /* 0 unknown */
  gboolean has_direct_path;  /* to any peer */
  guint64 refused_by_rules;  /* packets of peers since the device is up */
  guint64 refused_else;      /* because they were malformed, or not for us */
  guint filter_skipped;      /* rules of the policy that are not fully in force */
  const HnNetReport *report; /* the last look at the network, nullable */
  const GError *save_error;  /* why the node key in use is not on disk, nullable */
} HnDeriveInput;

/* (transfer full) Health items have since = 0: the caller keeps the times. */
HnStatus *hn_derive_status (const HnDeriveInput *input);

/* Whether there should be a device: enrolled, wanted, allowed, and the map says who we are. */
gboolean hn_derive_device_wanted (const HnDeriveInput *input);

/* Our own addresses and the peers' routes that go to the device. (transfer full), GArray of
 * HnPrefix each. @expired peers have none. */
GArray *hn_derive_addresses (HnNetmap *netmap);
GArray *hn_derive_routes (HnNetmap *netmap, gboolean shared, gint64 now);
/* Whether peers share their routes, where @shared says whether they did before. */
gboolean hn_derive_routes_shared (guint n_peers, gboolean shared);
/* The routes of one peer: its own addresses. */
void hn_derive_peer_routes (const HnNode *node, GArray *routes);

/* The region peers should reach us by: @preferred, the nearest one as far as known, else @current,
 * each while it is in the map and not in @failed (its keys are GINT_TO_POINTER (region)), else the
 * first usable one that did not fail, else the first usable one, else 0. */
int hn_derive_home_relay (const HnDerpMap *map, int current, int preferred, GHashTable *failed);

/* Earliest moment (seconds since 1970, our clock) at which a known key expires; 0 none. */
gint64 hn_derive_next_expiry (HnNetmap *netmap, gint64 wall);

/* The part of a full name behind its first dot: the tailnet's DNS suffix. Borrowed from @name. */
const char *hn_derive_suffix (const char *name);
