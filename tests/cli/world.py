# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of headnetctl share: a private bus in the role of the system bus, headnetctl with
its output and exit code, and a runner that prints TAP."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("HEADNET_SOURCE", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("HEADNET_BUILD", os.path.join(SOURCE, "build-asan"))
HEADNETCTL = os.path.join(BUILD, "cli", "headnetctl")
HEADNETD = os.path.join(BUILD, "daemon", "headnetd")

DONE, FAILED, USAGE, NOT_CONNECTED, NEEDS_LOGIN = 0, 1, 2, 3, 4
NOT_AUTHORIZED, NOT_FOUND, TIMEOUT, NO_SERVICE = 5, 6, 7, 8

# What the sanitizers and GLib say when something is wrong with the program itself.
COMPLAINT = re.compile(r"ERROR: (?:Address|Leak)Sanitizer|runtime error: |-(?:CRITICAL|WARNING) \*\*|"
                       r"SUMMARY: \w+Sanitizer")

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={directory}/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{directory}/services</servicedir>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow eavesdrop="false"/>
  </policy>
</busconfig>
"""


def wait_for(what, condition, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds} s")


class Bus:
    """A private bus; everything that it started ends with it."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="headnet-cli-")
        os.mkdir(os.path.join(self.directory, "services"))
        self.address = f"unix:path={self.directory}/bus"
        self.env = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.address, LC_ALL="C.UTF-8",
                        LANGUAGE="", G_DEBUG="fatal-criticals")
        self.env.pop("DBUS_SESSION_BUS_ADDRESS", None)
        self.env.setdefault("ASAN_OPTIONS", "abort_on_error=1:intercept_tls_get_addr=0")
        self.config = os.path.join(self.directory, "bus.conf")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(BUS_CONFIG.format(directory=self.directory))
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={self.config}", "--nofork", "--nopidfile"],
            env=self.env, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for("the bus listens", lambda: os.path.exists(f"{self.directory}/bus"))

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def has_owner(self, name="org.headnet.Headnet1"):
        done = subprocess.run(
            ["gdbus", "call", "--address", self.address, "-d", "org.freedesktop.DBus", "-o", "/",
             "-m", "org.freedesktop.DBus.NameHasOwner", name], env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return "true" in done.stdout


class Running:
    """headnetctl in the background, with the lines that it prints."""

    def __init__(self, env, args):
        self.popen = subprocess.Popen([HEADNETCTL, *args], env=env, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.popen.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_line(self, pattern, after=0):
        try:
            return wait_for(f"a line that matches {pattern}", lambda: next(
                (line for line in self.lines[after:] if re.search(pattern, line)), None))
        except AssertionError as error:
            raise AssertionError(f"{error}; it said {self.lines}") from None

    def end(self, seconds=15):
        code = self.popen.wait(seconds)
        self.thread.join(5)
        self.popen.stdout.close()
        assert not COMPLAINT.search("\n".join(self.lines)), self.lines
        return code

    def interrupt(self):
        self.popen.send_signal(signal.SIGINT)
        return self.end()


class TestCase(unittest.TestCase):
    """A bus for each class. After ctl(), self.out and self.complaint hold what was printed."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.bus = Bus()

    @classmethod
    def tearDownClass(cls):
        cls.bus.close()

    def setUp(self):
        self.out = self.complaint = ""

    def ctl(self, *args, code=DONE, stdin="", timeout=30, env=None):
        done = subprocess.run([HEADNETCTL, *args], env=dict(self.bus.env, **(env or {})),
                              input=stdin.encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, check=False)
        self.out = done.stdout.decode()
        self.complaint = done.stderr.decode(errors="replace")
        text = f"{args}: exit {done.returncode}\n{self.out}{self.complaint}"
        self.assertIsNone(COMPLAINT.search(self.complaint), text)
        self.assertEqual(done.returncode, code, text)
        self.check_clean(self.out + self.complaint)
        return self.out

    def ctl_json(self, *args, **options):
        return json.loads(self.ctl(*args, "--json", **options))

    def check_clean(self, text):
        """No character that a terminal would obey, but the end of a line."""
        self.assertIsNone(re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-"
                                    "\u2069]", text), repr(text))

    def start(self, *args):
        running = Running(self.bus.env, args)
        self.addCleanup(lambda: running.popen.poll() is None and running.popen.kill())
        return running

    def on_terminal(self, *args, columns=120, seconds=10):
        """What it prints on a terminal until it ends."""
        master, slave = pty.openpty()
        subprocess.run(["stty", "cols", str(columns), "rows", "60"], stdin=slave, check=True)
        popen = subprocess.Popen([HEADNETCTL, *args], env=self.bus.env, stdin=slave, stdout=slave,
                                 stderr=slave, close_fds=True)
        os.close(slave)
        data, end = b"", time.monotonic() + seconds
        while time.monotonic() < end:
            if not select.select([master], [], [], 0.2)[0]:
                continue
            try:
                more = os.read(master, 65536)
            except OSError:
                break
            if not more:
                break
            data += more
        os.close(master)
        return popen.wait(5), data.decode()


class TapResult(unittest.TestResult):
    """Prints a line a case as it ends."""

    def __init__(self):
        super().__init__()
        self.number, self.problem = 0, None

    def startTest(self, test):
        super().startTest(test)
        self.problem = None

    def _line(self, verdict, name, tail=""):
        self.number += 1
        print(f"{verdict} {self.number} - {name}{tail}", flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        self.problem = "not ok"
        for line in "".join(traceback.format_exception(*err)).splitlines():
            print(f"# {line}")
        if not isinstance(test, unittest.TestCase):  # setUpClass
            self._line("not ok", str(test))

    addFailure = addError

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.problem = f" # SKIP {reason}"
        if not isinstance(test, unittest.TestCase):
            self._line("ok", str(test), self.problem)

    def stopTest(self, test):
        super().stopTest(test)
        name = test.id().rsplit(".", maxsplit=1)[-1]
        if self.problem == "not ok":
            self._line("not ok", name)
        else:
            self._line("ok", name, self.problem or "")


def main(lacking=""):
    """Runs the cases of the program, or those named; @lacking says why it can not."""
    for program in ("dbus-daemon", "gdbus"):
        if not shutil.which(program):
            lacking = f"needs {program}"
    if lacking:
        print(f"1..0 # SKIP {lacking}")
        sys.exit(0)
    loader = unittest.TestLoader()
    if sys.argv[1:]:
        loader.testNamePatterns = [f"*{name}*" for name in sys.argv[1:]]
    result = TapResult()
    loader.loadTestsFromModule(sys.modules["__main__"]).run(result)
    print(f"1..{result.number}")
    sys.exit(0 if result.wasSuccessful() and result.number else 1)
