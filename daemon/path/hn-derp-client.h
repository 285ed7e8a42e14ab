/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection to a region's relay: dials its nodes in order, upgrades, and then moves bytes
 * between the stream and a HnDerpSession. It makes one attempt; when that or the connection ends,
 * it says so once and is of no further use. Works on the thread-default context of its maker.
 */
#pragma once

#include "path/hn-derp-session.h"
#include "path/hn-derp-target.h"

/* For the whole way to ServerInfo. */
#define HN_DERP_CONNECT_US (10 * G_USEC_PER_SEC)
/* For one node while there are others to try. */
#define HN_DERP_NODE_US (4 * G_USEC_PER_SEC)

typedef struct _HnDerpClient HnDerpClient;

/* Never called from within a function of the client, and never behind hn_derp_client_free(), which
 * they may call. */
typedef struct
{
  void (*connected) (gpointer user);
  void (*packet) (gpointer user, const HnNodePublic *source, guint8 *data, gsize len);
  void (*peer_gone) (gpointer user, const HnNodePublic *peer);
  void (*health) (gpointer user, const char *text);
  /* hn_derp_client_get_queued() was not 0 after a flush, and now is. */
  void (*drained) (gpointer user);
  /* The last call. @refused: the relay closed right behind our login. */
  void (*closed) (gpointer user, gboolean refused, const GError *error);
} HnDerpClientOps;

/*
 * hn_derp_client_new:
 * @targets: (transfer none): from hn_derp_targets_new()
 * @delay_us: how long to wait before dialling; packets are queued meanwhile
 */
HnDerpClient *hn_derp_client_new (HnDialer *dialer, GPtrArray *targets, const HnNodePrivate *key,
                                  gboolean preferred, gint64 delay_us, const HnDerpClientOps *ops,
                                  gpointer user);
/* Closes the connection. */
void hn_derp_client_free (HnDerpClient *self);

gboolean hn_derp_client_is_connected (const HnDerpClient *self);
/* Dials now instead of at the end of its delay; a dial under way starts anew, since it may hang in a
 * network that is no more. */
void hn_derp_client_hurry (HnDerpClient *self);
/* FALSE when the packet was dropped. It is written by hn_derp_client_flush() or, without that, in
 * the next turn of the main loop. */
gboolean hn_derp_client_send (HnDerpClient *self, const HnNodePublic *peer, const guint8 *data,
                              gsize len, gint64 now_us);
void hn_derp_client_flush (HnDerpClient *self);
void hn_derp_client_set_preferred (HnDerpClient *self, gboolean preferred);
/* Finds out within three seconds whether the relay is still there. */
void hn_derp_client_test (HnDerpClient *self);
/* The shortest round trip to the relay, 0 when not known. */
gint64 hn_derp_client_get_rtt_us (const HnDerpClient *self);
/* Bytes that wait to be written and will be soon: 0 as well when the relay is not logged in to, or
 * has taken nothing for half a second. */
gsize hn_derp_client_get_queued (const HnDerpClient *self);
/* Whether a call of drained is due. */
gboolean hn_derp_client_is_waiting (const HnDerpClient *self);
guint64 hn_derp_client_get_dropped (const HnDerpClient *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnDerpClient, hn_derp_client_free)
