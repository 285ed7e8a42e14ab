/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wireguard/hn-wg-limiter.h"

#include <string.h>

#include "crypto/hn-crypto.h"

#define SETS 512
#define WAYS 4
#define COST_US (G_USEC_PER_SEC / 20)
#define BURST_US (5 * COST_US)
#define IDLE_US G_USEC_PER_SEC

typedef struct
{
  guint8 address[16];
  gint64 seen_us;
  gint32 tokens_us;
  guint8 len;
  gboolean used;
} Bucket;

struct _HnWgLimiter
{
  guint8 seed[16]; /* nobody outside can choose which sources share a set */
  Bucket buckets[SETS][WAYS];
};

HnWgLimiter *
hn_wg_limiter_new (void)
{
  HnWgLimiter *self = g_new0 (HnWgLimiter, 1);

  hn_random_bytes (self->seed, sizeof self->seed);
  return self;
}

void
hn_wg_limiter_free (HnWgLimiter *self)
{
  g_free (self);
}

gboolean
hn_wg_limiter_allow (HnWgLimiter *self, const guint8 *address, gsize len, gint64 now_us)
{
  guint8 hash[HN_MAC_SIZE];
  Bucket *set;
  Bucket *bucket = NULL;

  len = MIN (len, sizeof set->address);
  hn_mac (self->seed, sizeof self->seed, address, len, hash);
  set = self->buckets[(hash[0] | hash[1] << 8) % SETS];

  for (guint i = 0; i < WAYS; i++)
    {
      if (set[i].used && set[i].len == len && memcmp (set[i].address, address, len) == 0)
        {
          bucket = &set[i];
          bucket->tokens_us
              = (gint32) MIN (bucket->tokens_us + (now_us - bucket->seen_us), (gint64) BURST_US);
          bucket->seen_us = now_us;
          if (bucket->tokens_us < (gint64) COST_US)
            return FALSE;
          bucket->tokens_us -= COST_US;
          return TRUE;
        }
      if (!set[i].used || now_us - set[i].seen_us > IDLE_US)
        bucket = &set[i];
    }

  if (bucket == NULL)
    return FALSE;
  memset (bucket, 0, sizeof *bucket);
  memcpy (bucket->address, address, len);
  bucket->len = (guint8) len;
  bucket->used = TRUE;
  bucket->seen_us = now_us;
  bucket->tokens_us = BURST_US - COST_US;
  return TRUE;
}
