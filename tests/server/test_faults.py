#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A server and a relay that misbehave, each fault once against a running node, one case a fault:
test_faults.py [CASE...]. What the user saw and how long it took is printed with each.
"""

import json
import time
import unittest

from test_selftest import main
from world import Client, Lab, TestServer, up, wait_for

# point: what is done there; see scenario.py
FAULTS = {
    "accept": ["close", "garbage", {"do": "stall", "seconds": 1}],
    "upgrade": ["close", "garbage", "close-after", "error", "wrong-key", "wrong-noise", "no-early",
                {"do": "status", "status": 502}],
    "record": ["truncated", "oversized", "reordered", "garbage", "empty", "type"],
    "http2": ["goaway", "reset", {"do": "status", "status": 500}],
    "register": ["close", "reset", "old-version", {"do": "status", "status": 500},
                 {"do": "raw", "raw": "{{{"}, {"do": "json", "json": [1, 2]},
                 {"do": "json", "json": None}],
    "map": ["close", "reset", "garbage", "end", "deep", "zero", "huge", "bomb",
            {"do": "raw", "raw": "05000000"},
            {"do": "json", "json": {"Peers": None, "Node": None}},
            {"do": "json", "json": {"Peers": "x", "PeersChanged": 5, "Node": []}},
            {"do": "json", "json": {"PeersChanged": [{"ID": 7, "Name": "nokey.tailnet.test."}]}},
            {"do": "json", "json": {"Unknown": {"a": [1]}}},
            {"do": "status", "first": True, "status": 503},
            {"do": "json", "first": True, "json": {"KeepAlive": True}}],
    "derp": ["close", "garbage", {"do": "status"}, "magic", {"do": "close-later", "seconds": 0.3},
             {"do": "garbage-later", "seconds": 0.3}, "health", "restarting"],
}


class Faults(unittest.TestCase):
    """Two nodes for all cases; the other one comes and goes, and traffic flows after each fault."""

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        try:
            cls.server = TestServer(cls.lab, scenario={"keep_alive": 2})
            cls.own, cls.other = Client(cls.lab, "a"), Client(cls.lab, "b")
            up(cls.own, cls.server, "--hostname", "one")
            up(cls.other, cls.server, "--hostname", "two")
            cls.own.wait_peer("two", Online=True)
        except BaseException:
            cls.lab.print_logs()
            cls.lab.close()
            raise

    @classmethod
    def tearDownClass(cls):
        try:
            cls.own.close()
            cls.other.close()
        finally:
            cls.lab.close()

    def setUp(self):
        """Each case begins afresh: a client waits longer with each fault in a row, and the one
        before would be paid for here."""
        self.own.ctl("down")
        self.own.ctl("up", timeout=30)
        wait_for("the node is up before the fault", self.is_well)

    def happened(self):
        return len(self.server.ask("stats")["faults"])

    def is_well(self):
        return (self.own.property("State") == "running" and self.server.nodes()["one"]["online"]
                and self.server.ask("stats")["relay_clients"])

    def look(self, seen):
        """Notes what a person would see at this moment."""
        for text in [self.own.property("State"), self.own.property("StateReason"),
                     *(item.get("Text", item.get("Code", "")) for item in
                       self.own.property("Health"))]:
            if text and text not in seen:
                seen.append(text)

    def check(self, fault):
        self.other.ctl("down")
        before, seen = self.happened(), []
        self.server.ask("fault", fault=fault)
        begin = time.monotonic()
        if fault["at"] == "register":  # only who comes back registers
            self.own.ctl("down")
            self.own.ctl("up", code={0, 1, 7}, timeout=30)
            seen.append(self.own.complaint.strip())
        elif fault["at"] != "map" or fault.get("first"):
            self.server.ask("disconnect")
        wait_for("the fault happened", lambda: self.happened() > before)

        def well():
            self.look(seen)
            return self.is_well()

        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            self.look(seen)
        wait_for("all is well", well, timeout=30)
        seconds = time.monotonic() - begin
        self.other.ctl("up")
        self.own.wait_peer("two", Online=True)
        self.other.host.run("ping", "-n", "-c", "1", "-W", "10", self.own.property("Addresses")[0])
        print(f"# well after {seconds:.1f} s; seen: {json.dumps([s for s in seen if s])}")


def case_of(fault):
    def case(self):
        self.check(fault)
    return case


for at, faults in FAULTS.items():
    for number, do in enumerate(faults):
        what = do if isinstance(do, dict) else {"do": do}
        setattr(Faults, f"test_{at}_{number}_{what['do'].replace('-', '_')}",
                case_of({"at": at, **what}))


if __name__ == "__main__":
    main()
