//go:build tools

// SPDX-License-Identifier: GPL-2.0-or-later

// Package peers names the programs that this module pins.
package peers

import (
	_ "github.com/juanfont/headscale/cmd/headscale"
)
