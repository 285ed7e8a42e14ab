/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the filter asks of a program; internal to it. */
#pragma once

#include "dataplane/hn-filter-table.h"
#include "dataplane/hn-filter.h"

gboolean hn_filter_program_is_shields_up (const HnFilterProgram *self);
/* What may come in to @destination; made now if it was not prepared. */
HnFilterTable *hn_filter_program_dup_table (const HnFilterProgram *self, const HnIp *destination);
