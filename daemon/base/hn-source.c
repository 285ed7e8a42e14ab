/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/hn-source.h"

void
hn_source_clear (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}
