/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens TCP connections for the daemon: names resolved, HTTP proxies honoured (GProxyResolver), our
 * firewall mark set before connect, TLS with the system's store or a profile's own CA. Errors say
 * which step failed, in HN_ERROR codes. Works on the thread-default context of the caller.
 */
#pragma once

#include <gio/gio.h>

#include "base/hn-ip.h"

#define HN_TYPE_DIALER (hn_dialer_get_type ())
G_DECLARE_FINAL_TYPE (HnDialer, hn_dialer, HN, DIALER, GObject)

/* The steps, for progress and for CheckServer. */
typedef enum
{
  HN_DIAL_NAME,    /* name resolved */
  HN_DIAL_CONNECT, /* TCP connected */
  HN_DIAL_TLS,     /* TLS handshake done; not reported for plain connections */
} HnDialStep;
/* @elapsed_us: what this step took. @detail: (nullable): the address, or the proxy's. */
typedef void (*HnDialProgress) (HnDialStep step, gint64 elapsed_us, const char *detail,
                                gpointer user);

typedef struct
{
  const char *host; /* name or literal, no brackets */
  guint16 port;
  gboolean tls;
  const char *tls_name;  /* verified name and SNI; NULL: host */
  const char *tls_pin;   /* "sha256-raw:HEX" of the DER certificate, instead of a CA; or NULL */
  gboolean tls_insecure; /* no verification but the pin, if any: a relay marked so */
  const HnIp *literals;  /* dialled in order instead of resolving host, if n_literals > 0 */
  gsize n_literals;
  guint timeout_s; /* for all of it; 0: 10 s */
} HnDialTarget;

/* @ca_pem: trusted instead of the system's store, or NULL. @mark: SO_MARK, 0 none; EPERM on it is
 * ignored. HN_ERROR_INVALID_ARGUMENT when @ca_pem holds no certificate. */
HnDialer *hn_dialer_new (const char *ca_pem, guint32 mark, GError **error);
/* @progress is nullable and called while it runs. */
void hn_dialer_connect_async (HnDialer *self, const HnDialTarget *target, HnDialProgress progress,
                              gpointer progress_data, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer data);
/* Returns: (transfer full): the connected stream, TLS already done. TCP_NODELAY is set. */
GIOStream *hn_dialer_connect_finish (HnDialer *self, GAsyncResult *result, GError **error);

/* The socket below a stream that a dial gave, for socket options; NULL when there is none.
 * Returns: (transfer none) (nullable) */
GSocket *hn_dialer_get_socket (GIOStream *stream);
/* Whether the address that such a stream goes out from is no longer this machine's: then nothing will
 * come back, and waiting for TCP to notice takes minutes. FALSE when that can not be told. */
gboolean hn_dialer_lost_address (GIOStream *stream);
