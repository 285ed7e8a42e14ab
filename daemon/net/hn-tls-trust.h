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
 * hn_tls_verify:
 * @authorities: (nullable): who is trusted; NULL: the distribution's bundle, or the file that
 *   SSL_CERT_FILE names
 * @peer: what the server showed
 * @identity: the name or address that it must be for
 *
 * The bundle is read for each call and only the authorities that @peer's chain leads to are loaded:
 * all of it would cost 8 MB, 90 ms, and with the backend's own default database for ever.
 *
 * Returns: what is wrong, 0 for nothing; on an error (HN_ERROR_TLS, no bundle) it is not 0
 */
GTlsCertificateFlags hn_tls_verify (GTlsDatabase *authorities, GTlsCertificate *peer,
                                    GSocketConnectable *identity, GError **error);

/* Finds issuer and subject, as DER, in a certificate (RFC 5280, 4.1); the pointers go into @der.
 * FALSE when it is none. */
gboolean hn_tls_find_names (const guint8 *der, gsize len, const guint8 **issuer, gsize *issuer_len,
                            const guint8 **subject, gsize *subject_len);

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
