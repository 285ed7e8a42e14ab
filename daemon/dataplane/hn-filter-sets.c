/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-filter-sets.h"

#include <string.h>

#include "base/hn-hash.h"

/* Sets are added up beforehand while they have no more port ranges than this. */
#define MAX_ADDED_UP 64

typedef struct
{
  guint32 first; /* the port ranges of TCP, then UDP, then SCTP, each in order and apart */
  guint16 n[HN_FILTER_N_PORTED]; /* at most 32,768 */
  guint16 icmp;
  guint32 other; /* which bits of the other protocols, 0: none */
} Set;

/* A set, and what wider sources open beside it. */
typedef struct
{
  Set set;
  guint32 next; /* an entry; 0: none */
} Entry;

struct _HnFilterSets
{
  GArray *ports;   /* of HnFilterPorts */
  GArray *others;  /* of HnFilterProtocols; 0 is none */
  GArray *entries; /* of Entry; 0 opens nothing */
  /* While it is filled: */
  gsize max_ports;
  gsize max_work;
  gsize work;
  GArray *sets;       /* of Set; 0 is empty */
  GArray *entry_sets; /* of guint32: an entry's set */
  GHashTable *known_sets, *known_others, *known_sums, *known_entries; /* contents -> number */
};

/* Bytes as a key, and the number under which they are known. */
typedef struct
{
  guint32 value;
  guint32 len;
  guint8 data[];
} Known;

static guint
known_hash (gconstpointer key)
{
  const Known *known = key;

  return hn_hash_bytes (known->data, known->len);
}

static gboolean
known_equal (gconstpointer a, gconstpointer b)
{
  const Known *one = a;
  const Known *two = b;

  return one->len == two->len && memcmp (one->data, two->data, one->len) == 0;
}

static GHashTable *
known_new (void)
{
  return g_hash_table_new_full (known_hash, known_equal, g_free, NULL);
}

/* Where the number of @data is kept; a new one is 0. */
static guint32 *
known_get (GHashTable *table, gconstpointer data, gsize len)
{
  Known *key = g_malloc (sizeof *key + len);
  Known *there;

  key->value = 0;
  key->len = (guint32) len;
  memcpy (key->data, data, len);
  there = g_hash_table_lookup (table, key);
  if (there != NULL)
    {
      g_free (key);
      return &there->value;
    }
  g_hash_table_add (table, key);
  return &key->value;
}

static int
port_class (guint8 protocol)
{
  switch (protocol)
    {
    case HN_IP_PROTOCOL_TCP:
      return HN_FILTER_TCP;
    case HN_IP_PROTOCOL_UDP:
      return HN_FILTER_UDP;
    case HN_IP_PROTOCOL_SCTP:
      return HN_FILTER_SCTP;
    default:
      return -1;
    }
}

gboolean
hn_filter_protocols_contain (const HnFilterProtocols *self, guint8 protocol)
{
  return self->bits[protocol / 64] >> protocol % 64 & 1;
}

static int
compare_ports (gconstpointer a, gconstpointer b)
{
  return (int) ((const HnFilterPorts *) a)->first - (int) ((const HnFilterPorts *) b)->first;
}

/* Sorts the ranges and joins those that overlap or touch. */
static void
join_ports (GArray *ports)
{
  guint n = 0;

  g_array_sort (ports, compare_ports);
  for (guint i = 0; i < ports->len; i++)
    {
      const HnFilterPorts next = g_array_index (ports, HnFilterPorts, i);
      HnFilterPorts *last = n > 0 ? &g_array_index (ports, HnFilterPorts, n - 1) : NULL;

      if (last != NULL && next.first <= (guint) last->last + 1)
        last->last = MAX (last->last, next.last);
      else
        g_array_index (ports, HnFilterPorts, n++) = next;
    }
  g_array_set_size (ports, n);
}

static guint
set_size (const Set *set)
{
  return (guint) set->n[HN_FILTER_TCP] + set->n[HN_FILTER_UDP] + set->n[HN_FILTER_SCTP];
}

gboolean
hn_filter_sets_has_room (const HnFilterSets *self, gsize n_ports)
{
  return n_ports <= self->max_work - MIN (self->work, self->max_work)
         && self->ports->len + n_ports <= self->max_ports;
}

guint32
hn_filter_sets_make (HnFilterSets *self, GArray *const ports[HN_FILTER_N_PORTED],
                     const HnFilterProtocols *other, gboolean icmp)
{
  g_autoptr (GByteArray) key = g_byte_array_new ();
  Set set = { .first = self->ports->len, .icmp = icmp };
  static const HnFilterProtocols none;
  guint32 *number;

  if (memcmp (other, &none, sizeof none) != 0)
    {
      number = known_get (self->known_others, other, sizeof *other);
      if (*number == 0)
        {
          *number = self->others->len;
          g_array_append_vals (self->others, other, 1);
        }
      set.other = *number;
    }
  for (guint i = 0; i < HN_FILTER_N_PORTED; i++)
    {
      self->work += ports[i]->len;
      join_ports (ports[i]);
      set.n[i] = (guint16) ports[i]->len;
    }
  g_byte_array_append (key, (const guint8 *) set.n, sizeof set.n);
  g_byte_array_append (key, (const guint8 *) &set.icmp, sizeof set.icmp);
  g_byte_array_append (key, (const guint8 *) &set.other, sizeof set.other);
  for (guint i = 0; i < HN_FILTER_N_PORTED; i++)
    g_byte_array_append (key, (const guint8 *) ports[i]->data,
                         ports[i]->len * sizeof (HnFilterPorts));
  number = known_get (self->known_sets, key->data, key->len);
  if (*number == 0)
    {
      *number = self->sets->len;
      g_array_append_val (self->sets, set);
      for (guint i = 0; i < HN_FILTER_N_PORTED; i++)
        g_array_append_vals (self->ports, ports[i]->data, ports[i]->len);
    }
  return *number;
}

static guint32
add_up (HnFilterSets *self, const guint32 *sets, guint n)
{
  GArray *ports[HN_FILTER_N_PORTED];
  HnFilterProtocols other = { 0 };
  gboolean icmp = FALSE;
  guint32 sum;

  for (guint k = 0; k < HN_FILTER_N_PORTED; k++)
    ports[k] = g_array_new (FALSE, FALSE, sizeof (HnFilterPorts));
  for (guint i = 0; i < n; i++)
    {
      const Set *set = &g_array_index (self->sets, Set, sets[i]);
      const HnFilterProtocols *more = &g_array_index (self->others, HnFilterProtocols, set->other);
      guint from = set->first;

      for (guint k = 0; k < HN_FILTER_N_PORTED; from += set->n[k++])
        if (set->n[k] > 0)
          g_array_append_vals (ports[k], &g_array_index (self->ports, HnFilterPorts, from),
                               set->n[k]);
      for (guint k = 0; k < G_N_ELEMENTS (other.bits); k++)
        other.bits[k] |= more->bits[k];
      icmp = icmp || set->icmp;
    }
  sum = hn_filter_sets_make (self, ports, &other, icmp);
  for (guint k = 0; k < HN_FILTER_N_PORTED; k++)
    g_array_unref (ports[k]);
  return sum;
}

guint32
hn_filter_sets_add (HnFilterSets *self, const guint32 *sets, guint n)
{
  guint32 *known;

  if (n == 1)
    return sets[0];
  known = known_get (self->known_sums, sets, n * sizeof *sets);
  if (*known == 0)
    *known = add_up (self, sets, n);
  return *known;
}

guint
hn_filter_sets_get_size (const HnFilterSets *self, guint32 set)
{
  return set_size (&g_array_index (self->sets, Set, set));
}

static guint32
make_entry (HnFilterSets *self, guint32 set, guint32 next)
{
  const guint32 key[] = { set, next };
  guint32 *known = known_get (self->known_entries, key, sizeof key);

  if (*known == 0)
    {
      const Entry entry = { g_array_index (self->sets, Set, set), next };

      *known = self->entries->len;
      g_array_append_val (self->entries, entry);
      g_array_append_val (self->entry_sets, set);
    }
  return *known;
}

guint32
hn_filter_sets_enter (HnFilterSets *self, guint32 set, guint32 wider)
{
  const guint32 sets[] = { set, g_array_index (self->entry_sets, guint32, wider) };
  const guint n_ports
      = hn_filter_sets_get_size (self, sets[0]) + hn_filter_sets_get_size (self, sets[1]);

  if (wider == 0 || g_array_index (self->entries, Entry, wider).next != 0 || n_ports > MAX_ADDED_UP
      || !hn_filter_sets_has_room (self, n_ports))
    return make_entry (self, set, wider);
  return make_entry (self, hn_filter_sets_add (self, sets, G_N_ELEMENTS (sets)), 0);
}

HnFilterSets *
hn_filter_sets_new (gsize max_ports, gsize max_work)
{
  HnFilterSets *self = g_new0 (HnFilterSets, 1);

  self->max_ports = max_ports;
  self->max_work = max_work;
  self->ports = g_array_new (FALSE, FALSE, sizeof (HnFilterPorts));
  self->others = g_array_new (FALSE, TRUE, sizeof (HnFilterProtocols));
  self->entries = g_array_new (FALSE, TRUE, sizeof (Entry));
  self->sets = g_array_new (FALSE, TRUE, sizeof (Set));
  self->entry_sets = g_array_new (FALSE, TRUE, sizeof (guint32));
  self->known_sets = known_new ();
  self->known_others = known_new ();
  self->known_sums = known_new ();
  self->known_entries = known_new ();
  /* Number 0 is taken by nothing, so that a new key can be told from a known one. */
  g_array_set_size (self->others, 1);
  g_array_set_size (self->entries, 1);
  g_array_set_size (self->sets, 1);
  g_array_set_size (self->entry_sets, 1);
  return self;
}

void
hn_filter_sets_seal (HnFilterSets *self)
{
  g_clear_pointer (&self->sets, g_array_unref);
  g_clear_pointer (&self->entry_sets, g_array_unref);
  g_clear_pointer (&self->known_sets, g_hash_table_unref);
  g_clear_pointer (&self->known_others, g_hash_table_unref);
  g_clear_pointer (&self->known_sums, g_hash_table_unref);
  g_clear_pointer (&self->known_entries, g_hash_table_unref);
}

void
hn_filter_sets_free (HnFilterSets *self)
{
  hn_filter_sets_seal (self);
  g_array_unref (self->ports);
  g_array_unref (self->others);
  g_array_unref (self->entries);
  g_free (self);
}

static gboolean
has_port (const HnFilterPorts *ports, guint n, guint16 port)
{
  guint low = 0;

  /* The first range that does not end before the port. */
  while (n > 0)
    {
      const guint half = n / 2;

      if (ports[low + half].last < port)
        {
          low += half + 1;
          n -= half + 1;
        }
      else if (ports[low + half].first <= port)
        return TRUE;
      else
        n = half;
    }
  return FALSE;
}

static gboolean
set_allows (const HnFilterSets *self, const Set *set, guint8 family, guint8 protocol, guint16 port)
{
  const int class = port_class (protocol);
  guint32 first = set->first;

  if (class < 0)
    {
      if (protocol == (family == 4 ? HN_IP_PROTOCOL_ICMP : HN_IP_PROTOCOL_ICMP6))
        return set->icmp != 0;
      return set->other != 0
             && hn_filter_protocols_contain (
                 &g_array_index (self->others, HnFilterProtocols, set->other), protocol);
    }
  for (int i = 0; i < class; i++)
    first += set->n[i];
  return set->n[class] > 0
         && has_port (&g_array_index (self->ports, HnFilterPorts, first), set->n[class], port);
}

gboolean
hn_filter_sets_allow (const HnFilterSets *self, guint32 entry, guint8 family, guint8 protocol,
                      guint16 port)
{
  while (entry != 0)
    {
      const Entry *asked = &g_array_index (self->entries, Entry, entry);

      if (set_allows (self, &asked->set, family, protocol, port))
        return TRUE;
      entry = asked->next;
    }
  return FALSE;
}
