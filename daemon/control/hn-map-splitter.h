/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the members of one large JSON object, and the elements of some of its lists, in text that
 * comes in chunks of any size. Only the piece at hand is buffered, and only where it spans chunks.
 * It follows strings, nesting and commas; the inside of a piece is for a parser to check.
 */
#pragma once

#include <glib.h>

typedef enum
{
  HN_MAP_MEMBER_WHOLE, /* hand the value over in one piece */
  HN_MAP_MEMBER_LIST,  /* if the value is an array, hand over its elements one by one */
} HnMapMemberKind;

typedef struct
{
  /* A member begins; @limit is set to the longest piece to buffer, in bytes. */
  HnMapMemberKind (*begin_member) (const char *name, gsize *limit, gpointer user);
  /* The value of a member in one piece; of a list member only when it is no array. */
  void (*value) (const char *text, gsize len, gpointer user);
  void (*begin_list) (gpointer user);
  void (*element) (const char *text, gsize len, gpointer user);
  /* An object begins at @text and may go on behind @len. Reads it if it is there as a whole and
   * returns its length; else returns 0 and leaves no trace, and it comes again as an element. This
   * saves looking for the end of the many elements that do not span chunks. */
  gsize (*try_element) (const char *text, gsize len, gpointer user);
  /* A value or element was longer than the limit and has been passed over. */
  void (*oversize) (gpointer user);
} HnMapSplitterFuncs;

typedef struct _HnMapSplitter HnMapSplitter;

HnMapSplitter *hn_map_splitter_new (const HnMapSplitterFuncs *funcs, gpointer user);
void hn_map_splitter_free (HnMapSplitter *self);
/* Makes ready for another object, and gives large buffers back. */
void hn_map_splitter_reset (HnMapSplitter *self);
/* FALSE when the text can not be such an object; it stays failed then. */
gboolean hn_map_splitter_feed (HnMapSplitter *self, const char *text, gsize len);
/* Whether the object is complete, with nothing but white space behind it. */
gboolean hn_map_splitter_is_complete (const HnMapSplitter *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnMapSplitter, hn_map_splitter_free)
