/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes a list of dictionaries (aa{sv}) straight in GVariant's serialised form, into one buffer.
 * Ten thousand peers through GVariantBuilder are two million small objects, tens of megabytes and a
 * third of a second; this way they are one block, the size of the answer. Text that is not UTF-8 is
 * made so. The form: "GVariant Specification", section 2, in GLib's documentation.
 */
#pragma once

#include <glib.h>

typedef struct _HnDictionaryWriter HnDictionaryWriter;

HnDictionaryWriter *hn_dictionary_writer_new (void);
void hn_dictionary_writer_free (HnDictionaryWriter *self);

/* One dictionary of the list, from here to the matching end. */
void hn_dictionary_writer_begin (HnDictionaryWriter *self);
void hn_dictionary_writer_end (HnDictionaryWriter *self);

/* Entries of the open dictionary; the caller gives no key twice. NULL is an empty text. */
void hn_dictionary_writer_add_text (HnDictionaryWriter *self, const char *key, const char *text);
void hn_dictionary_writer_add_boolean (HnDictionaryWriter *self, const char *key, gboolean value);
void hn_dictionary_writer_add_int64 (HnDictionaryWriter *self, const char *key, gint64 value);
void hn_dictionary_writer_add_uint64 (HnDictionaryWriter *self, const char *key, guint64 value);

/* An entry that is a list of texts (as). */
void hn_dictionary_writer_begin_texts (HnDictionaryWriter *self, const char *key);
void hn_dictionary_writer_append_text (HnDictionaryWriter *self, const char *text);
void hn_dictionary_writer_end_texts (HnDictionaryWriter *self);

/* An entry that is a dictionary; it holds no lists or dictionaries itself. */
void hn_dictionary_writer_begin_dictionary (HnDictionaryWriter *self, const char *key);
void hn_dictionary_writer_end_dictionary (HnDictionaryWriter *self);

/* Returns: (transfer floating): the list; the writer is empty again. */
GVariant *hn_dictionary_writer_finish (HnDictionaryWriter *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnDictionaryWriter, hn_dictionary_writer_free)
