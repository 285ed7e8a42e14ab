/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two MACs at the end of handshake messages and the cookies that the second is made of
 * (wireguard-go: device/cookie.go): the side that checks messages sent to us, and the side that
 * signs ours for one peer.
 */
#pragma once

#include "wireguard/hn-wg-handshake.h"

#define HN_WG_COOKIE_FRESH_US (120 * G_USEC_PER_SEC)
/* "Never" for times in the past that are compared by subtraction. */
#define HN_WG_NEVER (G_MININT64 / 4)

typedef struct
{
  guint8 mac1_key[32];
  guint8 cookie_key[32];
  guint8 secret[32]; /* renewed every HN_WG_COOKIE_FRESH_US */
  gint64 secret_us;
} HnWgCookieChecker;

typedef struct
{
  guint8 mac1_key[32];
  guint8 cookie_key[32];
  guint8 cookie[HN_MAC_SIZE]; /* the peer's for us */
  gint64 cookie_us;
  guint8 last_mac1[HN_MAC_SIZE]; /* of the last message sent to the peer */
  gboolean has_last_mac1;
} HnWgCookieSigner;

void hn_wg_cookie_checker_init (HnWgCookieChecker *self, const guint8 own_public[32]);
/* @msg: an initiation or a response, of its exact length. */
gboolean hn_wg_cookie_checker_check_mac1 (const HnWgCookieChecker *self, const guint8 *msg,
                                          gsize len);
/* Whether the sender can receive at @source, proven by a cookie of ours less than 120 s old. */
gboolean hn_wg_cookie_checker_check_mac2 (const HnWgCookieChecker *self, const guint8 *msg,
                                          gsize len, const guint8 *source, gsize source_len,
                                          gint64 now_us);
void hn_wg_cookie_checker_create_reply (HnWgCookieChecker *self, const guint8 *msg, gsize len,
                                        const guint8 *source, gsize source_len,
                                        const guint8 nonce[HN_XAEAD_NONCE_SIZE], gint64 now_us,
                                        guint8 out[HN_WG_COOKIE_SIZE]);
void hn_wg_cookie_checker_clear (HnWgCookieChecker *self);

void hn_wg_cookie_signer_init (HnWgCookieSigner *self, const guint8 peer_public[32]);
/* Writes both MACs; the second stays zero without a fresh cookie. */
void hn_wg_cookie_signer_sign (HnWgCookieSigner *self, guint8 *msg, gsize len, gint64 now_us);
gboolean hn_wg_cookie_signer_consume_reply (HnWgCookieSigner *self,
                                            const guint8 msg[HN_WG_COOKIE_SIZE], gint64 now_us);
/* Forgets the cookie and the last message. */
void hn_wg_cookie_signer_reset (HnWgCookieSigner *self);
