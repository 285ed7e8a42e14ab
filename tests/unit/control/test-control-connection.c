/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fetching the key and connecting, against a small server that can misbehave in many ways. */
#include <gio/gio.h>
#include <string.h>

#include "base/hn-error.h"
#include "control/hn-control-connection.h"
#include "control/hn-noise-record.h"
#include "h2-server.h"
#include "noise-responder.h"

typedef enum
{
  GOOD,
  ONE_SEGMENT,  /* 101, message 2 and early payload at once */
  BYTEWISE,     /* all of that one byte at a time */
  NO_EARLY,     /* HTTP/2 straight away */
  EARLY_SPLIT,  /* a record a byte, empty ones between */
  BIG_RECORDS,  /* full records of 4096 bytes */
  ERROR_FRAME,  /* type 3 in place of message 2 */
  SILENT_CLOSE, /* 101, then nothing */
  CUT_RESPONSE, /* half of message 2 */
  BAD_TAG,      /* message 2 that does not verify */
  WRONG_TYPE,   /* a record in place of message 2 */
  OVERSIZE,     /* a record that says it is too long, after the handshake */
  TAMPERED,     /* a record that does not verify */
  CUT_RECORD,   /* the end in the middle of a record */
  HUGE_EARLY,   /* an early payload that says it is huge */
  NOT_101,
  STALL,   /* accepts and never answers */
  GARBAGE, /* no HTTP at all */
} Mode;

typedef struct
{
  GSocketService *service;
  guint16 port;
  Mode mode;
  const char *key_answer; /* in place of the right one */
  guint8 private_key[32];
  HnMachinePublic key;
} Server;

typedef struct
{
  GIOStream *stream;
  HnNoiseSealer sealer;
  GByteArray *out;
} Peer;

static gboolean
read_exactly (GIOStream *stream, void *out, gsize len)
{
  gsize n = 0;

  return g_input_stream_read_all (g_io_stream_get_input_stream (stream), out, len, &n, NULL, NULL)
         && n == len;
}

/* Sends what was gathered, whole or byte by byte. */
static void
flush (Peer *peer, gboolean bytewise)
{
  GOutputStream *output = g_io_stream_get_output_stream (peer->stream);
  gsize piece = bytewise ? 1 : MAX (peer->out->len, 1);

  for (gsize at = 0; at < peer->out->len; at += piece)
    {
      if (!g_output_stream_write_all (output, peer->out->data + at,
                                      MIN (piece, peer->out->len - at), NULL, NULL, NULL))
        break;
      if (bytewise)
        g_usleep (50);
    }
  g_byte_array_set_size (peer->out, 0);
}

static void
add_empty_record (Peer *peer)
{
  guint8 record[19] = { 4, 0, 16 };

  hn_aead_seal (peer->sealer.key, peer->sealer.counter++, TRUE, NULL, 0, "", 0, record + 3);
  g_byte_array_append (peer->out, record, sizeof record);
}

static void
add_early (Peer *peer, Mode mode)
{
  static const char json[] = "{\"nodeKeyChallenge\":\"chalpub:"
                             "0000000000000000000000000000000000000000000000000000000000000000\"}";
  g_autoptr (GByteArray) early = g_byte_array_new ();
  guint8 head[9] = { 0xff, 0xff, 0xff, 'T', 'S', 0, 0, 0, sizeof json - 1 };

  if (mode == HUGE_EARLY)
    head[5] = 0x10;
  g_byte_array_append (early, head, sizeof head);
  g_byte_array_append (early, (const guint8 *) json, sizeof json - 1);
  if (mode != EARLY_SPLIT)
    {
      hn_noise_sealer_seal (&peer->sealer, early->data, early->len, peer->out);
      return;
    }
  for (guint i = 0; i < early->len; i++)
    {
      hn_noise_sealer_seal (&peer->sealer, early->data + i, 1, peer->out);
      add_empty_record (peer);
    }
}

/* HTTP/2 inside records until the client goes. */
static void
serve_http2 (Peer *peer, HnNoiseOpener *opener, Mode mode)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  g_autoptr (GByteArray) answer = g_byte_array_new ();
  H2Server *http2 = h2_server_new (65535);
  guint8 buffer[4096];
  gssize n;

  while ((n = g_input_stream_read (g_io_stream_get_input_stream (peer->stream), buffer,
                                   sizeof buffer, NULL, NULL))
         > 0)
    {
      g_byte_array_set_size (plain, 0);
      g_byte_array_set_size (answer, 0);
      g_assert_true (hn_noise_opener_feed (opener, buffer, (gsize) n, plain, NULL));
      if (!h2_server_feed (http2, plain->data, plain->len, answer))
        break;
      hn_noise_sealer_seal (&peer->sealer, answer->data, answer->len, peer->out);
      flush (peer, mode == BYTEWISE && peer->out->len < 500);
    }
  h2_server_free (http2);
}

static void
serve_noise (Server *server, Peer *peer, const guint8 *initiation)
{
  guint8 response[HN_NOISE_RESPONSE_SIZE];
  HnNoiseOpener opener;
  HnNoiseKeys keys;
  Mode mode = server->mode;

  if (mode == SILENT_CLOSE
      || !noise_respond (initiation, server->private_key, NULL, response, &keys))
    return;
  hn_noise_sealer_init (&peer->sealer, keys.send);
  hn_noise_opener_init (&opener, keys.receive);
  if (mode == ERROR_FRAME)
    g_byte_array_append (peer->out, (const guint8 *) "\003\000\007go\aaway", 10);
  else if (mode == WRONG_TYPE)
    g_byte_array_append (peer->out, (const guint8 *) "\004\000\060", 3);
  else if (mode == CUT_RESPONSE)
    g_byte_array_append (peer->out, response, 20);
  else
    {
      if (mode == BAD_TAG)
        response[50] ^= 1;
      g_byte_array_append (peer->out, response, sizeof response);
      if (mode != NO_EARLY && mode != BAD_TAG)
        add_early (peer, mode);
    }
  if (mode == OVERSIZE)
    g_byte_array_append (peer->out, (const guint8 *) "\004\x10\x00", 3);
  if (mode == TAMPERED)
    peer->out->data[peer->out->len - 1] ^= 1;
  if (mode == CUT_RECORD)
    g_byte_array_append (peer->out, (const guint8 *) "\004\x00\x40zzz", 6);
  flush (peer, mode == BYTEWISE);
  if (mode == CUT_RESPONSE || mode == CUT_RECORD)
    return;
  serve_http2 (peer, &opener, mode);
}

static void
serve_upgrade (Server *server, Peer *peer, const char *request)
{
  static const char switching[] = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                                  "Upgrade: tailscale-control-protocol\r\n\r\n";
  const char *header = strstr (request, "X-Tailscale-Handshake: ");
  const char *refusal = "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nOops";
  g_autofree guint8 *initiation = NULL;
  g_autofree char *text = NULL;
  gsize len;

  if (server->mode == NOT_101)
    {
      g_byte_array_append (peer->out, (const guint8 *) refusal, (guint) strlen (refusal));
      flush (peer, FALSE);
      return;
    }
  g_assert_nonnull (header);
  text = g_strndup (header + 23, strcspn (header + 23, "\r"));
  g_assert_cmpuint (strlen (text), ==, 136);
  initiation = g_base64_decode (text, &len);
  g_assert_cmpuint (len, ==, HN_NOISE_INITIATION_SIZE);
  g_byte_array_append (peer->out, (const guint8 *) switching, (guint) strlen (switching));
  if (server->mode != ONE_SEGMENT && server->mode != BYTEWISE)
    flush (peer, FALSE);
  serve_noise (server, peer, initiation);
}

static void
serve_key (Server *server, Peer *peer)
{
  char text[HN_KEY_TEXT_MAX];
  g_autofree char *body
      = g_strdup_printf ("{\"legacyPublicKey\":\"mkey:%064d\",\"publicKey\":\"%s\"}", 0,
                         hn_machine_public_format (&server->key, text));
  g_autofree char *answer = g_strdup_printf ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                             "Content-Length: %" G_GSIZE_FORMAT "\r\n\r\n%s",
                                             strlen (body), body);

  if (server->key_answer != NULL)
    {
      g_free (answer);
      answer = g_strdup (server->key_answer);
    }
  g_byte_array_append (peer->out, (const guint8 *) answer, (guint) strlen (answer));
  flush (peer, FALSE);
}

/* In a thread of its own, so it may block. */
static gboolean
on_run (GThreadedSocketService *service, GSocketConnection *connection, GObject *source,
        gpointer data)
{
  Server *server = data;
  Peer peer = { .stream = G_IO_STREAM (connection), .out = g_byte_array_new () };
  g_autoptr (GString) request = g_string_new (NULL);
  char c;

  if (server->mode == STALL)
    {
      while (read_exactly (peer.stream, &c, 1))
        ;
    }
  else if (server->mode == GARBAGE)
    {
      g_byte_array_append (peer.out, (const guint8 *) "SSH-2.0-x\r\n", 11);
      flush (&peer, FALSE);
      while (read_exactly (peer.stream, &c, 1))
        ;
    }
  else
    {
      while (!g_str_has_suffix (request->str, "\r\n\r\n") && read_exactly (peer.stream, &c, 1))
        g_string_append_c (request, c);
      if (g_str_has_prefix (request->str, "GET /prefix/key?v=130 HTTP/1.1\r\n"))
        serve_key (server, &peer);
      else if (g_str_has_prefix (request->str, "POST /prefix/ts2021 HTTP/1.1\r\n"))
        serve_upgrade (server, &peer, request->str);
    }
  g_byte_array_unref (peer.out);
  g_io_stream_close (peer.stream, NULL, NULL);
  return TRUE;
}

static void
server_init (Server *server, Mode mode)
{
  g_autoptr (GError) error = NULL;

  memset (server, 0, sizeof *server);
  server->mode = mode;
  hn_x25519_generate (server->private_key);
  hn_x25519_base (server->private_key, server->key.bytes);
  server->service = g_threaded_socket_service_new (4);
  server->port
      = g_socket_listener_add_any_inet_port (G_SOCKET_LISTENER (server->service), NULL, &error);
  g_assert_no_error (error);
  g_signal_connect (server->service, "run", G_CALLBACK (on_run), server);
}

static void
server_clear (Server *server)
{
  g_socket_service_stop (server->service);
  g_socket_listener_close (G_SOCKET_LISTENER (server->service));
  g_clear_object (&server->service);
}

typedef struct
{
  GString *steps;
  HnHttp2 *http2;
  HnMachinePublic key;
  gboolean ok;
  GError *error;
  GBytes *body;
  guint status;
  gboolean done;
} Outcome;

static void
outcome_clear (Outcome *outcome)
{
  if (outcome->http2 != NULL)
    hn_http2_close (outcome->http2, NULL);
  g_clear_object (&outcome->http2);
  g_clear_error (&outcome->error);
  g_clear_pointer (&outcome->body, g_bytes_unref);
  g_string_free (outcome->steps, TRUE);
  /* The closed sockets have to reach the server before its thread can end. */
  for (int i = 0; i < 20; i++)
    {
      while (g_main_context_iteration (NULL, FALSE))
        ;
      g_usleep (500);
    }
}

static void
wait (Outcome *outcome)
{
  while (!outcome->done)
    g_main_context_iteration (NULL, TRUE);
  outcome->done = FALSE;
}

static void
on_progress (HnControlStep step, gint64 elapsed_us, const GError *error, const char *detail,
             gpointer data)
{
  Outcome *outcome = data;

  g_assert_cmpint (elapsed_us, >=, 0);
  g_string_append_printf (outcome->steps, "%s%s ", error != NULL ? "!" : "",
                          hn_control_step_to_string (step));
}

static void
on_fetched (GObject *source, GAsyncResult *result, gpointer data)
{
  Outcome *outcome = data;

  outcome->ok = hn_control_fetch_key_finish (result, &outcome->key, &outcome->error);
  outcome->done = TRUE;
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer data)
{
  Outcome *outcome = data;

  outcome->http2 = hn_control_connect_finish (result, &outcome->error);
  outcome->done = TRUE;
}

static void
on_answer (GObject *source, GAsyncResult *result, gpointer data)
{
  Outcome *outcome = data;

  outcome->body
      = hn_http2_request_finish (outcome->http2, result, &outcome->status, NULL, &outcome->error);
  outcome->done = TRUE;
}

static HnServerAddress *
address_of (const Server *server)
{
  g_autofree char *url = g_strdup_printf ("http://127.0.0.1:%u/prefix/", server->port);
  g_autoptr (GError) error = NULL;
  HnServerAddress *address = hn_server_address_new (url, &error);

  g_assert_no_error (error);
  return address;
}

static void
connect_to (Server *server, GCancellable *cancellable, Outcome *outcome)
{
  g_autoptr (HnDialer) dialer = hn_dialer_new (NULL, 0, NULL);
  g_autoptr (HnServerAddress) address = address_of (server);
  HnMachinePrivate machine;

  memset (outcome, 0, sizeof *outcome);
  outcome->steps = g_string_new (NULL);
  hn_machine_private_generate (&machine);
  hn_control_connect_async (dialer, address, 130, &machine, &server->key, on_progress, outcome,
                            cancellable, on_connected, outcome);
}

/* Connected, and a request through it is answered. */
static void
test_connects (gconstpointer data)
{
  Outcome outcome;
  Server server;

  server_init (&server, (Mode) GPOINTER_TO_INT (data));
  connect_to (&server, NULL, &outcome);
  wait (&outcome);
  g_assert_no_error (outcome.error);
  g_assert_cmpstr (outcome.steps->str, ==, "name connect upgrade noise http2 ");
  if (server.mode == BIG_RECORDS)
    hn_http2_request_async (outcome.http2, "GET", "/big/100000", NULL, NULL, 1000000, 5, NULL,
                            on_answer, &outcome);
  else
    hn_http2_request_async (outcome.http2, "GET", "/hello", NULL, NULL, 100, 5, NULL, on_answer,
                            &outcome);
  wait (&outcome);
  g_assert_no_error (outcome.error);
  g_assert_cmpuint (outcome.status, ==, 200);
  g_assert_cmpuint (g_bytes_get_size (outcome.body), ==, server.mode == BIG_RECORDS ? 100000 : 5);
  outcome_clear (&outcome);
  server_clear (&server);
}

static void
expect_refused (Mode mode, int code, const char *part, const char *steps)
{
  Outcome outcome;
  Server server;

  server_init (&server, mode);
  connect_to (&server, NULL, &outcome);
  wait (&outcome);
  g_assert_error (outcome.error, HN_ERROR, code);
  g_assert_null (outcome.http2);
  if (part != NULL)
    g_assert_nonnull (strstr (outcome.error->message, part));
  g_assert_cmpstr (outcome.steps->str, ==, steps);
  outcome_clear (&outcome);
  server_clear (&server);
}

static void
test_refused (void)
{
  const char *noise = "name connect upgrade !noise ";

  expect_refused (ERROR_FRAME, HN_ERROR_SERVER_REFUSED, "go away", noise);
  expect_refused (SILENT_CLOSE, HN_ERROR_VERSION_REFUSED, "130", noise);
  expect_refused (CUT_RESPONSE, HN_ERROR_CONNECTION_LOST, NULL, noise);
  expect_refused (BAD_TAG, HN_ERROR_PROTOCOL, NULL, noise);
  expect_refused (WRONG_TYPE, HN_ERROR_PROTOCOL, NULL, noise);
  expect_refused (NOT_101, HN_ERROR_UPGRADE_REFUSED, "500: Oops", "name connect !upgrade ");
  expect_refused (GARBAGE, HN_ERROR_PROTOCOL, NULL, "name connect !upgrade ");
}

/* A wrong key of the server's looks as a refused version does. */
static void
test_stale_key (void)
{
  Outcome outcome;
  Server server;

  server_init (&server, GOOD);
  hn_x25519_generate (server.private_key);
  connect_to (&server, NULL, &outcome);
  wait (&outcome);
  g_assert_error (outcome.error, HN_ERROR, HN_ERROR_VERSION_REFUSED);
  g_assert_nonnull (strstr (outcome.error->message, "another server's"));
  outcome_clear (&outcome);
  server_clear (&server);
}

/* What is wrong behind the handshake ends the requests. */
static void
test_broken_later (gconstpointer data)
{
  Mode mode = (Mode) GPOINTER_TO_INT (data);
  int code;
  Outcome outcome;
  Server server;

  server_init (&server, mode);
  connect_to (&server, NULL, &outcome);
  wait (&outcome);
  g_assert_no_error (outcome.error);
  hn_http2_request_async (outcome.http2, "GET", "/never", NULL, NULL, 100, 5, NULL, on_answer,
                          &outcome);
  wait (&outcome);
  code = mode == CUT_RECORD ? HN_ERROR_CONNECTION_LOST : HN_ERROR_PROTOCOL;
  g_assert_error (outcome.error, HN_ERROR, code);
  g_assert_false (hn_http2_is_open (outcome.http2));
  outcome_clear (&outcome);
  server_clear (&server);
}

static gboolean
on_cancel (gpointer data)
{
  g_cancellable_cancel (data);
  return G_SOURCE_REMOVE;
}

static void
test_cancel (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Outcome outcome;
  Server server;

  server_init (&server, STALL);
  connect_to (&server, cancellable, &outcome);
  g_timeout_add (30, on_cancel, cancellable);
  wait (&outcome);
  g_assert_error (outcome.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  outcome_clear (&outcome);
  server_clear (&server);
}

static void
fetch (Server *server, Outcome *outcome)
{
  g_autoptr (HnDialer) dialer = hn_dialer_new (NULL, 0, NULL);
  g_autoptr (HnServerAddress) address = address_of (server);

  memset (outcome, 0, sizeof *outcome);
  outcome->steps = g_string_new (NULL);
  hn_control_fetch_key_async (dialer, address, 130, on_progress, outcome, NULL, on_fetched,
                              outcome);
  wait (outcome);
}

static void
expect_no_key (const char *answer, const char *part)
{
  Outcome outcome;
  Server server;

  server_init (&server, answer != NULL ? GOOD : GARBAGE);
  server.key_answer = answer;
  fetch (&server, &outcome);
  g_assert_false (outcome.ok);
  g_assert_error (outcome.error, HN_ERROR, HN_ERROR_NOT_A_SERVER);
  g_assert_nonnull (strstr (outcome.error->message, "127.0.0.1"));
  g_assert_nonnull (strstr (outcome.error->message, part));
  g_assert_cmpstr (outcome.steps->str, ==, "name connect !key ");
  outcome_clear (&outcome);
  server_clear (&server);
}

static void
test_key (void)
{
  g_autofree char *spaces = g_strnfill (70000, ' ');
  g_autofree char *large = g_strconcat ("HTTP/1.1 200 OK\r\n\r\n", spaces, NULL);
  Outcome outcome;
  Server server;

  server_init (&server, GOOD);
  fetch (&server, &outcome);
  g_assert_no_error (outcome.error);
  g_assert_true (hn_machine_public_equal (&outcome.key, &server.key));
  g_assert_cmpstr (outcome.steps->str, ==, "name connect key ");
  outcome_clear (&outcome);
  server_clear (&server);

  expect_no_key ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404");
  expect_no_key ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "502");
  expect_no_key ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "/prefix/key is not");
  expect_no_key ("HTTP/1.1 200 OK\r\n\r\n<html>hello</html>", "/prefix/key is not");
  expect_no_key ("HTTP/1.1 200 OK\r\n\r\n{\"publicKey\":\"mkey:00\"}", "/prefix/key is not");
  expect_no_key (large, "too long");
  expect_no_key (NULL, "not HTTP");
}

static void
expect_address (const char *url, const char *host, guint port, gboolean tls, const char *path,
                const char *authority)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HnServerAddress) address = hn_server_address_new (url, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (address->host, ==, host);
  g_assert_cmpuint (address->port, ==, port);
  g_assert_cmpint (address->tls, ==, tls);
  g_assert_cmpstr (address->path, ==, path);
  g_assert_cmpstr (address->authority, ==, authority);
}

static void
test_address (void)
{
  static const char *const bad[] = {
    "",
    "hs.test",
    "hs.test:8080",
    "ftp://hs.test",
    "https://",
    "https://:443",
    "https://user@hs.test",
    "https://user:pw@hs.test",
    "https://hs.test?x",
    "https://hs.test#x",
    "https://hs.test:0",
    "https://hs.test:65536",
    "https://hs.test:x",
    "https://h s.test",
    "https://hs%2ftest",
    "https://hs%0atest",
    "https://hs_test/\r\nX: y",
    "https://[fe80::1%25eth0]",
    "https://[zz::1]",
  };

  expect_address ("https://hs.test", "hs.test", 443, TRUE, "", "hs.test");
  expect_address ("https://HS.test/", "hs.test", 443, TRUE, "", "hs.test");
  expect_address ("http://hs.test:8080", "hs.test", 8080, FALSE, "", "hs.test:8080");
  expect_address ("http://hs.test:80//", "hs.test", 80, FALSE, "", "hs.test");
  expect_address ("https://hs.test/a/b/", "hs.test", 443, TRUE, "/a/b", "hs.test");
  expect_address ("https://[fd7a::1]:8443", "fd7a::1", 8443, TRUE, "", "[fd7a::1]:8443");
  expect_address ("http://10.0.0.1", "10.0.0.1", 80, FALSE, "", "10.0.0.1");
  expect_address ("https://bücher.example", "xn--bcher-kva.example", 443, TRUE, "",
                  "xn--bcher-kva.example");
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (HnServerAddress) address = hn_server_address_new (bad[i], &error);

      if (address != NULL)
        g_error ("“%s” was taken", bad[i]);
      g_assert_error (error, HN_ERROR, HN_ERROR_INVALID_ARGUMENT);
    }
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    Mode mode;
  } connects[] = {
    { "good", GOOD },         { "one-segment", ONE_SEGMENT }, { "bytewise", BYTEWISE },
    { "no-early", NO_EARLY }, { "early-split", EARLY_SPLIT }, { "big-records", BIG_RECORDS },
  },
    later[] = {
      { "oversize", OVERSIZE },
      { "tampered", TAMPERED },
      { "cut-record", CUT_RECORD },
      { "huge-early", HUGE_EARLY },
    };

  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (connects); i++)
    {
      g_autofree char *path = g_strconcat ("/control/connection/connects/", connects[i].name, NULL);

      g_test_add_data_func (path, GINT_TO_POINTER (connects[i].mode), test_connects);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (later); i++)
    {
      g_autofree char *path = g_strconcat ("/control/connection/later/", later[i].name, NULL);

      g_test_add_data_func (path, GINT_TO_POINTER (later[i].mode), test_broken_later);
    }
  g_test_add_func ("/control/connection/refused", test_refused);
  g_test_add_func ("/control/connection/stale-key", test_stale_key);
  g_test_add_func ("/control/connection/cancel", test_cancel);
  g_test_add_func ("/control/connection/key", test_key);
  g_test_add_func ("/control/connection/address", test_address);
  return g_test_run ();
}
