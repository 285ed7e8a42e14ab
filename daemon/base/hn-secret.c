/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Secret text that is wiped when its last reference goes. */
#include "base/hn-secret.h"

#include <string.h>

struct _HnSecretText
{
  gatomicrefcount refs;
  gsize len;
  char *text; /* owned */
};

HnSecretText *
hn_secret_text_new_take (char *text)
{
  HnSecretText *self = g_new0 (HnSecretText, 1);

  g_atomic_ref_count_init (&self->refs);
  self->text = text;
  self->len = strlen (text);
  return self;
}

HnSecretText *
hn_secret_text_new (const char *text)
{
  return hn_secret_text_new_take (g_strdup (text));
}

HnSecretText *
hn_secret_text_ref (HnSecretText *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
hn_secret_text_unref (HnSecretText *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  hn_wipe (self->text, self->len);
  g_free (self->text);
  g_free (self);
}

const char *
hn_secret_text_reveal (const HnSecretText *self)
{
  return self->text;
}

gsize
hn_secret_text_length (const HnSecretText *self)
{
  return self->len;
}

void
hn_wipe (void *data, gsize len)
{
  if (len > 0)
    explicit_bzero (data, len);
}

gboolean
hn_equal_constant_time (const void *a, const void *b, gsize len)
{
  const volatile guint8 *p = a;
  const volatile guint8 *q = b;
  guint8 difference = 0;

  for (gsize i = 0; i < len; i++)
    difference |= p[i] ^ q[i];
  return difference == 0;
}
