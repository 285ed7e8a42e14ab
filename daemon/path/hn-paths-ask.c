/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pings that somebody asked for: over everything there is, and the first answer counts. */
#include "base/hn-error.h"
#include "path/hn-paths-private.h"

#include <string.h>

/* A trusted path has this long before the others are asked as well. */
#define WIDEN_US (500 * HN_PATHS_MS)

static void
finish (HnPaths *self, HnPathAsk *ask)
{
  ask->done = TRUE;
  self->asks_done = TRUE;
  for (GList *l = self->pings_by_age.head; l != NULL; l = l->next)
    {
      HnPathPing *ping = l->data;

      if (ping->ask == ask)
        ping->ask = NULL;
    }
}

static void
ask_all (HnPaths *self, HnPathAsk *ask, gint64 now_us)
{
  HnPathPeer *peer = ask->peer;
  HnPathTalk *talk = hn_paths_talk_ensure (self, peer, now_us);

  ask->widen_us = G_MAXINT64;
  hn_paths_send_ping (self, peer, NULL, ask, now_us);
  for (guint i = 0; i < talk->n_candidates; i++)
    {
      HnEndpoint endpoint = talk->candidates[i].endpoint;

      talk->candidates[i].pinged_us = now_us;
      hn_paths_send_ping (self, peer, &endpoint, ask, now_us);
    }
}

gboolean
hn_paths_ping (HnPaths *self, HnPathPeer *peer, gpointer token, gint64 deadline_us, gint64 now_us,
               GError **error)
{
  HnPathTalk *talk;
  HnPathAsk *ask;

  if (hn_paths_get_key (self, peer) == NULL)
    {
      g_set_error_literal (error, HN_ERROR, HN_ERROR_NOT_SUPPORTED,
                           "This peer does not answer such pings");
      return FALSE;
    }
  if (self->asks->len >= HN_PATHS_MAX_ASKS)
    {
      g_set_error_literal (error, HN_ERROR, HN_ERROR_BUSY, "Too many pings at once");
      return FALSE;
    }
  hn_paths_enter (self);
  talk = hn_paths_talk_ensure (self, peer, now_us);
  ask = g_new0 (HnPathAsk, 1);
  ask->peer = peer;
  ask->token = token;
  ask->deadline_us = deadline_us;
  ask->widen_us = G_MAXINT64;
  g_ptr_array_add (self->asks, ask);

  /* Whoever pings wants to talk. */
  talk->sent_us = now_us;
  hn_paths_activate (self, talk, now_us);
  if (talk->best.ip.family != 0 && now_us <= talk->trust_until_us)
    {
      HnEndpoint best = talk->best;

      ask->widen_us = now_us + WIDEN_US;
      hn_paths_send_ping (self, peer, &best, ask, now_us);
    }
  else
    {
      ask_all (self, ask, now_us);
      hn_paths_seek (self, talk, now_us);
    }
  hn_paths_leave (self);
  return TRUE;
}

void
hn_paths_cancel_ping (HnPaths *self, gpointer token)
{
  for (guint i = 0; i < self->asks->len; i++)
    {
      HnPathAsk *ask = g_ptr_array_index (self->asks, i);

      if (ask->token != token)
        continue;
      finish (self, ask);
      g_ptr_array_remove_index (self->asks, i);
      return;
    }
}

void
hn_paths_ask_answered (HnPaths *self, HnPathAsk *ask, const HnPathPing *ping, gint64 latency_us)
{
  ask->pong.latency_us = latency_us;
  ask->pong.direct = ping->to.ip.family != 0;
  if (ask->pong.direct)
    ask->pong.endpoint = ping->to;
  else
    ask->pong.relay = ping->region;
  finish (self, ask);
}

gint64
hn_paths_asks_get_deadline (const HnPaths *self)
{
  gint64 deadline = G_MAXINT64;

  for (guint i = 0; i < self->asks->len; i++)
    {
      const HnPathAsk *ask = g_ptr_array_index (self->asks, i);

      deadline = MIN (deadline, MIN (ask->deadline_us, ask->widen_us));
    }
  return deadline;
}

void
hn_paths_asks_tick (HnPaths *self, gint64 now_us)
{
  for (guint i = 0; i < self->asks->len; i++)
    {
      HnPathAsk *ask = g_ptr_array_index (self->asks, i);

      if (ask->done)
        continue;
      if (now_us >= ask->deadline_us)
        {
          ask->pong.latency_us = -1;
          finish (self, ask);
        }
      else if (now_us >= ask->widen_us)
        ask_all (self, ask, now_us);
    }
}

void
hn_paths_asks_forget (HnPaths *self, HnPathPeer *peer)
{
  for (guint i = 0; i < self->asks->len; i++)
    {
      HnPathAsk *ask = g_ptr_array_index (self->asks, i);

      if (ask->peer != peer || ask->done)
        continue;
      ask->pong.latency_us = -1;
      finish (self, ask);
    }
}

void
hn_paths_asks_tell (HnPaths *self)
{
  while (self->asks_done)
    {
      self->asks_done = FALSE;
      for (guint i = 0; i < self->asks->len; i++)
        {
          HnPathAsk *ask = g_ptr_array_index (self->asks, i);
          gpointer token = ask->token;
          HnPathPong pong = ask->pong;

          if (!ask->done)
            continue;
          /* The owner may ask anew, or take others back. */
          self->asks_done = TRUE;
          g_ptr_array_remove_index (self->asks, i);
          self->ops.ping_done (self->user, token, &pong);
          break;
        }
    }
}
