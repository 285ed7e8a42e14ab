/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer to a registration. */
#include <stdint.h>

#include "control/hn-control-codec.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (HnRegisterResponse) response
      = hn_control_codec_parse_register ((const char *) data, size, NULL);

  if (response != NULL && response->error != NULL)
    g_assert_true (g_utf8_validate (response->error, -1, NULL));
  return 0;
}
