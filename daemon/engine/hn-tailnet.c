/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/hn-tailnet-private.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <malloc.h>
#include <string.h>
#include <unistd.h>

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "base/hn-file.h"
#include "base/hn-source.h"

#define BIG_CHANGE 500  /* so many nodes made anew leave holes worth giving back */
#define FLUSH_MS 100    /* gathers the changes of one burst; far below what a person notices */
#define PUBLISH_BURST 8 /* so many status changes at once are a tailnet that comes up */

enum
{
  STATUS_CHANGED,
  PREFERENCES_CHANGED,
  PEERS_CHANGED,
  NETWORK_CONFIG_CHANGED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (HnTailnet, hn_tailnet, G_TYPE_OBJECT)

static gboolean on_expiry (gpointer user_data);

static void
hn_tailnet_dispose (GObject *object)
{
  HnTailnet *self = HN_TAILNET (object);

  self->disposed = TRUE;
  hn_tailnet_drop_control (self);
  if (self->device.failed_relays != NULL)
    {
      hn_tailnet_device_finalize (self);
      self->device.failed_relays = NULL;
    }
  hn_source_clear (&self->reconcile);
  hn_source_clear (&self->flush);
  hn_source_clear (&self->publish);
  hn_expiry_timer_clear (&self->expiry);
  G_OBJECT_CLASS (hn_tailnet_parent_class)->dispose (object);
}

static void
hn_tailnet_finalize (GObject *object)
{
  HnTailnet *self = HN_TAILNET (object);

  hn_peer_list_free (self->peers);
  hn_status_free (self->status);
  hn_profile_free (self->profile);
  g_clear_error (&self->save_error);
  g_hash_table_unref (self->since);
  g_clear_error (&self->login_error);
  g_free (self->network_config);
  G_OBJECT_CLASS (hn_tailnet_parent_class)->finalize (object);
}

static void
hn_tailnet_class_init (HnTailnetClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = hn_tailnet_dispose;
  object_class->finalize = hn_tailnet_finalize;

  signals[STATUS_CHANGED] = g_signal_new ("status-changed", HN_TYPE_TAILNET, G_SIGNAL_RUN_LAST, 0,
                                          NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[PREFERENCES_CHANGED]
      = g_signal_new ("preferences-changed", HN_TYPE_TAILNET, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                      NULL, G_TYPE_NONE, 0);
  signals[PEERS_CHANGED]
      = g_signal_new ("peers-changed", HN_TYPE_TAILNET, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                      G_TYPE_NONE, 3, G_TYPE_UINT64, G_TYPE_PTR_ARRAY, G_TYPE_PTR_ARRAY);
  signals[NETWORK_CONFIG_CHANGED]
      = g_signal_new ("network-config-changed", HN_TYPE_TAILNET, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                      NULL, G_TYPE_NONE, 0);
}

static void
hn_tailnet_init (HnTailnet *self)
{
  self->peers = hn_peer_list_new ();
  self->status = hn_status_new ();
  self->since = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->network_available = TRUE;
  hn_expiry_timer_init (&self->expiry, on_expiry, self);
  self->pacer = (HnPacer) HN_PACER_INIT (FLUSH_MS * 1000, PUBLISH_BURST);
  hn_tailnet_device_init (self);
}

/* ---- turns ---- */

static void
queue (GSource **slot, GSource *source, GSourceFunc func, gpointer data)
{
  *slot = source;
  g_source_set_callback (source, func, data, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
}

static gboolean
on_flush (gpointer user_data)
{
  HnTailnet *self = user_data;
  g_autoptr (GPtrArray) changed = NULL;
  g_autoptr (GPtrArray) removed = NULL;
  guint64 generation;

  g_clear_pointer (&self->flush, g_source_unref);
  if (!hn_peer_list_has_changes (self->peers))
    return G_SOURCE_REMOVE;
  generation = hn_peer_list_take_changes (self->peers, &changed, &removed);
  g_signal_emit (self, signals[PEERS_CHANGED], 0, generation, changed, removed);
  return G_SOURCE_REMOVE;
}

void
hn_tailnet_queue_peers_changed (HnTailnet *self)
{
  if (self->flush == NULL && !self->disposed)
    queue (&self->flush, g_timeout_source_new (FLUSH_MS), on_flush, self);
}

/* Each health item keeps the moment at which it was first seen. */
static void
keep_times (HnTailnet *self, HnStatus *status, gint64 wall)
{
  g_autoptr (GHashTable) old = g_steal_pointer (&self->since);

  self->since = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  for (guint i = 0; i < status->health->len; i++)
    {
      HnHealthItem *item = g_ptr_array_index (status->health, i);
      gint64 *before = g_hash_table_lookup (old, item->id);

      item->since = before != NULL ? *before : wall;
      g_hash_table_replace (self->since, g_strdup (item->id),
                            g_memdup2 (&item->since, sizeof item->since));
    }
}

HnNetmap *
hn_tailnet_get_netmap (HnTailnet *self)
{
  return self->control != NULL ? hn_control_client_get_netmap (self->control) : NULL;
}

gint64
hn_tailnet_server_now (HnTailnet *self)
{
  HnNetmap *netmap = hn_tailnet_get_netmap (self);
  gint64 wall = hn_clock_wall_us () / G_USEC_PER_SEC;

  return netmap != NULL ? wall + hn_netmap_get_clock_offset (netmap) : wall;
}

static void
arm_expiry (HnTailnet *self)
{
  hn_expiry_timer_set (&self->expiry,
                       self->device.dataplane != NULL ? hn_tailnet_get_netmap (self) : NULL);
}

static gboolean
on_expiry (gpointer user_data)
{
  HnTailnet *self = user_data;

  arm_expiry (self);
  hn_peer_list_touch_all (self->peers);
  hn_tailnet_device_refresh (self);
  hn_tailnet_queue_peers_changed (self);
  hn_tailnet_queue_reconcile (self);
  return G_SOURCE_REMOVE;
}

void
hn_tailnet_get_input (HnTailnet *self, HnDeriveInput *input)
{
  HnTailnetDevice *device = &self->device;

  *input = (HnDeriveInput){
    .wall = hn_clock_wall_us () / G_USEC_PER_SEC,
    .wanted = self->wanted,
    .enrolled = !hn_node_private_is_zero (&self->profile->node_key),
    .network_available = self->network_available,
    .preferences = self->profile->preferences,
    .phase = HN_CONTROL_IDLE,
    .server_key_changed = self->server_key_changed,
    .interface = device->tun != NULL ? hn_tun_get_name (device->tun) : NULL,
    .device_error = device->error,
    .home_relay = device->home,
    .home_state = device->home_state,
    .home_tried = device->home_tried,
    .home_health = device->home_health,
    .home_latency_us = device->home_latency_us,
    .has_direct_path = hn_peer_list_has_direct (self->peers),
    .report = device->report,
    .filter_skipped = device->filter_skipped,
    .refused_by_rules = device->refused_by_rules,
    .refused_else = device->refused_else,
    .save_error = self->save_error,
  };
  if (self->login_error != NULL && !input->enrolled)
    {
      input->phase = HN_CONTROL_NEEDS_LOGIN;
      input->control_error = self->login_error;
    }
  if (self->control == NULL)
    return;
  input->phase = hn_control_client_get_phase (self->control);
  input->control_error = hn_control_client_get_error (self->control);
  input->reachable = hn_control_client_is_reachable (self->control);
  input->login_pending = hn_control_client_get_has_login_url (self->control);
  input->netmap = hn_tailnet_get_netmap (self);
}

/* Returns: (transfer full) (nullable): the status, if it is not what was told last */
static HnStatus *
derive_news (HnTailnet *self)
{
  g_autoptr (HnStatus) status = NULL;
  HnDeriveInput input;

  hn_tailnet_get_input (self, &input);
  status = hn_derive_status (&input);
  keep_times (self, status, input.wall);
  return hn_status_equal (status, self->status) ? NULL : g_steal_pointer (&status);
}

/* @status: (transfer full) */
static void
tell_status (HnTailnet *self, HnStatus *status)
{
  if (status->state != self->status->state)
    g_info ("%s: %s -> %s%s%s", self->profile->id, hn_tailnet_state_to_string (self->status->state),
            hn_tailnet_state_to_string (status->state), status->state_reason[0] != '\0' ? ": " : "",
            status->state_reason);
  hn_status_free (self->status);
  self->status = status;
  g_signal_emit (self, signals[STATUS_CHANGED], 0);
}

void
hn_tailnet_publish (HnTailnet *self)
{
  HnStatus *status = derive_news (self);

  if (status != NULL)
    tell_status (self, status);
}

static gboolean on_publish (gpointer user_data);

/* A server that says something else with each message must not flood the bus with it. */
static void
publish_paced (HnTailnet *self)
{
  HnStatus *status = self->publish == NULL ? derive_news (self) : NULL;
  gint64 wait;

  if (status == NULL)
    return;
  wait = hn_pacer_take (&self->pacer, hn_clock_now_us ());
  if (wait == 0)
    {
      tell_status (self, status);
      return;
    }
  hn_status_free (status);
  queue (&self->publish, hn_clock_timer_new (wait), on_publish, self);
}

static gboolean
on_publish (gpointer user_data)
{
  HnTailnet *self = user_data;

  g_clear_pointer (&self->publish, g_source_unref);
  publish_paced (self);
  return G_SOURCE_REMOVE;
}

static char *
format_network_config (HnTailnet *self)
{
  g_autoptr (HnNetworkConfig) config = hn_tailnet_dup_network_config (self);
  g_autofree char *addresses = g_strjoinv (" ", config->addresses);

  return g_strdup_printf ("%s %u %s", config->interface, config->mtu, addresses);
}

/* Tells when what a network manager would set differs from what it was told last. */
static void
tell_network_config (HnTailnet *self)
{
  g_autofree char *now = format_network_config (self);

  if (g_strcmp0 (now, self->network_config) == 0)
    return;
  g_free (self->network_config);
  self->network_config = g_steal_pointer (&now);
  g_signal_emit (self, signals[NETWORK_CONFIG_CHANGED], 0);
}

/* The one place that starts and stops things: compares what should be with what is. */
static gboolean
on_reconcile (gpointer user_data)
{
  g_autoptr (HnTailnet) self = g_object_ref (HN_TAILNET (user_data));
  HnDeriveInput input;
  gboolean device_wanted;

  g_clear_pointer (&self->reconcile, g_source_unref);
  if (self->trim)
    {
      self->trim = FALSE;
      malloc_trim (0);
    }

  if (self->wanted && !self->control_started)
    {
      g_autoptr (GError) error = NULL;

      if (hn_tailnet_ensure_control (self, &error))
        {
          self->control_started = TRUE;
          hn_control_client_start (self->control);
        }
      else
        {
          g_clear_error (&self->device.error);
          self->device.error = g_steal_pointer (&error);
        }
    }

  hn_tailnet_get_input (self, &input);
  device_wanted = hn_derive_device_wanted (&input);
  if (device_wanted && self->device.tun == NULL)
    {
      hn_tailnet_device_up (self);
      arm_expiry (self);
    }
  else if (!device_wanted && self->device.tun != NULL)
    {
      hn_tailnet_device_down (self);
      arm_expiry (self);
    }

  hn_tailnet_push_reachable (self);

  if (!self->wanted && !input.login_pending && self->busy == 0 && self->control != NULL)
    {
      hn_tailnet_drop_control (self);
      hn_peer_list_clear (self->peers);
      hn_tailnet_queue_peers_changed (self);
    }
  tell_network_config (self);
  publish_paced (self);
  return G_SOURCE_REMOVE;
}

void
hn_tailnet_queue_reconcile (HnTailnet *self)
{
  if (self->reconcile == NULL && !self->disposed)
    queue (&self->reconcile, g_idle_source_new (), on_reconcile, self);
}

void
hn_tailnet_set_busy (HnTailnet *self, gboolean busy)
{
  self->busy = busy ? self->busy + 1 : self->busy - 1;
  hn_tailnet_queue_reconcile (self);
}

/* ---- the control client's news ---- */

static void
on_phase_changed (gpointer user)
{
  hn_tailnet_queue_reconcile (user);
}

static void
save_node_key (HnTailnet *self)
{
  g_clear_error (&self->save_error);
  (void) hn_profile_store_save_node_key (self->services.store, self->profile, &self->save_error);
}

static void
on_node_key_changed (gpointer user, const HnNodePrivate *key)
{
  HnTailnet *self = user;

  hn_node_private_clear (&self->profile->node_key);
  self->profile->node_key = *key;
  save_node_key (self);
  if (self->save_error != NULL)
    g_warning ("%s: the key could not be saved, the next start has to sign in again: %s",
               self->profile->id, self->save_error->message);
  hn_tailnet_device_node_key_changed (self);
  hn_tailnet_queue_reconcile (self);
}

static void
on_server_key_seen (gpointer user, const HnMachinePublic *key, gboolean changed)
{
  HnTailnet *self = user;
  g_autoptr (GError) error = NULL;

  if (changed)
    self->server_key_changed = TRUE;
  if (hn_machine_public_equal (&self->profile->server_key, key))
    return;
  self->profile->server_key = *key;
  if (!hn_profile_store_save_server_key (self->services.store, self->profile, &error))
    g_warning ("%s: %s", self->profile->id, error->message);
  hn_tailnet_queue_reconcile (self);
}

static void
on_netmap_changed (gpointer user, HnNetmap *netmap, const HnNetmapChange *change)
{
  HnTailnet *self = user;
  gboolean peers = change->full || (change->parts & HN_NETMAP_PEERS) != 0;

  if (self->save_error != NULL)
    save_node_key (self);
  hn_tailnet_device_netmap_changed (self, netmap, change);
  if (peers)
    hn_peer_list_apply (self->peers, netmap, change);
  if ((change->parts & HN_NETMAP_USERS) != 0 && !change->full)
    hn_peer_list_touch_all (self->peers);
  if (hn_peer_list_has_changes (self->peers))
    hn_tailnet_queue_peers_changed (self);
  self->trim = self->trim || change->changed->len + change->removed->len > BIG_CHANGE;
  if (change->full || (change->parts & (HN_NETMAP_SELF | HN_NETMAP_CLOCK)) != 0)
    arm_expiry (self);
  else if (peers && self->device.dataplane != NULL)
    hn_expiry_timer_advance (&self->expiry, netmap, change);
  hn_tailnet_queue_reconcile (self);
}

static const HnControlClientEvents control_events = {
  .phase_changed = on_phase_changed,
  .node_key_changed = on_node_key_changed,
  .server_key_seen = on_server_key_seen,
  .netmap_changed = on_netmap_changed,
};

void
hn_tailnet_update_hostinfo (HnTailnet *self)
{
  const HnPreferences *preferences = self->profile->preferences;
  g_autoptr (HnHostinfo) hostinfo = NULL;

  if (self->control == NULL)
    return;
  hostinfo = hn_hostinfo_new (preferences->host_name[0] != '\0' ? preferences->host_name : NULL);
  hostinfo->shields_up = preferences->shields_up;
  hn_disco_private_get_public (&self->profile->disco_key, &hostinfo->disco);
  hn_tailnet_fill_net_info (self, hostinfo);
  hn_control_client_set_hostinfo (self->control, hostinfo);
}

/* Whether the kernel knows a way to the server; a name counts as reachable as soon as any address
 * is there to ask for it from. */
static gboolean
server_may_be_reached (HnTailnet *self)
{
  g_autoptr (GUri) uri
      = g_uri_parse (self->profile->preferences->server_url, G_URI_FLAGS_NONE, NULL);
  const char *host = uri != NULL ? g_uri_get_host (uri) : NULL;
  HnIp ip;

  if (host == NULL || strcmp (host, "localhost") == 0)
    return TRUE;
  if (hn_ip_parse (host, &ip))
    return hn_links_has_route (self->services.links, &ip);
  return hn_links_has_address (self->services.links);
}

gboolean
hn_tailnet_ensure_control (HnTailnet *self, GError **error)
{
  const HnPreferences *preferences = self->profile->preferences;
  HnControlClientConfig config = {
    .server_url = preferences->server_url,
    .ca_certificate = preferences->ca_certificate,
    .mark = HN_MARK,
    .capability_version = preferences->capability_version,
    .machine_key = &self->profile->machine_key,
    .node_key = &self->profile->node_key,
    .known_server_key = &self->profile->server_key,
  };

  if (self->control != NULL)
    return TRUE;
  self->control = hn_control_client_new (&config, &control_events, self, error);
  if (self->control == NULL)
    return FALSE;
  hn_tailnet_update_hostinfo (self);
  self->network_available = server_may_be_reached (self);
  if (!self->network_available)
    hn_control_client_network_changed (self->control, FALSE, FALSE);
  return TRUE;
}

void
hn_tailnet_drop_control (HnTailnet *self)
{
  self->control_started = FALSE;
  if (self->control == NULL)
    return;
  hn_control_client_stop (self->control);
  g_clear_object (&self->control);
}

/* ---- the wish ---- */

static char *
down_mark_path (HnTailnet *self)
{
  return g_strdup_printf ("%s/%s.down", self->services.runtime_directory, self->profile->id);
}

/* Remembers until the next boot that a person turned it off, so that a restart leaves it so. */
static void
mark_down (HnTailnet *self, gboolean down)
{
  g_autofree char *path = down_mark_path (self);
  g_autoptr (GError) error = NULL;

  if (down && !hn_file_write_atomic (path, "", 0, &error))
    g_info ("%s", error->message);
  else if (!down && unlink (path) != 0 && errno != ENOENT)
    g_info ("%s: %s", path, g_strerror (errno));
}

gboolean
hn_tailnet_connect (HnTailnet *self, gboolean network_manager, GError **error)
{
  if (!hn_tailnet_ensure_control (self, error))
    return FALSE;
  mark_down (self, FALSE);
  hn_control_client_hurry (self->control);
  if (self->wanted && self->network_manager == network_manager)
    return TRUE;
  self->wanted = TRUE;
  if (self->network_manager != network_manager)
    {
      self->network_manager = network_manager;
      hn_tailnet_device_refresh (self);
    }
  hn_tailnet_queue_reconcile (self);
  hn_tailnet_publish (self);
  return TRUE;
}

static void
take_down (HnTailnet *self)
{
  self->wanted = FALSE;
  self->network_manager = FALSE;
  hn_tailnet_device_down (self);
  hn_tailnet_drop_control (self);
  hn_expiry_timer_clear (&self->expiry);
  self->server_key_changed = FALSE;
  hn_peer_list_clear (self->peers);
  if (hn_peer_list_has_changes (self->peers))
    hn_tailnet_queue_peers_changed (self);
  hn_tailnet_publish (self);
  tell_network_config (self);
}

void
hn_tailnet_disconnect (HnTailnet *self)
{
  if (self->wanted)
    g_message ("%s: disconnected", self->profile->id);
  mark_down (self, TRUE);
  take_down (self);
}

void
hn_tailnet_auto_connect (HnTailnet *self)
{
  g_autofree char *path = down_mark_path (self);

  if (!self->profile->preferences->auto_connect
      || hn_node_private_is_zero (&self->profile->node_key)
      || g_file_test (path, G_FILE_TEST_EXISTS))
    return;
  hn_tailnet_connect (self, FALSE, NULL);
}

void
hn_tailnet_shut_down (HnTailnet *self)
{
  self->disposed = TRUE;
  hn_tailnet_device_down (self);
  hn_tailnet_drop_control (self);
  hn_source_clear (&self->reconcile);
  hn_source_clear (&self->flush);
  hn_source_clear (&self->publish);
  hn_expiry_timer_clear (&self->expiry);
}

void
hn_tailnet_network_changed (HnTailnet *self, gboolean major)
{
  gboolean available = server_may_be_reached (self);

  if (available == self->network_available && !major)
    return;
  self->network_available = available;
  if (self->control != NULL)
    hn_control_client_network_changed (self->control, available, major);
  if (self->device.dataplane != NULL)
    {
      hn_tailnet_push_local_addresses (self);
      hn_dataplane_network_changed (self->device.dataplane, available);
    }
  hn_tailnet_queue_reconcile (self);
}

void
hn_tailnet_routes_lost (HnTailnet *self, int table)
{
  if (self->device.tun != NULL && table == (int) (HN_ROUTE_TABLE_BASE + self->device.number))
    hn_tailnet_device_refresh (self);
}

/* ---- getters ---- */

const char *
hn_tailnet_get_id (HnTailnet *self)
{
  return self->profile->id;
}

const HnProfile *
hn_tailnet_get_profile (HnTailnet *self)
{
  return self->profile;
}

const HnPreferences *
hn_tailnet_get_preferences (HnTailnet *self)
{
  return self->profile->preferences;
}

const HnStatus *
hn_tailnet_get_status (HnTailnet *self)
{
  return self->status;
}

guint64
hn_tailnet_get_peers_generation (HnTailnet *self)
{
  return hn_peer_list_get_generation (self->peers);
}

gboolean
hn_tailnet_is_wanted (HnTailnet *self)
{
  return self->wanted || self->status->login_pending;
}

gboolean
hn_tailnet_is_busy (HnTailnet *self)
{
  return self->busy > 0;
}

gboolean
hn_tailnet_set_preferences (HnTailnet *self, const HnPreferences *preferences, GError **error)
{
  g_autoptr (HnPreferences) old = NULL;

  if (hn_preferences_equal (preferences, self->profile->preferences))
    return TRUE;
  if (preferences->name[0] == '\0' || strlen (preferences->name) > 128
      || !g_utf8_validate (preferences->name, -1, NULL))
    {
      g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                   _ ("A tailnet's name has 1 to 128 bytes of text"));
      return FALSE;
    }
  if (preferences->host_name[0] != '\0'
      && !hn_preferences_check_host_name (preferences->host_name, error))
    return FALSE;
  if (preferences->mtu != 0 && (preferences->mtu < 576 || preferences->mtu > 65535))
    {
      g_set_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT,
                   _ ("The MTU is 0 (the default, 1280) or 576 to 65535, not %u"),
                   preferences->mtu);
      return FALSE;
    }
  if (!hn_profile_store_name_is_free (self->services.store, preferences->name, self->profile))
    {
      g_set_error (error, HN_ERROR, HN_ERROR_EXISTS, _ ("There is a tailnet named “%s” already"),
                   preferences->name);
      return FALSE;
    }

  old = g_steal_pointer (&self->profile->preferences);
  self->profile->preferences = hn_preferences_copy (preferences);
  if (!hn_profile_store_save_preferences (self->services.store, self->profile, error))
    {
      hn_preferences_free (self->profile->preferences);
      self->profile->preferences = g_steal_pointer (&old);
      return FALSE;
    }

  hn_tailnet_update_hostinfo (self);
  /* the data plane sizes its buffers and opens its sockets once */
  if ((old->mtu != preferences->mtu || old->port != preferences->port) && self->device.tun != NULL)
    hn_tailnet_device_down (self);
  else if (old->shields_up != preferences->shields_up)
    hn_tailnet_device_refresh (self);
  hn_tailnet_queue_reconcile (self);
  g_signal_emit (self, signals[PREFERENCES_CHANGED], 0);
  return TRUE;
}

HnNetworkConfig *
hn_tailnet_dup_network_config (HnTailnet *self)
{
  HnNetworkConfig *config = g_new0 (HnNetworkConfig, 1);
  HnNetmap *netmap = hn_tailnet_get_netmap (self);
  g_autoptr (GPtrArray) list = g_ptr_array_new ();

  config->interface = self->device.tun != NULL ? hn_tun_get_name (self->device.tun) : "";
  config->mtu = hn_tailnet_device_get_mtu (self);
  if (netmap != NULL)
    {
      g_autoptr (GArray) addresses = hn_derive_addresses (netmap);

      for (guint i = 0; i < addresses->len; i++)
        {
          char text[HN_IP_TEXT_MAX];

          g_ptr_array_add (
              list, g_strdup (hn_prefix_format (&g_array_index (addresses, HnPrefix, i), text)));
        }
    }
  g_ptr_array_add (list, NULL);
  config->addresses = (char **) g_ptr_array_free (g_steal_pointer (&list), FALSE);
  config->dns_servers = g_new0 (char *, 1);
  config->dns_domains = g_new0 (char *, 1);
  config->search_domains = g_new0 (char *, 1);
  return config;
}

void
hn_network_config_free (HnNetworkConfig *config)
{
  if (config == NULL)
    return;
  g_strfreev (config->addresses);
  g_strfreev (config->dns_servers);
  g_strfreev (config->dns_domains);
  g_strfreev (config->search_domains);
  g_free (config);
}

HnTailnet *
hn_tailnet_new (const HnTailnetServices *services, HnProfile *profile)
{
  HnTailnet *self = g_object_new (HN_TYPE_TAILNET, NULL);
  HnDeriveInput input;

  self->services = *services;
  self->profile = profile;
  hn_tailnet_get_input (self, &input);
  hn_status_free (self->status);
  self->status = hn_derive_status (&input);
  keep_times (self, self->status, input.wall);
  self->network_config = format_network_config (self);
  return self;
}
