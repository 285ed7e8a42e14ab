#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What headnetctl says without a bus: help, usage errors; and its manual page and completions."""

import os
import re
import shutil
import subprocess

import world
from world import DONE, HEADNETCTL, NO_SERVICE, SOURCE, USAGE

VERBS = ("up", "down", "login", "logout", "status", "peers", "peer", "check-server", "netcheck",
         "version", "ping", "watch", "wait", "set", "get", "tailnet")
NO_BUS = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere/bus"}
CLI = os.path.join(SOURCE, "cli")
COMPLETIONS = {"bash": "headnetctl.bash", "zsh": "_headnetctl", "fish": "headnetctl.fish"}


def read(*parts):
    with open(os.path.join(CLI, *parts), encoding="utf-8") as file:
        return file.read()


class Static(world.TestCase):
    def ctl(self, *args, code=DONE, **options):
        options.setdefault("env", NO_BUS)
        return super().ctl(*args, code=code, **options)

    def options_of(self, verb):
        return set(re.findall(r"--[a-z][a-z-]+", self.ctl(verb, "--help")))

    def test_help(self):
        text = self.ctl("--help")
        listed = re.findall(r"^  ([a-z][a-z-]+)", text, re.M)
        self.assertEqual(sorted(listed), sorted(VERBS))
        self.assertEqual(self.ctl("help"), text)
        self.assertEqual(self.ctl("-h"), text)
        for line in text.splitlines():
            self.assertLessEqual(len(line), 100, line)
        self.assertNotIn("explain", text)  # not yet

    def test_help_of_each_verb(self):
        for verb in VERBS:
            text = self.ctl(verb, "--help")
            self.assertIn(f"headnetctl {verb}", text)
            self.assertIn("--tailnet", text)
            self.assertEqual(self.ctl("help", verb), text)
            self.assertEqual(self.ctl("--json", verb, "--help"), text)

    def test_usage(self):
        self.ctl(code=USAGE)
        self.assertEqual(self.out, "")
        self.ctl("--json", code=USAGE)
        self.ctl("up", "--nonsense", code=USAGE)
        self.assertIn("headnetctl up --help", self.complaint)
        for verb in VERBS:
            if verb in ("set", "peers", "tailnet"):
                continue
            self.ctl(verb, "one", "two", "three", code=USAGE)
        for name, meant in (("stauts", "status"), ("pear", "peer"), ("statu", "status"),
                            ("connect", "up"), ("check", "check-server"), ("UPP", None),
                            ("xyzzy", None)):
            self.ctl(name, code=USAGE)
            if meant:
                self.assertIn(f"Did you mean “{meant}”?", self.complaint)
            else:
                self.assertNotIn("Did you mean", self.complaint)

    def test_a_key_is_no_argument(self):
        for verb in VERBS:
            self.assertNotIn("--auth-key ", self.ctl(verb, "--help"))
        self.ctl("up", "--auth-key", "hskey", code=USAGE)

    def test_no_bus(self):
        for args in (["up"], ["status"], ["peers"], ["watch"], ["wait"], ["tailnet", "list"]):
            self.ctl(*args, code=NO_SERVICE)
            self.assertIn("system bus", self.complaint)
        self.ctl("version")

    def test_arguments_that_are_no_text(self):
        bad = b"\xff\xfe\x1b[2J"
        for args in (["peer", bad], ["peers", bad], ["ping", bad], ["check-server", bad],
                     ["up", "--server", bad], ["--tailnet", bad, "status"], [bad],
                     ["up", bad], ["set", b"HostName=" + bad], ["tailnet", "add", bad]):
            for locale in ("C", "C.UTF-8"):
                self.ctl(*args, code=USAGE, env={**NO_BUS, "LC_ALL": locale})

    def test_output_that_can_not_be_written(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([HEADNETCTL, "version"], env={**self.bus.env, **NO_BUS},
                                  stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"written", done.stderr)

    def test_man_page(self):
        page = read("headnetctl.1").replace("\\-", "-")
        for verb in VERBS:
            self.assertRegex(page, rf"(?m)^\.B {verb}\b")
            for option in self.options_of(verb) - {"--help"}:
                self.assertIn(option, page, verb)
        for code in range(9):
            self.assertRegex(page, rf"(?m)^{code}\t")

    def test_man_page_is_well_formed(self):
        if shutil.which("mandoc"):
            command = ["mandoc", "-T", "lint", "-W", "warning"]
        elif shutil.which("man"):
            command = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"]
        else:
            self.skipTest("needs mandoc or man")
        done = subprocess.run([*command, os.path.join(CLI, "headnetctl.1")], capture_output=True,
                              text=True, check=False)
        complaints = (done.stdout if command[0] == "mandoc" else "") + done.stderr
        complaints = [line for line in complaints.splitlines() if "missing date" not in line]
        self.assertEqual(complaints, [])

    def test_completions_know_everything(self):
        for shell, name in COMPLETIONS.items():
            text = read("completion", name)
            for verb in VERBS:
                self.assertRegex(text, rf"[ '(|]{verb}\b", shell)
                for option in self.options_of(verb):
                    wanted = rf"-l {option[2:]}\b" if shell == "fish" else rf"{option}\b"
                    if option != "--help" or shell != "fish":
                        self.assertRegex(text, wanted, f"{shell} {verb}")

    def syntax(self, shell):
        if not shutil.which(shell):
            self.skipTest(f"needs {shell}")
        subprocess.run([shell, "-n", os.path.join(CLI, "completion", COMPLETIONS[shell])],
                       check=True)

    def test_bash_syntax(self):
        self.syntax("bash")

    def test_zsh_syntax(self):
        self.syntax("zsh")

    def test_fish_syntax(self):
        self.syntax("fish")

    def complete(self, *words):
        script = (f"source {CLI}/completion/headnetctl.bash; COMP_WORDS=(\"$@\"); "
                  "COMP_CWORD=$(($# - 1)); _headnetctl 2>/dev/null; printf '%s\\n' "
                  "\"${COMPREPLY[@]}\"")
        env = dict(self.bus.env, PATH=os.path.dirname(HEADNETCTL) + ":" + os.environ["PATH"], **NO_BUS)
        return subprocess.run(["bash", "-c", script, "bash", "headnetctl", *words], env=env,
                              capture_output=True, text=True, check=True).stdout.split()

    def test_bash_completes(self):
        self.assertEqual(set(self.complete("")), set(VERBS) | {"help", "--help", "--version", "--tailnet",
                                                             "--json"})
        self.assertEqual(self.complete("lo"), ["login", "logout"])
        self.assertEqual(self.complete("up", "--time"), ["--timeout"])
        self.assertEqual(self.complete("--json", "up", "--time"), ["--timeout"])
        self.assertEqual(self.complete("--tailnet", "x", "log"), ["login", "logout"])
        self.assertEqual(self.complete("wait", "--state", "needs"), ["needs-login", "needs-approval"])
        self.assertEqual(set(self.complete("help", "ta")), {"tailnet"})


if __name__ == "__main__":
    world.main()
