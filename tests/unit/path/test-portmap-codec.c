/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hn-bytes.h"
#include "path/hn-portmap-codec.h"

static HnEndpoint
endpoint (const char *text)
{
  HnEndpoint result;

  g_assert_true (hn_endpoint_parse (text, &result));
  return result;
}

static void
check_bytes (const guint8 *data, gsize len, const char *expected)
{
  g_autofree char *hex = g_malloc (2 * len + 1);

  hn_hex_encode (data, len, hex);
  g_assert_cmpstr (hex, ==, expected);
}

static void
test_requests (void)
{
  static const guint8 nonce[HN_PCP_NONCE_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
  const HnEndpoint client = endpoint ("192.168.1.7:1");
  const HnEndpoint wish = endpoint ("45.67.89.10:41641");
  const HnEndpoint none = { 0 };
  guint8 address[HN_PMP_ADDRESS_REQUEST_LEN];
  guint8 pmp[HN_PMP_MAP_REQUEST_LEN];
  guint8 announce[HN_PCP_ANNOUNCE_LEN];
  guint8 pcp[HN_PCP_MAP_LEN];

  hn_pmp_write_address_request (address);
  check_bytes (address, sizeof address, "0000");
  hn_pmp_write_map_request (41641, 41641, 7200, pmp);
  check_bytes (pmp, sizeof pmp, "00010000a2a9a2a900001c20");
  hn_pmp_write_map_request (41641, 0, 0, pmp);
  check_bytes (pmp, sizeof pmp, "00010000a2a9000000000000");
  hn_pcp_write_announce (&client.ip, announce);
  check_bytes (announce, sizeof announce, "020000000000000000000000000000000000ffffc0a80107");
  hn_pcp_write_map_request (&client.ip, nonce, 41641, &wish, 7200, pcp);
  check_bytes (pcp, sizeof pcp,
               "0201000000001c2000000000000000000000ffffc0a80107"
               "0102030405060708090a0b0c11000000a2a9a2a9"
               "00000000000000000000ffff2d43590a");
  hn_pcp_write_map_request (&client.ip, nonce, 41641, &none, 0, pcp);
  check_bytes (pcp, sizeof pcp,
               "020100000000000000000000000000000000ffffc0a80107"
               "0102030405060708090a0b0c11000000a2a90000"
               "00000000000000000000ffff00000000");
}

/* In a block of exactly its size. */
static gboolean
parse (const char *hex, HnPortmapAnswer *answer)
{
  gsize len = strlen (hex) / 2;
  g_autofree guint8 *data = g_malloc (len);

  g_assert_true (hn_hex_decode (hex, strlen (hex), data, len));
  return hn_portmap_parse_answer (data, len, answer);
}

#define PCP_HEAD(op, result) "02" op "00" result "00001c2000000064000000000000000000000000"
#define PCP_BODY                                                                                   \
  "0102030405060708090a0b0c11000000a2a9a2aa"                                                       \
  "00000000000000000000ffff2d43590a"

static void
test_answers (void)
{
  HnPortmapAnswer answer;
  char text[HN_IP_TEXT_MAX];

  g_assert_true (parse ("00800000000000642d43590a", &answer));
  g_assert_cmpint (answer.kind, ==, HN_PORTMAP_ANSWER_PMP_ADDRESS);
  g_assert_cmpuint (answer.epoch_s, ==, 100);
  g_assert_cmpstr (hn_ip_format (&answer.outer.ip, text), ==, "45.67.89.10");

  g_assert_true (parse ("0081000000000064a2a9a2aa00001c20", &answer));
  g_assert_cmpint (answer.kind, ==, HN_PORTMAP_ANSWER_PMP_MAP);
  g_assert_cmpuint (answer.inner_port, ==, 41641);
  g_assert_cmpuint (answer.outer.port, ==, 41642);
  g_assert_cmpuint (answer.lifetime_s, ==, 7200);

  /* No, in few words. */
  g_assert_true (parse ("0081000200000064", &answer));
  g_assert_cmpuint (answer.result, ==, 2);

  g_assert_true (parse (PCP_HEAD ("80", "00"), &answer));
  g_assert_cmpint (answer.kind, ==, HN_PORTMAP_ANSWER_PCP_ANNOUNCE);

  g_assert_true (parse (PCP_HEAD ("81", "00") PCP_BODY, &answer));
  g_assert_cmpint (answer.kind, ==, HN_PORTMAP_ANSWER_PCP_MAP);
  g_assert_cmpuint (answer.inner_port, ==, 41641);
  g_assert_cmpstr (hn_endpoint_format (&answer.outer, text), ==, "45.67.89.10:41642");
  g_assert_cmpuint (answer.lifetime_s, ==, 7200);
  g_assert_cmpuint (answer.epoch_s, ==, 100);
  g_assert_cmpuint (answer.nonce[11], ==, 12);
}

static void
test_malformed (void)
{
  static const char *const lines[] = {
    "",
    "00",
    "0080",
    "00800000000000642d4359",           /* cut off */
    "0081000000000064a2a9a2aa00001c",   /* cut off */
    "0000000000000064a2a9a2aa00001c20", /* a request */
    "0082000000000064a2a9a2aa00001c20", /* TCP */
    "0181000000000064a2a9a2aa00001c20", /* no such version */
    "0080000200",
    PCP_HEAD ("81", "00"),
    PCP_HEAD ("81", "08"),
    PCP_HEAD ("82", "00") PCP_BODY, /* PEER */
    PCP_HEAD ("01", "00") PCP_BODY, /* a request */
    /* TCP */
    PCP_HEAD ("81", "00") "0102030405060708090a0b0c06000000a2a9a2aa"
                          "00000000000000000000ffff2d43590a",
  };
  HnPortmapAnswer answer;

  for (guint i = 0; i < G_N_ELEMENTS (lines); i++)
    if (parse (lines[i], &answer))
      g_error ("taken: %s", lines[i]);
}

static char *
find (const char *text)
{
  gsize len = strlen (text);
  g_autofree guint8 *data = g_memdup2 (text, len);
  char path[HN_SSDP_PATH_MAX];
  guint16 port;

  if (!hn_ssdp_parse_answer (data, len, &port, path))
    return NULL;
  return g_strdup_printf ("%u%s", port, path);
}

static void
check_find (const char *text, const char *expected)
{
  g_autofree char *found = find (text);

  g_assert_cmpstr (found, ==, expected);
}

#define OK "HTTP/1.1 200 OK\r\n"
#define GATEWAY "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"

static void
test_search (void)
{
  g_autofree char *far = g_strnfill (300, 'a');
  g_autofree char *longer
      = g_strconcat (OK GATEWAY "LOCATION: http://10.0.0.1/", far, "\r\n\r\n", NULL);
  char search[HN_SSDP_REQUEST_MAX];

  g_assert_cmpuint (hn_ssdp_write_search (FALSE, search), ==, strlen (search));
  g_assert_true (g_str_has_suffix (search, "\r\n\r\n"));

  check_find (OK GATEWAY "LOCATION: http://192.168.1.1:5000/root.xml\r\n\r\n", "5000/root.xml");
  check_find ("HTTP/1.0 200 OK\nlocation:http://10.0.0.1/\nst:x:WANIPConnection:2\n\n", "80/");
  /* The host is not used, but has to be an address. */
  check_find (OK GATEWAY "LOCATION: http://router.lan/root.xml\r\n\r\n", NULL);
  check_find (OK GATEWAY "LOCATION: https://10.0.0.1/root.xml\r\n\r\n", NULL);
  check_find (OK GATEWAY "LOCATION: http://10.0.0.1:0/root.xml\r\n\r\n", NULL);
  check_find (OK GATEWAY "LOCATION: http://10.0.0.1:99999/root.xml\r\n\r\n", NULL);
  check_find (OK GATEWAY "LOCATION: http://10.0.0.1\r\n\r\n", NULL);
  check_find (OK GATEWAY "LOCATION: http://10.0.0.1/a b\r\n\r\n", NULL);
  check_find (OK GATEWAY "LOCATION: http://10.0.0.1/\x7f\r\n\r\n", NULL);
  check_find (longer, NULL);
  /* No gateway, no success, no answer. */
  check_find (OK "ST: urn:schemas-upnp-org:device:MediaServer:1\r\n"
                 "LOCATION: http://10.0.0.1/root.xml\r\n\r\n",
              NULL);
  check_find ("HTTP/1.1 404 No\r\n" GATEWAY "LOCATION: http://10.0.0.1/\r\n\r\n", NULL);
  check_find ("NOTIFY * HTTP/1.1\r\n" GATEWAY "LOCATION: http://10.0.0.1/\r\n\r\n", NULL);
  check_find (OK GATEWAY "\r\nLOCATION: http://10.0.0.1/\r\n\r\n", NULL);
  check_find (OK GATEWAY "LOCATION: http://10.0.0.1/", NULL);
  check_find ("", NULL);
}

static void
test_addresses (void)
{
  static const char *const private[] = { "10.0.0.1", "172.16.0.1", "172.31.255.1", "192.168.1.1" };
  static const char *const neither[]
      = { "0.0.0.0",   "127.0.0.1", "169.254.1.1",     "100.64.0.1", "100.127.0.1",
          "192.0.0.1", "224.0.0.1", "255.255.255.255", "198.18.0.1", "2001:db8::1" };
  static const char *const public[]
      = { "45.67.89.10", "172.32.0.1", "172.15.0.1", "192.169.0.1", "100.128.0.1" };
  HnIp ip = { 0 };

  g_assert_false (hn_portmap_is_gateway (&ip));
  g_assert_false (hn_portmap_is_public (&ip));
  for (guint i = 0; i < G_N_ELEMENTS (private); i++)
    {
      g_assert_true (hn_ip_parse (private[i], &ip));
      g_assert_true (hn_portmap_is_gateway (&ip));
      g_assert_false (hn_portmap_is_public (&ip));
    }
  for (guint i = 0; i < G_N_ELEMENTS (neither); i++)
    {
      g_assert_true (hn_ip_parse (neither[i], &ip));
      g_assert_false (hn_portmap_is_gateway (&ip));
      g_assert_false (hn_portmap_is_public (&ip));
    }
  for (guint i = 0; i < G_N_ELEMENTS (public); i++)
    {
      g_assert_true (hn_ip_parse (public[i], &ip));
      g_assert_false (hn_portmap_is_gateway (&ip));
      g_assert_true (hn_portmap_is_public (&ip));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/portmap-codec/requests", test_requests);
  g_test_add_func ("/portmap-codec/answers", test_answers);
  g_test_add_func ("/portmap-codec/malformed", test_malformed);
  g_test_add_func ("/portmap-codec/search", test_search);
  g_test_add_func ("/portmap-codec/addresses", test_addresses);
  return g_test_run ();
}
