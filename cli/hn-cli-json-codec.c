/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <json-glib/json-glib.h>

#include "hn-cli.h"

void
hn_cli_print_json (GVariant *value)
{
  gsize len = 0;
  g_autofree char *text = json_gvariant_serialize_data (value, &len);

  g_print ("%s\n", text);
}
