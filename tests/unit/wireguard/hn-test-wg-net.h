/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two WireGuard cores on a simulated network with simulated time: delay, loss, reordering and
 * duplicates as a test asks for, and a tap that may drop single datagrams.
 */
#pragma once

#include "wireguard/hn-wg.h"

#define SECOND ((gint64) G_USEC_PER_SEC)
#define START (1000 * SECOND)

typedef struct _TestNet TestNet;

typedef struct
{
  TestNet *net;
  guint index;
  HnWg *wg;
  HnWgPeer *peer; /* the other one, NULL while there is none */
  guint8 private_key[32];
  guint8 public_key[32];
  guint8 address[4];
  gint64 wall_offset_us;

  guint delivered;
  guint32 last_number; /* in the last packet delivered */
  gsize last_len;
  guint established;
  guint authenticated;
  guint found;
  guint sent[5]; /* datagrams by type, before loss */
  guint ticks;
  void (*on_established) (gpointer self);
  void (*on_delivered) (gpointer self);
  void (*on_authenticated) (gpointer self);
  void (*on_send) (gpointer self);
  gboolean find_peer;
} TestNode;

/* Return FALSE to drop it. */
typedef gboolean (*TestTap) (TestNet *net, guint from, guint8 *datagram, gsize len);

struct _TestNet
{
  TestNode nodes[2];
  gint64 now;
  GQueue flight; /* sorted by time of arrival */
  gint64 delay_min, delay_max;
  guint loss_percent;
  guint duplicate_percent;
  TestTap tap;
  guint tapped; /* for the tap's own use */
};

TestNet *test_net_new (void);
void test_net_free (TestNet *self);
/* Each node gets the other as a peer with its /32. */
void test_net_introduce (TestNet *self, guint node);
/* An IPv4 packet of @len bytes with a number in it. */
void test_net_send (TestNet *self, guint from, guint32 number, gsize len);
void test_net_receive (TestNet *self, guint at, const guint8 *datagram, gsize len);
/* Lets everything happen that is due up to now + @us. */
void test_net_run (TestNet *self, gint64 us);
gboolean test_net_has_session (TestNet *self, guint node);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestNet, test_net_free)
