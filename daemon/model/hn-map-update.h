/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One response of the map stream in parsed form, and its merge into a netmap (the rules of the
 * protocol's section on MapResponse). Made by the codec, consumed by hn_netmap_apply().
 */
#pragma once

#include "model/hn-netmap.h"

typedef struct
{
  gint64 id;
  guint32 present; /* bits of HnPeerPatchFields */
  int home_derp;
  HnNodePublic key;
  HnDiscoPublic disco;
  HnOnline online;
  gint64 last_seen;
  gint64 key_expiry; /* 0: no expiry */
  HnEndpoint *endpoints;
  gsize n_endpoints;
  char **capabilities;
} HnPeerPatch;

typedef enum
{
  HN_PATCH_DERP = 1 << 0,
  HN_PATCH_KEY = 1 << 1,
  HN_PATCH_DISCO = 1 << 2,
  HN_PATCH_ONLINE = 1 << 3,
  HN_PATCH_LAST_SEEN = 1 << 4,
  HN_PATCH_KEY_EXPIRY = 1 << 5,
  HN_PATCH_ENDPOINTS = 1 << 6,
  HN_PATCH_CAPABILITIES = 1 << 7,
} HnPeerPatchFields;

typedef struct
{
  gint64 id;
  gboolean value;
} HnPeerFlag;

/* A named filter: NULL rules delete the name. */
typedef struct
{
  char *name;
  HnFilterRules *rules;
} HnNamedFilter;

/* The node that a remark is about, so that the remark goes when the node comes anew or goes. */
typedef struct
{
  const char *remark; /* a constant text */
  gint64 node;        /* 0: nobody in particular, it stays until a whole list comes */
} HnMapBlame;

typedef struct
{
  gsize size; /* of the text that it was made of */
  gboolean keep_alive;
  HnNode *node;     /* nullable: unchanged */
  GPtrArray *peers; /* nullable; of HnNode: full replacement */
  GPtrArray *peers_changed;
  GArray *peers_removed; /* of gint64 */
  GArray *peer_seen;     /* of HnPeerFlag */
  GArray *online;        /* of HnPeerFlag */
  GArray *patches;       /* of HnPeerPatch */
  gboolean has_derp_regions;
  HnDerpRegion *derp_regions;
  gsize n_derp_regions;
  gboolean has_derp_scores; /* HomeParams.RegionScore was there and not null */
  GHashTable *derp_scores;  /* region id -> double*; empty clears */
  HnDnsConfig *dns;
  char *domain;
  HnFilterRules *packet_filter; /* PacketFilter present: becomes "base" */
  gboolean clear_filters;       /* PacketFilters had "*": null */
  GArray *packet_filters;       /* of HnNamedFilter */
  GPtrArray *users;             /* of HnUser */
  GPtrArray *health;            /* nullable: unchanged; of char*: replaces */
  gboolean clear_messages;      /* DisplayMessages "*": null */
  GPtrArray *messages;          /* of HnHealthItem to set, ids as the server has them */
  GPtrArray *messages_removed;  /* of char* */
  gboolean has_ssh_policy;
  gint64 control_time; /* seconds since 1970, 0: absent */
  gboolean has_tka;
  gboolean tka_enabled;
  char *pop_browser_url;
  char *ping_url; /* PingRequest */
  gboolean ping_is_noise;
  char *ping_types;
  guint8 *ping_payload;
  gsize ping_payload_len;
  gint64 sleep_seconds; /* Debug.SleepSeconds, 0 none */
  GPtrArray *remarks;   /* of HnHealthItem: elements that were skipped, and why */
  GArray *blames;       /* of HnMapBlame: for each of them at least one */
} HnMapUpdate;

HnMapUpdate *hn_map_update_new (void);
void hn_map_update_free (HnMapUpdate *self);
/* Free what a patch or a named filter owns, not the struct itself; for the arrays that hold them. */
void hn_peer_patch_clear (HnPeerPatch *patch);
void hn_named_filter_clear (HnNamedFilter *filter);

/*
 * hn_netmap_apply:
 * @update: (transfer none): what came; its parts are referenced or moved, it is still to be freed
 * @wall: now, seconds since 1970 by our own clock
 *
 * Merges one response. Values equal to what is there already do not count as changes.
 *
 * Returns: (transfer full): what really changed; parts is 0 when nothing did
 */
HnNetmapChange *hn_netmap_apply (HnNetmap *self, HnMapUpdate *update, gint64 wall);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnMapUpdate, hn_map_update_free)
