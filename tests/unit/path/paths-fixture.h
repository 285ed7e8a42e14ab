/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The path machine with one peer, whose keys the test holds: what the machine sends is noted, and what
 * the peer says is sealed here.
 */
#pragma once

#include "path/hn-disco-codec.h"
#include "path/hn-paths.h"

#define SECOND G_USEC_PER_SEC
#define NOW (1000 * SECOND)

typedef struct
{
  HnPaths *paths;
  HnPathPeer *peer;
  HnDiscoPrivate own, disco;
  HnDiscoPublic own_public, disco_public;
  HnNodePublic key;
  guint8 shared[32];
  guint8 tx_id;

  guint n_udp, n_relay;
  gsize udp_bytes;
  HnEndpoint last_to;
  int last_region;
  guint8 last[2000];
  gsize last_len;
  GHashTable *targets; /* address texts that something was sent to over UDP */
  guint n_changes, n_pongs;
  HnPathPong pong;
  HnPathPeer *to_remove; /* by the next callback */
} Fixture;

HnEndpoint test_at (const char *text);
HnNode *fixture_make_node (guint8 key, const HnDiscoPublic *disco, const HnEndpoint *endpoints,
                           gsize n);
void fixture_set_up (Fixture *f, gconstpointer data);
void fixture_tear_down (Fixture *f, gconstpointer data);
#define FIXTURE_ADD(path, function)                                                                \
  g_test_add (path, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

/* The peer sends a message; @from NULL: over the relay. */
void fixture_send (Fixture *f, const HnEndpoint *from, const guint8 *message, gsize len,
                   gint64 now_us);
gsize fixture_make_ping (Fixture *f, guint8 *out);
void fixture_ping (Fixture *f, const HnEndpoint *from, gint64 now_us);
void fixture_call (Fixture *f, const HnEndpoint *endpoints, gsize n, gint64 now_us);
/* What we sent last, opened by the peer. */
void fixture_open_last (Fixture *f, HnDiscoMessage *out);
/* Answers the last ping of ours. */
void fixture_answer (Fixture *f, const HnEndpoint *from, gint64 now_us);
void fixture_route (Fixture *f, gint64 now_us, HnPathRoute *out);
/* Makes @endpoint the trusted path. */
void fixture_make_direct (Fixture *f, const HnEndpoint *endpoint, gint64 now_us);
