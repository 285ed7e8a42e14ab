#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ten thousand peers that come, go and change all the time: the node stays correct, has traffic
with a real neighbour, and its memory does not grow with the changes.

HEADNET_CHURN_SECONDS=600 for longer.
"""

import os
import time

import own
from own import SANITIZED, wait_for

COUNT = 10000
RATE = 200  # changes a second
SECONDS = float(os.environ.get("HEADNET_CHURN_SECONDS", "20"))
# kB for each peer over what a node has alone, with the list of peers that the bus hands out
PER_PEER = 2.5
# kB: so much may come and go between two measurements. A big map makes many blocks, and which of them
# go back to the system is the allocator's affair: over minutes it is five megabytes up and down.
GROWTH = 6 * 1024


class Many(own.OwnCase):
    SCENARIO = {"keep_alive": 2, "fake_peers": {"count": COUNT}}

    def memory(self):
        """kB that the daemon has for itself."""
        with open(f"/proc/{self.own.process.pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Anonymous:"):
                    return int(line.split()[1])
        raise AssertionError("no Anonymous in smaps_rollup")

    def processor(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.own.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def truth(self):
        """What the server knows of its fake peers."""
        return {peer["name"]: (peer["online"], peer["os"], tuple(peer["addresses"]))
                for peer in self.server.ask("fakes")["fakes"]}

    def known(self):
        """What the node says of them."""
        return {name: (peer["Online"], peer["Os"], tuple(peer["Addresses"]))
                for name, peer in self.own.peers().items() if name.startswith("fake-")}

    def churn(self, seconds):
        """A time of changes, with traffic meanwhile, and then the same view on both ends."""
        before = self.server.ask("stats")["changes"]
        used = self.processor()
        self.server.ask("churn", rate=RATE)
        begin = time.monotonic()
        lost = 0
        while time.monotonic() - begin < seconds:
            lost += not self.ping()
            time.sleep(0.2)
        self.server.ask("churn", rate=0)
        took = time.monotonic() - begin
        changes = self.server.ask("stats")["changes"] - before
        truth = self.truth()
        wait_for("the node knows what the server knows", lambda: self.known() == truth, 20, 0.2)
        self.assertEqual(self.own.property("State"), "running")
        self.assertEqual(self.own.property("StateReason"), "")
        self.assertEqual(self.own.property("PeerCount"), COUNT + 1)
        self.assertLessEqual(lost, 1)
        return (f"{changes} changes in {took:.0f} s, {self.processor() - used:.1f} s of a core, "
                f"{lost} pings lost, then the same view at both ends")

    def test_churn(self):
        wait_for("all peers are there",
                 lambda: self.own.property("PeerCount") == COUNT + 1, timeout=30)
        self.churn(5)
        warm = self.memory()
        text = self.churn(SECONDS)
        after = self.memory()
        # and whole maps, one after the other
        took = []
        for _ in range(3):
            self.server.ask("disconnect", of="control")
            begin = time.monotonic()
            wait_for("the stream is back",
                     lambda: self.server.ask("stats")["streams"] >= 2 and self.is_well(), 30)
            took.append(time.monotonic() - begin)
        truth = self.truth()
        wait_for("the node knows what the server knows", lambda: self.known() == truth, 20, 0.2)
        last = self.memory()
        text = (f"{text}; memory {warm} kB before, {after} kB after, {last} kB after three new "
                f"streams with {COUNT} peers ({max(took):.1f} s each at most)")
        print(f"# {text}", flush=True)
        # with a sanitizer freed memory is kept aside, and every allocation has its record
        if not SANITIZED:
            self.assertLess(warm, COUNT * PER_PEER)
            self.assertLess(after - warm, GROWTH)
            self.assertLess(last - warm, 2 * GROWTH)
        self.tell(f"{COUNT} peers, {RATE} changes a second, three new streams", max(took), text)


if __name__ == "__main__":
    own.main()
