/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health items: what is wrong and what a person can do. Plain values; the bus shows them as the
 * dictionaries of the Health property.
 */
#pragma once

#include <glib.h>

typedef enum
{
  HN_SEVERITY_INFO,
  HN_SEVERITY_WARNING,
  HN_SEVERITY_ERROR,
} HnSeverity;

typedef struct
{
  char *id; /* stable, such as "control-unreachable" */
  HnSeverity severity;
  char *title;
  char *text;
  char *action; /* "login", "approve", "renew", "trust", "url:..." or "" */
  gint64 since; /* seconds since 1970 */
} HnHealthItem;

HnHealthItem *hn_health_item_new (const char *id, HnSeverity severity, const char *title,
                                  const char *text, const char *action);
HnHealthItem *hn_health_item_copy (const HnHealthItem *item);
void hn_health_item_free (HnHealthItem *item);
/* Compares all but since. */
gboolean hn_health_item_equal (const HnHealthItem *a, const HnHealthItem *b);
const char *hn_severity_to_string (HnSeverity severity);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnHealthItem, hn_health_item_free)
