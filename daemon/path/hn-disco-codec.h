/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of disco, by which two nodes find a direct path: sealing, opening, and the messages that
 * a client without a peer relay needs (tailscale: disco/disco.go). No state and no I/O.
 */
#pragma once

#include "base/hn-ip.h"
#include "crypto/hn-crypto.h"
#include "crypto/hn-keys.h"

#define HN_DISCO_HEADER_SIZE 62                                    /* magic, sender, nonce */
#define HN_DISCO_OVERHEAD (HN_DISCO_HEADER_SIZE + HN_BOX_OVERHEAD) /* beside the message */
#define HN_DISCO_TX_ID_SIZE 12
#define HN_DISCO_ENDPOINT_SIZE 18
#define HN_DISCO_PING_SIZE 46
#define HN_DISCO_PONG_SIZE 32

typedef enum
{
  HN_DISCO_PING = 1,
  HN_DISCO_PONG = 2,
  HN_DISCO_CALL_ME_MAYBE = 3,
  /* Of peer relays: known by name, so that each is refused where it must not come from. */
  HN_DISCO_BIND = 4,
  HN_DISCO_BIND_CHALLENGE = 5,
  HN_DISCO_BIND_ANSWER = 6,
  HN_DISCO_CALL_ME_MAYBE_VIA = 7,
  HN_DISCO_ALLOCATE = 8,
  HN_DISCO_ALLOCATED = 9,
} HnDiscoType;

typedef struct
{
  guint8 type;                       /* HnDiscoType, or one that is not known */
  guint8 tx_id[HN_DISCO_TX_ID_SIZE]; /* ping, pong */
  HnNodePublic node;                 /* ping; zero: it named none */
  HnEndpoint source;                 /* pong: where the ping seemed to come from; may be unset */
  const guint8 *endpoints;           /* CallMeMaybe; borrowed, see hn_disco_get_endpoint() */
  gsize n_endpoints;
} HnDiscoMessage;

/* Whether these bytes say that they are disco and are long enough to be. */
gboolean hn_disco_is_packet (const guint8 *data, gsize len);
/* The sender's key, in the clear; @data is such a packet. */
void hn_disco_get_sender (const guint8 *data, HnDiscoPublic *out);

/* Write a message to @out and return its size. */
gsize hn_disco_build_ping (guint8 out[HN_DISCO_PING_SIZE], const guint8 *tx_id,
                           const HnNodePublic *node);
gsize hn_disco_build_pong (guint8 out[HN_DISCO_PONG_SIZE], const guint8 *tx_id,
                           const HnEndpoint *source);
/* @out: 2 + @n * HN_DISCO_ENDPOINT_SIZE bytes. */
gsize hn_disco_build_call_me_maybe (guint8 *out, const HnEndpoint *endpoints, gsize n);

/* Seals @message for the peer that @shared (hn_box_precompute()) is shared with. @out: @len and
 * HN_DISCO_OVERHEAD bytes. Returns the size of the datagram. */
gsize hn_disco_seal (const HnDiscoPublic *sender, const guint8 shared[32],
                     const guint8 nonce[HN_BOX_NONCE_SIZE], const guint8 *message, gsize len,
                     guint8 *out);
/* Opens a packet in place. @message points into it. FALSE: the box is not from whom it says. */
gboolean hn_disco_open (const guint8 shared[32], guint8 *data, gsize len, const guint8 **message,
                        gsize *message_len);
/* FALSE: malformed. A message of an unknown type is well formed. */
gboolean hn_disco_parse (const guint8 *message, gsize len, HnDiscoMessage *out);
/* One of a CallMeMaybe's endpoints. */
void hn_disco_get_endpoint (const HnDiscoMessage *message, gsize i, HnEndpoint *out);
