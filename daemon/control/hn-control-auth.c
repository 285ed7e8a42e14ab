/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registration: with the stored key at start and as a check, logins by pre-auth key or URL, the wait
 * for a URL's approval, and logout. What follows from an answer is hn-control-policy.c's to say; who
 * asks for a login is hn-control-login.c's concern.
 */
#include "control/hn-control-client-private.h"

#include <string.h>

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "base/hn-source.h"
#include "crypto/hn-crypto.h"

#define REQUEST_TIMEOUT_S 20
/* Headscale before 0.25 holds a follow-up for 5 s only and then wants it again; whoever approved
 * should not wait much longer than that. */
#define FOLLOWUP_BACKOFF_CAP_US (2 * G_USEC_PER_SEC)
/* Seconds since 1970; in the past means logout (tailscale: control/controlclient/direct.go). */
#define LOGOUT_EXPIRY 123
/* A login that waits for its caller is tried again once, when a connection that stood for long
 * turns out to be dead. */
#define LOGIN_ATTEMPTS 2

/* ---- the operation ---- */

static void
set_url (HnControlClient *self, HnSecretText *url)
{
  HnControlAuth *auth = &self->auth;

  g_clear_pointer (&auth->url, hn_secret_text_unref);
  if (url != NULL)
    auth->url = hn_secret_text_ref (url);
  hn_control_client_queue_notify (self);
}

void
hn_control_auth_forget_request (HnControlClient *self)
{
  HnControlAuth *auth = &self->auth;

  auth->serial++;
  auth->in_flight = FALSE;
  if (auth->cancellable != NULL)
    g_cancellable_cancel (auth->cancellable);
  g_clear_object (&auth->cancellable);
}

/* The operation is over; its caller is told separately. */
static void
clear (HnControlClient *self)
{
  HnControlAuth *auth = &self->auth;

  hn_control_auth_forget_request (self);
  hn_source_clear (&auth->retry);
  auth->active = FALSE;
  auth->gates_map = FALSE;
  auth->regenerated = FALSE;
  auth->failures = 0;
  self->accept_server_key = FALSE;
  hn_node_private_clear (&auth->key);
  memset (&auth->old_key, 0, sizeof auth->old_key);
  g_clear_pointer (&auth->auth_key, hn_secret_text_unref);
  set_url (self, NULL);
}

void
hn_control_auth_cancel (HnControlClient *self, const GError *error)
{
  if (!self->auth.active)
    return;
  hn_control_auth_finish_task (self, error);
  clear (self);
}

void
hn_control_auth_begin (HnControlClient *self, HnRegisterKind kind)
{
  HnControlAuth *auth = &self->auth;

  auth->active = TRUE;
  auth->kind = kind;
  auth->backoff = (HnBackoff) HN_CONTROL_BACKOFF;
  hn_control_client_queue_pump (self);
  hn_control_client_queue_notify (self);
}

void
hn_control_auth_begin_stored (HnControlClient *self, gboolean gates_map)
{
  HnControlAuth *auth = &self->auth;

  if (auth->active)
    {
      /* A check under way will do; a login knows better than a check what becomes of the key. */
      auth->gates_map |= gates_map && auth->kind == HN_REGISTER_STORED;
      return;
    }
  auth->key = self->node_key;
  auth->gates_map = gates_map;
  hn_control_auth_begin (self, HN_REGISTER_STORED);
}

gboolean
hn_control_auth_is_login (HnControlClient *self)
{
  HnControlAuth *auth = &self->auth;

  return auth->active && auth->kind != HN_REGISTER_STORED && auth->kind != HN_REGISTER_LOGOUT;
}

gboolean
hn_control_auth_wants (HnControlClient *self)
{
  HnControlAuth *auth = &self->auth;

  return auth->active && !auth->in_flight && auth->retry == NULL;
}

static gboolean
on_retry (gpointer data)
{
  HnControlClient *self = data;

  g_clear_pointer (&self->auth.retry, g_source_unref);
  hn_control_client_queue_pump (self);
  return G_SOURCE_REMOVE;
}

static void
retry_after (HnControlClient *self, guint wait_s)
{
  gint64 delay = wait_s > 0 ? (gint64) wait_s * G_USEC_PER_SEC
                            : hn_control_client_backoff (&self->auth.backoff);

  self->auth.told_to_wait = wait_s > 0;
  hn_control_client_set_timer (self, &self->auth.retry, delay, on_retry);
}

/* ---- outcomes ---- */

static void
wipe_key (HnControlClient *self)
{
  HnNodePrivate zero = { { 0 } };

  hn_control_client_set_node_key (self, &zero);
  self->map.mapped = FALSE;
  self->needs_login = FALSE;
  g_clear_pointer (&self->netmap, hn_netmap_unref);
  hn_control_client_take_error (self, NULL);
  if (self->events.node_key_changed != NULL)
    self->events.node_key_changed (self->user, &zero);
}

void
hn_control_auth_logged_out (HnControlClient *self, const GError *error)
{
  guint serial;

  hn_control_auth_forget_request (self);
  serial = self->auth.serial;
  wipe_key (self);
  if (serial != self->auth.serial)
    return; /* the owner stopped us meanwhile, and its caller was told */
  hn_control_auth_finish_task (self, error);
  clear (self);
  hn_control_client_queue_pump (self);
  hn_control_client_queue_notify (self);
}

static void
enrolled (HnControlClient *self)
{
  HnControlAuth *auth = &self->auth;
  gboolean new_key = memcmp (&auth->key, &self->node_key, sizeof auth->key) != 0;
  guint serial = auth->serial;

  self->needs_login = FALSE;
  hn_backoff_reset (&auth->backoff);
  if (auth->kind != HN_REGISTER_STORED)
    {
      hn_control_client_take_error (self, NULL);
      hn_source_clear (&self->map.retry);
      hn_backoff_reset (&self->map.backoff);
      hn_backoff_reset (&self->map.shorts);
    }
  if (auth->kind != HN_REGISTER_STORED)
    {
      /* Also with the same key: it may stand for another node now, of which the server knows
       * nothing yet, while it keeps the stream of the old one open. */
      hn_control_update_forget (self);
      hn_control_map_restart (self);
    }
  if (new_key)
    {
      hn_control_client_set_node_key (self, &auth->key);
      if (self->events.node_key_changed != NULL)
        self->events.node_key_changed (self->user, &self->node_key);
      if (serial != auth->serial)
        return;
    }
  hn_control_auth_finish_task (self, NULL);
  clear (self);
  hn_control_client_queue_pump (self);
  hn_control_client_queue_notify (self);
}

/* A login was refused, or had to be given up before a URL came. */
static void
refused (HnControlClient *self, const GError *error)
{
  HnControlAuth *auth = &self->auth;

  if (auth->kind == HN_REGISTER_LOGOUT)
    {
      hn_control_auth_logged_out (self, error);
      return;
    }
  hn_control_auth_finish_task (self, error);
  clear (self);
  /* With a key that still works, only the wish failed. */
  if (!self->map.mapped)
    {
      if (!hn_error_is_unreachable (error))
        self->needs_login = TRUE;
      hn_control_client_take_error (self, g_error_copy (error));
    }
  hn_control_client_queue_pump (self);
  hn_control_client_queue_notify (self);
}

static void
new_key (HnControlClient *self)
{
  HnControlAuth *auth = &self->auth;

  auth->regenerated = TRUE;
  if (!hn_node_private_is_zero (&self->node_key))
    auth->old_key = self->node_public;
  hn_node_private_clear (&auth->key);
  hn_node_private_generate (&auth->key);
  if (auth->kind == HN_REGISTER_FOLLOWUP)
    auth->kind = HN_REGISTER_INTERACTIVE;
  hn_control_client_queue_pump (self);
}

static void
url_came (HnControlClient *self, HnSecretText *url)
{
  HnControlAuth *auth = &self->auth;
  gboolean again = auth->kind == HN_REGISTER_FOLLOWUP;

  set_url (self, url);
  if (!self->map.mapped)
    hn_control_client_take_error (self, NULL);
  auth->kind = HN_REGISTER_FOLLOWUP;
  /* The key has had its say. */
  g_clear_pointer (&auth->auth_key, hn_secret_text_unref);
  /* The failures still count: a server that has a new URL each time is not asked without end. */
  auth->backoff.cap_us = FOLLOWUP_BACKOFF_CAP_US;
  hn_control_auth_finish_task (self, NULL);
  if (again)
    retry_after (self, 0);
  else
    hn_control_client_queue_pump (self);
}

/* Nothing came of this request, for a reason that may pass. */
static void
try_again (HnControlClient *self, const GError *error, guint wait_s)
{
  HnControlAuth *auth = &self->auth;

  if (g_error_matches (error, HN_ERROR, HN_ERROR_TIMEOUT))
    hn_control_link_doubt (self);
  if (auth->task != NULL || auth->kind == HN_REGISTER_LOGOUT)
    {
      if (!(g_error_matches (error, HN_ERROR, HN_ERROR_CONNECTION_LOST)
            || g_error_matches (error, HN_ERROR, HN_ERROR_TIMEOUT))
          || ++auth->failures >= LOGIN_ATTEMPTS)
        {
          refused (self, error);
          return;
        }
      hn_control_client_queue_pump (self);
      return;
    }
  if (!hn_control_map_is_up (self) && wait_s > 0)
    hn_control_client_take_error (self, g_error_copy (error));
  else if (!hn_control_map_is_up (self))
    hn_control_client_take_hitch (self, &auth->backoff, error);
  retry_after (self, wait_s);
}

static void
act (HnControlClient *self, const HnRegisterFacts *facts)
{
  HnControlAuth *auth = &self->auth;
  HnRegisterVerdict verdict;
  g_autoptr (GError) error = NULL;

  hn_control_policy_register (facts, &verdict);
  error = verdict.error;
  if (error != NULL)
    g_debug ("registration: %s", error->message);

  switch (verdict.action)
    {
    case HN_REGISTER_DONE:
      if (auth->kind == HN_REGISTER_LOGOUT)
        hn_control_auth_logged_out (self, NULL);
      else
        enrolled (self);
      return;
    case HN_REGISTER_URL:
      url_came (self, facts->response->auth_url);
      return;
    case HN_REGISTER_URL_AGAIN:
      retry_after (self, 0);
      return;
    case HN_REGISTER_NEW_KEY:
      new_key (self);
      return;
    case HN_REGISTER_START_OVER:
      auth->kind = HN_REGISTER_INTERACTIVE;
      retry_after (self, 0);
      return;
    case HN_REGISTER_RETRY:
      try_again (self, error, verdict.wait_s);
      return;
    case HN_REGISTER_NEEDS_LOGIN:
      clear (self);
      if (g_error_matches (error, HN_ERROR, HN_ERROR_NODE_UNKNOWN)
          && hn_control_map_doubt (self, error))
        error = NULL;
      else
        hn_control_client_end_login (self, g_steal_pointer (&error));
      return;
    case HN_REGISTER_REFUSED:
      refused (self, error);
      return;
    }
}

/* ---- the request ---- */

static gboolean
self_is_expired (HnControlClient *self)
{
  HnNode *node = self->netmap != NULL ? hn_netmap_get_self (self->netmap) : NULL;

  return node != NULL
         && hn_node_is_expired (node, hn_clock_wall_us () / G_USEC_PER_SEC
                                          + hn_netmap_get_clock_offset (self->netmap));
}

static void
on_answer (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (HnControlCall) call = data;
  g_autoptr (HnControlClient) self = g_weak_ref_get (&call->client);
  g_autoptr (GError) error = NULL;
  g_autoptr (HnRegisterResponse) response = NULL;
  g_autoptr (HnSecretText) followup = NULL;
  g_autofree char *text = NULL;
  HnRegisterFacts facts = { 0 };
  g_autoptr (GBytes) body = hn_http2_request_finish (HN_HTTP2 (source), result, &facts.status,
                                                     &facts.retry_after_s, &error);
  gsize len = 0;
  const char *bytes = body != NULL ? g_bytes_get_data (body, &len) : NULL;

  if (self == NULL || call->serial != self->auth.serial)
    return;
  self->auth.in_flight = FALSE;
  g_clear_object (&self->auth.cancellable);

  if (body != NULL)
    hn_control_link_proven (self);
  if (body == NULL)
    facts.status = 0;
  else if (facts.status == 200)
    response = hn_control_codec_parse_register (bytes, len, &error);
  else
    text = hn_control_body_text (bytes, len);
  if (self->auth.url != NULL)
    followup = hn_secret_text_ref (self->auth.url);
  facts.kind = self->auth.kind;
  facts.transport = error;
  facts.response = response;
  facts.text = text;
  facts.followup = followup != NULL ? hn_secret_text_reveal (followup) : NULL;
  facts.regenerated = self->auth.regenerated;
  facts.known_expired = self_is_expired (self);
  facts.random = hn_random_double ();
  act (self, &facts);
}

void
hn_control_auth_send (HnControlClient *self)
{
  HnControlAuth *auth = &self->auth;
  HnRegisterRequest request = {
    .version = self->version,
    .old_node_key = auth->old_key,
    .auth_key = auth->auth_key,
    .expiry = auth->kind == HN_REGISTER_LOGOUT ? LOGOUT_EXPIRY : 0,
    .hostinfo = self->hostinfo,
  };
  HnControlHeaders headers;
  g_autoptr (HnHostinfo) fallback = NULL;
  GBytes *body;
  gboolean waits = auth->kind == HN_REGISTER_FOLLOWUP;

  /* Servers before 0.27 fail on a request without. */
  if (request.hostinfo == NULL)
    request.hostinfo = fallback = hn_hostinfo_new (NULL);
  if (waits)
    request.followup = hn_secret_text_reveal (auth->url);
  hn_node_private_get_public (&auth->key, &request.node_key);

  g_debug ("register: kind %d", auth->kind);
  body = hn_control_codec_format_register (&request);
  hn_control_headers_init (&headers, &auth->old_key, &request.node_key);
  auth->in_flight = TRUE;
  auth->cancellable = g_cancellable_new ();
  hn_http2_request_async (self->http2, "POST", "/machine/register", headers.list, body,
                          HN_REGISTER_RESPONSE_MAX, waits ? 0 : REQUEST_TIMEOUT_S,
                          auth->cancellable, on_answer, hn_control_call_new (self, ++auth->serial));
  g_bytes_unref (body);
}

void
hn_control_auth_unreachable (HnControlClient *self, const GError *error)
{
  HnControlAuth *auth = &self->auth;

  if (auth->active && (auth->task != NULL || auth->kind == HN_REGISTER_LOGOUT))
    refused (self, error);
}

void
hn_control_client_check_registration (HnControlClient *self)
{
  if (self->started && !self->needs_login && !hn_node_private_is_zero (&self->node_key))
    hn_control_map_check_soon (self);
}
