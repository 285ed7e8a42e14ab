/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far a relay is by HTTP(S), where UDP does not pass: the time of GET /derp/latency-check on a
 * connection that stands (tailscale: net/netcheck/netcheck.go, measureHTTPSLatency), and a hint that
 * somebody else answers for it, such as the login page of a hotel (net/captivedetection). Works on
 * the thread-default context of the caller.
 */
#pragma once

#include "model/hn-derp-map.h"
#include "net/hn-dialer.h"

typedef struct _HnNetcheckHttp HnNetcheckHttp;

/* The arguments of hn_netcheck_measured(). May be called from within hn_netcheck_http_measure(), and
 * may call back but for hn_netcheck_http_free(). */
typedef void (*HnNetcheckHttpDone) (gpointer user, int region, gint64 latency_us, gboolean portal);

/* @server_url: (nullable): tells, with the map, what speaks TLS; see hn-derp-target.h */
HnNetcheckHttp *hn_netcheck_http_new (HnDialer *dialer, const char *server_url,
                                      HnNetcheckHttpDone done, gpointer user);
/* Nothing is told any more. */
void hn_netcheck_http_free (HnNetcheckHttp *self);
/* Measures one region; @done is called once, within 5 s. @region is not needed any longer then. */
void hn_netcheck_http_measure (HnNetcheckHttp *self, const HnDerpRegion *region);
/* Gives up what is under way, without a word. */
void hn_netcheck_http_cancel (HnNetcheckHttp *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnNetcheckHttp, hn_netcheck_http_free)
