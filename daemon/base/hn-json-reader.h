/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A strict pull reader of JSON text (RFC 8259): no comments, no trailing text, no unpaired
 * surrogates, depth at most HN_JSON_MAX_DEPTH, integers that do not fit are an error and never
 * wrap. It allocates only for strings that are asked for. After a failure every call returns
 * nothing, so a parser checks hn_json_reader_ok() once at its end.
 *
 * hn_json_check() is the guard in front of json-glib, which is lenient, wraps large integers and
 * overflows the stack on deep nesting.
 */
#pragma once

#include <glib.h>

#define HN_JSON_MAX_DEPTH 64

typedef enum
{
  HN_JSON_NONE, /* failed or at the end */
  HN_JSON_NULL,
  HN_JSON_BOOLEAN,
  HN_JSON_NUMBER,
  HN_JSON_STRING,
  HN_JSON_ARRAY,
  HN_JSON_OBJECT,
} HnJsonType;

typedef struct
{
  const char *text; /* borrowed; need not be NUL-terminated */
  gsize len;
  gsize pos;
  guint depth;
  gboolean first[HN_JSON_MAX_DEPTH + 1]; /* no member or element was read yet at this depth */
  gboolean failed;
} HnJsonReader;

void hn_json_reader_init (HnJsonReader *self, const char *text, gsize len);
gboolean hn_json_reader_ok (const HnJsonReader *self);
/* TRUE when the whole text was one value, followed by white space only. */
gboolean hn_json_reader_at_end (HnJsonReader *self);
HnJsonType hn_json_reader_peek (HnJsonReader *self);

/* while (hn_json_reader_next_member (r, name, sizeof name)) { ... read or skip one value ... }
 * Names longer than the buffer are cut (and so match nothing); names are unescaped. Returns FALSE
 * behind the last member, the closing brace consumed. */
gboolean hn_json_reader_begin_object (HnJsonReader *self);
gboolean hn_json_reader_next_member (HnJsonReader *self, char *name, gsize name_size);
gboolean hn_json_reader_begin_array (HnJsonReader *self);
gboolean hn_json_reader_next_element (HnJsonReader *self);

/* Each reads one value. A value of another type is skipped and FALSE is returned; that alone does
 * not fail the reader, so one odd member does not cost the rest. */
gboolean hn_json_reader_string (HnJsonReader *self, char *buf, gsize size); /* too long: FALSE */
char *hn_json_reader_dup_string (HnJsonReader *self, gsize max);            /* nullable */
gboolean hn_json_reader_int64 (HnJsonReader *self, gint64 *out);
gboolean hn_json_reader_double (HnJsonReader *self, double *out);
gboolean hn_json_reader_boolean (HnJsonReader *self, gboolean *out);
gboolean hn_json_reader_skip (HnJsonReader *self);
/* The text of the next value, unparsed; its syntax and depth are checked (as by skip), the range of
 * its integers is not: one odd number costs its own element only. */
gboolean hn_json_reader_raw (HnJsonReader *self, const char **text, gsize *len);

/* Whether @text is one strict JSON value: depth, syntax, and every integer within int64. */
gboolean hn_json_check (const char *text, gsize len, GError **error);
