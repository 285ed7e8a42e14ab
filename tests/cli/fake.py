# SPDX-License-Identifier: GPL-2.0-or-later
"""A service with the interfaces of dbus/ whose state and answers the test writes."""

import os
import threading

from gi.repository import Gio, GLib

from world import SOURCE

NAME = "org.headnet.Headnet1"
ROOT = "/org/headnet/Headnet1"
MANAGER, TAILNET = NAME + ".Manager", NAME + ".Tailnet"

OBJECT_MANAGER = """<node><interface name="org.freedesktop.DBus.ObjectManager">
<method name="GetManagedObjects"><arg type="a{oa{sa{sv}}}" direction="out"/></method>
<signal name="InterfacesAdded"><arg type="o"/><arg type="a{sa{sv}}"/></signal>
<signal name="InterfacesRemoved"><arg type="o"/><arg type="as"/></signal>
</interface></node>"""


class Refused(Exception):
    """An error of the contract: its short name and the sentence."""

    def __init__(self, name, message):
        super().__init__(message)
        self.name = name


def health(item_id, title, text, severity="error"):
    return {"Id": GLib.Variant("s", item_id), "Severity": GLib.Variant("s", severity),
            "Title": GLib.Variant("s", title), "Text": GLib.Variant("s", text),
            "Since": GLib.Variant("x", 0)}


def peer(peer_id, name, addresses=("100.64.0.2",), **more):
    """A peer's dictionary; strings and booleans as they are, the rest as GLib.Variant."""
    values = {"Id": peer_id, "Name": name, "HostName": name.split(".")[0], "Os": "linux",
              "Online": True, "Path": "relay", "Relay": "lab", **more}
    result = {"Addresses": GLib.Variant("as", addresses)}
    for key, value in values.items():
        if isinstance(value, bool):
            value = GLib.Variant("b", value)
        result[key] = GLib.Variant("s", value) if isinstance(value, str) else value
    return result


class Service:
    """Runs in a thread of its own. answers: method name -> function of (path, arguments) that
    returns the answer's tuple as GLib.Variant or None, or raises Refused."""

    def __init__(self, address):
        self.tailnets = {}
        self.answers = {}
        self.calls = []
        self.registrations = {}
        self.context = GLib.MainContext.new()
        self.loop = GLib.MainLoop.new(self.context, False)
        self.ready = threading.Event()
        self.connection = None
        self.address = address
        self.infos = {}
        for interface in (MANAGER, TAILNET):
            with open(os.path.join(SOURCE, "dbus", f"{interface}.xml"), encoding="utf-8") as file:
                node = Gio.DBusNodeInfo.new_for_xml(file.read())
            self.infos[interface] = node.interfaces[0]
        self.infos["objects"] = Gio.DBusNodeInfo.new_for_xml(OBJECT_MANAGER).interfaces[0]
        self.answers.update({
            "Connect": lambda path, args: None, "Disconnect": lambda path, args: None,
            "Login": lambda path, args: None, "Logout": lambda path, args: None,
            "GetPeers": self._get_peers, "GetPeer": self._get_peer,
        })
        self.peers = {}
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.ready.wait(10)

    def _run(self):
        self.context.push_thread_default()
        flags = (Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
                 | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
        self.connection = Gio.DBusConnection.new_for_address_sync(self.address, flags, None, None)
        self.connection.set_exit_on_close(False)
        self._register(ROOT, "objects")
        self._register(ROOT, MANAGER)
        self._own()
        self.ready.set()
        self.loop.run()
        self.connection.close_sync(None)

    def _own(self, method="RequestName", parameters=None):
        self.connection.call_sync("org.freedesktop.DBus", "/", "org.freedesktop.DBus", method,
                                  parameters or GLib.Variant("(su)", (NAME, 0)), None, 0, -1, None)

    def run(self, function):
        """Runs it in the service's thread, and waits."""
        done = threading.Event()

        def call(*_args):
            function()
            done.set()
            return False

        self.context.invoke_full(GLib.PRIORITY_DEFAULT, call)
        assert done.wait(10)

    def close(self):
        self.run(self.loop.quit)
        self.thread.join(10)

    # the objects

    def _register(self, path, interface):
        number = self.connection.register_object(path, self.infos[interface], self._on_call,
                                                 self._on_get, None)
        self.registrations.setdefault(path, []).append(number)

    def add(self, tailnet_id, **properties):
        """A tailnet; values as GLib.Variant, or text and booleans as they are."""
        path = f"{ROOT}/tailnet/{tailnet_id}"
        values = {
            "Id": tailnet_id, "Name": tailnet_id, "ServerUrl": "https://hs.test",
            "State": "stopped", "StateReason": "", "LoginPending": False, "Domain": "",
            "NodeName": "", "User": GLib.Variant("a{sv}", {}), "Addresses": GLib.Variant("as", []),
            "Interface": "", "HomeRelay": GLib.Variant("a{sv}", {}),
            "KeyExpiry": GLib.Variant("x", 0), "ExitNode": "",
            "Health": GLib.Variant("aa{sv}", []), "Preferences": GLib.Variant("a{sv}", {}),
            "PeerCount": GLib.Variant("u", 0), "PeersGeneration": GLib.Variant("t", 0)}
        values.update(properties)
        self.tailnets[path] = {key: self._variant(value) for key, value in values.items()}

        def publish():
            self._register(path, TAILNET)
            self._emit(ROOT, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded",
                       GLib.Variant("(oa{sa{sv}})", (path, {TAILNET: self.tailnets[path]})))

        self.run(publish)
        return path

    def remove(self, path):
        del self.tailnets[path]

        def withdraw():
            for number in self.registrations.pop(path):
                self.connection.unregister_object(number)
            self._emit(ROOT, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved",
                       GLib.Variant("(oas)", (path, [TAILNET])))

        self.run(withdraw)

    @staticmethod
    def _variant(value):
        if isinstance(value, bool):
            return GLib.Variant("b", value)
        return GLib.Variant("s", value) if isinstance(value, str) else value

    def _emit(self, path, interface, signal, parameters):
        self.connection.emit_signal(None, path, interface, signal, parameters)

    def change(self, path, **properties):
        """New values, told as one signal. Callable in answers as well as in the test."""
        changed = {key: self._variant(value) for key, value in properties.items()}
        self.tailnets[path].update(changed)
        self._emit(path, "org.freedesktop.DBus.Properties", "PropertiesChanged",
                   GLib.Variant("(sa{sv}as)", (TAILNET, changed, [])))

    def change_peers(self, path, changed, removed=()):
        self._emit(path, TAILNET, "PeersChanged",
                   GLib.Variant("(taa{sv}as)", (1, list(changed), list(removed))))

    # what is asked of them

    def _get_peers(self, path, _args):
        return GLib.Variant("(taa{sv})", (1, self.peers.get(path, [])))

    def _get_peer(self, path, args):
        for found in self.peers.get(path, []):
            if args[0] in (found["Name"].unpack(), found["HostName"].unpack()):
                return GLib.Variant("(a{sv})", (found,))
        raise Refused("NotFound", f"There is no peer {args[0]}")

    def _on_get(self, _connection, _sender, path, _interface, name):
        if path == ROOT:
            return (GLib.Variant("s", "9.9") if name == "Version"
                    else GLib.Variant("ao", list(self.tailnets)))
        return self.tailnets[path][name]

    def _on_call(self, _connection, _sender, path, interface, method, parameters, invocation):
        if method == "GetManagedObjects":
            objects = {p: {TAILNET: values} for p, values in self.tailnets.items()}
            objects[ROOT] = {MANAGER: {"Version": GLib.Variant("s", "9.9")}}
            invocation.return_value(GLib.Variant("(a{oa{sa{sv}}})", (objects,)))
            return
        arguments = parameters.unpack()
        self.calls.append((method, path, arguments))
        if method not in self.answers:
            invocation.return_dbus_error(f"{NAME}.Error.NotSupported", f"No {method} here")
            return
        try:
            invocation.return_value(self.answers[method](path, arguments))
        except Refused as error:
            invocation.return_dbus_error(f"{NAME}.Error.{error.name}", str(error))
