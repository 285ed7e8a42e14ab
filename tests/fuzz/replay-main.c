/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replays a corpus through a fuzz target without a fuzzer: every file as it is, and cut off at up
 * to 64 places, each from a buffer of exactly that size, so that the sanitizers see a read past the
 * end. Arguments are files and directories. A corpus without files is a failure: it would test
 * nothing.
 */
#include <glib.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define MAX_CUTS 64

static void
feed (const char *contents, gsize size)
{
  /* malloc() of the exact size, not the reader's buffer with its terminating zero */
  g_autofree uint8_t *copy = g_malloc (MAX (size, 1));

  if (size > 0)
    memcpy (copy, contents, size);
  LLVMFuzzerTestOneInput (copy, size);
}

static guint
replay_file (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *contents = NULL;
  gsize size;

  if (!g_file_get_contents (path, &contents, &size, &error))
    g_error ("%s", error->message);
  feed (contents, size);
  for (guint i = 0; i < MIN (size, MAX_CUTS); i++)
    feed (contents, size <= MAX_CUTS ? i : size * i / MAX_CUTS);
  return 1;
}

static guint
replay (const char *path)
{
  g_autoptr (GDir) dir = NULL;
  const char *name;
  guint n = 0;

  if (!g_file_test (path, G_FILE_TEST_IS_DIR))
    return g_file_test (path, G_FILE_TEST_EXISTS) ? replay_file (path) : 0;
  dir = g_dir_open (path, 0, NULL);
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);
      n += replay (child);
    }
  return n;
}

static void
ignore_log (const char *domain, GLogLevelFlags level, const char *message, gpointer user_data)
{
}

int
main (int argc, char **argv)
{
  guint n = 0;

  /* What a parser says about bad input is no failure; a critical is a bug of ours. */
  g_log_set_always_fatal (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL);
  g_log_set_handler (
      NULL, G_LOG_LEVEL_WARNING | G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG,
      ignore_log, NULL);
  for (int i = 1; i < argc; i++)
    n += replay (argv[i]);
  g_print ("%u files\n", n);
  return n > 0 ? 0 : 1;
}
