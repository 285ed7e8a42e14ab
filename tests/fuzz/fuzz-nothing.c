/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A target that takes everything: the replay runner is tested with it. */
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  return 0;
}
