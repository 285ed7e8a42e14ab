/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inner packets, as a peer may send any: parsed, judged, and answered where they ask for it. The
 * first byte says which of our own packets went out before, the rest is the packet.
 */
#include <stdint.h>
#include <string.h>

#include "crypto/hn-crypto.h"
#include "dataplane/hn-filter-thin.h"
#include "dataplane/hn-ip-reply.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static HnFilterThin *filter;
  static guint8 reply[HN_IP_REPLY_MAX];
  static gint64 now_us;
  g_autofree guint8 *exact = NULL;
  HnIpPacket packet;
  gboolean outbound;

  if (filter == NULL)
    {
      HnPrefix own[2];

      g_assert_true (hn_crypto_init (NULL));
      filter = hn_filter_thin_new ();
      g_assert_true (hn_prefix_parse ("100.64.0.1/32", FALSE, &own[0]));
      g_assert_true (hn_prefix_parse ("fd7a:115c:a1e0::1/128", FALSE, &own[1]));
      hn_filter_thin_set_addresses (filter, own, 2);
    }
  if (size == 0)
    return 0;
  now_us += G_USEC_PER_SEC;
  outbound = data[0] & 1;
  size--;
  /* A copy of its exact size, so that a read past its end is seen. */
  exact = g_memdup2 (data + 1, size);

  if (hn_ip_packet_parse (&packet, exact, size))
    {
      g_assert_cmpuint (packet.header_len, <=, packet.len);
      g_assert_cmpuint (packet.len, <=, size);
      if (outbound)
        hn_filter_thin_outbound (filter, &packet, now_us);
      else if (hn_filter_thin_inbound (filter, &packet, now_us))
        /* Nothing for others ever comes in. */
        g_assert_true (hn_filter_thin_is_own (filter, packet.family, packet.destination));
      g_assert_cmpuint (hn_ip_reply_unreachable (&packet, reply), <=, sizeof reply);
      g_assert_cmpuint (hn_ip_reply_tsmp (&packet, reply), <=, sizeof reply);
    }
  hn_ip_packet_parse_quoted (&packet, exact, size);
  return 0;
}
