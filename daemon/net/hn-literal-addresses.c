/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/hn-literal-addresses.h"

struct _HnLiteralAddresses
{
  GObject parent_instance;

  char *uri;
  GPtrArray *addresses; /* of GSocketAddress */
};

#define HN_TYPE_LITERAL_ENUMERATOR (hn_literal_enumerator_get_type ())
G_DECLARE_FINAL_TYPE (HnLiteralEnumerator, hn_literal_enumerator, HN, LITERAL_ENUMERATOR,
                      GSocketAddressEnumerator)

struct _HnLiteralEnumerator
{
  GSocketAddressEnumerator parent_instance;

  GPtrArray *addresses; /* shared with the connectable */
  guint next;
};

G_DEFINE_FINAL_TYPE (HnLiteralEnumerator, hn_literal_enumerator, G_TYPE_SOCKET_ADDRESS_ENUMERATOR)

static void hn_literal_addresses_connectable_init (GSocketConnectableIface *iface);
G_DEFINE_FINAL_TYPE_WITH_CODE (HnLiteralAddresses, hn_literal_addresses, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_SOCKET_CONNECTABLE,
                                                      hn_literal_addresses_connectable_init))

static GSocketAddress *
hn_literal_enumerator_next (GSocketAddressEnumerator *enumerator, GCancellable *cancellable,
                            GError **error)
{
  HnLiteralEnumerator *self = HN_LITERAL_ENUMERATOR (enumerator);

  if (g_cancellable_set_error_if_cancelled (cancellable, error)
      || self->next >= self->addresses->len)
    return NULL;
  return g_object_ref (g_ptr_array_index (self->addresses, self->next++));
}

static void
hn_literal_enumerator_finalize (GObject *object)
{
  HnLiteralEnumerator *self = HN_LITERAL_ENUMERATOR (object);

  g_clear_pointer (&self->addresses, g_ptr_array_unref);
  G_OBJECT_CLASS (hn_literal_enumerator_parent_class)->finalize (object);
}

static void
hn_literal_enumerator_class_init (HnLiteralEnumeratorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = hn_literal_enumerator_finalize;
  G_SOCKET_ADDRESS_ENUMERATOR_CLASS (klass)->next = hn_literal_enumerator_next;
}

static void
hn_literal_enumerator_init (HnLiteralEnumerator *self)
{
}

static GSocketAddressEnumerator *
hn_literal_addresses_enumerate (GSocketConnectable *connectable)
{
  HnLiteralAddresses *self = HN_LITERAL_ADDRESSES (connectable);
  HnLiteralEnumerator *enumerator = g_object_new (HN_TYPE_LITERAL_ENUMERATOR, NULL);

  enumerator->addresses = g_ptr_array_ref (self->addresses);
  return G_SOCKET_ADDRESS_ENUMERATOR (enumerator);
}

static GSocketAddressEnumerator *
hn_literal_addresses_proxy_enumerate (GSocketConnectable *connectable)
{
  HnLiteralAddresses *self = HN_LITERAL_ADDRESSES (connectable);

  return g_object_new (G_TYPE_PROXY_ADDRESS_ENUMERATOR, "connectable", connectable, "uri",
                       self->uri, NULL);
}

static char *
hn_literal_addresses_to_string (GSocketConnectable *connectable)
{
  return g_strdup (HN_LITERAL_ADDRESSES (connectable)->uri);
}

static void
hn_literal_addresses_connectable_init (GSocketConnectableIface *iface)
{
  iface->enumerate = hn_literal_addresses_enumerate;
  iface->proxy_enumerate = hn_literal_addresses_proxy_enumerate;
  iface->to_string = hn_literal_addresses_to_string;
}

static void
hn_literal_addresses_finalize (GObject *object)
{
  HnLiteralAddresses *self = HN_LITERAL_ADDRESSES (object);

  g_clear_pointer (&self->uri, g_free);
  g_clear_pointer (&self->addresses, g_ptr_array_unref);
  G_OBJECT_CLASS (hn_literal_addresses_parent_class)->finalize (object);
}

static void
hn_literal_addresses_class_init (HnLiteralAddressesClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = hn_literal_addresses_finalize;
}

static void
hn_literal_addresses_init (HnLiteralAddresses *self)
{
  self->addresses = g_ptr_array_new_with_free_func (g_object_unref);
}

GSocketConnectable *
hn_literal_addresses_new (const char *uri, const HnIp *ips, gsize n_ips, guint16 port)
{
  HnLiteralAddresses *self = g_object_new (HN_TYPE_LITERAL_ADDRESSES, NULL);

  self->uri = g_strdup (uri);
  for (gsize i = 0; i < n_ips; i++)
    {
      g_autoptr (GInetAddress) address = NULL;

      if (ips[i].family == 0)
        continue;
      address = g_inet_address_new_from_bytes (
          ips[i].bytes, ips[i].family == 4 ? G_SOCKET_FAMILY_IPV4 : G_SOCKET_FAMILY_IPV6);
      g_ptr_array_add (self->addresses, g_inet_socket_address_new (address, port));
    }
  return G_SOCKET_CONNECTABLE (self);
}
