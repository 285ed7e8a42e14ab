#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The relay's STUN server is silent, late or lies. What the node then thinks of the network may be
wrong, but its neighbour is found by the addresses of the LAN and the relay carries what is left.
"""

import time

import own
from own import wait_for

LIMIT = 15 if own.SANITIZED else 8
# What a server that lies says; nobody has this address.
FALSE = {"address": "192.0.2.7", "port": 7}


class Stun(own.OwnCase):
    def health_ids(self):
        return [item["Id"] for item in self.own.property("Health")]

    def way(self):
        return self.own.peers()["two"].get("Path")

    def paths_work(self):
        """Data flows, and soon directly: nobody needs a relay's word for the addresses of a LAN."""
        begin = time.monotonic()
        seconds = self.traffic(begin, LIMIT)
        wait_for("the direct path", lambda: self.ping() and self.way() == "direct", LIMIT)
        return seconds

    def ill(self, do, udp, **more):
        """The node starts while STUN is ill, and looks around; then all is put right."""
        self.own.ctl("down")
        self.watch.begin()
        self.server.ask("fault", fault={"at": "stun", "do": do, "times": 0, **more})
        self.own.ctl("up")
        first = self.paths_work()
        self.assertEqual((self.own.property("State"), self.own.property("StateReason")),
                         ("running", ""))
        report = self.own.ctl_json("netcheck")
        self.assertEqual(report["Udp"], udp, report)
        self.assertFalse(report["CaptivePortal"])
        # a direct path is there, so nobody is told that UDP is blocked
        wait_for("Health is right about UDP", lambda: self.ping() and self.way() == "direct" and
                 "udp-blocked" not in self.health_ids(), LIMIT)
        self.assertTrue(self.server.ask("stats")["faults"])
        self.assertTrue(self.ping())
        self.server.ask("clear")
        begin = time.monotonic()
        well = self.own.ctl_json("netcheck")
        self.assertTrue(well["Udp"], well)
        self.assertTrue(well["Ipv4"].startswith(f"{self.host.address}:"), well)
        wait_for("Health has nothing to tell of UDP",
                 lambda: "udp-blocked" not in self.health_ids(), LIMIT)
        seconds = time.monotonic() - begin
        self.assertTrue(self.ping())
        self.tell(f"STUN: {do}", seconds, f"first ping after {first:.1f} s, then a direct path",
                  f"netcheck: UDP passes: {'yes' if udp else 'no'}, "
                  f"IPv4 {'as it is' if report.get('Ipv4') == well['Ipv4'] else report.get('Ipv4')}")
        return report

    def test_silent(self):
        self.ill("silent", False)

    def test_garbage(self):
        self.ill("garbage", False)

    def test_wrong_id(self):
        self.ill("wrong-id", False)

    def test_wrong_address(self):
        """It is believed, as only the server can know; the neighbour asks there in vain."""
        report = self.ill("wrong-address", True, **FALSE)
        self.assertEqual(report["Ipv4"], f"{FALSE['address']}:{FALSE['port']}")

    def test_slow(self):
        (relay,) = self.ill("slow", True, seconds=0.4)["Relays"]
        self.assertGreater(relay["Latency"], 400000)


if __name__ == "__main__":
    own.main()
