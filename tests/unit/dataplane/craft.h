/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Crafts IP packets for the tests, right ones and wrong ones, from a few fields.
 */
#pragma once

#include "base/hn-ip.h"

#define CRAFT_MAX 2048

typedef struct
{
  const char *source;
  const char *destination;
  guint8 protocol;
  guint16 source_port; /* of an ICMP echo: the identifier */
  guint16 destination_port;
  guint8 tcp_flags;
  guint8 icmp_type;
  guint8 icmp_code;
  guint16 fragment_offset; /* bytes */
  gboolean more_fragments;
  guint32 fragment_id; /* with a fragment header even if neither of the two is set */
  const guint8 *payload;
  gsize payload_len;
} Craft;

/* Into @out (CRAFT_MAX); returns the length. The ICMP checksum is right, others are 0. */
gsize craft_packet (const Craft *craft, guint8 *out);
