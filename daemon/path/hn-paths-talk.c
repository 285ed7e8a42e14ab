/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of a peer in conversation: where it may be reached, where it was heard. */
#include "path/hn-paths-private.h"

#include <string.h>

#define SEEN_EXPIRY_US (45 * HN_PATHS_SECOND)
#define MAX_FROM_MAP 50

static gboolean
in_range (const HnIp *ip, const guint8 *bytes, guint8 family, guint8 bits)
{
  HnPrefix prefix = { { family, { 0 } }, bits };

  memcpy (prefix.ip.bytes, bytes, family == 4 ? 4 : 16);
  return hn_prefix_contains (&prefix, ip);
}

gboolean
hn_paths_is_candidate (const HnPaths *self, const HnEndpoint *endpoint)
{
  static const guint8 shared_range[4] = { 100, 64 };
  static const guint8 tailscale_range[16] = { 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0 };
  static const guint8 unspecified[16] = { 0 };
  const HnIp *ip = &endpoint->ip;

  if (ip->family == 0 || endpoint->port == 0 || hn_ip_is_multicast (ip))
    return FALSE;
  if (hn_ip_is_loopback (ip))
    return self->own_loopback_only;
  if (hn_ip_is_link_local (ip))
    /* IPv6 ones mean nothing without their interface; IPv4 ones lead somewhere only where we live on
     * such a link ourselves. */
    return ip->family == 4 && self->own_link_local;
  if (ip->family == 4)
    {
      /* "This" network, and the reserved range with the broadcast address in it. */
      if (ip->bytes[0] == 0 || ip->bytes[0] >= 240)
        return FALSE;
      /* Tunnel in tunnel. */
      if (in_range (ip, shared_range, 4, 10))
        return FALSE;
    }
  else if (in_range (ip, unspecified, 6, 128) || in_range (ip, tailscale_range, 6, 48))
    return FALSE;
  for (gsize i = 0; i < self->n_forbidden; i++)
    if (hn_prefix_contains (&self->forbidden[i], ip))
      return FALSE;
  return TRUE;
}

/* --- candidates --- */

HnPathCandidate *
hn_paths_find_candidate (HnPathTalk *talk, const HnEndpoint *endpoint)
{
  for (guint i = 0; i < talk->n_candidates; i++)
    if (hn_endpoint_equal (&talk->candidates[i].endpoint, endpoint))
      return &talk->candidates[i];
  return NULL;
}

void
hn_paths_prune_candidates (HnPaths *self, HnPathTalk *talk, gint64 now_us)
{
  guint kept = 0;

  for (guint i = 0; i < talk->n_candidates; i++)
    {
      HnPathCandidate *candidate = &talk->candidates[i];

      if ((candidate->sources & HN_PATH_FROM_PEER) != 0
          && now_us - candidate->seen_us > SEEN_EXPIRY_US)
        candidate->sources &= ~HN_PATH_FROM_PEER;
      /* What is in use and answers needs no other voucher. */
      if (candidate->sources != 0
          || (talk->best.ip.family != 0 && hn_endpoint_equal (&candidate->endpoint, &talk->best)))
        talk->candidates[kept++] = *candidate;
    }
  talk->n_candidates = kept;
}

/* Makes room among a full set: the one that is least likely to be of use. */
static HnPathCandidate *
replace_candidate (HnPathTalk *talk, guint source)
{
  HnPathCandidate *worst = NULL;

  for (guint i = 0; i < talk->n_candidates; i++)
    {
      HnPathCandidate *candidate = &talk->candidates[i];

      if (candidate->answered || (candidate->sources & HN_PATH_FROM_MAP) != 0
          || (source == HN_PATH_FROM_CALL && (candidate->sources & HN_PATH_FROM_CALL) != 0))
        continue;
      if (worst == NULL || candidate->seen_us < worst->seen_us)
        worst = candidate;
    }
  return worst;
}

HnPathCandidate *
hn_paths_add_candidate (HnPaths *self, HnPathTalk *talk, const HnEndpoint *endpoint, guint source,
                        gint64 now_us)
{
  HnPathCandidate *candidate = hn_paths_find_candidate (talk, endpoint);

  if (candidate == NULL)
    {
      if (!hn_paths_is_candidate (self, endpoint))
        {
          self->counters.bad_candidates++;
          return NULL;
        }
      if (talk->n_candidates == HN_PATHS_MAX_CANDIDATES)
        hn_paths_prune_candidates (self, talk, now_us);
      if (talk->n_candidates == HN_PATHS_MAX_CANDIDATES)
        {
          candidate = replace_candidate (talk, source);
          if (candidate == NULL)
            {
              self->counters.limited++;
              return NULL;
            }
        }
      else
        {
          if (talk->n_candidates == talk->candidates_size)
            {
              talk->candidates_size
                  = MIN (MAX (4, 2 * talk->candidates_size), HN_PATHS_MAX_CANDIDATES);
              talk->candidates = g_renew (HnPathCandidate, talk->candidates, talk->candidates_size);
            }
          candidate = &talk->candidates[talk->n_candidates++];
        }
      memset (candidate, 0, sizeof *candidate);
      candidate->endpoint = *endpoint;
    }
  candidate->sources |= source;
  if (source == HN_PATH_FROM_PEER)
    {
      candidate->seen_us = now_us;
      candidate->credit = MIN (candidate->credit + 1, HN_PATHS_MAX_CREDIT);
    }
  return candidate;
}

void
hn_paths_add_map_candidates (HnPaths *self, HnPathTalk *talk, gint64 now_us)
{
  const HnNodeFields *fields = hn_node_get (talk->peer->node);

  /* Not all there is room for: what the peer says itself is newer. */
  for (gsize i = 0; i < fields->n_endpoints && i < MAX_FROM_MAP; i++)
    hn_paths_add_candidate (self, talk, &fields->endpoints[i], HN_PATH_FROM_MAP, now_us);
}

/* --- addresses --- */

static void
drop_address (HnPaths *self, HnPathTalk *talk, guint i)
{
  HnPathAddress *address = talk->addresses[i];

  talk->addresses[i] = talk->addresses[--talk->n_addresses];
  if (self->address == address)
    self->address = NULL;
  g_hash_table_remove (self->addresses, &address->endpoint);
}

void
hn_paths_map_address (HnPaths *self, HnPathTalk *talk, const HnEndpoint *endpoint, gboolean proven)
{
  HnPathAddress *address = g_hash_table_lookup (self->addresses, endpoint);

  if (talk->peer->removed)
    return;
  if (address != NULL && address->peer == talk->peer)
    {
      address->proven |= proven;
      return;
    }
  if (address != NULL)
    {
      HnPathTalk *other = address->peer->talk;

      if (address->proven && !proven)
        return;
      for (guint i = 0; i < other->n_addresses; i++)
        if (other->addresses[i] == address)
          {
            drop_address (self, other, i);
            break;
          }
    }
  if (talk->n_addresses == HN_PATHS_MAX_ADDRESSES)
    {
      /* Around the circle: which one has to go matters little, but never the one in use. */
      guint i = talk->next_address++ % HN_PATHS_MAX_ADDRESSES;

      if (hn_endpoint_equal (&talk->addresses[i]->endpoint, &talk->best))
        i = talk->next_address++ % HN_PATHS_MAX_ADDRESSES;
      drop_address (self, talk, i);
    }
  address = g_new0 (HnPathAddress, 1);
  address->endpoint = *endpoint;
  address->peer = talk->peer;
  address->proven = proven;
  g_hash_table_insert (self->addresses, &address->endpoint, address);
  talk->addresses[talk->n_addresses++] = address;
}

/* --- the conversation --- */

HnPathTalk *
hn_paths_talk_ensure (HnPaths *self, HnPathPeer *peer, gint64 now_us)
{
  HnPathTalk *talk = peer->talk;

  if (talk != NULL)
    return talk;
  talk = g_new0 (HnPathTalk, 1);
  talk->peer = peer;
  talk->queue_index = G_MAXUINT;
  talk->due_us = G_MAXINT64;
  talk->trust_until_us = G_MININT64;
  talk->contact_us = now_us;
  talk->heartbeat_us = talk->watch_us = talk->probe_us = talk->seek_us = G_MAXINT64;
  talk->retract_us = G_MAXINT64;
  talk->release_us = now_us + HN_PATHS_SECOND;
  peer->talk = talk;
  hn_paths_add_map_candidates (self, talk, now_us);
  hn_paths_queue_update (self, talk);
  return talk;
}

void
hn_paths_talk_detach (HnPaths *self, HnPathTalk *talk)
{
  hn_paths_publish (self, talk, NULL);
  hn_paths_drop_pings (self, talk->peer);
  while (talk->n_addresses > 0)
    drop_address (self, talk, talk->n_addresses - 1);
  hn_paths_queue_remove (self, talk);
}

void
hn_paths_talk_destroy (HnPathTalk *talk)
{
  if (talk == NULL)
    return;
  g_free (talk->candidates);
  g_free (talk);
}
