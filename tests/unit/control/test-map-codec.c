/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The map stream as bytes: what real servers sent, in chunks of all sizes, and what must fail. */
#include <string.h>
#include <time.h>
#include <zstd.h>

#include "base/hn-error.h"
#include "map-helper.h"

#define PEER(id, rest) "{\"ID\":" #id ",\"Key\":\"" KEY ("1") "\"" rest "}"

static GByteArray *
load (const char *name)
{
  g_autofree char *path
      = g_build_filename (g_getenv ("G_TEST_SRCDIR"), "..", "..", "data", "map", name, NULL);
  g_autoptr (GError) error = NULL;
  char *data;
  gsize len;

  g_file_get_contents (path, &data, &len, &error);
  g_assert_no_error (error);
  return g_byte_array_new_take ((guint8 *) data, len);
}

/* What the streams say about the one peer, whatever the chunks. */
static void
check_stream (const char *name, guint n_frames, const char *peer_name)
{
  static const gsize chunks[] = { 0, 1, 2, 3, 7, 1000, 4077 };

  for (guint i = 0; i < G_N_ELEMENTS (chunks); i++)
    {
      g_autoptr (GByteArray) bytes = load (name);
      g_autoptr (Stream) stream = stream_new ();
      g_autoptr (HnNetmap) map = hn_netmap_new ();
      g_autoptr (GError) error = NULL;
      const HnNodeFields *own;
      const HnNodeFields *peer;
      const HnDerpRegion *region;

      stream_feed (stream, bytes, chunks[i], &error);
      g_assert_no_error (error);
      g_assert_true (hn_map_decoder_is_idle (stream->decoder));
      g_assert_cmpuint (stream->updates->len, ==, n_frames);
      for (guint k = 0; k < n_frames; k++)
        {
          HnMapUpdate *update = stream->updates->pdata[k];
          g_autoptr (HnNetmapChange) change = hn_netmap_apply (map, update, 1795386000);

          g_assert_null (update->remarks);
          if (k == 0)
            g_assert_cmpuint (change->parts, ==, HN_NETMAP_ALL);
        }

      own = hn_node_get (hn_netmap_get_self (map));
      g_assert_cmpint (own->id, ==, 2);
      g_assert_cmpstr (own->name, ==, "probe.lab.test");
      g_assert_cmpstr (own->host_name, ==, "probe");
      g_assert_true (own->machine_authorized);
      g_assert_true (
          hn_node_has_capability (hn_netmap_get_self (map), "https://tailscale.com/cap/is-admin"));
      g_assert_cmpuint (hn_netmap_get_n_peers (map), ==, 1);
      peer = hn_node_get (hn_netmap_get_peer (map, 1));
      g_assert_cmpstr (peer->name, ==, peer_name);
      g_assert_cmpstr (peer->os, ==, "linux");
      g_assert_cmpint (peer->online, ==, HN_ONLINE_YES);
      g_assert_cmpint (peer->home_derp, ==, 999);
      g_assert_cmpuint (peer->n_addresses, ==, 2);
      g_assert_true (peer->allowed_ips == peer->addresses);
      g_assert_cmpuint (peer->n_endpoints, >, 0);
      g_assert_false (hn_disco_public_is_zero (&peer->disco));
      g_assert_cmpint (peer->key_expiry, ==, 0);
      g_assert_cmpint (peer->created, >, 1795000000);
      region = hn_derp_map_get_region (hn_netmap_get_derp_map (map), 999);
      g_assert_cmpstr (region->code, ==, "lab");
      g_assert_cmpstr (region->nodes[0].host_name, ==, "hs.test");
      g_assert_cmpint (region->nodes[0].derp_port, ==, 443);
      g_assert_true (hn_netmap_get_dns (map)->magic_dns);
      g_assert_cmpstr (hn_netmap_get_dns (map)->domains[0], ==, "lab.test");
      g_assert_cmpuint (hn_netmap_get_dns (map)->n_routes, >=, 64);
      g_assert_cmpuint (hn_netmap_get_filter (map)->n_rules, ==, 1);
      g_assert_cmpuint (hn_netmap_get_filter (map)->rules[0].n_protocols, ==, 4);
      g_assert_cmpstr (hn_netmap_get_user (map, 1)->login_name, ==, "lab");
      g_assert_cmpuint (hn_netmap_get_health (map)->len, ==, 0);
    }
}

static void
test_headscale_023 (void)
{
  check_stream ("headscale-0.23.0-zstd.bin", 7, "ts-b.lab.test");
  check_stream ("headscale-0.23.0-plain.bin", 2, "ts-b.lab.test");
}

static void
test_headscale_029 (void)
{
  check_stream ("headscale-0.29.2-zstd.bin", 15, "renamed.lab.test");
  check_stream ("headscale-0.29.2-plain.bin", 4, "renamed.lab.test");
}

static void
test_node (void)
{
  g_autoptr (HnMapUpdate) update = decode (
      "{\"Peers\":[{\"ID\":9223372036854775807,\"StableID\":\"nABC\",\"Name\":\"p.x.\",\"User\":"
      "9007199254740993,\"Key\":\"nodekey:" KEY64 (
          "A") "\",\"KeyExpiry\":"
               "\"0001-01-01T00:00:00Z\",\"Machine\":\"mkey:" KEY64 (
                   "0") "\",\"DiscoKey\":\"\","
                        "\"Addresses\":[\"100.64.0.1/32\",\"fd7a::1/"
                        "128\"],\"AllowedIPs\":null,\"DERP\":"
                        "\"127.3.3.40:17\",\"Hostinfo\":null,\"Cap\":130,\"Tags\":[\"tag:a\",\"tag:"
                        "b\",\"tag:a\"],"
                        "\"LastSeen\":\"1969-01-01T00:00:00Z\",\"Online\":null,\"CapMap\":{\"x\":"
                        "null,\"y\":[1,{}]},"
                        "\"Capabilities\":[\"y\",\"z\"],\"IsJailed\":true,\"Unknown\":{\"a\":[[]]}}"
                        ","
                        "{\"ID\":2,\"Addresses\":[\"100.64.0.2/"
                        "32\"],\"AllowedIPs\":[],\"HomeDERP\":3,\"DERP\":"
                        "\"127.3.3.40:4\",\"Name\":\"a\\u003cb\\u0007\\u009b\"},"
                        "{\"ID\":3,\"Addresses\":[\"100.64.0.3/32\"],\"AllowedIPs\":[\"0.0.0.0/"
                        "0\",\"::/0\"],"
                        "\"UnsignedPeerAPIOnly\":true}]}");
  const HnNodeFields *a = hn_node_get (update->peers->pdata[0]);
  const HnNodeFields *b = hn_node_get (update->peers->pdata[1]);
  const HnNodeFields *c = hn_node_get (update->peers->pdata[2]);

  g_assert_null (update->remarks);
  g_assert_cmpint (a->id, ==, G_MAXINT64);
  g_assert_cmpint (a->user_id, ==, G_GINT64_CONSTANT (9007199254740993));
  g_assert_cmpstr (a->name, ==, "p.x");
  g_assert_cmpint (a->key.bytes[31], ==, 0xaa);
  g_assert_cmpint (a->key_expiry, ==, 0);
  g_assert_true (hn_disco_public_is_zero (&a->disco));
  g_assert_cmpuint (a->n_allowed_ips, ==, 2);
  g_assert_cmpint (a->home_derp, ==, 17);
  g_assert_cmpint (a->last_seen, ==, 1);
  g_assert_cmpint (a->online, ==, HN_ONLINE_UNKNOWN);
  g_assert_cmpuint (g_strv_length ((GStrv) a->tags), ==, 2);
  g_assert_cmpuint (g_strv_length ((GStrv) a->capabilities), ==, 3);
  g_assert_true (a->jailed);
  g_assert_cmpuint (b->n_allowed_ips, ==, 0);
  g_assert_cmpint (b->home_derp, ==, 3);
  /* Nothing that a terminal would obey. */
  g_assert_cmpstr (b->name, ==, "a<b   ");
  g_assert_cmpuint (c->n_allowed_ips, ==, 1);
}

static void
test_ping_and_debug (void)
{
  g_autoptr (HnMapUpdate) update
      = decode ("{\"KeepAlive\":true,\"PingRequest\":{\"URL\":\"https://c.test/p?id=1\",\"Types\":"
                "\"c2n\",\"URLIsNoise\":true,\"Payload\":\"R0VUIC8=\"},\"PopBrowserURL\":"
                "\"https://b.test/\",\"Peers\":[" PEER (1, "") "]}");
  g_autoptr (HnMapUpdate) odd
      = decode ("{\"PingRequest\":{\"URL\":\"file:///etc/passwd\"},\"PopBrowserURL\":"
                "\"javascript:1\",\"Debug\":{\"SleepSeconds\":1e9}}");

  g_assert_true (update->keep_alive);
  g_assert_null (update->peers);
  g_assert_cmpstr (update->ping_url, ==, "https://c.test/p?id=1");
  g_assert_cmpstr (update->ping_types, ==, "c2n");
  g_assert_true (update->ping_is_noise);
  g_assert_cmpmem (update->ping_payload, update->ping_payload_len, "GET /", 5);
  g_assert_cmpstr (update->pop_browser_url, ==, "https://b.test/");
  g_assert_null (odd->ping_url);
  g_assert_null (odd->pop_browser_url);
  g_assert_cmpint (odd->sleep_seconds, ==, 300);
}

/* Of two members with one name the last counts. */
static void
test_duplicates (void)
{
  g_autoptr (HnMapUpdate) update
      = decode ("{\"Domain\":\"a\",\"Domain\":\"b\",\"Peers\":[" PEER (1, "") "],\"Peers\":[" PEER (
          2, "") "," PEER (3, "") "],\"PeersChanged\":[" PEER (4, "") "],\"PeersChanged\":null,"
                                                                      "\"Node\":" PEER (
                                                                          5, "") ",\"Node\":null,"
                                                                                 "\"DERPMap\":{"
                                                                                 "\"Regions\":{"
                                                                                 "\"1\":{"
                                                                                 "\"Nodes\":[{"
                                                                                 "\"HostName\":"
                                                                                 "\"h\"}"
                                                                                 "]}}},"
                                                                                 "\"DERPMap\":{},"
                                                                                 "\"PacketFilter"
                                                                                 "\":[],"
                                                                                 "\"PacketFilter"
                                                                                 "\":null,"
                                                                                 "\"OnlineChange"
                                                                                 "\":{"
                                                                                 "\"1\":true},"
                                                                                 "\"OnlineChange"
                                                                                 "\":null}");

  g_assert_cmpstr (update->domain, ==, "b");
  g_assert_cmpuint (update->peers->len, ==, 2);
  g_assert_null (update->peers_changed);
  g_assert_null (update->node);
  g_assert_false (update->has_derp_regions);
  g_assert_null (update->packet_filter);
  g_assert_null (update->online);
}

/* What is wrong inside an element costs this element, or less. */
static void
test_wrong_types (void)
{
  g_autoptr (HnMapUpdate) update = decode ("{\"Peers\":[7,null,\"x\",[]," PEER (
      1,
      ",\"Name\":5,\"Addresses\":{},\"Online\":\"yes\","
      "\"Hostinfo\":[1],\"Tags\":{},\"Endpoints\":\"e\"") ",{\"ID\":18446744073709551616,\"Key\":"
                                                          "\"" KEY ("2") "\"},{\"ID\":"
                                                                         "9223372036854775808}"
                                                                         "," PEER (3, ",\"AllowedIP"
                                                                                      "s\":[\"x\","
                                                                                      "4,\"10.0.0."
                                                                                      "0/"
                                                                                      "8\",\"127.0."
                                                                                      "0.0/"
                                                                                      "8\"],"
                                                                                      "\"Endpoints"
                                                                                      "\":[\"\","
                                                                                      "\"1.2.3.4:"
                                                                                      "0\",\"bad\","
                                                                                      "\"1.2.3.4:"
                                                                                      "5\"]") "],"
                                                                                              "\"Pe"
                                                                                              "ersR"
                                                                                              "emov"
                                                                                              "ed\""
                                                                                              ":[1,"
                                                                                              "\"2"
                                                                                              "\","
                                                                                              "3.5,"
                                                                                              "4],"
                                                                                              "\"On"
                                                                                              "line"
                                                                                              "Chan"
                                                                                              "ge\""
                                                                                              ":{"
                                                                                              "\"1"
                                                                                              "\":"
                                                                                              "true"
                                                                                              ",\"x"
                                                                                              "\":"
                                                                                              "true"
                                                                                              ",\"-"
                                                                                              "4\":"
                                                                                              "true"
                                                                                              ",\"2"
                                                                                              "\":"
                                                                                              "\"no"
                                                                                              "\"},"
                                                                                              "\"DE"
                                                                                              "RPMa"
                                                                                              "p\":"
                                                                                              "[],"
                                                                                              "\"DN"
                                                                                              "SCon"
                                                                                              "fig"
                                                                                              "\":"
                                                                                              "5,"
                                                                                              "\"Do"
                                                                                              "main"
                                                                                              "\":["
                                                                                              "],"
                                                                                              "\"Pa"
                                                                                              "cket"
                                                                                              "Filt"
                                                                                              "ers"
                                                                                              "\":{"
                                                                                              "\"a"
                                                                                              "\":"
                                                                                              "5,"
                                                                                              "\"b"
                                                                                              "\":["
                                                                                              "]},"
                                                                                              "\"He"
                                                                                              "alth"
                                                                                              "\":{"
                                                                                              "},"
                                                                                              "\"Us"
                                                                                              "erPr"
                                                                                              "ofil"
                                                                                              "es\""
                                                                                              ":[{"
                                                                                              "\"Lo"
                                                                                              "ginN"
                                                                                              "ame"
                                                                                              "\":"
                                                                                              "\"x"
                                                                                              "\"},"
                                                                                              "{\"I"
                                                                                              "D\":"
                                                                                              "4,"
                                                                                              "\"Lo"
                                                                                              "ginN"
                                                                                              "ame"
                                                                                              "\":"
                                                                                              "5}],"
                                                                                              "\"Co"
                                                                                              "ntro"
                                                                                              "lTim"
                                                                                              "e\":"
                                                                                              "\"ye"
                                                                                              "ster"
                                                                                              "day"
                                                                                              "\","
                                                                                              "\"Ke"
                                                                                              "epAl"
                                                                                              "ive"
                                                                                              "\":"
                                                                                              "\"no"
                                                                                              "\","
                                                                                              "\"TK"
                                                                                              "AInf"
                                                                                              "o\":"
                                                                                              "[],"
                                                                                              "\"Pe"
                                                                                              "ersC"
                                                                                              "hang"
                                                                                              "edPa"
                                                                                              "tch"
                                                                                              "\":["
                                                                                              "5,{"
                                                                                              "\"No"
                                                                                              "deID"
                                                                                              "\":"
                                                                                              "6}],"
                                                                                              "\"No"
                                                                                              "de\""
                                                                                              ":5"
                                                                                              "}");

  g_assert_cmpuint (update->peers->len, ==, 2);
  g_assert_cmpstr (hn_node_get (update->peers->pdata[0])->name, ==, "");
  g_assert_cmpuint (hn_node_get (update->peers->pdata[1])->n_allowed_ips, ==, 1);
  g_assert_cmpuint (hn_node_get (update->peers->pdata[1])->n_endpoints, ==, 1);
  g_assert_cmpuint (update->peers_removed->len, ==, 2);
  g_assert_cmpuint (update->online->len, ==, 1);
  g_assert_false (update->has_derp_regions);
  g_assert_null (update->domain);
  g_assert_cmpuint (update->packet_filters->len, ==, 1);
  g_assert_null (update->health);
  g_assert_cmpuint (update->users->len, ==, 1);
  g_assert_cmpint (update->control_time, ==, 0);
  g_assert_false (update->keep_alive);
  g_assert_cmpuint (update->patches->len, ==, 1);
  g_assert_null (update->node);
  g_assert_true (update_has_remark (update, "map-unreadable-peer"));
  g_assert_true (update_has_remark (update, "map-bad-address"));
  g_assert_true (update_has_remark (update, "map-unreadable-part"));
}

static void
test_broken_json (void)
{
  static const char *const texts[] = {
    "[]",
    "5",
    "null",
    "x",
    "{",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":}",
    "{\"a\":1",
    "{\"a\":1,}",
    "{,}",
    "{\"a\":1 \"b\":2}",
    "{a:1}",
    "{\"a\":tru}",
    "{\"a\":01}",
    "{\"a\":'x'}",
    "{\"a\":[1,]}",
    "{\"a\":[1}",
    "{\"a\":{]}",
    "{\"a\":\"\x01\"}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\xff\"}",
    "{\"a\":\"\\ud800\"}",
    "{}{}",
    "{} x",
    "{\"Peers\":[,]}",
    "{\"Peers\":[{}",
    "{\"Peers\":[{}]",
    "{\"Peers\":[{},]}",
    "{\"Peers\":[{} {}]}",
    "{\"Peers\":[{\"ID\":}]}",
    "{\"Peers\":[{\"ID\":1,}]}",
    "{\"Peers\":[nul]}",
    "{\"Peers\":{}:}",
    "{/* no */}",
    "{\"Peers\":[{\"Name\":\"\\ud800\"}]}",
    "{\"\\q\":1}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_test_message ("text %u", i);
      assert_broken (texts[i]);
    }
}

static char *
nest (const char *before, const char *open, const char *close, guint depth, const char *behind)
{
  GString *text = g_string_new (before);

  for (guint i = 0; i < depth; i++)
    g_string_append (text, open);
  g_string_append (text, "1");
  for (guint i = 0; i < depth; i++)
    g_string_append (text, close);
  g_string_append (text, behind);
  return g_string_free (text, FALSE);
}

static void
test_depth (void)
{
  g_autofree char *fine = nest ("{\"a\":", "[", "]", 64, "}");
  g_autofree char *deep = nest ("{\"a\":", "[", "]", 65, "}");
  g_autofree char *bomb = nest ("{\"Peers\":[", "{\"a\":", "}", 100000, "]}");
  g_autofree char *other = nest ("{\"Node\":", "[", "]", 100000, "}");
  g_autoptr (HnMapUpdate) update = decode (fine);

  assert_broken (deep);
  assert_broken (bomb);
  assert_broken (other);
}

static void
feed_broken_by (const guint8 *data, gsize len, const char *why)
{
  g_autoptr (Stream) stream = stream_new ();
  g_autoptr (GError) error = NULL;

  g_assert_false (hn_map_decoder_feed (stream->decoder, data, len, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_PROTOCOL);
  g_assert_nonnull (strstr (error->message, why));
}

static void
feed_broken (const guint8 *data, gsize len)
{
  feed_broken_by (data, len, "");
}

static void
test_lengths (void)
{
  static const guint8 empty[] = { 0, 0, 0, 0 };
  static const guint8 huge[] = { 0xff, 0xff, 0xff, 0xff };
  static const guint8 over[] = { 1, 0, 0, 2 };
  g_autoptr (Stream) stream = stream_new ();
  g_autoptr (GByteArray) frame = make_frame ("{}", 2);

  feed_broken (empty, sizeof empty);
  feed_broken (huge, sizeof huge);
  feed_broken (over, sizeof over);
  /* Cut off: no error yet, but no clean end either. */
  for (guint n = 1; n < frame->len; n++)
    {
      g_assert_true (hn_map_decoder_feed (stream->decoder, frame->data + n - 1, 1, NULL));
      g_assert_false (hn_map_decoder_is_idle (stream->decoder));
    }
  g_assert_cmpuint (stream->updates->len, ==, 0);
  g_assert_true (hn_map_decoder_feed (stream->decoder, frame->data + frame->len - 1, 1, NULL));
  g_assert_true (hn_map_decoder_is_idle (stream->decoder));
  g_assert_cmpuint (stream->updates->len, ==, 1);
}

static void
test_broken_zstd (void)
{
  static const char json[] = "{\"Domain\":\"x\"}";
  g_autoptr (GByteArray) good = make_zstd_frame (json, strlen (json));
  g_autoptr (GByteArray) cut = make_frame (good->data + 4, good->len - 5);
  g_autoptr (GByteArray) trailing = NULL;
  g_autoptr (GByteArray) twice = NULL;
  g_autoptr (GByteArray) noise = NULL;
  g_autoptr (GByteArray) magic = make_frame (good->data + 4, 4);
  guint8 buf[100];

  memcpy (buf, good->data + 4, good->len - 4);
  buf[good->len - 4] = 'x';
  trailing = make_frame (buf, good->len - 3);
  memcpy (buf + good->len - 4, good->data + 4, good->len - 4);
  twice = make_frame (buf, 2 * (good->len - 4));
  memset (buf, 0xa5, sizeof buf);
  buf[0] = 0x28;
  noise = make_frame (buf, sizeof buf);

  feed_broken (cut->data, cut->len);
  feed_broken (trailing->data, trailing->len);
  feed_broken (twice->data, twice->len);
  feed_broken (noise->data, noise->len);
  feed_broken (magic->data, magic->len);
}

/* A few kilobytes that would unpack to more than anybody's map; and a window that nobody needs. */
static void
test_zstd_bomb (void)
{
  g_autofree char *text = g_malloc (1024 * 1024);
  g_autoptr (GByteArray) body = g_byte_array_new ();
  g_autoptr (GByteArray) frame = NULL;
  ZSTD_CCtx *zstd = ZSTD_createCCtx ();
  g_autofree guint8 *packed = g_malloc (ZSTD_compressBound (1024 * 1024));
  static const guint8 window[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0x01, 0x00, 0x00 };

  memset (text, 'x', 1024 * 1024);
  memcpy (text, "{\"a\":\"", 6);
  for (guint i = 0; i <= HN_MAP_MAX_JSON / (1024 * 1024); i++)
    {
      ZSTD_inBuffer in = { text, 1024 * 1024, 0 };
      ZSTD_outBuffer out = { packed, ZSTD_compressBound (1024 * 1024), 0 };

      ZSTD_compressStream2 (zstd, &out, &in, ZSTD_e_flush);
      g_assert_cmpuint (in.pos, ==, in.size);
      g_byte_array_append (body, packed, out.pos);
      memset (text, 'x', 6);
    }
  ZSTD_freeCCtx (zstd);
  g_assert_cmpuint (body->len, <, 128 * 1024);
  frame = make_frame (body->data, body->len);
  feed_broken_by (frame->data, frame->len, "unpacks to too much");

  g_byte_array_unref (g_steal_pointer (&frame));
  frame = make_frame (window, sizeof window);
  feed_broken_by (frame->data, frame->len, "can not be unpacked");
}

/* Longer than one piece may be: passed over, with a remark, and the rest counts. */
static void
test_oversize (void)
{
  g_autoptr (GString) json = g_string_new ("{\"Peers\":[{\"ID\":1,\"Name\":\"");
  g_autoptr (HnMapUpdate) update = NULL;

  for (guint i = 0; i < 1100 * 1024; i++)
    g_string_append_c (json, 'x');
  g_string_append (json, "\"}," PEER (2, "") "],\"Domain\":\"d\"}");
  update = decode (json->str);
  g_assert_cmpuint (update->peers->len, ==, 1);
  g_assert_cmpstr (update->domain, ==, "d");
  g_assert_true (update_has_remark (update, "map-cut"));
}

static void
test_limits (void)
{
  g_autoptr (GString) json = g_string_new ("{\"Peers\":[{\"ID\":1,\"AllowedIPs\":[");
  g_autoptr (HnMapUpdate) update = NULL;
  const HnNodeFields *fields;

  for (guint i = 0; i < 2000; i++)
    g_string_append_printf (json, "%s\"10.%u.%u.0/24\"", i > 0 ? "," : "", i >> 8, i & 255);
  g_string_append (json, "],\"Endpoints\":[");
  for (guint i = 0; i < 200; i++)
    g_string_append_printf (json, "%s\"1.2.3.4:%u\"", i > 0 ? "," : "", i + 1);
  g_string_append (json, "],\"CapMap\":{");
  for (guint i = 0; i < 1000; i++)
    g_string_append_printf (json, "%s\"cap-%u\":null", i > 0 ? "," : "", i);
  g_string_append (json, "},\"Tags\":[");
  for (guint i = 0; i < 1000; i++)
    g_string_append_printf (json, "%s\"tag:%u\"", i > 0 ? "," : "", i);
  g_string_append (json, "]}]}");
  update = decode (json->str);
  fields = hn_node_get (update->peers->pdata[0]);
  g_assert_cmpuint (fields->n_allowed_ips, ==, 1024);
  g_assert_cmpuint (fields->n_endpoints, ==, 64);
  g_assert_cmpuint (g_strv_length ((GStrv) fields->capabilities), ==, 256);
  g_assert_cmpuint (g_strv_length ((GStrv) fields->tags), ==, 64);
  g_assert_true (update_has_remark (update, "map-cut"));
}

/* The processor's time for a node with many texts in the list @name. */
static double
time_texts (const char *name)
{
  g_autoptr (GString) json = g_string_new ("{\"Peers\":[{\"ID\":1,\"");
  g_autoptr (HnMapUpdate) update = NULL;
  clock_t start;

  g_string_append_printf (json, "%s\":[", name);
  for (guint i = 0; i < 300; i++)
    g_string_append_printf (json, "\"c%u\",", i);
  for (guint i = 0; i < 100000; i++)
    g_string_append (json, "\"x\",");
  g_string_append (json, "\"x\"]}]}");
  start = clock ();
  update = decode (json->str);
  g_assert_cmpuint (update->peers->len, ==, 1);
  return (double) (clock () - start) / CLOCKS_PER_SEC;
}

/* What is left out may not cost much more than what nobody asks for. */
static void
test_limits_are_cheap (void)
{
  double plain = time_texts ("Ignored");

  g_assert_cmpfloat (time_texts ("Capabilities"), <, 15 * MAX (plain, 0.002));
}

static void
on_update_free (HnMapUpdate *update, gpointer user)
{
  HnMapDecoder **decoder = user;

  hn_map_update_free (update);
  hn_map_decoder_free (g_steal_pointer (decoder));
}

/* Whoever gets an update may end the stream there and then. */
static void
test_free_inside (void)
{
  g_autoptr (GByteArray) frame = make_frame ("{}", 2);
  g_autoptr (GByteArray) both = g_byte_array_new ();
  HnMapDecoder *decoder;

  g_byte_array_append (both, frame->data, frame->len);
  g_byte_array_append (both, frame->data, frame->len);
  decoder = hn_map_decoder_new (on_update_free, &decoder);
  g_assert_true (hn_map_decoder_feed (decoder, both->data, both->len, NULL));
  g_assert_null (decoder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/map-codec/headscale-0.23", test_headscale_023);
  g_test_add_func ("/map-codec/headscale-0.29", test_headscale_029);
  g_test_add_func ("/map-codec/node", test_node);
  g_test_add_func ("/map-codec/ping-and-debug", test_ping_and_debug);
  g_test_add_func ("/map-codec/duplicates", test_duplicates);
  g_test_add_func ("/map-codec/wrong-types", test_wrong_types);
  g_test_add_func ("/map-codec/broken-json", test_broken_json);
  g_test_add_func ("/map-codec/depth", test_depth);
  g_test_add_func ("/map-codec/lengths", test_lengths);
  g_test_add_func ("/map-codec/broken-zstd", test_broken_zstd);
  g_test_add_func ("/map-codec/zstd-bomb", test_zstd_bomb);
  g_test_add_func ("/map-codec/oversize", test_oversize);
  g_test_add_func ("/map-codec/limits", test_limits);
  g_test_add_func ("/map-codec/limits-are-cheap", test_limits_are_cheap);
  g_test_add_func ("/map-codec/free-inside", test_free_inside);
  return g_test_run ();
}
