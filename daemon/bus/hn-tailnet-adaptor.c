/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bus face of one tailnet. */
#include "bus/hn-tailnet-adaptor.h"

#include "base/hn-error.h"
#include "bus/hn-arguments.h"
#include "bus/hn-bus-errors.h"
#include "bus/hn-guarded-skeletons.h"
#include "bus/hn-peer-monitors.h"
#include "bus/hn-peers-cache.h"
#include "bus/hn-pending-call.h"
#include "bus/hn-variants.h"

/* Above this PeersChanged says only that everything may have changed. */
#define MAX_CHANGED 200

struct _HnTailnetAdaptor
{
  GObject parent_instance;

  HnTailnet *tailnet;          /* owned */
  HnDbusTailnet *skeleton;     /* owned */
  GDBusObjectSkeleton *object; /* owned */
  HnPeersCache *peers;         /* owned; NULL once closed */
  HnPeerMonitors *monitors;    /* owned; NULL once closed */
  GCancellable *cancellable;   /* owned; ends the calls under way when the tailnet goes */
  gboolean removing;

  /* The bus client for which the tailnet is connected as a NetworkManager connection; 0 none. */
  guint owner_watch;
};

G_DEFINE_FINAL_TYPE (HnTailnetAdaptor, hn_tailnet_adaptor, G_TYPE_OBJECT)

static void
drop_owner_watch (HnTailnetAdaptor *self)
{
  if (self->owner_watch != 0)
    g_bus_unwatch_name (self->owner_watch);
  self->owner_watch = 0;
}

void
hn_tailnet_adaptor_close (HnTailnetAdaptor *self)
{
  drop_owner_watch (self);
  if (self->tailnet != NULL)
    g_signal_handlers_disconnect_by_data (self->tailnet, self);
  if (self->cancellable != NULL)
    g_cancellable_cancel (self->cancellable);
  g_clear_pointer (&self->peers, hn_peers_cache_free);
  g_clear_pointer (&self->monitors, hn_peer_monitors_free);
}

static void
hn_tailnet_adaptor_dispose (GObject *object)
{
  HnTailnetAdaptor *self = HN_TAILNET_ADAPTOR (object);

  hn_tailnet_adaptor_close (self);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->object);
  g_clear_object (&self->skeleton);
  g_clear_object (&self->tailnet);
  G_OBJECT_CLASS (hn_tailnet_adaptor_parent_class)->dispose (object);
}

static void
hn_tailnet_adaptor_class_init (HnTailnetAdaptorClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = hn_tailnet_adaptor_dispose;
}

static void
hn_tailnet_adaptor_init (HnTailnetAdaptor *self)
{
  self->cancellable = g_cancellable_new ();
}

static void
update_status (HnTailnetAdaptor *self)
{
  const HnStatus *status = hn_tailnet_get_status (self->tailnet);
  HnDbusTailnet *skeleton = self->skeleton;

  /* The skeleton compares, and folds what differs into one PropertiesChanged. */
  hn_dbus_tailnet_set_state (skeleton, hn_tailnet_state_to_string (status->state));
  hn_dbus_tailnet_set_state_reason (skeleton, status->state_reason);
  hn_dbus_tailnet_set_login_pending (skeleton, status->login_pending);
  hn_dbus_tailnet_set_domain (skeleton, status->domain);
  hn_dbus_tailnet_set_node_name (skeleton, status->node_name);
  hn_dbus_tailnet_set_user (skeleton, hn_variants_format_user (status->user_id, status->user_login,
                                                               status->user_display));
  hn_dbus_tailnet_set_addresses (skeleton, (const char *const *) status->addresses);
  hn_dbus_tailnet_set_interface (skeleton, status->interface);
  hn_dbus_tailnet_set_home_relay (skeleton, hn_variants_format_home_relay (status));
  hn_dbus_tailnet_set_key_expiry (skeleton, status->key_expiry);
  hn_dbus_tailnet_set_health (skeleton, hn_variants_format_health (status->health));
  hn_dbus_tailnet_set_peer_count (skeleton, status->peer_count);
  hn_dbus_tailnet_set_peers_generation (skeleton, hn_tailnet_get_peers_generation (self->tailnet));
}

static void
update_preferences (HnTailnetAdaptor *self)
{
  const HnPreferences *preferences = hn_tailnet_get_preferences (self->tailnet);

  hn_dbus_tailnet_set_name (self->skeleton, preferences->name);
  hn_dbus_tailnet_set_server_url (self->skeleton, preferences->server_url);
  hn_dbus_tailnet_set_preferences (self->skeleton, hn_variants_format_preferences (preferences));
}

/* Whoever reads a property after our reply must see what the call did. */
static void
flush (HnTailnetAdaptor *self)
{
  update_status (self);
  update_preferences (self);
  g_dbus_interface_skeleton_flush (G_DBUS_INTERFACE_SKELETON (self->skeleton));
}

static void
on_status_changed (HnTailnetAdaptor *self)
{
  update_status (self);
}

static void
on_preferences_changed (HnTailnetAdaptor *self)
{
  update_preferences (self);
}

static void
on_network_config_changed (HnTailnetAdaptor *self)
{
  hn_dbus_tailnet_emit_network_config_changed (self->skeleton);
}

static void
add_peer (const HnPeerView *peer, gpointer data)
{
  hn_variants_write_peer (data, peer, NULL);
}

static void
on_peers_changed (HnTailnetAdaptor *self, guint64 generation, GPtrArray *changed_ids,
                  GPtrArray *removed_ids)
{
  g_autoptr (HnDictionaryWriter) changed = hn_dictionary_writer_new ();
  g_autoptr (GPtrArray) removed = g_ptr_array_new ();

  if (changed_ids->len <= MAX_CHANGED && removed_ids->len <= MAX_CHANGED)
    {
      /* One that is not there any more was removed since; the next signal says so. */
      for (guint i = 0; i < changed_ids->len; i++)
        hn_tailnet_with_peer (self->tailnet, g_ptr_array_index (changed_ids, i), add_peer, changed,
                              NULL);
      for (guint i = 0; i < removed_ids->len; i++)
        g_ptr_array_add (removed, g_ptr_array_index (removed_ids, i));
    }
  g_ptr_array_add (removed, NULL);

  update_status (self);
  hn_dbus_tailnet_emit_peers_changed (self->skeleton, generation,
                                      hn_dictionary_writer_finish (changed),
                                      (const char *const *) removed->pdata);
}

/* Answers Busy when the tailnet is on its way out; returns whether it did. */
static gboolean
refuse_while_removing (HnTailnetAdaptor *self, GDBusMethodInvocation *invocation)
{
  g_autoptr (GError) error = NULL;

  if (!self->removing)
    return FALSE;
  g_set_error_literal (&error, HN_ERROR, HN_ERROR_BUSY, "The tailnet is being removed");
  hn_bus_return_error (invocation, error);
  return TRUE;
}

static void
on_owner_vanished (GDBusConnection *connection, const char *name, gpointer user_data)
{
  HnTailnetAdaptor *self = HN_TAILNET_ADAPTOR (user_data);

  g_message ("Disconnecting %s: whoever managed its network has left the bus",
             hn_tailnet_get_id (self->tailnet));
  drop_owner_watch (self);
  hn_tailnet_disconnect (self->tailnet);
}

static gboolean
on_connect (HnTailnetAdaptor *self, GDBusMethodInvocation *invocation, GVariant *options)
{
  g_autoptr (GError) error = NULL;
  gboolean network_manager;

  if (refuse_while_removing (self, invocation))
    return TRUE;
  if (!hn_arguments_parse_connect (options, &network_manager, &error)
      || !hn_tailnet_connect (self->tailnet, network_manager, &error))
    {
      hn_bus_return_error (invocation, error);
      return TRUE;
    }

  /* The newest wish counts, and only its owner's leaving ends it. */
  drop_owner_watch (self);
  if (network_manager)
    self->owner_watch = g_bus_watch_name_on_connection (
        g_dbus_method_invocation_get_connection (invocation),
        g_dbus_method_invocation_get_sender (invocation), G_BUS_NAME_WATCHER_FLAGS_NONE, NULL,
        on_owner_vanished, self, NULL);

  flush (self);
  hn_dbus_tailnet_complete_connect (self->skeleton, invocation);
  return TRUE;
}

static gboolean
on_disconnect (HnTailnetAdaptor *self, GDBusMethodInvocation *invocation)
{
  if (refuse_while_removing (self, invocation))
    return TRUE;
  drop_owner_watch (self);
  hn_tailnet_disconnect (self->tailnet);
  flush (self);
  hn_dbus_tailnet_complete_disconnect (self->skeleton, invocation);
  return TRUE;
}

static void
on_logged_in (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (HnPendingCall) call = user_data;
  HnTailnetAdaptor *self = call->adaptor;
  g_autoptr (GError) error = NULL;

  if (!hn_tailnet_login_finish (HN_TAILNET (source), result, &error))
    {
      hn_bus_return_error (call->invocation, error);
      return;
    }
  flush (self);
  hn_dbus_tailnet_complete_login (self->skeleton, call->invocation);
}

static gboolean
on_login (HnTailnetAdaptor *self, GDBusMethodInvocation *invocation, GVariant *options)
{
  g_autoptr (HnSecretText) auth_key = NULL;
  g_autoptr (GError) error = NULL;
  gboolean accept_server_key;

  if (refuse_while_removing (self, invocation))
    return TRUE;
  if (!hn_arguments_parse_login (options, &auth_key, &accept_server_key, &error))
    {
      hn_bus_return_error (invocation, error);
      return TRUE;
    }
  hn_tailnet_login_async (self->tailnet, auth_key, accept_server_key, self->cancellable,
                          on_logged_in, hn_pending_call_new (self, invocation, NULL));
  return TRUE;
}

static gboolean
on_get_login_url (HnTailnetAdaptor *self, GDBusMethodInvocation *invocation)
{
  g_autoptr (HnSecretText) url = NULL;
  g_autoptr (GError) error = NULL;

  url = hn_tailnet_dup_login_url (self->tailnet, &error);
  if (url == NULL)
    hn_bus_return_error (invocation, error);
  else
    hn_dbus_tailnet_complete_get_login_url (self->skeleton, invocation,
                                            hn_secret_text_reveal (url));
  return TRUE;
}

static void
on_logged_out (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (HnPendingCall) call = user_data;
  HnTailnetAdaptor *self = call->adaptor;
  g_autoptr (GError) error = NULL;
  gboolean ok = hn_tailnet_logout_finish (HN_TAILNET (source), result, &error);

  flush (self);
  if (ok)
    hn_dbus_tailnet_complete_logout (self->skeleton, call->invocation);
  else
    hn_bus_return_error (call->invocation, error);
}

static gboolean
on_logout (HnTailnetAdaptor *self, GDBusMethodInvocation *invocation)
{
  if (refuse_while_removing (self, invocation))
    return TRUE;
  drop_owner_watch (self);
  hn_tailnet_logout_async (self->tailnet, self->cancellable, on_logged_out,
                           hn_pending_call_new (self, invocation, NULL));
  return TRUE;
}

static gboolean
on_set_preferences (HnTailnetAdaptor *self, GDBusMethodInvocation *invocation, GVariant *changes)
{
  g_autoptr (HnPreferences) preferences = NULL;
  g_autoptr (GError) error = NULL;

  if (refuse_while_removing (self, invocation))
    return TRUE;
  preferences = hn_arguments_parse_preferences (changes, hn_tailnet_get_preferences (self->tailnet),
                                                &error);
  if (preferences == NULL || !hn_tailnet_set_preferences (self->tailnet, preferences, &error))
    {
      hn_bus_return_error (invocation, error);
      return TRUE;
    }
  flush (self);
  hn_dbus_tailnet_complete_set_preferences (self->skeleton, invocation);
  return TRUE;
}

static gboolean
on_get_peers (HnTailnetAdaptor *self, GDBusMethodInvocation *invocation)
{
  hn_peers_cache_answer (self->peers, invocation);
  return TRUE;
}

typedef struct
{
  const HnPeerCounters *counters; /* nullable */
  GVariant *peer;                 /* owned */
  char *id;
} FoundPeer;

static void
on_peer_found (const HnPeerView *peer, gpointer data)
{
  FoundPeer *found = data;
  g_autoptr (HnDictionaryWriter) writer = hn_dictionary_writer_new ();
  g_autoptr (GVariant) list = NULL;

  hn_variants_write_peer (writer, peer, found->counters);
  list = g_variant_ref_sink (hn_dictionary_writer_finish (writer));
  found->peer = g_variant_get_child_value (list, 0);
  found->id = g_strdup (hn_node_get (peer->node)->stable_id);
}

static void
on_counters (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (HnPendingCall) call = user_data;
  HnTailnetAdaptor *self = call->adaptor;
  g_autoptr (GVariant) properties = NULL;
  g_autofree char *id = NULL;
  g_autoptr (GError) error = NULL;
  HnPeerCounters counters = { 0 };
  FoundPeer found = { NULL, NULL, NULL };

  /* Without a data plane there is nothing to count; the peer is an answer all the same. */
  if (hn_tailnet_get_counters_finish (HN_TAILNET (source), result, &counters, NULL))
    found.counters = &counters;
  if (!hn_tailnet_with_peer (HN_TAILNET (source), call->subject, on_peer_found, &found, &error))
    {
      hn_bus_return_error (call->invocation, error);
      return;
    }
  properties = found.peer;
  id = found.id;
  hn_dbus_tailnet_complete_get_peer (self->skeleton, call->invocation, properties);
}

static gboolean
on_get_peer (HnTailnetAdaptor *self, GDBusMethodInvocation *invocation, const char *target)
{
  g_autoptr (GVariant) properties = NULL;
  g_autoptr (GError) error = NULL;
  FoundPeer found = { NULL, NULL, NULL };
  g_autofree char *id = NULL;

  if (!hn_arguments_check_target (target, &error)
      || !hn_tailnet_with_peer (self->tailnet, target, on_peer_found, &found, &error))
    {
      hn_bus_return_error (invocation, error);
      return TRUE;
    }
  properties = found.peer;
  id = found.id;
  hn_tailnet_get_counters_async (self->tailnet, id, self->cancellable, on_counters,
                                 hn_pending_call_new (self, invocation, id));
  return TRUE;
}

static void
on_pinged (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (HnPendingCall) call = user_data;
  HnTailnetAdaptor *self = call->adaptor;
  g_autoptr (HnPingResult) ping = NULL;
  g_autoptr (GError) error = NULL;

  ping = hn_tailnet_ping_finish (HN_TAILNET (source), result, &error);
  if (ping == NULL)
    hn_bus_return_error (call->invocation, error);
  else
    hn_dbus_tailnet_complete_ping (self->skeleton, call->invocation,
                                   hn_variants_format_ping (ping));
}

static gboolean
on_ping (HnTailnetAdaptor *self, GDBusMethodInvocation *invocation, const char *target,
         GVariant *options)
{
  g_autoptr (GError) error = NULL;
  HnPingKind kind;
  guint timeout_ms;

  if (!hn_arguments_check_target (target, &error)
      || !hn_arguments_parse_ping (options, &kind, &timeout_ms, &error))
    {
      hn_bus_return_error (invocation, error);
      return TRUE;
    }
  hn_tailnet_ping_async (self->tailnet, target, kind, timeout_ms, self->cancellable, on_pinged,
                         hn_pending_call_new (self, invocation, NULL));
  return TRUE;
}

static gboolean
on_monitor_peers (HnTailnetAdaptor *self, GDBusMethodInvocation *invocation, const char *const *ids,
                  guint interval_ms)
{
  g_autoptr (GError) error = NULL;

  if (!hn_peer_monitors_start (self->monitors, g_dbus_method_invocation_get_connection (invocation),
                               g_dbus_method_invocation_get_sender (invocation), ids, interval_ms,
                               &error))
    hn_bus_return_error (invocation, error);
  else
    hn_dbus_tailnet_complete_monitor_peers (self->skeleton, invocation);
  return TRUE;
}

static gboolean
on_stop_monitor (HnTailnetAdaptor *self, GDBusMethodInvocation *invocation)
{
  hn_peer_monitors_stop (self->monitors, g_dbus_method_invocation_get_sender (invocation));
  hn_dbus_tailnet_complete_stop_monitor (self->skeleton, invocation);
  return TRUE;
}

static void
on_netcheck_done (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (HnPendingCall) call = user_data;
  HnTailnetAdaptor *self = HN_TAILNET_ADAPTOR (call->adaptor);
  g_autoptr (HnNetcheckResult) netcheck = NULL;
  g_autoptr (GError) error = NULL;

  netcheck = hn_tailnet_netcheck_finish (HN_TAILNET (source), result, &error);
  if (netcheck == NULL)
    hn_bus_return_error (call->invocation, error);
  else
    hn_dbus_tailnet_complete_netcheck (self->skeleton, call->invocation,
                                       hn_variants_format_netcheck (netcheck));
}

static gboolean
on_netcheck (HnTailnetAdaptor *self, GDBusMethodInvocation *invocation)
{
  hn_tailnet_netcheck_async (self->tailnet, self->cancellable, on_netcheck_done,
                             hn_pending_call_new (self, invocation, NULL));
  return TRUE;
}

static gboolean
on_get_network_config (HnTailnetAdaptor *self, GDBusMethodInvocation *invocation)
{
  g_autoptr (HnNetworkConfig) config = hn_tailnet_dup_network_config (self->tailnet);

  hn_dbus_tailnet_complete_get_network_config (self->skeleton, invocation,
                                               hn_variants_format_network_config (config));
  return TRUE;
}

static void
follow_tailnet (HnTailnetAdaptor *self)
{
  g_signal_connect_swapped (self->tailnet, "status-changed", G_CALLBACK (on_status_changed), self);
  g_signal_connect_swapped (self->tailnet, "preferences-changed",
                            G_CALLBACK (on_preferences_changed), self);
  g_signal_connect_swapped (self->tailnet, "peers-changed", G_CALLBACK (on_peers_changed), self);
  g_signal_connect_swapped (self->tailnet, "network-config-changed",
                            G_CALLBACK (on_network_config_changed), self);
}

static void
serve_calls (HnTailnetAdaptor *self)
{
  static const struct
  {
    const char *signal;
    GCallback handler;
  } handlers[] = {
    { "handle-connect", G_CALLBACK (on_connect) },
    { "handle-disconnect", G_CALLBACK (on_disconnect) },
    { "handle-login", G_CALLBACK (on_login) },
    { "handle-get-login-url", G_CALLBACK (on_get_login_url) },
    { "handle-logout", G_CALLBACK (on_logout) },
    { "handle-set-preferences", G_CALLBACK (on_set_preferences) },
    { "handle-get-peers", G_CALLBACK (on_get_peers) },
    { "handle-get-peer", G_CALLBACK (on_get_peer) },
    { "handle-monitor-peers", G_CALLBACK (on_monitor_peers) },
    { "handle-stop-monitor", G_CALLBACK (on_stop_monitor) },
    { "handle-ping", G_CALLBACK (on_ping) },
    { "handle-netcheck", G_CALLBACK (on_netcheck) },
    { "handle-get-network-config", G_CALLBACK (on_get_network_config) },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (handlers); i++)
    g_signal_connect_object (self->skeleton, handlers[i].signal, handlers[i].handler, self,
                             G_CONNECT_SWAPPED);
}

HnTailnetAdaptor *
hn_tailnet_adaptor_new (HnTailnet *tailnet, HnGate *gate)
{
  HnTailnetAdaptor *self = g_object_new (HN_TYPE_TAILNET_ADAPTOR, NULL);
  g_autofree char *path = g_strconcat (HN_BUS_TAILNET_PATH, hn_tailnet_get_id (tailnet), NULL);

  self->tailnet = g_object_ref (tailnet);
  self->peers = hn_peers_cache_new (tailnet);
  self->monitors = hn_peer_monitors_new (tailnet, path);
  self->skeleton = hn_guarded_tailnet_new (gate);
  serve_calls (self);
  follow_tailnet (self);

  hn_dbus_tailnet_set_id (self->skeleton, hn_tailnet_get_id (tailnet));
  hn_dbus_tailnet_set_exit_node (self->skeleton, "");
  update_status (self);
  update_preferences (self);

  self->object = g_dbus_object_skeleton_new (path);
  g_dbus_object_skeleton_add_interface (self->object, G_DBUS_INTERFACE_SKELETON (self->skeleton));
  return self;
}

GDBusObjectSkeleton *
hn_tailnet_adaptor_get_object (HnTailnetAdaptor *self)
{
  return self->object;
}

const char *
hn_tailnet_adaptor_get_path (HnTailnetAdaptor *self)
{
  return g_dbus_object_get_object_path (G_DBUS_OBJECT (self->object));
}

HnTailnet *
hn_tailnet_adaptor_get_tailnet (HnTailnetAdaptor *self)
{
  return self->tailnet;
}

gboolean
hn_tailnet_adaptor_get_removing (HnTailnetAdaptor *self)
{
  return self->removing;
}

void
hn_tailnet_adaptor_set_removing (HnTailnetAdaptor *self, gboolean removing)
{
  self->removing = removing;
  if (removing)
    drop_owner_watch (self);
}
