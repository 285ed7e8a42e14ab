/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lite updates: what changed about us, said beside the stream. One at most is in flight, the newest
 * state wins, and only what the server has not taken yet is sent: each one is broadcast to all peers,
 * even one that changes nothing.
 */
#include "control/hn-control-client-private.h"

#include "base/hn-clock.h"
#include "base/hn-error.h"

#define REQUEST_TIMEOUT_S 30
#define BODY_MAX (1024 * 1024)
/* The home relay is known a moment after the first map; one update then says both. */
#define NET_INFO_WAIT_US (50 * 1000)

static gboolean
on_retry (gpointer data)
{
  HnControlClient *self = data;

  g_clear_pointer (&self->update.retry, g_source_unref);
  hn_control_client_queue_pump (self);
  return G_SOURCE_REMOVE;
}

void
hn_control_update_stop (HnControlClient *self)
{
  HnControlUpdate *update = &self->update;

  update->serial++;
  if (update->cancellable != NULL)
    g_cancellable_cancel (update->cancellable);
  g_clear_object (&update->cancellable);
  g_clear_pointer (&update->sent, hn_hostinfo_free);
}

void
hn_control_update_forget (HnControlClient *self)
{
  hn_control_update_stop (self);
  g_clear_pointer (&self->update.acked, hn_hostinfo_free);
  self->update.waited = FALSE;
}

/*
 * Beside a stream that has given its first map. The stream's own request carries the same data, but
 * servers before 0.27 do not look at it there, so the first update is always sent; later streams of
 * the same run need none while nothing changed.
 */
gboolean
hn_control_update_wants (HnControlClient *self)
{
  HnControlUpdate *update = &self->update;

  return self->hostinfo != NULL && update->sent == NULL && update->retry == NULL
         && !self->needs_login && hn_control_map_is_first_done (self)
         && (update->acked == NULL || !hn_hostinfo_equal (update->acked, self->hostinfo));
}

static void
on_answer (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (HnControlCall) call = data;
  g_autoptr (HnControlClient) self = g_weak_ref_get (&call->client);
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  guint status = 0;
  g_autoptr (GBytes) body
      = hn_http2_request_finish (HN_HTTP2 (source), result, &status, NULL, &error);
  HnControlUpdate *update;

  if (self == NULL || call->serial != self->update.serial)
    return;
  update = &self->update;
  g_clear_object (&update->cancellable);

  if (body != NULL && status == 200)
    {
      g_clear_pointer (&update->acked, hn_hostinfo_free);
      update->acked = g_steal_pointer (&update->sent);
      hn_backoff_reset (&update->backoff);
      hn_control_client_queue_pump (self);
      return;
    }

  g_clear_pointer (&update->sent, hn_hostinfo_free);
  if (body != NULL)
    {
      gsize len;
      const void *bytes = g_bytes_get_data (body, &len);

      text = hn_control_body_text (bytes, len);
      if (hn_control_policy_map (status, text, &error) == HN_MAP_CHECK)
        hn_control_auth_begin_stored (self, FALSE);
    }
  g_debug ("lite update: %s", error->message);
  if (g_error_matches (error, HN_ERROR, HN_ERROR_TIMEOUT))
    hn_control_link_doubt (self);
  hn_control_client_set_timer (self, &update->retry, hn_control_client_backoff (&update->backoff),
                               on_retry);
}

void
hn_control_update_send (HnControlClient *self)
{
  HnControlUpdate *update = &self->update;
  HnMapRequest request = {
    .version = self->version,
    .node_key = self->node_public,
    .stream = FALSE,
    .hostinfo = self->hostinfo,
  };
  HnControlHeaders headers;
  g_autoptr (GBytes) body = NULL;

  if (update->acked == NULL && !self->hostinfo->has_net_info && !update->waited)
    {
      update->waited = TRUE;
      hn_control_client_set_timer (self, &update->retry, NET_INFO_WAIT_US, on_retry);
      return;
    }
  body = hn_control_codec_format_map (&request);
  hn_control_headers_init (&headers, NULL, &self->node_public);
  update->sent = hn_hostinfo_copy (self->hostinfo);
  update->cancellable = g_cancellable_new ();
  hn_http2_request_async (self->http2, "POST", "/machine/map", headers.list, body, BODY_MAX,
                          REQUEST_TIMEOUT_S, update->cancellable, on_answer,
                          hn_control_call_new (self, ++update->serial));
}
