/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's errors as they appear on the bus: org.headnet.Headnet1.Error.NAME with the message
 * kept. The one place that knows which code becomes which name.
 */
#pragma once

#include <gio/gio.h>

#define HN_BUS_ERROR_PREFIX "org.headnet.Headnet1.Error."

/*
 * hn_bus_errors_get_name:
 * @error: (nullable): an error of any domain
 *
 * Returns: (transfer none): the full D-Bus error name; that of Failed for what has none of its own
 */
const char *hn_bus_errors_get_name (const GError *error);

/*
 * hn_bus_return_error:
 * @invocation: (transfer full): a call that was not answered yet
 * @error: (nullable): what went wrong, of any domain
 *
 * Answers with the error. Its message is made valid UTF-8 without control characters, for parts of
 * it may come from a server.
 */
void hn_bus_return_error (GDBusMethodInvocation *invocation, const GError *error);
