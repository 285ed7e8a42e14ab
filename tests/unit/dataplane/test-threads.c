/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-dataplane.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hn-error.h"
#include "craft.h"
#include "crypto/hn-crypto.h"
#include "dataplane/hn-ip-packet.h"
#include "fake-port.h"

#define US "100.64.0.1"

typedef struct
{
  HnDataplane *dataplane;
  FakePort *port;
  HnNodePrivate key;
  GThread *main_thread;
  guint n_relay;
  HnRelayState relay_state;
  guint n_path;
  gboolean port_lost;
  guint n_done;
  HnPeerStats stats;
  GError *error;
  HnNetReport *report;
} World;

static void
on_relay_changed (gpointer user, int region, HnRelayState state, const char *health,
                  const GError *error)
{
  World *world = user;

  g_assert_true (g_thread_self () == world->main_thread);
  world->n_relay++;
  world->relay_state = state;
}

static void
on_path_changed (gpointer user, const HnNodePublic *peer, const HnPeerPath *path)
{
  World *world = user;

  g_assert_true (g_thread_self () == world->main_thread);
  world->n_path++;
}

static void
on_refused (gpointer user, const guint64 verdicts[HN_FILTER_N_VERDICTS])
{
}

static void
on_port_lost (gpointer user, const GError *error)
{
  World *world = user;

  g_assert_true (g_thread_self () == world->main_thread);
  g_assert_nonnull (error);
  world->port_lost = TRUE;
}

static void
on_endpoints_changed (gpointer user, const HnTypedEndpoint *endpoints, gsize n)
{
}

static void
on_network_checked (gpointer user, HnNetReport *report)
{
}

static const HnDataplaneEvents events
    = { on_relay_changed, on_path_changed,      on_port_lost,
        on_refused,       on_endpoints_changed, on_network_checked };

static void
world_init (World *world, gconstpointer data)
{
  HnDataplaneConfig config = { .server_url = "http://127.0.0.1:1", .mark = 0, .mtu = 1280 };
  HnPrefix own;

  world->main_thread = g_thread_self ();
  world->port = fake_port_new ();
  world->dataplane = hn_dataplane_new (HN_PACKET_PORT (world->port), &config, &events, world);
  hn_node_private_generate (&world->key);
  hn_dataplane_set_private_key (world->dataplane, &world->key);
  g_assert_true (hn_prefix_parse (US "/32", FALSE, &own));
  hn_dataplane_set_addresses (world->dataplane, &own, 1);
}

static void
world_clear (World *world, gconstpointer data)
{
  hn_dataplane_stop (world->dataplane);
  hn_dataplane_stop (world->dataplane);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_finalize_object (world->dataplane);
  g_assert_finalize_object (world->port);
  g_clear_error (&world->error);
  g_clear_pointer (&world->report, hn_net_report_unref);
}

static HnNode *
make_peer (guint n, HnNodePublic *key)
{
  g_autofree char *address = g_strdup_printf ("100.64.%u.%u", 1 + n / 256, n % 256);
  HnPrefix prefix;
  HnNodeFields fields = { .id = n + 10,
                          .stable_id = "",
                          .name = "peer.tail.test",
                          .home_derp = 1,
                          .host_name = "",
                          .os = "",
                          .addresses = &prefix,
                          .n_addresses = 1,
                          .allowed_ips = &prefix,
                          .n_allowed_ips = 1 };

  g_assert_true (hn_prefix_parse (address, TRUE, &prefix));
  hn_random_bytes (fields.key.bytes, sizeof fields.key.bytes);
  if (key != NULL)
    *key = fields.key;
  return hn_node_new (&fields);
}

static void
add_peers (World *world, guint n, HnNodePublic *first)
{
  g_autoptr (GPtrArray) peers = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_node_unref);

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (peers, make_peer (i, i == 0 ? first : NULL));
  hn_dataplane_update_peers (world->dataplane, peers, NULL, TRUE);
}

static void
on_stats (GObject *source, GAsyncResult *result, gpointer data)
{
  World *world = data;

  g_assert_true (g_thread_self () == world->main_thread);
  g_clear_error (&world->error);
  hn_dataplane_get_stats_finish (HN_DATAPLANE (source), result, &world->stats, &world->error);
  world->n_done++;
}

static void
on_pinged (GObject *source, GAsyncResult *result, gpointer data)
{
  World *world = data;

  g_assert_true (g_thread_self () == world->main_thread);
  g_clear_error (&world->error);
  hn_dataplane_ping_finish (HN_DATAPLANE (source), result, &world->stats, &world->error);
  world->n_done++;
}

static void
wait_done (World *world, guint n)
{
  while (world->n_done < n)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_questions (World *world, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  HnNodePublic peer, nobody = { { 1 } };
  HnIp target, no_target;

  g_assert_true (hn_ip_parse ("100.64.1.0", &target));
  g_assert_true (hn_ip_parse ("100.64.9.9", &no_target));
  add_peers (world, 3, &peer);
  hn_dataplane_get_stats_async (world->dataplane, &nobody, NULL, on_stats, world);
  wait_done (world, 1);
  g_assert_error (world->error, HN_ERROR, HN_ERROR_NOT_FOUND);
  hn_dataplane_get_stats_async (world->dataplane, &peer, NULL, on_stats, world);
  wait_done (world, 2);
  g_assert_no_error (world->error);
  g_assert_cmpint (world->stats.path.kind, ==, HN_PATH_NONE);

  hn_dataplane_ping_async (world->dataplane, HN_PING_ICMP, &no_target, 100, NULL, on_pinged, world);
  wait_done (world, 3);
  g_assert_error (world->error, HN_ERROR, HN_ERROR_NOT_FOUND);
  hn_dataplane_ping_async (world->dataplane, HN_PING_ICMP, &target, 100, NULL, on_pinged, world);
  wait_done (world, 4);
  g_assert_error (world->error, HN_ERROR, HN_ERROR_TIMEOUT);
  hn_dataplane_ping_async (world->dataplane, HN_PING_ICMP, &target, 60000, cancellable, on_pinged,
                           world);
  g_cancellable_cancel (cancellable);
  wait_done (world, 5);
  g_assert_error (world->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  /* Cancelled before it was asked. */
  hn_dataplane_ping_async (world->dataplane, HN_PING_ICMP, &target, 60000, cancellable, on_pinged,
                           world);
  wait_done (world, 6);
  g_assert_error (world->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* The answer to a question that was given up is nobody else's, wherever the next one lies in memory. */
static void
test_late_answer (World *world, gconstpointer data)
{
  HnNodePublic peer, nobody = { { 1 } };

  add_peers (world, 1, &peer);
  for (guint i = 0; i < 500; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();

      hn_dataplane_get_stats_async (world->dataplane, &peer, cancellable, on_stats, world);
      g_cancellable_cancel (cancellable);
      wait_done (world, world->n_done + 1);
      /* Now and then one more, so that each of them once gets the memory of the one given up. */
      for (guint n = i % 7 == 0 ? 2 : 1; n > 0; n--)
        {
          hn_dataplane_get_stats_async (world->dataplane, &nobody, NULL, on_stats, world);
          wait_done (world, world->n_done + 1);
          g_assert_error (world->error, HN_ERROR, HN_ERROR_NOT_FOUND);
        }
    }
}

static void
test_stop (World *world, gconstpointer data)
{
  HnNodePublic peer;
  HnIp target;

  g_assert_true (hn_ip_parse ("100.64.1.0", &target));
  add_peers (world, 1, &peer);
  hn_dataplane_ping_async (world->dataplane, HN_PING_ICMP, &target, 60000, NULL, on_pinged, world);
  hn_dataplane_get_stats_async (world->dataplane, &peer, NULL, on_stats, world);
  fake_port_break (world->port);
  hn_dataplane_stop (world->dataplane);
  wait_done (world, 2);
  g_assert_error (world->error, HN_ERROR, HN_ERROR_NOT_CONNECTED);
  /* No event comes any more, also none that was on its way. */
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_false (world->port_lost);
  /* All that is asked of a stopped one is answered or harmless. */
  hn_dataplane_get_stats_async (world->dataplane, &peer, NULL, on_stats, world);
  wait_done (world, 3);
  g_assert_error (world->error, HN_ERROR, HN_ERROR_NOT_CONNECTED);
  hn_dataplane_set_private_key (world->dataplane, &world->key);
  hn_dataplane_set_derp_map (world->dataplane, NULL);
  add_peers (world, 1, NULL);
}

static void
on_checked (GObject *source, GAsyncResult *result, gpointer data)
{
  World *world = data;

  g_assert_true (g_thread_self () == world->main_thread);
  g_clear_error (&world->error);
  g_clear_pointer (&world->report, hn_net_report_unref);
  world->report = hn_dataplane_netcheck_finish (HN_DATAPLANE (source), result, &world->error);
  world->n_done++;
}

/* A map of one relay which takes questions and answers none. */
static HnDerpMap *
make_silent_relay (int fd)
{
  struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr = { htonl (INADDR_LOOPBACK) } };
  socklen_t len = sizeof name;
  HnDerpRegion *region = g_new0 (HnDerpRegion, 1);

  g_assert_cmpint (bind (fd, (struct sockaddr *) &name, len), ==, 0);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *) &name, &len), ==, 0);
  region->id = 1;
  region->code = g_strdup ("one");
  region->name = g_strdup ("One");
  region->score = 1;
  region->nodes = g_new0 (HnDerpNode, 1);
  region->n_nodes = 1;
  region->nodes->name = g_strdup ("1a");
  region->nodes->host_name = g_strdup ("127.0.0.1");
  region->nodes->stun_port = ntohs (name.sin_port);
  region->nodes->derp_port = 1;
  return hn_derp_map_new_take (region, 1);
}

/* Whoever waits for a look is told when the network goes, or the tunnel, and does not wait on. */
static void
test_netcheck (World *world, gconstpointer data)
{
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  g_autoptr (HnDerpMap) map = make_silent_relay (fd);

  hn_dataplane_netcheck_async (world->dataplane, NULL, on_checked, world);
  wait_done (world, 1);
  g_assert_error (world->error, HN_ERROR, HN_ERROR_NOT_CONNECTED);

  hn_dataplane_network_changed (world->dataplane, TRUE);
  hn_dataplane_set_derp_map (world->dataplane, map);
  hn_dataplane_netcheck_async (world->dataplane, NULL, on_checked, world);
  hn_dataplane_network_changed (world->dataplane, FALSE);
  wait_done (world, 2);
  g_assert_error (world->error, HN_ERROR, HN_ERROR_NOT_CONNECTED);

  hn_dataplane_network_changed (world->dataplane, TRUE);
  hn_dataplane_netcheck_async (world->dataplane, NULL, on_checked, world);
  hn_dataplane_stop (world->dataplane);
  wait_done (world, 3);
  g_assert_error (world->error, HN_ERROR, HN_ERROR_NOT_CONNECTED);
  close (fd);
}

static void
test_port_lost (World *world, gconstpointer data)
{
  fake_port_break (world->port);
  while (!world->port_lost)
    g_main_context_iteration (NULL, TRUE);
}

/* Snapshots come down and packets go through, both at once. */
static void
test_both_at_once (World *world, gconstpointer data)
{
  guint8 packet[CRAFT_MAX];
  Craft craft = { US, "100.64.1.1", HN_IP_PROTOCOL_UDP, 4000, 53 };
  gsize len = craft_packet (&craft, packet);
  HnNodePublic peer;

  for (guint i = 0; i < 200; i++)
    {
      add_peers (world, 50, &peer);
      for (guint j = 0; j < 20; j++)
        fake_port_put (world->port, packet, len);
      hn_dataplane_set_private_key (world->dataplane, &world->key);
      hn_dataplane_set_home (world->dataplane, (int) (i % 2));
      hn_dataplane_network_changed (world->dataplane, i % 3 != 0);
      hn_dataplane_get_stats_async (world->dataplane, &peer, NULL, on_stats, world);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
  wait_done (world, 200);
  g_assert_no_error (world->error);
}

/* A profile's CA that is none: said once, and everything else goes on. */
static void
test_bad_ca (void)
{
  World world = { .main_thread = g_thread_self () };
  HnDataplaneConfig config = { .server_url = "https://hs.test", .ca_certificate = "nonsense" };

  world.port = fake_port_new ();
  world.dataplane = hn_dataplane_new (HN_PACKET_PORT (world.port), &config, &events, &world);
  while (world.n_relay == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (world.relay_state, ==, HN_RELAY_LOST);
  hn_dataplane_set_home (world.dataplane, 1);
  world_clear (&world, NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
#define ADD(path, function)                                                                        \
  g_test_add ("/dataplane/threads/" path, World, NULL, world_init, function, world_clear)
  ADD ("questions", test_questions);
  ADD ("late-answer", test_late_answer);
  ADD ("stop", test_stop);
  ADD ("netcheck", test_netcheck);
  ADD ("port-lost", test_port_lost);
  ADD ("both-at-once", test_both_at_once);
#undef ADD
  g_test_add_func ("/dataplane/threads/bad-ca", test_bad_ca);
  return g_test_run ();
}
