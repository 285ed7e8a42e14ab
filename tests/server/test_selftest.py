#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The test server with real headnetd on both sides: test_selftest.py [CASE...].

It shows that the server is good enough to test against; real servers are in tests/interop.
"""

import binascii
import sys
import time
import unittest

import tap
from world import Client, Lab, TestServer, transfer, up, wait_for


class Vectors(unittest.TestCase):
    """Bytes that others computed."""

    def test_noise(self):
        from server import noise
        key = bytes(range(256))
        initiation = binascii.a2b_base64(
            "AHEBAGA1gHLWNliA0a7qMprfkSE4OFHtIaKOO3XpZdDSzRZiVK1bj+vt65dBW+U2EiBea/qzheNMsSfdiFTE"
            "+a+xD5sOYAufCd8ASsw0xyojSw7f5RL95mZg2yX6SXUPoHpxTcg=")
        version, machine, answer, transport = noise.respond(
            key[0x40:0x60], initiation, key[0x60:0x80])
        self.assertEqual(version, 113)
        self.assertEqual(machine.hex(), "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e"
                                        "2138285f")
        self.assertEqual(answer.hex(), "020030675dd574ed7789310b3d2e7681f3790b466c773b1521fecf365"
                                       "77958371ea52f04a855d028335246f01c17f3ff44e121")
        self.assertEqual(transport.open(bytes.fromhex(
            "d710219d13696754e96129b1ae6275976f2d5c829093dcfc1cff38a8de")), b"client>server")
        self.assertEqual(transport.seal(b"server>client").hex(),
                         "04001d1b90995528a48938882f68ac1512e1a9e1292433d81150bd7eb7b564d8")
        transport.sent = 258
        self.assertEqual(transport.seal(b"").hex(), "040010ad8c09f2d61cb3a515cd11edc31edb73")
        with self.assertRaises(noise.NoiseError):
            noise.respond(key[0x40:0x60], initiation[:-1] + b"\0")

    def test_stun(self):
        from server import stun
        request = bytes.fromhex("000100142112a4420102030405060708090a0b0c802200087461696c6e6f6465"
                                "80280004b32c370f")
        self.assertTrue(stun.is_request(request))
        self.assertFalse(stun.is_request(request[:-1] + b"\0"))
        self.assertEqual(stun.answer(request, "203.0.113.9", 41641).hex(),
                         "0101000c2112a4420102030405060708090a0b0c00200008000183bbea12d54b")


class Two(unittest.TestCase):
    """Two nodes on one server: one enrols by a key, the other by a person who approves."""

    URL = "https://hs.test"

    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.finish)
        self.server = TestServer(self.lab, self.URL, {"keep_alive": 2})
        self.a = self.b = None
        self.a = Client(self.lab, "a")
        self.b = Client(self.lab, "b")

    def finish(self):
        try:
            for client in (self.a, self.b):
                if client:
                    client.close()
        except BaseException:
            self.lab.print_logs(out=sys.stdout)
            raise
        finally:
            self.lab.close()

    def enrol_both(self):
        up(self.a, self.server, "--hostname", "one")
        ca = ["--ca", self.server.ca] if self.server.ca else []
        waiting = self.b.ctl_lines("up", "up", "--server", self.server.url, *ca, "--hostname",
                                   "two", "--timeout", "30")
        _moment, line = waiting.wait(self.server.url + "/register/")
        (url,) = self.server.ask("pending")["pending"]
        self.assertIn(url, line)
        self.server.ask("approve", url=url)
        self.assertEqual(waiting.process.popen.wait(20), 0)
        for client, other in ((self.a, "two"), (self.b, "one")):
            client.wait_state("running")
            client.wait_peer(other, Online=True)

    def ping(self, client, other):
        for address in other.property("Addresses"):
            client.host.run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "10", address, timeout=30)

    def test_two_nodes(self):
        """Enrolling, traffic, and every kind of change that others are told."""
        self.enrol_both()
        nodes = self.server.nodes()
        self.assertEqual(nodes["one"]["addresses"], self.a.property("Addresses"))
        self.assertEqual(nodes["two"]["addresses"], self.b.property("Addresses"))
        self.ping(self.a, self.b)
        self.ping(self.b, self.a)
        self.assertGreater(transfer(self.a, self.b, 4)["mbit_s"], 1)
        stats = self.server.ask("stats")
        self.assertEqual(stats["relay_clients"], 2)
        # the first packets went that way, the rest directly
        self.assertGreater(stats["relay_bytes"], 0)
        self.assertLess(stats["relay_bytes"], 4 << 20)
        self.assertEqual(self.a.peers()["two"]["Path"], "direct")

        # a name, a node that leaves and comes back, and one that is deleted
        self.server.ask("rename", node="two", to="second")
        self.a.wait_peer("second")
        wait_for("the node knows its name",
                 lambda: self.b.property("NodeName").startswith("second"))
        self.b.ctl("down")
        self.a.wait_peer("second", Online=False)
        self.b.ctl("up")
        self.a.wait_peer("second", Online=True)
        # who came back begins: the other still has keys of before, for up to 15 s
        self.ping(self.b, self.a)
        self.ping(self.a, self.b)
        self.server.ask("disconnect")
        self.a.wait_peer("second", Online=True)
        wait_for("both are back", lambda: all(n["online"] for n in self.server.nodes().values()))
        self.b.ctl("logout")
        wait_for("the peer is gone", lambda: "second" not in self.a.peers() or
                 not self.a.peers()["second"]["Online"])
        self.server.ask("delete", node="second")
        wait_for("the peer is gone", lambda: "second" not in self.a.peers())

    def test_faults(self):
        """Keys that are refused, and faults that go away by themselves."""
        for key, text in ((self.server.key(expires=0), "expired"), ("nonsense", "")):
            up(self.a, self.server, "--timeout", "10", key=key, code={1, 4})
            self.assertIn("key", self.a.complaint)
            self.assertIn(text, self.a.complaint)
            self.assertNotIn(key, self.a.complaint + self.a.log())
            self.assertEqual(self.a.property("State"), "needs-login")
        for do in ({"at": "map", "do": "end"}, {"at": "map", "do": "garbage"},
                   {"at": "derp", "do": "garbage"}):
            self.server.ask("fault", fault=do)
        up(self.a, self.server, "--timeout", "30")
        self.wait_faults(3)
        for do in ({"at": "upgrade", "do": "close-after"}, {"at": "record", "do": "garbage"}):
            self.server.ask("fault", fault=do)
            self.server.ask("disconnect")
        self.wait_faults(5)

    def wait_faults(self, count):
        """Until so many have happened, and all is well again."""
        wait_for("all faults happened",
                 lambda: len(self.server.ask("stats")["faults"]) == count)
        wait_for("running in spite of all",
                 lambda: self.a.property("State") == "running" and not self.a.property("Health"))


class TwoPlain(Two):
    """The same without TLS."""

    URL = "http://hs.test:8080"
    test_faults = None


class Many(unittest.TestCase):
    """Many peers that come and go."""

    def test_churn(self):
        with Lab() as lab:
            server = TestServer(lab, scenario={"fake_peers": {"count": 2000, "churn": 200}})
            client = Client(lab, "a")
            up(client, server)
            wait_for("the peers are there", lambda: client.property("PeerCount") == 2000)
            begin = time.monotonic()
            time.sleep(2)
            self.assertEqual(client.property("State"), "running")
            print(f"# 2000 peers, {200 * (time.monotonic() - begin):.0f} changes")
            client.close()


if __name__ == "__main__":
    tap.main()
