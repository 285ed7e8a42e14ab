#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Enrolment, the map, traffic through the relay, and the whole life of a client."""

import hashlib
import os
import re

import case
from client import MANAGER, MANAGER_PATH, TAILNET
from lab import wait_for
from servers import WebServer

TRANSFER = 100 * 1000 * 1000


def text(value):
    """A string in GVariant's text format."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


class Traffic(case.TestCase):
    ACTIVATED = ("test_gdbus_from_cold_start",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.lab.path("web", "")
        data = os.urandom(TRANSFER)
        with open(f"{cls.folder}data", "wb") as file:
            file.write(data)
        cls.checksum = hashlib.sha256(data).hexdigest()
        WebServer(cls.lab, cls.peers["b"].host, cls.folder)

    def ping(self, address):
        output = self.client.host.run("ping", "-n", "-c", "20", "-i", "0.1", "-W", "5", address,
                                      timeout=60, check=False).stdout
        self.assertIn("20 received", output)
        self.note(re.sub(r"\s+", " ", output.splitlines()[-1]) + f" to {address}")

    def fetch(self, address):
        host = f"[{address}]" if ":" in address else address
        target = self.lab.path("fetched")
        speed = self.client.host.run(
            "curl", "-sS", "--max-time", "240", "-o", target, "-w", "%{speed_download}",
            f"http://{host}:{WebServer.PORT}/data", timeout=250).stdout
        with open(target, "rb") as file:
            self.assertEqual(hashlib.file_digest(file, "sha256").hexdigest(), self.checksum)
        os.unlink(target)
        self.note(f"{float(speed) / 1e6:.1f} MB/s from {address}")

    def test_register_and_map(self):
        """One command enrols, and then busctl shows the true state and both peers."""
        self.up()
        self.wait_peers_online()
        (path,) = self.client.tailnets()
        self.assertEqual(self.client.property("State"), "running")
        self.assertEqual(self.client.property("StateReason"), "")
        self.assertFalse(self.client.property("LoginPending"))
        self.assertEqual(self.client.property("ServerUrl"), self.server.url)
        self.assertEqual(self.client.property("Interface"), "headnet0")
        self.assertEqual(self.client.property("PeerCount"), 2)
        node = self.own_node()
        self.assertEqual(sorted(self.client.property("Addresses")), sorted(node["ip_addresses"]))
        self.assertEqual(self.client.property("NodeName"),
                         f"{node['given_name']}.{self.server.domain}")
        self.assertEqual(self.client.property("User")["LoginName"].split("@")[0], "lab")
        self.assertEqual(self.client.property("HomeRelay")["Code"], "lab")

        generation, peers = self.client.call(path, TAILNET, "GetPeers")
        self.assertGreater(generation, 0)
        self.assertEqual([p["Name"] for p in peers], sorted(p.name for p in self.peers.values()))
        for peer, real in zip(peers, (self.peers["b"], self.peers["d"])):
            self.assertIs(peer["Online"], True)
            self.assertEqual(peer["Addresses"], real.addresses)
            self.assertEqual(peer["HostName"], real.hostname)
            self.assertEqual(peer["Os"], "linux")
            self.assertFalse(peer.get("Expired", False))
            found = self.client.call(path, TAILNET, "GetPeer", "s", real.addresses[0])[0]
            self.assertEqual(found["Id"], peer["Id"])
            self.assertIn("RxBytes", found)

        # the same by the command line
        status = self.client.ctl_json("status")
        self.assertEqual(status["State"], "running")
        self.assertEqual([p["Name"] for p in self.client.ctl_json("peers")],
                         [p["Name"] for p in peers])
        self.assertIn("ts-b", self.client.ctl("status") + self.client.ctl("peers"))
        self.assertIn("ts-d", self.client.ctl("peer", "ts-d"))
        self.client.ctl("peer", "nobody", code=6)

        # what lies on disk is for nobody else, and no key was told to the log
        for folder, _folders, names in os.walk(self.client.state):
            for name in names:
                mode = os.stat(os.path.join(folder, name)).st_mode & 0o777
                self.assertEqual(mode, 0o600, os.path.join(folder, name))
        self.assertNotRegex(self.client.log(), "privkey:|hskey-auth|tskey-")

        # enrolled already: nothing to do, and no key is needed
        self.client.ctl("up")
        self.client.ctl("down")
        self.assert_nothing_left()

    def move(self):
        """20 pings to every address of every peer, and 100 MB over HTTP in both families."""
        self.up()
        self.wait_peers_online()
        for peer in self.peers.values():
            for address in peer.addresses:
                self.ping(address)
        for address in self.peers["b"].addresses:
            self.fetch(address)
        peer = self.client.ctl_json("peer", "ts-b")
        self.assertGreater(peer["RxBytes"], 2 * TRANSFER)
        self.assertGreater(peer["LastHandshake"], 0)
        return peer

    def block_udp(self, block):
        host = self.client.host
        if not block:
            host.run("nft", "delete", "table", "inet", "test")
            return
        for line in ("add table inet test",
                     "add chain inet test out { type filter hook output priority 0 ; }",
                     "add rule inet test out meta l4proto udp ip daddr != 127.0.0.0/8 drop",
                     "add rule inet test out meta l4proto udp meta nfproto ipv6 drop"):
            host.run("nft", *line.split())

    def test_traffic_over_relay(self):
        """Where no UDP passes, all of it goes over the relay."""
        self.block_udp(True)
        try:
            peer = self.move()
            self.assertEqual(peer["Path"], "relay")
            self.assertEqual(peer["Relay"], "lab")
            output = self.client.ctl("ping", "ts-d", "-c", "3")
            self.assertRegex(output, r"(?s)(lab.*){3}")
            self.client.ctl("ping", "ts-d", "-c", "1", "--kind", "disco")
            wait_for("the network's look", lambda: any(
                item["Id"] == "udp-blocked" for item in self.client.property("Health")), 15)
        finally:
            self.block_udp(False)
        self.client.ctl("down")
        self.assert_nothing_left()

    def test_traffic_direct(self):
        """On one network the way is direct, and every kind of ping says so."""
        peer = self.move()
        self.assertEqual(peer["Path"], "direct")
        self.assertRegex(peer["Endpoint"], r":\d+$")
        for kind in ("icmp", "tsmp", "disco"):
            output = self.client.ctl("ping", "ts-b", "-c", "2", "--kind", kind)
            self.assertRegex(output, r"(?s)(direct .*){2}", kind)
        report = self.client.ctl_json("netcheck")
        self.assertTrue(report["Udp"])
        self.assertEqual([relay["Code"] for relay in report["Relays"]], ["lab"])
        # the other direction
        own = self.client.property("Addresses")
        for address in own:
            self.peers["b"].host.run("ping", "-n", "-c", "3", "-W", "5", address, timeout=30)
        self.client.ctl("down")
        self.assert_nothing_left()

    def test_life_cycle(self):
        """Start, run, stop: the wish outlives the daemon, the interface does not."""
        listener = self.peers["b"].addresses[0]
        self.assertEqual(self.client.tailnets(), [])
        self.client.ctl("wait", "--state", "running", "--timeout", "1", code=7)
        self.up("--hostname", "life")
        self.assertEqual(self.own_node()["given_name"], "life")
        self.assertEqual(self.client.property("State"), "running")
        self.wait_peers_online()
        self.ping(listener)

        self.client.stop()
        self.assert_nothing_left()
        self.client.start()
        self.client.ctl("wait", "--state", "running", "--timeout", "20")
        self.ping(listener)

        # killed without a chance to clean up: the next start does
        self.client.kill()
        self.client.start()
        self.client.ctl("wait", "--state", "running", "--timeout", "20")
        self.assertEqual(self.client.property("Interface"), "headnet0")
        self.ping(listener)

        self.client.ctl("down")
        self.assertEqual(self.client.property("State"), "stopped")
        self.assert_nothing_left()
        self.client.ctl("down")
        self.client.stop()
        self.client.start()
        self.assertEqual(self.client.property("State"), "stopped")
        self.client.ctl("up")
        self.assertEqual(self.client.property("State"), "running")
        self.assertEqual(len(self.server.nodes()), 3)

        self.client.ctl("logout")
        self.assert_nothing_left()
        self.client.ctl("up", "--timeout", "3", code={4, 7})
        self.client.ctl("tailnet", "remove", self.client.property("Name"))
        self.assertEqual(self.client.tailnets(), [])
        self.assertNotIn("key", " ".join(n for _, _, names in os.walk(self.client.state)
                                         for n in names))

    def test_gdbus_from_cold_start(self):
        """Nothing runs; gdbus alone, by bus activation, does the same."""
        client = self.client
        self.assertFalse(client.bus.has_owner())
        with open(self.server.ca, encoding="ascii") as file:
            pem = file.read()
        settings = f"{{'ServerUrl': <{text(self.server.url)}>, 'CaCertificate': <{text(pem)}>}}"
        answer = client.gdbus(MANAGER_PATH, f"{MANAGER}.AddTailnet", settings)
        path = re.search(r"objectpath '([^']+)'|'(/[^']+)'", answer)
        path = path.group(1) or path.group(2)
        client.gdbus(path, f"{TAILNET}.Login", f"{{'AuthKey': <{text(self.server.key())}>}}")
        client.gdbus(path, f"{TAILNET}.Connect", "{}")
        client.wait_state("running", path)
        wait_for("gdbus lists both peers, online",
                 lambda: client.gdbus(path, f"{TAILNET}.GetPeers").count("'Online': <true>") == 2)
        managed = client.gdbus(MANAGER_PATH, "org.freedesktop.DBus.ObjectManager.GetManagedObjects")
        self.assertIn(path, managed)
        self.wait_peers_online()
        for address in self.peers["b"].addresses:
            self.ping(address)
            self.fetch(address)
        client.gdbus(path, f"{TAILNET}.Disconnect")
        self.assert_nothing_left()
        wait_for("the service ends when nobody needs it", lambda: not client.bus.has_owner(),
                 timeout=45, interval=1)


if __name__ == "__main__":
    case.main()
