/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/paths/lan", test_lan);
  g_test_add_func ("/paths/grid", test_grid);
  return g_test_run ();
}
