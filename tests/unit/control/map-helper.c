/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "map-helper.h"

#include <string.h>
#include <zstd.h>

#include "base/hn-error.h"

static void
on_update (HnMapUpdate *update, gpointer user)
{
  Stream *self = user;

  g_ptr_array_add (self->updates, update);
}

Stream *
stream_new (void)
{
  Stream *self = g_new0 (Stream, 1);

  self->updates = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_map_update_free);
  self->decoder = hn_map_decoder_new (on_update, self);
  return self;
}

void
stream_free (Stream *self)
{
  hn_map_decoder_free (self->decoder);
  g_ptr_array_unref (self->updates);
  g_free (self);
}

GByteArray *
make_frame (const void *body, gsize len)
{
  const guint32 le = GUINT32_TO_LE ((guint32) len);
  GByteArray *frame = g_byte_array_new ();

  g_byte_array_append (frame, (const guint8 *) &le, sizeof le);
  return g_byte_array_append (frame, body, (guint) len);
}

GByteArray *
make_zstd_frame (const char *json, gsize len)
{
  const gsize bound = ZSTD_compressBound (len);
  g_autofree guint8 *packed = g_malloc (bound);
  const gsize n = ZSTD_compress (packed, bound, json, len, 3);

  g_assert_false (ZSTD_isError (n));
  return make_frame (packed, n);
}

gboolean
stream_feed (Stream *self, GByteArray *bytes, gsize chunk, GError **error)
{
  for (gsize pos = 0; pos < bytes->len;)
    {
      const gsize n = chunk == 0 ? bytes->len : MIN (chunk, bytes->len - pos);
      /* A block of its own, so that reading past its end is noticed. */
      g_autofree guint8 *copy = g_memdup2 (bytes->data + pos, n);

      if (!hn_map_decoder_feed (self->decoder, copy, n, error))
        return FALSE;
      pos += n;
    }
  return TRUE;
}

HnMapUpdate *
decode (const char *json)
{
  g_autoptr (Stream) stream = stream_new ();
  g_autoptr (GByteArray) frame = make_frame (json, strlen (json));
  g_autoptr (GError) error = NULL;

  stream_feed (stream, frame, 0, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (stream->updates->len, ==, 1);
  g_assert_true (hn_map_decoder_is_idle (stream->decoder));
  return g_ptr_array_steal_index (stream->updates, 0);
}

void
assert_broken (const char *json)
{
  g_autoptr (GByteArray) frame = make_frame (json, strlen (json));

  for (gsize chunk = 0; chunk < 2; chunk++)
    {
      g_autoptr (Stream) stream = stream_new ();
      g_autoptr (GError) error = NULL;

      g_assert_false (stream_feed (stream, frame, chunk, &error));
      g_assert_error (error, HN_ERROR, HN_ERROR_PROTOCOL);
      g_assert_cmpuint (stream->updates->len, ==, 0);
      /* And stays so. */
      g_assert_false (hn_map_decoder_feed (stream->decoder, (const guint8 *) "x", 1, NULL));
    }
}

HnNetmapChange *
merge_at (HnNetmap *map, const char *json, gint64 wall)
{
  g_autoptr (HnMapUpdate) update = decode (json);

  return hn_netmap_apply (map, update, wall);
}

HnNetmapChange *
merge (HnNetmap *map, const char *json)
{
  return merge_at (map, json, 1800000000);
}

const char *
health_text (HnNetmap *map, const char *id)
{
  GPtrArray *health = hn_netmap_get_health (map);

  for (guint i = 0; i < health->len; i++)
    {
      const HnHealthItem *item = health->pdata[i];

      if (g_str_equal (item->id, id))
        return item->text;
    }
  return NULL;
}

gboolean
update_has_remark (HnMapUpdate *update, const char *id)
{
  for (guint i = 0; update->remarks != NULL && i < update->remarks->len; i++)
    if (g_str_equal (((HnHealthItem *) update->remarks->pdata[i])->id, id))
      return TRUE;
  return FALSE;
}
