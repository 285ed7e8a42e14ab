#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The access policy: what a real tailscaled with the same tags lets in, Headnet lets in, and nothing
else. A third node asks both the same questions, and both ask it."""

import concurrent.futures
import json
import os
import signal
import sys
import time

import case
import servers
from lab import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
PORTS = (80, 443, 5000, 8080)
CLOSED = 9  # nobody listens there
SETTLE = 20  # seconds from the server's reload until a node does as it is told
FAMILIES = ("v4", "v6")


def every(*probes, families=FAMILIES):
    return {f"{probe} {family}" for probe in probes for family in families}


ALL_TCP = every(*(f"tcp {port}" for port in (*PORTS, CLOSED)))
ALL_UDP = every(*(f"udp {port}" for port in (*PORTS, CLOSED)), f"udp {PORTS[0]} large")
PING = every("icmp echo")
CLOCK = {"icmp timestamp v4"}
EVERYTHING = ALL_TCP | ALL_UDP | PING | CLOCK


def rule(src, *dst, proto=None):
    return {"action": "accept", "src": list(src), "dst": list(dst),
            **({"proto": proto} if proto else {})}


class Policy(case.TestCase):
    PEERS = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.set_policy(cls.policy(rule(["*"], "*:*")))
        cls.server.process.popen.send_signal(signal.SIGHUP)
        time.sleep(1)
        cls.peers = {}
        for name, tag in (("b", "tag:server"), ("d", "tag:prober")):
            peer = servers.Tailscaled(cls.lab, name, cls.server, up=False)
            peer.cli("up", f"--login-server={cls.server.url}", f"--hostname={peer.hostname}",
                     f"--auth-key={cls.server.key('--tags', tag)}", "--timeout=40s", timeout=50)
            cls.peers[name] = peer
        for name in "abd":
            cls.lab.host(name).start(f"listen.{name}", sys.executable, "-B", f"{HERE}/probe.py",
                                     "listen", *map(str, PORTS))
        cls.pool = concurrent.futures.ThreadPoolExecutor(4)

    @staticmethod
    def policy(*rules, **more):
        return {"tagOwners": {"tag:server": ["group:admins"], "tag:prober": ["group:admins"]},
                "groups": {"group:admins": ["lab@"]}, "acls": list(rules), **more}

    def up(self, *args, timeout=60):
        return self.client.ctl("up", "--server", self.server.url, *self.ca_args(),
                               "--auth-key-file", "-", *args, timeout=timeout,
                               stdin=self.server.key("--tags", "tag:server") + "\n")

    def setUp(self):
        super().setUp()
        self.server.set_policy(self.policy(rule(["*"], "*:*")))
        self.reload()
        self.up("--hostname", "own")
        self.wait_peers_online()
        self.nodes = {"a": sorted(self.client.property("Addresses"), key=lambda a: ":" in a),
                      "b": self.peers["b"].addresses, "d": self.peers["d"].addresses}

    def reload(self):
        self.server.process.popen.send_signal(signal.SIGHUP)

    def ask(self, source, target):
        """What gets through from one to the other: a set of probes."""
        ports = ",".join(map(str, (*PORTS, CLOSED)))
        answers = json.loads(self.lab.host(source).run(
            sys.executable, "-B", f"{HERE}/probe.py", "ask", ports, *self.nodes[target],
            timeout=60).stdout)
        self.assertEqual(set(answers), EVERYTHING)
        return {name for name, answer in answers.items() if answer != "silence"}

    def compare(self, what, policy, wanted):
        """Sets a policy and asks until the reference is as it should be; then Headnet must be the
        same, in both directions."""
        self.server.set_policy(policy)
        begin = time.monotonic()
        self.reload()

        def reference():
            found = self.ask("d", "b")
            self.assertEqual(sorted(found ^ wanted), [], "the reference differs")
            return True

        wait_for(f"{what}: the reference does it", reference, SETTLE)
        known = time.monotonic() - begin
        found = {}

        def same():
            jobs = {pair: self.pool.submit(self.ask, *pair)
                    for pair in (("d", "a"), ("d", "b"), ("a", "d"), ("b", "d"))}
            found.update({pair: job.result() for pair, job in jobs.items()})
            self.assertEqual(found["d", "b"], wanted, "the reference differs")
            self.assertEqual({"let in": sorted(found["d", "a"] - wanted),
                              "kept out": sorted(wanted - found["d", "a"])},
                             {"let in": [], "kept out": []}, "at our side")
            self.assertEqual({"got": sorted(found["a", "d"] - found["b", "d"]),
                              "missed": sorted(found["b", "d"] - found["a", "d"])},
                             {"got": [], "missed": []}, "from our side")
            return True

        wait_for(f"{what}: as the reference", same, SETTLE)
        self.note(f"{what}: {len(wanted)} of {len(EVERYTHING)} probes get in and "
                  f"{len(found['a', 'd'])} out on both, settled after {known:.1f} and "
                  f"{time.monotonic() - begin:.1f} s")

    def test_same_as_reference(self):
        """One policy after the other, on running nodes."""
        prober6 = self.nodes["d"][1]
        old = self.server.minor < 26  # takes all addresses of a node for one of them
        v4, v6 = (FAMILIES, FAMILIES) if old else (("v4",), ("v6",))
        grant = {"src": ["*"], "dst": ["tag:server"]}
        # a rule for two addresses lets an echo pass, whatever else it says; the answer to a question
        # for the time has to be let in on its own
        cases = [
            ("all", self.policy(rule(["*"], "*:*")), EVERYTHING),
            ("one port", self.policy(rule(["*"], "*:80")),
             every("tcp 80", "udp 80", "udp 80 large") | PING | CLOCK),
            ("deny all", self.policy(), set()),
            ("a tag", self.policy(rule(["tag:prober"], "tag:server:443")),
             every("tcp 443", "udp 443") | PING),
            ("another tag", self.policy(rule(["tag:server"], "tag:server:*")), set()),
            ("IPv4", self.policy(rule(["*"], "100.64.0.0/10:80,8080")),
             every("tcp 80", "udp 80", "udp 80 large", "tcp 8080", "udp 8080", families=v4) |
             every("icmp echo", families=v4) | CLOCK),
            ("IPv6", self.policy(rule(["*"], "fd7a:115c:a1e0::/48:443")),
             every("tcp 443", "udp 443", "icmp echo", families=v6) | (CLOCK if old else set())),
            ("from an IPv6 address", self.policy(rule([f"{prober6}/128"], "*:5000")),
             every("tcp 5000", "udp 5000", "icmp echo", families=v6)),
            ("a subnet, a range", self.policy(rule(["*"], "10.9.0.0/16:*"),
                                              rule(["*"], "tag:server:8000-8100")),
             every("tcp 8080", "udp 8080") | PING),
            ("ICMP", self.policy(rule(["*"], "*:*", proto="icmp")), PING | CLOCK),
            ("TCP", self.policy(rule(["*"], "*:*", proto="tcp")), ALL_TCP | PING | CLOCK),
            ("UDP", self.policy(rule(["*"], "*:*", proto="udp")), ALL_UDP | PING | CLOCK),
        ]
        if not old:
            cases += [
                ("a grant", self.policy(grants=[{**grant, "ip": ["tcp:443", "udp:5000"]}]),
                 every("tcp 443", "udp 5000") | PING),
                ("a capability", self.policy(
                    grants=[{**grant, "app": {"example.com/cap/lab": [{"role": "admin"}]}}]),
                 set()),
            ]
        differences = []
        for what, policy, wanted in [*cases, cases[0]]:
            try:
                self.compare(what, policy, wanted)
            except AssertionError as error:
                differences.append(str(error))
                self.note(differences[-1])
        self.assertEqual(differences, [])


if __name__ == "__main__":
    case.main()
