/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Preferences, and the checks of what a person enters. */
#include "base/hn-error.h"
#include "model/hn-preferences.h"

static void
test_defaults (void)
{
  g_autoptr (HnPreferences) preferences = hn_preferences_new ();
  g_autoptr (HnPreferences) copy = hn_preferences_copy (preferences);

  g_assert_true (preferences->accept_dns);
  g_assert_true (preferences->auto_connect);
  g_assert_false (preferences->accept_routes);
  g_assert_null (preferences->ca_certificate);
  g_assert_true (hn_preferences_equal (preferences, copy));
  copy->ca_certificate = g_strdup ("pem");
  g_assert_false (hn_preferences_equal (preferences, copy));
}

static void
test_url (void)
{
  static const struct
  {
    const char *given;
    const char *normal;
  } good[] = {
    { "https://hs.test", "https://hs.test" },
    { "https://hs.test/", "https://hs.test" },
    { "HTTPS://HS.Test:8443///", "https://hs.test:8443" },
    { "http://10.0.0.1:8080/a/b/", "http://10.0.0.1:8080/a/b" },
    { "https://[fd00::1]:443/", "https://[fd00::1]:443" },
    { "https://b\xc3\xbc"
      "cher.test/",
      "https://xn--bcher-kva.test" },
  };
  static const char *const bad[] = {
    "",
    "hs.test",
    "//hs.test",
    "ftp://hs.test",
    "https://",
    "https:///x",
    "https://u@hs.test",
    "https://u:p@hs.test",
    "https://hs.test/?a",
    "https://hs.test/#a",
    "https://hs.test:0",
    "https://hs.test:99999",
    "https://hs test",
    "https://hs.test/\n",
    "https://hs.test\\x",
    "https://hs%2ftest/",
    "https://%10hs.test",
    "https://hs%0d%0a.test",
    "https://hs%22.test",
    "https://hs%3a1.test",
    "https://[fd00::1",
    "https://\xff/",
  };
  g_autofree char *filler = g_strnfill (3000, 'a');
  g_autofree char *too_long = g_strconcat ("https://hs.test/", filler, NULL);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GError) none = NULL;
      g_autofree char *normal = hn_preferences_normalize_url (good[i].given, &none);

      g_assert_no_error (none);
      g_assert_cmpstr (normal, ==, good[i].normal);
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) refused = NULL;

      g_test_message ("text %u", i);
      g_assert_null (hn_preferences_normalize_url (bad[i], &refused));
      g_assert_error (refused, HN_ERROR, HN_ERROR_INVALID_ARGUMENT);
    }
  g_assert_null (hn_preferences_normalize_url (too_long, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT);
}

static void
test_host_name (void)
{
  static const char *const good[]
      = { "a", "box", "Box-2", "box.example.com",
          "a23456789012345678901234567890123456789012345678901234567890123" };
  static const char *const bad[]
      = { "",
          "-a",
          "a-",
          "a_b",
          "a b",
          ".a",
          "b\xc3\xbc"
          "x",
          "a/b",
          "a234567890123456789012345678901234567890123456789012345678901234" };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    g_assert_true (hn_preferences_check_host_name (good[i], NULL));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (hn_preferences_check_host_name (bad[i], &error));
      g_assert_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preferences/defaults", test_defaults);
  g_test_add_func ("/preferences/url", test_url);
  g_test_add_func ("/preferences/host-name", test_host_name);
  return g_test_run ();
}
