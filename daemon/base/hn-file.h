/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that keep state: written whole or not at all, 0600 in directories of 0700, read with a
 * limit. Symbolic links are not followed at the last component.
 */
#pragma once

#include <glib.h>

/* Creates @path (one level) as 0700 if missing; refuses a directory that others may write to. */
gboolean hn_file_ensure_private_directory (const char *path, GError **error);
/* Temporary file beside it, fsync, rename, fsync of the directory; mode 0600. */
gboolean hn_file_write_atomic (const char *path, const void *data, gsize len, GError **error);
/* Whole content, NUL-terminated beyond @len; fails with HN_ERROR_FAILED over @max bytes and with
 * HN_ERROR_NOT_FOUND when there is no such file. */
gboolean hn_file_read (const char *path, gsize max, guint8 **data, gsize *len, GError **error);
/* Removes a directory that holds plain files only, and the files. */
gboolean hn_file_remove_directory (const char *path, GError **error);
