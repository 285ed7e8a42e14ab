#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may do what: calls every method of the real daemon as root and as a stranger.

On a private bus, with the real polkitd (polkit_world.py).
"""

import time

from caller import Caller
from polkit_world import (ERROR, MANAGER, MANAGER_PATH, OBJECTS, PROPERTIES, STRANGER, TAILNET, URL,
                          is_refused, main, read_contract)

# Each method: the right it needs, and arguments that do no harm. A method of the XML that is not
# here is an error.
METHODS = {
    (MANAGER, "AddTailnet"): ("enrol", "({'ServerUrl': <'%s'>, 'Name': <'other'>},)" % URL),
    (MANAGER, "RemoveTailnet"): ("enrol", "(objectpath '/org/headnet/Headnet1/tailnet/other',)"),
    (MANAGER, "CheckServer"): ("enrol", "('%s', @a{sv} {})" % URL),
    (TAILNET, "Connect"): ("connect", "(@a{sv} {},)"),
    (TAILNET, "Disconnect"): ("connect", None),
    (TAILNET, "Login"): ("enrol", "({'AuthKey': <'hskey-auth-wrong'>},)"),
    (TAILNET, "GetLoginUrl"): ("enrol", None),
    (TAILNET, "Logout"): ("enrol", None),
    (TAILNET, "SetPreferences"): ("preferences", "(@a{sv} {},)"),
    (TAILNET, "GetPeers"): ("open", None),
    (TAILNET, "GetPeer"): ("open", "('nobody',)"),
    (TAILNET, "MonitorPeers"): ("open", "(@as [], uint32 1000)"),
    (TAILNET, "StopMonitor"): ("open", None),
    (TAILNET, "Ping"): ("connect", "('nobody', @a{sv} {})"),
    (TAILNET, "Netcheck"): ("connect", None),
    (TAILNET, "GetNetworkConfig"): ("open", None),
}
PREFERENCES = {
    "AcceptRoutes": ("preferences", "<false>"),
    "AcceptDns": ("preferences", "<true>"),
    "ExitNode": ("preferences", "<''>"),
    "AllowLanAccess": ("preferences", "<false>"),
    "Name": ("enrol", "<'home'>"),
    "HostName": ("enrol", "<''>"),
    "AdvertiseRoutes": ("enrol", "<@as []>"),
    "AdvertiseExitNode": ("enrol", "<false>"),
    "ShieldsUp": ("enrol", "<false>"),
    "Mtu": ("enrol", "<uint32 0>"),
    "Port": ("enrol", "<uint16 0>"),
    "Mode": ("enrol", "<'tun'>"),
    "AutoConnect": ("enrol", "<false>"),
}


class Tests:
    """Each test_ method is a case."""

    def __init__(self, world):
        self.world = world
        self.root = Caller(0)
        self.stranger = Caller(STRANGER)
        answer = self.root.call(MANAGER_PATH, MANAGER, "AddTailnet",
                                "({'ServerUrl': <'%s'>, 'Name': <'home'>},)" % URL)
        assert "reply" in answer, answer
        self.home = "/org/headnet/Headnet1/tailnet/home"
        assert self.home in answer["reply"], answer

    def path_of(self, interface):
        return MANAGER_PATH if interface == MANAGER else self.home

    def call_all(self, caller, allowed, who, **kwargs):
        """Calls each method; exactly those with a right in @allowed must not be refused."""
        for (interface, method), (right, arguments) in sorted(METHODS.items()):
            answer = caller.call(self.path_of(interface), interface, method, arguments, **kwargs)
            assert answer.get("error") != "local", (method, answer)
            assert is_refused(answer) == (right not in allowed), (method, answer)
            self.world.note(method, who, answer)
        for key, (right, value) in sorted(PREFERENCES.items()):
            answer = caller.call(self.home, TAILNET, "SetPreferences", "({'%s': %s},)"
                                 % (key, value), **kwargs)
            assert is_refused(answer) == (right not in allowed), (key, answer)
            self.world.note(f"SetPreferences {key}", who, answer)
            if right in allowed:
                assert "reply" in answer, (key, answer)

    def test_contract_is_covered(self):
        assert set(read_contract()) == set(METHODS), set(read_contract()) ^ set(METHODS)

    def test_stranger_has_what_is_open(self):
        self.world.set_rule("")
        self.call_all(self.stranger, {"open"}, "another user")

    def test_asking_for_a_password_needs_somebody_to_ask(self):
        self.call_all(self.stranger, {"open"}, "another user, to be asked, without an agent",
                      interactive=True)

    def test_root_has_all(self):
        self.call_all(self.root, {"open", "connect", "preferences", "enrol"}, "root")

    def test_rules_open_one_right(self):
        for right in ("connect", "preferences", "enrol"):
            self.world.set_rule("if (action.id == 'org.headnet.Headnet1.%s')"
                                " return polkit.Result.YES;" % right)
            self.call_all(self.stranger, {"open", right}, f"another user with the right {right}")

    def test_mixed_preferences_need_the_stricter(self):
        self.world.set_rule("if (action.id == 'org.headnet.Headnet1.preferences')"
                            " return polkit.Result.YES;")
        mixed = "({'AcceptDns': <true>, 'AutoConnect': <false>},)"
        assert is_refused(self.stranger.call(self.home, TAILNET, "SetPreferences", mixed))
        alone = "({'AcceptDns': <true>},)"
        answer = self.stranger.call(self.home, TAILNET, "SetPreferences", alone)
        assert "reply" in answer, answer
        self.world.set_rule("")

    def test_properties_are_open_and_read_only(self):
        answer = self.stranger.call(self.home, PROPERTIES, "GetAll", "('%s',)" % TAILNET)
        assert "'State'" in answer["reply"], answer
        answer = self.stranger.call(MANAGER_PATH, OBJECTS,
                                    "GetManagedObjects")
        assert self.home in answer["reply"], answer
        for caller in (self.stranger, self.root):
            answer = caller.call(self.home, PROPERTIES, "Set", "('%s', 'Name', <'x'>)" % TAILNET)
            assert "error" in answer, answer

    def test_no_secret_is_open(self):
        """What a stranger can read has no login URL, key or certificate in it."""
        answer = self.stranger.call(MANAGER_PATH, OBJECTS,
                                    "GetManagedObjects")
        for word in ("AuthKey", "LoginUrl", "CERTIFICATE", "privkey"):
            assert word not in answer["reply"], word

    def test_stranger_can_not_own_the_name(self):
        answer = self.stranger.call("/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
                                    "('org.headnet.Headnet1', uint32 7)",
                                    destination="org.freedesktop.DBus")
        assert answer.get("error") == "org.freedesktop.DBus.Error.AccessDenied", answer

    def test_wrong_types_as_a_stranger(self):
        for method, arguments in (("Connect", "('x',)"), ("GetPeers", "(1, 2)"),
                                  ("SetPreferences", "({'Name': <@av []>},)"),
                                  ("SetPreferences", "({'Nothing': <1>},)"),
                                  ("GetPeer", "('" + "x" * 100000 + "',)"),
                                  ("Explode", None)):
            answer = self.stranger.call(self.home, TAILNET, method, arguments)
            assert "error" in answer and answer["error"] != "local", (method, answer)
        assert self.world.is_alive()

    def slow_rule(self, right):
        self.world.set_rule("if (action.id == 'org.headnet.Headnet1.%s') {"
                            " polkit.spawn(['sleep', '1']); return polkit.Result.YES; }" % right)

    def test_caller_leaves_during_the_check(self):
        self.slow_rule("connect")
        caller = Caller(STRANGER)
        for _ in range(3):
            caller.send(self.home, TAILNET, "Connect", "(@a{sv} {},)")
        time.sleep(0.3)
        caller.close()
        time.sleep(1.5)
        assert self.world.is_alive()
        answer = self.root.call(self.home, TAILNET, "Disconnect")
        assert "reply" in answer, answer

    def test_tailnet_goes_during_the_check(self):
        self.slow_rule("connect")
        answer = self.root.call(MANAGER_PATH, MANAGER, "AddTailnet",
                                "({'ServerUrl': <'%s'>, 'Name': <'short'>},)" % URL)
        path = answer["reply"].split("'")[1]
        self.stranger.send(path, TAILNET, "Connect", "(@a{sv} {},)")
        time.sleep(0.3)
        answer = self.root.call(MANAGER_PATH, MANAGER, "RemoveTailnet", f"(objectpath '{path}',)")
        assert "reply" in answer, answer
        answer = self.stranger.receive()
        assert answer.get("error") == ERROR + "NotFound", answer
        self.world.set_rule("")

    def test_without_polkit(self):
        """Last but one: polkitd does not come back."""
        self.world.set_rule("return polkit.Result.YES;")
        self.world.polkitd.terminate()
        self.world.polkitd.wait()
        self.call_all(self.stranger, {"open"}, "another user, polkitd gone")
        self.call_all(self.root, {"open", "connect", "preferences", "enrol"}, "root, polkitd gone")

    def test_daemon_ends_well(self):
        assert "hskey-auth-wrong" not in self.world.stop_daemon()


if __name__ == "__main__":
    main(Tests)
