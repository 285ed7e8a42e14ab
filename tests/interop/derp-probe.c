/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By hand, against a real relay: logs two clients in, sends packets from one to the other, and says
 * how many came and how fast. Usage:
 *
 *   derp-probe [--ca FILE] [--key-a FILE] [--key-b FILE] [--address IP] [--size N] [--seconds S]
 *              [--rate MBYTES] SERVER-URL HOST PORT
 *
 * A key file holds "privkey:HEX"; without one a key is made up. SERVER-URL decides about plain HTTP.
 */
#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hn-clock.h"
#include "crypto/hn-crypto.h"
#include "path/hn-derp-pool.h"

#define REGION 999

typedef struct
{
  const char *name;
  HnDerpPool *pool;
  HnNodePrivate key;
  HnNodePublic public_key;
  guint64 packets;
  guint64 bytes;
  guint32 expected;
  guint64 out_of_order;
  gboolean connected;
} End;

static GMainLoop *loop;
static int size_arg = 1280;
static int seconds_arg = 5;
static double rate_arg;
static gint64 rtt_sent_us;
static gboolean echo_phase = TRUE;
static guint echoes;
static gint64 rtt_sum_us;
static guint32 next_number;
static gint64 end_us;
static gint64 begin_us;
static guint64 sent_bytes;
static End ends[2];
static char *buffer;

static void
send_echo (void)
{
  rtt_sent_us = hn_clock_now_us ();
  hn_derp_pool_send (ends[0].pool, REGION, &ends[1].public_key, (const guint8 *) buffer, 100);
}

static gboolean
on_finish (gpointer data)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

/* A flow that is paced by what waits in our queue, and by --rate. */
static gboolean
on_pump (gpointer data)
{
  gint64 now_us = hn_clock_now_us ();

  if (now_us >= end_us)
    {
      g_timeout_add (500, on_finish, NULL);
      return G_SOURCE_REMOVE;
    }
  for (guint i = 0; i < 32; i++)
    {
      if (hn_derp_pool_get_queued (ends[0].pool, REGION) > 8000)
        break;
      if (rate_arg > 0 && sent_bytes > rate_arg * (now_us - begin_us))
        {
          g_usleep (20);
          break;
        }
      memcpy (buffer + 4, &next_number, sizeof next_number);
      next_number++;
      hn_derp_pool_send (ends[0].pool, REGION, &ends[1].public_key, (const guint8 *) buffer,
                         size_arg);
      sent_bytes += size_arg;
    }
  hn_derp_pool_flush (ends[0].pool);
  return G_SOURCE_CONTINUE;
}

static void
start_pump (void)
{
  echo_phase = FALSE;
  begin_us = hn_clock_now_us ();
  end_us = begin_us + seconds_arg * G_USEC_PER_SEC;
  g_idle_add_full (G_PRIORITY_DEFAULT, on_pump, NULL, NULL);
}

static void
on_receive (gpointer user, int region, const HnNodePublic *source, guint8 *data, gsize len)
{
  End *end = user;

  end->packets++;
  end->bytes += len;
  /* The room around a packet is ours. */
  memset (data - 64, 0xa5, 64);
  memset (data + len, 0x5a, 64);
  if (echo_phase)
    {
      if (end == &ends[1])
        hn_derp_pool_send (end->pool, 0, source, data, len);
      else
        {
          rtt_sum_us += hn_clock_now_us () - rtt_sent_us;
          if (++echoes < 100)
            send_echo ();
          else
            start_pump ();
        }
      return;
    }
  if (len >= 8)
    {
      guint32 number;

      memcpy (&number, data + 4, sizeof number);
      if (number != end->expected)
        end->out_of_order++;
      end->expected = number + 1;
    }
}

static void
on_state (gpointer user, int region, HnDerpState state, const char *health, const GError *error)
{
  static const char *const names[] = { "connecting", "connected", "lost", "refused", "closed" };
  End *end = user;

  g_print ("%s: region %d %s%s%s%s%s\n", end->name, region, names[state],
           health != NULL ? ", health: " : "", health != NULL ? health : "",
           error != NULL ? ": " : "", error != NULL ? error->message : "");
  if (state == HN_DERP_CONNECTED && !end->connected)
    {
      end->connected = TRUE;
      if (ends[0].connected && ends[1].connected)
        send_echo ();
    }
}

static void
on_peer_gone (gpointer user, int region, const HnNodePublic *peer)
{
  g_print ("%s: peer gone\n", ((End *) user)->name);
}

static const HnDerpPoolOps ops = { on_receive, on_state, on_peer_gone };

static void
load_key (const char *path, HnNodePrivate *key)
{
  g_autofree char *text = NULL;

  if (path == NULL)
    {
      hn_node_private_generate (key);
      return;
    }
  if (!g_file_get_contents (path, &text, NULL, NULL)
      || !hn_node_private_parse (g_strstrip (text), key))
    {
      g_printerr ("%s holds no key\n", path);
      exit (2);
    }
}

int
main (int argc, char **argv)
{
  g_autofree char *ca = NULL, *address = NULL, *ca_text = NULL;
  char *keys[2] = { NULL, NULL };
  GOptionEntry entries[] = {
    { "ca", 0, 0, G_OPTION_ARG_FILENAME, &ca, "CA", "FILE" },
    { "key-a", 0, 0, G_OPTION_ARG_FILENAME, &keys[0], "Sender's key", "FILE" },
    { "key-b", 0, 0, G_OPTION_ARG_FILENAME, &keys[1], "Receiver's key", "FILE" },
    { "address", 0, 0, G_OPTION_ARG_STRING, &address, "Literal to dial", "IP" },
    { "size", 0, 0, G_OPTION_ARG_INT, &size_arg, "Bytes a packet", "N" },
    { "seconds", 0, 0, G_OPTION_ARG_INT, &seconds_arg, "How long", "S" },
    { "rate", 0, 0, G_OPTION_ARG_DOUBLE, &rate_arg, "MB/s, 0 no limit", "R" },
    { NULL },
  };
  g_autoptr (GOptionContext) options = g_option_context_new ("SERVER-URL HOST PORT");
  g_autoptr (GError) error = NULL;
  g_autoptr (HnDialer) dialer = NULL;
  g_autoptr (HnDerpMap) map = NULL;
  HnDerpRegion *region;
  double took_s;

  g_option_context_add_main_entries (options, entries, NULL);
  if (!g_option_context_parse (options, &argc, &argv, &error) || argc != 4)
    {
      g_printerr ("%s\n", error != NULL ? error->message : "three arguments, please");
      return 2;
    }
  if (!hn_crypto_init (&error) || (ca != NULL && !g_file_get_contents (ca, &ca_text, NULL, &error))
      || (dialer = hn_dialer_new (ca_text, 0, &error)) == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }

  buffer = g_malloc0 (size_arg + 100);
  region = g_new0 (HnDerpRegion, 1);
  region->id = REGION;
  region->code = g_strdup ("probe");
  region->name = g_strdup ("Probe");
  region->score = 1;
  region->n_nodes = 1;
  region->nodes = g_new0 (HnDerpNode, 1);
  region->nodes[0].name = g_strdup ("999");
  region->nodes[0].host_name = g_strdup (argv[2]);
  region->nodes[0].derp_port = atoi (argv[3]);
  if (address != NULL)
    hn_ip_parse (address, &region->nodes[0].ipv4);
  map = hn_derp_map_new_take (region, 1);

  loop = g_main_loop_new (NULL, FALSE);
  for (guint i = 0; i < 2; i++)
    {
      ends[i].name = i == 0 ? "sender" : "receiver";
      load_key (keys[i], &ends[i].key);
      hn_node_private_get_public (&ends[i].key, &ends[i].public_key);
      ends[i].pool = hn_derp_pool_new (dialer, argv[1], &ops, &ends[i]);
      hn_derp_pool_set_private_key (ends[i].pool, &ends[i].key);
      hn_derp_pool_set_map (ends[i].pool, map);
      hn_derp_pool_set_home (ends[i].pool, REGION);
    }
  g_timeout_add_seconds (seconds_arg + 15, on_finish, NULL);
  g_main_loop_run (loop);

  took_s = seconds_arg;
  g_print ("echoes: %u, mean round trip %" G_GINT64_FORMAT " us\n", echoes,
           echoes > 0 ? rtt_sum_us / echoes : 0);
  g_print ("sent %u packets of %d bytes (%.1f MB/s), received %" G_GUINT64_FORMAT
           " (%.1f MB/s), gaps %" G_GUINT64_FORMAT ", lost %.2f %%\n",
           next_number, size_arg, sent_bytes / took_s / 1e6, ends[1].packets - echoes,
           ends[1].bytes / took_s / 1e6, ends[1].out_of_order,
           next_number > 0 ? 100.0 - 100.0 * (ends[1].packets - echoes) / next_number : 0);
  for (guint i = 0; i < 2; i++)
    {
      hn_derp_pool_free (ends[i].pool);
      hn_node_private_clear (&ends[i].key);
    }
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_main_loop_unref (loop);
  g_free (keys[0]);
  g_free (keys[1]);
  g_free (buffer);
  return echoes == 100 ? 0 : 1;
}
