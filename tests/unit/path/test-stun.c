/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/hn-bytes.h"
#include "path/hn-stun.h"

static const guint8 test_id[HN_STUN_ID_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

static void
test_request (void)
{
  guint8 request[HN_STUN_REQUEST_LEN];
  char hex[2 * HN_STUN_REQUEST_LEN + 1];

  hn_stun_write_request (test_id, request);
  hn_hex_encode (request, sizeof request, hex);
  g_assert_cmpstr (hex, ==,
                   "000100142112a4420102030405060708090a0b0c802200087461696c6e6f6465"
                   "80280004b32c370f");
  g_assert_true (hn_stun_is_stun (request, sizeof request));
}

/* Parses hex; the endpoint's text, or NULL. The message is in a block of exactly its size. */
static char *
parse (const char *hex)
{
  gsize len = strlen (hex) / 2;
  g_autofree guint8 *data = g_malloc (len);
  guint8 id[HN_STUN_ID_LEN];
  HnEndpoint mapped;
  char text[HN_IP_TEXT_MAX];

  g_assert_true (hn_hex_decode (hex, strlen (hex), data, len));
  if (!hn_stun_parse_response (data, len, id, &mapped))
    return NULL;
  g_assert_cmpmem (id, sizeof id, test_id, sizeof test_id);
  g_assert_true (hn_stun_is_stun (data, len));
  return g_strdup (hn_endpoint_format (&mapped, text));
}

#define HEAD(len) "0101" len "2112a4420102030405060708090a0b0c"

static void
check (const char *hex, const char *expected)
{
  g_autofree char *text = parse (hex);

  g_assert_cmpstr (text, ==, expected);
}

static void
test_response (void)
{
  /* Of a real server. */
  check (HEAD ("000c") "00200008000183bbea12d54b", "203.0.113.9:41641");
  /* The attribute's old number. */
  check (HEAD ("000c") "80200008000183bbea12d54b", "203.0.113.9:41641");
  /* Plain, and both: the masked one wins wherever it stands. */
  check (HEAD ("000c") "000100080001a2a9cb007109", "203.0.113.9:41641");
  check (HEAD ("0018") "0001000800010001"
                       "0a000001"
                       "00200008000183bbea12d54b",
         "203.0.113.9:41641");
  /* Others before it, one with padding. */
  check (HEAD ("0014") "8022000361626300"
                       "00200008000183bbea12d54b",
         "203.0.113.9:41641");
  /* IPv6: 2001:db8::5:41641. */
  check (HEAD ("0018") "00200014000283bb"
                       "0113a9fa0102030405060708090a0b09",
         "[2001:db8::5]:41641");
  /* IPv4 mapped into IPv6, as a server with one socket for both says it. */
  check (HEAD ("0018") "00200014000283bb"
                       "2112a442010203040506f8f7c20a7a05",
         "203.0.113.9:41641");
  /* What stands behind the message is no part of it. */
  check (HEAD ("000c") "00200008000183bbea12d54bffff", "203.0.113.9:41641");
}

static void
test_refused (void)
{
  check ("", NULL);
  check ("0101000c2112a44201020304", NULL);
  check (HEAD ("0000"), NULL);
  /* A request, an error, an indication. */
  check ("0001000c2112a4420102030405060708090a0b0c00200008000183bbea12d54b", NULL);
  check ("0111000c2112a4420102030405060708090a0b0c00200008000183bbea12d54b", NULL);
  check ("0011000c2112a4420102030405060708090a0b0c00200008000183bbea12d54b", NULL);
  /* Another cookie. */
  check ("0101000c2112a4430102030405060708090a0b0c00200008000183bbea12d54b", NULL);
  /* Longer than what came; an attribute longer than the message. */
  check (HEAD ("0010") "00200008000183bbea12d54b", NULL);
  check (HEAD ("000c") "00200009000183bbea12d54b", NULL);
  check (HEAD ("000c") "0020ffff000183bbea12d54b", NULL);
  /* The message ends before the address does. */
  check (HEAD ("0008") "00200008000183bbea12d54b", NULL);
  check (HEAD ("000a") "00200006000183bbea12", NULL);
  /* No port, no such family. */
  check (HEAD ("000c") "0020000800012112ea12d54b", NULL);
  check (HEAD ("000c") "00200008000383bbea12d54b", NULL);
  /* IPv6 with the length of IPv4. */
  check (HEAD ("000c") "00200008000283bbea12d54b", NULL);
  /* A bad one before a good one. */
  check (HEAD ("0018") "00200008000383bbea12d54b"
                       "00200008000183bbea12d54b",
         "203.0.113.9:41641");
}

static void
test_classify (void)
{
  guint8 data[32] = { 4, 0, 0, 0, 0x21, 0x12, 0xa4, 0x42 };

  /* A WireGuard message whose index looks like the cookie. */
  g_assert_false (hn_stun_is_stun (data, sizeof data));
  data[0] = 1;
  g_assert_false (hn_stun_is_stun (data, sizeof data));
  data[1] = 1;
  g_assert_true (hn_stun_is_stun (data, sizeof data));
  g_assert_true (hn_stun_is_stun (data, 20));
  g_assert_false (hn_stun_is_stun (data, 19));
  data[0] = 0x81;
  g_assert_false (hn_stun_is_stun (data, sizeof data));
  data[0] = 1;
  data[7] = 0;
  g_assert_false (hn_stun_is_stun (data, sizeof data));
  g_assert_false (hn_stun_is_stun (data, 0));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/path/stun/request", test_request);
  g_test_add_func ("/path/stun/response", test_response);
  g_test_add_func ("/path/stun/refused", test_refused);
  g_test_add_func ("/path/stun/classify", test_classify);
  return g_test_run ();
}
