/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What answers a ping: the peer's system behind its tunnel, its path machine, or its daemon inside
 * the tunnel (tailscale: tailcfg.PingType).
 */
#pragma once

#include <glib.h>

typedef enum
{
  HN_PING_ICMP,
  HN_PING_DISCO,
  HN_PING_TSMP,
} HnPingKind;

/* "icmp", "disco", "tsmp". */
const char *hn_ping_kind_to_string (HnPingKind kind);
/* FALSE for any other text. */
gboolean hn_ping_kind_parse (const char *text, HnPingKind *out);
