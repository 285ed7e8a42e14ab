/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of rights covers the contract, row for row. */
#include "bus/hn-permissions.h"

#include "base/hn-error.h"
#include "hn-dbus-generated.h"

static const char *const tailnet_interface = "org.headnet.Headnet1.Tailnet";
static const char *const manager_interface = "org.headnet.Headnet1.Manager";

static GVariant *
preferences (const char *text)
{
  GVariant *parsed = g_variant_parse (G_VARIANT_TYPE ("(a{sv})"), text, NULL, NULL, NULL);

  g_assert_nonnull (parsed);
  /* floating from an older GLib, our own from a newer one */
  return g_variant_take_ref (parsed);
}

static void
check_interface (GDBusInterfaceInfo *info)
{
  for (guint i = 0; info->methods[i] != NULL; i++)
    {
      g_autoptr (GVariant) none = preferences ("(@a{sv} {},)");
      g_autoptr (GError) error = NULL;
      HnRight right;

      /* Adding a method to the XML without a row here is refused, and this says so. */
      hn_permissions_get_right (info->name, info->methods[i]->name, none, &right, &error);
      g_assert_no_error (error);
    }
}

static void
test_every_method_has_a_row (void)
{
  check_interface (hn_dbus_manager_interface_info ());
  check_interface (hn_dbus_tailnet_interface_info ());
}

static void
test_no_row_no_call (void)
{
  static const char *const calls[][2] = {
    { "org.headnet.Headnet1.Tailnet", "Explode" },    { "org.headnet.Headnet1.Manager", "Connect" },
    { "org.headnet.Headnet1.Tailnet", "AddTailnet" }, { "org.example", "GetPeers" },
    { "org.headnet.Headnet1.Tailnet", "" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (calls); i++)
    {
      g_autoptr (GError) error = NULL;
      HnRight right;

      g_assert_false (hn_permissions_get_right (calls[i][0], calls[i][1], NULL, &right, &error));
      g_assert_error (error, HN_ERROR, HN_ERROR_NOT_AUTHORIZED);
    }
}

static void
test_rows (void)
{
  const struct
  {
    const char *interface_name, *method_name;
    HnRight right;
  } rows[] = {
    { manager_interface, "AddTailnet", HN_RIGHT_ENROL },
    { manager_interface, "RemoveTailnet", HN_RIGHT_ENROL },
    { manager_interface, "CheckServer", HN_RIGHT_ENROL },
    { tailnet_interface, "Connect", HN_RIGHT_CONNECT },
    { tailnet_interface, "Disconnect", HN_RIGHT_CONNECT },
    { tailnet_interface, "Ping", HN_RIGHT_CONNECT },
    { tailnet_interface, "Login", HN_RIGHT_ENROL },
    { tailnet_interface, "GetLoginUrl", HN_RIGHT_ENROL },
    { tailnet_interface, "Logout", HN_RIGHT_ENROL },
    { tailnet_interface, "GetPeers", HN_RIGHT_OPEN },
    { tailnet_interface, "GetPeer", HN_RIGHT_OPEN },
    { tailnet_interface, "GetNetworkConfig", HN_RIGHT_OPEN },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      HnRight right;

      g_assert_true (hn_permissions_get_right (rows[i].interface_name, rows[i].method_name, NULL,
                                               &right, NULL));
      g_assert_cmpint (right, ==, rows[i].right);
    }
}

static void
test_preferences (void)
{
  static const struct
  {
    const char *text;
    HnRight right;
  } cases[] = {
    { "(@a{sv} {},)", HN_RIGHT_PREFERENCES },
    { "({'AcceptDns': <true>},)", HN_RIGHT_PREFERENCES },
    { "({'ExitNode': <''>, 'AllowLanAccess': <false>, 'AcceptRoutes': <false>},)",
      HN_RIGHT_PREFERENCES },
    { "({'Name': <'x'>},)", HN_RIGHT_ENROL },
    { "({'AutoConnect': <true>},)", HN_RIGHT_ENROL },
    /* The stricter counts, wherever it stands. */
    { "({'AcceptDns': <true>, 'ShieldsUp': <false>},)", HN_RIGHT_ENROL },
    { "({'ShieldsUp': <false>, 'AcceptDns': <true>},)", HN_RIGHT_ENROL },
  };
  g_autoptr (GVariant) unknown = preferences ("({'RouteAll': <true>},)");
  g_autoptr (GVariant) wrong = g_variant_ref_sink (g_variant_new ("(s)", "AcceptDns"));
  g_autoptr (GError) error = NULL;
  HnRight right;

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GVariant) arguments = preferences (cases[i].text);

      g_assert_true (
          hn_permissions_get_right (tailnet_interface, "SetPreferences", arguments, &right, NULL));
      g_assert_cmpint (right, ==, cases[i].right);
    }

  g_assert_false (
      hn_permissions_get_right (tailnet_interface, "SetPreferences", unknown, &right, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT);
  g_assert_false (
      hn_permissions_get_right (tailnet_interface, "SetPreferences", wrong, &right, NULL));
  {
    g_autoptr (GString) text = g_string_new ("({");
    g_autoptr (GVariant) many = NULL;

    for (int i = 0; i < 100; i++)
      g_string_append (text, "'Name': <'x'>, ");
    g_string_append (text, "},)");
    g_string_replace (text, ", }", "}", 1);
    many = preferences (text->str);
    g_assert_false (
        hn_permissions_get_right (tailnet_interface, "SetPreferences", many, &right, NULL));
  }
  g_assert_false (
      hn_permissions_get_right (tailnet_interface, "SetPreferences", NULL, &right, NULL));
}

/* Whatever is not open has an action, and the actions are those of the policy file. */
static void
test_actions (void)
{
  g_autofree char *policy = NULL;

  g_assert_true (g_file_get_contents (g_getenv ("HN_POLICY_FILE"), &policy, NULL, NULL));
  g_assert_null (hn_permissions_get_action (HN_RIGHT_OPEN));
  for (HnRight right = HN_RIGHT_CONNECT; right <= HN_RIGHT_ENROL; right++)
    {
      g_autofree char *element
          = g_strdup_printf ("<action id=\"%s\">", hn_permissions_get_action (right));

      g_assert_nonnull (strstr (policy, element));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bus/permissions/every-method", test_every_method_has_a_row);
  g_test_add_func ("/bus/permissions/no-row", test_no_row_no_call);
  g_test_add_func ("/bus/permissions/rows", test_rows);
  g_test_add_func ("/bus/permissions/preferences", test_preferences);
  g_test_add_func ("/bus/permissions/actions", test_actions);
  return g_test_run ();
}
