/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts of strangers on their way to people: logs, terminals, dialogs. */
#pragma once

#include <glib.h>

/**
 * hn_text_make_printable:
 * @data: (array length=len) (nullable): bytes that somebody else wrote
 * @len: how many
 *
 * One line of valid UTF-8 in which each character that is not to be seen (line breaks, the control
 * characters of ASCII and of Unicode, marks that turn the direction of writing) is a space, without
 * spaces around it.
 *
 * Returns: (transfer full): the text, at most three times as long as @len
 */
char *hn_text_make_printable (const void *data, gsize len);
