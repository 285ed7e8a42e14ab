#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Up, traffic, down, many times: nothing grows. HEADNET_CYCLES=200 for more."""

import os
import re
import statistics
import time

import fault
from fault import SANITIZED

CYCLES = int(os.environ.get("HEADNET_CYCLES", "30"))
# Caches and a pool of threads fill first: what they have takes up to 0.5 MB, and then little comes
# in a thousand cycles.
WARM_UP = 20
# It levels off: of 0.9 MB in 600 cycles 0.6 came in the first 40 and 0.02 in the last 100.
GROWTH = 512  # kB, between the last warm-up and the end
LATE_GROWTH = 256  # kB, in the second half of that


class Cycles(fault.FaultCase):
    def usage(self):
        """What the daemon has now: kB of memory, descriptors, threads."""
        pid = self.client.process.pid
        memory = {}
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                name, _colon, rest = line.partition(":")
                if rest.endswith("kB\n"):
                    memory[name] = int(rest.split()[0])
        return (memory["Anonymous"], memory["Rss"], len(os.listdir(f"/proc/{pid}/fd")),
                len(os.listdir(f"/proc/{pid}/task")))

    def settled(self):
        """Usage a moment later, when what was just closed is gone."""
        time.sleep(0.2)
        return self.usage()

    def test_cycles(self):
        self.connect()
        first = warm = half = None
        ups, downs, answers = [], [], 0
        for number in range(WARM_UP + CYCLES):
            begin = time.monotonic()
            self.client.ctl("down")
            downs.append(time.monotonic() - begin)
            self.assert_nothing_left()
            if number in (0, WARM_UP - 1):
                first, warm = first or self.settled(), self.settled()
            elif number == WARM_UP + CYCLES // 2:
                half = self.settled()
            begin = time.monotonic()
            self.client.ctl("up")
            ups.append(self.first_ping(begin))
            self.assert_kernel(self.running, "as before")
            output = self.client.host.run("ping", "-n", "-q", "-c", "50", "-i", "0.002", "-s",
                                          "1000", self.peer.addresses[0]).stdout
            answers += int(re.search(r"(\d+) received", output).group(1))
        self.client.ctl("down")
        self.assert_nothing_left()
        last = self.settled()
        for what, usage in (("first down", first), (f"down {WARM_UP}", warm),
                            (f"down {WARM_UP + CYCLES // 2}", half),
                            (f"down {WARM_UP + CYCLES}", last)):
            self.note(f"{what}: {usage[0]} kB anonymous, {usage[1]} kB RSS, "
                      f"{usage[2]} descriptors, {usage[3]} threads")
        quick = f"median {statistics.median(ups):.2f} s, worst {max(ups):.2f} s"
        self.note(f"up to first ping: {quick}; "
                  f"down: median {statistics.median(downs):.2f} s, worst {max(downs):.2f} s")
        sent = 50 * (WARM_UP + CYCLES)
        self.note(f"{answers} of {sent} pings answered")
        fault.row(f"up, traffic, down: {CYCLES} times after {WARM_UP}",
                  f"{answers} of {sent} pings answered",
                  f"up to first ping: {quick}",
                  f"nothing: {last[0] - warm[0]:+} kB, {last[2] - warm[2]:+} descriptors")
        # a relay may lose one now and then, and both ends make sessions just then
        self.assertGreater(answers, 0.99 * sent)
        self.assertLessEqual(last[2], warm[2], "descriptors")
        self.assertLessEqual(last[3], warm[3] + 2, "threads")
        # with a sanitizer freed memory is kept aside, and every allocation has its record
        if not SANITIZED:
            self.assertLess(last[0] - warm[0], GROWTH, "anonymous memory")
            self.assertLess(last[1] - warm[1], GROWTH, "resident memory")
            self.assertLess(last[0] - half[0], LATE_GROWTH, "anonymous memory, second half")


if __name__ == "__main__":
    fault.main()
