#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A server and a relay that misbehave, each fault once against a running node, one case a fault:
test_lies.py [CASE...]. What the user saw and how long it took is printed with each.
"""

import time

import own
from own import wait_for

FAKE = {"ID": 5001, "StableID": "5001", "Name": "first.tailnet.test.", "User": 1,
        "Key": "nodekey:" + "5a" * 32, "Machine": "mkey:" + "5b" * 32,
        "DiscoKey": "discokey:" + "5c" * 32, "Addresses": ["100.64.9.1/32"],
        "AllowedIPs": ["100.64.9.1/32"], "Online": True}
SECOND = {**FAKE, "ID": 5002, "StableID": "5002", "Name": "second.tailnet.test.",
          "Key": "nodekey:" + "6a" * 32, "Addresses": ["100.64.9.2/32"],
          "AllowedIPs": ["100.64.9.2/32"]}


def told(**message):
    return {"do": "json", "json": message}


# point: what is done there; see scenario.py
FAULTS = {
    "accept": ["close", "garbage", {"do": "stall", "seconds": 1}],
    "upgrade": ["close", "garbage", "close-after", "error", "wrong-key", "wrong-noise", "no-early",
                {"do": "status", "status": 502}, {"do": "status", "status": 403}],
    "record": ["truncated", "oversized", "reordered", "garbage", "empty", "type"],
    "http2": ["goaway", {"do": "goaway", "code": 11}, "reset", {"do": "reset", "code": 7},
              {"do": "status", "status": 500}],
    "register": ["close", "reset", "old-version", {"do": "status", "status": 500},
                 {"do": "raw", "raw": "{{{"}, {"do": "raw", "raw": "[" * 100000},
                 {"do": "json", "json": [1, 2]}, {"do": "json", "json": None}],
    "map": ["close", "reset", "garbage", "end", "deep", "zero", "huge", "bomb",
            {"do": "raw", "raw": "05000000"},
            {**told(Peers=None, Node=None), "name": "null for lists"},
            {**told(Peers="x", PeersChanged=5, Node=[]), "name": "wrong types"},
            {**told(PeersChanged=[{"ID": 7, "Name": "nokey.tailnet.test."}]),
             "name": "a peer without key"},
            {**told(PeersChanged=[FAKE, {**SECOND, "Key": FAKE["Key"]}]),
             "name": "two peers with one key"},
            {**told(PeersChanged=[FAKE, {**SECOND, "Addresses": FAKE["Addresses"]}]),
             "name": "two peers with one address"},
            {**told(PeersChanged=[{**FAKE, "Addresses": ["100.64.0.1/32"]}]),
             "name": "a peer with our own address"},
            {**told(Unknown={"a": [1]}), "name": "unknown fields"},
            {"do": "status", "first": True, "status": 503},
            {"do": "json", "first": True, "json": {"KeepAlive": True}}],
    "derp": ["close", "garbage", {"do": "status"}, "magic", {"do": "close-later", "seconds": 0.3},
             {"do": "garbage-later", "seconds": 0.3}, "health", "restarting"],
}
STEADY = 0.4  # so long all must be well


class Lies(own.OwnCase):
    """The neighbour comes and goes with each case, and traffic flows after it."""

    def happened(self):
        return len(self.server.ask("stats")["faults"])

    def is_here(self):
        """What the server knows of the one node that is connected."""
        stats = self.server.ask("stats")
        return stats["streams"] and stats["relay_clients"]

    def check(self, name, fault):
        self.other.ctl("down")
        wait_for("the neighbour is gone", lambda: self.server.ask("stats")["streams"] == 1)
        before, complaint = self.happened(), []
        self.watch.begin()
        self.server.ask("fault", fault=fault)
        begin = bad = time.monotonic()
        if fault["at"] == "register":  # only who comes back registers
            self.own.ctl("down")
            begin = time.monotonic()
            self.own.ctl("up", code={0, 1, 7}, timeout=30)
            bad = time.monotonic()
            complaint += [f"headnetctl up: {line}" for line in
                          self.own.complaint.strip().splitlines()]
        elif fault["at"] == "derp":
            self.server.ask("disconnect", of="relay")
        elif fault["at"] != "map" or fault.get("first"):
            self.server.ask("disconnect", **({} if fault["at"] == "accept" else {"of": "control"}))
        wait_for("the fault happened", lambda: self.happened() > before, interval=0.005)
        while (now := time.monotonic()) - bad < STEADY:
            if not self.is_here() or self.own.property("StateReason"):
                bad = now
            self.assertLess(now - begin, 30, "all is well")
        self.assertEqual(self.own.property("State"), "running")
        seconds = max(bad, self.watch.last_reason()) - begin
        # what was said of peers is taken back
        self.server.ask("tell", node="one", message={"PeersRemoved": [5001, 5002]})
        self.other.ctl("up")
        self.own.wait_peer("two", Online=True)
        self.traffic()
        self.tell(name, seconds, *complaint)


def case_of(name, fault):
    def case(self):
        self.check(name, fault)
    return case


for at, faults in FAULTS.items():
    for number, do in enumerate(faults):
        what = do if isinstance(do, dict) else {"do": do}
        setattr(Lies, f"test_{at}_{number}_{what['do'].replace('-', '_')}",
                case_of(own.title_of(at, what), {"at": at, **what}))


if __name__ == "__main__":
    own.main()
