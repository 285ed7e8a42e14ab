/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-dataplane-thread.h"

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "path/hn-endpoints.h"

#define MIXED (-1)

struct _HnDataplaneThread
{
  HnDataplaneThreadOps ops;
  gpointer user;
  GThread *thread;       /* owned */
  GMainContext *context; /* owned */
  GMainLoop *loop;       /* owned */

  /* Handed over before the thread starts, its own from then on. */
  HnPacketPort *port; /* owned */
  char *server_url;
  char *ca_certificate;
  guint32 mark;
  guint mtu;
  guint16 udp_port;
  HnDataplaneCore core; /* owned; no pool when the CA is no certificate */
  int batch_region;     /* where all packets since the last flush went; 0 none, MIXED several */
};

typedef struct
{
  HnDataplaneThread *thread; /* borrowed */
  HnDataplaneThreadFunc func;
  gpointer data;
  GDestroyNotify free_data; /* nullable */
  int sealed;               /* atomic: all of it was written; see hn_dataplane_thread_send() */
} Message;

static int
pump_send (gpointer user, int region, const HnNodePublic *peer, const guint8 *data, gsize len)
{
  HnDataplaneThread *self = user;
  int used;

  if (self->core.pool == NULL)
    return 0;
  used = hn_derp_pool_send (self->core.pool, region, peer, data, len);
  if (used != 0 && self->batch_region != used)
    self->batch_region = self->batch_region == 0 ? used : MIXED;
  return used;
}

/* Holds the port back only when nobody but the jammed relay's peers would have to wait for it. */
static gboolean
pump_flush (gpointer user)
{
  HnDataplaneThread *self = user;
  int region = self->batch_region;

  self->batch_region = 0;
  if (self->core.pool == NULL || region == 0)
    return FALSE;
  hn_derp_pool_flush (self->core.pool);
  return region != MIXED && hn_derp_pool_get_queued (self->core.pool, region) > 0;
}

static void
pool_drained (gpointer user, int region)
{
  HnDataplaneThread *self = user;

  hn_pump_resume (self->core.pump);
}

static int
pump_send_udp (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len)
{
  HnDataplaneThread *self = user;

  return hn_reach_send (self->core.reach, to, data, len);
}

static void
pump_flush_udp (gpointer user)
{
  HnDataplaneThread *self = user;

  hn_reach_flush (self->core.reach);
}

static void
pump_refresh_endpoints (gpointer user)
{
  HnDataplaneThread *self = user;

  hn_reach_refresh (self->core.reach);
}

static void
pump_path_changed (gpointer user, const HnNodePublic *peer, const HnPeerPath *path)
{
  HnDataplaneThread *self = user;

  self->ops.path_changed (self->user, peer, path);
}

static void
pump_port_lost (gpointer user, const GError *error)
{
  HnDataplaneThread *self = user;

  self->ops.port_lost (self->user, error);
}

static void
pump_refused (gpointer user, const guint64 *verdicts)
{
  HnDataplaneThread *self = user;

  self->ops.refused (self->user, verdicts);
}

static void
pump_ping_done (gpointer user, gpointer token, const HnPeerStats *stats, gint64 latency_us)
{
  HnDataplaneThread *self = user;

  self->ops.ping_done (self->user, token, stats, latency_us);
}

static void
pool_receive (gpointer user, int region, const HnNodePublic *source, guint8 *data, gsize len)
{
  HnDataplaneThread *self = user;

  hn_reach_heard (self->core.reach, region, hn_clock_now_us ());
  hn_pump_receive (self->core.pump, region, source, data, len);
}

static HnRelayState
to_relay_state (HnDerpState state)
{
  switch (state)
    {
    case HN_DERP_CONNECTING:
      return HN_RELAY_CONNECTING;
    case HN_DERP_CONNECTED:
      return HN_RELAY_CONNECTED;
    case HN_DERP_LOST:
      return HN_RELAY_LOST;
    case HN_DERP_REFUSED:
      return HN_RELAY_REFUSED;
    case HN_DERP_CLOSED:
      return HN_RELAY_CLOSED;
    }
  g_return_val_if_reached (HN_RELAY_CLOSED);
}

static void
pool_state (gpointer user, int region, HnDerpState state, const char *health, const GError *error)
{
  HnDataplaneThread *self = user;

  self->ops.relay_changed (self->user, region, to_relay_state (state), health, error);
}

static void
pool_peer_gone (gpointer user, int region, const HnNodePublic *peer)
{
  HnDataplaneThread *self = user;

  hn_pump_peer_gone (self->core.pump, region, peer);
}

static void
reach_receive (gpointer user, const HnEndpoint *from, guint8 *data, gsize len)
{
  HnDataplaneThread *self = user;

  hn_pump_receive_udp (self->core.pump, from, data, len);
}

static void
reach_send_failed (gpointer user, const HnEndpoint *to, int error)
{
  HnDataplaneThread *self = user;

  hn_pump_send_failed (self->core.pump, to, error);
}

static void
reach_reopened (gpointer user, gboolean available)
{
  HnDataplaneThread *self = user;

  hn_pump_network_changed (self->core.pump, available);
}

static void
reach_endpoints (gpointer user, const HnTypedEndpoint *endpoints, gsize n, gboolean changed)
{
  HnDataplaneThread *self = user;
  HnEndpoint plain[HN_ENDPOINTS_MAX];

  for (gsize i = 0; i < n; i++)
    plain[i] = endpoints[i].endpoint;
  hn_pump_set_endpoints (self->core.pump, plain, n);
  if (changed)
    self->ops.endpoints_changed (self->user, endpoints, n);
}

static void
reach_checked (gpointer user, HnNetReport *report, gboolean asked)
{
  HnDataplaneThread *self = user;

  self->ops.network_checked (self->user, report, asked);
}

static void
make_transports (HnDataplaneThread *self)
{
  static const HnDerpPoolOps pool_ops = { pool_receive, pool_state, pool_peer_gone, pool_drained };
  static const HnReachOps reach_ops
      = { reach_receive, reach_send_failed, reach_reopened, reach_endpoints, reach_checked };
  g_autoptr (GError) error = NULL;
  g_autoptr (HnDialer) dialer = hn_dialer_new (self->ca_certificate, self->mark, &error);

  self->core.reach
      = hn_reach_new (dialer, self->server_url, self->mark, self->udp_port, &reach_ops, self);
  if (dialer == NULL)
    {
      g_prefix_error (&error, "No relay can be reached: ");
      self->ops.relay_changed (self->user, 0, HN_RELAY_LOST, NULL, error);
      return;
    }
  self->core.pool = hn_derp_pool_new (dialer, self->server_url, &pool_ops, self);
}

static gpointer
run (gpointer data)
{
  static const HnPumpOps pump_ops = { .send = pump_send,
                                      .flush = pump_flush,
                                      .send_udp = pump_send_udp,
                                      .flush_udp = pump_flush_udp,
                                      .refresh_endpoints = pump_refresh_endpoints,
                                      .path_changed = pump_path_changed,
                                      .port_lost = pump_port_lost,
                                      .refused = pump_refused,
                                      .ping_done = pump_ping_done };
  HnDataplaneThread *self = data;

  g_main_context_push_thread_default (self->context);
  self->core.pump = hn_pump_new (self->port, &pump_ops, self, self->mtu);
  make_transports (self);
  g_main_loop_run (self->loop);

  /* The pump last: what it sends goes by the others, which call it. Nothing of its own happens while
   * they go. */
  g_clear_pointer (&self->core.pool, hn_derp_pool_free);
  g_clear_pointer (&self->core.reach, hn_reach_free);
  g_clear_pointer (&self->core.pump, hn_pump_free);
  /* Cancelled operations of streams end here, where their context is. */
  while (g_main_context_iteration (self->context, FALSE))
    ;
  g_main_context_pop_thread_default (self->context);
  return NULL;
}

HnDataplaneThread *
hn_dataplane_thread_new (HnPacketPort *port, const HnDataplaneConfig *config,
                         const HnDataplaneThreadOps *ops, gpointer user)
{
  HnDataplaneThread *self = g_new0 (HnDataplaneThread, 1);

  self->ops = *ops;
  self->user = user;
  self->port = g_object_ref (port);
  self->server_url = g_strdup (config->server_url);
  self->ca_certificate = g_strdup (config->ca_certificate);
  self->mark = config->mark;
  self->mtu = config->mtu;
  self->udp_port = config->port;
  self->context = g_main_context_new ();
  self->loop = g_main_loop_new (self->context, FALSE);
  self->thread = g_thread_new ("headnet-packets", run, self);
  return self;
}

static void
free_message (gpointer data)
{
  Message *message = data;

  if (message->free_data != NULL)
    message->free_data (message->data);
  g_free (message);
}

static gboolean
on_message (gpointer data)
{
  Message *message = data;
  HnDataplaneThread *self;

  if (!g_atomic_int_get (&message->sealed))
    return G_SOURCE_REMOVE;
  self = message->thread;
  if (self->core.pump != NULL)
    message->func (&self->core, message->data);
  return G_SOURCE_REMOVE;
}

void
hn_dataplane_thread_send (HnDataplaneThread *self, HnDataplaneThreadFunc func, gpointer data,
                          GDestroyNotify free_data)
{
  Message *message = g_new0 (Message, 1);
  g_autoptr (GSource) source = g_idle_source_new ();

  *message = (Message){ self, func, data, free_data, FALSE };
  /* The context's lock hands it over; this says so to the thread sanitizer too, which does not see what
   * is attached between the context's poll() and its dispatch. */
  g_atomic_int_set (&message->sealed, TRUE);
  /* As urgent as packets, so that one kind never starves the other. */
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, on_message, message, free_message);
  g_source_attach (source, self->context);
}

static gboolean
on_quit (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_REMOVE;
}

void
hn_dataplane_thread_free (HnDataplaneThread *self)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  /* As a message, so that it also ends a loop that has not begun to run. */
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, on_quit, self->loop, NULL);
  g_source_attach (source, self->context);
  g_thread_join (self->thread);
  g_main_loop_unref (self->loop);
  g_main_context_unref (self->context);
  g_object_unref (self->port);
  g_free (self->server_url);
  g_free (self->ca_certificate);
  g_free (self);
}
