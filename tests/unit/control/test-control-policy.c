/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control client does after which answer, one row a case. */
#include "control/hn-control-policy.h"

#include <string.h>

#include "base/hn-error.h"
#include "control/hn-control-client-private.h"
#include "crypto/hn-crypto.h"

#define URL_A "https://hs.test/register/aaaa"
#define URL_B "https://hs.test/register/bbbb"
#define NO_ERROR (-1)

typedef struct
{
  const char *what;
  HnRegisterKind kind;
  guint status; /* 0: the transport failed */
  const char *error;
  const char *url;
  gboolean key_expired;
  gboolean regenerated;
  gboolean known_expired;
  HnRegisterAction action;
  int code;
} Row;

static const Row rows[] = {
  { "stored key is good", HN_REGISTER_STORED, 200, .action = HN_REGISTER_DONE, .code = NO_ERROR },
  { "deleted", HN_REGISTER_STORED, 200, .url = URL_A, .action = HN_REGISTER_NEEDS_LOGIN,
    .code = HN_ERROR_NODE_UNKNOWN },
  { "expired, 0.23", HN_REGISTER_STORED, 200, .url = URL_A, .known_expired = TRUE,
    .action = HN_REGISTER_NEEDS_LOGIN, .code = HN_ERROR_NODE_KEY_EXPIRED },
  { "expired, 0.25 and later", HN_REGISTER_STORED, 200, .key_expired = TRUE,
    .action = HN_REGISTER_NEEDS_LOGIN, .code = HN_ERROR_NODE_KEY_EXPIRED },
  { "key of another machine", HN_REGISTER_STORED, 200, .error = "node exists",
    .action = HN_REGISTER_NEEDS_LOGIN, .code = HN_ERROR_SERVER_REFUSED },
  { "server in trouble", HN_REGISTER_STORED, 503, .action = HN_REGISTER_RETRY,
    .code = HN_ERROR_SERVER_REFUSED },
  { "server misconfigured", HN_REGISTER_STORED, 403, .action = HN_REGISTER_RETRY,
    .code = HN_ERROR_SERVER_REFUSED },
  { "no connection", HN_REGISTER_STORED, 0, .action = HN_REGISTER_RETRY,
    .code = HN_ERROR_CONNECTION_LOST },
  { "rate limit", HN_REGISTER_STORED, 429, .action = HN_REGISTER_RETRY,
    .code = HN_ERROR_RATE_LIMITED },

  { "auth key is good", HN_REGISTER_AUTH_KEY, 200, .action = HN_REGISTER_DONE, .code = NO_ERROR },
  { "bad auth key, 0.23", HN_REGISTER_AUTH_KEY, 401, .action = HN_REGISTER_REFUSED,
    .code = HN_ERROR_AUTH_KEY_REFUSED },
  { "bad auth key, 0.25 and later", HN_REGISTER_AUTH_KEY, 200, .error = "authkey already used",
    .action = HN_REGISTER_REFUSED, .code = HN_ERROR_AUTH_KEY_REFUSED },
  { "Error comes before the rest", HN_REGISTER_AUTH_KEY, 200, .error = "no", .url = URL_A,
    .key_expired = TRUE, .action = HN_REGISTER_REFUSED, .code = HN_ERROR_AUTH_KEY_REFUSED },
  { "auth key with an expired node key, 0.25", HN_REGISTER_AUTH_KEY, 200, .key_expired = TRUE,
    .action = HN_REGISTER_NEW_KEY, .code = NO_ERROR },
  { "NodeKeyExpired comes before AuthURL", HN_REGISTER_AUTH_KEY, 200, .key_expired = TRUE,
    .url = URL_A, .action = HN_REGISTER_NEW_KEY, .code = NO_ERROR },
  { "a new key can not be expired", HN_REGISTER_AUTH_KEY, 200, .key_expired = TRUE,
    .regenerated = TRUE, .action = HN_REGISTER_REFUSED, .code = HN_ERROR_NODE_KEY_EXPIRED },
  { "auth key ignored", HN_REGISTER_AUTH_KEY, 200, .url = URL_A, .action = HN_REGISTER_URL,
    .code = NO_ERROR },
  { "version too low", HN_REGISTER_AUTH_KEY, 400, .action = HN_REGISTER_REFUSED,
    .code = HN_ERROR_SERVER_REFUSED },
  { "rate limit on a login", HN_REGISTER_AUTH_KEY, 429, .action = HN_REGISTER_RETRY,
    .code = HN_ERROR_RATE_LIMITED },

  { "interactive", HN_REGISTER_INTERACTIVE, 200, .url = URL_A, .action = HN_REGISTER_URL,
    .code = NO_ERROR },
  { "already enrolled", HN_REGISTER_INTERACTIVE, 200, .action = HN_REGISTER_DONE,
    .code = NO_ERROR },
  { "401 without an auth key", HN_REGISTER_INTERACTIVE, 401, .action = HN_REGISTER_REFUSED,
    .code = HN_ERROR_SERVER_REFUSED },
  { "refused", HN_REGISTER_INTERACTIVE, 200, .error = "closed", .action = HN_REGISTER_REFUSED,
    .code = HN_ERROR_SERVER_REFUSED },
  { "expired before interactive", HN_REGISTER_INTERACTIVE, 200, .key_expired = TRUE,
    .action = HN_REGISTER_NEW_KEY, .code = NO_ERROR },

  { "approved", HN_REGISTER_FOLLOWUP, 200, .action = HN_REGISTER_DONE, .code = NO_ERROR },
  { "still waiting, 0.23", HN_REGISTER_FOLLOWUP, 200, .url = URL_A, .action = HN_REGISTER_URL_AGAIN,
    .code = NO_ERROR },
  { "timed out, 0.27 and later", HN_REGISTER_FOLLOWUP, 200, .url = URL_B, .action = HN_REGISTER_URL,
    .code = NO_ERROR },
  { "timed out, 0.25", HN_REGISTER_FOLLOWUP, 200, .error = "followup registration not found",
    .action = HN_REGISTER_START_OVER, .code = HN_ERROR_SERVER_REFUSED },
  { "connection lost while waiting", HN_REGISTER_FOLLOWUP, 0, .action = HN_REGISTER_RETRY,
    .code = HN_ERROR_CONNECTION_LOST },
  { "server restarts while waiting", HN_REGISTER_FOLLOWUP, 502, .action = HN_REGISTER_RETRY,
    .code = HN_ERROR_SERVER_REFUSED },

  { "logged out, 0.23", HN_REGISTER_LOGOUT, 200, .key_expired = TRUE, .action = HN_REGISTER_DONE,
    .code = NO_ERROR },
  { "logged out", HN_REGISTER_LOGOUT, 200, .action = HN_REGISTER_DONE, .code = NO_ERROR },
  { "logout of a node that is gone", HN_REGISTER_LOGOUT, 200, .url = URL_A,
    .action = HN_REGISTER_DONE, .code = NO_ERROR },
  { "logout refused", HN_REGISTER_LOGOUT, 200, .error = "no", .action = HN_REGISTER_REFUSED,
    .code = HN_ERROR_SERVER_REFUSED },
};

static void
test_register (void)
{
  g_autoptr (GError) lost = g_error_new_literal (HN_ERROR, HN_ERROR_CONNECTION_LOST, "lost");

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const Row *row = &rows[i];
      g_autoptr (HnRegisterResponse) response = g_new0 (HnRegisterResponse, 1);
      g_autoptr (GError) error = NULL;
      HnRegisterFacts facts = {
        .kind = row->kind,
        .transport = row->status == 0 ? lost : NULL,
        .status = row->status,
        .response = row->status == 200 ? response : NULL,
        .text = "some text",
        .followup = row->kind == HN_REGISTER_FOLLOWUP ? URL_A : NULL,
        .regenerated = row->regenerated,
        .known_expired = row->known_expired,
      };
      HnRegisterVerdict verdict;

      response->login_name = g_strdup ("");
      response->display_name = g_strdup ("");
      response->node_key_expired = row->key_expired;
      response->auth_url = row->url != NULL ? hn_secret_text_new (row->url) : NULL;
      response->error = g_strdup (row->error);
      hn_control_policy_register (&facts, &verdict);
      error = verdict.error;
      if (verdict.action != row->action)
        g_error ("%s: action %d, not %d", row->what, verdict.action, row->action);
      if ((error != NULL ? error->code : NO_ERROR) != row->code)
        g_error ("%s: error code %d, not %d", row->what, error != NULL ? error->code : NO_ERROR,
                 row->code);
      if (row->error != NULL && error != NULL)
        g_assert_nonnull (strstr (error->message, row->error));
    }
}

static void
test_undecodable (void)
{
  g_autoptr (GError) bad = g_error_new_literal (HN_ERROR, HN_ERROR_PROTOCOL, "not JSON");
  HnRegisterFacts facts = { .kind = HN_REGISTER_STORED, .status = 200, .transport = bad };
  HnRegisterVerdict verdict;

  hn_control_policy_register (&facts, &verdict);
  g_assert_cmpint (verdict.action, ==, HN_REGISTER_RETRY);
  g_assert_error (verdict.error, HN_ERROR, HN_ERROR_PROTOCOL);
  g_error_free (verdict.error);
}

static void
test_retry_after (void)
{
  static const struct
  {
    guint asked;
    double random;
    guint expected;
  } cases[]
      = { { 7, 0.5, 7 }, { 3600, 0.5, 3600 }, { 0, 0.0, 5 }, { 0, 0.99, 9 }, { 3601, 0.5, 7 } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      HnRegisterFacts facts = { .kind = HN_REGISTER_STORED,
                                .status = 429,
                                .retry_after_s = cases[i].asked,
                                .random = cases[i].random };
      HnRegisterVerdict verdict;

      hn_control_policy_register (&facts, &verdict);
      g_assert_cmpuint (verdict.wait_s, ==, cases[i].expected);
      g_error_free (verdict.error);
    }
}

static void
test_map (void)
{
  static const struct
  {
    guint status;
    HnMapAction action;
    int code;
  } cases[] = {
    { 404, HN_MAP_CHECK, HN_ERROR_NODE_UNKNOWN },   { 500, HN_MAP_CHECK, HN_ERROR_SERVER_REFUSED },
    { 400, HN_MAP_RETRY, HN_ERROR_SERVER_REFUSED }, { 429, HN_MAP_RETRY, HN_ERROR_RATE_LIMITED },
    { 502, HN_MAP_RETRY, HN_ERROR_SERVER_REFUSED }, { 302, HN_MAP_RETRY, HN_ERROR_SERVER_REFUSED },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (hn_control_policy_map (cases[i].status, "node not found", &error), ==,
                       cases[i].action);
      g_assert_error (error, HN_ERROR, cases[i].code);
      g_assert_nonnull (strstr (error->message, "node not found"));
    }
}

static void
test_server_key (void)
{
  HnMachinePublic zero = { { 0 } }, a = { { 1 } }, b = { { 2 } };

  g_assert_cmpint (hn_control_policy_server_key (&zero, &a, FALSE, FALSE), ==, HN_SERVER_KEY_NEW);
  g_assert_cmpint (hn_control_policy_server_key (&a, &a, FALSE, FALSE), ==, HN_SERVER_KEY_SAME);
  g_assert_cmpint (hn_control_policy_server_key (&a, &b, TRUE, FALSE), ==, HN_SERVER_KEY_CHANGED);
  g_assert_cmpint (hn_control_policy_server_key (&a, &b, FALSE, FALSE), ==, HN_SERVER_KEY_REFUSED);
  g_assert_cmpint (hn_control_policy_server_key (&a, &b, FALSE, TRUE), ==, HN_SERVER_KEY_CHANGED);
}

static void
test_phase (void)
{
  static const struct
  {
    const char *what;
    HnPhaseFacts facts;
    HnControlPhase phase;
  } cases[] = {
    { "fresh", { .network = TRUE }, HN_CONTROL_IDLE },
    { "started without a key", { .started = TRUE, .network = TRUE }, HN_CONTROL_NEEDS_LOGIN },
    { "started, logging in",
      { .started = TRUE, .network = TRUE, .login_running = TRUE },
      HN_CONTROL_CONNECTING },
    { "started with a key",
      { .started = TRUE, .network = TRUE, .has_key = TRUE },
      HN_CONTROL_CONNECTING },
    { "mapped",
      { .started = TRUE, .network = TRUE, .has_key = TRUE, .mapped = TRUE },
      HN_CONTROL_MAPPED },
    { "deleted",
      { .started = TRUE, .network = TRUE, .has_key = TRUE, .mapped = TRUE, .needs_login = TRUE },
      HN_CONTROL_NEEDS_LOGIN },
    { "URL pending, not started",
      { .network = TRUE, .url_pending = TRUE },
      HN_CONTROL_NEEDS_LOGIN },
    { "URL pending, the old key still works",
      { .started = TRUE, .network = TRUE, .has_key = TRUE, .mapped = TRUE, .url_pending = TRUE },
      HN_CONTROL_MAPPED },
    { "no network", { .started = TRUE, .has_key = TRUE, .mapped = TRUE }, HN_CONTROL_IDLE },
    { "no network, no key", { .started = TRUE }, HN_CONTROL_IDLE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    if (hn_control_policy_phase (&cases[i].facts) != cases[i].phase)
      g_error ("%s: phase %d", cases[i].what, hn_control_policy_phase (&cases[i].facts));
}

static void
check_path (const char *server_url, const char *url, const char *expected)
{
  g_autoptr (HnServerAddress) server = hn_server_address_new (server_url, NULL);
  g_autofree char *path = hn_control_ping_path (server, url);

  g_assert_cmpstr (path, ==, expected);
}

static void
test_ping_path (void)
{
  check_path ("https://hs.test", "https://hs.test/machine/ping-response?id=1%2F",
              "/machine/ping-response?id=1%2F");
  check_path ("https://hs.test", "https://HS.test:443/x", "/x");
  check_path ("https://hs.test", "https://hs.test", "/");
  check_path ("http://hs.test:8080", "http://hs.test:8080/a", "/a");
  check_path ("http://hs.test:8080", "http://hs.test/a", NULL);
  check_path ("https://hs.test", "http://hs.test/a", NULL);
  check_path ("https://hs.test", "https://other.test/a", NULL);
  check_path ("https://hs.test", "https://hs.test.evil/a", NULL);
  check_path ("https://hs.test", "ftp://hs.test/a", NULL);
  check_path ("https://hs.test", "https://hs.test/a b", NULL);
  check_path ("https://hs.test", "https://hs.test/a\r\nX: y", NULL);
  check_path ("https://hs.test", "/a", NULL);
  check_path ("https://hs.test", "", NULL);
}

static void
check_c2n (const char *request, const char *status, const char *body)
{
  g_autoptr (GBytes) answer = hn_control_ping_answer ((const guint8 *) request, strlen (request));
  gsize len;
  const char *bytes = g_bytes_get_data (answer, &len);
  g_autofree char *text = g_strndup (bytes, len);

  g_assert_true (g_str_has_prefix (text, status));
  g_assert_true (g_str_has_suffix (text, body));
  g_assert_nonnull (strstr (text, "\r\n\r\n"));
}

static void
test_c2n (void)
{
  check_c2n ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
             "HTTP/1.1 200 OK\r\n", "\r\n\r\nhello");
  check_c2n ("GET /echo?a=b HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\n");
  check_c2n ("DELETE /echo HTTP/1.1\r\n\r\n", "HTTP/1.1 405 ", "\n");
  check_c2n ("GET /debug/prefs HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "unknown c2n path\n");
  check_c2n ("GET /echo HTTP/1.1\r\n", "HTTP/1.1 400 ", "\n");
  check_c2n ("\r\n\r\n", "HTTP/1.1 400 ", "\n");
  check_c2n ("", "HTTP/1.1 400 ", "\n");
  check_c2n ("garbage", "HTTP/1.1 400 ", "\n");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  g_test_add_func ("/control-policy/register", test_register);
  g_test_add_func ("/control-policy/register/undecodable", test_undecodable);
  g_test_add_func ("/control-policy/register/retry-after", test_retry_after);
  g_test_add_func ("/control-policy/map", test_map);
  g_test_add_func ("/control-policy/server-key", test_server_key);
  g_test_add_func ("/control-policy/phase", test_phase);
  g_test_add_func ("/control-policy/ping-path", test_ping_path);
  g_test_add_func ("/control-policy/c2n", test_c2n);
  return g_test_run ();
}
