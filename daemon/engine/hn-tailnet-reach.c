/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may come in and how we are reached: the filter, our endpoints and looks at the network. */
#include "engine/hn-tailnet-private.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/hn-error.h"

/* The home relay's latency is news when it moved by this much. */
#define LATENCY_STEP_US 5000

static void
collect_peer (gpointer data, gpointer user_data)
{
  g_ptr_array_add (user_data, data);
}

static gboolean
names_capabilities (const HnFilterRules *rules)
{
  for (gsize i = 0; rules != NULL && i < rules->n_rules; i++)
    if (rules->rules[i].source_capabilities != NULL)
      return TRUE;
  return FALSE;
}

static void
look_for_unsigned (gpointer data, gpointer user_data)
{
  gboolean *found = user_data;

  *found = *found || hn_node_get (data)->unsigned_peer_api_only;
}

gboolean
hn_tailnet_filter_minds (HnTailnet *self, const HnNetmapChange *change)
{
  gboolean minds = self->device.filter_asks_for_peers;

  g_ptr_array_foreach (change->changed, look_for_unsigned, &minds);
  return minds;
}

void
hn_tailnet_push_filter (HnTailnet *self, HnNetmap *netmap)
{
  HnFilterRules *rules = hn_netmap_get_filter (netmap);
  g_autoptr (GArray) addresses = hn_derive_addresses (netmap);
  g_autoptr (HnFilterProgram) program = NULL;
  g_autoptr (GPtrArray) peers = NULL;
  gboolean asks = names_capabilities (rules);

  /* rules that would let in somebody unsigned count for nothing */
  if (!asks)
    hn_netmap_foreach_peer (netmap, look_for_unsigned, &asks);
  self->device.filter_asks_for_peers = asks;
  if (asks)
    {
      peers = g_ptr_array_new ();
      hn_netmap_foreach_peer (netmap, collect_peer, peers);
    }
  program = hn_filter_program_new (rules, peers, self->profile->preferences->shields_up);
  hn_filter_program_prepare (program, (const HnPrefix *) (gpointer) addresses->data,
                             addresses->len);
  self->device.filter_skipped = hn_filter_program_get_skipped (program);
  hn_dataplane_set_filter (self->device.dataplane, program);
}

void
hn_tailnet_push_reachable (HnTailnet *self)
{
  HnTailnetDevice *device = &self->device;
  gboolean reachable = self->control != NULL && hn_control_client_is_reachable (self->control);

  if (device->dataplane == NULL || reachable == device->control_reachable)
    return;
  device->control_reachable = reachable;
  hn_dataplane_set_control_reachable (device->dataplane, reachable);
}

void
hn_tailnet_push_local_addresses (HnTailnet *self)
{
  g_autoptr (GArray) addresses = hn_links_dup_addresses (self->services.links);
  HnIp gateway = hn_links_get_default_gateway (self->services.links, 4);

  hn_dataplane_set_gateway (self->device.dataplane, &gateway);
  hn_dataplane_set_local_addresses (self->device.dataplane,
                                    (const HnIp *) (gpointer) addresses->data, addresses->len);
}

void
hn_tailnet_take_endpoints (HnTailnet *self, const HnTypedEndpoint *endpoints, gsize n)
{
  GArray *list = g_array_sized_new (FALSE, FALSE, sizeof *endpoints, (guint) n);

  if (n > 0)
    g_array_append_vals (list, endpoints, (guint) n);
  g_clear_pointer (&self->device.endpoints, g_array_unref);
  self->device.endpoints = list;
  hn_tailnet_update_hostinfo (self);
}

static gint64
home_latency (const HnTailnetDevice *device)
{
  const HnRelayLatency *relay = hn_net_report_get_relay (device->report, device->home);

  return relay == NULL ? 0 : relay->latency_us > 0 ? relay->latency_us : relay->tcp_latency_us;
}

/* Whether both make the same of what hn_tailnet_fill_net_info() tells. */
static gboolean
tells_the_same (const HnNetReport *a, const HnNetReport *b)
{
  return a != NULL && a->asked == b->asked && a->udp == b->udp && a->ipv6 == b->ipv6
         && a->mapping_varies == b->mapping_varies;
}

void
hn_tailnet_take_report (HnTailnet *self, HnNetReport *report)
{
  HnTailnetDevice *device = &self->device;
  gboolean news = !tells_the_same (device->report, report);
  gint64 latency_us;

  g_clear_pointer (&device->report, hn_net_report_unref);
  device->report = hn_net_report_ref (report);
  hn_tailnet_choose_home (self);
  latency_us = home_latency (device);
  if (ABS (latency_us - device->home_latency_us)
      > MAX (LATENCY_STEP_US, device->home_latency_us / 4))
    device->home_latency_us = latency_us;
  /* what we are is read from files: not for each look, of which there is one every few seconds */
  if (news)
    hn_tailnet_update_hostinfo (self);
  hn_tailnet_queue_reconcile (self);
}

static HnOptBool
to_opt_bool (gboolean value)
{
  return value ? HN_OPT_TRUE : HN_OPT_FALSE;
}

void
hn_tailnet_fill_net_info (HnTailnet *self, HnHostinfo *hostinfo)
{
  const HnTailnetDevice *device = &self->device;
  const HnNetReport *report = device->report;

  if (device->endpoints != NULL && device->endpoints->len > 0)
    {
      hostinfo->n_endpoints = device->endpoints->len;
      hostinfo->endpoints
          = g_memdup2 (device->endpoints->data, device->endpoints->len * sizeof (HnTypedEndpoint));
    }
  if (device->home != 0)
    {
      hostinfo->has_net_info = TRUE;
      hostinfo->preferred_derp = device->home;
    }
  if (report == NULL)
    return;
  hostinfo->has_net_info = TRUE;
  if (report->asked)
    hostinfo->working_udp = to_opt_bool (report->udp);
  hostinfo->working_ipv6 = to_opt_bool (report->ipv6);
  if (report->mapping_varies >= 0)
    hostinfo->mapping_varies = to_opt_bool (report->mapping_varies > 0);
}

static int
compare_relays (const void *a, const void *b)
{
  const HnRelayView *first = a;
  const HnRelayView *second = b;
  gint64 first_us = first->latency_us > 0 ? first->latency_us : G_MAXINT64;
  gint64 second_us = second->latency_us > 0 ? second->latency_us : G_MAXINT64;

  return first_us != second_us ? (first_us < second_us ? -1 : 1) : first->id - second->id;
}

static char *
endpoint_text (const HnEndpoint *endpoint)
{
  char text[HN_IP_TEXT_MAX];

  return g_strdup (endpoint->ip.family != 0 ? hn_endpoint_format (endpoint, text) : "");
}

static HnNetcheckResult *
describe_report (HnTailnet *self, const HnNetReport *report)
{
  HnNetmap *netmap = hn_tailnet_get_netmap (self);
  HnDerpMap *map = netmap != NULL ? hn_netmap_get_derp_map (netmap) : NULL;
  HnNetcheckResult *result = g_new0 (HnNetcheckResult, 1);

  result->udp = report->udp;
  result->ipv4 = endpoint_text (&report->global_v4);
  result->ipv6 = endpoint_text (&report->global_v6);
  result->mapping_varies = report->mapping_varies;
  result->captive_portal = report->captive_portal;
  result->port_mapping = hn_portmap_protocol_to_string (report->port_mapping);
  result->time = report->wall;
  result->relays = g_new0 (HnRelayView, report->n_relays + 1);
  for (gsize i = 0; i < report->n_relays; i++)
    {
      const HnRelayLatency *relay = &report->relays[i];
      const HnDerpRegion *region = map != NULL ? hn_derp_map_get_region (map, relay->region) : NULL;
      HnRelayView *view = &result->relays[result->n_relays];

      if (region == NULL)
        continue;
      result->n_relays++;
      view->id = region->id;
      view->code = g_strdup (region->code);
      view->name = g_strdup (region->name);
      view->latency_us = relay->latency_us > 0 ? relay->latency_us : relay->tcp_latency_us;
    }
  qsort (result->relays, result->n_relays, sizeof *result->relays, compare_relays);
  return result;
}

static void
on_netcheck (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (HnNetReport) report
      = hn_dataplane_netcheck_finish (HN_DATAPLANE (source), result, &error);

  if (report == NULL)
    g_task_return_error (task, g_steal_pointer (&error));
  else
    g_task_return_pointer (task, describe_report (g_task_get_source_object (task), report),
                           (GDestroyNotify) hn_netcheck_result_free);
}

void
hn_tailnet_netcheck_async (HnTailnet *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                           gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);

  g_task_set_source_tag (task, hn_tailnet_netcheck_async);
  if (self->device.dataplane == NULL)
    g_task_return_new_error (task, HN_ERROR, HN_ERROR_NOT_CONNECTED,
                             _ ("The tailnet is not connected: call Connect first"));
  else
    hn_dataplane_netcheck_async (self->device.dataplane, cancellable, on_netcheck,
                                 g_steal_pointer (&task));
}

HnNetcheckResult *
hn_tailnet_netcheck_finish (HnTailnet *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
