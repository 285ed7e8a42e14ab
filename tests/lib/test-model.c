/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The objects of the library without a bus: what a list of peers tells of a change, and what not. */
#include <string.h>

#include "headnet-enum-types.h"
#include "headnet-error.h"
#include "headnet-peer-list-private.h"
#include "headnet-peer-private.h"
#include "headnet-values-private.h"

#define MANY 10000

typedef struct
{
  guint position, removed, added, calls;
} Seen;

static void
on_items_changed (GListModel *model, guint position, guint removed, guint added, gpointer data)
{
  Seen *seen = data;

  *seen = (Seen){ position, removed, added, seen->calls + 1 };
}

static void
assert_seen (Seen *seen, guint calls, guint position, guint removed, guint added)
{
  g_assert_cmpuint (seen->calls, ==, calls);
  g_assert_cmpuint (seen->position, ==, position);
  g_assert_cmpuint (seen->removed, ==, removed);
  g_assert_cmpuint (seen->added, ==, added);
  seen->calls = 0;
}

static void
on_notify (GObject *object, GParamSpec *pspec, gpointer data)
{
  g_string_append_printf (data, "%s ", g_param_spec_get_name (pspec));
}

static GVariant *
one (guint number, const char *name, const char *path)
{
  g_autofree char *id = g_strdup_printf ("n%u", number);
  GVariantDict dict;

  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert (&dict, "Id", "s", id);
  g_variant_dict_insert (&dict, "Name", "s", name);
  g_variant_dict_insert (&dict, "Path", "s", path);
  return g_variant_dict_end (&dict);
}

/* An aa{sv}; ends with NULL. (transfer full) */
static GVariant *
list (GVariant *first, ...)
{
  GVariantBuilder builder;
  va_list args;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("aa{sv}"));
  va_start (args, first);
  for (GVariant *dict = first; dict != NULL; dict = va_arg (args, GVariant *))
    g_variant_builder_add_value (&builder, dict);
  va_end (args);
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

static void
apply (HeadnetPeerList *peers, GVariant *dict, const char *gone)
{
  g_autoptr (GVariant) changed = list (dict, NULL);
  g_autoptr (GVariant) removed
      = g_variant_ref_sink (g_variant_new_strv (&gone, gone != NULL ? 1 : 0));

  headnet_peer_list_apply (peers, changed, removed);
}

static char *
names (HeadnetPeerList *peers)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (peers)); i++)
    {
      g_autoptr (HeadnetPeer) peer = g_list_model_get_item (G_LIST_MODEL (peers), i);

      g_string_append (text, headnet_peer_get_name (peer));
    }
  return g_string_free (text, FALSE);
}

static void
assert_names (HeadnetPeerList *peers, const char *expected)
{
  g_autofree char *found = names (peers);

  g_assert_cmpstr (found, ==, expected);
}

static void
test_delta (void)
{
  g_autoptr (HeadnetPeerList) peers = headnet_peer_list_new ();
  g_autoptr (GVariant) start
      = list (one (1, "b", "none"), one (2, "d", "none"), one (3, "f", "none"), NULL);
  g_autoptr (GString) notified = g_string_new (NULL);
  g_autoptr (HeadnetPeer) second = NULL;
  Seen seen = { 0 };

  g_signal_connect (peers, "items-changed", G_CALLBACK (on_items_changed), &seen);
  headnet_peer_list_load (peers, start);
  assert_seen (&seen, 1, 0, 0, 3);
  assert_names (peers, "bdf");
  second = g_list_model_get_item (G_LIST_MODEL (peers), 1);
  g_signal_connect (second, "notify", G_CALLBACK (on_notify), notified);

  apply (peers, one (2, "d", "direct"), NULL);
  g_assert_cmpstr (notified->str, ==, "path ");
  g_assert_cmpint (headnet_peer_get_path (second), ==, HEADNET_PATH_DIRECT);
  g_assert_cmpuint (seen.calls, ==, 0);

  /* the same again is no news */
  apply (peers, one (2, "d", "direct"), NULL);
  g_assert_cmpstr (notified->str, ==, "path ");

  apply (peers, one (4, "c", "none"), NULL);
  assert_seen (&seen, 1, 1, 0, 1);
  apply (peers, NULL, "n1");
  assert_seen (&seen, 1, 0, 1, 0);
  apply (peers, NULL, "nobody");
  g_assert_cmpuint (seen.calls, ==, 0);

  /* another name is another place, and the same object */
  apply (peers, one (2, "z", "direct"), NULL);
  assert_seen (&seen, 2, 2, 0, 1);
  assert_names (peers, "cfz");
  g_assert_true (headnet_peer_list_lookup (peers, "n2") == second);
  g_assert_cmpstr (notified->str, ==, "path name ");
}

static void
test_reload (void)
{
  g_autoptr (HeadnetPeerList) peers = headnet_peer_list_new ();
  g_autoptr (GVariant) start
      = list (one (1, "a", "none"), one (2, "b", "none"), one (3, "c", "none"), NULL);
  g_autoptr (GVariant) other = list (one (3, "c", "relay"), one (5, "bb", "none"),
                                     one (1, "a", "none"), one (1, "again", "none"), NULL);
  HeadnetPeer *third;
  Seen seen = { 0 };

  headnet_peer_list_load (peers, start);
  third = headnet_peer_list_lookup (peers, "n3");
  g_signal_connect (peers, "items-changed", G_CALLBACK (on_items_changed), &seen);
  headnet_peer_list_load (peers, start);
  g_assert_cmpuint (seen.calls, ==, 0);
  headnet_peer_list_load (peers, other);
  assert_seen (&seen, 1, 1, 1, 1);
  assert_names (peers, "abbc");
  g_assert_true (headnet_peer_list_lookup (peers, "n3") == third);
  g_assert_null (headnet_peer_list_lookup (peers, "n2"));
  headnet_peer_list_load (peers, NULL);
  assert_seen (&seen, 1, 0, 3, 0);
}

static void
test_odd (void)
{
  g_autoptr (HeadnetPeerList) peers = headnet_peer_list_new ();
  g_autoptr (GVariant) dict = g_variant_ref_sink (g_variant_new_parsed (
      "{'Id': <'x'>, 'Id': <'y'>, 'Name': <5>, 'Addresses': <'no'>, 'Path': <'teleport'>, "
      "'User': <@a{sv} {}>, 'Future': <1>, 'Online': <'yes'>, 'Tags': <['tag:a']>}"));
  g_autoptr (GVariant) odd = list (dict, g_variant_new_parsed ("{'Name': <'nameless'>}"),
                                   g_variant_new_parsed ("{'Id': <''>}"),
                                   g_variant_new_parsed ("{'Id': <uint32 5>}"), NULL);
  HeadnetPeer *peer;

  headnet_peer_list_load (peers, odd);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (peers)), ==, 1);
  peer = headnet_peer_list_lookup (peers, "x");
  g_assert_nonnull (peer);
  g_assert_cmpstr (headnet_peer_get_name (peer), ==, "");
  g_assert_cmpuint (g_strv_length ((GStrv) headnet_peer_get_addresses (peer)), ==, 0);
  g_assert_cmpstr (headnet_peer_get_tags (peer)[0], ==, "tag:a");
  g_assert_cmpint (headnet_peer_get_path (peer), ==, HEADNET_PATH_NONE);
  g_assert_null (headnet_peer_get_user (peer));
  g_assert_false (headnet_peer_get_online (peer));
  apply (peers, one (0, "late", "none"), "x");
  assert_names (peers, "late");
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Whatever is done to it, the list is what a plain one would be. */
static void
test_random (void)
{
  g_autoptr (HeadnetPeerList) peers = headnet_peer_list_new ();
  char *model[50] = { NULL };

  for (guint step = 0; step < 1000; step++)
    {
      guint number = (guint) g_test_rand_int_range (0, G_N_ELEMENTS (model));
      gboolean gone = g_test_rand_int_range (0, 3) == 0;
      g_autofree char *id = g_strdup_printf ("n%u", number);
      g_autofree char *name
          = g_strdup_printf ("%03d-%02u ", g_test_rand_int_range (0, 100), number);
      g_autoptr (GString) expected = g_string_new (NULL);
      g_autoptr (GPtrArray) sorted = g_ptr_array_new ();

      apply (peers, gone ? NULL : one (number, name, "none"), gone ? id : NULL);
      g_free (model[number]);
      model[number] = gone ? NULL : g_steal_pointer (&name);
      for (guint i = 0; i < G_N_ELEMENTS (model); i++)
        if (model[i] != NULL)
          g_ptr_array_add (sorted, model[i]);
      g_ptr_array_sort (sorted, compare_names);
      for (guint i = 0; i < sorted->len; i++)
        g_string_append (expected, sorted->pdata[i]);
      assert_names (peers, expected->str);
    }
  for (guint i = 0; i < G_N_ELEMENTS (model); i++)
    g_free (model[i]);
}

/* The change of one among many, in what it costs beside the change of one among few. */
static void
test_many (void)
{
  g_autoptr (HeadnetPeerList) peers = headnet_peer_list_new ();
  GVariantBuilder builder;
  g_autoptr (GVariant) all = NULL;
  gint64 begin, spent;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; i < MANY; i++)
    {
      g_autofree char *name = g_strdup_printf ("peer-%05u", i);

      g_variant_builder_add_value (&builder, one (i, name, "none"));
    }
  all = g_variant_ref_sink (g_variant_builder_end (&builder));
  begin = g_get_monotonic_time ();
  headnet_peer_list_load (peers, all);
  g_test_message ("%d peers into the list: %" G_GINT64_FORMAT " us", MANY,
                  g_get_monotonic_time () - begin);
  begin = g_get_monotonic_time ();
  for (guint i = 0; i < 1000; i++)
    {
      g_autofree char *name = g_strdup_printf ("peer-%05u%s", i * 7 % MANY, i % 2 ? "x" : "");

      apply (peers, one (i * 7 % MANY, name, "direct"), NULL);
    }
  spent = g_get_monotonic_time () - begin;
  g_test_message ("one change: %.1f us", (double) spent / 1000);
  g_assert_cmpint (spent / 1000, <, 1000);
}

static void
test_bus_errors (void)
{
  static const struct
  {
    const char *name;
    int code;
  } table[] = {
    { "org.headnet.Headnet1.Error.NotFound", HEADNET_ERROR_NOT_FOUND },
    { "org.headnet.Headnet1.Error.Busy", HEADNET_ERROR_BUSY },
    { "org.headnet.Headnet1.Error.Unheard", HEADNET_ERROR_FAILED },
    { "org.freedesktop.DBus.Error.ServiceUnknown", HEADNET_ERROR_NO_SERVICE },
    { "org.freedesktop.DBus.Error.AccessDenied", HEADNET_ERROR_NOT_AUTHORIZED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GError) bus = g_dbus_error_new_for_dbus_error (table[i].name, "A sentence");
      g_autoptr (GError) ours = headnet_error_new_from_bus (bus);

      g_assert_error (ours, HEADNET_ERROR, table[i].code);
      g_assert_null (strstr (ours->message, "GDBus.Error"));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/lib/peers/delta", test_delta);
  g_test_add_func ("/lib/peers/reload", test_reload);
  g_test_add_func ("/lib/peers/odd", test_odd);
  g_test_add_func ("/lib/peers/random", test_random);
  g_test_add_func ("/lib/peers/many", test_many);
  g_test_add_func ("/lib/errors", test_bus_errors);
  return g_test_run ();
}
