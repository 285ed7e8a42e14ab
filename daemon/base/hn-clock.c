/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two clocks and their timers. GLib's own timers stand still while the machine sleeps; a timerfd
 * of the same clock as hn_clock_now_us() is due right after the machine woke.
 */
#include "base/hn-clock.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define WHOLE_SECONDS_US (20 * (gint64) G_USEC_PER_SEC)
/* Nobody waits longer, and the sum with the time of day stays in range. */
#define LONGEST_US (400 * 24 * 3600 * (gint64) G_USEC_PER_SEC)

typedef struct
{
  GSource source;
  gint64 delay_us;
  int fd;
  gpointer tag;
} Timer;

gint64
hn_clock_now_us (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_BOOTTIME, &ts);
  return (gint64) ts.tv_sec * G_USEC_PER_SEC + ts.tv_nsec / 1000;
}

gint64
hn_clock_wall_us (void)
{
  return g_get_real_time ();
}

/* Also takes back that it was due. */
static void
arm (Timer *self)
{
  gint64 due_us = hn_clock_now_us () + self->delay_us;
  struct itimerspec spec = { 0 };

  if (self->delay_us >= WHOLE_SECONDS_US)
    due_us = (due_us / G_USEC_PER_SEC + 1) * G_USEC_PER_SEC;
  spec.it_value.tv_sec = due_us / G_USEC_PER_SEC;
  spec.it_value.tv_nsec = (due_us % G_USEC_PER_SEC) * 1000 + 1;
  if (timerfd_settime (self->fd, TFD_TIMER_ABSTIME, &spec, NULL) != 0)
    g_critical ("A timer can not be set: %s", g_strerror (errno));
}

static gboolean
on_check (GSource *source)
{
  Timer *self = (Timer *) source;

  return (g_source_query_unix_fd (source, self->tag) & G_IO_IN) != 0;
}

static gboolean
on_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  arm ((Timer *) source);
  return callback (data);
}

static void
on_finalize (GSource *source)
{
  close (((Timer *) source)->fd);
}

GSource *
hn_clock_timer_new (gint64 delay_us)
{
  static GSourceFuncs funcs = { NULL, on_check, on_dispatch, on_finalize, NULL, NULL };
  int fd = timerfd_create (CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  Timer *self;

  delay_us = CLAMP (delay_us, 0, LONGEST_US);
  /* Out of descriptors: late after a sleep is better than never. */
  if (fd < 0)
    return g_timeout_source_new ((guint) MIN (delay_us / 1000 + 1, G_MAXINT));

  self = (Timer *) g_source_new (&funcs, sizeof (Timer));
  self->fd = fd;
  self->delay_us = delay_us;
  self->tag = g_source_add_unix_fd (&self->source, fd, G_IO_IN);
  arm (self);
  return &self->source;
}
