#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may do what: calls every method of the real daemon as root and as a stranger.

A private bus with the bus policy of the project, the real polkitd with its actions, all in name
spaces of their own. HEADNETD names another daemon than that of HEADNET_BUILD.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("HEADNET_SOURCE", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("HEADNET_BUILD", os.path.join(SOURCE, "build"))
HEADNETD = os.environ.get("HEADNETD", os.path.join(BUILD, "daemon", "headnetd"))
POLICY = os.path.join(BUILD, "data", "org.headnet.Headnet1.policy")
POLKITD = next((path for path in ("/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd")
                if os.path.exists(path)), None)

MANAGER_PATH = "/org/headnet/Headnet1"
MANAGER = "org.headnet.Headnet1.Manager"
TAILNET = "org.headnet.Headnet1.Tailnet"
PROPERTIES = "org.freedesktop.DBus.Properties"
ERROR = "org.headnet.Headnet1.Error."
STRANGER = 65534
# Nobody listens there, and nobody could: the name space has no network.
URL = "http://127.0.0.1:9"

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
    (TAILNET, "Ping"): ("connect", "('nobody', @a{sv} {})"),
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

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <auth>EXTERNAL</auth>
  <listen>unix:path={directory}/bus</listen>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <include>/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf</include>
  <include>{source}/data/org.headnet.Headnet1.conf</include>
</busconfig>
"""


def skip(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def missing():
    """What this machine lacks for the test, or None."""
    if os.getuid() != 0:
        return "needs root"
    for program in ("dbus-daemon", "unshare", "setpriv", "mount"):
        if shutil.which(program) is None:
            return f"needs {program}"
    if POLKITD is None:
        return "needs polkitd"
    if not os.path.exists("/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf"):
        return "needs the bus policy of polkitd"
    if not os.path.exists(HEADNETD):
        return f"needs {HEADNETD}"
    try:
        from gi.repository import Gio  # noqa: F401 pylint: disable=import-outside-toplevel
    except ImportError:
        return "needs python3-gi"
    probe = ["unshare", "--mount", "--net", "--pid", "--fork", "true"]
    if subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        return "may not make name spaces"
    return None


class World:
    """A bus, a polkitd and a daemon; everything dies with the PID name space."""

    def __init__(self, directory):
        self.directory = directory
        self.polkitd = None
        self.daemon = None
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={directory}/bus"
        self.stage_actions()
        self.start_bus()
        self.start_polkitd()
        self.start_daemon()

    def stage_actions(self):
        actions = "/usr/share/polkit-1/actions"
        kept = os.path.join(self.directory, "actions")
        shutil.copytree(actions, kept)
        shutil.copy(POLICY, kept)
        subprocess.run(["mount", "--bind", kept, actions], check=True)
        self.rules = os.path.join(self.directory, "rules")
        for path in ("/etc/polkit-1/rules.d", "/usr/share/polkit-1/rules.d"):
            os.makedirs(self.rules, exist_ok=True)
            if os.path.isdir(path):
                subprocess.run(["mount", "--bind", self.rules, path], check=True)

    def start_bus(self):
        config = os.path.join(self.directory, "bus.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(BUS_CONFIG.format(directory=self.directory, source=SOURCE))
        with open(os.path.join(self.directory, "bus.log"), "w", encoding="utf-8") as log:
            subprocess.Popen(["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile",
                              "--nosyslog"], stderr=log)
        wait_for(lambda: os.path.exists(f"{self.directory}/bus"), "the bus")

    def start_polkitd(self):
        self.polkitd = subprocess.Popen([POLKITD, "--no-debug"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_for(lambda: has_owner("org.freedesktop.PolicyKit1"), "polkitd")

    def start_daemon(self):
        for name in ("state", "run"):
            os.makedirs(os.path.join(self.directory, name), mode=0o700, exist_ok=True)
        environment = dict(os.environ, STATE_DIRECTORY=f"{self.directory}/state",
                           RUNTIME_DIRECTORY=f"{self.directory}/run")
        self.log = open(os.path.join(self.directory, "headnetd.log"), "w+", encoding="utf-8")
        self.daemon = subprocess.Popen([HEADNETD], env=environment, stderr=self.log,
                                       stdout=self.log)
        wait_for(lambda: has_owner("org.headnet.Headnet1"), "headnetd")

    def set_rule(self, body):
        """One rule in JavaScript, for the stranger alone; polkitd sees it after a moment."""
        path = os.path.join(self.rules, "10-test.rules")
        text = ("polkit.addRule(function(action, subject) { if (subject.user == 'nobody') {"
                + body + "} });\n")
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)
        time.sleep(0.7)

    def is_alive(self):
        return self.daemon.poll() is None


def has_owner(name):
    result = subprocess.run(
        ["gdbus", "call", "--system", "-d", "org.freedesktop.DBus", "-o", "/", "-m",
         "org.freedesktop.DBus.NameHasOwner", name],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return "true" in result.stdout


def wait_for(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise RuntimeError(f"{what} did not come")


def is_refused(answer):
    return answer.get("error") == ERROR + "NotAuthorized"


def read_contract():
    found = set()
    for name in ("Manager", "Tailnet"):
        tree = ElementTree.parse(os.path.join(SOURCE, "dbus", f"org.headnet.Headnet1.{name}.xml"))
        for interface in tree.getroot().iter("interface"):
            for method in interface.iter("method"):
                found.add((interface.get("name"), method.get("name")))
    return found


class Tests:
    """Each test_ method is a case."""

    def __init__(self, world, caller_class):
        self.world = world
        self.root = caller_class(0)
        self.stranger = caller_class(STRANGER)
        self.caller_class = caller_class
        answer = self.root.call(MANAGER_PATH, MANAGER, "AddTailnet",
                                "({'ServerUrl': <'%s'>, 'Name': <'home'>},)" % URL)
        assert "reply" in answer, answer
        self.home = "/org/headnet/Headnet1/tailnet/home"
        assert self.home in answer["reply"], answer

    def path_of(self, interface):
        return MANAGER_PATH if interface == MANAGER else self.home

    def call_all(self, caller, allowed, **kwargs):
        """Calls each method; exactly those with a right in @allowed must not be refused."""
        for (interface, method), (right, arguments) in sorted(METHODS.items()):
            answer = caller.call(self.path_of(interface), interface, method, arguments, **kwargs)
            assert answer.get("error") != "local", (method, answer)
            assert is_refused(answer) == (right not in allowed), (method, answer)
        for key, (right, value) in sorted(PREFERENCES.items()):
            answer = caller.call(self.home, TAILNET, "SetPreferences", "({'%s': %s},)"
                                 % (key, value), **kwargs)
            assert is_refused(answer) == (right not in allowed), (key, answer)
            if right in allowed:
                assert "reply" in answer, (key, answer)

    def test_contract_is_covered(self):
        assert read_contract() == set(METHODS), read_contract() ^ set(METHODS)

    def test_stranger_has_what_is_open(self):
        self.world.set_rule("")
        self.call_all(self.stranger, {"open"})

    def test_asking_for_a_password_needs_somebody_to_ask(self):
        self.call_all(self.stranger, {"open"}, interactive=True)

    def test_root_has_all(self):
        self.call_all(self.root, {"open", "connect", "preferences", "enrol"})

    def test_rules_open_one_right(self):
        for right in ("connect", "preferences", "enrol"):
            self.world.set_rule("if (action.id == 'org.headnet.Headnet1.%s')"
                                " return polkit.Result.YES;" % right)
            self.call_all(self.stranger, {"open", right})

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
        answer = self.stranger.call(MANAGER_PATH, "org.freedesktop.DBus.ObjectManager",
                                    "GetManagedObjects")
        assert self.home in answer["reply"], answer
        for caller in (self.stranger, self.root):
            answer = caller.call(self.home, PROPERTIES, "Set", "('%s', 'Name', <'x'>)" % TAILNET)
            assert "error" in answer, answer

    def test_no_secret_is_open(self):
        """What a stranger can read has no login URL, key or certificate in it."""
        answer = self.stranger.call(MANAGER_PATH, "org.freedesktop.DBus.ObjectManager",
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
        caller = self.caller_class(STRANGER)
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
        self.call_all(self.stranger, {"open"})
        self.call_all(self.root, {"open", "connect", "preferences", "enrol"})

    def test_daemon_ends_well(self):
        self.world.daemon.send_signal(signal.SIGTERM)
        status = self.world.daemon.wait(timeout=20)
        self.world.log.seek(0)
        text = self.world.log.read()
        assert status == 0, (status, text[-3000:])
        assert "CRITICAL" not in text and "hskey-auth-wrong" not in text, text[-3000:]


def run_inside():
    sys.path.insert(0, HERE)
    from caller import Caller  # pylint: disable=import-outside-toplevel

    directory = tempfile.mkdtemp(prefix="hn-bus-")
    os.chmod(directory, 0o755)
    names = [name for name in vars(Tests) if name.startswith("test_")]
    failed = 0
    print(f"1..{len(names)}", flush=True)
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
        tests = Tests(World(directory), Caller)
        for number, name in enumerate(names, 1):
            try:
                getattr(tests, name)()
                print(f"ok {number} {name}", flush=True)
            except Exception as error:  # pylint: disable=broad-except
                failed += 1
                print(f"not ok {number} {name}", flush=True)
                for line in f"{type(error).__name__}: {error}".splitlines():
                    print(f"# {line}", flush=True)
        if failed:
            for log in ("bus.log", "headnetd.log"):
                with open(os.path.join(directory, log), encoding="utf-8") as file:
                    for line in file.read().splitlines()[-40:]:
                        print(f"# {log}: {line}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if failed else 0


def main():
    if "--inside" in sys.argv:
        sys.exit(run_inside())
    reason = missing()
    if reason is not None:
        skip(reason)
    inside = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
              sys.executable, "-B", os.path.abspath(__file__), "--inside"]
    sys.exit(subprocess.run(inside, check=False).returncode)


if __name__ == "__main__":
    main()
