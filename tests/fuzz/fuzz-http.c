/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP/1.1 answers. The first byte picks the kind of request and where the bytes are cut. */
#include <stdint.h>

#include "net/hn-http-parser.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  gsize cut, used = 0;

  if (size < 1)
    return 0;
  cut = MIN ((gsize) (data[0] >> 2), size - 1);
  {
    g_autoptr (HnHttpParser) parser
        = hn_http_parser_new ((data[0] & 1) != 0, 1000, (data[0] & 2) != 0);
    g_autoptr (HnHttpResponse) response = NULL;

    if (hn_http_parser_feed (parser, data + 1, cut, &used, NULL)
        && hn_http_parser_feed (parser, data + 1 + cut, size - 1 - cut, &used, NULL)
        && !hn_http_parser_is_done (parser))
      {
        g_assert (used == size - 1 - cut);
        hn_http_parser_end (parser, NULL);
      }
    response = hn_http_parser_steal (parser);
    g_assert (response == NULL || g_bytes_get_size (response->body) <= 1000);
  }
  return 0;
}
