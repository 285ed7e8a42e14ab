/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "headnet-health-item.h"

#include "headnet-enum-types.h"
#include "headnet-values-private.h"

/**
 * HeadnetHealthItem:
 *
 * Something that is wrong with a tailnet, and what a person can do about it. An item never changes;
 * see [method@Headnet.Tailnet.get_health].
 *
 * Since: 1.0
 */
struct _HeadnetHealthItem
{
  GObject parent_instance;

  char *id;
  int severity;
  char *title;
  char *text;
  char *action;
  gint64 since;
};

/**
 * HeadnetHealthItem:id: (getter get_id)
 *
 * Stable id, such as control-unreachable.
 *
 * Since: 1.0
 */

/**
 * HeadnetHealthItem:severity: (getter get_severity)
 *
 * How bad it is.
 *
 * Since: 1.0
 */

/**
 * HeadnetHealthItem:title: (getter get_title)
 *
 * What it is, in a few words.
 *
 * Since: 1.0
 */

/**
 * HeadnetHealthItem:text: (getter get_text)
 *
 * What it is, and what to do.
 *
 * Since: 1.0
 */

/**
 * HeadnetHealthItem:action: (getter get_action)
 *
 * What can be done: login, approve, renew, trust, url:ADDRESS or empty.
 *
 * Since: 1.0
 */

/**
 * HeadnetHealthItem:since: (getter get_since)
 *
 * When it began, in seconds since 1970 UTC.
 *
 * Since: 1.0
 */

static const HeadnetField fields[] = {
  { "Id", "id", G_STRUCT_OFFSET (HeadnetHealthItem, id), NULL,
    "Stable id, such as control-unreachable", HEADNET_KIND_STRING, FALSE },
  { "Severity", "severity", G_STRUCT_OFFSET (HeadnetHealthItem, severity),
    headnet_severity_get_type, "How bad it is", HEADNET_KIND_ENUM, FALSE },
  { "Title", "title", G_STRUCT_OFFSET (HeadnetHealthItem, title), NULL,
    "What it is, in a few words", HEADNET_KIND_STRING, FALSE },
  { "Text", "text", G_STRUCT_OFFSET (HeadnetHealthItem, text), NULL, "What it is, and what to do",
    HEADNET_KIND_STRING, FALSE },
  { "Action", "action", G_STRUCT_OFFSET (HeadnetHealthItem, action), NULL,
    "What can be done: login, approve, renew, trust, url:ADDRESS or empty", HEADNET_KIND_STRING,
    FALSE },
  { "Since", "since", G_STRUCT_OFFSET (HeadnetHealthItem, since), NULL,
    "When it began, in seconds since 1970 UTC", HEADNET_KIND_INT64, FALSE },
};

/* Properties have the number of their field, from 1. */
static GParamSpec *properties[G_N_ELEMENTS (fields) + 1];

G_DEFINE_FINAL_TYPE (HeadnetHealthItem, headnet_health_item, G_TYPE_OBJECT)

static void
headnet_health_item_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  headnet_field_get (&fields[id - 1], object, value);
}

static void
headnet_health_item_finalize (GObject *object)
{
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    headnet_field_clear (&fields[i], object);
  G_OBJECT_CLASS (headnet_health_item_parent_class)->finalize (object);
}

static void
headnet_health_item_class_init (HeadnetHealthItemClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = headnet_health_item_get_property;
  object_class->finalize = headnet_health_item_finalize;
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    properties[i + 1] = headnet_field_spec (&fields[i]);
  g_object_class_install_properties (object_class, G_N_ELEMENTS (properties), properties);
}

static void
headnet_health_item_init (HeadnetHealthItem *self)
{
}

HeadnetHealthItem *
headnet_health_item_new_from_dict (GVariant *dict)
{
  HeadnetHealthItem *self = g_object_new (HEADNET_TYPE_HEALTH_ITEM, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      g_autoptr (GVariant) value = g_variant_lookup_value (dict, fields[i].key, NULL);

      headnet_field_set (&fields[i], self, value);
    }
  return self;
}

/**
 * headnet_health_item_get_id:
 * @self: a health item
 *
 * Returns: stable id, such as control-unreachable
 *
 * Since: 1.0
 */
const char *
headnet_health_item_get_id (HeadnetHealthItem *self)
{
  g_return_val_if_fail (HEADNET_IS_HEALTH_ITEM (self), "");
  return self->id != NULL ? self->id : "";
}

/**
 * headnet_health_item_get_severity:
 * @self: a health item
 *
 * Returns: how bad it is
 *
 * Since: 1.0
 */
HeadnetSeverity
headnet_health_item_get_severity (HeadnetHealthItem *self)
{
  g_return_val_if_fail (HEADNET_IS_HEALTH_ITEM (self), HEADNET_SEVERITY_INFO);
  return (HeadnetSeverity) self->severity;
}

/**
 * headnet_health_item_get_title:
 * @self: a health item
 *
 * Returns: what it is, in a few words
 *
 * Since: 1.0
 */
const char *
headnet_health_item_get_title (HeadnetHealthItem *self)
{
  g_return_val_if_fail (HEADNET_IS_HEALTH_ITEM (self), "");
  return self->title != NULL ? self->title : "";
}

/**
 * headnet_health_item_get_text:
 * @self: a health item
 *
 * Returns: what it is, and what to do
 *
 * Since: 1.0
 */
const char *
headnet_health_item_get_text (HeadnetHealthItem *self)
{
  g_return_val_if_fail (HEADNET_IS_HEALTH_ITEM (self), "");
  return self->text != NULL ? self->text : "";
}

/**
 * headnet_health_item_get_action:
 * @self: a health item
 *
 * Returns: what can be done: login, approve, renew, trust, url:ADDRESS or empty
 *
 * Since: 1.0
 */
const char *
headnet_health_item_get_action (HeadnetHealthItem *self)
{
  g_return_val_if_fail (HEADNET_IS_HEALTH_ITEM (self), "");
  return self->action != NULL ? self->action : "";
}

/**
 * headnet_health_item_get_since:
 * @self: a health item
 *
 * Returns: when it began, in seconds since 1970 UTC
 *
 * Since: 1.0
 */
gint64
headnet_health_item_get_since (HeadnetHealthItem *self)
{
  g_return_val_if_fail (HEADNET_IS_HEALTH_ITEM (self), 0);
  return self->since;
}
