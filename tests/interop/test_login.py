#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Enrolling: a person who approves, keys that are refused, servers that are not there."""

import case
from client import MANAGER, MANAGER_PATH, TAILNET


class Login(case.TestCase):
    PEERS = ("b",)

    def test_interactive_headnetctl(self):
        """headnetctl shows the address and waits; approving it is all there is to do."""
        up = self.client.ctl_lines("up", "up", "--server", self.server.url, *self.ca_args(),
                                   "--timeout", "60")
        _moment, line = up.wait(self.server.url + "/")
        self.assertTrue(self.client.property("LoginPending"))
        self.assertEqual(self.client.property("State"), "needs-login")
        (path,) = self.client.tailnets()
        (url,) = self.client.call(path, TAILNET, "GetLoginUrl")
        self.assertIn(url, line)
        self.assertNotIn(url, self.client.log())
        self.server.approve(url)
        self.assertEqual(up.process.popen.wait(30), 0)
        self.client.wait_state("running", timeout=5)
        self.assertFalse(self.client.property("LoginPending"))
        self.wait_peers_online()

    def test_interactive_bus(self):
        """The same by method calls, with the signals that a panel would see."""
        with open(self.server.ca, encoding="ascii") as file:
            pem = file.read()
        (path,) = self.client.call(MANAGER_PATH, MANAGER, "AddTailnet", "a{sv}", "2", "ServerUrl",
                                   "s", self.server.url, "CaCertificate", "s", pem)
        monitor = self.client.gdbus_monitor()
        self.client.call(path, TAILNET, "Connect", "a{sv}", "0")
        self.client.wait_state("needs-login", path)
        self.client.call(path, TAILNET, "Login", "a{sv}", "0")
        self.assertTrue(self.client.property("LoginPending", path))
        monitor.wait("'LoginPending': <true>")
        (url,) = self.client.call(path, TAILNET, "GetLoginUrl")
        self.server.approve(url)
        monitor.wait("'State': <'running'>", timeout=30)
        monitor.wait("'LoginPending': <false>")
        self.assertEqual(self.client.property("State", path), "running")

    def refused_key(self, key):
        self.client.ctl("up", "--server", self.server.url, *self.ca_args(), "--auth-key-file",
                        "-", "--timeout", "20", stdin=key + "\n", code={1, 4})
        self.assertEqual(self.client.property("State"), "needs-login")
        self.assertIn("pre-auth key", self.client.complaint)
        self.assertEqual(self.client.property("StateReason"), "auth-key-refused")
        self.assertNotIn(key, self.client.complaint + self.client.log())

    def test_wrong_key(self):
        good = self.server.key()
        self.refused_key(good[:-4] + ("0000" if not good.endswith("0000") else "1111"))
        self.assertEqual(len(self.server.nodes()), 1)

    def test_used_key(self):
        key = self.server.key()
        self.client.ctl("up", "--server", self.server.url, *self.ca_args(), "--auth-key-file", "-",
                        stdin=key + "\n")
        self.client.ctl("logout")
        self.client.ctl("tailnet", "remove", self.client.property("Name"))
        self.refused_key(key)

    def failing_server(self, url, complaint, reason, *args):
        self.client.ctl("up", "--server", url, *args, "--auth-key-file", "-", "--timeout", "10",
                        stdin="00\n", code={1, 4, 7})
        self.assertRegex(self.client.complaint, complaint)
        self.assertEqual(self.client.property("StateReason"), reason)
        self.client.ctl("tailnet", "remove", self.client.property("Name"))

    def test_servers_that_fail(self):
        """Errors name the step that failed."""
        self.failing_server("https://nowhere.test", "nowhere.test.* (not known|looked up)", "unknown-host")
        self.failing_server("https://hs.test:4", "refuses connections", "connection-refused")
        self.failing_server(self.server.url, "not trusted", "tls-unknown-ca")
        self.lab.add_name("other.test", self.server.host.address)
        self.failing_server("https://other.test", "not for the name other.test", "tls-wrong-name",
                            *self.ca_args())

    def test_check_server(self):
        """Each step of reaching a server, without enrolling."""
        steps = self.client.ctl_json("check-server", self.server.url, *self.ca_args())
        self.assertEqual([step["Step"] for step in steps if step["Ok"]],
                         ["name", "connect", "tls", "key", "upgrade", "noise", "http2"])
        steps = self.client.ctl_json("check-server", self.server.url, code=1)
        self.assertEqual([(s["Step"], s["Ok"]) for s in steps][-1], ("tls", False))
        steps = self.client.ctl_json("check-server", "https://nowhere.test", code=1)
        self.assertEqual([(s["Step"], s["Ok"]) for s in steps], [("name", False)])
        self.assertEqual(self.client.tailnets(), [])
        self.assertEqual(len(self.server.nodes()), 1)


if __name__ == "__main__":
    case.main()
