/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One class a skeleton, each with the gate's dispatcher. */
#include "bus/hn-guarded-skeletons.h"

typedef struct
{
  HnDbusManagerSkeleton parent_instance;
} HnGuardedManager;

typedef struct
{
  HnDbusManagerSkeletonClass parent_class;
} HnGuardedManagerClass;

typedef struct
{
  HnDbusTailnetSkeleton parent_instance;
} HnGuardedTailnet;

typedef struct
{
  HnDbusTailnetSkeletonClass parent_class;
} HnGuardedTailnetClass;

GType hn_guarded_manager_get_type (void);
GType hn_guarded_tailnet_get_type (void);

G_DEFINE_TYPE (HnGuardedManager, hn_guarded_manager, HN_DBUS_TYPE_MANAGER_SKELETON)
G_DEFINE_TYPE (HnGuardedTailnet, hn_guarded_tailnet, HN_DBUS_TYPE_TAILNET_SKELETON)

static void
hn_guarded_manager_class_init (HnGuardedManagerClass *klass)
{
  hn_gate_guard_class (G_DBUS_INTERFACE_SKELETON_CLASS (klass));
}

static void
hn_guarded_manager_init (HnGuardedManager *self)
{
}

static void
hn_guarded_tailnet_class_init (HnGuardedTailnetClass *klass)
{
  hn_gate_guard_class (G_DBUS_INTERFACE_SKELETON_CLASS (klass));
}

static void
hn_guarded_tailnet_init (HnGuardedTailnet *self)
{
}

HnDbusManager *
hn_guarded_manager_new (HnGate *gate)
{
  HnDbusManager *self = g_object_new (hn_guarded_manager_get_type (), NULL);

  hn_gate_guard (gate, G_DBUS_INTERFACE_SKELETON (self));
  return self;
}

HnDbusTailnet *
hn_guarded_tailnet_new (HnGate *gate)
{
  HnDbusTailnet *self = g_object_new (hn_guarded_tailnet_get_type (), NULL);

  hn_gate_guard (gate, G_DBUS_INTERFACE_SKELETON (self));
  return self;
}
