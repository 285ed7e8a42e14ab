/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names in a certificate, and PEM text with certificates. */
#include <stdint.h>

#include "net/hn-tls-trust.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const guint8 *issuer, *subject;
  gsize issuer_len, subject_len;
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (GTlsDatabase) database = hn_tls_database_new_for_pem (text, NULL);

  if (hn_tls_find_names (data, size, &issuer, &issuer_len, &subject, &subject_len))
    {
      g_assert (issuer > data && issuer + issuer_len <= data + size);
      g_assert (subject > issuer && subject + subject_len <= data + size);
    }
  return 0;
}
