/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/hn-map-parser.h"

#include <string.h>

static const struct
{
  const char *id;
  const char *title;
} remark_kinds[HN_MAP_N_REMARKS] = {
  [HN_MAP_REMARK_PEER] = { "map-unreadable-peer", "The server described peers in a wrong form" },
  [HN_MAP_REMARK_ADDRESS] = { "map-bad-address", "The server sent addresses that can not be" },
  [HN_MAP_REMARK_RULE] = { "map-bad-rule", "The server sent filter rules that make no sense" },
  [HN_MAP_REMARK_RELAY] = { "map-bad-relay", "The server sent relays that make no sense" },
  [HN_MAP_REMARK_PART] = { "map-unreadable-part", "The server sent settings in a wrong form" },
  [HN_MAP_REMARK_CUT] = { "map-cut", "The server sent more than this program takes" },
};

void
hn_map_parser_remark (HnMapParser *self, HnMapRemark kind, const char *format, ...)
{
  if (self->n_remarks[kind]++ == 0)
    {
      va_list args;

      va_start (args, format);
      self->examples[kind] = g_strdup_vprintf (format, args);
      va_end (args);
    }
}

void
hn_map_parser_save_remarks (const HnMapParser *self, HnMapRemarks *out)
{
  memcpy (out->n, self->n_remarks, sizeof out->n);
}

void
hn_map_parser_restore_remarks (HnMapParser *self, const HnMapRemarks *before)
{
  for (int kind = 0; kind < HN_MAP_N_REMARKS; kind++)
    {
      self->n_remarks[kind] = before->n[kind];
      if (before->n[kind] == 0)
        g_clear_pointer (&self->examples[kind], g_free);
    }
}

static void
add_blame (HnMapParser *self, int kind, gint64 node)
{
  HnMapBlame blame = { remark_kinds[kind].id, node };

  if (self->update->blames == NULL)
    self->update->blames = g_array_new (FALSE, FALSE, sizeof blame);
  g_array_append_val (self->update->blames, blame);
}

void
hn_map_parser_blame (HnMapParser *self, const HnMapRemarks *before, gint64 node)
{
  for (int kind = 0; kind < HN_MAP_N_REMARKS; kind++)
    {
      guint n = self->n_remarks[kind] - before->n[kind];

      if (n == 0 || node <= 0
          || (self->update->blames != NULL && self->update->blames->len >= HN_MAP_MAX_BLAMES))
        continue;
      self->n_blamed[kind] += n;
      add_blame (self, kind, node);
    }
}

static void
add_remarks (HnMapParser *self)
{
  GPtrArray *remarks = NULL;

  for (int kind = 0; kind < HN_MAP_N_REMARKS; kind++)
    {
      g_autofree char *text = NULL;
      g_autofree char *example = NULL;

      if (self->n_remarks[kind] == 0)
        continue;
      if (remarks == NULL)
        remarks = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_health_item_free);
      /* An example may quote the server, control characters and all. */
      example = g_strcanon (g_utf8_make_valid (self->examples[kind], -1),
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                            " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
                            '?');
      text = g_strdup_printf ("Left out %u, the first because %s. Ask whoever runs the server.",
                              self->n_remarks[kind], example);
      g_ptr_array_add (remarks, hn_health_item_new (remark_kinds[kind].id, HN_SEVERITY_WARNING,
                                                    remark_kinds[kind].title, text, NULL));
      if (self->update != NULL && self->n_blamed[kind] < self->n_remarks[kind])
        add_blame (self, kind, 0);
    }
  if (self->update != NULL)
    self->update->remarks = remarks;
  else
    g_clear_pointer (&remarks, g_ptr_array_unref);
}

void
hn_map_parser_finish (HnMapParser *self)
{
  add_remarks (self);
  hn_map_parser_clear (self);
}

void
hn_map_parser_clear (HnMapParser *self)
{
  g_clear_pointer (&self->scratch, g_free);
  self->node_bytes = 0;
  self->n_rule_parts = 0;
  for (int kind = 0; kind < HN_MAP_N_REMARKS; kind++)
    {
      g_clear_pointer (&self->examples[kind], g_free);
      self->n_remarks[kind] = 0;
      self->n_blamed[kind] = 0;
    }
}

/* Texts end up on terminals and in logs: no control characters, neither C0 nor C1. The reader has
 * made sure that it is valid UTF-8. */
static void
clean (char *text)
{
  for (guint8 *p = (guint8 *) text; *p != '\0'; p++)
    if (*p < 0x20 || *p == 0x7f)
      *p = ' ';
    else if (p[0] == 0xc2 && p[1] < 0xa0)
      p[0] = p[1] = ' ';
}

gboolean
hn_map_read_text (HnJsonReader *reader, char *buf, gsize size)
{
  if (!hn_json_reader_string (reader, buf, size))
    return FALSE;
  clean (buf);
  return TRUE;
}

char *
hn_map_dup_text (HnJsonReader *reader, gsize max)
{
  char *text = hn_json_reader_dup_string (reader, max);

  if (text != NULL)
    clean (text);
  return text;
}

gboolean
hn_map_read_null (HnJsonReader *reader)
{
  return hn_json_reader_peek (reader) == HN_JSON_NULL && hn_json_reader_skip (reader);
}

/* A number of exactly @digits digits. */
static gboolean
read_digits (const char **p, int digits, int *out)
{
  int value = 0;

  for (int i = 0; i < digits; i++, (*p)++)
    {
      if (!g_ascii_isdigit (**p))
        return FALSE;
      value = value * 10 + (**p - '0');
    }
  *out = value;
  return TRUE;
}

/* Days since 1970-01-01 in the Gregorian calendar, also before. */
static gint64
days_from_civil (int year, int month, int day)
{
  const int y = month <= 2 ? year - 1 : year;
  const int era = (y >= 0 ? y : y - 399) / 400;
  const int year_of_era = y - era * 400;
  const int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

  return (gint64) era * 146097 + day_of_era - 719468;
}

/* RFC 3339, as Go writes it. */
static gboolean
parse_time (const char *p, gint64 *out)
{
  int year, month, day, hour, minute, second;
  int offset_hour = 0, offset_minute = 0, sign = 0;

  if (!read_digits (&p, 4, &year) || *p++ != '-' || !read_digits (&p, 2, &month) || *p++ != '-'
      || !read_digits (&p, 2, &day) || *p++ != 'T' || !read_digits (&p, 2, &hour) || *p++ != ':'
      || !read_digits (&p, 2, &minute) || *p++ != ':' || !read_digits (&p, 2, &second))
    return FALSE;
  if (*p == '.')
    {
      if (!g_ascii_isdigit (*++p))
        return FALSE;
      while (g_ascii_isdigit (*p))
        p++;
    }
  if (*p == '+' || *p == '-')
    {
      sign = *p++ == '+' ? 1 : -1;
      if (!read_digits (&p, 2, &offset_hour) || *p++ != ':' || !read_digits (&p, 2, &offset_minute))
        return FALSE;
    }
  else if (*p++ != 'Z')
    return FALSE;
  if (*p != '\0' || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59
      || second > 60 || offset_hour > 23 || offset_minute > 59)
    return FALSE;

  if (year <= 1)
    {
      *out = 0;
      return TRUE;
    }
  *out = days_from_civil (year, month, day) * 86400 + hour * 3600 + minute * 60 + second
         - sign * (offset_hour * 3600 + offset_minute * 60);
  /* 0 means "none"; a time at or before 1970 is just long ago. */
  *out = MAX (*out, 1);
  return TRUE;
}

gboolean
hn_map_read_time (HnJsonReader *reader, gint64 *out)
{
  char text[64];

  return hn_json_reader_string (reader, text, sizeof text) && parse_time (text, out);
}
