/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network of two machines that tests of the path machine live in: NATs as functions, a relay, a
 * clock of its own, and data that flows and is counted.
 */
#pragma once

#include "path/hn-paths.h"

typedef enum
{
  SIM_NAT_NONE,
  SIM_NAT_EASY, /* one mapping for all, answers only from where something went */
  SIM_NAT_HARD, /* a mapping for each destination */
  SIM_NAT_BLOCKED,
} SimNat;

#define SIM_MAX_HOLES 4096

typedef struct
{
  HnEndpoint to;
  guint16 port; /* ours, outside */
} SimHole;

typedef struct _Sim Sim;

typedef struct
{
  Sim *sim;
  guint index;
  HnPaths *paths;
  HnPathPeer *peer; /* the other machine */
  HnDiscoPrivate disco;
  HnDiscoPublic disco_public;
  HnNodePublic key;
  SimNat nat;
  int site; /* of the private address; the same: one LAN */
  HnEndpoint local, outside;
  SimHole holes[SIM_MAX_HOLES];
  guint n_holes;
  guint16 next_port;

  gboolean talks;   /* sends data each 20 ms */
  gboolean one_way; /* and gets nothing back */
  gint64 next_data_us;
  gboolean stubborn; /* as upstream: looks at its paths each 3 s only */
  gint64 next_tick_us;
  gboolean refuses_to_refresh;
  gint64 refresh_us; /* how long learning our endpoints takes */

  /* What happened. */
  guint n_udp, n_relay, n_data_direct, n_data_relay, n_data_both;
  guint n_changes, n_refreshes;
  HnEndpoint path; /* by path_changed */
  gint64 path_us;
  guint n_received, n_lost;
  gint64 last_received_us; /* data, or the answer to it */
  gint64 worst_gap_us;     /* between two of those */
  guint n_pongs;
  HnPathPong pong;
} SimNode;

struct _Sim
{
  SimNode nodes[2];
  gint64 now_us;
  gint64 udp_us, relay_us; /* one way */
  guint loss;              /* of UDP, in per cent */
  gboolean relay_down;
  GQueue events;
};

Sim *sim_new (SimNat a, SimNat b);
void sim_free (Sim *self);
/* The other machine's node as the map describes it, with its endpoints or without. */
HnNode *sim_node_new (SimNode *node, gboolean endpoints);
/* Both learn each other; nobody talks yet. */
void sim_introduce (Sim *self, gboolean endpoints);
void sim_run (Sim *self, gint64 us);
/* Runs until @node sends directly only, at most @max_us; returns how long it took, or -1. */
gint64 sim_run_until_direct (Sim *self, guint node, gint64 max_us);
gboolean sim_is_direct (SimNode *node);
/* The address outside, and behind the NAT, becomes another one. */
void sim_move (SimNode *node, const char *local, const char *outside);
void sim_set_endpoints (SimNode *node);
/* The program starts anew, on the same port, with another disco key. */
void sim_restart (SimNode *node);
/* What the other machine's map says of @node is right again. */
void sim_update (SimNode *node);
/* Starts to measure gaps anew. */
void sim_mark (Sim *self);
guint sim_count_datagrams (Sim *self); /* disco, of both, over both ways */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Sim, sim_free)
