/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The errors of libheadnet-glib: one code for each error of the bus contract, and one for a service
 * that is not there.
 */
#pragma once

#include "headnet-enums.h"

G_BEGIN_DECLS

/**
 * HEADNET_ERROR:
 *
 * The error domain of the library.
 *
 * Since: 1.0
 */
#define HEADNET_ERROR (headnet_error_quark ())

/**
 * HeadnetError:
 * @HEADNET_ERROR_FAILED: everything that is none of the others
 * @HEADNET_ERROR_INVALID_ARGUMENT: an argument is malformed or does not exist
 * @HEADNET_ERROR_NOT_AUTHORIZED: the caller lacks the right
 * @HEADNET_ERROR_NOT_FOUND: no such tailnet, peer, or nothing of the kind
 * @HEADNET_ERROR_EXISTS: the name is in use
 * @HEADNET_ERROR_NOT_CONNECTED: the tailnet has to be connected for this
 * @HEADNET_ERROR_NEEDS_LOGIN: somebody has to log in first
 * @HEADNET_ERROR_SERVER_UNREACHABLE: the server can not be reached
 * @HEADNET_ERROR_SERVER_REFUSED: the server was reached and said no
 * @HEADNET_ERROR_TIMEOUT: nothing came back in time
 * @HEADNET_ERROR_NOT_SUPPORTED: it exists, but has no effect in this version
 * @HEADNET_ERROR_BUSY: something else is going on
 * @HEADNET_ERROR_NO_SERVICE: the service does not run, ended meanwhile, or there is no bus
 *
 * What went wrong. The message is a sentence that a person can act on.
 *
 * Since: 1.0
 */
typedef enum
{
  HEADNET_ERROR_FAILED,
  HEADNET_ERROR_INVALID_ARGUMENT,
  HEADNET_ERROR_NOT_AUTHORIZED,
  HEADNET_ERROR_NOT_FOUND,
  HEADNET_ERROR_EXISTS,
  HEADNET_ERROR_NOT_CONNECTED,
  HEADNET_ERROR_NEEDS_LOGIN,
  HEADNET_ERROR_SERVER_UNREACHABLE,
  HEADNET_ERROR_SERVER_REFUSED,
  HEADNET_ERROR_TIMEOUT,
  HEADNET_ERROR_NOT_SUPPORTED,
  HEADNET_ERROR_BUSY,
  HEADNET_ERROR_NO_SERVICE,
} HeadnetError;

HEADNET_AVAILABLE GQuark headnet_error_quark (void);
HEADNET_AVAILABLE GError *headnet_error_new_from_bus (const GError *error);

G_END_DECLS
