/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secret text (pre-auth keys, login URLs): reference counted, wiped when the last reference goes,
 * with no way to print it but the one that says so.
 */
#pragma once

#include <glib.h>

typedef struct _HnSecretText HnSecretText;

/* Copies @text; the caller still has to wipe its own copy. */
HnSecretText *hn_secret_text_new (const char *text);
/* Takes @text, a g_malloc()ed string, and wipes it when done. */
HnSecretText *hn_secret_text_new_take (char *text);
HnSecretText *hn_secret_text_ref (HnSecretText *self);
void hn_secret_text_unref (HnSecretText *self);
/* Borrowed; for handing to the wire only. */
const char *hn_secret_text_reveal (const HnSecretText *self);
gsize hn_secret_text_length (const HnSecretText *self);

/* Overwrites memory in a way that the compiler keeps. */
void hn_wipe (void *data, gsize len);
/* Compares in time that depends on @len alone. */
gboolean hn_equal_constant_time (const void *a, const void *b, gsize len);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnSecretText, hn_secret_text_unref)
