/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-netcheck-http.h"

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "base/hn-source.h"
#include "net/hn-http-upgrade.h"
#include "path/hn-derp-target.h"

#define TIMEOUT_S 5
#define MAX_BODY 4096
#define MAX_JOBS 64
/* A second node, or the first one's name instead of its literal address. */
#define MAX_TARGETS 2

typedef struct
{
  grefcount ref_count;
  HnNetcheckHttp *owner; /* NULL: it is over, nobody wants to know */
  int region;
  GPtrArray *targets; /* of HnDerpTarget */
  guint next;
  char *portal_host; /* where a relay also answers plain HTTP; NULL: nowhere, or asked already */
  gboolean secure;   /* what is being asked proved its name */
  gboolean portal_check;
  GCancellable *cancellable;
  GIOStream *stream;
  GSource *timer;
  gint64 asked_us;
} Job;

struct _HnNetcheckHttp
{
  HnDialer *dialer;
  char *server_url;
  HnNetcheckHttpDone done;
  gpointer user;
  GPtrArray *jobs; /* of Job, each with a reference */
};

static void try_next (Job *job);

/* A goodbye of TLS could block on a stalled connection, so the socket below goes first. */
static void
close_stream (Job *job)
{
  if (job->stream != NULL && G_IS_TLS_CONNECTION (job->stream))
    {
      g_autoptr (GIOStream) below = NULL;

      g_object_get (job->stream, "base-io-stream", &below, NULL);
      g_io_stream_close (below, NULL, NULL);
    }
  g_clear_object (&job->stream);
}

static void
job_unref (gpointer data)
{
  Job *job = data;

  if (!g_ref_count_dec (&job->ref_count))
    return;
  g_ptr_array_unref (job->targets);
  g_free (job->portal_host);
  g_object_unref (job->cancellable);
  close_stream (job);
  g_free (job);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Job, job_unref)

static Job *
job_ref (Job *job)
{
  g_ref_count_inc (&job->ref_count);
  return job;
}

/* Stops all that is under way; the owner still has its reference. */
static void
job_stop (Job *job)
{
  job->owner = NULL;
  hn_source_clear (&job->timer);
  g_cancellable_cancel (job->cancellable);
}

static void
job_end (Job *job, gint64 latency_us, gboolean portal)
{
  HnNetcheckHttp *self = job->owner;
  int region = job->region;

  job_stop (job);
  g_ptr_array_remove_fast (self->jobs, job);
  self->done (self->user, region, latency_us, portal);
}

static gboolean
on_timeout (gpointer data)
{
  Job *job = data;

  job_end (job, 0, FALSE);
  return G_SOURCE_REMOVE;
}

/* Anybody may answer in the name of a relay that proves no name. */
static gboolean
is_portal (const Job *job, const HnHttpResponse *response, const GError *error)
{
  const char *type;

  if (job->secure)
    return FALSE;
  if (response == NULL)
    return g_error_matches (error, HN_ERROR, HN_ERROR_PROTOCOL);
  if (job->portal_check)
    return response->status != 204;
  if (response->status >= 300 && response->status < 400)
    return TRUE;
  if (response->status == 511)
    return TRUE;
  type = g_hash_table_lookup (response->headers, "content-type");
  return response->status == 200 && type != NULL && g_str_has_prefix (type, "text/html")
         && g_bytes_get_size (response->body) > 0;
}

static void
on_answer (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (Job) job = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (HnHttpResponse) response = hn_http_request_finish (result, &error);
  gint64 latency_us = hn_clock_now_us () - job->asked_us;

  if (job->owner == NULL)
    return;
  close_stream (job);
  if (is_portal (job, response, error))
    job_end (job, 0, TRUE);
  else if (job->portal_check)
    job_end (job, 0, FALSE);
  else if (response != NULL && response->status == 200)
    job_end (job, MAX (latency_us, 1), FALSE);
  else
    {
      g_debug ("region %d by HTTP: %s", job->region,
               error != NULL ? error->message : "no relay's answer");
      try_next (job);
    }
}

static void
on_dialled (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (Job) job = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GIOStream) stream = NULL;
  g_autofree char *host = NULL;

  stream = hn_dialer_connect_finish (HN_DIALER (source), result, &error);
  if (job->owner == NULL)
    return;
  if (stream == NULL)
    {
      g_debug ("region %d by HTTP: %s", job->region, error->message);
      try_next (job);
      return;
    }
  if (job->portal_check)
    host = hn_http_format_host (job->portal_host, 80, FALSE);
  else
    {
      const HnDerpTarget *target = g_ptr_array_index (job->targets, job->next - 1);

      host = hn_http_format_host (target->host, target->port, target->tls);
    }
  job->stream = g_steal_pointer (&stream);
  job->asked_us = hn_clock_now_us ();
  hn_http_request_async (job->stream, "GET",
                         job->portal_check ? "/generate_204" : "/derp/latency-check", host,
                         MAX_BODY, job->cancellable, on_answer, job_ref (job));
}

static void
try_next (Job *job)
{
  HnDialTarget dial = { 0 };

  if (job->next < MIN (job->targets->len, MAX_TARGETS))
    {
      const HnDerpTarget *target = g_ptr_array_index (job->targets, job->next++);

      hn_derp_target_get_dial (target, TIMEOUT_S, &dial);
      job->secure = target->tls && (!target->tls_insecure || target->tls_pin != NULL);
    }
  else if (job->portal_host != NULL && !job->portal_check)
    {
      job->portal_check = TRUE;
      job->secure = FALSE;
      dial.host = job->portal_host;
      dial.port = 80;
      dial.timeout_s = TIMEOUT_S;
    }
  else
    {
      job_end (job, 0, FALSE);
      return;
    }
  hn_dialer_connect_async (job->owner->dialer, &dial, NULL, NULL, job->cancellable, on_dialled,
                           job_ref (job));
}

/* A name that also answers on port 80, by which a portal gives itself away. */
static char *
dup_portal_host (const HnDerpRegion *region)
{
  for (gsize i = 0; i < region->n_nodes; i++)
    if (region->nodes[i].can_port_80 && region->nodes[i].host_name != NULL
        && *region->nodes[i].host_name != '\0')
      return g_strdup (region->nodes[i].host_name);
  return NULL;
}

void
hn_netcheck_http_measure (HnNetcheckHttp *self, const HnDerpRegion *region)
{
  g_autoptr (Job) job = NULL;

  if (self->jobs->len >= MAX_JOBS)
    {
      self->done (self->user, region->id, 0, FALSE);
      return;
    }
  job = g_new0 (Job, 1);
  g_ref_count_init (&job->ref_count);
  job->owner = self;
  job->region = region->id;
  job->targets = hn_derp_targets_new (region, self->server_url);
  job->portal_host = dup_portal_host (region);
  job->cancellable = g_cancellable_new ();
  job->timer = hn_clock_timer_new (TIMEOUT_S * G_USEC_PER_SEC);
  g_source_set_callback (job->timer, on_timeout, job, NULL);
  g_source_attach (job->timer, g_main_context_get_thread_default ());
  g_ptr_array_add (self->jobs, job_ref (job));
  try_next (job);
}

void
hn_netcheck_http_cancel (HnNetcheckHttp *self)
{
  for (guint i = 0; i < self->jobs->len; i++)
    job_stop (g_ptr_array_index (self->jobs, i));
  g_ptr_array_set_size (self->jobs, 0);
}

HnNetcheckHttp *
hn_netcheck_http_new (HnDialer *dialer, const char *server_url, HnNetcheckHttpDone done,
                      gpointer user)
{
  HnNetcheckHttp *self = g_new0 (HnNetcheckHttp, 1);

  self->dialer = g_object_ref (dialer);
  self->server_url = g_strdup (server_url);
  self->done = done;
  self->user = user;
  self->jobs = g_ptr_array_new_with_free_func (job_unref);
  return self;
}

void
hn_netcheck_http_free (HnNetcheckHttp *self)
{
  if (self == NULL)
    return;
  hn_netcheck_http_cancel (self);
  g_ptr_array_unref (self->jobs);
  g_object_unref (self->dialer);
  g_free (self->server_url);
  g_free (self);
}
