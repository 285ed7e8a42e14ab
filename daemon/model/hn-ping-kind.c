/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/hn-ping-kind.h"

static const char *const names[] = { "icmp", "disco", "tsmp" };

const char *
hn_ping_kind_to_string (HnPingKind kind)
{
  g_return_val_if_fail (kind < G_N_ELEMENTS (names), names[HN_PING_ICMP]);

  return names[kind];
}

gboolean
hn_ping_kind_parse (const char *text, HnPingKind *out)
{
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_equal (names[i], text))
      {
        *out = (HnPingKind) i;
        return TRUE;
      }
  return FALSE;
}
