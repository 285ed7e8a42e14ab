/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "headnet-user.h"

#include "headnet-values-private.h"

/* Never changes once made; lives in an atomic reference counted box. */
struct _HeadnetUser
{
  gint64 id;
  char *login_name;
  char *display_name;
};

G_DEFINE_BOXED_TYPE (HeadnetUser, headnet_user, headnet_user_ref, headnet_user_unref)

HeadnetUser *
headnet_user_new_from_dict (GVariant *dict)
{
  HeadnetUser *self;

  if (g_variant_n_children (dict) == 0)
    return NULL;
  self = g_atomic_rc_box_new0 (HeadnetUser);
  g_variant_lookup (dict, "Id", "x", &self->id);
  g_variant_lookup (dict, "LoginName", "s", &self->login_name);
  g_variant_lookup (dict, "DisplayName", "s", &self->display_name);
  if (self->login_name == NULL)
    self->login_name = g_strdup ("");
  if (self->display_name == NULL)
    self->display_name = g_strdup ("");
  return self;
}

gboolean
headnet_user_equal (const HeadnetUser *a, const HeadnetUser *b)
{
  if (a == NULL || b == NULL)
    return a == b;
  return a->id == b->id && g_str_equal (a->login_name, b->login_name)
         && g_str_equal (a->display_name, b->display_name);
}

/**
 * headnet_user_ref:
 * @self: a user
 *
 * Returns: (transfer full): @self, with one more reference
 *
 * Since: 1.0
 */
HeadnetUser *
headnet_user_ref (HeadnetUser *self)
{
  g_return_val_if_fail (self != NULL, NULL);
  return g_atomic_rc_box_acquire (self);
}

static void
clear (gpointer data)
{
  HeadnetUser *self = data;

  g_free (self->login_name);
  g_free (self->display_name);
}

/**
 * headnet_user_unref:
 * @self: (transfer full): a user
 *
 * Gives a reference up.
 *
 * Since: 1.0
 */
void
headnet_user_unref (HeadnetUser *self)
{
  g_return_if_fail (self != NULL);
  g_atomic_rc_box_release_full (self, clear);
}

/**
 * headnet_user_get_id:
 * @self: a user
 *
 * Returns: its number at the server
 *
 * Since: 1.0
 */
gint64
headnet_user_get_id (HeadnetUser *self)
{
  g_return_val_if_fail (self != NULL, 0);
  return self->id;
}

/**
 * headnet_user_get_login_name:
 * @self: a user
 *
 * Returns: what it logs in with, empty when unknown
 *
 * Since: 1.0
 */
const char *
headnet_user_get_login_name (HeadnetUser *self)
{
  g_return_val_if_fail (self != NULL, NULL);
  return self->login_name;
}

/**
 * headnet_user_get_display_name:
 * @self: a user
 *
 * Returns: what to call it, empty when unknown
 *
 * Since: 1.0
 */
const char *
headnet_user_get_display_name (HeadnetUser *self)
{
  g_return_val_if_fail (self != NULL, NULL);
  return self->display_name;
}
