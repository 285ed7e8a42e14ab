/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bus/hn-pending-call.h"

HnPendingCall *
hn_pending_call_new (gpointer adaptor, GDBusMethodInvocation *invocation, const char *subject)
{
  HnPendingCall *self = g_new0 (HnPendingCall, 1);

  self->adaptor = g_object_ref (adaptor);
  self->invocation = invocation;
  self->subject = g_strdup (subject);
  return self;
}

void
hn_pending_call_free (HnPendingCall *self)
{
  g_object_unref (self->adaptor);
  g_free (self->subject);
  g_free (self);
}
