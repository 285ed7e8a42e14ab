/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "headnet-relay.h"

#include "headnet-values-private.h"

/* Never changes once made; lives in an atomic reference counted box. */
struct _HeadnetRelay
{
  guint id;
  char *code;
  char *name;
  guint64 latency;
};

G_DEFINE_BOXED_TYPE (HeadnetRelay, headnet_relay, headnet_relay_ref, headnet_relay_unref)

HeadnetRelay *
headnet_relay_new_from_dict (GVariant *dict)
{
  HeadnetRelay *self;

  if (g_variant_n_children (dict) == 0)
    return NULL;
  self = g_atomic_rc_box_new0 (HeadnetRelay);
  g_variant_lookup (dict, "Id", "u", &self->id);
  g_variant_lookup (dict, "Code", "s", &self->code);
  g_variant_lookup (dict, "Name", "s", &self->name);
  g_variant_lookup (dict, "Latency", "t", &self->latency);
  if (self->code == NULL)
    self->code = g_strdup ("");
  if (self->name == NULL)
    self->name = g_strdup ("");
  return self;
}

gboolean
headnet_relay_equal (const HeadnetRelay *a, const HeadnetRelay *b)
{
  if (a == NULL || b == NULL)
    return a == b;
  return a->id == b->id && g_str_equal (a->code, b->code) && g_str_equal (a->name, b->name)
         && a->latency == b->latency;
}

/**
 * headnet_relay_ref:
 * @self: a relay
 *
 * Returns: (transfer full): @self, with one more reference
 *
 * Since: 1.0
 */
HeadnetRelay *
headnet_relay_ref (HeadnetRelay *self)
{
  g_return_val_if_fail (self != NULL, NULL);
  return g_atomic_rc_box_acquire (self);
}

static void
clear (gpointer data)
{
  HeadnetRelay *self = data;

  g_free (self->code);
  g_free (self->name);
}

/**
 * headnet_relay_unref:
 * @self: (transfer full): a relay
 *
 * Gives a reference up.
 *
 * Since: 1.0
 */
void
headnet_relay_unref (HeadnetRelay *self)
{
  g_return_if_fail (self != NULL);
  g_atomic_rc_box_release_full (self, clear);
}

/**
 * headnet_relay_get_id:
 * @self: a relay
 *
 * Returns: its number
 *
 * Since: 1.0
 */
guint
headnet_relay_get_id (HeadnetRelay *self)
{
  g_return_val_if_fail (self != NULL, 0);
  return self->id;
}

/**
 * headnet_relay_get_code:
 * @self: a relay
 *
 * Returns: its short name
 *
 * Since: 1.0
 */
const char *
headnet_relay_get_code (HeadnetRelay *self)
{
  g_return_val_if_fail (self != NULL, NULL);
  return self->code;
}

/**
 * headnet_relay_get_name:
 * @self: a relay
 *
 * Returns: its name for people
 *
 * Since: 1.0
 */
const char *
headnet_relay_get_name (HeadnetRelay *self)
{
  g_return_val_if_fail (self != NULL, NULL);
  return self->name;
}

/**
 * headnet_relay_get_latency:
 * @self: a relay
 *
 * Returns: how far away it is, in microseconds; 0 while not measured
 *
 * Since: 1.0
 */
guint64
headnet_relay_get_latency (HeadnetRelay *self)
{
  g_return_val_if_fail (self != NULL, 0);
  return self->latency;
}
