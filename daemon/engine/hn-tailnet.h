/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One tailnet: its profile, its control client and, while connected, its device and data plane.
 * Owns the wish (connect, disconnect), feeds what happens into the derive functions and applies
 * what they say. Main thread only.
 */
#pragma once

#include <gio/gio.h>

#include "base/hn-secret.h"
#include "engine/hn-status.h"
#include "model/hn-ping-kind.h"
#include "model/hn-preferences.h"

#define HN_TYPE_TAILNET (hn_tailnet_get_type ())
G_DECLARE_FINAL_TYPE (HnTailnet, hn_tailnet, HN, TAILNET, GObject)

/* Signals:
 *   "status-changed" ()          the status differs from the last one; sent once per main loop turn
 *   "preferences-changed" ()
 *   "peers-changed" (guint64 generation, GPtrArray *changed_ids, GPtrArray *removed_ids)
 *                                coalesced; ids are stable ids (char*); both empty: ask for all
 *   "network-config-changed" ()
 */

const char *hn_tailnet_get_id (HnTailnet *self); /* [a-z0-9_]{1,32}, stable */
const HnPreferences *hn_tailnet_get_preferences (HnTailnet *self);
/* The current status; borrowed, valid until the next signal. */
const HnStatus *hn_tailnet_get_status (HnTailnet *self);
guint64 hn_tailnet_get_peers_generation (HnTailnet *self);

/* Whether somebody wants this tailnet connected (a service with none may end). */
gboolean hn_tailnet_is_wanted (HnTailnet *self);
/* Whether a call into this tailnet is still being worked on. */
gboolean hn_tailnet_is_busy (HnTailnet *self);

/* Accepts the wish and returns; progress is the state. Idempotent. @network_manager: addresses
 * and DNS are somebody else's. */
gboolean hn_tailnet_connect (HnTailnet *self, gboolean network_manager, GError **error);
/* Completes when device, routes and rules are gone. Idempotent. */
void hn_tailnet_disconnect (HnTailnet *self);

/* Enrols; does not connect. Completes when enrolled (at once when the node is enrolled already and
 * no key is given), refused (HN_ERROR_SERVER_REFUSED, HN_ERROR_AUTH_KEY_REFUSED or why the server
 * can not be reached) or a URL is pending. @auth_key nullable. */
void hn_tailnet_login_async (HnTailnet *self, HnSecretText *auth_key, gboolean accept_server_key,
                             GCancellable *cancellable, GAsyncReadyCallback callback,
                             gpointer data);
gboolean hn_tailnet_login_finish (HnTailnet *self, GAsyncResult *result, GError **error);
/* NULL with HN_ERROR_NOT_FOUND when no login is pending. */
HnSecretText *hn_tailnet_dup_login_url (HnTailnet *self, GError **error);
/* Disconnects, expires the node at the server and wipes the node key, the latter in any case. */
void hn_tailnet_logout_async (HnTailnet *self, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer data);
gboolean hn_tailnet_logout_finish (HnTailnet *self, GAsyncResult *result, GError **error);

/* Checks, saves and applies new preferences (all of them; made from a copy of the present ones).
 * HN_ERROR_EXISTS for a name that another tailnet has; HN_ERROR_INVALID_ARGUMENT for a bad value. */
gboolean hn_tailnet_set_preferences (HnTailnet *self, const HnPreferences *preferences,
                                     GError **error);

typedef void (*HnPeerFunc) (const HnPeerView *peer, gpointer data);
/* Each peer, sorted by name. */
void hn_tailnet_foreach_peer (HnTailnet *self, HnPeerFunc func, gpointer data);
/* One peer by stable id, full name, short name, host name or address; FALSE with
 * HN_ERROR_NOT_FOUND, or HN_ERROR_INVALID_ARGUMENT when a name fits several. */
gboolean hn_tailnet_with_peer (HnTailnet *self, const char *target, HnPeerFunc func, gpointer data,
                               GError **error);
/* The counters of one peer (by stable id). */
void hn_tailnet_get_counters_async (HnTailnet *self, const char *stable_id,
                                    GCancellable *cancellable, GAsyncReadyCallback callback,
                                    gpointer data);
gboolean hn_tailnet_get_counters_finish (HnTailnet *self, GAsyncResult *result,
                                         HnPeerCounters *counters, GError **error);

/* The counters of several peers by stable id; zeros for one that is gone or was never talked to. */
void hn_tailnet_get_many_counters_async (HnTailnet *self, const char *const *stable_ids,
                                         GCancellable *cancellable, GAsyncReadyCallback callback,
                                         gpointer data);
/* (transfer full), of HnPeerCounters in the order of the ids */
GArray *hn_tailnet_get_many_counters_finish (HnTailnet *self, GAsyncResult *result, GError **error);

/* @target as in hn_tailnet_with_peer(). HN_ERROR_NOT_CONNECTED, HN_ERROR_NOT_FOUND,
 * HN_ERROR_NOT_SUPPORTED, HN_ERROR_TIMEOUT (5 s unless @timeout_ms says otherwise). */
void hn_tailnet_ping_async (HnTailnet *self, const char *target, HnPingKind kind, guint timeout_ms,
                            GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data);
HnPingResult *hn_tailnet_ping_finish (HnTailnet *self, GAsyncResult *result, GError **error);

/* A full look at the network; HN_ERROR_NOT_CONNECTED. */
void hn_tailnet_netcheck_async (HnTailnet *self, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer data);
HnNetcheckResult *hn_tailnet_netcheck_finish (HnTailnet *self, GAsyncResult *result,
                                              GError **error);

typedef struct
{
  const char *interface; /* borrowed; "" none */
  guint mtu;
  char **addresses; /* with prefix length; owned */
  char **dns_servers;
  char **dns_domains; /* "~" before routing-only ones */
  char **search_domains;
} HnNetworkConfig;

/* What a network manager would set on the device: (transfer full). */
HnNetworkConfig *hn_tailnet_dup_network_config (HnTailnet *self);
void hn_network_config_free (HnNetworkConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnNetworkConfig, hn_network_config_free)
