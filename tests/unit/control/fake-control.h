/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A coordination server for tests, in the test's own main loop: real HTTP, Noise and HTTP/2 over
 * loopback, and answers that the test gives, request by request.
 */
#pragma once

#include <gio/gio.h>

#include "control/hn-control-client.h"

typedef struct _FakeControl FakeControl;
typedef struct _FakeRequest FakeRequest;

FakeControl *fake_control_new (void);
void fake_control_free (FakeControl *self);
const char *fake_control_get_url (FakeControl *self);
/* A client of this server, enrolled with new keys. */
HnControlClient *fake_control_new_client (FakeControl *self, const HnControlClientEvents *events,
                                          gpointer user);
/* Another Noise key from now on. */
void fake_control_new_key (FakeControl *self);
/* Closes every connection. */
void fake_control_drop (FakeControl *self);
/* Handshakes end with 101 and a closed connection, as a refused version does. */
void fake_control_refuse_version (FakeControl *self, gboolean refuse);
/* Each connection begins with GOAWAY: it takes no request. */
void fake_control_send_away (FakeControl *self, gboolean send_away);
typedef enum
{
  FAKE_CONTROL_WELL,
  FAKE_CONTROL_GONE,   /* nobody listens on the port */
  FAKE_CONTROL_CLOSES, /* connections are taken and closed */
  FAKE_CONTROL_SILENT, /* connections are taken, and nothing ever comes */
} FakeControlHealth;

/* What becomes of new connections; those that are there stay, see fake_control_drop(). */
void fake_control_set_health (FakeControl *self, FakeControlHealth health);
guint fake_control_get_n_connections (FakeControl *self); /* all that were ever taken */
guint fake_control_get_n_handshakes (FakeControl *self);
guint fake_control_get_n_keys (FakeControl *self);  /* how often /key was asked for */
guint fake_control_get_n_heads (FakeControl *self); /* HEAD on the outer listener */

/* Waits until a request for @path is there; fails the test after two seconds. Borrowed. */
FakeRequest *fake_control_next (FakeControl *self, const char *path);
/* The same without waiting; NULL: none. */
FakeRequest *fake_control_take (FakeControl *self, const char *path);
/* Runs the loop for @ms and fails the test if a request came. */
void fake_control_expect_quiet (FakeControl *self, guint ms);
/* Waits until the client has reset @request or closed its connection; fails after two seconds. */
void fake_control_wait_gone (FakeControl *self, FakeRequest *request);
/* The request's body. */
const char *fake_request_get_body (FakeRequest *request);
gboolean fake_request_is_gone (FakeRequest *request);
void fake_request_reply (FakeRequest *request, guint status, const char *body);
/* Opens a stream (status 200), sends a frame of the map in it, ends it. */
void fake_request_open (FakeRequest *request);
void fake_request_frame (FakeRequest *request, const char *json);
/* A part of a frame, or what is none. */
void fake_request_bytes (FakeRequest *request, const void *data, gsize len);
void fake_request_end (FakeRequest *request);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (FakeControl, fake_control_free)
