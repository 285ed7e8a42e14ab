/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole cores against each other, in simulated time. */
#include <string.h>
#include <time.h>

#include "crypto/hn-crypto.h"
#include "hn-test-wg-net.h"

static gboolean
drop_all (TestNet *net, guint from, guint8 *datagram, gsize len)
{
  return FALSE;
}

static void
test_first_packet (void)
{
  g_autoptr (TestNet) net = test_net_new ();
  HnWgPeerStats stats;

  g_assert_cmpint (hn_wg_get_deadline (net->nodes[0].wg), ==, G_MAXINT64);
  test_net_send (net, 0, 7, 100);
  g_assert_false (test_net_has_session (net, 0));
  test_net_run (net, SECOND);
  g_assert_cmpuint (net->nodes[1].delivered, ==, 1);
  g_assert_cmpuint (net->nodes[1].last_len, ==, 100);
  g_assert_cmpuint (net->nodes[0].established, ==, 1);
  g_assert_cmpuint (net->nodes[1].established, ==, 1);
  g_assert_true (test_net_has_session (net, 0));
  g_assert_true (test_net_has_session (net, 1));
  /* The staged packet confirmed the session: no keepalive on top. */
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 1);
  g_assert_cmpuint (net->nodes[0].sent[4], ==, 1);
  g_assert_cmpuint (net->nodes[1].sent[2], ==, 1);

  test_net_send (net, 1, 8, 1280);
  test_net_run (net, SECOND);
  g_assert_cmpuint (net->nodes[0].delivered, ==, 1);
  g_assert_cmpuint (net->nodes[0].last_len, ==, 1280);
  hn_wg_peer_get_stats (net->nodes[0].peer, net->now, &stats);
  g_assert_cmpint (stats.last_handshake_us, ==, START + 20000);
  g_assert_cmpuint (stats.rx_bytes, ==, 1280);
  g_assert_cmpuint (stats.tx_bytes, ==, 100);
}

/* Without anything staged the initiator has to confirm with a keepalive. */
static void
test_initiate (void)
{
  g_autoptr (TestNet) net = test_net_new ();

  hn_wg_initiate (net->nodes[0].wg, net->nodes[0].peer, net->now);
  hn_wg_initiate (net->nodes[0].wg, net->nodes[0].peer, net->now + SECOND / 2);
  test_net_run (net, SECOND);
  hn_wg_initiate (net->nodes[0].wg, net->nodes[0].peer, net->now);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 1);
  g_assert_cmpuint (net->nodes[0].sent[4], ==, 1);
  g_assert_true (test_net_has_session (net, 1));
  g_assert_cmpuint (net->nodes[1].delivered, ==, 0);
}

static guint last_datagram_len;
static guint8 last_datagram[2048];
static guint8 last_data[2048];
static guint last_data_len;

static gboolean
remember (TestNet *net, guint from, guint8 *datagram, gsize len)
{
  last_datagram_len = (guint) len;
  memcpy (last_datagram, datagram, len);
  if (datagram[0] == 4)
    {
      last_data_len = (guint) len;
      memcpy (last_data, datagram, len);
    }
  return TRUE;
}

static void
test_padding_on_the_wire (void)
{
  g_autoptr (TestNet) net = test_net_new ();
  static const guint sizes[][2]
      = { { 24, 32 }, { 32, 32 }, { 33, 48 }, { 1279, 1280 }, { 1280, 1280 }, { 1265, 1280 } };

  hn_wg_initiate (net->nodes[0].wg, net->nodes[0].peer, net->now);
  test_net_run (net, SECOND);
  net->tap = remember;
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      test_net_send (net, 0, i, sizes[i][0]);
      g_assert_cmpuint (last_datagram_len, ==, sizes[i][1] + 32);
      test_net_run (net, SECOND / 10);
      g_assert_cmpuint (net->nodes[1].last_len, ==, sizes[i][0]);
    }
  hn_wg_set_mtu (net->nodes[0].wg, 1275);
  test_net_send (net, 0, 9, 1270);
  g_assert_cmpuint (last_datagram_len, ==, 1275 + 32);
}

static gboolean
drop_first_of_type (TestNet *net, guint from, guint8 *datagram, gsize len)
{
  guint type = net->tapped & 0xff;

  if (net->tapped == 0 || datagram[0] != type)
    return TRUE;
  net->tapped = 0;
  return FALSE;
}

/* Each message of the handshake lost once: the traffic of both sides gets through all the same. */
static void
test_loss_of_each_message (void)
{
  static const guint types[] = { 1, 2, 4 };

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autoptr (TestNet) net = test_net_new ();
      gint64 waited = 0;

      net->tap = drop_first_of_type;
      net->tapped = types[i];
      test_net_send (net, 0, 1, 100);
      test_net_run (net, SECOND);
      test_net_send (net, 1, 2, 100);
      for (; net->nodes[0].delivered == 0 && waited < 30 * SECOND; waited += SECOND)
        test_net_run (net, SECOND);
      g_assert_cmpuint (net->nodes[0].delivered, ==, 1);
      g_assert_cmpuint (net->tapped, ==, 0);
      /* a first handshake is tried again after a second */
      g_assert_cmpint (waited, <=, types[i] == 4 ? 7 * SECOND : 3 * SECOND);
      test_net_run (net, 5 * SECOND);
      /* With the first data packet went the only copy of it. */
      g_assert_cmpuint (net->nodes[1].delivered, ==, types[i] == 4 ? 0 : 1);
    }
}

/* The first two go out early again, later ones every five seconds, whatever is there to be sent. */
static void
test_early_retries (void)
{
  g_autoptr (TestNet) net = test_net_new ();

  net->tap = drop_all;
  test_net_send (net, 0, 1, 100);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 1);
  test_net_run (net, 900 * 1000);
  test_net_send (net, 0, 2, 100);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 1);
  test_net_run (net, 500 * 1000);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 2);
  test_net_run (net, 2400 * 1000);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 3);
  for (guint i = 0; i < 40; i++)
    {
      test_net_send (net, 0, i, 100);
      test_net_run (net, SECOND / 10);
    }
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 3);
  test_net_run (net, 2 * SECOND);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 4);
}

static void
test_give_up (void)
{
  g_autoptr (TestNet) net = test_net_new ();
  gint64 start = net->now;

  net->tap = drop_all;
  for (guint i = 0; i < 200; i++)
    test_net_send (net, 0, i, 100);
  g_assert_cmpuint (hn_wg_get_counters (net->nodes[0].wg)->staged_dropped, ==, 72);
  test_net_run (net, 90 * SECOND);
  g_assert_cmpuint (net->nodes[0].sent[1], >=, 16);
  test_net_run (net, 20 * SECOND);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 20);
  g_assert_cmpuint (hn_wg_get_counters (net->nodes[0].wg)->staged_dropped, ==, 200);
  g_assert_cmpint (hn_wg_get_deadline (net->nodes[0].wg), >, start + 600 * SECOND);
  test_net_run (net, 24 * 3600 * SECOND);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 20);
  g_assert_cmpint (hn_wg_get_deadline (net->nodes[0].wg), ==, G_MAXINT64);

  /* New data tries anew. */
  net->tap = NULL;
  test_net_send (net, 0, 1, 100);
  test_net_run (net, SECOND);
  g_assert_cmpuint (net->nodes[1].delivered, ==, 1);
}

/* Large packets count by bytes. */
static void
test_staged_bytes (void)
{
  g_autoptr (TestNet) net = test_net_new ();

  net->tap = drop_all;
  for (guint i = 0; i < 20; i++)
    test_net_send (net, 0, i, 60000);
  g_assert_cmpuint (hn_wg_get_counters (net->nodes[0].wg)->staged_dropped, ==, 12);
  net->tap = NULL;
  test_net_run (net, 10 * SECOND);
  g_assert_cmpuint (net->nodes[1].delivered, ==, 8);
  g_assert_cmpuint (net->nodes[1].last_number, ==, 19);
}

static void
test_keepalive (void)
{
  g_autoptr (TestNet) net = test_net_new ();

  test_net_send (net, 0, 1, 100);
  test_net_run (net, 9 * SECOND);
  g_assert_cmpuint (net->nodes[1].sent[4], ==, 0);
  test_net_run (net, 2 * SECOND);
  g_assert_cmpuint (net->nodes[1].sent[4], ==, 1);
  /* A keepalive is not answered, and the one who got it is content. */
  test_net_run (net, 60 * SECOND);
  g_assert_cmpuint (net->nodes[0].sent[4], ==, 1);
  g_assert_cmpuint (net->nodes[1].sent[4], ==, 1);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 1);
}

/* Data without an answer: a new handshake after 15 s. */
static void
test_silent_peer (void)
{
  g_autoptr (TestNet) net = test_net_new ();

  test_net_send (net, 0, 1, 100);
  test_net_run (net, 11 * SECOND);
  net->tap = drop_all;
  test_net_send (net, 0, 2, 100);
  test_net_run (net, 14 * SECOND);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 1);
  test_net_run (net, 2 * SECOND);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 2);
  net->tap = NULL;
  test_net_run (net, 6 * SECOND);
  g_assert_cmpuint (net->nodes[0].established, ==, 2);
}

/* Renewal is the initiator's, 120 s after the handshake, also when its keepalives are all it sends. */
static void
test_renewal (void)
{
  for (guint sender = 0; sender < 2; sender++)
    {
      g_autoptr (TestNet) net = test_net_new ();

      hn_wg_initiate (net->nodes[0].wg, net->nodes[0].peer, net->now);
      test_net_run (net, SECOND / 10);
      for (guint32 i = 0; i < 1000; i++)
        {
          gint64 age = net->now - START;

          test_net_send (net, sender, i, 100);
          test_net_run (net, SECOND);
          g_assert_cmpuint (net->nodes[!sender].last_number, ==, i);
          if (age < 118 * SECOND)
            g_assert_cmpuint (net->nodes[0].sent[1], ==, 1);
          if (age > (sender == 0 ? 121 : 132) * SECOND)
            g_assert_cmpuint (net->nodes[0].sent[1], >=, 2);
        }
      g_assert_cmpuint (net->nodes[!sender].delivered, ==, 1000);
      g_assert_cmpuint (net->nodes[1].sent[1], ==, 0);
      g_assert_cmpuint (net->nodes[0].established, >=, 8);
      g_assert_cmpuint (net->nodes[0].established, <=, 9);
    }
}

/* An initiator that has been quiet renews when something comes in over a session of 165 s. */
static void
test_renewal_by_receiving (void)
{
  g_autoptr (TestNet) net = test_net_new ();

  hn_wg_initiate (net->nodes[0].wg, net->nodes[0].peer, net->now);
  test_net_run (net, 164 * SECOND);
  test_net_send (net, 1, 1, 100);
  test_net_run (net, SECOND / 10);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 1);
  test_net_run (net, SECOND * 12 / 10);
  test_net_send (net, 1, 2, 100);
  test_net_run (net, SECOND / 10);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 2);
  g_assert_cmpuint (net->nodes[0].established, ==, 2);
}

/* The timers of a peer that nobody talks to end by themselves, and its keys are gone. */
static void
test_idle_day (void)
{
  g_autoptr (TestNet) net = test_net_new ();
  guint ticks;

  test_net_send (net, 0, 1, 100);
  test_net_run (net, SECOND);
  test_net_send (net, 1, 1, 100);
  net->tap = remember;
  test_net_send (net, 0, 2, 100);
  test_net_run (net, 601 * SECOND);
  g_assert_cmpint (hn_wg_get_deadline (net->nodes[0].wg), ==, G_MAXINT64);
  g_assert_cmpint (hn_wg_get_deadline (net->nodes[1].wg), ==, G_MAXINT64);
  g_assert_cmpuint (net->nodes[0].ticks, <=, 6);
  ticks = net->nodes[0].ticks + net->nodes[1].ticks;
  test_net_run (net, 86400 * SECOND);
  g_assert_cmpuint (net->nodes[0].ticks + net->nodes[1].ticks, ==, ticks);
  g_assert_cmpuint (net->nodes[0].sent[1] + net->nodes[1].sent[1], ==, 1);

  test_net_receive (net, 1, last_data, last_data_len);
  g_assert_cmpuint (hn_wg_get_counters (net->nodes[1].wg)->unknown_index, ==, 1);
  test_net_send (net, 1, 3, 100);
  test_net_run (net, SECOND);
  g_assert_cmpuint (net->nodes[0].last_number, ==, 3);
}

static void
test_stale_key (void)
{
  g_autoptr (TestNet) net = test_net_new ();

  test_net_send (net, 0, 1, 100);
  test_net_run (net, 100 * SECOND);
  net->tap = remember;
  test_net_send (net, 0, 2, 100);
  net->tap = drop_all;
  test_net_run (net, 90 * SECOND);
  test_net_receive (net, 1, last_data, last_data_len);
  g_assert_cmpuint (hn_wg_get_counters (net->nodes[1].wg)->stale_key, ==, 1);
  g_assert_false (test_net_has_session (net, 0));
}

/* A day of traffic over a bad network. */
static void
test_lossy_day (void)
{
  g_autoptr (TestNet) net = test_net_new ();
  guint sent[2] = { 0 };

  net->delay_min = 1000;
  net->delay_max = 900000;
  net->loss_percent = 15;
  net->duplicate_percent = 5;
  while (net->now < START + 86400 * SECOND)
    {
      /* Bursts, pauses that let the session lapse, one-sided and two-sided. */
      guint side = (guint) g_test_rand_int_range (0, 3);
      guint n = (guint) g_test_rand_int_range (1, 200);

      for (guint i = 0; i < n; i++)
        {
          if (side != 1)
            test_net_send (net, 0, sent[0]++, 24 + i);
          if (side != 0)
            test_net_send (net, 1, sent[1]++, 24 + i);
          test_net_run (net, SECOND / 2);
        }
      test_net_run (net, g_test_rand_int_range (0, 700) * SECOND);
    }
  g_test_message ("sent %u and %u, delivered %u and %u, handshakes %u and %u", sent[0], sent[1],
                  net->nodes[1].delivered, net->nodes[0].delivered, net->nodes[0].established,
                  net->nodes[1].established);
  for (guint i = 0; i < 2; i++)
    {
      const HnWgCounters *counters = hn_wg_get_counters (net->nodes[i].wg);

      g_assert_cmpuint (net->nodes[!i].delivered, <=, sent[i]);
      g_assert_cmpuint (net->nodes[!i].delivered, >, sent[i] * 78 / 100);
      g_assert_cmpuint (counters->bad_tag, ==, 0);
      g_assert_cmpuint (counters->bad_mac, ==, 0);
      g_assert_cmpuint (counters->bad_source, ==, 0);
      g_assert_cmpuint (counters->replayed, >, 100);
    }
  net->loss_percent = 0;
  test_net_run (net, 1200 * SECOND);
  g_assert_cmpint (hn_wg_get_deadline (net->nodes[0].wg), ==, G_MAXINT64);
  g_assert_cmpint (hn_wg_get_deadline (net->nodes[1].wg), ==, G_MAXINT64);
}

/* Both begin at the same moment: no delay of 5 s, and after it nothing is ever lost, not at the
 * renewals either. */
static void
test_simultaneous (void)
{
  for (guint round = 0; round < 4; round++)
    {
      g_autoptr (TestNet) net = test_net_new ();
      guint32 n = 0;

      test_net_send (net, 0, n, 100);
      test_net_send (net, 1, n, 100);
      test_net_run (net, SECOND / 5);
      g_assert_cmpuint (net->nodes[0].delivered, ==, 1);
      g_assert_cmpuint (net->nodes[1].delivered, ==, 1);
      for (n = 1; n < 4000; n++)
        {
          test_net_send (net, 0, n, 100);
          test_net_send (net, 1, n, 100);
          test_net_run (net, SECOND / 8 + (round & 1 ? n % 3 : 0));
        }
      test_net_run (net, SECOND);
      g_assert_cmpuint (net->nodes[0].delivered, ==, 4000);
      g_assert_cmpuint (net->nodes[1].delivered, ==, 4000);
    }
}

static void
test_replayed_data (void)
{
  g_autoptr (TestNet) net = test_net_new ();
  guint authenticated;

  test_net_send (net, 0, 1, 100);
  test_net_run (net, SECOND);
  net->tap = remember;
  test_net_send (net, 0, 2, 100);
  test_net_run (net, SECOND);
  authenticated = net->nodes[1].authenticated;
  for (guint i = 0; i < 5; i++)
    test_net_receive (net, 1, last_data, last_data_len);
  g_assert_cmpuint (net->nodes[1].delivered, ==, 2);
  g_assert_cmpuint (net->nodes[1].authenticated, ==, authenticated);
  g_assert_cmpuint (hn_wg_get_counters (net->nodes[1].wg)->replayed, ==, 5);

  last_data[30] ^= 1;
  test_net_receive (net, 1, last_data, last_data_len);
  g_assert_cmpuint (hn_wg_get_counters (net->nodes[1].wg)->bad_tag, ==, 1);
}

static void
test_replayed_initiation (void)
{
  g_autoptr (TestNet) net = test_net_new ();

  net->tap = remember;
  hn_wg_initiate (net->nodes[0].wg, net->nodes[0].peer, net->now);
  net->tap = NULL;
  test_net_run (net, SECOND);
  test_net_receive (net, 1, last_datagram, 148);
  g_assert_cmpuint (net->nodes[1].sent[2], ==, 1);
  g_assert_cmpuint (hn_wg_get_counters (net->nodes[1].wg)->replayed, ==, 1);
  /* Nor does one of another day help. */
  test_net_run (net, 86400 * SECOND);
  test_net_receive (net, 1, last_datagram, 148);
  g_assert_cmpuint (net->nodes[1].sent[2], ==, 1);
  /* Our own message, reflected. */
  test_net_receive (net, 0, last_datagram, 148);
  g_assert_cmpuint (hn_wg_get_counters (net->nodes[0].wg)->bad_mac, ==, 1);
}

static void
test_stale_response (void)
{
  g_autoptr (TestNet) net = test_net_new ();
  guint8 response[92];

  hn_wg_initiate (net->nodes[0].wg, net->nodes[0].peer, net->now);
  net->tap = remember;
  test_net_run (net, 15000);
  g_assert_cmpuint (last_datagram_len, ==, 92);
  memcpy (response, last_datagram, 92);
  net->tap = drop_all;
  g_queue_clear_full (&net->flight, g_free);
  test_net_run (net, 2 * SECOND);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 2);
  /* The answer to the first try comes after the second went out. */
  test_net_receive (net, 0, response, 92);
  g_assert_cmpuint (hn_wg_get_counters (net->nodes[0].wg)->unknown_index, ==, 1);
  g_assert_false (test_net_has_session (net, 0));
  net->tap = NULL;
  test_net_run (net, 6 * SECOND);
  g_assert_true (test_net_has_session (net, 0));
  test_net_receive (net, 0, response, 92);
  g_assert_cmpuint (net->nodes[0].established, ==, 1);
}

/* A response for a live handshake that is wrong must not end it. */
static void
test_forged_response (void)
{
  g_autoptr (TestNet) net = test_net_new ();
  guint8 response[92];
  HnWgPath path = { 1, { 1 }, 6 };

  hn_wg_initiate (net->nodes[0].wg, net->nodes[0].peer, net->now);
  net->tap = remember;
  test_net_run (net, 15000);
  memcpy (response, last_datagram, 92);
  response[50] ^= 1;
  /* With a right mac1 on it, as anybody can make. */
  guint8 key[32];
  hn_hash2 ("mac1----", 8, net->nodes[0].public_key, 32, key);
  hn_mac (key, 32, response, 60, response + 60);
  hn_wg_receive (net->nodes[0].wg, &path, response, 92, net->now);
  g_assert_cmpuint (hn_wg_get_counters (net->nodes[0].wg)->bad_tag, ==, 1);
  test_net_run (net, SECOND);
  g_assert_cmpuint (net->nodes[0].established, ==, 1);
}

/* A stranger's initiations flood a node: it asks for cookies, and a known peer still gets in. */
static void
test_load (void)
{
  g_autoptr (TestNet) net = test_net_new ();
  const HnWgCounters *counters = hn_wg_get_counters (net->nodes[1].wg);
  guint8 junk[148] = { 1 };
  guint8 key[32];
  HnWgPath path = { 0, { 198, 51, 100, 1, 9, 9 }, 6 };

  hn_hash2 ("mac1----", 8, net->nodes[1].public_key, 32, key);
  hn_wg_initiate (net->nodes[0].wg, net->nodes[0].peer, net->now);
  for (guint i = 0; i < 8 * 200; i++)
    {
      guint8 copy[148];

      hn_random_bytes (junk + 4, 112);
      hn_mac (key, 32, junk, 116, junk + 116);
      memcpy (copy, junk, sizeof copy);
      hn_wg_receive (net->nodes[1].wg, &path, copy, sizeof copy, net->now);
      /* The peer's first try arrives in the middle of the flood. */
      if (i == 200)
        net->delay_min = net->delay_max = 20000;
      test_net_run (net, i == 0 ? 1 : SECOND / 200);
      if (i == 0)
        g_assert_cmpuint (counters->cookies_sent, ==, 0);
    }
  g_assert_cmpuint (counters->cookies_sent, >, 1000);
  g_assert_cmpuint (counters->bad_mac, ==, 0);
  g_assert_cmpuint (net->nodes[0].established, ==, 1);

  /* The peer goes first only if its first try beat the flood; try again under load. */
  hn_wg_peer_reset (net->nodes[0].wg, net->nodes[0].peer);
  hn_wg_initiate (net->nodes[0].wg, net->nodes[0].peer, net->now);
  for (guint i = 0; i < 7 * 200; i++)
    {
      guint8 copy[148];

      memcpy (copy, junk, sizeof copy);
      hn_wg_receive (net->nodes[1].wg, &path, copy, sizeof copy, net->now);
      test_net_run (net, SECOND / 200);
    }
  g_assert_cmpuint (net->nodes[0].established, ==, 2);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 3);
  g_assert_true (test_net_has_session (net, 1));

  /* Calm again: no cookies. */
  test_net_run (net, 20 * SECOND);
  guint64 cookies = counters->cookies_sent;
  hn_wg_peer_reset (net->nodes[0].wg, net->nodes[0].peer);
  hn_wg_initiate (net->nodes[0].wg, net->nodes[0].peer, net->now);
  test_net_run (net, SECOND);
  g_assert_cmpuint (counters->cookies_sent, ==, cookies);
  g_assert_cmpuint (net->nodes[0].established, ==, 3);
}

static void
test_wrong_source (void)
{
  g_autoptr (TestNet) net = test_net_new ();

  test_net_send (net, 0, 1, 100);
  test_net_run (net, SECOND);
  net->nodes[0].address[3] = 77;
  test_net_send (net, 0, 2, 100);
  test_net_run (net, SECOND);
  g_assert_cmpuint (net->nodes[1].delivered, ==, 1);
  g_assert_cmpuint (hn_wg_get_counters (net->nodes[1].wg)->bad_source, ==, 1);
  hn_wg_peer_set_allowed_ips (net->nodes[1].peer, &(HnWgAllowedIp){ 4, 24, { 100, 64, 0, 1 } }, 1);
  test_net_send (net, 0, 3, 100);
  test_net_run (net, SECOND);
  g_assert_cmpuint (net->nodes[1].delivered, ==, 2);
  hn_wg_peer_set_allowed_ips (net->nodes[1].peer, NULL, 0);
  test_net_send (net, 0, 4, 100);
  test_net_run (net, SECOND);
  g_assert_cmpuint (net->nodes[1].delivered, ==, 2);
}

static void
test_garbage (void)
{
  g_autoptr (TestNet) net = test_net_new ();
  const HnWgCounters *counters = hn_wg_get_counters (net->nodes[1].wg);
  guint8 buffer[400];

  test_net_send (net, 0, 1, 100);
  test_net_run (net, SECOND);
  for (gsize len = 0; len < sizeof buffer; len++)
    for (guint type = 0; type < 6; type++)
      {
        hn_random_bytes (buffer, sizeof buffer);
        if (len >= 4)
          memcpy (buffer, (const guint8[]){ (guint8) type, 0, 0, 0 }, 4);
        test_net_receive (net, 1, buffer, len);
      }
  memcpy (buffer, (const guint8[]){ 4, 0, 1, 0 }, 4);
  test_net_receive (net, 1, buffer, 100);
  g_assert_cmpuint (counters->bad_mac, ==, 2);
  g_assert_cmpuint (counters->bad_length, >, 2000);
  g_assert_cmpuint (counters->bad_tag, ==, 0);
  g_assert_cmpuint (net->nodes[1].delivered, ==, 1);
  test_net_send (net, 0, 2, 100);
  test_net_run (net, SECOND);
  g_assert_cmpuint (net->nodes[1].delivered, ==, 2);
}

/* A peer that was removed and comes back does not fall for what it once accepted. */
static void
test_replay_to_returned_peer (void)
{
  g_autoptr (TestNet) net = test_net_new ();
  TestNode *node = &net->nodes[1];

  net->tap = remember;
  hn_wg_initiate (net->nodes[0].wg, net->nodes[0].peer, net->now);
  net->tap = NULL;
  test_net_run (net, SECOND);
  g_assert_cmpuint (node->sent[2], ==, 1);
  hn_wg_remove_peer (node->wg, node->peer);
  node->peer = NULL;
  node->find_peer = TRUE;
  test_net_receive (net, 1, last_datagram, 148);
  g_assert_cmpuint (node->found, ==, 1);
  g_assert_cmpuint (node->sent[2], ==, 1);
  g_assert_cmpuint (hn_wg_get_counters (node->wg)->replayed, ==, 1);
  hn_wg_peer_reset (net->nodes[0].wg, net->nodes[0].peer);
  hn_wg_initiate (net->nodes[0].wg, net->nodes[0].peer, net->now);
  test_net_run (net, SECOND);
  g_assert_cmpuint (node->sent[2], ==, 2);
}

static HnWgPeer *
find_and_change_key (gpointer user, const guint8 public_key[32])
{
  HnWg **wg = user;
  guint8 key[32];

  hn_x25519_generate (key);
  hn_wg_set_private_key (*wg, key);
  return hn_wg_add_peer (*wg, public_key, NULL);
}

static void
must_not_send (gpointer user, HnWgPeer *peer, const guint8 *datagram, gsize len, gboolean handshake)
{
  g_assert_not_reached ();
}

/* An initiation to a key that is replaced while its sender is looked up is not answered. */
static void
test_key_change_in_find_peer (void)
{
  static const HnWgOps ops = { .send = must_not_send, .find_peer = find_and_change_key };
  g_autoptr (TestNet) net = test_net_new ();
  g_autoptr (HnWg) wg = NULL;
  HnWgPath path = { 0, { 1 }, 6 };

  wg = hn_wg_new (&ops, &wg);
  hn_wg_set_private_key (wg, net->nodes[1].private_key);
  net->tap = remember;
  hn_wg_initiate (net->nodes[0].wg, net->nodes[0].peer, net->now);
  hn_wg_receive (wg, &path, last_datagram, 148, net->now);
  g_assert_cmpuint (hn_wg_get_counters (wg)->unknown_peer, ==, 1);
  g_assert_nonnull (hn_wg_get_peer (wg, net->nodes[0].public_key));
}

/* A peer that nobody configured yet is asked for, once it has proven its key. */
static void
test_lazy_peer (void)
{
  g_autoptr (TestNet) net = test_net_new ();
  TestNode *node = &net->nodes[1];

  hn_wg_remove_peer (node->wg, node->peer);
  node->peer = NULL;
  test_net_send (net, 0, 1, 100);
  test_net_run (net, SECOND);
  g_assert_cmpuint (hn_wg_get_counters (node->wg)->unknown_peer, ==, 1);
  node->find_peer = TRUE;
  test_net_run (net, 6 * SECOND);
  g_assert_cmpuint (node->found, ==, 1);
  g_assert_cmpuint (node->delivered, ==, 1);
  g_assert_true (hn_wg_get_peer (node->wg, net->nodes[0].public_key) == node->peer);
  g_assert_true (hn_wg_peer_get_data (node->peer) == &net->nodes[0]);
  g_assert_cmpmem (hn_wg_peer_get_public_key (node->peer), 32, net->nodes[0].public_key, 32);
}

static void
test_reset (void)
{
  g_autoptr (TestNet) net = test_net_new ();

  test_net_send (net, 0, 1, 100);
  test_net_run (net, SECOND);
  hn_wg_peer_reset (net->nodes[0].wg, net->nodes[0].peer);
  g_assert_false (test_net_has_session (net, 0));
  g_assert_cmpint (hn_wg_get_deadline (net->nodes[0].wg), ==, G_MAXINT64);
  /* At once, however short ago the last handshake was. */
  net->delay_min = net->delay_max = SECOND / 10;
  test_net_send (net, 0, 2, 100);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 2);
  /* Reset again while a packet waits: it is not forgotten, but there is no storm either. */
  test_net_run (net, 60000);
  hn_wg_peer_reset (net->nodes[0].wg, net->nodes[0].peer);
  test_net_run (net, SECOND);
  g_assert_cmpuint (net->nodes[0].sent[1], ==, 3);
  g_assert_cmpuint (net->nodes[1].last_number, ==, 2);
}

static void
test_key_change (void)
{
  g_autoptr (TestNet) net = test_net_new ();
  TestNode *a = &net->nodes[0], *b = &net->nodes[1];
  static const guint8 none[32];

  test_net_send (net, 0, 1, 100);
  test_net_run (net, SECOND);
  hn_wg_set_private_key (a->wg, a->private_key);
  g_assert_true (test_net_has_session (net, 0));

  hn_x25519_generate (a->private_key);
  hn_x25519_base (a->private_key, a->public_key);
  hn_wg_set_private_key (a->wg, a->private_key);
  g_assert_false (test_net_has_session (net, 0));
  test_net_send (net, 0, 2, 100);
  test_net_run (net, SECOND);
  g_assert_cmpuint (b->delivered, ==, 1);
  hn_wg_remove_peer (b->wg, b->peer);
  test_net_introduce (net, 1);
  test_net_run (net, 6 * SECOND);
  g_assert_cmpuint (b->delivered, ==, 2);

  /* Without a key nothing is sent and nothing waits. */
  hn_wg_set_private_key (a->wg, none);
  test_net_send (net, 0, 3, 100);
  g_assert_cmpint (hn_wg_get_deadline (a->wg), ==, G_MAXINT64);
  g_assert_cmpuint (hn_wg_get_counters (a->wg)->staged_dropped, ==, 1);
  test_net_send (net, 1, 3, 100);
  test_net_run (net, SECOND);

  /* One's own key is no peer. */
  g_assert_null (hn_wg_add_peer (b->wg, b->public_key, NULL));
  hn_wg_set_private_key (a->wg, b->private_key);
  test_net_send (net, 0, 4, 100);
  g_assert_cmpint (hn_wg_get_deadline (a->wg), ==, G_MAXINT64);
}

/* The wall clock goes back a day: peers still take our initiations. */
static void
test_wall_clock_back (void)
{
  g_autoptr (TestNet) net = test_net_new ();

  for (guint i = 1; i <= 5; i++)
    {
      test_net_send (net, 0, i, 100);
      test_net_run (net, SECOND);
      g_assert_cmpuint (net->nodes[1].last_number, ==, i);
      net->nodes[0].wall_offset_us -= 86400 * SECOND;
      test_net_run (net, 700 * SECOND);
    }
  g_assert_cmpuint (hn_wg_get_counters (net->nodes[1].wg)->replayed, ==, 0);
}

static void
remove_peer (gpointer data)
{
  TestNode *node = data;

  if (node->peer == NULL)
    return;
  hn_wg_remove_peer (node->wg, node->peer);
  /* The pointer is still good for as long as the call lasts. */
  g_assert_nonnull (hn_wg_peer_get_public_key (node->peer));
  hn_wg_initiate (node->wg, node->peer, node->net->now);
  node->peer = NULL;
}

static void
reset_peer (gpointer data)
{
  TestNode *node = data;

  /* Not for ever: each reset of a peer that has something to say makes it say hello again. */
  if (++node->net->tapped <= 10)
    hn_wg_peer_reset (node->wg, node->peer);
}

static void
change_key (gpointer data)
{
  TestNode *node = data;

  hn_x25519_generate (node->private_key);
  hn_wg_set_private_key (node->wg, node->private_key);
}

/* Whatever an op does to the peer it is called for, the core survives (under the sanitizers). */
static void
test_ops_that_interfere (void)
{
  void (*const acts[]) (gpointer) = { remove_peer, reset_peer, change_key };

  for (guint act = 0; act < G_N_ELEMENTS (acts); act++)
    for (guint where = 0; where < 4; where++)
      for (guint side = 0; side < 2; side++)
        for (guint after = 0; after < 3; after++)
          {
            g_autoptr (TestNet) net = test_net_new ();
            TestNode *node = &net->nodes[side];
            void (*fn) (gpointer) = acts[act];

            for (guint32 i = 0; i < 4; i++)
              {
                if (i == after)
                  {
                    node->on_send = where == 0 ? fn : NULL;
                    node->on_authenticated = where == 1 ? fn : NULL;
                    node->on_established = where == 2 ? fn : NULL;
                    node->on_delivered = where == 3 ? fn : NULL;
                  }
                for (guint from = 0; from < 2; from++)
                  if (net->nodes[from].peer != NULL)
                    {
                      test_net_send (net, from, i, 100);
                      if (net->nodes[from].peer != NULL)
                        test_net_send (net, from, i, 100);
                    }
                test_net_run (net, 130 * SECOND);
              }
            if (fn == remove_peer && where == 0)
              g_assert_null (node->peer);
          }
}

static void
send_first (gpointer data)
{
  TestNode *node = data;

  test_net_send (node->net, node->index, 1000, 100);
}

/* What the owner sends from established() goes ahead of what was staged. */
static void
test_priority_message (void)
{
  g_autoptr (TestNet) net = test_net_new ();

  net->nodes[0].on_established = send_first;
  test_net_send (net, 0, 1, 100);
  test_net_run (net, SECOND);
  g_assert_cmpuint (net->nodes[1].delivered, ==, 2);
  g_assert_cmpuint (net->nodes[1].last_number, ==, 1);
}

/* Many peers and their timers: the heap keeps its order, and removal from its middle too. */
static void
test_many_peers (void)
{
  g_autoptr (TestNet) net = test_net_new ();
  HnWg *wg = net->nodes[0].wg;
  HnWgPeer *peers[300];
  gint64 now = net->now, last = 0;
  guint8 packet[16 + 64 + 32] = { 0 };

  net->tap = drop_all;
  for (guint i = 0; i < G_N_ELEMENTS (peers); i++)
    {
      guint8 key[32], public_key[32];

      hn_x25519_generate (key);
      hn_x25519_base (key, public_key);
      peers[i] = hn_wg_add_peer (wg, public_key, NULL);
      net->nodes[0].peer = peers[i];
      hn_wg_send (wg, peers[i], packet + 16, 64, now + (i * 7919) % 1000 * 1000);
    }
  for (guint i = 0; i < G_N_ELEMENTS (peers); i += 2)
    hn_wg_remove_peer (wg, peers[i]);
  net->nodes[0].peer = peers[1];
  for (guint i = 0; i < 20; i++)
    {
      gint64 at = hn_wg_get_deadline (wg);

      g_assert_cmpint (at, >=, last);
      g_assert_cmpint (at % 50000, ==, 0);
      last = at;
      /* Take the earliest ones away by hand instead of letting them fire. */
      for (guint j = 1; j < G_N_ELEMENTS (peers); j += 2)
        if (peers[j] != NULL && j != 1 && (j + i) % 11 == 0)
          {
            hn_wg_remove_peer (wg, peers[j]);
            peers[j] = NULL;
          }
    }
}

/* Keys that begin alike, as a server could list them, cost no more than others. */
static void
test_similar_keys (void)
{
  g_autoptr (TestNet) net = test_net_new ();
  HnWg *wg = net->nodes[0].wg;
  clock_t begin = clock ();

  for (guint32 i = 0; i < 30000; i++)
    {
      guint8 key[32] = { 1 };

      memcpy (key + 16, &i, sizeof i);
      g_assert_nonnull (hn_wg_add_peer (wg, key, NULL));
    }
  g_assert_cmpint (clock () - begin, <, 4 * CLOCKS_PER_SEC);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));

#define ADD(name, func) g_test_add_func ("/wireguard/core/" name, func)
  ADD ("first-packet", test_first_packet);
  ADD ("initiate", test_initiate);
  ADD ("padding", test_padding_on_the_wire);
  ADD ("loss-of-each-message", test_loss_of_each_message);
  ADD ("early-retries", test_early_retries);
  ADD ("give-up", test_give_up);
  ADD ("staged-bytes", test_staged_bytes);
  ADD ("keepalive", test_keepalive);
  ADD ("silent-peer", test_silent_peer);
  ADD ("renewal", test_renewal);
  ADD ("renewal-by-receiving", test_renewal_by_receiving);
  ADD ("idle-day", test_idle_day);
  ADD ("stale-key", test_stale_key);
  ADD ("lossy-day", test_lossy_day);
  ADD ("simultaneous", test_simultaneous);
  ADD ("replayed-data", test_replayed_data);
  ADD ("replayed-initiation", test_replayed_initiation);
  ADD ("stale-response", test_stale_response);
  ADD ("forged-response", test_forged_response);
  ADD ("load", test_load);
  ADD ("wrong-source", test_wrong_source);
  ADD ("garbage", test_garbage);
  ADD ("replay-to-returned-peer", test_replay_to_returned_peer);
  ADD ("key-change-in-find-peer", test_key_change_in_find_peer);
  ADD ("lazy-peer", test_lazy_peer);
  ADD ("reset", test_reset);
  ADD ("key-change", test_key_change);
  ADD ("wall-clock-back", test_wall_clock_back);
  ADD ("ops-that-interfere", test_ops_that_interfere);
  ADD ("priority-message", test_priority_message);
  ADD ("many-peers", test_many_peers);
  ADD ("similar-keys", test_similar_keys);
  return g_test_run ();
}
