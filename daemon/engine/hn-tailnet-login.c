/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/hn-tailnet-private.h"

#include <glib/gi18n.h>

#include "base/hn-error.h"

static void
on_login_done (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  HnTailnet *self = g_task_get_source_object (task);
  g_autoptr (GError) error = NULL;
  gboolean ok = hn_control_client_login_finish (HN_CONTROL_CLIENT (source), result, &error);

  /* the client goes when nothing more is wanted of it, what it said stays to be seen */
  if (!ok && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_clear_error (&self->login_error);
      self->login_error = g_error_copy (error);
    }
  hn_tailnet_set_busy (self, FALSE);
  hn_tailnet_publish (self);
  if (ok)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, g_steal_pointer (&error));
}

void
hn_tailnet_login_async (HnTailnet *self, HnSecretText *auth_key, gboolean accept_server_key,
                        GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  GTask *task = g_task_new (self, cancellable, callback, data);
  g_autoptr (GError) error = NULL;
  HnDeriveInput input;

  g_task_set_source_tag (task, hn_tailnet_login_async);
  if (!hn_tailnet_ensure_control (self, &error))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      g_object_unref (task);
      return;
    }
  hn_tailnet_get_input (self, &input);
  if (auth_key == NULL && !accept_server_key && input.enrolled && input.reachable
      && input.phase == HN_CONTROL_MAPPED)
    {
      g_task_return_boolean (task, TRUE);
      g_object_unref (task);
      return;
    }
  g_clear_error (&self->login_error);
  /* before a pre-auth key is used up for a key that the next start would not find */
  if (!hn_profile_store_check_room (self->services.store, self->profile, &error))
    {
      g_prefix_error (&error, _ ("A new key of this computer could not be saved: "));
      g_task_return_error (task, g_steal_pointer (&error));
      g_object_unref (task);
      return;
    }
  hn_tailnet_set_busy (self, TRUE);
  hn_control_client_login_async (self->control, auth_key, accept_server_key, cancellable,
                                 on_login_done, task);
}

gboolean
hn_tailnet_login_finish (HnTailnet *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

HnSecretText *
hn_tailnet_dup_login_url (HnTailnet *self, GError **error)
{
  HnSecretText *url
      = self->control != NULL ? hn_control_client_dup_login_url (self->control) : NULL;

  if (url == NULL)
    g_set_error (error, HN_ERROR, HN_ERROR_NOT_FOUND,
                 _ ("No sign-in waits for approval: call Login first"));
  return url;
}

static void
on_logout_done (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  HnTailnet *self = g_task_get_source_object (task);
  g_autoptr (GError) error = NULL;
  gboolean ok = hn_control_client_logout_finish (HN_CONTROL_CLIENT (source), result, &error);

  /* the wish went with the key; disconnecting also ends what the client still does */
  hn_tailnet_disconnect (self);
  hn_tailnet_set_busy (self, FALSE);
  if (ok)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, g_steal_pointer (&error));
}

void
hn_tailnet_logout_async (HnTailnet *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer data)
{
  GTask *task = g_task_new (self, cancellable, callback, data);
  g_autoptr (GError) error = NULL;

  g_task_set_source_tag (task, hn_tailnet_logout_async);
  if (hn_node_private_is_zero (&self->profile->node_key))
    {
      hn_tailnet_disconnect (self);
      g_task_return_boolean (task, TRUE);
      g_object_unref (task);
      return;
    }
  if (!hn_tailnet_ensure_control (self, &error))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      g_object_unref (task);
      return;
    }
  hn_tailnet_set_busy (self, TRUE);
  hn_tailnet_device_down (self);
  self->wanted = FALSE;
  hn_control_client_logout_async (self->control, cancellable, on_logout_done, task);
}

gboolean
hn_tailnet_logout_finish (HnTailnet *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
