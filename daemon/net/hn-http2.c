/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/hn-http2.h"
