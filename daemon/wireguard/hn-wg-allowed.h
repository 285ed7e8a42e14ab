/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What inner packets of one peer may say: a set of prefixes, kept as sorted disjoint ranges, and the
 * check of a decrypted packet's length and source against it.
 */
#pragma once

#include "wireguard/hn-wg.h"

typedef struct
{
  guint32 first;
  guint32 last;
} HnWgRange4;

typedef struct
{
  guint64 hi, lo;
} HnWgAddress6;

typedef struct
{
  HnWgAddress6 first;
  HnWgAddress6 last;
} HnWgRange6;

/* All zeros allows nothing. */
typedef struct
{
  HnWgRange4 *v4; /* owned */
  HnWgRange6 *v6; /* owned */
  gsize n_v4;
  gsize n_v6;
} HnWgAllowed;

/* Entries with an unknown family or too many bits are left out. */
void hn_wg_allowed_set (HnWgAllowed *self, const HnWgAllowedIp *ips, gsize n_ips);
void hn_wg_allowed_clear (HnWgAllowed *self);
/* The length of the IP packet at @packet (its padding not counted) when it is whole and its source
 * is allowed, else 0. */
gsize hn_wg_allowed_check (const HnWgAllowed *self, const guint8 *packet, gsize len);
