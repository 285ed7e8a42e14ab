/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A certificate database that knows nobody. A TLS connection that has it asks its owner about every
 * certificate, and does not look at the chain itself.
 */
#pragma once

#include <gio/gio.h>

/* Returns: (transfer full): the database; every chain is of an unknown authority to it */
GTlsDatabase *hn_tls_distrust_new (void);
