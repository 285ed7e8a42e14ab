//go:build tools

// SPDX-License-Identifier: GPL-2.0-or-later

// Package peers names the programs that this module pins.
package peers

import (
	_ "tailscale.com/cmd/tailscale"
	_ "tailscale.com/cmd/tailscaled"
)
