/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wireguard/hn-wg.h"
