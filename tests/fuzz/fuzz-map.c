/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The map stream: frames, zstd, JSON and the merge. The first byte is the size of the chunks. */
#include <stdint.h>

#include "control/hn-map-codec.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
on_update (HnMapUpdate *update, gpointer user)
{
  g_autoptr (HnNetmapChange) change = hn_netmap_apply (user, update, 1800000000);

  hn_map_update_free (update);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (HnNetmap) map = hn_netmap_new ();
  g_autoptr (HnMapDecoder) decoder = hn_map_decoder_new (on_update, map);
  gsize chunk;

  if (size == 0)
    return 0;
  chunk = data[0] != 0 ? data[0] : size;
  for (size_t pos = 1; pos < size; pos += chunk)
    if (!hn_map_decoder_feed (decoder, data + pos, MIN (chunk, size - pos), NULL))
      break;
  return 0;
}
