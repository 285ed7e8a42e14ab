/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-dataplane.h"

#include <string.h>

#include "base/hn-error.h"
#include "base/hn-source.h"
#include "dataplane/hn-dataplane-thread.h"

struct _HnDataplane
{
  GObject parent_instance;

  HnDataplaneEvents events;
  gpointer user;
  GMainContext *context;     /* owned; the owner's, where callbacks go */
  HnDataplaneThread *thread; /* owned; NULL once stopped */
  /* Number -> Open, owned. Tasks stay on this side, so that the last reference to us is never dropped
   * by the thread; there they are mere numbers, of which none comes twice: an answer may be under way
   * when its question was given up. */
  GHashTable *questions;
  gsize last_question;
  GPtrArray *netchecks; /* of GTask, owned: who waits for the next report */
};

/* A question that waits for its answer. */
typedef struct
{
  GTask *task;     /* owned */
  GSource *source; /* owned; of its cancellable, NULL without one */
} Open;

G_DEFINE_FINAL_TYPE (HnDataplane, hn_dataplane, G_TYPE_OBJECT)

static void
hn_dataplane_dispose (GObject *object)
{
  hn_dataplane_stop (HN_DATAPLANE (object));
  G_OBJECT_CLASS (hn_dataplane_parent_class)->dispose (object);
}

static void
hn_dataplane_finalize (GObject *object)
{
  HnDataplane *self = HN_DATAPLANE (object);

  g_clear_pointer (&self->context, g_main_context_unref);
  g_clear_pointer (&self->questions, g_hash_table_unref);
  g_clear_pointer (&self->netchecks, g_ptr_array_unref);
  G_OBJECT_CLASS (hn_dataplane_parent_class)->finalize (object);
}

static void
hn_dataplane_class_init (HnDataplaneClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = hn_dataplane_dispose;
  object_class->finalize = hn_dataplane_finalize;
}

static void
open_free (gpointer data)
{
  Open *open = data;

  hn_source_clear (&open->source);
  g_clear_object (&open->task);
  g_free (open);
}

static void
hn_dataplane_init (HnDataplane *self)
{
  self->context = g_main_context_ref_thread_default ();
  self->questions = g_hash_table_new_full (NULL, NULL, NULL, open_free);
  self->netchecks = g_ptr_array_new_with_free_func (g_object_unref);
}

/* The task of that token, which is no longer open then; NULL when it was ended before. */
static GTask *
take_question (HnDataplane *self, gpointer token)
{
  Open *open = g_hash_table_lookup (self->questions, token);
  GTask *task;

  if (open == NULL)
    return NULL;
  task = g_steal_pointer (&open->task);
  g_hash_table_remove (self->questions, token);
  return task;
}

/* Up: messages from the thread to the owner's context. */

typedef enum
{
  UP_RELAY,
  UP_PATH,
  UP_PORT_LOST,
  UP_REFUSED,
  UP_ENDPOINTS,
  UP_REPORT,
  UP_ANSWER,
} UpKind;

typedef struct
{
  HnDataplane *dataplane; /* owned */
  UpKind kind;
  int sealed; /* atomic; as that of messages down */
  int region;
  HnRelayState relay_state;
  char *health;
  GError *error;
  HnNodePublic peer;
  HnPeerPath path;
  guint64 verdicts[HN_FILTER_N_VERDICTS];
  GArray *endpoints;   /* of HnTypedEndpoint */
  HnNetReport *report; /* owned */
  gboolean asked;      /* the report is what was asked for */
  gpointer token;
  HnPeerStats stats; /* unless there is an error */
  GArray *many;      /* of HnPeerStats, owned; when several were asked for */
} Up;

static void
up_free (gpointer data)
{
  Up *up = data;

  g_object_unref (up->dataplane);
  g_free (up->health);
  g_clear_pointer (&up->endpoints, g_array_unref);
  g_clear_pointer (&up->many, g_array_unref);
  g_clear_pointer (&up->report, hn_net_report_unref);
  g_clear_error (&up->error);
  g_free (up);
}

static void
finish_question (HnDataplane *self, Up *up)
{
  g_autoptr (GTask) task = take_question (self, up->token);

  if (task == NULL)
    return;
  if (up->error != NULL)
    g_task_return_error (task, g_steal_pointer (&up->error));
  else if (up->many != NULL)
    g_task_return_pointer (task, g_steal_pointer (&up->many), (GDestroyNotify) g_array_unref);
  else
    g_task_return_pointer (task, g_memdup2 (&up->stats, sizeof up->stats), g_free);
}

/* Whoever asks while a full look is under way gets that one. @report: NULL: there can be none. */
static void
finish_netchecks (HnDataplane *self, HnNetReport *report)
{
  g_autoptr (GPtrArray) netchecks = g_steal_pointer (&self->netchecks);

  self->netchecks = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < netchecks->len; i++)
    if (report != NULL && report->n_relays > 0)
      g_task_return_pointer (g_ptr_array_index (netchecks, i), hn_net_report_ref (report),
                             (GDestroyNotify) hn_net_report_unref);
    else
      g_task_return_new_error (g_ptr_array_index (netchecks, i), HN_ERROR, HN_ERROR_NOT_CONNECTED,
                               "There is no network, or no relay to look at it with");
}

static gboolean
on_up (gpointer data)
{
  Up *up = data;
  HnDataplane *self;

  if (!g_atomic_int_get (&up->sealed))
    return G_SOURCE_REMOVE;
  self = up->dataplane;
  if (self->thread == NULL)
    return G_SOURCE_REMOVE; /* stopped: no callback comes any more */
  switch (up->kind)
    {
    case UP_RELAY:
      self->events.relay_changed (self->user, up->region, up->relay_state, up->health, up->error);
      break;
    case UP_PATH:
      self->events.path_changed (self->user, &up->peer, &up->path);
      break;
    case UP_REFUSED:
      self->events.refused (self->user, up->verdicts);
      break;
    case UP_ENDPOINTS:
      self->events.endpoints_changed (
          self->user, (const HnTypedEndpoint *) (gpointer) up->endpoints->data, up->endpoints->len);
      break;
    case UP_REPORT:
      if (up->report != NULL)
        self->events.network_checked (self->user, up->report);
      if (up->asked)
        finish_netchecks (self, up->report);
      break;
    case UP_PORT_LOST:
      self->events.port_lost (self->user, up->error);
      break;
    case UP_ANSWER:
      finish_question (self, up);
      break;
    }
  return G_SOURCE_REMOVE;
}

static Up *
up_new (HnDataplane *self, UpKind kind)
{
  Up *up = g_new0 (Up, 1);

  up->dataplane = g_object_ref (self);
  up->kind = kind;
  return up;
}

static void
up_send (Up *up)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_atomic_int_set (&up->sealed, TRUE);
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, on_up, up, up_free);
  g_source_attach (source, up->dataplane->context);
}

static void
thread_relay_changed (gpointer user, int region, HnRelayState state, const char *health,
                      const GError *error)
{
  Up *up = up_new (user, UP_RELAY);

  up->region = region;
  up->relay_state = state;
  up->health = g_strdup (health);
  up->error = error != NULL ? g_error_copy (error) : NULL;
  up_send (up);
}

static void
thread_path_changed (gpointer user, const HnNodePublic *peer, const HnPeerPath *path)
{
  Up *up = up_new (user, UP_PATH);

  up->peer = *peer;
  up->path = *path;
  up_send (up);
}

static void
thread_refused (gpointer user, const guint64 *verdicts)
{
  Up *up = up_new (user, UP_REFUSED);

  memcpy (up->verdicts, verdicts, sizeof up->verdicts);
  up_send (up);
}

static void
thread_endpoints_changed (gpointer user, const HnTypedEndpoint *endpoints, gsize n)
{
  Up *up = up_new (user, UP_ENDPOINTS);

  up->endpoints = g_array_sized_new (FALSE, FALSE, sizeof *endpoints, (guint) n);
  if (n > 0)
    g_array_append_vals (up->endpoints, endpoints, (guint) n);
  up_send (up);
}

static void
thread_network_checked (gpointer user, HnNetReport *report, gboolean asked)
{
  Up *up = up_new (user, UP_REPORT);

  up->report = report != NULL ? hn_net_report_ref (report) : NULL;
  up->asked = asked;
  up_send (up);
}

static void
thread_port_lost (gpointer user, const GError *error)
{
  Up *up = up_new (user, UP_PORT_LOST);

  up->error = g_error_copy (error);
  up_send (up);
}

/* Takes @error, which is nullable. */
static void
send_answer (HnDataplane *self, gpointer token, const HnPeerStats *stats, GError *error)
{
  Up *up = up_new (self, UP_ANSWER);

  up->token = token;
  up->stats = *stats;
  up->error = error;
  up_send (up);
}

static void
thread_ping_done (gpointer user, gpointer token, const HnPeerStats *stats, gint64 latency_us)
{
  GError *error = NULL;
  HnPeerStats answer = *stats;

  if (latency_us < 0)
    error = g_error_new (HN_ERROR, HN_ERROR_TIMEOUT, "No answer came in time");
  answer.latency_us = latency_us;
  send_answer (user, token, &answer, error);
}

HnDataplane *
hn_dataplane_new (HnPacketPort *port, const HnDataplaneConfig *config,
                  const HnDataplaneEvents *events, gpointer user)
{
  static const HnDataplaneThreadOps ops
      = { thread_relay_changed, thread_path_changed,      thread_port_lost,      thread_refused,
          thread_ping_done,     thread_endpoints_changed, thread_network_checked };
  HnDataplane *self;

  g_return_val_if_fail (HN_IS_PACKET_PORT (port), NULL);

  self = g_object_new (HN_TYPE_DATAPLANE, NULL);
  self->events = *events;
  self->user = user;
  self->thread = hn_dataplane_thread_new (port, config, &ops, self);
  return self;
}

void
hn_dataplane_stop (HnDataplane *self)
{
  GHashTableIter iter;
  gpointer key;

  g_return_if_fail (HN_IS_DATAPLANE (self));

  if (self->thread == NULL)
    return;
  g_clear_pointer (&self->thread, hn_dataplane_thread_free);
  g_hash_table_iter_init (&iter, self->questions);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    {
      g_autoptr (GTask) task = take_question (self, key);

      g_task_return_new_error (task, HN_ERROR, HN_ERROR_NOT_CONNECTED, "The tunnel was taken down");
      g_hash_table_iter_init (&iter, self->questions);
    }
  finish_netchecks (self, NULL);
}

/* Down: sealed values, handed to the thread. */

static void
send_down (HnDataplane *self, HnDataplaneThreadFunc func, gpointer data, GDestroyNotify free_data)
{
  if (self->thread != NULL)
    hn_dataplane_thread_send (self->thread, func, data, free_data);
  else if (free_data != NULL)
    free_data (data);
}

static void
free_private_key (gpointer data)
{
  hn_node_private_clear (data);
  g_free (data);
}

static void
down_private_key (const HnDataplaneCore *core, gpointer data)
{
  hn_pump_set_private_key (core->pump, data);
  if (core->pool != NULL)
    hn_derp_pool_set_private_key (core->pool, data);
}

static void
down_disco_key (const HnDataplaneCore *core, gpointer data)
{
  hn_pump_set_disco_key (core->pump, data);
}

static void
free_disco_key (gpointer data)
{
  hn_disco_private_clear (data);
  g_free (data);
}

void
hn_dataplane_set_disco_key (HnDataplane *self, const HnDiscoPrivate *key)
{
  HnDiscoPrivate *copy = g_new (HnDiscoPrivate, 1);

  *copy = *key;
  send_down (self, down_disco_key, copy, free_disco_key);
}

static void
down_filter (const HnDataplaneCore *core, gpointer data)
{
  hn_pump_set_filter (core->pump, data);
}

void
hn_dataplane_set_filter (HnDataplane *self, HnFilterProgram *program)
{
  send_down (self, down_filter, hn_filter_program_ref (program),
             (GDestroyNotify) hn_filter_program_unref);
}

static void
down_local_addresses (const HnDataplaneCore *core, gpointer data)
{
  GArray *addresses = data;

  hn_reach_set_local_addresses (core->reach, (const HnIp *) (gpointer) addresses->data,
                                addresses->len);
}

void
hn_dataplane_set_local_addresses (HnDataplane *self, const HnIp *addresses, gsize n)
{
  GArray *copy = g_array_sized_new (FALSE, FALSE, sizeof (HnIp), (guint) n);

  if (n > 0)
    g_array_append_vals (copy, addresses, (guint) n);
  send_down (self, down_local_addresses, copy, (GDestroyNotify) g_array_unref);
}

static void
down_gateway (const HnDataplaneCore *core, gpointer data)
{
  hn_reach_set_gateway (core->reach, data);
}

void
hn_dataplane_set_gateway (HnDataplane *self, const HnIp *gateway)
{
  send_down (self, down_gateway, g_memdup2 (gateway, sizeof *gateway), g_free);
}

static void
down_control_reachable (const HnDataplaneCore *core, gpointer data)
{
  hn_reach_set_control_reachable (core->reach, GPOINTER_TO_INT (data));
}

void
hn_dataplane_set_control_reachable (HnDataplane *self, gboolean reachable)
{
  send_down (self, down_control_reachable, GINT_TO_POINTER (reachable ? TRUE : FALSE), NULL);
}

void
hn_dataplane_set_private_key (HnDataplane *self, const HnNodePrivate *key)
{
  HnNodePrivate *copy = g_new (HnNodePrivate, 1);

  *copy = *key;
  send_down (self, down_private_key, copy, free_private_key);
}

static void
down_addresses (const HnDataplaneCore *core, gpointer data)
{
  GArray *addresses = data;

  hn_pump_set_addresses (core->pump, (const HnPrefix *) (gpointer) addresses->data, addresses->len);
  hn_reach_set_forbidden (core->reach, (const HnPrefix *) (gpointer) addresses->data,
                          addresses->len);
}

void
hn_dataplane_set_addresses (HnDataplane *self, const HnPrefix *addresses, gsize n)
{
  GArray *copy = g_array_sized_new (FALSE, FALSE, sizeof (HnPrefix), (guint) n);

  if (n > 0)
    g_array_append_vals (copy, addresses, (guint) n);
  send_down (self, down_addresses, copy, (GDestroyNotify) g_array_unref);
}

static void
free_derp_map (gpointer data)
{
  if (data != NULL)
    hn_derp_map_unref (data);
}

static void
down_derp_map (const HnDataplaneCore *core, gpointer data)
{
  if (core->pool != NULL)
    hn_derp_pool_set_map (core->pool, data);
  hn_reach_set_map (core->reach, data);
}

void
hn_dataplane_set_derp_map (HnDataplane *self, HnDerpMap *map)
{
  send_down (self, down_derp_map, map != NULL ? hn_derp_map_ref (map) : NULL, free_derp_map);
}

static void
down_home (const HnDataplaneCore *core, gpointer data)
{
  if (core->pool != NULL)
    hn_derp_pool_set_home (core->pool, GPOINTER_TO_INT (data));
}

void
hn_dataplane_set_home (HnDataplane *self, int region)
{
  send_down (self, down_home, GINT_TO_POINTER (region), NULL);
}

typedef struct
{
  GPtrArray *changed; /* of HnNode */
  GPtrArray *removed; /* of HnNode */
  gboolean full;
} PeersUpdate;

static void
free_peers_update (gpointer data)
{
  PeersUpdate *update = data;

  g_ptr_array_unref (update->changed);
  g_ptr_array_unref (update->removed);
  g_free (update);
}

static void
down_peers (const HnDataplaneCore *core, gpointer data)
{
  const PeersUpdate *update = data;

  hn_pump_update_peers (core->pump, update->changed, update->removed, update->full);
}

void
hn_dataplane_update_peers (HnDataplane *self, GPtrArray *changed, GPtrArray *removed, gboolean full)
{
  PeersUpdate *update = g_new0 (PeersUpdate, 1);

  update->changed = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  update->removed = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  update->full = full;
  for (guint i = 0; changed != NULL && i < changed->len; i++)
    g_ptr_array_add (update->changed, hn_node_ref (g_ptr_array_index (changed, i)));
  for (guint i = 0; removed != NULL && i < removed->len; i++)
    g_ptr_array_add (update->removed, hn_node_ref (g_ptr_array_index (removed, i)));
  send_down (self, down_peers, update, free_peers_update);
}

static void
down_network_changed (const HnDataplaneCore *core, gpointer data)
{
  if (core->pool != NULL)
    hn_derp_pool_network_changed (core->pool, GPOINTER_TO_INT (data));
  hn_reach_network_changed (core->reach, GPOINTER_TO_INT (data));
}

void
hn_dataplane_network_changed (HnDataplane *self, gboolean available)
{
  send_down (self, down_network_changed, GINT_TO_POINTER (available ? TRUE : FALSE), NULL);
}

/* Questions go down by the number of their task and are answered by a message up. */

typedef struct
{
  HnDataplane *dataplane; /* borrowed: it outlives its thread */
  gpointer token;
  HnNodePublic peer;
  HnPingKind kind;
  HnIp target;
  guint timeout_ms;
  GArray *peers; /* of HnNodePublic, owned, nullable */
} Question;

static void
question_free (gpointer data)
{
  Question *question = data;

  g_clear_pointer (&question->peers, g_array_unref);
  g_free (question);
}

static void
down_get_stats (const HnDataplaneCore *core, gpointer data)
{
  const Question *question = data;
  HnPeerStats stats;
  GError *error = NULL;

  if (!hn_pump_get_stats (core->pump, &question->peer, &stats))
    error = g_error_new (HN_ERROR, HN_ERROR_NOT_FOUND, "No such peer in the tunnel");
  send_answer (question->dataplane, question->token, &stats, error);
}

static void
down_ping (const HnDataplaneCore *core, gpointer data)
{
  const Question *question = data;
  HnPeerStats none = { 0 };
  GError *error = NULL;

  if (!hn_pump_ping (core->pump, question->kind, &question->target, question->timeout_ms,
                     question->token, &error))
    send_answer (question->dataplane, question->token, &none, error);
}

static void
down_cancel (const HnDataplaneCore *core, gpointer data)
{
  hn_pump_cancel_ping (core->pump, data);
}

static gboolean
on_cancelled (GCancellable *cancellable, gpointer data)
{
  HnDataplane *self = g_task_get_source_object (data);
  gpointer token = g_task_get_task_data (data);
  g_autoptr (GTask) task = take_question (self, token);

  if (task != NULL)
    {
      send_down (self, down_cancel, token, NULL);
      g_task_return_error_if_cancelled (task);
    }
  return G_SOURCE_REMOVE;
}

/* Takes @task and what @question owns. */
static void
ask (HnDataplane *self, GTask *task, HnDataplaneThreadFunc func, Question *question)
{
  GCancellable *cancellable = g_task_get_cancellable (task);
  gpointer token = GSIZE_TO_POINTER (++self->last_question);
  Question *copy;
  Open *open;

  if (self->thread == NULL)
    {
      g_task_return_new_error (task, HN_ERROR, HN_ERROR_NOT_CONNECTED, "The tunnel is down");
      g_object_unref (task);
      g_clear_pointer (&question->peers, g_array_unref);
      return;
    }
  open = g_new0 (Open, 1);
  open->task = task;
  g_task_set_task_data (task, token, NULL);
  if (cancellable != NULL)
    {
      open->source = g_cancellable_source_new (cancellable);
      g_source_set_callback (open->source, G_SOURCE_FUNC (on_cancelled), task, NULL);
      g_source_attach (open->source, self->context);
    }
  g_hash_table_insert (self->questions, token, open);
  copy = g_memdup2 (question, sizeof *question);
  copy->dataplane = self;
  copy->token = token;
  send_down (self, func, copy, question_free);
}

void
hn_dataplane_get_stats_async (HnDataplane *self, const HnNodePublic *peer,
                              GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer data)
{
  GTask *task = g_task_new (self, cancellable, callback, data);
  Question question = { .peer = *peer };

  g_task_set_source_tag (task, hn_dataplane_get_stats_async);
  ask (self, task, down_get_stats, &question);
}

static void
down_get_many_stats (const HnDataplaneCore *core, gpointer data)
{
  const Question *question = data;
  Up *up = up_new (question->dataplane, UP_ANSWER);

  up->token = question->token;
  up->many = g_array_sized_new (FALSE, TRUE, sizeof (HnPeerStats), question->peers->len);
  for (guint i = 0; i < question->peers->len; i++)
    {
      HnPeerStats stats;

      hn_pump_get_stats (core->pump, &g_array_index (question->peers, HnNodePublic, i), &stats);
      g_array_append_val (up->many, stats);
    }
  up_send (up);
}

void
hn_dataplane_get_many_stats_async (HnDataplane *self, const HnNodePublic *peers, gsize n,
                                   GCancellable *cancellable, GAsyncReadyCallback callback,
                                   gpointer data)
{
  GTask *task = g_task_new (self, cancellable, callback, data);
  Question question = { .peers = g_array_sized_new (FALSE, FALSE, sizeof *peers, (guint) n) };

  g_task_set_source_tag (task, hn_dataplane_get_many_stats_async);
  if (n > 0)
    g_array_append_vals (question.peers, peers, (guint) n);
  ask (self, task, down_get_many_stats, &question);
}

GArray *
hn_dataplane_get_many_stats_finish (HnDataplane *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

static gboolean
finish_stats (HnDataplane *self, GAsyncResult *result, gpointer tag, HnPeerStats *stats,
              GError **error)
{
  g_autofree HnPeerStats *found = NULL;

  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, tag), FALSE);

  found = g_task_propagate_pointer (G_TASK (result), error);
  if (found == NULL)
    return FALSE;
  *stats = *found;
  return TRUE;
}

gboolean
hn_dataplane_get_stats_finish (HnDataplane *self, GAsyncResult *result, HnPeerStats *stats,
                               GError **error)
{
  return finish_stats (self, result, hn_dataplane_get_stats_async, stats, error);
}

void
hn_dataplane_ping_async (HnDataplane *self, HnPingKind kind, const HnIp *target, guint timeout_ms,
                         GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  GTask *task = g_task_new (self, cancellable, callback, data);
  Question question = { .kind = kind, .target = *target, .timeout_ms = timeout_ms };

  g_task_set_source_tag (task, hn_dataplane_ping_async);
  ask (self, task, down_ping, &question);
}

gboolean
hn_dataplane_ping_finish (HnDataplane *self, GAsyncResult *result, HnPeerStats *stats,
                          GError **error)
{
  return finish_stats (self, result, hn_dataplane_ping_async, stats, error);
}

static void
down_netcheck (const HnDataplaneCore *core, gpointer data)
{
  if (!hn_reach_check (core->reach))
    thread_network_checked (data, NULL, TRUE);
}

void
hn_dataplane_netcheck_async (HnDataplane *self, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);

  g_task_set_source_tag (task, hn_dataplane_netcheck_async);
  if (self->thread == NULL)
    {
      g_task_return_new_error (task, HN_ERROR, HN_ERROR_NOT_CONNECTED, "The tunnel is down");
      return;
    }
  g_ptr_array_add (self->netchecks, g_steal_pointer (&task));
  send_down (self, down_netcheck, self, NULL);
}

HnNetReport *
hn_dataplane_netcheck_finish (HnDataplane *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
