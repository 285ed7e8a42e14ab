/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The question to the bus (who is it?) and to polkit (may they?). */
#include "bus/hn-authority.h"

#include "base/hn-error.h"
#include <polkit/polkit.h>
#include <unistd.h>

/* The system bus lets a connection wait for 128 answers at a time, whoever made it ask. So a crowd
 * of calls waits here for its turn: at most so many questions to the bus about who calls, and to
 * polkit about one user, who may leave them open for as long as a password takes to type. */
#define MAX_LOOKUPS 32
#define MAX_QUESTIONS 8

/* Tasks that wait for their turn. */
typedef struct
{
  guint running;
  GQueue waiting; /* of GTask, owned */
} Line;

struct _HnAuthority
{
  GObject parent_instance;

  GDBusConnection *connection; /* owned */
  PolkitAuthority *polkit;     /* owned; NULL until first asked for */
  Line lookups;
  GHashTable *questions; /* owned: uid -> Line, owned, of those about whom polkit is being asked */
};

G_DEFINE_FINAL_TYPE (HnAuthority, hn_authority, G_TYPE_OBJECT)

/* Task data of a check. */
typedef struct
{
  char *sender;
  guint32 uid; /* once it is known */
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

  /* A task holds a reference to us, so nobody waits. */
  g_clear_pointer (&self->questions, g_hash_table_unref);
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
  self->questions = g_hash_table_new_full (NULL, NULL, NULL, g_free);
}

HnAuthority *
hn_authority_new (GDBusConnection *connection)
{
  HnAuthority *self = g_object_new (HN_TYPE_AUTHORITY, NULL);

  self->connection = g_object_ref (connection);
  return self;
}

/* Has @start begin with @task (transfer full) now or in its turn. */
static void
line_join (Line *line, guint max, GTask *task, void (*start) (GTask *task))
{
  if (line->running >= max)
    {
      g_queue_push_tail (&line->waiting, task);
      return;
    }
  line->running++;
  start (task);
}

/* One of those that were running is done. */
static void
line_leave (Line *line, void (*start) (GTask *task))
{
  GTask *next = g_queue_pop_head (&line->waiting);

  if (next != NULL)
    start (next);
  else
    line->running--;
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
answer_check (GTask *task, PolkitAuthorizationResult *answer)
{
  if (polkit_authorization_result_get_is_authorized (answer))
    g_task_return_boolean (task, TRUE);
  else if (polkit_authorization_result_get_dismissed (answer))
    refuse (task, "the request for a password was dismissed");
  else if (polkit_authorization_result_get_is_challenge (answer))
    refuse (task, "it needs a password and there was nobody to ask for it");
  else
    refuse (task, "ask an administrator");
}

static void ask_polkit (GTask *task);

static void
on_polkit_checked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = G_TASK (user_data);
  HnAuthority *self = g_task_get_source_object (task);
  const Check *check = g_task_get_task_data (task);
  Line *line = g_hash_table_lookup (self->questions, GUINT_TO_POINTER (check->uid));
  g_autoptr (PolkitAuthorizationResult) answer = NULL;
  g_autoptr (GError) error = NULL;

  line_leave (line, ask_polkit);
  if (line->running == 0)
    g_hash_table_remove (self->questions, GUINT_TO_POINTER (check->uid));

  answer = polkit_authority_check_authorization_finish (POLKIT_AUTHORITY (source), result, &error);
  if (answer != NULL)
    {
      answer_check (task, answer);
      return;
    }
  if (g_task_return_error_if_cancelled (task))
    return;
  g_dbus_error_strip_remote_error (error);
  g_info ("Cannot ask polkit: %s", error->message);
  refuse (task, "polkit gave no answer; ask an administrator");
}

/* (transfer full) */
static void
ask_polkit (GTask *task)
{
  HnAuthority *self = g_task_get_source_object (task);
  const Check *check = g_task_get_task_data (task);
  g_autoptr (PolkitSubject) subject = polkit_system_bus_name_new (check->sender);

  polkit_authority_check_authorization (
      self->polkit, subject, hn_permissions_get_action (check->right), NULL,
      check->interactive ? POLKIT_CHECK_AUTHORIZATION_FLAGS_ALLOW_USER_INTERACTION
                         : POLKIT_CHECK_AUTHORIZATION_FLAGS_NONE,
      g_task_get_cancellable (task), on_polkit_checked, task);
}

/* (transfer full) */
static void
queue_for_polkit (GTask *task)
{
  HnAuthority *self = g_task_get_source_object (task);
  const Check *check = g_task_get_task_data (task);
  Line *line = g_hash_table_lookup (self->questions, GUINT_TO_POINTER (check->uid));

  if (line == NULL)
    {
      line = g_new0 (Line, 1);
      g_hash_table_insert (self->questions, GUINT_TO_POINTER (check->uid), line);
    }
  line_join (line, MAX_QUESTIONS, task, ask_polkit);
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
  queue_for_polkit (g_steal_pointer (&task));
}

static void look_up_user (GTask *task);

static void
on_user_known (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = G_TASK (user_data);
  HnAuthority *self = g_task_get_source_object (task);
  Check *check = g_task_get_task_data (task);
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;

  line_leave (&self->lookups, look_up_user);
  reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  if (reply == NULL)
    {
      if (!g_task_return_error_if_cancelled (task))
        refuse (task, "the bus does not know you any more");
      return;
    }

  g_variant_get (reply, "(u)", &check->uid);
  if (check->uid == 0 || check->uid == geteuid ())
    g_task_return_boolean (task, TRUE);
  else if (self->polkit != NULL)
    queue_for_polkit (g_steal_pointer (&task));
  else
    polkit_authority_get_async (g_task_get_cancellable (task), on_polkit_got, g_object_ref (task));
}

/* Asked for each call: a unique name is never given to somebody else, so the answer can not be about
 * another caller. (transfer full) */
static void
look_up_user (GTask *task)
{
  HnAuthority *self = g_task_get_source_object (task);
  const Check *check = g_task_get_task_data (task);

  g_dbus_connection_call (
      self->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
      "GetConnectionUnixUser", g_variant_new ("(s)", check->sender), G_VARIANT_TYPE ("(u)"),
      G_DBUS_CALL_FLAGS_NONE, -1, g_task_get_cancellable (task), on_user_known, task);
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

  line_join (&self->lookups, MAX_LOOKUPS, g_steal_pointer (&task), look_up_user);
}

gboolean
hn_authority_check_finish (HnAuthority *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}
