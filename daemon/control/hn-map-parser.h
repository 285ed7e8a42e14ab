/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the members of a map response (tailscale: tailcfg/tailcfg.go, MapResponse) to the parts of
 * an update. Internal to the map codec; each function reads exactly one value. What is odd inside a
 * value is left out with a remark; whether its syntax was whole is for the caller to ask the reader.
 */
#pragma once

#include "base/hn-json-reader.h"
#include "model/hn-map-update.h"

/* What was left out, by kind; each kind becomes one health item with a count and one example. */
typedef enum
{
  HN_MAP_REMARK_PEER,
  HN_MAP_REMARK_ADDRESS,
  HN_MAP_REMARK_RULE,
  HN_MAP_REMARK_RELAY,
  HN_MAP_REMARK_PART,
  HN_MAP_REMARK_CUT,
  HN_MAP_N_REMARKS,
} HnMapRemark;

#define HN_MAP_TEXT_SIZE 256
#define HN_MAP_URL_SIZE 2048
#define HN_MAP_MAX_ADDRESSES 64
#define HN_MAP_MAX_ROUTES 1024
#define HN_MAP_MAX_ENDPOINTS 64
#define HN_MAP_MAX_TAGS 64
#define HN_MAP_MAX_CAPABILITIES 256
#define HN_MAP_MAX_DERP_REGIONS 1000
#define HN_MAP_MAX_DERP_NODES 64
#define HN_MAP_MAX_RULES 20000
#define HN_MAP_MAX_FILTERS 1000
#define HN_MAP_MAX_DNS_ENTRIES 256
#define HN_MAP_MAX_DNS_ROUTES 4096
#define HN_MAP_MAX_DNS_RECORDS 20000
#define HN_MAP_MAX_MESSAGES 100
#define HN_MAP_MAX_BLAMES 256

/* Room for the variable parts of one node, used again for each. */
typedef struct
{
  char name[HN_MAP_TEXT_SIZE];
  char stable_id[HN_MAP_TEXT_SIZE];
  char host_name[HN_MAP_TEXT_SIZE];
  char os[HN_MAP_TEXT_SIZE];
  HnPrefix addresses[HN_MAP_MAX_ADDRESSES];
  HnPrefix allowed_ips[HN_MAP_MAX_ROUTES];
  HnPrefix primary_routes[HN_MAP_MAX_ROUTES];
  HnEndpoint endpoints[HN_MAP_MAX_ENDPOINTS];
  const char *tags[HN_MAP_MAX_TAGS + 1];
  const char *capabilities[HN_MAP_MAX_CAPABILITIES + 1];
  char texts[32 * 1024]; /* of tags and capabilities */
  gsize texts_used;
} HnMapNodeScratch;

typedef struct
{
  HnMapUpdate *update;       /* being filled */
  HnMapNodeScratch *scratch; /* owned; NULL until a node came */
  guint n_remarks[HN_MAP_N_REMARKS];
  guint n_blamed[HN_MAP_N_REMARKS]; /* of them: about a node that is known */
  char *examples[HN_MAP_N_REMARKS]; /* owned */
  gsize node_bytes;                 /* of the peers read so far */
  gsize n_rule_parts;               /* read so far, see HN_FILTER_RULES_MAX_PARTS */
} HnMapParser;

/* Ends a frame: writes the remarks into the update and makes ready for another one. */
void hn_map_parser_finish (HnMapParser *self);
void hn_map_parser_clear (HnMapParser *self);
/* Counts something left out; the first example of a kind is kept. */
void hn_map_parser_remark (HnMapParser *self, HnMapRemark kind, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* How much was counted at some time. */
typedef struct
{
  guint n[HN_MAP_N_REMARKS];
} HnMapRemarks;

/* Remembers the counts in @out. */
void hn_map_parser_save_remarks (const HnMapParser *self, HnMapRemarks *out);
/* Takes back what was counted since. */
void hn_map_parser_restore_remarks (HnMapParser *self, const HnMapRemarks *before);
/* What was counted since is about this node. */
void hn_map_parser_blame (HnMapParser *self, const HnMapRemarks *before, gint64 node);

/* Reads a text without control characters; FALSE and "" for another type, or when it is longer. */
gboolean hn_map_read_text (HnJsonReader *reader, char *buf, gsize size);
char *hn_map_dup_text (HnJsonReader *reader, gsize max); /* nullable */
/* Seconds since 1970; 0 for the year 1, which means none, at least 1 for all other times. FALSE for
 * what is no time. */
gboolean hn_map_read_time (HnJsonReader *reader, gint64 *out);
/* Whether a null came, which is consumed. */
gboolean hn_map_read_null (HnJsonReader *reader);

/* hn-map-node.c; NULL or FALSE: not even an object. @own: our own node */
HnNode *hn_map_read_node (HnMapParser *self, HnJsonReader *reader, gboolean own);
gboolean hn_map_read_patch (HnMapParser *self, HnJsonReader *reader, HnPeerPatch *patch);

/* hn-map-filter.c; a rule or entry that makes no sense is left out: it opens nothing. */
HnFilterRules *hn_map_read_rules (HnMapParser *self, HnJsonReader *reader);
void hn_map_read_packet_filters (HnMapParser *self, HnJsonReader *reader);

/* hn-map-misc.c; each sets a part of the update */
void hn_map_read_derp_map (HnMapParser *self, HnJsonReader *reader);
void hn_map_read_dns (HnMapParser *self, HnJsonReader *reader);
/* http or https, without white space or control characters. */
gboolean hn_map_is_web_address (const char *url);
HnUser *hn_map_read_user (HnJsonReader *reader); /* nullable */
void hn_map_read_health (HnMapParser *self, HnJsonReader *reader);
void hn_map_read_messages (HnMapParser *self, HnJsonReader *reader);
void hn_map_read_ping (HnMapParser *self, HnJsonReader *reader);
