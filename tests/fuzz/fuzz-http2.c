/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a server may say in HTTP/2, with requests under way. */
#include <gio/gio.h>
#include <stdint.h>

#include "net/hn-http2.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct
{
  guint open;
  gboolean closed;
} State;

static gboolean
on_headers (gpointer user, guint status)
{
  return TRUE;
}

static gboolean
on_data (gpointer user, const guint8 *data, gsize len)
{
  return len != 13;
}

static void
on_end (gpointer user, const GError *error)
{
  State *state = user;

  g_assert (state->open > 0);
  state->open--;
}

static void
on_reply (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GBytes) body = hn_http2_request_finish (HN_HTTP2 (source), result, NULL, NULL, NULL);

  on_end (data, NULL);
}

static void
on_closed (HnHttp2 *http2, const GError *error, gpointer data)
{
  ((State *) data)->closed = TRUE;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const HnHttp2StreamOps ops = { on_headers, on_data, NULL };
  g_autoptr (GBytes) body = g_bytes_new_static ("{}", 2);
  g_autoptr (GInputStream) input = g_memory_input_stream_new_from_data (data, (gssize) size, NULL);
  g_autoptr (GOutputStream) output = g_memory_output_stream_new_resizable ();
  State state = { 0 };
  HnHttp2 *http2 = hn_http2_new (g_simple_io_stream_new (input, output), "hs.test");

  g_signal_connect (http2, "closed", G_CALLBACK (on_closed), &state);
  hn_http2_request_stream (http2, "POST", "/machine/map", NULL, body, &ops, &state);
  for (guint i = 0; i < 2; i++)
    {
      state.open++;
      hn_http2_request_async (http2, "POST", "/machine/register", NULL, body, 1000, 0, NULL,
                              on_reply, &state);
    }
  /* The input ends, so the session does. */
  while (!state.closed || state.open > 0)
    g_main_context_iteration (NULL, TRUE);
  hn_http2_close (http2, NULL);
  g_object_unref (http2);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  return 0;
}
