/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/hn-status.h"

#include <string.h>

const char *
hn_tailnet_state_to_string (HnTailnetState state)
{
  switch (state)
    {
    case HN_TAILNET_STOPPED:
      return "stopped";
    case HN_TAILNET_NEEDS_LOGIN:
      return "needs-login";
    case HN_TAILNET_NEEDS_APPROVAL:
      return "needs-approval";
    case HN_TAILNET_STARTING:
      return "starting";
    case HN_TAILNET_RUNNING:
      return "running";
    }
  g_return_val_if_reached ("stopped");
}

HnStatus *
hn_status_new (void)
{
  HnStatus *self = g_new0 (HnStatus, 1);

  self->state_reason = g_strdup ("");
  self->domain = g_strdup ("");
  self->node_name = g_strdup ("");
  self->user_login = g_strdup ("");
  self->user_display = g_strdup ("");
  self->addresses = g_new0 (char *, 1);
  self->interface = g_strdup ("");
  self->relay_code = g_strdup ("");
  self->relay_name = g_strdup ("");
  self->health = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_health_item_free);
  return self;
}

void
hn_status_free (HnStatus *self)
{
  if (self == NULL)
    return;
  g_free (self->state_reason);
  g_free (self->domain);
  g_free (self->node_name);
  g_free (self->user_login);
  g_free (self->user_display);
  g_strfreev (self->addresses);
  g_free (self->interface);
  g_free (self->relay_code);
  g_free (self->relay_name);
  g_ptr_array_unref (self->health);
  g_free (self);
}

static gboolean
health_equal (GPtrArray *a, GPtrArray *b)
{
  if (a->len != b->len)
    return FALSE;
  for (guint i = 0; i < a->len; i++)
    {
      const HnHealthItem *first = g_ptr_array_index (a, i);
      const HnHealthItem *second = g_ptr_array_index (b, i);

      if (!hn_health_item_equal (first, second) || first->since != second->since)
        return FALSE;
    }
  return TRUE;
}

gboolean
hn_status_equal (const HnStatus *a, const HnStatus *b)
{
  return a->state == b->state && strcmp (a->state_reason, b->state_reason) == 0
         && a->login_pending == b->login_pending && strcmp (a->domain, b->domain) == 0
         && strcmp (a->node_name, b->node_name) == 0 && a->user_id == b->user_id
         && strcmp (a->user_login, b->user_login) == 0
         && strcmp (a->user_display, b->user_display) == 0
         && g_strv_equal ((const char *const *) a->addresses, (const char *const *) b->addresses)
         && strcmp (a->interface, b->interface) == 0 && a->relay_id == b->relay_id
         && strcmp (a->relay_code, b->relay_code) == 0 && strcmp (a->relay_name, b->relay_name) == 0
         && a->relay_latency_us == b->relay_latency_us && a->key_expiry == b->key_expiry
         && a->peer_count == b->peer_count && health_equal (a->health, b->health);
}

void
hn_ping_result_free (HnPingResult *result)
{
  if (result == NULL)
    return;
  g_free (result->endpoint);
  g_free (result->relay_code);
  g_free (result);
}

void
hn_netcheck_result_free (HnNetcheckResult *result)
{
  if (result == NULL)
    return;
  for (gsize i = 0; i < result->n_relays; i++)
    {
      g_free (result->relays[i].code);
      g_free (result->relays[i].name);
    }
  g_free (result->relays);
  g_free (result->ipv4);
  g_free (result->ipv6);
  g_free (result);
}
