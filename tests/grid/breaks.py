#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One fault of a path in the middle of a transfer, alone in a laboratory of its own: how long no data
came.

    breaks.py CLIENTS NAME [--server VERSION]      breaks.py --list

CLIENTS: hn-ts, hn-hn, ts-hn or ts-ts (Headnet, tailscaled), on a and b; what happens happens to a,
which takes a transfer from b and has datagrams sent back by it. Prints one line of JSON: of the fault
and of its end the longest time without data, in seconds from the moment when data could flow.
"""

import argparse
import json
import sys
import time

import natlab
import nodes
import relays
import servers
from lab import wait_for

PORT = 7000
SETTLE = 3.0
PATIENCE = 15.0  # for the direct path, before
STEADY = 3.0     # of data on it


class Fault:
    """What happens, for how long, and what ends it. KINDS are those of the NATs."""

    KINDS = ("easy", "easy")
    HOLD = 15.0
    AFTER = 15.0
    LIMIT = 2.0  # seconds without data

    def __init__(self, lab, server):
        self.lab, self.server = lab, server
        self.site, self.router = lab.host("a"), lab.routers["a"]

    def begin(self):
        raise NotImplementedError

    end = None

    @classmethod
    def make_server(cls, lab, version):
        return servers.Headscale(lab, version)

    def prepare(self):
        """What comes before, with data under way."""

    def note(self, a, b):
        """More for the result, at the end."""
        return {}


class Blocked(Fault):
    """All UDP of a is dropped, and then no longer."""

    HOLD = 12.0
    AFTER = 45.0

    def begin(self):
        self.lab.set_nat("a", "blocked")

    def end(self):
        self.lab.set_nat("a", "easy")


class OwnAddress(Fault):
    """a gets another address."""

    def begin(self):
        self.site.move(3)


class PeerAddress(Fault):
    """b gets another address."""

    def begin(self):
        self.lab.host("b").move(3)


class OwnPublicAddress(Fault):
    """The router of a gets another address, of which a sees nothing."""

    HOLD = 30.0
    LIMIT = 28.0  # every connection of a is dead, and nobody says so

    def begin(self):
        self.router.move(31)
        self.router.forget()


class PeerPublicAddress(Fault):
    """The router of b gets another address."""

    HOLD = 30.0
    LIMIT = 28.0

    def begin(self):
        self.lab.routers["b"].move(32)
        self.lab.routers["b"].forget()


class LinkFlap(Fault):
    """The cable of a is out for a second; the time counts from when it is in again."""

    HOLD = 1.0

    def begin(self):
        self.site.ip("link", "set", "eth0", "down")

    def end(self):
        self.site.ip("link", "set", "eth0", "up")
        self.site.routes()


class ServerRestart(Fault):
    """Headscale and its relay are started anew."""

    HOLD = 0.0

    def begin(self):
        self.server.stop()

    def end(self):
        self.server.start()


class ServerGone(ServerRestart):
    """Headscale and its relay are gone for a while."""

    HOLD = 15.0


class NatLost(Fault):
    """The router of a forgets all flows."""

    def begin(self):
        self.router.forget()


class NatLostHard(NatLost):
    """The same where every new flow gets a new port."""

    KINDS = ("hard", "none")


class NatHard(Fault):
    """The NAT of a becomes one that no direct path to b's leads through."""

    LIMIT = 8.0  # a tailscaled goes on sending to the port that is no more for nearly seven

    def begin(self):
        self.lab.set_nat("a", "hard")


class RelayRestart(ServerRestart):
    """The relay ends while it is the only path; the time counts from when it is back."""

    KINDS = ("hard", "hard")


class HomeRelayGone(Fault):
    """One of two relays ends, the one where both are at home, and comes back."""

    KINDS = ("hard", "hard")
    HOLD = 60.0
    AFTER = 20.0
    LIMIT = 5.0

    @classmethod
    def make_server(cls, lab, version):
        one = relays.Relay(lab, version, "one", 901)
        server = relays.Control(lab, version, [one])
        server.first = one
        return server

    def begin(self):
        self.server.first.stop()

    def end(self):
        self.server.first.start()

    def prepare(self):
        """The second region appears while the first carries data."""
        second = relays.Relay(self.lab, self.server.version, "two", 902)
        self.server.set_relays([self.server.first, second])
        time.sleep(30)

    def note(self, a, b):
        return {"homes": [a.home(), b.home()]}


FAULTS = {
    "UDP blocked, lifted": Blocked,
    "own address": OwnAddress,
    "peer's address": PeerAddress,
    "own public address": OwnPublicAddress,
    "peer's public address": PeerPublicAddress,
    "link flap": LinkFlap,
    "server restarted": ServerRestart,
    "server gone": ServerGone,
    "NAT state lost": NatLost,
    "NAT state lost, hard": NatLostHard,
    "NAT becomes hard": NatHard,
    "relay restarted": RelayRestart,
    "home relay gone": HomeRelayGone,
}


class Transfer:
    """What stream.py notes."""

    def __init__(self, a, b):
        b.host.start("serve", sys.executable, "-B", f"{natlab.HERE}/stream.py", "serve", str(PORT))
        wait_for("b serves", lambda: f":{PORT}" in b.host.run("ss", "-Hltn").stdout)
        self.process = a.host.start("take", sys.executable, "-B", f"{natlab.HERE}/stream.py",
                                    "take", b.addresses[0], str(PORT))
        wait_for("data comes", lambda: self.arrivals("t") and self.arrivals("u"), 30)

    def arrivals(self, kind):
        return [float(line.split()[1]) for line in self.process.text().splitlines()
                if line.startswith(f"{kind} ") and len(line.split()) > 1]

    def gap(self, kind, begin, end):
        """The longest time without data between two moments."""
        moments = [m for m in self.arrivals(kind) if begin <= m <= end]
        edges = [begin, *moments, end]
        return round(max(after - before for before, after in zip(edges, edges[1:])), 2)

    def gaps(self, begin, end):
        return {"transfer": self.gap("t", begin, end), "datagrams": self.gap("u", begin, end)}


def settle(longest, paths):
    """Waits as long as it may take, or until both are direct, and some time more."""
    end = time.monotonic() + longest
    time.sleep(STEADY)
    while time.monotonic() < end and paths() != ["direct", "direct"]:
        time.sleep(0.5)
    time.sleep(STEADY)


def measure(lab, server, a, b, fault):
    time.sleep(SETTLE)
    watches = [a.watch(b.name), b.watch(a.name)]
    transfer = Transfer(a, b)
    direct = "hard" not in fault.KINDS or "none" in fault.KINDS
    found = True
    if direct:
        try:
            wait_for("direct", lambda: all(w.first("direct") for w in watches), PATIENCE, 0.05)
        except AssertionError:
            found = False  # the result says so
    steady_begin = time.monotonic()
    fault.prepare()
    time.sleep(STEADY)
    steady = transfer.gaps(steady_begin, time.monotonic())
    before = fault.note(a, b)
    moment = time.monotonic()
    fault.begin()
    time.sleep(fault.HOLD)
    result = {"found_direct": found and direct, "steady": steady, "begin": None, "end": None,
              "before": before}
    if fault.end:
        over = time.monotonic()
        if fault.HOLD > 1.0:
            result["begin"] = transfer.gaps(moment, over)
            result["meanwhile"] = fault.note(a, b)
        fault.end()
        # a server that has started, not one that starts
        moment = time.monotonic() if fault.KINDS == ("hard", "hard") else over
        settle(fault.AFTER, lambda: [a.path(b.name)[0], b.path(a.name)[0]])
        result["end"] = transfer.gaps(moment, time.monotonic())
    else:
        result["begin"] = transfer.gaps(moment, time.monotonic())
    back = None
    if direct:
        kinds = [watch.kinds(moment) for watch in watches]
        firsts = [watch.last_change(moment) for watch in watches]
        paths = [a.path(b.name)[0], b.path(a.name)[0]]
        if paths == ["direct", "direct"]:
            back = round(max([0.0, *(m - moment for m in firsts if m)]), 2)
        result.update(kinds_a=kinds[0], kinds_b=kinds[1], paths=paths)
    result["direct_again"] = back
    result["after"] = fault.note(a, b)
    result["ended"] = "end" in transfer.process.text().split()
    for watch in watches:
        watch.stop()
    return result


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join(FAULTS))
        return 0
    parser = argparse.ArgumentParser()
    parser.add_argument("clients", choices=("hn-ts", "ts-hn", "hn-hn", "ts-ts"))
    parser.add_argument("name", choices=FAULTS)
    parser.add_argument("--server", default="0.29.2")
    args = parser.parse_args()
    kind = FAULTS[args.name]
    with natlab.NatLab(*kind.KINDS) as lab:
        try:
            server = kind.make_server(lab, args.server)
            a, b = nodes.pair(lab, server, args.clients)
            result = measure(lab, server, a, b, kind(lab, server))
            for node in (a, b):
                node.close()
        except BaseException:
            lab.print_logs()
            raise
    print(json.dumps({"clients": args.clients, "fault": args.name, **result}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
