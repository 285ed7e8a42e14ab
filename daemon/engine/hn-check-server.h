/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tries each step of reaching a coordination server and names the one that fails. Uses a throw-away
 * key; nothing is registered.
 */
#pragma once

#include "engine/hn-engine.h"

/* Completes with a GPtrArray of HnCheckStep. */
void hn_check_server_async (const char *url, const char *ca_certificate, guint32 mark,
                            GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data);
/* Returns: (transfer full) */
GPtrArray *hn_check_server_finish (GAsyncResult *result, GError **error);
