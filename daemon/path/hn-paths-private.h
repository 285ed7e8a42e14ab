/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the path machine share: hn-paths.c (its public face), hn-paths-peers.c,
 * hn-paths-talk.c (candidates and addresses of a peer in conversation), hn-paths-search.c (finding,
 * keeping and doubting a path), hn-paths-send.c, hn-paths-receive.c, hn-paths-ask.c (pings that
 * somebody asked for) and hn-paths-queue.c (who is due next).
 */
#pragma once

#include "path/hn-disco-codec.h"
#include "path/hn-paths.h"

#define HN_PATHS_MS G_GINT64_CONSTANT (1000)
#define HN_PATHS_SECOND G_GINT64_CONSTANT (1000000)

#define HN_PATHS_MAX_CANDIDATES 100
#define HN_PATHS_MAX_ADDRESSES 32 /* of one peer, that datagrams are recognised by */
#define HN_PATHS_MAX_OWN 64
#define HN_PATHS_RECENT_PINGS 16
#define HN_PATHS_MAX_ASKS 64
#define HN_PATHS_MAX_CREDIT 3

/* Where a candidate is known from. One without any of these is forgotten. */
enum
{
  HN_PATH_FROM_MAP = 1 << 0,
  HN_PATH_FROM_CALL = 1 << 1, /* the peer's last CallMeMaybe */
  HN_PATH_FROM_PEER = 1 << 2, /* something authenticated came from there, not long ago */
};

typedef struct
{
  HnEndpoint endpoint;
  guint8 sources;
  guint8 credit;     /* pings it may get where nobody but its own pings vouch for it */
  gboolean answered; /* ever, since the network last changed */
  gint64 seen_us;    /* of HN_PATH_FROM_PEER */
  gint64 pinged_us;  /* 0 never */
  gint64 pinged_back_us;
  gint64 latency_us; /* by the last pong; 0 unknown */
} HnPathCandidate;

/* A limit on how often: what is spent lies in the future. Zero is a full one. */
typedef gint64 HnPathBucket;

static inline gboolean
hn_path_bucket_take (HnPathBucket *self, gint64 now_us, gint64 interval_us, gint64 burst)
{
  if (*self < now_us)
    *self = now_us;
  if (*self - now_us > (burst - 1) * interval_us)
    return FALSE;
  *self += interval_us;
  return TRUE;
}

/* A disco key, and the peers that have it: after a rotation of node keys it may be two. */
typedef struct
{
  HnDiscoPublic key;
  guint8 shared[32]; /* made with the first message: X25519 is too dear for ten thousand peers */
  gboolean has_shared;
  HnPathBucket received;
  HnPathPeer *peers; /* linked by next_same */
} HnPathKey;

/* A ping that was not answered yet. */
typedef struct _HnPathAsk HnPathAsk;
typedef struct
{
  guint8 tx_id[HN_DISCO_TX_ID_SIZE];
  HnPathPeer *peer;
  HnPathAsk *ask; /* nullable */
  HnEndpoint to;  /* family 0: over the relay of region */
  int region;
  gint64 sent_us;
  GList link; /* in pings, oldest first */
} HnPathPing;

struct _HnPathAsk
{
  HnPathPeer *peer;
  gpointer token;
  gint64 deadline_us;
  gint64 widen_us; /* the path in use had its chance: the others are asked as well */
  gboolean done;
  HnPathPong pong;
};

/* Where datagrams of a peer come from. */
typedef struct
{
  HnEndpoint endpoint;
  HnPathPeer *peer;
  gboolean proven; /* by WireGuard or a pong; a ping alone may be replayed from elsewhere */
} HnPathAddress;

/* Taking our endpoints back from a peer, step by step. */
typedef enum
{
  HN_PATH_RETRACT_NAME,  /* what it may have from the map only, so that the next step counts */
  HN_PATH_RETRACT_EMPTY, /* none of them is good */
  HN_PATH_RETRACT_CALL,  /* these are */
  HN_PATH_RETRACT_AGAIN, /* all of it, if nothing came of it */
} HnPathRetract;

/* What a conversation with a peer needs; absent at rest. */
typedef struct
{
  HnPathPeer *peer;
  guint queue_index; /* in queue; G_MAXUINT: not there */
  gint64 due_us;     /* the earliest of those below; G_MAXINT64 never */

  gint64 sent_us;    /* data */
  gint64 heard_us;   /* data, directly */
  gint64 contact_us; /* disco */
  gint64
      unanswered_us; /* the first data sent directly since something last came directly; 0 none */
  HnEndpoint heard_from;
  gboolean heard_best; /* which is best: only then does it prove that our data arrives */

  HnEndpoint best; /* family 0: none */
  gint64 latency_us;
  gint64 patience_us;    /* its worst latency, slowly forgotten */
  gint64 trust_until_us; /* best answered so lately that it is used alone until then */
  gint64 relay_latency_us;
  HnEndpoint published; /* what path_changed told last */

  gboolean active;   /* data was sent within the session timeout: heartbeats go on */
  gboolean seeking;  /* rounds of pings go on */
  gint64 doubted_us; /* by what the peer does */
  guint tries;       /* pings of best without an answer */
  gint64 sought_us;  /* seeking began */
  gint64 eager_until_us;
  gint64 round_us;       /* the last round */
  gint64 called_us;      /* the last CallMeMaybe we sent; 0 never */
  gboolean call_pending; /* once our own endpoints are fresh */
  gboolean told;         /* the peer's list of our endpoints names all it may send to */
  HnPathRetract retract;
  guint retract_left;     /* how often it may be said again */
  gint64 retracted_us;    /* when it was first said */
  gint64 relayed_us;      /* data, over the relay */
  HnEndpoint mapped;      /* our address as the peer sees it */
  HnEndpoint best_mapped; /* the same, by the last pong of best; family 0 unknown */
  HnEndpoint stale;       /* what it was before, until the peer was told; family 0 nothing */

  /* What is due when; G_MAXINT64: nothing. */
  gint64 heartbeat_us;
  gint64 watch_us;  /* look whether data was answered */
  gint64 probe_us;  /* a ping of best had time enough */
  gint64 probed_us; /* when that ping went out */
  gboolean paired;  /* data is not answered: a second ping follows, and both count */
  gboolean pair_sent;
  gint64 seek_us;
  gint64 retract_us;
  gint64 release_us;

  HnPathBucket pings;
  HnPathCandidate *candidates;
  guint n_candidates, candidates_size;
  HnPathAddress *addresses[HN_PATHS_MAX_ADDRESSES];
  guint n_addresses, next_address;
  guint n_pings; /* under way */
  guint8 recent[HN_PATHS_RECENT_PINGS][HN_DISCO_TX_ID_SIZE];
  guint next_recent, n_recent;
} HnPathTalk;

struct _HnPathPeer
{
  HnNode *node; /* owned */
  gpointer data;
  HnPathPeer *next, *prev; /* all peers */
  HnPathKey *key;          /* nullable */
  HnPathPeer *next_same;   /* others with that key */
  HnPathTalk *talk;        /* owned, nullable */
  HnPathBucket adverts;
  HnDiscoPublic map_disco; /* what the server said, which an advert may have overruled */
  gboolean removed;
  gboolean changed; /* in changes */
};

struct _HnPaths
{
  HnPathOps ops;
  gpointer user;
  HnDiscoPrivate disco;
  HnDiscoPublic disco_public;
  HnNodePublic node;
  gboolean has_keys;

  gboolean available; /* UDP */
  HnEndpoint *own, *former;
  guint n_own, n_former;
  gint64 own_us;
  gboolean own_known; /* set since the network last changed */
  gboolean own_loopback_only;
  gboolean own_link_local; /* an IPv4 one among them */
  gboolean refreshing;
  HnPrefix *forbidden;
  gsize n_forbidden;

  HnPathPeer *peers;
  GHashTable *keys;       /* HnPathKey by its key; owned */
  GHashTable *addresses;  /* HnPathAddress by its endpoint; owned by the table */
  HnPathAddress *address; /* the one found last; nullable */
  GHashTable *pings;      /* HnPathPing by its transaction; owned */
  GQueue pings_by_age;
  GPtrArray *asks;  /* HnPathAsk; owned */
  GPtrArray *queue; /* HnPathTalk by due_us, a heap */
  HnPathBucket pings_sent, received, bad_boxes;
  HnPathCounters counters;

  /* Callbacks about what happened wait for the end of the public function that found out. */
  guint depth;
  gboolean want_refresh;
  gboolean asks_done;
  GPtrArray *changes;   /* HnPathPeer whose path changed */
  GPtrArray *graveyard; /* peers removed meanwhile */
};

/* hn-paths.c */
void hn_paths_enter (HnPaths *self);
void hn_paths_leave (HnPaths *self);

/* hn-paths-queue.c: sets due_us from the talk's deadlines, and its place. */
void hn_paths_queue_update (HnPaths *self, HnPathTalk *talk);
void hn_paths_queue_remove (HnPaths *self, HnPathTalk *talk);
HnPathTalk *hn_paths_queue_peek (HnPaths *self); /* nullable */

/* hn-paths-talk.c */
HnPathTalk *hn_paths_talk_ensure (HnPaths *self, HnPathPeer *peer, gint64 now_us);
/* Takes a conversation out of all tables; it is destroyed once nobody is in the middle of it. */
void hn_paths_talk_detach (HnPaths *self, HnPathTalk *talk);
void hn_paths_talk_destroy (HnPathTalk *talk); /* nullable */
/* Whether an address may be pinged at all. */
gboolean hn_paths_is_candidate (const HnPaths *self, const HnEndpoint *endpoint);
HnPathCandidate *hn_paths_find_candidate (HnPathTalk *talk, const HnEndpoint *endpoint);
/* NULL: not allowed, or too many of them. */
HnPathCandidate *hn_paths_add_candidate (HnPaths *self, HnPathTalk *talk,
                                         const HnEndpoint *endpoint, guint source, gint64 now_us);
void hn_paths_add_map_candidates (HnPaths *self, HnPathTalk *talk, gint64 now_us);
/* Forgets those that nobody vouches for any more. */
void hn_paths_prune_candidates (HnPaths *self, HnPathTalk *talk, gint64 now_us);
void hn_paths_map_address (HnPaths *self, HnPathTalk *talk, const HnEndpoint *endpoint,
                           gboolean proven);

/* hn-paths-send.c */
HnPathKey *hn_paths_get_key (HnPaths *self, HnPathPeer *peer); /* with shared made; nullable */
gboolean hn_paths_make_shared (HnPaths *self, HnPathKey *key);
gboolean hn_paths_send_ping (HnPaths *self, HnPathPeer *peer, const HnEndpoint *to, HnPathAsk *ask,
                             gint64 now_us);
/* @seen: where the ping seemed to come from. @to NULL: over @region's relay. */
void hn_paths_send_pong (HnPaths *self, HnPathPeer *peer, const guint8 *tx_id,
                         const HnEndpoint *seen, const HnEndpoint *to, int region);
/* Tells @peer our endpoints, or asks for fresh ones first. */
void hn_paths_call (HnPaths *self, HnPathPeer *peer, gint64 now_us);
/* Tells @peer that what it knows of us is no good, so that it uses its relay at once. */
void hn_paths_retract (HnPaths *self, HnPathPeer *peer, gint64 now_us);
void hn_paths_retract_tick (HnPaths *self, HnPathTalk *talk, gint64 now_us);
HnPathPing *hn_paths_find_ping (HnPaths *self, const guint8 *tx_id);
void hn_paths_drop_ping (HnPaths *self, HnPathPing *ping);
void hn_paths_drop_pings (HnPaths *self, HnPathPeer *peer); /* NULL: all */
void hn_paths_expire_pings (HnPaths *self, gint64 now_us);

/* hn-paths-search.c */
/* Our address as the peer sees it, by a pong for a ping to @to: where it may send to, whatever we tell
 * it. */
void hn_paths_learn_mapped (HnPaths *self, HnPathTalk *talk, const HnEndpoint *to,
                            const HnEndpoint *mapped, gint64 now_us);
void hn_paths_activate (HnPaths *self, HnPathTalk *talk, gint64 now_us);
void hn_paths_seek (HnPaths *self, HnPathTalk *talk, gint64 now_us);
void hn_paths_round (HnPaths *self, HnPathTalk *talk, gint64 min_gap_us, gint64 now_us);
/* Pings best, unless that is under way. */
void hn_paths_probe (HnPaths *self, HnPathTalk *talk, gint64 now_us);
/* The candidate answered in @latency_us. */
void hn_paths_answered (HnPaths *self, HnPathTalk *talk, HnPathCandidate *candidate,
                        gint64 latency_us, gint64 now_us);
/* As if the peer had never answered; what it talks about goes on. */
void hn_paths_restart (HnPaths *self, HnPathTalk *talk, gint64 now_us);
/* Best is gone; what else answers is looked for. */
void hn_paths_lose_best (HnPaths *self, HnPathTalk *talk, gint64 now_us);
/* Which addresses may be pinged has changed. */
void hn_paths_recheck (HnPaths *self, HnPathTalk *talk);
void hn_paths_publish (HnPaths *self, HnPathTalk *talk, const HnEndpoint *endpoint);
void hn_paths_talk_tick (HnPaths *self, HnPathTalk *talk, gint64 now_us);
/* What the peer does makes best doubtful: it is asked, now and then. */
void hn_paths_doubt (HnPaths *self, HnPathTalk *talk, gint64 now_us);
gint64 hn_paths_get_silence (const HnPathTalk *talk);

/* hn-paths-ask.c */
void hn_paths_ask_answered (HnPaths *self, HnPathAsk *ask, const HnPathPing *ping,
                            gint64 latency_us);
void hn_paths_asks_tick (HnPaths *self, gint64 now_us);
void hn_paths_asks_forget (HnPaths *self, HnPathPeer *peer);
gint64 hn_paths_asks_get_deadline (const HnPaths *self);
/* Tells what ended; from hn_paths_leave(). */
void hn_paths_asks_tell (HnPaths *self);
