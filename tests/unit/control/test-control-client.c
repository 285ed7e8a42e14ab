/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control client against a server whose every answer the test gives. */
#include "control/hn-control-client.h"

#include <string.h>

#include "base/hn-error.h"
#include "crypto/hn-crypto.h"
#include "fake-control.h"

#define REGISTER "/machine/register"
#define MAP "/machine/map"
#define URL_A "https://hs.test/register/aaaa"
#define URL_B "https://hs.test/register/bbbb"
#define AUTH_URL(url) "{\"AuthURL\":\"" url "\"}"
#define OK "{\"MachineAuthorized\":true}"
#define KEY "111111111111111111111111111111111111111111111111111111111111111"
#define NODE(id, more)                                                                             \
  "{\"ID\":" #id ",\"StableID\":\"" #id "\",\"Name\":\"n" #id                                      \
  ".lab.test.\",\"Key\":\"nodekey:" KEY #id "\",\"Addresses\":[\"100.64.0." #id                    \
  "/32\"],\"MachineAuthorized\":true" more "}"
#define FIRST "{\"Node\":" NODE (1, "") ",\"Domain\":\"lab.test\"}"

#define VARIANT (((const Case *) data)->variant)

typedef struct
{
  FakeControl *server;
  HnControlClient *client;
  HnHostinfo *hostinfo;
  HnMachinePrivate machine;
  HnNodePrivate key; /* as the owner stored it */
  guint keys;        /* how often it was told */
  HnMachinePublic server_key;
  guint changed_keys;
  guint netmaps;
  guint fulls;
  guint n_peers;
  gboolean stop_in_netmap;
  gboolean in_call;
  gboolean login_done;
  GError *login_error;
} Fixture;

/* What a test is told. */
typedef struct
{
  gboolean stored; /* a node key is there from the start */
  guint variant;
} Case;

static void
on_phase (gpointer user)
{
  g_assert_false (((Fixture *) user)->in_call);
}

static void
on_node_key (gpointer user, const HnNodePrivate *key)
{
  Fixture *f = user;

  g_assert_false (f->in_call);
  f->key = *key;
  f->keys++;
}

static void
on_server_key (gpointer user, const HnMachinePublic *key, gboolean changed)
{
  Fixture *f = user;

  f->server_key = *key;
  f->changed_keys += changed ? 1 : 0;
}

static void
on_netmap (gpointer user, HnNetmap *netmap, const HnNetmapChange *change)
{
  Fixture *f = user;

  g_assert_false (f->in_call);
  f->netmaps++;
  f->fulls += change->full ? 1 : 0;
  f->n_peers = hn_netmap_get_n_peers (netmap);
  if (f->stop_in_netmap)
    hn_control_client_stop (f->client);
}

static const HnControlClientEvents events = { on_phase, on_node_key, on_server_key, on_netmap };

static void
make_client (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  HnControlClientConfig config = {
    .server_url = fake_control_get_url (f->server),
    .machine_key = &f->machine,
    .node_key = &f->key,
    .known_server_key = &f->server_key,
  };

  f->client = hn_control_client_new (&config, &events, f, &error);
  g_assert_no_error (error);
  hn_control_client_set_hostinfo (f->client, f->hostinfo);
}

static void
setup (Fixture *f, gconstpointer data)
{
  memset (f, 0, sizeof *f);
  f->server = fake_control_new ();
  hn_machine_private_generate (&f->machine);
  if (((const Case *) data)->stored)
    hn_node_private_generate (&f->key);
  f->hostinfo = hn_hostinfo_new ("box");
  f->hostinfo->has_net_info = TRUE;
  f->hostinfo->preferred_derp = 999;
  make_client (f);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  if (f->client != NULL)
    {
      HnControlClient *client = f->client;

      hn_control_client_stop (client);
      g_object_add_weak_pointer (G_OBJECT (client), (gpointer *) &f->client);
      g_object_unref (client);
      /* Answers on their way may hold it for a moment, nothing longer. */
      for (guint i = 0; i < 200 && f->client != NULL; i++)
        {
          g_main_context_iteration (NULL, FALSE);
          g_usleep (1000);
        }
      g_assert_null (f->client);
    }
  fake_control_free (f->server);
  hn_hostinfo_free (f->hostinfo);
  g_clear_error (&f->login_error);
}

static void
wait_phase (Fixture *f, HnControlPhase phase)
{
  gint64 end = g_get_monotonic_time () + 3 * G_USEC_PER_SEC;

  while (hn_control_client_get_phase (f->client) != phase)
    {
      if (g_get_monotonic_time () > end)
        g_error ("phase %d, not %d", hn_control_client_get_phase (f->client), phase);
      g_main_context_iteration (NULL, FALSE);
      g_usleep (500);
    }
}

static void
wait_reachable (Fixture *f, gboolean reachable)
{
  gint64 end = g_get_monotonic_time () + 3 * G_USEC_PER_SEC;

  while (hn_control_client_is_reachable (f->client) != reachable)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end);
      g_main_context_iteration (NULL, FALSE);
      g_usleep (500);
    }
}

static void
assert_error (Fixture *f, int code)
{
  g_assert_error (hn_control_client_get_error (f->client), HN_ERROR, code);
}

static gboolean
has (FakeRequest *request, const char *text)
{
  return strstr (fake_request_get_body (request), text) != NULL;
}

/* The value of a string member, wherever it stands. */
static char *
member (FakeRequest *request, const char *name)
{
  g_autofree char *head = g_strdup_printf ("\"%s\":\"", name);
  const char *at = strstr (fake_request_get_body (request), head);

  if (at == NULL)
    return NULL;
  at += strlen (head);
  return g_strndup (at, strcspn (at, "\""));
}

static void
on_login (GObject *source, GAsyncResult *result, gpointer data)
{
  Fixture *f = data;

  g_assert_false (f->in_call);
  g_clear_error (&f->login_error);
  f->login_done = TRUE;
  hn_control_client_login_finish (HN_CONTROL_CLIENT (source), result, &f->login_error);
}

static void
on_logout (GObject *source, GAsyncResult *result, gpointer data)
{
  Fixture *f = data;

  g_clear_error (&f->login_error);
  f->login_done = TRUE;
  hn_control_client_logout_finish (HN_CONTROL_CLIENT (source), result, &f->login_error);
}

static void
login (Fixture *f, const char *key, gboolean accept)
{
  g_autoptr (HnSecretText) secret = key != NULL ? hn_secret_text_new (key) : NULL;

  f->login_done = FALSE;
  f->in_call = TRUE;
  hn_control_client_login_async (f->client, secret, accept, NULL, on_login, f);
  f->in_call = FALSE;
}

static void
wait_login (Fixture *f)
{
  gint64 end = g_get_monotonic_time () + 3 * G_USEC_PER_SEC;

  while (!f->login_done)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end);
      g_main_context_iteration (NULL, FALSE);
      g_usleep (500);
    }
}

/* Brings it to MAPPED and answers the first lite update; returns the stream. */
static FakeRequest *
get_mapped (Fixture *f)
{
  FakeRequest *map, *lite;

  f->in_call = TRUE;
  hn_control_client_start (f->client);
  f->in_call = FALSE;
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, OK);
  map = fake_control_next (f->server, MAP);
  fake_request_open (map);
  fake_request_frame (map, FIRST);
  wait_phase (f, HN_CONTROL_MAPPED);
  lite = fake_control_next (f->server, MAP);
  g_assert_true (has (lite, "\"OmitPeers\":true"));
  fake_request_reply (lite, 200, "");
  /* Until that has arrived. */
  fake_control_expect_quiet (f->server, 15);
  return map;
}

/* ---- start and map ---- */

static void
test_start (Fixture *f, gconstpointer data)
{
  FakeRequest *reg, *map;
  g_autofree char *reg_key = NULL;
  g_autofree char *map_key = NULL;

  hn_control_client_start (f->client);
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_CONNECTING);
  reg = fake_control_next (f->server, REGISTER);
  /* It does not wait for the registration's answer: some servers take a second for each. */
  map = fake_control_next (f->server, MAP);
  g_assert_true (has (map, "\"Stream\":true"));
  g_assert_true (has (map, "\"DiscoKey\":"));
  g_assert_true (has (reg, "\"Hostname\":\"box\""));
  g_assert_false (has (reg, "\"Auth\""));
  g_assert_false (has (reg, "\"OldNodeKey\""));
  reg_key = member (reg, "NodeKey");
  map_key = member (map, "NodeKey");
  g_assert_cmpstr (reg_key, ==, map_key);

  /* MachineAuthorized FALSE is no refusal. */
  fake_request_reply (reg, 200, "{\"MachineAuthorized\":false}");
  fake_request_open (map);
  wait_reachable (f, TRUE);
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_CONNECTING);
  fake_request_frame (map, "{\"ControlTime\":\"2026-01-01T00:00:00Z\"}");
  fake_request_frame (map, FIRST);
  wait_phase (f, HN_CONTROL_MAPPED);
  g_assert_no_error (hn_control_client_get_error (f->client));
  g_assert_cmpuint (f->fulls, ==, 1);
  fake_request_reply (fake_control_next (f->server, MAP), 200, "");
  fake_control_expect_quiet (f->server, 50);
  g_assert_cmpuint (fake_control_get_n_keys (f->server), ==, 1);
  g_assert_cmpuint (fake_control_get_n_handshakes (f->server), ==, 1);
  g_assert_cmpuint (f->keys, ==, 0);

  f->in_call = TRUE;
  hn_control_client_stop (f->client);
  f->in_call = FALSE;
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_IDLE);
  g_assert_null (hn_control_client_get_netmap (f->client));
}

static void
test_start_without_key (Fixture *f, gconstpointer data)
{
  hn_control_client_start (f->client);
  wait_phase (f, HN_CONTROL_NEEDS_LOGIN);
  g_assert_null (hn_control_client_get_error (f->client));
  fake_control_expect_quiet (f->server, 25);
  g_assert_cmpuint (fake_control_get_n_keys (f->server), ==, 0);
}

static void
test_lost_and_back (Fixture *f, gconstpointer data)
{
  FakeRequest *map;

  get_mapped (f);
  fake_control_drop (f->server);
  wait_reachable (f, FALSE);
  /* The netmap stays in force. */
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_MAPPED);
  g_assert_nonnull (hn_control_client_get_netmap (f->client));
  assert_error (f, HN_ERROR_CONNECTION_LOST);
  map = fake_control_next (f->server, MAP);
  fake_request_open (map);
  fake_request_frame (map, FIRST);
  wait_reachable (f, TRUE);
  while (f->fulls < 2)
    g_main_context_iteration (NULL, TRUE);
  g_assert_no_error (hn_control_client_get_error (f->client));
  /* Neither a registration nor a lite update that says nothing new. */
  fake_control_expect_quiet (f->server, 50);
  g_assert_cmpuint (fake_control_get_n_keys (f->server), ==, 1);
}

static void
test_end_before_first (Fixture *f, gconstpointer data)
{
  FakeRequest *map;

  hn_control_client_start (f->client);
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, OK);
  map = fake_control_next (f->server, MAP);
  fake_request_open (map);
  fake_request_end (map);
  map = fake_control_next (f->server, MAP);
  assert_error (f, HN_ERROR_PROTOCOL);
  fake_request_open (map);
  fake_request_frame (map, FIRST);
  wait_phase (f, HN_CONTROL_MAPPED);
  fake_request_end (map);
  fake_control_next (f->server, MAP);
}

static void
test_broken_frame (Fixture *f, gconstpointer data)
{
  FakeRequest *map = get_mapped (f);

  fake_request_frame (map, "{\"Peers\":[");
  map = fake_control_next (f->server, MAP);
  g_assert_true (has (map, "\"Stream\":true"));
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_MAPPED);
}

static void
test_delta_first (Fixture *f, gconstpointer data)
{
  FakeRequest *map;

  hn_control_client_start (f->client);
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, OK);
  map = fake_control_next (f->server, MAP);
  fake_request_open (map);
  fake_request_frame (map, "{\"PeersChanged\":[" NODE (2, "") "]}");
  fake_control_expect_quiet (f->server, 15);
  g_assert_cmpuint (f->netmaps, ==, 0);
  fake_request_frame (map, FIRST);
  wait_phase (f, HN_CONTROL_MAPPED);
  g_assert_cmpuint (f->fulls, ==, 1);
  g_assert_cmpuint (f->netmaps, ==, 2);
  g_assert_cmpuint (f->n_peers, ==, 1);
}

static void
test_map_not_found (Fixture *f, gconstpointer data)
{
  FakeRequest *map;

  hn_control_client_start (f->client);
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, OK);
  map = fake_control_next (f->server, MAP);
  fake_request_reply (map, VARIANT, "node not found");
  /* The registration decides; until then no further map. */
  map = fake_control_next (f->server, REGISTER);
  fake_control_expect_quiet (f->server, 30);
  fake_request_reply (map, 200, OK);
  map = fake_control_next (f->server, MAP);
  fake_request_reply (map, VARIANT, "node not found");
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, AUTH_URL (URL_A));
  wait_phase (f, HN_CONTROL_NEEDS_LOGIN);
  assert_error (f, HN_ERROR_NODE_UNKNOWN);
  g_assert_false (hn_control_client_get_has_login_url (f->client));
  fake_control_expect_quiet (f->server, 30);
}

static void
test_deleted_or_expired (Fixture *f, gconstpointer data)
{
  FakeRequest *reg, *map;

  hn_control_client_start (f->client);
  reg = fake_control_next (f->server, REGISTER);
  map = fake_control_next (f->server, MAP);
  fake_request_reply (reg, 200, AUTH_URL (URL_A));
  fake_control_expect_quiet (f->server, 15);
  /* Headscale 0.23 answers alike for both; its map tells. */
  if (VARIANT != 0)
    {
      fake_request_open (map);
      fake_request_frame (map, "{\"Node\":" NODE (1, ",\"Expired\":true") "}");
    }
  else
    fake_request_reply (map, 500, "Internal error");
  wait_phase (f, HN_CONTROL_NEEDS_LOGIN);
  assert_error (f, VARIANT != 0 ? HN_ERROR_NODE_KEY_EXPIRED : HN_ERROR_NODE_UNKNOWN);
  fake_control_expect_quiet (f->server, 30);
  if (VARIANT != 0)
    fake_control_wait_gone (f->server, map);
}

static void
test_expired_while_running (Fixture *f, gconstpointer data)
{
  FakeRequest *map = get_mapped (f);

  fake_request_frame (map, "{\"Node\":" NODE (1, ",\"Expired\":true") "}");
  wait_phase (f, HN_CONTROL_NEEDS_LOGIN);
  assert_error (f, HN_ERROR_NODE_KEY_EXPIRED);
  fake_control_expect_quiet (f->server, 30);
  fake_control_wait_gone (f->server, map);

  /* A login with the same key brings it back, with a stream of its own. */
  login (f, "secret", FALSE);
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, OK);
  map = fake_control_next (f->server, MAP);
  wait_login (f);
  g_assert_no_error (f->login_error);
  g_assert_cmpuint (f->keys, ==, 0);
}

static void
test_sleep (Fixture *f, gconstpointer data)
{
  FakeRequest *map = get_mapped (f);

  fake_request_frame (map, "{\"Debug\":{\"SleepSeconds\":1}}");
  fake_control_wait_gone (f->server, map);
  fake_control_expect_quiet (f->server, 25);
  g_assert_true (hn_control_client_is_reachable (f->client));
}

static void
test_stop_in_callback (Fixture *f, gconstpointer data)
{
  FakeRequest *map;

  f->stop_in_netmap = TRUE;
  hn_control_client_start (f->client);
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, OK);
  map = fake_control_next (f->server, MAP);
  fake_request_open (map);
  fake_request_frame (map, FIRST);
  fake_request_frame (map, "{\"PeersChanged\":[" NODE (2, "") "]}");
  wait_phase (f, HN_CONTROL_IDLE);
  fake_control_expect_quiet (f->server, 25);
  g_assert_cmpuint (f->netmaps, ==, 1);
}

/* ---- logins ---- */

static void
test_login_key (Fixture *f, gconstpointer data)
{
  FakeRequest *reg;

  login (f, "secret", FALSE);
  reg = fake_control_next (f->server, REGISTER);
  g_assert_true (has (reg, "\"AuthKey\":\"secret\""));
  fake_request_reply (reg, 200, OK);
  wait_login (f);
  g_assert_no_error (f->login_error);
  g_assert_cmpuint (f->keys, ==, 1);
  g_assert_false (hn_node_private_is_zero (&f->key));
  /* Nobody asked for the map yet. */
  fake_control_expect_quiet (f->server, 25);
  hn_control_client_start (f->client);
  reg = fake_control_next (f->server, REGISTER);
  g_assert_false (has (reg, "secret"));
}

static void
test_login_key_refused (Fixture *f, gconstpointer data)
{
  login (f, "secret", FALSE);
  if (VARIANT != 0)
    fake_request_reply (fake_control_next (f->server, REGISTER), 401,
                        "{\"MachineAuthorized\":false}");
  else
    fake_request_reply (fake_control_next (f->server, REGISTER), 200,
                        "{\"Error\":\"authkey expired\"}");
  wait_login (f);
  g_assert_error (f->login_error, HN_ERROR, HN_ERROR_AUTH_KEY_REFUSED);
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_NEEDS_LOGIN);
  assert_error (f, HN_ERROR_AUTH_KEY_REFUSED);
  g_assert_cmpuint (f->keys, ==, 0);
  fake_control_expect_quiet (f->server, 25);
}

static void
assert_url (Fixture *f, const char *url)
{
  g_autoptr (HnSecretText) secret = hn_control_client_dup_login_url (f->client);

  g_assert_cmpstr (secret != NULL ? hn_secret_text_reveal (secret) : NULL, ==, url);
}

static void
test_interactive (Fixture *f, gconstpointer data)
{
  FakeRequest *reg;
  g_autofree char *key = NULL;

  hn_control_client_start (f->client);
  login (f, NULL, FALSE);
  reg = fake_control_next (f->server, REGISTER);
  g_assert_false (has (reg, "Followup"));
  key = member (reg, "NodeKey");
  fake_request_reply (reg, 200, AUTH_URL (URL_A));
  wait_login (f);
  g_assert_no_error (f->login_error);
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_NEEDS_LOGIN);
  assert_url (f, URL_A);

  /* Headscale 0.23: the same URL again; 0.27: another one; 0.25: forgotten. The key stays. */
  for (guint i = 0; i < 5; i++)
    {
      static const char *const answers[]
          = { AUTH_URL (URL_A), AUTH_URL (URL_B), "{\"Error\":\"followup registration not found\"}",
              AUTH_URL (URL_A), OK };
      static const char *const urls[] = { URL_A, URL_A, URL_B, NULL, URL_A };
      g_autofree char *again = NULL;
      g_autofree char *followup = NULL;

      reg = fake_control_next (f->server, REGISTER);
      again = member (reg, "NodeKey");
      g_assert_cmpstr (again, ==, key);
      followup = member (reg, "Followup");
      g_assert_cmpstr (followup, ==, urls[i]);
      fake_control_expect_quiet (f->server, 15);
      g_assert_cmpuint (f->keys, ==, 0);
      fake_request_reply (reg, 200, answers[i]);
    }

  fake_control_next (f->server, MAP);
  g_assert_cmpuint (f->keys, ==, 1);
  g_assert_false (hn_control_client_get_has_login_url (f->client));
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_CONNECTING);
}

static void
test_followup_survives_loss (Fixture *f, gconstpointer data)
{
  FakeRequest *reg;

  login (f, NULL, FALSE);
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, AUTH_URL (URL_A));
  wait_login (f);
  fake_control_next (f->server, REGISTER);
  fake_control_drop (f->server);
  reg = fake_control_next (f->server, REGISTER);
  g_assert_true (has (reg, "Followup"));

  f->in_call = TRUE;
  hn_control_client_network_changed (f->client, FALSE, FALSE);
  f->in_call = FALSE;
  fake_control_expect_quiet (f->server, 30);
  assert_url (f, URL_A);
  hn_control_client_network_changed (f->client, TRUE, FALSE);
  reg = fake_control_next (f->server, REGISTER);
  g_assert_true (has (reg, "Followup"));
  fake_request_reply (reg, 200, OK);
  while (f->keys == 0)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_login_expired_key (Fixture *f, gconstpointer data)
{
  FakeRequest *reg;
  g_autofree char *key = NULL;
  g_autofree char *old = NULL;
  g_autofree char *new_key = NULL;
  g_autofree char *none = NULL;

  login (f, "secret", FALSE);
  reg = fake_control_next (f->server, REGISTER);
  key = member (reg, "NodeKey");
  none = member (reg, "OldNodeKey");
  g_assert_null (none);
  fake_request_reply (reg, 200, "{\"NodeKeyExpired\":true,\"MachineAuthorized\":true}");
  reg = fake_control_next (f->server, REGISTER);
  new_key = member (reg, "NodeKey");
  old = member (reg, "OldNodeKey");
  g_assert_cmpstr (old, ==, key);
  g_assert_cmpstr (new_key, !=, key);
  g_assert_true (has (reg, "\"AuthKey\":\"secret\""));
  if (VARIANT != 0)
    {
      fake_request_reply (reg, 200, OK);
      wait_login (f);
      g_assert_no_error (f->login_error);
      g_assert_cmpuint (f->keys, ==, 1);
      return;
    }
  fake_request_reply (reg, 200, "{\"NodeKeyExpired\":true}");
  wait_login (f);
  g_assert_error (f->login_error, HN_ERROR, HN_ERROR_NODE_KEY_EXPIRED);
  g_assert_cmpuint (f->keys, ==, 0);
}

static void
test_login_replaced (Fixture *f, gconstpointer data)
{
  FakeRequest *first, *second;

  login (f, "first", FALSE);
  first = fake_control_next (f->server, REGISTER);
  login (f, "second", FALSE);
  second = fake_control_next (f->server, REGISTER);
  g_assert_true (has (second, "second"));
  wait_login (f);
  g_assert_error (f->login_error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  fake_control_wait_gone (f->server, first);
  f->login_done = FALSE;
  fake_request_reply (second, 200, OK);
  wait_login (f);
  g_assert_no_error (f->login_error);
}

static void
test_login_cancelled (Fixture *f, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  FakeRequest *reg;

  hn_control_client_login_async (f->client, NULL, FALSE, cancellable, on_login, f);
  reg = fake_control_next (f->server, REGISTER);
  g_cancellable_cancel (cancellable);
  wait_login (f);
  g_assert_error (f->login_error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  fake_control_expect_quiet (f->server, 25);
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_IDLE);
  fake_control_wait_gone (f->server, reg);
}

static void
test_logout (Fixture *f, gconstpointer data)
{
  FakeRequest *map = get_mapped (f);
  FakeRequest *reg;

  f->login_done = FALSE;
  hn_control_client_logout_async (f->client, NULL, on_logout, f);
  reg = fake_control_next (f->server, REGISTER);
  g_assert_true (has (reg, "\"Expiry\":\"1970-01-01T00:02:03Z\""));
  /* A map that says "expired" now would be no news. */
  fake_control_wait_gone (f->server, map);
  fake_request_reply (reg, VARIANT != 0 ? 500 : 200, "{\"NodeKeyExpired\":true}");
  wait_login (f);
  if (VARIANT != 0)
    g_assert_error (f->login_error, HN_ERROR, HN_ERROR_SERVER_REFUSED);
  else
    g_assert_no_error (f->login_error);
  g_assert_cmpuint (f->keys, ==, 1);
  g_assert_true (hn_node_private_is_zero (&f->key));
  g_assert_null (hn_control_client_get_netmap (f->client));
  fake_control_expect_quiet (f->server, 25);
  wait_phase (f, HN_CONTROL_NEEDS_LOGIN);
}

static void
test_logout_unreachable (Fixture *f, gconstpointer data)
{
  if (VARIANT != 0)
    hn_control_client_network_changed (f->client, FALSE, FALSE);
  else
    fake_control_refuse_version (f->server, TRUE);
  f->login_done = FALSE;
  hn_control_client_logout_async (f->client, NULL, on_logout, f);
  wait_login (f);
  g_assert_true (hn_error_is_unreachable (f->login_error));
  g_assert_cmpuint (f->keys, ==, 1);
  g_assert_true (hn_node_private_is_zero (&f->key));
}

/* ---- the server's key ---- */

static void
test_version_refused (Fixture *f, gconstpointer data)
{
  fake_control_refuse_version (f->server, TRUE);
  login (f, "secret", FALSE);
  wait_login (f);
  g_assert_error (f->login_error, HN_ERROR, HN_ERROR_VERSION_REFUSED);
  /* It looked for a new key first. */
  g_assert_cmpuint (fake_control_get_n_keys (f->server), ==, 2);
}

static void
test_server_key_changed (Fixture *f, gconstpointer data)
{
  get_mapped (f);
  fake_control_new_key (f->server);
  fake_control_drop (f->server);
  while (!g_error_matches (hn_control_client_get_error (f->client), HN_ERROR, HN_ERROR_SERVER_KEY))
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_MAPPED);
  g_assert_cmpuint (f->changed_keys, ==, 0);

  login (f, NULL, FALSE);
  wait_login (f);
  g_assert_error (f->login_error, HN_ERROR, HN_ERROR_SERVER_KEY);
  login (f, NULL, TRUE);
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, OK);
  wait_login (f);
  g_assert_no_error (f->login_error);
  g_assert_cmpuint (f->changed_keys, ==, 1);
  fake_control_next (f->server, MAP);
}

static void
test_known_key (Fixture *f, gconstpointer data)
{
  get_mapped (f);
  hn_control_client_stop (f->client);
  g_clear_object (&f->client);
  make_client (f);
  get_mapped (f);
  g_assert_cmpuint (fake_control_get_n_keys (f->server), ==, 2);
  g_assert_cmpuint (fake_control_get_n_handshakes (f->server), ==, 2);
  g_assert_cmpuint (f->changed_keys, ==, 0);
}

/* ---- beside the stream ---- */

static void
test_lite (Fixture *f, gconstpointer data)
{
  FakeRequest *lite;

  get_mapped (f);
  hn_control_client_set_hostinfo (f->client, f->hostinfo);
  fake_control_expect_quiet (f->server, 20);

  f->hostinfo->preferred_derp = 1;
  hn_control_client_set_hostinfo (f->client, f->hostinfo);
  lite = fake_control_next (f->server, MAP);
  g_assert_true (has (lite, "\"PreferredDERP\":1"));
  /* One in flight; the newest wins. */
  f->hostinfo->preferred_derp = 2;
  hn_control_client_set_hostinfo (f->client, f->hostinfo);
  f->hostinfo->preferred_derp = 3;
  hn_control_client_set_hostinfo (f->client, f->hostinfo);
  fake_control_expect_quiet (f->server, 20);
  fake_request_reply (lite, 200, "");
  lite = fake_control_next (f->server, MAP);
  g_assert_true (has (lite, "\"PreferredDERP\":3"));
  /* One that failed is said again. */
  fake_request_reply (lite, 503, "later");
  lite = fake_control_next (f->server, MAP);
  g_assert_true (has (lite, "\"PreferredDERP\":3"));
  fake_request_reply (lite, 404, "node not found");
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, AUTH_URL (URL_A));
  wait_phase (f, HN_CONTROL_NEEDS_LOGIN);
  assert_error (f, HN_ERROR_NODE_UNKNOWN);
}

static void
test_check (Fixture *f, gconstpointer data)
{
  FakeRequest *map = get_mapped (f);

  hn_control_client_check_registration (f->client);
  fake_request_reply (fake_control_next (f->server, REGISTER), 200, OK);
  hn_control_client_check_registration (f->client);
  fake_control_expect_quiet (f->server, 25);
  g_assert_false (fake_request_is_gone (map));
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_MAPPED);
}

static void
test_network (Fixture *f, gconstpointer data)
{
  FakeRequest *map;

  get_mapped (f);
  hn_control_client_network_changed (f->client, FALSE, FALSE);
  g_assert_cmpint (hn_control_client_get_phase (f->client), ==, HN_CONTROL_IDLE);
  fake_control_expect_quiet (f->server, 30);
  login (f, "secret", FALSE);
  wait_login (f);
  g_assert_error (f->login_error, HN_ERROR, HN_ERROR_UNREACHABLE);
  hn_control_client_network_changed (f->client, TRUE, FALSE);
  map = fake_control_next (f->server, MAP);
  fake_request_open (map);
  fake_request_frame (map, FIRST);
  wait_phase (f, HN_CONTROL_MAPPED);
  hn_control_client_network_changed (f->client, TRUE, FALSE);
  fake_control_expect_quiet (f->server, 20);
  hn_control_client_network_changed (f->client, TRUE, TRUE);
  fake_control_next (f->server, MAP);
  g_assert_cmpuint (fake_control_get_n_handshakes (f->server), ==, 3);
}

static void
test_ping (Fixture *f, gconstpointer data)
{
  FakeRequest *map = get_mapped (f);
  FakeRequest *answer;
  g_autofree char *head
      = g_strdup_printf ("{\"KeepAlive\":true,\"PingRequest\":{\"URL\":\"%s/machine/ping?id=1\"}}",
                         fake_control_get_url (f->server));
  g_autofree char *c2n = g_strdup_printf (
      "{\"PingRequest\":{\"URL\":\"%s/c2n-answer\",\"URLIsNoise\":true,\"Types\":\"c2n\","
      "\"Payload\":\"R0VUIC9lY2hvIEhUVFAvMS4xDQoNCg==\"}}",
      fake_control_get_url (f->server));

  fake_request_frame (map, head);
  fake_request_frame (map, head);
  fake_request_frame (map, "{\"PingRequest\":{\"URL\":\"http://elsewhere.test/\"}}");
  fake_control_expect_quiet (f->server, 30);
  fake_request_frame (map, c2n);
  answer = fake_control_next (f->server, "/c2n-answer");
  g_assert_true (g_str_has_prefix (fake_request_get_body (answer), "HTTP/1.1 200 OK\r\n"));
  fake_request_reply (answer, 200, "");
  while (fake_control_get_n_heads (f->server) == 0)
    g_main_context_iteration (NULL, TRUE);
  fake_control_expect_quiet (f->server, 20);
  g_assert_cmpuint (fake_control_get_n_heads (f->server), ==, 1);
}

typedef struct
{
  const char *path;
  Case given;
  void (*test) (Fixture *f, gconstpointer data);
} Row;

static const Row rows[] = {
  { "/control-client/start", { TRUE }, test_start },
  { "/control-client/start/without-key", { FALSE }, test_start_without_key },
  { "/control-client/lost-and-back", { TRUE }, test_lost_and_back },
  { "/control-client/end-before-first", { TRUE }, test_end_before_first },
  { "/control-client/broken-frame", { TRUE }, test_broken_frame },
  { "/control-client/delta-first", { TRUE }, test_delta_first },
  { "/control-client/not-found/404", { TRUE, 404 }, test_map_not_found },
  { "/control-client/not-found/500", { TRUE, 500 }, test_map_not_found },
  { "/control-client/deleted/at-start", { TRUE, 0 }, test_deleted_or_expired },
  { "/control-client/expired/at-start", { TRUE, 1 }, test_deleted_or_expired },
  { "/control-client/expired/while-running", { TRUE }, test_expired_while_running },
  { "/control-client/sleep", { TRUE }, test_sleep },
  { "/control-client/stop-in-callback", { TRUE }, test_stop_in_callback },
  { "/control-client/login/key", { FALSE }, test_login_key },
  { "/control-client/login/key-refused/new", { FALSE, 0 }, test_login_key_refused },
  { "/control-client/login/key-refused/old", { FALSE, 1 }, test_login_key_refused },
  { "/control-client/login/interactive", { FALSE }, test_interactive },
  { "/control-client/login/loss", { FALSE }, test_followup_survives_loss },
  { "/control-client/login/expired-key/twice", { TRUE, 0 }, test_login_expired_key },
  { "/control-client/login/expired-key/renewed", { TRUE, 1 }, test_login_expired_key },
  { "/control-client/login/replaced", { FALSE }, test_login_replaced },
  { "/control-client/login/cancelled", { FALSE }, test_login_cancelled },
  { "/control-client/logout/done", { TRUE, 0 }, test_logout },
  { "/control-client/logout/refused", { TRUE, 1 }, test_logout },
  { "/control-client/logout/unreachable", { TRUE, 0 }, test_logout_unreachable },
  { "/control-client/logout/no-network", { TRUE, 1 }, test_logout_unreachable },
  { "/control-client/version-refused", { FALSE }, test_version_refused },
  { "/control-client/server-key/changed", { TRUE }, test_server_key_changed },
  { "/control-client/server-key/known", { TRUE }, test_known_key },
  { "/control-client/lite", { TRUE }, test_lite },
  { "/control-client/check", { TRUE }, test_check },
  { "/control-client/network", { TRUE }, test_network },
  { "/control-client/ping", { TRUE }, test_ping },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    g_test_add (rows[i].path, Fixture, &rows[i].given, setup, rows[i].test, teardown);
  return g_test_run ();
}
