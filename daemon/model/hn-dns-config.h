/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tailnet's DNS settings as the server sent them. Immutable, reference counted.
 */
#pragma once

#include <glib.h>

typedef struct
{
  char *suffix;     /* without final dot */
  char **resolvers; /* NULL-terminated; empty: answered from the tailnet's own names */
} HnDnsRoute;

typedef struct
{
  char *name;
  char *type; /* "", "A" or "AAAA" */
  char *value;
} HnDnsRecord;

typedef struct
{
  gatomicrefcount ref_count;
  gboolean magic_dns; /* Proxied */
  char **resolvers;   /* NULL-terminated, never NULL; likewise below */
  char **fallback_resolvers;
  char **domains; /* search domains; the first is the tailnet's base domain */
  HnDnsRoute *routes;
  gsize n_routes;
  HnDnsRecord *extra_records;
  gsize n_extra_records;
} HnDnsConfig;

HnDnsConfig *hn_dns_config_new (void); /* empty lists; filled by the codec, then left alone */
HnDnsConfig *hn_dns_config_ref (HnDnsConfig *self);
void hn_dns_config_unref (HnDnsConfig *self);
gboolean hn_dns_config_equal (const HnDnsConfig *a, const HnDnsConfig *b);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HnDnsConfig, hn_dns_config_unref)
