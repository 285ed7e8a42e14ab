/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON reader: whatever is walked, read or skipped agrees with the check of the whole. */
#include <stdint.h>
#include <stdlib.h>

#include "base/hn-json-reader.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* @turn decides how each scalar is read, so that all readers see all inputs. */
static void
walk (HnJsonReader *r, unsigned *turn)
{
  char buf[24];
  gint64 integer;
  gboolean flag;
  double number;
  const char *raw;
  gsize raw_len;

  switch ((*turn)++ % 7 == 6 ? HN_JSON_NONE : hn_json_reader_peek (r))
    {
    case HN_JSON_OBJECT:
      if (hn_json_reader_begin_object (r))
        while (hn_json_reader_next_member (r, buf, sizeof buf))
          walk (r, turn);
      break;
    case HN_JSON_ARRAY:
      if (hn_json_reader_begin_array (r))
        while (hn_json_reader_next_element (r))
          walk (r, turn);
      break;
    case HN_JSON_STRING:
      if (*turn % 2 == 0)
        hn_json_reader_string (r, buf, sizeof buf);
      else
        g_free (hn_json_reader_dup_string (r, 64));
      break;
    case HN_JSON_NUMBER:
      if (*turn % 2 == 0)
        hn_json_reader_double (r, &number);
      else
        hn_json_reader_int64 (r, &integer);
      break;
    case HN_JSON_BOOLEAN:
      hn_json_reader_boolean (r, &flag);
      break;
    case HN_JSON_NULL:
      hn_json_reader_skip (r);
      break;
    case HN_JSON_NONE:
      if (hn_json_reader_raw (r, &raw, &raw_len) && raw_len == 0)
        abort ();
      break;
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const char *text = (const char *) data;
  gboolean good = hn_json_check (text, size, NULL);
  HnJsonReader r;

  hn_json_reader_init (&r, text, size);
  hn_json_reader_skip (&r);
  if (good && !hn_json_reader_at_end (&r))
    abort ();
  for (unsigned first = 0; first < 2; first++)
    {
      unsigned turn = first;

      hn_json_reader_init (&r, text, size);
      walk (&r, &turn);
      if (good && !hn_json_reader_at_end (&r))
        abort ();
    }
  return 0;
}
