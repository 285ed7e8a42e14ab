# SPDX-License-Identifier: GPL-2.0-or-later
"""The two clients with one face: what a node of the grid is asked to do, whoever it is.

A path is a tuple: ("direct", "ADDRESS:PORT"), ("relay", CODE) or ("none", "").
"""

import re
import threading
import time

import natlab  # noqa: F401, puts tests/interop into the path
import client
import servers
from lab import LabError, wait_for

POLL = 0.05


class Watch:
    """The path to the only peer from now on: a list of (moment, path), without repetitions."""

    def __init__(self):
        self.seen = []

    def note(self, moment, path):
        if path and (not self.seen or self.seen[-1][1] != path):
            self.seen.append((moment, path))

    def first(self, kind, after=0.0):
        """The moment when a path of this kind was first in use, or None."""
        for moment, path in self.seen:
            if path[0] == kind and moment >= after:
                return moment
        return None

    def last_change(self, after=0.0):
        """The moment when the path of now was first in use, or None if that was before."""
        moment = self.seen[-1][0] if self.seen else 0.0
        return moment if moment >= after else None

    def kinds(self, after=0.0):
        """The kinds in the order in which they were used, each change once."""
        kinds = []
        for moment, path in self.seen:
            if moment >= after and (not kinds or kinds[-1] != path[0]):
                kinds.append(path[0])
        return kinds

    def stop(self):
        """Nothing is noted any more."""


class TailscaledWatch(Watch):
    """It tells nobody; so it is asked often, over its own socket."""

    def __init__(self, node, peer):
        super().__init__()
        self.node, self.peer = node, peer
        self.running = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while self.running:
            moment = time.monotonic()
            try:
                self.note(moment, self.node.path(self.peer))
            except (LabError, ValueError):
                pass
            time.sleep(POLL)

    def stop(self):
        self.running = False
        self.thread.join(5)


class HeadnetWatch(Watch):
    """It says on the bus when a path changes."""

    PATH = re.compile(r"'Path': <'(\w+)'>")
    DETAIL = re.compile(r"'(?:Endpoint|Relay)': <'([^']*)'>")

    def __init__(self, node, peer):
        super().__init__()
        self.peer = peer
        self.note(time.monotonic(), node.path(peer))
        self.lines = node.client.gdbus_monitor()

    def _update(self):
        for moment, line in self.lines.lines[:]:
            # one peer is all there is
            match = "PeersChanged" in line and self.PATH.search(line)
            if match:
                detail = self.DETAIL.search(line)
                self.note(moment, (match.group(1), detail.group(1) if detail else ""))

    def first(self, kind, after=0.0):
        self._reread()
        return super().first(kind, after)

    def last_change(self, after=0.0):
        self._reread()
        return super().last_change(after)

    def kinds(self, after=0.0):
        self._reread()
        return super().kinds(after)

    def _reread(self):
        del self.seen[1:]
        self._update()

    def stop(self):
        self.lines.stop()
        self._reread()


class TailscaledNode:
    """The reference client on a host."""

    KIND = "tailscaled"

    def __init__(self, lab, host, server, key_args=()):
        self.lab, self.host, self.server = lab, lab.host(host), server
        self.name = f"ts-{host}"
        self.daemon = servers.Tailscaled(lab, host, server, hostname=self.name, up=False)
        self.daemon.cli("up", f"--login-server={server.url}",
                        f"--auth-key={server.key(*key_args)}", f"--hostname={self.name}",
                        "--timeout=40s", timeout=50)

    @property
    def addresses(self):
        return self.daemon.addresses

    def ready_for(self, peer):
        """Whether it knows the peer, and the peer's relay."""
        seen = self.daemon.sees(peer)
        return seen and seen["Online"] and seen["Relay"]

    def path(self, peer):
        seen = self.daemon.sees(peer)
        if not seen:
            return "none", ""
        if seen["CurAddr"]:
            return "direct", seen["CurAddr"]
        return ("relay", seen["Relay"]) if seen["Active"] else ("none", "")

    def home(self):
        """The code of its home relay."""
        return self.daemon.status()["Self"]["Relay"]

    def watch(self, peer):
        return TailscaledWatch(self, peer)

    def close(self):
        """Ended with the lab."""


class HeadnetNode:
    """The client under test on a host."""

    KIND = "headnet"

    def __init__(self, lab, host, server, key_args=()):
        self.lab, self.host, self.server = lab, lab.host(host), server
        self.name = f"hn-{host}"
        self.client = client.Client(lab, host)
        self.client.ctl("up", "--server", server.url, *(["--ca", server.ca] if server.ca else []),
                        "--auth-key-file", "-", "--hostname", self.name,
                        stdin=server.key(*key_args) + "\n")

    @property
    def addresses(self):
        return sorted(self.client.property("Addresses"), key=lambda a: ":" in a)

    def ready_for(self, peer):
        return (self.client.peers().get(peer) or {}).get("Online")

    def path(self, peer):
        seen = self.client.peers().get(peer) or {}
        return seen.get("Path", "none"), seen.get("Endpoint") or seen.get("Relay") or ""

    def home(self):
        return self.client.property("HomeRelay").get("Code", "")

    def watch(self, peer):
        return HeadnetWatch(self, peer)

    def close(self):
        self.client.close()


CLIENTS = {"hn": HeadnetNode, "ts": TailscaledNode}


def pair(lab, server, clients):
    """The nodes on a and b, CLIENTS such as "hn-ts", enrolled and known to each other."""
    a, b = (CLIENTS[kind](lab, host, server) for kind, host in zip(clients.split("-"), "ab"))
    wait_for("a knows b", lambda: a.ready_for(b.name), 30)
    wait_for("b knows a", lambda: b.ready_for(a.name), 30)
    return a, b
