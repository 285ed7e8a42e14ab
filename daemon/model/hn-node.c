/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/hn-node.h"

#include <string.h>

#include "model/hn-string-pool.h"

/*
 * One allocation holds everything: this struct, then the pointer arrays, endpoints, prefixes and
 * texts that its fields point to. Only texts that many nodes share live in the string pool.
 */
struct _HnNode
{
  gatomicrefcount ref_count;
  guint32 size; /* of all of it */
  HnNodeFields fields;
};

static gsize
text_size (const char *text)
{
  return text != NULL ? strlen (text) + 1 : 1;
}

static gsize
list_length (const char *const *list)
{
  return list != NULL ? g_strv_length ((GStrv) list) : 0;
}

static const char *
put_text (char **tail, const char *text)
{
  const gsize size = text_size (text);
  char *put = *tail;

  memcpy (put, text != NULL ? text : "", size);
  *tail += size;
  return put;
}

static const void *
put_array (char **tail, const void *items, gsize n, gsize item_size)
{
  void *put = *tail;

  if (n == 0)
    return NULL;
  memcpy (put, items, n * item_size);
  *tail += n * item_size;
  return put;
}

/* Prefixes of a node repeat themselves: what it is routed are mostly just its addresses. */
static gboolean
same_prefixes (const HnPrefix *a, gsize n_a, const HnPrefix *b, gsize n_b)
{
  if (n_a != n_b)
    return FALSE;
  for (gsize i = 0; i < n_a; i++)
    if (!hn_prefix_equal (&a[i], &b[i]))
      return FALSE;
  return TRUE;
}

static const char *const *
put_shared_list (char **tail, const char *const *list, gsize n)
{
  const char **put = (const char **) (gpointer) *tail;

  if (n == 0)
    return NULL;
  for (gsize i = 0; i < n; i++)
    put[i] = hn_string_pool_acquire (list[i]);
  put[n] = NULL;
  *tail += (n + 1) * sizeof (char *);
  return put;
}

static void
release_shared_list (const char *const *list)
{
  for (gsize i = 0; list != NULL && list[i] != NULL; i++)
    hn_string_pool_release (list[i]);
}

/**
 * hn_node_new:
 * @fields: what the node is made of; strings, arrays and lists are copied
 *
 * A final dot of the name is taken off, and NULL texts become empty ones.
 *
 * Returns: (transfer full): the sealed node
 */
HnNode *
hn_node_new (const HnNodeFields *fields)
{
  const gsize n_tags = list_length (fields->tags);
  const gsize n_caps = list_length (fields->capabilities);
  const gboolean own_allowed = !same_prefixes (fields->allowed_ips, fields->n_allowed_ips,
                                               fields->addresses, fields->n_addresses);
  gsize size = sizeof (HnNode);
  HnNodeFields *to;
  HnNode *self;
  char *tail;
  gsize len;

  size += n_tags > 0 ? (n_tags + 1) * sizeof (char *) : 0;
  size += n_caps > 0 ? (n_caps + 1) * sizeof (char *) : 0;
  size += fields->n_endpoints * sizeof (HnEndpoint);
  size += (fields->n_addresses + fields->n_primary_routes) * sizeof (HnPrefix);
  size += own_allowed ? fields->n_allowed_ips * sizeof (HnPrefix) : 0;
  size += text_size (fields->stable_id) + text_size (fields->name);
  size += text_size (fields->host_name);

  self = g_malloc (size);
  g_atomic_ref_count_init (&self->ref_count);
  self->size = (guint32) size;
  self->fields = *fields;
  to = &self->fields;

  /* By falling alignment: pointers, ports, bytes. */
  tail = (char *) (self + 1);
  to->tags = put_shared_list (&tail, fields->tags, n_tags);
  to->capabilities = put_shared_list (&tail, fields->capabilities, n_caps);
  to->endpoints = put_array (&tail, fields->endpoints, fields->n_endpoints, sizeof (HnEndpoint));
  to->addresses = put_array (&tail, fields->addresses, fields->n_addresses, sizeof (HnPrefix));
  to->primary_routes
      = put_array (&tail, fields->primary_routes, fields->n_primary_routes, sizeof (HnPrefix));
  to->allowed_ips = own_allowed ? put_array (&tail, fields->allowed_ips, fields->n_allowed_ips,
                                             sizeof (HnPrefix))
                                : to->addresses;
  to->stable_id = put_text (&tail, fields->stable_id);
  to->name = put_text (&tail, fields->name);
  len = strlen (to->name);
  if (len > 0 && to->name[len - 1] == '.')
    ((char *) to->name)[len - 1] = '\0';
  to->host_name = put_text (&tail, fields->host_name);
  to->os = hn_string_pool_acquire (fields->os != NULL ? fields->os : "");

  g_assert (tail == (char *) self + size);
  return self;
}

/**
 * hn_node_ref:
 * @self: a node
 *
 * May be called from any thread.
 *
 * Returns: (transfer full): @self
 */
HnNode *
hn_node_ref (HnNode *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

/**
 * hn_node_unref:
 * @self: (transfer full): a node
 *
 * May be called from any thread.
 */
void
hn_node_unref (HnNode *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  release_shared_list (self->fields.tags);
  release_shared_list (self->fields.capabilities);
  hn_string_pool_release (self->fields.os);
  g_free (self);
}

const HnNodeFields *
hn_node_get (const HnNode *self)
{
  return &self->fields;
}

gsize
hn_node_get_size (const HnNode *self)
{
  return self->size;
}

HnNode *
hn_node_from_fields (const HnNodeFields *fields)
{
  return (HnNode *) (gpointer) ((char *) fields - G_STRUCT_OFFSET (HnNode, fields));
}

/* Texts of both lists are shared: equal content is the same pointer. */
static gboolean
same_shared_lists (const char *const *a, const char *const *b)
{
  if (a == NULL || b == NULL)
    return a == b;
  while (*a != NULL && *a == *b)
    a++, b++;
  return *a == *b;
}

static gboolean
same_endpoints (const HnNodeFields *a, const HnNodeFields *b)
{
  if (a->n_endpoints != b->n_endpoints)
    return FALSE;
  for (gsize i = 0; i < a->n_endpoints; i++)
    if (!hn_endpoint_equal (&a->endpoints[i], &b->endpoints[i]))
      return FALSE;
  return TRUE;
}

gboolean
hn_node_equal (const HnNode *a_node, const HnNode *b_node)
{
  const HnNodeFields *a = &a_node->fields;
  const HnNodeFields *b = &b_node->fields;

  if (a_node == b_node)
    return TRUE;
  return a->id == b->id && a->user_id == b->user_id && hn_node_public_equal (&a->key, &b->key)
         && hn_machine_public_equal (&a->machine, &b->machine)
         && hn_disco_public_equal (&a->disco, &b->disco) && a->key_expiry == b->key_expiry
         && a->last_seen == b->last_seen && a->created == b->created && a->online == b->online
         && !a->machine_authorized == !b->machine_authorized && !a->expired == !b->expired
         && !a->wireguard_only == !b->wireguard_only && !a->jailed == !b->jailed
         && !a->unsigned_peer_api_only == !b->unsigned_peer_api_only && a->home_derp == b->home_derp
         && a->cap == b->cap && a->os == b->os && strcmp (a->stable_id, b->stable_id) == 0
         && strcmp (a->name, b->name) == 0 && strcmp (a->host_name, b->host_name) == 0
         && same_shared_lists (a->tags, b->tags)
         && same_shared_lists (a->capabilities, b->capabilities) && same_endpoints (a, b)
         && same_prefixes (a->addresses, a->n_addresses, b->addresses, b->n_addresses)
         && same_prefixes (a->allowed_ips, a->n_allowed_ips, b->allowed_ips, b->n_allowed_ips)
         && same_prefixes (a->primary_routes, a->n_primary_routes, b->primary_routes,
                           b->n_primary_routes);
}

const char *
hn_node_get_short_name (const HnNode *self, char *buf, gsize size)
{
  gsize len = strcspn (self->fields.name, ".");

  if (size == 0)
    return buf;
  len = MIN (len, size - 1);
  memcpy (buf, self->fields.name, len);
  buf[len] = '\0';
  return buf;
}

gboolean
hn_node_has_capability (const HnNode *self, const char *name)
{
  return self->fields.capabilities != NULL && g_strv_contains (self->fields.capabilities, name);
}

gboolean
hn_node_is_expired (const HnNode *self, gint64 now)
{
  return self->fields.expired || (self->fields.key_expiry != 0 && self->fields.key_expiry <= now);
}
