# SPDX-License-Identifier: GPL-2.0-or-later
"""A coordination server, relay and STUN server for tests; see __main__.py."""
