/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hn-error.h"
#include "crypto/hn-crypto.h"
#include "path/hn-derp-session.h"

#define SECOND G_USEC_PER_SEC

/* A relay on paper: its key, and what the session told us. */
typedef struct
{
  HnDerpSession *session;
  guint8 server_private[32];
  HnNodePublic server;
  HnNodePrivate client_private;
  HnNodePublic client;
  guint8 shared[32];
  guint8 ping[8];
  guint ready;
  guint packets;
  guint gone;
  gboolean stop_at_packet;
  HnNodePublic source;
  GByteArray *data;
  char *health;
} Fixture;

static void
on_ready (gpointer user)
{
  ((Fixture *) user)->ready++;
}

static void
on_packet (gpointer user, const HnNodePublic *source, guint8 *data, gsize len)
{
  Fixture *f = user;

  f->packets++;
  f->source = *source;
  g_byte_array_append (f->data, data, len);
  /* All of it is ours to write to. */
  memset (data - HN_DERP_ROOM, 0xdd, HN_DERP_ROOM + len + HN_DERP_ROOM);
  if (f->stop_at_packet)
    hn_derp_session_stop (f->session);
}

static void
on_peer_gone (gpointer user, const HnNodePublic *peer)
{
  Fixture *f = user;

  f->gone++;
  f->source = *peer;
}

static void
on_health (gpointer user, const char *text)
{
  Fixture *f = user;

  g_free (f->health);
  f->health = g_strdup (text);
}

static const HnDerpSessionOps ops = { on_ready, on_packet, on_peer_gone, on_health };

static void
set_up (Fixture *f, gconstpointer preferred)
{
  hn_x25519_generate (f->server_private);
  hn_x25519_base (f->server_private, f->server.bytes);
  hn_node_private_generate (&f->client_private);
  hn_node_private_get_public (&f->client_private, &f->client);
  g_assert_true (hn_box_precompute (f->server_private, f->client.bytes, f->shared));
  f->data = g_byte_array_new ();
  f->session = hn_derp_session_new (&f->client_private, GPOINTER_TO_INT (preferred), &ops, f);
  hn_derp_session_start (f->session, 0);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  hn_derp_session_free (f->session);
  g_byte_array_unref (f->data);
  g_free (f->health);
}

static gboolean
receive (Fixture *f, const guint8 *data, gsize len, gint64 now_us, GError **error)
{
  while (len > 0)
    {
      gsize size;
      guint8 *space = hn_derp_session_get_space (f->session, &size);
      gsize n = MIN (len, size);

      g_assert_cmpuint (size, >=, 16384);
      memcpy (space, data, n);
      if (!hn_derp_session_received (f->session, n, now_us, error))
        return FALSE;
      data += n;
      len -= n;
    }
  return TRUE;
}

static GByteArray *
make_frame (guint8 type, const void *payload, gsize len)
{
  GByteArray *frame = g_byte_array_new ();
  guint8 header[5] = { type, len >> 24 & 0xff, len >> 16 & 0xff, len >> 8 & 0xff, len & 0xff };

  g_byte_array_append (frame, header, sizeof header);
  g_byte_array_append (frame, payload, len);
  return frame;
}

static gboolean
receive_frame (Fixture *f, guint8 type, const void *payload, gsize len, gint64 now_us,
               GError **error)
{
  g_autoptr (GByteArray) frame = make_frame (type, payload, len);

  return receive (f, frame->data, frame->len, now_us, error);
}

static gboolean
receive_key (Fixture *f, GError **error)
{
  guint8 payload[40] = { 'D', 'E', 'R', 'P', 0xf0, 0x9f, 0x94, 0x91 };

  memcpy (payload + 8, f->server.bytes, 32);
  return receive_frame (f, 0x01, payload, sizeof payload, 0, error);
}

static gboolean
receive_info (Fixture *f, const char *json, gint64 now_us, GError **error)
{
  guint8 payload[256] = { 5, 5, 5 };

  hn_box_seal (f->shared, payload, json, strlen (json), payload + 24);
  return receive_frame (f, 0x03, payload, 24 + 16 + strlen (json), now_us, error);
}

/* What the session wants to write, all of it. */
static GByteArray *
written_at (Fixture *f, gint64 now_us)
{
  GByteArray *all = g_byte_array_new ();
  const guint8 *data;
  gsize len;

  while ((data = hn_derp_session_get_write (f->session, now_us, &len)) != NULL)
    {
      g_byte_array_append (all, data, len);
      hn_derp_session_wrote (f->session, len);
    }
  g_assert_false (hn_derp_session_has_write (f->session));
  return all;
}

static GByteArray *
written (Fixture *f)
{
  return written_at (f, 0);
}

/* With the Ping by which the round trip is measured, which stays unanswered: the relay is far. */
static void
log_in_with (Fixture *f, const char *json)
{
  g_autoptr (GByteArray) login = NULL;
  g_autoptr (GByteArray) ping = NULL;
  GError *error = NULL;

  receive_key (f, &error);
  g_assert_no_error (error);
  login = written (f);
  receive_info (f, json, 0, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (f->ready, ==, 1);
  ping = written (f);
  g_assert_cmpuint (ping->len, ==, 13);
  g_assert_cmpuint (ping->data[0], ==, 0x12);
  memcpy (f->ping, ping->data + 5, 8);
}

static void
log_in (Fixture *f)
{
  log_in_with (f, "{\"version\":2}");
}

static void
test_login (Fixture *f, gconstpointer preferred)
{
  g_autoptr (GByteArray) out = NULL;
  g_autoptr (GError) error = NULL;
  HnNodePublic peer = { { 3 } };
  guint8 json[33] = { 0 };

  /* A packet sent before the login goes out right behind it. */
  g_assert_true (hn_derp_session_send (f->session, &peer, (const guint8 *) "abc", 3, 0));
  g_assert_false (hn_derp_session_has_write (f->session));
  g_assert_cmpint (hn_derp_session_get_state (f->session), ==, HN_DERP_SESSION_WAIT_KEY);
  g_assert_true (receive_key (f, &error));
  g_assert_cmpint (hn_derp_session_get_state (f->session), ==, HN_DERP_SESSION_WAIT_INFO);

  out = written (f);
  g_assert_cmpuint (out->len, ==, HN_DERP_CLIENT_INFO_SIZE + (preferred ? 6 : 0) + 37 + 3);
  g_assert_cmpuint (out->data[0], ==, 0x02);
  g_assert_cmpmem (out->data + 5, 32, f->client.bytes, 32);
  g_assert_true (hn_box_open (f->shared, out->data + 37, out->data + 61, 48, json));
  g_assert_cmpstr ((const char *) json, ==, "{\"version\":2,\"CanAckPings\":true}");
  if (preferred)
    g_assert_cmpmem (out->data + HN_DERP_CLIENT_INFO_SIZE, 6, "\x07\0\0\0\1\1", 6);
  g_assert_cmpuint (out->data[out->len - 40], ==, 0x04);
  g_assert_cmpmem (out->data + out->len - 3, 3, "abc", 3);

  g_assert_cmpuint (f->ready, ==, 0);
  g_assert_true (receive_info (f, "{\"version\":2}", 0, &error));
  g_assert_cmpuint (f->ready, ==, 1);
  /* A second one changes nothing. */
  g_assert_true (receive_info (f, "{\"version\":2}", 0, &error));
  g_assert_cmpuint (f->ready, ==, 1);
}

static void
test_no_relay (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (receive (f, (const guint8 *) "\x06\0\0\0\0", 5, 0, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_PROTOCOL);
}

static void
test_weak_server_key (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  memset (f->server.bytes, 0, 32);
  g_assert_false (receive_key (f, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_PROTOCOL);
}

static void
test_bad_info (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (receive_key (f, &error));
  f->shared[0] ^= 1;
  g_assert_false (receive_info (f, "{\"version\":2}", 0, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_PROTOCOL);
  g_assert_cmpuint (f->ready, ==, 0);
}

/* Packets stand next to each other in one read; writing around one may not harm the next. */
static void
test_packets (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) stream = g_byte_array_new ();
  g_autoptr (GByteArray) expected = g_byte_array_new ();
  GError *error = NULL;

  log_in (f);
  for (guint i = 0; i < 300; i++)
    {
      guint8 payload[32 + 1400];
      gsize len = i * 7 % 1400;
      g_autoptr (GByteArray) frame = NULL;

      memset (payload, i & 0xff, sizeof payload);
      frame = make_frame (0x05, payload, 32 + len);
      g_byte_array_append (stream, frame->data, frame->len);
      g_byte_array_append (expected, payload + 32, len);
    }
  /* In odd pieces, so that frames lie across reads. */
  for (gsize at = 0; at < stream->len; at += 7777)
    receive (f, stream->data + at, MIN (7777, stream->len - at), 0, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (f->packets, ==, 300);
  g_assert_cmpmem (f->data->data, f->data->len, expected->data, expected->len);
  g_assert_cmpuint (f->source.bytes[31], ==, 299 & 0xff);
}

static void
test_longest_packet (Fixture *f, gconstpointer data)
{
  g_autofree guint8 *payload = g_malloc0 (32 + HN_DERP_MAX_PACKET + 1);
  GError *error = NULL;

  log_in (f);
  payload[32 + HN_DERP_MAX_PACKET - 1] = 0x77;
  receive_frame (f, 0x05, payload, 32 + HN_DERP_MAX_PACKET, 0, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (f->packets, ==, 1);
  g_assert_cmpuint (f->data->len, ==, HN_DERP_MAX_PACKET);
  g_assert_cmpuint (f->data->data[HN_DERP_MAX_PACKET - 1], ==, 0x77);

  /* One byte more is skipped, and the stream goes on. */
  receive_frame (f, 0x05, payload, 32 + HN_DERP_MAX_PACKET + 1, 0, &error);
  receive_frame (f, 0x05, payload, 32, 0, &error);
  /* Too short for a key: skipped too. */
  receive_frame (f, 0x05, payload, 31, 0, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (f->packets, ==, 2);

  g_assert_false (receive (f, (const guint8 *) "\x05\xff\xff\xff\xff", 5, 0, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_PROTOCOL);
  g_clear_error (&error);
}

static void
test_stop (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) frame = NULL;
  g_autoptr (GByteArray) two = g_byte_array_new ();
  guint8 payload[40] = { 0 };
  GError *error = NULL;

  log_in (f);
  frame = make_frame (0x05, payload, sizeof payload);
  g_byte_array_append (two, frame->data, frame->len);
  g_byte_array_append (two, frame->data, frame->len);
  f->stop_at_packet = TRUE;
  receive (f, two->data, two->len, 0, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (f->packets, ==, 1);
}

static void
test_other_frames (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) out = NULL;
  guint8 gone[33] = { 0x44 };
  GError *error = NULL;

  log_in (f);
  receive_frame (f, 0x12, "12345678+later", 14, 0, &error);
  receive_frame (f, 0x12, "short", 5, 0, &error);
  receive_frame (f, 0x08, gone, 33, 0, &error);
  receive_frame (f, 0x08, gone, 12, 0, &error);
  receive_frame (f, 0x14, "two of you", 10, 0, &error);
  receive_frame (f, 0x15, "\0\0\0\1\0\0\0\2", 8, 0, &error);
  receive_frame (f, 0x09, gone, 33, 0, &error);
  receive_frame (f, 0xee, "what", 4, 0, &error);
  g_assert_no_error (error);
  out = written (f);
  g_assert_cmpmem (out->data, out->len,
                   "\x13\0\0\0\x08"
                   "12345678",
                   13);
  g_assert_cmpuint (f->gone, ==, 1);
  g_assert_cmpuint (f->source.bytes[0], ==, 0x44);
  g_assert_cmpstr (f->health, ==, "two of you");
  receive_frame (f, 0x14, "", 0, 0, &error);
  g_assert_cmpstr (f->health, ==, "");
}

static void
test_home_change (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) out = NULL;

  log_in (f);
  hn_derp_session_set_preferred (f->session, FALSE);
  hn_derp_session_set_preferred (f->session, TRUE);
  hn_derp_session_set_preferred (f->session, TRUE);
  hn_derp_session_set_preferred (f->session, FALSE);
  out = written (f);
  g_assert_cmpmem (out->data, out->len, "\x07\0\0\0\1\1\x07\0\0\0\1\0", 12);
}

static void
test_login_deadline (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (hn_derp_session_get_deadline (f->session), ==, HN_DERP_LOGIN_US);
  receive_key (f, &error);
  g_assert_cmpint (hn_derp_session_get_deadline (f->session), ==, HN_DERP_LOGIN_US);
  g_assert_true (hn_derp_session_check (f->session, HN_DERP_LOGIN_US - 1, &error));
  g_assert_false (hn_derp_session_check (f->session, HN_DERP_LOGIN_US, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_TIMEOUT);
}

static void
test_silence (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  log_in (f);
  g_assert_cmpint (hn_derp_session_get_deadline (f->session), ==, 120 * SECOND);
  receive_frame (f, 0x06, "", 0, 61 * SECOND, &error);
  g_assert_true (hn_derp_session_check (f->session, 121 * SECOND, &error));
  g_assert_cmpint (hn_derp_session_get_deadline (f->session), ==, 181 * SECOND);
  /* Frames of a later version keep it alive as well; half a frame does not. */
  receive_frame (f, 0xee, "x", 1, 100 * SECOND, &error);
  receive (f, (const guint8 *) "\x06\0\0", 3, 200 * SECOND, &error);
  g_assert_true (hn_derp_session_check (f->session, 220 * SECOND - 1, &error));
  g_assert_false (hn_derp_session_check (f->session, 220 * SECOND, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_TIMEOUT);
}

static void
test_ping (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) out = NULL;
  g_autoptr (GError) error = NULL;

  log_in (f);
  hn_derp_session_ping (f->session, 10 * SECOND);
  hn_derp_session_ping (f->session, 11 * SECOND);
  g_assert_cmpint (hn_derp_session_get_deadline (f->session), ==, 13 * SECOND);
  out = written (f);
  g_assert_cmpuint (out->len, ==, 13);
  g_assert_cmpuint (out->data[0], ==, 0x12);
  /* Another's Pong is none, and other frames do not stand in for it. */
  receive_frame (f, 0x13, "00000000", 8, 12 * SECOND, &error);
  g_assert_cmpint (hn_derp_session_get_deadline (f->session), ==, 13 * SECOND);
  receive_frame (f, 0x13, out->data + 5, 8, 12 * SECOND, &error);
  g_assert_cmpint (hn_derp_session_get_deadline (f->session), ==, 132 * SECOND);

  hn_derp_session_ping (f->session, 20 * SECOND);
  g_assert_false (hn_derp_session_check (f->session, 23 * SECOND, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_TIMEOUT);
}

static guint send_packets (Fixture *f, guint n, gint64 now_us);

/* Whoever takes packets and says nothing is asked, and given up within seconds. */
static void
test_swallows (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) out = NULL;
  g_autoptr (GByteArray) ping = NULL;
  g_autoptr (GError) error = NULL;

  log_in (f);
  receive_frame (f, 0x13, f->ping, 8, 30 * G_TIME_SPAN_MILLISECOND, &error);
  send_packets (f, 1, 10 * SECOND);
  send_packets (f, 1, 14 * SECOND);
  out = written_at (f, 14 * SECOND);
  g_assert_cmpint (hn_derp_session_get_deadline (f->session), ==, 15 * SECOND);
  g_assert_true (hn_derp_session_check (f->session, 15 * SECOND, &error));
  ping = written_at (f, 15 * SECOND);
  g_assert_cmpuint (ping->len, ==, 13);
  g_assert_cmpuint (ping->data[0], ==, 0x12);
  g_assert_cmpint (hn_derp_session_get_deadline (f->session), ==, 20 * SECOND);
  /* Asked once, whatever else is sent meanwhile. */
  send_packets (f, 1, 19 * SECOND);
  g_assert_true (hn_derp_session_check (f->session, 20 * SECOND - 1, &error));
  g_assert_false (hn_derp_session_check (f->session, 20 * SECOND, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_TIMEOUT);
}

/* One-way traffic: the Pong tells that all is well; then nothing is asked until the next packet. */
static void
test_one_way (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  log_in (f);
  for (gint64 now = 10 * SECOND; now < 300 * SECOND; now += 10 * SECOND)
    {
      g_autoptr (GByteArray) out = NULL;
      g_autoptr (GByteArray) ping = NULL;

      send_packets (f, 1, now);
      out = written_at (f, now);
      g_assert_true (hn_derp_session_check (f->session, now + 5 * SECOND, &error));
      ping = written_at (f, now + 5 * SECOND);
      g_assert_cmpuint (ping->len, ==, 13);
      receive_frame (f, 0x13, ping->data + 5, 8, now + 9 * SECOND, &error);
      g_assert_cmpint (hn_derp_session_get_deadline (f->session), ==, now + 129 * SECOND);
    }
}

/* A relay that knows no Ping, but delivers, is left alone; one that only logged us in is not. */
static void
test_mute (Fixture *f, gconstpointer data)
{
  gboolean delivers = GPOINTER_TO_INT (data);
  g_autoptr (GByteArray) out = NULL;
  g_autoptr (GError) error = NULL;

  log_in (f);
  if (delivers)
    receive_frame (f, 0x06, "", 0, 5 * SECOND, &error);
  send_packets (f, 1, 10 * SECOND);
  g_assert_true (hn_derp_session_check (f->session, 15 * SECOND, &error));
  out = written_at (f, 15 * SECOND);
  g_assert_true (hn_derp_session_check (f->session, 20 * SECOND, &error) == delivers);
  if (!delivers)
    return;
  g_assert_cmpint (hn_derp_session_get_deadline (f->session), ==, 125 * SECOND);
  /* And it is asked again with the next packet. */
  send_packets (f, 1, 21 * SECOND);
  g_assert_cmpint (hn_derp_session_get_deadline (f->session), ==, 26 * SECOND);
  receive_frame (f, 0x06, "", 0, 22 * SECOND, &error);
  g_assert_cmpint (hn_derp_session_get_deadline (f->session), ==, 142 * SECOND);
}

static void
test_limit (Fixture *f, gconstpointer data)
{
  HnNodePublic peer = { { 3 } };
  guint8 packet[963] = { 4 };
  guint n = 0;

  /* 1,000 bytes a packet with its framing; the burst is raised to hold the longest packet. */
  log_in_with (f, "{\"TokenBucketBytesPerSecond\":1000,\"TokenBucketBytesBurst\":10}");
  while (hn_derp_session_send (f->session, &peer, packet, sizeof packet, 0))
    {
      g_autoptr (GByteArray) sent = written (f);

      g_assert_cmpuint (sent->len, ==, 1000);
      g_assert_cmpuint (++n, <, 1000);
    }
  g_assert_cmpuint (n, ==, 65);
  g_assert_true (hn_derp_session_send (f->session, &peer, packet, sizeof packet, SECOND));
  g_assert_false (hn_derp_session_send (f->session, &peer, packet, sizeof packet, SECOND));
}

static guint
send_packets (Fixture *f, guint n, gint64 now_us)
{
  HnNodePublic peer = { { 3 } };
  guint8 packet[963] = { 4 };
  guint sent = 0;

  for (guint i = 0; i < n; i++)
    if (hn_derp_session_send (f->session, &peer, packet, sizeof packet, now_us))
      sent++;
  return sent;
}

/* The eight bytes of the one Ping in @out, and the packets before and behind it. */
static const guint8 *
find_ping (GByteArray *out, guint *before, guint *behind)
{
  HnDerpParser parser = { 0 };
  HnDerpFrame frame;
  const guint8 *ping = NULL;
  gsize start = 0, consumed;

  *before = *behind = 0;
  while (hn_derp_parser_next (&parser, out->data + start, out->len - start, &consumed, &frame)
         == HN_DERP_PARSE_FRAME)
    {
      start += consumed;
      if (frame.type == HN_DERP_FRAME_PING)
        {
          g_assert_null (ping);
          ping = frame.payload;
        }
      else if (ping == NULL)
        (*before)++;
      else
        (*behind)++;
    }
  g_assert_cmpuint (start, ==, out->len);
  return ping;
}

/* A near relay gets a window, then a Ping and half a window, and then waits for the Pong. */
static void
test_window (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) out = NULL;
  g_autoptr (GByteArray) more = NULL;
  g_autoptr (GByteArray) late = NULL;
  g_autoptr (GError) error = NULL;
  const guint8 *ping;
  guint before, behind;
  gint64 now_us = 500;

  log_in (f);
  receive_frame (f, 0x13, f->ping, 8, now_us, &error);
  g_assert_cmpint (hn_derp_session_get_rtt_us (f->session), ==, 500);

  g_assert_cmpuint (send_packets (f, 100, now_us), ==, 100);
  out = written_at (f, now_us);
  ping = find_ping (out, &before, &behind);
  g_assert_nonnull (ping);
  g_assert_cmpuint (before * 1000, <=, 2 * HN_DERP_WINDOW_BYTES);
  g_assert_cmpuint (before * 1000, >=, HN_DERP_WINDOW_BYTES - 1000);
  g_assert_cmpuint (behind * 1000, <=, HN_DERP_WINDOW_BYTES);
  g_assert_cmpuint (behind, >, 0);
  /* What is held back waits without a loop that spins. */
  g_assert_cmpint (hn_derp_session_get_deadline (f->session), ==, now_us + HN_DERP_WINDOW_HOLD_US);

  receive_frame (f, 0x13, "00000000", 8, now_us, &error);
  g_assert_false (hn_derp_session_has_write (f->session));
  receive_frame (f, 0x13, ping, 8, now_us + 100, &error);
  g_assert_true (hn_derp_session_has_write (f->session));
  g_assert_cmpint (hn_derp_session_get_rtt_us (f->session), ==, 100);
  more = written_at (f, now_us + 100);
  g_assert_nonnull (find_ping (more, &before, &behind));

  /* A Pong that never comes holds nothing up for long. */
  now_us = hn_derp_session_get_deadline (f->session);
  g_assert_cmpint (now_us, ==, 600 + HN_DERP_WINDOW_HOLD_US);
  g_assert_false (hn_derp_session_has_write (f->session));
  g_assert_true (hn_derp_session_check (f->session, now_us, &error));
  g_assert_true (hn_derp_session_has_write (f->session));
  late = written_at (f, now_us);
  g_assert_nonnull (find_ping (late, &before, &behind));
  g_assert_no_error (error);
}

/* One whose first Pongs were slow is measured some times more, and no more than that. */
static void
test_window_slow_start (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  guint8 ping[8];
  guint n = 1;

  log_in (f);
  memcpy (ping, f->ping, 8);
  for (;;)
    {
      g_autoptr (GByteArray) out = NULL;

      receive_frame (f, 0x13, ping, 8, n * 15000, &error);
      out = written_at (f, n * 15000);
      if (out->len == 0)
        break;
      g_assert_cmpuint (out->len, ==, 13);
      memcpy (ping, out->data + 5, 8);
      g_assert_cmpuint (++n, <, 100);
    }
  g_assert_cmpuint (n, ==, 8);
  g_assert_no_error (error);
}

/* A far one is not held up; a keep-alive measures once more. */
static void
test_window_far (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) out = NULL;
  g_autoptr (GByteArray) again = NULL;
  g_autoptr (GError) error = NULL;
  guint before, behind;

  log_in (f);
  receive_frame (f, 0x13, f->ping, 8, 30000, &error);
  g_assert_cmpint (hn_derp_session_get_rtt_us (f->session), ==, 30000);
  send_packets (f, 100, 30000);
  out = written_at (f, 30000);
  g_assert_null (find_ping (out, &before, &behind));
  g_assert_cmpuint (before, ==, 100);

  receive_frame (f, 0x06, "", 0, 60 * SECOND, &error);
  again = written_at (f, 60 * SECOND);
  g_assert_nonnull (find_ping (again, &before, &behind));
  receive_frame (f, 0x13, again->data + 5, 8, 60 * SECOND + 700, &error);
  g_assert_cmpint (hn_derp_session_get_rtt_us (f->session), ==, 700);
  g_assert_no_error (error);
}

#define ADD(path, home, function)                                                                  \
  g_test_add ("/path/derp-session/" path, Fixture, GINT_TO_POINTER (home), set_up, function,       \
              tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (hn_crypto_init (NULL));
  ADD ("login", FALSE, test_login);
  ADD ("login-home", TRUE, test_login);
  ADD ("no-relay", FALSE, test_no_relay);
  ADD ("weak-server-key", FALSE, test_weak_server_key);
  ADD ("bad-info", FALSE, test_bad_info);
  ADD ("packets", FALSE, test_packets);
  ADD ("longest-packet", FALSE, test_longest_packet);
  ADD ("stop", FALSE, test_stop);
  ADD ("other-frames", FALSE, test_other_frames);
  ADD ("home-change", FALSE, test_home_change);
  ADD ("login-deadline", FALSE, test_login_deadline);
  ADD ("silence", FALSE, test_silence);
  ADD ("ping", FALSE, test_ping);
  ADD ("swallows", FALSE, test_swallows);
  ADD ("one-way", FALSE, test_one_way);
  ADD ("mute/delivers", TRUE, test_mute);
  ADD ("mute/only-login", FALSE, test_mute);
  ADD ("window", FALSE, test_window);
  ADD ("window-far", FALSE, test_window_far);
  ADD ("window-slow-start", FALSE, test_window_slow_start);
  ADD ("limit", FALSE, test_limit);
  return g_test_run ();
}
