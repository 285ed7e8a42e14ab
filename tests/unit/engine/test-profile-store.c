/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hn-error.h"
#include "crypto/hn-crypto.h"
#include "engine/hn-profile-store.h"

typedef struct
{
  char *directory;
  HnProfileStore *store;
} Fixture;

static void
reopen (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;

  g_clear_pointer (&fixture->store, hn_profile_store_free);
  fixture->store = hn_profile_store_new (fixture->directory, &error);
  g_assert_no_error (error);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autofree char *parent = g_dir_make_tmp ("headnet-test-XXXXXX", NULL);

  fixture->directory = g_build_filename (parent, "state", NULL);
  reopen (fixture);
}

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);

      remove_tree (child);
    }
  g_remove (path);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_autofree char *parent = g_path_get_dirname (fixture->directory);

  hn_profile_store_free (fixture->store);
  remove_tree (parent);
  g_free (fixture->directory);
}

static HnProfile *
add (Fixture *fixture, const char *name, const char *ca)
{
  g_autoptr (HnPreferences) preferences = hn_preferences_new ();
  g_autoptr (GError) error = NULL;
  HnProfile *profile;

  g_free (preferences->name);
  preferences->name = g_strdup (name);
  g_free (preferences->server_url);
  preferences->server_url = g_strdup ("https://hs.test");
  preferences->ca_certificate = g_strdup (ca);
  preferences->mtu = 1400;
  profile = hn_profile_store_add (fixture->store, preferences, &error);
  g_assert_no_error (error);
  return profile;
}

static void
test_round_trip (Fixture *fixture, gconstpointer data)
{
  g_autoptr (HnProfile) profile = add (fixture, "Büro & Labor", "-----BEGIN\nline = 2\n#x\n");
  g_autoptr (GPtrArray) loaded = NULL;
  g_autoptr (GPtrArray) damaged = NULL;
  HnProfile *again;

  hn_node_private_generate (&profile->node_key);
  memset (profile->server_key.bytes, 7, HN_KEY_SIZE);
  g_assert_true (hn_profile_store_save_node_key (fixture->store, profile, NULL));
  g_assert_true (hn_profile_store_save_server_key (fixture->store, profile, NULL));

  reopen (fixture);
  loaded = hn_profile_store_load (fixture->store, &damaged);
  g_assert_cmpuint (loaded->len, ==, 1);
  g_assert_cmpuint (damaged->len, ==, 0);
  again = g_ptr_array_index (loaded, 0);
  g_assert_cmpstr (again->id, ==, profile->id);
  g_assert_true (hn_preferences_equal (again->preferences, profile->preferences));
  g_assert_cmpmem (&again->machine_key, HN_KEY_SIZE, &profile->machine_key, HN_KEY_SIZE);
  g_assert_cmpmem (&again->node_key, HN_KEY_SIZE, &profile->node_key, HN_KEY_SIZE);
  g_assert_cmpmem (&again->disco_key, HN_KEY_SIZE, &profile->disco_key, HN_KEY_SIZE);
  g_assert_cmpmem (&again->server_key, HN_KEY_SIZE, &profile->server_key, HN_KEY_SIZE);
}

static void
test_modes (Fixture *fixture, gconstpointer data)
{
  static const char *const files[] = { "settings", "machine.key", "disco.key", "node.key" };
  g_autoptr (HnProfile) profile = add (fixture, "lab", NULL);
  g_autofree char *directory = g_build_filename (fixture->directory, profile->id, NULL);
  struct stat st;

  hn_node_private_generate (&profile->node_key);
  g_assert_true (hn_profile_store_save_node_key (fixture->store, profile, NULL));
  g_assert_cmpint (stat (directory, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0700);
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = g_build_filename (directory, files[i], NULL);

      g_assert_cmpint (stat (path, &st), ==, 0);
      g_assert_cmpint (st.st_mode & 07777, ==, 0600);
    }
}

static void
test_ids (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *name;
    const char *id;
  } rows[] = {
    { "hs.test", "hs_test" },
    { "hs test", "hs_test_2" },
    { "HS-TEST", "hs_test_3" },
    { "…", "___" },
    { "averyveryveryverylongnameforatailnet", "averyveryveryverylongnamefora" },
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (HnPreferences) same = hn_preferences_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (HnProfile) profile = add (fixture, rows[i].name, NULL);
      gsize len = strlen (profile->id);

      g_assert_cmpuint (len, >=, 1);
      g_assert_cmpuint (len, <=, 32);
      g_assert_cmpuint (strspn (profile->id, "abcdefghijklmnopqrstuvwxyz0123456789_"), ==, len);
      if (i < 3)
        g_assert_cmpstr (profile->id, ==, rows[i].id);
    }
  g_free (same->name);
  same->name = g_strdup ("hs.test");
  g_free (same->server_url);
  same->server_url = g_strdup ("https://other.test");
  g_assert_null (hn_profile_store_add (fixture->store, same, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_EXISTS);
}

/* Nothing that is there already is taken for a new profile's directory, nor removed with it. */
static void
test_taken (Fixture *fixture, gconstpointer data)
{
  g_autofree char *theirs = g_build_filename (fixture->directory, "office", NULL);
  g_autofree char *key = g_build_filename (theirs, "machine.key", NULL);
  g_autoptr (HnProfile) lock = add (fixture, "Lock", NULL);
  g_autoptr (HnProfile) office = NULL;
  g_autofree char *text = NULL;

  g_assert_cmpstr (lock->id, ==, "lock_2");
  g_assert_cmpint (g_mkdir (theirs, 0700), ==, 0);
  g_assert_true (g_file_set_contents (key, "theirs", -1, NULL));
  office = add (fixture, "Office", NULL);
  g_assert_cmpstr (office->id, ==, "office_2");
  g_assert_true (g_file_get_contents (key, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "theirs");
}

static void
test_lock (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (hn_profile_store_new (fixture->directory, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_BUSY);
}

static void
test_damaged (Fixture *fixture, gconstpointer data)
{
  static const char *const contents[] = {
    "", "privkey:00", "mkey:0000", "privkey:zz", "\xff\xfe",
  };
  g_autoptr (HnProfile) whole = add (fixture, "whole", NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (contents); i++)
    {
      g_autofree char *name = g_strdup_printf ("broken%" G_GSIZE_FORMAT, i);
      g_autoptr (HnProfile) profile = add (fixture, name, NULL);
      g_autofree char *path
          = g_build_filename (fixture->directory, profile->id, "machine.key", NULL);

      g_assert_true (g_file_set_contents (path, contents[i], -1, NULL));
    }
  {
    g_autoptr (HnProfile) profile = add (fixture, "no settings", NULL);
    g_autofree char *path = g_build_filename (fixture->directory, profile->id, "settings", NULL);

    g_assert_true (g_file_set_contents (path, "[profile]\nname=x\nserver-url=ftp://x\n", -1, NULL));
  }

  reopen (fixture);
  {
    g_autoptr (GPtrArray) damaged = NULL;
    g_autoptr (GPtrArray) loaded = hn_profile_store_load (fixture->store, &damaged);
    g_autoptr (HnProfile) fresh = NULL;

    /* one that is whole loads, the others stay where they are and keep their names */
    g_assert_cmpuint (loaded->len, ==, 1);
    g_assert_cmpuint (damaged->len, ==, G_N_ELEMENTS (contents) + 1);
    fresh = add (fixture, "broken0!", NULL);
    g_assert_cmpstr (fresh->id, !=, "broken0");
  }
}

/* What a kill leaves: half an AddTailnet goes, and so does the file beside a key. */
static void
test_killed (Fixture *fixture, gconstpointer data)
{
  g_autoptr (HnProfile) whole = add (fixture, "whole", NULL);
  g_autoptr (HnProfile) half = add (fixture, "half", NULL);
  g_autoptr (HnProfile) enrolled = add (fixture, "enrolled", NULL);
  g_autofree char *directory = g_build_filename (fixture->directory, half->id, NULL);
  g_autofree char *settings = g_build_filename (directory, "settings", NULL);
  g_autofree char *kept = g_build_filename (fixture->directory, enrolled->id, "settings", NULL);
  g_autofree char *beside
      = g_build_filename (fixture->directory, whole->id, "node.key.a1B2c3", NULL);

  hn_node_private_generate (&enrolled->node_key);
  g_assert_true (hn_profile_store_save_node_key (fixture->store, enrolled, NULL));
  g_assert_cmpint (g_unlink (settings), ==, 0);
  g_assert_cmpint (g_unlink (kept), ==, 0);
  g_assert_true (g_file_set_contents (beside, "privkey:00", -1, NULL));

  reopen (fixture);
  {
    g_autoptr (GPtrArray) damaged = NULL;
    g_autoptr (GPtrArray) loaded = hn_profile_store_load (fixture->store, &damaged);
    g_autoptr (HnProfile) again = NULL;

    g_assert_cmpuint (loaded->len, ==, 1);
    /* who has a key but no settings was enrolled once: that is for a person to repair */
    g_assert_cmpuint (damaged->len, ==, 1);
    g_assert_false (g_file_test (beside, G_FILE_TEST_EXISTS));
    g_assert_false (g_file_test (directory, G_FILE_TEST_EXISTS));
    again = add (fixture, "half", NULL);
    g_assert_cmpstr (again->id, ==, half->id);
  }
}

static void
test_remove (Fixture *fixture, gconstpointer data)
{
  g_autoptr (HnProfile) profile = add (fixture, "lab", NULL);
  g_autofree char *directory = g_build_filename (fixture->directory, profile->id, NULL);
  g_autoptr (HnProfile) again = NULL;

  hn_node_private_generate (&profile->node_key);
  g_assert_true (hn_profile_store_save_node_key (fixture->store, profile, NULL));
  g_assert_true (hn_profile_store_remove (fixture->store, profile, NULL));
  g_assert_false (g_file_test (directory, G_FILE_TEST_EXISTS));
  again = add (fixture, "lab", NULL);
  g_assert_cmpstr (again->id, ==, profile->id);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
#define ADD(name, func) g_test_add (name, Fixture, NULL, set_up, func, tear_down)
  ADD ("/engine/profile-store/round-trip", test_round_trip);
  ADD ("/engine/profile-store/modes", test_modes);
  ADD ("/engine/profile-store/ids", test_ids);
  ADD ("/engine/profile-store/taken", test_taken);
  ADD ("/engine/profile-store/lock", test_lock);
  ADD ("/engine/profile-store/damaged", test_damaged);
  ADD ("/engine/profile-store/killed", test_killed);
  ADD ("/engine/profile-store/remove", test_remove);
  return g_test_run ();
}
