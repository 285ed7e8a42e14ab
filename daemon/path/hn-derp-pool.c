/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-derp-pool.h"

#include "base/hn-backoff.h"
#include "base/hn-clock.h"
#include "base/hn-error.h"
#include "base/hn-secret.h"
#include "base/hn-source.h"
#include "crypto/hn-crypto.h"
#include "path/hn-derp-client.h"
#include "path/hn-derp-routes.h"

#define BACKOFF_UNIT_US (10 * G_TIME_SPAN_MILLISECOND)
#define BACKOFF_CAP_US (5 * G_USEC_PER_SEC)
/* A connection that lived for so long was a success, and its loss is the first failure. */
#define PROVEN_US (10 * G_USEC_PER_SEC)
/* A relay that refuses us is not asked a hundred times a second: this is the back-off's first second. */
#define REFUSED_FAILURES 10
#define IDLE_US (60 * G_USEC_PER_SEC)
#define IDLE_CHECK_S 15
/* Texts of a relay that are passed on in a minute: each goes to another thread, and on the bus. */
#define HEALTH_MAX 16
#define HEALTH_SPAN_US (60 * G_USEC_PER_SEC)

/* One region that we are connected to, or on the way to. */
typedef struct
{
  HnDerpPool *pool; /* borrowed */
  int id;
  HnDerpClient *client; /* owned; never NULL while the region is in the table */
  HnBackoff backoff;
  gint64 connected_us; /* 0: not since the client was made */
  gint64 used_us;      /* last send */
  char *health;        /* the relay's last Health text; NULL: it is well */
  guint n_health;      /* texts since health_us */
  gint64 health_us;
} Region;

struct _HnDerpPool
{
  int ref_count; /* the owner's, and one for each callback under way */
  gboolean freed;
  HnDerpPoolOps ops;
  gpointer user;

  HnDialer *dialer; /* owned */
  char *server_url;
  HnDerpMap *map; /* owned, nullable */
  HnNodePrivate key;
  gboolean have_key;
  gboolean available;
  int home; /* 0: none */

  GHashTable *regions;  /* id -> Region */
  HnDerpRoutes *routes; /* owned */
  GSource *idle_timer;  /* only while there is a region besides the home */
};

static HnDerpPool *
pool_ref (HnDerpPool *self)
{
  self->ref_count++;
  return self;
}

static void
pool_unref (HnDerpPool *self)
{
  if (--self->ref_count > 0)
    return;

  g_hash_table_unref (self->regions);
  hn_derp_routes_free (self->routes);
  g_clear_object (&self->dialer);
  g_clear_pointer (&self->map, hn_derp_map_unref);
  hn_node_private_clear (&self->key);
  g_free (self->server_url);
  g_free (self);
}

static void
region_free (gpointer data)
{
  Region *region = data;

  g_clear_pointer (&region->client, hn_derp_client_free);
  g_free (region->health);
  g_free (region);
}

static Region *
find_region (HnDerpPool *self, int id)
{
  return g_hash_table_lookup (self->regions, GINT_TO_POINTER (id));
}

/* The last thing that a function does, or behind it everything is looked up again: the other side
 * may close regions and free the pool. */
static void
report (HnDerpPool *self, int id, HnDerpState state, const char *health, const GError *error)
{
  if (!self->freed && self->ops.state != NULL)
    self->ops.state (self->user, id, state, health, error);
}

/* Ends the region's connection; TRUE when somebody waits for it to drain, who must be told behind
 * the state. */
static gboolean
drop_client (Region *region)
{
  gboolean waiting = hn_derp_client_is_waiting (region->client);

  g_clear_pointer (&region->client, hn_derp_client_free);
  return waiting;
}

static void
report_end (HnDerpPool *self, int id, HnDerpState state, const char *health, const GError *error,
            gboolean waiting)
{
  pool_ref (self);
  report (self, id, state, health, error);
  if (waiting && !self->freed && self->ops.drained != NULL)
    self->ops.drained (self->user, id);
  pool_unref (self);
}

static gboolean
on_idle_timer (gpointer data)
{
  HnDerpPool *self = pool_ref (data);

  hn_derp_pool_close_idle (self, hn_clock_now_us ());
  pool_unref (self);
  return G_SOURCE_CONTINUE;
}

/* No timer runs while there is nothing but the home. */
static void
update_idle_timer (HnDerpPool *self)
{
  guint n = g_hash_table_size (self->regions);
  gboolean wanted = n > 1 || (n == 1 && find_region (self, self->home) == NULL);

  if (wanted && self->idle_timer == NULL)
    {
      self->idle_timer = g_timeout_source_new_seconds (IDLE_CHECK_S);
      g_source_set_callback (self->idle_timer, on_idle_timer, self, NULL);
      g_source_attach (self->idle_timer, g_main_context_get_thread_default ());
    }
  else if (!wanted)
    hn_source_clear (&self->idle_timer);
}

/* What a connection that is gone said no longer holds: "" says so, NULL when it had said nothing. */
static const char *
clear_health (Region *region)
{
  const char *health = region->health != NULL ? "" : NULL;

  g_clear_pointer (&region->health, g_free);
  return health;
}

static void
close_region (HnDerpPool *self, int id)
{
  Region *region = find_region (self, id);
  const char *health;
  gboolean waiting;

  if (region == NULL)
    return;

  health = clear_health (region);
  waiting = drop_client (region);
  g_hash_table_remove (self->regions, GINT_TO_POINTER (id));
  hn_derp_routes_remove_region (self->routes, id);
  update_idle_timer (self);
  report_end (self, id, HN_DERP_CLOSED, health, NULL, waiting);
}

static void
on_client_connected (gpointer user)
{
  Region *region = user;

  region->connected_us = hn_clock_now_us ();
  report (region->pool, region->id, HN_DERP_CONNECTED, NULL, NULL);
}

static void
on_client_packet (gpointer user, const HnNodePublic *source, guint8 *data, gsize len)
{
  Region *region = user;
  HnDerpPool *self = region->pool;

  hn_derp_routes_add (self->routes, source, region->id, hn_clock_now_us ());
  self->ops.receive (self->user, region->id, source, data, len);
}

static void
on_client_peer_gone (gpointer user, const HnNodePublic *peer)
{
  Region *region = user;
  HnDerpPool *self = region->pool;

  hn_derp_routes_remove (self->routes, peer, region->id);
  if (self->ops.peer_gone != NULL)
    self->ops.peer_gone (self->user, region->id, peer);
}

static void
on_client_health (gpointer user, const char *text)
{
  Region *region = user;
  gint64 now_us = hn_clock_now_us ();

  /* Relays repeat themselves. */
  if (g_strcmp0 (text, region->health != NULL ? region->health : "") == 0)
    return;
  if (region->n_health == 0 || now_us - region->health_us >= HEALTH_SPAN_US)
    {
      region->health_us = now_us;
      region->n_health = 0;
    }
  if (region->n_health == HEALTH_MAX)
    return;
  region->n_health++;

  g_free (region->health);
  region->health = *text != '\0' ? g_strdup (text) : NULL;
  report (region->pool, region->id, HN_DERP_CONNECTED, text, NULL);
}

static void
on_client_drained (gpointer user)
{
  Region *region = user;

  if (region->pool->ops.drained != NULL)
    region->pool->ops.drained (region->pool->user, region->id);
}

static void on_client_closed (gpointer user, gboolean refused, const GError *error);

static const HnDerpClientOps client_ops = {
  on_client_connected, on_client_packet,  on_client_peer_gone,
  on_client_health,    on_client_drained, on_client_closed,
};

/* Gives the region a client; FALSE when the map has nothing to dial for it. */
static gboolean
open_client (HnDerpPool *self, Region *region, gint64 delay_us)
{
  const HnDerpRegion *definition;
  g_autoptr (GPtrArray) targets = NULL;

  definition = self->map != NULL ? hn_derp_map_get_region (self->map, region->id) : NULL;
  if (definition == NULL)
    return FALSE;
  targets = hn_derp_targets_new (definition, self->server_url);
  if (targets->len == 0)
    return FALSE;

  region->connected_us = 0;
  region->client = hn_derp_client_new (self->dialer, targets, &self->key, region->id == self->home,
                                       delay_us, &client_ops, region);
  return TRUE;
}

/* Opens a region that is not open yet; NULL when it can not be. The caller reports it. */
static Region *
open_region (HnDerpPool *self, int id, gint64 now_us)
{
  Region *region;

  if (id <= 0 || !self->available || !self->have_key)
    return NULL;

  region = g_new0 (Region, 1);
  region->pool = self;
  region->id = id;
  region->backoff = (HnBackoff) HN_BACKOFF_INIT (BACKOFF_UNIT_US, BACKOFF_CAP_US);
  region->used_us = now_us;
  if (!open_client (self, region, 0))
    {
      g_free (region);
      return NULL;
    }
  g_hash_table_insert (self->regions, GINT_TO_POINTER (id), region);
  update_idle_timer (self);
  return region;
}

static void
open_home (HnDerpPool *self)
{
  if (!self->freed && find_region (self, self->home) == NULL
      && open_region (self, self->home, hn_clock_now_us ()) != NULL)
    report (self, self->home, HN_DERP_CONNECTING, NULL, NULL);
}

static void
on_client_closed (gpointer user, gboolean refused, const GError *error)
{
  Region *region = user;
  HnDerpPool *self = region->pool;
  gint64 now_us = hn_clock_now_us ();
  int id = region->id;
  const char *health = clear_health (region);
  gboolean waiting;
  gint64 delay_us;

  /* Once for each loss, not for each further try. */
  if (region->connected_us != 0 || region->backoff.failures == 0)
    g_message ("relay region %d: %s", id, error->message);
  else
    g_debug ("relay region %d: %s", id, error->message);
  if (region->connected_us != 0 && now_us - region->connected_us >= PROVEN_US)
    hn_backoff_reset (&region->backoff);
  if (refused)
    region->backoff.failures = MAX (region->backoff.failures, REFUSED_FAILURES - 1);
  delay_us = hn_backoff_next (&region->backoff, hn_random_double ());
  hn_derp_routes_remove_region (self->routes, id);
  waiting = drop_client (region);

  /* The next client takes packets at once and dials when the back-off is over. */
  if ((id != self->home && now_us - region->used_us >= IDLE_US)
      || !open_client (self, region, delay_us))
    {
      g_hash_table_remove (self->regions, GINT_TO_POINTER (id));
      update_idle_timer (self);
    }
  report_end (self, id, refused ? HN_DERP_REFUSED : HN_DERP_LOST, health, error, waiting);
}

HnDerpPool *
hn_derp_pool_new (HnDialer *dialer, const char *server_url, const HnDerpPoolOps *ops, gpointer user)
{
  HnDerpPool *self = g_new0 (HnDerpPool, 1);

  self->ref_count = 1;
  self->ops = *ops;
  self->user = user;
  self->dialer = g_object_ref (dialer);
  self->server_url = g_strdup (server_url);
  self->available = TRUE;
  self->regions = g_hash_table_new_full (NULL, NULL, NULL, region_free);
  self->routes = hn_derp_routes_new ();
  return self;
}

void
hn_derp_pool_free (HnDerpPool *self)
{
  self->freed = TRUE;
  g_hash_table_remove_all (self->regions);
  update_idle_timer (self);
  pool_unref (self);
}

void
hn_derp_pool_set_private_key (HnDerpPool *self, const HnNodePrivate *key)
{
  g_autofree gpointer *ids = NULL;
  guint n;

  if (self->have_key && hn_equal_constant_time (&self->key, key, sizeof self->key))
    return;

  self->key = *key;
  self->have_key = !hn_node_private_is_zero (key);
  pool_ref (self);
  ids = g_hash_table_get_keys_as_array (self->regions, &n);
  for (guint i = 0; i < n && !self->freed; i++)
    {
      int id = GPOINTER_TO_INT (ids[i]);
      Region *region = find_region (self, id);
      const char *health;
      gboolean waiting;

      if (region == NULL)
        continue;
      if (!self->have_key)
        {
          close_region (self, id);
          continue;
        }

      health = clear_health (region);
      hn_backoff_reset (&region->backoff);
      hn_derp_routes_remove_region (self->routes, id);
      waiting = drop_client (region);
      if (open_client (self, region, 0))
        report_end (self, id, HN_DERP_CONNECTING, health, NULL, waiting);
      else
        {
          g_hash_table_remove (self->regions, GINT_TO_POINTER (id));
          update_idle_timer (self);
          report_end (self, id, HN_DERP_CLOSED, health, NULL, waiting);
        }
    }
  open_home (self);
  pool_unref (self);
}

static gboolean
node_equal (const HnDerpNode *a, const HnDerpNode *b)
{
  return g_strcmp0 (a->name, b->name) == 0 && g_strcmp0 (a->host_name, b->host_name) == 0
         && g_strcmp0 (a->cert_name, b->cert_name) == 0 && hn_ip_equal (&a->ipv4, &b->ipv4)
         && hn_ip_equal (&a->ipv6, &b->ipv6) && a->ipv4_disabled == b->ipv4_disabled
         && a->ipv6_disabled == b->ipv6_disabled && a->derp_port == b->derp_port
         && a->stun_only == b->stun_only && a->insecure_for_tests == b->insecure_for_tests;
}

/* In what a connection depends on. */
static gboolean
region_equal (const HnDerpRegion *a, const HnDerpRegion *b)
{
  if (a == NULL || b == NULL || a->n_nodes != b->n_nodes)
    return FALSE;
  for (gsize i = 0; i < a->n_nodes; i++)
    if (!node_equal (&a->nodes[i], &b->nodes[i]))
      return FALSE;
  return TRUE;
}

void
hn_derp_pool_set_map (HnDerpPool *self, HnDerpMap *map)
{
  g_autoptr (HnDerpMap) old = self->map;
  g_autofree gpointer *ids = NULL;
  guint n;

  pool_ref (self);
  self->map = map != NULL ? hn_derp_map_ref (map) : NULL;
  ids = g_hash_table_get_keys_as_array (self->regions, &n);
  for (guint i = 0; i < n && !self->freed; i++)
    {
      int id = GPOINTER_TO_INT (ids[i]);

      /* A callback may have set yet another map: then this one decides nothing any more. */
      if (self->map != map)
        break;
      if (map == NULL || old == NULL
          || !region_equal (hn_derp_map_get_region (old, id), hn_derp_map_get_region (map, id)))
        close_region (self, id);
    }
  open_home (self);
  pool_unref (self);
}

void
hn_derp_pool_set_home (HnDerpPool *self, int region)
{
  GHashTableIter iter;
  gpointer value;

  if (self->home == region)
    return;

  self->home = region;
  g_hash_table_iter_init (&iter, self->regions);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Region *open = value;

      /* What was the home gets its minute before it counts as idle. */
      open->used_us = hn_clock_now_us ();
      hn_derp_client_set_preferred (open->client, open->id == region);
    }
  update_idle_timer (self);
  open_home (self);
}

void
hn_derp_pool_network_changed (HnDerpPool *self, gboolean available)
{
  GHashTableIter iter;
  gpointer value;

  pool_ref (self);
  self->available = available;
  if (!available)
    {
      g_autofree gpointer *ids = NULL;
      guint n;

      ids = g_hash_table_get_keys_as_array (self->regions, &n);
      for (guint i = 0; i < n && !self->freed && !self->available; i++)
        close_region (self, GPOINTER_TO_INT (ids[i]));
    }
  else
    {
      g_hash_table_iter_init (&iter, self->regions);
      while (g_hash_table_iter_next (&iter, NULL, &value))
        {
          Region *region = value;

          hn_backoff_reset (&region->backoff);
          if (hn_derp_client_is_connected (region->client))
            hn_derp_client_test (region->client);
          else
            hn_derp_client_hurry (region->client);
        }
      open_home (self);
    }
  pool_unref (self);
}

int
hn_derp_pool_send (HnDerpPool *self, int region, const HnNodePublic *peer, const guint8 *data,
                   gsize len)
{
  Region *open = region > 0 ? find_region (self, region) : NULL;
  gint64 now_us = hn_clock_now_us ();
  gboolean opened = FALSE;
  int id;

  if (open == NULL || !hn_derp_client_is_connected (open->client))
    {
      Region *back = find_region (self, hn_derp_routes_get (self->routes, peer));

      if (back != NULL && hn_derp_client_is_connected (back->client))
        open = back;
    }
  if (open == NULL)
    {
      open = open_region (self, region, now_us);
      opened = open != NULL;
    }
  if (open == NULL)
    return 0;

  id = open->id;
  open->used_us = now_us;
  hn_derp_client_send (open->client, peer, data, len, now_us);
  if (opened)
    report (self, id, HN_DERP_CONNECTING, NULL, NULL);
  return id;
}

void
hn_derp_pool_flush (HnDerpPool *self)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->regions);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    hn_derp_client_flush (((Region *) value)->client);
}

gsize
hn_derp_pool_get_queued (HnDerpPool *self, int region)
{
  Region *open = find_region (self, region);

  return open != NULL ? hn_derp_client_get_queued (open->client) : 0;
}

gint64
hn_derp_pool_get_latency_us (HnDerpPool *self, int region)
{
  Region *open = find_region (self, region);

  return open != NULL ? hn_derp_client_get_rtt_us (open->client) : 0;
}

gboolean
hn_derp_pool_is_connected (HnDerpPool *self, int region)
{
  Region *open = find_region (self, region);

  return open != NULL && hn_derp_client_is_connected (open->client);
}

void
hn_derp_pool_close_idle (HnDerpPool *self, gint64 now_us)
{
  g_autofree gpointer *ids = NULL;
  guint n;

  pool_ref (self);
  ids = g_hash_table_get_keys_as_array (self->regions, &n);
  for (guint i = 0; i < n && !self->freed; i++)
    {
      int id = GPOINTER_TO_INT (ids[i]);
      Region *region = find_region (self, id);

      if (region != NULL && id != self->home && now_us - region->used_us >= IDLE_US)
        close_region (self, id);
    }
  pool_unref (self);
}
