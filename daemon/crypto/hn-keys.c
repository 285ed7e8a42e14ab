/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys as distinct types; all of one kind share these few functions on their bytes. */
#include "crypto/hn-keys.h"

#include <string.h>

#include "base/hn-bytes.h"
#include "base/hn-hash.h"
#include "base/hn-secret.h"
#include "crypto/hn-crypto.h"

static gboolean
parse_bytes (const char *prefix, const char *text, guint8 out[HN_KEY_SIZE])
{
  gsize prefix_len = strlen (prefix);

  memset (out, 0, HN_KEY_SIZE);
  if (text == NULL || strncmp (text, prefix, prefix_len) != 0
      || strlen (text) != prefix_len + 2 * HN_KEY_SIZE)
    return FALSE;
  if (hn_hex_decode (text + prefix_len, 2 * HN_KEY_SIZE, out, HN_KEY_SIZE))
    return TRUE;
  hn_wipe (out, HN_KEY_SIZE);
  return FALSE;
}

static void
format_bytes (const char *prefix, const guint8 bytes[HN_KEY_SIZE], char *buf)
{
  gsize prefix_len = strlen (prefix);

  memcpy (buf, prefix, prefix_len);
  hn_hex_encode (bytes, HN_KEY_SIZE, buf + prefix_len);
}

static gboolean
bytes_are_zero (const guint8 bytes[HN_KEY_SIZE])
{
  guint8 any = 0;

  for (guint i = 0; i < HN_KEY_SIZE; i++)
    any |= bytes[i];
  return any == 0;
}

#define DEFINE_PUBLIC_KEY(Type, prefix, text_prefix)                                               \
  gboolean prefix##_parse (const char *text, Type *out)                                            \
  {                                                                                                \
    return parse_bytes (text_prefix, text, out->bytes);                                            \
  }                                                                                                \
  const char *prefix##_format (const Type *key, char *buf)                                         \
  {                                                                                                \
    format_bytes (text_prefix, key->bytes, buf);                                                   \
    return buf;                                                                                    \
  }                                                                                                \
  gboolean prefix##_equal (const Type *a, const Type *b)                                           \
  {                                                                                                \
    return memcmp (a->bytes, b->bytes, HN_KEY_SIZE) == 0;                                          \
  }                                                                                                \
  gboolean prefix##_is_zero (const Type *key) { return bytes_are_zero (key->bytes); }              \
  guint prefix##_hash (const Type *key)                                                            \
  {                                                                                                \
    /* Not only points of the curve: a server may call anything a key. */                          \
    return hn_hash_bytes (key->bytes, sizeof key->bytes);                                          \
  }

#define DEFINE_PRIVATE_KEY(Type, prefix, Public)                                                   \
  void prefix##_generate (Type *out) { hn_x25519_generate (out->bytes); }                          \
  gboolean prefix##_parse (const char *text, Type *out)                                            \
  {                                                                                                \
    return parse_bytes ("privkey:", text, out->bytes);                                             \
  }                                                                                                \
  void prefix##_format_for_file (const Type *key, char *buf)                                       \
  {                                                                                                \
    format_bytes ("privkey:", key->bytes, buf);                                                    \
  }                                                                                                \
  gboolean prefix##_is_zero (const Type *key) { return bytes_are_zero (key->bytes); }              \
  void prefix##_get_public (const Type *key, Public *out)                                          \
  {                                                                                                \
    hn_x25519_base (key->bytes, out->bytes);                                                       \
  }                                                                                                \
  void prefix##_clear (Type *key) { hn_wipe (key->bytes, HN_KEY_SIZE); }

/* clang-format off */
DEFINE_PUBLIC_KEY (HnMachinePublic, hn_machine_public, "mkey:")
DEFINE_PUBLIC_KEY (HnNodePublic, hn_node_public, "nodekey:")
DEFINE_PUBLIC_KEY (HnDiscoPublic, hn_disco_public, "discokey:")
DEFINE_PRIVATE_KEY (HnMachinePrivate, hn_machine_private, HnMachinePublic)
DEFINE_PRIVATE_KEY (HnNodePrivate, hn_node_private, HnNodePublic)
DEFINE_PRIVATE_KEY (HnDiscoPrivate, hn_disco_private, HnDiscoPublic)
/* clang-format on */
