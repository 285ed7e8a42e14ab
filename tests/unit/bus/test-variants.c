/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dictionaries for the bus: the writer against GLib's own builder, and what a peer looks like. */
#include "bus/hn-variants.h"

#include <string.h>

static void
check_same (GVariant *list, const char *expected_text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) expected
      = g_variant_parse (G_VARIANT_TYPE ("aa{sv}"), expected_text, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (g_variant_is_normal_form (list));
  g_assert_cmpvariant (list, expected);
  /* Not just the same value, the same bytes. */
  g_assert_cmpmem (g_variant_get_data (list), g_variant_get_size (list),
                   g_variant_get_data (expected), g_variant_get_size (expected));
}

static void
test_writer (void)
{
  g_autoptr (HnDictionaryWriter) writer = hn_dictionary_writer_new ();
  g_autoptr (GVariant) none = g_variant_ref_sink (hn_dictionary_writer_finish (writer));
  g_autoptr (GVariant) list = NULL;

  check_same (none, "[]");

  hn_dictionary_writer_begin (writer);
  hn_dictionary_writer_end (writer);
  hn_dictionary_writer_begin (writer);
  hn_dictionary_writer_add_text (writer, "Name", "a");
  hn_dictionary_writer_add_text (writer, "Empty", NULL);
  hn_dictionary_writer_add_text (writer, "Bad", "x\xffy");
  hn_dictionary_writer_add_boolean (writer, "Yes", TRUE);
  hn_dictionary_writer_begin_texts (writer, "None");
  hn_dictionary_writer_end_texts (writer);
  hn_dictionary_writer_begin_texts (writer, "Some");
  hn_dictionary_writer_append_text (writer, "");
  hn_dictionary_writer_append_text (writer, "grün");
  hn_dictionary_writer_end_texts (writer);
  hn_dictionary_writer_begin_dictionary (writer, "Nothing");
  hn_dictionary_writer_end_dictionary (writer);
  hn_dictionary_writer_begin_dictionary (writer, "Inner");
  hn_dictionary_writer_add_int64 (writer, "Less", -1);
  hn_dictionary_writer_add_text (writer, "T", "t");
  hn_dictionary_writer_end_dictionary (writer);
  hn_dictionary_writer_add_uint64 (writer, "Last", G_MAXUINT64);
  hn_dictionary_writer_end (writer);
  list = g_variant_ref_sink (hn_dictionary_writer_finish (writer));
  check_same (list, "[{}, {'Name': <'a'>, 'Empty': <''>, 'Bad': <'x\uFFFDy'>, 'Yes': <true>, "
                    "'None': <@as []>, 'Some': <['', 'grün']>, 'Nothing': <@a{sv} {}>, "
                    "'Inner': <{'Less': <int64 -1>, 'T': <'t'>}>, "
                    "'Last': <uint64 18446744073709551615>}]");
}

/* Offsets grow with what they frame: every size around the steps, at each level. */
static void
test_writer_sizes (void)
{
  static const gsize around[] = { 1, 180, 65500 };
  g_autoptr (HnDictionaryWriter) writer = hn_dictionary_writer_new ();

  for (gsize a = 0; a < G_N_ELEMENTS (around); a++)
    for (gsize n = around[a]; n < around[a] + (a == 1 ? 90 : 40); n++)
      {
        g_autofree char *text = g_strnfill (n, 'x');
        g_autofree char *expected
            = g_strdup_printf ("[{'K': <'%s'>}, {'L': <['%s', '%s']>}]", text, text, text);
        g_autoptr (GVariant) list = NULL;

        hn_dictionary_writer_begin (writer);
        hn_dictionary_writer_add_text (writer, "K", text);
        hn_dictionary_writer_end (writer);
        hn_dictionary_writer_begin (writer);
        hn_dictionary_writer_begin_texts (writer, "L");
        hn_dictionary_writer_append_text (writer, text);
        hn_dictionary_writer_append_text (writer, text);
        hn_dictionary_writer_end_texts (writer);
        hn_dictionary_writer_end (writer);
        list = g_variant_ref_sink (hn_dictionary_writer_finish (writer));
        check_same (list, expected);
      }
}

static HnPrefix
prefix (const char *text)
{
  HnPrefix parsed;

  g_assert_true (hn_prefix_parse (text, TRUE, &parsed));
  return parsed;
}

static void
test_peer (void)
{
  const HnPrefix addresses[] = { prefix ("100.64.0.7/32"), prefix ("fd7a::7/128") };
  const HnPrefix allowed[] = { addresses[0],         addresses[1],    prefix ("10.1.0.0/16"),
                               prefix ("0.0.0.0/0"), prefix ("::/0"), prefix ("192.0.2.9/32") };
  const char *tags[] = { "tag:server", NULL };
  const HnNodeFields fields = {
    .id = 9,
    .stable_id = "nXYZ",
    .name = "box.tail.test.",
    .user_id = 3,
    .online = HN_ONLINE_NO,
    .last_seen = 1700000000,
    .host_name = "box",
    .os = "linux",
    .tags = tags,
    .addresses = addresses,
    .n_addresses = G_N_ELEMENTS (addresses),
    .allowed_ips = allowed,
    .n_allowed_ips = G_N_ELEMENTS (allowed),
  };
  const HnNodeFields bare_fields = { .stable_id = "n2", .name = "b", .host_name = "", .os = "" };
  g_autoptr (HnNode) node = hn_node_new (&fields);
  g_autoptr (HnNode) bare_node = hn_node_new (&bare_fields);
  const HnPeerView peer = { node, "anna@example.com", "", FALSE, "direct", "192.0.2.1:41641", "" };
  const HnPeerView bare = { bare_node, "", "", TRUE, "none", "", "" };
  const HnPeerCounters counters = { 1500, 1700000001, 10, 20 };
  g_autoptr (HnDictionaryWriter) writer = hn_dictionary_writer_new ();
  g_autoptr (GVariant) list = NULL;

  hn_variants_write_peer (writer, &peer, &counters);
  hn_variants_write_peer (writer, &bare, NULL);
  list = g_variant_ref_sink (hn_dictionary_writer_finish (writer));
  check_same (
      list,
      "[{'Id': <'nXYZ'>, 'Name': <'box.tail.test'>, 'HostName': <'box'>, "
      "'Addresses': <['100.64.0.7', 'fd7a::7']>, 'Routes': <['10.1.0.0/16', '192.0.2.9/32']>, "
      "'ExitNodeOption': <true>, 'User': <{'Id': <int64 3>, 'LoginName': <'anna@example.com'>}>, "
      "'Os': <'linux'>, 'Tags': <['tag:server']>, 'Online': <false>, "
      "'LastSeen': <int64 1700000000>, 'KeyExpiry': <int64 0>, 'Expired': <false>, "
      "'Path': <'direct'>, 'Endpoint': <'192.0.2.1:41641'>, 'Latency': <uint64 1500>, "
      "'LastHandshake': <int64 1700000001>, 'RxBytes': <uint64 10>, 'TxBytes': <uint64 20>}, "
      "{'Id': <'n2'>, 'Name': <'b'>, 'Addresses': <@as []>, 'Routes': <@as []>, "
      "'ExitNodeOption': <false>, 'Tags': <@as []>, 'KeyExpiry': <int64 0>, 'Expired': <true>, "
      "'Path': <'none'>}]");
}

static void
check_text (GVariant *floating, const char *expected)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (floating);
  g_autofree char *printed = g_variant_print (value, TRUE);

  g_assert_cmpstr (printed, ==, expected);
}

static void
test_others (void)
{
  g_autoptr (HnStatus) status = hn_status_new ();
  g_autoptr (HnPreferences) preferences = hn_preferences_new ();
  const HnPingResult ping = { "relay", (char *) "", (char *) "hs", 1234, "icmp" };

  check_text (hn_variants_format_home_relay (status), "@a{sv} {}");
  status->relay_id = 999;
  g_free (status->relay_code);
  status->relay_code = g_strdup ("hs");
  check_text (hn_variants_format_home_relay (status), "{'Id': <uint32 999>, 'Code': <'hs'>}");
  check_text (hn_variants_format_user (0, "", ""), "@a{sv} {}");
  check_text (hn_variants_format_health (status->health), "@aa{sv} []");
  g_ptr_array_add (status->health, hn_health_item_new ("no-path", HN_SEVERITY_ERROR, "No \xff path",
                                                       "Nothing goes through.", ""));
  ((HnHealthItem *) g_ptr_array_index (status->health, 0))->since = 5;
  check_text (hn_variants_format_health (status->health),
              "[{'Id': <'no-path'>, 'Severity': <'error'>, 'Title': <'No \uFFFD path'>, 'Text': "
              "<'Nothing goes through.'>, 'Since': <int64 5>}]");
  check_text (hn_variants_format_preferences (preferences),
              "{'Name': <''>, 'HostName': <''>, 'Mtu': <uint32 0>, 'Port': <uint16 0>, "
              "'ShieldsUp': <false>, 'AutoConnect': <true>}");
  check_text (hn_variants_format_ping (&ping), "{'Path': <'relay'>, 'Relay': <'hs'>, 'Latency': "
                                               "<uint64 1234>, 'Kind': <'icmp'>}");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bus/variants/writer", test_writer);
  g_test_add_func ("/bus/variants/writer-sizes", test_writer_sizes);
  g_test_add_func ("/bus/variants/peer", test_peer);
  g_test_add_func ("/bus/variants/others", test_others);
  return g_test_run ();
}
