/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dataplane/hn-filter-sources.h"

#include <string.h>

#include "crypto/hn-crypto.h"

typedef struct
{
  HnFilterAddress address;
  guint32 value; /* 0: a free slot */
} Slot6;

struct _HnFilterSources
{
  guint8 family;
  guint shift;
  guint32 mask;
  guint64 factors[2]; /* odd, of the hash; nobody outside can know them */
  guint64 *slots4;    /* address << 32 | value; 0: free */
  Slot6 *slots6;
  HnFilterAddress *starts; /* of the ranges */
  guint32 *values;
  guint n_ranges;
};

int
hn_filter_address_compare (const HnFilterAddress *a, const HnFilterAddress *b)
{
  if (a->high != b->high)
    return a->high < b->high ? -1 : 1;
  return a->low < b->low ? -1 : a->low > b->low;
}

HnFilterAddress
hn_filter_address_load (guint8 family, const guint8 *bytes)
{
  HnFilterAddress address = { 0 };

  if (family == 4)
    {
      guint32 value;

      memcpy (&value, bytes, 4);
      address.low = GUINT32_FROM_BE (value);
      return address;
    }
  memcpy (&address, bytes, 16);
  address.high = GUINT64_FROM_BE (address.high);
  address.low = GUINT64_FROM_BE (address.low);
  return address;
}

gboolean
hn_filter_address_next (guint8 family, HnFilterAddress *address)
{
  if (family == 4 && address->low == G_MAXUINT32)
    return FALSE;
  if (++address->low == 0 && ++address->high == 0)
    return FALSE;
  return TRUE;
}

guint
hn_filter_address_count_up_to (const HnFilterAddress *starts, guint n,
                               const HnFilterAddress *address)
{
  guint low = 0;

  while (n > 0)
    {
      const guint half = n / 2;

      if (hn_filter_address_compare (&starts[low + half], address) <= 0)
        {
          low += half + 1;
          n -= half + 1;
        }
      else
        n = half;
    }
  return low;
}

static guint32
slot_of (const HnFilterSources *self, const HnFilterAddress *address)
{
  return (guint32) (((address->high * self->factors[0]) ^ address->low) * self->factors[1]
                    >> self->shift);
}

static void
insert_single (HnFilterSources *self, const HnFilterAddress *address, guint32 value)
{
  guint32 slot = slot_of (self, address);

  if (self->slots4 != NULL)
    {
      while (self->slots4[slot] != 0)
        slot = (slot + 1) & self->mask;
      self->slots4[slot] = address->low << 32 | value;
      return;
    }
  while (self->slots6[slot].value != 0)
    slot = (slot + 1) & self->mask;
  self->slots6[slot] = (Slot6){ *address, value };
}

static void
make_slots (HnFilterSources *self, guint n)
{
  guint bits = 4;

  while ((gsize) 1 << bits < (gsize) n * 2)
    bits++;
  hn_random_bytes (self->factors, sizeof self->factors);
  self->factors[0] |= 1;
  self->factors[1] |= 1;
  self->shift = 64 - bits;
  self->mask = ((guint32) 1 << bits) - 1;
  if (self->family == 4)
    self->slots4 = g_new0 (guint64, (gsize) 1 << bits);
  else
    self->slots6 = g_new0 (Slot6, (gsize) 1 << bits);
}

static gboolean
is_one_address (guint8 family, const HnFilterAddress *starts, guint n, guint i)
{
  HnFilterAddress behind = starts[i];

  if (!hn_filter_address_next (family, &behind))
    return TRUE;
  return i + 1 < n && hn_filter_address_compare (&starts[i + 1], &behind) == 0;
}

HnFilterSources *
hn_filter_sources_new (guint8 family, const HnFilterAddress *starts, const guint32 *values, guint n)
{
  HnFilterSources *self = g_new0 (HnFilterSources, 1);
  g_autofree gboolean *single = g_new0 (gboolean, n);
  guint32 before = 0;
  guint n_singles = 0;

  self->family = family;
  /* A single address that has what those around it have needs no slot. */
  for (guint i = 0; i < n; i++)
    if (values[i] == before)
      continue;
    else if (values[i] != 0 && is_one_address (family, starts, n, i))
      {
        single[i] = TRUE;
        n_singles++;
      }
    else
      {
        before = values[i];
        self->n_ranges++;
      }
  make_slots (self, n_singles);
  self->starts = g_new (HnFilterAddress, self->n_ranges);
  self->values = g_new (guint32, self->n_ranges);
  self->n_ranges = 0;
  before = 0;
  for (guint i = 0; i < n; i++)
    if (single[i])
      insert_single (self, &starts[i], values[i]);
    else if (values[i] != before)
      {
        self->starts[self->n_ranges] = starts[i];
        self->values[self->n_ranges++] = before = values[i];
      }
  return self;
}

void
hn_filter_sources_free (HnFilterSources *self)
{
  g_free (self->slots4);
  g_free (self->slots6);
  g_free (self->starts);
  g_free (self->values);
  g_free (self);
}

guint32
hn_filter_sources_find (const HnFilterSources *self, const guint8 *source)
{
  const HnFilterAddress address = hn_filter_address_load (self->family, source);
  guint32 slot = slot_of (self, &address);
  guint n;

  if (self->slots4 != NULL)
    {
      for (; self->slots4[slot] != 0; slot = (slot + 1) & self->mask)
        if (self->slots4[slot] >> 32 == address.low)
          return (guint32) self->slots4[slot];
    }
  else
    for (; self->slots6[slot].value != 0; slot = (slot + 1) & self->mask)
      if (hn_filter_address_compare (&self->slots6[slot].address, &address) == 0)
        return self->slots6[slot].value;
  n = hn_filter_address_count_up_to (self->starts, self->n_ranges, &address);
  return n > 0 ? self->values[n - 1] : 0;
}
