#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The way to the server breaks while a node starts and while it runs: names, ports, certificates, a
server that restarts, one that has another key or does not know us any more, a relay that is ill."""

import os
import re
import time

import own
from own import TAILNET, wait_for

CERTIFICATES = {"unknown-ca": "tls-unknown-ca", "wrong-name": "tls-wrong-name",
                "expired": "tls-expired"}
HOLD = 1.5  # seconds that a fault lasts, beyond the moment it is seen
# From the end of a fault to the first answered ping: a client that has failed for two seconds may
# wait for a second more. A sanitizer's build on a busy machine is not judged strictly.
LIMIT = 15 if own.SANITIZED else 8


class Reach(own.OwnCase):
    """Each fault lasts for a while and is then put right."""

    def connect(self):
        """The wish to connect, without waiting for what comes of it."""
        self.own.call(self.path, TAILNET, "Connect", "a{sv}", "0")

    def recover(self, what, *more):
        """From this moment the world is in order again."""
        begin = time.monotonic()
        seconds = self.traffic(begin, LIMIT)
        self.reason()
        wait_for("all is well", self.is_well, LIMIT)
        self.tell(what, seconds, *more)

    def cold(self, what, reason, text, mend):
        """The node starts while the fault is there."""
        self.connect()
        self.reason(reason)
        self.assertEqual(self.own.property("State"), "starting")
        self.assertRegex("\n".join(self.texts()), text)
        time.sleep(HOLD)
        self.assertEqual(self.own.property("StateReason"), reason)
        mend()
        self.recover(f"{what}, when the node starts")

    def warm(self, what, reason, text, mend):
        """The node runs, and its connections end."""
        self.reason(reason)
        self.assertEqual(self.own.property("State"), "running")
        wait_for(f"Health says {text}", lambda: re.search(text, "\n".join(self.texts())))
        time.sleep(HOLD)
        self.assertEqual(self.own.property("State"), "running")
        mend()
        self.recover(f"{what}, when the node runs")

    def forget_name(self):
        self.host.set_names({})
        self.addCleanup(self.lab.add_name, "hs.test", self.server.host.address)

    def know_name(self):
        self.lab.add_name("hs.test", self.server.host.address)

    def test_unknown_host_cold(self):
        self.own.ctl("down")
        self.watch.begin()
        self.forget_name()
        self.cold("unknown host", "unknown-host", "hs.test", self.know_name)

    def test_unknown_host_warm(self):
        self.forget_name()
        self.server.ask("disconnect")
        self.warm("unknown host", "control-unreachable", "hs.test", self.know_name)

    def test_refused_port_cold(self):
        self.own.ctl("down")
        self.watch.begin()
        self.server.stop()
        self.cold("refused port", "connection-refused", "refuses", self.server.start)

    def test_server_restarted(self):
        self.server.stop()
        self.warm("server stopped and started", "control-unreachable", "refuses",
                  self.server.start)

    def clear(self):
        self.server.ask("clear")

    def certificate(self, what, cold):
        if cold:
            self.own.ctl("down")
            self.watch.begin()
        self.server.ask("fault", fault={"at": "tls", "do": what, "times": 0})
        if cold:
            self.cold(f"certificate: {what}", CERTIFICATES[what], "certificate", self.clear)
            return
        self.server.ask("disconnect")
        self.warm(f"certificate: {what}", "control-unreachable", "certificate", self.clear)

    def lasting(self, at, do, reason="control-unreachable", text="server", **more):
        """A fault of any other kind that stays for a while."""
        self.server.ask("fault", fault={"at": at, "do": do, "times": 0, **more})
        self.server.ask("disconnect", of="control")
        name = do if not more else f"{do} {', '.join(str(v) for v in more.values())}"
        self.warm(f"{at}: {name}, again and again", reason, text, self.clear)

    def test_upgrade_refused(self):
        self.lasting("upgrade", "status", text="403", status=403)

    def test_upgrade_then_close(self):
        self.lasting("upgrade", "close-after", text="protocol version")

    def test_records_garbage(self):
        self.lasting("record", "garbage", text="record")

    def test_goaway(self):
        self.lasting("http2", "goaway", text="closing")

    # the server is another one, or thinks otherwise of us

    def new_key(self):
        self.server.stop()
        os.unlink(os.path.join(self.server.state, "noise.key"))
        self.server.start()

    def health_ids(self):
        return {item["Id"]: item for item in self.own.property("Health")}

    def test_server_key_tls(self):
        """Over TLS the new key is taken, and shown until the next start."""
        begin = time.monotonic()
        self.new_key()
        served = time.monotonic() - begin
        begin = time.monotonic()
        seconds = self.traffic(begin, LIMIT)
        wait_for("the new key is shown", lambda: "server-key-changed" in self.health_ids())
        item = self.health_ids()["server-key-changed"]
        self.assertEqual((item["Severity"], item.get("Action", "")), ("info", ""))
        wait_for("all is well", self.is_well, LIMIT)
        print(f"# the server itself took {served:.1f} s")
        self.tell("server back with another key, over TLS", seconds)
        self.own.ctl("down")
        self.own.ctl("up")
        self.assertNotIn("server-key-changed", self.health_ids())

    def test_health_changes(self):
        """A server that reports another problem with each message does not flood the bus."""
        told, begin = 0, time.monotonic()
        while time.monotonic() - begin < 4:
            told += 1
            self.server.ask("tell", node="one", message={"Health": [f"problem {told}"]})
            time.sleep(0.005)
        took = time.monotonic() - begin
        wait_for("the last problem is shown", lambda: f"problem {told}" in self.texts(), LIMIT)
        signals = sum("PropertiesChanged" in line
                      for _moment, line in self.watch.lines.lines[self.watch.mark:])
        # ten a second, eight at once, and what else a node has to tell
        self.assertLessEqual(signals, 10 * (took + 1) + 8 + 10)
        self.assertGreater(told, 3 * signals, "too few messages to tell")
        self.assertTrue(self.ping())
        begin = time.monotonic()
        self.server.ask("tell", node="one", message={"Health": []})
        wait_for("nothing is wrong any more", lambda: not self.texts(), LIMIT)
        seconds = time.monotonic() - begin
        self.watch.begin()
        self.tell("a server with another problem in each message", seconds,
                  f"{told} messages in {took:.0f} s, {signals} signals; the last is shown")

    def again(self, what):
        """A new pre-auth key brings the node back."""
        self.assertEqual(self.own.property("State"), "needs-login")
        self.assertIn("login", [item.get("Action") for item in self.own.property("Health")])
        wait_for("the device is gone", lambda: self.host.network_state() == self.before)
        time.sleep(HOLD)
        begin = time.monotonic()
        own.up(self.own, self.server)
        seconds = self.traffic(begin, LIMIT)
        # a node that was deleted gets the next address
        type(self).running = self.host.network_state()
        self.recover_done(what, seconds)

    def recover_done(self, what, seconds):
        self.reason()
        wait_for("all is well", self.is_well, LIMIT)
        self.tell(what, seconds)

    def test_expired(self):
        self.server.ask("expire", node="one")
        self.reason("key-expired")
        self.again("our node expired; headnetctl up with a new key")

    def test_deleted(self):
        self.server.ask("delete", node="one")
        self.reason("node-deleted")
        self.again("our node deleted; headnetctl up with a new key")

    # the relay

    def relay(self, do, **more):
        """The relay is ill while the server is well."""
        self.server.ask("fault", fault={"at": "derp", "do": do, "times": 0, **more})
        self.server.ask("disconnect", of="relay")
        # a neighbour with a direct path is not affected, and people are told so
        wait_for("the relay's trouble is told", lambda: {"no-path", "relay-unreachable"} &
                 set(self.health_ids()) or self.own.fail_with(self.own.property("State"),
                                                              self.texts()), 20)
        self.assertEqual(self.own.property("State"), "running")
        time.sleep(HOLD)
        self.assertEqual(self.ping(), self.own.property("StateReason") != "no-path")
        self.clear()
        self.recover(f"relay: {do}, again and again")

    def test_relay_gone(self):
        self.relay("close")

    def test_relay_status(self):
        self.relay("status", status=503)

    def test_relay_garbage(self):
        self.relay("garbage")

    def test_relay_garbage_later(self):
        self.relay("garbage-later", seconds=0.1)


def certificate_case(what, cold):
    return lambda self: self.certificate(what, cold)


for name in CERTIFICATES:
    label = name.replace("-", "_")
    setattr(Reach, f"test_certificate_{label}_cold", certificate_case(name, True))
    setattr(Reach, f"test_certificate_{label}_warm", certificate_case(name, False))


class Plain(own.OwnCase):
    """Without TLS nothing vouches for a server's key."""

    URL = "http://hs.test:8080"

    def test_server_key_plain(self):
        self.server.stop()
        os.unlink(os.path.join(self.server.state, "noise.key"))
        self.server.start()
        # while it runs: the peers stay, the server is not believed
        wait_for("it is told", lambda: ("control-unreachable", "warning", "trust") in [
            (i["Id"], i["Severity"], i.get("Action")) for i in self.own.property("Health")])
        self.assertEqual(self.own.property("State"), "running")
        # when it starts: refused, and said so by the command, too
        self.own.ctl("down")
        self.own.ctl("up", code=1)
        said = self.own.complaint.strip().splitlines()[0]
        self.assertRegex(said, "key of the server .* changed")
        self.assertEqual((self.own.property("State"), self.own.property("StateReason")),
                         ("starting", "server-key-changed"))
        (item,) = self.own.property("Health")
        self.assertEqual((item["Id"], item["Severity"], item["Action"]),
                         ("server-key-changed", "error", "trust"))
        # signing in does not do it, a person's word does; only once
        self.own.ctl("login", code={1, 4})
        self.assertEqual(self.own.property("StateReason"), "server-key-changed")
        self.other.ctl("down")
        self.other.ctl("login", "--accept-server-key")
        self.other.ctl("up")
        begin = time.monotonic()
        self.own.ctl("login", "--accept-server-key")
        seconds = self.traffic(begin)
        self.reason()
        wait_for("all is well", self.is_well)
        self.tell("server back with another key, over plain HTTP; headnetctl login "
                  "--accept-server-key", seconds, f"headnetctl up: {said}")
        self.own.stop()
        self.own.start()
        self.own.wait_state("running")
        self.assertEqual(self.own.property("StateReason"), "")
        # the next one is asked for again
        self.server.stop()
        os.unlink(os.path.join(self.server.state, "noise.key"))
        self.server.start()
        self.reason("control-unreachable")
        for client in (self.own, self.other):
            client.ctl("login", "--accept-server-key")
        self.traffic()


if __name__ == "__main__":
    own.main()
