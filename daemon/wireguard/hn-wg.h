/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The WireGuard core of one tailnet: handshakes, sessions, replay windows, cookies and timers, as
 * WireGuard's paper and wireguard-go have them, without sockets and without a clock. It has no
 * endpoints and does not roam: it asks its owner to send a datagram "to this peer", and the path
 * layer decides where that is. Not thread safe; owned by the data plane's thread.
 *
 * Every call takes now_us (a monotonic clock that runs through sleep). After any call the owner
 * asks hn_wg_get_deadline() and calls hn_wg_tick() no later than that.
 */
#pragma once

#include <glib.h>

typedef struct _HnWg HnWg;
typedef struct _HnWgPeer HnWgPeer;

/* Room that the owner leaves around a packet handed to hn_wg_send(): the transport header in front,
 * padding and tag behind. */
#define HN_WG_HEADROOM 16
#define HN_WG_TAILROOM 32
#define HN_WG_MAX_DATAGRAM 65535

/* Where a datagram came from: an opaque token of the owner's, copied, never interpreted. The source
 * bytes are what a cookie is bound to. For a UDP address they are the 4 or 16 bytes of the address
 * and 2 of the port, so that the rate limit under load can leave the port out. */
typedef struct
{
  guint64 token;
  guint8 source[18];
  guint8 source_len;
} HnWgPath;

typedef struct
{
  /* A datagram for @peer; @datagram is valid during the call only. @handshake: it is not data. */
  void (*send) (gpointer user, HnWgPeer *peer, const guint8 *datagram, gsize len,
                gboolean handshake);
  /* A reply to somebody who is not authenticated (a cookie), back over the path it came from. */
  void (*send_reply) (gpointer user, const HnWgPath *path, const guint8 *datagram, gsize len);
  /* A decrypted inner packet, its padding cut, its source checked against the peer's allowed IPs.
   * It lies inside the buffer given to hn_wg_receive() and may be changed in place. */
  void (*deliver) (gpointer user, HnWgPeer *peer, guint8 *packet, gsize len);
  /* An initiation decrypted to this static key, and no such peer exists: the owner may call
   * hn_wg_add_peer() and return it, or NULL to drop. Nullable. */
  HnWgPeer *(*find_peer) (gpointer user, const guint8 public_key[32]);
  /* A packet of @peer was authenticated; this is how the path layer learns who is behind an unknown
   * address. Nullable. */
  void (*authenticated) (gpointer user, HnWgPeer *peer, const HnWgPath *path);
  /* A session became usable (handshake complete, either role). Nullable. */
  void (*established) (gpointer user, HnWgPeer *peer);
} HnWgOps;

/* Why packets were dropped; counters since the start. */
typedef struct
{
  guint64 bad_length;
  guint64 bad_mac;
  guint64 unknown_peer;
  guint64 unknown_index;
  guint64 replayed;
  guint64 bad_tag;
  guint64 bad_source; /* inner source not among the peer's allowed IPs, or no IP packet */
  guint64 stale_key;
  guint64 cookies_sent;
  guint64 rate_limited;
  guint64 staged_dropped;
} HnWgCounters;

/* Takes a copy of @ops. They may call back into the core, also to remove the peer they are about, but
 * not hn_wg_free(). */
HnWg *hn_wg_new (const HnWgOps *ops, gpointer user);
void hn_wg_free (HnWg *self);
/* Sets the static key (clamped or not; all zeros: none); all sessions end when it changes, and what
 * waits for one is dropped. */
void hn_wg_set_private_key (HnWg *self, const guint8 private_key[32]);
/* The inner MTU, which bounds padding. */
void hn_wg_set_mtu (HnWg *self, guint mtu);

/* Adds a peer, or returns the one there is. NULL when the key is our own or the table is full
 * (65,536). @data is the owner's. */
HnWgPeer *hn_wg_add_peer (HnWg *self, const guint8 public_key[32], gpointer data);
/* From inside an op the pointer stays valid, without effect, until the outermost call returns. */
void hn_wg_remove_peer (HnWg *self, HnWgPeer *peer);
HnWgPeer *hn_wg_get_peer (HnWg *self, const guint8 public_key[32]);
gpointer hn_wg_peer_get_data (HnWgPeer *peer);
const guint8 *hn_wg_peer_get_public_key (HnWgPeer *peer);
/* What the peer may send from. Entries are address bytes in network order, 4 or 16, and the prefix
 * length; copied. */
typedef struct
{
  guint8 family; /* 4 or 6 */
  guint8 bits;
  guint8 address[16];
} HnWgAllowedIp;
void hn_wg_peer_set_allowed_ips (HnWgPeer *peer, const HnWgAllowedIp *ips, gsize n_ips);
/* Ends the peer's sessions, for instance because its disco key changed (it was restarted); the next
 * packet begins with a handshake. */
void hn_wg_peer_reset (HnWg *self, HnWgPeer *peer);

typedef struct
{
  gint64 last_handshake_us; /* now_us of the last completed one, 0 never */
  guint64 rx_bytes;         /* inner bytes, keepalives not counted */
  guint64 tx_bytes;
  gboolean has_session; /* a packet would be sent at once */
} HnWgPeerStats;
void hn_wg_peer_get_stats (HnWgPeer *peer, gint64 now_us, HnWgPeerStats *stats);

/* Sends one inner packet. It lies at @packet with HN_WG_HEADROOM writable bytes in front and
 * HN_WG_TAILROOM behind and is encrypted in place when a session is usable; else it is copied to
 * the peer's queue (128 packets, the oldest goes) and a handshake begins. */
void hn_wg_send (HnWg *self, HnWgPeer *peer, guint8 *packet, gsize len, gint64 now_us);
/* One datagram from the outside, decrypted in place. */
void hn_wg_receive (HnWg *self, const HnWgPath *path, guint8 *datagram, gsize len, gint64 now_us);
/* Begins a handshake unless a session is usable or one was begun less than 5 s ago. */
void hn_wg_initiate (HnWg *self, HnWgPeer *peer, gint64 now_us);

/* When hn_wg_tick() is due; G_MAXINT64 when no timer is armed. O(1): timers of idle peers cost
 * nothing. Deadlines may be rounded up to whole 50 ms so that wake-ups coalesce. */
gint64 hn_wg_get_deadline (const HnWg *self);
void hn_wg_tick (HnWg *self, gint64 now_us);

/* The wall clock for TAI64N; the core keeps it from going backwards. Default: CLOCK_REALTIME. */
void hn_wg_set_wall_clock (HnWg *self, gint64 (*wall_us) (gpointer), gpointer data);
const HnWgCounters *hn_wg_get_counters (const HnWg *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnWg, hn_wg_free)
