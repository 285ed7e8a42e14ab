/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/hn-tls-trust.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hn-bytes.h"
#include "base/hn-error.h"

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END "-----END CERTIFICATE-----"
#define PEM_MAX (1024 * 1024)
#define PIN_PREFIX "sha256-raw:"
#define PIN_SIZE 32
/* Certificates that a server may show, its own among them. Honest chains have four at most. */
#define MAX_CHAIN 16

/* Where distributions keep the bundle: Debian, Fedora, openSUSE, Alpine. */
static const char *const system_bundles[] = {
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/var/lib/ca-certificates/ca-bundle.pem",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
};

/* Checks each block by itself and keeps the blocks only. */
static GString *
collect_certificates (const char *pem, GError **error)
{
  g_autoptr (GString) kept = g_string_new (NULL);
  const char *at = pem;
  guint n = 0;

  while ((at = strstr (at, PEM_BEGIN)) != NULL)
    {
      const char *end = strstr (at, PEM_END);
      g_autoptr (GTlsCertificate) certificate = NULL;
      g_autoptr (GError) local = NULL;
      gsize len;

      if (end == NULL)
        {
          g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                       _ ("Certificate %u of the CA certificates is cut off"), n + 1);
          return NULL;
        }
      len = (gsize) (end - at) + strlen (PEM_END);
      certificate = g_tls_certificate_new_from_pem (at, (gssize) len, &local);
      if (certificate == NULL)
        {
          g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                       _ ("Certificate %u of the CA certificates can not be read: %s"), n + 1,
                       local->message);
          return NULL;
        }
      g_string_append_len (kept, at, (gssize) len);
      g_string_append_c (kept, '\n');
      at += len;
      n++;
    }
  if (n == 0)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                   _ ("There is no certificate in the CA certificates; PEM text is expected"));
      return NULL;
    }
  return g_steal_pointer (&kept);
}

GTlsDatabase *
hn_tls_database_new_for_pem (const char *pem, GError **error)
{
  g_autoptr (GString) kept = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *path = NULL;
  GTlsDatabase *database;
  gsize done = 0;
  int fd;

  g_return_val_if_fail (pem != NULL, NULL);

  if (strlen (pem) > PEM_MAX)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                   _ ("The CA certificates are too large"));
      return NULL;
    }
  kept = collect_certificates (pem, error);
  if (kept == NULL)
    return NULL;

  /* GIO loads anchors from files only; this one has no name in any file system. */
  fd = memfd_create ("headnet-ca", MFD_CLOEXEC);
  while (fd >= 0 && done < kept->len)
    {
      gssize n = write (fd, kept->str + done, kept->len - done);

      if (n <= 0)
        {
          close (fd);
          fd = -1;
          break;
        }
      done += (gsize) n;
    }
  if (fd < 0)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_FAILED, _ ("Cannot store the CA certificates: %s"),
                   g_strerror (errno));
      return NULL;
    }
  path = g_strdup_printf ("/proc/self/fd/%d", fd);
  /* All of it is read here; it would be read again only by a connection that is given the database,
   * and none is: the dialer asks hn_tls_verify(). */
  database = G_TLS_DATABASE (g_tls_file_database_new (path, &local));
  close (fd);
  if (database == NULL)
    g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                 _ ("The CA certificates can not be used: %s"), local->message);
  return database;
}

/* One DER element of low tag number: its content, and in @whole all of it. */
static gboolean
take_element (HnReader *reader, guint8 *tag, HnReader *content, HnReader *whole)
{
  gsize start = reader->pos, len;
  const guint8 *bytes;

  *tag = hn_reader_u8 (reader);
  len = hn_reader_u8 (reader);
  if (len > 0x80 && len <= 0x83)
    {
      gsize octets = len - 0x80;

      len = 0;
      for (gsize i = 0; i < octets; i++)
        len = (len << 8) | hn_reader_u8 (reader);
    }
  else if (len >= 0x80)
    return FALSE;
  if (!hn_reader_ok (reader))
    return FALSE;
  bytes = hn_reader_take (reader, len);
  if (!hn_reader_ok (reader))
    return FALSE;
  hn_reader_init (content, bytes, len);
  hn_reader_init (whole, reader->data + start, reader->pos - start);
  return TRUE;
}

#define DER_SEQUENCE 0x30
#define DER_VERSION 0xa0

gboolean
hn_tls_find_names (const guint8 *der, gsize len, const guint8 **issuer, gsize *issuer_len,
                   const guint8 **subject, gsize *subject_len)
{
  HnReader reader, certificate, body, content, whole;
  guint8 tag;

  hn_reader_init (&reader, der, len);
  if (!take_element (&reader, &tag, &certificate, &whole) || tag != DER_SEQUENCE
      || !take_element (&certificate, &tag, &body, &whole) || tag != DER_SEQUENCE)
    return FALSE;
  /* version (optional), serial number, algorithm, issuer, validity, subject */
  if (!take_element (&body, &tag, &content, &whole)
      || (tag == DER_VERSION && !take_element (&body, &tag, &content, &whole))
      || !take_element (&body, &tag, &content, &whole)
      || !take_element (&body, &tag, &content, &whole) || tag != DER_SEQUENCE)
    return FALSE;
  *issuer = whole.data;
  *issuer_len = whole.len;
  if (!take_element (&body, &tag, &content, &whole) || !take_element (&body, &tag, &content, &whole)
      || tag != DER_SEQUENCE)
    return FALSE;
  *subject = whole.data;
  *subject_len = whole.len;
  return TRUE;
}

/* Who is whose issuer goes by names alone, before any signature is looked at: two certificates can be
 * each other's, and then whoever follows the chain never comes to its end. */
static gboolean
chain_ends (GTlsCertificate *peer)
{
  guint n = 0;

  for (GTlsCertificate *next = peer; next != NULL; next = g_tls_certificate_get_issuer (next))
    if (++n > MAX_CHAIN)
      return FALSE;
  return TRUE;
}

/* Whether an authority of this name may stand behind @peer or one of the certificates with it. */
static gboolean
chain_leads_to (GTlsCertificate *peer, const guint8 *name, gsize name_len)
{
  for (GTlsCertificate *next = peer; next != NULL; next = g_tls_certificate_get_issuer (next))
    {
      g_autoptr (GByteArray) der = NULL;
      const guint8 *issuer, *subject;
      gsize issuer_len, subject_len;

      g_object_get (next, "certificate", &der, NULL);
      if (der == NULL
          || !hn_tls_find_names (der->data, der->len, &issuer, &issuer_len, &subject, &subject_len))
        continue;
      if ((issuer_len == name_len && memcmp (issuer, name, name_len) == 0)
          || (subject_len == name_len && memcmp (subject, name, name_len) == 0))
        return TRUE;
    }
  return FALSE;
}

/* The blocks of @bundle that matter for @peer. Leaving some out can only make the check stricter. */
static GString *
pick_authorities (const char *bundle, GTlsCertificate *peer)
{
  GString *picked = g_string_new (NULL);
  const char *at = bundle;

  while ((at = strstr (at, PEM_BEGIN)) != NULL)
    {
      const char *base64 = at + strlen (PEM_BEGIN);
      const char *end = strstr (base64, PEM_END);
      g_autofree char *text = NULL;
      g_autofree guchar *der = NULL;
      const guint8 *issuer, *subject;
      gsize len, issuer_len, subject_len;

      if (end == NULL)
        break;
      text = g_strndup (base64, (gsize) (end - base64));
      der = g_base64_decode (text, &len);
      if (hn_tls_find_names (der, len, &issuer, &issuer_len, &subject, &subject_len)
          && chain_leads_to (peer, subject, subject_len))
        g_string_append_printf (picked, PEM_BEGIN "%s" PEM_END "\n", text);
      at = end;
    }
  return picked;
}

/* NULL without an error: there is no authority for @peer. */
static GTlsDatabase *
new_system_database (GTlsCertificate *peer, GError **error)
{
  const char *path = g_getenv ("SSL_CERT_FILE");
  g_autofree char *bundle = NULL;
  g_autoptr (GString) picked = NULL;
  g_autoptr (GError) local = NULL;

  if (path == NULL || !g_path_is_absolute (path))
    {
      path = NULL;
      for (gsize i = 0; i < G_N_ELEMENTS (system_bundles) && path == NULL; i++)
        if (g_access (system_bundles[i], R_OK) == 0)
          path = system_bundles[i];
    }
  if (path == NULL)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_TLS,
                   _ ("This system has no certificate authorities (package ca-certificates)"));
      return NULL;
    }
  if (!g_file_get_contents (path, &bundle, NULL, &local))
    {
      g_set_error (error, HN_ERROR, HN_ERROR_TLS, _ ("Cannot load the certificate authorities: %s"),
                   local->message);
      return NULL;
    }
  picked = pick_authorities (bundle, peer);
  return picked->len > 0 ? hn_tls_database_new_for_pem (picked->str, error) : NULL;
}

GTlsCertificateFlags
hn_tls_verify (GTlsDatabase *authorities, GTlsCertificate *peer, GSocketConnectable *identity,
               GError **error)
{
  g_autoptr (GTlsDatabase) database = NULL;
  g_autoptr (GError) local = NULL;
  GTlsCertificateFlags flags;

  if (!chain_ends (peer))
    return G_TLS_CERTIFICATE_GENERIC_ERROR;
  if (authorities != NULL)
    database = g_object_ref (authorities);
  else
    database = new_system_database (peer, &local);
  if (database == NULL)
    {
      if (local != NULL)
        g_propagate_error (error, g_steal_pointer (&local));
      return G_TLS_CERTIFICATE_UNKNOWN_CA;
    }
  flags = g_tls_database_verify_chain (database, peer, G_TLS_DATABASE_PURPOSE_AUTHENTICATE_SERVER,
                                       identity, NULL, G_TLS_DATABASE_VERIFY_NONE, NULL, &local);
  if (local != NULL)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_TLS, _ ("The certificate can not be checked: %s"),
                   local->message);
      return flags | G_TLS_CERTIFICATE_GENERIC_ERROR;
    }
  return flags;
}

static gboolean
parse_pin (const char *pin, guint8 out[PIN_SIZE])
{
  if (!g_str_has_prefix (pin, PIN_PREFIX))
    return FALSE;
  pin += strlen (PIN_PREFIX);
  return hn_hex_decode (pin, strlen (pin), out, PIN_SIZE);
}

gboolean
hn_tls_pin_is_valid (const char *pin)
{
  guint8 hash[PIN_SIZE];

  return parse_pin (pin, hash);
}

/* Relays append a certificate that only carries their key, named derpkey and hex. */
static gboolean
is_metadata (GTlsCertificate *certificate)
{
  g_autofree char *subject = g_tls_certificate_get_subject_name (certificate);

  return subject != NULL && g_str_has_prefix (subject, "CN=derpkey");
}

/* g_tls_certificate_verify() looks at the dates only together with an authority. */
static GTlsCertificateFlags
check_dates (GTlsCertificate *certificate)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autoptr (GDateTime) from = g_tls_certificate_get_not_valid_before (certificate);
  g_autoptr (GDateTime) until = g_tls_certificate_get_not_valid_after (certificate);

  if (from == NULL || until == NULL)
    return G_TLS_CERTIFICATE_GENERIC_ERROR;
  if (g_date_time_compare (now, from) < 0)
    return G_TLS_CERTIFICATE_NOT_ACTIVATED;
  return g_date_time_compare (now, until) > 0 ? G_TLS_CERTIFICATE_EXPIRED : 0;
}

gboolean
hn_tls_check_pin (GTlsCertificate *peer, const char *pin, const char *name, GError **error)
{
  g_autoptr (GByteArray) der = NULL;
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autoptr (GSocketConnectable) identity = NULL;
  guint8 want[PIN_SIZE], have[PIN_SIZE];
  gsize have_len = sizeof have;
  GTlsCertificateFlags flags;
  gboolean only_one;

  if (!parse_pin (pin, want))
    {
      g_set_error (error, HN_ERROR, HN_ERROR_TLS,
                   _ ("The server's pinned certificate hash is malformed"));
      return FALSE;
    }
  /* Only the first certificate's key took part in the handshake, so only that one can be pinned. */
  g_object_get (peer, "certificate", &der, NULL);
  if (der == NULL)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_TLS, _ ("The server showed no certificate"));
      return FALSE;
    }
  g_checksum_update (sum, der->data, der->len);
  g_checksum_get_digest (sum, have, &have_len);
  if (memcmp (want, have, sizeof want) != 0)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_TLS_UNKNOWN_CA,
                   _ ("The server's certificate is not the one that is pinned"));
      return FALSE;
    }
  only_one = chain_ends (peer);
  for (GTlsCertificate *next = only_one ? g_tls_certificate_get_issuer (peer) : NULL; next != NULL;
       next = g_tls_certificate_get_issuer (next))
    only_one = only_one && is_metadata (next);
  if (!only_one)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_TLS,
                   _ ("The server showed several certificates where one is pinned"));
      return FALSE;
    }
  if (name != NULL)
    identity = g_network_address_new (name, 0);
  flags = g_tls_certificate_verify (peer, identity, NULL) | check_dates (peer);
  if (flags != 0)
    {
      g_propagate_error (error, hn_tls_error_for_flags (flags, name != NULL ? name : "", name));
      return FALSE;
    }
  return TRUE;
}

GError *
hn_tls_error_for_flags (GTlsCertificateFlags flags, const char *host, const char *name)
{
  if (flags & G_TLS_CERTIFICATE_UNKNOWN_CA)
    return g_error_new (HN_ERROR, HN_ERROR_TLS_UNKNOWN_CA,
                        _ ("The certificate of %s is signed by an authority that is not trusted "
                           "here; give its CA certificate if it is the right server"),
                        host);
  if (flags & G_TLS_CERTIFICATE_BAD_IDENTITY)
    return g_error_new (HN_ERROR, HN_ERROR_TLS_WRONG_NAME,
                        _ ("The certificate that %s shows is not for the name %s; check the URL or "
                           "the server's certificate"),
                        host, name != NULL ? name : host);
  if (flags & G_TLS_CERTIFICATE_EXPIRED)
    return g_error_new (HN_ERROR, HN_ERROR_TLS_EXPIRED,
                        _ ("The certificate of %s has expired; renew it on the server, or check "
                           "this machine's clock"),
                        host);
  if (flags & G_TLS_CERTIFICATE_NOT_ACTIVATED)
    return g_error_new (HN_ERROR, HN_ERROR_TLS_EXPIRED,
                        _ ("The certificate of %s is not valid yet; check this machine's clock"),
                        host);
  if (flags & G_TLS_CERTIFICATE_REVOKED)
    return g_error_new (HN_ERROR, HN_ERROR_TLS, _ ("The certificate of %s has been revoked"), host);
  if (flags & G_TLS_CERTIFICATE_INSECURE)
    return g_error_new (HN_ERROR, HN_ERROR_TLS,
                        _ ("The certificate of %s uses an algorithm that is not secure"), host);
  /* A signature that does not fit, a signer that is no authority, a use that is not allowed. */
  return g_error_new (HN_ERROR, HN_ERROR_TLS_UNKNOWN_CA,
                      _ ("The certificate of %s does not verify with the authorities that are "
                         "trusted here; perhaps its CA has been made anew"),
                      host);
}
