/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path/hn-derp-routes.h"

#include <string.h>

#include "crypto/hn-crypto.h"

#define WAYS 4
#define SETS (HN_DERP_ROUTES_MAX / WAYS)

typedef struct
{
  HnNodePublic peer;
  int region; /* 0: free */
  gint64 heard_us;
} Route;

struct _HnDerpRoutes
{
  guint64 seed; /* peers choose their keys: they shall not choose their place as well */
  Route routes[SETS][WAYS];
};

HnDerpRoutes *
hn_derp_routes_new (void)
{
  HnDerpRoutes *self = g_new0 (HnDerpRoutes, 1);

  hn_random_bytes (&self->seed, sizeof self->seed);
  return self;
}

void
hn_derp_routes_free (HnDerpRoutes *self)
{
  g_free (self);
}

static guint
get_set (const HnDerpRoutes *self, const HnNodePublic *peer)
{
  guint64 words[2];
  guint64 hash;

  memcpy (words, peer->bytes, sizeof words);
  hash = (words[0] ^ self->seed) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  hash = (hash ^ (hash >> 32) ^ words[1]) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  return (hash >> 32) % SETS;
}

static Route *
find (const HnDerpRoutes *self, const HnNodePublic *peer)
{
  const Route *set = self->routes[get_set (self, peer)];

  for (guint i = 0; i < WAYS; i++)
    if (set[i].region != 0 && hn_node_public_equal (&set[i].peer, peer))
      return (Route *) &set[i];
  return NULL;
}

void
hn_derp_routes_add (HnDerpRoutes *self, const HnNodePublic *peer, int region, gint64 now_us)
{
  Route *route = find (self, peer);

  if (route == NULL)
    {
      Route *set = self->routes[get_set (self, peer)];

      route = &set[0];
      for (guint i = 0; i < WAYS && route->region != 0; i++)
        if (set[i].region == 0 || set[i].heard_us < route->heard_us)
          route = &set[i];
      route->peer = *peer;
    }
  route->region = region;
  route->heard_us = now_us;
}

int
hn_derp_routes_get (const HnDerpRoutes *self, const HnNodePublic *peer)
{
  const Route *route = find (self, peer);

  return route != NULL ? route->region : 0;
}

void
hn_derp_routes_remove (HnDerpRoutes *self, const HnNodePublic *peer, int region)
{
  Route *route = find (self, peer);

  if (route != NULL && route->region == region)
    route->region = 0;
}

void
hn_derp_routes_remove_region (HnDerpRoutes *self, int region)
{
  for (guint i = 0; i < SETS; i++)
    for (guint j = 0; j < WAYS; j++)
      if (self->routes[i][j].region == region)
        self->routes[i][j].region = 0;
}
