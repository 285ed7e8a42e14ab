/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registration: with the stored key at start and as a check, logins by pre-auth key or URL, the wait
 * for a URL's approval, and logout. What follows from an answer is hn-control-policy.c's to say.
 */
#include "control/hn-control-client-private.h"

#include <string.h>

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "crypto/hn-crypto.h"

#define REQUEST_TIMEOUT_S 30
/* Headscale before 0.25 holds a follow-up for 5 s only and then wants it again; whoever approved
 * should not wait much longer than that. */
#define FOLLOWUP_BACKOFF_CAP_US (2 * G_USEC_PER_SEC)
/* Seconds since 1970; in the past means logout (tailscale: control/controlclient/direct.go). */
#define LOGOUT_EXPIRY 123
/* A login that waits for its caller is tried again once, when a connection that stood for long
 * turns out to be dead. */
#define LOGIN_ATTEMPTS 2
#define CHECK_MIN_INTERVAL_US (60 * G_USEC_PER_SEC)

/* ---- the caller that waits ---- */

typedef struct
{
  GTask *task;
  GError *error; /* NULL: success */
} Completion;

static gboolean
on_complete (gpointer data)
{
  Completion *completion = data;

  if (completion->error != NULL)
    g_task_return_error (completion->task, g_steal_pointer (&completion->error));
  else
    g_task_return_boolean (completion->task, TRUE);
  return G_SOURCE_REMOVE;
}

static void
completion_free (gpointer data)
{
  Completion *completion = data;

  g_clear_error (&completion->error);
  g_object_unref (completion->task);
  g_free (completion);
}

/* Never from inside a call of the owner: GTask by itself might do that. */
static void
complete (HnControlClient *self, GTask *task, const GError *error)
{
  g_autoptr (GSource) source = g_idle_source_new ();
  Completion *completion = g_new0 (Completion, 1);

  completion->task = task;
  completion->error = error != NULL ? g_error_copy (error) : NULL;
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, on_complete, completion, completion_free);
  g_source_attach (source, self->context);
}

static void
finish_task (HnControlClient *self, const GError *error)
{
  HnControlAuth *auth = &self->auth;

  hn_control_client_clear_source (&auth->task_source);
  if (auth->task != NULL)
    complete (self, g_steal_pointer (&auth->task), error);
}

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
  hn_control_client_clear_source (&auth->retry);
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
  finish_task (self, error);
  clear (self);
}

static void
begin (HnControlClient *self, HnRegisterKind kind)
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
  self->map.last_check_us = hn_clock_now_us ();
  begin (self, HN_REGISTER_STORED);
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

static void
logged_out (HnControlClient *self, const GError *error)
{
  guint serial;

  hn_control_auth_forget_request (self);
  serial = self->auth.serial;
  wipe_key (self);
  if (serial != self->auth.serial)
    return; /* the owner stopped us meanwhile, and its caller was told */
  finish_task (self, error);
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
      hn_control_client_clear_source (&self->map.retry);
      hn_backoff_reset (&self->map.backoff);
    }
  if (new_key)
    {
      hn_control_map_stop (self);
      hn_control_update_stop (self);
      hn_control_client_set_node_key (self, &auth->key);
      if (self->events.node_key_changed != NULL)
        self->events.node_key_changed (self->user, &self->node_key);
      if (serial != auth->serial)
        return;
    }
  finish_task (self, NULL);
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
      logged_out (self, error);
      return;
    }
  finish_task (self, error);
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

  set_url (self, url);
  auth->kind = HN_REGISTER_FOLLOWUP;
  /* The key has had its say. */
  g_clear_pointer (&auth->auth_key, hn_secret_text_unref);
  auth->backoff = (HnBackoff) HN_BACKOFF_INIT (auth->backoff.unit_us, FOLLOWUP_BACKOFF_CAP_US);
  finish_task (self, NULL);
  hn_control_client_queue_pump (self);
}

/* Nothing came of this request, for a reason that may pass. */
static void
try_again (HnControlClient *self, const GError *error, guint wait_s)
{
  HnControlAuth *auth = &self->auth;

  if (auth->task != NULL || auth->kind == HN_REGISTER_LOGOUT)
    {
      if (!g_error_matches (error, HN_ERROR, HN_ERROR_CONNECTION_LOST)
          || ++auth->failures >= LOGIN_ATTEMPTS)
        {
          refused (self, error);
          return;
        }
      hn_control_client_queue_pump (self);
      return;
    }
  if (!hn_control_map_is_up (self))
    hn_control_client_take_error (self, g_error_copy (error));
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
        logged_out (self, NULL);
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

/* ---- the public face ---- */

static gboolean
on_cancelled (GCancellable *cancellable, gpointer data)
{
  HnControlClient *self = data;
  g_autoptr (GError) error
      = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "The request was cancelled");

  /* A logout that was asked for is carried through; nobody waits for it any more. */
  if (self->auth.kind == HN_REGISTER_LOGOUT)
    finish_task (self, error);
  else
    hn_control_auth_cancel (self, error);
  hn_control_client_queue_pump (self);
  return G_SOURCE_REMOVE;
}

/* Makes room for a new intent of the user. */
static void
replace (HnControlClient *self, GTask *task, GCancellable *cancellable)
{
  HnControlAuth *auth = &self->auth;
  g_autoptr (GError) error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                                                  "Another login or logout was asked for");

  hn_control_auth_cancel (self, error);
  auth->task = task;
  if (cancellable != NULL)
    {
      auth->task_source = g_cancellable_source_new (cancellable);
      g_source_set_callback (auth->task_source, G_SOURCE_FUNC (on_cancelled), self, NULL);
      g_source_attach (auth->task_source, self->context);
    }
  /* Whoever asks does not want to wait for a back-off that runs. */
  hn_control_client_clear_source (&self->connect_retry);
}

void
hn_control_client_login_async (HnControlClient *self, HnSecretText *auth_key,
                               gboolean accept_server_key, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer user_data)
{
  HnControlAuth *auth = &self->auth;
  GTask *task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, hn_control_client_login_async);
  replace (self, task, cancellable);
  self->accept_server_key = accept_server_key;
  if (hn_node_private_is_zero (&self->node_key))
    {
      hn_node_private_generate (&auth->key);
      auth->regenerated = TRUE;
    }
  else
    auth->key = self->node_key;
  if (auth_key != NULL)
    auth->auth_key = hn_secret_text_ref (auth_key);
  begin (self, auth_key != NULL ? HN_REGISTER_AUTH_KEY : HN_REGISTER_INTERACTIVE);
  if (!self->network)
    {
      g_autoptr (GError) error
          = g_error_new_literal (HN_ERROR, HN_ERROR_UNREACHABLE, "There is no network");

      hn_control_auth_unreachable (self, error);
    }
}

gboolean
hn_control_client_login_finish (HnControlClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

static gboolean
on_logout_unreachable (gpointer data)
{
  HnControlClient *self = data;
  g_autoptr (GError) error = g_error_new_literal (
      HN_ERROR, HN_ERROR_UNREACHABLE, "There is no network: the server still knows this computer");

  g_clear_pointer (&self->auth.retry, g_source_unref);
  logged_out (self, error);
  return G_SOURCE_REMOVE;
}

void
hn_control_client_logout_async (HnControlClient *self, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data)
{
  HnControlAuth *auth = &self->auth;
  GTask *task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, hn_control_client_logout_async);
  replace (self, task, cancellable);
  if (hn_node_private_is_zero (&self->node_key))
    {
      finish_task (self, NULL);
      return;
    }
  /* The map of a node that is logged out goes on, and says that it expired: nothing for us. */
  self->map.mapped = FALSE;
  hn_control_map_stop (self);
  hn_control_update_stop (self);
  auth->key = self->node_key;
  begin (self, HN_REGISTER_LOGOUT);
  if (!self->network)
    hn_control_client_set_timer (self, &auth->retry, 0, on_logout_unreachable);
}

gboolean
hn_control_client_logout_finish (HnControlClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

void
hn_control_client_check_registration (HnControlClient *self)
{
  gint64 now = hn_clock_now_us ();

  if (!self->started || self->needs_login || hn_node_private_is_zero (&self->node_key)
      || (self->map.last_check_us != 0 && now - self->map.last_check_us < CHECK_MIN_INTERVAL_US))
    return;
  hn_control_auth_begin_stored (self, FALSE);
}
