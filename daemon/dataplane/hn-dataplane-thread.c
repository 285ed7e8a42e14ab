/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-dataplane-thread.h"

#include "base/hn-error.h"

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
  HnPump *pump;     /* owned */
  HnDerpPool *pool; /* owned; NULL when the CA is no certificate */
  int batch_region; /* where all packets since the last flush went; 0 none, MIXED several */
};

typedef struct
{
  HnDataplaneThread *thread; /* borrowed */
  HnDataplaneThreadFunc func;
  gpointer data;
  GDestroyNotify free_data; /* nullable */
} Message;

static int
pump_send (gpointer user, int region, const HnNodePublic *peer, const guint8 *data, gsize len)
{
  HnDataplaneThread *self = user;
  int used;

  if (self->pool == NULL)
    return 0;
  used = hn_derp_pool_send (self->pool, region, peer, data, len);
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
  if (self->pool == NULL || region == 0)
    return FALSE;
  hn_derp_pool_flush (self->pool);
  return region != MIXED && hn_derp_pool_get_queued (self->pool, region) > 0;
}

static void
pool_drained (gpointer user, int region)
{
  HnDataplaneThread *self = user;

  hn_pump_resume (self->pump);
}

static void
pump_path_changed (gpointer user, const HnNodePublic *peer, HnPathKind path, int relay)
{
  HnDataplaneThread *self = user;

  self->ops.path_changed (self->user, peer, path, relay);
}

static void
pump_port_lost (gpointer user, const GError *error)
{
  HnDataplaneThread *self = user;

  self->ops.port_lost (self->user, error);
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

  hn_pump_receive (self->pump, region, source, data, len);
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

  hn_pump_peer_gone (self->pump, region, peer);
}

static void
make_pool (HnDataplaneThread *self)
{
  static const HnDerpPoolOps pool_ops = { pool_receive, pool_state, pool_peer_gone, pool_drained };
  g_autoptr (GError) error = NULL;
  g_autoptr (HnDialer) dialer = hn_dialer_new (self->ca_certificate, self->mark, &error);

  if (dialer == NULL)
    {
      g_prefix_error (&error, "No relay can be reached: ");
      self->ops.relay_changed (self->user, 0, HN_RELAY_LOST, NULL, error);
      return;
    }
  self->pool = hn_derp_pool_new (dialer, self->server_url, &pool_ops, self);
}

static gpointer
run (gpointer data)
{
  static const HnPumpOps pump_ops = { .send = pump_send,
                                      .flush = pump_flush,
                                      .path_changed = pump_path_changed,
                                      .port_lost = pump_port_lost,
                                      .ping_done = pump_ping_done };
  HnDataplaneThread *self = data;

  g_main_context_push_thread_default (self->context);
  self->pump = hn_pump_new (self->port, &pump_ops, self, self->mtu);
  make_pool (self);
  g_main_loop_run (self->loop);

  /* The pool first: it calls the pump. */
  g_clear_pointer (&self->pool, hn_derp_pool_free);
  g_clear_pointer (&self->pump, hn_pump_free);
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
  HnDataplaneThread *self = message->thread;

  if (self->pump != NULL)
    message->func (self->pump, self->pool, message->data);
  return G_SOURCE_REMOVE;
}

void
hn_dataplane_thread_send (HnDataplaneThread *self, HnDataplaneThreadFunc func, gpointer data,
                          GDestroyNotify free_data)
{
  Message *message = g_new0 (Message, 1);
  g_autoptr (GSource) source = g_idle_source_new ();

  *message = (Message){ self, func, data, free_data };
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
