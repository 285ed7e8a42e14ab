#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""headnetctl in the states that need a server, which a scripted service plays: signing in, refused
keys, approval, peers with names that mean harm, a service that goes away."""

import json
import threading

import world
from world import (DONE, FAILED, NEEDS_LOGIN, NOT_AUTHORIZED, NOT_CONNECTED, NOT_FOUND, NO_SERVICE,
                   TIMEOUT, USAGE)

try:
    from gi.repository import GLib

    import fake
    from fake import Refused, health, peer
    LACKING = ""
except ImportError as problem:
    LACKING = f"needs python3-gi: {problem}"

URL = "https://hs.test/register/abc"
# Clears the screen, sets the title, turns the text round, begins a new line.
HOSTILE = "\x1b[2J\x1b]0;gotcha\x07\u202eevil\u0085\u009b31m\nfake line\u2028x"
RUNNING = {"State": "running", "StateReason": "", "NodeName": "box.tail.test"}


class Flows(world.TestCase):
    def setUp(self):
        super().setUp()
        self.service = fake.Service(self.bus.address)
        self.closed = False

    def tearDown(self):
        if not self.closed:
            self.service.close()

    def close(self):
        self.closed = True
        self.service.close()

    def later(self, seconds, function, *args, **kwargs):
        timer = threading.Timer(seconds, function, args, kwargs)
        timer.start()
        self.addCleanup(timer.join)

    def running(self, **more):
        return self.service.add("home", **{**RUNNING, "Addresses": GLib.Variant(
            "as", ["100.64.0.1", "fd7a::1"]), **more})

    def methods(self):
        return [method for method, _path, _args in self.service.calls]

    # up

    def test_up_with_key(self):
        path = self.service.add("home", State="needs-login")

        def login(_path, args):
            self.assertEqual(args, ({"AuthKey": "the-key"},))
            self.service.change(path, State="stopped")

        def connect(_path, _args):
            self.service.change(path, State="starting")
            GLib.timeout_add(1, lambda: False)
            self.later(0.3, self.service.change, path, **RUNNING)

        self.service.answers.update(Login=login, Connect=connect)
        self.assertIn("Connected as box.tail.test",
                      self.ctl("up", "--auth-key-file", "-", stdin="  the-key \n\n"))
        self.assertEqual(self.methods(), ["Login", "Connect"])
        self.assertNotIn("the-key", self.out + self.complaint)
        # again: nothing to do, and the key is not used a second time
        self.service.answers["Connect"] = lambda path, args: None
        self.assertEqual(self.ctl_json("up", "--auth-key-file", "-", stdin="the-key")["State"],
                         "running")
        self.assertEqual(self.methods(), ["Login", "Connect", "Connect"])

    def test_up_reads_the_state_that_the_answer_brought(self):
        """Running before the answer to Connect: no news comes afterwards."""
        path = self.service.add("home", State="stopped")
        self.service.answers["Connect"] = lambda p, a: self.service.change(path, **RUNNING)
        self.ctl("up", timeout=5)

    def sign_in(self, path):
        def login(_path, _args):
            self.service.change(path, LoginPending=True, StateReason="login-pending")

        self.service.answers.update(
            Login=login, GetLoginUrl=lambda p, a: GLib.Variant("(s)", (URL,)))

    def test_up_interactive(self):
        path = self.service.add("home", State="needs-login")
        self.sign_in(path)
        up = self.start("up")
        up.wait_line(URL)
        self.service.change(path, State="starting", LoginPending=False, StateReason="")
        self.service.change(path, **RUNNING)
        self.assertEqual(up.end(), DONE)
        self.assertIn("Connected", up.lines[-1])
        self.assertEqual(sum(URL in line for line in up.lines), 1)

    def test_up_interactive_json(self):
        path = self.service.add("home", State="needs-login")
        self.sign_in(path)
        self.later(0.7, self.service.change, path, LoginPending=False, **RUNNING)
        self.assertEqual(self.ctl_json("up")["State"], "running")
        self.assertIn(URL, self.complaint)

    def test_up_interactive_in_no_time(self):
        path = self.service.add("home", State="needs-login")
        self.sign_in(path)
        self.ctl("up", "--timeout", "1", code=NEEDS_LOGIN)
        self.assertIn("login-pending", self.complaint)

    def test_sign_in_address_is_a_web_page(self):
        path = self.service.add("home", State="needs-login")
        self.sign_in(path)
        self.service.answers["GetLoginUrl"] = lambda p, a: GLib.Variant("(s)", ("file:///etc",))
        self.ctl("up", code=FAILED)
        self.assertNotIn("file:", self.out + self.complaint)
        self.service.answers["GetLoginUrl"] = lambda p, a: GLib.Variant("(s)", (URL + HOSTILE,))
        self.service.change(path, LoginPending=False)
        self.ctl("up", "--timeout", "1", code=NEEDS_LOGIN)
        self.assertIn(URL, self.out)

    def test_qr_only_on_a_terminal(self):
        path = self.service.add("home", State="needs-login")
        self.sign_in(path)
        self.ctl("up", "--timeout", "1", code=NEEDS_LOGIN)
        self.assertNotIn("█", self.out)
        self.service.change(path, LoginPending=False)
        code, text = self.on_terminal("up", "--timeout", "1")
        self.assertEqual(code, NEEDS_LOGIN)
        self.assertIn("█", text)
        self.service.change(path, LoginPending=False)
        self.assertNotIn("█", self.on_terminal("up", "--timeout", "1", columns=20)[1])

    def test_key_refused(self):
        self.service.add("home", State="needs-login")

        def refuse(_path, _args):
            raise Refused("ServerRefused", "The pre-auth key is used up; make a new one" + HOSTILE)

        self.service.answers["Login"] = refuse
        for verb in ("up", "login"):
            self.ctl(verb, "--auth-key-file", "-", stdin="key", code=NEEDS_LOGIN)
            self.assertIn("used up", self.complaint)
        self.assertNotIn("Connect", self.methods())

    def test_errors_become_exit_codes(self):
        self.service.add("home", State="stopped")
        for name, code in (("Failed", FAILED), ("Busy", FAILED), ("InvalidArgument", USAGE),
                           ("NotAuthorized", NOT_AUTHORIZED), ("NotFound", NOT_FOUND),
                           ("NotConnected", NOT_CONNECTED), ("NeedsLogin", NEEDS_LOGIN),
                           ("Timeout", TIMEOUT), ("NotSupported", FAILED), ("New", FAILED)):
            def refuse(_path, _args, name=name):
                raise Refused(name, f"The sentence of {name}")

            self.service.answers["Connect"] = refuse
            self.ctl("up", code=code)
            self.assertEqual(self.complaint, f"headnetctl: The sentence of {name}\n")
            self.assertEqual(self.out, "")

    def test_needs_approval(self):
        path = self.service.add("home", State="stopped")
        self.service.answers["Connect"] = lambda p, a: self.service.change(
            path, State="needs-approval", StateReason="not-approved", Health=GLib.Variant(
                "aa{sv}", [health("not-approved", "Waiting", "Ask an administrator.")]))
        self.ctl("up", "--timeout", "1", code=NEEDS_LOGIN)
        self.assertIn("Ask an administrator", self.complaint)
        self.ctl("status", code=NEEDS_LOGIN)
        up = self.start("up", "--timeout", "10")
        up.wait_line("Ask an administrator")
        self.service.change(path, **RUNNING)
        self.assertEqual(up.end(), DONE)

    def unhappy(self, path, reason):
        self.service.change(path, State="starting", StateReason=reason, Health=GLib.Variant(
            "aa{sv}", [health(reason, "The server can not be reached", f"Because of {reason}.")]))

    def test_up_gives_up_early_where_waiting_is_no_use(self):
        path = self.service.add("home", State="stopped")
        self.service.answers["Connect"] = lambda p, a: self.unhappy(path, "tls-unknown-ca")
        self.ctl("up", "--timeout", "20", code=FAILED, timeout=8)
        self.assertIn("Because of tls-unknown-ca", self.complaint)
        self.assertIn("headnetctl down", self.complaint)
        # what was so before may be better now
        self.service.answers["Connect"] = lambda p, a: None
        self.later(0.5, self.service.change, path, **RUNNING)
        self.ctl("up")

    def test_up_waits_for_what_heals(self):
        path = self.service.add("home", State="stopped")
        self.service.answers["Connect"] = lambda p, a: self.unhappy(path, "connection-refused")
        self.ctl("up", "--timeout", "1", code=TIMEOUT)
        self.assertIn("Because of connection-refused", self.complaint)
        up = self.start("up")
        up.wait_line("Because of connection-refused")
        self.service.change(path, **RUNNING)
        self.assertEqual(up.end(), DONE)

    def test_up_and_others_that_interfere(self):
        path = self.service.add("home", State="stopped")
        self.service.answers["Connect"] = lambda p, a: self.service.change(path, State="starting")
        up = self.start("up")
        world.wait_for("Connect", lambda: "Connect" in self.methods())
        self.service.change(path, State="stopped")
        self.assertEqual(up.end(), NOT_CONNECTED)
        self.service.calls.clear()
        up = self.start("up")
        world.wait_for("Connect", lambda: "Connect" in self.methods())
        self.service.remove(path)
        self.assertEqual(up.end(), NOT_FOUND)

    def test_up_and_a_service_that_ends(self):
        path = self.service.add("home", State="stopped")
        self.service.answers["Connect"] = lambda p, a: self.service.change(path, State="starting")
        up = self.start("up")
        world.wait_for("Connect", lambda: "Connect" in self.methods())
        self.close()
        self.assertEqual(up.end(), NO_SERVICE)

    def test_up_adds_a_server(self):
        self.service.add("home", ServerUrl="https://first.test", **RUNNING)

        def add(_path, args):
            self.assertEqual(args[0], {"ServerUrl": "https://second.test", "Name": "work",
                                       "HostName": "box"})
            self.later(0.3, self.service.add, "work", ServerUrl="https://second.test", **RUNNING)
            return GLib.Variant("(o)", (fake.ROOT + "/tailnet/work",))

        self.service.answers.update(AddTailnet=add, SetPreferences=lambda p, a: None)
        self.ctl("up", "--server", "https://second.test", "--tailnet", "work", "--hostname", "box")
        self.ctl("up", "--server", "https://Second.test/")
        self.assertEqual(self.methods().count("AddTailnet"), 1)
        self.ctl("up", "--server", "https://first.test", "--tailnet", "work", code=USAGE)
        self.ctl("up", code=USAGE)
        self.ctl("up", "--tailnet", "work")
        self.service.add("again", ServerUrl="https://first.test", **RUNNING)
        self.ctl("up", "--server", "https://first.test", code=USAGE)
        self.assertIn("--tailnet", self.complaint)

    def test_login(self):
        path = self.service.add("home", State="needs-login")
        self.sign_in(path)
        login = self.start("login")
        login.wait_line(URL)
        self.service.change(path, State="stopped", LoginPending=False, StateReason="")
        self.assertEqual(login.end(), DONE)
        self.assertIn("headnetctl up", login.lines[-1])
        self.service.change(path, State="needs-login")
        self.ctl("login", "--timeout", "1", code=NEEDS_LOGIN)
        self.assertIn("Nobody approved", self.complaint)
        self.service.answers["Login"] = lambda p, a: self.service.change(
            path, State="stopped", LoginPending=False)
        self.ctl("login", "--accept-server-key")
        self.assertEqual(self.service.calls[-1][2], ({"AcceptServerKey": True},))

    # looking

    def hostile_peers(self, path):
        self.service.peers[path] = [
            peer("n1", "nas.tail.test", Tags=GLib.Variant("as", ["tag:a" + HOSTILE])),
            peer("n2", HOSTILE + ".tail.test", addresses=[HOSTILE], Os=HOSTILE, Relay=HOSTILE,
                 Online=False, User=GLib.Variant("a{sv}", {"LoginName": GLib.Variant("s", HOSTILE)})),
            peer("n3", "büro.tail.test", Path="direct", Endpoint="192.0.2.1:5" + HOSTILE)]

    def test_peers(self):
        path = self.running()
        self.hostile_peers(path)
        lines = self.ctl("peers").splitlines()
        self.assertEqual(len(lines), 4, lines)
        self.assertRegex(lines[1], "^nas +100.64.0.2 +online +linux +relay lab$")
        # columns stay in line whatever the letters are
        self.assertEqual(lines[3].index("100.64"), lines[1].index("100.64"))
        listed = self.ctl_json("peers")
        self.assertIsInstance(listed, list)
        self.assertEqual(listed[1]["Name"], HOSTILE + ".tail.test")
        self.assertEqual([p["Id"] for p in self.ctl_json("peers", "B?ro*")], ["n3"])
        self.assertEqual([p["Id"] for p in self.ctl_json("--json", "peers", "nas")], ["n1"])
        self.assertEqual(self.ctl_json("peers", "nobody", code=NOT_FOUND), [])
        self.ctl("peers", "nobody" + HOSTILE, code=NOT_FOUND)
        # JSON is UTF-8 even where the terminal is not
        self.assertEqual(self.ctl_json("peers", env={"LC_ALL": "C"}), listed)

    def test_peer(self):
        path = self.running()
        self.hostile_peers(path)
        self.assertIn("nas.tail.test", self.ctl("peer", "nas"))
        self.assertEqual(self.ctl_json("peer", "nas")["Id"], "n1")
        self.ctl("peer", HOSTILE + ".tail.test")
        self.ctl("peer", "nobody", code=NOT_FOUND)
        self.ctl("peer", code=USAGE)

    def test_status_hostile(self):
        relay = {"Name": GLib.Variant("s", HOSTILE), "Code": GLib.Variant("s", HOSTILE)}
        self.running(Name="ho" + HOSTILE, Domain=HOSTILE, NodeName=HOSTILE, ServerUrl=HOSTILE,
                     User=GLib.Variant("a{sv}", {"LoginName": GLib.Variant("s", HOSTILE)}),
                     HomeRelay=GLib.Variant("a{sv}", relay),
                     Health=GLib.Variant("aa{sv}", [health("x", HOSTILE, HOSTILE)]))
        self.assertNotIn("\nfake line", self.ctl("status"))
        self.assertEqual(self.ctl_json("status")["NodeName"], HOSTILE)
        self.assertEqual(len(self.ctl("tailnet", "list").splitlines()), 1)
        self.ctl("up")

    def test_status_of_several(self):
        self.running()
        self.service.add("work", State="stopped")
        self.ctl("status", code=NOT_CONNECTED)
        self.assertIn("home", self.out)
        self.ctl("status", "--tailnet", "home")
        self.assertEqual(self.ctl_json("status", "-t", "work", code=NOT_CONNECTED)["Id"], "work")
        self.ctl("peers", code=USAGE)

    def test_ping(self):
        self.running()
        replies = [
            {"Path": GLib.Variant("s", "relay"), "Relay": GLib.Variant("s", "lab" + HOSTILE),
             "Latency": GLib.Variant("t", 12300), "Kind": GLib.Variant("s", "icmp")}, None]

        def ping(_path, _args):
            answer = replies[self.methods().count("Ping") % 2 - 1]
            if answer is None:
                raise Refused("Timeout", "No answer from nas")
            return GLib.Variant("(a{sv})", (answer,))

        self.service.answers["Ping"] = ping
        self.assertRegex(self.ctl("ping", "nas", "-c", "2"), "^reply from nas: 12.3 ms, by relay lab")
        self.assertIn("No answer", self.complaint)
        self.assertEqual(self.ctl_json("ping", "-c1", "nas")["Latency"], 12300)
        self.ctl("ping", "-c", "1", "nas", code=TIMEOUT)
        for args in ([], ["nas", "-c", "0"], ["nas", "more"]):
            self.ctl("ping", *args, code=USAGE)

    # live

    def test_wait(self):
        path = self.service.add("home", State="starting")
        wait = self.start("wait", "--peer", "nas", "--timeout", "20")
        self.service.change(path, **RUNNING)
        world.wait_for("the peer is asked for", lambda: "GetPeer" in self.methods())
        self.service.peers[path] = [peer("n1", "nas.tail.test", Online=False)]
        self.service.change_peers(path, self.service.peers[path])
        world.wait_for("it is asked for again", lambda: self.methods().count("GetPeer") >= 2)
        asked = self.methods().count("GetPeer")
        self.service.peers[path] = [peer("n1", "nas.tail.test")]
        self.service.change_peers(path, self.service.peers[path])
        self.assertEqual(wait.end(), DONE)
        self.assertEqual(self.methods().count("GetPeer"), asked + 1, "asked without news")

    def test_wait_hears_news_while_it_asks(self):
        """The peer comes online while the answer that it is not is on its way."""
        path = self.running()

        def get_peer(_path, _args):
            if self.methods().count("GetPeer") > 1:
                return GLib.Variant("(a{sv})", (peer("n1", "nas.tail.test"),))
            self.service.change_peers(path, [peer("n1", "nas.tail.test")])
            return GLib.Variant("(a{sv})", (peer("n1", "nas.tail.test", Online=False),))

        self.service.answers["GetPeer"] = get_peer
        self.ctl("wait", "--peer", "nas", "--timeout", "5")

    def test_wait_over_a_restart(self):
        self.service.add("home", State="starting")
        wait = self.start("wait", "--timeout", "20")
        self.close()
        self.service, self.closed = fake.Service(self.bus.address), False
        self.running()
        self.assertEqual(wait.end(), DONE)

    def test_wait_in_vain(self):
        self.running()
        self.ctl("wait", "--peer", "nas", "--timeout", "1", code=TIMEOUT)
        self.assertIn("nas", self.complaint)
        self.ctl("wait", "--state", "stopped", "--timeout", "1", code=TIMEOUT)
        self.assertIn("running", self.complaint)

    def test_watch(self):
        path = self.running()
        watch, watch_json = self.start("watch"), self.start("watch", "--json")
        watch.wait_line("home: running")
        watch_json.wait_line("running")
        self.service.change_peers(path, [peer("n1", "nas.tail.test"), peer("n2", HOSTILE)], ["n3"])
        self.service.change_peers(path, [])
        watch.wait_line("home: many peers changed")
        self.assertTrue([line for line in watch.lines if "peer with id n3: removed" in line])
        self.unhappy(path, "unreachable")
        watch.wait_line("home: starting: .*Because of unreachable")
        watch_json.wait_line("unreachable")
        self.assertEqual((watch.interrupt(), watch_json.interrupt()), (-2, -2))
        self.assertEqual(len(watch.lines), 6, watch.lines)
        self.check_clean("\n".join(watch.lines + watch_json.lines))
        events = [json.loads(line) for line in watch_json.lines]
        self.assertEqual([e["Event"] for e in events],
                         ["state", "peer", "peer", "peer-removed", "peers", "state"])
        self.assertEqual(events[2]["Peer"]["Name"], HOSTILE)
        self.assertEqual(events[3]["Id"], "n3")

    def test_watch_names_who_left(self):
        path = self.running()
        self.service.peers[path] = [peer("n1", "nas.tail.test"), peer("n2", "desk.tail.test")]
        watch, watch_json = self.start("watch"), self.start("watch", "--json")
        watch.wait_line("home: running")
        watch_json.wait_line("running")
        self.service.change_peers(path, [peer("n3", "new.tail.test")], ["n1"])
        watch.wait_line("home: peer nas.tail.test: removed")
        # that all are gone when it stops is no news, but a script may count them
        self.service.change(path, State="stopped")
        self.service.change_peers(path, [], ["n2", "n3"])
        self.service.change(path, State="starting")
        watch.wait_line("home: starting")
        watch_json.wait_line("starting")
        watch.interrupt(), watch_json.interrupt()
        self.assertEqual(len(watch.lines), 5, watch.lines)
        self.assertEqual(len(watch_json.lines), 7, watch_json.lines)

    def test_watch_one_of_several(self):
        path = self.running()
        other = self.service.add("work", **RUNNING)
        watch = self.start("watch", "--tailnet", "home")
        watch.wait_line("home")
        self.service.change(other, State="stopped")
        self.service.change_peers(other, [peer("n1", "nas.tail.test")])
        self.service.change(path, State="stopped")
        watch.wait_line("home: stopped")
        watch.interrupt()
        self.assertEqual(len(watch.lines), 2, watch.lines)

    def test_bus_that_ends(self):
        self.running()
        watch, wait = self.start("watch"), self.start("wait", "--peer", "nas")
        watch.wait_line("running")
        world.wait_for("wait asks", lambda: "GetPeer" in self.methods())
        self.close()
        self.bus.stop()
        try:
            self.assertEqual(watch.end(), NO_SERVICE)
            self.assertEqual(wait.end(), NO_SERVICE)
            self.ctl("status", code=NO_SERVICE)
            self.assertRegex(self.ctl("version"), "^headnetctl [0-9.]+\n$")
        finally:
            self.bus.start()


if __name__ == "__main__":
    world.main(LACKING)
