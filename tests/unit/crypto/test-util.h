/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hex helpers of the crypto tests. */
#pragma once

#include <string.h>

#include "base/hn-bytes.h"

/* Decodes @text into @out and returns the number of bytes. */
static inline gsize
unhex (const char *text, guint8 *out)
{
  gsize len = strlen (text) / 2;

  g_assert_true (hn_hex_decode (text, 2 * len, out, len));
  return len;
}

#define assert_hex(data, len, text)                                                                \
  do                                                                                               \
    {                                                                                              \
      g_autofree char *got_ = g_malloc (2 * (len) + 1);                                            \
                                                                                                   \
      hn_hex_encode (data, len, got_);                                                             \
      g_assert_cmpstr (got_, ==, text);                                                            \
    }                                                                                              \
  while (0)
