/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control client does by the clock: hours of it, on a clock that the test moves. */
#include "control/hn-control-client.h"

#include <malloc.h>
#include <string.h>

#include "base/hn-error.h"
#include "fake-control.h"
#include "virtual-clock.h"

#define REGISTER "/machine/register"
#define MAP "/machine/map"
#define OK "{\"MachineAuthorized\":true}"
#define KEY "nodekey:1111111111111111111111111111111111111111111111111111111111111111"
#define FIRST                                                                                      \
  "{\"Node\":{\"ID\":1,\"StableID\":\"1\",\"Name\":\"n1.lab.test.\",\"Key\":\"" KEY                \
  "\",\"Addresses\":[\"100.64.0.1/32\"],\"MachineAuthorized\":true}}"
#define ALIVE "{\"KeepAlive\":true}"

#define MS (gint64) 1000
#define SECOND (gint64) G_USEC_PER_SEC
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
/* Of the back-off: n^2 * 10 ms, at most 30 s, times 0.5 to 1.5. */
#define UNIT_US (10 * MS)
#define CAP_US (30 * SECOND)

typedef struct
{
  FakeControl *server;
  HnControlClient *client;
  guint fulls;
  guint news; /* calls of phase_changed */
  guint lines;
} Fixture;

static void
on_phase (gpointer user)
{
  ((Fixture *) user)->news++;
}

static void
on_netmap (gpointer user, HnNetmap *netmap, const HnNetmapChange *change)
{
  ((Fixture *) user)->fulls += change->full ? 1 : 0;
}

static void
on_line (const char *domain, GLogLevelFlags level, const char *text, gpointer user)
{
  ((Fixture *) user)->lines++;
  g_test_message ("journal: %s", text);
}

static void
setup (Fixture *f, gconstpointer data)
{
  static const HnControlClientEvents events
      = { .phase_changed = on_phase, .netmap_changed = on_netmap };

  memset (f, 0, sizeof *f);
  f->server = fake_control_new ();
  f->client = fake_control_new_client (f->server, &events, f);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  hn_control_client_stop (f->client);
  virtual_clock_settle ();
  /* Nothing of a client that was stopped wakes the machine. */
  g_assert_cmpuint (virtual_clock_get_n_timers (), ==, 0);
  g_object_unref (f->client);
  fake_control_free (f->server);
}

/* Starts it and answers its registration; returns the request for the map. */
static FakeRequest *
ask_for_map (Fixture *f)
{
  FakeRequest *map;

  hn_control_client_start (f->client);
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, OK);
  map = fake_control_next (f->server, MAP);
  virtual_clock_settle ();
  return map;
}

static void
give_map (Fixture *f, FakeRequest *map)
{
  fake_request_open (map);
  fake_request_frame (map, FIRST);
  virtual_clock_settle ();
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_MAPPED);
  g_assert_true (hn_control_client_is_reachable (f->client));
  g_assert_no_error (hn_control_client_get_error (f->client));
}

static FakeRequest *
get_mapped (Fixture *f)
{
  FakeRequest *map = ask_for_map (f);

  give_map (f, map);
  return map;
}

static void
expect_quiet (Fixture *f)
{
  virtual_clock_settle ();
  fake_control_expect_quiet (f->server, 0);
}

/* Time passes beside a server that keeps the stream alive and answers registrations. Returns how many
 * there were; what else is asked for stays. */
static guint
pass (Fixture *f, FakeRequest *map, gint64 us)
{
  guint n = 0;

  for (; us > 0 && !fake_request_is_gone (map); us -= 15 * SECOND)
    {
      FakeRequest *request;

      virtual_clock_advance (MIN (us, 15 * SECOND));
      while ((request = fake_control_take (f->server, REGISTER)) != NULL)
        {
          fake_request_reply (request, 200, OK);
          n++;
        }
      fake_request_frame (map, ALIVE);
    }
  virtual_clock_settle ();
  return n;
}

static void
assert_error (Fixture *f, int code)
{
  g_assert_error (hn_control_client_get_error (f->client), HN_ERROR, code);
}

/* ---- the stream ---- */

/* Two minutes without a byte: the connection is dead. */
static void
test_silence (Fixture *f, gconstpointer data)
{
  FakeRequest *map = get_mapped (f);

  virtual_clock_advance (119 * SECOND);
  fake_request_frame (map, ALIVE);
  virtual_clock_advance (119 * SECOND);
  g_assert_true (hn_control_client_is_reachable (f->client));
  g_assert_false (fake_request_is_gone (map));
  expect_quiet (f);

  fake_control_set_health (f->server, FAKE_CONTROL_GONE);
  virtual_clock_advance (3 * SECOND);
  g_assert_false (hn_control_client_is_reachable (f->client));
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_MAPPED);
  g_assert_nonnull (hn_control_client_get_error (f->client));
  g_assert_true (fake_request_is_gone (map));

  fake_control_set_health (f->server, FAKE_CONTROL_WELL);
  virtual_clock_advance (5 * SECOND);
  give_map (f, fake_control_next (f->server, MAP));
  g_assert_cmpuint (f->fulls, ==, 2);
}

/* Before the first byte of a stream it takes less, and more each time: the server may be busy. */
static void
test_silent_request (Fixture *f, gconstpointer data)
{
  static const guint limits[] = { 30, 60, 120, 120 };
  FakeRequest *map = ask_for_map (f);

  virtual_clock_advance (10 * SECOND - 1);
  g_assert_no_error (hn_control_client_get_error (f->client));
  virtual_clock_advance (SECOND);
  assert_error (f, HN_ERROR_TIMEOUT);
  for (guint i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      guint waited = i == 0 ? 11 : 0;

      for (; !fake_request_is_gone (map); waited++)
        virtual_clock_advance (SECOND);
      g_assert_cmpuint (waited, >=, limits[i]);
      g_assert_cmpuint (waited, <=, limits[i] + 2);
      assert_error (f, HN_ERROR_TIMEOUT);
      while ((map = fake_control_take (f->server, MAP)) == NULL)
        virtual_clock_next ();
    }
  give_map (f, map);
  /* The count begins anew. */
  fake_request_end (map);
  virtual_clock_advance (SECOND);
  map = fake_control_next (f->server, MAP);
  virtual_clock_advance (32 * SECOND);
  g_assert_true (fake_request_is_gone (map));
}

/* What keeps its time may come slowly: a large map over a narrow line. */
static void
test_slow_answer (Fixture *f, gconstpointer data)
{
  FakeRequest *map = ask_for_map (f);

  virtual_clock_advance (20 * SECOND);
  fake_request_open (map);
  fake_request_bytes (map, "\xff", 1);
  virtual_clock_advance (60 * SECOND);
  g_assert_false (fake_request_is_gone (map));
  g_assert_true (hn_control_client_is_reachable (f->client));
  expect_quiet (f);
}

/* Why an earlier try failed is nothing that people should read while this one waits. */
static void
test_older_text (Fixture *f, gconstpointer data)
{
  fake_control_set_health (f->server, FAKE_CONTROL_CLOSES);
  hn_control_client_start (f->client);
  virtual_clock_advance (5 * SECOND);
  g_assert_false (
      g_error_matches (hn_control_client_get_error (f->client), HN_ERROR, HN_ERROR_TIMEOUT));
  g_assert_nonnull (hn_control_client_get_error (f->client));
  fake_control_set_health (f->server, FAKE_CONTROL_WELL);
  virtual_clock_advance (2 * SECOND);
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, OK);
  fake_control_next (f->server, MAP);
  virtual_clock_advance (11 * SECOND);
  assert_error (f, HN_ERROR_TIMEOUT);
}

/* A check that is never answered does not cost the stream beside it. */
static void
test_check_stalls (Fixture *f, gconstpointer data)
{
  FakeRequest *map = get_mapped (f);
  FakeRequest *check, *again;
  guint news = f->news;

  hn_control_client_check_registration (f->client);
  check = fake_control_next (f->server, REGISTER);
  virtual_clock_advance (21 * SECOND);
  g_assert_true (fake_request_is_gone (check));
  again = fake_control_next (f->server, REGISTER);
  virtual_clock_advance (15 * SECOND);
  g_assert_false (fake_request_is_gone (map));
  g_assert_true (hn_control_client_is_reachable (f->client));
  g_assert_no_error (hn_control_client_get_error (f->client));
  g_assert_cmpuint (f->news, ==, news);
  /* It is asked again on a connection of its own, where it may go better. */
  g_assert_cmpuint (fake_control_get_n_handshakes (f->server), ==, 2);
  fake_request_reply (again, 200, OK);
  pass (f, map, 5 * MINUTE);
  g_assert_cmpuint (f->news, ==, news);
  g_assert_cmpuint (fake_control_get_n_handshakes (f->server), ==, 2);
  /* With the next stream all is on one again. */
  fake_request_end (map);
  virtual_clock_advance (SECOND);
  give_map (f, fake_control_next (f->server, MAP));
  g_assert_cmpuint (fake_control_get_n_handshakes (f->server), ==, 2);
}

/* But on a connection that is dead it is what finds that out. */
static void
test_check_on_dead (Fixture *f, gconstpointer data)
{
  FakeRequest *map = get_mapped (f);

  fake_control_set_health (f->server, FAKE_CONTROL_SILENT);
  hn_control_client_check_registration (f->client);
  virtual_clock_advance (24 * SECOND);
  g_assert_true (hn_control_client_is_reachable (f->client));
  virtual_clock_advance (1500 * MS);
  g_assert_false (hn_control_client_is_reachable (f->client));
  assert_error (f, HN_ERROR_TIMEOUT);
  fake_control_set_health (f->server, FAKE_CONTROL_WELL);
  fake_control_drop (f->server);
  g_assert_true (fake_request_is_gone (map));
  virtual_clock_advance (5 * SECOND);
  give_map (f, fake_control_next (f->server, MAP));
}

/* Every quarter of an hour it asks whether the server still knows it. */
static void
test_check (Fixture *f, gconstpointer data)
{
  FakeRequest *map = get_mapped (f);

  g_assert_cmpuint (pass (f, map, 13 * MINUTE), ==, 0);
  g_assert_cmpuint (pass (f, map, 4 * MINUTE), ==, 1);
  g_assert_cmpuint (pass (f, map, 11 * MINUTE), ==, 0);
  for (guint i = 0; i < 5 * 6; i++)
    {
      FakeRequest *request;

      virtual_clock_advance (10 * SECOND);
      fake_request_frame (map, ALIVE);
      request = fake_control_take (f->server, REGISTER);
      if (request == NULL)
        continue;
      fake_request_reply (request, 200, "{\"AuthURL\":\"https://hs.test/register/x\"}");
      virtual_clock_settle ();
      break;
    }
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_NEEDS_LOGIN);
  assert_error (f, HN_ERROR_NODE_UNKNOWN);
  g_assert_true (fake_request_is_gone (map));
}

/* Every hour it opens the stream anew, and nobody notices. */
static void
test_hourly (Fixture *f, gconstpointer data)
{
  FakeRequest *map = get_mapped (f);
  guint news = f->news;

  g_assert_cmpuint (pass (f, map, 53 * MINUTE), ==, 3);
  g_assert_false (fake_request_is_gone (map));
  expect_quiet (f);
  pass (f, map, 14 * MINUTE);
  g_assert_true (fake_request_is_gone (map));
  g_assert_true (hn_control_client_is_reachable (f->client));
  give_map (f, fake_control_next (f->server, MAP));
  g_assert_cmpuint (f->fulls, ==, 2);
  g_assert_cmpuint (f->news, ==, news);
}

/* A server that asks to be left alone for a while is. */
static void
test_sleep (Fixture *f, gconstpointer data)
{
  FakeRequest *map = get_mapped (f);

  fake_request_frame (map, "{\"Debug\":{\"SleepSeconds\":7}}");
  virtual_clock_settle ();
  g_assert_true (fake_request_is_gone (map));
  g_assert_true (hn_control_client_is_reachable (f->client));
  virtual_clock_advance (7 * SECOND - 1);
  expect_quiet (f);
  virtual_clock_advance (1);
  give_map (f, fake_control_next (f->server, MAP));
}

/* Changes, but no map that they would change. */
static void
test_no_map (Fixture *f, gconstpointer data)
{
  FakeRequest *map = ask_for_map (f);

  fake_request_open (map);
  fake_request_frame (map, "{\"PeersRemoved\":[7]}");
  virtual_clock_advance (10 * SECOND - 1);
  g_assert_false (fake_request_is_gone (map));
  fake_control_set_health (f->server, FAKE_CONTROL_GONE);
  virtual_clock_advance (SECOND);
  g_assert_true (fake_request_is_gone (map));
  g_assert_cmpuint (f->fulls, ==, 0);
}

/* A registration that seems to say that the node is gone, and a map that says nothing. */
static void
test_doubt (Fixture *f, gconstpointer data)
{
  hn_control_client_start (f->client);
  fake_request_reply (fake_control_next (f->server, REGISTER), 200,
                      "{\"AuthURL\":\"https://hs.test/register/x\"}");
  virtual_clock_advance (1500 * MS - 1);
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_CONNECTING);
  virtual_clock_advance (1);
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_NEEDS_LOGIN);
  assert_error (f, HN_ERROR_NODE_UNKNOWN);
}

/* ---- registration ---- */

static void
test_register_silent (Fixture *f, gconstpointer data)
{
  FakeRequest *request;

  hn_control_client_start (f->client);
  request = fake_control_next (f->server, REGISTER);
  virtual_clock_advance (10 * SECOND - 1);
  g_assert_no_error (hn_control_client_get_error (f->client));
  virtual_clock_advance (10 * SECOND);
  g_assert_false (fake_request_is_gone (request));
  virtual_clock_advance (SECOND);
  g_assert_true (fake_request_is_gone (request));
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, OK);
  fake_control_next (f->server, MAP); /* of the first connection */
  give_map (f, fake_control_next (f->server, MAP));
}

/* A wait that the server asks for is kept, to the second. */
static void
test_retry_after (Fixture *f, gconstpointer data)
{
  hn_control_client_start (f->client);
  fake_control_next (f->server, MAP);
  fake_request_reply (fake_control_next (f->server, REGISTER), 429, "slow down");
  virtual_clock_advance (5 * SECOND - 1);
  expect_quiet (f);
  assert_error (f, HN_ERROR_RATE_LIMITED);
  virtual_clock_advance (5 * SECOND);
  fake_control_next (f->server, REGISTER);
}

/* However often a relay refuses us, the server is asked once a minute. */
static void
test_check_soon (Fixture *f, gconstpointer data)
{
  FakeRequest *map = get_mapped (f);

  hn_control_client_check_registration (f->client);
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, OK);
  virtual_clock_settle ();
  for (guint i = 0; i < 10; i++)
    {
      hn_control_client_check_registration (f->client);
      virtual_clock_advance (5 * SECOND);
    }
  expect_quiet (f);
  fake_request_frame (map, ALIVE);
  virtual_clock_advance (11 * SECOND);
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, OK);
  g_assert_cmpuint (pass (f, map, 5 * MINUTE), ==, 0);
}

/* ---- waits ---- */

static void
assert_wait (gint64 waited, guint failures)
{
  gint64 usual = MIN (failures * (gint64) failures * UNIT_US, CAP_US);

  g_assert_cmpint (waited, >=, usual / 2);
  g_assert_cmpint (waited, <=, usual * 3 / 2 + 1);
}

static void
test_back_off (Fixture *f, gconstpointer data)
{
  fake_control_set_health (f->server, FAKE_CONTROL_CLOSES);
  hn_control_client_start (f->client);
  virtual_clock_settle ();
  for (guint i = 1; i < 70; i++)
    {
      g_assert_cmpuint (fake_control_get_n_connections (f->server), ==, i);
      assert_wait (virtual_clock_next (), i);
    }
  /* Whoever has another network does not wait for the old one's failures. */
  hn_control_client_network_changed (f->client, TRUE, TRUE);
  virtual_clock_settle ();
  g_assert_cmpuint (fake_control_get_n_connections (f->server), ==, 71);
  assert_wait (virtual_clock_next (), 1);
}

/* Opens a stream, holds it for @us after its map, ends it. Returns the wait for the next. */
static gint64
flap (Fixture *f, FakeRequest **map, gint64 us)
{
  FakeRequest *old = *map;
  gint64 waited = 0;

  give_map (f, old);
  virtual_clock_advance (us);
  fake_request_end (old);
  virtual_clock_settle ();
  assert_error (f, HN_ERROR_CONNECTION_LOST);
  while ((*map = fake_control_take (f->server, MAP)) == NULL)
    waited += virtual_clock_next ();
  return waited;
}

/* What works for a while each time is worth coming back to soon. */
static void
test_flapping (Fixture *f, gconstpointer data)
{
  FakeRequest *map = ask_for_map (f);

  for (guint i = 0; i < 40; i++)
    g_assert_cmpint (flap (f, &map, SECOND), <=, 1500 * MS + 1);
  for (guint i = 0; i < 10; i++)
    flap (f, &map, 5 * SECOND);
  g_assert_cmpint (flap (f, &map, 5 * SECOND), <=, 15 * MS + 1);
}

/* What breaks at once is left alone ever longer, until it holds. */
static void
test_hang_up (Fixture *f, gconstpointer data)
{
  FakeRequest *map = ask_for_map (f);

  for (guint i = 1; i < 60; i++)
    assert_wait (flap (f, &map, 0), i);
  assert_wait (flap (f, &map, 10 * SECOND), 1);
}

/* A stream that is refused. Returns the wait for the next. */
static gint64
fail (Fixture *f, FakeRequest **map)
{
  gint64 waited = 0;

  fake_request_reply (*map, 503, "busy");
  virtual_clock_settle ();
  while ((*map = fake_control_take (f->server, MAP)) == NULL)
    waited += virtual_clock_next ();
  return waited;
}

/* However long it went wrong: a full map begins a new count. */
static void
test_well_again (Fixture *f, gconstpointer data)
{
  FakeRequest *map = ask_for_map (f);

  for (guint i = 1; i < 60; i++)
    assert_wait (fail (f, &map), i);
  assert_wait (flap (f, &map, 0), 1);
  assert_wait (fail (f, &map), 1);
}

/* Whoever asks does not wait for what went wrong before, and can not drive us either. */
static void
test_hurry (Fixture *f, gconstpointer data)
{
  guint n;

  fake_control_set_health (f->server, FAKE_CONTROL_CLOSES);
  hn_control_client_start (f->client);
  virtual_clock_advance (10 * MINUTE);
  n = fake_control_get_n_connections (f->server);
  hn_control_client_hurry (f->client);
  virtual_clock_settle ();
  g_assert_cmpuint (fake_control_get_n_connections (f->server), ==, n + 1);
  for (guint i = 0; i < 100; i++)
    hn_control_client_hurry (f->client);
  virtual_clock_settle ();
  g_assert_cmpuint (fake_control_get_n_connections (f->server), ==, n + 1);
  assert_wait (virtual_clock_next (), 1);

  fake_control_set_health (f->server, FAKE_CONTROL_WELL);
  virtual_clock_advance (SECOND);
  fake_control_next (f->server, MAP);
  fake_request_reply (fake_control_next (f->server, REGISTER), 429, "slow down");
  virtual_clock_settle ();
  hn_control_client_hurry (f->client);
  expect_quiet (f);
}

/* One failed try on the way up is not worth a word, the second is. */
static void
test_hitch (Fixture *f, gconstpointer data)
{
  FakeRequest *map;

  hn_control_client_start (f->client);
  map = fake_control_next (f->server, MAP);
  fake_request_reply (fake_control_next (f->server, REGISTER), 500, "oops");
  virtual_clock_settle ();
  g_assert_no_error (hn_control_client_get_error (f->client));
  g_assert_cmpint (virtual_clock_next (), <=, 15 * MS + 1);
  fake_request_reply (fake_control_next (f->server, REGISTER), 500, "oops");
  virtual_clock_settle ();
  assert_error (f, HN_ERROR_SERVER_REFUSED);
  virtual_clock_advance (SECOND);
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, OK);
  give_map (f, map);
}

/* The same when the whole connection breaks, as with a server that is just starting. */
static void
test_hitch_closed (Fixture *f, gconstpointer data)
{
  hn_control_client_start (f->client);
  fake_control_next (f->server, MAP);
  fake_control_next (f->server, REGISTER);
  fake_control_drop (f->server);
  virtual_clock_settle ();
  g_assert_no_error (hn_control_client_get_error (f->client));
  virtual_clock_advance (100 * MS);
  g_assert_no_error (hn_control_client_get_error (f->client));
  fake_control_next (f->server, MAP);
  fake_control_next (f->server, REGISTER);
  fake_control_drop (f->server);
  virtual_clock_settle ();
  assert_error (f, HN_ERROR_CONNECTION_LOST);
}

/* Without a network there is nothing to wait for. */
static void
test_no_network (Fixture *f, gconstpointer data)
{
  guint n;

  fake_control_set_health (f->server, FAKE_CONTROL_CLOSES);
  hn_control_client_start (f->client);
  virtual_clock_advance (MINUTE);
  n = fake_control_get_n_connections (f->server);
  hn_control_client_network_changed (f->client, FALSE, FALSE);
  virtual_clock_settle ();
  g_assert_cmpuint (virtual_clock_get_n_timers (), ==, 0);
  virtual_clock_advance (HOUR);
  g_assert_cmpuint (fake_control_get_n_connections (f->server), ==, n);
}

/* The wall clock may step by years: nothing here goes by it. */
static void
test_wall (Fixture *f, gconstpointer data)
{
  FakeRequest *map = get_mapped (f);

  virtual_clock_step_wall (1000 * 24 * HOUR);
  virtual_clock_advance (MINUTE);
  virtual_clock_step_wall (-2000 * 24 * HOUR);
  virtual_clock_advance (50 * SECOND);
  expect_quiet (f);
  g_assert_false (fake_request_is_gone (map));
  g_assert_true (hn_control_client_is_reachable (f->client));
}

/* ---- a server that is gone for an hour ---- */

/* One that fails in another way each time. */
static void
test_journal (Fixture *f, gconstpointer data)
{
  guint handler
      = g_log_set_handler ("headnet-control", G_LOG_LEVEL_MASK & ~G_LOG_LEVEL_DEBUG, on_line, f);
  FakeRequest *request;

  hn_control_client_start (f->client);
  for (guint i = 0; i < 60; i++)
    {
      fake_control_set_health (f->server, i % 3 + FAKE_CONTROL_GONE);
      virtual_clock_advance (MINUTE);
    }
  g_assert_cmpuint (f->lines, ==, 3);
  /* What comes after all was well is news again. */
  fake_control_set_health (f->server, FAKE_CONTROL_WELL);
  fake_control_drop (f->server);
  while ((request = fake_control_take (f->server, REGISTER)) == NULL)
    virtual_clock_next ();
  fake_request_reply (request, 200, OK);
  give_map (f, fake_control_next (f->server, MAP));
  fake_control_set_health (f->server, FAKE_CONTROL_GONE);
  fake_control_drop (f->server);
  virtual_clock_advance (MINUTE);
  g_assert_cmpuint (f->lines, >, 3);
  g_log_remove_handler ("headnet-control", handler);
}

/* Where the sanitizer's allocator is, the other one counts nothing. */
extern size_t __sanitizer_get_current_allocated_bytes (void) __attribute__ ((weak));

/* Between two dials, that is, over some of them, the least. */
static gsize
memory_at_rest (void)
{
  gsize least = G_MAXSIZE;

  for (guint i = 0; i < 8; i++)
    {
      gsize now = __sanitizer_get_current_allocated_bytes != NULL
                      ? __sanitizer_get_current_allocated_bytes ()
                      : mallinfo2 ().uordblks;

      least = MIN (least, now);
      virtual_clock_next ();
    }
  return least;
}

static void
test_gone (Fixture *f, gconstpointer data)
{
  FakeControlHealth health = GPOINTER_TO_INT (data);
  guint handler
      = g_log_set_handler ("headnet-control", G_LOG_LEVEL_MASK & ~G_LOG_LEVEL_DEBUG, on_line, f);
  guint dials, tries = 0;
  gsize memory;
  gssize growth;
  gint64 waited = 0;

  get_mapped (f);
  dials = fake_control_get_n_connections (f->server);
  fake_control_set_health (f->server, health);
  fake_control_drop (f->server);
  virtual_clock_advance (15 * MINUTE);
  g_assert_false (hn_control_client_is_reachable (f->client));
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_MAPPED);
  g_assert_nonnull (hn_control_client_get_error (f->client));
  memory = memory_at_rest ();
  virtual_clock_advance (45 * MINUTE);
  growth = (gssize) (memory_at_rest () - memory);
  dials = fake_control_get_n_connections (f->server) - dials;
  g_test_message ("%u dials, %u journal lines, %d bytes of growth in the last 45 minutes", dials,
                  f->lines, (int) growth);
  /* A hundred dials and more have no room in this, if one leaves anything. */
  g_assert_cmpint (growth, <=, 4096);
  g_assert_cmpuint (f->lines, >=, 1);
  g_assert_cmpuint (f->lines, <=, 10);
  if (health != FAKE_CONTROL_GONE)
    {
      g_assert_cmpuint (dials, >=, 80);
      g_assert_cmpuint (dials, <=, 200);
    }

  fake_control_set_health (f->server, FAKE_CONTROL_WELL);
  if (health == FAKE_CONTROL_SILENT)
    fake_control_drop (f->server);
  dials = fake_control_get_n_connections (f->server);
  while (fake_control_get_n_connections (f->server) == dials)
    {
      waited += virtual_clock_next ();
      tries++;
    }
  g_assert_cmpuint (tries, ==, 1);
  g_test_message ("back: the next try came after %.1f s", (double) waited / SECOND);
  g_assert_cmpint (waited, <=, 45 * SECOND);
  give_map (f, fake_control_next (f->server, MAP));
  g_assert_cmpuint (f->fulls, ==, 2);
  g_assert_cmpuint (f->lines, <=, 10);
  g_log_remove_handler ("headnet-control", handler);
}

int
main (int argc, char **argv)
{
  /* The others ask in a thread, which the clock does not wait for. */
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  g_test_init (&argc, &argv, NULL);
#define ADD(name, data, func)                                                                      \
  g_test_add ("/control/time/" name, Fixture, data, setup, func, teardown)
  ADD ("silence", NULL, test_silence);
  ADD ("silent-request", NULL, test_silent_request);
  ADD ("slow-answer", NULL, test_slow_answer);
  ADD ("older-text", NULL, test_older_text);
  ADD ("check", NULL, test_check);
  ADD ("check-stalls", NULL, test_check_stalls);
  ADD ("check-on-dead", NULL, test_check_on_dead);
  ADD ("hourly", NULL, test_hourly);
  ADD ("sleep", NULL, test_sleep);
  ADD ("no-map", NULL, test_no_map);
  ADD ("doubt", NULL, test_doubt);
  ADD ("register-silent", NULL, test_register_silent);
  ADD ("retry-after", NULL, test_retry_after);
  ADD ("check-soon", NULL, test_check_soon);
  ADD ("back-off", NULL, test_back_off);
  ADD ("flapping", NULL, test_flapping);
  ADD ("hang-up", NULL, test_hang_up);
  ADD ("well-again", NULL, test_well_again);
  ADD ("hurry", NULL, test_hurry);
  ADD ("hitch", NULL, test_hitch);
  ADD ("hitch-closed", NULL, test_hitch_closed);
  ADD ("no-network", NULL, test_no_network);
  ADD ("wall", NULL, test_wall);
  ADD ("journal", NULL, test_journal);
  ADD ("gone/refused", GINT_TO_POINTER (FAKE_CONTROL_GONE), test_gone);
  ADD ("gone/closes", GINT_TO_POINTER (FAKE_CONTROL_CLOSES), test_gone);
  ADD ("gone/silent", GINT_TO_POINTER (FAKE_CONTROL_SILENT), test_gone);
  return g_test_run ();
}
