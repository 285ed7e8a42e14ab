/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wireguard/hn-wg-cookie.h"

#include <string.h>

#include "base/hn-secret.h"

#define MAC1_LABEL "mac1----"
#define COOKIE_LABEL "cookie--"
#define LABEL_SIZE 8

#define REPLY_RECEIVER 4
#define REPLY_NONCE 8
#define REPLY_COOKIE 32

static void
make_keys (const guint8 public_key[32], guint8 mac1_key[32], guint8 cookie_key[32])
{
  hn_hash2 (MAC1_LABEL, LABEL_SIZE, public_key, 32, mac1_key);
  hn_hash2 (COOKIE_LABEL, LABEL_SIZE, public_key, 32, cookie_key);
}

/* Both MACs lie at the end: mac1 covers all before itself, mac2 also mac1. */
static gsize
at_mac1 (gsize len)
{
  return len - 2 * HN_MAC_SIZE;
}

static gsize
at_mac2 (gsize len)
{
  return len - HN_MAC_SIZE;
}

void
hn_wg_cookie_checker_init (HnWgCookieChecker *self, const guint8 own_public[32])
{
  hn_wipe (self, sizeof *self);
  make_keys (own_public, self->mac1_key, self->cookie_key);
  self->secret_us = HN_WG_NEVER;
}

gboolean
hn_wg_cookie_checker_check_mac1 (const HnWgCookieChecker *self, const guint8 *msg, gsize len)
{
  guint8 mac[HN_MAC_SIZE];

  hn_mac (self->mac1_key, sizeof self->mac1_key, msg, at_mac1 (len), mac);
  return hn_equal_constant_time (mac, msg + at_mac1 (len), sizeof mac);
}

gboolean
hn_wg_cookie_checker_check_mac2 (const HnWgCookieChecker *self, const guint8 *msg, gsize len,
                                 const guint8 *source, gsize source_len, gint64 now_us)
{
  guint8 cookie[HN_MAC_SIZE];
  guint8 mac[HN_MAC_SIZE];

  if (now_us - self->secret_us > HN_WG_COOKIE_FRESH_US)
    return FALSE;
  hn_mac (self->secret, sizeof self->secret, source, source_len, cookie);
  hn_mac (cookie, sizeof cookie, msg, at_mac2 (len), mac);
  hn_wipe (cookie, sizeof cookie);
  return hn_equal_constant_time (mac, msg + at_mac2 (len), sizeof mac);
}

void
hn_wg_cookie_checker_create_reply (HnWgCookieChecker *self, const guint8 *msg, gsize len,
                                   const guint8 *source, gsize source_len,
                                   const guint8 nonce[HN_XAEAD_NONCE_SIZE], gint64 now_us,
                                   guint8 out[HN_WG_COOKIE_SIZE])
{
  guint8 cookie[HN_MAC_SIZE];

  if (now_us - self->secret_us > HN_WG_COOKIE_FRESH_US)
    {
      hn_random_bytes (self->secret, sizeof self->secret);
      self->secret_us = now_us;
    }
  hn_mac (self->secret, sizeof self->secret, source, source_len, cookie);

  hn_wg_put_le32 (out, HN_WG_TYPE_COOKIE);
  memcpy (out + REPLY_RECEIVER, msg + 4, 4);
  memcpy (out + REPLY_NONCE, nonce, HN_XAEAD_NONCE_SIZE);
  hn_xaead_seal (self->cookie_key, nonce, msg + at_mac1 (len), HN_MAC_SIZE, cookie, sizeof cookie,
                 out + REPLY_COOKIE);
  hn_wipe (cookie, sizeof cookie);
}

void
hn_wg_cookie_checker_clear (HnWgCookieChecker *self)
{
  hn_wipe (self, sizeof *self);
  self->secret_us = HN_WG_NEVER;
}

void
hn_wg_cookie_signer_init (HnWgCookieSigner *self, const guint8 peer_public[32])
{
  make_keys (peer_public, self->mac1_key, self->cookie_key);
  hn_wg_cookie_signer_reset (self);
}

void
hn_wg_cookie_signer_sign (HnWgCookieSigner *self, guint8 *msg, gsize len, gint64 now_us)
{
  guint8 *mac1 = msg + at_mac1 (len);
  guint8 *mac2 = msg + at_mac2 (len);

  hn_mac (self->mac1_key, sizeof self->mac1_key, msg, at_mac1 (len), mac1);
  memcpy (self->last_mac1, mac1, HN_MAC_SIZE);
  self->has_last_mac1 = TRUE;

  if (now_us - self->cookie_us < HN_WG_COOKIE_FRESH_US)
    hn_mac (self->cookie, sizeof self->cookie, msg, at_mac2 (len), mac2);
  else
    memset (mac2, 0, HN_MAC_SIZE);
}

gboolean
hn_wg_cookie_signer_consume_reply (HnWgCookieSigner *self, const guint8 msg[HN_WG_COOKIE_SIZE],
                                   gint64 now_us)
{
  guint8 cookie[HN_MAC_SIZE];

  if (!self->has_last_mac1
      || !hn_xaead_open (self->cookie_key, msg + REPLY_NONCE, self->last_mac1, HN_MAC_SIZE,
                         msg + REPLY_COOKIE, HN_MAC_SIZE + HN_AEAD_TAG_SIZE, cookie))
    return FALSE;
  memcpy (self->cookie, cookie, sizeof cookie);
  hn_wipe (cookie, sizeof cookie);
  self->cookie_us = now_us;
  /* One answer a message: a second copy of the same reply has nothing to say. */
  self->has_last_mac1 = FALSE;
  return TRUE;
}

void
hn_wg_cookie_signer_reset (HnWgCookieSigner *self)
{
  hn_wipe (self->cookie, sizeof self->cookie);
  hn_wipe (self->last_mac1, sizeof self->last_mac1);
  self->has_last_mac1 = FALSE;
  self->cookie_us = HN_WG_NEVER;
}
