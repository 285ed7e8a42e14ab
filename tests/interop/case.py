# SPDX-License-Identifier: GPL-2.0-or-later
"""What the test files share: a test case with server and peers, and a runner that prints TAP.

Each file is a program: test_NAME.py VERSION [CASE...]. "1..0 # SKIP" when this machine can
not run it.
"""

import os
import shutil
import sys
import time
import traceback
import unittest

import client
import servers
from lab import Lab, wait_for

DEFAULT_VERSION = "0.29.2"


class TestCase(unittest.TestCase):
    """A lab with one Headscale and some real peers for all cases of the class, and a fresh client
    for each case."""

    VERSION = DEFAULT_VERSION
    PEERS = ("b", "d")
    TLS = True
    ACTIVATED = ()  # names of the cases that start without a running daemon

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        try:
            cls.server = servers.Headscale(cls.lab, cls.VERSION, tls=cls.TLS)
            cls.peers = {name: servers.Tailscaled(cls.lab, name, cls.server) for name in cls.PEERS}
        except BaseException:
            cls.lab.print_logs()
            cls.lab.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.lab.close()

    def setUp(self):
        name = self.id().rsplit(".", maxsplit=1)[-1]
        self.lab.host("a")
        self.before = self.lab.host("a").network_state()
        self.client = client.Client(self.lab, activated=name in self.ACTIVATED)

    def tearDown(self):
        self.client.close()
        # the next case begins as a machine that nobody has seen
        for node in self.server.nodes():
            if not node["given_name"].startswith("ts-"):
                self.server.delete(node["given_name"])
        for folder in (self.client.state, self.client.runtime, self.client.bus.dir):
            shutil.rmtree(folder, ignore_errors=True)

    def ca_args(self):
        return ["--ca", self.server.ca] if self.server.ca else []

    def up(self, *args, timeout=60):
        """The first command of a newcomer, with a fresh key."""
        return self.client.ctl("up", "--server", self.server.url, *self.ca_args(),
                               "--auth-key-file", "-", *args, stdin=self.server.key() + "\n",
                               timeout=timeout)

    def own_node(self):
        """The server's view of the client under test."""
        (node,) = [n for n in self.server.nodes() if not n["given_name"].startswith("ts-")]
        return node

    def wait_peers_online(self):
        """Until we see the peers, and they us: a handshake with who does not know us is lost, and
        sent again only five seconds later."""
        own = self.own_node()["given_name"]
        for peer in self.peers.values():
            self.client.wait_peer(peer.hostname, Online=True)
            wait_for("the peer sees us", lambda p=peer: (p.sees(own) or {}).get("Online"))

    def assert_nothing_left(self):
        """No interface, address, route or rule more than before the client came."""
        client_host = self.client.host

        def same():
            now = client_host.network_state()
            self.assertEqual([line for line in now if line not in self.before], [])
            self.assertEqual([line for line in self.before if line not in now], [])
            return True

        wait_for("nothing is left", same, timeout=2)

    def note(self, text):
        """A line for whoever reads the log."""
        print(f"# {self.id().rsplit('.', maxsplit=1)[-1]}: {text}", flush=True)


class TapResult(unittest.TestResult):
    """Prints a line a case as it ends, and the logs of the lab after a failure."""

    def __init__(self):
        super().__init__()
        self.number = 0
        self.started = 0.0
        self.problem = None

    def startTest(self, test):
        super().startTest(test)
        self.problem, self.started = None, time.monotonic()

    def _describe(self, test, error):
        for line in "".join(traceback.format_exception(*error)).splitlines():
            print(f"# {line}")
        lab = getattr(test, "lab", None)
        if lab and os.path.isdir(lab.dir):
            lab.print_logs(out=sys.stdout)

    def addError(self, test, err):
        super().addError(test, err)
        self.problem = "not ok"
        self._describe(test, err)
        if not isinstance(test, unittest.TestCase):  # setUpClass
            self._line("not ok", str(test), "")

    addFailure = addError

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.problem = f"# SKIP {reason}"

    def _line(self, verdict, name, tail):
        self.number += 1
        print(f"{verdict} {self.number} - {name}{tail}", flush=True)

    def stopTest(self, test):
        super().stopTest(test)
        name = f"{test.id().rsplit('.', maxsplit=1)[-1]} ({TestCase.VERSION})"
        seconds = time.monotonic() - self.started
        if self.problem is None:
            self._line("ok", name, "")
        elif self.problem == "not ok":
            self._line("not ok", name, "")
        else:
            self._line("ok", name, f" {self.problem}")
        print(f"# {seconds:.1f} s", flush=True)


def lacking():
    """What this machine lacks for the suite, or ''."""
    if os.geteuid() != 0:
        return "root is needed"
    if not os.path.exists("/dev/net/tun"):
        return "/dev/net/tun is needed"
    for program in (f"{servers.PEERS}/headscale-{TestCase.VERSION}/headscale",
                    f"{servers.PEERS}/tailscale-{servers.TAILSCALE}/tailscaled"):
        if not os.path.exists(program):
            return f"{program} is needed (tests/interop/peers/build)"
    for program in (client.HEADNETD, client.HEADNETCTL):
        if not os.path.exists(program):
            return f"{program} is needed (HEADNET_BUILD names the build folder)"
    return ""


def main():
    args = [a for a in sys.argv[1:] if not a[:1].isdigit()]
    versions = [a for a in sys.argv[1:] if a[:1].isdigit()]
    TestCase.VERSION = versions[0] if versions else DEFAULT_VERSION
    lack = lacking()
    if lack:
        print(f"1..0 # SKIP {lack}")
        sys.exit(0)
    suite = unittest.TestSuite()
    for name in args or [None]:
        module = sys.modules["__main__"]
        loader = unittest.TestLoader()
        if name:
            loader.testNamePatterns = [f"*{name}*"]
        suite.addTests(loader.loadTestsFromModule(module))
    result = TapResult()
    suite.run(result)
    print(f"1..{result.number}")
    sys.exit(0 if result.wasSuccessful() and result.number else 1)
