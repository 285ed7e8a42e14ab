/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One conversation with a relay behind the HTTP upgrade: login, frames in, frames out, deadlines.
 * It owns no stream and no timer: the caller reads into its buffer, writes what it gives out and
 * calls hn_derp_session_check() no later than its deadline (tailscale: derp/derp_client.go).
 */
#pragma once

#include "path/hn-derp-queue.h"
#include "path/hn-derp-window.h"

/* From the ServerKey expected to ServerInfo. */
#define HN_DERP_LOGIN_US (10 * G_USEC_PER_SEC)
/* Relays send a KeepAlive every 60 to 65 s. */
#define HN_DERP_SILENCE_US (120 * G_USEC_PER_SEC)
/* How long the answer to our own Ping may take. */
#define HN_DERP_PONG_US (3 * G_USEC_PER_SEC)
/* Nothing came for so long after a packet went out: is anybody there? Asked only while packets go out. */
#define HN_DERP_QUIET_US (5 * G_USEC_PER_SEC)
/* How long anything at all may then take to come. */
#define HN_DERP_PROBE_US (5 * G_USEC_PER_SEC)
/* Packets that waited longer for the login are not worth sending. */
#define HN_DERP_STALE_US (3 * G_USEC_PER_SEC)
/* Writable bytes around each received packet. */
#define HN_DERP_ROOM 64

typedef struct _HnDerpSession HnDerpSession;

typedef enum
{
  HN_DERP_SESSION_WAIT_KEY,  /* nothing came yet */
  HN_DERP_SESSION_WAIT_INFO, /* our login is written */
  HN_DERP_SESSION_READY,
} HnDerpSessionState;

/* Called from within hn_derp_session_received(); they may do anything but free the session, and
 * hn_derp_session_stop() ends the parsing behind them. */
typedef struct
{
  void (*ready) (gpointer user);
  /* As HnDerpPoolOps.receive. */
  void (*packet) (gpointer user, const HnNodePublic *source, guint8 *data, gsize len);
  void (*peer_gone) (gpointer user, const HnNodePublic *peer);
  void (*health) (gpointer user, const char *text);
} HnDerpSessionOps;

HnDerpSession *hn_derp_session_new (const HnNodePrivate *key, gboolean preferred,
                                    const HnDerpSessionOps *ops, gpointer user);
void hn_derp_session_free (HnDerpSession *self);

HnDerpSessionState hn_derp_session_get_state (const HnDerpSession *self);
/* The stream is connected: the login deadline runs from here. */
void hn_derp_session_start (HnDerpSession *self, gint64 now_us);
/* No further callbacks; forgets the secrets. */
void hn_derp_session_stop (HnDerpSession *self);

/* Room to read into: at least 16 KiB, which is what one TLS record can hold. */
guint8 *hn_derp_session_get_space (HnDerpSession *self, gsize *len);
/* @len bytes were read there. FALSE with HN_ERROR_PROTOCOL when the relay does not speak DERP. */
gboolean hn_derp_session_received (HnDerpSession *self, gsize len, gint64 now_us, GError **error);

/* FALSE when the packet was dropped (the relay's limit, or no room). */
gboolean hn_derp_session_send (HnDerpSession *self, const HnNodePublic *peer, const guint8 *data,
                               gsize len, gint64 now_us);
void hn_derp_session_set_preferred (HnDerpSession *self, gboolean preferred);
/* Sends a Ping whose answer must come within HN_DERP_PONG_US. */
void hn_derp_session_ping (HnDerpSession *self, gint64 now_us);

/* As hn_derp_queue_get_write() and its like, but a near relay gets no more than it takes in. */
const guint8 *hn_derp_session_get_write (HnDerpSession *self, gint64 now_us, gsize *len);
gboolean hn_derp_session_has_write (const HnDerpSession *self);
void hn_derp_session_wrote (HnDerpSession *self, gsize len);
const HnDerpQueue *hn_derp_session_get_queue (const HnDerpSession *self);
/* The shortest round trip to the relay so far, 0 when none was measured. */
gint64 hn_derp_session_get_rtt_us (const HnDerpSession *self);

/* G_MAXINT64: none. It may come and find nothing to do, never too late. */
gint64 hn_derp_session_get_deadline (const HnDerpSession *self);
/* FALSE with HN_ERROR_TIMEOUT when the relay has been silent for too long. */
gboolean hn_derp_session_check (HnDerpSession *self, gint64 now_us, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnDerpSession, hn_derp_session_free)
