/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The question to the bus (who is it?) and to polkit (may they?). */
#include "bus/hn-authority.h"

#include "base/hn-error.h"
#include <polkit/polkit.h>
#include <unistd.h>

struct _HnAuthority
{
  GObject parent_instance;

  GDBusConnection *connection; /* owned */
  PolkitAuthority *polkit;     /* owned; NULL until first asked for */
};

G_DEFINE_FINAL_TYPE (HnAuthority, hn_authority, G_TYPE_OBJECT)

/* Task data of a check. */
typedef struct
{
  char *sender;
  HnRight right;
  gboolean interactive;
} Check;

static void
check_free (Check *check)
{
  g_free (check->sender);
  g_free (check);
}

static void
hn_authority_dispose (GObject *object)
{
  HnAuthority *self = HN_AUTHORITY (object);

  g_clear_object (&self->polkit);
  g_clear_object (&self->connection);
  G_OBJECT_CLASS (hn_authority_parent_class)->dispose (object);
}

static void
hn_authority_class_init (HnAuthorityClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = hn_authority_dispose;
}

static void
hn_authority_init (HnAuthority *self)
{
}

HnAuthority *
hn_authority_new (GDBusConnection *connection)
{
  HnAuthority *self = g_object_new (HN_TYPE_AUTHORITY, NULL);

  self->connection = g_object_ref (connection);
  return self;
}

static const char *
describe (HnRight right)
{
  switch (right)
    {
    case HN_RIGHT_CONNECT:
      return "connect, disconnect or test a tailnet";
    case HN_RIGHT_PREFERENCES:
      return "change these preferences";
    case HN_RIGHT_ENROL:
      return "change what this machine belongs to";
    case HN_RIGHT_OPEN:
      break;
    }
  return "do this";
}

static void
refuse (GTask *task, const char *why)
{
  const Check *check = g_task_get_task_data (task);

  g_task_return_new_error (task, HN_ERROR, HN_ERROR_NOT_AUTHORIZED,
                           "You have no right to %s (%s): %s", describe (check->right),
                           hn_permissions_get_action (check->right), why);
}

static void
on_polkit_checked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = G_TASK (user_data);
  g_autoptr (PolkitAuthorizationResult) answer = NULL;
  g_autoptr (GError) error = NULL;

  answer = polkit_authority_check_authorization_finish (POLKIT_AUTHORITY (source), result, &error);
  if (answer == NULL)
    {
      if (g_task_return_error_if_cancelled (task))
        return;
      g_dbus_error_strip_remote_error (error);
      g_info ("Cannot ask polkit: %s", error->message);
      refuse (task, "polkit gave no answer; ask an administrator");
      return;
    }

  if (polkit_authorization_result_get_is_authorized (answer))
    g_task_return_boolean (task, TRUE);
  else if (polkit_authorization_result_get_dismissed (answer))
    refuse (task, "the request for a password was dismissed");
  else if (polkit_authorization_result_get_is_challenge (answer))
    refuse (task, "it needs a password and there was nobody to ask for it");
  else
    refuse (task, "ask an administrator");
}

static void
ask_polkit (HnAuthority *self, GTask *task)
{
  const Check *check = g_task_get_task_data (task);
  g_autoptr (PolkitSubject) subject = polkit_system_bus_name_new (check->sender);

  polkit_authority_check_authorization (
      self->polkit, subject, hn_permissions_get_action (check->right), NULL,
      check->interactive ? POLKIT_CHECK_AUTHORIZATION_FLAGS_ALLOW_USER_INTERACTION
                         : POLKIT_CHECK_AUTHORIZATION_FLAGS_NONE,
      g_task_get_cancellable (task), on_polkit_checked, g_object_ref (task));
}

static void
on_polkit_got (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = G_TASK (user_data);
  HnAuthority *self = g_task_get_source_object (task);
  g_autoptr (PolkitAuthority) polkit = NULL;
  g_autoptr (GError) error = NULL;

  polkit = polkit_authority_get_finish (result, &error);
  if (polkit == NULL)
    {
      if (g_task_return_error_if_cancelled (task))
        return;
      g_info ("Cannot find polkit: %s", error->message);
      refuse (task, "polkit is not available; ask an administrator");
      return;
    }
  if (self->polkit == NULL)
    self->polkit = g_steal_pointer (&polkit);
  ask_polkit (self, task);
}

static void
on_user_known (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = G_TASK (user_data);
  HnAuthority *self = g_task_get_source_object (task);
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;
  guint32 uid;

  reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  if (reply == NULL)
    {
      if (!g_task_return_error_if_cancelled (task))
        refuse (task, "the bus does not know you any more");
      return;
    }

  g_variant_get (reply, "(u)", &uid);
  if (uid == 0 || uid == geteuid ())
    g_task_return_boolean (task, TRUE);
  else if (self->polkit != NULL)
    ask_polkit (self, task);
  else
    polkit_authority_get_async (g_task_get_cancellable (task), on_polkit_got, g_object_ref (task));
}

void
hn_authority_check_async (HnAuthority *self, const char *sender, HnRight right,
                          gboolean interactive, GCancellable *cancellable,
                          GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);
  Check *check = g_new0 (Check, 1);

  g_task_set_source_tag (task, hn_authority_check_async);
  check->sender = g_strdup (sender);
  check->right = right;
  check->interactive = interactive;
  g_task_set_task_data (task, check, (GDestroyNotify) check_free);

  if (right == HN_RIGHT_OPEN)
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  if (sender == NULL)
    {
      refuse (task, "the bus does not say who you are");
      return;
    }

  /* Asked for each call: a unique name is never given to somebody else, so the answer can not be
   * about another caller. */
  g_dbus_connection_call (
      self->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
      "GetConnectionUnixUser", g_variant_new ("(s)", sender), G_VARIANT_TYPE ("(u)"),
      G_DBUS_CALL_FLAGS_NONE, -1, cancellable, on_user_known, g_steal_pointer (&task));
}

gboolean
hn_authority_check_finish (HnAuthority *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}
