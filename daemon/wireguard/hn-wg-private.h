/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the WireGuard core, shared by its files and seen by nobody else.
 *
 * Ops may do anything but free the core: remove the peer that is being worked on, end its sessions,
 * send. So nothing touches a session after an op was called, but asks the peer for it again, and a
 * removed peer is freed only when the outermost call returns (hn_wg_enter, hn_wg_leave).
 */
#pragma once

#include "wireguard/hn-wg-allowed.h"
#include "wireguard/hn-wg-cookie.h"
#include "wireguard/hn-wg-index.h"
#include "wireguard/hn-wg-limiter.h"
#include "wireguard/hn-wg.h"

#define HN_WG_MAX_PEERS 65536
#define HN_WG_REKEY_TIMEOUT_US (5 * G_USEC_PER_SEC)
/* The first two initiations to a peer that never answered are repeated after 1 s and 2 s: right after
 * enrolment a peer learns of us up to a second later, and drops what comes before. Peers only ask for
 * a gap of 20 ms. */
#define HN_WG_EARLY_INITIATIONS 3
#define HN_WG_KEEPALIVE_TIMEOUT_US (10 * G_USEC_PER_SEC)
#define HN_WG_ZERO_KEYS_US (3 * HN_WG_REJECT_AFTER_US)
#define HN_WG_MAX_RETRIES 18
/* A timer that is not armed. */
#define HN_WG_UNARMED G_MAXINT64

typedef struct
{
  gint64 at;
  HnWgPeer *peer;
} HnWgWake;

struct _HnWgPeer
{
  HnWg *device;
  gpointer data;
  guint8 public_key[32];
  guint8 static_static[32];   /* DH of our key and the peer's, see hn_wg_peer_is_reachable() */
  gboolean has_static_static; /* it was tried */
  gboolean reachable;         /* and it was good */
  gboolean removed;
  HnWgPeer *next_dead;

  HnWgHandshake handshake; /* the one we began */
  HnWgCookieSigner cookie;
  HnWgSession *previous; /* owned, as the next two */
  HnWgSession *current;  /* the only one that is sent with */
  HnWgSession *next;     /* we answered; not yet confirmed by a packet */

  guint8 received_stamp[HN_WG_STAMP_SIZE]; /* the largest accepted */
  guint8 sent_stamp[HN_WG_STAMP_SIZE];
  gint64 initiation_accepted_us;
  gint64 handshake_sent_us; /* initiation or response */
  gint64 handshake_done_us; /* 0 never */
  guint attempts;
  guint early_initiations;       /* sent before any handshake was complete, counted to the limit */
  gboolean need_keepalive;       /* data came while the keepalive timer ran */
  gboolean renewed_by_receiving; /* once a session is enough */

  /* When each timer is due, HN_WG_UNARMED when it is not. */
  gint64 retransmit_at;
  gint64 keepalive_at;
  gint64 silence_at;
  gint64 zero_keys_at;
  gint64 wake_at; /* the peer's key in the heap: at or before the earliest of the four */
  gsize wake_slot;

  GQueue staged; /* of Staged, see hn-wg-send.c */
  gsize staged_bytes;

  HnWgAllowed allowed;
  guint64 rx_bytes;
  guint64 tx_bytes;
};

struct _HnWg
{
  HnWgOps ops;
  gpointer user;
  guint8 private_key[32];
  guint8 public_key[32];
  gboolean has_key;
  guint mtu;
  gint64 (*wall_us) (gpointer);
  gpointer wall_data;
  guint8 last_stamp[HN_WG_STAMP_SIZE]; /* the largest sent to anybody */

  GHashTable *peers; /* public key inside the peer -> peer (owned) */
  /* Public key and stamp of peers that were removed: one that comes back must not fall for an old
   * initiation. Owned. */
  GHashTable *old_stamps;
  HnWgIndexTable indices;
  HnWgWake *wakes; /* a binary heap, the earliest first */
  gsize n_wakes;
  gsize wakes_size;
  gsize staged_bytes;
  gint64 now_us; /* of the last call that brought a time */
  guint32 jitter_state;

  HnWgCookieChecker checker;
  HnWgLimiter *limiter; /* owned; made when the first load comes */
  gint64 load_window_us;
  guint load_count;
  gint64 loaded_until_us;

  guint depth; /* of calls that may reach ops */
  HnWgPeer *dead;
  HnWgCounters counters;
};

/* hn-wg.c */
void hn_wg_enter (HnWg *self, gint64 now_us);
void hn_wg_leave (HnWg *self);
/* Whether handshakes with the peer are possible; computes the secret of the two static keys when it
 * is first needed, so that thousands of peers can be added at once. */
gboolean hn_wg_peer_is_reachable (HnWgPeer *peer);
/* Makes a session of finished keys and puts it into its slot. */
void hn_wg_peer_begin_session (HnWgPeer *peer, const HnWgKeys *keys, guint32 local_index,
                               guint32 remote_index, gboolean initiator, gint64 now_us);
/* An authenticated packet came under @session. Returns TRUE when it confirmed a handshake that we
 * answered. */
gboolean hn_wg_peer_session_used (HnWgPeer *peer, HnWgSession *session);
void hn_wg_peer_clear_sessions (HnWgPeer *peer);
void hn_wg_peer_clear_handshake (HnWgPeer *peer);

/* hn-wg-send.c */
/* Sends an initiation if the last handshake message is 5 s old. @retry: by the retransmit timer. */
void hn_wg_peer_initiate (HnWgPeer *peer, gint64 now_us, gboolean retry);
void hn_wg_peer_send_keepalive (HnWgPeer *peer, gint64 now_us);
void hn_wg_peer_send_staged (HnWgPeer *peer, gint64 now_us);
void hn_wg_peer_drop_staged (HnWgPeer *peer);
