/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that keep state: written whole or not at all. */
#include "base/hn-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hn-error.h"
#include "base/hn-secret.h"

static gboolean
fail (GError **error, int saved_errno, const char *doing, const char *path)
{
  g_set_error (error, HN_ERROR, saved_errno == ENOENT ? HN_ERROR_NOT_FOUND : HN_ERROR_FAILED,
               "Cannot %s %s: %s", doing, path, g_strerror (saved_errno));
  return FALSE;
}

gboolean
hn_file_ensure_private_directory (const char *path, GError **error)
{
  struct stat st;

  if (mkdir (path, 0700) < 0 && errno != EEXIST)
    return fail (error, errno, "create the directory", path);
  if (lstat (path, &st) < 0)
    return fail (error, errno, "look at", path);
  if (!S_ISDIR (st.st_mode))
    {
      g_set_error (error, HN_ERROR, HN_ERROR_FAILED, "%s is no directory", path);
      return FALSE;
    }
  /* Whoever may write here could swap a key file. */
  if ((st.st_uid != geteuid () && st.st_uid != 0) || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_FAILED, "Others may write to %s; refusing to use it",
                   path);
      return FALSE;
    }
  return TRUE;
}

static gboolean
write_all (int fd, const guint8 *data, gsize len)
{
  while (len > 0)
    {
      ssize_t n = write (fd, data, len);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return FALSE;
      data += n;
      len -= (gsize) n;
    }
  return TRUE;
}

gboolean
hn_file_write_atomic (const char *path, const void *data, gsize len, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (path);
  g_autofree char *temporary = g_strconcat (path, ".XXXXXX", NULL);
  int fd;
  int dir_fd;
  int saved_errno = 0;

  fd = g_mkstemp_full (temporary, O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0)
    return fail (error, errno, "create a file beside", path);
  if (!write_all (fd, data, len) || fsync (fd) < 0)
    saved_errno = errno != 0 ? errno : EIO;
  if (close (fd) < 0 && saved_errno == 0)
    saved_errno = errno;
  if (saved_errno == 0 && rename (temporary, path) < 0)
    saved_errno = errno;
  if (saved_errno != 0)
    {
      unlink (temporary);
      return fail (error, saved_errno, "write", path);
    }

  dir_fd = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir_fd < 0)
    return fail (error, errno, "open", directory);
  /* Some file systems know no fsync of a directory; the file itself is safe by then. */
  if (fsync (dir_fd) < 0 && errno != EINVAL && errno != EROFS)
    saved_errno = errno;
  close (dir_fd);
  return saved_errno == 0 || fail (error, saved_errno, "flush", directory);
}

gboolean
hn_file_read (const char *path, gsize max, guint8 **data, gsize *len, GError **error)
{
  g_autofree guint8 *buffer = NULL;
  struct stat st;
  gsize used = 0;
  gsize size;
  int fd;

  *data = NULL;
  *len = 0;
  fd = open (path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return fail (error, errno, "open", path);
  if (fstat (fd, &st) < 0 || !S_ISREG (st.st_mode))
    {
      close (fd);
      g_set_error (error, HN_ERROR, HN_ERROR_FAILED, "%s is no plain file", path);
      return FALSE;
    }
  if ((guint64) st.st_size > max)
    {
      close (fd);
      g_set_error (error, HN_ERROR, HN_ERROR_FAILED, "%s has more than %" G_GSIZE_FORMAT " bytes",
                   path, max);
      return FALSE;
    }

  /* One byte more than expected, to see the end; the file may still grow under our hands. */
  size = (gsize) st.st_size + 1;
  buffer = g_malloc (size + 1);
  while (used < size)
    {
      ssize_t n = read (fd, buffer + used, size - used);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        {
          int saved_errno = errno;

          close (fd);
          hn_wipe (buffer, used);
          return fail (error, saved_errno, "read", path);
        }
      if (n == 0)
        break;
      used += (gsize) n;
    }
  close (fd);
  if (used == size)
    {
      hn_wipe (buffer, used);
      g_set_error (error, HN_ERROR, HN_ERROR_FAILED, "%s changed while it was read", path);
      return FALSE;
    }
  buffer[used] = '\0';
  *data = g_steal_pointer (&buffer);
  *len = used;
  return TRUE;
}

gboolean
hn_file_remove_directory (const char *path, GError **error)
{
  DIR *dir;
  struct dirent *entry;
  int fd;

  fd = open (path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return fail (error, errno, "open", path);
  dir = fdopendir (fd);
  if (dir == NULL)
    {
      int saved_errno = errno;

      close (fd);
      return fail (error, saved_errno, "open", path);
    }
  while ((entry = readdir (dir)) != NULL)
    {
      if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0)
        continue;
      if (unlinkat (fd, entry->d_name, 0) < 0)
        {
          g_autofree char *child = g_build_filename (path, entry->d_name, NULL);
          int saved_errno = errno;

          closedir (dir);
          return fail (error, saved_errno, "remove", child);
        }
    }
  closedir (dir);
  if (rmdir (path) < 0)
    return fail (error, errno, "remove", path);
  return TRUE;
}
