/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What we tell the server about this machine, in parsed form; the register and map codecs write
 * it. A plain struct that its owner fills and clears.
 */
#pragma once

#include "base/hn-ip.h"
#include "crypto/hn-keys.h"

typedef enum
{
  HN_ENDPOINT_UNKNOWN = 0,
  HN_ENDPOINT_LOCAL = 1,
  HN_ENDPOINT_STUN = 2,
  HN_ENDPOINT_PORTMAPPED = 3,
  HN_ENDPOINT_STUN4_LOCAL_PORT = 4,
  HN_ENDPOINT_EXPLICIT = 5,
} HnEndpointType;

typedef struct
{
  HnEndpoint endpoint;
  HnEndpointType type;
} HnTypedEndpoint;

/* Three-valued, as the wire has it. */
typedef enum
{
  HN_OPT_UNSET,
  HN_OPT_FALSE,
  HN_OPT_TRUE,
} HnOptBool;

typedef struct
{
  char *host_name; /* never empty */
  char *os_version;
  char *distro;
  char *distro_version;
  char *distro_code_name;
  char *machine; /* uname -m */
  char *go_arch; /* "amd64" style */
  gboolean shields_up;
  gboolean userspace;
  HnPrefix *routable_ips;
  gsize n_routable_ips;
  char **request_tags; /* nullable */

  /* NetInfo */
  gboolean has_net_info;
  int preferred_derp; /* 0: unknown */
  HnOptBool working_udp;
  HnOptBool working_ipv6;
  HnOptBool os_has_ipv6;
  HnOptBool mapping_varies;

  /* beside Hostinfo in the map request */
  HnTypedEndpoint *endpoints;
  gsize n_endpoints;
  HnDiscoPublic disco;
} HnHostinfo;

/* Reads uname and os-release. @host_name: the user's choice, or NULL for the machine's own. */
HnHostinfo *hn_hostinfo_new (const char *host_name);
HnHostinfo *hn_hostinfo_copy (const HnHostinfo *self);
void hn_hostinfo_free (HnHostinfo *self);
gboolean hn_hostinfo_equal (const HnHostinfo *a, const HnHostinfo *b);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnHostinfo, hn_hostinfo_free)
