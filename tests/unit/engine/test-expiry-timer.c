/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hn-clock.h"
#include "engine/hn-expiry-timer.h"
#include "model/hn-map-update.h"
#include "virtual-clock.h"

#define SECOND (gint64) G_USEC_PER_SEC
#define SLACK 10
#define DAY 86400

typedef struct
{
  HnNetmap *netmap;
  HnExpiryTimer timer;
  guint fired;
} Fixture;

static gint64
wall (void)
{
  return hn_clock_wall_us () / G_USEC_PER_SEC;
}

static HnNode *
make_node (gint64 id, gint64 expiry)
{
  HnNodeFields fields = { .id = id, .stable_id = "", .name = "", .host_name = "", .os = "" };

  fields.key_expiry = expiry;
  memset (fields.key.bytes, (int) id, sizeof fields.key.bytes);
  return hn_node_new (&fields);
}

static gboolean
on_expiry (gpointer user)
{
  Fixture *f = user;

  f->fired++;
  hn_expiry_timer_set (&f->timer, f->netmap);
  return G_SOURCE_REMOVE;
}

static void
change (Fixture *f, gint64 id, gint64 expiry)
{
  g_autoptr (HnMapUpdate) update = hn_map_update_new ();
  g_autoptr (HnNetmapChange) change = NULL;

  update->peers_changed = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);
  g_ptr_array_add (update->peers_changed, make_node (id, expiry));
  change = hn_netmap_apply (f->netmap, update, wall ());
  hn_expiry_timer_advance (&f->timer, f->netmap, change);
}

static void
setup (Fixture *f, gconstpointer data)
{
  g_autoptr (HnMapUpdate) update = hn_map_update_new ();
  g_autoptr (HnNetmapChange) change = NULL;

  f->netmap = hn_netmap_new ();
  update->node = make_node (1, wall () + 300);
  change = hn_netmap_apply (f->netmap, update, wall ());
  hn_expiry_timer_init (&f->timer, on_expiry, f);
  hn_expiry_timer_set (&f->timer, f->netmap);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  hn_expiry_timer_clear (&f->timer);
  g_assert_cmpuint (virtual_clock_get_n_timers (), ==, 0);
  hn_netmap_unref (f->netmap);
}

/* Not before the key expired, and a little after. */
static void
assert_fires_after (Fixture *f, gint64 seconds)
{
  guint before = f->fired;

  virtual_clock_advance (seconds * SECOND - 1);
  g_assert_cmpuint (f->fired, ==, before);
  virtual_clock_advance (1);
  g_assert_cmpuint (f->fired, ==, before + 1);
}

static void
test_own (Fixture *f, gconstpointer data)
{
  assert_fires_after (f, 300 + SLACK);
  /* Nothing is left that could expire. */
  g_assert_cmpuint (virtual_clock_get_n_timers (), ==, 0);
}

static void
test_peers (Fixture *f, gconstpointer data)
{
  change (f, 2, wall () + 100);
  change (f, 3, wall () + 200);
  change (f, 4, 0);
  change (f, 5, wall () - 100);
  assert_fires_after (f, 100 + SLACK);
  assert_fires_after (f, 100);
  assert_fires_after (f, 100);
  virtual_clock_advance (3 * DAY * SECOND);
  g_assert_cmpuint (f->fired, ==, 3);
}

/* A key that was renewed costs one look. */
static void
test_renewed (Fixture *f, gconstpointer data)
{
  change (f, 2, wall () + 100);
  change (f, 2, wall () + 500);
  assert_fires_after (f, 100 + SLACK);
  assert_fires_after (f, 200);
  assert_fires_after (f, 200);
}

/* Years ahead, it looks once a day: the clock may step. */
static void
test_far (Fixture *f, gconstpointer data)
{
  assert_fires_after (f, 300 + SLACK);
  change (f, 2, wall () + 3 * DAY);
  assert_fires_after (f, DAY);
  virtual_clock_step_wall (2 * DAY * SECOND - 60 * SECOND);
  assert_fires_after (f, DAY);
  g_assert_cmpuint (virtual_clock_get_n_timers (), ==, 0);
}

/* Set back, the clock gives the key more time. */
static void
test_step (Fixture *f, gconstpointer data)
{
  virtual_clock_step_wall (-100 * SECOND);
  assert_fires_after (f, 300 + SLACK);
  assert_fires_after (f, 100);
  g_assert_cmpuint (virtual_clock_get_n_timers (), ==, 0);
}

/* It is the server's clock that counts. */
static void
test_offset (Fixture *f, gconstpointer data)
{
  g_autoptr (HnMapUpdate) update = hn_map_update_new ();
  g_autoptr (HnNetmapChange) merged = NULL;

  update->control_time = wall () + 200;
  merged = hn_netmap_apply (f->netmap, update, wall ());
  g_assert_cmpint (hn_netmap_get_clock_offset (f->netmap), ==, 200);
  hn_expiry_timer_set (&f->timer, f->netmap);
  change (f, 2, wall () + 250);
  assert_fires_after (f, 50 + SLACK);
  assert_fires_after (f, 50);
}

static void
test_nothing (Fixture *f, gconstpointer data)
{
  hn_expiry_timer_set (&f->timer, NULL);
  g_assert_cmpuint (virtual_clock_get_n_timers (), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func)                                                                            \
  g_test_add ("/engine/expiry-timer/" name, Fixture, NULL, setup, func, teardown)
  ADD ("own", test_own);
  ADD ("peers", test_peers);
  ADD ("renewed", test_renewed);
  ADD ("far", test_far);
  ADD ("step", test_step);
  ADD ("offset", test_offset);
  ADD ("nothing", test_nothing);
  return g_test_run ();
}
