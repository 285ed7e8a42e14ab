/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our connections to relays: at most one a region, the home region's kept open, others opened on
 * the first packet and closed after a minute without one. Runs on the GMainContext that is
 * thread-default when it is made; all callbacks come there, and from within them everything of the
 * pool may be called, hn_derp_pool_free() too. Nothing here is shared between two pools.
 */
#pragma once

#include <gio/gio.h>

#include "crypto/hn-keys.h"
#include "model/hn-derp-map.h"
#include "net/hn-dialer.h"

typedef struct _HnDerpPool HnDerpPool;

typedef enum
{
  HN_DERP_CONNECTING,
  HN_DERP_CONNECTED,
  HN_DERP_LOST,
  HN_DERP_REFUSED, /* closed right after our login, before ServerInfo */
  HN_DERP_CLOSED,
} HnDerpState;

typedef struct
{
  /* A packet of @source; @data may be changed in place and is valid during the call only. It has
   * 64 writable bytes in front and behind. */
  void (*receive) (gpointer user, int region, const HnNodePublic *source, guint8 *data, gsize len);
  /* @health: text of the relay's Health frame when that changed, "" cleared, NULL no news. */
  void (*state) (gpointer user, int region, HnDerpState state, const char *health,
                 const GError *error);
  /* The relay says that @peer is not (any more) connected to it. */
  void (*peer_gone) (gpointer user, int region, const HnNodePublic *peer);
  /* Nullable. hn_derp_pool_get_queued() was not 0 after a flush, and now is, also because the
   * connection ended: whoever holds back traffic may go on. */
  void (*drained) (gpointer user, int region);
} HnDerpPoolOps;

/* state and peer_gone are nullable; state may also be called from within the functions below. */
HnDerpPool *hn_derp_pool_new (HnDialer *dialer, const char *server_url, const HnDerpPoolOps *ops,
                              gpointer user);
void hn_derp_pool_free (HnDerpPool *self);
/* Logs in anew on every connection when the key changes. */
void hn_derp_pool_set_private_key (HnDerpPool *self, const HnNodePrivate *key);
/* Regions that went or changed are closed; a NULL map closes all. */
void hn_derp_pool_set_map (HnDerpPool *self, HnDerpMap *map);
void hn_derp_pool_set_home (HnDerpPool *self, int region);
/* @available FALSE: close all and stay still. TRUE: reset back-offs, test open connections (a Ping,
 * 3 s) and dial the home again at once if it is down. */
void hn_derp_pool_network_changed (HnDerpPool *self, gboolean available);
/* Sends or queues (128 packets a connection, the oldest goes). A packet from @peer that came over
 * another live region is answered there when @region is not connected yet or is 0. Returns the
 * region it went to, 0 when there is no way. */
int hn_derp_pool_send (HnDerpPool *self, int region, const HnNodePublic *peer, const guint8 *data,
                       gsize len);
/* Writes out now what was sent since the last turn; without it that happens in the next turn. */
void hn_derp_pool_flush (HnDerpPool *self);
/* Bytes that wait in the write queue of @region's connection: what pacing looks at, behind a flush.
 * 0 as well when waiting for them would be waiting for a relay that is not logged in to, or that has
 * taken nothing for half a second: traffic to others must not suffer for it. */
gsize hn_derp_pool_get_queued (HnDerpPool *self, int region);
/* The shortest round trip to @region's relay in microseconds, 0 when not known. */
gint64 hn_derp_pool_get_latency_us (HnDerpPool *self, int region);
/* Whether @region is logged in. */
gboolean hn_derp_pool_is_connected (HnDerpPool *self, int region);
/* Closes regions other than the home that nothing was sent to for a minute before @now_us; a timer
 * of the pool's calls it. */
void hn_derp_pool_close_idle (HnDerpPool *self, gint64 now_us);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnDerpPool, hn_derp_pool_free)
