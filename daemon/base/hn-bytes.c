/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounds-checked reading and writing of byte strings. */
#include "base/hn-bytes.h"

#include <string.h>

void
hn_reader_init (HnReader *self, const void *data, gsize len)
{
  *self = (HnReader){ .data = data, .len = len };
}

gboolean
hn_reader_ok (const HnReader *self)
{
  return !self->failed;
}

gsize
hn_reader_left (const HnReader *self)
{
  return self->failed ? 0 : self->len - self->pos;
}

const guint8 *
hn_reader_take (HnReader *self, gsize len)
{
  const guint8 *p;

  if (self->failed || len > self->len - self->pos)
    {
      self->failed = TRUE;
      return NULL;
    }
  p = self->data + self->pos;
  self->pos += len;
  return p;
}

void
hn_reader_copy (HnReader *self, void *out, gsize len)
{
  const guint8 *p = hn_reader_take (self, len);

  if (len == 0)
    return;
  if (p != NULL)
    memcpy (out, p, len);
  else
    memset (out, 0, len);
}

guint8
hn_reader_u8 (HnReader *self)
{
  const guint8 *p = hn_reader_take (self, 1);

  return p != NULL ? *p : 0;
}

guint16
hn_reader_be16 (HnReader *self)
{
  guint16 value;

  hn_reader_copy (self, &value, sizeof value);
  return GUINT16_FROM_BE (value);
}

guint32
hn_reader_be32 (HnReader *self)
{
  guint32 value;

  hn_reader_copy (self, &value, sizeof value);
  return GUINT32_FROM_BE (value);
}

guint64
hn_reader_be64 (HnReader *self)
{
  guint64 value;

  hn_reader_copy (self, &value, sizeof value);
  return GUINT64_FROM_BE (value);
}

guint32
hn_reader_le32 (HnReader *self)
{
  guint32 value;

  hn_reader_copy (self, &value, sizeof value);
  return GUINT32_FROM_LE (value);
}

guint64
hn_reader_le64 (HnReader *self)
{
  guint64 value;

  hn_reader_copy (self, &value, sizeof value);
  return GUINT64_FROM_LE (value);
}

void
hn_writer_init (HnWriter *self, void *data, gsize size)
{
  *self = (HnWriter){ .data = data, .size = size };
}

gboolean
hn_writer_ok (const HnWriter *self)
{
  return !self->failed;
}

void
hn_writer_bytes (HnWriter *self, const void *data, gsize len)
{
  if (self->failed || len > self->size - self->len)
    {
      self->failed = TRUE;
      return;
    }
  if (len > 0)
    memcpy (self->data + self->len, data, len);
  self->len += len;
}

void
hn_writer_u8 (HnWriter *self, guint8 value)
{
  hn_writer_bytes (self, &value, 1);
}

void
hn_writer_be16 (HnWriter *self, guint16 value)
{
  value = GUINT16_TO_BE (value);
  hn_writer_bytes (self, &value, sizeof value);
}

void
hn_writer_be32 (HnWriter *self, guint32 value)
{
  value = GUINT32_TO_BE (value);
  hn_writer_bytes (self, &value, sizeof value);
}

void
hn_writer_be64 (HnWriter *self, guint64 value)
{
  value = GUINT64_TO_BE (value);
  hn_writer_bytes (self, &value, sizeof value);
}

void
hn_writer_le32 (HnWriter *self, guint32 value)
{
  value = GUINT32_TO_LE (value);
  hn_writer_bytes (self, &value, sizeof value);
}

void
hn_writer_le64 (HnWriter *self, guint64 value)
{
  value = GUINT64_TO_LE (value);
  hn_writer_bytes (self, &value, sizeof value);
}

void
hn_hex_encode (const void *data, gsize len, char *out)
{
  static const char digits[] = "0123456789abcdef";
  const guint8 *p = data;

  for (gsize i = 0; i < len; i++)
    {
      *out++ = digits[p[i] >> 4];
      *out++ = digits[p[i] & 15];
    }
  *out = '\0';
}

/* A digit's value and 1 more, 0 for what is none. A table, because keys are random: branches on
 * their digits are guessed wrong half of the time, and a large map holds a million of them. */
static const guint8 hex_digits[256] = {
  ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
  ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

gboolean
hn_hex_decode (const char *text, gsize text_len, guint8 *out, gsize out_len)
{
  if (text_len != 2 * out_len)
    return FALSE;
  for (gsize i = 0; i < out_len; i++)
    {
      int high = hex_digits[(guint8) text[2 * i]] - 1;
      int low = hex_digits[(guint8) text[2 * i + 1]] - 1;

      if (high < 0 || low < 0)
        return FALSE;
      out[i] = (guint8) (high << 4 | low);
    }
  return TRUE;
}
