/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hashes for tables whose keys strangers choose. */
#pragma once

#include <glib.h>

/**
 * hn_hash_bytes:
 * @data: the key
 * @len: its length
 *
 * Another hash in each run of the program, so that nobody outside can choose keys that all fall into
 * one place of a table, which then takes a look at each for each.
 *
 * Returns: the hash
 */
guint hn_hash_bytes (gconstpointer data, gsize len);

/* The same for texts, as GHashFunc. */
guint hn_hash_text (gconstpointer text);
