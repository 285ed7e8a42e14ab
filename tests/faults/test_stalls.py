#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A server or relay that says nothing more, at each point where somebody waits for it. Each has a
server and a node of its own, and all stall at the same time: two minutes are enough for all.
"""

import time
import unittest

import own
from own import Client, Lab, TestServer, Watch, row, up, wait_for

# name: the fault, what has to be disconnected for it, what the user is told, and the longest time
# in seconds until all is well: the client's patience there, and the way back
STALLS = {
    "accept": ({"at": "accept", "do": "stall"}, "control", "control-unreachable", 5 + 5),
    "key": ({"at": "key", "do": "stall"}, "start", "", 5 + 5),
    "upgrade": ({"at": "upgrade", "do": "stall"}, "control", "control-unreachable", 5 + 5),
    "register": ({"at": "register", "do": "stall"}, "start", "", 20 + 10),
    "answer": ({"at": "http2", "do": "stall"}, "control", "control-unreachable", 30 + 5),
    "window": ({"at": "upgrade", "do": "no-window"}, "control", "", 30 + 10),
    "map": ({"at": "map", "do": "stall"}, "", "control-unreachable", 120 + 5),
    "first": ({"at": "map", "do": "stall", "first": True}, "control", "control-unreachable",
              30 + 5),
    "relay": ({"at": "derp", "do": "stall"}, "relay", "no-path", 10 + 5),
    "relay-later": ({"at": "derp", "do": "silent-later", "seconds": 0.1}, "relay", "no-path",
                    5 + 5 + 10),
}
TEXTS = {
    "accept": "a connection that is taken, and then nothing",
    "key": "no answer to /key, while the known key is tried",
    "upgrade": "no answer to the upgrade",
    "register": "no answer to the registration",
    "answer": "no answer to an HTTP/2 request",
    "window": "an HTTP/2 window that is never opened; the host name is changed",
    "map": "a map stream that falls silent, keep-alives and all",
    "first": "no answer to the map request",
    "relay": "a relay that does not greet",
    "relay-later": "a relay that takes all and gives nothing",
}


class Part:
    """One server, one node, one stall."""

    def __init__(self, lab, name):
        self.name, self.begin, self.took, self.sessions = name, 0.0, None, 0
        self.registered = 0
        self.fault, self.cut, self.reason, self.limit = STALLS[name]
        number = list(STALLS).index(name)
        self.server = TestServer(lab, f"https://{name}.test",
                                 {"keep_alive": 2, "fake_peers": {"count": 1}}, f"s{number}")
        self.client = Client(lab, f"c{number}")
        self.host = self.client.host
        self.before = self.host.network_state()
        up(self.client, self.server, "--hostname", "one")
        self.watch = Watch(self.client)
        self.running = self.host.network_state()

    def stall(self):
        """Orders the fault and makes it happen."""
        self.watch.begin()
        self.registered = self.registers()
        if self.cut == "start":
            self.client.ctl("down")
        self.server.ask("fault", fault=self.fault)
        self.begin = time.monotonic()
        if self.cut == "start":
            (path,) = self.client.tailnets()
            self.client.call(path, own.TAILNET, "Connect", "a{sv}", "0")
        elif self.cut:
            self.server.ask("disconnect", of=self.cut)
        self.sessions = self.server.ask("stats")["relay_sessions"]
        if self.name == "window":
            # the first requests were sent before the server told of its window
            wait_for("the stream is there", lambda: self.server.ask("stats")["streams"])
            self.client.ctl("set", "HostName=other")
        elif self.name == "relay-later":
            # who sends nothing can not notice; nobody answers at this address
            self.host.start(f"ping.{self.host.name}", "ping", "-n", "-i", "0.5", "100.65.0.0")

    def registers(self):
        return self.server.ask("stats")["requests"].count("/machine/register")

    def happened(self):
        return bool(self.server.ask("stats")["faults"])

    def is_well(self):
        """Stream and relay are there, and the user is told of no problem."""
        stats = self.server.ask("stats")
        if self.name == "window" and self.server.nodes()["one"]["hostname"] != "other":
            return False
        if self.name == "register" and self.registers() < self.registered + 2:
            return False
        if self.name == "relay-later" and stats["relay_sessions"] < self.sessions + 2:
            return False
        return (stats["streams"] and stats["relay_clients"] and
                not self.client.property("StateReason") and
                self.client.property("State") == "running")


class Stalls(unittest.TestCase):
    def test_stalls(self):
        with Lab() as lab:
            self.lab = lab
            parts = [Part(lab, name) for name in STALLS]
            for part in parts:
                part.stall()
            for part in parts:
                wait_for(f"the fault {part.name} happened", part.happened)
            self.wait(parts)
            for part in parts:
                self.finish(part)
        self.lab = None

    def wait(self, parts):
        """Until each has been well for a while after its fault, or its time is over."""
        bad = {part.name: part.begin for part in parts}
        waiting = list(parts)
        while waiting:
            time.sleep(0.2)
            for part in list(waiting):
                now = time.monotonic()
                if not part.is_well() or not self.was_seen(part):
                    bad[part.name] = now
                    self.assertLess(now - part.begin, part.limit, f"{part.name}: all is well")
                elif now - bad[part.name] > 1:
                    part.took = bad[part.name] - part.begin
                    waiting.remove(part)

    def was_seen(self, part):
        """Whether the user was told what a case expects; silence at first is no wellness."""
        return not part.reason or part.reason in part.watch.seen()

    def finish(self, part):
        """Nothing is left: the machine as before the stall, and then as before it all."""
        wait_for(f"{part.name}: the machine is as before",
                 lambda: part.host.network_state() == part.running)
        part.client.check_log()
        if part.name == "register":
            # the map stream beside it was well all the time
            self.assertNotIn("control-unreachable", part.watch.seen())
        seen = "; ".join(part.watch.seen()) or "nothing: running all the time"
        print(f"# {TEXTS[part.name]}: well after {part.took:.1f} s; seen: {seen}", flush=True)
        row(f"stall: {TEXTS[part.name]}", seen, part.took, "nothing")
        part.client.ctl("down")
        wait_for(f"{part.name}: nothing is left",
                 lambda: part.host.network_state() == part.before)
        part.client.close()
        part.server.stop()


if __name__ == "__main__":
    own.main()
