/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control client: its public face, its phase, and what it wants next. */
#include "control/hn-control-client-private.h"

#include <string.h>

#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "base/hn-source.h"
#include "base/hn-text.h"
#include "crypto/hn-crypto.h"

#define TEXT_MAX 200
/* However often a person asks. */
#define HURRY_MIN_US ((gint64) G_USEC_PER_SEC)

G_DEFINE_FINAL_TYPE (HnControlClient, hn_control_client, G_TYPE_OBJECT)

/* ---- small things the parts share ---- */

HnControlCall *
hn_control_call_new (HnControlClient *client, guint serial)
{
  HnControlCall *call = g_new0 (HnControlCall, 1);

  g_weak_ref_init (&call->client, client);
  call->serial = serial;
  return call;
}

void
hn_control_call_free (HnControlCall *call)
{
  g_weak_ref_clear (&call->client);
  g_free (call);
}

static void
attach (HnControlClient *self, GSource **place, GSource *source, GSourceFunc func)
{
  hn_source_clear (place);
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, func, self, NULL);
  g_source_attach (source, self->context);
  *place = source;
}

void
hn_control_client_set_timer (HnControlClient *self, GSource **source, gint64 delay_us,
                             GSourceFunc func)
{
  attach (self, source, hn_clock_timer_new (delay_us), func);
}

gint64
hn_control_client_backoff (HnBackoff *backoff)
{
  return hn_backoff_next (backoff, hn_random_double ());
}

void
hn_control_headers_init (HnControlHeaders *self, const HnNodePublic *old_key,
                         const HnNodePublic *key)
{
  guint n = 0;

  self->list[n++] = "content-type";
  self->list[n++] = "application/json";
  if (old_key != NULL && !hn_node_public_is_zero (old_key))
    {
      self->list[n++] = "ts-lb";
      self->list[n++] = hn_node_public_format (old_key, self->text[0]);
    }
  self->list[n++] = "ts-lb";
  self->list[n++] = hn_node_public_format (key, self->text[1]);
  self->list[n] = NULL;
}

char *
hn_control_body_text (const void *data, gsize len)
{
  g_autofree char *text = NULL;

  if (data == NULL)
    return NULL;
  text = hn_text_make_printable (data, MIN (len, TEXT_MAX));
  return text[0] != '\0' ? g_steal_pointer (&text) : NULL;
}

/* ---- news for the owner ---- */

static gboolean
on_notify (gpointer data)
{
  g_autoptr (HnControlClient) self = g_object_ref (data);

  HnControlPhase phase = hn_control_client_get_phase (self);
  gboolean reachable = hn_control_client_is_reachable (self);

  g_clear_pointer (&self->notify, g_source_unref);
  if (phase == self->told.phase && reachable == self->told.reachable
      && self->auth.url == self->told.url && self->error_serial == self->told.error_serial)
    return G_SOURCE_REMOVE;
  self->told.phase = phase;
  self->told.reachable = reachable;
  self->told.url = self->auth.url;
  self->told.error_serial = self->error_serial;
  if (self->events.phase_changed != NULL)
    self->events.phase_changed (self->user);
  return G_SOURCE_REMOVE;
}

void
hn_control_client_queue_notify (HnControlClient *self)
{
  if (self->notify == NULL && !self->disposed)
    attach (self, &self->notify, g_idle_source_new (), on_notify);
}

/* Each kind once until all is well again: a server that fails now in this way and now in that would
 * fill the journal. */
static void
log_error (HnControlClient *self)
{
  guint kind = 0;

  if (self->error == NULL)
    {
      self->logged = 0;
      return;
    }
  if (self->error->domain == HN_ERROR)
    kind = 1 + MIN ((guint) self->error->code, 62);
  if ((self->logged & G_GUINT64_CONSTANT (1) << kind) == 0)
    g_info ("%s: %s", self->server->host, self->error->message);
  self->logged |= G_GUINT64_CONSTANT (1) << kind;
}

void
hn_control_client_take_error (HnControlClient *self, GError *error)
{
  gboolean same = error == self->error
                  || (error != NULL && self->error != NULL && error->domain == self->error->domain
                      && error->code == self->error->code
                      && strcmp (error->message, self->error->message) == 0);

  if (same && error != NULL)
    {
      g_error_free (error);
      return;
    }
  if (same)
    return;
  g_clear_error (&self->error);
  self->error = error;
  self->error_serial++;
  log_error (self);
  hn_control_client_queue_notify (self);
}

void
hn_control_client_take_hitch (HnControlClient *self, const HnBackoff *backoff, const GError *error)
{
  if (self->map.mapped || backoff->failures > 0
      || g_error_matches (error, HN_ERROR, HN_ERROR_TIMEOUT))
    hn_control_client_take_error (self, g_error_copy (error));
}

/* ---- what is to be done next ---- */

static gboolean
on_pump (gpointer data)
{
  g_autoptr (HnControlClient) self = g_object_ref (data);
  gboolean auth, map, update;

  g_clear_pointer (&self->pump, g_source_unref);
  if (!self->network)
    return G_SOURCE_REMOVE;

  hn_control_link_prune (self);
  auth = hn_control_auth_wants (self);
  map = hn_control_map_wants (self);
  update = hn_control_update_wants (self);
  if (self->http2 == NULL)
    {
      if ((auth || map || update) && !self->fetching && !self->dialing
          && self->connect_retry == NULL)
        hn_control_link_connect (self);
      return G_SOURCE_REMOVE;
    }

  /* In this order, in one go: a server may take a second for each. */
  if (auth)
    hn_control_auth_send (self);
  if (map && hn_control_map_wants (self))
    hn_control_map_send (self);
  if (update)
    hn_control_update_send (self);
  if (!self->started && !self->auth.active)
    hn_control_link_disconnect (self);
  return G_SOURCE_REMOVE;
}

void
hn_control_client_queue_pump (HnControlClient *self)
{
  if (self->pump == NULL && !self->disposed)
    attach (self, &self->pump, g_idle_source_new (), on_pump);
}

void
hn_control_client_set_node_key (HnControlClient *self, const HnNodePrivate *key)
{
  hn_node_private_clear (&self->node_key);
  self->node_key = *key;
  memset (&self->node_public, 0, sizeof self->node_public);
  if (!hn_node_private_is_zero (key))
    hn_node_private_get_public (key, &self->node_public);
  hn_control_update_forget (self);
}

void
hn_control_client_end_login (HnControlClient *self, GError *error)
{
  self->needs_login = TRUE;
  self->map.mapped = FALSE;
  hn_control_map_stop (self);
  /* Who signs in again may be a new node there, with the same key: Headscale 0.23 tells the others
   * of it only after its first lite update. */
  hn_control_update_forget (self);
  hn_control_client_take_error (self, error);
  hn_control_client_queue_notify (self);
}

/* ---- the public face ---- */

HnControlClient *
hn_control_client_new (const HnControlClientConfig *config, const HnControlClientEvents *events,
                       gpointer user, GError **error)
{
  g_autoptr (HnControlClient) self = g_object_new (HN_TYPE_CONTROL_CLIENT, NULL);

  self->server = hn_server_address_new (config->server_url, error);
  if (self->server == NULL)
    return NULL;
  self->dialer = hn_dialer_new (config->ca_certificate, config->mark, error);
  if (self->dialer == NULL)
    return NULL;
  self->version
      = config->capability_version != 0 ? config->capability_version : HN_CAPABILITY_VERSION;
  self->machine_key = *config->machine_key;
  if (config->node_key != NULL)
    hn_control_client_set_node_key (self, config->node_key);
  if (config->known_server_key != NULL)
    self->known_key = *config->known_server_key;
  self->events = *events;
  self->user = user;
  return g_steal_pointer (&self);
}

void
hn_control_client_start (HnControlClient *self)
{
  g_return_if_fail (HN_IS_CONTROL_CLIENT (self));
  if (self->started)
    return;
  self->started = TRUE;
  if (!hn_node_private_is_zero (&self->node_key) && !self->auth.active && !self->needs_login)
    hn_control_auth_begin_stored (self, FALSE);
  hn_control_client_queue_pump (self);
  hn_control_client_queue_notify (self);
}

static void
reset_backoffs (HnControlClient *self)
{
  hn_backoff_reset (&self->connect_backoff);
  hn_backoff_reset (&self->map.backoff);
  hn_backoff_reset (&self->map.shorts);
  hn_backoff_reset (&self->update.backoff);
  hn_backoff_reset (&self->auth.backoff);
}

void
hn_control_client_stop (HnControlClient *self)
{
  g_autoptr (GError) error = NULL;

  g_return_if_fail (HN_IS_CONTROL_CLIENT (self));
  g_object_ref (self);
  self->started = FALSE;
  self->needs_login = FALSE;
  self->map.mapped = FALSE;
  self->accept_server_key = FALSE;
  self->key_refused = FALSE;
  hn_control_link_disconnect (self);
  g_set_error_literal (&error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "Disconnected");
  hn_control_auth_cancel (self, error);
  hn_source_clear (&self->map.retry);
  hn_source_clear (&self->update.retry);
  hn_control_update_forget (self);
  memset (&self->server_key, 0, sizeof self->server_key);
  reset_backoffs (self);
  g_clear_pointer (&self->netmap, hn_netmap_unref);
  g_clear_pointer (&self->map.last_ping_url, g_free);
  hn_control_client_take_error (self, NULL);
  hn_control_client_queue_notify (self);
  g_object_unref (self);
}

HnControlPhase
hn_control_client_get_phase (HnControlClient *self)
{
  HnPhaseFacts facts = {
    .started = self->started,
    .network = self->network,
    .needs_login = self->needs_login,
    .has_key = !hn_node_private_is_zero (&self->node_key),
    .login_running = hn_control_auth_is_login (self),
    .url_pending = self->auth.url != NULL,
    .mapped = self->map.mapped,
  };

  return hn_control_policy_phase (&facts);
}

const GError *
hn_control_client_get_error (HnControlClient *self)
{
  return self->error;
}

gboolean
hn_control_client_is_reachable (HnControlClient *self)
{
  return hn_control_map_is_up (self) || self->map.planned;
}

gboolean
hn_control_client_get_has_login_url (HnControlClient *self)
{
  return self->auth.url != NULL;
}

HnSecretText *
hn_control_client_dup_login_url (HnControlClient *self)
{
  return self->auth.url != NULL ? hn_secret_text_ref (self->auth.url) : NULL;
}

void
hn_control_client_set_hostinfo (HnControlClient *self, const HnHostinfo *hostinfo)
{
  if (self->hostinfo != NULL && hn_hostinfo_equal (self->hostinfo, hostinfo))
    return;
  g_clear_pointer (&self->hostinfo, hn_hostinfo_free);
  self->hostinfo = hn_hostinfo_copy (hostinfo);
  hn_control_client_queue_pump (self);
}

void
hn_control_client_network_changed (HnControlClient *self, gboolean available, gboolean major)
{
  gboolean restart = major || available != self->network;

  if (!restart)
    return;
  g_object_ref (self);
  self->network = available;
  hn_control_link_disconnect (self);
  hn_source_clear (&self->map.retry);
  hn_source_clear (&self->update.retry);
  hn_source_clear (&self->auth.retry);
  reset_backoffs (self);
  if (!available)
    {
      g_autoptr (GError) error
          = g_error_new_literal (HN_ERROR, HN_ERROR_UNREACHABLE, "There is no network");

      hn_control_auth_unreachable (self, error);
    }
  hn_control_client_queue_pump (self);
  hn_control_client_queue_notify (self);
  g_object_unref (self);
}

void
hn_control_client_hurry (HnControlClient *self)
{
  gint64 now = hn_clock_now_us ();

  if (!self->started || !self->network || hn_control_client_is_reachable (self)
      || (self->hurried_us != 0 && now - self->hurried_us < HURRY_MIN_US))
    return;
  self->hurried_us = now;
  hn_source_clear (&self->connect_retry);
  hn_source_clear (&self->map.retry);
  if (self->auth.kind == HN_REGISTER_STORED && !self->auth.told_to_wait)
    hn_source_clear (&self->auth.retry);
  reset_backoffs (self);
  hn_control_client_queue_pump (self);
}

HnNetmap *
hn_control_client_get_netmap (HnControlClient *self)
{
  return self->netmap;
}

static void
hn_control_client_dispose (GObject *object)
{
  HnControlClient *self = HN_CONTROL_CLIENT (object);

  if (!self->disposed && self->server != NULL)
    hn_control_client_stop (self);
  self->disposed = TRUE;
  hn_source_clear (&self->pump);
  hn_source_clear (&self->notify);
  G_OBJECT_CLASS (hn_control_client_parent_class)->dispose (object);
}

static void
hn_control_client_finalize (GObject *object)
{
  HnControlClient *self = HN_CONTROL_CLIENT (object);

  hn_machine_private_clear (&self->machine_key);
  hn_node_private_clear (&self->node_key);
  g_clear_pointer (&self->server, hn_server_address_free);
  g_clear_object (&self->dialer);
  g_clear_pointer (&self->hostinfo, hn_hostinfo_free);
  g_clear_pointer (&self->context, g_main_context_unref);
  g_clear_error (&self->error);
  G_OBJECT_CLASS (hn_control_client_parent_class)->finalize (object);
}

static void
hn_control_client_class_init (HnControlClientClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = hn_control_client_dispose;
  G_OBJECT_CLASS (klass)->finalize = hn_control_client_finalize;
}

static void
hn_control_client_init (HnControlClient *self)
{
  self->context = g_main_context_ref_thread_default ();
  self->network = TRUE;
  self->connect_backoff = (HnBackoff) HN_CONTROL_BACKOFF;
  self->map.backoff = (HnBackoff) HN_CONTROL_BACKOFF;
  self->map.shorts = (HnBackoff) HN_CONTROL_BACKOFF;
  self->update.backoff = (HnBackoff) HN_CONTROL_BACKOFF;
  self->auth.backoff = (HnBackoff) HN_CONTROL_BACKOFF;
}
