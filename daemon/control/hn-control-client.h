/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control client of one profile: registers, follows the map stream, sends lite updates, all
 * with back-off, on the main context. It knows nothing of the data plane and the bus.
 */
#pragma once

#include <gio/gio.h>

#include "base/hn-secret.h"
#include "crypto/hn-keys.h"
#include "model/hn-hostinfo.h"
#include "model/hn-netmap.h"

/* The capability version we speak: what a server may assume of us. */
#define HN_CAPABILITY_VERSION 130

#define HN_TYPE_CONTROL_CLIENT (hn_control_client_get_type ())
G_DECLARE_FINAL_TYPE (HnControlClient, hn_control_client, HN, CONTROL_CLIENT, GObject)

typedef enum
{
  HN_CONTROL_IDLE,        /* not started, stopped, or paused without network */
  HN_CONTROL_CONNECTING,  /* registering or opening the stream */
  HN_CONTROL_NEEDS_LOGIN, /* somebody must act; see the error (nullable) and login URL */
  HN_CONTROL_MAPPED,      /* the stream is up and its first full map came */
} HnControlPhase;

/* All copied by the constructor. */
typedef struct
{
  const char *server_url;
  const char *ca_certificate; /* nullable: PEM text that replaces the system's store */
  guint32 mark;               /* firewall mark of our sockets, 0 for none */
  guint capability_version;   /* 0: HN_CAPABILITY_VERSION */
  const HnMachinePrivate *machine_key;
  const HnNodePrivate *node_key;           /* nullable; zero: none stored */
  const HnMachinePublic *known_server_key; /* nullable; zero: never seen */
} HnControlClientConfig;

/* Called on the main context, never from inside a call into the client. */
typedef struct
{
  void (*phase_changed) (gpointer user);
  /* The node key of this profile is now @key (after a successful registration, rotation included):
   * persist it before returning. Zero key: logged out, wipe. */
  void (*node_key_changed) (gpointer user, const HnNodePrivate *key);
  /* The server's Noise key as fetched; @changed: differs from known_server_key. Persist it. */
  void (*server_key_seen) (gpointer user, const HnMachinePublic *key, gboolean changed);
  /* A response was merged. @netmap is the session's accumulator; borrowed. On a new stream the
   * first call has full=TRUE. */
  void (*netmap_changed) (gpointer user, HnNetmap *netmap, const HnNetmapChange *change);
} HnControlClientEvents;

/* @config and @events are copied; @user is borrowed. */
HnControlClient *hn_control_client_new (const HnControlClientConfig *config,
                                        const HnControlClientEvents *events, gpointer user,
                                        GError **error);

/* Begins: registers with the stored node key (none: NEEDS_LOGIN), then follows the map. */
void hn_control_client_start (HnControlClient *self);
/* Ends everything, streams reset; phase IDLE. The login that was pending is forgotten. */
void hn_control_client_stop (HnControlClient *self);

HnControlPhase hn_control_client_get_phase (HnControlClient *self);
/* Why the client is not MAPPED, or why the server can not be reached though it was: nullable,
 * borrowed. NULL when all is well. */
const GError *hn_control_client_get_error (HnControlClient *self);
/* Whether the stream is up right now (a lost server keeps phase MAPPED with reachable FALSE, the
 * netmap stays in force). */
gboolean hn_control_client_is_reachable (HnControlClient *self);
gboolean hn_control_client_get_has_login_url (HnControlClient *self);
/* Nullable. */
HnSecretText *hn_control_client_dup_login_url (HnControlClient *self);

/*
 * hn_control_client_login_async:
 * @auth_key: (nullable): a pre-auth key, or NULL for an interactive login
 * @accept_server_key: a changed Noise key over plain HTTP is accepted
 *
 * Completes when enrolled (then the caller decides whether to start), refused (error), or a URL is
 * pending (TRUE, has_login_url; the follow-up goes on by itself and node_key_changed/phase_changed
 * tell when approved). Works whether started or not; a new login or logout cancels the old.
 */
void hn_control_client_login_async (HnControlClient *self, HnSecretText *auth_key,
                                    gboolean accept_server_key, GCancellable *cancellable,
                                    GAsyncReadyCallback callback, gpointer user_data);
gboolean hn_control_client_login_finish (HnControlClient *self, GAsyncResult *result,
                                         GError **error);

/* Expires the node at the server, then wipes the key (node_key_changed with a zero key), also when
 * the server can not be reached (the error then says so, key wiped all the same). */
void hn_control_client_logout_async (HnControlClient *self, GCancellable *cancellable,
                                     GAsyncReadyCallback callback, gpointer user_data);
gboolean hn_control_client_logout_finish (HnControlClient *self, GAsyncResult *result,
                                          GError **error);

/* What we say of ourselves; copied. A real change sends one lite update (at most one in flight,
 * newest wins). Must be set before start or login. */
void hn_control_client_set_hostinfo (HnControlClient *self, const HnHostinfo *hostinfo);
/* FALSE: all is paused and still (no timers). TRUE after FALSE, or @major: connections are dropped
 * and made anew, back-offs reset. */
void hn_control_client_network_changed (HnControlClient *self, gboolean available, gboolean major);
/* A person wants it now: a wait that runs ends, and back-offs begin anew. At most once a second, and
 * not before a moment that the server itself named. Nothing happens while all is well. */
void hn_control_client_hurry (HnControlClient *self);
/* Something hints that the server may have forgotten us (a relay refused our key): a plain register
 * with the stored key, rate limited to one a minute. */
void hn_control_client_check_registration (HnControlClient *self);
/* Nullable, borrowed: the accumulator in force. */
HnNetmap *hn_control_client_get_netmap (HnControlClient *self);
