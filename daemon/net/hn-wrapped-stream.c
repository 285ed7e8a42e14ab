/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/hn-wrapped-stream.h"

struct _HnWrappedStream
{
  GIOStream parent_instance;

  GIOStream *base; /* owned; likewise below */
  GInputStream *input;
  GOutputStream *output;
};

G_DEFINE_FINAL_TYPE (HnWrappedStream, hn_wrapped_stream, G_TYPE_IO_STREAM)

static GInputStream *
hn_wrapped_stream_get_input (GIOStream *stream)
{
  return HN_WRAPPED_STREAM (stream)->input;
}

static GOutputStream *
hn_wrapped_stream_get_output (GIOStream *stream)
{
  return HN_WRAPPED_STREAM (stream)->output;
}

static gboolean
hn_wrapped_stream_close (GIOStream *stream, GCancellable *cancellable, GError **error)
{
  return g_io_stream_close (HN_WRAPPED_STREAM (stream)->base, cancellable, error);
}

static void
on_base_closed (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  GError *error = NULL;

  if (g_io_stream_close_finish (G_IO_STREAM (source), result, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
hn_wrapped_stream_close_async (GIOStream *stream, int io_priority, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer data)
{
  HnWrappedStream *self = HN_WRAPPED_STREAM (stream);
  GTask *task = g_task_new (self, cancellable, callback, data);

  g_task_set_source_tag (task, hn_wrapped_stream_close_async);
  g_io_stream_close_async (self->base, io_priority, cancellable, on_base_closed, task);
}

static gboolean
hn_wrapped_stream_close_finish (GIOStream *stream, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, stream), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* GIOStream closes itself in dispose, so the parts go in finalize. */
static void
hn_wrapped_stream_finalize (GObject *object)
{
  HnWrappedStream *self = HN_WRAPPED_STREAM (object);

  g_clear_object (&self->input);
  g_clear_object (&self->output);
  g_clear_object (&self->base);
  G_OBJECT_CLASS (hn_wrapped_stream_parent_class)->finalize (object);
}

static void
hn_wrapped_stream_class_init (HnWrappedStreamClass *klass)
{
  GIOStreamClass *stream = G_IO_STREAM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = hn_wrapped_stream_finalize;
  stream->get_input_stream = hn_wrapped_stream_get_input;
  stream->get_output_stream = hn_wrapped_stream_get_output;
  stream->close_fn = hn_wrapped_stream_close;
  stream->close_async = hn_wrapped_stream_close_async;
  stream->close_finish = hn_wrapped_stream_close_finish;
}

static void
hn_wrapped_stream_init (HnWrappedStream *self)
{
}

GIOStream *
hn_wrapped_stream_new (GIOStream *base, GInputStream *input, GOutputStream *output)
{
  HnWrappedStream *self = g_object_new (HN_TYPE_WRAPPED_STREAM, NULL);

  self->base = g_object_ref (base);
  self->input = g_object_ref (input);
  self->output = g_object_ref (output);
  return G_IO_STREAM (self);
}

GIOStream *
hn_wrapped_stream_get_base (HnWrappedStream *self)
{
  return self->base;
}
