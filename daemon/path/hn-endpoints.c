/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-endpoints.h"

#include <string.h>

#define SEEN_US (310 * G_USEC_PER_SEC)
#define SEEN_PER_ADDRESS 6
#define V6_PER_SUBNET 2

static void
forget_old (HnSeenMappings *self, gint64 now_us)
{
  guint n = 0;

  for (guint i = 0; i < self->n; i++)
    if (now_us - self->items[i].seen_us < SEEN_US)
      self->items[n++] = self->items[i];
  self->n = n;
}

static void
remove_item (HnSeenMappings *self, guint i)
{
  memmove (&self->items[i], &self->items[i + 1], (self->n - i - 1) * sizeof self->items[0]);
  self->n--;
}

static void
note (HnSeenMappings *self, const HnEndpoint *endpoint, gint64 now_us)
{
  guint of_address = 0;

  for (guint i = 0; i < self->n; i++)
    if (hn_endpoint_equal (&self->items[i].endpoint, endpoint))
      remove_item (self, i--);
  for (guint i = 0; i < self->n; i++)
    if (hn_ip_equal (&self->items[i].endpoint.ip, &endpoint->ip)
        && ++of_address >= SEEN_PER_ADDRESS)
      remove_item (self, i--);
  if (self->n == HN_SEEN_MAPPINGS_MAX)
    self->n--;
  memmove (&self->items[1], &self->items[0], self->n * sizeof self->items[0]);
  self->items[0].endpoint = *endpoint;
  self->items[0].seen_us = now_us;
  self->n++;
}

/* One server alone may see a mapping made for it only. */
static gboolean
is_worth_telling (const HnNetReport *report, guint i)
{
  return report->mapping_counts[i] > 1
         || hn_endpoint_equal (&report->mappings[i], &report->global_v4)
         || hn_endpoint_equal (&report->mappings[i], &report->global_v6);
}

void
hn_seen_mappings_note (HnSeenMappings *self, const HnNetReport *report, gint64 now_us)
{
  forget_old (self, now_us);
  for (guint i = report->n_mappings; i > 0; i--)
    if (is_worth_telling (report, i - 1))
      note (self, &report->mappings[i - 1], now_us);
}

void
hn_seen_mappings_clear (HnSeenMappings *self)
{
  self->n = 0;
}

/* Tunnel in tunnel: what every client of the ecosystem uses inside. */
static gboolean
is_tailnet (const HnIp *ip)
{
  static const guint8 ula[6] = { 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0 };

  if (ip->family == 4)
    return ip->bytes[0] == 100 && (ip->bytes[1] & 0xc0) == 64;
  return memcmp (ip->bytes, ula, sizeof ula) == 0;
}

static gboolean
is_allowed (const HnEndpointSources *sources, const HnIp *ip)
{
  static const guint8 zeros[16];
  gsize len = ip->family == 4 ? 4 : 16;

  if ((ip->family != 4 && ip->family != 6) || memcmp (ip->bytes, zeros, len) == 0
      || (ip->family == 4 && ip->bytes[0] >= 224) || hn_ip_is_multicast (ip) || is_tailnet (ip)
      || (ip->family == 6 && hn_ip_is_link_local (ip)))
    return FALSE;
  for (gsize i = 0; i < sources->n_forbidden; i++)
    if (hn_prefix_contains (&sources->forbidden[i], ip))
      return FALSE;
  return TRUE;
}

static void
add (GArray *list, const HnEndpointSources *sources, const HnIp *ip, guint16 port,
     HnEndpointType type)
{
  HnTypedEndpoint item = { .endpoint = { .ip = *ip, .port = port }, .type = type };

  if (port == 0 || list->len >= HN_ENDPOINTS_MAX || !is_allowed (sources, ip))
    return;
  for (guint i = 0; i < list->len; i++)
    if (hn_endpoint_equal (&g_array_index (list, HnTypedEndpoint, i).endpoint, &item.endpoint))
      return;
  g_array_append_val (list, item);
}

static void
add_stun (GArray *list, const HnEndpointSources *sources, const HnEndpoint *endpoint)
{
  /* A server that says so is mistaken or lying. */
  if (!hn_ip_is_loopback (&endpoint->ip))
    add (list, sources, &endpoint->ip, endpoint->port, HN_ENDPOINT_STUN);
}

/* In which group of local addresses it is; the next group is used only if all before are empty. */
static guint
get_group (const HnIp *ip)
{
  if (hn_ip_is_loopback (ip))
    return 2;
  if (hn_ip_is_link_local (ip) || (ip->family == 6 && (ip->bytes[0] & 0xfe) == 0xfc))
    return 1;
  return 0;
}

static int
compare_ips (gconstpointer a, gconstpointer b)
{
  return hn_ip_compare (a, b);
}

static void
add_local (GArray *list, const HnEndpointSources *sources)
{
  g_autoptr (GArray) sorted = g_array_new (FALSE, FALSE, sizeof (HnIp));
  const guint before = list->len;

  g_array_append_vals (sorted, sources->local, sources->n_local);
  g_array_sort (sorted, compare_ips);
  for (guint group = 0; group < 3; group++)
    {
      const HnIp *last = NULL;
      guint in_subnet = 0, found = 0;

      /* Loopback is for a machine that has nothing else to offer. */
      if (group == 2 && before > 0)
        return;
      for (guint i = 0; i < sorted->len; i++)
        {
          const HnIp *ip = &g_array_index (sorted, HnIp, i);

          if (get_group (ip) != group || !is_allowed (sources, ip)
              || (last != NULL && hn_ip_equal (last, ip)))
            continue;
          found++;
          /* Temporary addresses pile up; two of them do. */
          if (ip->family == 6)
            {
              if (last != NULL && memcmp (last->bytes, ip->bytes, 8) == 0)
                in_subnet++;
              else
                in_subnet = 1;
              last = ip;
              if (in_subnet > V6_PER_SUBNET)
                continue;
            }
          add (list, sources, ip, ip->family == 4 ? sources->port_v4 : sources->port_v6,
               HN_ENDPOINT_LOCAL);
        }
      if (found > 0)
        return;
    }
}

GArray *
hn_endpoints_new (const HnEndpointSources *sources)
{
  GArray *list = g_array_new (FALSE, FALSE, sizeof (HnTypedEndpoint));
  const HnNetReport *report = sources->report;

  add (list, sources, &sources->portmapped.ip, sources->portmapped.port, HN_ENDPOINT_PORTMAPPED);
  if (report != NULL)
    {
      add_stun (list, sources, &report->global_v4);
      add_stun (list, sources, &report->global_v6);
      for (guint i = 0; i < report->n_mappings; i++)
        if (is_worth_telling (report, i))
          add_stun (list, sources, &report->mappings[i]);
      /* Behind a hard NAT, somebody who fixed the port may have forwarded it. */
      if (report->mapping_varies > 0 && sources->fixed_port != 0
          && sources->fixed_port == sources->port_v4)
        add (list, sources, &report->global_v4.ip, sources->port_v4, HN_ENDPOINT_STUN4_LOCAL_PORT);
    }
  if (sources->seen != NULL)
    {
      forget_old (sources->seen, sources->now_us);
      for (guint i = 0; i < sources->seen->n; i++)
        add_stun (list, sources, &sources->seen->items[i].endpoint);
    }
  for (gsize i = 0; i < sources->n_explicit; i++)
    add (list, sources, &sources->explicit[i].ip, sources->explicit[i].port, HN_ENDPOINT_EXPLICIT);
  add_local (list, sources);
  return list;
}

gboolean
hn_endpoints_equal (const GArray *a, const GArray *b)
{
  if (a->len != b->len)
    return FALSE;
  /* Each is in a list only once. */
  for (guint i = 0; i < a->len; i++)
    {
      const HnTypedEndpoint *x = &g_array_index (a, HnTypedEndpoint, i);
      gboolean found = FALSE;

      for (guint j = 0; j < b->len && !found; j++)
        {
          const HnTypedEndpoint *y = &g_array_index (b, HnTypedEndpoint, j);

          found = x->type == y->type && hn_endpoint_equal (&x->endpoint, &y->endpoint);
        }
      if (!found)
        return FALSE;
    }
  return TRUE;
}
