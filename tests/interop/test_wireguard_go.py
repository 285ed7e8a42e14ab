#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The WireGuard core against wireguard-go: handshakes of either side, data both ways, restarts.

    HEADNET_BUILD=build tests/interop/test_wireguard_go.py [CASE...]

Prints TAP; "1..0 # SKIP" when this machine can not run it.
"""

import base64
import os
import re
import shutil
import sys
import time
import traceback

from lab import Lab, run, wait_for

BUILD = os.environ.get("HEADNET_BUILD", os.path.join(os.path.dirname(__file__), "../../build"))
HARNESS = os.path.join(BUILD, "tests/interop/wg-harness")
PORT = 51820
OURS, THEIRS = "10.77.0.1", "10.77.0.2"


def to_hex(key):
    return base64.b64decode(key).hex()


class Pair:
    """wireguard-go on host b, our harness on host a, keys for both."""

    def __init__(self, lab, number):
        self.lab, self.number = lab, number
        self.a, self.b = lab.host("a"), lab.host("b")
        # the control socket lies in the file system, which name spaces of the network share
        self.interface = f"wgt{os.getpid()}n{number}"[:15]
        self.private = [run("wg", "genkey").stdout.strip() for _ in range(2)]
        self.public = [run("wg", "pubkey", stdin=key + "\n").stdout.strip()
                       for key in self.private]
        self.go = self.harness = None
        self.starts = 0

    def start_go(self, endpoint=False):
        self.starts += 1
        self.go = self.b.start(f"wireguard-go-{self.number}-{self.starts}", "env",
                               "LOG_LEVEL=verbose", "wireguard-go", "-f", self.interface)
        wait_for("wireguard-go", lambda: self.b.run("wg", "show", self.interface).stdout)
        key = self.lab.path(f"key-{self.number}")
        with open(key, "w", encoding="ascii") as file:
            file.write(self.private[1] + "\n")
        peer = ["peer", self.public[0], "allowed-ips", f"{OURS}/32"]
        if endpoint:
            peer += ["endpoint", f"{self.a.address}:{PORT}"]
        self.b.run("wg", "set", self.interface, "private-key", key, "listen-port", str(PORT), *peer)
        self.b.run("ip", "addr", "add", f"{THEIRS}/24", "dev", self.interface)
        self.b.run("ip", "link", "set", self.interface, "mtu", "1280", "up")

    def start_harness(self, *args):
        self.harness = self.a.start(
            f"harness-{self.number}", HARNESS, "--private", to_hex(self.private[0]), "--peer",
            to_hex(self.public[1]), "--own", OURS, "--other", THEIRS, "--listen", str(PORT), *args)
        wait_for("the harness", lambda: "ready" in self.harness.text())

    def ping(self, *args):
        """Pings ours from theirs; returns how many replies came."""
        out = self.b.run("ping", "-n", "-i", "0.1", "-W", "2", *args, OURS, check=False).stdout
        return int(re.search(r"(\d+) received", out).group(1))

    def wait_harness(self, timeout):
        try:
            return self.harness.popen.wait(timeout)
        except Exception:
            return None

    def shown(self, what):
        return self.b.run("wg", "show", self.interface, what).stdout.split()[1:]

    def close(self):
        for process in (self.harness, self.go):
            if process:
                process.stop()


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def case_we_initiate(pair):
    pair.start_go()
    pair.start_harness("--endpoint", f"{pair.b.address}:{PORT}", "--ping", "60", "--interval", "20")
    expect(pair.wait_harness(20) == 0, "our pings were not answered")
    text = pair.harness.text()
    expect(text.count("established") == 1, "not one handshake")
    expect("damaged" not in text, "a damaged packet")
    expect(int(pair.shown("latest-handshakes")[0]) > time.time() - 60, "no handshake there")
    replies = re.findall(r"reply \d+ to (\d+)", text)
    expect(replies == [str(n) for n in range(60)], f"order or loss: {replies}")


def case_they_initiate(pair):
    pair.start_harness()
    pair.start_go(endpoint=True)
    expect(pair.ping("-c", "20") == 20, "small pings lost")
    expect(pair.ping("-c", "10", "-s", "1252") == 10, "pings of the whole MTU lost")
    expect(pair.harness.text().count("established") == 1, "not one handshake")
    received, sent = map(int, pair.shown("transfer"))
    expect(received > 0 and sent > 0, "no transfer")


def case_both_initiate(pair):
    pair.start_go(endpoint=True)
    ping = pair.b.start("ping", "ping", "-n", "-c", "30", "-i", "0.1", OURS)
    pair.start_harness("--endpoint", f"{pair.b.address}:{PORT}", "--ping", "120", "--interval",
                       "50")
    expect(pair.wait_harness(30) == 0, "our pings were not answered")
    ping.popen.wait(20)
    received = int(re.search(r"(\d+) received", ping.text()).group(1))
    # one may have gone out before our socket was there
    expect(received >= 29, f"of their 30 pings {received} were answered")
    replies = re.findall(r"reply \d+ to (\d+)", pair.harness.text())
    expect(replies == [str(n) for n in range(120)], f"order or loss: {replies}")


def case_we_restart(pair):
    """They have a session with us that we know nothing of: our first packet makes a new one."""
    pair.start_go(endpoint=True)
    pair.start_harness()
    expect(pair.ping("-c", "3") == 3, "no pings before")
    pair.harness.stop()
    pair.start_harness("--endpoint", f"{pair.b.address}:{PORT}", "--ping", "10")
    expect(pair.wait_harness(10) == 0, "our pings were not answered after the restart")


def case_they_restart(pair):
    """Our session is worth nothing any more: after 15 s of silence we ask for a new one."""
    pair.start_go()
    pair.start_harness("--endpoint", f"{pair.b.address}:{PORT}", "--ping", "40", "--timeout", "60",
                       "--interval", "200")
    wait_for("some replies", lambda: pair.harness.text().count("reply") >= 5)
    pair.go.stop()
    pair.start_go()
    expect(pair.wait_harness(60) == 0, "our pings were not answered after the restart")
    expect(pair.harness.text().count("established") == 2, "not two handshakes")


def lacking():
    if os.geteuid() != 0:
        return "root is needed"
    if not os.path.exists("/dev/net/tun"):
        return "/dev/net/tun is needed"
    for program in ("wireguard-go", "wg", "ip", "ping"):
        if not shutil.which(program):
            return f"{program} is needed"
    if not os.path.exists(HARNESS):
        return f"{HARNESS} is needed (HEADNET_BUILD names the build folder)"
    return ""


def main():
    lack = lacking()
    if lack:
        print(f"1..0 # SKIP {lack}")
        sys.exit(0)
    cases = {name[5:]: call for name, call in globals().items() if name.startswith("case_")}
    wanted = [name for name in cases if not sys.argv[1:] or name in sys.argv[1:]]
    failed = not wanted
    with Lab() as lab:
        for number, name in enumerate(wanted, 1):
            pair = Pair(lab, number)
            started = time.monotonic()
            try:
                cases[name](pair)
                verdict = "ok"
            except Exception:
                failed, verdict = True, "not ok"
                for line in traceback.format_exc().splitlines():
                    print(f"# {line}")
                lab.print_logs(out=sys.stdout)
            pair.close()
            print(f"{verdict} {number} - {name}\n# {time.monotonic() - started:.1f} s", flush=True)
    print(f"1..{len(wanted)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
