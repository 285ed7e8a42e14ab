/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What to dial for a region of the relay map, in order. The map carries no scheme: a relay at the
 * coordination server's own host and port speaks what that speaks, any other speaks TLS.
 */
#pragma once

#include "model/hn-derp-map.h"
#include "net/hn-dialer.h"

typedef struct
{
  char *host;
  guint16 port;
  gboolean tls;
  char *tls_name; /* NULL: host */
  char *tls_pin;  /* nullable */
  gboolean tls_insecure;
  HnIp literals[2];
  gsize n_literals;
  char *ideal_node; /* name of the region's first node when this is another one, else NULL */
} HnDerpTarget;

/*
 * hn_derp_targets_new:
 * @server_url: (nullable): URL of the coordination server
 *
 * Nodes in the map's order; those that gave literal addresses come once more behind all others by
 * name, because a literal copied from an example reaches nobody. Nodes that relay nothing or can not
 * be dialled are left out.
 *
 * Returns: (transfer full) (element-type HnDerpTarget): possibly empty
 */
GPtrArray *hn_derp_targets_new (const HnDerpRegion *region, const char *server_url);

/* Fills @out with borrowed strings. */
void hn_derp_target_get_dial (const HnDerpTarget *self, guint timeout_s, HnDialTarget *out);
