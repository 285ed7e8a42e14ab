/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/hn-dns-config.h"

/**
 * hn_dns_config_new:
 *
 * Returns: (transfer full): a configuration with empty lists
 */
HnDnsConfig *
hn_dns_config_new (void)
{
  HnDnsConfig *self = g_new0 (HnDnsConfig, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->resolvers = g_new0 (char *, 1);
  self->fallback_resolvers = g_new0 (char *, 1);
  self->domains = g_new0 (char *, 1);
  return self;
}

HnDnsConfig *
hn_dns_config_ref (HnDnsConfig *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
hn_dns_config_unref (HnDnsConfig *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  g_strfreev (self->resolvers);
  g_strfreev (self->fallback_resolvers);
  g_strfreev (self->domains);
  for (gsize i = 0; i < self->n_routes; i++)
    {
      g_free (self->routes[i].suffix);
      g_strfreev (self->routes[i].resolvers);
    }
  g_free (self->routes);
  for (gsize i = 0; i < self->n_extra_records; i++)
    {
      g_free (self->extra_records[i].name);
      g_free (self->extra_records[i].type);
      g_free (self->extra_records[i].value);
    }
  g_free (self->extra_records);
  g_free (self);
}

static gboolean
same_lists (char *const *a, char *const *b)
{
  return g_strv_equal ((const char *const *) a, (const char *const *) b);
}

/**
 * hn_dns_config_equal:
 * @a: a configuration
 * @b: another one
 *
 * The order of routes counts; the codec sorts them by suffix.
 *
 * Returns: whether they say the same
 */
gboolean
hn_dns_config_equal (const HnDnsConfig *a, const HnDnsConfig *b)
{
  if (a == b)
    return TRUE;
  if (a->magic_dns != b->magic_dns || a->n_routes != b->n_routes
      || a->n_extra_records != b->n_extra_records || !same_lists (a->resolvers, b->resolvers)
      || !same_lists (a->fallback_resolvers, b->fallback_resolvers)
      || !same_lists (a->domains, b->domains))
    return FALSE;
  for (gsize i = 0; i < a->n_routes; i++)
    if (!g_str_equal (a->routes[i].suffix, b->routes[i].suffix)
        || !same_lists (a->routes[i].resolvers, b->routes[i].resolvers))
      return FALSE;
  for (gsize i = 0; i < a->n_extra_records; i++)
    if (!g_str_equal (a->extra_records[i].name, b->extra_records[i].name)
        || !g_str_equal (a->extra_records[i].type, b->extra_records[i].type)
        || !g_str_equal (a->extra_records[i].value, b->extra_records[i].value))
      return FALSE;
  return TRUE;
}
