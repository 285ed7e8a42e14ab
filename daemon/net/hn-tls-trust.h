/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whom a TLS connection believes: certificate authorities out of PEM text or the system's store, a
 * pinned certificate, and the errors that say what was wrong with what the server showed.
 */
#pragma once

#include <gio/gio.h>

/*
 * hn_tls_database_new_for_pem:
 * @pem: one or more CERTIFICATE blocks; anything else in it (private keys too) is left out
 *
 * Returns: (transfer full): a database that trusts these and nothing else;
 *   HN_ERROR_INVALID_ARGUMENT when there is no certificate in @pem or one does not parse
 */
GTlsDatabase *hn_tls_database_new_for_pem (const char *pem, GError **error);

/*
 * hn_tls_database_new_for_system:
 *
 * Reads the distribution's bundle (or the file that SSL_CERT_FILE names). The backend's own default
 * database is avoided because it stays in memory for ever: several megabytes for a handshake.
 *
 * Returns: (transfer full): a database of the caller's own, or NULL with HN_ERROR_TLS
 */
GTlsDatabase *hn_tls_database_new_for_system (GError **error);

/*
 * hn_tls_check_pin:
 * @peer: what the server showed
 * @pin: "sha256-raw:HEX" (tailscale: net/tlsdial/tlsdial.go, SetConfigExpectedCertHash)
 * @name: (nullable): the name that must be in the certificate, NULL when dialled by address
 *
 * The certificate's hash must be the pin, it must be the only one but for those whose common name
 * starts with "derpkey", and it must be valid now. No authority is asked.
 */
gboolean hn_tls_check_pin (GTlsCertificate *peer, const char *pin, const char *name,
                           GError **error);

/* Whether @pin has a form that hn_tls_check_pin() understands. */
gboolean hn_tls_pin_is_valid (const char *pin);

/* The error for a refused certificate: what is wrong with it, which host, what to do. */
GError *hn_tls_error_for_flags (GTlsCertificateFlags flags, const char *host, const char *name);
