/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people and strangers write: addresses of servers, host names, words for a terminal. */
#include <stdint.h>
#include <string.h>

#include "base/hn-text.h"
#include "control/hn-control-connection.h"
#include "model/hn-preferences.h"
#include "net/hn-http-upgrade.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
fuzz_url (const char *text)
{
  g_autofree char *url = hn_preferences_normalize_url (text, NULL);
  g_autofree char *again = url != NULL ? hn_preferences_normalize_url (url, NULL) : NULL;
  g_autoptr (HnServerAddress) server = NULL;

  /* What was made normal stays so. */
  g_assert_cmpstr (url, ==, again);
  server = hn_server_address_new (url != NULL ? url : text, NULL);
  if (server != NULL)
    {
      g_autofree char *host = hn_http_format_host (server->host, server->port, server->tls);

      /* It goes into a request's header. */
      g_assert_null (strpbrk (host, " \r\n"));
    }
}

static void
fuzz_words (const char *data, size_t size)
{
  g_autofree char *words = hn_text_make_printable (data, size);

  g_assert_true (g_utf8_validate (words, -1, NULL));
  g_assert_cmpuint (strlen (words), <=, 3 * size);
  for (const char *p = words; *p != '\0'; p = g_utf8_next_char (p))
    g_assert_true (g_unichar_isprint (g_utf8_get_char (p)));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);

  fuzz_url (text);
  if (hn_preferences_check_host_name (text, NULL))
    g_assert_true (g_str_is_ascii (text) && strlen (text) <= 253);
  fuzz_words ((const char *) data, size);
  return 0;
}
