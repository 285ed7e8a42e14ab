#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The library and the real daemon, without a server: started by the bus when it is asked for, never
by looking."""

import os
import signal

import library
import world

LACKING = "" if os.path.exists(library.TYPELIB) else "built without introspection"
if not LACKING:
    library.enter()

import gi  # noqa: E402
from gi.repository import Gio, GLib  # noqa: E402

if not LACKING:
    gi.require_version("Headnet", "1.0")
    from gi.repository import Headnet

NAME = "org.headnet.Headnet1"
# Nobody listens there.
CLOSED = "http://127.0.0.1:9"


class Daemon(world.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.bus.directory
        for name in ("state", "run"):
            os.mkdir(os.path.join(folder, name), mode=0o700)
        with open(f"{folder}/services/{NAME}.service", "w", encoding="utf-8") as file:
            file.write(f"[D-BUS Service]\nName={NAME}\nExec=/usr/bin/env STATE_DIRECTORY={folder}/state"
                       f" RUNTIME_DIRECTORY={folder}/run {world.HEADNETD}\n")
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = cls.bus.address
        cls.connection = Gio.bus_get_sync(Gio.BusType.SYSTEM)
        cls.connection.set_exit_on_close(False)
        # the bus reads its folder of services when it is told so
        cls.ask_bus("ReloadConfig", None)

    @classmethod
    def ask_bus(cls, method, parameters):
        return cls.connection.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus",
                                        "org.freedesktop.DBus", method, parameters, None, 0, -1)

    def end_daemon(self):
        pid = self.ask_bus("GetConnectionUnixProcessID", GLib.Variant("(s)", (NAME,))).unpack()[0]
        os.kill(pid, signal.SIGTERM)
        world.wait_for("the daemon ends", lambda: not self.bus.has_owner())

    def test_life(self):
        client = Headnet.Client.new_sync(None)
        self.assertFalse(client.get_running())
        self.assertFalse(self.bus.has_owner())
        self.assertTrue(client.start_sync(None))
        self.assertTrue(client.get_running())
        self.assertRegex(client.get_version(), r"\d+\.\d+")

        tailnet = client.add_tailnet_sync(GLib.Variant("a{sv}", {
            "ServerUrl": GLib.Variant("s", CLOSED), "Name": GLib.Variant("s", "Home")}), None)
        self.assertEqual(tailnet, client.get_tailnets()[0])
        self.assertEqual((tailnet.get_id(), tailnet.get_server_url()), ("home", CLOSED))
        self.assertEqual(tailnet.get_preferences().unpack()["Mtu"], 0)
        self.assertEqual(len(tailnet.get_peers()), 0)
        added = []
        client.add_tailnet_async(
            GLib.Variant("a{sv}", {"ServerUrl": GLib.Variant("s", CLOSED + "1"),
                                   "Name": GLib.Variant("s", "Away")}), None,
            lambda _client, result: added.append(client.add_tailnet_finish(result)))
        self.iterate_until(lambda: added)
        self.assertEqual([t.get_name() for t in client.get_tailnets()], ["Away", "Home"])

        self.assertTrue(tailnet.set_preferences_sync(
            GLib.Variant("a{sv}", {"Mtu": GLib.Variant("u", 1400)}), None))
        self.iterate_until(lambda: tailnet.get_preferences().unpack()["Mtu"] == 1400)
        with self.assertRaises(GLib.Error) as caught:
            tailnet.get_peer_sync("nobody", None)
        self.assertTrue(caught.exception.matches(Headnet.error_quark(), Headnet.Error.NOT_FOUND))
        with self.assertRaises(GLib.Error) as caught:
            tailnet.ping_sync("nobody", None, None)
        self.assertTrue(caught.exception.matches(Headnet.error_quark(),
                                                 Headnet.Error.NOT_CONNECTED))

        # what a person asks for starts it again, and the tailnet is the same
        self.end_daemon()
        self.iterate_until(lambda: not client.get_running())
        self.assertEqual(tailnet.get_state(), Headnet.State.STOPPED)
        self.assertTrue(tailnet.disconnect_sync(None))
        self.iterate_until(client.get_running)
        self.assertEqual(client.find_tailnet("Home"), tailnet)
        self.assertEqual(tailnet.get_state(), Headnet.State.NEEDS_LOGIN)
        self.assertTrue(client.remove_tailnet_sync(added[0], None))
        self.iterate_until(lambda: len(client.get_tailnets()) == 1)
        self.end_daemon()

    @staticmethod
    def iterate_until(condition):
        library.iterate_until("the news", condition)


if __name__ == "__main__":
    world.main(LACKING)
