/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one tailnet looks like from outside: a snapshot of everything the bus shows as properties,
 * and a view of one peer. Derived from the engine's inputs, never stored.
 */
#pragma once

#include "base/hn-ip.h"
#include "model/hn-health.h"
#include "model/hn-node.h"

typedef enum
{
  HN_TAILNET_STOPPED,
  HN_TAILNET_NEEDS_LOGIN,
  HN_TAILNET_NEEDS_APPROVAL,
  HN_TAILNET_STARTING,
  HN_TAILNET_RUNNING,
} HnTailnetState;

/* "stopped", "needs-login", "needs-approval", "starting", "running". */
const char *hn_tailnet_state_to_string (HnTailnetState state);

typedef struct
{
  HnTailnetState state;
  char *state_reason; /* stable code, "" when all is well */
  gboolean login_pending;
  char *domain;    /* the tailnet's DNS suffix, "" until known */
  char *node_name; /* our full name, no final dot */
  gint64 user_id;  /* 0: unknown; likewise "" below */
  char *user_login;
  char *user_display;
  char **addresses; /* NULL-terminated, without prefix length */
  char *interface;  /* "" while there is none */
  int relay_id;     /* home relay, 0 none */
  char *relay_code;
  char *relay_name;
  gint64 relay_latency_us; /* 0 unknown */
  gint64 key_expiry;       /* seconds since 1970, 0 never */
  GPtrArray *health;       /* of HnHealthItem */
  guint peer_count;
} HnStatus;

HnStatus *hn_status_new (void); /* stopped, everything empty */
void hn_status_free (HnStatus *self);
gboolean hn_status_equal (const HnStatus *a, const HnStatus *b);

/* One peer as the bus shows it; borrowed parts, valid during the callback that hands it out. */
typedef struct
{
  const HnNode *node;
  const char *user_login; /* "" unknown */
  const char *user_display;
  gboolean expired;       /* by the server's clock */
  const char *path;       /* "direct", "relay", "none" */
  const char *endpoint;   /* "" unless direct */
  const char *relay_code; /* "" unless the path is a relay */
} HnPeerView;

/* What GetPeer adds: it moves all the time. */
typedef struct
{
  gint64 latency_us;     /* 0 unknown */
  gint64 last_handshake; /* seconds since 1970, 0 never */
  guint64 rx_bytes;
  guint64 tx_bytes;
} HnPeerCounters;

typedef struct
{
  const char *path; /* static: "direct", "relay", "none" */
  char *endpoint;
  char *relay_code;
  gint64 latency_us;
  const char *kind; /* static: see hn_ping_kind_to_string() */
} HnPingResult;

void hn_ping_result_free (HnPingResult *result);

/* One relay in a look at the network. */
typedef struct
{
  int id;
  char *code;
  char *name;
  gint64 latency_us; /* 0: it did not answer */
} HnRelayView;

/* What a look at the network found. */
typedef struct
{
  gboolean udp;
  char *ipv4; /* our endpoint as relays see it, "" none; likewise below */
  char *ipv6;
  int mapping_varies; /* -1 unknown, 0 no, 1 yes */
  gboolean captive_portal;
  const char *port_mapping; /* static: "pcp", "nat-pmp", "upnp", "" none */
  HnRelayView *relays;      /* the nearest first, silent ones last */
  gsize n_relays;
  gint64 time; /* seconds since 1970 */
} HnNetcheckResult;

void hn_netcheck_result_free (HnNetcheckResult *result);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnStatus, hn_status_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnPingResult, hn_ping_result_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnNetcheckResult, hn_netcheck_result_free)
