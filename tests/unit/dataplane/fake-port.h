/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet port without a kernel behind it: a test puts packets in and looks at what came out.
 */
#pragma once

#include "dataplane/hn-packet-port.h"

#define FAKE_TYPE_PORT (fake_port_get_type ())
G_DECLARE_FINAL_TYPE (FakePort, fake_port, FAKE, PORT, GObject)

FakePort *fake_port_new (void);
/* The host sends a packet. */
void fake_port_put (FakePort *self, const guint8 *data, gsize len);
/* A packet that the host received, or NULL; transfer full. */
GBytes *fake_port_take (FakePort *self);
/* The next read fails. */
void fake_port_break (FakePort *self);
guint fake_port_get_n_writes (FakePort *self);
