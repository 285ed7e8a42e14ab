/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls to the service, waited for or not, with errors of the library.
 */
#pragma once

#include <gio/gio.h>

#define HEADNET_BUS_NAME "org.headnet.Headnet1"
#define HEADNET_MANAGER_PATH "/org/headnet/Headnet1"
#define HEADNET_MANAGER_INTERFACE "org.headnet.Headnet1.Manager"
#define HEADNET_TAILNET_INTERFACE "org.headnet.Headnet1.Tailnet"
/* For calls that may ask a person for a password first, in milliseconds. */
#define HEADNET_CALL_TIMEOUT_MS 300000

typedef struct
{
  GDBusConnection *connection;
  const char *path;
  const char *interface;
  const char *method;
  const char *reply_type;
  gboolean start; /* whether it may start the service: not for looking */
} HeadnetCall;

/* @parameters: floating or NULL. The reply's tuple. (transfer full) */
GVariant *headnet_call_sync (const HeadnetCall *call, GVariant *parameters,
                             GCancellable *cancellable, GError **error);
/* The same into a task of @source with the tag; ends with headnet_call_finish(). */
void headnet_call_async (const HeadnetCall *call, GVariant *parameters, gpointer source,
                         gpointer tag, GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer user_data);
GVariant *headnet_call_finish (gpointer source, gpointer tag, GAsyncResult *result, GError **error);
/* The dictionary, or an empty one for NULL. (transfer floating) */
GVariant *headnet_call_options (GVariant *options);
