/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/hn-noise-stream.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/hn-error.h"
#include "control/hn-noise-record.h"
#include "net/hn-wrapped-stream.h"

#define READ_SIZE (2 * HN_NOISE_RECORD_MAX)
/* How much of one write is sealed at a time. */
#define WRITE_SIZE (16 * HN_NOISE_RECORD_PLAIN_MAX)

#define HN_TYPE_NOISE_INPUT (hn_noise_input_get_type ())
G_DECLARE_FINAL_TYPE (HnNoiseInput, hn_noise_input, HN, NOISE_INPUT, GInputStream)
#define HN_TYPE_NOISE_OUTPUT (hn_noise_output_get_type ())
G_DECLARE_FINAL_TYPE (HnNoiseOutput, hn_noise_output, HN, NOISE_OUTPUT, GOutputStream)

struct _HnNoiseInput
{
  GInputStream parent_instance;

  GInputStream *base;
  HnNoiseOpener opener;
  HnNoiseEarly early;
  GByteArray *opened; /* out of the records, early payload and all */
  GByteArray *plain;  /* for the reader */
  gsize pos;          /* what of @plain the reader has */
  GError *error;      /* what broke the stream; told behind the bytes in front of it */
  guint8 raw[READ_SIZE];
};

struct _HnNoiseOutput
{
  GOutputStream parent_instance;

  GOutputStream *base;
  HnNoiseSealer sealer;
  GByteArray *sealed;
  gboolean failed;
};

G_DEFINE_FINAL_TYPE (HnNoiseInput, hn_noise_input, G_TYPE_INPUT_STREAM)
G_DEFINE_FINAL_TYPE (HnNoiseOutput, hn_noise_output, G_TYPE_OUTPUT_STREAM)

/* Reading */

typedef struct
{
  void *buffer; /* the reader's, valid until its callback */
  gsize count;
} ReadData;

static gssize
not_offered (GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                       "This stream is read and written asynchronously");
  return -1;
}

static gssize
hn_noise_input_read (GInputStream *stream, void *buffer, gsize count, GCancellable *cancellable,
                     GError **error)
{
  return not_offered (error);
}

/* Answers the reader from what there is; FALSE when there is nothing yet. */
static gboolean
answer_reader (HnNoiseInput *self, GTask *task)
{
  ReadData *read = g_task_get_task_data (task);
  gsize n = MIN (read->count, self->plain->len - self->pos);

  if (n > 0)
    {
      memcpy (read->buffer, self->plain->data + self->pos, n);
      self->pos += n;
      if (self->pos == self->plain->len)
        {
          g_byte_array_set_size (self->plain, 0);
          self->pos = 0;
        }
      g_task_return_int (task, (gssize) n);
      return TRUE;
    }
  if (self->error != NULL)
    {
      g_task_return_error (task, g_error_copy (self->error));
      return TRUE;
    }
  return FALSE;
}

static void
on_raw (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  HnNoiseInput *self = g_task_get_source_object (task);
  GError *error = NULL;
  gssize n = g_input_stream_read_finish (G_INPUT_STREAM (source), result, &error);

  if (n < 0)
    {
      g_task_return_error (task, error);
      return;
    }
  if (n == 0)
    {
      if (hn_noise_opener_is_idle (&self->opener))
        g_task_return_int (task, 0);
      else
        g_task_return_new_error (task, HN_ERROR, HN_ERROR_CONNECTION_LOST,
                                 _ ("The connection ended in the middle of a record"));
      return;
    }
  g_byte_array_set_size (self->opened, 0);
  hn_noise_opener_feed (&self->opener, self->raw, (gsize) n, self->opened, &self->error);
  hn_noise_early_feed (&self->early, self->opened->data, self->opened->len, self->plain,
                       self->error == NULL ? &self->error : NULL);
  if (answer_reader (self, task))
    return;
  g_input_stream_read_async (self->base, self->raw, sizeof self->raw, g_task_get_priority (task),
                             g_task_get_cancellable (task), on_raw, g_object_ref (task));
}

static void
hn_noise_input_read_async (GInputStream *stream, void *buffer, gsize count, int io_priority,
                           GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  HnNoiseInput *self = HN_NOISE_INPUT (stream);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);
  ReadData *read = g_new0 (ReadData, 1);

  g_task_set_source_tag (task, hn_noise_input_read_async);
  g_task_set_priority (task, io_priority);
  /* What was decrypted belongs to the reader, cancelled or not. */
  g_task_set_check_cancellable (task, FALSE);
  read->buffer = buffer;
  read->count = count;
  g_task_set_task_data (task, read, g_free);
  if (!answer_reader (self, task))
    g_input_stream_read_async (self->base, self->raw, sizeof self->raw, io_priority, cancellable,
                               on_raw, g_steal_pointer (&task));
}

static gssize
hn_noise_input_read_finish (GInputStream *stream, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, stream), -1);
  return g_task_propagate_int (G_TASK (result), error);
}

static void
hn_noise_input_finalize (GObject *object)
{
  HnNoiseInput *self = HN_NOISE_INPUT (object);

  hn_noise_opener_clear (&self->opener);
  g_byte_array_unref (self->opened);
  g_byte_array_unref (self->plain);
  g_clear_error (&self->error);
  g_clear_object (&self->base);
  G_OBJECT_CLASS (hn_noise_input_parent_class)->finalize (object);
}

static void
hn_noise_input_class_init (HnNoiseInputClass *klass)
{
  GInputStreamClass *input = G_INPUT_STREAM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = hn_noise_input_finalize;
  input->read_fn = hn_noise_input_read;
  input->read_async = hn_noise_input_read_async;
  input->read_finish = hn_noise_input_read_finish;
}

static void
hn_noise_input_init (HnNoiseInput *self)
{
  self->opened = g_byte_array_new ();
  self->plain = g_byte_array_new ();
}

/* Writing */

static gssize
hn_noise_output_write (GOutputStream *stream, const void *buffer, gsize count,
                       GCancellable *cancellable, GError **error)
{
  return not_offered (error);
}

static void
on_sealed_written (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  HnNoiseOutput *self = g_task_get_source_object (task);
  gsize count = GPOINTER_TO_SIZE (g_task_get_task_data (task));
  GError *error = NULL;

  g_byte_array_set_size (self->sealed, 0);
  if (g_output_stream_write_all_finish (G_OUTPUT_STREAM (source), result, NULL, &error))
    {
      g_task_return_int (task, (gssize) count);
      return;
    }
  /* Perhaps a part of a record went out; the counters do not fit any more. */
  self->failed = TRUE;
  g_task_return_error (task, error);
}

static void
hn_noise_output_write_async (GOutputStream *stream, const void *buffer, gsize count,
                             int io_priority, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer data)
{
  HnNoiseOutput *self = HN_NOISE_OUTPUT (stream);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);
  gsize n = MIN (count, WRITE_SIZE);

  g_task_set_source_tag (task, hn_noise_output_write_async);
  g_task_set_check_cancellable (task, FALSE);
  if (self->failed)
    {
      g_task_return_new_error (task, HN_ERROR, HN_ERROR_CONNECTION_LOST,
                               _ ("The encrypted connection is broken"));
      return;
    }
  g_task_set_task_data (task, GSIZE_TO_POINTER (n), NULL);
  hn_noise_sealer_seal (&self->sealer, buffer, n, self->sealed);
  g_output_stream_write_all_async (self->base, self->sealed->data, self->sealed->len, io_priority,
                                   cancellable, on_sealed_written, g_steal_pointer (&task));
}

static gssize
hn_noise_output_write_finish (GOutputStream *stream, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, stream), -1);
  return g_task_propagate_int (G_TASK (result), error);
}

static void
hn_noise_output_finalize (GObject *object)
{
  HnNoiseOutput *self = HN_NOISE_OUTPUT (object);

  hn_noise_sealer_clear (&self->sealer);
  g_byte_array_unref (self->sealed);
  g_clear_object (&self->base);
  G_OBJECT_CLASS (hn_noise_output_parent_class)->finalize (object);
}

static void
hn_noise_output_class_init (HnNoiseOutputClass *klass)
{
  GOutputStreamClass *output = G_OUTPUT_STREAM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = hn_noise_output_finalize;
  output->write_fn = hn_noise_output_write;
  output->write_async = hn_noise_output_write_async;
  output->write_finish = hn_noise_output_write_finish;
}

static void
hn_noise_output_init (HnNoiseOutput *self)
{
  self->sealed = g_byte_array_new ();
}

GIOStream *
hn_noise_stream_new (GIOStream *base, const HnNoiseKeys *keys)
{
  g_autoptr (HnNoiseInput) input = g_object_new (HN_TYPE_NOISE_INPUT, NULL);
  g_autoptr (HnNoiseOutput) output = g_object_new (HN_TYPE_NOISE_OUTPUT, NULL);

  input->base = g_object_ref (g_io_stream_get_input_stream (base));
  hn_noise_opener_init (&input->opener, keys->receive);
  output->base = g_object_ref (g_io_stream_get_output_stream (base));
  hn_noise_sealer_init (&output->sealer, keys->send);
  return hn_wrapped_stream_new (base, G_INPUT_STREAM (input), G_OUTPUT_STREAM (output));
}
