#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""headnetctl and the real daemon, without a server: in a name space whose network is loopback."""

import json
import os
import re
import subprocess
import sys

import world
from world import (DONE, FAILED, HEADNETD, NEEDS_LOGIN, NOT_CONNECTED, NOT_FOUND, NO_SERVICE,
                   TIMEOUT, USAGE)

# Nobody listens there.
CLOSED = "http://127.0.0.1:9"


class Daemon(world.TestCase):
    """Each case begins with a daemon that knows nothing; nothing runs in NO_DAEMON."""

    def setUp(self):
        super().setUp()
        self.state = os.path.join(self.bus.directory, self.id().rsplit(".", maxsplit=1)[-1])
        os.makedirs(self.state, mode=0o700)
        self.daemon = self.log = None
        self.start_daemon()

    def start_daemon(self):
        env = dict(self.bus.env, STATE_DIRECTORY=self.state, RUNTIME_DIRECTORY=self.state + ".run")
        os.makedirs(self.state + ".run", mode=0o700, exist_ok=True)
        self.log = open(self.state + ".log", "a", encoding="utf-8")
        self.daemon = subprocess.Popen([HEADNETD], env=env, stderr=self.log, stdout=self.log)
        world.wait_for("headnetd has its name", self.bus.has_owner)

    def stop_daemon(self):
        self.daemon.terminate()
        self.assertEqual(self.daemon.wait(20), 0)
        self.daemon = None

    def tearDown(self):
        if self.daemon:
            self.stop_daemon()
        self.log.close()
        with open(self.state + ".log", encoding="utf-8", errors="replace") as file:
            text = file.read()
        self.assertIsNone(world.COMPLAINT.search(text), text[-3000:])

    def test_tailnets(self):
        self.ctl("status", code=NOT_FOUND)
        self.assertIn("up --server URL", self.complaint)
        self.assertEqual(self.ctl_json("tailnet", "list"), [])
        self.assertIn("home", self.ctl("tailnet", "add", CLOSED, "--name", "home"))
        self.assertIn("already", self.ctl("tailnet", "add", CLOSED + "/", "--name", "home"))
        self.ctl("tailnet", "add", "http://127.0.0.1:8", "--name", "home", code=FAILED)
        self.ctl("tailnet", "add", "http://127.0.0.1:8", "--name", "work", "--hostname", "box")
        self.assertEqual([t["Name"] for t in self.ctl_json("tailnet", "list")], ["home", "work"])
        self.assertRegex(self.ctl("tailnet"), r"(?s)home .*needs-login .*work ")
        # several: one has to be named, before or after the verb
        self.ctl("get", code=USAGE)
        self.assertIn("--tailnet", self.complaint)
        for args in (["get", "hostname", "--tailnet", "work"], ["--tailnet=work", "get", "HostName"],
                     ["-t", "work", "get", "host-name"]):
            self.assertEqual(self.ctl(*args), "box\n")
        self.ctl("status", "--tailnet", "nowhere", code=NOT_FOUND)
        self.assertIn("tailnet list", self.complaint)
        self.ctl("status", "--json", code=USAGE)
        self.assertRegex(self.ctl("status", code=NEEDS_LOGIN), r"(?s)home.*\n\n.*work")
        self.ctl("tailnet", "rename", "work", "office")
        self.ctl("tailnet", "rename", "office", "home", code=FAILED)
        # a name comes before an id, which stays
        self.ctl("tailnet", "add", "http://127.0.0.1:7", "--name", "work")
        self.ctl("tailnet", "remove", "work")
        self.ctl("tailnet", "remove", "nowhere", code=NOT_FOUND)
        self.ctl("tailnet", "remove", "office")
        self.assertEqual([t["Name"] for t in self.ctl_json("tailnet", "list")], ["home"])

    def test_tailnet_usage(self):
        for args in (["add"], ["add", CLOSED, "more"], ["list", "more"], ["remove"], ["frobnicate"],
                     ["rename", "one"], ["list", "--ca", "file"]):
            self.ctl("tailnet", *args, code=USAGE)
        for url in ("hs.test", "ftp://hs.test", "", "https://"):
            self.ctl("tailnet", "add", url, code=USAGE)
        self.ctl("tailnet", "add", CLOSED, "--ca", "/nowhere/ca.pem", code=USAGE)
        self.assertIn("/nowhere/ca.pem", self.complaint)
        self.assertEqual(self.ctl_json("tailnet", "list"), [])

    def test_settings(self):
        self.ctl("tailnet", "add", CLOSED, "--name", "home")
        self.ctl("set", "HostName=box", "auto-connect=no")
        self.assertEqual(self.ctl("get", "hostname"), "box\n")
        before = self.ctl_json("get")
        self.assertIs(before["AutoConnect"], False)
        self.assertEqual(self.ctl_json("get", "AutoConnect"), False)
        for args in (["Nonsense=1"], ["AutoConnect=perhaps"], ["Mtu=-1"], ["Mtu"], ["=x"], []):
            self.ctl("set", *args, code=USAGE)
        # all or nothing
        self.ctl("set", "HostName=other", "Nonsense=1", code=USAGE)
        self.assertEqual(self.ctl_json("get"), before)
        self.ctl("get", "Nonsense", code=USAGE)
        self.assertEqual(self.ctl("set", "HostName=box"), "")

    def test_status(self):
        self.ctl("tailnet", "add", CLOSED, "--name", "home")
        text = self.ctl("status", code=NEEDS_LOGIN)
        self.assertRegex(text, r"Tailnet: +home\nServer: +http://127.0.0.1:9\nState: +needs-login")
        status = self.ctl_json("status", code=NEEDS_LOGIN)
        self.assertEqual((status["Name"], status["State"]), ("home", "needs-login"))
        self.assertEqual(status["StateReason"], status["Health"][0]["Id"])
        self.assertIs(status["LoginPending"], False)
        self.assertEqual(status["PeerCount"], 0)
        self.assertEqual(self.ctl_json("peers", code=NEEDS_LOGIN), [])
        self.assertEqual(self.ctl("peers", code=NEEDS_LOGIN), "")
        self.assertIn("Not connected", self.complaint)
        self.ctl("peer", "nas", code=NEEDS_LOGIN)
        self.ctl("ping", "nas", code=NOT_CONNECTED)

    def test_check_server(self):
        out = self.ctl("check-server", CLOSED, code=FAILED)
        self.assertRegex(out, r"FAILED +connect")
        steps = self.ctl_json("check-server", CLOSED, code=FAILED)
        self.assertEqual((steps[-1]["Step"], steps[-1]["Ok"]), ("connect", False))
        self.ctl("check-server", code=USAGE)
        self.ctl("check-server", "hs.test", code=USAGE)

    def test_up_unreachable(self):
        """Fails at once with the step, and leaves nothing that goes on trying."""
        self.ctl("up", "--server", CLOSED, "--auth-key-file", "-", "--timeout", "20", stdin="key\n",
                 code=FAILED, timeout=15)
        self.assertRegex(self.complaint, "127.0.0.1.*refuse")
        self.assertIn("tailnet remove 127.0.0.1", self.complaint)
        self.assertEqual(self.ctl_json("status", code=NEEDS_LOGIN)["State"], "needs-login")
        self.ctl("up", "--server", CLOSED + "/", "--timeout", "20", code=FAILED, timeout=15)
        self.assertNotIn("tailnet remove", self.complaint)
        self.assertEqual(len(self.ctl_json("tailnet", "list")), 1)
        self.ctl("login", code=FAILED)
        self.ctl("up", "--server", "https://nowhere.invalid", "--timeout", "20", code=FAILED)
        self.assertIn("no network", self.complaint)

    def test_up_silent_server(self):
        """The time is kept while the service waits for a server that says nothing."""
        command = [sys.executable, "-c", "import socket,time\ns=socket.create_server(('127.0.0.1', "
                   "0))\nprint(s.getsockname()[1], flush=True)\ntime.sleep(60)"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as silent:
            url = f"http://127.0.0.1:{silent.stdout.readline().strip()}"
            self.ctl("up", "--server", url, "--timeout", "2", code=TIMEOUT, timeout=8)
            self.assertIn("check-server", self.complaint)
            silent.kill()

    def test_up_usage(self):
        self.ctl("up", code=NOT_FOUND)
        for args in (["--timeout", "-5"], ["--timeout", "soon"], ["more"], ["--auth-key-file",
                     "/nowhere"], ["--auth-key-file", "/dev/zero"], ["--auth-key-file", "/dev/null"],
                     ["--auth-key", "tskey"], ["--ca", "file"]):
            self.ctl("up", *args, code=USAGE)
        self.ctl("up", "--server", "hs.test", code=USAGE)
        self.ctl("up", "--server", CLOSED, "--ca", "/nowhere", code=USAGE)
        self.assertEqual(self.ctl_json("tailnet", "list"), [])

    def test_ca_given_later(self):
        """Who forgot --ca gives it at the second try, and keeps the settings."""
        ca = os.path.join(self.state, "ca.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "/dev/null", "-out", ca,
                        "-subj", "/CN=test"], check=True, capture_output=True)
        url = "https://127.0.0.1:9"
        self.ctl("up", "--server", url, "--tailnet", "home", "--hostname", "box", "--timeout", "9",
                 code=FAILED)
        self.ctl("set", "AutoConnect=false", "Mtu=1400")
        before = self.ctl_json("get")
        self.ctl("up", "--server", url, "--ca", ca, "--timeout", "9", code=FAILED)
        self.assertEqual(self.ctl_json("get"), before)
        with open(ca, encoding="ascii") as file:
            pem = file.read().split("\n")[1]
        kept = subprocess.run(["grep", "-rlF", pem, self.state], capture_output=True, text=True,
                              check=False).stdout.split()
        self.assertTrue([name for name in kept if name != ca], kept)

    def test_down_and_logout(self):
        self.ctl("down")
        self.ctl("tailnet", "add", CLOSED)
        for verb in ("down", "down", "logout", "logout"):
            self.assertEqual(self.ctl(verb), "")
        self.ctl("down", "--tailnet", "nowhere", code=NOT_FOUND)

    def test_wait(self):
        self.ctl("tailnet", "add", CLOSED, "--name", "home")
        self.ctl("wait", "--state", "needs-login", "--timeout", "5")
        self.ctl("wait", "--timeout", "1", code=TIMEOUT)
        self.assertIn("needs-login", self.complaint)
        self.ctl("wait", "--state", "happy", code=USAGE)
        self.ctl("wait", "--tailnet", "nowhere", code=NOT_FOUND)

    def test_wait_costs_nothing(self):
        """Nothing on the bus and next to no processor time while it waits."""
        self.ctl("tailnet", "add", CLOSED, "--name", "home")
        running = self.start("wait", "--timeout", "4")
        path = f"/proc/{running.popen.pid}/status"

        def switches():
            with open(path, encoding="ascii") as file:
                return sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", file.read()))

        world.wait_for("it sleeps", lambda: open(path, encoding="ascii").read().count("(sleeping)"))
        import time  # pylint: disable=import-outside-toplevel
        time.sleep(1.5)
        before = switches()
        time.sleep(1.5)
        self.assertLessEqual(switches() - before, 2)
        self.assertEqual(running.end(), TIMEOUT)

    def test_watch(self):
        watch = self.start("watch")
        watch_json = self.start("watch", "--json")
        self.ctl("tailnet", "add", CLOSED, "--name", "home")
        watch.wait_line("home: needs-login")
        self.ctl("tailnet", "rename", "home", "work")
        watch.wait_line("work: needs-login")
        mark = len(watch.lines)
        self.stop_daemon()
        watch.wait_line("service does not run", mark)
        self.start_daemon()
        watch.wait_line("service runs", mark)
        watch.wait_line("work: needs-login", mark)
        self.assertFalse([line for line in watch.lines if "removed" in line])
        self.ctl("tailnet", "remove", "work")
        watch.wait_line("work: the tailnet was removed", mark)
        watch_json.wait_line('"removed"')
        self.assertEqual(watch.interrupt(), -2)
        events = [json.loads(line) for line in watch_json.lines]
        self.assertEqual(watch_json.interrupt(), -2)
        self.assertEqual([e["Event"] for e in events if e.get("Tailnet") != "home"],
                         ["state", "service", "service", "state", "removed"])
        self.assertEqual({e.get("Tailnet") for e in events}, {"home", "work", None})

    def test_watch_into_a_closed_pipe(self):
        watch = self.start("watch")
        self.ctl("tailnet", "add", CLOSED, "--name", "home")
        watch.wait_line("home")
        with subprocess.Popen([world.HEADNETCTL, "watch"], env=self.bus.env,
                              stdout=subprocess.PIPE) as piped:
            piped.stdout.readline()
            piped.stdout.close()
            self.ctl("tailnet", "rename", "home", "work")
            self.assertEqual(piped.wait(10), -13)
        watch.interrupt()

    def test_without_service(self):
        """What does not run is stopped; looking says so, and starts nothing."""
        self.stop_daemon()
        self.assertEqual(self.ctl_json("status", code=NOT_CONNECTED), {"State": "stopped"})
        self.assertIn("stopped", self.ctl("status", code=NOT_CONNECTED))
        self.ctl("down")
        self.ctl("peers", code=NOT_CONNECTED)
        self.ctl("peer", "nas", code=NOT_CONNECTED)
        self.ctl("ping", "nas", code=NOT_CONNECTED)
        self.ctl("wait", "--state", "stopped", "--timeout", "5")
        for args in (["tailnet", "list"], ["get"], ["up"], ["login"], ["logout"], ["set", "Mtu=1400"],
                     ["tailnet", "add", CLOSED], ["check-server", CLOSED]):
            self.ctl(*args, code=NO_SERVICE)
            self.assertIn("headnetd", self.complaint)
        self.assertNotIn("headnetd", self.ctl("version"))

    def test_activation(self):
        """Asking for something starts the service, and finds what it knows."""
        self.ctl("tailnet", "add", CLOSED, "--name", "home")
        self.stop_daemon()
        script = self.state + ".sh"
        with open(script, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n"
                       f"export STATE_DIRECTORY={self.state} RUNTIME_DIRECTORY={self.state}.run\n"
                       f"exec {HEADNETD} >>{self.state}.log 2>&1\n")
        os.chmod(script, 0o755)
        service = os.path.join(self.bus.directory, "services", "org.headnet.Headnet1.service")
        with open(service, "w", encoding="utf-8") as file:
            file.write(f"[D-BUS Service]\nName=org.headnet.Headnet1\nExec={script}\n")
        self.addCleanup(os.unlink, service)
        reload = ["gdbus", "call", "--address", self.bus.address, "-d", "org.freedesktop.DBus", "-o",
                  "/", "-m", "org.freedesktop.DBus.ReloadConfig"]
        subprocess.run(reload, check=True, stdout=subprocess.DEVNULL)
        try:
            for args in (["status"], ["peers"], ["down"], ["wait", "--timeout", "1"]):
                self.ctl(*args, code={"down": DONE, "wait": TIMEOUT}.get(args[0], NOT_CONNECTED))
            self.assertFalse(self.bus.has_owner(), "looking starts the service")
            # once more with the same address: it is known, and not added again
            self.ctl("up", "--server", CLOSED, "--timeout", "9", code=FAILED)
            self.assertIn("refuse", self.complaint)
            self.assertEqual([t["Name"] for t in self.ctl_json("tailnet", "list")], ["home"])
        finally:
            done = subprocess.run(
                ["gdbus", "call", "--address", self.bus.address, "-d", "org.freedesktop.DBus", "-o",
                 "/", "-m", "org.freedesktop.DBus.GetConnectionUnixProcessID",
                 "org.headnet.Headnet1"], text=True, capture_output=True, check=False)
            match = re.search(r"uint32 (\d+)", done.stdout)
            if match:
                os.kill(int(match.group(1)), 15)
                world.wait_for("it ends", lambda: not self.bus.has_owner())

    def test_version(self):
        self.assertRegex(self.ctl("version"), r"^headnetctl [0-9.]+\nheadnetd [0-9.]+\n$")
        self.assertEqual(set(self.ctl_json("version")), {"Client", "Version"})


def lacking():
    if os.geteuid() != 0:
        return "needs root, for a name space without network"
    if "HEADNET_UNSHARED" in os.environ:
        return ""
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        return "may not make name spaces"
    env = dict(os.environ, HEADNET_UNSHARED="1")
    os.execvpe("unshare", ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh",
                           "/usr/bin/python3", "-B", *sys.argv], env)
    return "unshare did not start"


if __name__ == "__main__":
    world.main(lacking())
