/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readers and writers that never leave their buffer. */
#include "base/hn-bytes.h"

#include <string.h>

static void
test_reader (void)
{
  static const guint8 data[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
  HnReader r;
  guint8 out[4];

  hn_reader_init (&r, data, sizeof data);
  g_assert_cmpuint (hn_reader_u8 (&r), ==, 1);
  g_assert_cmpuint (hn_reader_be16 (&r), ==, 0x0203);
  g_assert_cmpuint (hn_reader_be32 (&r), ==, 0x04050607);
  g_assert_cmpuint (hn_reader_le32 (&r), ==, 0x0b0a0908);
  g_assert_cmpuint (hn_reader_left (&r), ==, 4);
  hn_reader_copy (&r, out, 4);
  g_assert_cmpuint (out[3], ==, 15);
  g_assert_true (hn_reader_ok (&r));

  hn_reader_init (&r, data, sizeof data);
  g_assert_cmpuint (hn_reader_be64 (&r), ==, 0x0102030405060708);
  /* Seven are left. */
  g_assert_cmpuint (hn_reader_le64 (&r), ==, 0);
  g_assert_false (hn_reader_ok (&r));
  g_assert_cmpuint (hn_reader_left (&r), ==, 0);
  g_assert_cmpuint (hn_reader_u8 (&r), ==, 0);
  g_assert_null (hn_reader_take (&r, 0));

  hn_reader_init (&r, data, 8);
  g_assert_cmpuint (hn_reader_le64 (&r), ==, 0x0807060504030201);
  g_assert_nonnull (hn_reader_take (&r, 0));
  g_assert_null (hn_reader_take (&r, G_MAXSIZE));
  g_assert_false (hn_reader_ok (&r));
}

static void
test_writer (void)
{
  static const guint8 expected[] = { 1, 2, 3, 4, 5, 6, 7, 14, 13, 12, 11, 15 };
  guint8 buf[12];
  HnWriter w;

  hn_writer_init (&w, buf, sizeof buf);
  hn_writer_u8 (&w, 1);
  hn_writer_be16 (&w, 0x0203);
  hn_writer_be32 (&w, 0x04050607);
  hn_writer_le32 (&w, 0x0b0c0d0e);
  hn_writer_bytes (&w, "\x0f", 1);
  g_assert_true (hn_writer_ok (&w));
  g_assert_cmpmem (buf, w.len, expected, sizeof expected);
  hn_writer_u8 (&w, 0);
  g_assert_false (hn_writer_ok (&w));
  g_assert_cmpuint (w.len, ==, sizeof buf);

  hn_writer_init (&w, buf, 10);
  hn_writer_be64 (&w, 0x0102030405060708);
  g_assert_cmpuint (buf[7], ==, 8);
  hn_writer_le64 (&w, 1);
  g_assert_false (hn_writer_ok (&w));
  /* A failed writer stays failed, even for what would fit. */
  hn_writer_u8 (&w, 1);
  g_assert_cmpuint (w.len, ==, 8);
}

static void
test_hex (void)
{
  guint8 out[3];
  char text[7];

  hn_hex_encode ("\x00\xab\xff", 3, text);
  g_assert_cmpstr (text, ==, "00abff");
  g_assert_true (hn_hex_decode ("00ABff", 6, out, 3));
  g_assert_cmpmem (out, 3, "\x00\xab\xff", 3);
  g_assert_false (hn_hex_decode ("00abf", 5, out, 3));
  g_assert_false (hn_hex_decode ("00abff0", 7, out, 3));
  g_assert_false (hn_hex_decode ("00abfg", 6, out, 3));
  g_assert_false (hn_hex_decode ("00ab\0f", 6, out, 3));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bytes/reader", test_reader);
  g_test_add_func ("/bytes/writer", test_writer);
  g_test_add_func ("/bytes/hex", test_hex);
  return g_test_run ();
}
