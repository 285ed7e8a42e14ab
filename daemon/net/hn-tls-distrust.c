/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/hn-tls-distrust.h"

#define HN_TYPE_TLS_DISTRUST (hn_tls_distrust_get_type ())
G_DECLARE_FINAL_TYPE (HnTlsDistrust, hn_tls_distrust, HN, TLS_DISTRUST, GTlsDatabase)

struct _HnTlsDistrust
{
  GTlsDatabase parent_instance;
};

G_DEFINE_FINAL_TYPE (HnTlsDistrust, hn_tls_distrust, G_TYPE_TLS_DATABASE)

static GTlsCertificateFlags
hn_tls_distrust_verify_chain (GTlsDatabase *database, GTlsCertificate *chain, const gchar *purpose,
                              GSocketConnectable *identity, GTlsInteraction *interaction,
                              GTlsDatabaseVerifyFlags flags, GCancellable *cancellable,
                              GError **error)
{
  return G_TLS_CERTIFICATE_UNKNOWN_CA;
}

static void
hn_tls_distrust_class_init (HnTlsDistrustClass *klass)
{
  G_TLS_DATABASE_CLASS (klass)->verify_chain = hn_tls_distrust_verify_chain;
}

static void
hn_tls_distrust_init (HnTlsDistrust *self)
{
}

GTlsDatabase *
hn_tls_distrust_new (void)
{
  return g_object_new (HN_TYPE_TLS_DISTRUST, NULL);
}
