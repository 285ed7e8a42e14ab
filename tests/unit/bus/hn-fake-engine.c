/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An engine without a network. */
#include "hn-fake-engine.h"

#include <string.h>

#include "base/hn-error.h"

struct _HnTailnet
{
  GObject parent_instance;

  HnEngine *engine; /* borrowed */
  char *id;
  HnPreferences *preferences;
  HnStatus *status;
  GPtrArray *nodes;
  guint64 generation;
  gboolean wanted, network_manager, hold;
  GPtrArray *held; /* of GTask */
  char *auth_key;
  HnSecretText *login_url;
};

struct _HnEngine
{
  GObject parent_instance;

  GPtrArray *tailnets;
  gboolean hold;
  GPtrArray *held; /* of GTask */
};

G_DEFINE_FINAL_TYPE (HnTailnet, hn_tailnet, G_TYPE_OBJECT)
G_DEFINE_FINAL_TYPE (HnEngine, hn_engine, G_TYPE_OBJECT)

static void
hn_tailnet_finalize (GObject *object)
{
  HnTailnet *self = HN_TAILNET (object);

  g_free (self->id);
  hn_preferences_free (self->preferences);
  hn_status_free (self->status);
  g_ptr_array_unref (self->nodes);
  g_ptr_array_unref (self->held);
  g_free (self->auth_key);
  g_clear_pointer (&self->login_url, hn_secret_text_unref);
  G_OBJECT_CLASS (hn_tailnet_parent_class)->finalize (object);
}

static void
hn_tailnet_class_init (HnTailnetClass *klass)
{
  GType type = G_TYPE_FROM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = hn_tailnet_finalize;
  g_signal_new ("status-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  g_signal_new ("preferences-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                0);
  g_signal_new ("peers-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 3,
                G_TYPE_UINT64, G_TYPE_PTR_ARRAY, G_TYPE_PTR_ARRAY);
  g_signal_new ("network-config-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                0);
}

static void
hn_tailnet_init (HnTailnet *self)
{
  self->status = hn_status_new ();
  self->nodes = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  self->held = g_ptr_array_new_with_free_func (g_object_unref);
}

static void
hn_engine_finalize (GObject *object)
{
  HnEngine *self = HN_ENGINE (object);

  g_ptr_array_unref (self->tailnets);
  g_ptr_array_unref (self->held);
  G_OBJECT_CLASS (hn_engine_parent_class)->finalize (object);
}

static void
hn_engine_class_init (HnEngineClass *klass)
{
  GType type = G_TYPE_FROM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = hn_engine_finalize;
  g_signal_new ("tailnet-added", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                HN_TYPE_TAILNET);
  g_signal_new ("tailnet-removed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                HN_TYPE_TAILNET);
  g_signal_new ("activity-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
hn_engine_init (HnEngine *self)
{
  self->tailnets = g_ptr_array_new_with_free_func (g_object_unref);
  self->held = g_ptr_array_new_with_free_func (g_object_unref);
}

HnEngine *
hn_engine_new (const char *state_directory, const char *runtime_directory, GError **error)
{
  return g_object_new (HN_TYPE_ENGINE, NULL);
}

void
hn_engine_start (HnEngine *self)
{
}

void
hn_engine_stop (HnEngine *self)
{
}

GPtrArray *
hn_engine_get_tailnets (HnEngine *self)
{
  return self->tailnets;
}

HnTailnet *
hn_engine_get_tailnet (HnEngine *self, const char *id)
{
  for (guint i = 0; i < self->tailnets->len; i++)
    if (g_str_equal (hn_tailnet_get_id (g_ptr_array_index (self->tailnets, i)), id))
      return g_ptr_array_index (self->tailnets, i);
  return NULL;
}

HnTailnet *
hn_engine_add_tailnet (HnEngine *self, const HnPreferences *preferences, GError **error)
{
  HnTailnet *tailnet;

  for (guint i = 0; i < self->tailnets->len; i++)
    {
      tailnet = g_ptr_array_index (self->tailnets, i);
      if (g_str_equal (tailnet->preferences->name, preferences->name))
        {
          g_set_error (error, HN_ERROR, HN_ERROR_EXISTS, "The name %s is in use",
                       preferences->name);
          return NULL;
        }
    }
  tailnet = g_object_new (HN_TYPE_TAILNET, NULL);
  tailnet->engine = self;
  tailnet->preferences = hn_preferences_copy (preferences);
  tailnet->id = g_ascii_strdown (*preferences->name != '\0' ? preferences->name : "unnamed", -1);
  g_strcanon (tailnet->id, "abcdefghijklmnopqrstuvwxyz0123456789", '_');
  g_ptr_array_add (self->tailnets, tailnet);
  g_signal_emit_by_name (self, "tailnet-added", tailnet);
  return tailnet;
}

static void
finish_removal (GTask *task)
{
  HnEngine *self = g_task_get_source_object (task);
  g_autoptr (HnTailnet) tailnet = g_object_ref (g_task_get_task_data (task));

  g_ptr_array_remove (self->tailnets, tailnet);
  g_signal_emit_by_name (self, "tailnet-removed", tailnet);
  g_signal_emit_by_name (self, "activity-changed");
  g_task_return_boolean (task, TRUE);
}

void
hn_engine_remove_tailnet_async (HnEngine *self, HnTailnet *tailnet, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);

  g_task_set_task_data (task, g_object_ref (tailnet), g_object_unref);
  if (self->hold)
    g_ptr_array_add (self->held, g_steal_pointer (&task));
  else
    finish_removal (task);
}

gboolean
hn_engine_remove_tailnet_finish (HnEngine *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

void
hn_fake_engine_hold (HnEngine *self, gboolean hold)
{
  self->hold = hold;
}

void
hn_fake_engine_release (HnEngine *self)
{
  for (guint i = 0; i < self->held->len; i++)
    finish_removal (g_ptr_array_index (self->held, i));
  g_ptr_array_set_size (self->held, 0);
}

gboolean
hn_engine_is_active (HnEngine *self)
{
  for (guint i = 0; i < self->tailnets->len; i++)
    if (hn_tailnet_is_wanted (g_ptr_array_index (self->tailnets, i)))
      return TRUE;
  return FALSE;
}

void
hn_check_step_free (HnCheckStep *step)
{
  g_free (step->text);
  g_free (step);
}

void
hn_engine_check_server_async (HnEngine *self, const char *url, const char *ca_certificate,
                              GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);
  GPtrArray *steps = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_check_step_free);
  HnCheckStep *step = g_new0 (HnCheckStep, 1);

  step->step = "name";
  step->text = g_strdup_printf ("There is no host %s", url);
  step->latency_us = 12;
  g_ptr_array_add (steps, step);
  g_task_return_pointer (task, steps, (GDestroyNotify) g_ptr_array_unref);
}

GPtrArray *
hn_engine_check_server_finish (HnEngine *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

const char *
hn_tailnet_get_id (HnTailnet *self)
{
  return self->id;
}

const HnPreferences *
hn_tailnet_get_preferences (HnTailnet *self)
{
  return self->preferences;
}

const HnStatus *
hn_tailnet_get_status (HnTailnet *self)
{
  return self->status;
}

guint64
hn_tailnet_get_peers_generation (HnTailnet *self)
{
  return self->generation;
}

gboolean
hn_tailnet_is_wanted (HnTailnet *self)
{
  return self->wanted;
}

gboolean
hn_tailnet_is_busy (HnTailnet *self)
{
  return self->held->len > 0;
}

void
hn_fake_tailnet_set_state (HnTailnet *self, HnTailnetState state, const char *reason)
{
  self->status->state = state;
  g_free (self->status->state_reason);
  self->status->state_reason = g_strdup (reason);
  g_signal_emit_by_name (self, "status-changed");
}

static void
set_wanted (HnTailnet *self, gboolean wanted)
{
  self->wanted = wanted;
  hn_fake_tailnet_set_state (self, wanted ? HN_TAILNET_RUNNING : HN_TAILNET_STOPPED, "");
  g_signal_emit_by_name (self->engine, "activity-changed");
}

gboolean
hn_tailnet_connect (HnTailnet *self, gboolean network_manager, GError **error)
{
  self->network_manager = network_manager;
  set_wanted (self, TRUE);
  return TRUE;
}

void
hn_tailnet_disconnect (HnTailnet *self)
{
  self->network_manager = FALSE;
  set_wanted (self, FALSE);
}

gboolean
hn_fake_tailnet_get_network_manager (HnTailnet *self)
{
  return self->network_manager;
}

const char *
hn_fake_tailnet_get_auth_key (HnTailnet *self)
{
  return self->auth_key;
}

/* Ends @task as what it stands for would. */
static void
finish (GTask *task)
{
  if (g_task_return_error_if_cancelled (task))
    return;
  if (g_task_get_source_tag (task) == hn_tailnet_ping_async)
    {
      HnPingResult *result = g_new0 (HnPingResult, 1);

      result->path = "relay";
      result->endpoint = g_strdup ("");
      result->relay_code = g_strdup ("hs");
      result->latency_us = 1234;
      result->kind = hn_ping_kind_to_string (GPOINTER_TO_UINT (g_task_get_task_data (task)));
      g_task_return_pointer (task, result, (GDestroyNotify) hn_ping_result_free);
      return;
    }
  if (g_task_get_source_tag (task) == hn_tailnet_netcheck_async)
    {
      HnNetcheckResult *result = g_new0 (HnNetcheckResult, 1);

      result->udp = TRUE;
      result->ipv4 = g_strdup ("192.0.2.1:41641");
      result->ipv6 = g_strdup ("");
      result->relays = g_new0 (HnRelayView, 1);
      result->n_relays = 1;
      result->relays[0] = (HnRelayView){ 999, g_strdup ("hs"), g_strdup ("Lab"), 1234 };
      result->time = 1795000000;
      result->port_mapping = "pcp";
      g_task_return_pointer (task, result, (GDestroyNotify) hn_netcheck_result_free);
      return;
    }
  g_task_return_boolean (task, TRUE);
}

static void
finish_or_hold (HnTailnet *self, GTask *task)
{
  if (self->hold)
    g_ptr_array_add (self->held, g_object_ref (task));
  else
    finish (task);
}

void
hn_fake_tailnet_hold (HnTailnet *self, gboolean hold)
{
  self->hold = hold;
}

void
hn_fake_tailnet_release (HnTailnet *self)
{
  for (guint i = 0; i < self->held->len; i++)
    finish (g_ptr_array_index (self->held, i));
  g_ptr_array_set_size (self->held, 0);
}

void
hn_tailnet_login_async (HnTailnet *self, HnSecretText *auth_key, gboolean accept_server_key,
                        GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);

  g_free (self->auth_key);
  self->auth_key = auth_key != NULL ? g_strdup (hn_secret_text_reveal (auth_key)) : NULL;
  g_clear_pointer (&self->login_url, hn_secret_text_unref);
  if (auth_key == NULL)
    self->login_url = hn_secret_text_new ("https://hs.test/register/0123");
  self->status->login_pending = auth_key == NULL;
  if (g_strcmp0 (self->auth_key, "wrong") == 0)
    g_task_return_new_error (task, HN_ERROR, HN_ERROR_AUTH_KEY_REFUSED,
                             "The server says:\n\033[1mno\xff such key");
  else if (g_strcmp0 (self->auth_key, "nobody") == 0)
    g_task_return_new_error (task, HN_ERROR, HN_ERROR_TLS_EXPIRED, "The certificate has expired");
  else
    finish_or_hold (self, task);
}

gboolean
hn_tailnet_login_finish (HnTailnet *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

HnSecretText *
hn_tailnet_dup_login_url (HnTailnet *self, GError **error)
{
  if (self->login_url != NULL)
    return hn_secret_text_ref (self->login_url);
  g_set_error_literal (error, HN_ERROR, HN_ERROR_NOT_FOUND, "No login is pending");
  return NULL;
}

void
hn_tailnet_logout_async (HnTailnet *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);

  finish_or_hold (self, task);
}

gboolean
hn_tailnet_logout_finish (HnTailnet *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

gboolean
hn_tailnet_set_preferences (HnTailnet *self, const HnPreferences *preferences, GError **error)
{
  hn_preferences_free (self->preferences);
  self->preferences = hn_preferences_copy (preferences);
  g_signal_emit_by_name (self, "preferences-changed");
  return TRUE;
}

static HnNode *
make_node (guint i, HnOnline online)
{
  g_autofree char *id = g_strdup_printf ("n%u", i);
  g_autofree char *name = g_strdup_printf ("peer-%u.tail.test.", i);
  g_autofree char *host_name = g_strdup_printf ("peer-%u", i);
  g_autofree char *v4 = g_strdup_printf ("100.%u.%u.%u/32", 64 + i / 65536, i / 256 % 256, i % 256);
  g_autofree char *v6 = g_strdup_printf ("fd7a:115c:a1e0::%x/128", i + 1);
  const char *tags[] = { "tag:server", NULL };
  HnPrefix addresses[2];
  HnNodeFields fields = {
    .id = i + 1,
    .stable_id = id,
    .name = name,
    .user_id = 7,
    .online = online,
    .last_seen = 1700000000,
    .key_expiry = 1800000000,
    .machine_authorized = TRUE,
    .home_derp = 999,
    .host_name = host_name,
    .os = "linux",
    .tags = i % 2 == 0 ? tags : NULL,
    .addresses = addresses,
    .n_addresses = 2,
    .allowed_ips = addresses,
    .n_allowed_ips = 2,
  };

  g_assert_true (hn_prefix_parse (v4, FALSE, &addresses[0]));
  g_assert_true (hn_prefix_parse (v6, FALSE, &addresses[1]));
  return hn_node_new (&fields);
}

static void
tell_peers_changed (HnTailnet *self, const char *changed, const char *removed)
{
  g_autoptr (GPtrArray) changed_ids = g_ptr_array_new ();
  g_autoptr (GPtrArray) removed_ids = g_ptr_array_new ();

  if (changed != NULL)
    g_ptr_array_add (changed_ids, (gpointer) changed);
  if (removed != NULL)
    g_ptr_array_add (removed_ids, (gpointer) removed);
  self->generation++;
  self->status->peer_count = self->nodes->len;
  g_signal_emit_by_name (self, "peers-changed", self->generation, changed_ids, removed_ids);
}

void
hn_fake_tailnet_set_peers (HnTailnet *self, guint n)
{
  g_ptr_array_set_size (self->nodes, 0);
  for (guint i = 0; i < n; i++)
    g_ptr_array_add (self->nodes, make_node (i, HN_ONLINE_YES));
  tell_peers_changed (self, NULL, NULL);
}

void
hn_fake_tailnet_set_large_peers (HnTailnet *self, guint n)
{
  const char *tags[65] = { NULL };
  g_autofree char *text = g_strnfill (250, 't');

  for (guint i = 0; i < G_N_ELEMENTS (tags) - 1; i++)
    tags[i] = text;
  g_ptr_array_set_size (self->nodes, 0);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (HnNode) node = make_node (i, HN_ONLINE_YES);
      HnNodeFields fields = *hn_node_get (node);

      fields.tags = tags;
      g_ptr_array_add (self->nodes, hn_node_new (&fields));
    }
  tell_peers_changed (self, NULL, NULL);
}

void
hn_fake_tailnet_remove_peer (HnTailnet *self, guint index)
{
  g_autoptr (HnNode) node = hn_node_ref (g_ptr_array_index (self->nodes, index));

  g_ptr_array_remove_index (self->nodes, index);
  tell_peers_changed (self, NULL, hn_node_get (node)->stable_id);
}

void
hn_fake_tailnet_change_peer (HnTailnet *self, guint index)
{
  HnNode *node = g_ptr_array_index (self->nodes, index);
  HnOnline online = hn_node_get (node)->online == HN_ONLINE_YES ? HN_ONLINE_NO : HN_ONLINE_YES;

  hn_node_unref (node);
  node = make_node (index, online);
  g_ptr_array_index (self->nodes, index) = node;
  tell_peers_changed (self, hn_node_get (node)->stable_id, NULL);
}

static void
show_peer (HnNode *node, HnPeerFunc func, gpointer data)
{
  HnPeerView view = {
    .node = node,
    .user_login = "anna@example.com",
    .user_display = "Anna",
    .path = "relay",
    .endpoint = "",
    .relay_code = "hs",
  };

  func (&view, data);
}

void
hn_tailnet_foreach_peer (HnTailnet *self, HnPeerFunc func, gpointer data)
{
  for (guint i = 0; i < self->nodes->len; i++)
    show_peer (g_ptr_array_index (self->nodes, i), func, data);
}

gboolean
hn_tailnet_with_peer (HnTailnet *self, const char *target, HnPeerFunc func, gpointer data,
                      GError **error)
{
  for (guint i = 0; i < self->nodes->len; i++)
    {
      HnNode *node = g_ptr_array_index (self->nodes, i);

      if (g_str_equal (hn_node_get (node)->stable_id, target)
          || g_str_equal (hn_node_get (node)->name, target))
        {
          show_peer (node, func, data);
          return TRUE;
        }
    }
  g_set_error (error, HN_ERROR, HN_ERROR_NOT_FOUND, "There is no peer %s", target);
  return FALSE;
}

void
hn_tailnet_get_counters_async (HnTailnet *self, const char *stable_id, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);

  finish_or_hold (self, task);
}

gboolean
hn_tailnet_get_counters_finish (HnTailnet *self, GAsyncResult *result, HnPeerCounters *counters,
                                GError **error)
{
  counters->latency_us = 42;
  counters->rx_bytes = 1000;
  counters->tx_bytes = 2000;
  return g_task_propagate_boolean (G_TASK (result), error);
}

void
hn_tailnet_ping_async (HnTailnet *self, const char *target, HnPingKind kind, guint timeout_ms,
                       GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);

  g_task_set_source_tag (task, hn_tailnet_ping_async);
  g_task_set_task_data (task, GUINT_TO_POINTER (kind), NULL);
  if (!self->wanted)
    g_task_return_new_error (task, HN_ERROR, HN_ERROR_NOT_CONNECTED, "Connect first");
  else
    finish_or_hold (self, task);
}

HnPingResult *
hn_tailnet_ping_finish (HnTailnet *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

HnNetworkConfig *
hn_tailnet_dup_network_config (HnTailnet *self)
{
  HnNetworkConfig *config = g_new0 (HnNetworkConfig, 1);

  config->interface = "headnet0";
  config->mtu = 1280;
  config->addresses = g_strsplit ("100.64.0.1/32", ",", 0);
  config->dns_servers = g_strsplit ("", ",", 0);
  config->dns_domains = g_strsplit ("", ",", 0);
  config->search_domains = g_strsplit ("", ",", 0);
  return config;
}

void
hn_network_config_free (HnNetworkConfig *config)
{
  g_strfreev (config->addresses);
  g_strfreev (config->dns_servers);
  g_strfreev (config->dns_domains);
  g_strfreev (config->search_domains);
  g_free (config);
}

void
hn_tailnet_get_many_counters_async (HnTailnet *self, const char *const *stable_ids,
                                    GCancellable *cancellable, GAsyncReadyCallback callback,
                                    gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);
  GArray *many = g_array_new (FALSE, TRUE, sizeof (HnPeerCounters));

  for (guint i = 0; stable_ids[i] != NULL; i++)
    {
      HnPeerCounters counters = { .latency_us = 42, .rx_bytes = 1000 + i };

      g_array_append_val (many, counters);
    }
  g_task_return_pointer (task, many, (GDestroyNotify) g_array_unref);
}

GArray *
hn_tailnet_get_many_counters_finish (HnTailnet *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

void
hn_tailnet_netcheck_async (HnTailnet *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                           gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);

  g_task_set_source_tag (task, hn_tailnet_netcheck_async);
  finish_or_hold (self, task);
}

HnNetcheckResult *
hn_tailnet_netcheck_finish (HnTailnet *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
