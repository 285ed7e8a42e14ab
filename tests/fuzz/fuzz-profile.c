/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of a profile as somebody may have left them. The first byte says which: settings, which must
 * come back the same when written and read again, or one of the keys.
 */
#include <stdint.h>
#include <string.h>

#include "engine/hn-profile-codec.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
fuzz_settings (const char *data, size_t size)
{
  g_autoptr (HnPreferences) read = NULL, again = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *written = NULL;
  gsize len;

  read = hn_profile_codec_parse_settings (data, size, &error);
  if (read == NULL)
    {
      g_assert_nonnull (error);
      return;
    }
  g_assert_null (error);
  g_assert_true (g_utf8_validate (read->name, -1, NULL));
  written = hn_profile_codec_format_settings (read, &len);
  again = hn_profile_codec_parse_settings (written, len, NULL);
  g_assert_nonnull (again);
  g_assert_true (hn_preferences_equal (read, again));
}

static void
fuzz_key (guint kind, const uint8_t *data, size_t size)
{
  char text[HN_KEY_TEXT_MAX], again[HN_KEY_TEXT_MAX];
  HnMachinePrivate machine;
  HnNodePrivate node;
  HnDiscoPrivate disco;
  HnMachinePublic server;

  if (!hn_profile_codec_parse_key_text (data, size, text))
    return;
  g_assert_cmpuint (strlen (text), <, HN_KEY_TEXT_MAX);
  switch (kind)
    {
    case 0:
      if (!hn_machine_private_parse (text, &machine))
        return;
      hn_machine_private_format_for_file (&machine, again);
      break;
    case 1:
      if (!hn_node_private_parse (text, &node))
        return;
      hn_node_private_format_for_file (&node, again);
      break;
    case 2:
      if (!hn_disco_private_parse (text, &disco))
        return;
      hn_disco_private_format_for_file (&disco, again);
      break;
    default:
      if (!hn_machine_public_parse (text, &server))
        return;
      hn_machine_public_format (&server, again);
      break;
    }
  g_assert_true (g_ascii_strcasecmp (text, again) == 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (size < 1)
    return 0;
  if (data[0] < 0x80)
    fuzz_settings ((const char *) data + 1, size - 1);
  else
    fuzz_key (data[0] % 4, data + 1, size - 1);
  return 0;
}
