/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared copies of texts that repeat in a large tailnet (operating systems, tags, capabilities):
 * equal texts are one string, counted, and gone with its last user. Nodes are dropped by more than
 * one thread, hence the lock; GLib's own interned strings can be revived while another thread frees
 * them.
 */
#pragma once

#include <glib.h>

/* The shared copy of @text (compared by content); to be released as often as acquired. */
const char *hn_string_pool_acquire (const char *text);
/* Gives up one use of a string that hn_string_pool_acquire() returned. */
void hn_string_pool_release (const char *text);
/* How many different strings are alive; for tests. */
guint hn_string_pool_get_size (void);
