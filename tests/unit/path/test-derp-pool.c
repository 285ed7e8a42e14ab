/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "crypto/hn-crypto.h"
#include "fake-relay.h"
#include "path/hn-derp-pool.h"
#include "path/hn-derp-queue.h"

/* The leak check of GCC 12 crashes over the thread-local storage of TLS modules that were loaded at
 * run time; without this one book-keeping it works. */
const char *__asan_default_options (void) __attribute__ ((visibility ("default")));

const char *
__asan_default_options (void)
{
  return "intercept_tls_get_addr=0";
}

typedef enum
{
  DO_NOTHING,
  DO_FREE,
  DO_DROP_MAP,
  DO_SEND_MANY,
} Order;

typedef struct
{
  FakeRelay *relay;
  HnDialer *dialer;
  HnDerpPool *pool;
  char *url;
  HnNodePrivate key;
  HnNodePublic peer;

  /* What the pool said. */
  guint counts[5];
  int last_region;
  GError *error;
  char *health;
  guint packets;
  guint gone;
  guint drained;
  int packet_region;
  HnNodePublic source;
  char *text;

  Order at_packet;
  Order at_state;
  HnDerpState at_which;
} Fixture;

static void
carry_out (Fixture *f, Order order)
{
  switch (order)
    {
    case DO_NOTHING:
      break;
    case DO_FREE:
      g_clear_pointer (&f->pool, hn_derp_pool_free);
      break;
    case DO_DROP_MAP:
      hn_derp_pool_set_map (f->pool, NULL);
      break;
    case DO_SEND_MANY:
      for (guint i = 0; i < 100; i++)
        {
          guint8 data[1000] = { 4 };

          hn_derp_pool_send (f->pool, 1, &f->peer, data, sizeof data);
        }
      break;
    }
}

static void
on_receive (gpointer user, int region, const HnNodePublic *source, guint8 *data, gsize len)
{
  Fixture *f = user;
  Order order = f->at_packet;

  g_assert_nonnull (f->pool);
  f->packets++;
  f->packet_region = region;
  f->source = *source;
  g_free (f->text);
  f->text = g_strndup ((const char *) data, len);
  memset (data - 64, 0xcc, 64 + len + 64);
  f->at_packet = DO_NOTHING;
  carry_out (f, order);
}

static void
on_state (gpointer user, int region, HnDerpState state, const char *health, const GError *error)
{
  Fixture *f = user;

  g_assert_nonnull (f->pool);
  f->counts[state]++;
  f->last_region = region;
  g_clear_error (&f->error);
  if (error != NULL)
    f->error = g_error_copy (error);
  if (health != NULL)
    {
      g_free (f->health);
      f->health = g_strdup (health);
    }
  if (state == f->at_which)
    {
      Order order = f->at_state;

      f->at_state = DO_NOTHING;
      carry_out (f, order);
    }
}

static void
on_peer_gone (gpointer user, int region, const HnNodePublic *peer)
{
  Fixture *f = user;

  f->gone++;
  g_assert_true (hn_node_public_equal (peer, &f->peer));
}

static void
on_drained (gpointer user, int region)
{
  ((Fixture *) user)->drained++;
}

static const HnDerpPoolOps ops = { on_receive, on_state, on_peer_gone, on_drained };

/* Turns the loop until @condition, for at most five seconds. */
#define WAIT_FOR(condition)                                                                        \
  G_STMT_START                                                                                     \
  {                                                                                                \
    gint64 until = g_get_monotonic_time () + 5 * G_USEC_PER_SEC;                                   \
                                                                                                   \
    while (!(condition))                                                                           \
      {                                                                                            \
        GSource *tick = g_timeout_source_new (5);                                                  \
                                                                                                   \
        g_assert_cmpint (g_get_monotonic_time (), <, until);                                       \
        g_source_set_callback (tick, on_tick, NULL, NULL);                                         \
        g_source_attach (tick, NULL);                                                              \
        g_main_context_iteration (NULL, TRUE);                                                     \
        g_source_destroy (tick);                                                                   \
        g_source_unref (tick);                                                                     \
      }                                                                                            \
  }                                                                                                \
  G_STMT_END

static gboolean
on_tick (gpointer data)
{
  return G_SOURCE_REMOVE;
}

static HnDerpRegion
make_region (int id, const char *name, guint16 port)
{
  HnDerpRegion region = { .id = id, .score = 1, .n_nodes = 1 };

  region.code = g_strdup (name);
  region.name = g_strdup (name);
  region.nodes = g_new0 (HnDerpNode, 1);
  region.nodes[0].name = g_strdup (name);
  region.nodes[0].host_name = g_strdup ("127.0.0.1");
  region.nodes[0].derp_port = port;
  return region;
}

/* Regions 1 to @n, all of them the one relay. */
static HnDerpMap *
make_map (Fixture *f, guint n, const char *name)
{
  HnDerpRegion *regions = g_new0 (HnDerpRegion, n);

  for (guint i = 0; i < n; i++)
    regions[i] = make_region (i + 1, name, fake_relay_get_port (f->relay));
  return hn_derp_map_new_take (regions, n);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (HnDerpMap) map = NULL;

  f->relay = fake_relay_new (NULL);
  f->url = g_strdup_printf ("http://127.0.0.1:%u", fake_relay_get_port (f->relay));
  f->dialer = hn_dialer_new (NULL, 0, NULL);
  hn_node_private_generate (&f->key);
  hn_random_bytes (f->peer.bytes, sizeof f->peer.bytes);
  f->pool = hn_derp_pool_new (f->dialer, f->url, &ops, f);
  map = make_map (f, 3, "a");
  hn_derp_pool_set_map (f->pool, map);
  hn_derp_pool_set_private_key (f->pool, &f->key);
}

/* The same over TLS, with a CA of its own. */
static void
set_up_tls (Fixture *f, gconstpointer data)
{
  HnDerpRegion *region = g_new0 (HnDerpRegion, 1);
  g_autoptr (HnDerpMap) map = NULL;
  g_autofree char *ca = NULL;
  g_autoptr (GError) error = NULL;

  f->relay = fake_relay_new (TEST_CERTS "/good.pem");
  g_file_get_contents (TEST_CERTS "/root.pem", &ca, NULL, &error);
  g_assert_no_error (error);
  f->url = g_strdup ("https://hs.test");
  f->dialer = hn_dialer_new (ca, 0, &error);
  g_assert_no_error (error);
  hn_node_private_generate (&f->key);
  hn_random_bytes (f->peer.bytes, sizeof f->peer.bytes);
  f->pool = hn_derp_pool_new (f->dialer, f->url, &ops, f);
  *region = make_region (1, "tls", fake_relay_get_port (f->relay));
  region->nodes[0].cert_name = g_strdup ("hs.test");
  map = hn_derp_map_new_take (region, 1);
  hn_derp_pool_set_map (f->pool, map);
  hn_derp_pool_set_private_key (f->pool, &f->key);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_clear_pointer (&f->pool, hn_derp_pool_free);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  fake_relay_free (f->relay);
  g_object_unref (f->dialer);
  hn_node_private_clear (&f->key);
  g_clear_error (&f->error);
  g_free (f->health);
  g_free (f->text);
  g_free (f->url);
}

static int
send_text (Fixture *f, int region, const char *text)
{
  return hn_derp_pool_send (f->pool, region, &f->peer, (const guint8 *) text, strlen (text));
}

static void
connect_home (Fixture *f)
{
  hn_derp_pool_set_home (f->pool, 1);
  WAIT_FOR (f->counts[HN_DERP_CONNECTED] == 1);
  g_assert_true (hn_derp_pool_is_connected (f->pool, 1));
}

static void
test_echo (Fixture *f, gconstpointer mode)
{
  HnNodePublic expected, last;
  g_autofree char *request = NULL;

  fake_relay_set_mode (f->relay, GPOINTER_TO_INT (mode));
  hn_derp_pool_set_home (f->pool, 1);
  g_assert_cmpuint (f->counts[HN_DERP_CONNECTING], ==, 1);
  /* Before the connection stands the packet waits. */
  g_assert_cmpint (send_text (f, 1, "hello"), ==, 1);
  /* Nobody should hold back traffic for a relay that is not there. */
  g_assert_cmpuint (hn_derp_pool_get_queued (f->pool, 1), ==, 0);
  WAIT_FOR (f->packets == 1);
  g_assert_cmpstr (f->text, ==, "hello");
  g_assert_cmpint (f->packet_region, ==, 1);
  g_assert_true (hn_node_public_equal (&f->source, &f->peer));
  g_assert_cmpuint (f->counts[HN_DERP_CONNECTED], ==, 1);
  g_assert_cmpuint (hn_derp_pool_get_queued (f->pool, 1), ==, 0);

  hn_node_private_get_public (&f->key, &expected);
  g_assert_cmpuint (fake_relay_get_logins (f->relay, &last), ==, 1);
  g_assert_true (hn_node_public_equal (&last, &expected));
  g_assert_cmpuint (fake_relay_count (f->relay, 1), ==, 1);
  request = fake_relay_dup_request (f->relay);
  g_assert_true (g_str_has_prefix (request, "GET /derp HTTP/1.1\r\n"));
  g_assert_null (strstr (request, "Ideal-Node"));

  /* Our Pong comes back as a packet. */
  send_text (f, 1, "ping");
  WAIT_FOR (f->packets == 2);
  g_assert_cmpstr (f->text, ==, "pong");
}

static void
test_refused (Fixture *f, gconstpointer data)
{
  fake_relay_set_mode (f->relay, FAKE_RELAY_REFUSE);
  hn_derp_pool_set_home (f->pool, 1);
  WAIT_FOR (f->counts[HN_DERP_REFUSED] == 1);
  g_assert_error (f->error, HN_ERROR, HN_ERROR_SERVER_REFUSED);
  g_assert_cmpuint (f->counts[HN_DERP_LOST] + f->counts[HN_DERP_CONNECTED], ==, 0);

  /* It goes on trying, though not at once, and tells of each try. */
  fake_relay_set_mode (f->relay, FAKE_RELAY_NORMAL);
  hn_derp_pool_network_changed (f->pool, TRUE);
  WAIT_FOR (f->counts[HN_DERP_CONNECTED] == 1);
}

static void
test_no_page (Fixture *f, gconstpointer data)
{
  fake_relay_set_mode (f->relay, FAKE_RELAY_NO_PAGE);
  hn_derp_pool_set_home (f->pool, 1);
  WAIT_FOR (f->counts[HN_DERP_LOST] == 1);
  g_assert_error (f->error, HN_ERROR, HN_ERROR_UPGRADE_REFUSED);
}

static void
test_reconnect (Fixture *f, gconstpointer data)
{
  gint64 began_us;

  connect_home (f);
  began_us = g_get_monotonic_time ();
  send_text (f, 1, "close");
  WAIT_FOR (f->counts[HN_DERP_LOST] == 1);
  g_assert_error (f->error, HN_ERROR, HN_ERROR_CONNECTION_LOST);
  /* What is sent in the gap arrives behind it. */
  g_assert_cmpint (send_text (f, 1, "again"), ==, 1);
  WAIT_FOR (f->packets == 1);
  g_assert_cmpstr (f->text, ==, "again");
  g_assert_cmpuint (f->counts[HN_DERP_CONNECTED], ==, 2);

  /* The first wait is 5 to 15 ms, and a connection that lives for an instant earns no fresh start:
   * the waits add up (10, 40, 90 and 160 ms, halved at least). */
  for (guint i = 2; i <= 4; i++)
    {
      send_text (f, 1, "close");
      WAIT_FOR (f->counts[HN_DERP_CONNECTED] == i + 1);
    }
  g_assert_cmpint (g_get_monotonic_time () - began_us, >, (10 + 40 + 90 + 160) * 500);
  g_assert_cmpuint (fake_relay_count (f->relay, 1), <=, 1);
}

static void
test_key_change (Fixture *f, gconstpointer data)
{
  HnNodePublic expected, last;

  connect_home (f);
  send_text (f, 2, "x");
  WAIT_FOR (f->packets == 1);
  /* The same key once more is no change. */
  hn_derp_pool_set_private_key (f->pool, &f->key);
  g_assert_true (hn_derp_pool_is_connected (f->pool, 1));
  hn_node_private_generate (&f->key);
  hn_derp_pool_set_private_key (f->pool, &f->key);
  g_assert_false (hn_derp_pool_is_connected (f->pool, 1));
  WAIT_FOR (f->counts[HN_DERP_CONNECTED] == 4);
  hn_node_private_get_public (&f->key, &expected);
  g_assert_cmpuint (fake_relay_get_logins (f->relay, &last), ==, 4);
  g_assert_true (hn_node_public_equal (&last, &expected));

  /* No key, no connection. */
  hn_node_private_clear (&f->key);
  hn_derp_pool_set_private_key (f->pool, &f->key);
  g_assert_cmpuint (f->counts[HN_DERP_CLOSED], ==, 2);
  g_assert_cmpint (send_text (f, 1, "x"), ==, 0);
}

/* Two tailnets with one relay, and one dialer. */
static void
test_two_pools (Fixture *f, gconstpointer data)
{
  Fixture other = { .peer = f->peer };
  g_autoptr (HnDerpMap) map = make_map (f, 1, "a");

  hn_node_private_generate (&other.key);
  other.pool = hn_derp_pool_new (f->dialer, f->url, &ops, &other);
  hn_derp_pool_set_map (other.pool, map);
  hn_derp_pool_set_private_key (other.pool, &other.key);
  connect_home (f);
  connect_home (&other);
  send_text (f, 1, "mine");
  send_text (&other, 1, "theirs");
  WAIT_FOR (f->packets == 1 && other.packets == 1);
  g_assert_cmpstr (f->text, ==, "mine");
  g_assert_cmpstr (other.text, ==, "theirs");
  g_assert_cmpuint (fake_relay_count (f->relay, 1), ==, 2);
  g_clear_pointer (&other.pool, hn_derp_pool_free);
  send_text (f, 1, "still");
  WAIT_FOR (f->packets == 2);
  g_free (other.text);
}

static void
test_home_change (Fixture *f, gconstpointer data)
{
  gint64 now_us;

  connect_home (f);
  hn_derp_pool_set_home (f->pool, 2);
  WAIT_FOR (f->counts[HN_DERP_CONNECTED] == 2);
  WAIT_FOR (fake_relay_count (f->relay, 0) == 1 && fake_relay_count (f->relay, 1) == 1);

  /* The old one goes when nothing was sent to it for a minute; the home stays whatever happens. */
  now_us = hn_clock_now_us ();
  hn_derp_pool_close_idle (f->pool, now_us + 59 * G_USEC_PER_SEC);
  g_assert_cmpuint (f->counts[HN_DERP_CLOSED], ==, 0);
  hn_derp_pool_close_idle (f->pool, now_us + 61 * G_USEC_PER_SEC);
  g_assert_cmpuint (f->counts[HN_DERP_CLOSED], ==, 1);
  g_assert_cmpint (f->last_region, ==, 1);
  hn_derp_pool_close_idle (f->pool, now_us + 600 * G_USEC_PER_SEC);
  g_assert_true (hn_derp_pool_is_connected (f->pool, 2));
  WAIT_FOR (fake_relay_count (f->relay, 0) == 0);
}

static void
test_lazy (Fixture *f, gconstpointer data)
{
  connect_home (f);
  g_assert_cmpuint (fake_relay_get_logins (f->relay, NULL), ==, 1);
  /* Regions that are not in the map, and none at all. */
  g_assert_cmpint (send_text (f, 4, "nowhere"), ==, 0);
  g_assert_cmpint (send_text (f, -1, "nowhere"), ==, 0);
  g_assert_cmpint (send_text (f, 3, "far"), ==, 3);
  WAIT_FOR (f->packets == 1);
  g_assert_cmpint (f->packet_region, ==, 3);
  /* No NotePreferred from a region that is not the home. */
  g_assert_cmpuint (fake_relay_count (f->relay, -1), ==, 1);
}

static void
test_reverse_route (Fixture *f, gconstpointer data)
{
  HnNodePublic stranger = { { 1 } };

  connect_home (f);
  g_assert_cmpint (send_text (f, 0, "lost"), ==, 0);
  send_text (f, 1, "hello");
  WAIT_FOR (f->packets == 1);
  /* It was heard over the home: answered there, without opening its own region. */
  g_assert_cmpint (send_text (f, 0, "there"), ==, 1);
  g_assert_cmpint (send_text (f, 2, "there"), ==, 1);
  g_assert_cmpint (hn_derp_pool_send (f->pool, 0, &stranger, (const guint8 *) "x", 1), ==, 0);
  WAIT_FOR (f->packets == 3);
  /* Gone from there: its own region has to be opened. */
  send_text (f, 1, "gone");
  WAIT_FOR (f->gone == 1);
  g_assert_cmpint (send_text (f, 0, "lost"), ==, 0);
  g_assert_cmpint (send_text (f, 2, "home"), ==, 2);
  WAIT_FOR (f->packets == 4);
  g_assert_cmpint (f->packet_region, ==, 2);
  /* A lost connection takes its routes with it. */
  send_text (f, 2, "close");
  WAIT_FOR (f->counts[HN_DERP_LOST] == 1);
  g_assert_cmpint (send_text (f, 0, "lost"), ==, 0);
}

static void
test_health (Fixture *f, gconstpointer data)
{
  connect_home (f);
  send_text (f, 1, "health twins");
  WAIT_FOR (f->health != NULL);
  g_assert_cmpstr (f->health, ==, "twins");
  send_text (f, 1, "health ");
  WAIT_FOR (g_str_equal (f->health, ""));
  send_text (f, 1, "health twins");
  WAIT_FOR (g_str_equal (f->health, "twins"));
  /* What a lost relay said no longer holds. */
  send_text (f, 1, "close");
  WAIT_FOR (f->counts[HN_DERP_LOST] == 1);
  g_assert_cmpstr (f->health, ==, "");
}

/* Each change is a message between threads and on the bus. */
static void
test_health_flood (Fixture *f, gconstpointer data)
{
  connect_home (f);
  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *text = g_strdup_printf ("health %u", i);

      send_text (f, 1, text);
      if (i % 10 == 9)
        {
          send_text (f, 1, "echo");
          WAIT_FOR (f->packets == i / 10 + 1);
        }
    }
  g_assert_nonnull (f->health);
  g_assert_cmpuint (f->counts[HN_DERP_CONNECTED], <=, 1 + 16);
}

static void
test_map (Fixture *f, gconstpointer data)
{
  g_autoptr (HnDerpMap) same = make_map (f, 3, "a");
  g_autoptr (HnDerpMap) other = make_map (f, 3, "b");
  g_autoptr (HnDerpMap) smaller = make_map (f, 1, "b");

  connect_home (f);
  send_text (f, 2, "x");
  WAIT_FOR (f->packets == 1);
  hn_derp_pool_set_map (f->pool, same);
  g_assert_cmpuint (f->counts[HN_DERP_CLOSED], ==, 0);
  /* Another definition: all are closed, the home comes back by itself. */
  hn_derp_pool_set_map (f->pool, other);
  g_assert_cmpuint (f->counts[HN_DERP_CLOSED], ==, 2);
  WAIT_FOR (f->counts[HN_DERP_CONNECTED] == 3);
  g_assert_false (hn_derp_pool_is_connected (f->pool, 2));
  send_text (f, 2, "x");
  WAIT_FOR (f->packets == 2);
  hn_derp_pool_set_map (f->pool, smaller);
  g_assert_cmpuint (f->counts[HN_DERP_CLOSED], ==, 3);
  g_assert_true (hn_derp_pool_is_connected (f->pool, 1));
  hn_derp_pool_set_map (f->pool, NULL);
  g_assert_cmpuint (f->counts[HN_DERP_CLOSED], ==, 4);
  g_assert_cmpint (send_text (f, 1, "x"), ==, 0);
  WAIT_FOR (fake_relay_count (f->relay, 1) == 0);
}

static void
test_network (Fixture *f, gconstpointer data)
{
  connect_home (f);
  hn_derp_pool_network_changed (f->pool, FALSE);
  g_assert_cmpuint (f->counts[HN_DERP_CLOSED], ==, 1);
  g_assert_cmpint (send_text (f, 1, "x"), ==, 0);
  hn_derp_pool_network_changed (f->pool, TRUE);
  WAIT_FOR (f->counts[HN_DERP_CONNECTED] == 2);
  /* A test that the relay passes changes nothing. */
  hn_derp_pool_network_changed (f->pool, TRUE);
  send_text (f, 1, "x");
  WAIT_FOR (f->packets == 1);
  g_assert_cmpuint (f->counts[HN_DERP_LOST], ==, 0);

  /* A dial that hangs is begun anew. */
  hn_derp_pool_network_changed (f->pool, FALSE);
  fake_relay_set_mode (f->relay, FAKE_RELAY_SILENT);
  hn_derp_pool_network_changed (f->pool, TRUE);
  WAIT_FOR (fake_relay_count (f->relay, -2) == 1);
  fake_relay_set_mode (f->relay, FAKE_RELAY_NORMAL);
  hn_derp_pool_network_changed (f->pool, TRUE);
  WAIT_FOR (f->counts[HN_DERP_CONNECTED] == 3);
}

static void
test_second_node (Fixture *f, gconstpointer data)
{
  HnDerpRegion *region = g_new0 (HnDerpRegion, 1);
  HnDerpRegion spare = make_region (1, "good", fake_relay_get_port (f->relay));
  g_autoptr (HnDerpMap) map = NULL;
  g_autofree char *request = NULL;
  FakeRelay *gone = fake_relay_new (NULL);

  /* A port that nobody listens on any more, then the relay. */
  *region = make_region (1, "bad", fake_relay_get_port (gone));
  fake_relay_free (gone);
  region->nodes = g_renew (HnDerpNode, region->nodes, 2);
  region->nodes[1] = spare.nodes[0];
  region->n_nodes = 2;
  g_free (spare.nodes);
  g_free (spare.code);
  g_free (spare.name);
  map = hn_derp_map_new_take (region, 1);
  hn_derp_pool_set_map (f->pool, map);
  connect_home (f);
  request = fake_relay_dup_request (f->relay);
  g_assert_nonnull (strstr (request, "\r\nIdeal-Node: bad\r\n"));
}

/* The other side may do anything in a callback. */
static void
test_free_in_packet (Fixture *f, gconstpointer order)
{
  connect_home (f);
  f->at_packet = GPOINTER_TO_INT (order);
  send_text (f, 1, "one");
  send_text (f, 1, "two");
  WAIT_FOR (f->packets >= 1);
  for (guint i = 0; i < 20; i++)
    g_main_context_iteration (NULL, FALSE);
  if (GPOINTER_TO_INT (order) == DO_SEND_MANY)
    WAIT_FOR (f->packets == 102);
  else
    g_assert_cmpuint (f->packets, ==, 1);
}

static void
free_in_state (Fixture *f, HnDerpState state, Order order)
{
  f->at_state = order;
  f->at_which = state;
  hn_derp_pool_set_home (f->pool, 1);
  WAIT_FOR (f->counts[state] >= 1 && f->at_state == DO_NOTHING);
  for (guint i = 0; i < 20; i++)
    g_main_context_iteration (NULL, FALSE);
}

static void
test_free_connecting (Fixture *f, gconstpointer order)
{
  free_in_state (f, HN_DERP_CONNECTING, GPOINTER_TO_INT (order));
}

static void
test_free_connected (Fixture *f, gconstpointer order)
{
  free_in_state (f, HN_DERP_CONNECTED, GPOINTER_TO_INT (order));
}

static void
test_free_refused (Fixture *f, gconstpointer order)
{
  fake_relay_set_mode (f->relay, FAKE_RELAY_REFUSE);
  free_in_state (f, HN_DERP_REFUSED, GPOINTER_TO_INT (order));
}

static void
test_free_closed (Fixture *f, gconstpointer order)
{
  connect_home (f);
  send_text (f, 2, "x");
  send_text (f, 3, "x");
  WAIT_FOR (f->packets == 2);
  f->at_state = GPOINTER_TO_INT (order);
  f->at_which = HN_DERP_CLOSED;
  hn_derp_pool_set_map (f->pool, NULL);
  g_assert_cmpint (f->at_state, ==, DO_NOTHING);
}

/* A relay that reads nothing: the queue stays within its bounds and nothing blocks. */
static void
test_stall (Fixture *f, gconstpointer data)
{
  guint8 packet[1280] = { 4 };
  gsize most = 0;

  connect_home (f);
  for (guint i = 0; i < 20000; i++)
    {
      hn_derp_pool_send (f->pool, 1, &f->peer, packet, sizeof packet);
      most = MAX (most, hn_derp_pool_get_queued (f->pool, 1));
    }
  g_assert_cmpuint (most, >, 16384);
  g_assert_cmpuint (most, <, 16384 + (HN_DERP_QUEUE_PACKETS + 1) * (37 + 1280));
  g_assert_cmpuint (f->drained, ==, 0);
  WAIT_FOR (hn_derp_pool_get_queued (f->pool, 1) == 0);
  WAIT_FOR (f->drained == 1);
  g_assert_true (hn_derp_pool_is_connected (f->pool, 1));
}

static void
jam (Fixture *f)
{
  guint8 packet[1280] = { 4 };

  /* From here on the relay's echo is stuck: it reads nothing any more. */
  fake_relay_set_jammed (f->relay, TRUE);
  for (guint i = 0; i < 5000; i++)
    {
      hn_derp_pool_send (f->pool, 1, &f->peer, packet, sizeof packet);
      if (i % 500 == 499)
        g_main_context_iteration (NULL, FALSE);
    }
  hn_derp_pool_flush (f->pool);
  g_assert_cmpuint (hn_derp_pool_get_queued (f->pool, 1), >, 0);
  g_assert_cmpuint (f->drained, ==, 0);
}

/* Whoever waits for a relay that takes nothing is let go, and no more asked to wait. */
static void
test_patience (Fixture *f, gconstpointer data)
{
  gint64 began_us = g_get_monotonic_time ();

  connect_home (f);
  jam (f);
  WAIT_FOR (f->drained == 1);
  g_assert_cmpint (g_get_monotonic_time () - began_us, >, 450 * 1000);
  g_assert_cmpuint (hn_derp_pool_get_queued (f->pool, 1), ==, 0);
  send_text (f, 1, "x");
  hn_derp_pool_flush (f->pool);
  g_assert_cmpuint (hn_derp_pool_get_queued (f->pool, 1), ==, 0);
  fake_relay_set_jammed (f->relay, FALSE);
  WAIT_FOR (g_strcmp0 (f->text, "x") == 0);
  g_assert_cmpuint (f->drained, ==, 1);
  g_assert_cmpuint (f->counts[HN_DERP_LOST], ==, 0);
}

static void
test_jammed_and_closed (Fixture *f, gconstpointer data)
{
  connect_home (f);
  jam (f);
  hn_derp_pool_network_changed (f->pool, FALSE);
  g_assert_cmpuint (f->counts[HN_DERP_CLOSED], ==, 1);
  g_assert_cmpuint (f->drained, ==, 1);
  fake_relay_set_jammed (f->relay, FALSE);
}

#define ADD(path, argument, function)                                                              \
  g_test_add ("/path/derp-pool/" path, Fixture, GINT_TO_POINTER (argument), set_up, function,      \
              tear_down)

#define ADD_TLS(path, argument, function)                                                          \
  g_test_add ("/path/derp-pool/" path, Fixture, GINT_TO_POINTER (argument), set_up_tls, function,  \
              tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  ADD ("echo", FAKE_RELAY_NORMAL, test_echo);
  ADD ("echo-bytewise", FAKE_RELAY_BYTEWISE, test_echo);
  ADD_TLS ("tls-echo", FAKE_RELAY_NORMAL, test_echo);
  ADD_TLS ("tls-refused", 0, test_refused);
  ADD_TLS ("tls-stall", 0, test_stall);
  ADD_TLS ("tls-free-in-packet", DO_FREE, test_free_in_packet);
  ADD ("refused", 0, test_refused);
  ADD ("no-page", 0, test_no_page);
  ADD ("reconnect", 0, test_reconnect);
  ADD ("key-change", 0, test_key_change);
  ADD ("two-pools", 0, test_two_pools);
  ADD ("home-change", 0, test_home_change);
  ADD ("lazy", 0, test_lazy);
  ADD ("reverse-route", 0, test_reverse_route);
  ADD ("health", 0, test_health);
  ADD ("health-flood", 0, test_health_flood);
  ADD ("map", 0, test_map);
  ADD ("network", 0, test_network);
  ADD ("second-node", 0, test_second_node);
  ADD ("stall", 0, test_stall);
  ADD ("patience", 0, test_patience);
  ADD ("jammed-and-closed", 0, test_jammed_and_closed);
  ADD ("free-in-packet", DO_FREE, test_free_in_packet);
  ADD ("close-in-packet", DO_DROP_MAP, test_free_in_packet);
  ADD ("send-in-packet", DO_SEND_MANY, test_free_in_packet);
  ADD ("free-connecting", DO_FREE, test_free_connecting);
  ADD ("free-connected", DO_FREE, test_free_connected);
  ADD ("close-connected", DO_DROP_MAP, test_free_connected);
  ADD ("free-refused", DO_FREE, test_free_refused);
  ADD ("close-refused", DO_DROP_MAP, test_free_refused);
  ADD ("free-closed", DO_FREE, test_free_closed);
  return g_test_run ();
}
