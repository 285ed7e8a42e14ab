#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What callers can do to the daemon that it did not ask for: floods without a reader, huge and
wrong values, calls whose callers leave. Nothing hangs, memory is bounded, others are served.

On a private bus, with the real polkitd (polkit_world.py). Figures are printed as remarks.
"""

import os
import socket
import threading
import time

from caller import Caller
from polkit_world import (ERROR, FRIEND, MANAGER, MANAGER_PATH, OBJECTS, PROPERTIES, STRANGER,
                          TAILNET, URL, main, read_contract, wait_for)

try:
    from gi.repository import Gio, GLib

    from raw_client import RawClient, options
except ImportError:
    pass  # main() says what is missing

MIB = 1024 * 1024
# How much more memory the daemon may have at the worst moment, when messages of 30 MiB come that
# nobody asked for; and what doing it all again may add to what it has afterwards.
PEAK = 256 * MIB
REST = 16 * MIB
# How long anybody else may wait meanwhile, on a busy machine under a sanitizer.
PATIENCE = 8

# One value of each of several types, for where another is wanted.
WRONG = ("()", "('x',)", "(1, 2)", "(@a{sv} {}, 1)", "(true,)", "([1, 2],)", "(<<<'x'>>>,)",
         "(@a{ss} {'Name': 'x'},)", "({'Name': <@av []>},)", "(@aa{sv} [{}],)")
VALUES = ("<true>", "<''>", "<'x'>", "<1>", "<uint32 1>", "<uint16 1>", "<int64 -1>", "<1.5>",
          "<@as []>", "<[<1>]>", "<@a{sv} {}>", "<<'x'>>", "<objectpath '/x'>", "<byte 1>")
PREFERENCES = {
    "AcceptRoutes": "b", "AcceptDns": "b", "ExitNode": "s", "AllowLanAccess": "b", "Name": "s",
    "HostName": "s", "AdvertiseRoutes": "as", "AdvertiseExitNode": "b", "ShieldsUp": "b",
    "Mtu": "u", "Port": "q", "Mode": "s", "AutoConnect": "b",
}


def type_of(text):
    return GLib.Variant.parse(None, text, None, None).get_type_string()


class Watch:
    """Somebody else meanwhile, who calls all the time and notes how long answers take."""

    def __init__(self, path, uid):
        self.path = path
        self.caller = Caller(uid)
        self.worst = 0
        self.calls = 0
        self.errors = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.ended.is_set():
            begin = time.monotonic()
            # what needs a right asks the bus who is calling
            answer = self.caller.call(self.path, TAILNET, "SetPreferences", "(@a{sv} {},)")
            self.worst = max(self.worst, time.monotonic() - begin)
            self.calls += 1
            if "reply" not in answer:
                self.errors.append(answer)
            self.ended.wait(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_exception):
        self.ended.set()
        self.thread.join(30)
        self.caller.close()


class Tests:
    """Each test_ method is a case."""

    def __init__(self, world):
        self.world = world
        self.root = Caller(0)
        self.world.set_rule("")
        answer = self.root.call(MANAGER_PATH, MANAGER, "AddTailnet",
                                "({'ServerUrl': <'%s'>, 'Name': <'home'>},)" % URL)
        assert "reply" in answer, answer
        self.home = answer["reply"].split("'")[1]
        # who starts with the first call that needs polkit pays for its library
        stranger = self.raw(STRANGER)
        stranger.call(self.home, TAILNET, "Disconnect")
        stranger.close()

    def raw(self, uid=STRANGER):
        return RawClient(self.world.socket, uid)

    def path_of(self, interface):
        return MANAGER_PATH if interface == MANAGER else self.home

    def memory(self, what="VmRSS"):
        with open(f"/proc/{self.world.daemon.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(what + ":"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError(f"no {what}")

    def attack(self, name, function, other_uid=0):
        """Runs @function twice while somebody else calls, and judges what it cost them and the
        daemon."""
        before = self.memory()
        with open(f"/proc/{self.world.daemon.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")  # the peak counts from here
        rest = []
        with Watch(self.home, other_uid) as other:
            for _ in range(2):
                function()
                # the last of it has been worked off when somebody new is answered
                newcomer = self.raw(0)
                assert "reply" in newcomer.call(self.home, TAILNET, "GetNetworkConfig")
                newcomer.close()
                rest.append(self.memory())
        assert self.world.is_alive()
        peak, again = self.memory("VmHWM") - before, rest[1] - rest[0]
        text = (f"others waited {other.worst * 1000:.0f} ms at most; memory +{peak / MIB:.1f} MiB "
                f"at most, {again / MIB:+.1f} MiB when it is done again")
        print(f"# {name}: {text} ({other.calls} calls of others)", flush=True)
        self.world.note(name, "strangers", text)
        assert not other.errors, other.errors[:3]
        assert other.calls > 0 and other.worst < PATIENCE, text
        assert peak < PEAK and again < REST, text

    def test_flood_without_reading(self):
        """Thousands of calls of several connections, none of which reads a single answer."""
        clients = [self.raw() for _ in range(4)]
        calls = [RawClient.make(self.home, TAILNET, "GetPeers"),
                 RawClient.make(MANAGER_PATH, OBJECTS, "GetManagedObjects"),
                 RawClient.make(self.home, PROPERTIES, "GetAll", GLib.Variant("(s)", (TAILNET,))),
                 RawClient.make(self.home, TAILNET, "Explode")]

        def flood():
            end = time.monotonic() + 2
            while time.monotonic() < end:
                for client in clients:
                    for blob in calls:
                        client.send(blob)

        self.attack("4 connections that call as fast as they can and read no answer", flood)
        print(f"# {sum(client.serial for client in clients)} calls", flush=True)
        for client in clients:
            client.close()

    def test_flood_of_questions(self):
        """Calls that need polkit, which is slow to answer, over more connections than one user
        needs. The bus lets the daemon wait for 128 answers of polkit at a time: one user must not
        use them up, or others are refused what they have a right to."""
        self.world.set_rule("polkit.spawn(['sleep', '0.1']); return polkit.Result.NO;",
                            "return polkit.Result.YES;")
        blob = RawClient.make(self.home, TAILNET, "Disconnect")
        answers = []

        def flood():
            clients = [self.raw() for _ in range(6)]
            for client in clients:
                client.send(blob, 100)
            # too many are under way: the last call of each is answered at once
            answers.extend(client.answer(client.serial, 30) for client in clients)
            time.sleep(1)
            for client in clients:
                client.close()

        self.attack("6 connections with 100 calls each that polkit has to think about", flood,
                    FRIEND)
        for answer in answers:
            assert answer["error"] == ERROR + "Busy", answer
            self.world.note("Disconnect, the 65th at once", "another user", answer)
        # what is left are questions about those who are gone
        self.world.set_rule("")
        client = self.raw()
        begin = time.monotonic()
        answer = client.call(self.home, TAILNET, "Disconnect")
        print(f"# the same user is answered after {time.monotonic() - begin:.1f} s", flush=True)
        assert answer["error"] == ERROR + "NotAuthorized", answer
        client.close()

    def test_huge_questions(self):
        """Arguments of 30 MiB are not kept while polkit thinks about their sender."""
        self.world.set_rule("if (action.id == 'org.headnet.Headnet1.enrol') {"
                            " polkit.spawn(['sleep', '1']); return polkit.Result.NO; }")
        client = self.raw()
        blob = RawClient.make(self.home, TAILNET, "Login",
                              options(AuthKey=GLib.Variant("s", "x" * (30 * MIB))))
        answers = []

        def flood():
            client.socket.settimeout(60)
            serials = [client.send(blob) for _ in range(6)]
            answers.extend(client.answer(serial, 60) for serial in serials)

        try:
            self.attack("6 calls of Login with keys of 30 MiB", flood)
        finally:
            self.world.set_rule("")
        for answer in answers:
            assert answer and answer["error"] == ERROR + "InvalidArgument", answer
            self.world.note("Login with a key of 30 MiB", "another user", answer)
        client.close()

    def test_huge_values(self):
        """What the bus lets through is refused by its size, whoever sends it."""
        text = GLib.Variant("s", "x" * (30 * MIB))
        many = GLib.Variant("as", ["10.0.0.0/8"] * 100000)
        keys = GLib.Variant("a{sv}", {f"Key{i}": GLib.Variant("b", True) for i in range(100000)})
        calls = [
            ("GetPeer with a name of 30 MiB", TAILNET, "GetPeer", GLib.Variant.new_tuple(text)),
            ("SetPreferences Name of 30 MiB", TAILNET, "SetPreferences", options(Name=text)),
            ("SetPreferences AdvertiseRoutes with 100,000 routes", TAILNET, "SetPreferences",
             options(AdvertiseRoutes=many)),
            ("SetPreferences with 100,000 keys", TAILNET, "SetPreferences",
             GLib.Variant.new_tuple(keys)),
            ("AddTailnet with a certificate of 30 MiB", MANAGER, "AddTailnet",
             options(ServerUrl=GLib.Variant("s", URL), CaCertificate=text)),
            ("CheckServer with an address of 30 MiB", MANAGER, "CheckServer",
             GLib.Variant.new_tuple(text, GLib.Variant("a{sv}", {}))),
        ]

        def send():
            for uid, who in ((0, "root"), (STRANGER, "another user")):
                client = self.raw(uid)
                client.socket.settimeout(60)
                for what, interface, method, arguments in calls:
                    answer = client.call(self.path_of(interface), interface, method, arguments)
                    self.world.note(what, who, answer)
                    assert answer["error"] == ERROR + "InvalidArgument", (what, answer)
                    assert len(answer["message"]) < 1000, what
                client.close()

        self.attack("12 calls with values of up to 30 MiB", send)

    def test_what_the_bus_refuses(self):
        """Messages that are none: the bus throws the sender out, the daemon never sees them."""
        deep = GLib.Variant("v", GLib.Variant("b", True))
        for _ in range(70):
            deep = GLib.Variant("v", deep)
        name = RawClient.make(self.home, TAILNET, "GetPeer", GLib.Variant("(s)", ("abcdefgh",)))
        spoiled = bytearray(bytes(name).replace(b"abcdefgh", b"ab\xff\xfeefgh"))
        huge = bytearray(name)
        huge[4:8] = (64 * MIB).to_bytes(4, "little")
        cases = [("a string of 64 MiB", huge), ("a string that is not UTF-8", spoiled)]
        try:
            cases.append(("variants 71 deep", RawClient.make(
                self.home, TAILNET, "SetPreferences", options(Name=deep))))
        except GLib.Error:
            pass  # newer libraries do not even write it
        for what, blob in cases:
            client = self.raw()
            client.send(blob)
            assert client.is_thrown_out(), what
            client.close()
            self.world.note(f"GetPeer or SetPreferences with {what}", "another user",
                            "the bus ends the connection; nothing reaches the daemon")
        assert self.world.is_alive()

    def test_wrong_types(self):
        """Every method with arguments of other types, and every key with values of other types."""
        callers = ((Caller(0), "root"), (Caller(STRANGER), "another user"))
        for caller, who in callers:
            for (interface, method), signature in sorted(read_contract().items()):
                wrong = [text for text in WRONG if type_of(text) != signature]
                for arguments in wrong:
                    answer = caller.call(self.path_of(interface), interface, method, arguments)
                    assert answer.get("error") == "org.freedesktop.DBus.Error.InvalidArgs", (
                        method, arguments, answer)
                self.world.note(f"{method} with {len(wrong)} wrong signatures", who, "InvalidArgs")
        caller = callers[0][0]
        for key, signature in sorted(PREFERENCES.items()):
            wrong = [text for text in VALUES if type_of(text[1:-1]) != signature]
            for value in wrong:
                answer = caller.call(self.home, TAILNET, "SetPreferences", "({'%s': %s},)"
                                     % (key, value))
                assert answer.get("error") == ERROR + "InvalidArgument", (key, value, answer)
            self.world.note(f"SetPreferences {key} with {len(wrong)} values of other types",
                            "root", "InvalidArgument")
        for caller, _who in callers:
            caller.close()

    def test_forged_messages(self):
        """Signals and answers that only the bus or polkit may send change nothing."""
        manager = Caller(0)
        gone = "whoever managed its network has left the bus"
        options_text = "({'Configuration': <'networkmanager'>},)"
        assert "reply" in manager.call(self.home, TAILNET, "Connect", options_text)
        owner = self.root.call("/org/freedesktop/DBus", "org.freedesktop.DBus", "GetNameOwner",
                               "('org.headnet.Headnet1',)", destination="org.freedesktop.DBus")
        daemon = owner["reply"].split("'")[1]
        client = self.raw()
        forged = Gio.DBusMessage.new_signal("/org/freedesktop/DBus", "org.freedesktop.DBus",
                                            "NameOwnerChanged")
        forged.set_destination(daemon)
        client.send(RawClient.to_bytes(forged, GLib.Variant(
            "(sss)", (manager.name, manager.name, ""))))
        answer = Gio.DBusMessage.new()
        answer.set_message_type(Gio.DBusMessageType.METHOD_RETURN)
        answer.set_destination(daemon)
        for serial in range(1, 200):
            answer.set_reply_serial(serial)
            client.send(RawClient.to_bytes(answer, GLib.Variant("(u)", (0,))))
        assert "reply" in client.call(self.home, TAILNET, "GetNetworkConfig")
        assert gone not in self.world.read_log()
        self.world.note("a forged NameOwnerChanged and 199 forged answers", "another user",
                        "nothing: the tailnet stays connected")
        client.close()
        # and the true one does
        manager.close()
        wait_for(lambda: gone in self.world.read_log(), "the end of it")
        self.world.note("Connect as networkmanager, then leave the bus", "root",
                        "the tailnet is disconnected")

    def test_callers_leave(self):
        """A server that never answers, and callers that do not wait for it: what they began goes on
        or ends, and nobody else waits."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        answer = self.root.call(MANAGER_PATH, MANAGER, "AddTailnet",
                                "({'ServerUrl': <'%s'>, 'Name': <'mute'>},)" % url)
        mute = answer["reply"].split("'")[1]
        calls = [(mute, TAILNET, "Login", "({'AuthKey': <'hskey-auth-mute'>},)"),
                 (mute, TAILNET, "Connect", "(@a{sv} {},)"),
                 (mute, TAILNET, "Login", "({'AuthKey': <'hskey-auth-mute'>},)"),
                 (MANAGER_PATH, MANAGER, "CheckServer", "('%s', @a{sv} {})" % url),
                 (mute, TAILNET, "Logout", None)]

        def leave():
            for call in calls:
                leaver = Caller(0)
                leaver.send(*call)
                time.sleep(0.2)
                leaver.close()

        self.attack("callers that leave during Login, Connect, CheckServer and Logout", leave)
        begin = time.monotonic()
        answer = self.root.call(MANAGER_PATH, MANAGER, "RemoveTailnet", f"(objectpath '{mute}',)")
        assert "reply" in answer, answer
        assert time.monotonic() - begin < 15
        listener.close()

    def test_many_checks_at_once(self):
        """CheckServer with a server that never answers: eight at a time, the others are told so."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = self.raw(0)
        blob = RawClient.make(MANAGER_PATH, MANAGER, "CheckServer",
                              GLib.Variant("(sa{sv})", (url, {})))
        answers = []

        def check():
            last = client.send(blob, 20)
            answers.append(client.answer(last))
            time.sleep(1)

        self.attack("20 calls of CheckServer with a server that never answers", check)
        assert answers[0]["error"] == ERROR + "Busy", answers
        self.world.note("CheckServer, the ninth at once", "root", answers[0])
        client.close()
        # those under way end by themselves
        listener.close()
        wait_for(lambda: "reply" in self.root.call(
            MANAGER_PATH, MANAGER, "CheckServer", "('%s', @a{sv} {})" % URL), "an end", 30)

    def test_descriptors(self):
        """Connections that came and went leave nothing behind."""
        folder = f"/proc/{self.world.daemon.pid}/fd"
        before = len(os.listdir(folder))
        for _ in range(50):
            client = self.raw()
            client.send(RawClient.make(self.home, TAILNET, "Connect", options()), 3)
            client.close()
        wait_for(lambda: len(os.listdir(folder)) <= before, "descriptors as before")

    def test_daemon_ends_well(self):
        assert "hskey-auth" not in self.world.stop_daemon()


if __name__ == "__main__":
    main(Tests)
