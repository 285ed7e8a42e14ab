#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The first "headnetctl up" of a newcomer, where the address, the server or the key is wrong: what
the command says, how long it takes to say it, and that nothing is in the way of the next try."""

import os
import time
import unittest

import own
from own import Client, Lab, TestServer, row, wait_for

PATIENCE = 4  # seconds, --timeout
# point, what is done there, exit codes, what the command has to say
SERVERS = {
    "tls_unknown_ca": ("tls", {"do": "unknown-ca"}, {1}, "certificate .* does not verify"),
    "tls_wrong_name": ("tls", {"do": "wrong-name"}, {1}, "not for the name"),
    "tls_expired": ("tls", {"do": "expired"}, {1}, "has expired"),
    "key_404": ("key", {"do": "status", "status": 404}, {1}, "404"),
    "key_500": ("key", {"do": "status", "status": 500}, {1, 7}, "500"),
    "key_html": ("key", {"do": "html"}, {1}, "hs.test"),
    "key_bare": ("key", {"do": "old-version"}, {1}, "hs.test"),
    "key_empty_object": ("key", {"do": "json", "json": {}}, {1}, "hs.test"),
    "key_nonsense": ("key", {"do": "json", "json": {"publicKey": "mkey:zz"}}, {1}, "hs.test"),
    "key_close": ("key", {"do": "close"}, {1, 7}, "closed the connection"),
    "key_garbage": ("key", {"do": "garbage"}, {1, 7}, "not HTTP"),
    "key_of_another": ("key", {"do": "wrong-key"}, {1, 7}, "hs.test"),
    "upgrade_refused": ("upgrade", {"do": "status", "status": 403}, {1, 7}, "403"),
    "upgrade_then_close": ("upgrade", {"do": "close-after"}, {1, 7}, "version"),
    "register_500": ("register", {"do": "status", "status": 500}, {1, 4, 7}, "500"),
    "register_error": ("register", {"do": "error", "error": "closed on Sundays"}, {1, 4},
                       "closed on Sundays"),
    "register_html": ("register", {"do": "raw", "raw": "<html>"}, {1, 4, 7}, "server"),
}


class Enrol(unittest.TestCase):
    """One daemon, whose tailnet is removed after each case."""

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        try:
            cls.server = TestServer(cls.lab, scenario={"keep_alive": 2})
            cls.client = Client(cls.lab, "a")
            cls.before = cls.client.host.network_state()
        except BaseException:
            cls.lab.close()
            raise

    @classmethod
    def tearDownClass(cls):
        try:
            cls.client.close()
        finally:
            cls.lab.close()

    def setUp(self):
        if not self.server.process.alive:
            self.server.start()
        self.server.ask("clear")

    def up(self, code, key=None, timeout=PATIENCE):
        begin = time.monotonic()
        own.up(self.client, self.server, "--timeout", str(timeout), "--hostname", "one",
               key=key or self.server.key(), code=code)
        return time.monotonic() - begin

    def check(self, what, codes, text, mend, key=None):
        """The first try fails and says why; after @mend the next one succeeds."""
        took = self.up(codes, key)
        said = self.client.complaint.strip()
        self.assertRegex(said, text)
        if key:
            self.assertNotIn(key, said + self.client.log())
        self.assertLess(took, PATIENCE + 3)
        (path,) = self.client.tailnets()
        state = self.client.property("State")
        reason = self.client.property("StateReason")
        texts = [item["Text"] for item in self.client.property("Health")]
        self.assertIn(state, ("needs-login", "starting"))
        self.assertTrue(reason)
        mend()
        took_again = self.up(0, timeout=30)
        self.assertEqual(self.client.tailnets(), [path])
        self.assertEqual(self.client.property("StateReason"), "")
        self.client.ctl("tailnet", "remove", self.client.property("Name"))
        wait_for("nothing is left",
                 lambda: self.client.host.network_state() == self.before, timeout=5)
        self.assertEqual([n for n in os.listdir(self.client.state)
                          if os.path.isdir(os.path.join(self.client.state, n))], [])
        for name in self.server.nodes():
            self.server.ask("delete", node=name)
        self.client.check_log()
        seen = (f"headnetctl up, after {took:.1f} s: {' / '.join(said.splitlines())}; "
                f"{state} ({reason}): {'; '.join(texts)}")
        print(f"# {what}: {seen}; up again in {took_again:.2f} s", flush=True)
        row(f"first up: {what}", seen, took_again, "nothing")

    def check_server(self, what, case):
        point, fault, codes, text = case
        self.server.ask("fault", fault={"at": point, "times": 0, **fault})
        self.check(what, codes, text, lambda: self.server.ask("clear"))

    def test_unknown_host(self):
        self.client.host.set_names({})
        self.addCleanup(self.lab.add_name, "hs.test", self.server.host.address)
        self.check("unknown host", {1, 7}, "can not be looked up",
                   lambda: self.lab.add_name("hs.test", self.server.host.address))

    def test_refused_port(self):
        key, next_key = self.server.key(), self.server.key()
        self.assertNotEqual(key, next_key)
        self.server.stop()
        self.check("refused port", {1, 7}, "refuses connections", self.server.start, key)

    def test_key_wrong(self):
        self.check("a key that the server does not know", {1, 4}, "key", lambda: None,
                   "hskey-auth-0123456789ab-" + "7f" * 32)

    def test_key_expired(self):
        self.check("an expired key", {1, 4}, "expired", lambda: None, self.server.key(expires=0))

    def test_key_used(self):
        key = self.server.key()
        self.up(0, key)
        self.client.ctl("tailnet", "remove", self.client.property("Name"))
        self.check("a used key", {1, 4}, "used", lambda: None, key)


for name, facts in SERVERS.items():
    setattr(Enrol, f"test_server_{name}",
            lambda self, what=own.title_of(*facts[:2]), case=facts: self.check_server(what, case))


if __name__ == "__main__":
    own.main()
