/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wireguard/hn-wg-allowed.h"

#include <string.h>

#define IP4_HEADER 20
#define IP6_HEADER 40
/* Up to here a walk beats the branches of a binary search. */
#define LINEAR_MAX 8

static guint32
read32 (const guint8 *p)
{
  guint32 value;

  memcpy (&value, p, sizeof value);
  return GUINT32_FROM_BE (value);
}

static guint64
read64 (const guint8 *p)
{
  guint64 value;

  memcpy (&value, p, sizeof value);
  return GUINT64_FROM_BE (value);
}

static HnWgAddress6
read_address6 (const guint8 *p)
{
  return (HnWgAddress6){ read64 (p), read64 (p + 8) };
}

static int
compare6 (const HnWgAddress6 *a, const HnWgAddress6 *b)
{
  if (a->hi != b->hi)
    return a->hi < b->hi ? -1 : 1;
  if (a->lo != b->lo)
    return a->lo < b->lo ? -1 : 1;
  return 0;
}

/* By beginning, the wider one first: then what is nested follows what holds it. */
static int
compare_range4 (const void *a, const void *b)
{
  const HnWgRange4 *x = a, *y = b;

  if (x->first != y->first)
    return x->first < y->first ? -1 : 1;
  if (x->last != y->last)
    return x->last > y->last ? -1 : 1;
  return 0;
}

static int
compare_range6 (const void *a, const void *b)
{
  const HnWgRange6 *x = a, *y = b;
  int order = compare6 (&x->first, &y->first);

  return order != 0 ? order : compare6 (&y->last, &x->last);
}

static guint64
host_mask64 (guint bits)
{
  return bits >= 64 ? 0 : G_MAXUINT64 >> bits;
}

void
hn_wg_allowed_set (HnWgAllowed *self, const HnWgAllowedIp *ips, gsize n_ips)
{
  g_autofree HnWgRange4 *v4 = g_new (HnWgRange4, n_ips);
  g_autofree HnWgRange6 *v6 = g_new (HnWgRange6, n_ips);
  gsize n_v4 = 0, n_v6 = 0;

  for (gsize i = 0; i < n_ips; i++)
    {
      const HnWgAllowedIp *ip = &ips[i];

      if (ip->family == 4 && ip->bits <= 32)
        {
          guint32 mask = ip->bits == 32 ? 0 : G_MAXUINT32 >> ip->bits;
          guint32 address = read32 (ip->address);

          v4[n_v4++] = (HnWgRange4){ address & ~mask, address | mask };
        }
      else if (ip->family == 6 && ip->bits <= 128)
        {
          guint64 hi = host_mask64 (ip->bits);
          guint64 lo = host_mask64 (ip->bits > 64 ? ip->bits - 64u : 0);
          HnWgAddress6 a = read_address6 (ip->address);

          v6[n_v6++] = (HnWgRange6){ { a.hi & ~hi, a.lo & ~lo }, { a.hi | hi, a.lo | lo } };
        }
    }

  hn_wg_allowed_clear (self);
  if (n_v4 > 0)
    {
      qsort (v4, n_v4, sizeof *v4, compare_range4);
      self->n_v4 = 1;
      for (gsize i = 1; i < n_v4; i++)
        if (v4[i].first > v4[self->n_v4 - 1].last)
          v4[self->n_v4++] = v4[i];
      self->v4 = g_memdup2 (v4, self->n_v4 * sizeof *v4);
    }
  if (n_v6 > 0)
    {
      qsort (v6, n_v6, sizeof *v6, compare_range6);
      self->n_v6 = 1;
      for (gsize i = 1; i < n_v6; i++)
        if (compare6 (&v6[i].first, &v6[self->n_v6 - 1].last) > 0)
          v6[self->n_v6++] = v6[i];
      self->v6 = g_memdup2 (v6, self->n_v6 * sizeof *v6);
    }
}

void
hn_wg_allowed_clear (HnWgAllowed *self)
{
  g_free (self->v4);
  g_free (self->v6);
  *self = (HnWgAllowed){ 0 };
}

static gboolean
contains4 (const HnWgAllowed *self, guint32 address)
{
  gsize low = 0, high = self->n_v4;

  /* The last range that begins at or before the address is the only one that can hold it. */
  while (high - low > LINEAR_MAX)
    {
      gsize middle = low + (high - low) / 2;

      if (self->v4[middle].first <= address)
        low = middle;
      else
        high = middle;
    }
  for (; low < high; low++)
    if (address >= self->v4[low].first && address <= self->v4[low].last)
      return TRUE;
  return FALSE;
}

static gboolean
contains6 (const HnWgAllowed *self, const HnWgAddress6 *address)
{
  gsize low = 0, high = self->n_v6;

  while (high - low > LINEAR_MAX)
    {
      gsize middle = low + (high - low) / 2;

      if (compare6 (&self->v6[middle].first, address) <= 0)
        low = middle;
      else
        high = middle;
    }
  for (; low < high; low++)
    if (compare6 (address, &self->v6[low].first) >= 0
        && compare6 (address, &self->v6[low].last) <= 0)
      return TRUE;
  return FALSE;
}

gsize
hn_wg_allowed_check (const HnWgAllowed *self, const guint8 *packet, gsize len)
{
  gsize whole;

  if (len < IP4_HEADER)
    return 0;

  if (packet[0] >> 4 == 4)
    {
      whole = (gsize) packet[2] << 8 | packet[3];
      if (whole < IP4_HEADER || whole > len || !contains4 (self, read32 (packet + 12)))
        return 0;
      return whole;
    }

  if (packet[0] >> 4 == 6 && len >= IP6_HEADER)
    {
      HnWgAddress6 source = read_address6 (packet + 8);

      whole = ((gsize) packet[4] << 8 | packet[5]) + IP6_HEADER;
      if (whole > len || !contains6 (self, &source))
        return 0;
      return whole;
    }
  return 0;
}
