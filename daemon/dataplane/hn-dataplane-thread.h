/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data plane's side of the meeting: its thread with a main context of its own, on which the
 * pump, the relays and all sockets live. Only hn-dataplane.c uses it.
 */
#pragma once

#include "dataplane/hn-pump.h"
#include "dataplane/hn-reach.h"
#include "path/hn-derp-pool.h"

typedef struct _HnDataplaneThread HnDataplaneThread;

/* Called on the thread. @token of ping_done: the one given to hn_dataplane_thread_ping(). */
typedef struct
{
  void (*relay_changed) (gpointer user, int region, HnRelayState state, const char *health,
                         const GError *error);
  void (*path_changed) (gpointer user, const HnNodePublic *peer, const HnPeerPath *path);
  void (*port_lost) (gpointer user, const GError *error);
  void (*refused) (gpointer user, const guint64 *verdicts);
  void (*ping_done) (gpointer user, gpointer token, const HnPeerStats *stats, gint64 latency_us);
  void (*endpoints_changed) (gpointer user, const HnTypedEndpoint *endpoints, gsize n);
  void (*network_checked) (gpointer user, HnNetReport *report, gboolean asked);
} HnDataplaneThreadOps;

/* The thread's things. */
typedef struct
{
  HnPump *pump;
  HnDerpPool *pool; /* NULL when there can be none */
  HnReach *reach;
} HnDataplaneCore;

/* Runs on the thread. */
typedef void (*HnDataplaneThreadFunc) (const HnDataplaneCore *core, gpointer data);

/* Starts the thread; @user must outlive it. */
HnDataplaneThread *hn_dataplane_thread_new (HnPacketPort *port, const HnDataplaneConfig *config,
                                            const HnDataplaneThreadOps *ops, gpointer user);
/* Ends the thread and waits for it; what was sent before is still done. */
void hn_dataplane_thread_free (HnDataplaneThread *self);
/* Runs @func on the thread, in the order of the calls. @data is freed there, or by
 * hn_dataplane_thread_free() if the thread ended first. */
void hn_dataplane_thread_send (HnDataplaneThread *self, HnDataplaneThreadFunc func, gpointer data,
                               GDestroyNotify free_data);
