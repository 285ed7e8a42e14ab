/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys as distinct types, so that a machine key can not be passed where a node key belongs. Public
 * keys have a text form, prefix and 64 hex digits (tailscale: types/key); private ones are written
 * only to key files, are wiped by their clear function, and have no way into a log.
 */
#pragma once

#include <glib.h>

#define HN_KEY_SIZE 32
#define HN_KEY_TEXT_MAX 80 /* the longest text form and its NUL */

#define HN_DECLARE_PUBLIC_KEY(Type, prefix)                                                        \
  typedef struct                                                                                   \
  {                                                                                                \
    guint8 bytes[HN_KEY_SIZE];                                                                     \
  } Type;                                                                                          \
  gboolean prefix##_parse (const char *text, Type *out);                                           \
  const char *prefix##_format (const Type *key, char *buf);                                        \
  gboolean prefix##_equal (const Type *a, const Type *b);                                          \
  gboolean prefix##_is_zero (const Type *key);                                                     \
  guint prefix##_hash (const Type *key);

/* parse: exact prefix and length, upper-case hex accepted; all zeros parse and mean "not set".
 * format: into @buf (HN_KEY_TEXT_MAX), returned. hash and equal fit GHashTable by cast. */
HN_DECLARE_PUBLIC_KEY (HnMachinePublic, hn_machine_public) /* mkey: */
HN_DECLARE_PUBLIC_KEY (HnNodePublic, hn_node_public)       /* nodekey: */
HN_DECLARE_PUBLIC_KEY (HnDiscoPublic, hn_disco_public)     /* discokey: */

#define HN_DECLARE_PRIVATE_KEY(Type, prefix, Public)                                               \
  typedef struct                                                                                   \
  {                                                                                                \
    guint8 bytes[HN_KEY_SIZE];                                                                     \
  } Type;                                                                                          \
  void prefix##_generate (Type *out);                                                              \
  gboolean prefix##_parse (const char *text, Type *out);                                           \
  /* Into @buf (HN_KEY_TEXT_MAX); the caller wipes it. */                                          \
  void prefix##_format_for_file (const Type *key, char *buf);                                      \
  gboolean prefix##_is_zero (const Type *key);                                                     \
  void prefix##_get_public (const Type *key, Public *out);                                         \
  void prefix##_clear (Type *key);

/* Text form "privkey:" and 64 hex digits; the disco key's is ours, upstream never writes it. */
HN_DECLARE_PRIVATE_KEY (HnMachinePrivate, hn_machine_private, HnMachinePublic)
HN_DECLARE_PRIVATE_KEY (HnNodePrivate, hn_node_private, HnNodePublic)
HN_DECLARE_PRIVATE_KEY (HnDiscoPrivate, hn_disco_private, HnDiscoPublic)
