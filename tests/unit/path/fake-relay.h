/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A relay for tests on a loopback port, each connection in a thread of its own. It
 * echoes a packet to its sender as if the peer it went to had sent it; some packets are orders (the
 * list is in the source).
 */
#pragma once

#include <gio/gio.h>

#include "crypto/hn-keys.h"

typedef enum
{
  FAKE_RELAY_NORMAL,
  FAKE_RELAY_REFUSE,   /* closes behind the login */
  FAKE_RELAY_NO_PAGE,  /* answers 404 */
  FAKE_RELAY_SILENT,   /* accepts and says nothing */
  FAKE_RELAY_BYTEWISE, /* writes each byte by itself up to ServerInfo */
} FakeRelayMode;

typedef struct _FakeRelay FakeRelay;

/* @certificate: (nullable): PEM file of a certificate, its key and its chain; NULL: plain HTTP */
FakeRelay *fake_relay_new (const char *certificate);
void fake_relay_free (FakeRelay *self);
guint16 fake_relay_get_port (FakeRelay *self);
void fake_relay_set_mode (FakeRelay *self, FakeRelayMode mode);
/* Whether it stops reading behind the login. */
void fake_relay_set_jammed (FakeRelay *self, gboolean jammed);
/* Logins so far, and who logged in last. */
guint fake_relay_get_logins (FakeRelay *self, HnNodePublic *last);
/* Connections open now whose last NotePreferred was @preferred (-1: those that never sent one). */
guint fake_relay_count (FakeRelay *self, int preferred);
/* (transfer full): header of the last upgrade request, "" before. */
char *fake_relay_dup_request (FakeRelay *self);
