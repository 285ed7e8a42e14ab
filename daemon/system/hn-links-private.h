/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two halves of HnLinks share: hn-links.c watches and answers, hn-links-apply.c changes.
 */
#pragma once

#include "system/hn-links.h"
#include "system/hn-netlink.h"

struct _HnLinks
{
  GObject parent_instance;

  HnNetlink *netlink; /* owned; requests */

  int event_fd;           /* owned; -1 before it is open */
  GSource *event_source;  /* owned */
  GSource *settle_source; /* owned; runs from the first event of a burst */
  gboolean stale;         /* links and addresses must be read again */
  gboolean event_pending; /* an event that is not only our own devices' */
  GHashTable *lost;       /* tables that lost something of ours, by GUINT_TO_POINTER */

  GArray *links;     /* of HnLinkInfo */
  GArray *addresses; /* of HnAddressInfo */
  char *signature;   /* owned; usable addresses and default routes when last told */

  GHashTable *applied; /* table -> ifindex, of tailnets that are up */
};

/* Whether @name is headnet and a number. */
gboolean hn_links_is_own_name (const char *name);
