/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two threads that share: "race" without a lock, which the thread sanitizer must report; "lock",
 * "queue" and "context" by GLib's means, which it must not.
 */
#include <gio/gio.h>

static int shared;
static GMutex lock;
static GAsyncQueue *queue;
static GMainContext *context;
static GMainLoop *loop;

static gpointer
count (gpointer data)
{
  gboolean locked = GPOINTER_TO_INT (data);

  for (int i = 0; i < 1000; i++)
    {
      if (locked)
        g_mutex_lock (&lock);
      shared++;
      if (locked)
        g_mutex_unlock (&lock);
    }
  return NULL;
}

static gpointer
take (gpointer data)
{
  int *value = g_async_queue_pop (queue);

  (*value)++;
  g_free (value);
  return NULL;
}

static gboolean
on_called (gpointer data)
{
  shared++;
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

static gpointer
call (gpointer data)
{
  shared++;
  g_main_context_invoke (context, on_called, NULL);
  return NULL;
}

static void
test_count (gconstpointer locked)
{
  GThread *a = g_thread_new ("a", count, (gpointer) locked);
  GThread *b = g_thread_new ("b", count, (gpointer) locked);

  g_thread_join (a);
  g_thread_join (b);
  g_assert_cmpint (shared, >, 0);
}

static void
test_queue (void)
{
  GThread *thread = g_thread_new ("take", take, NULL);
  int *value = g_new0 (int, 1);

  *value = 1;
  g_async_queue_push (queue, value);
  g_thread_join (thread);
}

static void
test_context (void)
{
  GThread *thread;

  context = g_main_context_default ();
  loop = g_main_loop_new (context, FALSE);
  g_assert_true (g_main_context_acquire (context));
  thread = g_thread_new ("call", call, NULL);
  g_main_loop_run (loop);
  g_main_context_release (context);
  g_thread_join (thread);
  g_main_loop_unref (loop);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  queue = g_async_queue_new ();
  g_test_add_data_func ("/race", GINT_TO_POINTER (FALSE), test_count);
  g_test_add_data_func ("/lock", GINT_TO_POINTER (TRUE), test_count);
  g_test_add_func ("/queue", test_queue);
  g_test_add_func ("/context", test_context);
  return g_test_run ();
}
