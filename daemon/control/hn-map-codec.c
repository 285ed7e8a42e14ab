/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/hn-map-codec.h"
