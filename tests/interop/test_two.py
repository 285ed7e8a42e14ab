#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two tailnets on two servers at once, by TLS and by plain HTTP."""

import case
import servers
from lab import wait_for


class Two(case.TestCase):
    PEERS = ("b",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second = servers.Headscale(
            cls.lab, cls.VERSION, name="two.test", host="c2", domain="second.test",
            prefixes=("100.80.0.0/16", "fd7a:115c:a1e0:2::/64"))
        cls.peer = servers.Tailscaled(cls.lab, "d", cls.second)

    def ping(self, peer):
        for address in peer.addresses:
            self.client.host.run("ping", "-n", "-c", "3", "-W", "5", address, timeout=30)

    def test_two_tailnets(self):
        self.up("--hostname", "own")
        self.client.ctl("up", "--server", self.second.url, "--ca", self.second.ca,
                        "--auth-key-file", "-", "--hostname", "own",
                        stdin=self.second.key() + "\n")
        paths = {self.client.property("ServerUrl", p): p for p in self.client.tailnets()}
        self.assertEqual(set(paths), {self.server.url, self.second.url})
        first, second = paths[self.server.url], paths[self.second.url]
        self.client.wait_peer("ts-b", path=first, Online=True)
        self.client.wait_peer("ts-d", path=second, Online=True)
        self.assertEqual({self.client.property("Interface", p) for p in paths.values()},
                         {"headnet0", "headnet1"})
        self.assertEqual({self.client.property("State", p) for p in paths.values()}, {"running"})
        self.ping(self.peers["b"])
        self.ping(self.peer)

        # which of the two? one must be named
        self.client.ctl("down", code=2)
        self.client.ctl("down", "--tailnet", self.client.property("Name", first))
        self.assertEqual(self.client.property("State", first), "stopped")
        self.assertEqual(self.client.property("State", second), "running")
        self.ping(self.peer)
        self.client.ctl("down", "--tailnet", self.client.property("Name", second))
        self.assert_nothing_left()
        self.second.delete("own")


class Plain(case.TestCase):
    """A server without TLS, and so with a relay without TLS."""

    PEERS = ()
    TLS = False

    def test_plain_http(self):
        self.up()
        self.assertEqual(self.client.property("State"), "running")
        wait_for("the relay is connected", lambda: not self.client.property("Health"))
        self.assertEqual(self.client.property("HomeRelay")["Code"], "lab")
        self.client.ctl("down")
        self.assert_nothing_left()


if __name__ == "__main__":
    case.main()
