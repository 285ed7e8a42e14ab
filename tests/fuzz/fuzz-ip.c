/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, prefixes and endpoints: what parses comes back the same from its text form. */
#include <stdint.h>
#include <stdlib.h>

#include "base/hn-ip.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  char buf[HN_IP_TEXT_MAX];
  HnIp ip, ip2;
  HnPrefix prefix, prefix2;
  HnEndpoint endpoint, endpoint2;

  if (hn_ip_parse (text, &ip)
      && (!hn_ip_parse (hn_ip_format (&ip, buf), &ip2) || !hn_ip_equal (&ip, &ip2)))
    abort ();
  if (hn_prefix_parse (text, TRUE, &prefix)
      && (!hn_prefix_parse (hn_prefix_format (&prefix, buf), FALSE, &prefix2)
          || !hn_prefix_equal (&prefix, &prefix2) || !hn_prefix_contains (&prefix, &prefix.ip)))
    abort ();
  if (hn_endpoint_parse (text, &endpoint)
      && (!hn_endpoint_parse (hn_endpoint_format (&endpoint, buf), &endpoint2)
          || !hn_endpoint_equal (&endpoint, &endpoint2)))
    abort ();
  return 0;
}
