/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of the server to this node: always a whole answer, never a path elsewhere. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/hn-control-client-private.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (HnServerAddress) server = hn_server_address_new ("https://hs.test", NULL);
  g_autoptr (GBytes) answer = hn_control_ping_answer (data, size);
  g_autofree char *url = g_strndup ((const char *) data, size);
  g_autofree char *path = hn_control_ping_path (server, url);
  gsize len;
  const char *text = g_bytes_get_data (answer, &len);

  if (len < 12 || memcmp (text, "HTTP/1.1 ", 9) != 0
      || g_strstr_len (text, (gssize) len, "\r\n\r\n") == NULL)
    abort ();
  if (path != NULL && (path[0] != '/' || strpbrk (path, " \r\n") != NULL))
    abort ();
  return 0;
}
