/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A strict pull reader of JSON text. */
#include "base/hn-json-reader.h"

#include <math.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/hn-error.h"

/* The longest number that is read as a double; nothing sensible is longer. */
#define NUMBER_TEXT_MAX 128

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u

static gboolean
fail (HnJsonReader *self)
{
  self->failed = TRUE;
  self->pos = self->len;
  return FALSE;
}

static inline gboolean
is_space (char c)
{
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The next character that is no white space, not consumed; '\0' at the end of the text. (A NUL in
 * the text starts no token either, so the two need not be told apart.) */
static inline char
next_char (HnJsonReader *self)
{
  while (self->pos < self->len && is_space (self->text[self->pos]))
    self->pos++;
  return self->pos < self->len ? self->text[self->pos] : '\0';
}

/* The length of the well-formed UTF-8 sequence at @p, 0 if there is none (RFC 3629). */
static guint
utf8_length (const guint8 *p, gsize left)
{
  guint8 low = 0x80, high = 0xbf;
  guint len;

  if (p[0] < 0xc2 || p[0] > 0xf4)
    return 0;
  len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
  if (left < len)
    return 0;
  if (p[0] == 0xe0)
    low = 0xa0;
  else if (p[0] == 0xed)
    high = 0x9f;
  else if (p[0] == 0xf0)
    low = 0x90;
  else if (p[0] == 0xf4)
    high = 0x8f;
  if (p[1] < low || p[1] > high)
    return 0;
  for (guint i = 2; i < len; i++)
    if ((p[i] & 0xc0) != 0x80)
      return 0;
  return len;
}

/* Four hex digits; -1 for anything else. */
static int
hex4 (const char *p, const char *end)
{
  int value = 0;

  if (end - p < 4)
    return -1;
  for (guint i = 0; i < 4; i++)
    {
      int digit = g_ascii_xdigit_value (p[i]);

      if (digit < 0)
        return -1;
      value = value << 4 | digit;
    }
  return value;
}

/* Decodes one escape behind its backslash. Returns the length of what was read, 0 if it is bad. */
static guint
read_escape (const char *p, const char *end, gunichar *out)
{
  int high, low;

  if (p >= end)
    return 0;
  switch (*p)
    {
    case '"':
    case '\\':
    case '/':
      *out = (guchar) *p;
      return 1;
    case 'b':
      *out = '\b';
      return 1;
    case 'f':
      *out = '\f';
      return 1;
    case 'n':
      *out = '\n';
      return 1;
    case 'r':
      *out = '\r';
      return 1;
    case 't':
      *out = '\t';
      return 1;
    case 'u':
      high = hex4 (p + 1, end);
      if (high < 0 || (high >= 0xdc00 && high <= 0xdfff))
        return 0;
      if (high < 0xd800 || high > 0xdbff)
        {
          *out = (gunichar) high;
          return 5;
        }
      if (end - p < 11 || p[5] != '\\' || p[6] != 'u')
        return 0;
      low = hex4 (p + 7, end);
      if (low < 0xdc00 || low > 0xdfff)
        return 0;
      *out = 0x10000u + (((guint) high - 0xd800u) << 10) + ((guint) low - 0xdc00u);
      return 11;
    default:
      return 0;
    }
}

/* Reads a string whose opening quote is the current character; @raw is what stands between the
 * quotes, checked. Eight bytes at a time: most of a map is text of strings. */
static gboolean
scan_string (HnJsonReader *self, const char **raw, gsize *raw_len, gboolean *escaped)
{
  const char *start = self->text + self->pos + 1;
  const char *end = self->text + self->len;
  const char *p = start;

  *escaped = FALSE;
  for (;;)
    {
      guint8 c;

#ifdef __SSE2__
      /* The same as below, sixteen at a time. As signed numbers, control and non-ASCII bytes are
       * those below a space. */
      while (end - p >= 16)
        {
          const __m128i word = _mm_loadu_si128 ((const __m128i *) (gconstpointer) p);
          const __m128i special
              = _mm_or_si128 (_mm_or_si128 (_mm_cmpeq_epi8 (word, _mm_set1_epi8 ('"')),
                                            _mm_cmpeq_epi8 (word, _mm_set1_epi8 ('\\'))),
                              _mm_cmplt_epi8 (word, _mm_set1_epi8 (' ')));
          const guint mask = (guint) _mm_movemask_epi8 (special);

          if (mask != 0)
            {
              p += (guint) __builtin_ctz (mask);
              goto found;
            }
          p += 16;
        }
#endif
      while (end - p >= 8)
        {
          guint64 word, quote, backslash, special;

          memcpy (&word, p, sizeof word);
          word = GUINT64_FROM_LE (word);
          quote = word ^ (ONES * '"');
          backslash = word ^ (ONES * '\\');
          /* The lowest set bit marks the first quote, backslash, control or non-ASCII byte; bits
           * above it may be false, as borrows only move upwards. */
          special = (((quote - ONES) & ~quote) | ((backslash - ONES) & ~backslash)
                     | ((word - ONES * 0x20) & ~word) | word)
                    & HIGHS;
          if (special != 0)
            {
              p += (guint) __builtin_ctzll (special) / 8;
              break;
            }
          p += 8;
        }
      if (p >= end)
        return fail (self);
#ifdef __SSE2__
    found:
#endif
      c = (guint8) *p;
      if (c == '"')
        break;
      if (c == '\\')
        {
          gunichar ignored;
          guint n = read_escape (p + 1, end, &ignored);

          if (n == 0)
            return fail (self);
          *escaped = TRUE;
          p += 1 + n;
        }
      else if (c < 0x20)
        return fail (self);
      else if (c >= 0x80)
        {
          guint n = utf8_length ((const guint8 *) p, (gsize) (end - p));

          if (n == 0)
            return fail (self);
          p += n;
        }
      else
        p++;
    }
  *raw = start;
  *raw_len = (gsize) (p - start);
  self->pos = (gsize) (p + 1 - self->text);
  return TRUE;
}

/* Unescapes into @out, which has room for @size bytes, NUL included. FALSE when it does not fit, or
 * holds U+0000, which no C string can. */
static gboolean
decode_string (const char *raw, gsize raw_len, gboolean escaped, char *out, gsize size)
{
  const char *end = raw + raw_len;
  gsize used = 0;

  if (!escaped)
    {
      if (raw_len >= size)
        return FALSE;
      memcpy (out, raw, raw_len);
      out[raw_len] = '\0';
      return TRUE;
    }
  while (raw < end)
    {
      char utf8[6];
      gunichar c;
      gsize n;

      if (*raw != '\\')
        {
          if (used + 1 >= size)
            return FALSE;
          out[used++] = *raw++;
          continue;
        }
      raw += 1 + read_escape (raw + 1, end, &c);
      n = (gsize) g_unichar_to_utf8 (c, utf8);
      if (c == 0 || used + n >= size)
        return FALSE;
      memcpy (out + used, utf8, n);
      used += n;
    }
  if (used >= size)
    return FALSE;
  out[used] = '\0';
  return TRUE;
}

/* Reads a number; @integer tells whether it has neither fraction nor exponent. */
static gboolean
scan_number (HnJsonReader *self, const char **raw, gsize *raw_len, gboolean *integer)
{
  const char *start = self->text + self->pos;
  const char *end = self->text + self->len;
  const char *p = start;

  *integer = TRUE;
  if (p < end && *p == '-')
    p++;
  if (p >= end || !g_ascii_isdigit (*p))
    return fail (self);
  if (*p == '0')
    p++;
  else
    while (p < end && g_ascii_isdigit (*p))
      p++;
  if (p < end && *p == '.')
    {
      *integer = FALSE;
      p++;
      if (p >= end || !g_ascii_isdigit (*p))
        return fail (self);
      while (p < end && g_ascii_isdigit (*p))
        p++;
    }
  if (p < end && (*p == 'e' || *p == 'E'))
    {
      *integer = FALSE;
      p++;
      if (p < end && (*p == '+' || *p == '-'))
        p++;
      if (p >= end || !g_ascii_isdigit (*p))
        return fail (self);
      while (p < end && g_ascii_isdigit (*p))
        p++;
    }
  /* "01" and "1x" are no numbers; what may follow one is no letter and no digit. */
  if (p < end && (g_ascii_isalnum (*p) || *p == '.' || *p == '-' || *p == '+'))
    return fail (self);
  *raw = start;
  *raw_len = (gsize) (p - start);
  self->pos = (gsize) (p - self->text);
  return TRUE;
}

/* @raw was checked to be an integer. */
static gboolean
parse_integer (const char *raw, gsize raw_len, gint64 *out)
{
  gboolean negative = *raw == '-';
  guint64 limit = negative ? (guint64) G_MAXINT64 + 1 : (guint64) G_MAXINT64;
  guint64 value = 0;

  for (gsize i = negative ? 1 : 0; i < raw_len; i++)
    {
      guint digit = (guint) (raw[i] - '0');

      if (value > (limit - digit) / 10)
        return FALSE;
      value = value * 10 + digit;
    }
  *out = negative ? (gint64) (0 - value) : (gint64) value;
  return TRUE;
}

static gboolean
scan_literal (HnJsonReader *self, const char *literal, gsize len)
{
  if (self->len - self->pos < len || memcmp (self->text + self->pos, literal, len) != 0)
    return fail (self);
  self->pos += len;
  if (self->pos < self->len && g_ascii_isalnum (self->text[self->pos]))
    return fail (self);
  return TRUE;
}

/* Skips one value, checking its syntax; @ranges: integers must fit as well. Not recursive: the kinds
 * of the open containers are the bits of a word. */
static gboolean
skip_value (HnJsonReader *self, gboolean ranges)
{
  G_STATIC_ASSERT (HN_JSON_MAX_DEPTH <= 64);
  guint64 objects = 0;
  guint depth = 0;
  const char *raw;
  gsize raw_len;
  gboolean flag;
  gint64 ignored;
  char c;

value:
  c = next_char (self);
  switch (c)
    {
    case '{':
    case '[':
      if (self->depth + depth >= HN_JSON_MAX_DEPTH)
        return fail (self);
      depth++;
      objects = objects << 1 | (c == '{');
      self->pos++;
      if (next_char (self) == (c == '{' ? '}' : ']'))
        {
          self->pos++;
          depth--;
          objects >>= 1;
          break;
        }
      if (c == '{')
        goto member;
      goto value;
    case '"':
      if (!scan_string (self, &raw, &raw_len, &flag))
        return FALSE;
      break;
    case 't':
      if (!scan_literal (self, "true", 4))
        return FALSE;
      break;
    case 'f':
      if (!scan_literal (self, "false", 5))
        return FALSE;
      break;
    case 'n':
      if (!scan_literal (self, "null", 4))
        return FALSE;
      break;
    default:
      if (!scan_number (self, &raw, &raw_len, &flag))
        return FALSE;
      if (ranges && flag && !parse_integer (raw, raw_len, &ignored))
        return fail (self);
      break;
    }

  while (depth > 0)
    {
      c = next_char (self);
      if (c != ',' && c != ((objects & 1) != 0 ? '}' : ']'))
        return fail (self);
      self->pos++;
      if (c == ',')
        {
          if ((objects & 1) != 0)
            goto member;
          goto value;
        }
      depth--;
      objects >>= 1;
    }
  return TRUE;

member:
  if (next_char (self) != '"' || !scan_string (self, &raw, &raw_len, &flag))
    return fail (self);
  if (next_char (self) != ':')
    return fail (self);
  self->pos++;
  goto value;
}

void
hn_json_reader_init (HnJsonReader *self, const char *text, gsize len)
{
  self->text = text;
  self->len = len;
  self->pos = 0;
  self->depth = 0;
  self->first[0] = TRUE;
  self->failed = FALSE;
}

gboolean
hn_json_reader_ok (const HnJsonReader *self)
{
  return !self->failed;
}

gboolean
hn_json_reader_at_end (HnJsonReader *self)
{
  next_char (self);
  return !self->failed && self->depth == 0 && self->pos == self->len && !self->first[0];
}

HnJsonType
hn_json_reader_peek (HnJsonReader *self)
{
  char c;

  if (self->failed)
    return HN_JSON_NONE;
  c = next_char (self);
  switch (c)
    {
    case '{':
      return HN_JSON_OBJECT;
    case '[':
      return HN_JSON_ARRAY;
    case '"':
      return HN_JSON_STRING;
    case 't':
    case 'f':
      return HN_JSON_BOOLEAN;
    case 'n':
      return HN_JSON_NULL;
    default:
      if (g_ascii_isdigit (c) || c == '-')
        return HN_JSON_NUMBER;
      if (self->pos < self->len)
        fail (self);
      return HN_JSON_NONE;
    }
}

/* Whether a value of @type comes next; one of another type is skipped. */
static gboolean
expect (HnJsonReader *self, HnJsonType type)
{
  HnJsonType found = hn_json_reader_peek (self);

  if (self->failed)
    return FALSE;
  if (found == HN_JSON_NONE)
    return fail (self);
  self->first[self->depth] = FALSE;
  if (found == type)
    return TRUE;
  skip_value (self, FALSE);
  return FALSE;
}

static gboolean
begin (HnJsonReader *self, HnJsonType type)
{
  if (!expect (self, type))
    return FALSE;
  if (self->depth >= HN_JSON_MAX_DEPTH)
    return fail (self);
  self->pos++;
  self->first[++self->depth] = TRUE;
  return TRUE;
}

/* Moves to the next member or element; FALSE behind the last one and on failure. */
static gboolean
next (HnJsonReader *self, char closing)
{
  char c;

  if (self->failed)
    return FALSE;
  if (self->depth == 0)
    return fail (self);
  c = next_char (self);
  if (c == closing)
    {
      self->pos++;
      self->depth--;
      return FALSE;
    }
  if (!self->first[self->depth])
    {
      if (c != ',')
        return fail (self);
      self->pos++;
      if (next_char (self) == closing)
        return fail (self);
    }
  self->first[self->depth] = FALSE;
  return TRUE;
}

gboolean
hn_json_reader_begin_object (HnJsonReader *self)
{
  return begin (self, HN_JSON_OBJECT);
}

gboolean
hn_json_reader_next_member (HnJsonReader *self, char *name, gsize name_size)
{
  const char *raw;
  gsize raw_len;
  gboolean escaped;

  if (!next (self, '}'))
    return FALSE;
  if (next_char (self) != '"' || !scan_string (self, &raw, &raw_len, &escaped))
    return fail (self);
  if (next_char (self) != ':')
    return fail (self);
  self->pos++;
  if (!decode_string (raw, raw_len, escaped, name, name_size))
    name[0] = '\0';
  return TRUE;
}

gboolean
hn_json_reader_begin_array (HnJsonReader *self)
{
  return begin (self, HN_JSON_ARRAY);
}

gboolean
hn_json_reader_next_element (HnJsonReader *self)
{
  return next (self, ']');
}

gboolean
hn_json_reader_string (HnJsonReader *self, char *buf, gsize size)
{
  const char *raw;
  gsize raw_len;
  gboolean escaped;

  buf[0] = '\0';
  if (!expect (self, HN_JSON_STRING) || !scan_string (self, &raw, &raw_len, &escaped))
    return FALSE;
  if (decode_string (raw, raw_len, escaped, buf, size))
    return TRUE;
  buf[0] = '\0';
  return FALSE;
}

char *
hn_json_reader_dup_string (HnJsonReader *self, gsize max)
{
  g_autofree char *out = NULL;
  const char *raw;
  gsize raw_len;
  gboolean escaped;

  if (!expect (self, HN_JSON_STRING) || !scan_string (self, &raw, &raw_len, &escaped))
    return NULL;
  if (!escaped && raw_len > max)
    return NULL;
  /* Unescaping never makes a string longer. */
  out = g_malloc (MIN (raw_len, max) + 1);
  if (!decode_string (raw, raw_len, escaped, out, MIN (raw_len, max) + 1))
    return NULL;
  return g_steal_pointer (&out);
}

gboolean
hn_json_reader_int64 (HnJsonReader *self, gint64 *out)
{
  const char *raw;
  gsize raw_len;
  gboolean integer;

  if (!expect (self, HN_JSON_NUMBER) || !scan_number (self, &raw, &raw_len, &integer))
    return FALSE;
  if (!integer)
    return FALSE;
  if (!parse_integer (raw, raw_len, out))
    return fail (self);
  return TRUE;
}

gboolean
hn_json_reader_double (HnJsonReader *self, double *out)
{
  char number[NUMBER_TEXT_MAX];
  const char *raw;
  gsize raw_len;
  gboolean integer;
  double value;

  if (!expect (self, HN_JSON_NUMBER) || !scan_number (self, &raw, &raw_len, &integer))
    return FALSE;
  if (raw_len >= sizeof number)
    return FALSE;
  memcpy (number, raw, raw_len);
  number[raw_len] = '\0';
  value = g_ascii_strtod (number, NULL);
  if (!isfinite (value))
    return FALSE;
  *out = value;
  return TRUE;
}

gboolean
hn_json_reader_boolean (HnJsonReader *self, gboolean *out)
{
  gboolean value;

  if (!expect (self, HN_JSON_BOOLEAN))
    return FALSE;
  value = self->text[self->pos] == 't';
  if (!(value ? scan_literal (self, "true", 4) : scan_literal (self, "false", 5)))
    return FALSE;
  *out = value;
  return TRUE;
}

gboolean
hn_json_reader_skip (HnJsonReader *self)
{
  if (self->failed)
    return FALSE;
  self->first[self->depth] = FALSE;
  return skip_value (self, FALSE);
}

gboolean
hn_json_reader_raw (HnJsonReader *self, const char **text, gsize *len)
{
  gsize start;

  *text = NULL;
  *len = 0;
  if (self->failed)
    return FALSE;
  next_char (self);
  start = self->pos;
  if (!hn_json_reader_skip (self))
    return FALSE;
  *text = self->text + start;
  *len = self->pos - start;
  return TRUE;
}

gboolean
hn_json_check (const char *text, gsize len, GError **error)
{
  HnJsonReader reader;

  hn_json_reader_init (&reader, text, len);
  reader.first[0] = FALSE;
  if (skip_value (&reader, TRUE) && hn_json_reader_at_end (&reader))
    return TRUE;
  g_set_error_literal (error, HN_ERROR, HN_ERROR_PROTOCOL,
                       "Not valid JSON, nested too deeply, or a number out of range");
  return FALSE;
}
