/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/hn-noise-handshake.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/hn-bytes.h"
#include "base/hn-error.h"
#include "base/hn-secret.h"

#define PROTOCOL_NAME "Noise_IK_25519_ChaChaPoly_BLAKE2s"
#define PROLOGUE_PREFIX "Tailscale Control Protocol v"

#define TYPE_INITIATION 1
#define TYPE_RESPONSE 2
#define TYPE_ERROR 3

#define INITIATION_PAYLOAD (HN_KEY_SIZE + HN_KEY_SIZE + 2 * HN_AEAD_TAG_SIZE)
#define RESPONSE_PAYLOAD (HN_KEY_SIZE + HN_AEAD_TAG_SIZE)
#define MAX_TEXT 300

gboolean
hn_noise_handshake_start (HnNoiseHandshake *self, guint16 version, const HnMachinePrivate *machine,
                          const HnMachinePublic *server, const guint8 *ephemeral,
                          guint8 initiation[HN_NOISE_INITIATION_SIZE])
{
  HnNoiseSymmetric *symmetric = &self->symmetric;
  HnMachinePublic machine_public;
  char prologue[sizeof PROLOGUE_PREFIX + 8];
  guint8 public_key[HN_KEY_SIZE], sealed[HN_KEY_SIZE + HN_AEAD_TAG_SIZE], tag[HN_AEAD_TAG_SIZE];
  HnWriter writer;

  memcpy (self->machine, machine->bytes, HN_KEY_SIZE);
  if (ephemeral != NULL)
    memcpy (self->ephemeral, ephemeral, HN_KEY_SIZE);
  else
    hn_x25519_generate (self->ephemeral);
  hn_machine_private_get_public (machine, &machine_public);
  hn_x25519_base (self->ephemeral, public_key);

  g_snprintf (prologue, sizeof prologue, PROLOGUE_PREFIX "%u", version);
  hn_noise_symmetric_init (symmetric, PROTOCOL_NAME);
  hn_noise_symmetric_mix_hash (symmetric, prologue, strlen (prologue));
  hn_noise_symmetric_mix_hash (symmetric, server->bytes, HN_KEY_SIZE);

  hn_noise_symmetric_mix_hash (symmetric, public_key, HN_KEY_SIZE);
  if (!hn_noise_symmetric_mix_dh (symmetric, self->ephemeral, server->bytes))
    {
      hn_noise_handshake_clear (self);
      return FALSE;
    }
  hn_noise_symmetric_seal (symmetric, machine_public.bytes, HN_KEY_SIZE, sealed);
  if (!hn_noise_symmetric_mix_dh (symmetric, self->machine, server->bytes))
    {
      hn_noise_handshake_clear (self);
      return FALSE;
    }
  hn_noise_symmetric_seal (symmetric, "", 0, tag);

  hn_writer_init (&writer, initiation, HN_NOISE_INITIATION_SIZE);
  hn_writer_be16 (&writer, version);
  hn_writer_u8 (&writer, TYPE_INITIATION);
  hn_writer_be16 (&writer, INITIATION_PAYLOAD);
  hn_writer_bytes (&writer, public_key, sizeof public_key);
  hn_writer_bytes (&writer, sealed, sizeof sealed);
  hn_writer_bytes (&writer, tag, sizeof tag);
  g_assert (hn_writer_ok (&writer) && writer.len == HN_NOISE_INITIATION_SIZE);
  return TRUE;
}

gsize
hn_noise_handshake_get_answer_size (const guint8 header[HN_NOISE_FRAME_HEADER], GError **error)
{
  gsize len = ((gsize) header[1] << 8) | header[2];

  switch (header[0])
    {
    case TYPE_RESPONSE:
      if (len == RESPONSE_PAYLOAD)
        return HN_NOISE_RESPONSE_SIZE;
      g_set_error (error, HN_ERROR, HN_ERROR_PROTOCOL,
                   _ ("The server's handshake message has a wrong length (%u)"), (guint) len);
      return 0;
    case TYPE_ERROR:
      if (HN_NOISE_FRAME_HEADER + len <= HN_NOISE_ANSWER_MAX)
        return HN_NOISE_FRAME_HEADER + len;
      g_set_error (error, HN_ERROR, HN_ERROR_PROTOCOL,
                   _ ("The server refuses the handshake with an overlong message"));
      return 0;
    default:
      g_set_error (error, HN_ERROR, HN_ERROR_PROTOCOL,
                   _ ("The server's handshake message has an unknown type (%u)"), header[0]);
      return 0;
    }
}

/* Text of an unauthenticated stranger, made fit for a terminal. */
static char *
printable (const guint8 *data, gsize len)
{
  g_autofree char *valid = g_utf8_make_valid ((const char *) data, (gssize) MIN (len, MAX_TEXT));
  GString *text = g_string_new (NULL);

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      g_string_append_unichar (text, g_unichar_isprint (c) ? c : ' ');
    }
  return g_strstrip (g_string_free (text, FALSE));
}

static gboolean
open_response (HnNoiseHandshake *self, const guint8 *payload)
{
  HnNoiseSymmetric *symmetric = &self->symmetric;
  guint8 nothing[1];

  hn_noise_symmetric_mix_hash (symmetric, payload, HN_KEY_SIZE);
  return hn_noise_symmetric_mix_dh (symmetric, self->ephemeral, payload)
         && hn_noise_symmetric_mix_dh (symmetric, self->machine, payload)
         && hn_noise_symmetric_open (symmetric, payload + HN_KEY_SIZE, HN_AEAD_TAG_SIZE, nothing);
}

gboolean
hn_noise_handshake_finish (HnNoiseHandshake *self, const guint8 *answer, gsize len,
                           HnNoiseKeys *keys, GError **error)
{
  gboolean ok = FALSE;

  memset (keys, 0, sizeof *keys);
  if (len < HN_NOISE_FRAME_HEADER || hn_noise_handshake_get_answer_size (answer, error) != len)
    {
      if (error != NULL && *error == NULL)
        g_set_error (error, HN_ERROR, HN_ERROR_PROTOCOL,
                     _ ("The server's handshake message is cut off"));
    }
  else if (answer[0] == TYPE_ERROR)
    {
      g_autofree char *text
          = printable (answer + HN_NOISE_FRAME_HEADER, len - HN_NOISE_FRAME_HEADER);

      g_set_error (error, HN_ERROR, HN_ERROR_SERVER_REFUSED,
                   _ ("The server refused the handshake: %s"),
                   *text != '\0' ? text : _ ("no reason given"));
    }
  else if (!open_response (self, answer + HN_NOISE_FRAME_HEADER))
    g_set_error (error, HN_ERROR, HN_ERROR_PROTOCOL,
                 _ ("The server did not prove that it holds its key; something on the way may be "
                    "changing the data"));
  else
    {
      hn_noise_symmetric_split (&self->symmetric, keys->send, keys->receive);
      ok = TRUE;
    }
  hn_noise_handshake_clear (self);
  return ok;
}

void
hn_noise_handshake_clear (HnNoiseHandshake *self)
{
  hn_noise_symmetric_clear (&self->symmetric);
  hn_wipe (self->ephemeral, sizeof self->ephemeral);
  hn_wipe (self->machine, sizeof self->machine);
}

void
hn_noise_keys_clear (HnNoiseKeys *keys)
{
  hn_wipe (keys, sizeof *keys);
}
