/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dictionaries from callers: what is taken, what is refused and how. */
#include "bus/hn-arguments.h"

#include <string.h>

#include "base/hn-error.h"

#define OK (-1)

static GVariant *
dictionary (const char *text)
{
  g_autoptr (GError) error = NULL;
  GVariant *parsed = g_variant_parse (G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);

  g_assert_no_error (error);
  /* floating from an older GLib, our own from a newer one */
  return g_variant_take_ref (parsed);
}

static void
check_error (const GError *error, int code)
{
  if (code == OK)
    g_assert_no_error (error);
  else
    g_assert_error (error, HN_ERROR, code);
}

typedef struct
{
  const char *text;
  int code;
} Case;

static void
test_preferences (void)
{
  static const Case cases[] = {
    { "{}", OK },
    { "{'Name': <'home'>, 'HostName': <'box'>, 'Mtu': <uint32 1400>, 'AutoConnect': <false>}", OK },
    { "{'Name': <'  '>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'Name': <''>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'Name': <'a\\nb'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'Name': <7>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'Name': <<'home'>>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'HostName': <''>}", OK },
    { "{'HostName': <'not a host'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'Mtu': <uint32 0>}", OK },
    { "{'Mtu': <uint32 1279>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'Mtu': <uint32 65401>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'Mtu': <1400>}", HN_ERROR_INVALID_ARGUMENT }, /* an int32 */
    { "{'AutoConnect': <'yes'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'Nmae': <'home'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'name': <'home'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'ServerUrl': <'https://x'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'Name': <'a'>, 'Name': <'b'>}", HN_ERROR_INVALID_ARGUMENT },
    /* How things are anyway is fine, anything else has no effect yet. */
    { "{'AcceptDns': <true>, 'AcceptRoutes': <false>, 'ExitNode': <''>}", OK },
    { "{'AdvertiseRoutes': <@as []>, 'Port': <uint16 0>, 'Mode': <'tun'>}", OK },
    { "{'AllowLanAccess': <false>, 'AdvertiseExitNode': <false>, 'ShieldsUp': <false>}", OK },
    { "{'AcceptDns': <false>}", HN_ERROR_NOT_SUPPORTED },
    { "{'AcceptRoutes': <true>}", HN_ERROR_NOT_SUPPORTED },
    { "{'ExitNode': <'n1'>}", HN_ERROR_NOT_SUPPORTED },
    { "{'AllowLanAccess': <true>}", HN_ERROR_NOT_SUPPORTED },
    { "{'AdvertiseRoutes': <['10.0.0.0/8']>}", HN_ERROR_NOT_SUPPORTED },
    { "{'AdvertiseExitNode': <true>}", HN_ERROR_NOT_SUPPORTED },
    { "{'ShieldsUp': <true>}", OK },
    { "{'Port': <uint16 41641>}", OK },
    { "{'Mode': <'userspace'>}", HN_ERROR_NOT_SUPPORTED },
    { "{'Mode': <'bridge'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'AcceptDns': <1>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'AdvertiseRoutes': <'10.0.0.0/8'>}", HN_ERROR_INVALID_ARGUMENT },
    /* All or nothing. */
    { "{'Name': <'other'>, 'AcceptRoutes': <true>}", HN_ERROR_NOT_SUPPORTED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GVariant) changes = dictionary (cases[i].text);
      g_autoptr (HnPreferences) present = hn_preferences_new ();
      g_autoptr (HnPreferences) before = hn_preferences_copy (present);
      g_autoptr (HnPreferences) parsed = NULL;
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", cases[i].text);
      parsed = hn_arguments_parse_preferences (changes, present, &error);
      check_error (error, cases[i].code);
      g_assert_true ((parsed != NULL) == (cases[i].code == OK));
      g_assert_true (hn_preferences_equal (present, before));
      if (i == 1)
        {
          g_assert_cmpstr (parsed->name, ==, "home");
          g_assert_cmpstr (parsed->host_name, ==, "box");
          g_assert_cmpuint (parsed->mtu, ==, 1400);
          g_assert_false (parsed->auto_connect);
          g_assert_true (parsed->accept_dns);
        }
    }
}

static void
test_settings (void)
{
  static const Case cases[] = {
    { "{'ServerUrl': <'https://hs.test/'>}", OK },
    { "{'ServerUrl': <'http://10.0.0.1:8080'>, 'Name': <''>}", OK },
    { "{'ServerUrl': <'https://hs.test'>, 'Name': <'home'>, 'HostName': <'box'>, "
      "'CapabilityVersion': <uint32 90>}",
      OK },
    { "{}", HN_ERROR_INVALID_ARGUMENT },
    { "{'Name': <'home'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'ServerUrl': <''>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'ServerUrl': <'ftp://hs.test'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'ServerUrl': <'https://user@hs.test'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'ServerUrl': <'/etc/passwd'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'ServerUrl': <'https://hs.test'>, 'CaCertificate': <'/etc/ssl/ca.pem'>}",
      HN_ERROR_INVALID_ARGUMENT },
    { "{'ServerUrl': <'https://hs.test'>, 'CaCertificate': <'-----BEGIN PRIVATE KEY-----'>}",
      HN_ERROR_INVALID_ARGUMENT },
    { "{'ServerUrl': <'https://hs.test'>, 'CapabilityVersion': <uint32 10000>}",
      HN_ERROR_INVALID_ARGUMENT },
    { "{'ServerUrl': <'https://hs.test'>, 'AuthKey': <'k'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'ServerUrl': <'https://hs.test'>, 'Mtu': <uint32 1400>}", HN_ERROR_INVALID_ARGUMENT },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GVariant) settings = dictionary (cases[i].text);
      g_autoptr (HnPreferences) parsed = NULL;
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", cases[i].text);
      parsed = hn_arguments_parse_settings (settings, &error);
      check_error (error, cases[i].code);
      g_assert_true ((parsed != NULL) == (cases[i].code == OK));
      if (i == 0)
        g_assert_cmpstr (parsed->server_url, ==, "https://hs.test");
    }
}

/* Nothing of any size gets through. */
static void
test_bounds (void)
{
  static const struct
  {
    const char *key;
    gsize length;
  } bounds[] = {
    { "ServerUrl", 2049 },
    { "Name", 257 },
    { "HostName", 257 },
    { "CaCertificate", 256 * 1024 + 1 },
  };
  g_autoptr (GError) error = NULL;
  g_autofree char *name65 = g_strnfill (65, 'x');
  g_autofree char *long_url = g_strnfill (3000, 'x');
  char *url = NULL, *ca = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (bounds); i++)
    {
      g_autofree char *value = g_strnfill (bounds[i].length, 'x');
      g_autoptr (GVariant) settings
          = g_variant_ref_sink (g_variant_new_parsed ("{%s: <%s>}", bounds[i].key, value));

      g_clear_error (&error);
      g_assert_null (hn_arguments_parse_settings (settings, &error));
      g_assert_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT);
      g_assert_nonnull (strstr (error->message, "longer"));
    }

  {
    g_autoptr (GVariant) settings = g_variant_ref_sink (
        g_variant_new_parsed ("{'ServerUrl': <'https://hs.test'>, 'Name': <%s>}", name65));
    g_autoptr (GVariant) none = dictionary ("{}");

    g_clear_error (&error);
    g_assert_null (hn_arguments_parse_settings (settings, &error));
    g_assert_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT);
    g_assert_false (hn_arguments_parse_check_server (long_url, none, &url, &ca, NULL));
    g_assert_false (hn_arguments_check_target (long_url, NULL));
    g_assert_false (hn_arguments_check_target ("", NULL));
    g_assert_false (hn_arguments_check_target ("a\tb", NULL));
    g_assert_true (hn_arguments_check_target ("peer-1.tail.test", NULL));
  }
}

static void
test_login (void)
{
  static const Case cases[] = {
    { "{}", OK },
    { "{'AuthKey': <'hskey-auth-0123'>, 'AcceptServerKey': <true>}", OK },
    { "{'AuthKey': <''>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'AuthKey': <'two words'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'AuthKey': <'line\\n'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'AuthKey': <b'bytes'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'AuthKeyFile': <'/etc/shadow'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'AuthKey': <'hskey-auth-0123'>, 'Force': <true>}", HN_ERROR_INVALID_ARGUMENT },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GVariant) options = dictionary (cases[i].text);
      g_autoptr (HnSecretText) auth_key = NULL;
      g_autoptr (GError) error = NULL;
      gboolean accept;
      const char *left;

      g_test_message ("%s", cases[i].text);
      hn_arguments_parse_login (options, &auth_key, &accept, &error);
      check_error (error, cases[i].code);
      g_assert_true ((auth_key != NULL) == (i == 1));
      if (auth_key != NULL)
        {
          g_assert_cmpstr (hn_secret_text_reveal (auth_key), ==, "hskey-auth-0123");
          g_assert_true (accept);
        }
      /* Refused or not, the message holds no key any more, and no error quotes it. */
      if (g_variant_lookup (options, "AuthKey", "&s", &left))
        g_assert_cmpstr (left, ==, "");
      if (error != NULL)
        g_assert_null (strstr (error->message, "0123"));
    }
}

static void
test_connect_and_ping (void)
{
  static const Case connects[] = {
    { "{}", OK },
    { "{'Configuration': <'self'>}", OK },
    { "{'Configuration': <'networkmanager'>}", OK },
    { "{'Configuration': <'NetworkManager'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'Configuration': <true>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'ExitNode': <'x'>}", HN_ERROR_INVALID_ARGUMENT },
  };
  static const Case pings[] = {
    { "{}", OK },
    { "{'Kind': <'icmp'>, 'TimeoutMs': <uint32 100>}", OK },
    { "{'Kind': <'disco'>}", OK },
    { "{'Kind': <'tsmp'>}", OK },
    { "{'Kind': <'smoke'>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'TimeoutMs': <uint32 0>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'TimeoutMs': <uint32 60001>}", HN_ERROR_INVALID_ARGUMENT },
    { "{'Count': <uint32 3>}", HN_ERROR_INVALID_ARGUMENT },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (connects); i++)
    {
      g_autoptr (GVariant) options = dictionary (connects[i].text);
      g_autoptr (GError) error = NULL;
      gboolean network_manager;

      hn_arguments_parse_connect (options, &network_manager, &error);
      check_error (error, connects[i].code);
      g_assert_true (network_manager == (i == 2));
    }
  for (gsize i = 0; i < G_N_ELEMENTS (pings); i++)
    {
      g_autoptr (GVariant) options = dictionary (pings[i].text);
      g_autoptr (GError) error = NULL;
      HnPingKind kind;
      guint timeout_ms;

      if (hn_arguments_parse_ping (options, &kind, &timeout_ms, &error))
        {
          g_assert_cmpuint (timeout_ms, ==, i == 1 ? 100 : 0);
          g_assert_cmpint (kind, ==, i < 2 ? HN_PING_ICMP : i == 2 ? HN_PING_DISCO : HN_PING_TSMP);
        }
      check_error (error, pings[i].code);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bus/arguments/preferences", test_preferences);
  g_test_add_func ("/bus/arguments/settings", test_settings);
  g_test_add_func ("/bus/arguments/bounds", test_bounds);
  g_test_add_func ("/bus/arguments/login", test_login);
  g_test_add_func ("/bus/arguments/connect-and-ping", test_connect_and_ping);
  return g_test_run ();
}
