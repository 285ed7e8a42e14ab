/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netcheck-world.h"

#include <string.h>

#include "path/hn-stun.h"

HnEndpoint
world_endpoint (const char *text)
{
  HnEndpoint out;

  g_assert_true (hn_endpoint_parse (text, &out));
  return out;
}

HnIp
world_ip (const char *text)
{
  HnIp out;

  g_assert_true (hn_ip_parse (text, &out));
  return out;
}

static gsize
make_response (const guint8 *request, const HnEndpoint *mapped, guint8 *out)
{
  gboolean v6 = mapped->ip.family == 6;
  gsize address_len = v6 ? 16 : 4;

  memset (out, 0, 64);
  out[0] = out[1] = 1;
  out[3] = 4 + 4 + address_len;
  memcpy (out + 4, request + 4, 16);
  out[21] = 0x20;
  out[23] = 4 + address_len;
  out[25] = v6 ? 2 : 1;
  out[26] = mapped->port >> 8 ^ 0x21;
  out[27] = (mapped->port & 0xff) ^ 0x12;
  for (gsize i = 0; i < address_len; i++)
    out[28 + i] = mapped->ip.bytes[i] ^ out[4 + i];
  return 28 + address_len;
}

static int
on_send_udp (gpointer user, const HnEndpoint *to, const guint8 *data, gsize len)
{
  World *world = user;

  g_assert_cmpuint (len, ==, HN_STUN_REQUEST_LEN);
  world->sent++;
  if (world->cancel_on_send)
    {
      hn_netcheck_cancel (world->netcheck);
      return 0;
    }
  if (to->ip.family == 6 && world->send_error_v6 != 0)
    return world->send_error_v6;
  for (guint i = 0; i < world->servers->len; i++)
    {
      Server *server = &g_array_index (world->servers, Server, i);
      Answer answer = { .at_us = world->now + server->rtt_us, .from = *to };
      HnEndpoint mapped;

      if (!hn_endpoint_equal (&server->at, to))
        continue;
      server->asked++;
      if (server->rtt_us == 0 || server->lose-- > 0)
        continue;
      server->lose = 0;
      mapped = world_endpoint (server->mapped);
      answer.len = make_response (data, &mapped, answer.data);
      g_array_append_val (world->answers, answer);
    }
  return 0;
}

void
world_resolve (World *world, const char *host)
{
  const HnIp *found = g_hash_table_lookup (world->names, host);

  hn_netcheck_resolved (world->netcheck, host, found, found != NULL ? 1 : 0, world->now);
}

static void
on_resolve (gpointer user, const char *host)
{
  World *world = user;

  world->resolved++;
  if (world->resolve_later)
    g_ptr_array_add (world->to_resolve, g_strdup (host));
  else
    world_resolve (world, host);
}

static void
on_measure (gpointer user, const HnDerpRegion *region)
{
  World *world = user;

  g_array_append_val (world->measured, region->id);
  if (!world->http_later)
    hn_netcheck_measured (world->netcheck, region->id, world->http_us * region->id, world->portal,
                          world->now);
}

static void
on_done (gpointer user, HnNetReport *report)
{
  World *world = user;

  g_assert_false (hn_netcheck_is_running (world->netcheck));
  g_assert_true (hn_netcheck_get_report (world->netcheck) == report);
  g_assert_cmpint (hn_netcheck_get_home (world->netcheck), ==, report->preferred);
  world->done++;
  world->done_at = world->now;
  g_clear_pointer (&world->report, hn_net_report_unref);
  world->report = hn_net_report_ref (report);
  if (world->restart)
    {
      world->restart = FALSE;
      hn_netcheck_start (world->netcheck, FALSE, world->now, world->now);
    }
}

static const HnNetcheckOps ops = { on_send_udp, on_resolve, on_measure, on_done };

void
world_open (World *world)
{
  memset (world, 0, sizeof *world);
  world->now = 1000 * S;
  world->servers = g_array_new (FALSE, TRUE, sizeof (Server));
  world->answers = g_array_new (FALSE, TRUE, sizeof (Answer));
  world->names = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  world->to_resolve = g_ptr_array_new_with_free_func (g_free);
  world->measured = g_array_new (FALSE, TRUE, sizeof (int));
  world->netcheck = hn_netcheck_new (&ops, world);
  hn_netcheck_set_control_reachable (world->netcheck, TRUE);
}

void
world_close (World *world)
{
  hn_netcheck_free (world->netcheck);
  g_clear_pointer (&world->report, hn_net_report_unref);
  g_array_unref (world->servers);
  g_array_unref (world->answers);
  g_hash_table_unref (world->names);
  g_ptr_array_unref (world->to_resolve);
  g_array_unref (world->measured);
}

Server *
world_add_server (World *world, const char *at, gint64 rtt_us, const char *mapped)
{
  Server server = { .at = world_endpoint (at), .rtt_us = rtt_us };

  g_strlcpy (server.mapped, mapped, sizeof server.mapped);
  g_array_append_val (world->servers, server);
  return &g_array_index (world->servers, Server, world->servers->len - 1);
}

Server *
world_get_server (World *world, guint i)
{
  return &g_array_index (world->servers, Server, i);
}

void
world_add_name (World *world, const char *host, const char *address)
{
  HnIp address_ip = world_ip (address);

  g_hash_table_insert (world->names, (char *) host, g_memdup2 (&address_ip, sizeof address_ip));
}

HnDerpRegion *
world_make_regions (guint n, gboolean v6)
{
  HnDerpRegion *regions = g_new0 (HnDerpRegion, n);

  for (guint i = 0; i < n; i++)
    {
      HnDerpNode *node = g_new0 (HnDerpNode, 1);

      node->name = g_strdup_printf ("%ua", i + 1);
      node->host_name = g_strdup_printf ("r%u.test", i + 1);
      node->ipv4 = hn_ip_from_bytes ((guint8[]){ 10, 0, i >> 8 & 0xff, i + 1 }, 4);
      node->ipv6_disabled = !v6;
      if (v6)
        node->ipv6 = hn_ip_from_bytes ((guint8[16]){ 0xfd, [15] = i + 1 }, 16);
      node->stun_port = 3478;
      node->derp_port = 443;
      regions[i] = (HnDerpRegion){ .id = i + 1, .score = 1, .nodes = node, .n_nodes = 1 };
    }
  return regions;
}

void
world_use_regions (World *world, HnDerpRegion *regions, guint n)
{
  g_autoptr (HnDerpMap) map = hn_derp_map_new_take (regions, n);

  hn_netcheck_set_map (world->netcheck, map);
}

void
world_run_until (World *world, gint64 until)
{
  for (guint i = 0; i < 10000; i++)
    {
      gint64 deadline = hn_netcheck_get_deadline (world->netcheck);
      gint64 next = MIN (deadline, until);
      gint first = -1;
      Answer answer;

      for (guint j = 0; j < world->answers->len; j++)
        {
          gint64 at = g_array_index (world->answers, Answer, j).at_us;

          if (at <= next)
            {
              next = at;
              first = j;
            }
        }
      if (first < 0 && deadline > until)
        {
          world->now = until;
          return;
        }
      world->now = MAX (world->now, next);
      if (first < 0)
        {
          hn_netcheck_tick (world->netcheck, world->now);
          continue;
        }
      answer = g_array_index (world->answers, Answer, first);
      g_array_remove_index (world->answers, first);
      g_assert_true (hn_netcheck_is_stun (answer.data, answer.len));
      hn_netcheck_receive (world->netcheck, &answer.from, answer.data, answer.len, world->now);
    }
  g_assert_not_reached ();
}

gint64
world_run (World *world, gboolean full)
{
  gint64 started = world->now;
  guint done = world->done;

  hn_netcheck_start (world->netcheck, full, world->now, 5 * S + world->now);
  world_run_until (world, world->now + 10 * S);
  g_assert_cmpuint (world->done, ==, done + 1);
  g_assert_cmpint (hn_netcheck_get_deadline (world->netcheck), ==, G_MAXINT64);
  return world->done_at - started;
}

void
world_check_endpoint (const HnEndpoint *value, const char *expected)
{
  char text[HN_IP_TEXT_MAX];

  g_assert_cmpstr (hn_endpoint_format (value, text), ==, expected);
}
