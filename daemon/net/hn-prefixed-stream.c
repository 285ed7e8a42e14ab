/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/hn-prefixed-stream.h"

#include <string.h>

#include "net/hn-wrapped-stream.h"

#define HN_TYPE_PREFIXED_INPUT (hn_prefixed_input_get_type ())
G_DECLARE_FINAL_TYPE (HnPrefixedInput, hn_prefixed_input, HN, PREFIXED_INPUT, GInputStream)

struct _HnPrefixedInput
{
  GInputStream parent_instance;

  GInputStream *base;
  GBytes *prefix; /* NULL when used up */
  gsize pos;
};

G_DEFINE_FINAL_TYPE (HnPrefixedInput, hn_prefixed_input, G_TYPE_INPUT_STREAM)

/* Returns 0 when there is nothing left of the prefix. */
static gsize
take_prefix (HnPrefixedInput *self, void *buffer, gsize count)
{
  gsize len, n;
  const guint8 *data;

  if (self->prefix == NULL)
    return 0;
  data = g_bytes_get_data (self->prefix, &len);
  n = MIN (count, len - self->pos);
  if (n > 0)
    memcpy (buffer, data + self->pos, n);
  self->pos += n;
  if (self->pos == len)
    g_clear_pointer (&self->prefix, g_bytes_unref);
  return n;
}

static gssize
hn_prefixed_input_read (GInputStream *stream, void *buffer, gsize count, GCancellable *cancellable,
                        GError **error)
{
  HnPrefixedInput *self = HN_PREFIXED_INPUT (stream);
  gsize n = take_prefix (self, buffer, count);

  return n > 0 ? (gssize) n : g_input_stream_read (self->base, buffer, count, cancellable, error);
}

static void
on_base_read (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  GError *error = NULL;
  gssize n = g_input_stream_read_finish (G_INPUT_STREAM (source), result, &error);

  if (n < 0)
    g_task_return_error (task, error);
  else
    g_task_return_int (task, n);
}

static void
hn_prefixed_input_read_async (GInputStream *stream, void *buffer, gsize count, int io_priority,
                              GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer data)
{
  HnPrefixedInput *self = HN_PREFIXED_INPUT (stream);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);
  gsize n;

  g_task_set_source_tag (task, hn_prefixed_input_read_async);
  /* What was read is the reader's, cancelled or not: bytes must not get lost. */
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_priority (task, io_priority);
  n = take_prefix (self, buffer, count);
  if (n > 0)
    g_task_return_int (task, (gssize) n);
  else
    g_input_stream_read_async (self->base, buffer, count, io_priority, cancellable, on_base_read,
                               g_steal_pointer (&task));
}

static gssize
hn_prefixed_input_read_finish (GInputStream *stream, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, stream), -1);
  return g_task_propagate_int (G_TASK (result), error);
}

static void
hn_prefixed_input_finalize (GObject *object)
{
  HnPrefixedInput *self = HN_PREFIXED_INPUT (object);

  g_clear_pointer (&self->prefix, g_bytes_unref);
  g_clear_object (&self->base);
  G_OBJECT_CLASS (hn_prefixed_input_parent_class)->finalize (object);
}

static void
hn_prefixed_input_class_init (HnPrefixedInputClass *klass)
{
  GInputStreamClass *input = G_INPUT_STREAM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = hn_prefixed_input_finalize;
  input->read_fn = hn_prefixed_input_read;
  input->read_async = hn_prefixed_input_read_async;
  input->read_finish = hn_prefixed_input_read_finish;
}

static void
hn_prefixed_input_init (HnPrefixedInput *self)
{
}

GIOStream *
hn_prefixed_stream_new (GIOStream *base, GBytes *prefix)
{
  GInputStream *below = g_io_stream_get_input_stream (base);
  g_autoptr (GInputStream) input = NULL;

  if (prefix != NULL && g_bytes_get_size (prefix) > 0)
    {
      HnPrefixedInput *prefixed = g_object_new (HN_TYPE_PREFIXED_INPUT, NULL);

      prefixed->base = g_object_ref (below);
      prefixed->prefix = g_bytes_ref (prefix);
      input = G_INPUT_STREAM (prefixed);
    }
  return hn_wrapped_stream_new (base, input != NULL ? input : below,
                                g_io_stream_get_output_stream (base));
}
