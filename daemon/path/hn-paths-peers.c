/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The peers of the path machine, and who has which disco key. */
#include "path/hn-paths-private.h"

/* A new key costs a key agreement, and a search from the start. */
#define ADVERT_INTERVAL_US HN_PATHS_SECOND
#define ADVERT_BURST 4

static void
join_key (HnPaths *self, HnPathPeer *peer, const HnDiscoPublic *disco)
{
  HnPathKey *key;

  if (hn_disco_public_is_zero (disco))
    return;
  key = g_hash_table_lookup (self->keys, disco);
  if (key == NULL)
    {
      key = g_new0 (HnPathKey, 1);
      key->key = *disco;
      g_hash_table_insert (self->keys, &key->key, key);
    }
  peer->key = key;
  peer->next_same = key->peers;
  key->peers = peer;
}

static void
leave_key (HnPaths *self, HnPathPeer *peer)
{
  HnPathKey *key = peer->key;
  HnPathPeer **link;

  if (key == NULL)
    return;
  for (link = &key->peers; *link != peer; link = &(*link)->next_same)
    ;
  *link = peer->next_same;
  peer->next_same = NULL;
  peer->key = NULL;
  if (key->peers == NULL)
    g_hash_table_remove (self->keys, &key->key);
}

HnPathPeer *
hn_paths_add (HnPaths *self, HnNode *node, gpointer data)
{
  HnPathPeer *peer = g_new0 (HnPathPeer, 1);

  peer->node = hn_node_ref (node);
  peer->data = data;
  peer->next = self->peers;
  if (self->peers != NULL)
    self->peers->prev = peer;
  self->peers = peer;
  peer->map_disco = hn_node_get (node)->disco;
  join_key (self, peer, &peer->map_disco);
  return peer;
}

static void
change_key (HnPaths *self, HnPathPeer *peer, const HnDiscoPublic *disco, gint64 now_us)
{
  HnPathTalk *talk = peer->talk;

  if (talk != NULL)
    hn_paths_drop_pings (self, peer);
  leave_key (self, peer);
  join_key (self, peer, disco);
  if (talk != NULL)
    {
      talk->n_candidates = 0;
      hn_paths_add_map_candidates (self, talk, now_us);
      hn_paths_restart (self, talk, now_us);
    }
}

void
hn_paths_update (HnPaths *self, HnPathPeer *peer, HnNode *node, gint64 now_us)
{
  const HnNodeFields *fields = hn_node_get (node);
  HnPathTalk *talk = peer->talk;

  hn_paths_enter (self);
  hn_node_ref (node);
  hn_node_unref (peer->node);
  peer->node = node;
  /* An old map must not undo what an advert proved. */
  if (!hn_disco_public_equal (&peer->map_disco, &fields->disco))
    {
      peer->map_disco = fields->disco;
      if (peer->key == NULL || !hn_disco_public_equal (&peer->key->key, &fields->disco))
        change_key (self, peer, &fields->disco, now_us);
    }
  if (talk != NULL)
    {
      HnPathCandidate *best;

      for (guint i = 0; i < talk->n_candidates; i++)
        talk->candidates[i].sources &= ~HN_PATH_FROM_MAP;
      hn_paths_add_map_candidates (self, talk, now_us);
      best = hn_paths_find_candidate (talk, &talk->best);
      if (best != NULL && best->sources == 0)
        hn_paths_probe (self, talk, now_us);
      hn_paths_prune_candidates (self, talk, now_us);
      if (talk->seeking && talk->seek_us > now_us)
        {
          talk->seek_us = now_us;
          hn_paths_queue_update (self, talk);
        }
    }
  hn_paths_leave (self);
}

void
hn_paths_advert (HnPaths *self, HnPathPeer *peer, const HnDiscoPublic *key, gint64 now_us)
{
  if (peer->key != NULL && hn_disco_public_equal (&peer->key->key, key))
    return;
  if (!hn_path_bucket_take (&peer->adverts, now_us, ADVERT_INTERVAL_US, ADVERT_BURST))
    {
      self->counters.limited++;
      return;
    }
  hn_paths_enter (self);
  change_key (self, peer, key, now_us);
  hn_paths_leave (self);
}

void
hn_paths_remove (HnPaths *self, HnPathPeer *peer)
{
  hn_paths_enter (self);
  peer->removed = TRUE;
  hn_paths_asks_forget (self, peer);
  if (peer->talk != NULL)
    hn_paths_talk_detach (self, peer->talk);
  leave_key (self, peer);
  if (peer->changed)
    g_ptr_array_remove (self->changes, peer);
  if (peer->prev != NULL)
    peer->prev->next = peer->next;
  else
    self->peers = peer->next;
  if (peer->next != NULL)
    peer->next->prev = peer->prev;
  g_ptr_array_add (self->graveyard, peer);
  hn_paths_leave (self);
}

gpointer
hn_path_peer_get_data (HnPathPeer *peer)
{
  return peer->data;
}
