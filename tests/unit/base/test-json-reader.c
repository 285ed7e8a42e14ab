/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The strict JSON reader: what it takes, what it refuses, and how it goes on. */
#include "base/hn-json-reader.h"

#include <string.h>

#include "base/hn-error.h"

static gboolean
check (const char *text)
{
  /* A copy of exact size, so that the sanitizer sees any read past the end. */
  g_autofree char *copy = g_memdup2 (text, strlen (text));

  return hn_json_check (copy, strlen (text), NULL);
}

static void
test_check_good (void)
{
  static const char *const good[] = {
    "{}",
    "[]",
    "null",
    " true ",
    "false",
    "0",
    "-0",
    "-12.5e+3",
    "1E9",
    "\"\"",
    "\"plain text that is longer than a word or two\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
    "\"\\ud83d\\ude00\"",
    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
    "{\"a\":[1,2,{\"b\":null}],\"c\":\"d\"}",
    "\t{ \"a\" : [ ] , \"b\" : { } }\r\n",
    "9223372036854775807",
    "-9223372036854775808",
    "[1e400]",
  };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    if (!check (good[i]))
      g_error ("refused: %s", good[i]);
}

static void
test_check_bad (void)
{
  static const char *const bad[] = {
    "",
    " ",
    "{",
    "[",
    "{]",
    "[}",
    "[1}",
    "{\"a\":1]",
    "[1,]",
    "{\"a\":1,}",
    "{,}",
    "[,1]",
    "{\"a\"}",
    "{\"a\":}",
    "{a:1}",
    "{'a':1}",
    "{1:1}",
    "[1 2]",
    "1 2",
    "{} {}",
    "// comment\n1",
    "[1/* comment */]",
    "01",
    "-",
    "+1",
    ".5",
    "1.",
    "1e",
    "1e+",
    "0x10",
    "--1",
    "1-",
    "NaN",
    "Infinity",
    "tru",
    "truex",
    "True",
    "nul",
    "nullnull",
    "\"",
    "\"abc",
    "\"abcdefgh\\",
    "\"a\nb\"",
    "\"a\tb\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\ud83d\"",
    "\"\\ud83dabcdefg\"",
    "\"\\ud83d\\u0041\"",
    "\"\\ude00\"",
    "\"\xff\"",
    "\"\xc0\x80\"",
    "\"\xe0\x80\x80\"",
    "\"\xed\xa0\x80\"",
    "\"\xf5\x80\x80\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xe2\x82",
    "\xef\xbb\xbf{}",
    "9223372036854775808",
    "-9223372036854775809",
    "[18446744073709551616]",
    "{\"a\":99999999999999999999999}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    if (check (bad[i]))
      g_error ("taken: %s", bad[i]);
  g_assert_false (hn_json_check ("{}\0", 3, NULL));
  g_assert_false (hn_json_check ("\"a\0b\"", 5, NULL));
}

static void
test_depth (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *deep = g_malloc (200001);

  memset (deep, '[', HN_JSON_MAX_DEPTH);
  memset (deep + HN_JSON_MAX_DEPTH, ']', HN_JSON_MAX_DEPTH);
  g_assert_true (hn_json_check (deep, 2 * HN_JSON_MAX_DEPTH, NULL));
  memset (deep, '[', HN_JSON_MAX_DEPTH + 1);
  memset (deep + HN_JSON_MAX_DEPTH + 1, ']', HN_JSON_MAX_DEPTH + 1);
  g_assert_false (hn_json_check (deep, 2 * HN_JSON_MAX_DEPTH + 2, NULL));
  memset (deep, '[', 200000);
  g_assert_false (hn_json_check (deep, 200000, &error));
  g_assert_error (error, HN_ERROR, HN_ERROR_PROTOCOL);

  /* The same limit when the levels are entered one by one. */
  {
    HnJsonReader r;
    guint n = 0;

    hn_json_reader_init (&r, deep, 200000);
    while (hn_json_reader_begin_array (&r) && hn_json_reader_next_element (&r))
      n++;
    g_assert_cmpuint (n, ==, HN_JSON_MAX_DEPTH);
    g_assert_false (hn_json_reader_ok (&r));
  }
}

static void
test_walk (void)
{
  static const char text[]
      = "{\"name\":\"h\\u00e9\",\"odd\":[1,{\"x\":2}],\"n\":-42,\"f\":2.5,\"yes\":true,"
        "\"list\":[\"a\",\"b\"],\"none\":null,\"empty\":[],\"o\":{\"deep\":{\"er\":7}},"
        "\"a name that is far longer than the buffer\":1,\"last\":\"end\"}";
  HnJsonReader r;
  char name[16], buf[32];
  guint seen = 0;
  gint64 n = 0;
  double f = 0;
  gboolean yes = FALSE;

  hn_json_reader_init (&r, text, sizeof text - 1);
  g_assert_false (hn_json_reader_at_end (&r));
  g_assert_cmpint (hn_json_reader_peek (&r), ==, HN_JSON_OBJECT);
  g_assert_true (hn_json_reader_begin_object (&r));
  while (hn_json_reader_next_member (&r, name, sizeof name))
    {
      seen++;
      if (strcmp (name, "name") == 0)
        {
          g_assert_true (hn_json_reader_string (&r, buf, sizeof buf));
          g_assert_cmpstr (buf, ==, "h\xc3\xa9");
        }
      else if (strcmp (name, "n") == 0)
        g_assert_true (hn_json_reader_int64 (&r, &n));
      else if (strcmp (name, "f") == 0)
        g_assert_true (hn_json_reader_double (&r, &f));
      else if (strcmp (name, "yes") == 0)
        g_assert_true (hn_json_reader_boolean (&r, &yes));
      else if (strcmp (name, "list") == 0)
        {
          guint count = 0;

          g_assert_true (hn_json_reader_begin_array (&r));
          while (hn_json_reader_next_element (&r))
            {
              g_autofree char *item = hn_json_reader_dup_string (&r, 10);

              g_assert_cmpstr (item, ==, count == 0 ? "a" : "b");
              count++;
            }
          g_assert_cmpuint (count, ==, 2);
        }
      else if (strcmp (name, "none") == 0)
        {
          g_assert_cmpint (hn_json_reader_peek (&r), ==, HN_JSON_NULL);
          g_assert_false (hn_json_reader_begin_array (&r));
        }
      else if (strcmp (name, "empty") == 0)
        {
          g_assert_true (hn_json_reader_begin_array (&r));
          g_assert_false (hn_json_reader_next_element (&r));
        }
      else if (strcmp (name, "o") == 0)
        {
          const char *raw;
          gsize raw_len;

          g_assert_true (hn_json_reader_raw (&r, &raw, &raw_len));
          g_assert_cmpmem (raw, raw_len, "{\"deep\":{\"er\":7}}", 17);
        }
      else
        g_assert_true (hn_json_reader_skip (&r));
    }
  g_assert_true (hn_json_reader_ok (&r));
  g_assert_true (hn_json_reader_at_end (&r));
  g_assert_cmpuint (seen, ==, 11);
  g_assert_cmpint (n, ==, -42);
  g_assert_cmpfloat (f, ==, 2.5);
  g_assert_true (yes);
}

static void
test_wrong_types (void)
{
  static const char text[] = "[\"text\",{\"a\":[1]},3,null,1.5,true,\"x\"]";
  HnJsonReader r;
  gint64 n = 7;
  double f = 7;
  gboolean flag = TRUE;
  char buf[8];

  hn_json_reader_init (&r, text, sizeof text - 1);
  g_assert_true (hn_json_reader_begin_array (&r));
  g_assert_true (hn_json_reader_next_element (&r));
  g_assert_false (hn_json_reader_int64 (&r, &n));
  g_assert_true (hn_json_reader_next_element (&r));
  g_assert_false (hn_json_reader_string (&r, buf, sizeof buf));
  g_assert_cmpstr (buf, ==, "");
  g_assert_true (hn_json_reader_next_element (&r));
  g_assert_false (hn_json_reader_begin_object (&r));
  g_assert_true (hn_json_reader_next_element (&r));
  g_assert_false (hn_json_reader_boolean (&r, &flag));
  g_assert_true (hn_json_reader_next_element (&r));
  g_assert_false (hn_json_reader_int64 (&r, &n));
  g_assert_true (hn_json_reader_next_element (&r));
  g_assert_false (hn_json_reader_double (&r, &f));
  g_assert_true (hn_json_reader_next_element (&r));
  g_assert_true (hn_json_reader_string (&r, buf, sizeof buf));
  g_assert_cmpstr (buf, ==, "x");
  g_assert_false (hn_json_reader_next_element (&r));
  g_assert_true (hn_json_reader_at_end (&r));
  /* What was not read was not touched. */
  g_assert_cmpint (n, ==, 7);
  g_assert_cmpfloat (f, ==, 7);
  g_assert_true (flag);
}

static void
test_strings (void)
{
  HnJsonReader r;
  char buf[4];
  char *text;

  /* Room for three bytes and the NUL. */
  hn_json_reader_init (&r, "\"abc\"", 5);
  g_assert_true (hn_json_reader_string (&r, buf, sizeof buf));
  hn_json_reader_init (&r, "\"abcd\"", 6);
  g_assert_false (hn_json_reader_string (&r, buf, sizeof buf));
  g_assert_true (hn_json_reader_at_end (&r));
  hn_json_reader_init (&r, "\"ab\\u00e9\"", 10);
  g_assert_false (hn_json_reader_string (&r, buf, sizeof buf));
  hn_json_reader_init (&r, "\"a\\u00e9\"", 9);
  g_assert_true (hn_json_reader_string (&r, buf, sizeof buf));
  g_assert_cmpstr (buf, ==, "a\xc3\xa9");

  /* No C string can hold U+0000; the value is lost, the rest is not. */
  hn_json_reader_init (&r, "\"\\u0000\"", 8);
  g_assert_false (hn_json_reader_string (&r, buf, sizeof buf));
  g_assert_true (hn_json_reader_at_end (&r));

  hn_json_reader_init (&r, "\"\\ud83d\\ude00!\"", 15);
  text = hn_json_reader_dup_string (&r, 100);
  g_assert_cmpstr (text, ==, "\xf0\x9f\x98\x80!");
  g_free (text);
  hn_json_reader_init (&r, "\"abcdef\"", 8);
  g_assert_null (hn_json_reader_dup_string (&r, 5));
  g_assert_true (hn_json_reader_at_end (&r));
}

static void
test_failure_is_final (void)
{
  HnJsonReader r;
  char name[8];
  gint64 n;

  hn_json_reader_init (&r, "{\"a\":1,\"b\":x,\"c\":3}", 19);
  g_assert_true (hn_json_reader_begin_object (&r));
  g_assert_true (hn_json_reader_next_member (&r, name, sizeof name));
  g_assert_true (hn_json_reader_int64 (&r, &n));
  g_assert_true (hn_json_reader_next_member (&r, name, sizeof name));
  g_assert_false (hn_json_reader_int64 (&r, &n));
  g_assert_false (hn_json_reader_ok (&r));
  g_assert_false (hn_json_reader_next_member (&r, name, sizeof name));
  g_assert_false (hn_json_reader_skip (&r));
  g_assert_cmpint (hn_json_reader_peek (&r), ==, HN_JSON_NONE);
  g_assert_false (hn_json_reader_at_end (&r));

  /* An integer that does not fit never wraps. */
  hn_json_reader_init (&r, "9223372036854775808", 19);
  g_assert_false (hn_json_reader_int64 (&r, &n));
  g_assert_false (hn_json_reader_ok (&r));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/json/check/good", test_check_good);
  g_test_add_func ("/json/check/bad", test_check_bad);
  g_test_add_func ("/json/depth", test_depth);
  g_test_add_func ("/json/walk", test_walk);
  g_test_add_func ("/json/wrong-types", test_wrong_types);
  g_test_add_func ("/json/strings", test_strings);
  g_test_add_func ("/json/failure-is-final", test_failure_is_final);
  return g_test_run ();
}
