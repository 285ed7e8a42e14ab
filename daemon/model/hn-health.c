/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/hn-health.h"

/**
 * hn_health_item_new:
 * @id: stable id, such as "control-unreachable"
 * @severity: how bad it is
 * @title: a few words
 * @text: one or two sentences for a person
 * @action: (nullable): "login", "approve", "renew", "trust" or "url:..."; NULL is none
 *
 * Returns: (transfer full): an item whose since is 0, to be set by whoever shows it
 */
HnHealthItem *
hn_health_item_new (const char *id, HnSeverity severity, const char *title, const char *text,
                    const char *action)
{
  HnHealthItem *item = g_new0 (HnHealthItem, 1);

  item->id = g_strdup (id);
  item->severity = severity;
  item->title = g_strdup (title != NULL ? title : "");
  item->text = g_strdup (text != NULL ? text : "");
  item->action = g_strdup (action != NULL ? action : "");
  return item;
}

HnHealthItem *
hn_health_item_copy (const HnHealthItem *item)
{
  HnHealthItem *copy
      = hn_health_item_new (item->id, item->severity, item->title, item->text, item->action);

  copy->since = item->since;
  return copy;
}

void
hn_health_item_free (HnHealthItem *item)
{
  if (item == NULL)
    return;
  g_free (item->id);
  g_free (item->title);
  g_free (item->text);
  g_free (item->action);
  g_free (item);
}

gboolean
hn_health_item_equal (const HnHealthItem *a, const HnHealthItem *b)
{
  return a->severity == b->severity && g_str_equal (a->id, b->id)
         && g_str_equal (a->title, b->title) && g_str_equal (a->text, b->text)
         && g_str_equal (a->action, b->action);
}

/**
 * hn_severity_to_string:
 * @severity: a severity
 *
 * Returns: the word that the bus shows
 */
const char *
hn_severity_to_string (HnSeverity severity)
{
  switch (severity)
    {
    case HN_SEVERITY_INFO:
      return "info";
    case HN_SEVERITY_WARNING:
      return "warning";
    case HN_SEVERITY_ERROR:
      return "error";
    }
  g_return_val_if_reached ("error");
}
