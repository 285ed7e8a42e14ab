/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may come back for a STUN request; the input is one datagram. */
#include <stddef.h>
#include <stdint.h>

#include "path/hn-stun.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  guint8 id[HN_STUN_ID_LEN];
  char text[HN_IP_TEXT_MAX];
  HnEndpoint mapped, again;

  if (hn_stun_parse_response (data, size, id, &mapped))
    {
      g_assert (hn_stun_is_stun (data, size));
      g_assert (mapped.port != 0);
      g_assert (hn_endpoint_parse (hn_endpoint_format (&mapped, text), &again));
      g_assert (hn_endpoint_equal (&mapped, &again));
    }
  return 0;
}
