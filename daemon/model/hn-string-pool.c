/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/hn-string-pool.h"

#include <string.h>

#include "base/hn-hash.h"

typedef struct
{
  guint uses; /* under the lock */
  char text[];
} Entry;

static GMutex lock;
static GHashTable *entries; /* set of Entry.text, owned; NULL while nothing is shared */

static Entry *
entry_of (const char *text)
{
  return (Entry *) (gpointer) (text - G_STRUCT_OFFSET (Entry, text));
}

const char *
hn_string_pool_acquire (const char *text)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  char *found;
  Entry *entry;
  gsize len;

  if (entries == NULL)
    entries = g_hash_table_new (hn_hash_text, g_str_equal);
  found = g_hash_table_lookup (entries, text);
  if (found != NULL)
    {
      entry_of (found)->uses++;
      return found;
    }

  len = strlen (text);
  entry = g_malloc (sizeof (Entry) + len + 1);
  entry->uses = 1;
  memcpy (entry->text, text, len + 1);
  g_hash_table_add (entries, entry->text);
  return entry->text;
}

void
hn_string_pool_release (const char *text)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  Entry *entry = entry_of (text);

  if (--entry->uses > 0)
    return;
  g_hash_table_remove (entries, text);
  g_free (entry);
  if (g_hash_table_size (entries) == 0)
    g_clear_pointer (&entries, g_hash_table_unref);
}

guint
hn_string_pool_get_size (void)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);

  return entries != NULL ? g_hash_table_size (entries) : 0;
}
