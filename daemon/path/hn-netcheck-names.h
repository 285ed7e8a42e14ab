/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the names of relays resolve to, for the time between two full netchecks: part of HnNetcheck.
 * Nothing is resolved here.
 */
#pragma once

#include "base/hn-ip.h"

typedef struct _HnNetcheckNames HnNetcheckNames;

typedef enum
{
  HN_NETCHECK_NAME_KNOWN,
  HN_NETCHECK_NAME_NEW,   /* the caller asks for it now */
  HN_NETCHECK_NAME_ASKED, /* an answer is due */
  HN_NETCHECK_NAME_NONE,  /* no address of that family, or no name */
} HnNetcheckName;

HnNetcheckNames *hn_netcheck_names_new (void);
void hn_netcheck_names_free (HnNetcheckNames *self);
/* Forgets all. */
void hn_netcheck_names_clear (HnNetcheckNames *self);
/* A run begins: what failed or is old, and before a full run everything, is to be asked again. */
void hn_netcheck_names_begin (HnNetcheckNames *self, gboolean full, gint64 now_us);
/* @host is nullable. @ask: what is new counts as asked from now on. */
HnNetcheckName hn_netcheck_names_get (HnNetcheckNames *self, const char *host, guint8 family,
                                      gboolean ask, HnIp *out);
/* FALSE: nobody asked for it. */
gboolean hn_netcheck_names_resolved (HnNetcheckNames *self, const char *host, const HnIp *ips,
                                     gsize n, gint64 now_us);
