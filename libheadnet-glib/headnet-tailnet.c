/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "headnet-tailnet-private.h"

#include <string.h>

#include "headnet-call-private.h"
#include "headnet-enum-types.h"
#include "headnet-error.h"
#include "headnet-peer-list-private.h"
#include "headnet-peer-private.h"
#include "headnet-values-private.h"

/**
 * HeadnetTailnet:
 *
 * One tailnet that this machine has joined or may join.
 *
 * Tailnets come out of [method@Headnet.Client.get_tailnets]. They are kept current as long as their
 * client lives and the main context in which it was made runs: each property that changes is
 * notified. When the service ends, the tailnets stay, as stopped ones without peers; a method that a
 * person asks for starts the service again.
 *
 * Methods take their options as the bus has them, see `org.headnet.Headnet1.Tailnet`.
 *
 * Since: 1.0
 */
struct _HeadnetTailnet
{
  GObject parent_instance;

  GDBusConnection *connection; /* owned */
  char *path;                  /* owned */
  HeadnetPeerList *peers;      /* owned */
  guint64 have;                /* the generation of the list; 0 before one is loaded */
  guint64 heard;               /* the newest generation that a signal told */
  GCancellable *fetch;         /* owned; NULL while the list is not asked for */
  GListStore *health;          /* owned; of HeadnetHealthItem */
  GVariant *health_value;      /* owned; what it was made of, nullable */
  char *id;
  char *name;
  char *server_url;
  int state;
  char *state_reason;
  gboolean login_pending;
  char *domain;
  char *node_name;
  HeadnetUser *user;
  GStrv addresses;
  char *interface;
  HeadnetRelay *home_relay;
  gint64 key_expiry;
  char *exit_node;
  GVariant *preferences;
  guint peer_count;
  guint64 peers_generation;
};

static const char *const none[] = { NULL };

/**
 * HeadnetTailnet:id: (getter get_id)
 *
 * Stable id, made from the first name.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:name: (getter get_name)
 *
 * What the user calls it.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:server-url: (getter get_server_url)
 *
 * Address of the coordination server.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:state: (getter get_state)
 *
 * How far it has got.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:state-reason: (getter get_state_reason)
 *
 * Stable code of why the state is not better, empty when all is well.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:login-pending: (getter get_login_pending)
 *
 * Whether a person has to open the address of [method@Headnet.Tailnet.get_login_url_async].
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:domain: (getter get_domain)
 *
 * Domain of its names, empty until known.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:node-name: (getter get_node_name)
 *
 * Our own full name in it, without final dot, empty until known.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:user: (getter get_user)
 *
 * Whom this machine belongs to, %NULL until known.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:addresses: (getter get_addresses)
 *
 * Our own tailnet addresses, without prefix length.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:interface: (getter get_interface)
 *
 * Name of the network interface, empty while there is none.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:home-relay: (getter get_home_relay)
 *
 * The relay where others find us, %NULL until chosen.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:key-expiry: (getter get_key_expiry)
 *
 * When our own key expires, in seconds since 1970 UTC; 0 for never or unknown.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:exit-node: (getter get_exit_node)
 *
 * Stable id of the peer that carries our internet traffic, empty for none.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:preferences: (getter get_preferences)
 *
 * The settings that [method@Headnet.Tailnet.set_preferences_async] changes, as on the bus; %NULL when unknown.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:peer-count: (getter get_peer_count)
 *
 * How many peers the service says there are.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:peers-generation: (getter get_peers_generation)
 *
 * Grows with every change of the list of peers.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:object-path: (getter get_object_path)
 *
 * Its object path on the bus.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:health: (getter get_health)
 *
 * A list of [class@Headnet.HealthItem]; notified when its items change.
 *
 * Since: 1.0
 */

/**
 * HeadnetTailnet:peers: (getter get_peers)
 *
 * A list of [class@Headnet.Peer], sorted by name.
 *
 * Since: 1.0
 */

static const HeadnetField fields[] = {
  { "Id", "id", G_STRUCT_OFFSET (HeadnetTailnet, id), NULL, "Stable id, made from the first name",
    HEADNET_KIND_STRING, FALSE },
  { "Name", "name", G_STRUCT_OFFSET (HeadnetTailnet, name), NULL, "What the user calls it",
    HEADNET_KIND_STRING, FALSE },
  { "ServerUrl", "server-url", G_STRUCT_OFFSET (HeadnetTailnet, server_url), NULL,
    "Address of the coordination server", HEADNET_KIND_STRING, FALSE },
  { "State", "state", G_STRUCT_OFFSET (HeadnetTailnet, state), headnet_state_get_type,
    "How far it has got", HEADNET_KIND_ENUM, FALSE },
  { "StateReason", "state-reason", G_STRUCT_OFFSET (HeadnetTailnet, state_reason), NULL,
    "Stable code of why the state is not better, empty when all is well", HEADNET_KIND_STRING,
    FALSE },
  { "LoginPending", "login-pending", G_STRUCT_OFFSET (HeadnetTailnet, login_pending), NULL,
    "Whether a person has to open the address of [method@Headnet.Tailnet.get_login_url_async]",
    HEADNET_KIND_BOOLEAN, FALSE },
  { "Domain", "domain", G_STRUCT_OFFSET (HeadnetTailnet, domain), NULL,
    "Domain of its names, empty until known", HEADNET_KIND_STRING, FALSE },
  { "NodeName", "node-name", G_STRUCT_OFFSET (HeadnetTailnet, node_name), NULL,
    "Our own full name in it, without final dot, empty until known", HEADNET_KIND_STRING, FALSE },
  { "User", "user", G_STRUCT_OFFSET (HeadnetTailnet, user), NULL,
    "Whom this machine belongs to, %NULL until known", HEADNET_KIND_USER, FALSE },
  { "Addresses", "addresses", G_STRUCT_OFFSET (HeadnetTailnet, addresses), NULL,
    "Our own tailnet addresses, without prefix length", HEADNET_KIND_STRV, FALSE },
  { "Interface", "interface", G_STRUCT_OFFSET (HeadnetTailnet, interface), NULL,
    "Name of the network interface, empty while there is none", HEADNET_KIND_STRING, FALSE },
  { "HomeRelay", "home-relay", G_STRUCT_OFFSET (HeadnetTailnet, home_relay), NULL,
    "The relay where others find us, %NULL until chosen", HEADNET_KIND_RELAY, FALSE },
  { "KeyExpiry", "key-expiry", G_STRUCT_OFFSET (HeadnetTailnet, key_expiry), NULL,
    "When our own key expires, in seconds since 1970 UTC; 0 for never or unknown",
    HEADNET_KIND_INT64, FALSE },
  { "ExitNode", "exit-node", G_STRUCT_OFFSET (HeadnetTailnet, exit_node), NULL,
    "Stable id of the peer that carries our internet traffic, empty for none", HEADNET_KIND_STRING,
    FALSE },
  { "Preferences", "preferences", G_STRUCT_OFFSET (HeadnetTailnet, preferences), NULL,
    "The settings that [method@Headnet.Tailnet.set_preferences_async] changes, as on the bus; "
    "%NULL when unknown",
    HEADNET_KIND_DICT, FALSE },
  { "PeerCount", "peer-count", G_STRUCT_OFFSET (HeadnetTailnet, peer_count), NULL,
    "How many peers the service says there are", HEADNET_KIND_UINT, FALSE },
  { "PeersGeneration", "peers-generation", G_STRUCT_OFFSET (HeadnetTailnet, peers_generation), NULL,
    "Grows with every change of the list of peers", HEADNET_KIND_UINT64, FALSE },
};

/* Properties have the number of their field, from 1; then come these. */
enum
{
  PROP_OBJECT_PATH = G_N_ELEMENTS (fields) + 1,
  PROP_HEALTH,
  PROP_PEERS,
  N_PROPERTIES,
};

enum
{
  NETWORK_CONFIG_CHANGED,
  N_SIGNALS
};

static GParamSpec *properties[N_PROPERTIES];
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (HeadnetTailnet, headnet_tailnet, G_TYPE_OBJECT)

static void
headnet_tailnet_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  HeadnetTailnet *self = HEADNET_TAILNET (object);

  if (id == PROP_OBJECT_PATH)
    g_value_set_string (value, self->path);
  else if (id == PROP_HEALTH)
    g_value_set_object (value, self->health);
  else if (id == PROP_PEERS)
    g_value_set_object (value, self->peers);
  else
    headnet_field_get (&fields[id - 1], object, value);
}

static void
headnet_tailnet_finalize (GObject *object)
{
  HeadnetTailnet *self = HEADNET_TAILNET (object);

  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    headnet_field_clear (&fields[i], object);
  g_clear_object (&self->fetch);
  g_clear_pointer (&self->health_value, g_variant_unref);
  g_clear_object (&self->health);
  g_clear_object (&self->peers);
  g_clear_object (&self->connection);
  g_free (self->path);
  G_OBJECT_CLASS (headnet_tailnet_parent_class)->finalize (object);
}

static void
headnet_tailnet_class_init (HeadnetTailnetClass *klass)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = headnet_tailnet_get_property;
  object_class->finalize = headnet_tailnet_finalize;
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    properties[i + 1] = headnet_field_spec (&fields[i]);
  properties[PROP_OBJECT_PATH]
      = g_param_spec_string ("object-path", NULL, "Its object path on the bus", NULL, flags);
  properties[PROP_HEALTH]
      = g_param_spec_object ("health", NULL, "What is wrong with it", G_TYPE_LIST_MODEL, flags);
  properties[PROP_PEERS]
      = g_param_spec_object ("peers", NULL, "The other machines", G_TYPE_LIST_MODEL, flags);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);

  /**
   * HeadnetTailnet::network-config-changed:
   * @self: a tailnet
   *
   * [method@Headnet.Tailnet.get_network_config_async] has a new answer.
   *
   * Since: 1.0
   */
  signals[NETWORK_CONFIG_CHANGED]
      = g_signal_new ("network-config-changed", HEADNET_TYPE_TAILNET, G_SIGNAL_RUN_LAST, 0, NULL,
                      NULL, NULL, G_TYPE_NONE, 0);
}

static void
headnet_tailnet_init (HeadnetTailnet *self)
{
  self->peers = headnet_peer_list_new ();
  self->health = g_list_store_new (HEADNET_TYPE_HEALTH_ITEM);
}

HeadnetTailnet *
headnet_tailnet_new (GDBusConnection *connection, const char *path)
{
  HeadnetTailnet *self = g_object_new (HEADNET_TYPE_TAILNET, NULL);

  self->connection = g_object_ref (connection);
  self->path = g_strdup (path);
  return self;
}

GDBusConnection *
headnet_tailnet_get_connection (HeadnetTailnet *self)
{
  return self->connection;
}

static gboolean
set_health (HeadnetTailnet *self, GVariant *value)
{
  g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func (g_object_unref);

  if (value != NULL
      && (!g_variant_is_of_type (value, G_VARIANT_TYPE ("aa{sv}"))
          || g_variant_n_children (value) == 0))
    value = NULL;
  if (value == self->health_value
      || (value != NULL && self->health_value != NULL
          && g_variant_equal (value, self->health_value)))
    return FALSE;
  g_clear_pointer (&self->health_value, g_variant_unref);
  self->health_value = value != NULL ? g_variant_ref (value) : NULL;
  for (gsize i = 0; value != NULL && i < g_variant_n_children (value); i++)
    {
      g_autoptr (GVariant) dict = g_variant_get_child_value (value, i);

      g_ptr_array_add (items, headnet_health_item_new_from_dict (dict));
    }
  g_list_store_splice (self->health, 0, g_list_model_get_n_items (G_LIST_MODEL (self->health)),
                       items->pdata, items->len);
  return TRUE;
}

static void
set_field (HeadnetTailnet *self, const HeadnetField *field, GVariant *value)
{
  if (headnet_field_set (field, self, value))
    g_object_notify_by_pspec (G_OBJECT (self), properties[field - fields + 1]);
}

void
headnet_tailnet_update (HeadnetTailnet *self, GVariant *dict)
{
  const char *key;
  GVariantIter iter;
  GVariant *value;
  guint hint = 0;

  g_object_freeze_notify (G_OBJECT (self));
  g_variant_iter_init (&iter, dict);
  while (g_variant_iter_loop (&iter, "{&sv}", &key, &value))
    {
      const HeadnetField *field = headnet_field_find (fields, G_N_ELEMENTS (fields), key, &hint);

      if (field != NULL)
        set_field (self, field, value);
      else if (strcmp (key, "Health") == 0 && set_health (self, value))
        g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_HEALTH]);
    }
  g_object_thaw_notify (G_OBJECT (self));
}

void
headnet_tailnet_set_stopped (HeadnetTailnet *self)
{
  static const char *const kept[] = { "Id",   "Name",      "ServerUrl",   "Domain", "NodeName",
                                      "User", "KeyExpiry", "Preferences", NULL };

  if (self->fetch != NULL)
    g_cancellable_cancel (self->fetch);
  g_clear_object (&self->fetch);
  self->have = self->heard = 0;
  g_object_freeze_notify (G_OBJECT (self));
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    if (!g_strv_contains (kept, fields[i].key))
      set_field (self, &fields[i], NULL);
  if (set_health (self, NULL))
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_HEALTH]);
  g_object_thaw_notify (G_OBJECT (self));
  headnet_peer_list_load (self->peers, NULL);
}

/* ---- the list of peers ---- */

static HeadnetCall
get_peers_call (HeadnetTailnet *self)
{
  return (HeadnetCall){
    .connection = self->connection,
    .path = self->path,
    .interface = HEADNET_TAILNET_INTERFACE,
    .method = "GetPeers",
    .reply_type = "(taa{sv})",
  };
}

static void
take_peers (HeadnetTailnet *self, GVariant *reply)
{
  g_autoptr (GVariant) peers = NULL;
  guint64 generation;

  g_variant_get (reply, "(t@aa{sv})", &generation, &peers);
  self->have = generation;
  headnet_peer_list_load (self->peers, peers);
}

gboolean
headnet_tailnet_load_peers_sync (HeadnetTailnet *self, GCancellable *cancellable, GError **error)
{
  HeadnetCall call = get_peers_call (self);
  g_autoptr (GVariant) reply = headnet_call_sync (&call, NULL, cancellable, error);

  if (reply != NULL)
    take_peers (self, reply);
  return reply != NULL;
}

static void
on_peers (GObject *source, GAsyncResult *result, gpointer user_data)
{
  HeadnetTailnet *self = HEADNET_TAILNET (source);
  g_autoptr (GTask) task = G_TASK (user_data);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply
      = headnet_call_finish (self, headnet_tailnet_load_peers, result, &error);

  if (self->fetch == g_task_get_task_data (task))
    g_clear_object (&self->fetch);
  if (reply != NULL && !g_cancellable_is_cancelled (g_task_get_task_data (task)))
    take_peers (self, reply);
  else if (error != NULL && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_debug ("no list of peers of %s: %s", self->path, error->message);
  /* a list that was on its way when the change was told */
  if (reply != NULL && self->fetch == NULL && self->have < self->heard)
    {
      self->heard = self->have;
      headnet_tailnet_load_peers (self, NULL, NULL);
    }
  g_task_return_boolean (task, TRUE);
}

void
headnet_tailnet_load_peers (HeadnetTailnet *self, GAsyncReadyCallback callback, gpointer user_data)
{
  HeadnetCall call = get_peers_call (self);
  GTask *task = g_task_new (self, NULL, callback, user_data);

  if (self->fetch != NULL)
    g_cancellable_cancel (self->fetch);
  g_clear_object (&self->fetch);
  self->fetch = g_cancellable_new ();
  g_task_set_task_data (task, g_object_ref (self->fetch), g_object_unref);
  headnet_call_async (&call, NULL, self, headnet_tailnet_load_peers, self->fetch, on_peers, task);
}

static void
on_peers_changed (HeadnetTailnet *self, GVariant *parameters)
{
  g_autoptr (GVariant) changed = NULL;
  g_autoptr (GVariant) removed = NULL;
  guint64 generation;

  g_variant_get (parameters, "(t@aa{sv}@as)", &generation, &changed, &removed);
  self->heard = MAX (self->heard, generation);
  /* old news, or what the list on its way will have */
  if (generation <= self->have || self->fetch != NULL)
    return;
  if (generation != self->have + 1
      || (g_variant_n_children (changed) == 0 && g_variant_n_children (removed) == 0))
    {
      headnet_tailnet_load_peers (self, NULL, NULL);
      return;
    }
  self->have = generation;
  headnet_peer_list_apply (self->peers, changed, removed);
}

static void
on_peer_stats (HeadnetTailnet *self, GVariant *parameters)
{
  g_autoptr (GVariant) stats = g_variant_get_child_value (parameters, 0);

  for (gsize i = 0; i < g_variant_n_children (stats); i++)
    {
      g_autoptr (GVariant) dict = g_variant_get_child_value (stats, i);
      const char *id;
      HeadnetPeer *peer;

      if (g_variant_lookup (dict, "Id", "&s", &id)
          && (peer = headnet_peer_list_lookup (self->peers, id)) != NULL)
        headnet_peer_update (g_object_ref (peer), dict, TRUE), g_object_unref (peer);
    }
}

void
headnet_tailnet_handle_signal (HeadnetTailnet *self, const char *name, GVariant *parameters)
{
  if (strcmp (name, "PeersChanged") == 0
      && g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(taa{sv}as)")))
    on_peers_changed (self, parameters);
  else if (strcmp (name, "PeerStats") == 0
           && g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(aa{sv})")))
    on_peer_stats (self, parameters);
  else if (strcmp (name, "NetworkConfigChanged") == 0)
    g_signal_emit (self, signals[NETWORK_CONFIG_CHANGED], 0);
}

HeadnetPeer *
headnet_tailnet_take_peer (HeadnetTailnet *self, GVariant *reply, GError **error)
{
  g_autoptr (GVariant) dict = g_variant_get_child_value (reply, 0);
  HeadnetPeer *peer = NULL;
  const char *id;

  if (g_variant_lookup (dict, "Id", "&s", &id))
    peer = headnet_peer_list_lookup (self->peers, id);
  if (peer != NULL)
    {
      g_object_ref (peer);
      headnet_peer_update (peer, dict, FALSE);
      return peer;
    }
  peer = headnet_peer_new_from_dict (dict);
  if (peer == NULL)
    g_set_error_literal (error, HEADNET_ERROR, HEADNET_ERROR_FAILED,
                         "The service told of a peer without an id");
  return peer;
}

/* ---- what it knows ---- */

/**
 * headnet_tailnet_get_object_path:
 * @self: a tailnet
 *
 * Returns: (transfer none): its object path on the bus
 *
 * Since: 1.0
 */
const char *
headnet_tailnet_get_object_path (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), NULL);
  return self->path;
}

/**
 * headnet_tailnet_get_id:
 * @self: a tailnet
 *
 * Returns: stable id, made from the first name
 *
 * Since: 1.0
 */
const char *
headnet_tailnet_get_id (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), "");
  return self->id != NULL ? self->id : "";
}

/**
 * headnet_tailnet_get_name:
 * @self: a tailnet
 *
 * Returns: what the user calls it
 *
 * Since: 1.0
 */
const char *
headnet_tailnet_get_name (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), "");
  return self->name != NULL ? self->name : "";
}

/**
 * headnet_tailnet_get_server_url:
 * @self: a tailnet
 *
 * Returns: address of the coordination server
 *
 * Since: 1.0
 */
const char *
headnet_tailnet_get_server_url (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), "");
  return self->server_url != NULL ? self->server_url : "";
}

/**
 * headnet_tailnet_get_state:
 * @self: a tailnet
 *
 * Returns: how far it has got
 *
 * Since: 1.0
 */
HeadnetState
headnet_tailnet_get_state (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), HEADNET_STATE_STOPPED);
  return (HeadnetState) self->state;
}

/**
 * headnet_tailnet_get_state_reason:
 * @self: a tailnet
 *
 * Returns: stable code of why the state is not better, empty when all is well
 *
 * Since: 1.0
 */
const char *
headnet_tailnet_get_state_reason (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), "");
  return self->state_reason != NULL ? self->state_reason : "";
}

/**
 * headnet_tailnet_get_login_pending:
 * @self: a tailnet
 *
 * Returns: whether a person has to open the address of [method@Headnet.Tailnet.get_login_url_async]
 *
 * Since: 1.0
 */
gboolean
headnet_tailnet_get_login_pending (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), FALSE);
  return self->login_pending;
}

/**
 * headnet_tailnet_get_domain:
 * @self: a tailnet
 *
 * Returns: domain of its names, empty until known
 *
 * Since: 1.0
 */
const char *
headnet_tailnet_get_domain (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), "");
  return self->domain != NULL ? self->domain : "";
}

/**
 * headnet_tailnet_get_node_name:
 * @self: a tailnet
 *
 * Returns: our own full name in it, without final dot, empty until known
 *
 * Since: 1.0
 */
const char *
headnet_tailnet_get_node_name (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), "");
  return self->node_name != NULL ? self->node_name : "";
}

/**
 * headnet_tailnet_get_user:
 * @self: a tailnet
 *
 * Returns: (transfer none) (nullable): whom this machine belongs to, %NULL until known
 *
 * Since: 1.0
 */
HeadnetUser *
headnet_tailnet_get_user (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), NULL);
  return self->user;
}

/**
 * headnet_tailnet_get_addresses:
 * @self: a tailnet
 *
 * Returns: (transfer none) (array zero-terminated=1): our own tailnet addresses, without prefix length
 *
 * Since: 1.0
 */
const char *const *
headnet_tailnet_get_addresses (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), none);
  return self->addresses != NULL ? (const char *const *) self->addresses : none;
}

/**
 * headnet_tailnet_get_interface:
 * @self: a tailnet
 *
 * Returns: name of the network interface, empty while there is none
 *
 * Since: 1.0
 */
const char *
headnet_tailnet_get_interface (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), "");
  return self->interface != NULL ? self->interface : "";
}

/**
 * headnet_tailnet_get_home_relay:
 * @self: a tailnet
 *
 * Returns: (transfer none) (nullable): the relay where others find us, %NULL until chosen
 *
 * Since: 1.0
 */
HeadnetRelay *
headnet_tailnet_get_home_relay (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), NULL);
  return self->home_relay;
}

/**
 * headnet_tailnet_get_key_expiry:
 * @self: a tailnet
 *
 * Returns: when our own key expires, in seconds since 1970 UTC; 0 for never or unknown
 *
 * Since: 1.0
 */
gint64
headnet_tailnet_get_key_expiry (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), 0);
  return self->key_expiry;
}

/**
 * headnet_tailnet_get_exit_node:
 * @self: a tailnet
 *
 * Returns: stable id of the peer that carries our internet traffic, empty for none
 *
 * Since: 1.0
 */
const char *
headnet_tailnet_get_exit_node (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), "");
  return self->exit_node != NULL ? self->exit_node : "";
}

/**
 * headnet_tailnet_get_preferences:
 * @self: a tailnet
 *
 * Returns: (transfer none) (nullable): the settings that [method@Headnet.Tailnet.set_preferences_async] changes, as on the bus; %NULL when unknown
 *
 * Since: 1.0
 */
GVariant *
headnet_tailnet_get_preferences (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), NULL);
  return self->preferences;
}

/**
 * headnet_tailnet_get_peer_count:
 * @self: a tailnet
 *
 * Returns: how many peers the service says there are
 *
 * Since: 1.0
 */
guint
headnet_tailnet_get_peer_count (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), 0);
  return self->peer_count;
}

/**
 * headnet_tailnet_get_peers_generation:
 * @self: a tailnet
 *
 * Returns: grows with every change of the list of peers
 *
 * Since: 1.0
 */
guint64
headnet_tailnet_get_peers_generation (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), 0);
  return self->peers_generation;
}

/**
 * headnet_tailnet_get_health:
 * @self: a tailnet
 *
 * What is wrong, and what a person can do about it. The list stays the same object.
 *
 * Returns: (transfer none): a list of [class@Headnet.HealthItem]
 *
 * Since: 1.0
 */
GListModel *
headnet_tailnet_get_health (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), NULL);
  return G_LIST_MODEL (self->health);
}

/**
 * headnet_tailnet_get_peers:
 * @self: a tailnet
 *
 * The other machines, sorted by name. The list stays the same object and is kept current, at a cost
 * per change that hardly grows with its length.
 *
 * Returns: (transfer none): a list of [class@Headnet.Peer]
 *
 * Since: 1.0
 */
GListModel *
headnet_tailnet_get_peers (HeadnetTailnet *self)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), NULL);
  return G_LIST_MODEL (self->peers);
}

/**
 * headnet_tailnet_find_peer:
 * @self: a tailnet
 * @id: the stable id of a peer
 *
 * Looks a peer up in the list, without asking the service.
 *
 * Returns: (transfer none) (nullable): the peer, %NULL when there is none
 *
 * Since: 1.0
 */
HeadnetPeer *
headnet_tailnet_find_peer (HeadnetTailnet *self, const char *id)
{
  g_return_val_if_fail (HEADNET_IS_TAILNET (self), NULL);
  g_return_val_if_fail (id != NULL, NULL);
  return headnet_peer_list_lookup (self->peers, id);
}
