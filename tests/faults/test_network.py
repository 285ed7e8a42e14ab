#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The network goes and comes back; others take our device, addresses, routes and rules away; the
bus ends."""

import os
import time

import fault
from lab import run, wait_for

OUTAGE = float(os.environ.get("HEADNET_OUTAGE", "20"))
# From the moment the network is back to the first answered ping.
LIMIT = 8
# What an outage may write to the log, whatever its length: it tells of a change, not of each try.
LINES = 25


class Network(fault.FaultCase):
    def ip(self, *args, check=True):
        return run("ip", "-n", self.client.host.ns, *args, check=check)

    def reason(self, *wanted, timeout=15):
        wait_for(f"StateReason {' or '.join(wanted)}",
                 lambda: self.client.property("StateReason") in wanted or
                 self.client.fail_with(self.client.property("State"),
                                       self.client.property("StateReason")), timeout)

    def outage(self, what, cut, restore, wanted, seconds):
        """One outage from its beginning to the first ping after it, and what was seen."""
        mark = self.log_mark()
        begin = time.monotonic()
        cut()
        self.reason(*wanted, timeout=max(20, seconds))
        noticed = time.monotonic() - begin
        seen = self.seen()
        self.assertTrue(seen.startswith("running"), seen)
        time.sleep(max(0, seconds - noticed))
        lines = self.log_since(mark).splitlines()
        begin = time.monotonic()
        restore()
        took = self.first_ping(begin, LIMIT)
        self.reason("")
        self.client.wait_state("running")
        wait_for("no health item is left",
                 lambda: not [item for item in self.client.property("Health")
                              if item["Id"] in ("no-network", "control-unreachable", "no-path")])
        settled = time.monotonic() - begin
        self.assert_kernel(self.running, "as before the outage")
        self.note(f"{what}: seen after {noticed:.1f} s: {seen}; {len(lines)} log lines in "
                  f"{seconds:.0f} s; first ping {took:.2f} s and no complaint {settled:.2f} s after "
                  "it is back")
        fault.row(f"{what}, for {seconds:.0f} s", seen, took, "nothing")
        self.assertLess(len(lines), LINES, "\n".join(lines))

    def test_address_gone(self):
        """The only address of eth0 goes, with every route, for a while."""
        self.connect()
        address = self.client.host.address
        self.outage("address removed",
                    lambda: self.ip("addr", "del", f"{address}/24", "dev", "eth0"),
                    lambda: self.ip("addr", "add", f"{address}/24", "dev", "eth0"),
                    ("no-network", "control-unreachable"), OUTAGE)

    def test_link_down_and_up(self):
        """The cable: eth0 set down and up again, once for seconds and then five times in a row."""
        self.connect()

        def flap():
            for _ in range(5):
                self.ip("link", "set", "eth0", "up")
                time.sleep(0.2)
                self.ip("link", "set", "eth0", "down")
                time.sleep(0.2)
            self.ip("link", "set", "eth0", "up")

        self.outage("link down", lambda: self.ip("link", "set", "eth0", "down"),
                    lambda: self.ip("link", "set", "eth0", "up"), ("no-network",), 4)
        self.outage("link down, then flapping", lambda: self.ip("link", "set", "eth0", "down"),
                    flap, ("no-network",), 1)

    def test_start_without_network(self):
        """Started where no network is: says so, and connects when it comes."""
        self.connect()
        self.client.stop()
        self.ip("link", "set", "eth0", "down")
        mark = self.log_mark()
        self.launch()
        self.wait_owned()
        self.reason("no-network")
        seen = self.seen()
        self.assertTrue(seen.startswith("starting"), seen)
        time.sleep(3)
        lines = self.log_since(mark).splitlines()
        self.assertLess(len(lines), 10, "\n".join(lines))
        begin = time.monotonic()
        self.ip("link", "set", "eth0", "up")
        took = self.first_ping(begin, LIMIT)
        self.client.wait_state("running")
        self.note(f"start without network: {seen}; first ping {took:.2f} s after the link is up")
        fault.row("start without network", seen, took, "nothing")

    def test_others_take_ours(self):
        """Device, addresses, routes and rules that others delete come back by themselves."""
        self.connect()
        for what, *commands in (
                ("rules deleted", ("-4", "rule", "del", "pref", "5300"),
                 ("-6", "rule", "del", "pref", "5300")),
                ("all rules flushed", ("-4", "rule", "flush"), ("-6", "rule", "flush"),
                 ("-4", "rule", "add", "pref", "32766", "lookup", "main"),
                 ("-4", "rule", "add", "pref", "32767", "lookup", "default"),
                 ("-6", "rule", "add", "pref", "32766", "lookup", "main")),
                ("routes flushed", ("-4", "route", "flush", "table", "26728"),
                 ("-6", "route", "flush", "table", "26728")),
                ("addresses flushed", ("addr", "flush", "dev", "headnet0")),
                ("device set down", ("link", "set", "headnet0", "down")),
                ("device deleted", ("link", "del", "headnet0"))):
            mark = self.log_mark()
            begin = time.monotonic()
            for command in commands:
                self.ip(*command)
            seen = self.seen()
            self.assert_kernel(self.running, f"{what}: all comes back")
            back = time.monotonic() - begin
            took = self.first_ping(begin, LIMIT)
            self.client.wait_state("running")
            self.note(f"{what}: {seen}; all back after {back:.2f} s, ping after {took:.2f} s, "
                      f"{len(self.log_since(mark).splitlines())} log lines")
            fault.row(f"by others: {what}", seen, took, "nothing")
            self.assertLess(len(self.log_since(mark).splitlines()), 10)

    def test_bus_restarted(self):
        """The bus daemon ends: headnetd ends, too, with a failure, so that the service manager
        starts it again; nothing is left; and after both are back, so is the connection."""
        self.connect()
        bus = self.client.bus
        for kill in (15, 9):
            process = self.client.process
            mark = self.log_mark()
            begin = time.monotonic()
            bus.process.stop(kill)
            wait_for("headnetd ends", lambda p=process: not p.alive, 5)
            ended = time.monotonic() - begin
            status = process.stop()
            self.client.process = None
            self.assertEqual(status, 1, self.log_since(mark))
            self.assert_nothing_left()
            text = self.log_since(mark).strip().splitlines()
            self.assertRegex("\n".join(text), "bus")
            if os.path.exists(bus.socket):
                os.unlink(bus.socket)
            bus.process = bus.host.start(f"dbus-daemon.{bus.host.name}", "dbus-daemon", "--nofork",
                                         "--nopidfile", f"--config-file={bus.dir}bus.conf",
                                         env=bus.env)
            wait_for("the bus listens", lambda: os.path.exists(bus.socket))
            begin = self.launch()
            took = self.first_ping(begin)
            self.wait_owned()
            self.client.wait_state("running")
            self.assert_kernel(self.running, "as before")
            self.note(f"bus ended by signal {kill}: headnetd ended with 1 after {ended:.2f} s, "
                      f"first ping {took:.2f} s after its restart; it said: {text[-1]}")
            fault.row(f"the bus ended by signal {kill}; both started again",
                      f"exit status 1: {text[-1]}", took, "nothing")


if __name__ == "__main__":
    fault.main()
