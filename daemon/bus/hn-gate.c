/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounds, checks and dispatches method calls. */
#include "bus/hn-gate.h"

#include "base/hn-error.h"
#include "bus/hn-bus-errors.h"

/* Above this, arguments are packed while they wait; below is whatever holds a key. */
#define LONG_ARGUMENTS 4096

struct _HnGate
{
  GObject parent_instance;

  HnAuthority *authority;    /* owned */
  GCancellable *cancellable; /* owned; ends the checks with us */
  GHashTable *senders;       /* owned: unique name -> Sender, owned, while it has pending calls */
  guint pending;
  guint64 calls;
  gint64 last_activity_us;
};

G_DEFINE_FINAL_TYPE (HnGate, hn_gate, G_TYPE_OBJECT)

static guint activity_signal;

static GQuark guarded_quark; /* type data: a Guarded */
static GQuark gate_quark;    /* skeleton data: its HnGate */

/* What a guarded class has; there for as long as the program runs, as classes are. */
typedef struct
{
  GDBusInterfaceVTable *(*get_generated_vtable) (GDBusInterfaceSkeleton *skeleton);
  GDBusInterfaceVTable vtable;           /* the generated one with our method_call */
  GDBusInterfaceMethodCallFunc dispatch; /* the generated one; NULL until first used */
} Guarded;

/* Who has calls under way. */
typedef struct
{
  guint pending;
  gsize bytes; /* of their arguments */
} Sender;

/* One call; lives as data of its invocation, so it ends when that was answered or dropped. */
typedef struct
{
  HnGate *gate; /* owned */
  char *sender;
  gsize bytes;
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

  gate_quark = g_quark_from_static_string ("hn-gate");
  object_class->dispose = hn_gate_dispose;
  object_class->finalize = hn_gate_finalize;
  activity_signal = g_signal_new ("activity", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 0);
}

static void
hn_gate_init (HnGate *self)
{
  self->cancellable = g_cancellable_new ();
  self->senders = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

HnGate *
hn_gate_new (HnAuthority *authority)
{
  HnGate *self = g_object_new (HN_TYPE_GATE, NULL);

  self->authority = g_object_ref (authority);
  return self;
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
  Sender *sender = g_hash_table_lookup (self->senders, call->sender);

  sender->bytes -= call->bytes;
  if (--sender->pending == 0)
    g_hash_table_remove (self->senders, call->sender);
  self->pending--;
  note_activity (self);
  g_object_unref (self);
  g_free (call->sender);
  g_free (call);
}

static void
call_began (HnGate *self, GDBusMethodInvocation *invocation, const char *name, gsize bytes)
{
  Sender *sender = g_hash_table_lookup (self->senders, name);
  Call *call = g_new0 (Call, 1);

  if (sender == NULL)
    {
      sender = g_new0 (Sender, 1);
      g_hash_table_insert (self->senders, g_strdup (name), sender);
    }
  sender->pending++;
  sender->bytes += bytes;
  call->gate = g_object_ref (self);
  call->sender = g_strdup (name);
  call->bytes = bytes;
  self->pending++;
  g_object_set_data_full (G_OBJECT (invocation), "hn-gate-call", call, call_ended);
}

/* Nothing of a caller's may wait here without bounds: for polkit, that is for as long as somebody
 * likes who was asked for a password, or for a server. */
static gboolean
check_room (HnGate *self, const char *name, GVariant *parameters, gsize *bytes, GError **error)
{
  const Sender *sender = g_hash_table_lookup (self->senders, name);

  *bytes = g_variant_get_size (parameters);
  if (*bytes > HN_GATE_MAX_ARGUMENTS)
    {
      g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                   "Arguments of %" G_GSIZE_FORMAT " bytes are too long, at most %d are taken",
                   *bytes, HN_GATE_MAX_ARGUMENTS);
      return FALSE;
    }
  if (sender != NULL
      && (sender->pending >= HN_GATE_MAX_PENDING
          || sender->bytes + *bytes > 2 * HN_GATE_MAX_ARGUMENTS))
    {
      g_set_error (error, HN_ERROR, HN_ERROR_BUSY,
                   "You have too many calls under way already; wait for their answers");
      return FALSE;
    }
  /* A list of many small values takes many times more memory as GDBus made it. (Not where it
   * matters that arguments can be wiped: this copies them, and a key is short.) */
  if (*bytes > LONG_ARGUMENTS)
    g_variant_get_data (parameters);
  return TRUE;
}

/* Hands a call to the generated dispatcher, which takes the reference. */
static void
dispatch (GDBusInterfaceSkeleton *skeleton, GDBusMethodInvocation *invocation)
{
  const Guarded *guarded = g_type_get_qdata (G_OBJECT_TYPE (skeleton), guarded_quark);

  guarded->dispatch (g_dbus_method_invocation_get_connection (invocation),
                     g_dbus_method_invocation_get_sender (invocation),
                     g_dbus_method_invocation_get_object_path (invocation),
                     g_dbus_method_invocation_get_interface_name (invocation),
                     g_dbus_method_invocation_get_method_name (invocation),
                     g_dbus_method_invocation_get_parameters (invocation), invocation, skeleton);
}

static void
on_checked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Check *check = user_data;
  GDBusMethodInvocation *invocation = check->invocation;
  g_autoptr (GDBusInterfaceSkeleton) skeleton = check->skeleton;
  g_autoptr (GError) error = NULL;

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
  dispatch (skeleton, invocation);
}

static void
start_check (HnGate *self, GDBusInterfaceSkeleton *skeleton, GDBusMethodInvocation *invocation,
             HnRight right)
{
  GDBusMessageFlags flags
      = g_dbus_message_get_flags (g_dbus_method_invocation_get_message (invocation));
  Check *check = g_new0 (Check, 1);

  check->skeleton = g_object_ref (skeleton);
  check->invocation = invocation;
  hn_authority_check_async (self->authority, g_dbus_method_invocation_get_sender (invocation),
                            right,
                            (flags & G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION) != 0,
                            self->cancellable, on_checked, check);
}

static void
guarded_method_call (GDBusConnection *connection, const char *sender, const char *object_path,
                     const char *interface_name, const char *method_name, GVariant *parameters,
                     GDBusMethodInvocation *invocation, gpointer user_data)
{
  GDBusInterfaceSkeleton *skeleton = G_DBUS_INTERFACE_SKELETON (user_data);
  HnGate *self = g_object_get_qdata (G_OBJECT (skeleton), gate_quark);
  g_autoptr (GError) error = NULL;
  HnRight right;
  gsize bytes;

  if (self == NULL || sender == NULL)
    {
      g_set_error_literal (&error, HN_ERROR, HN_ERROR_NOT_AUTHORIZED,
                           "The bus does not say who you are");
      hn_bus_return_error (invocation, error);
      return;
    }
  self->calls++;
  note_activity (self);
  if (!check_room (self, sender, parameters, &bytes, &error))
    {
      hn_bus_return_error (invocation, error);
      return;
    }

  call_began (self, invocation, sender, bytes);
  if (!hn_permissions_get_right (interface_name, method_name, parameters, &right, &error))
    hn_bus_return_error (invocation, error);
  else if (right == HN_RIGHT_OPEN)
    dispatch (skeleton, invocation);
  else
    start_check (self, skeleton, invocation, right);
}

static GDBusInterfaceVTable *
get_guarded_vtable (GDBusInterfaceSkeleton *skeleton)
{
  Guarded *guarded = g_type_get_qdata (G_OBJECT_TYPE (skeleton), guarded_quark);

  if (guarded->dispatch == NULL)
    {
      guarded->vtable = *guarded->get_generated_vtable (skeleton);
      guarded->dispatch = guarded->vtable.method_call;
      guarded->vtable.method_call = guarded_method_call;
    }
  return &guarded->vtable;
}

void
hn_gate_guard_class (GDBusInterfaceSkeletonClass *klass)
{
  Guarded *guarded = g_new0 (Guarded, 1);

  guarded_quark = g_quark_from_static_string ("hn-gate-guarded");
  guarded->get_generated_vtable = klass->get_vtable;
  klass->get_vtable = get_guarded_vtable;
  g_type_set_qdata (G_TYPE_FROM_CLASS (klass), guarded_quark, guarded);
}

void
hn_gate_guard (HnGate *self, GDBusInterfaceSkeleton *skeleton)
{
  g_object_set_qdata_full (G_OBJECT (skeleton), gate_quark, g_object_ref (self), g_object_unref);
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
