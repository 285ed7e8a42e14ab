# SPDX-License-Identifier: GPL-2.0-or-later
"""The client under test: headnetd on a private system bus, and the programs that talk to it."""

import glob
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(HERE), "bus"))

import system_bus  # noqa: E402
from lab import LabError, Process, run, wait_for  # noqa: E402

SOURCE = os.environ.get("HEADNET_SOURCE", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("HEADNET_BUILD", os.path.join(SOURCE, "build-asan"))
HEADNETD = f"{BUILD}/daemon/headnetd"
HEADNETCTL = f"{BUILD}/cli/headnetctl"

NAME = "org.headnet.Headnet1"
MANAGER_PATH = "/org/headnet/Headnet1"
MANAGER = f"{NAME}.Manager"
TAILNET = f"{NAME}.Tailnet"

# What the sanitizers and GLib say when something is wrong with the program itself.
COMPLAINT = re.compile(r"ERROR: (?:Address|Leak|Thread)Sanitizer|runtime error: |-CRITICAL \*\*|"
                       r"SUMMARY: \w+Sanitizer")


def plain(value):
    """A value of busctl's JSON without its type names."""
    if isinstance(value, dict):
        if set(value) == {"type", "data"}:
            return plain(value["data"])
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


class Lines:
    """The lines that a program prints, each with the moment it came."""

    def __init__(self, lab, name, argv, env):
        self.process = Process.__new__(Process)
        self.process.lab, self.process.name = lab, name
        self.process.log = lab.log_path(name)
        self.process.popen = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=env, text=True, errors="replace", start_new_session=True)
        lab.processes.append(self.process)
        self.lines = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        with open(self.process.log, "a", encoding="utf-8") as log:
            for line in self.process.popen.stdout:
                self.lines.append((time.monotonic(), line.rstrip("\n")))
                log.write(line)
                log.flush()

    def mark(self):
        """A place in the output, for wait()."""
        return len(self.lines)

    def wait(self, pattern, after=0, timeout=15):
        """Waits for a line that matches, and returns (moment, line)."""
        def find():
            for moment, line in self.lines[after:]:
                if re.search(pattern, line):
                    return moment, line
            return None
        return wait_for(f"{self.process.name} prints {pattern}", find, timeout, 0.02)

    def stop(self):
        status = self.process.stop()
        self.thread.join(5)
        return status


class Bus:
    """A private bus in the role of the system bus, with the project's own policy file."""

    def __init__(self, lab, host, environment=None, activated=False):
        self.lab, self.host = lab, host
        self.dir = lab.path(f"bus.{host.name}", "")
        self.socket = f"{self.dir}socket"
        self.address = f"unix:path={self.socket}"
        self.env = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.address, LC_ALL="C.UTF-8")
        self.env.pop("DBUS_SESSION_BUS_ADDRESS", None)
        policies = [p for p in glob.glob(f"{SOURCE}/data/*.conf")
                    if "<busconfig>" in open(p, encoding="utf-8").read()]
        if not policies:
            raise LabError("data/ has no bus policy file")
        if activated:
            self._write_service(environment or {})
        with open(f"{self.dir}bus.conf", "w", encoding="utf-8") as file:
            file.write(system_bus.format_config(
                self.socket, policies, f"{self.dir}services" if activated else None))
        self.process = host.start(f"dbus-daemon.{host.name}", "dbus-daemon", "--nofork",
                                  "--nopidfile", f"--config-file={self.dir}bus.conf", env=self.env)
        wait_for("the bus listens", lambda: os.path.exists(self.socket))

    def _write_service(self, environment):
        """An activation file for the program that was built, with its directories."""
        program = f"{self.dir}headnetd"
        with open(program, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n")
            file.writelines(f"export {key}='{value}'\n" for key, value in environment.items())
            log = self.lab.log_path(f"headnetd.{self.host.name}")
            file.write(f"exec {HEADNETD} --verbose --exit-when-idle >>{log} 2>&1\n")
        os.chmod(program, 0o755)
        os.makedirs(f"{self.dir}services", exist_ok=True)
        with open(f"{self.dir}services/{NAME}.service", "w", encoding="utf-8") as file:
            file.write(f"[D-BUS Service]\nName={NAME}\nExec={program}\nUser=root\n")

    def has_owner(self, name=NAME):
        done = run("busctl", "--system", "--json=short", "call", "org.freedesktop.DBus", "/",
                   "org.freedesktop.DBus", "NameHasOwner", "s", name, env=self.env)
        return plain(json.loads(done.stdout))[0]


class Client:
    """One machine with headnetd: its bus, its daemon, its command line.

    The daemon keeps its state from one start to the next. With activated=True nothing runs until
    somebody calls it on the bus.
    """

    def __init__(self, lab, host="a", activated=False):
        self.lab, self.host = lab, lab.host(host)
        self.state = lab.path(f"state.{host}", "")
        self.runtime = lab.path(f"run.{host}", "")
        os.chmod(self.state, 0o700)
        self.environment = {
            "STATE_DIRECTORY": self.state.rstrip("/"),
            "RUNTIME_DIRECTORY": self.runtime.rstrip("/"),
            "G_DEBUG": "fatal-criticals",
            # without the last, LeakSanitizer itself crashes now and then where threads end
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "abort_on_error=1:"
                                           "intercept_tls_get_addr=0"),
            "UBSAN_OPTIONS": os.environ.get("UBSAN_OPTIONS", "halt_on_error=1:abort_on_error=1:"
                                            "print_stacktrace=1"),
            "G_MESSAGES_DEBUG": os.environ.get("HEADNET_DEBUG", ""),
        }
        self.log_name = f"headnetd.{host}"
        self.bus = Bus(lab, self.host, self.environment, activated)
        self.env = self.bus.env
        self.process = None
        self.complaint = ""
        self.lines = []
        if not activated:
            self.start()

    # the daemon

    def start(self):
        self.process = self.host.start(self.log_name, HEADNETD, "--verbose",
                                       env=dict(self.env, **self.environment))

        def owned():
            if not self.process.alive:
                raise RuntimeError("headnetd ended:\n" + self.log()[-2000:])
            return self.bus.has_owner()

        wait_for("headnetd has its name", owned)

    def stop(self):
        """Ends the daemon as systemd does, and fails if it does not end well."""
        if self.process:
            status = self.process.stop()
            self.process = None
            assert status == 0, f"headnetd ended with {status}:\n{self.log()[-2000:]}"
        elif self.bus.process.alive and self.bus.has_owner():  # the bus started it
            os.kill(self.pid(), signal.SIGTERM)
            wait_for("headnetd ends", lambda: not self.bus.has_owner())
        self.check_log()

    def pid(self):
        """The process that has our name on the bus."""
        done = run("busctl", "--system", "--json=short", "call", "org.freedesktop.DBus", "/",
                   "org.freedesktop.DBus", "GetConnectionUnixProcessID", "s", NAME, env=self.env)
        return plain(json.loads(done.stdout))[0]

    def kill(self):
        self.process.stop(9)
        self.process = None

    def log(self):
        try:
            with open(self.lab.log_path(self.log_name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def check_log(self):
        match = COMPLAINT.search(self.log())
        assert not match, self.log()[match.start():][:3000]

    def close(self):
        """Ends it all: daemon, bus, listeners."""
        for lines in self.lines:
            lines.stop()
        self.lines.clear()
        try:
            self.stop()
        finally:
            self.bus.process.stop()

    # the command line

    def ctl(self, *args, code=0, timeout=60, stdin=None):
        """Runs headnetctl and returns its output; its exit status must be @code, or among them.
        What it complains about is in self.complaint."""
        done = self.host.run(HEADNETCTL, *args, env=self.env, timeout=timeout, stdin=stdin,
                             check=False)
        text = f"headnetctl {' '.join(args)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode in (code if isinstance(code, set) else {code}), text
        assert not COMPLAINT.search(done.stderr), text
        self.complaint = done.stderr
        return done.stdout

    def ctl_json(self, *args, **options):
        return json.loads(self.ctl(*args, "--json", **options))

    def watch(self, *args):
        return self._lines(f"watch.{self.host.name}", HEADNETCTL, "watch", *args)

    def ctl_lines(self, name, *args):
        """headnetctl in the background."""
        return self._lines(name, HEADNETCTL, *args)

    def _lines(self, name, *argv):
        lines = Lines(self.lab, name, self.host.argv(*argv), self.env)
        self.lines.append(lines)
        return lines

    # the bus, by the programs that everybody has

    def gdbus_monitor(self):
        lines = self._lines(f"monitor.{self.host.name}", "gdbus", "monitor", "--system", "--dest",
                            NAME)
        lines.wait("Monitoring signals|owned by")
        return lines

    def gdbus(self, path, method, *args, timeout=30):
        """gdbus call; arguments in GVariant's text format, as is the answer."""
        return self.host.run("gdbus", "call", "--system", "--dest", NAME, "--object-path", path,
                             "--timeout", str(timeout), "--method", method, *args, env=self.env,
                             timeout=timeout + 5).stdout

    def call(self, path, interface, method, signature="", *args):
        """busctl call; the answer's arguments as a list, without type names."""
        # "--": an argument may begin with a dash
        done = run("busctl", "--system", "--json=short", "--", "call", NAME, path, interface,
                   method, *([signature, *args] if signature else []), env=self.env)
        return plain(json.loads(done.stdout)) if done.stdout.strip() else []

    def tailnets(self):
        return self._property(MANAGER_PATH, MANAGER, "Tailnets")

    def _property(self, path, interface, name):
        done = run("busctl", "--system", "--json=short", "--auto-start=no", "get-property", NAME,
                   path, interface, name, env=self.env)
        return plain(json.loads(done.stdout))

    def property(self, name, path=None):
        """A property of a tailnet, the only one unless a path is given."""
        if path is None:
            (path,) = self.tailnets()
        return self._property(path, TAILNET, name)

    def peers(self, path=None):
        """GetPeers as a dictionary by first label."""
        if path is None:
            (path,) = self.tailnets()
        _generation, peers = self.call(path, TAILNET, "GetPeers")
        return {peer["Name"].split(".")[0]: peer for peer in peers}

    def wait_state(self, state, path=None, timeout=20):
        wait_for(f"state {state}",
                 lambda: self.property("State", path) == state or
                 self.fail_with(self.property("State", path), self.property("StateReason", path)),
                 timeout)

    @staticmethod
    def fail_with(state, reason):
        raise AssertionError(f"state is {state} ({reason})")

    def wait_peer(self, name, timeout=20, path=None, **wanted):
        """Waits until the peer is there and has these values; returns it."""
        def there():
            peer = self.peers(path).get(name)
            return peer if peer and all(peer.get(k) == v for k, v in wanted.items()) else None
        return wait_for(f"peer {name} with {wanted}", there, timeout)
