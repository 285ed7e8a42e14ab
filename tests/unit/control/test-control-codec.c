/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registration and requests: Go's names, what is left out, what is believed. */
#include <json-glib/json-glib.h>
#include <string.h>

#include "base/hn-error.h"
#include "base/hn-json-reader.h"
#include "control/hn-control-codec.h"

static JsonObject *
parse_object (GBytes *bytes, JsonParser *parser)
{
  g_autoptr (GError) error = NULL;
  gsize len;
  const char *text = g_bytes_get_data (bytes, &len);

  g_assert_true (hn_json_check (text, len, NULL));
  json_parser_load_from_data (parser, text, len, &error);
  g_assert_no_error (error);
  return json_node_get_object (json_parser_get_root (parser));
}

/* The names of an object's members, sorted. */
static char *
names_of (JsonObject *object)
{
  g_autoptr (GList) names = g_list_sort (json_object_get_members (object), (GCompareFunc) strcmp);
  GString *text = g_string_new (NULL);

  for (GList *l = names; l != NULL; l = l->next)
    g_string_append_printf (text, "%s%s", text->len > 0 ? " " : "", (const char *) l->data);
  return g_string_free (text, FALSE);
}

static void
assert_members (JsonObject *object, const char *expected)
{
  g_autofree char *names = names_of (object);

  g_assert_cmpstr (names, ==, expected);
}

static HnNodePublic
node_key (guint8 byte)
{
  HnNodePublic key;

  memset (key.bytes, byte, sizeof key.bytes);
  return key;
}

static void
test_register_minimal (void)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (HnHostinfo) hostinfo = hn_hostinfo_new ("Box.Example.com");
  HnRegisterRequest request = { .version = 130, .node_key = node_key (0x11), .hostinfo = hostinfo };
  g_autoptr (GBytes) body = hn_control_codec_format_register (&request);
  JsonObject *object = parse_object (body, parser);
  JsonObject *host;

  assert_members (object, "Hostinfo NodeKey Version");
  g_assert_cmpint (json_object_get_int_member (object, "Version"), ==, 130);
  g_assert_cmpstr (json_object_get_string_member (object, "NodeKey"), ==,
                   "nodekey:1111111111111111111111111111111111111111111111111111111111111111");
  host = json_object_get_object_member (object, "Hostinfo");
  g_assert_cmpstr (json_object_get_string_member (host, "Hostname"), ==, "box");
  g_assert_cmpstr (json_object_get_string_member (host, "OS"), ==, "linux");
  g_assert_true (json_object_get_boolean_member (host, "NoLogsNoSupport"));
  g_assert_true (json_object_has_member (host, "IPNVersion"));
  g_assert_false (json_object_has_member (host, "NetInfo"));
  g_assert_false (json_object_has_member (host, "ShieldsUp"));
}

static void
test_register_full (void)
{
  static const char secret[] = "hskey-auth-\"\\\n-\x7f-\xc3\xa4";
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (HnHostinfo) hostinfo = hn_hostinfo_new ("\"Followup\":\"\"");
  g_autoptr (HnSecretText) auth_key = hn_secret_text_new (secret);
  HnRegisterRequest request = {
    .version = 130,
    .node_key = node_key (0x11),
    .old_node_key = node_key (0x22),
    .auth_key = auth_key,
    .expiry = 123,
    .followup = "https://hs.test/register/\"AuthKey\":\"\"",
    .hostinfo = hostinfo,
  };
  g_autoptr (GBytes) body = hn_control_codec_format_register (&request);
  JsonObject *object = parse_object (body, parser);

  assert_members (object, "Auth Expiry Followup Hostinfo NodeKey OldNodeKey Version");
  assert_members (json_object_get_object_member (object, "Auth"), "AuthKey");
  g_assert_cmpstr (
      json_object_get_string_member (json_object_get_object_member (object, "Auth"), "AuthKey"), ==,
      secret);
  g_assert_cmpstr (json_object_get_string_member (object, "Followup"), ==, request.followup);
  /* Logout: a time in the past. */
  g_assert_cmpstr (json_object_get_string_member (object, "Expiry"), ==, "1970-01-01T00:02:03Z");
  g_assert_cmpstr (json_object_get_string_member (object, "OldNodeKey"), ==,
                   "nodekey:2222222222222222222222222222222222222222222222222222222222222222");
}

static void
test_hostinfo (void)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (HnHostinfo) hostinfo = hn_hostinfo_new ("box");
  HnRegisterRequest request = { .version = 130, .hostinfo = hostinfo };
  const char *const tags[] = { "tag:a", NULL };
  g_autoptr (GBytes) body = NULL;
  JsonObject *host;
  JsonObject *net;

  hostinfo->shields_up = TRUE;
  hostinfo->has_net_info = TRUE;
  hostinfo->preferred_derp = 999;
  hostinfo->working_udp = HN_OPT_TRUE;
  hostinfo->working_ipv6 = HN_OPT_FALSE;
  hostinfo->n_routable_ips = 1;
  hostinfo->routable_ips = g_new0 (HnPrefix, 1);
  g_assert_true (hn_prefix_parse ("10.0.0.0/8", FALSE, &hostinfo->routable_ips[0]));
  hostinfo->request_tags = g_strdupv ((GStrv) tags);
  body = hn_control_codec_format_register (&request);
  host = json_object_get_object_member (parse_object (body, parser), "Hostinfo");
  g_assert_true (json_object_get_boolean_member (host, "ShieldsUp"));
  g_assert_cmpstr (
      json_array_get_string_element (json_object_get_array_member (host, "RoutableIPs"), 0), ==,
      "10.0.0.0/8");
  g_assert_cmpstr (
      json_array_get_string_element (json_object_get_array_member (host, "RequestTags"), 0), ==,
      "tag:a");
  net = json_object_get_object_member (host, "NetInfo");
  assert_members (net, "PreferredDERP WorkingIPv6 WorkingUDP");
  g_assert_cmpint (json_object_get_int_member (net, "PreferredDERP"), ==, 999);
  g_assert_false (json_object_get_boolean_member (net, "WorkingIPv6"));
}

static void
test_map (void)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (HnHostinfo) hostinfo = hn_hostinfo_new ("box");
  HnMapRequest request
      = { .version = 130, .node_key = node_key (0x11), .stream = TRUE, .hostinfo = hostinfo };
  g_autoptr (GBytes) stream = NULL;
  g_autoptr (GBytes) lite = NULL;
  JsonObject *object;

  stream = hn_control_codec_format_map (&request);
  object = parse_object (stream, parser);
  assert_members (object, "Compress DiscoKey Hostinfo KeepAlive NodeKey Stream Version");
  /* Never "" for a key; zeros mean that there is none. */
  g_assert_cmpstr (json_object_get_string_member (object, "DiscoKey"), ==,
                   "discokey:0000000000000000000000000000000000000000000000000000000000000000");
  g_assert_cmpstr (json_object_get_string_member (object, "Compress"), ==, "zstd");
  g_assert_true (json_object_get_boolean_member (object, "Stream"));
  g_assert_true (json_object_get_boolean_member (object, "KeepAlive"));

  request.stream = FALSE;
  hostinfo->n_endpoints = 2;
  hostinfo->endpoints = g_new0 (HnTypedEndpoint, 2);
  g_assert_true (hn_endpoint_parse ("198.51.100.7:41641", &hostinfo->endpoints[0].endpoint));
  g_assert_true (hn_endpoint_parse ("[2001:db8::1]:5", &hostinfo->endpoints[1].endpoint));
  hostinfo->endpoints[0].type = HN_ENDPOINT_STUN;
  hostinfo->endpoints[1].type = HN_ENDPOINT_LOCAL;
  lite = hn_control_codec_format_map (&request);
  object = parse_object (lite, parser);
  assert_members (object, "Compress DiscoKey EndpointTypes Endpoints Hostinfo KeepAlive NodeKey "
                          "OmitPeers Version");
  g_assert_true (json_object_get_boolean_member (object, "OmitPeers"));
  g_assert_cmpstr (
      json_array_get_string_element (json_object_get_array_member (object, "Endpoints"), 1), ==,
      "[2001:db8::1]:5");
  g_assert_cmpint (
      json_array_get_int_element (json_object_get_array_member (object, "EndpointTypes"), 0), ==,
      2);
}

static HnRegisterResponse *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  HnRegisterResponse *response = hn_control_codec_parse_register (text, strlen (text), &error);

  g_assert_no_error (error);
  return response;
}

static void
test_response (void)
{
  g_autoptr (HnRegisterResponse) done
      = parse ("{\"User\":{\"ID\":9007199254740993,\"DisplayName\":\"A\"},\"Login\":{\"ID\":1,"
               "\"LoginName\":\"a@x\",\"DisplayName\":\"Al\"},\"NodeKeyExpired\":false,"
               "\"MachineAuthorized\":true,\"AuthURL\":\"\",\"NodeKeySignature\":null,\"Error\":"
               "\"\"} \n");
  g_autoptr (HnRegisterResponse) wait
      = parse ("{\"AuthURL\":\"https://hs.test/register/x\",\"MachineAuthorized\":false}");
  g_autoptr (HnRegisterResponse) refused
      = parse ("{\"Error\":\"invalid\\u0007 pre\\u009b auth key\",\"AuthURL\":\"nonsense\"}");
  g_autoptr (HnRegisterResponse) expired = parse ("{\"NodeKeyExpired\":true,\"Login\":null}");

  g_assert_true (done->machine_authorized);
  g_assert_null (done->auth_url);
  g_assert_null (done->error);
  g_assert_cmpint (done->user_id, ==, 1);
  g_assert_cmpstr (done->login_name, ==, "a@x");
  g_assert_cmpstr (hn_secret_text_reveal (wait->auth_url), ==, "https://hs.test/register/x");
  g_assert_cmpstr (wait->login_name, ==, "");
  g_assert_cmpstr (refused->error, ==, "invalid  pre   auth key");
  g_assert_true (expired->node_key_expired);
}

static void
test_response_cut (void)
{
  g_autoptr (GString) text = g_string_new ("{\"Error\":\"");
  g_autoptr (HnRegisterResponse) response = NULL;

  for (guint i = 0; i < 5000; i++)
    g_string_append (text, "\xc3\xa4");
  g_string_append (text, "\"}");
  response = parse (text->str);
  g_assert_cmpint (g_utf8_strlen (response->error, -1), ==, 1024);
  g_assert_true (g_utf8_validate (response->error, -1, NULL));
}

static void
test_response_bad (void)
{
  static const char *const texts[] = {
    "",
    "null",
    "[]",
    "{}",
    "\"x\"",
    "<html>",
    "{\"Foo\":1}",
    "{\"AuthURL\":5}",
    "{\"Error\":{}}",
    "{\"MachineAuthorized\":\"yes\"}",
    "{\"NodeKeyExpired\":1}",
    "{\"AuthURL\":\"\"",
    "{\"AuthURL\":\"\"}x",
    "{\"AuthURL\":\"ftp://x/\"}",
    "{\"AuthURL\":\"javascript:alert(1)\"}",
    "{\"AuthURL\":\"https://\"}",
    "{\"AuthURL\":\"https://a b/\"}",
    "{\"AuthURL\":\"https://a/\\u001b[0m\"}",
    "{\"AuthURL\":\"https://a/\\u00e4\"}",
    "{\"AuthURL\":\"https://a/\\u0000b\"}",
    "{\"AuthURL\":null,\"User\":{\"ID\":99999999999999999999}}",
    "{/*x*/\"Error\":\"\"}",
  };
  g_autofree char *deep = g_strnfill (200000, '[');
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) bad = NULL;

      g_test_message ("text %u", i);
      g_assert_null (hn_control_codec_parse_register (texts[i], strlen (texts[i]), &bad));
      g_assert_error (bad, HN_ERROR, HN_ERROR_PROTOCOL);
    }
  memcpy (deep, "{\"User\":", 8);
  g_assert_null (hn_control_codec_parse_register (deep, strlen (deep), &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_PROTOCOL);
}

static void
test_key (void)
{
  static const char good[] = "{\"legacyPublicKey\":\"mkey:"
                             "0000000000000000000000000000000000000000000000000000000000000000"
                             "\",\"publicKey\":\"mkey:"
                             "50d20b455ecf12bc453f83c2cfdb2a24925d06cf2598dcaa54e91af82ce9f765\"}";
  static const char *const texts[] = {
    "",
    "{}",
    "<!DOCTYPE html>",
    "[]",
    "{\"publicKey\":5}",
    "{\"publicKey\":\"\"}",
    "{\"publicKey\":\"mkey:0000000000000000000000000000000000000000000000000000000000000000\"}",
    "{\"publicKey\":\"nodekey:50d20b455ecf12bc453f83c2cfdb2a24925d06cf2598dcaa54e91af82ce9f765\"}",
    "50d20b455ecf12bc453f83c2cfdb2a24925d06cf2598dcaa54e91af82ce9f765",
    "{\"publicKey\":\"mkey:50d20b455ecf12bc453f83c2cfdb2a24925d06cf2598dcaa54e91af82ce9f765\"",
  };
  HnMachinePublic key;

  g_assert_true (hn_control_codec_parse_key (good, strlen (good), &key, NULL));
  g_assert_cmpint (key.bytes[0], ==, 0x50);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (hn_control_codec_parse_key (texts[i], strlen (texts[i]), &key, &error));
      g_assert_error (error, HN_ERROR, HN_ERROR_NOT_A_SERVER);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/control-codec/register-minimal", test_register_minimal);
  g_test_add_func ("/control-codec/register-full", test_register_full);
  g_test_add_func ("/control-codec/hostinfo", test_hostinfo);
  g_test_add_func ("/control-codec/map", test_map);
  g_test_add_func ("/control-codec/response", test_response);
  g_test_add_func ("/control-codec/response-cut", test_response_cut);
  g_test_add_func ("/control-codec/response-bad", test_response_bad);
  g_test_add_func ("/control-codec/key", test_key);
  return g_test_run ();
}
