# SPDX-License-Identifier: GPL-2.0-or-later
"""What the fault tests share. They are interop tests whose world breaks: the laboratory, the real
server and the real peer are those of tests/interop, and so is the way to run a file by hand:

    HEADNET_BUILD=build tests/faults/test_kill.py 0.23.0 [CASE...]

Each case notes what a person saw meanwhile (StateReason, Health) and how long it took to recover.
"""

import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "interop"))
sys.path.insert(1, HERE)

import case  # noqa: E402
import client  # noqa: E402
from lab import LabError, wait_for  # noqa: E402
from table import row  # noqa: E402

# What is timed is only judged strictly in a release build.
SANITIZED = os.environ.get("HEADNET_SANITIZED", "") not in ("", "none")


class FaultCase(case.TestCase):
    """One peer, and what every fault needs: a connected machine and ways to look at it."""

    PEERS = ("b",)

    @property
    def peer(self):
        return self.peers["b"]

    def own_node(self):
        """The server's view of us, where it may also list nodes that a killed enrolment made."""
        own = sorted(self.client.property("Addresses"))
        return next(n for n in self.server.nodes() if sorted(n["ip_addresses"]) == own)

    def connect(self):
        """Enrols, connects, has traffic, and remembers what the kernel looks like then."""
        self.up()
        self.wait_peers_online()
        self.first_ping(timeout=20)
        self.running = self.client.host.network_state()

    def ping(self, wait=1):
        """One echo request: whether it was answered."""
        return self.client.host.run("ping", "-n", "-c", "1", "-W", str(wait),
                                    self.peer.addresses[0], check=False).returncode == 0

    def first_ping(self, begin=None, timeout=30):
        """Seconds from @begin until the peer answers."""
        begin = begin or time.monotonic()
        wait_for("the peer answers", self.ping, timeout, 0.02)
        return time.monotonic() - begin

    def launch(self, *before):
        """Starts the daemon and does not wait for it; the moment it was started."""
        machine = self.client
        begin = time.monotonic()
        machine.process = machine.host.start(machine.log_name, *before, client.HEADNETD,
                                             "--verbose",
                                             env=dict(machine.env, **machine.environment))
        return begin

    def wait_owned(self):
        wait_for("headnetd has its name", self.client.bus.has_owner, 15, 0.02)

    def assert_kernel(self, wanted, what):
        """Links, addresses, routes and rules are exactly those of an earlier moment."""
        def same():
            now = self.client.host.network_state()
            self.assertEqual([line for line in now if line not in wanted], [], f"{what}: too much")
            self.assertEqual([line for line in wanted if line not in now], [], f"{what}: lacking")
            return True

        wait_for(what, same, timeout=5)

    def seen(self):
        """What a person sees: State, StateReason, and the texts of Health."""
        try:
            items = self.client.property("Health")
            state = self.client.property("State")
            reason = self.client.property("StateReason")
        except (LabError, ValueError):
            return "no answer"
        texts = "; ".join(f"{item['Title']}: {item['Text']}" for item in items)
        return f"{state} ({reason or '-'})" + (f" [{texts}]" if texts else "")

    def log_since(self, mark):
        return self.client.log()[mark:]

    def log_mark(self):
        return len(self.client.log())


__all__ = ["FaultCase", "SANITIZED", "client", "main", "row", "wait_for"]


def main():
    case.main()
