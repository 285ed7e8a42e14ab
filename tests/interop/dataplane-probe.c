/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By hand, against a real relay and a real peer: a tunnel without a control client. Makes the
 * device, its addresses and routes, carries packets until interrupted, and once a second prints
 * what changed. With --ping it pings the peer by itself. Usage:
 *
 *   dataplane-probe [--ca FILE] [--device NAME] [--ping] --key FILE --address IP[,IP]
 *                   --peer nodekey:HEX=IP[,IP] SERVER-URL RELAY-HOST RELAY-PORT RELAY-IP
 *
 * The key file holds "privkey:HEX", the key of a node that is registered and kept online by
 * something else.
 */
#include <gio/gio.h>
#include <glib-unix.h>
#include <string.h>

#include "base/hn-ip.h"
#include "crypto/hn-crypto.h"
#include "dataplane/hn-dataplane.h"
#include "system/hn-links.h"
#include "tun/hn-tun.h"

#define REGION 999
#define MAX_ADDRESSES 4

static HnNodePublic peer_key;
static HnIp peer_ip;
static gboolean ping_arg;
static guint64 last_bytes;

static void
on_relay_changed (gpointer user, int region, HnRelayState state, const char *health,
                  const GError *error)
{
  g_print ("relay %d: state %d%s%s%s%s\n", region, state, health != NULL ? ", health " : "",
           health != NULL ? health : "", error != NULL ? ", " : "",
           error != NULL ? error->message : "");
}

static void
on_path_changed (gpointer user, const HnNodePublic *peer, const HnPeerPath *path)
{
  g_print ("path: kind %d, relay %d\n", path, relay);
}

static void
on_refused (gpointer user, const guint64 verdicts[HN_FILTER_N_VERDICTS])
{
}

static void
on_port_lost (gpointer user, const GError *error)
{
  g_print ("port lost: %s\n", error->message);
  g_main_loop_quit (user);
}

static gboolean
on_signal (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_CONTINUE;
}

static void
on_endpoints_changed (gpointer user, const HnTypedEndpoint *endpoints, gsize n)
{
}

static void
on_network_checked (gpointer user, HnNetReport *report)
{
}

static void
on_stats (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  HnPeerStats stats;

  if (!hn_dataplane_get_stats_finish (HN_DATAPLANE (source), result, &stats, &error))
    g_print ("stats: %s\n", error->message);
  else if (stats.rx_bytes + stats.tx_bytes != last_bytes)
    {
      last_bytes = stats.rx_bytes + stats.tx_bytes;
      g_print ("path %d relay %d rx %" G_GUINT64_FORMAT " tx %" G_GUINT64_FORMAT
               " handshake %" G_GINT64_FORMAT "\n",
               stats.path.kind, stats.path.relay, stats.rx_bytes, stats.tx_bytes,
               stats.last_handshake);
    }
}

static void
on_pinged (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  HnPeerStats stats;

  if (hn_dataplane_ping_finish (HN_DATAPLANE (source), result, &stats, &error))
    g_print ("pong by relay %d in %.2f ms\n", stats.path.relay, (double) stats.latency_us / 1000);
  else
    g_print ("ping: %s\n", error->message);
}

static gboolean
on_second (gpointer dataplane)
{
  hn_dataplane_get_stats_async (dataplane, &peer_key, NULL, on_stats, NULL);
  if (ping_arg)
    hn_dataplane_ping_async (dataplane, HN_PING_ICMP, &peer_ip, 2000, NULL, on_pinged, NULL);
  return G_SOURCE_CONTINUE;
}

static gsize
parse_prefixes (const char *text, HnPrefix *out)
{
  g_auto (GStrv) words = g_strsplit (text, ",", MAX_ADDRESSES);
  gsize n = 0;

  for (char **word = words; *word != NULL; word++)
    if (!hn_prefix_parse (*word, TRUE, &out[n++]))
      g_error ("%s is no address", *word);
  return n;
}

static HnDerpMap *
make_map (const char *host, const char *port, const char *ip)
{
  HnDerpRegion *region = g_new0 (HnDerpRegion, 1);

  region->id = REGION;
  region->code = g_strdup ("probe");
  region->name = g_strdup ("Probe");
  region->score = 1;
  region->nodes = g_new0 (HnDerpNode, 1);
  region->n_nodes = 1;
  region->nodes->name = g_strdup ("999a");
  region->nodes->host_name = g_strdup (host);
  region->nodes->derp_port = (int) g_ascii_strtoll (port, NULL, 10);
  if (!hn_ip_parse (ip, &region->nodes->ipv4))
    g_error ("%s is no address", ip);
  return hn_derp_map_new_take (region, 1);
}

int
main (int argc, char **argv)
{
  static char *ca_arg, *key_arg, *address_arg, *peer_arg;
  static char *device_arg;
  const GOptionEntry entries[]
      = { { "ca", 0, 0, G_OPTION_ARG_FILENAME, &ca_arg, NULL, "FILE" },
          { "key", 0, 0, G_OPTION_ARG_FILENAME, &key_arg, NULL, "FILE" },
          { "address", 0, 0, G_OPTION_ARG_STRING, &address_arg, NULL, "IP" },
          { "peer", 0, 0, G_OPTION_ARG_STRING, &peer_arg, NULL, "KEY=IP" },
          { "device", 0, 0, G_OPTION_ARG_STRING, &device_arg, NULL, "NAME" },
          { "ping", 0, 0, G_OPTION_ARG_NONE, &ping_arg, NULL, NULL },
          { NULL } };
  static const HnDataplaneEvents events
      = { on_relay_changed, on_path_changed,      on_port_lost,
          on_refused,       on_endpoints_changed, on_network_checked };
  g_autoptr (GOptionContext) options = g_option_context_new ("URL HOST PORT IP");
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GError) error = NULL;
  g_autoptr (HnLinks) links = NULL;
  g_autoptr (HnTun) tun = NULL;
  g_autoptr (HnDataplane) dataplane = NULL;
  g_autoptr (HnDerpMap) map = NULL;
  g_autoptr (HnNode) node = NULL;
  g_autoptr (GPtrArray) peers = g_ptr_array_new ();
  g_autofree char *ca = NULL;
  g_autofree char *key_text = NULL;
  g_auto (GStrv) peer = NULL;
  HnPrefix own[MAX_ADDRESSES], theirs[MAX_ADDRESSES];
  HnNodePrivate key;
  HnNodeFields fields = { .id = 1,
                          .stable_id = "",
                          .name = "peer",
                          .home_derp = REGION,
                          .host_name = "",
                          .os = "",
                          .addresses = theirs,
                          .allowed_ips = theirs };
  HnLinkSettings settings
      = { .mtu = 1280, .table = HN_ROUTE_TABLE_BASE, .addresses = own, .routes = theirs };
  HnDataplaneConfig config = { .mark = HN_MARK, .mtu = 1280 };

  g_option_context_add_main_entries (options, entries, NULL);
  if (!g_option_context_parse (options, &argc, &argv, &error))
    g_error ("%s", error->message);
  if (argc != 5 || key_arg == NULL || address_arg == NULL || peer_arg == NULL)
    g_error ("see the head of the source");
  g_assert_true (hn_crypto_init (NULL));
  if ((ca_arg != NULL && !g_file_get_contents (ca_arg, &ca, NULL, &error))
      || !g_file_get_contents (key_arg, &key_text, NULL, &error))
    g_error ("%s", error->message);
  if (!hn_node_private_parse (g_strstrip (key_text), &key))
    g_error ("no key in %s", key_arg);
  peer = g_strsplit (peer_arg, "=", 2);
  if (peer[0] == NULL || peer[1] == NULL || !hn_node_public_parse (peer[0], &peer_key))
    g_error ("--peer nodekey:HEX=IP");
  fields.key = peer_key;
  fields.n_addresses = fields.n_allowed_ips = settings.n_routes = parse_prefixes (peer[1], theirs);
  settings.n_addresses = parse_prefixes (address_arg, own);
  peer_ip = theirs[0].ip;

  tun = hn_tun_new (device_arg != NULL ? device_arg : "headnet0", &error);
  if (tun == NULL)
    g_error ("%s", error->message);
  links = hn_links_new (&error);
  if (links == NULL)
    g_error ("%s", error->message);
  settings.ifindex = hn_tun_get_ifindex (tun);
  hn_links_clean_up (links, NULL, 0, NULL);
  if (!hn_links_apply (links, &settings, &error))
    g_error ("%s", error->message);

  config.server_url = argv[1];
  config.ca_certificate = ca;
  dataplane = hn_dataplane_new (HN_PACKET_PORT (tun), &config, &events, loop);
  hn_dataplane_set_private_key (dataplane, &key);
  hn_dataplane_set_addresses (dataplane, own, settings.n_addresses);
  map = make_map (argv[2], argv[3], argv[4]);
  hn_dataplane_set_derp_map (dataplane, map);
  hn_dataplane_set_home (dataplane, REGION);
  node = hn_node_new (&fields);
  g_ptr_array_add (peers, node);
  hn_dataplane_update_peers (dataplane, peers, NULL, TRUE);
  g_timeout_add_seconds (1, on_second, dataplane);
  g_unix_signal_add (SIGINT, on_signal, loop);
  g_unix_signal_add (SIGTERM, on_signal, loop);
  g_main_loop_run (loop);

  hn_dataplane_stop (dataplane);
  hn_links_clear (links, settings.table, NULL);
  hn_node_private_clear (&key);
  return 0;
}
