/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the network lets us do: by STUN to the relays, whether UDP passes, our public addresses,
 * whether the mapping depends on the destination, and how far each relay is (tailscale:
 * net/netcheck/netcheck.go). No sockets and no clock: the owner resolves names, sends what it asks
 * for and hands in the answers; STUN goes through the tunnel's own sockets, because the mapping of
 * others would be of no use. One run at a time; a wish during a run is remembered.
 */
#pragma once

#include "model/hn-derp-map.h"
#include "path/hn-portmap-codec.h"

typedef struct _HnNetcheck HnNetcheck;

typedef struct
{
  int region;
  gint64 latency_us;    /* the shortest of this run; 0 no answer */
  gint64 v4_latency_us; /* 0 no answer over that family */
  gint64 v6_latency_us;
  gint64 tcp_latency_us; /* by HTTP(S), where UDP was silent; 0 not measured */
} HnRelayLatency;

#define HN_NETCHECK_MAX_MAPPINGS 6

/* A finished run; sealed, reference counted across threads. */
typedef struct
{
  gatomicrefcount ref_count;
  gboolean asked; /* over UDP; else there was nobody to ask, and udp says nothing */
  gboolean udp;
  gboolean ipv4;
  gboolean ipv6;
  HnEndpoint global_v4; /* the first mapping seen; family 0: none */
  HnEndpoint global_v6;
  /* All mappings of this run, most often seen first. */
  HnEndpoint mappings[HN_NETCHECK_MAX_MAPPINGS];
  guint8 mapping_counts[HN_NETCHECK_MAX_MAPPINGS];
  guint n_mappings;
  int mapping_varies;      /* IPv4; -1 unknown (two servers must answer), 0 no, 1 yes */
  gboolean captive_portal; /* a hint: HTTP answered what no relay says */
  HnRelayLatency *relays;  /* sorted by region */
  gsize n_relays;
  /* What maps a port to us meanwhile; the owner sets it in done(). */
  HnPortmapProtocol port_mapping;
  int preferred; /* the home by latency with hysteresis; 0 none */
  gint64 wall;   /* seconds since 1970 */
} HnNetReport;

HnNetReport *hn_net_report_ref (HnNetReport *self);
void hn_net_report_unref (HnNetReport *self);
/* Nullable: the region was not in the run. */
const HnRelayLatency *hn_net_report_get_relay (const HnNetReport *self, int region);

typedef struct
{
  /* A STUN request from the tunnel's sockets. Returns 0 or a positive errno. */
  int (*send_udp) (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len);
  /* Resolve @host for both families; hn_netcheck_resolved() answers, also from within. */
  void (*resolve) (gpointer user, const char *host);
  /* No UDP answer came: measure @region by HTTP and call hn_netcheck_measured(). Nullable. */
  void (*measure) (gpointer user, const HnDerpRegion *region);
  /* A run ended; @report is borrowed. */
  void (*done) (gpointer user, HnNetReport *report);
} HnNetcheckOps;

/* Takes a copy of @ops. The callbacks may call everything here but hn_netcheck_free(). */
HnNetcheck *hn_netcheck_new (const HnNetcheckOps *ops, gpointer user);
void hn_netcheck_free (HnNetcheck *self);
/* @map is nullable. A run under way goes on with the map it began with; a home that the new map does
 * not have is given up, and a map with one region only makes that the home at once. */
void hn_netcheck_set_map (HnNetcheck *self, HnDerpMap *map);
/* The coordination server's host, where relays without a name of their own are; nullable. */
void hn_netcheck_set_server_host (HnNetcheck *self, const char *host);
/* Which families the sockets have. */
void hn_netcheck_set_families (HnNetcheck *self, gboolean ipv4, gboolean ipv6);
/* Starts a run, or remembers to when one is under way. @full: all regions, as after a change of the
 * network; else the fastest few and the home, unless the last full run was five minutes ago. @now_us
 * monotonic, @wall_us since 1970. A run that has nothing to ask ends from within. */
void hn_netcheck_start (HnNetcheck *self, gboolean full, gint64 now_us, gint64 wall_us);
/* Ends a run, and the wish for another, without a report. */
void hn_netcheck_cancel (HnNetcheck *self);
gboolean hn_netcheck_is_running (const HnNetcheck *self);
/* Whether the run under way, or else the last one, asks all relays. */
gboolean hn_netcheck_is_full (const HnNetcheck *self);
/* Whether these bytes look like STUN at all; they are then handed in and belong to nobody else. */
gboolean hn_netcheck_is_stun (const guint8 *data, gsize len);
void hn_netcheck_receive (HnNetcheck *self, const HnEndpoint *from, const guint8 *data, gsize len,
                          gint64 now_us);
/* What send_udp() took could not be sent after all; it is not waited for. */
void hn_netcheck_send_failed (HnNetcheck *self, const HnEndpoint *to, gint64 now_us);
void hn_netcheck_resolved (HnNetcheck *self, const char *host, const HnIp *ips, gsize n,
                           gint64 now_us);
/* @latency_us 0: it could not be reached; @portal: what answered is no relay. */
void hn_netcheck_measured (HnNetcheck *self, int region, gint64 latency_us, gboolean portal,
                           gint64 now_us);
/* A frame of @region's relay came: it is alive, whatever STUN says. */
void hn_netcheck_heard (HnNetcheck *self, int region, gint64 now_us);
/* Connected to the server: the home may change. */
void hn_netcheck_set_control_reachable (HnNetcheck *self, gboolean reachable);
/* This region is home while it answers, whatever the latencies; 0 none. */
void hn_netcheck_set_forced_home (HnNetcheck *self, int region);
/* The last finished run, borrowed; NULL: none yet. */
HnNetReport *hn_netcheck_get_report (HnNetcheck *self);
/* The home of the last report, or of the first choice; 0 none. */
int hn_netcheck_get_home (const HnNetcheck *self);

/* When hn_netcheck_tick() is due; G_MAXINT64: no run is under way, no timer needed. */
gint64 hn_netcheck_get_deadline (const HnNetcheck *self);
/* Does what is due; calling it too early does no harm. */
void hn_netcheck_tick (HnNetcheck *self, gint64 now_us);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnNetcheck, hn_netcheck_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnNetReport, hn_net_report_unref)
