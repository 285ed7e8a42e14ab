/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key texts: what parses comes back the same, but for the case of its digits. */
#include <stdint.h>
#include <stdlib.h>

#include "crypto/hn-keys.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  char buf[HN_KEY_TEXT_MAX];
  HnMachinePublic machine;
  HnNodePublic node;
  HnDiscoPublic disco;
  HnNodePrivate private_key;

  if (hn_machine_public_parse (text, &machine)
      && g_ascii_strcasecmp (hn_machine_public_format (&machine, buf), text) != 0)
    abort ();
  if (hn_node_public_parse (text, &node)
      && g_ascii_strcasecmp (hn_node_public_format (&node, buf), text) != 0)
    abort ();
  if (hn_disco_public_parse (text, &disco)
      && g_ascii_strcasecmp (hn_disco_public_format (&disco, buf), text) != 0)
    abort ();
  if (hn_node_private_parse (text, &private_key))
    {
      hn_node_private_format_for_file (&private_key, buf);
      if (g_ascii_strcasecmp (buf, text) != 0)
        abort ();
    }
  return 0;
}
