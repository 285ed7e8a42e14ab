/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-reach.h"

#include <errno.h>
#include <string.h>

#include "base/hn-clock.h"
#include "base/hn-source.h"
#include "crypto/hn-crypto.h"
#include "dataplane/hn-portmapper.h"
#include "net/hn-udp.h"
#include "path/hn-endpoints.h"
#include "path/hn-netcheck-http.h"

/* Looks while traffic flows (tailscale: wgengine/magicsock/magicsock.go). */
#define AGAIN_MIN_US (20 * G_USEC_PER_SEC)
#define AGAIN_SPREAD_US (6 * G_USEC_PER_SEC)
#define LATE_US (20 * G_USEC_PER_SEC)

struct _HnReach
{
  HnReachOps ops;
  gpointer user;
  HnNetcheckHttp *http; /* owned; NULL: relays can not be dialled */
  HnUdp *udp;           /* owned */
  HnPortmapper *mapper; /* owned */
  guint16 port;         /* as configured; 0 any */
  gboolean available;
  gboolean asked;            /* somebody waits for a full look */
  gboolean asked_late;       /* and for the one after that: this one began before the question */
  HnNetcheck *netcheck;      /* owned */
  HnSeenMappings seen;       /* of earlier looks */
  GArray *local;             /* of HnIp, owned */
  GArray *forbidden;         /* of HnPrefix, owned */
  GArray *endpoints;         /* of HnTypedEndpoint, owned; as told last, NULL never */
  GCancellable *cancellable; /* owned; of names that are being resolved */
  GSource *timer;            /* owned */
  gint64 timer_us;           /* what it waits for; G_MAXINT64 nothing */
  gint64 again_us;           /* the next look for traffic's sake; G_MAXINT64 none */
};

static void
tell_endpoints (HnReach *self)
{
  HnNetReport *report = hn_netcheck_get_report (self->netcheck);
  HnEndpointSources sources = {
    .local = (const HnIp *) (gpointer) self->local->data,
    .n_local = self->local->len,
    .port_v4 = hn_udp_get_port (self->udp, 4),
    .port_v6 = hn_udp_get_port (self->udp, 6),
    .fixed_port = self->port,
    .report = report,
    .seen = &self->seen,
    .forbidden = (const HnPrefix *) (gpointer) self->forbidden->data,
    .n_forbidden = self->forbidden->len,
    .now_us = hn_clock_now_us (),
  };
  GArray *endpoints;
  gboolean changed;

  hn_portmapper_get_mapping (self->mapper, &sources.portmapped);
  endpoints = hn_endpoints_new (&sources);
  changed = self->endpoints == NULL || !hn_endpoints_equal (self->endpoints, endpoints);
  g_clear_pointer (&self->endpoints, g_array_unref);
  self->endpoints = endpoints;
  self->ops.endpoints (self->user, (const HnTypedEndpoint *) (gpointer) endpoints->data,
                       endpoints->len, changed);
}

/* ---- the timer ---- */

static void
arm_timer (HnReach *self)
{
  gint64 deadline_us = MIN (hn_netcheck_get_deadline (self->netcheck), self->again_us);

  if (deadline_us == self->timer_us)
    return;
  self->timer_us = deadline_us;
  /* our clock runs through sleep, GLib's does not: what is left counts, not the moment */
  g_source_set_ready_time (self->timer, deadline_us == G_MAXINT64
                                            ? -1
                                            : g_get_monotonic_time ()
                                                  + MAX (deadline_us - hn_clock_now_us (), 0));
}

static void
start_look (HnReach *self, gboolean full)
{
  if (!self->available)
    return;
  self->again_us = G_MAXINT64;
  hn_portmapper_refresh (self->mapper);
  hn_netcheck_start (self->netcheck, full, hn_clock_now_us (), hn_clock_wall_us ());
  hn_udp_flush (self->udp);
  arm_timer (self);
  /* nothing to look at: what is known has to do */
  if (!hn_netcheck_is_running (self->netcheck))
    tell_endpoints (self);
}

static gboolean
on_timer (gpointer user_data)
{
  HnReach *self = user_data;
  gint64 now_us = hn_clock_now_us ();

  self->timer_us = G_MAXINT64;
  g_source_set_ready_time (self->timer, -1);
  if (hn_netcheck_get_deadline (self->netcheck) <= now_us)
    hn_netcheck_tick (self->netcheck, now_us);
  if (self->again_us <= now_us)
    {
      /* later than that the machine slept, and nobody sends any more */
      gboolean late = now_us - self->again_us >= LATE_US;

      self->again_us = G_MAXINT64;
      if (!late)
        start_look (self, FALSE);
    }
  hn_udp_flush (self->udp);
  arm_timer (self);
  return G_SOURCE_CONTINUE;
}

static gboolean
timer_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  return callback (data);
}

static GSourceFuncs timer_funcs = { .dispatch = timer_dispatch };

/* ---- the sockets ---- */

static void
udp_receive (gpointer user, const HnEndpoint *from, guint8 *data, gsize len)
{
  HnReach *self = user;

  if (!hn_netcheck_is_stun (data, len))
    {
      self->ops.receive (self->user, from, data, len);
      return;
    }
  hn_netcheck_receive (self->netcheck, from, data, len, hn_clock_now_us ());
  arm_timer (self);
}

static void
udp_received_all (gpointer user)
{
  HnReach *self = user;

  hn_udp_flush (self->udp);
}

static void
udp_send_failed (gpointer user, const HnEndpoint *to, int error)
{
  HnReach *self = user;

  hn_netcheck_send_failed (self->netcheck, to, hn_clock_now_us ());
  arm_timer (self);
  self->ops.send_failed (self->user, to, error);
}

int
hn_reach_send (HnReach *self, const HnEndpoint *to, const guint8 *data, gsize len)
{
  if (!self->available)
    return ENETDOWN;
  /* once for each look and not for each datagram: this is the hot path */
  if (self->again_us == G_MAXINT64 && !hn_netcheck_is_running (self->netcheck))
    {
      self->again_us
          = hn_clock_now_us () + AGAIN_MIN_US + (gint64) (hn_random_double () * AGAIN_SPREAD_US);
      arm_timer (self);
    }
  return hn_udp_send (self->udp, to, data, len);
}

void
hn_reach_flush (HnReach *self)
{
  hn_udp_flush (self->udp);
}

static void
open_sockets (HnReach *self)
{
  g_autoptr (GError) error = NULL;
  gboolean opened = hn_udp_get_port (self->udp, 4) != 0 || hn_udp_get_port (self->udp, 6) != 0
                        ? hn_udp_rebind (self->udp, &error)
                        : hn_udp_bind (self->udp, self->port, &error);

  if (!opened)
    g_info ("No direct paths: %s", error->message);
  hn_netcheck_set_families (self->netcheck, hn_udp_get_port (self->udp, 4) != 0,
                            hn_udp_get_port (self->udp, 6) != 0);
}

/* ---- what a look asks for ---- */

static int
netcheck_send_udp (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len)
{
  HnReach *self = user;

  return hn_udp_send (self->udp, to, data, len);
}

typedef struct
{
  HnReach *reach; /* borrowed: cancelled before it goes */
  char *host;
} NameQuestion;

static void
on_resolved (GObject *source, GAsyncResult *result, gpointer user_data)
{
  NameQuestion *question = user_data;
  HnReach *self = question->reach;
  g_autoptr (GError) error = NULL;
  g_autofree char *host = question->host;
  GList *addresses = g_resolver_lookup_by_name_finish (G_RESOLVER (source), result, &error);
  HnIp ips[8];
  gsize n = 0;

  g_free (question);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  for (GList *item = addresses; item != NULL && n < G_N_ELEMENTS (ips); item = item->next)
    ips[n++] = hn_ip_from_bytes (g_inet_address_to_bytes (item->data),
                                 g_inet_address_get_native_size (item->data));
  g_resolver_free_addresses (addresses);
  hn_netcheck_resolved (self->netcheck, host, ips, n, hn_clock_now_us ());
  hn_udp_flush (self->udp);
  arm_timer (self);
}

static void
netcheck_resolve (gpointer user, const char *host)
{
  HnReach *self = user;
  g_autoptr (GResolver) resolver = g_resolver_get_default ();
  NameQuestion *question = g_new (NameQuestion, 1);

  *question = (NameQuestion){ self, g_strdup (host) };
  g_resolver_lookup_by_name_async (resolver, host, self->cancellable, on_resolved, question);
}

static void
on_measured (gpointer user, int region, gint64 latency_us, gboolean portal)
{
  HnReach *self = user;

  hn_netcheck_measured (self->netcheck, region, latency_us, portal, hn_clock_now_us ());
  /* another look may have begun: how long its questions wait here would count as the relays' time */
  hn_udp_flush (self->udp);
  arm_timer (self);
}

static void
netcheck_measure (gpointer user, const HnDerpRegion *region)
{
  HnReach *self = user;

  hn_netcheck_http_measure (self->http, region);
}

static void
netcheck_done (gpointer user, HnNetReport *report)
{
  HnReach *self = user;
  gboolean asked = self->asked && hn_netcheck_is_full (self->netcheck);
  HnEndpoint outer;

  if (asked)
    self->asked = FALSE;
  self->asked = self->asked || self->asked_late;
  self->asked_late = FALSE;
  report->port_mapping = hn_portmapper_get_mapping (self->mapper, &outer);
  hn_seen_mappings_note (&self->seen, report, hn_clock_now_us ());
  tell_endpoints (self);
  self->ops.checked (self->user, report, asked);
}

/* Relays without a name of their own are at the server's. */
static void
tell_server_host (HnReach *self, const char *server_url)
{
  g_autoptr (GUri) uri
      = server_url != NULL ? g_uri_parse (server_url, G_URI_FLAGS_NONE, NULL) : NULL;

  if (uri != NULL)
    hn_netcheck_set_server_host (self->netcheck, g_uri_get_host (uri));
}

/* ---- the router ---- */

static void
mapper_changed (gpointer user)
{
  HnReach *self = user;

  if (self->available)
    tell_endpoints (self);
}

/* ---- from outside ---- */

HnReach *
hn_reach_new (HnDialer *dialer, const char *server_url, guint32 mark, guint16 port,
              const HnReachOps *ops, gpointer user)
{
  static const HnUdpOps udp_ops = { udp_receive, udp_received_all, udp_send_failed };
  HnNetcheckOps netcheck_ops = { netcheck_send_udp, netcheck_resolve,
                                 dialer != NULL ? netcheck_measure : NULL, netcheck_done };
  HnReach *self = g_new0 (HnReach, 1);

  self->ops = *ops;
  self->user = user;
  if (dialer != NULL)
    self->http = hn_netcheck_http_new (dialer, server_url, on_measured, self);
  self->port = port;
  self->again_us = G_MAXINT64;
  self->timer_us = G_MAXINT64;
  self->cancellable = g_cancellable_new ();
  self->udp = hn_udp_new (mark, &udp_ops, self);
  self->netcheck = hn_netcheck_new (&netcheck_ops, self);
  self->mapper = hn_portmapper_new (mark, mapper_changed, self);
  tell_server_host (self, server_url);
  self->local = g_array_new (FALSE, FALSE, sizeof (HnIp));
  self->forbidden = g_array_new (FALSE, FALSE, sizeof (HnPrefix));
  self->timer = g_source_new (&timer_funcs, sizeof (GSource));
  g_source_set_callback (self->timer, on_timer, self, NULL);
  g_source_attach (self->timer, g_main_context_get_thread_default ());
  return self;
}

void
hn_reach_free (HnReach *self)
{
  g_cancellable_cancel (self->cancellable);
  g_object_unref (self->cancellable);
  hn_portmapper_free (self->mapper);
  hn_source_clear (&self->timer);
  g_clear_pointer (&self->http, hn_netcheck_http_free);
  hn_netcheck_free (self->netcheck);
  g_clear_pointer (&self->endpoints, g_array_unref);
  g_array_unref (self->local);
  g_array_unref (self->forbidden);
  hn_udp_free (self->udp);
  g_free (self);
}

void
hn_reach_set_map (HnReach *self, HnDerpMap *map)
{
  hn_netcheck_set_map (self->netcheck, map);
  start_look (self, TRUE);
}

void
hn_reach_set_local_addresses (HnReach *self, const HnIp *addresses, gsize n)
{
  g_array_set_size (self->local, 0);
  if (n > 0)
    g_array_append_vals (self->local, addresses, (guint) n);
}

void
hn_reach_set_gateway (HnReach *self, const HnIp *gateway)
{
  hn_portmapper_set_gateway (self->mapper, gateway);
}

void
hn_reach_set_forbidden (HnReach *self, const HnPrefix *prefixes, gsize n)
{
  g_array_set_size (self->forbidden, 0);
  if (n > 0)
    g_array_append_vals (self->forbidden, prefixes, (guint) n);
}

void
hn_reach_set_control_reachable (HnReach *self, gboolean reachable)
{
  hn_netcheck_set_control_reachable (self->netcheck, reachable);
}

void
hn_reach_network_changed (HnReach *self, gboolean available)
{
  g_cancellable_cancel (self->cancellable);
  g_object_unref (self->cancellable);
  self->cancellable = g_cancellable_new ();
  hn_netcheck_cancel (self->netcheck);
  if (self->http != NULL)
    hn_netcheck_http_cancel (self->http);
  hn_seen_mappings_clear (&self->seen);
  self->available = available;
  self->again_us = G_MAXINT64;
  if (available)
    open_sockets (self);
  else
    hn_udp_close (self->udp);
  self->ops.reopened (self->user, available);
  hn_portmapper_network_changed (self->mapper, available, hn_udp_get_port (self->udp, 4));
  if (available)
    {
      /* what the interfaces say needs no look and no relay */
      tell_endpoints (self);
      start_look (self, TRUE);
    }
  else
    {
      /* whoever waits for that look would wait until there is a network again */
      if (self->asked || self->asked_late)
        self->ops.checked (self->user, NULL, TRUE);
      self->asked = self->asked_late = FALSE;
    }
  arm_timer (self);
}

gboolean
hn_reach_check (HnReach *self)
{
  if (self->available && hn_netcheck_is_running (self->netcheck))
    self->asked_late = TRUE;
  else
    self->asked = self->available;
  start_look (self, TRUE);
  return self->available;
}

void
hn_reach_refresh (HnReach *self)
{
  /* one that is under way tells as well */
  if (!hn_netcheck_is_running (self->netcheck))
    start_look (self, FALSE);
}

void
hn_reach_heard (HnReach *self, int region, gint64 now_us)
{
  hn_netcheck_heard (self->netcheck, region, now_us);
}
