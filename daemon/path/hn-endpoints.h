/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where peers may reach us: the list that goes to the server and into CallMeMaybe (tailscale:
 * wgengine/magicsock/magicsock.go, determineEndpoints; net/netmon/state.go, LocalAddresses). Values
 * only.
 */
#pragma once

#include "model/hn-hostinfo.h"
#include "path/hn-netcheck.h"

/* No list is longer. */
#define HN_ENDPOINTS_MAX 48

#define HN_SEEN_MAPPINGS_MAX 24

/*
 * Mappings of the last minutes. Servers behind different paths see different ones, and a peer may
 * still get through by one that the last netcheck did not see. Starts as zeros; owns nothing.
 */
typedef struct
{
  struct
  {
    HnEndpoint endpoint;
    gint64 seen_us;
  } items[HN_SEEN_MAPPINGS_MAX]; /* newest first */
  guint n;
} HnSeenMappings;

/* Takes what @report says, and forgets what is too old or too much. */
void hn_seen_mappings_note (HnSeenMappings *self, const HnNetReport *report, gint64 now_us);
/* The network is another one: no former mapping is ours any more. */
void hn_seen_mappings_clear (HnSeenMappings *self);

/* Where they come from; everything is borrowed. */
typedef struct
{
  /* Addresses of all interfaces that are up, but for our own and other tunnels. */
  const HnIp *local;
  gsize n_local;
  guint16 port_v4; /* of our sockets; 0 no such socket */
  guint16 port_v6;
  guint16 fixed_port;         /* configured; 0 none */
  const HnNetReport *report;  /* nullable */
  HnSeenMappings *seen;       /* nullable */
  HnEndpoint portmapped;      /* by the router on our wish; family 0 none */
  const HnEndpoint *explicit; /* configured */
  gsize n_explicit;
  /* The tailnet's own addresses, beside those that are it everywhere. */
  const HnPrefix *forbidden;
  gsize n_forbidden;
  gint64 now_us;
} HnEndpointSources;

/* Returns: (transfer full) (element-type HnTypedEndpoint): best first, each once, HN_ENDPOINTS_MAX at
 *   most */
GArray *hn_endpoints_new (const HnEndpointSources *sources);
/* The same endpoints with the same types, in whatever order: nothing worth telling anybody. */
gboolean hn_endpoints_equal (const GArray *a, const GArray *b);
