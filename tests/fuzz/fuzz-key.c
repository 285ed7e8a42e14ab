/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page /key of a server. */
#include <stdint.h>

#include "control/hn-control-codec.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  HnMachinePublic key;

  hn_control_codec_parse_key ((const char *) data, size, &key, NULL);
  return 0;
}
