/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounds, checks and dispatches method calls. */
#include "bus/hn-gate.h"

#include "base/hn-error.h"
#include "bus/hn-bus-errors.h"

struct _HnGate
{
  GObject parent_instance;

  HnAuthority *authority;    /* owned */
  GCancellable *cancellable; /* owned; ends the checks with us */
  GHashTable *senders;       /* owned: unique name -> number of pending calls */
  guint pending;
  guint64 calls;
  gint64 last_activity_us;
};

G_DEFINE_FINAL_TYPE (HnGate, hn_gate, G_TYPE_OBJECT)

static guint activity_signal;

/* One call; lives as data of its invocation, so it ends when that was answered or dropped. */
typedef struct
{
  HnGate *gate; /* owned */
  char *sender;
} Call;

/* A call whose right is being checked. */
typedef struct
{
  GDBusInterfaceSkeleton *skeleton;  /* owned */
  GDBusMethodInvocation *invocation; /* the reference that the answer consumes */
} Check;

static void
hn_gate_dispose (GObject *object)
{
  HnGate *self = HN_GATE (object);

  if (self->cancellable != NULL)
    g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->authority);
  G_OBJECT_CLASS (hn_gate_parent_class)->dispose (object);
}

static void
hn_gate_finalize (GObject *object)
{
  HnGate *self = HN_GATE (object);

  g_hash_table_unref (self->senders);
  G_OBJECT_CLASS (hn_gate_parent_class)->finalize (object);
}

static void
hn_gate_class_init (HnGateClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = hn_gate_dispose;
  object_class->finalize = hn_gate_finalize;
  activity_signal = g_signal_new ("activity", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 0);
}

static void
hn_gate_init (HnGate *self)
{
  self->cancellable = g_cancellable_new ();
  self->senders = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
}

HnGate *
hn_gate_new (HnAuthority *authority)
{
  HnGate *self = g_object_new (HN_TYPE_GATE, NULL);

  self->authority = g_object_ref (authority);
  return self;
}

static void
set_pending_of (HnGate *self, const char *sender, guint n)
{
  if (n == 0)
    g_hash_table_remove (self->senders, sender);
  else
    g_hash_table_insert (self->senders, g_strdup (sender), GUINT_TO_POINTER (n));
}

static guint
get_pending_of (HnGate *self, const char *sender)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (self->senders, sender));
}

static void
note_activity (HnGate *self)
{
  self->last_activity_us = g_get_monotonic_time ();
  g_signal_emit (self, activity_signal, 0);
}

static void
call_ended (gpointer data)
{
  Call *call = data;
  HnGate *self = call->gate;

  set_pending_of (self, call->sender, get_pending_of (self, call->sender) - 1);
  self->pending--;
  note_activity (self);
  g_object_unref (self);
  g_free (call->sender);
  g_free (call);
}

static void
call_began (HnGate *self, GDBusMethodInvocation *invocation, const char *sender)
{
  Call *call = g_new0 (Call, 1);

  call->gate = g_object_ref (self);
  call->sender = g_strdup (sender);
  set_pending_of (self, sender, get_pending_of (self, sender) + 1);
  self->pending++;
  self->calls++;
  g_object_set_data_full (G_OBJECT (invocation), "hn-gate-call", call, call_ended);
  note_activity (self);
}

static void
on_checked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Check *check = user_data;
  GDBusMethodInvocation *invocation = check->invocation;
  g_autoptr (GDBusInterfaceSkeleton) skeleton = check->skeleton;
  g_autoptr (GError) error = NULL;
  GDBusInterfaceVTable *vtable;

  g_free (check);
  if (!hn_authority_check_finish (HN_AUTHORITY (source), result, &error))
    {
      hn_bus_return_error (invocation, error);
      return;
    }
  /* While somebody typed a password the object may have gone. */
  if (g_dbus_interface_skeleton_get_object_path (skeleton) == NULL)
    {
      g_set_error_literal (&error, HN_ERROR, HN_ERROR_NOT_FOUND, "The tailnet has been removed");
      hn_bus_return_error (invocation, error);
      return;
    }

  vtable = g_dbus_interface_skeleton_get_vtable (skeleton);
  vtable->method_call (g_dbus_method_invocation_get_connection (invocation),
                       g_dbus_method_invocation_get_sender (invocation),
                       g_dbus_method_invocation_get_object_path (invocation),
                       g_dbus_method_invocation_get_interface_name (invocation),
                       g_dbus_method_invocation_get_method_name (invocation),
                       g_dbus_method_invocation_get_parameters (invocation), invocation, skeleton);
}

/* Returns TRUE when the call may go on at once; else the call is ours to answer. */
static gboolean
on_authorize_method (GDBusInterfaceSkeleton *skeleton, GDBusMethodInvocation *invocation,
                     gpointer user_data)
{
  HnGate *self = HN_GATE (user_data);
  const char *sender = g_dbus_method_invocation_get_sender (invocation);
  g_autoptr (GError) error = NULL;
  GDBusMessageFlags flags;
  HnRight right;
  Check *check;

  if (sender == NULL)
    sender = "";
  if (get_pending_of (self, sender) >= HN_GATE_MAX_PENDING)
    {
      self->calls++;
      note_activity (self);
      g_set_error (&error, HN_ERROR, HN_ERROR_BUSY,
                   "You have %d calls under way already; wait for their answers",
                   HN_GATE_MAX_PENDING);
      hn_bus_return_error (invocation, error);
      return FALSE;
    }

  call_began (self, invocation, sender);
  if (!hn_permissions_get_right (g_dbus_method_invocation_get_interface_name (invocation),
                                 g_dbus_method_invocation_get_method_name (invocation),
                                 g_dbus_method_invocation_get_parameters (invocation), &right,
                                 &error))
    {
      hn_bus_return_error (invocation, error);
      return FALSE;
    }
  if (right == HN_RIGHT_OPEN)
    return TRUE;

  check = g_new0 (Check, 1);
  check->skeleton = g_object_ref (skeleton);
  check->invocation = invocation;
  flags = g_dbus_message_get_flags (g_dbus_method_invocation_get_message (invocation));
  hn_authority_check_async (self->authority, g_dbus_method_invocation_get_sender (invocation),
                            right,
                            (flags & G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION) != 0,
                            self->cancellable, on_checked, check);
  return FALSE;
}

static void
unref_gate (gpointer data, GClosure *closure)
{
  g_object_unref (data);
}

void
hn_gate_guard (HnGate *self, GDBusInterfaceSkeleton *skeleton)
{
  /* With a reference: a skeleton may outlive everything else, but never its guard. */
  g_signal_connect_data (skeleton, "g-authorize-method", G_CALLBACK (on_authorize_method),
                         g_object_ref (self), unref_gate, 0);
}

guint
hn_gate_get_pending (HnGate *self)
{
  return self->pending;
}

guint64
hn_gate_get_calls (HnGate *self)
{
  return self->calls;
}

gint64
hn_gate_get_last_activity_us (HnGate *self)
{
  return self->last_activity_us;
}
