/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a large network map takes, and what it costs in memory: 10,000 peers like those of a
 * real server, packed, fed in chunks of a socket's size; then one delta; then all of it dropped.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include "control/hn-map-codec.h"

#define N_USERS 2000
#define N_DELTAS 1000
#define N_RUNS 11
#define CHUNK (16 * 1024)
/* Targets; what must be, and what is aimed at. */
#define MUST_PARSE_MS 300
#define AIM_PARSE_MS 35
#define MUST_MEMORY_KIB (20 * 1024)
#define AIM_MEMORY_KIB (6 * 1024)
#define MUST_DELTA_MS 0.2

static HnNetmap *map;
static guint last_changed;

static void
on_update (HnMapUpdate *update, gpointer user)
{
  HnNetmapChange *change = hn_netmap_apply (map, update, 1800000000);

  last_changed = change->changed->len;
  hn_netmap_change_free (change);
  hn_map_update_free (update);
}

static void
append_key (GString *json, const char *prefix, guint seed)
{
  g_string_append (json, prefix);
  for (int i = 0; i < 8; i++)
    {
      seed = seed * 1664525u + 1013904223u;
      g_string_append_printf (json, "%08x", seed ^ (seed >> 15));
    }
}

/* A peer as Headscale writes it, with a subnet route here and there. */
static void
append_peer (GString *json, guint id)
{
  static const char *const systems[] = { "linux", "windows", "macOS", "iOS", "android" };
  const guint host = id + 10;

  g_string_append_printf (
      json, "{\"ID\":%u,\"StableID\":\"%u\",\"Name\":\"host-%u.tailnet.example.com.\",\"User\":%u,",
      id, id, id, 1 + id % N_USERS);
  append_key (json, "\"Key\":\"nodekey:", id * 4);
  g_string_append (json, "\",\"KeyExpiry\":\"2026-11-30T12:00:00.123456789Z\",");
  append_key (json, "\"Machine\":\"mkey:", id * 4 + 1);
  append_key (json, "\",\"DiscoKey\":\"discokey:", id * 4 + 2);
  g_string_append_printf (json,
                          "\",\"Addresses\":[\"100.%u.%u.%u/32\",\"fd7a:115c:a1e0::%x:%x/128\"],"
                          "\"AllowedIPs\":[\"100.%u.%u.%u/32\",\"fd7a:115c:a1e0::%x:%x/128\"",
                          64 + (host >> 16), (host >> 8) & 255, host & 255, 1 + (host >> 16),
                          host & 0xffff, 64 + (host >> 16), (host >> 8) & 255, host & 255,
                          1 + (host >> 16), host & 0xffff);
  if (id % 50 == 0)
    g_string_append_printf (json, ",\"10.%u.%u.0/24\"],\"PrimaryRoutes\":[\"10.%u.%u.0/24\"",
                            (id >> 8) & 255, id & 255, (id >> 8) & 255, id & 255);
  g_string_append_printf (
      json,
      "],\"Endpoints\":[\"203.0.113.%u:%u\",\"192.168.%u.%u:41641\",\"[2001:db8:%x::%x]:41641\"],"
      "\"DERP\":\"127.3.3.40:%u\",\"HomeDERP\":%u,\"Hostinfo\":{\"IPNVersion\":\"1.102.5-t0123456"
      "789-gabcdef012\",\"BackendLogID\":\"%064x\",\"OS\":\"%s\",\"OSVersion\":\"6.1.0-18-amd64\","
      "\"Container\":false,\"Distro\":\"debian\",\"DistroVersion\":\"12.5\",\"DistroCodeName\":"
      "\"bookworm\",\"Desktop\":false,\"Hostname\":\"host-%u\",\"Machine\":\"x86_64\",\"GoArch\":"
      "\"amd64\",\"GoVersion\":\"go1.26.1\",\"Services\":[{\"Proto\":\"peerapi4\",\"Port\":34567},{"
      "\"Proto\":\"peerapi6\",\"Port\":45678}],\"NetInfo\":{\"MappingVariesByDestIP\":false,"
      "\"WorkingIPv6\":true,\"OSHasIPv6\":true,\"WorkingUDP\":true,"
      "\"WorkingICMPv4\":true,\"UPnP\":false,\"PMP\":false,\"PCP\":false,\"PreferredDERP\":%u,"
      "\"FirewallMode\":\"nft-default\"},\"Userspace\":false,\"UserspaceRouter\":false},"
      "\"Created\":\"2024-05-06T07:08:09.123456789Z\",\"Cap\":130,",
      id & 255, 1024 + id % 60000, (id >> 8) & 255, id & 255, id & 0xffff, id, 1 + id % 20,
      1 + id % 20, id, systems[id % G_N_ELEMENTS (systems)], id, 1 + id % 20);
  if (id % 10 == 0)
    g_string_append_printf (json, "\"Tags\":[\"tag:group-%u\"],", id % 100);
  if (id % 3 == 0)
    g_string_append (json, "\"LastSeen\":\"2026-10-11T12:13:14Z\",\"Online\":false,");
  else
    g_string_append (json, "\"Online\":true,");
  if (id % 4 == 0)
    g_string_append (json, "\"CapMap\":{\"https://tailscale.com/cap/file-sharing\":[],"
                           "\"https://tailscale.com/cap/is-admin\":[],"
                           "\"https://tailscale.com/cap/ssh\":[]},");
  g_string_append (json, "\"MachineAuthorized\":true}");
}

static GByteArray *
pack (GString *json)
{
  GByteArray *frame = g_byte_array_new ();
  gsize size;
  guint32 le;

  g_byte_array_set_size (frame, (guint) (4 + ZSTD_compressBound (json->len)));
  size = ZSTD_compress (frame->data + 4, frame->len - 4, json->str, json->len, 3);
  le = GUINT32_TO_LE ((guint32) size);
  memcpy (frame->data, &le, sizeof le);
  g_byte_array_set_size (frame, (guint) (4 + size));
  return frame;
}

static GByteArray *
make_map (guint n_peers, gsize *json_len)
{
  g_autoptr (GString) json = g_string_new ("{\"KeepAlive\":false,\"Node\":");
  GByteArray *frame;

  append_peer (json, n_peers + 1);
  g_string_append (json, ",\"DERPMap\":{\"Regions\":{\"1\":{\"RegionID\":1,\"RegionCode\":\"t\","
                         "\"Nodes\":[{\"Name\":\"1\",\"HostName\":\"relay.example.com\"}]}}},"
                         "\"Peers\":[");
  for (guint id = 1; id <= n_peers; id++)
    {
      if (id > 1)
        g_string_append_c (json, ',');
      append_peer (json, id);
    }
  g_string_append (json, "],\"DNSConfig\":{\"Domains\":[\"tailnet.example.com\"],\"Proxied\":true}"
                         ",\"Domain\":\"example.com\",\"PacketFilters\":{\"base\":[{\"SrcIPs\":"
                         "[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,\"Last\":65535"
                         "}}]}]},\"UserProfiles\":[");
  for (guint id = 1; id <= N_USERS; id++)
    g_string_append_printf (json,
                            "%s{\"ID\":%u,\"LoginName\":\"user-%u@example.com\","
                            "\"DisplayName\":\"User Number %u\",\"ProfilePicURL\":\"\"}",
                            id > 1 ? "," : "", id, id, id);
  g_string_append (json, "],\"ControlTime\":\"2027-01-15T08:00:00.5Z\"}");
  *json_len = json->len;
  frame = pack (json);
  return frame;
}

/* Milliseconds of processor time; the machine may have other things to do. */
static double
get_cpu_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}

/* Anonymous memory of this process, KiB. */
static long
get_memory (void)
{
  g_autofree char *text = NULL;
  const char *line;

  if (!g_file_get_contents ("/proc/self/smaps_rollup", &text, NULL, NULL))
    return 0;
  line = strstr (text, "\nAnonymous:");
  return line != NULL ? strtol (line + strlen ("\nAnonymous:"), NULL, 10) : 0;
}

static void
feed (HnMapDecoder *decoder, const GByteArray *frame)
{
  g_autoptr (GError) error = NULL;

  for (guint pos = 0; pos < frame->len; pos += CHUNK)
    if (!hn_map_decoder_feed (decoder, frame->data + pos, MIN (CHUNK, frame->len - pos), &error))
      g_error ("%s", error->message);
}

static int
compare_doubles (const void *a, const void *b)
{
  const double x = *(const double *) a;
  const double y = *(const double *) b;

  return x < y ? -1 : x > y;
}

static GByteArray *
make_delta (guint i)
{
  g_autoptr (GString) json = g_string_new (NULL);

  g_string_printf (json, "{\"PeersChangedPatch\":[{\"NodeID\":%u,\"Online\":%s}]}", 1 + i % 10000,
                   i % 2 == 0 ? "false" : "true");
  return pack (json);
}

int
main (int argc, char **argv)
{
  const guint n_peers = argc > 1 ? (guint) atoi (argv[1]) : 10000;
  double times[N_RUNS];
  double cpu[N_RUNS];
  double deltas[N_DELTAS];
  long before = 0, held = 0, trimmed = 0, after = 0;
  g_autoptr (GByteArray) frame = NULL;
  double total = 0;
  gsize json_len;

  frame = make_map (n_peers, &json_len);
  malloc_trim (0);
  for (guint run = 0; run < N_RUNS; run++)
    {
      g_autoptr (HnMapDecoder) decoder = NULL;
      gint64 start;

      before = run == 0 ? get_memory () : before;
      map = hn_netmap_new ();
      decoder = hn_map_decoder_new (on_update, NULL);
      start = g_get_monotonic_time ();
      cpu[run] = get_cpu_ms ();
      feed (decoder, frame);
      cpu[run] = get_cpu_ms () - cpu[run];
      times[run] = (double) (g_get_monotonic_time () - start) / 1000;
      g_assert_cmpuint (hn_netmap_get_n_peers (map), ==, n_peers);
      g_assert_cmpuint (last_changed, ==, n_peers);
      if (run == 0)
        {
          held = get_memory ();
          malloc_trim (0);
          trimmed = get_memory ();
        }
      if (run + 1 == N_RUNS)
        for (guint i = 0; i < N_DELTAS; i++)
          {
            g_autoptr (GByteArray) delta = make_delta (i);

            start = g_get_monotonic_time ();
            feed (decoder, delta);
            deltas[i] = (double) (g_get_monotonic_time () - start) / 1000;
            total += deltas[i];
          }
      g_clear_pointer (&decoder, hn_map_decoder_free);
      g_clear_pointer (&map, hn_netmap_unref);
      if (run == 0)
        {
          malloc_trim (0);
          after = get_memory ();
        }
    }

  qsort (times, N_RUNS, sizeof times[0], compare_doubles);
  qsort (cpu, N_RUNS, sizeof cpu[0], compare_doubles);
  qsort (deltas, N_DELTAS, sizeof deltas[0], compare_doubles);
  printf ("map of %u peers: %.1f MB of JSON, %.1f MB packed\n", n_peers, (double) json_len / 1e6,
          (double) frame->len / 1e6);
  printf ("parse and apply: %.1f ms median, %.1f best (must %d, aim %d); %.1f ms of processor\n",
          times[N_RUNS / 2], times[0], MUST_PARSE_MS, AIM_PARSE_MS, cpu[N_RUNS / 2]);
  printf ("added memory: %ld KiB, %ld after malloc_trim (must %d, aim %d); %ld KiB once dropped\n",
          held - before, trimmed - before, MUST_MEMORY_KIB, AIM_MEMORY_KIB, after - before);
  printf ("one delta: %.4f ms on average, %.4f median, %.4f for the 99th of 100 (must %.1f)\n",
          total / N_DELTAS, deltas[N_DELTAS / 2], deltas[N_DELTAS * 99 / 100], MUST_DELTA_MS);
  return 0;
}
