#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGKILL and SIGTERM at random moments: HEADNET_KILLS=50 for more rounds, HEADNET_SEED to repeat."""

import os
import random
import signal
import statistics
import time

import fault
from fault import SANITIZED

KILLS = int(os.environ.get("HEADNET_KILLS", "15"))
SEED = int(os.environ.get("HEADNET_SEED", "0")) or random.randrange(1, 1 << 31)
# How long after the beginning of each it may happen, in seconds: a start of the daemon, traffic,
# a start of "headnetctl down".
MOMENTS = {"connect": 0.4 if SANITIZED else 0.2, "running": 0.3,
           "disconnect": 0.2 if SANITIZED else 0.04}
# from the restart to the first answered ping
LIMIT = 15 if SANITIZED else 2


class Kill(fault.FaultCase):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.note(f"HEADNET_SEED={SEED}")

    def bring_to(self, moment):
        """Leaves the daemon somewhere in @moment, or just before or after it."""
        machine = self.client
        delay = self.random.uniform(0, MOMENTS[moment])
        helper = None
        if moment == "connect":
            if machine.process:
                machine.stop()
            self.launch()
        else:
            helper = machine.host.start("background", "ping", "-n", "-i", "0.01",
                                        self.peer.addresses[0])
            if moment == "disconnect":
                time.sleep(0.1)
                machine.ctl_lines("down", "down")
        time.sleep(delay)
        return delay, helper

    def is_down_marked(self):
        return any(name.endswith(".down") for name in os.listdir(self.client.runtime))

    def catches_sigterm(self):
        with open(f"/proc/{self.client.process.pid}/status", encoding="ascii") as file:
            mask = next(line for line in file if line.startswith("SigCgt:")).split()[1]
        return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)

    def finish(self, helper):
        if helper:
            helper.stop()
        for lines in self.client.lines:
            lines.stop()
        self.client.lines.clear()

    def come_back(self):
        """After a start: traffic flows by itself, unless the wish to be down was written."""
        machine = self.client
        if self.is_down_marked():
            self.wait_owned()
            self.assertEqual(machine.property("State"), "stopped")
            self.assert_kernel(self.before, "nothing is left after a kill in Disconnect")
            machine.ctl("up")
            self.first_ping()
            return None
        return True

    def check_running(self):
        self.wait_owned()
        self.client.wait_state("running")
        self.assertEqual(self.client.property("StateReason"), "")
        self.assert_kernel(self.running, "as before, and nothing besides")

    def test_sigkill(self):
        """kill -9 whenever: the next start cleans up, and traffic flows again by itself."""
        self.connect()
        times = []
        for number in range(KILLS):
            moment = list(MOMENTS)[number % len(MOMENTS)]
            delay, helper = self.bring_to(moment)
            self.client.kill()
            self.finish(helper)
            begin = self.launch()
            took = self.first_ping(begin, LIMIT) if self.come_back() else None
            self.check_running()
            self.note(f"kill -9 {delay * 1000:.0f} ms into {moment}: " +
                      (f"first ping {took:.2f} s after the restart" if took else
                       "stays down, nothing left"))
            if took:
                times.append(took)
        text = f"median {statistics.median(times):.2f} s, worst {max(times):.2f} s"
        self.note(f"restart to first ping: {text}")
        self.client.check_log()
        self.client.ctl("down")
        self.assert_nothing_left()
        fault.row(f"kill -9, {KILLS} times, anywhere in connect, traffic and disconnect; restart",
                  f"running again by itself, or stopped as was wished ({KILLS - len(times)} times)",
                  text, "nothing")

    def test_sigterm(self):
        """SIGTERM whenever: exit status 0, soon, and nothing is left."""
        self.connect()
        times = []
        for number in range(KILLS * 3 // 5):
            moment = list(MOMENTS)[number % len(MOMENTS)]
            delay, helper = self.bring_to(moment)
            begin = time.monotonic()
            caught = self.catches_sigterm()
            status = self.client.process.stop(timeout=10)
            times.append(time.monotonic() - begin)
            self.client.process = None
            self.finish(helper)
            # until the program begins the kernel's own answer to the signal holds
            self.assertIn(status, (0,) if caught else (0, -15),
                          f"{delay * 1000:.0f} ms into {moment}: {self.client.log()[-1500:]}")
            self.assertLess(times[-1], 5)
            self.assert_nothing_left()
            begin = self.launch()
            if self.come_back():
                self.first_ping(begin, LIMIT)
            self.check_running()
        text = f"median {statistics.median(times):.2f} s, worst {max(times):.2f} s"
        self.note(f"SIGTERM to the end: {text}")
        fault.row(f"SIGTERM, {len(times)} times, anywhere in connect, traffic and disconnect",
                  "exit status 0", f"to the end: {text}", "nothing")

    def folders(self):
        state = self.client.state
        return [n for n in os.listdir(state) if os.path.isdir(os.path.join(state, n))]

    def test_sigkill_enrolment(self):
        """kill -9 while it enrols: no half profile is in the way of the next try."""
        for _ in range(4):
            machine = self.client
            delay = self.random.uniform(0, 0.5 if SANITIZED else 0.12)
            up = machine.host.start("up", "/bin/sh", "-c", "printf '%s\\n' \"$KEY\" | "
                                    "exec \"$@\"", "sh", fault.client.HEADNETCTL, "up", "--server",
                                    self.server.url, *self.ca_args(), "--auth-key-file", "-",
                                    env=dict(machine.env, KEY=self.server.key()))
            time.sleep(delay)
            machine.kill()
            up.stop()
            self.launch()
            self.wait_owned()
            found = machine.tailnets()
            state = machine.property("State") if found else "no profile"
            self.up()
            self.wait_peers_online()
            took = self.first_ping()
            self.note(f"kill -9 {delay * 1000:.0f} ms into enrolment: {state} after the restart, "
                      f"then up again, first ping after {took:.2f} s")
            self.assertEqual(len(machine.tailnets()), 1)
            self.assertEqual(self.folders(), [machine.property("Id")])
            machine.ctl("tailnet", "remove", machine.property("Name"))
            self.assert_nothing_left()
            self.assertEqual(self.folders(), [])
            fault.row("kill -9 during the first enrolment; restart; headnetctl up again",
                      f"{state} after the restart", took, "nothing, or a node at the server")
            # killed between the server's yes and the file: the server keeps a node without owner
            for node in self.server.nodes():
                if not node["given_name"].startswith("ts-"):
                    self.server.delete(node["given_name"])


if __name__ == "__main__":
    fault.main()
