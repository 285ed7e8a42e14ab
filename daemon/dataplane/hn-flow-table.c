/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-flow-table.h"

#include <string.h>

#include "crypto/hn-crypto.h"

#define WAYS 16
#define NO_FLOW G_MAXUINT

/* Seconds without a packet after which a flow is over. An answered TCP connection has none: it may
 * be idle for days, and admits nothing but its own packets. UDP and SCTP have none either, as
 * upstream has it (tailscale: wgengine/filter/filter.go, filterState): they go when room is short. */
#define ICMP_IDLE_S 60
#define OTHER_IDLE_S 600
#define TCP_UNANSWERED_S 180 /* longer than all repeats of a SYN */
#define TCP_CLOSING_S 120

enum
{
  ANSWERED = 1 << 0,
  FIN_OUT = 1 << 1,
  FIN_IN = 1 << 2,
  RESET = 1 << 3,
};

/* What goes first when a bucket is full: the higher class. */
typedef enum
{
  CLASS_CONNECTION,
  CLASS_DATAGRAMS,
  CLASS_WEAK,
} FlowClass;

typedef struct
{
  HnFlowKey key;
  guint32 used_s; /* when the last packet went either way */
  guint8 state;
} Flow;

struct _HnFlowTable
{
  guint32 n_buckets; /* a power of two */
  guint64 seed;
  guint64 factor; /* odd */
  /* Per place: 0 free, else some bits of the hash, so that a look-up reads one line of memory. */
  guint16 (*tags)[WAYS];
  Flow (*flows)[WAYS];
};

G_STATIC_ASSERT (sizeof (HnFlowKey) == 40);

void
hn_flow_key_init (HnFlowKey *self, const HnIpPacket *packet, gboolean outbound)
{
  gsize len = packet->family == 4 ? 4 : 16;

  memset (self, 0, sizeof *self);
  memcpy (self->local, outbound ? packet->source : packet->destination, len);
  memcpy (self->remote, outbound ? packet->destination : packet->source, len);
  self->local_port = outbound ? packet->source_port : packet->destination_port;
  self->remote_port = outbound ? packet->destination_port : packet->source_port;
  self->protocol = packet->protocol;
  self->family = packet->family;
}

HnFlowTable *
hn_flow_table_new (guint n_flows)
{
  HnFlowTable *self;

  g_return_val_if_fail (n_flows >= WAYS && (n_flows & (n_flows - 1)) == 0, NULL);

  self = g_new0 (HnFlowTable, 1);
  self->n_buckets = n_flows / WAYS;
  hn_random_bytes (&self->seed, sizeof self->seed);
  hn_random_bytes (&self->factor, sizeof self->factor);
  self->factor |= 1;
  self->tags = g_malloc0 (self->n_buckets * sizeof *self->tags);
  /* Zeroed by the kernel, page by page as they are used. */
  self->flows = g_malloc0 (self->n_buckets * sizeof *self->flows);
  return self;
}

void
hn_flow_table_free (HnFlowTable *self)
{
  g_free (self->tags);
  g_free (self->flows);
  g_free (self);
}

static guint64
hash_key (const HnFlowTable *self, const HnFlowKey *key)
{
  guint64 words[sizeof *key / 8];
  guint64 hash = self->seed;

  memcpy (words, key, sizeof words);
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    {
      hash = (hash ^ words[i]) * self->factor;
      hash ^= hash >> 29;
    }
  hash *= self->factor;
  return hash ^ hash >> 32;
}

static guint32
idle_limit_s (const Flow *flow)
{
  switch (flow->key.protocol)
    {
    case HN_IP_PROTOCOL_TCP:
      if ((flow->state & RESET) || (flow->state & (FIN_OUT | FIN_IN)) == (FIN_OUT | FIN_IN))
        return TCP_CLOSING_S;
      return flow->state & ANSWERED ? G_MAXUINT32 : TCP_UNANSWERED_S;
    case HN_IP_PROTOCOL_UDP:
    case HN_IP_PROTOCOL_SCTP:
      return G_MAXUINT32;
    case HN_IP_PROTOCOL_ICMP:
    case HN_IP_PROTOCOL_ICMP6:
      return ICMP_IDLE_S;
    default:
      return OTHER_IDLE_S;
    }
}

static FlowClass
class_of (const Flow *flow)
{
  if (!(flow->state & ANSWERED) || flow->key.protocol == HN_IP_PROTOCOL_ICMP
      || flow->key.protocol == HN_IP_PROTOCOL_ICMP6)
    return CLASS_WEAK;
  if (flow->key.protocol != HN_IP_PROTOCOL_TCP)
    return CLASS_DATAGRAMS;
  return idle_limit_s (flow) == G_MAXUINT32 ? CLASS_CONNECTION : CLASS_WEAK;
}

static guint32
age_s (const Flow *flow, guint32 now_s)
{
  return now_s > flow->used_s ? now_s - flow->used_s : 0;
}

/* The flow's place in its bucket, or NO_FLOW. */
static guint
find (const HnFlowTable *self, guint32 bucket, guint16 tag, const HnFlowKey *key, guint32 now_s)
{
  for (guint i = 0; i < WAYS; i++)
    if (self->tags[bucket][i] == tag && memcmp (&self->flows[bucket][i].key, key, sizeof *key) == 0)
      return age_s (&self->flows[bucket][i], now_s) <= idle_limit_s (&self->flows[bucket][i])
                 ? i
                 : NO_FLOW;
  return NO_FLOW;
}

static guint
make_room (HnFlowTable *self, guint32 bucket, const HnFlowKey *key, guint32 now_s)
{
  guint victim = 0;
  guint32 victim_age = 0;
  int victim_class = -1;

  /* An entry of the same flow that timed out is taken first, so that none is there twice. */
  for (guint i = 0; i < WAYS; i++)
    if (self->tags[bucket][i] != 0 && memcmp (&self->flows[bucket][i].key, key, sizeof *key) == 0)
      return i;
  for (guint i = 0; i < WAYS; i++)
    {
      const Flow *flow = &self->flows[bucket][i];
      guint32 age;
      int class;

      if (self->tags[bucket][i] == 0)
        return i;
      age = age_s (flow, now_s);
      if (age > idle_limit_s (flow))
        return i;
      class = (int) class_of (flow);
      if (class > victim_class || (class == victim_class && age > victim_age))
        {
          victim = i;
          victim_class = class;
          victim_age = age;
        }
    }
  return victim;
}

static void
split_hash (const HnFlowTable *self, const HnFlowKey *key, guint32 *bucket, guint16 *tag)
{
  guint64 hash = hash_key (self, key);

  *bucket = (guint32) hash & (self->n_buckets - 1);
  *tag = (guint16) (hash >> 48) | 1;
}

void
hn_flow_table_note_outbound (HnFlowTable *self, const HnFlowKey *key, guint8 tcp_flags,
                             gint64 now_us)
{
  guint32 now_s = (guint32) (now_us / G_USEC_PER_SEC);
  guint32 bucket;
  guint16 tag;
  guint place;
  Flow *flow;

  split_hash (self, key, &bucket, &tag);
  place = find (self, bucket, tag, key, now_s);
  if (place == NO_FLOW)
    {
      /* The host's refusal of something is not the beginning of anything. */
      if (tcp_flags & HN_TCP_RST)
        return;
      place = make_room (self, bucket, key, now_s);
      flow = &self->flows[bucket][place];
      flow->key = *key;
      flow->state = 0;
      self->tags[bucket][place] = tag;
    }
  flow = &self->flows[bucket][place];
  if ((tcp_flags & (HN_TCP_SYN | HN_TCP_ACK)) == HN_TCP_SYN)
    flow->state = 0; /* the same ports again */
  if (tcp_flags & HN_TCP_FIN)
    flow->state |= FIN_OUT;
  if (tcp_flags & HN_TCP_RST)
    flow->state |= RESET;
  flow->used_s = now_s;
}

gboolean
hn_flow_table_note_inbound (HnFlowTable *self, const HnFlowKey *key, guint8 tcp_flags,
                            gint64 now_us)
{
  guint32 now_s = (guint32) (now_us / G_USEC_PER_SEC);
  guint32 bucket;
  guint16 tag;
  guint place;
  Flow *flow;

  split_hash (self, key, &bucket, &tag);
  place = find (self, bucket, tag, key, now_s);
  if (place == NO_FLOW)
    return FALSE;
  flow = &self->flows[bucket][place];
  flow->state |= ANSWERED;
  if (tcp_flags & HN_TCP_FIN)
    flow->state |= FIN_IN;
  if (tcp_flags & HN_TCP_RST)
    flow->state |= RESET;
  flow->used_s = now_s;
  return TRUE;
}

gboolean
hn_flow_table_contains (HnFlowTable *self, const HnFlowKey *key, gint64 now_us)
{
  guint32 bucket;
  guint16 tag;

  split_hash (self, key, &bucket, &tag);
  return find (self, bucket, tag, key, (guint32) (now_us / G_USEC_PER_SEC)) != NO_FLOW;
}
