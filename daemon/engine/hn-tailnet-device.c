/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/hn-tailnet-private.h"

#include <glib/gi18n.h>

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "base/hn-source.h"
#include "crypto/hn-crypto.h"

#define DEFAULT_MTU 1280 /* fits any path with every header around it */
#define NAME_ATTEMPTS 8  /* another program may take a device name under our hands */
#define RETRY_UNIT_US 1000000
#define RETRY_CAP_US 60000000
#define RELAY_FAILURES_MAX 3 /* then another region becomes the home */
#define RELAY_FORGIVEN_S 300 /* and this long it is not chosen again */
#define MANY_CHANGES 256     /* beyond it one pass over all is cheaper */

static void on_retry_soon (HnTailnet *self);

void
hn_tailnet_device_init (HnTailnet *self)
{
  HnTailnetDevice *device = &self->device;

  device->backoff = (HnBackoff) HN_BACKOFF_INIT (RETRY_UNIT_US, RETRY_CAP_US);
  device->failed_relays = g_hash_table_new (NULL, NULL);
}

void
hn_tailnet_device_finalize (HnTailnet *self)
{
  hn_tailnet_device_down (self);
  g_hash_table_unref (self->device.failed_relays);
}

static guint
device_table (HnTailnet *self)
{
  return HN_ROUTE_TABLE_BASE + self->device.number;
}

guint
hn_tailnet_device_get_mtu (HnTailnet *self)
{
  guint mtu = self->profile->preferences->mtu;

  return mtu != 0 ? mtu : DEFAULT_MTU;
}

/* ---- relays ---- */

static gboolean
is_forgiven (gpointer region, gpointer failed_at, gpointer now)
{
  return GPOINTER_TO_INT (now) - GPOINTER_TO_INT (failed_at) >= RELAY_FORGIVEN_S;
}

void
hn_tailnet_choose_home (HnTailnet *self)
{
  HnTailnetDevice *device = &self->device;
  HnNetmap *netmap = hn_tailnet_get_netmap (self);
  HnDerpMap *map = netmap != NULL ? hn_netmap_get_derp_map (netmap) : NULL;
  int preferred = device->report != NULL ? device->report->preferred : 0;
  int home;

  g_hash_table_foreach_remove (device->failed_relays, is_forgiven,
                               GINT_TO_POINTER ((int) (hn_clock_now_us () / G_USEC_PER_SEC)));
  home = hn_derive_home_relay (map, device->home, preferred, device->failed_relays);

  if (home == device->home)
    return;
  device->home = home;
  device->home_tried = FALSE;
  device->home_state = HN_RELAY_CONNECTING;
  device->home_failures = 0;
  device->home_latency_us = 0;
  g_clear_pointer (&device->home_health, g_free);
  if (device->dataplane != NULL)
    hn_dataplane_set_home (device->dataplane, home);
  hn_tailnet_update_hostinfo (self);
}

/* Once for a problem that lasts, and not at each try. */
static void
tell_relay_problem (HnTailnet *self, int region, const char *text)
{
  if (g_strcmp0 (text, self->device.relay_told) == 0)
    return;
  g_info ("%s: relay %d: %s", self->profile->id, region, text);
  g_free (self->device.relay_told);
  self->device.relay_told = g_strdup (text);
}

static void
on_relay_changed (gpointer user, int region, HnRelayState state, const char *health,
                  const GError *error)
{
  HnTailnet *self = user;
  HnTailnetDevice *device = &self->device;

  if (state == HN_RELAY_REFUSED && self->control != NULL)
    hn_control_client_check_registration (self->control);
  if (state == HN_RELAY_CONNECTED)
    g_hash_table_remove (device->failed_relays, GINT_TO_POINTER (region));
  if (region != device->home)
    return;

  if (health != NULL)
    {
      g_free (device->home_health);
      device->home_health = g_strdup (health);
    }
  device->home_state = state;
  switch (state)
    {
    case HN_RELAY_CONNECTED:
      device->home_tried = TRUE;
      device->home_failures = 0;
      g_clear_pointer (&device->relay_told, g_free);
      break;
    case HN_RELAY_LOST:
    case HN_RELAY_REFUSED:
      device->home_tried = TRUE;
      tell_relay_problem (self, region, error != NULL ? error->message : "the connection ended");
      if (++device->home_failures >= RELAY_FAILURES_MAX)
        {
          g_hash_table_insert (device->failed_relays, GINT_TO_POINTER (region),
                               GINT_TO_POINTER ((int) (hn_clock_now_us () / G_USEC_PER_SEC)));
          hn_tailnet_choose_home (self);
        }
      break;
    case HN_RELAY_CONNECTING:
    case HN_RELAY_CLOSED:
      break;
    }
  hn_tailnet_queue_reconcile (self);
}

static void
on_path_changed (gpointer user, const HnNodePublic *peer, const HnPeerPath *path)
{
  HnTailnet *self = user;

  if (!hn_peer_list_set_path (self->peers, peer, path))
    return;
  hn_tailnet_queue_peers_changed (self);
  /* with the relay lost, a direct path decides whether there is any way at all, and with relays that
   * do not answer over UDP whether anything does */
  if (self->device.home_state != HN_RELAY_CONNECTED
      || (self->device.report != NULL && !self->device.report->udp))
    hn_tailnet_queue_reconcile (self);
}

static void
on_refused (gpointer user, const guint64 verdicts[HN_FILTER_N_VERDICTS])
{
  HnTailnet *self = user;
  HnTailnetDevice *device = &self->device;

  device->refused_by_rules
      = verdicts[HN_FILTER_NO_RULE] + verdicts[HN_FILTER_PROTOCOL] + verdicts[HN_FILTER_SHIELDS_UP];
  device->refused_else = 0;
  for (guint i = HN_FILTER_PASS + 1; i < HN_FILTER_N_VERDICTS; i++)
    device->refused_else += verdicts[i];
  device->refused_else -= device->refused_by_rules;
  hn_tailnet_queue_reconcile (self);
}

static void
on_endpoints_changed (gpointer user, const HnTypedEndpoint *endpoints, gsize n)
{
  hn_tailnet_take_endpoints (user, endpoints, n);
}

static void
on_network_checked (gpointer user, HnNetReport *report)
{
  hn_tailnet_take_report (user, report);
}

static void
on_port_lost (gpointer user, const GError *error)
{
  HnTailnet *self = user;
  g_autoptr (GError) reason = error != NULL ? g_error_copy (error) : NULL;

  g_message ("%s: the device is gone: %s", self->profile->id,
             reason != NULL ? reason->message : "deleted");
  hn_tailnet_device_down (self);
  if (reason == NULL)
    reason = g_error_new (HN_ERROR, HN_ERROR_FAILED, _ ("Something deleted the network device"));
  self->device.error = g_steal_pointer (&reason);
  on_retry_soon (self);
  hn_tailnet_queue_reconcile (self);
}

static const HnDataplaneEvents dataplane_events = {
  .relay_changed = on_relay_changed,
  .path_changed = on_path_changed,
  .port_lost = on_port_lost,
  .refused = on_refused,
  .endpoints_changed = on_endpoints_changed,
  .network_checked = on_network_checked,
};

/* ---- addresses and routes ---- */

static gboolean
apply_links (HnTailnet *self, HnNetmap *netmap, GError **error)
{
  g_autoptr (GArray) addresses = hn_derive_addresses (netmap);
  gboolean shared
      = hn_derive_routes_shared (hn_netmap_get_n_peers (netmap), self->device.routes_shared);
  g_autoptr (GArray) routes = hn_derive_routes (netmap, shared, hn_tailnet_server_now (self));
  HnLinkSettings settings = {
    .ifindex = hn_tun_get_ifindex (self->device.tun),
    .mtu = hn_tailnet_device_get_mtu (self),
    .table = device_table (self),
    .leave_addresses = self->network_manager,
    .addresses = (const HnPrefix *) (gpointer) addresses->data,
    .n_addresses = addresses->len,
    .routes = (const HnPrefix *) (gpointer) routes->data,
    .n_routes = routes->len,
  };

  self->device.routes_shared = shared;
  return hn_links_apply (self->services.links, &settings, error);
}

typedef struct
{
  GPtrArray *usable;
  gint64 now;
} Usable;

static void
collect_usable (gpointer data, gpointer user_data)
{
  Usable *collect = user_data;

  if (!hn_node_is_expired (data, collect->now))
    g_ptr_array_add (collect->usable, data);
}

static void
push_all_peers (HnTailnet *self, HnNetmap *netmap)
{
  g_autoptr (GPtrArray) usable = g_ptr_array_new ();
  g_autoptr (GPtrArray) none = g_ptr_array_new ();
  Usable collect = { usable, hn_tailnet_server_now (self) };

  hn_netmap_foreach_peer (netmap, collect_usable, &collect);
  hn_dataplane_update_peers (self->device.dataplane, usable, none, TRUE);
}

static void
push_addresses (HnTailnet *self, HnNetmap *netmap)
{
  g_autoptr (GArray) addresses = hn_derive_addresses (netmap);

  hn_dataplane_set_addresses (self->device.dataplane, (const HnPrefix *) (gpointer) addresses->data,
                              addresses->len);
}

void
hn_tailnet_device_refresh (HnTailnet *self)
{
  HnNetmap *netmap = hn_tailnet_get_netmap (self);
  g_autoptr (GError) error = NULL;

  if (self->device.dataplane == NULL || netmap == NULL || hn_netmap_get_self (netmap) == NULL)
    return;
  push_addresses (self, netmap);
  hn_tailnet_push_filter (self, netmap);
  push_all_peers (self, netmap);
  if (!apply_links (self, netmap, &error))
    {
      g_warning ("%s: %s", self->profile->id, error->message);
      g_clear_error (&self->device.error);
      self->device.error = g_steal_pointer (&error);
      on_retry_soon (self);
    }
  else
    {
      g_clear_error (&self->device.error);
    }
  hn_tailnet_queue_reconcile (self);
}

static void
remove_prefix (GArray *from, const HnPrefix *prefix)
{
  for (guint i = 0; i < from->len; i++)
    if (hn_prefix_equal (&g_array_index (from, HnPrefix, i), prefix))
      {
        g_array_remove_index_fast (from, i);
        return;
      }
}

/* What one delta means for the routes: those of old forms go, those of new forms come, and what is
 * in both stays. */
static void
change_routes (HnTailnet *self, const HnNetmapChange *change)
{
  g_autoptr (GArray) added = g_array_new (FALSE, FALSE, sizeof (HnPrefix));
  g_autoptr (GArray) removed = g_array_new (FALSE, FALSE, sizeof (HnPrefix));
  g_autoptr (GError) error = NULL;
  gint64 now = hn_tailnet_server_now (self);

  for (guint i = 0; i < change->removed->len; i++)
    hn_derive_peer_routes (g_ptr_array_index (change->removed, i), removed);
  for (guint i = 0; i < change->changed->len; i++)
    {
      const HnNode *node = g_ptr_array_index (change->changed, i);
      HnPeerEntry *old = hn_peer_list_get_by_stable_id (self->peers, hn_node_get (node)->stable_id);

      if (old != NULL)
        hn_derive_peer_routes (old->node, removed);
      if (!hn_node_is_expired (node, now))
        hn_derive_peer_routes (node, added);
    }
  for (guint i = 0; i < added->len; i++)
    remove_prefix (removed, &g_array_index (added, HnPrefix, i));
  if (added->len == 0 && removed->len == 0)
    return;
  if (!hn_links_change_routes (self->services.links, hn_tun_get_ifindex (self->device.tun),
                               device_table (self), (const HnPrefix *) (gpointer) added->data,
                               added->len, (const HnPrefix *) (gpointer) removed->data,
                               removed->len, &error))
    {
      g_info ("%s: %s; applying all routes anew", self->profile->id, error->message);
      hn_tailnet_device_refresh (self);
    }
}

static void
push_peer_changes (HnTailnet *self, const HnNetmapChange *change)
{
  g_autoptr (GPtrArray) usable = g_ptr_array_new ();
  g_autoptr (GPtrArray) gone = g_ptr_array_new ();
  gint64 now = hn_tailnet_server_now (self);

  for (guint i = 0; i < change->removed->len; i++)
    g_ptr_array_add (gone, g_ptr_array_index (change->removed, i));
  for (guint i = 0; i < change->changed->len; i++)
    {
      HnNode *node = g_ptr_array_index (change->changed, i);

      g_ptr_array_add (hn_node_is_expired (node, now) ? gone : usable, node);
    }
  hn_dataplane_update_peers (self->device.dataplane, usable, gone, FALSE);
}

void
hn_tailnet_device_netmap_changed (HnTailnet *self, HnNetmap *netmap, const HnNetmapChange *change)
{
  HnTailnetDevice *device = &self->device;
  /* then a delta changes no routes, unless the number crosses the line */
  gboolean shared = hn_derive_routes_shared (hn_netmap_get_n_peers (netmap), device->routes_shared);

  if (device->dataplane != NULL && (change->parts & HN_NETMAP_DERP) != 0)
    hn_dataplane_set_derp_map (device->dataplane, hn_netmap_get_derp_map (netmap));
  if ((change->parts & HN_NETMAP_DERP) != 0)
    hn_tailnet_choose_home (self);
  if (device->dataplane == NULL)
    return;
  if (change->full || (change->parts & (HN_NETMAP_SELF | HN_NETMAP_CLOCK)) != 0
      || shared != device->routes_shared
      || change->changed->len + change->removed->len > MANY_CHANGES)
    {
      hn_tailnet_device_refresh (self);
      return;
    }
  if ((change->parts & HN_NETMAP_FILTER) != 0
      || ((change->parts & HN_NETMAP_PEERS) != 0 && hn_tailnet_filter_minds (self, change)))
    hn_tailnet_push_filter (self, netmap);
  if ((change->parts & HN_NETMAP_PEERS) != 0)
    {
      push_peer_changes (self, change);
      if (!shared)
        change_routes (self, change);
    }
}

void
hn_tailnet_device_node_key_changed (HnTailnet *self)
{
  if (self->device.dataplane != NULL)
    hn_dataplane_set_private_key (self->device.dataplane, &self->profile->node_key);
}

/* ---- up and down ---- */

static gboolean
on_retry (gpointer user_data)
{
  HnTailnet *self = user_data;

  g_clear_pointer (&self->device.retry, g_source_unref);
  if (self->device.dataplane != NULL)
    hn_tailnet_device_refresh (self);
  else
    g_clear_error (&self->device.error);
  hn_tailnet_queue_reconcile (self);
  return G_SOURCE_REMOVE;
}

static void
on_retry_soon (HnTailnet *self)
{
  HnTailnetDevice *device = &self->device;
  gint64 wait_us = hn_backoff_next (&device->backoff, hn_random_double ());

  if (device->retry != NULL)
    return;
  device->retry = g_timeout_source_new ((guint) (wait_us / 1000));
  g_source_set_callback (device->retry, on_retry, self, NULL);
  g_source_attach (device->retry, g_main_context_get_thread_default ());
}

static HnTun *
open_device (HnTailnet *self, GError **error)
{
  for (guint attempt = 0; attempt < NAME_ATTEMPTS; attempt++)
    {
      g_autoptr (GError) local = NULL;
      g_autofree char *name = NULL;
      HnTun *tun;

      self->device.number = hn_links_find_free_number (self->services.links);
      if (HN_RULE_FIRST + self->device.number > HN_RULE_LAST)
        {
          g_set_error (error, HN_ERROR, HN_ERROR_BUSY,
                       _ ("Every device number from 0 to %d is taken: disconnect another tailnet"),
                       HN_RULE_LAST - HN_RULE_FIRST);
          return NULL;
        }
      name = g_strdup_printf ("headnet%u", self->device.number);
      tun = hn_tun_new (name, &local);
      if (tun != NULL)
        return tun;
      if (!g_error_matches (local, HN_ERROR, HN_ERROR_EXISTS) || attempt + 1 == NAME_ATTEMPTS)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return NULL;
        }
    }
  g_return_val_if_reached (NULL);
}

void
hn_tailnet_device_up (HnTailnet *self)
{
  HnTailnetDevice *device = &self->device;
  HnNetmap *netmap = hn_control_client_get_netmap (self->control);
  const HnPreferences *preferences = self->profile->preferences;
  HnDataplaneConfig config = {
    .server_url = preferences->server_url,
    .ca_certificate = preferences->ca_certificate,
    .mark = HN_MARK,
    .mtu = hn_tailnet_device_get_mtu (self),
    .port = (guint16) preferences->port,
  };
  g_autoptr (GError) error = NULL;

  if (device->tun != NULL || device->retry != NULL)
    return;
  g_clear_error (&device->error);

  device->tun = open_device (self, &error);
  if (device->tun == NULL || !apply_links (self, netmap, &error))
    {
      g_warning ("%s: cannot set up the network device: %s", self->profile->id, error->message);
      hn_tailnet_device_down (self);
      device->error = g_steal_pointer (&error);
      on_retry_soon (self);
      return;
    }

  device->dataplane
      = hn_dataplane_new (HN_PACKET_PORT (device->tun), &config, &dataplane_events, self);
  hn_dataplane_set_private_key (device->dataplane, &self->profile->node_key);
  hn_dataplane_set_disco_key (device->dataplane, &self->profile->disco_key);
  push_addresses (self, netmap);
  hn_tailnet_push_filter (self, netmap);
  hn_tailnet_push_local_addresses (self);
  hn_tailnet_push_reachable (self);
  if (hn_netmap_get_derp_map (netmap) != NULL)
    hn_dataplane_set_derp_map (device->dataplane, hn_netmap_get_derp_map (netmap));
  hn_tailnet_choose_home (self);
  device->home_tried = FALSE;
  device->home_state = HN_RELAY_CONNECTING;
  hn_dataplane_network_changed (device->dataplane, self->network_available);
  hn_dataplane_set_home (device->dataplane, device->home);
  push_all_peers (self, netmap);
  hn_backoff_reset (&device->backoff);
  g_message ("%s: connected as %s", self->profile->id, hn_tun_get_name (device->tun));
}

void
hn_tailnet_device_down (HnTailnet *self)
{
  HnTailnetDevice *device = &self->device;
  gboolean had = device->tun != NULL;
  g_autoptr (GError) error = NULL;

  hn_source_clear (&device->retry);
  if (device->dataplane != NULL)
    {
      hn_dataplane_stop (device->dataplane);
      g_clear_object (&device->dataplane);
    }
  if (had && !hn_links_clear (self->services.links, device_table (self), &error))
    g_warning ("%s: %s", self->profile->id, error->message);
  g_clear_object (&device->tun);
  g_clear_error (&device->error);
  g_clear_pointer (&device->home_health, g_free);
  g_clear_pointer (&device->relay_told, g_free);
  device->home_tried = FALSE;
  device->home_state = HN_RELAY_CLOSED;
  device->home_failures = 0;
  g_hash_table_remove_all (device->failed_relays);
  g_clear_pointer (&device->report, hn_net_report_unref);
  g_clear_pointer (&device->endpoints, g_array_unref);
  device->refused_by_rules = device->refused_else = 0;
  device->home_latency_us = 0;
  device->control_reachable = FALSE;
  if (had)
    {
      hn_peer_list_clear_paths (self->peers);
      hn_tailnet_queue_peers_changed (self);
    }
}
