/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtual-clock.h"

#include "base/hn-clock.h"

/* What comes over loopback is there at once, but a turn of the kernel may lie between. */
#define QUIET_TURNS 3
#define TURN_US 50

typedef struct
{
  GSource source;
  gint64 delay_us;
  gint64 due_us;
} Timer;

/* Beginnings that no code can take for "never". */
static gint64 now_us = 1000 * (gint64) G_USEC_PER_SEC;
static gint64 wall_us = 1800000000 * (gint64) G_USEC_PER_SEC;
static GPtrArray *timers; /* of Timer, borrowed: all that are not finalized */

gint64
hn_clock_now_us (void)
{
  return now_us;
}

gint64
hn_clock_wall_us (void)
{
  return wall_us;
}

static gboolean
is_due (GSource *source)
{
  return now_us >= ((Timer *) source)->due_us;
}

static gboolean
on_prepare (GSource *source, int *timeout)
{
  *timeout = -1;
  return is_due (source);
}

static gboolean
on_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  Timer *timer = (Timer *) source;

  timer->due_us = now_us + timer->delay_us;
  return callback (data);
}

static void
on_finalize (GSource *source)
{
  g_ptr_array_remove_fast (timers, source);
}

GSource *
hn_clock_timer_new (gint64 delay_us)
{
  static GSourceFuncs funcs = { on_prepare, is_due, on_dispatch, on_finalize, NULL, NULL };
  GSource *source = g_source_new (&funcs, sizeof (Timer));
  Timer *timer = (Timer *) source;

  timer->delay_us = MAX (delay_us, 0);
  timer->due_us = now_us + timer->delay_us;
  if (timers == NULL)
    timers = g_ptr_array_new ();
  g_ptr_array_add (timers, source);
  return source;
}

static gboolean
is_attached (gconstpointer source)
{
  return !g_source_is_destroyed ((GSource *) source)
         && g_source_get_context ((GSource *) source) != NULL;
}

guint
virtual_clock_get_n_timers (void)
{
  guint n = 0;

  for (guint i = 0; timers != NULL && i < timers->len; i++)
    n += is_attached (timers->pdata[i]) ? 1 : 0;
  return n;
}

void
virtual_clock_settle (void)
{
  for (guint quiet = 0; quiet < QUIET_TURNS;)
    {
      if (g_main_context_iteration (NULL, FALSE))
        {
          quiet = 0;
          continue;
        }
      quiet++;
      g_usleep (TURN_US);
    }
}

/* The moment of the next timer, at most @end. */
static gint64
find_next (gint64 end)
{
  gint64 next = end;

  for (guint i = 0; timers != NULL && i < timers->len; i++)
    if (is_attached (timers->pdata[i]))
      next = MIN (next, MAX (((Timer *) timers->pdata[i])->due_us, now_us + 1));
  return next;
}

static void
move_to (gint64 moment)
{
  wall_us += moment - now_us;
  now_us = moment;
  virtual_clock_settle ();
}

void
virtual_clock_advance (gint64 us)
{
  gint64 end = now_us + us;

  virtual_clock_settle ();
  while (now_us < end)
    move_to (find_next (end));
}

gint64
virtual_clock_next (void)
{
  gint64 begin = now_us;

  virtual_clock_settle ();
  g_assert_cmpint (find_next (G_MAXINT64), !=, G_MAXINT64);
  move_to (find_next (G_MAXINT64));
  return now_us - begin;
}

void
virtual_clock_step_wall (gint64 us)
{
  wall_us += us;
}
