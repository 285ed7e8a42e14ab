/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events in any order for the netcheck machine: the input is a list of orders, and each callback of
 * the machine takes one more byte from it that says what its owner does from within.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "crypto/hn-crypto.h"
#include "path/hn-netcheck.h"
#include "path/hn-stun.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define N_REQUESTS 16
#define MAX_SENT 20000

typedef struct
{
  const uint8_t *data;
  size_t size;
  HnNetcheck *netcheck;
  gint64 now;
  struct
  {
    HnEndpoint to;
    guint8 id[HN_STUN_ID_LEN];
  } requests[N_REQUESTS];
  guint sent;
  guint depth;
} State;

static guint8
take (State *state)
{
  if (state->size == 0)
    return 0;
  state->size--;
  return *state->data++;
}

static HnIp
take_ip (State *state)
{
  guint8 bytes[16] = { 0 };
  guint8 kind = take (state);

  bytes[0] = kind;
  bytes[15] = bytes[3] = take (state);
  return hn_ip_from_bytes (bytes, kind & 1 ? 16 : 4);
}

static void
set_map (State *state)
{
  guint n = take (state) % 80;
  HnDerpRegion *regions = g_new0 (HnDerpRegion, n);
  g_autoptr (HnDerpMap) map = NULL;
  guint8 flags = take (state);

  for (guint i = 0; i < n; i++)
    {
      HnDerpRegion *region = &regions[i];

      flags = flags * 5 + i;
      region->id = (int) i * (flags & 64 ? 1 : 3);
      region->avoid = (flags & 7) == 1;
      region->no_measure_no_home = (flags & 7) == 2;
      region->score = flags & 32 ? 1 : flags / 16.0 - 2;
      region->n_nodes = flags >> 3 & 3;
      region->nodes = g_new0 (HnDerpNode, region->n_nodes);
      for (gsize j = 0; j < region->n_nodes; j++)
        {
          HnDerpNode *node = &region->nodes[j];

          node->name = g_strdup ("n");
          node->host_name = g_strdup_printf (flags & 1 ? "h%u" : "10.1.1.%u", i % 5);
          if (flags & 2)
            node->ipv4 = hn_ip_from_bytes ((guint8[]){ 10, 0, j, i }, 4);
          if (flags & 4)
            node->ipv6 = hn_ip_from_bytes ((guint8[16]){ 0xfd, [14] = j, [15] = i }, 16);
          node->ipv6_disabled = (flags & 16) != 0;
          node->stun_port = flags == 77 ? -1 : flags == 78 ? 70000 : 3478;
          node->stun_only = (flags & 24) == 8;
        }
    }
  map = hn_derp_map_new_take (regions, n);
  hn_netcheck_set_map (state->netcheck, map);
}

/* What an owner may do at any moment. */
static void
meddle (State *state)
{
  if (state->depth > 3)
    return;
  state->depth++;
  switch (take (state) % 24)
    {
    case 1:
      hn_netcheck_cancel (state->netcheck);
      break;
    case 2:
      hn_netcheck_start (state->netcheck, TRUE, state->now, 0);
      break;
    case 3:
      set_map (state);
      break;
    case 4:
      hn_netcheck_tick (state->netcheck, state->now);
      break;
    case 5:
      hn_netcheck_set_map (state->netcheck, NULL);
      break;
    default:
      break;
    }
  state->depth--;
}

static int
on_send_udp (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len)
{
  State *state = user;
  guint i = state->sent++ % N_REQUESTS;

  g_assert (len == HN_STUN_REQUEST_LEN && state->sent < MAX_SENT);
  g_assert (to->port != 0 && !hn_ip_is_multicast (&to->ip));
  state->requests[i].to = *to;
  memcpy (state->requests[i].id, data + 8, HN_STUN_ID_LEN);
  meddle (state);
  return take (state) == 1 ? 101 : 0;
}

static void
resolve (State *state, const char *host)
{
  HnIp ips[3];
  gsize n = take (state) % 4;

  for (gsize i = 0; i < n; i++)
    ips[i] = take_ip (state);
  hn_netcheck_resolved (state->netcheck, host, ips, n, state->now);
}

static void
on_resolve (gpointer user, const char *host)
{
  g_assert (*host != '\0');
  if (take (user) & 1)
    resolve (user, host);
  meddle (user);
}

static void
on_measure (gpointer user, const HnDerpRegion *region)
{
  State *state = user;

  if (take (state) & 1)
    hn_netcheck_measured (state->netcheck, region->id, take (state), take (state) & 1, state->now);
  meddle (state);
}

static void
on_done (gpointer user, HnNetReport *report)
{
  State *state = user;

  g_assert (report->n_mappings <= HN_NETCHECK_MAX_MAPPINGS);
  g_assert (report->preferred == hn_netcheck_get_home (state->netcheck));
  g_assert (report->udp == (report->ipv4 || report->ipv6));
  for (guint i = 0; i < report->n_mappings; i++)
    g_assert (report->mapping_counts[i] > 0 && report->mappings[i].port != 0);
  for (gsize i = 1; i < report->n_relays; i++)
    g_assert (report->relays[i - 1].region < report->relays[i].region);
  meddle (state);
}

static const HnNetcheckOps ops = { on_send_udp, on_resolve, on_measure, on_done };

static void
answer (State *state)
{
  guint i = take (state) % N_REQUESTS;
  guint8 response[32] = { 1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42, [21] = 1, [23] = 8, [25] = 1 };
  HnEndpoint from = state->requests[i].to;

  memcpy (response + 8, state->requests[i].id, HN_STUN_ID_LEN);
  response[27] = 1 + (take (state) & 3);
  response[28] = take (state);
  if (take (state) == 1)
    from.port++;
  hn_netcheck_receive (state->netcheck, &from, response, sizeof response, state->now);
}

static void
obey (State *state)
{
  gint64 deadline = hn_netcheck_get_deadline (state->netcheck);
  char host[] = "h0";

  switch (take (state) % 14)
    {
    case 0:
    case 1:
      hn_netcheck_start (state->netcheck, take (state) & 1, state->now, 0);
      break;
    case 2:
    case 3:
      if (deadline != G_MAXINT64)
        state->now = MAX (state->now, deadline);
      hn_netcheck_tick (state->netcheck, state->now);
      break;
    case 4:
      state->now += take (state) * 100000;
      hn_netcheck_tick (state->netcheck, state->now);
      break;
    case 5:
    case 6:
      state->now += take (state) * 1000;
      answer (state);
      break;
    case 7:
      host[1] += take (state) % 5;
      resolve (state, host);
      break;
    case 8:
      hn_netcheck_measured (state->netcheck, take (state), take (state), take (state) & 1,
                            state->now);
      break;
    case 9:
      hn_netcheck_heard (state->netcheck, take (state), state->now);
      break;
    case 10:
      set_map (state);
      break;
    case 11:
      hn_netcheck_set_families (state->netcheck, take (state) & 1, take (state) & 1);
      break;
    case 12:
      hn_netcheck_set_control_reachable (state->netcheck, take (state) & 1);
      hn_netcheck_set_forced_home (state->netcheck, take (state));
      break;
    case 13:
      hn_netcheck_send_failed (state->netcheck, &state->requests[take (state) % N_REQUESTS].to,
                               state->now);
      break;
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  State state = { .data = data, .size = MIN (size, 2000), .now = 1000 };

  if (!hn_crypto_init (NULL))
    return 0;
  state.netcheck = hn_netcheck_new (&ops, &state);
  set_map (&state);
  while (state.size > 0)
    obey (&state);

  /* Left alone it comes to an end: two runs at most, the second one wished for. */
  for (gint64 end = state.now + 11 * G_USEC_PER_SEC; hn_netcheck_is_running (state.netcheck);)
    {
      gint64 deadline = hn_netcheck_get_deadline (state.netcheck);

      g_assert (deadline <= end);
      state.now = MAX (state.now, deadline);
      hn_netcheck_tick (state.netcheck, state.now);
    }
  g_assert (hn_netcheck_get_deadline (state.netcheck) == G_MAXINT64);
  hn_netcheck_free (state.netcheck);
  return 0;
}
