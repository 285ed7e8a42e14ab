/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/hn-hash.h"

#include <string.h>

#include "base/hn-ip.h"

#define N_KEYS 20000

/* Of so many keys hardly two share a hash, wherever in the key they differ. */
static void
check_spread (GHashTable *hashes)
{
  g_assert_cmpuint (g_hash_table_size (hashes), >, N_KEYS - 20);
}

static void
test_bytes (void)
{
  for (guint at = 0; at <= 28; at += 4)
    {
      g_autoptr (GHashTable) hashes = g_hash_table_new (NULL, NULL);
      guint8 key[32] = { 0 };

      for (guint32 i = 0; i < N_KEYS; i++)
        {
          memcpy (key + at, &i, sizeof i);
          g_hash_table_add (hashes, GUINT_TO_POINTER (hn_hash_bytes (key, sizeof key)));
        }
      check_spread (hashes);
    }
}

static void
test_texts (void)
{
  g_autoptr (GHashTable) hashes = g_hash_table_new (NULL, NULL);

  /* "Ba" and "C@" are one to g_str_hash(), and so is whatever is made of them. */
  for (guint i = 0; i < N_KEYS; i++)
    {
      char text[2 * 15 + 1] = "";

      for (guint bit = 0; bit < 15; bit++)
        strcat (text, (i >> bit & 1) != 0 ? "Ba" : "C@");
      g_hash_table_add (hashes, GUINT_TO_POINTER (hn_hash_text (text)));
    }
  check_spread (hashes);
  g_assert_cmpuint (hn_hash_text ("a"), ==, hn_hash_bytes ("a", 1));
  g_assert_cmpuint (hn_hash_text (""), !=, hn_hash_bytes ("\0", 1));
}

/* What a product with an unknown odd number does to the highest bit is known: it flips just that one.
 * No choice of the bits behind may undo it, or long keys could be made that share a hash. */
static void
test_chosen (void)
{
  g_autoptr (GHashTable) hashes = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < 1024; i++)
    {
      guint64 words[20] = { 0 };

      for (guint bit = 0; bit < 10; bit++)
        if ((i >> bit & 1) != 0)
          {
            words[2 * bit] = GUINT64_TO_LE (G_GUINT64_CONSTANT (1) << 63);
            words[2 * bit + 1]
                = GUINT64_TO_LE (G_GUINT64_CONSTANT (1) << 63 | G_GUINT64_CONSTANT (1) << 34);
          }
      g_hash_table_add (hashes, GUINT_TO_POINTER (hn_hash_bytes (words, sizeof words)));
    }
  g_assert_cmpuint (g_hash_table_size (hashes), >, 1020);
}

static void
test_addresses (void)
{
  g_autoptr (GHashTable) hashes = g_hash_table_new (NULL, NULL);

  for (guint32 i = 0; i < N_KEYS; i++)
    {
      guint8 bytes[16] = { 0xfd };
      HnIp ip;

      memcpy (bytes + 8, &i, sizeof i);
      ip = hn_ip_from_bytes (bytes, sizeof bytes);
      g_hash_table_add (hashes, GUINT_TO_POINTER (hn_ip_hash (&ip)));
    }
  check_spread (hashes);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hash/bytes", test_bytes);
  g_test_add_func ("/hash/texts", test_texts);
  g_test_add_func ("/hash/chosen", test_chosen);
  g_test_add_func ("/hash/addresses", test_addresses);
  return g_test_run ();
}
