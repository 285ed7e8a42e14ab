/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of a profile as bytes: settings and key texts. No I/O. */
#pragma once

#include "crypto/hn-keys.h"
#include "model/hn-preferences.h"

/*
 * hn_profile_codec_parse_settings:
 * @data: (array length=len): the whole file, which nobody checked
 *
 * Returns: (transfer full) (nullable): NULL with an error of GKeyFile, or of HN_ERROR when there is
 *   no server in it or it was cut short
 */
HnPreferences *hn_profile_codec_parse_settings (const char *data, gsize len, GError **error);

/* What the above reads back: (transfer full), with a terminating zero behind @len bytes. */
char *hn_profile_codec_format_settings (const HnPreferences *preferences, gsize *len);

/* The text in a key file, without the space behind it; FALSE when that can be no key's. @text holds
 * a secret then: wipe it. */
gboolean hn_profile_codec_parse_key_text (const guint8 *data, gsize len,
                                          char text[HN_KEY_TEXT_MAX]);
