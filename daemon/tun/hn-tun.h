/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel TUN device as a packet port: created, named, and given up again when the last reference
 * goes. Opened with virtio headers (IFF_VNET_HDR) from the first. Addresses, MTU and routes are the
 * folder system's.
 */
#pragma once

#include "dataplane/hn-packet-port.h"

#define HN_TYPE_TUN (hn_tun_get_type ())
G_DECLARE_FINAL_TYPE (HnTun, hn_tun, HN, TUN, GObject)

/* @name: wanted name, such as "headnet0"; a name in use is HN_ERROR_EXISTS, no permission
 * HN_ERROR_NOT_AUTHORIZED, no /dev/net/tun HN_ERROR_NOT_SUPPORTED with the command that helps. The
 * device is not persistent: it goes with the descriptor. */
HnTun *hn_tun_new (const char *name, GError **error);
const char *hn_tun_get_name (HnTun *self);
int hn_tun_get_ifindex (HnTun *self);
