/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-address-map.h"

#include <string.h>

#include "crypto/hn-crypto.h"

#define MIN_SLOTS 16

/* Open addressing with linear probing; removal moves followers up, so there are no grave stones. */
typedef struct
{
  guint64 key[2]; /* IPv4 in its mapped form, which no peer has as an IPv6 address */
  gpointer value; /* NULL: free */
} Slot;

struct _HnAddressMap
{
  Slot *slots;
  guint n_slots; /* a power of two */
  guint n_used;
  guint64 seed;
};

static void
make_key (guint8 family, const guint8 *address, guint64 key[2])
{
  guint8 bytes[16] = { [10] = 0xff, [11] = 0xff };

  if (family == 4)
    memcpy (bytes + 12, address, 4);
  else
    memcpy (bytes, address, 16);
  memcpy (key, bytes, sizeof bytes);
}

static guint
home_of (const HnAddressMap *self, const guint64 key[2])
{
  guint64 hash = (key[0] ^ self->seed) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);

  /* Addresses differ in their last bytes, which are the highest bits of a little-endian word: each
   * must reach the lowest, which choose the slot. */
  hash = (hash ^ hash >> 32 ^ key[1]) * G_GUINT64_CONSTANT (0xd6e8feb86659fd93);
  hash = (hash ^ hash >> 32) * G_GUINT64_CONSTANT (0xd6e8feb86659fd93);
  return (guint) (hash ^ hash >> 32) & (self->n_slots - 1);
}

/* The slot of the key, or the free one where it would go. */
static guint
probe (const HnAddressMap *self, const guint64 key[2])
{
  guint i = home_of (self, key);

  while (self->slots[i].value != NULL
         && (self->slots[i].key[0] != key[0] || self->slots[i].key[1] != key[1]))
    i = (i + 1) & (self->n_slots - 1);
  return i;
}

static void
resize (HnAddressMap *self, guint n_slots)
{
  g_autofree Slot *old = g_steal_pointer (&self->slots);
  guint n_old = self->n_slots;

  self->slots = g_new0 (Slot, n_slots);
  self->n_slots = n_slots;
  for (guint i = 0; i < n_old; i++)
    if (old[i].value != NULL)
      self->slots[probe (self, old[i].key)] = old[i];
}

HnAddressMap *
hn_address_map_new (void)
{
  HnAddressMap *self = g_new0 (HnAddressMap, 1);

  hn_random_bytes (&self->seed, sizeof self->seed);
  resize (self, MIN_SLOTS);
  return self;
}

void
hn_address_map_free (HnAddressMap *self)
{
  g_free (self->slots);
  g_free (self);
}

void
hn_address_map_insert (HnAddressMap *self, const HnIp *ip, gpointer value)
{
  guint64 key[2];
  guint i;

  g_return_if_fail (value != NULL);
  g_return_if_fail (ip->family == 4 || ip->family == 6);

  if ((self->n_used + 1) * 4 > self->n_slots * 3)
    resize (self, self->n_slots * 2);
  make_key (ip->family, ip->bytes, key);
  i = probe (self, key);
  if (self->slots[i].value == NULL)
    self->n_used++;
  self->slots[i] = (Slot){ { key[0], key[1] }, value };
}

void
hn_address_map_remove (HnAddressMap *self, const HnIp *ip, gpointer value)
{
  guint mask = self->n_slots - 1;
  guint64 key[2];
  guint hole;

  make_key (ip->family, ip->bytes, key);
  hole = probe (self, key);
  if (self->slots[hole].value == NULL || self->slots[hole].value != value)
    return;
  for (guint i = (hole + 1) & mask; self->slots[i].value != NULL; i = (i + 1) & mask)
    {
      guint home = home_of (self, self->slots[i].key);

      /* Moves up unless its home lies between the hole and itself. */
      if (((i - home) & mask) >= ((i - hole) & mask))
        {
          self->slots[hole] = self->slots[i];
          hole = i;
        }
    }
  self->slots[hole].value = NULL;
  self->n_used--;
  if (self->n_slots > MIN_SLOTS && self->n_used * 8 < self->n_slots)
    resize (self, self->n_slots / 2);
}

void
hn_address_map_remove_all (HnAddressMap *self)
{
  g_clear_pointer (&self->slots, g_free);
  self->n_slots = 0;
  self->n_used = 0;
  resize (self, MIN_SLOTS);
}

gpointer
hn_address_map_lookup (const HnAddressMap *self, guint8 family, const guint8 *address)
{
  guint64 key[2];

  make_key (family, address, key);
  return self->slots[probe (self, key)].value;
}

guint
hn_address_map_get_size (const HnAddressMap *self)
{
  return self->n_used;
}
