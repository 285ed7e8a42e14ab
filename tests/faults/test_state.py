#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The state directory: damaged files, a full disk, rights that are wrong, two daemons on it."""

import os
import shutil

import fault
from client import HEADNETD, MANAGER, MANAGER_PATH
from lab import run, wait_for

KEYS = ("machine.key", "disco.key", "node.key", "server.pub")
LEFT_ALONE = "can not be read and is left alone"
# what root can do because it is root, and a service manager may take away
NOT_ALL_POWERFUL = ("setpriv", "--inh-caps=-dac_override,-dac_read_search",
                    "--bounding-set=-dac_override,-dac_read_search")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


class State(fault.FaultCase):
    def folder(self, *parts):
        return os.path.join(self.client.state, *parts)

    def snapshot(self):
        """Every file with its content and mode."""
        found = {}
        for folder, _folders, names in os.walk(self.client.state):
            for name in names:
                path = os.path.join(folder, name)
                found[path] = (os.lstat(path).st_mode, read(path))
        return found

    def names(self):
        return sorted(self.client.property("Name", path) for path in self.client.tailnets())

    def add_second(self):
        """A profile that only lies there."""
        self.client.call(MANAGER_PATH, MANAGER, "AddTailnet", "a{sv}", "2", "Name", "s", "second",
                         "ServerUrl", "s", "https://second.test")

    def start_refused(self, pattern, *before):
        """A daemon that must not start: it ends with 1 and one clear line."""
        machine = self.client
        process = machine.host.start("refused", *before, HEADNETD,
                                     env=dict(machine.env, **machine.environment))
        self.assertEqual(process.popen.wait(10), 1, process.text())
        text = process.text().strip().splitlines()[-1]
        os.unlink(process.log)
        self.lab.processes.remove(process)
        self.assertRegex(text, pattern)
        return text

    def test_damaged_files(self):
        """One damaged profile: the other works, the files stay, the log has one line, and when they
        are repaired all is as before."""
        self.connect()
        self.add_second()
        (path,) = [p for p in self.client.tailnets() if self.client.property("Name", p) != "second"]
        own = self.client.property("Id", path)
        name = self.client.property("Name", path)
        damages = [(file, what, data) for file in (*KEYS, "settings")
                   for what, data in (("empty", lambda _good: b""),
                                      ("cut in half", lambda good: good[:len(good) // 2]),
                                      ("garbage", lambda good: os.urandom(len(good))),
                                      ("zeroes", lambda good: bytes(len(good))),
                                      ("a screen's commands",
                                       lambda good: b"[profile]\n\x1b[2J\r" + b"=\xff" * 50000),
                                      ("too big", lambda good: good * 100000))]
        reasons = {}
        for number, (file, what, damage) in enumerate(damages):
            self.client.stop()
            target = self.folder(own, file)
            good = read(target)
            write(target, damage(good))
            before = self.snapshot()
            mark = self.log_mark()
            self.client.start()
            self.assertEqual(self.names(), ["second"], f"{file} {what}")
            lines = self.log_since(mark).splitlines()
            told = [line for line in lines if LEFT_ALONE in line]
            self.assertEqual(len(told), 1, "\n".join(lines))
            self.assertLess(len(told[0]), 600)
            self.assertNotRegex(told[0], r"[\x00-\x1f\x7f-\x9f]")
            if what == "garbage":
                reasons[file] = told[0].split(LEFT_ALONE)[1]
            if number == 0:
                # nothing takes its place, and the new one lies beside it
                self.client.call(MANAGER_PATH, MANAGER, "AddTailnet", "a{sv}", "2", "Name", "s",
                                 name + " again", "ServerUrl", "s", "https://third.test")
                self.client.ctl("tailnet", "remove", name + " again")
            self.client.stop()
            self.assertEqual(self.snapshot(), before, f"{file} {what}")
            write(target, good)
            self.client.start()
        self.assertEqual(self.names(), sorted([name, "second"]))
        self.client.wait_state("running", path)
        took = self.first_ping()
        self.note(f"{len(damages)} damages: first ping {took:.2f} s after the repair")
        for file, reason in reasons.items():
            self.note(f"garbage in {file}: one line in the log: {reason.lstrip(': ')}")
            fault.row(f"{file} empty, cut, garbage, zeroes or too big",
                      f"other tailnets work; one line in the log: {reason.lstrip(': ')}", took,
                      "nothing; the file is left alone")

    def test_unreadable(self):
        """Folders without the right to read them: one profile is left alone; the whole is refused."""
        self.connect()
        self.add_second()
        (own,) = [self.client.property("Id", p) for p in self.client.tailnets()
                  if self.client.property("Name", p) != "second"]
        self.client.stop()
        os.chmod(self.folder(own), 0)
        mark = self.log_mark()
        self.launch(*NOT_ALL_POWERFUL)
        self.wait_owned()
        self.assertEqual(self.names(), ["second"])
        told = [line for line in self.log_since(mark).splitlines() if LEFT_ALONE in line]
        self.assertEqual(len(told), 1)
        self.note(f"folder of a profile not readable: {told[0]}")
        fault.row("folder of a profile not readable", told[0], "a restart", "nothing")
        self.client.stop()
        os.chmod(self.folder(own), 0o700)

        os.chmod(self.client.state, 0)
        text = self.start_refused("Permission denied", *NOT_ALL_POWERFUL)
        self.note(f"state directory not readable: exit 1: {text}")
        fault.row("state directory not readable", f"exit status 1: {text}", "a restart", "nothing")
        os.chmod(self.client.state, 0o700)
        for mode in (0o777, 0o770, 0o1777):
            os.chmod(self.client.state, mode)
            text = self.start_refused("Others may write to .*; refusing")
        self.note(f"state directory that others may write to: exit 1: {text}")
        fault.row("state directory that others may write to", f"exit status 1: {text}",
                  "a restart", "nothing")
        os.chmod(self.client.state, 0o700)
        self.launch()
        self.first_ping()

    def test_two_daemons(self):
        """A second daemon on the same state ends at once, and the first does not notice."""
        self.connect()
        before = self.snapshot()
        text = self.start_refused("Another headnetd uses")
        self.note(f"a second daemon on the same state: exit 1: {text}")
        fault.row("a second daemon on the same state directory",
                  f"exit status 1: {text}; the first does not notice", "none needed", "nothing")
        self.assertTrue(self.ping())
        self.assertEqual(self.snapshot(), before)
        self.assertEqual(self.client.property("State"), "running")
        # the lock goes with the process that has it, however it ends
        self.client.kill()
        self.first_ping(self.launch())
        self.assert_kernel(self.running, "as before")

    def fill(self):
        """Takes every byte that is left on the small disk."""
        with open(self.folder("filler"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def test_disk_full(self):
        """Nothing can be saved: what was stays, and who asks for more is told so."""
        machine = self.client
        machine.stop()
        run("mount", "-t", "tmpfs", "-o", "size=128k,mode=0700", "headnet-test", machine.state)
        try:
            machine.start()
            self.connect()
            (own,) = machine.tailnets()
            name = machine.property("Name")
            before = self.snapshot()
            self.fill()

            # a new profile, and a changed preference
            machine.ctl("tailnet", "add", "https://second.test", code=1)
            self.assertIn("No space left on device", machine.complaint)
            self.note(f"add a tailnet, disk full: exit 1: {machine.complaint.strip()}")
            machine.ctl("set", "Name=other", code=1)
            self.assertIn("No space left on device", machine.complaint)
            self.note(f"set Name=other, disk full: exit 1: {machine.complaint.strip()}")
            self.assertEqual(machine.property("Name"), name)
            self.assertEqual(machine.tailnets(), [own])
            self.assertTrue(self.ping())

            # the key expires; the new one has no place, so it is not asked for
            self.server.expire(self.own_node()["given_name"])
            machine.wait_state("needs-login")
            key = self.server.key()
            machine.ctl("login", "--auth-key-file", "-", stdin=key + "\n", code=1)
            self.assertIn("No space left on device", machine.complaint)
            complaint = machine.complaint.strip()
            self.note(f"login, disk full: exit 1: {complaint}; {self.seen()}")
            os.unlink(self.folder("filler"))
            self.assertEqual(self.snapshot(), before)

            # the same key is still good when there is room again
            machine.ctl("login", "--auth-key-file", "-", stdin=key + "\n")
            machine.wait_state("running")
            took = self.first_ping()
            self.note(f"room again, same key: first ping {took:.2f} s after the login")
            fault.row("disk full: add, set, login; then room again, and the same key",
                      f"exit status 1: {complaint}; what was saved stays", took, "nothing")
            machine.kill()
            self.first_ping(self.launch())
            self.assertEqual([n for n in os.listdir(self.folder(os.path.basename(own)))
                              if n.count(".") > 1], [])
        finally:
            machine.close()
            run("umount", machine.state)

    def tearDown(self):
        if os.path.isdir(self.client.state):
            os.chmod(self.client.state, 0o700)
        super().tearDown()


if __name__ == "__main__":
    fault.main()
