/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map stream: opened, watched, merged, and opened again. Each stream has an accumulator of its
 * own; the netmap in force stays until a new stream's first full map is there.
 */
#include "control/hn-control-client-private.h"

#include <string.h>

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "base/hn-source.h"
#include "crypto/hn-crypto.h"
#include "model/hn-map-update.h"

/* Servers send a keep-alive every minute or so. */
#define SILENCE_US (120 * (gint64) G_USEC_PER_SEC)
/* Before the first byte there is nothing that says that the server lives. One that only needs its time,
 * with all its nodes coming back at once, gets twice as much at each further try. */
#define ANSWER_US (30 * (gint64) G_USEC_PER_SEC)
/* What people see meanwhile is not why the try before this one failed. */
#define TELL_US (10 * (gint64) G_USEC_PER_SEC)
/* Headscale 0.27 and 0.28 may send a delta before the first map. */
#define HOLD_US (10 * (gint64) G_USEC_PER_SEC)
#define HOLD_MAX 256
#define HOLD_BYTES (4 * 1024 * 1024)
/*
 * Headscale 0.29 keeps the stream of a deleted node open and its keep-alives going. A plain register
 * with the stored key changes nothing at the server and tells: one request every quarter of an hour.
 * The stream itself is made anew every hour, for servers that forget only that.
 */
#define CHECK_US (15 * 60 * (gint64) G_USEC_PER_SEC)
#define RESTART_US (60 * 60 * (gint64) G_USEC_PER_SEC)
/* A stream that held for so long after its map was a good one. */
#define STEADY_US (10 * (gint64) G_USEC_PER_SEC)
#define CHECK_MIN_US (60 * (gint64) G_USEC_PER_SEC)
#define DOUBT_US (1500 * 1000)
#define SLEEP_MAX_S 300
#define ERROR_TEXT_MAX 1024

struct _HnControlStream
{
  HnControlClient *client; /* borrowed; NULL once it let go of us */
  HnHttp2 *http2;          /* owned */
  HnHttp2Request *request; /* NULL once it ended */
  HnMapDecoder *decoder;
  HnNetmap *netmap; /* the accumulator */
  guint status;
  gboolean answered; /* anything came */
  gboolean told;     /* that nothing did */
  GByteArray *text;  /* the body of an answer other than 200 */
  GPtrArray *held;   /* of HnMapUpdate, nullable: came before the first map */
  gsize held_bytes;
  gint64 held_since_us;
  gboolean first_done;
  gint64 first_us; /* when that was */
  gboolean feeding;
  GError *failure; /* found while feeding */
  gint64 sleep_s;
};

static void
stream_free (HnControlStream *stream)
{
  g_clear_pointer (&stream->decoder, hn_map_decoder_free);
  g_clear_pointer (&stream->netmap, hn_netmap_unref);
  g_clear_pointer (&stream->text, g_byte_array_unref);
  g_clear_pointer (&stream->held, g_ptr_array_unref);
  g_clear_error (&stream->failure);
  g_clear_object (&stream->http2);
  g_free (stream);
}

/* Lets go of the stream; one that is being read is freed when its reader is done. */
static void
drop_stream (HnControlClient *self)
{
  HnControlStream *stream = g_steal_pointer (&self->map.stream);

  if (stream == NULL)
    return;
  stream->client = NULL;
  if (stream->request != NULL)
    hn_http2_request_cancel (g_steal_pointer (&stream->request));
  if (!stream->feeding)
    stream_free (stream);
}

void
hn_control_map_stop (HnControlClient *self)
{
  gboolean was_up = hn_control_client_is_reachable (self);

  drop_stream (self);
  self->map.planned = FALSE;
  hn_source_clear (&self->map.watchdog);
  hn_source_clear (&self->map.doubt_timer);
  g_clear_error (&self->map.doubt);
  if (was_up)
    hn_control_client_queue_notify (self);
}

gboolean
hn_control_map_is_up (HnControlClient *self)
{
  return self->map.stream != NULL && self->map.stream->status == 200;
}

gboolean
hn_control_map_is_on (HnControlClient *self, HnHttp2 *http2)
{
  return self->map.stream != NULL && self->map.stream->http2 == http2;
}

gboolean
hn_control_map_is_first_done (HnControlClient *self)
{
  return self->map.stream != NULL && self->map.stream->first_done;
}

/* ---- ends and beginnings ---- */

static gboolean
on_retry (gpointer data)
{
  HnControlClient *self = data;

  g_clear_pointer (&self->map.retry, g_source_unref);
  hn_control_client_queue_pump (self);
  return G_SOURCE_REMOVE;
}

/* The stream ended against our will: why is in @error. */
static void
failed (HnControlClient *self, const GError *error)
{
  HnControlMap *map = &self->map;
  HnBackoff *backoff = &map->backoff;

  if (self->map.doubt != NULL)
    {
      hn_control_client_end_login (self, g_steal_pointer (&self->map.doubt));
      return;
    }
  /* A full map proves that the server is well, so what was before it does not count. One that sends
   * it and hangs up must not be asked for the next at once, for ever: what its streams are worth is
   * how long they hold. */
  if (hn_control_map_is_first_done (self))
    {
      backoff = &map->shorts;
      hn_backoff_credit (backoff, hn_clock_now_us () - map->stream->first_us, STEADY_US);
    }
  drop_stream (self);
  map->planned = FALSE;
  hn_source_clear (&map->watchdog);
  if (g_error_matches (error, HN_ERROR, HN_ERROR_PROTOCOL))
    hn_control_client_take_error (self, g_error_copy (error));
  else
    hn_control_client_take_hitch (self, backoff, error);
  hn_control_client_set_timer (self, &map->retry, hn_control_client_backoff (backoff), on_retry);
  hn_control_client_queue_notify (self);
}

void
hn_control_map_lost (HnControlClient *self, HnHttp2 *http2, const GError *error)
{
  if (hn_control_map_is_on (self, http2))
    failed (self, error);
}

static void
restart (HnControlClient *self, gint64 delay_us)
{
  hn_source_clear (&self->map.doubt_timer);
  g_clear_error (&self->map.doubt);
  self->map.planned = hn_control_map_is_up (self);
  drop_stream (self);
  hn_source_clear (&self->map.watchdog);
  if (delay_us > 0)
    hn_control_client_set_timer (self, &self->map.retry, delay_us, on_retry);
  hn_control_client_queue_pump (self);
}

void
hn_control_map_restart (HnControlClient *self)
{
  restart (self, 0);
}

static gboolean
on_doubt_timeout (gpointer data)
{
  HnControlClient *self = data;

  g_clear_pointer (&self->map.doubt_timer, g_source_unref);
  if (self->map.doubt != NULL)
    hn_control_client_end_login (self, g_steal_pointer (&self->map.doubt));
  return G_SOURCE_REMOVE;
}

gboolean
hn_control_map_doubt (HnControlClient *self, GError *error)
{
  if (self->map.stream == NULL || self->map.stream->first_done)
    return FALSE;
  g_clear_error (&self->map.doubt);
  self->map.doubt = error;
  hn_control_client_set_timer (self, &self->map.doubt_timer, DOUBT_US, on_doubt_timeout);
  return TRUE;
}

/* ---- the one timer ---- */

static void arm_watchdog (HnControlClient *self);

/* When the time of an unanswered request is up. */
static gint64
answer_due (HnControlClient *self)
{
  return self->map.last_frame_us + MIN (ANSWER_US << MIN (self->map.unanswered, 2), SILENCE_US);
}

static void
tell_unanswered (HnControlClient *self)
{
  self->map.stream->told = TRUE;
  /* Between two streams by our own choice the last one's map is good enough for a while. */
  if (self->map.planned)
    return;
  hn_control_client_take_error (
      self, g_error_new_literal (HN_ERROR, HN_ERROR_TIMEOUT,
                                 "The server takes the request for the network map, but has not "
                                 "answered it yet"));
}

static GError *
no_map_error (void)
{
  return g_error_new_literal (HN_ERROR, HN_ERROR_PROTOCOL,
                              "The server sends changes but not the network map itself");
}

static gboolean
on_watchdog (gpointer data)
{
  HnControlClient *self = data;
  HnControlStream *stream = self->map.stream;
  gint64 now = hn_clock_now_us ();
  g_autoptr (GError) error = NULL;

  g_clear_pointer (&self->map.watchdog, g_source_unref);
  if (stream == NULL)
    return G_SOURCE_REMOVE;

  if (!stream->answered && now >= answer_due (self))
    {
      self->map.unanswered++;
      g_set_error_literal (&error, HN_ERROR, HN_ERROR_TIMEOUT,
                           "The server does not answer the request for the network map");
      hn_control_link_disconnect (self);
      failed (self, error);
      return G_SOURCE_REMOVE;
    }
  if (!stream->answered && !stream->told && now - self->map.last_frame_us >= TELL_US)
    tell_unanswered (self);
  if (now - self->map.last_frame_us >= SILENCE_US)
    {
      g_set_error_literal (&error, HN_ERROR, HN_ERROR_TIMEOUT,
                           "The server has been silent for two minutes");
      /* Its TCP connection is dead, more likely than not. */
      hn_control_link_disconnect (self);
      failed (self, error);
      return G_SOURCE_REMOVE;
    }
  if (stream->held != NULL && !stream->first_done && now - stream->held_since_us >= HOLD_US)
    {
      error = no_map_error ();
      failed (self, error);
      return G_SOURCE_REMOVE;
    }
  if (now >= self->map.restart_at_us)
    {
      restart (self, 0);
      return G_SOURCE_REMOVE;
    }
  if (now >= self->map.check_at_us)
    {
      self->map.check_at_us = now + CHECK_US;
      self->map.last_check_us = now;
      hn_control_auth_begin_stored (self, FALSE);
    }
  arm_watchdog (self);
  return G_SOURCE_REMOVE;
}

/* At the next time at which anything could be due; frames that come meanwhile do not touch it. */
static void
arm_watchdog (HnControlClient *self)
{
  HnControlStream *stream = self->map.stream;
  gint64 due = MIN (self->map.last_frame_us + SILENCE_US,
                    MIN (self->map.check_at_us, self->map.restart_at_us));

  if (!stream->answered)
    due = MIN (due, stream->told ? answer_due (self) : self->map.last_frame_us + TELL_US);
  if (stream->held != NULL && !stream->first_done)
    due = MIN (due, stream->held_since_us + HOLD_US);
  hn_control_client_set_timer (self, &self->map.watchdog,
                               MAX (due - hn_clock_now_us (), 0) + G_USEC_PER_SEC / 2, on_watchdog);
}

void
hn_control_map_check_soon (HnControlClient *self)
{
  HnControlMap *map = &self->map;
  gint64 now = hn_clock_now_us ();

  if (map->last_check_us == 0 || now - map->last_check_us >= CHECK_MIN_US)
    {
      map->last_check_us = now;
      hn_control_auth_begin_stored (self, FALSE);
    }
  else if (map->stream != NULL)
    {
      map->check_at_us = MIN (map->check_at_us, map->last_check_us + CHECK_MIN_US);
      arm_watchdog (self);
    }
}

/* ---- what comes ---- */

/* TRUE while the stream is still ours: the owner may have ended it in its callback. */
static gboolean
merge (HnControlStream *stream, HnMapUpdate *update)
{
  HnControlClient *self = stream->client;
  gint64 wall = hn_clock_wall_us () / G_USEC_PER_SEC;
  g_autoptr (HnNetmapChange) change = hn_netmap_apply (stream->netmap, update, wall);
  HnNode *node = hn_netmap_get_self (stream->netmap);

  if (self->map.doubt != NULL && node != NULL)
    {
      if (!hn_node_get (node)->expired)
        {
          hn_control_client_end_login (self, g_steal_pointer (&self->map.doubt));
          return FALSE;
        }
      g_clear_error (&self->map.doubt);
    }
  if (!stream->first_done)
    {
      stream->first_done = TRUE;
      stream->first_us = hn_clock_now_us ();
      hn_backoff_reset (&self->map.backoff);
      change->full = TRUE;
      change->parts = HN_NETMAP_ALL;
      g_clear_pointer (&self->netmap, hn_netmap_unref);
      self->netmap = hn_netmap_ref (stream->netmap);
      self->map.mapped = TRUE;
      hn_control_client_take_error (self, NULL);
      hn_control_client_queue_notify (self);
      hn_control_client_queue_pump (self);
    }
  if (change->parts == 0)
    return TRUE;
  if (self->events.netmap_changed != NULL)
    self->events.netmap_changed (self->user, stream->netmap, change);
  if (stream->client == NULL)
    return FALSE;

  node = hn_netmap_get_self (stream->netmap);
  if (node != NULL && hn_node_get (node)->expired)
    {
      hn_control_client_end_login (
          self, g_error_new_literal (HN_ERROR, HN_ERROR_NODE_KEY_EXPIRED,
                                     "The key of this computer expired: sign in again"));
      return FALSE;
    }
  return TRUE;
}

/* From here on it is the silence between messages that counts. */
static void
answer_came (HnControlStream *stream)
{
  HnControlClient *self = stream->client;

  if (stream->answered)
    return;
  stream->answered = TRUE;
  self->map.unanswered = 0;
  self->map.last_frame_us = hn_clock_now_us ();
  arm_watchdog (self);
}

/* Whether it says anything that a map could be missing. */
static gboolean
is_empty (const HnMapUpdate *update)
{
  return update->peers == NULL && update->peers_changed == NULL && update->peers_removed == NULL
         && update->peer_seen == NULL && update->online == NULL && update->patches == NULL
         && update->dns == NULL && !update->has_derp_regions && update->packet_filters == NULL
         && update->packet_filter == NULL && update->users == NULL;
}

static void
hold (HnControlStream *stream, HnMapUpdate *update)
{
  if (stream->held == NULL)
    {
      stream->held = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_map_update_free);
      stream->held_since_us = hn_clock_now_us ();
    }
  stream->held_bytes += update->size;
  g_ptr_array_add (stream->held, update);
  if (stream->held->len > HOLD_MAX || stream->held_bytes > HOLD_BYTES)
    stream->failure = no_map_error ();
  arm_watchdog (stream->client);
}

static void
on_update (HnMapUpdate *taken, gpointer data)
{
  g_autoptr (HnMapUpdate) update = taken;
  HnControlStream *stream = data;
  HnControlClient *self = stream->client;

  if (self == NULL || stream->failure != NULL)
    return;
  self->map.last_frame_us = hn_clock_now_us ();
  hn_control_ping_handle (self, update);
  if (update->sleep_seconds > 0)
    stream->sleep_s = MIN (update->sleep_seconds, SLEEP_MAX_S);

  if (!stream->first_done && update->node == NULL)
    {
      if (!update->keep_alive && !is_empty (update))
        hold (stream, g_steal_pointer (&update));
      return;
    }
  if (!merge (stream, update))
    return;
  if (stream->held != NULL)
    {
      g_autoptr (GPtrArray) held = g_steal_pointer (&stream->held);

      for (guint i = 0; i < held->len; i++)
        if (!merge (stream, held->pdata[i]))
          return;
    }
}

static gboolean
on_headers (gpointer user, guint status)
{
  HnControlStream *stream = user;
  HnControlClient *self = stream->client;

  stream->status = status;
  hn_control_link_proven (self);
  if (status == 200)
    {
      self->map.planned = FALSE;
      hn_control_client_queue_notify (self);
    }
  else
    stream->text = g_byte_array_new ();
  return TRUE;
}

static gboolean
on_data (gpointer user, const guint8 *data, gsize len)
{
  HnControlStream *stream = user;
  g_autoptr (HnControlClient) self = g_object_ref (stream->client);
  g_autoptr (GError) error = NULL;
  gboolean ok;

  answer_came (stream);
  if (stream->status != 200)
    {
      if (stream->text->len < ERROR_TEXT_MAX)
        g_byte_array_append (stream->text, data,
                             (guint) MIN (len, ERROR_TEXT_MAX - stream->text->len));
      return TRUE;
    }

  stream->feeding = TRUE;
  ok = hn_map_decoder_feed (stream->decoder, data, len, &error);
  stream->feeding = FALSE;
  if (stream->client == NULL)
    {
      stream_free (stream);
      return FALSE;
    }
  if (ok && stream->failure != NULL)
    {
      error = g_steal_pointer (&stream->failure);
      ok = FALSE;
    }
  if (!ok)
    {
      failed (self, error);
      return FALSE;
    }
  if (stream->sleep_s > 0)
    {
      /* Not reading for a while is what the server asks for; a new stream then costs it less than
       * one that it has to hold back. */
      restart (self, stream->sleep_s * G_USEC_PER_SEC);
      return FALSE;
    }
  return TRUE;
}

static void
on_end (gpointer user, const GError *cause)
{
  HnControlStream *stream = user;
  g_autoptr (HnControlClient) self = g_object_ref (stream->client);
  g_autoptr (GError) error = cause != NULL ? g_error_copy (cause) : NULL;
  g_autofree char *text = NULL;
  gboolean check = FALSE;

  stream->request = NULL;
  if (error == NULL && stream->status != 200)
    {
      text = hn_control_body_text (stream->text->data, stream->text->len);
      check = hn_control_policy_map (stream->status, text, &error) == HN_MAP_CHECK;
    }
  else if (error == NULL && !stream->first_done)
    g_set_error_literal (&error, HN_ERROR, HN_ERROR_PROTOCOL,
                         "The server ended the network map before it began");
  else if (error == NULL)
    g_set_error_literal (&error, HN_ERROR, HN_ERROR_CONNECTION_LOST,
                         "The server ended the stream of the network map");
  g_debug ("map stream ended: %s", error->message);
  failed (self, error);
  if (check && !self->needs_login)
    hn_control_auth_begin_stored (self, TRUE);
}

/* ---- the request ---- */

gboolean
hn_control_map_wants (HnControlClient *self)
{
  /* A key in the making is not confirmed yet, and Headscale 0.23 takes any key from a map request:
   * only the stored one is ever sent here. */
  return self->started && !self->needs_login && self->map.stream == NULL && self->map.retry == NULL
         && !hn_node_private_is_zero (&self->node_key)
         && !(self->auth.active && (self->auth.gates_map || self->auth.kind == HN_REGISTER_LOGOUT));
}

void
hn_control_map_send (HnControlClient *self)
{
  static const HnHttp2StreamOps ops = { on_headers, on_data, on_end };
  HnControlMap *map = &self->map;
  HnControlStream *stream;
  HnMapRequest request = {
    .version = self->version,
    .node_key = self->node_public,
    .stream = TRUE,
    .hostinfo = self->hostinfo,
  };
  g_autoptr (HnHostinfo) fallback = NULL;
  g_autoptr (GBytes) body = NULL;
  HnControlHeaders headers;
  gint64 now = hn_clock_now_us ();

  if (request.hostinfo == NULL)
    request.hostinfo = fallback = hn_hostinfo_new (NULL);
  body = hn_control_codec_format_map (&request);
  hn_control_headers_init (&headers, NULL, &self->node_public);

  stream = g_new0 (HnControlStream, 1);
  stream->client = self;
  stream->http2 = g_object_ref (self->http2);
  stream->decoder = hn_map_decoder_new (on_update, stream);
  stream->netmap = hn_netmap_new ();
  stream->request = hn_http2_request_stream (self->http2, "POST", "/machine/map", headers.list,
                                             body, &ops, stream);
  if (stream->request == NULL)
    {
      stream_free (stream);
      hn_control_client_queue_pump (self);
      return;
    }
  map->stream = stream;
  map->last_frame_us = now;
  map->restart_at_us = now + (gint64) ((double) RESTART_US * (0.9 + 0.2 * hn_random_double ()));
  map->check_at_us = now + (gint64) ((double) CHECK_US * (0.9 + 0.2 * hn_random_double ()));
  arm_watchdog (self);
}
