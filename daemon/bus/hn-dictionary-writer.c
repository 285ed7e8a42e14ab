/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GVariant's serialised form of aa{sv}. */
#include "bus/hn-dictionary-writer.h"

#include <string.h>

/* Dictionaries, variants and the entries of a dictionary all begin at multiples of this. */
#define ALIGNMENT 8

typedef enum
{
  LIST,
  DICTIONARY,
  VALUE, /* a list of texts or a dictionary in a dictionary */
  N_LEVELS
} LevelName;

/* An array that is being written. */
typedef struct
{
  gsize start;
  GArray *ends; /* of gsize: where each element ends, from start */
} Level;

/* An entry of a dictionary that is being written. */
typedef struct
{
  gsize start;
  gsize key_end; /* from start */
} Entry;

struct _HnDictionaryWriter
{
  GByteArray *buffer;
  Level levels[N_LEVELS];
  LevelName dictionary; /* the level of the open dictionary */
  Entry outer;          /* of the entry whose value is at level VALUE */
};

HnDictionaryWriter *
hn_dictionary_writer_new (void)
{
  HnDictionaryWriter *self = g_new0 (HnDictionaryWriter, 1);

  self->buffer = g_byte_array_new ();
  for (int i = 0; i < N_LEVELS; i++)
    self->levels[i].ends = g_array_new (FALSE, FALSE, sizeof (gsize));
  return self;
}

void
hn_dictionary_writer_free (HnDictionaryWriter *self)
{
  g_byte_array_unref (self->buffer);
  for (int i = 0; i < N_LEVELS; i++)
    g_array_unref (self->levels[i].ends);
  g_free (self);
}

static void
append (HnDictionaryWriter *self, const void *data, gsize len)
{
  g_byte_array_append (self->buffer, data, (guint) len);
}

static void
align (HnDictionaryWriter *self)
{
  static const guint8 zeros[ALIGNMENT];

  append (self, zeros, -self->buffer->len & (ALIGNMENT - 1));
}

static void
append_valid (HnDictionaryWriter *self, const char *text)
{
  g_autofree char *valid = NULL;

  if (text == NULL)
    text = "";
  else if (!g_utf8_validate (text, -1, NULL))
    text = valid = g_utf8_make_valid (text, -1);
  append (self, text, strlen (text) + 1);
}

/* How many bytes each of @n framing offsets takes behind a body: the container's whole size, offsets
 * included, must fit into one. */
static gsize
get_offset_size (gsize body, gsize n)
{
  if (body + n <= G_MAXUINT8)
    return 1;
  if (body + 2 * n <= G_MAXUINT16)
    return 2;
  return 4;
}

static void
append_offset (HnDictionaryWriter *self, gsize offset, gsize size)
{
  guint32 bytes = GUINT32_TO_LE ((guint32) offset);

  append (self, &bytes, size);
}

static void
begin_array (HnDictionaryWriter *self, LevelName name)
{
  Level *level = &self->levels[name];

  align (self);
  level->start = self->buffer->len;
  g_array_set_size (level->ends, 0);
}

static void
end_element (HnDictionaryWriter *self, LevelName name)
{
  Level *level = &self->levels[name];
  gsize end = self->buffer->len - level->start;

  g_array_append_val (level->ends, end);
}

static void
end_array (HnDictionaryWriter *self, LevelName name)
{
  const Level *level = &self->levels[name];
  gsize size = get_offset_size (self->buffer->len - level->start, level->ends->len);

  for (guint i = 0; i < level->ends->len; i++)
    append_offset (self, g_array_index (level->ends, gsize, i), size);
}

static Entry
begin_entry (HnDictionaryWriter *self, const char *key)
{
  Entry entry;

  align (self);
  entry.start = self->buffer->len;
  append (self, key, strlen (key) + 1);
  entry.key_end = self->buffer->len - entry.start;
  align (self);
  return entry;
}

/* Ends the variant with its type and the entry with where its key ends. */
static void
end_entry (HnDictionaryWriter *self, const Entry *entry, const char *type)
{
  append (self, "", 1);
  append (self, type, strlen (type));
  append_offset (self, entry->key_end, get_offset_size (self->buffer->len - entry->start, 1));
  end_element (self, self->dictionary);
}

void
hn_dictionary_writer_begin (HnDictionaryWriter *self)
{
  self->dictionary = DICTIONARY;
  begin_array (self, DICTIONARY);
}

void
hn_dictionary_writer_end (HnDictionaryWriter *self)
{
  end_array (self, DICTIONARY);
  end_element (self, LIST);
}

void
hn_dictionary_writer_add_text (HnDictionaryWriter *self, const char *key, const char *text)
{
  Entry entry = begin_entry (self, key);

  append_valid (self, text);
  end_entry (self, &entry, "s");
}

void
hn_dictionary_writer_add_boolean (HnDictionaryWriter *self, const char *key, gboolean value)
{
  Entry entry = begin_entry (self, key);
  guint8 byte = value ? 1 : 0;

  append (self, &byte, 1);
  end_entry (self, &entry, "b");
}

void
hn_dictionary_writer_add_int64 (HnDictionaryWriter *self, const char *key, gint64 value)
{
  Entry entry = begin_entry (self, key);

  append (self, &value, sizeof value);
  end_entry (self, &entry, "x");
}

void
hn_dictionary_writer_add_uint64 (HnDictionaryWriter *self, const char *key, guint64 value)
{
  Entry entry = begin_entry (self, key);

  append (self, &value, sizeof value);
  end_entry (self, &entry, "t");
}

void
hn_dictionary_writer_begin_texts (HnDictionaryWriter *self, const char *key)
{
  self->outer = begin_entry (self, key);
  begin_array (self, VALUE);
}

void
hn_dictionary_writer_append_text (HnDictionaryWriter *self, const char *text)
{
  append_valid (self, text);
  end_element (self, VALUE);
}

void
hn_dictionary_writer_end_texts (HnDictionaryWriter *self)
{
  end_array (self, VALUE);
  end_entry (self, &self->outer, "as");
}

void
hn_dictionary_writer_begin_dictionary (HnDictionaryWriter *self, const char *key)
{
  self->outer = begin_entry (self, key);
  self->dictionary = VALUE;
  begin_array (self, VALUE);
}

void
hn_dictionary_writer_end_dictionary (HnDictionaryWriter *self)
{
  end_array (self, VALUE);
  self->dictionary = DICTIONARY;
  end_entry (self, &self->outer, "a{sv}");
}

GVariant *
hn_dictionary_writer_finish (HnDictionaryWriter *self)
{
  GBytes *bytes;
  GVariant *list;

  end_array (self, LIST);
  bytes = g_byte_array_free_to_bytes (self->buffer);
  self->buffer = g_byte_array_new ();
  g_array_set_size (self->levels[LIST].ends, 0);

  list = g_variant_new_from_bytes (G_VARIANT_TYPE ("aa{sv}"), bytes, TRUE);
  g_bytes_unref (bytes);
  return list;
}
