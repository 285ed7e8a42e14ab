/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list of peers, kept for a few seconds, and who waits for it. */
#include "bus/hn-peers-cache.h"

#include "base/hn-error.h"
#include "base/hn-source.h"
#include "bus/hn-bus-errors.h"
#include "bus/hn-variants.h"

/* Up to this many peers an answer takes a few milliseconds and goes out at once. */
#define SMALL_LIST 500

/* Megabytes for a large tailnet, so not for longer than a rush lasts. */
#define KEEP_SECONDS 2

/* The system bus throws out whoever sends more than 32 MiB at once. */
#define MESSAGE_MAX (31 * 1024 * 1024)
/* A list of this size is at most three times as large in the form of the bus. */
#define SURELY_FITS (MESSAGE_MAX / 3)

struct _HnPeersCache
{
  HnTailnet *tailnet; /* owned */
  GVariant *peers;    /* owned; NULL when dropped */
  guint64 generation; /* of the above */
  gboolean fits;      /* into a message */
  GSource *drop;      /* owned; set as long as peers are */
  GQueue waiting;     /* of GDBusMethodInvocation: the references that the answers consume */
  GSource *answer;    /* owned; set as long as somebody waits */
};

HnPeersCache *
hn_peers_cache_new (HnTailnet *tailnet)
{
  HnPeersCache *self = g_new0 (HnPeersCache, 1);

  self->tailnet = g_object_ref (tailnet);
  g_queue_init (&self->waiting);
  return self;
}

static void
drop (HnPeersCache *self)
{
  hn_source_clear (&self->drop);
  g_clear_pointer (&self->peers, g_variant_unref);
}

void
hn_peers_cache_free (HnPeersCache *self)
{
  g_autoptr (GError) gone
      = g_error_new_literal (HN_ERROR, HN_ERROR_NOT_FOUND, "The tailnet has been removed");
  GDBusMethodInvocation *invocation;

  drop (self);
  hn_source_clear (&self->answer);
  while ((invocation = g_queue_pop_head (&self->waiting)) != NULL)
    hn_bus_return_error (invocation, gone);
  g_object_unref (self->tailnet);
  g_free (self);
}

static void
add_peer (const HnPeerView *peer, gpointer data)
{
  hn_variants_write_peer (data, peer, NULL);
}

static gboolean
on_drop (gpointer user_data)
{
  drop (user_data);
  return G_SOURCE_REMOVE;
}

static GVariant *
make_answer (HnPeersCache *self)
{
  return g_variant_new ("(t@aa{sv})", self->generation, self->peers);
}

static gboolean
fits_message (HnPeersCache *self)
{
  g_autoptr (GDBusMessage) message = NULL;
  g_autofree guchar *blob = NULL;
  gsize size = 0;

  if (g_variant_get_size (self->peers) <= SURELY_FITS)
    return TRUE;
  message = g_dbus_message_new_signal ("/", "org.headnet.Headnet1", "Peers");
  g_dbus_message_set_body (message, make_answer (self));
  blob = g_dbus_message_to_blob (message, &size, G_DBUS_CAPABILITY_FLAGS_NONE, NULL);
  return blob != NULL && size <= MESSAGE_MAX;
}

/* Sees to it that the peers are those of now. */
static void
update_peers (HnPeersCache *self)
{
  guint64 generation = hn_tailnet_get_peers_generation (self->tailnet);
  g_autoptr (HnDictionaryWriter) writer = NULL;

  if (self->peers != NULL && self->generation == generation)
    return;

  drop (self);
  writer = hn_dictionary_writer_new ();
  hn_tailnet_foreach_peer (self->tailnet, add_peer, writer);
  self->peers = g_variant_ref_sink (hn_dictionary_writer_finish (writer));
  self->generation = generation;
  self->fits = fits_message (self);

  self->drop = g_timeout_source_new_seconds (KEEP_SECONDS);
  g_source_set_callback (self->drop, on_drop, self, NULL);
  g_source_attach (self->drop, NULL);
}

static void
answer (HnPeersCache *self, GDBusMethodInvocation *invocation)
{
  g_autoptr (GError) error = NULL;

  update_peers (self);
  if (self->fits)
    {
      g_dbus_method_invocation_return_value (invocation, make_answer (self));
      return;
    }
  g_set_error_literal (&error, HN_ERROR, HN_ERROR_FAILED,
                       "The list of peers is too long for the bus; ask for each by GetPeer");
  hn_bus_return_error (invocation, error);
}

static gboolean
on_answer (gpointer user_data)
{
  HnPeersCache *self = user_data;

  answer (self, g_queue_pop_head (&self->waiting));
  if (!g_queue_is_empty (&self->waiting))
    return G_SOURCE_CONTINUE;
  hn_source_clear (&self->answer);
  return G_SOURCE_REMOVE;
}

void
hn_peers_cache_answer (HnPeersCache *self, GDBusMethodInvocation *invocation)
{
  if (hn_tailnet_get_status (self->tailnet)->peer_count <= SMALL_LIST
      && g_queue_is_empty (&self->waiting))
    {
      answer (self, invocation);
      return;
    }

  g_queue_push_tail (&self->waiting, invocation);
  if (self->answer != NULL)
    return;
  self->answer = g_idle_source_new ();
  g_source_set_callback (self->answer, on_answer, self, NULL);
  g_source_attach (self->answer, NULL);
}
