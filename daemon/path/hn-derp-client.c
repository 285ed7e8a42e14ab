/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-derp-client.h"

#include <glib/gi18n.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "base/hn-source.h"
#include "net/hn-http-upgrade.h"

/* What may wait unsent in the kernel. Beyond that packets wait in our own queue, which is fair and
 * short, instead of in seconds of socket buffer. */
#define UNSENT_BYTES (32 * 1024)
/* A stream that takes nothing for so long is not worth holding traffic back for. */
#define PATIENCE_US (G_USEC_PER_SEC / 2)
/* How much is read a turn, so that a busy relay leaves room for others on the thread. TLS gives a
 * record a read, and relays begin with short ones: what we do not take in time is lost there. */
#define MAX_READS 48
#define MAX_READ_BYTES (64 * 1024)

typedef enum
{
  STAGE_DELAY,   /* waiting for its time */
  STAGE_DIALING, /* up to the end of the upgrade */
  STAGE_RUNNING,
} Stage;

typedef struct
{
  GSource source;
  HnDerpClient *client; /* borrowed; the source is destroyed before the client goes */
} TurnSource;

struct _HnDerpClient
{
  int ref_count; /* the owner's, and one for each asynchronous call and dispatch under way */
  HnDerpClientOps ops;
  gpointer user;
  gboolean closed; /* no callback from here on */

  HnDialer *dialer;   /* owned */
  GPtrArray *targets; /* owned */
  Stage stage;
  guint target;              /* the one being tried */
  gboolean target_timed_out; /* why the cancellable is cancelled */
  gboolean restart;          /* or why else */
  gint64 target_us;          /* when the target must be through with the upgrade */
  gint64 attempt_us;         /* and all of them */
  GCancellable *cancellable; /* owned; of the target */

  HnDerpSession *session; /* owned */
  GIOStream *base;        /* owned; TCP or TLS */
  GIOStream *upgraded;    /* owned; the same behind the bytes that came along with the upgrade */
  GPollableInputStream *in;
  GPollableOutputStream *out;
  gboolean stalled;    /* the stream takes no more; write_source waits for it */
  gboolean waiting;    /* a flush left something, and its end is to be told */
  gboolean given_up;   /* it did not end in time; until the queue is empty nobody waits again */
  gint64 progress_us;  /* last write that took something, or start of the wait */
  GError *write_error; /* reported in the next turn, never from within a send */

  GSource *turn;  /* flushes what a turn left, and keeps the deadlines */
  gint64 wake_us; /* when it is due */
  GSource *read_source;
  GSource *write_source;
};

static void dial_target (HnDerpClient *self);

static HnDerpClient *
client_ref (HnDerpClient *self)
{
  self->ref_count++;
  return self;
}

static void
client_unref (HnDerpClient *self)
{
  if (--self->ref_count > 0)
    return;

  hn_derp_session_free (self->session);
  g_ptr_array_unref (self->targets);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->dialer);
  g_clear_error (&self->write_error);
  g_free (self);
}

/* Ends the stream without waiting: a goodbye of TLS could block on a stalled connection, so the
 * socket below goes first. */
static void
close_stream (HnDerpClient *self)
{
  hn_source_clear (&self->read_source);
  hn_source_clear (&self->write_source);
  self->in = NULL;
  self->out = NULL;
  if (self->base != NULL && G_IS_TLS_CONNECTION (self->base))
    {
      g_autoptr (GIOStream) below = NULL;

      g_object_get (self->base, "base-io-stream", &below, NULL);
      g_io_stream_close (below, NULL, NULL);
    }
  else if (self->base != NULL)
    g_io_stream_close (self->base, NULL, NULL);
  g_clear_object (&self->upgraded);
  g_clear_object (&self->base);
}

static void
teardown (HnDerpClient *self)
{
  self->closed = TRUE;
  hn_derp_session_stop (self->session);
  hn_source_clear (&self->turn);
  if (self->cancellable != NULL)
    g_cancellable_cancel (self->cancellable);
  close_stream (self);
}

/* The other end is gone, in the words of sockets and of TLS. */
static gboolean
is_lost (const GError *error)
{
  return g_error_matches (error, HN_ERROR, HN_ERROR_CONNECTION_LOST)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE)
         || g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_EOF);
}

/* Takes @error. The caller holds a reference on @self. */
static void
fail (HnDerpClient *self, GError *error)
{
  g_autoptr (GError) cause = error;
  g_autoptr (GError) shown = NULL;
  gboolean refused;

  if (self->closed)
    return;

  refused = self->stage == STAGE_RUNNING
            && hn_derp_session_get_state (self->session) == HN_DERP_SESSION_WAIT_INFO
            && is_lost (cause);
  if (refused)
    shown = g_error_new_literal (HN_ERROR, HN_ERROR_SERVER_REFUSED,
                                 _ ("The relay closed the connection right after our login; the "
                                    "coordination server may not know this node"));
  else if (cause->domain != HN_ERROR)
    shown = g_error_new (HN_ERROR, HN_ERROR_CONNECTION_LOST,
                         _ ("The connection to the relay broke: %s"), cause->message);
  else
    shown = g_error_copy (cause);
  teardown (self);
  self->ops.closed (self->user, refused, shown);
}

/* Wakes us no later than at @when_us. A deadline that has moved away is noticed when it comes, so
 * nothing is armed anew for each packet. */
static void
wake_at (HnDerpClient *self, gint64 when_us, gint64 now_us)
{
  if (when_us >= self->wake_us)
    return;

  self->wake_us = when_us;
  g_source_set_ready_time (self->turn, g_get_monotonic_time () + MAX (when_us - now_us, 0));
}

static gboolean
on_writable (GObject *stream, gpointer data)
{
  HnDerpClient *self = client_ref (data);

  self->stalled = FALSE;
  hn_derp_client_flush (self);
  if (!self->stalled)
    hn_source_clear (&self->write_source);
  client_unref (self);
  return G_SOURCE_CONTINUE;
}

static void
write_queue (HnDerpClient *self)
{
  gint64 now_us;
  const guint8 *data;
  gsize len;

  if (self->out == NULL || self->stalled || self->write_error != NULL
      || !hn_derp_session_has_write (self->session))
    return;

  now_us = hn_clock_now_us ();
  while ((data = hn_derp_session_get_write (self->session, now_us, &len)) != NULL)
    {
      g_autoptr (GError) error = NULL;
      gssize n;

      n = g_pollable_output_stream_write_nonblocking (self->out, data, len, NULL, &error);
      if (n >= 0)
        {
          hn_derp_session_wrote (self->session, n);
          self->progress_us = now_us;
          continue;
        }
      if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        {
          self->write_error = g_steal_pointer (&error);
          return;
        }

      self->stalled = TRUE;
      if (self->write_source == NULL)
        {
          self->write_source = g_pollable_output_stream_create_source (self->out, NULL);
          g_source_set_callback (self->write_source, G_SOURCE_FUNC (on_writable), self, NULL);
          g_source_attach (self->write_source, g_source_get_context (self->turn));
        }
      return;
    }
  wake_at (self, hn_derp_session_get_deadline (self->session), now_us);
}

static gsize
get_queue_bytes (const HnDerpClient *self)
{
  return hn_derp_queue_get_bytes (hn_derp_session_get_queue (self->session));
}

void
hn_derp_client_flush (HnDerpClient *self)
{
  write_queue (self);
  if (get_queue_bytes (self) == 0)
    self->given_up = FALSE;
  else if (!self->waiting && !self->given_up && hn_derp_client_is_connected (self))
    {
      self->waiting = TRUE;
      self->progress_us = hn_clock_now_us ();
      wake_at (self, self->progress_us + PATIENCE_US, self->progress_us);
    }
}

/* The wait is over: all is written, or nothing has been for too long. */
static void
end_wait (HnDerpClient *self, gboolean given_up)
{
  self->waiting = FALSE;
  self->given_up = given_up;
  self->ops.drained (self->user);
}

/* FALSE when the connection ended. */
static gboolean
take_bytes (HnDerpClient *self, gssize n, GError *read_error)
{
  GError *error = read_error;
  gint64 now_us = hn_clock_now_us ();

  if (n == 0)
    error = g_error_new_literal (HN_ERROR, HN_ERROR_CONNECTION_LOST,
                                 _ ("The relay closed the connection"));
  if (n > 0)
    hn_derp_session_received (self->session, n, now_us, &error);
  if (self->closed)
    {
      g_clear_error (&error);
      return FALSE;
    }
  if (error != NULL)
    {
      fail (self, error);
      return FALSE;
    }
  wake_at (self, hn_derp_session_get_deadline (self->session), now_us);
  return TRUE;
}

static gboolean
on_readable (GObject *stream, gpointer data)
{
  HnDerpClient *self = client_ref (data);
  gboolean running = TRUE;
  gsize taken = 0;

  for (guint i = 0; running && i < MAX_READS && taken < MAX_READ_BYTES; i++)
    {
      g_autoptr (GError) error = NULL;
      gsize size;
      guint8 *space = hn_derp_session_get_space (self->session, &size);
      gssize n;

      n = g_pollable_input_stream_read_nonblocking (self->in, space, size, NULL, &error);
      if (n < 0 && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        break;
      taken += MAX (n, 0);
      running = take_bytes (self, n, g_steal_pointer (&error));
    }
  if (running)
    hn_derp_client_flush (self);
  client_unref (self);
  return running ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* The relay's key often comes glued to the answer of the upgrade. This one read gives those bytes,
 * or, when there are none, what comes next; from here on the stream below is read directly. */
static void
on_first_read (GObject *source, GAsyncResult *result, gpointer data)
{
  HnDerpClient *self = data;
  GError *error = NULL;
  gssize n = g_input_stream_read_finish (G_INPUT_STREAM (source), result, &error);

  if (self->closed)
    g_clear_error (&error);
  else if (take_bytes (self, n, error))
    {
      self->in = G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (self->base));
      self->read_source = g_pollable_input_stream_create_source (self->in, NULL);
      g_source_set_callback (self->read_source, G_SOURCE_FUNC (on_readable), self, NULL);
      g_source_attach (self->read_source, g_source_get_context (self->turn));
      /* TLS may hold bytes that the socket says nothing of any more. */
      on_readable (NULL, self);
    }
  client_unref (self);
}

static gboolean
is_pollable (GIOStream *stream)
{
  GInputStream *in = g_io_stream_get_input_stream (stream);
  GOutputStream *out = g_io_stream_get_output_stream (stream);

  return G_IS_POLLABLE_INPUT_STREAM (in)
         && g_pollable_input_stream_can_poll (G_POLLABLE_INPUT_STREAM (in))
         && G_IS_POLLABLE_OUTPUT_STREAM (out)
         && g_pollable_output_stream_can_poll (G_POLLABLE_OUTPUT_STREAM (out));
}

static void
bound_unsent (GIOStream *base)
{
  GSocket *socket = hn_dialer_get_socket (base);
  g_autoptr (GError) error = NULL;

  if (socket != NULL
      && !g_socket_set_option (socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES, &error))
    g_debug ("cannot bound the socket's buffer: %s", error->message);
}

/* Goes on with the next target, or gives up with this one's @error, which it takes. */
static void
target_failed (HnDerpClient *self, GError *error)
{
  if (self->restart)
    {
      g_error_free (error);
      close_stream (self);
      self->restart = FALSE;
      self->target = 0;
      self->attempt_us = hn_clock_now_us () + HN_DERP_CONNECT_US;
      dial_target (self);
      return;
    }

  if (self->target_timed_out)
    {
      const HnDerpTarget *target = g_ptr_array_index (self->targets, self->target);

      g_clear_error (&error);
      error = g_error_new (HN_ERROR, HN_ERROR_TIMEOUT, _ ("The relay %s port %u does not answer"),
                           target->host, target->port);
    }
  g_debug ("relay node %u of %u: %s", self->target + 1, self->targets->len, error->message);
  close_stream (self);
  if (self->target + 1 < self->targets->len && hn_clock_now_us () < self->attempt_us)
    {
      g_error_free (error);
      self->target++;
      dial_target (self);
    }
  else
    fail (self, error);
}

static void
on_upgraded (GObject *source, GAsyncResult *result, gpointer data)
{
  HnDerpClient *self = data;
  GError *error = NULL;
  g_autoptr (GIOStream) upgraded = hn_http_upgrade_finish (result, NULL, &error);

  if (self->closed)
    g_clear_error (&error);
  else if (upgraded == NULL)
    target_failed (self, error);
  else if (g_cancellable_is_cancelled (self->cancellable))
    target_failed (self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "Too late"));
  else if (!is_pollable (self->base))
    fail (self, g_error_new_literal (HN_ERROR, HN_ERROR_NOT_SUPPORTED,
                                     _ ("The connection to the relay can not be polled")));
  else
    {
      gint64 now_us = hn_clock_now_us ();
      gsize size;
      guint8 *space;

      self->stage = STAGE_RUNNING;
      self->upgraded = g_steal_pointer (&upgraded);
      self->out = G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (self->base));
      bound_unsent (self->base);
      hn_derp_session_start (self->session, now_us);
      wake_at (self, hn_derp_session_get_deadline (self->session), now_us);
      space = hn_derp_session_get_space (self->session, &size);
      g_input_stream_read_async (g_io_stream_get_input_stream (self->upgraded), space, size,
                                 G_PRIORITY_DEFAULT, self->cancellable, on_first_read,
                                 client_ref (self));
    }
  client_unref (self);
}

static void
on_dialed (GObject *source, GAsyncResult *result, gpointer data)
{
  HnDerpClient *self = data;
  GError *error = NULL;
  g_autoptr (GIOStream) stream = hn_dialer_connect_finish (HN_DIALER (source), result, &error);

  if (self->closed)
    g_clear_error (&error);
  else if (stream == NULL)
    target_failed (self, error);
  else
    {
      const HnDerpTarget *target = g_ptr_array_index (self->targets, self->target);
      g_autofree char *host = hn_http_format_host (target->host, target->port, target->tls);
      const char *headers[] = { "Ideal-Node", target->ideal_node, NULL };

      self->base = g_steal_pointer (&stream);
      hn_http_upgrade_async (self->base, "GET", "/derp", host, "DERP",
                             target->ideal_node != NULL ? headers : NULL, self->cancellable,
                             on_upgraded, client_ref (self));
    }
  client_unref (self);
}

static void
dial_target (HnDerpClient *self)
{
  gint64 now_us = hn_clock_now_us ();
  gboolean last = self->target + 1 == self->targets->len;
  HnDialTarget dial;

  g_clear_object (&self->cancellable);
  self->cancellable = g_cancellable_new ();
  self->target_timed_out = FALSE;
  self->target_us = last ? self->attempt_us : MIN (self->attempt_us, now_us + HN_DERP_NODE_US);
  wake_at (self, self->target_us, now_us);

  /* Our own timer covers the upgrade as well; the dialer's is only not to be the shorter one. */
  hn_derp_target_get_dial (g_ptr_array_index (self->targets, self->target),
                           HN_DERP_CONNECT_US / G_USEC_PER_SEC + 1, &dial);
  hn_dialer_connect_async (self->dialer, &dial, NULL, NULL, self->cancellable, on_dialed,
                           client_ref (self));
}

static void
on_due (HnDerpClient *self)
{
  gint64 now_us = hn_clock_now_us ();
  GError *error = NULL;

  if (now_us < self->wake_us)
    return;

  self->wake_us = G_MAXINT64;
  g_source_set_ready_time (self->turn, -1);
  switch (self->stage)
    {
    case STAGE_DELAY:
      self->stage = STAGE_DIALING;
      self->attempt_us = now_us + HN_DERP_CONNECT_US;
      dial_target (self);
      return;
    case STAGE_DIALING:
      if (now_us < self->target_us)
        wake_at (self, self->target_us, now_us);
      else
        {
          self->target_timed_out = TRUE;
          g_cancellable_cancel (self->cancellable);
        }
      return;
    case STAGE_RUNNING:
      if (!hn_derp_session_check (self->session, now_us, &error))
        {
          fail (self, error);
          return;
        }
      wake_at (self, hn_derp_session_get_deadline (self->session), now_us);
      if (!self->waiting)
        return;
      if (now_us - self->progress_us >= PATIENCE_US)
        end_wait (self, TRUE);
      else
        wake_at (self, self->progress_us + PATIENCE_US, now_us);
      return;
    }
}

/* Work is waiting: no wake-up call is needed for it, since it always comes from this thread. */
static gboolean
has_work (const HnDerpClient *self)
{
  return self->write_error != NULL || (self->waiting && get_queue_bytes (self) == 0)
         || (self->out != NULL && !self->stalled && hn_derp_session_has_write (self->session));
}

static gboolean
turn_prepare (GSource *source, int *timeout)
{
  *timeout = -1;
  return has_work (((TurnSource *) source)->client);
}

static gboolean
turn_check (GSource *source)
{
  return has_work (((TurnSource *) source)->client);
}

static gboolean
turn_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  HnDerpClient *self = client_ref (((TurnSource *) source)->client);

  if (self->write_error != NULL)
    fail (self, g_steal_pointer (&self->write_error));
  else
    {
      hn_derp_client_flush (self);
      if (self->waiting && get_queue_bytes (self) == 0)
        {
          self->waiting = FALSE;
          self->ops.drained (self->user);
        }
      if (!self->closed)
        on_due (self);
    }
  client_unref (self);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs turn_funcs = { turn_prepare, turn_check, turn_dispatch, NULL, NULL, NULL };

static void
on_session_ready (gpointer user)
{
  HnDerpClient *self = user;

  self->ops.connected (self->user);
}

static void
on_session_packet (gpointer user, const HnNodePublic *source, guint8 *data, gsize len)
{
  HnDerpClient *self = user;

  self->ops.packet (self->user, source, data, len);
}

static void
on_session_peer_gone (gpointer user, const HnNodePublic *peer)
{
  HnDerpClient *self = user;

  self->ops.peer_gone (self->user, peer);
}

static void
on_session_health (gpointer user, const char *text)
{
  HnDerpClient *self = user;

  self->ops.health (self->user, text);
}

static const HnDerpSessionOps session_ops = {
  on_session_ready,
  on_session_packet,
  on_session_peer_gone,
  on_session_health,
};

HnDerpClient *
hn_derp_client_new (HnDialer *dialer, GPtrArray *targets, const HnNodePrivate *key,
                    gboolean preferred, gint64 delay_us, const HnDerpClientOps *ops, gpointer user)
{
  HnDerpClient *self = g_new0 (HnDerpClient, 1);
  gint64 now_us = hn_clock_now_us ();

  g_return_val_if_fail (targets->len > 0, NULL);

  self->ref_count = 1;
  self->ops = *ops;
  self->user = user;
  self->dialer = g_object_ref (dialer);
  self->targets = g_ptr_array_ref (targets);
  self->session = hn_derp_session_new (key, preferred, &session_ops, self);
  self->turn = g_source_new (&turn_funcs, sizeof (TurnSource));
  ((TurnSource *) self->turn)->client = self;
  g_source_set_static_name (self->turn, "headnet-relay");
  g_source_attach (self->turn, g_main_context_get_thread_default ());
  self->wake_us = G_MAXINT64;
  wake_at (self, now_us + delay_us, now_us);
  return self;
}

void
hn_derp_client_free (HnDerpClient *self)
{
  if (!self->closed)
    teardown (self);
  client_unref (self);
}

gboolean
hn_derp_client_is_connected (const HnDerpClient *self)
{
  return !self->closed && hn_derp_session_get_state (self->session) == HN_DERP_SESSION_READY;
}

void
hn_derp_client_hurry (HnDerpClient *self)
{
  gint64 now_us = hn_clock_now_us ();

  if (self->closed)
    return;
  if (self->stage == STAGE_DELAY)
    wake_at (self, now_us, now_us);
  else if (self->stage == STAGE_DIALING)
    {
      self->restart = TRUE;
      g_cancellable_cancel (self->cancellable);
    }
}

gboolean
hn_derp_client_send (HnDerpClient *self, const HnNodePublic *peer, const guint8 *data, gsize len,
                     gint64 now_us)
{
  if (self->closed)
    return FALSE;

  if (!hn_derp_queue_has_room (hn_derp_session_get_queue (self->session), len))
    hn_derp_client_flush (self);
  return hn_derp_session_send (self->session, peer, data, len, now_us);
}

void
hn_derp_client_set_preferred (HnDerpClient *self, gboolean preferred)
{
  hn_derp_session_set_preferred (self->session, preferred);
}

void
hn_derp_client_test (HnDerpClient *self)
{
  gint64 now_us = hn_clock_now_us ();

  if (self->closed || self->stage != STAGE_RUNNING)
    return;

  if (self->write_error == NULL && hn_dialer_lost_address (self->base))
    {
      self->write_error
          = g_error_new_literal (HN_ERROR, HN_ERROR_CONNECTION_LOST,
                                 _ ("The address from which the relay was reached is gone"));
      return;
    }
  hn_derp_session_ping (self->session, now_us);
  wake_at (self, hn_derp_session_get_deadline (self->session), now_us);
}

gint64
hn_derp_client_get_rtt_us (const HnDerpClient *self)
{
  return hn_derp_session_get_rtt_us (self->session);
}

gsize
hn_derp_client_get_queued (const HnDerpClient *self)
{
  return hn_derp_client_is_connected (self) && !self->given_up ? get_queue_bytes (self) : 0;
}

gboolean
hn_derp_client_is_waiting (const HnDerpClient *self)
{
  return self->waiting;
}

guint64
hn_derp_client_get_dropped (const HnDerpClient *self)
{
  return hn_derp_queue_get_dropped (hn_derp_session_get_queue (self->session));
}
