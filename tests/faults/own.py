# SPDX-License-Identifier: GPL-2.0-or-later
"""What the fault tests share that need no real server: the test server of tests/server lies or
goes, two real daemons are its nodes, and what a person would see is watched on the bus.

    HEADNET_BUILD=build tests/faults/test_reach.py [CASE...]
"""

import ast
import json
import os
import re
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "server"))

from tap import main  # noqa: E402
from world import Client, Lab, LabError, TestServer, up, wait_for  # noqa: E402
from client import TAILNET  # noqa: E402
from table import row  # noqa: E402

SANITIZED = os.environ.get("HEADNET_SANITIZED", "") not in ("", "none")
STRING = r"('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"


class Watch:
    """All that a person could have seen on the bus, from the signals of the daemon."""

    def __init__(self, client):
        self.client = client
        self.lines = client.gdbus_monitor()
        self.mark = 0
        self.begin()

    def begin(self):
        """What comes from now on counts."""
        self.mark = self.lines.mark()

    def last_reason(self):
        """The moment of the last change of StateReason, or 0."""
        return max((moment for moment, line in self.lines.lines[self.mark:]
                    if "'StateReason': <" in line), default=0)

    def seen(self):
        """States with reasons and the texts of Health, each once, in the order they came."""
        found = []
        for _moment, line in self.lines.lines[self.mark:]:
            if "PropertiesChanged" not in line:
                continue
            reason, state = (re.search(f"'{name}': <{STRING}>", line)
                             for name in ("StateReason", "State"))
            words = [ast.literal_eval(m.group(1)) for m in (state, reason) if m]
            texts = [f"{ast.literal_eval(title)}: {ast.literal_eval(text)}" for title, text in
                     re.findall(f"'Title': <{STRING}>, 'Text': <{STRING}>", line)]
            found += [word for word in words + texts if word]
        return list(dict.fromkeys(found))


class OwnCase(unittest.TestCase):
    """A server, the node under test "one" and its neighbour "two", for all cases of the class.

    A case that fails may leave its fault behind: each begins with none, and with fresh
    connections, because a client waits longer with each fault in a row.
    """

    URL = "https://hs.test"
    SCENARIO = {"keep_alive": 2}

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        try:
            cls.server = TestServer(cls.lab, cls.URL, cls.SCENARIO)
            cls.own, cls.other = Client(cls.lab, "a"), Client(cls.lab, "b")
            cls.host = cls.own.host
            cls.before = cls.host.network_state()
            up(cls.own, cls.server, "--hostname", "one")
            up(cls.other, cls.server, "--hostname", "two")
            cls.own.wait_peer("two", Online=True)
            (cls.path,) = cls.own.tailnets()
            cls.watch = Watch(cls.own)
            cls.traffic()
            cls.running, cls.used = cls.host.network_state(), None
        except BaseException:
            cls.lab.print_logs(out=sys.stdout)
            cls.lab.close()
            raise

    @classmethod
    def tearDownClass(cls):
        try:
            cls.own.ctl("down")
            wait_for("nothing is left of the tailnet",
                     lambda: cls.host.network_state() == cls.before, timeout=5)
            cls.own.close()
            cls.other.close()
        finally:
            cls.lab.close()

    def setUp(self):
        if not self.server.process.alive:
            self.server.start()
        self.server.ask("clear")
        for client in (self.other, self.own):
            client.ctl("down")
            client.ctl("up")
        wait_for("the node is up before the fault", self.is_well, timeout=30)
        self.traffic()
        if self.used is None:
            type(self).used = self.usage()
        self.watch.begin()
        self.log_mark = len(self.own.log())

    # what is well

    @classmethod
    def is_well(cls):
        stats = cls.server.ask("stats")
        return (stats["streams"] >= 2 and stats["relay_clients"] >= 2 and
                cls.own.property("State") == "running" and
                not cls.own.property("StateReason"))

    @classmethod
    def ping(cls, wait=1):
        """One echo request to the neighbour: whether it was answered."""
        (address, _v6) = cls.other.property("Addresses")
        return cls.host.run("ping", "-n", "-c", "1", "-W", str(wait), address,
                            check=False).returncode == 0

    @classmethod
    def traffic(cls, begin=None, timeout=40):
        """Seconds from @begin until the neighbour answers."""
        begin = begin or time.monotonic()
        address = cls.other.property("Addresses")[0]
        wait_for("the neighbour answers", lambda: cls.host.run(
            "ping", "-n", "-c", "1", "-W", "1", address, check=False).returncode == 0, timeout,
                 0.02)
        return time.monotonic() - begin

    # what a person sees

    def reason(self, *wanted, timeout=15):
        """Waits for one of these as StateReason."""
        wait_for(f"StateReason {' or '.join(wanted) or 'empty'}",
                 lambda: self.own.property("StateReason") in (wanted or ("",)) or
                 self.own.fail_with(self.own.property("State"),
                                    self.own.property("StateReason")), timeout)

    def texts(self):
        return [item["Text"] for item in self.own.property("Health")]

    # what is left

    def usage(self):
        """Descriptors and threads of the daemon."""
        pid = self.own.process.pid
        return len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))

    def assert_nothing_left(self):
        """The kernel is configured as before the fault, no descriptor or thread is more, and the
        state directory has the files of one profile. What a row says of it."""
        def same():
            self.assertEqual(self.host.network_state(), self.running)
            descriptors, threads = self.usage()
            self.assertLessEqual(descriptors, self.used[0], "descriptors")
            # GLib's pool of threads keeps idle ones for a while
            self.assertLessEqual(threads, self.used[1] + 2, "threads")
            return True

        wait_for("nothing is left behind", same, timeout=5)
        files = sorted(os.listdir(os.path.join(self.own.state, os.path.basename(self.path))))
        self.assertEqual(files, ["disco.key", "machine.key", "node.key", "server.pub", "settings"])
        return "nothing"

    def tell(self, what, seconds, *more):
        """The end of a case: nothing is left; a line for the log and a row for the table."""
        left = self.assert_nothing_left()
        self.own.check_log()
        lines = sum("DEBUG" not in line for line in self.own.log()[self.log_mark:].splitlines())
        # it tells of a change, not of each try
        self.assertLess(lines, 30, self.own.log()[self.log_mark:])
        seen = "; ".join([*more, *self.watch.seen()]) or "nothing: running all the time"
        print(f"# {what}: well after {seconds:.2f} s; seen: {seen}; {lines} log lines", flush=True)
        row(what, seen, seconds, left)


def title_of(point, fault):
    """What the table says was done."""
    if "name" in fault:
        return f"{point}: {fault['name']}"
    more = ", ".join(f"{key} {json.dumps(value)[:60]}" for key, value in fault.items()
                     if key != "do")
    return f"{point}: {fault['do']}" + (f" ({more})" if more else "")


__all__ = ["Client", "Lab", "LabError", "OwnCase", "SANITIZED", "TAILNET", "TestServer", "Watch",
           "main", "row", "title_of", "up", "wait_for"]
