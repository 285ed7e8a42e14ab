/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the control client, shared by its files: the phase (hn-control-client.c), the
 * connection (hn-control-link.c), registration (hn-control-auth.c, hn-control-login.c), the map
 * stream (hn-control-map.c), lite updates (hn-control-update.c) and the server's pings
 * (hn-control-ping.c). Each part says what it wants; hn_control_client_queue_pump() has the rest
 * done in the next turn of the main loop.
 */
#pragma once

#include "base/hn-backoff.h"
#include "control/hn-control-client.h"
#include "control/hn-control-connection.h"
#include "control/hn-control-policy.h"
#include "control/hn-map-codec.h"

/* Ten minutes into an outage each wait is 15 to 45 s: some 160 dials in an hour without a server, and
 * nobody waits longer than 45 s for one that came back. */
#define HN_CONTROL_BACKOFF HN_BACKOFF_INIT (10 * 1000, 30 * G_USEC_PER_SEC)

/* One registration at most is under way; a new intent replaces it. */
typedef struct
{
  gboolean active;
  guint serial; /* tells answers to an operation that was replaced */
  HnRegisterKind kind;
  gboolean gates_map; /* the map waits for the outcome */
  HnNodePrivate key;  /* the candidate: the same from the first request to the end */
  HnNodePublic old_key;
  gboolean regenerated;
  gboolean in_flight;
  guint failures;         /* of a login whose caller waits */
  HnSecretText *auth_key; /* owned, nullable */
  HnSecretText *url;      /* owned, nullable */
  GTask *task;            /* owned, nullable: the caller that waits */
  GSource *task_source;   /* its cancellable */
  GCancellable *cancellable;
  HnBackoff backoff;
  GSource *retry;
  gboolean told_to_wait; /* by the server: nobody hurries us */
} HnControlAuth;

typedef struct _HnControlStream HnControlStream;

typedef struct
{
  HnControlStream *stream; /* owned, nullable */
  gboolean mapped;         /* a full map came since the start */
  gboolean planned;        /* between two streams by our own choice: counts as reachable */
  HnBackoff backoff;       /* streams without a full map */
  HnBackoff shorts;        /* streams that gave it and soon ended */
  GSource *retry;
  GSource *watchdog;    /* the only timer of an idle client */
  gint64 last_frame_us; /* or the request, before anything came */
  guint unanswered;     /* requests in a row to which nothing came */
  gint64 check_at_us;
  gint64 restart_at_us;
  gint64 last_check_us; /* asked for by hn_control_map_check_soon(); 0: never */
  GError *doubt;        /* owned, nullable: ends the login unless the stream knows better */
  GSource *doubt_timer;
  char *last_ping_url;
  guint pings; /* of the server, that are being answered */
} HnControlMap;

typedef struct
{
  HnHostinfo *acked; /* owned, nullable: what the server took last */
  HnHostinfo *sent;  /* owned, nullable: in flight */
  gboolean waited;   /* for the home relay, once */
  guint serial;
  GCancellable *cancellable;
  HnBackoff backoff;
  GSource *retry;
} HnControlUpdate;

struct _HnControlClient
{
  GObject parent_instance;

  HnServerAddress *server;
  HnDialer *dialer;
  guint version;
  HnMachinePrivate machine_key;
  HnNodePrivate node_key; /* zero: none */
  HnNodePublic node_public;
  HnMachinePublic known_key;  /* the server's, as last seen */
  HnMachinePublic server_key; /* the server's, as fetched since the start; zero: not yet */
  HnControlClientEvents events;
  gpointer user;
  GMainContext *context;
  HnHostinfo *hostinfo;

  gboolean started;
  gboolean network;
  gboolean accept_server_key;
  gboolean needs_login;
  gboolean disposed;
  GError *error;
  HnNetmap *netmap;

  HnHttp2 *http2; /* owned, nullable */
  gulong closed_handler;
  gboolean proven;   /* a request was answered on it */
  gboolean fetching; /* the server's key */
  gboolean dialing;
  gboolean key_refused; /* a handshake failed in the way a stale key does */
  guint connect_serial;
  GCancellable *connect_cancellable;
  HnBackoff connect_backoff;
  GSource *connect_retry;
  HnHttp2 *probe_http2; /* owned, nullable: was asked for a sign of life */
  GSource *probe;
  guint64 probe_received; /* what had come by then */
  gint64 hurried_us;      /* 0: never */

  HnControlAuth auth;
  HnControlMap map;
  HnControlUpdate update;

  GSource *pump;
  GSource *notify;
  /* What the owner was told last; nothing here is followed, only compared. */
  struct
  {
    HnControlPhase phase;
    gboolean reachable;
    gconstpointer url;
    guint error_serial;
  } told;
  guint error_serial;
  guint64 logged; /* kinds of errors, a bit each */
};

/* What an answer needs to find its way back: the client may be gone, or want something else. */
typedef struct
{
  GWeakRef client;
  guint serial;
} HnControlCall;

HnControlCall *hn_control_call_new (HnControlClient *client, guint serial);
void hn_control_call_free (HnControlCall *call);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnControlCall, hn_control_call_free)

/* hn-control-client.c */
void hn_control_client_queue_pump (HnControlClient *self);
void hn_control_client_queue_notify (HnControlClient *self);
/* (transfer full), nullable. */
void hn_control_client_take_error (HnControlClient *self, GError *error);
/* On the way up the first failure in a row is no news, unless it took its time: the next try follows
 * within 15 ms, and what it meets is told. @error: copied */
void hn_control_client_take_hitch (HnControlClient *self, const HnBackoff *backoff,
                                   const GError *error);
void hn_control_client_set_timer (HnControlClient *self, GSource **source, gint64 delay_us,
                                  GSourceFunc func);
gint64 hn_control_client_backoff (HnBackoff *backoff);
/* Sends nothing after this until somebody logs in. @error: (transfer full): why */
void hn_control_client_end_login (HnControlClient *self, GError *error);
void hn_control_client_set_node_key (HnControlClient *self, const HnNodePrivate *key);
/* The headers of a request about @key; the strings live as long as @buf. */
typedef struct
{
  const char *list[8];
  char text[2][HN_KEY_TEXT_MAX];
} HnControlHeaders;
void hn_control_headers_init (HnControlHeaders *self, const HnNodePublic *old_key,
                              const HnNodePublic *key);
/* The start of a body as one line of text for people, or NULL. */
char *hn_control_body_text (const void *data, gsize len);

/* hn-control-link.c */
/*
 * hn_control_link_connect:
 *
 * The server's key is fetched once a start, over TLS where there is TLS, and again when a handshake
 * fails as one with a stale key does. A key that is known from before is tried meanwhile: the
 * handshake itself proves it, and a start saves the time of a whole connection.
 */
void hn_control_link_connect (HnControlClient *self);
/* A request was answered: the next loss of the connection is the first failure. */
void hn_control_link_proven (HnControlClient *self);
/* Forgets a connection that takes no requests any more. */
void hn_control_link_prune (HnControlClient *self);
/* Resets all streams and lets go of the connection; the next need makes a new one. */
void hn_control_link_disconnect (HnControlClient *self);
/*
 * hn_control_link_doubt:
 *
 * A request was not answered in time. Without a map stream that was answered the connection is dead,
 * more likely than not, and is let go. Beside one further requests get a connection of their own, and
 * the old one is asked for a sign of life: a server that is slow in one thing does not cost the
 * stream that works.
 */
void hn_control_link_doubt (HnControlClient *self);

/* hn-control-auth.c */
void hn_control_auth_begin (HnControlClient *self, HnRegisterKind kind);
void hn_control_auth_begin_stored (HnControlClient *self, gboolean gates_map);
void hn_control_auth_cancel (HnControlClient *self, const GError *error);
/* Whether it has something to send, and needs a connection for that. */
gboolean hn_control_auth_wants (HnControlClient *self);
void hn_control_auth_send (HnControlClient *self);
/* Nothing is in flight any more; what still waits is sent again on the next connection. */
void hn_control_auth_forget_request (HnControlClient *self);
/* A connection could not be made: ends what a caller waits for. */
void hn_control_auth_unreachable (HnControlClient *self, const GError *error);
gboolean hn_control_auth_is_login (HnControlClient *self);
/* Wipes the key. @error: (nullable): what the server did not take or could not be told */
void hn_control_auth_logged_out (HnControlClient *self, const GError *error);

/* hn-control-login.c */
/* Tells the caller that waits, if one does. @error: NULL for success */
void hn_control_auth_finish_task (HnControlClient *self, const GError *error);

/* hn-control-map.c */
gboolean hn_control_map_wants (HnControlClient *self);
void hn_control_map_send (HnControlClient *self);
/* Ends the stream; with it everything that only made sense beside it. */
void hn_control_map_stop (HnControlClient *self);
/* A new stream in place of the one that is there. */
void hn_control_map_restart (HnControlClient *self);
/* Registers with the stored key soon, at most once a minute. */
void hn_control_map_check_soon (HnControlClient *self);
/*
 * hn_control_map_doubt:
 * @error: (transfer full): why the stored key seems to be of no use
 *
 * A server before 0.25 answers a registration alike for a deleted node and an expired one, but its
 * map tells. Waits for that a moment, if a stream has just been asked for.
 *
 * Returns: whether it waits and took @error; if not, @error is still the caller's
 */
gboolean hn_control_map_doubt (HnControlClient *self, GError *error);
gboolean hn_control_map_is_up (HnControlClient *self);
/* Whether the stream is one of @http2's. */
gboolean hn_control_map_is_on (HnControlClient *self, HnHttp2 *http2);
/* @http2 is dead, for the reason in @error; if the stream is one of its, there is to be a new one. */
void hn_control_map_lost (HnControlClient *self, HnHttp2 *http2, const GError *error);
gboolean hn_control_map_is_first_done (HnControlClient *self);

/* hn-control-update.c */
gboolean hn_control_update_wants (HnControlClient *self);
void hn_control_update_send (HnControlClient *self);
void hn_control_update_stop (HnControlClient *self);
/* The server may have another idea of us now: say it again. */
void hn_control_update_forget (HnControlClient *self);

/* hn-control-ping.c */
void hn_control_ping_handle (HnControlClient *self, const HnMapUpdate *update);
/*
 * hn_control_ping_path:
 *
 * Returns: (transfer full) (nullable): path and query of @url if it lies on the server's own host,
 *   scheme and port
 */
char *hn_control_ping_path (const HnServerAddress *server, const char *url);
/* The serialised HTTP/1.1 answer to a request of the server to this node. */
GBytes *hn_control_ping_answer (const guint8 *payload, gsize len);
