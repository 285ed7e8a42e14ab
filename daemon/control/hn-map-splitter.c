/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/hn-map-splitter.h"

#include <string.h>

#include "base/hn-json-reader.h"

#define MEMBER_NAME_SIZE 64
/* With less text than this an element is hardly there as a whole. */
#define MIN_TRY 128
/* What a splitter keeps for the next object. */
#define KEPT_BUFFER (16 * 1024)

#define ONES G_GUINT64_CONSTANT (0x0101010101010101)
#define HIGHS G_GUINT64_CONSTANT (0x8080808080808080)

typedef enum
{
  STATE_START,         /* before the opening brace */
  STATE_FIRST_NAME,    /* a name, or the end of an empty object */
  STATE_NAME,          /* a name */
  STATE_COLON,         /* between name and value */
  STATE_VALUE,         /* before a value */
  STATE_AFTER_VALUE,   /* a comma or the closing brace */
  STATE_FIRST_ELEMENT, /* an element, or the end of an empty list */
  STATE_ELEMENT,       /* an element */
  STATE_AFTER_ELEMENT, /* a comma or the closing bracket */
  STATE_PIECE,         /* inside a name, value or element */
  STATE_COMPLETE,
  STATE_FAILED,
} State;

typedef enum
{
  PIECE_NAME,
  PIECE_VALUE,
  PIECE_ELEMENT,
} Piece;

struct _HnMapSplitter
{
  const HnMapSplitterFuncs *funcs;
  gpointer user;
  State state;
  HnMapMemberKind kind; /* of the member at hand */
  gsize limit;          /* of its pieces */

  /* the piece at hand */
  Piece piece;
  gboolean scalar; /* a number or word: ends before the next delimiter */
  gboolean in_string;
  gboolean escaped; /* the next character stands behind a backslash */
  guint depth;
  guint64 objects;   /* one bit an open container, 1 for an object; the innermost is bit 0 */
  gboolean oversize; /* too long: no longer buffered */
  GString *pending;  /* what came of it in former chunks */
};

HnMapSplitter *
hn_map_splitter_new (const HnMapSplitterFuncs *funcs, gpointer user)
{
  HnMapSplitter *self = g_new0 (HnMapSplitter, 1);

  self->funcs = funcs;
  self->user = user;
  self->pending = g_string_new (NULL);
  return self;
}

void
hn_map_splitter_free (HnMapSplitter *self)
{
  if (self == NULL)
    return;
  g_string_free (self->pending, TRUE);
  g_free (self);
}

void
hn_map_splitter_reset (HnMapSplitter *self)
{
  self->state = STATE_START;
  if (self->pending->allocated_len > KEPT_BUFFER)
    {
      g_string_free (self->pending, TRUE);
      self->pending = g_string_new (NULL);
    }
  g_string_truncate (self->pending, 0);
}

gboolean
hn_map_splitter_is_complete (const HnMapSplitter *self)
{
  return self->state == STATE_COMPLETE;
}

static inline gboolean
is_space (char c)
{
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The end of the string that @p is inside of, behind its quote; NULL when it is not in the text. */
static const char *
find_string_end (HnMapSplitter *self, const char *p, const char *end)
{
  if (self->escaped && p < end)
    {
      p++;
      self->escaped = FALSE;
    }
  for (;;)
    {
      /* Eight characters at a time: the lowest marked one is a quote or a backslash. */
      while (end - p >= 8)
        {
          guint64 word, quote, backslash, special;

          memcpy (&word, p, sizeof word);
          word = GUINT64_FROM_LE (word);
          quote = word ^ (ONES * '"');
          backslash = word ^ (ONES * '\\');
          special = (((quote - ONES) & ~quote) | ((backslash - ONES) & ~backslash)) & HIGHS;
          if (special != 0)
            {
              p += (guint) __builtin_ctzll (special) / 8;
              break;
            }
          p += 8;
        }
      if (p == end)
        return NULL;
      if (*p == '"')
        return p + 1;
      if (*p == '\\')
        {
          if (++p == end)
            {
              self->escaped = TRUE;
              return NULL;
            }
        }
      p++;
    }
}

/* Moves over the piece at hand. Returns what is behind it, or NULL when it does not end in this
 * text (or failed). */
static const char *
find_piece_end (HnMapSplitter *self, const char *p, const char *end)
{
  static const guint8 structural[256] = { ['"'] = 1, ['{'] = 1, ['}'] = 1, ['['] = 1, [']'] = 1 };

  if (self->scalar)
    {
      while (p < end && *p != ',' && *p != '}' && *p != ']' && !is_space (*p))
        p++;
      return p < end ? p : NULL;
    }
  for (;;)
    {
      char c;

      if (self->in_string)
        {
          p = find_string_end (self, p, end);
          if (p == NULL)
            return NULL;
          self->in_string = FALSE;
          if (self->depth == 0)
            return p;
        }
      while (p < end && !structural[(guint8) *p])
        p++;
      if (p == end)
        return NULL;
      c = *p++;
      switch (c)
        {
        case '"':
          self->in_string = TRUE;
          break;
        case '{':
        case '[':
          if (self->depth == HN_JSON_MAX_DEPTH)
            {
              self->state = STATE_FAILED;
              return NULL;
            }
          self->depth++;
          self->objects = self->objects << 1 | (c == '{');
          break;
        default:
          if ((self->objects & 1) != (c == '}'))
            {
              self->state = STATE_FAILED;
              return NULL;
            }
          self->depth--;
          self->objects >>= 1;
          if (self->depth == 0)
            return p;
          break;
        }
    }
}

/* Begins a piece at its first character, which is still to be read. */
static gboolean
begin_piece (HnMapSplitter *self, Piece piece, char c)
{
  if (c == ',' || c == '}' || c == ']' || c == ':')
    return FALSE;
  self->piece = piece;
  self->scalar = c != '{' && c != '[' && c != '"';
  self->in_string = FALSE;
  self->escaped = FALSE;
  self->depth = 0;
  self->objects = 0;
  self->oversize = FALSE;
  g_string_truncate (self->pending, 0);
  self->state = STATE_PIECE;
  return TRUE;
}

static gboolean
end_name (HnMapSplitter *self, const char *text, gsize len)
{
  char name[MEMBER_NAME_SIZE] = "";
  HnJsonReader reader;

  if (!self->oversize)
    {
      hn_json_reader_init (&reader, text, len);
      if (!hn_json_reader_string (&reader, name, sizeof name) && !hn_json_reader_ok (&reader))
        return FALSE;
    }
  self->limit = 0;
  self->kind = self->funcs->begin_member (name, &self->limit, self->user);
  self->state = STATE_COLON;
  return TRUE;
}

/* The piece is complete: the last part of it is @text. */
static gboolean
end_piece (HnMapSplitter *self, const char *text, gsize len)
{
  const gsize limit = self->piece == PIECE_NAME ? 6 * MEMBER_NAME_SIZE : self->limit;

  if (self->pending->len + len > limit)
    self->oversize = TRUE;
  else if (self->pending->len > 0)
    {
      g_string_append_len (self->pending, text, len);
      text = self->pending->str;
      len = self->pending->len;
    }

  switch (self->piece)
    {
    case PIECE_NAME:
      return end_name (self, text, len);
    case PIECE_VALUE:
      self->state = STATE_AFTER_VALUE;
      if (!self->oversize)
        self->funcs->value (text, len, self->user);
      break;
    case PIECE_ELEMENT:
      self->state = STATE_AFTER_ELEMENT;
      if (!self->oversize)
        self->funcs->element (text, len, self->user);
      break;
    }
  if (self->oversize)
    self->funcs->oversize (self->user);
  return TRUE;
}

/* The piece goes on in the next chunk. */
static void
keep_part (HnMapSplitter *self, const char *text, gsize len)
{
  const gsize limit = self->piece == PIECE_NAME ? 6 * MEMBER_NAME_SIZE : self->limit;

  if (self->oversize)
    return;
  if (self->pending->len + len > limit)
    {
      self->oversize = TRUE;
      g_string_truncate (self->pending, 0);
    }
  else
    g_string_append_len (self->pending, text, len);
}

/* One character between the pieces. FALSE: it can not be there. */
static gboolean
step (HnMapSplitter *self, char c, gboolean *begins)
{
  *begins = FALSE;
  switch (self->state)
    {
    case STATE_START:
      self->state = STATE_FIRST_NAME;
      return c == '{';
    case STATE_FIRST_NAME:
    case STATE_NAME:
      if (c == '}' && self->state == STATE_FIRST_NAME)
        {
          self->state = STATE_COMPLETE;
          return TRUE;
        }
      *begins = TRUE;
      return c == '"' && begin_piece (self, PIECE_NAME, c);
    case STATE_COLON:
      self->state = STATE_VALUE;
      return c == ':';
    case STATE_VALUE:
      if (c == '[' && self->kind == HN_MAP_MEMBER_LIST)
        {
          self->state = STATE_FIRST_ELEMENT;
          self->funcs->begin_list (self->user);
          return TRUE;
        }
      *begins = TRUE;
      return begin_piece (self, PIECE_VALUE, c);
    case STATE_AFTER_VALUE:
      self->state = c == ',' ? STATE_NAME : STATE_COMPLETE;
      return c == ',' || c == '}';
    case STATE_FIRST_ELEMENT:
    case STATE_ELEMENT:
      if (c == ']' && self->state == STATE_FIRST_ELEMENT)
        {
          self->state = STATE_AFTER_VALUE;
          return TRUE;
        }
      *begins = TRUE;
      return begin_piece (self, PIECE_ELEMENT, c);
    case STATE_AFTER_ELEMENT:
      self->state = c == ',' ? STATE_ELEMENT : STATE_AFTER_VALUE;
      return c == ',' || c == ']';
    case STATE_PIECE:
    case STATE_COMPLETE:
    case STATE_FAILED:
      return FALSE;
    }
  return FALSE;
}

/**
 * hn_map_splitter_feed:
 * @self: a splitter
 * @text: the next chunk
 * @len: its length
 *
 * Calls the functions for each piece that is complete.
 *
 * Returns: FALSE when the text can not be what it should
 */
gboolean
hn_map_splitter_feed (HnMapSplitter *self, const char *text, gsize len)
{
  const char *end = text + len;
  const char *p = text;

  while (p < end && self->state != STATE_FAILED)
    {
      gboolean begins;

      if (self->state == STATE_PIECE)
        {
          const char *behind = find_piece_end (self, p, end);

          if (self->state == STATE_FAILED)
            break;
          if (behind == NULL)
            {
              keep_part (self, p, end - p);
              return TRUE;
            }
          if (!end_piece (self, p, behind - p))
            self->state = STATE_FAILED;
          p = behind;
          continue;
        }
      if (is_space (*p))
        {
          p++;
          continue;
        }
      if (*p == '{' && end - p >= MIN_TRY
          && (self->state == STATE_FIRST_ELEMENT || self->state == STATE_ELEMENT))
        {
          const gsize n
              = self->funcs->try_element (p, MIN ((gsize) (end - p), self->limit), self->user);

          if (n > 0)
            {
              self->state = STATE_AFTER_ELEMENT;
              p += n;
              continue;
            }
        }
      if (!step (self, *p, &begins))
        {
          self->state = STATE_FAILED;
          break;
        }
      if (!begins)
        p++;
    }
  return self->state != STATE_FAILED;
}
