/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells the thread sanitizer what the distribution's GLib synchronizes. That GLib is not
 * instrumented and makes its locks from futexes, so without this every value handed over under a
 * GMutex, through a GAsyncQueue or to another thread's main context would be called a race. Loaded
 * by LD_PRELOAD into test programs of a build with -Db_sanitize=thread, and nowhere else.
 *
 * Each function calls the one it replaces and says what happened before what. What is handed to a
 * main context counts as seen by everybody who comes back from poll(): a little more than is true.
 */
#include <dlfcn.h>
#include <glib-object.h>
#include <poll.h>

/* weak: the programs that a test starts are not all built with the sanitizer */
void __tsan_acquire (void *address) __attribute__ ((weak));
void __tsan_release (void *address) __attribute__ ((weak));

static void
acquire (void *address)
{
  if (__tsan_acquire != NULL)
    __tsan_acquire (address);
}

static void
release (void *address)
{
  if (__tsan_release != NULL)
    __tsan_release (address);
}

static char handed_over; /* to any main context */

#define REAL(name) ((__typeof__ (&name)) real (&real_##name, #name))

static void *
real (void **cache, const char *name)
{
  if (__atomic_load_n (cache, __ATOMIC_RELAXED) == NULL)
    __atomic_store_n (cache, dlsym (RTLD_NEXT, name), __ATOMIC_RELAXED);
  return __atomic_load_n (cache, __ATOMIC_RELAXED);
}

/* A lock: what was done before unlocking is seen after locking. */
#define LOCKS(type, lock, trylock, unlock)                                                         \
  static void *real_##lock;                                                                        \
  static void *real_##trylock;                                                                     \
  static void *real_##unlock;                                                                      \
  G_MODULE_EXPORT void lock (type *self)                                                           \
  {                                                                                                \
    REAL (lock) (self);                                                                            \
    acquire (self);                                                                                \
  }                                                                                                \
  G_MODULE_EXPORT gboolean trylock (type *self)                                                    \
  {                                                                                                \
    gboolean locked = REAL (trylock) (self);                                                       \
    if (locked)                                                                                    \
      acquire (self);                                                                              \
    return locked;                                                                                 \
  }                                                                                                \
  G_MODULE_EXPORT void unlock (type *self)                                                         \
  {                                                                                                \
    release (self);                                                                                \
    REAL (unlock) (self);                                                                          \
  }

#undef G_MODULE_EXPORT
#define G_MODULE_EXPORT __attribute__ ((visibility ("default")))

LOCKS (GMutex, g_mutex_lock, g_mutex_trylock, g_mutex_unlock)
LOCKS (GRecMutex, g_rec_mutex_lock, g_rec_mutex_trylock, g_rec_mutex_unlock)
LOCKS (GRWLock, g_rw_lock_writer_lock, g_rw_lock_writer_trylock, g_rw_lock_writer_unlock)
LOCKS (GRWLock, g_rw_lock_reader_lock, g_rw_lock_reader_trylock, g_rw_lock_reader_unlock)

static void *real_g_cond_wait;
static void *real_g_cond_wait_until;

G_MODULE_EXPORT void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  release (mutex);
  REAL (g_cond_wait) (cond, mutex);
  acquire (mutex);
}

G_MODULE_EXPORT gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
  gboolean woken;

  release (mutex);
  woken = REAL (g_cond_wait_until) (cond, mutex, end_time);
  acquire (mutex);
  return woken;
}

#define QUEUE_GET(name, parameters, arguments)                                                     \
  static void *real_##name;                                                                        \
  G_MODULE_EXPORT gpointer name parameters                                                         \
  {                                                                                                \
    gpointer item = REAL (name) arguments;                                                         \
    acquire (queue);                                                                               \
    return item;                                                                                   \
  }

#define QUEUE_PUT(name)                                                                            \
  static void *real_##name;                                                                        \
  G_MODULE_EXPORT void name (GAsyncQueue *queue, gpointer item)                                    \
  {                                                                                                \
    release (queue);                                                                               \
    REAL (name) (queue, item);                                                                     \
  }

QUEUE_PUT (g_async_queue_push)
QUEUE_PUT (g_async_queue_push_unlocked)
QUEUE_PUT (g_async_queue_push_front)
QUEUE_GET (g_async_queue_pop, (GAsyncQueue * queue), (queue))
QUEUE_GET (g_async_queue_pop_unlocked, (GAsyncQueue * queue), (queue))
QUEUE_GET (g_async_queue_try_pop, (GAsyncQueue * queue), (queue))
QUEUE_GET (g_async_queue_try_pop_unlocked, (GAsyncQueue * queue), (queue))
QUEUE_GET (g_async_queue_timeout_pop, (GAsyncQueue * queue, guint64 timeout), (queue, timeout))

/* References: whoever drops the last one has seen what the others did with the object. */
#define COUNTED(type, ret, name)                                                                   \
  static void *real_##name;                                                                        \
  G_MODULE_EXPORT ret name (type self)                                                             \
  {                                                                                                \
    if (self != NULL)                                                                              \
      {                                                                                            \
        release ((void *) self);                                                                   \
        acquire ((void *) self);                                                                   \
      }                                                                                            \
    return REAL (name) (self);                                                                     \
  }

#undef g_atomic_ref_count_dec
COUNTED (gatomicrefcount *, gboolean, g_atomic_ref_count_dec)
COUNTED (GBytes *, void, g_bytes_unref)
COUNTED (gpointer, void, g_object_unref)
COUNTED (GSource *, void, g_source_unref)
COUNTED (gpointer, void, g_atomic_rc_box_release)

/* Main contexts. */
static void *real_g_source_attach;
static void *real_g_source_destroy;
static void *real_g_source_set_ready_time;
static void *real_g_main_context_wakeup;
static void *real_g_main_context_invoke;
static void *real_g_main_context_invoke_full;
static void *real_g_main_loop_quit;
static void *real_poll;

G_MODULE_EXPORT guint
g_source_attach (GSource *source, GMainContext *context)
{
  release (&handed_over);
  return REAL (g_source_attach) (source, context);
}

G_MODULE_EXPORT void
g_source_destroy (GSource *source)
{
  release (&handed_over);
  REAL (g_source_destroy) (source);
}

G_MODULE_EXPORT void
g_source_set_ready_time (GSource *source, gint64 ready_time)
{
  release (&handed_over);
  REAL (g_source_set_ready_time) (source, ready_time);
}

G_MODULE_EXPORT void
g_main_context_wakeup (GMainContext *context)
{
  release (&handed_over);
  REAL (g_main_context_wakeup) (context);
}

G_MODULE_EXPORT void
g_main_context_invoke (GMainContext *context, GSourceFunc function, gpointer data)
{
  release (&handed_over);
  REAL (g_main_context_invoke) (context, function, data);
}

G_MODULE_EXPORT void
g_main_context_invoke_full (GMainContext *context, gint priority, GSourceFunc function,
                            gpointer data, GDestroyNotify notify)
{
  release (&handed_over);
  REAL (g_main_context_invoke_full) (context, priority, function, data, notify);
}

G_MODULE_EXPORT void
g_main_loop_quit (GMainLoop *loop)
{
  release (&handed_over);
  REAL (g_main_loop_quit) (loop);
}

G_MODULE_EXPORT int
poll (struct pollfd *fds, nfds_t n, int timeout)
{
  int ready = REAL (poll) (fds, n, timeout);

  acquire (&handed_over);
  return ready;
}
