#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows Headnet on one machine: a server and two computers in name spaces. demo.py [--keep]

Each step says what it does, then shows the commands and what they print. Nothing outside is
contacted, and nothing is left behind, whether it ends, fails or is interrupted.
"""

import os
import shlex
import signal
import subprocess
import sys
import time

import world
from client import HEADNETCTL, MANAGER_PATH, NAME, TAILNET
from world import Client, Lab, TestServer, transfer

MEGABYTES = 64


def say(text):
    print(f"\n== {text}", flush=True)


def shown(name, command, text):
    print(f"{name}# {command}")
    for line in text.strip("\n").splitlines():
        print(f"    {line}".rstrip())
    sys.stdout.flush()


class Computer(Client):
    """A node whose commands are shown as they would be typed on it."""

    def show(self, *argv, stdin=None, as_typed=None):
        program = HEADNETCTL if argv[0] == "headnetctl" else argv[0]
        done = self.host.run(program, *argv[1:], env=self.env, timeout=90, stdin=stdin,
                             check=False)
        shown(self.host.name, as_typed or shlex.join(argv), done.stdout + done.stderr)
        if done.returncode != 0:
            raise RuntimeError(f"{argv[0]} ended with {done.returncode}")

    def script(self, path):
        """A program that runs its arguments, or a shell, on this computer."""
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n"
                       f"export DBUS_SYSTEM_BUS_ADDRESS={self.bus.address}\n"
                       f"export PATH={shlex.quote(os.path.dirname(HEADNETCTL))}:$PATH\n"
                       f"[ $# -gt 0 ] || set -- ${{SHELL:-/bin/sh}}\n"
                       f"exec ip netns exec {self.host.ns} \"$@\"\n")
        os.chmod(path, 0o755)


def enrol(lab, server, one, two):
    say("\"one\" joins with a key that the server has given out")
    key = lab.path("key.txt")
    with open(key, "w", encoding="ascii") as file:
        file.write(server.key() + "\n")
    one.show("headnetctl", "up", "--server", server.url, "--ca", server.ca, "--auth-key-file", key,
             "--hostname", "one",
             as_typed="headnetctl up --server https://hs.test --ca ca.crt --auth-key-file key.txt"
                      " --hostname one")

    say("\"two\" has no key: it shows an address, where a person lets it in")
    waiting = two.ctl_lines("up.two", "up", "--server", server.url, "--ca", server.ca,
                            "--hostname", "two", "--timeout", "60")
    waiting.wait(f"{server.url}/register/")
    (url,) = server.ask("pending")["pending"]
    server.ask("approve", url=url)
    if waiting.process.popen.wait(30) != 0:
        raise RuntimeError("two did not get in")
    waiting.thread.join(5)
    shown("two", "headnetctl up --server https://hs.test --ca ca.crt --hostname two",
          "\n".join(line for _moment, line in waiting.lines))
    one.wait_peer("two", Online=True)
    two.wait_peer("one", Online=True)


def look(one, two):
    say("What \"one\" knows: its state, and its peers")
    one.show("headnetctl", "status")
    one.show("headnetctl", "peers")

    say("Packets to \"two\" and back, encrypted from end to end: the first ones by the server's relay,"
        " until the direct way is found")
    one.show("headnetctl", "ping", "two", "-c", "3")
    one.show("ping", "-n", "-c", "2", "-i", "0.2", two.property("Addresses")[0])

    say(f"{MEGABYTES} MB over TCP through the tunnel")
    sent = transfer(one, two, MEGABYTES)
    print(f"    {MEGABYTES} MB in {sent['seconds']:.1f} s: {sent['mbit_s']} Mbit/s, sum "
          f"{sent['sha256'][:16]} at both ends")


def leave_and_return(one, two):
    say("\"two\" leaves and comes back, and \"one\" watches")
    watch = one.watch()
    time.sleep(0.3)  # what is so already is printed first
    before = watch.mark()
    begin = time.monotonic()
    two.show("headnetctl", "down")
    gone, _line = watch.wait(r"two.*offline", before)
    print(f"    \"one\" knew after {gone - begin:.1f} s")
    before, begin = watch.mark(), time.monotonic()
    two.show("headnetctl", "up")
    back, _line = watch.wait(r"two.*online", before)
    print(f"    \"one\" knew after {back - begin:.1f} s")
    shown("one", "headnetctl watch", "\n".join(line for _moment, line in watch.lines))
    two.show("headnetctl", "ping", "one", "-c", "1")


def bus(one):
    say("The same from any program that speaks D-Bus")
    (path,) = one.tailnets()
    one.show("busctl", "get-property", NAME, MANAGER_PATH, f"{NAME}.Manager", "Version", "Tailnets")
    one.show("busctl", "get-property", NAME, path, TAILNET, "State", "Addresses", "PeerCount",
             "HomeRelay")
    one.show("busctl", "call", NAME, path, TAILNET, "Disconnect")
    one.show("busctl", "get-property", NAME, path, TAILNET, "State")
    one.show("busctl", "call", NAME, path, TAILNET, "Connect", "a{sv}", "0")
    one.wait_state("running")
    one.show("busctl", "get-property", NAME, path, TAILNET, "State")


def keep(lab, server, computers):
    """Waits until somebody has played enough."""
    for computer in computers:
        computer.script(os.path.join(lab.dir, computer.host.name))
    ask = os.path.join(lab.dir, "server")
    with open(ask, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\ncd {shlex.quote(os.path.dirname(world.HERE))}\n"
                   f"exec {world.PYTHON} -B -m server ask --state {server.state} \"$@\"\n")
    os.chmod(ask, 0o755)
    say("It stays as it is until Ctrl-C. In another terminal, as root:")
    print(f"""
    cd {lab.dir}
    ./one                     a shell on "one"; there: headnetctl status, headnetctl watch,
                              busctl introspect {NAME} {MANAGER_PATH}
    ./two headnetctl down     one command on "two"
    ./server nodes            what the server knows; more in tests/server/commands.py:
    ./server '{{"do": "rename", "node": "two", "to": "desk"}}'
    ./server '{{"do": "fake", "count": 5}}'
    ./server disconnect
    tail logs/*               what everybody says
""", flush=True)
    signal.pause()


def main():
    if sys.argv[1:] not in ([], ["--keep"]):
        sys.exit(__doc__)
    lack = world.lacking()
    if lack:
        sys.exit(f"demo: {lack}")
    begin = time.monotonic()
    status = 0
    lab = Lab()
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    # a shell script's background programs begin without it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        say("A server and two computers, \"one\" and \"two\", each in a network name space of its"
            " own,\n   each computer with its own bus and its own headnetd")
        server = TestServer(lab)
        one, two = (Computer(lab, name) for name in ("one", "two"))
        enrol(lab, server, one, two)
        look(one, two)
        leave_and_return(one, two)
        bus(one)
        if sys.argv[1:]:
            keep(lab, server, (one, two))
        for computer in (one, two):
            computer.close()
    except KeyboardInterrupt:
        say("interrupted")
        status = 130
    except (AssertionError, RuntimeError, world.LabError, subprocess.SubprocessError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        lab.print_logs()
        status = 1
    finally:
        names, folder = list(lab.name_spaces), lab.dir
        # a second Ctrl-C must not stop the cleaning
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        lab.close()
    left = [n for n in names if os.path.exists(f"/run/netns/{n}")]
    left += [folder] if os.path.exists(folder) else []
    say(f"The end, after {time.monotonic() - begin:.0f} s. "
        f"Left behind: {' '.join(left) or 'nothing'}")
    sys.exit(status or (1 if left else 0))


if __name__ == "__main__":
    main()
