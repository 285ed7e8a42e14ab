/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-netcheck.h"

#include <string.h>

#include "crypto/hn-crypto.h"
#include "path/hn-netcheck-memory.h"
#include "path/hn-netcheck-names.h"
#include "path/hn-netcheck-plan.h"
#include "path/hn-stun.h"

#define STUN_PHASE_US (3 * G_USEC_PER_SEC)
#define RUN_US (5 * G_USEC_PER_SEC)
#define FULL_INTERVAL_US (300 * G_USEC_PER_SEC)
#define ENOUGH_REGIONS 3
/* How long to wait for the others at least once enough regions answered, and at most once anybody
 * did and all was asked. */
#define MIN_GRACE_FULL_US (100 * 1000)
#define MIN_GRACE_US (50 * 1000)
#define MAX_GRACE_US (1 * G_USEC_PER_SEC)
#define MAX_MEASURED 32 /* regions, by HTTP */

typedef enum
{
  PROBE_PENDING,   /* to be sent at due_us */
  PROBE_RESOLVING, /* to be sent when its name is known */
  PROBE_SENT,
  PROBE_ANSWERED,
  PROBE_DROPPED, /* not needed any more, or impossible */
} ProbeState;

typedef struct
{
  HnNetcheckProbe plan;
  ProbeState state;
  gint64 due_us;
  gint64 sent_us;
  HnEndpoint to;
  guint8 id[HN_STUN_ID_LEN];
} Probe;

typedef enum
{
  PHASE_IDLE,
  PHASE_STUN,
  PHASE_HTTP,
} Phase;

struct _HnNetcheck
{
  HnNetcheckOps ops;
  gpointer user;
  HnDerpMap *map;    /* nullable */
  char *server_host; /* nullable */
  gboolean ipv4;
  gboolean ipv6;
  gboolean control_reachable;
  int forced;
  int home;
  HnNetcheckMemory *memory;
  HnNetcheckNames *names;
  HnNetReport *last; /* nullable */
  gint64 last_full_us;
  gboolean had_full;

  /* the run under way */
  Phase phase;
  guint serial; /* tells a callback's caller that the run it was in is over */
  gboolean stepping;
  gboolean step_again;
  gboolean full;
  gint64 started_us;
  gint64 wall_us;
  gint64 now_us; /* as last told */
  gint64 stop_us;
  HnDerpMap *run_map;
  GArray *targets; /* of HnNetcheckTarget */
  GArray *results; /* of HnRelayLatency, beside the targets */
  GArray *probes;  /* of Probe */
  HnNetReport *report;
  guint expected; /* regions that are enough */
  HnEndpoint server_v4;
  guint n_measuring;
  gboolean measuring[HN_NETCHECK_MAX_REGIONS];

  gboolean again; /* a wish during the run */
  gboolean again_full;
};

static HnNetcheckTarget *
get_target (HnNetcheck *self, guint i)
{
  return &g_array_index (self->targets, HnNetcheckTarget, i);
}

static HnRelayLatency *
get_result (HnNetcheck *self, guint i)
{
  return &g_array_index (self->results, HnRelayLatency, i);
}

static void
clear_run (HnNetcheck *self)
{
  self->phase = PHASE_IDLE;
  self->serial++;
  g_clear_pointer (&self->targets, g_array_unref);
  g_clear_pointer (&self->results, g_array_unref);
  g_clear_pointer (&self->probes, g_array_unref);
  g_clear_pointer (&self->report, hn_net_report_unref);
  g_clear_pointer (&self->run_map, hn_derp_map_unref);
}

/* The first regions of the map, and the home. */
static void
choose_targets (HnNetcheck *self)
{
  self->targets = g_array_new (FALSE, FALSE, sizeof (HnNetcheckTarget));
  if (self->run_map == NULL)
    return;
  for (guint pass = 0; pass < 2; pass++)
    for (gsize i = 0; i < self->run_map->n_regions; i++)
      {
        const HnDerpRegion *region = &self->run_map->regions[i];
        HnNetcheckTarget target = { .region = region, .home = region->id == self->home };

        if (target.home != (pass == 0) || self->targets->len >= HN_NETCHECK_MAX_REGIONS
            || !hn_netcheck_is_measurable (region, self->home)
            || (i > 0 && region[-1].id == region->id))
          continue;
        target.latency_us
            = hn_netcheck_memory_get_latency (self->memory, region->id, &target.by_name);
        g_array_append_val (self->targets, target);
      }
  hn_netcheck_sort_targets (self->targets);
}

static void
make_probes (HnNetcheck *self)
{
  HnNetcheckPlan plan = { .full = self->full,
                          .ipv4 = self->ipv4,
                          .ipv6 = self->ipv6,
                          .had_ipv6 = self->last != NULL && self->last->ipv6 };
  g_autoptr (GArray) planned = hn_netcheck_make_plan (&plan, self->targets);
  gboolean used[HN_NETCHECK_MAX_REGIONS] = { FALSE };
  guint n_used = 0, n_known = 0;

  self->probes = g_array_sized_new (FALSE, TRUE, sizeof (Probe), planned->len);
  self->results = g_array_new (FALSE, TRUE, sizeof (HnRelayLatency));
  g_array_set_size (self->results, self->targets->len);
  for (guint i = 0; i < self->targets->len; i++)
    get_result (self, i)->region = get_target (self, i)->region->id;
  for (guint i = 0; i < planned->len; i++)
    {
      Probe probe = { .plan = g_array_index (planned, HnNetcheckProbe, i) };

      probe.due_us = self->started_us + probe.plan.delay_us;
      g_array_append_val (self->probes, probe);
      if (!used[probe.plan.target])
        {
          used[probe.plan.target] = TRUE;
          n_used++;
          n_known += get_target (self, probe.plan.target)->latency_us > 0 ? 1 : 0;
        }
    }
  /* Those that did not answer last time are not waited for when others do. */
  self->expected = MIN (n_known > 0 && !self->full ? n_known : n_used, ENOUGH_REGIONS);
}

/* Whether that very server answered already. */
static gboolean
has_answered (HnNetcheck *self, const HnEndpoint *to)
{
  for (guint i = 0; i < self->probes->len; i++)
    {
      const Probe *probe = &g_array_index (self->probes, Probe, i);

      if (probe->state == PROBE_ANSWERED && hn_endpoint_equal (&probe->to, to))
        return TRUE;
    }
  return FALSE;
}

typedef enum
{
  WHERE_KNOWN,
  WHERE_ASKED,
  WHERE_NOWHERE,
} Where;

/* Where to send @probe; @ask: its name may be resolved for it, which may call back. */
static Where
locate (HnNetcheck *self, const HnNetcheckProbe *probe, gboolean ask, HnEndpoint *to)
{
  const HnDerpNode *node = probe->node;
  const HnIp *literal = probe->family == 4 ? &node->ipv4 : &node->ipv6;
  const char *host = node->host_name;
  HnIp ip;

  if (host == NULL || *host == '\0')
    host = self->server_host;
  to->port = hn_netcheck_get_stun_port (node);
  if (host != NULL && hn_ip_parse (host, &ip))
    {
      to->ip = literal->family == probe->family ? *literal : ip;
      return to->ip.family == probe->family ? WHERE_KNOWN : WHERE_NOWHERE;
    }
  if (literal->family == probe->family && (!probe->by_name || host == NULL))
    {
      to->ip = *literal;
      return WHERE_KNOWN;
    }
  switch (hn_netcheck_names_get (self->names, host, probe->family, ask, &to->ip))
    {
    case HN_NETCHECK_NAME_KNOWN:
      return WHERE_KNOWN;
    case HN_NETCHECK_NAME_ASKED:
      return WHERE_ASKED;
    case HN_NETCHECK_NAME_NEW:
      if (ask)
        self->ops.resolve (self->user, host);
      return WHERE_ASKED;
    case HN_NETCHECK_NAME_NONE:
      return WHERE_NOWHERE;
    }
  g_return_val_if_reached (WHERE_NOWHERE);
}

static gboolean
is_destination (const HnIp *ip)
{
  static const guint8 zeros[16];
  static const guint8 ones[4] = { 255, 255, 255, 255 };

  return !hn_ip_is_multicast (ip) && memcmp (ip->bytes, zeros, ip->family == 4 ? 4 : 16) != 0
         && (ip->family != 4 || memcmp (ip->bytes, ones, 4) != 0);
}

/* Whether an answer to it would tell anything new. */
static gboolean
still_helps (HnNetcheck *self, const HnNetcheckProbe *probe)
{
  HnEndpoint to = { 0 };

  if (get_result (self, probe->target)->latency_us == 0)
    return TRUE;
  /* The region answered where it was asked; no other way to it is needed. */
  if (probe->by_name != get_target (self, probe->target)->by_name)
    return FALSE;
  if (probe->family == 6 ? self->report->ipv6 : self->report->mapping_varies >= 0)
    return FALSE;
  switch (locate (self, probe, FALSE, &to))
    {
    case WHERE_KNOWN:
      return !has_answered (self, &to);
    case WHERE_ASKED:
      return TRUE;
    case WHERE_NOWHERE:
      return FALSE;
    }
  g_return_val_if_reached (FALSE);
}

/* Nothing leaves for where @probe goes, so neither will another one. */
static void
on_send_error (HnNetcheck *self, const Probe *failed)
{
  HnNetcheckProbe plan = failed->plan;

  for (guint i = 0; i < self->probes->len; i++)
    {
      Probe *probe = &g_array_index (self->probes, Probe, i);

      if (probe->plan.target == plan.target && probe->plan.family == plan.family
          && probe->plan.node == plan.node && probe->plan.by_name == plan.by_name
          && probe->state != PROBE_ANSWERED)
        probe->state = PROBE_DROPPED;
    }
}

/* One probe on its way, if it can be; the array may be gone afterwards. */
static void
launch (HnNetcheck *self, guint i, gint64 now_us)
{
  Probe *probe = &g_array_index (self->probes, Probe, i);
  guint serial = self->serial;
  guint8 request[HN_STUN_REQUEST_LEN];
  HnEndpoint to = { 0 };
  Where where;

  if (!still_helps (self, &probe->plan))
    {
      probe->state = PROBE_DROPPED;
      return;
    }
  probe->state = PROBE_RESOLVING;
  where = locate (self, &probe->plan, TRUE, &to);
  if (serial != self->serial)
    return;
  if (where == WHERE_ASKED)
    return;
  if (where == WHERE_NOWHERE || !is_destination (&to.ip) || has_answered (self, &to))
    {
      probe->state = PROBE_DROPPED;
      return;
    }

  probe->to = to;
  probe->state = PROBE_SENT;
  probe->sent_us = now_us;
  self->report->asked = TRUE;
  hn_random_bytes (probe->id, sizeof probe->id);
  hn_stun_write_request (probe->id, request);
  if (self->ops.send_udp (self->user, &to, request, sizeof request) == 0)
    return;
  if (serial == self->serial && probe->state == PROBE_SENT)
    on_send_error (self, probe);
}

static void
launch_due (HnNetcheck *self, gint64 now_us)
{
  guint serial = self->serial;

  for (guint i = 0; serial == self->serial && i < self->probes->len; i++)
    {
      const Probe *probe = &g_array_index (self->probes, Probe, i);

      if ((probe->state == PROBE_PENDING && probe->due_us <= now_us)
          || probe->state == PROBE_RESOLVING)
        launch (self, i, now_us);
    }
}

/* What the STUN phase still waits for. */
static void
look (HnNetcheck *self, gboolean *waits, gboolean *to_be_sent, gint64 *last_sent_us)
{
  *waits = *to_be_sent = FALSE;
  *last_sent_us = self->started_us;
  for (guint i = 0; i < self->probes->len; i++)
    {
      const Probe *probe = &g_array_index (self->probes, Probe, i);
      const HnRelayLatency *result = get_result (self, probe->plan.target);

      switch (probe->state)
        {
        case PROBE_PENDING:
          if (still_helps (self, &probe->plan))
            *waits = *to_be_sent = TRUE;
          break;
        case PROBE_RESOLVING:
          *waits = *waits || still_helps (self, &probe->plan);
          break;
        case PROBE_SENT:
          *last_sent_us = MAX (*last_sent_us, probe->sent_us);
          if ((probe->plan.family == 4 ? result->v4_latency_us : result->v6_latency_us) == 0)
            *waits = TRUE;
          break;
        case PROBE_ANSWERED:
        case PROBE_DROPPED:
          break;
        }
    }
}

static int
compare_results (gconstpointer a, gconstpointer b)
{
  const HnRelayLatency *x = a, *y = b;

  return x->region < y->region ? -1 : x->region > y->region;
}

static void
remember_results (HnNetcheck *self)
{
  for (guint i = 0; i < self->targets->len; i++)
    {
      const HnRelayLatency *result = get_result (self, i);

      hn_netcheck_memory_set_latency (self->memory, result->region, result->latency_us,
                                      get_target (self, i)->by_name);
    }
}

/* Only regions that were asked belong into the report. */
static void
fill_relays (HnNetcheck *self)
{
  HnNetReport *report = self->report;
  gboolean asked[HN_NETCHECK_MAX_REGIONS] = { FALSE };

  for (guint i = 0; i < self->probes->len; i++)
    asked[g_array_index (self->probes, Probe, i).plan.target] = TRUE;
  report->relays = g_new0 (HnRelayLatency, self->results->len + 1);
  for (guint i = 0; i < self->results->len; i++)
    if (asked[i] || get_result (self, i)->tcp_latency_us > 0)
      report->relays[report->n_relays++] = *get_result (self, i);
  qsort (report->relays, report->n_relays, sizeof *report->relays, compare_results);
}

static void
finish (HnNetcheck *self, gint64 now_us)
{
  g_autoptr (HnNetReport) report = NULL;
  gboolean again = self->again, again_full = self->again_full;
  gint64 wall_us = self->wall_us + (now_us - self->started_us);

  remember_results (self);
  fill_relays (self);
  hn_netcheck_memory_add (self->memory, self->report, now_us);
  self->home = hn_netcheck_memory_choose_home (
      self->memory, &(HnNetcheckHome){ .map = self->map,
                                       .report = self->report,
                                       .home = self->home,
                                       .forced = self->forced,
                                       .control_reachable = self->control_reachable,
                                       .started_us = self->started_us,
                                       .now_us = now_us });
  self->report->preferred = self->home;
  self->report->wall = wall_us / G_USEC_PER_SEC;
  if (self->full && self->targets->len > 0)
    {
      self->had_full = TRUE;
      self->last_full_us = now_us;
    }

  report = g_steal_pointer (&self->report);
  g_clear_pointer (&self->last, hn_net_report_unref);
  self->last = hn_net_report_ref (report);
  self->again = self->again_full = FALSE;
  clear_run (self);
  g_debug ("netcheck: UDP %d, IPv4 %d, IPv6 %d, mapping varies %d, %u regions, home %d",
           report->udp, report->ipv4, report->ipv6, report->mapping_varies,
           (guint) report->n_relays, report->preferred);
  self->ops.done (self->user, report);
  if (again)
    hn_netcheck_start (self, again_full, now_us, wall_us);
}

static void
begin_http (HnNetcheck *self)
{
  guint serial = self->serial;
  guint n = 0;

  self->phase = PHASE_HTTP;
  memset (self->measuring, 0, sizeof self->measuring);
  self->n_measuring = 0;
  if (self->ops.measure == NULL)
    return;
  for (guint i = 0; i < self->targets->len && n < MAX_MEASURED; i++)
    if (hn_netcheck_can_be_home (get_target (self, i)->region, self->home)
        && (self->full || i < ENOUGH_REGIONS || get_target (self, i)->home))
      {
        self->measuring[i] = TRUE;
        n++;
      }
  self->n_measuring = n;
  for (guint i = 0; serial == self->serial && i < self->targets->len; i++)
    if (self->measuring[i])
      self->ops.measure (self->user, get_target (self, i)->region);
}

static void
step_once (HnNetcheck *self, gint64 now_us)
{
  guint serial = self->serial;
  gboolean waits, to_be_sent;
  gint64 last_sent_us;

  if (self->phase == PHASE_STUN)
    {
      launch_due (self, now_us);
      if (serial != self->serial)
        return;
      look (self, &waits, &to_be_sent, &last_sent_us);
      if (self->report->udp && !to_be_sent)
        self->stop_us = MIN (self->stop_us, last_sent_us + MAX_GRACE_US);
      if (waits && now_us < self->stop_us)
        return;
      if (self->report->udp)
        {
          finish (self, now_us);
          return;
        }
      begin_http (self);
      if (serial != self->serial)
        return;
    }
  if (self->phase == PHASE_HTTP && (self->n_measuring == 0 || now_us >= self->started_us + RUN_US))
    finish (self, now_us);
}

/* Callbacks may lead back here; the outermost call does all the work. */
static void
step (HnNetcheck *self, gint64 now_us)
{
  self->now_us = now_us;
  if (self->stepping)
    {
      self->step_again = TRUE;
      return;
    }
  self->stepping = TRUE;
  do
    {
      self->step_again = FALSE;
      step_once (self, now_us);
    }
  while (self->step_again);
  self->stepping = FALSE;
}

void
hn_netcheck_start (HnNetcheck *self, gboolean full, gint64 now_us, gint64 wall_us)
{
  if (self->phase != PHASE_IDLE)
    {
      self->again = TRUE;
      self->again_full = self->again_full || full;
      return;
    }
  self->full = full || !self->had_full || now_us - self->last_full_us >= FULL_INTERVAL_US
               || (self->last != NULL && self->last->captive_portal && !self->last->udp);
  self->phase = PHASE_STUN;
  self->serial++;
  self->started_us = now_us;
  self->wall_us = wall_us;
  self->stop_us = now_us + STUN_PHASE_US;
  self->report = g_new0 (HnNetReport, 1);
  g_atomic_ref_count_init (&self->report->ref_count);
  self->report->mapping_varies = -1;
  self->run_map = self->map != NULL ? hn_derp_map_ref (self->map) : NULL;
  hn_netcheck_names_begin (self->names, self->full, now_us);
  choose_targets (self);
  make_probes (self);
  step (self, now_us);
}

void
hn_netcheck_cancel (HnNetcheck *self)
{
  self->again = self->again_full = FALSE;
  clear_run (self);
}

gboolean
hn_netcheck_is_running (const HnNetcheck *self)
{
  return self->phase != PHASE_IDLE;
}

gboolean
hn_netcheck_is_full (const HnNetcheck *self)
{
  return self->full;
}

gboolean
hn_netcheck_is_stun (const guint8 *data, gsize len)
{
  return hn_stun_is_stun (data, len);
}

static void
add_mapping (HnNetReport *report, const HnEndpoint *mapped)
{
  guint i = 0;

  while (i < report->n_mappings && !hn_endpoint_equal (&report->mappings[i], mapped))
    i++;
  if (i == HN_NETCHECK_MAX_MAPPINGS)
    return;
  if (i == report->n_mappings)
    {
      report->mappings[report->n_mappings++] = *mapped;
      report->mapping_counts[i] = 0;
    }
  if (report->mapping_counts[i] < G_MAXUINT8)
    report->mapping_counts[i]++;
  /* Most often seen first; of equals the one seen earlier. */
  for (; i > 0 && report->mapping_counts[i] > report->mapping_counts[i - 1]; i--)
    {
      HnEndpoint endpoint = report->mappings[i];
      guint8 count = report->mapping_counts[i];

      report->mappings[i] = report->mappings[i - 1];
      report->mapping_counts[i] = report->mapping_counts[i - 1];
      report->mappings[i - 1] = endpoint;
      report->mapping_counts[i - 1] = count;
    }
}

/* A server says where it saw us; it may say anything. */
static void
take_mapping (HnNetcheck *self, const Probe *probe, const HnEndpoint *mapped)
{
  HnNetReport *report = self->report;

  if (mapped->ip.family != probe->plan.family || !is_destination (&mapped->ip)
      || hn_ip_is_link_local (&mapped->ip)
      || hn_ip_is_loopback (&mapped->ip) != hn_ip_is_loopback (&probe->to.ip))
    return;
  add_mapping (report, mapped);
  if (probe->plan.family == 6)
    {
      if (report->global_v6.ip.family == 0)
        report->global_v6 = *mapped;
      return;
    }

  if (report->global_v4.ip.family == 0)
    {
      report->global_v4 = *mapped;
      self->server_v4 = probe->to;
      return;
    }
  if (!hn_endpoint_equal (mapped, &report->global_v4))
    report->mapping_varies = 1;
  else if (report->mapping_varies < 0 && !hn_endpoint_equal (&probe->to, &self->server_v4))
    report->mapping_varies = 0;
}

static void
set_shorter (gint64 *latency_us, gint64 us)
{
  if (*latency_us == 0 || us < *latency_us)
    *latency_us = us;
}

static void
on_answer (HnNetcheck *self, Probe *probe, const HnEndpoint *mapped, gint64 now_us)
{
  HnRelayLatency *result = get_result (self, probe->plan.target);
  gint64 us = MAX (now_us - probe->sent_us, 1);
  gint64 longest = 0;
  guint n = 0;

  probe->state = PROBE_ANSWERED;
  self->report->udp = TRUE;
  if (probe->plan.family == 4)
    self->report->ipv4 = TRUE;
  else
    self->report->ipv6 = TRUE;
  if (result->latency_us == 0)
    get_target (self, probe->plan.target)->by_name = probe->plan.by_name;
  set_shorter (&result->latency_us, us);
  set_shorter (probe->plan.family == 4 ? &result->v4_latency_us : &result->v6_latency_us, us);
  take_mapping (self, probe, mapped);

  for (guint i = 0; i < self->results->len; i++)
    if (get_result (self, i)->latency_us > 0)
      {
        n++;
        longest = MAX (longest, get_result (self, i)->latency_us);
      }
  if (n >= self->expected)
    {
      gint64 grace
          = self->full ? MAX (2 * longest, MIN_GRACE_FULL_US) : MAX (longest, MIN_GRACE_US);

      self->stop_us = MIN (self->stop_us, now_us + grace);
    }
}

void
hn_netcheck_receive (HnNetcheck *self, const HnEndpoint *from, const guint8 *data, gsize len,
                     gint64 now_us)
{
  guint8 id[HN_STUN_ID_LEN];
  HnEndpoint mapped;

  if (self->phase == PHASE_IDLE || !hn_stun_parse_response (data, len, id, &mapped))
    return;
  for (guint i = 0; i < self->probes->len; i++)
    {
      Probe *probe = &g_array_index (self->probes, Probe, i);

      if (probe->state != PROBE_SENT || memcmp (probe->id, id, sizeof id) != 0)
        continue;
      if (!hn_endpoint_equal (&probe->to, from))
        return;
      on_answer (self, probe, &mapped, now_us);
      step (self, now_us);
      return;
    }
}

void
hn_netcheck_send_failed (HnNetcheck *self, const HnEndpoint *to, gint64 now_us)
{
  if (self->phase != PHASE_STUN)
    return;
  for (guint i = 0; i < self->probes->len; i++)
    {
      Probe *probe = &g_array_index (self->probes, Probe, i);

      if (probe->state == PROBE_SENT && hn_endpoint_equal (&probe->to, to))
        on_send_error (self, probe);
    }
  step (self, now_us);
}

void
hn_netcheck_resolved (HnNetcheck *self, const char *host, const HnIp *ips, gsize n, gint64 now_us)
{
  if (hn_netcheck_names_resolved (self->names, host, ips, n, now_us) && self->phase == PHASE_STUN)
    step (self, now_us);
}

void
hn_netcheck_measured (HnNetcheck *self, int region, gint64 latency_us, gboolean portal,
                      gint64 now_us)
{
  if (self->phase != PHASE_HTTP)
    return;
  for (guint i = 0; i < self->targets->len; i++)
    if (self->measuring[i] && get_target (self, i)->region->id == region)
      {
        self->measuring[i] = FALSE;
        self->n_measuring--;
        if (portal)
          self->report->captive_portal = TRUE;
        else if (latency_us > 0)
          get_result (self, i)->tcp_latency_us = latency_us;
        step (self, now_us);
        return;
      }
}

void
hn_netcheck_heard (HnNetcheck *self, int region, gint64 now_us)
{
  hn_netcheck_memory_hear (self->memory, self->map, region, now_us);
}

/* The only region that can be home, 0: there is none, or a choice. */
static int
get_only_home (const HnDerpMap *map)
{
  int id = 0;

  for (gsize i = 0; i < map->n_regions; i++)
    if (hn_netcheck_can_be_home (&map->regions[i], 0))
      {
        if (id != 0)
          return 0;
        id = map->regions[i].id;
      }
  return id;
}

void
hn_netcheck_set_map (HnNetcheck *self, HnDerpMap *map)
{
  const HnDerpRegion *region;

  if (map != NULL)
    hn_derp_map_ref (map);
  g_clear_pointer (&self->map, hn_derp_map_unref);
  self->map = map;
  if (map == NULL)
    return;

  hn_netcheck_names_clear (self->names);
  hn_netcheck_memory_set_map (self->memory, map);
  region = hn_derp_map_get_region (map, self->home);
  if (region == NULL || !hn_netcheck_can_be_home (region, self->home))
    self->home = get_only_home (map);
}

void
hn_netcheck_set_server_host (HnNetcheck *self, const char *host)
{
  g_free (self->server_host);
  self->server_host = host != NULL && *host != '\0' ? g_strdup (host) : NULL;
}

void
hn_netcheck_set_families (HnNetcheck *self, gboolean ipv4, gboolean ipv6)
{
  self->ipv4 = ipv4;
  self->ipv6 = ipv6;
}

void
hn_netcheck_set_control_reachable (HnNetcheck *self, gboolean reachable)
{
  self->control_reachable = reachable;
}

void
hn_netcheck_set_forced_home (HnNetcheck *self, int region)
{
  self->forced = region;
}

HnNetReport *
hn_netcheck_get_report (HnNetcheck *self)
{
  return self->last;
}

int
hn_netcheck_get_home (const HnNetcheck *self)
{
  return self->home;
}

gint64
hn_netcheck_get_deadline (const HnNetcheck *self)
{
  gint64 deadline;

  if (self->phase == PHASE_IDLE)
    return G_MAXINT64;
  if (self->phase == PHASE_HTTP)
    return self->started_us + RUN_US;
  deadline = self->stop_us;
  for (guint i = 0; i < self->probes->len; i++)
    {
      const Probe *probe = &g_array_index (self->probes, Probe, i);

      if (probe->state == PROBE_PENDING)
        deadline = MIN (deadline, probe->due_us);
    }
  return deadline;
}

void
hn_netcheck_tick (HnNetcheck *self, gint64 now_us)
{
  if (self->phase != PHASE_IDLE)
    step (self, now_us);
}

HnNetcheck *
hn_netcheck_new (const HnNetcheckOps *ops, gpointer user)
{
  HnNetcheck *self = g_new0 (HnNetcheck, 1);

  self->ops = *ops;
  self->user = user;
  self->ipv4 = TRUE;
  self->memory = hn_netcheck_memory_new ();
  self->names = hn_netcheck_names_new ();
  return self;
}

void
hn_netcheck_free (HnNetcheck *self)
{
  if (self == NULL)
    return;
  clear_run (self);
  g_clear_pointer (&self->map, hn_derp_map_unref);
  g_clear_pointer (&self->last, hn_net_report_unref);
  hn_netcheck_memory_free (self->memory);
  hn_netcheck_names_free (self->names);
  g_free (self->server_host);
  g_free (self);
}
