/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one connection of a control client: made when something has to be sent, then shared by all. */
#include "control/hn-control-client-private.h"

#include <string.h>

#include "base/hn-error.h"
#include "base/hn-source.h"

/* An answer to a PING waits for nothing at the server. */
#define PROBE_US (5 * (gint64) G_USEC_PER_SEC)

static gboolean
on_connect_retry (gpointer data)
{
  HnControlClient *self = data;

  g_clear_pointer (&self->connect_retry, g_source_unref);
  hn_control_client_queue_pump (self);
  return G_SOURCE_REMOVE;
}

/* Whatever is on its way is not waited for any more. */
static void
stop_connecting (HnControlClient *self)
{
  hn_source_clear (&self->connect_retry);
  self->connect_serial++;
  self->fetching = FALSE;
  self->dialing = FALSE;
  if (self->connect_cancellable != NULL)
    g_cancellable_cancel (self->connect_cancellable);
  g_clear_object (&self->connect_cancellable);
}

static void
wait_to_connect (HnControlClient *self)
{
  hn_control_client_set_timer (self, &self->connect_retry,
                               hn_control_client_backoff (&self->connect_backoff),
                               on_connect_retry);
}

/* There is no connection, and what there is to send waits for the next. */
static void
give_up (HnControlClient *self, const GError *error)
{
  stop_connecting (self);
  self->map.planned = FALSE;
  /* A changed key stays so until a person acts. */
  if (g_error_matches (error, HN_ERROR, HN_ERROR_SERVER_KEY))
    self->connect_backoff.failures = MAX (self->connect_backoff.failures, 100);
  wait_to_connect (self);
  hn_control_client_queue_notify (self);
  hn_control_auth_unreachable (self, error);
}

static void
connect_failed (HnControlClient *self, const GError *error)
{
  hn_control_client_take_error (self, g_error_copy (error));
  give_up (self, error);
}

static void
forget_http2 (HnControlClient *self)
{
  if (self->http2 == NULL)
    return;
  g_signal_handler_disconnect (self->http2, self->closed_handler);
  self->closed_handler = 0;
  g_clear_object (&self->http2);
}

/* No further request can be made; what is open ends by itself, a stream with a callback of its own.
 */
static void
on_closed (HnHttp2 *http2, const GError *error, HnControlClient *self)
{
  g_debug ("connection closed: %s", error != NULL ? error->message : "");
  forget_http2 (self);
  /* A server that takes connections only to end them is not dialled again and again at once. */
  if (self->proven)
    hn_control_client_queue_pump (self);
  else if (self->auth.in_flight || self->map.stream != NULL)
    wait_to_connect (self);
  else
    {
      hn_control_client_take_hitch (self, &self->connect_backoff, error);
      give_up (self, error);
    }
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (HnControlCall) call = data;
  g_autoptr (HnControlClient) self = g_weak_ref_get (&call->client);
  g_autoptr (GError) error = NULL;
  g_autoptr (HnHttp2) http2 = hn_control_connect_finish (result, &error);

  if (self == NULL || call->serial != self->connect_serial || !self->dialing)
    {
      if (http2 != NULL)
        hn_http2_close (http2, NULL);
      return;
    }
  self->dialing = FALSE;
  if (http2 == NULL)
    {
      /* A stale key of the server looks the same as a version it does not take: the fresh one
       * tells. */
      if (g_error_matches (error, HN_ERROR, HN_ERROR_VERSION_REFUSED) && !self->key_refused)
        {
          self->key_refused = TRUE;
          memset (&self->server_key, 0, sizeof self->server_key);
          if (!self->fetching)
            hn_control_link_connect (self);
          return;
        }
      connect_failed (self, error);
      return;
    }

  self->key_refused = FALSE;
  self->proven = FALSE;
  if (self->auth.url != NULL && !self->map.mapped)
    hn_control_client_take_error (self, NULL);
  self->http2 = g_steal_pointer (&http2);
  self->closed_handler = g_signal_connect (self->http2, "closed", G_CALLBACK (on_closed), self);
  hn_control_client_queue_pump (self);
}

static void
on_key_fetched (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (HnControlCall) call = data;
  g_autoptr (HnControlClient) self = g_weak_ref_get (&call->client);
  g_autoptr (GError) error = NULL;
  HnMachinePublic key;
  gboolean ok = hn_control_fetch_key_finish (result, &key, &error);
  HnServerKeyVerdict verdict;

  if (self == NULL || call->serial != self->connect_serial || !self->fetching)
    return;
  self->fetching = FALSE;
  if (!ok)
    {
      /* A handshake with the known key says as much as this would have. */
      if (self->http2 == NULL && !self->dialing)
        connect_failed (self, error);
      return;
    }

  verdict = hn_control_policy_server_key (&self->known_key, &key, self->server->tls,
                                          self->accept_server_key);
  if (verdict == HN_SERVER_KEY_REFUSED)
    {
      g_set_error (&error, HN_ERROR, HN_ERROR_SERVER_KEY,
                   "The key of the server %s changed, and without TLS nothing says that it is "
                   "still the same server",
                   self->server->host);
      hn_control_link_disconnect (self);
      connect_failed (self, error);
      return;
    }
  if (verdict == HN_SERVER_KEY_CHANGED)
    self->accept_server_key = FALSE;
  self->known_key = key;
  self->server_key = key;
  if (self->events.server_key_seen != NULL)
    self->events.server_key_seen (self->user, &key, verdict == HN_SERVER_KEY_CHANGED);
  /* The owner may have stopped us just now. */
  if (call->serial != self->connect_serial)
    return;
  if (verdict == HN_SERVER_KEY_SAME && (self->http2 != NULL || self->dialing))
    return;
  if (self->http2 != NULL)
    hn_control_link_disconnect (self);
  hn_control_link_connect (self);
}

void
hn_control_link_connect (HnControlClient *self)
{
  gboolean fetch = hn_machine_public_is_zero (&self->server_key);
  const HnMachinePublic *key = fetch ? &self->known_key : &self->server_key;

  stop_connecting (self);
  self->connect_cancellable = g_cancellable_new ();
  self->fetching = fetch;
  self->dialing = !fetch || (!hn_machine_public_is_zero (key) && !self->key_refused);
  if (self->fetching)
    hn_control_fetch_key_async (self->dialer, self->server, self->version, NULL, NULL,
                                self->connect_cancellable, on_key_fetched,
                                hn_control_call_new (self, self->connect_serial));
  if (self->dialing)
    hn_control_connect_async (self->dialer, self->server, self->version, &self->machine_key, key,
                              NULL, NULL, self->connect_cancellable, on_connected,
                              hn_control_call_new (self, self->connect_serial));
}

static void
forget_probe (HnControlClient *self)
{
  hn_source_clear (&self->probe);
  g_clear_object (&self->probe_http2);
}

void
hn_control_link_disconnect (HnControlClient *self)
{
  HnHttp2 *http2 = self->http2 != NULL ? g_object_ref (self->http2) : NULL;

  stop_connecting (self);
  hn_control_map_stop (self);
  hn_control_update_stop (self);
  hn_control_auth_forget_request (self);
  forget_probe (self);
  forget_http2 (self);
  if (http2 != NULL)
    {
      hn_http2_close (http2, NULL);
      g_object_unref (http2);
    }
}

static gboolean
on_probe (gpointer data)
{
  HnControlClient *self = data;
  g_autoptr (HnHttp2) http2 = g_steal_pointer (&self->probe_http2);
  g_autoptr (GError) error = NULL;

  g_clear_pointer (&self->probe, g_source_unref);
  if (hn_http2_get_received (http2) != self->probe_received)
    return G_SOURCE_REMOVE;
  g_set_error_literal (&error, HN_ERROR, HN_ERROR_TIMEOUT, "The server does not answer any more");
  hn_control_map_lost (self, http2, error);
  return G_SOURCE_REMOVE;
}

void
hn_control_link_doubt (HnControlClient *self)
{
  if (!hn_control_map_is_up (self))
    {
      hn_control_link_disconnect (self);
      hn_control_client_queue_pump (self);
      return;
    }
  if (self->http2 == NULL)
    return;
  if (!hn_control_map_is_on (self, self->http2))
    hn_http2_close (self->http2, NULL);
  else if (self->probe == NULL)
    {
      self->probe_http2 = g_object_ref (self->http2);
      self->probe_received = hn_http2_get_received (self->http2);
      hn_http2_ping (self->http2);
      hn_control_client_set_timer (self, &self->probe, PROBE_US, on_probe);
    }
  forget_http2 (self);
  hn_control_client_queue_pump (self);
}

void
hn_control_link_proven (HnControlClient *self)
{
  self->proven = TRUE;
  hn_backoff_reset (&self->connect_backoff);
}

void
hn_control_link_prune (HnControlClient *self)
{
  if (self->http2 != NULL && !hn_http2_is_open (self->http2))
    forget_http2 (self);
}
