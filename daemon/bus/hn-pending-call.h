/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A method call that waits for the engine. */
#pragma once

#include <gio/gio.h>

typedef struct
{
  gpointer adaptor;                  /* owned; the GObject that has the handler */
  GDBusMethodInvocation *invocation; /* the reference that the answer consumes */
  char *subject;                     /* nullable; what it is about: an object path, a peer's id */
} HnPendingCall;

/* Takes the reference to @invocation that its answer will consume, and references @adaptor. */
HnPendingCall *hn_pending_call_new (gpointer adaptor, GDBusMethodInvocation *invocation,
                                    const char *subject);
void hn_pending_call_free (HnPendingCall *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnPendingCall, hn_pending_call_free)
