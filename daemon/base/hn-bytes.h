/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounds-checked reading and writing of byte strings. A reader that ran past its end stays failed
 * and returns zeros, so a parser checks hn_reader_ok() once, at its end.
 */
#pragma once

#include <glib.h>

typedef struct
{
  const guint8 *data; /* borrowed */
  gsize len;
  gsize pos;
  gboolean failed;
} HnReader;

void hn_reader_init (HnReader *self, const void *data, gsize len);
gboolean hn_reader_ok (const HnReader *self);
gsize hn_reader_left (const HnReader *self);
guint8 hn_reader_u8 (HnReader *self);
guint16 hn_reader_be16 (HnReader *self);
guint32 hn_reader_be32 (HnReader *self);
guint64 hn_reader_be64 (HnReader *self);
guint32 hn_reader_le32 (HnReader *self);
guint64 hn_reader_le64 (HnReader *self);
/* Copies @len bytes to @out; zeros when they are not there. */
void hn_reader_copy (HnReader *self, void *out, gsize len);
/* Borrowed pointer to the next @len bytes, or NULL. */
const guint8 *hn_reader_take (HnReader *self, gsize len);

/* A writer over a caller's buffer; writing past its end sets failed and writes nothing. */
typedef struct
{
  guint8 *data; /* borrowed */
  gsize size;
  gsize len;
  gboolean failed;
} HnWriter;

void hn_writer_init (HnWriter *self, void *data, gsize size);
/* FALSE once anything did not fit. */
gboolean hn_writer_ok (const HnWriter *self);
/* Each appends one value in the named byte order. */
void hn_writer_u8 (HnWriter *self, guint8 value);
void hn_writer_be16 (HnWriter *self, guint16 value);
void hn_writer_be32 (HnWriter *self, guint32 value);
void hn_writer_be64 (HnWriter *self, guint64 value);
void hn_writer_le32 (HnWriter *self, guint32 value);
void hn_writer_le64 (HnWriter *self, guint64 value);
void hn_writer_bytes (HnWriter *self, const void *data, gsize len);

/* Lower-case hex, no separators; @out holds 2 * @len + 1 characters. */
void hn_hex_encode (const void *data, gsize len, char *out);
/* Exactly 2 * @out_len hex digits of either case; FALSE on anything else. */
gboolean hn_hex_decode (const char *text, gsize text_len, guint8 *out, gsize out_len);
