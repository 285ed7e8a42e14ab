/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control client against servers that want to keep it busy, fill its memory or write to
 * somebody's terminal. */
#include "control/hn-control-client.h"

#include <string.h>

#include "base/hn-error.h"
#include "crypto/hn-crypto.h"
#include "fake-control.h"

#define REGISTER "/machine/register"
#define MAP "/machine/map"
#define OK "{\"MachineAuthorized\":true}"
#define KEY "nodekey:1111111111111111111111111111111111111111111111111111111111111111"
#define FIRST                                                                                      \
  "{\"Node\":{\"ID\":1,\"StableID\":\"1\",\"Name\":\"n1.lab.test.\",\"Key\":\"" KEY                \
  "\",\"Addresses\":[\"100.64.0.1/32\"],\"MachineAuthorized\":true}}"

/* How long each server has its way, and how often the client may come back meanwhile: its waits are
 * 10 ms, 40 ms, 90 ms and so on, more or less. */
#define SPAN_US (400 * 1000)
#define MAX_TRIES 15

typedef struct
{
  FakeControl *server;
  HnControlClient *client;
  GError *login_error;
  gboolean login_done;
} Fixture;

static void
setup (Fixture *f, gconstpointer data)
{
  static const HnControlClientEvents events = { 0 };

  memset (f, 0, sizeof *f);
  f->server = fake_control_new ();
  f->client = fake_control_new_client (f->server, &events, f);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  hn_control_client_stop (f->client);
  g_object_unref (f->client);
  fake_control_free (f->server);
  g_clear_error (&f->login_error);
}

static void
on_login (GObject *source, GAsyncResult *result, gpointer data)
{
  Fixture *f = data;

  f->login_done = TRUE;
  hn_control_client_login_finish (HN_CONTROL_CLIENT (source), result, &f->login_error);
}

static void
login (Fixture *f, const char *key)
{
  g_autoptr (HnSecretText) secret = key != NULL ? hn_secret_text_new (key) : NULL;

  hn_control_client_login_async (f->client, secret, FALSE, NULL, on_login, f);
}

static void
wait_login (Fixture *f)
{
  while (!f->login_done)
    g_main_context_iteration (NULL, TRUE);
}

static FakeRequest *
open_map (Fixture *f)
{
  FakeRequest *map;

  hn_control_client_start (f->client);
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, OK);
  map = fake_control_next (f->server, MAP);
  fake_request_open (map);
  return map;
}

static void
run (gint64 span_us)
{
  gint64 end = g_get_monotonic_time () + span_us;

  while (g_get_monotonic_time () < end)
    {
      g_main_context_iteration (NULL, FALSE);
      g_usleep (200);
    }
}

/* It takes every connection and wants none. */
static void
test_away (Fixture *f, gconstpointer data)
{
  fake_control_send_away (f->server, TRUE);
  hn_control_client_start (f->client);
  run (SPAN_US);
  g_assert_cmpuint (fake_control_get_n_handshakes (f->server), >=, 2);
  g_assert_cmpuint (fake_control_get_n_handshakes (f->server), <, MAX_TRIES);
  g_assert_nonnull (hn_control_client_get_error (f->client));

  login (f, "secret");
  wait_login (f);
  g_assert_true (hn_error_is_unreachable (f->login_error));
  fake_control_send_away (f->server, FALSE);
  fake_control_next (f->server, MAP);
}

/* Each time another address to sign in at. */
static void
test_urls (Fixture *f, gconstpointer data)
{
  gint64 end = g_get_monotonic_time () + SPAN_US;
  guint n = 0;

  login (f, NULL);
  while (g_get_monotonic_time () < end)
    {
      FakeRequest *request = fake_control_next (f->server, REGISTER);
      g_autofree char *answer = NULL;

      /* In the second form the server forgets each of them. */
      if (data != NULL && n % 2 == 1)
        answer = g_strdup ("{\"Error\":\"registration not found\"}");
      else
        answer = g_strdup_printf ("{\"AuthURL\":\"https://hs.test/register/%u\"}", n);
      fake_request_reply (request, 200, answer);
      n++;
    }
  g_assert_cmpuint (n, <, MAX_TRIES);
  g_assert_true (f->login_done);
  g_assert_no_error (f->login_error);
}

/* Hundreds of pings at once. */
static void
test_pings (Fixture *f, gconstpointer data)
{
  FakeRequest *map = open_map (f);

  for (guint i = 0; i < 200; i++)
    {
      g_autofree char *frame
          = g_strdup_printf ("{\"KeepAlive\":true,\"PingRequest\":{\"URL\":\"%s/ping/%u\"}}",
                             fake_control_get_url (f->server), i);

      fake_request_frame (map, frame);
    }
  run (SPAN_US / 2);
  g_assert_cmpuint (fake_control_get_n_heads (f->server), >, 0);
  g_assert_cmpuint (fake_control_get_n_heads (f->server), <, 40);
}

/* Changes of a map that never comes: many of them, or large ones. */
static void
test_held (Fixture *f, gconstpointer data)
{
  gboolean large = data != NULL;
  g_autofree char *padding = g_strnfill (large ? 64 * 1024 : 1, ' ');
  FakeRequest *map = open_map (f);

  for (guint i = 0; i < (large ? 80 : 300) && !fake_request_is_gone (map); i++)
    {
      g_autofree char *frame
          = g_strdup_printf ("{\"PeersRemoved\":[%u],%s\"Domain\":\"\"}", i + 2, padding);

      fake_request_frame (map, frame);
      run (large ? 3000 : 100);
    }
  fake_control_wait_gone (f->server, map);
  g_assert_error (hn_control_client_get_error (f->client), HN_ERROR, HN_ERROR_PROTOCOL);
  map = fake_control_next (f->server, MAP);
  fake_request_open (map);
  fake_request_frame (map, FIRST);
  while (hn_control_client_get_phase (f->client) != HN_CONTROL_MAPPED)
    g_main_context_iteration (NULL, TRUE);
}

/* U+009B begins an escape sequence as ESC [ does. */
static void
test_control_characters (Fixture *f, gconstpointer data)
{
  login (f, "secret");
  fake_request_reply (fake_control_next (f->server, REGISTER), 403,
                      "no\x1b[31m\xc2\x9b"
                      "31m\xe2\x80\xae\xe2\x80\xa8way");
  wait_login (f);
  g_assert_error (f->login_error, HN_ERROR, HN_ERROR_SERVER_REFUSED);
  g_assert_nonnull (strstr (f->login_error->message, "no [31m 31m  way"));
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    const char *data;
    void (*test) (Fixture *f, gconstpointer data);
  } rows[] = {
    { "/control-hostile/away", NULL, test_away },
    { "/control-hostile/urls/new", NULL, test_urls },
    { "/control-hostile/urls/forgotten", "", test_urls },
    { "/control-hostile/pings", NULL, test_pings },
    { "/control-hostile/held/many", NULL, test_held },
    { "/control-hostile/held/large", "", test_held },
    { "/control-hostile/control-characters", NULL, test_control_characters },
  };

  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    g_test_add (rows[i].path, Fixture, rows[i].data, setup, rows[i].test, teardown);
  return g_test_run ();
}
