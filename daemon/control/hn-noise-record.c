/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/hn-noise-record.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/hn-error.h"
#include "base/hn-secret.h"

#define TYPE_RECORD 4
#define HEADER 3

void
hn_noise_sealer_init (HnNoiseSealer *self, const guint8 key[32])
{
  memcpy (self->key, key, sizeof self->key);
  self->counter = 0;
}

void
hn_noise_sealer_seal (HnNoiseSealer *self, const guint8 *plain, gsize len, GByteArray *out)
{
  while (len > 0)
    {
      gsize n = MIN (len, HN_NOISE_RECORD_PLAIN_MAX);
      gsize sealed = n + HN_AEAD_TAG_SIZE;
      guint at = out->len;

      g_byte_array_set_size (out, at + (guint) (HEADER + sealed));
      out->data[at] = TYPE_RECORD;
      out->data[at + 1] = (guint8) (sealed >> 8);
      out->data[at + 2] = (guint8) sealed;
      hn_aead_seal (self->key, self->counter++, TRUE, NULL, 0, plain, n, out->data + at + HEADER);
      plain += n;
      len -= n;
    }
}

void
hn_noise_sealer_clear (HnNoiseSealer *self)
{
  hn_wipe (self, sizeof *self);
}

void
hn_noise_opener_init (HnNoiseOpener *self, const guint8 key[32])
{
  memcpy (self->key, key, sizeof self->key);
  self->counter = 0;
  self->failed = FALSE;
  self->have = 0;
}

static gboolean
broken (HnNoiseOpener *self, GError **error, const char *message)
{
  self->failed = TRUE;
  g_set_error_literal (error, HN_ERROR, HN_ERROR_PROTOCOL, message);
  return FALSE;
}

/* Takes what is missing up to @want bytes; TRUE when they are all there. */
static gboolean
collect (HnNoiseOpener *self, gsize want, const guint8 **data, gsize *len)
{
  gsize n = MIN (want - self->have, *len);

  memcpy (self->record + self->have, *data, n);
  self->have += n;
  *data += n;
  *len -= n;
  return self->have == want;
}

gboolean
hn_noise_opener_feed (HnNoiseOpener *self, const guint8 *data, gsize len, GByteArray *out,
                      GError **error)
{
  if (self->failed)
    return broken (self, error, _ ("The encrypted connection is broken"));
  while (len > 0)
    {
      guint8 nothing[1];
      gsize sealed;
      guint at = out->len;

      if (self->have < HEADER && !collect (self, HEADER, &data, &len))
        return TRUE;
      sealed = ((gsize) self->record[1] << 8) | self->record[2];
      if (self->record[0] != TYPE_RECORD)
        return broken (self, error, _ ("The server sent something else than a record"));
      if (sealed < HN_AEAD_TAG_SIZE || sealed > HN_NOISE_RECORD_MAX - HEADER)
        return broken (self, error, _ ("The server sent a record of a wrong length"));
      if (!collect (self, HEADER + sealed, &data, &len))
        return TRUE;
      g_byte_array_set_size (out, at + (guint) (sealed - HN_AEAD_TAG_SIZE));
      if (!hn_aead_open (self->key, self->counter, TRUE, NULL, 0, self->record + HEADER, sealed,
                         sealed > HN_AEAD_TAG_SIZE ? out->data + at : nothing))
        {
          g_byte_array_set_size (out, at);
          return broken (self, error, _ ("A record of the server was damaged on the way"));
        }
      self->counter++;
      self->have = 0;
    }
  return TRUE;
}

gboolean
hn_noise_opener_is_idle (const HnNoiseOpener *self)
{
  return self->have == 0;
}

void
hn_noise_opener_clear (HnNoiseOpener *self)
{
  hn_wipe (self, sizeof *self);
}

gboolean
hn_noise_early_feed (HnNoiseEarly *self, const guint8 *data, gsize len, GByteArray *out,
                     GError **error)
{
  static const guint8 magic[5] = { 0xff, 0xff, 0xff, 'T', 'S' };

  if (len == 0)
    return TRUE;
  while (!self->done && self->have < sizeof self->head && len > 0)
    {
      self->head[self->have++] = *data++;
      len--;
      /* No HTTP/2 frame is this long, so the first other byte settles it. */
      if (self->have <= sizeof magic && self->head[self->have - 1] != magic[self->have - 1])
        {
          g_byte_array_append (out, self->head, (guint) self->have);
          self->done = TRUE;
        }
      else if (self->have == sizeof self->head)
        {
          self->to_skip = ((guint32) self->head[5] << 24) | ((guint32) self->head[6] << 16)
                          | ((guint32) self->head[7] << 8) | self->head[8];
          if (self->to_skip > HN_NOISE_EARLY_MAX)
            {
              g_set_error_literal (error, HN_ERROR, HN_ERROR_PROTOCOL,
                                   _ ("The server's early payload is too long"));
              return FALSE;
            }
        }
    }
  if (!self->done && self->have == sizeof self->head)
    {
      gsize n = MIN (len, self->to_skip);

      data += n;
      len -= n;
      self->to_skip -= (guint32) n;
      self->done = self->to_skip == 0;
    }
  if (self->done && len > 0)
    g_byte_array_append (out, data, (guint) len);
  return TRUE;
}
