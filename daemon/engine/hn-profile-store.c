/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/hn-profile-store.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hn-error.h"
#include "base/hn-file.h"
#include "base/hn-secret.h"
#include "base/hn-text.h"
#include "engine/hn-profile-codec.h"

#define MAX_SETTINGS (512 * 1024) /* a CA bundle may be in it */
#define MAX_KEY_FILE 256
#define MAX_REASON 256 /* bytes of why a profile can not be read */
#define SUFFIX_LEN 6   /* of hn_file_write_atomic's temporary names */

struct _HnProfileStore
{
  char *directory;
  int lock_fd;
  GHashTable *names; /* id -> shown name, of every profile that was loaded or added */
};

void
hn_profile_free (HnProfile *profile)
{
  if (profile == NULL)
    return;
  g_free (profile->id);
  hn_preferences_free (profile->preferences);
  hn_machine_private_clear (&profile->machine_key);
  hn_node_private_clear (&profile->node_key);
  hn_disco_private_clear (&profile->disco_key);
  g_free (profile);
}

HnProfileStore *
hn_profile_store_new (const char *directory, GError **error)
{
  g_autofree char *lock_path = g_build_filename (directory, "lock", NULL);
  HnProfileStore *self;
  int fd;

  if (!hn_file_ensure_private_directory (directory, error))
    return NULL;

  fd = open (lock_path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_FAILED, _ ("Cannot open %s: %s"), lock_path,
                   g_strerror (errno));
      return NULL;
    }
  if (flock (fd, LOCK_EX | LOCK_NB) != 0)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_BUSY,
                   _ ("Another headnetd uses %s: stop it, or set STATE_DIRECTORY to a directory of "
                      "its own"),
                   directory);
      close (fd);
      return NULL;
    }

  self = g_new0 (HnProfileStore, 1);
  self->directory = g_strdup (directory);
  self->lock_fd = fd;
  self->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return self;
}

void
hn_profile_store_free (HnProfileStore *self)
{
  if (self == NULL)
    return;
  close (self->lock_fd);
  g_free (self->directory);
  g_hash_table_unref (self->names);
  g_free (self);
}

static char *
profile_path (HnProfileStore *self, const char *id, const char *file)
{
  return g_build_filename (self->directory, id, file, NULL);
}

static gboolean
is_valid_id (const char *id)
{
  gsize len = strlen (id);

  return len >= 1 && len <= 32 && strspn (id, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

/* Reads one key file into @text, a buffer of HN_KEY_TEXT_MAX; FALSE with NOT_FOUND when absent. */
static gboolean
read_key_text (HnProfileStore *self, const char *id, const char *file, char *text, GError **error)
{
  g_autofree char *path = profile_path (self, id, file);
  guint8 *data = NULL;
  gsize len = 0;
  gboolean ok;

  if (!hn_file_read (path, MAX_KEY_FILE, &data, &len, error))
    return FALSE;
  ok = hn_profile_codec_parse_key_text (data, len, text);
  if (!ok)
    g_set_error (error, HN_ERROR, HN_ERROR_FAILED, _ ("%s holds no key"), path);
  hn_wipe (data, len);
  g_free (data);
  return ok;
}

static gboolean
write_key_text (HnProfileStore *self, const char *id, const char *file, char *text, GError **error)
{
  g_autofree char *path = profile_path (self, id, file);
  char line[HN_KEY_TEXT_MAX + 1];
  gboolean ok;
  int len;

  len = g_snprintf (line, sizeof line, "%s\n", text);
  ok = hn_file_write_atomic (path, line, (gsize) len, error);
  hn_wipe (line, sizeof line);
  hn_wipe (text, strlen (text));
  return ok;
}

static gboolean
bad_key (const char *id, const char *file, GError **error)
{
  g_set_error (error, HN_ERROR, HN_ERROR_FAILED, _ ("%s/%s holds no key of its kind"), id, file);
  return FALSE;
}

static gboolean
load_keys (HnProfileStore *self, HnProfile *profile, GError **error)
{
  char text[HN_KEY_TEXT_MAX] = "";
  g_autoptr (GError) missing = NULL;
  gboolean ok = FALSE;

  if (!read_key_text (self, profile->id, "machine.key", text, error))
    return FALSE;
  if (!hn_machine_private_parse (text, &profile->machine_key))
    {
      bad_key (profile->id, "machine.key", error);
      goto out;
    }
  if (!read_key_text (self, profile->id, "disco.key", text, error))
    goto out;
  if (!hn_disco_private_parse (text, &profile->disco_key))
    {
      bad_key (profile->id, "disco.key", error);
      goto out;
    }
  if (read_key_text (self, profile->id, "node.key", text, &missing))
    {
      if (!hn_node_private_parse (text, &profile->node_key))
        {
          bad_key (profile->id, "node.key", error);
          goto out;
        }
    }
  else if (!g_error_matches (missing, HN_ERROR, HN_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, g_steal_pointer (&missing));
      goto out;
    }
  g_clear_error (&missing);
  if (read_key_text (self, profile->id, "server.pub", text, &missing))
    {
      if (!hn_machine_public_parse (text, &profile->server_key))
        {
          bad_key (profile->id, "server.pub", error);
          goto out;
        }
    }
  else if (!g_error_matches (missing, HN_ERROR, HN_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, g_steal_pointer (&missing));
      goto out;
    }
  ok = TRUE;

out:
  hn_wipe (text, sizeof text);
  return ok;
}

static HnProfile *
load_profile (HnProfileStore *self, const char *id, GError **error)
{
  g_autofree char *path = profile_path (self, id, "settings");
  g_autofree guint8 *data = NULL;
  g_autoptr (HnProfile) profile = g_new0 (HnProfile, 1);
  gsize len = 0;

  profile->id = g_strdup (id);
  if (!hn_file_read (path, MAX_SETTINGS, &data, &len, error))
    return NULL;
  profile->preferences = hn_profile_codec_parse_settings ((const char *) data, len, error);
  if (profile->preferences == NULL || !load_keys (self, profile, error))
    return NULL;
  return g_steal_pointer (&profile);
}

static gint
compare_profiles (gconstpointer a, gconstpointer b)
{
  const HnProfile *first = *(HnProfile *const *) a;
  const HnProfile *second = *(HnProfile *const *) b;

  return g_utf8_collate (first->preferences->name, second->preferences->name);
}

/* A profile's settings are written last and its node key later still: a directory without both is
 * an AddTailnet that was killed on its way, and nobody was told that it exists. */
static gboolean
is_unfinished (HnProfileStore *self, const char *id)
{
  g_autofree char *settings = profile_path (self, id, "settings");
  g_autofree char *node_key = profile_path (self, id, "node.key");
  struct stat st;

  return lstat (settings, &st) != 0 && errno == ENOENT && lstat (node_key, &st) != 0
         && errno == ENOENT;
}

/* What a killed write left beside the file that it was for; it may hold a key. */
static void
remove_temporary_files (const char *directory)
{
  static const char *const files[]
      = { "machine.key.", "disco.key.", "node.key.", "node.key.try.", "server.pub.", "settings." };
  g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    for (guint i = 0; i < G_N_ELEMENTS (files); i++)
      {
        g_autofree char *path = g_build_filename (directory, name, NULL);

        if (g_str_has_prefix (name, files[i]) && strlen (name) == strlen (files[i]) + SUFFIX_LEN)
          unlink (path);
      }
}

GPtrArray *
hn_profile_store_load (HnProfileStore *self, GPtrArray **damaged)
{
  g_autoptr (GPtrArray) profiles
      = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_profile_free);
  g_autoptr (GPtrArray) remarks = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = g_dir_open (self->directory, 0, NULL);
  const char *id;

  while (dir != NULL && profiles->len < HN_PROFILE_MAX && (id = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (self->directory, id, NULL);
      g_autoptr (GError) error = NULL;
      HnProfile *profile;

      if (!is_valid_id (id) || !g_file_test (path, G_FILE_TEST_IS_DIR))
        continue;
      if (is_unfinished (self, id) && hn_file_remove_directory (path, NULL))
        continue;
      remove_temporary_files (path);
      profile = load_profile (self, id, &error);
      if (profile == NULL)
        {
          g_autofree char *reason = NULL;

          /* GKeyFile quotes the line that it does not like, whatever is in it */
          reason
              = hn_text_make_printable (error->message, MIN (strlen (error->message), MAX_REASON));
          g_ptr_array_add (remarks, g_strdup_printf ("%s: %s", path, reason));
          /* its id and name stay taken, so that nothing overwrites what may still be repaired */
          g_hash_table_insert (self->names, g_strdup (id), g_strdup (id));
          continue;
        }
      g_hash_table_insert (self->names, g_strdup (id), g_strdup (profile->preferences->name));
      g_ptr_array_add (profiles, profile);
    }
  g_ptr_array_sort (profiles, compare_profiles);
  if (damaged != NULL)
    *damaged = g_steal_pointer (&remarks);
  return g_steal_pointer (&profiles);
}

/* Also what is in the directory but no profile of ours: a file, or one that was not loaded. */
static gboolean
is_taken (HnProfileStore *self, const char *id)
{
  g_autofree char *path = g_build_filename (self->directory, id, NULL);
  struct stat st;

  return g_hash_table_contains (self->names, id) || lstat (path, &st) == 0;
}

static char *
make_id (HnProfileStore *self, const char *name)
{
  g_autoptr (GString) id = g_string_new (NULL);
  g_autofree char *ascii = g_str_to_ascii (name, "C");
  guint n;

  for (const char *c = ascii; *c != '\0' && id->len < 28; c++)
    {
      if (g_ascii_isalnum (*c))
        g_string_append_c (id, g_ascii_tolower (*c));
      else if (id->len > 0 && id->str[id->len - 1] != '_')
        g_string_append_c (id, '_');
    }
  if (id->len == 0)
    g_string_append (id, "tailnet");
  if (!is_taken (self, id->str))
    return g_string_free (g_steal_pointer (&id), FALSE);
  for (n = 2;; n++)
    {
      g_autofree char *numbered = g_strdup_printf ("%s_%u", id->str, n);

      if (!is_taken (self, numbered))
        return g_steal_pointer (&numbered);
    }
}

gboolean
hn_profile_store_name_is_free (HnProfileStore *self, const char *name, const HnProfile *except)
{
  GHashTableIter iter;
  gpointer id, taken;

  g_hash_table_iter_init (&iter, self->names);
  while (g_hash_table_iter_next (&iter, &id, &taken))
    {
      if (except != NULL && strcmp (id, except->id) == 0)
        continue;
      if (strcmp (taken, name) == 0)
        return FALSE;
    }
  return TRUE;
}

gboolean
hn_profile_store_save_preferences (HnProfileStore *self, const HnProfile *profile, GError **error)
{
  g_autofree char *path = profile_path (self, profile->id, "settings");
  gsize len = 0;
  g_autofree char *data = hn_profile_codec_format_settings (profile->preferences, &len);

  if (!hn_file_write_atomic (path, data, len, error))
    return FALSE;
  g_hash_table_insert (self->names, g_strdup (profile->id), g_strdup (profile->preferences->name));
  return TRUE;
}

HnProfile *
hn_profile_store_add (HnProfileStore *self, const HnPreferences *preferences, GError **error)
{
  g_autoptr (HnProfile) profile = g_new0 (HnProfile, 1);
  g_autofree char *directory = NULL;
  char text[HN_KEY_TEXT_MAX];
  gboolean ok;

  if (!hn_profile_store_name_is_free (self, preferences->name, NULL))
    {
      g_set_error (error, HN_ERROR, HN_ERROR_EXISTS, _ ("There is a tailnet named “%s” already"),
                   preferences->name);
      return NULL;
    }
  if (g_hash_table_size (self->names) >= HN_PROFILE_MAX)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_BUSY, _ ("There are %d tailnets already, no more fit"),
                   HN_PROFILE_MAX);
      return NULL;
    }

  profile->id = make_id (self, preferences->name);
  profile->preferences = hn_preferences_copy (preferences);
  hn_machine_private_generate (&profile->machine_key);
  hn_disco_private_generate (&profile->disco_key);

  directory = g_build_filename (self->directory, profile->id, NULL);
  ok = hn_file_ensure_private_directory (directory, error);
  if (ok)
    {
      hn_machine_private_format_for_file (&profile->machine_key, text);
      ok = write_key_text (self, profile->id, "machine.key", text, error);
    }
  if (ok)
    {
      hn_disco_private_format_for_file (&profile->disco_key, text);
      ok = write_key_text (self, profile->id, "disco.key", text, error);
    }
  /* the settings come last: a profile without them was never finished */
  if (!ok || !hn_profile_store_save_preferences (self, profile, error))
    {
      hn_file_remove_directory (directory, NULL);
      return NULL;
    }
  return g_steal_pointer (&profile);
}

gboolean
hn_profile_store_check_room (HnProfileStore *self, const HnProfile *profile, GError **error)
{
  g_autofree char *path = profile_path (self, profile->id, "node.key.try");
  char text[HN_KEY_TEXT_MAX];

  memset (text, '\n', sizeof text);
  if (!hn_file_write_atomic (path, text, sizeof text, error))
    return FALSE;
  unlink (path);
  return TRUE;
}

gboolean
hn_profile_store_save_node_key (HnProfileStore *self, const HnProfile *profile, GError **error)
{
  char text[HN_KEY_TEXT_MAX];

  if (hn_node_private_is_zero (&profile->node_key))
    {
      g_autofree char *path = profile_path (self, profile->id, "node.key");

      if (unlink (path) != 0 && errno != ENOENT)
        {
          g_set_error (error, HN_ERROR, HN_ERROR_FAILED, _ ("Cannot remove %s: %s"), path,
                       g_strerror (errno));
          return FALSE;
        }
      return TRUE;
    }
  hn_node_private_format_for_file (&profile->node_key, text);
  return write_key_text (self, profile->id, "node.key", text, error);
}

gboolean
hn_profile_store_save_server_key (HnProfileStore *self, const HnProfile *profile, GError **error)
{
  char text[HN_KEY_TEXT_MAX];

  hn_machine_public_format (&profile->server_key, text);
  return write_key_text (self, profile->id, "server.pub", text, error);
}

gboolean
hn_profile_store_remove (HnProfileStore *self, const HnProfile *profile, GError **error)
{
  g_autofree char *directory = g_build_filename (self->directory, profile->id, NULL);

  if (!hn_file_remove_directory (directory, error))
    return FALSE;
  g_hash_table_remove (self->names, profile->id);
  return TRUE;
}
