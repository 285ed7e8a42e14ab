#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One cell of the grid, alone in a laboratory of its own: which path two nodes come to use, how soon,
and whether a packet is lost meanwhile.

    cell.py CLIENTS KIND KIND [--seconds N] [--server VERSION] [--ipv6] [--mapping HOW]
            [--switch SECOND:SITE:KIND]...

CLIENTS: hn-ts, hn-hn or ts-ts (Headnet, tailscaled), on a and b. Prints one line of JSON. The first
packet is a's; SECOND counts from its answer.
"""

import argparse
import json
import re
import signal
import sys
import time

import natlab
import nodes
import servers
from lab import wait_for

INTERVAL = 0.2
# Until both have found out about their own network and told each other.
SETTLE = 3.0
# For whoever does not go direct at once; two tailscaled need about three seconds.
PATIENCE = 12.0
POLL = 0.05
# From the last change of a NAT to the end of the run.
SWITCHED = 35.0
REPLY = re.compile(r"^\[(\d+\.\d+)\] \d+ bytes .*icmp_seq=(\d+) .*time=([\d.]+) ms")


class Pings:
    """Echo requests from one host to another, several a second."""

    def __init__(self, host, address, interval=INTERVAL):
        self.interval = interval
        self.begin = time.monotonic()
        self.process = host.start(f"ping.{host.name}", "ping", "-n", "-D", "-i", str(interval),
                                  address)

    def replies(self):
        """(number, wall clock, milliseconds) of each."""
        found = []
        for line in self.process.text().splitlines():
            match = REPLY.match(line)
            if match:
                found.append((int(match.group(2)), float(match.group(1)), float(match.group(3))))
        return found

    def wait_reply(self, timeout):
        """Seconds until the first answer came."""
        def answered():
            return self.replies()
        first = wait_for("an answer", answered, timeout, 0.02)[0]
        return first[1] - self.wall_begin

    @property
    def wall_begin(self):
        return time.time() - time.monotonic() + self.begin

    def stop(self):
        """(sent, lost), counted from the first answered one to those sent a second ago."""
        time.sleep(1.0)
        self.process.stop(signal.SIGINT)
        text = self.process.text()
        sent = int(re.search(r"(\d+) packets transmitted", text).group(1))
        numbers = [number for number, _wall, _rtt in self.replies()]
        if not numbers:
            return sent, sent
        last = max(max(numbers), sent - int(1.0 / self.interval))
        wanted = set(range(min(numbers), last + 1))
        return len(wanted), len(wanted - set(numbers))

    def lost_numbers(self):
        numbers = {number for number, _wall, _rtt in self.replies()}
        return sorted(set(range(min(numbers), max(numbers) + 1)) - numbers) if numbers else []


def expected(kind_a, kind_b, ipv6, mapping):
    """Direct wherever two real tailscaled get there."""
    if ipv6:
        return "direct"
    if "blocked" in (kind_a, kind_b):
        return "relay"
    if mapping:
        return "direct"
    return "relay" if "hard" in (kind_a, kind_b) and "none" not in (kind_a, kind_b) else "direct"


def measure(lab, a, b, args):
    """What the two nodes do from a's first packet on."""
    switches = sorted((float(at), site, kind)
                      for at, site, kind in (text.split(":") for text in args.switch))
    wanted = args.expect or expected(args.a, args.b, args.ipv6, args.mapping)
    time.sleep(SETTLE)
    watches = [a.watch(b.name), b.watch(a.name)]
    begin = time.monotonic()
    pings = Pings(a.host, b.addresses[0])
    first = pings.wait_reply(20)
    answered = time.monotonic()
    # after a change there is time to find the next path
    end = answered + max([args.seconds, *(at + SWITCHED for at, _site, _kind in switches)])
    if wanted == "direct":
        try:
            wait_for("direct", lambda: all(w.first("direct") for w in watches), PATIENCE, POLL)
        except AssertionError:
            pass  # the result says so
    for at, site, kind in switches:
        time.sleep(max(0, answered + at - time.monotonic()))
        lab.set_nat(site, kind)
    time.sleep(max(0, end - time.monotonic()))
    paths = a.path(b.name), b.path(a.name)
    sent, lost = pings.stop()
    for watch in watches:
        watch.stop()
    moments = [watch.first("direct", begin) for watch in watches]
    return {
        "clients": args.clients, "a": args.a, "b": args.b, "ipv6": args.ipv6, "expected": wanted,
        "path_a": paths[0], "path_b": paths[1],
        "direct_a": round(moments[0] - begin, 2) if moments[0] else None,
        "direct_b": round(moments[1] - begin, 2) if moments[1] else None,
        "first_reply": round(first, 2), "sent": sent, "lost": lost,
        "lost_numbers": pings.lost_numbers()[:20],
        "kinds_a": watches[0].kinds(begin), "kinds_b": watches[1].kinds(begin),
        "round_trip": round(sorted(r[2] for r in pings.replies())[len(pings.replies()) // 2], 2),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("clients", choices=("hn-ts", "ts-hn", "hn-hn", "ts-ts"))
    parser.add_argument("a", choices=natlab.KINDS)
    parser.add_argument("b", choices=natlab.KINDS)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--server", default="0.29.2")
    parser.add_argument("--ipv6", action="store_true")
    parser.add_argument("--mapping", choices=("all", "pmp", "upnp"), default="",
                        help="the routers open ports on demand")
    parser.add_argument("--expect", choices=("direct", "relay"))
    parser.add_argument("--switch", action="append", default=[], metavar="SECOND:SITE:KIND")
    args = parser.parse_args()
    with natlab.NatLab(args.a, args.b, args.ipv6, args.mapping) as lab:
        try:
            server = servers.Headscale(lab, args.server)
            a, b = nodes.pair(lab, server, args.clients)
            result = measure(lab, a, b, args)
            for node in (a, b):
                node.close()
        except BaseException:
            lab.print_logs()
            raise
    print(json.dumps(result))


if __name__ == "__main__":
    sys.exit(main())
