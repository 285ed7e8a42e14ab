# SPDX-License-Identifier: GPL-2.0-or-later
"""A private network for tests: name spaces, and the processes in them.

    with Lab() as lab:
        server = Headscale(lab, "0.29.2")
        peer = Tailscaled(lab, "b", server)

Hosts are network name spaces on one bridge, named headnet-test-PID-HOST after this process, so that
several runs do not meet and what a killed run left behind is found and removed by the next. Nothing
outside is contacted. Leaving the Lab ends all processes and removes all name spaces, after
failures, SIGINT and SIGTERM too; the logs are kept (and printed) only after a failure.
"""

import ctypes
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PREFIX = "headnet-test"
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """Something of the laboratory itself did not work."""


def run(*argv, timeout=30, check=True, stdin=None, env=None):
    """Runs a program to its end and returns its CompletedProcess (text)."""
    try:
        done = subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, text=True,
                              errors="replace", timeout=timeout, check=False, env=env,
                              stdin=subprocess.DEVNULL if stdin is None else None)
    except subprocess.TimeoutExpired as error:
        raise LabError(f"no end after {timeout} s: {' '.join(map(str, argv))}\n"
                       f"{error.stdout}\n{error.stderr}") from None
    if check and done.returncode != 0:
        raise LabError(f"exit {done.returncode}: {' '.join(map(str, argv))}\n"
                       f"{done.stdout}{done.stderr}")
    return done


def wait_for(what, condition, timeout=15, interval=0.05):
    """Calls condition() until it returns something true, which is returned, or fails loudly.

    AssertionError and LabError inside count as "not yet"; the last one is told at the end.
    """
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (AssertionError, LabError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout} s (last: {last})")
        time.sleep(interval)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A program in the background with its log; ended with the Lab at the latest."""

    def __init__(self, lab, name, argv, env=None):
        self.lab, self.name = lab, name
        self.log = lab.log_path(name)
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(
                [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, env=env, start_new_session=True,
                preexec_fn=_die_with_parent)
        lab.processes.append(self)

    @property
    def alive(self):
        return self.popen.poll() is None

    @property
    def pid(self):
        return self.popen.pid

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def stop(self, sig=signal.SIGTERM, timeout=15):
        """Ends it and returns its exit status; killed when it does not go."""
        if self.alive:
            self.popen.send_signal(sig)
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        status = self.popen.wait(5)
        if self in self.lab.processes:
            self.lab.processes.remove(self)
        return status


class Host:
    """A name space with one public address, 203.0.113.N."""

    def __init__(self, lab, name, number):
        self.lab, self.name, self.number = lab, name, number
        self.ns = f"{PREFIX}-{os.getpid()}-{name}"
        self.address = f"203.0.113.{number}"

    def create(self):
        run("ip", "netns", "add", self.ns)
        self.lab.name_spaces.append(self.ns)
        run("ip", "-n", self.ns, "link", "set", "lo", "up")
        # addresses that are there at once, and do not change state later
        self.run("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0",
                 "net.ipv6.conf.default.accept_dad=0")

    def join(self, bridge_ns):
        run("ip", "link", "add", "eth0", "netns", self.ns, "type", "veth", "peer", "name",
            f"h{self.number}", "netns", bridge_ns)
        run("ip", "-n", bridge_ns, "link", "set", f"h{self.number}", "up", "master", "br0")
        run("ip", "-n", self.ns, "addr", "add", f"{self.address}/24", "dev", "eth0")
        run("ip", "-n", self.ns, "link", "set", "eth0", "up")
        self.set_names({})

    def set_names(self, names):
        """What the host finds by name, without any name server (an /etc/netns file)."""
        folder = f"/etc/netns/{self.ns}"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/hosts", "w", encoding="ascii") as file:
            file.write("127.0.0.1 localhost\n::1 localhost\n")
            file.writelines(f"{address} {name}\n" for name, address in names.items())
        with open(f"{folder}/resolv.conf", "w", encoding="ascii") as file:
            file.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")

    def argv(self, *argv):
        return ["ip", "netns", "exec", self.ns, *argv]

    def run(self, *argv, **options):
        return run(*self.argv(*argv), **options)

    def start(self, name, *argv, env=None):
        return Process(self.lab, name, self.argv(*argv), env=env)

    def network_state(self):
        """Links, addresses, routes and rules, in a form that two moments can be compared in."""
        state = []
        for what in (["link"], ["addr"], ["-4", "route", "show", "table", "all"],
                     ["-6", "route", "show", "table", "all"], ["-4", "rule"], ["-6", "rule"]):
            text = run("ip", "-n", self.ns, *what).stdout
            text = re.sub(r"(valid|preferred)_lft \S+|expires \d+sec|state \w+", "", text)
            # numbers of interfaces count up for ever
            text = re.sub(r"^\d+: (?=[a-z])", "", text, flags=re.M)
            state += [f"{' '.join(what)}: {line.strip()}" for line in text.splitlines()]
        return sorted(state)


class Lab:
    """All of it. Use as a context manager, or call close()."""

    def __init__(self):
        self.processes, self.name_spaces, self.hosts = [], [], {}
        self.failed = False
        self._names = {}
        self._old_handler = signal.signal(signal.SIGTERM, self._on_term)
        remove_leftovers()
        self.dir = tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-")
        os.chmod(self.dir, 0o755)
        try:
            self._net = Host(self, "net", 1)
            self._net.create()
            run("ip", "-n", self._net.ns, "link", "add", "br0", "type", "bridge")
            run("ip", "-n", self._net.ns, "link", "set", "br0", "up")
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _on_term(_signal, _frame):
        raise SystemExit(143)

    def __enter__(self):
        return self

    def __exit__(self, kind, _value, _trace):
        self.failed = self.failed or kind is not None
        self.close()

    def host(self, name):
        """The host of this name, made on first use."""
        if name not in self.hosts:
            host = Host(self, name, 100 + len(self.hosts))
            host.create()
            host.join(self._net.ns)
            self.hosts[name] = host
            self._write_names()
        return self.hosts[name]

    def add_name(self, name, address):
        """Makes a name known on every host."""
        self._names[name] = address
        self._write_names()

    def _write_names(self):
        for host in self.hosts.values():
            host.set_names(self._names)

    def path(self, *parts):
        full = os.path.join(self.dir, *parts)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        return full

    def log_path(self, name):
        return self.path("logs", f"{name}.log")

    def print_logs(self, out=None):
        """The ends of all logs; the longest is that of the program under test."""
        out = out or sys.stderr
        for log in sorted(glob.glob(f"{self.dir}/logs/*")):
            lines = 80 if "headnetd" in log else 12
            with open(log, encoding="utf-8", errors="replace") as file:
                tail = file.read().splitlines()[-lines:]
            print(f"# ---- {log}", *(f"# {line}" for line in tail), sep="\n", file=out)

    def close(self):
        """Ends and removes everything. Can be called twice."""
        for process in reversed(list(self.processes)):
            process.stop(signal.SIGKILL)
        for ns in self.name_spaces:
            remove_name_space(ns)
        self.name_spaces.clear()
        if os.environ.get("HEADNET_KEEP"):
            print(f"# kept: {self.dir}", file=sys.stderr)
        elif os.path.isdir(self.dir):
            shutil.rmtree(self.dir, ignore_errors=True)
        signal.signal(signal.SIGTERM, self._old_handler or signal.SIG_DFL)


def remove_name_space(ns):
    """Ends what still runs in a name space of ours (a daemon the bus started), and removes it."""
    for pid in run("ip", "netns", "pids", ns, check=False).stdout.split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    run("ip", "netns", "del", ns, check=False)
    shutil.rmtree(f"/etc/netns/{ns}", ignore_errors=True)


def remove_leftovers():
    """Removes what runs left behind whose process is gone."""
    for line in run("ip", "netns", "list").stdout.splitlines():
        match = re.match(rf"({PREFIX}-(\d+)-\w+)", line)
        if match and not os.path.exists(f"/proc/{match.group(2)}"):
            remove_name_space(match.group(1))
    for folder in glob.glob(f"{tempfile.gettempdir()}/{PREFIX}-*"):
        match = re.match(rf"{PREFIX}-(\d+)-", os.path.basename(folder))
        if match and not os.path.exists(f"/proc/{match.group(1)}"):
            shutil.rmtree(folder, ignore_errors=True)
