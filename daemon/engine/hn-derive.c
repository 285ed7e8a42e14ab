/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/hn-derive.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/hn-error.h"

#define KEY_EXPIRY_WARNING (7 * 24 * 3600) /* a week before, as people need to plan a renewal */

const char *
hn_derive_suffix (const char *name)
{
  const char *dot = strchr (name, '.');

  return dot != NULL ? dot + 1 : "";
}

static gint64
server_now (const HnDeriveInput *in)
{
  return in->wall + (in->netmap != NULL ? hn_netmap_get_clock_offset (in->netmap) : 0);
}

static HnNode *
self_node (const HnDeriveInput *in)
{
  return in->netmap != NULL ? hn_netmap_get_self (in->netmap) : NULL;
}

static gboolean
self_expired (const HnDeriveInput *in)
{
  HnNode *node = self_node (in);

  return node != NULL && hn_node_is_expired (node, server_now (in));
}

static void
add_health (HnStatus *status, const char *id, HnSeverity severity, const char *title,
            const char *text, const char *action)
{
  g_ptr_array_add (status->health, hn_health_item_new (id, severity, title, text, action));
}

/* The state's reason, together with the health item of the same id that explains it. */
static void
set_reason (HnStatus *status, const char *id, HnSeverity severity, const char *title,
            const char *text, const char *action)
{
  g_free (status->state_reason);
  status->state_reason = g_strdup (id);
  add_health (status, id, severity, title, text, action);
}

/* A map that was followed before a new sign-in still says that the old key expired: only the map
 * that is followed now counts. */
static gboolean
needs_login (const HnDeriveInput *in)
{
  return !in->enrolled || in->phase == HN_CONTROL_NEEDS_LOGIN
         || (in->phase == HN_CONTROL_MAPPED && self_expired (in));
}

static void
explain_needs_login (HnStatus *status, const HnDeriveInput *in)
{
  const GError *error = in->control_error;

  if (in->login_pending)
    set_reason (status, "login-pending", HN_SEVERITY_INFO, _ ("Waiting for approval"),
                _ ("Open the sign-in page, or ask your administrator to approve this computer."),
                "login");
  else if (g_error_matches (error, HN_ERROR, HN_ERROR_NODE_KEY_EXPIRED) || self_expired (in))
    set_reason (status, "key-expired", HN_SEVERITY_ERROR, _ ("The key of this computer expired"),
                _ ("Sign in again to renew it."), "login");
  else if (g_error_matches (error, HN_ERROR, HN_ERROR_NODE_UNKNOWN))
    set_reason (status, "node-deleted", HN_SEVERITY_ERROR,
                _ ("The server does not know this computer any more"),
                _ ("It was removed from the tailnet. Sign in to add it again."), "login");
  else if (error != NULL && in->phase == HN_CONTROL_NEEDS_LOGIN)
    set_reason (status, hn_error_get_reason (error), HN_SEVERITY_ERROR, _ ("Signing in failed"),
                error->message,
                g_error_matches (error, HN_ERROR, HN_ERROR_SERVER_KEY) ? "trust" : "login");
  else
    set_reason (status, "not-enrolled", HN_SEVERITY_INFO,
                _ ("This computer is not part of the tailnet yet"),
                _ ("Sign in, or use a pre-auth key."), "login");
}

/* What kind of thing is wrong; the error's own sentence says what it is. */
static const char *
get_server_title (const GError *error)
{
  if (error->domain != HN_ERROR)
    return _ ("The server can not be reached");

  switch ((HnError) error->code)
    {
    case HN_ERROR_TIMEOUT:
      return _ ("The server does not answer");
    case HN_ERROR_TLS_UNKNOWN_CA:
    case HN_ERROR_TLS_WRONG_NAME:
    case HN_ERROR_TLS_EXPIRED:
    case HN_ERROR_TLS:
      return _ ("No secure connection to the server");
    case HN_ERROR_PROTOCOL:
    case HN_ERROR_NOT_A_SERVER:
    case HN_ERROR_UPGRADE_REFUSED:
    case HN_ERROR_VERSION_REFUSED:
      return _ ("The server does not answer as it should");
    case HN_ERROR_SERVER_KEY:
      return _ ("The server has another key");
    case HN_ERROR_SERVER_REFUSED:
    case HN_ERROR_AUTH_KEY_REFUSED:
    case HN_ERROR_NODE_KEY_EXPIRED:
    case HN_ERROR_NODE_UNKNOWN:
      return _ ("The server answers with an error");
    case HN_ERROR_RATE_LIMITED:
      return _ ("The server asks to wait");
    default:
      return _ ("The server can not be reached");
    }
}

static void
explain_unreachable (HnStatus *status, const HnDeriveInput *in, gboolean starting)
{
  const GError *error = in->control_error;
  const char *action = g_error_matches (error, HN_ERROR, HN_ERROR_SERVER_KEY) ? "trust" : "";

  if (!in->network_available)
    set_reason (status, "no-network", HN_SEVERITY_WARNING, _ ("No network"),
                _ ("There is no way to the server from here. Connecting goes on by itself as soon "
                   "as there is."),
                "");
  else if (error != NULL && starting)
    set_reason (status, hn_error_get_reason (error), HN_SEVERITY_ERROR, get_server_title (error),
                error->message, action);
  else if (error != NULL)
    set_reason (status, "control-unreachable", HN_SEVERITY_WARNING, get_server_title (error),
                error->message, action);
}

static void
explain_network (HnStatus *status, const HnDeriveInput *in)
{
  if (in->report == NULL || !in->network_available)
    return;
  if (in->report->captive_portal)
    add_health (
        status, "captive-portal", HN_SEVERITY_WARNING,
        _ ("This network wants you to sign in to it"),
        _ ("Something between here and the relays answers in their place, as sign-in pages of "
           "hotels and trains do. Open any page in a browser to get to it."),
        "");
  else if (in->report->asked && !in->report->udp && !in->has_direct_path)
    add_health (status, "udp-blocked", HN_SEVERITY_INFO, _ ("Only relays can be used here"),
                _ ("This network lets no UDP through, so peers are reached over a relay, which is "
                   "slower."),
                "");
}

static const char *
relay_title (const HnStatus *status)
{
  return status->relay_name[0] != '\0' ? status->relay_name : status->relay_code;
}

static void
explain_path (HnStatus *status, const HnDeriveInput *in)
{
  g_autofree char *text = NULL;
  gboolean lost = in->home_state == HN_RELAY_LOST || in->home_state == HN_RELAY_REFUSED;

  if (in->home_health != NULL && in->home_health[0] != '\0')
    add_health (status, "relay-health", HN_SEVERITY_WARNING, _ ("The relay reports a problem"),
                in->home_health, "");
  explain_network (status, in);
  if (!in->network_available || !in->home_tried || !lost)
    return;
  if (in->has_direct_path)
    {
      text = g_strdup_printf (
          _ ("The relay “%s” can not be reached. Peers with a direct path are not "
             "affected; others can not be reached until it is back."),
          relay_title (status));
      add_health (status, "relay-unreachable", HN_SEVERITY_WARNING,
                  _ ("The relay can not be reached"), text, "");
      return;
    }
  text = g_strdup_printf (_ ("The relay “%s” can not be reached, so peers can not be either. It is "
                             "tried again by itself."),
                          relay_title (status));
  if (status->state_reason[0] == '\0')
    set_reason (status, "no-path", HN_SEVERITY_WARNING, _ ("No way to the peers"), text, "");
  else
    add_health (status, "no-path", HN_SEVERITY_WARNING, _ ("No way to the peers"), text, "");
}

static void
describe_self (HnStatus *status, const HnDeriveInput *in)
{
  HnNode *node = self_node (in);
  const HnNodeFields *fields;
  const HnUser *user;
  g_autoptr (GPtrArray) addresses = NULL;

  if (node == NULL)
    return;
  fields = hn_node_get (node);
  g_free (status->node_name);
  status->node_name = g_strdup (fields->name);
  g_free (status->domain);
  status->domain = g_strdup (hn_derive_suffix (fields->name));
  status->key_expiry = fields->key_expiry;
  status->user_id = fields->user_id;
  user = hn_netmap_get_user (in->netmap, fields->user_id);
  if (user != NULL)
    {
      g_free (status->user_login);
      status->user_login = g_strdup (user->login_name);
      g_free (status->user_display);
      status->user_display = g_strdup (user->display_name);
    }
  addresses = g_ptr_array_new ();
  for (gsize i = 0; i < fields->n_addresses; i++)
    {
      char text[HN_IP_TEXT_MAX];

      g_ptr_array_add (addresses, g_strdup (hn_ip_format (&fields->addresses[i].ip, text)));
    }
  g_ptr_array_add (addresses, NULL);
  g_strfreev (status->addresses);
  status->addresses = (char **) g_ptr_array_free (g_steal_pointer (&addresses), FALSE);
}

static void
describe_relay (HnStatus *status, const HnDeriveInput *in)
{
  HnDerpMap *map = in->netmap != NULL ? hn_netmap_get_derp_map (in->netmap) : NULL;
  const HnDerpRegion *region = map != NULL ? hn_derp_map_get_region (map, in->home_relay) : NULL;

  if (region == NULL)
    return;
  status->relay_id = region->id;
  g_free (status->relay_code);
  status->relay_code = g_strdup (region->code);
  g_free (status->relay_name);
  status->relay_name = g_strdup (region->name);
  status->relay_latency_us = in->home_latency_us;
}

static void
describe_map_health (HnStatus *status, const HnDeriveInput *in)
{
  GPtrArray *items = hn_netmap_get_health (in->netmap);
  HnNode *node = self_node (in);
  gint64 expiry = node != NULL ? hn_node_get (node)->key_expiry : 0;

  for (guint i = 0; items != NULL && i < items->len; i++)
    {
      HnHealthItem *item = hn_health_item_copy (g_ptr_array_index (items, i));

      item->since = 0;
      g_ptr_array_add (status->health, item);
    }
  if (hn_netmap_get_tka_enabled (in->netmap))
    add_health (status, "tailnet-lock", HN_SEVERITY_WARNING, _ ("Tailnet lock is not checked"),
                _ ("This tailnet signs its nodes' keys. Headnet does not verify the signatures: "
                   "the server is trusted to name the right peers."),
                "");
  if (hn_netmap_get_filter (in->netmap) == NULL)
    add_health (status, "no-filter", HN_SEVERITY_WARNING, _ ("No access rules came"),
                _ ("The server has not sent any access rules, so nothing comes in but answers."),
                "");
  if (in->refused_by_rules + in->refused_else > 0)
    {
      g_autofree char *text = g_strdup_printf (
          _ ("Refused since this computer connected: %u by the access rules, %u for other reasons. "
             "This is the tailnet's policy at work; it matters only to somebody who misses "
             "something."),
          (guint) MIN (in->refused_by_rules, G_MAXUINT), (guint) MIN (in->refused_else, G_MAXUINT));

      add_health (status, "packets-refused", HN_SEVERITY_INFO, _ ("Packets of peers were refused"),
                  text, "");
    }
  if (in->filter_skipped > 0)
    add_health (
        status, "filter-too-large", HN_SEVERITY_WARNING, _ ("Not all access rules are in force"),
        _ ("The tailnet's policy has more rules for this computer than can be kept. What the "
           "rest would allow stays closed."),
        "");
  if (expiry > 0 && !self_expired (in) && expiry - server_now (in) < KEY_EXPIRY_WARNING)
    add_health (status, "key-expires-soon", HN_SEVERITY_WARNING,
                _ ("The key of this computer expires soon"),
                _ ("Sign in again before it does, to stay connected."), "renew");
}

static HnTailnetState
derive_state (const HnDeriveInput *in)
{
  HnNode *node = self_node (in);

  if (needs_login (in))
    return HN_TAILNET_NEEDS_LOGIN;
  if (!in->wanted)
    return HN_TAILNET_STOPPED;
  if (node == NULL || self_expired (in))
    return HN_TAILNET_STARTING;
  if (!hn_node_get (node)->machine_authorized)
    return HN_TAILNET_NEEDS_APPROVAL;
  if (in->interface == NULL || in->device_error != NULL)
    return HN_TAILNET_STARTING;
  /* a tailnet without relays still gets there; one with a relay waits for the first answer */
  if (in->home_relay != 0 && !in->home_tried)
    return HN_TAILNET_STARTING;
  return HN_TAILNET_RUNNING;
}

HnStatus *
hn_derive_status (const HnDeriveInput *in)
{
  HnStatus *status = hn_status_new ();

  status->state = derive_state (in);
  status->login_pending = in->login_pending;
  if (in->interface != NULL)
    {
      g_free (status->interface);
      status->interface = g_strdup (in->interface);
    }
  describe_self (status, in);
  if (in->interface != NULL)
    describe_relay (status, in);
  if (in->netmap != NULL)
    status->peer_count = hn_netmap_get_n_peers (in->netmap);

  switch (status->state)
    {
    case HN_TAILNET_STOPPED:
      break;
    case HN_TAILNET_NEEDS_LOGIN:
      explain_needs_login (status, in);
      break;
    case HN_TAILNET_NEEDS_APPROVAL:
      set_reason (status, "not-approved", HN_SEVERITY_WARNING, _ ("Waiting for approval"),
                  _ ("An administrator of the tailnet has to approve this computer."), "approve");
      break;
    case HN_TAILNET_STARTING:
      if (in->device_error != NULL)
        set_reason (status, "device-failed", HN_SEVERITY_ERROR,
                    _ ("The network device can not be set up"), in->device_error->message, "");
      else if (in->netmap == NULL)
        explain_unreachable (status, in, TRUE);
      break;
    case HN_TAILNET_RUNNING:
      if (!in->reachable)
        explain_unreachable (status, in, FALSE);
      explain_path (status, in);
      break;
    }
  if (in->wanted && in->netmap != NULL)
    describe_map_health (status, in);
  if (in->save_error != NULL)
    add_health (status, "key-not-saved", HN_SEVERITY_ERROR,
                _ ("The key of this computer could not be saved"), in->save_error->message, "");
  if (in->wanted && in->server_key_changed)
    add_health (status, "server-key-changed", HN_SEVERITY_INFO, _ ("The server has a new key"),
                _ ("Its certificate is valid, so the new key was accepted. This happens when a "
                   "server is set up anew."),
                "");
  return status;
}

gboolean
hn_derive_device_wanted (const HnDeriveInput *in)
{
  HnNode *node = self_node (in);

  return in->wanted && !needs_login (in) && node != NULL && !self_expired (in)
         && hn_node_get (node)->machine_authorized && hn_node_get (node)->n_addresses > 0;
}

GArray *
hn_derive_addresses (HnNetmap *netmap)
{
  GArray *addresses = g_array_new (FALSE, FALSE, sizeof (HnPrefix));
  HnNode *node = hn_netmap_get_self (netmap);

  if (node != NULL)
    hn_derive_peer_routes (node, addresses);
  return addresses;
}

void
hn_derive_peer_routes (const HnNode *node, GArray *routes)
{
  const HnNodeFields *fields = hn_node_get (node);

  for (gsize i = 0; i < fields->n_addresses; i++)
    if (hn_prefix_is_single (&fields->addresses[i]))
      g_array_append_val (routes, fields->addresses[i]);
}

typedef struct
{
  GArray *routes;
  gint64 now;
  gint64 earliest;
} Collect;

static void
collect_routes (gpointer data, gpointer user_data)
{
  Collect *collect = user_data;
  const HnNode *node = data;

  if (!hn_node_is_expired (node, collect->now))
    hn_derive_peer_routes (node, collect->routes);
}

gboolean
hn_derive_routes_shared (guint n_peers, gboolean shared)
{
  return n_peers > (shared ? HN_FEW_PEER_ROUTES : HN_MAX_PEER_ROUTES);
}

GArray *
hn_derive_routes (HnNetmap *netmap, gboolean shared, gint64 now)
{
  Collect collect = { g_array_new (FALSE, FALSE, sizeof (HnPrefix)), now, 0 };

  if (shared)
    {
      /* tailcfg's ranges; the server's own prefixes always lie inside them */
      HnPrefix range;

      if (hn_prefix_parse ("100.64.0.0/10", FALSE, &range))
        g_array_append_val (collect.routes, range);
      if (hn_prefix_parse ("fd7a:115c:a1e0::/48", FALSE, &range))
        g_array_append_val (collect.routes, range);
      return collect.routes;
    }
  hn_netmap_foreach_peer (netmap, collect_routes, &collect);
  return collect.routes;
}

static gboolean
region_is_usable (const HnDerpRegion *region)
{
  if (region->no_measure_no_home)
    return FALSE;
  for (gsize i = 0; i < region->n_nodes; i++)
    if (!region->nodes[i].stun_only)
      return TRUE;
  return FALSE;
}

static gboolean
may_be_home (const HnDerpMap *map, int id, GHashTable *failed)
{
  const HnDerpRegion *region = id != 0 ? hn_derp_map_get_region (map, id) : NULL;

  return region != NULL && region_is_usable (region)
         && !g_hash_table_contains (failed, GINT_TO_POINTER (id));
}

int
hn_derive_home_relay (const HnDerpMap *map, int current, int preferred, GHashTable *failed)
{
  int fallback = 0;

  if (map == NULL)
    return 0;
  if (may_be_home (map, preferred, failed))
    return preferred;
  if (may_be_home (map, current, failed))
    return current;
  for (gsize i = 0; i < map->n_regions; i++)
    {
      if (!region_is_usable (&map->regions[i]))
        continue;
      if (!g_hash_table_contains (failed, GINT_TO_POINTER (map->regions[i].id)))
        return map->regions[i].id;
      if (fallback == 0)
        fallback = map->regions[i].id;
    }
  return fallback;
}

static void
collect_expiry (gpointer data, gpointer user_data)
{
  Collect *collect = user_data;
  gint64 expiry = hn_node_get (data)->key_expiry;

  if (expiry > collect->now && (collect->earliest == 0 || expiry < collect->earliest))
    collect->earliest = expiry;
}

gint64
hn_derive_next_expiry (HnNetmap *netmap, gint64 wall)
{
  gint64 offset = hn_netmap_get_clock_offset (netmap);
  Collect collect = { NULL, wall + offset, 0 };
  HnNode *node = hn_netmap_get_self (netmap);

  hn_netmap_foreach_peer (netmap, collect_expiry, &collect);
  if (node != NULL)
    collect_expiry (node, &collect);
  return collect.earliest == 0 ? 0 : collect.earliest - offset;
}
