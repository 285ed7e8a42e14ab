/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name on the bus and the idle timer. */
#include "bus/hn-bus-service.h"

#include "base/hn-source.h"
#include "bus/hn-manager-adaptor.h"

struct _HnBusService
{
  GObject parent_instance;

  GDBusConnection *connection; /* owned */
  HnEngine *engine;            /* owned */
  HnGate *gate;                /* owned */
  HnManagerAdaptor *manager;   /* owned */
  guint owner_id;              /* of the name; 0 while we do not want it */

  guint idle_seconds;     /* 0: never idle */
  gint64 quiet_since_us;  /* when the engine was last seen active, or the start */
  GSource *idle_timer;    /* owned; NULL while something goes on */
  GSource *leave_source;  /* owned; set between giving the name back and "idle" */
  guint64 calls_at_leave; /* calls when the name was given back */
};

G_DEFINE_FINAL_TYPE (HnBusService, hn_bus_service, G_TYPE_OBJECT)

enum
{
  SIGNAL_READY,
  SIGNAL_FAILED,
  SIGNAL_IDLE,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

static void
disown_name (HnBusService *self)
{
  if (self->owner_id != 0)
    g_bus_unown_name (self->owner_id);
  self->owner_id = 0;
}

static void
hn_bus_service_dispose (GObject *object)
{
  HnBusService *self = HN_BUS_SERVICE (object);

  disown_name (self);
  hn_source_clear (&self->idle_timer);
  hn_source_clear (&self->leave_source);
  if (self->engine != NULL)
    g_signal_handlers_disconnect_by_data (self->engine, self);
  if (self->gate != NULL)
    g_signal_handlers_disconnect_by_data (self->gate, self);
  if (self->manager != NULL)
    hn_manager_adaptor_unexport (self->manager);
  g_clear_object (&self->manager);
  g_clear_object (&self->gate);
  g_clear_object (&self->engine);
  g_clear_object (&self->connection);
  G_OBJECT_CLASS (hn_bus_service_parent_class)->dispose (object);
}

static void
hn_bus_service_class_init (HnBusServiceClass *klass)
{
  static const char *const names[N_SIGNALS] = { "ready", "failed", "idle" };

  G_OBJECT_CLASS (klass)->dispose = hn_bus_service_dispose;
  for (int i = 0; i < N_SIGNALS; i++)
    signals[i] = g_signal_new (names[i], G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                               NULL, NULL, G_TYPE_NONE, 0);
}

static void
hn_bus_service_init (HnBusService *self)
{
  self->quiet_since_us = g_get_monotonic_time ();
}

static void
on_name_acquired (GDBusConnection *connection, const char *name, gpointer user_data)
{
  g_signal_emit (user_data, signals[SIGNAL_READY], 0);
}

static void
on_name_lost (GDBusConnection *connection, const char *name, gpointer user_data)
{
  HnBusService *self = HN_BUS_SERVICE (user_data);

  if (g_dbus_connection_is_closed (self->connection))
    g_message ("The system bus ended, and so does headnetd; its service manager starts it again");
  else
    g_message ("The system bus does not give the name %s: another headnetd has it, or the bus "
               "lacks its policy file",
               name);
  g_signal_emit (user_data, signals[SIGNAL_FAILED], 0);
}

static void
own_name (HnBusService *self)
{
  self->owner_id = g_bus_own_name_on_connection (self->connection, HN_BUS_NAME,
                                                 G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE,
                                                 on_name_acquired, on_name_lost, self, NULL);
}

static gboolean
is_quiet (HnBusService *self)
{
  return hn_gate_get_pending (self->gate) == 0 && !hn_engine_is_active (self->engine);
}

static void arm_idle_timer (HnBusService *self);

static gboolean
on_leave (gpointer user_data)
{
  HnBusService *self = HN_BUS_SERVICE (user_data);

  hn_source_clear (&self->leave_source);
  if (is_quiet (self) && hn_gate_get_calls (self->gate) == self->calls_at_leave)
    {
      g_signal_emit (self, signals[SIGNAL_IDLE], 0);
      return G_SOURCE_REMOVE;
    }
  own_name (self);
  arm_idle_timer (self);
  return G_SOURCE_REMOVE;
}

static gboolean
on_idle_timer (gpointer user_data)
{
  HnBusService *self = HN_BUS_SERVICE (user_data);

  hn_source_clear (&self->idle_timer);
  if (!is_quiet (self))
    return G_SOURCE_REMOVE;

  /* Returns when the bus has confirmed it; calls that it delivered before are in the main loop's
   * queue by then, ahead of our source. */
  self->calls_at_leave = hn_gate_get_calls (self->gate);
  disown_name (self);
  self->leave_source = g_idle_source_new ();
  g_source_set_priority (self->leave_source, G_PRIORITY_LOW);
  g_source_set_callback (self->leave_source, on_leave, self, NULL);
  g_source_attach (self->leave_source, NULL);
  return G_SOURCE_REMOVE;
}

static void
arm_idle_timer (HnBusService *self)
{
  gint64 now = g_get_monotonic_time ();
  gint64 since = MAX (self->quiet_since_us, hn_gate_get_last_activity_us (self->gate));
  gint64 left_ms = (since - now) / 1000 + (gint64) self->idle_seconds * 1000;

  hn_source_clear (&self->idle_timer);
  if (self->idle_seconds == 0 || self->leave_source != NULL || !is_quiet (self))
    return;
  self->idle_timer = g_timeout_source_new ((guint) CLAMP (left_ms, 0, G_MAXINT));
  g_source_set_callback (self->idle_timer, on_idle_timer, self, NULL);
  g_source_attach (self->idle_timer, NULL);
}

static void
on_activity (HnBusService *self)
{
  arm_idle_timer (self);
}

static void
on_engine_activity (HnBusService *self)
{
  self->quiet_since_us = g_get_monotonic_time ();
  arm_idle_timer (self);
}

HnBusService *
hn_bus_service_new (GDBusConnection *connection, HnEngine *engine)
{
  HnBusService *self = g_object_new (HN_TYPE_BUS_SERVICE, NULL);
  g_autoptr (HnAuthority) authority = hn_authority_new (connection);

  self->connection = g_object_ref (connection);
  self->engine = g_object_ref (engine);
  self->gate = hn_gate_new (authority);
  self->manager = hn_manager_adaptor_new (engine, self->gate);
  g_signal_connect_swapped (self->gate, "activity", G_CALLBACK (on_activity), self);
  g_signal_connect_swapped (engine, "activity-changed", G_CALLBACK (on_engine_activity), self);
  return self;
}

gboolean
hn_bus_service_start (HnBusService *self, GError **error)
{
  if (!hn_manager_adaptor_export (self->manager, self->connection, error))
    {
      g_prefix_error (error, "Cannot put the service on the bus: ");
      return FALSE;
    }
  own_name (self);
  return TRUE;
}

void
hn_bus_service_set_idle_timeout (HnBusService *self, guint seconds)
{
  self->idle_seconds = seconds;
  arm_idle_timer (self);
}

gint64
hn_bus_service_get_last_call_us (HnBusService *self)
{
  return hn_gate_get_last_activity_us (self->gate);
}
