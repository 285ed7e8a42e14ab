# SPDX-License-Identifier: GPL-2.0-or-later
"""The tailnet that the server knows: nodes, keys, and the messages that tell of them."""

import dataclasses
import datetime
import ipaddress
import json
import os
import random
import re
import secrets
import time

NEVER = "0001-01-01T00:00:00Z"
FAKE_FIRST = 1_000_000  # node numbers of fake peers begin here


def timestamp(moment=None):
    when = datetime.datetime.fromtimestamp(time.time() if moment is None else moment,
                                           datetime.timezone.utc)
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclasses.dataclass
class Node:
    """What is known about one node; what peers and the node itself are told of it."""

    id: int
    name: str
    machine: str
    key: str
    addresses: list
    disco: str = "discokey:" + "0" * 64
    endpoints: list = dataclasses.field(default_factory=list)
    hostinfo: dict = dataclasses.field(default_factory=dict)
    home: int = 0
    created: str = ""
    expired: bool = False
    last_seen: float = 0.0
    online: bool = False

    def message(self, domain, own=False):
        """The Node of a MapResponse."""
        info = {k: v for k, v in self.hostinfo.items() if own or k in (
            "OS", "Hostname", "Services", "IPNVersion")}
        message = {
            "ID": self.id, "StableID": str(self.id), "Name": f"{self.name}.{domain}.", "User": 1,
            "Key": self.key, "KeyExpiry": timestamp(self.last_seen) if self.expired else NEVER,
            "Machine": self.machine, "DiscoKey": self.disco,
            "Addresses": self.addresses, "AllowedIPs": self.addresses,
            "Endpoints": self.endpoints, "HomeDERP": self.home, "Hostinfo": info,
            "Created": self.created, "Cap": 130, "Online": self.online,
            "MachineAuthorized": not self.expired,
        }
        if self.expired:
            message["Expired"] = True
        if not self.online and not own:
            message["LastSeen"] = timestamp(self.last_seen)
        if own:
            message["CapMap"] = {"https://tailscale.com/cap/file-sharing": []}
        return message


class Tailnet:
    """All nodes, kept in a file; sessions (an object with queue.put_nowait) hear of changes."""

    def __init__(self, path, scenario):
        self.path, self.scenario = path, scenario
        self.domain = scenario.get("domain", "tailnet.test")
        self.nodes, self.fakes = {}, {}
        self.keys = {}
        self.sessions = {}  # node id: list of sessions
        self.next_id, self.next_fake = 1, FAKE_FIRST
        self.changes = 0
        self._load()
        for key in scenario.get("keys", []):
            key = dict(key)
            self.keys.setdefault(key.pop("key"), self._new_key(**key))
        fakes = scenario.get("fake_peers", {})
        for _ in range(int(fakes.get("count", 0))):
            self.add_fake()

    # what is kept

    def _load(self):
        try:
            with open(self.path, encoding="utf-8") as file:
                kept = json.load(file)
        except FileNotFoundError:
            return
        self.nodes = {n["id"]: Node(**{**n, "online": False}) for n in kept["nodes"]}
        self.keys, self.next_id = kept["keys"], kept["next_id"]

    def save(self):
        kept = {"nodes": [dataclasses.asdict(n) for n in self.nodes.values()], "keys": self.keys,
                "next_id": self.next_id}
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump(kept, file)
        os.replace(self.path + ".new", self.path)

    # keys

    @staticmethod
    def _new_key(reusable=False, expires=None, used=False):
        until = None if expires is None else time.time() + expires
        return {"reusable": reusable, "until": until, "used": used}

    def add_key(self, reusable=False, expires=None):
        key = f"hskey-auth-{secrets.token_hex(6)}-{secrets.token_hex(32)}"
        self.keys[key] = self._new_key(reusable, expires)
        self.save()
        return key

    def refusal(self, key):
        """Why this key does not enrol, or None."""
        known = self.keys.get(key)
        if known is None:
            return "invalid pre auth key"
        if known["until"] is not None and known["until"] <= time.time():
            return "authkey expired"
        if known["used"] and not known["reusable"]:
            return "authkey already used"
        return None

    # nodes

    def by_key(self, key):
        return next((n for n in self.nodes.values() if n.key == key), None)

    def by_machine(self, machine):
        return next((n for n in self.nodes.values() if n.machine == machine), None)

    def by_name(self, name):
        return next((n for n in self.nodes.values() if n.name == name), None)

    def free_name(self, wanted, but=None):
        label = re.sub(r"[^a-z0-9-]+", "-", wanted.lower()).strip("-")[:50] or "node"
        name, number = label, 0
        while (taken := self.by_name(name)) and taken is not but:
            number += 1
            name = f"{label}-{number}"
        return name

    @staticmethod
    def addresses(number, base="100.64.0.0"):
        v4 = ipaddress.IPv4Address(base) + number
        v6 = ipaddress.IPv6Address("fd7a:115c:a1e0::") + (int(v4) - int(
            ipaddress.IPv4Address("100.64.0.0")))
        return [f"{v4}/32", f"{v6}/128"]

    def enrol(self, machine, key, hostinfo):
        """A node that may join: a new one, or the one that this machine was."""
        node = self.by_machine(machine)
        fresh = node is None
        if fresh:
            number = self.next_id
            self.next_id += 1
            node = self.nodes[number] = Node(
                number, self.free_name(hostinfo.get("Hostname", "")), machine, key,
                self.addresses(number), created=timestamp())
        node.key, node.expired, node.hostinfo = key, False, hostinfo
        self.save()
        self.changed(node)
        return node

    def remove(self, node):
        """A node that is deleted: others hear of it, and its own streams end."""
        del self.nodes[node.id]
        self.save()
        self.tell({"PeersRemoved": [node.id]}, but=node.id)
        for session in self.sessions.pop(node.id, []):
            session.queue.put_nowait(None)

    def expire(self, node):
        node.expired, node.last_seen = True, time.time()
        self.save()
        self.changed(node)
        self.tell_self(node)

    def rename(self, node, name):
        node.name = self.free_name(name, node)
        self.save()
        self.changed(node)
        self.tell_self(node)

    def set_online(self, node, online):
        if node.online == online:
            return
        node.online = online
        patch = {"NodeID": node.id, "Online": online}
        if not online:
            node.last_seen = time.time()
            patch["LastSeen"] = timestamp(node.last_seen)
        self.tell({"PeersChangedPatch": [patch]}, but=node.id)

    # who hears what

    def changed(self, node):
        self.tell({"PeersChanged": [node.message(self.domain)]}, but=node.id)

    def tell(self, message, but=None):
        for number, sessions in self.sessions.items():
            if number != but:
                for session in sessions:
                    session.queue.put_nowait(message)

    def tell_self(self, node):
        for session in self.sessions.get(node.id, []):
            session.queue.put_nowait({"Node": node.message(self.domain, own=True)})

    def full(self, node, derp_map):
        """The first message of a stream."""
        peers = [n.message(self.domain) for n in self.nodes.values() if n is not node]
        peers += [n.message(self.domain) for n in self.fakes.values()]
        return {
            "Node": node.message(self.domain, own=True), "DERPMap": derp_map, "Peers": peers,
            "DNSConfig": {"Routes": {}, "Domains": [self.domain], "Proxied": True},
            "Domain": self.domain, "CollectServices": False,
            "PacketFilters": {"base": [{"SrcIPs": ["*"], "DstPorts": [
                {"IP": "*", "Ports": {"First": 0, "Last": 65535}}]}]},
            "UserProfiles": [{"ID": 1, "LoginName": self.user, "DisplayName": self.user}],
            "SSHPolicy": {"rules": None}, "Debug": {"DisableLogTail": True},
            "ControlTime": timestamp(),
        }

    @property
    def user(self):
        return self.scenario.get("user", "test")

    # peers that exist only in messages

    def add_fake(self):
        number = self.next_fake
        self.next_fake += 1
        offset = number - FAKE_FIRST
        node = Node(number, f"fake-{offset}", "mkey:" + secrets.token_hex(32),
                    "nodekey:" + secrets.token_hex(32), self.addresses(offset, "100.65.0.0"),
                    disco="discokey:" + secrets.token_hex(32), created=timestamp(),
                    hostinfo={"OS": "linux", "Hostname": f"fake-{offset}"}, home=900,
                    online=True, last_seen=time.time())
        self.fakes[number] = node
        return node

    def churn(self):
        """One change among the fake peers: on or off, gone, new, renamed, another endpoint."""
        if not self.fakes:
            return
        self.changes += 1
        node = random.choice(list(self.fakes.values()))
        what = random.randrange(10)
        if what < 6:
            self.set_online(node, not node.online)
        elif what < 8:
            node.endpoints = [f"198.51.100.{random.randrange(256)}:{random.randrange(1024, 65536)}"]
            self.tell({"PeersChangedPatch": [{"NodeID": node.id, "Endpoints": node.endpoints}]})
        elif what == 8:
            node.hostinfo = {**node.hostinfo, "OS": random.choice(["linux", "windows", "macOS"])}
            self.changed(node)
        else:
            del self.fakes[node.id]
            self.tell({"PeersRemoved": [node.id]})
            self.changed(self.add_fake())
