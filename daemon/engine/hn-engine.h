/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All tailnets of this daemon: loads the profiles, adds and removes them, tells each when the
 * network or the machine's sleep changes. Signals "tailnet-added" (HnTailnet) and "tailnet-removed"
 * (HnTailnet); "activity-changed" () when hn_engine_is_active() may differ.
 */
#pragma once

#include "engine/hn-tailnet.h"

#define HN_TYPE_ENGINE (hn_engine_get_type ())
G_DECLARE_FINAL_TYPE (HnEngine, hn_engine, HN, ENGINE, GObject)

/* @state_directory keeps profiles and keys, @runtime_directory what lasts until the next boot.
 * Another daemon on the same state is HN_ERROR_BUSY. A damaged profile is left alone and shown as a
 * warning in the log, it does not keep the others from loading. */
HnEngine *hn_engine_new (const char *state_directory, const char *runtime_directory,
                         GError **error);
/* Cleans what an earlier daemon left on the machine and connects the profiles with AutoConnect that
 * nobody disconnected since boot. */
void hn_engine_start (HnEngine *self);
/* Disconnects all, without forgetting the wishes. */
void hn_engine_stop (HnEngine *self);

/* Borrowed, in the order of their names. */
GPtrArray *hn_engine_get_tailnets (HnEngine *self);
HnTailnet *hn_engine_get_tailnet (HnEngine *self, const char *id); /* nullable, borrowed */

/* HN_ERROR_EXISTS for a name in use; the name "" becomes the server's host. Returns: (transfer
 * none). */
HnTailnet *hn_engine_add_tailnet (HnEngine *self, const HnPreferences *preferences, GError **error);
/* Logs out where the server can be reached within a few seconds, then forgets keys and settings. */
void hn_engine_remove_tailnet_async (HnEngine *self, HnTailnet *tailnet, GCancellable *cancellable,
                                     GAsyncReadyCallback callback, gpointer data);
gboolean hn_engine_remove_tailnet_finish (HnEngine *self, GAsyncResult *result, GError **error);

/* Whether any tailnet is wanted or busy. */
gboolean hn_engine_is_active (HnEngine *self);

typedef struct
{
  const char *step; /* static: "name", "connect", "tls", "key", "upgrade", "noise", "http2" */
  gboolean ok;
  char *text; /* what was found, or what is wrong and what to do */
  gint64 latency_us;
} HnCheckStep;

void hn_check_step_free (HnCheckStep *step);

/* Tries each step of reaching a server with a throw-away key; ends with the first that fails. The
 * array has only steps that were tried. An error means that the arguments were unusable. */
void hn_engine_check_server_async (HnEngine *self, const char *url, const char *ca_certificate,
                                   GCancellable *cancellable, GAsyncReadyCallback callback,
                                   gpointer data);
GPtrArray *hn_engine_check_server_finish (HnEngine *self, GAsyncResult *result, GError **error);
