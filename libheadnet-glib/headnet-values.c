/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "headnet-values-private.h"

#include <string.h>

#define AT(type, field, object) (*(type *) (gpointer) ((char *) (object) + (field)->offset))

static const GVariantType *
type_of_kind (HeadnetKind kind)
{
  switch (kind)
    {
    case HEADNET_KIND_STRING:
    case HEADNET_KIND_ENUM:
      return G_VARIANT_TYPE_STRING;
    case HEADNET_KIND_STRV:
      return G_VARIANT_TYPE_STRING_ARRAY;
    case HEADNET_KIND_BOOLEAN:
      return G_VARIANT_TYPE_BOOLEAN;
    case HEADNET_KIND_INT64:
      return G_VARIANT_TYPE_INT64;
    case HEADNET_KIND_UINT:
      return G_VARIANT_TYPE_UINT32;
    case HEADNET_KIND_UINT64:
      return G_VARIANT_TYPE_UINT64;
    case HEADNET_KIND_USER:
    case HEADNET_KIND_RELAY:
    case HEADNET_KIND_DICT:
      return G_VARIANT_TYPE_VARDICT;
    }
  g_return_val_if_reached (NULL);
}

static int
parse_enum (GType type, GVariant *value)
{
  GEnumClass *klass = g_type_class_ref (type);
  GEnumValue *found
      = value != NULL ? g_enum_get_value_by_nick (klass, g_variant_get_string (value, NULL)) : NULL;
  int number = found != NULL ? found->value : 0;

  g_type_class_unref (klass);
  return number;
}

static gboolean
set_string (char **at, GVariant *value)
{
  const char *text = value != NULL ? g_variant_get_string (value, NULL) : "";

  if (strcmp (*at != NULL ? *at : "", text) == 0)
    return FALSE;
  g_free (*at);
  *at = text[0] != '\0' ? g_strdup (text) : NULL;
  return TRUE;
}

static gboolean
set_strv (GStrv *at, GVariant *value)
{
  static const char *const none[] = { NULL };
  gboolean empty = value == NULL || g_variant_n_children (value) == 0;
  g_autofree const char **fresh = NULL;

  if (empty && *at == NULL)
    return FALSE;
  fresh = empty ? NULL : g_variant_get_strv (value, NULL);
  if (*at != NULL && g_strv_equal ((const char *const *) *at, empty ? none : fresh))
    return FALSE;
  g_strfreev (*at);
  *at = empty ? NULL : g_strdupv ((char **) fresh);
  return TRUE;
}

static gboolean
set_user (HeadnetUser **at, GVariant *value)
{
  g_autoptr (HeadnetUser) fresh = value != NULL ? headnet_user_new_from_dict (value) : NULL;

  if (headnet_user_equal (*at, fresh))
    return FALSE;
  g_clear_pointer (at, headnet_user_unref);
  *at = g_steal_pointer (&fresh);
  return TRUE;
}

static gboolean
set_relay (HeadnetRelay **at, GVariant *value)
{
  g_autoptr (HeadnetRelay) fresh = value != NULL ? headnet_relay_new_from_dict (value) : NULL;

  if (headnet_relay_equal (*at, fresh))
    return FALSE;
  g_clear_pointer (at, headnet_relay_unref);
  *at = g_steal_pointer (&fresh);
  return TRUE;
}

static gboolean
set_dict (GVariant **at, GVariant *value)
{
  if (value != NULL && g_variant_n_children (value) == 0)
    value = NULL;
  if (value == *at || (value != NULL && *at != NULL && g_variant_equal (value, *at)))
    return FALSE;
  g_clear_pointer (at, g_variant_unref);
  *at = value != NULL ? g_variant_ref (value) : NULL;
  return TRUE;
}

/* Assigns a plain value and tells from within the function whether it is another one. */
#define SET_PLAIN(type, value)                                                                     \
  G_STMT_START                                                                                     \
  {                                                                                                \
    type fresh = (value);                                                                          \
    gboolean changed = AT (type, field, object) != fresh;                                          \
    AT (type, field, object) = fresh;                                                              \
    return changed;                                                                                \
  }                                                                                                \
  G_STMT_END

gboolean
headnet_field_set (const HeadnetField *field, gpointer object, GVariant *value)
{
  if (value != NULL && !g_variant_is_of_type (value, type_of_kind (field->kind)))
    value = NULL;
  switch (field->kind)
    {
    case HEADNET_KIND_STRING:
      return set_string (&AT (char *, field, object), value);
    case HEADNET_KIND_STRV:
      return set_strv (&AT (GStrv, field, object), value);
    case HEADNET_KIND_BOOLEAN:
      SET_PLAIN (gboolean, value != NULL && g_variant_get_boolean (value));
    case HEADNET_KIND_INT64:
      SET_PLAIN (gint64, value != NULL ? g_variant_get_int64 (value) : 0);
    case HEADNET_KIND_UINT:
      SET_PLAIN (guint, value != NULL ? g_variant_get_uint32 (value) : 0);
    case HEADNET_KIND_UINT64:
      SET_PLAIN (guint64, value != NULL ? g_variant_get_uint64 (value) : 0);
    case HEADNET_KIND_ENUM:
      SET_PLAIN (int, parse_enum (field->type (), value));
    case HEADNET_KIND_USER:
      return set_user (&AT (HeadnetUser *, field, object), value);
    case HEADNET_KIND_RELAY:
      return set_relay (&AT (HeadnetRelay *, field, object), value);
    case HEADNET_KIND_DICT:
      return set_dict (&AT (GVariant *, field, object), value);
    }
  g_return_val_if_reached (FALSE);
}

void
headnet_field_get (const HeadnetField *field, gpointer object, GValue *value)
{
  static const char *const none[] = { NULL };

  switch (field->kind)
    {
    case HEADNET_KIND_STRING:
      g_value_set_string (value,
                          AT (char *, field, object) != NULL ? AT (char *, field, object) : "");
      return;
    case HEADNET_KIND_STRV:
      g_value_set_boxed (value, AT (GStrv, field, object) != NULL
                                    ? (gconstpointer) AT (GStrv, field, object)
                                    : (gconstpointer) none);
      return;
    case HEADNET_KIND_BOOLEAN:
      g_value_set_boolean (value, AT (gboolean, field, object));
      return;
    case HEADNET_KIND_INT64:
      g_value_set_int64 (value, AT (gint64, field, object));
      return;
    case HEADNET_KIND_UINT:
      g_value_set_uint (value, AT (guint, field, object));
      return;
    case HEADNET_KIND_UINT64:
      g_value_set_uint64 (value, AT (guint64, field, object));
      return;
    case HEADNET_KIND_ENUM:
      g_value_set_enum (value, AT (int, field, object));
      return;
    case HEADNET_KIND_USER:
    case HEADNET_KIND_RELAY:
      g_value_set_boxed (value, AT (gpointer, field, object));
      return;
    case HEADNET_KIND_DICT:
      g_value_set_variant (value, AT (GVariant *, field, object));
      return;
    }
}

void
headnet_field_clear (const HeadnetField *field, gpointer object)
{
  switch (field->kind)
    {
    case HEADNET_KIND_STRING:
      g_clear_pointer (&AT (char *, field, object), g_free);
      return;
    case HEADNET_KIND_STRV:
      g_clear_pointer (&AT (GStrv, field, object), g_strfreev);
      return;
    case HEADNET_KIND_USER:
      g_clear_pointer (&AT (HeadnetUser *, field, object), headnet_user_unref);
      return;
    case HEADNET_KIND_RELAY:
      g_clear_pointer (&AT (HeadnetRelay *, field, object), headnet_relay_unref);
      return;
    case HEADNET_KIND_DICT:
      g_clear_pointer (&AT (GVariant *, field, object), g_variant_unref);
      return;
    case HEADNET_KIND_BOOLEAN:
    case HEADNET_KIND_INT64:
    case HEADNET_KIND_UINT:
    case HEADNET_KIND_UINT64:
    case HEADNET_KIND_ENUM:
      return;
    }
}

GParamSpec *
headnet_field_spec (const HeadnetField *field)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  const char *name = field->property;
  const char *blurb = field->blurb;

  switch (field->kind)
    {
    case HEADNET_KIND_STRING:
      return g_param_spec_string (name, NULL, blurb, "", flags);
    case HEADNET_KIND_STRV:
      return g_param_spec_boxed (name, NULL, blurb, G_TYPE_STRV, flags);
    case HEADNET_KIND_BOOLEAN:
      return g_param_spec_boolean (name, NULL, blurb, FALSE, flags);
    case HEADNET_KIND_INT64:
      return g_param_spec_int64 (name, NULL, blurb, G_MININT64, G_MAXINT64, 0, flags);
    case HEADNET_KIND_UINT:
      return g_param_spec_uint (name, NULL, blurb, 0, G_MAXUINT, 0, flags);
    case HEADNET_KIND_UINT64:
      return g_param_spec_uint64 (name, NULL, blurb, 0, G_MAXUINT64, 0, flags);
    case HEADNET_KIND_ENUM:
      return g_param_spec_enum (name, NULL, blurb, field->type (), 0, flags);
    case HEADNET_KIND_USER:
      return g_param_spec_boxed (name, NULL, blurb, HEADNET_TYPE_USER, flags);
    case HEADNET_KIND_RELAY:
      return g_param_spec_boxed (name, NULL, blurb, HEADNET_TYPE_RELAY, flags);
    case HEADNET_KIND_DICT:
      return g_param_spec_variant (name, NULL, blurb, G_VARIANT_TYPE_VARDICT, NULL, flags);
    }
  g_return_val_if_reached (NULL);
}

const HeadnetField *
headnet_field_find (const HeadnetField *fields, guint n_fields, const char *key, guint *hint)
{
  for (guint i = 0; i < n_fields; i++)
    {
      guint at = (*hint + i) % n_fields;

      if (strcmp (fields[at].key, key) == 0)
        {
          *hint = (at + 1) % n_fields;
          return &fields[at];
        }
    }
  return NULL;
}
