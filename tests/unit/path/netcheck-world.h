/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network in a box for tests of HnNetcheck: servers that answer after a while, names, relays by
 * HTTP, and a clock that jumps.
 */
#pragma once

#include "path/hn-netcheck.h"

#define MS 1000
#define S G_USEC_PER_SEC

typedef struct
{
  HnEndpoint at;
  gint64 rtt_us; /* 0 silent */
  char mapped[64];
  guint lose; /* this many requests first */
  guint asked;
} Server;

typedef struct
{
  gint64 at_us;
  HnEndpoint from;
  guint8 data[64];
  gsize len;
} Answer;

typedef struct
{
  HnNetcheck *netcheck;
  gint64 now;
  GArray *servers; /* of Server */
  GArray *answers; /* of Answer */
  guint sent;
  int send_error_v6;
  GHashTable *names; /* host -> HnIp, once resolved */
  guint resolved;
  gboolean resolve_later;
  GPtrArray *to_resolve;
  GArray *measured; /* of int */
  gint64 http_us;   /* 0: no answer */
  gboolean portal;
  gboolean http_later;
  guint done;
  HnNetReport *report; /* owned */
  gint64 done_at;
  gboolean restart; /* from within done */
  gboolean cancel_on_send;
} World;

HnEndpoint world_endpoint (const char *text);
HnIp world_ip (const char *text);
/* The answer to a question for @host, by the names added. */
void world_resolve (World *world, const char *host);
void world_open (World *world);
void world_close (World *world);
/* Valid until the next one is added. */
Server *world_add_server (World *world, const char *at, gint64 rtt_us, const char *mapped);
Server *world_get_server (World *world, guint i);
void world_add_name (World *world, const char *host, const char *address);
/* Region i + 1 of @n has one node, at 10.0.0.(i + 1), and with @v6 at fd00::(i + 1). */
HnDerpRegion *world_make_regions (guint n, gboolean v6);
/* Takes @regions. */
void world_use_regions (World *world, HnDerpRegion *regions, guint n);
/* Time passes until @until, with all that happens in it; the machine is called no later than it
 * asked for, and never before. */
void world_run_until (World *world, gint64 until);
/* One run; how long it took. */
gint64 world_run (World *world, gboolean full);
void world_check_endpoint (const HnEndpoint *value, const char *expected);
