/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State files: private, whole, limited. */
#include "base/hn-file.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hn-error.h"

static void
test_round (void)
{
  g_autofree char *top = g_dir_make_tmp ("headnet-test-XXXXXX", NULL);
  g_autofree char *directory = g_build_filename (top, "state", NULL);
  g_autofree char *path = g_build_filename (directory, "key", NULL);
  g_autofree char *link_path = g_build_filename (directory, "link", NULL);
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *data = NULL;
  GStatBuf st;
  gsize len;

  g_assert_true (hn_file_ensure_private_directory (directory, &error));
  g_assert_no_error (error);
  g_assert_true (hn_file_ensure_private_directory (directory, NULL));
  g_assert_cmpint (g_stat (directory, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0700);

  g_assert_false (hn_file_read (path, 10, &data, &len, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_NOT_FOUND);
  g_clear_error (&error);

  g_assert_true (hn_file_write_atomic (path, "first text", 10, NULL));
  g_assert_true (hn_file_write_atomic (path, "second", 6, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0600);

  g_assert_true (hn_file_read (path, 6, &data, &len, NULL));
  g_assert_cmpmem (data, len, "second", 6);
  g_assert_cmpint (data[len], ==, 0);
  g_clear_pointer (&data, g_free);
  g_assert_false (hn_file_read (path, 5, &data, &len, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_FAILED);
  g_clear_error (&error);

  g_assert_cmpint (symlink (path, link_path), ==, 0);
  g_assert_false (hn_file_read (link_path, 100, &data, &len, NULL));
  g_assert_false (hn_file_read (directory, 100, &data, &len, NULL));

  /* No temporary file may stay behind: only plain files of ours are here. */
  {
    g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
    guint n = 0;

    while (g_dir_read_name (dir) != NULL)
      n++;
    g_assert_cmpuint (n, ==, 2);
  }

  g_assert_true (hn_file_remove_directory (directory, &error));
  g_assert_no_error (error);
  g_assert_false (g_file_test (directory, G_FILE_TEST_EXISTS));
  g_assert_false (hn_file_remove_directory (directory, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_NOT_FOUND);
  g_assert_cmpint (g_rmdir (top), ==, 0);
}

static void
test_refused_directory (void)
{
  g_autofree char *top = g_dir_make_tmp ("headnet-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (top, "file", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_chmod (top, 0770), ==, 0);
  g_assert_false (hn_file_ensure_private_directory (top, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_FAILED);
  g_assert_cmpint (g_chmod (top, 0700), ==, 0);
  g_assert_true (hn_file_write_atomic (path, "", 0, NULL));
  g_assert_false (hn_file_ensure_private_directory (path, NULL));
  g_assert_true (hn_file_remove_directory (top, NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/file/round", test_round);
  g_test_add_func ("/file/refused-directory", test_refused_directory);
  return g_test_run ();
}
