/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dictionaries from callers, strictly: known keys of the right type, none twice, all sizes bounded.
 * A key that does not exist is HN_ERROR_INVALID_ARGUMENT; one that has no effect in this version is
 * HN_ERROR_NOT_SUPPORTED unless its value says how things are anyway. Nothing is changed on error.
 */
#pragma once

#include <gio/gio.h>

#include "base/hn-secret.h"
#include "model/hn-ping-kind.h"
#include "model/hn-preferences.h"

/* Settings of AddTailnet over the defaults: (transfer full). */
HnPreferences *hn_arguments_parse_settings (GVariant *settings, GError **error);

/* The new preferences, made from @present and the keys of SetPreferences: (transfer full). */
HnPreferences *hn_arguments_parse_preferences (GVariant *changes, const HnPreferences *present,
                                               GError **error);

/* Options of Connect. */
gboolean hn_arguments_parse_connect (GVariant *options, gboolean *network_manager, GError **error);

/*
 * hn_arguments_parse_login:
 * @options: options of Login; the key in it is overwritten with zeros, whatever happens
 * @auth_key: (out) (transfer full) (nullable): NULL without one
 * @accept_server_key: (out): whether the server may have a new key
 */
gboolean hn_arguments_parse_login (GVariant *options, HnSecretText **auth_key,
                                   gboolean *accept_server_key, GError **error);

/* Options of Ping; @timeout_ms: 0 for the default. */
gboolean hn_arguments_parse_ping (GVariant *options, HnPingKind *kind, guint *timeout_ms,
                                  GError **error);

/* Arguments of CheckServer: @ca_certificate is PEM or NULL; both (transfer full). */
gboolean hn_arguments_parse_check_server (const char *url, GVariant *options, char **normalized_url,
                                          char **ca_certificate, GError **error);

/* A peer as callers name it: not empty, of bounded length, without control characters. */
gboolean hn_arguments_check_target (const char *target, GError **error);
