/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/hn-check-server.h"

#include <glib/gi18n.h>

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "control/hn-control-client.h"
#include "control/hn-control-connection.h"
#include "model/hn-preferences.h"

#define HTTP2_ANSWER_MAX 65536
#define HTTP2_TIMEOUT_S 5

typedef struct
{
  HnDialer *dialer;
  HnServerAddress *server;
  HnMachinePrivate machine_key;
  HnMachinePublic server_key;
  HnHttp2 *http2;
  GPtrArray *steps;
  guint seen; /* bits of HnControlStep */
  gint64 started_us;
} Check;

static void
check_free (gpointer data)
{
  Check *check = data;

  if (check->http2 != NULL)
    hn_http2_close (check->http2, NULL);
  g_clear_object (&check->http2);
  g_clear_object (&check->dialer);
  hn_server_address_free (check->server);
  hn_machine_private_clear (&check->machine_key);
  g_clear_pointer (&check->steps, g_ptr_array_unref);
  g_free (check);
}

void
hn_check_step_free (HnCheckStep *step)
{
  if (step == NULL)
    return;
  g_free (step->text);
  g_free (step);
}

static void
add_step (Check *check, HnControlStep step, gint64 elapsed_us, const GError *error,
          const char *detail)
{
  HnCheckStep *item;

  /* the second connection goes through the first steps again: only their failure is news */
  if ((check->seen & (1u << step)) != 0 && error == NULL)
    return;
  check->seen |= 1u << step;
  item = g_new0 (HnCheckStep, 1);
  item->step = hn_control_step_to_string (step);
  item->ok = error == NULL;
  item->text = g_strdup (error != NULL ? error->message : detail != NULL ? detail : "");
  item->latency_us = elapsed_us;
  g_ptr_array_add (check->steps, item);
}

static void
on_progress (HnControlStep step, gint64 elapsed_us, const GError *error, const char *detail,
             gpointer user)
{
  add_step (user, step, elapsed_us, error, detail);
}

static gboolean
has_failure (Check *check)
{
  for (guint i = 0; i < check->steps->len; i++)
    if (!((HnCheckStep *) g_ptr_array_index (check->steps, i))->ok)
      return TRUE;
  return FALSE;
}

/* Ends the check: a failed step is a result, not an error of the call. */
static void
finish (GTask *task, HnControlStep step, const GError *error)
{
  Check *check = g_task_get_task_data (task);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_task_return_error (task, g_error_copy (error));
      return;
    }
  if (error != NULL && !has_failure (check))
    add_step (check, step, hn_clock_now_us () - check->started_us, error, NULL);
  g_task_return_pointer (task, g_steal_pointer (&check->steps), (GDestroyNotify) g_ptr_array_unref);
}

static void
on_answer (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Check *check = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) body = NULL;
  guint status = 0;

  body = hn_http2_request_finish (HN_HTTP2 (source), result, &status, NULL, &error);
  if (body != NULL)
    add_step (check, HN_STEP_HTTP2, hn_clock_now_us () - check->started_us, NULL,
              _ ("The server answers requests"));
  finish (task, HN_STEP_HTTP2, error);
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Check *check = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;

  check->http2 = hn_control_connect_finish (result, &error);
  if (check->http2 == NULL)
    {
      finish (task, HN_STEP_NOISE, error);
      return;
    }
  check->started_us = hn_clock_now_us ();
  /* any answer will do: a path that no server has costs it nothing */
  hn_http2_request_async (check->http2, "GET", "/", NULL, NULL, HTTP2_ANSWER_MAX, HTTP2_TIMEOUT_S,
                          g_task_get_cancellable (task), on_answer, g_object_ref (task));
}

static void
on_key (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Check *check = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;

  if (!hn_control_fetch_key_finish (result, &check->server_key, &error))
    {
      finish (task, HN_STEP_KEY, error);
      return;
    }
  check->started_us = hn_clock_now_us ();
  hn_control_connect_async (check->dialer, check->server, HN_CAPABILITY_VERSION,
                            &check->machine_key, &check->server_key, on_progress, check,
                            g_task_get_cancellable (task), on_connected, g_object_ref (task));
}

void
hn_check_server_async (const char *url, const char *ca_certificate, guint32 mark,
                       GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);
  g_autofree char *normal = NULL;
  Check *check = g_new0 (Check, 1);
  GError *error = NULL;

  g_task_set_source_tag (task, hn_check_server_async);
  g_task_set_task_data (task, check, check_free);
  check->steps = g_ptr_array_new_with_free_func ((GDestroyNotify) hn_check_step_free);
  normal = hn_preferences_normalize_url (url, &error);
  if (normal != NULL)
    check->server = hn_server_address_new (normal, &error);
  if (check->server != NULL)
    check->dialer = hn_dialer_new (ca_certificate, mark, &error);
  if (check->dialer == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  hn_machine_private_generate (&check->machine_key);
  check->started_us = hn_clock_now_us ();
  hn_control_fetch_key_async (check->dialer, check->server, HN_CAPABILITY_VERSION, on_progress,
                              check, cancellable, on_key, g_object_ref (task));
}

GPtrArray *
hn_check_server_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
