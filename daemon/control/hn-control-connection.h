/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One TS2021 connection to a coordination server: dial, upgrade, Noise, HTTP/2, each step reported;
 * and the fetch of the server's Noise key that comes before it. A handshake that ends with "101 and
 * then close" is HN_ERROR_VERSION_REFUSED here; the control client fetches the key again before it
 * believes that.
 */
#pragma once

#include <gio/gio.h>

#include "base/hn-json-reader.h"
#include "crypto/hn-keys.h"
#include "net/hn-dialer.h"
#include "net/hn-http2.h"

typedef enum
{
  HN_STEP_NAME,
  HN_STEP_CONNECT,
  HN_STEP_TLS,
  HN_STEP_KEY,
  HN_STEP_UPGRADE,
  HN_STEP_NOISE,
  HN_STEP_HTTP2,
} HnControlStep;

const char *hn_control_step_to_string (HnControlStep step); /* "name", "connect" ... */

/* @error NULL: the step succeeded after @elapsed_us. */
typedef void (*HnControlProgress) (HnControlStep step, gint64 elapsed_us, const GError *error,
                                   const char *detail, gpointer user);

/* A server URL taken apart. */
typedef struct
{
  char *host;
  guint16 port;
  gboolean tls;
  char *path;      /* prefix without trailing slash, mostly "" */
  char *authority; /* for Host and :authority */
} HnServerAddress;

HnServerAddress *hn_server_address_new (const char *url, GError **error);
void hn_server_address_free (HnServerAddress *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnServerAddress, hn_server_address_free)

/* GET /key?v=VERSION. HN_ERROR_NOT_A_SERVER when the answer is no such thing. */
void hn_control_fetch_key_async (HnDialer *dialer, const HnServerAddress *server, guint version,
                                 HnControlProgress progress, gpointer progress_data,
                                 GCancellable *cancellable, GAsyncReadyCallback callback,
                                 gpointer data);
gboolean hn_control_fetch_key_finish (GAsyncResult *result, HnMachinePublic *key, GError **error);

/* POST /ts2021 and all that follows; at most 10 s (5 s to dial, 5 s for the handshake). */
void hn_control_connect_async (HnDialer *dialer, const HnServerAddress *server, guint version,
                               const HnMachinePrivate *machine, const HnMachinePublic *server_key,
                               HnControlProgress progress, gpointer progress_data,
                               GCancellable *cancellable, GAsyncReadyCallback callback,
                               gpointer data);
/* Returns: (transfer full): an open HTTP/2 session; its server SETTINGS have not been waited for,
 * message 2 of the handshake has been verified. */
HnHttp2 *hn_control_connect_finish (GAsyncResult *result, GError **error);

/* Plain HEAD or GET of a URL on the server's own host (PingRequest without Noise). */
void hn_control_plain_request_async (HnDialer *dialer, const HnServerAddress *server,
                                     const char *method, const char *path,
                                     GCancellable *cancellable, GAsyncReadyCallback callback,
                                     gpointer data);
gboolean hn_control_plain_request_finish (GAsyncResult *result, guint *status, GError **error);
