/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logins and logouts as their callers see them: begun, replaced by newer ones, cancelled, and
 * completed once there is an answer.
 */
#include "control/hn-control-client-private.h"

#include "base/hn-error.h"
#include "base/hn-source.h"

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

void
hn_control_auth_finish_task (HnControlClient *self, const GError *error)
{
  HnControlAuth *auth = &self->auth;

  hn_source_clear (&auth->task_source);
  if (auth->task != NULL)
    complete (self, g_steal_pointer (&auth->task), error);
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
    hn_control_auth_finish_task (self, error);
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
  hn_source_clear (&self->connect_retry);
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
  hn_control_auth_begin (self, auth_key != NULL ? HN_REGISTER_AUTH_KEY : HN_REGISTER_INTERACTIVE);
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
  hn_control_auth_logged_out (self, error);
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
      hn_control_auth_finish_task (self, NULL);
      return;
    }
  /* The map of a node that is logged out goes on, and says that it expired: nothing for us. */
  self->map.mapped = FALSE;
  hn_control_map_stop (self);
  hn_control_update_stop (self);
  auth->key = self->node_key;
  hn_control_auth_begin (self, HN_REGISTER_LOGOUT);
  if (!self->network)
    hn_control_client_set_timer (self, &auth->retry, 0, on_logout_unreachable);
}

gboolean
hn_control_client_logout_finish (HnControlClient *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}
