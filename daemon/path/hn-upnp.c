/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-upnp.h"

#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <string.h>

#include "base/hn-source.h"
#include "crypto/hn-crypto.h"
#include "path/hn-portmap-codec.h"

/* A router that keeps its threads of ours waiting gets no more of them. */
#define MAX_THREADS 4
#define GOODBYE_US (500 * 1000)
#define TRIES 3
#define DESCRIPTION "headnet"
#define ERROR_INVALID_ARGS 402
#define ERROR_CONFLICT 718
#define ERROR_ONLY_PERMANENT 725
/* What a client may not choose starts below. */
#define PORT_MIN 1024

/* What has to be said to take a mapping away; never changed once made. */
typedef struct
{
  gatomicrefcount ref_count;
  char *control_url;
  char *service;
  char outer_port[8];
} Entry;

typedef struct
{
  gatomicrefcount ref_count;
  GMainContext *context; /* owned */
  HnUpnp *owner;         /* borrowed; the owner's thread alone reads and clears it */

  /* The question. */
  char *url; /* NULL: take away @entry */
  HnIp local;
  guint16 port;
  guint16 wish; /* outer port */
  guint32 lifetime_s;

  /* The answer, once the thread is done. */
  Entry *entry; /* owned, nullable */
  HnEndpoint outer;

  GMutex mutex; /* of what follows */
  GCond ended_cond;
  gboolean ended;
  gboolean abandoned; /* nobody wants the mapping */
} Job;

struct _HnUpnp
{
  HnUpnpFunc done;
  gpointer user;
  GMainContext *context; /* owned */
  Job *job;              /* owned; that is waited for, NULL none */
  Job *leaving;          /* owned; the last that takes a mapping away, NULL none */
  Entry *held;           /* owned; the mapping there is, NULL none */
};

static gint n_threads; /* atomic */

static void
entry_unref (Entry *entry)
{
  if (!g_atomic_ref_count_dec (&entry->ref_count))
    return;
  g_free (entry->control_url);
  g_free (entry->service);
  g_free (entry);
}

static Entry *
entry_ref (Entry *entry)
{
  g_atomic_ref_count_inc (&entry->ref_count);
  return entry;
}

static void
job_unref (gpointer data)
{
  Job *job = data;

  if (!g_atomic_ref_count_dec (&job->ref_count))
    return;
  g_main_context_unref (job->context);
  g_clear_pointer (&job->entry, entry_unref);
  g_mutex_clear (&job->mutex);
  g_cond_clear (&job->ended_cond);
  g_free (job->url);
  g_free (job);
}

static Job *
job_ref (Job *job)
{
  g_atomic_ref_count_inc (&job->ref_count);
  return job;
}

/* ---- in the thread ---- */

static void
delete_entry (const Entry *entry)
{
  int code
      = UPNP_DeletePortMapping (entry->control_url, entry->service, entry->outer_port, "UDP", NULL);

  g_debug ("UPnP mapping of port %s taken away: %d", entry->outer_port, code);
}

/* Whether @url is on the host of @base, whose scheme and host are plain. A description may name any
 * address at all, also such that only this machine can reach. */
static gboolean
is_same_host (const char *url, const char *base)
{
  gsize len = strlen ("http://");

  if (!g_str_has_prefix (url, "http://"))
    return FALSE;
  len += strcspn (base + len, ":/");
  return strncmp (url, base, len) == 0 && (url[len] == ':' || url[len] == '/');
}

static gboolean
read_port (const char *text, guint16 *port)
{
  guint64 value;

  if (!g_ascii_string_to_unsigned (text, 10, 1, G_MAXUINT16, &value, NULL))
    return FALSE;
  *port = (guint16) value;
  return TRUE;
}

/* Asks for one outer port; a UPnP error code, 0 for success. */
static int
add_mapping (const Job *job, const struct UPNPUrls *urls, const char *service, guint16 wish,
             guint32 lifetime_s, char outer_port[8])
{
  char local[HN_IP_TEXT_MAX], inner[8], outer[8], lease[16];
  int code;

  hn_ip_format (&job->local, local);
  g_snprintf (inner, sizeof inner, "%u", job->port);
  g_snprintf (outer, sizeof outer, "%u", wish);
  g_snprintf (lease, sizeof lease, "%u", lifetime_s);
  if (g_str_has_suffix (service, "WANIPConnection:2"))
    {
      char reserved[6] = "";

      code = UPNP_AddAnyPortMapping (urls->controlURL, service, outer, inner, local, DESCRIPTION,
                                     "UDP", NULL, lease, reserved);
      if (code == UPNPCOMMAND_SUCCESS)
        g_strlcpy (outer_port, reserved, 8);
    }
  else
    {
      code = UPNP_AddPortMapping (urls->controlURL, service, outer, inner, local, DESCRIPTION,
                                  "UDP", NULL, lease);
      if (code == UPNPCOMMAND_SUCCESS)
        g_strlcpy (outer_port, outer, 8);
    }
  return code;
}

static void
map_by (Job *job, const struct UPNPUrls *urls, const char *service)
{
  guint32 lifetime_s = job->lifetime_s;
  guint16 wish = job->wish;
  char address[64] = "";
  char outer_port[8] = "";
  HnIp ip;
  int code;

  code = UPNP_GetExternalIPAddress (urls->controlURL, service, address);
  address[sizeof address - 1] = '\0';
  if (code != UPNPCOMMAND_SUCCESS || !hn_ip_parse (address, &ip) || !hn_portmap_is_public (&ip))
    {
      g_debug ("UPnP: no public address (%d)", code);
      return;
    }
  for (guint i = 0; i < TRIES; i++)
    {
      code = add_mapping (job, urls, service, wish, lifetime_s, outer_port);
      if ((code == ERROR_INVALID_ARGS || code == ERROR_ONLY_PERMANENT) && lifetime_s != 0)
        lifetime_s = 0;
      else if (code == ERROR_CONFLICT)
        wish = (guint16) (PORT_MIN + hn_random_u32 () % (G_MAXUINT16 - PORT_MIN));
      else
        break;
    }
  if (code != UPNPCOMMAND_SUCCESS || !read_port (outer_port, &job->outer.port))
    {
      g_debug ("UPnP: no mapping (%d)", code);
      return;
    }
  job->outer.ip = ip;
  job->entry = g_new0 (Entry, 1);
  g_atomic_ref_count_init (&job->entry->ref_count);
  job->entry->control_url = g_strdup (urls->controlURL);
  job->entry->service = g_strdup (service);
  g_strlcpy (job->entry->outer_port, outer_port, sizeof job->entry->outer_port);
}

static void
map (Job *job)
{
  struct UPNPUrls urls = { 0 };
  struct IGDdatas data = { 0 };
  char seen_from[HN_IP_TEXT_MAX] = "";
  char local[HN_IP_TEXT_MAX];

  if (UPNP_GetIGDFromUrl (job->url, &urls, &data, seen_from, sizeof seen_from) != 1)
    {
      g_debug ("UPnP: no description");
      return;
    }
  /* The library's sockets do not have our mark. If a tunnel leads them astray, it is another router
   * that answers. */
  if (strcmp (seen_from, hn_ip_format (&job->local, local)) != 0)
    g_debug ("UPnP: the way to the router is another one");
  else if (urls.controlURL == NULL || !is_same_host (urls.controlURL, job->url))
    g_debug ("UPnP: no service on the router itself");
  else
    map_by (job, &urls, data.first.servicetype);
  FreeUPNPUrls (&urls);
}

/* ---- back on the owner's thread ---- */

static gboolean
on_done (gpointer data)
{
  Job *job = data;
  HnUpnp *self = job->owner;

  if (self == NULL)
    return G_SOURCE_REMOVE;
  g_assert (self->job == job);
  job->owner = NULL;
  self->job = NULL;
  g_clear_pointer (&self->held, entry_unref);
  if (job->entry != NULL)
    self->held = entry_ref (job->entry);
  self->done (self->user, job->entry != NULL ? &job->outer : NULL, job->lifetime_s);
  job_unref (job);
  return G_SOURCE_REMOVE;
}

/* Returns: whether somebody waits for what came of it, and takes it over */
static gboolean
end (Job *job)
{
  gboolean wanted;

  g_mutex_lock (&job->mutex);
  job->ended = TRUE;
  wanted = !job->abandoned;
  g_cond_signal (&job->ended_cond);
  g_mutex_unlock (&job->mutex);
  return wanted;
}

static gpointer
run (gpointer data)
{
  Job *job = data;

  if (job->url == NULL)
    {
      delete_entry (job->entry);
      end (job);
    }
  else
    {
      g_autoptr (GSource) source = g_idle_source_new ();

      map (job);
      if (!end (job) && job->entry != NULL)
        delete_entry (job->entry);
      g_source_set_priority (source, G_PRIORITY_DEFAULT);
      g_source_set_callback (source, on_done, job_ref (job), job_unref);
      g_source_attach (source, job->context);
    }
  g_atomic_int_add (&n_threads, -1);
  job_unref (job);
  return NULL;
}

/* Takes a reference to @job. */
static gboolean
start (Job *job)
{
  g_autoptr (GError) error = NULL;
  GThread *thread;

  if (g_atomic_int_add (&n_threads, 1) >= MAX_THREADS)
    {
      g_atomic_int_add (&n_threads, -1);
      return FALSE;
    }
  thread = g_thread_try_new ("headnet-upnp", run, job_ref (job), &error);
  if (thread == NULL)
    {
      g_warning ("No thread for UPnP: %s", error->message);
      g_atomic_int_add (&n_threads, -1);
      job_unref (job);
      return FALSE;
    }
  g_thread_unref (thread);
  return TRUE;
}

static Job *
job_new (HnUpnp *self)
{
  Job *job = g_new0 (Job, 1);

  g_atomic_ref_count_init (&job->ref_count);
  job->context = g_main_context_ref (self->context);
  g_mutex_init (&job->mutex);
  g_cond_init (&job->ended_cond);
  return job;
}

HnUpnp *
hn_upnp_new (HnUpnpFunc done, gpointer user)
{
  HnUpnp *self = g_new0 (HnUpnp, 1);

  self->done = done;
  self->user = user;
  self->context = g_main_context_ref_thread_default ();
  return self;
}

/* The open question's answer is not wanted; @unmap: nor is what it makes. */
static void
give_up (HnUpnp *self, gboolean unmap)
{
  Job *job = g_steal_pointer (&self->job);
  gboolean ended;

  if (job == NULL)
    return;
  job->owner = NULL;
  g_mutex_lock (&job->mutex);
  ended = job->ended;
  job->abandoned = unmap;
  g_mutex_unlock (&job->mutex);
  /* its thread asked too early whether anybody wants the mapping: that is ours */
  if (ended && job->entry != NULL)
    {
      g_clear_pointer (&self->held, entry_unref);
      self->held = entry_ref (job->entry);
    }
  job_unref (job);
}

void
hn_upnp_unmap (HnUpnp *self)
{
  Job *job;

  give_up (self, TRUE);
  if (self->held == NULL)
    return;
  job = job_new (self);
  job->entry = g_steal_pointer (&self->held);
  if (start (job))
    {
      g_clear_pointer (&self->leaving, job_unref);
      self->leaving = g_steal_pointer (&job);
    }
  g_clear_pointer (&job, job_unref);
}

void
hn_upnp_forget (HnUpnp *self)
{
  give_up (self, TRUE);
  g_clear_pointer (&self->held, entry_unref);
}

void
hn_upnp_free (HnUpnp *self)
{
  gint64 end_us = g_get_monotonic_time () + GOODBYE_US;
  Job *job;

  hn_upnp_unmap (self);
  job = self->leaving;
  if (job != NULL)
    {
      g_mutex_lock (&job->mutex);
      while (!job->ended && g_cond_wait_until (&job->ended_cond, &job->mutex, end_us))
        ;
      g_mutex_unlock (&job->mutex);
      job_unref (job);
    }
  g_main_context_unref (self->context);
  g_free (self);
}

void
hn_upnp_map (HnUpnp *self, const char *url, const HnIp *local, guint16 port, guint32 lifetime_s)
{
  Job *job;

  /* what the earlier one makes is what this one renews */
  give_up (self, FALSE);
  job = job_new (self);
  job->url = g_strdup (url);
  job->local = *local;
  job->port = port;
  if (self->held == NULL || !read_port (self->held->outer_port, &job->wish))
    job->wish = port;
  job->lifetime_s = lifetime_s;
  job->owner = self;
  if (start (job))
    self->job = job;
  else
    job_unref (job);
}
