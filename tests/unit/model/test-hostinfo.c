/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told about this machine. */
#include <string.h>

#include "model/hn-hostinfo.h"

static void
test_names (void)
{
  static const struct
  {
    const char *given;
    const char *sent;
  } names[] = {
    { "box", "box" },
    { "Box.Example.COM", "box" },
    { "my_box 2", "my-box-2" },
    { "-box--a-", "box-a" },
    { "...", "headnet" },
    { "\xc3\xa4\xc3\xb6", "headnet" },
    { "a\nb\x1b[0m", "a-b-0m" },
    { "a23456789012345678901234567890123456789012345678901234567890123456789",
      "a23456789012345678901234567890123456789012345678901234567890123" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (HnHostinfo) info = hn_hostinfo_new (names[i].given);

      g_assert_cmpstr (info->host_name, ==, names[i].sent);
    }
}

static void
test_machine (void)
{
  g_autoptr (HnHostinfo) info = hn_hostinfo_new (NULL);
  g_autoptr (HnHostinfo) same = hn_hostinfo_new ("");

  g_assert_cmpuint (strlen (info->host_name), >, 0);
  g_assert_cmpuint (strlen (info->machine), >, 0);
  g_assert_cmpuint (strlen (info->os_version), >, 0);
  g_assert_nonnull (info->distro);
  if (g_str_equal (info->machine, "x86_64"))
    g_assert_cmpstr (info->go_arch, ==, "amd64");
  g_assert_true (hn_hostinfo_equal (info, same));
}

static void
test_equal (void)
{
  g_autoptr (HnHostinfo) info = hn_hostinfo_new ("box");
  g_autoptr (HnHostinfo) copy = NULL;

  info->n_routable_ips = 1;
  info->routable_ips = g_new0 (HnPrefix, 1);
  info->n_endpoints = 1;
  info->endpoints = g_new0 (HnTypedEndpoint, 1);
  info->request_tags = g_strsplit ("tag:a,tag:b", ",", -1);
  copy = hn_hostinfo_copy (info);
  g_assert_true (hn_hostinfo_equal (info, copy));
  copy->endpoints[0].endpoint.port = 1;
  g_assert_false (hn_hostinfo_equal (info, copy));
  copy->endpoints[0].endpoint.port = 0;
  copy->preferred_derp = 3;
  g_assert_false (hn_hostinfo_equal (info, copy));
  copy->preferred_derp = 0;
  g_strfreev (g_steal_pointer (&copy->request_tags));
  g_assert_false (hn_hostinfo_equal (info, copy));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hostinfo/names", test_names);
  g_test_add_func ("/hostinfo/machine", test_machine);
  g_test_add_func ("/hostinfo/equal", test_equal);
  return g_test_run ();
}
