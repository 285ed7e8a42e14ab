#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The direct path between two machines on one network: both sides say so, and it carries the data."""

import re

import case
from lab import wait_for
from servers import WebServer

SIZE = 20 * 1000 * 1000


class Direct(case.TestCase):
    PEERS = ("b",)

    def setUp(self):
        super().setUp()
        self.peer = self.peers["b"]
        self.up("--hostname", "own")
        self.wait_peers_online()
        self.own = sorted(self.client.property("Addresses"), key=lambda a: ":" in a)

    def wait_direct(self):
        """Some traffic, until both use the direct path; returns the endpoints, the peer's first."""
        def direct():
            self.client.host.run("ping", "-n", "-c", "1", "-W", "2", self.peer.addresses[0])
            mine = self.client.peers()["ts-b"]
            theirs = self.peer.sees("own")
            self.assertEqual(mine["Path"], "direct")
            self.assertNotEqual(theirs["CurAddr"], "")
            return mine["Endpoint"], theirs["CurAddr"]
        return wait_for("both use the direct path", direct, 20, 0.2)

    def test_both_say_direct(self):
        endpoint, current = self.wait_direct()
        self.assertTrue(endpoint.startswith(f"{self.peer.host.address}:"), endpoint)
        self.assertTrue(current.startswith(f"{self.client.host.address}:"), current)
        self.note(f"peer at {endpoint}, we at {current}")

        # as their people see it
        pong = self.peer.cli("ping", "-c", "2", "own").stdout
        self.assertRegex(pong, rf"pong from own \([0-9.]+\) via {re.escape(current)} in ")
        status = self.peer.cli("status").stdout
        (line,) = [line for line in status.splitlines() if " own " in line]
        self.assertRegex(line, rf"active; direct {re.escape(current)}, tx \d+ rx \d+")

        # and as ours do
        for kind in ("icmp", "disco", "tsmp"):
            text = self.client.ctl("ping", "ts-b", "-c", "1", "--kind", kind)
            self.assertIn(f"direct {endpoint}", text, kind)
        self.assertIn(f"direct {endpoint}", self.client.ctl("peers"))
        peer = self.client.ctl_json("peer", "ts-b")
        self.assertEqual(peer["Path"], "direct")
        self.assertEqual(peer["Endpoint"], endpoint)
        self.assertGreater(peer["Latency"], 0)

    def test_every_ping(self):
        """Each kind that the reference client has is answered."""
        self.wait_direct()
        for kind, answer in (("disco", "via"), ("icmp", "ICMP"), ("tsmp", "TSMP")):
            option = [] if kind == "disco" else [f"--{kind}"]
            done = self.peer.cli("ping", "-c", "3", *option, "own", timeout=40)
            self.assertIn("pong from own", done.stdout)
            self.assertIn(answer, done.stdout)

    def test_relay_carries_nothing(self):
        """20 MB each way over IPv4 and IPv6, while what the server sends and receives is little."""
        folder = self.lab.path("web", "")
        with open(f"{folder}data", "wb") as file:
            file.truncate(SIZE)
        web = WebServer(self.lab, self.peer.host, folder)
        self.wait_direct()
        before = self.carried()
        for address in self.peer.addresses:
            host = f"[{address}]" if ":" in address else address
            self.client.host.run("curl", "-sS", "--max-time", "60", "-o", "/dev/null",
                                 f"http://{host}:{web.PORT}/data", timeout=70)
        relayed = self.carried() - before
        self.note(f"{relayed} bytes at the server, {2 * SIZE} transferred")
        self.assertLess(relayed, SIZE / 10)
        web.stop()

    def carried(self):
        """Bytes that the server's network device has seen."""
        total = 0
        for way in "rx", "tx":
            total += int(self.server.host.run(
                "cat", f"/sys/class/net/eth0/statistics/{way}_bytes").stdout)
        return total

    def test_peer_restarts(self):
        """A peer that loses power comes back with another port, and is direct again."""
        first, _current = self.wait_direct()
        self.peer.stop()
        self.peer.start()
        self.wait_peers_online()

        def again():
            endpoint, _current = self.wait_direct()
            self.assertNotEqual(endpoint, first)
            return endpoint

        self.note(f"{first}, then {wait_for('direct by another port', again, 30)}")


if __name__ == "__main__":
    case.main()
