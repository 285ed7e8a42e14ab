/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-derp-session.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/hn-error.h"
#include "base/hn-secret.h"

/* A relay at this distance or less may be a near one whose first Pongs met a busy machine; it is
 * measured so often. */
#define PERHAPS_NEAR_US (20 * G_TIME_SPAN_MILLISECOND)
#define MAX_MEASURES 8

/* A frame that can still grow to the longest one, a read behind it, and room on both sides. */
#define READ_SIZE 16384
#define BUFFER_SIZE (HN_DERP_ROOM + HN_DERP_HEADER_SIZE + HN_DERP_MAX_PAYLOAD + READ_SIZE)

struct _HnDerpSession
{
  HnDerpSessionOps ops;
  gpointer user;

  HnDerpSessionState state;
  gboolean stopped;
  gboolean preferred;
  HnNodePrivate key; /* wiped once the login was built */
  guint8 shared[32]; /* wiped once ServerInfo was read */

  guint8 *buffer; /* owned; BUFFER_SIZE and HN_DERP_ROOM */
  gsize start;    /* what is not parsed yet: [start, end) */
  gsize end;
  HnDerpParser parser;

  HnDerpQueue *queue; /* owned */
  HnDerpLimiter limiter;
  HnDerpWindow window;
  guint measures; /* Pings since the login that only measured */

  gint64 login_us; /* when the login must be over */
  gint64 heard_us;
  gint64 pong_us; /* when the answer to our Ping must be there; G_MAXINT64: none is out */
  guint8 ping[HN_DERP_PING_SIZE];
  gint64 sent_us;     /* first packet since anything came; G_MAXINT64: none */
  gint64 probe_us;    /* when something must have come; G_MAXINT64: not asked */
  gboolean answers;   /* it has answered a Ping */
  gboolean delivered; /* and something else came since the login */
};

HnDerpSession *
hn_derp_session_new (const HnNodePrivate *key, gboolean preferred, const HnDerpSessionOps *ops,
                     gpointer user)
{
  HnDerpSession *self = g_new0 (HnDerpSession, 1);

  self->ops = *ops;
  self->user = user;
  self->preferred = preferred;
  self->key = *key;
  self->start = self->end = HN_DERP_ROOM;
  self->queue = hn_derp_queue_new ();
  self->login_us = self->pong_us = G_MAXINT64;
  self->sent_us = self->probe_us = G_MAXINT64;
  return self;
}

void
hn_derp_session_free (HnDerpSession *self)
{
  hn_node_private_clear (&self->key);
  hn_wipe (self->shared, sizeof self->shared);
  hn_derp_queue_free (self->queue);
  g_free (self->buffer);
  g_free (self);
}

HnDerpSessionState
hn_derp_session_get_state (const HnDerpSession *self)
{
  return self->state;
}

void
hn_derp_session_start (HnDerpSession *self, gint64 now_us)
{
  self->login_us = now_us + HN_DERP_LOGIN_US;
  self->heard_us = now_us;
  if (self->buffer == NULL)
    self->buffer = g_malloc (BUFFER_SIZE + HN_DERP_ROOM);
}

void
hn_derp_session_stop (HnDerpSession *self)
{
  self->stopped = TRUE;
  hn_node_private_clear (&self->key);
  hn_wipe (self->shared, sizeof self->shared);
}

static void
queue_preferred (HnDerpSession *self)
{
  guint8 frame[HN_DERP_HEADER_SIZE + 1];

  hn_derp_queue_add_control (self->queue, frame,
                             hn_derp_build_note_preferred (frame, self->preferred), 0);
}

static gboolean
on_server_key (HnDerpSession *self, const HnDerpFrame *frame, gint64 now_us, GError **error)
{
  HnNodePublic server;
  HnNodePublic client;
  guint8 nonce[HN_BOX_NONCE_SIZE];
  guint8 login[HN_DERP_CLIENT_INFO_SIZE];

  if (!hn_derp_parse_server_key (frame, &server)
      || !hn_box_precompute (self->key.bytes, server.bytes, self->shared))
    {
      g_set_error_literal (error, HN_ERROR, HN_ERROR_PROTOCOL,
                           _ ("The relay did not begin with its key: it is no DERP relay"));
      return FALSE;
    }

  hn_node_private_get_public (&self->key, &client);
  hn_node_private_clear (&self->key);
  hn_random_bytes (nonce, sizeof nonce);
  hn_derp_build_client_info (login, &client, self->shared, nonce);
  hn_derp_queue_add_control (self->queue, login, sizeof login, 0);
  if (self->preferred)
    queue_preferred (self);
  /* Relays take packets right behind the login. */
  hn_derp_queue_open (self->queue, now_us, HN_DERP_STALE_US);
  self->state = HN_DERP_SESSION_WAIT_INFO;
  return TRUE;
}

/* A Ping whose Pong opens the window, and measures the round trip. */
static gboolean
ask (HnDerpSession *self, gint64 now_us)
{
  guint8 frame[HN_DERP_HEADER_SIZE + HN_DERP_PING_SIZE];
  guint8 ping[HN_DERP_PING_SIZE];

  hn_random_bytes (ping, sizeof ping);
  if (!hn_derp_queue_add_control (self->queue, frame,
                                  hn_derp_build_ping (frame, HN_DERP_FRAME_PING, ping), 64))
    return FALSE;
  hn_derp_window_ask (&self->window, ping, now_us);
  return TRUE;
}

static gboolean
on_server_info (HnDerpSession *self, const HnDerpFrame *frame, gint64 now_us, GError **error)
{
  HnDerpServerInfo info;

  if (!hn_derp_parse_server_info (frame, self->shared, &info, error))
    return FALSE;

  hn_wipe (self->shared, sizeof self->shared);
  hn_derp_limiter_init (&self->limiter, info.bytes_per_second, info.bytes_burst, now_us);
  self->state = HN_DERP_SESSION_READY;
  self->login_us = G_MAXINT64;
  ask (self, now_us);
  self->ops.ready (self->user);
  return TRUE;
}

/* The packet stands in the middle of the read buffer. What is in front of it was parsed before and
 * may be overwritten; what is behind it may be the next frame, and is put back. */
static void
on_packet (HnDerpSession *self, const HnDerpFrame *frame)
{
  guint8 behind[HN_DERP_ROOM];
  HnNodePublic source;
  guint8 *data;
  gsize len;

  if (!hn_derp_parse_packet (frame, &source, &data, &len))
    return;

  memcpy (behind, data + len, sizeof behind);
  self->ops.packet (self->user, &source, data, len);
  memcpy (data + len, behind, sizeof behind);
}

static void
on_ping (HnDerpSession *self, const HnDerpFrame *frame)
{
  guint8 pong[HN_DERP_HEADER_SIZE + HN_DERP_PING_SIZE];

  if (frame->len < HN_DERP_PING_SIZE)
    return;

  /* A flood of them is not answered, and leaves room for our own frames. */
  hn_derp_queue_add_control (self->queue, pong,
                             hn_derp_build_ping (pong, HN_DERP_FRAME_PONG, frame->payload), 128);
}

static void
on_pong (HnDerpSession *self, const HnDerpFrame *frame, gint64 now_us)
{
  if (frame->len < HN_DERP_PING_SIZE)
    return;

  self->answers = TRUE;
  if (memcmp (frame->payload, self->ping, HN_DERP_PING_SIZE) == 0)
    self->pong_us = G_MAXINT64;
  if (!hn_derp_window_got_pong (&self->window, frame->payload, now_us))
    return;
  if (hn_derp_window_is_near (&self->window))
    hn_derp_queue_set_write_size (self->queue, HN_DERP_WINDOW_BYTES);
  else if (self->window.rtt_us <= PERHAPS_NEAR_US && ++self->measures < MAX_MEASURES)
    ask (self, now_us);
}

static gboolean
on_frame (HnDerpSession *self, const HnDerpFrame *frame, gint64 now_us, GError **error)
{
  HnNodePublic peer;
  guint32 reconnect_ms, try_for_ms;
  guint8 reason;

  /* Nothing means anything before the relay's key. */
  if (self->state == HN_DERP_SESSION_WAIT_KEY)
    return on_server_key (self, frame, now_us, error);
  if (self->state == HN_DERP_SESSION_READY && frame->type != HN_DERP_FRAME_PONG)
    self->delivered = TRUE;

  switch (frame->type)
    {
    case HN_DERP_FRAME_RECV_PACKET:
      on_packet (self, frame);
      break;
    case HN_DERP_FRAME_SERVER_INFO:
      if (self->state == HN_DERP_SESSION_WAIT_INFO)
        return on_server_info (self, frame, now_us, error);
      break;
    case HN_DERP_FRAME_PEER_GONE:
      if (hn_derp_parse_peer_gone (frame, &peer, &reason))
        self->ops.peer_gone (self->user, &peer);
      break;
    case HN_DERP_FRAME_PING:
      on_ping (self, frame);
      break;
    case HN_DERP_FRAME_PONG:
      on_pong (self, frame, now_us);
      break;
    case HN_DERP_FRAME_HEALTH:
      {
        g_autofree char *text = hn_derp_parse_health (frame);

        self->ops.health (self->user, text);
        break;
      }
    case HN_DERP_FRAME_KEEP_ALIVE:
      /* We are awake anyway: perhaps the first round trip was a slow one. */
      if (!hn_derp_window_is_near (&self->window))
        ask (self, now_us);
      break;
    case HN_DERP_FRAME_RESTARTING:
      /* The stream will end, and the back-off does the rest. */
      if (hn_derp_parse_restarting (frame, &reconnect_ms, &try_for_ms))
        g_debug ("relay restarts: reconnect in %u ms, for %u ms", reconnect_ms, try_for_ms);
      break;
    default:
      /* For meshes, or from a later version. */
      break;
    }
  return TRUE;
}

guint8 *
hn_derp_session_get_space (HnDerpSession *self, gsize *len)
{
  /* An unfinished frame moves to the front; it is usually one packet. */
  if (self->start > HN_DERP_ROOM)
    {
      memmove (self->buffer + HN_DERP_ROOM, self->buffer + self->start, self->end - self->start);
      self->end -= self->start - HN_DERP_ROOM;
      self->start = HN_DERP_ROOM;
    }
  *len = BUFFER_SIZE - self->end;
  return self->buffer + self->end;
}

gboolean
hn_derp_session_received (HnDerpSession *self, gsize len, gint64 now_us, GError **error)
{
  guint64 frames = self->parser.frames;
  gboolean ok = TRUE;

  g_return_val_if_fail (len <= BUFFER_SIZE - self->end, FALSE);

  self->end += len;
  while (ok && !self->stopped)
    {
      HnDerpFrame frame;
      HnDerpParseResult result;
      gsize consumed;

      result = hn_derp_parser_next (&self->parser, self->buffer + self->start,
                                    self->end - self->start, &consumed, &frame);
      self->start += consumed;
      if (result == HN_DERP_PARSE_MORE)
        break;
      if (result == HN_DERP_PARSE_TOO_LARGE)
        {
          g_set_error (error, HN_ERROR, HN_ERROR_PROTOCOL,
                       "The relay sent a frame (type 0x%02x) over the limit of %u bytes",
                       frame.type, HN_DERP_MAX_FRAME);
          ok = FALSE;
        }
      else
        ok = on_frame (self, &frame, now_us, error);
    }

  if (self->parser.frames != frames)
    {
      self->heard_us = now_us;
      self->sent_us = self->probe_us = G_MAXINT64;
    }
  return ok;
}

gboolean
hn_derp_session_send (HnDerpSession *self, const HnNodePublic *peer, const guint8 *data, gsize len,
                      gint64 now_us)
{
  if (len > HN_DERP_MAX_PACKET
      || !hn_derp_limiter_take (&self->limiter, HN_DERP_PACKET_HEADER_SIZE + len, now_us))
    return FALSE;
  if (self->sent_us == G_MAXINT64 && self->state == HN_DERP_SESSION_READY)
    self->sent_us = now_us;
  return hn_derp_queue_add_packet (self->queue, peer, data, len, now_us);
}

void
hn_derp_session_set_preferred (HnDerpSession *self, gboolean preferred)
{
  if (self->preferred == preferred)
    return;

  self->preferred = preferred;
  if (self->state != HN_DERP_SESSION_WAIT_KEY)
    queue_preferred (self);
}

void
hn_derp_session_ping (HnDerpSession *self, gint64 now_us)
{
  guint8 frame[HN_DERP_HEADER_SIZE + HN_DERP_PING_SIZE];

  /* The login has its own deadline, and one Ping at a time is enough. */
  if (self->state != HN_DERP_SESSION_READY || self->pong_us != G_MAXINT64)
    return;

  hn_random_bytes (self->ping, sizeof self->ping);
  hn_derp_queue_add_control (self->queue, frame,
                             hn_derp_build_ping (frame, HN_DERP_FRAME_PING, self->ping), 0);
  /* Also when it found no room: a stream that stalled so long has failed the test. */
  self->pong_us = now_us + HN_DERP_PONG_US;
}

const guint8 *
hn_derp_session_get_write (HnDerpSession *self, gint64 now_us, gsize *len)
{
  /* What was handed out once has to be finished. */
  if (!hn_derp_queue_is_writing (self->queue))
    {
      hn_derp_window_check (&self->window, now_us);
      if (hn_derp_window_holds (&self->window))
        return NULL;
      if (hn_derp_window_wants_ping (&self->window) && hn_derp_queue_has_write (self->queue))
        ask (self, now_us);
    }
  return hn_derp_queue_get_write (self->queue, len);
}

gboolean
hn_derp_session_has_write (const HnDerpSession *self)
{
  return hn_derp_queue_has_write (self->queue)
         && (hn_derp_queue_is_writing (self->queue) || !hn_derp_window_holds (&self->window));
}

void
hn_derp_session_wrote (HnDerpSession *self, gsize len)
{
  hn_derp_queue_wrote (self->queue, len);
  hn_derp_window_sent (&self->window, len);
}

const HnDerpQueue *
hn_derp_session_get_queue (const HnDerpSession *self)
{
  return self->queue;
}

gint64
hn_derp_session_get_rtt_us (const HnDerpSession *self)
{
  return self->window.rtt_us;
}

gint64
hn_derp_session_get_deadline (const HnDerpSession *self)
{
  gint64 silence_us = G_MAXINT64;

  if (self->state == HN_DERP_SESSION_READY)
    silence_us = self->heard_us + HN_DERP_SILENCE_US;
  if (self->probe_us != G_MAXINT64)
    silence_us = MIN (silence_us, self->probe_us);
  else if (self->sent_us != G_MAXINT64)
    silence_us = MIN (silence_us, self->sent_us + HN_DERP_QUIET_US);
  silence_us = MIN (silence_us, hn_derp_window_get_deadline (&self->window));
  return MIN (silence_us, MIN (self->login_us, self->pong_us));
}

/* A relay that takes packets and gives none may have nothing to give, or swallow them all: any answer
 * to a Ping tells. One that has never answered a Ping, but was heard otherwise, is not judged by it. */
static void
check_quiet (HnDerpSession *self, gint64 now_us)
{
  guint8 frame[HN_DERP_HEADER_SIZE + HN_DERP_PING_SIZE];
  guint8 ping[HN_DERP_PING_SIZE];

  if (self->probe_us != G_MAXINT64)
    {
      if (now_us >= self->probe_us && !self->answers && self->delivered)
        self->sent_us = self->probe_us = G_MAXINT64;
      return;
    }
  if (self->sent_us == G_MAXINT64 || now_us < self->sent_us + HN_DERP_QUIET_US)
    return;
  hn_random_bytes (ping, sizeof ping);
  hn_derp_queue_add_control (self->queue, frame,
                             hn_derp_build_ping (frame, HN_DERP_FRAME_PING, ping), 0);
  /* Also when it found no room, as above. */
  self->probe_us = now_us + HN_DERP_PROBE_US;
}

gboolean
hn_derp_session_check (HnDerpSession *self, gint64 now_us, GError **error)
{
  hn_derp_window_check (&self->window, now_us);
  check_quiet (self, now_us);
  if (now_us < hn_derp_session_get_deadline (self))
    return TRUE;

  if (self->state != HN_DERP_SESSION_READY)
    g_set_error_literal (error, HN_ERROR, HN_ERROR_TIMEOUT,
                         _ ("The relay did not complete the login"));
  else if (now_us >= MIN (self->pong_us, self->probe_us))
    g_set_error_literal (error, HN_ERROR, HN_ERROR_TIMEOUT, _ ("The relay did not answer a ping"));
  else
    g_set_error (error, HN_ERROR, HN_ERROR_TIMEOUT, _ ("The relay has said nothing for %d s"),
                 (int) (HN_DERP_SILENCE_US / G_USEC_PER_SEC));
  return FALSE;
}
