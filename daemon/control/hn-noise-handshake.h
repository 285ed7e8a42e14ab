/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's side of TS2021's handshake, Noise_IK_25519_ChaChaPoly_BLAKE2s in frames of its own
 * (tailscale: control/controlbase/handshake.go, messages.go). No I/O: bytes out, bytes in, and two
 * keys when the server has proved that it holds its own.
 */
#pragma once

#include "crypto/hn-keys.h"
#include "crypto/hn-noise-symmetric.h"

#define HN_NOISE_INITIATION_SIZE 101
#define HN_NOISE_RESPONSE_SIZE 51
#define HN_NOISE_FRAME_HEADER 3
/* The longest frame that may answer: an error's text is cut here. */
#define HN_NOISE_ANSWER_MAX 4096

typedef struct
{
  HnNoiseSymmetric symmetric;
  guint8 ephemeral[HN_KEY_SIZE];
  guint8 machine[HN_KEY_SIZE];
} HnNoiseHandshake;

/* The keys of the two directions. */
typedef struct
{
  guint8 send[HN_KEY_SIZE];
  guint8 receive[HN_KEY_SIZE];
} HnNoiseKeys;

/*
 * hn_noise_handshake_start:
 * @version: the capability version; it is bound into the handshake and sent in the clear
 * @ephemeral: (nullable): a private key for tests; NULL makes a new one
 *
 * Returns: FALSE when the server's key is no usable point; @self is clear then
 */
gboolean hn_noise_handshake_start (HnNoiseHandshake *self, guint16 version,
                                   const HnMachinePrivate *machine, const HnMachinePublic *server,
                                   const guint8 *ephemeral,
                                   guint8 initiation[HN_NOISE_INITIATION_SIZE]);

/*
 * hn_noise_handshake_get_answer_size:
 * @header: the first HN_NOISE_FRAME_HEADER bytes that the server sent
 *
 * Returns: how long the whole answer is, header included; 0 with HN_ERROR_PROTOCOL when this starts
 *   no answer
 */
gsize hn_noise_handshake_get_answer_size (const guint8 header[HN_NOISE_FRAME_HEADER],
                                          GError **error);

/*
 * hn_noise_handshake_finish:
 * @answer: one whole frame
 *
 * HN_ERROR_PROTOCOL when the server did not prove its key, HN_ERROR_SERVER_REFUSED with the server's
 * words for an error frame. Those words are not authenticated: a hint, no more. Clears @self.
 */
gboolean hn_noise_handshake_finish (HnNoiseHandshake *self, const guint8 *answer, gsize len,
                                    HnNoiseKeys *keys, GError **error);

void hn_noise_handshake_clear (HnNoiseHandshake *self);
void hn_noise_keys_clear (HnNoiseKeys *keys);
