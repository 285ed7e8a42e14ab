/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "crypto/hn-crypto.h"
#include "paths-sim.h"

#define MS 1000
#define SECOND G_USEC_PER_SEC

/* Talks from the first to the second machine until it is direct. */
static Sim *
start (SimNat a, SimNat b)
{
  Sim *sim = sim_new (a, b);

  sim_introduce (sim, TRUE);
  sim->nodes[0].talks = TRUE;
  return sim;
}

static void
test_lan (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_EASY, SIM_NAT_EASY);
  gint64 took;

  sim->nodes[1].site = 0;
  took = sim_run_until_direct (sim, 0, 10 * SECOND);
  g_assert_cmpint (took, >=, 0);
  g_assert_cmpint (took, <=, 300 * MS);
  g_assert_true (hn_endpoint_equal (&sim->nodes[0].path, &sim->nodes[1].local));
  g_assert_cmpuint (sim->nodes[0].n_lost, ==, 0);
  sim_run (sim, SECOND);
  /* The other one answers, so it looked as well. */
  g_assert_true (sim_is_direct (&sim->nodes[1]));
}

static void
check_grid (SimNat a, SimNat b, gint64 within_us)
{
  g_autoptr (Sim) sim = start (a, b);
  gint64 took = sim_run_until_direct (sim, 0, 20 * SECOND);

  g_test_message ("nat %d with %d: direct after %d ms", a, b, (int) (took / 1000));
  if (within_us == 0)
    {
      g_assert_cmpint (took, ==, -1);
      g_assert_cmpuint (sim->nodes[0].n_data_both, ==, 0);
    }
  else
    {
      g_assert_cmpint (took, >=, 0);
      g_assert_cmpint (took, <=, within_us);
      sim_run (sim, 30 * SECOND);
      g_assert_true (sim_is_direct (&sim->nodes[0]));
      g_assert_true (sim_is_direct (&sim->nodes[1]));
    }
  g_assert_cmpuint (sim->nodes[0].n_lost, ==, 0);
  g_assert_cmpuint (sim->nodes[1].n_lost, ==, 0);
}

static void
test_grid (void)
{
  check_grid (SIM_NAT_NONE, SIM_NAT_NONE, 300 * MS);
  check_grid (SIM_NAT_NONE, SIM_NAT_EASY, 300 * MS);
  check_grid (SIM_NAT_NONE, SIM_NAT_HARD, 300 * MS);
  check_grid (SIM_NAT_EASY, SIM_NAT_NONE, 300 * MS);
  check_grid (SIM_NAT_HARD, SIM_NAT_NONE, 300 * MS);
  check_grid (SIM_NAT_EASY, SIM_NAT_EASY, 500 * MS);
  check_grid (SIM_NAT_EASY, SIM_NAT_HARD, 0);
  check_grid (SIM_NAT_HARD, SIM_NAT_EASY, 0);
  check_grid (SIM_NAT_HARD, SIM_NAT_HARD, 0);
  check_grid (SIM_NAT_NONE, SIM_NAT_BLOCKED, 0);
  check_grid (SIM_NAT_BLOCKED, SIM_NAT_EASY, 0);
}

/* The map says nothing of where they are, or they learn it late: each tells the other. */
static void
test_call_only (void)
{
  g_autoptr (Sim) sim = sim_new (SIM_NAT_EASY, SIM_NAT_EASY);
  gint64 took;

  sim_introduce (sim, FALSE);
  sim->nodes[0].talks = TRUE;
  took = sim_run_until_direct (sim, 0, 10 * SECOND);
  g_assert_cmpint (took, >=, 0);
  g_assert_cmpint (took, <=, 300 * MS);
}

/* The other machine has an old disco key of ours for a second: early pings are repeated. */
static void
test_late_key (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_NONE, SIM_NAT_EASY);
  gint64 took;

  sim_restart (&sim->nodes[0]);
  sim_run (sim, 1000 * MS);
  g_assert_false (sim_is_direct (&sim->nodes[0]));
  sim_update (&sim->nodes[0]);
  took = sim_run_until_direct (sim, 0, 10 * SECOND);
  g_assert_cmpint (took, >=, 0);
  g_assert_cmpint (took, <=, 600 * MS);
}

/* --- staying --- */

static void
test_heartbeat (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_EASY, SIM_NAT_EASY);

  sim_run (sim, 5 * SECOND);
  sim_mark (sim);
  sim_run (sim, 300 * SECOND);
  for (guint i = 0; i < 2; i++)
    {
      SimNode *node = &sim->nodes[i];

      g_assert_true (sim_is_direct (node));
      g_assert_cmpuint (node->n_changes, ==, 0);
      g_assert_cmpuint (node->n_data_relay + node->n_data_both, ==, 0);
      g_assert_cmpuint (node->n_lost, ==, 0);
      /* A ping and a pong each 2.5 to 3 s; nothing over the relay but what looks for better ways. */
      g_assert_cmpuint (node->n_udp, >=, 200);
      g_assert_cmpuint (node->n_udp, <=, 270);
      g_assert_cmpuint (node->n_relay, <=, 6);
    }
}

static void
test_idle (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_EASY, SIM_NAT_EASY);
  HnPathStats stats;

  sim_run (sim, 5 * SECOND);
  sim->nodes[0].talks = FALSE;
  sim_run (sim, 55 * SECOND);
  sim_mark (sim);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_false (sim_is_direct (&sim->nodes[i]));
      g_assert_cmpuint (sim->nodes[i].path.ip.family, ==, 0);
    }
  sim_run (sim, 300 * SECOND);
  g_assert_cmpuint (sim_count_datagrams (sim), ==, 0);
  for (guint i = 0; i < 2; i++)
    {
      SimNode *node = &sim->nodes[i];

      g_assert_cmpint (hn_paths_get_deadline (node->paths), ==, G_MAXINT64);
      hn_paths_get_stats (node->paths, node->peer, sim->now_us, &stats);
      g_assert_cmpuint (stats.n_candidates, ==, 0);
      g_assert_null (hn_paths_lookup (node->paths, &sim->nodes[1 - i].outside));
    }
  /* And all of it comes back. */
  sim->nodes[0].talks = TRUE;
  g_assert_cmpint (sim_run_until_direct (sim, 0, 5 * SECOND), >=, 0);
}

/* After a short pause the old path is used with the relay, until it answered. */
static void
test_resume (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_EASY, SIM_NAT_EASY);
  HnPathRoute route;

  sim_run (sim, 5 * SECOND);
  sim->nodes[0].talks = FALSE;
  sim_run (sim, 70 * SECOND);
  hn_paths_route (sim->nodes[0].paths, sim->nodes[0].peer, sim->now_us, &route);
  g_assert_true (route.direct);
  g_assert_true (route.relay);
  sim_run (sim, 15 * MS);
  hn_paths_route (sim->nodes[0].paths, sim->nodes[0].peer, sim->now_us, &route);
  g_assert_true (route.direct);
  g_assert_false (route.relay);
}

static void
test_loss (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_EASY, SIM_NAT_EASY);

  sim_run (sim, 5 * SECOND);
  sim_mark (sim);
  sim->loss = 5;
  sim_run (sim, 300 * SECOND);
  for (guint i = 0; i < 2; i++)
    {
      SimNode *node = &sim->nodes[i];
      guint all = node->n_data_direct + node->n_data_relay + node->n_data_both;

      g_test_message ("%u direct, %u both, %u relay, %u changes", node->n_data_direct,
                      node->n_data_both, node->n_data_relay, node->n_changes);
      /* Two pings in a row get lost at times; that never lasts. */
      g_assert_cmpuint (node->n_data_direct, >, all * 95 / 100);
      g_assert_cmpuint (node->n_changes, <=, 20);
    }
}

/* --- falling back and coming back --- */

static void
test_blocked (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_EASY, SIM_NAT_EASY);
  SimNat nat = SIM_NAT_EASY;
  gint64 took;

  for (guint i = 0; i < 2; i++)
    {
      sim_run (sim, 20 * SECOND);
      g_assert_true (sim_is_direct (&sim->nodes[0]));
      g_assert_true (sim_is_direct (&sim->nodes[1]));
      sim_mark (sim);
      sim->nodes[i].nat = SIM_NAT_BLOCKED;
      sim_run (sim, 10 * SECOND);
      g_test_message ("blocked at %u: no data for %d ms", i,
                      (int) (sim->nodes[0].worst_gap_us / MS));
      g_assert_cmpint (sim->nodes[0].worst_gap_us, <=, 900 * MS);
      g_assert_cmpint (sim->nodes[1].worst_gap_us, <=, 900 * MS);
      g_assert_cmpuint (sim->nodes[0].path.ip.family, ==, 0);
      /* In the end the relay alone. */
      sim_mark (sim);
      sim_run (sim, 120 * SECOND);
      g_assert_cmpuint (sim->nodes[0].n_data_both, ==, 0);
      g_assert_cmpuint (sim->nodes[0].n_data_direct, ==, 0);
      g_assert_cmpint (sim->nodes[0].worst_gap_us, <=, 70 * MS);
      g_test_message ("%u datagrams in two minutes", sim_count_datagrams (sim));
      g_assert_cmpuint (sim_count_datagrams (sim), <=, 300);
      sim->nodes[i].nat = nat;
      took = sim_run_until_direct (sim, 0, 30 * SECOND);
      g_test_message ("back after %d ms", (int) (took / MS));
      g_assert_cmpint (took, >=, 0);
      g_assert_cmpint (took, <=, 3500 * MS);
      sim_run (sim, SECOND);
      g_assert_cmpint (sim->nodes[0].worst_gap_us, <=, 70 * MS);
    }
}

/* A peer that notices nothing for seconds is told over the relay. */
static void
check_stubborn (gboolean uploading)
{
  g_autoptr (Sim) sim = start (SIM_NAT_EASY, SIM_NAT_EASY);

  sim->nodes[1].stubborn = TRUE;
  sim->nodes[0].talks = uploading;
  sim->nodes[1].talks = !uploading;
  sim_run (sim, 20 * SECOND);
  g_assert_true (sim_is_direct (&sim->nodes[0]));
  g_assert_true (sim_is_direct (&sim->nodes[1]));
  sim_mark (sim);
  sim->nodes[0].nat = SIM_NAT_BLOCKED;
  sim_run (sim, 10 * SECOND);
  g_test_message ("no data for %d ms", (int) (sim->nodes[0].worst_gap_us / MS));
  g_assert_cmpint (sim->nodes[0].worst_gap_us, <=, 900 * MS);
}

static void
test_stubborn (void)
{
  check_stubborn (TRUE);
  check_stubborn (FALSE);
}

/* Blocked for a moment only: back at once. */
static void
test_short_block (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_NONE, SIM_NAT_NONE);
  gint64 took;

  sim_run (sim, 20 * SECOND);
  sim->nodes[0].nat = SIM_NAT_BLOCKED;
  sim_run (sim, 3 * SECOND);
  sim->nodes[0].nat = SIM_NAT_NONE;
  took = sim_run_until_direct (sim, 0, 30 * SECOND);
  g_assert_cmpint (took, >=, 0);
  g_assert_cmpint (took, <=, 600 * MS);
}

/* Nothing ever comes back but pongs, which is enough. */
static void
test_one_way (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_EASY, SIM_NAT_EASY);

  sim->nodes[0].one_way = TRUE;
  g_assert_cmpint (sim_run_until_direct (sim, 0, 5 * SECOND), >=, 0);
  sim_run (sim, SECOND);
  sim_mark (sim);
  sim_run (sim, 60 * SECOND);
  g_assert_cmpuint (sim->nodes[0].n_data_both + sim->nodes[0].n_data_relay, ==, 0);
  g_assert_cmpuint (sim->nodes[0].n_udp, <=, 60 * 4);
  sim->nodes[1].nat = SIM_NAT_BLOCKED;
  sim_run (sim, 10 * SECOND);
  g_test_message ("no data for %d ms", (int) (sim->nodes[1].worst_gap_us / MS));
  g_assert_cmpint (sim->nodes[1].worst_gap_us, <=, 900 * MS);
}

static void
test_own_address (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_EASY, SIM_NAT_EASY);
  gint64 took;

  for (guint i = 0; i < 2; i++)
    {
      sim_run (sim, 20 * SECOND);
      sim_mark (sim);
      sim_move (&sim->nodes[i], "192.168.7.7:41641", i == 0 ? "198.51.100.77:7" : "203.0.113.7:7");
      hn_paths_network_changed (sim->nodes[i].paths, TRUE, sim->now_us);
      g_assert_cmpuint (sim->nodes[i].path.ip.family, ==, 0);
      took = sim_run_until_direct (sim, 0, 10 * SECOND);
      sim_run (sim, SECOND);
      g_test_message ("node %u moved: no data for %d ms, direct after %d ms", i,
                      (int) (sim->nodes[0].worst_gap_us / MS), (int) (took / MS));
      g_assert_cmpint (sim->nodes[0].worst_gap_us, <=, 300 * MS);
      g_assert_cmpint (took, >=, 0);
      g_assert_cmpint (took, <=, 1500 * MS);
      g_assert_true (sim_is_direct (&sim->nodes[1]));
    }
}

/* The NAT forgot its mappings or got another address, and nobody is told. */
static void
check_nat_changes (gboolean stubborn, gboolean relay_too)
{
  g_autoptr (Sim) sim = start (SIM_NAT_EASY, SIM_NAT_NONE);
  gint64 took;

  sim->nodes[1].stubborn = stubborn;
  sim_run (sim, 20 * SECOND);
  sim_mark (sim);
  sim_move (&sim->nodes[0], "192.168.1.2:41641", "198.51.100.99:999");
  if (relay_too)
    {
      sim->relay_down = TRUE;
      sim_run (sim, 400 * MS);
      sim->relay_down = FALSE;
    }
  took = sim_run_until_direct (sim, 0, 10 * SECOND);
  sim_run (sim, 3 * SECOND);
  g_test_message ("no data for %d ms, direct after %d ms", (int) (sim->nodes[0].worst_gap_us / MS),
                  (int) (took / MS));
  g_assert_cmpint (sim->nodes[0].worst_gap_us, <=, 1000 * MS);
  g_assert_true (sim_is_direct (&sim->nodes[0]));
  g_assert_true (sim_is_direct (&sim->nodes[1]));
}

static void
test_nat_changes (void)
{
  check_nat_changes (FALSE, FALSE);
  check_nat_changes (TRUE, FALSE);
  /* what the router forgot may be our relay's connection, too */
  check_nat_changes (TRUE, TRUE);
}

/* A machine that learns later of a new disco key of the other. */
static void
check_restart (gboolean advert)
{
  g_autoptr (Sim) sim = start (SIM_NAT_EASY, SIM_NAT_EASY);
  SimNode *a = &sim->nodes[0];
  SimNode *b = &sim->nodes[1];

  sim_run (sim, 20 * SECOND);
  sim_mark (sim);
  sim_restart (b);
  sim_run (sim, 1100 * MS);
  if (advert)
    {
      hn_paths_advert (a->paths, a->peer, &b->disco_public, sim->now_us);
      sim_run (sim, SECOND);
      g_assert_true (sim_is_direct (a));
    }
  sim_update (b);
  sim_run (sim, SECOND);
  g_assert_true (sim_is_direct (a));
  sim_run (sim, 5 * SECOND);
  g_assert_true (sim_is_direct (b));
  g_assert_cmpint (a->worst_gap_us, <=, 1000 * MS);
}

static void
test_restart (void)
{
  check_restart (FALSE);
  check_restart (TRUE);
}

/* An old map does not undo an advert; a new one counts. */
static void
test_advert (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_NONE, SIM_NAT_NONE);
  SimNode *a = &sim->nodes[0];
  SimNode *b = &sim->nodes[1];
  g_autoptr (HnNode) old = sim_node_new (b, TRUE);

  sim_run (sim, 5 * SECOND);
  sim_restart (b);
  hn_paths_advert (a->paths, a->peer, &b->disco_public, sim->now_us);
  hn_paths_update (a->paths, a->peer, old, sim->now_us);
  g_assert_cmpint (sim_run_until_direct (sim, 0, 5 * SECOND), >=, 0);
}

/* A peer that tells of new keys without end makes us work for a few of them only. */
static void
test_adverts (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_NONE, SIM_NAT_NONE);
  SimNode *a = &sim->nodes[0];
  SimNode *b = &sim->nodes[1];
  guint64 before;

  sim_run (sim, 5 * SECOND);
  sim_mark (sim);
  before = hn_paths_get_counters (a->paths)->limited;
  for (guint i = 0; i < 1000; i++)
    {
      HnDiscoPublic key;

      hn_random_bytes (key.bytes, sizeof key.bytes);
      hn_paths_advert (a->paths, a->peer, &key, sim->now_us);
    }
  g_assert_cmpuint (hn_paths_get_counters (a->paths)->limited - before, >=, 990);
  g_assert_cmpuint (a->n_udp + a->n_relay, <=, 100);
  sim_run (sim, 2 * SECOND);
  hn_paths_advert (a->paths, a->peer, &b->disco_public, sim->now_us);
  g_assert_cmpint (sim_run_until_direct (sim, 0, 5 * SECOND), >=, 0);
}

static void
test_no_udp (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_NONE, SIM_NAT_NONE);
  SimNode *a = &sim->nodes[0];

  sim_run (sim, 5 * SECOND);
  hn_paths_network_changed (a->paths, FALSE, sim->now_us);
  sim_mark (sim);
  sim_run (sim, 60 * SECOND);
  g_assert_cmpuint (a->n_udp, ==, 0);
  g_assert_cmpuint (a->n_data_direct + a->n_data_both, ==, 0);
  g_assert_cmpint (a->worst_gap_us, <=, 300 * MS);
  hn_paths_network_changed (a->paths, TRUE, sim->now_us);
  g_assert_cmpint (sim_run_until_direct (sim, 0, SECOND), >=, 0);
}

static void
test_send_failed (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_NONE, SIM_NAT_NONE);
  SimNode *a = &sim->nodes[0];
  HnEndpoint best;
  HnPathRoute route;

  sim_run (sim, 5 * SECOND);
  best = a->path;
  hn_paths_send_failed (a->paths, a->peer, &best, EPERM, sim->now_us);
  g_assert_true (sim_is_direct (a));
  hn_paths_send_failed (a->paths, a->peer, &best, EHOSTUNREACH, sim->now_us);
  g_assert_false (sim_is_direct (a));
  g_assert_cmpuint (a->path.ip.family, ==, 0);
  hn_paths_route (a->paths, a->peer, sim->now_us, &route);
  g_assert_false (route.direct);
  g_assert_true (route.relay);
  g_assert_cmpint (sim_run_until_direct (sim, 0, 4 * SECOND), >=, 0);
}

/* --- no storms --- */

static void
test_hard_hard (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_HARD, SIM_NAT_HARD);

  sim_run (sim, 60 * SECOND);
  g_test_message ("%u datagrams in the first minute", sim_count_datagrams (sim));
  g_assert_cmpuint (sim_count_datagrams (sim), <=, 200);
  sim_run (sim, 120 * SECOND);
  sim_mark (sim);
  sim_run (sim, 300 * SECOND);
  g_test_message ("%u datagrams in five minutes", sim_count_datagrams (sim));
  g_assert_cmpuint (sim_count_datagrams (sim), <=, 250);
  g_assert_cmpuint (sim->nodes[0].n_lost, ==, 0);
  g_assert_cmpuint (sim->nodes[0].n_data_relay, >=, 300 * 50 * 95 / 100);
  g_assert_cmpuint (sim->nodes[0].n_changes, ==, 0);
}

static void
test_refresh (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_HARD, SIM_NAT_HARD);

  /* Asked once, and never again before the answer. */
  sim->nodes[0].refuses_to_refresh = TRUE;
  sim_run (sim, 300 * SECOND);
  g_assert_cmpuint (sim->nodes[0].n_refreshes, ==, 1);
  g_assert_cmpuint (sim->nodes[1].n_refreshes, >=, 2);
  g_assert_cmpuint (sim->nodes[1].n_refreshes, <=, 300 / 27 + 1);
}

/* Whatever happens to the direct path, told or not: the relay is up, so data flows. */
static void
test_anything (void)
{
  g_autoptr (Sim) sim = start (SIM_NAT_EASY, SIM_NAT_NONE);
  gint64 worst = 0;
  guint directs = 0;

  sim_run (sim, 5 * SECOND);
  for (guint i = 0; i < 60; i++)
    {
      guint n = (guint) g_test_rand_int_range (0, 2);
      SimNode *node = &sim->nodes[n];
      int event = g_test_rand_int_range (0, 6);

      sim_mark (sim);
      switch (event)
        {
        case 0:
        case 1:
          node->nat = (SimNat) g_test_rand_int_range (SIM_NAT_NONE, SIM_NAT_BLOCKED + 1);
          break;
        case 2:
        case 3:
          {
            g_autofree char *local = g_strdup_printf ("192.168.%u.%u:41641", n, 2 + i);
            g_autofree char *outside = g_strdup_printf ("198.51.100.%u:%u", 1 + i, 1000 + n);

            sim_move (node, local, outside);
            if (event == 3)
              hn_paths_network_changed (node->paths, TRUE, sim->now_us);
            break;
          }
        case 4:
          sim->udp_us = g_test_rand_int_range (200, 60000);
          break;
        default:
          sim->loss = (guint) g_test_rand_int_range (0, 5);
          break;
        }
      sim_run (sim, g_test_rand_int_range (500 * MS, 15 * SECOND));
      worst = MAX (worst, MAX (sim->nodes[0].worst_gap_us, sim->nodes[1].worst_gap_us));
      directs += sim_is_direct (&sim->nodes[0]);
    }
  g_test_message ("no data for %d ms at worst, direct after %u of 60", (int) (worst / MS), directs);
  g_assert_cmpint (worst, <=, 1500 * MS);
  g_assert_cmpuint (directs, >, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/paths/lan", test_lan);
  g_test_add_func ("/paths/grid", test_grid);
  g_test_add_func ("/paths/call-only", test_call_only);
  g_test_add_func ("/paths/late-key", test_late_key);
  g_test_add_func ("/paths/heartbeat", test_heartbeat);
  g_test_add_func ("/paths/idle", test_idle);
  g_test_add_func ("/paths/resume", test_resume);
  g_test_add_func ("/paths/loss", test_loss);
  g_test_add_func ("/paths/blocked", test_blocked);
  g_test_add_func ("/paths/stubborn", test_stubborn);
  g_test_add_func ("/paths/short-block", test_short_block);
  g_test_add_func ("/paths/one-way", test_one_way);
  g_test_add_func ("/paths/own-address", test_own_address);
  g_test_add_func ("/paths/nat-changes", test_nat_changes);
  g_test_add_func ("/paths/restart", test_restart);
  g_test_add_func ("/paths/advert", test_advert);
  g_test_add_func ("/paths/adverts", test_adverts);
  g_test_add_func ("/paths/no-udp", test_no_udp);
  g_test_add_func ("/paths/send-failed", test_send_failed);
  g_test_add_func ("/paths/hard-hard", test_hard_hard);
  g_test_add_func ("/paths/refresh", test_refresh);
  g_test_add_func ("/paths/anything", test_anything);
  return g_test_run ();
}
