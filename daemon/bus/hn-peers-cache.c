/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list of peers, kept for a few seconds. */
#include "bus/hn-peers-cache.h"

#include "bus/hn-variants.h"

/* Megabytes for a large tailnet, so not for longer than a rush lasts. */
#define KEEP_SECONDS 2

struct _HnPeersCache
{
  HnTailnet *tailnet; /* owned */
  GVariant *peers;    /* owned; NULL when dropped */
  guint64 generation; /* of the above */
  GSource *drop;      /* owned; set as long as peers are */
};

HnPeersCache *
hn_peers_cache_new (HnTailnet *tailnet)
{
  HnPeersCache *self = g_new0 (HnPeersCache, 1);

  self->tailnet = g_object_ref (tailnet);
  return self;
}

static void
drop (HnPeersCache *self)
{
  if (self->drop != NULL)
    g_source_destroy (self->drop);
  g_clear_pointer (&self->drop, g_source_unref);
  g_clear_pointer (&self->peers, g_variant_unref);
}

void
hn_peers_cache_free (HnPeersCache *self)
{
  drop (self);
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

GVariant *
hn_peers_cache_get (HnPeersCache *self)
{
  guint64 generation = hn_tailnet_get_peers_generation (self->tailnet);
  g_autoptr (HnDictionaryWriter) writer = NULL;

  if (self->peers != NULL && self->generation == generation)
    return self->peers;

  drop (self);
  writer = hn_dictionary_writer_new ();
  hn_tailnet_foreach_peer (self->tailnet, add_peer, writer);
  self->peers = g_variant_ref_sink (hn_dictionary_writer_finish (writer));
  self->generation = generation;

  self->drop = g_timeout_source_new_seconds (KEEP_SECONDS);
  g_source_set_callback (self->drop, on_drop, self, NULL);
  g_source_attach (self->drop, NULL);
  return self->peers;
}
