# SPDX-License-Identifier: GPL-2.0-or-later
"""A private bus with the bus policy of the project, the real polkitd with its actions and the real
daemon, all in name spaces of their own. HEADNETD names another daemon than that of HEADNET_BUILD.

With HEADNET_TABLE=FILE the answers that callers got are added to that file as a Markdown table.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

import system_bus

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("HEADNET_SOURCE", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("HEADNET_BUILD", os.path.join(SOURCE, "build"))
HEADNETD = os.environ.get("HEADNETD", os.path.join(BUILD, "daemon", "headnetd"))
POLICY = os.path.join(BUILD, "data", "org.headnet.Headnet1.policy")
POLKITD = next((path for path in ("/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd")
                if os.path.exists(path)), None)
POLKIT_CONFIG = "/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf"

NAME = "org.headnet.Headnet1"
MANAGER_PATH = "/org/headnet/Headnet1"
MANAGER = "org.headnet.Headnet1.Manager"
TAILNET = "org.headnet.Headnet1.Tailnet"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECTS = "org.freedesktop.DBus.ObjectManager"
ERROR = "org.headnet.Headnet1.Error."
STRANGER = 65534
FRIEND = 1
# Nobody listens there, and nobody could: the name space has no network.
URL = "http://127.0.0.1:9"

TABLE_HEAD = "| method or key | caller | answer |\n|---|---|---|\n"


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
    if not os.path.exists(POLKIT_CONFIG):
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
        self.socket = f"{directory}/bus"
        self.polkitd = None
        self.daemon = None
        self.rows = {}  # (what, answer) -> the callers that got it
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={self.socket}"
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
            file.write(system_bus.format_config(
                self.socket, [POLKIT_CONFIG, f"{SOURCE}/data/{NAME}.conf"]))
        with open(os.path.join(self.directory, "bus.log"), "w", encoding="utf-8") as log:
            subprocess.Popen(["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile",
                              "--nosyslog"], stderr=log)
        wait_for(lambda: os.path.exists(self.socket), "the bus")

    def start_polkitd(self):
        self.polkitd = subprocess.Popen([POLKITD, "--no-debug"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_for(lambda: has_owner("org.freedesktop.PolicyKit1"), "polkitd")

    def start_daemon(self):
        for name in ("state", "run"):
            os.makedirs(os.path.join(self.directory, name), mode=0o700, exist_ok=True)
        # freed memory that the sanitizer holds back would look like memory in use
        environment = dict(os.environ, STATE_DIRECTORY=f"{self.directory}/state",
                           RUNTIME_DIRECTORY=f"{self.directory}/run",
                           ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "abort_on_error=1:"
                                                       "intercept_tls_get_addr=0")
                           + ":quarantine_size_mb=1:allocator_release_to_os_interval_ms=100")
        self.log = open(os.path.join(self.directory, "headnetd.log"), "w", encoding="utf-8")
        self.daemon = subprocess.Popen([HEADNETD], env=environment, stderr=self.log,
                                       stdout=self.log)
        wait_for(lambda: has_owner(NAME), "headnetd")

    def set_rule(self, body, friend=""):
        """The only rule, in JavaScript: @body for the stranger and, if given, @friend for the user
        "daemon". polkitd sees it after a moment."""
        path = os.path.join(self.rules, "10-test.rules")
        text = ("polkit.addRule(function(action, subject) { if (subject.user == 'nobody') {"
                + body + "} if (subject.user == 'daemon') {" + friend + "} });\n")
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)
        time.sleep(0.7)

    def is_alive(self):
        return self.daemon.poll() is None

    def read_log(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop_daemon(self):
        """Ends it as systemd does; returns what it said."""
        self.daemon.terminate()
        status = self.daemon.wait(timeout=20)
        text = self.read_log()
        assert status == 0, (status, text[-3000:])
        assert "CRITICAL" not in text, text[-3000:]
        return text

    def note(self, what, caller, answer):
        """A row of the table. @answer: that of a caller, or a text."""
        if isinstance(answer, dict):
            if "reply" in answer:
                answer = "done"
            else:
                answer = f"{answer['error'].rsplit('.', 1)[-1]}: {answer['message']}"
        what, caller, answer = (" ".join(text.split()).replace("|", "\\|")
                                for text in (what, caller, answer))
        callers = self.rows.setdefault((what, answer), [])
        if caller not in callers:
            callers.append(caller)

    def write_table(self):
        path = os.environ.get("HEADNET_TABLE")
        if not path:
            return
        with open(path, "a", encoding="utf-8") as file:
            # test programs run side by side
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0, os.SEEK_END)
            if not file.tell():
                file.write(TABLE_HEAD)
            file.writelines(f"| {what} | {'; '.join(callers)} | {answer} |\n"
                            for (what, answer), callers in self.rows.items())


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


def read_contract():
    """(interface, method) -> the types of its arguments, of all there is on the bus."""
    found = {}
    for name in ("Manager", "Tailnet"):
        tree = ElementTree.parse(os.path.join(SOURCE, "dbus", f"{NAME}.{name}.xml"))
        for interface in tree.getroot().iter("interface"):
            for method in interface.iter("method"):
                types = [arg.get("type") for arg in method.iter("arg")
                         if arg.get("direction") == "in"]
                found[interface.get("name"), method.get("name")] = f"({''.join(types)})"
    return found


def is_refused(answer):
    return answer.get("error") == ERROR + "NotAuthorized"


def run_inside(tests_class):
    directory = tempfile.mkdtemp(prefix="hn-bus-")
    os.chmod(directory, 0o755)
    only = [argument for argument in sys.argv[1:] if argument.startswith("test_")]
    names = [name for name in vars(tests_class)
             if name.startswith("test_") and (not only or name in only)]
    failed = 0
    print(f"1..{len(names)}", flush=True)
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
        world = World(directory)
        tests = tests_class(world)
        for number, name in enumerate(names, 1):
            try:
                getattr(tests, name)()
                print(f"ok {number} {name}", flush=True)
            except Exception as error:  # pylint: disable=broad-except
                failed += 1
                print(f"not ok {number} {name}", flush=True)
                for line in f"{type(error).__name__}: {error}".splitlines():
                    print(f"# {line}", flush=True)
        world.write_table()
        if failed:
            for log in ("bus.log", "headnetd.log"):
                with open(os.path.join(directory, log), encoding="utf-8") as file:
                    for line in file.read().splitlines()[-30:]:
                        print(f"# {log}: {line}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if failed else 0


def main(tests_class):
    """Runs each test_ method of @tests_class, made with the World, as a case of TAP; or those that
    the command line names."""
    if "--inside" in sys.argv:
        sys.exit(run_inside(tests_class))
    reason = missing()
    if reason is not None:
        skip(reason)
    inside = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
              sys.executable, "-B", os.path.abspath(sys.argv[0]), "--inside", *sys.argv[1:]]
    sys.exit(subprocess.run(inside, check=False).returncode)
