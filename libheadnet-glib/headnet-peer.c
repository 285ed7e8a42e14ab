/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "headnet-peer-private.h"

#include <string.h>

#include "headnet-enum-types.h"
#include "headnet-values-private.h"

/**
 * HeadnetPeer:
 *
 * Another machine of a tailnet.
 *
 * Peers come out of the list that [method@Headnet.Tailnet.get_peers] returns. While a peer is in that
 * list it is kept current: each property that changes is notified, and no other.
 *
 * Since: 1.0
 */
struct _HeadnetPeer
{
  GObject parent_instance;

  char *id;
  char *name;
  char *host_name;
  GStrv addresses;
  HeadnetUser *user;
  char *os;
  GStrv tags;
  gboolean online;
  gint64 last_seen;
  gint64 key_expiry;
  gboolean expired;
  GStrv routes;
  gboolean exit_node_option;
  int path;
  char *endpoint;
  char *relay;
  guint64 latency;
  gint64 last_handshake;
  guint64 rx_bytes;
  guint64 tx_bytes;
  gboolean online_known;
};

static const char *const none[] = { NULL };

/**
 * HeadnetPeer:id: (getter get_id)
 *
 * Stable id, for telling peers apart.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:name: (getter get_name)
 *
 * Full name, without final dot.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:host-name: (getter get_host_name)
 *
 * The name it gave itself.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:addresses: (getter get_addresses)
 *
 * Its tailnet addresses.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:user: (getter get_user)
 *
 * Whose it is, %NULL when unknown.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:os: (getter get_os)
 *
 * Its system, such as linux.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:tags: (getter get_tags)
 *
 * Its tags, such as tag:server.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:online: (getter get_online)
 *
 * Whether the server sees it; %FALSE also when the server does not say.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:last-seen: (getter get_last_seen)
 *
 * When the server last saw it, in seconds since 1970 UTC; 0 when unknown.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:key-expiry: (getter get_key_expiry)
 *
 * When its key expires, in seconds since 1970 UTC; 0 for never.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:expired: (getter get_expired)
 *
 * Whether its key has expired.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:routes: (getter get_routes)
 *
 * Networks behind it that it leads to, with prefix length.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:exit-node-option: (getter get_exit_node_option)
 *
 * Whether it offers to carry internet traffic.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:path: (getter get_path)
 *
 * How packets reach it just now.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:endpoint: (getter get_endpoint)
 *
 * Its address and port, while packets go there directly; else empty.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:relay: (getter get_relay)
 *
 * Code of the relay that packets go through; else empty.
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:latency: (getter get_latency)
 *
 * Last measured round trip in microseconds, 0 when unknown; see [method@Headnet.Tailnet.get_peer_async].
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:last-handshake: (getter get_last_handshake)
 *
 * When the tunnel to it was last keyed, in seconds since 1970 UTC; see [method@Headnet.Tailnet.get_peer_async].
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:rx-bytes: (getter get_rx_bytes)
 *
 * How many bytes came from it; see [method@Headnet.Tailnet.get_peer_async].
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:tx-bytes: (getter get_tx_bytes)
 *
 * How many bytes went to it; see [method@Headnet.Tailnet.get_peer_async].
 *
 * Since: 1.0
 */

/**
 * HeadnetPeer:online-known: (getter get_online_known)
 *
 * Whether the server says if the peer is online.
 *
 * Since: 1.0
 */

static const HeadnetField fields[] = {
  { "Id", "id", G_STRUCT_OFFSET (HeadnetPeer, id), NULL, "Stable id, for telling peers apart",
    HEADNET_KIND_STRING, FALSE },
  { "Name", "name", G_STRUCT_OFFSET (HeadnetPeer, name), NULL, "Full name, without final dot",
    HEADNET_KIND_STRING, FALSE },
  { "HostName", "host-name", G_STRUCT_OFFSET (HeadnetPeer, host_name), NULL,
    "The name it gave itself", HEADNET_KIND_STRING, FALSE },
  { "Addresses", "addresses", G_STRUCT_OFFSET (HeadnetPeer, addresses), NULL,
    "Its tailnet addresses", HEADNET_KIND_STRV, FALSE },
  { "User", "user", G_STRUCT_OFFSET (HeadnetPeer, user), NULL, "Whose it is, %NULL when unknown",
    HEADNET_KIND_USER, FALSE },
  { "Os", "os", G_STRUCT_OFFSET (HeadnetPeer, os), NULL, "Its system, such as linux",
    HEADNET_KIND_STRING, FALSE },
  { "Tags", "tags", G_STRUCT_OFFSET (HeadnetPeer, tags), NULL, "Its tags, such as tag:server",
    HEADNET_KIND_STRV, FALSE },
  { "Online", "online", G_STRUCT_OFFSET (HeadnetPeer, online), NULL,
    "Whether the server sees it; %FALSE also when the server does not say", HEADNET_KIND_BOOLEAN,
    FALSE },
  { "LastSeen", "last-seen", G_STRUCT_OFFSET (HeadnetPeer, last_seen), NULL,
    "When the server last saw it, in seconds since 1970 UTC; 0 when unknown", HEADNET_KIND_INT64,
    FALSE },
  { "KeyExpiry", "key-expiry", G_STRUCT_OFFSET (HeadnetPeer, key_expiry), NULL,
    "When its key expires, in seconds since 1970 UTC; 0 for never", HEADNET_KIND_INT64, FALSE },
  { "Expired", "expired", G_STRUCT_OFFSET (HeadnetPeer, expired), NULL,
    "Whether its key has expired", HEADNET_KIND_BOOLEAN, FALSE },
  { "Routes", "routes", G_STRUCT_OFFSET (HeadnetPeer, routes), NULL,
    "Networks behind it that it leads to, with prefix length", HEADNET_KIND_STRV, FALSE },
  { "ExitNodeOption", "exit-node-option", G_STRUCT_OFFSET (HeadnetPeer, exit_node_option), NULL,
    "Whether it offers to carry internet traffic", HEADNET_KIND_BOOLEAN, FALSE },
  { "Path", "path", G_STRUCT_OFFSET (HeadnetPeer, path), headnet_path_get_type,
    "How packets reach it just now", HEADNET_KIND_ENUM, FALSE },
  { "Endpoint", "endpoint", G_STRUCT_OFFSET (HeadnetPeer, endpoint), NULL,
    "Its address and port, while packets go there directly; else empty", HEADNET_KIND_STRING,
    FALSE },
  { "Relay", "relay", G_STRUCT_OFFSET (HeadnetPeer, relay), NULL,
    "Code of the relay that packets go through; else empty", HEADNET_KIND_STRING, FALSE },
  { "Latency", "latency", G_STRUCT_OFFSET (HeadnetPeer, latency), NULL,
    "Last measured round trip in microseconds, 0 when unknown; see "
    "[method@Headnet.Tailnet.get_peer_async]",
    HEADNET_KIND_UINT64, TRUE },
  { "LastHandshake", "last-handshake", G_STRUCT_OFFSET (HeadnetPeer, last_handshake), NULL,
    "When the tunnel to it was last keyed, in seconds since 1970 UTC; see "
    "[method@Headnet.Tailnet.get_peer_async]",
    HEADNET_KIND_INT64, TRUE },
  { "RxBytes", "rx-bytes", G_STRUCT_OFFSET (HeadnetPeer, rx_bytes), NULL,
    "How many bytes came from it; see [method@Headnet.Tailnet.get_peer_async]", HEADNET_KIND_UINT64,
    TRUE },
  { "TxBytes", "tx-bytes", G_STRUCT_OFFSET (HeadnetPeer, tx_bytes), NULL,
    "How many bytes went to it; see [method@Headnet.Tailnet.get_peer_async]", HEADNET_KIND_UINT64,
    TRUE },
};

/* Properties have the number of their field, from 1. */
#define PROP_ONLINE_KNOWN (G_N_ELEMENTS (fields) + 1)

static GParamSpec *properties[G_N_ELEMENTS (fields) + 2];

G_DEFINE_FINAL_TYPE (HeadnetPeer, headnet_peer, G_TYPE_OBJECT)

static void
headnet_peer_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  if (id == PROP_ONLINE_KNOWN)
    g_value_set_boolean (value, HEADNET_PEER (object)->online_known);
  else
    headnet_field_get (&fields[id - 1], object, value);
}

static void
headnet_peer_finalize (GObject *object)
{
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    headnet_field_clear (&fields[i], object);
  G_OBJECT_CLASS (headnet_peer_parent_class)->finalize (object);
}

static void
headnet_peer_class_init (HeadnetPeerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = headnet_peer_get_property;
  object_class->finalize = headnet_peer_finalize;
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    properties[i + 1] = headnet_field_spec (&fields[i]);
  properties[PROP_ONLINE_KNOWN]
      = g_param_spec_boolean ("online-known", NULL, "Whether the server says if it is online",
                              FALSE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, G_N_ELEMENTS (properties), properties);
}

static void
headnet_peer_init (HeadnetPeer *self)
{
}

/* Which properties a dictionary changes, a bit each. */
static guint64
take_over (HeadnetPeer *self, GVariant *dict, gboolean partial)
{
  guint64 seen = 0;
  guint64 changed = 0;
  gboolean known = FALSE;
  GVariantIter iter;
  GVariant *entry;
  guint hint = 0;

  g_variant_iter_init (&iter, dict);
  while ((entry = g_variant_iter_next_value (&iter)) != NULL)
    {
      g_autoptr (GVariant) key = g_variant_get_child_value (entry, 0);
      g_autoptr (GVariant) box = g_variant_get_child_value (entry, 1);
      g_autoptr (GVariant) value = g_variant_get_variant (box);
      const HeadnetField *field = headnet_field_find (fields, G_N_ELEMENTS (fields),
                                                      g_variant_get_string (key, NULL), &hint);

      g_variant_unref (entry);
      if (field == NULL)
        continue;
      known |= strcmp (field->key, "Online") == 0;
      seen |= G_GUINT64_CONSTANT (1) << (field - fields);
      /* the list knows it by that one */
      if (field == &fields[0] && self->id != NULL)
        continue;
      if (headnet_field_set (field, self, value))
        changed |= G_GUINT64_CONSTANT (1) << (field - fields);
    }
  if (!partial && known != self->online_known)
    {
      self->online_known = known;
      changed |= G_GUINT64_CONSTANT (1) << (PROP_ONLINE_KNOWN - 1);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      gboolean absent = (seen & (G_GUINT64_CONSTANT (1) << i)) == 0;

      /* a new path comes with what belongs to it, also where the rest is not said */
      if (absent && partial && strcmp (fields[i].key, "Endpoint") != 0
          && strcmp (fields[i].key, "Relay") != 0)
        continue;
      if (absent && !fields[i].keep && headnet_field_set (&fields[i], self, NULL))
        changed |= G_GUINT64_CONSTANT (1) << i;
    }
  return changed;
}

HeadnetPeer *
headnet_peer_new_from_dict (GVariant *dict)
{
  g_autoptr (HeadnetPeer) self = g_object_new (HEADNET_TYPE_PEER, NULL);

  take_over (self, dict, FALSE);
  return self->id != NULL ? g_steal_pointer (&self) : NULL;
}

void
headnet_peer_update (HeadnetPeer *self, GVariant *dict, gboolean partial)
{
  guint64 changed = take_over (self, dict, partial);

  if (changed == 0)
    return;
  g_object_freeze_notify (G_OBJECT (self));
  for (gsize i = 0; i < PROP_ONLINE_KNOWN; i++)
    if ((changed & (G_GUINT64_CONSTANT (1) << i)) != 0)
      g_object_notify_by_pspec (G_OBJECT (self), properties[i + 1]);
  g_object_thaw_notify (G_OBJECT (self));
}

int
headnet_peer_compare (HeadnetPeer *a, HeadnetPeer *b)
{
  int order = g_strcmp0 (a->name, b->name);

  return order != 0 ? order : g_strcmp0 (a->id, b->id);
}

/**
 * headnet_peer_get_id:
 * @self: a peer
 *
 * Returns: stable id, for telling peers apart
 *
 * Since: 1.0
 */
const char *
headnet_peer_get_id (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), "");
  return self->id != NULL ? self->id : "";
}

/**
 * headnet_peer_get_name:
 * @self: a peer
 *
 * Returns: full name, without final dot
 *
 * Since: 1.0
 */
const char *
headnet_peer_get_name (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), "");
  return self->name != NULL ? self->name : "";
}

/**
 * headnet_peer_get_host_name:
 * @self: a peer
 *
 * Returns: the name it gave itself
 *
 * Since: 1.0
 */
const char *
headnet_peer_get_host_name (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), "");
  return self->host_name != NULL ? self->host_name : "";
}

/**
 * headnet_peer_get_addresses:
 * @self: a peer
 *
 * Returns: (transfer none) (array zero-terminated=1): its tailnet addresses
 *
 * Since: 1.0
 */
const char *const *
headnet_peer_get_addresses (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), none);
  return self->addresses != NULL ? (const char *const *) self->addresses : none;
}

/**
 * headnet_peer_get_user:
 * @self: a peer
 *
 * Returns: (transfer none) (nullable): whose it is, %NULL when unknown
 *
 * Since: 1.0
 */
HeadnetUser *
headnet_peer_get_user (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), NULL);
  return self->user;
}

/**
 * headnet_peer_get_os:
 * @self: a peer
 *
 * Returns: its system, such as linux
 *
 * Since: 1.0
 */
const char *
headnet_peer_get_os (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), "");
  return self->os != NULL ? self->os : "";
}

/**
 * headnet_peer_get_tags:
 * @self: a peer
 *
 * Returns: (transfer none) (array zero-terminated=1): its tags, such as tag:server
 *
 * Since: 1.0
 */
const char *const *
headnet_peer_get_tags (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), none);
  return self->tags != NULL ? (const char *const *) self->tags : none;
}

/**
 * headnet_peer_get_online:
 * @self: a peer
 *
 * Returns: whether the server sees it; %FALSE also when the server does not say
 *
 * Since: 1.0
 */
gboolean
headnet_peer_get_online (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), FALSE);
  return self->online;
}

/**
 * headnet_peer_get_last_seen:
 * @self: a peer
 *
 * Returns: when the server last saw it, in seconds since 1970 UTC; 0 when unknown
 *
 * Since: 1.0
 */
gint64
headnet_peer_get_last_seen (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), 0);
  return self->last_seen;
}

/**
 * headnet_peer_get_key_expiry:
 * @self: a peer
 *
 * Returns: when its key expires, in seconds since 1970 UTC; 0 for never
 *
 * Since: 1.0
 */
gint64
headnet_peer_get_key_expiry (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), 0);
  return self->key_expiry;
}

/**
 * headnet_peer_get_expired:
 * @self: a peer
 *
 * Returns: whether its key has expired
 *
 * Since: 1.0
 */
gboolean
headnet_peer_get_expired (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), FALSE);
  return self->expired;
}

/**
 * headnet_peer_get_routes:
 * @self: a peer
 *
 * Returns: (transfer none) (array zero-terminated=1): networks behind it that it leads to, with prefix length
 *
 * Since: 1.0
 */
const char *const *
headnet_peer_get_routes (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), none);
  return self->routes != NULL ? (const char *const *) self->routes : none;
}

/**
 * headnet_peer_get_exit_node_option:
 * @self: a peer
 *
 * Returns: whether it offers to carry internet traffic
 *
 * Since: 1.0
 */
gboolean
headnet_peer_get_exit_node_option (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), FALSE);
  return self->exit_node_option;
}

/**
 * headnet_peer_get_path:
 * @self: a peer
 *
 * Returns: how packets reach it just now
 *
 * Since: 1.0
 */
HeadnetPath
headnet_peer_get_path (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), HEADNET_PATH_NONE);
  return (HeadnetPath) self->path;
}

/**
 * headnet_peer_get_endpoint:
 * @self: a peer
 *
 * Returns: its address and port, while packets go there directly; else empty
 *
 * Since: 1.0
 */
const char *
headnet_peer_get_endpoint (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), "");
  return self->endpoint != NULL ? self->endpoint : "";
}

/**
 * headnet_peer_get_relay:
 * @self: a peer
 *
 * Returns: code of the relay that packets go through; else empty
 *
 * Since: 1.0
 */
const char *
headnet_peer_get_relay (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), "");
  return self->relay != NULL ? self->relay : "";
}

/**
 * headnet_peer_get_latency:
 * @self: a peer
 *
 * Returns: last measured round trip in microseconds, 0 when unknown; see [method@Headnet.Tailnet.get_peer_async]
 *
 * Since: 1.0
 */
guint64
headnet_peer_get_latency (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), 0);
  return self->latency;
}

/**
 * headnet_peer_get_last_handshake:
 * @self: a peer
 *
 * Returns: when the tunnel to it was last keyed, in seconds since 1970 UTC; see [method@Headnet.Tailnet.get_peer_async]
 *
 * Since: 1.0
 */
gint64
headnet_peer_get_last_handshake (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), 0);
  return self->last_handshake;
}

/**
 * headnet_peer_get_rx_bytes:
 * @self: a peer
 *
 * Returns: how many bytes came from it; see [method@Headnet.Tailnet.get_peer_async]
 *
 * Since: 1.0
 */
guint64
headnet_peer_get_rx_bytes (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), 0);
  return self->rx_bytes;
}

/**
 * headnet_peer_get_tx_bytes:
 * @self: a peer
 *
 * Returns: how many bytes went to it; see [method@Headnet.Tailnet.get_peer_async]
 *
 * Since: 1.0
 */
guint64
headnet_peer_get_tx_bytes (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), 0);
  return self->tx_bytes;
}

/**
 * headnet_peer_get_online_known:
 * @self: a peer
 *
 * Returns: whether the server says if it is online
 *
 * Since: 1.0
 */
gboolean
headnet_peer_get_online_known (HeadnetPeer *self)
{
  g_return_val_if_fail (HEADNET_IS_PEER (self), FALSE);
  return self->online_known;
}
