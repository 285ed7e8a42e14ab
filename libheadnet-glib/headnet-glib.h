/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one header that programs include: tailnets and their peers, as the service headnetd publishes
 * them on the system bus.
 */
#pragma once

#include "headnet-client.h"
#include "headnet-enum-types.h"
#include "headnet-enums.h"
#include "headnet-error.h"
#include "headnet-health-item.h"
#include "headnet-peer.h"
#include "headnet-relay.h"
#include "headnet-tailnet.h"
#include "headnet-user.h"
