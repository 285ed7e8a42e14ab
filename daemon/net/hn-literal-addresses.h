/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A GSocketConnectable over addresses that are known already: tried in order, without any name
 * being resolved, while proxies are still asked for by the URI that the addresses stand for.
 */
#pragma once

#include <gio/gio.h>

#include "base/hn-ip.h"

#define HN_TYPE_LITERAL_ADDRESSES (hn_literal_addresses_get_type ())
G_DECLARE_FINAL_TYPE (HnLiteralAddresses, hn_literal_addresses, HN, LITERAL_ADDRESSES, GObject)

/* Copies @ips; @uri is what a proxy is chosen by and told to reach. */
GSocketConnectable *hn_literal_addresses_new (const char *uri, const HnIp *ips, gsize n_ips,
                                              guint16 port);
