/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/hn-hash.h"

#include <string.h>
#include <sys/random.h>

typedef struct
{
  guint64 seed;
  guint64 factor; /* odd */
} Secret;

static const Secret *
get_secret (void)
{
  static Secret secret;
  static gsize ready;

  if (g_once_init_enter (&ready))
    {
      if (getrandom (&secret, sizeof secret, 0) != (gssize) sizeof secret)
        g_error ("there are no random numbers");
      secret.factor |= 1;
      g_once_init_leave (&ready, 1);
    }
  return &secret;
}

guint
hn_hash_bytes (gconstpointer data, gsize len)
{
  const Secret *secret = get_secret ();
  const guint8 *p = data;
  guint64 hash = secret->seed ^ len;

  while (len > 0)
    {
      guint64 word = 0;
      gsize n = MIN (len, sizeof word);

      memcpy (&word, p, n);
      hash = (hash ^ word) * secret->factor;
      hash ^= hash >> 29;
      /* Twice: what one product makes of the highest bit is known, whatever the factor. */
      hash *= secret->factor;
      p += n;
      len -= n;
    }
  hash *= secret->factor;
  return (guint) (hash >> 32);
}

guint
hn_hash_text (gconstpointer text)
{
  return hn_hash_bytes (text, strlen (text));
}
