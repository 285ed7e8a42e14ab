/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages of NAT-PMP (RFC 6886), PCP (RFC 6887) and UPnP's search for devices (SSDP), as far as
 * one UDP port on a home router needs them (tailscale: net/portmapper/portmapper.go). Bytes and
 * values only.
 */
#pragma once

#include "base/hn-ip.h"

/* Both protocols are spoken on the gateway's one port. */
#define HN_PORTMAP_PORT 5351
#define HN_SSDP_PORT 1900

#define HN_PMP_ADDRESS_REQUEST_LEN 2
#define HN_PMP_MAP_REQUEST_LEN 12
#define HN_PCP_ANNOUNCE_LEN 24
#define HN_PCP_MAP_LEN 60
#define HN_PCP_NONCE_LEN 12
#define HN_SSDP_REQUEST_MAX 256
#define HN_SSDP_PATH_MAX 256

typedef enum
{
  HN_PORTMAP_NONE,
  HN_PORTMAP_PMP,
  HN_PORTMAP_PCP,
  HN_PORTMAP_UPNP,
} HnPortmapProtocol;

/* "nat-pmp", "pcp", "upnp"; "" for none. */
const char *hn_portmap_protocol_to_string (HnPortmapProtocol protocol);

/* What the router answered; the fields that its kind does not have are zero. */
typedef struct
{
  enum
  {
    HN_PORTMAP_ANSWER_PMP_ADDRESS,
    HN_PORTMAP_ANSWER_PMP_MAP,
    HN_PORTMAP_ANSWER_PCP_ANNOUNCE,
    HN_PORTMAP_ANSWER_PCP_MAP,
  } kind;
  guint result;     /* 0 success */
  guint32 epoch_s;  /* since the router's tables were made */
  HnEndpoint outer; /* NAT-PMP tells address and port in two answers */
  guint16 inner_port;
  guint32 lifetime_s;
  guint8 nonce[HN_PCP_NONCE_LEN];
} HnPortmapAnswer;

void hn_pmp_write_address_request (guint8 out[HN_PMP_ADDRESS_REQUEST_LEN]);
/* @lifetime_s 0 with @outer_port 0 takes the mapping away. */
void hn_pmp_write_map_request (guint16 inner_port, guint16 outer_port, guint32 lifetime_s,
                               guint8 out[HN_PMP_MAP_REQUEST_LEN]);
/* @client: the address it is sent from, IPv4. */
void hn_pcp_write_announce (const HnIp *client, guint8 out[HN_PCP_ANNOUNCE_LEN]);
/* @outer: the wish; family 0 and port 0 for any. @lifetime_s 0 takes the mapping away. */
void hn_pcp_write_map_request (const HnIp *client, const guint8 nonce[HN_PCP_NONCE_LEN],
                               guint16 inner_port, const HnEndpoint *outer, guint32 lifetime_s,
                               guint8 out[HN_PCP_MAP_LEN]);
/* FALSE: neither an answer of NAT-PMP nor of PCP that we could have asked for. An answer that says
 * no may lack what a good one has. */
gboolean hn_portmap_parse_answer (const guint8 *data, gsize len, HnPortmapAnswer *out);

/* A search; @all: for whatever there is, since some routers answer nothing else. Returns the length. */
gsize hn_ssdp_write_search (gboolean all, char out[HN_SSDP_REQUEST_MAX]);
/*
 * hn_ssdp_parse_answer:
 * @port: (out): where its description is
 * @path: (out): with the leading slash; plain characters of a URL only
 *
 * The host in the answer's address is left out: nobody but the router that answers is to be asked.
 *
 * Returns: FALSE when this is not the answer of an internet gateway
 */
gboolean hn_ssdp_parse_answer (const guint8 *data, gsize len, guint16 *port,
                               char path[HN_SSDP_PATH_MAX]);

/* A gateway that mappings may be asked of: a private IPv4 address (RFC 1918). */
gboolean hn_portmap_is_gateway (const HnIp *ip);
/* An address that peers elsewhere could reach. */
gboolean hn_portmap_is_public (const HnIp *ip);
