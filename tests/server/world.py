# SPDX-License-Identifier: GPL-2.0-or-later
"""The test server and two nodes with headnetd in name spaces: for the tests here and the demo."""

import json
import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "interop"))
sys.path.insert(1, os.path.dirname(HERE))

from client import HEADNETCTL, HEADNETD, Client  # noqa: E402
from lab import Lab, LabError, wait_for  # noqa: E402
from server import commands  # noqa: E402

PYTHON = "/usr/bin/python3"
MODULES = ("h2", "cryptography", "nacl", "zstandard")
PACKAGES = ("python3-h2", "python3-cryptography", "python3-nacl", "python3-zstandard")


def lacking():
    """What this machine lacks for it, or ''."""
    if os.geteuid() != 0:
        return "root is needed"
    if not os.path.exists("/dev/net/tun"):
        return "/dev/net/tun is needed"
    for program in ("ip", "dbus-daemon", "busctl", "ping", "sysctl"):
        if not shutil.which(program):
            return f"{program} is needed"
    for path in (HEADNETD, HEADNETCTL):
        if not os.path.exists(path):
            return f"{path} is needed (HEADNET_BUILD names the build folder)"
    for module, package in zip(MODULES, PACKAGES):
        try:
            __import__(module)
        except ImportError:
            return f"{package} is needed"
    return ""


class TestServer:
    """The server as a process on a host of its own."""

    __test__ = False

    def __init__(self, lab, url="https://hs.test", scenario=None, host="srv"):
        self.lab, self.url, self.host = lab, url, lab.host(host)
        self.state = lab.path(f"server.{host}", "").rstrip("/")
        name = re.match(r"https?://([^:/]+)", url).group(1)
        lab.add_name(name, self.host.address)
        self.scenario = lab.path(f"scenario.{host}.json")
        self.set_scenario(scenario or {})
        self.process = None
        self.start()

    @property
    def ca(self):
        path = os.path.join(self.state, "ca.crt")
        return path if self.url.startswith("https:") else None

    def set_scenario(self, scenario):
        with open(self.scenario, "w", encoding="utf-8") as file:
            json.dump(scenario, file)

    def start(self):
        self.process = self.host.start(
            f"server.{self.host.name}", "env", f"PYTHONPATH={os.path.dirname(HERE)}", PYTHON, "-B",
            "-m", "server", "run", "--url", self.url, "--listen", self.host.address, "--state",
            self.state, "--scenario", self.scenario)

        def serving():
            if not self.process.alive:
                raise RuntimeError("the test server ended:\n" + self.process.text()[-2000:])
            try:
                return self.ask("stats")
            except OSError:
                return None

        wait_for("the test server serves", serving)

    def stop(self):
        self.process.stop()

    def ask(self, what, **more):
        return commands.ask(os.path.join(self.state, "socket"), {"do": what, **more})

    def key(self, **options):
        return self.ask("key", **options)["key"]

    def nodes(self):
        return {node["name"]: node for node in self.ask("nodes")["nodes"]}


def up(client, server, *args, key=None, **options):
    """headnetctl up with a key."""
    ca = ["--ca", server.ca] if server.ca else []
    return client.ctl("up", "--server", server.url, *ca, "--auth-key-file", "-", *args,
                      stdin=(key or server.key()) + "\n", **options)


def transfer(sender, receiver, megabytes, port=40000):
    """Bytes through the tunnel from one client to the other; what transfer.py says of it."""
    place = f"{receiver.property('Addresses')[0]}:{port}"
    program = os.path.join(HERE, "transfer.py")
    waiting = receiver.host.start(f"transfer.{receiver.host.name}", PYTHON, "-B", program,
                                  "receive", place, megabytes)
    sent = json.loads(sender.host.run(PYTHON, "-B", program, "send", place, megabytes,
                                      timeout=120).stdout)
    waiting.popen.wait(20)
    got = json.loads(waiting.text().strip().splitlines()[-1])
    if got["sha256"] != sent["sha256"]:
        raise LabError("what came is not what was sent")
    return sent


__all__ = ["Client", "Lab", "LabError", "TestServer", "lacking", "transfer", "up", "wait_for"]
