#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The library against a service that comes and goes, misses signals, refuses, and has ten thousand
peers."""

import os
import time

import library
import world

LACKING = "" if os.path.exists(library.TYPELIB) else "built without introspection"
if not LACKING:
    library.enter()

import gi  # noqa: E402
from gi.repository import Gio, GLib  # noqa: E402

from library import iterate_until  # noqa: E402
from fake import Refused, health, peer  # noqa: E402

if not LACKING:
    gi.require_version("Headnet", "1.0")
    from gi.repository import Headnet

MANY = 10000


def names(model):
    return [item.get_name() for item in model]


class Service(world.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # the bus of all clients of this process
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = cls.bus.address
        Gio.bus_get_sync(Gio.BusType.SYSTEM).set_exit_on_close(False)

    def setUp(self):
        super().setUp()
        self.service = None

    def tearDown(self):
        self.stop()

    def begin(self):
        self.service = library.Service(self.bus.address)
        return self.service

    def stop(self):
        if self.service:
            self.service.close()
            self.service = None
            world.wait_for("the name is free", lambda: not self.bus.has_owner())

    def load(self, count=3, **properties):
        """A service with a tailnet of some peers, and a client."""
        self.begin()
        path = self.service.add("home", **{"State": "running", **properties})
        self.service.peers[path] = [peer(f"n{i}", f"p{i}.test") for i in range(count)]
        client = Headnet.Client.new_sync(None)
        return path, client, client.get_tailnets()[0]

    def test_loaded(self):
        item = health("control-unreachable", "No server", "It does not answer", "warning")
        _path, client, tailnet = self.load(
            Name="Home", Domain="tail.test", Addresses=GLib.Variant("as", ["100.64.0.9"]),
            User=GLib.Variant("a{sv}", {"Id": GLib.Variant("x", 4),
                                        "LoginName": GLib.Variant("s", "ann@test")}),
            HomeRelay=GLib.Variant("a{sv}", {"Id": GLib.Variant("u", 900),
                                             "Code": GLib.Variant("s", "lab"),
                                             "Latency": GLib.Variant("t", 1500)}),
            Health=GLib.Variant("aa{sv}", [item]), LoginPending=True,
            Preferences=GLib.Variant("a{sv}", {"Mtu": GLib.Variant("u", 1300)}))
        self.assertTrue(client.get_running())
        self.assertEqual(client.get_version(), "9.9")
        self.assertEqual(tailnet.get_state(), Headnet.State.RUNNING)
        self.assertEqual((tailnet.get_name(), tailnet.get_id()), ("Home", "home"))
        self.assertEqual(tailnet.props.addresses, ["100.64.0.9"])
        self.assertEqual(tailnet.get_user().get_login_name(), "ann@test")
        self.assertEqual(tailnet.get_user().get_display_name(), "")
        self.assertEqual((tailnet.get_home_relay().get_id(),
                          tailnet.get_home_relay().get_latency()), (900, 1500))
        self.assertEqual(tailnet.get_preferences().unpack(), {"Mtu": 1300})
        self.assertTrue(tailnet.props.login_pending)
        self.assertEqual([(i.get_id(), i.get_severity()) for i in tailnet.get_health()],
                         [("control-unreachable", Headnet.Severity.WARNING)])
        self.assertEqual(names(tailnet.get_peers()), ["p0.test", "p1.test", "p2.test"])
        self.assertEqual(tailnet.find_peer("n1").get_host_name(), "p1")
        self.assertEqual(client.find_tailnet("Home"), tailnet)
        self.assertEqual(client.find_tailnet("home"), tailnet)
        self.assertIsNone(client.find_tailnet("other"))

    def test_absent_is_empty(self):
        client = Headnet.Client.new_sync(None)
        self.assertFalse(client.get_running())
        self.assertEqual(len(client.get_tailnets()), 0)
        with self.assertRaises(GLib.Error) as caught:
            client.start_sync(None)
        self.assertTrue(caught.exception.matches(Headnet.error_quark(), Headnet.Error.NO_SERVICE))

    def test_asynchronous(self):
        self.begin()
        self.service.peers[self.service.add("home")] = [peer("n1", "p1.test")]
        found = []
        Headnet.Client.new(None, lambda _, result: found.append(Headnet.Client.new_finish(result)))
        iterate_until("a client", lambda: found)
        self.assertEqual(names(found[0].get_tailnets()[0].get_peers()), ["p1.test"])

    def test_properties_notify_once(self):
        path, _client, tailnet = self.load()
        told = []
        tailnet.connect("notify", lambda _tailnet, pspec: told.append(pspec.name))
        self.service.change(path, State="starting", Name="Other", Domain="")
        iterate_until("the state", lambda: tailnet.get_state() == Headnet.State.STARTING)
        self.assertEqual(sorted(told), ["name", "state"])

    def test_tailnets_come_and_go(self):
        _path, client, _tailnet = self.load(Name="m")
        other = self.service.add("second", Name="a")
        iterate_until("two", lambda: len(client.get_tailnets()) == 2)
        self.assertEqual(names(client.get_tailnets()), ["a", "m"])
        self.service.change(other, Name="z")
        iterate_until("another order", lambda: names(client.get_tailnets()) == ["m", "z"])
        self.service.remove(other)
        iterate_until("one", lambda: len(client.get_tailnets()) == 1)

    def test_delta_does_not_ask_again(self):
        path, _client, tailnet = self.load()
        second = tailnet.find_peer("n1")
        told = []
        second.connect("notify", lambda _peer, pspec: told.append(pspec.name))
        self.service.tell_peers(path, [peer("n1", "p1.test", Path="direct", Endpoint="1.2.3.4:5",
                                            Relay="")], ["n0"])
        iterate_until("one less", lambda: len(tailnet.get_peers()) == 2)
        self.assertEqual(second.get_path(), Headnet.Path.DIRECT)
        self.assertEqual(sorted(told), ["endpoint", "path", "relay"])
        self.assertEqual(self.service.count("GetPeers"), 1)

    def test_gap_asks_once(self):
        path, _client, tailnet = self.load()
        self.service.peers[path] = [peer("n7", "p7.test"), peer("n1", "p1.test")]
        second = tailnet.find_peer("n1")
        for generation in (8, 9, 10):
            self.service.tell_peers(path, [peer("n7", "p7.test")], generation=generation)
        iterate_until("the list of now",
                      lambda: names(tailnet.get_peers()) == ["p1.test", "p7.test"])
        self.assertEqual(tailnet.find_peer("n1"), second)
        self.service.tell_peers(path, [peer("n8", "p8.test")])
        iterate_until("the next one", lambda: len(tailnet.get_peers()) == 3)
        self.assertLessEqual(self.service.count("GetPeers"), 3)

    def test_many_changes_at_once(self):
        path, _client, tailnet = self.load()
        self.service.peers[path] = [peer("n9", "p9.test")]
        self.service.tell_peers(path, [])
        iterate_until("the list of now", lambda: names(tailnet.get_peers()) == ["p9.test"])
        self.assertEqual(self.service.count("GetPeers"), 2)

    def test_old_news(self):
        path, _client, tailnet = self.load()
        self.service.tell_peers(path, [], ["n0", "n1"], generation=5)
        self.service.change(path, Name="after")
        iterate_until("the news behind it", lambda: tailnet.get_name() == "after")
        self.assertEqual(len(tailnet.get_peers()), 3)

    def test_restart(self):
        path, client, tailnet = self.load()
        first = tailnet.find_peer("n0")
        peers = tailnet.get_peers()
        self.stop()
        iterate_until("the end", lambda: not client.get_running())
        self.assertEqual(tailnet.get_state(), Headnet.State.STOPPED)
        self.assertEqual((len(peers), tailnet.get_id()), (0, "home"))
        self.assertIsNotNone(first)
        # as a daemon does: all is there when the name is
        begin = library.Service._own
        try:
            library.Service._own = lambda service: None
            self.begin()
            self.service.peers[self.service.add("home", State="starting")] = [peer("n0", "x.test")]
        finally:
            library.Service._own = begin
        self.service.run(self.service._own)
        iterate_until("the new one", client.get_running)
        self.assertEqual(client.get_tailnets()[0], tailnet)
        self.assertEqual(tailnet.get_state(), Headnet.State.STARTING)
        self.assertEqual(tailnet.get_peers(), peers)
        self.assertEqual(names(peers), ["x.test"])
        self.service.tell_peers(path, [], ["n0"])
        iterate_until("news of the new one", lambda: len(peers) == 0)

    def test_calls(self):
        path, client, tailnet = self.load()
        first = tailnet.find_peer("n0")
        answers = self.service.answers
        answers["Ping"] = lambda _path, args: GLib.Variant(
            "(a{sv})", ({"Path": GLib.Variant("s", args[1].get("Kind", "none"))},))
        answers["Netcheck"] = lambda *_: GLib.Variant("(a{sv})", ({"Udp": GLib.Variant("b", True)},))
        answers["GetNetworkConfig"] = lambda *_: GLib.Variant(
            "(a{sv})", ({"Mtu": GLib.Variant("u", 1280)},))
        answers["GetLoginUrl"] = lambda *_: GLib.Variant("(s)", ("https://hs.test/r",))
        answers["CheckServer"] = lambda *_: GLib.Variant(
            "(aa{sv})", ([{"Ok": GLib.Variant("b", False)}],))
        for method in ("SetPreferences", "MonitorPeers", "StopMonitor", "RemoveTailnet"):
            answers[method] = lambda *_: None
        answers["GetPeer"] = lambda *_: GLib.Variant("(a{sv})", (peer(
            "n0", "p0.test", RxBytes=GLib.Variant("t", 42), Latency=GLib.Variant("t", 900)),))
        answers["AddTailnet"] = lambda _path, args: GLib.Variant("(o)", (path,))

        self.assertTrue(tailnet.connect_sync(None, None))
        self.assertTrue(tailnet.connect_sync(
            GLib.Variant("a{sv}", {"Configuration": GLib.Variant("s", "self")}), None))
        self.assertTrue(tailnet.disconnect_sync(None))
        self.assertTrue(tailnet.login_sync(None, None))
        self.assertTrue(tailnet.logout_sync(None))
        self.assertEqual(tailnet.get_login_url_sync(None), "https://hs.test/r")
        self.assertTrue(tailnet.set_preferences_sync(
            GLib.Variant("a{sv}", {"Mtu": GLib.Variant("u", 1400)}), None))
        self.assertEqual(tailnet.ping_sync("p0", GLib.Variant(
            "a{sv}", {"Kind": GLib.Variant("s", "disco")}), None).unpack(), {"Path": "disco"})
        self.assertEqual(tailnet.netcheck_sync(None).unpack(), {"Udp": True})
        self.assertEqual(tailnet.get_network_config_sync(None).unpack(), {"Mtu": 1280})
        self.assertEqual(client.check_server_sync("https://x", None, None).unpack(), [{"Ok": False}])
        self.assertEqual(tailnet.get_peer_sync("p0", None), first)
        self.assertEqual((first.get_rx_bytes(), first.get_latency()), (42, 900))
        self.assertTrue(tailnet.monitor_peers_sync(["p0"], 500, None))
        self.assertTrue(tailnet.stop_monitor_sync(None))
        self.assertTrue(client.remove_tailnet_sync(tailnet, None))
        self.assertTrue(client.start_sync(None))
        last = [(method, args) for method, _path, args in self.service.calls]
        for expected in (("Connect", ({"Configuration": "self"},)), ("Disconnect", ()),
                         ("SetPreferences", ({"Mtu": 1400},)), ("MonitorPeers", (["p0"], 500)),
                         ("RemoveTailnet", (path,)), ("Login", ({},))):
            self.assertIn(expected, last)

    def test_stats(self):
        path, _client, tailnet = self.load()
        first = tailnet.find_peer("n0")
        self.service._emit(path, library.fake.TAILNET, "PeerStats", GLib.Variant("(aa{sv})", ([{
            "Id": GLib.Variant("s", "n0"), "Path": GLib.Variant("s", "direct"),
            "Endpoint": GLib.Variant("s", "1.2.3.4:5"), "TxBytes": GLib.Variant("t", 77)}],)))
        iterate_until("counters", lambda: first.get_tx_bytes() == 77)
        self.assertEqual((first.get_name(), first.get_endpoint(), first.get_relay()),
                         ("p0.test", "1.2.3.4:5", ""))

    def test_refused(self):
        _path, _client, tailnet = self.load()

        def refuse(*_):
            raise Refused("NotAuthorized", "You may not do that")

        self.service.answers["Connect"] = refuse
        with self.assertRaises(GLib.Error) as caught:
            tailnet.connect_sync(None, None)
        self.assertTrue(caught.exception.matches(Headnet.error_quark(),
                                                 Headnet.Error.NOT_AUTHORIZED))
        self.assertEqual(caught.exception.message, "You may not do that")
        caught = []

        def done(_tailnet, result):
            try:
                tailnet.connect_finish(result)
            except GLib.Error as error:
                caught.append(error)

        tailnet.connect_async(None, None, done)
        cancelled = Gio.Cancellable()
        cancelled.cancel()
        tailnet.connect_async(None, cancelled, done)
        iterate_until("both", lambda: len(caught) == 2)
        self.assertEqual(sorted(error.domain for error in caught),
                         ["g-io-error-quark", "headnet-error-quark"])

    def test_many(self):
        path, _client, tailnet = self.load()
        count = MANY if not library.sanitizer() else MANY // 10
        self.service.peers[path] = [
            peer(f"n{i}", f"machine-{i:05}.test", ["100.64.1.1", "fd7a::1"]) for i in range(count)]
        begin = time.process_time(), time.monotonic()
        client = Headnet.Client.new_sync(None)
        print(f"# {count} peers: {time.monotonic() - begin[1]:.3f} s, with the service's own work")
        self.assertEqual(len(client.get_tailnets()[0].get_peers()), count)
        del client
        self.assertEqual(len(tailnet.get_peers()), 3)


if __name__ == "__main__":
    world.main(LACKING)
