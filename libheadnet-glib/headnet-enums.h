/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Enumerations of libheadnet-glib, and the mark of what it exports. The nicks of the values are the
 * words of the bus.
 */
#pragma once

#include <gio/gio.h>

/* The library hides every symbol that is not marked so. */
#define HEADNET_AVAILABLE __attribute__ ((visibility ("default"))) extern

G_BEGIN_DECLS

/**
 * HeadnetState:
 * @HEADNET_STATE_STOPPED: nobody wants it connected, or the service does not run
 * @HEADNET_STATE_NEEDS_LOGIN: the server does not accept our key, somebody has to log in
 * @HEADNET_STATE_NEEDS_APPROVAL: an administrator of the tailnet has to approve this machine
 * @HEADNET_STATE_STARTING: on the way
 * @HEADNET_STATE_RUNNING: connected
 *
 * How far a tailnet has got.
 *
 * Since: 1.0
 */
typedef enum
{
  HEADNET_STATE_STOPPED,
  HEADNET_STATE_NEEDS_LOGIN,
  HEADNET_STATE_NEEDS_APPROVAL,
  HEADNET_STATE_STARTING,
  HEADNET_STATE_RUNNING,
} HeadnetState;

/**
 * HeadnetPath:
 * @HEADNET_PATH_NONE: no way just now, or none needed so far
 * @HEADNET_PATH_RELAY: through a relay
 * @HEADNET_PATH_DIRECT: straight to an address of the peer
 *
 * How packets reach a peer.
 *
 * Since: 1.0
 */
typedef enum
{
  HEADNET_PATH_NONE,
  HEADNET_PATH_RELAY,
  HEADNET_PATH_DIRECT,
} HeadnetPath;

/**
 * HeadnetSeverity:
 * @HEADNET_SEVERITY_INFO: good to know
 * @HEADNET_SEVERITY_WARNING: something does not work as it should
 * @HEADNET_SEVERITY_ERROR: something does not work
 *
 * How bad a health item is.
 *
 * Since: 1.0
 */
typedef enum
{
  HEADNET_SEVERITY_INFO,
  HEADNET_SEVERITY_WARNING,
  HEADNET_SEVERITY_ERROR,
} HeadnetSeverity;

G_END_DECLS
